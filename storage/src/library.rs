//! SKELETON
//! The prompt library on disk: `prompts/<tenant>/<id>.<ext>` and rows in the index.
use std::path::Path;

use crate::error::{PromptError, ReadError, ViewError};
use crate::handle::StorageHandle;
use crate::ids::{PromptId, TenantId};
use crate::prompt::{NewPrompt, PromptRow, SoundFacts};
use crate::view::RecordingView;

#[allow(missing_docs, clippy::todo, reason = "skeleton")]
impl StorageHandle {
    /// Adds a prompt; with a file for an upload, which is copied (the caller probed it).
    pub fn add_prompt(
        &self,
        prompt: NewPrompt,
        file: Option<(&Path, SoundFacts)>,
    ) -> Result<PromptRow, PromptError> {
        let _ = (prompt, file);
        todo!()
    }
    /// Stores the file of a prompt that was fetched or spoken; the first one that is stored stays.
    pub fn store_prompt_sound(
        &self,
        tenant: TenantId,
        id: PromptId,
        file: &Path,
        facts: SoundFacts,
    ) -> Result<PromptRow, PromptError> {
        let _ = (tenant, id, file, facts);
        todo!()
    }
    pub fn prompt(&self, tenant: TenantId, id: PromptId) -> Result<Option<PromptRow>, ReadError> {
        let _ = (tenant, id);
        todo!()
    }
    /// A tenant's prompts by id, newest first, at most `limit` that `wanted` says yes to.
    pub fn prompts(
        &self,
        tenant: TenantId,
        wanted: &mut dyn FnMut(&PromptRow) -> bool,
        limit: usize,
    ) -> Result<Vec<PromptRow>, ReadError> {
        let _ = (tenant, wanted, limit);
        todo!()
    }
    /// Deletes a prompt: its row keeps `deleted_at`, its file goes.
    pub fn delete_prompt(&self, tenant: TenantId, id: PromptId) -> Result<PromptRow, PromptError> {
        let _ = (tenant, id);
        todo!()
    }
    /// The bytes of a prompt that has a file. Blocks on the disk: call it off the event loop.
    pub fn view_prompt(&self, row: &PromptRow) -> Result<RecordingView, ViewError> {
        let _ = row;
        todo!()
    }
}
