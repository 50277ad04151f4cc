//! What is kept of a recording beside its row: who holds it and why, until when it must be kept,
//! and its tags.

use serde::{Deserialize, Serialize};

use crate::ids::Tag;
use crate::paths::utc;
use crate::record::WallMillis;

/// What keeps a recording, and its tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeping {
    /// Its tags, in order, each once.
    pub tags: Vec<Tag>,
    /// Who holds it, oldest first. While there is one it is not deleted.
    pub holds: Vec<Hold>,
    /// It is kept until then, by proven time; 0 for no minimum of its own. Only ever grows.
    pub keep_until: u64,
    /// The number of the latest hold there ever was.
    pub last_hold: u32,
}

impl Keeping {
    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its number among the recording's holds, never given twice.
    pub id: u32,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub by: String,
    /// When, by the wall clock.
    pub at: WallMillis,
}

/// A hold that is to be set, or what is said when one is lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHold {
    /// Why; neither empty nor blank.
    pub reason: String,
    /// Who.
    pub by: String,
}

/// A time in words.
pub(crate) fn time_text(ms: u64) -> String {
    let at = utc(WallMillis(ms));
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}
