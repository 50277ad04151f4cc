//! The played leg of a line: what its player gave the device, at the moment that the caller's
//! device heard it.
//!
//! ```text
//!  tap: written sound, numbered ──▶ a few seconds of samples ──▶ the leg beside the caller's
//!  heard: the number heard now ──▶ offset = heard - latency - caller's place
//! ```
//! The caller's device clock is the time of the line. Both devices' clocks drift: the offset is
//! observed at each drain and mended where nobody hears it, or once it is too far off.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use audio_io::block::{Block, BlockKind};
use audio_io::capture::{CaptureStats, DeviceState};
use audio_io::player::{PERIOD, PlayerControl};
use audio_io::ring::BlockConsumer;
use audio_io::units::{Frames, Millis, SampleRate};

use crate::engine::limits::{
    PLAYED_KEPT, PLAYED_NUDGE, PLAYED_SKEW, PLAYED_SKEW_WINDOW, PLAYED_STEADY,
};

/// What was played on one line.
pub(crate) struct Played {
    rate: SampleRate,
    tap: BlockConsumer,
    control: PlayerControl,
    /// The caller's device: it says how late its sound is.
    capture: Arc<CaptureStats>,
    /// The newest samples, and the number of the first.
    samples: VecDeque<i16>,
    first: i64,
    /// One more than the number of the last sample that was not silent.
    loud_until: i64,
    /// What is heard at the caller's place 0.
    offset: Option<i64>,
    /// The next number that is asked for.
    next: i64,
    /// The caller's place and the number heard at the last look.
    last: Option<(i64, i64)>,
    /// The last offsets observed, as a ring.
    recent: [i64; RECENT],
    seen: usize,
    window: Window,
    slipped: Frames,
}

/// Distances between the offset in use and those observed, over some time.
#[derive(Clone, Debug, Default)]
struct Window {
    since: i64,
    offs: Vec<i64>,
}

impl Played {
    pub(crate) fn new(
        rate: SampleRate,
        tap: BlockConsumer,
        control: PlayerControl,
        capture: Arc<CaptureStats>,
    ) -> Self {
        Self {
            rate,
            tap,
            control,
            capture,
            samples: VecDeque::new(),
            first: 0,
            loud_until: 0,
            offset: None,
            next: 0,
            last: None,
            recent: [0; RECENT],
            seen: 0,
            window: Window::default(),
            slipped: Frames::ZERO,
        }
    }

    /// Frames left out or put in while something was played, because the clocks differ.
    pub(crate) const fn slipped(&self) -> Frames {
        self.slipped
    }

    /// Takes in what the player gave the device since the last call.
    pub(crate) fn absorb(&mut self) {
        let Self {
            tap,
            samples,
            first,
            loud_until,
            ..
        } = self;
        let mut leg = Leg {
            samples,
            first,
            loud_until,
            kept: self.rate.frames_in(PLAYED_KEPT),
        };
        while tap.pop_with(|block| leg.block(block)).is_some() {}
    }

    /// What was heard while the caller's device brought the frames from `at` on; silence where
    /// nothing was played.
    pub(crate) fn take(&mut self, at: Frames, out: &mut Vec<i16>, frames: usize) {
        out.clear();
        let Some(offset) = self.offset else {
            return out.resize(frames, 0);
        };
        let from = number(at) + offset;
        let behind = usize::try_from(from - self.first).unwrap_or(0);
        // Before the first sample there is none.
        let missing = usize::try_from(self.first - from).unwrap_or(0).min(frames);
        out.resize(missing, 0);
        let kept = self.samples.range(behind.min(self.samples.len())..);
        out.extend(kept.take(frames - missing));
        out.resize(frames, 0);
        self.next = from + number(Frames(frames as u64));
    }

