//! What a search asks of a posting's brief, which may only match, and of a row, which decides.

use super::{Scope, SearchQuery};
use crate::index::keys::state_byte;
use crate::index::search::brief::{
    Brief, ENDLESS, agent_code, direction_code, line_code, tag_bits,
};
use crate::index::search::lists::{ListId, Listed, digits_of, length_step, lists_of_digits};
use crate::record::{Recording, RecordingState};
use crate::retention::Keeping;

/// A query, prepared for many briefs.
pub(super) struct Filter<'q> {
    query: &'q SearchQuery,
    states: u8,
    direction: Option<u8>,
    /// Shortest and longest, where a length is asked for.
    lengths: Option<(u32, u32)>,
    line: Option<u32>,
    agent: Option<u32>,
    tags: u16,
    /// Agents and lines of the scope, in order.
    scope: Option<(Vec<u32>, Vec<u32>)>,
}

impl<'q> Filter<'q> {
    pub(super) fn new(query: &'q SearchQuery) -> Self {
        let states = match query.states.as_slice() {
            [] => u8::MAX,
            states => states
                .iter()
                .fold(0, |bits, state| bits | 1 << state_byte(*state)),
        };
        let lengths = (query.min_ms.is_some() || query.max_ms.is_some()).then(|| {
            let short = |ms: u64| u32::try_from(ms).unwrap_or(ENDLESS).min(ENDLESS - 1);
            let most = query.max_ms.unwrap_or(u64::MAX);
            (short(query.min_ms.unwrap_or(0)), short(most))
        });
        let scope = match &query.scope {
            Scope::Tenant => None,
            Scope::Of { agents, lines } => {
                let mut agents: Vec<_> = agents.iter().map(|one| agent_code(Some(one))).collect();
                let mut lines: Vec<_> = lines.iter().map(|one| line_code(Some(one))).collect();
                agents.sort_unstable();
                lines.sort_unstable();
                Some((agents, lines))
            }
        };
        Self {
            query,
            states,
            direction: query.direction.map(|way| direction_code(Some(way))),
            lengths,
            line: query.line.as_ref().map(|line| line_code(Some(line))),
            agent: query.agent.as_ref().map(|agent| agent_code(Some(agent))),
            tags: tag_bits(&query.tags),
            scope,
        }
    }

    /// Whether nothing in a brief speaks against its recording.
    pub(super) fn may_match(&self, brief: &Brief) -> bool {
        self.states >> brief.state & 1 == 1
            && self.direction.is_none_or(|way| way == brief.direction)
            && self.query.held.is_none_or(|held| held == brief.is_held)
            && self.line.is_none_or(|line| line == brief.line)
            && self.agent.is_none_or(|agent| agent == brief.agent)
            && brief.tags & self.tags == self.tags
            && self.lengths.is_none_or(|(least, most)| {
                brief.duration != ENDLESS && (least..=most).contains(&brief.duration)
            })
            && self.scope.as_ref().is_none_or(|(agents, lines)| {
                (brief.agent != 0 && agents.binary_search(&brief.agent).is_ok())
                    || (brief.line != 0 && lines.binary_search(&brief.line).is_ok())
            })
    }

    /// Whether a recording is one that is looked for; the words of notes are not looked at.
    pub(super) fn matches(&self, row: &Recording, keeping: &Keeping) -> bool {
        let (query, facts) = (self.query, &row.facts);
        let started_at = facts.started_at;
        let is_long_enough = match (query.min_ms, query.max_ms) {
            (None, None) => true,
            (least, most) => row.duration().is_some_and(|length| {
                (least.unwrap_or(0)..=most.unwrap_or(u64::MAX)).contains(&length.0)
            }),
        };
        query.scope.sees(row)
            && is_long_enough
            && (query.states.is_empty() || query.states.contains(&row.state))
            && query.since.is_none_or(|since| started_at >= since)
            && query.until.is_none_or(|until| started_at <= until)
            && (query.direction.is_none() || query.direction == facts.direction)
            && (query.line.is_none() || query.line == facts.line)
            && (query.agent.is_none() || query.agent == facts.agent)
            && query
                .held
                .is_none_or(|held| held != keeping.holds.is_empty())
            && query.tags.iter().all(|tag| keeping.tags.contains(tag))
            && self.has_number(row)
    }

    fn has_number(&self, row: &Recording) -> bool {
        let Some(wanted) = &self.query.number else {
            return true;
        };
        let numbers = [&row.facts.from, &row.facts.to];
        numbers.into_iter().flatten().any(|number| {
            let digits = digits_of(number.as_str());
            digits.starts_with(&wanted.0) || digits.ends_with(&wanted.0)
        })
    }

    /// For each condition that has lists, those that together hold all that fits it.
    pub(super) fn lists(&self) -> Vec<Vec<Listed>> {
        let query = self.query;
        let mut all: Vec<Vec<Listed>> = Vec::new();
        let one = |list: ListId| vec![Listed::from(list)];
        all.extend(query.line.iter().map(|line| one(ListId::line(line))));
        all.extend(query.agent.iter().map(|agent| one(ListId::agent(agent))));
        all.extend(query.direction.map(|way| one(ListId::direction(way))));
        all.extend(query.tags.iter().map(|tag| one(ListId::tag(tag))));
        if query.held == Some(true) {
            all.push(one(ListId::HELD));
        }
        if let Some(number) = &query.number {
            all.push(lists_of_digits(&number.0));
        }
        if !query.states.is_empty() && !query.states.contains(&RecordingState::Stored) {
            let states = query.states.iter().map(|state| ListId::state(*state));
            all.push(distinct(states));
        }
        if let Some((least, most)) = self.lengths {
            // What is too long for a brief is in the list that its row's length says.
            let last = query.max_ms.map_or(64, length_step);
            let steps = length_step(u64::from(least))..=last.max(length_step(u64::from(most)));
            all.push(steps.map(ListId::length).map(Listed::from).collect());
        }
        if let Scope::Of { agents, lines } = &query.scope {
            let agents = agents.iter().map(ListId::agent);
            all.push(distinct(agents.chain(lines.iter().map(ListId::line))));
        }
        all
    }
}

fn distinct(lists: impl Iterator<Item = ListId>) -> Vec<Listed> {
    let mut lists: Vec<_> = lists.collect();
    lists.sort_unstable();
    lists.dedup();
    lists.into_iter().map(Listed::from).collect()
}
