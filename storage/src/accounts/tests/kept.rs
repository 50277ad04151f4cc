//! What lies on disk: older and newer indexes, checks, reindexing, and who may read the file.

use std::os::unix::fs::PermissionsExt as _;

use audio_io::units::Frames;
use redb::{Database, ReadableDatabase as _, TableDefinition};

use super::*;
use crate::account::{KeyCheck, PasswordCheck};
use crate::check::{CheckOptions, Finding, check};
use crate::error::OpenError;
use crate::handle::StorageHandle;
use crate::ids::{RecordingId, RecordingName, TenantId};
use crate::index::tables::{KEYS, META, TENANTS, USERS, meta};
use crate::record::{Container, EndCause, Family};
use crate::reindex::reindex;
use crate::testing::options;

/// Does something to the index of a store that is closed.
fn meddle(folder: &tempfile::TempDir, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(folder.path().join("index.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

#[test]
fn an_index_of_schema_1_gets_what_it_lacks() {
    let store = Store::new();
    let key = store
        .handle
        .issue_key(store.tenant, Family::TaskAudio, "crm")
        .unwrap();
    let folder = store.close();
    let old_key = include_bytes!("../../../golden/key_v1.row").as_slice();
    let old_tenant = include_bytes!("../../../golden/tenant_v1.row").as_slice();
    meddle(&folder, |index| {
        for name in ["users", "user_sessions", "locks", "signing_keys"] {
            let table: TableDefinition<&[u8], &[u8]> = TableDefinition::new(name);
            assert!(index.delete_table(table).unwrap());
        }
        let mut held = index.open_table(META).unwrap();
        held.insert(meta::SCHEMA, 1_u32.to_be_bytes().as_slice())
            .unwrap();
        held.remove(meta::TOKEN_PREFIX).unwrap();
        held.remove(meta::SIGNING_HIGH).unwrap();
        let mut keys = index.open_table(KEYS).unwrap();
        keys.insert(&77_u64.to_be_bytes(), old_key).unwrap();
        let mut tenants = index.open_table(TENANTS).unwrap();
        tenants.insert(&3_u32.to_be_bytes(), old_tenant).unwrap();
    });
    let store = Store::open(folder);
    let opens = store
        .handle
        .check_key(Family::TaskAudio, &key.secret, ip("::1"));
    assert_eq!(opens, KeyCheck::Valid(Box::new(key.row)));
    let old = store.handle.keys().unwrap()[1].clone();
    assert_eq!((old.key_id, old.expires_at, old.user_id), (77, None, None));
    let old = store.handle.tenant(TenantId(3)).unwrap();
    assert_eq!((old.keep_as, old.disabled_at), (Container::Wav, None));
    store
        .handle
        .set_tenant_keep_as(TenantId(3), Container::Mp3)
        .unwrap();
    assert_eq!(store.handle.signing_keys().len(), 1);
    let user = add(&store, "anna");
    let store = reopen_after(store, MINUTE);
    assert_eq!(store.handle.users(), [user]);
    assert_eq!(
        store.handle.tenant(TenantId(3)).unwrap().keep_as,
        Container::Mp3
    );
    let folder = store.close();
    let database = Database::open(folder.path().join("index.redb")).unwrap();
    let reading = database.begin_read().unwrap();
    let row = reading
        .open_table(TENANTS)
        .unwrap()
        .get(&3_u32.to_be_bytes())
        .unwrap();
    assert_eq!(row.unwrap().value()[0], 2, "written anew when it changed");
    let row = reading
        .open_table(KEYS)
        .unwrap()
        .get(&77_u64.to_be_bytes())
        .unwrap();
    assert_eq!(row.unwrap().value(), old_key, "left as it is");
}

#[test]
fn what_an_older_program_left_open_at_a_crash_is_repaired() {
    let store = Store::new();
    let (tenant, stored) = (store.tenant, store.recorded());
    let folder = store.close();
    let journal = include_bytes!("../../../golden/journal_v1.wal");
    std::fs::write(folder.path().join("journal/00000001.wal"), journal).unwrap();
    meddle(&folder, |index| {
        let mut held = index.open_table(META).unwrap();
        held.insert(meta::SCHEMA, 2_u32.to_be_bytes().as_slice())
            .unwrap();
    });
    let store = Store::open(folder);
    assert_eq!(store.report.sealed, [RecordingId(5)]);
    let name = RecordingName::Recid(RecordingId(5));
    let row = store.handle.find(tenant, &name).unwrap().unwrap();
    let outcome = row.outcome.unwrap();
    assert_eq!((outcome.frames, outcome.gaps.len()), (Frames(132), 1));
    assert_eq!(
        (outcome.marks, outcome.end_cause),
        (vec![], EndCause::Command)
    );
    let name = RecordingName::Recid(stored.facts.id);
    assert_eq!(store.handle.find(tenant, &name).unwrap(), Some(stored));
    assert!(store.findings().is_empty(), "{:?}", store.findings());
}

#[test]
fn a_newer_index_is_refused() {
    let store = Store::new();
    let folder = store.close();
    meddle(&folder, |index| {
        let mut held = index.open_table(META).unwrap();
        held.insert(meta::SCHEMA, 99_u32.to_be_bytes().as_slice())
            .unwrap();
    });
    let clock = std::sync::Arc::new(audio_io::clock::SystemClock);
    let refused = StorageHandle::open(options(folder.path()), clock).map(|_| ());
    assert!(
        matches!(refused, Err(OpenError::NewerSchema { found: 99, .. })),
        "{refused:?}"
    );
}

#[test]
fn nobody_but_the_owner_reads_the_index() {
    let mode = |path: &std::path::Path| {
        let metadata = std::fs::metadata(path.join("index.redb")).unwrap();
        metadata.permissions().mode() & 0o7777
    };
    let store = Store::new();
    assert_eq!(mode(store.folder.path()), 0o600);
    let folder = store.close();
    let path = folder.path().join("index.redb");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(folder);
    assert_eq!(mode(store.folder.path()), 0o600, "one that was made before");
    let folder = store.close();
    reindex(folder.path(), &mut |_, _| ()).unwrap();
    assert_eq!(mode(folder.path()), 0o600);
}

#[test]
fn damaged_rows_are_found_open_nothing_and_stop_nothing() {
    let store = Store::new();
    let (anna, bert) = (add(&store, "anna"), add(&store, "bert"));
    let key = store
        .handle
        .issue_key(store.tenant, Family::TaskAudio, "crm")
        .unwrap();
    let (_, token) = store
        .handle
        .open_session(&bert, ip("::1"), LIMITS, false)
        .unwrap();
    let folder = store.close();
    let damaged = [9_u8, 9, 9].as_slice();
    meddle(&folder, |index| {
        let mut users = index.open_table(USERS).unwrap();
        users
            .insert(anna.user_id.to_be_bytes().as_slice(), damaged)
            .unwrap();
        let mut keys = index.open_table(KEYS).unwrap();
        keys.insert(&key.row.key_id.to_be_bytes(), damaged).unwrap();
        let locks: TableDefinition<&[u8], &[u8]> = TableDefinition::new("locks");
        let mut locks = index.open_table(locks).unwrap();
        locks.insert([7_u8].as_slice(), damaged).unwrap();
    });
    let store = Store::open(folder);
    let checked = |store: &Store| {
        let report = check(&store.handle, CheckOptions::default(), &mut |_, _| ()).unwrap();
        let findings = report.findings.iter();
        let mut found: Vec<_> = findings
            .map(|finding| match finding {
                Finding::AccountRow { table, key } => (*table, key.clone()),
                other => panic!("{other}"),
            })
            .collect();
        found.sort();
        found
    };
    let expected = [
        ("keys", "1".to_owned()),
        ("locks", "07".to_owned()),
        ("users", "0000000000000001".to_owned()),
    ];
    assert_eq!(checked(&store), expected);
    let opens = |store: &Store| {
        let handle = &store.handle;
        (
            handle.check_password("anna", PASSWORD, ip("::1")),
            handle.check_key(Family::TaskAudio, &key.secret, ip("::1")),
            handle.use_session(&token, ip("::1"), LIMITS).is_some(),
        )
    };
    assert_eq!(
        opens(&store),
        (PasswordCheck::Wrong, KeyCheck::Unknown, true)
    );
    let folder = store.close();
    reindex(folder.path(), &mut |_, _| ()).unwrap();
    let store = Store::open(folder);
    assert_eq!(checked(&store), []);
    assert_eq!(
        opens(&store),
        (PasswordCheck::Wrong, KeyCheck::Unknown, true)
    );
    assert!(add(&store, "anna").user_id > bert.user_id);
}

#[test]
fn reindexing_keeps_all_accounts() {
    let store = Store::new();
    let (anna, bert) = (add(&store, "anna"), add(&store, "bert"));
    store.handle.remove_user(&bert.name).unwrap();
    let off = store
        .handle
        .set_tenant_keep_as(store.tenant, Container::Flac)
        .unwrap();
    let first = store
        .handle
        .issue_key(store.tenant, Family::TaskAudio, "crm")
        .unwrap();
    let key = store.handle.rotate_key(first.row.key_id, 0).unwrap();
    let (_, token) = store
        .handle
        .open_session(&anna, ip("::1"), LIMITS, false)
        .unwrap();
    store.handle.rotate_signing_key(true).unwrap();
    for _ in 0..5 {
        store.handle.count_failure(ip("192.0.2.1"), Some("carl"));
    }
    let told = |store: &Store| {
        let handle = &store.handle;
        (
            (
                handle.users(),
                handle.tenants().unwrap(),
                handle.keys().unwrap(),
            ),
            (
                handle.signing_keys(),
                handle.locks(),
                handle.sessions(LIMITS),
            ),
        )
    };
    let before = told(&store);
    let folder = store.close();
    let report = reindex(folder.path(), &mut |_, _| ()).unwrap();
    assert_eq!(
        (report.users, report.keys, report.tenants),
        (1, 2, 1),
        "{report:?}"
    );
    let store = Store::open(folder);
    assert_eq!(told(&store), before);
    assert_eq!(store.handle.tenant(store.tenant), Some(off));
    assert!(
        store
            .handle
            .use_session(&token, ip("::1"), LIMITS)
            .is_some()
    );
    let checked = store
        .handle
        .check_key(Family::TaskAudio, &key.secret, ip("::1"));
    assert!(matches!(checked, KeyCheck::Valid(_)));
    let (_, next) = store
        .handle
        .open_session(&anna, ip("::1"), LIMITS, false)
        .unwrap();
    assert_eq!(next[..4], token[..4], "the store's prefix");
    assert!(
        add(&store, "bert").user_id > bert.user_id,
        "ids are never given again"
    );
}

#[test]
fn what_a_failing_disk_refuses_is_not_done() {
    let store = Store::new();
    let handle = &store.handle;
    let anna = add(&store, "anna");
    let key = handle
        .issue_key(store.tenant, Family::TaskAudio, "crm")
        .unwrap();
    let (_, token) = handle
        .open_session(&anna, ip("::1"), LIMITS, false)
        .unwrap();
    let signing = handle.signing_keys();
    let fails = |what: &str, done: bool| assert!(!done, "{what}");
    let index = &handle.shared.index;
    index.fail_once();
    fails("add", handle.add_user(wish(&store, "bert")).is_ok());
    index.fail_once();
    fails("remove", handle.remove_user(&anna.name).is_ok());
    index.fail_once();
    fails("revoke", handle.revoke_key(key.row.key_id).is_ok());
    index.fail_once();
    fails("rotate", handle.rotate_key(key.row.key_id, 0).is_ok());
    index.fail_once();
    fails("close", handle.close_session(&token).is_ok());
    index.fail_once();
    fails("sign", handle.rotate_signing_key(true).is_ok());
    index.fail_once();
    fails(
        "tenant",
        handle.set_tenant_disabled(store.tenant, true).is_ok(),
    );
    assert_eq!(handle.users(), std::slice::from_ref(&anna));
    assert_eq!(handle.keys().unwrap(), std::slice::from_ref(&key.row));
    assert_eq!(handle.signing_keys(), signing);
    let store = reopen_after(store, MINUTE);
    let handle = &store.handle;
    assert_eq!(handle.users(), std::slice::from_ref(&anna));
    assert_eq!(handle.signing_keys(), signing);
    assert!(handle.use_session(&token, ip("::1"), LIMITS).is_some());
    let opens = handle.check_key(Family::TaskAudio, &key.secret, ip("::1"));
    assert_eq!(opens, KeyCheck::Valid(Box::new(key.row)));
    assert!(add(&store, "bert").user_id > anna.user_id);
}

#[test]
fn failures_outlast_a_failing_disk() {
    let store = Store::new();
    let handle = &store.handle;
    for n in 0..5_u8 {
        handle.shared.index.fail_once();
        handle.count_failure(ip("192.0.2.1"), Some("anna"));
        handle.count_failure(IpAddr::from([10, 0, 0, n]), None);
        // The commit that fails is this one, or that of the failures just before it.
        let _ = handle.flush_index();
    }
    let locks = handle.locks();
    assert_eq!(locks.len(), 1);
    handle.flush_index().unwrap();
    let store = reopen_after(store, Duration::ZERO);
    assert_eq!(store.handle.locks(), locks);
    assert_eq!(store.handle.shared.accounts.tries.len(), 7);
}
