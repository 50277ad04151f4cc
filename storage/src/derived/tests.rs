//! Conversions on a real folder: kept, found, pushed out, and gone with their source.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::check::Finding;
use crate::limits::DERIVED_TOUCH_EVERY;
use crate::testing::{Store, scratch, sound};

fn store() -> Store {
    Store::open(scratch())
}

fn draft(store: &Store, row: &Recording, bytes: &[u8]) -> DerivedDraft {
    let mut draft = store.handle.draft_derived(row).unwrap();
    draft.file().write_all(bytes).unwrap();
    draft
}

fn keep(store: &Store, row: &Recording, tag: &str, bytes: usize) -> RecordingView {
    let draft = draft(store, row, &sound(3, bytes));
    store
        .handle
        .keep_derived(row, Container::Flac, tag, draft)
        .unwrap()
}

fn find(store: &Store, row: &Recording, tag: &str) -> Option<RecordingView> {
    store.handle.derived(row, Container::Flac, tag).unwrap()
}

/// All files below `derived/`.
fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut all = Vec::new();
    crate::walk::files(&folder.join("derived"), &mut |found| {
        all.push((found.path, found.bytes));
    })
    .unwrap();
    all
}

#[test]
fn a_kept_conversion_is_found_after_a_restart() {
    let store = store();
    let row = store.imported(1);
    assert!(find(&store, &row, "ab01").is_none());
    let view = keep(&store, &row, "ab01", 5_000);
    assert_eq!((view.len(), view.etag()), (5_000, "ab01"));
    assert_eq!(view.container(), Container::Flac);
    assert_eq!(
        view.last_modified(),
        row.outcome.as_ref().unwrap().sealed_at
    );
    let store = store.reopen();
    assert_eq!(store.handle.derived_usage(), (5_000, 1));
    let view = find(&store, &row, "ab01").unwrap();
    let mut bytes = vec![0; 5_000];
    assert_eq!(view.mapping().read_at(0, &mut bytes).unwrap(), 5_000);
    assert_eq!(bytes, sound(3, 5_000));
    assert!(
        store
            .handle
            .derived(&row, Container::Mp3, "ab01")
            .unwrap()
            .is_none()
    );
    assert!(store.findings().is_empty());
    for tag in ["", "../x", "AB", "g"] {
        assert!(
            store.handle.derived(&row, Container::Mp3, tag).is_err(),
            "{tag}"
        );
    }
}

#[test]
fn a_torn_file_is_never_answered() {
    let store = store();
    let row = store.imported(1);
    for restart in [false, true] {
        keep(&store, &row, "ab", 5_000);
        let path = files(store.folder.path())[0].0.clone();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(4_999)
            .unwrap();
        if restart {
            let again = store.reopen();
            assert!(find(&again, &row, "ab").is_none());
            assert_eq!(again.handle.derived_usage(), (0, 0));
            assert!(!path.exists());
            return;
        }
        assert!(find(&store, &row, "ab").is_none());
        assert!(!path.exists());
    }
}

#[test]
fn drafts_leave_nothing_behind() {
    let store = store();
    let row = store.imported(1);
    drop(draft(&store, &row, b"half"));
    assert!(files(store.folder.path()).is_empty());
    let held = draft(&store, &row, b"half");
    assert!(held.has_room());
    let path = held.path().to_owned();
    assert!(store.findings().is_empty(), "drafts are known");
    std::mem::forget(held);
    let store = store.reopen();
    assert!(!path.exists());
    drop(store);
}

#[test]
fn the_least_recently_used_go_first() {
    let store = store();
    let row = store.imported(1);
    store.handle.set_derived_limit(3_000);
    for tag in ["a", "b", "c"] {
        keep(&store, &row, tag, 1_000);
    }
    assert!(find(&store, &row, "a").is_some());
    keep(&store, &row, "d", 1_000);
    let held = |store: &Store| ["a", "b", "c", "d"].map(|tag| find(store, &row, tag).is_some());
    assert_eq!(held(&store), [true, false, true, true]);
    let view = find(&store, &row, "a").unwrap();
    store.handle.set_derived_limit(0);
    assert_eq!(store.handle.derived_usage(), (0, 0));
    assert!(files(store.folder.path()).is_empty());
    let mut bytes = [0; 10];
    assert_eq!(
        view.mapping().read_at(0, &mut bytes).unwrap(),
        10,
        "still open"
    );
}

