//! `calls`: sessions that are on, and commands to them. Watching is `watch.rs`.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::args::{CallRecordCommand, CallsCommand, CallsListArgs, SessionName};
use super::client::query;
use super::error::CliError;
use super::output::{length, or_dash, printable, table};
use super::{Context, watch};
use crate::control::wire::{Call, CallRecording, CallSession, Calls, CommandTold, OpenCall};

pub(super) async fn run(context: &Context, command: CallsCommand) -> Result<(), CliError> {
    match command {
        CallsCommand::List(wish) => list(context, wish).await,
        CallsCommand::Show { session } => {
            let uuid = resolve(context, &session.session).await?;
            let call: CallSession = context.client.get(&format!("/calls/{uuid}")).await?;
            context.output.show(&call, describe)
        }
        CallsCommand::Watch { tenant, session } => {
            let session = match &session {
                Some(name) => Some(resolve(context, name).await?),
                None => None,
            };
            watch::run(context, tenant, session).await
        }
        CallsCommand::Open {
            line,
            caller_id,
            did,
        } => {
            let wish = OpenCall {
                line,
                caller_id,
                did,
            };
            let call: CallSession = context.client.post("/calls", &wish).await?;
            context.output.show(&call, |call| {
                format!(
                    "session {} is on, on line '{}'; 'callreel calls answer {}' answers it\n",
                    call.session_uuid,
                    call.line,
                    short(call.session_uuid)
                )
            })
        }
        command => {
            let (name, path, body) = order(command);
            let Some(name) = name else { return Ok(()) };
            let uuid = resolve(context, &name).await?;
            give(context, uuid, path, &body).await
        }
    }
}

/// The session, path and body of a command to a session.
fn order(command: CallsCommand) -> (Option<SessionName>, &'static str, Value) {
    let (session, path, body) = match command {
        CallsCommand::Answer { session } => (session, "answer", json!({})),
        CallsCommand::Hangup { session, cause } => (
            session,
            "hangup",
            given([("cause", cause.map(Value::from))]),
        ),
        CallsCommand::Play {
            session,
            urls,
            offset,
        } => {
            let offset = ("offset_sec", offset.map(Value::from));
            let body = given([("urls", Some(urls.into())), offset]);
            (session, "playback/start", body)
        }
        CallsCommand::Stop { session } => (session, "playback/stop", json!({})),
        CallsCommand::Record(CallRecordCommand::Start {
            session,
            mask_digits,
        }) => {
            let body = given([("mask_digits", mask_digits.map(Value::from))]);
            (session, "record/start", body)
        }
        CallsCommand::Record(CallRecordCommand::Stop { session }) => {
            (session, "record/stop", json!({}))
        }
        CallsCommand::Record(CallRecordCommand::Pause { session, skip }) => {
            let mode = if skip { "skip" } else { "silence" };
            (session, "record/pause", json!({ "mode": mode }))
        }
        CallsCommand::Record(CallRecordCommand::Resume { session }) => {
            (session, "record/resume", json!({}))
        }
        CallsCommand::List(_)
        | CallsCommand::Show { .. }
        | CallsCommand::Watch { .. }
        | CallsCommand::Open { .. } => return (None, "", Value::Null),
    };
    (Some(session.session), path, body)
}

/// An object of the fields that are given.
fn given<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let given = fields.into_iter().filter_map(|(name, value)| {
        let value = value?;
        Some((name.to_owned(), value))
    });
    Value::Object(given.collect::<Map<_, _>>())
}

/// Gives a command, and tells its outcome.
async fn give(context: &Context, uuid: Uuid, path: &str, body: &Value) -> Result<(), CliError> {
    let told: CommandTold = context
        .client
        .post(&format!("/calls/{uuid}/{path}"), body)
        .await?;
    let outcome = told.result.clone();
    let done = outcome.as_ref().is_some_and(|result| result.success);
    if done || context.output.is_json() {
        context.output.show(&told, |told| {
            format!("session {}: {} is done\n", told.session_uuid, told.command)
        })?;
    }
    match outcome {
        Some(result) if result.success => Ok(()),
        Some(result) => Err(CliError::CommandFailed {
            command: told.command,
            error: or_dash(result.error.as_deref()),
        }),
        None => Err(CliError::NoOutcome(told.command)),
    }
}

/// The session of a name. A beginning is looked for among those that are on, then among those
/// that are over for an hour at most.
pub(super) async fn resolve(context: &Context, name: &SessionName) -> Result<Uuid, CliError> {
    let beginning = match name {
        SessionName::Whole(uuid) => return Ok(*uuid),
        SessionName::Beginning(text) => text,
    };
    let calls: Calls = context.client.get("/calls?ended=true").await?;
    choose(&calls.sessions, beginning)
}

