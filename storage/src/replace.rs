//! Exchanges a sealed recording's file for one of the same sound in another format.
//!
//! ```text
//!  draft synced and hashed ──▶ "new file may be there" committed ──▶ facts beside it, file
//!    renamed, folder synced ──▶ row changed and "old file may be there", one commit ──▶ old
//!    file unlinked, folder synced ──▶ hint dropped
//! ```
//! The row decides which of two files is the recording's; the next start removes the other, and
//! the hint tells it where to look. Who has the old file open reads on in it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::derived::DerivedDraft;
use crate::error::{OpenError, ReplaceError};
use crate::ids::RecordingName;
use crate::import::{CopyError, copy};
use crate::index::Index;
use crate::index::apply::{Applied, Change};
use crate::index::replaced::ReplaceChange;
use crate::open::open_error;
use crate::paths::{
    Layout, converted_facts_of, facts_of, peaks_of, sync_dir, unlink_if_there, write_whole,
};
use crate::peaks::rebind;
use crate::record::{Container, Recording, RecordingOutcome, RecordingState};
use crate::recover::remove_folder;
use crate::segment::facts::{FileFacts, StoredFacts, VERSION};
use crate::shared::Shared;
use crate::work::measure;

/// What has just become durable; tests look at the store there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Intended,
    FactsWritten,
    Placed,
    Committed,
    OldRemoved,
    Settled,
}

/// Exchanges the file. `done` is told each step.
pub(crate) fn replace(
    shared: &Shared,
    source: &Recording,
    container: Container,
    draft: &DerivedDraft,
    done: &mut dyn FnMut(Step),
) -> Result<Recording, ReplaceError> {
    let after = exchanged(source, container, draft)?;
    let _replacing = shared.derived.replacing();
    let facts = &source.facts;
    let held = shared
        .index
        .find(facts.tenant, &RecordingName::Recid(facts.id))?;
    if held.as_ref() != Some(source) {
        return Err(ReplaceError::Gone);
    }
    let commit = |change| shared.committer.commit(Change::Replace(change));
    commit(ReplaceChange::Intend(Box::new(after.clone())))?;
    done(Step::Intended);
    let exchanged = place(shared, &after, draft, done).and_then(|()| {
        let rows = Box::new((source.clone(), after.clone()));
        match commit(ReplaceChange::Commit(rows))? {
            Applied::Refused(_) => Err(ReplaceError::Gone),
            _ => Ok(()),
        }
    });
    if let Err(error) = exchanged {
        settle(shared, &after, &mut |_| ());
        return Err(error);
    }
    done(Step::Committed);
    follow(shared, source, &after);
    settle(shared, source, done);
    done(Step::Settled);
    if let Err(error) = shared.derived.forget(facts.tenant, facts.id) {
        log::warn!("old conversions of recording {} stay: {error}", facts.id);
    }
    Ok(after)
}

/// The peaks beside a recording are those of its sound: they become the new file's. If not, they
/// are made of it when somebody asks.
fn follow(shared: &Shared, source: &Recording, after: &Recording) {
    let (Some(old), Some(new)) = (&source.outcome, &after.outcome) else {
        return;
    };
    let path = peaks_of(&shared.layout.recording(&after.facts));
    if let Err(error) = rebind(&path, &old.content_hash, &new.content_hash) {
        let id = after.facts.id;
        log::debug!("peaks of recording {id} stay behind: {error}");
    }
}

/// The row with the draft in its file's place.
fn exchanged(
    source: &Recording,
    container: Container,
    draft: &DerivedDraft,
) -> Result<Recording, ReplaceError> {
    let outcome = source.outcome.as_ref();
    let outcome = outcome.filter(|_| source.state == RecordingState::Stored);
    let outcome = outcome.ok_or(ReplaceError::Gone)?;
    if container == source.facts.container {
        let what = "the recording has this format already";
        return Err(failed(what)(io::ErrorKind::InvalidInput.into()));
    }
    let synced = File::open(draft.path()).and_then(|file| file.sync_data());
    synced.map_err(failed("syncing the new file"))?;
    let measured = measure(draft.path(), None, &mut |_| ());
    let measured = measured.map_err(failed("reading the new file"))?;
    if measured.size == 0 {
        return Err(failed("the new file is empty")(
            io::ErrorKind::InvalidData.into(),
        ));
    }
    let mut after = source.clone();
    after.facts.container = container;
    after.outcome = Some(RecordingOutcome {
        size_bytes: measured.size,
        content_hash: measured.hash,
        ..outcome.clone()
    });
    Ok(after)
}

