//! Peers that speak another rate than their line.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::rig::Rig;
use crate::dsp::tone::leg_samples;
use crate::format::StreamFormat;

/// 440 Hz at a quarter of full scale.
#[allow(clippy::cast_possible_truncation, reason = "a quarter of full scale")]
fn tone(hertz: u32, from: usize, count: usize) -> Vec<i16> {
    (from..from + count)
        .map(|n| {
            let turns = n as f64 * 440.0 / f64::from(hertz);
            (turns.fract() * std::f64::consts::TAU)
                .sin()
                .mul_add(8_000.0, 0.0) as i16
        })
        .collect()
}

/// The amplitude of 440 Hz in some sound, and of all else in it.
fn measure(samples: &[i16], hertz: u32) -> (f64, f64) {
    let (mut real, mut imaginary, mut power) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let turn = (n as f64 * 440.0 / f64::from(hertz)).fract() * std::f64::consts::TAU;
        real += f64::from(*sample) * turn.cos();
        imaginary += f64::from(*sample) * turn.sin();
        power += f64::from(*sample).powi(2);
    }
    let count = samples.len() as f64;
    let amplitude = 2.0 * real.hypot(imaginary) / count;
    let rest = (power / count - amplitude.powi(2) / 2.0).max(0.0).sqrt();
    (amplitude, rest)
}

fn check(samples: &[i16], hertz: u32, what: &str) {
    // Whole turns of 440 Hz: 50 ms are 22.
    let step = hertz as usize / 20;
    let middle = &samples[samples.len() / 4..];
    let whole = &middle[..middle.len() / 2 / step * step];
    assert!(whole.len() >= 4 * step, "{what}: {} samples", samples.len());
    let (amplitude, rest) = measure(whole, hertz);
    assert!(
        (7_900.0..8_100.0).contains(&amplitude),
        "{what}: {amplitude}"
    );
    assert!(rest < 40.0, "{what}: {rest} of something else");
}

#[test]
fn a_tone_goes_through_both_ways_at_every_rate() {
    let rates = [
        (0x10, 8_000),
        (0x11, 12_000),
        (0x12, 16_000),
        (0x13, 24_000),
        (0x14, 32_000),
        (0x15, 44_100),
        (0x16, 48_000),
        (0x17, 96_000),
        (0x18, 192_000),
    ];
    for line_rate in [8_000, 16_000, 44_100] {
        let mut rig = Rig::new(1, line_rate);
        for (number, (kind, hertz)) in (1..).zip(rates) {
            one_rate(&mut rig, line_rate, number, (kind, hertz));
            rig.run(100);
        }
    }
}

fn one_rate(rig: &mut Rig, line_rate: u32, number: u8, (kind, hertz): (u8, u32)) {
    let (mut peer, line) = rig.call(number);
    let frame = hertz as usize / 50;
    rig.lines[line].heard.clear();
    peer.sound(kind, &tone(hertz, 0, frame));
    // The converter is made on another thread, while no time passes here.
    let sounds = |rig: &Rig| rig.lines[line].sound().len() > 4;
    for at in 1..4 {
        peer.sound(kind, &tone(hertz, at * frame, frame));
        rig.run(2);
    }
    rig.until(false, "it sounds", sounds);
    let mut heard = Vec::new();
    for at in 4..60 {
        peer.sound(kind, &tone(hertz, at * frame, frame));
        rig.run(2);
    }
    let what = format!("{hertz} Hz to a line at {line_rate} Hz");
    let sound = &rig.lines[line].heard;
    let begins = sound.iter().position(|one| *one != 0).expect("sound");
    check(&sound[begins..], line_rate, &what);
    // And back: frames of its own rate, 20 ms each.
    peer.say(0x00, &[]);
    rig.run(4);
    while let Some((kind, payload)) = peer.next() {
        if kind != 0 {
            heard.push((kind, payload));
        }
    }
    let (last, payload) = heard.last().expect("frames");
    assert_eq!(
        (*last, payload.len()),
        (kind, 2 * frame),
        "{what}: its own rate"
    );
    rig.lines[line].playing = None;
}

#[test]
fn what_is_played_arrives_at_the_peers_rate() {
    let mut rig = Rig::new(1, 8_000);
    let (mut peer, line) = rig.call(1);
    peer.sound(0x12, &[0; 320]);
    let frames = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&frames);
    // It reads while it is spoken to, however fast time passes here.
    let hearing = std::thread::spawn(move || {
        let mut heard = Vec::new();
        while let Some((kind, payload)) = peer.next() {
            counting.fetch_add(1, Ordering::Relaxed);
            let pairs = payload.chunks_exact(2);
            if kind == 0x12 {
                heard.extend(pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
            }
        }
        heard
    });
    let format = StreamFormat::TELEPHONE;
    rig.run(2);
    rig.until(true, "it has a converter", |rig| {
        rig.lines[line].heard.len() > 8_000
    });
    let mut port = rig.lines[line].port.take().expect("open");
    let sound = tone(8_000, 0, 16_000);
    let mut left = &sound[..];
    let (before, mut turns) = (frames.load(Ordering::Relaxed), 0);
    while !left.is_empty() {
        rig.clock.advance(std::time::Duration::from_millis(10));
        port.capture().read(&mut [0; 16_384]);
        let out = port.playback().expect("it plays");
        let room = usize::try_from(240_u64.saturating_sub(out.queued().0)).expect("small");
        let (now, later) = left.split_at(room.min(left.len()));
        let bytes: Vec<_> = now.iter().flat_map(|one| one.to_le_bytes()).collect();
        assert_eq!(leg_samples(&bytes, format, 0), now);
        if !bytes.is_empty() {
            out.write(&bytes);
        }
        left = later;
        turns += 1;
        let read = || before + turns / 2 < frames.load(Ordering::Relaxed) + 20;
        for _ in 0..30_000 {
            if read() {
                break;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
    }
    drop(port);
    let heard = hearing.join().expect("whole frames");
    let begins = heard.iter().position(|one| *one != 0).expect("sound");
    assert!(heard.len() - begins >= 16_000 * 2 - 2_000);
    check(&heard[begins..], 16_000, "8000 Hz to a peer at 16000 Hz");
}
