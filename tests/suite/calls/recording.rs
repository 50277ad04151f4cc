//! Recordings of calls: both legs as they sounded, pauses, masked keys, and their ends.

use harness::correlate;
use harness::dtmf;
use harness::duplex::RATE;
use harness::http::Request;
use harness::sound;
use harness::wav::Wav;
use serde_json::{Value, json};

use super::rig::{Call, Office, Rig, assert_near, ms, number, samples};
use crate::support;

/// Fetches what `recording.completed` points to.
pub(crate) fn fetch(rig: &Office, completed: &Value) -> Wav {
    let url = completed["recording_url"].as_str().expect("a URL");
    let rest = url.split_once("://").expect("an absolute URL").1;
    let path = &rest[rest.find('/').expect("a path")..];
    assert!(path.starts_with("/media/"), "{url}");
    let answer = rig.daemon.ask(&Request::get(path));
    assert_eq!(answer.status, 200, "{url}: {}", answer.text());
    let wav = Wav::parse(&answer.body);
    let frames = usize::try_from(wav.frames()).expect("a short recording");
    let told = number(completed, "duration_ms");
    assert_near("duration_ms", told, frames * 1_000 / wav.rate as usize, 1);
    let seconds = number(completed, "duration");
    assert_eq!(seconds, (told + 500) / 1_000, "{completed}");
    wav
}

/// Both legs of what `recording.completed` points to.
fn legs(rig: &Rig, completed: &Value) -> (Vec<i16>, Vec<i16>) {
    let wav = fetch(rig, completed);
    assert_eq!((wav.channels, wav.rate), (2, RATE), "stereo");
    let all = wav.samples();
    (sound::leg(&all, 0), sound::leg(&all, 1))
}

fn stop(call: &Call<'_>, uid: &str) -> Value {
    call.run("record/stop", &json!({}));
    call.wait_for("recording.completed", uid)
}

/// The marks of one kind of a session's only recording.
fn marks(call: &Call<'_>, kind: &str) -> Vec<Value> {
    let recordings = call.look()["recordings"].clone();
    let list = recordings.as_array().expect("recordings");
    assert_eq!(list.len(), 1, "{recordings}");
    let all = list[0]["marks"].as_array().expect("marks").clone();
    all.into_iter()
        .filter(|mark| mark["kind"] == kind)
        .collect()
}

/// Left is the caller, right what the caller heard.
#[test]
fn both_legs_are_recorded_as_they_sounded() {
    let rig = Rig::start("");
    let (spoken, prompt) = (sound::rustle(2.5, RATE, 50), sound::rustle(3.0, RATE, 51));
    let url = rig.prompts.put_samples("prompt.wav", &prompt);
    let caller = rig.caller(0);
    let call = rig.answered();
    let mut ear = caller.listen();
    let uid = call.run("record/start", &json!({}));
    let _ = call.wait_for("recording.started", &uid);
    let again = call.send("record/start", &json!({}));
    let refused = call.result(&again);
    assert_eq!(refused["success"], false, "one at a time: {refused}");
    let playback = call.play(&[&url]);
    caller.say_all(&[&[0; 2_000], spoken.as_slice(), &[0; 4_000]].concat());
    let _ = call.wait_for("playback.stopped", &playback);
    ear.wait_for(samples(700));
    let completed = stop(&call, &uid);
    let (left, right) = legs(&rig, &completed);
    let said = correlate::find(&left, &spoken);
    assert!(said.likeness > 0.95, "left: {said:?}");
    let played = correlate::share_heard(&right, &prompt);
    assert!(played > 0.95, "right: {played}");
    let foreign = correlate::find(&left, &prompt[..8_000]).likeness;
    assert!(foreign < 0.5, "the prompt is not on the left: {foreign}");
    let heard = ear.heard();
    let in_ear = correlate::share_heard(&heard, &prompt);
    assert!(in_ear > 0.95, "in the caller's ear: {in_ear}");

    let row = &call.look()["recordings"][0];
    assert_eq!(row["state"], "completed", "{row}");
    assert_eq!(row["command_uid"], uid.as_str());
    let shown = rig
        .daemon
        .json(&["recordings", "show", &support::word(row, "recid")]);
    let session = support::word(&shown, "session_uuid");
    assert_eq!(session, call.uuid);
    let _ = call.hang_up();
    call.settle();
}

