//! `GET|HEAD /ameyorestapi/cc/downloadVoiceLog`: a recording by three names of it, in the format
//! that is asked for (seed 003).

use std::time::Duration;

use audio_io::codec::target::Target;
use http::{Response, StatusCode};
use storage::error::ViewError;
use storage::ids::{ExternalId, RecordingName};
use storage::record::{Container, Recording};

use super::{INVALID_INPUT, NOT_READY, denied, expected, filters, invalid, not_found};
use crate::http::auth::{self, Principal};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::limits;
use crate::http::media::{self, Entity};
use crate::http::recordings::{FindError, Found};
use crate::http::request::{Query, QueryError};
use crate::http::service::Call;
use crate::http::sound::{self, Show, SoundError, SoundFound, Wanted};
use crate::http::trail::{self, Heard, Listener, Listening};

/// Answers with the sound, always: as an attachment, whole or in ranges.
///
/// # Errors
/// 403 for users who see own calls only; 400 naming the parameter; 404 unless campaign, object and
/// call are one recording's of the tenant; 503 while it goes on and the format is not WAV, or
/// while conversions are busy; 412, 416, 500.
pub(in crate::http) async fn download(
    call: &Call<'_>,
    principal: Principal,
) -> Result<Response<Payload>, Problem> {
    if !principal.role.reads_all() {
        auth::not_allowed(call, principal);
        return Err(denied(
            "Users with the role agent-view see their own calls only; ask for another role.",
        ));
    }
    let wish = Wish::of(Query::of(call.parts))?;
    let name = RecordingName::CrtObject(wish.crt_object.clone());
    let tenant = principal.tenant;
    let recordings = &call.worker.recordings;
    let found = recordings.find(tenant, name.clone()).await;
    // Nothing is converted for names that are not one recording's.
    let live = match found.map_err(find_problem)? {
        Found::Opened(opened) if wish.fits(&opened.recording) => None,
        Found::Live(recording) if wish.fits(&recording) => Some(recording),
        _ => return Err(no_voice_log()),
    };
    if let Some(recording) = live {
        if wish.target != Target::Wav {
            return Err(not_ready());
        }
        let entity = recordings.open(&recording).await.map_err(find_problem)?;
        return answer(call, principal, &recording, (Container::Wav, &entity)).await;
    }
    let wanted = Wanted::Format(wish.target);
    match sound::find(call, tenant, name, wanted).await {
        Ok(SoundFound::Ready(sound)) => {
            let sent = (sound.container, &*sound.entity);
            answer(call, principal, &sound.recording, sent).await
        }
        Ok(SoundFound::Live(_)) => Err(not_ready()),
        Ok(SoundFound::Nothing | SoundFound::Purged(_) | SoundFound::Absent) => Err(no_voice_log()),
        Err(SoundError::Find(error)) => Err(find_problem(error)),
        Err(error) => Err(error.into()),
    }
}

/// What is asked for.
#[derive(Debug)]
struct Wish {
    campaign: u32,
    crt_object: ExternalId,
    target: Target,
    call_ids: Vec<ExternalId>,
}

impl Wish {
    /// Reads the parameters; those that are missing are told before those that are wrong, both in
    /// the order of the seed's table.
    fn of(query: Query<'_>) -> Result<Self, Problem> {
        let campaign = given(query, "campaignId")?;
        let crt_object = given(query, "crtObjectId")?;
        let target = given(query, "targetFormat")?;
        let sent = query
            .raw("filters", limits::FILTERS_BYTES)
            .map_err(query_problem)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| expected("filters"))?;
        let campaign = Some(campaign)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| invalid("campaignId", "a whole number from 0 to 4294967295"))?;
        let crt_object = ExternalId::new(crt_object)
            .map_err(|_| invalid("crtObjectId", "1 to 128 letters, digits or any of '-_.:@'"))?;
        let target = Target::parse(&target)
            .ok_or_else(|| invalid("targetFormat", "mp3, wav, m4a, flac, ogg, opus or webm"))?;
        let call_ids = filters::call_ids(sent);
        if call_ids.is_empty() {
            return Err(invalid("filters", "{callId%ID}, URL encoded"));
        }
        Ok(Self {
            campaign,
            crt_object,
            target,
            call_ids,
        })
    }

    fn fits(&self, recording: &Recording) -> bool {
        let names = &recording.facts.names;
        names.crt_object_id == self.crt_object
            && names.campaign_id == self.campaign
            && self.call_ids.contains(&names.call_id)
    }
}

/// A parameter that must be there, and not empty.
fn given(query: Query<'_>, name: &'static str) -> Result<String, Problem> {
    let value = query.get(name).map_err(query_problem)?;
    let value = value.filter(|value| !value.is_empty());
    value.map(String::from).ok_or_else(|| expected(name))
}

fn query_problem(error: QueryError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, INVALID_INPUT, error.to_string())
}

async fn answer(
    call: &Call<'_>,
    principal: Principal,
    recording: &Recording,
    (container, entity): (Container, &Entity),
) -> Result<Response<Payload>, Problem> {
    let name = &recording.facts.names.crt_object_id;
    let show = Show {
        content_type: container.media_type(),
        disposition: Some(media::attachment(&format!(
            "{name}.{}",
            container.extension()
        ))),
        ranges: true,
    };
    let answer = sound::answer(call, entity, show)?;
    let heard = Heard {
        how: Listening::Download,
        facts: &recording.facts,
        container,
    };
    Ok(trail::heard(call, Listener::Known(principal), heard, answer).await)
}

fn no_voice_log() -> Problem {
    not_found("There is no voice log with this crtObjectId, campaignId and callId.")
}

fn not_ready() -> Problem {
    let message = "The call is still going on: retry later, or ask for targetFormat=wav to get \
                   what there is of it.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, NOT_READY, message).retry_after(NOT_READY_AGAIN)
}

fn unreadable() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal_error",
        "The voice log cannot be read from disk. Retry later.",
    )
}

fn find_problem(error: FindError) -> Problem {
    match &error {
        FindError::View(ViewError::Busy(_)) => not_ready().because(error),
        FindError::View(_) => unreadable().because(error),
        FindError::Read(_) | FindError::Gone(_) | FindError::Tag => Problem::internal(error),
    }
}

/// When it may be worth asking again for a call that goes on.
const NOT_READY_AGAIN: Duration = Duration::from_secs(5);
