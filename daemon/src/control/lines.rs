//! Status, lines, and starting and stopping recordings.

use super::answer::{Answer, Refusal, ok};
use super::convert;
use super::recordings::{self, Wanted};
use super::serve::{Desk, blocking};
use super::wire::{Items, LineCounts, StartRecording, Status, StopRecording};
use super::{calls, tenants, webhooks};
use crate::engine::LineSnapshot;
use crate::engine::telephony::ChannelFacts;
use crate::logging::rfc3339;

pub(super) async fn status(desk: &Desk) -> Result<Answer, Refusal> {
    let app = &desk.app;
    let storage = app.storage.clone();
    // Free space is asked of the file system, which may hang with its disk.
    let (metrics, mut webhooks) = blocking(move || {
        let webhooks = webhooks::totals(&storage.outbox())?;
        Ok::<_, Refusal>((storage.metrics(), webhooks))
    })
    .await?;
    let delivery = app.calls.webhook_figures();
    (webhooks.delivered, webhooks.failed) = (delivery.delivered, delivery.failed);
    let lines = app.engine.lines();
    let in_state = |state: &str| lines.iter().filter(|line| line.state == state).count();
    ok(&Status {
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
        started_at: rfc3339(desk.started_at),
        uptime_s: app.clock.monotonic().saturating_sub(desk.started).as_secs(),
        progressing: app.engine.is_progressing(),
        degraded: metrics.degraded,
        data_dir: app.storage.data_dir().display().to_string(),
        io_backend: metrics.io_backend.into(),
        free_bytes: metrics.free_bytes,
        index_bytes: metrics.index_bytes,
        listen: app
            .served
            .get()
            .into_iter()
            .flatten()
            .map(|(scheme, address)| format!("{scheme}://{address}"))
            .collect(),
        lines: LineCounts {
            total: lines.len(),
            running: in_state("running"),
            lost: in_state("lost"),
            alarms: lines.iter().filter(|line| has_alarm(line)).count(),
        },
        calls: app.engine.calls().len(),
        sessions: calls::counts(desk),
        webhooks,
        totals: convert::totals(app.engine.totals()),
    })
}

fn has_alarm(line: &LineSnapshot) -> bool {
    let of_channel = |channel: &ChannelFacts| !channel.alarms.is_empty();
    !line.alarms.is_empty() || line.channel.as_ref().is_some_and(of_channel)
}

pub(super) fn lines(desk: &Desk) -> Result<Answer, Refusal> {
    let lines = desk.app.engine.lines();
    ok(&Items {
        items: lines.into_iter().map(convert::line).collect(),
    })
}

pub(super) async fn start(desk: &Desk, wish: StartRecording) -> Result<Answer, Refusal> {
    let facts = desk.app.engine.start(wish.line, wish.from, wish.to).await?;
    let tenants = tenants::all(desk).await?;
    ok(&convert::live(
        &facts,
        &convert::tenant_name(facts.tenant, &tenants),
    ))
}

pub(super) async fn stop(desk: &Desk, wish: StopRecording) -> Result<Answer, Refusal> {
    let tenants = tenants::all(desk).await?;
    let live = desk
        .app
        .engine
        .calls()
        .into_iter()
        .map(|call| call.recording.id);
    let number = wish.name.parse().map(storage::ids::RecordingId).ok();
    // What is being recorded need not be in the index yet.
    let id = match live.into_iter().find(|id| Some(*id) == number) {
        Some(id) => id,
        None => {
            recordings::find(desk, Wanted::new(wish.name, None))
                .await?
                .0
                .facts
                .id
        }
    };
    let recording = desk.app.engine.stop(id).await?;
    let tenant = convert::tenant_name(recording.facts.tenant, &tenants);
    ok(&convert::recording(&recording, &tenant))
}
