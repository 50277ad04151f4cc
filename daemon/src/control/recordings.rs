//! Listing, showing, deleting and exporting recordings, by any of their names.

use bytes::Bytes;
use storage::handle::{Cursor, ListFilter, Page, StorageHandle};
use storage::ids::{
    CallSid, ExternalId, Number, RecordingId, RecordingName, Tag, TenantId, TenantName,
};
use storage::ledger::entry::{Act, Kind};
use storage::record::{Recording, RecordingState, WallMillis};
use storage::view::RecordingView;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::answer::{Answer, Pieces, Refusal, ok, streamed};
use super::convert::parse_time;
use super::limits::{PAGE_DEFAULT, PAGE_MAX, PIECE_BYTES, PIECES_MAX};
use super::select::{Fit, fitting_page, tagged_page};
use super::serve::{Desk, blocking};
use super::wire::{self, Deleted, ErrorCode};
use super::{convert, keeping, tenants};

/// A recording as someone named it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    name: String,
    tenant: Option<TenantName>,
}

impl Wanted {
    pub(super) fn new(name: String, tenant: Option<TenantName>) -> Self {
        Self { name, tenant }
    }

    fn parse(name: String, query: Option<&str>) -> Result<Self, Refusal> {
        let query = super::route::Query::parse(query, &["tenant"])?;
        Ok(Self::new(
            name,
            query.get("tenant", |text| TenantName::new(text))?,
        ))
    }

    /// The names that the text may be, likeliest first.
    pub(super) fn readings(&self) -> Vec<RecordingName> {
        let text = self.name.as_str();
        let mut readings = Vec::new();
        readings.extend(text.parse().map(|id| RecordingName::Recid(RecordingId(id))));
        readings.extend(CallSid::new(text).map(RecordingName::CallSid));
        if let Ok(uuid) = text.parse::<Uuid>() {
            readings.extend([RecordingName::Task(uuid), RecordingName::Session(uuid)]);
        }
        readings.extend(ExternalId::new(text).map(RecordingName::CrtObject));
        readings
    }
}

/// Finds a recording and its tenant's name.
///
/// # Errors
/// `not_found`
pub(super) async fn find(desk: &Desk, wanted: Wanted) -> Result<(Recording, String), Refusal> {
    let storage = desk.app.storage.clone();
    blocking(move || find_now(&storage, &wanted)).await
}

/// The same, on a thread that may block.
///
/// # Errors
/// `not_found`
pub(super) fn find_now(
    storage: &StorageHandle,
    wanted: &Wanted,
) -> Result<(Recording, String), Refusal> {
    let tenants = storage.tenants()?;
    let searched = match &wanted.tenant {
        Some(name) => std::slice::from_ref(tenants::by_name(&tenants, name)?),
        None => tenants.as_slice(),
    };
    for reading in wanted.readings() {
        for tenant in searched {
            if let Some(recording) = storage.find(tenant.id, &reading)? {
                return Ok((recording, tenant.name.to_string()));
            }
        }
    }
    let message = format!(
        "no recording is named '{}'; 'callreel recordings list' shows those there are",
        wanted.name
    );
    Err(Refusal::new(ErrorCode::NotFound, message))
}

pub(super) async fn show(
    desk: &Desk,
    name: String,
    query: Option<&str>,
) -> Result<Answer, Refusal> {
    let (recording, tenant) = find(desk, Wanted::parse(name, query)?).await?;
    let storage = desk.app.storage.clone();
    let shown = blocking(move || {
        let retained = keeping::retained(&storage, &recording)?;
        Ok::<_, Refusal>(wire::Recording {
            retained: Some(retained),
            ..convert::recording(&recording, &tenant)
        })
    });
    ok(&shown.await?)
}

