//! The events of sessions, and the bodies they are delivered in (API.md section 2): the data's
//! fields stand under `data` and once more at the top level.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use storage::outbox::NewEvent;
use uuid::Uuid;

/// What happened to a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", content = "data")]
pub enum SessionEvent {
    /// A call begins.
    #[serde(rename = "call.new")]
    CallNew {
        /// The line it is on.
        line: String,
        /// Who calls, where it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        caller_id: Option<String>,
        /// Who is called, where it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        did: Option<String>,
    },
    /// A call was answered.
    #[serde(rename = "call.answered")]
    CallAnswered {},
    /// A call ended.
    #[serde(rename = "call.hangup")]
    CallHangup {
        /// Why: `NORMAL_CLEARING`.
        cause: String,
    },
    /// A prompt is heard.
    #[serde(rename = "playback.started")]
    PlaybackStarted {
        /// Of the command.
        command_uid: String,
        /// All of the command's files.
        urls: Vec<String>,
        /// The first file.
        file_path: String,
    },
    /// A prompt is not heard any more.
    #[serde(rename = "playback.stopped")]
    PlaybackStopped {
        /// Of the command that started it.
        command_uid: String,
        /// All of the command's files.
        urls: Vec<String>,
        /// The file that was played last.
        file_path: String,
        /// Where in it the playback ended, in milliseconds.
        offset_ms: u64,
        /// How long it was heard, in milliseconds.
        duration_ms: u64,
        /// Why it ended.
        reason: String,
    },
    /// A file could not be had.
    #[serde(rename = "playback.file_not_found")]
    PlaybackFileNotFound {
        /// Of the command.
        command_uid: String,
        /// Which file.
        url: String,
        /// Why.
        error: String,
    },
    /// Digits were collected, or not.
    #[serde(rename = "digits.collected")]
    DigitsCollected {
        /// Of the command.
        command_uid: String,
        /// Without the terminator.
        digits: String,
        /// What ended them, empty if nothing did.
        terminator: String,
        /// How it came out.
        status: DigitsStatus,
    },
    /// A digit was dialled.
    #[serde(rename = "dtmf")]
    Dtmf {
        /// Which.
        digit: char,
        /// How long it sounded, in milliseconds.
        duration_ms: u32,
    },
    /// A recording began.
    #[serde(rename = "recording.started")]
    RecordingStarted {
        /// Of the command.
        command_uid: String,
    },
    /// A recording is kept.
    #[serde(rename = "recording.completed")]
    RecordingCompleted {
        /// Of the command that started it.
        command_uid: String,
        /// Where it can be had.
        recording_url: String,
        /// Its length in seconds.
        duration: f64,
    },
    /// A recording was too short or silent, and is not kept.
    #[serde(rename = "recording.absent")]
    RecordingAbsent {
        /// Of the command that started it.
        command_uid: String,
    },
    /// A recording was lost.
    #[serde(rename = "recording.failed")]
    RecordingFailed {
        /// Of the command that started it.
        command_uid: String,
        /// Why.
        error: String,
    },
    /// A recording pauses.
    #[serde(rename = "recording.paused")]
    RecordingPaused {
        /// Of the command that started the recording.
        command_uid: String,
        /// `silence` or `skip`.
        mode: String,
    },
    /// How a command came out.
    #[serde(rename = "command.result")]
    CommandResult {
        /// The command: `playback/start`.
        command: String,
        /// Its `command_uid`.
        command_uid: String,
        /// What its request was answered.
        operation_id: Uuid,
        /// Whether it was done.
        success: bool,
        /// Why not.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// How collecting digits came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DigitsStatus {
    /// Enough of them came.
    Success,
    /// They did not come in time.
    Timeout,
    /// The call ended, or the tries were used up.
    Failure,
}

/// An event or a body that is not what it should be; a fault of the program or of the disk.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// It cannot be written as JSON, or is none.
    #[error("the event's data is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Its data is JSON, but no object.
    #[error("the event's data is no JSON object")]
    NoObject,
}

impl SessionEvent {
    /// The event as the outbox takes it, under a new id.
    ///
    /// # Errors
    /// [`EventError`]: for a length that is not a number.
    pub fn of(&self, session: Uuid) -> Result<NewEvent, EventError> {
        let Value::Object(mut whole) = serde_json::to_value(self)? else {
            return Err(EventError::NoObject);
        };
        let event = match whole.remove("event") {
            Some(Value::String(event)) => event,
            _ => return Err(EventError::NoObject),
        };
        let data = whole.remove("data").unwrap_or_default();
        Ok(NewEvent {
            id: Uuid::new_v4(),
            session,
            event,
            data: serde_json::to_string(&data)?,
        })
    }
}

/// An event's body, the same bytes at every attempt. A field of the data that has the name of one
/// of the body's own stands under `data` alone.
///
/// # Errors
/// [`EventError`].
pub fn body(event: &str, session: Uuid, sequence: u64, data: &str) -> Result<Bytes, EventError> {
    let data: Value = serde_json::from_str(data)?;
    let Value::Object(fields) = data else {
        return Err(EventError::NoObject);
    };
    let own = |name: &str| OWN.contains(&name);
    let repeated = fields.iter().filter(|(name, _)| !own(name));
    let repeated: Map<_, _> = repeated
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let body = Body {
        event,
        session_uuid: session,
        sequence,
        data: &fields,
        repeated,
    };
    Ok(serde_json::to_vec(&body)?.into())
}

