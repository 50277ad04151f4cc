//! Prompts on a real folder: added, stored, deleted, looked at after a crash, reindexed.

use std::path::PathBuf;
use std::sync::Barrier;

use audio_io::format::StreamFormat;
use audio_io::units::{Frames, WallMillis};

use super::*;
use crate::check::Finding;
use crate::ids::TenantName;
use crate::prompt::Speech;
use crate::reindex::reindex;
use crate::testing::{Store, scratch, sound};

const FACTS: SoundFacts = SoundFacts {
    container: Container::Mp3,
    format: StreamFormat::TELEPHONE,
    frames: Frames(8_000),
};

fn store() -> Store {
    Store::open(scratch())
}

fn new(store: &Store, name: &str) -> NewPrompt {
    NewPrompt {
        tenant: store.tenant,
        name: name.into(),
        origin: PromptOrigin::Upload,
        expires_at: None,
    }
}

fn spoken(store: &Store) -> NewPrompt {
    let text = "Please hold the line".into();
    NewPrompt {
        origin: PromptOrigin::Speech(Speech { text, voice: None }),
        ..new(store, "hold")
    }
}

/// A file with bytes of its own.
fn file(store: &Store, seed: u64) -> PathBuf {
    let path = store.folder.path().join(format!("source-{seed}"));
    std::fs::write(&path, sound(seed, 5_000)).unwrap();
    path
}

fn upload(store: &Store, seed: u64) -> PromptRow {
    let path = file(store, seed);
    let added = store
        .handle
        .add_prompt(new(store, "welcome"), Some((&path, FACTS)));
    added.unwrap()
}

fn bytes(store: &Store, row: &PromptRow) -> Vec<u8> {
    let view = store.handle.view_prompt(row).unwrap();
    let mut bytes = vec![0; usize::try_from(view.len()).unwrap()];
    view.mapping().read_at(0, &mut bytes).unwrap();
    bytes
}

fn path(store: &Store, row: &PromptRow) -> PathBuf {
    let layout = &store.handle.shared.layout;
    layout.prompt(row.tenant, row.id, Container::Mp3)
}

#[test]
fn an_upload_is_found_served_and_deleted() {
    let store = store();
    let row = upload(&store, 1);
    assert_eq!(bytes(&store, &row), sound(1, 5_000));
    let view = store.handle.view_prompt(&row).unwrap();
    let hash = blake3::hash(&sound(1, 5_000));
    assert_eq!(view.etag(), hash.to_hex().as_str());
    let store = store.reopen();
    let found = store.handle.prompt(store.tenant, row.id).unwrap();
    assert_eq!(found.as_ref(), Some(&row));
    assert_eq!(bytes(&store, &row), sound(1, 5_000));
    assert!(store.findings().is_empty());

    let deleted = store.handle.delete_prompt(store.tenant, row.id).unwrap();
    assert!(deleted.is_gone(WallMillis(0)) && !row.is_gone(WallMillis(u64::MAX)));
    assert!(!path(&store, &row).exists());
    for row in [&row, &deleted] {
        let gone = store.handle.view_prompt(row);
        assert!(matches!(gone, Err(ViewError::NoPrompt(_))), "{gone:?}");
    }
    store.clock.advance(std::time::Duration::from_secs(9));
    let again = store.handle.delete_prompt(store.tenant, row.id).unwrap();
    assert_eq!(again, deleted, "the first time counts");
    assert!(store.findings().is_empty());
    let store = store.reopen();
    let found = store.handle.prompt(store.tenant, row.id).unwrap();
    assert_eq!(found, Some(deleted));
    assert!(upload(&store, 2).id > row.id, "numbers are not used again");
}

