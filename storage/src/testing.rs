//! Sample values for this crate's tests.

use std::sync::Arc;
use std::time::Duration;

use audio_io::block::GapCause;
use audio_io::clock::ManualClock;
use audio_io::format::StreamFormat;
use audio_io::units::{CentiDbfs, Frames, WallMillis};
use uuid::Uuid;

use crate::handle::{IoChoice, RecorderSeed, RecoveryReport, StorageHandle, StoreOptions};
use crate::ids::{CallSid, ExternalId, LineName, Names, Number, RecordingId, TenantId, TenantName};
use crate::record::{
    Container, EndCause, Gap, LegLevel, Recording, RecordingFacts, RecordingOutcome, RecordingState,
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
