//! Exchanges of files, looked at after each step as a crash there would leave them.

use std::collections::BTreeSet;
use std::io::Write as _;

use super::*;
use crate::paths::peaks_of;
use crate::reindex::reindex;
use crate::testing::{Store, scratch, sound};

fn draft(store: &Store, row: &Recording, seed: u64) -> DerivedDraft {
    let mut draft = store.handle.draft_derived(row).unwrap();
    draft.file().write_all(&sound(seed, 3_000)).unwrap();
    draft
}

fn find(store: &Store, row: &Recording) -> Option<Recording> {
    let name = RecordingName::CallSid(row.facts.names.call_sid.clone());
    store.handle.find(store.tenant, &name).unwrap()
}

/// Names of all files below `recordings/` but the peaks.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    crate::walk::files(&folder.join("recordings"), &mut |found| {
        if found.ending != "peaks" {
            all.insert(found.ending);
        }
    })
    .unwrap();
    all
}

fn set(endings: &[&str]) -> BTreeSet<String> {
    endings.iter().map(|one| (*one).to_owned()).collect()
}

/// A copy of a data folder as it is now.
fn copy_of(folder: &Path) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let to = scratch();
    copy(folder, to.path());
    to
}

#[test]
fn the_row_changes_and_nothing_else_is_lost() {
    let store = Store::open(scratch());
    let row = store.recorded();
    let outcome = row.outcome.clone().unwrap();
    assert!(!outcome.gaps.is_empty() && !outcome.levels.is_empty());
    let old = store.handle.path_of(&row);
    let open = File::open(&old).unwrap();
    let kept = draft(&store, &row, 8);
    store
        .handle
        .keep_derived(&row, Container::Flac, "ab", kept)
        .unwrap();
    let seen = store.handle.generation();
    let after = store
        .handle
        .replace_stored(&row, Container::Mp3, draft(&store, &row, 9))
        .unwrap();
    let changed = store.handle.changes_since(seen).unwrap();
    assert!(changed.contains(&row.facts.id), "caches hear of it");
    assert_eq!(find(&store, &row).as_ref(), Some(&after));
    let bytes = std::fs::read(store.handle.path_of(&after)).unwrap();
    assert_eq!(bytes, sound(9, 3_000));
    let mut expected = row.clone();
    expected.facts.container = Container::Mp3;
    expected.outcome = Some(RecordingOutcome {
        size_bytes: 3_000,
        content_hash: *blake3::hash(&bytes).as_bytes(),
        ..outcome
    });
    assert_eq!(after, expected);
    assert!(!old.exists() && peaks_of(&old).exists());
    assert_eq!(
        open.metadata().unwrap().len(),
        row.outcome.as_ref().unwrap().size_bytes
    );
    assert_eq!(
        store.handle.derived_usage(),
        (0, 0),
        "made of what was there before"
    );
    assert_eq!(files(store.folder.path()), set(&["mp3", "mp3.facts.json"]));
    assert!(store.findings().is_empty());

    let folder = store.close();
    std::fs::write(folder.path().join("index.redb"), b"no index").unwrap();
    let report = reindex(folder.path(), &mut |_, _| ()).unwrap();
    assert!(report.skipped.is_empty(), "{report:?}");
    let store = Store::open(folder);
    assert_eq!(
        find(&store, &row),
        Some(after.clone()),
        "gaps and levels too"
    );
    assert!(store.findings().is_empty());

    let again = store
        .handle
        .replace_stored(&after, Container::Flac, draft(&store, &after, 10))
        .unwrap();
    assert_eq!(
        files(store.folder.path()),
        set(&["flac", "flac.facts.json"])
    );
    assert!(store.findings().is_empty());
    store.handle.resume_deletions().unwrap();
    store.handle.delete(store.tenant, again.facts.id).unwrap();
    assert!(files(store.folder.path()).is_empty());
}

