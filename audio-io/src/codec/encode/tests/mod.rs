//! Made files against their sources: by our own decoder (`own`), by other people's programs
//! (`outside`), by walking their structure (`structure`), and at the edges (`edges`). What all of
//! them need lies here: sources in memory, files made of them, and how alike two sounds are.
//!
//! The programs are those of `make setup`; where one is missing, its tests fail.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "tests compute with sound of seconds"
)]

mod edges;
mod outside;
mod structure;

use std::f64::consts::TAU;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::OnceLock;

use tempfile::NamedTempFile;

use super::{EncodeError, RESAMPLER, encode, encoder_id, flac, m4a};
use crate::codec::pcm::{DecodeError, PcmFormat, PcmSource};
use crate::codec::target::Target;
use crate::format::Channels;
use crate::units::{Frames, SampleRate};

/// The formats that are made here; MP3 has its own tests.
const TARGETS: [Target; 5] = [
    Target::Wav,
    Target::Flac,
    Target::M4a,
    Target::Ogg,
    Target::WebM,
];
const RATES: [u32; 6] = [8_000, 11_025, 16_000, 22_050, 44_100, 48_000];
const BOTH: [Channels; 2] = [Channels::Mono, Channels::Stereo];

/// Sound in memory.
#[derive(Clone)]
struct Sound {
    format: PcmFormat,
    samples: Vec<i16>,
    at: usize,
    /// Frames it says it has beyond those that are there.
    lie: u64,
}

impl Sound {
    fn new(hertz: u32, legs: &[Vec<i16>]) -> Self {
        let channels = if legs.len() == 2 {
            Channels::Stereo
        } else {
            Channels::Mono
        };
        let frames = legs.iter().map(Vec::len).min().unwrap_or(0);
        let samples = (0..frames).flat_map(|frame| legs.iter().map(move |leg| leg[frame]));
        Self {
            format: format(hertz, channels),
            samples: samples.collect(),
            at: 0,
            lie: 0,
        }
    }

    /// One channel's samples.
    fn leg(&self, leg: usize) -> Vec<i16> {
        let count = self.format.channels.count();
        self.samples
            .iter()
            .skip(leg)
            .step_by(count)
            .copied()
            .collect()
    }

    fn seconds(&self) -> f64 {
        self.frames().0 as f64 / f64::from(self.format.rate.hertz())
    }
}

impl PcmSource for Sound {
    fn format(&self) -> PcmFormat {
        self.format
    }

    fn frames(&self) -> Frames {
        Frames((self.samples.len() / self.format.channels.count()) as u64 + self.lie)
    }

    /// Short reads, as a decoder's packets give them.
    fn read(&mut self, out: &mut [i16]) -> Result<usize, DecodeError> {
        let count = self.format.channels.count();
        let samples = out.len().min(self.samples.len() - self.at).min(777 * count);
        let samples = samples - samples % count;
        out[..samples].copy_from_slice(&self.samples[self.at..self.at + samples]);
        self.at += samples;
        Ok(samples / count)
    }

    fn seek(&mut self, to: Frames) -> Result<(), DecodeError> {
        let to = usize::try_from(to.0).unwrap_or(usize::MAX);
        let samples = to.saturating_mul(self.format.channels.count());
        self.at = samples.min(self.samples.len());
        Ok(())
    }
}

fn format(hertz: u32, channels: Channels) -> PcmFormat {
    PcmFormat {
        rate: SampleRate::new(hertz).expect("a rate in range"),
        channels,
    }
}

/// A tone at half of full scale.
fn tone(hertz: u32, pitch: f64, frames: usize) -> Vec<i16> {
    let turn = TAU * pitch / f64::from(hertz);
    (0..frames)
        .map(|frame| (16_384.0 * (turn * frame as f64).sin()) as i16)
        .collect()
}

/// 440 Hz; in stereo with 1 kHz on the right.
fn tones(hertz: u32, channels: Channels) -> Sound {
    let frames = 2 * hertz as usize + 137;
    let legs = [tone(hertz, 440.0, frames), tone(hertz, 1_000.0, frames)];
    Sound::new(hertz, &legs[..channels.count()])
}

