//! Issued keys: secrets are shown once; what is kept is their keyed BLAKE3 hash, and all of them
//! in memory, so that a request costs no read of the index.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;

use crate::account::{KeyCheck, KeyWish};
use crate::accounts::shards::Shards;
use crate::accounts::time::Now;
use crate::accounts::{Accounts, Writing, allows, random_letters};
use crate::error::{KeyError, ReadError};
use crate::handle::StorageHandle;
use crate::ids::TenantId;
use crate::index::apply::Change;
use crate::limits::{LABEL_MAX, USER_KEYS_MAX};
use crate::record::{Family, KeyRow, WallMillis};

/// A freshly issued key: the secret is shown once and kept nowhere.
#[derive(Clone)]
pub struct IssuedKey {
    /// Its row.
    pub row: KeyRow,
    /// The secret.
    pub secret: String,
}

/// The secret is left out.
impl fmt::Debug for IssuedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedKey")
            .field("row", &self.row)
            .finish_non_exhaustive()
    }
}

/// A key in memory.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) row: KeyRow,
    /// When it stops by itself, on the steady clock.
    due: Option<u64>,
}

impl Key {
    fn new(row: KeyRow, now: Now) -> Self {
        let due = row.expires_at.map(|at| now.due(at));
        Self { row, due }
    }

    fn is_in_force(&self, now: Now) -> bool {
        self.row.revoked_at.is_none() && self.due.is_none_or(|due| now.steady < due)
    }
}

/// All keys.
pub(super) struct Keys {
    pub(super) by_id: Shards<u64, Key>,
    /// Those that are not revoked, by the hash of their secret.
    by_hash: Shards<[u8; 32], Key>,
    /// What an unknown secret is compared with.
    nobody: Arc<Key>,
}

impl Keys {
    pub(super) fn new(rows: Vec<KeyRow>, now: Now) -> Self {
        let all: Vec<_> = rows
            .into_iter()
            .map(|row| Arc::new(Key::new(row, now)))
            .collect();
        let valid = all.iter().filter(|key| key.row.revoked_at.is_none());
        let nobody = KeyRow {
            key_id: 0,
            tenant: TenantId(0),
            family: Family::Supervisor,
            secret_hash: [0; 32],
            label: String::new(),
            created_at: WallMillis(0),
            revoked_at: Some(WallMillis(0)),
            expires_at: None,
            allow: Vec::new(),
            user_id: None,
        };
        Self {
            by_hash: valid
                .map(|key| (key.row.secret_hash, Arc::clone(key)))
                .collect(),
            by_id: all.into_iter().map(|key| (key.row.key_id, key)).collect(),
            nobody: Arc::new(Key::new(nobody, now)),
        }
    }

    /// Takes a row over, new or again. What has expired stays so: an end is only ever moved
    /// nearer.
    pub(super) fn put(&self, row: KeyRow, now: Now) {
        let mut key = Key::new(row, now);
        if let Some(held) = self.by_id.get(&key.row.key_id) {
            key.due = match (held.due, key.due) {
                (Some(held), Some(due)) => Some(held.min(due)),
                (held, due) => held.or(due),
            };
        }
        let key = Arc::new(key);
        if key.row.revoked_at.is_none() {
            self.by_hash.put(key.row.secret_hash, Arc::clone(&key));
        } else {
            self.by_hash.remove(&key.row.secret_hash);
        }
        self.by_id.put(key.row.key_id, key);
    }

    fn drop_row(&self, row: &KeyRow) {
        self.by_hash.remove(&row.secret_hash);
        self.by_id.remove(&row.key_id);
    }
}

