//! The file in the making: what is appended goes through a buffer, and places that were left open
//! are filled in later.

use std::io::{self, SeekFrom};

use super::Sink;

/// Bytes collected before the sink is written.
const BUFFER_BYTES: usize = 64 * 1_024;

/// Bytes of a table collected before they are put to their place.
const TABLE_BUFFER_BYTES: usize = 16 * 1_024;

/// Writes a sink from its first byte on.
pub(super) struct Out<'a> {
    sink: &'a mut dyn Sink,
    buffer: Vec<u8>,
    /// How much of the file lies in the sink; the buffer follows.
    written: u64,
}

impl<'a> Out<'a> {
    pub(super) fn new(sink: &'a mut dyn Sink) -> io::Result<Self> {
        sink.seek(SeekFrom::Start(0))?;
        Ok(Self {
            sink,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            written: 0,
        })
    }

    /// Where the next byte goes.
    pub(super) fn position(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if bytes.len() >= BUFFER_BYTES {
            self.sink.write_all(bytes)?;
            self.written += bytes.len() as u64;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(())
    }

    pub(super) fn zeroes(&mut self, mut count: u64) -> io::Result<()> {
        const ZEROES: [u8; 4_096] = [0; 4_096];
        while count > 0 {
            let part = usize::try_from(count)
                .unwrap_or(usize::MAX)
                .min(ZEROES.len());
            self.put(&ZEROES[..part])?;
            count -= part as u64;
        }
        Ok(())
    }

    /// Overwrites bytes that were put before.
    pub(super) fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.flush()?;
        self.sink.seek(SeekFrom::Start(at))?;
        self.sink.write_all(bytes)?;
        self.sink.seek(SeekFrom::Start(self.written))?;
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.sink.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.write_all(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl io::Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A table whose room was left open, filled from its front while the file grows behind it.
pub(super) struct Table {
    at: u64,
    end: u64,
    pending: Vec<u8>,
}

impl Table {
    /// The table over bytes that were put before (as zeroes).
    pub(super) fn new(at: u64, bytes: u64) -> Self {
        Self {
            at,
            end: at + bytes,
            pending: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, out: &mut Out<'_>, entry: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(entry);
        if self.pending.len() >= TABLE_BUFFER_BYTES {
            self.settle(out)?;
        }
        Ok(())
    }

    /// Puts the last entries to their place.
    ///
    /// # Errors
    /// If the table is not exactly full: the file would be wrong.
    pub(super) fn finish(mut self, out: &mut Out<'_>) -> io::Result<()> {
        self.settle(out)?;
        if self.at == self.end {
            Ok(())
        } else {
            Err(io::Error::other("a table of the file has the wrong size"))
        }
    }

    fn settle(&mut self, out: &mut Out<'_>) -> io::Result<()> {
        let after = self.at + self.pending.len() as u64;
        if after > self.end {
            return Err(io::Error::other("a table of the file is too small"));
        }
        out.patch(self.at, &self.pending)?;
        self.at = after;
        self.pending.clear();
        Ok(())
    }
}
