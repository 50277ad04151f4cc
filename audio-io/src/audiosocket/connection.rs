//! One call's connection, on the real-time side: bytes in, bytes out, and whether it still lives.
//! It is made, and closed, on the listener's thread.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::time::Duration;

use super::converter::Converter;
use super::frame::{self, Decoder, Heard, SOUND_FRAME_BYTES_MAX, SlinRate};
use crate::limits::{AUDIOSOCKET_READ_BYTES, AUDIOSOCKET_SILENT_MAX, READS_PER_TURN_MAX};

/// A connection whose call is known.
pub(super) struct Connection {
    socket: TcpStream,
    /// The call's name.
    pub(super) uuid: [u8; 16],
    decoder: Decoder,
    input: Box<[u8; AUDIOSOCKET_READ_BYTES]>,
    /// What of the input has not been looked at.
    unread: Range<usize>,
    output: Box<[u8; SOUND_FRAME_BYTES_MAX]>,
    /// What of the last frame has not been sent.
    unsent: Range<usize>,
    converter: Box<Converter>,
    /// When anything came last; unknown before the first look.
    heard_at: Option<Duration>,
}

/// What the sound and the words of a connection go to.
pub(super) trait Sink {
    /// Whether another word can be taken.
    fn has_room(&self) -> bool;
    /// A key.
    fn digit(&mut self, digit: char);
    /// A sample at the line's rate.
    fn sample(&mut self, sample: i16);
}

/// How a turn with a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It goes on.
    Lives,
    /// The peer speaks this rate now; it goes on when there is a converter for it.
    Wants(SlinRate),
    /// The peer hung up, or closed between two frames.
    HungUp,
    /// It broke, said that it failed, or did not keep to the protocol.
    Broken,
}

/// What became of a frame of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is on its way.
    Gone,
    /// There is no whole frame yet.
    NotYet,
    /// The peer does not read, so it was dropped.
    Late,
    /// The connection broke.
    Broken,
}

impl Connection {
    /// Takes a socket, which must not block.
    pub(super) fn new(socket: TcpStream, uuid: [u8; 16], converter: Box<Converter>) -> Self {
        Self {
            socket,
            uuid,
            decoder: Decoder::default(),
            input: Box::new([0; AUDIOSOCKET_READ_BYTES]),
            unread: 0..0,
            output: Box::new([0; SOUND_FRAME_BYTES_MAX]),
            unsent: 0..0,
            converter,
            heard_at: None,
        }
    }

    /// Takes another converter; gives the one before.
    pub(super) fn convert(&mut self, converter: Box<Converter>) -> Box<Converter> {
        std::mem::replace(&mut self.converter, converter)
    }

    /// Takes what has come.
    pub(super) fn receive(&mut self, sink: &mut impl Sink, now: Duration) -> State {
        let heard_at = *self.heard_at.get_or_insert(now);
        for _ in 0..READS_PER_TURN_MAX {
            match self.decode(sink) {
                Ok(true) => {}
                Ok(false) => return State::Lives,
                Err(state) => return state,
            }
            match self.socket.read(&mut self.input[..]) {
                Ok(0) if self.decoder.is_amid() => return State::Broken,
                Ok(0) => return State::HungUp,
                Ok(count) => {
                    self.unread = 0..count;
                    self.heard_at = Some(now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if now.saturating_sub(heard_at) >= AUDIOSOCKET_SILENT_MAX {
                        return State::Broken;
                    }
                    return State::Lives;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return State::Broken,
            }
        }
        self.decode(sink).err().unwrap_or(State::Lives)
    }

    /// Works off the input. Says false if the sink has no room, and how the turn ends if it does.
    fn decode(&mut self, sink: &mut impl Sink) -> Result<bool, State> {
        let Self {
            decoder,
            input,
            unread,
            converter,
            ..
        } = self;
        let mut bytes = &input[unread.clone()];
        while !bytes.is_empty() {
            if !sink.has_room() {
                return Ok(false);
            }
            let before = decoder.clone();
            let heard = decoder.next(&mut bytes);
            if let Some(Heard::Sound { rate, .. }) = heard
                && rate != converter.rate
            {
                *decoder = before;
                return Err(State::Wants(rate));
            }
            unread.start = unread.end - bytes.len();
            match heard {
                Some(Heard::Sound { split, whole, .. }) => {
                    let split = split.as_ref().map_or(&[][..], |pair| &pair[..]);
                    for pair in split.chunks_exact(2).chain(whole.chunks_exact(2)) {
                        let sample = i16::from_le_bytes([pair[0], pair[1]]);
                        let out = &mut |sample| sink.sample(sample);
                        converter.inward.push(sample, out);
                    }
                }
                Some(Heard::Digit(digit)) => sink.digit(digit),
                Some(Heard::HangUp) => return Err(State::HungUp),
                Some(Heard::Error(_) | Heard::Wrong) => return Err(State::Broken),
                // That it says its name again changes nothing.
                Some(Heard::Uuid(_)) | None => {}
            }
        }
        Ok(true)
    }

    /// Sends 20 ms of sound at the line's rate.
    pub(super) fn send(&mut self, samples: impl Iterator<Item = i16>) -> Sent {
        let flushed = self.flush();
        let rate = self.converter.rate;
        let Some(frame) = self.converter.outward(samples) else {
            return Sent::NotYet;
        };
        match flushed {
            Ok(true) => {}
            Ok(false) => return Sent::Late,
            Err(()) => return Sent::Broken,
        }
        let length = frame::sound(rate, frame, &mut self.output[..]);
        self.unsent = 0..length;
        match self.flush() {
            Ok(_) if self.unsent.start == 0 => {
                // Not a byte went: better none of it than all of it late.
                self.unsent = 0..0;
                Sent::Late
            }
            Ok(_) => Sent::Gone,
            Err(()) => Sent::Broken,
        }
    }

    /// Tells the peer that the call is over, and that nothing more will come.
    pub(super) fn hang_up(&mut self) {
        // In the middle of a frame the end of the connection says it as well, as it does where
        // the peer does not read.
        if self.flush() == Ok(true) {
            let _told = self.socket.write(&frame::hang_up());
        }
        let _closed = self.socket.shutdown(Shutdown::Write);
    }

    /// The socket, to be closed in time.
    pub(super) fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// Sends the rest of the last frame; says whether that was all.
    fn flush(&mut self) -> Result<bool, ()> {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.output[self.unsent.clone()]) {
                Ok(0) => return Err(()),
                Ok(count) => self.unsent.start += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(()),
            }
        }
        Ok(true)
    }
}
