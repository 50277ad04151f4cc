//! Proven time: how late it is at least. The wall clock may be set by anybody, jump at a boot,
//! start in 1970 or show 2038; ages of recordings are measured with this instead.
//!
//! Proven time is the wall time that was last confirmed, by a synchronised kernel clock or by a
//! person, carried on by the monotonic clock. While the machine is off it stands still. So it may
//! be late, and nothing is deleted too early by that; it is never early unless what confirmed it
//! was wrong.
//!
//! ```text
//!  wall ahead of it   ──▶ does not count until it is confirmed; told when it is much
//!  wall behind it     ──▶ what is old stays old; much behind: nothing is deleted until confirmed
//! ```

use std::time::Duration;

use audio_io::clock::Clock;

use crate::limits::{CLOCK_AHEAD_MAX, CLOCK_BEHIND_MAX, CLOCK_FLOOR_MS};

/// What the machine's clocks show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockFacts {
    /// Wall time in milliseconds.
    pub wall: u64,
    /// Monotonic time.
    pub monotonic: Duration,
    /// Whether the kernel says that the wall clock is kept right by NTP or the like.
    pub synchronised: bool,
}

impl ClockFacts {
    /// What the clocks show now.
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.wall().0,
            monotonic: clock.monotonic(),
            synchronised: clock.kept().synchronised == Some(true),
        }
    }
}

/// How wall and proven time stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They agree, or nearly.
    Trusted,
    /// The wall clock is this many milliseconds ahead and nobody has confirmed it. Ages are
    /// measured by proven time, so deletions come late rather than early.
    Ahead(u64),
    /// The wall clock is this many milliseconds behind: nothing is deleted.
    Behind(u64),
    /// There is no proven time yet, and the wall clock was never set: nothing is deleted.
    Unknown,
}

impl Standing {
    /// Whether recordings may be deleted.
    #[must_use]
    pub const fn may_delete(self) -> bool {
        matches!(self, Self::Trusted | Self::Ahead(_))
    }
}

/// One look at the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Proven time, where there is one; never less than in an earlier look, unless a person said
    /// so.
    pub proven: Option<u64>,
    /// Wall time.
    pub wall: u64,
    /// How they stand to each other.
    pub standing: Standing,
    /// The wall clock was confirmed: by how much that moved proven time, in milliseconds.
    pub confirmed: Option<i64>,
    /// Proven time stands still until the wall clock, which is right, has reached it.
    pub held: bool,
}

impl Tick {
    /// The time that ages are measured with; `None` while nothing may be deleted.
    #[must_use]
    pub const fn now(&self) -> Option<u64> {
        match self.standing.may_delete() {
            true => self.proven,
            false => None,
        }
    }

    /// How far the wall clock is ahead of proven time.
    pub(crate) fn offset(&self) -> i64 {
        let proven = self.proven.unwrap_or(0);
        difference(self.wall, proven)
    }
}

/// Whether a wall time can be that of a clock that was ever set.
pub(crate) const fn is_plausible(wall: u64) -> bool {
    wall >= CLOCK_FLOOR_MS
}

pub(crate) fn difference(later: u64, earlier: u64) -> i64 {
    let by = i128::from(later) - i128::from(earlier);
    i64::try_from(by).unwrap_or(if by < 0 { i64::MIN } else { i64::MAX })
}

/// A wall time that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Implausible;

/// The reckoning of proven time.
#[derive(Clone, Debug)]
pub struct TrustedTime {
    /// Proven time at a moment of the monotonic clock.
    base: Option<(u64, Duration)>,
    /// The first wall time that can be is taken at its word: there is nothing yet to delete.
    is_new: bool,
    /// What was last told.
    told: u64,
}

impl TrustedTime {
    /// Begins. `stored` is the proven time that an earlier run left. Where there is none, the
    /// start of the newest recording is proven to have passed; a store without recordings takes
    /// the first wall time that can be.
    #[must_use]
    pub fn open(stored: Option<u64>, newest: Option<u64>, facts: ClockFacts) -> (Self, Tick) {
        let newest = newest.filter(|_| stored.is_none());
        let known = stored.or_else(|| newest.filter(|at| is_plausible(*at)));
        let mut time = Self {
            base: known.map(|at| (at, facts.monotonic)),
            is_new: known.is_none() && newest.is_none(),
            told: known.unwrap_or(0),
        };
        let tick = time.tick(facts);
        (time, tick)
    }

