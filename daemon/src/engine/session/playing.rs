//! What is heard on a session: files, silence, and the sounds of a collection. One thing at a time,
//! and the last wish wins: what plays goes on until the files of what replaces it are all there,
//! so that an URL that leads nowhere leaves the call as it was.
//!
//! ```text
//!  playback/start, play_and_get_digits ─▶ Preparing ── Prepared ──▶ Speaking ── end ──▶ told
//!  playback/silence ──────────────────────────────────────────────▶    │
//!                                                 stop, replaced, hang-up ─▶ Ending ─▶ told
//! ```
//!
//! A sound that was told to end is told about when the player says where it ended, at the latest
//! after `PLAYER_REPORT`. The sounds of a collection are not told about.

use audio_io::units::Millis;
use uuid::Uuid;

use super::Session;
use super::command::{Collecting, Urls};
use super::digits::{Collector, Part, Step};
use super::event::{CommandFailure, Event, Playback, StopReason};
use super::limits;
use super::machine::{Asked, millis};
use super::plan::Digit;
use super::signal::{Action, JobId, Sound, SoundEnd, SoundId};
use super::speaking::{Ending, Kind, Meter, Preparing, Speaking, Wish};
use super::state::CallState;

/// Commands.
impl Session {
    pub(super) fn prepare_files(&mut self, asked: Asked, urls: Urls, offset_sec: u32) {
        let wish = Wish::Files {
            urls: urls.clone(),
            offset_sec,
        };
        self.prepare(asked, wish, urls);
    }

    pub(super) fn prepare_digits(&mut self, asked: Asked, collecting: Collecting) {
        let Collecting {
            prompt,
            invalid,
            plan,
        } = collecting;
        let wish = Wish::Digits {
            plan,
            invalid,
            has_prompt: false,
        };
        self.prepare(asked, wish, prompt);
    }

    fn prepare(&mut self, asked: Asked, wish: Wish, urls: Urls) {
        self.drop_preparing(CommandFailure::Replaced, StopReason::Replaced);
        let job = JobId(self.name());
        self.preparing = Some(Preparing { asked, job, wish });
        self.act(Action::Prepare {
            job,
            part: Part::Prompt,
            urls,
        });
    }

    pub(super) fn play_silence(&mut self, asked: Asked) {
        self.drop_preparing(CommandFailure::Replaced, StopReason::Replaced);
        self.drop_speaking(CommandFailure::Replaced, StopReason::Replaced);
        self.speak(asked, None, Kind::Silence);
        self.play(Sound::Silence { length: None });
    }

    /// Ends what plays and what was to play. The result comes before the ends.
    pub(super) fn stop_playback(&mut self, operation: Uuid) {
        let any = self.speaking.is_some() || self.preparing.is_some();
        let done = if any {
            Ok(())
        } else {
            Err(CommandFailure::NoPlayback)
        };
        self.finish(operation, done);
        self.drop_preparing(CommandFailure::Stopped, StopReason::Stopped);
        self.drop_speaking(CommandFailure::Stopped, StopReason::Stopped);
    }

    pub(super) fn pause_playback(&mut self) -> Result<(), CommandFailure> {
        let now = self.now;
        let (speaking, sound) = self.movable()?;
        if !std::mem::replace(&mut speaking.paused, true) {
            speaking.meter.hold(now);
            self.act(Action::Pause { sound });
        }
        Ok(())
    }

    pub(super) fn resume_playback(&mut self) -> Result<(), CommandFailure> {
        let now = self.now;
        let (speaking, sound) = self.movable()?;
        if std::mem::replace(&mut speaking.paused, false) {
            if speaking.began {
                speaking.meter.run(now);
            }
            self.act(Action::Resume { sound });
        }
        Ok(())
    }

    pub(super) fn seek_playback(&mut self, by_ms: i64) -> Result<(), CommandFailure> {
        let (_, sound) = self.movable()?;
        self.act(Action::Seek { sound, by_ms });
        Ok(())
    }

    pub(super) fn restart_playback(&mut self) -> Result<(), CommandFailure> {
        let (_, sound) = self.movable()?;
        self.act(Action::Restart { sound });
        Ok(())
    }

    /// The sound that can be held and moved: files, and the prompt of a collection.
    fn movable(&mut self) -> Result<(&mut Speaking, SoundId), CommandFailure> {
        match &mut self.speaking {
            Some(speaking) if matches!(speaking.kind, Kind::Silence) => {
                Err(CommandFailure::OnlySilence)
            }
            Some(speaking) => match speaking.sound {
                Some(sound) => Ok((speaking, sound)),
                None => Err(CommandFailure::NoPlayback),
            },
            None => Err(CommandFailure::NoPlayback),
        }
    }
}

