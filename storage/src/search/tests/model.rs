//! A naive model of search: rows in a map, and a reading of queries of its own.

use std::collections::{BTreeMap, HashSet};

use audio_io::units::Frames;

use crate::ids::{AgentName, LineName, Number, RecordingId, Tag};
use crate::record::{CallDirection, Recording, RecordingState, WallMillis};
use crate::retention::NewHold;
use crate::search::{Digits, NoteWords, Order, Scope, SearchQuery};
use crate::testing::{Store, a_recording, scratch, sealed};

/// Numbers that look random and come back for a seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    pub(super) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()].clone()
    }

    pub(super) fn maybe<T>(&mut self, one_in: u64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(one_in) == 0).then(|| make(self))
    }
}

const NUMBERS: [&str; 14] = [
    "201",
    "+15559876543",
    "15559876543",
    "+15559870000",
    "0049301234567",
    "4930123456789",
    "+4930123456780",
    "4930123",
    "9876543",
    "12",
    "sip-user",
    "5551201@pbx",
    "*72#",
    "1234",
];
const LINES: [&str; 4] = ["front", "back", "trunk-1", "trunk-2"];
const AGENTS: [&str; 3] = ["ann", "bob@acme", "eve"];
const TAGS: [&str; 4] = ["legal", "vip", "refund", "training"];
const TEXTS: [&str; 5] = [
    "customer wants a refund",
    "refund refused, call back",
    "<script>alert('refund')</script>",
    "\u{202E}terces a si siht",
    "通話を録音した",
];

/// What the model knows of a recording.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) row: Recording,
    pub(super) tags: Vec<Tag>,
    pub(super) is_held: bool,
    pub(super) notes: Vec<&'static str>,
}

pub(super) struct Model {
    pub(super) store: Store,
    pub(super) known: BTreeMap<RecordingId, Known>,
    pub(super) random: Random,
}

impl Model {
    pub(super) fn new(seed: u64, rows: usize) -> Self {
        let mut model = Self {
            store: Store::open(scratch()),
            known: BTreeMap::new(),
            random: Random(seed),
        };
        model.add(rows);
        model
    }

    pub(super) fn row(&mut self) -> Recording {
        let (id, names) = self.store.handle.new_names(self.store.tenant);
        let random = &mut self.random;
        let mut row = a_recording(self.store.tenant.0, id.0);
        row.facts.names = names;
        // Few times, so that many are the same.
        row.facts.started_at = WallMillis(1_763_700_000_000 + random.below(400) * 1_000);
        row.facts.line = random.maybe(1, |r| LineName::new(r.one(&LINES)).unwrap());
        row.facts.agent = random.maybe(2, |r| AgentName::new(r.one(&AGENTS)).unwrap());
        row.facts.direction = random.maybe(2, |r| r.one(&[CallDirection::In, CallDirection::Out]));
        row.facts.from = random.maybe(1, |r| Number::new(r.one(&NUMBERS)).unwrap());
        row.facts.to = random.maybe(2, |r| Number::new(r.one(&NUMBERS)).unwrap());
        if random.below(10) > 0 {
            row = sealed(row);
            let outcome = row.outcome.as_mut().unwrap();
            let seconds = random.one(&[0, 1, 2, 3, 59, 60, 61, 3_600, 900_000, 5_000_000]);
            outcome.frames = Frames(seconds * 8_000 + random.below(3));
            row.state = random.one(&[
                RecordingState::Stored,
                RecordingState::Stored,
                RecordingState::Failed,
                RecordingState::Absent,
            ]);
        }
        row
    }

    pub(super) fn add(&mut self, rows: usize) {
        let rows: Vec<_> = (0..rows).map(|_| self.row()).collect();
        self.store.handle.load_rows(rows.clone()).unwrap();
        for row in rows {
            let (tenant, id) = (row.facts.tenant, row.facts.id);
            let handle = &self.store.handle;
            let mut known = Known {
                row,
                tags: Vec::new(),
                is_held: false,
                notes: Vec::new(),
            };
            if let Some(tag) = self.random.maybe(3, |r| Tag::new(r.one(&TAGS)).unwrap()) {
                known.tags = vec![tag];
                handle.add_tags(tenant, id, known.tags.clone()).unwrap();
            }
            if self.random.below(6) == 0 {
                let hold = NewHold {
                    reason: "case 1".into(),
                    by: "ann".into(),
                };
                handle.set_hold(tenant, id, hold).unwrap();
                known.is_held = true;
            }
            if let Some(text) = self.random.maybe(4, |r| r.one(&TEXTS)) {
                handle.add_note(tenant, id, None, text, "ann").unwrap();
                known.notes.push(text);
            }
            self.known.insert(id, known);
        }
    }

