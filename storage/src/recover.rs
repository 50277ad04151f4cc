//! Start-up repair: what the journal holds goes into the files, what was open is sealed, rows
//! that say Live are made true, interrupted deletions and exchanges of files are finished. Its
//! work grows with what was open, never with what is stored.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;

use audio_io::clock::Clock;

use crate::error::OpenError;
use crate::handle::RecoveryReport;
use crate::ids::RecordingId;
use crate::index::Index;
use crate::index::apply::Change;
use crate::journal::entry::Entry;
use crate::journal::reader;
use crate::open::{failed, open_error};
use crate::paths::{Layout, sync_dir, unlink_if_there};
use crate::record::{Recording, RecordingState};
use crate::repair::{Repair, Tools};
use crate::reserve::Reserve;

/// Repairs a store. Answers what was done and the number of the next journal generation.
pub(crate) fn recover(
    layout: &Layout,
    index: &Index,
    reserve: &Reserve,
    clock: &dyn Clock,
) -> Result<(RecoveryReport, u64), OpenError> {
    let tenants = index.tenants().map_err(open_error)?;
    let tenants = tenants.into_iter().map(|row| (row.id, row.name)).collect();
    let tools = Tools {
        layout,
        reserve,
        clock,
        tenants,
    };
    crate::replace::recover(layout, index)?;
    crate::library::recover(layout, index)?;
    let mut report = RecoveryReport {
        deletions_finished: garbage(layout, index)?,
        ..Default::default()
    };
    let mut replay = Replay {
        index,
        tools,
        open: BTreeMap::new(),
        done: HashSet::new(),
    };
    let folder = layout.journal();
    let (generations, _) = reader::generations(&folder)
        .map_err(|source| failed("reading the journal in", &folder, source))?;
    for generation in &generations {
        match reader::replay(generation, |entry| replay.visit(entry)) {
            Ok(bytes) => report.journal_bytes += bytes,
            Err(ReplayError::Read(error)) => {
                log::error!(
                    "journal '{}' is unreadable: {error}",
                    generation.path.display()
                );
            }
            Err(ReplayError::Open(error)) => return Err(error),
        }
    }
    let rows = replay.finish()?;
    for row in &rows {
        let list = match row.state {
            RecordingState::Stored => &mut report.sealed,
            RecordingState::Absent => &mut report.absent,
            RecordingState::Failed | RecordingState::Live => &mut report.failed,
        };
        list.push(row.facts.id);
    }
    let changes: Vec<_> = rows
        .into_iter()
        .map(|row| Change::Put(Box::new(row)))
        .collect();
    if !changes.is_empty() {
        index.commit(&changes)?;
    }
    clear_journal(&folder).map_err(|source| failed("clearing the journal in", &folder, source))?;
    index.commit(&[Change::PruneTombstones {
        below: RecordingId(u64::MAX),
    }])?;
    tell(&report);
    let next = generations
        .last()
        .map_or(1, |generation| generation.number + 1);
    Ok((report, next))
}

fn tell(report: &RecoveryReport) {
    if *report == RecoveryReport::default() {
        return;
    }
    log::warn!(
        "repaired after an unclean stop: {} recordings sealed, {} without sound, {} damaged, \
         {} deletions finished, {} bytes of journal",
        report.sealed.len(),
        report.absent.len(),
        report.failed.len(),
        report.deletions_finished,
        report.journal_bytes,
    );
}

/// Finishes deletions: files first, then the rows that remember them.
fn garbage(layout: &Layout, index: &Index) -> Result<u64, OpenError> {
    let mut done = Vec::new();
    for ((tenant, id), row) in index.garbage().map_err(open_error)? {
        if let Some(row) = row {
            let path = layout.recording(&row.facts);
            let removed = crate::delete::remove_files(&path)
                .and_then(|()| remove_folder(&layout.derived_of(tenant, id)));
            if let Err(error) = removed {
                log::error!("deleted recording {id} still has files: {error}");
                continue;
            }
        }
        crate::progress::step();
        done.push(Change::DropGarbage(tenant, id));
    }
    if !done.is_empty() {
        index.commit(&done)?;
    }
    Ok(done.len() as u64)
}

