//! Long jobs whose progress is told line by line (NDJSON): checks; and reloading.

use std::sync::Arc;
use std::time::Duration;

use audio_io::clock::Clock;
use bytes::Bytes;
use serde::Serialize;
use storage::ledger::entry::Kind;
use tokio::sync::mpsc;

use super::answer::{Answer, Pieces, Refusal, ok, streamed};
use super::limits::{PIECES_MAX, PROGRESS_EVERY};
use super::serve::Desk;
use super::upkeep::{self, UpkeepError};
use super::wire::{Check, ErrorCode, Event, Progress};

/// Tells the progress of one job.
pub(super) struct Teller {
    pieces: mpsc::Sender<std::io::Result<Bytes>>,
    clock: Arc<dyn Clock>,
    told: Option<(String, Duration)>,
}

impl Teller {
    /// A teller and the answer that its words go into.
    pub(super) fn new(clock: Arc<dyn Clock>) -> (Self, Answer) {
        let (pieces, receiver) = mpsc::channel(PIECES_MAX);
        let teller = Self {
            pieces,
            clock,
            told: None,
        };
        (teller, streamed("application/x-ndjson", Pieces(receiver)))
    }

    /// Tells how far the job is, unless that was told a moment ago. Never waits: a reader that
    /// is slow misses steps.
    pub(super) fn progress(&mut self, progress: &Progress) {
        let now = self.clock.monotonic();
        let fresh = self.told.as_ref().is_some_and(|(told, at)| {
            *told == progress.stage && now.saturating_sub(*at) < PROGRESS_EVERY
        });
        if fresh && progress.done != progress.total {
            return;
        }
        self.told = Some((progress.stage.clone(), now));
        if let Some(line) = line(&Event::<()>::Progress(progress.clone())) {
            let _ = self.pieces.try_send(Ok(line));
        }
    }

    /// Tells the end; waits for a slow reader.
    pub(super) fn end<T: Serialize>(self, result: Result<T, Refusal>) {
        let event = match result {
            Ok(value) => Event::Done(value),
            Err(refusal) => Event::Error(refusal.0),
        };
        if let Some(line) = line(&event) {
            // A client that went away is told nothing; the job is done all the same.
            let _ = self.pieces.blocking_send(Ok(line));
        }
    }
}

fn line<T: Serialize>(event: &Event<T>) -> Option<Bytes> {
    match serde_json::to_vec(event) {
        Ok(mut line) => {
            line.push(b'\n');
            Some(line.into())
        }
        Err(error) => {
            log::error!("an event cannot be written as JSON: {error}");
            None
        }
    }
}

pub(super) async fn check(desk: Arc<Desk>, wish: Check) -> Result<Answer, Refusal> {
    let busy = "a check is running already; wait for it to end";
    if desk.checking.available_permits() == 0 {
        return Err(Refusal::new(ErrorCode::Conflict, busy));
    }
    let (mut teller, answer) = Teller::new(desk.app.clock.clone());
    tokio::task::spawn_blocking(move || {
        let Ok(permit) = desk.checking.try_acquire() else {
            return teller.end::<()>(Err(Refusal::new(ErrorCode::Conflict, busy)));
        };
        let report =
            upkeep::check_running(&desk.app.storage, &wish, &mut |now| teller.progress(now));
        // Whoever reads the end may ask for the next check at once.
        drop(permit);
        teller.end(report.map_err(|error| match error {
            UpkeepError::Key(_) => Refusal::new(ErrorCode::BadRequest, error.to_string()),
            error => Refusal::internal(&error),
        }));
    });
    Ok(answer)
}

pub(super) async fn reload(desk: &Desk) -> Result<Answer, Refusal> {
    let hook = desk.reload.clone();
    let reloaded = tokio::task::spawn_blocking(move || hook.reload()).await;
    match reloaded {
        Ok(Ok(reloaded)) => {
            desk.did(Kind::ConfigChanged, "reloaded", reloaded.applied.join(", "));
            ok(&reloaded)
        }
        Ok(Err(error)) => Err(Refusal::new(ErrorCode::Unusable, error.to_string())),
        Err(error) => Err(Refusal::internal(&error)),
    }
}
