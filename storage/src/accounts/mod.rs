//! Users, sessions, keys, lock-outs and signing keys: what is decided about them. All of it lies
//! in memory and in the index; secrets only as hashes, but for those that sign links.
//!
//! ```text
//!  requests ──▶ maps that are read without waiting ◀── put after the commit ──┐
//!  changes  ──▶ lock, checks in memory ──▶ Change ──▶ index's writer thread ──┘
//!  failures ──▶ table of tries ──▶ one late Change for all that gathered
//! ```
//!
//! One file a concern; here lies what they share. How rows are encoded is `index/values.rs`'s
//! business.

mod keys;
mod locks;
mod passwords;
mod sessions;
mod shards;
mod signing;
mod tenants;
#[cfg(test)]
mod tests;
mod time;
mod tries;
mod users;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use audio_io::clock::Clock;
use ipnet::{IpNet, Ipv4Net};

pub use keys::IssuedKey;
pub(crate) use keys::cut;

use crate::account::{SigningKey, UserRow};
use crate::error::{OpenError, ReadError};
use crate::ids::TenantId;
use crate::index::Index;
use crate::index::apply::Change;
use crate::index::keys::be64;
use crate::index::rows::{RowChange, RowTable};
use crate::index::tables::meta;
use crate::index::values::{self, ValueError};
use crate::open::open_error;
use crate::record::{Tenant, WallMillis};
use keys::Keys;
use passwords::Passwords;
use sessions::Session;
use shards::Shards;
use time::SteadyClock;
use tries::Tries;
use users::Users;

/// All accounts of an open store.
pub(crate) struct Accounts {
    /// Keys the hashes of issued secrets and session tokens.
    hash_secret: [u8; 32],
    /// What session tokens of this store begin with.
    prefix: String,
    clock: SteadyClock,
    passwords: Passwords,
    pub(crate) tenants: ArcSwap<BTreeMap<TenantId, Tenant>>,
    users: ArcSwap<Users>,
    keys: Keys,
    sessions: Shards<[u8; 32], Session>,
    signing: ArcSwap<Arc<[SigningKey]>>,
    tries: Arc<Tries>,
    /// Whoever changes anything but tries holds it from the check until the maps are changed.
    writing: Mutex<Writing>,
}

/// What only changes need.
#[derive(Default)]
struct Writing {
    /// The highest ids that were ever given.
    key_high: u64,
    user_high: u64,
    session_high: u64,
    signing_high: u64,
    /// Keys by the user on whose behalf they were issued.
    keys_of: HashMap<u64, BTreeSet<u64>>,
    /// Sessions by user: token hashes by session id.
    sessions_of: HashMap<u64, BTreeMap<u64, [u8; 32]>>,
}

impl Accounts {
    /// Reads everything; makes the first signing key and the store's prefix where they are
    /// missing. Rows that cannot be read are left out: nobody comes in by them.
    pub(crate) fn load(
        index: &Index,
        hash_secret: [u8; 32],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let clock = SteadyClock::new(clock, index.time_high().map_err(open_error)?);
        let now = clock.opening();
        let tenants = index.tenants().map_err(open_error)?;
        let users = Users::new(readable(index, RowTable::Users, values::decode_user)?);
        let sessions = sessions::load(
            readable(index, RowTable::UserSessions, values::decode_session)?,
            now,
        );
        let keys = index.key_rows().map_err(open_error)?;
        let keys = keys.into_iter().filter_map(|(id, row)| {
            row.inspect_err(|error| log::error!("the row of key {id}: {error}"))
                .ok()
        });
        let keys: Vec<_> = keys.collect();
        let high = |name| -> Result<u64, OpenError> {
            let bytes = index.meta(name).map_err(open_error)?;
            Ok(bytes.map_or(0, |bytes| be64(&bytes)))
        };
        let mut writing = Writing {
            key_high: high(meta::KEY_HIGH)?,
            user_high: high(meta::USER_HIGH)?,
            session_high: high(meta::SESSION_HIGH)?,
            signing_high: high(meta::SIGNING_HIGH)?,
            ..Writing::default()
        };
        for row in &keys {
            if let Some(user) = row.user_id {
                writing.keys_of.entry(user).or_default().insert(row.key_id);
            }
        }
        for session in &sessions {
            let row = &session.row;
            let held = writing.sessions_of.entry(row.user_id).or_default();
            held.insert(row.session_id, row.token_hash);
        }
        let signing = readable(index, RowTable::SigningKeys, values::decode_signing_key)?;
        let signing = signing::at_least_one(index, signing, &mut writing, now)?;
        Ok(Self {
            hash_secret,
            prefix: prefix(index)?,
            passwords: Passwords::new().map_err(OpenError::Random)?,
            tenants: ArcSwap::from_pointee(tenants.into_iter().map(|row| (row.id, row)).collect()),
            users: ArcSwap::from_pointee(users),
            keys: Keys::new(keys, now),
            sessions: sessions
                .into_iter()
                .map(|session| (session.row.token_hash, Arc::new(session)))
                .collect(),
            signing: ArcSwap::from_pointee(signing),
            tries: Arc::new(Tries::load(
                index.raw_rows(RowTable::Locks).map_err(open_error)?,
                now,
            )),
            clock,
            writing: Mutex::new(writing),
        })
    }

