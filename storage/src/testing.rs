//! Sample values for this crate's tests.

use audio_io::block::GapCause;
use audio_io::format::StreamFormat;
use audio_io::units::{CentiDbfs, Frames, WallMillis};
use uuid::Uuid;

use crate::ids::{CallSid, ExternalId, LineName, Names, Number, RecordingId, TenantId, TenantName};
use crate::record::{
    Container, EndCause, Gap, LegLevel, Recording, RecordingFacts, RecordingOutcome,
    RecordingState,
};
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
    Recording { facts, state: RecordingState::Live, outcome: None }
}

/// The same recording, sealed.
pub(crate) fn sealed(mut row: Recording) -> Recording {
    row.state = RecordingState::Stored;
    row.outcome = Some(RecordingOutcome {
        end_cause: EndCause::Silence,
        frames: Frames(80_000),
        gaps: vec![Gap { at: Frames(160), frames: Frames(320), cause: GapCause::Overrun }],
        levels: vec![LegLevel { rms: CentiDbfs(-2_000), peak: CentiDbfs(-300) }],
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
    }
}
