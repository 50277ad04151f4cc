//! Conversions that are made from start to end before their first byte can be read, since their
//! formats tell in front what is known at the end. What is not here: MP3, which is made in pieces,
//! and where finished files are kept.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use audio_io::codec::encode::EncodeError;
use audio_io::codec::target::Target;
use audio_io::codec::{decode, encode};
use storage::derived::DerivedDraft;
use storage::handle::StorageHandle;
use storage::record::Recording;
use storage::view::RecordingView;

use super::queue::{Level, Turn};
use super::{ConvertError, Name, Shared, Trouble, container_of};
use crate::engine::limits::CONVERT_SPACE_EVERY;

/// A finished file: found, or made on the conversion threads and kept.
pub(super) async fn convert(
    shared: &Arc<Shared>,
    recording: &Recording,
    target: Target,
    name: Name,
) -> Result<RecordingView, ConvertError> {
    if let Some(kept) = shared.kept(recording, target, &name).await? {
        return Ok(kept);
    }
    let (shared_then, row, tag) = (Arc::clone(shared), recording.clone(), Arc::clone(&name.tag));
    let work = move |turn: &Turn<'_>| {
        let made = make(&shared_then, &row, target, &tag, turn);
        if let Err(error) = &made {
            shared_then.note_failure(row.facts.id, target, error);
        }
        made
    };
    let flight = shared.whole.join(&shared.queue, Level::Whole, name, work)?;
    let joined = flight.joined;
    let view = flight.end().await?;
    if joined {
        shared.counters.cache_hits.fetch_add(1, Ordering::Relaxed);
    }
    Ok(view)
}

/// On a conversion thread: the whole way from the source to a kept file.
fn make(
    shared: &Shared,
    recording: &Recording,
    target: Target,
    tag: &str,
    turn: &Turn<'_>,
) -> Result<RecordingView, ConvertError> {
    let storage = &shared.storage;
    // Somebody else's may have been finished since it was looked for.
    if let Some(kept) = storage.derived(recording, container_of(target), tag)? {
        shared.counters.cache_hits.fetch_add(1, Ordering::Relaxed);
        return Ok(kept);
    }
    let source = open_source(storage, recording)?;
    let mut draft = storage.draft_derived(recording)?;
    write(source, target, &mut draft, turn)?;
    let view = storage.keep_derived(recording, container_of(target), tag, draft)?;
    shared.counters.made.fetch_add(1, Ordering::Relaxed);
    log::debug!(
        "recording {} was converted to {target}: {} bytes",
        recording.facts.id,
        view.len()
    );
    Ok(view)
}

/// Decodes one file and writes another, giving way to what is more urgent, until the disk is
/// nearly full.
pub(super) fn write(
    source: File,
    target: Target,
    draft: &mut DerivedDraft,
    turn: &Turn<'_>,
) -> Result<(), ConvertError> {
    let mut sink = draft.file().try_clone().map_err(ConvertError::failed)?;
    let mut ticks = 0_u32;
    let mut full = false;
    let mut progress = |_| -> ControlFlow<()> {
        ticks += 1;
        full = ticks.is_multiple_of(CONVERT_SPACE_EVERY) && !draft.has_room();
        if full {
            return ControlFlow::Break(());
        }
        turn.give_way()
    };
    let encoded = decode::open(source)
        .map_err(EncodeError::from)
        .and_then(|mut sound| encode::encode(&mut *sound, target, &mut sink, &mut progress));
    encoded.map_err(|error| match error {
        EncodeError::Stopped if full => ConvertError::NoSpace,
        EncodeError::Stopped => Trouble::Stopping.into(),
        EncodeError::Io(error) if error.kind() == io::ErrorKind::StorageFull => {
            ConvertError::NoSpace
        }
        other => ConvertError::failed(other),
    })
}

/// A recording's file. It stays readable when it is deleted meanwhile.
pub(super) fn open_source(
    storage: &StorageHandle,
    recording: &Recording,
) -> Result<File, ConvertError> {
    File::open(storage.path_of(recording)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ConvertError::Gone,
        _ => ConvertError::failed(error),
    })
}
