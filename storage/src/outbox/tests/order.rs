//! Whatever happens in whatever order: nothing appended is lost, sequences never skip, and of
//! each session only the earliest event that waits is due.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::outbox::DeadCause;
use crate::testing::scratch;

#[derive(Clone, Debug)]
enum Step {
    Append(u128, usize),
    Settle(usize, Way),
    Replay(usize),
    Pass(u64),
    Reopen,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Delivered,
    Failed(u64),
    Dead,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let way = prop_oneof![
        4 => Just(Way::Delivered),
        3 => (0_u64..50).prop_map(Way::Failed),
        1 => Just(Way::Dead),
    ];
    let step = prop_oneof![
        4 => (0_u128..4, 1_usize..4).prop_map(|(of, count)| Step::Append(of, count)),
        8 => (0_usize..9, way).prop_map(|(at, way)| Step::Settle(at, way)),
        1 => (0_usize..9).prop_map(Step::Replay),
        2 => (0_u64..60).prop_map(Step::Pass),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..40)
}

/// What must be so.
#[derive(Default)]
struct Model {
    /// Sequence to id of what waits, by session.
    waiting: HashMap<Uuid, BTreeMap<u64, Uuid>>,
    dead: BTreeMap<Uuid, (Uuid, u64)>,
    delivered: HashSet<Uuid>,
    last: HashMap<Uuid, u64>,
    made: u128,
}

impl Model {
    fn check(&self, outbox: &Outbox, app: AppKey) {
        let far = outbox.now().plus(Duration::from_secs(3_600));
        let all = outbox.due(far, 1_000).unwrap().events;
        let heads: HashMap<_, _> = all
            .iter()
            .map(|(_, event)| (event.session, (event.sequence, event.id)))
            .collect();
        assert_eq!(heads.len(), all.len(), "two of one session");
        let expected = self.waiting.iter().filter_map(|(session, events)| {
            let (sequence, id) = events.first_key_value()?;
            Some((*session, (*sequence, *id)))
        });
        assert_eq!(heads, expected.collect());
        let counts = outbox.counts(app).unwrap();
        let waiting: usize = self.waiting.values().map(BTreeMap::len).sum();
        assert_eq!(counts.waiting, waiting as u64);
        assert_eq!(counts.dead, self.dead.len() as u64);
        assert_eq!(counts.delivered, self.delivered.len() as u64);
        let total = waiting + self.dead.len() + self.delivered.len();
        assert_eq!(total as u128, self.made, "nothing is lost");
    }

    fn append(&mut self, outbox: &Outbox, app: AppKey, of: u128, count: usize) {
        let events: Vec<_> = (0..count as u128)
            .map(|n| event(of, self.made + n + 1))
            .collect();
        self.made += count as u128;
        let sequences = append(outbox, app, events.clone());
        for (new, sequence) in events.iter().zip(sequences) {
            let last = self.last.entry(new.session).or_default();
            *last += 1;
            assert_eq!(sequence, *last);
            let waiting = self.waiting.entry(new.session).or_default();
            waiting.insert(sequence, new.id);
        }
    }

    fn settle(&mut self, outbox: &Outbox, at: usize, way: Way) {
        let found = due(outbox, 100).events;
        let Some((place, event)) = found.get(at % found.len().max(1)) else {
            return;
        };
        match way {
            Way::Failed(after) => {
                let next_at = outbox.now().plus(Duration::from_millis(after));
                return wait(outbox.failed(*place, "500", next_at)).unwrap();
            }
            Way::Delivered => {
                wait(outbox.delivered(*place)).unwrap();
                assert!(self.delivered.insert(event.id), "delivered once");
            }
            Way::Dead => {
                wait(outbox.dead(*place, "404", DeadCause::Age)).unwrap();
                self.dead.insert(event.id, (event.session, event.sequence));
            }
        }
        let waiting = self.waiting.get_mut(&event.session).unwrap();
        assert_eq!(waiting.remove(&event.sequence), Some(event.id));
    }

    fn replay(&mut self, outbox: &Outbox, app: AppKey, at: usize) {
        let id = self.dead.keys().nth(at % self.dead.len().max(1)).copied();
        let Some(id) = id else { return };
        assert_eq!(outbox.replay(app, &[id]).unwrap(), 1);
        let (session, sequence) = self.dead.remove(&id).unwrap();
        let waiting = self.waiting.entry(session).or_default();
        waiting.insert(sequence, id);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn events_keep_their_order_and_none_is_lost(steps in steps()) {
        let mut store = Store::open(scratch());
        let app = add(&store, "crm").key;
        let mut model = Model::default();
        for step in steps {
            let outbox = store.handle.outbox();
            match step {
                Step::Append(of, count) => model.append(&outbox, app, of, count),
                Step::Settle(at, way) => model.settle(&outbox, at, way),
                Step::Replay(at) => model.replay(&outbox, app, at),
                Step::Pass(ms) => store.clock.advance(Duration::from_millis(ms)),
                Step::Reopen => {
                    drop(outbox);
                    let now = audio_io::clock::Clock::wall(&*store.clock);
                    store = Store::open_at(store.close(), now);
                }
            }
            model.check(&store.handle.outbox(), app);
        }
    }
}
