//! A pass of retention: finds what must go, and removes it in batches. It may be stopped, or
//! killed, anywhere: what a commit has deleted is finished by the next pass or start, and nothing
//! else is touched.
//!
//! ```text
//!  rows ──▶ plan ──▶ for each batch: right disk? ──▶ commit (checked again) ──▶ unlink ──▶ sync
//!                                                       ──▶ forget, one commit
//! ```

use std::sync::PoisonError;

use super::guard::PlaceError;
use super::level::Watermarks;
use super::plan::{Plan, Planner, Reason, Survey};
use super::sweep::{Sweeper, Swept};
use super::time::Standing;
use crate::error::{ReadError, WriteError};
use crate::handle::StorageHandle;
use crate::index::apply::{Applied, Change, Refusal};
use crate::index::keeping::{Fate, Retire, Verdict};
use crate::index::keys;
use crate::limits::{RETIRE_BATCH, RETIRE_PLAN_MAX, RETIRE_ROWS};
use crate::record::Recording;
use crate::reserve::free_bytes;
use crate::shared::Shared;

/// What a pass is to do.
#[derive(Clone, Copy)]
pub struct PassRequest<'r> {
    /// When space is short.
    pub watermarks: Watermarks,
    /// Free bytes, if not those that the file system tells.
    pub free_bytes: Option<u64>,
    /// Asked between steps: true ends the pass early.
    pub stop: &'r dyn Fn() -> bool,
}

/// A recording that a pass deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    /// Its row as it was.
    pub row: Recording,
    /// Why it went.
    pub reason: Reason,
}

/// What a pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassReport {
    /// Recordings that were looked at, and what protects those that stay.
    pub survey: Survey,
    /// Recordings that were deleted.
    pub deleted: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Recordings that were planned and had become protected, or were gone, by the commit.
    pub spared: u64,
    /// Deletions of earlier that were finished.
    pub finished: u64,
    /// Commits that deleted.
    pub commits: u64,
    /// There is more to delete: pass again.
    pub more: bool,
    /// Bytes that are short although everything that may go is gone.
    pub short: u64,
    /// It was told to stop.
    pub stopped: bool,
    /// Nothing was deleted because of the clock.
    pub distrusted: bool,
}

/// Why a pass ended early. What was deleted until then is deleted.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The store's folders are not what they were.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Holds may have been lost.
    #[error(
        "nothing is deleted: the index was rebuilt or restored and holds may be missing; set them \
         again, then say so"
    )]
    Suspended,
    /// Policies changed while it ran: pass again.
    #[error("the retention policies changed meanwhile")]
    RulesChanged,
    /// Files of deleted recordings could not be removed; it is tried again.
    #[error("files of deleted recordings cannot be removed yet: {0}")]
    Files(std::io::Error),
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl StorageHandle {
    /// Makes a pass; `told` is told each batch when it is durable. Blocks on index and disk: for a
    /// thread of its own.
    ///
    /// # Errors
    /// [`PassError`].
    pub fn retention_pass(
        &self,
        request: &PassRequest<'_>,
        told: &mut dyn FnMut(&[Retired]),
    ) -> Result<PassReport, PassError> {
        let mut pass = Pass {
            shared: &self.shared,
            request,
            told,
            swept: &mut |_| (),
            report: PassReport::default(),
        };
        pass.run(&mut |_| ())?;
        Ok(pass.report)
    }

    /// What a pass would delete now; deletes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn retention_plan(&self, request: &PassRequest<'_>) -> Result<Plan, ReadError> {
        let (verdict, _) = self.shared.keeper.verdict(&self.shared);
        let plan = plan(&self.shared, &verdict, request)?;
        Ok(plan.unwrap_or_default())
    }
}

/// A pass under way.
pub(super) struct Pass<'p> {
    pub(super) shared: &'p Shared,
    pub(super) request: &'p PassRequest<'p>,
    pub(super) told: &'p mut dyn FnMut(&[Retired]),
    pub(super) swept: &'p mut dyn FnMut(Swept<'_>),
    pub(super) report: PassReport,
}

