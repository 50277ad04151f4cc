//! What a session wants, carried out at once: orders of lines and players, jobs of files.

use audio_io::player::{HaltReason, PlayerError};
use audio_io::units::Millis;
use uuid::Uuid;

use super::call::Job;
use super::exchange::Exchange;
use super::files::FilesKey;
use super::link::LineOrder;
use super::speaker::{NOT_PLAYED, Transport, Wanted};
use crate::engine::session::CallState;
use crate::engine::session::signal::{Action, Signal, Sound, SoundId};

impl Exchange {
    /// Carries out an action; the answer is what follows from it at once.
    pub(super) fn act(&mut self, uuid: Uuid, action: Action) -> Option<Signal> {
        let call = self.calls.get_mut(&uuid)?;
        let session = uuid;
        match action {
            Action::Answer => {
                let line = self.lines.get(call.line.0 as usize);
                if !line.is_some_and(|line| line.facts.signals) {
                    // A sound card has nobody to answer.
                    return Some(Signal::Answered);
                }
                // The line tells when that is done.
                let order = LineOrder::Answer { session };
                self.orders.push_back((call.line, order));
            }
            // The line is told once the session is over, whatever ended it.
            Action::HangUp => {}
            Action::Prepare { job, part, urls } => {
                let key = FilesKey { session, job, part };
                let fetching = self.files.begin(key, call.owner, urls);
                let held = call.jobs.entry(job).or_insert_with(Job::default);
                held.fetching.push(fetching);
            }
            Action::Release { job } => {
                call.jobs.remove(&job);
            }
            Action::Play { sound, what } => return self.play(uuid, sound, what),
            Action::Stop { sound } => {
                let is_over = call.session.snapshot().state == CallState::HungUp;
                let reason = if is_over {
                    HaltReason::HungUp
                } else {
                    HaltReason::Stopped
                };
                self.transport(uuid, sound, Transport::Halt(reason));
            }
            Action::Pause { sound } => self.transport(uuid, sound, Transport::Pause),
            Action::Resume { sound } => self.transport(uuid, sound, Transport::Resume),
            Action::Seek { sound, by_ms } => self.transport(uuid, sound, Transport::Seek(by_ms)),
            Action::Restart { sound } => self.transport(uuid, sound, Transport::Restart),
            Action::Record { take, mask_digits } => {
                call.note_take(take, None);
                let order = LineOrder::Record {
                    session,
                    take,
                    mask_digits,
                };
                self.orders.push_back((call.line, order));
            }
            Action::EndRecording { take } => {
                call.note_take_ends(take);
                let order = LineOrder::EndRecording { session, take };
                self.orders.push_back((call.line, order));
            }
            Action::PauseRecording { take, mode } => {
                let order = LineOrder::PauseRecording {
                    session,
                    take,
                    mode,
                };
                self.orders.push_back((call.line, order));
            }
            Action::ResumeRecording { take } => {
                let order = LineOrder::ResumeRecording { session, take };
                self.orders.push_back((call.line, order));
            }
        }
        None
    }

    fn play(&mut self, uuid: Uuid, sound: SoundId, what: Sound) -> Option<Signal> {
        let call = self.calls.get(&uuid)?;
        let wanted = match what {
            Sound::Silence { length } => Some(Wanted::Silence(length)),
            Sound::Files {
                job,
                part,
                offset_sec,
            } => {
                let files = call.jobs.get(&job).and_then(|job| job.files.get(&part));
                let offset = Millis::from_secs(u64::from(offset_sec));
                files.map(|files| Wanted::Files(files.clone(), offset))
            }
        };
        let line = self.lines.get_mut(call.line.0 as usize);
        let speaker = line.and_then(|line| line.speaker.as_mut());
        let refused = match (speaker, wanted) {
            (Some(speaker), Some(wanted)) => speaker.play(uuid, sound, wanted).err(),
            _ => Some(PlayerError::Closed),
        };
        refused.map(|error| {
            log::warn!(
                call = uuid.to_string().as_str();
                "session {uuid}: nothing is played: {error}"
            );
            Signal::SoundEnded {
                sound,
                end: NOT_PLAYED,
            }
        })
    }

    fn transport(&mut self, uuid: Uuid, sound: SoundId, order: Transport) {
        let Some(call) = self.calls.get(&uuid) else {
            return;
        };
        let line = self.lines.get_mut(call.line.0 as usize);
        if let Some(speaker) = line.and_then(|line| line.speaker.as_mut()) {
            self.is_player_busy |= speaker.order((uuid, sound), order);
        }
    }
}
