//! Every playback ends in exactly one event, whatever happens to it.

use proptest::prelude::*;

use super::*;

fn list(frames: usize) -> Playlist {
    Scripted::new(RATE, vec![3_000; frames]).playlist()
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Start(u16),
    StartBroken(u16),
    StartBad,
    Silence(Option<u8>),
    Stop,
    Pause,
    Resume,
    Seek(i16),
    Unplug,
    Sleep,
    Wake,
}

struct Bad;

impl SoundFile for Bad {
    fn open(&self) -> Result<Box<dyn PcmSource>, DecodeError> {
        Err(DecodeError::Damaged("it is no sound"))
    }
}

fn acts() -> impl Strategy<Value = Vec<(u64, Act)>> {
    let act = prop_oneof![
        4 => (0..20_000_u16).prop_map(Act::Start),
        1 => (0..20_000_u16).prop_map(Act::StartBroken),
        1 => Just(Act::StartBad),
        2 => proptest::option::of(any::<u8>()).prop_map(Act::Silence),
        2 => Just(Act::Stop),
        2 => Just(Act::Pause),
        2 => Just(Act::Resume),
        3 => any::<i16>().prop_map(Act::Seek),
        1 => Just(Act::Unplug),
        1 => Just(Act::Sleep),
        2 => Just(Act::Wake),
    ];
    proptest::collection::vec((0..12_u64, act), 1..24)
}

/// Runs a script; returns how many playbacks were started, and all that was told.
fn run(script: &[(u64, Act)], room: usize) -> (u64, Vec<(u64, Happened)>) {
    let mut rig = Rig::with_room(RATE, room);
    let mut started = 0;
    let mut told = Vec::new();
    for (periods, act) in script {
        rig.run(*periods);
        // Who listens is slow: one event a command.
        told.extend(
            rig.told
                .try_recv()
                .map(|event| (event.playback.0, event.what)),
        );
        let control = &rig.control;
        let begun = match *act {
            Act::Start(frames) => control.start(list(usize::from(frames))),
            Act::StartBroken(frames) => {
                let frames = usize::from(frames);
                let file = Scripted::new(RATE, vec![3_000; 2 * frames + 9_000]);
                control.start(file.cut_at(frames + 4_100).playlist())
            }
            Act::StartBad => {
                let mut bad = list(800);
                bad.files.push(Arc::new(Bad));
                control.start(bad)
            }
            Act::Silence(None) => control.silence(None),
            Act::Silence(Some(ms)) => control.silence(Some(Millis(ms.into()))),
            other => {
                let _refused_or_not = match other {
                    Act::Stop => control.stop(HaltReason::Stopped),
                    Act::Pause => control.pause(),
                    Act::Resume => control.resume(),
                    Act::Seek(by) => control.seek(Seek::By(by.into())),
                    _ => Err(PlayerError::NothingPlays),
                };
                match other {
                    Act::Unplug => rig.speaker.unplug(libc::ENODEV, 3),
                    Act::Sleep => rig.working = false,
                    Act::Wake => rig.working = true,
                    _ => {}
                }
                continue;
            }
        };
        match begun {
            Ok(id) => {
                started += 1;
                assert_eq!(id, PlaybackId(started));
            }
            Err(refused) => assert_eq!(refused, PlayerError::Busy),
        }
    }
    rig.working = true;
    for _ in 0..40 {
        rig.run(1);
        told.extend(rig.events());
    }
    rig.worker.close();
    told.extend(rig.events());
    assert_eq!(
        rig.control.stop(HaltReason::HungUp),
        Err(PlayerError::Closed)
    );
    assert_eq!(rig.control.silence(None), Err(PlayerError::Closed));
    drop(rig.pump);
    let rest = rig.told.try_iter();
    told.extend(rest.map(|event| (event.playback.0, event.what)));
    (started, told)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_playback_ends_once(script in acts(), small in any::<bool>()) {
        let (started, told) = run(&script, if small { 8 } else { 64 });
        let ends = ends_of(&told);
        prop_assert_eq!(ends.len() as u64, started, "{:?}", told);
        for (id, ends) in ends {
            prop_assert_eq!(ends, 1, "playback {}: {:?}", id, told);
        }
    }
}