impl StorageHandle {
    /// Issues a key that may be used from anywhere until it is revoked. Labels longer than
    /// [`LABEL_MAX`] bytes are cut.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn issue_key(
        &self,
        tenant: TenantId,
        family: Family,
        label: &str,
    ) -> Result<IssuedKey, KeyError> {
        self.issue_key_as(KeyWish {
            tenant,
            family,
            label: label.to_owned(),
            allow: Vec::new(),
            expires_at: None,
            user_id: None,
        })
    }

    /// Issues a key with all that can be said of one. Labels longer than [`LABEL_MAX`] bytes are
    /// cut. Of keys that end by themselves a user has at most [`USER_KEYS_MAX`]: expired ones
    /// are forgotten, then the oldest go.
    ///
    /// # Errors
    /// [`KeyError`]: `NoTenant`, `NoUser`, `Random`, `Write`.
    pub fn issue_key_as(&self, wish: KeyWish) -> Result<IssuedKey, KeyError> {
        let accounts = &self.shared.accounts;
        let secret = new_secret(wish.family).map_err(KeyError::Random)?;
        let mut writing = accounts.write();
        if !accounts.tenants.load().contains_key(&wish.tenant) {
            return Err(KeyError::NoTenant);
        }
        let now = accounts.clock.now();
        let mut gone = Vec::new();
        if let Some(id) = wish.user_id {
            let user = accounts.user(id);
            let user = user.filter(|row| row.tenant == wish.tenant && row.disabled_at.is_none());
            user.ok_or(KeyError::NoUser(id))?;
            gone = accounts.keys_to_drop(&writing, id, now, wish.expires_at.is_some());
        }
        writing.key_high += 1;
        let row = KeyRow {
            key_id: writing.key_high,
            tenant: wish.tenant,
            family: wish.family,
            secret_hash: accounts.hash(&secret),
            label: cut(&wish.label, LABEL_MAX).to_owned(),
            created_at: now.wall(),
            revoked_at: None,
            expires_at: wish.expires_at,
            allow: wish.allow,
            user_id: wish.user_id,
        };
        let mut changes = vec![Change::put_key(&row)];
        changes.extend(gone.iter().map(|key| Change::DropKey(key.row.key_id)));
        self.shared.committer.commit(Change::All(changes))?;
        for key in &gone {
            accounts.keys.drop_row(&key.row);
        }
        if let Some(id) = row.user_id {
            let held = writing.keys_of.entry(id).or_default();
            for key in &gone {
                held.remove(&key.row.key_id);
            }
            held.insert(row.key_id);
        }
        accounts.keys.put(row.clone(), now);
        Ok(IssuedKey { row, secret })
    }

    /// A new secret for the same grant, under a new key id; the old one expires after `grace_ms`,
    /// or earlier by itself, or is revoked at once when that is 0.
    ///
    /// # Errors
    /// [`KeyError`]: `NotFound`, `Ended`, `Random`, `Write`; nothing is changed then.
    pub fn rotate_key(&self, key_id: u64, grace_ms: u64) -> Result<IssuedKey, KeyError> {
        let accounts = &self.shared.accounts;
        let mut writing = accounts.write();
        let held = accounts.keys.by_id.get(&key_id);
        let held = held.ok_or(KeyError::NotFound(key_id))?;
        let now = accounts.clock.now();
        if !held.is_in_force(now) {
            return Err(KeyError::Ended(key_id));
        }
        let secret = new_secret(held.row.family).map_err(KeyError::Random)?;
        writing.key_high += 1;
        let fresh = KeyRow {
            key_id: writing.key_high,
            secret_hash: accounts.hash(&secret),
            created_at: now.wall(),
            ..held.row.clone()
        };
        let mut old = held.row.clone();
        if grace_ms == 0 {
            old.revoked_at = Some(now.wall());
        } else {
            let end = WallMillis(now.wall.saturating_add(grace_ms));
            old.expires_at = Some(old.expires_at.map_or(end, |at| at.min(end)));
        }
        self.shared.committer.commit(Change::All(vec![
            Change::put_key(&fresh),
            Change::put_key(&old),
        ]))?;
        if let Some(id) = fresh.user_id {
            writing.keys_of.entry(id).or_default().insert(fresh.key_id);
        }
        let due = held.due;
        accounts.keys.put_due(fresh.clone(), due);
        accounts.keys.put(old, now);
        Ok(IssuedKey { row: fresh, secret })
    }

    /// Revokes a key; once more changes nothing.
    ///
    /// # Errors
    /// [`KeyError`]: `NotFound`, `Write`.
    pub fn revoke_key(&self, key_id: u64) -> Result<KeyRow, KeyError> {
        let accounts = &self.shared.accounts;
        let _writing = accounts.write();
        let held = accounts.keys.by_id.get(&key_id);
        let mut row = held.ok_or(KeyError::NotFound(key_id))?.row.clone();
        if row.revoked_at.is_none() {
            let now = accounts.clock.now();
            row.revoked_at = Some(now.wall());
            self.shared.committer.commit(Change::put_key(&row))?;
            accounts.keys.put(row.clone(), now);
        }
        Ok(row)
    }

    /// All keys by id, those that are revoked or have expired included. In memory.
    ///
    /// # Errors
    /// None today; [`ReadError`] for callers that ask other things beside it.
    pub fn keys(&self) -> Result<Vec<KeyRow>, ReadError> {
        let held = self.shared.accounts.keys.by_id.values().into_iter();
        let mut rows: Vec<_> = held.map(|key| key.row.clone()).collect();
        rows.sort_by_key(|row| row.key_id);
        Ok(rows)
    }

    /// A key by its public id. In memory.
    #[must_use]
    pub fn key(&self, key_id: u64) -> Option<KeyRow> {
        let held = self.shared.accounts.keys.by_id.get(&key_id)?;
        Some(held.row.clone())
    }

    /// What a shown secret comes to, from an address. In memory, in constant time.
    #[must_use]
    pub fn check_key(&self, family: Family, secret: &str, from: IpAddr) -> KeyCheck {
        self.shared.accounts.check_key(family, secret, Some(from))
    }

    /// The key of a secret, asked for without an address: one that may not be used from
    /// everywhere opens nothing here, nor does one that [`Self::check_key`] would refuse.
    #[must_use]
    pub fn authenticate(&self, family: Family, secret: &str) -> Option<KeyRow> {
        match self.shared.accounts.check_key(family, secret, None) {
            KeyCheck::Valid(row) => Some(*row),
            _ => None,
        }
    }

    /// Whether a key is known, in force, and its tenant and user are switched on: what was issued
    /// for it (tickets) dies with it.
    #[must_use]
    pub fn is_key_valid(&self, key_id: u64) -> bool {
        let accounts = &self.shared.accounts;
        let key = accounts.keys.by_id.get(&key_id);
        key.is_some_and(|key| key.is_in_force(accounts.clock.now()) && accounts.is_on(&key.row))
    }
}

