//! `CreateAudioFile.php`: adds to the prompt library a file that is sent, a URL, a text, or the
//! sound of a recording (API.md section 1). URLs and texts are looked at now, and fetched or
//! spoken when they are first played.

use audio_io::codec::probe::ProbeError;
use http::{Method, Response, StatusCode};
use storage::error::PromptError;
use storage::ids::{RecordingId, RecordingName};
use storage::ledger::entry::Kind;
use storage::limits::SPEECH_TEXT_MAX;
use storage::prompt::{NewPrompt, PromptOrigin, PromptRow, SoundFacts, Speech};
use storage::record::WallMillis;

use super::form_data::Upload;
use super::params::Parameters;
use super::{AssetError, number};
use crate::engine::fetch::FetchError;
use crate::engine::prompts::is_voice;
use crate::engine::sound_file;
use crate::http::auth::Principal;
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json;
use crate::http::service::Call;
use crate::http::sound::{self, SoundFound, Wanted};
use crate::http::trail;
use crate::http::wire::play_audio_file::{Created, Success};
use crate::http::wire::time;

/// Answers `CreateAudioFile.php`.
///
/// # Errors
/// 400 naming the parameter; 230, 240, 250 for `recid`; 260 for a URL that may not be fetched; 503
/// when the disk is nearly full; 500.
pub(super) async fn answer(
    call: &Call<'_>,
    principal: Principal,
    parameters: &Parameters,
    upload: Option<&Upload>,
) -> Result<Response<Payload>, Problem> {
    let expires_at = expiry(call, parameters)?;
    let source = Source::of(parameters, upload)?;
    let given = parameters.get("name").map(str::to_owned);
    let name = given.unwrap_or_else(|| source.name());
    if !is_name(&name) {
        return Err(Problem::parameter(format!(
            "Parameter 'name' is 1 to {NAME_CHARS} characters, none of them a control character."
        )));
    }
    let (origin, file) = source.settle(call, principal).await?;
    let prompt = NewPrompt {
        tenant: principal.tenant,
        name,
        origin,
        expires_at,
    };
    if call.parts.method == Method::HEAD {
        // HEAD changes nothing; what GET would tell is not there to be told.
        return json(&Success::of(serde_json::json!({ "cd_id": "0" })));
    }
    let added = call.worker.recordings.off_loop(move |storage| {
        let file = file.as_ref();
        storage.add_prompt(prompt, file.map(|(path, facts)| (path.as_path(), *facts)))
    });
    let row = added.await.map_err(Problem::internal)?.map_err(unstored)?;
    tell(call, principal, &row);
    log::info!(prompt = row.id.0, tenant_id = row.tenant.0; "prompt {} was added", row.id);
    json(&Success::of(Created::of(&row)))
}

/// Tells the ledger of a prompt, and of the recording that it is a copy of: who hears a prompt is
/// not told, so this is where the recording's trail ends.
fn tell(call: &Call<'_>, principal: Principal, row: &PromptRow) {
    let site = &call.worker.site;
    let act = trail::signed(site, &principal, trail::act(call, Kind::PromptAdded));
    let (act, origin) = match &row.origin {
        PromptOrigin::Upload => (act.of(row.tenant), "upload"),
        PromptOrigin::Url(_) => (act.of(row.tenant), "url"),
        PromptOrigin::Speech(_) => (act.of(row.tenant), "text"),
        PromptOrigin::Recording(id) => (act.on(row.tenant, *id), "recording"),
    };
    let act = act.with("prompt", row.id.0).with("name", row.name.as_str());
    site.storage.record_act(act.with("origin", origin));
}

