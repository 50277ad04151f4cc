//! What goes wrong with cards: alarms, unplugging, and channels that cannot be used.

use audio_io::dahdi::{Channel, abi};
use harness::dahdi::{DahdiDouble, SpanSpec, Spec};
use harness::http::Request;
use harness::{correlate, sound};

use super::rig::Card;
use crate::calls::recording::fetch;

/// What ends a call of the trunk, its cause, and that nothing recorded is lost.
fn ends_a_call(fault: impl Fn(&Card), cause: &str) -> Card {
    let card = Card::trunk("trigger = \"hook\"");
    let said = sound::rustle(2.0, 8_000, 90);
    {
        let call = card.answered();
        let own = card.own_recording(&call);
        card.say(1, &said);
        card.pass(200);
        fault(&card);
        let hangup = call.wait("call.hangup");
        assert_eq!(hangup["cause"], cause, "{hangup}");
        let wav = fetch(&card, &call.wait_for("recording.completed", &own));
        let left = sound::leg(&wav.samples(), 0);
        let share = correlate::share_heard(&left, &said);
        assert!(share > 0.9, "only {share} of what was said before");
        call.settle();
    }
    card
}

/// The line takes the next call.
fn works_again(card: &Card) {
    card.wait_for_lines();
    let call = card.answered();
    let _ = call.hang_up();
    call.settle();
}

/// A red alarm in mid-call: the call ends with its cause, `lines` and `/metrics` tell it, and the
/// line works once it is over.
#[test]
fn an_alarm_ends_the_call_and_passes() {
    let card = ends_a_call(
        |card| card.double.alarm(1, abi::ALARM_RED),
        "NETWORK_OUT_OF_ORDER",
    );
    card.wait_for_line("trunk", "the alarm", |line| {
        line["channel"]["alarms"][0] == "red"
    });
    let metrics = card.daemon.ask(&Request::get("/metrics")).text();
    let wanted = "callreel_channel_alarm{line=\"trunk\",tenant=\"acme\",alarm=\"red\"} 1";
    assert!(metrics.contains(wanted), "{metrics}");
    let text = card.daemon.cli(&["lines"]).success().stdout;
    assert!(text.contains("DAHDI 1 (span 1) terminate"), "{text}");
    card.double.alarm(1, 0);
    card.wait_for_line("trunk", "the alarm's end", |line| {
        line["channel"]["alarms"]
            .as_array()
            .is_some_and(Vec::is_empty)
    });
    works_again(&card);
}

/// The card is pulled out in mid-call, and comes back.
#[test]
fn a_card_that_is_pulled_out_comes_back_by_itself() {
    let card = ends_a_call(|card| card.double.remove_span(1), "DEVICE_LOST");
    card.wait_for_line("trunk", "the loss", |line| line["state"] == "lost");
    card.double.restore_span(1);
    works_again(&card);
}

/// Channels that cannot be used say which, why and what to do; all others work.
#[test]
fn bad_channels_are_told_and_good_ones_work() {
    let mut signalling = vec![abi::SIG_FXSKS; 4];
    signalling[1] = abi::SIG_NONE;
    signalling[2] = abi::SIG_HARDHDLC;
    let spec = Spec::new(vec![SpanSpec {
        signalling,
        ..SpanSpec::new("FXO", 4, abi::SIG_FXSKS)
    }]);
    let trigger = "trigger = \"hook\"";
    let card = Card::start(
        &spec,
        &[
            ("trunk", &format!("dahdi = \"1\"\n{trigger}")),
            ("bare", &format!("dahdi = \"2\"\n{trigger}")),
            ("data", &format!("dahdi = \"3\"\n{trigger}")),
            (
                "phone",
                &format!("dahdi = \"4\"\nrole = \"station\"\n{trigger}"),
            ),
            ("none", &format!("dahdi = \"99\"\n{trigger}")),
        ],
    );
    for (name, words) in [
        ("bare", &["2", "dahdi_cfg", "system.conf"][..]),
        ("data", &["3", "HDLC"]),
        ("phone", &["4", "fxsks"]),
        ("none", &["99", "lsdahdi"]),
    ] {
        card.wait_for_line(name, &format!("why {name} cannot be used"), |line| {
            let error = line["error"].as_str().unwrap_or_default();
            words.iter().all(|word| error.contains(word))
        });
    }
    let call = card.answered();
    assert_eq!(call.look()["line"], "trunk");
    let _ = call.hang_up();
    call.settle();
}

/// A channel that a PBX has: that it can be tapped, and that it is taken once it is free.
#[test]
fn a_channel_that_is_taken_is_told() {
    let spec = Spec::new(vec![SpanSpec::new("FXO", 2, abi::SIG_FXSKS)]);
    let double = DahdiDouble::start(&spec);
    let pbx = Channel::open(double.folder(), 1).expect("the PBX's channel");
    let trigger = "trigger = \"hook\"";
    let card = Card::on(
        double,
        &[
            ("trunk", &format!("dahdi = \"1\"\n{trigger}")),
            ("other", &format!("dahdi = \"2\"\n{trigger}")),
        ],
    );
    card.wait_for_line("trunk", "who has it", |line| {
        let error = line["error"].as_str().unwrap_or_default();
        ["channel 1", "role = \"tap\""]
            .iter()
            .all(|word| error.contains(word))
    });
    card.wait_for_line("other", "its own channel", |line| {
        line["state"] == "running"
    });
    drop(pbx);
    works_again(&card);
}
