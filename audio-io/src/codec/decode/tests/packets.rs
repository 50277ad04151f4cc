//! Half a second of 440 Hz in every format, as sox, LAME and ffmpeg wrote it, and a longer MP3:
//! lengths, places, jumps, and files that were cut or damaged.
#![allow(
    clippy::cast_possible_truncation,
    reason = "computed samples and small places"
)]

use std::f64::consts::TAU;
use std::path::Path;

use super::super::*;
use super::{all, stored};
use crate::codec::mp3::Mp3Layout;
use crate::codec::pcm::PcmFormat;
use crate::codec::probe::probe_file;
use crate::format::Channels;
use crate::units::{Frames, SampleRate};

const NAMES: [&str; 7] = [
    "tone.mp3",
    "bare.mp3",
    "tone.m4a",
    "tone.webm",
    "tone.ogg",
    "vorbis.ogg",
    "tone.flac",
];

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(name)).expect("a fixture")
}

fn opened(bytes: &[u8]) -> Box<dyn PcmSource> {
    open(stored(bytes)).expect("a file we know")
}

/// Eight seconds of a gliding tone in an MP3, and the tone.
fn long_mp3() -> (Vec<u8>, Vec<i16>) {
    let sound: Vec<i16> = (0..64_000)
        .map(|n| {
            let at = f64::from(n) / 8_000.0;
            (9_000.0 * (TAU * (300.0 * at + 60.0 * at * at)).sin()) as i16
        })
        .collect();
    let bytes: Vec<u8> = sound
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect();
    let mut source = open(super::wav::wav(1, 1, 2, &bytes)).expect("a WAV file");
    let format = PcmFormat {
        rate: SampleRate::TELEPHONE,
        channels: Channels::Mono,
    };
    let layout = Mp3Layout::new(format, Frames(64_000));
    let chunks = (0..layout.chunks()).flat_map(|chunk| {
        layout
            .encode_chunk(source.as_mut(), chunk)
            .expect("a chunk")
    });
    (chunks.collect(), sound)
}

/// How far `sound` is from `wanted`, in decibels.
fn error(sound: &[i16], wanted: &[i16]) -> f64 {
    assert_eq!(sound.len(), wanted.len());
    let square = |value: f64| value * value;
    let pairs = sound.iter().zip(wanted);
    let error: f64 = pairs
        .map(|(a, b)| square(f64::from(*a) - f64::from(*b)))
        .sum();
    let power: f64 = wanted.iter().map(|b| square(f64::from(*b))).sum();
    10.0 * ((error + 1.0) / (power + 1.0)).log10()
}

#[test]
fn every_file_gives_as_many_frames_as_it_says() {
    for name in NAMES {
        let bytes = fixture(name);
        let mut source = opened(&bytes);
        let facts = probe_file(stored(&bytes)).expect("a file we know");
        assert_eq!(source.frames(), facts.frames, "{name}");
        assert_eq!(source.format().rate, facts.format.rate, "{name}");
        let sound = all(source.as_mut());
        let channels = source.format().channels.count();
        assert_eq!((sound.len() / channels) as u64, facts.frames.0, "{name}");
    }
}

#[test]
fn the_sound_lies_where_it_was_before_it_was_coded() {
    for name in NAMES {
        // Nobody says how much of this one is the encoder's run-up.
        if name == "bare.mp3" {
            continue;
        }
        let mut source = opened(&fixture(name));
        let channels = source.format().channels.count();
        let rate = f64::from(source.format().rate.hertz());
        let sound = all(source.as_mut());
        for channel in 0..channels {
            let leg: Vec<f64> = sound
                .iter()
                .skip(channel)
                .step_by(channels)
                .map(|s| f64::from(*s))
                .collect();
            // The tone's part in phase, and a quarter of a period later.
            let inner = leg.len() / 10..leg.len() * 9 / 10;
            let count = inner.len() as f64;
            let mut parts = (0.0, 0.0, 0.0);
            for n in inner {
                let (sine, cosine) = (TAU * 440.0 * n as f64 / rate).sin_cos();
                parts.0 += 2.0 * leg[n] * sine / count;
                parts.1 += 2.0 * leg[n] * cosine / count;
                parts.2 += leg[n] * leg[n] / count;
            }
            // 50 microseconds are what decoders of Opus differ by.
            let late = parts.1.atan2(parts.0) / TAU / 440.0 * rate;
            assert!(late.abs() < rate / 20_000.0, "{name}: {late} frames off");
            let tone = (parts.0 * parts.0 + parts.1 * parts.1) / 2.0;
            assert!(tone / parts.2 > 0.95, "{name}: noise");
        }
    }
}