fn choose(sessions: &[CallSession], beginning: &str) -> Result<Uuid, CliError> {
    let letters = beginning.replace('-', "");
    let named = |session: &&CallSession| {
        let whole = session.session_uuid.simple().to_string();
        whole.starts_with(&letters)
    };
    let (on, over): (Vec<_>, Vec<_>) = sessions
        .iter()
        .filter(named)
        .partition(|session| session.ended_at.is_none());
    let found = if on.is_empty() { over } else { on };
    match found.as_slice() {
        [] => Err(CliError::NoSession(beginning.to_owned())),
        [one] => Ok(one.session_uuid),
        many => Err(CliError::SeveralSessions {
            beginning: beginning.to_owned(),
            count: many.len(),
        }),
    }
}

pub(super) async fn list(context: &Context, wish: CallsListArgs) -> Result<(), CliError> {
    let query = query(&[
        ("tenant", wish.tenant.as_ref().map(ToString::to_string)),
        ("ended", wish.ended.then(|| "true".to_owned())),
    ]);
    let calls: Calls = context.client.get(&format!("/calls{query}")).await?;
    context.output.show(&calls, listed)
}

fn listed(calls: &Calls) -> String {
    let mut text = String::new();
    if !calls.sessions.is_empty() {
        let rows: Vec<_> = calls.sessions.iter().map(session_row).collect();
        let heading = [
            "SESSION",
            "TENANT",
            "LINE",
            "STATE",
            "CALLER",
            "LENGTH",
            "PLAYS",
            "RECORDING",
        ];
        text.push_str(&table(heading, &rows));
    }
    let alone: Vec<_> = calls
        .items
        .iter()
        .filter(|call| !has_session(call, &calls.sessions))
        .map(call_row)
        .collect();
    if !alone.is_empty() {
        if !text.is_empty() {
            text.push_str("\nrecorded without a session:\n");
        }
        let heading = ["RECID", "LINE", "TENANT", "STARTED", "LENGTH", "FROM", "TO"];
        text.push_str(&table(heading, &alone));
    }
    if text.is_empty() {
        text.push_str("no calls are in progress\n");
    }
    text
}

/// Whether a recording belongs to one of these sessions.
fn has_session(call: &Call, sessions: &[CallSession]) -> bool {
    let recid = Some(call.recording.recid.as_str());
    sessions.iter().any(|session| {
        let mut recordings = session.recordings.iter();
        session.session_uuid == call.recording.names.session_uuid
            || recordings.any(|recording| recording.recid.as_deref() == recid)
    })
}

fn session_row(session: &CallSession) -> [String; 8] {
    let recording = session.recordings.last().map(recording_text);
    [
        session.session_uuid.to_string(),
        session.tenant.clone(),
        session.line.clone(),
        session.state.clone(),
        or_dash(session.caller_id.as_deref()),
        length(session.duration_ms),
        plays(session),
        or_dash(recording.as_deref()),
    ]
}

fn recording_text(recording: &CallRecording) -> String {
    match &recording.recid {
        Some(recid) => format!("{recid} {}", recording.state),
        None => recording.state.clone(),
    }
}

/// What is heard on it, in a few words.
fn plays(session: &CallSession) -> String {
    let mut words = Vec::new();
    if let Some(playing) = &session.playing {
        let held = if playing.paused { ", paused" } else { "" };
        let uid = shortened(&playing.command_uid);
        words.push(format!("{uid} at {}{held}", length(playing.offset_ms)));
    }
    if session.fetching {
        words.push("fetching".to_owned());
    }
    if session.collecting {
        words.push("collecting digits".to_owned());
    }
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(", ")
    }
}

fn call_row(call: &Call) -> [String; 7] {
    [
        call.recording.recid.clone(),
        call.line.clone(),
        call.recording.tenant.clone(),
        call.started_at.clone(),
        length(call.duration_ms),
        or_dash(call.recording.from.as_deref()),
        or_dash(call.recording.to.as_deref()),
    ]
}

fn describe(session: &CallSession) -> String {
    let mut rows = vec![
        ("session", session.session_uuid.to_string()),
        ("tenant", session.tenant.clone()),
        ("line", session.line.clone()),
        ("state", session.state.clone()),
        ("caller", or_dash(session.caller_id.as_deref())),
        ("called", or_dash(session.did.as_deref())),
        ("started", session.started_at.clone()),
        ("answered", or_dash(session.answered_at.as_deref())),
        ("ended", or_dash(session.ended_at.as_deref())),
    ];
    if let Some(cause) = &session.hangup_cause {
        rows.push(("cause", cause.clone()));
    }
    rows.push(("length", length(session.duration_ms)));
    rows.push(("plays", plays(session)));
    rows.push(("events", format!("{} told", session.sequence)));
    for recording in &session.recordings {
        let text = format!(
            "{}, of command {}",
            recording_text(recording),
            recording.command_uid
        );
        rows.push(("recording", text));
    }
    let line = |(name, value): &(&str, String)| format!("{name:<12} {}\n", printable(value));
    rows.iter().map(line).collect()
}