pub(super) async fn delete(
    desk: &Desk,
    name: String,
    query: Option<&str>,
) -> Result<Answer, Refusal> {
    let (recording, tenant) = find(desk, Wanted::parse(name, query)?).await?;
    let facts = recording.facts;
    let storage = desk.app.storage.clone();
    blocking(move || storage.delete(facts.tenant, facts.id)).await?;
    log::info!(recording = facts.id.0, tenant = tenant.as_str(); "recording deleted by command");
    ok(&Deleted {
        recid: facts.id.to_string(),
    })
}

/// What a list asks for.
struct ListWish {
    tenant: Option<TenantName>,
    fit: Fit,
    tag: Option<Tag>,
    after: Option<Cursor>,
    limit: usize,
}

impl ListWish {
    fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let known = [
            "tenant", "state", "line", "since", "until", "tag", "number", "cursor", "limit",
        ];
        let query = super::route::Query::parse(query, &known)?;
        let limit = query
            .get("limit", str::parse::<usize>)?
            .unwrap_or(PAGE_DEFAULT);
        let states = query.get("state", |text| {
            text.split(',')
                .map(parse_state)
                .collect::<Result<Vec<_>, _>>()
        })?;
        Ok(Self {
            tenant: query.get("tenant", |text| TenantName::new(text))?,
            fit: Fit {
                filter: ListFilter {
                    states: states.unwrap_or_default(),
                    line: query.get("line", |text| storage::ids::LineName::new(text))?,
                    since: query.get("since", parse_time)?,
                    until: query.get("until", parse_time)?,
                },
                number: query.get("number", |text| Number::new(text))?,
            },
            tag: query.get("tag", |text| Tag::new(text))?,
            after: query.get("cursor", parse_cursor)?,
            limit: limit.clamp(1, PAGE_MAX),
        })
    }
}

pub(super) async fn list(desk: &Desk, query: Option<&str>) -> Result<Answer, Refusal> {
    let wish = ListWish::parse(query)?;
    let storage = desk.app.storage.clone();
    let page = blocking(move || {
        let tenants = storage.tenants()?;
        let listed = match &wish.tenant {
            Some(name) => std::slice::from_ref(tenants::by_name(&tenants, name)?),
            None => tenants.as_slice(),
        };
        let page = |tenant: TenantId| match &wish.tag {
            Some(tag) => tagged_page(&storage, (tenant, tag), &wish.fit, wish.after, wish.limit),
            None => fitting_page(&storage, tenant, &wish.fit, wish.after, wish.limit),
        };
        let pages = listed
            .iter()
            .map(|tenant| page(tenant.id))
            .collect::<Result<Vec<_>, _>>()?;
        let merged = merge(pages, wish.limit);
        Ok::<_, Refusal>(wire::Page {
            items: merged
                .recordings
                .iter()
                .map(|recording| {
                    let tenant = convert::tenant_name(recording.facts.tenant, &tenants);
                    convert::recording(recording, &tenant)
                })
                .collect(),
            next: merged
                .next
                .map(|cursor| format!("{}.{}", cursor.started_at.0, cursor.id)),
        })
    });
    ok(&page.await?)
}

/// Joins one page a tenant into one page, newest first. A page that ended before its tenant did
/// says nothing about what is older than its end, so the joined page ends there too.
fn merge(pages: Vec<Page>, limit: usize) -> Page {
    let newest_end = pages
        .iter()
        .filter_map(|page| page.next)
        .max_by_key(|cursor| (cursor.started_at, cursor.id));
    let place = |recording: &Recording| (recording.facts.started_at, recording.facts.id);
    let mut recordings: Vec<Recording> = pages.into_iter().flat_map(|p| p.recordings).collect();
    if let Some(end) = newest_end {
        recordings.retain(|recording| place(recording) >= (end.started_at, end.id));
    }
    recordings.sort_by_key(|recording| std::cmp::Reverse(place(recording)));
    let cut = recordings.len() > limit;
    recordings.truncate(limit);
    let last = recordings.last().map(place);
    let next = match last {
        Some((started_at, id)) if cut => Some(Cursor { started_at, id }),
        _ => newest_end,
    };
    Page { recordings, next }
}

