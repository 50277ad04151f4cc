//! The caller's digits on one line: which there are now, and which there were lately.

use std::collections::VecDeque;

use audio_io::codec::g711;
use audio_io::dsp::dtmf::{DetectorParams, Digit, DtmfDetector, DtmfEvent};
use audio_io::format::StreamFormat;
use audio_io::units::{Frames, Millis};

use crate::engine::limits::PLAYED_LEAD;

/// Hears the caller's leg. Places are frames of the line since it began.
pub(crate) struct Hearing {
    detector: DtmfDetector,
    format: StreamFormat,
    /// The place where the detector began.
    base: Frames,
    /// The place of the next frame.
    at: Frames,
    /// The digit that sounds, and since where.
    sounding: Option<(Digit, Frames)>,
    /// Digits that ended within `memory`, for recordings that begin with a look-back.
    recent: VecDeque<Spoken>,
    memory: Frames,
    /// The leg on its way to the detector, on a line that plays: what is played comes before its
    /// echo then, however the devices' clocks are put together.
    late: VecDeque<i16>,
    delay: Frames,
    leg: Vec<i16>,
}

/// A digit from where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spoken {
    pub(crate) digit: Digit,
    pub(crate) start: Frames,
    pub(crate) end: Frames,
}

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A digit has begun, and goes on.
    Began {
        /// Where.
        start: Frames,
    },
    /// It is over.
    Ended(Spoken),
}

impl Hearing {
    /// Begins to hear a line at a place, and remembers digits for the length of its look-back.
    pub(crate) fn new(format: StreamFormat, base: Frames, look_back: Millis, plays: bool) -> Self {
        let mut params = DetectorParams::default();
        let mut delay = Frames::ZERO;
        if plays {
            params.canceller.tail = ECHO_TAIL;
            delay = format.rate.frames_in(PLAYED_LEAD);
        }
        Self {
            detector: DtmfDetector::new(format.rate, params),
            format,
            base,
            at: base,
            sounding: None,
            recent: VecDeque::new(),
            memory: format.rate.frames_in(look_back) + format.rate.frames_in(MEMORY),
            late: (0..delay.0).map(|_| 0).collect(),
            delay,
            leg: Vec::new(),
        }
    }

    /// Hears sound of the line, whose first leg is the caller's. `played` is what was played
    /// [`PLAYED_LEAD`] later, on a line that plays.
    pub(crate) fn sound(
        &mut self,
        sound: &[u8],
        played: Option<&[i16]>,
        mut found: impl FnMut(Heard),
    ) {
        let encoding = self.format.encoding;
        let frames = sound.chunks_exact(self.format.frame_bytes());
        let samples = frames.map(|frame| g711::sample(frame, encoding));
        self.leg.clear();
        if self.delay == Frames::ZERO {
            self.leg.extend(samples);
        } else {
            self.late.extend(samples);
            let due = self.late.len() - self.late_frames();
            self.leg.extend(self.late.drain(..due));
        }
        self.push(played, &mut found);
        self.advance(Frames(self.leg.len() as u64));
    }

    /// Hears that frames are lost.
    pub(crate) fn gap(&mut self, frames: Frames, mut found: impl FnMut(Heard)) {
        let late = self.late_frames();
        let due = usize::try_from(frames.0).unwrap_or(usize::MAX).min(late);
        self.leg.clear();
        self.leg.extend(self.late.drain(..due));
        self.late.resize(late, 0);
        self.push(None, &mut found);
        let Self {
            detector,
            base,
            delay,
            sounding,
            recent,
            ..
        } = self;
        let rest = frames.saturating_sub(Frames(due as u64));
        let mut each = |event| found(noted(event, (*base, *delay), sounding, recent));
        detector.push_silence(rest, &mut each);
        self.advance(frames);
    }

    /// The detector hears the leg at hand.
    fn push(&mut self, played: Option<&[i16]>, found: &mut impl FnMut(Heard)) {
        let Self {
            detector,
            base,
            delay,
            sounding,
            recent,
            leg,
            ..
        } = self;
        let mut each = |event| found(noted(event, (*base, *delay), sounding, recent));
        match played {
            None => detector.push(leg, &mut each),
            Some(played) => detector.push_with_played(leg, played, &mut each),
        }
    }

    fn late_frames(&self) -> usize {
        usize::try_from(self.delay.0).unwrap_or(usize::MAX)
    }

    /// The digit that sounds, and since where.
    pub(crate) const fn sounding(&self) -> Option<(Digit, Frames)> {
        self.sounding
    }

    /// Digits that ended after a place, as far as they are remembered.
    pub(crate) fn since(&self, place: Frames) -> impl Iterator<Item = Spoken> {
        self.recent
            .iter()
            .copied()
            .filter(move |digit| digit.end > place)
    }

    fn advance(&mut self, frames: Frames) {
        self.at += frames;
        let oldest = self.at.saturating_sub(self.memory);
        while self.recent.front().is_some_and(|digit| digit.end < oldest) {
            self.recent.pop_front();
        }
    }
}

/// Puts an event in its place; `from` is where the detector began, and its delay.
fn noted(
    event: DtmfEvent,
    from: (Frames, Frames),
    sounding: &mut Option<(Digit, Frames)>,
    recent: &mut VecDeque<Spoken>,
) -> Heard {
    let (base, delay) = from;
    let place = |at: Frames| (base + at).saturating_sub(delay);
    match event {
        DtmfEvent::Began { digit, start } => {
            let start = place(start);
            *sounding = Some((digit, start));
            Heard::Began { start }
        }
        DtmfEvent::Ended(heard) => {
            *sounding = None;
            let spoken = Spoken {
                digit: heard.digit,
                start: place(heard.start),
                end: place(heard.end),
            };
            recent.push_back(spoken);
            Heard::Ended(spoken)
        }
    }
}

/// The longest echo that is cancelled: the legs may lie apart by twice [`PLAYED_LEAD`] and more.
const ECHO_TAIL: Millis = Millis(64);

/// How much longer than the look-back digits are remembered: a mask joins those shortly before.
const MEMORY: Millis = Millis(1_000);
