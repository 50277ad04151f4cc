//! Indexes of older schemas: copied before they change, whole whenever the power goes, and put
//! back for the version that wrote them.

use redb::{Database, TableDefinition};

use super::*;
use crate::index::tables::{META, meta};
use crate::io::crash::{Disk, Log, LoggedIndex, Loss};
use crate::limits::INDEX_COPIES_MAX;
use crate::reindex::reindex;
use crate::testing::{options, scratch};

/// Makes the index of a closed store what an older version left.
fn make_older(folder: &Path, schema: u32) {
    let database = Database::open(folder.join("index.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    if schema == 1 {
        for name in ["users", "user_sessions", "locks", "signing_keys"] {
            let table: TableDefinition<&[u8], &[u8]> = TableDefinition::new(name);
            transaction.delete_table(table).unwrap();
        }
    }
    {
        let mut held = transaction.open_table(META).unwrap();
        held.insert(meta::SCHEMA, schema.to_be_bytes().as_slice())
            .unwrap();
        // There was no ledger yet, nor a key for it.
        held.remove(meta::LEDGER_KEY).unwrap();
    }
    transaction.commit().unwrap();
}

fn schema_at(folder: &Path) -> u32 {
    schema_of_copy(&folder.join("index.redb")).unwrap()
}

#[test]
fn an_older_index_is_copied_before_it_is_changed() {
    for schema in [1, 2, 3] {
        let store = Store::new();
        let row = store.recorded();
        let secret = issue(&store);
        let folder = store.close();
        make_older(folder.path(), schema);
        let store = Store::open(folder);
        assert!(opens(&store, &secret) && holds(&store, &row));
        let copies = named(&store.folder.path().join("backups"), "index-schema");
        let [copy] = &copies[..] else {
            panic!("{copies:?}")
        };
        assert!(
            copy.to_string_lossy()
                .contains(&format!("schema{schema}-2025"))
        );
        let rights = std::fs::metadata(copy).unwrap().permissions();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&rights) & 0o777,
            0o600
        );
        assert_eq!(schema_of_copy(copy).unwrap(), schema);
        let folder = store.close();
        assert_eq!(schema_at(folder.path()), SCHEMA);
        // What is up to date is not copied again.
        let store = Store::open(folder);
        assert_eq!(named(&store.folder.path().join("backups"), "").len(), 1);
    }
}

#[test]
fn copies_are_bounded() {
    let mut folder = Store::new().close();
    for _ in 0..5 {
        make_older(folder.path(), 2);
        folder = Store::open(folder).close();
    }
    let copies = named(&folder.path().join("backups"), "");
    assert_eq!(copies.len(), INDEX_COPIES_MAX, "{copies:?}");
}

#[test]
fn a_power_cut_at_any_write_of_a_migration_leaves_an_index_that_opens() {
    let store = Store::new();
    let secret = issue(&store);
    let kept = store.close();
    make_older(kept.path(), 1);
    let folder = scratch();
    let index = folder.path().join("index.redb");
    std::fs::copy(kept.path().join("index.redb"), &index).unwrap();
    let mut disk = Disk::of(folder.path());
    let log = Log::default();
    let opener: Arc<dyn crate::index::backend::Opener> = Arc::new(LoggedIndex {
        log: log.clone(),
        folder: folder.path().to_owned(),
    });
    let layout = Layout::new(folder.path());
    let opened = migrate::open(&opener, &layout, 1 << 20, WallMillis(1)).unwrap();
    drop(opened);
    let events = log.events();
    assert!(events.len() > 10, "{}", events.len());
    for (number, event) in events.iter().enumerate() {
        disk.step(number, event);
        for loss in [
            Loss::Nothing,
            Loss::Everything,
            Loss::Some(number as u64 * 31),
        ] {
            let cut = scratch();
            disk.materialise(folder.path(), cut.path(), loss);
            let at = format!("after {number}, {loss:?}");
            let clock = Arc::new(SystemClock);
            let (store, ..) = StorageHandle::open(options(cut.path()), clock)
                .unwrap_or_else(|error| panic!("{at}: {error}"));
            assert!(
                store.authenticate(Family::TaskAudio, &secret).is_some(),
                "{at}"
            );
        }
    }
}

#[test]
fn the_copy_goes_back_and_what_was_recorded_since_is_adopted() {
    let store = Store::new();
    let before = store.imported(1);
    let secret = issue(&store);
    let folder = store.close();
    make_older(folder.path(), 2);
    let store = Store::open(folder);
    let since = store.recorded();
    let folder = store.close();
    let copies = named(&folder.path().join("backups"), "");
    let bytes = std::fs::read(&copies[0]).unwrap();
    let clock = Arc::new(SystemClock);
    let went = put_back_index(folder.path(), &copies[0], clock.clone()).unwrap();
    assert_eq!(went.schema, 2);
    assert!(went.kept.unwrap().exists());
    let index = folder.path().join("index.redb");
    assert_eq!(std::fs::read(&index).unwrap(), bytes, "byte for byte");
    // What the earlier version does then.
    let report = reindex(folder.path(), &mut |_, _| ()).unwrap();
    assert_eq!((report.recordings, report.keys), (2, 1), "{report:?}");
    let store = Store::open(folder);
    assert!(holds(&store, &before) && holds(&store, &since) && opens(&store, &secret));
    let folder = store.close();
    let junk = folder.path().join("junk.redb");
    std::fs::write(&junk, b"junk").unwrap();
    let refused = put_back_index(folder.path(), &junk, clock);
    assert!(
        matches!(refused, Err(RestoreError::NoCopy { .. })),
        "{refused:?}"
    );
    assert_eq!(named(folder.path(), ".trial").len(), 0);
}

#[test]
fn a_newer_index_is_refused_with_the_way_back() {
    let folder = Store::new().close();
    make_older(folder.path(), 2);
    let folder = Store::open(folder).close();
    make_older(folder.path(), 99);
    let refused = StorageHandle::open(options(folder.path()), Arc::new(SystemClock));
    let Err(error @ OpenError::NewerSchema { found: 99, .. }) = refused else {
        panic!("it opened");
    };
    let text = error.to_string();
    assert!(
        text.contains("index-schema2-") && text.contains("reindex"),
        "{text}"
    );
    assert_eq!(schema_of(&folder), 99);
}

/// What the book-keeping says, of an index that this version refuses.
fn schema_of(folder: &tempfile::TempDir) -> u32 {
    use redb::ReadableDatabase as _;
    let database = Database::open(folder.path().join("index.redb")).unwrap();
    let reading = database.begin_read().unwrap();
    let table = reading.open_table(META).unwrap();
    let held = table.get(meta::SCHEMA).unwrap().unwrap();
    u32::from_be_bytes(held.value().try_into().unwrap())
}
