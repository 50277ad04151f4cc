//! Which lists a recording is in. A list is in the order of time, so that any of them can lead a
//! search and no answer needs to be sorted.

use super::brief::{direction_code, short_hash};
use crate::ids::{AgentName, LineName, Number, Tag, TenantId};
use crate::index::keys::{be64, state_byte};
use crate::record::{CallDirection, Recording, RecordingState, WallMillis};
use crate::retention::Keeping;

/// tenant (4), kind (1), value (8), start in milliseconds (8), id (8).
pub(crate) type PostingKey = [u8; 29];

/// Where a recording stands in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place(pub(crate) u128);

impl Place {
    pub(crate) const FIRST: Self = Self(0);
    pub(crate) const LAST: Self = Self(u128::MAX);

    pub(crate) fn new(started_at: WallMillis, id: u64) -> Self {
        Self(u128::from(started_at.0) << 64 | u128::from(id))
    }

    pub(crate) fn of(row: &Recording) -> Self {
        Self::new(row.facts.started_at, row.facts.id.0)
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the upper half of 16 bytes"
    )]
    pub(crate) const fn started_at(self) -> u64 {
        (self.0 >> 64) as u64
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the lower half of 16 bytes"
    )]
    pub(crate) const fn id(self) -> u64 {
        self.0 as u64
    }
}

/// A list of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ListId {
    pub(super) kind: u8,
    pub(super) value: [u8; 8],
}

/// How many digits of a number the lists of its beginnings and ends go by.
const SHORT: usize = 4;
const LONG: usize = 8;
/// Digits that a posting tells beyond those of its list.
const MORE: usize = 4;

impl ListId {
    /// All of a tenant's recordings.
    pub(crate) const ALL: Self = Self {
        kind: 0,
        value: [0; 8],
    };
    pub(crate) const HELD: Self = Self {
        kind: 6,
        value: [0; 8],
    };

    pub(crate) fn line(line: &LineName) -> Self {
        Self::named(1, line.as_str())
    }

    pub(crate) fn agent(agent: &AgentName) -> Self {
        Self::named(2, agent.as_str())
    }

    pub(crate) const fn direction(direction: CallDirection) -> Self {
        Self::numbered(3, direction_code(Some(direction)))
    }

    /// Of any state but `Stored`, which nearly all are in.
    pub(crate) const fn state(state: RecordingState) -> Self {
        Self::numbered(4, state_byte(state))
    }

    /// Of lengths from 2^(step - 1) seconds to less than 2^step; 0 is less than a second.
    pub(crate) const fn length(step: u8) -> Self {
        Self::numbered(5, step)
    }

    pub(crate) fn tag(tag: &Tag) -> Self {
        Self::named(7, tag.as_str())
    }

    /// Of numbers that begin (or, where they are turned round, end) with these digits, which are
    /// four or eight, or three where the number has no more.
    fn digits(is_turned: bool, digits: &[u8]) -> Self {
        let mut value = [0; 8];
        value[..digits.len()].copy_from_slice(digits);
        let kind = match (is_turned, digits.len() > SHORT) {
            (false, false) => 8,
            (false, true) => 9,
            (true, false) => 10,
            (true, true) => 11,
        };
        Self { kind, value }
    }

    fn named(kind: u8, name: &str) -> Self {
        let value = short_hash(name);
        Self { kind, value }
    }

    const fn numbered(kind: u8, number: u8) -> Self {
        let value = [0, 0, 0, 0, 0, 0, 0, number];
        Self { kind, value }
    }

    pub(crate) fn key(self, tenant: TenantId, place: Place) -> PostingKey {
        let mut key = [0; 29];
        key[..4].copy_from_slice(&tenant.0.to_be_bytes());
        key[4] = self.kind;
        key[5..13].copy_from_slice(&self.value);
        key[13..].copy_from_slice(&place.0.to_be_bytes());
        key
    }
}

/// The place in a key.
pub(crate) fn place_of(key: &PostingKey) -> Place {
    Place::new(WallMillis(be64(&key[13..21])), be64(&key[21..]))
}

/// The step of lengths that this many milliseconds are in.
pub(crate) fn length_step(ms: u64) -> u8 {
    let seconds = ms / 1_000;
    let bits = u64::BITS - seconds.leading_zeros();
    u8::try_from(bits).unwrap_or(u8::MAX)
}

