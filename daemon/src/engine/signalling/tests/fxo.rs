//! FXO: rings, callers' numbers, disconnects and tones.

use super::*;

fn fxo() -> Bench {
    Bench::new(HookKind::Fxo, options())
}

fn with_caller_id() -> Bench {
    let caller_id = Some(Duration::from_millis(3_500));
    Bench::new(
        HookKind::Fxo,
        Options {
            caller_id,
            ..options()
        },
    )
}

#[test]
fn a_call_from_ring_to_disconnect() {
    let mut line = fxo();
    assert_eq!(line.event(ChannelEvent::RingBegin), ["rings"]);
    assert_eq!(line.run(2_000), [""; 0]);
    assert_eq!(line.event(ChannelEvent::Ring), [""; 0]);
    assert_eq!(line.answer(), ["OffHook", "answered"]);
    assert_eq!(line.answer(), [""; 0], "only once");
    assert_eq!(
        line.event(ChannelEvent::Ring),
        [""; 0],
        "the ring that was on"
    );
    line.run(5_000);
    let over = line.event(ChannelEvent::OnHook);
    assert_eq!(over, ["ended NORMAL_CLEARING", "OnHook"]);
    assert_eq!(line.event(ChannelEvent::OnHook), [""; 0]);
    assert_eq!(line.event(ChannelEvent::RingBegin), ["rings"], "another");
}

#[test]
fn the_callers_number_is_waited_for_after_the_first_ring_and_no_longer() {
    let mut line = with_caller_id();
    assert_eq!(line.event(ChannelEvent::RingBegin), [""; 0]);
    line.run(2_000);
    assert_eq!(line.event(ChannelEvent::Ring), [""; 0]);
    line.run(1_000);
    assert_eq!(line.caller_id("5550001"), ["rings from 5550001"]);
    assert_eq!(line.caller_id("5550002"), [""; 0], "told already");
    line.hang_up();
    line.run(10_000);
    line.event(ChannelEvent::Ring);
    assert_eq!(line.run(3_480), [""; 0]);
    assert_eq!(line.run(20), ["rings"]);
    assert_eq!(line.caller_id("5550003"), [""; 0], "too late");
}

#[test]
fn a_number_before_the_ring_is_told_at_once_and_is_not_kept_for_another_call() {
    let mut line = with_caller_id();
    assert_eq!(line.event(ChannelEvent::Polarity), [""; 0]);
    assert_eq!(line.caller_id("5550001"), [""; 0]);
    line.run(500);
    assert_eq!(line.event(ChannelEvent::RingBegin), ["rings from 5550001"]);
    line.run(8_000);
    line.event(ChannelEvent::Ring);
    assert_eq!(line.run(3_500), ["rings"]);
    line.run(8_000);
    line.caller_id("5550002");
    line.run(10_000);
    line.event(ChannelEvent::Ring);
    assert_eq!(line.run(3_500), ["rings"], "that number's call never came");
}

#[test]
fn a_caller_who_gives_up_is_told_and_a_bounce_is_not() {
    let mut line = fxo();
    line.event(ChannelEvent::RingBegin);
    line.run(2_000);
    line.event(ChannelEvent::Ring);
    assert_eq!(line.run(7_980), [""; 0]);
    assert_eq!(line.run(20), ["ended ORIGINATOR_CANCEL"]);
    let mut line = with_caller_id();
    line.event(ChannelEvent::RingBegin);
    assert_eq!(line.run(20_000), [""; 0], "a bounce of the line");
    let mut line = Bench::new(
        HookKind::Fxo,
        Options {
            caller_id: Some(Duration::from_secs(10)),
            ..options()
        },
    );
    line.event(ChannelEvent::Ring);
    let told = line.run(8_000);
    assert_eq!(
        told,
        ["rings", "ended ORIGINATOR_CANCEL"],
        "a call all the same"
    );
    assert_eq!(line.run(20_000), [""; 0]);
}

#[test]
fn what_rings_on_after_it_was_rejected_is_no_new_call() {
    let mut line = fxo();
    line.event(ChannelEvent::RingBegin);
    assert_eq!(line.hang_up(), [""; 0]);
    for _ in 0..5 {
        assert_eq!(line.run(6_000), [""; 0]);
        assert_eq!(line.event(ChannelEvent::RingBegin), [""; 0]);
        assert_eq!(line.event(ChannelEvent::Ring), [""; 0]);
    }
    line.run(8_000);
    assert_eq!(line.event(ChannelEvent::RingBegin), ["rings"]);
}

#[test]
fn it_answers_by_itself_after_so_many_rings() {
    let mut line = Bench::new(
        HookKind::Fxo,
        Options {
            answer_after_rings: 2,
            caller_id: Some(Duration::from_secs(10)),
            ..options()
        },
    );
    line.event(ChannelEvent::RingBegin);
    line.run(2_000);
    assert_eq!(line.event(ChannelEvent::Ring), [""; 0]);
    line.run(4_000);
    let answered = line.event(ChannelEvent::Ring);
    assert_eq!(answered, ["rings", "OffHook", "answered"]);
}

