//! The commands of a player, for any thread, and what it shows of itself. A command is checked
//! against what plays now and handed on; it never waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;

use super::PlaybackId;
use super::event::EndReason;
use super::order::{Move, Order, Program, Sounding};
use super::place::Place;
use super::reel::Playlist;
use crate::limits::{PLAYER_FILES_MAX, PLAYER_JOBS_MAX};
use crate::units::{Frames, Millis, SampleRate};

/// A player's commands. Cheap to clone.
#[derive(Clone)]
pub struct PlayerControl {
    pub(super) inner: Arc<Inner>,
}

/// Why a command was refused; nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlayerError {
    /// No playback is active, or its files are still being opened.
    #[error("no playback is active")]
    NothingPlays,
    /// The list of files is empty or too long.
    #[error("a playback has 1 to {PLAYER_FILES_MAX} files")]
    Files,
    /// Too many commands wait.
    #[error("too many commands are waiting on this line; try again")]
    Busy,
    /// The player was shut down.
    #[error("the line's player was shut down")]
    Closed,
}

/// Where to seek to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// To this time of all the files in a row. Past the end ends the playback.
    To(Millis),
    /// So many milliseconds forward, or back if negative, from where it stands. Before the start
    /// is the start, past the end ends the playback.
    By(i64),
}

/// On whose account a playback is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaltReason {
    /// By command.
    Stopped,
    /// The call ended.
    HungUp,
}

/// What the real-time thread shows of a player; counters only grow.
#[derive(Debug, Default)]
pub struct PlayerStats {
    /// The number of the playback that has the device, 0 for none.
    pub playing: AtomicU64,
    /// Where in its sound the frame stands that is heard now, in frames.
    pub offset: AtomicU64,
    /// Frames that have been heard or, while the device was away, should have been: the place in
    /// the tap's stream that is heard now.
    pub heard: AtomicU64,
    /// Times a decoder did not keep up.
    pub underruns: AtomicU64,
    /// Frames of silence because decoded sound was not there, at beginnings and jumps too.
    pub waited_frames: AtomicU64,
    /// Whether a tone tells that somebody listens.
    pub(super) notice: AtomicBool,
    /// The place that the decoder should go on from, packed.
    pub(super) wanted: AtomicU64,
    /// The last playback whose end has been told.
    pub(super) over: AtomicU64,
    /// Whether the worker waits for room in the ring.
    pub(super) full: AtomicBool,
}

pub(super) struct Inner {
    pub(super) rate: SampleRate,
    pub(super) stats: Arc<PlayerStats>,
    /// The worker's thread, once it has one.
    pub(super) thread: OnceLock<Thread>,
    orders: SyncSender<Order>,
    desk: Mutex<Desk>,
}

/// What commands agree on between themselves.
struct Desk {
    jobs: VecDeque<Job>,
    /// The last playback that was started, and its fate if it has been ended by a command.
    last: PlaybackId,
    ended: Arc<OnceLock<EndReason>>,
    closed: bool,
}

/// A playback to open.
pub(super) struct Job {
    pub(super) id: PlaybackId,
    pub(super) what: Work,
    /// Set when it need not be begun any more.
    pub(super) ended: Arc<OnceLock<EndReason>>,
}

/// What a job plays.
pub(super) enum Work {
    Files(Playlist),
    /// So much silence; without end if `None`.
    Silence(Option<Frames>),
}

impl PlayerControl {
    pub(super) fn new(
        rate: SampleRate,
        orders: SyncSender<Order>,
        stats: Arc<PlayerStats>,
    ) -> Self {
        let ended = Arc::new(OnceLock::new());
        let _nothing_plays = ended.set(EndReason::Finished);
        Self {
            inner: Arc::new(Inner {
                rate,
                stats,
                thread: OnceLock::new(),
                orders,
                desk: Mutex::new(Desk {
                    jobs: VecDeque::new(),
                    last: PlaybackId(0),
                    ended,
                    closed: false,
                }),
            }),
        }
    }

    /// Plays files. What plays, or is about to, ends first ([`EndReason::Replaced`]): the last
    /// start wins. The files are opened by the worker; then the playback begins, or is told as
    /// [`super::Happened::FileNotFound`].
    ///
    /// # Errors
    /// [`PlayerError::Files`], [`PlayerError::Busy`] or [`PlayerError::Closed`].
    pub fn start(&self, playlist: Playlist) -> Result<PlaybackId, PlayerError> {
        if !playlist.is_valid() {
            return Err(PlayerError::Files);
        }
        self.submit(Work::Files(playlist))
    }

    /// Plays silence, without end or for so long. What plays ends first, as with
    /// [`PlayerControl::start`]. It is a playback like any other, and is told as one.
    ///
    /// # Errors
    /// [`PlayerError::Busy`] or [`PlayerError::Closed`].
    pub fn silence(&self, duration: Option<Millis>) -> Result<PlaybackId, PlayerError> {
        let frames = duration.map(|duration| frames_to(duration, self.inner.rate));
        self.submit(Work::Silence(frames))
    }

    /// Ends what plays or is about to.
    ///
    /// # Errors
    /// [`PlayerError::NothingPlays`], [`PlayerError::Busy`] or [`PlayerError::Closed`].
    pub fn stop(&self, reason: HaltReason) -> Result<PlaybackId, PlayerError> {
        let desk = self.desk()?;
        if desk.ended.get().is_some() || self.is_over(&desk) {
            return Err(PlayerError::NothingPlays);
        }
        self.end(
            &desk,
            match reason {
                HaltReason::Stopped => EndReason::Stopped,
                HaltReason::HungUp => EndReason::HungUp,
            },
        )?;
        Ok(desk.last)
    }

