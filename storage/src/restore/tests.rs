//! Backups put back: on an empty machine, over a store that went on, cut off at each step; and the
//! index before and after a migration.

mod migrations;
mod steps;

use std::path::Path;

use audio_io::clock::SystemClock;

use super::*;
use crate::backup::tests::backup_of;
use crate::ids::{RecordingName, TenantId};
use crate::record::{Family, Recording, RecordingState};
use crate::testing::Store;

fn everything() -> Wanted {
    Wanted {
        index: true,
        keys: true,
        ..Wanted::default()
    }
}

fn stage_at(folder: &Path, archive: &[u8]) {
    let bytes = archive.len() as u64;
    let wall = WallMillis(1_763_700_000_000);
    stage(folder, archive, bytes, &everything(), wall, &mut |_, _| ()).unwrap();
}

fn issue(store: &Store) -> String {
    let key = store.handle.issue_key(store.tenant, Family::TaskAudio, "k");
    key.unwrap().secret
}

fn opens(store: &Store, secret: &str) -> bool {
    let found = store.handle.authenticate(Family::TaskAudio, secret);
    found.is_some()
}

fn holds(store: &Store, row: &Recording) -> bool {
    let name = RecordingName::Recid(row.facts.id);
    let found = store.handle.find(store.tenant, &name).unwrap();
    found.is_some_and(|found| found.state == RecordingState::Stored && found == *row)
}

/// What begins so in a folder.
fn named(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = entries
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with(prefix)
        })
        .collect();
    all.sort();
    all
}

#[test]
fn an_empty_machine_becomes_what_was_backed_up() {
    let store = Store::new();
    let row = store.recorded();
    let secret = issue(&store);
    let archive = backup_of(&store);
    let fresh = tempfile::tempdir().unwrap();
    stage_at(fresh.path(), &archive);
    assert!(pending(fresh.path()).is_some());
    let fresh = Store::open(fresh);
    assert!(opens(&fresh, &secret));
    assert!(holds(&fresh, &row));
    assert!(fresh.handle.new_names(TenantId(1)).0 > row.facts.id);
    let folder = fresh.folder.path();
    let key = std::fs::read(folder.join("keys/admin.key")).unwrap();
    assert_eq!(key, b"0123456789abcdef\n");
    assert!(pending(folder).is_none() && !folder.join("restore-pending").exists());
}

#[test]
fn what_was_recorded_or_deleted_since_stays_and_keys_are_as_they_were() {
    let store = Store::new();
    let gone = store.imported(1);
    let kept = store.imported(2);
    let old_key = issue(&store);
    let archive = backup_of(&store);
    let new_key = issue(&store);
    let since = store.recorded();
    store.handle.delete(store.tenant, gone.facts.id).unwrap();
    store
        .handle
        .add_tenant(crate::ids::TenantName::new("later").unwrap())
        .unwrap();
    let folder = store.close();
    stage_at(folder.path(), &archive);
    let store = Store::open(folder);
    assert!(opens(&store, &old_key) && !opens(&store, &new_key));
    assert!(holds(&store, &kept) && holds(&store, &since));
    let name = RecordingName::Recid(gone.facts.id);
    assert_eq!(store.handle.find(store.tenant, &name).unwrap(), None);
    assert_eq!(store.handle.tenants().unwrap().len(), 2);
    // No number of a key comes back with another secret.
    let next = store
        .handle
        .issue_key(store.tenant, Family::TaskAudio, "next");
    assert_eq!(next.unwrap().row.key_id, 3);
    assert!(store.findings().is_empty(), "{:?}", store.findings());
    assert_eq!(
        named(store.folder.path(), "index.redb.before-restore").len(),
        1
    );
}

#[test]
fn without_an_index_recordings_made_since_come_from_their_files() {
    for damaged in [false, true] {
        let store = Store::new();
        let before = store.imported(1);
        let old_key = issue(&store);
        let archive = backup_of(&store);
        let since = store.recorded();
        let folder = store.close();
        let index = folder.path().join("index.redb");
        if damaged {
            std::fs::write(&index, b"not an index at all").unwrap();
        } else {
            std::fs::remove_file(&index).unwrap();
        }
        stage_at(folder.path(), &archive);
        let store = Store::open(folder);
        assert!(opens(&store, &old_key));
        assert!(holds(&store, &before) && holds(&store, &since));
        assert!(store.findings().is_empty(), "{:?}", store.findings());
        let mut page = store.handle.new_names(store.tenant).0;
        page.0 -= 1;
        assert!(page.0 >= since.facts.id.0, "a number is given again");
    }
}

