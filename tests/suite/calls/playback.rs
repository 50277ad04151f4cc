//! What the caller hears: prompts whole, and where pause, resume, seek, restart and silence leave
//! them. Positions are measured in the sound at the caller's end.

use harness::correlate::{self, Place};
use harness::duplex::{Ear, RATE};
use harness::sound;
use serde_json::{Value, json};

use super::rig::{Rig, assert_near, ms, number, samples};

/// What `offset_ms` and `duration_ms` may differ from what was heard.
const TOLD_TOLERANCE_MS: usize = 20;
/// What a seek may differ from what was asked for.
const SEEK_TOLERANCE_MS: usize = 50;
/// A piece of the track.
const PIECE: usize = 400;

/// A sound that stands still for less than this and then goes on was held up by a busy machine.
const HICCUP: usize = samples(400);

/// A stretch of what was heard, through which the known sound went on without a jump.
#[derive(Debug)]
struct Stretch {
    first: Place,
    last: Place,
}

/// What was heard lies so far behind the known sound there.
fn lag(place: Place) -> i64 {
    let signed = |place| i64::try_from(place).expect("short sounds");
    signed(place.heard_at) - signed(place.position)
}

/// The stretches of at least four pieces.
fn stretches(heard: &[i16], known: &[i16]) -> Vec<Stretch> {
    let mut found: Vec<(Stretch, u32)> = Vec::new();
    for place in correlate::track(heard, known, PIECE) {
        if place.likeness < 0.9 {
            continue;
        }
        if let Some((stretch, pieces)) = found.last_mut() {
            let heard = place.heard_at - stretch.last.heard_at;
            let went = place.position.wrapping_sub(stretch.last.position);
            // A piece across a jump may be missing; two are a stretch of their own.
            let goes_on = went.abs_diff(heard) <= 2 && heard <= 3 * PIECE;
            let is_late = went <= heard && heard - went <= HICCUP && went <= 3 * PIECE;
            if goes_on || is_late {
                stretch.last = place;
                *pieces += 1;
                continue;
            }
        }
        let stretch = Stretch {
            first: place,
            last: place,
        };
        found.push((stretch, 1));
    }
    let long = found.into_iter().filter(|(_, pieces)| *pieces >= 4);
    long.map(|(stretch, _)| stretch).collect()
}

/// How many samples were heard, without the quiet between them.
fn audible(heard: &[i16]) -> usize {
    let runs = correlate::loud_runs(heard, samples(15));
    runs.iter().map(ExactSizeIterator::len).sum()
}

fn milliseconds(samples: i64) -> i64 {
    samples * 1_000 / i64::from(RATE)
}

/// Lets so many milliseconds be heard.
fn hear(ear: &mut Ear, ms: usize) {
    ear.wait_for(samples(ms));
}

#[test]
fn a_prompt_is_heard_whole() {
    let rig = Rig::start("");
    let known = sound::rustle(3.0, RATE, 1);
    let url = rig.prompts.put_samples("greeting.wav", &known);
    let call = rig.answered();
    let mut ear = rig.caller(0).listen();
    let uid = call.play(&[&url]);
    let started = call.wait_for("playback.started", &uid);
    assert_eq!(started["urls"], json!([url]));
    assert!(started["file_path"].is_string(), "{started}");
    let stopped = call.wait_for("playback.stopped", &uid);
    ear.wait_for_quiet(4_000);
    let heard = ear.heard();
    let share = correlate::share_heard(&heard, &known);
    assert!(share > 0.95, "only {share} of the prompt was heard");
    assert_near("length", audible(&heard), known.len(), samples(20));
    assert_eq!(stopped["reason"], "completed");
    assert_near(
        "offset_ms",
        number(&stopped, "offset_ms"),
        3_000,
        TOLD_TOLERANCE_MS,
    );
    assert_near(
        "duration_ms",
        number(&stopped, "duration_ms"),
        3_000,
        TOLD_TOLERANCE_MS,
    );
    assert!(call.look()["playback"].is_null());
    let _ = call.hang_up();
    call.settle();
}

