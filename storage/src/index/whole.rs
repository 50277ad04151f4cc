//! All tables of the index as rows of bytes, for backups and for what is put together from them:
//! what rows mean is not looked at here, only whether they can be rows of their table at all.

use redb::{
    Key, ReadTransaction, ReadableTableMetadata as _, TableDefinition, Value, WriteTransaction,
};

use super::{keeping, ledger, notes, outbox, prompts, purged, replaced, search, tables};
use crate::error::ReadError;

/// A row: its key and its value.
pub(crate) type Row<'r> = (&'r [u8], &'r [u8]);

/// Told each row; what it answers ends the walk.
pub(crate) type Visit<'v, E> = &'v mut dyn FnMut(&[u8], &[u8]) -> Result<(), E>;

/// A table, whatever its types.
pub(crate) trait AnyTable: Sync {
    /// Its name on disk.
    fn name(&self) -> &'static str;

    /// How many rows it has.
    fn len(&self, reading: &ReadTransaction) -> Result<u64, ReadError>;

    /// Whether a row can be one of this table: widths, and text that must be UTF-8.
    fn takes(&self, row: Row<'_>) -> bool;

    /// Hands every row, in the order of keys, to `visit`.
    fn each(
        &self,
        reading: &ReadTransaction,
        visit: Visit<'_, std::io::Error>,
    ) -> Result<(), WalkError>;

    /// Puts rows that [`Self::takes`] into it.
    fn put(&self, writing: &WriteTransaction, rows: &[Row<'_>]) -> Result<(), redb::Error>;

    /// Removes all rows.
    fn clear(&self, writing: &WriteTransaction) -> Result<(), redb::Error>;
}

/// Why a walk over a table ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WalkError {
    /// The index.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Whoever was told the rows.
    #[error(transparent)]
    Visit(#[from] std::io::Error),
}

struct Typed<K: Key + 'static, V: Value + 'static>(TableDefinition<'static, K, V>);

impl<K: Key + 'static, V: Value + 'static> AnyTable for Typed<K, V>
where
    TableDefinition<'static, K, V>: Sync,
{
    fn name(&self) -> &'static str {
        redb_name(&self.0)
    }

    fn len(&self, reading: &ReadTransaction) -> Result<u64, ReadError> {
        match tables::rare(reading, self.0)? {
            Some(table) => Ok(table.len()?),
            None => Ok(0),
        }
    }

    fn takes(&self, (key, value): Row<'_>) -> bool {
        fits::<K>(key) && fits::<V>(value)
    }

    fn each(
        &self,
        reading: &ReadTransaction,
        visit: Visit<'_, std::io::Error>,
    ) -> Result<(), WalkError> {
        let Some(table) = tables::rare(reading, self.0).map_err(ReadError::from)? else {
            return Ok(());
        };
        for entry in table
            .range::<K::SelfType<'_>>(..)
            .map_err(ReadError::from)?
        {
            let (key, value) = entry.map_err(ReadError::from)?;
            let (key, value) = (key.value(), value.value());
            visit(K::as_bytes(&key).as_ref(), V::as_bytes(&value).as_ref())?;
        }
        Ok(())
    }

    fn put(&self, writing: &WriteTransaction, rows: &[Row<'_>]) -> Result<(), redb::Error> {
        let mut table = writing.open_table(self.0)?;
        for (key, value) in rows {
            table.insert(K::from_bytes(key), V::from_bytes(value))?;
        }
        Ok(())
    }

    fn clear(&self, writing: &WriteTransaction) -> Result<(), redb::Error> {
        writing.delete_table(self.0)?;
        writing.open_table(self.0)?;
        Ok(())
    }
}

fn redb_name<K: Key + 'static, V: Value + 'static>(
    definition: &TableDefinition<'static, K, V>,
) -> &'static str {
    use redb::TableHandle as _;
    let name = definition.name();
    NAMES.iter().find(|known| **known == name).unwrap_or(&"")
}

fn fits<T: Value>(bytes: &[u8]) -> bool {
    if T::type_name() == <&str>::type_name() {
        return std::str::from_utf8(bytes).is_ok();
    }
    T::fixed_width().is_none_or(|width| width == bytes.len())
}

macro_rules! all {
    ($($place:ident :: $table:ident = $name:literal),* $(,)?) => {
        /// The names of [`ALL`].
        const NAMES: &[&str] = &[$($name),*];

        /// Every table there can be.
        pub(crate) static ALL: &[&dyn AnyTable] = &[$(&Typed($place::$table)),*];
    };
}

all! {
    tables::META = "meta",
    tables::TENANTS = "tenants",
    tables::TENANT_NAMES = "tenant_names",
    tables::KEYS = "keys",
    tables::USERS = "users",
    tables::USER_SESSIONS = "user_sessions",
    tables::LOCKS = "locks",
    tables::SIGNING_KEYS = "signing_keys",
    outbox::APPS = "outbox_apps",
    tables::RECORDINGS = "recordings",
    tables::RECIDS = "recids",
    tables::BY_TIME = "by_time",
    tables::LIVE = "live",
    tables::CALL_SIDS = "call_sids",
    tables::CRT_OBJECTS = "crt_objects",
    tables::TASKS = "tasks",
    tables::SESSIONS = "sessions",
    tables::COUNTS = "counts",
    tables::GARBAGE = "garbage",
    tables::TOMBSTONES = "tombstones",
    replaced::LEFTOVERS = "leftovers",
    purged::PURGED = "purged",
    purged::PURGED_NAMES = "purged_names",
    purged::PURGED_BY_TIME = "purged_by_time",
    purged::PURGED_COUNTS = "purged_counts",
    keeping::KEEPING = "keeping",
    keeping::BY_TAG = "by_tag",
    keeping::BIRTHS = "births",
    notes::NOTES = "notes",
    notes::NOTE_COUNTS = "note_counts",
    notes::NOTES_DIRTY = "notes_dirty",
    search::POSTINGS = "postings",
    prompts::PROMPTS = "prompts",
    prompts::PROMPT_FILES = "prompt_files",
    outbox::EVENTS = "outbox_events",
    outbox::DEAD = "outbox_dead",
    outbox::IDS = "outbox_ids",
    outbox::ORDER = "outbox_order",
    outbox::DUE = "outbox_due",
    outbox::SEQUENCES = "outbox_sequences",
    outbox::DAYS = "outbox_days",
    outbox::COUNTS = "outbox_counts",
    outbox::NOTES = "outbox_notes",
    ledger::LEDGER_BY = "ledger_by",
    ledger::LEDGER_AT = "ledger_at",
}

/// Tables that are made again: from the ledger's own files, from rows, from notes.
const MADE_AGAIN: [&str; 4] = ["ledger_by", "ledger_at", "postings", "notes_dirty"];

/// Every table that a backup holds.
pub(crate) fn backed_up() -> impl Iterator<Item = &'static dyn AnyTable> {
    let all = ALL.iter().copied();
    all.filter(|table| !MADE_AGAIN.contains(&table.name()))
}

/// The table of this name.
pub(crate) fn named(name: &str) -> Option<&'static dyn AnyTable> {
    ALL.iter().copied().find(|table| table.name() == name)
}

#[cfg(test)]
mod tests {
    use redb::TableHandle as _;

