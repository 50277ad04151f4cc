//! Prompts in every format and at every common sample rate are heard as they sound, and are
//! fetched no more often than their server wants.

use harness::correlate;
use harness::duplex::RATE;
use harness::prompts::encode;
use harness::{sound, wav};
use serde_json::json;

use super::rig::{Rig, assert_near, number, samples};

/// File extension, media type, sample rate.
const FORMATS: [(&str, &str, u32); 6] = [
    ("wav", "audio/wav", 44_100),
    ("mp3", "audio/mpeg", 16_000),
    ("m4a", "audio/mp4", 44_100),
    ("ogg", "audio/ogg", 48_000),
    ("flac", "audio/flac", 22_050),
    ("wav", "audio/x-wav", 8_000),
];

#[test]
fn prompts_of_every_format_are_heard() {
    let rig = Rig::start("");
    let call = rig.answered();
    let mut ear = rig.caller(0).listen();
    for (at, (extension, kind, rate)) in FORMATS.into_iter().enumerate() {
        let seed = 20 + u64::try_from(at).expect("few formats");
        let bytes = encode(
            &sound::rustle(2.0, rate, seed),
            rate,
            extension,
            rig.daemon.folder(),
        );
        let known = sound::rustle(2.0, RATE, seed);
        let url = rig.prompts.put(&format!("f{at}.{extension}"), &bytes, kind);
        let from = ear.frames();
        let uid = call.play(&[&url]);
        let stopped = call.wait_for("playback.stopped", &uid);
        assert_eq!(stopped["reason"], "completed", "{extension}: {stopped}");
        // Encoders may add a part of a frame at either end.
        assert_near(extension, number(&stopped, "duration_ms"), 2_000, 80);
        ear.wait_for_quiet(samples(300));
        let heard = &ear.heard()[from..];
        let share = correlate::share_heard(heard, &known);
        assert!(share > 0.9, "{extension} at {rate} Hz: {share} was heard");
    }
    let _ = call.hang_up();
    call.settle();
}

/// Two channels are both heard.
#[test]
fn both_channels_of_a_prompt_are_heard() {
    let rig = Rig::start("");
    let left = sound::tone(400.0, 0.4, RATE, 1.5);
    let right = sound::tone(1_000.0, 0.4, RATE, 1.5);
    let both: Vec<i16> = left
        .iter()
        .zip(&right)
        .flat_map(|(l, r)| [*l, *r])
        .collect();
    let url = rig
        .prompts
        .put("both.wav", &wav::write(&both, 2, RATE), "audio/wav");
    let call = rig.answered();
    let mut ear = rig.caller(0).listen();
    let uid = call.play(&[&url]);
    let _ = call.wait_for("playback.stopped", &uid);
    ear.wait_for_quiet(samples(300));
    let heard = ear.heard();
    // A short piece: a busy machine may have held the tones up somewhere, and turned their phase.
    let loud = &sound::loud_part(&heard, 0.02)[samples(200)..samples(400)];
    let (low, high) = (
        sound::power_at(loud, 400.0, RATE),
        sound::power_at(loud, 1_000.0, RATE),
    );
    assert!(
        (low - high).abs() < 1.0 && low > -25.0,
        "{low} and {high} dBFS"
    );
    let _ = call.hang_up();
    call.settle();
}

/// A prompt that is fresh is not asked for again; one that is stale is asked for with its tag.
#[test]
fn prompts_are_kept_and_validated() {
    let rig = Rig::start("");
    let bytes = wav::write(&sound::rustle(0.5, RATE, 30), 1, RATE);
    let fresh = rig.prompts.put("fresh.wav", &bytes, "audio/wav");
    let stale = rig
        .prompts
        .put_cached("stale.wav", &bytes, "audio/wav", "no-cache");
    let call = rig.answered();
    for _ in 0..3 {
        let uid = call.run("playback/start", &json!({ "urls": [fresh, stale] }));
        let stopped = call.wait_for("playback.stopped", &uid);
        assert_eq!(stopped["reason"], "completed");
        assert_near("duration_ms", number(&stopped, "duration_ms"), 1_000, 20);
    }
    assert_eq!(rig.prompts.answered("fresh.wav"), [200]);
    assert_eq!(rig.prompts.answered("stale.wav"), [200, 304, 304]);
    // It has changed: the new one is heard.
    let other = wav::write(&sound::rustle(1.0, RATE, 31), 1, RATE);
    let _ = rig
        .prompts
        .put_cached("stale.wav", &other, "audio/wav", "no-cache");
    let uid = call.play(&[&stale]);
    let stopped = call.wait_for("playback.stopped", &uid);
    assert_near("duration_ms", number(&stopped, "duration_ms"), 1_000, 20);
    assert_eq!(rig.prompts.answered("stale.wav"), [200, 304, 304, 200]);
    let _ = call.hang_up();
    call.settle();
}
