//! Events: numbered, due, settled, given up, replayed, and kept over a restart.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::*;
use crate::limits::{
    OUTBOX_AGE, OUTBOX_APPEND_MAX, OUTBOX_DATA_MAX, OUTBOX_DEAD_MAX, OUTBOX_ERROR_MAX,
    OUTBOX_SESSION_DAYS, OUTBOX_WAITING_MAX,
};
use crate::outbox::{Appended, DeadCause, OutboxError, OutboxTime};
use crate::record::WallMillis;
use crate::reindex::reindex;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn each_session_counts_by_itself_and_is_due_one_by_one() {
    let store = Store::new();
    let (crm, pbx) = (add(&store, "crm"), add(&store, "pbx"));
    let outbox = store.handle.outbox();
    let first = append(
        &outbox,
        crm.key,
        vec![event(1, 1), event(2, 2), event(1, 3)],
    );
    assert_eq!(first, [1, 1, 2]);
    assert_eq!(append(&outbox, pbx.key, vec![event(1, 4)]), [1]);
    let found = due(&outbox, 9).events;
    let ids: Vec<_> = found.iter().map(|(_, event)| event.id.as_u128()).collect();
    assert_eq!(ids, [1, 2, 4]);
    assert_eq!(due(&outbox, 1).events.len(), 2, "one of each application");
    let (place, first) = &found[0];
    assert_eq!(first.data, event(1, 1).data);
    wait(outbox.failed(*place, "503", outbox.now().plus(DAY))).unwrap();
    let left = due(&outbox, 9);
    assert_eq!(left.events.len(), 2, "3 waits for 1: {left:?}");
    assert_eq!(left.next_at, Some(outbox.now().plus(DAY)));
    store.clock.advance(DAY);
    let (_, again) = due(&outbox, 9).events.remove(1);
    assert_eq!((again.id, again.attempts), (first.id, 1));
    assert_eq!(again.last_error.as_deref(), Some("503"));
    wait(outbox.delivered(*place)).unwrap();
    let ids = |due: Due| -> Vec<_> {
        let events = due.events.into_iter();
        events.map(|(_, event)| event.id.as_u128()).collect()
    };
    let mut left = ids(due(&outbox, 9));
    left.sort_unstable();
    assert_eq!(left, [2, 3, 4]);
    let counts = outbox.counts(crm.key).unwrap();
    assert_eq!((counts.waiting, counts.delivered), (2, 1));
}

#[test]
fn what_was_appended_is_there_after_a_restart_and_numbers_go_on() {
    let store = Store::new();
    let crm = add(&store, "crm");
    let outbox = store.handle.outbox();
    append(&outbox, crm.key, vec![event(1, 1), event(1, 2)]);
    wait(outbox.delivered(one(&outbox).0)).unwrap();
    wait(outbox.failed(one(&outbox).0, "refused", outbox.now())).unwrap();
    let before = one(&outbox);
    drop(outbox);
    let store = store.reopen();
    let outbox = store.handle.outbox();
    assert_eq!(one(&outbox), before);
    wait(outbox.delivered(before.0)).unwrap();
    drop(outbox);
    let store = store.reopen();
    let outbox = store.handle.outbox();
    assert!(due(&outbox, 9).events.is_empty());
    assert_eq!(append(&outbox, crm.key, vec![event(1, 3)]), [3]);
    assert!(one(&outbox).0 > before.0, "places are not used again");
}

#[test]
fn the_same_id_is_one_event_while_it_is_known() {
    let store = Store::new();
    let crm = add(&store, "crm");
    let outbox = store.handle.outbox();
    assert_eq!(
        append(&outbox, crm.key, vec![event(1, 1), event(1, 1)]),
        [1, 1]
    );
    assert_eq!(
        append(&outbox, crm.key, vec![event(1, 2), event(1, 1)]),
        [2, 1]
    );
    let (place, _) = one(&outbox);
    wait(outbox.dead(place, "404", DeadCause::Undeliverable)).unwrap();
    let again = outbox.append(crm.key, vec![event(1, 1)]).unwrap();
    let known = Appended::Numbered {
        sequence: 1,
        waits: false,
    };
    assert_eq!(again, [known]);
    assert_eq!(outbox.counts(crm.key).unwrap().waiting, 1);
}

#[test]
fn filters_and_missing_urls_leave_nothing_waiting() {
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
    let call = NewEvent {
        event: "call.new".into(),
        ..event(1, 2)
    };
    let appended = outbox.append(choosy, vec![event(1, 1), call]).unwrap();
    let first = Appended::Numbered {
        sequence: 1,
        waits: true,
    };
    assert_eq!(appended, [Appended::Unwanted, first]);
    let deaf = AppSettings {
        webhook_url: None,
        ..settings()
    };
    let deaf = put("deaf", deaf);
    assert_eq!(
        append(&outbox, deaf, vec![event(1, 1), event(1, 2)]),
        [1, 2]
    );
    assert_eq!(outbox.counts(deaf).unwrap().waiting, 0);
    assert_eq!(one(&outbox).0.app, choosy);
}

