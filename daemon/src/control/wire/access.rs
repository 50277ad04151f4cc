//! Who may do what: tenants, keys, users, their sessions, lock-outs and signing keys.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};
use storage::account::{LockCause, Role};
use storage::ids::{GroupName, LineName, TenantName, UserName};
use storage::record::Family;

/// A tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tenant {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// When it was added, RFC 3339.
    pub created_at: String,
    /// How many recordings it has.
    pub recordings: u64,
    /// What its recordings are converted to after they ended: `wav` (as recorded), `mp3`, `m4a`,
    /// `webm`, `ogg` or `flac`.
    pub keep_as: String,
    /// When it was switched off, RFC 3339: its keys and users open nothing then.
    pub disabled_at: Option<String>,
}

/// `POST /tenants`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddTenant {
    /// Its name.
    pub name: TenantName,
}

/// `PATCH /tenants/{name}`; what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetTenant {
    /// What its recordings are converted to after they ended; `wav` keeps them as recorded.
    #[serde(default)]
    pub keep_as: Option<String>,
    /// Switched off, or on again.
    #[serde(default)]
    pub disabled: Option<bool>,
}

/// A key, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// Its public id, as text.
    pub key_id: String,
    /// Whose it is.
    pub tenant: String,
    /// What it opens.
    pub family: Family,
    /// A note.
    pub label: String,
    /// When it was issued, RFC 3339.
    pub created_at: String,
    /// When it was revoked, RFC 3339.
    pub revoked_at: Option<String>,
    /// When it stops by itself, RFC 3339.
    pub expires_at: Option<String>,
    /// Where it may be used from; empty means anywhere.
    pub allow: Vec<IpNet>,
    /// On whose behalf it was issued: a user's name.
    pub user: Option<String>,
}

/// `POST /keys`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueKey {
    /// Whose it will be.
    pub tenant: TenantName,
    /// What it opens.
    pub family: Family,
    /// A note, at most 256 bytes.
    #[serde(default)]
    pub label: String,
    /// Where it may be used from; at most 64; empty means anywhere.
    #[serde(default)]
    pub allow: Vec<IpNet>,
    /// When it stops by itself.
    #[serde(default)]
    pub expires: Option<Expiry>,
}

/// When something stops by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// So many seconds from now.
    InS(u64),
    /// At this time: RFC 3339, or a day for its midnight in UTC.
    At(String),
}

/// `POST /keys/{key_id}/rotate`
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// How long the old secret goes on working, in seconds; 0 ends it at once.
    pub grace_s: u64,
}

/// A freshly issued key. The secret is shown here and nowhere else, ever.
#[derive(Clone, Serialize, Deserialize)]
pub struct IssuedKey {
    /// The key.
    pub key: Key,
    /// Its secret.
    pub secret: String,
    /// Where the daemon serves it, as a base URL, when it listens.
    pub base_url: Option<String>,
}

/// A user, without its password.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    /// Its number.
    pub user_id: String,
    /// What is typed at login.
    pub name: String,
    /// Whose.
    pub tenant: String,
    /// What it may do.
    pub role: Role,
    /// Where it may log in from; empty means anywhere.
    pub allow: Vec<IpNet>,
    /// When it was added, RFC 3339.
    pub created_at: String,
    /// When it was switched off, RFC 3339.
    pub disabled_at: Option<String>,
    /// The groups it looks after.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The line whose calls are its own.
    #[serde(default)]
    pub line: Option<String>,
}

/// `POST /users`
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddUser {
    /// What is typed at login.
    pub name: UserName,
    /// Whose.
    pub tenant: TenantName,
    /// What it may do.
    pub role: Role,
    /// The password, 8 to 256 bytes.
    pub password: String,
    /// Where it may log in from; at most 64; empty means anywhere.
    #[serde(default)]
    pub allow: Vec<IpNet>,
    /// The groups it looks after; at most 64. Of a supervisor, none means all lines.
    #[serde(default)]
    pub groups: Vec<GroupName>,
    /// The line whose calls are its own.
    #[serde(default)]
    pub line: Option<LineName>,
}

/// A user that was added.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddedUser {
    /// The user.
    pub user: User,
    /// Where the daemon serves it, as a base URL, when it listens.
    pub base_url: Option<String>,
}

/// `PATCH /users/{name}`; what is left out stays. A new password or role, and switching off, end
/// the user's sessions.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetUser {
    /// The new password, 8 to 256 bytes.
    #[serde(default)]
    pub password: Option<String>,
    /// The new role.
    #[serde(default)]
    pub role: Option<Role>,
    /// Where it may log in from; empty means anywhere.
    #[serde(default)]
    pub allow: Option<Vec<IpNet>>,
    /// Switched off, or on again.
    #[serde(default)]
    pub disabled: Option<bool>,
    /// The groups it looks after, and no others.
    #[serde(default)]
    pub groups: Option<Vec<GroupName>>,
    /// The line whose calls are its own; null takes it away.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub line: Option<Option<LineName>>,
}

/// Tells a null from what is left out.
pub(crate) fn present<'de, D, T>(value: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(value).map(Some)
}

/// A login that is in force, without its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Its number, as text.
    pub session_id: String,
    /// Whose login.
    pub user: String,
    /// The user's tenant.
    pub tenant: String,
    /// What the user may do.
    pub role: Role,
    /// Where it was opened from.
    pub from: String,
    /// When it was opened, RFC 3339.
    pub created_at: String,
    /// When it was last used, RFC 3339.
    pub used_at: String,
}

/// `DELETE /users/{name}/sessions`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoggedOut {
    /// The user.
    pub user: String,
    /// Sessions that ended.
    pub sessions: usize,
}

/// An address or a name that is locked out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lock {
    /// `address` or `user`.
    pub kind: String,
    /// The address (IPv6: its /64), or the name in lower case.
    pub subject: String,
    /// Why.
    pub cause: LockCause,
    /// When it ends by itself, RFC 3339.
    pub until: String,
}

/// `DELETE /locks/{subject}`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cleared {
    /// The address, or the name in lower case.
    pub subject: String,
}

/// A key that signs links, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SigningKey {
    /// Its number, part of every link.
    pub id: u32,
    /// Whether new links are signed with it.
    pub signs: bool,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When links signed with it stopped being valid, RFC 3339.
    pub retired_at: Option<String>,
}

/// `POST /signing-keys`
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateSigningKey {
    /// Whether links that were signed before stop being valid at once.
    pub retire_old: bool,
}
