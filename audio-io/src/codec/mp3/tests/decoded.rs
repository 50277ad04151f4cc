//! What decoders make of it: length, place, likeness, the legs apart, and nothing at the seams.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Output};

use super::super::*;
use super::signals::*;
use crate::codec::decode;

/// The file of all chunks.
fn made(source: &mut Memory) -> Vec<u8> {
    let layout = Mp3Layout::new(source.format, source.frames());
    (0..layout.chunks())
        .flat_map(|chunk| layout.encode_chunk(source, chunk).expect("a chunk"))
        .collect()
}

/// What decoding gives, and the frames it said there are.
fn decoded(mp3: &[u8]) -> (Vec<i16>, Frames) {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(mp3).expect("room");
    let mut source = decode::open(file).expect("an MP3");
    let channels = source.format().channels.count();
    let mut sound = Vec::new();
    let mut part = vec![0; 4_000 * channels];
    loop {
        match source.read(&mut part).expect("sound") {
            0 => return (sound, source.frames()),
            frames => sound.extend_from_slice(&part[..frames * channels]),
        }
    }
}

/// Sums over two sounds: products, and the power of each.
fn sums(a: &[i16], b: &[i16]) -> (f64, f64, f64) {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .fold((0.0, 0.0, 0.0), |(ab, aa, bb), (a, b)| {
            let (a, b) = (f64::from(*a), f64::from(*b));
            (ab + a * b, aa + a * a, bb + b * b)
        })
}

#[test]
fn speech_sounds_like_itself() {
    for (hertz, channels) in [
        (8_000, Channels::Mono),
        (8_000, Channels::Stereo),
        (11_025, Channels::Stereo),
        (16_000, Channels::Mono),
        (44_100, Channels::Mono),
        (48_000, Channels::Stereo),
    ] {
        let frames = 30 * hertz as usize + 77;
        let caller = speech(hertz, frames, false);
        let samples = match channels {
            Channels::Mono => caller,
            Channels::Stereo => legs(&caller, &speech(hertz, frames, true)),
        };
        let mut source = Memory::new(format(hertz, channels), samples);
        let (sound, stated) = decoded(&made(&mut source));
        assert_eq!(stated, source.frames());
        let (product, before, after) = sums(&source.samples, &sound);
        let likeness = product / (before * after).sqrt();
        assert!(likeness > 0.99, "{hertz} {channels:?}: {likeness}");
        let level = product / before;
        assert!(
            (level - 1.0).abs() < 0.01,
            "{hertz} {channels:?}: {level} as loud"
        );
    }
}

#[test]
fn resampled_speech_keeps_its_length() {
    let mut source = Memory::new(format(9_000, Channels::Mono), speech(9_000, 90_001, false));
    let (sound, _) = decoded(&made(&mut source));
    let mut wanted = Resampled::new(
        &mut source,
        settings::rate_for(format(9_000, Channels::Mono).rate),
    )
    .expect("a filter");
    let mut samples = vec![0; sound.len() + 1];
    let mut count = 0;
    while let frames @ 1.. = wanted.read(&mut samples[count..]).expect("sound") {
        count += frames;
    }
    assert_eq!(count, sound.len());
    let (product, before, after) = sums(&samples[..count], &sound);
    assert!(product / (before * after).sqrt() > 0.99);
}

#[test]
fn a_silent_leg_stays_silent() {
    for hertz in [8_000, 48_000] {
        let frames = 20 * hertz as usize;
        let (talk, silence) = (speech(hertz, frames, false), vec![0; frames]);
        for (left, right, silent) in [(&talk, &silence, 1), (&silence, &talk, 0)] {
            let format = format(hertz, Channels::Stereo);
            let mut source = Memory::new(format, legs(left, right));
            let (sound, _) = decoded(&made(&mut source));
            let loudest = sound
                .chunks(2)
                .map(|frame| frame[silent].unsigned_abs())
                .max();
            assert_eq!(loudest, Some(0), "the other leg is heard");
        }
    }
}

