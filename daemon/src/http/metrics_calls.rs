//! `/metrics` of calls under control and of their webhooks.

use storage::handle::StorageHandle;
use storage::outbox::{OutboxCounts, OutboxError};

use super::metrics_text::Text;
use crate::engine::calls::CallFigures;
use crate::engine::webhook::WebhookFigures;

/// What there is to tell.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CallMetrics {
    /// Of sessions.
    pub(super) calls: CallFigures,
    /// Of deliveries.
    pub(super) webhooks: WebhookFigures,
    /// Of events on disk, over all applications.
    pub(super) outbox: OutboxCounts,
    /// Event streams that are open.
    pub(super) streams: usize,
}

/// The counts of all applications together. Reads the index.
///
/// # Errors
/// [`OutboxError`].
pub(super) fn outbox_counts(storage: &StorageHandle) -> Result<OutboxCounts, OutboxError> {
    let outbox = storage.outbox();
    let mut all = OutboxCounts::default();
    for app in outbox.applications(None) {
        let of = outbox.counts(app.key)?;
        all.waiting += of.waiting;
        all.dead += of.dead;
        all.delivered += of.delivered;
        all.overflowed += of.overflowed;
        all.given_up += of.given_up;
        all.forgotten += of.forgotten;
    }
    Ok(all)
}

#[rustfmt::skip]
pub(super) fn render(text: &mut Text, metrics: &CallMetrics) {
    let CallMetrics { calls, webhooks, outbox, streams } = metrics;
    for (name, help, value) in [
        ("callreel_sessions", "Sessions that are not over.", calls.active),
        ("callreel_event_streams", "Event streams that are open.", *streams as u64),
        ("callreel_webhooks_under_way", "Deliveries being tried now.", webhooks.under_way),
        ("callreel_webhooks_waiting", "Events that wait to be delivered.", outbox.waiting),
        ("callreel_webhooks_dead_letters", "Events that are not tried any more.", outbox.dead),
    ] {
        text.one(name, "gauge", help, value);
    }
    for (name, help, value) in [
        ("callreel_sessions_started_total", "Sessions begun.", calls.started),
        ("callreel_session_commands_total", "Commands taken on.", calls.commands),
        ("callreel_session_events_total", "Events told.", calls.events),
        ("callreel_session_digits_total", "Digits heard during sessions.", calls.digits),
        ("callreel_playbacks_total", "Playbacks begun.", calls.playbacks),
        ("callreel_playback_underruns_total", "Times a decoder did not keep up with a line.",
            calls.underruns),
        ("callreel_playback_files_not_found_total", "Files to play that could not be had.",
            calls.files_not_found),
        ("callreel_event_watchers_behind_total", "Readers of events that missed some.",
            calls.watchers_behind),
        ("callreel_webhooks_delivered_total", "Events that a receiver took.", webhooks.delivered),
        ("callreel_webhooks_failed_total", "Attempts to deliver that failed.", webhooks.failed),
        ("callreel_webhooks_dead_total", "Events that became dead letters.", webhooks.dead),
    ] {
        text.one(name, "counter", help, value);
    }
}
