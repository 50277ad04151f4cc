//! Sound that is very short, very long, silent or as loud as can be; sources and sinks that fail;
//! what has to be the same each time.

use std::io::{self, Cursor, Read, Seek, Write};

use super::*;
use crate::codec::probe::ProbeError;

fn sink() -> Cursor<Vec<u8>> {
    Cursor::new(Vec::new())
}

fn on(_: Frames) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn no_sound_makes_no_file() {
    for target in Target::ALL {
        let mut sound = Sound::new(8_000, &[Vec::new()]);
        let mut sink = sink();
        let done = encode(&mut sound, target, &mut sink, &mut on);
        let is_none = matches!(
            done,
            Err(EncodeError::Decode(DecodeError::Probe(ProbeError::NoAudio)))
        );
        assert!(
            is_none && sink.into_inner().is_empty(),
            "{target}: {done:?}"
        );
    }
}

#[test]
fn odd_lengths_are_kept() {
    let lengths = [
        1, 2, 31, 159, 160, 161, 959, 1_023, 1_025, 4_095, 4_096, 4_097, 8_191,
    ];
    for (frames, hertz) in lengths.into_iter().zip([8_000, 48_000].into_iter().cycle()) {
        for channels in BOTH {
            let legs = [tone(hertz, 440.0, frames), tone(hertz, 1_000.0, frames)];
            let sound = Sound::new(hertz, &legs[..channels.count()]);
            for target in TARGETS {
                let file = make(&sound, target).expect("a file is made");
                // Opus counts at 48 kHz; the others are heard at their own rate.
                let is_opus = matches!(target, Target::Ogg | Target::WebM);
                let heard_hertz = if is_opus { 48_000 } else { hertz };
                let got = heard_at(heard_hertz, &file, &sound);
                let wanted = frames * (heard_hertz / hertz) as usize;
                let padding = if target == Target::M4a { 1_024 } else { 0 };
                let (back, range) = (got.frames().0 as usize, wanted..=wanted + padding);
                assert!(range.contains(&back), "{target}: {wanted} became {back}");
                if matches!(target, Target::Wav | Target::Flac) {
                    assert_eq!(got.samples, sound.samples, "{target}: {frames}");
                }
            }
        }
    }
}

#[test]
fn silence_and_full_scale_squares_survive() {
    let square = |half: usize| -> Vec<i16> {
        let level = |frame: usize| {
            if frame / half % 2 == 0 {
                i16::MAX
            } else {
                i16::MIN
            }
        };
        (0..16_001).map(level).collect()
    };
    let inverted = square(20).iter().map(|sample| !sample).collect();
    let legs = [
        vec![square(20), inverted],
        vec![vec![0; 16_001]],
        vec![square(1)],
    ];
    for legs in legs {
        let sound = Sound::new(16_000, &legs);
        for target in TARGETS {
            let file = make(&sound, target).expect("a file is made");
            let got = heard(&file, &sound);
            if matches!(target, Target::Wav | Target::Flac) {
                assert_eq!(got.samples, sound.samples, "{target}");
            } else if sound.samples.iter().all(|sample| *sample == 0) {
                assert!(
                    got.samples.iter().all(|sample| sample.abs() <= 1),
                    "{target}"
                );
            } else if legs.len() == 2 {
                let alike = correlation(&sound.leg(0), &got.leg(0));
                let opposite = correlation(&sound.leg(0), &got.leg(1));
                assert!(
                    alike > 0.95 && opposite < -0.95,
                    "{target}: {alike} {opposite}"
                );
            }
        }
    }
}

