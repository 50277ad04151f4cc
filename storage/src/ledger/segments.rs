//! The ledger's folder: which segments there are, and entries found at their places.

use std::fs::File;
use std::io::{self, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::chain::Hash;
use super::entry::Entry;
use super::verify::{Header, Lines, segment_first, segment_name, split};
use super::writer::Head;
use crate::limits::{LEDGER_LINE_MAX, READ_BUFFER};

/// All segments in the folder, in order; none where there is no folder. Other files are left alone.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry?;
        let first = entry.file_name().to_str().and_then(segment_first);
        all.extend(first.map(|first| (first, entry.path())));
    }
    all.sort();
    Ok(all)
}

/// Lines of a segment from an offset on.
pub(crate) fn lines(folder: &Path, segment: u64, from: u64) -> io::Result<Lines<BufReader<File>>> {
    let mut file = File::open(folder.join(segment_name(segment)))?;
    file.seek(SeekFrom::Start(from))?;
    Ok(Lines::new(
        BufReader::with_capacity(READ_BUFFER, file),
        from,
    ))
}

/// Whether the segment of a head ends, or once ended, with just what the head says. A head before
/// the first entry of its segment is never said to be there.
pub(crate) fn holds(folder: &Path, head: &Head) -> io::Result<bool> {
    let path = folder.join(segment_name(head.segment));
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    if file.metadata()?.len() < head.length {
        return Ok(false);
    }
    let Some(header) = lines(folder, head.segment, 0)?
        .read()?
        .map(|(_, line)| Header::parse(line))
    else {
        return Ok(false);
    };
    let Some(header) = header.filter(|header| header.log == head.log) else {
        return Ok(false);
    };
    // The last line and the one before it.
    let from = head.length.saturating_sub(2 * LEDGER_LINE_MAX as u64);
    let mut lines = lines(folder, head.segment, from)?;
    let mut before = (from == 0).then_some(header.before.hash);
    let mut last = None;
    while let Some((at, line)) = lines.read()? {
        let end = at + line.len() as u64;
        if end > head.length {
            return Ok(false);
        }
        // The first line may begin in its middle.
        let told = split(line).ok();
        if end == head.length {
            last = told.map(|(hash, json)| (hash, Hash::of(json)));
            break;
        }
        before = told.map_or(before, |(hash, _)| Some(hash));
    }
    let wanted = head.end.hash;
    Ok(match (before, last) {
        (Some(before), Some((told, digest))) => told == wanted && before.then(&digest) == wanted,
        _ => false,
    })
}

/// An entry and its hash, sought from the place of one at or before it.
pub(crate) fn find(
    folder: &Path,
    (at, segment, offset): (u64, u64, u64),
    seq: u64,
) -> io::Result<Option<(Entry, Hash)>> {
    let mut lines = lines(folder, segment, offset)?;
    for _ in at..seq {
        if lines.read()?.is_none() {
            return Ok(None);
        }
    }
    let Some((_, line)) = lines.read()? else {
        return Ok(None);
    };
    let Ok((hash, json)) = split(line) else {
        return Ok(None);
    };
    let entry = Entry::from_json(json).ok();
    let entry = entry.filter(|entry| entry.seq == seq);
    Ok(entry.map(|entry| (entry, hash)))
}
