//! The tables. Their names and types are part of the file format: see FORMAT.md.

use redb::{
    Key, ReadOnlyTable, ReadTransaction, StorageError, Table, TableDefinition, TableError, Value,
    WriteTransaction,
};

use super::keys::{CountKey, RecordingKey, SessionKey, TimeKey, UuidKey};
use super::ledger::Telling;
use super::search::POSTINGS;
use super::search::brief::BriefBytes;
use super::search::lists::PostingKey;

type Bytes = &'static [u8];
type Definition<K, V> = TableDefinition<'static, K, V>;

/// Schema version, high-water marks and secrets, by name.
pub(crate) const META: Definition<&str, Bytes> = TableDefinition::new("meta");
/// tenant, id → row.
pub(crate) const RECORDINGS: Definition<&RecordingKey, Bytes> = TableDefinition::new("recordings");
/// id (8, big-endian) → tenant: a recid is unique over all tenants.
pub(crate) const RECIDS: Definition<&[u8; 8], u32> = TableDefinition::new("recids");
/// tenant, start, id → summary.
pub(crate) const BY_TIME: Definition<&TimeKey, &[u8; 5]> = TableDefinition::new("by_time");
/// tenant, id of each recording whose row says Live.
pub(crate) const LIVE: Definition<&RecordingKey, ()> = TableDefinition::new("live");
/// tenant, call_sid → id.
pub(crate) const CALL_SIDS: Definition<Bytes, u64> = TableDefinition::new("call_sids");
/// tenant, crtObjectId → id.
pub(crate) const CRT_OBJECTS: Definition<Bytes, u64> = TableDefinition::new("crt_objects");
/// tenant, task → id.
pub(crate) const TASKS: Definition<&UuidKey, u64> = TableDefinition::new("tasks");
/// tenant, session, id.
pub(crate) const SESSIONS: Definition<&SessionKey, ()> = TableDefinition::new("sessions");
/// tenant, state → how many.
pub(crate) const COUNTS: Definition<&CountKey, u64> = TableDefinition::new("counts");
/// tenant (4, big-endian) → row.
pub(crate) const TENANTS: Definition<&[u8; 4], Bytes> = TableDefinition::new("tenants");
/// Tenant's name → tenant.
pub(crate) const TENANT_NAMES: Definition<&str, u32> = TableDefinition::new("tenant_names");
/// key id (8, big-endian) → row.
pub(crate) const KEYS: Definition<&[u8; 8], Bytes> = TableDefinition::new("keys");
/// user id (8, big-endian) → row.
pub(crate) const USERS: Definition<Bytes, Bytes> = TableDefinition::new("users");
/// Keyed BLAKE3 of a session's token (32) → row.
pub(crate) const USER_SESSIONS: Definition<Bytes, Bytes> = TableDefinition::new("user_sessions");
/// kind (1), address or name → failures.
pub(crate) const LOCKS: Definition<Bytes, Bytes> = TableDefinition::new("locks");
/// signing key id (4, big-endian) → row.
pub(crate) const SIGNING_KEYS: Definition<Bytes, Bytes> = TableDefinition::new("signing_keys");
/// tenant, id → row of a recording whose files are being removed.
pub(crate) const GARBAGE: Definition<&RecordingKey, Bytes> = TableDefinition::new("garbage");
/// id (8, big-endian) of deleted recordings that the journal may still know.
pub(crate) const TOMBSTONES: Definition<&[u8; 8], ()> = TableDefinition::new("tombstones");

/// Names in [`META`].
pub(crate) mod meta {
    /// u32, big-endian.
    pub(crate) const SCHEMA: &str = "schema";
    /// u64, big-endian: no id at or above it was ever handed out.
    pub(crate) const ID_HIGH: &str = "id_high";
    /// u32, big-endian: the highest tenant ever added.
    pub(crate) const TENANT_HIGH: &str = "tenant_high";
    /// u64, big-endian: the highest key id ever issued.
    pub(crate) const KEY_HIGH: &str = "key_high";
    /// u64, big-endian: the highest user id ever given.
    pub(crate) const USER_HIGH: &str = "user_high";
    /// u64, big-endian: the highest session id ever given.
    pub(crate) const SESSION_HIGH: &str = "session_high";
    /// u64, big-endian: the highest signing key id ever given.
    pub(crate) const SIGNING_HIGH: &str = "signing_high";
    /// u64, big-endian: the newest time in milliseconds that was shown by a clock to be trusted.
    pub(crate) const TIME_HIGH: &str = "time_high";
    /// 4 hexadecimal digits that session tokens of this store begin with.
    pub(crate) const TOKEN_PREFIX: &str = "token_prefix";
    /// 32 bytes: keys the hashes of issued secrets.
    pub(crate) const HASH_SECRET: &str = "hash_secret";
    /// Row of the retention policies in force.
    pub(crate) const RETENTION: &str = "retention";
    /// u64, big-endian: the number of that row.
    pub(crate) const RETENTION_NUMBER: &str = "retention_number";
    /// u64, big-endian: milliseconds of wall time that are known to have passed.
    pub(crate) const TIME_PROVEN: &str = "time_proven";
    /// 32 hexadecimal digits, as in the files `store.id`.
    pub(crate) const STORE_ID: &str = "store_id";
    /// u64, big-endian, 1: holds may be missing, so nothing is deleted.
    pub(crate) const KEEPING_LOST: &str = "keeping_lost";
    /// Version of the lists of search (1), then, while they are not whole, the last row (12).
    pub(crate) const SEARCH: &str = "search";
    /// 16 random bytes that the full text of notes belongs to.
    pub(crate) const NOTES_ID: &str = "notes_id";
    /// u64, big-endian: how many changes of notes there have been.
    pub(crate) const NOTES_HIGH: &str = "notes_high";
    /// 72 bytes: how far the ledger is.
    pub(crate) const LEDGER_HEAD: &str = "ledger_head";
    /// The same, of an index that this one took the place of: the ledger is at least so far.
    pub(crate) const LEDGER_FLOOR: &str = "ledger_floor";
    /// 32 bytes: the public key that checkpoints are signed with.
    pub(crate) const LEDGER_KEY: &str = "ledger_key";
    /// 12 bytes: the last row of an older store that the ledger has taken in.
    pub(crate) const LEDGER_ADOPT: &str = "ledger_adopt";
}

