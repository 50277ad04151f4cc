//! What keeps recordings, in the index: holds, minimums and tags; the policies in force; what is
//! known of time; and the deletions of retention, which are checked once more in the commit that
//! makes them.

mod faults;
mod read;
mod retire;
mod told;

use redb::{ReadableTable as _, StorageError, TableDefinition};
use serde::{Deserialize, Serialize};

use super::apply::{Applied, Refusal, read_u64};
use super::keys::{self, RecordingKey};
use super::search;
use super::tables::{Tables, meta};
use super::values::{self, ValueError};
use crate::ids::{RecordingId, Tag, TenantId};
use crate::limits::{HOLDS_MAX, TAGS_MAX};
use crate::record::{Recording, WallMillis};
use crate::retention::{Hold, Keeping, Mark, NewHold, Policy};
pub use faults::KeepingFault;
pub(crate) use read::SeeRow;
pub(crate) use retire::{Fate, Retire, Verdict};

/// tenant, id → row.
pub(crate) const KEEPING: TableDefinition<'static, &RecordingKey, &[u8]> =
    TableDefinition::new("keeping");
/// tenant (4), tag, 0, id (8).
pub(super) const BY_TAG: TableDefinition<'static, &[u8], ()> = TableDefinition::new("by_tag");
/// number (8, big-endian) → row.
pub(super) const BIRTHS: TableDefinition<'static, &[u8; 8], &[u8]> = TableDefinition::new("births");

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
    /// Its number, and who lifts it why: only the ledger is interested in that.
    Lift(u32, NewHold),
    Until(u64),
    Tag(Vec<Tag>),
    /// With a verdict it is refused where it makes a minimum shorter that is not reached.
    Untag(Vec<Tag>, Option<Box<Verdict>>),
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
                let before = held(tables, *tenant, *id)?;
                forget(tables, *tenant, *id)?;
                write(tables, *tenant, *id, keeping)?;
                let found = tables.recordings.get(&keys::recording(*tenant, *id))?;
                let row = found.map(|bytes| values::decode_recording(bytes.value()));
                if let Some(Ok(row)) = row {
                    let before = before.and_then(Result::ok).unwrap_or_default();
                    search::kept(tables, &row, &before, keeping)?;
                }
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
                let held = tables.meta.get(meta::RETENTION)?;
                let held = held.map(|bytes| decode_rules(bytes.value()));
                let policies = held.and_then(Result::ok).map(|row| row.policies);
                told::rules(&mut tables.telling, &policies.unwrap_or_default(), row);
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
                told::suspended(&mut tables.telling, true);
            }
            Self::Lost(false) => {
                if tables.meta.remove(meta::KEEPING_LOST)?.is_some() {
                    told::suspended(&mut tables.telling, false);
                }
            }
        }
        Ok(Applied::Done)
    }
}

/// A recording's keeping, undecided whether it can be read.
pub(super) fn held(
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
    tables: &mut Tables<'_>,
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
    if let Err(refusal) = edited(&mut after, edit, row.as_ref().ok()) {
        return Ok(Applied::Refused(refusal));
    }
    if after != before {
        forget(tables, tenant, id)?;
        write(tables, tenant, id, &after)?;
        if let Ok(row) = &row {
            search::kept(tables, row, &before, &after)?;
        }
    }
    told::edited(&mut tables.telling, (tenant, id), edit, (&before, &after));
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
        Edit::Lift(hold, _) => {
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
            tags: vec![
                Tag::new("complaint").unwrap(),
                Tag::new("legal:2026").unwrap(),
            ],
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
