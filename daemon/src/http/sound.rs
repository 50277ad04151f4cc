//! A recording in the format a family wants, ready to be answered with: the opened file as it is
//! stored, or what the transcoder gives. What every family but `task_audio` begins with. Which
//! formats a family offers, and its words for what goes wrong, are its own.

use std::rc::Rc;
use std::time::Duration;

use audio_io::codec::target::Target;
use audio_io::units::WallMillis;
use http::StatusCode;
use storage::error::ViewError;
use storage::ids::{RecordingName, TenantId};
use storage::record::{Container, Recording};

use super::body::Payload;
use super::error::Problem;
use super::media::{self, Cache, Entity, MediaRequest, Presentation, Refusal};
use super::recordings::{FindError, Found, Opened};
use super::service::Call;
use crate::engine::transcode::{BUSY_RETRY_S, ConvertError, Converted, container_of};

/// Which bytes are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The file as it is stored.
    AsStored,
    /// This format; the stored file where it has it.
    Format(Target),
}

/// A recording's bytes in the wanted format.
pub(super) struct Sound {
    /// Its row.
    pub(super) recording: Rc<Recording>,
    /// The format of [`Sound::entity`].
    pub(super) container: Container,
    /// Its bytes.
    pub(super) entity: Rc<Entity>,
}

/// What a name stands for.
pub(super) enum SoundFound {
    /// Nothing that this tenant has or had.
    Nothing,
    /// It was deleted then.
    Purged(WallMillis),
    /// It ended without anything worth keeping.
    Absent,
    /// It is going on; nothing is converted.
    Live(Box<Recording>),
    /// Here it is.
    Ready(Sound),
}

/// Why a sound cannot be had; each family has its own words for it.
#[derive(Debug, thiserror::Error)]
pub(super) enum SoundError {
    /// The index or the look-up failed.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The conversion failed, or has to wait.
    #[error(transparent)]
    Convert(#[from] ConvertError),
}

impl From<SoundError> for Problem {
    fn from(error: SoundError) -> Self {
        match &error {
            SoundError::Find(FindError::View(ViewError::Busy(_))) => unavailable(
                "busy",
                "The recording cannot be looked at right now.",
                BUSY_AGAIN,
            ),
            SoundError::Convert(ConvertError::Busy) => {
                unavailable("busy", "Too many conversions are waiting.", BUSY_AGAIN)
            }
            SoundError::Convert(ConvertError::NoSpace) => unavailable(
                "no_space",
                "The disk has no room for a conversion.",
                SPACE_AGAIN,
            ),
            SoundError::Convert(ConvertError::Gone) => {
                unavailable("busy", "The recording is being changed.", BUSY_AGAIN)
            }
            SoundError::Find(_)
            | SoundError::Convert(ConvertError::NoSound | ConvertError::Failed(_)) => {
                return Self::internal(error);
            }
        }
        .because(error)
    }
}

fn unavailable(code: &'static str, message: &'static str, again: Duration) -> Problem {
    let message = format!("{message} Retry later.");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, message).retry_after(again)
}

/// When it may be worth asking again for what waits.
const BUSY_AGAIN: Duration = Duration::from_secs(BUSY_RETRY_S);
/// When it may be worth asking again for what needs space.
const SPACE_AGAIN: Duration = Duration::from_secs(60);

/// Finds a tenant's recording in a format. A conversion is waited for.
///
/// # Errors
/// [`SoundError`].
pub(super) async fn find(
    call: &Call<'_>,
    tenant: TenantId,
    name: RecordingName,
    wanted: Wanted,
) -> Result<SoundFound, SoundError> {
    let recordings = &call.worker.recordings;
    let mut again = true;
    loop {
        let opened = match recordings.find(tenant, name.clone()).await? {
            Found::Nothing => return Ok(purged(call, tenant, name).await?),
            Found::Absent => return Ok(SoundFound::Absent),
            Found::Live(recording) => return Ok(SoundFound::Live(recording)),
            Found::Opened(opened) => opened,
        };
        match shaped(call, &opened, wanted).await {
            Ok(sound) => return Ok(SoundFound::Ready(sound)),
            // It was deleted, or its file was replaced by one in another format: the row says.
            Err(SoundError::Convert(ConvertError::Gone)) if again => {
                again = false;
                recordings.forget(tenant, name.clone());
            }
            Err(error) => return Err(error),
        }
    }
}

