//! Reads of what keeps recordings, and the walk over all rows that a retention pass makes.

use std::ops::Bound;

use redb::ReadableTable as _;

use super::{
    BIRTHS, BY_TAG, KEEPING, RulesRow, decode_keeping, decode_mark, decode_rules, tag_key,
};
use crate::error::ReadError;
use crate::ids::{RecordingId, Tag, TenantId};
use crate::index::keys::{self, TimeKey};
use crate::index::tables::{self, meta};
use crate::index::values::{self, ValueError};
use crate::index::{Index, read};
use crate::record::{Recording, RecordingState, WallMillis};
use crate::retention::{Keeping, Mark};

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
