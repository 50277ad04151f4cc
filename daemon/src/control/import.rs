//! Bringing in files that other systems recorded. The daemon opens them itself, finds out what
//! they are, and copies them into the store.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use audio_io::codec::probe::{self, Probed};
use storage::handle::{ImportNames, ImportRequest, StorageHandle};
use storage::ids::RecordingId;
use storage::record::{Recording, WallMillis};

use super::answer::{Answer, Refusal};
use super::convert::{self, parse_time};
use super::jobs::Teller;
use super::serve::Desk;
use super::tenants;
use super::wire::{ErrorCode, Import, Progress};
use crate::engine::sound_file;

pub(super) async fn import(desk: &Desk, wish: Import) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let (mut teller, answer) = Teller::new(desk.app.clock.clone());
    tokio::task::spawn_blocking(move || {
        let tenant = wish.tenant.to_string();
        let imported = carry_out(&storage, wish, &mut |now| teller.progress(&now));
        if let Ok(recording) = &imported {
            log::info!(recording = recording.facts.id.0, tenant = tenant.as_str(); "file imported");
        }
        teller.end(imported.map(|recording| convert::recording(&recording, &tenant)));
    });
    Ok(answer)
}

fn carry_out(
    storage: &StorageHandle,
    wish: Import,
    progress: &mut dyn FnMut(Progress),
) -> Result<Recording, Refusal> {
    let source = PathBuf::from(&wish.path);
    let tenant = tenants::id_of(storage, &wish.tenant)?;
    let recid = wish.recid.as_deref().map(parse_recid).transpose()?;
    progress(Progress {
        stage: "probing".into(),
        done: 0,
        total: 0,
    });
    let probed = probe(&source)?;
    let started_at = match &wish.started_at {
        Some(text) => Some(parse_time(text).map_err(|error| {
            Refusal::new(ErrorCode::BadRequest, format!("started_at: {error}"))
        })?),
        None => last_change(&source),
    };
    let request = ImportRequest {
        tenant,
        container: sound_file::container(probed.kind),
        format: probed.format,
        frames: probed.frames,
        names: ImportNames {
            recid,
            call_sid: wish.call_sid,
            crt_object_id: wish.crt_object_id,
            campaign_id: wish.campaign_id,
            call_id: wish.call_id,
            task_id: wish.task_id,
            session_uuid: None,
        },
        line: wish.line,
        from: wish.from,
        to: wish.to,
        started_at,
        agent: None,
        direction: None,
        source,
    };
    let mut copied = |done, total| {
        progress(Progress {
            stage: "copying".into(),
            done,
            total,
        });
    };
    storage.import(request, &mut copied).map_err(Refusal::from)
}

/// Finds out what a file is.
pub(super) fn probe(source: &Path) -> Result<Probed, Refusal> {
    if source.is_relative() {
        let message = format!(
            "path: '{}' is relative; give an absolute path",
            source.display()
        );
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    let unusable = |error: &dyn std::fmt::Display| {
        Refusal::new(
            ErrorCode::Unusable,
            format!("'{}': {error}", source.display()),
        )
    };
    // Opening a pipe that nobody writes to would wait for ever.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(source);
    let file = opened.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Refusal::new(
            ErrorCode::NotFound,
            format!(
                "the daemon sees no file '{}'; is it in a folder that only you can see, such as \
                 /tmp or /home?",
                source.display()
            ),
        ),
        ErrorKind::PermissionDenied => unusable(
            &"the daemon may not read it; make it and its folder readable for the daemon's user",
        ),
        _ => unusable(&error),
    })?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(unusable(&"it is not a regular file"));
    }
    probe::probe_file(file).map_err(|error| unusable(&error))
}

fn parse_recid(text: &str) -> Result<RecordingId, Refusal> {
    text.parse().map(RecordingId).map_err(|_| {
        Refusal::new(
            ErrorCode::BadRequest,
            format!("recid: '{text}' is not a whole number"),
        )
    })
}

/// When a file last changed; `None` when that is unknown or before 1970.
fn last_change(source: &Path) -> Option<WallMillis> {
    let changed = std::fs::metadata(source).ok()?.modified().ok()?;
    let since = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok().map(WallMillis)
}
