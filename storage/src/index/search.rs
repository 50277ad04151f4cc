//! Lists of recordings by what people search for, each in the order of time. They ride in the
//! commit of the row, are made again from the rows where they are missing, and are in no backup.
//!
//! ```text
//!  row, keeping ──▶ lists_of ──▶ one posting a list: tenant, list, start, id ──▶ brief
//! ```

pub(crate) mod brief;
pub(crate) mod lists;

use std::ops::Bound;

use redb::{ReadableTable as _, ReadableTableMetadata as _, StorageError, TableDefinition};

use super::apply::{Applied, Change};
use super::keeping::{self, decode_keeping};
use super::keys::{RecordingKey, recording};
use super::rows::RowChange;
use super::tables::{self, Tables, meta};
use super::values::{self, ValueError};
use super::{Index, keys};
use crate::error::{OpenError, ReadError};
use crate::open::open_error;
use crate::record::{Recording, WallMillis};
use crate::retention::{Hold, Keeping};
use brief::{Brief, BriefBytes};
use lists::{Place, PostingKey, lists_of};

/// Postings: which list, where in it, and a brief.
pub(crate) const POSTINGS: TableDefinition<'static, &PostingKey, &BriefBytes> =
    TableDefinition::new("postings");

/// The layout of postings; those of another are made again.
const VERSION: u8 = 1;

/// How far the lists are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Built {
    /// Every row is in them.
    Whole,
    /// Rows after this key may be missing.
    Until(RecordingKey),
}

/// What cannot be read of what is kept counts as a hold, as everywhere.
fn readable(kept: Option<Result<Keeping, ValueError>>) -> Option<Keeping> {
    kept.map(|kept| kept.unwrap_or_else(|_| unreadable()))
}

/// What stands for keeping that cannot be read.
pub(crate) fn unreadable() -> Keeping {
    Keeping {
        holds: vec![Hold {
            id: 0,
            reason: String::new(),
            by: String::new(),
            at: WallMillis(0),
        }],
        ..Keeping::default()
    }
}

/// A row is new or another; called before it is written.
pub(super) fn put(
    tables: &mut Tables<'_>,
    before: Option<&Recording>,
    row: &Recording,
) -> Result<(), StorageError> {
    let facts = &row.facts;
    // What begins now has a number that nothing was ever kept of.
    let is_new = before.is_none() && row.outcome.is_none();
    let kept = match is_new {
        true => None,
        false => readable(keeping::held(tables, facts.tenant, facts.id)?),
    };
    let before = before.map(|before| (before, kept.as_ref()));
    replace(tables, before, Some((row, kept.as_ref())))
}

/// A row goes; called while it and what is kept of it are there.
pub(super) fn remove(tables: &mut Tables<'_>, row: &Recording) -> Result<(), StorageError> {
    let kept = readable(keeping::held(tables, row.facts.tenant, row.facts.id)?);
    replace(tables, Some((row, kept.as_ref())), None)
}

/// What is kept of a recording has changed.
pub(super) fn kept(
    tables: &mut Tables<'_>,
    row: &Recording,
    before: &Keeping,
    after: &Keeping,
) -> Result<(), StorageError> {
    replace(tables, Some((row, Some(before))), Some((row, Some(after))))
}

type Listing<'r> = (&'r Recording, Option<&'r Keeping>);

fn postings((row, keeping): Listing<'_>) -> Vec<(PostingKey, BriefBytes)> {
    let brief = Brief::of(row, keeping);
    let (tenant, place) = (row.facts.tenant, Place::of(row));
    let lists = lists_of(row, keeping).into_iter();
    lists
        .map(|(list, more)| (list.key(tenant, place), Brief { more, ..brief }.to_bytes()))
        .collect()
}

/// Both sides are in the order of keys.
fn replace(
    tables: &mut Tables<'_>,
    before: Option<Listing<'_>>,
    after: Option<Listing<'_>>,
) -> Result<(), StorageError> {
    let before = before.map(postings).unwrap_or_default();
    let after = after.map(postings).unwrap_or_default();
    for (key, _) in &before {
        if after.binary_search_by(|(held, _)| held.cmp(key)).is_err() {
            tables.postings.remove(key)?;
        }
    }
    for (key, brief) in &after {
        let held = before.binary_search_by(|(held, _)| held.cmp(key));
        if held.is_err() || held.is_ok_and(|at| before[at].1 != *brief) {
            tables.postings.insert(key, brief)?;
        }
    }
    Ok(())
}