    /// Stands still within 50 ms. A paused playback stays paused, also through a seek.
    ///
    /// # Errors
    /// [`PlayerError::NothingPlays`], [`PlayerError::Busy`] or [`PlayerError::Closed`].
    pub fn pause(&self) -> Result<PlaybackId, PlayerError> {
        self.transport(Order::Pause)
    }

    /// Goes on where it was paused. Nothing changes if it was not.
    ///
    /// # Errors
    /// [`PlayerError::NothingPlays`], [`PlayerError::Busy`] or [`PlayerError::Closed`].
    pub fn resume(&self) -> Result<PlaybackId, PlayerError> {
        self.transport(Order::Resume)
    }

    /// Goes to another place of the sound.
    ///
    /// # Errors
    /// [`PlayerError::NothingPlays`], [`PlayerError::Busy`] or [`PlayerError::Closed`].
    pub fn seek(&self, to: Seek) -> Result<PlaybackId, PlayerError> {
        let rate = self.inner.rate;
        let to = match to {
            Seek::To(at) => Move::To(frames_to(at, rate)),
            Seek::By(by) => {
                let frames = frames_to(Millis(by.unsigned_abs()), rate).0.cast_signed();
                Move::By(if by < 0 { -frames } else { frames })
            }
        };
        self.transport(|id| Order::Seek(id, to))
    }

    /// Goes to the beginning.
    ///
    /// # Errors
    /// [`PlayerError::NothingPlays`], [`PlayerError::Busy`] or [`PlayerError::Closed`].
    pub fn restart(&self) -> Result<PlaybackId, PlayerError> {
        self.seek(Seek::To(Millis::ZERO))
    }

    /// The playback that has the device, and where it is heard now.
    #[must_use]
    pub fn position(&self) -> Option<(PlaybackId, Millis)> {
        let stats = &self.inner.stats;
        let playing = PlaybackId(stats.playing.load(Ordering::Acquire));
        let offset = Frames(stats.offset.load(Ordering::Relaxed));
        (playing.0 != 0).then(|| (playing, self.inner.rate.duration_of(offset)))
    }

    /// Whether a tone is heard over all that is played, from the next frames on: a short beep now
    /// and then.
    pub fn set_notice(&self, wanted: bool) {
        self.inner.stats.notice.store(wanted, Ordering::Relaxed);
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> &PlayerStats {
        &self.inner.stats
    }

    fn submit(&self, what: Work) -> Result<PlaybackId, PlayerError> {
        let mut desk = self.desk()?;
        if desk.jobs.len() >= PLAYER_JOBS_MAX {
            return Err(PlayerError::Busy);
        }
        if desk.ended.get().is_none() {
            self.end(&desk, EndReason::Replaced)?;
        }
        desk.last = PlaybackId(desk.last.0 + 1);
        desk.ended = Arc::default();
        let job = Job {
            id: desk.last,
            what,
            ended: Arc::clone(&desk.ended),
        };
        desk.jobs.push_back(job);
        let id = desk.last;
        drop(desk);
        self.inner.wake();
        Ok(id)
    }

    fn transport(
        &self,
        order: impl FnOnce(PlaybackId) -> Order,
    ) -> Result<PlaybackId, PlayerError> {
        let desk = self.desk()?;
        let playing = PlaybackId(self.inner.stats.playing.load(Ordering::Acquire));
        if playing != desk.last || desk.ended.get().is_some() {
            return Err(PlayerError::NothingPlays);
        }
        self.send(order(playing))?;
        Ok(playing)
    }

    /// Ends the last playback, wherever it is on its way.
    fn end(&self, desk: &Desk, reason: EndReason) -> Result<(), PlayerError> {
        self.send(Order::Cancel(PlaybackId(desk.last.0 + 1), reason))?;
        // Nobody else sets it but under this lock.
        let _first = desk.ended.set(reason);
        self.inner.wake();
        Ok(())
    }

    /// Whether the last playback is known to be over by itself.
    fn is_over(&self, desk: &Desk) -> bool {
        desk.last.0 <= self.inner.stats.over.load(Ordering::Acquire)
    }

    fn send(&self, order: Order) -> Result<(), PlayerError> {
        self.inner
            .orders
            .try_send(order)
            .map_err(|refused| match refused {
                TrySendError::Full(_) => PlayerError::Busy,
                TrySendError::Disconnected(_) => PlayerError::Closed,
            })
    }

    fn desk(&self) -> Result<MutexGuard<'_, Desk>, PlayerError> {
        let desk = self.inner.desk();
        if desk.closed {
            return Err(PlayerError::Closed);
        }
        Ok(desk)
    }
}

/// The frames in a time that somebody else chose: [`Place::LAST`] at most.
pub(super) fn frames_to(time: Millis, rate: SampleRate) -> Frames {
    let longest = rate.duration_of(Place::LAST);
    rate.frames_in(time.min(longest)).min(Place::LAST)
}

impl Inner {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// The next playback to open.
    pub(super) fn job(&self) -> Option<Job> {
        self.desk().jobs.pop_front()
    }

    /// Refuses all further commands; gives what was still to be opened.
    pub(super) fn close(&self) -> VecDeque<Job> {
        let mut desk = self.desk();
        desk.closed = true;
        std::mem::take(&mut desk.jobs)
    }

    /// The place that the mixer wants sound from.
    pub(super) fn wanted(&self) -> Place {
        Place::unpack(self.stats.wanted.load(Ordering::Acquire))
    }
}

impl Job {
    /// What there is to hear, without its length.
    pub(super) const fn program(&self, from: Frames, length: Frames) -> Program {
        Program {
            id: self.id,
            sound: match self.what {
                Work::Files(_) => Sounding::Files,
                Work::Silence(_) => Sounding::Silence,
            },
            from,
            length,
        }
    }
}
