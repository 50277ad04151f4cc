//! Proven time with its notes: what one look at the clocks changes in both, and what of it is not on
//! disk yet. No disk here.

use std::collections::BTreeSet;
use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use super::age::{Births, Mark};
use super::keeper::ClockReport;
use super::time::{ClockFacts, Implausible, Tick, TrustedTime, difference, millis};
use crate::index::keeping::KeepingChange;
use crate::limits::{CLOCK_MARK_EVERY, CLOCK_SLACK};

/// Proven time, its notes, and what of both is not on disk yet.
pub(super) struct Reckoning {
    time: TrustedTime,
    pub(super) births: Arc<Births>,
    pub(super) unsaved: BTreeSet<usize>,
    pub(super) saved_at: Duration,
    marked_at: Duration,
    last: Tick,
    /// The look that was last told of.
    told: Tick,
}

impl Reckoning {
    /// Goes on from what an earlier run left; `next` is the number that the next recording gets.
    pub(super) fn open(
        stored: Option<u64>,
        newest: Option<u64>,
        marks: Vec<Mark>,
        facts: ClockFacts,
        next: u64,
    ) -> Self {
        let (time, last) = TrustedTime::open(stored, newest, facts);
        let mut reckoning = Self {
            time,
            births: Arc::new(Births::new(marks)),
            unsaved: BTreeSet::new(),
            saved_at: facts.monotonic,
            marked_at: facts.monotonic,
            last,
            told: last,
        };
        reckoning.follow(&last, facts, next, true);
        reckoning
    }

    /// Looks at the clocks.
    pub(super) fn look(&mut self, facts: ClockFacts, next: u64) -> Tick {
        let tick = self.time.tick(facts);
        self.follow(&tick, facts, next, false);
        tick
    }

    /// A person says that the wall clock is right.
    pub(super) fn confirm(&mut self, facts: ClockFacts, next: u64) -> Result<Tick, Implausible> {
        let tick = self.time.confirm(facts)?;
        self.follow(&tick, facts, next, false);
        Ok(tick)
    }

    fn follow(&mut self, tick: &Tick, facts: ClockFacts, next: u64, at_open: bool) {
        self.last = *tick;
        if let (Some(moved), Some(now)) = (tick.confirmed, tick.proven) {
            let births = Arc::make_mut(&mut self.births);
            let changed = births.confirmed(moved, now);
            self.unsaved.extend(changed);
        }
        let slack = i64::try_from(millis(CLOCK_SLACK)).unwrap_or(i64::MAX);
        let wanted = match self.births.last() {
            None => true,
            Some(last) => {
                let offset = difference(last.wall, last.low);
                let was_blind = last.high == u64::MAX && tick.proven.is_some();
                let old = facts.monotonic.saturating_sub(self.marked_at) >= CLOCK_MARK_EVERY;
                let used = next > last.below;
                was_blind
                    || tick.offset().saturating_sub(offset).saturating_abs() > slack
                    || (used && (old || at_open))
            }
        };
        if wanted {
            let mut mark = Mark::new(next, tick);
            mark.settled = tick.confirmed.is_some();
            let number = Arc::make_mut(&mut self.births).push(mark);
            self.unsaved.insert(number);
            self.marked_at = facts.monotonic;
        }
    }

    /// The change that writes these notes, and proven time.
    pub(super) fn change(&self, unsaved: &BTreeSet<usize>) -> KeepingChange {
        let marks = unsaved.iter().filter_map(|number| {
            let mark = self.births.get(*number)?;
            Some((*number as u64, *mark))
        });
        KeepingChange::Note(marks.collect(), self.last.proven)
    }

    /// Whether the clocks stand to each other in another way than was last told.
    pub(super) fn has_changed(&self) -> bool {
        discriminant(&self.told.standing) != discriminant(&self.last.standing)
    }

    /// What the latest look found against the one that was last told of.
    pub(super) fn report(&mut self) -> ClockReport {
        let changed = self.has_changed();
        let (before, now) = (self.told, self.last);
        self.told = now;
        ClockReport {
            standing: now.standing,
            changed_from: changed.then_some(before.standing),
            proven: now.proven,
            wall: now.wall,
            stepped: stepped(&before, &now),
        }
    }
}

/// How far the wall clock moved against proven time between two looks, where that is much.
fn stepped(before: &Tick, after: &Tick) -> i64 {
    let by = match after.confirmed {
        // Proven time moved with it.
        Some(moved) => moved.saturating_sub(before.offset()),
        None => after.offset().saturating_sub(before.offset()),
    };
    if before.proven.is_some() && by.unsigned_abs() > 1_000 { by } else { 0 }
}
