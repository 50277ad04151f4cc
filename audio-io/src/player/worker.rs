//! The ordinary thread of a line: it opens what is to be played, keeps the ring full from the
//! place that the mixer wants, and tells of what cannot be played.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::control::{Job, PlayerControl, Work, frames_to};
use super::event::{EndReason, Happened, PlayError, PlayerEvent, Stopped};
use super::order::{Broken, Order};
use super::place::Place;
use super::reel::{Reel, Unplayable};
use super::{PIECE_FRAMES, PlaybackId};
use crate::block::Block;
use crate::limits::{PLAYER_ORDERS_MAX, SLEEP_MAX};
use crate::ring::BlockProducer;
use crate::units::Frames;

/// How long it waits before it tries again to hand on what found no room.
const RETRY: Duration = Duration::from_millis(20);

/// Faults of one playback that are kept until they are told for sure.
const FAULTS_KEPT: usize = 2 * PLAYER_ORDERS_MAX;

/// How often it tries to hand on what is left when it ends.
const FAREWELLS: u32 = 50;

/// Opens and decodes for one line.
pub struct PlayerWorker {
    line: u32,
    control: PlayerControl,
    blocks: BlockProducer,
    orders: SyncSender<Order>,
    events: SyncSender<PlayerEvent>,
    loaded: Option<Loaded>,
    /// Orders and events that found no room yet, oldest first; a few of one playback.
    owed_orders: VecDeque<Order>,
    owed_events: VecDeque<PlayerEvent>,
    samples: Box<[i16; PIECE_FRAMES]>,
}

/// The playback whose files are open.
struct Loaded {
    id: PlaybackId,
    ended: Arc<OnceLock<EndReason>>,
    reel: Reel,
    /// What is to be decoded next.
    next: Option<Place>,
    /// Whether the take of `next` ends early.
    broken: bool,
    /// Why the last takes ended early: it is not for the real-time thread to free it.
    faults: VecDeque<Arc<PlayError>>,
}

impl PlayerWorker {
    pub(super) fn new(
        line: u32,
        control: PlayerControl,
        blocks: BlockProducer,
        orders: SyncSender<Order>,
        events: SyncSender<PlayerEvent>,
    ) -> Self {
        Self {
            line,
            control,
            blocks,
            orders,
            events,
            loaded: None,
            owed_orders: VecDeque::new(),
            owed_events: VecDeque::new(),
            samples: Box::new([0; PIECE_FRAMES]),
        }
    }

    /// Works until `stop` says so; then tells of what was not begun.
    pub(super) fn run(mut self, stop: &dyn Fn() -> bool) {
        // It is set once, here.
        let _first = self.control.inner.thread.set(std::thread::current());
        while !stop() {
            if !self.step() {
                let owes = !(self.owed_events.is_empty() && self.owed_orders.is_empty());
                std::thread::park_timeout(if owes { RETRY } else { SLEEP_MAX });
            }
        }
        self.close();
        // Who listens may be slow, but the end of the daemon does not wait for ever.
        for _ in 0..FAREWELLS {
            if self.pay() {
                return;
            }
            std::thread::park_timeout(RETRY);
        }
    }

    /// Does one small piece of work, or opens one playback. Says false when there is nothing to
    /// do before somebody asks for something.
    pub fn step(&mut self) -> bool {
        if !self.pay() {
            return false;
        }
        if let Some(job) = self.control.inner.job() {
            self.open(job);
            return true;
        }
        self.decode()
    }

    /// Ends everything that the real-time thread does not know of, and refuses all commands.
    pub fn close(&mut self) {
        for job in self.control.inner.close() {
            let reason = job.ended.get().copied().unwrap_or(EndReason::Closed);
            self.tell(job.id, Happened::Stopped(Stopped::never_began(reason)));
        }
        // An order that was not taken is a playback that never began.
        for order in std::mem::take(&mut self.owed_orders) {
            if let Order::Begin(program) = order {
                self.tell(
                    program.id,
                    Happened::Stopped(Stopped::never_began(EndReason::Closed)),
                );
            }
        }
        let _told = self.pay();
    }

