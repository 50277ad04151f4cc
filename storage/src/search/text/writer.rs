//! Keeps the full text true to the notes' rows. Its thread alone calls this.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tantivy::schema::TantivyDocument;
use tantivy::tokenizer::TokenizerManager;
use tantivy::{IndexReader, IndexWriter, ReloadPolicy, TantivyError, Term};

use super::files::Files;
use super::words::analyzer;
use super::{Fields, FullText, Ready, WORDS, caught, schema};
use crate::error::ReadError;
use crate::index::keys::{RecordingKey, be64, split_recording};
use crate::index::notes::rows_of;
use crate::index::tables::meta;
use crate::index::{Index, read};
use crate::limits::NOTE_TEXT_STEP;
use crate::paths::{create_dirs, sync_dir};

/// Memory of the one thread that writes, the least that tantivy takes.
const MEMORY: usize = 15_000_000;

/// Why the full text is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TextError {
    #[error(transparent)]
    Text(#[from] TantivyError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("its folder: {0}")]
    Io(#[from] io::Error),
    #[error("the store is closing")]
    Closing,
}

/// The full text, open for writing.
pub(crate) struct Writer {
    index: Arc<Index>,
    shown: Arc<FullText>,
    root: PathBuf,
    folder: PathBuf,
    /// The open text, its reader, and whether it is to be made anew.
    open: Option<(tantivy::Index, IndexReader)>,
    fields: Fields,
    id: String,
}

impl Writer {
    pub(crate) fn new(
        index: Arc<Index>,
        shown: Arc<FullText>,
        root: PathBuf,
        folder: PathBuf,
    ) -> Self {
        Self {
            index,
            shown,
            root,
            folder,
            open: None,
            fields: schema().1,
            id: String::new(),
        }
    }

    /// Brings the full text up to what the rows say; false when there was nothing to do. `goes_on`
    /// is asked between steps.
    pub(crate) fn turn(&mut self, goes_on: &dyn Fn() -> bool) -> Result<bool, TextError> {
        if self.shown.take_broken() {
            self.wipe()?;
        }
        if self.open.is_none() {
            self.open(goes_on)?;
        }
        self.catch_up(goes_on)
    }

    /// Forgets the open files, and with `wipe` the files themselves.
    pub(crate) fn wipe(&mut self) -> Result<(), TextError> {
        self.close();
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Forgets the open files: the next turn opens them again.
    pub(crate) fn close(&mut self) {
        self.open = None;
        self.shown.show(None, 0);
    }

    fn open(&mut self, goes_on: &dyn Fn() -> bool) -> Result<(), TextError> {
        let id = self.index.meta(meta::NOTES_ID)?.unwrap_or_default();
        self.id = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let high = self.high()?;
        if self.folder.exists() {
            match caught(|| Ok(self.reopen(high))) {
                Ok(Ok((text, seen))) => return self.show(text, seen),
                Ok(Err(problem)) => log::warn!("the text of notes is made anew: {problem}"),
                Err(error) => log::warn!("the text of notes is made anew: {error}"),
            }
            self.wipe()?;
        }
        create_dirs(&self.root, &self.folder)?;
        crate::restore::kept::only_for_owner(&self.folder)?;
        sync_dir(&self.root)?;
        let text = caught(|| {
            let (schema, _) = schema();
            let files = Files::new(self.folder.clone());
            tantivy::IndexBuilder::new()
                .schema(schema)
                .tokenizers(tokenizers())
                .open_or_create(files)
        })?;
        let mut writer = Self::writer(&text)?;
        let mut after = None;
        loop {
            let keys = self.index.noted(after, NOTE_TEXT_STEP)?;
            let Some(last) = keys.last() else { break };
            after = Some(*last);
            for key in &keys {
                self.add(&writer, key)?;
            }
            if !goes_on() {
                return Err(TextError::Closing);
            }
        }
        // What was changed meanwhile is done again.
        self.commit(&mut writer, high)?;
        caught(|| writer.wait_merging_threads())?;
        self.show(text, high)
    }

    /// Opens what an earlier run left; the text says what is wrong with it.
    fn reopen(&self, high: u64) -> Result<(tantivy::Index, u64), String> {
        let told = |error: TantivyError| error.to_string();
        let mut text = tantivy::Index::open(Files::new(self.folder.clone())).map_err(told)?;
        text.set_tokenizers(tokenizers());
        if text.schema() != schema().0 {
            return Err("it has another layout".into());
        }
        let payload = text.load_metas().map_err(told)?.payload.unwrap_or_default();
        let mut parts = payload.split(' ');
        let (name, id, seen) = (parts.next(), parts.next(), parts.next());
        if name != Some(NAME) || id != Some(&self.id) {
            return Err("it belongs to another index".into());
        }
        let seen = seen.and_then(|seen| seen.parse().ok());
        let Some(seen) = seen.filter(|seen| *seen <= high) else {
            return Err("it is newer than the index".into());
        };
        let damaged = text.validate_checksum().map_err(told)?;
        match damaged.into_iter().next() {
            Some(path) => Err(format!("'{}' is damaged", path.display())),
            None => Ok((text, seen)),
        }
    }

    fn show(&mut self, text: tantivy::Index, seen: u64) -> Result<(), TextError> {
        let reader = caught(|| {
            text.reader_builder()
                .reload_policy(ReloadPolicy::Manual)
                .try_into()
        })?;
        self.shown.show(
            Some(Ready {
                reader: reader.clone(),
                fields: self.fields,
            }),
            seen,
        );
        self.open = Some((text, reader));
        Ok(())
    }

    fn high(&self) -> Result<u64, ReadError> {
        let held = self.index.meta(meta::NOTES_HIGH)?;
        Ok(held.map_or(0, |bytes| be64(&bytes)))
    }

    fn writer(text: &tantivy::Index) -> tantivy::Result<IndexWriter> {
        caught(|| text.writer_with_num_threads(1, MEMORY))
    }

    fn catch_up(&mut self, goes_on: &dyn Fn() -> bool) -> Result<bool, TextError> {
        let mut seen = self.shown.seen();
        if self.high()? <= seen {
            return Ok(false);
        }
        let Some((text, reader)) = self.open.clone() else {
            return Ok(false);
        };
        let mut writer = Self::writer(&text)?;
        loop {
            let changes = self.index.dirty_notes(seen, NOTE_TEXT_STEP)?;
            let Some((last, _)) = changes.last() else {
                break;
            };
            seen = *last;
            let mut keys: Vec<_> = changes.into_iter().map(|(_, key)| key).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in &keys {
                caught(|| {
                    writer.delete_term(Term::from_field_bytes(self.fields.key, key));
                    Ok(())
                })?;
                self.add(&writer, key)?;
            }
            self.commit(&mut writer, seen)?;
            caught(|| reader.reload())?;
            self.shown
                .seen
                .store(seen, std::sync::atomic::Ordering::Release);
            if !goes_on() {
                return Err(TextError::Closing);
            }
        }
        // Small parts are put together before the next ones come.
        caught(|| writer.wait_merging_threads())?;
        caught(|| reader.reload())?;
        Ok(true)
    }

    fn add(&self, writer: &IndexWriter, key: &RecordingKey) -> Result<(), TextError> {
        let (tenant, id) = split_recording(key);
        let reading = self.index.begin_read()?;
        let row = match read::row(&reading, tenant, id) {
            Ok(Some(row)) => row,
            // Notes of what cannot be read are not found either.
            Ok(None) | Err(ReadError::Row(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let fields = &self.fields;
        for (_, note) in rows_of(&reading, tenant, id)? {
            let mut document = TantivyDocument::default();
            document.add_bytes(fields.key, key);
            document.add_u64(fields.tenant, u64::from(tenant.0));
            document.add_u64(fields.started_at, row.facts.started_at.0);
            document.add_u64(fields.id, id.0);
            document.add_text(fields.text, &note.text);
            caught(|| writer.add_document(document))?;
        }
        Ok(())
    }

    fn commit(&self, writer: &mut IndexWriter, seen: u64) -> Result<(), TextError> {
        let payload = format!("{NAME} {} {seen}", self.id);
        caught(|| {
            let mut prepared = writer.prepare_commit()?;
            prepared.set_payload(&payload);
            prepared.commit()
        })?;
        Ok(())
    }
}

/// What the payload of a commit begins with.
const NAME: &str = "callreel-notes-1";

fn tokenizers() -> TokenizerManager {
    let tokenizers = TokenizerManager::new();
    tokenizers.register(WORDS, analyzer());
    tokenizers
}
