//! Accepting connections, checking who is at the other end, and handing requests to their route.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, server};
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::unistd::{Gid, Uid};
use serde::de::DeserializeOwned;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use audio_io::units::WallMillis;
use std::time::Duration;

mod kept;

use super::answer::{Answer, Refusal};
use super::limits::{BODY_BYTES_MAX, CONNECTIONS_MAX, DRAIN_WITHIN, HEADERS_WITHIN, WATCHERS_MAX};
use super::peer::{self, Admission, Peer};
use super::route::Route;
use super::socket::Listener;
use super::wire::ErrorCode;
use super::{
    ReloadHook, acts, backup, calls, events, export, import, jobs, keys, lines, prompts,
    recordings, telephony, tenants, users, webhooks,
};
use crate::app::App;
use crate::http::wire::session_commands::COMMAND_BODY_BYTES;

/// What every request has at hand.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) app: App,
    pub(super) reload: ReloadHook,
    pub(super) started_at: WallMillis,
    pub(super) started: Duration,
    /// One check at a time: each reads every recording.
    pub(super) checking: Arc<Semaphore>,
    /// One backup at a time: each holds a snapshot of the index.
    pub(super) backing_up: Arc<Semaphore>,
    /// One export at a time: each reads whole recordings.
    pub(super) exporting: Arc<Semaphore>,
    /// One retention pass by command at a time.
    pub(super) passing: Arc<Semaphore>,
    /// Readers that watch calls.
    pub(super) watching: Arc<Semaphore>,
    /// True once the socket is being closed.
    pub(super) stopped: watch::Receiver<bool>,
    admission: Admission,
}

impl Desk {
    pub(super) fn new(
        app: App,
        reload: ReloadHook,
        group: Option<Gid>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let (started_at, started) = (app.clock.wall(), app.clock.monotonic());
        let admission = Admission {
            own: Uid::effective(),
            group,
        };
        Self {
            app,
            reload,
            started_at,
            started,
            checking: Arc::new(Semaphore::new(1)),
            backing_up: Arc::new(Semaphore::new(1)),
            exporting: Arc::new(Semaphore::new(1)),
            passing: Arc::new(Semaphore::new(1)),
            watching: Arc::new(Semaphore::new(WATCHERS_MAX)),
            stopped,
            admission,
        }
    }

    /// The same for a user: the ledger is told who it is.
    fn of(&self, user: Option<u32>) -> Arc<Self> {
        let mut own = self.clone();
        if let Some(user) = user {
            own.app.storage = self.app.storage.acting(acts::warrant(user));
        }
        Arc::new(own)
    }
}

/// Serves until told to stop, then lets open answers finish for a moment.
pub(super) async fn serve(listener: Listener, desk: Arc<Desk>, mut stopped: watch::Receiver<bool>) {
    let accepting = listener.socket.try_clone().and_then(UnixListener::from_std);
    let accepting = match accepting {
        Ok(accepting) => accepting,
        Err(error) => {
            log::error!("the control socket cannot be served: {error}");
            return;
        }
    };
    let mut connections = JoinSet::new();
    while !*stopped.borrow() {
        tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = accepting.accept(), if connections.len() < CONNECTIONS_MAX => {
                match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, desk.clone(), stopped.clone()));
                    }
                    Err(error) => {
                        log::warn!("the control socket refuses a connection: {error}");
                        // Out of descriptors: one that ends frees some.
                        tokio::time::sleep(HEADERS_WITHIN / 100).await;
                    }
                }
            }
        }
    }
    drop(accepting);
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // What is not done by then is cut off; the client sees a short answer.
    let _ = tokio::time::timeout(DRAIN_WITHIN, all).await;
}

async fn connection(stream: UnixStream, desk: Arc<Desk>, mut stopped: watch::Receiver<bool>) {
    let admitted = admitted(&stream, desk.admission).await;
    let Ok(desk) = blocking(move || Ok::<_, Refusal>(desk.of(admitted))).await else {
        return;
    };
    let service = service_fn(move |request| {
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(answer(desk, admitted, request).await) }
    });
    let mut http = server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        log::debug!("control connection: {error}");
    }
}

/// The user at the other end, if that one is let in.
async fn admitted(stream: &UnixStream, admission: Admission) -> Option<u32> {
    let credentials = stream.peer_cred().ok()?;
    let peer = Peer {
        user: Uid::from_raw(credentials.uid()),
        group: Gid::from_raw(credentials.gid()),
        groups: peer::groups_of(stream),
    };
    let user = peer.user;
    let admitted = tokio::task::spawn_blocking(move || admission.admits(&peer)).await;
    let admitted = admitted.unwrap_or(false);
    if !admitted {
        log::warn!(uid = user.as_raw(); "a user was refused at the control socket");
    }
    admitted.then(|| user.as_raw())
}