fn parse_state(text: &str) -> Result<RecordingState, &'static str> {
    match text {
        "live" => Ok(RecordingState::Live),
        "stored" => Ok(RecordingState::Stored),
        "absent" => Ok(RecordingState::Absent),
        "failed" => Ok(RecordingState::Failed),
        _ => Err("a state is live, stored, absent or failed; several are separated by commas"),
    }
}

fn parse_cursor(text: &str) -> Result<Cursor, &'static str> {
    let parsed = text.split_once('.').and_then(|(started_at, id)| {
        let started_at = WallMillis(started_at.parse().ok()?);
        Some(Cursor {
            started_at,
            id: RecordingId(id.parse().ok()?),
        })
    });
    parsed.ok_or("give the 'next' of the page before, unchanged")
}

pub(super) async fn audio(
    desk: &Desk,
    name: String,
    query: Option<&str>,
) -> Result<Answer, Refusal> {
    let (recording, _) = find(desk, Wanted::parse(name, query)?).await?;
    let view = desk.app.storage.view(&recording).await?;
    let facts = &recording.facts;
    desk.tell(Act::new(Kind::Download).on(facts.tenant, facts.id));
    Ok(stream(view))
}

/// An answer with the bytes of a view, its length told first.
pub(super) fn stream(view: RecordingView) -> Answer {
    let (pieces, receiver) = mpsc::channel(PIECES_MAX);
    let media_type = view.container().media_type();
    let length = view.len();
    tokio::task::spawn_blocking(move || copy(&view, &pieces));
    let mut answer = streamed(media_type, Pieces(receiver));
    answer
        .headers_mut()
        .insert(hyper::header::CONTENT_LENGTH, length.into());
    answer
}

/// Reads a recording piece by piece until its end, an error, or nobody listens.
fn copy(view: &RecordingView, pieces: &mpsc::Sender<std::io::Result<Bytes>>) {
    let (header, mut offset) = view.layout();
    let mut at = header;
    if header > 0
        && pieces
            .blocking_send(Ok(view.slices(0..header).header))
            .is_err()
    {
        return;
    }
    while at < view.len() {
        #[allow(clippy::cast_possible_truncation, reason = "at most PIECE_BYTES")]
        let mut piece = vec![0; (view.len() - at).min(PIECE_BYTES) as usize];
        let read = match view.mapping().read_at(offset, &mut piece) {
            Ok(0) => Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => read,
        };
        let failed = read.is_err();
        let piece = read.map(|read| {
            piece.truncate(read);
            (at, offset) = (at + read as u64, offset + read as u64);
            Bytes::from(piece)
        });
        if pieces.blocking_send(piece).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_be_several_names() {
        let readings = |text: &str| Wanted::new(text.into(), None).readings();
        assert_eq!(readings("7")[0], RecordingName::Recid(RecordingId(7)));
        assert!(matches!(readings("7")[1], RecordingName::CrtObject(_)));
        assert!(matches!(readings("call_ab")[0], RecordingName::CallSid(_)));
        let uuid = "550e8400-e29b-41d4-a716-446655440000";
        assert!(matches!(
            readings(uuid)[..2],
            [RecordingName::Task(_), RecordingName::Session(_)]
        ));
        assert!(readings("a/b").is_empty());
    }

    #[test]
    fn cursors_come_back_as_they_were_given() {
        let cursor = parse_cursor("1700000000000.42").expect("a cursor");
        assert_eq!(
            cursor,
            Cursor {
                started_at: WallMillis(1_700_000_000_000),
                id: RecordingId(42)
            }
        );
        for bad in ["", "1", "1.x", "x.1"] {
            assert!(parse_cursor(bad).is_err(), "{bad}");
        }
    }
}
