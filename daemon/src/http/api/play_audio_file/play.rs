//! `PlayAudioFile.php`: the sound of a recording or of a prompt (seed 000).

use std::rc::Rc;

use http::Response;
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use storage::error::ViewError;
use storage::ids::{PromptId, RecordingId, RecordingName, TenantId};
use storage::prompt::PromptRow;
use storage::record::{Container, Recording};

use super::params::Parameters;
use super::{AssetError, number};
use crate::engine::prompts::PromptFailure;
use crate::http::auth::play_token::{Code, refused};
use crate::http::auth::{self, Principal};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::media::Entity;
use crate::http::recordings::FindError;
use crate::http::service::Call;
use crate::http::sound::{self, Show, SoundError, SoundFound, Wanted};
use crate::http::trail::{self, Heard, Listener, Listening};

/// Answers `PlayAudioFile.php`.
///
/// # Errors
/// 220 to 260, 123, and those of media.
pub(super) async fn answer(
    call: &Call<'_>,
    principal: Principal,
    parameters: &Parameters,
) -> Result<Response<Payload>, Problem> {
    let wanted = Asset::of(parameters)?;
    let found = match wanted {
        Asset::Recording(_) if !principal.role.reads_all() => {
            auth::not_allowed(call, principal);
            return Err(refused(Code::Permission));
        }
        Asset::Recording(id) => recording(call, principal.tenant, id).await?,
        Asset::Prompt(id) => prompt(call, principal.tenant, id).await?,
    };
    let Playable {
        entity,
        container,
        recording,
    } = found;
    // The seed's word is `yes`.
    let bare = parameters
        .get("noheader")
        .is_some_and(|value| value.eq_ignore_ascii_case("yes"));
    let show = Show {
        content_type: media_type(container),
        disposition: Some(wanted.disposition(container)?),
        ranges: !bare,
    };
    let answer = if bare {
        without_headers(call, &entity, show)?
    } else {
        sound::answer(call, &entity, show)?
    };
    // A prompt is no recording of anybody.
    let Some(recording) = &recording else {
        return Ok(answer);
    };
    let heard = Heard {
        how: Listening::Play,
        facts: &recording.facts,
        container,
    };
    Ok(trail::heard(call, Listener::Known(principal), heard, answer).await)
}

/// What is to be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asset {
    /// `recid`
    Recording(RecordingId),
    /// `cdw_id`, `cdw_file`, `cdw_file_test`
    Prompt(PromptId),
}

impl Asset {
    /// What the parameters name: `recid` over `cdw_id` over `cdw_file` over `cdw_file_test`.
    fn of(parameters: &Parameters) -> Result<Self, AssetError> {
        if let Some(recid) = parameters.get("recid") {
            return Ok(Self::Recording(RecordingId(number(recid)?)));
        }
        let prompt = if let Some(id) = parameters.get("cdw_id") {
            number(id)?
        } else {
            let file = parameters.get("cdw_file");
            let file = file.or_else(|| parameters.get("cdw_file_test"));
            number(numeric_part(file.ok_or(AssetError::NoId)?))?
        };
        Ok(Self::Prompt(PromptId(prompt)))
    }

    /// `inline; filename="<file>.mp3"` (seed 000), by what the file really is.
    fn disposition(self, container: Container) -> Result<HeaderValue, Problem> {
        let file = match self {
            Self::Recording(id) => id.0,
            Self::Prompt(id) => id.0,
        };
        let text = format!("inline; filename=\"{file}.{}\"", container.extension());
        HeaderValue::from_str(&text).map_err(Problem::internal)
    }
}

/// The numeric part of a prompt's file name: `12345.mp3`, `tf12345` and `12345` are 12345. What
/// has more to it than letters before and an extension behind has none.
fn numeric_part(file: &str) -> &str {
    let (stem, extension) = file.split_once('.').unwrap_or((file, ""));
    if extension.len() > EXTENSION_CHARS
        || !extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        return "";
    }
    stem.trim_start_matches(|letter: char| letter.is_ascii_alphabetic())
}

const EXTENSION_CHARS: usize = 5;

/// The seed's media types: WAV is `audio/x-wav` here.
const fn media_type(container: Container) -> &'static str {
    match container {
        Container::Wav => "audio/x-wav",
        other => other.media_type(),
    }
}

/// What can be played.
struct Playable {
    entity: Rc<Entity>,
    container: Container,
    /// The recording that it is; none of a prompt.
    recording: Option<Rc<Recording>>,
}

async fn recording(
    call: &Call<'_>,
    tenant: TenantId,
    id: RecordingId,
) -> Result<Playable, Problem> {
    let found = sound::find(call, tenant, RecordingName::Recid(id), Wanted::AsStored).await;
    match found.map_err(unplayable)? {
        SoundFound::Nothing => Err(AssetError::NotValid.into()),
        SoundFound::Purged(_) => Err(AssetError::OutOfDate.into()),
        SoundFound::Absent => Err(AssetError::NoFile.into()),
        SoundFound::Live(row) => {
            let entity = call.worker.recordings.open(&row).await;
            let entity = entity.map_err(|error| unplayable(error.into()))?;
            Ok(Playable {
                entity: Rc::new(entity),
                container: row.facts.container,
                recording: Some(Rc::new(*row)),
            })
        }
        SoundFound::Ready(sound) => Ok(Playable {
            entity: sound.entity,
            container: sound.container,
            recording: Some(sound.recording),
        }),
    }
}

