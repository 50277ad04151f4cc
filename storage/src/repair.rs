//! Brings one recording's file to the state its journal proves, and seals it.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use audio_io::block::GapCause;
use audio_io::clock::Clock;
use audio_io::units::Frames;

use crate::ids::{TenantId, TenantName};
use crate::import::row_of;
use crate::journal::entry::Begin;
use crate::limits::FILE_BUFFER_MAX;
use crate::marks::{cut_marks, push_mark};
use crate::paths::{Layout, create_dirs, sync_dir};
use crate::record::{
    EndCause, Gap, Mark, Recording, RecordingFacts, RecordingOutcome, RecordingState,
};
use crate::recorder::push_gap;
use crate::reserve::{Reserve, is_full};
use crate::segment::facts::{StoredFacts, VERSION};
use crate::segment::header::{self, SOUND_AT};
use crate::segment::sealed;
use crate::work::{Measured, SoundAt, measure};

/// What every repair needs.
pub(crate) struct Tools<'s> {
    pub(crate) layout: &'s Layout,
    pub(crate) reserve: &'s Reserve,
    pub(crate) clock: &'s dyn Clock,
    pub(crate) tenants: HashMap<TenantId, TenantName>,
}

/// One recording that was open.
pub(crate) struct Repair {
    facts: RecordingFacts,
    path: PathBuf,
    file: Option<File>,
    /// Sound that is proven, in bytes from the start.
    position: u64,
    gaps: Vec<Gap>,
    marks: Vec<Mark>,
    ending: Option<(EndCause, bool)>,
    error: Option<io::Error>,
    /// Without a journal the file itself says how long it is.
    by_file: bool,
}

impl Repair {
    pub(crate) fn new(tools: &Tools<'_>, begin: Begin) -> Self {
        let mut repair = Self::empty(tools, begin.facts.clone());
        repair.described(tools, &begin);
        repair
    }

    /// A recording whose row says Live and of which no journal tells.
    pub(crate) fn without_journal(tools: &Tools<'_>, facts: RecordingFacts) -> Self {
        Self {
            by_file: true,
            ..Self::empty(tools, facts)
        }
    }

    fn empty(tools: &Tools<'_>, facts: RecordingFacts) -> Self {
        Self {
            path: tools.layout.recording(&facts),
            facts,
            file: None,
            position: 0,
            gaps: Vec::new(),
            marks: Vec::new(),
            ending: None,
            error: None,
            by_file: false,
        }
    }

    pub(crate) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    pub(crate) fn close(&mut self) {
        self.file = None;
    }

    /// A generation's description: older sound is in the file, by an earlier checkpoint, unless
    /// the disk broke its word.
    pub(crate) fn described(&mut self, tools: &Tools<'_>, begin: &Begin) {
        if begin.gaps.len() >= self.gaps.len() {
            self.gaps.clone_from(&begin.gaps);
        }
        // It knows all that older generations told; a plain one of an older program knows none.
        if !begin.marks.is_empty() {
            self.marks.clone_from(&begin.marks);
        }
        if begin.position <= self.position {
            return;
        }
        let held = std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        let held = held.saturating_sub(SOUND_AT).min(begin.position);
        let frame = self.facts.format.frame_bytes() as u64;
        self.position = self.position.max(held - held % frame);
        self.bridge(tools, begin.position);
    }

    pub(crate) fn sound(&mut self, tools: &Tools<'_>, offset: u64, sound: &[u8]) {
        self.bridge(tools, offset);
        self.write(tools, offset, sound);
        self.position = self.position.max(offset + sound.len() as u64);
    }

    pub(crate) fn gap(&mut self, tools: &Tools<'_>, offset: u64, frames: Frames, cause: GapCause) {
        self.bridge(tools, offset);
        let end = offset.saturating_add(self.facts.format.bytes_of(frames));
        let at = self.facts.format.frames_in(offset);
        push_gap(&mut self.gaps, Gap { at, frames, cause });
        self.silence(tools, offset, end);
        self.position = self.position.max(end);
    }

