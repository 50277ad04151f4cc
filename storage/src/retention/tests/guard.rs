//! Stores whose disk is not there.

use std::path::Path;
use std::sync::Arc;

use audio_io::clock::ManualClock;

use super::*;
use crate::error::{DeleteError, OpenError};
use crate::handle::{StorageHandle, Surroundings};
use crate::reindex::reindex;
use crate::retention::{PassError, Place, PlaceError};
use crate::testing::{options, scratch};

fn open(folder: &Path, place: &Place) -> Result<(), OpenError> {
    let clock = Arc::new(ManualClock::at(WallMillis(1_763_700_000_000)));
    let wanted = Surroundings {
        place: place.clone(),
        ..Surroundings::default()
    };
    StorageHandle::open_with(options(folder), &wanted, clock).map(drop)
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn nothing_is_written_where_nothing_is_mounted() {
    let folder = tempfile::tempdir().unwrap();
    let place = |mount: &Path| Place {
        expect_mount: Some(mount.to_owned()),
        marker: None,
    };
    let told = open(folder.path(), &place(folder.path()));
    assert!(
        matches!(told, Err(OpenError::Place(PlaceError::NotMounted(_)))),
        "{told:?}"
    );
    let told = open(&folder.path().join("data"), &place(Path::new("/proc")));
    assert!(
        matches!(told, Err(OpenError::Place(PlaceError::Outside { .. }))),
        "{told:?}"
    );
    let told = open(folder.path(), &place(&folder.path().join("missing")));
    assert!(
        matches!(told, Err(OpenError::Place(PlaceError::Io { .. }))),
        "{told:?}"
    );
    assert!(is_empty(folder.path()));
    open(folder.path(), &place(Path::new("/"))).unwrap();
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        let folder = tempfile::tempdir_in(memory).unwrap();
        open(&folder.path().join("a/b"), &place(memory)).unwrap();
    }
}

#[test]
fn a_marker_elsewhere_remembers_the_store() {
    let (folder, elsewhere) = (scratch(), scratch());
    let data = folder.path().join("mnt");
    let marker = elsewhere.path().join("state/store");
    let place = Place {
        expect_mount: None,
        marker: Some(marker.clone()),
    };
    open(&data, &place).unwrap();
    open(&data, &place).unwrap();
    let id = std::fs::read_to_string(&marker).unwrap();
    assert_eq!(id.trim().len(), 32);
    assert_eq!(std::fs::read_to_string(data.join("store.id")).unwrap(), id);
    // Unmounted: an empty folder is left.
    let away = folder.path().join("away");
    std::fs::rename(&data, &away).unwrap();
    std::fs::create_dir(&data).unwrap();
    let told = open(&data, &place).unwrap_err().to_string();
    assert!(
        told.contains(id.trim()) && told.contains("mount its disk"),
        "{told}"
    );
    assert!(is_empty(&data));
    // Another store's disk.
    open(&data, &Place::default()).unwrap();
    let told = open(&data, &place);
    assert!(
        matches!(told, Err(OpenError::Place(PlaceError::Other { .. }))),
        "{told:?}"
    );
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&away, &data).unwrap();
    open(&data, &place).unwrap();
}

/// Takes the recordings away, as when their own disk is not mounted.
fn unmount(folder: &Path) {
    std::fs::rename(folder.join("recordings"), folder.join("away")).unwrap();
    std::fs::create_dir(folder.join("recordings")).unwrap();
}

fn mount(folder: &Path) {
    std::fs::remove_dir_all(folder.join("recordings")).unwrap();
    std::fs::rename(folder.join("away"), folder.join("recordings")).unwrap();
}

#[test]
fn recordings_on_a_disk_of_their_own_are_missed() {
    let store = Store::open(scratch());
    let row = store.imported(1);
    let folder = store.close();
    unmount(folder.path());
    let told = open(folder.path(), &Place::default());
    assert!(
        matches!(told, Err(OpenError::Place(PlaceError::Missing { .. }))),
        "{told:?}"
    );
    assert!(is_empty(&folder.path().join("recordings")));
    let rebuilt = reindex(folder.path(), &mut |_, _| ())
        .unwrap_err()
        .to_string();
    assert!(rebuilt.contains("mount its disk"), "{rebuilt}");
    let id = std::fs::read_to_string(folder.path().join("store.id")).unwrap();
    let other = folder.path().join("recordings/store.id");
    std::fs::write(&other, "someone else").unwrap();
    let told = open(folder.path(), &Place::default());
    assert!(
        matches!(told, Err(OpenError::Place(PlaceError::Other { .. }))),
        "{told:?}"
    );
    // The way out that the message names.
    std::fs::write(&other, &id).unwrap();
    open(folder.path(), &Place::default()).unwrap();
    mount(folder.path());
    let store = Store::open(folder);
    assert!(store.handle.path_of(&row).exists());
    assert!(store.findings().is_empty(), "the file is no stranger");
}

#[test]
fn a_store_of_an_earlier_version_gets_an_id_unless_its_recordings_are_away() {
    let forget = |folder: &Path| {
        let clock = Arc::new(ManualClock::at(WallMillis(1_763_700_000_000)));
        let (handle, _, _) = StorageHandle::open(options(folder), clock).unwrap();
        let none = crate::index::rows::RowChange::Meta("store_id", Vec::new());
        let index = &handle.shared.index;
        index.commit(&[Change::Rows(vec![none])]).unwrap();
        let transaction = index.begin_write().unwrap();
        let table = crate::index::tables::META;
        transaction
            .open_table(table)
            .unwrap()
            .remove("store_id")
            .unwrap();
        transaction.commit().unwrap();
        drop(handle);
        for file in ["store.id", "recordings/store.id"] {
            let _ = std::fs::remove_file(folder.join(file));
        }
    };
    let store = Store::open(scratch());
    put(&store, 100);
    let folder = store.close();
    forget(folder.path());
    unmount(folder.path());
    let told = open(folder.path(), &Place::default());
    assert!(
        matches!(told, Err(OpenError::Place(PlaceError::Missing { .. }))),
        "{told:?}"
    );
    assert!(is_empty(&folder.path().join("recordings")));
    mount(folder.path());
    open(folder.path(), &Place::default()).unwrap();
    let read = |file| std::fs::read_to_string(folder.path().join(file)).unwrap();
    assert_eq!(read("store.id"), read("recordings/store.id"));
    // What only the index remembers is written again beside it.
    std::fs::remove_file(folder.path().join("store.id")).unwrap();
    open(folder.path(), &Place::default()).unwrap();
    assert_eq!(read("store.id"), read("recordings/store.id"));
}

#[test]
fn nothing_is_deleted_while_the_disk_is_away() {
    let store = Store::open(scratch());
    let old = Policy {
        keep_at_most: Some(DAY),
        ..policy("day")
    };
    store.handle.set_retention(vec![old], false).unwrap();
    let row = put(&store, 100);
    pass_days(&store, 2);
    unmount(store.folder.path());
    let request = PassRequest {
        watermarks: Watermarks::default(),
        free_bytes: Some(0),
        stop: &|| false,
    };
    let pass = || store.handle.retention_pass(&request, &mut |_| ());
    assert!(matches!(
        pass(),
        Err(PassError::Place(PlaceError::Changed(_)))
    ));
    let told = store.handle.delete(store.tenant, row.facts.id);
    assert!(matches!(told, Err(DeleteError::Place(_))), "{told:?}");
    mount(store.folder.path());
    assert_eq!(pass().unwrap().deleted, 1);
    assert!(!exists(&store, &row));
}
