//! The prompt library on disk: `prompts/<tenant>/<id>.<ext>` and rows in the index. What the
//! rows say is in `prompt.rs`.
//!
//! ```text
//!  copy in prompts/tmp, synced ──▶ "a file may come" committed ──▶ renamed, folder synced
//!    ──▶ row with the file committed, hint dropped
//!  deletion: row with deleted_at and hint committed ──▶ file unlinked, folder synced ──▶ hint
//!    dropped
//! ```
//! A crash leaves the hint, and the next start removes what the hint's row does not name.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{OpenError, PromptError, ReadError, ViewError};
use crate::handle::StorageHandle;
use crate::ids::{PromptId, TenantId};
use crate::import::{CopyError, copy};
use crate::index::Index;
use crate::index::apply::{Applied, Change, Refusal};
use crate::index::prompts::PromptChange;
use crate::limits::{PROMPT_NAME_MAX, SPEECH_TEXT_MAX};
use crate::open::open_error;
use crate::paths::{Layout, clear, create_dirs, sync_dir, unlink_if_there};
use crate::prompt::{NewPrompt, PromptOrigin, PromptRow, PromptSound, SoundFacts};
use crate::record::Container;
use crate::shared::Shared;
use crate::view::{RecordingView, hex};
use crate::work::measure;

/// What the library keeps in memory: who changes files, and numbers for drafts.
#[derive(Debug, Default)]
pub(crate) struct Library {
    /// Held while a file and its row change: one prompt's first file stays, and a deletion never
    /// meets a file that comes.
    changing: Mutex<()>,
    drafts: AtomicU64,
}

impl Library {
    fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageHandle {
    /// Adds a prompt; with a file for an upload, which is copied (the caller probed it). Durable
    /// when it returns. Blocks on the disk.
    ///
    /// # Errors
    /// [`PromptError`]; nothing is left behind then.
    pub fn add_prompt(
        &self,
        prompt: NewPrompt,
        file: Option<(&Path, SoundFacts)>,
    ) -> Result<PromptRow, PromptError> {
        let shared = &*self.shared;
        check(&prompt)?;
        let tenant = prompt.tenant;
        let at = shared.clock.wall();
        let Some((source, facts)) = file else {
            let change = PromptChange::Add(Box::new(prompt), at);
            return row_of(shared.committer.commit(Change::Prompt(change))?, tenant);
        };
        let draft = Draft::copy(shared, source)?;
        let sound = draft.sound(shared, facts)?;
        let _changing = shared.library.change();
        let change = PromptChange::Prepare(Box::new(prompt), at);
        let mut row = row_of(shared.committer.commit(Change::Prompt(change))?, tenant)?;
        let id = row.id;
        row.sound = Some(sound);
        let put = draft.place(shared, (tenant, id), facts.container);
        let put = put.and_then(|()| {
            let change = PromptChange::Put(Box::new(row));
            row_of(shared.committer.commit(Change::Prompt(change))?, tenant)
        });
        put.inspect_err(|_| take_back(shared, (tenant, id), facts.container))
    }

    /// Stores the file of a prompt that was fetched or spoken; the first one that is stored
    /// stays, and later ones are dropped. Durable when it returns. Blocks on the disk.
    ///
    /// # Errors
    /// [`PromptError`]; a prompt that is deleted is `NotFound`.
    pub fn store_prompt_sound(
        &self,
        tenant: TenantId,
        id: PromptId,
        file: &Path,
        facts: SoundFacts,
    ) -> Result<PromptRow, PromptError> {
        let shared = &*self.shared;
        if let Some(row) = with_sound(shared, tenant, id)? {
            return Ok(row);
        }
        let draft = Draft::copy(shared, file)?;
        let sound = draft.sound(shared, facts)?;
        let _changing = shared.library.change();
        if let Some(row) = with_sound(shared, tenant, id)? {
            return Ok(row);
        }
        let commit = |change| shared.committer.commit(Change::Prompt(change));
        commit(PromptChange::Intend(tenant, id))?;
        let stored = draft.place(shared, (tenant, id), facts.container);
        let stored =
            stored.and_then(
                |()| match commit(PromptChange::Sound(tenant, id, Box::new(sound)))? {
                    Applied::Prompt(row) => Ok(*row),
                    Applied::Refused(Refusal::Unreadable) => Err(ReadError::PromptRow(id).into()),
                    _ => Err(PromptError::NotFound(id)),
                },
            );
        stored.inspect_err(|_| take_back(shared, (tenant, id), facts.container))
    }

    /// A prompt of a tenant, deleted and expired ones included.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn prompt(&self, tenant: TenantId, id: PromptId) -> Result<Option<PromptRow>, ReadError> {
        self.shared.index.prompt(tenant, id)
    }

