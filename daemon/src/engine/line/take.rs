//! One open recording of a line: what goes into it, what is silenced or left out, and what is
//! noted about it.
//!
//! ```text
//!  sound, gaps ──▶ pause? ──▶ mask (only where digits are silenced) ──▶ tape ──▶ storage
//! ```

use audio_io::block::GapCause;
use audio_io::dsp::dtmf::Digit;
use audio_io::dsp::level::energies;
use audio_io::format::StreamFormat;
use audio_io::units::Frames;
use storage::ids::RecordingId;
use storage::record::{EndCause, Mark, MarkKind};
use storage::recorder::Recorder;
use uuid::Uuid;

use super::hearing::{Hearing, Spoken};
use super::mask::{Mask, Released};
use crate::engine::limits::SILENT_PEAK;
use crate::engine::recorder::Totals;
use crate::engine::session::command::PauseMode;
use crate::engine::session::signal::TakeId;
use crate::engine::trigger::{Progress, Rules, Step};

/// Where recorded sound goes.
pub(crate) struct Outlet<'a> {
    pub(crate) recorder: &'a mut Recorder,
    pub(crate) totals: &'a Totals,
}

/// An open recording.
pub(crate) struct Take {
    pub(crate) id: RecordingId,
    /// The call it belongs to, and its name there.
    pub(crate) call: Option<(Uuid, TakeId)>,
    pub(crate) progress: Progress,
    tape: Tape,
    mask: Option<Box<Mask>>,
    pause: Option<Pause>,
    /// Where in the recording the sound since the last pause begins.
    stretch: Frames,
}

struct Pause {
    mode: PauseMode,
    at: Frames,
    frames: Frames,
}

/// What a recording is made with.
pub(crate) struct Making {
    pub(crate) id: RecordingId,
    pub(crate) format: StreamFormat,
    pub(crate) call: Option<(Uuid, TakeId)>,
    /// Whether a command asked for it: then it is not kept if nothing is heard in it.
    pub(crate) asked: bool,
    pub(crate) mask: bool,
    /// Its look-back.
    pub(crate) pre_roll: Frames,
    /// The place in the line of its first frame.
    pub(crate) place: Frames,
}

impl Take {
    /// Begins one that has no sound yet. Digits that have begun before it are silenced too.
    pub(crate) fn new(making: &Making, hearing: Option<&Hearing>) -> Self {
        let Making { id, format, .. } = *making;
        let mask = making.mask.then(|| {
            let mut mask = Mask::new(format, making.place);
            if let Some(hearing) = hearing {
                mask.knows(hearing);
            }
            Box::new(mask)
        });
        Self {
            id,
            call: making.call,
            progress: Progress::begun(making.pre_roll),
            tape: Tape {
                id,
                format,
                at: Frames::ZERO,
                silent: making.asked,
            },
            mask,
            pause: None,
            stretch: Frames::ZERO,
        }
    }

    pub(crate) const fn is_paused(&self) -> bool {
        self.pause.is_some()
    }

    /// Whether digits are silenced in it.
    pub(crate) const fn is_masked(&self) -> bool {
        self.mask.is_some()
    }

    /// Takes the sound that fits before the longest length, and says how much that was.
    pub(crate) fn sound(
        &mut self,
        sound: &[u8],
        voice: bool,
        rules: &Rules,
        to: &mut Outlet<'_>,
    ) -> (usize, Step) {
        let format = self.tape.format;
        if let Some(pause) = &mut self.pause
            && pause.mode == PauseMode::Skip
        {
            pause.frames += format.frames_in(sound.len() as u64);
            return (sound.len(), self.progress.skipped(rules, voice));
        }
        let room = format.bytes_of(self.progress.room(rules));
        let here = usize::try_from(room).unwrap_or(usize::MAX).min(sound.len());
        let frames = format.frames_in(here as u64);
        match &mut self.pause {
            Some(pause) => {
                pause.frames += frames;
                self.tape.silence(frames, to);
            }
            None => self.write(&sound[..here], to),
        }
        (here, self.progress.sound(rules, frames, voice))
    }

    /// Sound of the look-back: it is in the length already.
    pub(crate) fn write(&mut self, sound: &[u8], to: &mut Outlet<'_>) {
        match &mut self.mask {
            None => self.tape.sound(sound, to),
            Some(mask) => mask.sound(sound, |released| self.tape.put(released, to)),
        }
    }

    /// A gap of the look-back.
    pub(crate) fn write_gap(&mut self, frames: Frames, cause: GapCause, to: &mut Outlet<'_>) {
        match &mut self.mask {
            None => self.tape.gap(frames, cause, to),
            Some(mask) => mask.gap(frames, cause, |released| self.tape.put(released, to)),
        }
    }

    pub(crate) fn gap(
        &mut self,
        frames: Frames,
        cause: GapCause,
        rules: &Rules,
        to: &mut Outlet<'_>,
    ) -> Step {
        match &mut self.pause {
            Some(pause) if pause.mode == PauseMode::Skip => {
                pause.frames += frames;
                return self.progress.gap_skipped(rules, frames);
            }
            Some(pause) => {
                pause.frames += frames;
                to.totals.count_gap();
                self.tape.gap(frames, cause, to);
            }
            None => {
                to.totals.count_gap();
                self.write_gap(frames, cause, to);
            }
        }
        self.progress.gap(rules, frames)
    }

    /// The next frames of sound lack a leg.
    pub(crate) fn half_gap(&mut self, frames: Frames, cause: GapCause, to: &mut Outlet<'_>) {
        if self.is_paused() {
            return;
        }
        to.totals.count_gap();
        match &mut self.mask {
            None => to.recorder.mark_gap(self.id, frames, cause),
            Some(mask) => mask.half_gap(frames, cause),
        }
    }

