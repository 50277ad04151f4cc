//! Notes of people on recordings: a row each, how many a recording has, and which recordings' notes
//! the full text has not seen yet. A recording's notes go with it.

use audio_io::units::Millis;
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable as _, StorageError, TableDefinition};
use serde::{Deserialize, Serialize};

use super::apply::{Applied, Refusal, read_u64};
use super::keys::{self, RecordingKey};
use super::tables::{self, Tables, meta};
use super::values::{self, ValueError};
use super::{Index, read};
use crate::error::ReadError;
use crate::ids::{RecordingId, TenantId};
use crate::ledger::entry::{Act, Kind};
use crate::limits::NOTES_MAX;
use crate::notes::Note;
use crate::record::WallMillis;

/// tenant (4), id (8), number of the note (4).
pub(crate) type NoteKey = [u8; 16];

/// tenant, id, number → row.
pub(crate) const NOTES: TableDefinition<'static, &NoteKey, &[u8]> = TableDefinition::new("notes");
/// tenant, id → how many notes (4), the latest number ever given (4).
pub(crate) const NOTE_COUNTS: TableDefinition<'static, &RecordingKey, &[u8; 8]> =
    TableDefinition::new("note_counts");
/// number of the change (8, big-endian) → tenant, id.
pub(crate) const NOTES_DIRTY: TableDefinition<'static, &[u8; 8], &RecordingKey> =
    TableDefinition::new("notes_dirty");

/// A note's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoteRow {
    /// The moment in the recording it is pinned to, in milliseconds.
    pub(crate) at_ms: Option<u64>,
    pub(crate) text: String,
    pub(crate) by: String,
    pub(crate) at: WallMillis,
    pub(crate) edited_at: Option<WallMillis>,
    pub(crate) edited_by: Option<String>,
}

impl NoteRow {
    fn note(self, id: u32) -> Note {
        Note {
            id,
            at_ms: self.at_ms,
            text: self.text,
            by: self.by,
            at: self.at,
            edited_at: self.edited_at,
            edited_by: self.edited_by,
        }
    }
}

/// A change to one recording's notes.
#[derive(Clone, Debug)]
pub(crate) struct NoteChange {
    pub(crate) tenant: TenantId,
    pub(crate) recording: RecordingId,
    pub(crate) edit: NoteEdit,
    /// The full text has seen all changes up to this one.
    pub(crate) seen: u64,
}

/// What happens to a note.
#[derive(Clone, Debug)]
pub(crate) enum NoteEdit {
    Add(NoteRow),
    /// Its number, the new text, who and when.
    Edit(u32, String, String, WallMillis),
    /// Its number, and who.
    Delete(u32, String),
    /// As another index had them, and the latest number that it gave.
    Restore(Vec<(u32, NoteRow)>, u32),
}

/// What a change came to: the note before and after it, and what the ledger is told.
struct Made {
    before: Option<Note>,
    after: Option<Note>,
    act: Option<Act>,
}

impl NoteChange {
    pub(super) fn apply(&self, tables: &mut Tables<'_>) -> Result<Applied, StorageError> {
        let place = (self.tenant, self.recording);
        let found = tables.recordings.get(&keys::recording(place.0, place.1))?;
        let row = found.map(|bytes| values::decode_recording(bytes.value()));
        let Some(row) = row else {
            return Ok(Applied::Refused(Refusal::NoRecording));
        };
        let length = row.ok().and_then(|row| row.duration());
        prune(tables, self.seen)?;
        let mut counts = counts(tables, place)?;
        let made = match &self.edit {
            NoteEdit::Add(note) if outlasts(note, length) => Err(Refusal::BeyondEnd),
            NoteEdit::Add(note) => add(tables, place, note, &mut counts)?,
            NoteEdit::Edit(number, text, by, at) => edit(tables, place, *number, (text, by, *at))?,
            NoteEdit::Delete(number, by) => delete(tables, place, *number, by, &mut counts)?,
            NoteEdit::Restore(notes, given) => {
                remove_all(tables, place)?;
                for (number, note) in notes {
                    insert(tables, place, *number, note)?;
                }
                counts = (u32::try_from(notes.len()).unwrap_or(u32::MAX), *given);
                Ok(Made {
                    before: None,
                    after: None,
                    act: None,
                })
            }
        };
        let made = match made {
            Ok(made) => made,
            Err(refusal) => return Ok(Applied::Refused(refusal)),
        };
        set_counts(tables, place, counts)?;
        dirty(tables, place)?;
        if let Some(act) = made.act {
            tables.telling.tell(act.on(place.0, place.1));
        }
        Ok(Applied::Note(Box::new((made.before, made.after))))
    }
}

fn outlasts(note: &NoteRow, length: Option<Millis>) -> bool {
    match (note.at_ms, length) {
        (Some(at), Some(length)) => at > length.0,
        _ => false,
    }
}

type Counts32 = (u32, u32);

