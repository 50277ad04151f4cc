//! What is checked once all of an archive was read: signature, manifest, members, checkpoints and
//! proofs, in this order.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::{Flaw, Line, Proofs};
use crate::export::key::fingerprint;
use crate::export::manifest::{FileEntry, Head, Manifest};
use crate::export::names;
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::key::PublicKey;
use crate::record::WallMillis;

/// The latest time that headers hold, in seconds.
const LATEST_S: u64 = 0o777_7777_7777;

/// What is known of an archive that is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The program that made it.
    pub made_by: String,
    /// When, by that machine's clock.
    pub made_at: WallMillis,
    /// On which machine.
    pub host: String,
    /// What whoever made it wrote about it.
    pub note: Option<String>,
    /// The short name of the key that signed it.
    pub key_id: String,
    /// SHA-256 of that key.
    pub key_sha256: String,
    /// Whether that key is the one that was expected; if not, none was.
    pub key_expected: bool,
    /// Recordings checked.
    pub recordings: u64,
    /// How many of them the ledger tells nothing of.
    pub unproved: u64,
    /// Bytes of recordings.
    pub sound_bytes: u64,
    /// Milliseconds of sound.
    pub duration_ms: u64,
    /// When the earliest of them started.
    pub first_started_at: WallMillis,
    /// When the latest of them started.
    pub last_started_at: WallMillis,
    /// Checkpoints that the proofs lead to.
    pub checkpoints: u64,
    /// When the last of them was signed.
    pub last_checkpoint_at: Option<WallMillis>,
    /// Bytes of the archive.
    pub bytes: u64,
}

/// All that was read.
pub(super) struct Whole {
    pub(super) head: Head,
    pub(super) key: PublicKey,
    pub(super) expected: bool,
    /// Every member before the manifest.
    pub(super) members: Vec<FileEntry>,
    pub(super) proofs: Proofs,
    pub(super) checkpoints: BTreeSet<Line>,
    pub(super) manifest: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) time_s: u64,
    pub(super) bytes: u64,
}

impl Whole {
    pub(super) fn check(self) -> Result<Report, Flaw> {
        self.signed()?;
        let manifest = Manifest::parse(&self.manifest).map_err(|what| Flaw::Spelling {
            member: names::MANIFEST.to_owned(),
            what,
        })?;
        self.agrees(&manifest)?;
        self.members(&manifest)?;
        let last = self.checkpoints(&manifest)?;
        self.proofs(&manifest)?;
        Ok(self.report(manifest, last))
    }

    fn signed(&self) -> Result<(), Flaw> {
        let text = self.signature.strip_suffix(b"\n");
        // The decoder takes one spelling only.
        let signature = text.and_then(|text| STANDARD.decode(text).ok());
        let good = signature.is_some_and(|bytes| self.key.verifies(&self.manifest, &bytes));
        good.then_some(())
            .ok_or_else(|| Flaw::Signature(self.key.id()))
    }

    /// Whether the manifest says of the archive what the archive says of itself.
    fn agrees(&self, manifest: &Manifest) -> Result<(), Flaw> {
        let differs = |what: &str| Err(Flaw::Manifest(format!("it names another {what}")));
        if manifest.signing_key.key() != Some(self.key) {
            return differs("key");
        }
        if (manifest.format, &manifest.made_by) != (self.head.format, &self.head.made_by) {
            return differs("maker");
        }
        if (manifest.made_at.0 / 1_000).min(LATEST_S) != self.time_s {
            return differs("time");
        }
        Ok(())
    }

    fn members(&self, manifest: &Manifest) -> Result<(), Flaw> {
        let mut read = self.members.iter();
        for told in manifest.members() {
            let Some(found) = read.next() else {
                return Err(Flaw::Missing(told.name.clone()));
            };
            if found.name != told.name {
                return Err(Flaw::misplaced(&found.name, &told.name));
            }
            if found != told {
                let member = told.name.clone();
                return Err(Flaw::Damaged { member });
            }
        }
        match read.next() {
            None => Ok(()),
            Some(more) => Err(Flaw::misplaced(&more.name, names::MANIFEST)),
        }
    }