/// What a prompt is made of.
enum Source<'a> {
    Upload(&'a Upload),
    Url(&'a str),
    Text(Speech),
    Recording(RecordingId),
}

/// Where a file is that the store is to copy, and what it is.
type File = Option<(std::path::PathBuf, SoundFacts)>;

impl<'a> Source<'a> {
    fn of(parameters: &'a Parameters, upload: Option<&'a Upload>) -> Result<Self, Problem> {
        let url = parameters.get("url");
        let text = parameters.get("text");
        let recid = parameters.get("recid");
        match (upload, url, text, recid) {
            (Some(upload), None, None, None) => Ok(Self::Upload(upload)),
            (None, Some(url), None, None) => Ok(Self::Url(url)),
            (None, None, Some(text), None) => speech(parameters, text).map(Self::Text),
            (None, None, None, Some(recid)) => Ok(Self::Recording(RecordingId(number(recid)?))),
            _ => Err(Problem::parameter(
                "Give exactly one of a file (multipart/form-data), 'url', 'text' or 'recid'.",
            )),
        }
    }

    /// A name for people, where they gave none.
    fn name(&self) -> String {
        let text = match self {
            Self::Upload(upload) => upload.name.as_deref().unwrap_or_default(),
            Self::Url(url) => {
                let path = url.split(['?', '#']).next().unwrap_or_default();
                path.trim_end_matches('/')
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
            }
            Self::Text(speech) => &speech.text,
            Self::Recording(id) => return format!("recording {id}"),
        };
        let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let name: String = clean.take(NAME_CHARS).collect();
        match name.trim() {
            "" => "audio".to_owned(),
            name => name.to_owned(),
        }
    }

    /// Checks what can be checked now.
    async fn settle(
        self,
        call: &Call<'_>,
        principal: Principal,
    ) -> Result<(PromptOrigin, File), Problem> {
        match self {
            Self::Upload(upload) => {
                let path = upload.scratch.path().to_owned();
                let facts = sound_file::facts(&path).await.map_err(no_sound)?;
                Ok((PromptOrigin::Upload, Some((path, facts))))
            }
            Self::Url(url) => {
                let inspected = call.worker.site.prompts.inspect(url).await;
                inspected.map_err(unfetchable)?;
                Ok((PromptOrigin::Url(url.to_owned()), None))
            }
            Self::Text(speech) => Ok((PromptOrigin::Speech(speech), None)),
            Self::Recording(id) => recorded(call, principal, id).await,
        }
    }
}

fn speech(parameters: &Parameters, text: &str) -> Result<Speech, Problem> {
    let text = text.trim();
    let is_speakable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    if text.is_empty() || text.len() > SPEECH_TEXT_MAX || !text.chars().all(is_speakable) {
        return Err(Problem::parameter(format!(
            "Parameter 'text' is 1 to {SPEECH_TEXT_MAX} bytes without control characters."
        )));
    }
    let voice = parameters.get("voice").or_else(|| parameters.get("lang"));
    if voice.is_some_and(|voice| !is_voice(voice)) {
        return Err(Problem::parameter(
            "Parameter 'voice' is 1 to 32 letters, digits or any of '_+-', and begins with none \
             of '+-'.",
        ));
    }
    Ok(Speech {
        text: text.to_owned(),
        voice: voice.map(str::to_owned),
    })
}

/// The sound of a recording that is finished.
async fn recorded(
    call: &Call<'_>,
    principal: Principal,
    id: RecordingId,
) -> Result<(PromptOrigin, File), Problem> {
    let name = RecordingName::Recid(id);
    let found = sound::find(call, principal.tenant, name, Wanted::AsStored).await;
    let sound = match found.map_err(super::play::unplayable)? {
        SoundFound::Nothing => return Err(AssetError::NotValid.into()),
        SoundFound::Purged(_) => return Err(AssetError::OutOfDate.into()),
        SoundFound::Absent => return Err(AssetError::NoFile.into()),
        SoundFound::Live(_) => {
            let message = "Parameter 'recid' is a recording that still goes on; wait for its end.";
            return Err(Problem::parameter(message));
        }
        SoundFound::Ready(sound) => sound,
    };
    let path = call.worker.site.storage.path_of(&sound.recording);
    let facts = sound_file::facts(&path).await;
    let facts = facts.map_err(|error| Problem::from(AssetError::NoFile).because(error))?;
    Ok((PromptOrigin::Recording(id), Some((path, facts))))
}

fn expiry(call: &Call<'_>, parameters: &Parameters) -> Result<Option<WallMillis>, Problem> {
    let Some(text) = parameters.get("expires") else {
        return Ok(None);
    };
    let at = time::parse(text).ok_or_else(|| {
        Problem::parameter(
            "Parameter 'expires' is a time as in 2030-12-31, '2030-12-31 23:59:59' (UTC) or \
             RFC 3339.",
        )
    })?;
    if at <= call.worker.site.clock.wall() {
        return Err(Problem::parameter("Parameter 'expires' lies in the past."));
    }
    Ok(Some(at))
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

const NAME_CHARS: usize = 128;

fn no_sound(error: ProbeError) -> Problem {
    match error {
        ProbeError::Io(error) => Problem::internal(error),
        other => Problem::parameter(format!("The file cannot be used: {other}.")),
    }
}

fn unfetchable(error: FetchError) -> Problem {
    match error {
        FetchError::Url => Problem::parameter(format!("Parameter 'url': {error}.")),
        other => Problem::from(AssetError::Failed).because(other),
    }
}

fn unstored(error: PromptError) -> Problem {
    match &error {
        PromptError::Name => Problem::parameter(format!("Parameter 'name': {error}.")),
        PromptError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            let message = "The disk has no room for files; recordings need it.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_space", message).because(error)
        }
        _ => Problem::internal(error),
    }
}