async fn answer(desk: Arc<Desk>, admitted: Option<u32>, request: Request<Incoming>) -> Answer {
    let Some(user) = admitted else {
        let message = "this user may not control the daemon: become root or the daemon's own user, \
                       or join the group that [control].group names";
        return Refusal::new(ErrorCode::Denied, message).answer();
    };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = Route::find(&method, &path);
    let answer = match route {
        Ok(route) => dispatch(desk, route, request, user).await,
        Err(refusal) => Err(refusal),
    };
    log::debug!(method = method.as_str(), path = path.as_str(), ok = answer.is_ok(); "control");
    answer.unwrap_or_else(Refusal::answer)
}

async fn dispatch(
    desk: Arc<Desk>,
    route: Route,
    request: Request<Incoming>,
    user: u32,
) -> Result<Answer, Refusal> {
    let query = request.uri().query().map(str::to_owned);
    let query = query.as_deref();
    match route {
        Route::Status => lines::status(&desk).await,
        Route::Lines => lines::lines(&desk),
        Route::Spans => telephony::spans(&desk),
        Route::Calls => calls::list(&desk, query).await,
        Route::OpenCall => calls::open(&desk, body(request).await?).await,
        Route::Call(uuid) => calls::show(&desk, uuid).await,
        Route::CallCommand(uuid, kind) => {
            let body = bytes(request, COMMAND_BODY_BYTES).await?;
            calls::command(&desk, uuid, kind, body).await
        }
        Route::CallEvents => events::watch(desk, query).await,
        Route::Apps => webhooks::apps(&desk, query).await,
        Route::App(id) => webhooks::app(&desk, id).await,
        Route::SetApp(id) => webhooks::set(&desk, id, body(request).await?).await,
        Route::DeadLetters => webhooks::dead(&desk, query).await,
        Route::DeadLetter(id) => webhooks::dead_letter(&desk, id).await,
        Route::Replay => webhooks::replay(&desk, body(request).await?).await,
        Route::StartRecording => lines::start(&desk, body(request).await?).await,
        Route::StopRecording => lines::stop(&desk, body(request).await?).await,
        Route::Tenants => tenants::list(&desk).await,
        Route::AddTenant => tenants::add(&desk, body(request).await?).await,
        Route::SetTenant(name) => tenants::set(&desk, name, body(request).await?).await,
        Route::Keys => keys::list(&desk).await,
        Route::IssueKey => keys::issue(&desk, body(request).await?).await,
        Route::RotateKey(id) => keys::rotate(&desk, id, body(request).await?).await,
        Route::RevokeKey(id) => keys::revoke(&desk, id).await,
        Route::SigningKeys => keys::signing_keys(&desk),
        Route::RotateSigningKey => keys::rotate_signing_key(&desk, body(request).await?).await,
        Route::RetireSigningKey(id) => keys::retire_signing_key(&desk, id).await,
        Route::Users => users::list(&desk).await,
        Route::AddUser => users::add(&desk, body(request).await?).await,
        Route::SetUser(name) => users::set(&desk, name, body(request).await?).await,
        Route::RemoveUser(name) => users::remove(&desk, name).await,
        Route::Sessions => users::sessions(&desk).await,
        Route::LogOut(name) => users::log_out(&desk, name).await,
        Route::Locks => users::locks(&desk),
        Route::ClearLock(subject) => users::clear_lock(&desk, subject).await,
        Route::Prompts => prompts::list(&desk, query).await,
        Route::AddPrompt => prompts::add(&desk, body(request).await?).await,
        Route::Prompt(id) => prompts::show(&desk, id).await,
        Route::DeletePrompt(id) => prompts::delete(&desk, id).await,
        Route::PromptAudio(id) => prompts::audio(&desk, id).await,
        Route::Recordings => recordings::list(&desk, query).await,
        Route::Recording(name) => recordings::show(&desk, name, query).await,
        Route::DeleteRecording(name) => recordings::delete(&desk, name, query).await,
        Route::Audio(name) => recordings::audio(&desk, name, query).await,
        Route::Import => import::import(&desk, body(request).await?).await,
        Route::Check => jobs::check(desk, body(request).await?).await,
        Route::Backup => backup::backup(desk).await,
        Route::Export => export::export(desk, body(request).await?, user).await,
        Route::Reload => jobs::reload(&desk).await,
        Route::Kept(route) => kept::dispatch(desk, route, request, user).await,
    }
}

/// Reads a JSON body.
async fn body<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Refusal> {
    let bytes = bytes(request, BODY_BYTES_MAX).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::new(ErrorCode::BadRequest, format!("the body: {error}")))
}

/// Reads a body that is not longer than this.
async fn bytes(request: Request<Incoming>, most: usize) -> Result<Bytes, Refusal> {
    let body = Limited::new(request.into_body(), most);
    let collected = body.collect().await.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            let message = format!("this request's body is at most {most} bytes");
            Refusal::new(ErrorCode::TooLarge, message)
        } else {
            Refusal::new(
                ErrorCode::BadRequest,
                format!("the body cannot be read: {error}"),
            )
        }
    })?;
    Ok(collected.to_bytes())
}

/// Runs a storage call on a thread that may block.
pub(super) async fn blocking<T, E>(
    call: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Refusal>
where
    T: Send + 'static,
    E: Send + 'static,
    Refusal: From<E>,
{
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result.map_err(Refusal::from),
        Err(error) => Err(Refusal::internal(&error)),
    }
}