/// Somebody speaking; in stereo somebody else answers at the same time.
fn speech(hertz: u32, channels: Channels) -> Sound {
    let legs = [spoken(0, hertz), spoken(1, hertz)];
    Sound::new(hertz, &legs[..channels.count()])
}

fn spoken(who: usize, hertz: u32) -> Vec<i16> {
    static SPOKEN: [OnceLock<NamedTempFile>; 2] = [OnceLock::new(), OnceLock::new()];
    let file = SPOKEN[who].get_or_init(|| {
        let file = NamedTempFile::new().expect("a temporary file");
        let path = file.path().to_string_lossy().into_owned();
        let (voice, text) = [
            (
                "en-gb",
                "Good morning, this is the front desk. How can I help you today?",
            ),
            (
                "en-us+f3",
                "Hello! I would like to know whether my order has left your house.",
            ),
        ][who];
        run("espeak-ng", &["-v", voice, "-w", &path, text]);
        file
    });
    let path = file.path().to_string_lossy();
    let rate = hertz.to_string();
    let wanted = [
        "-v", "error", "-i", &path, "-ar", &rate, "-ac", "1", "-f", "s16le", "-",
    ];
    samples(&run("ffmpeg", &wanted))
}

/// Runs a program, which must succeed and have nothing to complain about.
fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let done = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed, see `make setup`: {error}"));
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() && complaint.trim().is_empty(),
        "{program} {arguments:?}: {} {complaint}",
        done.status
    );
    done.stdout
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

/// Makes a file.
fn make(sound: &Sound, target: Target) -> Result<NamedTempFile, EncodeError> {
    let mut file = tempfile::Builder::new()
        .suffix(&format!(".{target}"))
        .tempfile()?;
    let mut told = Vec::new();
    let mut progress = |done: Frames| {
        told.push(done.0);
        ControlFlow::Continue(())
    };
    let mut source = sound.clone();
    // Wherever it stands, all of it is converted.
    source.seek(Frames(5))?;
    encode(&mut source, target, file.as_file_mut(), &mut progress)?;
    let mut before = 0;
    for done in &told {
        // MP3 is made chunk by chunk.
        let step = done - std::mem::replace(&mut before, *done);
        let is_often = step <= u64::from(sound.format.rate.hertz()) || target == Target::Mp3;
        assert!(is_often, "{target}: {told:?}");
    }
    assert_eq!(told.last(), Some(&sound.frames().0), "{target}");
    Ok(file)
}

fn bytes_of(file: &NamedTempFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file: &File = file.as_file();
    file.seek(SeekFrom::Start(0)).expect("a file can be read");
    file.read_to_end(&mut bytes).expect("a file can be read");
    bytes
}

/// What ffmpeg hears, at the sound's own rate.
fn heard(file: &NamedTempFile, like: &Sound) -> Sound {
    heard_at(like.format.rate.hertz(), file, like)
}

/// What ffmpeg hears, at some rate.
fn heard_at(hertz: u32, file: &NamedTempFile, like: &Sound) -> Sound {
    let path = file.path().to_string_lossy();
    let rate = hertz.to_string();
    let bytes = run(
        "ffmpeg",
        &["-v", "error", "-i", &path, "-ar", &rate, "-f", "s16le", "-"],
    );
    Sound {
        format: format(hertz, like.format.channels),
        samples: samples(&bytes),
        at: 0,
        lie: 0,
    }
}

/// How alike two sounds are, sample by sample as they lie: 1 is the same at any loudness.
fn correlation(one: &[i16], other: &[i16]) -> f64 {
    let product = |a: &[i16], b: &[i16]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    product(one, other) / (product(one, one) * product(other, other)).sqrt().max(1.0)
}

/// How far one sound lies behind another, where they are most alike.
fn lag(sent: &[i16], got: &[i16]) -> i64 {
    let at = |lag: i64| {
        let (skip_sent, skip_got) = (lag.min(0).unsigned_abs(), lag.max(0).unsigned_abs());
        let skip = |samples: u64| usize::try_from(samples).unwrap_or(0);
        correlation(&sent[skip(skip_sent)..], &got[skip(skip_got)..])
    };
    (-12..=12)
        .max_by(|a, b| at(*a).total_cmp(&at(*b)))
        .unwrap_or(0)
}
