//! Lists of marks: ordered by where they begin, bounded, and inside their recording. What marks
//! mean is in `record.rs`.

use audio_io::units::Frames;

use crate::limits::MARKS_MAX;
use crate::record::{Mark, MarkKind};

/// Adds a mark to an ordered list; false when it is a digit and there is no room for it.
///
/// Spans of one kind that touch become one. Past [`MARKS_MAX`] the last span of a kind is widened
/// to cover the new one too, so that no span is ever lost; the first of its kind always gets in.
pub(crate) fn push_mark(marks: &mut Vec<Mark>, mut mark: Mark) -> bool {
    let is_digit = matches!(mark.kind, MarkKind::Digit(_));
    if !is_digit && mark.frames == Frames::ZERO {
        return true;
    }
    if marks.len() >= MARKS_MAX {
        if is_digit {
            return false;
        }
        let last = marks.iter().rposition(|held| held.kind == mark.kind);
        if let Some(last) = last {
            mark = joined(marks.remove(last), mark);
        }
    }
    if !is_digit {
        marks.retain(|held| {
            let touches = held.kind == mark.kind && touch(*held, mark);
            if touches {
                mark = joined(*held, mark);
            }
            !touches
        });
    }
    let at = marks.partition_point(|held| held.at <= mark.at);
    marks.insert(at, mark);
    true
}

/// Believes only what a recording of this length can have.
pub(crate) fn cut_marks(marks: &mut Vec<Mark>, length: Frames) {
    marks.retain_mut(|mark| {
        if mark.at > length {
            return false;
        }
        match mark.kind {
            MarkKind::Skipped => true,
            MarkKind::Digit(_) => {
                mark.frames = mark.frames.min(length.saturating_sub(mark.at));
                true
            }
            MarkKind::Masked | MarkKind::Paused => {
                mark.frames = mark.frames.min(length.saturating_sub(mark.at));
                mark.frames > Frames::ZERO
            }
        }
    });
}

/// Whether a list is what a recording of this length can have.
pub(crate) fn are_within(marks: &[Mark], length: Frames) -> bool {
    let ordered = marks.is_sorted_by_key(|mark| mark.at);
    ordered && marks.iter().all(|mark| mark.end() <= length)
}

/// Whether two spans of one kind overlap, or one begins where the other ends.
fn touch(one: Mark, other: Mark) -> bool {
    one.at <= other.end() && other.at <= one.end()
}

