//! Users: adding, changing and removing them, and what name and password come to.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::account::{NewUser, PasswordCheck, UserChange, UserRow};
use crate::accounts::{Accounts, Writing, allows};
use crate::error::AccountError;
use crate::handle::StorageHandle;
use crate::ids::{GroupName, TenantId, UserName};
use crate::index::apply::Change;
use crate::index::rows::{RowChange, RowTable};
use crate::index::tables::meta;
use crate::index::values;
use crate::limits::{USER_GROUPS_MAX, USERS_MAX};
use crate::record::KeyRow;

/// All users.
#[derive(Clone, Default)]
pub(super) struct Users {
    pub(super) by_id: HashMap<u64, Arc<UserRow>>,
    /// Names in lower case.
    by_name: HashMap<String, u64>,
}

impl Users {
    pub(super) fn new(rows: Vec<UserRow>) -> Self {
        let mut users = Self::default();
        for row in rows {
            users.put(row);
        }
        users
    }

    fn put(&mut self, row: UserRow) {
        self.by_name
            .insert(row.name.as_str().to_ascii_lowercase(), row.user_id);
        self.by_id.insert(row.user_id, Arc::new(row));
    }

    fn remove(&mut self, row: &UserRow) {
        self.by_name.remove(&row.name.as_str().to_ascii_lowercase());
        self.by_id.remove(&row.user_id);
    }

    fn named(&self, name: &str) -> Option<Arc<UserRow>> {
        let id = self.by_name.get(&name.to_ascii_lowercase())?;
        self.by_id.get(id).cloned()
    }
}

impl StorageHandle {
    /// Adds a user. Hashes the password: call it off the event loop.
    ///
    /// # Errors
    /// [`AccountError`]: `UserExists`, `NoTenant`, `Groups`, `Password`, `Full`, `Hash`, `Random`, `Write`.
    pub fn add_user(&self, user: NewUser) -> Result<UserRow, AccountError> {
        let accounts = &self.shared.accounts;
        few_groups(&user.groups)?;
        accounts.may_add(&user.name, user.tenant)?;
        let password_hash = accounts.passwords.hash(&user.password)?;
        let mut writing = accounts.write();
        accounts.may_add(&user.name, user.tenant)?;
        writing.user_high += 1;
        let row = UserRow {
            user_id: writing.user_high,
            tenant: user.tenant,
            name: user.name,
            role: user.role,
            password_hash,
            allow: user.allow,
            created_at: self.shared.clock.wall(),
            disabled_at: None,
            groups: user.groups,
            line: user.line,
        };
        self.shared.committer.commit(Change::Rows(vec![
            put_row(&row),
            RowChange::Raise(meta::USER_HIGH, row.user_id),
        ]))?;
        accounts.change_users(|users| users.put(row.clone()));
        Ok(row)
    }

    /// Changes a user; another password or role, and switching off, end the user's sessions. May
    /// hash a password: call it off the event loop.
    ///
    /// # Errors
    /// [`AccountError`]: `NoUser`, `Groups`, `Password`, `Hash`, `Random`, `Write`; nothing is changed then.
    pub fn change_user(&self, name: &UserName, to: UserChange) -> Result<UserRow, AccountError> {
        let accounts = &self.shared.accounts;
        let find = || {
            let found = accounts.users.load().named(name.as_str());
            found.ok_or_else(|| AccountError::NoUser(name.clone()))
        };
        find()?;
        few_groups(to.groups.as_deref().unwrap_or_default())?;
        let password_hash = match &to.password {
            Some(password) => Some(accounts.passwords.hash(password)?),
            None => None,
        };
        let mut writing = accounts.write();
        let mut row = UserRow::clone(&*find()?);
        let mut ends = password_hash.is_some() || to.disabled == Some(true);
        if let Some(hash) = password_hash {
            row.password_hash = hash;
        }
        if let Some(role) = to.role {
            ends |= role != row.role;
            row.role = role;
        }
        if let Some(allow) = to.allow {
            row.allow = allow;
        }
        if let Some(off) = to.disabled {
            let since = row.disabled_at.unwrap_or(self.shared.clock.wall());
            row.disabled_at = off.then_some(since);
        }
        if let Some(groups) = to.groups {
            row.groups = groups;
        }
        if let Some(line) = to.line {
            row.line = line;
        }
        let ended = if ends {
            writing.all_sessions_of(row.user_id)
        } else {
            Vec::new()
        };
        let mut rows = vec![put_row(&row)];
        rows.extend(ended.iter().map(|(_, hash)| remove_session(hash)));
        self.shared.committer.commit(Change::Rows(rows))?;
        accounts.change_users(|users| users.put(row.clone()));
        accounts.forget_sessions(&mut writing, row.user_id, &ended);
        Ok(row)
    }

