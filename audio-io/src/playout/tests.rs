//! Scripted loudspeakers through the pump under a manual clock: everything pushed is heard once,
//! in order, and a device that runs is never left without sound.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::block::{Block, GapCause};
use crate::capture::Turn;
use crate::clock::ManualClock;
use crate::fake::{FakeSpeaker, Signal};
use crate::units::{Frames, WallMillis};

const FORMAT: StreamFormat = StreamFormat::TELEPHONE;

struct Rig {
    clock: Arc<ManualClock>,
    speaker: FakeSpeaker,
    opener: Box<dyn PortOpener<dyn PlaybackPort>>,
    port: Option<Box<dyn PlaybackPort>>,
    pump: PlayoutPump,
    blocks: BlockProducer,
    stats: Arc<PlayoutStats>,
}

impl Rig {
    fn new(free_running: bool) -> Self {
        let clock = Arc::new(ManualClock::at(WallMillis(0)));
        let speaker = FakeSpeaker::new(
            Arc::clone(&clock) as Arc<dyn Clock>,
            FORMAT,
            Millis(20),
            Millis(160),
        );
        let speaker = if free_running {
            speaker.free_running()
        } else {
            speaker
        };
        let (blocks, consumer) = ring(1_000);
        let stats = Arc::new(PlayoutStats::default());
        let pump = PlayoutPump::new(FORMAT, consumer, Arc::clone(&stats), clock.monotonic());
        Self {
            opener: speaker.opener(),
            clock,
            speaker,
            port: None,
            pump,
            blocks,
            stats,
        }
    }

    fn step(&mut self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
        let now = self.clock.monotonic();
        if self.port.is_none() {
            match self.opener.open() {
                Ok(port) => {
                    self.pump.attach(port.params(), now);
                    self.port = Some(port);
                }
                Err(error) => self.stats.failed(error),
            }
        }
        let Some(port) = &mut self.port else {
            return self.pump.absent(now);
        };
        if self.pump.turn(port.as_mut(), now) == Turn::Gone {
            self.port = None;
        }
    }

    fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            self.step(20);
        }
    }

    /// Pushes frames that are numbered from here on; the first number is not zero.
    fn push(&mut self, from: u64, blocks: u64) {
        for n in 0..blocks {
            let from = Frames(from + n * 160);
            let mut sound = Vec::new();
            Signal::Count.render(from, Frames(160), FORMAT, &mut sound);
            assert!(self.blocks.push(Block::audio(from, &sound)).is_ok());
        }
    }

    fn heard(&self) -> Vec<u16> {
        let written = self.speaker.written();
        written
            .chunks_exact(2)
            .map(|sample| u16::from_le_bytes([sample[0], sample[1]]))
            .collect()
    }

    fn count(&self, counter: fn(&PlayoutStats) -> &AtomicU64) -> u64 {
        counter(&self.stats).load(Ordering::Relaxed)
    }
}

/// The runs of numbers that follow each other in what was heard: first and length.
fn runs(heard: &[u16]) -> Vec<(u16, usize)> {
    let mut runs: Vec<(u16, usize)> = Vec::new();
    for number in heard.iter().filter(|number| **number != 0) {
        match runs.last_mut() {
            Some((first, length)) if usize::from(*number) == usize::from(*first) + *length => {
                *length += 1;
            }
            _ => runs.push((*number, 1)),
        }
    }
    runs
}

#[test]
fn an_idle_device_gets_silence_and_no_more_than_it_needs() {
    let mut rig = Rig::new(false);
    rig.run(100);
    let heard = rig.heard();
    assert!(heard.iter().all(|sample| *sample == 0));
    // Half the buffer ahead of two seconds.
    assert_eq!(heard.len() as u64, 99 * 160 + 640);
    assert_eq!(rig.count(|stats| &stats.silence_frames), heard.len() as u64);
    assert_eq!(
        rig.count(|stats| &stats.underruns) + rig.count(|stats| &stats.ran_dry),
        0
    );
    assert_eq!(rig.stats.delay_frames.load(Ordering::Relaxed), 640);
}

#[test]
fn what_is_pushed_is_heard_once_and_in_order() {
    for free_running in [false, true] {
        let mut rig = Rig::new(free_running);
        rig.run(10);
        rig.push(1, 100);
        rig.run(150);
        assert_eq!(
            runs(&rig.heard()),
            [(1, 16_000)],
            "free running: {free_running}"
        );
        assert_eq!(rig.count(|stats| &stats.frames), 16_000);
        assert_eq!(rig.count(|stats| &stats.ran_dry), 1);
        assert_eq!(rig.count(|stats| &stats.underruns), 0);
    }
}

#[test]
fn a_gap_is_heard_as_silence_of_its_length() {
    let mut rig = Rig::new(false);
    rig.push(1, 2);
    assert!(
        rig.blocks
            .push(Block::gap(Frames(321), Frames(1_000), GapCause::Overrun))
            .is_ok()
    );
    rig.push(321, 2);
    rig.run(20);
    let heard = rig.heard();
    let first = heard
        .iter()
        .position(|number| *number == 320)
        .unwrap_or_default();
    let next = heard
        .iter()
        .position(|number| *number == 321)
        .unwrap_or_default();
    assert_eq!(next - first, 1_001);
    assert_eq!(rig.count(|stats| &stats.frames), 640 + 1_000);
}

#[test]
fn a_loop_that_comes_late_is_an_underrun_and_goes_on() {
    let mut rig = Rig::new(false);
    rig.run(5);
    rig.step(500);
    rig.push(1, 20);
    rig.run(50);
    assert_eq!(rig.count(|stats| &stats.underruns), 1);
    assert_eq!(runs(&rig.heard()), [(1, 3_200)]);
}

#[test]
fn while_the_device_is_away_time_goes_on() {
    let mut rig = Rig::new(false);
    rig.run(5);
    rig.push(1, 200);
    rig.run(50);
    rig.speaker.unplug(libc::ENODEV, 25);
    rig.run(26);
    assert_eq!(rig.stats.device_state(), DeviceState::Lost);
    assert_eq!(
        rig.stats.last_errno.load(Ordering::Relaxed),
        libc::ENODEV.unsigned_abs()
    );
    rig.run(200);
    assert_eq!(rig.stats.device_state(), DeviceState::Running);
    assert_eq!(rig.speaker.opens(), 2);
    let heard = runs(&rig.heard());
    let [(1, before), (resumed, after)] = heard[..] else {
        panic!("two pieces: {heard:?}")
    };
    let dropped = rig.count(|stats| &stats.dropped_frames);
    assert_eq!(
        usize::from(resumed),
        1 + before + usize::try_from(dropped).unwrap_or(0)
    );
    assert!(
        dropped.abs_diff(26 * 160) <= 320,
        "about half a second: {dropped}"
    );
    assert_eq!(
        before + after + usize::try_from(dropped).unwrap_or(0),
        32_000
    );
}
