//! Users, tenants and groups, for administrators: of their own tenant, or of all where theirs
//! oversees the others.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body::Body;
use serde::Deserialize;
use serde_json::json;
use storage::account::{NewUser, Role, UserChange, UserRow};
use storage::error::{AccountError, TenantError};
use storage::handle::StorageHandle;
use storage::ids::{GroupName, LineName, TenantId, TenantName, UserName};
use storage::ledger::entry::Kind;
use storage::record::{Container, Tenant};

use super::route::Endpoint;
use super::scope::Right;
use super::{Asked, body, conflict, invalid, no_such};
use crate::control::limits::NETWORKS_MAX;
use crate::control::show;
use crate::control::wire::{AddTenant, SetTenant, SetUser};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json as reply;
use crate::http::request::segment;

/// `POST admin/users`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddUser {
    name: UserName,
    role: Role,
    password: String,
    #[serde(default)]
    allow: Vec<ipnet::IpNet>,
    #[serde(default)]
    groups: Vec<GroupName>,
    #[serde(default)]
    line: Option<LineName>,
    #[serde(default)]
    tenant: Option<TenantName>,
}

/// Answers a request of an administrator about users, tenants or groups.
///
/// # Errors
/// 400, 403, 404, 409 and those of bodies.
pub(super) async fn answer<B>(
    asked: &Asked<'_>,
    endpoint: Endpoint<'_>,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let method = &asked.call.parts.method;
    match endpoint {
        Endpoint::Users if *method == Method::POST => add_user(asked, body).await,
        Endpoint::Users => users(asked).await,
        Endpoint::User(raw) => {
            let user = user(asked, raw)?;
            match *method {
                Method::DELETE => remove_user(asked, user).await,
                _ => set_user(asked, user, body).await,
            }
        }
        Endpoint::Tenants if *method == Method::POST => add_tenant(asked, body).await,
        Endpoint::Tenants => tenants(asked).await,
        Endpoint::Tenant(raw) => set_tenant(asked, raw, body).await,
        _ => groups(asked),
    }
}

/// Whether somebody administers a tenant.
pub(super) fn administers(asked: &Asked<'_>, tenant: TenantId) -> bool {
    tenant == asked.scope.tenant || asked.can.has(Right::Tenants)
}

/// The tenant of a wish: one's own, where none is named.
///
/// # Errors
/// 404 for one that is not there, or not one's own to administer.
pub(super) async fn tenant_of(
    asked: &Asked<'_>,
    named: Option<TenantName>,
) -> Result<TenantId, Problem> {
    let Some(name) = named else {
        return Ok(asked.scope.tenant);
    };
    let tenants = asked.off_loop(StorageHandle::tenants).await?;
    let tenants = tenants.map_err(Problem::internal)?;
    let found = tenants.iter().find(|tenant| tenant.name == name);
    found
        .map(|tenant| tenant.id)
        .filter(|id| administers(asked, *id))
        .ok_or_else(|| no_such("tenant"))
}

/// Refuses a list of networks that nobody could oversee.
pub(super) fn check_networks(allow: &[ipnet::IpNet]) -> Result<(), Problem> {
    if allow.len() > NETWORKS_MAX {
        return Err(invalid(
            "allow",
            format_args!("at most {NETWORKS_MAX} networks"),
        ));
    }
    Ok(())
}

/// A user of a path, among those that somebody administers.
fn user(asked: &Asked<'_>, raw: &str) -> Result<UserRow, Problem> {
    let name = segment(raw).ok_or_else(|| no_such("user"))?;
    let users = asked.call.worker.site.storage.users().into_iter();
    let mut own = users.filter(|user| administers(asked, user.tenant));
    own.find(|user| user.name.as_str().eq_ignore_ascii_case(&name))
        .ok_or_else(|| no_such("user"))
}

async fn users(asked: &Asked<'_>) -> Result<Response<Payload>, Problem> {
    let tenants = asked.off_loop(StorageHandle::tenants).await?;
    let tenants = tenants.map_err(Problem::internal)?;
    let users = asked.call.worker.site.storage.users();
    let own = users.iter().filter(|user| administers(asked, user.tenant));
    let shown: Vec<_> = own.map(|user| show::user(user, &tenants)).collect();
    reply(&json!({ "users": shown }))
}

