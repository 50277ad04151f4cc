//! The end of an exchange's line: it rings, tells who calls, is answered, speaks and listens, and
//! hangs up in every way there is.

use audio_io::dahdi::abi;
use audio_io::dsp::caller_id::{self, CallerId, FskParams};
use audio_io::dsp::supervision;
use audio_io::units::{Millis, SampleRate};
use harness::dahdi::Asked;
use harness::{correlate, dtmf, sound, wait};
use serde_json::json;

use super::rig::{Card, PER_MS};
use crate::calls::recording::fetch;
use crate::calls::rig::{Call, Rig};
use crate::support;

const CALLER: &str = "0301234567";

fn caller() -> CallerId {
    CallerId {
        number: CALLER.parse().expect("a number"),
        ..CallerId::default()
    }
}

/// An exchange's message between the first ring and the second.
fn by_fsk() -> Vec<i16> {
    let message = caller_id::mdmf("11301200", &caller());
    caller_id::fsk(SampleRate::TELEPHONE, &FskParams::default(), &message)
}

/// A whole call: ring, number, answer, prompt, keys, both legs recorded, hang-up by the exchange.
#[test]
fn a_call_from_its_ring_to_its_hang_up() {
    let card = Card::trunk("trigger = \"hook\"\n[line.channel]\ncaller_id = \"fsk\"");
    let prompt = sound::rustle(3.0, 8_000, 60);
    let said = sound::rustle(2.0, 8_000, 61);
    let url = card.prompts.put_samples("prompt.wav", &prompt);
    let line = card.double.channel(1);
    card.ring(1);
    card.pass(300);
    card.say(1, &by_fsk());
    let call = card.new_call(0);
    let new = call.wait("call.new");
    assert_eq!(new["caller_id"], CALLER, "{new}");
    assert_eq!(call.look()["state"], "ringing");
    assert!(!line.is_off_hook(), "nobody has answered");
    assert_eq!(card.line("trunk")["channel"]["phase"], "ringing");
    card.ring(1);
    call.run("answer", &json!({}));
    let _ = call.wait("call.answered");
    wait::until("off hook", || line.is_off_hook().then_some(()));
    let own = card.own_recording(&call);
    let body = json!({
        "prompt_files": [url], "min_digits": 2, "max_digits": 4, "max_tries": 1,
        "timeout": 8_000, "terminators": "#",
    });
    let asked = call.run("play_and_get_digits", &body);
    wait::until("the prompt", || {
        let heard = line.heard_samples();
        (heard.len() > 8_000 && correlate::share_heard(&heard, &prompt) > 0.9).then_some(())
    });
    card.say(1, &dtmf::by_sox("42#", -8.0, card.daemon.folder()));
    let collected = call.wait_for("digits.collected", &asked);
    assert_eq!(collected["digits"], "42", "{collected}");
    card.say(1, &said);
    line.far_end(false);
    let hangup = call.wait("call.hangup");
    assert_eq!(hangup["cause"], "NORMAL_CLEARING", "{hangup}");
    assert_eq!(hangup["by"], "line", "{hangup}");
    wait::until("on hook", || (!line.is_off_hook()).then_some(()));
    let completed = call.wait_for("recording.completed", &own);
    let wav = fetch(&card, &completed);
    assert_eq!((wav.channels, wav.rate), (2, 8_000));
    let all = wav.samples();
    let (left, right) = (sound::leg(&all, 0), sound::leg(&all, 1));
    assert!(
        correlate::share_heard(&left, &said) > 0.9,
        "what the caller said"
    );
    assert!(
        correlate::share_heard(&right, &prompt) > 0.9,
        "what was played"
    );
    call.settle();
    let recid = own.trim_start_matches("trigger-");
    let row = card.daemon.json(&["recordings", "show", recid]);
    assert_eq!(support::word(&row, "end_cause"), "hung_up", "{row}");
    assert_eq!(support::word(&row, "from"), CALLER, "{row}");
    let figures = card.line("trunk")["channel"].clone();
    assert_eq!(figures["answered"], 1, "{figures}");
}

