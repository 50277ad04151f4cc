//! Holds, minimums and tags of recordings.

use std::sync::Arc;

use storage::handle::StorageHandle;
use storage::ids::{RecordingId, TenantId, TenantName};
use storage::limits::PAGE_MAX;
use storage::record::{Recording, WallMillis};
use storage::retention::{Hold, KeepError, Keeping, NewHold, Policy, Prospect};

use super::acts;
use super::answer::{Answer, Refusal, ok};
use super::convert::{parse_time, tenant_name};
use super::jobs::Teller;
use super::limits::{HOLDS_PAGE_DEFAULT, PAGE_MAX as ITEMS_MAX};
use super::route::Query;
use super::select::{Chosen, choose};
use super::serve::{Desk, blocking};
use super::tenants;
use super::wire::{self, ErrorCode, Keep, KeepChange, Progress};
use crate::logging::rfc3339;

impl From<KeepError> for Refusal {
    fn from(error: KeepError) -> Self {
        let code = match &error {
            KeepError::NotFound(_) | KeepError::NoHold(..) => ErrorCode::NotFound,
            KeepError::NoReason
            | KeepError::NoActor
            | KeepError::Text
            | KeepError::TooManyTags
            | KeepError::TooFar(_) => ErrorCode::BadRequest,
            KeepError::TooManyHolds(_)
            | KeepError::UntilShrinks { .. }
            | KeepError::TagShrinks(_) => ErrorCode::Conflict,
            KeepError::Unreadable(_) => ErrorCode::Unusable,
            KeepError::Read(_) | KeepError::Write(_) => return Self::internal(&error),
        };
        Self::new(code, error.to_string())
    }
}

/// What is done to each recording, ready to be done.
#[derive(Clone)]
enum Edit {
    Hold(NewHold),
    Lift(u32, NewHold),
    Until(WallMillis),
    Tag(Vec<storage::ids::Tag>),
    Untag(Vec<storage::ids::Tag>, bool),
}

impl Edit {
    fn of(desk: &Desk, change: KeepChange, user: u32) -> Result<Self, Refusal> {
        let by = || {
            let name = acts::actor(user).name;
            name.unwrap_or_else(|| format!("uid {user}"))
        };
        let because = |reason: String| {
            // One that is empty is refused before anything is looked for.
            if reason.trim().is_empty() {
                return Err(Refusal::from(KeepError::NoReason));
            }
            Ok(NewHold { reason, by: by() })
        };
        Ok(match change {
            KeepChange::Hold { reason } => Self::Hold(because(reason)?),
            KeepChange::Lift { hold, reason } => Self::Lift(hold, because(reason)?),
            KeepChange::Until { until } => {
                let bad = |error: super::BadTime| {
                    Refusal::new(ErrorCode::BadRequest, format!("until: {error}"))
                };
                Self::Until(parse_time(&until).map_err(bad)?)
            }
            KeepChange::For { ms } => {
                // From the later of the two clocks: rather kept for too long.
                let proven = desk.app.storage.clock_now().proven.unwrap_or(0);
                let now = desk.app.clock.wall().0.max(proven);
                Self::Until(WallMillis(now.saturating_add(ms)))
            }
            KeepChange::Tag { tags } => Self::Tag(given(tags)?),
            KeepChange::Untag { tags, shrink } => Self::Untag(given(tags)?, shrink),
        })
    }

    /// Does it; answers the number of a hold, and what was kept before and is now.
    fn make(
        self,
        storage: &StorageHandle,
        tenant: TenantId,
        id: RecordingId,
    ) -> Result<(Option<u32>, bool), KeepError> {
        let differs = |(before, after): (Keeping, Keeping)| (None, before != after);
        Ok(match self {
            Self::Hold(hold) => (Some(storage.set_hold(tenant, id, hold)?.id), true),
            Self::Lift(hold, why) => {
                let lifted = storage.lift_hold(tenant, id, hold, why)?;
                (Some(lifted.id), true)
            }
            Self::Until(until) => differs(storage.keep_until(tenant, id, until)?),
            Self::Tag(tags) => differs(storage.add_tags(tenant, id, tags)?),
            Self::Untag(tags, shrink) => differs(storage.remove_tags(tenant, id, tags, shrink)?),
        })
    }
}

fn given(tags: Vec<storage::ids::Tag>) -> Result<Vec<storage::ids::Tag>, Refusal> {
    if tags.is_empty() {
        return Err(Refusal::new(ErrorCode::BadRequest, "name at least one tag"));
    }
    Ok(tags)
}

/// Changes what keeps recordings, one by one; each change is durable before the next.
pub(super) async fn change(desk: Arc<Desk>, wish: Keep, user: u32) -> Result<Answer, Refusal> {
    let edit = Edit::of(&desk, wish.change, user)?;
    let storage = desk.app.storage.clone();
    let which = wish.which;
    let chosen = blocking(move || choose(&storage, &which)).await?;
    let (mut teller, answer) = Teller::new(desk.app.clock.clone());
    tokio::task::spawn_blocking(move || {
        let total = chosen.len() as u64;
        let mut items = Vec::with_capacity(chosen.len());
        for (done, (row, tenant)) in (1..).zip(chosen) {
            let edit = (!wish.dry_run).then(|| edit.clone());
            items.push(item(&desk.app.storage, (row, tenant), edit));
            teller.progress(&Progress {
                stage: "recordings".to_owned(),
                done,
                total,
            });
        }
        teller.end(Ok(wire::Kept {
            dry_run: wish.dry_run,
            items,
        }));
    });
    Ok(answer)
}

