//! Finds recordings by what people know of them, a page at a time in the order of time. Whatever
//! is combined, a page costs bounded work: the list that has least leads, everything else is
//! looked at on the way, and a page whose work is used up is short and has a cursor.
//!
//! ```text
//!  SearchQuery ──▶ Filters ──▶ lists, probed ──▶ the sparsest leads ──▶ briefs ──▶ rows ──▶ page
//!                  notes' words ──▶ full text ──▶ places ┘
//! ```

mod cursor;
mod engine;
mod filter;
mod lead;
#[cfg(test)]
mod speed_tests;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod thread;

use serde::Serialize;

use crate::error::ReadError;
use crate::handle::StorageHandle;
use crate::ids::{AgentName, LineName, Tag, TenantId};
use crate::index::search::Built;
use crate::index::search::lists::digits_of;
use crate::limits::{NOTE_QUERY_MAX, NOTE_WORDS_MAX, SEARCH_NAMES_MAX, SEARCH_PAGE_MAX};
use crate::record::{CallDirection, Recording, RecordingState, WallMillis};
pub use text::query::NoteWords;

/// What is looked for; all of it must be so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SearchQuery {
    /// What whoever asks may see at all.
    pub scope: Scope,
    /// Which comes first.
    pub order: Order,
    /// Started at or after this.
    pub since: Option<WallMillis>,
    /// Started at or before this.
    pub until: Option<WallMillis>,
    /// One of the two numbers begins or ends with these digits.
    pub number: Option<Digits>,
    /// From this line.
    pub line: Option<LineName>,
    /// Taken or made by this agent.
    pub agent: Option<AgentName>,
    /// Which way it went.
    pub direction: Option<CallDirection>,
    /// At least so long, in milliseconds. What is being recorded has no length yet.
    pub min_ms: Option<u64>,
    /// At most so long.
    pub max_ms: Option<u64>,
    /// With all of these tags.
    pub tags: Vec<Tag>,
    /// With a note that has all of these words.
    pub words: Option<NoteWords>,
    /// In one of these states; empty means any.
    pub states: Vec<RecordingState>,
    /// Held, or not.
    pub held: Option<bool>,
}

impl SearchQuery {
    fn check(&self) -> Result<(), SearchError> {
        let names = match &self.scope {
            Scope::Tenant => 0,
            Scope::Of { agents, lines } => agents.len() + lines.len(),
        };
        if names + self.tags.len() > SEARCH_NAMES_MAX {
            return Err(SearchError::Names);
        }
        Ok(())
    }
}

/// What somebody may see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Scope {
    /// All recordings of the tenant.
    #[default]
    Tenant,
    /// Those of one of these agents or lines; with neither, nothing.
    Of {
        /// Whose calls.
        agents: Vec<AgentName>,
        /// From which lines.
        lines: Vec<LineName>,
    },
}

impl Scope {
    /// Whether a recording of the tenant may be seen.
    #[must_use]
    pub fn sees(&self, row: &Recording) -> bool {
        match self {
            Self::Tenant => true,
            Self::Of { agents, lines } => {
                let facts = &row.facts;
                facts.agent.as_ref().is_some_and(|one| agents.contains(one))
                    || facts.line.as_ref().is_some_and(|one| lines.contains(one))
            }
        }
    }
}

/// The order of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Order {
    /// What started last comes first.
    #[default]
    NewestFirst,
    /// What started first comes first.
    OldestFirst,
}

impl Order {
    const fn turned(self) -> Self {
        match self {
            Self::NewestFirst => Self::OldestFirst,
            Self::OldestFirst => Self::NewestFirst,
        }
    }
}

/// Digits of a number, three at least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Digits(Vec<u8>);

impl Digits {
    /// The digits of what somebody typed: blanks, dashes, brackets and a plus are passed over.
    ///
    /// # Errors
    /// [`SearchError::Digits`].
    pub fn new(text: &str) -> Result<Self, SearchError> {
        let digits = digits_of(text);
        if (3..=64).contains(&digits.len()) {
            Ok(Self(digits))
        } else {
            Err(SearchError::Digits)
        }
    }
}

/// A recording that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its row.
    pub recording: Recording,
    /// Its tags, in order.
    pub tags: Vec<Tag>,
    /// Whether it is held.
    pub is_held: bool,
    /// How many notes it has.
    pub notes: u32,
}

/// A page of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPage {
    /// In the order that was asked for.
    pub hits: Vec<Hit>,
    /// Where the next page begins; `None` after the last. A page may be short, even empty, and
    /// still have one, where very much was passed over.
    pub next: Option<String>,
    /// Where the page before this one is, where there may be one.
    pub previous: Option<String>,
}