fn add(
    tables: &Tables<'_>,
    place: OfRecording,
    note: &NoteRow,
    counts: &mut Counts32,
) -> Result<Result<Made, Refusal>, StorageError> {
    let next = counts.1.checked_add(1).filter(|_| counts.0 < NOTES_MAX);
    let Some(next) = next else {
        return Ok(Err(Refusal::TooMany));
    };
    *counts = (counts.0 + 1, next);
    insert(tables, place, next, note)?;
    let act = act(Kind::Noted, next, note.at_ms, &note.text, &note.by);
    Ok(Ok(Made {
        before: None,
        after: Some(note.clone().note(next)),
        act: Some(act),
    }))
}

fn edit(
    tables: &Tables<'_>,
    place: OfRecording,
    number: u32,
    (text, by, at): (&str, &str, WallMillis),
) -> Result<Result<Made, Refusal>, StorageError> {
    let before = match get(tables, place, number)? {
        None => return Ok(Err(Refusal::NoNote)),
        Some(Err(_)) => return Ok(Err(Refusal::Unreadable)),
        Some(Ok(before)) => before,
    };
    let mut made = Made {
        before: Some(before.clone().note(number)),
        after: Some(before.clone().note(number)),
        act: None,
    };
    // What changes nothing is not told.
    if text != before.text {
        let after = NoteRow {
            text: text.to_owned(),
            edited_at: Some(at),
            edited_by: Some(by.to_owned()),
            ..before.clone()
        };
        insert(tables, place, number, &after)?;
        let act = act(Kind::NoteEdited, number, after.at_ms, text, by);
        made.act = Some(was(act, &before));
        made.after = Some(after.note(number));
    }
    Ok(Ok(made))
}

fn delete(
    tables: &Tables<'_>,
    place: OfRecording,
    number: u32,
    by: &str,
    counts: &mut Counts32,
) -> Result<Result<Made, Refusal>, StorageError> {
    let Some(before) = get(tables, place, number)? else {
        return Ok(Err(Refusal::NoNote));
    };
    tables.rare(NOTES)?.remove(&key(place, number))?;
    counts.0 = counts.0.saturating_sub(1);
    let act = Act::new(Kind::NoteDeleted).with("note", number);
    let act = act.with("by", by);
    // One that cannot be read goes too.
    Ok(Ok(match before {
        Ok(before) => Made {
            act: Some(was(act, &before)),
            before: Some(before.note(number)),
            after: None,
        },
        Err(_) => Made {
            before: None,
            after: None,
            act: Some(act),
        },
    }))
}

type OfRecording = (TenantId, RecordingId);

fn act(kind: Kind, number: u32, at_ms: Option<u64>, text: &str, by: &str) -> Act {
    let act = Act::new(kind)
        .with("note", number)
        .with("text_blake3", hash_of(text))
        .with("by", by);
    match at_ms {
        Some(at) => act.with("at_ms", at),
        None => act,
    }
}

fn was(act: Act, before: &NoteRow) -> Act {
    act.with("was_text_blake3", hash_of(&before.text))
        .with("was_by", before.by.as_str())
}

fn hash_of(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn get(
    tables: &Tables<'_>,
    place: OfRecording,
    number: u32,
) -> Result<Option<Result<NoteRow, ValueError>>, StorageError> {
    let table = tables.rare(NOTES)?;
    let found = table.get(&key(place, number))?;
    Ok(found.map(|bytes| decode_note(bytes.value())))
}

fn insert(
    tables: &Tables<'_>,
    place: OfRecording,
    number: u32,
    note: &NoteRow,
) -> Result<(), StorageError> {
    let bytes = values::encode(note);
    let mut table = tables.rare(NOTES)?;
    table.insert(&key(place, number), bytes.as_slice())?;
    Ok(())
}

fn remove_all(tables: &Tables<'_>, place: OfRecording) -> Result<(), StorageError> {
    let (first, last) = (key(place, 0), key(place, u32::MAX));
    let mut table = tables.rare(NOTES)?;
    table.retain_in::<&NoteKey, _>(&first..=&last, |_, _| false)
}

fn counts(tables: &Tables<'_>, place: OfRecording) -> Result<Counts32, StorageError> {
    let table = tables.rare(NOTE_COUNTS)?;
    let held = table.get(&keys::recording(place.0, place.1))?;
    Ok(held.map_or((0, 0), |bytes| split_counts(bytes.value())))
}

fn split_counts(bytes: &[u8; 8]) -> (u32, u32) {
    (keys::be32(&bytes[..4]), keys::be32(&bytes[4..]))
}

fn set_counts(
    tables: &Tables<'_>,
    place: OfRecording,
    (count, last): Counts32,
) -> Result<(), StorageError> {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&count.to_be_bytes());
    bytes[4..].copy_from_slice(&last.to_be_bytes());
    let mut table = tables.rare(NOTE_COUNTS)?;
    table.insert(&keys::recording(place.0, place.1), &bytes)?;
    Ok(())
}

/// Drops the notes of a recording that goes.
pub(super) fn forget(
    tables: &mut Tables<'_>,
    tenant: TenantId,
    id: RecordingId,
) -> Result<(), StorageError> {
    let had = {
        let mut table = tables.rare(NOTE_COUNTS)?;
        let removed = table.remove(&keys::recording(tenant, id))?;
        removed.is_some()
    };
    if had {
        remove_all(tables, (tenant, id))?;
        dirty(tables, (tenant, id))?;
    }
    Ok(())
}

