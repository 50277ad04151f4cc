//! Applications and their webhooks: what waits, what could not be delivered, and delivering that
//! again. Secrets are shown once, by the answer that makes them; the journal is told names.

use std::collections::HashSet;
use std::sync::Arc;

use storage::ids::{AppId, TenantName};
use storage::ledger::entry::Kind;
use storage::limits::OUTBOX_STEP;
use storage::outbox::{
    AppKey, Application, DeadCause, DeadLetter, EventPlace, Outbox, OutboxCounts, OutboxError,
};
use storage::record::Tenant;
use uuid::Uuid;

use super::answer::{Answer, Refusal, ok};
use super::limits::{PAGE_DEFAULT, PAGE_MAX, REPLAY_IDS_MAX};
use super::route::Query;
use super::serve::{Desk, blocking};
use super::wire::{self, ErrorCode, Items};
use super::{convert, keys, tenants};
use crate::engine::webhook::application::{self, AppFault, AppSetError, AppWish};
use crate::engine::webhook::event;
use crate::engine::webhook::sign::secret_text;
use crate::logging::rfc3339;

pub(super) async fn apps(desk: &Desk, query: Option<&str>) -> Result<Answer, Refusal> {
    let query = Query::parse(query, &["tenant"])?;
    let tenant = query.get("tenant", |text| TenantName::new(text))?;
    let storage = desk.app.storage.clone();
    let items = blocking(move || {
        let (tenants, outbox) = (storage.tenants()?, storage.outbox());
        let apps = applications(&outbox, &tenants, tenant.as_ref())?;
        let items = apps
            .iter()
            .map(|app| Ok(row(app, counts(&outbox, app)?, &tenants)));
        items.collect::<Result<Vec<_>, Refusal>>()
    });
    ok(&Items {
        items: items.await?,
    })
}

pub(super) async fn app(desk: &Desk, app_id: AppId) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let app = blocking(move || {
        let outbox = storage.outbox();
        let app = outbox.application(&app_id).ok_or_else(|| no_app(&app_id))?;
        Ok::<_, Refusal>(row(&app, counts(&outbox, &app)?, &storage.tenants()?))
    });
    ok(&app.await?)
}

pub(super) async fn set(desk: &Desk, app_id: AppId, wish: wire::SetApp) -> Result<Answer, Refusal> {
    let wish = AppWish {
        webhook_url: wish.webhook_url,
        api_key: wish.api_key,
        rate_limit: wish.rate_limit,
        events: wish.events,
        secret: None,
        new_secret: wish.new_secret,
    };
    let allow = desk.app.config.load().webhooks.allow.clone();
    let storage = desk.app.storage.clone();
    let base_url = keys::base_url(desk);
    let answer = blocking(move || {
        let set = application::set(&storage, &app_id, wish, &allow)?;
        let counts = counts(&storage.outbox(), &set.application)?;
        Ok::<_, Refusal>(wire::AppWasSet {
            application: row(&set.application, counts, &storage.tenants()?),
            added: set.added,
            tenant_added: set.tenant_added,
            secret: set
                .secret_made
                .then(|| secret_text(&set.application.secret)),
            base_url,
        })
    })
    .await?;
    log::info!(
        app = answer.application.app_id.as_str(), added = answer.added,
        tenant_added = answer.tenant_added, new_secret = answer.secret.is_some();
        "application set by command"
    );
    desk.did(
        Kind::ConfigChanged,
        "application",
        &answer.application.app_id,
    );
    ok(&answer)
}

pub(super) async fn dead(desk: &Desk, query: Option<&str>) -> Result<Answer, Refusal> {
    let query = Query::parse(query, &["tenant", "limit"])?;
    let tenant = query.get("tenant", |text| TenantName::new(text))?;
    let limit = query.get("limit", str::parse::<usize>)?;
    let limit = limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let storage = desk.app.storage.clone();
    let letters = blocking(move || {
        let outbox = storage.outbox();
        let mut letters = wire::DeadLetters {
            items: Vec::new(),
            total: 0,
        };
        for app in applications(&outbox, &storage.tenants()?, tenant.as_ref())? {
            letters.total += counts(&outbox, &app)?.dead;
            let left = limit - letters.items.len();
            if left > 0 {
                let page = outbox.dead_letters(app.key, None, left)?;
                let page = page.iter().map(|(_, dead)| letter(&app, dead));
                letters.items.extend(page);
            }
        }
        Ok::<_, Refusal>(letters)
    });
    ok(&letters.await?)
}

