//! What an application is set to, wherever that is asked for: `POST /admin/apps/{app_id}` and
//! `callreel app set`. A wish, whose fields may be left out, becomes settings that are known to be
//! good, or a fault that names the field.
//!
//! ```text
//!  HTTP, control ─▶ AppWish ── check ──▶ AppSettings ── set ──▶ tenant, then outbox's row
//!                              └▶ AppFault: field(), words, detail()
//! ```
//!
//! An application is the tenant of the same name. What its events look like is `event.rs`; how
//! JSON becomes a wish is the business of whoever reads it.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;
use storage::error::{ReadError, TenantError};
use storage::handle::StorageHandle;
use storage::ids::{AppId, TenantId, TenantName};
use storage::limits::{APP_KEY_MIN, WEBHOOK_SECRET_BYTES, WEBHOOK_URL_MAX};
use storage::outbox::{AppSettings, Application, OutboxError, WebhookSecret};

use super::{WebhookUrlError, check_url};
use crate::engine::session::event::Event;

/// Bytes of an application's key, at most.
pub const APP_KEY_MAX: usize = 256;
/// Requests a minute of an application that nothing was said about.
pub const RATE_LIMIT_DEFAULT: u32 = 100;
/// Requests a minute of one application, at most.
pub const RATE_LIMIT_MAX: u32 = 100_000;

/// What an application shall be. What is left out stays as it is; of a new application it is what
/// the field says.
#[derive(Clone, Default)]
pub struct AppWish {
    /// Where its events go: at most [`WEBHOOK_URL_MAX`] bytes, `http` or `https`. An empty text
    /// takes it away. New: nowhere.
    pub webhook_url: Option<String>,
    /// Its key (`X-API-Key`): [`APP_KEY_MIN`] to [`APP_KEY_MAX`] printable ASCII characters but
    /// for spaces. New: must be given.
    pub api_key: Option<String>,
    /// Requests a minute: 1 to [`RATE_LIMIT_MAX`]. New: [`RATE_LIMIT_DEFAULT`].
    pub rate_limit: Option<u32>,
    /// Names of the events it hears of, each as `call.answered`; an empty list is all of them.
    /// New: all.
    pub events: Option<Vec<String>>,
    /// What its webhooks are signed with from now on. New: made, unless given.
    pub secret: Option<WebhookSecret>,
    /// Whether a new secret is made where none is given.
    pub new_secret: bool,
}

impl AppWish {
    /// The names of what it sets.
    #[must_use]
    pub fn given(&self) -> Vec<&'static str> {
        let fields = [
            ("webhook_url", self.webhook_url.is_some()),
            ("api_key", self.api_key.is_some()),
            ("rate_limit", self.rate_limit.is_some()),
            ("events", self.events.is_some()),
            ("secret", self.secret.is_some() || self.new_secret),
        ];
        let given = fields.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(name, _)| name).collect()
    }
}

/// Why a wish cannot be granted. Its text names the field; [`AppFault::detail`] is the remedy.
#[derive(Debug, thiserror::Error)]
pub enum AppFault {
    /// The URL is too long.
    #[error("webhook_url has {0} bytes")]
    UrlLength(usize),
    /// The URL leads nowhere that events may be delivered to.
    #[error(transparent)]
    Url(#[from] WebhookUrlError),
    /// A new application without a key.
    #[error("api_key is missing")]
    KeyMissing,
    /// A key of another form.
    #[error("api_key has an invalid format")]
    Key,
    /// Requests a minute out of range.
    #[error("rate_limit is out of range")]
    RateLimit,
    /// No event has this name; its place in the list, from 0.
    #[error("events[{0}] is not the name of an event")]
    Event(usize),
    /// The system gave no random bytes for a secret.
    #[error("no random numbers from the system: {0}")]
    Random(getrandom::Error),
}

impl AppFault {
    /// The field that is wrong; none where it is not the wish's fault.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::UrlLength(_) | Self::Url(_) => Some("webhook_url"),
            Self::KeyMissing | Self::Key => Some("api_key"),
            Self::RateLimit => Some("rate_limit"),
            Self::Event(_) => Some("events"),
            Self::Random(_) => None,
        }
    }

    /// What to give instead.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::UrlLength(_) => format!("webhook_url has at most {WEBHOOK_URL_MAX} bytes"),
            Self::Url(_) => {
                "Give an absolute URL such as https://crm.example.com/callreel; one on a private \
                 network needs that network in [webhooks] allow"
                    .into()
            }
            Self::KeyMissing | Self::Key => format!(
                "api_key is {APP_KEY_MIN} to {APP_KEY_MAX} printable ASCII characters without \
                 spaces; a new application needs one"
            ),
            Self::RateLimit => format!("rate_limit is 1 to {RATE_LIMIT_MAX} requests a minute"),
            Self::Event(_) => format!("The events are {}", Event::NAMES.join(", ")),
            Self::Random(_) => "Try again".into(),
        }
    }
}

