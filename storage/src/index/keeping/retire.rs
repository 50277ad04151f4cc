//! Deletions that are decided in the commit that makes them: whatever became of a recording since
//! it was planned counts.

use std::sync::Arc;

use redb::{ReadableTable as _, StorageError};

use super::held;
use crate::ids::{RecordingId, TenantId};
use crate::index::apply::{Applied, Change, Refusal, discard, read_u64};
use crate::index::keys;
use crate::index::tables::{Tables, meta};
use crate::index::values::{self, ValueError};
use crate::record::{EndCause, Recording, RecordingState, WallMillis};
use crate::retention::{
    Births, Candidate, Keeping, Mark, Protection, Reason, Rules, imported_start,
};
use crate::shared::Shared;

/// Everything that decides whether a recording may be deleted, as of one moment.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) rules: Arc<Rules>,
    pub(crate) births: Arc<Births>,
    pub(crate) latest: Mark,
    pub(crate) now: Option<u64>,
}

impl Verdict {
    /// What retention looks at; a row of keeping that cannot be read counts as a hold.
    pub(crate) fn candidate(
        &self,
        row: &Recording,
        keeping: Option<Result<Keeping, ValueError>>,
    ) -> Candidate {
        let keeping = keeping.unwrap_or_else(|| Ok(Keeping::default()));
        let is_unreadable = keeping.is_err();
        let keeping = keeping.unwrap_or_default();
        let facts = &row.facts;
        let outcome = row.outcome.as_ref();
        let imported = outcome.filter(|outcome| outcome.end_cause == EndCause::Imported);
        let start = match imported {
            Some(outcome) => imported_start(facts.started_at.0, outcome.sealed_at.0),
            None => self.start(facts.id, facts.started_at),
        };
        Candidate {
            tenant: facts.tenant,
            id: facts.id,
            live: row.state == RecordingState::Live,
            start,
            bytes: outcome.map_or(0, |outcome| outcome.size_bytes),
            tags: keeping.tags,
            held: is_unreadable || !keeping.holds.is_empty(),
            keep_until: keeping.keep_until,
        }
    }

    /// When a recording of ours was started, whatever its row says.
    pub(crate) fn start(&self, id: RecordingId, started_at: WallMillis) -> u64 {
        self.births.start(id, started_at.0, &self.latest)
    }

    pub(super) fn protection(
        &self,
        row: &Recording,
        keeping: Option<Result<Keeping, ValueError>>,
    ) -> Option<Protection> {
        self.rules
            .protection(&self.candidate(row, keeping), self.now)
    }
}

/// Deletions, each of which is made only if nothing protects the recording by then.
#[derive(Clone, Debug)]
pub(crate) struct Retire {
    pub(crate) verdict: Verdict,
    pub(crate) at: WallMillis,
    pub(crate) deletions: Vec<(TenantId, RecordingId, Reason)>,
}

/// What became of one of them.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// Row to garbage, names free.
    Retired(Box<Recording>, Reason),
    /// It is as it was.
    Kept(Protection),
    /// There is none.
    Missing,
    /// Its row cannot be read; it is as it was.
    Unreadable,
}

impl Retire {
    /// The deletion of one recording, because somebody said so.
    pub(crate) fn by_command(shared: &Shared, tenant: TenantId, id: RecordingId) -> Self {
        Self {
            verdict: shared.keeper.verdict(shared).0,
            at: shared.clock.wall(),
            deletions: vec![(tenant, id, Reason::Command)],
        }
    }

    pub(in crate::index) fn apply(&self, tables: &mut Tables<'_>) -> Result<Applied, StorageError> {
        if tables.meta.get(meta::KEEPING_LOST)?.is_some() {
            return Ok(Applied::Refused(Refusal::KeepingLost));
        }
        if read_u64(tables, meta::RETENTION_NUMBER)? != self.verdict.rules.number() {
            return Ok(Applied::Refused(Refusal::RulesChanged));
        }
        let mut fates = Vec::with_capacity(self.deletions.len());
        for (tenant, id, reason) in &self.deletions {
            fates.push(self.decide(tables, *tenant, *id, reason)?);
        }
        Ok(Applied::Retired(fates))
    }

    fn decide(
        &self,
        tables: &mut Tables<'_>,
        tenant: TenantId,
        id: RecordingId,
        reason: &Reason,
    ) -> Result<Fate, StorageError> {
        let key = keys::recording(tenant, id);
        let found = tables.recordings.get(&key)?;
        let row = match found.map(|bytes| values::decode_recording(bytes.value())) {
            None => return Ok(Fate::Missing),
            Some(Err(_)) => return Ok(Fate::Unreadable),
            Some(Ok(row)) => row,
        };
        let keeping = held(tables, tenant, id)?;
        if let Some(protection) = self.verdict.protection(&row, keeping) {
            return Ok(Fate::Kept(protection));
        }
        let telling = &mut tables.telling;
        let before = match reason.warrant() {
            Some(warrant) => telling.with(Some(warrant)),
            None => telling.because(&reason.to_string()),
        };
        let discarded = discard(tables, tenant, id, self.at);
        tables.telling.with(before);
        Ok(match discarded? {
            Applied::Discarded(row) => Fate::Retired(row, reason.clone()),
            Applied::Refused(Refusal::StillLive) => Fate::Kept(Protection::Live),
            Applied::Refused(Refusal::NoRecording) => Fate::Missing,
            _ => Fate::Unreadable,
        })
    }
}

impl Change {
    /// All recordings this change touches, for caches.
    pub(crate) fn recordings(&self) -> Vec<RecordingId> {
        match self {
            Self::Retire(retire) => retire.deletions.iter().map(|(_, id, _)| *id).collect(),
            Self::For(_, change) => change.recordings(),
            other => other.recording().into_iter().collect(),
        }
    }
}