pub(super) async fn dead_letter(desk: &Desk, id: Uuid) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let found = blocking(move || {
        let outbox = storage.outbox();
        for app in outbox.applications(None) {
            let mut found = None;
            each_dead(&outbox, app.key, |dead| {
                if dead.event.id == id {
                    found = Some(dead);
                }
                found.is_none()
            })?;
            if let Some(dead) = found {
                return with_body(&app, &dead);
            }
        }
        let message = format!(
            "no dead letter has the id {id}; 'callreel webhooks list --dead' shows those there are"
        );
        Err(Refusal::new(ErrorCode::NotFound, message))
    });
    ok(&found.await?)
}

fn with_body(app: &Application, dead: &DeadLetter) -> Result<wire::DeadLetter, Refusal> {
    let told = &dead.event;
    let body = event::body(&told.event, told.session, told.sequence, &told.data);
    let body = body.map_err(|error| Refusal::internal(&error))?;
    let body = serde_json::from_slice(&body).map_err(|error| Refusal::internal(&error))?;
    Ok(wire::DeadLetter {
        body: Some(body),
        ..letter(app, dead)
    })
}

pub(super) async fn replay(desk: &Desk, wish: wire::Replay) -> Result<Answer, Refusal> {
    let ids = wish.ids.as_ref().map_or(0, Vec::len);
    if ids > REPLAY_IDS_MAX {
        let message = format!("ids: at most {REPLAY_IDS_MAX} at once, not {ids}");
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    let storage = desk.app.storage.clone();
    let done = blocking(move || {
        let tenants = storage.tenants()?;
        let tenant = tenants::by_name(&tenants, &wish.tenant)?;
        let outbox = storage.outbox();
        let apps = outbox.applications(Some(tenant.id));
        if apps.is_empty() {
            return Err(no_app(&wish.tenant));
        }
        let mut done = wire::Replayed {
            tenant: wish.tenant.to_string(),
            found: 0,
            replayed: 0,
            unknown: Vec::new(),
        };
        let mut left: Option<HashSet<Uuid>> = wish.ids.map(|ids| ids.into_iter().collect());
        for app in apps {
            let found = chosen(&outbox, app.key, left.as_mut())?;
            done.found += found.len() as u64;
            if !wish.dry_run {
                done.replayed += replay_all(&outbox, app.key, &found)?;
            }
        }
        done.unknown = left.into_iter().flatten().collect();
        done.unknown.sort();
        Ok(done)
    })
    .await?;
    log::info!(
        tenant = done.tenant.as_str(), found = done.found, replayed = done.replayed;
        "dead letters replayed by command"
    );
    ok(&done)
}

/// The ids of an application's dead letters that are among those wanted, which are taken out of
/// them; all where none are named.
fn chosen(
    outbox: &Outbox,
    app: AppKey,
    mut wanted: Option<&mut HashSet<Uuid>>,
) -> Result<Vec<Uuid>, OutboxError> {
    let mut chosen = Vec::new();
    each_dead(outbox, app, |dead| {
        let is_wanted = |wanted: &mut &mut HashSet<Uuid>| wanted.remove(&dead.event.id);
        if wanted.as_mut().is_none_or(is_wanted) {
            chosen.push(dead.event.id);
        }
        wanted.as_ref().is_none_or(|wanted| !wanted.is_empty())
    })?;
    Ok(chosen)
}

/// Replays a step at a time, until all wait again or no more may wait.
fn replay_all(outbox: &Outbox, app: AppKey, ids: &[Uuid]) -> Result<u64, OutboxError> {
    let mut replayed = 0;
    for step in ids.chunks(OUTBOX_STEP) {
        let moved = outbox.replay(app, step)?;
        if moved == 0 {
            break;
        }
        replayed += moved;
    }
    Ok(replayed)
}

/// Looks at an application's dead letters, oldest first, while the closure says so.
fn each_dead(
    outbox: &Outbox,
    app: AppKey,
    mut look: impl FnMut(DeadLetter) -> bool,
) -> Result<(), OutboxError> {
    let mut after: Option<EventPlace> = None;
    loop {
        let page = outbox.dead_letters(app, after, storage::limits::PAGE_MAX)?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after = Some(*last);
        for (_, dead) in page {
            if !look(dead) {
                return Ok(());
            }
        }
    }
}

/// Figures of all webhooks. Reads the index.
pub(super) fn totals(outbox: &Outbox) -> Result<wire::WebhookTotals, OutboxError> {
    let mut totals = wire::WebhookTotals::default();
    for app in outbox.applications(None) {
        let counts = outbox.counts(app.key)?;
        totals.applications += 1;
        totals.stopped += usize::from(app.stopped_at.is_some());
        totals.waiting += counts.waiting;
        totals.dead += counts.dead;
    }
    Ok(totals)
}

fn applications(
    outbox: &Outbox,
    tenants: &[Tenant],
    name: Option<&TenantName>,
) -> Result<Vec<Arc<Application>>, Refusal> {
    let tenant = match name {
        Some(name) => Some(tenants::by_name(tenants, name)?.id),
        None => None,
    };
    Ok(outbox.applications(tenant))
}

fn counts(outbox: &Outbox, app: &Application) -> Result<OutboxCounts, Refusal> {
    Ok(outbox.counts(app.key)?)
}

fn no_app(name: &impl std::fmt::Display) -> Refusal {
    let message = format!(
        "there is no application '{name}'; add it with 'callreel app set {name} --generate-key'"
    );
    Refusal::new(ErrorCode::NotFound, message)
}

fn row(app: &Application, counts: OutboxCounts, tenants: &[Tenant]) -> wire::Application {
    wire::Application {
        app_id: app.app_id.to_string(),
        tenant: convert::tenant_name(app.key.tenant, tenants),
        webhook_url: app.webhook_url.clone(),
        rate_limit: app.rate_limit,
        events: app.events.clone(),
        created_at: rfc3339(app.created_at),
        stopped_at: app.stopped_at.map(rfc3339),
        webhooks: wire::WebhookCounts {
            waiting: counts.waiting,
            dead: counts.dead,
            delivered: counts.delivered,
            overflowed: counts.overflowed,
            given_up: counts.given_up,
            forgotten: counts.forgotten,
        },
    }
}

fn letter(app: &Application, dead: &DeadLetter) -> wire::DeadLetter {
    let event = &dead.event;
    wire::DeadLetter {
        id: event.id,
        app_id: app.app_id.to_string(),
        session_uuid: event.session,
        event: event.event.clone(),
        sequence: event.sequence,
        attempts: event.attempts,
        last_error: event.last_error.clone(),
        cause: match dead.cause {
            DeadCause::Age => "age",
            DeadCause::Overflow => "overflow",
            DeadCause::Undeliverable => "undeliverable",
        }
        .into(),
        created_at: rfc3339(event.created_at),
        died_at: rfc3339(dead.died_at),
        body: None,
    }
}

impl From<OutboxError> for Refusal {
    fn from(error: OutboxError) -> Self {
        let code = match error {
            OutboxError::NoTenant(_) | OutboxError::NoApplication => ErrorCode::NotFound,
            OutboxError::Taken(_) | OutboxError::Full(_) => ErrorCode::Conflict,
            OutboxError::ApiKey | OutboxError::Secret | OutboxError::TooLong { .. } => {
                ErrorCode::BadRequest
            }
            OutboxError::Busy => ErrorCode::Unavailable,
            other => return Self::internal(&other),
        };
        Self::new(code, error.to_string())
    }
}

impl From<AppSetError> for Refusal {
    fn from(error: AppSetError) -> Self {
        match error {
            AppSetError::Wish(fault) if fault.field().is_none() => Self::internal(&fault),
            AppSetError::Wish(AppFault::KeyMissing) => {
                let message = "a new application needs a key: 'callreel app set' takes one with \
                               --generate-key or --api-key-stdin";
                Self::new(ErrorCode::BadRequest, message)
            }
            AppSetError::Wish(fault) => {
                let message = format!("{fault}; {}", fault.detail());
                Self::new(ErrorCode::BadRequest, message)
            }
            AppSetError::Read(error) => error.into(),
            AppSetError::Tenant(error) => error.into(),
            AppSetError::Outbox(error) => error.into(),
        }
    }
}
