//! A look at an index that nobody has open, without changing it.

use std::path::Path;

use redb::{Database, DatabaseError, ReadableDatabase as _, TableError};

use super::keys::be32;
use super::migrate::SCHEMA;
use super::tables::{META, meta};
use crate::error::OpenError;
use crate::open::failed;
use crate::paths::Layout;

/// The schema of indexes that this version writes.
pub const KNOWN_SCHEMA: u32 = SCHEMA;

/// What an index looks like from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// There is none yet.
    Absent,
    /// A crash left it; the daemon's next start repairs it.
    Unclosed,
    /// It has this schema.
    Schema(u32),
}

/// Looks at the index in a data folder.
///
/// # Errors
/// [`OpenError::Io`] when it may not be read, [`OpenError::Index`] when it is no index or is open
/// elsewhere.
pub fn look(data_dir: &Path) -> Result<IndexState, OpenError> {
    let path = Layout::new(data_dir).index();
    match std::fs::File::open(&path) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(IndexState::Absent);
        }
        Err(source) => return Err(failed("opening the index", &path, source)),
    }
    let database = match Database::builder().open_read_only(&path) {
        Ok(database) => database,
        Err(DatabaseError::RepairAborted) => return Ok(IndexState::Unclosed),
        Err(error) => return Err(error.into()),
    };
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(META) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(IndexState::Absent),
        Err(error) => return Err(error.into()),
    };
    let found = table.get(meta::SCHEMA)?.map(|guard| be32(guard.value()));
    Ok(found.map_or(IndexState::Absent, IndexState::Schema))
}
