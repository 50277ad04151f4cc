//! The real alsa-lib, on its `null`, `file`, `mulaw` and `multi` plugins, with a configuration of
//! our own. Each test runs in a process of its own: alsa-lib reads its configuration once, and
//! from the environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use audio_io::alsa::hint::{self, Direction};
use audio_io::alsa::{AlsaCapture, AlsaPlayback};
use audio_io::block::{Block, BlockKind};
use audio_io::capture::{CaptureSource, CaptureThread, DeviceState, RealtimeOptions};
use audio_io::clock::{Clock, SystemClock};
use audio_io::dsp::tone::{Tone, amplitude_at, frequency_of, leg_samples};
use audio_io::format::{Channels, Encoding, StreamFormat};
use audio_io::playout::{PlayoutSink, PlayoutThread};
use audio_io::port::{CapturePort, Captured, OpenError, Pacing, Played};
use audio_io::units::{Frames, Millis};

const FORMAT: StreamFormat = StreamFormat::TELEPHONE;
const PERIOD: Millis = Millis(20);
const BUFFER: Millis = Millis(160);
const FOLDER: &str = "CALLREEL_TEST_ALSA_FOLDER";

/// Runs the rest of a test in a child process whose alsa-lib knows our PCMs only; in the child,
/// gives their folder.
fn private_alsa(test: &str) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return Some(folder.into());
    }
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().display();
    let sound = Tone::new(FORMAT.rate, 440.0, 0.5).bytes(Frames(80_000), FORMAT);
    fs::write(folder.path().join("tone.raw"), sound).expect("the tone");
    let configuration = format!(
        "pcm.silence {{ type null }}
         pcm.tone {{ type file slave.pcm silence file /dev/null infile {at}/tone.raw format raw }}
         pcm.sink {{ type file slave.pcm silence file {at}/heard.raw format raw }}
         pcm.companded {{ type mulaw slave {{ pcm tone format S16_LE }} }}
         pcm.single {{ type multi slaves.a {{ pcm silence channels 1 }}
             bindings.0 {{ slave a channel 0 }} }}
         pcm.plugged {{ type plug slave.pcm tone }}"
    );
    let path = folder.path().join("asound.conf");
    fs::write(&path, configuration).expect("the configuration");
    // Captured, so that only this program's own count is seen.
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env("ALSA_CONFIG_PATH", &path)
        .env(FOLDER, folder.path())
        .output()
        .expect("a child process");
    assert!(
        child.status.success(),
        "{test} in its own process:\n{}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
    None
}

fn open(device: &str, format: StreamFormat) -> Result<Box<dyn CapturePort>, OpenError> {
    AlsaCapture::opener(device, format, PERIOD, BUFFER).open()
}

fn read(port: &mut dyn CapturePort, format: StreamFormat, frames: usize) -> Vec<u8> {
    let mut sound = Vec::new();
    let mut buffer = [0xAA; 4_096];
    while sound.len() < frames * format.frame_bytes() {
        match port.read(&mut buffer) {
            Captured::Frames(frames) => {
                let bytes = usize::try_from(format.bytes_of(frames)).expect("a buffer's worth");
                sound.extend_from_slice(&buffer[..bytes]);
            }
            other => panic!("{other:?}"),
        }
    }
    sound
}

fn assert_tone(samples: &[i16]) {
    let hertz = frequency_of(samples, FORMAT.rate).expect("a tone");
    let amplitude = amplitude_at(samples, FORMAT.rate, 440.0);
    assert!((hertz - 440.0).abs() < 0.2, "{hertz} Hz");
    assert!((amplitude - 0.5).abs() < 0.01, "amplitude {amplitude}");
}

#[test]
fn sound_is_captured_and_converted() {
    if private_alsa("sound_is_captured_and_converted").is_none() {
        return;
    }
    for device in ["tone", "plugged", "companded"] {
        let mut port = open(device, FORMAT).expect("a PCM of our own");
        let params = port.params();
        assert_eq!(params.format, FORMAT, "{device}");
        assert_eq!(params.pacing, Pacing::Clock, "{device}");
        assert_eq!(
            (params.period, params.buffer),
            (Frames(160), Frames(1_280)),
            "{device}"
        );
        let sound = read(port.as_mut(), FORMAT, 8_000);
        assert_tone(&leg_samples(&sound, FORMAT, 0)[..8_000]);
        assert_eq!(port.restart(), Ok(()), "{device}");
        read(port.as_mut(), FORMAT, 100);
    }
    let companded = StreamFormat {
        encoding: Encoding::ALaw,
        ..FORMAT
    };
    let mut port = open("companded", companded).expect("µ-law becomes A-law");
    let sound = read(port.as_mut(), companded, 8_000);
    assert_tone(&leg_samples(&sound, companded, 0)[..8_000]);
}

#[test]
fn a_device_that_leaves_the_buffer_as_it_was_is_silent() {
    if private_alsa("a_device_that_leaves_the_buffer_as_it_was_is_silent").is_none() {
        return;
    }
    for encoding in [Encoding::S16Le, Encoding::MuLaw, Encoding::ALaw] {
        let format = StreamFormat {
            encoding,
            channels: Channels::Stereo,
            ..FORMAT
        };
        let mut port = open("silence", format).expect("alsa-lib's null");
        let sound = read(port.as_mut(), format, 1_000);
        assert!(
            sound.iter().all(|byte| *byte == encoding.silence_byte()),
            "{encoding}"
        );
    }
}

