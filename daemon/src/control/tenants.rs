//! Tenants.

use storage::handle::StorageHandle;
use storage::ids::{TenantId, TenantName};
use storage::ledger::entry::{Act, Kind};
use storage::record::{Container, Tenant};

use super::answer::{Answer, Refusal, ok};
use super::convert;
use super::serve::{Desk, blocking};
use super::wire::{AddTenant, ErrorCode, Items, SetTenant};

pub(super) async fn list(desk: &Desk) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let items = blocking(move || {
        let tenants = storage.tenants()?;
        let count =
            |tenant: &Tenant| Ok::<_, Refusal>(convert::tenant(tenant, storage.count(tenant.id)?));
        tenants.iter().map(count).collect::<Result<Vec<_>, _>>()
    });
    ok(&Items {
        items: items.await?,
    })
}

pub(super) async fn add(desk: &Desk, wish: AddTenant) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let tenant = blocking(move || storage.add_tenant(wish.name)).await?;
    log::info!(tenant = tenant.name.as_str(); "tenant added");
    let act = Act::new(Kind::TenantAdded).of(tenant.id);
    desk.tell(act.with("name", tenant.name.as_str()));
    ok(&convert::tenant(&tenant, 0))
}

pub(super) async fn set(desk: &Desk, name: TenantName, wish: SetTenant) -> Result<Answer, Refusal> {
    let keep_as = wish.keep_as.as_deref().map(container).transpose()?;
    if keep_as.is_none() && wish.disabled.is_none() {
        let message = "nothing to change: give keep_as or disabled";
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    let storage = desk.app.storage.clone();
    let (tenant, recordings) = blocking(move || {
        let tenants = storage.tenants()?;
        let mut tenant = by_name(&tenants, &name)?.clone();
        if let Some(to) = keep_as {
            tenant = storage.set_tenant_keep_as(tenant.id, to)?;
        }
        if let Some(off) = wish.disabled {
            tenant = storage.set_tenant_disabled(tenant.id, off)?;
        }
        let recordings = storage.count(tenant.id)?;
        Ok::<_, Refusal>((tenant, recordings))
    })
    .await?;
    log::info!(
        tenant = tenant.name.as_str(), keep_as = tenant.keep_as.extension(),
        disabled = tenant.disabled_at.is_some();
        "tenant changed"
    );
    let act = Act::new(Kind::TenantChanged).of(tenant.id);
    let act = act.with("keep_as", tenant.keep_as.extension());
    desk.tell(act.with("disabled", tenant.disabled_at.is_some()));
    ok(&convert::tenant(&tenant, recordings))
}

/// All tenants.
pub(super) async fn all(desk: &Desk) -> Result<Vec<Tenant>, Refusal> {
    let storage = desk.app.storage.clone();
    blocking(move || storage.tenants()).await
}

/// Finds a tenant.
///
/// # Errors
/// `not_found` with the command that adds it.
pub(super) fn by_name<'a>(tenants: &'a [Tenant], name: &TenantName) -> Result<&'a Tenant, Refusal> {
    tenants
        .iter()
        .find(|tenant| tenant.name == *name)
        .ok_or_else(|| {
            let message = format!("no tenant '{name}'; add it with 'callreel tenant add {name}'");
            Refusal::new(ErrorCode::NotFound, message)
        })
}

/// A tenant's number; adds nothing.
pub(super) fn id_of(storage: &StorageHandle, name: &TenantName) -> Result<TenantId, Refusal> {
    Ok(by_name(&storage.tenants()?, name)?.id)
}

/// The format of an extension.
fn container(text: &str) -> Result<Container, Refusal> {
    CONTAINERS
        .into_iter()
        .find(|container| container.extension() == text)
        .ok_or_else(|| {
            let known = CONTAINERS.map(Container::extension).join(", ");
            let message = format!("keep_as: '{text}' is none of {known}");
            Refusal::new(ErrorCode::BadRequest, message)
        })
}

const CONTAINERS: [Container; 6] = [
    Container::Wav,
    Container::Mp3,
    Container::M4a,
    Container::Flac,
    Container::Ogg,
    Container::WebM,
];
