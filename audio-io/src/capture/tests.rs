//! Scripted lines through the pump under a manual clock: where the sound lies, what the gaps say,
//! and that no frame is unaccounted for, whatever the device does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::block::{BlockKind, GapCause};
use crate::clock::ManualClock;
use crate::fake::{Act, FakeLine, Signal};
use crate::format::Channels;
use crate::limits::READ_BYTES;
use crate::ring::BlockConsumer;
use crate::units::{Frames, SampleRate, WallMillis};

const FORMAT: StreamFormat = StreamFormat::TELEPHONE;
const PERIOD: Millis = Millis(20);
const BUFFER: Millis = Millis(160);

/// What came out of the ring, neighbouring gaps of one cause joined.
#[derive(Debug, Default)]
struct Heard {
    gaps: Vec<(Frames, Frames, GapCause)>,
    audio: Frames,
    position: Frames,
    /// The furthest that sound lay from where it belongs.
    off: u64,
}

impl Heard {
    fn drain(&mut self, ring: &mut BlockConsumer, format: StreamFormat) {
        while let Some(()) = ring.pop_with(|block| {
            assert_eq!(
                block.position, self.position,
                "blocks follow each other without a hole"
            );
            match block.kind {
                BlockKind::Gap(frames, cause) => {
                    match self.gaps.last_mut() {
                        Some((at, length, last))
                            if *last == cause && *at + *length == block.position =>
                        {
                            *length += frames;
                        }
                        _ => self.gaps.push((block.position, frames, cause)),
                    }
                    self.position += frames;
                }
                BlockKind::Audio => {
                    let sound = block.sound();
                    let number = u16::from_le_bytes([sound[0], sound[1]]);
                    let place = (self.position.0 & 0xFFFF) as u16;
                    let off = number.wrapping_sub(place).cast_signed().unsigned_abs();
                    self.off = self.off.max(off.into());
                    let frames = format.frames_in(sound.len() as u64);
                    self.audio += frames;
                    self.position += frames;
                }
            }
        }) {}
    }

    fn lost(&self) -> Frames {
        self.gaps
            .iter()
            .fold(Frames::ZERO, |all, (_, frames, _)| all + *frames)
    }
}

/// A pump, its line, and an opener that tries every 100 ms.
struct Rig {
    clock: Arc<ManualClock>,
    line: FakeLine,
    opener: Box<dyn PortOpener<dyn CapturePort>>,
    port: Option<Box<dyn CapturePort>>,
    retry: Duration,
    pump: StreamPump,
    ring: BlockConsumer,
    stats: Arc<CaptureStats>,
    heard: Heard,
}

impl Rig {
    fn new(script: &[Act]) -> Self {
        let clock = Arc::new(ManualClock::at(WallMillis(0)));
        let line = FakeLine::new(
            Arc::clone(&clock) as Arc<dyn Clock>,
            FORMAT,
            PERIOD,
            BUFFER,
            Signal::Count,
            script.iter().copied(),
        );
        Self::with(clock, line, FORMAT, 100)
    }

    fn with(clock: Arc<ManualClock>, line: FakeLine, format: StreamFormat, blocks: usize) -> Self {
        let (producer, ring) = ring(blocks);
        let stats = Arc::new(CaptureStats::default());
        let pump = StreamPump::new(format, producer, Arc::clone(&stats), clock.monotonic());
        Self {
            opener: line.opener(),
            clock,
            line,
            port: None,
            retry: Duration::ZERO,
            pump,
            ring,
            stats,
            heard: Heard::default(),
        }
    }

    /// Lets time pass, then does what the loop and the opener do.
    fn step(&mut self, passed: Duration) {
        self.clock.advance(passed);
        let now = self.clock.monotonic();
        if self.port.is_none() && now >= self.retry {
            match self.opener.open() {
                Ok(port) => {
                    self.pump.attach(port.params(), false, now);
                    self.port = Some(port);
                }
                Err(error) => {
                    self.stats.failed(error);
                    self.retry = now + Duration::from_millis(100);
                }
            }
        }
        let Some(port) = &mut self.port else {
            return self.pump.absent(now);
        };
        let mut scratch = [0; READ_BYTES];
        if self.pump.turn(port.as_mut(), &mut scratch, now) == Turn::Gone {
            self.port = None;
            self.retry = now + Duration::from_millis(100);
        }
    }