    /// Compares the clocks; `end` is the place after the caller's last frame. To be called when
    /// all of the caller's sound that has arrived is taken. It tells nothing while one of them
    /// stands still or makes up for it.
    pub(crate) fn observe(&mut self, end: Frames) {
        if self.capture.device_state() != DeviceState::Running {
            return;
        }
        let heard = self.control.stats().heard.load(Ordering::Acquire);
        let end = number(end);
        let heard = number(Frames(heard));
        if self.last.is_some_and(|(before, _)| before == end) {
            return;
        }
        let last = self.last.replace((end, heard));
        let went = |(before, shown): (i64, i64)| (end - before) - (heard - shown);
        if last.is_none_or(|last| went(last).abs() > self.frames(PLAYED_STEADY)) {
            return;
        }
        let observed = heard - self.latency() - end;
        self.recent[self.seen % RECENT] = observed;
        self.seen += 1;
        let Some(offset) = self.offset else {
            self.offset = Some(observed);
            self.window.restart(end);
            return;
        };
        let off = observed - offset;
        if off.abs() > self.frames(PLAYED_KEPT) {
            self.shift(off, end);
            return;
        }
        self.window.offs.push(off);
        if end - self.window.since < self.frames(PLAYED_SKEW_WINDOW) {
            return;
        }
        // The median: now and then a thread or a device is late, and shows it here.
        let (least, off, most) = sorted(&mut self.window.offs);
        let skew = self.frames(PLAYED_SKEW);
        let quiet = self.loud_until <= self.next;
        if (quiet && off.abs() > self.frames(PLAYED_NUDGE)) || least > skew || most < -skew {
            self.shift(off, end);
        } else {
            self.window.restart(end);
        }
    }

    /// Puts the offset where the last observations say it is; a call or a recording begins.
    pub(crate) fn realign(&mut self) {
        let count = self.seen.min(RECENT);
        let (Some(offset), false) = (self.offset, count == 0) else {
            return;
        };
        let mut recent = self.recent;
        let (_, seen, _) = sorted(&mut recent[..count]);
        if (seen - offset).abs() > self.frames(PLAYED_NUDGE) {
            self.shift(seen - offset, self.window.since);
        }
    }

    fn shift(&mut self, by: i64, end: i64) {
        if self.loud_until > self.next {
            self.slipped += Frames(by.unsigned_abs());
        }
        self.offset = self.offset.map(|offset| offset + by);
        self.window.restart(end);
    }

    /// How much later the caller's sound arrives than what the player shows as heard, in the
    /// mean: each is told a period at a time.
    fn latency(&self) -> i64 {
        let period = self.capture.period_frames.load(Ordering::Relaxed);
        (i64::from(period) - self.frames(PERIOD)) / 2
    }

    fn frames(&self, length: Millis) -> i64 {
        number(self.rate.frames_in(length))
    }
}

impl Window {
    fn restart(&mut self, since: i64) {
        self.since = since;
        self.offs.clear();
    }
}

/// The least, the median and the most.
fn sorted(values: &mut [i64]) -> (i64, i64, i64) {
    values.sort_unstable();
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    (
        at(0),
        at(values.len() / 2),
        at(values.len().saturating_sub(1)),
    )
}

/// The samples while they are added to.
struct Leg<'a> {
    samples: &'a mut VecDeque<i16>,
    first: &'a mut i64,
    loud_until: &'a mut i64,
    kept: Frames,
}

impl Leg<'_> {
    fn block(&mut self, block: &Block) {
        let position = number(block.position);
        if position != self.end() {
            // The tap has no holes: this is its first block.
            self.samples.clear();
            *self.first = position;
        }
        match block.kind {
            BlockKind::Audio => {
                let (samples, _) = block.sound().as_chunks::<2>();
                let start = self.end();
                let samples = samples.iter().map(|bytes| i16::from_le_bytes(*bytes));
                for (sample, place) in samples.zip(start..) {
                    self.samples.push_back(sample);
                    if sample != 0 {
                        *self.loud_until = place + 1;
                    }
                }
            }
            BlockKind::Gap(frames, _) if frames >= self.kept => {
                *self.first = self.end() + number(frames);
                self.samples.clear();
            }
            BlockKind::Gap(frames, _) => {
                self.samples.extend((0..frames.0).map(|_| 0_i16));
            }
        }
        let kept = usize::try_from(self.kept.0).unwrap_or(usize::MAX);
        let over = self.samples.len().saturating_sub(kept);
        self.samples.drain(..over);
        *self.first += number(Frames(over as u64));
    }

    fn end(&self) -> i64 {
        *self.first + number(Frames(self.samples.len() as u64))
    }
}

