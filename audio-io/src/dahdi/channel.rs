//! A channel that is ours: sound both ways in lock-step, its signals, its orders.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use heapless::Deque;

use super::abi;
use super::blocks::Blocks;
use super::device::{Channel, Hook};
use super::event::{Meaning, meaning};
use super::lockstep::Lockstep;
use super::opening::{ChannelOptions, Opener, has_hook};
use super::reader::{Reader, Then};
use crate::block::GapCause;
use crate::channel::{ChannelEvent, ChannelOrder, ChannelPort, HookKind};
use crate::codec::g711::convert;
use crate::format::Encoding;
use crate::port::{CapturePort, Captured, PlaybackPort, Played, PollEntry, PortOpener, PortParams};
use crate::units::Frames;

/// An open channel.
pub struct DahdiChannel {
    pub(super) channel: Arc<Channel>,
    pub(super) kind: HookKind,
    pub(super) echo_taps: u32,
    pub(super) params: PortParams,
    pub(super) blocks: Blocks,
    pub(super) wire: Encoding,
    pub(super) reader: Reader,
    pub(super) loss: Loss,
    pub(super) lockstep: Lockstep,
    /// The block that is being filled, in the wire's encoding.
    pub(super) staged: Box<[u8]>,
    pub(super) staged_bytes: usize,
    pub(super) generates: Generates,
    /// Frames read since the driver was asked whether it still dials.
    pub(super) since_asked: Frames,
    /// Signals of our own that come before the driver's.
    pub(super) first: Deque<ChannelEvent, 4>,
    pub(super) events_wait: bool,
    pub(super) gone: Option<i32>,
    pub(super) gone_told: bool,
}

/// Whether sound was lost that has not been told as a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    No,
    /// Behind what the driver still holds.
    Behind,
    /// Before the next block.
    Here,
}

/// Whether the driver makes sound itself. It stops when it is given ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generates {
    No,
    Digits,
    Tone,
}

impl DahdiChannel {
    /// Opens a channel, again and again if it must.
    #[must_use]
    pub fn opener(options: ChannelOptions) -> Box<dyn PortOpener<dyn ChannelPort>> {
        Self::opener_with_probe(options).0
    }

    /// The same, with a way to see the line's voltage while it is open.
    #[must_use]
    pub fn opener_with_probe(
        options: ChannelOptions,
    ) -> (Box<dyn PortOpener<dyn ChannelPort>>, VoltageProbe) {
        let probe = VoltageProbe::default();
        let opener = Opener {
            options,
            probe: probe.clone(),
        };
        (Box::new(opener), probe)
    }

    fn width(&self) -> usize {
        self.wire.sample_bytes()
    }

    /// Writes the staged block if it is whole. Says why not with an error number.
    fn push(&mut self) -> Result<(), i32> {
        if self.staged_bytes < self.staged.len() || !self.lockstep.may_write() {
            return Ok(());
        }
        if self.generates != Generates::No {
            // Given to the driver it would end what the driver is saying.
            self.lockstep.wrote(self.blocks.block());
            self.staged_bytes = 0;
            return Ok(());
        }
        match self.channel.write(&self.staged) {
            Ok(bytes) => {
                let bytes = bytes.min(self.staged_bytes);
                self.lockstep.wrote(Frames((bytes / self.width()) as u64));
                self.staged.copy_within(bytes..self.staged_bytes, 0);
                self.staged_bytes -= bytes;
                Ok(())
            }
            Err(abi::ELAST) => {
                self.events_wait = true;
                Ok(())
            }
            Err(libc::EAGAIN | libc::EINTR) => Ok(()),
            Err(errno) => {
                self.gone = Some(errno);
                Err(errno)
            }
        }
    }

    /// The driver makes sound from now on, or does not any more.
    fn generate(&mut self, what: Generates) {
        if self.generates != Generates::No && what == Generates::No {
            // What was counted as waiting was not given to it.
            self.lockstep.stop();
            self.staged_bytes = 0;
        }
        self.generates = what;
        self.since_asked = Frames::ZERO;
    }

    /// Looks, now and then, whether dialling is over: the event that says so may be lost in a
    /// storm of others.
    fn ask_whether_it_dials(&mut self, frames: Frames) {
        if self.generates != Generates::Digits {
            return;
        }
        self.since_asked += frames;
        if self.since_asked < ASK_EVERY {
            return;
        }
        self.since_asked = Frames::ZERO;
        if self.channel.is_dialling() == Ok(false) {
            self.generate(Generates::No);
        }
    }