#[test]
fn lists_begin_with_the_newest_and_know_their_tenant() {
    let store = store();
    let rows: Vec<_> = (0..5).map(|seed| upload(&store, seed)).collect();
    let list = |tenant, limit| {
        let mut odd = |row: &PromptRow| row.id.0 % 2 == 1;
        store.handle.prompts(tenant, &mut odd, limit).unwrap()
    };
    let odd: Vec<_> = rows
        .iter()
        .rev()
        .filter(|row| row.id.0 % 2 == 1)
        .cloned()
        .collect();
    assert_eq!(list(store.tenant, 10), odd);
    assert_eq!(list(store.tenant, 1), odd[..1]);
    let other = store
        .handle
        .add_tenant(TenantName::new("other").unwrap())
        .unwrap()
        .id;
    assert!(list(other, 10).is_empty());
    assert_eq!(store.handle.prompt(other, rows[0].id).unwrap(), None);
    let refused = store.handle.delete_prompt(other, rows[0].id);
    assert!(
        matches!(refused, Err(PromptError::NotFound(_))),
        "{refused:?}"
    );
    let theirs = NewPrompt {
        tenant: other,
        ..new(&store, "x")
    };
    let theirs = store.handle.add_prompt(theirs, None).unwrap();
    assert!(
        rows.iter().all(|row| row.id < theirs.id),
        "unique over all tenants"
    );
}

#[test]
fn what_is_no_prompt_is_refused() {
    let store = store();
    let long = "x".repeat(PROMPT_NAME_MAX + 1);
    for name in ["", "a\nb", &long] {
        let refused = store.handle.add_prompt(new(&store, name), None);
        assert!(matches!(refused, Err(PromptError::Name)), "{refused:?}");
    }
    let empty = Speech {
        text: String::new(),
        voice: None,
    };
    let mute = NewPrompt {
        origin: PromptOrigin::Speech(empty),
        ..new(&store, "mute")
    };
    assert!(matches!(
        store.handle.add_prompt(mute, None),
        Err(PromptError::Text)
    ));
    let nobody = NewPrompt {
        tenant: TenantId(99),
        ..new(&store, "x")
    };
    let path = file(&store, 1);
    for file in [None, Some((path.as_path(), FACTS))] {
        let refused = store.handle.add_prompt(nobody.clone(), file);
        assert!(
            matches!(refused, Err(PromptError::NoTenant(_))),
            "{refused:?}"
        );
    }
    let missing = path.with_extension("gone");
    let refused = store
        .handle
        .add_prompt(new(&store, "x"), Some((&missing, FACTS)));
    assert!(
        matches!(refused, Err(PromptError::Io { .. })),
        "{refused:?}"
    );
    assert!(store.findings().is_empty());
    let drafts = store.handle.shared.layout.prompt_drafts();
    assert_eq!(std::fs::read_dir(drafts).unwrap().count(), 0);
}

#[test]
fn the_first_sound_that_is_stored_stays() {
    let store = store();
    let row = store.handle.add_prompt(spoken(&store), None).unwrap();
    assert!(matches!(
        store.handle.view_prompt(&row),
        Err(ViewError::NoPrompt(_))
    ));
    let files = [file(&store, 1), file(&store, 2)];
    let barrier = Barrier::new(2);
    let (handle, tenant) = (&store.handle, store.tenant);
    let stored: Vec<_> = std::thread::scope(|scope| {
        let begin = |path: &PathBuf| {
            let path = path.clone();
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                handle
                    .store_prompt_sound(tenant, row.id, &path, FACTS)
                    .unwrap()
            })
        };
        let threads: Vec<_> = files.iter().map(begin).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(stored[0], stored[1]);
    let held = bytes(&store, &stored[0]);
    assert!([sound(1, 5_000), sound(2, 5_000)].contains(&held));
    let late = handle.store_prompt_sound(tenant, row.id, &file(&store, 3), FACTS);
    assert_eq!(late.unwrap(), stored[0]);
    assert!(store.findings().is_empty());
    handle.delete_prompt(tenant, row.id).unwrap();
    let refused = handle.store_prompt_sound(tenant, row.id, &files[0], FACTS);
    assert!(
        matches!(refused, Err(PromptError::NotFound(_))),
        "{refused:?}"
    );
    assert!(store.findings().is_empty());
}

