//! Files as ffmpeg, ffprobe and mediainfo take them.

use super::*;

/// What mediainfo calls the container and the codec.
fn names(target: Target) -> (&'static str, &'static str, &'static str) {
    match target {
        Target::Wav => ("Wave", "PCM", "pcm_s16le"),
        Target::Flac => ("FLAC", "FLAC", "flac"),
        Target::M4a => ("MPEG-4", "AAC", "aac"),
        Target::Ogg => ("Ogg", "Opus", "opus"),
        Target::WebM => ("WebM", "Opus", "opus"),
        Target::Mp3 => ("MPEG Audio", "MPEG Audio", "mp3"),
    }
}

fn is_lossless(target: Target) -> bool {
    matches!(target, Target::Wav | Target::Flac)
}

/// Both programs name the format and the length, and have nothing to complain about.
fn described(file: &NamedTempFile, sound: &Sound, target: Target) {
    let path = file.path().to_string_lossy();
    let (container, codec, short) = names(target);
    let entries = "format=duration:stream=codec_name,channels";
    let told = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-show_entries",
            entries,
            "-of",
            "default=nw=1",
            &path,
        ],
    );
    let told = String::from_utf8_lossy(&told);
    let value = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("ffprobe on {target}: no {name} in {told}"))
    };
    assert_eq!(value("codec_name="), short);
    assert_eq!(
        value("channels="),
        sound.format.channels.count().to_string()
    );
    let seconds: f64 = value("duration=").parse().expect("seconds");
    // Ogg has no place for its length: ffprobe counts the run-up of 6.5 ms in.
    let surplus = if target == Target::Ogg { 0.0066 } else { 0.0 };
    assert!(
        (-0.001..=0.001 + surplus).contains(&(seconds - sound.seconds())),
        "ffprobe on {target}: {seconds} s, not {}",
        sound.seconds()
    );
    let asked = "--Output=Audio;%Format%,%Channel(s)%,%Duration%";
    let told = run(
        "mediainfo",
        &["--Output=General;%Format%,%Duration%", &path],
    );
    let audio = run("mediainfo", &[asked, &path]);
    let told = String::from_utf8_lossy(&told).into_owned();
    let audio = String::from_utf8_lossy(&audio).into_owned();
    let (general, audio): (Vec<_>, Vec<_>) = (
        told.trim().split(',').collect(),
        audio.trim().split(',').collect(),
    );
    println!("{target} {:?} {general:?} {audio:?}", sound.format);
    assert_eq!((general[0], audio[0]), (container, codec));
    assert_eq!(audio[1], sound.format.channels.count().to_string());
    for ms in [general[1], audio[2]] {
        let ms: f64 = ms.parse().expect("milliseconds");
        assert!(
            (-1.0..=1.0 + 1_000.0 * surplus).contains(&(ms - 1_000.0 * sound.seconds())),
            "mediainfo on {target}: {ms} ms, not {} s",
            sound.seconds()
        );
    }
}

/// The sound is as long as it was, nothing is early or late, and the legs are where they were.
fn alike(got: &Sound, sound: &Sound, target: Target, least: f64) {
    let (sent, back) = (sound.frames().0, got.frames().0);
    if is_lossless(target) {
        assert_eq!(got.samples, sound.samples, "{target}: lossless");
        return;
    }
    let ms = u64::from(sound.format.rate.hertz()) / 1_000;
    // ffmpeg leaves the run-up of an edit list out, but not the padding behind its end.
    let padding = if target == Target::M4a { 1_024 } else { 0 };
    assert!(
        (sent.saturating_sub(ms)..=sent + ms + padding).contains(&back),
        "{target}: {sent} frames became {back}"
    );
    for leg in 0..sound.format.channels.count() {
        let (was, is) = (sound.leg(leg), got.leg(leg));
        let found = correlation(&was, &is);
        assert!(
            found > least,
            "{target} {:?}: leg {leg} {found}",
            sound.format
        );
        assert_eq!(
            lag(&was[4_000..12_000], &is[4_000..12_000]),
            0,
            "{target}: leg {leg}"
        );
        if sound.format.channels == Channels::Stereo {
            let other = correlation(&was, &got.leg(1 - leg));
            assert!(
                other.abs() < 0.05,
                "{target}: leg {leg} is heard in the other: {other}"
            );
        }
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
                alike(&heard(&file, &sound), &sound, target, least);
                described(&file, &sound, target);
            }
        }
    }
}

#[test]
fn wav_at_every_rate() {
    every_rate(Target::Wav);
}

#[test]
fn flac_at_every_rate() {
    every_rate(Target::Flac);
}

#[test]
fn m4a_at_every_rate() {
    every_rate(Target::M4a);
}

#[test]
fn ogg_at_every_rate() {
    every_rate(Target::Ogg);
}

#[test]
fn webm_at_every_rate() {
    every_rate(Target::WebM);
}

/// One leg speaks, the other is silent: the silent one stays so.
#[test]
fn nothing_of_a_leg_is_heard_in_the_other() {
    for hertz in [8_000, 16_000, 48_000] {
        for target in TARGETS {
            for speaking in 0..2 {
                let mut legs = [spoken(0, hertz), spoken(0, hertz)];
                legs[1 - speaking].fill(0);
                let sound = Sound::new(hertz, &legs);
                let file = make(&sound, target).expect("a file is made");
                let got = heard(&file, &sound);
                let energy = |leg: usize| -> f64 {
                    got.leg(leg)
                        .iter()
                        .map(|sample| f64::from(*sample).powi(2))
                        .sum()
                };
                let decibels = 10.0 * (energy(1 - speaking) / energy(speaking)).log10();
                println!("{hertz} {target} {speaking} {decibels}");
                assert!(
                    decibels < -40.0,
                    "{target} at {hertz} Hz: {decibels} dB crosstalk"
                );
            }
        }
    }
}
