//! Family `call_recording`: seed 002 and API.md section 3. Another tenant's recording answers as
//! one that does not exist. How links are signed and checked is `links.rs`'s business.
//!
//! A download is a link too, with a life of its own (seed 002: 5 minutes), which never leaves the
//! daemon: it is signed, checked and answered by the same code as one that a browser follows.

mod links;

use std::rc::Rc;
use std::time::Duration;

use audio_io::codec::target::Target;
use http::{Method, Response, StatusCode};
use storage::error::ViewError;
use storage::handle::StorageHandle;
use storage::ids::{CallSid, RecordingName, TenantId};
use storage::ledger::entry::{Act, Actor, Kind};
use storage::outbox::Application;
use storage::record::{Container, Recording, RecordingFacts, WallMillis};

use self::links::{Checked, Disposition, Link, LinkError};
use crate::http::auth::{self, Principal};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json;
use crate::http::ratelimit::{self, Credential};
use crate::http::recordings::FindError;
use crate::http::service::Call;
use crate::http::sound::{self, Show, Sound, SoundError, SoundFound, Wanted};
use crate::http::trail::refusals::{Refusal, tell};
use crate::http::trail::{self, Heard, Listener, Listening};
use crate::http::wire::call_recording::{StreamUrl, Success};
use crate::http::wire::time::rfc3339;
use crate::http::{base_url, limits, media, request};

/// `GET|HEAD /api/calls/{call_sid}/recording/stream`: a link to listen through. With `?live=1` also
/// of a recording that goes on; what the link then gives grows until the recording is finished.
///
/// # Errors
/// 404, 409 while it goes on and `?live=1` is not given, 410, 400 without a usable `Host`, 500.
pub(in crate::http) async fn stream(
    call: &Call<'_>,
    principal: Principal,
    call_sid: &str,
) -> Result<Response<Payload>, Problem> {
    let facts = facts(call, principal.tenant, call_sid).await?;
    let base = base_url::of(call)?;
    let (link, written) = signed(call, &facts, Disposition::Inline, limits::LINK_LIFE)?;
    // HEAD shows the link to nobody.
    if call.parts.method != Method::HEAD {
        let site = &call.worker.site;
        let act = link.made(trail::act(call, Kind::LinkMade), &written);
        site.storage
            .record_act(trail::signed(site, &principal, act));
    }
    json(&Success::of(StreamUrl {
        url: format!("{base}{written}"),
        expires_in: limits::LINK_LIFE.as_secs(),
        content_type: facts.container.media_type(),
        filename: file_name(&facts, facts.container.extension()),
    }))
}

/// `GET|HEAD /api/calls/{call_sid}/recording/download`: the sound as a WAV to keep, whatever it is
/// stored as. With `?live=1` also of a recording that goes on, as far as there is one.
///
/// # Errors
/// 404, 409, 410, 412, 416, 500, 503 when the conversion has to wait or outlasts the link.
pub(in crate::http) async fn download(
    call: &Call<'_>,
    principal: Principal,
    call_sid: &str,
) -> Result<Response<Payload>, Problem> {
    let facts = facts(call, principal.tenant, call_sid).await?;
    let life = limits::DOWNLOAD_LINK_LIFE;
    let (_, written) = signed(call, &facts, Disposition::Attachment, life)?;
    let (path, query) = written.split_once('?').unwrap_or((&written, ""));
    let segment = path.rsplit('/').next().unwrap_or_default();
    let checked = check(call, segment, query).map_err(Problem::internal)?;
    follow(call, checked.link, Listener::Known(principal)).await
}

