//! Recordings of AudioSocket calls: both legs, measured; every rate; calls recorded by `hook`.

use harness::audiosocket::PbxCall;
use harness::sound::{self, leg};
use harness::{correlate, wait};
use serde_json::json;
use uuid::Uuid;

use super::rig::{Pbx, heard_when};
use crate::calls::recording::fetch;
use crate::calls::rig::{assert_near, ms, samples};
use crate::support;

/// Left is what the PBX sent, right what was played, side by side.
#[test]
fn both_legs_are_recorded_side_by_side() {
    let pbx = Pbx::start("trigger = \"api\"");
    let prompt = sound::rustle(3.0, 8_000, 30);
    let said = sound::rustle(3.0, 8_000, 31);
    let url = pbx.prompts.put_samples("prompt.wav", &prompt);
    let (call, peer) = pbx.call();
    let uid = call.run("record/start", &json!({}));
    let _ = call.wait_for("recording.started", &uid);
    let _ = call.play(&[&url]);
    peer.say_all(&said);
    let _ = call.wait("playback.stopped");
    call.run("record/stop", &json!({}));
    let completed = call.wait_for("recording.completed", &uid);
    let wav = fetch(&pbx, &completed);
    assert_eq!((wav.channels, wav.rate), (2, 8_000));
    let all = wav.samples();
    let (left, right) = (leg(&all, 0), leg(&all, 1));
    let share = correlate::share_heard(&left, &said);
    assert!(share > 0.9, "only {share} of what was said");
    let share = correlate::share_heard(&right, &prompt);
    assert!(share > 0.9, "only {share} of what was played");
    let other = correlate::find(&left, &prompt[..samples(300)]);
    assert!(other.likeness < 0.6, "the prompt is on the left: {other:?}");
    let _ = call.hang_up();
    call.settle();
}

/// `hook`: each call is one recording, as long as the call, with the reason of its end.
#[test]
fn hook_records_each_call_whole() {
    let pbx = Pbx::start("trigger = \"hook\"");
    for seed in [32, 33] {
        let said = sound::rustle(3.0, 8_000, seed);
        let (call, peer) = pbx.call();
        let started = call.wait("recording.started");
        let uid = support::word(&started, "command_uid");
        peer.say_all(&said);
        peer.hang_up();
        let completed = call.wait_for("recording.completed", &uid);
        let wav = fetch(&pbx, &completed);
        let left = leg(&wav.samples(), 0);
        let share = correlate::share_heard(&left, &said);
        assert!(share > 0.9, "only {share} of what was said");
        assert_near("duration_ms", ms(left.len()), 3_000, 400);
        call.settle();
        let recid = uid.trim_start_matches("trigger-");
        let row = pbx.daemon.json(&["recordings", "show", recid]);
        assert_eq!(support::word(&row, "end_cause"), "hung_up", "{row}");
        assert_eq!(support::word(&row, "session_uuid"), call.uuid);
    }
    let list = pbx.daemon.json(&["recordings", "list"]);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2), "{list}");
}

/// The pitch of the longest sound, in its middle.
fn pitch(samples: &[i16], rate: u32) -> f64 {
    let runs = correlate::loud_runs(samples, rate as usize / 50);
    let longest = runs.into_iter().max_by_key(ExactSizeIterator::len);
    let run = longest.expect("a sound");
    let quarter = run.len() / 4;
    let middle = &samples[run.start + quarter..run.end - quarter];
    assert!(middle.len() > rate as usize / 8, "too short to measure");
    sound::frequency(middle, rate).unwrap_or_default()
}

/// A peer of this rate on a line of that one: tones keep their pitch both ways.
fn tones_keep_their_pitch(peer_hz: u32, line_hz: u32) {
    let pbx = Pbx::start(&format!("trigger = \"hook\"\nrate = {line_hz}"));
    let prompt = sound::tone(1_000.0, 0.3, 8_000, 2.0);
    let url = pbx.prompts.put_samples("tone.wav", &prompt);
    let uuid = Uuid::new_v4();
    let peer = PbxCall::connect_at(pbx.address, uuid.into_bytes(), peer_hz);
    let call = pbx.call_of(uuid);
    peer.say_all(&sound::tone(700.0, 0.3, peer_hz, 1.0));
    let uid = call.send("playback/start", &json!({ "urls": [url] }));
    let _ = call.wait_for("playback.started", &uid);
    peer.say_all(&sound::tone(700.0, 0.3, peer_hz, 1.0));
    let _ = call.wait("playback.stopped");
    let heard = heard_when(&peer, |heard| {
        sound::loud_part(heard, 0.05).len() > peer_hz as usize * 3 / 2
    });
    let at_peer = pitch(&heard, peer_hz);
    assert!(
        (at_peer - 1_000.0).abs() < 5.0,
        "{peer_hz} on {line_hz}: {at_peer} Hz heard"
    );
    peer.hang_up();
    let uid = support::word(&call.wait("recording.started"), "command_uid");
    let wav = fetch(&pbx, &call.wait_for("recording.completed", &uid));
    assert_eq!(wav.rate, line_hz);
    let left = pitch(&leg(&wav.samples(), 0), line_hz);
    assert!(
        (left - 700.0).abs() < 5.0,
        "{peer_hz} on {line_hz}: {left} Hz recorded"
    );
    call.settle();
}

#[test]
fn a_peer_of_16_khz_on_a_line_of_8() {
    tones_keep_their_pitch(16_000, 8_000);
}

#[test]
fn a_peer_of_48_khz_on_a_line_of_16() {
    tones_keep_their_pitch(48_000, 16_000);
}

#[test]
fn a_peer_of_8_khz_on_a_line_of_48() {
    tones_keep_their_pitch(8_000, 48_000);
}

/// Sound that comes in bursts is put in order; what is silent for a moment ends nothing.
#[test]
fn bursts_and_pauses_end_no_call() {
    let pbx = Pbx::start("trigger = \"hook\"");
    let said = sound::rustle(1.0, 8_000, 34);
    let (call, peer) = pbx.call();
    peer.burst(&said[..samples(80)]);
    peer.say_all(&said[samples(80)..]);
    peer.mute(true);
    let frames = || support::number(&pbx.line(0), "frames");
    let before = frames();
    wait::until("the line's time, which goes on", || {
        (frames() > before + 8_000).then_some(())
    });
    peer.mute(false);
    assert_eq!(call.look()["state"], "answered");
    peer.hang_up();
    let uid = support::word(&call.wait("recording.started"), "command_uid");
    let wav = fetch(&pbx, &call.wait_for("recording.completed", &uid));
    let share = correlate::share_heard(&leg(&wav.samples(), 0), &said);
    assert!(share > 0.9, "only {share} of what was said");
    call.settle();
}
