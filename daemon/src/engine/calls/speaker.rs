//! A line's player as the exchange drives it: sounds of sessions become playbacks, and what the
//! player tells becomes signals again. Orders that come before the player has begun, or that it
//! has no room for, wait here in their order.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use audio_io::player::{
    HaltReason, Happened, PlaybackId, PlayerControl, PlayerError, Playlist, Seek, SoundFile,
    Stopped,
};
use audio_io::units::Millis;
use uuid::Uuid;

use crate::engine::session::signal::{Signal, SoundEnd, SoundId};

/// A line's player.
pub(super) struct Speaker {
    control: PlayerControl,
    /// Playbacks whose end has not been told.
    sounds: HashMap<PlaybackId, (Uuid, SoundId)>,
    /// The last one that was started, unless its end has been told.
    current: Option<Current>,
}

struct Current {
    playback: PlaybackId,
    session: Uuid,
    sound: SoundId,
    /// Whether the player has begun.
    began: bool,
    orders: VecDeque<Transport>,
}

/// What can be done to a sound.
#[derive(Clone, Copy, Debug)]
pub(super) enum Transport {
    Pause,
    Resume,
    Seek(i64),
    Restart,
    Halt(HaltReason),
}

/// What is to be played.
pub(super) enum Wanted {
    Files(Vec<Arc<dyn SoundFile>>, Millis),
    Silence(Option<Millis>),
}

/// What a player's event means.
pub(super) struct Heard {
    pub(super) session: Uuid,
    pub(super) signal: Signal,
    pub(super) underruns: u64,
}

impl Speaker {
    pub(super) fn new(control: PlayerControl) -> Self {
        Self {
            control,
            sounds: HashMap::new(),
            current: None,
        }
    }

    /// Plays something instead of what plays.
    ///
    /// # Errors
    /// The player's.
    pub(super) fn play(
        &mut self,
        session: Uuid,
        sound: SoundId,
        what: Wanted,
    ) -> Result<(), PlayerError> {
        let playback = match what {
            Wanted::Files(files, offset) => self.control.start(Playlist { files, offset }),
            Wanted::Silence(length) => self.control.silence(length),
        }?;
        self.sounds.insert(playback, (session, sound));
        self.current = Some(Current {
            playback,
            session,
            sound,
            began: false,
            orders: VecDeque::new(),
        });
        Ok(())
    }

    /// Does something to a sound, at once or as soon as the player can. A sound that is over, or
    /// was replaced, is left alone. Whether something waits for room.
    pub(super) fn order(&mut self, (session, sound): (Uuid, SoundId), order: Transport) -> bool {
        let is_meant = |now: &&mut Current| (now.session, now.sound) == (session, sound);
        let Some(current) = self.current.as_mut().filter(is_meant) else {
            return false;
        };
        if let Transport::Halt(_) = order {
            // It ends wherever it stands, begun or not.
            current.orders.clear();
        }
        current.orders.push_back(order);
        self.go_on()
    }

    /// Gives the player what waits, as far as it takes it. Whether something waits for room.
    pub(super) fn go_on(&mut self) -> bool {
        let Some(current) = &mut self.current else {
            return false;
        };
        while let Some(order) = current.orders.front().copied() {
            let needs_begin = !matches!(order, Transport::Halt(_));
            if needs_begin && !current.began {
                return false;
            }
            let control = &self.control;
            let taken = match order {
                Transport::Pause => control.pause(),
                Transport::Resume => control.resume(),
                Transport::Seek(by_ms) => control.seek(Seek::By(by_ms)),
                Transport::Restart => control.restart(),
                Transport::Halt(reason) => control.stop(reason),
            };
            if taken == Err(PlayerError::Busy) {
                return true;
            }
            // Any other refusal means that it is over, which is told by itself.
            current.orders.pop_front();
        }
        false
    }

    /// Takes in what the player tells.
    pub(super) fn hear(&mut self, playback: PlaybackId, what: Happened) -> Option<Heard> {
        let is_current = |now: &Current| now.playback == playback;
        if let Happened::Started = what {
            let (session, sound) = *self.sounds.get(&playback)?;
            if let Some(current) = self.current.as_mut().filter(|now| is_current(now)) {
                current.began = true;
                self.go_on();
            }
            return Some(Heard {
                session,
                signal: Signal::SoundStarted { sound },
                underruns: 0,
            });
        }
        let (session, sound) = self.sounds.remove(&playback)?;
        self.current.take_if(|now| is_current(now));
        let nothing = |file: usize, error: &dyn std::fmt::Display| {
            log::warn!(
                call = session.to_string().as_str();
                "session {session}: file {file} of a playback: {error}"
            );
        };
        let (stopped, failed) = match what {
            Happened::Started => return None,
            Happened::Stopped(stopped) => {
                let closed = stopped.reason == audio_io::player::EndReason::Closed;
                (Some(stopped), closed)
            }
            Happened::FileNotFound { file, error } => {
                nothing(file, &error);
                (None, true)
            }
            Happened::Failed {
                stopped,
                file,
                error,
            } => {
                nothing(file, &error);
                (Some(stopped), true)
            }
        };
        Some(Heard {
            session,
            signal: Signal::SoundEnded {
                sound,
                end: end_of(stopped, failed),
            },
            underruns: stopped.map_or(0, |stopped| stopped.underruns),
        })
    }

    /// Where the last sound is heard now; nothing before it has begun.
    pub(super) fn position(&self) -> Option<Millis> {
        let (playback, offset) = self.control.position()?;
        let current = self.current.as_ref()?;
        (current.playback == playback).then_some(offset)
    }
}

/// The end of a sound that never began, or could not go on.
pub(super) const NOT_PLAYED: SoundEnd = SoundEnd {
    offset_ms: Millis::ZERO,
    duration_ms: Millis::ZERO,
    failed: true,
};

fn end_of(stopped: Option<Stopped>, failed: bool) -> SoundEnd {
    stopped.map_or(NOT_PLAYED, |stopped| SoundEnd {
        offset_ms: stopped.offset,
        duration_ms: stopped.played,
        failed,
    })
}
