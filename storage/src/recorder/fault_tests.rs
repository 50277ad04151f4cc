//! A disk that is full or fails: recordings end as Failed, nothing is called stored that is not,
//! and recording goes on once the disk works.

use std::rc::Rc;
use std::time::Duration;

use crate::handle::ListFilter;
use crate::io::faulty::{Faults, Faulty};
use crate::record::{EndCause, RecordingState};
use crate::recorder::{BeginError, Behind, Recorder, RecorderEvent, run_blocking};
use crate::testing::{Store, sound, until};

/// Records, lets everything fail, lets it work again, records once more.
async fn fail_and_recover(store: &Store, faults: &Faults, errno: i32, mut recorder: Recorder) {
    let facts = store.facts();
    let id = facts.id;
    recorder.begin(facts).unwrap();
    recorder.append(id, &sound(1, 40_000)).unwrap();
    store.clock.advance(Duration::from_millis(500));
    until(&mut recorder, |recorder, _| {
        recorder.durable_bytes(id) == 40_000
    })
    .await;

    faults.all(errno);
    recorder.append(id, &sound(2, 40_000)).unwrap();
    store.clock.advance(Duration::from_millis(500));
    let failed = |event: &RecorderEvent| matches!(event, RecorderEvent::Failed(..));
    let events = until(&mut recorder, |_, events| events.iter().any(failed)).await;
    assert!(
        matches!(events[0], RecorderEvent::DiskRefuses(_)),
        "{events:?}"
    );
    let Some(RecorderEvent::Failed(row, error)) = events.iter().find(|event| failed(event)) else {
        panic!("{events:?}");
    };
    assert_eq!(error.raw_os_error(), Some(errno));
    let full = errno == libc::ENOSPC;
    let cause = if full {
        EndCause::DiskFull
    } else {
        EndCause::DiskError
    };
    let outcome = row.outcome.as_ref().unwrap();
    assert_eq!(
        (row.state, outcome.end_cause),
        (RecordingState::Failed, cause)
    );
    assert!(store.handle.metrics().degraded);
    assert!(matches!(
        recorder.begin(store.facts()),
        Err(BeginError::DiskRefuses)
    ));
    recorder.append(id, &[0; 320]).unwrap();

    // A probe that fails changes nothing; one that succeeds opens the store again.
    store.clock.advance(Duration::from_secs(2));
    until(&mut recorder, |recorder, _| recorder.open() == 0).await;
    faults.all(0);
    store.clock.advance(Duration::from_secs(2));
    let accepts = |event: &RecorderEvent| matches!(event, RecorderEvent::DiskAccepts);
    let clock = std::sync::Arc::clone(&store.clock);
    until(&mut recorder, |_, events| {
        clock.advance(Duration::from_millis(100));
        events.iter().any(accepts)
    })
    .await;
    assert!(!store.handle.metrics().degraded);
    let facts = store.facts();
    let id = facts.id;
    recorder.begin(facts).unwrap();
    recorder.append(id, &sound(3, 40_000)).unwrap();
    recorder.end(id, EndCause::Silence, true);
    let stored = |event: &RecorderEvent| matches!(event, RecorderEvent::Stored(_));
    until(&mut recorder, |_, events| events.iter().any(stored)).await;
    recorder.finish().await;
}

fn survives(errno: i32) {
    let store = Store::new();
    let faults = Rc::new(Faults::default());
    let io = Rc::new(Faulty(Rc::clone(&faults)));
    run_blocking(store.seed(), io, |recorder| {
        fail_and_recover(&store, &faults, errno, recorder)
    })
    .unwrap();
    let store = store.reopen();
    let page = store
        .handle
        .list(store.tenant, &ListFilter::default(), None, 9)
        .unwrap();
    let states: Vec<_> = page.recordings.iter().map(|row| row.state).collect();
    assert_eq!(states, [RecordingState::Stored, RecordingState::Failed]);
    let report = crate::check::check(&store.handle, Default::default(), &mut |_, _| ()).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
}

#[test]
fn a_full_disk_is_told_and_left_behind() {
    survives(libc::ENOSPC);
}

#[test]
fn a_failing_disk_is_told_and_left_behind() {
    survives(libc::EIO);
}

#[test]
fn a_failed_sync_is_never_taken_for_a_success() {
    let store = Store::new();
    let faults = Rc::new(Faults::default());
    let io = Rc::new(Faulty(Rc::clone(&faults)));
    run_blocking(store.seed(), io, async |mut recorder: Recorder| {
        let facts = store.facts();
        let id = facts.id;
        recorder.begin(facts).unwrap();
        recorder.append(id, &sound(1, 10_000)).unwrap();
        faults.sync.set(libc::EIO);
        recorder.end(id, EndCause::Command, true);
        let events = until(&mut recorder, |recorder, _| recorder.open() == 0).await;
        faults.sync.set(0);
        let stored = |event: &RecorderEvent| matches!(event, RecorderEvent::Stored(_));
        assert!(!events.iter().any(stored), "{events:?}");
        let events = recorder.finish().await;
        assert!(!events.iter().any(stored), "{events:?}");
    })
    .unwrap();
    let page = store
        .handle
        .list(store.tenant, &ListFilter::default(), None, 9)
        .unwrap();
    assert!(
        page.recordings
            .iter()
            .all(|row| row.state == RecordingState::Failed)
    );
}

#[test]
fn memory_is_bounded_when_the_disk_is_behind() {
    let store = Store::new();
    run_blocking(
        store.seed(),
        Rc::new(crate::io::blocking::Blocking),
        async |mut recorder| {
            let facts = store.facts();
            let id = facts.id;
            recorder.begin(facts).unwrap();
            let piece = sound(1, 64_000);
            let mut taken = 0;
            // Nothing runs between these calls: to the recorder the disk stands still.
            let refused = loop {
                match recorder.append(id, &piece) {
                    Ok(()) => taken += piece.len(),
                    Err(refused) => break refused,
                }
            };
            let Behind = refused;
            assert!(taken <= crate::limits::UNWRITTEN_BYTES_MAX);
            assert!(taken >= crate::limits::UNWRITTEN_BYTES_MAX / 4);
            store.clock.advance(Duration::from_millis(500));
            until(&mut recorder, |recorder, _| {
                recorder.append(id, &piece).is_ok()
            })
            .await;
            recorder.finish().await;
        },
    )
    .unwrap();
}
