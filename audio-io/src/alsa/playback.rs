//! Sound to an ALSA PCM.

use alsa::{Direction, PCM, PollDescriptors};
use libc::pollfd;

use super::params::{Opened, Wish};
use super::{Fault, errno_of};
use crate::codec::g711::convert;
use crate::format::{Encoding, StreamFormat};
use crate::limits::READ_BYTES;
use crate::port::{OpenError, Pacing, PlaybackPort, Played, PollEntry, PortOpener, PortParams};
use crate::units::{Frames, Millis};

/// An open PCM that sound goes to. It starts by itself when half its buffer is full.
pub struct AlsaPlayback {
    pcm: PCM,
    params: PortParams,
    /// The encoding the device uses; converted where the given one differs.
    encoding: Encoding,
    /// Where converted sound waits to be taken; empty where there is no conversion.
    raw: Box<[u8]>,
    /// The device's descriptors, with the events of the last poll.
    polled: Vec<pollfd>,
}

impl AlsaPlayback {
    /// Opens `device` in this format, waking up about every `period`, with about `buffer` of room.
    #[must_use]
    pub fn opener(
        device: &str,
        format: StreamFormat,
        period: Millis,
        buffer: Millis,
    ) -> Box<dyn PortOpener<dyn PlaybackPort>> {
        Box::new(Opener(Wish {
            device: device.into(),
            format,
            period,
            buffer,
        }))
    }

    fn prepared(&self) -> Played {
        match self.pcm.prepare() {
            Ok(()) => Played::Underrun,
            Err(error) => Played::Gone(errno_of(&error)),
        }
    }

    fn fault(&self, error: &alsa::Error) -> Played {
        match Fault::from(error) {
            Fault::Wait => Played::Full,
            Fault::Xrun => self.prepared(),
            Fault::Suspended => match self.pcm.resume() {
                Ok(()) => Played::Underrun,
                Err(error) if errno_of(&error) == libc::EAGAIN => Played::Full,
                Err(_) => self.prepared(),
            },
            Fault::Gone(errno) => Played::Gone(errno),
        }
    }
}

impl PlaybackPort for AlsaPlayback {
    fn params(&self) -> PortParams {
        self.params
    }

    fn poll_entries(&self, out: &mut Vec<PollEntry>) {
        out.extend(self.polled.iter().map(|one| PollEntry {
            fd: one.fd,
            events: one.events,
        }));
    }

    fn write(&mut self, buffer: &[u8]) -> Played {
        let frame_bytes = self.params.format.frame_bytes();
        let device_frame_bytes = self.encoding.sample_bytes() * self.params.format.channels.count();
        let direct = self.raw.is_empty();
        let room = if direct {
            usize::MAX
        } else {
            self.raw.len() / device_frame_bytes
        };
        let frames = room.min(buffer.len() / frame_bytes);
        if frames == 0 {
            return Played::Full;
        }
        let source = if direct {
            &buffer[..frames * frame_bytes]
        } else {
            let given = &buffer[..frames * frame_bytes];
            let made = convert(
                given,
                self.params.format.encoding,
                &mut self.raw,
                self.encoding,
            );
            &self.raw[..made]
        };
        match self.pcm.io_bytes().writei(source) {
            Ok(0) => Played::Full,
            Ok(taken) => Played::Frames(Frames(taken.min(frames) as u64)),
            Err(error) => self.fault(&error),
        }
    }

    fn delay(&mut self) -> Frames {
        let frames = self.pcm.delay().unwrap_or_default();
        Frames(u64::try_from(frames).unwrap_or_default())
    }

    fn queued(&mut self) -> Frames {
        // After an error there is nothing in it; the next write finds out which error it was.
        let Ok(room) = self.pcm.avail() else {
            return Frames::ZERO;
        };
        self.params
            .buffer
            .saturating_sub(Frames(u64::try_from(room).unwrap_or_default()))
    }

    fn discard(&mut self) -> Result<(), i32> {
        let _stopped = self.pcm.drop();
        self.pcm.prepare().map_err(|error| errno_of(&error))
    }
}

struct Opener(Wish);

impl PortOpener<dyn PlaybackPort> for Opener {
    fn open(&mut self) -> Result<Box<dyn PlaybackPort>, OpenError> {
        let Opened {
            pcm,
            params,
            encoding,
            ..
        } = self.0.open(Direction::Playback)?;
        let polled = match params.pacing {
            Pacing::Device => pcm
                .get()
                .map_err(|error| self.0.device_error(errno_of(&error), String::new()))?,
            Pacing::Clock => Vec::new(),
        };
        let raw = if encoding == params.format.encoding {
            Box::default()
        } else {
            vec![0; READ_BYTES].into_boxed_slice()
        };
        Ok(Box::new(AlsaPlayback {
            pcm,
            params,
            encoding,
            raw,
            polled,
        }))
    }
}
