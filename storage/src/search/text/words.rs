//! Cuts text into words, of notes and of what is looked for alike: runs of letters and digits in
//! lower case without accents; each character of scripts that put no blanks between words is one
//! by itself, so that such text is found by any part of it, as a phrase.

use tantivy::tokenizer::{AsciiFoldingFilter, TextAnalyzer, Token, TokenStream, Tokenizer};

use crate::limits::NOTE_WORD_BYTES;

/// What cuts text into words.
pub(super) fn analyzer() -> TextAnalyzer {
    TextAnalyzer::builder(Words::default())
        .filter(AsciiFoldingFilter)
        .build()
}

/// The words of a text.
pub(super) fn words_of(text: &str) -> Vec<String> {
    let mut analyzer = analyzer();
    let mut stream = analyzer.token_stream(text);
    let mut words = Vec::new();
    stream.process(&mut |token| words.push(token.text.clone()));
    words
}

#[derive(Clone, Default)]
struct Words {
    token: Token,
}

struct Stream<'a> {
    text: &'a str,
    at: usize,
    token: &'a mut Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = Stream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Stream<'a> {
        self.token.reset();
        Stream {
            text,
            at: 0,
            token: &mut self.token,
        }
    }
}

impl TokenStream for Stream<'_> {
    fn advance(&mut self) -> bool {
        self.token.text.clear();
        self.token.position = self.token.position.wrapping_add(1);
        let start = self.at;
        for (offset, c) in self.text[start..].char_indices() {
            let end = start + offset;
            let next = end + c.len_utf8();
            if is_alone(c) && !self.token.text.is_empty() {
                return self.end(end);
            }
            if c.is_alphanumeric() {
                if self.token.text.is_empty() {
                    self.token.offset_from = end;
                }
                for lower in c.to_lowercase() {
                    if self.token.text.len() + lower.len_utf8() <= NOTE_WORD_BYTES {
                        self.token.text.push(lower);
                    }
                }
                if is_alone(c) {
                    return self.end(next);
                }
            } else if !is_unseen(c) && !self.token.text.is_empty() {
                return self.end(end);
            }
        }
        self.at = self.text.len();
        self.token.offset_to = self.at;
        !self.token.text.is_empty()
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

impl Stream<'_> {
    fn end(&mut self, at: usize) -> bool {
        self.at = at;
        self.token.offset_to = at;
        true
    }
}

/// Characters that do not end a word though they are no letters: accents that follow theirs, and
/// those that nobody sees, which would hide a word otherwise.
const fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36F}' | '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

/// Characters of scripts that are written without blanks.
const fn is_alone(c: char) -> bool {
    matches!(c,
        '\u{E00}'..='\u{EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}'
        | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_what_people_take_for_words() {
        let cut = |text: &str| words_of(text).join("|");
        assert_eq!(cut("Crème brûlée, no. 7!"), "creme|brulee|no|7");
        assert_eq!(cut("cre\u{300}me GRO\u{df}"), "creme|gross");
        assert_eq!(cut("<b>re-fund</b>"), "b|re|fund|b");
        assert_eq!(cut("通話abc記録"), "通|話|abc|記|録");
        assert_eq!(cut("se\u{202E}cr\u{200B}et"), "secret");
        assert_eq!(cut("\u{0}\u{1b}[31m"), "31m");
        assert_eq!(cut("...!? "), "");
        let long = words_of(&"x".repeat(1 << 20));
        assert_eq!(long, ["x".repeat(NOTE_WORD_BYTES)]);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text: String) {
            for word in words_of(&text) {
                prop_assert!(!word.is_empty() && word.len() <= 4 * NOTE_WORD_BYTES);
            }
        }
    }
}