    /// A hook that was ordered to move: it ends what the driver says, and hanging up throws away
    /// what waits in the driver.
    fn hook(&mut self, hook: Hook) -> Result<(), i32> {
        self.channel.hook(hook)?;
        self.generate(Generates::No);
        if hook == Hook::On {
            self.lockstep.stop();
            self.staged_bytes = 0;
        }
        Ok(())
    }

    /// What a signal changes here; says whether it is told.
    fn note(&mut self, event: ChannelEvent) -> bool {
        match event {
            ChannelEvent::DialComplete => self.generate(Generates::No),
            ChannelEvent::ReadOverrun => self.loss = Loss::Behind,
            ChannelEvent::WriteUnderrun => {
                if !self.lockstep.is_running() || self.generates != Generates::No {
                    // There was nothing to play.
                    return false;
                }
                // How much silence it sent instead is not known: start anew.
                let _thrown_away = self.channel.flush(abi::FLUSH_WRITE);
                self.lockstep.stop();
            }
            _ => {}
        }
        true
    }

    /// Says once that the channel is gone.
    fn told_gone(&mut self) -> Option<ChannelEvent> {
        let errno = self.gone?;
        let told = std::mem::replace(&mut self.gone_told, true);
        (!told).then_some(ChannelEvent::Gone { errno })
    }
}

impl ChannelPort for DahdiChannel {
    fn params(&self) -> PortParams {
        self.params
    }

    fn poll_entries(&self, out: &mut Vec<PollEntry>) {
        out.push(PollEntry {
            fd: self.channel.raw_fd(),
            events: libc::POLLIN | libc::POLLPRI,
        });
    }

    fn ready(&mut self, revents: &[i16]) -> i16 {
        let all = revents.iter().fold(0, |all, one| all | one);
        let broken = libc::POLLERR | libc::POLLHUP | libc::POLLNVAL;
        if all & (libc::POLLPRI | broken) != 0 {
            self.events_wait = true;
        }
        all
    }

    fn capture(&mut self) -> &mut dyn CapturePort {
        self
    }

    fn playback(&mut self) -> Option<&mut dyn PlaybackPort> {
        Some(self)
    }

    fn event(&mut self) -> Option<ChannelEvent> {
        if let Some(event) = self.first.pop_front() {
            return Some(event);
        }
        if self.gone.is_some() {
            return self.told_gone();
        }
        if !self.events_wait {
            return None;
        }
        for _ in 0..abi::MAX_EVENTSIZE {
            let meant = match self.channel.event() {
                Ok(event) => meaning(event, self.kind),
                Err(libc::EINTR) => continue,
                Err(errno) => {
                    self.gone = Some(errno);
                    return self.told_gone();
                }
            };
            let event = match meant {
                Meaning::Nothing => {
                    self.events_wait = false;
                    return None;
                }
                Meaning::Skip => continue,
                Meaning::Removed => {
                    self.gone = Some(libc::ENODEV);
                    return self.told_gone();
                }
                Meaning::Alarm => ChannelEvent::Alarm {
                    alarms: self.channel.alarms().unwrap_or_default(),
                },
                Meaning::Bits => ChannelEvent::Bits(self.channel.bits().unwrap_or_default()),
                Meaning::Tell(event) => event,
            };
            if self.note(event) {
                return Some(event);
            }
        }
        None
    }

    fn order(&mut self, order: &ChannelOrder) -> Result<(), i32> {
        if let Some(errno) = self.gone {
            return Err(errno);
        }
        match order {
            ChannelOrder::OffHook => self.hook(Hook::Off),
            ChannelOrder::OnHook => self.hook(Hook::On),
            ChannelOrder::Flash => self.hook(Hook::Flash),
            ChannelOrder::Wink => self.hook(Hook::Wink),
            ChannelOrder::Ring => self.hook(Hook::Ring),
            ChannelOrder::RingOff => self.hook(Hook::RingOff),
            ChannelOrder::Dial(number) => {
                self.channel.dial(number)?;
                self.generate(Generates::Digits);
                Ok(())
            }
            ChannelOrder::StopDial => {
                self.channel.stop_dialling()?;
                self.generate(Generates::No);
                Ok(())
            }
            ChannelOrder::EchoCancel(cancel) => {
                let taps = if *cancel { self.echo_taps } else { 0 };
                self.channel.cancel_echo(taps)
            }
            ChannelOrder::Tone(tone) => {
                self.channel.send_tone(*tone)?;
                self.generate(if *tone < 0 {
                    Generates::No
                } else {
                    Generates::Tone
                });
                Ok(())
            }
        }
    }
}

