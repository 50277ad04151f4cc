//! The body of `POST /api/v1/sessions`, and of `POST /admin/apps/{app_id}`.

use ipnet::IpNet;
use storage::ids::{LineName, NameError, Number};
use storage::limits::{OUTBOX_FILTER_MAX, WEBHOOK_URL_MAX};
use storage::outbox::AppSettings;

use super::fault::BodyFault;
use super::fields::Fields;
use crate::engine::calls::NewCall;
use crate::engine::webhook::{self, sign};
use crate::http::limits;

/// Every event that there is, as applications choose among them.
pub const EVENTS: [&str; 14] = [
    "call.new",
    "call.answered",
    "call.hangup",
    "playback.started",
    "playback.stopped",
    "playback.file_not_found",
    "digits.collected",
    "dtmf",
    "recording.started",
    "recording.paused",
    "recording.completed",
    "recording.absent",
    "recording.failed",
    "command.result",
];

/// Reads which call is to be opened.
///
/// # Errors
/// [`BodyFault`]: 400.
pub fn call(body: &[u8]) -> Result<NewCall, BodyFault> {
    let fields = Fields::read(body)?;
    let line = fields.text("line")?.ok_or(BodyFault::Missing("line"))?;
    let name = |error: NameError, field| BodyFault::Name { field, error };
    let line = LineName::new(line).map_err(|error| name(error, "line"))?;
    let number = |field| match fields.text(field)? {
        None => Ok(None),
        Some(text) => match Number::new(text) {
            Ok(number) => Ok(Some(number.as_str().to_owned())),
            Err(error) => Err(name(error, field)),
        },
    };
    Ok(NewCall {
        line,
        caller_id: number("caller_id")?,
        did: number("did")?,
    })
}

/// Reads what an application is to be set to. `allow` lists the networks that its receiver may be
/// in although they are private.
///
/// # Errors
/// [`BodyFault`]: 400.
pub fn settings(body: &[u8], allow: &[IpNet]) -> Result<AppSettings, BodyFault> {
    let fields = Fields::read(body)?;
    let webhook_url = fields.text("webhook_url")?;
    if let Some(url) = webhook_url {
        if url.len() > WEBHOOK_URL_MAX {
            return Err(BodyFault::LongUrl);
        }
        webhook::check_url(url, allow).map_err(|error| BodyFault::WebhookUrl(error.to_string()))?;
    }
    let api_key = fields.text("api_key")?;
    if api_key.is_some_and(|key| !is_key(key)) {
        return Err(BodyFault::ApiKey);
    }
    let rate_limit = fields.number("rate_limit", 1, limits::APP_RATE)?;
    let events = fields.texts("events")?.unwrap_or_default();
    if events.len() > OUTBOX_FILTER_MAX {
        return Err(BodyFault::ManyEvents);
    }
    let is_unknown = |name: &&str| !EVENTS.contains(name);
    if let Some(index) = events.iter().position(is_unknown) {
        let name = events.get(index).copied().unwrap_or_default();
        let name = name.chars().take(NAME_SHOWN).collect();
        return Err(BodyFault::Event { index, name });
    }
    let secret = match fields.text("webhook_secret")? {
        Some(text) => Some(sign::parse_secret(text).map_err(|_| BodyFault::Secret)?),
        None => None,
    };
    Ok(AppSettings {
        webhook_url: webhook_url.map(str::to_owned),
        api_key: api_key.map(str::to_owned),
        rate_limit: rate_limit.unwrap_or(limits::APP_RATE_DEFAULT),
        events: events.into_iter().map(str::to_owned).collect(),
        secret,
    })
}

/// Whether a text can be the key of an application or of the administrator.
#[must_use]
pub fn is_key(text: &str) -> bool {
    let (least, most) = limits::APP_KEY_CHARS;
    (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Characters of an unknown event's name that are repeated.
const NAME_SHOWN: usize = 64;
