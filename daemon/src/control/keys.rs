//! Tenants and keys.

use storage::ids::TenantName;
use storage::limits::LABEL_MAX;
use storage::record::Tenant;

use super::answer::{Answer, Refusal, ok};
use super::convert;
use super::serve::{Desk, blocking};
use super::wire::{AddTenant, ErrorCode, IssueKey, IssuedKey, Items};

pub(super) async fn tenants(desk: &Desk) -> Result<Answer, Refusal> {
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

pub(super) async fn add_tenant(desk: &Desk, wish: AddTenant) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let tenant = blocking(move || storage.add_tenant(wish.name)).await?;
    log::info!(tenant = tenant.name.as_str(); "tenant added");
    ok(&convert::tenant(&tenant, 0))
}

pub(super) async fn list(desk: &Desk) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let (keys, tenants) =
        blocking(move || Ok::<_, Refusal>((storage.keys()?, storage.tenants()?))).await?;
    ok(&Items {
        items: keys.iter().map(|row| convert::key(row, &tenants)).collect(),
    })
}

pub(super) async fn issue(desk: &Desk, wish: IssueKey) -> Result<Answer, Refusal> {
    if wish.label.len() > LABEL_MAX || wish.label.chars().any(char::is_control) {
        let message = format!("a label is at most {LABEL_MAX} bytes of printable characters");
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    let storage = desk.app.storage.clone();
    let (issued, tenants) = blocking(move || {
        let tenants = storage.tenants()?;
        let tenant = by_name(&tenants, &wish.tenant)?.id;
        let issued = storage.issue_key(tenant, wish.family, &wish.label)?;
        Ok::<_, Refusal>((issued, tenants))
    })
    .await?;
    let key = convert::key(&issued.row, &tenants);
    log::info!(key_id = key.key_id.as_str(), tenant = key.tenant.as_str(); "key issued");
    ok(&IssuedKey {
        key,
        secret: issued.secret,
        base_url: base_url(desk),
    })
}

pub(super) async fn revoke(desk: &Desk, id: u64) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let (row, tenants) =
        blocking(move || Ok::<_, Refusal>((storage.revoke_key(id)?, storage.tenants()?))).await?;
    log::info!(key_id = id; "key revoked");
    ok(&convert::key(&row, &tenants))
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

/// Where the public API is served, for a hint; an address that means "all" becomes the loopback's.
/// `None` where the kernel chose the port.
fn base_url(desk: &Desk) -> Option<String> {
    let http = &desk.app.config.load().http;
    let plain = http.listen.first().map(|address| ("http", *address));
    let (scheme, mut address) =
        plain.or_else(|| http.listen_tls.first().map(|address| ("https", *address)))?;
    if address.port() == 0 {
        return None;
    }
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    Some(format!("{scheme}://{address}"))
}