impl Keys {
    /// Takes over a new row that ends when another does.
    fn put_due(&self, row: KeyRow, due: Option<u64>) {
        let key = Arc::new(Key { row, due });
        self.by_hash.put(key.row.secret_hash, Arc::clone(&key));
        self.by_id.put(key.row.key_id, key);
    }
}

impl Accounts {
    /// The look-up compares keyed hashes: how long it takes says nothing about the secret to
    /// anyone who does not know the hash key. Everything is worked out before anything is told.
    fn check_key(&self, family: Family, secret: &str, from: Option<IpAddr>) -> KeyCheck {
        let hash = self.hash(secret);
        let found = self.keys.by_hash.get(&hash);
        let known = found.is_some();
        let key = found.unwrap_or_else(|| Arc::clone(&self.keys.nobody));
        let same = bool::from(key.row.secret_hash.ct_eq(&hash));
        let in_force = key.is_in_force(self.clock.now());
        let fits = known & same & in_force & (key.row.family == family);
        let is_on = self.is_on(&key.row);
        let allowed = self.may_come_from(&key.row, from);
        match (fits, is_on, allowed) {
            (false, ..) => KeyCheck::Unknown,
            (true, false, _) => KeyCheck::Inactive,
            (true, true, false) => KeyCheck::Address,
            (true, true, true) => KeyCheck::Valid(Box::new(key.row.clone())),
        }
    }

    /// Whether a key's tenant is switched on, and its user if it has one.
    fn is_on(&self, row: &KeyRow) -> bool {
        let user_is_on = row.user_id.is_none_or(|id| {
            let user = self.user(id);
            user.is_some_and(|user| user.disabled_at.is_none())
        });
        self.tenant_is_on(row.tenant) & user_is_on
    }

    /// Whether the key's list and its user's have room for an address; for none only empty ones.
    fn may_come_from(&self, row: &KeyRow, from: Option<IpAddr>) -> bool {
        let user = row.user_id.and_then(|id| self.user(id));
        let lists = [
            row.allow.as_slice(),
            user.as_ref().map_or(&[], |user| user.allow.as_slice()),
        ];
        lists.iter().all(|list| match from {
            Some(from) => allows(list, from),
            None => list.is_empty(),
        })
    }

    /// The keys of a user that make way for a new one: those that have expired, and, when the
    /// new one ends by itself too, the oldest of those that do.
    fn keys_to_drop(
        &self,
        writing: &Writing,
        user_id: u64,
        now: Now,
        one_more: bool,
    ) -> Vec<Arc<Key>> {
        let ids = writing.keys_of.get(&user_id).into_iter().flatten();
        let ending = ids
            .filter_map(|id| self.keys.by_id.get(id))
            .filter(|key| key.due.is_some() && key.row.revoked_at.is_none());
        let (mut lasting, mut gone): (Vec<_>, Vec<_>) =
            ending.partition(|key| key.is_in_force(now));
        if one_more {
            let surplus = (lasting.len() + 1).saturating_sub(USER_KEYS_MAX);
            gone.extend(lasting.drain(..surplus));
        }
        gone
    }
}

/// The longest beginning of a text that has at most so many bytes.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    let fits = (0..=bytes.min(text.len())).rev();
    let end = fits.into_iter().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// A fresh secret of a family: a prefix and 32 letters or digits (190 bits).
fn new_secret(family: Family) -> Result<String, getrandom::Error> {
    let prefix = match family {
        Family::TaskAudio => "vas_",
        Family::PlayAudioFile => "paf_",
        Family::SessionCommands => "ses_",
        Family::CallRecording => "cr_",
        Family::VoiceLog => "vl_",
        Family::Supervisor => "sv_",
    };
    Ok(format!("{prefix}{}", random_letters(32)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_their_familys_shape() {
        let secret = new_secret(Family::TaskAudio).unwrap();
        let rest = secret.strip_prefix("vas_").unwrap();
        assert_eq!(rest.len(), 32);
        assert!(rest.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(secret, new_secret(Family::TaskAudio).unwrap());
    }
}
