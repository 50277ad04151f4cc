//! Opening a PCM and agreeing with it on encoding, channels, rate, period and buffer. What cannot
//! be had exactly is refused with what can.

use std::ffi::CString;

use alsa::pcm::{Access, Format, HwParams};
use alsa::{Direction, Output, PCM, ValueOr};

use super::errno_of;
use super::quiet::Listening;
use crate::format::{Channels, Encoding, StreamFormat};
use crate::port::{OpenError, Pacing, PortParams};
use crate::units::{Frames, Millis, SampleRate};

/// Rates that are worth naming when a device cannot do the one that was asked for.
pub(super) const USUAL_RATES: [u32; 9] = [
    8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000,
];

/// The encodings this crate reads, in the order they are preferred.
pub(super) const ENCODINGS: [Encoding; 3] = [Encoding::S16Le, Encoding::MuLaw, Encoding::ALaw];

/// What a port is opened with.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) device: String,
    pub(super) format: StreamFormat,
    pub(super) period: Millis,
    pub(super) buffer: Millis,
}

/// An open PCM, prepared but not started.
pub(super) struct Opened {
    pub(super) pcm: PCM,
    /// As seen from outside: the wanted format.
    pub(super) params: PortParams,
    /// The encoding the device itself uses.
    pub(super) encoding: Encoding,
    /// Whether stopping and starting it takes no longer than a system call.
    pub(super) restarts_at_once: bool,
}

impl Wish {
    /// Opens the PCM and sets it up.
    pub(super) fn open(&self, direction: Direction) -> Result<Opened, OpenError> {
        let listening = Listening::begin();
        let failed = |error: alsa::Error| self.device_error(errno_of(&error), listening.said());
        let pcm = open_pcm(&self.device, direction).map_err(failed)?;
        let encoding = {
            let hw = HwParams::any(&pcm).map_err(failed)?;
            let encoding = self.negotiate(&hw)?;
            pcm.hw_params(&hw).map_err(failed)?;
            encoding
        };
        let (period, buffer) = self.sizes(&pcm).map_err(failed)?;
        self.software(&pcm, direction, period, buffer)
            .map_err(failed)?;
        let nature = Nature::of(&pcm).map_err(failed)?;
        pcm.prepare().map_err(failed)?;
        let params = PortParams {
            format: self.format,
            period,
            buffer,
            pacing: nature.pacing(),
        };
        let restarts_at_once = nature != Nature::Server;
        Ok(Opened {
            pcm,
            params,
            encoding,
            restarts_at_once,
        })
    }

    fn negotiate(&self, hw: &HwParams<'_>) -> Result<Encoding, OpenError> {
        hw.set_access(Access::RWInterleaved)
            .map_err(|_| self.unsupported(format!("interleaved samples{}", self.use_plug())))?;
        let mut wanted = vec![self.format.encoding];
        wanted.extend(
            ENCODINGS
                .iter()
                .filter(|other| **other != self.format.encoding),
        );
        let encoding = wanted
            .into_iter()
            .find(|encoding| hw.set_format(alsa_format(*encoding)).is_ok())
            .ok_or_else(|| {
                let offers = Format::all()
                    .iter()
                    .filter(|format| {
                        **format != Format::Unknown && hw.test_format(**format).is_ok()
                    })
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ");
                self.unsupported(format!(
                    "pcm16, mulaw or alaw samples; it offers {offers}{}",
                    self.use_plug()
                ))
            })?;
        let channels = match self.format.channels {
            Channels::Mono => 1,
            Channels::Stereo => 2,
        };
        hw.set_channels(channels).map_err(|_| {
            let offers = match (hw.get_channels_min(), hw.get_channels_max()) {
                (Ok(least), Ok(most)) if least == most => format!("; it offers {least}"),
                (Ok(least), Ok(most)) => format!("; it offers {least} to {most}"),
                _ => String::new(),
            };
            self.unsupported(format!("{channels} channel(s){offers}{}", self.use_plug()))
        })?;
        let rate = self.format.rate.hertz();
        hw.set_rate(rate, ValueOr::Nearest).map_err(|_| {
            let offers = usual_rates(hw)
                .iter()
                .map(|rate| rate.to_string())
                .collect::<Vec<_>>()
                .join(", ");
            self.unsupported(format!(
                "{rate} Hz; it offers {offers} Hz{}",
                self.use_plug()
            ))
        })?;
        // The buffer first: plugins derive what periods are possible from it.
        hw.set_buffer_time_near(micros(self.buffer), ValueOr::Nearest)
            .map_err(|_| self.unsupported(format!("a buffer of {}", self.buffer)))?;
        hw.set_period_time_near(micros(self.period), ValueOr::Nearest)
            .map_err(|_| self.unsupported(format!("a period of {}", self.period)))?;
        Ok(encoding)
    }

    /// The period and buffer that were agreed on.
    fn sizes(&self, pcm: &PCM) -> Result<(Frames, Frames), alsa::Error> {
        let hw = pcm.hw_params_current()?;
        let frames = |count: alsa::pcm::Frames| Frames(u64::try_from(count).unwrap_or_default());
        let buffer = frames(hw.get_buffer_size()?);
        // Some plugins do not know their period; ours does then.
        let period = hw.get_period_size().map_or(Frames::ZERO, frames);
        let period = if period == Frames::ZERO || period > buffer {
            self.format.rate.frames_in(self.period).min(buffer)
        } else {
            period
        };
        Ok((period, buffer))
    }

