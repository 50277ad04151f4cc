//! Brings an index to the schema this version writes. Rows carry versions of their own.

use redb::ReadableTable as _;

use super::Index;
use super::keys::be32;
use super::tables::{Tables, meta};
use crate::error::OpenError;

/// The schema this version writes. 1 had no users, sessions, locks and signing keys; its rows of
/// keys and tenants are read as they are and written anew when they change. 2 had no marks: so it
/// is with its rows of recordings, and a program that knows no more cannot read our journal.
pub(crate) const SCHEMA: u32 = 3;

/// Makes sure that every table is there, that the schema is ours and that the secret that keys
/// the hashes of issued keys exists. Returns that secret.
pub(crate) fn migrate(index: &Index) -> Result<[u8; 32], OpenError> {
    match current(index)? {
        Some(secret) => Ok(secret),
        None => create(index, None),
    }
}

/// Makes the tables of an empty index; `secret` is an older index's, if there is one.
pub(crate) fn create(index: &Index, secret: Option<[u8; 32]>) -> Result<[u8; 32], OpenError> {
    let transaction = index.begin_write()?;
    let secret = {
        let mut tables = Tables::open(&transaction)?;
        tables
            .meta
            .insert(meta::SCHEMA, SCHEMA.to_be_bytes().as_slice())?;
        let held = tables
            .meta
            .get(meta::HASH_SECRET)?
            .map(|guard| guard.value().to_vec());
        match held {
            Some(bytes) => bytes
                .try_into()
                .map_err(|_| OpenError::Meta(meta::HASH_SECRET))?,
            None => {
                let mut fresh = [0; 32];
                getrandom::fill(&mut fresh).map_err(OpenError::Random)?;
                let secret = secret.unwrap_or(fresh);
                tables.meta.insert(meta::HASH_SECRET, secret.as_slice())?;
                secret
            }
        }
    };
    transaction.commit()?;
    Ok(secret)
}

/// The secret of an index that is up to date.
fn current(index: &Index) -> Result<Option<[u8; 32]>, OpenError> {
    let transaction = match index.begin_read() {
        Ok(transaction) => transaction,
        Err(crate::error::ReadError::Index(error)) => return Err(error.into()),
        Err(_) => return Ok(None),
    };
    let table = match transaction.open_table(super::tables::META) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let found = table.get(meta::SCHEMA)?.map(|guard| be32(guard.value()));
    match found {
        None => Ok(None),
        Some(found) if found > SCHEMA => Err(OpenError::NewerSchema {
            found,
            known: SCHEMA,
        }),
        // The tables that are missing are made beside those that are there.
        Some(found) if found < SCHEMA => Ok(None),
        Some(_) => {
            let held = table
                .get(meta::HASH_SECRET)?
                .map(|guard| guard.value().to_vec());
            let secret = held.and_then(|bytes| bytes.try_into().ok());
            secret.map(Some).ok_or(OpenError::Meta(meta::HASH_SECRET))
        }
    }
}
