//! Voice activity: 20 ms windows against two thresholds, with an attack before voice begins and a
//! hang after it ends. The loudest leg counts.
//!
//! ```text
//!            ≥ start for `attack`                 < stop for `hang`
//!  silent ────────────────────────▶ speaking ────────────────────────▶ silent
//!           Started { at: first loud window }    Ended { silent_since, at }
//! ```

use crate::dsp::LEGS_MAX;
use crate::dsp::level::{Energy, energies};
use crate::format::StreamFormat;
use crate::units::{Frames, Millis};

/// How long one decision's window is.
pub const WINDOW: Millis = Millis(20);

/// When voice begins and ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoxParams {
    /// RMS over a window, in dBFS, at and above which there is voice (-70 to 0).
    pub start_dbfs: f64,
    /// RMS in dBFS below which there is silence; values above `start_dbfs` count as that.
    pub stop_dbfs: f64,
    /// Voice this long is a beginning. Rounded up to windows, at least one.
    pub attack: Millis,
    /// Silence this long is an end. Rounded up to windows, at least one.
    pub hang: Millis,
}

/// What a detector found. Positions are in frames since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoxEvent {
    /// There is voice.
    Started {
        /// Where the first loud window began.
        at: Frames,
    },
    /// There is no voice any more.
    Ended {
        /// Where the first silent window began.
        silent_since: Frames,
        /// Where the hang time was over.
        at: Frames,
    },
}

/// Finds voice in one stream.
#[derive(Clone, Debug)]
pub struct VoiceDetector {
    format: StreamFormat,
    window: Frames,
    /// Sum of squares of one window at each threshold.
    start: u64,
    stop: u64,
    attack: u64,
    hang: u64,
    /// The window being filled.
    legs: [Energy; LEGS_MAX],
    filled: Frames,
    /// Where the window being filled began.
    at: Frames,
    /// Windows in a row that speak for a change.
    run: u64,
    speaking: bool,
}

impl VoiceDetector {
    /// A detector at the start of a stream, silent.
    #[must_use]
    pub fn new(format: StreamFormat, params: VoxParams) -> Self {
        let window = format.rate.frames_in(WINDOW);
        let start = threshold(params.start_dbfs, window);
        Self {
            format,
            window,
            start,
            stop: threshold(params.stop_dbfs, window).min(start),
            attack: params.attack.0.div_ceil(WINDOW.0).max(1),
            hang: params.hang.0.div_ceil(WINDOW.0).max(1),
            legs: [Energy::default(); LEGS_MAX],
            filled: Frames::ZERO,
            at: Frames::ZERO,
            run: 0,
            speaking: false,
        }
    }

    /// Whether there is voice now; the hang time counts as voice.
    #[must_use]
    pub const fn is_speaking(&self) -> bool {
        self.speaking
    }

    /// Hears whole frames and tells what it finds, in order.
    pub fn push(&mut self, sound: &[u8], mut found: impl FnMut(VoxEvent)) {
        let frame_bytes = self.format.frame_bytes();
        let mut rest = &sound[..sound.len() - sound.len() % frame_bytes];
        while !rest.is_empty() {
            let room = (self.window - self.filled)
                .0
                .saturating_mul(frame_bytes as u64);
            let take = usize::try_from(room).unwrap_or(usize::MAX).min(rest.len());
            let (piece, after) = rest.split_at(take);
            for (leg, heard) in self.legs.iter_mut().zip(&energies(piece, self.format)) {
                leg.add(heard);
            }
            self.advance(Frames((take / frame_bytes) as u64), &mut found);
            rest = after;
        }
    }

    /// Hears silence in place of lost frames.
    pub fn push_silence(&mut self, frames: Frames, mut found: impl FnMut(VoxEvent)) {
        let mut rest = frames;
        while rest > Frames::ZERO {
            // When nothing can change any more, whole windows need not be walked one by one.
            if !self.speaking && self.run == 0 && self.filled == Frames::ZERO {
                let whole = Frames(rest.0 - rest.0 % self.window.0);
                self.at += whole;
                rest = rest - whole;
                if rest == Frames::ZERO {
                    break;
                }
            }
            let take = rest.min(self.window - self.filled);
            self.advance(take, &mut found);
            rest = rest - take;
        }
    }

