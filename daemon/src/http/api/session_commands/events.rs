//! Events as they happen, for those who cannot receive webhooks: server-sent events.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use storage::outbox::Application;
use uuid::Uuid;

use crate::engine::calls::CallView;
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::event_body::{self, EventBody, Source};
use crate::http::event_streams::StreamsFull;
use crate::http::limits;
use crate::http::service::Call;

/// `GET|HEAD /api/v1/events`: events of all sessions of the application.
///
/// # Errors
/// 429, 503 where too many streams are open.
pub(super) fn of_application(
    call: &Call<'_>,
    app: Arc<Application>,
) -> Result<Response<Payload>, Problem> {
    stream(call, app, None, false)
}

/// `GET|HEAD /api/v1/sessions/{uuid}/events`: events of one session. The stream ends when nothing
/// more will be told; 204, which keeps a browser from coming back, where there is nothing left.
///
/// # Errors
/// As [`of_application`].
pub(super) fn of_session(
    call: &Call<'_>,
    app: Arc<Application>,
    view: &CallView,
) -> Result<Response<Payload>, Problem> {
    stream(call, app, Some(view.uuid), event_body::is_settled(view))
}

fn stream(
    call: &Call<'_>,
    app: Arc<Application>,
    session: Option<Uuid>,
    is_over: bool,
) -> Result<Response<Payload>, Problem> {
    let mut response = Response::new(Payload::Empty);
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    let site = &call.worker.site;
    let place = site.streams.take(app.key.tenant).map_err(full)?;
    let last_id = call.parts.headers.get("last-event-id");
    let last_id = last_id.map(|id| id.to_str().unwrap_or_default());
    let source = Source::new(call, app, session, last_id, place);
    if is_over && !source.has_news() {
        *response.status_mut() = StatusCode::NO_CONTENT;
        return Ok(response);
    }
    let content_type = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    let events = if call.parts.method == Method::HEAD {
        EventBody::silent()
    } else {
        EventBody::new(source)
    };
    *response.body_mut() = Payload::Events(Box::new(events));
    Ok(response)
}

fn full(full: StreamsFull) -> Problem {
    let (status, most, whose) = match full {
        StreamsFull::All => (
            StatusCode::SERVICE_UNAVAILABLE,
            limits::EVENT_STREAMS,
            "in all",
        ),
        StreamsFull::Tenant => (
            StatusCode::TOO_MANY_REQUESTS,
            limits::EVENT_STREAMS_A_TENANT,
            "of this application",
        ),
    };
    Problem::new(status, "too_many_streams", "Too many event streams")
        .detail(format!("At most {most} are open {whose}; close one"))
        .retry_after(limits::EVENT_RETRY)
}
