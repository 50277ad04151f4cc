//! Recordings of a session: one in progress, and stopped ones that the recorder is still finishing.
//! Each that was asked of the recorder ends in exactly one event, even if the recorder never says
//! a word again.

use std::time::Duration;

use super::Session;
use super::command::{CommandUid, PauseMode};
use super::event::{CommandFailure, Event};
use super::limits;
use super::machine::Asked;
use super::signal::{Action, TakeId, TakeOutcome};
use super::state::{CallState, Output};

/// One recording.
#[derive(Debug)]
pub(super) struct Take {
    pub(super) asked: Asked,
    pub(super) id: TakeId,
    began: bool,
    pub(super) paused: Option<PauseMode>,
    /// Once it was stopped: when it is given up.
    pub(super) due: Duration,
}

impl Session {
    pub(super) fn record(&mut self, asked: Asked, mask_digits: Option<bool>) {
        let refusal = if self.take.is_some() {
            Some(CommandFailure::Recording)
        } else if self.sealing.len() >= limits::RECORDINGS_ENDING {
            Some(CommandFailure::RecordingsEnding)
        } else {
            None
        };
        if let Some(failure) = refusal {
            self.finish(asked.operation, Err(failure));
            return;
        }
        let id = TakeId(self.name());
        self.take = Some(Take {
            asked,
            id,
            began: false,
            paused: None,
            due: Duration::MAX,
        });
        self.act(Action::Record {
            take: id,
            mask_digits,
        });
    }

    /// Takes over a recording that the line began by itself: commands work on it as on one that
    /// they began. Ignored while there is another one, or after the call.
    pub fn adopt_take(&mut self, now: Duration, id: TakeId, uid: CommandUid) -> Output {
        self.pass(now);
        if self.take.is_none() && self.state != CallState::HungUp {
            self.tell(Event::RecordingStarted {
                command_uid: uid.clone(),
            });
            // Nobody's command: there is no result of this name.
            let operation = uuid::Uuid::nil();
            self.take = Some(Take {
                asked: Asked { uid, operation },
                id,
                began: true,
                paused: None,
                due: Duration::MAX,
            });
        }
        self.take_output()
    }

    pub(super) fn end_recording(&mut self) -> Result<(), CommandFailure> {
        if self.take.is_none() {
            return Err(CommandFailure::NoRecording);
        }
        self.end_take();
        Ok(())
    }

    pub(super) fn pause_recording(&mut self, mode: PauseMode) -> Result<(), CommandFailure> {
        let take = self.take.as_mut().ok_or(CommandFailure::NoRecording)?;
        if take.paused.replace(mode) == Some(mode) {
            return Ok(());
        }
        let (id, command_uid) = (take.id, take.asked.uid.clone());
        self.act(Action::PauseRecording { take: id, mode });
        self.tell(Event::RecordingPaused { command_uid, mode });
        Ok(())
    }

    pub(super) fn resume_recording(&mut self) -> Result<(), CommandFailure> {
        let take = self.take.as_mut().ok_or(CommandFailure::NoRecording)?;
        if take.paused.take().is_some() {
            let take = take.id;
            self.act(Action::ResumeRecording { take });
        }
        Ok(())
    }

    /// Stops the recording in progress, if there is one.
    pub(super) fn end_take(&mut self) {
        if let Some(mut take) = self.take.take() {
            self.act(Action::EndRecording { take: take.id });
            take.due = self.now + limits::RECORDER_REPORT;
            self.sealing.push(take);
        }
    }

    pub(super) fn recording_started(&mut self, id: TakeId) {
        let mut takes = self.take.iter_mut().chain(&mut self.sealing);
        let Some(take) = takes.find(|take| take.id == id && !take.began) else {
            return;
        };
        take.began = true;
        let Asked { uid, operation } = take.asked.clone();
        self.tell(Event::RecordingStarted { command_uid: uid });
        self.finish(operation, Ok(()));
    }

    pub(super) fn recording_ended(&mut self, id: TakeId, outcome: TakeOutcome) {
        let current = self.take.take_if(|take| take.id == id);
        let place = self.sealing.iter().position(|take| take.id == id);
        let found = current.or_else(|| place.map(|place| self.sealing.remove(place)));
        if let Some(take) = found {
            self.tell_outcome(take, outcome);
        }
    }

    pub(super) fn expire_takes(&mut self) {
        let now = self.now;
        let (late, sealing) = std::mem::take(&mut self.sealing)
            .into_iter()
            .partition(|take: &Take| take.due <= now);
        self.sealing = sealing;
        for take in late {
            let error = format!(
                "the recorder did not finish within {} s",
                limits::RECORDER_REPORT.as_secs()
            );
            self.tell_outcome(take, TakeOutcome::Failed { error });
        }
    }

    fn tell_outcome(&mut self, take: Take, outcome: TakeOutcome) {
        let Asked { uid, operation } = take.asked;
        self.finish(operation, Err(CommandFailure::NotRecorded));
        let event = match outcome {
            TakeOutcome::Completed {
                recording_url,
                duration_ms,
            } => Event::RecordingCompleted {
                command_uid: uid,
                recording_url,
                duration: duration_ms.0.saturating_add(500) / 1_000,
                duration_ms,
            },
            TakeOutcome::Absent => Event::RecordingAbsent { command_uid: uid },
            TakeOutcome::Failed { error } => Event::RecordingFailed {
                command_uid: uid,
                error,
            },
        };
        self.tell(event);
    }
}
