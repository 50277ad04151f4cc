//! What is kept of calls while they are on: changed with their events or not at all.

use std::sync::mpsc::sync_channel;

use super::*;
use crate::ids::TenantId;
use crate::limits::{OUTBOX_APPEND_MAX, OUTBOX_DATA_MAX, SESSION_NOTE_MAX};
use crate::outbox::{Appended, NotedSession, OutboxError, SessionNote};
use crate::reindex::reindex;

fn keep(of: u128, text: &str) -> Option<(Uuid, SessionNote)> {
    Some((session(of), SessionNote::Keep(text.into())))
}

fn drop_note(of: u128) -> Option<(Uuid, SessionNote)> {
    Some((session(of), SessionNote::Drop))
}

/// Applications' numbers, sessions and notes.
fn noted(outbox: &Outbox) -> Vec<(AppKey, Uuid, String)> {
    let notes = outbox.noted_sessions().unwrap().into_iter();
    notes
        .map(|NotedSession { app, session, note }| (app, session, String::from_utf8(note).unwrap()))
        .collect()
}

#[test]
fn a_note_is_changed_with_its_events_and_survives() {
    let store = Store::new();
    let (crm, pbx) = (add(&store, "crm").key, add(&store, "pbx").key);
    let outbox = store.handle.outbox();
    append(&outbox, crm, vec![event(9, 9)]);
    assert_eq!(noted(&outbox), [], "a store that never kept one");
    outbox
        .append_noted(pbx, vec![event(1, 1)], keep(1, "pbx"))
        .unwrap();
    for (id, text) in [(1, "first"), (2, "second")] {
        let appended = outbox.append_noted(crm, vec![event(1, id)], keep(1, text));
        assert_eq!(appended.unwrap().len(), 1);
    }
    outbox
        .append_noted(crm, Vec::new(), keep(2, "without events"))
        .unwrap();
    append(&outbox, crm, vec![event(1, 3)]);
    let all = [
        (crm, session(1), "second".to_owned()),
        (crm, session(2), "without events".to_owned()),
        (pbx, session(1), "pbx".to_owned()),
    ];
    assert_eq!(noted(&outbox), all);
    drop(outbox);
    let folder = store.close();
    reindex(folder.path(), &mut |_, _| ()).unwrap();
    let store = Store::open(folder);
    let outbox = store.handle.outbox();
    assert_eq!(noted(&outbox), all);
    outbox
        .append_noted(crm, vec![event(1, 4)], drop_note(1))
        .unwrap();
    outbox.append_noted(crm, Vec::new(), drop_note(7)).unwrap();
    assert_eq!(noted(&outbox), all[1..]);
    assert!(store.findings().is_empty());
}

#[test]
fn a_note_is_kept_though_nobody_hears_of_the_events() {
    let store = Store::new();
    let outbox = store.handle.outbox();
    let put = |name, settings| {
        let put = outbox.put_application(store.tenant, &app_id(name), settings);
        put.unwrap().key
    };
    let choosy = AppSettings {
        events: vec!["call.new".into()],
        ..settings()
    };
    let choosy = put("choosy", choosy);
    let appended = outbox.append_noted(choosy, vec![event(1, 1)], keep(1, "a"));
    assert_eq!(appended.unwrap(), [Appended::Unwanted]);
    let deaf = AppSettings {
        webhook_url: None,
        ..settings()
    };
    let deaf = put("deaf", deaf);
    outbox
        .append_noted(deaf, vec![event(2, 2)], keep(2, "b"))
        .unwrap();
    let all = [
        (choosy, session(1), "a".to_owned()),
        (deaf, session(2), "b".to_owned()),
    ];
    assert_eq!(noted(&outbox), all);
}

#[test]
fn what_is_refused_leaves_no_note() {
    let store = Store::new();
    let crm = add(&store, "crm").key;
    let outbox = store.handle.outbox();
    let nobody = AppKey {
        tenant: TenantId(crm.tenant.0),
        number: crm.number + 1,
    };
    let refused = outbox.append_noted(nobody, vec![event(1, 1)], keep(1, "x"));
    assert!(matches!(refused, Err(OutboxError::NoApplication)));
    let (told, heard) = sync_channel(1);
    let done = move |result| told.send(result).unwrap();
    outbox
        .append_then(nobody, Vec::new(), keep(1, "x"), done)
        .unwrap();
    let refused = heard.recv().unwrap();
    assert!(matches!(refused, Err(OutboxError::NoApplication)));
    let large = SessionNote::Keep(vec![0; SESSION_NOTE_MAX + 1]);
    let refused = outbox.append_noted(crm, vec![event(1, 1)], Some((session(1), large)));
    assert!(matches!(
        refused,
        Err(OutboxError::TooLong { what: "note", .. })
    ));
    store.handle.shared.index.fail_once();
    let refused = outbox.append_noted(crm, vec![event(1, 1)], keep(1, "x"));
    assert!(matches!(refused, Err(OutboxError::Write(_))));
    assert_eq!(noted(&outbox), []);
    assert_eq!(outbox.counts(crm).unwrap().waiting, 0);
}

#[test]
fn a_note_waits_for_a_commit_that_is_tried_again() {
    let store = Store::new();
    let crm = add(&store, "crm").key;
    let outbox = store.handle.outbox();
    let (told, heard) = sync_channel(1);
    store.handle.shared.index.fail_once();
    let done = move |result| told.send(result).unwrap();
    outbox
        .append_then(crm, vec![event(1, 1)], keep(1, "x"), done)
        .unwrap();
    assert_eq!(heard.recv().unwrap().unwrap().len(), 1);
    assert_eq!(noted(&outbox), [(crm, session(1), "x".to_owned())]);
}

#[test]
fn the_largest_events_and_notes_come_back_whole() {
    let store = Store::new();
    let crm = add(&store, "crm").key;
    let outbox = store.handle.outbox();
    // What tells of a playback with as many and as long URLs as there can be.
    let url = format!("https://example.org/{}", "\u{1}".repeat(2_028));
    let data = serde_json::to_string(&vec![url; 128]).unwrap();
    assert!(data.len() < OUTBOX_DATA_MAX, "{}", data.len());
    let mut largest = event(1, 2);
    largest.data = "x".repeat(OUTBOX_DATA_MAX);
    let mut playback = event(2, 1);
    playback.data = data;
    let note = SessionNote::Keep(vec![0xC3; SESSION_NOTE_MAX]);
    let events = vec![playback.clone(), largest.clone()];
    outbox
        .append_noted(crm, events, Some((session(1), note)))
        .unwrap();
    let many = (0..OUTBOX_APPEND_MAX as u128).map(|id| event(3, 10 + id));
    assert_eq!(append(&outbox, crm, many.collect()).last(), Some(&256));
    drop(outbox);
    let store = store.reopen();
    let outbox = store.handle.outbox();
    let found = due(&outbox, 9).events;
    let data = |of: u128| {
        let mut all = found.iter();
        let (_, event) = all.find(|(_, event)| event.session == session(of)).unwrap();
        event.data.clone()
    };
    assert!(data(2) == playback.data && data(1) == largest.data);
    let notes = outbox.noted_sessions().unwrap();
    assert_eq!(notes[0].note, vec![0xC3; SESSION_NOTE_MAX]);
    let (place, _) = found[0];
    wait(outbox.failed(place, "503", outbox.now())).unwrap();
    wait(outbox.delivered(place)).unwrap();
}
