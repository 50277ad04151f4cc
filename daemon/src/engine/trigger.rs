//! When a recording begins and ends: a pure state machine a line, fed with frames, voice and
//! commands. It knows no files and no devices.

use audio_io::units::{Frames, SampleRate};
use storage::record::EndCause;

use crate::config::schema::{Line, Trigger};

use super::limits::DEVICE_LOST_AFTER;

/// What a line's next frames mean for its recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing changes: go on recording, or go on waiting.
    Continue,
    /// Record these frames, then end the recording.
    End(EndCause),
}

/// The rules of one line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    trigger: Trigger,
    /// The longest a recording may get.
    longest: Frames,
    longest_cause: EndCause,
    /// The shortest that is kept.
    shortest: Frames,
    device_lost: Frames,
    /// `vox`: voice that is in the look-back already when the trigger fires.
    attack: Frames,
    /// `vox`: silence that is in the recording when it ends.
    hang: Frames,
}

impl Rules {
    pub(crate) fn of(line: &Line) -> Self {
        let frames_of = |seconds: u64| seconds_of(line.rate, seconds);
        let (longest, longest_cause) = match line.trigger {
            Trigger::Always if line.rotate_s <= line.max_length_s => {
                (frames_of(line.rotate_s), EndCause::Rotated)
            }
            _ => (frames_of(line.max_length_s), EndCause::MaxLength),
        };
        Self {
            trigger: line.trigger,
            longest,
            longest_cause,
            shortest: line.rate.frames_in(line.min_length_ms),
            device_lost: line.rate.frames_in(DEVICE_LOST_AFTER),
            attack: line.rate.frames_in(line.vox.attack_ms),
            hang: line.rate.frames_in(line.vox.hang_ms),
        }
    }

    /// Whether voice begins calls on the line.
    pub(crate) const fn has_calls_of_voice(&self) -> bool {
        matches!(self.trigger, Trigger::Vox)
    }

    /// Whether sound that arrives while nothing is recorded begins a recording, given whether
    /// there is voice, and a call that is answered.
    pub(crate) const fn begins(&self, voice: bool, answered: bool) -> bool {
        match self.trigger {
            Trigger::Always => true,
            Trigger::Vox => voice,
            Trigger::Hook => answered,
            Trigger::Api => false,
        }
    }

    /// Whether it is the call that is recorded, from its answer to its end.
    pub(crate) const fn records_calls(&self) -> bool {
        matches!(self.trigger, Trigger::Hook)
    }
}

fn seconds_of(rate: SampleRate, seconds: u64) -> Frames {
    Frames(seconds.saturating_mul(u64::from(rate.hertz())))
}

/// How far an open recording is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Everything in it, gaps included.
    frames: Frames,
    /// Look-back at its start.
    pre_roll: Frames,
    /// Frames of the gap it stands in now.
    gap_run: Frames,
    /// Its length up to the last voice.
    voice_until: Frames,
    /// Frames that are sound.
    sound: Frames,
}

impl Progress {
    pub(crate) const fn begun(pre_roll: Frames) -> Self {
        Self {
            frames: pre_roll,
            pre_roll,
            gap_run: Frames::ZERO,
            voice_until: pre_roll,
            sound: Frames::ZERO,
        }
    }

    pub(crate) const fn frames(&self) -> Frames {
        self.frames
    }

    /// How many more frames fit before the longest length.
    pub(crate) const fn room(&self, rules: &Rules) -> Frames {
        rules.longest.saturating_sub(self.frames)
    }

    /// Sound was recorded; at most [`Progress::room`].
    pub(crate) fn sound(&mut self, rules: &Rules, frames: Frames, voice: bool) -> Step {
        self.frames += frames;
        self.sound += frames;
        self.gap_run = Frames::ZERO;
        if voice {
            self.voice_until = self.frames;
        } else if rules.trigger == Trigger::Vox {
            self.voice_until = self.frames.saturating_sub(rules.hang);
            return Step::End(EndCause::Silence);
        }
        self.end_if_full(rules)
    }

    /// A gap was recorded.
    pub(crate) fn gap(&mut self, rules: &Rules, frames: Frames) -> Step {
        self.frames += frames;
        self.gap_run += frames;
        if self.gap_run >= rules.device_lost {
            return Step::End(EndCause::DeviceLost);
        }
        self.end_if_full(rules)
    }

