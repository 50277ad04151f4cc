//! One request: from its head to an answer with request id, CORS, security headers, counters and
//! a line in the journal.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use tokio::sync::watch;

use super::activity::Activity;
use super::api::{
    call_recording, play_audio_file, session_commands, supervisor, task_audio, voice_log,
};
use super::body::{AnswerBody, Payload, Transport};
use super::error::Problem;
use super::log_line::Line;
use super::ratelimit::{self, Credential};
use super::recordings::Recordings;
use super::route::{Charge, Policy, Route};
use super::site::Site;
use super::upgrade::Upgrade;
use super::{auth, conditional, cors, health, page, request};

/// What one worker thread has of its own, and what it shares.
pub(super) struct Worker {
    pub(super) site: Arc<Site>,
    pub(super) recordings: Recordings,
}

/// What is known of a connection.
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    /// Whether it is encrypted.
    pub(super) secure: bool,
    pub(super) transport: Transport,
    pub(super) activity: Rc<Activity>,
    /// Turns true when the server drains.
    pub(super) stop: watch::Receiver<bool>,
    /// What becomes of it when the answer to an upgrade is out.
    pub(super) upgrade: Cell<Option<Upgrade>>,
}

/// A request on its way through a route.
pub(super) struct Call<'a> {
    pub(super) worker: &'a Worker,
    pub(super) connection: &'a Connection,
    pub(super) parts: &'a Parts,
    pub(super) policy: Policy,
    pub(super) request_id: &'a str,
}

/// Answers a request. Never fails: what goes wrong is an answer too.
pub(super) async fn serve<B>(
    worker: Rc<Worker>,
    connection: Rc<Connection>,
    request: Request<B>,
) -> Result<Response<AnswerBody>, Infallible>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let in_flight = connection.activity.begin();
    let site = &worker.site;
    let started = site.clock.monotonic();
    let request_id = site.request_id();
    let (parts, body) = request.into_parts();
    let route = Route::of(parts.uri.path());
    let group = route.map_or_else(
        || Route::group_of_unrouted(parts.uri.path()),
        |route| route.policy().group,
    );
    let outcome = match (request::check_head(&parts), route) {
        (Err(problem), _) => Err(problem),
        (Ok(()), None) => Err(Problem::no_route()),
        (Ok(()), Some(route)) => {
            let call = Call {
                worker: &worker,
                connection: &connection,
                parts: &parts,
                policy: route.policy(),
                request_id: &request_id,
            };
            // Until there is an answer the client has nothing to take.
            let _working = in_flight.works();
            guarded(&call, route, body).await
        }
    };
    let (mut response, problem) = match outcome {
        Ok(response) => (response, None),
        Err(problem) => (problem.answer(group, &request_id), Some(problem)),
    };
    finish(site, &parts, &request_id, &mut response);
    let status = response.status();
    site.metrics.count(group, status);
    Line {
        id: &request_id,
        peer: connection.peer,
        method: &parts.method,
        uri: &parts.uri,
        status,
        took: site.clock.monotonic().saturating_sub(started),
        bytes: response.body().len(),
    }
    .write(problem.as_ref());
    Ok(response.map(|payload| AnswerBody::new(payload, in_flight)))
}

/// Dispatches within the limits of the client's address: what is not answered with sound counts
/// against it beforehand, and so does what was refused for want of a credential.
async fn guarded<B>(
    call: &Call<'_>,
    route: Route<'_>,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if call.parts.method == Method::OPTIONS {
        return Ok(options(call.policy));
    }
    let (site, peer) = (&call.worker.site, call.connection.peer.ip());
    match call.policy.charge {
        Charge::Nothing | Charge::Application => dispatch(call, route, body).await,
        Charge::Request => {
            ratelimit::charge_address(site, peer)?;
            dispatch(call, route, body).await
        }
        Charge::Media => {
            let answer = dispatch(call, route, body).await;
            if let Err(problem) = &answer
                && matches!(
                    problem.status,
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
                )
            {
                ratelimit::charge_address(site, peer)?;
            }
            answer
        }
    }
}

