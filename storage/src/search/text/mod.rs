//! The full text of notes, in `<data_dir>/search`: derived from the notes' rows, which know best.
//! It can be deleted at any time and is made again. What it is asked may miss the last second.
//!
//! ```text
//!  notes ──one commit──▶ notes, notes_dirty ──▶ thread, at most every second ──▶ full text
//! ```
//! A commit of it says, in its payload, which index it belongs to and which change it has seen;
//! where that is not so, or a file's checksum is wrong, all of it is made anew.

mod files;
mod hits;
pub(crate) mod query;
mod words;
pub(crate) mod writer;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use tantivy::schema::{
    BytesOptions, FAST, Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing,
    TextOptions,
};
use tantivy::{IndexReader, TantivyError};

use super::engine::{Places, Span};
use super::{NoteWords, Order, SearchError};
use crate::ids::TenantId;

/// The name of the tokenizer, which is part of the files' format.
const WORDS: &str = "words1";

/// The full text, as it is asked.
#[derive(Default)]
pub(crate) struct FullText {
    ready: ArcSwapOption<Ready>,
    /// The last change of notes that is durable in it.
    seen: AtomicU64,
    /// It gave nonsense and must be made anew.
    is_broken: AtomicBool,
}

struct Ready {
    reader: IndexReader,
    fields: Fields,
}

/// The fields of a note.
#[derive(Clone, Copy)]
struct Fields {
    /// tenant, id: by it a recording's notes are removed.
    key: Field,
    tenant: Field,
    started_at: Field,
    id: Field,
    text: Field,
}

fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(WORDS)
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let number = NumericOptions::default() | FAST;
    let fields = Fields {
        key: schema.add_bytes_field("key", BytesOptions::default().set_indexed()),
        tenant: schema.add_u64_field("tenant", number.clone()),
        started_at: schema.add_u64_field("started_at", number.clone()),
        id: schema.add_u64_field("id", number),
        text: schema.add_text_field(
            "text",
            TextOptions::default().set_indexing_options(indexing),
        ),
    };
    (schema.build(), fields)
}

impl FullText {
    /// Up to which change it is.
    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// Whether it can be asked.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load().is_some()
    }

    /// Recordings with a note that has these words, in order, within a span.
    pub(crate) fn places(
        &self,
        tenant: TenantId,
        words: &NoteWords,
        order: Order,
        span: Span,
    ) -> Result<Places, SearchError> {
        let ready = self.ready.load_full().ok_or(SearchError::TextNotReady)?;
        let asked = hits::Asked {
            tenant: u64::from(tenant.0),
            order,
            span,
        };
        // Files that were tampered with must not take more down than the answer.
        let found = caught(|| {
            let query = words.to_query(ready.fields.text)?;
            ready.reader.searcher().search(&*query, &asked)
        });
        found.map_err(|error| {
            log::error!("the text of notes cannot be read and is made anew: {error}");
            self.is_broken.store(true, Ordering::Release);
            self.ready.store(None);
            SearchError::TextBroken
        })
    }

    fn show(&self, ready: Option<Ready>, seen: u64) {
        self.seen.store(seen, Ordering::Release);
        self.ready.store(ready.map(Arc::new));
    }

    fn take_broken(&self) -> bool {
        self.is_broken.swap(false, Ordering::AcqRel)
    }
}

/// What the full text answers, a panic of it as an error.
fn caught<T>(work: impl FnOnce() -> tantivy::Result<T>) -> tantivy::Result<T> {
    std::panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(TantivyError::InternalError("it panicked".into())))
}
