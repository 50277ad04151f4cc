//! Reads a sealed file's own account of itself: header and trailing facts.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use audio_io::codec::wav::{self, WavError};

use super::facts::{FactsError, StoredFacts};
use super::header::SOUND_AT;
use crate::limits::FACTS_MAX;
use crate::paths::{converted_facts_of, facts_of};

/// What a sealed file says.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) facts: StoredFacts,
}

/// Why a file is not a sealed recording.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no WAV file.
    #[error(transparent)]
    Wav(WavError),
    /// Its header says "until the end of the file", or more than there is.
    #[error("the recording was never sealed")]
    Open,
    /// Its sound does not begin where Callreel puts it, or its sizes disagree.
    #[error("header and facts disagree")]
    Header,
    /// Another file of the same recording is the recording's.
    #[error("another file of the recording is kept in its stead; the next start removes this one")]
    Double,
    /// Its facts.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

/// The facts beside a file that does not carry them itself: a converted or an imported one.
pub(crate) fn beside(path: &Path) -> Result<Option<StoredFacts>, SealedError> {
    for facts in [converted_facts_of(path), facts_of(path)] {
        match std::fs::read(facts) {
            Ok(json) => return Ok(Some(StoredFacts::from_json(&json)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Reads a sealed file's header and facts; the sound is not looked at.
pub(crate) fn read(path: &Path) -> Result<Sealed, SealedError> {
    let file = File::open(path)?;
    let info = wav::parse(&mut BufReader::new(&file)).map_err(|error| match error {
        WavError::Io(error) => SealedError::Io(error),
        other => SealedError::Wav(other),
    })?;
    if info.open_ended || info.truncated {
        return Err(SealedError::Open);
    }
    let chunk = info.chunk(*b"crel").ok_or(FactsError::Missing)?;
    let len = usize::try_from(chunk.bytes)
        .ok()
        .filter(|len| *len <= FACTS_MAX);
    let mut json = vec![0; len.ok_or(FactsError::Missing)?];
    file.read_exact_at(&mut json, chunk.offset)?;
    let facts = StoredFacts::from_json(&json)?;
    let sound = facts.facts.format.bytes_of(facts.frames);
    let agree = info.data_offset == SOUND_AT
        && info.data_bytes == sound
        && info.stream_format() == Some(facts.facts.format);
    if !agree {
        return Err(SealedError::Header);
    }
    Ok(Sealed { facts })
}