#[test]
fn an_mp3_of_ours_plays_for_exactly_as_long_as_its_source() {
    let (bytes, wanted) = long_mp3();
    let mut source = opened(&bytes);
    assert_eq!(source.frames(), Frames(64_000));
    let sound = all(source.as_mut());
    let error = error(&sound, &wanted);
    assert!(error < -40.0, "{error:.1} dB");
}

#[test]
fn a_jump_gives_what_reading_from_the_start_gives() {
    let (mp3, _) = long_mp3();
    let mut files: Vec<(&str, Vec<u8>)> = NAMES.map(|name| (name, fixture(name))).to_vec();
    files.push(("long mp3", mp3));
    for (name, bytes) in files {
        let mut source = opened(&bytes);
        let channels = source.format().channels.count();
        let whole = all(source.as_mut());
        let frames = source.frames().0;
        let exact = !matches!(name, "tone.m4a" | "tone.webm" | "tone.ogg");
        let places = [
            frames / 2,
            0,
            frames - 1,
            frames / 3,
            frames / 3 - 100,
            frames * 9 / 10,
            1,
            frames,
            u64::MAX,
        ];
        for to in places {
            let mut again = Vec::new();
            for _ in 0..2 {
                source.seek(Frames(to)).expect("a place");
                let rest = all(source.as_mut());
                assert!(
                    again.is_empty() || again == rest,
                    "{name}: a jump depends on the last"
                );
                again = rest;
            }
            let from = usize::try_from(to.min(frames)).expect("small") * channels;
            if exact {
                assert!(again == whole[from..], "{name} from {to}");
            } else {
                let error = error(&again, &whole[from..]);
                assert!(
                    error < -50.0 || again.is_empty(),
                    "{name} from {to}: {error:.1} dB"
                );
            }
        }
    }
}

#[test]
fn a_sound_that_ends_too_early_is_an_error() {
    let (mut mp3, _) = long_mp3();
    mp3.truncate(mp3.len() / 2);
    let mut source = opened(&mp3);
    assert_eq!(source.frames(), Frames(64_000));
    let mut part = vec![0; 64_000];
    let error = loop {
        match source.read(&mut part) {
            Ok(frames) => assert!(frames > 0, "an end without an error"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, DecodeError::Damaged(_)), "{error}");
    source.seek(Frames(63_000)).expect("a place");
    assert!(source.read(&mut part).is_err());
    source.seek(Frames(1_000)).expect("a place");
    assert!(source.read(&mut part).is_ok());
}

#[test]
fn damaged_files_end_or_fail_and_never_panic() {
    for name in NAMES {
        let good = fixture(name);
        for at in (0..good.len()).step_by(good.len() / 60 + 1) {
            for value in [0x00, 0x7F, 0x80, 0xFF] {
                let mut bad = good.clone();
                bad[at] = value;
                drained(&bad);
            }
            drained(&good[..at]);
        }
    }
}

/// Reads what can be read of a file, and from its middle.
fn drained(bytes: &[u8]) {
    let Ok(mut source) = open(stored(bytes)) else {
        return;
    };
    let mut part = vec![0; 8_192];
    let mut left = 10_000_000;
    while let Ok(frames) = source.read(&mut part) {
        left -= frames.min(left);
        if frames == 0 || left == 0 {
            break;
        }
    }
    let middle = Frames(source.frames().0 / 2);
    if source.seek(middle).is_ok() {
        let _sound_or_error = source.read(&mut part);
    }
}