/// `GET|HEAD /media/{id}`: what a link gives; seekable. Checked when the request starts: an answer
/// that is under way goes on.
///
/// # Errors
/// 403 alike for everything that was not made here or was changed, for retired keys and for tenants
/// that are switched off, and 403 with a code of its own for right links whose time is over; 404,
/// 409, 410, 412, 416, 429, 500.
pub(in crate::http) async fn media(
    call: &Call<'_>,
    segment: &str,
) -> Result<Response<Payload>, Problem> {
    let query = call.parts.uri.query().unwrap_or_default();
    let checked = check(call, segment, query).and_then(|checked| {
        let is_active = auth::is_active(&call.worker.site, checked.link.tenant);
        is_active.then_some(checked).ok_or(LinkError::Retired)
    });
    let Checked { link, kid, mark } = checked.map_err(|error| {
        let peer = call.connection.peer.ip();
        let refusal = Refusal::new(call.parts, peer, call.policy.group, error.why());
        tell(&call.worker.site, &refusal);
        refused(error)
    })?;
    ratelimit::charge_credential(call, Credential::Link(mark))?;
    let listener = Listener::Link {
        kid,
        mark,
        expires_s: link.expires_s,
    };
    follow(call, link, listener).await
}

/// `{"success":false,"error":{"code","message"}}`, for every status alike.
pub(in crate::http) fn envelope(problem: &Problem) -> serde_json::Value {
    serde_json::json!({
        "success": false, "error": { "code": problem.code, "message": problem.message },
    })
}

/// The facts of a call's recording, if it may be answered with now.
async fn facts(
    call: &Call<'_>,
    tenant: TenantId,
    call_sid: &str,
) -> Result<RecordingFacts, Problem> {
    let segment = request::segment(call_sid).ok_or_else(no_call)?;
    let call_sid = CallSid::new(segment).map_err(|_| no_call())?;
    let found = sound::find(
        call,
        tenant,
        RecordingName::CallSid(call_sid),
        Wanted::AsStored,
    )
    .await
    .map_err(problem)?;
    let live = request::wants_live(call.parts)?;
    match found {
        SoundFound::Nothing => Err(no_call()),
        SoundFound::Absent => Err(no_recording()),
        SoundFound::Purged(at) => Err(purged(at)),
        SoundFound::Live(_) if !live => Err(in_progress()),
        SoundFound::Live(recording) => Ok(recording.facts),
        SoundFound::Ready(sound) => Ok(sound.recording.facts.clone()),
    }
}

/// A link to listen to a recording of a call under control, for a week, for the events of that
/// call. Without a signing key it opens nothing; `callreel check` says so.
pub(crate) fn recording_link(
    storage: &StorageHandle,
    base: &str,
    facts: &RecordingFacts,
) -> String {
    let act = Act::new(Kind::LinkMade).by(Actor::system("events"));
    let tell = |act| {
        storage.record_act(act);
    };
    week(storage, facts, act, tell).map_or_else(|| base.to_owned(), |link| format!("{base}{link}"))
}

/// The same, as it is shown to the application that asks for a session.
pub(in crate::http) fn shown_link(
    call: &Call<'_>,
    app: &Application,
    base: &str,
    facts: &RecordingFacts,
) -> String {
    let storage = &call.worker.site.storage;
    let tell = |act| trail::shown(call, app, facts, act);
    let link = week(storage, facts, trail::act(call, Kind::LinkMade), tell);
    link.map_or_else(|| base.to_owned(), |link| format!("{base}{link}"))
}

/// Path and query of a link for a week, and what is to be told of it.
fn week(
    storage: &StorageHandle,
    facts: &RecordingFacts,
    act: Act,
    tell: impl FnOnce(Act),
) -> Option<String> {
    let link = Link {
        tenant: facts.tenant,
        id: facts.id,
        expires_s: storage.steady_now().0 / 1_000 + limits::RECORDING_LINK_LIFE.as_secs(),
        disposition: Disposition::Inline,
    };
    let written = link.sign(&storage.signing_keys())?;
    tell(link.made(act, &written));
    Some(written)
}

fn signed(
    call: &Call<'_>,
    facts: &RecordingFacts,
    disposition: Disposition,
    life: Duration,
) -> Result<(Link, String), Problem> {
    let site = &call.worker.site;
    let now_s = site.storage.steady_now().0 / 1_000;
    let link = Link {
        tenant: facts.tenant,
        id: facts.id,
        expires_s: now_s + life.as_secs(),
        disposition,
    };
    let written = link.sign(&site.storage.signing_keys());
    let none = || Problem::internal("there is no signing key; run 'callreel check'");
    Ok((link, written.ok_or_else(none)?))
}

