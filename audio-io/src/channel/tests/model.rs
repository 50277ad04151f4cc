//! Random schedules: whatever happens in whatever order, the stream's time goes on, no frame is
//! unaccounted for, and every signal and refusal is told once, in order.

use proptest::prelude::*;

use super::*;

/// Something that happens to a channel.
#[derive(Clone, Debug)]
enum Happens {
    Wait(u64),
    /// The loop sleeps this long without a turn.
    Sleep(u64),
    Signal(u8),
    Order,
    Refuse(bool),
    Unplug(u32),
    Deafen(u32),
    Listen(bool),
    Play(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        6 => (1..300_u64).prop_map(Happens::Wait),
        1 => (1..400_u64).prop_map(Happens::Sleep),
        6 => (1..90_u8).prop_map(Happens::Signal),
        3 => Just(Happens::Order),
        1 => any::<bool>().prop_map(Happens::Refuse),
        1 => (0..5_u32).prop_map(Happens::Unplug),
        1 => (0..3_u32).prop_map(Happens::Deafen),
        2 => any::<bool>().prop_map(Happens::Listen),
        1 => (1..500_u64).prop_map(Happens::Play),
    ]
}

/// What must be told: numbered signals in order, those of a device that went until then.
#[derive(Default)]
struct Expected {
    next: u32,
    ordered: usize,
    /// Numbers that went with the device: they may be missing.
    perhaps: Vec<u32>,
    plays: usize,
}

fn act(rig: &mut Rig, expected: &mut Expected, what: &Happens) {
    match *what {
        Happens::Wait(millis) => rig.run(millis),
        Happens::Sleep(millis) => rig.step(Duration::from_millis(millis)),
        Happens::Signal(count) => {
            for _ in 0..count {
                rig.channel.tell(ChannelEvent::Other(expected.next));
                expected.next += 1;
            }
        }
        Happens::Order => {
            if rig.parts.stream.control.order(ChannelOrder::Ring).is_ok() {
                expected.ordered += 1;
            }
        }
        Happens::Refuse(refuses) => rig.channel.refuse(refuses.then_some(libc::EPERM)),
        Happens::Unplug(refusals) => {
            let waiting = u32::try_from(rig.channel.waiting()).expect("few");
            expected
                .perhaps
                .extend(expected.next - waiting..expected.next);
            rig.channel.unplug(libc::ENODEV, refusals);
        }
        Happens::Deafen(refusals) => rig.channel.speaker().unplug(libc::EIO, refusals),
        Happens::Listen(listens) => rig.listens = listens,
        Happens::Play(millis) => {
            let player = rig.parts.stream.player.as_ref().expect("a player");
            if player.control.silence(Some(Millis(millis))).is_ok() {
                expected.plays += 1;
            }
        }
    }
}

fn check(rig: &Rig, expected: &Expected) -> Result<(), TestCaseError> {
    let places = rig.told.windows(2).all(|two| two[0].at <= two[1].at);
    prop_assert!(places, "places never go back");
    let mut numbers = Vec::new();
    let mut refused = 0;
    let mut there = false;
    for event in rig.events() {
        match event {
            ChannelEvent::Other(number) => numbers.push(number),
            ChannelEvent::Refused { .. } => refused += 1,
            ChannelEvent::Opened { .. } => {
                prop_assert!(!std::mem::replace(&mut there, true), "opened while open");
            }
            ChannelEvent::Gone { .. } => {
                prop_assert!(std::mem::replace(&mut there, false), "gone while away");
            }
            other => prop_assert!(false, "{other:?} was never signalled"),
        }
    }
    prop_assert!(there, "it came back in the end");
    prop_assert!(
        numbers.windows(2).all(|two| two[0] < two[1]),
        "in order, once"
    );
    let told = |number: &u32| numbers.binary_search(number).is_ok();
    for number in 0..expected.next {
        let excused = expected.perhaps.contains(&number);
        prop_assert!(told(&number) || excused, "{number} was not told");
    }
    // Each order reached the device or was refused without one; those refused by it did both.
    let reached = rig.channel.orders().len();
    prop_assert!(reached <= expected.ordered && refused <= expected.ordered);
    prop_assert!(reached + refused >= expected.ordered);
    prop_assert_eq!(rig.ends.len(), expected.plays, "each playback ends once");
    let time = duration(rig.position, FORMAT.rate);
    let off = time.abs_diff(rig.now());
    prop_assert!(off <= 250 * MS, "the stream is {off:?} from the clock");
    prop_assert!(rig.off <= 2 * 160, "sound lies {} frames off", rig.off);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn time_goes_on_and_everything_is_told_once(plan in prop::collection::vec(happens(), 1..60)) {
        let mut rig = Rig::new(&[]);
        let mut expected = Expected::default();
        for what in &plan {
            act(&mut rig, &mut expected, what);
        }
        rig.listens = true;
        rig.run(3_000);
        check(&rig, &expected)?;
    }
}
