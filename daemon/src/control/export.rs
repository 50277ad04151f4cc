//! An export with proof of the running store, streamed as it is written. What is asked for is in
//! the ledger before the first byte leaves.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use storage::error::{ReadError, WriteError};
use storage::export::{self, ExportError, Item, OfStore, RECORDINGS_MAX, Written};
use storage::handle::{ListFilter, StorageHandle};
use storage::ledger::chain::Hash;
use storage::ledger::entry::{Act, Kind};
use storage::ledger::key::SigningKey;
use storage::limits::PAGE_MAX;
use storage::record::{Recording, RecordingState};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::answer::{Answer, Pieces, Refusal, streamed};
use super::convert::parse_time;
use super::limits::{BACKUP_STALL, PIECE_BYTES, PIECES_MAX};
use super::recordings::{self, Wanted};
use super::serve::{Desk, blocking};
use super::tenants;
use super::wire::{self, ErrorBody, ErrorCode, ExportHead, FRAME_MAX, FrameKind, frame};

/// Characters of a note.
const NOTE_MAX: usize = 4_096;

pub(super) async fn export(
    desk: Arc<Desk>,
    wish: wire::Export,
    user: u32,
) -> Result<Answer, Refusal> {
    let permit = desk.exporting.clone().try_acquire_owned();
    let permit = permit.map_err(|_| {
        let message = "an export is being made already; wait for it to end";
        Refusal::new(ErrorCode::Conflict, message)
    })?;
    if wish
        .note
        .as_ref()
        .is_some_and(|note| note.chars().count() > NOTE_MAX)
    {
        let message = format!("a note has at most {NOTE_MAX} characters");
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    let rows = if wish.names.is_empty() {
        let (storage, wish) = (desk.app.storage.clone(), wish.clone());
        blocking(move || listed(&storage, &wish)).await?
    } else {
        named(&desk, &wish).await?
    };
    let storage = desk.app.storage.clone();
    let key = blocking(move || key(&storage)).await?;
    let storage = desk.app.storage.clone();
    let items = blocking(move || {
        let items = rows.into_iter().map(|row| storage.export_item(row));
        items.collect::<Result<Vec<Item>, ReadError>>()
    });
    let items = items.await?;
    let acts = acts(&items, &wish);
    let storage = desk.app.storage.clone();
    blocking(move || storage.record_acts_durably(acts)).await?;
    let (pieces, receiver) = mpsc::channel(PIECES_MAX);
    tokio::task::spawn_blocking(move || {
        let mut outlet = Outlet {
            pieces,
            waiting: Vec::new(),
        };
        let made = made(&desk, &items, &key, &wish, &mut outlet);
        drop(permit);
        match made {
            Ok(written) => {
                desk.app.storage.record_act(done(&written));
                log::info!(recordings = items.len(), uid = user; "an export was made");
            }
            Err(error) => log::error!(uid = user; "an export was not made: {error}"),
        }
    });
    Ok(streamed("application/x-callreel-frames", Pieces(receiver)))
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        Self::internal(&error)
    }
}

fn key(storage: &StorageHandle) -> Result<SigningKey, Refusal> {
    let path = storage.ledger_key_file();
    SigningKey::read(path).map_err(|error| {
        let message = format!(
            "the key that signs exports cannot be used: '{}': {error}",
            path.display()
        );
        Refusal::new(ErrorCode::Unusable, message)
    })
}

/// The recordings of the names, in their order.
async fn named(desk: &Desk, wish: &wire::Export) -> Result<Vec<Recording>, Refusal> {
    let mut rows = Vec::with_capacity(wish.names.len());
    for name in &wish.names {
        let wanted = Wanted::new(name.clone(), wish.tenant.clone());
        rows.push(recordings::find(desk, wanted).await?.0);
    }
    Ok(rows)
}