impl AppWish {
    /// Checks every field. `held` is the application as it is, if there is one; `allow` the
    /// networks of `[webhooks]`.
    ///
    /// # Errors
    /// [`AppFault`]: the first field that is wrong, in the order of the fields.
    pub fn check(
        self,
        held: Option<&Application>,
        allow: &[IpNet],
    ) -> Result<AppSettings, AppFault> {
        let webhook_url = match self.webhook_url {
            Some(url) if url.is_empty() => None,
            Some(url) if url.len() > WEBHOOK_URL_MAX => {
                return Err(AppFault::UrlLength(url.len()));
            }
            Some(url) => check_url(&url, allow).map(|()| Some(url))?,
            None => held.and_then(|held| held.webhook_url.clone()),
        };
        match &self.api_key {
            Some(key) if !is_key(key) => return Err(AppFault::Key),
            None if held.is_none() => return Err(AppFault::KeyMissing),
            _ => {}
        }
        let kept = held.map_or(RATE_LIMIT_DEFAULT, |held| held.rate_limit);
        let rate_limit = self.rate_limit.unwrap_or(kept);
        if !(1..=RATE_LIMIT_MAX).contains(&rate_limit) {
            return Err(AppFault::RateLimit);
        }
        let events = match self.events {
            Some(names) => filter(names)?,
            None => held.map(|held| held.events.clone()).unwrap_or_default(),
        };
        let secret = match self.secret {
            None if self.new_secret => Some(new_secret()?),
            given => given,
        };
        Ok(AppSettings {
            webhook_url,
            api_key: self.api_key,
            rate_limit,
            events,
            secret,
        })
    }
}

/// An application that was set.
#[derive(Clone, Debug)]
pub struct AppSet {
    /// As it is now.
    pub application: Arc<Application>,
    /// Whether there was none before.
    pub added: bool,
    /// Whether the tenant of its name was added for it.
    pub tenant_added: bool,
    /// Whether its secret was made just now: then it is to be shown, this once.
    pub secret_made: bool,
}

/// Why an application was not set.
#[derive(Debug, thiserror::Error)]
pub enum AppSetError {
    /// The wish is wrong; nothing was changed.
    #[error(transparent)]
    Wish(#[from] AppFault),
    /// The tenants could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The tenant could not be added.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// The application could not be written; a tenant may have been added.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

/// Adds or changes the application of a name, and adds the tenant of that name if there is none.
/// One whose receiver had stopped it goes on. Durable when it returns. Blocks on the disk.
///
/// # Errors
/// [`AppSetError`].
pub fn set(
    storage: &StorageHandle,
    app_id: &AppId,
    wish: AppWish,
    allow: &[IpNet],
) -> Result<AppSet, AppSetError> {
    let outbox = storage.outbox();
    let held = outbox.application(app_id);
    let secret_made = wish.secret.is_none() && (wish.new_secret || held.is_none());
    let settings = wish.check(held.as_deref(), allow)?;
    let (tenant, tenant_added) = tenant_of(storage, app_id)?;
    let application = outbox.put_application(tenant, app_id, settings)?;
    Ok(AppSet {
        application,
        added: held.is_none(),
        tenant_added,
        secret_made,
    })
}

/// The tenant of an application's name, and whether it had to be added.
fn tenant_of(storage: &StorageHandle, app_id: &AppId) -> Result<(TenantId, bool), AppSetError> {
    let find = || -> Result<Option<TenantId>, ReadError> {
        let tenants = storage.tenants()?;
        let named = |tenant: &&storage::record::Tenant| tenant.name.as_str() == app_id.as_str();
        Ok(tenants.iter().find(named).map(|tenant| tenant.id))
    };
    if let Some(tenant) = find()? {
        return Ok((tenant, false));
    }
    // Both names have the same form.
    let Ok(name) = TenantName::new(app_id.as_str()) else {
        return Err(OutboxError::NoApplication.into());
    };
    match storage.add_tenant(name) {
        Ok(tenant) => Ok((tenant.id, true)),
        // Somebody else has added it meanwhile.
        Err(TenantError::Exists(name)) => match find()? {
            Some(tenant) => Ok((tenant, false)),
            None => Err(TenantError::Exists(name).into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// Whether a text can be the key of an application, or of the administrator.
#[must_use]
pub fn is_key(key: &str) -> bool {
    (APP_KEY_MIN..=APP_KEY_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
}

/// Names of events, each once.
fn filter(names: Vec<String>) -> Result<Vec<String>, AppFault> {
    let unknown = |name: &String| !Event::NAMES.contains(&name.as_str());
    if let Some(place) = names.iter().position(unknown) {
        return Err(AppFault::Event(place));
    }
    let names: BTreeSet<String> = names.into_iter().collect();
    Ok(names.into_iter().collect())
}

fn new_secret() -> Result<WebhookSecret, AppFault> {
    let mut bytes = vec![0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(AppFault::Random)?;
    // Of a length that a secret may have, as is asserted below.
    WebhookSecret::new(bytes).map_err(|_| AppFault::Random(getrandom::Error::UNEXPECTED))
}

const SECRET_BYTES: usize = 32;
const _: () = assert!(WEBHOOK_SECRET_BYTES.0 <= SECRET_BYTES);
const _: () = assert!(SECRET_BYTES <= WEBHOOK_SECRET_BYTES.1);
const _: () = assert!(APP_KEY_MIN <= APP_KEY_MAX);
const _: () = assert!(1 <= RATE_LIMIT_DEFAULT && RATE_LIMIT_DEFAULT <= RATE_LIMIT_MAX);
const _: () = assert!(Event::NAMES.len() <= storage::limits::OUTBOX_FILTER_MAX);

#[cfg(test)]
mod tests;
