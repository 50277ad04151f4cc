//! When a tone is told, and when again.

use super::*;

const SECOND: usize = 8_000;

fn us() -> &'static ToneZone {
    zone("us").unwrap()
}

#[test]
fn zones_are_found_by_their_code() {
    assert!(ZONES.len() >= 40);
    assert!(ZONES.windows(2).all(|pair| pair[0].code < pair[1].code));
    for each in ZONES {
        assert_eq!(zone(each.code).map(|zone| zone.name), Some(each.name));
        assert_eq!(zone(&each.code.to_lowercase()), Some(each));
    }
    assert_eq!(zone("UK"), zone("GB"));
    assert_eq!(zone("xx"), None);
    assert_eq!(zone(""), None);
}

#[test]
fn busy_is_told_after_three_pulses_and_dial_tone_after_two_seconds() {
    for (signal, from, to) in [(us().busy, 3.0, 3.2), (us().dial, 2.0, 2.2)] {
        let leg = sampled(&[vec![0.0; SECOND], PLAIN.signal(signal, 8.0)].concat());
        let told = all_heard(us(), 8_000, &leg);
        assert_eq!(told.len(), 1, "{told:?}");
        let at = told[0].at.0 as f64 / 8_000.0 - 1.0;
        let start = told[0].start.0 as f64 / 8_000.0 - 1.0;
        assert!((from..to).contains(&at), "after {at} s");
        assert!(start.abs() < 0.1, "began {start} s after it did");
    }
}

#[test]
fn two_pulses_are_not_enough() {
    for zone in ZONES {
        let period: u32 = zone
            .busy
            .cadence
            .iter()
            .map(|pulse| u32::from(pulse.on_ms) * 2)
            .sum();
        let two = f64::from(period) * 2.0 / 1_000.0;
        let sound = [PLAIN.signal(zone.busy, two), vec![0.0; 3 * SECOND]].concat();
        assert_eq!(heard(zone, 8_000, &sound), [], "{}", zone.code);
    }
}

#[test]
fn what_stopped_and_came_again_is_told_again() {
    let busy = PLAIN.signal(us().busy, 10.0);
    let dial = PLAIN.signal(us().dial, 6.0);
    let pause = vec![0.0; 4 * SECOND];
    let sound = [&busy, &pause, &busy, &dial, &pause, &dial, &busy]
        .map(Vec::as_slice)
        .concat();
    use Supervision::{Busy, DialTone};
    assert_eq!(
        heard(us(), 8_000, &sound),
        [Busy, Busy, DialTone, DialTone, Busy]
    );
}

#[test]
fn a_reset_forgets() {
    let busy = sampled(&PLAIN.signal(us().busy, 3.0));
    let mut detector = SupervisionDetector::new(us(), SampleRate::TELEPHONE);
    assert_eq!(detector.push(&busy), None);
    detector.reset();
    assert_eq!(detector.push(&busy), None);
    assert!(detector.push(&busy).is_some());
}

#[test]
fn irregular_pulses_are_no_cadence() {
    let mut sound = Vec::new();
    for ms in [500_u16, 300, 700, 400, 500, 900, 350, 620] {
        let cadence: &'static [Pulse] = Box::leak(Box::new([Pulse {
            on_ms: ms,
            off_ms: 500,
        }]));
        let one = Signal {
            sound: us().busy.sound,
            cadence,
        };
        sound.extend(PLAIN.signal(one, f64::from(ms + 500) / 1_000.0));
    }
    assert_eq!(heard(us(), 8_000, &sound), []);
}

#[test]
fn pulses_with_speech_between_are_no_cadence() {
    let zone = zone("de").unwrap();
    let mut sound = PLAIN.signal(zone.busy, 12.0);
    let noise = with_noise(&vec![0.0; sound.len()], PLAIN.dbm - 3.0, 3);
    for (at, sample) in sound.iter_mut().enumerate() {
        // Noise where the tone is off.
        if at % 7_680 >= 3_840 {
            *sample += noise[at];
        }
    }
    assert_eq!(heard(zone, 8_000, &sound), []);
}