    /// Whether the checkpoints are those that the proofs lead to, and signed by keys that the
    /// manifest names. Answers when the last was signed.
    fn checkpoints(&self, manifest: &Manifest) -> Result<Option<WallMillis>, Flaw> {
        let bad = |seq, what: &str| Flaw::Checkpoint {
            seq,
            what: what.to_owned(),
        };
        let lines = self.proofs.iter().flat_map(|(_, shown)| &shown.checkpoints);
        let used: BTreeSet<Line> = lines.filter_map(|line| Line::read(line)).collect();
        if let Some(line) = self.checkpoints.symmetric_difference(&used).next() {
            let what = "it is not in both the proofs and the list of checkpoints";
            return Err(bad(line.seq, what));
        }
        let mut keys = BTreeMap::new();
        for entry in &manifest.checkpoint_keys {
            keys.insert(entry.id.clone(), (entry.key(), false));
        }
        let (mut last, mut before) = (None, None);
        for line in &self.checkpoints {
            let parsed = Checkpoint::parse(&line.text);
            let parsed = parsed.map_err(|error| bad(line.seq, &error.to_string()))?;
            // The same place may be signed twice, but not with two pasts.
            let place = (parsed.log, parsed.end.seq, parsed.end.hash);
            if before
                .is_some_and(|(log, seq, hash)| (log, seq) == (place.0, place.1) && hash != place.2)
            {
                return Err(bad(line.seq, "there are two that tell different pasts"));
            }
            before = Some(place);
            let signer = keys.get_mut(&parsed.key.to_string());
            let Some((Some(key), used)) = signer else {
                return Err(bad(line.seq, "the manifest does not name its key"));
            };
            if !parsed.is_signed_by(key) {
                return Err(bad(line.seq, "its key did not sign it"));
            }
            *used = true;
            last = last.max(Some(parsed.at.0));
        }
        if keys.values().any(|(_, used)| !used) {
            let what = "it names a key that signed no checkpoint".to_owned();
            return Err(Flaw::Manifest(what));
        }
        Ok(last.map(WallMillis))
    }

    fn proofs(&self, manifest: &Manifest) -> Result<(), Flaw> {
        for (index, shown) in &self.proofs {
            let Some(recording) = manifest.recordings.get(*index) else {
                continue;
            };
            shown.fits(recording).map_err(|what| Flaw::Proof {
                id: recording.id,
                member: recording
                    .proof
                    .as_ref()
                    .map_or_else(String::new, |proof| proof.name.clone()),
                what,
            })?;
        }
        Ok(())
    }

    fn report(self, manifest: Manifest, last: Option<WallMillis>) -> Report {
        let all = &manifest.recordings;
        let starts = || all.iter().map(|entry| entry.started_at);
        let sum = |of: fn(&crate::export::Entry) -> u64| {
            all.iter()
                .fold(0_u64, |sum, entry| sum.saturating_add(of(entry)))
        };
        let duration_ms = sum(|entry| entry.duration_ms.0);
        Report {
            key_id: self.key.id().to_string(),
            key_sha256: fingerprint(&self.key),
            key_expected: self.expected,
            recordings: all.len() as u64,
            unproved: sum(|entry| u64::from(entry.proof.is_none())),
            sound_bytes: sum(|entry| entry.audio.size_bytes),
            duration_ms,
            first_started_at: starts().min().unwrap_or(WallMillis(0)),
            last_started_at: starts().max().unwrap_or(WallMillis(0)),
            checkpoints: self.checkpoints.len() as u64,
            last_checkpoint_at: last,
            bytes: self.bytes,
            made_by: manifest.made_by,
            made_at: manifest.made_at,
            host: manifest.host,
            note: manifest.note,
        }
    }
}
