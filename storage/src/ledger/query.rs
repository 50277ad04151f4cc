//! Questions to the ledger, answered by its tables in the index: by person, recording, kind, tenant
//! and time, newest first.

use std::ops::Bound;

use redb::ReadTransaction;

use super::entry::{ActorKind, Entry, Kind};
use super::segments;
use crate::error::ReadError;
use crate::ids::{RecordingId, TenantId};
use crate::index::Index;
use crate::index::ledger::{FindKey, LEDGER_BY, Subject, brief, place_before, split_key};
use crate::index::tables;
use crate::limits::{PAGE_MAX, PAGE_SCAN_MAX};
use crate::record::WallMillis;

/// A person, as the ledger knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Person {
    /// By number: a user's, a key's, a link's signing key's, a system user's.
    Number(ActorKind, u64),
    /// By name, whatever kind it is the name of; of failed logins, too.
    Name(String),
}

/// Which entries are wanted; what is not told is not asked for.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only what this person did.
    pub who: Option<Person>,
    /// Only what concerns this recording.
    pub recording: Option<RecordingId>,
    /// Only what concerns this tenant.
    pub tenant: Option<TenantId>,
    /// Only these kinds; empty means all.
    pub kinds: Vec<Kind>,
    /// Only what happened at or after this.
    pub since: Option<WallMillis>,
    /// Only what happened at or before this.
    pub until: Option<WallMillis>,
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditCursor {
    /// The time of the last entry that was looked at.
    pub at: WallMillis,
    /// Its number.
    pub seq: u64,
}

/// A page of entries.
#[derive(Clone, Debug)]
pub struct AuditPage {
    /// Newest first, by time and then by number.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` after the last. A page may be short or empty and still
    /// have one, when a filter passed over very many entries.
    pub next: Option<AuditCursor>,
}

impl AuditFilter {
    /// The table's part that is read: the one with the fewest entries, as far as can be known.
    fn subject(&self) -> Subject<'_> {
        match (
            self.recording,
            &self.who,
            self.tenant,
            self.kinds.as_slice(),
        ) {
            (Some(id), ..) => Subject::Recording(id),
            (_, Some(Person::Number(kind, id)), ..) => Subject::Number(*kind, *id),
            (_, Some(Person::Name(name)), ..) => Subject::Name(name),
            (_, _, _, [kind]) => Subject::Kind(kind),
            (_, _, Some(tenant), _) => Subject::Tenant(tenant),
            _ => Subject::All,
        }
    }

    /// Whether a row may be of a wanted entry.
    fn may_take(&self, row: &[u8; 8]) -> bool {
        let kind = |kind: &Kind| brief(kind, None)[..4] == row[..4];
        (self.kinds.is_empty() || self.kinds.iter().any(kind))
            && self
                .tenant
                .is_none_or(|tenant| row[4..] == tenant.0.to_be_bytes())
    }

    /// Whether an entry is wanted.
    #[must_use]
    pub fn takes(&self, entry: &Entry) -> bool {
        let who = entry.who.as_ref();
        let person = |person: &Person| match person {
            Person::Number(kind, id) => {
                who.is_some_and(|who| who.kind == *kind && who.id == Some(*id))
            }
            Person::Name(name) => who.is_some_and(|who| who.name.as_ref() == Some(name)),
        };
        self.who.as_ref().is_none_or(person)
            && self.recording.is_none_or(|id| entry.recording == Some(id))
            && self
                .tenant
                .is_none_or(|tenant| entry.tenant == Some(tenant))
            && (self.kinds.is_empty() || self.kinds.contains(&entry.kind))
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at <= until)
    }
}

/// A page of entries; at most `limit` (1 to [`PAGE_MAX`]).
pub(crate) fn page(
    index: &Index,
    folder: &std::path::Path,
    filter: &AuditFilter,
    after: Option<AuditCursor>,
    limit: usize,
) -> Result<AuditPage, ReadError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let reading = index.begin_read()?;
    let mut page = AuditPage {
        entries: Vec::new(),
        next: None,
    };
    let Some(table) = tables::rare(&reading, LEDGER_BY)? else {
        return Ok(page);
    };
    let subject = filter.subject();
    let low = subject.key(filter.since.unwrap_or(WallMillis(0)), 0);
    let last = subject.key(filter.until.unwrap_or(WallMillis(u64::MAX)), u64::MAX);
    let after = after.map(|cursor| subject.key(cursor.at, cursor.seq));
    let high = match after.as_ref() {
        Some(after) if *after <= last => Bound::Excluded(after),
        _ => Bound::Included(&last),
    };
    if after.is_some_and(|after| after <= low) || last < low {
        return Ok(page);
    }
    let bounds: (Bound<&FindKey>, Bound<&FindKey>) = (Bound::Included(&low), high);
    let mut seen = 0;
    for row in table.range::<&FindKey>(bounds)?.rev() {
        let (key, row) = row?;
        let (at, seq) = split_key(key.value());
        seen += 1;
        if filter.may_take(row.value())
            && let Some(entry) = entry(&reading, folder, seq)?
            && filter.takes(&entry)
        {
            page.entries.push(entry);
        }
        if page.entries.len() == limit || seen == PAGE_SCAN_MAX {
            page.next = Some(AuditCursor { at, seq });
            break;
        }
    }
    Ok(page)
}

/// An entry by its number; `None` where the index knows of none.
pub(crate) fn entry(
    reading: &ReadTransaction,
    folder: &std::path::Path,
    seq: u64,
) -> Result<Option<Entry>, ReadError> {
    let Some(place) = place_before(reading, seq)? else {
        return Ok(None);
    };
    let found = segments::find(folder, place, seq).map_err(ReadError::Ledger)?;
    Ok(found.map(|(entry, _)| entry))
}
