//! How soon a command is heard, and whether what is told of places and times is true.

use super::*;

/// The first frame from `from` on that is so.
fn first(heard: &[i16], from: usize, is_so: impl Fn(i16) -> bool) -> usize {
    let found = heard[from..].iter().position(|sample| is_so(*sample));
    from + found.expect("it is heard")
}

fn rates() -> impl Iterator<Item = SampleRate> {
    [8_000, 11_025, 16_000, 44_100, 48_000]
        .into_iter()
        .map(|hertz| SampleRate::new(hertz).expect("a rate"))
}

/// Two seconds of one level, then two of another.
fn two_levels(rate: SampleRate) -> Playlist {
    let half = usize::try_from(rate.hertz()).expect("small") * 2;
    let mut samples = vec![8_000; half];
    samples.resize(2 * half, -8_000);
    Scripted::new(rate, samples).playlist()
}

/// Gives a command so long after a turn of the device, and says after how many frames something
/// is heard of it.
fn heard_after(
    rig: &mut Rig,
    phase: Millis,
    command: impl FnOnce(&PlayerControl),
    is_so: impl Fn(i16) -> bool,
) -> usize {
    let now = rig.hearing() + rig.frames(phase);
    rig.clock.advance(phase.into());
    command(&rig.control);
    rig.step(Duration::from_millis(PERIOD.0 - phase.0));
    rig.run(20);
    first(&rig.written(), now, is_so) - now
}

#[test]
fn every_command_is_heard_within_50_ms() {
    for (rate, phase) in rates().flat_map(|rate| [0, 3, 9].map(|phase| (rate, Millis(phase)))) {
        let mut rig = Rig::new(rate);
        let most = rig.frames(Millis(50));
        let check = |what: &str, frames: usize| {
            let least = rig_least(rate);
            assert!(
                frames <= most,
                "{what} at {rate} after {phase}: {frames} frames"
            );
            assert!(
                frames >= least,
                "{what} at {rate} after {phase}: {frames} frames"
            );
        };
        let full = |sample| sample == 8_000;
        let silent = |sample| sample == 0;
        let start = |control: &PlayerControl| {
            control.start(two_levels(rate)).expect("a start");
        };
        check(
            "start",
            heard_after(&mut rig, phase, start, |sample| sample > 0),
        );
        let ask = |command: Command| {
            move |control: &PlayerControl| {
                command(control).expect("a playback");
            }
        };
        let pause = ask(PlayerControl::pause);
        check("pause", heard_after(&mut rig, phase, pause, silent));
        let resume = ask(PlayerControl::resume);
        check(
            "resume",
            heard_after(&mut rig, phase, resume, |sample| sample > 0),
        );
        let forward = ask(|control| control.seek(Seek::To(Millis(2_000))));
        check(
            "seek",
            heard_after(&mut rig, phase, forward, |sample| sample < 0),
        );
        let back = ask(|control| control.seek(Seek::By(-2_000)));
        check(
            "seek back",
            heard_after(&mut rig, phase, back, |sample| sample > 0),
        );
        let restart = ask(PlayerControl::restart);
        check(
            "restart",
            heard_after(&mut rig, phase, restart, |sample| !full(sample)),
        );
        let silence = ask(|control| control.silence(None));
        check("silence", heard_after(&mut rig, phase, silence, silent));
        check(
            "start again",
            heard_after(&mut rig, phase, start, |sample| sample > 0),
        );
        let stop = ask(|control| control.stop(HaltReason::Stopped));
        check("stop", heard_after(&mut rig, phase, stop, silent));
        let starved = rig.control.stats().underruns.load(Ordering::Relaxed);
        assert_eq!(starved, 0, "{rate} after {phase}");
        let underruns = rig.pump.device_stats().underruns.load(Ordering::Relaxed);
        assert_eq!(underruns, 0, "{rate} after {phase}");
    }
}

/// No command can be heard sooner than what the device has already been given, less one period.
fn rig_least(rate: SampleRate) -> usize {
    usize::try_from(rate.frames_in(Millis(AHEAD.0 - PERIOD.0)).0).expect("small")
}

