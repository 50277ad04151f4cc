//! No command is heard as a click: steps from sample to sample, and the spectrum around each cut.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "samples and small counts"
)]

use std::f64::consts::{PI, TAU};

use super::*;
use crate::dsp::tone::{Tone, amplitude_at};

fn tone(hertz: f64, frames: usize) -> Vec<i16> {
    let mut tone = Tone::new(RATE, hertz, 0.5);
    // The quarter turn makes a start and an end as hard as can be.
    let turn = (f64::from(RATE.hertz()) / hertz / 4.0).round() as usize;
    (0..turn).for_each(|_| {
        let _skipped = tone.next_sample();
    });
    (0..frames).map(|_| tone.next_sample()).collect()
}

fn largest_step(samples: &[i16]) -> i32 {
    let steps = samples
        .windows(2)
        .map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs());
    steps.max().unwrap_or_default()
}

/// All there is to cut: every command, replacement and a natural end.
fn all_cuts(rig: &mut Rig, hertz: f64) {
    let list = |frames| Scripted::new(RATE, tone(hertz, frames)).playlist();
    let start = |rig: &Rig, frames| rig.control.start(list(frames)).expect("a start");
    start(rig, 80_000);
    let commands: [Command; 8] = [
        PlayerControl::pause,
        PlayerControl::resume,
        |control| control.seek(Seek::By(1_003)),
        |control| control.seek(Seek::By(-777)),
        PlayerControl::restart,
        PlayerControl::pause,
        |control| control.seek(Seek::By(501)),
        PlayerControl::resume,
    ];
    for command in commands {
        rig.run(33);
        command(&rig.control).expect("a playback");
    }
    // Each reverses the one before it in the middle of its fade.
    rig.run(33);
    rig.control.pause().expect("a playback");
    rig.step(Duration::from_millis(3));
    rig.control.resume().expect("a playback");
    rig.step(Duration::from_millis(7));
    rig.run(33);
    start(rig, 4_002);
    rig.run(33);
    start(rig, 4_002);
    rig.run(100);
    start(rig, 8_000);
    rig.run(33);
    rig.control.silence(Some(Millis(100))).expect("silence");
    rig.run(33);
    start(rig, 8_000);
    rig.run(33);
    rig.control.stop(HaltReason::HungUp).expect("a playback");
    rig.run(33);
}

/// The decoder does not keep up.
fn starve(rig: &mut Rig, hertz: f64) {
    let file = Scripted::new(RATE, tone(hertz, 24_000));
    rig.control.start(file.playlist()).expect("a start");
    rig.run(33);
    rig.working = false;
    rig.run(300);
    rig.working = true;
    rig.run(100);
}

#[test]
fn no_step_is_larger_than_the_sounds_own() {
    for hertz in [50.0, 100.0, 440.0] {
        let mut rig = Rig::new(RATE);
        all_cuts(&mut rig, hertz);
        starve(&mut rig, hertz);
        let own = largest_step(&tone(hertz, 8_000));
        // The cosine's steepest gain step, at the tone's full amplitude.
        let fade = (PI / 2.0 / 64.0 * 16_384.0) as i32;
        let step = largest_step(&rig.written());
        assert!(step <= own + fade + 2, "{hertz} Hz: {step}, own {own}");
        assert_eq!(rig.control.stats().underruns.load(Ordering::Relaxed), 1);
        assert!(ends_of(&rig.events()).values().all(|ends| *ends == 1));
    }
}

/// The largest amplitude between 1.5 and 3.9 kHz, in decibels below the tone's own.
fn clicks(samples: &[i16]) -> f64 {
    let length = samples.len() as f64;
    let window = |n: usize| 0.5 - 0.5 * (TAU * n as f64 / length).cos();
    let windowed: Vec<i16> = samples
        .iter()
        .enumerate()
        .map(|(n, sample)| (f64::from(*sample) * window(n)).round() as i16)
        .collect();
    let amplitudes = (150..390).map(|n| amplitude_at(&windowed, RATE, f64::from(n) * 10.0));
    let most = amplitudes.fold(1e-9, f64::max);
    20.0 * (most / 0.25).log10()
}

fn worst_click(heard: &[i16]) -> f64 {
    let windows = heard.windows(256).step_by(32).map(clicks);
    windows.fold(f64::MIN, f64::max)
}

#[test]
fn cuts_have_nothing_high_in_their_spectrum() {
    let mut rig = Rig::new(RATE);
    all_cuts(&mut rig, 300.0);
    let heard = rig.written();
    let worst = worst_click(&heard);
    let starved = [285.0, 290.0, 295.0, 300.0, 305.0, 310.0].map(|hertz| {
        let mut rig = Rig::new(RATE);
        starve(&mut rig, hertz);
        worst_click(&rig.written())
    });
    let starved = starved.into_iter().fold(f64::MIN, f64::max);
    let mut cut = tone(300.0, 256);
    cut[128..].fill(0);
    let hard = clicks(&cut);
    println!("worst {worst:.1} dB, starved {starved:.1} dB, a hard cut {hard:.1} dB");
    assert!(worst < -60.0, "{worst:.1} dB");
    assert!(starved < -55.0, "{starved:.1} dB");
    assert!(hard > -47.0, "the measure sees clicks: {hard:.1} dB");
}
