//! Reads the journal at start-up: generations in order, entries until the first invalid one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::entry::{self, Entry, FILE_HEAD, GRAIN, Head};

/// A generation's file, found in the journal's folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
}

/// The generations of a folder, oldest first, and the journal files that hold none.
pub(crate) fn generations(folder: &Path) -> io::Result<(Vec<Generation>, Vec<PathBuf>)> {
    let (mut found, mut empty) = (Vec::new(), Vec::new());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((found, empty)),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "wal") {
            continue;
        }
        let mut head = [0; FILE_HEAD];
        let file = File::open(&path)?;
        match read_full(&file, 0, &mut head).map(|read| entry::generation_of(&head[..read]))? {
            Some(number) => found.push(Generation { number, path }),
            None => empty.push(path),
        }
    }
    found.sort();
    Ok((found, empty))
}

/// Hands every valid entry of a generation to `visit`; answers the bytes they took.
pub(crate) fn replay<E: From<io::Error>>(
    generation: &Generation,
    mut visit: impl FnMut(Entry<'_>) -> Result<(), E>,
) -> Result<u64, E> {
    let file = File::open(&generation.path)?;
    let mut window = Window {
        file,
        bytes: vec![0; WINDOW],
        start: 0,
        len: 0,
    };
    let mut at = FILE_HEAD as u64;
    while let Some(head) = window.at(at, GRAIN)? {
        let Some(head) = head.first_chunk().and_then(Head::parse) else {
            break;
        };
        let Some(bytes) = window.at(at, GRAIN + head.len)? else {
            break;
        };
        match entry::parse(generation.number, at, head, bytes) {
            Ok(Some(entry)) => visit(entry)?,
            Ok(None) => {}
            Err(entry::Invalid) => break,
        }
        at += head.span() as u64;
    }
    Ok(at - FILE_HEAD as u64)
}

/// A stretch of the file in memory; larger than any entry.
struct Window {
    file: File,
    bytes: Vec<u8>,
    start: u64,
    len: usize,
}

impl Window {
    /// The `len` bytes at `at`; `None` past the end of the file.
    fn at(&mut self, at: u64, len: usize) -> io::Result<Option<&[u8]>> {
        let end = at + len as u64;
        if at < self.start || end > self.start + self.len as u64 {
            self.start = at;
            self.len = read_full(&self.file, at, &mut self.bytes)?;
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        Ok(self.bytes[..self.len].get(from..from + len))
    }
}

fn read_full(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

const WINDOW: usize = 4 * 1024 * 1024;
const _: () = assert!(WINDOW >= 2 * (crate::limits::JOURNAL_ENTRY_MAX + GRAIN));
