//! The sound card is pulled out in mid-call: one defined end, nothing lost of what was recorded,
//! and a new call once it is back.

use std::time::Duration;

use harness::duplex::RATE;
use harness::{correlate, sound, wait};
use serde_json::json;

use super::recording::fetch;
use super::rig::{Call, Rig, samples};

/// A device is lost after ten seconds without a frame; more than that, on a busy machine.
const LOST_WITHIN: Duration = Duration::from_secs(90);

#[test]
fn a_lost_device_ends_the_call_once() {
    let mut rig = Rig::start("");
    let prompt = sound::rustle(60.0, RATE, 70);
    let url = rig.prompts.put_samples("prompt.wav", &prompt);
    let spoken = sound::rustle(2.0, RATE, 71);
    let (uuid, playback, recording) = {
        let caller = rig.caller(0);
        let call = rig.answered();
        let mut ear = caller.listen();
        let recording = call.run("record/start", &json!({}));
        let _ = call.wait_for("recording.started", &recording);
        let playback = call.play(&[&url]);
        caller.say_all(&[spoken.as_slice(), &[0; 4_000]].concat());
        ear.wait_for(samples(1_500));
        (call.uuid.clone(), playback, recording)
    };
    rig.duplex.unplug();
    {
        let call = Call::of(&rig, uuid);
        let ((), took) = wait::timed(|| {
            wait::until_within("the call's end", LOST_WITHIN, || {
                (!call.named("call.hangup").is_empty()).then_some(())
            });
        });
        // Not at the first missing block: a cable that is put back at once ends nothing.
        assert!(took > Duration::from_secs(5), "after {took:?}");
        let hangup = call.wait("call.hangup");
        assert_eq!(hangup["cause"], "DEVICE_LOST", "{hangup}");
        assert_eq!(hangup["by"], "device", "{hangup}");
        let _ = call.wait_for("playback.stopped", &playback);
        let completed = call.wait_for("recording.completed", &recording);
        let wav = fetch(&rig, &completed);
        let all = wav.samples();
        let said = correlate::find(&sound::leg(&all, 0), &spoken);
        assert!(said.likeness > 0.95, "{said:?}");
        let right = sound::leg(&all, 1);
        let share = correlate::share_heard(&right, &prompt[..samples(1_500)]);
        assert!(share > 0.9, "only {share} of what was played");
        let late = call.command("playback/start", &json!({ "urls": [url] }));
        assert_eq!(late.status, 409, "{}", late.text());
        call.settle();
    }
    rig.duplex.plug();
    rig.wait_for_lines();
    rig.wait_for_pace();
    let call = rig.answered();
    let mut ear = rig.caller(0).listen();
    let _ = call.play(&[&url]);
    let from = ear.wait_for_sound(0, samples(1_200));
    let heard = ear.heard();
    let found = correlate::find(&prompt, &heard[from..from + samples(300)]);
    assert!(found.likeness > 0.95, "{found:?}");
    let _ = call.hang_up();
    call.settle();
}

/// A call cannot be opened on a line without its device, and the answer says so.
#[test]
fn a_line_without_its_device_takes_no_call() {
    let mut rig = Rig::start("");
    rig.duplex.unplug();
    wait::until("the line's loss", || {
        let lines = rig.daemon.json(&["lines"]);
        (lines["items"][0]["state"] == "lost").then_some(())
    });
    let body = json!({ "line": "desk" }).to_string();
    let request = Rig::request("POST", "/api/v1/sessions").body(body.as_bytes());
    let answer = rig.daemon.ask(&request);
    assert!([409, 503].contains(&answer.status), "{}", answer.text());
    assert_eq!(answer.json()["success"], false);
    rig.duplex.plug();
    rig.wait_for_lines();
    let call = rig.answered();
    let _ = call.hang_up();
    call.settle();
}
