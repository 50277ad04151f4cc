//! The real-time side of a player: takes orders, makes frames just before the device needs them,
//! and tells what was heard. It waits for nothing and allocates nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::thread::Thread;
use std::time::Duration;

use super::control::PlayerStats;
use super::event::{EndReason, Happened, PlayerEvent};
use super::mixer::Mixer;
use super::notice::Notice;
use super::order::{Feed, Order, Piece};
use super::place::{Place, Take};
use super::tap::Tap;
use super::{AHEAD, PERIOD, PIECE_FRAMES, PlaybackId};
use crate::block::GapCause;
use crate::capture::{DeviceState, Turn, duration, next_multiple};
use crate::codec::g711::{linear_to_alaw, linear_to_mulaw};
use crate::drive::Pump;
use crate::format::{Encoding, StreamFormat};
use crate::limits::UNDERRUNS_PER_TURN_MAX;
use crate::playout::PlayoutStats;
use crate::port::{Pacing, PlaybackPort, Played, PollEntry, PortParams};
use crate::ring::BlockConsumer;
use crate::timeline::Timeline;
use crate::units::Frames;

/// Bytes of a piece in the widest format.
const PIECE_BYTES: usize = PIECE_FRAMES * 4;

/// The real-time ends of a player's queues.
pub(super) struct Ends {
    pub(super) blocks: BlockConsumer,
    pub(super) orders: Receiver<Order>,
    pub(super) events: SyncSender<PlayerEvent>,
    pub(super) tap: Option<Tap>,
}

/// One line's side of the real-time loop. It owns no port and no clock: both are given to it.
pub struct PlayerPump {
    mixer: Mixer,
    notice: Notice,
    feed: RingFeed,
    orders: Receiver<Order>,
    events: SyncSender<PlayerEvent>,
    tap: Option<Tap>,
    format: StreamFormat,
    shown: Arc<PlayerStats>,
    device: Arc<PlayoutStats>,
    worker: Option<Thread>,
    /// What was made and not taken yet, as samples and in the device's format.
    samples: [i16; PIECE_FRAMES],
    bytes: [u8; PIECE_BYTES],
    from: usize,
    to: usize,
    /// Frames that the device took or, while it was away, should have taken.
    written: Frames,
    present: Option<PortParams>,
    /// Of a free-running device, and while there is none: what has been given or dropped.
    pace: Timeline,
    paced: Frames,
    due: Duration,
}

impl PlayerPump {
    pub(super) fn new(
        mixer: Mixer,
        format: StreamFormat,
        ends: Ends,
        stats: (Arc<PlayerStats>, Arc<PlayoutStats>),
        now: Duration,
    ) -> Self {
        let Ends {
            blocks,
            orders,
            events,
            tap,
        } = ends;
        Self {
            mixer,
            notice: Notice::new(format.rate),
            feed: RingFeed::new(blocks),
            orders,
            events,
            tap,
            format,
            shown: stats.0,
            device: stats.1,
            worker: None,
            samples: [0; PIECE_FRAMES],
            bytes: [0; PIECE_BYTES],
            from: 0,
            to: 0,
            written: Frames::ZERO,
            present: None,
            pace: Timeline::new(format.rate, now, Frames::ZERO),
            paced: Frames::ZERO,
            due: now,
        }
    }

    /// Counters of the device: `frames` are all that it took.
    #[must_use]
    pub fn device_stats(&self) -> Arc<PlayoutStats> {
        Arc::clone(&self.device)
    }

    /// Whom to wake when the ring has room or another place is wanted.
    pub(crate) fn wakes(&mut self, worker: Thread) {
        self.worker = Some(worker);
    }

    /// When it needs a turn, in monotonic time.
    #[must_use]
    pub const fn due(&self) -> Duration {
        self.due
    }

    /// Takes a port that was just opened.
    pub fn attach(&mut self, params: PortParams, now: Duration) {
        self.present = Some(params);
        self.restart_pace(now);
        self.device.opens.fetch_add(1, Ordering::Relaxed);
        store(&self.device.period_frames, params.period);
        store(&self.device.buffer_frames, params.buffer);
        let running = DeviceState::Running as u32;
        self.device.state.store(running, Ordering::Relaxed);
        self.due = now;
    }

