//! What the configuration asks for of retention: its policies, and its marks of free space.

use storage::retention::{Policy, Watermarks};

use super::answer::Refusal;
use super::serve::Desk;

/// The policies of the configuration in force, with the numbers of their tenants. There are no
/// keys for any yet, so that it asks for none.
#[allow(clippy::unnecessary_wraps, reason = "a policy's tenant may not exist")]
pub(super) fn policies(_desk: &Desk) -> Result<Vec<Policy>, Refusal> {
    Ok(Vec::new())
}

/// The marks at which space is short; without keys, none.
pub(super) fn watermarks(_desk: &Desk) -> Watermarks {
    Watermarks::default()
}