    /// The highest wall time that was ever seen, carried on by the monotonic clock.
    pub(crate) fn steady_now(&self) -> WallMillis {
        WallMillis(self.clock.now().steady)
    }

    fn write(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hash(&self, secret: &str) -> [u8; 32] {
        *blake3::keyed_hash(&self.hash_secret, secret.as_bytes()).as_bytes()
    }

    pub(crate) fn tenant_is_on(&self, tenant: TenantId) -> bool {
        let tenants = self.tenants.load();
        tenants
            .get(&tenant)
            .is_some_and(|row| row.disabled_at.is_none())
    }

    fn user(&self, user_id: u64) -> Option<Arc<UserRow>> {
        self.users.load().by_id.get(&user_id).cloned()
    }
}

/// Whether an allow-list has room for an address: an empty one has for every address. IPv4 is
/// IPv4 in whichever way it is written.
fn allows(list: &[IpNet], from: IpAddr) -> bool {
    let from = from.to_canonical();
    list.is_empty() || list.iter().any(|net| canonical(net).contains(&from))
}

/// A network of IPv4-mapped IPv6 addresses as what it means.
fn canonical(net: &IpNet) -> IpNet {
    let IpNet::V6(mapped) = net else { return *net };
    let inside = mapped.prefix_len().checked_sub(96);
    let plain = inside.zip(mapped.addr().to_ipv4_mapped());
    plain
        .and_then(|(bits, address)| Ipv4Net::new(address, bits).ok())
        .map_or(*net, IpNet::V4)
}

/// Letters and digits out of the system's random numbers, 5.95 bits each.
fn random_letters(wanted: usize) -> Result<String, getrandom::Error> {
    let mut text = String::with_capacity(wanted);
    while text.len() < wanted {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes)?;
        // 248 is the largest multiple of 62 in a byte: what is above would favour some letters.
        let letters = bytes.iter().filter(|byte| **byte < 248);
        let letters = letters.take(wanted - text.len());
        text.extend(letters.map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
    }
    Ok(text)
}

/// All rows of a table that can be read.
fn readable<T>(
    index: &Index,
    table: RowTable,
    decode: fn(&[u8]) -> Result<T, ValueError>,
) -> Result<Vec<T>, OpenError> {
    let rows = index.raw_rows(table).map_err(open_error)?;
    let rows = rows.into_iter().filter_map(|(_, bytes)| {
        decode(&bytes)
            .inspect_err(|error| log::error!("a row in '{}': {error}", table.name()))
            .ok()
    });
    Ok(rows.collect())
}

/// What session tokens begin with; made once a store.
fn prefix(index: &Index) -> Result<String, OpenError> {
    if let Some(held) = index.meta(meta::TOKEN_PREFIX).map_err(open_error)? {
        let held = String::from_utf8(held);
        let held = held
            .ok()
            .filter(|text| text.len() == 4 && text.bytes().all(|digit| digit.is_ascii_hexdigit()));
        return held.ok_or(OpenError::Meta(meta::TOKEN_PREFIX));
    }
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).map_err(OpenError::Random)?;
    let fresh = format!("{:04x}", u16::from_be_bytes(bytes));
    index.commit(&[Change::Rows(vec![RowChange::Meta(
        meta::TOKEN_PREFIX,
        fresh.clone().into_bytes(),
    )])])?;
    Ok(fresh)
}

/// Whether the row of one of the account tables can be read, for checks and reindexing.
pub(crate) fn is_readable(table: RowTable, key: &[u8], value: &[u8]) -> bool {
    match table {
        RowTable::Users => {
            values::decode_user(value).is_ok_and(|row| key == row.user_id.to_be_bytes().as_slice())
        }
        RowTable::UserSessions => {
            values::decode_session(value).is_ok_and(|row| key == row.token_hash.as_slice())
        }
        RowTable::SigningKeys => values::decode_signing_key(value)
            .is_ok_and(|row| key == row.id.to_be_bytes().as_slice()),
        RowTable::Locks => tries::subject_of(key).is_some() && values::decode_tries(value).is_ok(),
    }
}

/// What an index holds of accounts beside tenants and keys, as it is on disk, for reindexing.
pub(crate) fn carried_over(index: &Index) -> Result<Vec<RowChange>, ReadError> {
    let mut changes = Vec::new();
    for name in [
        meta::KEY_HIGH,
        meta::USER_HIGH,
        meta::SESSION_HIGH,
        meta::SIGNING_HIGH,
    ] {
        let bytes = index.meta(name)?;
        changes.extend(bytes.map(|bytes| RowChange::Raise(name, be64(&bytes))));
    }
    let prefix = index.meta(meta::TOKEN_PREFIX)?;
    changes.extend(prefix.map(|bytes| RowChange::Meta(meta::TOKEN_PREFIX, bytes)));
    for table in RowTable::ALL {
        for (key, value) in index.raw_rows(table)? {
            if is_readable(table, &key, &value) {
                changes.push(RowChange::Put(table, key, value));
            }
        }
    }
    Ok(changes)
}

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
