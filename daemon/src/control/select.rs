//! Which recordings a request means: by name, or all that fit.

use std::collections::HashSet;

use storage::handle::{Cursor, ListFilter, StorageHandle};
use storage::ids::{Number, RecordingId, RecordingName, Tag, TenantId};
use storage::limits::PAGE_MAX;
use storage::record::{Recording, Tenant};

use super::answer::Refusal;
use super::convert::{parse_time, tenant_name};
use super::limits::SELECT_MAX;
use super::recordings::{Wanted, find_now};
use super::tenants;
use super::wire::{ErrorCode, Select};

/// A recording and its tenant's name.
pub(super) type Chosen = (Recording, String);

/// The recordings that are meant, each once: in the order of their names, or oldest first.
///
/// # Errors
/// `bad_request` where nothing, or both, are told; `not_found`.
pub(super) fn choose(storage: &StorageHandle, which: &Select) -> Result<Vec<Chosen>, Refusal> {
    let bad = |message: &str| Err(Refusal::new(ErrorCode::BadRequest, message));
    let is_filtered = which.tag.is_some()
        || which.number.is_some()
        || which.line.is_some()
        || which.since.is_some()
        || which.until.is_some();
    if which.names.is_empty() {
        if !is_filtered && which.tenant.is_none() {
            return bad("name recordings, or tell which: tenant, tag, number, line, from, to");
        }
        return fitting(storage, which);
    }
    if is_filtered {
        return bad("give either names, or tag, number, line, from and to");
    }
    let (mut chosen, mut seen) = (Vec::new(), HashSet::new());
    for name in &which.names {
        let wanted = Wanted::new(name.clone(), which.tenant.clone());
        let found = find_now(storage, &wanted)?;
        if seen.insert((found.0.facts.tenant, found.0.facts.id)) {
            chosen.push(found);
        }
    }
    Ok(chosen)
}

fn fitting(storage: &StorageHandle, which: &Select) -> Result<Vec<Chosen>, Refusal> {
    let time = |text: &Option<String>| {
        let parsed = text.as_deref().map(parse_time).transpose();
        parsed.map_err(|error| Refusal::new(ErrorCode::BadRequest, error.to_string()))
    };
    let fit = Fit {
        filter: ListFilter {
            states: Vec::new(),
            line: which.line.clone(),
            since: time(&which.since)?,
            until: time(&which.until)?,
        },
        number: which.number.clone(),
    };
    let all = storage.tenants()?;
    let tenants = match &which.tenant {
        Some(name) => std::slice::from_ref(tenants::by_name(&all, name)?),
        None => all.as_slice(),
    };
    let mut rows = Vec::new();
    for tenant in tenants {
        match &which.tag {
            Some(tag) => each_tagged(storage, tenant.id, tag, &mut |row| {
                rows.extend(fit.takes(&row).then_some(row));
                enough(rows.len())
            })?,
            None => listed(storage, tenant, &fit, &mut rows)?,
        }
    }
    rows.sort_by_key(|row| (row.facts.started_at, row.facts.id));
    let named = |row: Recording| {
        let tenant = tenant_name(row.facts.tenant, &all);
        (row, tenant)
    };
    Ok(rows.into_iter().map(named).collect())
}

fn enough(count: usize) -> Result<(), Refusal> {
    if count <= SELECT_MAX {
        return Ok(());
    }
    let message = format!("these are more than {SELECT_MAX} recordings; narrow them down");
    Err(Refusal::new(ErrorCode::BadRequest, message))
}

