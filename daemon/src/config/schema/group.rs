//! `[[group]]`: lines that somebody looks after together.

use serde::Deserialize;
use storage::ids::{GroupName, LineName};

/// A `[[group]]` table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name; users are in it by this.
    pub name: GroupName,
    /// Its lines. Those of telephone channels are named one by one, as `callreel lines` lists them.
    pub lines: Vec<LineName>,
}
