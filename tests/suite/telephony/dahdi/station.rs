//! A telephone on an FXS port: it is lifted, rung, and put down.

use audio_io::dahdi::abi;
use harness::{correlate, sound, wait};
use serde_json::json;

use super::rig::Card;
use crate::calls::recording::fetch;
use crate::calls::rig::{Call, Rig};
use crate::support;

fn rung(card: &Card) -> Call<'_> {
    let body = json!({ "line": "desk" }).to_string();
    let request = Rig::request("POST", "/api/v1/sessions").body(body.as_bytes());
    let answer = card.daemon.ask(&request);
    assert_eq!(answer.status, 201, "{}", answer.text());
    Call::of(card, support::word(&answer.json(), "session_uuid"))
}

/// Lifting it is a call, which is recorded until it is put down.
#[test]
fn lifting_the_telephone_is_a_call() {
    let card = Card::station("trigger = \"hook\"");
    let line = card.double.channel(1);
    let said = sound::rustle(2.0, 8_000, 70);
    line.far_end(true);
    let call = card.new_call(0);
    let _ = call.wait("call.answered");
    let own = card.own_recording(&call);
    card.wait_for_line("desk", "its hook", |line| {
        line["channel"]["off_hook"] == true
    });
    card.say(1, &said);
    line.far_end(false);
    let hangup = call.wait("call.hangup");
    assert_eq!(hangup["cause"], "NORMAL_CLEARING", "{hangup}");
    let wav = fetch(&card, &call.wait_for("recording.completed", &own));
    let left = sound::leg(&wav.samples(), 0);
    assert!(correlate::share_heard(&left, &said) > 0.9, "what was said");
    call.settle();
}

/// It is rung by command; lifting it answers, and it hears the prompt.
#[test]
fn a_telephone_is_rung_and_answers() {
    let card = Card::station("trigger = \"api\"");
    let line = card.double.channel(1);
    let call = rung(&card);
    wait::until("its ringer", || {
        line.hooks().contains(&abi::RING).then_some(())
    });
    assert!(call.named("call.answered").is_empty());
    line.far_end(true);
    let _ = call.wait("call.answered");
    let prompt = sound::rustle(2.0, 8_000, 71);
    let url = card.prompts.put_samples("prompt.wav", &prompt);
    let _ = call.play(&[&url]);
    wait::until("the prompt", || {
        let heard = line.heard_samples();
        (heard.len() > 8_000 && correlate::share_heard(&heard, &prompt) > 0.9).then_some(())
    });
    let _ = call.hang_up();
    call.settle();
    // It is still lifted: nobody is told of a call that is not one.
    line.far_end(false);
    let next = card.seen();
    line.far_end(true);
    let second = card.new_call(next);
    let _ = second.wait("call.answered");
    line.far_end(false);
    let _ = second.wait("call.hangup");
    second.settle();
}

/// Lifted in the moment in which it is going to be rung: one call, answered.
#[test]
fn glare_is_one_call() {
    let card = Card::station("trigger = \"api\"");
    let line = card.double.channel(1);
    line.far_end(true);
    let body = json!({ "line": "desk" }).to_string();
    let request = Rig::request("POST", "/api/v1/sessions").body(body.as_bytes());
    let answer = card.daemon.ask(&request);
    if answer.status == 201 {
        // Ours was first: lifting answers it, or the one that came in has the line.
        let ours = Call::of(&card, support::word(&answer.json(), "session_uuid"));
        wait::until("what became of it", || {
            let told = ours.named("call.answered").len() + ours.named("call.hangup").len();
            (told > 0).then_some(())
        });
    } else {
        assert_eq!(answer.status, 409, "{}", answer.text());
    }
    wait::until("one call", || {
        let accepted = card.receiver.accepted();
        let count = |name: &str| accepted.iter().filter(|event| event.event == name).count();
        (count("call.answered") == 1).then_some(())
    });
    line.far_end(false);
    card.wait_for_line("desk", "the line's end", |line| {
        line["session_uuid"].is_null()
    });
    let accepted = card.receiver.accepted();
    let count = |name: &str| accepted.iter().filter(|event| event.event == name).count();
    assert_eq!(count("call.answered"), 1);
}