#[test]
fn what_cannot_be_had_is_refused_with_what_can() {
    if private_alsa("what_cannot_be_had_is_refused_with_what_can").is_none() {
        return;
    }
    let stereo = StreamFormat {
        channels: Channels::Stereo,
        ..FORMAT
    };
    let error = open("single", stereo)
        .err()
        .expect("one channel is not two")
        .to_string();
    assert!(error.contains("2 channel(s); it offers 1"), "{error}");
    assert!(error.contains("plug:'single'"), "{error}");
    let error = open("nowhere", FORMAT).err().expect("there is no such PCM");
    assert_eq!(error.errno(), libc::ENOENT);
    let text = error.to_string();
    assert!(text.contains("Unknown PCM nowhere"), "{text}");
    assert!(text.contains("callreel devices"), "{text}");
}

#[test]
fn what_is_played_arrives() {
    let Some(folder) = private_alsa("what_is_played_arrives") else {
        return;
    };
    let sound = Tone::new(FORMAT.rate, 440.0, 0.5).bytes(Frames(8_000), FORMAT);
    let mut port = AlsaPlayback::opener("sink", FORMAT, PERIOD, BUFFER)
        .open()
        .expect("a file to play to");
    let mut rest = &sound[..];
    while !rest.is_empty() {
        match port.write(rest) {
            Played::Frames(frames) => {
                let bytes = usize::try_from(FORMAT.bytes_of(frames)).expect("what was given");
                rest = &rest[bytes..];
            }
            other => panic!("{other:?}"),
        }
    }
    drop(port);
    assert!(heard(&folder).starts_with(&sound));
}

fn heard(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("heard.raw")).expect("what was played")
}

#[test]
fn devices_are_listed_and_probed() {
    if private_alsa("devices_are_listed_and_probed").is_none() {
        return;
    }
    let names: Vec<String> = hint::list()
        .expect("a list")
        .into_iter()
        .map(|one| one.name)
        .collect();
    let unique: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "{names:?}");
    let single = hint::probe("single", Direction::Capture).expect("a PCM of our own");
    assert_eq!((single.channels_min, single.channels_max), (1, 1));
    let companded = hint::probe("companded", Direction::Capture).expect("a PCM of our own");
    assert_eq!(companded.encodings, [Encoding::MuLaw]);
    assert!(companded.rates.contains(&FORMAT.rate));
    let missing = hint::probe("nowhere", Direction::Playback).map_err(|error| error.errno());
    assert_eq!(missing, Err(libc::ENOENT));
}

#[test]
fn threads_pace_devices_that_do_not_pace_themselves() {
    let Some(folder) = private_alsa("threads_pace_devices_that_do_not_pace_themselves") else {
        return;
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let options = RealtimeOptions {
        priority: Some(10),
        lock_memory: false,
        ring_ms: 10_000,
    };
    let source = |device: &str| CaptureSource {
        label: device.into(),
        opener: AlsaCapture::opener(device, FORMAT, PERIOD, BUFFER),
        format: FORMAT,
    };
    let sources = vec![source("tone"), source("nowhere")];
    let begun = clock.monotonic();
    let (capture, mut captured) =
        CaptureThread::spawn("cap", sources, options.clone(), Arc::clone(&clock))
            .expect("two threads");
    let sink = PlayoutSink {
        label: "sink".into(),
        opener: AlsaPlayback::opener("sink", FORMAT, PERIOD, BUFFER),
        format: FORMAT,
    };
    let (playout, mut played) =
        PlayoutThread::spawn("play", vec![sink], options, Arc::clone(&clock)).expect("two threads");
    let sound = Tone::new(FORMAT.rate, 440.0, 0.5).bytes(Frames(4_000), FORMAT);
    for (n, piece) in sound.chunks(320).enumerate() {
        assert!(
            played[0]
                .blocks
                .push(Block::audio(Frames(160 * n as u64), piece))
                .is_ok()
        );
    }
    let mut tone = Vec::new();
    while tone.len() < 8_000 || played[0].stats.frames.load(Ordering::Relaxed) < 4_000 {
        captured[0].blocks.pop_with(|block| {
            assert_eq!(block.kind, BlockKind::Audio);
            tone.extend_from_slice(block.sound());
        });
        std::thread::yield_now();
    }
    // No timed assertion: the clock, however fast this machine is, has allowed what was read.
    let allowed = (clock.monotonic() - begun).as_millis() * 8 + 160;
    assert!(u128::from(captured[0].stats.frames.load(Ordering::Relaxed)) <= allowed);
    while captured[1].stats.lost_frames.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    assert_eq!(captured[1].stats.device_state(), DeviceState::Lost);
    let error = captured[1].stats.open_error().expect("why it is lost");
    assert_eq!(error.errno(), libc::ENOENT);
    drop((capture, playout));
    assert_tone(&leg_samples(&tone, FORMAT, 0));
    let heard = heard(&folder);
    let start = heard
        .chunks(2)
        .position(|sample| sample == &sound[2..4])
        .expect("its beginning");
    assert_eq!(
        heard[2 * start - 2..][..sound.len()],
        sound[..],
        "played without a break"
    );
}
