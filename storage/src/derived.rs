//! SKELETON
//! Files made from recordings (conversions): kept within a bound, found again after a restart,
//! gone when their source is. `derived/<tenant>/<recid>/<tag>.<ext>`.
use std::fs::File;
use std::path::PathBuf;

use crate::error::{DerivedError, ReplaceError};
use crate::handle::StorageHandle;
use crate::record::{Container, Recording};
use crate::view::RecordingView;

/// A file that is being made; removed again unless it is kept. Its folder is on the store's disk.
#[derive(Debug)]
pub struct DerivedDraft {
    file: File,
    _path: PathBuf,
}

impl DerivedDraft {
    /// Where to write, read and seek.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }
}

#[allow(missing_docs, clippy::todo, reason = "skeleton")]
impl StorageHandle {
    /// How many bytes of conversions are kept; the least recently used go when there are more.
    pub fn set_derived_limit(&self, bytes: u64) {
        let _ = bytes;
        todo!()
    }
    /// A kept conversion, if there is one, and counts it as used. `tag` is hex and names source
    /// content, encoder and settings; it is the entity tag. Blocks on the disk.
    pub fn derived(
        &self,
        source: &Recording,
        container: Container,
        tag: &str,
    ) -> Result<Option<RecordingView>, DerivedError> {
        let _ = (source, container, tag);
        todo!()
    }
    /// Begins a file. Refused when the disk is nearly full.
    pub fn draft_derived(&self, source: &Recording) -> Result<DerivedDraft, DerivedError> {
        let _ = source;
        todo!()
    }
    /// Keeps a finished file (may push out others) and opens it. `Gone` when its source was
    /// deleted or changed meanwhile: then nothing is kept.
    pub fn keep_derived(
        &self,
        source: &Recording,
        container: Container,
        tag: &str,
        draft: DerivedDraft,
    ) -> Result<RecordingView, DerivedError> {
        let _ = (source, container, tag, draft);
        todo!()
    }
    /// Replaces a sealed recording's file by a finished draft of the same sound in another format
    /// (stored format of its tenant): new file durable, row committed, old file removed, in this
    /// order; a crash anywhere leaves exactly one of the two. Its facts, gaps, levels and names
    /// stay; container, size and content hash are new; `outcome.frames` stays the recorded length.
    pub fn replace_stored(
        &self,
        source: &Recording,
        container: Container,
        draft: DerivedDraft,
    ) -> Result<Recording, ReplaceError> {
        let _ = (source, container, draft);
        todo!()
    }
    /// Bytes and files of kept conversions.
    pub fn derived_usage(&self) -> (u64, u64) {
        todo!()
    }
    /// When a recording that was deleted was deleted, by a name it had; `None` when it never was
    /// or is too long ago to be known.
    pub fn purged_at(
        &self,
        tenant: crate::ids::TenantId,
        name: &crate::ids::RecordingName,
    ) -> Result<Option<audio_io::units::WallMillis>, crate::error::ReadError> {
        let _ = (tenant, name);
        todo!()
    }
}