    /// Hands on what found no room earlier; says whether all of it has.
    fn pay(&mut self) -> bool {
        while let Some(event) = self.owed_events.pop_front() {
            let playback = event.playback;
            match self.events.try_send(event) {
                Err(TrySendError::Full(event)) => {
                    self.owed_events.push_front(event);
                    return false;
                }
                // With nobody to tell, it is told.
                Ok(()) | Err(TrySendError::Disconnected(_)) => {
                    let over = &self.control.inner.stats.over;
                    over.fetch_max(playback.0, Ordering::AcqRel);
                }
            }
        }
        while let Some(order) = self.owed_orders.pop_front() {
            if let Err(TrySendError::Full(order)) = self.orders.try_send(order) {
                self.owed_orders.push_front(order);
                return false;
            }
        }
        true
    }

    fn open(&mut self, job: Job) {
        self.loaded = None;
        let rate = self.control.inner.rate;
        let called_off = || job.ended.get().is_some();
        let program = match &job.what {
            Work::Silence(length) => job.program(Frames::ZERO, length.unwrap_or(Place::LAST)),
            Work::Files(playlist) => match Reel::open(playlist.clone(), rate, &called_off) {
                Some(Ok(reel)) => {
                    let from = frames_to(playlist.offset, rate);
                    let program = job.program(from, reel.length());
                    self.loaded = Some(Loaded {
                        id: job.id,
                        ended: Arc::clone(&job.ended),
                        reel,
                        next: None,
                        broken: false,
                        faults: VecDeque::new(),
                    });
                    program
                }
                Some(Err(Unplayable { file, error })) if !called_off() => {
                    let error = Arc::new(error);
                    return self.tell(job.id, Happened::FileNotFound { file, error });
                }
                Some(Err(_)) | None => return self.never_begins(&job),
            },
        };
        if called_off() {
            self.loaded = None;
            return self.never_begins(&job);
        }
        // Should it be cancelled from here on, the mixer knows before or after, and tells.
        self.owed_orders.push_back(Order::Begin(program));
        let _handed = self.pay();
    }

    fn never_begins(&mut self, job: &Job) {
        let reason = job.ended.get().copied().unwrap_or(EndReason::Stopped);
        self.tell(job.id, Happened::Stopped(Stopped::never_began(reason)));
    }

    fn tell(&mut self, playback: PlaybackId, what: Happened) {
        self.owed_events.push_back(PlayerEvent {
            line: self.line,
            playback,
            what,
        });
        let _told = self.pay();
    }

    /// Decodes one piece, if there is room and something wants it.
    fn decode(&mut self) -> bool {
        let Some(loaded) = &mut self.loaded else {
            return false;
        };
        let wanted = self.control.inner.wanted();
        if !wanted.take.is_of(loaded.id) || loaded.ended.get().is_some() {
            return false;
        }
        if loaded.next.is_none_or(|next| next.take != wanted.take) {
            loaded.next = Some(wanted);
            loaded.broken = false;
        }
        let Some(next) = &mut loaded.next else {
            return false;
        };
        if loaded.broken || next.at >= loaded.reel.length() {
            return false;
        }
        if self.blocks.is_full() {
            let full = &self.control.inner.stats.full;
            full.store(true, Ordering::Release);
            return false;
        }
        match loaded.reel.read(next.at, &mut self.samples[..]) {
            Ok(count) => {
                let mut bytes = [0; 2 * PIECE_FRAMES];
                for (place, sample) in bytes.chunks_exact_mut(2).zip(&self.samples[..count]) {
                    place.copy_from_slice(&sample.to_le_bytes());
                }
                let block = Block::audio(Frames(next.pack()), &bytes[..2 * count]);
                // There was room, and nobody else fills it.
                let _pushed = self.blocks.push(block);
                next.at += Frames(count as u64);
            }
            Err(Unplayable { file, error }) => {
                let error = Arc::new(error);
                loaded.broken = true;
                loaded.faults.truncate(FAULTS_KEPT - 1);
                loaded.faults.push_front(Arc::clone(&error));
                let place = *next;
                let broken = Broken { place, file, error };
                self.owed_orders.push_back(Order::Broken(broken));
                let _handed = self.pay();
            }
        }
        true
    }
}
