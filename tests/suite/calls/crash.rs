//! `kill -9` in the middle of calls and commands, twenty times, with a receiver that fails, stalls
//! and is restarted meanwhile: whatever was acknowledged has its outcome, whatever was begun its
//! one end, and no event is lost, doubled under another id, or out of its place.

use std::time::Duration;

use harness::daemon::TENANT;
use harness::duplex::RATE;
use harness::http::Transport;
use harness::receiver::{Delivery, Mood};
use harness::{sound, wait};
use serde_json::{Value, json};

use super::ledger;
use super::rig::{LINE, Rig};

const ROUNDS: u64 = 20;
/// What all retries at the end may take.
const RETRIES_WITHIN: Duration = Duration::from_secs(400);

/// What was acknowledged of a session: the name and the uid of each command.
struct Acknowledged {
    session: String,
    commands: Vec<(String, String)>,
}

/// Commands that begin things, in an order that differs from round to round.
fn commands(rig: &Rig, round: u64) -> Vec<(&'static str, Value)> {
    let (long, short) = (rig.prompts.url("long.wav"), rig.prompts.url("short.wav"));
    let question = json!({
        "prompt_files": [short], "timeout": 1_000, "max_tries": 2, "min_digits": 1,
    });
    let mut commands = vec![
        ("playback/start", json!({ "urls": [long] })),
        ("record/start", json!({})),
        ("playback/pause", json!({})),
        ("record/pause", json!({})),
        (
            "playback/start",
            json!({ "urls": [rig.prompts.url("missing.wav")] }),
        ),
        ("playback/seek", json!({ "position_ms": 1_000 })),
        ("record/resume", json!({})),
        ("playback/resume", json!({})),
        ("playback/silence", json!({})),
        ("playback/stop", json!({})),
        ("playback/start", json!({ "urls": [short, long] })),
    ];
    match round % 3 {
        0 => commands.insert(0, ("play_and_get_digits", question)),
        1 => commands.rotate_left(4),
        _ => {}
    }
    if round % 5 == 4 {
        commands.push(("hangup", json!({})));
    }
    commands.insert(0, ("answer", json!({})));
    commands
}

/// Opens a call and gives it commands as fast as it takes them; the daemon dies after some of them.
fn one_round(rig: &mut Rig, round: u64) -> Acknowledged {
    let body = json!({ "line": LINE }).to_string();
    let request = Rig::request("POST", "/api/v1/sessions").body(body.as_bytes());
    let mut client = rig.daemon.client(Transport::Plain1);
    let answer = wait::until("a free line", || {
        let answer = client.send(&request);
        (answer.status != 503).then_some(answer)
    });
    assert_eq!(answer.status, 201, "{}", answer.text());
    let session = crate::support::word(&answer.json(), "session_uuid");
    let mut acknowledged = Acknowledged {
        session: session.clone(),
        commands: Vec::new(),
    };
    let last = usize::try_from(round % 12).expect("small") + 1;
    for (at, (name, mut body)) in commands(rig, round).into_iter().take(last).enumerate() {
        let uid = format!("round-{round}-{at}");
        body["command_uid"] = uid.clone().into();
        let target = format!("/api/v1/sessions/{session}/commands/{name}");
        let request = Rig::request("POST", &target).body(body.to_string().as_bytes());
        let answer = wait::until("the end of a pause", || {
            let answer = client.send(&request);
            (answer.status != 429).then_some(answer)
        });
        assert_eq!(answer.status, 202, "{name}: {}", answer.text());
        acknowledged.commands.push((name.to_owned(), uid));
    }
    // Some rounds die at once, in some the caller hears a little before.
    if round % 4 == 1 {
        let mut ear = rig.caller(0).listen();
        ear.wait_for(RATE as usize / 2);
    }
    if round % 7 == 3 {
        rig.receiver.stop();
    }
    rig.daemon.kill();
    if round % 7 == 5 {
        rig.receiver.restart();
    }
    rig.daemon.start();
    rig.wait_for_lines();
    acknowledged
}

/// Whether a session's whole story has come.
fn is_complete(events: &[Delivery], acknowledged: &Acknowledged) -> bool {
    let has_result = |uid: &str| {
        events.iter().any(|event| {
            event.event == "command.result" && event.body["data"]["command_uid"] == uid
        })
    };
    let highest = events.iter().map(|event| event.sequence).max();
    highest == Some(events.len() as u64)
        && events.iter().any(|event| event.event == "call.hangup")
        && ledger::is_settled(events)
        && acknowledged.commands.iter().all(|(_, uid)| has_result(uid))
}

#[test]
fn twenty_deaths_lose_no_event() {
    let mut rig = Rig::start("");
    let _ = rig
        .prompts
        .put_samples("long.wav", &sound::rustle(20.0, RATE, 110));
    let _ = rig
        .prompts
        .put_samples("short.wav", &sound::rustle(0.2, RATE, 111));
    let mut count = 0_u64;
    rig.receiver.set_mood(move |_| {
        count += 1;
        match count % 10 {
            // One in fifty stalls until the daemon dies or gives up.
            3 if count % 50 == 3 => Mood::Stall,
            3 | 6 => Mood::Fail,
            9 => Mood::Close,
            _ => Mood::Accept,
        }
    });
    let rounds: Vec<Acknowledged> = (0..ROUNDS)
        .map(|round| one_round(&mut rig, round))
        .collect();

    rig.receiver.restart();
    rig.receiver.set_mood(|_| Mood::Accept);
    wait::until_within("the last event of each call", RETRIES_WITHIN, || {
        let all = rig.receiver.accepted();
        let complete = rounds.iter().all(|round| {
            let mut own = all.clone();
            own.retain(|event| event.session == round.session);
            is_complete(&own, round)
        });
        complete.then_some(())
    });
    for round in &rounds {
        let events = rig.receiver.of(&round.session);
        ledger::check(&round.session, &events);
        ledger::check_commands(&events, &round.commands);
    }
    // Nothing came under a second id, and nothing of a session that nobody opened.
    let all = rig.receiver.accepted();
    let known = all
        .iter()
        .filter(|event| rounds.iter().any(|round| round.session == event.session));
    assert_eq!(known.count(), all.len());
    let causes: Vec<&str> = all
        .iter()
        .filter(|event| event.event == "call.hangup")
        .filter_map(|event| event.body["data"]["cause"].as_str())
        .collect();
    assert_eq!(causes.len(), rounds.len());
    assert!(causes.contains(&"CRASH"), "{causes:?}");
    let list = rig.daemon.json(&["webhooks", "list", "--tenant", TENANT]);
    assert_eq!(crate::support::number(&list, "dead"), 0, "{list}");
    let report = rig.daemon.json(&["check"]);
    let problems = crate::support::field(&report, "problems").and_then(Value::as_array);
    assert!(problems.is_none_or(Vec::is_empty), "{report}");
}