/// Removes a folder of files that can be made again.
pub(crate) fn remove_folder(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes every journal file.
pub(crate) fn clear_journal(folder: &Path) -> io::Result<()> {
    let mut removed = false;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            unlink_if_there(&path)?;
            removed = true;
        }
    }
    if removed { sync_dir(folder) } else { Ok(()) }
}

enum ReplayError {
    /// A generation's file; what it holds beyond this point is lost.
    Read(io::Error),
    Open(OpenError),
}

impl From<io::Error> for ReplayError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// The recordings that the journal tells of.
struct Replay<'s> {
    index: &'s Index,
    tools: Tools<'s>,
    open: BTreeMap<RecordingId, Repair>,
    /// Sealed, deleted or unreadable: not to be touched.
    done: HashSet<RecordingId>,
}

impl Replay<'_> {
    fn visit(&mut self, entry: Entry<'_>) -> Result<(), ReplayError> {
        crate::progress::step();
        match entry {
            Entry::Begin(begin) => {
                let id = begin.facts.id;
                if self.done.contains(&id) {
                    return Ok(());
                }
                if let Some(repair) = self.open.get_mut(&id) {
                    repair.described(&self.tools, &begin);
                } else if self.is_open(id).map_err(ReplayError::Open)? {
                    self.make_room();
                    self.open.insert(id, Repair::new(&self.tools, *begin));
                } else {
                    self.done.insert(id);
                }
            }
            Entry::Sound { id, offset, sound } => {
                self.make_room();
                if let Some(repair) = self.open.get_mut(&id) {
                    repair.sound(&self.tools, offset, sound);
                }
            }
            Entry::Gap {
                id,
                offset,
                frames,
                cause,
            } => {
                if let Some(repair) = self.open.get_mut(&id) {
                    repair.gap(&self.tools, offset, frames, cause);
                }
            }
            Entry::Mark { id, mark } => {
                if let Some(repair) = self.open.get_mut(&id) {
                    repair.mark(mark);
                }
            }
            Entry::End { id, cause, keep } => {
                if let Some(repair) = self.open.get_mut(&id) {
                    repair.end(cause, keep);
                }
            }
            Entry::Sealed { id } => {
                self.open.remove(&id);
                self.done.insert(id);
            }
        }
        Ok(())
    }

    /// Whether a recording that the journal began is still to be sealed.
    fn is_open(&self, id: RecordingId) -> Result<bool, OpenError> {
        match self.index.by_id(id) {
            Ok(Some(row)) => Ok(row.state == RecordingState::Live),
            Ok(None) => Ok(!self.index.is_deleted(id).map_err(open_error)?),
            Err(crate::error::ReadError::Row(id)) => {
                log::error!("the row of recording {id} is unreadable; its journal is ignored");
                Ok(false)
            }
            Err(error) => Err(open_error(error)),
        }
    }

    /// Keeps the number of open files bounded.
    fn make_room(&mut self) {
        let open = self
            .open
            .values()
            .filter(|repair| repair.has_file())
            .count();
        if open >= crate::limits::REPAIR_FILES_MAX {
            self.open.values_mut().for_each(Repair::close);
        }
    }

    /// Seals everything that was open; answers the rows to commit.
    fn finish(self) -> Result<Vec<Recording>, OpenError> {
        let mut rows = Vec::new();
        let Self {
            index, tools, open, ..
        } = self;
        let known: HashSet<_> = open.keys().copied().collect();
        for (_, repair) in open {
            rows.push(repair.seal(&tools));
        }
        for row in index.live().map_err(open_error)? {
            if !known.contains(&row.facts.id) {
                rows.push(Repair::without_journal(&tools, row.facts).seal(&tools));
            }
        }
        Ok(rows)
    }
}
