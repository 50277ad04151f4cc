//! The driver's files: a channel that is open, and the control file that tells of all others.

use std::ffi::c_int;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::abi::{self, BufferInfo, ConfInfo, Gains, Params, SpanInfo};
use super::ioctl::{self, Plain};
use super::status::{ChannelStatus, SpanStatus, Version, words};
use super::{Law, gain};

/// An open channel: every request of the driver that Callreel has a use for, as a method. Errors
/// are error numbers; nothing blocks, allocates or logs once it is open.
#[derive(Debug)]
pub struct Channel {
    file: File,
}

/// What a hook is ordered to do (`DAHDI_HOOK`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Hang up.
    On,
    /// Seize, or answer.
    Off,
    /// Off hook for a moment.
    Wink,
    /// On hook for a moment.
    Flash,
    /// Ring a telephone.
    Ring,
    /// Stop ringing.
    RingOff,
}

impl Channel {
    /// Opens a channel by its number. The driver gives it to one file at a time.
    ///
    /// # Errors
    /// The error number: `ENOENT` where there is no driver, `EINVAL` where it has no such channel,
    /// `ENXIO` for one that is not configured, `EBUSY` for one that is in use.
    pub fn open(folder: &Path, number: u32) -> Result<Self, i32> {
        let channel = Self {
            file: open_node(&folder.join("channel"))?,
        };
        let number = c_int::try_from(number).map_err(|_| libc::EINVAL)?;
        ioctl::specify(channel.file.as_fd(), number).map_err(errno)?;
        Ok(channel)
    }

    /// Opens a pseudo channel: sound without a line, as conferences and taps need it.
    ///
    /// # Errors
    /// The error number; `ENOMEM` also where the driver has no timing.
    pub fn pseudo(folder: &Path) -> Result<Self, i32> {
        let file = open_node(&folder.join("pseudo"))?;
        Ok(Self { file })
    }

