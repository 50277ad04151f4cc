//! A restore that is cut off after each of its steps: what opens is the old state or the new one,
//! whole, and starting again finishes it.

use super::*;

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

struct Case {
    folder: tempfile::TempDir,
    old_key: String,
    new_key: String,
    since: Recording,
}

/// A store with a restore that waits.
fn waiting() -> Case {
    let store = Store::new();
    let old_key = issue(&store);
    let archive = backup_of(&store);
    let new_key = issue(&store);
    let since = store.recorded();
    let folder = store.close();
    std::fs::create_dir_all(folder.path().join("keys")).unwrap();
    std::fs::write(folder.path().join("keys/admin.key"), b"of today").unwrap();
    stage_at(folder.path(), &archive);
    Case {
        folder,
        old_key,
        new_key,
        since,
    }
}

/// What a step that was cut off left.
type Cut = fn(&Path, before: &Path);

const AFTER: [(&str, Cut); 6] = [
    ("nothing was done", |_, _| ()),
    ("half of the merged index is there", |folder, _| {
        std::fs::write(folder.join("restore-pending/merged.redb"), [7; 5_000]).unwrap();
        std::fs::write(folder.join("restore-pending/merged.redb.tmp"), [7; 500]).unwrap();
    }),
    ("the old index has a second name", |folder, _| {
        let kept = folder.join("index.redb.before-restore-20200101T000000Z");
        std::fs::hard_link(folder.join("index.redb"), kept).unwrap();
    }),
    (
        "the index is in place, the backup's still there",
        |folder, before| {
            finish(folder);
            let pending = folder.join("restore-pending");
            copy(&before.join("restore-pending"), &pending);
        },
    ),
    (
        "the old keys are aside, the new ones not in place",
        |folder, before| {
            finish(folder);
            let pending = folder.join("restore-pending");
            copy(&before.join("restore-pending"), &pending);
            std::fs::remove_file(pending.join("index.redb")).unwrap();
            let (keys, signs) = (folder.join("keys"), "ledger.pem");
            std::fs::copy(keys.join(signs), pending.join("keys").join(signs)).unwrap();
            std::fs::remove_dir_all(keys).unwrap();
        },
    ),
    (
        "all is in place, the folder half removed",
        |folder, before| {
            finish(folder);
            let pending = folder.join("restore-pending");
            copy(&before.join("restore-pending/keys"), &pending.join("keys"));
        },
    ),
];

/// Opens a store, which takes the restore over, and closes it.
fn finish(folder: &Path) {
    let options = crate::testing::options(folder);
    drop(StorageHandle::open(options, Arc::new(SystemClock)).unwrap());
}

#[test]
fn a_restore_that_is_cut_off_is_finished_by_the_next_start() {
    for (what, cut) in AFTER {
        let case = waiting();
        let before = tempfile::tempdir().unwrap();
        copy(case.folder.path(), before.path());
        cut(case.folder.path(), before.path());
        let store = Store::open(case.folder);
        assert!(opens(&store, &case.old_key), "{what}");
        assert!(!opens(&store, &case.new_key), "{what}");
        assert!(holds(&store, &case.since), "{what}");
        let folder = store.folder.path();
        let key = std::fs::read(folder.join("keys/admin.key")).unwrap();
        assert_eq!(key, b"0123456789abcdef\n", "{what}");
        assert!(named(folder, "restore").is_empty(), "{what}");
        assert!(store.findings().is_empty(), "{what}");
    }
}

#[test]
fn what_was_not_yet_renamed_does_not_count() {
    let case = waiting();
    let folder = case.folder.path();
    std::fs::rename(
        folder.join("restore-pending"),
        folder.join("restore-staging"),
    )
    .unwrap();
    let store = Store::open(case.folder);
    assert!(opens(&store, &case.new_key));
    assert!(named(store.folder.path(), "restore").is_empty());
    let key = std::fs::read(store.folder.path().join("keys/admin.key")).unwrap();
    assert_eq!(key, b"of today");
}

#[test]
fn what_cannot_be_taken_over_leaves_the_store_as_it_was() {
    let case = waiting();
    let index = case.folder.path().join("restore-pending/index.redb");
    std::fs::write(&index, b"damaged on the way").unwrap();
    let store = Store::open(case.folder);
    assert!(opens(&store, &case.new_key));
    assert!(holds(&store, &case.since));
    assert!(
        pending(store.folder.path()).is_some(),
        "it is not forgotten"
    );
    let folder = store.close();
    cancel(folder.path()).unwrap();
}

#[test]
fn what_restores_replaced_is_bounded() {
    let store = Store::new();
    let archive = backup_of(&store);
    let mut folder = store.close();
    for _ in 0..5 {
        stage_at(folder.path(), &archive);
        folder = Store::open(folder).close();
    }
    let kept = named(folder.path(), "index.redb.before-restore");
    assert_eq!(kept.len(), crate::limits::REPLACED_MAX, "{kept:?}");
    let kept = named(folder.path(), "keys.before-restore");
    assert_eq!(kept.len(), crate::limits::REPLACED_MAX, "{kept:?}");
}
