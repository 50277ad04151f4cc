//! Family `task_audio`: seed 004 and API.md section 5. Another tenant's recording answers as one
//! that does not exist.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body;
use storage::error::ViewError;
use storage::handle::ListFilter;
use storage::ids::RecordingName;
use storage::record::Recording;
use uuid::Uuid;

use crate::http::auth::Principal;
use crate::http::body::Payload;
use crate::http::error::{FileCut, Problem};
use crate::http::incoming::{self, json};
use crate::http::limits;
use crate::http::media::{self, Entity, Refusal};
use crate::http::recordings::{FindError, Found};
use crate::http::request::{self, Query};
use crate::http::service::Call;
use crate::http::sound::{self, Show};
use crate::http::tickets::{Holder, IssueError};
use crate::http::trail::{self, Heard, Listener, Listening};
use crate::http::wire::task_audio::{
    Status, Task, TaskPage, TicketIssued, TicketRequest, cursor_of, cursor_text,
};

/// A path segment as a task id: a UUID in its hyphenated form, in either case. Anything else is
/// nobody's id.
pub(in crate::http) fn task_id(segment: &str) -> Option<Uuid> {
    let text = request::segment(segment)?;
    (text.len() == 36)
        .then(|| Uuid::try_parse(&text).ok())
        .flatten()
}

/// `GET|HEAD /api/v1/sse/audio/{taskId}`: to listen to, with Range.
///
/// # Errors
/// 404, 422 while it is live and `?live=1` is not given, 412, 416, 500.
pub(in crate::http) async fn play(
    call: &Call<'_>,
    principal: Principal,
    task: Option<Uuid>,
) -> Result<Response<Payload>, Problem> {
    serve(call, principal, task, Shape::Play).await
}

/// `GET|HEAD /api/v1/tasks/{taskId}/audio/export`: to keep, as an attachment.
///
/// # Errors
/// As [`play`].
pub(in crate::http) async fn export(
    call: &Call<'_>,
    principal: Principal,
    task: Option<Uuid>,
) -> Result<Response<Payload>, Problem> {
    serve(call, principal, task, Shape::Export).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Play,
    Export,
}

async fn serve(
    call: &Call<'_>,
    principal: Principal,
    task: Option<Uuid>,
    shape: Shape,
) -> Result<Response<Payload>, Problem> {
    let task = task.ok_or_else(not_found)?;
    let name = RecordingName::Task(task);
    let recordings = &call.worker.recordings;
    let found = recordings
        .find(principal.tenant, name.clone())
        .await
        .map_err(find_problem)?;
    let live = request::wants_live(call.parts)?;
    match found {
        Found::Nothing | Found::Absent => Err(not_found()),
        Found::Opened(opened) => {
            let answer = answer(call, &opened.recording, &opened.entity, shape);
            if matches!(&answer, Err(Refusal::Cut)) {
                recordings.forget(principal.tenant, name);
            }
            let answer = answer.map_err(refusal_problem)?;
            Ok(heard(call, principal, &opened.recording, shape, answer).await)
        }
        Found::Live(_) if !live => Err(not_ready()),
        Found::Live(recording) => {
            let entity = recordings.open(&recording).await.map_err(find_problem)?;
            let answer = answer(call, &recording, &entity, shape).map_err(refusal_problem)?;
            Ok(heard(call, principal, &recording, shape, answer).await)
        }
    }
}

async fn heard(
    call: &Call<'_>,
    principal: Principal,
    recording: &Recording,
    shape: Shape,
    answer: Response<Payload>,
) -> Response<Payload> {
    let heard = Heard {
        how: match shape {
            Shape::Play => Listening::Play,
            Shape::Export => Listening::Download,
        },
        facts: &recording.facts,
        container: recording.facts.container,
    };
    trail::heard(call, Listener::Known(principal), heard, answer).await
}

fn answer(
    call: &Call<'_>,
    recording: &Recording,
    entity: &Entity,
    shape: Shape,
) -> Result<Response<Payload>, Refusal> {
    let show = Show {
        content_type: recording.facts.container.media_type(),
        disposition: (shape == Shape::Export).then(|| media::attachment(&file_name(recording))),
        ranges: true,
    };
    sound::present(call, entity, show)
}

fn file_name(recording: &Recording) -> String {
    let facts = &recording.facts;
    format!("{}.{}", facts.names.task_id, facts.container.extension())
}

