//! Calls outwards on FXO lines.

use super::*;

fn fxo() -> Bench {
    Bench::new(HookKind::Fxo, options())
}

#[test]
fn dial_tone_is_waited_for_and_the_number_dialled() {
    let mut line = fxo();
    assert_eq!(
        line.call(Some("+1 555".replace(' ', "").as_str())),
        ["OffHook"]
    );
    line.run(1_600);
    assert_eq!(line.heard(Tone::Dial), ["dial T1555"]);
    line.run(600);
    assert_eq!(line.event(ChannelEvent::DialComplete), ["answered"]);
    assert_eq!(line.event(ChannelEvent::DialComplete), [""; 0]);
    assert_eq!(line.hang_up(), ["OnHook"]);
    assert_eq!(line.call(Some("1,2w3")), [""; 0], "it rests first");
    assert_eq!(line.run(1_000), ["OffHook"]);
    assert_eq!(line.run(3_000), ["dial T1W2W3"], "no dial tone was heard");
    assert_eq!(line.hang_up(), ["StopDial", "OnHook"]);
}

#[test]
fn that_dialling_is_complete_may_be_overlooked() {
    let mut line = fxo();
    line.call(Some("12"));
    line.run(3_000);
    assert_eq!(line.run(3_780), [""; 0]);
    assert_eq!(line.run(20), ["answered"]);
}

#[test]
fn what_cannot_be_dialled_is_told_before_the_line_is_seized() {
    let mut line = fxo();
    let long = "1".repeat(64);
    for number in ["", "+", "12a", "1 2", "1-2", "sip:x", "１", &long] {
        let is_valid = number == "12a";
        let told = line.call(Some(number));
        if is_valid {
            assert_eq!(told, ["OffHook"], "a key of the fourth column");
            line.hang_up();
            line.run(1_000);
        } else {
            assert_eq!(told, ["ended INVALID_NUMBER_FORMAT"], "{number:?}");
        }
    }
}

#[test]
fn a_line_without_a_number_is_seized_and_its_dial_tone_heard() {
    let mut line = fxo();
    assert_eq!(line.call(None), ["OffHook", "answered"]);
    assert_eq!(line.heard(Tone::Dial), [""; 0]);
    let over = line.heard(Tone::Congestion);
    assert_eq!(over, ["ended NORMAL_CLEARING", "OnHook"]);
}

#[test]
fn tones_after_dialling_say_how_it_went() {
    let dialled = || {
        let mut line = fxo();
        line.call(Some("12"));
        line.heard(Tone::Dial);
        assert_eq!(line.heard(Tone::Dial), [""; 0], "its end");
        line.event(ChannelEvent::DialComplete);
        line
    };
    let cases = [
        (Tone::Busy, "ended USER_BUSY"),
        (Tone::Congestion, "ended NORMAL_CIRCUIT_CONGESTION"),
        (Tone::Dial, "ended NORMAL_CLEARING"),
    ];
    for (tone, told) in cases {
        let mut line = dialled();
        line.run(10_000);
        assert_eq!(line.heard(tone), [told, "OnHook"]);
        let mut line = dialled();
        line.run(90_000);
        assert_eq!(line.heard(tone), ["ended NORMAL_CLEARING", "OnHook"]);
    }
    let mut line = fxo();
    line.call(Some("12"));
    let over = line.heard(Tone::Congestion);
    assert_eq!(over, ["ended NORMAL_CIRCUIT_CONGESTION", "OnHook"]);
}

#[test]
fn glare_gives_the_line_to_who_rings() {
    let mut line = fxo();
    line.machine.attach().unwrap();
    let glare = line.event(ChannelEvent::RingBegin);
    assert_eq!(glare, ["ended REQUESTED_CHAN_UNAVAIL", "rings"]);
    assert_eq!(in_words(&line.machine.place(line.now, Some("1"))), [""; 0]);
    let mut line = fxo();
    line.call(Some("12"));
    line.run(400);
    let glare = line.event(ChannelEvent::Ring);
    let told = ["ended REQUESTED_CHAN_UNAVAIL", "began"];
    assert_eq!(glare, told, "it is answered by our going off hook");
    assert_eq!(line.run(10_000), [""; 0], "nothing is dialled");
    assert_eq!(line.hang_up(), ["OnHook"]);
    let mut line = fxo();
    line.call(Some("12"));
    line.heard(Tone::Dial);
    let glare = line.event(ChannelEvent::Ring);
    assert_eq!(glare, ["StopDial", "ended REQUESTED_CHAN_UNAVAIL", "began"]);
}

#[test]
fn a_far_end_that_answers_and_hangs_up_by_reversals() {
    let mut line = fxo();
    line.call(Some("12"));
    line.heard(Tone::Dial);
    line.event(ChannelEvent::DialComplete);
    line.run(20_000);
    assert_eq!(line.event(ChannelEvent::Polarity), [""; 0]);
    line.run(20_000);
    let over = line.event(ChannelEvent::Polarity);
    assert_eq!(over, ["ended NORMAL_CLEARING", "OnHook"]);
}

#[test]
fn a_disconnect_or_a_refusal_while_dialling() {
    let mut line = fxo();
    line.call(Some("12"));
    line.heard(Tone::Dial);
    let over = line.event(ChannelEvent::OnHook);
    assert_eq!(over, ["ended NORMAL_CLEARING", "StopDial", "OnHook"]);
    line.run(1_000);
    line.call(Some("12"));
    line.heard(Tone::Dial);
    let (order, errno) = (RefusedOrder::Dial, 16);
    let over = line.event(ChannelEvent::Refused { order, errno });
    let told = ["ended NORMAL_TEMPORARY_FAILURE", "StopDial", "OnHook"];
    assert_eq!(over, told);
}
