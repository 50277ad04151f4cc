//! Sound from an ALSA PCM.

use alsa::{Direction, PCM, PollDescriptors};
use libc::pollfd;

use super::params::{Opened, Wish};
use super::quiet::Listening;
use super::{Fault, errno_of};
use crate::block::GapCause;
use crate::codec::g711::convert;
use crate::format::{Encoding, StreamFormat};
use crate::limits::READ_BYTES;
use crate::port::{CapturePort, Captured, OpenError, Pacing, PollEntry, PortOpener, PortParams};
use crate::units::{Frames, Millis};

/// An open PCM that sound comes from.
pub struct AlsaCapture {
    pcm: PCM,
    params: PortParams,
    /// The encoding the device uses; converted where the wanted one differs.
    encoding: Encoding,
    /// Where sound waits for its conversion; empty where there is none.
    raw: Box<[u8]>,
    /// The device's descriptors, with the events of the last poll.
    polled: Vec<pollfd>,
    /// Whether a restart takes no longer than a system call.
    restarts_at_once: bool,
}

impl AlsaCapture {
    /// Opens `device` in this format, waking up about every `period`, with about `buffer` of room.
    #[must_use]
    pub fn opener(
        device: &str,
        format: StreamFormat,
        period: Millis,
        buffer: Millis,
    ) -> Box<dyn PortOpener<dyn CapturePort>> {
        Box::new(Opener(Wish {
            device: device.into(),
            format,
            period,
            buffer,
        }))
    }

    /// Starts it, after whatever stopped it.
    fn start_anew(&self) -> Result<(), i32> {
        self.pcm.prepare().map_err(|error| errno_of(&error))?;
        self.pcm.start().map_err(|error| errno_of(&error))
    }

    fn recovered(&self, cause: GapCause) -> Captured {
        match self.start_anew() {
            Ok(()) => Captured::Lost(cause),
            Err(errno) => Captured::Gone(errno),
        }
    }

    fn fault(&self, error: &alsa::Error) -> Captured {
        match Fault::from(error) {
            Fault::Wait => Captured::Idle,
            Fault::Xrun => self.recovered(GapCause::Overrun),
            Fault::Suspended => match self.pcm.resume() {
                Ok(()) => Captured::Lost(GapCause::Suspend),
                Err(error) if errno_of(&error) == libc::EAGAIN => Captured::Idle,
                // Most drivers cannot resume; they can start again.
                Err(_) => self.recovered(GapCause::Suspend),
            },
            Fault::Gone(errno) => Captured::Gone(errno),
        }
    }
}

impl CapturePort for AlsaCapture {
    fn params(&self) -> PortParams {
        self.params
    }

    fn poll_entries(&self, out: &mut Vec<PollEntry>) {
        out.extend(self.polled.iter().map(|one| PollEntry {
            fd: one.fd,
            events: one.events,
        }));
    }

    fn ready(&mut self, revents: &[i16]) -> i16 {
        for (one, events) in self.polled.iter_mut().zip(revents) {
            one.revents = *events;
        }
        self.pcm
            .revents(&self.polled)
            .map_or(libc::POLLERR, |flags| flags.bits())
    }

    fn read(&mut self, buffer: &mut [u8]) -> Captured {
        let frame_bytes = self.params.format.frame_bytes();
        let device_frame_bytes = self.encoding.sample_bytes() * self.params.format.channels.count();
        let direct = self.raw.is_empty();
        // Never more than the device's buffer: alsa-lib's `file` gives silence for longer reads.
        let most = usize::try_from(self.params.buffer.0).unwrap_or(usize::MAX);
        let mut frames = most.min(buffer.len() / frame_bytes);
        if !direct {
            frames = frames.min(self.raw.len() / device_frame_bytes);
        }
        if frames == 0 {
            return Captured::Idle;
        }
        let target = if direct {
            &mut buffer[..]
        } else {
            &mut self.raw[..]
        };
        let target = &mut target[..frames * device_frame_bytes];
        if self.params.pacing == Pacing::Clock {
            // alsa-lib's `null` says that it filled the buffer and leaves it as it was.
            target.fill(self.encoding.silence_byte());
        }
        match self.pcm.io_bytes().readi(target) {
            Ok(0) => Captured::Idle,
            Ok(got) => {
                let got = got.min(frames);
                if !direct {
                    let raw = &self.raw[..got * device_frame_bytes];
                    convert(raw, self.encoding, buffer, self.params.format.encoding);
                }
                Captured::Frames(Frames(got as u64))
            }
            Err(error) => self.fault(&error),
        }
    }

    fn restart(&mut self) -> Result<(), i32> {
        if !self.restarts_at_once {
            // A sound server that went silent may not answer either, and would hold up every
            // other device of the thread: the opener deals with it.
            return Err(libc::ETIMEDOUT);
        }
        // A stream that cannot be stopped may still start; what counts is whether it does.
        let _stopped = self.pcm.drop();
        self.start_anew()
    }
}

struct Opener(Wish);

impl PortOpener<dyn CapturePort> for Opener {
    fn open(&mut self) -> Result<Box<dyn CapturePort>, OpenError> {
        let Opened {
            pcm,
            params,
            encoding,
            restarts_at_once,
        } = self.0.open(Direction::Capture)?;
        let listening = Listening::begin();
        let failed = |error: alsa::Error| self.0.device_error(errno_of(&error), listening.said());
        // Free-running devices are read when the clock says so; their descriptors mean nothing.
        let polled = match params.pacing {
            Pacing::Device => pcm.get().map_err(failed)?,
            Pacing::Clock => Vec::new(),
        };
        pcm.start().map_err(failed)?;
        let raw = if encoding == params.format.encoding {
            Box::default()
        } else {
            vec![0; READ_BYTES].into_boxed_slice()
        };
        Ok(Box::new(AlsaCapture {
            pcm,
            params,
            encoding,
            raw,
            polled,
            restarts_at_once,
        }))
    }
}
