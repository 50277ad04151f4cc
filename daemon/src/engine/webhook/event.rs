//! The bodies that events of sessions are delivered in (API.md section 2): the data's fields stand
//! under `data` and once more at the top level, since clients of the vendor read them in either
//! place. The events themselves are `engine/session/event.rs`.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Data that is not what it should be; a fault of the program or of the disk.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// It cannot be written as JSON, or is none.
    #[error("the event's data is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Its data is JSON, but no object.
    #[error("the event's data is no JSON object")]
    NoObject,
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

    #[test]
    fn bodies_look_as_documented() {
        let data = r#"{"digit":"5","duration_ms":100}"#;
        let body = body("dtmf", Uuid::nil(), 4, data).unwrap();
        let expected = concat!(
            r#"{"event":"dtmf","session_uuid":"00000000-0000-0000-0000-000000000000","#,
            r#""sequence":4,"data":{"digit":"5","duration_ms":100},"#,
            r#""digit":"5","duration_ms":100}"#
        );
        assert_eq!(body, expected.as_bytes());
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