/// Signals.
impl Session {
    pub(super) fn prepared(&mut self, job: JobId, part: Part, file_path: String) {
        let Some(preparing) = self.preparing.take_if(|preparing| preparing.job == job) else {
            return;
        };
        let Preparing { asked, job, wish } = preparing;
        match wish {
            Wish::Files { urls, offset_sec } if part == Part::Prompt => {
                self.drop_speaking(CommandFailure::Replaced, StopReason::Replaced);
                let kind = Kind::Files {
                    urls,
                    file_path,
                    offset_sec,
                };
                self.speak(asked, Some(job), kind);
                self.play(Sound::Files {
                    job,
                    part: Part::Prompt,
                    offset_sec,
                });
            }
            Wish::Digits {
                plan,
                invalid: Some(urls),
                has_prompt: false,
            } if part == Part::Prompt => {
                self.act(Action::Prepare {
                    job,
                    part: Part::Invalid,
                    urls: urls.clone(),
                });
                let wish = Wish::Digits {
                    plan,
                    invalid: Some(urls),
                    has_prompt: true,
                };
                self.preparing = Some(Preparing { asked, job, wish });
            }
            Wish::Digits {
                plan,
                invalid,
                has_prompt,
            } if has_prompt == (part == Part::Invalid) => {
                self.drop_speaking(CommandFailure::Replaced, StopReason::Replaced);
                let kind = Kind::Digits {
                    collector: Collector::new(plan),
                    has_invalid: invalid.is_some(),
                };
                self.speak(asked, Some(job), kind);
                self.step(Step::Play(Part::Prompt));
            }
            // A list that was not asked for, or is there already.
            wish => self.preparing = Some(Preparing { asked, job, wish }),
        }
    }

    pub(super) fn not_found(&mut self, job: JobId, url: String, error: String) {
        let Some(preparing) = self.preparing.take_if(|preparing| preparing.job == job) else {
            return;
        };
        self.act(Action::Release { job });
        let command_uid = preparing.asked.uid.clone();
        self.tell(Event::FileNotFound {
            command_uid: command_uid.clone(),
            url,
            error,
        });
        if let Wish::Digits { plan, .. } = preparing.wish {
            self.tell_collected(&preparing.asked, Collector::new(plan).abandoned());
        }
        self.finish(preparing.asked.operation, Err(CommandFailure::FileNotFound));
    }

    pub(super) fn sound_started(&mut self, sound: SoundId) {
        let now = self.now;
        let Some(speaking) = &mut self.speaking else {
            return;
        };
        if speaking.sound != Some(sound) || std::mem::replace(&mut speaking.began, true) {
            return;
        }
        if !speaking.paused {
            speaking.meter.run(now);
        }
        let operation = speaking.asked.operation;
        if matches!(speaking.kind, Kind::Files { .. }) {
            let playback = speaking.playback();
            self.tell(Event::PlaybackStarted(playback));
        }
        self.finish(operation, Ok(()));
    }

    pub(super) fn sound_ended(&mut self, sound: SoundId, end: SoundEnd) {
        if let Some(place) = self.ending.iter().position(|one| one.sound == sound) {
            let ending = self.ending.remove(place);
            self.tell_stopped(ending.playback, end, ending.reason);
            return;
        }
        let now = self.now;
        let Some(speaking) = &mut self.speaking else {
            return;
        };
        if speaking.sound != Some(sound) {
            return;
        }
        speaking.sound = None;
        speaking.paused = false;
        if let Kind::Digits { collector, .. } = &mut speaking.kind {
            let step = collector.sound_ended(now);
            let operation = speaking.asked.operation;
            let heard = if end.failed {
                Err(CommandFailure::Player)
            } else {
                Ok(())
            };
            self.finish(operation, heard);
            step.into_iter().for_each(|step| self.step(step));
            return;
        }
        self.sound_is_over(end);
    }

    /// Files or silence have ended by themselves.
    fn sound_is_over(&mut self, end: SoundEnd) {
        let Some(speaking) = self.speaking.take() else {
            return;
        };
        let operation = speaking.asked.operation;
        let is_files = matches!(speaking.kind, Kind::Files { .. });
        let (reason, done) = if end.failed {
            (StopReason::Error, Err(CommandFailure::Player))
        } else {
            (StopReason::Completed, Ok(()))
        };
        // Heard before the player could say that it had begun.
        if is_files && !speaking.began && !end.failed {
            self.tell(Event::PlaybackStarted(speaking.playback()));
        }
        self.finish(operation, done);
        self.release(speaking.job);
        self.tell_stopped(speaking.playback(), end, reason);
    }

    pub(super) fn digit(&mut self, digit: Digit, duration_ms: Millis) {
        if self.state != CallState::Answered {
            return;
        }
        self.tell(Event::Dtmf { digit, duration_ms });
        let now = self.now;
        if let Some(Speaking {
            kind: Kind::Digits { collector, .. },
            ..
        }) = &mut self.speaking
        {
            let steps = collector.digit(digit, now);
            steps.into_iter().for_each(|step| self.step(step));
        }
    }

    pub(super) fn expire_digits(&mut self) {
        let now = self.now;
        if let Some(Speaking {
            kind: Kind::Digits { collector, .. },
            ..
        }) = &mut self.speaking
        {
            let step = collector.expire(now);
            step.into_iter().for_each(|step| self.step(step));
        }
    }