    fn run(&mut self, duration: Millis) {
        for _ in 0..duration.0 / 5 {
            self.step(Duration::from_millis(5));
            self.drain();
        }
    }

    fn drain(&mut self) {
        self.heard.drain(&mut self.ring, FORMAT);
    }

    /// What must hold at any time once the ring is drained and nothing is held back.
    fn check_counters(&self) {
        let stats = &self.stats;
        assert_eq!(stats.frames.load(Ordering::Relaxed), self.heard.audio.0);
        assert_eq!(
            stats.lost_frames.load(Ordering::Relaxed),
            self.heard.lost().0
        );
        assert_eq!(self.pump.position(), self.heard.position);
    }
}

#[test]
fn a_quiet_life_is_all_sound() {
    let mut rig = Rig::new(&[]);
    rig.run(Millis(2_000));
    rig.check_counters();
    assert_eq!(rig.heard.gaps, []);
    assert_eq!(
        rig.heard.off,
        rig.heard.off.min(40),
        "off by the first step at most"
    );
    assert!(rig.heard.audio >= Frames(15_800), "{:?}", rig.heard);
    assert_eq!(rig.stats.device_state(), DeviceState::Running);
    assert_eq!(rig.stats.period_frames.load(Ordering::Relaxed), 160);
    assert_eq!(rig.stats.buffer_frames.load(Ordering::Relaxed), 1_280);
}

#[test]
fn an_overrun_is_a_gap_of_its_length_where_it_was() {
    let mut rig = Rig::new(&[
        Act::Run(Millis(500)),
        Act::Lose(Millis(200), GapCause::Overrun),
    ]);
    rig.run(Millis(2_000));
    rig.check_counters();
    let [(at, frames, GapCause::Overrun)] = rig.heard.gaps[..] else {
        panic!("one gap: {:?}", rig.heard)
    };
    assert_eq!(at, Frames(4_000));
    assert!(frames.0.abs_diff(1_600) <= 160, "to one period: {frames}");
    assert!(
        rig.heard.off <= 160,
        "sound lies where it belongs: {:?}",
        rig.heard
    );
    assert_eq!(rig.stats.overruns.load(Ordering::Relaxed), 1);
    assert_eq!(rig.stats.opens.load(Ordering::Relaxed), 1);
}

#[test]
fn a_suspend_is_told_apart_from_an_overrun() {
    let mut rig = Rig::new(&[
        Act::Run(Millis(500)),
        Act::Lose(Millis(200), GapCause::Suspend),
    ]);
    rig.run(Millis(1_500));
    assert!(
        matches!(rig.heard.gaps[..], [(_, _, GapCause::Suspend)]),
        "{:?}",
        rig.heard
    );
    assert_eq!(rig.stats.overruns.load(Ordering::Relaxed), 0);
}

#[test]
fn a_reader_that_stays_away_overruns_the_device() {
    let mut rig = Rig::new(&[]);
    rig.run(Millis(500));
    rig.step(Duration::from_millis(400));
    rig.run(Millis(500));
    rig.check_counters();
    assert!(
        matches!(rig.heard.gaps[..], [(_, _, GapCause::Overrun)]),
        "{:?}",
        rig.heard
    );
    assert!(rig.heard.off <= 160, "{:?}", rig.heard);
}

