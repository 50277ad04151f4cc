//! Which checkpoint covers an entry.

use super::checkpoint::Checkpoint;
use super::checkpoints::CHECKPOINTS;
use super::seek;
use crate::error::ReadError;
use crate::handle::StorageHandle;

impl StorageHandle {
    /// The first checkpoint that covers an entry, if there is one yet; none is made for it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn checkpoint_of(&self, seq: u64) -> Result<Option<Checkpoint>, ReadError> {
        let status = self.ledger_status()?;
        let path = self.checkpoints_dir().join(CHECKPOINTS);
        let key = self.ledger_key();
        seek::covering(&path, &status.log, key.as_ref(), seq).map_err(ReadError::Ledger)
    }
}