    pub(crate) fn mark(&mut self, mark: Mark) {
        push_mark(&mut self.marks, mark);
    }

    pub(crate) fn end(&mut self, cause: EndCause, keep: bool) {
        self.ending = Some((cause, keep));
    }

    /// Silence and a gap where sound is missing before `offset`.
    fn bridge(&mut self, tools: &Tools<'_>, offset: u64) {
        if offset > self.position {
            let format = self.facts.format;
            let at = format.frames_in(self.position);
            let frames = format.frames_in(offset - self.position);
            push_gap(
                &mut self.gaps,
                Gap {
                    at,
                    frames,
                    cause: GapCause::StorageBehind,
                },
            );
            self.silence(tools, self.position, offset);
            self.position = offset;
        }
    }

    fn silence(&mut self, tools: &Tools<'_>, from: u64, to: u64) {
        let quiet = vec![self.facts.format.encoding.silence_byte(); FILE_BUFFER_MAX];
        let mut at = from;
        while at < to && self.error.is_none() {
            let len = usize::try_from(to - at)
                .unwrap_or(usize::MAX)
                .min(quiet.len());
            self.write(tools, at, &quiet[..len]);
            at += len as u64;
        }
    }

    fn write(&mut self, tools: &Tools<'_>, offset: u64, sound: &[u8]) {
        if self.error.is_some() {
            return;
        }
        let mut result = self.try_write(tools, offset, sound);
        if result.as_ref().is_err_and(is_full) && tools.reserve.release() {
            result = self.try_write(tools, offset, sound);
        }
        self.error = result.err();
    }