/// The beginning of a UUID, which names it in commands.
pub(super) fn short(uuid: Uuid) -> String {
    let mut text = uuid.to_string();
    text.truncate(8);
    text
}

/// A text, or the beginning of it where it is a UUID.
pub(super) fn shortened(text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u128, ended: bool) -> CallSession {
        CallSession {
            session_uuid: Uuid::from_u128(number),
            tenant: "acme".into(),
            line: "front-desk".into(),
            state: "answered".into(),
            caller_id: Some("+15550100".into()),
            did: None,
            started_at: "2026-11-21T06:14:09.000Z".into(),
            answered_at: None,
            ended_at: ended.then(|| "2026-11-21T06:15:09.000Z".into()),
            hangup_cause: None,
            duration_ms: 61_000,
            playing: None,
            fetching: true,
            collecting: false,
            recordings: vec![CallRecording {
                command_uid: "r-1".into(),
                recid: Some("7".into()),
                state: "recording".into(),
            }],
            sequence: 3,
        }
    }

    #[test]
    fn a_beginning_names_one_session_and_first_one_that_is_on() {
        let sessions = [
            session(0x1f0c_2d3e << 96, false),
            session(0x1f0c_0000 << 96, false),
            session((0x1f0c_2d3e << 96) + 1, true),
        ];
        let chosen = |text: &str| choose(&sessions, text);
        assert_eq!(chosen("1f0c2").ok(), Some(sessions[0].session_uuid));
        assert_eq!(chosen("1f0c2d3e-0000").ok(), Some(sessions[0].session_uuid));
        assert!(matches!(
            chosen("1f0c"),
            Err(CliError::SeveralSessions { count: 2, .. })
        ));
        assert!(matches!(chosen("abcd"), Err(CliError::NoSession(_))));
        assert_eq!(
            choose(&sessions[2..], "1f0c").ok(),
            Some(sessions[2].session_uuid)
        );
    }

    #[test]
    fn bodies_are_those_of_the_commands() {
        let line = |text: &str| {
            use clap::Parser;
            let cli = crate::cli::args::Cli::try_parse_from(text.split(' ')).unwrap();
            match cli.command {
                crate::cli::args::Command::Calls {
                    command: Some(command),
                    ..
                } => order(command),
                other => panic!("{other:?}"),
            }
        };
        for (text, path, body) in [
            ("answer 1f0c", "answer", "{}"),
            ("hangup 1f0c", "hangup", "{}"),
            (
                "hangup 1f0c --cause USER_BUSY",
                "hangup",
                r#"{"cause":"USER_BUSY"}"#,
            ),
            (
                "play 1f0c https://a/1.wav --offset 3",
                "playback/start",
                r#"{"urls":["https://a/1.wav"],"offset_sec":3}"#,
            ),
            ("stop 1f0c", "playback/stop", "{}"),
            ("record start 1f0c", "record/start", "{}"),
            (
                "record start --mask-digits 1f0c",
                "record/start",
                r#"{"mask_digits":true}"#,
            ),
            (
                "record start 1f0c --mask-digits=false",
                "record/start",
                r#"{"mask_digits":false}"#,
            ),
            ("record stop 1f0c", "record/stop", "{}"),
            ("record pause 1f0c", "record/pause", r#"{"mode":"silence"}"#),
            (
                "record pause 1f0c --skip",
                "record/pause",
                r#"{"mode":"skip"}"#,
            ),
            ("record resume 1f0c", "record/resume", "{}"),
        ] {
            let (session, found, told) = line(&format!("callreel calls {text}"));
            assert_eq!(session, Some(SessionName::Beginning("1f0c".into())));
            assert_eq!((found, told.to_string().as_str()), (path, body), "{text}");
        }
    }

    #[test]
    fn lists_say_what_is_heard_and_recorded() {
        let calls = Calls {
            items: Vec::new(),
            sessions: vec![session(0x1f0c_2d3e << 96, false)],
        };
        let text = listed(&calls);
        for part in [
            "1f0c2d3e-0000",
            "answered",
            "1:01",
            "fetching",
            "7 recording",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(listed(&Calls::default()), "no calls are in progress\n");
        assert!(describe(&calls.sessions[0]).contains("+15550100"));
    }
}
