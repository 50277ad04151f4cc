//! What is changed of recordings: tags, holds, minimums, and deletion. The ledger tells each, with
//! who did it and from where, in the commit that makes it.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body::Body;
use serde::Deserialize;
use serde_json::json;
use storage::error::DeleteError;
use storage::ids::{RecordingId, Tag};
use storage::limits::{REASON_MAX, TAGS_MAX};
use storage::record::WallMillis;
use storage::retention::{KeepError, NewHold};

use super::recordings::{find, hold_of};
use super::scope::Right;
use super::{Asked, body, conflict, invalid, no_such, number, recording_id, unavailable};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json as answer;
use crate::http::limits;

/// `{tags:[…]}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tags {
    tags: Vec<String>,
}

/// `{reason}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: String,
}

/// `{at}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Until {
    at: u64,
}

/// `POST|DELETE recordings/{id}/tags`
pub(super) async fn tags<B>(
    asked: &Asked<'_>,
    raw: &str,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let id = recording_id(raw)?;
    let wish: Tags = body::read(asked.call, body).await?;
    if wish.tags.is_empty() || wish.tags.len() > TAGS_MAX {
        return Err(invalid("tags", format_args!("give 1 to {TAGS_MAX}")));
    }
    let parsed = wish.tags.into_iter().map(Tag::new);
    let tags: Vec<Tag> = parsed
        .collect::<Result<_, _>>()
        .map_err(|error| invalid("tags", error))?;
    let row = find(asked, id).await?;
    let adds = asked.call.parts.method == Method::POST;
    let (tenant, warrant) = (row.facts.tenant, asked.warrant(None));
    let done = asked.off_loop(move |storage| {
        let storage = storage.acting(warrant);
        if adds {
            storage.add_tags(tenant, id, tags)
        } else {
            storage.remove_tags(tenant, id, tags, false)
        }
    });
    let (_, after) = done.await?.map_err(|error| keep_problem(error, "tags"))?;
    let tags: Vec<String> = after.tags.iter().map(ToString::to_string).collect();
    answer(&json!({ "tags": tags }))
}

