//! A recording's sound, as it is stored or in another format.

use audio_io::codec::target::Target;
use http::Response;
use storage::ids::RecordingName;
use storage::record::{Container, Recording};

use super::recordings::{find_problem, gone_or_missing};
use super::scope::Right;
use super::{Asked, invalid, no_such, recording_id, unavailable};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::limits;
use crate::http::media::{self, Entity};
use crate::http::recordings::Found;
use crate::http::request::Query;
use crate::http::sound::{self, Show, SoundError, SoundFound, Wanted};
use crate::http::trail::{self, Heard, Listener, Listening};

/// Answers with the sound: ranges, conditionals, HEAD.
///
/// # Errors
/// 400 for the format, 403 for saving, 404, 410, 412, 416, 503.
pub(super) async fn answer(asked: &Asked<'_>, raw: &str) -> Result<Response<Payload>, Problem> {
    let call = asked.call;
    let query = Query::of(call.parts);
    let wanted =
        match query.get("format")?.as_deref() {
            None | Some("" | "stored") => Wanted::AsStored,
            Some(format) => Wanted::Format(Target::parse(format).ok_or_else(|| {
                invalid("format", "it is wav, mp3, m4a, webm, ogg, flac or stored")
            })?),
        };
    let saves = match query.get("download")?.as_deref() {
        None | Some("0" | "false") => false,
        Some("1" | "true") => true,
        Some(_) => return Err(invalid("download", "it is 1 or 0")),
    };
    if saves {
        asked.can.must(Right::Download)?;
    }
    let id = recording_id(raw)?;
    let (tenant, name) = (asked.scope.tenant, RecordingName::Recid(id));
    // Nothing is converted for who may not hear it.
    let found = call.worker.recordings.find(tenant, name.clone()).await;
    match found.map_err(find_problem)? {
        Found::Opened(opened) if asked.scope.has(&opened.recording.facts) => {}
        Found::Live(recording) if asked.scope.has(&recording.facts) => {
            return live(asked, &recording, wanted, saves).await;
        }
        Found::Opened(_) | Found::Live(_) | Found::Absent => return Err(no_such("recording")),
        Found::Nothing => return Err(gone_or_missing(asked, id).await),
    }
    match sound::find(call, tenant, name, wanted).await {
        Ok(SoundFound::Ready(sound)) => {
            let sent = (sound.container, &*sound.entity);
            present(asked, &sound.recording, sent, saves).await
        }
        Ok(SoundFound::Live(_)) => Err(goes_on()),
        Ok(SoundFound::Nothing | SoundFound::Purged(_) | SoundFound::Absent) => {
            Err(gone_or_missing(asked, id).await)
        }
        Err(SoundError::Find(error)) => Err(find_problem(error)),
        Err(error) => Err(error.into()),
    }
}

/// What there is of a recording that goes on; nothing is converted.
async fn live(
    asked: &Asked<'_>,
    recording: &Recording,
    wanted: Wanted,
    saves: bool,
) -> Result<Response<Payload>, Problem> {
    if !matches!(wanted, Wanted::AsStored | Wanted::Format(Target::Wav)) {
        return Err(goes_on());
    }
    let opened = asked.call.worker.recordings.open(recording).await;
    let entity = opened.map_err(find_problem)?;
    present(asked, recording, (Container::Wav, &entity), saves).await
}

async fn present(
    asked: &Asked<'_>,
    recording: &Recording,
    (container, entity): (Container, &Entity),
    saves: bool,
) -> Result<Response<Payload>, Problem> {
    let file = format!("{}.{}", recording.facts.id, container.extension());
    let disposition = if saves {
        media::attachment(&file)
    } else {
        media::inline(&file)
    };
    let show = Show {
        content_type: container.media_type(),
        disposition: Some(disposition),
        ranges: true,
    };
    let answer = sound::answer(asked.call, entity, show)?;
    let heard = Heard {
        how: if saves {
            Listening::Download
        } else {
            Listening::Play
        },
        facts: &recording.facts,
        container,
    };
    let listener = Listener::Known(asked.person.principal());
    Ok(trail::heard(asked.call, listener, heard, answer).await)
}

fn goes_on() -> Problem {
    unavailable("The call is still going on: ask for format=wav to get what there is of it.")
        .retry_after(limits::EVENT_HEARTBEAT)
}