impl Pass<'_> {
    /// `planned` is shown the plan before anything is deleted.
    pub(super) fn run(&mut self, planned: &mut dyn FnMut(&Plan)) -> Result<(), PassError> {
        self.finish_garbage()?;
        let (verdict, tick) = self.shared.keeper.verdict(self.shared);
        self.report.distrusted = !tick.standing.may_delete();
        if let Standing::Behind(_) | Standing::Unknown = tick.standing {
            return Ok(());
        }
        let Some(plan) = plan(self.shared, &verdict, self.request)? else {
            self.report.stopped = true;
            return Ok(());
        };
        planned(&plan);
        self.report.survey = plan.survey;
        self.report.more = plan.more;
        self.report.short = plan.short;
        for batch in plan.deletions.chunks(RETIRE_BATCH) {
            if (self.request.stop)() {
                self.report.stopped = true;
                self.report.more = true;
                return Ok(());
            }
            let deletions = batch.iter();
            let deletions = deletions.map(|one| (one.tenant, one.id, one.reason.clone()));
            let retire = Retire {
                verdict: verdict.clone(),
                at: self.shared.clock.wall(),
                deletions: deletions.collect(),
            };
            self.batch(retire)?;
        }
        Ok(())
    }

    fn batch(&mut self, retire: Retire) -> Result<(), PassError> {
        let shared = self.shared;
        let deleting = shared.keeper.deleting.read();
        let deleting = deleting.unwrap_or_else(PoisonError::into_inner);
        shared.keeper.guard.check()?;
        let fates = match shared.committer.commit(Change::Retire(Box::new(retire)))? {
            Applied::Retired(fates) => fates,
            Applied::Refused(Refusal::KeepingLost) => return Err(PassError::Suspended),
            _ => return Err(PassError::RulesChanged),
        };
        self.report.commits += 1;
        let mut retired = Vec::with_capacity(fates.len());
        for fate in fates {
            match fate {
                Fate::Retired(row, reason) => {
                    let row = *row;
                    self.report.deleted += 1;
                    self.report.bytes += size(&row);
                    retired.push(Retired { row, reason });
                }
                Fate::Kept(_) | Fate::Missing | Fate::Unreadable => self.report.spared += 1,
            }
        }
        if !retired.is_empty() {
            (self.told)(&retired);
        }
        let rows: Vec<&Recording> = retired.iter().map(|one| &one.row).collect();
        let mut sweeper = Sweeper {
            shared,
            told: &mut *self.swept,
        };
        let failed = sweeper.sweep(&rows)?;
        drop(deleting);
        crate::progress::step();
        failed.map_or(Ok(()), |error| Err(PassError::Files(error)))
    }

    /// Finishes deletions that failed half-way. Nobody else deletes meanwhile: a file of a number
    /// that an import brings anew is never taken for the old one's.
    fn finish_garbage(&mut self) -> Result<(), PassError> {
        let shared = self.shared;
        let deleting = shared.keeper.deleting.write();
        let _deleting = deleting.unwrap_or_else(PoisonError::into_inner);
        let garbage = shared.index.garbage()?;
        let rows: Vec<Recording> = garbage.into_iter().filter_map(|(_, row)| row).collect();
        if rows.is_empty() {
            return Ok(());
        }
        shared.keeper.guard.check()?;
        for rows in rows.chunks(RETIRE_BATCH) {
            let rows: Vec<&Recording> = rows.iter().collect();
            let mut sweeper = Sweeper {
                shared,
                told: &mut *self.swept,
            };
            if let Some(error) = sweeper.sweep(&rows)? {
                return Err(PassError::Files(error));
            }
            self.report.finished += rows.len() as u64;
        }
        Ok(())
    }
}

fn size(row: &Recording) -> u64 {
    row.outcome.as_ref().map_or(0, |outcome| outcome.size_bytes)
}

/// Goes through all rows; `None` when told to stop.
pub(super) fn plan(
    shared: &Shared,
    verdict: &Verdict,
    request: &PassRequest<'_>,
) -> Result<Option<Plan>, ReadError> {
    // Recordings may lie on a file system of their own: nothing else gets free by deleting them.
    let free = request.free_bytes;
    let free = free.unwrap_or_else(|| free_bytes(&shared.layout.recordings()));
    let needed = request.watermarks.needed(free);
    let rules = &*verdict.rules;
    let mut planner = Planner::new(rules, verdict.now, needed, RETIRE_PLAN_MAX);
    if rules.limits_bytes() {
        let walked = walk(shared, request, &mut |_, _| true, &mut |row, keeping| {
            planner.weigh(&verdict.candidate(row, keeping));
        })?;
        if !walked {
            return Ok(None);
        }
    }
    let all = needed > 0 || rules.limits_bytes();
    let now = verdict.now.unwrap_or(0);
    let mut passed_over = Survey::default();
    let mut wanted = |key: &keys::TimeKey, is_live: bool| {
        let (tenant, started_at, id) = keys::split_time(key);
        let wanted = !is_live && (all || may_be_due(verdict, tenant, started_at, id, now));
        if !wanted {
            passed_over.seen += 1;
            passed_over.live += u64::from(is_live);
        }
        wanted
    };
    let walked = walk(shared, request, &mut wanted, &mut |row, keeping| {
        planner.see(&verdict.candidate(row, keeping));
    })?;
    if !walked {
        return Ok(None);
    }
    let mut plan = planner.finish();
    plan.survey.seen += passed_over.seen;
    plan.survey.live += passed_over.live;
    Ok(Some(plan))
}

/// Whether a recording can have reached its maximum, by what its key tells alone.
fn may_be_due(
    verdict: &Verdict,
    tenant: crate::ids::TenantId,
    started_at: crate::record::WallMillis,
    id: crate::ids::RecordingId,
    now: u64,
) -> bool {
    let Some(most) = verdict.rules.soonest(tenant) else {
        return false;
    };
    // An import counts from its own start, which no note bounds; and one that says it comes from
    // the future counts from when it was brought.
    let earliest = started_at.0.min(verdict.start(id, started_at));
    started_at.0 > now || earliest.saturating_add(most) <= now
}

fn walk(
    shared: &Shared,
    request: &PassRequest<'_>,
    wanted: &mut dyn FnMut(&keys::TimeKey, bool) -> bool,
    see: crate::index::keeping::SeeRow<'_>,
) -> Result<bool, ReadError> {
    let mut after = None;
    loop {
        if (request.stop)() {
            return Ok(false);
        }
        after = shared
            .index
            .retention_rows(after, RETIRE_ROWS, wanted, see)?;
        crate::progress::step();
        if after.is_none() {
            return Ok(true);
        }
    }
}
