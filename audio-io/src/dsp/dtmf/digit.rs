//! The sixteen digits and their frequencies (ITU-T Q.23, section 6.1).

use std::fmt;

/// One key of the telephone's pad: `0` to `9`, `*`, `#`, `A` to `D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digit(u8);

impl Digit {
    /// All digits, row by row.
    pub const ALL: [Self; 16] = {
        let mut all = [Self(0); 16];
        let mut index = 0;
        while index < 16 {
            all[index as usize] = Self(index);
            index += 1;
        }
        all
    };

    /// The key in a row (of [`LOW_HERTZ`]) and a column (of [`HIGH_HERTZ`]), each 0 to 3.
    pub(super) const fn at(row: usize, column: usize) -> Self {
        Self::ALL[(row & 3) * 4 + (column & 3)]
    }

    /// The key as a character.
    #[must_use]
    pub const fn as_char(self) -> char {
        KEYS[self.0 as usize] as char
    }

    /// The frequency of the low group, in hertz.
    #[must_use]
    pub const fn low_hertz(self) -> f64 {
        LOW_HERTZ[(self.0 / 4) as usize]
    }

    /// The frequency of the high group, in hertz.
    #[must_use]
    pub const fn high_hertz(self) -> f64 {
        HIGH_HERTZ[(self.0 % 4) as usize]
    }
}

impl TryFrom<char> for Digit {
    type Error = NotADigit;
    fn try_from(key: char) -> Result<Self, NotADigit> {
        let upper = key.to_ascii_uppercase();
        Self::ALL
            .into_iter()
            .find(|digit| digit.as_char() == upper)
            .ok_or(NotADigit(key))
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

/// A character that no key of the pad bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a DTMF digit; use 0-9, *, # or A-D")]
pub struct NotADigit(pub char);

/// The low group: the rows of the pad.
pub(super) const LOW_HERTZ: [f64; 4] = [697.0, 770.0, 852.0, 941.0];

/// The high group: its columns.
pub(super) const HIGH_HERTZ: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

const KEYS: &[u8; 16] = b"123A456B789C*0#D";