#[derive(Serialize)]
struct Body<'a> {
    event: &'a str,
    session_uuid: Uuid,
    sequence: u64,
    data: &'a Map<String, Value>,
    #[serde(flatten)]
    repeated: Map<String, Value>,
}

/// The body's own fields.
const OWN: [&str; 4] = ["event", "session_uuid", "sequence", "data"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all() -> Vec<SessionEvent> {
        let (uid, text) = (|| "u-1".to_owned(), || "x".to_owned());
        vec![
            SessionEvent::CallNew {
                line: text(),
                caller_id: Some("+15550100".into()),
                did: None,
            },
            SessionEvent::CallAnswered {},
            SessionEvent::CallHangup { cause: text() },
            SessionEvent::PlaybackStarted {
                command_uid: uid(),
                urls: vec![text(), text()],
                file_path: text(),
            },
            SessionEvent::PlaybackStopped {
                command_uid: uid(),
                urls: vec![text()],
                file_path: text(),
                offset_ms: 1,
                duration_ms: 2,
                reason: text(),
            },
            SessionEvent::PlaybackFileNotFound {
                command_uid: uid(),
                url: text(),
                error: text(),
            },
            SessionEvent::DigitsCollected {
                command_uid: uid(),
                digits: "12".into(),
                terminator: "#".into(),
                status: DigitsStatus::Timeout,
            },
            SessionEvent::Dtmf {
                digit: '#',
                duration_ms: 80,
            },
            SessionEvent::RecordingStarted { command_uid: uid() },
            SessionEvent::RecordingCompleted {
                command_uid: uid(),
                recording_url: text(),
                duration: 1.25,
            },
            SessionEvent::RecordingAbsent { command_uid: uid() },
            SessionEvent::RecordingFailed {
                command_uid: uid(),
                error: text(),
            },
            SessionEvent::RecordingPaused {
                command_uid: uid(),
                mode: text(),
            },
            SessionEvent::CommandResult {
                command: "playback/start".into(),
                command_uid: uid(),
                operation_id: Uuid::nil(),
                success: true,
                error: None,
            },
        ]
    }

    #[test]
    fn every_field_stands_twice_and_none_hides_another() {
        let mut names = std::collections::BTreeSet::new();
        for event in all() {
            let session = Uuid::from_u128(7);
            let new = event.of(session).unwrap();
            assert!(names.insert(new.event.clone()), "{}", new.event);
            let body = body(&new.event, session, 3, &new.data).unwrap();
            let body: Map<String, Value> = serde_json::from_slice(&body).unwrap();
            let data = body["data"].as_object().unwrap();
            assert_eq!(body.len(), data.len() + 4, "{body:?}");
            assert!(data.iter().all(|(name, value)| body[name] == *value));
            assert_eq!(body["session_uuid"], session.to_string());
            assert_eq!(
                (&body["event"], &body["sequence"]),
                (&new.event.into(), &3.into())
            );
        }
        let known = crate::engine::session::event::Event::NAMES.map(str::to_owned);
        assert_eq!(names, known.into());
    }

    #[test]
    fn bodies_look_as_documented() {
        let dtmf = SessionEvent::Dtmf {
            digit: '5',
            duration_ms: 100,
        };
        let new = dtmf.of(Uuid::nil()).unwrap();
        let body = body(&new.event, Uuid::nil(), 4, &new.data).unwrap();
        let expected = concat!(
            r#"{"event":"dtmf","session_uuid":"00000000-0000-0000-0000-000000000000","#,
            r#""sequence":4,"data":{"digit":"5","duration_ms":100},"#,
            r#""digit":"5","duration_ms":100}"#
        );
        assert_eq!(body, expected.as_bytes());
        assert_ne!(new.id, dtmf.of(Uuid::nil()).unwrap().id);
    }

    #[test]
    fn data_that_is_no_object_is_refused() {
        for data in ["", "{", "[]", "1", "null"] {
            assert!(body("dtmf", Uuid::nil(), 1, data).is_err(), "{data}");
        }
    }

    proptest! {
        #[test]
        fn own_fields_are_never_overwritten(names in proptest::collection::vec(
            prop_oneof![Just("event".to_owned()), Just("data".to_owned()), "[a-z]{1,9}"], 0..6,
        )) {
            let data: Map<String, Value> = names.into_iter().map(|name| (name, 1.into())).collect();
            let text = serde_json::to_string(&data).unwrap();
            let body = body("dtmf", Uuid::nil(), 9, &text).unwrap();
            let text = std::str::from_utf8(&body).unwrap();
            let read: Map<String, Value> = serde_json::from_str(text).unwrap();
            prop_assert_eq!(&read["event"], "dtmf");
            prop_assert_eq!(&read["sequence"], 9);
            prop_assert_eq!(&read["data"], &Value::Object(data));
        }
    }
}