async fn shown(asked: &Asked<'_>, row: &UserRow) -> Result<Response<Payload>, Problem> {
    let tenants = asked.off_loop(StorageHandle::tenants).await?;
    let tenants = tenants.map_err(Problem::internal)?;
    reply(&json!({ "user": show::user(row, &tenants) }))
}

async fn add_user<B>(asked: &Asked<'_>, body: B) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let wish: AddUser = body::read(asked.call, body).await?;
    check_networks(&wish.allow)?;
    let tenant = tenant_of(asked, wish.tenant).await?;
    let wish = NewUser {
        tenant,
        name: wish.name,
        role: wish.role,
        password: wish.password,
        allow: wish.allow,
        groups: wish.groups,
        line: wish.line,
    };
    let added = asked
        .off_loop(move |storage| storage.add_user(wish))
        .await?;
    let row = added.map_err(account_problem)?;
    log::info!(user = row.name.as_str(), by = asked.person.user.name.as_str(); "user added");
    let act = asked.act(Kind::UserAdded).of(row.tenant);
    let act = act.with("user", row.name.as_str());
    let act = act.with("role", show::word(&row.role));
    asked.call.worker.site.storage.record_act(act);
    let mut response = shown(asked, &row).await?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

async fn set_user<B>(
    asked: &Asked<'_>,
    user: UserRow,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let wish: SetUser = body::read(asked.call, body).await?;
    check_networks(wish.allow.as_deref().unwrap_or_default())?;
    let is_self = user.user_id == asked.person.user.user_id;
    let gives_up = wish.role.is_some_and(|role| role != Role::Admin);
    if is_self && (gives_up || wish.disabled == Some(true)) {
        return Err(conflict(
            "Nobody takes away their own rights: let another administrator do it.",
        ));
    }
    let changed = [
        ("password", wish.password.is_some()),
        ("role", wish.role.is_some()),
        ("allow", wish.allow.is_some()),
        ("disabled", wish.disabled.is_some()),
        ("groups", wish.groups.is_some()),
        ("line", wish.line.is_some()),
    ];
    let changed: Vec<_> = changed.iter().filter(|(_, given)| *given).collect();
    let changed: Vec<_> = changed.iter().map(|(name, _)| *name).collect();
    if changed.is_empty() {
        return Err(invalid(
            "body",
            "give password, role, allow, disabled, groups or line",
        ));
    }
    let change = UserChange {
        password: wish.password,
        role: wish.role,
        allow: wish.allow,
        disabled: wish.disabled,
        groups: wish.groups,
        line: wish.line,
    };
    let name = user.name.clone();
    let set = asked.off_loop(move |storage| storage.change_user(&name, change));
    let row = set.await?.map_err(account_problem)?;
    let changed = changed.join(", ");
    log::info!(
        user = row.name.as_str(), by = asked.person.user.name.as_str(),
        changed = changed.as_str();
        "user changed"
    );
    let act = asked.act(Kind::UserChanged).of(row.tenant);
    let act = act.with("user", row.name.as_str()).with("changed", changed);
    asked.call.worker.site.storage.record_act(act);
    shown(asked, &row).await
}

async fn remove_user(asked: &Asked<'_>, user: UserRow) -> Result<Response<Payload>, Problem> {
    if user.user_id == asked.person.user.user_id {
        return Err(conflict(
            "Nobody removes themselves: let another administrator do it.",
        ));
    }
    let name = user.name.clone();
    let removed = asked.off_loop(move |storage| storage.remove_user(&name));
    let row = removed.await?.map_err(account_problem)?;
    log::info!(user = row.name.as_str(), by = asked.person.user.name.as_str(); "user removed");
    let act = asked.act(Kind::UserRemoved).of(row.tenant);
    let act = act.with("user", row.name.as_str());
    asked.call.worker.site.storage.record_act(act);
    shown(asked, &row).await
}

fn account_problem(error: AccountError) -> Problem {
    match &error {
        AccountError::UserExists(_) | AccountError::Full(_) => conflict(error.to_string()),
        AccountError::NoUser(_) => no_such("user"),
        AccountError::NoTenant(_) => no_such("tenant"),
        AccountError::Password => invalid("password", &error),
        AccountError::Groups => invalid("groups", &error),
        AccountError::NoSigningKey(_)
        | AccountError::Hash
        | AccountError::Random(_)
        | AccountError::Read(_)
        | AccountError::Write(_) => Problem::internal(error),
    }
}

async fn tenants(asked: &Asked<'_>) -> Result<Response<Payload>, Problem> {
    let all = asked.can.has(Right::Tenants);
    let own = asked.scope.tenant;
    let shown = asked.off_loop(move |storage| {
        let tenants = storage.tenants()?.into_iter();
        let within = tenants.filter(|tenant| all || tenant.id == own);
        let shown = within.map(|tenant| tenant_shown(storage, &tenant));
        shown.collect::<Result<Vec<_>, _>>()
    });
    let shown = shown.await?.map_err(Problem::internal)?;
    reply(&json!({ "tenants": shown }))
}

fn tenant_shown(
    storage: &StorageHandle,
    tenant: &Tenant,
) -> Result<crate::control::wire::Tenant, storage::error::ReadError> {
    Ok(show::tenant(tenant, storage.count(tenant.id)?))
}

async fn add_tenant<B>(asked: &Asked<'_>, body: B) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let wish: AddTenant = body::read(asked.call, body).await?;
    let added = asked
        .off_loop(move |storage| storage.add_tenant(wish.name))
        .await?;
    let tenant = added.map_err(|error| match error {
        TenantError::Exists(_) => conflict(error.to_string()),
        error => Problem::internal(error),
    })?;
    log::info!(tenant = tenant.name.as_str(); "tenant added");
    let act = asked.act(Kind::TenantAdded).of(tenant.id);
    let act = act.with("name", tenant.name.as_str());
    asked.call.worker.site.storage.record_act(act);
    let mut response = reply(&json!({ "tenant": show::tenant(&tenant, 0) }))?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

async fn set_tenant<B>(asked: &Asked<'_>, raw: &str, body: B) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let wish: SetTenant = body::read(asked.call, body).await?;
    let keep_as = wish.keep_as.as_deref().map(|text| {
        Container::of_extension(text)
            .ok_or_else(|| invalid("keep_as", "it is wav, mp3, m4a, flac, ogg or webm"))
    });
    let keep_as = keep_as.transpose()?;
    if keep_as.is_none() && wish.disabled.is_none() {
        return Err(invalid("body", "give keep_as or disabled"));
    }
    let name = segment(raw).and_then(|name| TenantName::new(name).ok());
    let name = name.ok_or_else(|| no_such("tenant"))?;
    let id = tenant_of(asked, Some(name)).await?;
    if id == asked.scope.tenant && wish.disabled == Some(true) {
        return Err(conflict("Nobody switches off their own tenant."));
    }
    let set = asked.off_loop(move |storage| {
        let mut tenant = storage.tenant(id).ok_or(AccountError::NoTenant(id))?;
        if let Some(to) = keep_as {
            tenant = storage.set_tenant_keep_as(id, to)?;
        }
        if let Some(off) = wish.disabled {
            tenant = storage.set_tenant_disabled(id, off)?;
        }
        let shown = tenant_shown(storage, &tenant)?;
        Ok::<_, AccountError>((tenant, shown))
    });
    let (tenant, shown) = set.await?.map_err(account_problem)?;
    log::info!(
        tenant = tenant.name.as_str(), by = asked.person.user.name.as_str();
        "tenant changed"
    );
    let act = asked.act(Kind::TenantChanged).of(tenant.id);
    let act = act.with("keep_as", tenant.keep_as.extension());
    let act = act.with("disabled", tenant.disabled_at.is_some());
    asked.call.worker.site.storage.record_act(act);
    reply(&json!({ "tenant": shown }))
}

/// The groups of the configuration, with those of their lines that are the tenant's.
fn groups(asked: &Asked<'_>) -> Result<Response<Payload>, Problem> {
    let config = asked.call.worker.site.config.load();
    let shown = |group: &crate::config::schema::Group| {
        let lines: Vec<&str> = group.lines.iter().map(LineName::as_str).collect();
        json!({ "name": group.name.as_str(), "lines": lines })
    };
    let groups: Vec<_> = config.groups.iter().map(shown).collect();
    reply(&json!({ "groups": groups }))
}
