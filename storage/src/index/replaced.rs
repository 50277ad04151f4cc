//! A recording's file is exchanged for one of another format: which files of either may still be
//! on disk, and the one change that makes the new one the recording's.
//!
//! ```text
//!  Intend (new file may be there) ──▶ Commit (row: new; old file may be there) ──▶ Settled
//! ```

use redb::{ReadableTable as _, StorageError, TableDefinition};

use super::Index;
use super::apply::{Applied, Refusal};
use super::keys;
use super::tables::{self, Tables};
use super::values;
use crate::error::ReadError;
use crate::ids::RecordingId;
use crate::record::{Container, Recording};

/// tenant (4), id (8), format (1).
pub(super) type LeftoverKey = [u8; 13];

/// tenant, id, format → row that names a file which may be there and is not the recording's.
pub(super) const LEFTOVERS: TableDefinition<'static, &LeftoverKey, &[u8]> =
    TableDefinition::new("leftovers");

/// A step of the exchange. Rows name the file by their container.
#[derive(Clone, Debug)]
pub(crate) enum ReplaceChange {
    /// The file of this row may come to be there.
    Intend(Box<Recording>),
    /// The row changes from the first to the second; refused when it is not the first.
    Commit(Box<(Recording, Recording)>),
    /// The file of this row, which is not the recording's, is gone.
    Settled(Box<Recording>),
}

impl ReplaceChange {
    pub(super) fn recording(&self) -> Option<RecordingId> {
        match self {
            Self::Commit(rows) => Some(rows.1.facts.id),
            Self::Intend(_) | Self::Settled(_) => None,
        }
    }

    pub(super) fn apply(&self, tables: &mut Tables<'_>) -> Result<Applied, StorageError> {
        match self {
            Self::Intend(row) => {
                let row_bytes = values::encode_recording(row);
                tables
                    .rare(LEFTOVERS)?
                    .insert(&key(row), row_bytes.as_slice())?;
            }
            Self::Settled(row) => {
                tables.rare(LEFTOVERS)?.remove(&key(row))?;
            }
            Self::Commit(rows) => return commit(tables, &rows.0, &rows.1),
        }
        Ok(Applied::Done)
    }
}

fn commit(
    tables: &mut Tables<'_>,
    before: &Recording,
    after: &Recording,
) -> Result<Applied, StorageError> {
    let place = keys::recording(before.facts.tenant, before.facts.id);
    let held = tables
        .recordings
        .get(&place)?
        .map(|guard| values::decode_recording(guard.value()));
    if !matches!(held, Some(Ok(ref held)) if held == before) {
        return Ok(Applied::Refused(Refusal::NoRecording));
    }
    let bytes = values::encode_recording(after);
    tables.recordings.insert(&place, bytes.as_slice())?;
    let mut leftovers = tables.rare(LEFTOVERS)?;
    leftovers.remove(&key(after))?;
    leftovers.insert(&key(before), values::encode_recording(before).as_slice())?;
    tables.telling.exchanged(before, after);
    Ok(Applied::Done)
}

impl Index {
    /// Rows that name files which may be there and are no recording's. Unreadable ones are
    /// passed over: what they named is a stranger then, and a check tells.
    pub(crate) fn leftovers(&self) -> Result<Vec<Recording>, ReadError> {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, LEFTOVERS)? else {
            return Ok(Vec::new());
        };
        let mut all = Vec::new();
        for entry in table.iter()? {
            all.extend(values::decode_recording(entry?.1.value()).ok());
        }
        Ok(all)
    }

    /// Whether a file of this recording in this format is known to be under way or on its way
    /// out.
    pub(crate) fn is_leftover(&self, row: &Recording) -> Result<bool, ReadError> {
        let reading = self.begin_read()?;
        match tables::rare(&reading, LEFTOVERS)? {
            Some(table) => Ok(table.get(&key(row))?.is_some()),
            None => Ok(false),
        }
    }
}

fn key(row: &Recording) -> LeftoverKey {
    let mut key = [0; 13];
    key[..12].copy_from_slice(&keys::recording(row.facts.tenant, row.facts.id));
    key[12] = container_byte(row.facts.container);
    key
}

/// A format's number on disk.
const fn container_byte(container: Container) -> u8 {
    match container {
        Container::Wav => 0,
        Container::Mp3 => 1,
        Container::M4a => 2,
        Container::WebM => 3,
        Container::Ogg => 4,
        Container::Flac => 5,
    }
}