#[test]
fn the_order_of_use_survives_a_restart() {
    let store = store();
    let row = store.imported(1);
    for tag in ["a", "b", "c"] {
        keep(&store, &row, tag, 1_000);
        store.clock.advance(DERIVED_TOUCH_EVERY);
    }
    assert!(find(&store, &row, "a").is_some());
    let wall = WallMillis(store.clock.wall().0 + 1_000);
    let store = Store::open_at(store.close(), wall);
    assert_eq!(
        store.handle.derived_usage(),
        (3_000, 3),
        "nothing goes before a limit is told"
    );
    store.handle.set_derived_limit(2_000);
    assert_eq!(
        ["a", "b", "c"].map(|tag| find(&store, &row, tag).is_some()),
        [true, false, true]
    );
}

#[test]
fn a_file_larger_than_the_limit_is_answered_and_goes_next() {
    let store = store();
    let row = store.imported(1);
    store.handle.set_derived_limit(2_500);
    keep(&store, &row, "a", 1_000);
    assert_eq!(keep(&store, &row, "b", 9_000).len(), 9_000);
    assert!(find(&store, &row, "a").is_some(), "nothing went for it");
    assert!(find(&store, &row, "b").is_some());
    keep(&store, &row, "c", 1_000);
    assert_eq!(
        ["a", "b", "c"].map(|tag| find(&store, &row, tag).is_some()),
        [true, false, true]
    );
}

#[test]
fn conversions_go_with_their_source() {
    let store = store();
    let (row, other) = (store.imported(1), store.imported(2));
    keep(&store, &row, "a", 1_000);
    keep(&store, &other, "a", 1_000);
    let late = draft(&store, &row, b"late");
    store.handle.delete(store.tenant, row.facts.id).unwrap();
    assert_eq!(store.handle.derived_usage(), (1_000, 1));
    let gone = store.handle.keep_derived(&row, Container::Flac, "b", late);
    assert!(matches!(gone, Err(DerivedError::Gone)), "{gone:?}");
    assert_eq!(files(store.folder.path()).len(), 1);
    // A content that is another than the one it was made of.
    let mut changed = other.clone();
    changed.outcome.as_mut().unwrap().content_hash = [7; 32];
    let late = draft(&store, &other, b"late");
    let gone = store
        .handle
        .keep_derived(&changed, Container::Flac, "b", late);
    assert!(matches!(gone, Err(DerivedError::Gone)), "{gone:?}");
    assert_eq!(store.handle.derived_usage(), (1_000, 1));
    assert!(find(&store, &other, "a").is_some());
}

#[test]
fn orphans_are_found_and_removed_at_the_next_start() {
    let store = store();
    let row = store.imported(1);
    keep(&store, &row, "a", 1_000);
    let folder = store.folder.path().join("derived/1/999");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("ab.3.mp3"), b"xyz").unwrap();
    assert!(matches!(store.findings()[..], [Finding::Orphan { .. }]));
    let store = store.reopen();
    assert!(!folder.exists());
    assert_eq!(store.handle.derived_usage(), (1_000, 1));
    assert!(store.findings().is_empty());
    // Deleted, and the machine stopped before its conversions were.
    let retire = crate::index::keeping::Retire::by_command;
    let retire = retire(&store.handle.shared, store.tenant, row.facts.id);
    let change = crate::index::apply::Change::Retire(Box::new(retire));
    store.handle.shared.committer.commit(change).unwrap();
    let store = store.reopen();
    assert!(files(store.folder.path()).is_empty());
    assert!(store.findings().is_empty());
}

