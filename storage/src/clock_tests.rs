//! The wall clock shows anything and is set to anything, and the store keeps right.

use std::time::Duration;

use audio_io::clock::{Clock as _, EARLIEST, Kept};
use audio_io::units::Millis;

use crate::account::KeyWish;
use crate::handle::{IoChoice, ListFilter};
use crate::ids::{RecordingId, RecordingName};
use crate::record::{EndCause, Family, Recording, TimeQuality, WallMillis};
use crate::recorder::{Recorder, run};
use crate::reindex::reindex;
use crate::testing::{Store, scratch, sound};

const HOUR_MS: u64 = 3_600_000;
const YEAR_MS: u64 = 365 * 24 * HOUR_MS;
/// 2026-11-21.
const NOW: u64 = 1_795_241_649_000;
/// The end of 32 bits with a sign, in 2038, and without one, in 2106.
const PAST_2038: u64 = 2_147_483_648_000;
const PAST_2106: u64 = 4_294_967_296_000;

fn unkept() -> Kept {
    Kept {
        synchronised: Some(false),
        ..Kept::default()
    }
}

/// Records half a second at each of these times, judged as a daemon does; `kept` is what the
/// kernel would say.
fn record_at(store: &Store, times: &[u64], kept: Kept) -> Vec<Recording> {
    let mut ids = Vec::new();
    let record = async |mut recorder: Recorder| {
        for wall in times {
            store.clock.step_wall(WallMillis(*wall));
            let mut facts = store.facts();
            facts.started_at = store.clock.wall();
            let seen = store.handle.time_seen();
            facts.time = Some(TimeQuality::judge(kept, facts.started_at, seen));
            let id = facts.id;
            ids.push(id);
            recorder.begin(facts).unwrap();
            recorder.append(id, &sound(*wall, 8_000)).unwrap();
            // Another step while it goes on: its length is that of its sound.
            store.clock.step_wall(WallMillis(wall ^ 0xFFF_FFFF));
            recorder.append(id, &sound(wall + 1, 8_000)).unwrap();
            recorder.end(id, EndCause::Command, true);
        }
        recorder.finish().await;
    };
    run(store.seed(), IoChoice::Blocking, record).unwrap();
    let find = |id: &RecordingId| {
        let name = RecordingName::Recid(*id);
        store.handle.find(store.tenant, &name).unwrap().unwrap()
    };
    ids.iter().map(find).collect()
}

#[test]
fn recordings_keep_their_length_and_their_order_whatever_the_clock_shows() {
    let store = Store::open_at(scratch(), WallMillis(0));
    let times = [
        5_000,
        NOW,
        NOW + 10 * YEAR_MS,
        NOW - HOUR_MS,
        PAST_2038 - 100,
        PAST_2038 + 1,
        PAST_2106 + 1,
        NOW,
    ];
    let rows = record_at(&store, &times, unkept());
    for (row, wall) in rows.iter().zip(times) {
        assert_eq!(row.facts.started_at, WallMillis(wall));
        assert_eq!(row.duration(), Some(Millis(1_000)));
        assert!(store.handle.path_of(row).is_file(), "{wall}");
    }
    assert!(
        rows.is_sorted_by_key(|row| row.facts.id),
        "as they were made"
    );
    let of = |n: usize| rows[n].facts.time.unwrap();
    assert!(of(0).implausible && !of(1).implausible && !of(2).implausible);
    assert!(of(3).implausible, "ten years before what was seen");
    assert!(of(7).implausible);
    let mut by_time = times;
    by_time.sort_unstable();
    by_time.reverse();
    let listed = |store: &Store| {
        let filter = ListFilter::default();
        let page = store.handle.list(store.tenant, &filter, None, 20).unwrap();
        let starts = page.recordings.iter().map(|row| row.facts.started_at.0);
        starts.collect::<Vec<_>>()
    };
    assert_eq!(listed(&store), by_time, "lists go by what was shown");
    assert!(store.findings().is_empty(), "{:?}", store.findings());
    // All of it, the quality too, is in the files.
    let folder = store.close();
    reindex(folder.path(), &mut |_, _| ()).unwrap();
    let store = Store::open_at(folder, WallMillis(NOW));
    assert_eq!(listed(&store), by_time);
    for row in &rows {
        let name = RecordingName::Recid(row.facts.id);
        let held = store.handle.find(store.tenant, &name).unwrap().unwrap();
        assert_eq!(held.facts, row.facts);
    }
}