    fn advance(&mut self, frames: Frames, found: &mut impl FnMut(VoxEvent)) {
        self.filled += frames;
        if self.filled < self.window {
            return;
        }
        let loudest = self
            .legs
            .iter()
            .map(|leg| leg.sum_squares)
            .max()
            .unwrap_or_default();
        self.legs = [Energy::default(); LEGS_MAX];
        self.filled = Frames::ZERO;
        self.at += self.window;
        let (changes, needed) = if self.speaking {
            (loudest < self.stop, self.hang)
        } else {
            (loudest >= self.start, self.attack)
        };
        self.run = if changes { self.run + 1 } else { 0 };
        if self.run < needed {
            return;
        }
        let since = Frames(self.at.0 - self.run * self.window.0);
        self.run = 0;
        self.speaking = !self.speaking;
        found(if self.speaking {
            VoxEvent::Started { at: since }
        } else {
            VoxEvent::Ended {
                silent_since: since,
                at: self.at,
            }
        });
    }
}

/// The sum of squares of a window at this level.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "at most 2^30 times a window of 960 frames, and never negative"
)]
fn threshold(dbfs: f64, window: Frames) -> u64 {
    let amplitude = 32_768.0 * 10_f64.powf(dbfs.min(0.0) / 20.0);
    (amplitude * amplitude * window.0 as f64).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::Tone;
    use crate::format::Channels;
    use crate::units::SampleRate;

    const PARAMS: VoxParams = VoxParams {
        start_dbfs: -40.0,
        stop_dbfs: -46.0,
        attack: Millis(60),
        hang: Millis(500),
    };

    fn tone(ms: u64, dbfs: f64) -> Vec<u8> {
        // The RMS of a sine is 3.01 dB below its peak.
        let amplitude = 10_f64.powf((dbfs + 3.0103) / 20.0);
        let frames = SampleRate::TELEPHONE.frames_in(Millis(ms));
        Tone::new(SampleRate::TELEPHONE, 400.0, amplitude).bytes(frames, StreamFormat::TELEPHONE)
    }

    fn run(pieces: &[Vec<u8>], at_once: usize) -> Vec<VoxEvent> {
        let mut detector = VoiceDetector::new(StreamFormat::TELEPHONE, PARAMS);
        let mut events = Vec::new();
        for piece in pieces {
            for chunk in piece.chunks(at_once) {
                detector.push(chunk, |event| events.push(event));
            }
        }
        events
    }

    #[test]
    fn voice_begins_after_the_attack_and_ends_after_the_hang() {
        let silence = vec![0; 16_000];
        for at_once in [2, 318, 320, 100_000] {
            let events = run(
                &[silence.clone(), tone(1_000, -20.0), silence.clone()],
                at_once,
            );
            let expected = vec![
                VoxEvent::Started { at: Frames(8_000) },
                VoxEvent::Ended {
                    silent_since: Frames(16_000),
                    at: Frames(20_000),
                },
            ];
            assert_eq!(events, expected, "{at_once}");
        }
    }

    #[test]
    fn clicks_are_not_voice_and_pauses_do_not_end_it() {
        let pause = vec![0; 2 * 8 * 480];
        assert_eq!(
            run(&[tone(40, -10.0), pause.clone(), tone(40, -10.0)], 320),
            vec![]
        );
        let talk = run(
            &[tone(100, -20.0), pause.clone(), tone(100, -20.0), pause],
            320,
        );
        assert_eq!(talk, vec![VoxEvent::Started { at: Frames(0) }]);
    }

    #[test]
    fn between_the_thresholds_nothing_changes() {
        assert_eq!(run(&[tone(2_000, -43.0)], 320), vec![]);
        let events = run(
            &[tone(200, -30.0), tone(2_000, -43.0), tone(1_000, -50.0)],
            320,
        );
        assert_eq!(events.len(), 2);
        assert_eq!(
            events[1],
            VoxEvent::Ended {
                silent_since: Frames(17_600),
                at: Frames(21_600)
            }
        );
    }

    #[test]
    fn a_gap_is_silence_and_the_second_leg_counts() {
        let stereo = StreamFormat {
            channels: Channels::Stereo,
            ..StreamFormat::TELEPHONE
        };
        let mut detector = VoiceDetector::new(stereo, PARAMS);
        let mut events = Vec::new();
        let agent: Vec<u8> = tone(200, -20.0)
            .chunks_exact(2)
            .flat_map(|s| [0, 0, s[0], s[1]])
            .collect();
        detector.push_silence(Frames(160_000_000_000), |event| events.push(event));
        detector.push(&agent, |event| events.push(event));
        assert!(detector.is_speaking());
        detector.push_silence(Frames(8_000), |event| events.push(event));
        assert_eq!(
            events,
            vec![
                VoxEvent::Started {
                    at: Frames(160_000_000_000)
                },
                VoxEvent::Ended {
                    silent_since: Frames(160_000_001_600),
                    at: Frames(160_000_005_600)
                },
            ]
        );
    }
}