fn item(storage: &StorageHandle, (row, name): Chosen, edit: Option<Edit>) -> wire::KeptItem {
    let (tenant, id) = (row.facts.tenant, row.facts.id);
    let made = edit.map_or(Ok((None, false)), |edit| edit.make(storage, tenant, id));
    let (made, mut error) = match made {
        Ok(made) => (made, None),
        Err(error) => ((None, false), Some(Refusal::from(error).0)),
    };
    let kept = storage.keeping(tenant, id);
    let kept = kept.unwrap_or_else(|failed| {
        error.get_or_insert_with(|| Refusal::from(failed).0);
        None
    });
    wire::KeptItem {
        recid: id.to_string(),
        tenant: name,
        started_at: rfc3339(row.facts.started_at),
        changed: made.1,
        hold: made.0,
        keeping: keeping(&kept.unwrap_or_default()),
        error,
    }
}

fn hold(hold: &Hold) -> wire::Hold {
    wire::Hold {
        id: hold.id,
        reason: hold.reason.clone(),
        by: hold.by.clone(),
        at: rfc3339(hold.at),
    }
}

/// What keeps a recording, in the wire's words.
pub(super) fn keeping(keeping: &Keeping) -> wire::Keeping {
    let until = (keeping.keep_until > 0).then(|| rfc3339(WallMillis(keeping.keep_until)));
    wire::Keeping {
        tags: keeping.tags.iter().map(ToString::to_string).collect(),
        holds: keeping.holds.iter().map(hold).collect(),
        keep_until: until,
    }
}

/// What keeps a recording, and when it goes.
pub(super) fn retained(
    storage: &StorageHandle,
    row: &Recording,
) -> Result<wire::Retained, Refusal> {
    let prospect = storage.prospect(row)?;
    let term = |policy: &Policy, ms: u64| wire::PolicyTerm {
        policy: policy.name.to_string(),
        ms,
        until: prospect
            .start
            .map(|start| rfc3339(WallMillis(start.saturating_add(ms)))),
    };
    let Prospect { least, most, .. } = &prospect;
    let limits = prospect.byte_limits.iter();
    Ok(wire::Retained {
        keeping: keeping(&prospect.keeping),
        protected: prospect.protection.as_ref().map(ToString::to_string),
        least: least.as_ref().map(|least| term(least, least.keep_at_least)),
        most: most
            .as_ref()
            .and_then(|most| Some(term(most, most.keep_at_most?))),
        due: prospect.due.map(|due| rfc3339(WallMillis(due))),
        byte_limits: limits.map(ToString::to_string).collect(),
        suspended: storage.deletions_suspended()?,
    })
}

pub(super) async fn holds(desk: &Desk, query: Option<&str>) -> Result<Answer, Refusal> {
    let query = Query::parse(query, &["tenant", "cursor", "limit"])?;
    let wanted = query.get("tenant", |text| TenantName::new(text))?;
    let after = query.get("cursor", parse_cursor)?;
    let limit = query.get("limit", str::parse::<usize>)?;
    let limit = limit.unwrap_or(HOLDS_PAGE_DEFAULT).clamp(1, ITEMS_MAX);
    let storage = desk.app.storage.clone();
    let page = blocking(move || held(&storage, wanted.as_ref(), after, limit));
    ok(&page.await?)
}

fn held(
    storage: &StorageHandle,
    wanted: Option<&TenantName>,
    mut after: Option<(TenantId, RecordingId)>,
    limit: usize,
) -> Result<wire::HoldPage, Refusal> {
    let tenants = storage.tenants()?;
    let wanted = wanted.map(|name| tenants::by_name(&tenants, name));
    let wanted = wanted.transpose()?.map(|tenant| tenant.id);
    let mut items = Vec::new();
    loop {
        let rows = storage.kept(after, PAGE_MAX)?;
        let is_last = rows.len() < PAGE_MAX;
        for (tenant, id, kept) in rows {
            if items.len() == limit {
                let next = after.map(|(tenant, id)| format!("{tenant}.{id}"));
                return Ok(wire::HoldPage { items, next });
            }
            after = Some((tenant, id));
            let holds = kept.as_ref().map(|kept| kept.holds.as_slice());
            let is_held = holds.is_none_or(|holds| !holds.is_empty());
            if is_held && wanted.is_none_or(|wanted| wanted == tenant) {
                items.push(wire::Held {
                    recid: id.to_string(),
                    tenant: tenant_name(tenant, &tenants),
                    holds: holds.unwrap_or_default().iter().map(hold).collect(),
                    unreadable: kept.is_none(),
                });
            }
        }
        if is_last {
            return Ok(wire::HoldPage { items, next: None });
        }
    }
}

fn parse_cursor(text: &str) -> Result<(TenantId, RecordingId), &'static str> {
    let parsed = text.split_once('.').and_then(|(tenant, id)| {
        let tenant = TenantId(tenant.parse().ok()?);
        Some((tenant, RecordingId(id.parse().ok()?)))
    });
    parsed.ok_or("give the 'next' of the page before, unchanged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_of_holds_come_back_as_they_were_given() {
        assert_eq!(parse_cursor("3.7"), Ok((TenantId(3), RecordingId(7))));
        for bad in ["", "3", "3.", "x.7", "3.7.8"] {
            assert!(parse_cursor(bad).is_err(), "{bad}");
        }
    }
}