#[test]
fn the_newest_trusted_time_outlives_the_battery_and_a_keeper_corrects_it() {
    let store = Store::open_at(scratch(), WallMillis(EARLIEST.0 - 1));
    assert_eq!(store.handle.time_seen(), WallMillis(0));
    let rows = record_at(&store, &[NOW, EARLIEST.0 - 1], unkept());
    assert!(rows[1].facts.time.unwrap().implausible);
    assert_eq!(store.handle.time_seen(), WallMillis(NOW));
    let store = Store::open_at(store.close(), WallMillis(0));
    let end = WallMillis(NOW + 1_000);
    assert_eq!(store.handle.time_seen(), end, "the end of the recording");
    assert!(store.handle.steady_now() >= end);
    store.clock.advance(Duration::from_secs(60));
    assert!(store.handle.steady_now().0 >= NOW + 61_000);
    // Who set the clock to 2040? Nobody knows, so it counts for nothing.
    let set = Kept {
        stepped: true,
        ..unkept()
    };
    let ahead = record_at(&store, &[PAST_2038], set);
    assert!(!ahead[0].facts.time.unwrap().is_trusted());
    assert_eq!(store.handle.time_seen(), end);
    // The battery was right by ten years too many, until a time server was there.
    let store = Store::open_at(store.close(), WallMillis(NOW + 10 * YEAR_MS));
    record_at(&store, &[NOW + 10 * YEAR_MS], unkept());
    let store = Store::open_at(store.close(), WallMillis(NOW + HOUR_MS));
    assert!(store.handle.time_seen().0 > NOW + 9 * YEAR_MS);
    let kept = Kept {
        synchronised: Some(true),
        max_error: Some(Millis(20)),
        stepped: true,
    };
    let right = record_at(&store, &[NOW + HOUR_MS], kept);
    assert!(!right[0].facts.time.unwrap().implausible);
    assert_eq!(store.handle.time_seen(), WallMillis(NOW + HOUR_MS));
    let store = Store::open_at(store.close(), WallMillis(NOW + HOUR_MS));
    assert_eq!(store.handle.time_seen().0, NOW + HOUR_MS + 1_000);
}

#[test]
fn a_key_that_has_expired_does_not_come_back_with_a_dead_battery() {
    let store = Store::open_at(scratch(), WallMillis(NOW));
    let wish = KeyWish {
        tenant: store.tenant,
        family: Family::TaskAudio,
        label: String::new(),
        allow: Vec::new(),
        expires_at: Some(WallMillis(NOW + HOUR_MS)),
        user_id: None,
    };
    let secret = store.handle.issue_key_as(wish).unwrap().secret;
    let opens = |store: &Store| {
        let row = store.handle.authenticate(Family::TaskAudio, &secret);
        row.is_some()
    };
    assert!(opens(&store));
    record_at(&store, &[NOW + 2 * HOUR_MS], unkept());
    store.clock.step_wall(WallMillis(NOW + 2 * HOUR_MS));
    assert!(!opens(&store));
    for wall in [0, NOW, NOW + 2 * HOUR_MS, NOW + 10 * YEAR_MS] {
        let again = Store::open_at(scratch_copy(&store), WallMillis(wall));
        assert!(!opens(&again), "{wall}");
    }
}

/// A copy of a store that is open, as a power cut leaves it.
fn scratch_copy(store: &Store) -> tempfile::TempDir {
    store.handle.flush_index().unwrap();
    let copy = scratch();
    let index = store.folder.path().join("index.redb");
    std::fs::copy(index, copy.path().join("index.redb")).unwrap();
    let id = format!("recordings/{}", crate::retention::ID_FILE);
    for file in [&*id, "keys/ledger.pem"] {
        let to = copy.path().join(file);
        std::fs::create_dir(to.parent().unwrap()).unwrap();
        std::fs::copy(store.folder.path().join(file), to).unwrap();
    }
    copy
}