    /// Gives the port what it needs. After [`Turn::Gone`] it must be closed.
    pub fn turn(&mut self, port: &mut dyn PlaybackPort, now: Duration) -> Turn {
        let Some(params) = self.present else {
            return Turn::Idle;
        };
        self.take_orders();
        let wished = self.format.rate.frames_in(AHEAD).min(params.buffer);
        let ahead = wished.max(Frames(params.buffer.0.div_ceil(2)));
        let mut turn = Turn::Idle;
        let mut underruns = 0;
        loop {
            let room = match params.pacing {
                Pacing::Device => ahead.saturating_sub(port.queued()),
                Pacing::Clock => (self.pace.expected(now) + ahead).saturating_sub(self.paced),
            };
            let frames = self.make(room);
            if frames == 0 {
                break;
            }
            let frame = self.format.frame_bytes();
            let (from, to) = (self.from * frame, (self.from + frames) * frame);
            match port.write(&self.bytes[from..to]) {
                Played::Frames(taken) if taken > Frames::ZERO => {
                    self.took(taken, true);
                    turn = Turn::Busy;
                }
                Played::Frames(_) | Played::Full => break,
                Played::Underrun => {
                    self.device.underruns.fetch_add(1, Ordering::Relaxed);
                    underruns += 1;
                    if underruns > UNDERRUNS_PER_TURN_MAX {
                        break;
                    }
                }
                Played::Gone(errno) => return self.gone(errno, now),
            }
        }
        let delay = port.delay();
        store(&self.device.delay_frames, delay);
        self.show(self.written.saturating_sub(delay));
        let period = duration(params.period, self.format.rate);
        self.due = next_multiple(now, period.min(PERIOD.into()));
        turn
    }

    /// Lets time pass while there is no port: playbacks go on, unheard.
    pub fn absent(&mut self, now: Duration) {
        self.take_orders();
        loop {
            let room = self.pace.expected(now).saturating_sub(self.paced);
            let frames = self.make(room);
            if frames == 0 {
                break;
            }
            let frames = Frames(frames as u64);
            self.device
                .dropped_frames
                .fetch_add(frames.0, Ordering::Relaxed);
            self.took(frames, false);
        }
        self.show(self.written);
        self.due = next_multiple(now, PERIOD.into());
    }

    fn take_orders(&mut self) {
        while self.mixer.takes_orders()
            && let Ok(order) = self.orders.try_recv()
        {
            self.mixer.order(order);
        }
    }

    /// How many of the frames that are made the device may have; makes some if there are none.
    fn make(&mut self, room: Frames) -> usize {
        let room = usize::try_from(room.0).unwrap_or(usize::MAX);
        if self.from == self.to && room > 0 {
            self.from = 0;
            self.to = room.min(PIECE_FRAMES);
            let samples = &mut self.samples[..self.to];
            self.mixer.render(&mut self.feed, samples);
            let wanted = self.shown.notice.load(Ordering::Relaxed);
            self.notice.mix(wanted, samples);
            encode(samples, self.format, &mut self.bytes);
        }
        (self.to - self.from).min(room)
    }

    /// The device, or nobody, took frames that were made.
    fn took(&mut self, frames: Frames, heard: bool) {
        let count = usize::try_from(frames.0).unwrap_or(PIECE_FRAMES);
        let to = (self.from + count).min(self.to);
        let samples = &self.samples[self.from..to];
        if let Some(tap) = &mut self.tap {
            if heard {
                tap.sound(self.written, samples);
            } else {
                let frames = Frames(samples.len() as u64);
                tap.lost(self.written, frames, GapCause::DeviceLost);
            }
        }
        if heard {
            let taken = samples.len() as u64;
            self.device.frames.fetch_add(taken, Ordering::Relaxed);
        }
        self.written += Frames(samples.len() as u64);
        self.paced += Frames(samples.len() as u64);
        self.from = to;
    }

