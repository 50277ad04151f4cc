//! Digits: told while there is a call, noted in recordings, and silenced where they are to be.

use audio_io::dsp::dtmf::{DetectorParams, DtmfDetector};
use storage::record::MarkKind;

use super::*;

fn keys(told: &[(Uuid, LineNews)]) -> String {
    let key = |news: &(Uuid, LineNews)| match &news.1 {
        LineNews::Digit { digit, duration_ms } => {
            assert!((90..=110).contains(&duration_ms.0), "{duration_ms}");
            Some(digit.key())
        }
        _ => None,
    };
    told.iter().filter_map(key).collect()
}

fn dialled(text: &str) -> Vec<i16> {
    text.chars().flat_map(key).collect()
}

/// Whether anybody can read digits off it.
fn digits_in(samples: &[i16]) -> usize {
    let mut detector = DtmfDetector::new(RATE, DetectorParams::default());
    let mut count = 0;
    detector.push(samples, |_| count += 1);
    detector.finish(|_| count += 1);
    count
}

#[test]
fn digits_are_told_during_a_call_only_and_soon() {
    with_line("trigger = 'api'\ndigits = true\n", async |bench| {
        bench.hear(&dialled("12"));
        assert!(bench.told().is_empty());
        bench.attach();
        let sound = key('5');
        bench.hear(&sound[..frames(Millis(160))]);
        assert_eq!(keys(&bench.told()), "5", "60 ms after its end");
        bench.hear(&sound[frames(Millis(160))..]);
        bench.hear(&dialled("0*#AD9"));
        assert_eq!(keys(&bench.told()), "0*#AD9");
        assert_eq!(bench.totals.snapshot().digits, 9);
    });
}

#[test]
fn digits_are_noted_where_they_are() {
    for encoding in ["pcm16", "mulaw", "alaw"] {
        let more = format!("trigger = 'api'\ndigits = true\nencoding = '{encoding}'\n");
        with_line(&more, async |bench| {
            bench.silence(Millis(480));
            let session = bench.attach();
            bench.record(session, 1, None);
            bench.talk(Millis(400));
            bench.hear(&key('7'));
            bench.lose(Frames(1_000));
            bench.hear(&key('8'));
            bench.end().await;
            let marks = bench.marks();
            let begins = [3_200, 3_200 + 2_400 + 1_000];
            assert_eq!(marks.len(), 2, "{marks:?}");
            for ((mark, begin), key) in marks.iter().zip(begins).zip(['7', '8']) {
                assert_eq!(mark.kind, MarkKind::Digit(Some(key)));
                assert!(mark.at.0.abs_diff(begin) < 80, "{mark:?}");
                assert!(mark.frames.0.abs_diff(800) < 120, "{mark:?}");
            }
        });
    }
}

#[test]
fn digits_of_the_look_back_are_noted_and_silenced_too() {
    for mask in [false, true] {
        let more = format!("trigger = 'api'\ndigits = true\nmask_digits = {mask}\n");
        with_line(&more, async |bench| {
            bench.hear(&key('3'));
            bench.talk(Millis(1_000));
            bench
                .on_line(|line, to| line.begin(to, Parties::default()))
                .unwrap();
            bench.talk(Millis(500));
            bench.end().await;
            let marks = bench.marks();
            let of_digit = MarkKind::Digit((!mask).then_some('3'));
            assert!(marks.iter().any(|mark| mark.kind == of_digit), "{marks:?}");
            let [leg, _] = bench.legs(&bench.stored[0]);
            assert_eq!(digits_in(&leg) == 0, mask);
            assert_eq!(leg.len(), frames(Millis(1_800)));
        });
    }
}

#[test]
fn masked_digits_leave_no_sample_on_either_leg_and_all_else_is_whole() {
    let more = "trigger = 'api'\nplayback = 'hw:1'\n";
    with_line(more, async |bench| {
        bench.silence(Millis(500));
        let session = bench.attach();
        bench.record(session, 1, Some(true));
        let mut caller = voice(Millis(1_000));
        caller.extend(vec![0; frames(Millis(200))]);
        caller.extend(dialled("4711"));
        caller.extend(voice(Millis(1_500)));
        let played = vec![1_000; caller.len()];
        bench.hear_both(&caller, &played);
        assert_eq!(keys(&bench.told()), "4711", "they are told all the same");
        bench.end().await;
        let [left, right] = bench.legs(&bench.stored[0]);
        assert_eq!(left.len(), caller.len());
        assert_eq!(digits_in(&left), 0);
        let marks = bench.marks();
        let masked: Vec<&Mark> = marks
            .iter()
            .filter(|mark| mark.kind == MarkKind::Masked)
            .collect();
        let digits = marks
            .iter()
            .filter(|mark| mark.kind == MarkKind::Digit(None));
        assert_eq!((masked.len(), digits.count()), (1, 4), "{marks:?}");
        let from = usize::try_from(masked[0].at.0).unwrap();
        let to = from + usize::try_from(masked[0].frames.0).unwrap();
        let (first, last) = (frames(Millis(1_200)), frames(Millis(1_200 + 3 * 300 + 100)));
        assert!(from < first && to > last, "{from}..{to}");
        assert!(
            left[from..to]
                .iter()
                .chain(&right[from..to])
                .all(|s| *s == 0)
        );
        assert_eq!(left[..from], caller[..from]);
        assert_eq!(left[to..], caller[to..]);
        assert!(
            right[800..from]
                .iter()
                .chain(&right[to..])
                .all(|s| *s == 1_000)
        );
        assert_eq!(bench.totals.snapshot().masked_frames, masked[0].frames.0);
    });
}

#[test]
fn an_order_says_otherwise_than_the_line_and_a_line_that_tells_none_can_mask() {
    with_line("trigger = 'api'\nmask_digits = true\n", async |bench| {
        let session = bench.attach();
        bench.record(session, 1, Some(false));
        bench.hear(&dialled("12"));
        bench.end().await;
        let [leg, _] = bench.legs(&bench.stored[0]);
        assert_eq!(digits_in(&leg), 4);
        assert_eq!(bench.marks().len(), 2);
        assert!(keys(&bench.told()).is_empty());
    });
    with_line("trigger = 'api'\n", async |bench| {
        bench.silence(Millis(300));
        let session = bench.attach();
        bench.record(session, 1, Some(true));
        bench.talk(Millis(300));
        bench.silence(Millis(100));
        bench.hear(&dialled("12"));
        bench.end().await;
        let [leg, _] = bench.legs(&bench.stored[0]);
        assert_eq!(digits_in(&leg), 0);
        assert!(keys(&bench.told()).is_empty());
    });
}
