//! Months of a real store: recordings, holds, tags, policies, steps of the clock, restarts and
//! passes in any order. Nothing held, young or open goes, and whatever goes is in the audit trail:
//! once, in order, with the reason.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::check::Finding;
use crate::ledger::entry::{Entry, Kind};
use crate::ledger::query::AuditFilter;
use crate::retention::{PassError, Reason};
use crate::testing::scratch;

const MINUTE: i64 = 60_000;
const SIZE: u64 = 500;

#[derive(Clone, Debug)]
enum Event {
    /// A recording is made; this one stays open.
    Put(bool),
    Days(u64),
    /// The wall clock is set so many minutes off.
    Step(i64),
    Confirm,
    /// The clock goes on, or stands still, or dies, while it is off for a day.
    Restart(u8),
    Hold(usize),
    Lift(usize),
    Tag(usize),
    /// A person deletes one.
    Delete(usize),
    Policy(u64, bool, bool),
    /// So many recordings' space is short.
    Pass(u64),
}

struct Made {
    row: Recording,
    begun: u64,
    is_open: bool,
    hold: Option<u32>,
    tags: Vec<Tag>,
    is_gone: bool,
}

struct World {
    store: Option<Store>,
    /// The time it really is.
    truth: u64,
    made: Vec<Made>,
    /// Deletions in their order, with what the ledger must say of them.
    gone: Vec<(RecordingId, Option<String>)>,
}

impl World {
    fn new() -> Self {
        let store = Store::open(scratch());
        Self {
            truth: wall(&store).0,
            store: Some(store),
            made: Vec::new(),
            gone: Vec::new(),
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn one(&mut self, number: usize) -> Option<(usize, RecordingId)> {
        let number = number % self.made.len().max(1);
        let made = self.made.get(number)?;
        (!made.is_gone).then_some((number, made.row.facts.id))
    }

    fn happens(&mut self, event: &Event) {
        let tenant = self.store().tenant;
        match event {
            Event::Put(is_open) => self.put(*is_open),
            Event::Days(days) => {
                pass_days(self.store(), *days);
                self.truth += days * DAY;
            }
            Event::Step(minutes) => {
                let to = self.truth.saturating_add_signed(minutes * MINUTE);
                self.store().clock.step_wall(WallMillis(to));
                self.store().handle.clock_tick().unwrap();
            }
            Event::Confirm => {
                self.store().clock.step_wall(WallMillis(self.truth));
                self.store().handle.confirm_clock().unwrap();
            }
            Event::Restart(clock) => self.restart(*clock),
            Event::Hold(number) => {
                if let Some((number, id)) = self.one(*number) {
                    let set = self.store().handle.set_hold(tenant, id, because("case"));
                    self.made[number].hold = Some(set.unwrap().id);
                }
            }
            Event::Lift(number) => self.lift(*number),
            Event::Tag(number) => {
                if let Some((number, id)) = self.one(*number) {
                    let tags = vec![tag("a")];
                    self.store()
                        .handle
                        .add_tags(tenant, id, tags.clone())
                        .unwrap();
                    self.made[number].tags = tags;
                }
            }
            Event::Delete(number) => self.delete(*number),
            Event::Policy(days, tagged, limit) => self.policies(*days, *tagged, *limit),
            Event::Pass(short) => self.pass(*short),
        }
    }

    fn put(&mut self, is_open: bool) {
        let store = self.store();
        let row = if is_open {
            let mut row = a_recording(store.tenant.0, store.handle.new_names(store.tenant).0.0);
            row.facts.started_at = wall(store);
            let change = Change::Put(Box::new(row.clone()));
            store.handle.shared.committer.commit(change).unwrap();
            row
        } else {
            put(store, usize::try_from(SIZE).unwrap())
        };
        let begun = self.truth;
        self.made.push(Made {
            row,
            begun,
            is_open,
            hold: None,
            tags: Vec::new(),
            is_gone: false,
        });
    }

    fn restart(&mut self, clock: u8) {
        let store = self.store.take().unwrap();
        let shown = wall(&store).0;
        let folder = store.close();
        self.truth += DAY;
        let shown = match clock {
            0 => shown + DAY,
            1 => shown,
            _ => 5_000,
        };
        self.store = Some(Store::open_at(folder, WallMillis(shown)));
        // A recording that was open when it ended has no sound, and is none any more.
        for made in self.made.iter_mut().filter(|made| made.is_open) {
            made.is_open = false;
        }
    }

    fn lift(&mut self, number: usize) {
        let tenant = self.store().tenant;
        if let Some((number, id)) = self.one(number)
            && let Some(hold) = self.made[number].hold.take()
        {
            let handle = &self.store().handle;
            // Several may have been set; the others stay.
            let lifted = handle.lift_hold(tenant, id, hold, because("over"));
            lifted.unwrap();
            let left = handle.keeping(tenant, id).unwrap().unwrap().holds;
            self.made[number].hold = left.first().map(|hold| hold.id);
        }
    }

    fn delete(&mut self, number: usize) {
        let tenant = self.store().tenant;
        let Some((number, id)) = self.one(number) else {
            return;
        };
        let deleted = self.store().handle.delete(tenant, id);
        let made = &self.made[number];
        assert!(deleted.is_err() || (made.hold.is_none() && !made.is_open));
        if deleted.is_ok() {
            self.made[number].is_gone = true;
            self.gone.push((id, None));
        }
    }

    fn policies(&mut self, days: u64, tagged: bool, limit: bool) {
        let mut all = vec![Policy {
            keep_at_least: days * DAY,
            keep_at_most: (!limit).then_some((days + 2) * DAY),
            max_bytes: limit.then_some(3 * SIZE),
            ..policy("all")
        }];
        if tagged {
            all.push(Policy {
                tag: Some(tag("a")),
                keep_at_least: (2 * days + 1) * DAY,
                ..policy("some")
            });
        }
        // A set that would shrink what is in force is refused, and changes nothing.
        let before = self.store().handle.retention_rules();
        if self.store().handle.set_retention(all, false).is_err() {
            let now = self.store().handle.retention_rules();
            assert_eq!(now.policies(), before.policies());
        }
    }

    fn pass(&mut self, short: u64) {
        let marks = Watermarks {
            low: 1_000_000,
            ..Watermarks::default()
        };
        let request = PassRequest {
            watermarks: marks,
            free_bytes: Some(1_000_000 - short * SIZE),
            stop: &|| false,
        };
        let mut retired = Vec::new();
        let told = &mut |batch: &[Retired]| retired.extend_from_slice(batch);
        let passed = self.store().handle.retention_pass(&request, told);
        assert!(!matches!(passed, Err(PassError::Files(_))), "{passed:?}");
        let rules = self.store().handle.retention_rules();
        for one in retired {
            let id = one.row.facts.id;
            let made = self.made.iter_mut().find(|made| made.row.facts.id == id);
            let made = made.unwrap();
            let least = rules.least(TenantId(1), &made.tags);
            let least = least.map_or(0, |policy| policy.keep_at_least);
            assert!(made.hold.is_none() && !made.is_open && !made.is_gone);
            assert!(self.truth - made.begun >= least, "too young: {one:?}");
            made.is_gone = true;
            self.gone.push((id, Some(said(&one.reason))));
        }
    }

    /// The trail tells of each deletion, and of no other.
    fn insist_on_trail(&self) {
        let told = deletions(self.store());
        let told: Vec<_> = told
            .iter()
            .map(|entry| {
                let why = entry.details.get("why").and_then(|why| why.as_str());
                (entry.recording.unwrap(), why.map(str::to_owned))
            })
            .collect();
        let by_whom = |(id, why): &(RecordingId, Option<String>)| (*id, why.clone());
        let wanted: Vec<_> = self.gone.iter().map(by_whom).collect();
        assert_eq!(told.len(), wanted.len(), "{told:?} {wanted:?}");
        for (told, wanted) in told.iter().zip(&wanted) {
            assert_eq!(told.0, wanted.0);
            assert!(wanted.1.is_none() || told.1 == wanted.1, "{told:?}");
        }
        let ids: BTreeSet<_> = told.iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), told.len(), "none twice");
        let of_ledger = |finding: &Finding| {
            matches!(
                finding,
                Finding::Ledger(_) | Finding::Ledgered { .. } | Finding::Checkpoint { .. }
            )
        };
        let findings = self.store().findings();
        assert!(!findings.iter().any(of_ledger), "{findings:?}");
    }
}

