//! Keys of a telephone, and which of them are an answer to `play_and_get_digits` (seed 001). How
//! they are collected is `digits.rs`.

use std::time::Duration;

use serde::Serialize;

use super::limits;

/// A key of a telephone (ITU-T Q.23): `0` to `9`, `*`, `#`, `A` to `D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Digit(char);

impl Digit {
    /// A key by its character; `None` if there is no such key.
    #[must_use]
    pub const fn new(key: char) -> Option<Self> {
        match key {
            '0'..='9' | '*' | '#' | 'A'..='D' => Some(Self(key)),
            _ => None,
        }
    }

    /// Its character.
    #[must_use]
    pub const fn key(self) -> char {
        self.0
    }
}

/// Which digits are an answer, and how long a caller has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitPlan {
    min_digits: u32,
    max_digits: u32,
    max_tries: u32,
    timeout_ms: u32,
    terminators: Terminators,
}

/// The keys that end an input: none, `#`, `*` or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminators {
    hash: bool,
    star: bool,
}

impl Terminators {
    /// Reads at most 16 characters, each `#` or `*`; `None` for anything else. An empty text is no
    /// terminator at all.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = text.len() <= limits::TERMINATORS;
        (fits && text.bytes().all(|byte| b"#*".contains(&byte))).then(|| Self {
            hash: text.contains('#'),
            star: text.contains('*'),
        })
    }

    const fn contains(self, digit: Digit) -> bool {
        match digit.key() {
            '#' => self.hash,
            '*' => self.star,
            _ => false,
        }
    }
}

impl Default for Terminators {
    /// `#`
    fn default() -> Self {
        Self {
            hash: true,
            star: false,
        }
    }
}

/// Numbers that make no [`DigitPlan`], by the field of seed 001.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// `min_digits` outside 0 to 128.
    #[error("min_digits is {0}")]
    MinDigits(u32),
    /// `max_digits` outside 1 to 128.
    #[error("max_digits is {0}")]
    MaxDigits(u32),
    /// `min_digits` above `max_digits`.
    #[error("min_digits is {min}, max_digits {max}")]
    MinAboveMax {
        /// `min_digits`
        min: u32,
        /// `max_digits`
        max: u32,
    },
    /// `max_tries` outside 1 to 10.
    #[error("max_tries is {0}")]
    MaxTries(u32),
    /// `timeout` outside 1000 to 300000.
    #[error("timeout is {0}")]
    Timeout(u32),
    /// `timeout * max_tries` above 120000.
    #[error("timeout * max_tries is {0} ms")]
    Whole(u32),
}

/// The numbers of a [`DigitPlan`] before they are checked, under their names in seed 001.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanNumbers {
    /// Fewest digits of an answer, 0 to 128.
    pub min_digits: u32,
    /// Most digits of an answer, 1 to 128.
    pub max_digits: u32,
    /// How often a caller is asked at most, 1 to 10.
    pub max_tries: u32,
    /// For one try, from the prompt's end, 1000 to 300000.
    pub timeout_ms: u32,
}

impl Default for PlanNumbers {
    fn default() -> Self {
        Self {
            min_digits: limits::DIGITS_MIN_DEFAULT,
            max_digits: limits::DIGITS_MAX_DEFAULT,
            max_tries: limits::TRIES_DEFAULT,
            timeout_ms: limits::TRY_DEFAULT_MS,
        }
    }
}

impl DigitPlan {
    /// Checks numbers.
    ///
    /// # Errors
    /// [`PlanError`] names the first field that is out of its range.
    pub fn new(numbers: PlanNumbers, terminators: Terminators) -> Result<Self, PlanError> {
        let PlanNumbers {
            min_digits: min,
            max_digits: max,
            max_tries,
            timeout_ms,
        } = numbers;
        if min > limits::DIGITS {
            return Err(PlanError::MinDigits(min));
        }
        if !(1..=limits::DIGITS).contains(&max) {
            return Err(PlanError::MaxDigits(max));
        }
        if min > max {
            return Err(PlanError::MinAboveMax { min, max });
        }
        if !(1..=limits::TRIES).contains(&max_tries) {
            return Err(PlanError::MaxTries(max_tries));
        }
        if !(limits::TRY_MIN_MS..=limits::TRY_MAX_MS).contains(&timeout_ms) {
            return Err(PlanError::Timeout(timeout_ms));
        }
        let whole = timeout_ms * max_tries;
        if whole > limits::TRIES_WHOLE_MS {
            return Err(PlanError::Whole(whole));
        }
        Ok(Self {
            min_digits: min,
            max_digits: max,
            max_tries,
            timeout_ms,
            terminators,
        })
    }

    /// Whether so many digits are an answer.
    #[must_use]
    pub const fn is_enough(&self, digits: usize) -> bool {
        digits >= self.min_digits as usize
    }

    /// Whether no further digit belongs to the answer.
    #[must_use]
    pub const fn is_full(&self, digits: usize) -> bool {
        digits >= self.max_digits as usize
    }

    /// How often a caller is asked at most.
    #[must_use]
    pub const fn max_tries(&self) -> u32 {
        self.max_tries
    }

    /// How long one try lasts after its prompt.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms as u64)
    }

    /// Whether a key ends the input.
    #[must_use]
    pub const fn is_terminator(&self, digit: Digit) -> bool {
        self.terminators.contains(digit)
    }
}
