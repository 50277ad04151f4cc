//! The rules that the events of every call keep, whatever happened to it: numbered without holes,
//! in order, and one end for each thing that was begun.

use std::collections::{BTreeMap, BTreeSet};

use harness::receiver::Delivery;
use serde_json::Value;

/// Of an event's data, the `command_uid`.
fn uid(event: &Delivery) -> &str {
    event.body["data"]["command_uid"]
        .as_str()
        .unwrap_or_default()
}

fn uids<'a>(events: &'a [Delivery], names: &[&str]) -> Vec<&'a str> {
    events
        .iter()
        .filter(|event| names.contains(&event.event.as_str()))
        .map(uid)
        .collect()
}

const PLAYBACK_ENDS: &[&str] = &["playback.stopped"];
const RECORDING_ENDS: &[&str] = &[
    "recording.completed",
    "recording.absent",
    "recording.failed",
];
const COLLECTION_ENDS: &[&str] = &["digits.collected"];

/// Whether everything that was begun has ended.
pub(crate) fn is_settled(events: &[Delivery]) -> bool {
    let open = |begun: &[&str], ended: &[&str]| {
        let ended: BTreeSet<&str> = uids(events, ended).into_iter().collect();
        let begun = uids(events, begun);
        begun.into_iter().any(|uid| !ended.contains(uid))
    };
    !open(&["playback.started"], PLAYBACK_ENDS) && !open(&["recording.started"], RECORDING_ENDS)
}

/// Insists on the rules.
pub(crate) fn check(session: &str, events: &[Delivery]) {
    let story: Vec<String> = events
        .iter()
        .map(|event| format!("{} {} {}", event.sequence, event.event, uid(event)))
        .collect();
    let story = format!("session {session}:\n{}", story.join("\n"));

    for (at, event) in events.iter().enumerate() {
        let wanted = u64::try_from(at).expect("few events") + 1;
        assert_eq!(event.sequence, wanted, "a hole, or out of order; {story}");
        assert_eq!(event.session, session);
        check_form(event);
    }
    let ids: BTreeSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids.len(), events.len(), "an id twice; {story}");
    let first = events.first().map(|event| event.event.as_str());
    assert_eq!(first, Some("call.new"), "{story}");

    for name in ["call.new", "call.hangup"] {
        let count = events.iter().filter(|event| event.event == name).count();
        assert_eq!(count, 1, "{name}; {story}");
    }
    once(events, &["command.result"], &story);
    once(events, PLAYBACK_ENDS, &story);
    once(events, RECORDING_ENDS, &story);
    once(events, COLLECTION_ENDS, &story);
    pairs(events, &["playback.started"], PLAYBACK_ENDS, &story);
    pairs(events, &["recording.started"], RECORDING_ENDS, &story);
}

/// `data`'s fields are repeated beside it, and each event has what it is known by.
fn check_form(event: &Delivery) {
    let body = &event.body;
    let Some(data) = body["data"].as_object() else {
        panic!("no data in {body}");
    };
    for (name, value) in data {
        assert_eq!(body[name], *value, "'{name}' beside data in {body}");
    }
    for name in ["event", "session_uuid", "sequence"] {
        assert!(!body[name].is_null(), "no {name} in {body}");
        assert!(!data.contains_key(name), "'{name}' in data of {body}");
    }
    let needed: &[&str] = match event.event.as_str() {
        "call.new" => &["line", "caller_id", "did"],
        "call.hangup" => &["cause", "by", "duration_ms", "answered_ms"],
        "playback.started" => &["command_uid", "urls", "file_path"],
        "playback.stopped" => &["command_uid", "urls", "offset_ms", "duration_ms", "reason"],
        "playback.file_not_found" => &["command_uid", "url", "error"],
        "digits.collected" => &["command_uid", "digits", "terminator", "status"],
        "dtmf" => &["digit", "duration_ms"],
        "recording.completed" => &["command_uid", "recording_url", "duration", "duration_ms"],
        "recording.started" | "recording.absent" => &["command_uid"],
        "recording.paused" => &["command_uid", "mode"],
        "recording.failed" => &["command_uid", "error"],
        "command.result" => &["command", "command_uid", "operation_id", "success"],
        "call.answered" => &[],
        other => panic!("an event that there is not: {other}"),
    };
    for name in needed {
        assert!(data.contains_key(*name), "no {name} in {body}");
    }
}

/// No command has two events of these kinds together.
fn once(events: &[Delivery], names: &[&str], story: &str) {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for uid in uids(events, names) {
        *counts.entry(uid).or_default() += 1;
    }
    for (uid, count) in counts {
        assert_eq!(count, 1, "{names:?} of {uid}; {story}");
    }
}

/// What was begun has ended, after its beginning.
fn pairs(events: &[Delivery], begins: &[&str], ends: &[&str], story: &str) {
    let place = |names: &[&str], wanted: &str| {
        events
            .iter()
            .position(|event| names.contains(&event.event.as_str()) && uid(event) == wanted)
    };
    for begun in uids(events, begins) {
        let (from, to) = (place(begins, begun), place(ends, begun));
        assert!(to.is_some(), "{begun} has no end of {ends:?}; {story}");
        assert!(from < to, "{begun} ends before it begins; {story}");
    }
}

/// Insists that each accepted command has its one result, and each recording and collection that
/// was asked for with success or not has its one end.
pub(crate) fn check_commands(events: &[Delivery], accepted: &[(String, String)]) {
    let results: BTreeMap<&str, &Value> = events
        .iter()
        .filter(|event| event.event == "command.result")
        .map(|event| (uid(event), &event.body["data"]))
        .collect();
    let ends = |names: &[&str], wanted: &str| {
        let found = uids(events, names);
        found.into_iter().filter(|uid| *uid == wanted).count()
    };
    for (name, uid) in accepted {
        let result = results.get(uid.as_str());
        let result = result.unwrap_or_else(|| panic!("no result of {name} {uid}"));
        assert_eq!(result["command"], name.as_str(), "{result}");
        if name == "play_and_get_digits" {
            assert_eq!(ends(COLLECTION_ENDS, uid), 1, "{name} {uid}");
        }
        if name == "record/start" && result["success"] == true {
            assert_eq!(ends(RECORDING_ENDS, uid), 1, "{name} {uid}");
        }
    }
}
