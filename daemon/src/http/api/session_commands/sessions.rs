//! `/api/v1/sessions`: opening calls, and how they stand.

use std::collections::HashMap;

use bytes::Bytes;
use http::header::LOCATION;
use http::{Response, StatusCode};
use http_body::Body;
use storage::ids::{RecordingId, RecordingName};
use storage::ledger::entry::Kind;
use storage::outbox::Application;
use storage::record::Recording;
use uuid::Uuid;

use super::{AGAIN, body_of, index_problem, stopping};
use crate::engine::calls::{CallView, OpenCallError};
use crate::engine::session::CallState;
use crate::http::api::call_recording::shown_link;
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json;
use crate::http::media::insert_text;
use crate::http::request::Query;
use crate::http::service::Call;
use crate::http::wire::session_commands::documents::{
    RecordingDocument, SessionDocument, SessionPage,
};
use crate::http::wire::session_commands::opening;
use crate::http::{base_url, limits, trail};

/// `POST /api/v1/sessions`: opens a call.
///
/// # Errors
/// 400, 404, 408, 409, 413, 415, 503.
pub(super) async fn open<B>(
    call: &Call<'_>,
    app: &Application,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let bytes = body_of(call, body, limits::JSON_BODY_BYTES).await?;
    let wanted = opening::call(&bytes)?;
    let opened = call.worker.site.calls.open(app.key.tenant, wanted).await;
    let view = opened.map_err(open_problem)?;
    let location = format!("/api/v1/sessions/{}", view.uuid);
    let line = view.line.as_str().to_owned();
    let session = view.uuid.to_string();
    let act = trail::act(call, Kind::Commanded).by(trail::application(app));
    let act = act.of(app.key.tenant).with("command", "open");
    let act = act.with("session", session).with("line", line);
    call.worker.site.storage.record_act(act);
    let mut response = show(call, app, view).await?;
    *response.status_mut() = StatusCode::CREATED;
    insert_text(response.headers_mut(), LOCATION, &location);
    Ok(response)
}

/// `GET|HEAD /api/v1/sessions/{uuid}`: a session as it stands.
///
/// # Errors
/// 500; 400 where a link needs a host and there is none.
pub(super) async fn show(
    call: &Call<'_>,
    app: &Application,
    view: CallView,
) -> Result<Response<Payload>, Problem> {
    let documents = documents(call, app, vec![view]).await?;
    match documents.into_iter().next() {
        Some(document) => json(&document),
        None => Err(Problem::internal("a session without a document")),
    }
}

/// `GET|HEAD /api/v1/sessions`: a page of sessions, newest first.
///
/// # Errors
/// 400 naming the parameter, 500.
pub(super) async fn list(call: &Call<'_>, app: &Application) -> Result<Response<Payload>, Problem> {
    let query = Query::of(call.parts);
    let limit = match query.get("limit")? {
        None => limits::PAGE_ROWS_DEFAULT,
        Some(text) => {
            let limit = text.parse().ok();
            let limit = limit.filter(|limit| (1..=limits::PAGE_ROWS).contains(limit));
            limit.ok_or_else(|| {
                let most = limits::PAGE_ROWS;
                Problem::parameter(format!("limit is not a number from 1 to {most}"))
            })?
        }
    };
    let wanted = match query.get("state")?.as_deref() {
        None | Some("all") => None,
        Some("active") => Some(false),
        Some("ended") => Some(true),
        Some(_) => return Err(Problem::parameter("state is neither active, ended nor all")),
    };
    let after = match query.get("cursor")? {
        None => None,
        Some(text) => {
            let cursor = Place::read(&text);
            let problem = || Problem::parameter("cursor is not a next_cursor of an earlier page");
            Some(cursor.ok_or_else(problem)?)
        }
    };
    let mut views = call.worker.site.calls.list(Some(app.key.tenant)).await;
    views.retain(|view| {
        let has_ended = view.snapshot.state == CallState::HungUp;
        wanted.is_none_or(|ended| ended == has_ended)
            && after.is_none_or(|after| Place::of(view) < after)
    });
    views.sort_by_key(|view| std::cmp::Reverse(Place::of(view)));
    let has_more = views.len() > limit;
    views.truncate(limit);
    let next = views.last().filter(|_| has_more).map(Place::of);
    let next_cursor = next.map(Place::text);
    let sessions = documents(call, app, views).await?;
    json(&SessionPage {
        sessions,
        next_cursor,
    })
}

