//! Brings files in: names are checked, the file is copied and hashed in one pass and synced, its
//! facts are written beside it, and only then is it indexed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use audio_io::codec::wav;

use crate::delete::remove_files;
use crate::error::ImportError;
use crate::handle::{ImportNames, ImportRequest};
use crate::ids::{Names, RecordingName, TenantId};
use crate::index::apply::{Applied, Change, Refusal};
use crate::ledger::acts::Warrant;
use crate::limits::READ_BUFFER;
use crate::paths::{create_dirs, facts_of, sync_dir, write_whole};
use crate::record::{
    Container, EndCause, Recording, RecordingFacts, RecordingOutcome, RecordingState,
};
use crate::segment::facts::{StoredFacts, VERSION};
use crate::shared::Shared;
use crate::work::{Measured, SoundAt, measure};

pub(crate) fn import(
    shared: &Shared,
    request: ImportRequest,
    warrant: Option<&Arc<Warrant>>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Recording, ImportError> {
    if shared.tenant_name(request.tenant).is_none() {
        return Err(ImportError::NoTenant(request.tenant));
    }
    check_names(shared, request.tenant, &request.names)?;
    let facts = facts(shared, &request);
    let path = shared.layout.recording(&facts);
    let io = |what| move |source| ImportError::Io { what, source };
    let folder = path.parent().unwrap_or(&path);
    create_dirs(shared.layout.root(), folder).map_err(io("creating the folder"))?;
    // A file that is there already is somebody's: refused, and not cleaned up.
    let copy = File::options().write(true).create_new(true).open(&path);
    let copy = copy.map_err(io("creating the copy"))?;
    let copied = copied(shared, &request, facts, (&path, copy), progress);
    let result = copied.and_then(|row| indexed(shared, row, warrant));
    if result.is_err()
        && let Err(error) = remove_files(&path)
    {
        log::warn!("'{}' stays from a failed import: {error}", path.display());
    }
    result
}

/// Refuses taken names before anything is copied; the commit checks again.
fn check_names(shared: &Shared, tenant: TenantId, names: &ImportNames) -> Result<(), ImportError> {
    if let Some(id) = names.recid
        && shared.index.by_id(id)?.is_some()
    {
        return Err(ImportError::NameTaken(RecordingName::Recid(id)));
    }
    let given = [
        names.call_sid.clone().map(RecordingName::CallSid),
        names.crt_object_id.clone().map(RecordingName::CrtObject),
        names.task_id.map(RecordingName::Task),
    ];
    for name in given.into_iter().flatten() {
        if shared.index.find(tenant, &name)?.is_some() {
            return Err(ImportError::NameTaken(name));
        }
    }
    Ok(())
}

fn facts(shared: &Shared, request: &ImportRequest) -> RecordingFacts {
    let made = shared.names.names();
    let given = request.names.clone();
    let id = match given.recid {
        Some(id) => {
            shared.names.pass(id);
            id
        }
        None => shared.names.id(),
    };
    RecordingFacts {
        tenant: request.tenant,
        id,
        names: Names {
            call_sid: given.call_sid.unwrap_or(made.call_sid),
            crt_object_id: given.crt_object_id.unwrap_or(made.crt_object_id),
            campaign_id: given.campaign_id.unwrap_or(made.campaign_id),
            call_id: given.call_id.unwrap_or(made.call_id),
            task_id: given.task_id.unwrap_or(made.task_id),
            session_uuid: given.session_uuid.unwrap_or(made.session_uuid),
        },
        line: request.line.clone(),
        from: request.from.clone(),
        to: request.to.clone(),
        started_at: request.started_at.unwrap_or_else(|| shared.clock.wall()),
        format: request.format,
        container: request.container,
        time: None,
        agent: request.agent.clone(),
        direction: request.direction,
    }
}

/// Copies the file; answers the row that it gets.
fn copied(
    shared: &Shared,
    request: &ImportRequest,
    facts: RecordingFacts,
    (path, to): (&Path, File),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Recording, ImportError> {
    let io = |what| move |source| ImportError::Io { what, source };
    let folder = path.parent().unwrap_or(path);
    copy(&request.source, &to, progress)?;
    let sound = plain_sound(path, facts.container).map_err(io("reading the copy"))?;
    let measured = measure(path, sound, &mut |_| ()).map_err(io("reading the copy"))?;
    let sealed_at = shared.clock.wall();
    let stored = StoredFacts {
        version: VERSION,
        tenant_name: shared.tenant_name(facts.tenant),
        facts: facts.clone(),
        state: RecordingState::Stored,
        end_cause: EndCause::Imported,
        frames: request.frames,
        gaps: Vec::new(),
        marks: Vec::new(),
        sealed_at,
        file: None,
    };
    write_whole(&facts_of(path), &stored.to_json()).map_err(io("writing the facts"))?;
    sync_dir(folder).map_err(io("syncing the folder"))?;
    Ok(row_of(&stored, measured))
}

fn indexed(
    shared: &Shared,
    row: Recording,
    warrant: Option<&Arc<Warrant>>,
) -> Result<Recording, ImportError> {
    let id = row.facts.id;
    let change = Change::Import(Box::new(row.clone())).with(warrant);
    match shared.committer.commit(change)? {
        Applied::Refused(Refusal::NameTaken(name)) => Err(ImportError::NameTaken(name)),
        Applied::Refused(_) => Err(ImportError::NameTaken(RecordingName::Recid(id))),
        _ => Ok(row),
    }
}

/// The row of a recording that is not live, from its facts and a pass over its file.
pub(crate) fn row_of(stored: &StoredFacts, measured: Measured) -> Recording {
    // Of an exchanged file the facts know what was sealed; a file that has become another since
    // is found by a check and not taken for granted.
    let (levels, size_bytes, content_hash) = match &stored.file {
        Some(file) => (file.levels.clone(), file.size_bytes, file.content_hash),
        None => (measured.levels, measured.size, measured.hash),
    };
    let outcome = RecordingOutcome {
        end_cause: stored.end_cause,
        frames: stored.frames,
        gaps: stored.gaps.clone(),
        marks: stored.marks.clone(),
        levels,
        size_bytes,
        content_hash,
        sealed_at: stored.sealed_at,
    };
    Recording {
        facts: stored.facts.clone(),
        state: stored.state,
        outcome: Some(outcome),
    }
}

/// Where the samples of a WAV file lie; `None` for what is compressed or no line's format.
pub(crate) fn plain_sound(path: &Path, container: Container) -> io::Result<Option<SoundAt>> {
    if container != Container::Wav {
        return Ok(None);
    }
    let mut file = io::BufReader::new(File::open(path)?);
    let info = match wav::parse(&mut file) {
        Ok(info) => info,
        Err(wav::WavError::Io(error)) => return Err(error),
        Err(_) => return Ok(None),
    };
    let format = info.stream_format();
    Ok(format.map(|format| SoundAt {
        format,
        offset: info.data_offset,
        bytes: info.data_bytes,
    }))
}

/// What went wrong with a copy.
pub(crate) struct CopyError {
    pub(crate) what: &'static str,
    pub(crate) source: io::Error,
}

impl From<CopyError> for ImportError {
    fn from(error: CopyError) -> Self {
        let CopyError { what, source } = error;
        Self::Io { what, source }
    }
}

/// Copies a regular file whole and syncs the copy. `progress` is told bytes copied and in all.
pub(crate) fn copy(
    source: &Path,
    to: &File,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), CopyError> {
    let failed = |what| move |source| CopyError { what, source };
    let from = File::open(source).map_err(failed("opening the source"))?;
    let metadata = from.metadata().map_err(failed("reading the source"))?;
    if !metadata.is_file() {
        let source = io::Error::from(io::ErrorKind::InvalidInput);
        return Err(failed("the source is no regular file")(source));
    }
    let total = metadata.len();
    let mut buffer = vec![0; READ_BUFFER];
    let mut at = 0;
    progress(0, total);
    loop {
        let read = match from.read_at(&mut buffer, at) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed("reading the source")(error)),
        };
        to.write_all_at(&buffer[..read], at)
            .map_err(failed("writing the copy"))?;
        at += read as u64;
        progress(at, total.max(at));
    }
    to.sync_data().map_err(failed("syncing the copy"))
}
