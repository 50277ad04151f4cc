//! Name and password: Argon2id off the event loop, a few at a time over all workers. Locks are
//! looked at before, failures counted after, both in the same turn, so that guesses sent at once
//! are counted one by one. What each outcome is called is the families' business.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use storage::account::{Lock, LockCause, PasswordCheck, UserRow};
use tokio::sync::Semaphore;

use super::{ADDRESS, INACTIVE, PASSWORD};
use crate::http::error::Problem;
use crate::http::limits;
use crate::http::service::Call;
use crate::http::trail::refusals::{Refusal, count_failure, tell};

/// What came of name and password; locks are looked at before and failures counted after.
#[derive(Debug)]
pub(in crate::http) enum Outcome {
    /// Right.
    Valid(Box<UserRow>),
    /// Unknown name or wrong password, alike.
    Wrong,
    /// Right, but switched off.
    Inactive,
    /// Right, but not from this address.
    Address,
    /// Not even looked at.
    Locked(Lock),
}

/// How many checks run and wait, over all workers.
pub(in crate::http) struct PasswordDesk {
    /// [`limits::PASSWORD_CHECKS`] that run.
    turns: Arc<Semaphore>,
    /// Those that run or wait.
    places: Arc<Semaphore>,
}

impl PasswordDesk {
    /// Nobody there.
    pub(in crate::http) fn new() -> Self {
        let places = limits::PASSWORD_CHECKS + limits::PASSWORD_CHECKS_WAITING;
        Self {
            turns: Arc::new(Semaphore::new(limits::PASSWORD_CHECKS)),
            places: Arc::new(Semaphore::new(places)),
        }
    }
}

/// Checks name and password off the event loop, at most [`limits::PASSWORD_CHECKS`] at a time over
/// all workers; unknown names take as long as wrong passwords.
///
/// # Errors
/// 503 when too many wait.
pub(in crate::http) async fn check(
    call: &Call<'_>,
    name: &str,
    password: &str,
) -> Result<Outcome, Problem> {
    let site = &call.worker.site;
    let from = call.connection.peer.ip();
    let refusal = Refusal::new(call.parts, from, call.policy.group, PASSWORD);
    // Who is locked out does not take a place in the queue from who is not.
    if let Some(lock) = site.storage.locked(from, Some(name)) {
        // Trying on while locked counts against the address, so that persistence ends in a block.
        let refusal = refusal.locked(&lock, Some(name));
        tell(site, &refusal);
        if lock.cause != LockCause::AddressBlocked {
            count_failure(site, &refusal, None);
        }
        return Ok(Outcome::Locked(lock));
    }
    let Ok(_place) = Arc::clone(&site.passwords.places).try_acquire_owned() else {
        return Err(busy());
    };
    let turn = Arc::clone(&site.passwords.turns).acquire_owned().await;
    let turn = turn.map_err(Problem::internal)?;
    let (name, password) = (name.to_owned(), password.to_owned());
    let site = Arc::clone(site);
    // The turn goes with the work: a client that hangs up makes no room before it is done, and the
    // ledger is told of its failure all the same.
    let work = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let storage = &site.storage;
        if let Some(lock) = storage.locked(from, Some(&name)) {
            tell(&site, &refusal.locked(&lock, Some(&name)));
            return Outcome::Locked(lock);
        }
        let refusal = refusal.named(&name);
        match storage.check_password(&name, &password, from) {
            PasswordCheck::Valid(user) => Outcome::Valid(user),
            PasswordCheck::Inactive => {
                tell(&site, &refusal.because(INACTIVE));
                Outcome::Inactive
            }
            PasswordCheck::Address => {
                tell(&site, &refusal.because(ADDRESS));
                Outcome::Address
            }
            PasswordCheck::Wrong => {
                site.metrics.auth_failures.fetch_add(1, Ordering::Relaxed);
                tell(&site, &refusal);
                count_failure(&site, &refusal, Some(&name));
                Outcome::Wrong
            }
        }
    });
    work.await.map_err(Problem::internal)
}

fn busy() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "Too many logins are waiting; try again.",
    )
    .retry_after(BUSY_AGAIN)
}

/// When a full queue is worth another try: it holds a few seconds of work.
const BUSY_AGAIN: Duration = Duration::from_secs(2);
