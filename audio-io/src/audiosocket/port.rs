//! A line at an AudioSocket: always open, whoever is connected to it. It has no descriptors: the
//! loop reads it once a period, which one `recv` answers, and all such lines share one wake-up.

use std::sync::atomic::Ordering;
use std::sync::mpsc::TrySendError;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::connection::{Connection, Sink, State};
use super::converter::Converter;
use super::inlet::Inlet;
use super::outlet::{Outlet, Told};
use super::seat::{Desk, Home, Word};
use crate::channel::{ChannelEvent, ChannelOrder, ChannelPort, HookKind};
use crate::clock::Clock;
use crate::format::StreamFormat;
use crate::limits::AUDIOSOCKET_REST;
use crate::player::BUFFER;
use crate::port::{CapturePort, Captured, Pacing, PlaybackPort, Played, PollEntry, PortParams};
use crate::units::{Frames, Millis};

/// Sound is taken from the connection this often.
const PERIOD: Millis = Millis(20);

/// Words of the peer that wait to be taken; with more the connection is not read.
const WORDS_MAX: usize = 64;

/// Places among them that are kept for what this side has to say.
const WORDS_OWN: usize = 8;

/// How long a converter may take to be made. The connection is not read meanwhile.
const CONVERTER_WITHIN: Duration = Duration::from_secs(5);

/// One line.
pub(super) struct AudioSocketPort {
    /// There is one until the port is dropped.
    desk: Option<Desk>,
    home: Home,
    clock: Arc<dyn Clock>,
    params: PortParams,
    inlet: Inlet,
    outlet: Outlet,
    events: Events,
    peer: Option<Box<Connection>>,
    /// Since when a rate has been asked for and no converter has come.
    waits: Option<Duration>,
    /// What the listener has had no room for.
    owed: heapless::Deque<Word, 4>,
    /// No connection is taken before this.
    rests_until: Duration,
}

/// What the peer, and this side, have said.
struct Events(heapless::Deque<ChannelEvent, WORDS_MAX>);

impl Events {
    /// Adds something that there is always room for: [`WORDS_OWN`] places, of which a connection
    /// needs four at most (begun, early, late, over), and one is taken only when all are free.
    fn own(&mut self, event: ChannelEvent) {
        // What would not fit is a slip, which is counted once more or less.
        let _fits = self.0.push_back(event);
    }

    fn has_room(&self) -> bool {
        self.0.len() + WORDS_OWN < WORDS_MAX
    }
}

/// Sound and words of a connection.
struct Both<'a> {
    inlet: &'a mut Inlet,
    events: &'a mut Events,
}

impl Sink for Both<'_> {
    fn has_room(&self) -> bool {
        self.events.has_room()
    }

    fn digit(&mut self, digit: char) {
        self.events.own(ChannelEvent::Digit(digit));
    }

    fn sample(&mut self, sample: i16) {
        self.inlet.push(sample);
    }
}

impl AudioSocketPort {
    pub(super) fn new(desk: Desk, home: Home, format: StreamFormat, clock: Arc<dyn Clock>) -> Self {
        let now = clock.monotonic();
        let mut events = Events(heapless::Deque::new());
        events.own(ChannelEvent::Opened {
            kind: HookKind::Socket,
            off_hook: false,
            alarms: 0,
        });
        let mut port = Self {
            params: PortParams {
                format,
                period: format.rate.frames_in(PERIOD),
                buffer: format.rate.frames_in(BUFFER),
                pacing: Pacing::Device,
            },
            inlet: Inlet::new(format, now),
            outlet: Outlet::new(format, now),
            events,
            peer: None,
            waits: None,
            owed: heapless::Deque::new(),
            rests_until: now,
            clock,
            home,
            desk: None,
        };
        let seat = desk.seat;
        port.desk = Some(desk);
        port.say(Word::Free(seat));
        port
    }

    /// Tells the listener something; what it has no room for waits.
    fn say(&mut self, word: Word) {
        // Each connection owes four at most, and no other is taken while anything is owed.
        if let Err(word) = self.owed.push_back(word) {
            drop(word);
        }
        self.pay();
    }