    use super::*;
    use crate::testing::Store;

    #[test]
    fn no_table_of_a_full_index_is_missing_here() {
        for table in ALL {
            assert_eq!(named(table.name()).map(AnyTable::name), Some(table.name()));
        }
        let store = Store::new();
        let row = store.recorded();
        store.handle.delete(store.tenant, row.facts.id).unwrap();
        let reading = store.handle.shared.index.begin_read().unwrap();
        let held: Vec<_> = reading.list_tables().unwrap().collect();
        assert!(held.len() >= 20, "{}", held.len());
        for table in held {
            assert!(named(table.name()).is_some(), "{}", table.name());
        }
    }

    #[test]
    fn rows_of_other_widths_are_told_apart() {
        let takes = |name, row: Row<'_>| named(name).unwrap().takes(row);
        assert!(takes("recordings", (&[0; 12], b"anything")));
        assert!(!takes("recordings", (&[0; 11], b"anything")));
        assert!(takes("live", (&[0; 12], b"")));
        assert!(!takes("live", (&[0; 12], b"x")));
        assert!(takes("meta", ("schema".as_bytes(), &[0, 0, 0, 3])));
        assert!(!takes("meta", (&[0xFF, 0xFE], b"")));
        assert!(!takes("counts", (&[0; 5], &[0; 4])));
    }
}
