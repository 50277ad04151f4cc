//! Proven time with its notes: what one look at the clocks changes in both, and what of it is not
//! on disk yet. No disk here.

use std::collections::BTreeSet;
use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use super::age::{Births, Mark};
use super::keeper::ClockReport;
use super::time::{ClockFacts, Implausible, Tick, TrustedTime, difference, millis};
use crate::index::keeping::KeepingChange;
use crate::limits::{CLOCK_MARK_EVERY, CLOCK_STEP};

/// Proven time, its notes, and what of both is not on disk yet.
#[derive(Clone)]
pub(super) struct Reckoning {
    time: TrustedTime,
    pub(super) births: Arc<Births>,
    pub(super) unsaved: BTreeSet<usize>,
    pub(super) saved_at: Duration,
    marked_at: Duration,
    last: Tick,
    /// The number that came next at the latest look.
    next: u64,
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
            next,
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
        let before = std::mem::replace(&mut self.last, *tick);
        let known = std::mem::replace(&mut self.next, next);
        let is_stepped = is_stepped(&before, tick);
        if is_stepped && let Some(proven) = before.proven {
            // What was begun before a step must not be measured by what came after it.
            let mark = Mark::before_step(known, proven, before.offset());
            self.note(mark);
        }
        if let (Some(moved), Some(now)) = (tick.confirmed, tick.proven)
            && (moved < 0 || self.births.is_unsettled())
        {
            let births = Arc::make_mut(&mut self.births);
            self.unsaved.extend(births.confirmed(moved, now));
        }
        let wanted = match self.births.last() {
            None => true,
            Some(last) => {
                let was_blind = last.high == u64::MAX && tick.proven.is_some();
                let old = facts.monotonic.saturating_sub(self.marked_at) >= CLOCK_MARK_EVERY;
                let used = next > last.below;
                let moved = tick
                    .offset()
                    .saturating_sub(difference(last.wall, last.low));
                let differs = moved.unsigned_abs() > millis(CLOCK_STEP);
                is_stepped || was_blind || (used && old) || (at_open && (used || differs))
            }
        };
        if wanted {
            let mut mark = Mark::new(next, tick);
            mark.settled = tick.confirmed.is_some();
            self.note(mark);
            self.marked_at = facts.monotonic;
        }
    }

    fn note(&mut self, mark: Mark) {
        let number = Arc::make_mut(&mut self.births).push(mark);
        self.unsaved.insert(number);
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

/// How far the wall clock moved against proven time between two looks, as it stood before.
fn moved(before: &Tick, after: &Tick) -> i64 {
    let offset = after.offset().saturating_sub(before.offset());
    offset.saturating_add(after.confirmed.unwrap_or(0))
}

/// Whether the wall clock was stepped, or proven time moved, between two looks.
fn is_stepped(before: &Tick, after: &Tick) -> bool {
    // While it is held, proven time comes nearer by itself.
    let is_nearer = before.held && (after.held || after.confirmed.is_some());
    let far = |by: i64| by.unsigned_abs() > millis(CLOCK_STEP);
    !is_nearer && (far(moved(before, after)) || far(after.confirmed.unwrap_or(0)))
}

/// The same, where that is much.
fn stepped(before: &Tick, after: &Tick) -> i64 {
    let by = moved(before, after);
    match before.proven.is_some() && is_stepped(before, after) {
        true => by,
        false => 0,
    }
}
