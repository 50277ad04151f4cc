//! Accounts on a real folder, with a clock that does what it is told.

mod kept;
mod keys;
mod locks;
mod sessions;
mod signing;
mod users;

use std::net::IpAddr;
use std::time::Duration;

use audio_io::units::WallMillis;

use crate::account::{NewUser, Role, SessionLimits, UserRow};
use crate::ids::UserName;
use crate::testing::Store;

const PASSWORD: &str = "correct horse";

const MINUTE: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(3_600);

const LIMITS: SessionLimits = SessionLimits {
    idle_ms: 30 * 60_000,
    absolute_ms: 12 * 3_600_000,
    per_user: 3,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn nets(list: &[&str]) -> Vec<ipnet::IpNet> {
    list.iter().map(|net| net.parse().unwrap()).collect()
}

fn user_name(text: &str) -> UserName {
    UserName::new(text).unwrap()
}

fn wish(store: &Store, name: &str) -> NewUser {
    NewUser {
        tenant: store.tenant,
        name: user_name(name),
        role: Role::Supervisor,
        password: PASSWORD.into(),
        allow: Vec::new(),
        groups: Vec::new(),
        line: None,
    }
}

fn add(store: &Store, name: &str) -> UserRow {
    store.handle.add_user(wish(store, name)).unwrap()
}

fn wall(store: &Store) -> WallMillis {
    store.handle.shared.clock.wall()
}

/// Closes the store and opens it when as much time has passed.
fn reopen_after(store: Store, span: Duration) -> Store {
    let at = WallMillis(wall(&store).0 + u64::try_from(span.as_millis()).unwrap());
    Store::open_at(store.close(), at)
}

/// Sets the machine's clock back.
fn step_back(store: &Store, by: Duration) {
    let by = u64::try_from(by.as_millis()).unwrap();
    store.clock.step_wall(WallMillis(wall(store).0 - by));
}
