//! Retention and the clock it goes by: what is in force, what a pass would delete, passes by
//! command, and what only a person may say.

use std::sync::Arc;

use storage::handle::StorageHandle;
use storage::ledger::entry::{Act, Kind};
use storage::ledger::query::AuditFilter;
use storage::limits::PAGE_MAX;
use storage::record::{Tenant, WallMillis};
use storage::retention::{
    ClockError, InForce, PassError, PassReport, PassRequest, Plan, Policy, Rules, RulesError, Tick,
    Watermarks,
};

use super::answer::{Answer, Refusal, ok};
use super::audit;
use super::convert::tenant_name;
use super::jobs::Teller;
use super::route::Query;
use super::serve::{Desk, blocking};
use super::wanted;
use super::wire::{self, ErrorCode, Progress};
use crate::logging::rfc3339;

impl From<PassError> for Refusal {
    fn from(error: PassError) -> Self {
        let code = match &error {
            PassError::Place(_) => ErrorCode::Unusable,
            PassError::Suspended => return Self::new(ErrorCode::Conflict, SUSPENDED),
            PassError::RulesChanged => ErrorCode::Conflict,
            PassError::Files(_) => ErrorCode::Unavailable,
            PassError::Read(_) | PassError::Write(_) => return Self::internal(&error),
        };
        Self::new(code, error.to_string())
    }
}

impl From<RulesError> for Refusal {
    fn from(error: RulesError) -> Self {
        let code = match &error {
            RulesError::Policy(_) | RulesError::NoTenant(..) => ErrorCode::Unusable,
            RulesError::Changed => ErrorCode::Conflict,
            RulesError::Write(_) => return Self::internal(&error),
        };
        Self::new(code, error.to_string())
    }
}

impl From<ClockError> for Refusal {
    fn from(error: ClockError) -> Self {
        match error {
            ClockError::Implausible(_) => Self::new(ErrorCode::Conflict, error.to_string()),
            ClockError::Write(_) => Self::internal(&error),
        }
    }
}

const SUSPENDED: &str = "nothing is deleted: the index was rebuilt or restored, and holds may be \
                         missing; 'callreel hold list' shows those there are: set the missing ones \
                         again, then 'callreel retention resume'";

pub(super) async fn show(desk: &Desk) -> Result<Answer, Refusal> {
    let clock = clock_state(desk, &desk.app.storage.clock_now());
    let (storage, marks) = (desk.app.storage.clone(), wanted::watermarks(desk));
    let shown = blocking(move || {
        let tenants = storage.tenants()?;
        let in_force = storage.retention_in_force()?;
        let policies = in_force.rules.policies().iter();
        Ok::<_, Refusal>(wire::Retention {
            number: in_force.number,
            since: in_force.since.map(rfc3339),
            by: set_by(&storage, &in_force)?,
            policies: policies.map(|it| policy(it, &tenants)).collect(),
            suspended: storage.deletions_suspended()?,
            clock,
            disk: disk(&storage, marks),
        })
    });
    ok(&shown.await?)
}

/// Whoever put the policies in force, as the ledger tells.
fn set_by(storage: &StorageHandle, in_force: &InForce) -> Result<Option<wire::Who>, Refusal> {
    let Some(since) = in_force.since else {
        return Ok(None);
    };
    let filter = AuditFilter {
        kinds: vec![Kind::Policy],
        since: Some(WallMillis(since.0.saturating_sub(CLOSE_MS))),
        until: Some(WallMillis(since.0.saturating_add(CLOSE_MS))),
        ..AuditFilter::default()
    };
    let page = storage.audit(&filter, None, PAGE_MAX)?;
    let number = serde_json::Value::from(in_force.number);
    let told = page
        .entries
        .iter()
        .find(|entry| entry.details.get("number") == Some(&number));
    Ok(told.and_then(|entry| entry.who.as_ref()).map(audit::who))
}

/// How far the ledger's time of a change may be from the change's own, in milliseconds.
const CLOSE_MS: u64 = 10 * 60 * 1_000;

fn policy(policy: &Policy, tenants: &[Tenant]) -> wire::RetentionPolicy {
    wire::RetentionPolicy {
        name: policy.name.to_string(),
        tenant: policy.tenant.map(|id| tenant_name(id, tenants)),
        tag: policy.tag.as_ref().map(ToString::to_string),
        keep_at_least_ms: policy.keep_at_least,
        keep_at_most_ms: policy.keep_at_most,
        max_bytes: policy.max_bytes,
    }
}

fn disk(storage: &StorageHandle, marks: Watermarks) -> wire::DiskState {
    wire::DiskState {
        free_bytes: storage.free_for_recordings(),
        low_bytes: marks.low,
        critical_bytes: marks.critical,
        full_bytes: marks.full,
    }
}