impl CapturePort for DahdiChannel {
    fn params(&self) -> PortParams {
        self.params
    }

    fn poll_entries(&self, out: &mut Vec<PollEntry>) {
        ChannelPort::poll_entries(self, out);
    }

    fn read(&mut self, buffer: &mut [u8]) -> Captured {
        if let Some(errno) = self.gone {
            return Captured::Gone(errno);
        }
        if self.loss == Loss::Here {
            self.loss = Loss::No;
            return Captured::Lost(GapCause::Overrun);
        }
        let look = self.reader.read(&self.channel, buffer);
        match look.then {
            Then::Empty if self.loss == Loss::Behind => self.loss = Loss::Here,
            Then::Empty | Then::Full => {}
            Then::Event => self.events_wait = true,
            Then::Failed(errno) => self.gone = Some(errno),
        }
        if look.frames > Frames::ZERO {
            self.lockstep.read(look.frames);
            self.ask_whether_it_dials(look.frames);
            return Captured::Frames(look.frames);
        }
        match (self.gone, self.loss) {
            (Some(errno), _) => Captured::Gone(errno),
            (None, Loss::Here) => {
                self.loss = Loss::No;
                Captured::Lost(GapCause::Overrun)
            }
            (None, _) => Captured::Idle,
        }
    }

    fn restart(&mut self) -> Result<(), i32> {
        self.reader.clear();
        self.loss = Loss::No;
        self.lockstep.stop();
        self.staged_bytes = 0;
        self.channel.flush(abi::FLUSH_READ | abi::FLUSH_WRITE)
    }
}

impl PlaybackPort for DahdiChannel {
    fn params(&self) -> PortParams {
        PortParams {
            buffer: self.blocks.to_play(),
            ..self.params
        }
    }

    /// None: what there is room for is known from what is read.
    fn poll_entries(&self, _out: &mut Vec<PollEntry>) {}

    fn write(&mut self, buffer: &[u8]) -> Played {
        if let Some(errno) = self.gone {
            return Played::Gone(errno);
        }
        if self.lockstep.take_dry() {
            return Played::Underrun;
        }
        let given = self.params.format.encoding;
        let (from_width, to_width) = (given.sample_bytes(), self.width());
        let mut frames = 0;
        while self.lockstep.may_write() {
            if let Err(errno) = self.push() {
                return Played::Gone(errno);
            }
            let place = &mut self.staged[self.staged_bytes..];
            let made = convert(&buffer[frames * from_width..], given, place, self.wire);
            if made == 0 {
                break;
            }
            self.staged_bytes += made;
            frames += made / to_width;
        }
        if frames == 0 {
            Played::Full
        } else {
            Played::Frames(Frames(frames as u64))
        }
    }

    fn delay(&mut self) -> Frames {
        // Whoever plays asks once a turn, at its end. A failure is told by the next write.
        let _told_later = self.push();
        self.lockstep.turn_over();
        self.queued()
    }

    fn queued(&mut self) -> Frames {
        self.lockstep.queued() + Frames((self.staged_bytes / self.width()) as u64)
    }

    fn discard(&mut self) -> Result<(), i32> {
        self.lockstep.stop();
        self.staged_bytes = 0;
        self.channel.flush(abi::FLUSH_WRITE)
    }
}

impl Drop for DahdiChannel {
    /// A line is not left seized.
    fn drop(&mut self) {
        if has_hook(self.kind) && self.gone.is_none() {
            // Closing the file hangs up as well; should this fail, there is no more to be done.
            let _hung_up = self.channel.hook(Hook::On);
        }
    }
}

/// Shows the voltage of an analogue line while its channel is open, to any thread.
#[derive(Clone, Debug, Default)]
pub struct VoltageProbe(pub(super) Arc<Mutex<Weak<Channel>>>);

impl VoltageProbe {
    /// Millivolts between the wires; `None` while the channel is not open.
    ///
    /// # Errors
    /// The error number; `ENOTTY` or `EINVAL` for cards that do not measure it.
    pub fn millivolts(&self) -> Result<Option<i32>, i32> {
        let channel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Should the port be dropped meanwhile, the file is closed at the end of this.
        let Some(channel) = channel.upgrade() else {
            return Ok(None);
        };
        channel.millivolts().map(Some)
    }
}

/// How much is read between two questions whether the driver still dials.
const ASK_EVERY: Frames = Frames(1_600);
