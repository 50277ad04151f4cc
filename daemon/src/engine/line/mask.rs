//! Silencing the tones of digits in a recording. A digit is known only once it has sounded for a
//! while, and whether the pause before it is to be silenced even later: sound waits for
//! [`MASK_DELAY`] on its way to the recording.
//!
//! ```text
//!  sound, gaps ──▶ pieces, MASK_DELAY long ──▶ recording: sound, silence where a range says so
//!  digits ───────▶ ranges of places, joined as `mask_ranges` joins them
//! ```

use std::collections::VecDeque;
use std::ops::Range;

use audio_io::block::GapCause;
use audio_io::dsp::dtmf::MaskGuard;
use audio_io::format::StreamFormat;
use audio_io::units::Frames;

use super::hearing::Hearing;
use crate::engine::limits::{LISTEN_MASK_DELAY, MASK_DELAY};

/// What comes out, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Released<'a> {
    /// Whole frames, silenced where they had to be.
    Sound(&'a [u8]),
    /// Lost frames.
    Gap(Frames, GapCause),
    /// The next frames have silence in place of lost ones on one leg.
    HalfGap(Frames, GapCause),
    /// So many of the last frames, gaps too, were silenced.
    Masked(Frames),
}

/// The delay of one recording. Places are frames of the line since it began.
#[derive(Debug)]
pub(crate) struct Mask {
    format: StreamFormat,
    delay: Frames,
    before: Frames,
    after: Frames,
    join: Frames,
    pieces: VecDeque<Piece>,
    held: Frames,
    /// The place of the first frame that is held.
    from: Frames,
    /// What is to be silenced: in order, apart, none before `from`. The last one's end is
    /// [`SOUNDING`] while its digit lasts.
    ranges: VecDeque<Range<Frames>>,
    /// Frames silenced without a break up to `from`.
    run: Frames,
    /// Memory of a piece that went out.
    spare: Vec<u8>,
}

#[derive(Debug)]
enum Piece {
    /// Bytes, and how many of them have gone out.
    Sound(Vec<u8>, usize),
    Gap(Frames, GapCause),
    HalfGap(Frames, GapCause),
}

impl Mask {
    /// Empty; the next frame's place is `from`.
    pub(crate) fn new(format: StreamFormat, from: Frames) -> Self {
        let guard = MaskGuard::default();
        let frames = |length| format.rate.frames_in(length);
        Self {
            format,
            delay: frames(MASK_DELAY),
            before: frames(guard.before),
            after: frames(guard.after),
            join: frames(guard.join),
            pieces: VecDeque::new(),
            held: Frames::ZERO,
            from,
            ranges: VecDeque::new(),
            run: Frames::ZERO,
            spare: Vec::new(),
        }
    }

    /// One for those who listen meanwhile: it waits only until a digit is known, and silences what
    /// follows each digit as long as a pause between two may be.
    pub(crate) fn hasty(format: StreamFormat, from: Frames) -> Self {
        let mut mask = Self::new(format, from);
        mask.delay = format.rate.frames_in(LISTEN_MASK_DELAY);
        mask.after = mask.join;
        mask
    }

    /// Digits that began before it does are silenced too.
    pub(crate) fn knows(&mut self, hearing: &Hearing) {
        for digit in hearing.since(Frames::ZERO) {
            self.began(digit.start);
            self.ended(digit.end);
        }
        if let Some((_, start)) = hearing.sounding() {
            self.began(start);
        }
    }

    /// Frames that wait.
    pub(crate) const fn held(&self) -> Frames {
        self.held
    }

    /// A digit sounds since `start`. Digits come in the order of their starts.
    pub(crate) fn began(&mut self, start: Frames) {
        let from = start.saturating_sub(self.before);
        match self.ranges.back_mut() {
            Some(last) if from <= last.end || from.saturating_sub(last.end) < self.join => {
                last.end = SOUNDING;
            }
            _ => self.ranges.push_back(from..SOUNDING),
        }
    }

    /// The digit that began last is over.
    pub(crate) fn ended(&mut self, end: Frames) {
        if let Some(last) = self.ranges.back_mut() {
            last.end = end + self.after;
        }
        self.forget_what_is_past();
    }

