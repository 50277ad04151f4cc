//! Webhooks to receivers that fail, stall, say that they are gone, or are not there for long: no
//! event is lost, each keeps its id, and their order in a session stays.

use std::collections::BTreeMap;
use std::time::Duration;

use harness::daemon::TENANT;
use harness::duplex::RATE;
use harness::http::{Request, Transport};
use harness::receiver::Mood;
use harness::{sound, wait};
use serde_json::{Value, json};

use super::rig::{ADMIN_KEY, Call, PLENTY, Rig};
use crate::support;

/// What retries of some minutes may take.
const RETRIES_WITHIN: Duration = Duration::from_secs(300);
/// Waiting events that must not harm calls.
const WAITING: usize = 10_000;
/// Bound of a command's answer while they wait, generous on a busy machine; it would be seconds
/// if the queue were walked.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// One number of each three: which deliveries fail does not depend on time.
fn is_unlucky(count: u64) -> bool {
    sound::noise_at(count) % 10 < 3
}

/// The application as its administrator sees it.
fn application(rig: &Rig) -> Value {
    let request = Request::get(&format!("/admin/apps/{TENANT}")).with("X-Admin-API-Key", ADMIN_KEY);
    let answer = rig.daemon.ask(&request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn has_whole_story(call: &Call<'_>) -> bool {
    let events = call.events();
    let told = call.look()["sequence"].as_u64();
    events.last().map(|event| event.sequence) == told && super::ledger::is_settled(&events)
}

#[test]
fn a_receiver_that_fails_and_stalls_gets_everything_in_order() {
    let rig = Rig::start("");
    let mut count = 0;
    rig.receiver.set_mood(move |_| {
        count += 1;
        match count {
            7 => Mood::Stall,
            _ if is_unlucky(count) && count % 2 == 0 => Mood::Fail,
            _ if is_unlucky(count) => Mood::Close,
            _ => Mood::Accept,
        }
    });
    let url = rig
        .prompts
        .put_samples("a.wav", &sound::rustle(0.3, RATE, 100));
    let call = rig.open();
    for (command, body) in [
        ("answer", json!({})),
        ("playback/start", json!({ "urls": [url] })),
        ("record/start", json!({})),
        ("playback/pause", json!({})),
        ("playback/silence", json!({})),
        ("hangup", json!({})),
    ] {
        // Results come late now: the next command does not wait for them.
        let _ = call.send(command, &body);
    }
    wait::until_within("the whole story", RETRIES_WITHIN, || {
        has_whole_story(&call).then_some(())
    });
    let events = call.settle();
    let deliveries = rig.receiver.deliveries();
    assert!(deliveries.len() > events.len() + 2, "some came again");
    // At any time only the earliest event of a session is on its way.
    let mut accepted = 0;
    for delivery in deliveries.iter().filter(|one| one.session == call.uuid) {
        assert!(delivery.sequence <= accepted + 1, "{delivery:?} came early");
        if delivery.accepted {
            accepted = accepted.max(delivery.sequence);
        }
    }
    let mut stamps: BTreeMap<&str, u64> = BTreeMap::new();
    for delivery in &deliveries {
        let stamp = stamps.entry(&delivery.id).or_default();
        assert!(delivery.timestamp >= *stamp, "each attempt is stamped anew");
        *stamp = delivery.timestamp;
    }
}

/// A receiver that is gone for good is left alone until the application is set anew.
#[test]
fn a_receiver_that_is_gone_is_left_alone() {
    let rig = Rig::start("");
    rig.receiver.set_mood(|_| Mood::Gone);
    let call = rig.open();
    wait::until("the application's stop", || {
        application(&rig)["stopped_at"].is_string().then_some(())
    });
    let before = rig.receiver.count();
    for _ in 0..5 {
        let _ = call.send("answer", &json!({}));
    }
    let _ = call.send("hangup", &json!({}));
    wait::until("the call's end", || {
        (call.look()["state"] == "hung_up").then_some(())
    });
    assert_eq!(rig.receiver.count(), before, "nothing more is sent");
    rig.receiver.set_mood(|_| Mood::Accept);
    rig.set_application(PLENTY, &[]);
    assert!(application(&rig)["stopped_at"].is_null());
    let next = rig.answered();
    let _ = next.hang_up();
    next.settle();
}

/// An application hears of what it asked for, numbered for itself without holes.
#[test]
fn a_filter_leaves_no_holes() {
    let rig = Rig::start("");
    let wanted = ["call.new", "call.hangup", "command.result"];
    rig.set_application(PLENTY, &wanted);
    let call = rig.open();
    call.run("answer", &json!({}));
    let _ = call.hang_up();
    let events = wait::until("the last event", || {
        let events = call.events();
        (events.len() == 4).then_some(events)
    });
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event.sequence, at as u64 + 1, "{}", event.body);
        assert!(wanted.contains(&&*event.event), "{}", event.body);
    }
}