fn check(call: &Call<'_>, segment: &str, query: &str) -> Result<Checked, LinkError> {
    let site = &call.worker.site;
    let now = site.storage.steady_now();
    Link::check(segment, query, &site.storage.signing_keys(), now)
}

/// Answers with what a link grants. A recording that goes on has links only if its `?live=1` was
/// asked for.
async fn follow(
    call: &Call<'_>,
    link: Link,
    listener: Listener,
) -> Result<Response<Payload>, Problem> {
    let wanted = match link.disposition {
        Disposition::Inline => Wanted::AsStored,
        Disposition::Attachment => Wanted::Format(Target::Wav),
    };
    let name = RecordingName::Recid(link.id);
    let site = &call.worker.site;
    let left_ms = (link.expires_s * 1_000).saturating_sub(site.storage.steady_now().0);
    let found = sound::find(call, link.tenant, name, wanted);
    let found = tokio::time::timeout(Duration::from_millis(left_ms), found)
        .await
        .map_err(|_| unfinished())?
        .map_err(problem)?;
    let sound = match found {
        SoundFound::Nothing | SoundFound::Absent => return Err(no_recording()),
        SoundFound::Purged(at) => return Err(purged(at)),
        SoundFound::Live(recording) => {
            let opened = call.worker.recordings.open(&recording).await;
            Sound {
                container: recording.facts.container,
                entity: Rc::new(opened.map_err(|error| problem(error.into()))?),
                recording: Rc::new(*recording),
            }
        }
        SoundFound::Ready(sound) => sound,
    };
    let show = show(&sound.recording, sound.container, link);
    let answer = sound::answer(call, &sound.entity, show)?;
    let heard = Heard {
        how: match link.disposition {
            Disposition::Inline => Listening::Play,
            Disposition::Attachment => Listening::Download,
        },
        facts: &sound.recording.facts,
        container: sound.container,
    };
    Ok(trail::heard(call, listener, heard, answer).await)
}

fn show(recording: &Recording, container: Container, link: Link) -> Show {
    let file_name = file_name(&recording.facts, container.extension());
    Show {
        content_type: container.media_type(),
        disposition: Some(match link.disposition {
            Disposition::Inline => media::inline(&file_name),
            Disposition::Attachment => media::attachment(&file_name),
        }),
        ranges: true,
    }
}

/// `recording_{to_number}.{ext}`; the call's name where the called number is not known.
fn file_name(facts: &RecordingFacts, extension: &str) -> String {
    let called = facts.to.as_ref().map_or_else(
        || facts.names.call_sid.as_str(),
        storage::ids::Number::as_str,
    );
    format!("recording_{called}.{extension}")
}

fn no_call() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "call_not_found",
        "Call not found. Verify that call_sid is correct.",
    )
}

fn no_recording() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "recording_not_found",
        "The call has no recording: it ended before there was anything to keep.",
    )
}

fn in_progress() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "recording_in_progress",
        "The call is still being recorded. Retry later, or add ?live=1 for what there is of it.",
    )
    .retry_after(AGAIN)
}

fn purged(at: WallMillis) -> Problem {
    let when = rfc3339(at).map_or_else(String::new, |at| format!(" at {at}"));
    let message = format!("The recording was deleted{when}.");
    Problem::new(StatusCode::GONE, "recording_purged", message)
}

fn unfinished() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "conversion_unfinished",
        "The recording is still being converted. Retry later.",
    )
    .retry_after(AGAIN)
}

fn refused(error: LinkError) -> Problem {
    let (code, message) = match error {
        LinkError::Expired => ("link_expired", "The link has expired; ask for a new one."),
        LinkError::Forged | LinkError::Retired => {
            ("link_invalid", "The link is not valid; ask for a new one.")
        }
    };
    Problem::new(StatusCode::FORBIDDEN, code, message).because(error)
}

fn problem(error: SoundError) -> Problem {
    match error {
        SoundError::Find(FindError::View(ViewError::Busy(_))) => in_progress().because(error),
        other => other.into(),
    }
}

/// When it may be worth asking again for what goes on.
const AGAIN: Duration = Duration::from_secs(5);
