//! Keys that the caller presses: as frames of the protocol, as tones in the sound, and as both.

use harness::audiosocket::PbxCall;
use harness::{dtmf, sound, wait};
use serde_json::{Value, json};

use super::rig::Pbx;
use crate::calls::rig::{Call, samples};

/// How loud each key of sox is, in dB.
const KEY_GAIN_DB: f64 = -8.0;

fn told(call: &Call<'_>) -> String {
    let digits = call.named("dtmf").into_iter();
    digits
        .map(|data| data["digit"].as_str().unwrap_or("?").to_owned())
        .collect()
}

fn wait_for_keys(call: &Call<'_>, count: usize) -> String {
    wait::until("the keys", || {
        let keys = told(call);
        (keys.len() >= count).then_some(keys)
    })
}

/// Asks for two to four keys.
fn ask(pbx: &Pbx, call: &Call<'_>) -> String {
    let prompt = sound::rustle(0.5, 8_000, 41);
    let body = json!({
        "prompt_files": [pbx.prompts.put_samples("question.wav", &prompt)],
        "min_digits": 2, "max_digits": 4, "max_tries": 1, "timeout": 5_000, "terminators": "#",
    });
    call.run("play_and_get_digits", &body)
}

fn collected(call: &Call<'_>, uid: &str) -> Value {
    call.wait_for("digits.collected", uid)
}

#[test]
fn frames_of_the_protocol_are_keys() {
    let pbx = Pbx::start("trigger = \"api\"");
    let (call, peer) = pbx.call();
    let uid = ask(&pbx, &call);
    for key in "12#".chars() {
        peer.press(key);
    }
    let collected = collected(&call, &uid);
    assert_eq!(collected["digits"], "12", "{collected}");
    assert_eq!(collected["terminator"], "#", "{collected}");
    assert_eq!(collected["status"], "success", "{collected}");
    assert_eq!(told(&call), "12#");
    let _ = call.hang_up();
    call.settle();
}

#[test]
fn tones_in_the_sound_are_keys() {
    let pbx = Pbx::start("trigger = \"api\"");
    let (call, peer) = pbx.call();
    let uid = ask(&pbx, &call);
    peer.say_all(&dtmf::by_sox("579#", KEY_GAIN_DB, pbx.daemon.folder()));
    let collected = collected(&call, &uid);
    assert_eq!(collected["digits"], "579", "{collected}");
    assert_eq!(told(&call), "579#");
    let _ = call.hang_up();
    call.settle();
}

/// A key that comes both ways was pressed once; the same key pressed twice, twice.
#[test]
fn a_key_that_comes_both_ways_is_told_once() {
    let pbx = Pbx::start("trigger = \"api\"");
    let (call, peer) = pbx.call();
    for key in "447".chars() {
        both_ways(&peer, key, &pbx);
    }
    assert_eq!(wait_for_keys(&call, 3), "447");
    // What was told twice would have been told by now.
    peer.say_all(&vec![0; samples(1_500)]);
    assert_eq!(told(&call), "447");
    let _ = call.hang_up();
    call.settle();
}

/// The PBX tells a key at its end, as it does, and leaves its tone in the sound.
fn both_ways(peer: &PbxCall, key: char, pbx: &Pbx) {
    let tone = dtmf::by_sox(&key.to_string(), KEY_GAIN_DB, pbx.daemon.folder());
    let end = tone.iter().rposition(|sample| *sample != 0).unwrap_or(0);
    peer.say_all(&tone[..=end]);
    peer.press(key);
    peer.say_all(&vec![0; samples(500)]);
}