/// `POST recordings/{id}/holds`
pub(super) async fn hold<B>(
    asked: &Asked<'_>,
    raw: &str,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let id = recording_id(raw)?;
    let wish = reason(asked, body).await?;
    let row = find(asked, id).await?;
    let (tenant, warrant) = (row.facts.tenant, asked.warrant(None));
    let set = asked.off_loop(move |storage| storage.acting(warrant).set_hold(tenant, id, wish));
    let hold = set.await?.map_err(|error| keep_problem(error, "reason"))?;
    let mut response = answer(&json!({ "hold": hold_of(&hold) }))?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// `POST recordings/{id}/holds/{hold}/lift`: one's own, or anybody's where the role allows it.
pub(super) async fn lift<B>(
    asked: &Asked<'_>,
    raw: &str,
    hold: &str,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let id = recording_id(raw)?;
    let hold = number(hold).and_then(|hold| u32::try_from(hold).ok());
    let hold = hold.ok_or_else(|| no_such("hold"))?;
    let wish = reason(asked, body).await?;
    let row = find(asked, id).await?;
    let tenant = row.facts.tenant;
    let kept = asked.off_loop(move |storage| storage.keeping(tenant, id));
    let kept = kept.await?.map_err(Problem::internal)?.unwrap_or_default();
    let held = kept.holds.iter().find(|held| held.id == hold);
    let held = held.ok_or_else(|| no_such("hold"))?;
    // Names of users have no case.
    if !held
        .by
        .eq_ignore_ascii_case(asked.person.user.name.as_str())
    {
        asked.can.must(Right::LiftAny)?;
    }
    let warrant = asked.warrant(None);
    let lifted =
        asked.off_loop(move |storage| storage.acting(warrant).lift_hold(tenant, id, hold, wish));
    let lifted = lifted
        .await?
        .map_err(|error| keep_problem(error, "reason"))?;
    answer(&json!({ "hold": hold_of(&lifted) }))
}

/// `POST recordings/{id}/keep-until`
pub(super) async fn keep_until<B>(
    asked: &Asked<'_>,
    raw: &str,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let id = recording_id(raw)?;
    let wish: Until = body::read(asked.call, body).await?;
    let row = find(asked, id).await?;
    let (tenant, warrant) = (row.facts.tenant, asked.warrant(None));
    let until = WallMillis(wish.at);
    let kept = asked.off_loop(move |storage| storage.acting(warrant).keep_until(tenant, id, until));
    let (_, after) = kept.await?.map_err(|error| keep_problem(error, "at"))?;
    answer(&json!({ "keep_until": after.keep_until }))
}

/// `DELETE recordings/{id}`
pub(super) async fn delete<B>(
    asked: &Asked<'_>,
    raw: &str,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let id = recording_id(raw)?;
    let wish = reason(asked, body).await?;
    let row = find(asked, id).await?;
    let (tenant, warrant) = (row.facts.tenant, asked.warrant(Some(wish.reason)));
    let deleted = asked.off_loop(move |storage| storage.acting(warrant).delete(tenant, id));
    deleted.await?.map_err(|error| delete_problem(id, error))?;
    log::info!(
        recording = id.0, user = asked.person.user.name.as_str();
        "recording {id} deleted on the page"
    );
    let at = asked.call.worker.site.clock.wall();
    answer(&json!({ "deleted_at": at.0 }))
}

/// A reason, and who gives it.
async fn reason<B>(asked: &Asked<'_>, body: B) -> Result<NewHold, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let wish: Reason = body::read(asked.call, body).await?;
    let text = wish.reason.trim();
    let fits = text.chars().count() <= REASON_MAX && !text.chars().any(char::is_control);
    if text.is_empty() || !fits {
        return Err(invalid(
            "reason",
            format_args!("1 to {REASON_MAX} characters, none of them a control character"),
        ));
    }
    Ok(NewHold {
        reason: text.to_owned(),
        by: asked.person.user.name.to_string(),
    })
}

/// What is said of a change that was refused. `field` is what the request gave.
fn keep_problem(error: KeepError, field: &'static str) -> Problem {
    match &error {
        KeepError::NotFound(_) => no_such("recording"),
        KeepError::NoHold(..) => no_such("hold"),
        KeepError::NoReason | KeepError::NoActor | KeepError::Text | KeepError::TooFar(_) => {
            invalid(field, &error)
        }
        KeepError::TooManyHolds(_) | KeepError::TooManyTags => conflict(error.to_string()),
        KeepError::UntilShrinks { until, .. } => kept(&error).fact("keep_until", *until),
        KeepError::TagShrinks(_) => kept(&error),
        KeepError::Unreadable(_) | KeepError::Read(_) | KeepError::Write(_) => {
            Problem::internal(error)
        }
    }
}

/// 409 for what keeps a recording.
fn kept(why: &dyn std::error::Error) -> Problem {
    Problem::new(StatusCode::CONFLICT, "kept", why.to_string()).fact("why", why.to_string())
}

fn delete_problem(id: RecordingId, error: DeleteError) -> Problem {
    match &error {
        DeleteError::NotFound(_) => no_such("recording"),
        DeleteError::Live(_) => conflict("The call is still being recorded."),
        DeleteError::Kept(_, why) => {
            let message = format!("Recording {id} is not deleted: {why}.");
            Problem::new(StatusCode::CONFLICT, "kept", message).fact("why", why.to_string())
        }
        DeleteError::Suspended => conflict(error.to_string()),
        DeleteError::Place(_) => {
            unavailable("The disk with the recordings is not there; nothing is deleted.")
                .retry_after(limits::EVENT_HEARTBEAT)
                .because(error)
        }
        DeleteError::Read(_) | DeleteError::Write(_) | DeleteError::Io(_) => {
            Problem::internal(error)
        }
    }
}