    fn try_write(&mut self, tools: &Tools<'_>, offset: u64, sound: &[u8]) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => open_or_create(tools, &self.path, &self.facts)?,
        };
        let result = file.write_all_at(sound, SOUND_AT + offset);
        self.file = Some(file);
        result
    }

    /// Seals the file and answers the row. Whatever fails makes the row Failed.
    pub(crate) fn seal(mut self, tools: &Tools<'_>) -> Recording {
        if let Some(row) = self.already_sealed() {
            return row;
        }
        if self.by_file {
            let len = std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
            self.position = len.saturating_sub(SOUND_AT);
        }
        let frame = self.facts.format.frame_bytes() as u64;
        self.position -= self.position % frame;
        let (cause, keep) = self.ending.unwrap_or((EndCause::Crash, true));
        if !keep || (self.position == 0 && self.error.is_none()) {
            return self.absent(tools, cause);
        }
        let mut result = match self.error.take() {
            None => self.try_seal(tools, cause, RecordingState::Stored),
            Some(error) => Err(error),
        };
        if result.as_ref().is_err_and(is_full) && tools.reserve.release() {
            result = self.try_seal(tools, cause, RecordingState::Stored);
        }
        result.unwrap_or_else(|error| {
            let id = self.facts.id;
            log::error!(recording = id.0; "recording {id} cannot be repaired: {error}");
            self.failed(tools, &error)
        })
    }

    /// A file that was sealed before its row was committed. Its header is written only when all
    /// of its sound is in the journal or synced, so it may be believed.
    fn already_sealed(&self) -> Option<Recording> {
        let stored = sealed::read(&self.path).ok()?.facts;
        let bytes = stored.facts.format.bytes_of(stored.frames);
        if stored.facts.id != self.facts.id || bytes < self.position {
            return None;
        }
        let measured = measure(
            &self.path,
            Some(SoundAt::own(&stored.facts, bytes)),
            &mut |_| (),
        )
        .ok()?;
        let folder = self.path.parent()?;
        File::open(&self.path)
            .and_then(|file| file.sync_data())
            .ok()?;
        sync_dir(folder).ok()?;
        Some(row_of(&stored, measured))
    }

    fn try_seal(
        &mut self,
        tools: &Tools<'_>,
        cause: EndCause,
        state: RecordingState,
    ) -> io::Result<Recording> {
        let file = match self.file.take() {
            Some(file) => file,
            None => open_or_create(tools, &self.path, &self.facts)?,
        };
        let stored = self.stored_facts(tools, cause, state);
        let trailer = stored.trailer(self.position);
        let padding = self.position % 2;
        let head = header::sealed(&self.facts, self.position, trailer.len() as u64 - padding);
        // Cut first: what lies beyond the proven sound is not to be taken for its trailer.
        file.set_len(SOUND_AT + self.position)?;
        file.write_all_at(&trailer, SOUND_AT + self.position)?;
        file.write_all_at(&head, 0)?;
        file.sync_data()?;
        sync_dir(self.path.parent().unwrap_or(&self.path))?;
        let sound = SoundAt::own(&self.facts, self.position);
        let measured = measure(&self.path, Some(sound), &mut |_| ())?;
        Ok(row_of(&stored, measured))
    }

    fn stored_facts(
        &self,
        tools: &Tools<'_>,
        cause: EndCause,
        state: RecordingState,
    ) -> StoredFacts {
        let frames = self.facts.format.frames_in(self.position);
        let mut gaps = self.gaps.clone();
        gaps.retain_mut(|gap| {
            gap.frames = Frames(gap.frames.0.min(frames.saturating_sub(gap.at).0));
            gap.frames.0 > 0
        });
        let mut marks = self.marks.clone();
        cut_marks(&mut marks, frames);
        StoredFacts {
            version: VERSION,
            tenant_name: tools.tenants.get(&self.facts.tenant).cloned(),
            facts: self.facts.clone(),
            state,
            end_cause: cause,
            frames,
            gaps,
            marks,
            sealed_at: tools.clock.wall(),
            file: None,
        }
    }

    fn absent(mut self, tools: &Tools<'_>, end_cause: EndCause) -> Recording {
        if let Err(error) = crate::delete::remove_files(&self.path) {
            let id = self.facts.id;
            log::warn!(recording = id.0; "file of recording {id} stays: {error}");
        }
        let frames = self.facts.format.frames_in(self.position);
        cut_marks(&mut self.marks, frames);
        let outcome = RecordingOutcome {
            end_cause,
            frames,
            gaps: self.gaps,
            marks: self.marks,
            levels: Vec::new(),
            size_bytes: 0,
            content_hash: [0; 32],
            sealed_at: tools.clock.wall(),
        };
        Recording {
            facts: self.facts,
            state: RecordingState::Absent,
            outcome: Some(outcome),
        }
    }

    fn failed(&self, tools: &Tools<'_>, error: &io::Error) -> Recording {
        let cause = if is_full(error) {
            EndCause::DiskFull
        } else {
            EndCause::DiskError
        };
        let mut stored = self.stored_facts(tools, cause, RecordingState::Failed);
        let size = std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        let held = self.facts.format.frames_in(size.saturating_sub(SOUND_AT));
        stored.frames = Frames(stored.frames.0.min(held.0));
        cut_marks(&mut stored.marks, stored.frames);
        let bytes = self.facts.format.bytes_of(stored.frames);
        let sound = SoundAt::own(&self.facts, bytes);
        let measured = measure(&self.path, Some(sound), &mut |_| ());
        row_of(
            &stored,
            measured.unwrap_or(Measured {
                size,
                ..Measured::default()
            }),
        )
    }
}

fn open_or_create(tools: &Tools<'_>, path: &Path, facts: &RecordingFacts) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        create_dirs(tools.layout.root(), folder)?;
    }
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    if file.metadata()?.len() < SOUND_AT {
        file.write_all_at(&header::open_ended(facts), 0)?;
    }
    Ok(file)
}