    /// A tenant's prompts by id, newest first, at most `limit` that `wanted` says yes to. Looks
    /// at the newest [`crate::limits::PROMPT_SCAN_MAX`] at most.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn prompts(
        &self,
        tenant: TenantId,
        wanted: &mut dyn FnMut(&PromptRow) -> bool,
        limit: usize,
    ) -> Result<Vec<PromptRow>, ReadError> {
        self.shared.index.prompts(tenant, wanted, limit)
    }

    /// Deletes a prompt: its row keeps `deleted_at`, its file goes. Once more changes nothing.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// [`PromptError`]; `Io` when only the file is left, which the next start removes.
    pub fn delete_prompt(&self, tenant: TenantId, id: PromptId) -> Result<PromptRow, PromptError> {
        let shared = &*self.shared;
        let at = shared.clock.wall();
        let _changing = shared.library.change();
        let change = PromptChange::Delete(tenant, id, at);
        let row = match shared.committer.commit(Change::Prompt(change))? {
            Applied::Prompt(row) => *row,
            Applied::Refused(Refusal::Unreadable) => return Err(ReadError::PromptRow(id).into()),
            _ => return Err(PromptError::NotFound(id)),
        };
        if let Some(sound) = &row.sound {
            let path = shared.layout.prompt(tenant, id, sound.container);
            remove(&path).map_err(|source| PromptError::Io {
                what: "the prompt is deleted, its file is not yet",
                source,
            })?;
            let change = PromptChange::Settled(tenant, id);
            shared.committer.commit(Change::Prompt(change))?;
        }
        Ok(row)
    }

    /// The file of a prompt that has one, of the length that it should have. Blocks on the disk:
    /// call it off the event loop.
    ///
    /// # Errors
    /// [`ViewError`].
    pub fn open_prompt(&self, row: &PromptRow) -> Result<File, ViewError> {
        self.prompt_file(row).map(|(file, _)| file)
    }

    /// The bytes of a prompt that has a file; its entity tag is the hex of the content hash.
    /// Blocks on the disk: call it off the event loop.
    ///
    /// # Errors
    /// [`ViewError`].
    pub fn view_prompt(&self, row: &PromptRow) -> Result<RecordingView, ViewError> {
        let (file, sound) = self.prompt_file(row)?;
        let etag = hex(&sound.content_hash);
        let failed = |error| ViewError::PromptIo(row.id, error);
        RecordingView::file(
            file,
            sound.size_bytes,
            &etag,
            sound.stored_at,
            sound.container,
        )
        .map_err(failed)
    }

    fn prompt_file<'a>(&self, row: &'a PromptRow) -> Result<(File, &'a PromptSound), ViewError> {
        let id = row.id;
        let sound = row.sound.as_ref().filter(|_| row.deleted_at.is_none());
        let sound = sound.ok_or(ViewError::NoPrompt(id))?;
        let path = self.shared.layout.prompt(row.tenant, id, sound.container);
        let failed = |error| ViewError::PromptIo(id, error);
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ViewError::NoPrompt(id),
            _ => failed(error),
        })?;
        let found = file.metadata().map_err(failed)?.len();
        if found != sound.size_bytes {
            return Err(ViewError::PromptLength {
                id,
                expected: sound.size_bytes,
                found,
            });
        }
        Ok((file, sound))
    }
}

/// Removes the drafts of an earlier run, and the files that it left without a row or was about
/// to remove. Its work grows with what was under way.
pub(crate) fn recover(layout: &Layout, index: &Index) -> Result<(), OpenError> {
    if let Err(error) = clear(&layout.prompt_drafts()) {
        log::warn!("drafts of prompts are left behind: {error}");
    }
    let mut settled = Vec::new();
    for (tenant, id) in index.unsettled_prompts().map_err(open_error)? {
        let row = match index.prompt(tenant, id) {
            Ok(row) => row,
            Err(error) => {
                log::error!("files of prompt {id} stay: {error}");
                continue;
            }
        };
        let kept = row.filter(|row| row.deleted_at.is_none());
        let kept = kept.and_then(|row| row.sound).map(|sound| sound.container);
        let others = Container::ALL.into_iter().filter(|one| Some(*one) != kept);
        let mut removed = others.map(|one| remove(&layout.prompt(tenant, id, one)));
        match removed.find_map(Result::err) {
            Some(error) => log::error!("files of prompt {id} stay: {error}"),
            None => settled.push(Change::Prompt(PromptChange::Settled(tenant, id))),
        }
    }
    if !settled.is_empty() {
        index.commit(&settled)?;
    }
    Ok(())
}

