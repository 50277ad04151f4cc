//! The search: what is asked for, read from a query or from JSON alike, and its pages.

use std::borrow::Cow;

use http::Response;
use serde_json::{Value, json};
use storage::handle::StorageHandle;
use storage::ids::{AgentName, LineName, Tag};
use storage::record::{CallDirection, Recording, RecordingState, WallMillis};
use storage::search::{Digits, NoteWords, Order, Scope as Seen, SearchError, SearchQuery};

use super::audit::limit;
use super::exports::has_file;
use super::recordings::{Beside, Row};
use super::scope::{Part, Scope};
use super::{Asked, invalid, number, unavailable};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json as answer;
use crate::http::limits;
use crate::http::request::Query;

/// `recordings`
pub(super) async fn list(asked: &Asked<'_>) -> Result<Response<Payload>, Problem> {
    let sent = Query::of(asked.call.parts);
    let query = read(&asked.scope, |name| Ok(sent.get(name)?))?;
    let cursor = sent.get("cursor")?.map(Cow::into_owned);
    let limit = limit(sent)?;
    let tenant = asked.scope.tenant;
    let page =
        asked.off_loop(move |storage| storage.search(tenant, &query, cursor.as_deref(), limit));
    let page = page.await?.map_err(problem)?;
    let rows = page.hits.into_iter().map(|hit| {
        let beside = Beside {
            tags: hit.tags,
            is_held: hit.is_held,
            notes: hit.notes,
        };
        Row::new(asked, &hit.recording, &beside)
    });
    answer(&json!({
        "recordings": rows.collect::<Vec<_>>(),
        "next": page.next,
        "previous": page.previous,
    }))
}

/// What is looked for within a scope. `get` gives what was sent under a name.
fn read<'a>(
    scope: &Scope,
    get: impl Fn(&'static str) -> Result<Option<Cow<'a, str>>, Problem>,
) -> Result<SearchQuery, Problem> {
    let filled = |name| {
        let value: Option<Cow<'a, str>> = get(name)?;
        Ok::<_, Problem>(value.filter(|value| !value.is_empty()))
    };
    let whole = |name| match filled(name)? {
        None => Ok(None),
        Some(text) => match number(&text) {
            Some(number) => Ok(Some(number)),
            None => Err(invalid(name, "it is a whole number")),
        },
    };
    Ok(SearchQuery {
        scope: seen(scope)?,
        order: match filled("order")?.as_deref() {
            None | Some("desc") => Order::NewestFirst,
            Some("asc") => Order::OldestFirst,
            Some(_) => return Err(invalid("order", "it is desc or asc")),
        },
        since: whole("from")?.map(WallMillis),
        until: whole("to")?.map(WallMillis),
        number: named(filled("number")?, "number", Digits::new)?,
        line: named(filled("line")?, "line", |text| LineName::new(text))?,
        agent: named(filled("agent")?, "agent", |text| AgentName::new(text))?,
        direction: match filled("direction")?.as_deref() {
            None => None,
            Some("in") => Some(CallDirection::In),
            Some("out") => Some(CallDirection::Out),
            Some(_) => return Err(invalid("direction", "it is in or out")),
        },
        min_ms: whole("min_ms")?,
        max_ms: whole("max_ms")?,
        tags: list_of(filled("tag")?, |text| {
            Tag::new(text).map_err(|error| invalid("tag", error))
        })?,
        words: named(filled("q")?, "q", NoteWords::new)?.filter(|words| !words.is_empty()),
        states: match filled("state")? {
            // What ended without anything worth keeping is nothing to find.
            None => vec![
                RecordingState::Live,
                RecordingState::Stored,
                RecordingState::Failed,
            ],
            states => list_of(states, state)?,
        },
        held: match filled("held")?.as_deref() {
            None => None,
            Some("1" | "true") => Some(true),
            Some("0" | "false") => Some(false),
            Some(_) => return Err(invalid("held", "it is 1 or 0")),
        },
    })
}