    /// Looks at the clocks.
    pub fn tick(&mut self, facts: ClockFacts) -> Tick {
        let Some(carried) = self.carried(facts.monotonic) else {
            if !is_plausible(facts.wall) || !(facts.synchronised || self.is_new) {
                return self.tell(facts, None, Standing::Unknown, None);
            }
            self.base = Some((facts.wall, facts.monotonic));
            let confirmed = facts.synchronised.then_some(0);
            return self.tell(facts, Some(facts.wall), Standing::Trusted, confirmed);
        };
        if facts.wall >= carried {
            let ahead = facts.wall - carried;
            if facts.synchronised {
                return self.settle(facts, carried);
            }
            let standing = match ahead > millis(CLOCK_AHEAD_MAX) {
                true => Standing::Ahead(ahead),
                false => Standing::Trusted,
            };
            return self.tell(facts, Some(carried), standing, None);
        }
        let behind = carried - facts.wall;
        if behind > millis(CLOCK_BEHIND_MAX) {
            return self.tell(facts, Some(carried), Standing::Behind(behind), None);
        }
        if !facts.synchronised {
            return self.tell(facts, Some(carried), Standing::Trusted, None);
        }
        // Right time is a little less: proven time stands still until it is reached.
        let held = self.told.max(facts.wall);
        self.base = Some((held, facts.monotonic));
        Tick {
            held: true,
            ..self.tell(facts, Some(held), Standing::Trusted, None)
        }
    }

    /// A person says that the wall clock is right.
    pub(crate) fn confirm(&mut self, facts: ClockFacts) -> Result<Tick, Implausible> {
        if !is_plausible(facts.wall) {
            return Err(Implausible);
        }
        let carried = self.carried(facts.monotonic);
        Ok(self.settle(facts, carried.unwrap_or(facts.wall)))
    }

    /// The wall clock is right.
    fn settle(&mut self, facts: ClockFacts, carried: u64) -> Tick {
        self.base = Some((facts.wall, facts.monotonic));
        let moved = difference(facts.wall, carried);
        self.tell(facts, Some(facts.wall), Standing::Trusted, Some(moved))
    }

    fn tell(
        &mut self,
        facts: ClockFacts,
        proven: Option<u64>,
        standing: Standing,
        confirmed: Option<i64>,
    ) -> Tick {
        self.told = proven.unwrap_or(self.told);
        Tick {
            proven,
            wall: facts.wall,
            standing,
            confirmed,
            held: false,
        }
    }

