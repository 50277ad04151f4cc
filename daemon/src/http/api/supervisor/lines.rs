//! How lines stand: once, or as it changes, as server-sent events.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Response};
use serde::Serialize;
use storage::ids::LineName;
use tokio::sync::watch;
use tokio::time::sleep;

use super::line_state::LineState;
use super::scope::Scope;
use super::session::{Watcher, still};
use super::{Asked, unavailable};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::event_body::{EventBody, Pour, Step};
use crate::http::event_streams::{StreamPlace, StreamsFull};
use crate::http::incoming::json;
use crate::http::limits;
use crate::http::site::Site;

/// `lines`
#[derive(Serialize)]
struct All<'a> {
    lines: Vec<&'a LineState>,
}

/// How the lines stand that somebody sees.
pub(super) fn list(asked: &Asked<'_>) -> Result<Response<Payload>, Problem> {
    let lines = look(&asked.call.worker.site);
    let within = lines.iter().filter(|line| line.is_within(&asked.scope));
    json(&All {
        lines: within.collect(),
    })
}

fn look(site: &Site) -> std::sync::Arc<Vec<LineState>> {
    site.supervisors.lines.look(&*site.engine, &*site.clock)
}

/// The same as it changes.
///
/// # Errors
/// 429 and 503 for too many streams.
pub(super) fn events(asked: &Asked<'_>) -> Result<Response<Payload>, Problem> {
    let place = place(asked)?;
    stream(asked, || Stream {
        watcher: Watcher::of(asked),
        scope: asked.scope.clone(),
        stop: asked.call.connection.stop.clone(),
        told: HashMap::new(),
        beat: 0,
        is_over: false,
        _place: place,
    })
}

/// A place for something that goes on.
///
/// # Errors
/// 429 and 503.
pub(super) fn place(asked: &Asked<'_>) -> Result<StreamPlace, Problem> {
    let streams = &asked.call.worker.site.supervisors.streams;
    streams.take(asked.scope.tenant).map_err(|full| match full {
        StreamsFull::All => {
            unavailable("Too many streams are open.").retry_after(limits::EVENT_HEARTBEAT)
        }
        StreamsFull::Tenant => Problem::new(
            http::StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "Too many streams of this tenant are open.",
        )
        .retry_after(limits::EVENT_HEARTBEAT),
    })
}

/// An answer of events.
pub(super) fn stream<P: Pour + 'static>(
    asked: &Asked<'_>,
    source: impl FnOnce() -> P,
) -> Result<Response<Payload>, Problem> {
    let body = if asked.call.parts.method == Method::HEAD {
        EventBody::silent()
    } else {
        EventBody::new(source())
    };
    let mut response = Response::new(Payload::Events(Box::new(body)));
    let content_type = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    Ok(response)
}

struct Stream {
    watcher: Watcher,
    scope: Scope,
    /// Turns true when the server drains.
    stop: watch::Receiver<bool>,
    /// The lines as they were told last.
    told: HashMap<LineName, LineState>,
    /// How often it has looked.
    beat: u32,
    is_over: bool,
    _place: StreamPlace,
}

impl Pour for Stream {
    fn next(self: Box<Self>) -> Pin<Box<dyn Future<Output = Step>>> {
        Box::pin(self.tell())
    }
}

impl Stream {
    async fn tell(mut self: Box<Self>) -> Step {
        if self.is_over {
            return None;
        }
        loop {
            let mut text = String::new();
            if self.beat > 0 {
                let mut stop = self.stop.clone();
                tokio::select! {
                    biased;
                    _ = stop.wait_for(|stop| *stop) => return self.bye("unavailable"),
                    () = sleep(limits::LINES_EVERY) => {}
                }
            }
            if self.beat.is_multiple_of(limits::WATCHER_CHECK_BEATS) {
                match still(&self.watcher) {
                    Some((_, scope)) => self.scope = scope,
                    None => return self.bye("session_expired"),
                }
            }
            if self.beat > 0 && self.beat.is_multiple_of(limits::WATCHER_PING_BEATS) {
                event(&mut text, "ping", &serde_json::json!({}));
            }
            self.news(&mut text);
            self.beat = self.beat.wrapping_add(1).max(1);
            if !text.is_empty() {
                return Some((Bytes::from(text), self));
            }
        }
    }

    fn bye(mut self: Box<Self>, code: &str) -> Step {
        self.is_over = true;
        let mut text = String::new();
        event(&mut text, "bye", &serde_json::json!({ "code": code }));
        Some((Bytes::from(text), self))
    }

    /// What is new since the last look.
    fn news(&mut self, text: &mut String) {
        let lines = look(&self.watcher.site);
        let within = lines.iter().filter(|line| line.is_within(&self.scope));
        let now: HashMap<_, _> = within
            .map(|line| (line.name.clone(), line.clone()))
            .collect();
        // Lines that come or go are told with all others: groups or roles changed, or the start.
        let same = now.len() == self.told.len() && now.keys().all(|it| self.told.contains_key(it));
        if self.beat == 0 || !same {
            let ordered = lines.iter().filter(|line| now.contains_key(&line.name));
            event(
                text,
                "lines",
                &All {
                    lines: ordered.collect(),
                },
            );
        } else {
            for line in lines.iter().filter(|line| now.contains_key(&line.name)) {
                match self.told.get(&line.name) {
                    Some(before) if before == line => {}
                    Some(before) if line.stands_as(before) => {
                        event(text, "levels", &line.levels());
                    }
                    _ => event(text, "line", line),
                }
            }
        }
        self.told = now;
    }
}

/// Adds an event; its data is JSON on one line.
pub(super) fn event(text: &mut String, name: &str, data: &impl Serialize) {
    match serde_json::to_string(data) {
        Ok(data) => {
            let _ = write!(text, "event: {name}\ndata: {data}\n\n");
        }
        Err(error) => log::error!("an event cannot be written: {error}"),
    }
}
