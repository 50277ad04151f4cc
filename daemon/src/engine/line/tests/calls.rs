//! Calls on a line: those that voice begins, those that are attached, and how they end.

use super::*;

fn names(told: &[(Uuid, LineNews)]) -> Vec<&'static str> {
    let name = |news: &(Uuid, LineNews)| match &news.1 {
        LineNews::CallBegan { .. } => "call began",
        LineNews::CallEnded { .. } => "call ended",
        LineNews::Answered => "answered",
        LineNews::DeviceLost => "device lost",
        LineNews::Digit { .. } => "digit",
        LineNews::RecordingBegan { .. } => "began",
        LineNews::RecordingEnded { end, .. } => match end {
            TakeEnd::Stored(_) => "stored",
            TakeEnd::Absent => "absent",
            TakeEnd::Failed(_) => "failed",
        },
    };
    told.iter().map(name).collect()
}

const VOX: &str = "trigger = 'vox'\nfrom = '+1'\n[vox]\nhang_ms = 500\n";

#[test]
fn voice_opens_a_call_with_its_recording_and_silence_ends_both() {
    with_line(VOX, async |bench| {
        bench.talk(Millis(1_000));
        let told = bench.told();
        assert_eq!(names(&told), ["call began", "began"]);
        let session = told[0].0;
        let LineNews::CallBegan { parties, .. } = &told[0].1 else {
            panic!("{told:?}");
        };
        assert_eq!(parties.from, Some(Number::new("+1").unwrap()));
        let LineNews::RecordingBegan { take, id } = told[1].1 else {
            panic!("{told:?}");
        };
        assert_eq!(take, own_take(id));
        assert_eq!(bench.line.live().snapshot().session, Some(session));
        bench.silence(Millis(1_000));
        assert_eq!(names(&bench.told()), ["call ended"]);
        assert_eq!(bench.line.live().snapshot().session, None);
        bench.settle().await;
        let told = bench.told();
        assert_eq!(names(&told), ["stored"]);
        assert_eq!(told[0].0, session);
        assert_eq!(bench.stored[0].facts.names.session_uuid, session);
        bench.talk(Millis(500));
        let told = bench.told();
        assert_eq!(names(&told), ["call began", "began"]);
        assert_ne!(told[0].0, session);
    });
}

/// Whatever is done to the wall clock meanwhile, a recording is as long as its sound, and tells
/// what its date is worth.
#[test]
fn recordings_tell_of_their_clock_and_do_not_depend_on_it() {
    with_line(VOX, async |bench| {
        let now = 1_795_241_649_000;
        let hour = 3_600_000;
        let ten_years = 10 * 365 * 24 * hour;
        let steps = [
            (now, now - hour),
            (0, now),
            (now, now + ten_years),
            (2_147_483_647_500, 2_147_483_648_500),
            (4_294_967_295_900, 1),
        ];
        for (n, (begin, then)) in steps.into_iter().enumerate() {
            bench.clock.step_wall(WallMillis(begin));
            bench.clock.keep(Kept {
                synchronised: Some(n != 1),
                max_error: (n != 1).then_some(Millis(7)),
                stepped: n > 0,
            });
            bench.talk(Millis(1_000));
            bench.clock.step_wall(WallMillis(then));
            bench.talk(Millis(1_000));
            bench.silence(Millis(1_000));
            bench.settle().await;
            let stored = bench.stored.pop().expect("a recording");
            let length = stored.duration().unwrap_or_default().0;
            assert!((1_900..=4_000).contains(&length), "{n}: {length}");
            let time = stored.facts.time.expect("it is known");
            assert_eq!(time.implausible, n == 1, "{n}");
            assert_eq!(time.stepped, n > 0, "{n}");
            assert_eq!(time.max_error, (n != 1).then_some(Millis(7)), "{n}");
            let late = stored.facts.started_at.0.abs_diff(begin);
            assert!(late < 3_000, "{n}: {late}");
        }
    });
}

#[test]
fn after_a_commanded_end_nothing_is_recorded_until_the_next_call_or_a_command() {
    with_line(VOX, async |bench| {
        bench.talk(Millis(500));
        let told = bench.told();
        let (session, take) = match told[1] {
            (session, LineNews::RecordingBegan { take, .. }) => (session, take),
            _ => panic!("{told:?}"),
        };
        bench.order(LineOrder::EndRecording { session, take });
        bench.talk(Millis(500));
        assert_eq!(bench.line.recording(), None);
        bench.record(session, 7, None);
        bench.talk(Millis(500));
        bench.silence(Millis(1_000));
        bench.settle().await;
        let told = bench.told();
        let expected = ["began", "call ended", "stored", "stored"];
        assert_eq!(names(&told), expected);
        bench.talk(Millis(500));
        assert_eq!(names(&bench.told()), ["call began", "began"]);
    });
}

