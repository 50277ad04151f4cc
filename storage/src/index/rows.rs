//! Rows whose meaning the index does not know: `accounts` checks and encodes them, all of it in
//! memory, and says what is put and what is removed.

use std::fmt;

use redb::{ReadableTable as _, StorageError, Table, TableDefinition};

use super::Index;
use super::apply::{Applied, raise};
use super::tables::{self, Tables};
use crate::error::ReadError;

type Bytes = &'static [u8];

/// A table of such rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowTable {
    Users,
    UserSessions,
    Locks,
    SigningKeys,
}

impl RowTable {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [
        Self::Users,
        Self::UserSessions,
        Self::Locks,
        Self::SigningKeys,
    ];

    const fn definition(self) -> TableDefinition<'static, Bytes, Bytes> {
        match self {
            Self::Users => tables::USERS,
            Self::UserSessions => tables::USER_SESSIONS,
            Self::Locks => tables::LOCKS,
            Self::SigningKeys => tables::SIGNING_KEYS,
        }
    }

    /// The table's name on disk.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::UserSessions => "user_sessions",
            Self::Locks => "locks",
            Self::SigningKeys => "signing_keys",
        }
    }

    fn of<'a, 't>(self, tables: &'a mut Tables<'t>) -> &'a mut Table<'t, Bytes, Bytes> {
        match self {
            Self::Users => &mut tables.users,
            Self::UserSessions => &mut tables.user_sessions,
            Self::Locks => &mut tables.locks,
            Self::SigningKeys => &mut tables.signing_keys,
        }
    }
}

/// What happens to one row.
#[derive(Clone)]
pub(crate) enum RowChange {
    /// The row is there afterwards.
    Put(RowTable, Vec<u8>, Vec<u8>),
    /// The row is changed, unless it went meanwhile.
    Replace(RowTable, Vec<u8>, Vec<u8>),
    /// The row is gone afterwards.
    Remove(RowTable, Vec<u8>),
    /// All of the table's rows are gone afterwards.
    Clear(RowTable),
    /// A number of the book-keeping is at least this.
    Raise(&'static str, u64),
    /// Bytes of the book-keeping.
    Meta(&'static str, Vec<u8>),
}

/// Rows hold secrets: only their place is told.
impl fmt::Debug for RowChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(table, ..) => write!(f, "Put({table:?})"),
            Self::Replace(table, ..) => write!(f, "Replace({table:?})"),
            Self::Remove(table, _) => write!(f, "Remove({table:?})"),
            Self::Clear(table) => write!(f, "Clear({table:?})"),
            Self::Raise(name, to) => write!(f, "Raise({name}, {to})"),
            Self::Meta(name, _) => write!(f, "Meta({name})"),
        }
    }
}

/// Rows that are gathered while they wait for a commit: they are asked for in the commit itself,
/// and again when it fails.
pub(crate) trait LateRows: fmt::Debug + Send + Sync {
    /// What is to be written now.
    fn rows(&self) -> Vec<RowChange>;

    /// Told on the writer thread: what was asked for since this was last told is durable.
    fn committed(&self);
}

pub(super) fn apply(
    tables: &mut Tables<'_>,
    changes: &[RowChange],
) -> Result<Applied, StorageError> {
    for change in changes {
        match change {
            RowChange::Put(table, key, value) => {
                table.of(tables).insert(key.as_slice(), value.as_slice())?;
            }
            RowChange::Replace(table, key, value) => {
                let rows = table.of(tables);
                if rows.get(key.as_slice())?.is_some() {
                    rows.insert(key.as_slice(), value.as_slice())?;
                }
            }
            RowChange::Remove(table, key) => {
                table.of(tables).remove(key.as_slice())?;
            }
            RowChange::Clear(table) => table.of(tables).retain(|_, _| false)?,
            RowChange::Raise(name, to) => {
                raise(tables, name, *to)?;
            }
            RowChange::Meta(name, bytes) => {
                tables.meta.insert(*name, bytes.as_slice())?;
            }
        }
    }
    Ok(Applied::Done)
}

impl Index {
    /// All rows of a table, undecoded.
    #[allow(clippy::type_complexity, reason = "keys and what they lead to")]
    pub(crate) fn raw_rows(&self, table: RowTable) -> Result<Vec<(Vec<u8>, Vec<u8>)>, ReadError> {
        let table = self.begin_read()?.open_table(table.definition())?;
        let mut all = Vec::new();
        for entry in table.iter()? {
            let (key, value) = entry?;
            all.push((key.value().to_vec(), value.value().to_vec()));
        }
        Ok(all)
    }

    /// A value of the book-keeping.
    pub(crate) fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let table = self.begin_read()?.open_table(tables::META)?;
        Ok(table.get(name)?.map(|guard| guard.value().to_vec()))
    }
}
