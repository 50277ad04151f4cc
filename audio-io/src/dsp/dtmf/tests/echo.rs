//! Barge-in: digits while a prompt is played and its echo returns.

use super::sound::speech;
use super::*;

/// The line's echo: decaying, 25 ms long, of unit energy.
fn hybrid() -> Vec<f64> {
    let mut noise = Noise(77);
    let mut path = vec![0.0; 200];
    let mut fade = 1.0;
    for tap in path.iter_mut().skip(12) {
        *tap = noise.next() * fade;
        fade *= 0.967;
    }
    let energy: f64 = path.iter().map(|tap| tap * tap).sum();
    path.iter().map(|tap| tap / energy.sqrt()).collect()
}

/// The echo of what is played, after a loss in dB.
fn echo_of(played: &[i16], loss_db: f64) -> Vec<f64> {
    let path = hybrid();
    let gain = 10_f64.powf(-loss_db / 20.0);
    (0..played.len())
        .map(|at| {
            let sum: f64 = path
                .iter()
                .take(at + 1)
                .enumerate()
                .map(|(back, tap)| tap * f64::from(played[at - back]))
                .sum();
            sum * gain
        })
        .collect()
}

fn hear_while_played(params: DetectorParams, leg: &[i16], played: &[i16]) -> Vec<DigitHeard> {
    let mut ear = Ear::default();
    let mut detector = DtmfDetector::new(TELEPHONE, params);
    for (leg, played) in leg.chunks(160).zip(played.chunks(160)) {
        detector.push_with_played(leg, played, |event| ear.take(event));
    }
    detector.finish(|event| ear.take(event));
    ear.heard
}

/// A prompt of -16 dBm, by its RMS where it speaks.
fn prompt(length: usize) -> Option<Vec<i16>> {
    let speech = speech(40)?.samples;
    let loud: Vec<f64> = speech
        .iter()
        .filter(|x| x.unsigned_abs() > 100)
        .map(|x| f64::from(*x))
        .collect();
    #[allow(clippy::cast_precision_loss, reason = "a minute of samples")]
    let rms = (loud.iter().map(|x| x * x).sum::<f64>() / loud.len().max(1) as f64).sqrt();
    let gain = peak(-16.0) / std::f64::consts::SQRT_2 / rms;
    Some(
        (0..length)
            .map(|at| clip(f64::from(speech[at % speech.len()]) * gain))
            .collect(),
    )
}

#[test]
fn weak_digits_over_a_loud_prompt_are_heard_with_the_reference() {
    let dialled = KEYS.repeat(2);
    let play = PlayParams {
        on: Millis(80),
        off: Millis(120),
        low_dbm: -22.0,
        ..PLAIN
    };
    // Two seconds of the prompt are there to learn from.
    let mut clean = silence(TELEPHONE, 2_000);
    clean.extend(dial(play, &dialled));
    let Some(played) = prompt(clean.len()) else {
        return;
    };
    for (loss_db, lag) in [(6.0, 0), (10.0, 0), (20.0, 0), (6.0, 800)] {
        let echo = echo_of(&played, loss_db);
        let mut leg = clean.clone();
        let mut noise = Noise(5);
        add(&mut leg, |at| {
            at.checked_sub(lag).map_or(0.0, |at| echo[at]) + 3.0 * noise.next()
        });
        let mut params = DetectorParams::default();
        params.canceller.lag = Frames(lag as u64);
        let without = keys(&hear(params, &leg)).len();
        let with = keys(&hear_while_played(params, &leg, &played));
        println!(
            "{loss_db} dB, lag {lag}: {without} without the reference, {} with",
            with.len()
        );
        assert_eq!(
            with, dialled,
            "{loss_db} dB, without the reference {without}"
        );
    }
}

#[test]
fn a_prompt_alone_is_not_heard_as_digits_nor_are_digits_played() {
    let Some(mut played) = prompt(80_000) else {
        return;
    };
    let ours = dial(PLAIN, KEYS);
    played[40_000..40_000 + ours.len()].copy_from_slice(&ours);
    for loss_db in [3.0, 6.0, 12.0] {
        let leg: Vec<i16> = echo_of(&played, loss_db).into_iter().map(clip).collect();
        let heard = hear_while_played(DetectorParams::default(), &leg, &played);
        assert_eq!(keys(&heard), "", "{loss_db} dB");
        let first = hear_while_played(DetectorParams::default(), &leg[40_000..], &played[40_000..]);
        assert_eq!(keys(&first), "", "{loss_db} dB, nothing learned before");
    }
}

#[test]
fn a_reference_that_has_nothing_to_do_with_the_leg_does_no_harm() {
    let leg = dial(PLAIN, KEYS);
    let Some(played) = prompt(leg.len()) else {
        return;
    };
    let heard = hear_while_played(DetectorParams::default(), &leg, &played);
    assert_eq!(keys(&heard), KEYS);
}
