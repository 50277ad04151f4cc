//! Sample values for this crate's tests.

use std::sync::Arc;
use std::time::Duration;

use audio_io::block::GapCause;
use audio_io::clock::ManualClock;
use audio_io::format::StreamFormat;
use audio_io::units::{CentiDbfs, Frames, WallMillis};
use uuid::Uuid;

use crate::check::{CheckOptions, Finding, check};
use crate::handle::{
    ImportNames, ImportRequest, IoChoice, RecorderSeed, RecoveryReport, StorageHandle, StoreOptions,
};
use crate::ids::{
    CallSid, ExternalId, LineName, Names, Number, RecordingId, RecordingName, TenantId, TenantName,
};
use crate::record::{
    Container, EndCause, Gap, LegLevel, Mark, MarkKind, Recording, RecordingFacts,
    RecordingOutcome, RecordingState,
};
use crate::recorder::{Recorder, RecorderEvent};
use crate::segment::facts::{StoredFacts, VERSION};

/// A live recording.
pub(crate) fn a_recording(tenant: u32, id: u64) -> Recording {
    let facts = RecordingFacts {
        tenant: TenantId(tenant),
        id: RecordingId(id),
        names: Names {
            call_sid: CallSid::new(format!("call_{id:032x}")).unwrap(),
            crt_object_id: ExternalId::new(format!("d741-6904fad1-vce-{id}")).unwrap(),
            campaign_id: 110,
            call_id: ExternalId::new(format!("d741-6904fad1-vcall-{id}")).unwrap(),
            task_id: Uuid::from_u128(u128::from(id) << 8 | 1),
            session_uuid: Uuid::from_u128(u128::from(id) << 8 | 2),
        },
        line: Some(LineName::new("front-desk").unwrap()),
        from: Some(Number::new("+15559876543").unwrap()),
        to: None,
        started_at: WallMillis(1_763_700_000_000),
        format: StreamFormat::TELEPHONE,
        container: Container::Wav,
        time: None,
        agent: None,
        direction: None,
    };
    Recording {
        facts,
        state: RecordingState::Live,
        outcome: None,
    }
}

/// The same recording, sealed.
pub(crate) fn sealed(mut row: Recording) -> Recording {
    row.state = RecordingState::Stored;
    row.outcome = Some(RecordingOutcome {
        end_cause: EndCause::Silence,
        frames: Frames(80_000),
        gaps: vec![Gap {
            at: Frames(160),
            frames: Frames(320),
            cause: GapCause::Overrun,
        }],
        marks: Vec::new(),
        levels: vec![LegLevel {
            rms: CentiDbfs(-2_000),
            peak: CentiDbfs(-300),
        }],
        size_bytes: 164_500,
        content_hash: [0xA5; 32],
        sealed_at: WallMillis(1_763_700_010_500),
    });
    row
}

/// One mark of each kind, in order.
pub(crate) fn marks() -> Vec<Mark> {
    let kinds = [
        MarkKind::Digit(Some('#')),
        MarkKind::Digit(None),
        MarkKind::Masked,
        MarkKind::Paused,
        MarkKind::Skipped,
    ];
    let marks = kinds.into_iter().zip((0..).step_by(1_000));
    marks
        .map(|(kind, at)| Mark {
            at: Frames(at),
            frames: Frames(320),
            kind,
        })
        .collect()
}

/// What a sealed file says of itself.
pub(crate) fn stored_facts(tenant: u32, id: u64) -> StoredFacts {
    let row = sealed(a_recording(tenant, id));
    let outcome = row.outcome.unwrap();
    StoredFacts {
        version: VERSION,
        tenant_name: Some(TenantName::new("acme").unwrap()),
        facts: row.facts,
        state: row.state,
        end_cause: outcome.end_cause,
        frames: outcome.frames,
        gaps: outcome.gaps,
        marks: outcome.marks,
        sealed_at: outcome.sealed_at,
        file: None,
    }
}

