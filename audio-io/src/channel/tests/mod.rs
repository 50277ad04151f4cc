//! Scripted channels under a manual clock: what is told of them, when, and that no sound and no
//! signal is unaccounted for, whatever the device does.

mod faults;
mod model;
mod threads;

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, atomic::Ordering};
use std::time::Duration;

use super::thread::Parts;
use super::*;
use crate::block::{BlockKind, GapCause};
use crate::capture::{Turn, duration};
use crate::clock::{Clock, ManualClock};
use crate::drive::Pump;
use crate::fake::{Act, FakeChannel, Signal};
use crate::format::StreamFormat;
use crate::limits::{CHANNEL_NOTICES_MAX, CHANNEL_ORDERS_EVERY, CHANNEL_ORDERS_MAX, READ_BYTES};
use crate::player::{EndReason, Happened, PlayerEvent};
use crate::units::{Frames, Millis, WallMillis};

const FORMAT: StreamFormat = StreamFormat::TELEPHONE;
const PERIOD: Millis = Millis(20);
const BUFFER: Millis = Millis(160);
const MS: Duration = Duration::from_millis(1);

/// A channel with all its parts, and an opener that tries every 100 ms.
struct Rig {
    clock: Arc<ManualClock>,
    channel: FakeChannel,
    port: Option<Box<dyn ChannelPort>>,
    retry: Duration,
    parts: Parts,
    played: Receiver<PlayerEvent>,
    /// Whether somebody reads the notices.
    listens: bool,
    told: Vec<ChannelNotice>,
    ends: Vec<(EndReason, Millis)>,
    /// Where the blocks have come to, and which of them were gaps.
    position: Frames,
    gaps: Vec<(Frames, Frames, GapCause)>,
    /// The furthest that sound lay from where it belongs, in frames.
    off: u64,
}

impl Rig {
    fn new(script: &[Act]) -> Self {
        Self::with(|channel| channel, script)
    }

    fn with(change: impl FnOnce(FakeChannel) -> FakeChannel, script: &[Act]) -> Self {
        let clock = Arc::new(ManualClock::at(WallMillis(0)));
        let channel = change(FakeChannel::new(
            Arc::clone(&clock) as Arc<dyn Clock>,
            FORMAT,
            (PERIOD, BUFFER),
            Signal::Count,
            script.iter().copied(),
        ));
        let (events, played) = sync_channel(64);
        let source = ChannelSource {
            label: "fake".into(),
            line: 7,
            opener: channel.opener(),
            format: FORMAT,
            tapped: Some(Millis(1_000)),
        };
        let parts = Parts::new(&source, &events, Millis(60_000), Duration::ZERO);
        let mut rig = Self {
            clock,
            channel,
            port: None,
            retry: Duration::ZERO,
            parts,
            played,
            listens: true,
            told: Vec::new(),
            ends: Vec::new(),
            position: Frames::ZERO,
            gaps: Vec::new(),
            off: 0,
        };
        rig.step(Duration::ZERO);
        rig
    }

    /// Lets time pass, then does what the loop, the opener, the worker and the line do.
    fn step(&mut self, passed: Duration) {
        self.clock.advance(passed);
        let now = self.clock.monotonic();
        while let Some(worker) = &mut self.parts.worker
            && worker.step()
        {}
        let pump = &mut self.parts.pump;
        if self.port.is_none() && now >= self.retry {
            self.retry = now + 100 * MS;
            if let Ok(mut port) = self.channel.opener().open() {
                pump.attach(port.as_mut(), false, now);
                self.port = Some(port);
            }
        }
        match &mut self.port {
            None if now >= pump.due() => pump.absent(now),
            Some(port) if now >= pump.due() => {
                let mut scratch = [0; READ_BYTES];
                if Pump::turn(pump, port.as_mut(), 0, &mut scratch, now) == Turn::Gone {
                    self.port = None;
                    self.retry = now + 100 * MS;
                }
            }
            _ => {}
        }
        if self.listens {
            self.listen();
        }
        self.drain();
    }

    /// Lets this many milliseconds pass, in steps of one.
    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.step(MS);
        }
    }

    fn listen(&mut self) {
        self.told.extend(self.parts.stream.notices.try_iter());
    }

    fn drain(&mut self) {
        let blocks = &mut self.parts.stream.capture.blocks;
        let (position, gaps, off) = (&mut self.position, &mut self.gaps, &mut self.off);
        while let Some(()) = blocks.pop_with(|block| {
            assert_eq!(block.position, *position, "blocks follow each other");
            match block.kind {
                BlockKind::Gap(frames, cause) => {
                    gaps.push((block.position, frames, cause));
                    *position += frames;
                }
                BlockKind::Audio => {
                    let sound = block.sound();
                    let number = u16::from_le_bytes([sound[0], sound[1]]);
                    let place = (position.0 & 0xFFFF) as u16;
                    let far = number.wrapping_sub(place).cast_signed().unsigned_abs();
                    *off = (*off).max(far.into());
                    *position += FORMAT.frames_in(sound.len() as u64);
                }
            }
        }) {}
        for event in self.played.try_iter() {
            assert_eq!(event.line, 7);
            if let Happened::Stopped(stopped) = event.what {
                self.ends.push((stopped.reason, stopped.played));
            }
        }
    }

    fn order(&self, order: ChannelOrder) {
        let control = &self.parts.stream.control;
        assert_eq!(control.order(order), Ok(()));
    }

    fn events(&self) -> Vec<ChannelEvent> {
        self.told.iter().map(|notice| notice.event).collect()
    }

    /// How far what was told lies from where it was signalled, in milliseconds.
    fn late(&self, index: usize, signalled: Millis) -> u64 {
        let at = FORMAT.rate.duration_of(self.told[index].at);
        signalled.0.abs_diff(at.0)
    }

    fn now(&self) -> Duration {
        self.clock.monotonic()
    }
}