#[test]
fn three_minutes_stay_in_time() {
    let frames = 180 * 8_000 + 3;
    let mut sound = Sound::new(8_000, &[tone(8_000, 440.0, frames)]);
    // A mark every ten seconds, which a drift would move.
    let click = tone(8_000, 1_000.0, 800);
    for second in (0..180).step_by(10) {
        sound.samples[second * 8_000..second * 8_000 + 800].copy_from_slice(&click);
    }
    for target in TARGETS {
        let file = make(&sound, target).expect("a file is made");
        let got = heard(&file, &sound);
        let last = frames - 8_000;
        let found = correlation(&sound.samples[last..], &got.samples[last..frames]);
        assert!(
            found > 0.99,
            "{target}: the last second is at another place: {found}"
        );
        let mark = 170 * 8_000..170 * 8_000 + 800;
        let found = correlation(&sound.samples[mark.clone()], &got.samples[mark]);
        assert!(
            found > 0.95,
            "{target}: the last mark is at another place: {found}"
        );
    }
}

#[test]
fn the_same_sound_gives_the_same_bytes() {
    for hertz in [8_000, 11_025] {
        let sound = tones(hertz, Channels::Stereo);
        for target in TARGETS {
            let one = make(&sound, target).expect("a file is made");
            let other = make(&sound, target).expect("a file is made");
            assert!(bytes_of(&one) == bytes_of(&other), "{target}");
        }
    }
}

#[test]
fn mp3_is_the_chunks_of_its_layout() {
    use crate::codec::mp3::Mp3Layout;
    let sound = tones(8_000, Channels::Mono);
    let made = bytes_of(&make(&sound, Target::Mp3).expect("a file is made"));
    let layout = Mp3Layout::new(sound.format(), sound.frames());
    let mut source = sound.clone();
    let chunks = (0..layout.chunks()).map(|chunk| layout.encode_chunk(&mut source, chunk));
    let pieces: Vec<_> = chunks.collect::<Result<_, _>>().expect("chunks");
    assert!(made == pieces.concat() && made.len() as u64 == layout.size_bytes());
}

#[test]
fn progress_stops_the_work() {
    for target in TARGETS {
        let mut sound = tones(8_000, Channels::Mono);
        let mut calls = 0;
        let mut stop = |_: Frames| {
            calls += 1;
            if calls == 2 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let done = encode(&mut sound, target, &mut sink(), &mut stop);
        assert!(
            matches!(done, Err(EncodeError::Stopped)),
            "{target}: {done:?}"
        );
        assert_eq!(calls, 2, "{target}");
    }
}

#[test]
fn a_source_that_ends_early_is_damaged() {
    for target in TARGETS {
        let mut sound = tones(8_000, Channels::Mono);
        sound.lie = 9_000;
        let done = encode(&mut sound, target, &mut sink(), &mut on);
        let is_damaged = matches!(done, Err(EncodeError::Decode(DecodeError::Damaged(_))));
        assert!(is_damaged, "{target}: {done:?}");
    }
}

/// A sink on a disk that fills up.
struct Full(Cursor<Vec<u8>>);

impl Read for Full {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.position() + bytes.len() as u64 > 4_000 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Full {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn a_full_disk_is_told() {
    for target in TARGETS {
        let mut sound = tones(8_000, Channels::Mono);
        let done = encode(&mut sound, target, &mut Full(sink()), &mut on);
        let is_full =
            matches!(&done, Err(EncodeError::Io(e)) if e.kind() == io::ErrorKind::StorageFull);
        assert!(is_full, "{target}: {done:?}");
    }
}

/// The names in entity tags follow the libraries: an update that changes bytes changes the tag.
#[test]
fn encoders_are_named_with_the_versions_in_use() {
    let lock = include_str!("../../../../../Cargo.lock");
    for named in [flac::LIBRARY, m4a::LIBRARY, RESAMPLER] {
        let (name, version) = named.split_once(' ').expect("a name and a version");
        let entry = format!("name = \"{name}\"\nversion = \"{version}\"");
        assert!(lock.contains(&entry), "{named} is not what Cargo.lock has");
    }
    let ids: std::collections::BTreeSet<_> = Target::ALL.into_iter().map(encoder_id).collect();
    assert_eq!(ids.len(), Target::ALL.len());
    assert!(encoder_id(Target::Ogg).contains("libopus"));
    assert!(
        ids.iter().all(|id| id.contains(std::env::consts::ARCH)),
        "{ids:?}"
    );
}
