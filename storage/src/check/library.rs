//! The check's part for prompts, and for files of prompts and conversions.

use std::path::Path;

use super::{Check, Finding};
use crate::error::CheckError;
use crate::ids::{PromptId, RecordingName, TenantId};
use crate::limits::CHECK_ROWS;
use crate::prompt::{PromptRow, PromptSound};
use crate::walk;
use crate::work::measure;

impl Check<'_> {
    /// Rows of prompts against their files.
    pub(super) fn prompts(&mut self) -> Result<(), CheckError> {
        let mut after = None;
        loop {
            let rows = self.index.walk_prompts(after, CHECK_ROWS)?;
            let Some((tenant, id, _)) = rows.last() else {
                return Ok(());
            };
            after = Some((*tenant, *id));
            for (tenant, id, row) in rows {
                match row {
                    Ok(row) if (row.tenant, row.id) == (tenant, id) => self.prompt(&row)?,
                    _ => self.report.found(Finding::PromptRow { tenant, id }),
                }
            }
        }
    }

    fn prompt(&mut self, row: &PromptRow) -> Result<(), CheckError> {
        let Some(sound) = row.sound.as_ref().filter(|_| row.deleted_at.is_none()) else {
            return Ok(());
        };
        let Some(finding) = self.prompt_file(row, sound) else {
            return Ok(());
        };
        // It may have been deleted since its row was read.
        let now = self.index.prompt(row.tenant, row.id)?;
        if now.is_some_and(|now| now.deleted_at.is_none()) {
            self.report.found(finding);
        }
        Ok(())
    }

    fn prompt_file(&mut self, row: &PromptRow, sound: &PromptSound) -> Option<Finding> {
        let id = row.id;
        let path = self.layout.prompt(row.tenant, id, sound.container);
        let found = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Some(Finding::MissingPrompt { id, path });
            }
            Err(problem) => return Some(Finding::PromptUnreadable { id, problem }),
        };
        self.report.bytes += found;
        let expected = sound.size_bytes;
        if found != expected {
            return Some(Finding::PromptSize {
                id,
                expected,
                found,
            });
        }
        if !self.options.hashes {
            return None;
        }
        match measure(&path, None, &mut |_| ()) {
            Ok(measured) if measured.hash == sound.content_hash => None,
            Ok(_) => Some(Finding::PromptHash { id }),
            Err(problem) => Some(Finding::PromptUnreadable { id, problem }),
        }
    }

    /// Whether a file below `prompts/` is a prompt's, or known to come or to go.
    pub(super) fn is_prompt(&self, path: &Path) -> bool {
        if path.starts_with(self.layout.prompt_drafts()) {
            return true;
        }
        let Some((tenant, id)) = walk::prompt(self.layout, path) else {
            return false;
        };
        self.is_file_of(tenant, id, path)
    }

    fn is_file_of(&self, tenant: TenantId, id: PromptId, path: &Path) -> bool {
        let row = match self.index.prompt(tenant, id) {
            Ok(row) => row.filter(|row| row.deleted_at.is_none()),
            // Whose row is unreadable is told already.
            Err(_) => return true,
        };
        let sound = row.and_then(|row| row.sound);
        sound.is_some_and(|sound| self.layout.prompt(tenant, id, sound.container) == path)
            || self.index.is_unsettled(tenant, id).unwrap_or(true)
    }

    /// Whether a file below `derived/` is a conversion of a recording that is there, or a draft.
    pub(super) fn is_derived(&self, path: &Path) -> bool {
        if path.starts_with(self.layout.derived_drafts()) {
            return true;
        }
        let Some((tenant, id)) = walk::derived(self.layout, path) else {
            return false;
        };
        match self.index.find(tenant, &RecordingName::Recid(id)) {
            Ok(row) => row.is_some(),
            // Whose row is unreadable is told already.
            Err(_) => true,
        }
    }
}
