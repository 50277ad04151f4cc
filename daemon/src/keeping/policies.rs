//! Puts the configuration's retention policies in force.

use std::sync::Arc;

use storage::error::ReadError;
use storage::handle::StorageHandle;
use storage::ids::TenantName;
use storage::retention::{Policy, PolicyError, Rules, RulesError};

use crate::config::policies::{UnknownTenant, with_numbers};
use crate::config::schema::RetentionPolicy;

/// Whether a minimum in force may become shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shrink {
    /// No.
    Refused,
    /// Somebody has said so explicitly.
    Confirmed,
}

/// Why policies are not in force; those before stay so.
#[derive(Debug, thiserror::Error)]
pub enum PoliciesError {
    /// One is for a tenant that there is not.
    #[error(transparent)]
    Tenant(#[from] UnknownTenant),
    /// The store refuses them.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl PoliciesError {
    /// Whether they would shorten a minimum in force.
    #[must_use]
    pub const fn is_shrink(&self) -> bool {
        matches!(
            self,
            Self::Rules(RulesError::Policy(PolicyError::Shrinks { .. }))
        )
    }
}

/// Puts policies in force. Answers those before, or `None` when they were the same.
///
/// # Errors
/// [`PoliciesError`]: nothing has changed then.
pub fn apply_policies(
    storage: &StorageHandle,
    policies: &[RetentionPolicy],
    shrink: Shrink,
) -> Result<Option<Arc<Rules>>, PoliciesError> {
    let policies = resolved(storage, policies)?;
    Ok(storage.set_retention(policies, shrink == Shrink::Confirmed)?)
}

/// The policies with their tenants' numbers.
pub(crate) fn resolved(
    storage: &StorageHandle,
    policies: &[RetentionPolicy],
) -> Result<Vec<Policy>, PoliciesError> {
    let tenants = storage.tenants()?;
    let number_of = |name: &TenantName| {
        let own = tenants.iter().find(|tenant| tenant.name == *name);
        own.map(|tenant| tenant.id)
    };
    Ok(with_numbers(policies, number_of)?)
}
