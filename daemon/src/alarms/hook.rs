//! Posts alarms, oldest first, on a thread of its own. What cannot be posted is tried again, later
//! and later, for a day; it is kept in memory only, because an alarm may be about the disk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use audio_io::clock::Clock;
use bytes::Bytes;
use storage::outbox::WebhookSecret;
use tokio::sync::mpsc::Receiver;

use super::{Alarm, QUEUE_MAX};
use crate::config::schema::Config;
use crate::engine::webhook::alarm::{AlarmPoster, Letter};
use crate::engine::webhook::sign::parse_secret;
use crate::logging::rfc3339;

/// The first and the longest wait before an alarm is posted again.
const AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(600));

/// How long an alarm is tried.
const GIVE_UP: Duration = Duration::from_secs(24 * 3_600);

/// Why an alarm cannot be signed.
#[derive(Debug, thiserror::Error)]
enum SecretFileError {
    #[error("alarms.webhook_secret_file is not set")]
    None,
    #[error("'{path}': {source}")]
    Read {
        path: String,
        source: std::io::Error,
    },
    #[error("'{0}' holds no secret: it must be 'whsec_' and the base64 of 24 to 64 bytes")]
    Form(String),
}

pub(super) async fn run(
    mut alarms: Receiver<Alarm>,
    config: Arc<ArcSwap<Config>>,
    clock: Arc<dyn Clock>,
    host: String,
) {
    let poster = AlarmPoster::system();
    let mut waiting: VecDeque<(Alarm, Duration)> = VecDeque::new();
    let mut pause = AGAIN.0;
    let mut is_told = false;
    loop {
        if waiting.is_empty() {
            match alarms.recv().await {
                None => return,
                Some(alarm) => waiting.push_back((alarm, clock.monotonic())),
            }
        }
        let Some((alarm, since)) = waiting.front() else {
            continue;
        };
        let settings = config.load_full();
        let Some(url) = settings.alarms.webhook.as_deref() else {
            waiting.clear();
            continue;
        };
        let posted = post(&poster, url, alarm, &settings, &*clock, &host).await;
        match posted {
            Ok(()) => {
                waiting.pop_front();
                pause = AGAIN.0;
                is_told = false;
                continue;
            }
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    log::error!("alarms cannot be posted to {url}; they are tried again: {error}");
                }
                if clock.monotonic().saturating_sub(*since) >= GIVE_UP {
                    log::error!("the alarm '{}' was not taken for a day", alarm.text);
                    waiting.pop_front();
                }
            }
        }
        // Those that come meanwhile wait behind; the oldest go when they are too many.
        let rest = tokio::time::sleep(pause);
        tokio::pin!(rest);
        loop {
            tokio::select! {
                () = &mut rest => break,
                more = alarms.recv() => match more {
                    None => return,
                    Some(alarm) => {
                        waiting.push_back((alarm, clock.monotonic()));
                        if waiting.len() > QUEUE_MAX {
                            waiting.pop_front();
                        }
                    }
                },
            }
        }
        pause = (pause * 2).min(AGAIN.1);
    }
}

async fn post(
    poster: &AlarmPoster,
    url: &str,
    alarm: &Alarm,
    settings: &Config,
    clock: &dyn Clock,
    host: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let secret = secret(settings)?;
    let body = serde_json::json!({
        "event": "appliance.alarm",
        "timestamp": rfc3339(alarm.at),
        "data": {
            "alarm": alarm.kind.name(),
            "state": alarm.state.name(),
            "text": alarm.text,
            "machine": host,
        },
    });
    let letter = Letter {
        url,
        allow: &settings.webhooks.allow,
        secret: &secret,
        id: &alarm.id.to_string(),
        timestamp: clock.wall().0 / 1_000,
        body: Bytes::from(body.to_string()),
    };
    Ok(poster.post(letter).await?)
}

/// Read anew each time: whoever changes the file need not tell.
fn secret(settings: &Config) -> Result<WebhookSecret, SecretFileError> {
    let path = settings.alarms.webhook_secret_file.as_deref();
    let path = path.ok_or(SecretFileError::None)?;
    let shown = || path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| SecretFileError::Read {
        path: shown(),
        source,
    })?;
    parse_secret(text.trim()).map_err(|_| SecretFileError::Form(shown()))
}