#[test]
fn tones_end_a_call_that_came_in_however_they_are_called() {
    for tone in [Tone::Busy, Tone::Congestion, Tone::Dial] {
        let mut line = fxo();
        line.event(ChannelEvent::RingBegin);
        assert_eq!(line.heard(tone), [""; 0], "not in a call");
        line.answer();
        line.run(1_000);
        assert_eq!(line.heard(tone), ["ended NORMAL_CLEARING", "OnHook"]);
        assert_eq!(line.heard(tone), [""; 0]);
    }
    let hears_tones = false;
    let mut deaf = Bench::new(
        HookKind::Fxo,
        Options {
            hears_tones,
            ..options()
        },
    );
    deaf.event(ChannelEvent::RingBegin);
    deaf.answer();
    assert_eq!(deaf.heard(Tone::Busy), [""; 0]);
}

#[test]
fn a_reversal_hangs_up_only_after_one_at_the_answer() {
    let mut line = fxo();
    line.event(ChannelEvent::RingBegin);
    line.event(ChannelEvent::Polarity);
    line.answer();
    line.run(3_000);
    assert_eq!(
        line.event(ChannelEvent::Polarity),
        [""; 0],
        "none at the answer"
    );
    assert_eq!(line.event(ChannelEvent::Polarity), [""; 0]);
    line.hang_up();
    line.run(9_000);
    line.event(ChannelEvent::RingBegin);
    line.answer();
    line.run(1_000);
    assert_eq!(line.event(ChannelEvent::Polarity), [""; 0]);
    line.run(60_000);
    let over = line.event(ChannelEvent::Polarity);
    assert_eq!(over, ["ended NORMAL_CLEARING", "OnHook"]);
}

#[test]
fn an_alarm_ends_the_call_and_keeps_others_away_until_it_is_over() {
    let mut line = fxo();
    line.event(ChannelEvent::RingBegin);
    line.answer();
    let over = line.event(ChannelEvent::Alarm { alarms: 8 });
    assert_eq!(over, ["ended NETWORK_OUT_OF_ORDER", "OnHook"]);
    assert_eq!(line.event(ChannelEvent::RingBegin), [""; 0]);
    assert_eq!(line.machine.attach(), Err(Cause::NetworkOutOfOrder));
    line.event(ChannelEvent::AlarmOver);
    assert_eq!(line.event(ChannelEvent::RingBegin), ["rings"]);
    let over = line.event(ChannelEvent::Alarm { alarms: 8 });
    assert_eq!(over, ["ended NETWORK_OUT_OF_ORDER"]);
}

#[test]
fn a_channel_that_goes_ends_its_call_and_is_ordered_nothing() {
    let mut line = fxo();
    line.event(ChannelEvent::RingBegin);
    line.answer();
    let gone = ChannelEvent::Gone { errno: 19 };
    assert_eq!(line.event(gone), ["ended DEVICE_LOST"]);
    assert_eq!(line.hang_up(), [""; 0]);
    assert_eq!(line.event(ChannelEvent::RingBegin), [""; 0]);
    assert_eq!(line.machine.attach(), Err(Cause::DeviceLost));
    assert_eq!(line.open(HookKind::Fxo, true, 0), [""; 0]);
    assert_eq!(line.event(ChannelEvent::RingBegin), ["rings"]);
    let again = line.open(HookKind::Fxo, false, 0);
    assert_eq!(
        again, [""; 0],
        "that it was gone was overlooked: an alarm may say why"
    );
    assert_eq!(line.machine.attach(), Err(Cause::DeviceLost));
    let other = line.event(ChannelEvent::RingBegin);
    assert_eq!(other, ["ended DEVICE_LOST", "rings"]);
    line.event(ChannelEvent::Gone { errno: 110 });
    assert_eq!(line.hang_up(), [""; 0]);
    assert_eq!(line.run(5_000), [""; 0], "the application ended it");
}

#[test]
fn a_channel_that_goes_in_an_alarm_ends_its_call_for_that() {
    let gone = ChannelEvent::Gone { errno: 110 };
    let mut line = fxo();
    line.event(ChannelEvent::RingBegin);
    line.answer();
    line.event(gone);
    line.run(100);
    let alarms = 8;
    let opened = line.open(HookKind::Fxo, false, alarms);
    assert_eq!(opened, ["ended NETWORK_OUT_OF_ORDER"]);
    line.event(ChannelEvent::AlarmOver);
    line.event(ChannelEvent::RingBegin);
    line.event(gone);
    assert_eq!(line.open(HookKind::Fxo, false, 0), [""; 0]);
    line.run(1_000);
    let alarm = line.event(ChannelEvent::Alarm { alarms });
    assert_eq!(alarm, ["ended NETWORK_OUT_OF_ORDER"]);
}

#[test]
fn orders_that_are_refused() {
    let refused = |order| ChannelEvent::Refused { order, errno: 5 };
    let mut line = fxo();
    line.event(ChannelEvent::RingBegin);
    line.answer();
    let over = line.event(refused(RefusedOrder::OffHook));
    assert_eq!(over, ["ended NORMAL_TEMPORARY_FAILURE", "OnHook"]);
    for _ in 0..3 {
        assert_eq!(line.event(refused(RefusedOrder::OnHook)), [""; 0]);
        assert_eq!(line.run(980), [""; 0]);
        assert_eq!(line.run(40), ["OnHook"]);
        assert_eq!(line.run(10_000), [""; 0], "until that is refused too");
    }
    assert_eq!(line.event(refused(RefusedOrder::OnHook)), [""; 0]);
    assert_eq!(line.run(10_000), [""; 0], "three times");
}