fn clock_state(desk: &Desk, tick: &Tick) -> wire::ClockState {
    let kept = desk.app.clock.kept();
    wire::ClockState {
        standing: tick.standing.name().to_owned(),
        apart_ms: tick.standing.apart(),
        may_delete: tick.standing.may_delete(),
        wall: rfc3339(WallMillis(tick.wall)),
        proven: tick.proven.map(|at| rfc3339(WallMillis(at))),
        synchronised: kept.synchronised,
        max_error_ms: kept.max_error.map(|error| error.0),
    }
}

/// The free bytes that a plan reckons with, and the marks they are compared with.
#[derive(Clone, Copy)]
struct Space {
    marks: Watermarks,
    free_bytes: Option<u64>,
}

impl Space {
    fn request(self, stop: &dyn Fn() -> bool) -> PassRequest<'_> {
        PassRequest {
            watermarks: self.marks,
            free_bytes: self.free_bytes,
            stop,
        }
    }

    /// In the wire's words.
    fn planned(
        self,
        storage: &StorageHandle,
        plan: &Plan,
        distrusted: bool,
    ) -> Result<wire::RetentionPlan, Refusal> {
        let tenants = storage.tenants()?;
        let item = |one: &storage::retention::Deletion| wire::PlannedDeletion {
            recid: one.id.to_string(),
            tenant: tenant_name(one.tenant, &tenants),
            started_at: (one.start != u64::MAX).then(|| rfc3339(WallMillis(one.start))),
            bytes: one.bytes,
            reason: one.reason.to_string(),
        };
        let bytes = plan.deletions.iter().map(|one| one.bytes);
        Ok(wire::RetentionPlan {
            items: plan.deletions.iter().map(item).collect(),
            bytes: bytes.fold(0, u64::saturating_add),
            more: plan.more,
            short_bytes: plan.short,
            free_bytes: self
                .free_bytes
                .unwrap_or_else(|| storage.free_for_recordings()),
            survey: survey(plan.survey),
            suspended: storage.deletions_suspended()?,
            distrusted,
        })
    }
}

const fn survey(seen: storage::retention::Survey) -> wire::Survey {
    wire::Survey {
        seen: seen.seen,
        live: seen.live,
        held: seen.held,
        young: seen.young,
        undated: seen.undated,
    }
}

pub(super) async fn plan(desk: &Desk, query: Option<&str>) -> Result<Answer, Refusal> {
    let query = Query::parse(query, &["free_bytes"])?;
    let space = Space {
        marks: wanted::watermarks(desk),
        free_bytes: query.get("free_bytes", str::parse::<u64>)?,
    };
    let (storage, stopped) = (desk.app.storage.clone(), desk.stopped.clone());
    let planned = blocking(move || {
        let plan = storage.retention_plan(&space.request(&|| *stopped.borrow()))?;
        let distrusted = !storage.clock_now().standing.may_delete();
        space.planned(&storage, &plan, distrusted)
    });
    ok(&planned.await?)
}

/// Makes passes until there is nothing more to delete, or the daemon stops.
pub(super) async fn run(desk: Arc<Desk>) -> Result<Answer, Refusal> {
    let busy = || {
        let message = "a retention pass by command is under way already; wait for it to end";
        Refusal::new(ErrorCode::Conflict, message)
    };
    let permit = desk.passing.clone().try_acquire_owned();
    let permit = permit.map_err(|_| busy())?;
    let space = Space {
        marks: wanted::watermarks(&desk),
        free_bytes: None,
    };
    // In the ledger before the first deletion: who asked for it.
    let storage = desk.app.storage.clone();
    let asked = Act::new(Kind::Policy).with("pass", "by command");
    blocking(move || storage.record_act_durably(asked)).await?;
    let (mut teller, answer) = Teller::new(desk.app.clock.clone());
    tokio::task::spawn_blocking(move || {
        let stopped = desk.stopped.clone();
        let stop = || *stopped.borrow();
        let ran = passes(&desk.app.storage, &space.request(&stop), &mut |done| {
            teller.progress(&Progress {
                stage: "recordings deleted".to_owned(),
                done,
                total: 0,
            });
        });
        drop(permit);
        if let Ok(ran) = &ran {
            let (deleted, bytes) = (ran.deleted, ran.bytes);
            log::info!(deleted, bytes; "a retention pass by command ended");
        }
        teller.end(ran);
    });
    Ok(answer)
}

