//! Months of a machine's life: clocks that step, die and are put right, restarts, recordings,
//! holds, tags and policies. Whatever happens in whatever order: nothing held, young or open is
//! deleted, by the time that really passed.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::index::keeping::Verdict;
use crate::retention::age::Mark;
use crate::retention::reckoning::Reckoning;
use crate::retention::{ClockFacts, Keeping, Planner, Rules};

const HOUR: u64 = 60 * 60 * 1_000;
const BIRTH: u64 = 1_796_000_000_000;

#[derive(Clone, Debug)]
enum Event {
    /// So many hours pass.
    Hours(u64),
    /// Somebody sets the wall clock so far from the truth, in minutes.
    Wrong(i64),
    /// The wall clock shows 1970 and a little.
    Dead,
    /// The wall clock shows 2038 and a little.
    Late,
    /// NTP puts it right and keeps it so until somebody sets it.
    Ntp,
    /// Somebody puts it right and confirms it.
    Confirm,
    /// Off for so many hours; the wall clock goes on, stands still, or dies.
    Off(u64, u8),
    Begin,
    End(usize),
    Hold(usize),
    Lift(usize),
    Tag(usize),
    /// Minimum in days, and whether it is for a tag only.
    Policy(u64, bool),
    Pass(u64),
}

struct Made {
    row: Recording,
    keeping: Keeping,
    begun: u64,
    is_gone: bool,
}

struct Machine {
    /// The time it really is.
    truth: u64,
    /// Milliseconds since it was switched on.
    up: u64,
    /// What the wall clock shows less the truth.
    off_by: i64,
    is_kept_right: bool,
    reckoning: Reckoning,
    /// What is on disk of proven time and its notes.
    stored: (Option<u64>, Vec<Mark>),
    made: Vec<Made>,
    rules: Arc<Rules>,
    deleted: usize,
}

impl Machine {
    fn new(off_by: i64) -> Self {
        let facts = facts(BIRTH, 0, off_by, false);
        let mut machine = Self {
            truth: BIRTH,
            up: 0,
            off_by,
            is_kept_right: false,
            reckoning: Reckoning::open(None, None, Vec::new(), facts, 1),
            stored: (None, Vec::new()),
            made: Vec::new(),
            rules: Arc::new(Rules::default()),
            deleted: 0,
        };
        machine.save();
        machine
    }

    fn facts(&self) -> ClockFacts {
        facts(self.truth, self.up, self.off_by, self.is_kept_right)
    }

    fn next(&self) -> u64 {
        self.made.len() as u64 + 1
    }

    fn look(&mut self) -> Option<u64> {
        let tick = self.reckoning.look(self.facts(), self.next());
        self.save();
        tick.now()
    }

    /// As the store does: notes at once, and proven time with them.
    fn save(&mut self) {
        use crate::index::keeping::KeepingChange;
        let unsaved = std::mem::take(&mut self.reckoning.unsaved);
        let KeepingChange::Note(marks, proven) = self.reckoning.change(&unsaved) else {
            return;
        };
        for (number, mark) in marks {
            let number = usize::try_from(number).unwrap();
            self.stored.1.truncate(self.stored.1.len().max(number + 1));
            if number == self.stored.1.len() {
                self.stored.1.push(mark);
            } else {
                self.stored.1[number] = mark;
            }
        }
        self.stored.0 = proven;
    }

