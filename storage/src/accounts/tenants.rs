//! Tenants: adding them, switching them off and on, and what their recordings are kept as.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{AccountError, ReadError, TenantError};
use crate::handle::StorageHandle;
use crate::ids::{TenantId, TenantName};
use crate::index::apply::{Applied, Change};
use crate::record::{Container, Tenant};

impl StorageHandle {
    /// Adds a tenant.
    ///
    /// # Errors
    /// [`TenantError`].
    pub fn add_tenant(&self, name: TenantName) -> Result<Tenant, TenantError> {
        let accounts = &self.shared.accounts;
        let _writing = accounts.write();
        let at = self.shared.clock.wall();
        let add = Change::AddTenant {
            name: name.clone(),
            at,
        };
        match self.shared.committer.commit(add)? {
            Applied::Tenant(tenant) => {
                let mut fresh = BTreeMap::clone(&accounts.tenants.load());
                fresh.insert(tenant.id, tenant.clone());
                accounts.tenants.store(Arc::new(fresh));
                Ok(tenant)
            }
            _ => Err(TenantError::Exists(name)),
        }
    }

    /// All tenants, by number. In memory.
    ///
    /// # Errors
    /// None today; [`ReadError`] for callers that ask other things beside it.
    pub fn tenants(&self) -> Result<Vec<Tenant>, ReadError> {
        let tenants = self.shared.accounts.tenants.load();
        Ok(tenants.values().cloned().collect())
    }

    /// A tenant. In memory.
    #[must_use]
    pub fn tenant(&self, id: TenantId) -> Option<Tenant> {
        self.shared.accounts.tenants.load().get(&id).cloned()
    }

    /// Switches a tenant off (its keys and users are Inactive, its sessions open nothing, lines go
    /// on recording) or on.
    ///
    /// # Errors
    /// [`AccountError::NoTenant`], [`AccountError::Write`].
    pub fn set_tenant_disabled(&self, id: TenantId, off: bool) -> Result<Tenant, AccountError> {
        let at = self.shared.clock.wall();
        self.change_tenant(id, |tenant| {
            tenant.disabled_at = off.then(|| tenant.disabled_at.unwrap_or(at));
        })
    }

    /// What recordings are converted to after sealing; `Wav` keeps them as recorded.
    ///
    /// # Errors
    /// [`AccountError::NoTenant`], [`AccountError::Write`].
    pub fn set_tenant_keep_as(&self, id: TenantId, to: Container) -> Result<Tenant, AccountError> {
        self.change_tenant(id, |tenant| tenant.keep_as = to)
    }

    fn change_tenant(
        &self,
        id: TenantId,
        change: impl FnOnce(&mut Tenant),
    ) -> Result<Tenant, AccountError> {
        let accounts = &self.shared.accounts;
        let _writing = accounts.write();
        let mut fresh = BTreeMap::clone(&accounts.tenants.load());
        let tenant = fresh.get_mut(&id).ok_or(AccountError::NoTenant(id))?;
        change(tenant);
        let tenant = tenant.clone();
        self.shared
            .committer
            .commit(Change::PutTenant(tenant.clone()))?;
        accounts.tenants.store(Arc::new(fresh));
        Ok(tenant)
    }
}
