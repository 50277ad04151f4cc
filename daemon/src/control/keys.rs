//! Keys of the API, and the keys that sign links. Secrets are shown once, by the answer that
//! issues them; the journal is told ids.

use audio_io::units::WallMillis;
use ipnet::IpNet;
use storage::account::KeyWish;
use storage::ledger::entry::{Act, Kind};
use storage::limits::LABEL_MAX;
use storage::record::Family;

use super::answer::{Answer, Refusal, ok};
use super::limits::NETWORKS_MAX;
use super::serve::{Desk, blocking};
use super::wire::{ErrorCode, Expiry, IssueKey, IssuedKey, Items, RotateKey, RotateSigningKey};
use super::{convert, tenants};

pub(super) async fn list(desk: &Desk) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let items = blocking(move || {
        let (tenants, users) = (storage.tenants()?, storage.users());
        let keys = storage.keys()?;
        let keys = keys.iter().map(|row| convert::key(row, &tenants, &users));
        Ok::<_, Refusal>(keys.collect())
    });
    ok(&Items {
        items: items.await?,
    })
}

pub(super) async fn issue(desk: &Desk, wish: IssueKey) -> Result<Answer, Refusal> {
    if wish.label.len() > LABEL_MAX || wish.label.chars().any(char::is_control) {
        let message = format!("a label is at most {LABEL_MAX} bytes of printable characters");
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    check_networks(&wish.allow)?;
    let expires_at = expiry(wish.expires.as_ref(), desk.app.clock.wall())?;
    let storage = desk.app.storage.clone();
    let issued = blocking(move || {
        let tenants = storage.tenants()?;
        let tenant = tenants::by_name(&tenants, &wish.tenant)?.id;
        if wish.family == Family::VoiceLog {
            let message = "family voice-log is opened by logins, not by keys; add a user with \
                           'callreel user add'";
            return Err(Refusal::new(ErrorCode::BadRequest, message));
        }
        let issued = storage.issue_key_as(KeyWish {
            tenant,
            family: wish.family,
            label: wish.label,
            allow: wish.allow,
            expires_at,
            user_id: None,
        })?;
        Ok((convert::key(&issued.row, &tenants, &[]), issued.secret))
    });
    let (key, secret) = issued.await?;
    log::info!(key_id = key.key_id.as_str(), tenant = key.tenant.as_str(); "key issued");
    desk.did(Kind::KeyIssued, "key", &key.key_id);
    ok(&IssuedKey {
        key,
        secret,
        base_url: base_url(desk),
    })
}

pub(super) async fn rotate(desk: &Desk, id: u64, wish: RotateKey) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let grace_ms = wish.grace_s.checked_mul(1_000).ok_or_else(too_far)?;
    let rotated = blocking(move || {
        let issued = storage.rotate_key(id, grace_ms)?;
        let (tenants, users) = (storage.tenants()?, storage.users());
        let key = convert::key(&issued.row, &tenants, &users);
        Ok::<_, Refusal>((key, issued.secret))
    });
    let (key, secret) = rotated.await?;
    log::info!(
        key_id = key.key_id.as_str(), old_key_id = id, grace_s = wish.grace_s;
        "key rotated"
    );
    let issued = Act::new(Kind::KeyIssued).with("key", key.key_id.as_str());
    desk.tell(issued.with("instead_of", id.to_string()));
    ok(&IssuedKey {
        key,
        secret,
        base_url: base_url(desk),
    })
}

pub(super) async fn revoke(desk: &Desk, id: u64) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let key = blocking(move || {
        let row = storage.revoke_key(id)?;
        let (tenants, users) = (storage.tenants()?, storage.users());
        Ok::<_, Refusal>(convert::key(&row, &tenants, &users))
    })
    .await?;
    log::info!(key_id = id; "key revoked");
    desk.did(Kind::KeyRevoked, "key", id);
    ok(&key)
}

pub(super) fn signing_keys(desk: &Desk) -> Result<Answer, Refusal> {
    ok(&Items {
        items: convert::signing_keys(&desk.app.storage.signing_keys()),
    })
}

pub(super) async fn rotate_signing_key(
    desk: &Desk,
    wish: RotateSigningKey,
) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let key = blocking(move || storage.rotate_signing_key(wish.retire_old)).await?;
    log::info!(signing_key = key.id, retired_old = wish.retire_old; "signing key rotated");
    desk.did(Kind::ConfigChanged, "link_key_made", key.id);
    signing_keys(desk)
}

pub(super) async fn retire_signing_key(desk: &Desk, id: u32) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    blocking(move || storage.retire_signing_key(id)).await?;
    log::info!(signing_key = id; "signing key retired");
    desk.did(Kind::ConfigChanged, "link_key_retired", id);
    signing_keys(desk)
}

/// Refuses a list of networks that nobody could oversee.
pub(super) fn check_networks(allow: &[IpNet]) -> Result<(), Refusal> {
    if allow.len() > NETWORKS_MAX {
        let message = format!(
            "allow: at most {NETWORKS_MAX} networks, not {}",
            allow.len()
        );
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    Ok(())
}

/// When something stops that was given an expiry now.
///
/// # Errors
/// `bad_request` for what is no time, or none to come.
pub(super) fn expiry(
    wish: Option<&Expiry>,
    now: WallMillis,
) -> Result<Option<WallMillis>, Refusal> {
    let at = match wish {
        None => return Ok(None),
        Some(Expiry::InS(seconds)) => {
            let after = seconds.checked_mul(1_000);
            let at = after.and_then(|after| now.0.checked_add(after));
            WallMillis(at.ok_or_else(too_far)?)
        }
        Some(Expiry::At(text)) => convert::parse_time(text)
            .map_err(|error| Refusal::new(ErrorCode::BadRequest, format!("expires: {error}")))?,
    };
    if at <= now {
        let message = "expires: that time is not to come; give a later one";
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    Ok(Some(at))
}

fn too_far() -> Refusal {
    Refusal::new(
        ErrorCode::BadRequest,
        "that many seconds lie past the end of time",
    )
}

/// Where the public API is served, for a hint: as configured, or where it listens; an address that
/// means "all" becomes the loopback's. `None` where the kernel chose the port.
pub(super) fn base_url(desk: &Desk) -> Option<String> {
    let http = &desk.app.config.load().http;
    if let Some(url) = &http.public_url {
        return Some(url.clone());
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiries_lie_ahead() {
        let now = WallMillis(1_000_000);
        let at = |wish| expiry(Some(&wish), now).ok().flatten().map(|at| at.0);
        assert_eq!(expiry(None, now).ok().flatten(), None);
        assert_eq!(at(Expiry::InS(60)), Some(1_060_000));
        assert_eq!(at(Expiry::At("1970-01-02".into())), Some(86_400_000));
        for bad in [
            Expiry::InS(0),
            Expiry::InS(u64::MAX),
            Expiry::InS(u64::MAX / 1_000),
            Expiry::At("1970-01-01".into()),
            Expiry::At("tomorrow".into()),
        ] {
            assert_eq!(at(bad.clone()), None, "{bad:?}");
        }
    }
}
