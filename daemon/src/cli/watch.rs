//! `calls watch`: the events of sessions as they happen.

use serde_json::Value;
use storage::ids::TenantName;
use uuid::Uuid;

use super::Context;
use super::calls::{short, shortened};
use super::client::query;
use super::error::CliError;
use super::output::{complain, printable, write_on};
use crate::control::wire::{CallTold, CallsLine};

/// Shows events until Ctrl-C, until nobody reads them, or until the daemon goes.
///
/// # Errors
/// [`CliError::DaemonWent`] when the daemon goes.
pub(super) async fn run(
    context: &Context,
    tenant: Option<TenantName>,
    session: Option<Uuid>,
) -> Result<(), CliError> {
    let query = query(&[
        ("tenant", tenant.map(String::from)),
        ("session", session.map(|uuid| uuid.to_string())),
    ]);
    let path = format!("/calls/events{query}");
    let mut lines = context.client.lines(&path).await?;
    context
        .output
        .remark("waiting for events of calls; Ctrl-C ends this");
    let mut interrupted = std::pin::pin!(interrupted());
    loop {
        let line = tokio::select! {
            line = lines.next() => line,
            () = &mut interrupted => return Ok(()),
        };
        let line = match line {
            Ok(Some(line)) => line,
            Ok(None) | Err(CliError::Broken(_)) => return Err(CliError::DaemonWent),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice(&line).map_err(CliError::NotUnderstood)? {
            CallsLine::Told(told) => {
                let text = if context.output.is_json() {
                    format!("{}\n", told.body)
                } else {
                    describe(&told)
                };
                if !write_on(&text)? {
                    return Ok(());
                }
            }
            CallsLine::Missed(count) => complain(&format!(
                "callreel: {count} events were missed here, of any session: this was too slow"
            )),
            CallsLine::Stopping => return Err(CliError::DaemonWent),
        }
    }
}

/// Waits for Ctrl-C; for ever where it cannot be waited for, and then it ends the program.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// An event in a line: when, which session, which event, and what tells it from others.
fn describe(told: &CallTold) -> String {
    let text = |field: &str| told.body[field].as_str().unwrap_or("-");
    let session = text("session_uuid").parse().map_or("-".to_owned(), short);
    let mut line = format!("{} {session} {:<23}", told.at, printable(text("event")));
    let data = told.body["data"].as_object();
    for (name, value) in data.into_iter().flatten() {
        let shown = match value {
            _ if LEFT_OUT.contains(&name.as_str()) => continue,
            Value::Null => continue,
            Value::String(text) => shown(&shortened(text)),
            Value::Array(items) => listed(items),
            other => other.to_string(),
        };
        line.push_str(&format!(" {}={shown}", printable(name)));
    }
    format!("{}\n", line.trim_end())
}

/// What says nothing that other fields do not say.
const LEFT_OUT: [&str; 2] = ["operation_id", "file_path"];

/// The first of several, and how many there are besides.
fn listed(items: &[Value]) -> String {
    let first = items.first().and_then(Value::as_str).unwrap_or("-");
    match items.len() {
        0 | 1 => shown(first),
        many => format!("{} (+{})", shown(first), many - 1),
    }
}

/// A text that has its end where one sees it.
fn shown(text: &str) -> String {
    let text = printable(text);
    if text.is_empty() || text.contains([' ', '"', '=']) && !text.contains("://") {
        format!("{text:?}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let told = |event: &str, data: Value| {
            describe(&CallTold {
                at: "2026-11-21T06:14:09.123Z".into(),
                number: 1,
                id: Uuid::nil(),
                tenant: "acme".into(),
                body: json!({
                    "event": event, "session_uuid": "1f0c2d3e-0000-4000-8000-000000000000",
                    "sequence": 4, "data": data,
                }),
            })
        };
        assert_eq!(
            told("dtmf", json!({ "digit": "5", "duration_ms": 100 })),
            "2026-11-21T06:14:09.123Z 1f0c2d3e dtmf                    digit=5 duration_ms=100\n"
        );
        let playing = told(
            "playback.started",
            json!({
                "command_uid": "0b0f7f8e-6f0a-4c53-9d0c-3a3f1f1c2d3e",
                "urls": ["https://a/1.wav?x=1", "https://a/2.wav"], "file_path": "/x",
            }),
        );
        assert!(
            playing.ends_with(" command_uid=0b0f7f8e urls=https://a/1.wav?x=1 (+1)\n"),
            "{playing}"
        );
        let failed = json!({
            "command": "playback/stop", "command_uid": "u", "operation_id": Uuid::nil(),
            "success": false, "error": "no playback\u{1b} is active", "none": null,
        });
        let failed = told("command.result", failed);
        let end = r#"command=playback/stop command_uid=u success=false error="no playback"#;
        assert!(
            failed.contains(end) && !failed.contains('\u{1b}'),
            "{failed}"
        );
        assert!(told("call.answered", json!({})).ends_with("call.answered\n"));
    }
}
