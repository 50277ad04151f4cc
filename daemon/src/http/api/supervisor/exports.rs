//! Exports over HTTP: begun, watched, fetched, deleted. They are their user's alone.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body;
use serde::Deserialize;
use serde_json::json;
use storage::export::RECORDINGS_MAX;
use storage::handle::StorageHandle;
use storage::ids::{RecordingId, RecordingName};
use storage::ledger::entry::Kind;
use storage::record::{Recording, RecordingState};
use storage::view::RecordingView;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

use super::export_job::{Job, Order, Refused, Shown};
use super::lines::{event, place, stream};
use super::search;
use super::session::{Watcher, still};
use super::{Asked, body, conflict, invalid, no_such, number, unavailable};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::event_body::{Pour, Step};
use crate::http::event_streams::StreamPlace;
use crate::http::incoming::json as answer;
use crate::http::limits;
use crate::http::media::{self, Entity};
use crate::http::sound::{self, Show};

/// `POST exports`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    query: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    formats: Option<Formats>,
}

/// Only what is stored can be proved.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Formats {
    Stored,
}

/// Begins an export.
///
/// # Errors
/// 400, 404 for recordings that are not there, 409, 429, 503.
pub(super) async fn begin<B>(asked: &Asked<'_>, body: B) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let wish: Wish = body::read_long(asked.call, body).await?;
    let (Some(Formats::Stored) | None) = wish.formats;
    let rows: Rows = match (wish.ids.as_slice(), wish.query) {
        ([], Some(query)) => Box::new(search::all_of(&asked.scope, &query, RECORDINGS_MAX)?),
        ([_, ..], None) => {
            let rows = named(asked, &wish.ids).await?;
            Box::new(move |_| Ok(rows))
        }
        _ => return Err(invalid("ids", "give ids or query, one of them")),
    };
    let site = &asked.call.worker.site;
    let owner = asked.person.user.user_id;
    let id = Uuid::new_v4().simple().to_string();
    let order = Order {
        storage: site.storage.clone(),
        warrant: asked.warrant(None),
        rows,
    };
    let at = (site.clock.wall(), site.clock.monotonic());
    let exports = &site.supervisors.exports;
    let begun = exports.begin((id, owner, asked.scope.tenant), at, order);
    let job = begun.map_err(|refused| match refused {
        Refused::TooMany => conflict(refused.to_string()),
        Refused::Full => unavailable(refused.to_string()).retry_after(limits::EVENT_HEARTBEAT),
        Refused::Thread(_) => Problem::internal(refused),
    })?;
    let mut response = answer(&json!({ "id": job.id }))?;
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

type Rows = Box<dyn FnOnce(&StorageHandle) -> Result<Vec<Recording>, String> + Send>;

/// The recordings of a list of ids, each within the scope and with a file.
async fn named(asked: &Asked<'_>, ids: &[String]) -> Result<Vec<Recording>, Problem> {
    if ids.len() > RECORDINGS_MAX {
        return Err(invalid("ids", format_args!("at most {RECORDINGS_MAX}")));
    }
    let parsed = ids.iter().map(|id| number(id).map(RecordingId));
    let parsed: Option<Vec<RecordingId>> = parsed.collect();
    let mut ids = parsed.ok_or_else(|| invalid("ids", "each is a recording's id"))?;
    ids.sort_unstable();
    ids.dedup();
    let scope = asked.scope.clone();
    let found = asked.off_loop(move |storage| {
        let find = |id: RecordingId| {
            let found = storage.find(scope.tenant, &RecordingName::Recid(id))?;
            Ok::<_, storage::error::ReadError>(match found {
                Some(row) if scope.has(&row.facts) => Ok(row),
                _ => Err(id),
            })
        };
        ids.into_iter().map(find).collect::<Result<Vec<_>, _>>()
    });
    let mut rows = Vec::new();
    for found in found.await?.map_err(Problem::internal)? {
        match found {
            Ok(row) if has_file(&row) => rows.push(row),
            Ok(row) => {
                let id = row.facts.id;
                return Err(conflict(format!("Recording {id} has no finished file.")));
            }
            Err(id) => {
                let message = format!("There is no recording {id}.");
                let problem = Problem::new(StatusCode::NOT_FOUND, "not_found", message);
                return Err(problem.fact("id", id.to_string()));
            }
        }
    }
    Ok(rows)
}

/// Whether a recording has a file that is finished.
pub(super) fn has_file(row: &Recording) -> bool {
    let bytes = row.outcome.as_ref().map_or(0, |outcome| outcome.size_bytes);
    matches!(row.state, RecordingState::Stored | RecordingState::Failed) && bytes > 0
}

/// A user's exports.
pub(super) fn list(asked: &Asked<'_>) -> Result<Response<Payload>, Problem> {
    let site = &asked.call.worker.site;
    let exports = &site.supervisors.exports;
    let own = exports.of(asked.person.user.user_id, site.clock.monotonic());
    let shown: Vec<Shown> = own.iter().map(|job| job.shown()).collect();
    answer(&json!({ "exports": shown }))
}

fn find(asked: &Asked<'_>, id: &str) -> Result<Arc<Job>, Problem> {
    let site = &asked.call.worker.site;
    let (exports, owner) = (&site.supervisors.exports, asked.person.user.user_id);
    let found = exports.find(id, owner, site.clock.monotonic());
    found.ok_or_else(|| no_such("export"))
}

/// How an export is.
pub(super) fn show(asked: &Asked<'_>, id: &str) -> Result<Response<Payload>, Problem> {
    answer(&find(asked, id)?.shown())
}

/// Stops an export, or deletes what it made.
pub(super) fn remove(asked: &Asked<'_>, id: &str) -> Result<Response<Payload>, Problem> {
    let site = &asked.call.worker.site;
    let (exports, owner) = (&site.supervisors.exports, asked.person.user.user_id);
    if !exports.remove(id, owner, site.clock.monotonic()) {
        return Err(no_such("export"));
    }
    let mut response = Response::new(Payload::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// The archive.
///
/// # Errors
/// 404, 409 while it is made or where it failed, 412, 416.
pub(super) async fn file(asked: &Asked<'_>, id: &str) -> Result<Response<Payload>, Problem> {
    let job = find(asked, id)?;
    let ready = job.ready();
    let ready = ready.ok_or_else(|| conflict("The export is not ready."))?;
    let made_at = job.made_at;
    let opened = asked.off_loop(move |_| {
        let file = ready.file.open()?;
        RecordingView::whole_file(file, &ready.etag, made_at)
    });
    let view = opened.await?.map_err(Problem::internal)?;
    let entity = Entity::new(view).ok_or_else(|| Problem::internal("no entity tag"))?;
    let show = Show {
        content_type: "application/x-tar",
        disposition: Some(media::attachment(&format!("callreel-export-{id}.tar"))),
        ranges: true,
    };
    let sent = sound::answer(asked.call, &entity, show)?;
    // Each recording of it is in the ledger; that it was fetched is told when it begins.
    let from_start = sent.status() == StatusCode::OK;
    if from_start && asked.call.parts.method == http::Method::GET {
        let act = asked.act(Kind::Download).with("export", id);
        asked.call.worker.site.storage.record_act(act);
    }
    Ok(sent)
}

/// How an export goes on.
///
/// # Errors
/// 404; 429 and 503 for too many streams.
pub(super) fn events(asked: &Asked<'_>, id: &str) -> Result<Response<Payload>, Problem> {
    let job = find(asked, id)?;
    let place = place(asked)?;
    stream(asked, || Progress {
        watcher: Watcher::of(asked),
        job,
        stop: asked.call.connection.stop.clone(),
        told: None,
        beat: 0,
        is_over: false,
        _place: place,
    })
}

struct Progress {
    watcher: Watcher,
    job: Arc<Job>,
    /// Turns true when the server drains.
    stop: watch::Receiver<bool>,
    told: Option<Shown>,
    beat: u32,
    is_over: bool,
    _place: StreamPlace,
}

impl Pour for Progress {
    fn next(self: Box<Self>) -> Pin<Box<dyn Future<Output = Step>>> {
        Box::pin(self.tell())
    }
}

impl Progress {
    async fn tell(mut self: Box<Self>) -> Step {
        if self.is_over {
            return None;
        }
        loop {
            if self.beat > 0 {
                let mut stop = self.stop.clone();
                tokio::select! {
                    biased;
                    _ = stop.wait_for(|stop| *stop) => return self.bye("unavailable"),
                    () = sleep(limits::LINES_EVERY) => {}
                }
            }
            if self.beat.is_multiple_of(limits::WATCHER_CHECK_BEATS)
                && still(&self.watcher).is_none()
            {
                return self.bye("session_expired");
            }
            let mut text = String::new();
            if self.beat > 0 && self.beat.is_multiple_of(limits::WATCHER_PING_BEATS) {
                event(&mut text, "ping", &json!({}));
            }
            self.beat = self.beat.wrapping_add(1).max(1);
            let shown = self.job.shown();
            if self.told.as_ref() != Some(&shown) {
                event(&mut text, "progress", &shown);
                self.is_over = shown.is_final();
                self.told = Some(shown);
            }
            if !text.is_empty() {
                return Some((Bytes::from(text), self));
            }
        }
    }

    fn bye(mut self: Box<Self>, code: &str) -> Step {
        self.is_over = true;
        let mut text = String::new();
        event(&mut text, "bye", &json!({ "code": code }));
        Some((Bytes::from(text), self))
    }
}