    /// The descriptor, to poll.
    #[must_use]
    pub fn raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Reads one block at most. What a buffer that is too small has no room for is lost.
    ///
    /// # Errors
    /// The error number: `EAGAIN` while there is none, [`abi::ELAST`] while an event waits.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, i32> {
        (&self.file).read(buffer).map_err(io_errno)
    }

    /// Writes one block at most.
    ///
    /// # Errors
    /// The error number: `EAGAIN` while there is no room, [`abi::ELAST`] while an event waits.
    pub fn write(&self, buffer: &[u8]) -> Result<usize, i32> {
        (&self.file).write(buffer).map_err(io_errno)
    }

    /// Samples of a block.
    ///
    /// # Errors
    /// The error number.
    pub fn block_size(&self) -> Result<u32, i32> {
        let size = ioctl::get_blocksize(self.file.as_fd()).map_err(errno)?;
        Ok(u32::try_from(size).unwrap_or_default())
    }

    /// Sets the samples of a block, 16 to 8192.
    ///
    /// # Errors
    /// The error number.
    pub fn set_block_size(&self, samples: u32) -> Result<(), i32> {
        let samples = c_int::try_from(samples).unwrap_or(c_int::MAX);
        ioctl::set_blocksize(self.file.as_fd(), samples).map_err(errno)
    }

    /// How many blocks the driver holds each way, and of how many samples.
    ///
    /// # Errors
    /// The error number.
    pub fn buffers(&self) -> Result<(u32, u32), i32> {
        let info = ioctl::get_bufinfo(self.file.as_fd()).map_err(errno)?;
        let plain = |value: c_int| u32::try_from(value).unwrap_or_default();
        Ok((plain(info.numbufs), plain(info.bufsize)))
    }

    /// Sets how many blocks the driver holds each way, and of how many samples; both ways sound
    /// goes on as soon as there is some.
    ///
    /// # Errors
    /// The error number.
    pub fn set_buffers(&self, count: u32, samples: u32) -> Result<(), i32> {
        let info = BufferInfo {
            txbufpolicy: abi::POLICY_IMMEDIATE,
            rxbufpolicy: abi::POLICY_IMMEDIATE,
            numbufs: c_int::try_from(count).unwrap_or(c_int::MAX),
            bufsize: c_int::try_from(samples).unwrap_or(c_int::MAX),
            readbufs: -1,
            writebufs: -1,
        };
        ioctl::set_bufinfo(self.file.as_fd(), info).map_err(errno)
    }

    /// What the channel is and how it stands.
    ///
    /// # Errors
    /// The error number.
    pub fn status(&self) -> Result<ChannelStatus, i32> {
        self.params().map(|params| ChannelStatus::from(&params))
    }

    /// All of its parameters.
    ///
    /// # Errors
    /// The error number.
    pub fn params(&self) -> Result<Params, i32> {
        ioctl::get_params(self.file.as_fd(), Params::zeroed()).map_err(errno)
    }

    /// Sets its timing, which is all of the parameters that can be set.
    ///
    /// # Errors
    /// The error number.
    pub fn set_params(&self, params: &Params) -> Result<(), i32> {
        ioctl::set_params(self.file.as_fd(), *params).map_err(errno)
    }

    /// Alarms of the channel and of its span, as `ALARM_*` bits.
    ///
    /// # Errors
    /// The error number.
    pub fn alarms(&self) -> Result<u32, i32> {
        let own = self.params()?.chan_alarms;
        let span = ioctl::span_stat(self.file.as_fd(), SpanInfo::zeroed());
        Ok(own | span.map_or(0, |info| { info.alarms }.cast_unsigned()))
    }

    /// Sets the law, until it is closed.
    ///
    /// # Errors
    /// The error number.
    pub fn set_law(&self, law: Law) -> Result<(), i32> {
        ioctl::set_law(self.file.as_fd(), law.number()).map_err(errno)
    }

    /// Whether samples are 16 bits instead of the law's codes.
    ///
    /// # Errors
    /// The error number; `EINVAL` for a channel without sound.
    pub fn set_linear(&self, linear: bool) -> Result<(), i32> {
        ioctl::set_linear(self.file.as_fd(), linear.into()).map_err(errno)
    }

    /// Whether a clear channel carries sound.
    ///
    /// # Errors
    /// The error number; `EINVAL` for channels that are not clear.
    pub fn set_audio_mode(&self, audio: bool) -> Result<(), i32> {
        ioctl::audio_mode(self.file.as_fd(), audio.into()).map_err(errno)
    }

    /// Sets the gains of both ways, in decibels, under the law it has.
    ///
    /// # Errors
    /// The error number.
    pub fn set_gains(&self, law: Law, rx_db: f64, tx_db: f64) -> Result<(), i32> {
        let gains = Gains {
            chan: 0,
            rxgain: gain::table(law, rx_db),
            txgain: gain::table(law, tx_db),
        };
        ioctl::set_gains(self.file.as_fd(), gains).map_err(errno)
    }

    /// What each code becomes on its way in, and out.
    ///
    /// # Errors
    /// The error number.
    pub fn gains(&self) -> Result<([u8; 256], [u8; 256]), i32> {
        let gains = ioctl::get_gains(self.file.as_fd(), Gains::zeroed()).map_err(errno)?;
        Ok((gains.rxgain, gains.txgain))
    }

    /// Cancels echo with a filter of so many samples (a power of two, 32 to 1024), or not at all.
    ///
    /// # Errors
    /// The error number.
    pub fn cancel_echo(&self, taps: u32) -> Result<(), i32> {
        let taps = c_int::try_from(taps).unwrap_or(c_int::MAX);
        ioctl::echo_cancel(self.file.as_fd(), taps).map_err(errno)
    }

    /// Moves the hook. What takes time goes on by itself.
    ///
    /// # Errors
    /// The error number: `EINVAL` for channels without a hook, `EBUSY` while it is moving.
    pub fn hook(&self, hook: Hook) -> Result<(), i32> {
        let number = match hook {
            Hook::On => abi::ONHOOK,
            Hook::Off => abi::OFFHOOK,
            Hook::Wink => abi::WINK,
            Hook::Flash => abi::FLASH,
            Hook::Ring => abi::RING,
            Hook::RingOff => abi::RINGOFF,
        };
        match ioctl::hook(self.file.as_fd(), number) {
            // Begun; the rest is told as an event.
            Err(nix::errno::Errno::EINPROGRESS) => Ok(()),
            other => other.map_err(errno),
        }
    }

    /// Dials a number: `T` for tones or `P` for pulses, then digits; `W` is a pause.
    ///
    /// # Errors
    /// The error number: `ENODATA` where no tone zone is loaded, `EINVAL` for a number that is too
    /// long.
    pub fn dial(&self, number: &str) -> Result<(), i32> {
        self.dial_operation(abi::DIAL_OP_REPLACE, number)
    }

    /// Stops dialling.
    ///
    /// # Errors
    /// The error number.
    pub fn stop_dialling(&self) -> Result<(), i32> {
        self.dial_operation(abi::DIAL_OP_CANCEL, "")
    }

    fn dial_operation(&self, op: c_int, number: &str) -> Result<(), i32> {
        let mut operation = abi::DialOperation::zeroed();
        operation.op = op;
        // One less, so that the zero at the end is there.
        let room = abi::MAX_DTMF_BUF - 1;
        let place = operation.dialstr[..room].get_mut(..number.len());
        place
            .ok_or(libc::EINVAL)?
            .copy_from_slice(number.as_bytes());
        ioctl::dial(self.file.as_fd(), operation).map_err(errno)
    }

    /// Whether a number is being dialled.
    ///
    /// # Errors
    /// The error number.
    pub fn is_dialling(&self) -> Result<bool, i32> {
        let dialling = ioctl::dialing(self.file.as_fd()).map_err(errno)?;
        Ok(dialling != 0)
    }

    /// The next event as the driver numbers it ([`abi::EVENT_NONE`] for none).
    ///
    /// # Errors
    /// The error number; `ENODEV` when the channel is gone.
    pub fn event(&self) -> Result<c_int, i32> {
        ioctl::get_event(self.file.as_fd()).map_err(errno)
    }

    /// The CAS bits that come.
    ///
    /// # Errors
    /// The error number.
    pub fn bits(&self) -> Result<u8, i32> {
        let bits = ioctl::get_rx_bits(self.file.as_fd()).map_err(errno)?;
        Ok(u8::try_from(bits & 0xF).unwrap_or_default())
    }

    /// Plays a tone of the tone zone, or stops with [`abi::TONE_STOP`].
    ///
    /// # Errors
    /// The error number; `ENODATA` where no tone zone is loaded.
    pub fn send_tone(&self, tone: c_int) -> Result<(), i32> {
        ioctl::send_tone(self.file.as_fd(), tone).map_err(errno)
    }

    /// The number of its tone zone.
    ///
    /// # Errors
    /// The error number.
    pub fn tone_zone(&self) -> Result<c_int, i32> {
        ioctl::get_tone_zone(self.file.as_fd()).map_err(errno)
    }

    /// Sets its tone zone; -1 for the default one.
    ///
    /// # Errors
    /// The error number; `ENODATA` where that zone is not loaded.
    pub fn set_tone_zone(&self, zone: c_int) -> Result<(), i32> {
        ioctl::set_tone_zone(self.file.as_fd(), zone).map_err(errno)
    }

    /// Forgets what waits: a sum of `abi::FLUSH_*`.
    ///
    /// # Errors
    /// The error number.
    pub fn flush(&self, what: c_int) -> Result<(), i32> {
        ioctl::flush(self.file.as_fd(), what).map_err(errno)
    }

    /// Whether overruns and underruns are told as events.
    ///
    /// # Errors
    /// The error number; `ENOTTY` where the driver is too old.
    pub fn set_buffer_events(&self, told: bool) -> Result<(), i32> {
        ioctl::buffer_events(self.file.as_fd(), told.into()).map_err(errno)
    }

    /// Which channel it listens to and how (`abi::CONF_*`).
    ///
    /// # Errors
    /// The error number.
    pub fn conference(&self) -> Result<ConfInfo, i32> {
        ioctl::get_conf(self.file.as_fd(), ConfInfo::zeroed()).map_err(errno)
    }

    /// Listens to what another channel receives ([`abi::CONF_MONITOR`]) or sends
    /// ([`abi::CONF_MONITORTX`]).
    ///
    /// # Errors
    /// The error number; `EINVAL` where there is no such channel.
    pub fn monitor(&self, number: u32, mode: c_int) -> Result<(), i32> {
        let conference = ConfInfo {
            chan: 0,
            confno: c_int::try_from(number).map_err(|_| libc::EINVAL)?,
            confmode: mode,
        };
        ioctl::set_conf(self.file.as_fd(), conference).map_err(errno)?;
        Ok(())
    }

    /// Gets a copy of what another channel receives.
    ///
    /// # Errors
    /// The error number; `ENOTTY` where the driver was built without mirrors.
    pub fn mirror_rx(&self, number: u32) -> Result<(), i32> {
        let number = c_int::try_from(number).map_err(|_| libc::EINVAL)?;
        ioctl::rx_mirror(self.file.as_fd(), number).map_err(errno)
    }

    /// Gets a copy of what another channel sends.
    ///
    /// # Errors
    /// As [`Self::mirror_rx`].
    pub fn mirror_tx(&self, number: u32) -> Result<(), i32> {
        let number = c_int::try_from(number).map_err(|_| libc::EINVAL)?;
        ioctl::tx_mirror(self.file.as_fd(), number).map_err(errno)
    }

    /// The channel's number, as the driver knows it.
    ///
    /// # Errors
    /// The error number.
    pub fn number(&self) -> Result<u32, i32> {
        let number = ioctl::channo(self.file.as_fd()).map_err(errno)?;
        Ok(u32::try_from(number).unwrap_or_default())
    }

    /// The voltage between the wires of an analogue port, in millivolts.
    ///
    /// # Errors
    /// The error number; `ENOTTY` or `EINVAL` for cards that do not measure it.
    pub fn millivolts(&self) -> Result<i32, i32> {
        let stats = ioctl::wctdm_stats(self.file.as_fd()).map_err(errno)?;
        // FXO ports say the same thing three times; of FXS ports it is the difference.
        Ok(if stats.tipvolt == stats.ringvolt {
            stats.batvolt
        } else {
            stats.tipvolt - stats.ringvolt
        })
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The control file: what the driver says of any channel and span, whoever uses it. While it is
/// open the driver cannot be unloaded.
#[derive(Debug)]
pub struct Control {
    file: File,
}

impl Control {
    /// Opens it.
    ///
    /// # Errors
    /// The error number: `ENOENT` where there is no driver.
    pub fn open(folder: &Path) -> Result<Self, i32> {
        let file = open_node(&folder.join("ctl"))?;
        Ok(Self { file })
    }

    /// One span.
    ///
    /// # Errors
    /// The error number; `EINVAL` where there is none of that number.
    pub fn span(&self, number: u32) -> Result<SpanStatus, i32> {
        let mut wanted = SpanInfo::zeroed();
        wanted.spanno = c_int::try_from(number).map_err(|_| libc::EINVAL)?;
        if wanted.spanno == 0 {
            return Err(libc::EINVAL);
        }
        let info = ioctl::span_stat(self.file.as_fd(), wanted).map_err(errno)?;
        Ok(SpanStatus::from(&info))
    }

    /// All spans there are.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanStatus> {
        let most = abi::MAX_SPANS.cast_unsigned();
        let mut found: Vec<SpanStatus> = Vec::new();
        for number in 1..=most {
            if let Ok(span) = self.span(number) {
                let all = found.len() + 1 >= span.spans;
                found.push(span);
                if all {
                    break;
                }
            }
        }
        found
    }

    /// One channel, whoever uses it.
    ///
    /// # Errors
    /// The error number; `EINVAL` where there is none of that number.
    pub fn channel(&self, number: u32) -> Result<ChannelStatus, i32> {
        let mut wanted = Params::zeroed();
        wanted.channo = c_int::try_from(number).map_err(|_| libc::EINVAL)?;
        let params = ioctl::get_params(self.file.as_fd(), wanted).map_err(errno)?;
        Ok(ChannelStatus::from(&params))
    }

    /// The driver's version and the echo cancellers it has.
    ///
    /// # Errors
    /// The error number.
    pub fn version(&self) -> Result<Version, i32> {
        let info = ioctl::get_version(self.file.as_fd()).map_err(errno)?;
        Ok(Version {
            driver: words(&info.version),
            echo_cancellers: words(&info.echo_canceller),
        })
    }
}

fn open_node(path: &Path) -> Result<File, i32> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)
        .map_err(io_errno)
}

const fn errno(error: nix::errno::Errno) -> i32 {
    error as i32
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "it stands where map_err gives it away"
)]
fn io_errno(error: std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
