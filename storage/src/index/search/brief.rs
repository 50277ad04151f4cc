//! What a posting tells of its recording, so that filters pass over it without reading its row:
//! 16 bytes, see FORMAT.md. Names are hashes here, so a brief that fits only may match.

use crate::ids::{AgentName, LineName, Tag};
use crate::index::keys::{be32, state_byte};
use crate::record::{CallDirection, Recording};
use crate::retention::Keeping;

/// A brief as stored.
pub(crate) type BriefBytes = [u8; 16];

/// The length of what has none yet.
pub(crate) const ENDLESS: u32 = u32::MAX;

/// What a posting tells of its recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Brief {
    /// Its state's number on disk.
    pub(crate) state: u8,
    /// 0 not known, 1 in, 2 out.
    pub(crate) direction: u8,
    pub(crate) is_held: bool,
    /// In milliseconds, at most [`ENDLESS`] less one.
    pub(crate) duration: u32,
    /// 24 bits of the line's name; 0 without one.
    pub(crate) line: u32,
    /// 24 bits of the agent's name; 0 without one.
    pub(crate) agent: u32,
    /// A bit for each tag; several tags may share one.
    pub(crate) tags: u16,
    /// In lists of numbers: the four digits that follow those of the list.
    pub(crate) more: u16,
}

impl Brief {
    pub(crate) fn of(row: &Recording, keeping: Option<&Keeping>) -> Self {
        let duration = row.duration().map_or(ENDLESS, |length| {
            u32::try_from(length.0).unwrap_or(ENDLESS).min(ENDLESS - 1)
        });
        let facts = &row.facts;
        let tags = keeping.map_or(&[][..], |keeping| &keeping.tags);
        Self {
            state: state_byte(row.state),
            direction: direction_code(facts.direction),
            is_held: keeping.is_some_and(|keeping| !keeping.holds.is_empty()),
            duration,
            line: line_code(facts.line.as_ref()),
            agent: agent_code(facts.agent.as_ref()),
            tags: tag_bits(tags),
            more: u16::MAX,
        }
    }

    pub(crate) fn to_bytes(self) -> BriefBytes {
        let mut bytes = [0; 16];
        bytes[0] = self.state | self.direction << 2 | u8::from(self.is_held) << 4;
        bytes[1..5].copy_from_slice(&self.duration.to_be_bytes());
        bytes[5..8].copy_from_slice(&self.line.to_be_bytes()[1..]);
        bytes[8..11].copy_from_slice(&self.agent.to_be_bytes()[1..]);
        bytes[11..13].copy_from_slice(&self.tags.to_be_bytes());
        bytes[13..15].copy_from_slice(&self.more.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &BriefBytes) -> Self {
        Self {
            state: bytes[0] & 3,
            direction: bytes[0] >> 2 & 3,
            is_held: bytes[0] >> 4 & 1 == 1,
            duration: be32(&bytes[1..5]),
            line: be32(&[0, bytes[5], bytes[6], bytes[7]]),
            agent: be32(&[0, bytes[8], bytes[9], bytes[10]]),
            tags: u16::from_be_bytes([bytes[11], bytes[12]]),
            more: u16::from_be_bytes([bytes[13], bytes[14]]),
        }
    }
}

pub(crate) const fn direction_code(direction: Option<CallDirection>) -> u8 {
    match direction {
        None => 0,
        Some(CallDirection::In) => 1,
        Some(CallDirection::Out) => 2,
    }
}

pub(crate) fn line_code(line: Option<&LineName>) -> u32 {
    line.map_or(0, |line| code(line.as_str()))
}

pub(crate) fn agent_code(agent: Option<&AgentName>) -> u32 {
    agent.map_or(0, |agent| code(agent.as_str()))
}

/// 24 bits of a name, never 0.
fn code(name: &str) -> u32 {
    let hash = short_hash(name);
    be32(&[0, hash[0], hash[1], hash[2]]).max(1)
}

/// 8 bytes of a name's BLAKE3.
pub(crate) fn short_hash(name: &str) -> [u8; 8] {
    let hash = blake3::hash(name.as_bytes());
    let mut short = [0; 8];
    short.copy_from_slice(&hash.as_bytes()[..8]);
    short
}

pub(crate) fn tag_bits(tags: &[Tag]) -> u16 {
    let bits = tags.iter().map(|tag| short_hash(tag.as_str())[7] & 15);
    bits.fold(0, |bits, bit| bits | 1 << bit)
}