/// The tables, open for writing. Those of rare changes are opened by [`Tables::rare`].
pub(crate) struct Tables<'t> {
    transaction: &'t WriteTransaction,
    /// What the ledger will tell of the changes.
    pub(crate) telling: Telling,
    pub(crate) meta: Table<'t, &'static str, Bytes>,
    pub(crate) recordings: Table<'t, &'static RecordingKey, Bytes>,
    pub(crate) recids: Table<'t, &'static [u8; 8], u32>,
    pub(crate) by_time: Table<'t, &'static TimeKey, &'static [u8; 5]>,
    pub(crate) live: Table<'t, &'static RecordingKey, ()>,
    pub(crate) postings: Table<'t, &'static PostingKey, &'static BriefBytes>,
    pub(crate) call_sids: Table<'t, Bytes, u64>,
    pub(crate) crt_objects: Table<'t, Bytes, u64>,
    pub(crate) tasks: Table<'t, &'static UuidKey, u64>,
    pub(crate) sessions: Table<'t, &'static SessionKey, ()>,
    pub(crate) counts: Table<'t, &'static CountKey, u64>,
    pub(crate) tenants: Table<'t, &'static [u8; 4], Bytes>,
    pub(crate) tenant_names: Table<'t, &'static str, u32>,
    pub(crate) keys: Table<'t, &'static [u8; 8], Bytes>,
    pub(crate) users: Table<'t, Bytes, Bytes>,
    pub(crate) user_sessions: Table<'t, Bytes, Bytes>,
    pub(crate) locks: Table<'t, Bytes, Bytes>,
    pub(crate) signing_keys: Table<'t, Bytes, Bytes>,
    pub(crate) garbage: Table<'t, &'static RecordingKey, Bytes>,
    pub(crate) tombstones: Table<'t, &'static [u8; 8], ()>,
}

impl<'t> Tables<'t> {
    /// Opens, and where needed creates, every table.
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self, TableError> {
        Ok(Self {
            transaction,
            telling: Telling::default(),
            meta: transaction.open_table(META)?,
            recordings: transaction.open_table(RECORDINGS)?,
            recids: transaction.open_table(RECIDS)?,
            by_time: transaction.open_table(BY_TIME)?,
            live: transaction.open_table(LIVE)?,
            postings: transaction.open_table(POSTINGS)?,
            call_sids: transaction.open_table(CALL_SIDS)?,
            crt_objects: transaction.open_table(CRT_OBJECTS)?,
            tasks: transaction.open_table(TASKS)?,
            sessions: transaction.open_table(SESSIONS)?,
            counts: transaction.open_table(COUNTS)?,
            tenants: transaction.open_table(TENANTS)?,
            tenant_names: transaction.open_table(TENANT_NAMES)?,
            keys: transaction.open_table(KEYS)?,
            users: transaction.open_table(USERS)?,
            user_sessions: transaction.open_table(USER_SESSIONS)?,
            locks: transaction.open_table(LOCKS)?,
            signing_keys: transaction.open_table(SIGNING_KEYS)?,
            garbage: transaction.open_table(GARBAGE)?,
            tombstones: transaction.open_table(TOMBSTONES)?,
        })
    }

    /// Opens, and where needed creates, a table that few changes touch: every commit of the
    /// recorder goes without it.
    pub(crate) fn rare<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<Table<'t, K, V>, StorageError> {
        let opened = self.transaction.open_table(definition);
        opened.map_err(|error| match error {
            TableError::Storage(error) => error,
            other => StorageError::Corrupted(other.to_string()),
        })
    }
}

/// Opens a table of [`Tables::rare`] for reading; `None` when nothing was ever put into it.
pub(crate) fn rare<K: Key + 'static, V: Value + 'static>(
    reading: &ReadTransaction,
    definition: TableDefinition<'static, K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, TableError> {
    match reading.open_table(definition) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
