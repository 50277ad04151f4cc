//! Notes on recordings. A note is text and nothing else, whatever is in it: it goes out as JSON.

use audio_io::units::Millis;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body::Body;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::limits::NOTE_BYTES_MAX;
use storage::notes::{Note, NoteError};

use super::recordings::find;
use super::{Asked, body, conflict, invalid, no_such, number, recording_id};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json as answer;

/// `POST recordings/{id}/notes`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    #[serde(default)]
    at_ms: Option<u64>,
    text: String,
}

/// `PUT recordings/{id}/notes/{note}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    text: String,
}

/// A note as the page shows it.
pub(super) fn shown(note: &Note) -> Value {
    json!({
        "id": note.id.to_string(),
        "at_ms": note.at_ms,
        "text": note.text,
        "by": note.by,
        "at": note.at.0,
        "edited_at": note.edited_at.map(|at| at.0),
        "edited_by": note.edited_by,
    })
}

/// Writes a note.
pub(super) async fn write<B>(
    asked: &Asked<'_>,
    raw: &str,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let id = recording_id(raw)?;
    let wish: Write = body::read(asked.call, body).await?;
    let tenant = find(asked, id).await?.facts.tenant;
    let (by, warrant) = (asked.person.user.name.to_string(), asked.warrant(None));
    let at = wish.at_ms.map(Millis);
    let written = asked.off_loop(move |storage| {
        storage
            .acting(warrant)
            .add_note(tenant, id, at, &wish.text, &by)
    });
    let note = written.await?.map_err(problem)?;
    let mut response = answer(&shown(&note))?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Changes or deletes a note: one's own, or anybody's for administrators.
pub(super) async fn change<B>(
    asked: &Asked<'_>,
    raw: &str,
    note: &str,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let id = recording_id(raw)?;
    let note = number(note).and_then(|note| u32::try_from(note).ok());
    let note = note.ok_or_else(|| no_such("note"))?;
    let deletes = asked.call.parts.method == Method::DELETE;
    let wish: Option<Edit> = match deletes {
        true => None,
        false => Some(body::read(asked.call, body).await?),
    };
    let tenant = find(asked, id).await?.facts.tenant;
    let held = asked.off_loop(move |storage| storage.notes_of(tenant, id));
    let held = held.await?.map_err(Problem::internal)?.unwrap_or_default();
    let held = held.into_iter().find(|held| held.id == note);
    let held = held.ok_or_else(|| no_such("note"))?;
    let by = asked.person.user.name.to_string();
    if !held.by.eq_ignore_ascii_case(&by) && !asked.can.has(super::scope::Right::Admin) {
        let message = "This note is somebody else's; its writer or an administrator changes it.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", message));
    }
    let warrant = asked.warrant(None);
    let Some(wish) = wish else {
        let deleted = asked
            .off_loop(move |storage| storage.acting(warrant).delete_note(tenant, id, note, &by));
        deleted.await?.map_err(problem)?;
        let mut response = Response::new(Payload::Empty);
        *response.status_mut() = StatusCode::NO_CONTENT;
        return Ok(response);
    };
    let edited = asked.off_loop(move |storage| {
        let storage = storage.acting(warrant);
        storage.edit_note(tenant, id, note, &wish.text, &by)
    });
    answer(&shown(&edited.await?.map_err(problem)?))
}

fn problem(error: NoteError) -> Problem {
    match &error {
        NoteError::NotFound(_) => no_such("recording"),
        NoteError::NoNote(..) => no_such("note"),
        NoteError::TooLong(_) => {
            let message = format!("text: a note has at most {NOTE_BYTES_MAX} bytes.");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message).fact("field", "text")
        }
        NoteError::Empty | NoteError::Control => invalid("text", &error),
        NoteError::BeyondEnd(_) => invalid("at_ms", &error),
        NoteError::TooMany(_) => conflict(error.to_string()),
        NoteError::Actor | NoteError::Unreadable(..) | NoteError::Read(_) | NoteError::Write(_) => {
            Problem::internal(error)
        }
    }
}
