//! Bytes that come in pieces over a network, on their way into a file: gathered, written off the
//! event loop in large pieces, and counted against a maximum.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use bytes::Bytes;

/// A file being filled.
pub(crate) struct Spool {
    /// `None` while it is being written to, and after a failure.
    file: Option<File>,
    gathered: Vec<u8>,
    bytes: u64,
    most: u64,
}

/// Why a piece was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    /// It would be longer than allowed.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// The file system.
    #[error("writing the file: {0}")]
    Io(#[from] io::Error),
}

impl Spool {
    /// Fills an existing file from its start, up to `most` bytes.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(crate) async fn open(path: &Path, most: u64) -> Result<Self, SpoolError> {
        let path = path.to_owned();
        let open = move || File::options().write(true).truncate(true).open(path);
        Ok(Self {
            file: Some(off_loop(open).await?),
            gathered: Vec::new(),
            bytes: 0,
            most,
        })
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub(crate) async fn push(&mut self, piece: &Bytes) -> Result<(), SpoolError> {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        if self.bytes > self.most {
            return Err(SpoolError::TooLarge(self.most));
        }
        self.gathered.extend_from_slice(piece);
        if self.gathered.len() >= WRITE_BYTES {
            self.write().await?;
        }
        Ok(())
    }

    /// Writes what is left; how many bytes there are in all.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub(crate) async fn finish(mut self) -> Result<u64, SpoolError> {
        self.write().await?;
        Ok(self.bytes)
    }

    async fn write(&mut self) -> io::Result<()> {
        let gathered = std::mem::take(&mut self.gathered);
        let mut file = self.file.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (file, mut gathered) = off_loop(move || {
            file.write_all(&gathered)?;
            Ok((file, gathered))
        })
        .await?;
        gathered.clear();
        self.file = Some(file);
        self.gathered = gathered;
        Ok(())
    }
}

/// Runs what waits for the disk where waiting hurts nobody.
pub(crate) async fn off_loop<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(died) => Err(io::Error::other(died)),
    }
}

/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 256 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_become_a_file_up_to_a_maximum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"what was there before").unwrap();
        let piece = Bytes::from(vec![7; 100_000]);
        let mut spool = Spool::open(&path, 500_000).await.unwrap();
        for _ in 0..5 {
            spool.push(&piece).await.unwrap();
        }
        assert_eq!(spool.finish().await.unwrap(), 500_000);
        assert_eq!(std::fs::read(&path).unwrap(), vec![7; 500_000]);

        let mut spool = Spool::open(&path, 5).await.unwrap();
        spool.push(&Bytes::from_static(b"12345")).await.unwrap();
        let more = spool.push(&Bytes::from_static(b"6")).await;
        assert!(matches!(more, Err(SpoolError::TooLarge(5))));
        let missing = Spool::open(&folder.path().join("b"), 5).await;
        assert!(matches!(missing, Err(SpoolError::Io(_))));
    }
}