/// The digits of a number, of a SIP address those before the `@`.
pub(crate) fn digits_of(number: &str) -> Vec<u8> {
    let user = number.split('@').next().unwrap_or_default();
    user.bytes().filter(u8::is_ascii_digit).collect()
}

/// A list in which some of the wanted recordings are, and which digits further narrow it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) list: ListId,
    /// Bits of [`super::brief::Brief::more`] that must be as `want` has them.
    pub(crate) mask: u16,
    pub(crate) want: u16,
}

impl From<ListId> for Listed {
    fn from(list: ListId) -> Self {
        Self {
            list,
            mask: 0,
            want: 0,
        }
    }
}

/// The lists of numbers that begin or end with these digits, at least three.
pub(crate) fn lists_of_digits(digits: &[u8]) -> Vec<Listed> {
    let turned: Vec<u8> = digits.iter().rev().copied().collect();
    let mut lists = Vec::new();
    for (is_turned, digits) in [(false, digits), (true, &turned)] {
        if digits.len() < SHORT {
            let next = (b'0'..=b'9').map(|next| [digits, &[next]].concat());
            let whole = std::iter::once(digits.to_vec());
            let all = whole.chain(next);
            lists.extend(all.map(|digits| Listed::from(ListId::digits(is_turned, &digits))));
            continue;
        }
        let by = if digits.len() < LONG { SHORT } else { LONG };
        let (list, rest) = digits.split_at(by);
        let (want, mask) = more_of(rest);
        lists.push(Listed {
            list: ListId::digits(is_turned, list),
            mask,
            want: want & mask,
        });
    }
    lists
}

/// Four digits as a posting tells them, `F` where there are none, and which bits that are.
fn more_of(rest: &[u8]) -> (u16, u16) {
    let (mut more, mut mask) = (0, 0);
    for at in 0..MORE {
        let digit = rest.get(at);
        more = more << 4 | digit.map_or(0xF, |digit| u16::from(digit & 0xF));
        mask = mask << 4 | digit.map_or(0, |_| 0xF);
    }
    (more, mask)
}

/// All lists that a recording is in, each with the further digits that its posting tells.
pub(crate) fn lists_of(row: &Recording, keeping: Option<&Keeping>) -> Vec<(ListId, u16)> {
    let facts = &row.facts;
    let mut lists = Vec::with_capacity(16);
    let mut add = |list| lists.push((list, u16::MAX));
    add(ListId::ALL);
    facts.line.iter().map(ListId::line).for_each(&mut add);
    facts.agent.iter().map(ListId::agent).for_each(&mut add);
    if let Some(direction) = facts.direction {
        add(ListId::direction(direction));
    }
    if row.state != RecordingState::Stored {
        add(ListId::state(row.state));
    }
    if let Some(length) = row.duration() {
        add(ListId::length(length_step(length.0)));
    }
    if let Some(keeping) = keeping {
        if !keeping.holds.is_empty() {
            add(ListId::HELD);
        }
        keeping.tags.iter().map(ListId::tag).for_each(&mut add);
    }
    for number in [&facts.from, &facts.to].into_iter().flatten() {
        add_number(&mut lists, number);
    }
    lists.sort_unstable();
    // Both numbers may be in one list, with other digits to follow: the row decides then.
    lists.dedup_by(|second, first| {
        let is_same = second.0 == first.0;
        if is_same && second.1 != first.1 {
            first.1 = ANY;
        }
        is_same
    });
    lists
}

/// Further digits of two numbers at once: every wanted digit fits.
pub(crate) const ANY: u16 = 0xAAAA;

fn add_number(lists: &mut Vec<(ListId, u16)>, number: &Number) {
    let digits = digits_of(number.as_str());
    if digits.len() + 1 < SHORT {
        return;
    }
    let turned: Vec<u8> = digits.iter().rev().copied().collect();
    for (is_turned, digits) in [(false, digits), (true, turned)] {
        for by in [SHORT, LONG] {
            if by == LONG && digits.len() < LONG {
                continue;
            }
            let (list, rest) = digits.split_at(by.min(digits.len()));
            lists.push((ListId::digits(is_turned, list), more_of(rest).0));
        }
    }
}

/// Whether a posting may be one of a list that is narrowed down.
pub(crate) const fn fits(listed: &Listed, more: u16) -> bool {
    more == ANY || more & listed.mask == listed.want
}
