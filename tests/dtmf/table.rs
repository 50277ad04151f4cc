//! A row of the table of conditions: sounds, what is to be heard in them, and what was.

use crate::signal::sampled;

/// What a receiver has to do with the digits of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    /// All are to be heard.
    Accept,
    /// None is.
    Reject,
    /// Q.24 leaves it open; the rate is shown.
    Show,
}

/// One sound and the digits that an ideal receiver hears in it.
pub(crate) struct Piece {
    pub(crate) sound: Vec<i16>,
    pub(crate) keys: String,
}

impl Piece {
    pub(crate) fn new(sound: &[f64], keys: &str) -> Self {
        Self {
            sound: sampled(sound),
            keys: keys.to_owned(),
        }
    }
}

/// A condition.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) must: Must,
    pub(crate) pieces: Vec<Piece>,
}

/// What a detector made of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Score {
    /// Digits there were, those of them heard, and digits heard that were none of them.
    pub(crate) there: usize,
    pub(crate) heard: usize,
    pub(crate) wrong: usize,
}

impl Score {
    /// Judges what was heard in each piece of a row.
    pub(crate) fn of<'a>(row: &Row, heard: impl Iterator<Item = &'a str>) -> Self {
        let mut score = Self::default();
        for (piece, heard) in row.pieces.iter().zip(heard) {
            let right = common(&piece.keys, heard);
            score.there += piece.keys.chars().count();
            score.heard += right;
            score.wrong += heard.chars().count() - right;
        }
        score
    }

    pub(crate) fn is_perfect(self) -> bool {
        self.heard == self.there && self.wrong == 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.heard == 0 && self.wrong == 0
    }

    pub(crate) fn text(self) -> String {
        #[allow(clippy::cast_precision_loss, reason = "hundreds of digits")]
        let percent = 100.0 * self.heard as f64 / self.there.max(1) as f64;
        let wrong = if self.wrong > 0 {
            format!(" +{}", self.wrong)
        } else {
            String::new()
        };
        format!("{percent:.1} %{wrong}")
    }
}

/// The length of the longest sequence that both hold, in order.
fn common(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut best = vec![0; b.len() + 1];
    for key in a.chars() {
        let mut diagonal = 0;
        for (index, other) in b.iter().enumerate() {
            let above = best[index + 1];
            best[index + 1] = if key == *other {
                diagonal + 1
            } else {
                above.max(best[index])
            };
            diagonal = above;
        }
    }
    best.last().copied().unwrap_or_default()
}

#[test]
fn what_was_heard_is_compared_in_order() {
    assert_eq!(common("159D", "159D"), 4);
    assert_eq!(common("159D", "19D"), 3);
    assert_eq!(common("159D", "D951"), 1);
    assert_eq!(common("11", "1"), 1);
    assert_eq!(common("", "1"), 0);
}
