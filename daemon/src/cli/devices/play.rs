//! `devices play`: plays a WAV file or a tone to a PCM.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use audio_io::alsa::AlsaPlayback;
use audio_io::clock::{Clock, SystemClock};
use audio_io::codec::wav;
use audio_io::dsp::tone::Tone;
use audio_io::format::{Channels, Encoding, StreamFormat};
use audio_io::port::{PlaybackPort, Played};
use audio_io::units::{Frames, Millis, SampleRate};
use serde::Serialize;

use super::DeviceError;
use crate::cli::args::PlayArgs;
use crate::cli::error::CliError;
use crate::cli::output::Output;

/// Wake-up period and buffer asked of the device.
const PERIOD: Millis = Millis(20);
const BUFFER: Millis = Millis(160);

/// Sound prepared at once.
const PIECE: Millis = Millis(100);

/// A tenth of full scale: -20 dBFS, loud enough to hear and to measure.
const TONE_AMPLITUDE: f64 = 0.1;

/// How long a device may take no sound at all.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was played.
#[derive(Debug, Serialize)]
struct Report {
    device: String,
    format: String,
    frames: u64,
    underruns: u64,
}

pub(super) async fn play(wish: &PlayArgs, output: Output) -> Result<(), CliError> {
    let mut sound = match &wish.file {
        Some(path) => Sound::from_file(path)?,
        None => Sound::tone(wish.tone.unwrap_or(440), wish.rate, wish.seconds),
    };
    let report = to_device(&wish.name, &mut sound).await?;
    output.show(&report, |report| {
        format!(
            "{}: {} frames of {} played, {} underruns\n",
            report.device, report.frames, report.format, report.underruns
        )
    })
}

/// Sound to be played, made or read piece by piece.
struct Sound {
    format: StreamFormat,
    source: Source,
    /// Frames that are left.
    left: Frames,
}

enum Source {
    Tone(Tone),
    File(File, std::path::PathBuf),
}

impl Sound {
    fn tone(hertz: u32, rate: u32, seconds: u64) -> Self {
        let rate = SampleRate::new(rate).unwrap_or(SampleRate::TELEPHONE);
        let format = StreamFormat {
            rate,
            encoding: Encoding::S16Le,
            channels: Channels::Mono,
        };
        let source = Source::Tone(Tone::new(rate, f64::from(hertz), TONE_AMPLITUDE));
        Self {
            format,
            source,
            left: rate.frames_in(Millis::from_secs(seconds)),
        }
    }

    fn from_file(path: &Path) -> Result<Self, CliError> {
        let io = |source| CliError::File {
            what: "read",
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(io)?;
        let info = wav::parse(&mut file).map_err(|source| DeviceError::Wav {
            path: path.to_owned(),
            source,
        })?;
        let format = info
            .stream_format()
            .ok_or_else(|| DeviceError::Format(path.to_owned()))?;
        file.seek(SeekFrom::Start(info.data_offset)).map_err(io)?;
        let source = Source::File(file, path.to_owned());
        Ok(Self {
            format,
            source,
            left: info.frames(),
        })
    }

    /// The next piece; empty at the end.
    fn next(&mut self) -> Result<Vec<u8>, CliError> {
        let frames = Frames(self.left.0.min(self.format.rate.frames_in(PIECE).0));
        self.left = self.left - frames;
        match &mut self.source {
            Source::Tone(tone) => Ok(tone.bytes(frames, self.format)),
            Source::File(file, path) => {
                let mut piece = Vec::new();
                let bytes = self.format.bytes_of(frames);
                file.take(bytes)
                    .read_to_end(&mut piece)
                    .map_err(|source| CliError::File {
                        what: "read",
                        path: path.clone(),
                        source,
                    })?;
                if (piece.len() as u64) < bytes {
                    self.left = Frames::ZERO;
                }
                Ok(piece)
            }
        }
    }
}

async fn to_device(name: &str, sound: &mut Sound) -> Result<Report, CliError> {
    let format = sound.format;
    let mut port = AlsaPlayback::opener(name, format, PERIOD, BUFFER)
        .open()
        .map_err(DeviceError::Open)?;
    let mut feed = Feed {
        port: port.as_mut(),
        name,
        format,
        underruns: 0,
    };
    let mut frames = Frames::ZERO;
    loop {
        let piece = sound.next()?;
        if piece.is_empty() {
            break;
        }
        frames += format.frames_in(piece.len() as u64);
        feed.write(&piece).await?;
    }
    // A device starts when half its buffer is full: silence behind the sound makes sure of it,
    // and lets what is in the buffer be heard before the device is closed.
    let buffer = usize::try_from(format.bytes_of(feed.port.params().buffer)).unwrap_or(0);
    feed.write(&vec![format.encoding.silence_byte(); buffer])
        .await?;
    let underruns = feed.underruns;
    Ok(Report {
        device: name.into(),
        format: format.to_string(),
        frames: frames.0,
        underruns,
    })
}

struct Feed<'a> {
    port: &'a mut dyn PlaybackPort,
    name: &'a str,
    format: StreamFormat,
    underruns: u64,
}

impl Feed<'_> {
    /// Writes all of it, waiting for room.
    async fn write(&mut self, mut sound: &[u8]) -> Result<(), DeviceError> {
        let clock = SystemClock;
        let mut moved = clock.monotonic();
        while !sound.is_empty() {
            match self.port.write(sound) {
                Played::Frames(frames) if frames > Frames::ZERO => {
                    #[allow(clippy::cast_possible_truncation, reason = "no more than was given")]
                    let bytes = self.format.bytes_of(frames) as usize;
                    sound = &sound[bytes.min(sound.len())..];
                    moved = clock.monotonic();
                }
                Played::Frames(_) | Played::Full => {
                    if clock.monotonic().saturating_sub(moved) > PATIENCE {
                        return Err(DeviceError::Stuck(self.name.into()));
                    }
                    tokio::time::sleep(PERIOD.into()).await;
                }
                Played::Underrun => self.underruns += 1,
                Played::Gone(errno) => {
                    let source = std::io::Error::from_raw_os_error(errno);
                    return Err(DeviceError::Gone {
                        device: self.name.into(),
                        source,
                    });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_lasts_as_long_as_asked() {
        let mut sound = Sound::tone(440, 8_000, 1);
        let mut bytes = 0;
        loop {
            let piece = sound.next().expect("a tone");
            if piece.is_empty() {
                break;
            }
            bytes += piece.len();
        }
        assert_eq!(bytes, 16_000);
    }

    #[test]
    fn a_file_that_is_no_wav_file_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.wav");
        std::fs::write(&path, "not a WAV file at all").expect("a file");
        let error = Sound::from_file(&path)
            .map(|sound| sound.left)
            .expect_err("refused");
        assert!(error.to_string().contains("x.wav"), "{error}");
    }
}
