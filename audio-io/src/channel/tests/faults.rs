//! Devices that go away, and listeners that do not keep up.

use super::*;

fn gone(errno: i32) -> ChannelEvent {
    ChannelEvent::Gone { errno }
}

fn lost(rig: &Rig) -> Frames {
    let lost = rig.gaps.iter().map(|(_, frames, _)| frames.0).sum();
    Frames(lost)
}

#[test]
fn a_channel_that_goes_in_mid_play_is_missing_both_ways_and_comes_back() {
    let mut rig = Rig::new(&[]);
    rig.run(1_000);
    let player = rig.parts.stream.player.as_ref().expect("a player");
    player
        .control
        .silence(Some(Millis(3_000)))
        .expect("a start");
    rig.run(1_000);
    rig.channel.tell(ChannelEvent::OffHook);
    rig.run(20);
    rig.channel.unplug(libc::ENODEV, 4);
    rig.run(1_980);
    let told = [OPENED, ChannelEvent::OffHook, gone(libc::ENODEV), OPENED];
    assert_eq!(rig.events(), told);
    assert!(rig.late(2, Millis(2_020)) <= 30);
    // Four attempts fail; the fifth is half a second later.
    assert!(rig.late(3, Millis(2_540)) <= 40, "{:?}", rig.told);
    let away = FORMAT.rate.duration_of(lost(&rig)).0;
    assert!((400..=600).contains(&away), "{away} ms are missing");
    assert!(rig.gaps.iter().all(|gap| gap.2 == GapCause::DeviceLost));
    assert!(rig.off <= 160, "{} frames off", rig.off);
    rig.run(300);
    assert_eq!(rig.ends, [(EndReason::Finished, Millis(3_000))]);
    let player = rig.parts.stream.player.as_ref().expect("a player");
    assert_eq!(player.device.opens.load(Ordering::Relaxed), 2);
    let dropped = player.device.dropped_frames.load(Ordering::Relaxed);
    assert!((3_200..=4_800).contains(&dropped), "{dropped} unheard");
}

#[test]
fn a_loudspeaker_that_goes_takes_the_channel_with_it() {
    let mut rig = Rig::new(&[]);
    rig.run(500);
    rig.channel.speaker().unplug(libc::EPIPE, 0);
    rig.run(500);
    assert_eq!(rig.events(), [OPENED, gone(libc::EPIPE), OPENED]);
    let stats = &rig.parts.stream.capture.stats;
    assert_eq!(stats.opens.load(Ordering::Relaxed), 2);
    assert!(lost(&rig) > Frames::ZERO && rig.off <= 160);
}

#[test]
fn a_port_may_signal_that_it_is_gone() {
    let mut rig = Rig::new(&[]);
    rig.run(500);
    rig.channel.tell(ChannelEvent::RingBegin);
    rig.channel.tell(gone(libc::ENXIO));
    rig.run(500);
    let told = [OPENED, ChannelEvent::RingBegin, gone(libc::ENXIO), OPENED];
    assert_eq!(rig.events(), told);
}

#[test]
fn a_channel_that_was_never_there_refuses_orders_and_keeps_time() {
    let mut rig = Rig::new(&[Act::Refuse(20, libc::ENXIO)]);
    rig.run(300);
    rig.order(ChannelOrder::OffHook);
    rig.run(700);
    let refused = ChannelEvent::Refused {
        order: RefusedOrder::OffHook,
        errno: libc::ENODEV,
    };
    assert_eq!(rig.events(), [refused]);
    rig.run(2_000);
    assert_eq!(rig.events(), [refused, OPENED]);
    assert!(rig.channel.orders().is_empty());
}