#[test]
fn places_and_times_are_those_of_what_was_heard() {
    let mut rig = Rig::new(RATE);
    let count = count(1, 24_000);
    rig.control
        .start(Scripted::new(RATE, count).playlist())
        .expect("a start");
    let steps: [(u64, Command); 6] = [
        (500, PlayerControl::pause),
        (300, PlayerControl::resume),
        (200, |control| control.seek(Seek::By(1_000))),
        (300, |control| control.seek(Seek::By(-400))),
        (300, PlayerControl::restart),
        (250, |control| control.stop(HaltReason::Stopped)),
    ];
    for (time, command) in steps {
        for _ in 0..time / PERIOD.0 {
            rig.run(1);
            let heard = rig.written()[rig.hearing()];
            let said = rig.control.position();
            // Fades change the numbers that say where the sound stands.
            if heard > 100 && runs(&rig.written()[rig.hearing() - 64..][..128]).len() == 1 {
                let (_, offset) = said.expect("something plays");
                let true_offset = RATE.duration_of(Frames(heard.unsigned_abs().into()));
                assert!(
                    offset.0.abs_diff(true_offset.0) <= 1,
                    "{offset} {true_offset}"
                );
            }
        }
        command(&rig.control).expect("a playback");
    }
    rig.run_for(Millis(100));
    let heard = runs(&rig.written());
    let steady: Vec<_> = heard
        .iter()
        .filter(|(_, _, length)| *length > 500)
        .collect();
    assert_eq!(steady.len(), 5, "{steady:?}");
    // A jump begins where the sound was left, to within the fades on both sides.
    let left = |n: usize| i64::from(steady[n].0) + i64::try_from(steady[n].2).expect("small");
    let entered = |n: usize| i64::from(steady[n].0);
    for (n, by) in [(0, 0), (1, 8_000), (2, -3_200)] {
        let jump = entered(n + 1) - left(n) - by;
        assert!((0..=130).contains(&jump), "jump {n}: {jump} frames off");
    }
    assert!((0..=70).contains(&entered(4)), "{}", entered(4));
    let stopped = rig.stopped().expect("an end");
    assert_eq!(stopped.reason, EndReason::Stopped);
    let offset = u64::try_from(left(4)).expect("positive") / 8;
    assert!(
        stopped.offset.0.abs_diff(offset) <= 9,
        "{stopped:?} {offset}"
    );
    let played: usize = steady.iter().map(|(_, _, length)| length).sum();
    let played = u64::try_from(played).expect("small") / 8;
    // Five times two fades are played, too.
    assert!(
        stopped.played.0.abs_diff(played + 80) <= 9,
        "{stopped:?} {played}"
    );
}

#[test]
fn an_end_is_told_when_it_has_been_heard() {
    let mut rig = Rig::new(RATE);
    rig.control
        .start(Scripted::new(RATE, vec![5_000; 4_000]).playlist())
        .expect("a start");
    let mut told = None;
    for _ in 0..100 {
        rig.run(1);
        if let Some(stopped) = rig.stopped() {
            told = Some((stopped, rig.hearing()));
        }
    }
    let (stopped, told) = told.expect("an end");
    assert_eq!(stopped.reason, EndReason::Finished);
    assert_eq!((stopped.offset, stopped.played), (Millis(500), Millis(500)));
    let last = rig.written().iter().rposition(|sample| *sample != 0);
    let last = last.expect("sound");
    assert!(told > last && told - last <= 81, "{told} {last}");
}

#[test]
fn a_seek_is_clamped_at_the_start_and_ends_past_the_end() {
    let mut rig = Rig::new(RATE);
    let list = || Scripted::new(RATE, count(1, 24_000)).playlist();
    rig.control.start(list()).expect("a start");
    rig.run_for(Millis(500));
    rig.control.seek(Seek::By(i64::MIN)).expect("a playback");
    rig.run_for(Millis(200));
    let (_, offset) = rig.control.position().expect("it plays");
    assert!(offset <= Millis(200), "{offset}");
    rig.control.seek(Seek::By(2_900)).expect("a playback");
    rig.run_for(Millis(100));
    let stopped = rig.stopped().expect("an end");
    assert_eq!(stopped.reason, EndReason::SeekPastEnd);
    assert_eq!(stopped.offset, Millis(3_000));
    assert_eq!(rig.control.position(), None);
    let refused = rig.control.seek(Seek::By(1));
    assert_eq!(refused, Err(PlayerError::NothingPlays));
    // A start past the end ends at once, and is told as any other.
    let past = Playlist {
        offset: Millis::from_secs(86_400),
        ..list()
    };
    rig.control.start(past).expect("a start");
    rig.run_for(Millis(100));
    let events = rig.events();
    let [(2, Happened::Started), (2, Happened::Stopped(stopped))] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (stopped.reason, stopped.played),
        (EndReason::Finished, Millis::ZERO)
    );
}

#[test]
fn an_offset_is_where_the_sound_begins() {
    let mut rig = Rig::new(RATE);
    let list = Playlist {
        offset: Millis(2_000),
        ..Scripted::new(RATE, count(1, 24_000)).playlist()
    };
    rig.control.start(list).expect("a start");
    rig.run_for(Millis(1_500));
    let heard = runs(&rig.written());
    let longest = heard.iter().max_by_key(|(_, _, length)| *length);
    let (first, _, length) = longest.expect("sound");
    assert!((16_000..=16_070).contains(first), "{first}");
    assert!(*length >= 8_000 - 130, "{length}");
    let stopped = rig.stopped().expect("an end");
    assert_eq!(
        (stopped.offset, stopped.played),
        (Millis(3_000), Millis(1_000))
    );
}