    /// Takes sound; what has waited long enough goes out.
    pub(crate) fn sound(&mut self, sound: &[u8], each: impl FnMut(Released<'_>)) {
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.clear();
        bytes.extend_from_slice(sound);
        self.held += self.format.frames_in(sound.len() as u64);
        self.pieces.push_back(Piece::Sound(bytes, 0));
        self.release(self.delay, each);
    }

    /// Takes a gap; what has waited long enough goes out.
    pub(crate) fn gap(&mut self, frames: Frames, cause: GapCause, each: impl FnMut(Released<'_>)) {
        self.held += frames;
        self.pieces.push_back(Piece::Gap(frames, cause));
        self.release(self.delay, each);
    }

    /// Takes the note that the next frames lack a leg.
    pub(crate) fn half_gap(&mut self, frames: Frames, cause: GapCause) {
        self.pieces.push_back(Piece::HalfGap(frames, cause));
    }

    /// Lets everything out.
    pub(crate) fn flush(&mut self, mut each: impl FnMut(Released<'_>)) {
        self.release(Frames::ZERO, &mut each);
        self.tell_run(&mut each);
    }

    /// Frames up to this place were left out; nothing may be held.
    pub(crate) fn skip_to(&mut self, place: Frames) {
        self.from = place;
        self.forget_what_is_past();
    }

    fn release(&mut self, keep: Frames, mut each: impl FnMut(Released<'_>)) {
        while self.held > keep
            && let Some(piece) = self.pieces.pop_front()
        {
            let most = self.held.saturating_sub(keep);
            match piece {
                Piece::HalfGap(frames, cause) => each(Released::HalfGap(frames, cause)),
                Piece::Gap(frames, cause) => {
                    let (here, _) = self.alike(frames.min(most), &mut each);
                    each(Released::Gap(here, cause));
                    let rest = frames.saturating_sub(here);
                    if rest > Frames::ZERO {
                        self.pieces.push_front(Piece::Gap(rest, cause));
                    }
                    self.advance(here);
                }
                Piece::Sound(bytes, gone) => self.release_sound(bytes, gone, most, &mut each),
            }
        }
    }

    fn release_sound(
        &mut self,
        mut bytes: Vec<u8>,
        gone: usize,
        most: Frames,
        each: &mut impl FnMut(Released<'_>),
    ) {
        let frames = self.format.frames_in((bytes.len() - gone) as u64);
        let (here, masked) = self.alike(frames.min(most), each);
        let length = usize::try_from(self.format.bytes_of(here)).unwrap_or(usize::MAX);
        let to = gone.saturating_add(length).min(bytes.len());
        if masked {
            bytes[gone..to].fill(self.format.encoding.silence_byte());
        }
        each(Released::Sound(&bytes[gone..to]));
        if to < bytes.len() {
            self.pieces.push_front(Piece::Sound(bytes, to));
        } else {
            self.spare = bytes;
        }
        self.advance(here);
    }

    /// How many of the first frames are alike, and whether they are to be silenced. Tells the run
    /// that ends before them.
    fn alike(&mut self, most: Frames, each: &mut impl FnMut(Released<'_>)) -> (Frames, bool) {
        let from = self.from;
        let (frames, masked) = match self.ranges.front() {
            Some(range) if range.start <= from => (range.end.saturating_sub(from), true),
            Some(range) => (range.start.saturating_sub(from), false),
            None => (most, false),
        };
        let frames = frames.min(most);
        if masked {
            self.run += frames;
        } else {
            self.tell_run(each);
        }
        (frames, masked)
    }

    fn tell_run(&mut self, each: &mut impl FnMut(Released<'_>)) {
        if self.run > Frames::ZERO {
            each(Released::Masked(std::mem::take(&mut self.run)));
        }
    }

    fn advance(&mut self, frames: Frames) {
        self.held = self.held.saturating_sub(frames);
        self.from += frames;
        self.forget_what_is_past();
    }

    fn forget_what_is_past(&mut self) {
        while self
            .ranges
            .front()
            .is_some_and(|range| range.end <= self.from)
        {
            self.ranges.pop_front();
        }
    }
}

/// The end of a range whose digit still sounds.
const SOUNDING: Frames = Frames(u64::MAX);

#[cfg(test)]
mod tests {
    use audio_io::dsp::dtmf::{Digit, DigitHeard, mask_ranges};
    use audio_io::units::CentiDbfs;
    use proptest::prelude::*;

    use super::*;
    use crate::engine::limits::DIGIT_KNOWN_AFTER;

    const FORMAT: StreamFormat = StreamFormat::TELEPHONE;
    const RATE: audio_io::units::SampleRate = FORMAT.rate;

    /// What came out, frame by frame (`None` is a gap), and the stretches told as masked.
    #[derive(Default)]
    struct Out {
        frames: Vec<Option<i16>>,
        masked: Vec<Range<Frames>>,
    }

    impl Out {
        fn take(&mut self, released: &Released<'_>) {
            let at = |frames: &Vec<_>| Frames(frames.len() as u64);
            match released {
                Released::Sound(sound) => {
                    let (samples, _) = sound.as_chunks::<2>();
                    let samples = samples.iter().map(|two| Some(i16::from_le_bytes(*two)));
                    self.frames.extend(samples);
                }
                Released::Gap(frames, _) => self.frames.extend((0..frames.0).map(|_| None)),
                Released::HalfGap(..) => {}
                Released::Masked(frames) => {
                    let end = at(&self.frames);
                    self.masked.push(end.saturating_sub(*frames)..end);
                }
            }
        }
    }

    #[derive(Clone, Debug)]
    struct Case {
        /// Blocks of sound, or gaps.
        blocks: Vec<(u64, bool)>,
        /// Pauses before digits, and their lengths, in frames.
        digits: Vec<(u64, u64)>,
        late: u64,
    }

    fn case() -> impl Strategy<Value = Case> {
        let block = (1..400_u64, prop::bool::weighted(0.9));
        let long_gap = (1..12_000_u64).prop_map(|frames| (frames, false));
        let blocks = prop_oneof![12 => block, 1 => long_gap];
        let digit = (160..7_000_u64, 320..3_000_u64);
        (
            prop::collection::vec(blocks, 1..300),
            prop::collection::vec(digit, 0..12),
            0..=RATE.frames_in(DIGIT_KNOWN_AFTER).0,
        )
            .prop_map(|(blocks, digits, late)| Case {
                blocks,
                digits,
                late,
            })
    }

    fn heard(case: &Case) -> Vec<DigitHeard> {
        let mut at = 0;
        let digits = case.digits.iter().map(|(pause, length)| {
            let start = at + pause;
            at = start + length;
            DigitHeard {
                digit: Digit::ALL[0],
                start: Frames(start),
                end: Frames(at),
                low: CentiDbfs(0),
                high: CentiDbfs(0),
            }
        });
        digits.collect()
    }

    /// Runs a case with blocks cut where a digit becomes known, as a detector's news come.
    fn run(case: &Case, digits: &[DigitHeard]) -> (Out, Vec<Option<i16>>) {
        let (mut out, mut given) = (Out::default(), Vec::new());
        let mut mask = Mask::new(FORMAT, Frames::ZERO);
        let late = Frames(case.late);
        let news = digits.iter().flat_map(|digit| {
            [
                (digit.start + late, None),
                (digit.end + late, Some(digit.end)),
            ]
        });
        let mut news = news.collect::<Vec<_>>();
        let starts: Vec<Frames> = digits.iter().map(|digit| digit.start).collect();
        news.sort_by_key(|(known, end)| (*known, end.is_none()));
        let mut news = news.into_iter().peekable();
        let mut starts = starts.into_iter();
        for (length, is_sound) in &case.blocks {
            let mut left = *length;
            while left > 0 {
                let at = Frames(given.len() as u64);
                while let Some((_, end)) = news.next_if(|(known, _)| *known <= at) {
                    match end {
                        None => mask.began(starts.next().expect("a start each")),
                        Some(end) => mask.ended(end),
                    }
                }
                let next = news.peek().map_or(u64::MAX, |(known, _)| (*known - at).0);
                let now = left.min(next);
                left -= now;
                if *is_sound {
                    let samples = (0..now).map(|n| (((at.0 + n) % 30_000) as i16) + 1);
                    let samples: Vec<i16> = samples.collect();
                    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
                    given.extend(samples.into_iter().map(Some));
                    mask.sound(&bytes, |released| out.take(&released));
                } else {
                    given.extend((0..now).map(|_| None));
                    mask.gap(Frames(now), GapCause::Overrun, |released| {
                        out.take(&released)
                    });
                }
                let gone = Frames(given.len() as u64 - out.frames.len() as u64);
                assert_eq!(gone, mask.held());
                assert!(mask.held() <= RATE.frames_in(MASK_DELAY));
            }
        }
        mask.flush(|released| out.take(&released));
        (out, given)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn no_sample_of_a_digit_survives_and_no_other_is_touched(case in case()) {
            let digits = heard(&case);
            let (out, given) = run(&case, &digits);
            let length = Frames(given.len() as u64);
            prop_assert_eq!(out.frames.len(), given.len());
            let late = Frames(case.late);
            // One whose end is not known at the end of the recording lasts until then.
            let known = digits.into_iter().filter(|digit| digit.start + late < length);
            let known = known.map(|digit| DigitHeard {
                end: if digit.end + late < length { digit.end } else { length },
                ..digit
            });
            let known: Vec<DigitHeard> = known.collect();
            let ranges = mask_ranges(&known, MaskGuard::default(), RATE, length);
            prop_assert_eq!(&out.masked, &ranges);
            for (place, (out, given)) in out.frames.iter().zip(&given).enumerate() {
                let place = Frames(place as u64);
                let masked = ranges.iter().any(|range| range.contains(&place));
                let expected = given.map(|sample| if masked { 0 } else { sample });
                prop_assert_eq!(*out, expected, "at {}", place.0);
            }
        }
    }
}
