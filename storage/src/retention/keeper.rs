//! What an open store knows of time and of its policies, and how both change.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use arc_swap::ArcSwap;
use audio_io::clock::Clock;

use super::age::Mark;
use super::guard::Guard;
use super::policy::{Policy, PolicyError, Rules};
use super::reckoning::Reckoning;
use super::time::{ClockFacts, Standing, Tick};
use crate::error::{OpenError, ReadError, WriteError};
use crate::handle::StorageHandle;
use crate::ids::TenantId;
use crate::index::Index;
use crate::index::apply::{Applied, Change};
use crate::index::keeping::{KeepingChange, RulesRow, Verdict};
use crate::index::keys::be64;
use crate::index::tables::meta;
use crate::ledger::entry::{Act, Kind};
use crate::limits::CLOCK_SAVE_EVERY;
use crate::open::open_error;
use crate::shared::Shared;

/// Policies in force, proven time, and where the store lies.
pub(crate) struct Keeper {
    rules: ArcSwap<Rules>,
    /// Held while policies change.
    changing: Mutex<()>,
    time: Mutex<Reckoning>,
    /// Read by those who delete; written by whoever finishes what others left.
    pub(crate) deleting: RwLock<()>,
    pub(crate) guard: Guard,
}

/// What a look at the clocks found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReport {
    /// How wall and proven time stand to each other now.
    pub standing: Standing,
    /// How they stood at the look before, when that was another kind of standing: an alarm.
    pub changed_from: Option<Standing>,
    /// Proven time in milliseconds.
    pub proven: Option<u64>,
    /// Wall time in milliseconds.
    pub wall: u64,
    /// The wall clock was stepped by so many milliseconds since the look before; 0 when not.
    pub stepped: i64,
}

/// Why the clock was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// It shows a time before this program was written.
    #[error("the clock shows {0}, which cannot be; set it right first")]
    Implausible(String),
    /// The index could not be written; it counts until the next start.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why policies were refused; those before them stay in force.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// They contradict each other, or would shrink retention.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A policy for a tenant that does not exist.
    #[error("retention policy '{0}' is for tenant {1}, which does not exist")]
    NoTenant(crate::ids::PolicyName, TenantId),
    /// The index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Somebody else changed them at the same moment.
    #[error("the retention policies were changed by somebody else meanwhile; look again")]
    Changed,
}

impl Keeper {
    /// What the index knows; `next` is the number that the next recording gets.
    pub(crate) fn load(
        index: &Index,
        guard: Guard,
        clock: &dyn Clock,
        next: u64,
    ) -> Result<Self, OpenError> {
        let rules = load_rules(index)?;
        let stored = index.meta(meta::TIME_PROVEN).map_err(open_error)?;
        let stored = stored.map(|bytes| be64(&bytes));
        let newest = index.newest_start().map_err(open_error)?;
        let marks = index.births().map_err(open_error)?;
        let mut unsaved = BTreeSet::new();
        let mut kept = Vec::with_capacity(marks.len());
        for (number, mark) in marks {
            // One that could not be read leaves a hole, which those behind it close.
            if number != kept.len() as u64 || !unsaved.is_empty() {
                unsaved.insert(kept.len());
            }
            kept.push(mark);
        }
        let facts = ClockFacts::of(clock);
        let mut reckoning = Reckoning::open(stored, newest, kept, facts, next);
        reckoning.unsaved.append(&mut unsaved);
        let unsaved = std::mem::take(&mut reckoning.unsaved);
        let change = reckoning.change(&unsaved);
        index.commit(&[Change::Keeping(change)])?;
        Ok(Self {
            rules: ArcSwap::from_pointee(rules),
            changing: Mutex::new(()),
            time: Mutex::new(reckoning),
            deleting: RwLock::new(()),
            guard,
        })
    }

    pub(super) fn reckoning(&self) -> MutexGuard<'_, Reckoning> {
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Everything that decides about deletions at this moment.
    pub(crate) fn verdict(&self, shared: &Shared) -> (Verdict, Tick) {
        let facts = ClockFacts::of(&*shared.clock);
        let next = shared.names.peek();
        let mut reckoning = self.reckoning();
        let tick = reckoning.look(facts, next);
        let verdict = Verdict {
            rules: self.rules(),
            births: Arc::clone(&reckoning.births),
            latest: Mark::new(next, &tick),
            now: tick.now(),
        };
        (verdict, tick)
    }
}

/// Policies that cannot be read are as good as lost: nothing is deleted until somebody sees to it.
fn load_rules(index: &Index) -> Result<Rules, OpenError> {
    let number = index.meta(meta::RETENTION_NUMBER).map_err(open_error)?;
    let number = number.map_or(0, |bytes| be64(&bytes));
    let row = match index.rules().map_err(open_error)? {
        None => return Ok(Rules::default().numbered(number)),
        Some(row) => row,
    };
    let rules = row
        .map_err(|error| error.to_string())
        .and_then(|row| Rules::new(row.policies).map_err(|error| error.to_string()));
    match rules {
        Ok(rules) => Ok(rules.numbered(number)),
        Err(error) => {
            log::error!("the retention policies in force: {error}; nothing is deleted");
            index.commit(&[Change::Keeping(KeepingChange::Lost(true))])?;
            Ok(Rules::default().numbered(number))
        }
    }
}

