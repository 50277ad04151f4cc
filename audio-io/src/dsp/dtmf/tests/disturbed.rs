//! Digits in noise, dial tone, echoes and speech, and speech alone.

use super::sound::{Speech, speech};
use super::*;
use crate::codec::g711::{alaw_to_linear, linear_to_alaw, linear_to_mulaw, mulaw_to_linear};

#[test]
fn noise_down_to_8_db_hides_no_digit_and_makes_none() {
    for snr_db in [24.0, 15.0, 12.0, 8.0] {
        for play in [
            PLAIN,
            PlayParams {
                on: Millis(40),
                off: Millis(40),
                ..PLAIN
            },
            PlayParams {
                offset: 0.015,
                ..PLAIN
            },
            PlayParams {
                offset: -0.015,
                ..PLAIN
            },
        ] {
            let rms = signal_rms() / 10_f64.powf(snr_db / 20.0);
            let mut noise = Noise(88_172_645_463_325_252);
            let mut sound = dial(play, KEYS);
            add(&mut sound, |_| noise.next() * rms);
            let heard = hear(DetectorParams::default(), &sound);
            assert_eq!(keys(&heard), KEYS, "{snr_db} dB, {play:?}");
        }
    }
    let mut noise = Noise(1);
    let mut alone = silence(TELEPHONE, 60_000);
    add(&mut alone, |_| noise.next() * 3_000.0);
    assert_eq!(hear(DetectorParams::default(), &alone), vec![]);
}

#[test]
fn digits_over_dial_tone_are_heard() {
    for tones in [
        [350.0, 440.0],
        [425.0, 425.0],
        [350.0, 450.0],
        [400.0, 400.0],
    ] {
        for low_dbm in [-10.0, -20.0] {
            let mut sound = dial(PlayParams { low_dbm, ..PLAIN }, KEYS);
            let [first, second] = tones.map(|hertz| sine(hertz, -13.0));
            add(&mut sound, |index| first(index) + second(index));
            let heard = hear(DetectorParams::default(), &sound);
            assert_eq!(keys(&heard), KEYS, "{tones:?}, {low_dbm} dBm");
        }
    }
}

#[test]
fn digits_survive_g711_at_every_level() {
    for low_dbm in [-3.0, -10.0, -18.0, -25.0] {
        let sound = dial(PlayParams { low_dbm, ..PLAIN }, KEYS);
        let of = |law: fn(i16) -> i16| sound.iter().map(|x| law(*x)).collect::<Vec<_>>();
        for coded in [
            of(|x| alaw_to_linear(linear_to_alaw(x))),
            of(|x| mulaw_to_linear(linear_to_mulaw(x))),
        ] {
            assert_eq!(
                keys(&hear(DetectorParams::default(), &coded)),
                KEYS,
                "{low_dbm} dBm"
            );
        }
    }
}

#[test]
fn echoes_of_the_digits_themselves_are_tolerated() {
    let clean = dial(PLAIN, KEYS);
    for delay_ms in [10, 20] {
        let delay = delay_ms * 8;
        let mut sound = clean.clone();
        add(&mut sound, |index| {
            index
                .checked_sub(delay)
                .map_or(0.0, |at| f64::from(clean[at]) * 0.316)
        });
        assert_eq!(
            keys(&hear(DetectorParams::default(), &sound)),
            KEYS,
            "{delay_ms} ms"
        );
    }
}

#[test]
fn one_tone_alone_is_no_digit() {
    for hertz in [697.0, 770.0, 941.0, 1_209.0, 1_477.0, 1_633.0] {
        let mut sound = silence(TELEPHONE, 400);
        add(&mut sound, sine(hertz, -10.0));
        assert_eq!(hear(DetectorParams::default(), &sound), vec![]);
    }
}

#[test]
fn speech_holds_no_digits() {
    let Some(Speech { samples, source }) = speech(180) else {
        return;
    };
    let heard = hear(DetectorParams::default(), &samples);
    assert!(heard.is_empty(), "{source}: {heard:?}");
}

#[test]
fn digits_in_speech_are_heard() {
    let Some(Speech { samples, source }) = speech(60) else {
        return;
    };
    let talking = samples
        .iter()
        .filter(|x| x.unsigned_abs() > 100)
        .count()
        .max(1);
    let energy: f64 = samples.iter().map(|x| f64::from(*x).powi(2)).sum();
    #[allow(clippy::cast_precision_loss, reason = "a minute of samples")]
    let speech_rms = (energy / talking as f64).sqrt();
    let dialled = KEYS.repeat(4);
    // The least part of the digits that must be heard, in percent; never one that was not dialled.
    for (snr_db, least) in [(20.0, 100), (15.0, 100), (10.0, 95), (6.0, 85)] {
        let mut sound = dial(
            PlayParams {
                on: Millis(80),
                off: Millis(120),
                ..PLAIN
            },
            &dialled,
        );
        let gain = signal_rms() / 10_f64.powf(snr_db / 20.0) / speech_rms;
        add(&mut sound, |index| {
            f64::from(samples[index % samples.len()]) * gain
        });
        let heard = keys(&hear(DetectorParams::default(), &sound));
        let mut rest = dialled.chars();
        let known = heard.chars().all(|key| rest.any(|dialled| dialled == key));
        assert!(known, "{source}, {snr_db} dB: {heard}");
        assert!(
            heard.len() * 100 >= least * dialled.len(),
            "{source}, {snr_db} dB: {heard}"
        );
    }
}