#[test]
fn what_changed_meanwhile_is_left_alone() {
    let store = Store::open(scratch());
    let row = store.recorded();
    let replace = |row: &Recording, container, seed| {
        let draft = draft(&store, row, seed);
        store.handle.replace_stored(row, container, draft)
    };
    let same = replace(&row, Container::Wav, 1);
    assert!(matches!(same, Err(ReplaceError::Io { .. })), "{same:?}");
    let after = replace(&row, Container::Mp3, 2).unwrap();
    for container in [Container::Mp3, Container::Flac] {
        let late = replace(&row, container, 3);
        assert!(matches!(late, Err(ReplaceError::Gone)), "{late:?}");
    }
    assert_eq!(find(&store, &row).as_ref(), Some(&after));
    assert_eq!(
        std::fs::read(store.handle.path_of(&after)).unwrap(),
        sound(2, 3_000)
    );

    // Deleted between the check and the commit.
    let shared = &store.handle.shared;
    let mut delete = |step| {
        if step == Step::Placed {
            store.handle.delete(store.tenant, row.facts.id).unwrap();
        }
    };
    let draft = draft(&store, &after, 4);
    let gone = replace_with(shared, &after, Container::Ogg, &draft, &mut delete);
    assert!(matches!(gone, Err(ReplaceError::Gone)), "{gone:?}");
    assert!(files(store.folder.path()).is_empty());
    assert!(shared.index.leftovers().unwrap().is_empty());
    assert!(store.findings().is_empty());
}

use super::replace as replace_with;

#[test]
fn a_crash_after_any_step_leaves_one_file() {
    for imported in [false, true] {
        let store = Store::open(scratch());
        let (row, target, old, new) = if imported {
            let old = set(&["facts.json", "mp3"]);
            let new = set(&["flac", "flac.facts.json"]);
            (store.imported(1), Container::Flac, old, new)
        } else {
            let new = set(&["mp3", "mp3.facts.json"]);
            (store.recorded(), Container::Mp3, set(&["wav"]), new)
        };
        let draft = draft(&store, &row, 9);
        let mut crashes = Vec::new();
        let mut crash = |step| crashes.push((step, copy_of(store.folder.path())));
        let shared = &store.handle.shared;
        let after = replace_with(shared, &row, target, &draft, &mut crash).unwrap();
        assert_eq!(crashes.len(), 6);
        for (step, folder) in crashes {
            let lost_index = copy_of(folder.path());
            let store = Store::open(folder);
            let committed = !matches!(step, Step::Intended | Step::FactsWritten | Step::Placed);
            let (expected, kept) = if committed {
                (&after, &new)
            } else {
                (&row, &old)
            };
            assert_eq!(find(&store, &row).as_ref(), Some(expected), "{step:?}");
            assert_eq!(files(store.folder.path()), *kept, "{step:?}");
            assert!(
                store.findings().is_empty(),
                "{step:?}: {:?}",
                store.findings()
            );
            assert!(store.handle.shared.index.leftovers().unwrap().is_empty());

            // The same crash, and no index: the files alone decide, and one is left.
            std::fs::write(lost_index.path().join("index.redb"), b"no index").unwrap();
            reindex(lost_index.path(), &mut |_, _| ()).unwrap();
            let store = Store::open(lost_index);
            let held = find(&store, &row).unwrap();
            assert!([&row, &after].contains(&&held), "{step:?}: {held:?}");
            let both = matches!(step, Step::Placed | Step::Committed);
            if both && !imported {
                assert_eq!(held, row, "the file as it was recorded wins");
            }
            let kept = if held == row { &old } else { &new };
            let there = files(store.folder.path());
            assert!(there.is_superset(kept), "{step:?}: {there:?}");
            let sounds = there.iter().filter(|name| !name.ends_with("json"));
            assert_eq!(sounds.count(), 1, "{step:?}: {there:?}");
            let findings = store.findings();
            let most = usize::from(step == Step::FactsWritten);
            assert!(findings.len() <= most, "{step:?}: {findings:?}");
        }
    }
}

#[test]
fn a_reader_who_comes_late_gets_the_new_file() {
    let store = Store::open(scratch());
    let row = store.recorded();
    let after = store
        .handle
        .replace_stored(&row, Container::Mp3, draft(&store, &row, 9))
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let view = runtime.block_on(store.handle.view(&row)).unwrap();
    assert_eq!(view.container(), Container::Mp3);
    assert_eq!(view.len(), after.outcome.unwrap().size_bytes);
}
