//! Lock-outs as the rest of the product sees them: counting failures, asking who is locked, and
//! letting somebody in again. The arithmetic lies in `tries`.

use std::net::IpAddr;
use std::sync::Arc;

use crate::account::{Lock, LockSubject};
use crate::error::AccountError;
use crate::handle::StorageHandle;
use crate::index::apply::Change;
use crate::index::commit::Job;
use crate::index::rows::LateRows;

impl StorageHandle {
    /// Counts a failed login or key check of an address, and of the name that was tried (unknown
    /// names too). Never waits for the disk: all failures of about 100 ms reach it in one commit,
    /// tried again until it takes them.
    pub fn count_failure(&self, from: IpAddr, user: Option<&str>) {
        let accounts = &self.shared.accounts;
        accounts.tries.count(from, user, accounts.clock.now());
        if !accounts.tries.must_ask() {
            return;
        }
        let job = Job {
            change: Change::Late(Arc::clone(&accounts.tries) as Arc<dyn LateRows>),
            urgent: false,
            keep: true,
            reply: None,
        };
        if self.shared.committer.offer(job).is_err() {
            accounts.tries.not_asked();
        }
    }

    /// The heaviest lock that is in force for an address, or for a name. In memory.
    #[must_use]
    pub fn locked(&self, from: IpAddr, user: Option<&str>) -> Option<Lock> {
        let accounts = &self.shared.accounts;
        let now = accounts.clock.now();
        let (subject, cause, until) = accounts.tries.lock(from, user, now)?;
        Some(Lock {
            subject,
            cause,
            until: now.shown(until),
        })
    }

    /// All locks that are in force, addresses first. In memory.
    #[must_use]
    pub fn locks(&self) -> Vec<Lock> {
        let accounts = &self.shared.accounts;
        let now = accounts.clock.now();
        let locks = accounts.tries.locks(now).into_iter();
        locks
            .map(|(subject, cause, until)| Lock {
                subject,
                cause,
                until: now.shown(until),
            })
            .collect()
    }

    /// Forgets the failures of a subject; whether there were any. Durable when it returns.
    ///
    /// # Errors
    /// [`AccountError::Write`]: they are forgotten until the next start, if not for good.
    pub fn clear_lock(&self, subject: &LockSubject) -> Result<bool, AccountError> {
        let tries = &self.shared.accounts.tries;
        let found = tries.clear(subject);
        if found {
            let change = Change::Late(Arc::clone(tries) as Arc<dyn LateRows>);
            self.shared.committer.commit(change)?;
        }
        Ok(found)
    }
}