/// The recordings with files that fit, oldest first.
fn listed(storage: &StorageHandle, wish: &wire::Export) -> Result<Vec<Recording>, Refusal> {
    let bad = |error: String| Refusal::new(ErrorCode::BadRequest, error);
    let time = |text: &Option<String>| {
        let parsed = text.as_deref().map(parse_time).transpose();
        parsed.map_err(|error| bad(error.to_string()))
    };
    let filter = ListFilter {
        states: vec![RecordingState::Stored, RecordingState::Failed],
        line: wish.line.clone(),
        since: time(&wish.since)?,
        until: time(&wish.until)?,
    };
    let all = storage.tenants()?;
    let tenants = match &wish.tenant {
        Some(name) => std::slice::from_ref(tenants::by_name(&all, name)?),
        None => all.as_slice(),
    };
    let mut rows = Vec::new();
    for tenant in tenants {
        let mut after = None;
        loop {
            let page = storage.list(tenant.id, &filter, after, PAGE_MAX)?;
            rows.extend(page.recordings.into_iter().filter(has_file));
            if rows.len() > RECORDINGS_MAX {
                return Err(bad(ExportError::TooMany(rows.len()).to_string()));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    if rows.is_empty() {
        let message =
            "there are no such recordings; 'callreel recordings list' shows what there is";
        return Err(Refusal::new(ErrorCode::NotFound, message));
    }
    rows.sort_by_key(|row| (row.facts.started_at, row.facts.id));
    Ok(rows)
}

fn has_file(row: &Recording) -> bool {
    let bytes = row.outcome.as_ref().map_or(0, |outcome| outcome.size_bytes);
    row.state == RecordingState::Stored || bytes > 0
}

/// What the ledger is told: an entry for each recording, so that each can be asked for.
fn acts(items: &[Item], wish: &wire::Export) -> Vec<Act> {
    let act = |item: &Item| {
        let facts = &item.row.facts;
        let act = Act::new(Kind::Export)
            .on(facts.tenant, facts.id)
            .with("of", items.len());
        match &wish.note {
            Some(note) => act.with("why", note.as_str()),
            None => act,
        }
    };
    items.iter().map(act).collect()
}

/// What the ledger is told of an archive that is whole: the hash that stands for all of it.
fn done(written: &Written) -> Act {
    Act::new(Kind::Export)
        .with("recordings", written.recordings)
        .with("manifest_blake3", Hash(written.manifest_blake3).to_string())
}

/// Writes the archive; tells the reader why where it cannot be written.
fn made(
    desk: &Desk,
    items: &[Item],
    key: &SigningKey,
    wish: &wire::Export,
    outlet: &mut Outlet,
) -> Result<Written, ExportError> {
    let sizes = items.iter().filter_map(|item| item.row.outcome.as_ref());
    let head = ExportHead {
        recordings: items.len() as u64,
        sound_bytes: sizes.map(|outcome| outcome.size_bytes).sum(),
    };
    // A plain struct of numbers always serialises.
    let head = serde_json::to_vec(&head).unwrap_or_default();
    outlet
        .send(FrameKind::Head, &head)
        .map_err(ExportError::Write)?;
    let storage = &desk.app.storage;
    let wanted = export::Export {
        made_by: concat!("callreel ", env!("CARGO_PKG_VERSION")).to_owned(),
        host: crate::backup::host(),
        made_at: desk.app.clock.wall(),
        note: wish.note.clone(),
        items,
        unproved: wish.unproved,
        key,
        checkpoint_keys: &storage.export_keys(),
        proofs: &mut OfStore(storage.clone()),
    };
    let stopped = desk.stopped.clone();
    let written = export::write(wanted, outlet, &mut |_, _| !*stopped.borrow());
    let told = match &written {
        Ok(_) => outlet
            .flush()
            .and_then(|()| outlet.send(FrameKind::Done, &[])),
        Err(error) => outlet.failed(error),
    };
    let written = written?;
    told.map_err(ExportError::Write)?;
    Ok(written)
}

/// Hands what is written to the answer, in frames.
struct Outlet {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    waiting: Vec<u8>,
}

impl Outlet {
    fn send(&mut self, kind: FrameKind, content: &[u8]) -> io::Result<()> {
        let piece = Bytes::from(frame(kind, content));
        let sending = tokio::time::timeout(BACKUP_STALL, self.pieces.send(Ok(piece)));
        // On a thread for work that blocks, beside the runtime's own.
        match Handle::current().block_on(sending) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn failed(&mut self, error: &ExportError) -> io::Result<()> {
        let body = ErrorBody {
            code: ErrorCode::Unusable,
            message: error.to_string(),
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        self.send(FrameKind::Failed, &body)
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() as u64 >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        for part in waiting.chunks(FRAME_MAX) {
            self.send(FrameKind::Data, part)?;
        }
        Ok(())
    }
}
