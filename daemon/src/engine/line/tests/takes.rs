//! Recordings that a call asks for: both legs, pauses, and what is not worth keeping.

use storage::record::MarkKind;

use super::*;

#[test]
fn a_recording_holds_what_was_heard_and_what_was_played() {
    for encoding in ["pcm16", "mulaw", "alaw"] {
        let more = format!("trigger = 'api'\nplayback = 'hw:1'\nencoding = '{encoding}'\n");
        with_line(&more, async |bench| {
            bench.silence(Millis(2_000));
            let session = bench.attach();
            bench.record(session, 1, None);
            let mut played = vec![0; frames(Millis(1_000))];
            played[4_000] = 20_000;
            bench.hear_both(&voice(Millis(1_000)), &played);
            bench.end().await;
            let [left, right] = bench.legs(&bench.stored[0]);
            assert_eq!(left.len(), frames(Millis(1_000)));
            let loud = |leg: &[i16]| leg.iter().position(|s| *s > 15_000);
            assert_eq!(loud(&left), None, "nothing of what was played");
            let click = loud(&right).expect("the click");
            assert!(click.abs_diff(4_000) < 160, "{click}");
        });
    }
}

#[test]
fn what_is_played_holds_a_call_of_voice() {
    let more = "trigger = 'vox'\nplayback = 'hw:1'\n[vox]\nhang_ms = 500\n";
    with_line(more, async |bench| {
        bench.talk(Millis(500));
        let quiet = vec![0; frames(Millis(2_000))];
        bench.hear_both(&quiet, &voice(Millis(2_000)));
        assert!(bench.line.has_call());
        bench.silence(Millis(1_000));
        assert!(!bench.line.has_call());
    });
}

#[test]
fn the_callers_gap_leaves_the_legs_beside_each_other() {
    let more = "trigger = 'api'\nplayback = 'hw:1'\n";
    with_line(more, async |bench| {
        bench.silence(Millis(2_000));
        let session = bench.attach();
        bench.record(session, 1, None);
        bench.talk(Millis(200));
        // What is played meanwhile is not recorded.
        let lost = bench.place;
        bench.lose(Frames(1_600));
        let (tap, control) = bench.player.as_mut().unwrap();
        for part in 0..10 {
            let block = Block::audio(Frames(lost + part * 160), &bytes(&[99; 160]));
            tap.push(block).unwrap();
        }
        control.stats().heard.store(lost + 1_600, Ordering::Release);
        let mut played = vec![0; 1_600];
        played[800] = 20_000;
        bench.hear_both(&voice(Millis(200)), &played);
        bench.end().await;
        let [left, right] = bench.legs(&bench.stored[0]);
        assert_eq!(left.len(), 1_600 * 3);
        let click = right.iter().position(|s| *s == 20_000).unwrap();
        assert!(click.abs_diff(3_200 + 800) < 160, "{click}");
        assert_eq!(bench.stored[0].outcome.as_ref().unwrap().gaps.len(), 1);
    });
}

#[test]
fn a_pause_is_silence_of_its_length() {
    for mask in [false, true] {
        with_line("trigger = 'api'\ndigits = true\n", async |bench| {
            let session = bench.attach();
            let take = bench.record(session, 1, Some(mask));
            bench.talk(Millis(1_000));
            bench.pause(session, take, PauseMode::Silence);
            bench.silence(Millis(200));
            bench.hear(&key('9'));
            bench.talk(Millis(500));
            bench.order(LineOrder::ResumeRecording { session, take });
            bench.talk(Millis(1_000));
            bench.end().await;
            let [leg, _] = bench.legs(&bench.stored[0]);
            assert_eq!(leg.len(), 24_000);
            let (from, to) = (8_000, 16_000);
            assert!(leg[from..to].iter().all(|s| *s == 0));
            let talk = voice(Millis(1_000));
            assert_eq!((&leg[..from], &leg[to..]), (&*talk, &*talk));
            let expected = Mark {
                at: Frames(8_000),
                frames: Frames(8_000),
                kind: MarkKind::Paused,
            };
            assert_eq!(bench.marks(), [expected], "and nothing of the digit");
            let digits = bench.told().into_iter();
            let digits = digits.filter(|(_, news)| matches!(news, LineNews::Digit { .. }));
            assert_eq!(digits.count(), 1, "it is told all the same");
        });
    }
}

#[test]
fn a_pause_that_is_left_out_is_not_there() {
    for mask in [false, true] {
        with_line("trigger = 'api'\ndigits = true\n", async |bench| {
            let session = bench.attach();
            let take = bench.record(session, 1, Some(mask));
            bench.talk(Millis(1_000));
            bench.pause(session, take, PauseMode::Skip);
            bench.talk(Millis(500));
            bench.lose(Frames(160));
            bench.order(LineOrder::ResumeRecording { session, take });
            bench.talk(Millis(500));
            bench.silence(Millis(100));
            bench.hear(&key('9'));
            bench.silence(Millis(700));
            bench.end().await;
            let [leg, _] = bench.legs(&bench.stored[0]);
            assert_eq!(leg.len(), frames(Millis(1_000 + 500 + 100 + 300 + 700)));
            let marks = bench.marks();
            let expected = Mark {
                at: Frames(8_000),
                frames: Frames(4_160),
                kind: MarkKind::Skipped,
            };
            assert_eq!(marks[0], expected);
            let is_digit = |mark: &&Mark| matches!(mark.kind, MarkKind::Digit(_));
            let digit = marks.iter().find(is_digit).unwrap();
            assert!(digit.at.0.abs_diff(12_800) < 80, "{digit:?}");
            assert_eq!(digit.kind, MarkKind::Digit((!mask).then_some('9')));
        });
    }
}

#[test]
fn one_that_ends_while_paused_is_whole() {
    with_line("trigger = 'api'\n", async |bench| {
        let session = bench.attach();
        let take = bench.record(session, 1, None);
        bench.talk(Millis(1_000));
        bench.pause(session, take, PauseMode::Silence);
        bench.talk(Millis(500));
        bench.order(LineOrder::EndRecording { session, take });
        bench.settle().await;
        assert_eq!(bench.legs(&bench.stored[0])[0].len(), 12_000);
        assert_eq!(bench.marks()[0].frames, Frames(4_000));
    });
}

#[test]
fn one_in_which_nothing_is_heard_is_not_kept_if_a_call_asked_for_it() {
    with_line("trigger = 'api'\n", async |bench| {
        let session = bench.attach();
        for level in [0_i16, 16, 17] {
            let take = bench.record(session, u64::from(level.unsigned_abs()), None);
            bench.hear(&vec![level; 8_000]);
            bench.order(LineOrder::EndRecording { session, take });
            bench.settle().await;
            let told = bench.told();
            let LineNews::RecordingEnded { end, .. } = &told[1].1 else {
                panic!("{told:?}");
            };
            let absent = matches!(end, TakeEnd::Absent);
            assert_eq!(absent, level <= 16, "{level}: {end:?}");
        }
        bench
            .on_line(|line, to| line.begin(to, Parties::default()))
            .unwrap();
        bench.silence(Millis(500));
        bench.end().await;
        // The last was not asked for by a call.
        assert_eq!(bench.stored.len(), 2);
    });
}
