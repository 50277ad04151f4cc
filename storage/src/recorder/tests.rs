//! The recorder end to end on a real folder, through each way of writing.

use std::time::Duration;

use audio_io::block::GapCause;
use audio_io::units::Frames;

use crate::error::DeleteError;
use crate::handle::{IoChoice, ListFilter};
use crate::ids::RecordingName;
use crate::record::{EndCause, Gap, Mark, MarkKind, RecordingState};
use crate::recorder::{Recorder, RecorderEvent, run};
use crate::segment::header::SOUND_AT;
use crate::testing::{Store, sound, until};

/// Records what the store then has to give back.
async fn scenario(store: &Store, mut recorder: Recorder) {
    let facts = store.facts();
    let (id, tenant) = (facts.id, facts.tenant);
    let first = sound(1, 100_000);
    recorder.begin(facts.clone()).unwrap();
    for piece in first.chunks(320) {
        recorder.append(id, piece).unwrap();
    }
    store.clock.advance(Duration::from_millis(500));
    until(&mut recorder, |recorder, _| {
        recorder.durable_bytes(id) == 100_000
    })
    .await;
    recorder.gap(id, Frames(8_000), GapCause::Overrun);
    recorder.append(id, &sound(2, 640)).unwrap();

    store.handle.flush_index().unwrap();
    let live = store
        .handle
        .find(tenant, &RecordingName::Recid(id))
        .unwrap()
        .unwrap();
    assert_eq!(live.state, RecordingState::Live);
    let view = store.handle.view(&live).await.unwrap();
    assert!(view.is_live());
    assert_eq!(view.len(), SOUND_AT + 100_000 + 16_000 + 640);
    let mut tail = [0; 640];
    view.mapping()
        .read_at(SOUND_AT + 116_000, &mut tail)
        .unwrap();
    assert_eq!(tail[..], sound(2, 640));

    recorder.end(id, EndCause::Silence, true);
    let events = until(&mut recorder, |_, events| !events.is_empty()).await;
    let [RecorderEvent::Stored(row)] = &events[..] else {
        panic!("{events:?}")
    };
    let outcome = row.outcome.as_ref().unwrap();
    assert_eq!(outcome.frames, Frames(58_320));
    let gap = Gap {
        at: Frames(50_000),
        frames: Frames(8_000),
        cause: GapCause::Overrun,
    };
    assert_eq!(outcome.gaps, [gap]);
    assert_eq!(outcome.levels.len(), 1);
    let bytes = std::fs::read(store.handle.path_of(row)).unwrap();
    assert_eq!(blake3::hash(&bytes).as_bytes(), &outcome.content_hash);
    assert_eq!(bytes[4096..104_096], first);
    assert!(bytes[104_096..120_096].iter().all(|byte| *byte == 0));
    let stored = store.handle.view(&live).await.unwrap();
    assert!(
        !stored.is_live(),
        "a stale row is followed to what it became"
    );
    assert_eq!(stored.len(), bytes.len() as u64);
    short_and_open(store, recorder).await;
}

/// Marks wherever they lie, and those that nothing comes of.
#[test]
fn marks_are_kept_with_the_sound_and_cut_to_it() {
    let store = Store::new();
    let facts = store.facts();
    let id = facts.id;
    let mark = |kind, at, frames| Mark {
        at: Frames(at),
        frames: Frames(frames),
        kind,
    };
    let digit = MarkKind::Digit(Some('5'));
    let ended = run(store.seed(), IoChoice::Blocking, async |mut recorder| {
        recorder.mark(id, mark(digit, 0, 1));
        recorder.begin(facts.clone()).unwrap();
        recorder.mark(id, mark(MarkKind::Paused, 300, 300));
        recorder.append(id, &sound(1, 800)).unwrap();
        recorder.mark(id, mark(digit, 10, 80));
        recorder.mark(id, mark(digit, 401, 80));
        recorder.mark(id, mark(MarkKind::Skipped, 400, 8_000));
        recorder.end(id, EndCause::Command, true);
        recorder.mark(id, mark(digit, 20, 80));
        recorder.finish().await
    });
    let [RecorderEvent::Stored(row)] = &ended.unwrap()[..] else {
        panic!("not stored");
    };
    let expected = [
        mark(digit, 10, 80),
        mark(MarkKind::Paused, 300, 100),
        mark(MarkKind::Skipped, 400, 8_000),
    ];
    assert_eq!(row.outcome.as_ref().unwrap().marks, expected);
    assert!(store.findings().is_empty(), "{:?}", store.findings());
}

/// One recording that is not to be kept, and one that is open when the recorder finishes.
async fn short_and_open(store: &Store, mut recorder: Recorder) {
    let short = store.facts();
    recorder.begin(short.clone()).unwrap();
    recorder.append(short.id, &sound(3, 320)).unwrap();
    recorder.end(short.id, EndCause::Silence, false);
    let open = store.facts();
    recorder.begin(open.clone()).unwrap();
    recorder.append(open.id, &sound(4, 320)).unwrap();
    let denied = store.handle.clone();
    store.handle.flush_index().unwrap();
    let refused = denied.delete(store.tenant, open.id);
    assert!(matches!(refused, Err(DeleteError::Live(_))), "{refused:?}");
    let events = recorder.finish().await;
    assert!(
        events
            .iter()
            .any(|event| matches!(event, RecorderEvent::Absent(_)))
    );
    assert!(
        events
            .iter()
            .any(|event| matches!(event, RecorderEvent::Stored(_)))
    );
}