#[test]
fn a_call_of_voice_that_is_hung_up_does_not_begin_again_before_there_is_silence() {
    with_line(VOX, async |bench| {
        bench.talk(Millis(500));
        let session = bench.told()[0].0;
        bench.order(LineOrder::Detach { session });
        bench.talk(Millis(1_000));
        assert_eq!(bench.line.recording(), None);
        bench.settle().await;
        assert_eq!(names(&bench.told()), ["stored"]);
        bench.silence(Millis(1_000));
        bench.talk(Millis(500));
        assert_eq!(names(&bench.told()), ["call began", "began"]);
    });
}

#[test]
fn a_call_longer_than_a_recording_may_be_has_several() {
    let more = "trigger = 'vox'\nmax_length_s = 1\n[vox]\nhang_ms = 500\n";
    with_line(more, async |bench| {
        bench.talk(Millis(2_500));
        bench.silence(Millis(1_000));
        bench.settle().await;
        let told = bench.told();
        let session = told[0].0;
        assert!(told.iter().all(|(of, _)| *of == session), "{told:?}");
        assert!(bench.stored.len() >= 3, "{}", bench.stored.len());
        let own = |recording: &Recording| recording.facts.names.session_uuid == session;
        assert!(bench.stored.iter().all(own));
    });
}

#[test]
fn a_call_whose_device_stays_away_is_over() {
    with_line("trigger = 'api'\n", async |bench| {
        let session = bench.attach();
        bench.record(session, 1, None);
        bench.talk(Millis(500));
        bench.device(DeviceState::Lost);
        for _ in 0..499 {
            bench.step();
        }
        assert_eq!(names(&bench.told()), ["began"]);
        bench.step();
        bench.step();
        bench.settle().await;
        assert_eq!(names(&bench.told()), ["device lost", "stored"]);
        let outcome = bench.stored[0].outcome.as_ref().unwrap();
        assert_eq!(outcome.end_cause, EndCause::DeviceLost);
        assert!(!bench.line.has_call());
    });
}

#[test]
fn orders_for_other_calls_and_recordings_do_nothing() {
    with_line("trigger = 'api'\n", async |bench| {
        let session = bench.attach();
        let take = bench.record(session, 1, None);
        let stranger = Uuid::new_v4();
        bench.order(LineOrder::Detach { session: stranger });
        bench.order(LineOrder::EndRecording {
            session,
            take: TakeId(2),
        });
        bench.order(LineOrder::EndRecording {
            session: stranger,
            take,
        });
        bench.record(stranger, 3, None);
        bench.talk(Millis(500));
        assert!(bench.line.recording().is_some());
        assert_eq!(names(&bench.told()), ["began"]);
        bench.order(LineOrder::Detach { session });
        bench.settle().await;
        assert_eq!(names(&bench.told()), ["stored"], "after the call is over");
    });
}

#[test]
fn a_recording_by_callreel_record_bears_the_call_and_is_in_the_way_of_another() {
    with_line("trigger = 'api'\npre_roll_ms = 500\n", async |bench| {
        bench.talk(Millis(1_000));
        let session = bench.attach();
        let begun = bench.on_line(|line, to| line.begin(to, Parties::default()));
        let facts = begun.unwrap();
        assert_eq!(facts.names.session_uuid, session);
        assert_eq!(facts.from, Some(Number::new("+15550001").unwrap()));
        bench.record(session, 1, None);
        let told = bench.told();
        assert_eq!(names(&told), ["began", "failed"]);
        let LineNews::RecordingEnded { end, .. } = &told[1].1 else {
            panic!("{told:?}");
        };
        let TakeEnd::Failed(why) = end else {
            panic!("{end:?}");
        };
        assert!(why.contains(&format!("recording {}", facts.id)), "{why}");
        bench.talk(Millis(500));
        bench.end().await;
        let outcome = bench.stored[0].outcome.as_ref().unwrap();
        assert_eq!(outcome.frames, Frames(4_000 + 4_000), "with its look-back");
    });
}

#[test]
fn lines_without_calls_have_no_digits_and_tell_nothing() {
    with_line("trigger = 'always'\n", async |bench| {
        assert!(bench.line.core.hearing.is_none());
        bench.talk(Millis(500));
        bench.end().await;
        assert!(bench.told().is_empty());
        assert_eq!(bench.stored.len(), 1);
    });
}
