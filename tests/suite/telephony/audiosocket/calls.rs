//! A connection is a call: it begins, is heard of, and ends on either side.

use harness::audiosocket::End;
use harness::http::Request;
use harness::{correlate, sound, wait};
use serde_json::json;
use uuid::Uuid;

use super::rig::{Pbx, heard_when, is_over};
use crate::calls::ledger;
use crate::calls::rig::{Call, Rig, samples};

/// The peer's UUID is the session's, the call is answered from its beginning, and the PBX's
/// hang-up ends it.
#[test]
fn the_pbx_hands_a_call_over_and_takes_it_back() {
    let pbx = Pbx::start("trigger = \"api\"\nto = \"100\"");
    let uuid = Uuid::new_v4();
    assert_eq!(pbx.line(0)["channel"]["off_hook"], false);
    let (call, peer) = pbx.call_named(uuid);
    let new = call.wait("call.new");
    assert_eq!(new["line"], "pbx", "{new}");
    assert_eq!(new["did"], "100", "{new}");
    let look = call.look();
    assert_eq!(look["state"], "answered", "{look}");
    wait::until("the line's hook", || {
        let line = pbx.line(0);
        let channel = &line["channel"];
        assert_eq!(channel["signalling"], "socket", "{line}");
        assert_eq!(channel["listen"], pbx.address.to_string(), "{line}");
        (channel["off_hook"] == true && line["session_uuid"] == uuid.to_string()).then_some(())
    });
    peer.hang_up();
    let hangup = call.wait("call.hangup");
    assert_eq!(hangup["cause"], "NORMAL_CLEARING", "{hangup}");
    assert_eq!(hangup["by"], "line", "{hangup}");
    let events = call.settle();
    let names: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(names, ["call.new", "call.answered", "call.hangup"]);
    wait::until("the line's hook", || {
        (pbx.line(0)["channel"]["off_hook"] == false).then_some(())
    });
    assert_eq!(pbx.listener()["calls"], 1);
    let metrics = pbx.daemon.ask(&Request::get("/metrics")).text();
    let wanted = format!(
        "callreel_audiosocket_connections_total{{listen=\"{}\",outcome=\"call\"}} 1",
        pbx.address
    );
    assert!(metrics.contains(&wanted), "{metrics}");
}

/// The application hangs up: the peer is told by the protocol's frame, then the connection closes.
#[test]
fn a_command_ends_the_call_at_the_pbx() {
    let pbx = Pbx::start("trigger = \"api\"");
    let (call, peer) = pbx.call();
    let hangup = call.hang_up();
    assert_eq!(hangup["by"], "command", "{hangup}");
    assert_eq!(peer.ended(), End::HungUp);
    call.settle();
    wait::until("the line's hook", || {
        (pbx.line(0)["channel"]["off_hook"] == false).then_some(())
    });
    let (next, _peer) = pbx.call();
    assert_eq!(next.look()["state"], "answered");
}

/// A connection that breaks is told apart from a hang-up, and the line takes the next call.
#[test]
fn a_broken_connection_ends_the_call_with_its_cause() {
    let pbx = Pbx::start("trigger = \"api\"");
    let (call, peer) = pbx.call();
    peer.say_all(&sound::rustle(0.5, 8_000, 1));
    peer.reset();
    let hangup = call.wait("call.hangup");
    assert_eq!(hangup["cause"], "NORMAL_TEMPORARY_FAILURE", "{hangup}");
    assert_eq!(hangup["by"], "line", "{hangup}");
    call.settle();
    let (next, _peer) = pbx.call();
    assert_eq!(next.look()["state"], "answered");
}

/// What the application plays is heard at the other end, whole and in time.
#[test]
fn prompts_are_heard_by_the_pbx() {
    let pbx = Pbx::start("trigger = \"api\"");
    let prompt = sound::rustle(4.0, 8_000, 2);
    let url = pbx.prompts.put_samples("prompt.wav", &prompt);
    let (call, peer) = pbx.call();
    let uid = call.play(&[&url]);
    let stopped = call.wait_for("playback.stopped", &uid);
    assert_eq!(stopped["reason"], "completed", "{stopped}");
    let heard = heard_when(&peer, |heard| is_over(heard, samples(300)));
    let share = correlate::share_heard(&heard, &prompt);
    assert!(share > 0.9, "only {share} of the prompt");
    let _ = call.hang_up();
    call.settle();
}

/// Two calls at once are two lines, and neither hears the other.
#[test]
fn calls_at_once_keep_apart() {
    let pbx = Pbx::start("trigger = \"api\"\nlines = 2");
    let prompts: Vec<_> = (0..2)
        .map(|at| sound::rustle(2.0, 8_000, 10 + at))
        .collect();
    let calls: Vec<_> = (0..2).map(|_| pbx.call()).collect();
    let lines: Vec<_> = calls
        .iter()
        .map(|(call, _)| call.look()["line"].clone())
        .collect();
    assert!(
        lines.contains(&json!("pbx-1")) && lines.contains(&json!("pbx-2")),
        "{lines:?}"
    );
    for ((call, _), (at, prompt)) in calls.iter().zip(prompts.iter().enumerate()) {
        let url = pbx.prompts.put_samples(&format!("{at}.wav"), prompt);
        let _ = call.play(&[&url]);
    }
    for (at, (call, peer)) in calls.iter().enumerate() {
        let _ = call.wait("playback.stopped");
        let heard = heard_when(peer, |heard| is_over(heard, samples(300)));
        assert!(correlate::share_heard(&heard, &prompts[at]) > 0.9);
        let other = correlate::find(&heard, &prompts[1 - at][..samples(300)]);
        assert!(other.likeness < 0.6, "{other:?}");
    }
}

/// A call outwards cannot be made over AudioSocket, and the answer says so.
#[test]
fn the_pbx_cannot_be_called() {
    let pbx = Pbx::start("trigger = \"api\"");
    let body = json!({ "line": "pbx" }).to_string();
    let request = Rig::request("POST", "/api/v1/sessions").body(body.as_bytes());
    let answer = pbx.daemon.ask(&request);
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert!(
        answer.text().contains("takes calls only"),
        "{}",
        answer.text()
    );
    let (call, _peer) = pbx.call();
    assert_eq!(call.look()["state"], "answered");
}

/// The daemon dies in mid-call: the call has its end at the next start, and the line works.
#[test]
fn a_crash_ends_the_call_once() {
    let mut pbx = Pbx::start("trigger = \"hook\"");
    let (uuid, peer) = {
        let (call, peer) = pbx.call();
        peer.say_all(&sound::rustle(2.0, 8_000, 20));
        (call.uuid.clone(), peer)
    };
    pbx.daemon_mut().kill();
    drop(peer);
    pbx.daemon_mut().start();
    pbx.wait_for_lines();
    let call = Call::of(&pbx, uuid);
    let hangup = call.wait("call.hangup");
    assert_eq!(hangup["cause"], "CRASH", "{hangup}");
    let _ = call.wait("recording.completed");
    ledger::check(&call.uuid, &call.events());
    let (next, _peer) = pbx.call();
    assert_eq!(next.look()["state"], "answered");
}