/// A pause keeps the timeline, or leaves it out, as it is told.
#[test]
fn pauses_keep_or_skip_the_time() {
    for (mode, kind) in [("silence", "paused"), ("skip", "skipped")] {
        let rig = Rig::start("");
        let prompt = sound::rustle(20.0, RATE, 52);
        let url = rig.prompts.put_samples("prompt.wav", &prompt);
        let call = rig.answered();
        let mut ear = rig.caller(0).listen();
        let _ = call.play(&[&url]);
        let _ = ear.wait_for_sound(0, samples(200));
        let uid = call.run("record/start", &json!({}));
        ear.wait_for(samples(1_500));
        let body = match mode {
            // It is the default.
            "silence" => json!({}),
            _ => json!({ "mode": mode }),
        };
        call.run("record/pause", &body);
        assert_eq!(call.wait_for("recording.paused", &uid)["mode"], mode);
        ear.wait_for(samples(2_000));
        call.run("record/resume", &json!({}));
        ear.wait_for(samples(1_500));
        let completed = stop(&call, &uid);
        let (_, right) = legs(&rig, &completed);

        let places = correlate::track(&right, &prompt, 400);
        let sure: Vec<_> = places.iter().filter(|place| place.likeness > 0.9).collect();
        let (first, last) = (sure[0], sure[sure.len() - 1]);
        let recorded = last.heard_at - first.heard_at;
        let passed = last.position - first.position;
        let marks = marks(&call, kind);
        assert_eq!(marks.len(), 1, "{marks:?}");
        let quiet = correlate::loud_runs(&right, samples(500));
        if mode == "silence" {
            // A busy machine may have held the prompt up for a moment; the pause was longer.
            assert_near("the timeline", recorded, passed, samples(500));
            assert_eq!(quiet.len(), 2, "{quiet:?}");
            let pause = ms(quiet[1].start - quiet[0].end);
            assert!(pause >= 1_800, "{pause} ms of silence");
            assert_near(
                "the mark's place",
                number(&marks[0], "at_ms"),
                ms(quiet[0].end),
                30,
            );
            assert_near("the mark", number(&marks[0], "duration_ms"), pause, 30);
        } else {
            let skipped = ms(passed - recorded);
            assert!(skipped >= 1_800, "{skipped} ms are left out");
            assert_eq!(quiet.len(), 1, "{quiet:?}");
        }
        let _ = call.hang_up();
        call.settle();
    }
}

/// The keys' tones are silenced where that is asked for; what was said around them stays.
#[test]
fn keys_are_marked_and_masked() {
    let rig = Rig::start("");
    let folder = rig.daemon.folder();
    let caller = rig.caller(0);
    let spoken = sound::rustle(1.0, RATE, 53);
    let keys = dtmf::by_spandsp("4711", folder);
    let said = [spoken.as_slice(), &keys, &spoken, &[0; 2_000]].concat();
    for mask in [true, false] {
        let call = rig.answered();
        let mut ear = caller.listen();
        let uid = call.run("record/start", &json!({ "mask_digits": mask }));
        let _ = call.wait_for("recording.started", &uid);
        caller.say_all(&said);
        ear.wait_for(samples(700));
        let completed = stop(&call, &uid);
        let (left, _) = legs(&rig, &completed);
        let digits: Vec<Value> = call
            .named("dtmf")
            .iter()
            .map(|key| key["digit"].clone())
            .collect();
        assert_eq!(digits, ["4", "7", "1", "1"], "they are told in any case");
        let begin = correlate::find(&left, &spoken);
        assert!(begin.likeness > 0.9, "{begin:?}");
        let heard = dtmf::heard_by_spandsp(&left, folder);
        let (kind, expected) = match mask {
            true => ("masked", ""),
            false => ("digit", "4711"),
        };
        assert_eq!(heard, expected);
        let marks = marks(&call, kind);
        assert!(!marks.is_empty());
        if mask {
            let shown = call.look().to_string();
            assert!(!shown.contains("\"digit\":\"4\""), "{shown}");
        } else {
            let keys: Vec<&Value> = marks.iter().map(|mark| &mark["digit"]).collect();
            assert_eq!(keys, ["4", "7", "1", "1"]);
            // Where the recording holds the tone.
            for mark in &marks {
                let (low, _) = dtmf::frequencies(
                    mark["digit"]
                        .as_str()
                        .and_then(|key| key.chars().next())
                        .expect("a key"),
                );
                let at = samples(number(mark, "at_ms"));
                let tone = &left[at + samples(30)..at + samples(70)];
                let power = sound::power_at(tone, f64::from(low), RATE);
                assert!(power > -30.0, "{power} dBFS at {mark}");
            }
        }
        let _ = call.hang_up();
        call.settle();
    }
}

/// The call's end is the recording's end; a short one is told as absent.
#[test]
fn a_recording_ends_with_its_call() {
    let rig = Rig::start("min_length_ms = 1500");
    let call = rig.answered();
    let caller = rig.caller(0);
    let short = call.run("record/start", &json!({}));
    let _ = call.wait_for("recording.started", &short);
    call.run("record/stop", &json!({}));
    let _ = call.wait_for("recording.absent", &short);
    let nothing = call.send("record/stop", &json!({}));
    assert_eq!(call.result(&nothing)["success"], false);
    let long = call.run("record/start", &json!({}));
    let _ = call.wait_for("recording.started", &long);
    // Silence alone would be absent too.
    caller.say_all(&sound::rustle(3.0, RATE, 54));
    let _ = call.hang_up();
    let completed = call.wait_for("recording.completed", &long);
    let wav = fetch(&rig, &completed);
    assert!(wav.frames() > 16_000, "{}", wav.frames());
    let events = call.settle();
    let states: Vec<String> = call.look()["recordings"]
        .as_array()
        .expect("recordings")
        .iter()
        .map(|recording| support::word(recording, "state"))
        .collect();
    assert_eq!(states, ["absent", "completed"]);
    let place = |name: &str| events.iter().position(|event| event.event == name);
    assert!(place("call.hangup") < place("recording.completed"));
}