impl StorageHandle {
    /// Looks at the clocks, and now and then notes on disk how late it is: to be called every ten
    /// seconds or so. Steps of the clock are noticed by it. May wait for the index.
    ///
    /// # Errors
    /// [`WriteError`]: it is tried again at the next call.
    pub fn clock_tick(&self) -> Result<ClockReport, WriteError> {
        let keeper = &self.shared.keeper;
        drop(keeper.verdict(&self.shared));
        self.save_time(false)?;
        Ok(keeper.reckoning().report())
    }

    /// A person says that the wall clock is right: it counts from now on, be it ahead of what was
    /// proven or behind.
    ///
    /// # Errors
    /// [`ClockError`].
    pub fn confirm_clock(&self) -> Result<ClockReport, ClockError> {
        let keeper = &self.shared.keeper;
        let facts = ClockFacts::of(&*self.shared.clock);
        let next = self.shared.names.peek();
        {
            let mut reckoning = keeper.reckoning();
            let confirmed = reckoning.confirm(facts, next);
            let shown = || ClockError::Implausible(super::keeping::time_text(facts.wall));
            confirmed.map_err(|_| shown())?;
        }
        self.save_time(true)?;
        let act = Act::new(Kind::ClockStep).with("confirmed", facts.wall);
        self.commit(Change::Tell(Box::new(act)))?;
        Ok(keeper.reckoning().report())
    }

    /// Writes what is known of time, if there is need to.
    fn save_time(&self, urgent: bool) -> Result<(), WriteError> {
        let keeper = &self.shared.keeper;
        let now = self.shared.clock.monotonic();
        let (change, saving) = {
            let mut reckoning = keeper.reckoning();
            let changed = reckoning.has_changed();
            let old = now.saturating_sub(reckoning.saved_at) >= CLOCK_SAVE_EVERY;
            if !(urgent || changed || old || !reckoning.unsaved.is_empty()) {
                return Ok(());
            }
            let saving = std::mem::take(&mut reckoning.unsaved);
            (reckoning.change(&saving), saving)
        };
        let saved = self.shared.committer.commit(Change::Keeping(change));
        let mut reckoning = keeper.reckoning();
        match saved {
            Ok(_) => reckoning.saved_at = now,
            Err(_) => reckoning.unsaved.extend(saving),
        }
        saved.map(drop)
    }

    /// The retention policies in force.
    #[must_use]
    pub fn retention_rules(&self) -> Arc<Rules> {
        self.shared.keeper.rules()
    }

    /// Puts other retention policies in force; those in force are remembered through restarts.
    /// Answers those before, or `None` when they were the same. Waits for the index.
    ///
    /// # Errors
    /// [`RulesError`]: those before stay in force. A minimum that would become shorter is refused
    /// unless `shrink_confirmed`.
    pub fn set_retention(
        &self,
        policies: Vec<Policy>,
        shrink_confirmed: bool,
    ) -> Result<Option<Arc<Rules>>, RulesError> {
        let shared = &*self.shared;
        let keeper = &shared.keeper;
        let fresh = Rules::new(policies)?;
        for policy in fresh.policies() {
            if let Some(tenant) = policy.tenant
                && shared.tenant_name(tenant).is_none()
            {
                return Err(RulesError::NoTenant(policy.name.clone(), tenant));
            }
        }
        let _changing = keeper.changing.lock();
        let before = keeper.rules();
        if before.policies() == fresh.policies() {
            return Ok(None);
        }
        if !shrink_confirmed {
            fresh.keeps_all_of(&before)?;
        }
        let number = before.number() + 1;
        let row = RulesRow {
            number,
            policies: fresh.policies().to_vec(),
            since: shared.clock.wall(),
        };
        let change = Change::Keeping(KeepingChange::Rules(Box::new(row)));
        match self.commit(change)? {
            Applied::Refused(_) => Err(RulesError::Changed),
            _ => {
                keeper.rules.store(Arc::new(fresh.numbered(number)));
                Ok(Some(before))
            }
        }
    }

    /// Whether deletions are suspended because holds or policies may have been lost with an index.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn deletions_suspended(&self) -> Result<bool, ReadError> {
        Ok(self.shared.index.meta(meta::KEEPING_LOST)?.is_some())
    }

    /// A person has seen to it that all holds are set again: deletions go on.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn resume_deletions(&self) -> Result<(), WriteError> {
        let change = Change::Keeping(KeepingChange::Lost(false));
        self.commit(change).map(drop)
    }
}
