//! A power cut after every single operation of a scripted life: whatever the disk then holds,
//! the store opens, nothing acknowledged is lost, and index and files agree.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use audio_io::block::GapCause;
use audio_io::clock::ManualClock;
use audio_io::units::{Frames, WallMillis};

use crate::check::{CheckOptions, check};
use crate::handle::{ListFilter, StorageHandle};
use crate::ids::{RecordingId, TenantName};
use crate::io::crash::{Crash, Disk, Event, Log, LoggedIndex, Loss};
use crate::marks::are_within;
use crate::record::{EndCause, Mark, MarkKind, Recording, RecordingFacts, RecordingState};
use crate::recorder::{Recorder, RecorderEvent, run_blocking};
use crate::testing::{a_recording, options, scratch, sound, until};

/// What each recording would hold if nothing were lost.
type Expected = HashMap<RecordingId, Vec<u8>>;

/// Its marks, none of which touches another, and how much of its sound had been appended when
/// each was told.
type Marked = HashMap<RecordingId, Vec<(u64, Mark)>>;

struct Script {
    log: Log,
    clock: Arc<ManualClock>,
    handle: StorageHandle,
    expected: Expected,
    marked: Marked,
}

impl Script {
    fn facts(&self) -> RecordingFacts {
        let tenant = self.handle.tenants().unwrap()[0].id;
        let (id, names) = self.handle.new_names(tenant);
        RecordingFacts {
            tenant,
            id,
            names,
            ..a_recording(1, 1).facts
        }
    }

    fn append(&mut self, recorder: &mut Recorder, id: RecordingId, len: usize) {
        let known = self.expected.entry(id).or_default();
        let bytes = sound(id.0 + known.len() as u64, len);
        known.extend(&bytes);
        for piece in bytes.chunks(320) {
            recorder.append(id, piece).unwrap();
        }
    }

    /// So many frames before or after where its sound ends now.
    fn mark(&mut self, recorder: &mut Recorder, id: RecordingId, by: i64, kind: MarkKind) {
        let told_at = self.expected.get(&id).map_or(0, Vec::len) as u64;
        let mark = Mark {
            at: Frames((told_at / 2).saturating_add_signed(by)),
            frames: Frames(100),
            kind,
        };
        recorder.mark(id, mark);
        self.marked.entry(id).or_default().push((told_at, mark));
    }

    /// Ticks until the journal holds all of a recording, and notes what was promised.
    async fn acknowledged(&self, recorder: &mut Recorder, id: RecordingId) {
        self.clock.advance(Duration::from_millis(500));
        let all = self.expected[&id].len() as u64;
        let events = until(recorder, |recorder, _| recorder.durable_bytes(id) == all).await;
        self.note(events);
        self.log.push(Event::Acknowledged(id, all));
    }

    async fn stored(&self, recorder: &mut Recorder, id: RecordingId) {
        let is_this = |event: &RecorderEvent| match event {
            RecorderEvent::Stored(row) => row.facts.id == id,
            _ => false,
        };
        let events = until(recorder, |_, events| events.iter().any(is_this)).await;
        self.note(events);
    }

    fn note(&self, events: Vec<RecorderEvent>) {
        for event in events {
            match event {
                RecorderEvent::Stored(row) => self.log.push(Event::Stored(row.facts.id)),
                other => panic!("{other:?}"),
            }
        }
    }
}

async fn live(mut script: Script, mut recorder: Recorder) -> Script {
    let first = script.facts();
    let a = first.id;
    recorder.begin(first).unwrap();
    script.mark(&mut recorder, a, 0, MarkKind::Skipped);
    script.append(&mut recorder, a, 61_000);
    script.mark(&mut recorder, a, -300, MarkKind::Digit(Some('7')));
    script.acknowledged(&mut recorder, a).await;
    recorder.gap(a, Frames(1_000), GapCause::Overrun);
    script.expected.get_mut(&a).unwrap().extend([0; 2_000]);
    script.append(&mut recorder, a, 5_001 * 2);
    let second = script.facts();
    let b = second.id;
    recorder.begin(second).unwrap();
    script.append(&mut recorder, b, 3_200);
    script.mark(&mut recorder, b, 1_000, MarkKind::Paused);
    script.acknowledged(&mut recorder, a).await;
    script.mark(&mut recorder, a, -100, MarkKind::Masked);
    recorder.end(a, EndCause::Silence, true);
    script.append(&mut recorder, b, 6_400);
    script.stored(&mut recorder, a).await;
    script.acknowledged(&mut recorder, b).await;
    // Enough for the journal to begin a second generation, and for its checkpoint.
    for _ in 0..4 {
        script.mark(&mut recorder, b, -110, MarkKind::Digit(None));
        script.mark(&mut recorder, b, 5, MarkKind::Masked);
        script.append(&mut recorder, b, 70_000);
        script.acknowledged(&mut recorder, b).await;
    }
    script.append(&mut recorder, b, 6_400);
    script.acknowledged(&mut recorder, b).await;
    script.mark(&mut recorder, b, 0, MarkKind::Skipped);
    recorder.end(b, EndCause::Command, true);
    script.stored(&mut recorder, b).await;
    let events = recorder.finish().await;
    script.note(events);
    script
}

/// What was promised by a point of the log.
#[derive(Default)]
struct Promised {
    acknowledged: HashMap<RecordingId, u64>,
    stored: Vec<RecordingId>,
}

impl Promised {
    fn step(&mut self, event: &Event) {
        match event {
            Event::Acknowledged(id, bytes) => {
                self.acknowledged.insert(*id, *bytes);
            }
            Event::Stored(id) => self.stored.push(*id),
            _ => {}
        }
    }
}

