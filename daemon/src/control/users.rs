//! Users, their sessions, and who is locked out. Passwords go from the request to the store and
//! nowhere else.

use std::net::IpAddr;

use ipnet::IpNet;
use storage::account::{LockSubject, NewUser, UserChange};
use storage::ids::UserName;
use storage::ledger::entry::{Act, Kind};

use super::answer::{Answer, Refusal, ok};
use super::serve::{Desk, blocking};
use super::wire::{AddUser, AddedUser, Cleared, ErrorCode, Items, LoggedOut, SetUser};
use super::{convert, keys, tenants};

pub(super) async fn list(desk: &Desk) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let items = blocking(move || {
        let tenants = storage.tenants()?;
        let users = storage.users();
        let users = users.iter().map(|row| convert::user(row, &tenants));
        Ok::<_, Refusal>(users.collect())
    });
    ok(&Items {
        items: items.await?,
    })
}

pub(super) async fn add(desk: &Desk, wish: AddUser) -> Result<Answer, Refusal> {
    keys::check_networks(&wish.allow)?;
    let storage = desk.app.storage.clone();
    let user = blocking(move || {
        let tenants = storage.tenants()?;
        let row = storage.add_user(NewUser {
            tenant: tenants::by_name(&tenants, &wish.tenant)?.id,
            name: wish.name,
            role: wish.role,
            password: wish.password,
            allow: wish.allow,
            groups: wish.groups,
            line: wish.line,
        })?;
        Ok::<_, Refusal>(convert::user(&row, &tenants))
    })
    .await?;
    log::info!(
        user = user.name.as_str(), tenant = user.tenant.as_str(),
        role = convert::word(&user.role).as_str();
        "user added"
    );
    let act = Act::new(Kind::UserAdded).with("user", user.name.as_str());
    desk.tell(act.with("role", convert::word(&user.role).as_str()));
    ok(&AddedUser {
        user,
        base_url: keys::base_url(desk),
    })
}

pub(super) async fn set(desk: &Desk, name: UserName, wish: SetUser) -> Result<Answer, Refusal> {
    keys::check_networks(wish.allow.as_deref().unwrap_or_default())?;
    let changed = [
        ("password", wish.password.is_some()),
        ("role", wish.role.is_some()),
        ("allow", wish.allow.is_some()),
        ("disabled", wish.disabled.is_some()),
        ("groups", wish.groups.is_some()),
        ("line", wish.line.is_some()),
    ];
    let changed: Vec<_> = changed.iter().filter(|(_, given)| *given).collect();
    let changed = changed.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let changed = changed.join(", ");
    if changed.is_empty() {
        let message = "nothing to change: give password, role, allow, disabled, groups or line";
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    let storage = desk.app.storage.clone();
    let user = blocking(move || {
        let change = UserChange {
            password: wish.password,
            role: wish.role,
            allow: wish.allow,
            disabled: wish.disabled,
            groups: wish.groups,
            line: wish.line,
        };
        let row = storage.change_user(&name, change)?;
        Ok::<_, Refusal>(convert::user(&row, &storage.tenants()?))
    })
    .await?;
    log::info!(user = user.name.as_str(), changed = changed.as_str(); "user changed");
    let act = Act::new(Kind::UserChanged).with("user", user.name.as_str());
    desk.tell(act.with("changed", changed.as_str()));
    ok(&user)
}

pub(super) async fn remove(desk: &Desk, name: UserName) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let user = blocking(move || {
        let row = storage.remove_user(&name)?;
        Ok::<_, Refusal>(convert::user(&row, &storage.tenants()?))
    })
    .await?;
    log::info!(user = user.name.as_str(), tenant = user.tenant.as_str(); "user removed");
    desk.did(Kind::UserRemoved, "user", &user.name);
    ok(&user)
}

pub(super) async fn sessions(desk: &Desk) -> Result<Answer, Refusal> {
    let limits = desk.app.config.load().access.session_limits();
    let storage = desk.app.storage.clone();
    let items = blocking(move || {
        let tenants = storage.tenants()?;
        let sessions = storage.sessions(limits);
        let sessions = sessions.iter().map(|row| convert::session(row, &tenants));
        Ok::<_, Refusal>(sessions.collect())
    });
    ok(&Items {
        items: items.await?,
    })
}

pub(super) async fn log_out(desk: &Desk, name: UserName) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let (user, sessions) = blocking(move || {
        let is_named = |known: &str| known.eq_ignore_ascii_case(name.as_str());
        let row = storage
            .users()
            .into_iter()
            .find(|row| is_named(row.name.as_str()));
        let row = row.ok_or_else(|| {
            let message = format!("no user '{name}'; 'callreel user list' shows those there are");
            Refusal::new(ErrorCode::NotFound, message)
        })?;
        let ended = storage.close_sessions_of(row.user_id)?;
        Ok::<_, Refusal>((row.name.to_string(), ended))
    })
    .await?;
    log::info!(user = user.as_str(), sessions; "sessions of a user closed by command");
    let act = Act::new(Kind::Logout).with("user", user.as_str());
    desk.tell(act.with("sessions", sessions));
    ok(&LoggedOut { user, sessions })
}

pub(super) fn locks(desk: &Desk) -> Result<Answer, Refusal> {
    let locks = desk.app.storage.locks();
    ok(&Items {
        items: locks.iter().map(convert::lock).collect(),
    })
}

pub(super) async fn clear_lock(desk: &Desk, name: String) -> Result<Answer, Refusal> {
    let subject = subject(&name);
    let storage = desk.app.storage.clone();
    let cleared = subject.clone();
    if !blocking(move || storage.clear_lock(&cleared)).await? {
        let message = format!(
            "no failures are counted for '{subject}'; 'callreel lock list' shows who is locked out"
        );
        return Err(Refusal::new(ErrorCode::NotFound, message));
    }
    log::info!(subject = subject.to_string().as_str(); "failures forgotten by command");
    desk.did(Kind::ConfigChanged, "lock_cleared", &subject);
    ok(&Cleared {
        subject: subject.to_string(),
    })
}

/// Whom a text names: an address (or its network, as lists show it), else a user.
fn subject(text: &str) -> LockSubject {
    let network = text.parse::<IpNet>().map(|network| network.addr());
    match text.parse::<IpAddr>().or(network) {
        Ok(address) => LockSubject::Address(counted(address)),
        Err(_) => LockSubject::User(text.to_lowercase()),
    }
}

/// The address that failures are counted under: IPv6 by /64, IPv4 alone, however it is written.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(network.into())
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_addresses_or_names() {
        let told = |text| subject(text).to_string();
        assert_eq!(told("10.1.2.3"), "10.1.2.3");
        assert_eq!(told("::ffff:10.1.2.3"), "10.1.2.3");
        assert_eq!(told("2001:db8::5"), "2001:db8::");
        assert_eq!(told("2001:db8::/64"), "2001:db8::");
        assert_eq!(told("Boss@Acme"), "boss@acme");
        assert!(matches!(subject("10.1.2"), LockSubject::User(_)));
    }
}