async fn dispatch<B>(
    call: &Call<'_>,
    route: Route<'_>,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if !call.policy.allows(&call.parts.method) {
        return Err(Problem::method(call.policy.allow));
    }
    let task = match route {
        Route::TaskPlay(raw) | Route::TaskExport(raw) | Route::TaskShow(raw) => {
            task_audio::task_id(raw)
        }
        _ => None,
    };
    let site = &call.worker.site;
    let peer = call.connection.peer.ip();
    let principal = auth::admit(site, call.policy.access, call.parts, peer, task)?;
    if let Some(principal) = &principal {
        ratelimit::charge_credential(call, Credential::of(principal))?;
    }
    // Routes that need a principal have been refused above without one.
    let known = || principal.ok_or_else(|| Problem::internal("a route without a principal"));
    match route {
        Route::PageIndex => page::answer(call, page::INDEX),
        Route::PageFile(name) => page::answer(call, name),
        Route::Supervisor(endpoint) => supervisor::answer(call, endpoint, body).await,
        Route::DocsIndex | Route::DocsScript | Route::DocsStyle | Route::OpenApi(_) => {
            page::docs(call, route)
        }
        Route::Healthz => Ok(health::alive()),
        Route::Readyz => health::ready(call).await,
        Route::Metrics => health::metrics(call).await,
        Route::TaskPlay(_) => task_audio::play(call, known()?, task).await,
        Route::TaskExport(_) => task_audio::export(call, known()?, task).await,
        Route::TaskList => task_audio::list(call, known()?).await,
        Route::TaskShow(_) => task_audio::show(call, known()?, task).await,
        Route::TicketIssue => task_audio::ticket(call, known()?, body).await,
        Route::PlayAudioFile
        | Route::GetUserId
        | Route::GetAudiosList
        | Route::CreateAudioFile
        | Route::GetCallStatus => play_audio_file::answer(call, route, body).await,
        Route::CallStream(call_sid) => call_recording::stream(call, known()?, call_sid).await,
        Route::CallDownload(call_sid) => call_recording::download(call, known()?, call_sid).await,
        Route::SignedMedia(id) => call_recording::media(call, id).await,
        Route::Sessions
        | Route::Session(_)
        | Route::SessionCommand(..)
        | Route::SessionEvents(_)
        | Route::ApplicationEvents
        | Route::AdminApp(_) => session_commands::answer(call, route, body).await,
        Route::UserLogin => voice_log::login(call, body).await,
        Route::VoiceLogDownload => voice_log::download(call, known()?).await,
        Route::UserLogout => voice_log::logout(call, known()?).await,
        Route::KeepAlive => voice_log::keep_alive(call, known()?).await,
        Route::TerminateSessions => voice_log::terminate_all(call, known()?, body).await,
    }
}

fn options(policy: Policy) -> Response<Payload> {
    let mut response = Response::new(Payload::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(policy.allow));
    cors::preflight(policy.allow, headers);
    response
}

/// The answer to an HTTP/1.1 request that could not be read, as bytes: in the envelope of its path,
/// as far as that can be told.
pub(super) fn complaint(site: &Site, status: StatusCode, path: &str) -> Bytes {
    let group = Route::of(path).map_or_else(
        || Route::group_of_unrouted(path),
        |route| route.policy().group,
    );
    let (code, message) = match status {
        StatusCode::URI_TOO_LONG => ("uri_too_long", "The path and query are too long."),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => (
            "headers_too_large",
            "The request's header fields are too large.",
        ),
        _ => (
            "malformed_request",
            "The request is not HTTP as RFC 9112 has it.",
        ),
    };
    let request_id = site.request_id();
    log::info!(
        target: "callreel::access",
        "{request_id} a request that cannot be read -> {status}"
    );
    site.metrics.count(group, status);
    let mut response = Problem::new(status, code, message).answer(group, &request_id);
    let text = match response.body_mut() {
        Payload::Text(text) => text.take().unwrap_or_default(),
        _ => Bytes::new(),
    };
    let date = httpdate::fmt_http_date(conditional::whole_seconds(site.clock.wall()));
    let mut head = format!(
        "HTTP/1.1 {status}\r\ndate: {date}\r\nx-request-id: {request_id}\r\n\
         x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n\
         connection: close\r\ncontent-length: {}\r\n",
        text.len()
    )
    .into_bytes();
    for (name, value) in response.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head.extend_from_slice(&text);
    head.into()
}

/// What every answer carries.
fn finish(site: &Site, parts: &Parts, request_id: &str, response: &mut Response<Payload>) {
    let length = response.body().len();
    let is_endless = matches!(response.body(), Payload::Events(_));
    let status = response.status();
    let headers = response.headers_mut();
    if !cors::mark(
        &parts.headers,
        &site.config.load().http.allowed_origins,
        headers,
    ) {
        headers.remove(http::header::ACCESS_CONTROL_ALLOW_METHODS);
        headers.remove(http::header::ACCESS_CONTROL_ALLOW_HEADERS);
        headers.remove(http::header::ACCESS_CONTROL_MAX_AGE);
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let no_body = matches!(
        status,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::SWITCHING_PROTOCOLS
    );
    if !no_body && !is_endless && !headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if !headers.contains_key(CACHE_CONTROL) && !no_body {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if parts.method == Method::HEAD && !is_endless {
        *response.body_mut() = Payload::Empty;
    }
}

/// The name under which support finds a request in the journal.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
