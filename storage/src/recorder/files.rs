//! Writes recordings' own files: one task a recording, pieces in order, nothing synced here.

use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::core::Core;
use super::slot::Piece;
use crate::ids::RecordingId;
use crate::io::{Buffer, SegmentFile};
use crate::limits::{FILE_BUFFER_MAX, PREALLOCATE_MAX, PREALLOCATE_SPAN};
use crate::record::RecordingFacts;
use crate::reserve::is_full;
use crate::segment::header::{self, SOUND_AT};

/// The recording is no longer open, or its file will never hold that much.
#[derive(Debug)]
pub(super) struct Gone;

/// Writes pieces until there are none.
pub(super) async fn write_pieces(core: Rc<Core>, id: RecordingId) {
    loop {
        let piece = {
            let state = &mut *core.state.borrow_mut();
            let Some(slot) = state.slots.get_mut(&id) else {
                break;
            };
            let piece = slot.pieces.pop_front();
            slot.writing = piece.is_some();
            piece
        };
        let Some(piece) = piece else { break };
        let outcome = match piece {
            Piece::Create => create(&core, id).await,
            Piece::Sound(buffer) => sound(&core, id, buffer).await,
            Piece::Silence(bytes) => silence(&core, id, bytes).await,
        };
        if let Err(error) = outcome {
            let state = &mut *core.state.borrow_mut();
            if let Some(slot) = state.slots.get_mut(&id) {
                slot.writing = false;
                slot.waiters.clear();
            }
            super::trouble::file_failed(&core, state, id, error);
            break;
        }
    }
    core.progress.notify_waiters();
}

/// Waits until the file holds this much sound.
pub(super) async fn written_up_to(
    core: &Rc<Core>,
    id: RecordingId,
    target: u64,
) -> Result<(), Gone> {
    let waiting = {
        let state = &mut *core.state.borrow_mut();
        let slot = state.slots.get_mut(&id).ok_or(Gone)?;
        if slot.written >= target && slot.file.is_some() {
            return Ok(());
        }
        if !slot.writing && slot.pieces.is_empty() {
            return Err(Gone);
        }
        let (tell, waiting) = oneshot::channel();
        slot.waiters.push((target, tell));
        waiting
    };
    waiting.await.map_err(|_| Gone)
}

async fn create(core: &Rc<Core>, id: RecordingId) -> io::Result<()> {
    let (facts, path) = {
        let state = core.state.borrow();
        let Some(slot) = state.slots.get(&id) else {
            return Ok(());
        };
        (slot.facts.clone(), slot.path.clone())
    };
    let file = create_empty(core, &path).await?;
    let ahead = ahead(&facts);
    core.io.preallocate(&file, 0, ahead).await?;
    let bytes = header::open_ended(&facts);
    let mut head = Buffer::with_capacity(bytes.len());
    head.extend(&bytes);
    core.io.write_at(&file, 0, head).await.0?;
    let state = &mut *core.state.borrow_mut();
    if let Some(slot) = state.slots.get_mut(&id) {
        slot.file = Some(file);
        slot.allocated = ahead;
        slot.tell_waiters();
    }
    Ok(())
}

/// Creates the file, and its folder where that is missing.
async fn create_empty(core: &Rc<Core>, path: &Path) -> io::Result<Arc<SegmentFile>> {
    // Each takes a thread: thousands of recordings that begin at once must not take thousands.
    let _permit = core.creates.acquire().await.map_err(io::Error::other)?;
    let missing = match core.io.create(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => error,
        other => return other,
    };
    let folder = path.parent().ok_or(missing)?;
    core.io
        .create_dirs(core.shared.layout.root(), folder)
        .await?;
    core.io.create(path).await
}

async fn sound(core: &Rc<Core>, id: RecordingId, buffer: Buffer) -> io::Result<()> {
    let len = buffer.len();
    let outcome = match allocate(core, id, len as u64).await {
        Ok(Some((file, offset))) => core.io.write_at(&file, offset, buffer).await,
        Ok(None) => (Ok(()), buffer),
        Err(error) => (Err(error), buffer),
    };
    let state = &mut *core.state.borrow_mut();
    let (result, buffer) = outcome;
    match result {
        Ok(()) => {
            state.queued -= len;
            state.recycle(buffer);
            if let Some(slot) = state.slots.get_mut(&id) {
                slot.written += len as u64;
                slot.tell_waiters();
            }
            core.shared.count_written(len as u64);
            Ok(())
        }
        Err(error) => {
            match state.slots.get_mut(&id) {
                // The reserve may make room for it; nothing of it was lost by the page cache.
                Some(slot) if is_full(&error) && buffer.len() == len => {
                    slot.pieces.push_front(Piece::Sound(buffer));
                }
                _ => state.queued -= len,
            }
            Err(error)
        }
    }
}

async fn silence(core: &Rc<Core>, id: RecordingId, mut bytes: u64) -> io::Result<()> {
    while bytes > 0 {
        let byte = {
            let state = core.state.borrow();
            let Some(slot) = state.slots.get(&id) else {
                return Ok(());
            };
            slot.facts.format.encoding.silence_byte()
        };
        let now = usize::try_from(bytes)
            .unwrap_or(FILE_BUFFER_MAX)
            .min(FILE_BUFFER_MAX);
        let mut buffer = Buffer::with_capacity(now);
        buffer.fill(byte, now);
        core.state.borrow_mut().queued += now;
        sound(core, id, buffer).await.inspect_err(|error| {
            let state = &mut *core.state.borrow_mut();
            if let Some(slot) = state.slots.get_mut(&id)
                && is_full(error)
                && bytes > now as u64
            {
                // What failed is the first piece again; the rest of the silence follows it.
                let at = slot.pieces.len().min(1);
                slot.pieces.insert(at, Piece::Silence(bytes - now as u64));
            }
        })?;
        bytes -= now as u64;
    }
    Ok(())
}

/// Sets space aside ahead of a write of `len` bytes; answers the file and the file offset.
async fn allocate(
    core: &Rc<Core>,
    id: RecordingId,
    len: u64,
) -> io::Result<Option<(Arc<SegmentFile>, u64)>> {
    let (file, offset, allocated, ahead) = {
        let state = core.state.borrow();
        let Some(slot) = state.slots.get(&id) else {
            return Ok(None);
        };
        let Some(file) = slot.file.clone() else {
            return Ok(None);
        };
        (
            file,
            SOUND_AT + slot.written,
            slot.allocated,
            ahead(&slot.facts),
        )
    };
    if offset + len > allocated {
        let more = ahead.max(len);
        core.io.preallocate(&file, allocated, more).await?;
        if let Some(slot) = core.state.borrow_mut().slots.get_mut(&id) {
            slot.allocated = allocated + more;
        }
    }
    Ok(Some((file, offset)))
}

/// How much of a recording's file is set aside at a time.
fn ahead(facts: &RecordingFacts) -> u64 {
    let span = facts.format.bytes_per_second() * PREALLOCATE_SPAN.as_secs();
    span.next_multiple_of(FILE_BUFFER_MAX as u64)
        .min(PREALLOCATE_MAX)
}