    fn software(
        &self,
        pcm: &PCM,
        direction: Direction,
        period: Frames,
        buffer: Frames,
    ) -> Result<(), alsa::Error> {
        let frames = |count: Frames| alsa::pcm::Frames::try_from(count.0).unwrap_or_default();
        let sw = pcm.sw_params_current()?;
        sw.set_avail_min(frames(period))?;
        sw.set_start_threshold(match direction {
            Direction::Capture => 1,
            Direction::Playback => frames(start_threshold(buffer)),
        })?;
        pcm.sw_params(&sw)
    }

    pub(super) fn device_error(&self, errno: i32, said: String) -> OpenError {
        OpenError::Device {
            device: self.device.clone(),
            errno,
            said,
        }
    }

    fn unsupported(&self, what: String) -> OpenError {
        OpenError::Unsupported {
            device: self.device.clone(),
            what,
        }
    }

    /// How to get what the device itself cannot do.
    fn use_plug(&self) -> String {
        match self.device.strip_prefix("hw:") {
            Some(rest) => format!("; plughw:{rest} converts"),
            None => format!("; plug:'{}' converts", self.device),
        }
    }
}

/// Frames a playback device holds before it starts by itself: half its buffer, which is what the
/// playout loop keeps in it.
pub(crate) const fn start_threshold(buffer: Frames) -> Frames {
    Frames(if buffer.0 < 2 { 1 } else { buffer.0 / 2 })
}

/// Opens a PCM without waiting for it to become free.
pub(super) fn open_pcm(device: &str, direction: Direction) -> Result<PCM, alsa::Error> {
    let name = CString::new(device).map_err(|_| alsa::Error::new("snd_pcm_open", libc::EINVAL))?;
    PCM::open(&name, direction, true)
}

/// What stands at the end of a PCM's chain of plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// A sound card.
    Kernel,
    /// alsa-lib's `null`, which keeps no time (`file` usually ends in one, too).
    Null,
    /// Another program, which may take its time to answer.
    Server,
}

impl Nature {
    pub(super) fn of(pcm: &PCM) -> Result<Self, alsa::Error> {
        let mut output = Output::buffer_open()?;
        pcm.dump(&mut output)?;
        Ok(Self::described_by(&output.to_string()))
    }

    pub(super) const fn pacing(self) -> Pacing {
        match self {
            Self::Null => Pacing::Clock,
            Self::Kernel | Self::Server => Pacing::Device,
        }
    }

    /// What alsa-lib's description says. Plugins describe themselves in lines of their own, then
    /// say "Slave: " or their name and ": ", and what comes next in the chain.
    fn described_by(description: &str) -> Self {
        let ends = |line: &str| {
            line.rsplit(": ")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        if description.lines().any(|line| ends(line) == "Null PCM") {
            Self::Null
        } else if description
            .lines()
            .any(|line| ends(line).starts_with("Hardware PCM card"))
        {
            Self::Kernel
        } else {
            Self::Server
        }
    }
}

/// Those of the usual rates that a configuration space allows.
pub(super) fn usual_rates(hw: &HwParams<'_>) -> Vec<SampleRate> {
    USUAL_RATES
        .iter()
        .filter(|rate| hw.test_rate(**rate).is_ok())
        .filter_map(|rate| SampleRate::new(*rate).ok())
        .collect()
}

pub(super) const fn alsa_format(encoding: Encoding) -> Format {
    match encoding {
        Encoding::S16Le => Format::S16LE,
        Encoding::MuLaw => Format::MuLaw,
        Encoding::ALaw => Format::ALaw,
    }
}

fn micros(duration: Millis) -> u32 {
    u32::try_from(duration.0.saturating_mul(1_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_chain_is_known_by_its_description() {
        let table = [
            ("Null PCM\nIts setup is:\n", Nature::Null),
            ("Plug PCM: Null PCM\n", Nature::Null),
            (
                "File PCM (file=/dev/null)\nIts setup is:\nSlave: Null PCM\n",
                Nature::Null,
            ),
            (
                "Hardware PCM card 0 'Null PCM' device 0 subdevice 0\n",
                Nature::Kernel,
            ),
            (
                "Plug PCM: Rate conversion PCM (16000)\nSlave: Hardware PCM card 1 'USB'\n",
                Nature::Kernel,
            ),
            (
                "File PCM (file=/tmp/Null PCM)\nSlave: Hardware PCM card 0\n",
                Nature::Kernel,
            ),
            (
                "ALSA <-> PulseAudio PCM I/O Plugin\nIts setup is:\n",
                Nature::Server,
            ),
        ];
        for (description, nature) in table {
            assert_eq!(Nature::described_by(description), nature, "{description}");
        }
    }

    #[test]
    fn names_that_no_pcm_can_have_are_errors() {
        let wish = Wish {
            device: "a\0b".into(),
            format: StreamFormat::TELEPHONE,
            period: Millis(20),
            buffer: Millis(160),
        };
        let error = wish
            .open(Direction::Capture)
            .err()
            .map(|error| error.errno());
        assert_eq!(error, Some(libc::EINVAL));
    }
}