    /// A digit has begun.
    pub(crate) fn digit_began(&mut self, start: Frames) {
        if let Some(mask) = &mut self.mask {
            mask.began(start);
        }
    }

    /// A digit is over; `now` is the place of the next frame of sound.
    pub(crate) fn digit_ended(&mut self, spoken: Spoken, now: Frames, to: &mut Outlet<'_>) {
        if let Some(mask) = &mut self.mask {
            mask.ended(spoken.end);
        }
        self.mark_digit(spoken.digit, spoken.start, spoken.end, now, to);
    }

    /// Notes a digit that lies from `start` to `end` in the line.
    pub(crate) fn mark_digit(
        &self,
        digit: Digit,
        start: Frames,
        end: Frames,
        now: Frames,
        to: &mut Outlet<'_>,
    ) {
        if self.pause.is_some() {
            return;
        }
        let (at, end) = (self.position_of(start, now), self.position_of(end, now));
        if end <= at {
            return;
        }
        let key = self.mask.is_none().then(|| digit.as_char());
        let kind = MarkKind::Digit(key);
        let frames = end.saturating_sub(at);
        to.recorder.mark(self.id, Mark { at, frames, kind });
    }

    /// Leaves out what follows. A digit that sounds is noted up to here.
    pub(crate) fn pause(
        &mut self,
        mode: PauseMode,
        hearing: Option<&Hearing>,
        now: Frames,
        to: &mut Outlet<'_>,
    ) {
        if let Some(pause) = &mut self.pause {
            if pause.mode == mode {
                return;
            }
            self.resume(now, to);
        }
        self.close_stretch(hearing, now, to);
        self.pause = Some(Pause {
            mode,
            at: self.tape.at,
            frames: Frames::ZERO,
        });
    }

    /// Goes on after a pause.
    pub(crate) fn resume(&mut self, now: Frames, to: &mut Outlet<'_>) {
        let Some(Pause { mode, at, frames }) = self.pause.take() else {
            return;
        };
        let kind = match mode {
            PauseMode::Silence => MarkKind::Paused,
            PauseMode::Skip => MarkKind::Skipped,
        };
        if frames > Frames::ZERO {
            to.recorder.mark(self.id, Mark { at, frames, kind });
        }
        self.stretch = self.tape.at;
        if let Some(mask) = &mut self.mask {
            mask.skip_to(now);
        }
    }

    /// Ends it.
    pub(crate) fn end(
        mut self,
        cause: EndCause,
        rules: &Rules,
        hearing: Option<&Hearing>,
        now: Frames,
        to: &mut Outlet<'_>,
    ) {
        if self.is_paused() {
            self.resume(now, to);
        } else {
            self.close_stretch(hearing, now, to);
        }
        let keep = self.progress.is_worth_keeping(rules) && !self.tape.silent;
        to.recorder.end(self.id, cause, keep);
    }

    fn close_stretch(&mut self, hearing: Option<&Hearing>, now: Frames, to: &mut Outlet<'_>) {
        if let Some((digit, start)) = hearing.and_then(Hearing::sounding) {
            self.mark_digit(digit, start, now, now, to);
        }
        if let Some(mask) = &mut self.mask {
            mask.flush(|released| self.tape.put(released, to));
        }
    }

    /// Where in the recording a place of the line is, or would be; not before the last pause.
    fn position_of(&self, place: Frames, now: Frames) -> Frames {
        let held = self.mask.as_ref().map_or(Frames::ZERO, |mask| mask.held());
        let here = self.tape.at + held;
        let position = if place >= now {
            here + place.saturating_sub(now)
        } else {
            here.saturating_sub(now.saturating_sub(place))
        };
        position.max(self.stretch)
    }
}

/// A recording as storage has it.
struct Tape {
    id: RecordingId,
    format: StreamFormat,
    at: Frames,
    /// Whether nothing has been heard in it so far; false where that does not matter.
    silent: bool,
}

impl Tape {
    fn put(&mut self, released: Released<'_>, to: &mut Outlet<'_>) {
        match released {
            Released::Sound(sound) => self.sound(sound, to),
            Released::Gap(frames, cause) => self.gap(frames, cause, to),
            Released::HalfGap(frames, cause) => to.recorder.mark_gap(self.id, frames, cause),
            Released::Masked(frames) => {
                to.totals.count_masked(frames);
                let at = self.at.saturating_sub(frames);
                let kind = MarkKind::Masked;
                to.recorder.mark(self.id, Mark { at, frames, kind });
            }
        }
    }

    fn sound(&mut self, sound: &[u8], to: &mut Outlet<'_>) {
        let frames = self.format.frames_in(sound.len() as u64);
        if self.silent {
            let legs = energies(sound, self.format);
            self.silent = legs.iter().all(|leg| leg.peak <= SILENT_PEAK);
        }
        if to.recorder.append(self.id, sound).is_err() {
            to.totals.count_gap();
            to.recorder.gap(self.id, frames, GapCause::StorageBehind);
        }
        self.at += frames;
    }

    fn silence(&mut self, frames: Frames, to: &mut Outlet<'_>) {
        let silence = [self.format.encoding.silence_byte(); SILENCE_BYTES];
        let mut left = self.format.bytes_of(frames);
        while left > 0 {
            let now = usize::try_from(left).map_or(SILENCE_BYTES, |left| left.min(SILENCE_BYTES));
            self.sound(&silence[..now], to);
            left -= now as u64;
        }
    }

    fn gap(&mut self, frames: Frames, cause: GapCause, to: &mut Outlet<'_>) {
        to.recorder.gap(self.id, frames, cause);
        self.at += frames;
    }
}

/// Whole frames of every format.
const SILENCE_BYTES: usize = 640;