    /// Shows how far the device is, and tells what it has come to.
    fn show(&mut self, heard: Frames) {
        let shown = &self.shown;
        let offset = self.mixer.offset_at(heard);
        shown.heard.store(heard.0, Ordering::Release);
        shown.offset.store(offset.0, Ordering::Relaxed);
        shown
            .underruns
            .store(self.mixer.underruns(), Ordering::Relaxed);
        shown
            .waited_frames
            .store(self.mixer.waited().0, Ordering::Relaxed);
        let playing = self.mixer.playing().unwrap_or_default();
        shown.playing.store(playing.0, Ordering::Release);
        while let Some(event) = self.mixer.event(heard) {
            if !self.tell(event) {
                break;
            }
        }
        let wanted = self.mixer.wanted();
        let word = wanted.pack();
        self.shown.wanted.store(word, Ordering::Release);
        let moved = self.feed.has_moved(wanted);
        let room = self.feed.is_low() && self.shown.full.swap(false, Ordering::AcqRel);
        if (moved || room)
            && let Some(worker) = &self.worker
        {
            worker.unpark();
        }
    }

    /// Tells an event; says false, and keeps it, when there is no room for it.
    fn tell(&mut self, event: PlayerEvent) -> bool {
        let ended = match event.what {
            Happened::Started => PlaybackId(0),
            _ => event.playback,
        };
        match self.events.try_send(event) {
            Err(TrySendError::Full(event)) => {
                self.mixer.put_back(event);
                false
            }
            Ok(()) | Err(TrySendError::Disconnected(_)) => {
                self.shown.over.fetch_max(ended.0, Ordering::AcqRel);
                true
            }
        }
    }

    fn restart_pace(&mut self, now: Duration) {
        self.pace = Timeline::new(self.format.rate, now, Frames::ZERO);
        self.paced = Frames::ZERO;
    }

    /// Goes on without its port.
    pub(crate) fn gone(&mut self, errno: i32, now: Duration) -> Turn {
        self.present = None;
        self.restart_pace(now);
        let errno = errno.unsigned_abs();
        self.device.last_errno.store(errno, Ordering::Relaxed);
        store(&self.device.period_frames, Frames::ZERO);
        store(&self.device.buffer_frames, Frames::ZERO);
        store(&self.device.delay_frames, Frames::ZERO);
        let lost = DeviceState::Lost as u32;
        self.device.state.store(lost, Ordering::Relaxed);
        self.due = next_multiple(now, PERIOD.into());
        Turn::Gone
    }
}

impl Drop for PlayerPump {
    /// What has begun, or was ordered to, is told as ended: nobody will hear the rest.
    fn drop(&mut self) {
        let mut closed = false;
        loop {
            let order = match self.orders.try_recv() {
                Ok(order) => order,
                Err(_) if closed => return,
                Err(_) => {
                    closed = true;
                    Order::Cancel(PlaybackId(u64::MAX), EndReason::Closed)
                }
            };
            self.mixer.order(order);
            // Long enough for a fade.
            for _ in 0..PIECE_FRAMES {
                self.mixer.render(&mut self.feed, &mut self.samples[..8]);
            }
            while let Some(event) = self.mixer.event(Frames(u64::MAX)) {
                // Whoever does not listen any more is told nothing.
                let _told = self.events.try_send(event);
            }
        }
    }
}

impl Pump for PlayerPump {
    type Port = dyn PlaybackPort;