fn both_ways(choice: IoChoice) {
    let store = Store::new();
    let seed = store.seed();
    run(seed, choice, |recorder| scenario(&store, recorder)).unwrap();
    let tenant = store.tenant;
    let page = store
        .handle
        .list(tenant, &ListFilter::default(), None, 10)
        .unwrap();
    let states: Vec<_> = page.recordings.iter().map(|row| row.state).collect();
    assert_eq!(states.len(), 3);
    assert!(!states.contains(&RecordingState::Live));
    assert_eq!(store.handle.count(tenant).unwrap(), 3);
    for row in &page.recordings {
        store.handle.delete(tenant, row.facts.id).unwrap();
        assert!(!store.handle.path_of(row).exists());
    }
    assert_eq!(store.handle.count(tenant).unwrap(), 0);
    assert_eq!(
        std::fs::read_dir(store.handle.data_dir().join("journal"))
            .unwrap()
            .count(),
        0
    );
    let store = store.reopen();
    assert_eq!(store.report, crate::handle::RecoveryReport::default());
}

#[test]
fn a_recording_is_kept_whole_with_pwrite() {
    both_ways(IoChoice::Blocking);
}

#[test]
fn a_recording_is_kept_whole_with_io_uring_where_there_is_one() {
    both_ways(IoChoice::Auto);
}

#[test]
fn what_the_journal_holds_survives_a_dead_process() {
    let store = Store::new();
    let facts = store.facts();
    let id = facts.id;
    let spoken = sound(7, 50_000);
    run(
        store.seed(),
        IoChoice::Blocking,
        async |mut recorder: Recorder| {
            recorder.begin(facts.clone()).unwrap();
            recorder.append(id, &spoken).unwrap();
            recorder.gap(id, Frames(100), GapCause::Stall);
            store.clock.advance(Duration::from_millis(500));
            until(&mut recorder, |recorder, _| {
                recorder.durable_bytes(id) == 50_200
            })
            .await;
            // The recorder is dropped here as a dying process would: nothing is finished.
        },
    )
    .unwrap();
    let store = store.reopen();
    assert_eq!(store.report.sealed, [id]);
    let row = store
        .handle
        .find(store.tenant, &RecordingName::Recid(id))
        .unwrap()
        .unwrap();
    assert_eq!(row.state, RecordingState::Stored);
    let outcome = row.outcome.as_ref().unwrap();
    assert_eq!(outcome.end_cause, EndCause::Crash);
    assert_eq!(outcome.frames, Frames(25_100));
    let bytes = std::fs::read(store.handle.path_of(&row)).unwrap();
    assert_eq!(bytes[4096..54_096], spoken);
    let again = store.reopen();
    assert!(again.report.sealed.is_empty());
}

/// Records with live readers at odd places in between, and checks the file byte by byte.
async fn with_readers(store: &Store, mut recorder: Recorder) {
    let facts = store.facts();
    let (id, tenant) = (facts.id, facts.tenant);
    let all = sound(7, 400_000);
    recorder.begin(facts).unwrap();
    let mut at = 0;
    // Views make the recorder hand over what it holds, wherever in a block that ends.
    for until_byte in [10, 30_000, 30_001, 140_001, 140_100, 261_000, 400_000] {
        recorder.append(id, &all[at..until_byte]).unwrap();
        at = until_byte;
        store.clock.advance(Duration::from_millis(500));
        until(&mut recorder, |recorder, _| {
            recorder.durable_bytes(id) == at as u64
        })
        .await;
        store.handle.flush_index().unwrap();
        let name = RecordingName::Recid(id);
        let live = store.handle.find(tenant, &name).unwrap().unwrap();
        let view = store.handle.view(&live).await.unwrap();
        let mut seen = vec![0; at];
        view.mapping().read_at(SOUND_AT, &mut seen).unwrap();
        assert!(seen == all[..at], "a reader sees other bytes at {at}");
    }
    recorder.end(id, EndCause::Command, true);
    let events = until(&mut recorder, |_, events| !events.is_empty()).await;
    let [RecorderEvent::Stored(row)] = &events[..] else {
        panic!("{events:?}")
    };
    let bytes = std::fs::read(store.handle.path_of(row)).unwrap();
    assert!(bytes[4_096..404_096] == all);
    let hash = row.outcome.as_ref().unwrap().content_hash;
    assert_eq!(*blake3::hash(&bytes).as_bytes(), hash);
    recorder.finish().await;
}

#[test]
fn live_readers_see_every_byte_wherever_flushes_end() {
    let store = Store::new();
    run(store.seed(), IoChoice::Blocking, |recorder| {
        with_readers(&store, recorder)
    })
    .unwrap();
}