#[test]
fn seams_are_no_noisier_than_other_places() {
    for hertz in [8_000, 44_100] {
        let format = format(hertz, Channels::Mono);
        let length = usize::try_from(Settings::of(format).frame_samples()).expect("small");
        let mut source = Memory::new(format, tones(hertz, 600 * length));
        let layout = Mp3Layout::new(format, source.frames());
        let (sound, _) = decoded(&made(&mut source));
        let noise_at = |at: usize| -> f64 {
            let pairs = source.samples[at..at + length].iter().zip(&sound[at..]);
            pairs
                .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
                .sum()
        };
        let elsewhere: f64 = (10..590).map(|frame| noise_at(frame * length)).sum::<f64>() / 580.0;
        for chunk in 1..layout.chunks() {
            // A coded frame sounds 1105 frames of sound after its place, 1105 are cut off.
            let seam = usize::try_from(layout.frames_of(chunk).start).expect("small") * length;
            for at in [seam - length, seam - length / 2, seam] {
                let noise = noise_at(at);
                assert!(
                    noise < 2.0 * elsewhere,
                    "{noise} at {at}, {elsewhere} elsewhere"
                );
            }
        }
    }
}

/// Runs a tool if the machine has it.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    Command::new(program).args(arguments).output().ok()
}

#[test]
fn other_programs_find_nothing_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    for (hertz, channels) in [
        (8_000, Channels::Mono),
        (11_025, Channels::Mono),
        (22_050, Channels::Stereo),
        (44_100, Channels::Stereo),
    ] {
        let frames = 12 * hertz as usize + 1;
        let leg = speech(hertz, frames, false);
        let samples = match channels {
            Channels::Mono => leg,
            Channels::Stereo => legs(&leg, &tones(hertz, frames)),
        };
        let mut source = Memory::new(format(hertz, channels), samples);
        let mp3 = path("made.mp3");
        std::fs::write(&mp3, made(&mut source)).expect("room");
        if let Some(found) = run("mp3val", &[&mp3]) {
            let text = String::from_utf8_lossy(&found.stdout).into_owned();
            let complains = text.contains("WARNING") || text.contains("ERROR");
            assert!(text.contains("CBR") && !complains, "{text}");
        }
        let (raw, wav) = (path("made.raw"), path("made.wav"));
        let ffmpeg = ["-v", "warning", "-y", "-i", &mp3, "-f", "s16le", &raw];
        if let Some(decoded) = run("ffmpeg", &ffmpeg) {
            let said = String::from_utf8_lossy(&decoded.stderr).into_owned();
            assert!(decoded.status.success() && said.is_empty(), "{said}");
            compare(
                &source,
                &std::fs::read(&raw).expect("what ffmpeg wrote"),
                "ffmpeg",
            );
        }
        if run("lame", &["--quiet", "--decode", &mp3, &wav]).is_some() {
            let mut decoded =
                decode::open(File::open(&wav).expect("what LAME wrote")).expect("a WAV file");
            let mut samples = vec![0; source.samples.len() + 2];
            let mut count = 0;
            while let frames @ 1.. = decoded.read(&mut samples[count..]).expect("sound") {
                count += frames * channels.count();
            }
            let bytes: Vec<u8> = samples[..count]
                .iter()
                .flat_map(|s| s.to_le_bytes())
                .collect();
            compare(&source, &bytes, "lame");
        }
    }
}

fn compare(source: &Memory, bytes: &[u8], program: &str) {
    let sound: Vec<i16> = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| i16::from_le_bytes(*pair))
        .collect();
    assert_eq!(sound.len(), source.samples.len(), "{program}");
    let (product, before, after) = sums(&source.samples, &sound);
    assert!(product / (before * after).sqrt() > 0.99, "{program}");
}
