//! Payloads of begin entries as earlier versions wrote them, and what they mean today.

use serde::Deserialize;
#[cfg(test)]
use serde::Serialize;

use super::entry::Begin;
use crate::index::old_rows::{AgentlessFacts, TimelessFacts};
use crate::record::{Gap, Mark};

/// Kind 1: no marks.
#[derive(Deserialize)]
pub(super) struct PlainBegin {
    facts: TimelessFacts,
    position: u64,
    gaps: Vec<Gap>,
}

impl From<PlainBegin> for Begin {
    fn from(begin: PlainBegin) -> Self {
        Self {
            facts: begin.facts.into(),
            position: begin.position,
            gaps: begin.gaps,
            marks: Vec::new(),
        }
    }
}

/// Kind 7: nothing of how good the time is.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub(super) struct TimelessBegin {
    pub(super) facts: TimelessFacts,
    pub(super) position: u64,
    pub(super) gaps: Vec<Gap>,
    pub(super) marks: Vec<Mark>,
}

impl From<TimelessBegin> for Begin {
    fn from(begin: TimelessBegin) -> Self {
        Self {
            facts: begin.facts.into(),
            position: begin.position,
            gaps: begin.gaps,
            marks: begin.marks,
        }
    }
}

/// Kind 8: nothing of agent and direction.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub(super) struct AgentlessBegin {
    pub(super) facts: AgentlessFacts,
    pub(super) position: u64,
    pub(super) gaps: Vec<Gap>,
    pub(super) marks: Vec<Mark>,
}

impl From<AgentlessBegin> for Begin {
    fn from(begin: AgentlessBegin) -> Self {
        Self {
            facts: begin.facts.into(),
            position: begin.position,
            gaps: begin.gaps,
            marks: begin.marks,
        }
    }
}