#[test]
fn a_restore_is_given_up_and_a_second_one_waits_for_that() {
    let store = Store::new();
    let archive = backup_of(&store);
    let new_key = issue(&store);
    let folder = store.close();
    stage_at(folder.path(), &archive);
    let again = stage(
        folder.path(),
        &archive[..],
        0,
        &everything(),
        WallMillis(1),
        &mut |_, _| (),
    );
    assert!(matches!(again, Err(RestoreError::Pending(_))), "{again:?}");
    cancel(folder.path()).unwrap();
    assert!(matches!(
        cancel(folder.path()),
        Err(RestoreError::NonePending(_))
    ));
    let store = Store::open(folder);
    assert!(opens(&store, &new_key));
}

#[test]
fn a_backup_that_is_not_whole_leaves_nothing_behind() {
    let store = Store::new();
    let mut archive = backup_of(&store);
    let secret = issue(&store);
    let folder = store.close();
    let last = archive.len() - 1_600;
    archive[last] ^= 1;
    for cut in [&archive[..], &archive[..archive.len() / 2], b"junk"] {
        let refused = stage(
            folder.path(),
            cut,
            0,
            &everything(),
            WallMillis(1),
            &mut |_, _| (),
        );
        assert!(
            matches!(refused, Err(RestoreError::Archive(_))),
            "{refused:?}"
        );
        assert!(named(folder.path(), "restore").is_empty());
    }
    let store = Store::open(folder);
    assert!(opens(&store, &secret));
}

#[test]
fn files_are_placed_in_their_folder_only_and_what_was_there_is_kept() {
    let store = Store::new();
    let archive = backup_of(&store);
    let folder = store.close();
    let etc = tempfile::tempdir().unwrap();
    let main = etc.path().join("callreel.toml");
    let gone = etc.path().join("conf.d/99-new.toml");
    std::fs::create_dir(etc.path().join("conf.d")).unwrap();
    std::fs::write(&main, "changed").unwrap();
    std::fs::write(&gone, "new").unwrap();
    let wanted = Wanted {
        files: vec![
            (crate::backup::Place::Config, main.clone()),
            (
                crate::backup::Place::DropIn("10-x.toml".into()),
                etc.path().join("conf.d/10-x.toml"),
            ),
        ],
        gone: vec![gone.clone()],
        ..Wanted::default()
    };
    let staged = |wanted: &Wanted| {
        let wall = WallMillis(1);
        stage(folder.path(), &archive[..], 0, wanted, wall, &mut |_, _| ()).unwrap();
    };
    staged(&wanted);
    assert!(files_wait(folder.path()));
    let other = tempfile::tempdir().unwrap();
    let refused = place(folder.path(), other.path(), WallMillis(1));
    assert!(
        matches!(refused, Err(RestoreError::Outside { .. })),
        "{refused:?}"
    );
    let placed = place(folder.path(), etc.path(), WallMillis(1)).unwrap();
    assert_eq!(placed.len(), 3, "{placed:?}");
    assert_eq!(std::fs::read(&main).unwrap(), b"[log]\nlevel = \"info\"\n");
    assert!(!gone.exists());
    assert_eq!(
        std::fs::read(placed[0].kept.as_ref().unwrap()).unwrap(),
        b"changed"
    );
    assert!(!files_wait(folder.path()) && pending(folder.path()).is_none());
    // A link that leads elsewhere is not followed out of the folder.
    std::fs::rename(etc.path().join("conf.d"), other.path().join("conf.d")).unwrap();
    std::os::unix::fs::symlink(other.path().join("conf.d"), etc.path().join("conf.d")).unwrap();
    staged(&wanted);
    let refused = place(folder.path(), etc.path(), WallMillis(1));
    assert!(
        matches!(refused, Err(RestoreError::Outside { .. })),
        "{refused:?}"
    );
    cancel(folder.path()).unwrap();
}
