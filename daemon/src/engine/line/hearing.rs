//! The caller's digits on one line: which there are now, and which there were lately.

use std::collections::VecDeque;

use audio_io::codec::g711;
use audio_io::dsp::dtmf::{DetectorParams, Digit, DtmfDetector, DtmfEvent};
use audio_io::format::StreamFormat;
use audio_io::units::{Frames, Millis};

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
    pub(crate) fn new(format: StreamFormat, base: Frames, look_back: Millis) -> Self {
        Self {
            detector: DtmfDetector::new(format.rate, DetectorParams::default()),
            format,
            base,
            at: base,
            sounding: None,
            recent: VecDeque::new(),
            memory: format.rate.frames_in(look_back) + format.rate.frames_in(MEMORY),
            leg: Vec::new(),
        }
    }

    /// Hears sound of the line, whose first leg is the caller's. `played` is what was played at
    /// the same time, on a line that plays.
    pub(crate) fn sound(
        &mut self,
        sound: &[u8],
        played: Option<&[i16]>,
        mut found: impl FnMut(Heard),
    ) {
        let encoding = self.format.encoding;
        self.leg.clear();
        let frames = sound.chunks_exact(self.format.frame_bytes());
        self.leg
            .extend(frames.map(|frame| g711::sample(frame, encoding)));
        let Self {
            detector,
            base,
            sounding,
            recent,
            leg,
            ..
        } = self;
        let mut each = |event| found(noted(event, *base, sounding, recent));
        match played {
            None => detector.push(leg, &mut each),
            Some(played) => detector.push_with_played(leg, played, &mut each),
        }
        self.advance(Frames(self.leg.len() as u64));
    }

    /// Hears that frames are lost.
    pub(crate) fn gap(&mut self, frames: Frames, mut found: impl FnMut(Heard)) {
        let Self {
            detector,
            base,
            sounding,
            recent,
            ..
        } = self;
        detector.push_silence(frames, |event| found(noted(event, *base, sounding, recent)));
        self.advance(frames);
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

fn noted(
    event: DtmfEvent,
    base: Frames,
    sounding: &mut Option<(Digit, Frames)>,
    recent: &mut VecDeque<Spoken>,
) -> Heard {
    match event {
        DtmfEvent::Began { digit, start } => {
            let start = base + start;
            *sounding = Some((digit, start));
            Heard::Began { start }
        }
        DtmfEvent::Ended(heard) => {
            *sounding = None;
            let spoken = Spoken {
                digit: heard.digit,
                start: base + heard.start,
                end: base + heard.end,
            };
            recent.push_back(spoken);
            Heard::Ended(spoken)
        }
    }
}

/// How much longer than the look-back digits are remembered: a mask joins those shortly before.
const MEMORY: Millis = Millis(1_000);