#[test]
fn what_a_crash_left_is_cleared_at_the_next_start() {
    let store = store();
    let (kept, deleted) = (upload(&store, 1), upload(&store, 2));
    let shared = &store.handle.shared;
    let commit = |change| shared.committer.commit(Change::Prompt(change)).unwrap();
    // Between the hint and the row of an upload; a sound that came and was not committed.
    let at = WallMillis(1);
    let Applied::Prompt(came) = commit(PromptChange::Prepare(Box::new(new(&store, "x")), at))
    else {
        panic!("no prompt");
    };
    let mute = store.handle.add_prompt(spoken(&store), None).unwrap();
    commit(PromptChange::Intend(store.tenant, mute.id));
    // Between the row of a deletion and its file; a hint whose row was committed with its file.
    commit(PromptChange::Delete(store.tenant, deleted.id, at));
    commit(PromptChange::Intend(store.tenant, kept.id));
    for row in [&came, &mute] {
        std::fs::write(path(&store, row), b"half").unwrap();
    }
    let draft = shared.layout.prompt_drafts().join("7.tmp");
    std::fs::write(&draft, b"half").unwrap();
    assert!(store.findings().is_empty(), "the hints tell of all of them");
    let paths: Vec<_> = [&came, &mute, &deleted].map(|row| path(&store, row)).into();
    let store = store.reopen();
    assert!(paths.iter().chain([&draft]).all(|path| !path.exists()));
    assert_eq!(bytes(&store, &kept), sound(1, 5_000));
    assert_eq!(store.handle.shared.index.unsettled_prompts().unwrap(), []);
    assert!(store.findings().is_empty());
    let stored = store
        .handle
        .store_prompt_sound(store.tenant, mute.id, &file(&store, 4), FACTS)
        .unwrap();
    assert_eq!(bytes(&store, &stored), sound(4, 5_000));
}

#[test]
fn damage_is_found_and_never_served_short() {
    let store = store();
    let row = upload(&store, 1);
    let path = path(&store, &row);
    std::fs::write(&path, sound(7, 5_000)).unwrap();
    assert!(matches!(store.findings()[..], [Finding::PromptHash { .. }]));
    std::fs::write(&path, b"short").unwrap();
    assert!(matches!(store.findings()[..], [Finding::PromptSize { .. }]));
    let short = store.handle.view_prompt(&row);
    assert!(
        matches!(short, Err(ViewError::PromptLength { found: 5, .. })),
        "{short:?}"
    );
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(
        store.findings()[..],
        [Finding::MissingPrompt { .. }]
    ));
    std::fs::write(path.with_file_name("stray.mp3"), b"x").unwrap();
    std::fs::write(path.with_file_name("77.mp3"), b"x").unwrap();
    let found = store.findings();
    let strays = found
        .iter()
        .filter(|one| matches!(one, Finding::StrayPrompt { .. }));
    assert_eq!(strays.count(), 2, "{found:?}");
}

#[test]
fn reindexing_keeps_rows_or_at_least_the_numbers() {
    let store = store();
    let rows: Vec<_> = (0..3).map(|seed| upload(&store, seed)).collect();
    let newest = store.handle.add_prompt(spoken(&store), None).unwrap();
    store
        .handle
        .delete_prompt(store.tenant, rows[1].id)
        .unwrap();
    let all = |store: &Store| {
        store
            .handle
            .prompts(store.tenant, &mut |_| true, 10)
            .unwrap()
    };
    let before = all(&store);
    let folder = store.close();
    let report = reindex(folder.path(), &mut |_, _| ()).unwrap();
    assert_eq!(report.prompts, 4);
    let store = Store::open(folder);
    assert_eq!(all(&store), before);
    assert!(upload(&store, 5).id > newest.id);
    assert!(store.findings().is_empty());
    let high = upload(&store, 6).id;

    let folder = store.close();
    std::fs::write(folder.path().join("index.redb"), b"no index").unwrap();
    reindex(folder.path(), &mut |_, _| ()).unwrap();
    let store = Store::open(folder);
    assert!(
        upload(&store, 7).id > high,
        "their files tell which are taken"
    );
}
