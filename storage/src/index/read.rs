//! Reads of the index. Each is one snapshot; none lacks a tenant but those of start-up, check
//! and metrics.

use std::ops::Bound;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable as _, ReadableTableMetadata as _};

use super::Index;
use super::keys::{self, RecordingKey};
use super::tables::{self, meta};
use super::values;
use crate::error::ReadError;
use crate::handle::{Cursor, ListFilter, Page};
use crate::ids::{LineName, RecordingId, RecordingName, TenantId};
use crate::limits::{FINDINGS_MAX, PAGE_MAX, PAGE_SCAN_MAX};
use crate::record::{KeyRow, Recording, RecordingState, Tenant, WallMillis};

impl Index {
    pub(crate) fn find(
        &self,
        tenant: TenantId,
        name: &RecordingName,
    ) -> Result<Option<Recording>, ReadError> {
        let reading = self.begin_read()?;
        let Some(id) = resolve(&reading, tenant, name)? else {
            return Ok(None);
        };
        row(&reading, tenant, id)
    }

    pub(crate) fn list(
        &self,
        tenant: TenantId,
        filter: &ListFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let reading = self.begin_read()?;
        let limit = limit.clamp(1, PAGE_MAX);
        if filter.states == [RecordingState::Live] {
            return list_live(&reading, tenant, filter, after, limit);
        }
        list_by_time(&reading, tenant, filter, after, limit)
    }

    pub(crate) fn count(
        &self,
        tenant: TenantId,
        states: &[RecordingState],
    ) -> Result<u64, ReadError> {
        let table = self.begin_read()?.open_table(tables::COUNTS)?;
        let mut sum = 0_u64;
        for state in states {
            let key = keys::count(tenant, *state);
            sum = sum.saturating_add(table.get(&key)?.map_or(0, |guard| guard.value()));
        }
        Ok(sum)
    }

    /// Recordings in one state over all tenants.
    pub(crate) fn count_all(&self) -> Result<[u64; 4], ReadError> {
        let table = self.begin_read()?.open_table(tables::COUNTS)?;
        let mut sums = [0_u64; 4];
        for entry in table.iter()? {
            let (key, count) = entry?;
            if let Some(sum) = sums.get_mut(usize::from(key.value()[4])) {
                *sum = sum.saturating_add(count.value());
            }
        }
        Ok(sums)
    }

    pub(crate) fn tenants(&self) -> Result<Vec<Tenant>, ReadError> {
        let rows = self.tenant_rows()?.into_iter();
        rows.map(|(id, row)| row.map_err(|_| ReadError::TenantRow(id)))
            .collect()
    }

    /// All tenants' rows, those that cannot be read as their number alone.
    #[allow(clippy::type_complexity, reason = "numbers and what they lead to")]
    pub(crate) fn tenant_rows(
        &self,
    ) -> Result<Vec<(TenantId, Result<Tenant, values::ValueError>)>, ReadError> {
        let table = self.begin_read()?.open_table(tables::TENANTS)?;
        let mut all = Vec::new();
        for entry in table.iter()? {
            let (key, bytes) = entry?;
            let tenant = TenantId(u32::from_be_bytes(*key.value()));
            all.push((tenant, values::decode_tenant(bytes.value())));
        }
        Ok(all)
    }

    /// All keys' rows, those that cannot be read as their number alone.
    #[allow(clippy::type_complexity, reason = "numbers and what they lead to")]
    pub(crate) fn key_rows(
        &self,
    ) -> Result<Vec<(u64, Result<KeyRow, values::ValueError>)>, ReadError> {
        let table = self.begin_read()?.open_table(tables::KEYS)?;
        let mut all = Vec::new();
        for entry in table.iter()? {
            let (key, bytes) = entry?;
            let id = u64::from_be_bytes(*key.value());
            all.push((id, values::decode_key(bytes.value())));
        }
        Ok(all)
    }