fn check(prompt: &NewPrompt) -> Result<(), PromptError> {
    let name = &prompt.name;
    let length = name.chars().take(PROMPT_NAME_MAX + 1).count();
    if length == 0 || length > PROMPT_NAME_MAX || name.chars().any(char::is_control) {
        return Err(PromptError::Name);
    }
    if let PromptOrigin::Speech(speech) = &prompt.origin
        && !(1..=SPEECH_TEXT_MAX).contains(&speech.text.len())
    {
        return Err(PromptError::Text);
    }
    Ok(())
}

fn row_of(applied: Applied, tenant: TenantId) -> Result<PromptRow, PromptError> {
    match applied {
        Applied::Prompt(row) => Ok(*row),
        _ => Err(PromptError::NoTenant(tenant)),
    }
}

/// The row of a prompt that has a file; `None` of one that has none yet.
fn with_sound(
    shared: &Shared,
    tenant: TenantId,
    id: PromptId,
) -> Result<Option<PromptRow>, PromptError> {
    let row = shared.index.prompt(tenant, id)?;
    let row = row.filter(|row| row.deleted_at.is_none());
    let row = row.ok_or(PromptError::NotFound(id))?;
    Ok(row.sound.is_some().then_some(row))
}

/// Undoes a file that came without its row. What fails is done again by the next start.
fn take_back(shared: &Shared, (tenant, id): (TenantId, PromptId), container: Container) {
    // A commit that failed may yet have happened: the row decides.
    let held = shared.index.prompt(tenant, id);
    if !matches!(held, Ok(ref row) if row.as_ref().is_none_or(|row| row.sound.is_none())) {
        return;
    }
    let path = shared.layout.prompt(tenant, id, container);
    match remove(&path) {
        Ok(()) => {
            let change = Change::Prompt(PromptChange::Settled(tenant, id));
            if let Err(error) = shared.committer.commit(change) {
                log::debug!("prompt {id} is looked at again by the next start: {error}");
            }
        }
        Err(error) => log::warn!("'{}' stays until the next start: {error}", path.display()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    unlink_if_there(path)?;
    match path.parent() {
        Some(folder) if folder.is_dir() => sync_dir(folder),
        _ => Ok(()),
    }
}

/// A copy that has no name yet; removed again unless it gets one.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn copy(shared: &Shared, source: &Path) -> Result<Self, PromptError> {
        let failed = |what| move |source| PromptError::Io { what, source };
        let folder = shared.layout.prompt_drafts();
        create_dirs(shared.layout.root(), &folder).map_err(failed("creating the folder"))?;
        let number = shared.library.drafts.fetch_add(1, Ordering::Relaxed);
        let draft = Self {
            path: folder.join(format!("{number}.tmp")),
        };
        let to = File::create(&draft.path).map_err(failed("creating the copy"))?;
        copy(source, &to, &mut |_, _| ()).map_err(|error| {
            let CopyError { what, source } = error;
            PromptError::Io { what, source }
        })?;
        Ok(draft)
    }

    fn sound(&self, shared: &Shared, facts: SoundFacts) -> Result<PromptSound, PromptError> {
        let measured = measure(&self.path, None, &mut |_| ());
        let measured = measured.map_err(|source| PromptError::Io {
            what: "reading the copy",
            source,
        })?;
        Ok(PromptSound {
            container: facts.container,
            format: facts.format,
            frames: facts.frames,
            size_bytes: measured.size,
            content_hash: measured.hash,
            stored_at: shared.clock.wall(),
        })
    }

    /// Gives the copy its name, durably.
    fn place(
        &self,
        shared: &Shared,
        (tenant, id): (TenantId, PromptId),
        container: Container,
    ) -> Result<(), PromptError> {
        let path = shared.layout.prompt(tenant, id, container);
        let folder = path.parent().unwrap_or(&path);
        let placed = create_dirs(shared.layout.root(), folder)
            .and_then(|()| std::fs::rename(&self.path, &path))
            .and_then(|()| sync_dir(folder));
        placed.map_err(|source| PromptError::Io {
            what: "moving the copy to its place",
            source,
        })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = unlink_if_there(&self.path) {
            log::warn!("'{}' is left behind: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests;
