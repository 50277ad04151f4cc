//! A backup of the running store, streamed as it is written. What reads it too slowly is cut off,
//! since the index cannot use its freed pages again while a snapshot of it is read.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::answer::{Answer, Pieces, Refusal, streamed};
use super::limits::{BACKUP_STALL, PIECE_BYTES, PIECES_MAX};
use super::serve::Desk;
use super::wire::ErrorCode;
use crate::backup;

pub(super) async fn backup(desk: Arc<Desk>) -> Result<Answer, Refusal> {
    let busy = || {
        let message = "a backup is being made already; wait for it to end";
        Refusal::new(ErrorCode::Conflict, message)
    };
    let permit = desk.backing_up.clone().try_acquire_owned();
    let permit = permit.map_err(|_| busy())?;
    let (config, now) = (desk.app.config.load_full(), desk.app.clock.wall());
    let contents = tokio::task::spawn_blocking(move || backup::contents(&config, now)).await;
    let contents = match contents {
        Ok(Ok(contents)) => contents,
        Ok(Err(error)) => return Err(Refusal::new(ErrorCode::Unusable, error.to_string())),
        Err(error) => return Err(Refusal::internal(&error)),
    };
    let (pieces, receiver) = mpsc::channel(PIECES_MAX);
    tokio::task::spawn_blocking(move || {
        let mut outlet = Outlet {
            pieces: pieces.clone(),
            within: BACKUP_STALL,
            waiting: Vec::new(),
        };
        let storage = &desk.app.storage;
        let written = storage::backup::write(storage, &contents, &mut outlet, &mut |_, _| ());
        drop(permit);
        match written {
            Ok(head) => log::info!(rows = head.rows; "a backup was made"),
            Err(error) => {
                log::error!("a backup was not made: {error}");
                // Cuts the answer off, so that nobody takes it for whole.
                let _ = pieces.try_send(Err(io::ErrorKind::BrokenPipe.into()));
            }
        }
    });
    Ok(streamed("application/x-tar", Pieces(receiver)))
}

/// Hands what is written to the answer, in pieces.
struct Outlet {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    within: Duration,
    waiting: Vec<u8>,
}

impl Outlet {
    fn send(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.waiting);
        let sending = tokio::time::timeout(self.within, self.pieces.send(Ok(piece.into())));
        // On a thread for work that blocks, beside the runtime's own.
        match Handle::current().block_on(sending) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() as u64 >= PIECE_BYTES {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}