/// Pause, resume, seek forward and backward, restart and stop in one prompt.
#[test]
fn positions_are_where_the_commands_put_them() {
    let rig = Rig::start("");
    let known = sound::rustle(30.0, RATE, 2);
    let url = rig.prompts.put_samples("long.wav", &known);
    let call = rig.answered();
    let mut ear = rig.caller(0).listen();
    let uid = call.play(&[&url]);
    let _ = ear.wait_for_sound(0, samples(1_500));
    call.run("playback/pause", &json!({}));
    // Twice is as good as once.
    call.run("playback/pause", &json!({}));
    ear.wait_for_quiet(samples(1_000));
    let held = call.look();
    assert_eq!(held["playback"]["paused"], true, "{held}");
    let held_at = number(&held["playback"], "offset_ms");
    call.run("playback/resume", &json!({}));
    call.run("playback/resume", &json!({}));
    let resumed = ear.frames();
    let _ = ear.wait_for_sound(resumed, samples(1_000));
    call.run("playback/seek", &json!({ "position_ms": 7_000 }));
    hear(&mut ear, 1_500);
    call.run("playback/seek", &json!({ "position_ms": -4_000 }));
    hear(&mut ear, 1_500);
    call.run("playback/restart", &json!({}));
    hear(&mut ear, 1_500);
    // Before the beginning is the beginning.
    call.run("playback/seek", &json!({ "position_ms": -600_000 }));
    hear(&mut ear, 1_500);
    call.run("playback/stop", &json!({}));
    let stopped = call.wait_for("playback.stopped", &uid);
    ear.wait_for_quiet(samples(500));

    check_positions(&ear.heard(), &known, held_at, &stopped);
    let _ = call.hang_up();
    call.settle();
}

/// What was heard: play, pause, resume, 7 s forward, 4 s back, and twice from the beginning.
fn check_positions(heard: &[i16], known: &[i16], held_at: usize, stopped: &Value) {
    let all = stretches(heard, known);
    assert_eq!(all.len(), 6, "{all:?}");
    assert_near("the start", all[0].first.position, 0, samples(100));
    let runs = correlate::loud_runs(heard, samples(800));
    assert_eq!(runs.len(), 2, "{runs:?}");
    // It goes on where it was held: nothing is lost and little is repeated.
    let pause = i64::try_from(runs[1].start - runs[0].end).expect("short");
    let moved = lag(all[1].first) - lag(all[0].last);
    assert!(
        milliseconds(pause - moved).abs() <= 20,
        "a pause of {pause} samples moved the sound by {moved}"
    );
    let place_at =
        |heard_at: usize, place: Place| heard_at - usize::try_from(lag(place)).expect("positive");
    let at_pause = ms(place_at(runs[0].end, all[0].last));
    assert_near("offset_ms while held", held_at, at_pause, TOLD_TOLERANCE_MS);
    for (stretch, wanted) in [(1, -7_000), (2, 4_000)] {
        let moved = milliseconds(lag(all[stretch + 1].first) - lag(all[stretch].last));
        let tolerance = i64::try_from(SEEK_TOLERANCE_MS).expect("short");
        assert!(
            (moved - wanted).abs() <= tolerance,
            "the sound moved by {moved} ms, not {wanted} ms"
        );
    }
    for stretch in [4, 5] {
        let first = all[stretch].first.position;
        assert_near("the beginning", first, 0, samples(120));
    }

    assert_eq!(stopped["reason"], "stopped");
    let offset = ms(place_at(runs[1].end, all[5].last));
    assert_near(
        "offset_ms",
        number(stopped, "offset_ms"),
        offset,
        TOLD_TOLERANCE_MS,
    );
    let length = ms(audible(heard));
    assert_near(
        "duration_ms",
        number(stopped, "duration_ms"),
        length,
        TOLD_TOLERANCE_MS,
    );
}

/// A low tone steps little from sample to sample; a cut without a fade would step far.
#[test]
fn cuts_do_not_click() {
    let rig = Rig::start("");
    let tone = sound::tone(200.0, 0.5, RATE, 30.0);
    let url = rig.prompts.put_samples("tone.wav", &tone);
    let call = rig.answered();
    let mut ear = rig.caller(0).listen();
    let _ = call.play(&[&url]);
    let _ = ear.wait_for_sound(0, samples(300));
    for round in 0..4 {
        call.run("playback/pause", &json!({}));
        hear(&mut ear, 130 + round);
        call.run("playback/resume", &json!({}));
        hear(&mut ear, 170);
        call.run(
            "playback/seek",
            &json!({ "position_ms": 1_001 + 3 * round }),
        );
        hear(&mut ear, 150);
    }
    call.run("playback/restart", &json!({}));
    hear(&mut ear, 300);
    // Another sound takes its place; then silence does.
    let _ = call.play(&[&url]);
    hear(&mut ear, 300);
    call.run("playback/silence", &json!({}));
    ear.wait_for_quiet(samples(300));
    let largest = correlate::largest_step(&ear.heard());
    // The tone's own largest step, and what a fade of 8 ms adds to it.
    let own = correlate::largest_step(&tone);
    let fade = 0.5 / 64.0;
    assert!(
        largest < own * 1.1 + fade,
        "a step of {largest}; the tone has {own}"
    );
    let _ = call.hang_up();
    call.settle();
}