#[test]
fn while_nobody_listens_signals_wait_and_none_is_lost() {
    let mut rig = Rig::new(&[]);
    rig.run(100);
    rig.listens = false;
    let many = CHANNEL_NOTICES_MAX + 50;
    for number in 0..many {
        let number = u32::try_from(number).expect("small");
        rig.channel.tell(ChannelEvent::Other(number));
    }
    rig.channel.tell(ChannelEvent::OnHook);
    rig.run(500);
    // One waits in the pump.
    assert_eq!(rig.channel.waiting(), many - CHANNEL_NOTICES_MAX);
    // Orders are not lost either, nor carried out before what came earlier was told.
    for _ in 0..CHANNEL_ORDERS_MAX {
        rig.order(ChannelOrder::Flash);
    }
    let busy = rig.parts.stream.control.order(ChannelOrder::Flash);
    assert_eq!(busy, Err(OrderError::Busy));
    rig.channel.refuse(Some(libc::EINVAL));
    rig.run(500);
    assert!(rig.channel.orders().is_empty());
    assert!(rig.gaps.is_empty(), "sound goes on");
    rig.listens = true;
    rig.run(500);
    let numbers: Vec<_> = rig
        .events()
        .into_iter()
        .filter_map(|event| match event {
            ChannelEvent::Other(number) => Some(number),
            _ => None,
        })
        .collect();
    assert!(
        numbers
            .iter()
            .copied()
            .eq(0..u32::try_from(many).expect("small"))
    );
    assert_eq!(rig.channel.orders().len(), CHANNEL_ORDERS_MAX);
    let refused = rig
        .events()
        .iter()
        .filter(|event| matches!(event, ChannelEvent::Refused { .. }))
        .count();
    assert_eq!(refused, CHANNEL_ORDERS_MAX);
    let all = rig.events();
    assert_eq!(
        all.iter()
            .filter(|one| **one == ChannelEvent::OnHook)
            .count(),
        1
    );
    assert_eq!(all.len(), 1 + many + 1 + CHANNEL_ORDERS_MAX);
}

#[test]
fn that_it_was_gone_is_told_once_when_nobody_listened() {
    let mut rig = Rig::new(&[]);
    rig.run(100);
    rig.listens = false;
    for _ in 0..CHANNEL_NOTICES_MAX + 10 {
        rig.channel.tell(ChannelEvent::Polarity);
    }
    rig.run(100);
    for errno in [libc::ENODEV, libc::EIO, libc::EPIPE] {
        rig.channel.unplug(errno, 1);
        rig.run(1_000);
    }
    rig.listens = true;
    rig.run(300);
    let mut all = rig.events();
    assert_eq!(all.remove(0), OPENED);
    // What the device had not signalled when it went is lost with it; one was in the pump.
    let before = all.split_off(CHANNEL_NOTICES_MAX + 1);
    assert!(all.iter().all(|event| *event == ChannelEvent::Polarity));
    assert_eq!(before, [gone(libc::ENODEV), OPENED]);
}

#[test]
fn bursts_leave_the_sound_its_turn() {
    let mut rig = Rig::new(&[]);
    rig.run(100);
    for _ in 0..100 {
        rig.channel.tell(ChannelEvent::WinkFlash);
    }
    rig.step(10 * MS);
    assert_eq!(
        rig.told.len(),
        1 + 32,
        "what is left waits for the next turn"
    );
    rig.step(Duration::ZERO);
    assert_eq!(rig.told.len(), 1 + 64);
    rig.run(20);
    assert_eq!(rig.told.len(), 101);
    assert!(rig.gaps.is_empty());
}

#[test]
fn nobody_has_to_listen() {
    let mut rig = Rig::new(&[]);
    rig.listens = false;
    let (_, nobody) = sync_channel(1);
    rig.parts.stream.notices = nobody;
    for _ in 0..3 * CHANNEL_NOTICES_MAX {
        rig.channel.tell(ChannelEvent::WinkFlash);
    }
    rig.run(1_000);
    assert_eq!(rig.channel.waiting(), 0);
    assert!(rig.gaps.is_empty());
}
