//! What a session would still have to tell if nothing happened to it any more but the daemon's
//! death: kept beside its events, so that the next start can tell it (API.md section 2).

use audio_io::units::Millis;

use super::Session;
use super::command::{CommandUid, HangupCause};
use super::digits::{Collected, Collector};
use super::event::{CommandFailure, Event, HangupBy, Playback, StopReason};
use super::machine::Hangup;
use super::signal::{SoundEnd, TakeId};
use super::speaking::{Kind, Preparing, Wish};
use super::state::CallState;

/// What is owed to the application.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Owed {
    /// In this order; times are those of the last input.
    pub events: Vec<Event>,
    /// Recordings whose end is to be told after that, oldest first.
    pub takes: Vec<OwedTake>,
}

/// A recording that has begun, or was asked for, and whose end was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedTake {
    /// Its name in the call.
    pub take: TakeId,
    /// Of the command that began it.
    pub command_uid: CommandUid,
}

impl Session {
    /// What the session owes now: results of open commands, then the ends of sounds and
    /// collections, then the end of the call; and its recordings.
    #[must_use]
    pub fn owed(&self) -> Owed {
        let mut events: Vec<Event> = self
            .open
            .iter()
            .map(|open| Event::CommandResult {
                command: open.kind,
                command_uid: open.uid.clone(),
                operation_id: open.operation,
                success: false,
                error: Some(CommandFailure::Restarted),
            })
            .collect();
        events.extend(self.preparing.iter().map(unprepared));
        events.extend(self.ending.iter().map(|ending| {
            let playback = ending.playback.clone();
            stopped(playback, ending.guess, ending.reason)
        }));
        events.extend(self.speaking.as_ref().map(|speaking| match &speaking.kind {
            Kind::Digits { collector, .. } => {
                collected(&speaking.asked.uid, collector.clone().abandoned())
            }
            Kind::Files { .. } | Kind::Silence => {
                let end = speaking.guess(self.now);
                stopped(speaking.playback(), end, StopReason::Error)
            }
        }));
        let dying = || Hangup {
            cause: HangupCause::crash(),
            by: HangupBy::Line,
            at: self.now,
        };
        let is_on = self.state != CallState::HungUp;
        let hangup = self.hangup.clone().or_else(|| is_on.then(dying));
        events.extend(hangup.map(|hangup| self.hangup_event(hangup)));
        Owed {
            events,
            takes: self.takes().collect(),
        }
    }

    /// Its recordings whose end was not told, oldest first.
    pub fn takes(&self) -> impl Iterator<Item = OwedTake> {
        self.sealing.iter().chain(&self.take).map(|take| OwedTake {
            take: take.id,
            command_uid: take.asked.uid.clone(),
        })
    }

    /// The command whose sound the caller hears.
    #[must_use]
    pub fn playing(&self) -> Option<&CommandUid> {
        let heard = self.speaking.as_ref()?;
        heard.sound.map(|_| &heard.asked.uid)
    }
}

fn unprepared(preparing: &Preparing) -> Event {
    let command_uid = preparing.asked.uid.clone();
    match &preparing.wish {
        Wish::Digits { plan, .. } => {
            collected(&command_uid, Collector::new(plan.clone()).abandoned())
        }
        Wish::Files { urls, offset_sec } => {
            let playback = Playback {
                command_uid,
                urls: Some(urls.clone()),
                file_path: None,
            };
            let nothing = SoundEnd {
                offset_ms: Millis::from_secs(u64::from(*offset_sec)),
                duration_ms: Millis::ZERO,
                failed: true,
            };
            stopped(playback, nothing, StopReason::Error)
        }
    }
}

fn collected(uid: &CommandUid, collected: Collected) -> Event {
    Event::DigitsCollected {
        command_uid: uid.clone(),
        digits: collected.digits,
        terminator: collected.terminator,
        status: collected.status,
    }
}

const fn stopped(playback: Playback, end: SoundEnd, reason: StopReason) -> Event {
    Event::PlaybackStopped {
        playback,
        offset_ms: end.offset_ms,
        duration_ms: end.duration_ms,
        reason,
    }
}
