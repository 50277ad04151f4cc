//! What keeps recordings, in the index: holds, minimums and tags; the policies in force; what is
//! known of time; and the deletions of retention, which are checked once more in the commit that
//! makes them.

use std::sync::Arc;

use redb::{ReadableTable as _, StorageError, TableDefinition};
use serde::{Deserialize, Serialize};

use super::apply::{Applied, Change, Refusal, discard, read_u64};
use super::keys::{self, RecordingKey, TimeKey};
use super::tables::{self, Tables, meta};
use super::values::{self, ValueError};
use super::{Index, read};
use crate::error::ReadError;
use crate::ids::{RecordingId, Tag, TenantId};
use crate::limits::{HOLDS_MAX, TAGS_MAX};
use crate::record::{EndCause, Recording, RecordingState, WallMillis};
use crate::retention::{
    Births, Candidate, Hold, Keeping, Mark, NewHold, Policy, Protection, Reason, Rules,
    imported_start,
};
use crate::shared::Shared;

/// tenant, id → row.
pub(super) const KEEPING: TableDefinition<'static, &RecordingKey, &[u8]> =
    TableDefinition::new("keeping");
/// tenant (4), tag, 0, id (8).
pub(super) const BY_TAG: TableDefinition<'static, &[u8], ()> = TableDefinition::new("by_tag");
/// number (8, big-endian) → row.
pub(super) const BIRTHS: TableDefinition<'static, &[u8; 8], &[u8]> =
    TableDefinition::new("births");

/// The policies in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RulesRow {
    /// Grows by one with each change.
    pub(crate) number: u64,
    pub(crate) policies: Vec<Policy>,
    /// When they came into force, by the wall clock.
    pub(crate) since: WallMillis,
}

/// A change to what is kept.
#[derive(Clone, Debug)]
pub(crate) enum KeepingChange {
    /// Of one recording; refused when there is none.
    Edit(TenantId, RecordingId, Edit),
    /// As another index had it.
    Restore(TenantId, RecordingId, Box<Keeping>),
    /// Other policies; refused when the ones in force are not those before them.
    Rules(Box<RulesRow>),
    /// What is known of time: notes under their numbers, and the proven time.
    Note(Vec<(u64, Mark)>, Option<u64>),
    /// Holds may be missing, so nothing is deleted; or somebody saw to it.
    Lost(bool),
}

