//! `status` and `reload`.

use super::Context;
use super::error::CliError;
use super::output::{length, printable, size};
use crate::control::wire::{Reloaded, Status, WebhookTotals};

pub(super) async fn status(context: &Context) -> Result<(), CliError> {
    let status: Status = context.client.get("/status").await?;
    context.output.show(&status, describe)
}

fn describe(status: &Status) -> String {
    let health = match (status.progressing, status.degraded) {
        (true, false) => "running",
        (_, true) => "running, but the disk refuses writes: see the journal",
        (false, false) => "stuck: no progress is made; see the journal",
    };
    let listen = if status.listen.is_empty() {
        "nowhere".into()
    } else {
        status.listen.join(", ")
    };
    let rows = [
        (
            "daemon",
            format!(
                "{health} (version {}, process {})",
                status.version, status.pid
            ),
        ),
        (
            "since",
            format!("{}, {}", status.started_at, length(status.uptime_s * 1_000)),
        ),
        ("serves", listen),
        (
            "lines",
            format!(
                "{} running, {} lost, {} with an alarm, of {}",
                status.lines.running, status.lines.lost, status.lines.alarms, status.lines.total
            ),
        ),
        (
            "calls",
            format!(
                "{} being recorded, {} under control ({} since the start, {} events told)",
                status.calls,
                status.sessions.active,
                status.sessions.started,
                status.sessions.events
            ),
        ),
        ("webhooks", webhooks(&status.webhooks)),
        (
            "recordings",
            format!(
                "{} started, {} stored, {} too short, {} failed, {} gaps (since the start)",
                status.totals.started,
                status.totals.stored,
                status.totals.absent,
                status.totals.failed,
                status.totals.gaps
            ),
        ),
        (
            "storage",
            format!(
                "{} ({}), {} free, index {}",
                printable(&status.data_dir),
                status.io_backend,
                size(status.free_bytes),
                size(status.index_bytes)
            ),
        ),
    ];
    rows.iter()
        .map(|(name, value)| format!("{name:<11} {value}\n"))
        .collect()
}

fn webhooks(totals: &WebhookTotals) -> String {
    if totals.applications == 0 {
        return "no applications".to_owned();
    }
    let stopped = match totals.stopped {
        0 => String::new(),
        some => format!(" ({some} stopped by their receiver)"),
    };
    format!(
        "{} waiting, {} dead; {} delivered and {} attempts failed since the start; {} \
         applications{stopped}",
        totals.waiting, totals.dead, totals.delivered, totals.failed, totals.applications
    )
}

pub(super) async fn reload(context: &Context) -> Result<(), CliError> {
    let nothing = serde_json::json!({});
    let reloaded: Reloaded = context.client.post("/reload", &nothing).await?;
    context.output.show(&reloaded, |reloaded| {
        let mut text = String::new();
        if !reloaded.applied.is_empty() {
            text.push_str(&format!("in force now: {}\n", reloaded.applied.join(", ")));
        }
        if !reloaded.needs_restart.is_empty() {
            let sections = reloaded.needs_restart.join(", ");
            text.push_str(&format!(
                "needs 'systemctl restart callreeld': {sections}\n"
            ));
        }
        if text.is_empty() {
            text.push_str("nothing has changed; certificates were read again\n");
        }
        text
    })
}