    /// Seals what is live, and deletes what may go.
    pub(super) fn shake(&mut self) {
        let ids: Vec<_> = self.known.keys().copied().collect();
        let id = self.random.one(&ids);
        let known = self.known.get_mut(&id).unwrap();
        let tenant = known.row.facts.tenant;
        if known.row.state == RecordingState::Live {
            known.row = sealed(known.row.clone());
            self.store.handle.load_rows([known.row.clone()]).unwrap();
        } else if !known.is_held {
            self.store.handle.delete(tenant, id).unwrap();
            self.known.remove(&id);
        }
    }

    pub(super) fn query(&mut self) -> SearchQuery {
        let random = &mut self.random;
        let mut query = SearchQuery {
            order: random.one(&[Order::NewestFirst, Order::OldestFirst]),
            ..SearchQuery::default()
        };
        let at = |r: &mut Random| WallMillis(1_763_700_000_000 + r.below(400) * 1_000);
        query.since = random.maybe(5, at);
        query.until = random.maybe(5, at);
        query.number = random.maybe(3, |r| {
            let number: Vec<u8> = digits(r.one(&NUMBERS));
            let len = usize::try_from(3 + r.below(11)).unwrap().min(number.len());
            let part = match r.below(2) {
                0 => &number[..len],
                _ => &number[number.len() - len..],
            };
            let text = String::from_utf8(part.to_vec()).unwrap();
            Digits::new(&text).unwrap_or(Digits(b"201".to_vec()))
        });
        query.line = random.maybe(5, |r| LineName::new(r.one(&LINES)).unwrap());
        query.agent = random.maybe(5, |r| AgentName::new(r.one(&AGENTS)).unwrap());
        query.direction = random.maybe(6, |_| CallDirection::Out);
        query.min_ms = random.maybe(5, |r| r.one(&[0, 1_000, 59_999, 3_600_000, 1 << 40]));
        query.max_ms = random.maybe(5, |r| r.one(&[0, 999, 61_000, 3_600_001, u64::MAX]));
        query.tags = random
            .maybe(6, |r| Tag::new(r.one(&TAGS)).unwrap())
            .into_iter()
            .collect();
        query.held = random.maybe(8, |r| r.below(2) == 0);
        query.states = match random.below(8) {
            0 => vec![RecordingState::Live],
            1 => vec![RecordingState::Failed, RecordingState::Absent],
            2 => vec![RecordingState::Stored],
            _ => Vec::new(),
        };
        if random.below(4) == 0 {
            query.scope = Scope::Of {
                agents: vec![AgentName::new(random.one(&AGENTS)).unwrap()],
                lines: vec![LineName::new(random.one(&LINES)).unwrap()],
            };
        }
        let words = [
            "refund",
            "ref* back",
            "\"a refund\"",
            "録音",
            "nothing",
            "SCRIPT",
        ];
        query.words = random.maybe(5, |r| NoteWords::new(r.one(&words)).unwrap());
        query
    }
}

pub(super) fn digits(text: &str) -> Vec<u8> {
    let user = text.split('@').next().unwrap();
    user.bytes().filter(u8::is_ascii_digit).collect()
}