pub(super) fn unplayable(error: SoundError) -> Problem {
    match error {
        // Worth another try, and told so.
        SoundError::Find(FindError::View(ViewError::Busy(_))) => error.into(),
        SoundError::Find(FindError::View(_)) => Problem::from(AssetError::NoFile).because(error),
        other => other.into(),
    }
}

async fn prompt(call: &Call<'_>, tenant: TenantId, id: PromptId) -> Result<Playable, Problem> {
    let recordings = &call.worker.recordings;
    let row = recordings
        .off_loop(move |storage| storage.prompt(tenant, id))
        .await
        .map_err(Problem::internal)?
        .map_err(Problem::internal)?;
    let row = row.ok_or(AssetError::NotValid)?;
    if is_over(call, &row) {
        return Err(AssetError::OutOfDate.into());
    }
    let made = call.worker.site.prompts.with_sound(row).await;
    let row = made.map_err(unmade)?;
    let sound = row.sound.as_ref().ok_or(AssetError::NoFile)?;
    let container = sound.container;
    let view = recordings
        .off_loop(move |storage| storage.view_prompt(&row))
        .await
        .map_err(Problem::internal)?
        .map_err(|error| Problem::from(AssetError::NoFile).because(error))?;
    let entity = Entity::new(view).ok_or_else(|| Problem::internal(FindError::Tag))?;
    Ok(Playable {
        entity: Rc::new(entity),
        container,
        recording: None,
    })
}

/// Whether a prompt was deleted or has expired, which is the same.
pub(super) fn is_over(call: &Call<'_>, row: &PromptRow) -> bool {
    let now = call.worker.site.clock.wall();
    row.deleted_at.is_some() || row.expires_at.is_some_and(|at| at <= now)
}

fn unmade(failure: PromptFailure) -> Problem {
    let told = match &failure {
        PromptFailure::Shared(shared) => shared,
        own => own,
    };
    let code = match told {
        PromptFailure::NoSource(_) => AssetError::NoFile,
        _ => AssetError::Failed,
    };
    Problem::from(code).because(failure)
}

/// `noheader=yes`: the whole sound without what describes it, for whoever adds that.
fn without_headers(
    call: &Call<'_>,
    entity: &Entity,
    show: Show,
) -> Result<Response<Payload>, Problem> {
    let mut parts = call.parts.clone();
    for name in [
        IF_MATCH,
        IF_MODIFIED_SINCE,
        IF_NONE_MATCH,
        IF_RANGE,
        IF_UNMODIFIED_SINCE,
        RANGE,
    ] {
        parts.headers.remove(name);
    }
    let plain = Call {
        parts: &parts,
        ..*call
    };
    let mut response = sound::answer(&plain, entity, show)?;
    for name in [
        ACCEPT_RANGES,
        CONTENT_DISPOSITION,
        CONTENT_RANGE,
        CONTENT_TYPE,
        ETAG,
    ] {
        response.headers_mut().remove(name);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::super::params::{Place, Values};
    use super::*;

    fn asset(query: &str) -> Result<Asset, AssetError> {
        let (query, fault) = Values::of_encoded(query.as_bytes(), Place::Query);
        assert_eq!(fault, None);
        Asset::of(&Parameters {
            query,
            body: Values::default(),
        })
    }

    #[test]
    fn the_first_name_that_is_given_counts() {
        let recording = |id| Ok(Asset::Recording(RecordingId(id)));
        let prompt = |id| Ok(Asset::Prompt(PromptId(id)));
        for (query, expected) in [
            ("recid=1&cdw_id=2&cdw_file=3&cdw_file_test=4", recording(1)),
            ("cdw_file_test=4&cdw_file=3&cdw_id=2", prompt(2)),
            ("cdw_file_test=4&cdw_file=3", prompt(3)),
            ("cdw_file_test=tf4.wav", prompt(4)),
            ("recid=&cdw_id=2", prompt(2)),
            ("cdw_file=12345.mp3", prompt(12_345)),
            ("cdw_file=tf12345", prompt(12_345)),
            ("cdw_file=TF12345.mp3", prompt(12_345)),
            ("cdw_file=12345", prompt(12_345)),
            // One that is given and wrong is not passed over.
            ("recid=x&cdw_id=2", Err(AssetError::NotValid)),
            ("cdw_id=-1", Err(AssetError::NotValid)),
            ("cdw_file=../12345.mp3", Err(AssetError::NotValid)),
            ("cdw_file=12345.mp3/../x", Err(AssetError::NotValid)),
            ("cdw_file=12345.mp3.mp3", Err(AssetError::NotValid)),
            ("cdw_file=1a2.mp3", Err(AssetError::NotValid)),
            ("cdw_file=tf.mp3", Err(AssetError::NotValid)),
            ("cdw_file=.mp3", Err(AssetError::NotValid)),
            ("cdw_file=%D7%A912", Err(AssetError::NotValid)),
            (
                "recid=&cdw_id=&cdw_file=&cdw_file_test=",
                Err(AssetError::NoId),
            ),
            ("", Err(AssetError::NoId)),
        ] {
            assert_eq!(asset(query), expected, "{query}");
        }
    }
}
