//! When a recording was made, by proven time. The start in its row is what the wall clock showed
//! then, which may have been 1970 or 2038. Numbers are given out in order, so what was noted of
//! them now and then ("by then, all below this were given out") bounds the start from both sides.

use serde::{Deserialize, Serialize};

use super::time::{Tick, difference, is_plausible, millis};
use crate::ids::RecordingId;
use crate::limits::CLOCK_SLACK;

/// One note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// All numbers below this, and none from it on, were given out by then.
    pub(crate) below: u64,
    /// It was so late at least.
    pub(crate) low: u64,
    /// And so late at most, by the same reckoning.
    pub(crate) high: u64,
    /// The wall clock showed this.
    pub(crate) wall: u64,
    /// The clock was confirmed since.
    pub(crate) settled: bool,
    /// So much it may have been wrong, in milliseconds; `u64::MAX` when nothing is known of that.
    pub(crate) doubt: u64,
}

impl Mark {
    pub(crate) fn new(below: u64, tick: &Tick) -> Self {
        let proven = tick.proven;
        let doubt = proven.map_or(u64::MAX, |_| small(tick.offset().unsigned_abs()));
        Self {
            below,
            low: proven.unwrap_or(0),
            high: proven.unwrap_or(u64::MAX),
            wall: tick.wall,
            settled: false,
            doubt,
        }
    }

    /// One of the last look before a step: `offset` is how far the wall clock was ahead then.
    pub(crate) fn before_step(below: u64, proven: u64, offset: i64) -> Self {
        Self {
            below,
            low: proven,
            high: proven,
            wall: proven.saturating_add_signed(offset),
            settled: false,
            doubt: small(offset.unsigned_abs()),
        }
    }

    /// The clock was confirmed and proven time moved by so much, to `now`.
    fn settle(&mut self, moved: i64, now: u64) {
        if self.is_blind() {
            // It bounds nothing from above, and never will.
        } else if moved >= 0 {
            // How much of what was missed had been missed by then is not known: all of it, at
            // most. Where the wall clock was that much ahead, it was right.
            let offset = difference(self.wall, self.low);
            let was_right = offset.saturating_sub(moved).unsigned_abs();
            let was_near = self.doubt.saturating_add(moved.unsigned_abs());
            self.doubt = small(was_right.min(was_near));
            self.high = self.high.saturating_add_signed(moved).min(now);
        } else {
            self.doubt = u64::MAX;
            self.take_back(now);
        }
        self.settled = true;
    }

    /// Whether there was no proven time yet when it was taken.
    const fn is_blind(&self) -> bool {
        self.high == u64::MAX
    }

    fn take_back(&mut self, now: u64) {
        self.low = self.low.min(now);
        self.high = self.high.min(now);
    }
}

/// Times that are off by more than a little are not believed at all.
fn small(off: u64) -> u64 {
    if off <= millis(CLOCK_SLACK) {
        off
    } else {
        u64::MAX
    }
}

/// All notes, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Births {
    marks: Vec<Mark>,
}

impl Births {
    pub(crate) const fn new(marks: Vec<Mark>) -> Self {
        Self { marks }
    }

    pub(crate) fn last(&self) -> Option<&Mark> {
        self.marks.last()
    }

    /// Adds a note; answers its number.
    pub(crate) fn push(&mut self, mark: Mark) -> usize {
        self.marks.push(mark);
        self.marks.len() - 1
    }

    pub(crate) fn get(&self, number: usize) -> Option<&Mark> {
        self.marks.get(number)
    }

    /// Whether there are notes from since the clock was last confirmed.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.marks.last().is_some_and(|mark| !mark.settled)
    }

    /// The clock was confirmed; answers the numbers of the notes that this changes.
    pub(crate) fn confirmed(&mut self, moved: i64, now: u64) -> Vec<usize> {
        let mut changed = Vec::new();
        for (number, mark) in self.marks.iter_mut().enumerate() {
            let before = *mark;
            if !mark.settled {
                mark.settle(moved, now);
            } else if moved < 0 {
                mark.take_back(now);
            }
            if *mark != before {
                changed.push(number);
            }
        }
        changed
    }

    /// The latest moment at which a recording of ours may have been started; `latest` stands for
    /// a note taken now. `u64::MAX` where nothing is known.
    pub(crate) fn start(&self, id: RecordingId, started_at: u64, latest: &Mark) -> u64 {
        let at = self.marks.partition_point(|mark| mark.below <= id.0);
        let before = at.checked_sub(1).and_then(|at| self.marks.get(at));
        let later = self.marks.get(at..).unwrap_or_default();
        let after = later.iter().find(|mark| !mark.is_blind());
        let after = after.unwrap_or(latest);
        let low = before.map_or(0, |mark| mark.low);
        let doubt = match before {
            Some(before) => before.doubt.max(after.doubt),
            // From before any note was taken: nothing speaks against what its row says.
            None => 0,
        };
        let latest = match is_plausible(started_at) {
            true => started_at.saturating_add(doubt),
            false => u64::MAX,
        };
        latest.min(after.high).max(low)
    }
}