/// A store in a folder of its own, with one tenant.
pub(crate) struct Store {
    pub(crate) handle: StorageHandle,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) tenant: TenantId,
    pub(crate) report: RecoveryReport,
    seed: std::cell::RefCell<Option<RecorderSeed>>,
    pub(crate) folder: tempfile::TempDir,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    pub(crate) fn open(folder: tempfile::TempDir) -> Self {
        Self::open_at(folder, WallMillis(1_763_700_000_000))
    }

    /// Opens a store when the clock shows this.
    pub(crate) fn open_at(folder: tempfile::TempDir, wall: WallMillis) -> Self {
        let clock = Arc::new(ManualClock::at(wall));
        let (handle, seed, report) =
            StorageHandle::open(options(folder.path()), Arc::clone(&clock) as _).unwrap();
        let tenant = match handle.tenants().unwrap().first() {
            Some(tenant) => tenant.id,
            None => {
                handle
                    .add_tenant(TenantName::new("acme").unwrap())
                    .unwrap()
                    .id
            }
        };
        let seed = std::cell::RefCell::new(Some(seed));
        Self {
            handle,
            clock,
            tenant,
            report,
            seed,
            folder,
        }
    }

    /// The recorder's part; once.
    pub(crate) fn seed(&self) -> RecorderSeed {
        self.seed.borrow_mut().take().unwrap()
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(self) -> Self {
        Self::open(self.close())
    }

    /// Closes the store; its folder is left.
    pub(crate) fn close(self) -> tempfile::TempDir {
        self.folder
    }

    /// A sealed recording of its own, with a gap and [`marks`] in it. Once a store: it takes the
    /// recorder.
    pub(crate) fn recorded(&self) -> Recording {
        let facts = self.facts();
        let name = RecordingName::Recid(facts.id);
        crate::recorder::run(
            self.seed(),
            IoChoice::Blocking,
            async |mut recorder: Recorder| {
                let id = facts.id;
                recorder.begin(facts.clone()).unwrap();
                recorder.append(id, &sound(1, 8_000)).unwrap();
                for mark in marks() {
                    recorder.mark(id, mark);
                }
                recorder.gap(id, Frames(320), GapCause::Overrun);
                recorder.append(id, &sound(2, 8_000)).unwrap();
                recorder.end(id, EndCause::Silence, true);
                recorder.finish().await;
            },
        )
        .unwrap();
        self.handle.find(self.tenant, &name).unwrap().unwrap()
    }

    /// An imported recording.
    pub(crate) fn imported(&self, seed: u64) -> Recording {
        let source = self.folder.path().join("import.mp3");
        std::fs::write(&source, sound(seed, 2_000)).unwrap();
        let request = ImportRequest {
            tenant: self.tenant,
            source,
            container: Container::Mp3,
            format: StreamFormat::TELEPHONE,
            frames: Frames(8_000),
            names: ImportNames::default(),
            line: None,
            from: None,
            to: None,
            started_at: None,
            agent: None,
            direction: None,
        };
        self.handle.import(request, &mut |_, _| ()).unwrap()
    }

    /// Whatever a thorough check finds.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let options = CheckOptions { hashes: true };
        let report = check(&self.handle, options, &mut |_, _| ());
        report.unwrap().findings
    }

    /// Facts of a new recording.
    pub(crate) fn facts(&self) -> RecordingFacts {
        let (id, names) = self.handle.new_names(self.tenant);
        RecordingFacts {
            tenant: self.tenant,
            id,
            names,
            ..a_recording(1, 1).facts
        }
    }
}

/// A folder in memory where there is one: nothing here depends on a real disk.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) fn options(folder: &std::path::Path) -> StoreOptions {
    let data_dir = folder.to_owned();
    StoreOptions {
        data_dir,
        index_cache_bytes: 8 << 20,
        io: IoChoice::Blocking,
    }
}

/// Bytes that are unlike those of another seed or offset.
pub(crate) fn sound(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// Ticks until something is so; answers the events seen meanwhile. Never ends when it never is.
pub(crate) async fn until(
    recorder: &mut Recorder,
    mut enough: impl FnMut(&mut Recorder, &[RecorderEvent]) -> bool,
) -> Vec<RecorderEvent> {
    let mut events = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    loop {
        ticks.tick().await;
        recorder.tick();
        events.extend(recorder.events());
        if enough(recorder, &events) {
            return events;
        }
    }
}
