//! A line's place at a listener: what the two threads hand to each other.
//!
//! ```text
//!                   Connection, Converter
//!   listener ────────────────────────────▶ port (real-time thread)
//!    thread  ◀────────────────────────────
//!                   Word: free, wants a rate, connection that is over
//! ```

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

use super::connection::Connection;
use super::converter::Converter;
use super::frame::SlinRate;
use super::port::AudioSocketPort;
use crate::channel::ChannelPort;
use crate::clock::Clock;
use crate::format::{Channels, StreamFormat};
use crate::port::{OpenError, PortOpener};
use crate::rt::Waker;
use crate::units::SampleRate;

/// A line's place at a listener.
pub struct Seat {
    pub(super) desk: Desk,
    pub(super) listen: String,
    pub(super) clock: Arc<dyn Clock>,
}

/// What the port of a seat has of it. It goes back when the port is closed.
pub(super) struct Desk {
    /// Which of the listener's seats it is.
    pub(super) seat: usize,
    pub(super) offers: Receiver<Box<Connection>>,
    pub(super) converters: Receiver<Box<Converter>>,
    pub(super) words: SyncSender<Word>,
    pub(super) waker: Waker,
    /// The line's rate, for the listener.
    pub(super) rate: Arc<AtomicU32>,
}

/// What a port tells the listener.
pub(super) enum Word {
    /// The seat's line is there: it may be given a connection.
    Free(usize),
    /// Its line is not there any more.
    Closed(usize),
    /// Its connection is over.
    Over(usize, Box<Connection>),
    /// Its peer speaks this rate.
    Wants(usize, SlinRate),
    /// A converter that nobody needs any more: the real-time thread frees nothing.
    Used(Box<Converter>),
}

impl Seat {
    /// What opens the line of this seat: always at once, connected or not. Without a connection
    /// it is a line with silence on it.
    #[must_use]
    pub fn opener(self, format: StreamFormat) -> Box<dyn PortOpener<dyn ChannelPort>> {
        Box::new(SeatOpener {
            desk: Arc::new(Mutex::new(Some(self.desk))),
            listen: self.listen,
            clock: self.clock,
            format,
        })
    }
}

/// Where a port finds its desk, and puts it back.
pub(super) type Home = Arc<Mutex<Option<Desk>>>;

struct SeatOpener {
    desk: Home,
    listen: String,
    clock: Arc<dyn Clock>,
    format: StreamFormat,
}

impl PortOpener<dyn ChannelPort> for SeatOpener {
    fn open(&mut self) -> Result<Box<dyn ChannelPort>, OpenError> {
        let StreamFormat { rate, channels, .. } = self.format;
        let device = || format!("the AudioSocket at {}", self.listen);
        if channels != Channels::Mono || SlinRate::of_hertz(rate.hertz()).is_none() {
            let rates = "8000, 12000, 16000, 24000, 32000, 44100 or 48000 Hz";
            return Err(OpenError::Unsupported {
                device: device(),
                what: format!("{}; a line of it is mono, with {rates}", self.format),
            });
        }
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(taken) = desk.take() else {
            return Err(OpenError::Device {
                device: device(),
                errno: libc::EBUSY,
                said: "the port before has not been closed yet".into(),
            });
        };
        drop(desk);
        taken.rate.store(rate.hertz(), Ordering::Release);
        let home = Arc::clone(&self.desk);
        let clock = Arc::clone(&self.clock);
        Ok(Box::new(AudioSocketPort::new(
            taken,
            home,
            self.format,
            clock,
        )))
    }
}

/// The rate that a seat's line has, for its listener.
pub(super) fn line_rate(rate: &AtomicU32) -> SampleRate {
    SampleRate::new(rate.load(Ordering::Acquire)).unwrap_or(SampleRate::TELEPHONE)
}