    fn carried(&self, monotonic: Duration) -> Option<u64> {
        let (at, since) = self.base?;
        let passed = monotonic.saturating_sub(since);
        Some(at.saturating_add(millis(passed)))
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60 * 1_000;
    const NOW: u64 = 1_796_000_000_000;

    fn facts(wall: u64, seconds: u64, synchronised: bool) -> ClockFacts {
        ClockFacts {
            wall,
            monotonic: Duration::from_secs(seconds),
            synchronised,
        }
    }

    #[test]
    fn a_dead_clock_of_1970_proves_nothing_and_harms_nothing() {
        let (mut time, tick) = TrustedTime::open(None, None, facts(12_000, 5, false));
        assert_eq!((tick.standing, tick.now()), (Standing::Unknown, None));
        // An earlier run knew better: old recordings stay old, but nothing is deleted.
        let (mut later, tick) = TrustedTime::open(Some(NOW), Some(NOW), facts(12_000, 5, false));
        assert_eq!((tick.proven, tick.now()), (Some(NOW), None));
        assert!(matches!(tick.standing, Standing::Behind(_)));
        // NTP comes.
        let tick = time.tick(facts(NOW, 65, true));
        assert_eq!(tick.confirmed, Some(0), "there was nothing to move");
        assert_eq!(tick.now(), Some(NOW));
        let tick = later.tick(facts(NOW + 3 * DAY, 65, true));
        let moved = i64::try_from(3 * DAY - 60_000).unwrap();
        assert_eq!(tick.confirmed, Some(moved));
        assert_eq!(tick.now(), Some(NOW + 3 * DAY));
    }

    #[test]
    fn a_step_forward_counts_when_it_is_confirmed() {
        let (mut time, tick) = TrustedTime::open(None, None, facts(NOW, 0, false));
        assert_eq!(tick.now(), Some(NOW), "a new store believes its first time");
        // 2038 and a second: 32 bits of seconds are over.
        let late = 0x8000_0001 * 1_000;
        let tick = time.tick(facts(late, 10, false));
        assert_eq!(tick.standing, Standing::Ahead(late - NOW - 10_000));
        assert_eq!(tick.now(), Some(NOW + 10_000), "monotonic time counts");
        // Taken back: as if nothing had been.
        let tick = time.tick(facts(NOW + 20_000, 20, false));
        assert_eq!(
            (tick.standing, tick.now()),
            (Standing::Trusted, Some(NOW + 20_000))
        );
        time.tick(facts(late, 30, false));
        let tick = time.confirm(facts(late + 10_000, 40, false)).unwrap();
        assert_eq!(tick.now(), Some(late + 10_000));
        let beyond = 0x1_0000_0001 * 1_000;
        let tick = time.tick(facts(beyond, 50, true));
        assert_eq!(tick.now(), Some(beyond), "and 2106 is as any other");
    }

    #[test]
    fn many_small_steps_are_not_believed_either() {
        let (mut time, _) = TrustedTime::open(None, None, facts(NOW, 0, false));
        for n in 1..=1_000 {
            let tick = time.tick(facts(NOW + n * 30 * 60_000, n, false));
            assert_eq!(tick.proven, Some(NOW + n * 1_000));
        }
    }

    #[test]
    fn a_step_back_makes_nothing_young() {
        let (mut time, _) = TrustedTime::open(Some(NOW), None, facts(NOW, 0, false));
        let tick = time.tick(facts(NOW - DAY / 2, 60, false));
        assert_eq!(
            (tick.standing, tick.now()),
            (Standing::Trusted, Some(NOW + 60_000))
        );
        let tick = time.tick(facts(NOW - 2 * DAY, 120, false));
        assert_eq!(tick.standing, Standing::Behind(2 * DAY + 120_000));
        assert_eq!((tick.proven, tick.now()), (Some(NOW + 120_000), None));
        // A little, and right: it stands still until it is right again.
        let tick = time.tick(facts(NOW + 100_000, 130, true));
        assert_eq!(tick.now(), Some(NOW + 120_000));
        let tick = time.tick(facts(NOW + 125_000, 155, true));
        assert_eq!(tick.now(), Some(NOW + 125_000));
        // Much, and a person says it is right.
        let tick = time.confirm(facts(NOW - 9 * DAY, 200, false)).unwrap();
        assert_eq!(tick.now(), Some(NOW - 9 * DAY));
        assert!(time.confirm(facts(0, 210, false)).is_err());
    }

    #[test]
    fn without_an_earlier_run_the_newest_recording_is_proof() {
        let (mut time, tick) = TrustedTime::open(None, Some(NOW), facts(NOW + 700 * DAY, 0, false));
        assert_eq!(tick.now(), Some(NOW));
        assert!(matches!(tick.standing, Standing::Ahead(_)));
        let tick = time.tick(facts(NOW + 700 * DAY, 9, true));
        assert_eq!(tick.now(), Some(NOW + 700 * DAY));
        // Recordings of a dead clock prove nothing, nor does the wall clock then.
        let (_, tick) = TrustedTime::open(None, Some(1_000), facts(NOW, 0, false));
        assert_eq!(tick.standing, Standing::Unknown);
    }

    proptest::proptest! {
        #[test]
        fn it_never_goes_back_by_itself(
            moves in proptest::collection::vec((0u64..1 << 50, 0u64..100_000, 0u8..4), 60),
        ) {
            let (mut time, tick) = TrustedTime::open(Some(NOW), None, facts(NOW, 0, false));
            let (mut wall, mut seconds) = (NOW, 0);
            let mut before = tick.proven;
            for (to, by, kind) in moves {
                seconds += by;
                wall = if kind == 0 { to } else { wall + by * 1_000 };
                let tick = time.tick(facts(wall, seconds, kind == 1));
                proptest::prop_assert!(tick.proven >= before);
                let behind = tick.proven.unwrap().saturating_sub(tick.wall);
                proptest::prop_assert!(tick.now().is_none() || behind <= DAY);
                before = tick.proven;
            }
        }
    }
}
