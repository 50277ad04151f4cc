//! The secrets that sign links: making, replacing and retiring them. What they sign is the
//! daemon's business.

use std::sync::Arc;

use crate::account::SigningKey;
use crate::accounts::Writing;
use crate::accounts::time::Now;
use crate::error::{AccountError, OpenError};
use crate::handle::StorageHandle;
use crate::index::Index;
use crate::index::apply::Change;
use crate::index::rows::{RowChange, RowTable};
use crate::index::tables::meta;
use crate::index::values;
use crate::limits::SIGNING_KEYS_MAX;

impl StorageHandle {
    /// All signing keys, oldest first; there is always one that is not retired. In memory.
    #[must_use]
    pub fn signing_keys(&self) -> Arc<[SigningKey]> {
        Arc::clone(&self.shared.accounts.signing.load())
    }

    /// Makes a new signing key; with `retire_old` links signed before die at once.
    ///
    /// # Errors
    /// [`AccountError::Random`], [`AccountError::Write`]; nothing is changed then.
    pub fn rotate_signing_key(&self, retire_old: bool) -> Result<SigningKey, AccountError> {
        let accounts = &self.shared.accounts;
        let mut writing = accounts.write();
        let now = accounts.clock.now();
        let mut keys = accounts.signing.load().to_vec();
        if retire_old {
            for key in &mut keys {
                key.retired_at.get_or_insert(now.wall());
            }
        }
        let fresh = fresh(&mut writing, now).map_err(AccountError::Random)?;
        keys.push(fresh.clone());
        self.keep_signing_keys(keys)?;
        Ok(fresh)
    }

    /// Retires a signing key: links signed with it die at once. A new one is made if it was the
    /// last. Once more changes nothing.
    ///
    /// # Errors
    /// [`AccountError::NoSigningKey`], [`AccountError::Random`], [`AccountError::Write`]; nothing
    /// is changed then.
    pub fn retire_signing_key(&self, id: u32) -> Result<SigningKey, AccountError> {
        let accounts = &self.shared.accounts;
        let mut writing = accounts.write();
        let now = accounts.clock.now();
        let mut keys = accounts.signing.load().to_vec();
        let Some(key) = keys.iter_mut().find(|key| key.id == id) else {
            return Err(AccountError::NoSigningKey(id));
        };
        key.retired_at.get_or_insert(now.wall());
        let retired = key.clone();
        if keys.iter().all(|key| key.retired_at.is_some()) {
            keys.push(fresh(&mut writing, now).map_err(AccountError::Random)?);
        }
        self.keep_signing_keys(keys)?;
        Ok(retired)
    }

    /// Writes the list and takes it over; the caller holds the lock.
    fn keep_signing_keys(&self, mut keys: Vec<SigningKey>) -> Result<(), AccountError> {
        while keys.len() > SIGNING_KEYS_MAX {
            let retired = keys.iter().position(|key| key.retired_at.is_some());
            keys.remove(retired.unwrap_or(0));
        }
        let mut rows = vec![RowChange::Clear(RowTable::SigningKeys)];
        rows.extend(keys.iter().flat_map(rows_of));
        self.shared.committer.commit(Change::Rows(rows))?;
        let accounts = &self.shared.accounts;
        accounts.signing.store(Arc::new(keys.into()));
        Ok(())
    }
}

/// What a store begins with: the keys it has, and one that is not retired in any case.
pub(super) fn at_least_one(
    index: &Index,
    mut keys: Vec<SigningKey>,
    writing: &mut Writing,
    now: Now,
) -> Result<Arc<[SigningKey]>, OpenError> {
    keys.sort_by_key(|key| key.id);
    let last = keys.last().map_or(0, |key| u64::from(key.id));
    writing.signing_high = writing.signing_high.max(last);
    if keys.iter().all(|key| key.retired_at.is_some()) {
        let key = fresh(writing, now).map_err(OpenError::Random)?;
        index.commit(&[Change::Rows(rows_of(&key).into())])?;
        keys.push(key);
    }
    Ok(keys.into())
}

fn fresh(writing: &mut Writing, now: Now) -> Result<SigningKey, getrandom::Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    writing.signing_high += 1;
    Ok(SigningKey {
        // Four thousand million rotations are not reached.
        id: u32::try_from(writing.signing_high).unwrap_or(u32::MAX),
        secret,
        created_at: now.wall(),
        retired_at: None,
    })
}

fn rows_of(key: &SigningKey) -> [RowChange; 2] {
    let id = key.id.to_be_bytes().to_vec();
    let row = values::encode_signing_key(key);
    [
        RowChange::Put(RowTable::SigningKeys, id, row),
        RowChange::Raise(meta::SIGNING_HIGH, u64::from(key.id)),
    ]
}