fn number(frames: Frames) -> i64 {
    i64::try_from(frames.0).unwrap_or(i64::MAX)
}

/// Observations that a realignment goes by.
const RECENT: usize = 5;

#[cfg(test)]
#[allow(
    clippy::cast_possible_truncation,
    reason = "minutes of frames, after zero"
)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use audio_io::block::GapCause;
    use audio_io::player::{Player, decoded};
    use audio_io::ring::{BlockProducer, ring};

    use super::*;

    const RATE: SampleRate = SampleRate::TELEPHONE;
    /// Frames that the player's device is given ahead.
    const AHEAD: u64 = 240;

    /// Two devices with clocks of their own, in true time.
    struct Devices {
        played: Played,
        tap: BlockProducer,
        /// True time in frames.
        time: f64,
        /// How much faster the player's clock is.
        ppm: f64,
        /// When the player began to count, in true time.
        player_began: f64,
        written: u64,
        caller: u64,
        capture_period: u64,
        /// Whether the player's device is there.
        plays: bool,
        /// Numbers of the player's frames that are clicks.
        clicks: Vec<u64>,
        /// The right leg so far, beside the caller's frames.
        leg: Vec<i16>,
    }

    impl Devices {
        fn new(ppm: f64, player_began: f64) -> Self {
            let (tap, consumer) = ring(256);
            let (events, _told) = sync_channel(1);
            let player = Player::new(0, decoded(RATE), &events, None, Duration::ZERO);
            let capture = Arc::new(CaptureStats::default());
            let running = DeviceState::Running as u32;
            capture.state.store(running, Ordering::Relaxed);
            capture.period_frames.store(160, Ordering::Relaxed);
            Self {
                played: Played::new(RATE, consumer, player.control, capture),
                tap,
                time: 0.0,
                ppm,
                player_began,
                written: 0,
                caller: 0,
                capture_period: 160,
                plays: true,
                clicks: Vec::new(),
                leg: Vec::new(),
            }
        }

        fn heard_at(&self, time: f64) -> u64 {
            let since = (time - self.player_began).max(0.0);
            (since * (1.0 + self.ppm / 1e6)) as u64
        }

        /// When the player's frame is heard, in the caller's frames.
        fn caller_of(&self, number: u64) -> u64 {
            (self.player_began + number as f64 / (1.0 + self.ppm / 1e6)) as u64
        }

        /// So much time, with a drain every `every` frames.
        fn run(&mut self, frames: u64, every: u64) {
            for _ in 0..frames / every {
                self.time += every as f64;
                // The player's last turn was up to 10 ms ago.
                let turn = self.time - (self.time as u64 % 80) as f64;
                let heard = self.heard_at(turn);
                let written = if heard > 0 { heard + AHEAD } else { 0 };
                while self.written < written {
                    let count = (written - self.written).min(80);
                    let place = Frames(self.written);
                    let sample = |n| {
                        if self.clicks.contains(&n) {
                            20_000_i16
                        } else {
                            3
                        }
                    };
                    let bytes: Vec<u8> = (self.written..self.written + count)
                        .flat_map(|n| sample(n).to_le_bytes())
                        .collect();
                    let block = if self.plays {
                        Block::audio(place, &bytes)
                    } else {
                        Block::gap(place, Frames(count), GapCause::DeviceLost)
                    };
                    self.tap.push(block).expect("room in the tap");
                    self.written += count;
                }
                let shown = if self.plays { heard } else { self.written };
                let stats = self.played.control.stats();
                stats.heard.store(shown, Ordering::Release);
                self.drain();
            }
        }

        fn drain(&mut self) {
            self.played.absorb();
            let captured = self.time as u64 / self.capture_period * self.capture_period;
            let mut leg = Vec::new();
            while self.caller < captured {
                let frames = usize::try_from(self.capture_period).expect("small");
                self.played.take(Frames(self.caller), &mut leg, frames);
                self.leg.extend(&leg);
                self.caller += self.capture_period;
            }
            self.played.observe(Frames(self.caller));
        }

        /// How far each click is from its echo, in milliseconds.
        fn clicks_off(&self) -> Vec<i64> {
            let places = self.leg.iter().enumerate();
            let found: Vec<i64> = places
                .filter(|(_, sample)| **sample == 20_000)
                .map(|(place, _)| i64::try_from(place).expect("small"))
                .collect();
            assert_eq!(found.len(), self.clicks.len(), "{found:?}");
            let echoes = self.clicks.iter().map(|click| self.caller_of(*click));
            let off = found.iter().zip(echoes);
            off.map(|(place, echo)| (place - i64::try_from(echo).expect("small")) / 8)
                .collect()
        }
    }

    #[test]
    fn a_click_lies_beside_its_echo() {
        for every in [160, 800] {
            for began in [0.0, 3_333.0, -5_000.0, 24_000.0] {
                let mut devices = Devices::new(0.0, began);
                devices.clicks = vec![40_000, 48_123, 60_001];
                devices.run(48_000, every);
                devices.played.realign();
                devices.run(80_000, every);
                let off = devices.clicks_off();
                assert!(off.iter().all(|off| off.abs() <= 20), "{began}: {off:?}");
            }
        }
    }

    #[test]
    fn drift_is_mended_before_it_is_heard_as_an_echo() {
        for ppm in [200.0, -200.0] {
            let mut devices = Devices::new(ppm, 0.0);
            devices.clicks = (1..60).map(|n| n * 80_000).collect();
            devices.run(60 * 80_000 + 8_000, 800);
            let off = devices.clicks_off();
            assert!(off.iter().all(|off| off.abs() <= 40), "{ppm}: {off:?}");
            let slipped = devices.played.slipped();
            assert!(slipped >= Frames(320), "{ppm}: {slipped}");
        }
    }

    #[test]
    fn without_sound_the_clocks_are_put_together_all_the_time_and_nothing_is_slipped() {
        let mut devices = Devices::new(200.0, 0.0);
        devices.plays = false;
        devices.run(20 * 80_000, 800);
        devices.plays = true;
        devices.run(20 * 800, 800);
        devices.played.realign();
        devices.clicks = vec![devices.written + 4_000];
        devices.run(16_000, 800);
        let off = devices.clicks_off();
        assert!(off.iter().all(|off| off.abs() <= 20), "{off:?}");
    }

    #[test]
    fn a_device_that_was_away_leaves_silence_and_comes_back_in_place() {
        let mut devices = Devices::new(0.0, 0.0);
        devices.run(16_000, 800);
        devices.plays = false;
        devices.run(40_000, 800);
        let silent = devices.leg.iter().rev().take(16_000);
        assert!(silent.into_iter().all(|sample| *sample == 0));
        devices.plays = true;
        devices.run(24_000, 800);
        devices.clicks = vec![devices.written + 800];
        devices.run(8_000, 800);
        let off = devices.clicks_off();
        assert!(off.iter().all(|off| off.abs() <= 45), "{off:?}");
    }

    #[test]
    fn a_place_that_nothing_is_known_of_is_silent() {
        let mut devices = Devices::new(0.0, 0.0);
        let mut leg = vec![1; 3];
        devices.played.take(Frames(100), &mut leg, 50);
        assert_eq!(leg, [0; 50]);
        devices.run(8_000, 800);
        devices.played.take(Frames(1_000_000), &mut leg, 50);
        assert_eq!(leg, [0; 50]);
    }
}
