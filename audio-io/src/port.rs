//! The seam between sound devices and everything else: what a capture or playback device can do,
//! whatever it is. ALSA and the scripted double implement it; the real-time loops drive it.

use std::os::fd::RawFd;
use std::path::PathBuf;

use crate::block::GapCause;
use crate::format::StreamFormat;
use crate::units::Frames;

/// What the device and we agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortParams {
    /// Encoding, channels, rate.
    pub format: StreamFormat,
    /// Frames between two wake-ups.
    pub period: Frames,
    /// Frames the device's own buffer holds.
    pub buffer: Frames,
    /// How the stream is paced.
    pub pacing: Pacing,
}

/// Who keeps the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pacing {
    /// The device delivers frames at its own rate and wakes us through its descriptors.
    Device,
    /// The device would deliver as fast as it is read (alsa-lib's `file` and `null`); the loop
    /// reads only what the monotonic clock allows.
    Clock,
}

/// A descriptor to poll and the events (`poll(2)` bits) to poll it for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollEntry {
    /// The descriptor; it lives as long as its port.
    pub fd: RawFd,
    /// `POLLIN`, `POLLOUT`, …
    pub events: i16,
}

/// What one read of a capture device gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captured {
    /// This many frames were written to the start of the buffer.
    Frames(Frames),
    /// Nothing yet.
    Idle,
    /// The device lost frames and has been restarted by this call; the loop measures how many.
    Lost(GapCause),
    /// The device is gone and must be opened anew; the error number says why.
    Gone(i32),
}

/// A device that sound comes from. Methods other than `open`-like constructors never block,
/// allocate or log.
pub trait CapturePort: Send {
    /// What was agreed on when the port was opened.
    fn params(&self) -> PortParams;

    /// Appends the descriptors to poll. Empty for a port paced by the clock.
    fn poll_entries(&self, out: &mut Vec<PollEntry>);

    /// What the descriptors' `revents` mean: the events of the port itself. `revents` come in the
    /// order of [`Self::poll_entries`]. Ports whose descriptors are proxies (alsa-lib's plugins)
    /// translate, and clear them; for others the events are what they are.
    fn ready(&mut self, revents: &[i16]) -> i16 {
        revents.iter().fold(0, |all, one| all | one)
    }

    /// Reads what is there, at most what `buffer` holds.
    fn read(&mut self, buffer: &mut [u8]) -> Captured;

    /// Stops and starts the stream again, after a stall.
    ///
    /// # Errors
    /// The error number, when the device must be opened anew.
    fn restart(&mut self) -> Result<(), i32>;

    /// How often in a row it is restarted before it is opened anew. To open a telephone channel
    /// anew hangs up its call: one that goes silent is given time to say why.
    fn restarts(&self) -> u32 {
        1
    }
}

/// What one write to a playback device gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Played {
    /// This many frames were taken from the start of the buffer.
    Frames(Frames),
    /// The device's buffer is full.
    Full,
    /// The device ran dry and has been restarted by this call.
    Underrun,
    /// The device is gone and must be opened anew; the error number says why.
    Gone(i32),
}

/// A device that sound goes to. Methods never block, allocate or log.
pub trait PlaybackPort: Send {
    /// What was agreed on when the port was opened.
    fn params(&self) -> PortParams;

    /// Appends the descriptors to poll. Empty for a port paced by the clock.
    fn poll_entries(&self, out: &mut Vec<PollEntry>);

    /// Writes what fits.
    fn write(&mut self, buffer: &[u8]) -> Played;

    /// Frames written that have not been heard yet.
    fn delay(&mut self) -> Frames;

    /// Frames written that still wait in the device's own buffer. Where a sound server stands
    /// between, they are fewer than [`Self::delay`].
    fn queued(&mut self) -> Frames {
        self.delay()
    }

    /// Forgets what was written and not heard yet.
    ///
    /// # Errors
    /// The error number, when the device must be opened anew.
    fn discard(&mut self) -> Result<(), i32>;
}

/// Opens a port, again and again if it must. Called on a thread that may block.
pub trait PortOpener<P: ?Sized>: Send {
    /// Opens the device.
    ///
    /// # Errors
    /// [`OpenError`] with the device's name and what to do.
    fn open(&mut self) -> Result<Box<P>, OpenError>;

    /// The folder that nodes of such devices come and go in: while the device is away, a change
    /// there is a reason to try again at once.
    fn folder(&self) -> PathBuf {
        "/dev/snd".into()
    }
}

/// A device that could not be opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// The device does not exist, is busy, or refuses us.
    #[error("cannot open {device}: {}{} ({})", reason(*errno), spoken(said), remedy(*errno))]
    Device {
        /// The PCM's name.
        device: String,
        /// The error number.
        errno: i32,
        /// What the library behind it said, in one line; may be empty.
        said: String,
    },
    /// The device cannot do what the line asks.
    #[error("{device} cannot do {what}")]
    Unsupported {
        /// The PCM's name.
        device: String,
        /// Which parameter, and what the device offers.
        what: String,
    },
    /// A telephone channel cannot be used.
    #[error(
        "cannot {doing} DAHDI channel {channel}{}: {} ({}); {remedy}",
        of_span(*span),
        errno_name(*errno),
        reason(*errno)
    )]
    Channel {
        /// The channel's number.
        channel: u32,
        /// Its span, where that is known.
        span: Option<u32>,
        /// The error number.
        errno: i32,
        /// What was being done: a verb, and perhaps more, that "DAHDI channel" can follow.
        doing: &'static str,
        /// What somebody who reads this can do.
        remedy: String,
    },
}

impl OpenError {
    /// The error number that stands for this error in counters: the device's own, or `EINVAL` for
    /// parameters it does not support.
    #[must_use]
    pub const fn errno(&self) -> i32 {
        match self {
            Self::Device { errno, .. } | Self::Channel { errno, .. } => *errno,
            Self::Unsupported { .. } => libc::EINVAL,
        }
    }
}

fn reason(errno: i32) -> &'static str {
    nix::errno::Errno::from_raw(errno).desc()
}

/// ` (span n)`, or nothing.
fn of_span(span: Option<u32>) -> String {
    span.map(|span| format!(" (span {span})"))
        .unwrap_or_default()
}

/// The name that C knows an error number by.
fn errno_name(errno: i32) -> String {
    match nix::errno::Errno::from_raw(errno) {
        nix::errno::Errno::UnknownErrno => format!("errno {errno}"),
        known => format!("{known:?}"),
    }
}

/// The library's words, set apart from ours.
fn spoken(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    }
}

/// What somebody who reads the error can do.
const fn remedy(errno: i32) -> &'static str {
    match errno {
        libc::ENOENT | libc::ENODEV | libc::ENXIO => {
            "`callreel devices` lists the PCMs there are; is the card plugged in?"
        }
        libc::EBUSY | libc::EAGAIN => "another program uses it; stop that, or use a dsnoop PCM",
        libc::EACCES | libc::EPERM => "the daemon's user must be in the group `audio`",
        libc::ECONNREFUSED | libc::EHOSTDOWN => "the sound server behind it does not run",
        libc::EINVAL => "its definition in the ALSA configuration is not valid",
        _ => "it is tried again until it opens",
    }
}