fn passes(
    storage: &StorageHandle,
    request: &PassRequest<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<wire::RetentionRun, Refusal> {
    let mut sum = wire::RetentionRun::default();
    loop {
        let before = sum.deleted;
        let mut deleted = before;
        let report = storage.retention_pass(request, &mut |batch| {
            deleted += batch.len() as u64;
            for one in batch {
                let facts = &one.row.facts;
                log::info!(
                    recording = facts.id.0, tenant = facts.tenant.0;
                    "recording deleted: {}", one.reason
                );
            }
            progress(deleted);
        })?;
        add(&mut sum, &report);
        // One that deletes nothing would do so for ever.
        if !report.more || report.stopped || sum.deleted == before {
            break;
        }
    }
    if sum.deleted == 0 && storage.deletions_suspended()? {
        return Err(Refusal::new(ErrorCode::Conflict, SUSPENDED));
    }
    Ok(sum)
}

fn add(sum: &mut wire::RetentionRun, report: &PassReport) {
    sum.deleted += report.deleted;
    sum.bytes += report.bytes;
    sum.spared += report.spared;
    sum.finished += report.finished;
    sum.short_bytes = report.short;
    sum.stopped = report.stopped;
    sum.distrusted = report.distrusted;
    sum.survey = survey(report.survey);
}

/// What the configuration asks for against what is in force.
pub(super) async fn shrink(desk: &Desk) -> Result<Answer, Refusal> {
    let (storage, policies) = (desk.app.storage.clone(), wanted::policies(desk)?);
    let shown = blocking(move || shrinks(&storage, policies));
    ok(&shown.await?)
}

fn shrinks(storage: &StorageHandle, policies: Vec<Policy>) -> Result<wire::Shrink, Refusal> {
    let fresh = Rules::new(policies).map_err(RulesError::Policy)?;
    let before = storage.retention_rules();
    let tenants = storage.tenants()?;
    let shrinks = fresh.shrinks_from(&before);
    Ok(wire::Shrink {
        shrinks: shrinks.iter().map(ToString::to_string).collect(),
        policies: fresh
            .policies()
            .iter()
            .map(|it| policy(it, &tenants))
            .collect(),
        in_force: fresh.policies() == before.policies(),
    })
}

/// Puts the policies of the configuration in force, be their minimums shorter than before.
pub(super) async fn accept_shrink(desk: &Desk) -> Result<Answer, Refusal> {
    let (storage, policies) = (desk.app.storage.clone(), wanted::policies(desk)?);
    let shown = blocking(move || {
        let shown = shrinks(&storage, policies.clone())?;
        storage.set_retention(policies, true)?;
        Ok::<_, Refusal>(shown)
    });
    let shown = shown.await?;
    for shrink in &shown.shrinks {
        log::warn!("confirmed by command: {shrink}");
    }
    // What else the files say was refused with them.
    let hook = desk.reload.clone();
    if let Err(error) = blocking(move || Ok::<_, Refusal>(hook.reload())).await? {
        return Err(Refusal::new(ErrorCode::Unusable, error.to_string()));
    }
    ok(&shown)
}

/// A person says that all holds are set again.
pub(super) async fn resume(desk: &Desk) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let resumed = blocking(move || {
        let were_suspended = storage.deletions_suspended()?;
        if were_suspended {
            storage.resume_deletions()?;
        }
        Ok::<_, Refusal>(wire::Resumed { were_suspended })
    });
    let resumed = resumed.await?;
    if resumed.were_suspended {
        log::warn!("deletions go on, by command");
    }
    ok(&resumed)
}

pub(super) async fn clock(desk: &Desk) -> Result<Answer, Refusal> {
    ok(&clock_state(desk, &desk.app.storage.clock_now()))
}

pub(super) async fn clock_preview(desk: &Desk) -> Result<Answer, Refusal> {
    let space = Space {
        marks: wanted::watermarks(desk),
        free_bytes: None,
    };
    let (storage, stopped) = (desk.app.storage.clone(), desk.stopped.clone());
    let planned = blocking(move || {
        let stop = || *stopped.borrow();
        let request = space.request(&stop);
        let now = storage.retention_plan(&request)?.deletions.len() as u64;
        let Some((tick, plan)) = storage.retention_plan_confirmed(&request)? else {
            let shown = rfc3339(WallMillis(storage.clock_now().wall));
            let message = format!("the clock shows {shown}, which cannot be; set it right first");
            return Err(Refusal::new(ErrorCode::Conflict, message));
        };
        let planned = space.planned(&storage, &plan, !tick.standing.may_delete())?;
        Ok((now, tick, planned))
    });
    let (deletions_now, tick, plan) = planned.await?;
    ok(&wire::ClockPreview {
        now: clock_state(desk, &desk.app.storage.clock_now()),
        then: clock_state(desk, &tick),
        plan,
        deletions_now,
    })
}

pub(super) async fn confirm_clock(desk: &Desk) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let report = blocking(move || storage.confirm_clock()).await?;
    log::warn!(wall = report.wall; "the clock was confirmed by command");
    ok(&clock_state(desk, &desk.app.storage.clock_now()))
}
