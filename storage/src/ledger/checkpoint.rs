//! Checkpoints: signed lines that say how far the ledger was, kept apart from it.

use std::fmt;

use audio_io::units::WallMillis;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::chain::{ChainEnd, Hash, LogId};
use super::key::{KeyId, PublicKey, SigningKey};

/// What every checkpoint begins with.
const MAGIC: &str = "callreel-checkpoint-1";

/// The longest line that is read as one, in bytes.
pub const CHECKPOINT_LINE_MAX: usize = 512;

/// One signed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which ledger it is of.
    pub log: LogId,
    /// The last entry it covers, and the hash there.
    pub end: ChainEnd,
    /// The wall clock when it was signed.
    pub at: WallMillis,
    /// The key it says it is signed with.
    pub key: KeyId,
    /// Ed25519, over everything before the last space.
    pub signature: [u8; 64],
}

/// A line that is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not spelled as checkpoints are written")]
pub struct CheckpointError;

impl Checkpoint {
    /// Signs how far a ledger is.
    #[must_use]
    pub fn sign(log: LogId, end: ChainEnd, at: WallMillis, key: &SigningKey) -> Self {
        let mut checkpoint = Self {
            log,
            end,
            at,
            key: key.public().id(),
            signature: [0; 64],
        };
        checkpoint.signature = key.sign(checkpoint.signed_text().as_bytes());
        checkpoint
    }

    /// What the signature is over.
    #[must_use]
    pub fn signed_text(&self) -> String {
        let ChainEnd { seq, hash } = self.end;
        format!(
            "{MAGIC} {} {seq} {hash} {} {}",
            self.log, self.at.0, self.key
        )
    }

    /// Whether this key signed it.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.key == key.id() && key.verifies(self.signed_text().as_bytes(), &self.signature)
    }

    /// From a line without its end, in the one spelling.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn parse(line: &str) -> Result<Self, CheckpointError> {
        let parsed = Self::fields(line).ok_or(CheckpointError)?;
        if parsed.to_string() == line {
            Ok(parsed)
        } else {
            Err(CheckpointError)
        }
    }

    fn fields(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        if fields.next()? != MAGIC {
            return None;
        }
        Some(Self {
            log: LogId::parse(fields.next()?.as_bytes())?,
            end: ChainEnd {
                seq: fields.next()?.parse().ok()?,
                hash: Hash::parse(fields.next()?.as_bytes())?,
            },
            at: WallMillis(fields.next()?.parse().ok()?),
            key: KeyId::parse(fields.next()?.as_bytes())?,
            signature: STANDARD.decode(fields.next()?).ok()?.try_into().ok()?,
        })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature = STANDARD.encode(self.signature);
        write!(f, "{} {signature}", self.signed_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> (Checkpoint, SigningKey) {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::create(&folder.path().join("k")).unwrap();
        let end = ChainEnd {
            seq: 4_000,
            hash: Hash::of(b"there"),
        };
        let at = WallMillis(1_763_700_000_000);
        (Checkpoint::sign(LogId([7; 16]), end, at, &key), key)
    }

    #[test]
    fn every_changed_bit_of_a_line_is_found() {
        let (checkpoint, key) = one();
        let line = checkpoint.to_string();
        assert_eq!(Checkpoint::parse(&line), Ok(checkpoint));
        let mut bytes = line.into_bytes();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let told = std::str::from_utf8(&bytes).ok().map(Checkpoint::parse);
            let good = told.is_some_and(|told| told.is_ok_and(|it| it.is_signed_by(&key.public())));
            assert!(!good, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