/// What happens to one recording's keeping.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Hold(NewHold, WallMillis),
    Lift(u32),
    Until(u64),
    Tag(Vec<Tag>),
    /// With a verdict it is refused where it makes a minimum shorter that is not reached.
    Untag(Vec<Tag>, Option<Box<Verdict>>),
}

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

    fn protection(
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

impl KeepingChange {
    pub(super) const fn recording(&self) -> Option<RecordingId> {
        match self {
            Self::Edit(_, id, _) | Self::Restore(_, id, _) => Some(*id),
            Self::Rules(_) | Self::Note(..) | Self::Lost(_) => None,
        }
    }

    pub(super) fn apply(&self, tables: &mut Tables<'_>) -> Result<Applied, StorageError> {
        match self {
            Self::Edit(tenant, id, edit) => return make_edit(tables, *tenant, *id, edit),
            Self::Restore(tenant, id, keeping) => {
                forget(tables, *tenant, *id)?;
                write(tables, *tenant, *id, keeping)?;
            }
            Self::Rules(row) => {
                let before = read_u64(tables, meta::RETENTION_NUMBER)?;
                if row.number != before + 1 {
                    return Ok(Applied::Refused(Refusal::RulesChanged));
                }
                let number = row.number.to_be_bytes();
                tables
                    .meta
                    .insert(meta::RETENTION_NUMBER, number.as_slice())?;
                let bytes = encode_rules(row);
                tables.meta.insert(meta::RETENTION, bytes.as_slice())?;
            }
            Self::Note(marks, proven) => {
                if !marks.is_empty() {
                    let mut births = tables.rare(BIRTHS)?;
                    for (number, mark) in marks {
                        births.insert(&number.to_be_bytes(), encode_mark(mark).as_slice())?;
                    }
                }
                if let Some(proven) = proven {
                    let bytes = proven.to_be_bytes();
                    tables.meta.insert(meta::TIME_PROVEN, bytes.as_slice())?;
                }
            }
            Self::Lost(true) => {
                let bytes = 1_u64.to_be_bytes();
                tables.meta.insert(meta::KEEPING_LOST, bytes.as_slice())?;
            }
            Self::Lost(false) => {
                tables.meta.remove(meta::KEEPING_LOST)?;
            }
        }
        Ok(Applied::Done)
    }
}

/// A recording's keeping, undecided whether it can be read.
fn held(
    tables: &Tables<'_>,
    tenant: TenantId,
    id: RecordingId,
) -> Result<Option<Result<Keeping, ValueError>>, StorageError> {
    let table = tables.rare(KEEPING)?;
    let found = table.get(&keys::recording(tenant, id))?;
    Ok(found.map(|bytes| decode_keeping(bytes.value())))
}

fn write(
    tables: &Tables<'_>,
    tenant: TenantId,
    id: RecordingId,
    keeping: &Keeping,
) -> Result<(), StorageError> {
    let key = keys::recording(tenant, id);
    let mut table = tables.rare(KEEPING)?;
    if keeping.is_empty() {
        table.remove(&key)?;
    } else {
        table.insert(&key, encode_keeping(keeping).as_slice())?;
    }
    let mut by_tag = tables.rare(BY_TAG)?;
    for tag in &keeping.tags {
        by_tag.insert(tag_key(tenant, tag, id).as_slice(), ())?;
    }
    Ok(())
}

/// Drops what is kept of a recording that goes.
pub(super) fn forget(
    tables: &Tables<'_>,
    tenant: TenantId,
    id: RecordingId,
) -> Result<(), StorageError> {
    let removed = {
        let mut table = tables.rare(KEEPING)?;
        let removed = table.remove(&keys::recording(tenant, id))?;
        removed.map(|bytes| decode_keeping(bytes.value()))
    };
    if let Some(Ok(keeping)) = removed {
        let mut by_tag = tables.rare(BY_TAG)?;
        for tag in &keeping.tags {
            by_tag.remove(tag_key(tenant, tag, id).as_slice())?;
        }
    }
    Ok(())
}

fn make_edit(
    tables: &Tables<'_>,
    tenant: TenantId,
    id: RecordingId,
    edit: &Edit,
) -> Result<Applied, StorageError> {
    let found = tables.recordings.get(&keys::recording(tenant, id))?;
    let row = found.map(|bytes| values::decode_recording(bytes.value()));
    let Some(row) = row else {
        return Ok(Applied::Refused(Refusal::NoRecording));
    };
    let before = match held(tables, tenant, id)? {
        Some(Err(_)) => return Ok(Applied::Refused(Refusal::Unreadable)),
        Some(Ok(keeping)) => keeping,
        None => Keeping::default(),
    };
    let mut after = before.clone();
    if let Err(refusal) = edited(&mut after, edit, row.ok().as_ref()) {
        return Ok(Applied::Refused(refusal));
    }
    if after != before {
        forget(tables, tenant, id)?;
        write(tables, tenant, id, &after)?;
    }
    Ok(Applied::Keeping(Box::new((before, after))))
}

fn edited(keeping: &mut Keeping, edit: &Edit, row: Option<&Recording>) -> Result<(), Refusal> {
    match edit {
        Edit::Hold(hold, at) => {
            if keeping.holds.len() >= HOLDS_MAX {
                return Err(Refusal::TooMany);
            }
            keeping.last_hold += 1;
            keeping.holds.push(Hold {
                id: keeping.last_hold,
                reason: hold.reason.clone(),
                by: hold.by.clone(),
                at: *at,
            });
        }
        Edit::Lift(hold) => {
            let at = keeping.holds.iter().position(|held| held.id == *hold);
            keeping.holds.remove(at.ok_or(Refusal::NoHold)?);
        }
        Edit::Until(until) if *until < keeping.keep_until => return Err(Refusal::WouldShrink),
        Edit::Until(until) => keeping.keep_until = *until,
        Edit::Tag(tags) => {
            keeping.tags.extend(tags.iter().cloned());
            keeping.tags.sort();
            keeping.tags.dedup();
            if keeping.tags.len() > TAGS_MAX {
                return Err(Refusal::TooMany);
            }
        }
        Edit::Untag(tags, verdict) => {
            let before = keeping.clone();
            keeping.tags.retain(|tag| !tags.contains(tag));
            let (Some(verdict), Some(row)) = (verdict, row) else {
                return match verdict {
                    Some(_) => Err(Refusal::Unreadable),
                    None => Ok(()),
                };
            };
            let least = |tags: &[Tag]| {
                let policy = verdict.rules.least(row.facts.tenant, tags);
                policy.map_or(0, |policy| policy.keep_at_least)
            };
            let shrinks = least(&keeping.tags) < least(&before.tags);
            let free = Keeping {
                holds: Vec::new(),
                keep_until: 0,
                ..before
            };
            // While it is being recorded its minimum is as far away as it can be.
            if shrinks && verdict.protection(row, Some(Ok(free))).is_some() {
                return Err(Refusal::WouldShrink);
            }
        }
    }
    Ok(())
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

    pub(super) fn apply(&self, tables: &mut Tables<'_>) -> Result<Applied, StorageError> {
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
        Ok(match discard(tables, tenant, id, self.at)? {
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
            other => other.recording().into_iter().collect(),
        }
    }
}

/// What a retention pass is told of a row.
pub(crate) type SeeRow<'s> = &'s mut dyn FnMut(&Recording, Option<Result<Keeping, ValueError>>);

impl Index {
    pub(crate) fn keeping(
        &self,
        tenant: TenantId,
        id: RecordingId,
    ) -> Result<Option<Keeping>, ReadError> {
        let reading = self.begin_read()?;
        if read::row(&reading, tenant, id)?.is_none() {
            return Ok(None);
        }
        let Some(table) = tables::rare(&reading, KEEPING)? else {
            return Ok(Some(Keeping::default()));
        };
        match table.get(&keys::recording(tenant, id))? {
            Some(bytes) => decode_keeping(bytes.value())
                .map(Some)
                .map_err(|_| ReadError::Row(id)),
            None => Ok(Some(Keeping::default())),
        }
    }

    /// Recordings with a tag after a number, in order of numbers, at most `limit`.
    pub(crate) fn tagged(
        &self,
        tenant: TenantId,
        tag: &Tag,
        after: Option<RecordingId>,
        limit: usize,
    ) -> Result<Vec<RecordingId>, ReadError> {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, BY_TAG)? else {
            return Ok(Vec::new());
        };
        let Some(first) = after.map_or(Some(0), |after| after.0.checked_add(1)) else {
            return Ok(Vec::new());
        };
        let first = tag_key(tenant, tag, RecordingId(first));
        let last = tag_key(tenant, tag, RecordingId(u64::MAX));
        let mut found = Vec::new();
        for entry in table
            .range::<&[u8]>(first.as_slice()..=last.as_slice())?
            .take(limit)
        {
            let (key, _) = entry?;
            let id = key.value().last_chunk::<8>().copied().unwrap_or_default();
            found.push(RecordingId(u64::from_be_bytes(id)));
        }
        Ok(found)
    }

    /// What was noted of time, in order. A note that cannot be read is left out, which only makes
    /// recordings younger or leaves them as their rows say.
    pub(crate) fn births(&self) -> Result<Vec<(u64, Mark)>, ReadError> {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, BIRTHS)? else {
            return Ok(Vec::new());
        };
        let mut marks = Vec::new();
        for entry in table.iter()? {
            let (key, bytes) = entry?;
            let number = u64::from_be_bytes(*key.value());
            match decode_mark(bytes.value()) {
                Ok(mark) => marks.push((number, mark)),
                Err(error) => log::error!("note {number} of 'births': {error}"),
            }
        }
        Ok(marks)
    }

    /// The policies in force; `None` before there were any.
    pub(crate) fn rules(&self) -> Result<Option<Result<RulesRow, ValueError>>, ReadError> {
        let bytes = self.meta(meta::RETENTION)?;
        Ok(bytes.map(|bytes| decode_rules(&bytes)))
    }

    /// When the newest recording of all was started, by its row.
    pub(crate) fn newest_start(&self) -> Result<Option<u64>, ReadError> {
        let reading = self.begin_read()?;
        let times = reading.open_table(tables::BY_TIME)?;
        let mut newest = None;
        for entry in reading.open_table(tables::TENANTS)?.iter()? {
            let tenant = TenantId(u32::from_be_bytes(*entry?.0.value()));
            let first = keys::by_time(tenant, WallMillis(0), RecordingId(0));
            let last = keys::by_time(tenant, WallMillis(u64::MAX), RecordingId(u64::MAX));
            if let Some(entry) = times.range::<&TimeKey>(&first..=&last)?.next_back() {
                let (_, at, _) = keys::split_time(entry?.0.value());
                newest = newest.max(Some(at.0));
            }
        }
        Ok(newest)
    }

    /// Looks at the rows after a key in the order of `by_time`, at most `limit`: those that
    /// `wanted` asks for by key and liveness alone go to `see`. Answers the last key.
    pub(crate) fn retention_rows(
        &self,
        after: Option<TimeKey>,
        limit: usize,
        wanted: &mut dyn FnMut(&TimeKey, bool) -> bool,
        see: SeeRow<'_>,
    ) -> Result<Option<TimeKey>, ReadError> {
        use std::ops::Bound;
        let reading = self.begin_read()?;
        let times = reading.open_table(tables::BY_TIME)?;
        let rows = reading.open_table(tables::RECORDINGS)?;
        let keeping = tables::rare(&reading, KEEPING)?;
        let start = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut last = None;
        for entry in times
            .range::<&TimeKey>((start, Bound::Unbounded))?
            .take(limit)
        {
            let (key, summary) = entry?;
            last = Some(*key.value());
            let is_live = summary.value()[0] == keys::state_byte(RecordingState::Live);
            if !wanted(key.value(), is_live) {
                continue;
            }
            let (tenant, _, id) = keys::split_time(key.value());
            let place = keys::recording(tenant, id);
            let row = rows.get(&place)?;
            let row = row.map(|bytes| values::decode_recording(bytes.value()));
            // What cannot be read is kept; a check tells of it.
            let Some(Ok(row)) = row else { continue };
            let kept = match &keeping {
                Some(table) => table.get(&place)?,
                None => None,
            };
            see(&row, kept.map(|bytes| decode_keeping(bytes.value())));
        }
        Ok(last)
    }
}