/// A number sent as keys before the first ring, as some exchanges do.
#[test]
fn a_number_by_keys_comes_before_the_ring() {
    let card = Card::trunk("trigger = \"api\"\n[line.channel]\ncaller_id = \"dtmf\"");
    let codes = format!("A{CALLER}C");
    card.say(1, &dtmf::by_sox(&codes, -12.0, card.daemon.folder()));
    card.ring(1);
    let call = card.new_call(0);
    let new = call.wait("call.new");
    assert_eq!(new["caller_id"], CALLER, "{new}");
    call.run("answer", &json!({}));
    let _ = call.wait("call.answered");
    let _ = call.hang_up();
    call.settle();
}

/// Nobody tells a number: the call is told all the same once that was waited for.
#[test]
fn a_call_without_a_number_is_told() {
    let rest = "trigger = \"api\"\n[line.channel]\ncaller_id = \"fsk\"\ncaller_id_wait_ms = 1000";
    let card = Card::trunk(rest);
    card.ring(1);
    let call = card.new_call(0);
    assert_eq!(call.wait("call.new")["caller_id"], json!(null));
    call.run("answer", &json!({}));
    let _ = call.hang_up();
    call.settle();
}

/// The caller gives up before anybody answers.
#[test]
fn a_caller_who_gives_up_is_told_so() {
    let card = Card::trunk("trigger = \"hook\"\n[line.channel]\nring_timeout_ms = 2000");
    card.ring(1);
    let call = card.new_call(0);
    let hangup = call.wait("call.hangup");
    assert_eq!(hangup["cause"], "ORIGINATOR_CANCEL", "{hangup}");
    assert_eq!(hangup["answered_ms"], 0, "{hangup}");
    let events = call.settle();
    assert_eq!(events.len(), 2, "not answered, not recorded: {events:?}");
    assert!(!card.double.channel(1).is_off_hook());
}

/// Busy tone is how some exchanges hang up.
#[test]
fn busy_tone_ends_a_call() {
    let card = Card::trunk("trigger = \"hook\"\n[line.channel]\ntone_zone = \"de\"");
    let call = card.answered();
    let zone = supervision::zone("de").expect("Germany");
    let tone = supervision::play(SampleRate::TELEPHONE, zone.busy, -13.0, Millis(8_000));
    card.say(1, &sound::rustle(1.0, 8_000, 62));
    card.double.channel(1).feed_samples(&tone);
    let hangup = call.wait("call.hangup");
    assert_eq!(hangup["by"], "line", "{hangup}");
    assert_eq!(hangup["cause"], "NORMAL_CLEARING", "{hangup}");
    call.settle();
    let line = card.double.channel(1);
    wait::until("on hook", || (!line.is_off_hook()).then_some(()));
}

/// `answer_after_rings`: no application needs to answer.
#[test]
fn a_line_answers_by_itself() {
    let card = Card::trunk("trigger = \"hook\"\n[line.channel]\nanswer_after_rings = 2");
    let line = card.double.channel(1);
    card.ring(1);
    let call = card.new_call(0);
    card.pass(600);
    assert!(call.named("call.answered").is_empty(), "after one ring");
    card.ring(1);
    let _ = call.wait("call.answered");
    wait::until("off hook", || line.is_off_hook().then_some(()));
    line.far_end(false);
    let _ = call.wait("call.hangup");
    call.settle();
}

/// A call outwards: the line is seized, the number dialled, and the line is free after it.
#[test]
fn a_number_is_dialled() {
    let card = Card::trunk("trigger = \"api\"");
    let line = card.double.channel(1);
    let body = json!({ "line": "trunk", "did": "5551" }).to_string();
    let request = Rig::request("POST", "/api/v1/sessions").body(body.as_bytes());
    let answer = card.daemon.ask(&request);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let call = Call::of(&card, support::word(&answer.json(), "session_uuid"));
    let _ = call.wait("call.answered");
    let dialled: Vec<_> = line
        .asked()
        .into_iter()
        .filter_map(|asked| match asked {
            Asked::Dial(number) => Some(number),
            _ => None,
        })
        .collect();
    assert_eq!(dialled.len(), 1, "{dialled:?}");
    assert!(dialled[0].ends_with("5551"), "{dialled:?}");
    assert!(line.is_off_hook());
    let _ = call.hang_up();
    wait::until("on hook", || (!line.is_off_hook()).then_some(()));
    assert_eq!(line.hooks().last(), Some(&abi::ONHOOK));
    call.settle();
    card.pass(1_500);
    let heard = line.heard_samples();
    assert!(heard.len() > 100 * PER_MS, "the line was open");
}
