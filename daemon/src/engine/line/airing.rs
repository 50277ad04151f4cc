//! What listeners hear of a line: what goes into its recording, as soon as it is known that no
//! digit is in it. Digits that are silenced in the recording are silenced here too, with what is
//! around them; what is said while the recording is paused is silence.
//!
//! A recording waits 700 ms to silence the pauses between digits; listeners would hear too late.
//! So sound waits just long enough for a digit to be known, and the half second after each digit
//! is silent whatever comes.

use std::sync::Arc;

use audio_io::block::GapCause;
use audio_io::codec::g711;
use audio_io::format::StreamFormat;
use audio_io::units::Frames;
use storage::ids::RecordingId;

use super::hearing::Hearing;
use super::mask::{Mask, Released};
use crate::engine::listen::{Feed, Stage};

/// A line's sound on its way to its listeners.
pub(super) struct Airing {
    stage: Arc<Stage>,
    format: StreamFormat,
    feed: Feed,
    /// While somebody listens to a recording whose digits are silenced.
    mask: Option<Box<Mask>>,
}

/// How the recording is at the moment.
#[derive(Clone, Copy)]
pub(super) struct Now<'a> {
    pub(super) paused: bool,
    /// What hears digits, where they are silenced.
    pub(super) masking: Option<&'a Hearing>,
    /// The place of the first frame that follows.
    pub(super) place: Frames,
}

impl Airing {
    pub(super) fn new(stage: Arc<Stage>, format: StreamFormat) -> Self {
        Self {
            stage,
            format,
            feed: Feed::default(),
            mask: None,
        }
    }

    pub(super) fn begin(&mut self, id: RecordingId) {
        self.mask = None;
        self.feed.begin(&self.stage, id);
    }

    pub(super) fn end(&mut self) {
        self.mask = None;
        self.feed.end(&self.stage);
    }

    /// Whether anything need be done at all.
    pub(super) fn is_heard(&self) -> bool {
        self.stage.listeners() > 0
    }

    /// Begins or ends the tone towards the parties.
    pub(super) fn tell_parties(&self) {
        self.stage.tell_parties();
    }

    /// Sound that is recorded.
    pub(super) fn sound(&mut self, sound: &[u8], now: Now<'_>) {
        if !self.is_heard() {
            return self.forget();
        }
        let Self {
            stage,
            format,
            feed,
            mask,
        } = self;
        if now.paused {
            // What waited to be known is not let out any more.
            let held = mask.take().map_or(Frames::ZERO, |mask| mask.held());
            let frames = held + format.frames_in(sound.len() as u64);
            return feed.sound(stage, silence(*format, frames), true);
        }
        let Some(hearing) = now.masking else {
            *mask = None;
            return feed.sound(stage, samples(sound, *format), false);
        };
        let mask = mask.get_or_insert_with(|| {
            let mut mask = Mask::hasty(*format, now.place);
            mask.knows(hearing);
            Box::new(mask)
        });
        mask.sound(sound, |released| put(stage, *format, feed, released));
    }

    /// Lost frames.
    pub(super) fn gap(&mut self, frames: Frames, cause: GapCause, now: Now<'_>) {
        if !self.is_heard() {
            return self.forget();
        }
        let Self {
            stage,
            format,
            feed,
            mask,
        } = self;
        match mask {
            Some(mask) if !now.paused => {
                mask.gap(frames, cause, |released| {
                    put(stage, *format, feed, released)
                });
            }
            _ => feed.gap(stage, frames),
        }
    }

    pub(super) fn digit_began(&mut self, start: Frames) {
        if let Some(mask) = &mut self.mask {
            mask.began(start);
        }
    }

    pub(super) fn digit_ended(&mut self, end: Frames) {
        if let Some(mask) = &mut self.mask {
            mask.ended(end);
        }
    }

    /// Nobody listens: whoever comes next hears nothing of before.
    fn forget(&mut self) {
        self.mask = None;
        self.feed.reset();
    }
}

fn put(stage: &Stage, format: StreamFormat, feed: &mut Feed, released: Released<'_>) {
    match released {
        Released::Sound(sound) => feed.sound(stage, samples(sound, format), false),
        Released::Gap(frames, _) => feed.gap(stage, frames),
        Released::HalfGap(..) | Released::Masked(_) => {}
    }
}

fn samples(sound: &[u8], format: StreamFormat) -> impl Iterator<Item = i16> {
    let encoding = format.encoding;
    let samples = sound.chunks_exact(encoding.sample_bytes());
    samples.map(move |bytes| g711::sample(bytes, encoding))
}

fn silence(format: StreamFormat, frames: Frames) -> impl Iterator<Item = i16> {
    let count = usize::try_from(frames.0).unwrap_or(usize::MAX);
    std::iter::repeat_n(0, count.saturating_mul(format.channels.count()))
}
