//! The first 4096 bytes of every recording Callreel makes, from its facts. Their byte table is
//! `audio_io::codec::wav`'s.

use audio_io::codec::wav::{Bext, HEADER_BYTES, WavHeader};

use crate::record::RecordingFacts;

/// Where the sound begins in a file.
pub const SOUND_AT: u64 = HEADER_BYTES as u64;

/// The header of a recording in progress: players read until the end of the file.
#[must_use]
pub fn open_ended(facts: &RecordingFacts) -> [u8; HEADER_BYTES] {
    WavHeader::open_ended(facts.format, &bext(facts))
}

/// The header of a recording of this many sound bytes with a trailer behind them.
#[must_use]
pub fn sealed(facts: &RecordingFacts, sound: u64, trailer: u64) -> [u8; HEADER_BYTES] {
    WavHeader::sealed(facts.format, sound, trailer, &bext(facts))
}

fn bext(facts: &RecordingFacts) -> Bext {
    Bext {
        description: format!("Recording {} of {}", facts.id, facts.names.call_sid),
        originator: "Callreel".into(),
        originator_reference: facts.names.task_id.simple().to_string(),
        started_at: facts.started_at,
    }
}
