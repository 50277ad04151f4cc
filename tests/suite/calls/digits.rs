//! Keys that the caller presses, made by sox and by spandsp: told as they are heard, also while a
//! prompt plays, and collected as seed 001 says.

use harness::correlate;
use harness::dtmf::{self, KEY_MS};
use harness::duplex::{Ear, RATE};
use harness::{sound, wait};
use serde_json::{Value, json};

use super::rig::{Call, Rig, assert_near, number, samples};

/// How loud each key of sox is, in dB.
const KEY_GAIN_DB: f64 = -8.0;

fn told(call: &Call<'_>) -> String {
    let digits = call.named("dtmf").into_iter();
    digits
        .map(|data| data["digit"].as_str().unwrap_or("?").to_owned())
        .collect()
}

/// Waits until so many keys were told since the call began.
fn wait_for_keys(call: &Call<'_>, count: usize) -> String {
    wait::until("the keys", || {
        let keys = told(call);
        (keys.len() >= count).then_some(keys)
    })
}

/// Keys are told one by one, with their lengths, while a prompt goes on as if nothing were.
#[test]
fn keys_are_told_while_a_prompt_plays() {
    let rig = Rig::start("");
    let folder = rig.daemon.folder();
    let known = sound::rustle(30.0, RATE, 40);
    let url = rig.prompts.put_samples("long.wav", &known);
    let caller = rig.caller(0);
    let call = rig.answered();
    let mut ear = caller.listen();
    let _ = call.play(&[&url]);
    let from = ear.wait_for_sound(0, samples(500));
    caller.say_all(&dtmf::by_sox("1590#", KEY_GAIN_DB, folder));
    assert_eq!(wait_for_keys(&call, 5), "1590#");
    caller.say_all(&dtmf::by_spandsp("*2A7D", folder));
    assert_eq!(wait_for_keys(&call, 10), "1590#*2A7D");
    for key in call.named("dtmf") {
        let length = number(&key, "duration_ms");
        assert_near("duration_ms", length, KEY_MS as usize, 30);
    }
    let heard = ear.heard();
    let piece = &heard[from..];
    let share = correlate::share_heard(piece, &known[..piece.len().min(known.len())]);
    assert!(share > 0.9, "the prompt is not disturbed: {share}");
    let _ = call.hang_up();
    call.settle();
}

struct Question {
    prompt: Vec<i16>,
    invalid: Vec<i16>,
    body: Value,
}

impl Question {
    /// Two to four keys, two tries of a second and a half.
    fn new(rig: &Rig) -> Self {
        let (prompt, invalid) = (sound::rustle(3.0, RATE, 41), sound::rustle(1.0, RATE, 42));
        let body = json!({
            "prompt_files": [rig.prompts.put_samples("question.wav", &prompt)],
            "invalid_files": [rig.prompts.put_samples("invalid.wav", &invalid)],
            "min_digits": 2, "max_digits": 4, "max_tries": 2, "timeout": 1_500,
            "terminators": "#",
        });
        Self {
            prompt,
            invalid,
            body,
        }
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.body[name] = value;
        self
    }

    /// Asks, and waits until the question is heard.
    fn ask(&self, call: &Call<'_>, ear: &mut Ear) -> String {
        let from = ear.frames();
        let uid = call.run("play_and_get_digits", &self.body);
        let _ = ear.wait_for_sound(from, samples(400));
        uid
    }
}

fn assert_collected(call: &Call<'_>, uid: &str, digits: &str, terminator: &Value, status: &str) {
    let collected = call.wait_for("digits.collected", uid);
    assert_eq!(collected["digits"], digits, "{collected}");
    assert_eq!(collected["terminator"], *terminator, "{collected}");
    assert_eq!(collected["status"], status, "{collected}");
}

/// The first key ends the prompt, and the terminator the collection.
#[test]
fn an_answer_cuts_the_question_short() {
    let rig = Rig::start("");
    let caller = rig.caller(0);
    let call = rig.answered();
    let mut ear = caller.listen();
    let question = Question::new(&rig);
    let from = ear.frames();
    let uid = question.ask(&call, &mut ear);
    caller.say_all(&dtmf::by_spandsp("123#", rig.daemon.folder()));
    assert_collected(&call, &uid, "123", &json!("#"), "success");
    ear.wait_for_quiet(samples(500));
    let heard = &ear.heard()[from..];
    let run = correlate::loud_runs(heard, 800).remove(0);
    assert!(run.len() < question.prompt.len() - samples(500), "{run:?}");
    let found = correlate::find(&question.prompt, &heard[run.start..run.start + 3_000]);
    assert!(found.likeness > 0.95 && found.at < 80, "{found:?}");
    // As many as there may be: no terminator is waited for.
    let uid = question.ask(&call, &mut ear);
    caller.say_all(&dtmf::by_sox("9*74", KEY_GAIN_DB, rig.daemon.folder()));
    assert_collected(&call, &uid, "9*74", &Value::Null, "success");
    assert_eq!(told(&call), "123#9*74");
    let _ = call.hang_up();
    call.settle();
}

