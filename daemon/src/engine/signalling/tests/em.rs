//! E&M trunks: seizures, winks and glare.

use super::*;

fn trunk() -> Bench {
    Bench::new(HookKind::Em, options())
}

#[test]
fn the_far_end_seizes_is_answered_and_leaves() {
    let mut line = trunk();
    assert_eq!(line.event(ChannelEvent::OffHook), ["rings"]);
    assert_eq!(line.run(60_000), [""; 0], "no ring need come again");
    assert_eq!(line.answer(), ["OffHook", "answered"]);
    let over = line.event(ChannelEvent::OnHook);
    assert_eq!(over, ["ended NORMAL_CLEARING", "OnHook"]);
    line.event(ChannelEvent::OffHook);
    assert_eq!(
        line.event(ChannelEvent::OnHook),
        ["ended ORIGINATOR_CANCEL"]
    );
    line.event(ChannelEvent::OffHook);
    line.answer();
    assert_eq!(line.hang_up(), ["OnHook"]);
    assert_eq!(line.machine.attach(), Err(Cause::RequestedChanUnavail));
    assert_eq!(line.event(ChannelEvent::OnHook), [""; 0]);
    assert!(line.machine.attach().is_ok());
}

#[test]
fn a_call_outwards_is_answered_by_the_far_ends_off_hook() {
    let mut line = trunk();
    assert_eq!(line.call(Some("+123")), ["OffHook"]);
    assert_eq!(line.event(ChannelEvent::WinkFlash), ["dial T123"]);
    assert_eq!(line.event(ChannelEvent::WinkFlash), [""; 0]);
    assert_eq!(line.event(ChannelEvent::DialComplete), [""; 0]);
    assert_eq!(line.event(ChannelEvent::OffHook), ["answered"]);
    let over = line.event(ChannelEvent::OnHook);
    assert_eq!(over, ["ended NORMAL_CLEARING", "OnHook"]);
    line.run(1_000);
    assert_eq!(line.call(Some("9")), ["OffHook"]);
    assert_eq!(line.run(1_000), ["dial T9"], "no wink came");
    line.event(ChannelEvent::DialComplete);
    assert_eq!(line.run(60_000), ["ended NO_ANSWER", "OnHook"]);
}

#[test]
fn where_both_sides_seize_the_far_end_has_the_line() {
    let mut line = trunk();
    line.machine.attach().unwrap();
    let glare = line.event(ChannelEvent::OffHook);
    assert_eq!(glare, ["ended REQUESTED_CHAN_UNAVAIL", "rings"]);
    assert_eq!(in_words(&line.machine.place(line.now, Some("1"))), [""; 0]);
    line.event(ChannelEvent::OnHook);
    line.call(Some("123"));
    let glare = line.event(ChannelEvent::OffHook);
    let told = ["ended REQUESTED_CHAN_UNAVAIL", "OnHook", "rings"];
    assert_eq!(glare, told);
    assert_eq!(line.answer(), ["OffHook", "answered"]);
}