/// Puts facts and file beside the old ones, durably.
fn place(
    shared: &Shared,
    after: &Recording,
    draft: &DerivedDraft,
    done: &mut dyn FnMut(Step),
) -> Result<(), ReplaceError> {
    let path = shared.layout.recording(&after.facts);
    let folder = path.parent().unwrap_or(&path);
    let Some(stored) = facts(shared, after) else {
        return Err(ReplaceError::Gone);
    };
    write_whole(&converted_facts_of(&path), &stored.to_json())
        .map_err(failed("writing the facts"))?;
    done(Step::FactsWritten);
    match std::fs::rename(draft.path(), &path) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            copy_over(draft.path(), &path)?;
        }
        moved => moved.map_err(failed("moving the new file to its place"))?,
    }
    sync_dir(folder).map_err(failed("syncing the folder"))?;
    done(Step::Placed);
    Ok(())
}

/// For a data folder whose `recordings` is another file system.
fn copy_over(from: &Path, path: &Path) -> Result<(), ReplaceError> {
    let temporary = temporary_of(path);
    let to = File::create(&temporary).map_err(failed("creating the copy"))?;
    copy(from, &to, &mut |_, _| ()).map_err(|error| {
        let CopyError { what, source } = error;
        ReplaceError::Io { what, source }
    })?;
    std::fs::rename(&temporary, path).map_err(failed("moving the copy to its place"))
}

/// Everything about the recording that its new file does not tell.
fn facts(shared: &Shared, after: &Recording) -> Option<StoredFacts> {
    let outcome = after.outcome.as_ref()?;
    Some(StoredFacts {
        version: VERSION,
        tenant_name: shared.tenant_name(after.facts.tenant),
        facts: after.facts.clone(),
        state: after.state,
        end_cause: outcome.end_cause,
        frames: outcome.frames,
        gaps: outcome.gaps.clone(),
        marks: outcome.marks.clone(),
        sealed_at: outcome.sealed_at,
        file: Some(FileFacts {
            size_bytes: outcome.size_bytes,
            content_hash: outcome.content_hash,
            levels: outcome.levels.clone(),
        }),
    })
}

/// Removes a file that is not the recording's, and forgets that it may be there. What fails is
/// done again by the next start.
fn settle(shared: &Shared, row: &Recording, done: &mut dyn FnMut(Step)) {
    let id = row.facts.id;
    // A commit that failed may yet have happened: the row decides.
    let settled = match finish(&shared.layout, &shared.index, row) {
        Ok(change) => {
            done(Step::OldRemoved);
            shared.committer.commit(change).map(drop)
        }
        Err(error) => {
            return log::warn!("a file of recording {id} stays until the next start: {error}");
        }
    };
    if let Err(error) = settled {
        log::debug!("recording {id} is looked at again by the next start: {error}");
    }
}

/// Removes files that exchanges left when the store was last open.
pub(crate) fn recover(layout: &Layout, index: &Index) -> Result<(), OpenError> {
    let mut done = Vec::new();
    for row in index.leftovers().map_err(open_error)? {
        let (tenant, id) = (row.facts.tenant, row.facts.id);
        let finished = finish(layout, index, &row);
        let folder = layout.derived_of(tenant, id);
        match finished.and_then(|change| remove_folder(&folder).map(|()| change)) {
            Ok(change) => done.push(change),
            Err(error) => log::error!("a file of recording {id} stays: {error}"),
        }
    }
    if !done.is_empty() {
        index.commit(&done)?;
    }
    Ok(())
}

/// Removes the file of a row unless the index says that it is the recording's, and answers the
/// change that forgets it.
fn finish(layout: &Layout, index: &Index, row: &Recording) -> io::Result<Change> {
    let facts = &row.facts;
    let held = index
        .find(facts.tenant, &RecordingName::Recid(facts.id))
        .map_err(io::Error::other)?;
    if held.is_none_or(|held| held.facts.container != facts.container) {
        remove(layout, row)?;
    }
    Ok(Change::Replace(ReplaceChange::Settled(Box::new(
        row.clone(),
    ))))
}

/// Removes a file, its facts, and what may be left of their making.
fn remove(layout: &Layout, row: &Recording) -> io::Result<()> {
    let path = layout.recording(&row.facts);
    let facts = converted_facts_of(&path);
    let imported = facts_of(&path);
    unlink_if_there(&path)?;
    // The facts of an import are its own file's, and no other's.
    let json = std::fs::read(&imported).unwrap_or_default();
    if StoredFacts::from_json(&json).is_ok_and(|told| told.facts == row.facts) {
        unlink_if_there(&imported)?;
    }
    for path in [&temporary_of(&path), &temporary_of(&facts), &facts] {
        unlink_if_there(path)?;
    }
    match path.parent() {
        Some(folder) if folder.is_dir() => sync_dir(folder),
        _ => Ok(()),
    }
}

fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> ReplaceError {
    move |source| ReplaceError::Io { what, source }
}

#[cfg(test)]
mod tests;
