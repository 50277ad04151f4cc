//! Notes on recordings, through the store's handle. Each change is durable when it returns, and
//! told to the ledger with the hash of the text: who may make it is the caller's business.

use audio_io::units::Millis;

use crate::error::{ReadError, WriteError};
use crate::handle::StorageHandle;
use crate::ids::{RecordingId, TenantId};
use crate::index::apply::{Applied, Change, Refusal};
use crate::index::notes::{NoteChange, NoteEdit, NoteRow};
use crate::limits::{ACTOR_MAX, NOTE_BYTES_MAX, NOTES_MAX};
use crate::record::WallMillis;

/// A note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its number among the recording's notes, never given twice.
    pub id: u32,
    /// The moment in the recording that it is pinned to, in milliseconds.
    pub at_ms: Option<u64>,
    /// What it says: any text, of whoever; to be shown as text and nothing else.
    pub text: String,
    /// Who wrote it.
    pub by: String,
    /// When, by the wall clock.
    pub at: WallMillis,
    /// When it was last changed.
    pub edited_at: Option<WallMillis>,
    /// Who changed it last.
    pub edited_by: Option<String>,
}

/// Why notes were not changed; they are as they were.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// The tenant has no such recording.
    #[error("no recording {0}")]
    NotFound(RecordingId),
    /// No such note.
    #[error("recording {0} has no note {1}")]
    NoNote(RecordingId, u32),
    /// Nothing, or nothing but blanks.
    #[error("a note needs a text")]
    Empty,
    /// A text that is too long.
    #[error("a note has at most {NOTE_BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// Characters that are no text.
    #[error("a note has no control characters but tabs and ends of lines")]
    Control,
    /// Nobody says who it is, or with too many or strange characters.
    #[error("a note needs the name of whoever writes it, of at most {ACTOR_MAX} characters")]
    Actor,
    /// A moment after the recording's end.
    #[error("recording {0} ends before the moment that the note is pinned to")]
    BeyondEnd(RecordingId),
    /// Too many notes.
    #[error("recording {0} has {NOTES_MAX} notes; delete one that is not needed first")]
    TooMany(RecordingId),
    /// A note that cannot be read.
    #[error("note {1} of recording {0} is unreadable; run 'callreel check'")]
    Unreadable(RecordingId, u32),
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl StorageHandle {
    /// A recording's notes in the order in which they were written; `None` when the tenant has no
    /// such recording. They go with the recording.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn notes_of(
        &self,
        tenant: TenantId,
        id: RecordingId,
    ) -> Result<Option<Vec<Note>>, ReadError> {
        self.shared.index.notes(tenant, id)
    }

    /// Writes a note, pinned to a moment of the recording or not; also while it is being recorded.
    /// Ends of lines become `\n`.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn add_note(
        &self,
        tenant: TenantId,
        id: RecordingId,
        at: Option<Millis>,
        text: &str,
        by: &str,
    ) -> Result<Note, NoteError> {
        let row = NoteRow {
            at_ms: at.map(|at| at.0),
            text: checked(text)?,
            by: actor(by)?,
            at: self.shared.clock.wall(),
            edited_at: None,
            edited_by: None,
        };
        let (_, after) = self.change_note(tenant, id, 0, NoteEdit::Add(row))?;
        after.ok_or(NoteError::NotFound(id))
    }

    /// Changes a note's text; answers the note as it is now.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn edit_note(
        &self,
        tenant: TenantId,
        id: RecordingId,
        note: u32,
        text: &str,
        by: &str,
    ) -> Result<Note, NoteError> {
        let at = self.shared.clock.wall();
        let edit = NoteEdit::Edit(note, checked(text)?, actor(by)?, at);
        let (_, after) = self.change_note(tenant, id, note, edit)?;
        after.ok_or(NoteError::NoNote(id, note))
    }

    /// Deletes a note; answers what it was, where that could be read.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn delete_note(
        &self,
        tenant: TenantId,
        id: RecordingId,
        note: u32,
        by: &str,
    ) -> Result<Option<Note>, NoteError> {
        let edit = NoteEdit::Delete(note, actor(by)?);
        Ok(self.change_note(tenant, id, note, edit)?.0)
    }

    fn change_note(
        &self,
        tenant: TenantId,
        id: RecordingId,
        note: u32,
        edit: NoteEdit,
    ) -> Result<(Option<Note>, Option<Note>), NoteError> {
        let change = NoteChange {
            tenant,
            recording: id,
            edit,
            seen: self.shared.search.text().seen(),
        };
        match self.commit(Change::Note(Box::new(change)))? {
            Applied::Note(notes) => {
                self.shared.search.changed();
                Ok(*notes)
            }
            Applied::Refused(Refusal::NoNote) => Err(NoteError::NoNote(id, note)),
            Applied::Refused(Refusal::TooMany) => Err(NoteError::TooMany(id)),
            Applied::Refused(Refusal::BeyondEnd) => Err(NoteError::BeyondEnd(id)),
            Applied::Refused(Refusal::Unreadable) => Err(NoteError::Unreadable(id, note)),
            _ => Err(NoteError::NotFound(id)),
        }
    }
}

/// A note's text as it is kept.
fn checked(text: &str) -> Result<String, NoteError> {
    if text.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLong(text.len()));
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if text.trim().is_empty() {
        return Err(NoteError::Empty);
    }
    if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        return Err(NoteError::Control);
    }
    Ok(text)
}

fn actor(by: &str) -> Result<String, NoteError> {
    let fits = !by.trim().is_empty()
        && by.chars().count() <= ACTOR_MAX
        && !by.chars().any(char::is_control);
    if fits {
        Ok(by.to_owned())
    } else {
        Err(NoteError::Actor)
    }
}