fn tag_key(tenant: TenantId, tag: &Tag, id: RecordingId) -> Vec<u8> {
    let mut key = keys::text(tenant, tag.as_str());
    key.push(0);
    key.extend_from_slice(&id.0.to_be_bytes());
    key
}

pub(crate) fn encode_keeping(keeping: &Keeping) -> Vec<u8> {
    values::encode(keeping)
}

pub(crate) fn decode_keeping(bytes: &[u8]) -> Result<Keeping, ValueError> {
    values::decode(bytes)
}

pub(crate) fn encode_rules(row: &RulesRow) -> Vec<u8> {
    values::encode(row)
}

pub(crate) fn decode_rules(bytes: &[u8]) -> Result<RulesRow, ValueError> {
    values::decode(bytes)
}

fn encode_mark(mark: &Mark) -> Vec<u8> {
    values::encode(mark)
}

fn decode_mark(bytes: &[u8]) -> Result<Mark, ValueError> {
    values::decode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PolicyName;

    fn golden<T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(
        stored: &[u8],
        row: &T,
    ) {
        assert_eq!(values::decode::<T>(stored).as_ref(), Ok(row));
        assert_eq!(values::encode(row), stored);
    }

    fn a_keeping() -> Keeping {
        Keeping {
            tags: vec![Tag::new("complaint").unwrap(), Tag::new("legal:2026").unwrap()],
            holds: vec![Hold {
                id: 2,
                reason: "case 4711".into(),
                by: "counsel@acme".into(),
                at: WallMillis(1_763_700_000_000),
            }],
            keep_until: 1_963_700_000_000,
            last_hold: 2,
        }
    }

    #[test]
    fn version_1_rows_read_as_ever() {
        golden(include_bytes!("../../golden/keeping_v1.row"), &a_keeping());
        let rules = RulesRow {
            number: 3,
            policies: vec![Policy {
                name: PolicyName::new("contracts").unwrap(),
                tenant: Some(TenantId(3)),
                tag: Some(Tag::new("contract").unwrap()),
                keep_at_least: 315_360_000_000,
                keep_at_most: Some(315_446_400_000),
                max_bytes: Some(1 << 40),
            }],
            since: WallMillis(1_763_700_000_000),
        };
        golden(include_bytes!("../../golden/retention_v1.row"), &rules);
        let mark = Mark {
            below: 65_537,
            low: 1_763_700_000_000,
            high: 1_763_700_060_000,
            wall: 1_763_700_060_000,
            settled: true,
            doubt: 300,
        };
        golden(include_bytes!("../../golden/births_v1.row"), &mark);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = decode_keeping(&bytes);
            let _ = decode_rules(&bytes);
            let _ = decode_mark(&bytes);
        }
    }
}
