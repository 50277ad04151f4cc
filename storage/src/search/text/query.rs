//! What people type to find notes: words, of which all must be in one note; `"several words"` that
//! follow each other; `begin*` for words that begin so. Nothing else means anything, and nothing
//! that is typed is an error but very much of it.

use serde::Serialize;
use tantivy::query::{BooleanQuery, Occur, PhrasePrefixQuery, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Result, Term};

use super::super::SearchError;
use super::words::words_of;
use crate::limits::{NOTE_QUERY_MAX, NOTE_WORDS_MAX};

/// Words that are looked for in notes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoteWords(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
enum Piece {
    /// Words that follow each other; mostly one.
    Words(Vec<String>),
    /// The same, and a word after them that begins so.
    Prefix(Vec<String>),
}

/// Words that one beginning may stand for.
const PREFIX_WORDS_MAX: u32 = 65_536;

impl NoteWords {
    /// Reads what somebody typed.
    ///
    /// # Errors
    /// [`SearchError::Words`].
    pub fn new(text: &str) -> std::result::Result<Self, SearchError> {
        if text.len() > NOTE_QUERY_MAX {
            return Err(SearchError::Words);
        }
        let is_quote = |c: char| matches!(c, '"' | '\u{201C}' | '\u{201D}' | '\u{201E}');
        let mut pieces = Vec::new();
        let mut total = 0;
        let mut rest = text;
        while !rest.is_empty() {
            let is_quoted = rest.starts_with(is_quote);
            let (piece, after) = if is_quoted {
                let inner = rest.trim_start_matches(|c| is_quote(c));
                inner.split_once(is_quote).unwrap_or((inner, ""))
            } else {
                let ends = |c: char| c.is_whitespace() || is_quote(c);
                match rest.find(ends) {
                    Some(0) => ("", rest.trim_start()),
                    Some(end) => rest.split_at(end),
                    None => (rest, ""),
                }
            };
            rest = after;
            let words = words_of(piece);
            total += words.len();
            if total > NOTE_WORDS_MAX {
                return Err(SearchError::Words);
            }
            let Some(last) = words.last() else { continue };
            if !is_quoted && piece.ends_with('*') {
                if last.chars().nth(1).is_none() {
                    return Err(SearchError::Words);
                }
                pieces.push(Piece::Prefix(words));
            } else {
                pieces.push(Piece::Words(words));
            }
        }
        Ok(Self(pieces))
    }

    /// Whether there is no word in it: then nothing is found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn to_query(&self, text: Field) -> Result<Box<dyn Query>> {
        let mut pieces: Vec<(Occur, Box<dyn Query>)> = Vec::with_capacity(self.0.len());
        for piece in &self.0 {
            pieces.push((Occur::Must, piece.to_query(text)));
        }
        Ok(match pieces.pop() {
            Some((_, only)) if pieces.is_empty() => only,
            Some(last) => {
                pieces.push(last);
                Box::new(BooleanQuery::new(pieces))
            }
            None => Box::new(tantivy::query::EmptyQuery),
        })
    }
}

impl Piece {
    fn to_query(&self, text: Field) -> Box<dyn Query> {
        let terms = |words: &[String]| -> Vec<Term> {
            let words = words.iter();
            words
                .map(|word| Term::from_field_text(text, word))
                .collect()
        };
        match self {
            Self::Words(words) if words.len() == 1 => {
                let term = Term::from_field_text(text, &words[0]);
                Box::new(TermQuery::new(term, IndexRecordOption::Basic))
            }
            Self::Words(words) => Box::new(PhraseQuery::new(terms(words))),
            Self::Prefix(words) => {
                let mut query = PhrasePrefixQuery::new(terms(words));
                query.set_max_expansions(PREFIX_WORDS_MAX);
                Box::new(query)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<Piece> {
        NoteWords::new(text).unwrap().0
    }

    fn words(list: &[&str]) -> Piece {
        Piece::Words(list.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn words_phrases_and_beginnings_are_told_apart() {
        assert_eq!(read("  Two words "), [words(&["two"]), words(&["words"])]);
        assert_eq!(
            read("\"two words\" x"),
            [words(&["two", "words"]), words(&["x"])]
        );
        assert_eq!(
            read("\u{201E}two words\u{201C}"),
            [words(&["two", "words"])]
        );
        assert_eq!(read("re-fund"), [words(&["re", "fund"])]);
        assert_eq!(read("compl*"), [Piece::Prefix(vec!["compl".into()])]);
        assert_eq!(read("\"open end"), [words(&["open", "end"])]);
        assert_eq!(
            read("ab\"cd\"ef"),
            [words(&["ab"]), words(&["cd"]), words(&["ef"])]
        );
        assert_eq!(read("AND OR +x -y (z)").len(), 5);
        assert!(NoteWords::new("!!! \"\" *").unwrap().is_empty());
        assert!(NoteWords::new("a*").is_err(), "every word there is");
        assert!(NoteWords::new(&"x ".repeat(NOTE_WORDS_MAX + 1)).is_err());
        assert!(NoteWords::new(&"x".repeat(NOTE_QUERY_MAX + 1)).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_read(text in "[\"*a-c \u{201C}\u{3042}.\u{0}-]{0,40}") {
            let _ = NoteWords::new(&text);
        }
    }
}
