//! Questions to the ledger of a store that no daemon has open. What is asked changes nothing, and
//! no checkpoint is made for a proof.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use audio_io::clock::{Clock as _, SystemClock};

use super::api::NoProof;
use super::chain::Hash;
use super::checkpoints::CHECKPOINTS;
use super::entry::Entry;
use super::key::PublicKey;
use super::lead::lead_to;
use super::proof::ChainProof;
use super::query::{AuditCursor, AuditFilter, AuditPage, page};
use super::seek::covering;
use super::segments;
use crate::check::OFFLINE_CACHE;
use crate::error::{OpenError, ReadError};
use crate::ids::{RecordingId, RecordingName, TenantId};
use crate::index::backend::{FileOpener, Opener};
use crate::index::ledger::place_before;
use crate::index::tables::meta;
use crate::index::{Index, migrate};
use crate::open::lock;
use crate::paths::Layout;
use crate::record::Tenant;
use crate::reserve::Reserve;

/// The ledger of a store at rest; nobody else opens the store meanwhile.
pub struct OfflineLedger {
    index: Index,
    folder: PathBuf,
    checkpoints: PathBuf,
    _lock: std::fs::File,
}

impl OfflineLedger {
    /// Opens it. `checkpoints` is their folder; that of the store where it is not told.
    ///
    /// # Errors
    /// [`OpenError`]: another process has the store open, or it cannot be read.
    pub fn open(data_dir: &Path, checkpoints: Option<&Path>) -> Result<Self, OpenError> {
        let layout = Layout::new(data_dir);
        let lock = lock(&layout)?;
        let reserve = Arc::new(Reserve::new(layout.reserve()));
        let opener: Arc<dyn Opener> = Arc::new(FileOpener { reserve });
        let (index, _) = migrate::open(&opener, &layout, OFFLINE_CACHE, SystemClock.wall())?;
        Ok(Self {
            index,
            folder: layout.ledger(),
            checkpoints: checkpoints.map_or_else(|| layout.checkpoints(), Path::to_owned),
            _lock: lock,
        })
    }

    /// A page, as [`crate::handle::StorageHandle::audit`] answers it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn audit(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<AuditPage, ReadError> {
        page(&self.index, &self.folder, filter, after, limit)
    }

    /// An entry by its number, and the hash after it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn audit_entry(&self, seq: u64) -> Result<Option<(Entry, Hash)>, ReadError> {
        let reading = self.index.begin_read()?;
        let Some(place) = place_before(&reading, seq)? else {
            return Ok(None);
        };
        segments::find(&self.folder, place, seq).map_err(ReadError::Ledger)
    }

    /// What proves an entry, by a checkpoint that there is.
    ///
    /// # Errors
    /// [`NoProof`].
    pub fn proof_of(&self, seq: u64) -> Result<ChainProof, NoProof> {
        let head = self.index.ledger_head(meta::LEDGER_HEAD)?;
        let head = head.filter(|head| (1..=head.end.seq).contains(&seq));
        let head = head.ok_or(NoProof::NoEntry(seq))?;
        let path = self.checkpoints.join(CHECKPOINTS);
        let found = covering(&path, &head.log, self.ledger_key().as_ref(), seq);
        let found = found.map_err(ReadError::Ledger)?;
        let checkpoint = found.ok_or(NoProof::NoCheckpoint { seq, why: None })?;
        lead_to(&self.index, &self.folder, seq, &checkpoint)
    }

    /// The public key of the latest checkpoints.
    #[must_use]
    pub fn ledger_key(&self) -> Option<PublicKey> {
        let bytes = self.index.meta(meta::LEDGER_KEY).ok()??;
        bytes.try_into().ok().map(PublicKey)
    }

    /// All tenants, for their names.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn tenants(&self) -> Result<Vec<Tenant>, ReadError> {
        self.index.tenants()
    }

    /// The number of the recording that a tenant has by a name.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn find(
        &self,
        tenant: TenantId,
        name: &RecordingName,
    ) -> Result<Option<RecordingId>, ReadError> {
        let row = self.index.find(tenant, name)?;
        Ok(row.map(|row| row.facts.id))
    }
}