/// The full text must look at a recording's notes again.
fn dirty(tables: &mut Tables<'_>, place: OfRecording) -> Result<(), StorageError> {
    let next = read_u64(tables, meta::NOTES_HIGH)?.saturating_add(1);
    let bytes = next.to_be_bytes();
    tables.meta.insert(meta::NOTES_HIGH, bytes.as_slice())?;
    let mut table = tables.rare(NOTES_DIRTY)?;
    table.insert(&bytes, &keys::recording(place.0, place.1))?;
    Ok(())
}

/// Forgets changes that the full text has seen.
fn prune(tables: &Tables<'_>, seen: u64) -> Result<(), StorageError> {
    let mut table = tables.rare(NOTES_DIRTY)?;
    let seen = seen.to_be_bytes();
    table.retain_in::<&[u8; 8], _>(..=&seen, |_, _| false)
}

fn key(place: OfRecording, number: u32) -> NoteKey {
    let mut key = [0; 16];
    key[..12].copy_from_slice(&keys::recording(place.0, place.1));
    key[12..].copy_from_slice(&number.to_be_bytes());
    key
}

pub(crate) fn decode_note(bytes: &[u8]) -> Result<NoteRow, ValueError> {
    values::decode(bytes)
}

/// A table of how many notes there are, open for reading.
pub(crate) type Counts = ReadOnlyTable<&'static RecordingKey, &'static [u8; 8]>;

/// How many notes a recording has.
pub(crate) fn count(
    table: Option<&Counts>,
    tenant: TenantId,
    id: RecordingId,
) -> Result<u32, ReadError> {
    let Some(table) = table else { return Ok(0) };
    let held = table.get(&keys::recording(tenant, id))?;
    Ok(held.map_or(0, |bytes| split_counts(bytes.value()).0))
}

/// The rows of a recording's notes, by number; unreadable ones are left out, and told.
pub(crate) fn rows_of(
    reading: &ReadTransaction,
    tenant: TenantId,
    id: RecordingId,
) -> Result<Vec<(u32, NoteRow)>, ReadError> {
    let Some(table) = tables::rare(reading, NOTES)? else {
        return Ok(Vec::new());
    };
    let (first, last) = (key((tenant, id), 0), key((tenant, id), u32::MAX));
    let mut notes = Vec::new();
    for entry in table.range::<&NoteKey>(&first..=&last)? {
        let (key, bytes) = entry?;
        let number = keys::be32(&key.value()[12..]);
        match decode_note(bytes.value()) {
            Ok(note) => notes.push((number, note)),
            Err(error) => log::error!("note {number} of recording {id}: {error}"),
        }
    }
    Ok(notes)
}

impl Index {
    /// A recording's notes, oldest first; `None` when the tenant has no such recording.
    pub(crate) fn notes(
        &self,
        tenant: TenantId,
        id: RecordingId,
    ) -> Result<Option<Vec<Note>>, ReadError> {
        let reading = self.begin_read()?;
        if read::row(&reading, tenant, id)?.is_none() {
            return Ok(None);
        }
        let rows = rows_of(&reading, tenant, id)?.into_iter();
        Ok(Some(rows.map(|(number, row)| row.note(number)).collect()))
    }

    /// The same as rows, with the latest number given, for another index.
    #[allow(clippy::type_complexity, reason = "numbers and what they lead to")]
    pub(crate) fn note_rows(
        &self,
        tenant: TenantId,
        id: RecordingId,
    ) -> Result<(Vec<(u32, NoteRow)>, u32), ReadError> {
        let reading = self.begin_read()?;
        let rows = rows_of(&reading, tenant, id)?;
        let Some(table) = tables::rare(&reading, NOTE_COUNTS)? else {
            return Ok((rows, 0));
        };
        let held = table.get(&keys::recording(tenant, id))?;
        let last = held.map_or(0, |bytes| split_counts(bytes.value()).1);
        Ok((rows, last))
    }

    /// Changes of notes after this one, at most so many.
    pub(crate) fn dirty_notes(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, RecordingKey)>, ReadError> {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, NOTES_DIRTY)? else {
            return Ok(Vec::new());
        };
        let first = after.saturating_add(1).to_be_bytes();
        let mut found = Vec::new();
        for entry in table.range::<&[u8; 8]>(&first..)?.take(limit) {
            let (number, key) = entry?;
            found.push((u64::from_be_bytes(*number.value()), *key.value()));
        }
        Ok(found)
    }

    /// Recordings that have, or had, notes, after a key, at most so many.
    pub(crate) fn noted(
        &self,
        after: Option<RecordingKey>,
        limit: usize,
    ) -> Result<Vec<RecordingKey>, ReadError> {
        use std::ops::Bound;
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, NOTE_COUNTS)? else {
            return Ok(Vec::new());
        };
        let start = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = Vec::new();
        let range = table.range::<&RecordingKey>((start, Bound::Unbounded))?;
        for entry in range.take(limit) {
            found.push(*entry?.0.value());
        }
        Ok(found)
    }
}