/// One span that covers both. What was skipped at two places is told at the first, as long as
/// both were.
fn joined(one: Mark, other: Mark) -> Mark {
    let at = one.at.min(other.at);
    let frames = match one.kind {
        MarkKind::Skipped => one.frames.0.saturating_add(other.frames.0),
        _ => one.end().max(other.end()).0 - at.0,
    };
    Mark {
        at,
        frames: Frames(frames),
        ..one
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::MarkKind::{Digit, Masked, Paused, Skipped};
    use super::*;

    fn mark(kind: MarkKind, at: u64, frames: u64) -> Mark {
        Mark {
            at: Frames(at),
            frames: Frames(frames),
            kind,
        }
    }

    fn list(of: &[Mark]) -> Vec<Mark> {
        let mut marks = Vec::new();
        for mark in of {
            push_mark(&mut marks, *mark);
        }
        marks
    }

    #[test]
    fn marks_are_ordered_and_spans_that_touch_are_one() {
        let five = mark(Digit(Some('5')), 50, 9);
        let marks = list(&[
            mark(Masked, 40, 20),
            five,
            five,
            mark(Masked, 60, 5),
            mark(Paused, 65, 5),
            mark(Masked, 10, 5),
            mark(Paused, 90, 0),
        ]);
        let expected = [
            mark(Masked, 10, 5),
            mark(Masked, 40, 25),
            five,
            five,
            mark(Paused, 65, 5),
        ];
        assert_eq!(marks, expected, "the same digit twice is two digits");
        let bridged = list(&[
            mark(Masked, 10, 5),
            mark(Masked, 20, 5),
            mark(Masked, 40, 5),
            mark(Masked, 12, 9),
        ]);
        assert_eq!(bridged, [mark(Masked, 10, 15), mark(Masked, 40, 5)]);
        let skipped = list(&[
            mark(Skipped, 10, 80),
            mark(Skipped, 10, 20),
            mark(Skipped, 50, 7),
        ]);
        assert_eq!(skipped, [mark(Skipped, 10, 100), mark(Skipped, 50, 7)]);
    }

    #[test]
    fn past_the_maximum_digits_go_and_spans_stay() {
        let mut marks = Vec::new();
        for n in 0..MARKS_MAX as u64 {
            assert!(push_mark(&mut marks, mark(Digit(None), n, 1)));
        }
        let more = MARKS_MAX as u64;
        assert!(!push_mark(&mut marks, mark(Digit(None), more, 1)));
        for n in 0..10 {
            for kind in [Masked, Paused, Skipped] {
                assert!(push_mark(&mut marks, mark(kind, more + 10 * n, 2)));
            }
        }
        assert_eq!(marks.len(), MARKS_MAX + 3);
        let spans = [
            mark(Masked, more, 92),
            mark(Paused, more, 92),
            mark(Skipped, more, 20),
        ];
        assert_eq!(marks[MARKS_MAX..], spans);
    }

    #[test]
    fn a_shorter_recording_has_what_lies_in_it() {
        let mut marks = list(&[
            mark(Digit(None), 90, 20),
            mark(Masked, 90, 20),
            mark(Digit(None), 100, 20),
            mark(Paused, 100, 5),
            mark(Skipped, 100, 8_000),
            mark(Skipped, 101, 8_000),
        ]);
        assert!(!are_within(&marks, Frames(100)));
        cut_marks(&mut marks, Frames(100));
        let expected = [
            mark(Digit(None), 90, 10),
            mark(Masked, 90, 10),
            mark(Digit(None), 100, 0),
            mark(Skipped, 100, 8_000),
        ];
        assert_eq!(marks, expected);
        assert!(are_within(&marks, Frames(100)));
        marks.swap(0, 2);
        assert!(!are_within(&marks, Frames(100)), "out of order");
    }

    proptest! {
        #[test]
        fn lists_stay_ordered_whatever_comes(
            pushed in prop::collection::vec((0u64..200, 0u64..30, 0usize..4), 0..80),
            length in 0u64..200,
        ) {
            let kinds = [Digit(None), Masked, Paused, Skipped];
            let pushed: Vec<_> = pushed
                .into_iter()
                .map(|(at, frames, kind)| mark(kinds[kind], at, frames))
                .collect();
            let mut marks = list(&pushed);
            for kind in [Masked, Paused, Skipped] {
                let spans: Vec<_> = marks.iter().filter(|one| one.kind == kind).collect();
                prop_assert!(spans.is_sorted_by(|one, next| one.end() < next.at));
            }
            for one in &pushed {
                let covered = |held: &Mark| {
                    held.kind == one.kind && held.at <= one.at && held.end() >= one.end()
                };
                let is_nothing = one.kind != Digit(None) && one.frames == Frames::ZERO;
                prop_assert!(is_nothing || marks.iter().any(covered));
            }
            cut_marks(&mut marks, Frames(length));
            prop_assert!(are_within(&marks, Frames(length)));
        }

        #[test]
        fn no_number_is_too_large(at: u64, frames: u64, other: u64) {
            let mut marks = Vec::new();
            for kind in [Masked, Skipped, Digit(Some('#'))] {
                push_mark(&mut marks, mark(kind, at, frames));
                push_mark(&mut marks, mark(kind, other, u64::MAX));
            }
            cut_marks(&mut marks, Frames(other));
            prop_assert!(are_within(&marks, Frames(other)));
        }
    }
}