#[test]
fn the_last_start_wins_and_all_ends_are_told_in_order() {
    let mut rig = Rig::new(RATE);
    for _ in 0..3 {
        rig.control.start(list(8_000)).expect("a start");
    }
    rig.run(20);
    rig.control.silence(None).expect("silence");
    rig.run(20);
    rig.control.start(list(1_600)).expect("a start");
    rig.run(40);
    let told: Vec<_> = rig
        .events()
        .into_iter()
        .map(|(id, what)| match what {
            Happened::Stopped(stopped) => (id, Some(stopped.reason)),
            _ => (id, None),
        })
        .collect();
    let expected = [
        (1, Some(EndReason::Replaced)),
        (2, Some(EndReason::Replaced)),
        (3, None),
        (3, Some(EndReason::Replaced)),
        (4, None),
        (4, Some(EndReason::Replaced)),
        (5, None),
        (5, Some(EndReason::Finished)),
    ];
    assert_eq!(told, expected);
}

#[test]
fn pause_and_resume_are_no_toggle() {
    let mut rig = Rig::new(RATE);
    assert_eq!(rig.control.pause(), Err(PlayerError::NothingPlays));
    rig.control.start(list(8_000)).expect("a start");
    rig.run(20);
    for _ in 0..2 {
        rig.control.pause().expect("a playback");
        rig.run(20);
        assert_eq!(rig.written().last(), Some(&0));
    }
    for _ in 0..2 {
        rig.control.resume().expect("a playback");
        rig.run(20);
        assert_eq!(rig.written().last(), Some(&3_000));
    }
    rig.control.stop(HaltReason::HungUp).expect("a playback");
    let refused = rig.control.stop(HaltReason::HungUp);
    assert_eq!(refused, Err(PlayerError::NothingPlays));
    rig.run(20);
    assert_eq!(rig.stopped().map(|end| end.reason), Some(EndReason::HungUp));
}

#[test]
fn silence_lasts_as_long_as_asked_or_until_it_is_stopped() {
    let mut rig = Rig::new(RATE);
    rig.control.silence(Some(Millis(250))).expect("silence");
    rig.run(60);
    let stopped = rig.stopped().expect("an end");
    assert_eq!(stopped.reason, EndReason::Finished);
    assert_eq!((stopped.offset, stopped.played), (Millis(250), Millis(250)));
    rig.control.silence(None).expect("silence");
    rig.run(500);
    assert_eq!(rig.stopped(), None);
    rig.control.stop(HaltReason::HungUp).expect("silence");
    rig.run(10);
    let stopped = rig.stopped().expect("an end");
    assert_eq!(stopped.reason, EndReason::HungUp);
    assert!(stopped.played.0.abs_diff(5_000) <= 60, "{stopped:?}");
    assert!(rig.written().iter().all(|sample| *sample == 0));
    assert_eq!(rig.control.stats().underruns.load(Ordering::Relaxed), 0);
}

#[test]
fn lists_and_waiting_starts_have_a_maximum() {
    let mut rig = Rig::new(RATE);
    let file = Arc::new(Scripted::new(RATE, vec![1; 10])) as Arc<dyn SoundFile>;
    for count in [0, crate::limits::PLAYER_FILES_MAX + 1] {
        let files = vec![Arc::clone(&file); count];
        let offset = Millis::ZERO;
        let refused = rig.control.start(Playlist { files, offset });
        assert_eq!(refused, Err(PlayerError::Files));
    }
    rig.working = false;
    let starts = (0..20).map(|_| rig.control.start(list(10)).is_ok());
    let accepted = starts.filter(|accepted| *accepted).count();
    assert_eq!(accepted, crate::limits::PLAYER_JOBS_MAX);
    rig.working = true;
    rig.run(20);
    let ends = ends_of(&rig.events());
    assert_eq!(ends.len(), accepted);
    assert!(ends.values().all(|ends| *ends == 1));
}