#[test]
fn what_is_not_counted_yet_is_found_all_the_same() {
    let store = store();
    let rows: Vec<_> = (0..4).map(|seed| store.imported(seed)).collect();
    for row in &rows {
        keep(&store, row, "a", 1_000);
    }
    let shared = &store.handle.shared;
    let fresh = Arc::new(Mutex::new(Shelf::new(shared.layout.clone())));
    fresh.lock().unwrap().set_limit(2_500);
    let name = name_of(&rows[2], Container::Flac, "a").unwrap();
    store.clock.advance(Duration::from_secs(1));
    let found = fresh.lock().unwrap().open(&name, shared.clock.wall());
    assert_eq!(found.unwrap().unwrap().1, 1_000);
    let count = || count::Count::new(&shared.layout, &shared.index, &shared.clock, &fresh);
    let stopping = Arc::new(AtomicBool::new(true));
    let stopped = count().begin(1, &stopping).unwrap();
    stopped.join().unwrap();
    assert!(
        files(store.folder.path()).len() == 4,
        "nothing goes before all are counted"
    );
    let thread = count().begin(1, &Arc::default()).unwrap();
    thread.join().unwrap();
    assert_eq!(fresh.lock().unwrap().usage(), (2_000, 2));
    assert_eq!(files(store.folder.path()).len(), 2);
    let used = fresh.lock().unwrap().open(&name, shared.clock.wall());
    assert!(used.unwrap().is_some(), "the others were used before it");
    assert!(
        count().begin(9, &stopping).is_none(),
        "few are counted at once"
    );
}

#[test]
fn a_full_disk_takes_the_space_of_conversions() {
    let store = store();
    let row = store.imported(1);
    keep(&store, &row, "a", 1_000);
    keep(&store, &row, "b", 1_000);
    let path = store.folder.path().join("reserve-of-the-test");
    std::fs::write(&path, b"x").unwrap();
    let reserve = Reserve::new(path);
    store.handle.shared.derived.yield_to(&reserve);
    assert!(reserve.release());
    while store.handle.derived_usage() != (0, 0) {
        std::thread::yield_now();
    }
    assert!(files(store.folder.path()).is_empty());
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Keep(usize, u8, usize),
    Use(usize, u8),
    Limit(u64),
    Delete(usize),
    Wait,
    Reopen,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let recording = 0..3_usize;
    let act = prop_oneof![
        6 => (recording.clone(), 0..4_u8, 0..3_000_usize).prop_map(|(r, t, n)| Act::Keep(r, t, n)),
        3 => (recording.clone(), 0..4_u8).prop_map(|(r, t)| Act::Use(r, t)),
        2 => (0..6_000_u64).prop_map(Act::Limit),
        1 => recording.prop_map(Act::Delete),
        1 => Just(Act::Wait),
        1 => Just(Act::Reopen),
    ];
    prop::collection::vec(act, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn no_schedule_outlives_a_source_or_exceeds_the_limit(acts in acts()) {
        let mut store = store();
        let rows: Vec<_> = (0..3).map(|seed| store.imported(seed)).collect();
        let mut deleted = [false; 3];
        let mut limit = 4_000;
        store.handle.set_derived_limit(limit);
        for act in acts {
            match act {
                Act::Keep(r, tag, bytes) => {
                    let made = draft(&store, &rows[r], &vec![tag; bytes]);
                    let tag = tag.to_string();
                    let kept = store.handle.keep_derived(&rows[r], Container::Flac, &tag, made);
                    prop_assert_eq!(kept.is_err(), deleted[r]);
                }
                Act::Use(r, tag) => {
                    let found = find(&store, &rows[r], &tag.to_string());
                    prop_assert!(found.is_none() || !deleted[r]);
                }
                Act::Limit(bytes) => {
                    limit = bytes;
                    store.handle.set_derived_limit(limit);
                }
                Act::Delete(r) => {
                    let result = store.handle.delete(store.tenant, rows[r].facts.id);
                    prop_assert_eq!(result.is_err(), deleted[r]);
                    deleted[r] = true;
                }
                Act::Wait => store.clock.advance(Duration::from_secs(61)),
                Act::Reopen => {
                    let wall = store.clock.wall();
                    store = Store::open_at(store.close(), wall);
                    store.handle.set_derived_limit(limit);
                }
            }
            let there = files(store.folder.path());
            let total: u64 = there.iter().map(|(_, bytes)| bytes).sum();
            prop_assert_eq!(store.handle.derived_usage(), (total, there.len() as u64));
            let largest = there.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
            prop_assert!(total - largest <= limit, "{} of {}", total, limit);
            for (path, _) in &there {
                let owner = crate::walk::derived(&store.handle.shared.layout, path);
                let at = rows.iter().position(|row| Some(row.facts.id) == owner.map(|one| one.1));
                prop_assert!(!deleted[at.unwrap()], "{:?}", path);
            }
        }
    }
}
