//! Keys of the other families, for administrators. A secret is shown once, by the answer that
//! issues it.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body::Body;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::json;
use storage::account::KeyWish;
use storage::error::KeyError;
use storage::handle::{IssuedKey, StorageHandle};
use storage::ids::TenantName;
use storage::ledger::entry::{Act, Kind};
use storage::limits::LABEL_MAX;
use storage::record::{Family, KeyRow, WallMillis};

use super::admin::{administers, check_networks, tenant_of};
use super::route::Endpoint;
use super::{Asked, body, conflict, invalid, no_such, number};
use crate::control::wire::{Expiry, RotateKey};
use crate::control::{parse_time, show};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json as reply;

/// `POST admin/keys`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Issue {
    family: Family,
    #[serde(default)]
    label: String,
    #[serde(default)]
    allow: Vec<IpNet>,
    #[serde(default)]
    expires: Option<Expiry>,
    #[serde(default)]
    tenant: Option<TenantName>,
}

/// Answers a request of an administrator about keys.
///
/// # Errors
/// 400, 404, 409 and those of bodies.
pub(super) async fn answer<B>(
    asked: &Asked<'_>,
    endpoint: Endpoint<'_>,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match endpoint {
        Endpoint::RotateKey(raw) => rotate(asked, key(asked, raw).await?, body).await,
        Endpoint::RevokeKey(raw) => revoke(asked, key(asked, raw).await?).await,
        _ if asked.call.parts.method == Method::POST => issue(asked, body).await,
        _ => list(asked).await,
    }
}

/// A key of a path, among those that somebody administers.
async fn key(asked: &Asked<'_>, raw: &str) -> Result<KeyRow, Problem> {
    let id = number(raw).ok_or_else(|| no_such("key"))?;
    let keys = asked.off_loop(StorageHandle::keys).await?;
    let mut keys = keys.map_err(Problem::internal)?.into_iter();
    keys.find(|key| key.key_id == id && administers(asked, key.tenant))
        .ok_or_else(|| no_such("key"))
}

async fn list(asked: &Asked<'_>) -> Result<Response<Payload>, Problem> {
    let read = asked.off_loop(|storage| {
        let (tenants, keys) = (storage.tenants()?, storage.keys()?);
        Ok::<_, storage::error::ReadError>((tenants, keys, storage.users()))
    });
    let (tenants, keys, users) = read.await?.map_err(Problem::internal)?;
    let own = keys.iter().filter(|key| administers(asked, key.tenant));
    let shown: Vec<_> = own.map(|key| show::key(key, &tenants, &users)).collect();
    reply(&json!({ "keys": shown }))
}

async fn issue<B>(asked: &Asked<'_>, body: B) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let wish: Issue = body::read(asked.call, body).await?;
    if wish.label.len() > LABEL_MAX || wish.label.chars().any(char::is_control) {
        return Err(invalid(
            "label",
            format_args!("at most {LABEL_MAX} bytes of printable characters"),
        ));
    }
    if matches!(wish.family, Family::VoiceLog | Family::Supervisor) {
        return Err(invalid(
            "family",
            "this one is opened by signing in, not by keys",
        ));
    }
    check_networks(&wish.allow)?;
    let now = asked.call.worker.site.clock.wall();
    let expires_at = expiry(wish.expires.as_ref(), now)?;
    let tenant = tenant_of(asked, wish.tenant).await?;
    let wish = KeyWish {
        tenant,
        family: wish.family,
        label: wish.label,
        allow: wish.allow,
        expires_at,
        user_id: None,
    };
    let issued = asked
        .off_loop(move |storage| storage.issue_key_as(wish))
        .await?;
    let issued = issued.map_err(key_problem)?;
    let id = issued.row.key_id.to_string();
    log::info!(key_id = id.as_str(), by = asked.person.user.name.as_str(); "key issued");
    tell(
        asked,
        &issued.row,
        asked.act(Kind::KeyIssued).with("key", id),
    );
    shown_once(asked, &issued).await
}

async fn rotate<B>(asked: &Asked<'_>, key: KeyRow, body: B) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let wish: RotateKey = body::read(asked.call, body).await?;
    let grace_ms = wish.grace_s.checked_mul(1_000);
    let grace_ms = grace_ms.ok_or_else(|| invalid("grace_s", "it lies past the end of time"))?;
    let old = key.key_id;
    let rotated = asked
        .off_loop(move |storage| storage.rotate_key(old, grace_ms))
        .await?;
    let issued = rotated.map_err(key_problem)?;
    let id = issued.row.key_id.to_string();
    log::info!(
        key_id = id.as_str(), old_key_id = old, by = asked.person.user.name.as_str();
        "key rotated"
    );
    let act = asked.act(Kind::KeyIssued).with("key", id);
    tell(asked, &issued.row, act.with("instead_of", old.to_string()));
    shown_once(asked, &issued).await
}

async fn revoke(asked: &Asked<'_>, key: KeyRow) -> Result<Response<Payload>, Problem> {
    let id = key.key_id;
    let revoked = asked
        .off_loop(move |storage| storage.revoke_key(id))
        .await?;
    let row = revoked.map_err(key_problem)?;
    log::info!(key_id = id, by = asked.person.user.name.as_str(); "key revoked");
    let act = asked.act(Kind::KeyRevoked).with("key", id.to_string());
    tell(asked, &row, act);
    reply(&json!({ "key": shown(asked, &row).await? }))
}

fn tell(asked: &Asked<'_>, row: &KeyRow, act: Act) {
    asked
        .call
        .worker
        .site
        .storage
        .record_act(act.of(row.tenant));
}

async fn shown(asked: &Asked<'_>, row: &KeyRow) -> Result<crate::control::wire::Key, Problem> {
    let tenants = asked.off_loop(StorageHandle::tenants).await?;
    let tenants = tenants.map_err(Problem::internal)?;
    let users = asked.call.worker.site.storage.users();
    Ok(show::key(row, &tenants, &users))
}

async fn shown_once(asked: &Asked<'_>, issued: &IssuedKey) -> Result<Response<Payload>, Problem> {
    let key = shown(asked, &issued.row).await?;
    let mut response = reply(&json!({ "key": key, "secret": issued.secret }))?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

fn key_problem(error: KeyError) -> Problem {
    match &error {
        KeyError::NotFound(_) => no_such("key"),
        KeyError::NoTenant => no_such("tenant"),
        KeyError::NoUser(_) => no_such("user"),
        KeyError::Ended(_) => conflict(error.to_string()),
        KeyError::Random(_) | KeyError::Read(_) | KeyError::Write(_) => Problem::internal(error),
    }
}

/// When something stops that was given an expiry now.
fn expiry(wish: Option<&Expiry>, now: WallMillis) -> Result<Option<WallMillis>, Problem> {
    let at = match wish {
        None => return Ok(None),
        Some(Expiry::InS(seconds)) => {
            let after = seconds.checked_mul(1_000);
            let at = after.and_then(|after| now.0.checked_add(after));
            WallMillis(at.ok_or_else(|| invalid("expires", "it lies past the end of time"))?)
        }
        Some(Expiry::At(text)) => parse_time(text).map_err(|error| invalid("expires", error))?,
    };
    if at <= now {
        return Err(invalid(
            "expires",
            "that time is not to come; give a later one",
        ));
    }
    Ok(Some(at))
}
