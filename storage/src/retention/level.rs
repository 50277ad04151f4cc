//! How full the disk is, in levels. A level that was reached is left only when clearly more is
//! free again, so that alarms do not flutter. Pure: free bytes go in, changes come out.

use serde::{Deserialize, Serialize};

/// Free bytes at which something happens; 0 switches one off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermarks {
    /// Below this, recordings past their minimum go, oldest first.
    pub low: u64,
    /// Below this, somebody must do something.
    pub critical: u64,
    /// Below this, nothing more can be recorded.
    pub full: u64,
    /// This much more than a mark must be free until its level is left.
    pub clear_by: u64,
}

/// Why watermarks are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatermarksError {
    /// They are not in order.
    #[error("{0} ({1} bytes free) must be more than {2} ({3} bytes free)")]
    Order(&'static str, u64, &'static str, u64),
}

impl Watermarks {
    /// Checks that each mark is above the next.
    ///
    /// # Errors
    /// [`WatermarksError`].
    pub fn check(&self) -> Result<(), WatermarksError> {
        let all = [
            ("the low watermark", self.low),
            ("the critical watermark", self.critical),
            ("the full watermark", self.full),
        ];
        let mut used = all.iter().filter(|(_, mark)| *mark > 0);
        let Some(mut above) = used.next() else {
            return Ok(());
        };
        for below in used {
            if below.1 >= above.1 {
                let (above, below) = (above, below);
                return Err(WatermarksError::Order(above.0, above.1, below.0, below.1));
            }
            above = below;
        }
        Ok(())
    }

    /// Bytes that must go so that the low level is left; 0 while enough is free.
    #[must_use]
    pub fn needed(&self, free: u64) -> u64 {
        if self.low == 0 || free >= self.low {
            return 0;
        }
        self.low.saturating_add(self.clear_by) - free
    }

    const fn of(&self, level: DiskLevel) -> u64 {
        match level {
            DiskLevel::Normal => u64::MAX,
            DiskLevel::Low => self.low,
            DiskLevel::Critical => self.critical,
            DiskLevel::Full => self.full,
        }
    }
}

/// How full the disk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskLevel {
    /// Enough is free.
    #[default]
    Normal,
    /// Old recordings go.
    Low,
    /// Somebody must do something.
    Critical,
    /// Nothing more can be recorded.
    Full,
}

impl DiskLevel {
    const ALL: [Self; 4] = [Self::Normal, Self::Low, Self::Critical, Self::Full];

    /// Its name in metrics and alarms.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Low => "low",
            Self::Critical => "critical",
            Self::Full => "full",
        }
    }
}

/// Follows the level of a disk.
#[derive(Clone, Debug, Default)]
pub struct DiskLevels {
    marks: Watermarks,
    level: DiskLevel,
}

impl DiskLevels {
    /// Begins at the normal level.
    #[must_use]
    pub const fn new(marks: Watermarks) -> Self {
        Self {
            marks,
            level: DiskLevel::Normal,
        }
    }

    /// Other marks from now on; the level changes with the next look.
    pub const fn set_marks(&mut self, marks: Watermarks) {
        self.marks = marks;
    }

    /// The level that was last reached.
    #[must_use]
    pub const fn level(&self) -> DiskLevel {
        self.level
    }

    /// Looks at the free bytes; answers the levels before and after when they differ.
    pub fn see(&mut self, free: u64) -> Option<(DiskLevel, DiskLevel)> {
        let before = self.level;
        let reached = |level: &DiskLevel| {
            let mark = self.marks.of(*level);
            // A level that we are in, or beyond, is left at a higher mark than it is reached at.
            let margin = if *level <= before {
                self.marks.clear_by
            } else {
                0
            };
            mark > 0 && free < mark.saturating_add(margin)
        };
        let now = DiskLevel::ALL.into_iter().rfind(reached);
        self.level = now.unwrap_or_default();
        (self.level != before).then_some((before, self.level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MARKS: Watermarks = Watermarks {
        low: 1_000,
        critical: 500,
        full: 100,
        clear_by: 50,
    };

    #[test]
    fn levels_are_left_later_than_they_are_reached() {
        let mut levels = DiskLevels::new(MARKS);
        use DiskLevel::{Critical, Full, Low, Normal};
        assert_eq!(levels.see(1_000), None);
        assert_eq!(levels.see(999), Some((Normal, Low)));
        assert_eq!(levels.see(1_049), None);
        assert_eq!(levels.see(1_050), Some((Low, Normal)));
        assert_eq!(levels.see(0), Some((Normal, Full)));
        assert_eq!(levels.see(149), None);
        assert_eq!(levels.see(150), Some((Full, Critical)));
        assert_eq!(levels.see(99), Some((Critical, Full)));
        assert_eq!(levels.see(700), Some((Full, Low)));
        assert_eq!(levels.see(u64::MAX), Some((Low, Normal)));
        let mut off = DiskLevels::default();
        assert_eq!((off.see(0), off.level()), (None, Normal));
        assert_eq!(Critical.name(), "critical");
    }

    #[test]
    fn marks_out_of_order_are_refused() {
        assert_eq!(MARKS.check(), Ok(()));
        assert_eq!(Watermarks::default().check(), Ok(()));
        let marks = Watermarks { low: 400, ..MARKS };
        let refused = marks.check().unwrap_err().to_string();
        assert!(
            refused.contains("the low watermark (400 bytes free)"),
            "{refused}"
        );
        let marks = Watermarks {
            critical: 0,
            full: 1_000,
            ..MARKS
        };
        assert!(marks.check().is_err());
        assert_eq!(MARKS.needed(1_000), 0);
        assert_eq!(MARKS.needed(990), 60);
        assert_eq!(Watermarks::default().needed(0), 0);
    }

    proptest! {
        #[test]
        fn a_disk_that_flutters_around_a_mark_alarms_once(
            at in prop::sample::select(vec![1_000_u64, 500, 100]),
            wobble in prop::collection::vec(0_u64..50, 1..40),
        ) {
            let mut levels = DiskLevels::new(MARKS);
            levels.see(at - 1);
            let level = levels.level();
            for by in wobble {
                levels.see(at - 1 + by);
                prop_assert_eq!(levels.level(), level);
            }
        }

        #[test]
        fn whatever_came_before_the_level_is_never_too_good(
            before in prop::collection::vec(0_u64..1_200, 0..20), free in 0_u64..1_200,
        ) {
            let mut levels = DiskLevels::new(MARKS);
            for free in before {
                levels.see(free);
            }
            levels.see(free);
            let mut fresh = DiskLevels::new(MARKS);
            fresh.see(free);
            prop_assert!(levels.level() >= fresh.level());
        }
    }
}