fn said(reason: &Reason) -> String {
    reason.to_string()
}

/// Tombstones, oldest first.
fn deletions(store: &Store) -> Vec<Entry> {
    let filter = AuditFilter {
        kinds: vec![Kind::Deleted],
        ..AuditFilter::default()
    };
    let page = store.handle.audit(&filter, None, 1_000).unwrap();
    assert!(page.next.is_none());
    let mut entries = page.entries;
    entries.sort_by_key(|entry| entry.seq);
    entries
}

fn an_event() -> impl Strategy<Value = Event> {
    let minutes = prop_oneof![-60i64..60, -5_000i64..5_000, -900_000i64..9_000_000];
    prop_oneof![
        8 => prop::bool::weighted(0.15).prop_map(Event::Put),
        6 => (0u64..4).prop_map(Event::Days),
        2 => minutes.prop_map(Event::Step),
        3 => Just(Event::Confirm),
        1 => (0u8..3).prop_map(Event::Restart),
        2 => (0usize..40).prop_map(Event::Hold),
        1 => (0usize..40).prop_map(Event::Lift),
        1 => (0usize..40).prop_map(Event::Tag),
        1 => (0usize..40).prop_map(Event::Delete),
        2 => (0u64..4, any::<bool>(), any::<bool>())
            .prop_map(|(days, tagged, limit)| Event::Policy(days, tagged, limit)),
        6 => prop_oneof![Just(0u64), 0u64..6].prop_map(Event::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_deletion_is_in_the_audit_trail(
        events in prop::collection::vec(an_event(), 10..70),
    ) {
        let mut world = World::new();
        world.happens(&Event::Policy(1, false, false));
        for event in &events {
            world.happens(event);
        }
        world.insist_on_trail();
    }
}

/// It is no use to tell of deletions by never deleting.
#[test]
fn a_plain_life_deletes_and_tells() {
    let mut world = World::new();
    world.happens(&Event::Policy(1, false, false));
    for _ in 0..6 {
        world.happens(&Event::Put(false));
        world.happens(&Event::Days(1));
    }
    world.happens(&Event::Hold(0));
    world.happens(&Event::Pass(0));
    assert_eq!(world.gone.len(), 3, "three days old, and not held");
    world.happens(&Event::Pass(2));
    assert_eq!(world.gone.len(), 5, "space for two is short");
    world.insist_on_trail();
}
