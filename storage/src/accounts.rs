//! SKELETON
//! Users, sessions, keys, lock-outs and signing keys: what is decided about them, and how they
//! are kept. All of it lies in memory and in the index; secrets only as hashes.
use std::net::IpAddr;
use std::sync::Arc;

use crate::account::{
    KeyCheck, KeyWish, Lock, LockSubject, NewUser, PasswordCheck, SessionLimits, SessionRow,
    SigningKey, UserChange, UserRow,
};
use crate::error::{AccountError, KeyError};
use crate::handle::{IssuedKey, StorageHandle};
use crate::ids::{TenantId, UserName};
use crate::record::{Container, Family, Tenant};

#[allow(missing_docs, clippy::todo, reason = "skeleton")]
impl StorageHandle {
    /// Issues a key with all that can be said of one.
    pub fn issue_key_as(&self, wish: KeyWish) -> Result<IssuedKey, KeyError> {
        let _ = wish;
        todo!()
    }
    /// A new secret for the same grant, under a new key id; the old one expires after `grace_ms`.
    pub fn rotate_key(&self, key_id: u64, grace_ms: u64) -> Result<IssuedKey, KeyError> {
        let _ = (key_id, grace_ms);
        todo!()
    }
    /// What a shown secret comes to, from an address. In memory, in constant time.
    pub fn check_key(&self, family: Family, secret: &str, from: IpAddr) -> KeyCheck {
        let _ = (family, secret, from);
        todo!()
    }
    /// Switches a tenant off (its keys and users are Inactive, lines go on recording) or on.
    pub fn set_tenant_disabled(&self, id: TenantId, off: bool) -> Result<Tenant, AccountError> {
        let _ = (id, off);
        todo!()
    }
    /// What recordings are converted to after sealing; `Wav` keeps them as recorded.
    pub fn set_tenant_keep_as(&self, id: TenantId, to: Container) -> Result<Tenant, AccountError> {
        let _ = (id, to);
        todo!()
    }
    pub fn add_user(&self, user: NewUser) -> Result<UserRow, AccountError> {
        let _ = user;
        todo!()
    }
    pub fn change_user(&self, name: &UserName, to: UserChange) -> Result<UserRow, AccountError> {
        let _ = (name, to);
        todo!()
    }
    /// Removes a user with its sessions and the keys issued on its behalf.
    pub fn remove_user(&self, name: &UserName) -> Result<UserRow, AccountError> {
        let _ = name;
        todo!()
    }
    pub fn users(&self) -> Vec<UserRow> {
        todo!()
    }
    pub fn user(&self, user_id: u64) -> Option<UserRow> {
        let _ = user_id;
        todo!()
    }
    /// Argon2id: takes tens of milliseconds and 19 MiB. Call it off the event loop.
    pub fn check_password(&self, name: &str, password: &str, from: IpAddr) -> PasswordCheck {
        let _ = (name, password, from);
        todo!()
    }
    /// Opens a session; the token is shown once: `<prefix>-ses-<user>-<random>`. With `force` the
    /// user's other sessions end.
    pub fn open_session(
        &self,
        user: &UserRow,
        from: IpAddr,
        limits: SessionLimits,
        force: bool,
    ) -> Result<(SessionRow, String), AccountError> {
        let _ = (user, from, limits, force);
        todo!()
    }
    /// The session of a token that is in force (tenant, user and address still allowed), and
    /// counts it as used. In memory.
    pub fn use_session(&self, token: &str, from: IpAddr, limits: SessionLimits)
    -> Option<SessionRow> {
        let _ = (token, from, limits);
        todo!()
    }
    pub fn close_session(&self, token: &str) -> Result<bool, AccountError> {
        let _ = token;
        todo!()
    }
    /// Ends all sessions of a user; how many there were.
    pub fn close_sessions_of(&self, user_id: u64) -> Result<usize, AccountError> {
        let _ = user_id;
        todo!()
    }
    pub fn sessions(&self, limits: SessionLimits) -> Vec<SessionRow> {
        let _ = limits;
        todo!()
    }
    /// Counts a failed login or key check. Kept on disk within a quarter of a second.
    pub fn count_failure(&self, from: IpAddr, user: Option<&str>) {
        let _ = (from, user);
        todo!()
    }
    /// The heaviest lock that is in force for an address, or for a name.
    pub fn locked(&self, from: IpAddr, user: Option<&str>) -> Option<Lock> {
        let _ = (from, user);
        todo!()
    }
    pub fn locks(&self) -> Vec<Lock> {
        todo!()
    }
    /// Forgets the failures of a subject; whether there were any.
    pub fn clear_lock(&self, subject: &LockSubject) -> Result<bool, AccountError> {
        let _ = subject;
        todo!()
    }
    /// All signing keys, oldest first; there is always one that is not retired.
    pub fn signing_keys(&self) -> Arc<[SigningKey]> {
        todo!()
    }
    /// Makes a new signing key; with `retire_old` links signed before die at once.
    pub fn rotate_signing_key(&self, retire_old: bool) -> Result<SigningKey, AccountError> {
        let _ = retire_old;
        todo!()
    }
    /// Retires a signing key; a new one is made if it was the last.
    pub fn retire_signing_key(&self, id: u32) -> Result<SigningKey, AccountError> {
        let _ = id;
        todo!()
    }
}
