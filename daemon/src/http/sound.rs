//! SKELETON
//! A recording in the format a family wants, ready to be answered with: the opened file as it is
//! stored, or what the transcoder gives. What every family but `task_audio` begins with.
use std::rc::Rc;

use audio_io::codec::target::Target;
use audio_io::units::WallMillis;
use storage::ids::{RecordingName, TenantId};
use storage::record::{Container, Recording};

use super::error::Problem;
use super::media::Entity;
use super::service::Call;

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
    pub(super) recording: Recording,
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
    Find(#[from] super::recordings::FindError),
    /// The conversion failed, or has to wait.
    #[error(transparent)]
    Convert(#[from] crate::engine::transcode::ConvertError),
}

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
    let _ = (call, tenant, name, wanted);
    todo!()
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
) -> Result<http::Response<super::body::Payload>, Problem> {
    let _ = (call, entity, show);
    todo!()
}