    /// All readable recordings whose row says Live; bounded by how many were open at once.
    pub(crate) fn live(&self) -> Result<Vec<Recording>, ReadError> {
        let reading = self.begin_read()?;
        let table = reading.open_table(tables::LIVE)?;
        let mut all = Vec::new();
        for entry in table.iter()? {
            let (tenant, id) = keys::split_recording(entry?.0.value());
            match row(&reading, tenant, id) {
                Ok(found) => all.extend(found),
                Err(ReadError::Row(id)) => log::error!("the row of recording {id} is unreadable"),
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Rows whose files are still to be removed; unreadable ones come as their key alone.
    #[allow(
        clippy::type_complexity,
        reason = "a list of keys and what they lead to"
    )]
    pub(crate) fn garbage(
        &self,
    ) -> Result<Vec<((TenantId, RecordingId), Option<Recording>)>, ReadError> {
        let table = self.begin_read()?.open_table(tables::GARBAGE)?;
        let mut all = Vec::new();
        for entry in table.iter()? {
            let (key, bytes) = entry?;
            let row = values::decode_recording(bytes.value()).ok();
            all.push((keys::split_recording(key.value()), row));
        }
        Ok(all)
    }

    /// A row by its number over all tenants.
    pub(crate) fn by_id(&self, id: RecordingId) -> Result<Option<Recording>, ReadError> {
        let reading = self.begin_read()?;
        let owner = reading
            .open_table(tables::RECIDS)?
            .get(&id.0.to_be_bytes())?;
        match owner {
            Some(tenant) => row(&reading, TenantId(tenant.value()), id),
            None => Ok(None),
        }
    }

    pub(crate) fn is_deleted(&self, id: RecordingId) -> Result<bool, ReadError> {
        let table = self.begin_read()?.open_table(tables::TOMBSTONES)?;
        Ok(table.get(&id.0.to_be_bytes())?.is_some())
    }

    pub(crate) fn id_high(&self) -> Result<u64, ReadError> {
        let table = self.begin_read()?.open_table(tables::META)?;
        Ok(table
            .get(meta::ID_HIGH)?
            .map_or(0, |guard| keys::be64(guard.value())))
    }

    /// The newest time that was shown by a clock to be trusted.
    pub(crate) fn time_high(&self) -> Result<WallMillis, ReadError> {
        let table = self.begin_read()?.open_table(tables::META)?;
        let high = table.get(meta::TIME_HIGH)?;
        Ok(WallMillis(
            high.map_or(0, |guard| keys::be64(guard.value())),
        ))
    }

    /// The rows after a key in key order, at most `limit`, for walks over everything.
    #[allow(clippy::type_complexity, reason = "keys and what they lead to")]
    pub(crate) fn walk(
        &self,
        after: Option<RecordingKey>,
        limit: usize,
    ) -> Result<Vec<(RecordingKey, Result<Recording, values::ValueError>)>, ReadError> {
        let table = self.begin_read()?.open_table(tables::RECORDINGS)?;
        let rows = self::after(&table, after, limit)?.into_iter();
        Ok(rows
            .map(|(key, bytes)| (key, values::decode_recording(&bytes)))
            .collect())
    }

    /// Names that lead to a recording which does not exist.
    pub(crate) fn dangling_names(&self) -> Result<Vec<(&'static str, RecordingId)>, ReadError> {
        let reading = self.begin_read()?;
        let rows = reading.open_table(tables::RECORDINGS)?;
        let mut dangling = Vec::new();
        let mut see = |table, tenant: &[u8], id: u64| -> Result<(), ReadError> {
            let key = keys::recording(TenantId(keys::be32(tenant)), RecordingId(id));
            if rows.get(&key)?.is_none() && dangling.len() < FINDINGS_MAX {
                dangling.push((table, RecordingId(id)));
            }
            Ok(())
        };
        for (name, table) in [
            ("call_sids", tables::CALL_SIDS),
            ("crt_objects", tables::CRT_OBJECTS),
        ] {
            for entry in reading.open_table(table)?.iter()? {
                let (key, id) = entry?;
                see(name, key.value(), id.value())?;
            }
        }
        for entry in reading.open_table(tables::TASKS)?.iter()? {
            let (key, id) = entry?;
            see("tasks", key.value(), id.value())?;
        }
        for entry in reading.open_table(tables::SESSIONS)?.iter()? {
            let (key, ()) = (entry?.0, ());
            see("sessions", key.value(), keys::be64(&key.value()[20..]))?;
        }
        for entry in reading.open_table(tables::RECIDS)?.iter()? {
            let (id, tenant) = entry?;
            see(
                "recids",
                &tenant.value().to_be_bytes(),
                u64::from_be_bytes(*id.value()),
            )?;
        }
        Ok(dangling)
    }

    /// Rows in all.
    pub(crate) fn rows(&self) -> Result<u64, ReadError> {
        Ok(self.begin_read()?.open_table(tables::RECORDINGS)?.len()?)
    }
}

/// The rows of a table after a key in key order, at most `limit`.
pub(super) fn after(
    table: &ReadOnlyTable<&'static RecordingKey, &'static [u8]>,
    after: Option<RecordingKey>,
    limit: usize,
) -> Result<Vec<(RecordingKey, Vec<u8>)>, ReadError> {
    let start = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let range = table.range::<&RecordingKey>((start, Bound::Unbounded))?;
    let mut all = Vec::new();
    for entry in range.take(limit) {
        let (key, bytes) = entry?;
        all.push((*key.value(), bytes.value().to_vec()));
    }
    Ok(all)
}

pub(crate) fn row(
    reading: &ReadTransaction,
    tenant: TenantId,
    id: RecordingId,
) -> Result<Option<Recording>, ReadError> {
    let table = reading.open_table(tables::RECORDINGS)?;
    match table.get(&keys::recording(tenant, id))? {
        Some(bytes) => values::decode_recording(bytes.value())
            .map(Some)
            .map_err(|_| ReadError::Row(id)),
        None => Ok(None),
    }
}

pub(crate) fn resolve(
    reading: &ReadTransaction,
    tenant: TenantId,
    name: &RecordingName,
) -> Result<Option<RecordingId>, ReadError> {
    let id = match name {
        RecordingName::Recid(id) => Some(*id),
        RecordingName::CallSid(sid) => reading
            .open_table(tables::CALL_SIDS)?
            .get(keys::text(tenant, sid.as_str()).as_slice())?
            .map(|guard| RecordingId(guard.value())),
        RecordingName::CrtObject(object) => reading
            .open_table(tables::CRT_OBJECTS)?
            .get(keys::text(tenant, object.as_str()).as_slice())?
            .map(|guard| RecordingId(guard.value())),
        RecordingName::Task(task) => reading
            .open_table(tables::TASKS)?
            .get(&keys::uuid(tenant, *task))?
            .map(|guard| RecordingId(guard.value())),
        RecordingName::Session(session) => {
            let first = keys::session(tenant, *session, RecordingId(0));
            let last = keys::session(tenant, *session, RecordingId(u64::MAX));
            let table = reading.open_table(tables::SESSIONS)?;
            let newest = table
                .range::<&keys::SessionKey>(&first..=&last)?
                .next_back();
            match newest {
                Some(entry) => Some(RecordingId(keys::be64(&entry?.0.value()[20..]))),
                None => None,
            }
        }
    };
    Ok(id)
}

fn list_by_time(
    reading: &ReadTransaction,
    tenant: TenantId,
    filter: &ListFilter,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page, ReadError> {
    let since = filter.since.unwrap_or(WallMillis(0));
    let first = keys::by_time(tenant, since, RecordingId(0));
    let newest = filter.until.unwrap_or(WallMillis(u64::MAX));
    let mut end = Bound::Included(keys::by_time(tenant, newest, RecordingId(u64::MAX)));
    if let Some(cursor) = after
        && cursor.started_at <= newest
    {
        end = Bound::Excluded(keys::by_time(tenant, cursor.started_at, cursor.id));
    }
    let (Bound::Included(last) | Bound::Excluded(last)) = &end else {
        return Ok(Page {
            recordings: Vec::new(),
            next: None,
        });
    };
    if *last < first {
        return Ok(Page {
            recordings: Vec::new(),
            next: None,
        });
    }
    let wanted = Wanted::new(filter);
    let times = reading.open_table(tables::BY_TIME)?;
    let rows = reading.open_table(tables::RECORDINGS)?;
    let mut recordings = Vec::with_capacity(limit.min(64));
    let mut next = None;
    let range = times.range::<&keys::TimeKey>((Bound::Included(&first), end.as_ref()))?;
    for (seen, entry) in range.rev().enumerate() {
        let (key, summary) = entry?;
        if recordings.len() == limit || seen == PAGE_SCAN_MAX {
            return Ok(Page { recordings, next });
        }
        let (_, started_at, id) = keys::split_time(key.value());
        next = Some(Cursor { started_at, id });
        if !wanted.may_match(summary.value()) {
            continue;
        }
        let Some(bytes) = rows.get(&keys::recording(tenant, id))? else {
            continue;
        };
        let row = values::decode_recording(bytes.value()).map_err(|_| ReadError::Row(id))?;
        if wanted.matches(&row) {
            recordings.push(row);
        }
    }
    Ok(Page {
        recordings,
        next: None,
    })
}

fn list_live(
    reading: &ReadTransaction,
    tenant: TenantId,
    filter: &ListFilter,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page, ReadError> {
    let first = keys::recording(tenant, RecordingId(0));
    let last = keys::recording(tenant, RecordingId(u64::MAX));
    let wanted = Wanted::new(filter);
    let order = |row: &Recording| (row.facts.started_at, row.facts.id);
    let mut recordings = Vec::new();
    for entry in reading
        .open_table(tables::LIVE)?
        .range::<&RecordingKey>(&first..=&last)?
    {
        let (_, id) = keys::split_recording(entry?.0.value());
        let Some(row) = row(reading, tenant, id)? else {
            continue;
        };
        let later = after.is_some_and(|cursor| order(&row) >= (cursor.started_at, cursor.id));
        if !later && wanted.matches(&row) {
            recordings.push(row);
        }
    }
    recordings.sort_by_key(|row| std::cmp::Reverse(order(row)));
    let more = recordings.len() > limit;
    recordings.truncate(limit);
    let end = recordings.last().map(order);
    let next = end
        .filter(|_| more)
        .map(|(started_at, id)| Cursor { started_at, id });
    Ok(Page { recordings, next })
}

/// A filter, prepared for many rows.
struct Wanted<'f> {
    states: u8,
    line: Option<&'f LineName>,
    line_hash: u32,
    since: u64,
    until: u64,
}

impl<'f> Wanted<'f> {
    fn new(filter: &'f ListFilter) -> Self {
        let bits = filter
            .states
            .iter()
            .fold(0, |bits, state| bits | bit(*state));
        Self {
            states: if filter.states.is_empty() {
                u8::MAX
            } else {
                bits
            },
            line: filter.line.as_ref(),
            line_hash: keys::line_hash(filter.line.as_ref().map(LineName::as_str)),
            since: filter.since.map_or(0, |at| at.0),
            until: filter.until.map_or(u64::MAX, |at| at.0),
        }
    }

    fn may_match(&self, summary: &[u8; 5]) -> bool {
        let state = 1_u8.checked_shl(u32::from(summary[0])).unwrap_or(u8::MAX);
        self.states & state != 0
            && (self.line.is_none() || keys::be32(&summary[1..]) == self.line_hash)
    }

    fn matches(&self, row: &Recording) -> bool {
        self.states & bit(row.state) != 0
            && self
                .line
                .is_none_or(|line| row.facts.line.as_ref() == Some(line))
            && (self.since..=self.until).contains(&row.facts.started_at.0)
    }
}

const fn bit(state: RecordingState) -> u8 {
    1 << keys::state_byte(state)
}