const OPENED: ChannelEvent = ChannelEvent::Opened {
    kind: HookKind::Fxo,
    off_hook: false,
    alarms: 0,
};

#[test]
fn signals_are_told_in_order_where_they_came() {
    let mut rig = Rig::new(&[]);
    rig.channel
        .tell_after(Millis(2_000), ChannelEvent::RingBegin);
    rig.channel.tell_after(Millis(3_000), ChannelEvent::Ring);
    rig.channel
        .tell_after(Millis(3_000), ChannelEvent::Polarity);
    rig.channel.tell_after(Millis(9_000), ChannelEvent::OnHook);
    rig.run(10_000);
    let order = [
        OPENED,
        ChannelEvent::RingBegin,
        ChannelEvent::Ring,
        ChannelEvent::Polarity,
        ChannelEvent::OnHook,
    ];
    assert_eq!(rig.events(), order);
    assert_eq!(rig.told[0].at, Frames::ZERO);
    for (index, millis) in [(1, 2_000), (2, 3_000), (3, 3_000), (4, 9_000)] {
        // A period of sound that has not come yet, and the wait for the turn.
        assert!(
            rig.late(index, Millis(millis)) <= 30,
            "{:?}",
            rig.told[index]
        );
    }
    assert!(rig.gaps.is_empty() && rig.position >= Frames(79_500));
    assert_eq!(rig.off, 0);
    assert_eq!(rig.parts.stream.stats.events.load(Ordering::Relaxed), 5);
}

#[test]
fn orders_are_carried_out_soon_in_order_and_failures_are_told() {
    let mut rig = Rig::new(&[]);
    rig.run(100);
    let number = DialString::try_from("T0123").expect("short");
    let orders = [
        ChannelOrder::OffHook,
        ChannelOrder::Dial(number),
        ChannelOrder::EchoCancel(true),
    ];
    for order in &orders {
        rig.order(order.clone());
    }
    let soon = u64::try_from(CHANNEL_ORDERS_EVERY.as_millis()).expect("small");
    rig.run(soon);
    assert_eq!(rig.channel.orders(), orders);
    rig.channel.refuse(Some(libc::EBUSY));
    rig.order(ChannelOrder::Ring);
    rig.order(ChannelOrder::Tone(-1));
    rig.run(soon);
    let refused = |order| ChannelEvent::Refused {
        order,
        errno: libc::EBUSY,
    };
    let told = [
        OPENED,
        refused(RefusedOrder::Ring),
        refused(RefusedOrder::Other),
    ];
    assert_eq!(rig.events(), told);
    assert_eq!(rig.parts.stream.stats.refused.load(Ordering::Relaxed), 2);
    assert_eq!(rig.parts.stream.stats.events.load(Ordering::Relaxed), 1);
}

#[test]
fn what_is_played_is_heard_and_a_tap_plays_nothing() {
    let mut rig = Rig::new(&[]);
    rig.run(50);
    let player = rig.parts.stream.player.as_ref().expect("a player");
    player.control.silence(Some(Millis(300))).expect("a start");
    rig.run(400);
    assert_eq!(rig.ends, [(EndReason::Finished, Millis(300))]);
    let written = FORMAT.frames_in(rig.channel.speaker().written().len() as u64);
    // As much as time has passed, and what it is given ahead.
    assert!((3_600..3_600 + 1_300).contains(&written.0), "{written}");

    let mut tap = Rig::with(FakeChannel::deaf, &[]);
    tap.run(50);
    let player = tap.parts.stream.player.as_ref().expect("a player");
    player.control.silence(Some(Millis(300))).expect("a start");
    tap.run(400);
    assert_eq!(tap.ends, [(EndReason::Finished, Millis(300))]);
    assert!(tap.channel.speaker().written().is_empty());
    assert_eq!((tap.gaps.len(), tap.off), (0, 0));
}

#[test]
fn the_counters_say_how_the_channel_stands() {
    let hook_is_off = |channel: FakeChannel| {
        channel.hook(true);
        channel
    };
    let mut rig = Rig::with(hook_is_off, &[]);
    let stats = Arc::clone(&rig.parts.stream.stats);
    let bits = || stats.alarm_bits.load(Ordering::Relaxed);
    let hook = || stats.off_hook.load(Ordering::Relaxed);
    rig.run(20);
    assert_eq!((bits(), hook()), (0, 1));
    rig.channel.tell(ChannelEvent::OnHook);
    rig.channel.tell(ChannelEvent::Alarm { alarms: 4 });
    rig.channel.tell(ChannelEvent::ReadOverrun);
    rig.channel.tell(ChannelEvent::WriteUnderrun);
    rig.run(20);
    assert_eq!((bits(), hook()), (4, 0));
    assert_eq!(stats.slips.load(Ordering::Relaxed), 2);
    rig.channel.tell(ChannelEvent::AlarmOver);
    rig.channel.tell(ChannelEvent::OffHook);
    rig.run(20);
    assert_eq!((bits(), hook()), (0, 1));
    assert_eq!(stats.alarms.load(Ordering::Relaxed), 1);
    rig.channel.tell(ChannelEvent::Alarm { alarms: 8 });
    rig.run(20);
    rig.channel.unplug(libc::ENODEV, 3);
    rig.run(30);
    assert_eq!((bits(), hook()), (0, 0), "nothing is known of what is gone");
}