/// A session's place in a list: when it began, then its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(u64, Uuid);

impl Place {
    const fn of(view: &CallView) -> Self {
        Self(view.started_at.0, view.uuid)
    }

    /// As opaque text: 16 and 32 hex digits.
    fn text(self) -> String {
        format!("{:016x}{}", self.0, self.1.simple())
    }

    fn read(text: &str) -> Option<Self> {
        let is_hex = text.len() == 48 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (time, uuid) = text.split_at_checked(16).filter(|_| is_hex)?;
        let time = u64::from_str_radix(time, 16).ok()?;
        Some(Self(time, Uuid::try_parse(uuid).ok()?))
    }
}

/// Sessions with their recordings as the index knows them.
async fn documents(
    call: &Call<'_>,
    app: &Application,
    views: Vec<CallView>,
) -> Result<Vec<SessionDocument>, Problem> {
    let named: Vec<_> = views
        .iter()
        .flat_map(|view| view.recordings.iter().map(|it| (view.owner, it.id)))
        .filter_map(|(owner, id)| Some((owner, id?)))
        .collect();
    let rows: HashMap<RecordingId, Recording> = if named.is_empty() {
        HashMap::new()
    } else {
        let recordings = &call.worker.recordings;
        let found = recordings.off_loop(move |storage| {
            let mut rows = HashMap::new();
            for (owner, id) in named {
                if let Some(row) = storage.find(owner, &RecordingName::Recid(id))? {
                    rows.insert(id, row);
                }
            }
            Ok::<_, storage::error::ReadError>(rows)
        });
        found
            .await
            .map_err(Problem::internal)?
            .map_err(Problem::internal)?
    };
    let documents = views.iter().map(|view| {
        let recordings = view.recordings.iter().map(|recording| {
            let row = recording.id.and_then(|id| rows.get(&id));
            let link = row
                .filter(|row| RecordingDocument::has_sound(row))
                .map(|row| link(call, app, row))
                .transpose()?;
            Ok(RecordingDocument::new(recording, row, link))
        });
        let recordings = recordings.collect::<Result<_, Problem>>()?;
        Ok(SessionDocument::new(view, recordings))
    });
    documents.collect()
}

fn link(call: &Call<'_>, app: &Application, row: &Recording) -> Result<String, Problem> {
    let base = base_url::of(call)?;
    Ok(shown_link(call, app, &base, &row.facts))
}

fn open_problem(error: OpenCallError) -> Problem {
    match error {
        OpenCallError::NoLine(line) => Problem::new(
            StatusCode::NOT_FOUND,
            "line_not_found",
            format!("Line '{line}' not found"),
        )
        .detail("line names a [[line]] of this application's tenant"),
        OpenCallError::NotApi(line) => Problem::new(
            StatusCode::CONFLICT,
            "line_not_opened_by_api",
            format!("Line '{line}' is not opened by command"),
        )
        .detail("Set trigger = \"api\" in its [[line]] table"),
        OpenCallError::InwardOnly(line) => Problem::new(
            StatusCode::CONFLICT,
            "line_takes_calls_only",
            format!("Line '{line}' takes calls only"),
        )
        .detail(
            "A tap listens, and a PBX connects to an AudioSocket: neither can be called out on",
        ),
        OpenCallError::Busy { line, session } => Problem::new(
            StatusCode::CONFLICT,
            "line_busy",
            format!("Line '{line}' has a call"),
        )
        .detail(format!("It is session {session}")),
        OpenCallError::NoDevice(line) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "line_without_device",
            format!("Line '{line}' has no device at the moment"),
        )
        .detail("'callreel lines' on the machine says why")
        .retry_after(AGAIN),
        OpenCallError::Index => index_problem(),
        OpenCallError::Stopping => stopping(),
    }
}
