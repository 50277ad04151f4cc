//! What the configuration asks for of retention: its policies, and its marks of free space.

use storage::retention::{Policy, Watermarks};

use super::answer::Refusal;
use super::serve::Desk;
use super::wire::ErrorCode;
use crate::config::policies;
use crate::keeping::{self, PoliciesError};

/// The policies that are in the configuration's files now, in force or not, with the numbers of
/// their tenants.
pub(super) fn policies(desk: &Desk) -> Result<Vec<Policy>, Refusal> {
    let read = desk.reload.policies();
    let read = read.map_err(|error| Refusal::new(ErrorCode::Unusable, error.to_string()))?;
    keeping::resolved(&desk.app.storage, &read).map_err(|error| match error {
        PoliciesError::Tenant(_) => Refusal::new(ErrorCode::Unusable, error.to_string()),
        PoliciesError::Rules(error) => error.into(),
        PoliciesError::Read(error) => Refusal::internal(&error),
    })
}

/// The marks at which space is short; none where the disk cannot be looked at.
pub(super) fn watermarks(desk: &Desk) -> Watermarks {
    let folder = desk.app.storage.data_dir().join("recordings");
    keeping::disk_space(&folder).map_or_else(
        |_| Watermarks::default(),
        |(_, all)| policies::watermarks(&desk.app.config.load().retention, all),
    )
}