    /// Sound was left out by command; the trigger goes on.
    pub(crate) fn skipped(&mut self, rules: &Rules, voice: bool) -> Step {
        self.gap_run = Frames::ZERO;
        if voice || rules.trigger != Trigger::Vox {
            return Step::Continue;
        }
        self.voice_until = self.frames.saturating_sub(rules.hang);
        Step::End(EndCause::Silence)
    }

    /// A gap was left out by command.
    pub(crate) fn gap_skipped(&mut self, rules: &Rules, frames: Frames) -> Step {
        self.gap_run += frames;
        if self.gap_run >= rules.device_lost {
            return Step::End(EndCause::DeviceLost);
        }
        Step::Continue
    }

    fn end_if_full(&self, rules: &Rules) -> Step {
        if self.frames >= rules.longest {
            Step::End(rules.longest_cause)
        } else {
            Step::Continue
        }
    }

    /// Whether it is worth keeping: there is sound, and it is long enough. A `vox` recording is
    /// measured from the voice that began it to the last voice, without look-back and hang time.
    pub(crate) fn is_worth_keeping(&self, rules: &Rules) -> bool {
        let length = match rules.trigger {
            Trigger::Vox => self.voice_until.saturating_sub(self.pre_roll) + rules.attack,
            Trigger::Always | Trigger::Api | Trigger::Hook => self.frames,
        };
        let any_sound = self.sound + self.pre_roll > Frames::ZERO;
        any_sound && length >= rules.shortest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(trigger: Trigger) -> Rules {
        Rules {
            trigger,
            longest: Frames(1_000),
            longest_cause: EndCause::Rotated,
            shortest: Frames(100),
            device_lost: Frames(300),
            attack: Frames(10),
            hang: Frames(50),
        }
    }

    #[test]
    fn only_the_right_event_begins_a_recording() {
        assert!(rules(Trigger::Always).begins(false, false));
        assert!(rules(Trigger::Vox).begins(true, false));
        assert!(!rules(Trigger::Vox).begins(false, true));
        assert!(rules(Trigger::Hook).begins(false, true));
        assert!(!rules(Trigger::Hook).begins(true, false));
        assert!(!rules(Trigger::Api).begins(true, true));
    }

    #[test]
    fn the_longest_length_is_met_to_the_frame() {
        let rules = rules(Trigger::Always);
        let mut progress = Progress::begun(Frames(10));
        assert_eq!(progress.room(&rules), Frames(990));
        assert_eq!(progress.sound(&rules, Frames(989), false), Step::Continue);
        assert_eq!(
            progress.sound(&rules, Frames(1), false),
            Step::End(EndCause::Rotated)
        );
    }

    #[test]
    fn silence_ends_a_vox_recording_and_neither_look_back_nor_hang_make_it_long() {
        let rules = rules(Trigger::Vox);
        let mut short = Progress::begun(Frames(500));
        assert_eq!(short.sound(&rules, Frames(138), true), Step::Continue);
        assert_eq!(
            short.sound(&rules, Frames(1), false),
            Step::End(EndCause::Silence)
        );
        assert!(
            !short.is_worth_keeping(&rules),
            "10 + 139 - 50 frames of voice are too short"
        );
        let mut long = Progress::begun(Frames(500));
        long.sound(&rules, Frames(139), true);
        long.sound(&rules, Frames(1), false);
        assert!(long.is_worth_keeping(&rules));
    }

    #[test]
    fn a_long_gap_ends_it_and_a_short_one_does_not() {
        let rules = rules(Trigger::Always);
        let mut progress = Progress::begun(Frames::ZERO);
        assert_eq!(progress.gap(&rules, Frames(299)), Step::Continue);
        assert_eq!(progress.sound(&rules, Frames(1), false), Step::Continue);
        assert_eq!(progress.gap(&rules, Frames(299)), Step::Continue);
        assert_eq!(
            progress.gap(&rules, Frames(1)),
            Step::End(EndCause::DeviceLost)
        );
    }

    #[test]
    fn a_recording_of_nothing_but_gap_is_not_kept() {
        let rules = rules(Trigger::Always);
        let mut progress = Progress::begun(Frames::ZERO);
        progress.gap(&rules, Frames(200));
        assert!(!progress.is_worth_keeping(&rules));
    }
}