/// What could not be delivered for a day is kept, listed, and delivered when somebody says so,
/// under its id.
#[test]
fn dead_letters_are_replayed() {
    let mut rig = Rig::start("");
    rig.receiver.set_mood(|_| Mood::Fail);
    let uuid = {
        let call = rig.open();
        let _ = call.send("hangup", &json!({}));
        wait::until("a delivery", || (rig.receiver.count() > 0).then_some(()));
        call.uuid.clone()
    };
    rig.daemon.kill();
    // A day and an hour later.
    rig.daemon
        .set_wrapper(&["faketime", "--exclude-monotonic", "-f", "+25h"]);
    rig.daemon.start();
    let list = |what: &[&str]| {
        let mut arguments = vec!["webhooks", "list", "--tenant", TENANT];
        arguments.extend_from_slice(what);
        rig.daemon.json(&arguments)
    };
    let dead = wait::until_within("dead letters", RETRIES_WITHIN, || {
        let list = list(&["--dead"]);
        let items = support::field(&list, "items")?.as_array()?.clone();
        (items.len() >= 3).then_some(items)
    });
    assert!(
        dead.iter()
            .any(|letter| letter.to_string().contains("call.new"))
    );
    rig.receiver.set_mood(|_| Mood::Accept);
    let replay = ["webhooks", "replay", "--tenant", TENANT, "--all", "--yes"];
    let _ = rig.daemon.json(&replay);
    let events = wait::until_within("the replayed events", RETRIES_WITHIN, || {
        let events = rig.receiver.of(&uuid);
        let last = events.iter().map(|event| event.sequence).max();
        (events.len() >= dead.len() && last == Some(events.len() as u64)).then_some(events)
    });
    let mut failed: BTreeMap<u64, String> = BTreeMap::new();
    for delivery in rig.receiver.deliveries() {
        let id = failed
            .entry(delivery.sequence)
            .or_insert_with(|| delivery.id.clone());
        assert_eq!(*id, delivery.id, "the id stays");
    }
    let names: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(names.iter().filter(|name| **name == "call.new").count(), 1);
    let left = list(&["--dead"]);
    let left = support::field(&left, "items").and_then(|items| items.as_array().cloned());
    assert_eq!(left.map(|items| items.len()), Some(0));
}

/// Ten thousand events wait for a receiver that is away: commands are answered as ever, and all
/// of them come when it is back.
#[test]
fn a_long_queue_harms_nobody() {
    let mut rig = Rig::start("");
    rig.receiver.stop();
    let mut sessions: Vec<(String, u64)> = Vec::new();
    let mut slowest = Duration::ZERO;
    let mut waiting = 0;
    while waiting < WAITING {
        let call = rig.open();
        let mut client = rig.daemon.client(Transport::Plain1);
        // Each is refused by the session in an event of its own.
        let request = Rig::request("POST", &call.path("record/resume")).body(b"{}");
        for _ in 0..500 {
            let (answer, took) = wait::timed(|| client.send(&request));
            assert_eq!(answer.status, 202, "{}", answer.text());
            slowest = slowest.max(took);
        }
        let answer = call.command("hangup", &json!({}));
        assert_eq!(answer.status, 202, "{}", answer.text());
        let told = wait::until("the call's end", || {
            let look = call.look();
            (look["state"] == "hung_up").then(|| support::number(&look, "sequence"))
        });
        sessions.push((call.uuid.clone(), told));
        waiting += usize::try_from(told).expect("few events");
    }
    assert!(
        slowest < ANSWER_WITHIN,
        "the slowest command took {slowest:?}"
    );
    let list = rig.daemon.json(&["webhooks", "list", "--tenant", TENANT]);
    let shown = support::number(&list, "waiting");
    assert_eq!(shown, sessions.iter().map(|(_, told)| told).sum::<u64>());

    rig.receiver.restart();
    wait::until_within("ten thousand events", RETRIES_WITHIN, || {
        (rig.receiver.count() >= waiting).then_some(())
    });
    let mut places: BTreeMap<String, u64> = BTreeMap::new();
    for event in rig.receiver.accepted() {
        let place = places.entry(event.session.clone()).or_default();
        assert_eq!(event.sequence, *place + 1, "in order: {}", event.body);
        *place = event.sequence;
    }
    for (uuid, told) in sessions {
        assert_eq!(places.get(&uuid), Some(&told), "session {uuid}");
    }
}