    /// Removes a user with its sessions, and revokes the keys that were issued on its behalf. Its
    /// id is never given again.
    ///
    /// # Errors
    /// [`AccountError::NoUser`], [`AccountError::Write`]; nothing is changed then.
    pub fn remove_user(&self, name: &UserName) -> Result<UserRow, AccountError> {
        let accounts = &self.shared.accounts;
        let mut writing = accounts.write();
        let found = accounts.users.load().named(name.as_str());
        let row = found.ok_or_else(|| AccountError::NoUser(name.clone()))?;
        let ended = writing.all_sessions_of(row.user_id);
        let keys = accounts.revoked_of(&writing, row.user_id);
        let mut rows = vec![RowChange::Remove(
            RowTable::Users,
            row.user_id.to_be_bytes().to_vec(),
        )];
        rows.extend(ended.iter().map(|(_, hash)| remove_session(hash)));
        let mut changes = vec![Change::Rows(rows)];
        changes.extend(keys.iter().map(Change::put_key));
        self.shared.committer.commit(Change::All(changes))?;
        accounts.change_users(|users| users.remove(&row));
        accounts.forget_sessions(&mut writing, row.user_id, &ended);
        writing.sessions_of.remove(&row.user_id);
        let now = accounts.clock.now();
        for key in keys {
            accounts.keys.put(key, now);
        }
        Ok(UserRow::clone(&row))
    }

    /// All users, by id. In memory.
    #[must_use]
    pub fn users(&self) -> Vec<UserRow> {
        let users = self.shared.accounts.users.load();
        let mut all: Vec<_> = users
            .by_id
            .values()
            .map(|row| UserRow::clone(row))
            .collect();
        all.sort_by_key(|row| row.user_id);
        all
    }

    /// A user. In memory.
    #[must_use]
    pub fn user(&self, user_id: u64) -> Option<UserRow> {
        let row = self.shared.accounts.user(user_id)?;
        Some(UserRow::clone(&row))
    }

    /// What name and password come to. Argon2id runs once whatever the outcome is; it takes tens
    /// of milliseconds and 19 MiB, and waits while four others are under way. Call it off the
    /// event loop.
    #[must_use]
    pub fn check_password(&self, name: &str, password: &str, from: IpAddr) -> PasswordCheck {
        let accounts = &self.shared.accounts;
        let user = accounts.users.load().named(name);
        let hash = user.as_ref().map(|row| row.password_hash.as_str());
        let right = accounts.passwords.verify(password, hash);
        match user {
            Some(row) if right => {
                if row.disabled_at.is_some() || !accounts.tenant_is_on(row.tenant) {
                    PasswordCheck::Inactive
                } else if !allows(&row.allow, from) {
                    PasswordCheck::Address
                } else {
                    PasswordCheck::Valid(Box::new(UserRow::clone(&row)))
                }
            }
            _ => PasswordCheck::Wrong,
        }
    }
}

fn few_groups(groups: &[GroupName]) -> Result<(), AccountError> {
    if groups.len() > USER_GROUPS_MAX {
        return Err(AccountError::Groups);
    }
    Ok(())
}

impl Accounts {
    fn may_add(&self, name: &UserName, tenant: TenantId) -> Result<(), AccountError> {
        let users = self.users.load();
        if users.named(name.as_str()).is_some() {
            return Err(AccountError::UserExists(name.clone()));
        }
        if !self.tenants.load().contains_key(&tenant) {
            return Err(AccountError::NoTenant(tenant));
        }
        if users.by_id.len() >= USERS_MAX {
            return Err(AccountError::Full(USERS_MAX));
        }
        Ok(())
    }

    fn change_users(&self, change: impl FnOnce(&mut Users)) {
        let mut fresh = Users::clone(&self.users.load());
        change(&mut fresh);
        self.users.store(Arc::new(fresh));
    }

    /// The rows of a user's keys that are in force, as they are once they are revoked.
    fn revoked_of(&self, writing: &Writing, user_id: u64) -> Vec<KeyRow> {
        let ids = writing.keys_of.get(&user_id).into_iter().flatten();
        let at = self.clock.now().wall();
        ids.filter_map(|id| self.keys.by_id.get(id))
            .filter(|key| key.row.revoked_at.is_none())
            .map(|key| KeyRow {
                revoked_at: Some(at),
                ..key.row.clone()
            })
            .collect()
    }
}

fn put_row(row: &UserRow) -> RowChange {
    let key = row.user_id.to_be_bytes().to_vec();
    RowChange::Put(RowTable::Users, key, values::encode_user(row))
}

pub(super) fn remove_session(hash: &[u8; 32]) -> RowChange {
    RowChange::Remove(RowTable::UserSessions, hash.to_vec())
}
