//! All that is known about a recording, as JSON that travels with its sound: in the `crel` chunk
//! at the end of a file Callreel made, or in a sidecar beside an imported or a converted one.
//! `reindex` lives on it.

use serde::{Deserialize, Serialize};

use crate::ids::TenantName;
use crate::record::{EndCause, Gap, LegLevel, Mark, RecordingFacts, RecordingState, WallMillis};

/// The chunk's and the sidecar's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFacts {
    /// The layout's version; [`VERSION`] when written now.
    pub version: u32,
    /// The tenant's name, so that tenants can be told apart without an index.
    pub tenant_name: Option<TenantName>,
    /// What was known at the start.
    pub facts: RecordingFacts,
    /// Stored or Failed.
    pub state: RecordingState,
    /// Why it ended.
    pub end_cause: EndCause,
    /// Its length in frames.
    pub frames: audio_io::units::Frames,
    /// Missing frames.
    pub gaps: Vec<Gap>,
    /// Marks; the key is missing where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// When it was sealed or imported.
    pub sealed_at: WallMillis,
    /// The file itself; only where the recording's file was exchanged for one of another format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileFacts>,
}

/// What is known of a file beside its sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Its length.
    pub size_bytes: u64,
    /// BLAKE3 of it; in hex.
    #[serde(with = "hex_hash")]
    pub content_hash: [u8; 32],
    /// The levels of the recorded sound.
    pub levels: Vec<LegLevel>,
}

mod hex_hash {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(hash: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&crate::view::hex(hash))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let hash = blake3::Hash::from_hex(text.as_bytes()).map_err(D::Error::custom)?;
        Ok(*hash.as_bytes())
    }
}

/// The version of facts written now.
pub const VERSION: u32 = 1;

/// Facts that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// No `crel` chunk where it should be.
    #[error("the recording has no facts at its end")]
    Missing,
    /// A newer layout.
    #[error("the facts have version {0}, known is {VERSION}")]
    Version(u32),
    /// Not the JSON it should be.
    #[error("the facts are damaged: {0}")]
    Json(#[from] serde_json::Error),
}

impl StoredFacts {
    /// The content as bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Plain structs with text keys always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a sidecar or a chunk's content.
    ///
    /// # Errors
    /// [`FactsError`]; never panics, whatever the bytes are.
    pub fn from_json(bytes: &[u8]) -> Result<Self, FactsError> {
        let facts: Self = serde_json::from_slice(bytes)?;
        if facts.version != VERSION {
            return Err(FactsError::Version(facts.version));
        }
        Ok(facts)
    }

    /// What follows the sound in a sealed file: a pad byte after an odd number of sound bytes,
    /// then the `crel` chunk with its own padding.
    #[must_use]
    pub fn trailer(&self, sound_bytes: u64) -> Vec<u8> {
        let json = self.to_json();
        let mut bytes = Vec::with_capacity(json.len() + 12);
        if sound_bytes % 2 == 1 {
            bytes.push(0);
        }
        bytes.extend_from_slice(b"crel");
        bytes.extend_from_slice(&u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&json);
        if json.len() % 2 == 1 {
            bytes.push(0);
        }
        bytes
    }

    /// Reads what [`StoredFacts::trailer`] made; `bytes` begins where the sound ends.
    ///
    /// # Errors
    /// [`FactsError`]; never panics, whatever the bytes are.
    pub fn from_trailer(bytes: &[u8], sound_bytes: u64) -> Result<Self, FactsError> {
        let odd = usize::from(sound_bytes % 2 == 1);
        let chunk = bytes.get(odd..).ok_or(FactsError::Missing)?;
        let (Some(b"crel"), Some(size)) = (chunk.get(..4), chunk.get(4..8)) else {
            return Err(FactsError::Missing);
        };
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
        let json = size.checked_add(8).and_then(|end| chunk.get(8..end));
        Self::from_json(json.ok_or(FactsError::Missing)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stored_facts;
    use proptest::prelude::*;

    #[test]
    fn facts_come_back_from_their_trailer() {
        for sound in [100, 101] {
            let facts = stored_facts(1, 9);
            let trailer = facts.trailer(sound);
            assert_eq!((sound + trailer.len() as u64) % 2, 0);
            assert_eq!(StoredFacts::from_trailer(&trailer, sound).unwrap(), facts);
        }
    }

    #[test]
    fn facts_without_marks_are_as_they_were_before_there_were_any() {
        let mut facts = stored_facts(1, 9);
        let plain = String::from_utf8(facts.to_json()).unwrap();
        assert!(!plain.contains("marks"), "{plain}");
        assert_eq!(StoredFacts::from_json(plain.as_bytes()).unwrap(), facts);
        facts.marks = crate::testing::marks();
        let marked = String::from_utf8(facts.to_json()).unwrap();
        let told = r##""marks":[{"at":0,"frames":320,"kind":{"digit":"#"}},"##;
        assert!(marked.contains(told), "{marked}");
        assert!(marked.contains(r#"{"digit":null}"#) && marked.contains(r#""skipped""#));
        assert_eq!(StoredFacts::from_json(marked.as_bytes()).unwrap(), facts);
    }

    #[test]
    fn facts_that_do_not_tell_of_their_time_are_read() {
        let mut facts = stored_facts(1, 9);
        let json = String::from_utf8(facts.to_json()).unwrap();
        let old = json.replace(r#","time":null"#, "");
        assert_ne!(old, json);
        assert_eq!(StoredFacts::from_json(old.as_bytes()).unwrap(), facts);
        facts.facts.time = Some(crate::record::TimeQuality {
            synchronised: Some(true),
            max_error: Some(audio_io::units::Millis(12)),
            stepped: true,
            implausible: false,
        });
        let json = String::from_utf8(facts.to_json()).unwrap();
        let told = concat!(
            r#""time":{"synchronised":true,"max_error":12,"#,
            r#""stepped":true,"implausible":false}"#
        );
        assert!(json.contains(told), "{json}");
        assert_eq!(StoredFacts::from_json(json.as_bytes()).unwrap(), facts);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, sound: u64, cut in 0usize..300) {
            let _ = StoredFacts::from_trailer(&bytes, sound);
            let trailer = stored_facts(1, 9).trailer(2);
            let cut = cut.min(trailer.len() - 1);
            prop_assert!(StoredFacts::from_trailer(&trailer[..cut], 2).is_err());
        }
    }
}