/// Puts the next rows into the lists, at most so many; answers how many there were, 0 when all
/// are in.
pub(super) fn build(tables: &mut Tables<'_>, limit: usize) -> Result<Applied, StorageError> {
    let held = tables.meta.get(meta::SEARCH)?;
    let Some(Built::Until(after)) = held.and_then(|bytes| built(bytes.value())) else {
        return Ok(Applied::Moved(0));
    };
    let mut rows = Vec::new();
    let mut last = None;
    {
        let table = tables.rare(keeping::KEEPING)?;
        let range = (Bound::Excluded(&after), Bound::Unbounded);
        for entry in tables.recordings.range::<&RecordingKey>(range)?.take(limit) {
            let (key, bytes) = entry?;
            last = Some(*key.value());
            let kept = table.get(key.value())?;
            let kept = kept.map(|bytes| decode_keeping(bytes.value()));
            // What cannot be read is found by a check, and by nobody else.
            if let Ok(row) = values::decode_recording(bytes.value()) {
                rows.push((row, readable(kept)));
            }
        }
    }
    let Some(last) = last else {
        set_built(tables, Built::Whole)?;
        return Ok(Applied::Moved(0));
    };
    let mut all: Vec<_> = rows
        .iter()
        .flat_map(|(row, kept)| postings((row, kept.as_ref())))
        .collect();
    // In the order of keys each page is visited once.
    all.sort_unstable();
    for (key, brief) in &all {
        tables.postings.insert(key, brief)?;
    }
    set_built(tables, Built::Until(last))?;
    Ok(Applied::Moved(limit as u64))
}

fn set_built(tables: &mut Tables<'_>, so_far: Built) -> Result<(), StorageError> {
    let bytes = built_bytes(so_far);
    tables.meta.insert(meta::SEARCH, bytes.as_slice())?;
    Ok(())
}

fn built_bytes(so_far: Built) -> Vec<u8> {
    match so_far {
        Built::Whole => vec![VERSION],
        Built::Until(last) => [&[VERSION], &last[..]].concat(),
    }
}

fn built(bytes: &[u8]) -> Option<Built> {
    match bytes.split_first() {
        Some((&VERSION, [])) => Some(Built::Whole),
        Some((&VERSION, last)) => last.try_into().ok().map(Built::Until),
        _ => None,
    }
}

/// Makes sure that it is known how far the lists are. Those of an older store are made from its
/// rows while it works; see `crate::search::thread`.
pub(crate) fn prepare(index: &Index) -> Result<(), OpenError> {
    let held = index.meta(meta::SEARCH).map_err(open_error)?;
    let id = index.meta(meta::NOTES_ID).map_err(open_error)?;
    if id.is_none() {
        let mut fresh = [0; 16];
        getrandom::fill(&mut fresh).map_err(OpenError::Random)?;
        index.commit(&[Change::Rows(vec![RowChange::Meta(
            meta::NOTES_ID,
            fresh.to_vec(),
        )])])?;
    }
    if held.as_deref().is_some_and(|bytes| built(bytes).is_some()) {
        return Ok(());
    }
    let transaction = index.begin_write()?;
    transaction.delete_table(POSTINGS)?;
    {
        let mut tables = Tables::open(&transaction)?;
        let is_new = tables.recordings.is_empty()?;
        let so_far = if is_new {
            Built::Whole
        } else {
            Built::Until([0; 12])
        };
        set_built(&mut tables, so_far)?;
    }
    transaction.commit()?;
    Ok(())
}

impl Index {
    /// How far the lists are.
    pub(crate) fn search_built(&self) -> Result<Built, ReadError> {
        let held = self.meta(meta::SEARCH)?;
        let so_far = held.and_then(|bytes| built(&bytes));
        Ok(so_far.unwrap_or(Built::Until([0; 12])))
    }

    /// About how many rows are still to be put into the lists: all with larger keys.
    pub(crate) fn search_left(&self) -> Result<u64, ReadError> {
        let Built::Until(after) = self.search_built()? else {
            return Ok(0);
        };
        let (tenant, id) = keys::split_recording(&after);
        let reading = self.begin_read()?;
        let table = reading.open_table(tables::RECORDINGS)?;
        let all = table.len()?;
        let last = table.last()?.map(|(key, _)| *key.value());
        let last = keys::split_recording(&last.unwrap_or(recording(tenant, id)));
        // Numbers are given out in order: with one tenant this is exact but for deletions.
        let left = if last.0 == tenant {
            last.1.0.saturating_sub(id.0)
        } else {
            all
        };
        Ok(left.min(all))
    }
}

#[cfg(test)]
impl Index {
    /// What the lists should hold by the rows, and what they hold.
    #[allow(clippy::type_complexity, reason = "two tables")]
    pub(crate) fn lists_by_rows(
        &self,
    ) -> (
        std::collections::BTreeMap<PostingKey, BriefBytes>,
        std::collections::BTreeMap<PostingKey, BriefBytes>,
    ) {
        let reading = self.begin_read().unwrap();
        let kept = tables::rare(&reading, keeping::KEEPING).unwrap();
        let mut wanted = std::collections::BTreeMap::new();
        for entry in reading
            .open_table(tables::RECORDINGS)
            .unwrap()
            .iter()
            .unwrap()
        {
            let (key, bytes) = entry.unwrap();
            let row = values::decode_recording(bytes.value()).unwrap();
            let kept = kept
                .as_ref()
                .and_then(|table| table.get(key.value()).unwrap());
            let kept = readable(kept.map(|bytes| decode_keeping(bytes.value())));
            wanted.extend(postings((&row, kept.as_ref())));
        }
        let held = reading.open_table(POSTINGS).unwrap();
        let held = held.iter().unwrap().map(|entry| {
            let (key, brief) = entry.unwrap();
            (*key.value(), *brief.value())
        });
        (wanted, held.collect())
    }
}