#[test]
fn files_follow_one_another_without_a_gap() {
    let rig = Rig::start("");
    let known = sound::rustle(5.0, RATE, 3);
    let cuts = [0, samples(1_777), samples(2_001), known.len()];
    let urls: Vec<String> = cuts
        .windows(2)
        .enumerate()
        .map(|(at, cut)| {
            let name = format!("part{at}.wav");
            rig.prompts.put_samples(&name, &known[cut[0]..cut[1]])
        })
        .collect();
    let call = rig.answered();
    let mut ear = rig.caller(0).listen();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let uid = call.play(&urls);
    let stopped = call.wait_for("playback.stopped", &uid);
    ear.wait_for_quiet(samples(500));
    let heard = ear.heard();
    assert_eq!(stopped["urls"], json!(urls));
    assert_near(
        "duration_ms",
        number(&stopped, "duration_ms"),
        5_000,
        TOLD_TOLERANCE_MS,
    );
    let share = correlate::share_heard(&heard, &known);
    assert!(share > 0.95, "only {share} was heard");
    let places = correlate::track(&heard, &known, PIECE);
    for seam in &cuts[1..3] {
        // The pieces around it; the one that holds it is among them.
        let near: Vec<i64> = places
            .iter()
            .filter(|place| place.position.abs_diff(*seam) <= 3 * PIECE)
            .map(|place| lag(*place))
            .collect();
        let moved = near.iter().max().zip(near.iter().min());
        let moved = moved.map(|(most, least)| most - least);
        assert!(moved.is_some_and(|moved| moved <= 1), "at {seam}: {near:?}");
    }
    assert_near("length", audible(&heard), known.len(), samples(20));
    let _ = call.hang_up();
    call.settle();
}

#[test]
fn a_later_wish_takes_the_place_of_an_earlier_one() {
    let rig = Rig::start("");
    let (one, two) = (sound::rustle(20.0, RATE, 4), sound::rustle(3.0, RATE, 5));
    let urls = [
        rig.prompts.put_samples("one.wav", &one),
        rig.prompts.put_samples("two.wav", &two),
    ];
    let call = rig.answered();
    let mut ear = rig.caller(0).listen();
    let first = call.play(&[&urls[0]]);
    let _ = ear.wait_for_sound(0, samples(800));
    let second = call.play(&[&urls[1]]);
    assert_eq!(
        call.wait_for("playback.stopped", &first)["reason"],
        "replaced"
    );
    assert_eq!(
        call.wait_for("playback.stopped", &second)["reason"],
        "completed"
    );
    let third = call.play(&[&urls[0]]);
    let silence = call.run("playback/silence", &json!({}));
    assert_eq!(
        call.wait_for("playback.stopped", &third)["reason"],
        "replaced"
    );
    ear.wait_for_quiet(samples(500));
    let held = call.send("playback/pause", &json!({}));
    let result = call.result(&held);
    assert_eq!(
        result["success"], false,
        "silence has no positions: {result}"
    );
    let heard = ear.heard();
    let begun = correlate::find(&heard, &two[..samples(300)]);
    let share = correlate::share_heard(&heard[begun.at..], &two);
    assert!(share > 0.9, "only {share} of it was heard");
    let _ = call.hang_up();
    let stopped = call.wait_for("playback.stopped", &silence);
    assert_eq!(stopped["reason"], "hangup");
    assert!(stopped["urls"].is_null(), "{stopped}");
    call.settle();
}

#[test]
fn playback_begins_and_ends_where_it_is_told() {
    let rig = Rig::start("");
    let known = sound::rustle(4.0, RATE, 6);
    let url = rig.prompts.put_samples("a.wav", &known);
    let call = rig.answered();
    let mut ear = rig.caller(0).listen();
    let uid = call.run("playback/start", &json!({ "urls": [url], "offset_sec": 2 }));
    let stopped = call.wait_for("playback.stopped", &uid);
    assert_near(
        "offset_ms",
        number(&stopped, "offset_ms"),
        4_000,
        TOLD_TOLERANCE_MS,
    );
    assert_near(
        "duration_ms",
        number(&stopped, "duration_ms"),
        2_000,
        TOLD_TOLERANCE_MS,
    );
    ear.wait_for_quiet(samples(300));
    let found = correlate::find(
        &known,
        &ear.heard()[ear.wait_for_sound(0, 4_000)..][..4_000],
    );
    assert_near("the first sample", found.at, samples(2_000), samples(10));

    let uid = call.play(&[&url]);
    call.run("playback/seek", &json!({ "position_ms": 9_000_000 }));
    let stopped = call.wait_for("playback.stopped", &uid);
    assert_eq!(stopped["reason"], "completed", "past the end is the end");
    for (command, body) in [
        ("playback/pause", json!({})),
        ("playback/resume", json!({})),
        ("playback/seek", json!({ "position_ms": 1 })),
        ("playback/restart", json!({})),
    ] {
        let result = call.result(&call.send(command, &body));
        assert_eq!(result["success"], false, "{command}: {result}");
        assert_eq!(result["error"], "no playback is active", "{command}");
    }
    let _ = call.hang_up();
    call.settle();
}