#[test]
fn appending_without_waiting_tells_when_it_is_durable() {
    let store = Store::new();
    let crm = add(&store, "crm");
    let outbox = store.handle.outbox();
    let (told, heard) = sync_channel(1);
    store.handle.shared.index.fail_once();
    let done = move |result| told.send(result).unwrap();
    outbox
        .append_then(crm.key, vec![event(1, 1)], None, done)
        .unwrap();
    let appended = heard.recv().unwrap().unwrap();
    assert_eq!(appended.len(), 1, "tried again after the failure");
    drop(outbox);
    let store = store.reopen();
    assert_eq!(one(&store.handle.outbox()).1.id, event(1, 1).id);
    let nobody = AppKey {
        number: 99,
        ..crm.key
    };
    let outbox = store.handle.outbox();
    let (told, heard) = sync_channel(1);
    let done = move |result| told.send(result).unwrap();
    outbox
        .append_then(nobody, vec![event(1, 1)], None, done)
        .unwrap();
    let refused = heard.recv().unwrap();
    assert!(
        matches!(refused, Err(OutboxError::NoApplication)),
        "{refused:?}"
    );
    let many = vec![event(1, 1); OUTBOX_APPEND_MAX + 1];
    let mut large = event(1, 1);
    large.data = "x".repeat(OUTBOX_DATA_MAX + 1);
    for events in [many, vec![large]] {
        let refused = outbox.append(crm.key, events);
        assert!(
            matches!(refused, Err(OutboxError::TooLong { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn dead_letters_are_listed_and_replayed_in_their_old_place() {
    let store = Store::new();
    let crm = add(&store, "crm");
    let outbox = store.handle.outbox();
    append(&outbox, crm.key, (1..=4).map(|id| event(1, id)).collect());
    let long = "x".repeat(OUTBOX_ERROR_MAX + 9);
    for _ in 0..2 {
        let (place, _) = one(&outbox);
        wait(outbox.dead(place, &long, DeadCause::Age)).unwrap();
    }
    let letters = outbox.dead_letters(crm.key, None, 9).unwrap();
    let sequences: Vec<_> = letters.iter().map(|(_, one)| one.event.sequence).collect();
    assert_eq!(sequences, [1, 2]);
    let error = letters[0].1.event.last_error.as_ref().unwrap();
    assert_eq!(error.len(), OUTBOX_ERROR_MAX);
    let rest = outbox.dead_letters(crm.key, Some(letters[0].0), 9).unwrap();
    assert_eq!(rest, letters[1..]);
    let (third, _) = one(&outbox);
    let ids = [event(1, 2).id, event(1, 9).id, event(1, 3).id];
    assert_eq!(outbox.replay(crm.key, &ids).unwrap(), 1);
    let (place, second) = one(&outbox);
    assert_eq!((second.sequence, second.attempts), (2, 0));
    assert_eq!(second.id, event(1, 2).id);
    wait(outbox.delivered(third)).unwrap();
    assert_eq!(one(&outbox).0, place, "what was under way may still arrive");
    wait(outbox.delivered(place)).unwrap();
    assert_eq!(one(&outbox).1.sequence, 4);
    let counts = outbox.counts(crm.key).unwrap();
    assert_eq!((counts.dead, counts.given_up, counts.delivered), (1, 2, 2));
}

#[test]
fn when_too_many_wait_the_oldest_dies_and_too_many_dead_are_forgotten() {
    let store = Store::new();
    let crm = add(&store, "crm");
    let outbox = store.handle.outbox();
    let most = u128::from(OUTBOX_WAITING_MAX);
    let more = u128::from(OUTBOX_DEAD_MAX) + 3;
    let ids: Vec<_> = (1..=most + more).collect();
    for ids in ids.chunks(OUTBOX_APPEND_MAX) {
        let events = ids.iter().map(|id| event(id % 500, *id)).collect();
        append(&outbox, crm.key, events);
    }
    let counts = outbox.counts(crm.key).unwrap();
    assert_eq!(counts.waiting, OUTBOX_WAITING_MAX);
    assert_eq!(counts.dead, OUTBOX_DEAD_MAX);
    assert_eq!(
        (counts.overflowed, counts.forgotten),
        (OUTBOX_DEAD_MAX + 3, 3)
    );
    let oldest = &outbox.dead_letters(crm.key, None, 1).unwrap()[0].1;
    assert_eq!(oldest.event.id, event(4, 4).id);
    assert_eq!(oldest.cause, DeadCause::Overflow);
    // However many wait, a look costs what it finds: each answered, and one for the application.
    let (found, looked) = outbox.due_looked(outbox.now(), 16).unwrap();
    assert_eq!((found.events.len(), looked), (16, 17));
    assert_eq!(found.events[0].1.id.as_u128(), more + 1);
    let later = outbox.now().plus(DAY);
    for (place, _) in found.events {
        wait(outbox.failed(place, "", later)).unwrap();
    }
    let looked = outbox.due_looked(OutboxTime(0), 16).unwrap().1;
    assert_eq!(looked, 2, "nothing is due");
    assert_eq!(
        outbox.replay(crm.key, &[oldest.event.id]).unwrap(),
        0,
        "no room"
    );
}

#[test]
fn what_waits_for_nobody_dies_of_age() {
    let store = Store::new();
    let crm = add(&store, "crm");
    let outbox = store.handle.outbox();
    append(&outbox, crm.key, (1..=3).map(|id| event(id, id)).collect());
    store.clock.advance(OUTBOX_AGE);
    assert_eq!(
        wait(outbox.expire(crm.key)).unwrap(),
        0,
        "it is delivered to"
    );
    append(&outbox, crm.key, vec![event(4, 4)]);
    outbox.stop_application(crm.key, crm.revision).unwrap();
    assert_eq!(wait(outbox.expire(crm.key)).unwrap(), 3);
    assert_eq!(wait(outbox.expire(crm.key)).unwrap(), 0);
    let letters = outbox.dead_letters(crm.key, None, 9).unwrap();
    assert!(letters.iter().all(|(_, one)| one.cause == DeadCause::Age));
    add(&store, "crm");
    assert_eq!(one(&outbox).1.id, event(4, 4).id);
}

#[test]
fn clocks_that_are_set_bring_no_burst_and_hold_nothing_back() {
    let store = Store::new();
    let crm = add(&store, "crm");
    let outbox = store.handle.outbox();
    append(&outbox, crm.key, (1..=9).map(|id| event(id, id)).collect());
    let later = outbox.now().plus(Duration::from_secs(60));
    for (place, _) in due(&outbox, 99).events {
        wait(outbox.failed(place, "500", later)).unwrap();
    }
    let wall = audio_io::clock::Clock::wall(&*store.clock);
    store
        .clock
        .step_wall(WallMillis(wall.0 + 10 * 365 * 86_400_000));
    assert!(due(&outbox, 99).events.is_empty());
    store.clock.step_wall(WallMillis(0));
    store.clock.advance(Duration::from_secs(60));
    assert_eq!(due(&outbox, 99).events.len(), 9);
    append(&outbox, crm.key, vec![event(10, 10)]);
    // The clock lost its battery while the store was closed.
    drop(outbox);
    let store = Store::open_at(store.close(), WallMillis(0));
    let found = due(&store.handle.outbox(), 99).events;
    assert_eq!(found.len(), 10, "time goes on where it was");
}

#[test]
fn old_sessions_are_forgotten_and_living_ones_are_not() {
    let store = Store::new();
    let crm = add(&store, "crm");
    let outbox = store.handle.outbox();
    append(&outbox, crm.key, vec![event(1, 1), event(2, 2)]);
    for id in 0..u128::from(OUTBOX_SESSION_DAYS) + 2 {
        store.clock.advance(DAY);
        append(&outbox, crm.key, vec![event(1, 10 + id)]);
    }
    let next = append(&outbox, crm.key, vec![event(1, 100), event(2, 101)]);
    let last = u64::from(OUTBOX_SESSION_DAYS) + 4;
    assert_eq!(next, [last, 1], "the second had no event for long");
}

#[test]
fn reindexing_carries_everything_over() {
    let store = Store::new();
    let crm = add(&store, "crm");
    let outbox = store.handle.outbox();
    append(&outbox, crm.key, (1..=60).map(|id| event(1, id)).collect());
    wait(outbox.dead(one(&outbox).0, "x", DeadCause::Age)).unwrap();
    let before = (one(&outbox), outbox.counts(crm.key).unwrap());
    drop(outbox);
    let folder = store.close();
    reindex(folder.path(), &mut |_, _| ()).unwrap();
    let store = Store::open(folder);
    let outbox = store.handle.outbox();
    assert_eq!(outbox.application(&app_id("crm")), Some(Arc::clone(&crm)));
    assert_eq!((one(&outbox), outbox.counts(crm.key).unwrap()), before);
    assert_eq!(outbox.replay(crm.key, &[event(1, 1).id]).unwrap(), 1);
    assert_eq!(append(&outbox, crm.key, vec![event(1, 999)]), [61]);
    assert!(store.findings().is_empty());
}
