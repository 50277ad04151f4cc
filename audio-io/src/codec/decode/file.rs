//! A file that many readers read at places of their own: each keeps its place to itself and reads
//! with `pread`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use symphonia::core::io::MediaSource;

/// One reader of a file.
#[derive(Clone, Debug)]
pub(in crate::codec) struct FileReader {
    file: Arc<File>,
    at: u64,
    length: u64,
}

impl FileReader {
    /// A reader at the file's start. The file is taken to be as long as it is now.
    ///
    /// # Errors
    /// The file's length cannot be had.
    pub(in crate::codec) fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self {
            file: Arc::new(file),
            at: 0,
            length,
        })
    }

    /// Another reader of the same file, at its start.
    pub(in crate::codec) fn again(&self) -> Self {
        Self {
            at: 0,
            ..self.clone()
        }
    }
}

impl Read for FileReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let count = out.len().min(left);
        if count == 0 {
            // The kernel refuses places that no file can have.
            return Ok(0);
        }
        let read = self.file.read_at(&mut out[..count], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for FileReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl MediaSource for FileReader {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}
