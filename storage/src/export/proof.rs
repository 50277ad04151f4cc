//! The proof of a recording: a member of lines, each the place of one of its entries in the ledger,
//! from the hash before it to a signed checkpoint. What the last of them says of the recording's
//! file is what the file must be.

use super::manifest::Entry;
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::entry::{self, Content, Kind};
use crate::ledger::proof::ChainProof;
use crate::record::MarkKind;

/// Entries of one proof.
const ENTRIES_MAX: usize = 10_000;

/// A proof as its member has it.
pub(crate) fn spelt(proofs: &[ChainProof]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for proof in proofs {
        // Plain structs with text keys always serialise.
        bytes.extend(serde_json::to_vec(proof).unwrap_or_default());
        bytes.push(b'\n');
    }
    bytes
}

/// What a proof shows, once its checkpoints are known to be signed.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// The entries, in the ledger's order.
    entries: Vec<entry::Entry>,
    /// The checkpoints' lines that they lead to.
    pub(crate) checkpoints: Vec<String>,
}

impl Shown {
    /// Reads a proof and follows its chain; else what is wrong with it.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = bytes
            .strip_suffix(b"\n")
            .ok_or("its last line is not whole")?;
        let mut shown = Self {
            entries: Vec::new(),
            checkpoints: Vec::new(),
        };
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            if number > ENTRIES_MAX {
                return Err(format!("it has more than {ENTRIES_MAX} lines"));
            }
            shown
                .line(line)
                .map_err(|what| format!("line {number}: {what}"))?;
        }
        Ok(shown)
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let proof: ChainProof = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        if serde_json::to_vec(&proof).ok().as_deref() != Some(line) {
            return Err("it is not in the one spelling that there is".to_owned());
        }
        let (entry, _) = followed(&proof)?;
        let last = self.entries.last();
        if last.is_some_and(|last| last.seq >= entry.seq) {
            return Err(format!("entry {} is out of order", entry.seq));
        }
        self.entries.push(entry);
        self.checkpoints.push(proof.checkpoint);
        Ok(())
    }

    /// Whether it is of this recording, and its last word on the file is what the manifest says.
    pub(crate) fn fits(&self, recording: &Entry) -> Result<(), String> {
        let mut held: Vec<Content> = Vec::new();
        let mut last = None;
        for entry in &self.entries {
            let whose = (entry.tenant, entry.recording);
            if whose != (Some(recording.tenant), Some(recording.id)) {
                let seq = entry.seq;
                return Err(format!("entry {seq} is not of recording {}", recording.id));
            }
            last = match entry.kind {
                Kind::Sealed | Kind::Imported | Kind::Exchanged => {
                    let content = entry.content();
                    held.push(content.ok_or_else(|| {
                        format!("entry {} does not say what the file is", entry.seq)
                    })?);
                    held.last()
                }
                // An undone entry leads back to what was before, or to nothing.
                Kind::Undone if entry.details.contains_key("blake3") => {
                    let back = entry.hash_in("blake3");
                    let mut before = held.iter().rev();
                    let back = before.find(|content| back == Some(content.blake3));
                    Some(back.ok_or_else(|| {
                        format!("entry {} leads back to a file that is not told", entry.seq)
                    })?)
                }
                Kind::Undone | Kind::Deleted => None,
                _ => last.as_ref(),
            }
            .cloned();
        }
        let last = last.as_ref().ok_or("no entry says what the file is")?;
        match differing(last, recording) {
            None => Ok(()),
            Some(what) => Err(format!("the ledger has another {what} than the manifest")),
        }
    }
}

/// Follows the chain from an entry to its checkpoint, whose signature is not looked at.
fn followed(proof: &ChainProof) -> Result<(entry::Entry, Checkpoint), String> {
    let checkpoint = Checkpoint::parse(&proof.checkpoint);
    let checkpoint = checkpoint.map_err(|error| format!("its checkpoint: {error}"))?;
    let entry = entry::Entry::from_json(proof.entry.as_bytes());
    let entry = entry.map_err(|error| format!("its entry: {error}"))?;
    let end = entry.seq.checked_add(proof.after.len() as u64);
    let seq = checkpoint.end.seq;
    if end == Some(seq) && proof.leads_to(&checkpoint) {
        Ok((entry, checkpoint))
    } else {
        Err(format!(
            "entry {} does not lead to the checkpoint of entry {seq}",
            entry.seq
        ))
    }
}

/// The first of the facts that both tell and in which they differ.
fn differing(content: &Content, recording: &Entry) -> Option<&'static str> {
    let masked = recording.marks.iter();
    let masked = masked.filter(|mark| mark.kind == MarkKind::Masked).count();
    let facts = [
        (
            content.blake3.to_string() == recording.audio.blake3,
            "blake3",
        ),
        (
            content.size_bytes == recording.audio.size_bytes,
            "size_bytes",
        ),
        (content.state == recording.state, "state"),
        (content.container == recording.container, "container"),
        (content.started_at == recording.started_at, "started_at"),
        (
            content.time.map(|time| time.to_string()) == recording.time_quality,
            "time_quality",
        ),
        (
            content.duration_ms == recording.duration_ms.0,
            "duration_ms",
        ),
        (content.end_cause == recording.end_cause, "end_cause"),
        (content.gaps == recording.gaps.len() as u64, "gaps"),
        (content.masked == masked as u64, "masked"),
    ];
    facts
        .into_iter()
        .find(|(same, _)| !same)
        .map(|(_, what)| what)
}
