//! The way from an entry to a checkpoint, read from the log.

use std::path::Path;

use super::api::NoProof;
use super::chain::Hash;
use super::checkpoint::Checkpoint;
use super::proof::ChainProof;
use super::segments;
use super::verify::split;
use crate::error::ReadError;
use crate::index::Index;
use crate::index::ledger::place_before;

/// The proof of an entry, up to a checkpoint at or after it.
pub(crate) fn lead_to(
    index: &Index,
    folder: &Path,
    seq: u64,
    checkpoint: &Checkpoint,
) -> Result<ChainProof, NoProof> {
    let reading = index.begin_read().map_err(NoProof::Read)?;
    let place = |seq| Ok::<_, NoProof>(place_before(&reading, seq)?);
    let io = |error| NoProof::Read(ReadError::Ledger(error));
    let before = match seq.checked_sub(1) {
        None | Some(0) => Hash::ZERO,
        Some(before) => {
            let place = place(before)?.ok_or(NoProof::Chain(seq))?;
            let found = segments::find(folder, place, before).map_err(io)?;
            found.ok_or(NoProof::Chain(seq))?.1
        }
    };
    let (mut entry, mut after) = (None, Vec::new());
    let (at, mut segment, offset) = place(seq)?.ok_or(NoProof::Chain(seq))?;
    let mut lines = segments::lines(folder, segment, offset).map_err(io)?;
    let mut number = at;
    while number <= checkpoint.end.seq {
        let Some((_, line)) = lines.read().map_err(io)? else {
            if segment == number {
                return Err(NoProof::Chain(seq));
            }
            segment = number;
            lines = segments::lines(folder, segment, 0).map_err(io)?;
            lines.read().map_err(io)?;
            continue;
        };
        let (_, json) = split(line).map_err(|_| NoProof::Chain(seq))?;
        if number == seq {
            entry = Some(String::from_utf8_lossy(json).into_owned());
        } else if number > seq {
            after.push(Hash::of(json));
        }
        number += 1;
    }
    let proof = ChainProof {
        prev_hash: before,
        entry: entry.ok_or(NoProof::Chain(seq))?,
        after,
        checkpoint: checkpoint.to_string(),
    };
    if proof.leads_to(checkpoint) {
        Ok(proof)
    } else {
        Err(NoProof::Chain(seq))
    }
}
