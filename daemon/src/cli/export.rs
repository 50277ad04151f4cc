//! `export`: the daemon writes the archive, and it is checked as it goes by.

use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use storage::export::{Draft, Flaw, Report, verify};

use super::Context;
use super::args::ExportArgs;
use super::backup::{PIECES_MAX, Tee, send};
use super::error::CliError;
use super::verify::{Told, bytes, describe};
use crate::control::wire::{self, ErrorBody, ExportHead, FrameKind, Frames};

pub(super) async fn export(context: &Context, wish: ExportArgs) -> Result<(), CliError> {
    let target = wish.output;
    let asked = wire::Export {
        names: wish.names,
        tenant: wish.tenant,
        line: wish.line,
        since: wish.since,
        until: wish.until,
        note: wish.note,
        unproved: wish.unproved,
    };
    if target == Path::new("-") {
        return made(context, &asked, Box::new(io::stdout()))
            .await
            .map(drop);
    }
    let draft = Draft::begin(&target, wish.force)?;
    let to = draft.writer()?;
    let report = made(context, &asked, Box::new(to)).await?;
    draft.publish()?;
    let told = Told::good(&report);
    context.output.show(&told, |_| {
        format!("{}written to {}\n", describe(&report), target.display())
    })
}

/// Receives an export and answers what is in it.
async fn made(
    context: &Context,
    asked: &wire::Export,
    to: Box<dyn Write + Send>,
) -> Result<Report, CliError> {
    let (pieces, received) = sync_channel(PIECES_MAX);
    let checking = tokio::task::spawn_blocking(move || {
        let mut tee = Tee::new(received, to);
        verify(&mut tee, None, &mut |_| ())
    });
    let sent = receive(context, asked, &pieces).await;
    drop(pieces);
    let checked = checking.await.map_err(|_| CliError::Cut)?;
    match (sent, checked) {
        // What was received is not what was written, or could not be written here.
        (Ok(()) | Err(CliError::Output(_)), Err(Flaw::Io(error))) => Err(CliError::Output(error)),
        (Ok(()) | Err(CliError::Output(_)), checked) => checked.map_err(CliError::Flawed),
        (Err(error), _) => Err(error),
    }
}

/// Takes the frames apart; without the last one there is no archive.
async fn receive(
    context: &Context,
    asked: &wire::Export,
    pieces: &SyncSender<Vec<u8>>,
) -> Result<(), CliError> {
    let mut meter = context.output.meter();
    let (mut frames, mut total, mut done, mut whole) = (Frames::default(), 0, 0, false);
    let sink = |piece: &[u8]| {
        frames.push(piece, |kind, content| match kind {
            FrameKind::Head => {
                let head: ExportHead =
                    serde_json::from_slice(content).map_err(CliError::NotUnderstood)?;
                total = head.sound_bytes;
                Ok(())
            }
            FrameKind::Data => {
                done += content.len() as u64;
                meter.show(&bytes(done.min(total), total));
                send(pieces, content).map_err(CliError::Output)
            }
            FrameKind::Done => {
                whole = true;
                Ok(())
            }
            FrameKind::Failed => {
                let body: ErrorBody =
                    serde_json::from_slice(content).map_err(CliError::NotUnderstood)?;
                Err(CliError::Refused(body))
            }
        })
    };
    let received = context.client.post_download("/export", asked, sink).await;
    meter.finish();
    received?;
    if whole { Ok(()) } else { Err(CliError::Cut) }
}
