//! A line whose calls begin by themselves: voice opens a session, silence ends it, and what the
//! line records by itself obeys the session's commands.

use harness::duplex::{Caller, RATE};
use harness::process::{self, Guarded};
use harness::wav::Wav;
use harness::{correlate, sound, wait};
use serde_json::{Value, json};

use super::recording::fetch;
use super::rig::{Call, Rig, samples};
use crate::support;

const VOX: &str = "trigger = \"vox\"\npre_roll_ms = 500\n\
     vox = { start_dbfs = -40.0, stop_dbfs = -46.0, attack_ms = 60, hang_ms = 1500 }\n";

/// Speech at telephone quality, of about four seconds.
fn speech(rig: &Rig) -> Vec<i16> {
    let folder = rig.daemon.folder();
    let (raw, made) = (folder.join("speech-raw.wav"), folder.join("speech.wav"));
    let (raw, made) = (raw.to_string_lossy(), made.to_string_lossy());
    let text = "Good morning, this is the front desk speaking. What can I do for you today?";
    let _ = process::run("espeak-ng", &["-v", "en-us", "-w", &raw, text]);
    let telephone = [
        "-r", "8000", "-c", "1", "-b", "16", &made, "gain", "-n", "-6",
    ];
    let arguments: Vec<&str> = [raw.as_ref()].into_iter().chain(telephone).collect();
    let _ = process::run("sox", &arguments);
    Wav::parse(&std::fs::read(&*made).expect("speech")).samples()
}

/// A daemon with the line.
fn start() -> Rig {
    Rig::with(&[("desk", VOX)])
}

/// Says something and waits for the session that it opens.
fn call_of<'a>(rig: &'a Rig, caller: &Caller, spoken: &[i16]) -> (Call<'a>, Guarded) {
    let player = caller.say(spoken);
    let seen = rig.receiver.accepted().len();
    let uuid = wait::until("a session", || {
        let new = rig.receiver.accepted().into_iter().skip(seen);
        let mut new = new.filter(|event| event.event == "call.new");
        new.next().map(|event| event.session)
    });
    (Call::of(rig, uuid), player)
}

fn own_recording(call: &Call<'_>) -> String {
    let started = call.wait("recording.started");
    let uid = support::word(&started, "command_uid");
    assert!(uid.starts_with("trigger-"), "{uid}");
    uid
}

/// Nobody asked for anything: the call is told, recorded and over.
#[test]
fn voice_opens_a_session_and_silence_ends_it() {
    let rig = start();
    let spoken = speech(&rig);
    let caller = rig.caller(0);
    let (call, _player) = call_of(&rig, &caller, &spoken);
    let uid = own_recording(&call);
    let hangup = call.wait("call.hangup");
    assert_eq!(hangup["by"], "line", "{hangup}");
    let completed = call.wait_for("recording.completed", &uid);
    let wav = fetch(&rig, &completed);
    assert_eq!(wav.channels, 2);
    let all = wav.samples();
    let (left, right) = (sound::leg(&all, 0), sound::leg(&all, 1));
    let found = correlate::find(&left, &spoken);
    assert!(found.likeness > 0.95, "{found:?}");
    assert!(
        correlate::loud_runs(&right, 800).is_empty(),
        "nothing played"
    );
    let events = call.settle();
    let names: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(names[..2], ["call.new", "call.answered"], "{names:?}");
    let recid = uid.trim_start_matches("trigger-");
    let row = rig.daemon.json(&["recordings", "show", recid]);
    assert_eq!(support::word(&row, "session_uuid"), call.uuid);
}

/// The application plays into the call, which holds it, ends the line's own recording, makes one
/// of its own, and hangs up.
#[test]
fn a_call_that_began_by_itself_obeys_commands() {
    let rig = start();
    let spoken = speech(&rig);
    let caller = rig.caller(0);
    let mut ear = caller.listen();
    let (call, _player) = call_of(&rig, &caller, &spoken);
    let own = own_recording(&call);
    let prompt = sound::rustle(30.0, RATE, 60);
    let url = rig.prompts.put_samples("prompt.wav", &prompt);
    let playback = call.play(&[&url]);
    let _ = ear.wait_for_sound(0, samples(500));
    call.run("record/pause", &json!({}));
    assert_eq!(call.wait_for("recording.paused", &own)["mode"], "silence");
    call.run("record/resume", &json!({}));
    call.run("record/stop", &json!({}));
    let completed = call.wait_for("recording.completed", &own);
    let own_length = fetch(&rig, &completed).frames();
    // Longer than the silence that would end the call: the prompt holds it.
    ear.wait_for(samples(6_000));
    assert_eq!(call.look()["state"], "answered");
    let uid = call.run("record/start", &json!({}));
    let _ = call.wait_for("recording.started", &uid);
    ear.wait_for(samples(1_000));
    call.run("hangup", &json!({ "cause": "CALL_REJECTED" }));
    let hangup = call.wait("call.hangup");
    assert_eq!(hangup["cause"], "CALL_REJECTED", "{hangup}");
    assert_eq!(hangup["by"], "command", "{hangup}");
    let stopped = call.wait_for("playback.stopped", &playback);
    assert_eq!(stopped["reason"], "hangup");
    let completed = call.wait_for("recording.completed", &uid);
    let wav = fetch(&rig, &completed);
    assert!(wav.frames() > 7_000 && own_length > 4_000);
    let events = call.settle();
    let recordings = events
        .iter()
        .filter(|event| event.event == "recording.started");
    assert_eq!(recordings.count(), 2);
    let none: Vec<Value> = call.named("recording.failed");
    assert!(none.is_empty(), "{none:?}");
    // The next voice is the next call.
    ear.wait_for(samples(2_500));
    let (next, _player) = call_of(&rig, &caller, &spoken);
    assert_ne!(next.uuid, call.uuid);
    let _ = next.wait("call.hangup");
    next.settle();
}