/// The model's own reading of a query.
pub(super) fn wants(query: &SearchQuery, known: &Known) -> bool {
    let facts = &known.row.facts;
    if let Scope::Of { agents, lines } = &query.scope {
        let is_agents = facts.agent.iter().any(|agent| agents.contains(agent));
        let is_lines = facts.line.iter().any(|line| lines.contains(line));
        if !is_agents && !is_lines {
            return false;
        }
    }
    if let Some(wanted) = &query.number {
        let numbers = [&facts.from, &facts.to];
        let found = numbers.into_iter().flatten().any(|number| {
            let digits = digits(number.as_str());
            digits.starts_with(&wanted.0) || digits.ends_with(&wanted.0)
        });
        if !found {
            return false;
        }
    }
    let length = known.row.duration().map(|length| length.0);
    if let Some(least) = query.min_ms
        && length.is_none_or(|length| length < least)
    {
        return false;
    }
    if let Some(most) = query.max_ms
        && length.is_none_or(|length| length > most)
    {
        return false;
    }
    let found_by = |text: &str| match text {
        "customer wants a refund" => vec!["refund", "\"a refund\""],
        "refund refused, call back" => vec!["refund", "ref* back"],
        "<script>alert('refund')</script>" => vec!["refund", "SCRIPT"],
        "通話を録音した" => vec!["録音"],
        _ => vec![],
    };
    if let Some(words) = &query.words {
        let found = known.notes.iter().flat_map(|text| found_by(text));
        let mut found = found.map(|words| NoteWords::new(words).unwrap());
        if !found.any(|one| one == *words) {
            return false;
        }
    }
    query.since.is_none_or(|since| facts.started_at >= since)
        && query.until.is_none_or(|until| facts.started_at <= until)
        && (query.line.is_none() || facts.line == query.line)
        && (query.agent.is_none() || facts.agent == query.agent)
        && (query.direction.is_none() || facts.direction == query.direction)
        && query.tags.iter().all(|tag| known.tags.contains(tag))
        && query.held.is_none_or(|held| known.is_held == held)
        && (query.states.is_empty() || query.states.contains(&known.row.state))
}

/// Walks through all pages, with changes between them where `shaken`.
pub(super) fn walk(model: &mut Model, query: &SearchQuery, shaken: bool) {
    let tenant = model.store.tenant;
    let limit = usize::try_from(1 + model.random.below(20)).unwrap();
    let work = model.random.one(&[1, 20, 200, 40_000]);
    let all = |model: &Model| -> HashSet<RecordingId> {
        let found = model.known.iter().filter(|(_, known)| wants(query, known));
        found.map(|(id, _)| *id).collect()
    };
    let mut always = all(model);
    let mut shown: Vec<Recording> = Vec::new();
    let mut cursor: Option<String> = None;
    let mut last = None;
    loop {
        let page = model
            .store
            .handle
            .search_within(tenant, query, cursor.as_deref(), limit, work)
            .unwrap();
        assert!(page.hits.len() <= limit);
        for hit in &page.hits {
            let known = &model.known[&hit.recording.facts.id];
            assert!(wants(query, known), "{query:?} {:?}", hit.recording);
            assert_eq!(hit.recording, known.row);
            assert_eq!((&hit.tags, hit.is_held), (&known.tags, known.is_held));
            assert_eq!(hit.notes as usize, known.notes.len());
        }
        shown.extend(page.hits.into_iter().map(|hit| hit.recording));
        let Some(next) = page.next else {
            last = page.previous.or(last);
            break;
        };
        assert_ne!(cursor.as_ref(), Some(&next), "it goes on");
        cursor = Some(next);
        last = page.previous.or(last);
        if shaken {
            model.shake();
            if model.random.below(3) == 0 {
                model.add(1);
            }
            let now = all(model);
            always.retain(|id| now.contains(id));
        }
    }
    let key = |row: &Recording| (row.facts.started_at, row.facts.id);
    let is_in_order = |pair: &[Recording]| match query.order {
        Order::NewestFirst => key(&pair[0]) > key(&pair[1]),
        Order::OldestFirst => key(&pair[0]) < key(&pair[1]),
    };
    assert!(shown.windows(2).all(is_in_order), "in order, none twice");
    let ids: HashSet<_> = shown.iter().map(|row| row.facts.id).collect();
    let missing: Vec<_> = always.difference(&ids).collect();
    assert!(missing.is_empty(), "{query:?} lacks {missing:?}");
    if !shaken {
        assert_eq!(ids, always, "{query:?}");
        back(model, query, last, (limit, work), &shown);
    }
}

/// From the last page back to the first one.
pub(super) fn back(
    model: &Model,
    query: &SearchQuery,
    mut cursor: Option<String>,
    (limit, work): (usize, usize),
    shown: &[Recording],
) {
    let mut rest = shown;
    while let Some(from) = cursor {
        let page = model
            .store
            .handle
            .search_within(model.store.tenant, query, Some(&from), limit, work)
            .unwrap();
        for hit in page.hits.iter().rev() {
            let at = rest.iter().rposition(|row| *row == hit.recording);
            let at = at.expect("what was shown on the way there");
            rest = &rest[..at];
        }
        cursor = page.previous;
    }
    assert!(
        rest.is_empty(),
        "{query:?} lacks {} on the way back",
        rest.len()
    );
}