    fn attach(&mut self, port: &mut (dyn PlaybackPort + 'static), _polled: bool, now: Duration) {
        let params = port.params();
        self.attach(params, now);
    }

    fn turn(
        &mut self,
        port: &mut (dyn PlaybackPort + 'static),
        _events: i16,
        _scratch: &mut [u8],
        now: Duration,
    ) -> Turn {
        self.turn(port, now)
    }

    fn absent(&mut self, now: Duration) {
        self.absent(now);
    }

    fn due(&self) -> Duration {
        self.due
    }

    /// None: there is always room in the device beyond what it is given ahead. The clock wakes
    /// the loop once a period.
    fn poll_entries(_port: &dyn PlaybackPort, _out: &mut Vec<PollEntry>) {}

    fn ready(_port: &mut (dyn PlaybackPort + 'static), _revents: &[i16]) -> i16 {
        0
    }
}

/// The decoder's ring as the mixer sees it.
struct RingFeed {
    blocks: BlockConsumer,
    now: Take,
    next: Take,
    last_wanted: Place,
}

impl RingFeed {
    fn new(blocks: BlockConsumer) -> Self {
        Self {
            blocks,
            now: Take::default(),
            next: Take::default(),
            last_wanted: Place::default(),
        }
    }

    /// Whether the decoder is to go elsewhere than last time.
    fn has_moved(&mut self, wanted: Place) -> bool {
        std::mem::replace(&mut self.last_wanted, wanted) != wanted
    }

    /// Whether half of the decoder's lead is gone.
    fn is_low(&self) -> bool {
        self.blocks.len() * 2 < self.blocks.capacity()
    }

    /// Drops what nobody wants any more.
    fn tidy(&mut self) {
        while let Some(block) = self.blocks.peek() {
            let take = Place::unpack(block.position.0).take;
            if take == self.now || take == self.next {
                return;
            }
            self.blocks.pop_with(|_| ());
        }
    }
}

impl Feed for RingFeed {
    fn piece(&mut self, place: Place, out: &mut Piece) -> bool {
        loop {
            self.tidy();
            let Some(block) = self.blocks.peek() else {
                return false;
            };
            let first = Place::unpack(block.position.0);
            if first.take != place.take {
                // Of the next take: its turn comes after the fade.
                return false;
            }
            out.place = first;
            out.len = 0;
            for (sample, bytes) in out.samples.iter_mut().zip(block.sound().chunks_exact(2)) {
                *sample = i16::from_le_bytes([bytes[0], bytes[1]]);
                out.len += 1;
            }
            self.blocks.pop_with(|_| ());
            if place.at.0 < first.at.0 + out.len as u64 {
                return true;
            }
        }
    }

    fn keep(&mut self, now: Take, next: Take) {
        (self.now, self.next) = (now, next);
        self.tidy();
    }
}

/// Samples in the line's format, the same in each of its channels.
fn encode(samples: &[i16], format: StreamFormat, out: &mut [u8; PIECE_BYTES]) {
    let width = format.encoding.sample_bytes();
    let each = format.channels.count();
    for (frame, sample) in out.chunks_exact_mut(width * each).zip(samples) {
        for place in frame.chunks_exact_mut(width) {
            match format.encoding {
                Encoding::S16Le => place.copy_from_slice(&sample.to_le_bytes()),
                Encoding::MuLaw => place[0] = linear_to_mulaw(*sample),
                Encoding::ALaw => place[0] = linear_to_alaw(*sample),
            }
        }
    }
}

fn store(counter: &AtomicU32, frames: Frames) {
    let frames = u32::try_from(frames.0).unwrap_or(u32::MAX);
    counter.store(frames, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::leg_samples;
    use crate::format::Channels;
    use crate::units::SampleRate;

    #[test]
    fn every_channel_of_every_encoding_has_the_sound() {
        let samples = [0, 1_000, -20_000, 32_000];
        for encoding in [Encoding::S16Le, Encoding::MuLaw, Encoding::ALaw] {
            let format = StreamFormat {
                rate: SampleRate::TELEPHONE,
                encoding,
                channels: Channels::Stereo,
            };
            let mut bytes = [0; PIECE_BYTES];
            encode(&samples, format, &mut bytes);
            let sound = &bytes[..samples.len() * format.frame_bytes()];
            for leg in [0, 1] {
                let heard = leg_samples(sound, format, leg);
                for (heard, sample) in heard.iter().zip(samples) {
                    let off = (i32::from(*heard) - i32::from(sample)).abs();
                    assert!(
                        off <= i32::from(sample).abs() / 30 + 8,
                        "{encoding}: {heard}"
                    );
                }
            }
        }
    }
}