    fn one(&mut self, number: usize) -> Option<&mut Made> {
        let len = self.made.len().max(1);
        let made = self.made.get_mut(number % len)?;
        (!made.is_gone).then_some(made)
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Hours(hours) => {
                for _ in 0..*hours {
                    self.truth += HOUR;
                    self.up += HOUR;
                    self.look();
                }
            }
            Event::Wrong(minutes) => self.set(minutes * 60_000),
            Event::Dead => self.set(77_000 - i64::try_from(self.truth).unwrap()),
            Event::Late => {
                let late = 0x8000_0000_i64 * 1_000;
                self.set(late - i64::try_from(self.truth).unwrap());
            }
            Event::Ntp => {
                self.set(0);
                self.is_kept_right = true;
            }
            Event::Confirm => {
                self.set(0);
                let (facts, next) = (self.facts(), self.next());
                self.reckoning.confirm(facts, next).unwrap();
                self.save();
            }
            Event::Off(hours, clock) => self.restart(hours * HOUR, *clock),
            Event::Begin => self.begin(),
            Event::End(number) => {
                if let Some(made) = self.one(*number) {
                    made.row = sealed(made.row.clone());
                    made.row.outcome.as_mut().unwrap().end_cause = EndCause::Silence;
                }
            }
            Event::Hold(number) => {
                if let Some(made) = self.one(*number) {
                    made.keeping.holds.push(crate::retention::Hold {
                        id: 1,
                        reason: "because".into(),
                        by: "me".into(),
                        at: WallMillis(0),
                    });
                }
            }
            Event::Lift(number) => {
                if let Some(made) = self.one(*number) {
                    made.keeping.holds.clear();
                }
            }
            Event::Tag(number) => {
                if let Some(made) = self.one(*number) {
                    made.keeping.tags = vec![tag("a")];
                }
            }
            Event::Policy(days, tagged) => self.other_rules(*days, *tagged),
            Event::Pass(needed) => self.pass(*needed),
        }
        self.look();
    }

    fn set(&mut self, off_by: i64) {
        self.look();
        self.off_by = off_by;
        self.is_kept_right = false;
        self.look();
    }

    fn restart(&mut self, off: u64, clock: u8) {
        self.truth += off;
        self.up = 0;
        self.is_kept_right = false;
        match clock {
            0 => {}
            1 => self.off_by -= i64::try_from(off).unwrap(),
            _ => self.off_by = 5_000 - i64::try_from(self.truth).unwrap(),
        }
        let (proven, marks) = self.stored.clone();
        let newest = self
            .made
            .iter()
            .map(|made| made.row.facts.started_at.0)
            .max();
        let (facts, next) = (self.facts(), self.next());
        self.reckoning = Reckoning::open(proven, newest, marks, facts, next);
        self.save();
    }

    fn begin(&mut self) {
        let mut row = a_recording(1, self.next());
        row.facts.started_at = WallMillis(self.facts().wall);
        self.made.push(Made {
            row,
            keeping: Keeping::default(),
            begun: self.truth,
            is_gone: false,
        });
    }

    fn other_rules(&mut self, days: u64, tagged: bool) {
        let mut policies = vec![Policy {
            keep_at_least: days * DAY,
            keep_at_most: Some((days + 1) * DAY),
            ..policy("all")
        }];
        if tagged {
            policies.push(Policy {
                tag: Some(tag("a")),
                keep_at_least: 2 * days * DAY,
                keep_at_most: None,
                ..policy("some")
            });
            policies[1].keep_at_least += 1;
        }
        let rules = Rules::new(policies).unwrap();
        if rules.keeps_all_of(&self.rules).is_ok() {
            self.rules = Arc::new(rules);
        }
    }

    fn pass(&mut self, needed: u64) {
        let now = self.look();
        let tick = self.reckoning.look(self.facts(), self.next());
        let verdict = Verdict {
            rules: Arc::clone(&self.rules),
            births: Arc::clone(&self.reckoning.births),
            latest: Mark::new(self.next(), &tick),
            now,
        };
        let mut planner = Planner::new(&verdict.rules, now, needed, 99);
        for made in self.made.iter().filter(|made| !made.is_gone) {
            planner.see(&verdict.candidate(&made.row, Some(Ok(made.keeping.clone()))));
        }
        for deletion in planner.finish().deletions {
            let number = usize::try_from(deletion.id.0).unwrap() - 1;
            let made = &mut self.made[number];
            let age = self.truth - made.begun;
            let least = self.rules.least(TenantId(1), &made.keeping.tags);
            let least = least.map_or(0, |policy| policy.keep_at_least);
            assert!(made.row.outcome.is_some(), "open");
            assert!(made.keeping.holds.is_empty(), "held");
            assert!(
                age >= least,
                "{} hours young, {deletion:?}",
                (least - age) / HOUR
            );
            made.is_gone = true;
            self.deleted += 1;
        }
    }
}

fn facts(truth: u64, up: u64, off_by: i64, is_kept_right: bool) -> ClockFacts {
    ClockFacts {
        wall: truth.saturating_add_signed(off_by),
        monotonic: Duration::from_millis(up),
        synchronised: is_kept_right,
    }
}

fn an_event() -> impl Strategy<Value = Event> {
    let far = prop_oneof![-50i64..50, -3_000i64..3_000, -1_500_000i64..1_500_000];
    prop_oneof![
        6 => prop_oneof![0u64..6, 20u64..60].prop_map(Event::Hours),
        3 => far.prop_map(Event::Wrong),
        1 => Just(Event::Dead),
        1 => Just(Event::Late),
        2 => Just(Event::Ntp),
        2 => Just(Event::Confirm),
        2 => (0u64..100, 0u8..3).prop_map(|(hours, clock)| Event::Off(hours, clock)),
        6 => Just(Event::Begin),
        6 => (0usize..40).prop_map(Event::End),
        1 => (0usize..40).prop_map(Event::Hold),
        1 => (0usize..40).prop_map(Event::Lift),
        1 => (0usize..40).prop_map(Event::Tag),
        2 => (0u64..4, any::<bool>()).prop_map(|(days, tagged)| Event::Policy(days, tagged)),
        5 => (0u64..500_000).prop_map(Event::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn nothing_held_young_or_open_ever_goes(
        off_by in prop_oneof![
            Just(0i64), -2_000_000i64..2_000_000, Just(-(BIRTH as i64) / 60_000),
        ],
        events in prop::collection::vec(an_event(), 1..90),
    ) {
        let mut machine = Machine::new(off_by * 60_000);
        machine.happens(&Event::Policy(1, false));
        for event in &events {
            machine.happens(event);
        }
    }
}

/// It is no use to be careful by never deleting at all.
#[test]
fn what_must_go_goes_when_the_clock_is_right_or_was_put_right() {
    for clock in [
        Event::Ntp,
        Event::Wrong(0),
        Event::Wrong(-300_000),
        Event::Dead,
    ] {
        let mut machine = Machine::new(0);
        let is_trusted = matches!(clock, Event::Ntp | Event::Wrong(0));
        machine.happens(&Event::Policy(1, false));
        machine.happens(&clock);
        for _ in 0..5 {
            machine.happens(&Event::Begin);
            machine.happens(&Event::End(machine.made.len() - 1));
            machine.happens(&Event::Hours(12));
        }
        machine.happens(&Event::Pass(0));
        assert_eq!(machine.deleted, if is_trusted { 2 } else { 0 }, "{clock:?}");
        machine.happens(&Event::Confirm);
        machine.happens(&Event::Hours(73));
        machine.happens(&Event::Pass(0));
        assert_eq!(machine.deleted, 5, "{clock:?}");
    }
}
