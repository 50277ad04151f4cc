//! The audit trail: who did what, newest first, and the key that proves it. Whoever oversees all
//! tenants reads all of it; others what concerns their tenant.

use http::Response;
use serde_json::{Value, json};
use storage::error::ReadError;
use storage::handle::StorageHandle;
use storage::ledger::entry::{ActorKind, Entry, Kind};
use storage::ledger::query::{AuditCursor, AuditFilter, Person};
use storage::record::WallMillis;

use super::scope::Right;
use super::{Asked, invalid, no_such, number};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json as answer;
use crate::http::limits;
use crate::http::request::Query;

/// `audit`
pub(super) async fn list(asked: &Asked<'_>) -> Result<Response<Payload>, Problem> {
    let query = Query::of(asked.call.parts);
    let all = asked.can.has(Right::Tenants);
    let filter = AuditFilter {
        who: query.get("person")?.map(|text| person(&text)).transpose()?,
        recording: match query.get("recording")? {
            None => None,
            Some(text) => Some(
                super::recording_id(&text)
                    .map_err(|_| invalid("recording", "it is a recording's id"))?,
            ),
        },
        tenant: (!all).then_some(asked.scope.tenant),
        kinds: match query.get("kind")? {
            None => Vec::new(),
            Some(text) => text
                .split(',')
                .map(|kind| kind.parse::<Kind>().map_err(|error| invalid("kind", error)))
                .collect::<Result<_, _>>()?,
        },
        since: time(query, "from")?,
        until: time(query, "to")?,
    };
    let after = query.get("cursor")?.map(|text| cursor(&text)).transpose()?;
    let limit = limit(query)?;
    let page = asked.off_loop(move |storage| {
        let page = storage.audit(&filter, after, limit)?;
        let entries = page.entries.iter().map(|entry| shown(storage, entry));
        let entries = entries.collect::<Result<Vec<Value>, ReadError>>()?;
        Ok::<_, ReadError>((entries, page.next))
    });
    let (entries, next) = page.await?.map_err(Problem::internal)?;
    let next = next.map(|next| format!("{}-{}", next.at.0, next.seq));
    answer(&json!({ "entries": entries, "next": next }))
}

/// An entry, with the hash after it.
fn shown(storage: &StorageHandle, entry: &Entry) -> Result<Value, ReadError> {
    let hash = storage
        .audit_entry(entry.seq)?
        .map(|(_, hash)| hash.to_string());
    let tenant = entry.tenant.and_then(|tenant| storage.tenant(tenant));
    Ok(json!({
        "seq": entry.seq,
        "at": entry.at.0,
        "kind": entry.kind.name(),
        "who": entry.who.as_ref().map(|who| json!({
            "kind": who.kind.name(),
            "id": who.id.map(|id| id.to_string()),
            "name": who.name,
        })),
        "from": entry.from,
        "recording": entry.recording.map(|id| id.to_string()),
        "tenant": tenant.map(|tenant| tenant.name.to_string()),
        "details": entry.details,
        "hash": hash,
    }))
}

/// `audit/key`
pub(super) fn key(asked: &Asked<'_>) -> Result<Response<Payload>, Problem> {
    let key = asked.call.worker.site.storage.ledger_key();
    let key = key.ok_or_else(|| no_such("key: none has signed anything yet"))?;
    answer(&json!({ "key_id": key.id().to_string(), "public_key_pem": key.to_pem() }))
}

/// A name, or `user:7`: a kind and a number.
fn person(text: &str) -> Result<Person, Problem> {
    let kinds = [
        ActorKind::User,
        ActorKind::Key,
        ActorKind::Link,
        ActorKind::Command,
        ActorKind::System,
    ];
    if let Some((kind, id)) = text.split_once(':')
        && let Some(kind) = kinds.into_iter().find(|it| it.name() == kind)
        && let Some(id) = number(id)
    {
        return Ok(Person::Number(kind, id));
    }
    if text.is_empty() {
        return Err(invalid(
            "person",
            "it is a name, or a kind and a number such as user:7",
        ));
    }
    Ok(Person::Name(text.to_owned()))
}

fn cursor(text: &str) -> Result<AuditCursor, Problem> {
    let read = text.split_once('-').and_then(|(at, seq)| {
        Some(AuditCursor {
            at: WallMillis(number(at)?),
            seq: number(seq)?,
        })
    });
    read.ok_or_else(|| invalid("cursor", "it is none that an answer gave"))
}

/// A time in a query, in milliseconds since 1970.
pub(super) fn time(query: Query<'_>, name: &'static str) -> Result<Option<WallMillis>, Problem> {
    let Some(text) = query.get(name)? else {
        return Ok(None);
    };
    let at = number(&text).ok_or_else(|| invalid(name, "it is milliseconds since 1970"))?;
    Ok(Some(WallMillis(at)))
}

/// How many rows are wanted.
pub(super) fn limit(query: Query<'_>) -> Result<usize, Problem> {
    let Some(text) = query.get("limit")? else {
        return Ok(limits::PAGE_ROWS_DEFAULT);
    };
    let most = limits::PAGE_ROWS;
    number(&text)
        .and_then(|limit| usize::try_from(limit).ok())
        .filter(|limit| (1..=most).contains(limit))
        .ok_or_else(|| invalid("limit", format_args!("it is 1 to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_names_or_numbers_of_a_kind() {
        assert_eq!(
            person("user:7").ok(),
            Some(Person::Number(ActorKind::User, 7))
        );
        for name in ["anna", "user:", "user:x", "nobody:7", "a:b"] {
            assert_eq!(person(name).ok(), Some(Person::Name(name.to_owned())));
        }
        assert!(person("").is_err());
    }

    #[test]
    fn cursors_have_one_spelling() {
        let at = cursor("5-7").unwrap();
        assert_eq!((at.at.0, at.seq), (5, 7));
        for bad in [
            "",
            "-",
            "5",
            "5-",
            "-7",
            "05-7",
            "5-7-9",
            "5-99999999999999999999",
        ] {
            assert!(cursor(bad).is_err(), "{bad}");
        }
    }
}
