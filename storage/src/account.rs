//! Who may do what: users, their sessions, lock-outs, signing keys, as plain values. How they are
//! kept is `accounts`' business.

use std::fmt;
use std::net::IpAddr;

use audio_io::units::WallMillis;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::ids::{GroupName, LineName, TenantId, UserName};
use crate::record::{Family, KeyRow};

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sees own calls only; may not download other people's.
    AgentView,
    /// Plays and downloads the tenant's recordings.
    Supervisor,
    /// Reads everything of the tenant, changes nothing.
    Auditor,
    /// Everything of the tenant.
    Admin,
}

impl Role {
    /// Whether any recording of the tenant may be played and downloaded.
    #[must_use]
    pub const fn reads_all(self) -> bool {
        !matches!(self, Self::AgentView)
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// Never reused.
    pub user_id: u64,
    /// Whose.
    pub tenant: TenantId,
    /// What is typed at login; unique over all tenants, without regard to case.
    pub name: UserName,
    /// What it may do.
    pub role: Role,
    /// Argon2id hash in PHC string form.
    pub password_hash: String,
    /// Where it may log in from; empty means anywhere.
    pub allow: Vec<IpNet>,
    /// When it was added.
    pub created_at: WallMillis,
    /// When it was switched off.
    pub disabled_at: Option<WallMillis>,
    /// The groups of lines it looks after; for supervisors, none means all lines of the tenant.
    pub groups: Vec<GroupName>,
    /// The line whose calls are its own, beside those that name it as their agent.
    pub line: Option<LineName>,
}

/// A login that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Public id, for listing.
    pub session_id: u64,
    /// Who.
    pub user_id: u64,
    /// The user's name, as it is in the token.
    pub user: UserName,
    /// Whose.
    pub tenant: TenantId,
    /// What the user may do.
    pub role: Role,
    /// Keyed BLAKE3 of the token.
    pub token_hash: [u8; 32],
    /// When it began; the absolute expiry counts from here.
    pub created_at: WallMillis,
    /// When it was last used; the idle expiry counts from here. Kept to a minute on disk.
    pub used_at: WallMillis,
    /// Where it was opened from.
    pub from: IpAddr,
}

/// How long sessions live, and how many a user has; the oldest ends when there are more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Milliseconds without use.
    pub idle_ms: u64,
    /// Milliseconds in all.
    pub absolute_ms: u64,
    /// Sessions a user.
    pub per_user: usize,
}

/// What a shown secret of a key comes to. Every outcome takes the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyCheck {
    /// It opens.
    Valid(Box<KeyRow>),
    /// Nobody's, of another family, revoked or expired.
    Unknown,
    /// Its tenant or its user is switched off.
    Inactive,
    /// Right, but not from this address.
    Address,
}

/// What name and password come to. Unknown names and wrong passwords take the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    /// Right.
    Valid(Box<UserRow>),
    /// Unknown name or wrong password.
    Wrong,
    /// Right, but the user or the tenant is switched off.
    Inactive,
    /// Right, but not from this address.
    Address,
}

/// What is locked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockSubject {
    /// An address; IPv6: its /64, as the network's first address.
    Address(IpAddr),
    /// A user's name, in lower case, whether there is such a user or not.
    User(String),
}

impl fmt::Display for LockSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::User(name) => f.write_str(name),
        }
    }
}

/// Why somebody is locked out (API.md section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockCause {
    /// 20 failures an address in 10 minutes: until fewer than 20 lie in the last 10 minutes.
    AddressTries,
    /// 5 failures a user in 10 minutes.
    UserTries,
    /// 100 failures an address in 60 minutes: for 24 hours.
    AddressBlocked,
}

/// A lock that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Who.
    pub subject: LockSubject,
    /// Why.
    pub cause: LockCause,
    /// When it ends by itself.
    pub until: WallMillis,
}

/// A secret that signs links. The newest that is not retired signs; all that are not retired
/// verify.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Public id, part of every link.
    pub id: u32,
    /// The secret; the only one that is kept readable, since links cannot be checked without it.
    pub secret: [u8; 32],
    /// When it was made.
    pub created_at: WallMillis,
    /// When links signed with it stopped being valid.
    pub retired_at: Option<WallMillis>,
}

/// The secret is left out.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("created_at", &self.created_at)
            .field("retired_at", &self.retired_at)
            .finish_non_exhaustive()
    }
}

/// What a key is issued with.
#[derive(Clone, Debug)]
pub struct KeyWish {
    /// Whose.
    pub tenant: TenantId,
    /// What it opens.
    pub family: Family,
    /// A note.
    pub label: String,
    /// Where it may be used from; empty means anywhere.
    pub allow: Vec<IpNet>,
    /// When it stops by itself.
    pub expires_at: Option<WallMillis>,
    /// On whose behalf: it dies with this user, and may do what the user may.
    pub user_id: Option<u64>,
}

/// What a user is added with.
#[derive(Clone)]
pub struct NewUser {
    /// Whose.
    pub tenant: TenantId,
    /// What is typed at login.
    pub name: UserName,
    /// What it may do.
    pub role: Role,
    /// The password, 8 to 256 bytes.
    pub password: String,
    /// Where it may log in from; empty means anywhere.
    pub allow: Vec<IpNet>,
    /// The groups it looks after.
    pub groups: Vec<GroupName>,
    /// The line whose calls are its own.
    pub line: Option<LineName>,
}

/// The password is left out.
impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser")
            .field("tenant", &self.tenant)
            .field("name", &self.name)
            .field("role", &self.role)
            .field("allow", &self.allow)
            .field("groups", &self.groups)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

/// What is changed of a user; `None` leaves it.
#[derive(Clone, Default)]
pub struct UserChange {
    /// A new password; ends the user's sessions.
    pub password: Option<String>,
    /// A new role; ends the user's sessions.
    pub role: Option<Role>,
    /// Other addresses.
    pub allow: Option<Vec<IpNet>>,
    /// Switched off (ends the user's sessions) or on again.
    pub disabled: Option<bool>,
    /// Other groups that it looks after.
    pub groups: Option<Vec<GroupName>>,
    /// Another line whose calls are its own, or none.
    pub line: Option<Option<LineName>>,
}

/// The password is left out.
impl fmt::Debug for UserChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserChange")
            .field("password", &self.password.is_some())
            .field("role", &self.role)
            .field("allow", &self.allow)
            .field("disabled", &self.disabled)
            .field("groups", &self.groups)
            .field("line", &self.line)
            .finish()
    }
}
