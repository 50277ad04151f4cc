//! Stations (FXS), connections (AudioSocket), taps and clear channels.

use super::*;

fn station() -> Bench {
    Bench::new(HookKind::Fxs, options())
}

#[test]
fn a_telephone_that_is_lifted_and_put_down() {
    let mut line = station();
    assert_eq!(line.event(ChannelEvent::OffHook), ["OffHook", "began"]);
    assert_eq!(line.event(ChannelEvent::WinkFlash), [""; 0]);
    assert_eq!(line.event(ChannelEvent::OffHook), [""; 0]);
    let over = line.event(ChannelEvent::OnHook);
    assert_eq!(over, ["ended NORMAL_CLEARING", "OnHook"]);
    assert_eq!(line.event(ChannelEvent::OffHook), ["OffHook", "began"]);
}

#[test]
fn a_telephone_beside_the_hook_makes_no_calls_and_gets_none() {
    let mut line = station();
    line.event(ChannelEvent::OffHook);
    assert_eq!(line.hang_up(), ["OnHook"]);
    assert_eq!(line.run(60_000), [""; 0]);
    assert_eq!(line.machine.attach(), Err(Cause::UserBusy));
    assert_eq!(line.event(ChannelEvent::OnHook), [""; 0]);
    assert_eq!(line.event(ChannelEvent::OffHook), ["OffHook", "began"]);
    line.hang_up();
    let again = line.event(ChannelEvent::OffHook);
    assert_eq!(again, ["OffHook", "began"], "its on-hook was overlooked");
}

#[test]
fn a_telephone_is_rung_and_answers() {
    let mut line = station();
    assert_eq!(line.call(None), ["Ring"]);
    assert_eq!(line.event(ChannelEvent::RingerOff), [""; 0]);
    assert_eq!(line.event(ChannelEvent::OnHook), [""; 0]);
    let answered = line.event(ChannelEvent::OffHook);
    assert_eq!(answered, ["RingOff", "OffHook", "answered"]);
    let over = line.event(ChannelEvent::OnHook);
    assert_eq!(over, ["ended NORMAL_CLEARING", "OnHook"]);
    assert_eq!(line.call(Some("12")), [""; 0], "it rests first");
    assert_eq!(line.run(1_000), ["Ring"]);
    assert_eq!(line.run(59_980), [""; 0]);
    assert_eq!(line.run(20), ["ended NO_ANSWER", "RingOff"]);
    line.call(None);
    assert_eq!(line.hang_up(), ["RingOff"]);
}

#[test]
fn a_telephone_that_is_lifted_as_it_is_called_has_answered() {
    let mut line = station();
    line.machine.attach().unwrap();
    assert_eq!(line.event(ChannelEvent::OffHook), ["OffHook", "answered"]);
    assert_eq!(in_words(&line.machine.place(line.now, None)), [""; 0]);
    assert_eq!(line.hang_up(), ["OnHook"]);
}

#[test]
fn a_telephone_that_was_lifted_before_it_could_be_seen() {
    let mut line = station();
    line.event(ChannelEvent::Gone { errno: 19 });
    assert_eq!(line.open(HookKind::Fxs, true, 0), ["OffHook", "began"]);
    let over = line.event(ChannelEvent::Gone { errno: 19 });
    assert_eq!(over, ["ended DEVICE_LOST"]);
    assert_eq!(line.open(HookKind::Fxs, true, 4), [""; 0], "in alarm");
    assert_eq!(line.event(ChannelEvent::AlarmOver), ["OffHook", "began"]);
}

#[test]
fn what_a_telephones_channel_refuses() {
    let refused = |order| ChannelEvent::Refused { order, errno: 16 };
    let mut line = station();
    line.event(ChannelEvent::OffHook);
    assert_eq!(line.event(refused(RefusedOrder::OffHook)), [""; 0]);
    line.event(ChannelEvent::OnHook);
    line.run(1_000);
    line.call(None);
    let over = line.event(refused(RefusedOrder::Ring));
    assert_eq!(over, ["ended NORMAL_TEMPORARY_FAILURE", "RingOff"]);
}

const NAME: [u8; 16] = [0x11; 16];
const NAMED: &str = "began as 11111111-1111-1111-1111-111111111111";

#[test]
fn connections_are_calls_that_are_answered() {
    let mut line = Bench::new(HookKind::Socket, options());
    let connected = ChannelEvent::Connected { uuid: NAME };
    let left = |orderly| ChannelEvent::Disconnected { orderly };
    assert_eq!(line.event(connected), [NAMED]);
    assert_eq!(line.event(left(true)), ["ended NORMAL_CLEARING"]);
    assert_eq!(line.event(connected), [NAMED]);
    assert_eq!(line.event(left(false)), ["ended NORMAL_TEMPORARY_FAILURE"]);
    assert_eq!(line.event(connected), [NAMED]);
    assert_eq!(line.hang_up(), ["OnHook"]);
    assert_eq!(line.event(left(true)), [""; 0]);
    line.event(connected);
    assert_eq!(line.event(connected), ["ended NORMAL_CLEARING", NAMED]);
    assert_eq!(line.machine.attach(), Err(Cause::RequestedChanUnavail));
}

#[test]
fn a_tap_follows_the_hook_and_orders_nothing() {
    let mut line = Bench::new(
        HookKind::Fxo,
        Options {
            is_tap: true,
            caller_id: Some(Duration::from_secs(3)),
            ..options()
        },
    );
    assert_eq!(line.event(ChannelEvent::Ring), [""; 0]);
    line.run(1_000);
    assert_eq!(line.caller_id("5550001"), [""; 0]);
    for _ in 0..3 {
        line.run(5_000);
        assert_eq!(line.event(ChannelEvent::Ring), [""; 0]);
    }
    assert_eq!(line.event(ChannelEvent::OffHook), ["began from 5550001"]);
    assert_eq!(line.answer(), [""; 0]);
    assert_eq!(line.event(ChannelEvent::OnHook), ["ended NORMAL_CLEARING"]);
    assert_eq!(line.event(ChannelEvent::OffHook), ["began"]);
    assert_eq!(line.hang_up(), [""; 0]);
    assert_eq!(line.run(60_000), [""; 0]);
    assert_eq!(line.event(ChannelEvent::OnHook), [""; 0]);
    assert_eq!(line.event(ChannelEvent::OffHook), ["began"]);
    let over = line.event(ChannelEvent::Alarm { alarms: 8 });
    assert_eq!(over, ["ended NETWORK_OUT_OF_ORDER"]);
    assert_eq!(line.machine.attach(), Err(Cause::RequestedChanUnavail));
}

#[test]
fn a_clear_channel_has_calls_by_command_alone() {
    for kind in [HookKind::Clear, HookKind::Cas] {
        let mut line = Bench::new(kind, options());
        assert_eq!(line.event(ChannelEvent::OffHook), [""; 0]);
        assert_eq!(line.event(ChannelEvent::Bits(5)), [""; 0]);
        assert_eq!(line.call(Some("anything")), ["answered"]);
        assert_eq!(line.event(ChannelEvent::OnHook), [""; 0]);
        assert_eq!(line.hang_up(), [""; 0]);
        line.call(None);
        let over = line.event(ChannelEvent::Alarm { alarms: 8 });
        assert_eq!(over, ["ended NETWORK_OUT_OF_ORDER"]);
    }
}