#[test]
fn a_silent_stall_is_noticed_and_restarted() {
    let mut rig = Rig::new(&[Act::Run(Millis(500)), Act::Stall]);
    rig.run(Millis(2_000));
    rig.check_counters();
    let [(at, frames, GapCause::Stall)] = rig.heard.gaps[..] else {
        panic!("one gap: {:?}", rig.heard)
    };
    assert_eq!(at, Frames(4_000));
    assert!((1_900..2_400).contains(&frames.0), "about 250 ms: {frames}");
    assert!(rig.heard.off <= 160, "{:?}", rig.heard);
    assert_eq!((rig.line.restarts(), rig.line.opens()), (1, 1));
    assert_eq!(rig.stats.stalls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_device_that_restarting_does_not_help_is_opened_anew() {
    let mut rig = Rig::new(&[Act::Run(Millis(500)), Act::Hang, Act::Run(Millis(100))]);
    rig.run(Millis(3_000));
    rig.check_counters();
    let causes: Vec<_> = rig.heard.gaps.iter().map(|(_, _, cause)| *cause).collect();
    assert_eq!(causes, [GapCause::Stall, GapCause::DeviceLost]);
    assert!(rig.heard.off <= 160, "{:?}", rig.heard);
    assert_eq!(rig.line.opens(), 2);
    let errno = rig.stats.last_errno.load(Ordering::Relaxed);
    assert_eq!(errno, libc::ETIMEDOUT.unsigned_abs());
}

#[test]
fn an_unplugged_device_leaves_a_stream_that_goes_on_in_time() {
    let script = [
        Act::Run(Millis(500)),
        Act::Unplug(libc::ENODEV),
        Act::Refuse(10, libc::ENOENT),
        Act::Run(Millis(100)),
    ];
    let mut rig = Rig::new(&script);
    rig.run(Millis(1_000));
    assert_eq!(rig.stats.device_state(), DeviceState::Lost);
    assert_eq!(
        rig.stats.last_errno.load(Ordering::Relaxed),
        libc::ENOENT.unsigned_abs()
    );
    assert!(
        rig.stats
            .open_error()
            .is_some_and(|error| error.errno() == libc::ENOENT)
    );
    let behind = 8_000 - rig.heard.position.0;
    assert!(
        behind <= 900,
        "gaps come while it is away: {behind} frames behind"
    );
    rig.run(Millis(2_000));
    rig.check_counters();
    assert_eq!(rig.stats.device_state(), DeviceState::Running);
    assert!(matches!(
        rig.heard.gaps[..],
        [(Frames(4_000), _, GapCause::DeviceLost)]
    ));
    assert!(rig.heard.off <= 160, "{:?}", rig.heard);
}

#[test]
fn a_device_that_is_not_there_at_first_begins_with_a_gap() {
    let mut rig = Rig::new(&[Act::Refuse(8, libc::ENOENT)]);
    rig.run(Millis(2_000));
    rig.check_counters();
    let [(Frames::ZERO, frames, GapCause::DeviceLost)] = rig.heard.gaps[..] else {
        panic!("one gap at the start: {:?}", rig.heard)
    };
    assert!((6_400..8_000).contains(&frames.0), "{frames}");
    assert!(rig.heard.off <= 160, "{:?}", rig.heard);
}

#[test]
fn a_full_ring_loses_exactly_what_did_not_fit() {
    let mut rig = Rig::new(&[]);
    let clock = Arc::clone(&rig.clock);
    let line = rig.line.clone();
    rig = Rig::with(clock, line, FORMAT, 31);
    for _ in 0..250 {
        rig.step(Duration::from_millis(4));
    }
    let dropped = rig.stats.ring_full_frames.load(Ordering::Relaxed);
    assert_eq!(rig.stats.frames.load(Ordering::Relaxed), 31 * 160);
    assert!(dropped > 0 && rig.pump.position() == Frames(31 * 160 + dropped));
    rig.drain();
    for _ in 0..50 {
        rig.step(Duration::from_millis(4));
        rig.drain();
    }
    rig.check_counters();
    let expected = (Frames(31 * 160), Frames(dropped), GapCause::RingFull);
    assert_eq!(rig.heard.gaps, [expected]);
    assert_eq!(rig.stats.ring_depth_max.load(Ordering::Relaxed), 31);
}

#[test]
fn a_free_running_device_is_read_as_fast_as_time_passes() {
    let mut rig = Rig::new(&[]);
    let (clock, line) = (Arc::clone(&rig.clock), rig.line.clone().free_running());
    rig = Rig::with(clock, line, FORMAT, 100);
    rig.step(Duration::from_millis(1));
    rig.run(Millis(1_000));
    assert_eq!(
        rig.heard.position,
        Frames(8_000),
        "what the clock allows, no more"
    );
    rig.run(Millis(1_000));
    rig.check_counters();
    assert_eq!((rig.heard.position, rig.heard.off), (Frames(16_000), 0));
}

#[test]
fn long_periods_are_split_and_wide_frames_stay_whole() {
    let rate = SampleRate::new(44_100).unwrap_or(SampleRate::MAX);
    let format = StreamFormat {
        rate,
        channels: Channels::Stereo,
        ..FORMAT
    };
    let clock = Arc::new(ManualClock::at(WallMillis(0)));
    let line = FakeLine::new(
        Arc::clone(&clock) as Arc<dyn Clock>,
        format,
        Millis(100),
        Millis(400),
        Signal::Count,
        [],
    );
    let mut rig = Rig::with(clock, line, format, 1_000);
    for _ in 0..20 {
        rig.step(Duration::from_millis(100));
        rig.heard.drain(&mut rig.ring, format);
    }
    rig.check_counters();
    assert_eq!(rig.heard.gaps, []);
    assert_eq!(rig.heard.audio, Frames(19 * 4_410));
}

fn acts() -> impl Strategy<Value = Act> {
    let ms = (1_u64..800).prop_map(Millis);
    prop_oneof![
        4 => ms.clone().prop_map(Act::Run),
        2 => ms.clone().prop_map(|ms| Act::Lose(ms, GapCause::Overrun)),
        1 => ms.prop_map(|ms| Act::Lose(ms, GapCause::Suspend)),
        1 => Just(Act::Stall),
        1 => Just(Act::Hang),
        1 => Just(Act::Unplug(libc::ENODEV)),
        1 => (0_u32..5).prop_map(|times| Act::Refuse(times, libc::EBUSY)),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_every_frame_is_accounted_for(
        script in prop::collection::vec(acts(), 0..12),
        steps in prop::collection::vec(1_u64..60, 400),
    ) {
        let mut rig = Rig::new(&script);
        for step in steps {
            rig.step(Duration::from_millis(step));
            rig.drain();
        }
        rig.check_counters();
        // The line is opened a wake-up late, its first sound may come another late, and sound lies
        // where it belongs to one period then.
        prop_assert!(rig.heard.off <= 160 + 2 * 8 * 60, "{:?}", rig.heard);
        let elapsed = FORMAT.rate.frames_in(Millis(rig.clock.wall().0));
        // A device that never had a frame is given up late, and a little more is needed
        // when that comes after a restart.
        let behind = elapsed.0.abs_diff(rig.heard.position.0);
        prop_assert!(behind <= 8 * (2_500 + 250 + 120), "{} frames behind", behind);
    }
}

/// The whole thread, over a line that runs by the machine's own clock.
#[test]
fn a_thread_captures_reopens_and_stops() {
    let clock: Arc<dyn Clock> = Arc::new(crate::clock::SystemClock);
    let script = [
        Act::Run(Millis(60)),
        Act::Unplug(libc::ENODEV),
        Act::Refuse(1, libc::EBUSY),
    ];
    let line = FakeLine::new(
        Arc::clone(&clock),
        FORMAT,
        PERIOD,
        BUFFER,
        Signal::Count,
        script,
    );
    let source = |line: &FakeLine| CaptureSource {
        label: "desk-1".into(),
        opener: line.opener(),
        format: FORMAT,
    };
    let free = line_of_silence(&clock);
    let options = RealtimeOptions {
        priority: None,
        lock_memory: false,
        ring_ms: 2_000,
    };
    let (thread, mut streams) = CaptureThread::spawn(
        "cap-test",
        vec![source(&line), source(&free)],
        options,
        clock,
    )
    .expect("threads");
    let mut heard = Heard::default();
    let mut quiet = Frames::ZERO;
    while heard.audio < Frames(4_000) || quiet < Frames(4_000) {
        heard.drain(&mut streams[0].blocks, FORMAT);
        while let Some(frames) = streams[1].blocks.pop_with(|block| block.sound().len() / 2) {
            quiet += Frames(frames as u64);
        }
        std::thread::yield_now();
    }
    assert!(thread.wakeups() > 1);
    assert!(!thread.grant().fifo);
    drop(thread);
    heard.drain(&mut streams[0].blocks, FORMAT);
    assert_eq!(line.opens(), 2);
    assert!(
        heard
            .gaps
            .iter()
            .any(|(_, _, cause)| *cause == GapCause::DeviceLost),
        "{heard:?}"
    );
    let stats = &streams[0].stats;
    assert_eq!(stats.frames.load(Ordering::Relaxed), heard.audio.0);
    assert_eq!(stats.opens.load(Ordering::Relaxed), 2);
    assert_eq!(streams[1].stats.lost_frames.load(Ordering::Relaxed), 0);
}

fn line_of_silence(clock: &Arc<dyn Clock>) -> FakeLine {
    FakeLine::new(
        Arc::clone(clock),
        FORMAT,
        PERIOD,
        BUFFER,
        Signal::Silence,
        [],
    )
    .free_running()
}