/// How far the lists are in a store that had none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchProgress {
    /// Recordings that are still to be put into them, about; 0 when all are in. Until then
    /// searches are right and their pages shorter.
    pub rows_left: u64,
    /// Whether the full text of notes can be asked.
    pub text_is_ready: bool,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// Fewer digits than narrow anything down, or more than a number has.
    #[error("a number is looked for by 3 to 64 digits of its beginning or its end")]
    Digits,
    /// Very many, or very long words.
    #[error(
        "at most {NOTE_WORDS_MAX} words in {NOTE_QUERY_MAX} bytes are looked for; of a word that \
         ends with '*' two letters are needed"
    )]
    Words,
    /// Too many tags, lines or agents.
    #[error("a search has at most {SEARCH_NAMES_MAX} tags, lines and agents")]
    Names,
    /// A cursor that was not made for this search.
    #[error("the cursor is not one of this search; begin at the first page")]
    Cursor,
    /// The full text of notes is being made; again in a moment.
    #[error("the text of notes is being made ready; try again in a moment")]
    TextNotReady,
    /// The full text of notes cannot be read; it is made anew.
    #[error("the text of notes cannot be read and is made anew; try again in a moment")]
    TextBroken,
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

macro_rules! from_redb {
    ($($source:ident),*) => { $(
        impl From<redb::$source> for SearchError {
            fn from(error: redb::$source) -> Self {
                Self::Read(error.into())
            }
        }
    )* };
}
from_redb!(TransactionError, TableError, StorageError);

impl StorageHandle {
    /// A page of a tenant's recordings, at most `limit` (1 to [`SEARCH_PAGE_MAX`]). `cursor` is
    /// one that an earlier page of the same search gave. What comes or goes meanwhile neither
    /// shows a recording twice nor hides one. Reads the index: call it off the event loop.
    ///
    /// # Errors
    /// [`SearchError`].
    pub fn search(
        &self,
        tenant: TenantId,
        query: &SearchQuery,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<SearchPage, SearchError> {
        self.search_within(tenant, query, cursor, limit, crate::limits::SEARCH_WORK)
    }

    pub(crate) fn search_within(
        &self,
        tenant: TenantId,
        query: &SearchQuery,
        cursor: Option<&str>,
        limit: usize,
        work: usize,
    ) -> Result<SearchPage, SearchError> {
        query.check()?;
        let search = &self.shared.search;
        let seal = search.cursors.of(tenant, query);
        let from = cursor.map(|text| seal.open(text)).transpose()?;
        let is_back = from.is_some_and(|from| from.is_back);
        let order = if is_back {
            query.order.turned()
        } else {
            query.order
        };
        let limit = limit.clamp(1, SEARCH_PAGE_MAX);
        let after = from.map(|from| from.place);
        let span = engine::Span::of(query, order, after);
        let asked = engine::Asked {
            tenant,
            query,
            order,
            span,
            limit,
            work,
        };
        let texts = match &query.words {
            Some(words) => Some(search.text().places(tenant, words, order, span)?),
            None => None,
        };
        let mut found = engine::run(&self.shared.index, &asked, texts)?;
        let place_of = |hit: &Hit| crate::index::search::lists::Place::of(&hit.recording);
        let far_end = found.rest;
        let near_end = found.hits.first().map(place_of);
        if is_back {
            found.hits.reverse();
            let next = near_end.or(after.map(|place| lead::step_back(place, query.order)));
            return Ok(SearchPage {
                hits: found.hits,
                next: next.map(|place| seal.close(false, place)),
                previous: far_end.map(|place| seal.close(true, place)),
            });
        }
        let previous = near_end.or(after.map(|place| lead::step_back(place, query.order.turned())));
        Ok(SearchPage {
            hits: found.hits,
            next: far_end.map(|place| seal.close(false, place)),
            previous: previous
                .filter(|_| from.is_some())
                .map(|place| seal.close(true, place)),
        })
    }

    /// How far the lists and the full text of notes are.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn search_progress(&self) -> Result<SearchProgress, ReadError> {
        let rows_left = match self.shared.index.search_built()? {
            Built::Whole => 0,
            Built::Until(_) => self.shared.index.search_left()?.max(1),
        };
        let text_is_ready = self.shared.search.text().is_ready();
        Ok(SearchProgress {
            rows_left,
            text_is_ready,
        })
    }

    /// Waits until all rows are in the lists and all notes that were written before are found.
    /// False when that does not come about: the full text cannot be written, or the store closes.
    #[must_use]
    pub fn settle_search(&self) -> bool {
        self.shared.search.settle()
    }
}