    fn pay(&mut self) {
        let Some(desk) = &self.desk else { return };
        while let Some(word) = self.owed.pop_front() {
            match desk.words.try_send(word) {
                Ok(()) => desk.waker.wake(),
                Err(TrySendError::Full(word)) => {
                    let _fits = self.owed.push_front(word);
                    return;
                }
                // The listener has ended: this thread is about to end, too.
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }

    /// Looks after the connection: takes what came from it, lets it go.
    fn attend(&mut self, now: Duration) {
        self.pay();
        self.take_converter();
        let Some(peer) = &mut self.peer else { return };
        if let Some(since) = self.waits {
            if now >= since + CONVERTER_WITHIN {
                self.over(false, now);
            }
            return;
        }
        let mut both = Both {
            inlet: &mut self.inlet,
            events: &mut self.events,
        };
        let state = peer.receive(&mut both, now);
        if self.inlet.arrived(now) {
            self.events.own(ChannelEvent::ReadOverrun);
        }
        match state {
            State::Lives => {}
            State::Wants(rate) => {
                self.waits = Some(now);
                let seat = self.desk.as_ref().map_or(0, |desk| desk.seat);
                self.say(Word::Wants(seat, rate));
            }
            State::HungUp => self.over(true, now),
            State::Broken => self.over(false, now),
        }
    }

    fn welcome(&mut self, now: Duration) {
        let free = self.owed.is_empty() && self.events.has_room() && now >= self.rests_until;
        if free
            && let Some(peer) = self
                .desk
                .as_ref()
                .and_then(|desk| desk.offers.try_recv().ok())
        {
            let uuid = peer.uuid;
            self.peer = Some(peer);
            self.events.own(ChannelEvent::Connected { uuid });
        }
    }

    fn take_converter(&mut self) {
        let taken = |desk: &Desk| desk.converters.try_recv().ok();
        let Some(converter) = self.desk.as_ref().and_then(taken) else {
            return;
        };
        let used: Box<Converter> = match &mut self.peer {
            Some(peer) if self.waits.take().is_some() => peer.convert(converter),
            // It was made for a connection that is over.
            _ => converter,
        };
        self.say(Word::Used(used));
    }

    /// The connection is over.
    fn over(&mut self, orderly: bool, now: Duration) {
        let Some(mut peer) = self.peer.take() else {
            return;
        };
        peer.hang_up();
        self.events.own(ChannelEvent::Disconnected { orderly });
        self.rests_until = now + AUDIOSOCKET_REST;
        self.waits = None;
        let seat = self.desk.as_ref().map_or(0, |desk| desk.seat);
        self.say(Word::Over(seat, peer));
    }

    /// Sends what is due.
    fn pace(&mut self, now: Duration) {
        match self.outlet.pace(&mut self.peer, now) {
            Told::Nothing => {}
            Told::Late => self.events.own(ChannelEvent::WriteUnderrun),
            Told::Broken => self.over(false, now),
        }
    }
}

impl Drop for AudioSocketPort {
    fn drop(&mut self) {
        let now = self.clock.monotonic();
        self.over(true, now);
        let Some(desk) = self.desk.take() else { return };
        // Where the listener has no room, what is left is closed here.
        while let Some(word) = self.owed.pop_front() {
            let _told = desk.words.try_send(word);
        }
        let _told = desk.words.try_send(Word::Closed(desk.seat));
        desk.waker.wake();
        desk.rate.store(0, Ordering::Release);
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = Some(desk);
    }
}

impl ChannelPort for AudioSocketPort {
    fn params(&self) -> PortParams {
        self.params
    }

    fn poll_entries(&self, _out: &mut Vec<PollEntry>) {}

    fn capture(&mut self) -> &mut dyn CapturePort {
        self
    }

    fn playback(&mut self) -> Option<&mut dyn PlaybackPort> {
        Some(self)
    }

    /// Takes a connection too, so that it is told before its first sound is read.
    fn event(&mut self) -> Option<ChannelEvent> {
        if self.peer.is_none() && self.desk.is_some() {
            self.pay();
            let now = self.clock.monotonic();
            self.welcome(now);
        }
        self.events.0.pop_front()
    }

    /// Hanging up ends the connection. All else has no meaning here, and is done at once.
    fn order(&mut self, order: &ChannelOrder) -> Result<(), i32> {
        if *order == ChannelOrder::OnHook {
            let now = self.clock.monotonic();
            self.over(true, now);
        }
        Ok(())
    }
}

impl CapturePort for AudioSocketPort {
    fn params(&self) -> PortParams {
        self.params
    }

    fn poll_entries(&self, _out: &mut Vec<PollEntry>) {}

    fn read(&mut self, buffer: &mut [u8]) -> Captured {
        let now = self.clock.monotonic();
        self.attend(now);
        match self.inlet.read(buffer, now) {
            Frames::ZERO => Captured::Idle,
            frames => Captured::Frames(frames),
        }
    }

    fn restart(&mut self) -> Result<(), i32> {
        Ok(())
    }
}

impl PlaybackPort for AudioSocketPort {
    fn params(&self) -> PortParams {
        self.params
    }

    fn poll_entries(&self, _out: &mut Vec<PollEntry>) {}

    fn write(&mut self, buffer: &[u8]) -> Played {
        let now = self.clock.monotonic();
        self.pace(now);
        if self.outlet.ran_dry() && self.peer.is_some() {
            return Played::Underrun;
        }
        let taken = self.outlet.write(buffer);
        self.pace(now);
        match taken {
            Frames::ZERO => Played::Full,
            taken => Played::Frames(taken),
        }
    }

    fn delay(&mut self) -> Frames {
        let now = self.clock.monotonic();
        self.pace(now);
        self.outlet.queued()
    }

    fn discard(&mut self) -> Result<(), i32> {
        Ok(())
    }
}
