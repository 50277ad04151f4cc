//! A look at an index that nobody has open, without changing it.

use std::path::Path;

use redb::Database;

use super::keys::be32;
use super::migrate::SCHEMA;
use super::tables::{META, meta};
use crate::error::OpenError;
use crate::paths::Layout;

/// The schema of indexes that this version writes.
pub const KNOWN_SCHEMA: u32 = SCHEMA;

/// The schema of the index in a data folder; none where there is no index yet.
///
/// # Errors
/// [`OpenError::Io`] when it may not be read, [`OpenError::Index`] when it is no index, is open
/// elsewhere or was not closed: the daemon's next start repairs that.
pub fn schema_of(data_dir: &Path) -> Result<Option<u32>, OpenError> {
    let path = Layout::new(data_dir).index();
    match std::fs::File::open(&path) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(crate::open::failed("opening the index", &path, source)),
    }
    let database = Database::builder().open_read_only(&path)?;
    let transaction = redb::ReadableDatabase::begin_read(&database)?;
    let table = match transaction.open_table(META) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(table.get(meta::SCHEMA)?.map(|guard| be32(guard.value())))
}