    pub(super) fn expire_endings(&mut self) {
        let now = self.now;
        let (late, ending) = std::mem::take(&mut self.ending)
            .into_iter()
            .partition(|one: &Ending| one.due <= now);
        self.ending = ending;
        for Ending {
            playback,
            guess,
            reason,
            ..
        } in late
        {
            self.tell_stopped(playback, guess, reason);
        }
    }

    /// Everything that is heard or was to be heard ends with the call.
    pub(super) fn end_sounds(&mut self) {
        self.drop_preparing(CommandFailure::Ended, StopReason::Hangup);
        self.drop_speaking(CommandFailure::Ended, StopReason::Hangup);
    }
}

/// Steps.
impl Session {
    /// Carries out what a collection wants next.
    fn step(&mut self, step: Step) {
        match step {
            Step::Hush => {
                let Some(speaking) = &mut self.speaking else {
                    return;
                };
                speaking.paused = false;
                let operation = speaking.asked.operation;
                if let Some(sound) = speaking.sound.take() {
                    self.act(Action::Stop { sound });
                }
                // The caller has answered: the question was heard.
                self.finish(operation, Ok(()));
            }
            Step::Play(part) => {
                let Some(Speaking {
                    job: Some(job),
                    kind: Kind::Digits { has_invalid, .. },
                    ..
                }) = self.speaking
                else {
                    return;
                };
                let what = if part == Part::Invalid && !has_invalid {
                    Sound::Silence {
                        length: Some(millis(limits::INVALID_SILENCE)),
                    }
                } else {
                    Sound::Files {
                        job,
                        part,
                        offset_sec: 0,
                    }
                };
                self.play(what);
            }
            Step::Done(collected) => {
                let Some(speaking) = self.speaking.take() else {
                    return;
                };
                if let Some(sound) = speaking.sound {
                    self.act(Action::Stop { sound });
                }
                self.release(speaking.job);
                self.finish(speaking.asked.operation, Ok(()));
                self.tell_collected(&speaking.asked, collected);
            }
        }
    }

    fn speak(&mut self, asked: Asked, job: Option<JobId>, kind: Kind) {
        self.speaking = Some(Speaking {
            asked,
            job,
            sound: None,
            began: false,
            paused: false,
            meter: Meter::default(),
            kind,
        });
    }

    fn play(&mut self, what: Sound) {
        let sound = SoundId(self.name());
        if let Some(speaking) = &mut self.speaking {
            speaking.sound = Some(sound);
            self.act(Action::Play { sound, what });
        }
    }

    fn drop_preparing(&mut self, failure: CommandFailure, reason: StopReason) {
        let Some(preparing) = self.preparing.take() else {
            return;
        };
        let Preparing { asked, job, wish } = preparing;
        self.act(Action::Release { job });
        self.finish(asked.operation, Err(failure));
        match wish {
            Wish::Digits { plan, .. } => {
                self.tell_collected(&asked, Collector::new(plan).abandoned());
            }
            Wish::Files { urls, offset_sec } => {
                let playback = Playback {
                    command_uid: asked.uid,
                    urls: Some(urls),
                    file_path: None,
                };
                let nothing = SoundEnd {
                    offset_ms: Millis::from_secs(u64::from(offset_sec)),
                    duration_ms: Millis::ZERO,
                    failed: false,
                };
                self.tell_stopped(playback, nothing, reason);
            }
        }
    }

    fn drop_speaking(&mut self, failure: CommandFailure, reason: StopReason) {
        let Some(speaking) = self.speaking.take() else {
            return;
        };
        if let Some(sound) = speaking.sound {
            self.act(Action::Stop { sound });
        }
        self.release(speaking.job);
        self.finish(speaking.asked.operation, Err(failure));
        let playback = speaking.playback();
        let guess = speaking.guess(self.now);
        match (speaking.kind, speaking.sound) {
            (Kind::Digits { collector, .. }, _) => {
                self.tell_collected(&speaking.asked, collector.abandoned());
            }
            (_, Some(sound)) => self.ending.push(Ending {
                sound,
                playback,
                reason,
                guess,
                due: self.now + limits::PLAYER_REPORT,
            }),
            (_, None) => self.tell_stopped(playback, guess, reason),
        }
    }

    fn release(&mut self, job: Option<JobId>) {
        if let Some(job) = job {
            self.act(Action::Release { job });
        }
    }

    fn tell_collected(&mut self, asked: &Asked, collected: super::digits::Collected) {
        self.tell(Event::DigitsCollected {
            command_uid: asked.uid.clone(),
            digits: collected.digits,
            terminator: collected.terminator,
            status: collected.status,
        });
    }

    fn tell_stopped(&mut self, playback: Playback, end: SoundEnd, reason: StopReason) {
        self.tell(Event::PlaybackStopped {
            playback,
            offset_ms: end.offset_ms,
            duration_ms: end.duration_ms,
            reason,
        });
    }
}