fn state(text: &str) -> Result<RecordingState, Problem> {
    match text {
        "live" => Ok(RecordingState::Live),
        "sealed" => Ok(RecordingState::Stored),
        "damaged" => Ok(RecordingState::Failed),
        "absent" => Ok(RecordingState::Absent),
        _ => Err(invalid("state", "it is live, sealed, damaged or absent")),
    }
}

/// A value of one kind.
fn named<T, E: std::fmt::Display>(
    text: Option<Cow<'_, str>>,
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, Problem> {
    let parsed = text.map(|text| parse(&text)).transpose();
    parsed.map_err(|error| invalid(name, error))
}

/// Values with commas between them.
fn list_of<T>(
    text: Option<Cow<'_, str>>,
    parse: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    let text = text.unwrap_or_default();
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts.map(parse).collect()
}

/// A scope in the store's words.
fn seen(scope: &Scope) -> Result<Seen, Problem> {
    Ok(match &scope.part {
        Part::All => Seen::Tenant,
        Part::Lines(lines) => Seen::Of {
            agents: Vec::new(),
            lines: lines.iter().cloned().collect(),
        },
        Part::Own { agent, line } => Seen::Of {
            agents: vec![AgentName::new(agent.as_str()).map_err(Problem::internal)?],
            lines: line.iter().cloned().collect(),
        },
    })
}

fn problem(error: SearchError) -> Problem {
    match &error {
        SearchError::Digits => invalid("number", &error),
        SearchError::Words => invalid("q", &error),
        SearchError::Names => invalid("tag", &error),
        SearchError::Cursor => invalid("cursor", &error),
        SearchError::TextNotReady | SearchError::TextBroken => {
            unavailable(error.to_string()).retry_after(limits::EVENT_RETRY)
        }
        SearchError::Read(_) => Problem::internal(error),
    }
}

/// How the recordings of a search are found when their turn comes: those with a file, at most so
/// many.
pub(super) fn all_of(
    scope: &Scope,
    sent: &serde_json::Map<String, Value>,
    most: usize,
) -> Result<impl FnOnce(&StorageHandle) -> Result<Vec<Recording>, String> + Send + use<>, Problem> {
    if let Some(strange) = sent.keys().find(|name| !NAMES.contains(&name.as_str())) {
        let said: String = strange.chars().take(64).collect();
        return Err(invalid(
            "query",
            format_args!("there is no filter '{said}'"),
        ));
    }
    let query = read(scope, |name| match sent.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(Cow::Borrowed(text.as_str()))),
        Some(Value::Number(number)) => Ok(Some(number.to_string().into())),
        Some(Value::Bool(is)) => Ok(Some(Cow::Borrowed(if *is { "1" } else { "0" }))),
        Some(_) => Err(invalid(
            "query",
            format_args!("{name} is a text or a number"),
        )),
    })?;
    let tenant = scope.tenant;
    Ok(move |storage: &StorageHandle| {
        let (mut rows, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = storage.search(tenant, &query, cursor.as_deref(), limits::PAGE_ROWS);
            let page = page.map_err(|error| error.to_string())?;
            let found = page.hits.into_iter().map(|hit| hit.recording);
            rows.extend(found.filter(has_file));
            if rows.len() > most {
                return Err(format!(
                    "there are more than {most} such recordings: make several"
                ));
            }
            cursor = page.next;
            if cursor.is_none() {
                return match rows.is_empty() {
                    true => Err("there are no such recordings".to_owned()),
                    false => Ok(rows),
                };
            }
        }
    })
}

/// What a search is made of.
const NAMES: [&str; 13] = [
    "order",
    "from",
    "to",
    "number",
    "line",
    "agent",
    "direction",
    "min_ms",
    "max_ms",
    "tag",
    "q",
    "state",
    "held",
];
