//! Files as our own decoder takes them.

use super::*;
use crate::codec::decode::open;
use crate::codec::probe::probe_file;
use crate::codec::resample::Resampled;

fn all_of(source: &mut dyn PcmSource) -> Vec<i16> {
    let mut samples = Vec::new();
    let mut block = [0; 4_096];
    let channels = source.format().channels.count();
    loop {
        let frames = source.read(&mut block).expect("sound");
        if frames == 0 {
            return samples;
        }
        samples.extend_from_slice(&block[..frames * channels]);
    }
}

fn every_rate(target: Target) {
    for hertz in RATES {
        for channels in BOTH {
            for (sound, least) in [
                (tones(hertz, channels), 0.99),
                (speech(hertz, channels), 0.95),
            ] {
                let file = make(&sound, target).expect("a file is made");
                comes_back(&file, &sound, target, least);
            }
        }
    }
}

fn comes_back(file: &NamedTempFile, sound: &Sound, target: Target, least: f64) {
    let format = sound.format;
    let probed = probe_file(file.reopen().expect("a file")).expect("a known kind");
    let mut decoded = open(file.reopen().expect("a file")).expect("a known kind");
    assert_eq!(probed.frames, decoded.frames(), "{target} {format:?}");
    assert_eq!(decoded.format().channels, format.channels, "{target}");
    let own = f64::from(decoded.format().rate.hertz());
    let late = decoded.frames().0 as f64 / own - sound.seconds();
    // Exact to a frame of the coarsest clock the sound went through.
    let frame = 1.0 / f64::from(format.rate.hertz());
    assert!(late.abs() < frame, "{target} {format:?}: {late} s too long");
    let whole = all_of(decoded.as_mut());
    let count = format.channels.count();
    assert_eq!(
        whole.len() as u64,
        decoded.frames().0 * count as u64,
        "{target} {format:?}"
    );
    if matches!(target, Target::Wav | Target::Flac) {
        assert!(whole == sound.samples, "{target} {format:?}: lossless");
        return;
    }
    let mut back = Resampled::new(decoded.as_mut(), format.rate).expect("another rate");
    let back = Sound {
        samples: all_of(&mut back),
        ..sound.clone()
    };
    for leg in 0..count {
        let (was, is) = (sound.leg(leg), back.leg(leg));
        let found = correlation(&was, &is);
        assert!(found > least, "{target} {format:?}: leg {leg} {found}");
        if count == 2 {
            let other = correlation(&was, &back.leg(1 - leg));
            assert!(
                other.abs() < 0.05,
                "{target}: leg {leg} is in the other: {other}"
            );
        }
    }
}

#[test]
fn wav_comes_back() {
    every_rate(Target::Wav);
}

#[test]
fn flac_comes_back() {
    every_rate(Target::Flac);
}

#[test]
fn m4a_comes_back() {
    every_rate(Target::M4a);
}

#[test]
fn ogg_comes_back() {
    every_rate(Target::Ogg);
}

#[test]
fn webm_comes_back() {
    every_rate(Target::WebM);
}

#[test]
fn what_cannot_be_encoded_at_its_rate_keeps_its_length() {
    for hertz in [9_000, 13_333, 47_999] {
        let sound = tones(hertz, Channels::Stereo);
        for target in TARGETS {
            let file = make(&sound, target).expect("a file is made");
            comes_back(&file, &sound, target, 0.99);
        }
    }
}

#[test]
fn the_shortest_sounds_keep_their_length() {
    for frames in [1, 2, 107, 108, 159, 161, 1_023, 4_097] {
        let sound = Sound::new(8_000, &[tone(8_000, 440.0, frames)]);
        for target in TARGETS {
            let file = make(&sound, target).expect("a file is made");
            // What so few samples look like is not asked of them.
            comes_back(&file, &sound, target, -2.0);
        }
    }
}

/// A browser goes to a place by the tables; our decoder has to find the same sound there.
#[test]
fn places_are_found() {
    let hertz = 16_000;
    // A pitch that rises: every place sounds like itself only.
    let mut turn = 0.0_f64;
    let rise = |frame: u32| {
        turn += 0.05 + f64::from(frame) * 2e-6;
        (12_000.0 * turn.sin()) as i16
    };
    let sound = Sound::new(hertz, &[(0..12 * hertz).map(rise).collect()]);
    for target in TARGETS {
        let file = make(&sound, target).expect("a file is made");
        let mut decoded = open(file.reopen().expect("a file")).expect("a known kind");
        let mut decoded = Resampled::new(decoded.as_mut(), sound.format.rate).expect("a rate");
        for place in [11, 2, 7] {
            let place = place * hertz as usize + 77;
            decoded.seek(Frames(place as u64)).expect("a place");
            let mut block = vec![0; 4_000];
            let mut got = 0;
            while got < block.len() {
                let read = decoded.read(&mut block[got..]).expect("sound");
                assert!(read > 0, "{target}: no sound at {place}");
                got += read;
            }
            let found = correlation(&sound.samples[place..place + 4_000], &block);
            assert!(found > 0.95, "{target}: other sound at {place}: {found}");
        }
    }
}