fn listed(
    storage: &StorageHandle,
    tenant: &Tenant,
    fit: &Fit,
    rows: &mut Vec<Recording>,
) -> Result<(), Refusal> {
    let mut after = None;
    loop {
        let page = storage.list(tenant.id, &fit.filter, after, PAGE_MAX)?;
        rows.extend(page.recordings.into_iter().filter(|row| fit.takes(row)));
        enough(rows.len())?;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// What of a recording a list looks at.
pub(super) struct Fit {
    pub(super) filter: ListFilter,
    /// The caller's or the called one.
    pub(super) number: Option<Number>,
}

impl Fit {
    /// Whether a recording fits.
    pub(super) fn takes(&self, row: &Recording) -> bool {
        let facts = &row.facts;
        let filter = &self.filter;
        let line = |line| facts.line.as_ref() == Some(line);
        let number = |number| [&facts.from, &facts.to].contains(&&Some(Number::clone(number)));
        (filter.states.is_empty() || filter.states.contains(&row.state))
            && filter.line.as_ref().is_none_or(line)
            && filter.since.is_none_or(|since| facts.started_at >= since)
            && filter.until.is_none_or(|until| facts.started_at <= until)
            && self.number.as_ref().is_none_or(number)
    }
}

/// Calls this with each of a tenant's recordings that has a tag.
fn each_tagged(
    storage: &StorageHandle,
    tenant: TenantId,
    tag: &Tag,
    see: &mut dyn FnMut(Recording) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut after: Option<RecordingId> = None;
    loop {
        let found = storage.tagged(tenant, tag, after, PAGE_MAX)?;
        let Some(last) = found.last() else {
            return Ok(());
        };
        after = Some(*last);
        for id in found {
            if let Some(row) = storage.find(tenant, &RecordingName::Recid(id))? {
                see(row)?;
            }
        }
    }
}

/// A page of a tenant's recordings with a tag, newest first, as [`StorageHandle::list`] makes it
/// of all. All that have the tag are looked at.
pub(super) fn tagged_page(
    storage: &StorageHandle,
    (tenant, tag): (TenantId, &Tag),
    fit: &Fit,
    after: Option<Cursor>,
    limit: usize,
) -> Result<storage::handle::Page, Refusal> {
    let place = |row: &Recording| (row.facts.started_at, row.facts.id);
    let after = after.map(|cursor| (cursor.started_at, cursor.id));
    // The newest ones so far, oldest first, and one more: it tells that there is a next page.
    let mut newest = std::collections::BTreeMap::new();
    each_tagged(storage, tenant, tag, &mut |row| {
        let at = place(&row);
        if fit.takes(&row) && after.is_none_or(|after| at < after) {
            newest.insert(at, row);
            if newest.len() > limit + 1 {
                newest.pop_first();
            }
        }
        Ok(())
    })?;
    let is_more = newest.len() > limit;
    let recordings: Vec<Recording> = newest.into_values().rev().take(limit).collect();
    let last = recordings.last().filter(|_| is_more);
    let next = last.map(|row| Cursor {
        started_at: row.facts.started_at,
        id: row.facts.id,
    });
    Ok(storage::handle::Page { recordings, next })
}

/// A page of a tenant's recordings that fit, newest first. It may end early, with a cursor, when
/// very many did not.
pub(super) fn fitting_page(
    storage: &StorageHandle,
    tenant: TenantId,
    fit: &Fit,
    mut after: Option<Cursor>,
    limit: usize,
) -> Result<storage::handle::Page, Refusal> {
    if fit.number.is_none() {
        return Ok(storage.list(tenant, &fit.filter, after, limit)?);
    }
    let mut recordings = Vec::new();
    for _ in 0..PAGES_AT_ONCE {
        let page = storage.list(tenant, &fit.filter, after, PAGE_MAX)?;
        after = page.next;
        recordings.extend(page.recordings.into_iter().filter(|row| fit.takes(row)));
        if recordings.len() > limit {
            recordings.truncate(limit);
            after = recordings.last().map(|row| Cursor {
                started_at: row.facts.started_at,
                id: row.facts.id,
            });
        }
        if after.is_none() || recordings.len() >= limit {
            break;
        }
    }
    Ok(storage::handle::Page {
        recordings,
        next: after,
    })
}

/// Pages of the store that are looked through for one of ours.
const PAGES_AT_ONCE: usize = 100;
