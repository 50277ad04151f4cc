//! Rows as earlier versions wrote them, and what they mean today. They are read for ever and
//! never written again.

use audio_io::format::StreamFormat;
use audio_io::units::Frames;
use serde::Deserialize;
#[cfg(test)]
use serde::Serialize;

use crate::ids::{LineName, Names, Number, RecordingId, TenantId, TenantName};
use crate::record::{
    Container, EndCause, Family, Gap, KeyRow, LegLevel, Recording, RecordingFacts,
    RecordingOutcome, RecordingState, Tenant, TimeQuality, WallMillis,
};

/// A recording's facts before they told of agent and direction: in rows of version 3, and in the
/// journal's entries of kind 8.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub(crate) struct AgentlessFacts {
    facts: TimelessFacts,
    time: Option<TimeQuality>,
}

impl From<AgentlessFacts> for RecordingFacts {
    fn from(old: AgentlessFacts) -> Self {
        Self {
            time: old.time,
            ..old.facts.into()
        }
    }
}

#[cfg(test)]
impl From<RecordingFacts> for AgentlessFacts {
    fn from(facts: RecordingFacts) -> Self {
        Self {
            time: facts.time,
            facts: facts.into(),
        }
    }
}

/// A recording's facts before they told how good their time is: in rows of version 1 and 2, and in
/// the journal's entries of kind 1 and 7.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub(crate) struct TimelessFacts {
    tenant: TenantId,
    id: RecordingId,
    names: Names,
    line: Option<LineName>,
    from: Option<Number>,
    to: Option<Number>,
    started_at: WallMillis,
    format: StreamFormat,
    container: Container,
}

impl From<TimelessFacts> for RecordingFacts {
    fn from(facts: TimelessFacts) -> Self {
        Self {
            tenant: facts.tenant,
            id: facts.id,
            names: facts.names,
            line: facts.line,
            from: facts.from,
            to: facts.to,
            started_at: facts.started_at,
            format: facts.format,
            container: facts.container,
            time: None,
            agent: None,
            direction: None,
        }
    }
}

#[cfg(test)]
impl From<RecordingFacts> for TimelessFacts {
    fn from(facts: RecordingFacts) -> Self {
        Self {
            tenant: facts.tenant,
            id: facts.id,
            names: facts.names,
            line: facts.line,
            from: facts.from,
            to: facts.to,
            started_at: facts.started_at,
            format: facts.format,
            container: facts.container,
        }
    }
}

/// Version 1 of a recording's row: without marks.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub(super) struct RecordingV1 {
    pub(super) facts: TimelessFacts,
    pub(super) state: RecordingState,
    pub(super) outcome: Option<OutcomeV1>,
}

impl From<RecordingV1> for Recording {
    fn from(row: RecordingV1) -> Self {
        Self {
            facts: row.facts.into(),
            state: row.state,
            outcome: row.outcome.map(RecordingOutcome::from),
        }
    }
}

/// Version 2 of a recording's row: without the quality of its time.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub(super) struct RecordingV2 {
    pub(super) facts: TimelessFacts,
    pub(super) state: RecordingState,
    pub(super) outcome: Option<RecordingOutcome>,
}

impl From<RecordingV2> for Recording {
    fn from(row: RecordingV2) -> Self {
        Self {
            facts: row.facts.into(),
            state: row.state,
            outcome: row.outcome,
        }
    }
}

/// Version 3 of a recording's row: without agent and direction.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub(super) struct RecordingV3 {
    pub(super) facts: AgentlessFacts,
    pub(super) state: RecordingState,
    pub(super) outcome: Option<RecordingOutcome>,
}

impl From<RecordingV3> for Recording {
    fn from(row: RecordingV3) -> Self {
        Self {
            facts: row.facts.into(),
            state: row.state,
            outcome: row.outcome,
        }
    }
}

/// Version 1 of what is known when a recording has ended: without marks.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub(super) struct OutcomeV1 {
    pub(super) end_cause: EndCause,
    pub(super) frames: Frames,
    pub(super) gaps: Vec<Gap>,
    pub(super) levels: Vec<LegLevel>,
    pub(super) size_bytes: u64,
    pub(super) content_hash: [u8; 32],
    pub(super) sealed_at: WallMillis,
}

impl From<OutcomeV1> for RecordingOutcome {
    fn from(outcome: OutcomeV1) -> Self {
        Self {
            end_cause: outcome.end_cause,
            frames: outcome.frames,
            gaps: outcome.gaps,
            marks: Vec::new(),
            levels: outcome.levels,
            size_bytes: outcome.size_bytes,
            content_hash: outcome.content_hash,
            sealed_at: outcome.sealed_at,
        }
    }
}

/// Version 1 of a tenant's row.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub(super) struct TenantV1 {
    pub(super) id: TenantId,
    pub(super) name: TenantName,
    pub(super) created_at: WallMillis,
}

impl From<TenantV1> for Tenant {
    fn from(row: TenantV1) -> Self {
        Self {
            id: row.id,
            name: row.name,
            created_at: row.created_at,
            disabled_at: None,
            keep_as: Container::Wav,
        }
    }
}

/// Version 1 of a key's row.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub(super) struct KeyRowV1 {
    pub(super) key_id: u64,
    pub(super) tenant: TenantId,
    pub(super) family: Family,
    pub(super) secret_hash: [u8; 32],
    pub(super) label: String,
    pub(super) created_at: WallMillis,
    pub(super) revoked_at: Option<WallMillis>,
}

impl From<KeyRowV1> for KeyRow {
    fn from(row: KeyRowV1) -> Self {
        Self {
            key_id: row.key_id,
            tenant: row.tenant,
            family: row.family,
            secret_hash: row.secret_hash,
            label: row.label,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
            expires_at: None,
            allow: Vec::new(),
            user_id: None,
        }
    }
}
