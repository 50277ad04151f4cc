//! Brings an index to the schema this version writes, after a copy of it was made: see
//! `crate::restore::kept` for the copy and the way back. Rows carry versions of their own.
//!
//! ```text
//!  open ──▶ older? ──▶ closed, copied to backups/, synced ──▶ open ──▶ a commit for each step
//! ```

use std::sync::Arc;

use audio_io::units::WallMillis;
use redb::{ReadableTable as _, WriteTransaction};

use super::Index;
use super::backend::Opener;
use super::keys::be32;
use super::tables::{self, Tables, meta};
use crate::error::OpenError;
use crate::paths::Layout;
use crate::restore::kept;

/// The schema this version writes. 1 had no users, sessions, locks and signing keys; its rows of
/// keys and tenants are read as they are and written anew when they change. 2 had no marks: so it
/// is with its rows of recordings, and a program that knows no more cannot read our journal. 3 did
/// not tell how good recordings' times are: the same again. It had no holds, no minimums and no
/// ledger either: a program that knows no more would delete what must be kept, and tell nobody. 4 had no
/// agents and directions, no notes and no lists to search: a program that knows no more would not
/// keep those lists true.
pub(crate) const SCHEMA: u32 = 5;

/// A step from one schema to the next.
type Step = fn(&WriteTransaction) -> Result<(), OpenError>;

/// What leads from schema 1 to 2, from 2 to 3 and so on.
const STEPS: [Step; SCHEMA as usize - 1] = [with_accounts, with_marks, with_proof, with_search];

/// How far an index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// There is nothing in it yet.
    Empty,
    /// It has the schema of an earlier version.
    Older(u32),
    /// It has ours, and this secret keys the hashes of issued keys.
    Current([u8; 32]),
}

/// Opens the index of a store, making it where there is none, and brings it to our schema. What an
/// earlier version wrote is copied first. Answers the secret that keys the hashes of issued keys.
pub(crate) fn open(
    opener: &Arc<dyn Opener>,
    layout: &Layout,
    cache_bytes: usize,
    wall: WallMillis,
) -> Result<(Index, [u8; 32]), OpenError> {
    let opened = || Index::open(Arc::clone(opener), layout.index(), cache_bytes);
    let index = opened()?;
    let found = match state(&index).map_err(|error| kept::with_way_back(error, layout))? {
        State::Current(secret) => return Ok((index, secret)),
        State::Empty => {
            let secret = create(&index, None)?;
            return Ok((index, secret));
        }
        State::Older(found) => found,
    };
    // Closed, the file is what an earlier version would find.
    drop(index);
    let copy = kept::before_migration(layout, found, wall)?;
    log::info!(
        "the index has schema {found}, this version writes {SCHEMA}; a copy is kept as '{}'",
        copy.display()
    );
    let index = opened()?;
    let secret = upgrade(&index, found)?;
    Ok((index, secret))
}

/// Makes the tables of an empty index; `secret` is an older index's, if there is one.
pub(crate) fn create(index: &Index, secret: Option<[u8; 32]>) -> Result<[u8; 32], OpenError> {
    let transaction = index.begin_write()?;
    let secret = finish(&transaction, secret)?;
    transaction.commit()?;
    Ok(secret)
}

/// Takes an index step by step from an older schema to ours, each step a commit of its own.
pub(crate) fn upgrade(index: &Index, found: u32) -> Result<[u8; 32], OpenError> {
    for (next, step) in (2..).zip(STEPS).skip_while(|(next, _)| *next <= found) {
        let transaction = index.begin_write()?;
        step(&transaction)?;
        set_schema(&transaction, next)?;
        transaction.commit()?;
    }
    create(index, None)
}

/// Schema 2: users, their sessions, lock-outs and signing keys.
fn with_accounts(transaction: &WriteTransaction) -> Result<(), OpenError> {
    for table in [
        tables::USERS,
        tables::USER_SESSIONS,
        tables::LOCKS,
        tables::SIGNING_KEYS,
    ] {
        transaction.open_table(table)?;
    }
    Ok(())
}

/// Schema 3: rows of recordings may have marks. Rows of the version before are read as they are.
const fn with_marks(_: &WriteTransaction) -> Result<(), OpenError> {
    Ok(())
}

/// Schema 4: rows of recordings tell how good their time is, and there are holds, minimums and
/// tags, policies, what is known of time, and a ledger: tables that are made when first written.
/// Rows of the versions before are read as they are. Their times do not count as seen: imports with
/// wrong dates are among them.
const fn with_proof(_: &WriteTransaction) -> Result<(), OpenError> {
    Ok(())
}

/// Schema 5: rows of recordings tell of agent and direction, and there are notes and the lists of
/// search. Rows of the version before are read as they are; their lists are made beside the work,
/// which starts at once: see `crate::search::thread`.
const fn with_search(_: &WriteTransaction) -> Result<(), OpenError> {
    Ok(())
}

fn set_schema(transaction: &WriteTransaction, schema: u32) -> Result<(), OpenError> {
    let mut table = transaction.open_table(tables::META)?;
    table.insert(meta::SCHEMA, schema.to_be_bytes().as_slice())?;
    Ok(())
}

/// Makes sure that every table is there, that the schema is ours and that there is a secret.
fn finish(transaction: &WriteTransaction, secret: Option<[u8; 32]>) -> Result<[u8; 32], OpenError> {
    set_schema(transaction, SCHEMA)?;
    let mut tables = Tables::open(transaction)?;
    let held = tables
        .meta
        .get(meta::HASH_SECRET)?
        .map(|guard| guard.value().to_vec());
    if let Some(bytes) = held {
        return bytes
            .try_into()
            .map_err(|_| OpenError::Meta(meta::HASH_SECRET));
    }
    let mut fresh = [0; 32];
    getrandom::fill(&mut fresh).map_err(OpenError::Random)?;
    let secret = secret.unwrap_or(fresh);
    tables.meta.insert(meta::HASH_SECRET, secret.as_slice())?;
    Ok(secret)
}

/// How far an index is; changes nothing.
pub(crate) fn state(index: &Index) -> Result<State, OpenError> {
    let transaction = match index.begin_read() {
        Ok(transaction) => transaction,
        Err(crate::error::ReadError::Index(error)) => return Err(error.into()),
        Err(_) => return Ok(State::Empty),
    };
    let table = match transaction.open_table(tables::META) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(State::Empty),
        Err(error) => return Err(error.into()),
    };
    let found = table.get(meta::SCHEMA)?.map(|guard| be32(guard.value()));
    match found {
        None => Ok(State::Empty),
        Some(found) if found > SCHEMA => Err(OpenError::NewerSchema {
            found,
            known: SCHEMA,
            way_back: None,
        }),
        Some(found) if found < SCHEMA => Ok(State::Older(found)),
        Some(_) => {
            let held = table
                .get(meta::HASH_SECRET)?
                .map(|guard| guard.value().to_vec());
            let secret = held.and_then(|bytes| bytes.try_into().ok());
            secret
                .map(State::Current)
                .ok_or(OpenError::Meta(meta::HASH_SECRET))
        }
    }
}