async fn purged(
    call: &Call<'_>,
    tenant: TenantId,
    name: RecordingName,
) -> Result<SoundFound, FindError> {
    let recordings = &call.worker.recordings;
    let purged = recordings
        .off_loop(move |storage| storage.purged_at(tenant, &name))
        .await??;
    Ok(purged.map_or(SoundFound::Nothing, SoundFound::Purged))
}

/// An opened recording in the wanted format.
async fn shaped(call: &Call<'_>, opened: &Rc<Opened>, wanted: Wanted) -> Result<Sound, SoundError> {
    let stored = opened.recording.facts.container;
    let sound = |container, entity: &Rc<Entity>| Sound {
        recording: Rc::clone(&opened.recording),
        container,
        entity: Rc::clone(entity),
    };
    // A WAV is a WAV, whatever its samples are encoded as.
    let target = match wanted {
        Wanted::Format(target) if container_of(target) != stored => target,
        Wanted::Format(_) | Wanted::AsStored => return Ok(sound(stored, &opened.entity)),
    };
    let site = &call.worker.site;
    if let Some(entity) = opened.converted(target, site.clock.monotonic()) {
        return Ok(sound(container_of(target), &entity));
    }
    let converted = site.transcoder.convert(&opened.recording, target).await?;
    let entity = match converted {
        Converted::Stored => return Ok(sound(stored, &opened.entity)),
        Converted::File(view) => Entity::new(view),
        Converted::Made(made) => Entity::made(made),
    };
    let entity = Rc::new(entity.ok_or(FindError::Tag)?);
    let now = site.clock.monotonic();
    call.worker.recordings.sweep(now);
    opened.keep_converted(target, Rc::clone(&entity), now);
    Ok(sound(container_of(target), &entity))
}

/// What a family shows a sound as.
pub(super) struct Show {
    /// Media type; not always the container's own (seed 000 says `audio/x-wav`).
    pub(super) content_type: &'static str,
    /// `Content-Disposition`.
    pub(super) disposition: Option<http::HeaderValue>,
    /// Whether `Range` counts.
    pub(super) ranges: bool,
}

/// Answers with a sound: conditionals, ranges, HEAD (API.md section 0). Cache rule: the route's,
/// `no-store` for live snapshots.
///
/// # Errors
/// 412, 416, 500.
pub(super) fn answer(
    call: &Call<'_>,
    entity: &Entity,
    show: Show,
) -> Result<http::Response<Payload>, Problem> {
    present(call, entity, show).map_err(|refusal| {
        if refusal == Refusal::Cut {
            call.worker.recordings.forget_entity(entity);
        }
        refusal.into()
    })
}

/// The same, for families that have their own words for refusals.
///
/// # Errors
/// [`Refusal`]; after [`Refusal::Cut`] the recording is to be forgotten.
pub(super) fn present(
    call: &Call<'_>,
    entity: &Entity,
    show: Show,
) -> Result<http::Response<Payload>, Refusal> {
    let presentation = Presentation {
        content_type: show.content_type,
        disposition: show.disposition,
        cache: if entity.is_live() {
            Cache::Never
        } else {
            call.policy.cache
        },
        ranges: show.ranges,
    };
    let request = MediaRequest {
        method: &call.parts.method,
        headers: &call.parts.headers,
        transport: call.connection.transport,
        boundary: call.request_id,
    };
    media::answer(entity, &request, &presentation, &call.worker.site.metrics)
}