/// Marks of what was durable are there, all of them where a recording is whole, and none that
/// nobody told or that lies beyond the end.
fn verify_marks(row: &Recording, promised: &Promised, marked: &Marked, at: &str) {
    let id = row.facts.id;
    let outcome = row.outcome.as_ref().unwrap();
    assert!(are_within(&outcome.marks, outcome.frames), "{at}: {id}");
    let is_held = |told: &Mark| {
        let held = outcome.marks.iter();
        held.filter(|held| (held.at, held.kind) == (told.at, told.kind))
            .count()
            == 1
    };
    let told = &marked[&id];
    let whole = promised.stored.contains(&id);
    let durable = promised.acknowledged.get(&id).copied().unwrap_or(0);
    for (_, mark) in told.iter().filter(|(told, _)| whole || *told < durable) {
        let is_beyond = mark.at >= outcome.frames && !whole;
        assert!(is_held(mark) || is_beyond, "{at}: {id} lacks {mark:?}");
    }
    for held in &outcome.marks {
        let mut told = told.iter().map(|(_, mark)| mark);
        let is_told = told.any(|told| (held.at, held.kind) == (told.at, told.kind));
        assert!(is_told, "{at}: {id} has {held:?}");
    }
}

fn verify(folder: &Path, promised: &Promised, script: &Script, at: &str) {
    let expected = &script.expected;
    let clock = Arc::new(ManualClock::at(WallMillis(1_763_700_100_000)));
    let (handle, seed, _) =
        StorageHandle::open(options(folder), clock).unwrap_or_else(|error| panic!("{at}: {error}"));
    let tenant = handle.tenants().unwrap()[0].id;
    let rows = handle
        .list(tenant, &ListFilter::default(), None, 100)
        .unwrap()
        .recordings;
    for row in &rows {
        let id = row.facts.id;
        assert_ne!(row.state, RecordingState::Live, "{at}: {id}");
        assert_ne!(row.state, RecordingState::Failed, "{at}: {id}");
        verify_marks(row, promised, &script.marked, at);
        if row.state == RecordingState::Absent {
            continue;
        }
        let bytes = std::fs::read(handle.path_of(row)).unwrap();
        let frames = row.outcome.as_ref().unwrap().frames;
        let end = usize::try_from(frames.0 * 2).unwrap();
        let whole = &expected[&id];
        assert!(
            end <= whole.len(),
            "{at}: {id} has {end} of {}",
            whole.len()
        );
        let held = &bytes[4_096..4_096 + end];
        let other = held
            .iter()
            .zip(whole)
            .position(|(held, spoken)| held != spoken);
        assert_eq!(other, None, "{at}: {id} holds other sound (of {end} bytes)");
    }
    let find = |id: &RecordingId| rows.iter().find(|row| row.facts.id == *id);
    for (id, bytes) in &promised.acknowledged {
        let row = find(id).unwrap_or_else(|| panic!("{at}: {id} is lost"));
        assert_eq!(row.state, RecordingState::Stored, "{at}: {id}");
        let frames = row.outcome.as_ref().unwrap().frames;
        assert!(
            frames.0 * 2 >= *bytes,
            "{at}: {id} has {frames}, promised {bytes} bytes"
        );
    }
    for id in &promised.stored {
        let row = find(id).unwrap_or_else(|| panic!("{at}: {id} is lost"));
        let frames = row.outcome.as_ref().unwrap().frames;
        assert_eq!(frames.0 * 2, expected[id].len() as u64, "{at}: {id}");
    }
    let report = check(&handle, CheckOptions { hashes: true }, &mut |_, _| ()).unwrap();
    assert!(report.is_clean(), "{at}: {:?}", report.findings);
    let (fresh, _) = handle.new_names(tenant);
    assert!(
        expected.keys().all(|id| fresh > *id),
        "{at}: an id is used again"
    );
    drop((handle, seed));
}

#[test]
fn a_power_cut_after_any_operation_loses_nothing_promised() {
    let folder = scratch();
    let log = Log::default();
    let clock = Arc::new(ManualClock::at(WallMillis(1_763_700_000_000)));
    let opener = LoggedIndex {
        log: log.clone(),
        folder: folder.path().to_owned(),
    };
    let (handle, seed, _) = crate::open::open(
        &options(folder.path()),
        Arc::clone(&clock) as _,
        Some(Arc::new(opener)),
    )
    .unwrap();
    handle.add_tenant(TenantName::new("acme").unwrap()).unwrap();
    let begin = log.len();
    let mut disk = Disk::of(folder.path());
    let script = Script {
        log: log.clone(),
        clock,
        handle,
        expected: HashMap::new(),
        marked: HashMap::new(),
    };
    let io = Rc::new(Crash(log.clone()));
    let script = run_blocking(seed, io, |recorder| live(script, recorder)).unwrap();
    let events = log.events();
    assert!(
        events.len() - begin > 80,
        "the script is too short: {}",
        events.len() - begin
    );

    let mut promised = Promised::default();
    for (number, event) in events.iter().enumerate().skip(begin) {
        disk.step(number, event);
        promised.step(event);
        // Right after another change of the index alone nothing new can go wrong in the files:
        // one kind of loss in turn is enough there, all kinds everywhere else.
        let all = [
            Loss::Nothing,
            Loss::Everything,
            Loss::Some(number as u64 * 7_919),
        ];
        let index_only = matches!(event, Event::Wrote(path, ..) if path.ends_with("index.redb"));
        for (kind, loss) in all.into_iter().enumerate() {
            if index_only && number % 3 != kind {
                continue;
            }
            let cut = scratch();
            disk.materialise(folder.path(), cut.path(), loss);
            verify(
                cut.path(),
                &promised,
                &script,
                &format!("after {number}, {loss:?}"),
            );
        }
    }
}
