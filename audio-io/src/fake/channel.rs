//! A scripted telephone channel: a scripted line, a scripted loudspeaker, and signals beside them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Act, FakeLine, FakeSpeaker, Signal};
use crate::channel::{ChannelEvent, ChannelOrder, ChannelPort, HookKind};
use crate::clock::Clock;
use crate::format::StreamFormat;
use crate::port::{CapturePort, OpenError, PlaybackPort, PollEntry, PortOpener, PortParams};
use crate::units::Millis;

/// A scripted channel. Clones are the same one.
#[derive(Clone)]
pub struct FakeChannel {
    line: FakeLine,
    speaker: FakeSpeaker,
    clock: Arc<dyn Clock>,
    kind: HookKind,
    /// Whether anything can be played to it.
    plays: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What it signals, and from when on.
    signals: VecDeque<(Duration, ChannelEvent)>,
    orders: Vec<ChannelOrder>,
    /// Orders are answered with this error number.
    refusing: Option<i32>,
    off_hook: bool,
}

impl FakeChannel {
    /// A channel that is there; its sound is that of a [`FakeLine`] with the same script.
    #[must_use]
    pub fn new(
        clock: Arc<dyn Clock>,
        format: StreamFormat,
        (period, buffer): (Millis, Millis),
        signal: Signal,
        script: impl IntoIterator<Item = Act>,
    ) -> Self {
        Self {
            line: FakeLine::new(Arc::clone(&clock), format, period, buffer, signal, script),
            speaker: FakeSpeaker::new(Arc::clone(&clock), format, period, buffer),
            clock,
            kind: HookKind::Fxo,
            plays: true,
            state: Arc::default(),
        }
    }

    /// The same channel, signalling another way.
    #[must_use]
    pub const fn kind(mut self, kind: HookKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same channel, as a tap: nothing can be played to it.
    #[must_use]
    pub const fn deaf(mut self) -> Self {
        self.plays = false;
        self
    }

    /// Opens the channel.
    #[must_use]
    pub fn opener(&self) -> Box<dyn PortOpener<dyn ChannelPort>> {
        Box::new(self.clone())
    }

    /// Signals something now.
    pub fn tell(&self, event: ChannelEvent) {
        self.tell_after(Millis::ZERO, event);
    }

    /// Signals something later; what is signalled after it waits for it.
    pub fn tell_after(&self, wait: Millis, event: ChannelEvent) {
        let at = self.clock.monotonic() + Duration::from(wait);
        self.lock().signals.push_back((at, event));
    }

    /// From now on every order fails with this error number, or none does.
    pub fn refuse(&self, errno: Option<i32>) {
        self.lock().refusing = errno;
    }

    /// Whether the far end is said to be off hook when it is opened.
    pub fn hook(&self, off_hook: bool) {
        self.lock().off_hook = off_hook;
    }

    /// Takes it away; so many attempts to open it fail before it is back. What it had not
    /// signalled yet is lost.
    pub fn unplug(&self, errno: i32, refuse: u32) {
        self.lock().signals.clear();
        self.line
            .act([Act::Unplug(errno), Act::Refuse(refuse, errno)]);
    }

    /// Its line, to script its sound.
    #[must_use]
    pub const fn line(&self) -> &FakeLine {
        &self.line
    }

    /// Its loudspeaker, to script and hear it.
    #[must_use]
    pub const fn speaker(&self) -> &FakeSpeaker {
        &self.speaker
    }

    /// All orders it was given, refused ones too.
    #[must_use]
    pub fn orders(&self) -> Vec<ChannelOrder> {
        self.lock().orders.clone()
    }

    /// Signals that nobody has taken yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().signals.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PortOpener<dyn ChannelPort> for FakeChannel {
    fn open(&mut self) -> Result<Box<dyn ChannelPort>, OpenError> {
        let capture = self.line.opener().open()?;
        let playback = if self.plays {
            Some(self.speaker.opener().open()?)
        } else {
            None
        };
        let opened = ChannelEvent::Opened {
            kind: self.kind,
            off_hook: self.lock().off_hook,
            alarms: 0,
        };
        Ok(Box::new(FakePort {
            channel: self.clone(),
            capture,
            playback,
            opened: Some(opened),
        }))
    }
}

struct FakePort {
    channel: FakeChannel,
    capture: Box<dyn CapturePort>,
    playback: Option<Box<dyn PlaybackPort>>,
    opened: Option<ChannelEvent>,
}

impl ChannelPort for FakePort {
    fn params(&self) -> PortParams {
        self.capture.params()
    }

    fn poll_entries(&self, _out: &mut Vec<PollEntry>) {}

    fn capture(&mut self) -> &mut dyn CapturePort {
        self.capture.as_mut()
    }

    fn playback(&mut self) -> Option<&mut dyn PlaybackPort> {
        match &mut self.playback {
            Some(port) => Some(port.as_mut()),
            None => None,
        }
    }

    fn event(&mut self) -> Option<ChannelEvent> {
        if let Some(opened) = self.opened.take() {
            return Some(opened);
        }
        let now = self.channel.clock.monotonic();
        let mut state = self.channel.lock();
        match state.signals.front() {
            Some((at, _)) if *at <= now => state.signals.pop_front().map(|(_, event)| event),
            _ => None,
        }
    }

    fn order(&mut self, order: &ChannelOrder) -> Result<(), i32> {
        let mut state = self.channel.lock();
        state.orders.push(order.clone());
        state.refusing.map_or(Ok(()), Err)
    }
}