/// `GET|HEAD /api/v1/tasks`: a page of recordings, newest first.
///
/// # Errors
/// 400 naming the parameter, 500.
pub(in crate::http) async fn list(
    call: &Call<'_>,
    principal: Principal,
) -> Result<Response<Payload>, Problem> {
    let query = Query::of(call.parts);
    let limit = match query.get("limit")? {
        None => limits::PAGE_ROWS_DEFAULT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=limits::PAGE_ROWS).contains(limit))
            .ok_or_else(|| {
                let most = limits::PAGE_ROWS;
                Problem::parameter(format!(
                    "query parameter 'limit' is a number from 1 to {most}"
                ))
            })?,
    };
    let status = match query.get("status")? {
        None => Status::Completed,
        Some(text) => Status::parse(&text).ok_or_else(|| {
            Problem::parameter("query parameter 'status' is 'completed', 'active' or 'all'")
        })?,
    };
    let after = match query.get("cursor")? {
        None => None,
        Some(text) => Some(cursor_of(&text).ok_or_else(|| {
            Problem::parameter("query parameter 'cursor' is a 'next_cursor' of an earlier page")
        })?),
    };
    let filter = ListFilter {
        states: status.states(),
        ..ListFilter::default()
    };
    let tenant = principal.tenant;
    let recordings = &call.worker.recordings;
    let page = recordings
        .off_loop(move |storage| storage.list(tenant, &filter, after, limit))
        .await
        .map_err(Problem::internal)?
        .map_err(Problem::internal)?;
    json(&TaskPage {
        tasks: page.recordings.iter().map(Task::of).collect(),
        next_cursor: page.next.map(cursor_text),
    })
}

/// `GET|HEAD /api/v1/tasks/{taskId}`: one recording's document.
///
/// # Errors
/// 404, 500.
pub(in crate::http) async fn show(
    call: &Call<'_>,
    principal: Principal,
    task: Option<Uuid>,
) -> Result<Response<Payload>, Problem> {
    let name = RecordingName::Task(task.ok_or_else(not_found)?);
    let tenant = principal.tenant;
    let row = call
        .worker
        .recordings
        .off_loop(move |storage| storage.find(tenant, &name))
        .await
        .map_err(Problem::internal)?
        .map_err(Problem::internal)?;
    json(&Task::of(&row.ok_or_else(not_found)?))
}

/// `POST /api/v1/auth/ticket`: what an `<audio>` element shows instead of a key.
///
/// # Errors
/// 400, 408, 413, 415 for the body; 429 when all tickets are in use; 500.
pub(in crate::http) async fn ticket<B>(
    call: &Call<'_>,
    principal: Principal,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = incoming::read(call, body, limits::JSON_BODY_BYTES).await?;
    let request: TicketRequest = if body.is_empty() {
        TicketRequest::default()
    } else {
        if incoming::media_type(call.parts) != "application/json" {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body is JSON: send Content-Type: application/json, or no body.",
            ));
        }
        serde_json::from_slice(&body).map_err(|error| {
            let message = format!("The body is not {{\"task_id\": UUID}}: {error}");
            Problem::new(StatusCode::BAD_REQUEST, "invalid_body", message)
        })?
    };
    let site = &call.worker.site;
    let holder = Holder {
        tenant: principal.tenant,
        key_id: principal.key_id,
    };
    let now = site.clock.monotonic();
    let ticket = site
        .tickets
        .issue(holder, request.task_id, now)
        .map_err(|error| match error {
            IssueError::Full => Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_tickets",
                "All tickets are in use; unused ones expire within a minute.",
            )
            .retry_after(limits::TICKET_FIRST_USE),
            IssueError::Random(_) => Problem::internal(error),
        })?;
    json(&TicketIssued {
        ticket,
        expires_in_s: limits::TICKET_FIRST_USE.as_secs(),
    })
}

fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "recording_not_found",
        "Recording not found. Verify that taskId is correct.",
    )
}

fn not_ready() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "recording_audio_not_ready",
        "The recording is still going on. Retry later, or add ?live=1 for what there is of it.",
    )
    .retry_after(NOT_READY_AGAIN)
}

fn download_failed() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "storage_download_failed",
        "The recording cannot be read from disk. Retry later.",
    )
}

fn refusal_problem(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Cut => download_failed().because(FileCut),
        told => told.into(),
    }
}

fn find_problem(error: FindError) -> Problem {
    match &error {
        FindError::View(ViewError::Busy(_)) => not_ready().because(error),
        FindError::View(_) => download_failed().because(error),
        FindError::Read(_) | FindError::Gone(_) | FindError::Tag => Problem::internal(error),
    }
}

/// When it may be worth asking again for a recording that goes on.
const NOT_READY_AGAIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hyphenated_uuids_are_task_ids() {
        let id = "550e8400-e29b-41d4-a716-446655440000";
        assert!(task_id(id).is_some());
        assert_eq!(task_id(id), task_id(&id.to_uppercase()));
        assert_eq!(
            task_id(id),
            task_id("550e8400%2De29b-41d4-a716-446655440000")
        );
        for bad in [
            "",
            "1",
            "550e8400e29b41d4a716446655440000",
            "{550e8400-e29b-41d4-a716-446655440000}",
            "550e8400-e29b-41d4-a716-44665544000g",
            "550e8400-e29b-41d4-a716-446655440000%00",
            "..%2f..%2fetc%2fpasswd",
            "urn:uuid:550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert_eq!(task_id(bad), None, "{bad}");
        }
    }
}
