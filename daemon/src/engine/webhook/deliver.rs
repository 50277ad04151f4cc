//! One attempt to deliver one event, and what its outcome does to the event.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, header};
use storage::error::WriteError;
use storage::outbox::{Application, DeadCause, Event, EventPlace, OutboxError};

use super::pace::retry_after;
use super::{Shared, event, sign};
use crate::engine::fetch::FetchError;
use crate::engine::fetch::post::Posted;
use crate::engine::limits;

/// What an attempt tells about its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It takes events.
    Well,
    /// It does not right now.
    Unwell,
    /// It wants none for so long.
    Pause(Duration),
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the receiver answered {0}")]
    Status(StatusCode),
    #[error(
        "webhook_url leads to {0}, which nothing may be delivered to unless [webhooks] allow \
        lists it"
    )]
    Refused(std::net::IpAddr),
    #[error(transparent)]
    Transport(FetchError),
}

/// Tries to deliver an event; returns when what came of it is durable.
pub(super) async fn deliver(
    shared: Arc<Shared>,
    app: Arc<Application>,
    place: EventPlace,
    event: Event,
) -> Verdict {
    shared.figures.under_way.fetch_add(1, Ordering::Relaxed);
    let _under_way = UnderWay(&shared);
    let body = event::body(&event.event, event.session, event.sequence, &event.data);
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            log::error!(
                app = app.app_id.as_str(), call = event.session.to_string().as_str(),
                event = event.id.to_string().as_str();
                "webhook event {} of {}: {error}", event.id, app.app_id
            );
            bury(&shared, place, &error.to_string(), DeadCause::Undeliverable).await;
            return Verdict::Well;
        }
    };
    match attempt(&shared, &app, &event, body).await {
        Ok(posted) if posted.status.is_success() => {
            shared.figures.delivered.fetch_add(1, Ordering::Relaxed);
            settled(|| shared.outbox.delivered(place)).await;
            Verdict::Well
        }
        Ok(posted) => {
            let asked = retry_after(&posted.headers, shared.clock.wall());
            if posted.status == StatusCode::GONE {
                stop(&shared, &app).await;
            }
            let failure = Failure::Status(posted.status);
            failed(&shared, &app, place, &event, &failure, asked).await;
            match asked {
                Some(pause) if is_busy(posted.status) => Verdict::Pause(pause),
                _ => Verdict::Unwell,
            }
        }
        Err(error) => {
            let failure = match error {
                FetchError::Refused(address) => Failure::Refused(address),
                other => Failure::Transport(other),
            };
            failed(&shared, &app, place, &event, &failure, None).await;
            Verdict::Unwell
        }
    }
}

/// `Retry-After` with these speaks for the receiver, not for the one event.
fn is_busy(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    )
}

async fn attempt(
    shared: &Shared,
    app: &Application,
    event: &Event,
    body: Bytes,
) -> Result<Posted, FetchError> {
    // One whose URL was taken away meanwhile is not asked for again.
    let url = app.webhook_url.as_deref().ok_or(FetchError::Url)?;
    let headers = headers(shared, app, event, &body)?;
    let allow = shared.allow.load_full();
    let within = shared.pace.attempt;
    shared.poster.post(url, &allow, headers, body, within).await
}

fn headers(
    shared: &Shared,
    app: &Application,
    event: &Event,
    body: &[u8],
) -> Result<HeaderMap, FetchError> {
    let id = event.id.to_string();
    let timestamp = shared.clock.wall().0 / 1_000;
    let signature = sign::signature(&app.secret, &id, timestamp, body);
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| FetchError::Url);
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(HeaderName::from_static("webhook-id"), value(&id)?);
    let name = HeaderName::from_static("webhook-timestamp");
    headers.insert(name, HeaderValue::from(timestamp));
    let name = HeaderName::from_static("webhook-signature");
    headers.insert(name, value(&signature)?);
    Ok(headers)
}

/// The event waits for its next attempt, or is given up when that would be too late.
async fn failed(
    shared: &Shared,
    app: &Application,
    place: EventPlace,
    event: &Event,
    failure: &Failure,
    asked: Option<Duration>,
) {
    shared.figures.failed.fetch_add(1, Ordering::Relaxed);
    let error = told(failure);
    log::debug!("webhook event {} of {}: {error}", event.id, app.app_id);
    let failures = event.attempts.saturating_add(1);
    let delay = shared.pace.delay(failures, random());
    let next_at = shared
        .outbox
        .now()
        .plus(delay.max(asked.unwrap_or_default()));
    if next_at > event.since.plus(shared.pace.age) {
        log::warn!(
            app = app.app_id.as_str(), call = event.session.to_string().as_str(),
            event = event.id.to_string().as_str();
            "webhook event {} of {} is given up: {error}",
            event.id,
            app.app_id
        );
        bury(shared, place, &error, DeadCause::Age).await;
    } else {
        settled(|| shared.outbox.failed(place, &error, next_at)).await;
    }
}

async fn bury(shared: &Shared, place: EventPlace, error: &str, cause: DeadCause) {
    shared.figures.dead.fetch_add(1, Ordering::Relaxed);
    settled(|| shared.outbox.dead(place, error, cause)).await;
}

/// The receiver is gone for good: nothing more is sent until somebody sets the application anew.
async fn stop(shared: &Arc<Shared>, app: &Arc<Application>) {
    let (key, revision) = (app.key, app.revision);
    let outbox = shared.outbox.clone();
    let stopping = crate::spool::off_loop(move || {
        outbox
            .stop_application(key, revision)
            .map_err(std::io::Error::other)
    });
    match stopping.await {
        Ok(false) => {}
        Ok(true) => log::warn!(
            app = app.app_id.as_str();
            "{}: its receiver answered 410, deliveries stop until it is set again",
            app.app_id
        ),
        Err(error) => log::error!(
            app = app.app_id.as_str(); "{}: cannot be stopped: {error}", app.app_id
        ),
    }
}

/// Tells the outbox until it is durable: an event whose outcome the disk does not take would be
/// sent again and again.
async fn settled<F>(mut tell: impl FnMut() -> F)
where
    F: Future<Output = Result<(), OutboxError>>,
{
    loop {
        match tell().await {
            Ok(()) | Err(OutboxError::Write(WriteError::Closing)) => return,
            Err(error) => log::warn!("the outcome of a webhook is not on disk: {error}"),
        }
        tokio::time::sleep(limits::WEBHOOK_DISK_RETRY).await;
    }
}

/// A failure with its causes.
fn told(failure: &Failure) -> String {
    let mut text = failure.to_string();
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    // Without random numbers retries are only less spread.
    let _ = getrandom::fill(&mut bytes);
    u32::from_ne_bytes(bytes)
}

struct UnderWay<'a>(&'a Shared);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.figures.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
