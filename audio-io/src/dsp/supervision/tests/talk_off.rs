//! What is no supervisory tone: speech, music, digits, noise. The prompts are Debian's, read where
//! they are installed.

use std::path::Path;

use super::*;
use crate::dsp::caller_id::tests::talk_off::{MINUTES, MUSIC, SPEECH, sounds_in};
use crate::dsp::dtmf::{Digit, DigitPlayer, PlayParams};
use crate::units::Millis;

#[test]
fn speech_and_music_end_no_call() {
    for folder in [SPEECH, MUSIC] {
        let mut sound = Vec::new();
        sounds_in(Path::new(folder), &mut sound);
        if sound.is_empty() {
            println!("{folder} is not installed ('make setup'): not listened to");
        }
        sound.truncate(MINUTES * 60 * 8_000);
        for code in FAMILIES {
            let told = all_heard(zone(code).unwrap(), 8_000, &sound);
            assert_eq!(told, [], "{folder}, {code}");
        }
    }
}

#[test]
fn digits_are_no_tones() {
    for (on, off) in [(100, 100), (250, 250), (500, 500), (480, 480)] {
        let params = PlayParams {
            on: Millis(on),
            off: Millis(off),
            ..PlayParams::default()
        };
        let mut sound = Vec::new();
        for digit in Digit::ALL {
            for _ in 0..6 {
                let mut player = DigitPlayer::new(SampleRate::TELEPHONE, params);
                player.push(digit).unwrap();
                let mut piece = vec![0; 8_000];
                let made = player.fill(&mut piece);
                sound.extend(&piece[..made]);
            }
        }
        for zone in ZONES {
            assert_eq!(all_heard(zone, 8_000, &sound), [], "{}, {on} ms", zone.code);
        }
    }
}

#[test]
fn noise_and_foreign_tones_are_none() {
    let noise = with_noise(&vec![0.0; 30 * 8_000], -20.0, 4);
    let pulsed = |hertz| Signal {
        sound: Sound::Single(hertz),
        cadence: &[Pulse {
            on_ms: 500,
            off_ms: 500,
        }],
    };
    for zone in ZONES {
        assert_eq!(heard(zone, 8_000, &noise), [], "{}", zone.code);
        // Fax calling, answering tone, and a note near the tones of no zone.
        for hertz in [1_100.0, 2_100.0, 550.0] {
            let sound = PLAIN.signal(pulsed(hertz), 10.0);
            assert_eq!(heard(zone, 8_000, &sound), [], "{}, {hertz} Hz", zone.code);
        }
    }
    // A harmonica: 425 Hz with overtones.
    let zone = zone("de").unwrap();
    let mut rich = PLAIN.signal(zone.busy, 12.0);
    let octave = PLAIN.signal(
        Signal {
            sound: Sound::Single(850.0),
            ..zone.busy
        },
        12.0,
    );
    for (sample, over) in rich.iter_mut().zip(&octave) {
        *sample += over * 0.7;
    }
    assert_eq!(heard(zone, 8_000, &rich), []);
}