/// The moment an import's age counts from: what whoever brought it said, unless the clock at that
/// moment was never set. Their numbers may be anything, so no note tells of them.
pub(crate) const fn imported_start(started_at: u64, sealed_at: u64) -> u64 {
    if !is_plausible(sealed_at) {
        return u64::MAX;
    }
    if started_at < sealed_at {
        started_at
    } else {
        sealed_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::time::Standing;

    const NOW: u64 = 1_796_000_000_000;
    const HOUR: u64 = 60 * 60 * 1_000;

    fn tick(proven: u64, wall: u64) -> Tick {
        Tick {
            proven: Some(proven),
            wall,
            standing: Standing::Trusted,
            confirmed: None,
            held: false,
        }
    }

    #[test]
    fn a_start_lies_between_its_neighbours_notes() {
        let mut births = Births::default();
        births.push(Mark::new(10, &tick(NOW, NOW)));
        births.push(Mark::new(20, &tick(NOW + HOUR, NOW + HOUR)));
        births.confirmed(0, NOW + HOUR);
        let latest = Mark::new(30, &tick(NOW + 2 * HOUR, NOW + 2 * HOUR));
        let start = |id, at| births.start(RecordingId(id), at, &latest);
        assert_eq!(start(15, NOW + 5_000), NOW + 5_000);
        assert_eq!(start(15, NOW - HOUR), NOW, "it was not begun earlier");
        assert_eq!(start(15, 0x8000_0000 * 1_000), NOW + HOUR, "nor in 2038");
        assert_eq!(start(15, 77), NOW + HOUR, "a clock of 1970 tells nothing");
        assert_eq!(
            start(5, NOW - 900 * HOUR),
            NOW - 900 * HOUR,
            "before any note"
        );
        assert_eq!(start(25, NOW + HOUR + 1), NOW + HOUR + 1);
        assert_eq!(start(99, NOW + 9 * HOUR), NOW + 2 * HOUR);
    }

    #[test]
    fn time_that_was_missed_makes_recordings_younger() {
        // The clock stood still for a day while the machine was off; NTP tells after an hour.
        let mut births = Births::default();
        births.push(Mark::new(10, &tick(NOW, NOW)));
        births.push(Mark::new(20, &tick(NOW + HOUR, NOW + HOUR)));
        let latest = Mark::new(30, &tick(NOW + 25 * HOUR, NOW + 25 * HOUR));
        births.confirmed(i64::try_from(24 * HOUR).unwrap(), NOW + 25 * HOUR);
        assert_eq!(
            births.start(RecordingId(15), NOW + 9, &latest),
            NOW + 25 * HOUR
        );
        // The clock was right all the time, and only nobody had confirmed it.
        let mut births = Births::default();
        births.push(Mark::new(10, &tick(NOW, NOW + 24 * HOUR)));
        births.push(Mark::new(20, &tick(NOW + HOUR, NOW + 25 * HOUR)));
        births.confirmed(i64::try_from(24 * HOUR).unwrap(), NOW + 25 * HOUR);
        let begun = NOW + 24 * HOUR + 9;
        assert_eq!(births.start(RecordingId(15), begun, &latest), begun);
        // A person turned it back: nothing was begun after that moment.
        births.confirmed(-5, NOW + 2 * HOUR);
        let latest = Mark::new(30, &tick(NOW + 2 * HOUR, NOW + 2 * HOUR));
        assert_eq!(
            births.start(RecordingId(15), begun, &latest),
            NOW + 2 * HOUR
        );
    }

    #[test]
    fn imports_are_as_old_as_they_say() {
        assert_eq!(imported_start(5, NOW), 5);
        assert_eq!(imported_start(NOW + 1, NOW), NOW);
        assert_eq!(imported_start(5, 6), u64::MAX);
    }
}