/// Too few keys: the invalid sound, then the question once more; then it has failed.
#[test]
fn too_few_keys_are_asked_for_again_and_fail() {
    let rig = Rig::start("");
    let caller = rig.caller(0);
    let call = rig.answered();
    let mut ear = caller.listen();
    let question = Question::new(&rig);
    let from = ear.frames();
    let uid = question.ask(&call, &mut ear);
    let few = dtmf::by_sox("1#", KEY_GAIN_DB, rig.daemon.folder());
    caller.say_all(&few);
    let again = wait::until("the question again", || {
        let heard = &ear.heard()[from..];
        let invalid = (heard.len() > question.invalid.len() + samples(600))
            .then(|| correlate::find(heard, &question.invalid))
            .filter(|found| found.likeness > 0.9)?;
        let after = invalid.at + question.invalid.len();
        (heard.len() > after + samples(700)).then_some(from + after)
    });
    let window = &ear.heard()[again + samples(100)..again + samples(600)];
    let found = correlate::find(&question.prompt, window);
    assert!(found.likeness > 0.95, "{found:?}");
    caller.say_all(&dtmf::by_sox("2#", KEY_GAIN_DB, rig.daemon.folder()));
    assert_collected(&call, &uid, "2", &json!("#"), "failure");
    let _ = call.hang_up();
    call.settle();
}

/// Where a sound was heard from its beginning to its end, each time.
fn occurrences(heard: &[i16], known: &[i16]) -> Vec<(usize, usize)> {
    let (head, tail) = (&known[..samples(300)], &known[known.len() - samples(300)..]);
    let mut left = heard.to_vec();
    let mut found = Vec::new();
    loop {
        let begin = correlate::find(&left, head);
        if begin.likeness < 0.9 {
            break;
        }
        let rest = &left[begin.at..];
        let end = begin.at
            + correlate::find(&rest[..rest.len().min(known.len() + samples(800))], tail).at
            + tail.len();
        left[begin.at..end].fill(0);
        found.push((begin.at, end));
    }
    found.sort_unstable();
    found
}

/// Nobody answers: as many questions as there are tries, then a time-out. Each try's time begins
/// with the end of its question.
#[test]
fn no_answer_is_a_timeout() {
    let rig = Rig::start("");
    let call = rig.answered();
    let mut ear = rig.caller(0).listen();
    let question = Question::new(&rig).with("timeout", json!(1_000));
    let from = ear.frames();
    let uid = question.ask(&call, &mut ear);
    assert_collected(&call, &uid, "", &Value::Null, "timeout");
    ear.wait_for_quiet(samples(500));
    let heard = &ear.heard()[from..];
    let prompts = occurrences(heard, &question.prompt);
    let invalids = occurrences(heard, &question.invalid);
    assert_eq!(
        (prompts.len(), invalids.len()),
        (2, 2),
        "{prompts:?} {invalids:?}"
    );
    for (prompt, invalid) in prompts.iter().zip(&invalids) {
        let pause = invalid.0 - prompt.1;
        assert_near("the try's time", pause, samples(1_000), samples(150));
    }
    assert!(prompts[1].0 > invalids[0].1, "{prompts:?} {invalids:?}");
    let _ = call.hang_up();
    call.settle();
}

/// What cannot be collected ends at once, and what plays goes on.
#[test]
fn a_question_that_is_not_found_ends_as_a_failure() {
    let rig = Rig::start("");
    let call = rig.answered();
    let mut ear = rig.caller(0).listen();
    let known = sound::rustle(20.0, RATE, 43);
    let _ = call.play(&[&rig.prompts.put_samples("long.wav", &known)]);
    let _ = ear.wait_for_sound(0, samples(500));
    for name in ["prompt_files", "invalid_files"] {
        let missing = rig.prompts.url("missing.wav");
        let question = Question::new(&rig).with(name, json!([missing]));
        let uid = call.send("play_and_get_digits", &question.body);
        let not_found = call.wait_for("playback.file_not_found", &uid);
        assert_eq!(not_found["url"], missing);
        let error = not_found["error"].as_str().expect("a reason");
        assert!(error.contains("404"), "{error}");
        assert_collected(&call, &uid, "", &Value::Null, "failure");
        assert_eq!(call.result(&uid)["success"], false);
    }
    let heard = ear.heard();
    let last = &heard[heard.len() - samples(400)..];
    let found = correlate::find(&known, last);
    assert!(found.likeness > 0.95, "it goes on: {found:?}");
    let _ = call.hang_up();
    call.settle();
}
