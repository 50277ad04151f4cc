//! SKELETON
use storage::account::{Lock, UserRow};

use crate::http::error::Problem;
use crate::http::service::Call;

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
    let _ = (call, name, password);
    todo!()
}
