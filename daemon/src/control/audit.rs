//! The audit trail: asked through the daemon, or of a store that no daemon has open.

use std::path::Path;

use storage::error::{CheckError, ReadError};
use storage::handle::StorageHandle;
use storage::ids::{CallSid, RecordingId, RecordingName, TenantId, TenantName};
use storage::ledger::api::NoProof;
use storage::ledger::chain::Hash;
use storage::ledger::checkpoint::Checkpoint;
use storage::ledger::entry::{Actor, ActorKind, Entry, Kind};
use storage::ledger::key::PublicKey;
use storage::ledger::offline::OfflineLedger;
use storage::ledger::proof::ChainProof;
use storage::ledger::query::{AuditCursor, AuditFilter, Person};
use storage::record::{Tenant, WallMillis};

use super::answer::{Answer, Refusal, ok};
use super::convert::{parse_time, tenant_name};
use super::limits::{AUDIT_PAGE_DEFAULT, PAGE_MAX};
use super::recordings::Wanted;
use super::route::Query;
use super::serve::{Desk, blocking};
use super::tenants;
use super::upkeep::UpkeepError;
use super::wire::{self, ErrorBody, ErrorCode};
use crate::logging::rfc3339;

/// Which entries are wanted, in the words of the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditWish {
    /// A name, or a kind and a number: `user:3`, `key:7`, `command:1000`.
    pub person: Option<String>,
    /// A recording's number, be it there or deleted; or any name of one that is there.
    pub recording: Option<String>,
    /// Only this tenant's.
    pub tenant: Option<TenantName>,
    /// Only what happened at or after this.
    pub from: Option<String>,
    /// Only what happened at or before this.
    pub to: Option<String>,
    /// Kinds, separated by commas.
    pub kind: Option<String>,
    /// The 'next' of the page before.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

impl AuditWish {
    /// As parameters of `GET /audit`.
    #[must_use]
    pub fn parameters(&self) -> [(&'static str, Option<String>); 8] {
        [
            ("person", self.person.clone()),
            ("recording", self.recording.clone()),
            ("tenant", self.tenant.as_ref().map(ToString::to_string)),
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("kind", self.kind.clone()),
            ("cursor", self.cursor.clone()),
            ("limit", self.limit.map(|limit| limit.to_string())),
        ]
    }

    fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let known = Self::default().parameters().map(|(name, _)| name);
        let query = Query::parse(query, &known)?;
        let text = |name| {
            query.get(name, |text| {
                Ok::<_, std::convert::Infallible>(text.to_owned())
            })
        };
        Ok(Self {
            person: text("person")?,
            recording: text("recording")?,
            tenant: query.get("tenant", |text| TenantName::new(text))?,
            from: text("from")?,
            to: text("to")?,
            kind: text("kind")?,
            cursor: text("cursor")?,
            limit: query.get("limit", str::parse::<usize>)?,
        })
    }
}

/// What can be asked: the running store, or one at rest.
trait Trail {
    fn page(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<storage::ledger::query::AuditPage, ReadError>;
    fn entry(&self, seq: u64) -> Result<Option<(Entry, Hash)>, ReadError>;
    fn proof(&self, seq: u64) -> Result<ChainProof, NoProof>;
    fn tenants(&self) -> Result<Vec<Tenant>, ReadError>;
    fn find(
        &self,
        tenant: TenantId,
        name: &RecordingName,
    ) -> Result<Option<RecordingId>, ReadError>;
}

impl Trail for StorageHandle {
    fn page(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<storage::ledger::query::AuditPage, ReadError> {
        self.audit(filter, after, limit)
    }

    fn entry(&self, seq: u64) -> Result<Option<(Entry, Hash)>, ReadError> {
        self.audit_entry(seq)
    }

    fn proof(&self, seq: u64) -> Result<ChainProof, NoProof> {
        self.proof_of(seq)
    }

    fn tenants(&self) -> Result<Vec<Tenant>, ReadError> {
        Self::tenants(self)
    }

    fn find(
        &self,
        tenant: TenantId,
        name: &RecordingName,
    ) -> Result<Option<RecordingId>, ReadError> {
        let row = Self::find(self, tenant, name)?;
        Ok(row.map(|row| row.facts.id))
    }
}

impl Trail for OfflineLedger {
    fn page(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: usize,
    ) -> Result<storage::ledger::query::AuditPage, ReadError> {
        self.audit(filter, after, limit)
    }

    fn entry(&self, seq: u64) -> Result<Option<(Entry, Hash)>, ReadError> {
        self.audit_entry(seq)
    }

    fn proof(&self, seq: u64) -> Result<ChainProof, NoProof> {
        self.proof_of(seq)
    }

    fn tenants(&self) -> Result<Vec<Tenant>, ReadError> {
        Self::tenants(self)
    }

    fn find(
        &self,
        tenant: TenantId,
        name: &RecordingName,
    ) -> Result<Option<RecordingId>, ReadError> {
        Self::find(self, tenant, name)
    }
}

/// The audit trail of a store at rest; no daemon can open the store meanwhile.
pub struct OfflineTrail(OfflineLedger);

impl OfflineTrail {
    /// Opens the data folder; `checkpoints` is their folder where it is another than by default.
    ///
    /// # Errors
    /// [`UpkeepError::Check`]: another process has it open, or it cannot be read.
    pub fn open(data_dir: &Path, checkpoints: Option<&Path>) -> Result<Self, UpkeepError> {
        let opened = OfflineLedger::open(data_dir, checkpoints);
        opened
            .map(Self)
            .map_err(|error| CheckError::Open(error).into())
    }

    /// A page.
    ///
    /// # Errors
    /// As the daemon would refuse it.
    pub fn page(&self, wish: &AuditWish) -> Result<wire::AuditPage, ErrorBody> {
        page(&self.0, wish).map_err(|refusal| refusal.0)
    }

    /// An entry with its proof.
    ///
    /// # Errors
    /// As the daemon would refuse it.
    pub fn entry(&self, seq: u64) -> Result<wire::AuditProof, ErrorBody> {
        proved(&self.0, seq).map_err(|refusal| refusal.0)
    }

    /// The public key.
    ///
    /// # Errors
    /// As the daemon would refuse it.
    pub fn key(&self) -> Result<wire::AuditKey, ErrorBody> {
        public(self.0.ledger_key(), None).map_err(|refusal| refusal.0)
    }
}

pub(super) async fn list(desk: &Desk, query: Option<&str>) -> Result<Answer, Refusal> {
    let wish = AuditWish::parse(query)?;
    let storage = desk.app.storage.clone();
    ok(&blocking(move || page(&storage, &wish)).await?)
}

pub(super) async fn show(desk: &Desk, seq: u64) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    ok(&blocking(move || proved(&storage, seq)).await?)
}

pub(super) async fn key(desk: &Desk) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let key = blocking(move || public(storage.ledger_key(), Some(storage.checkpoints_dir())));
    ok(&key.await?)
}

/// Signs how far the ledger is now, if that is not signed already.
pub(super) async fn checkpoint(desk: &Desk) -> Result<Answer, Refusal> {
    let storage = desk.app.storage.clone();
    let made = blocking(move || {
        let seq = storage.ledger_status()?.end.seq;
        let proof = storage.proof_of(seq)?;
        made(&proof.checkpoint)
    });
    ok(&made.await?)
}

impl From<NoProof> for Refusal {
    fn from(error: NoProof) -> Self {
        let code = match &error {
            NoProof::NoEntry(_) => ErrorCode::NotFound,
            NoProof::NoCheckpoint { .. } | NoProof::Chain(_) => ErrorCode::Unusable,
            NoProof::Read(_) => return Self::internal(&error),
        };
        Self::new(code, error.to_string())
    }
}

fn made(line: &str) -> Result<wire::MadeCheckpoint, Refusal> {
    let checkpoint = Checkpoint::parse(line).map_err(|error| Refusal::internal(&error))?;
    Ok(wire::MadeCheckpoint {
        seq: checkpoint.end.seq,
        at: rfc3339(checkpoint.at),
        key_id: checkpoint.key.to_string(),
        line: line.to_owned(),
    })
}

fn public(key: Option<PublicKey>, folder: Option<&Path>) -> Result<wire::AuditKey, Refusal> {
    let none = || {
        let message = "the ledger has no signing key yet: the daemon makes it at its start";
        Refusal::new(ErrorCode::NotFound, message)
    };
    let key = key.ok_or_else(none)?;
    Ok(wire::AuditKey {
        key_id: key.id().to_string(),
        sha256: Hash::of(&key.0).to_string(),
        pem: key.to_pem(),
        checkpoints: folder.map(|folder| folder.display().to_string()),
    })
}

fn page(trail: &dyn Trail, wish: &AuditWish) -> Result<wire::AuditPage, Refusal> {
    let tenants = trail.tenants()?;
    let filter = filter(trail, &tenants, wish)?;
    let after = given("cursor", wish.cursor.as_deref(), parse_cursor)?;
    let limit = wish.limit.unwrap_or(AUDIT_PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let page = trail.page(&filter, after, limit)?;
    Ok(wire::AuditPage {
        items: page.entries.iter().map(|it| entry(it, &tenants)).collect(),
        next: page.next.map(|next| format!("{}.{}", next.at.0, next.seq)),
    })
}

fn proved(trail: &dyn Trail, seq: u64) -> Result<wire::AuditProof, Refusal> {
    let Some((found, hash)) = trail.entry(seq)? else {
        return Err(NoProof::NoEntry(seq).into());
    };
    let (proof, unproved) = match trail.proof(seq) {
        Ok(proof) => (Some(proof), None),
        Err(NoProof::Read(error)) => return Err(error.into()),
        Err(why) => (None, Some(why.to_string())),
    };
    let checkpoint = proof
        .as_ref()
        .and_then(|proof| Checkpoint::parse(&proof.checkpoint).ok());
    Ok(wire::AuditProof {
        entry: entry(&found, &trail.tenants()?),
        hash: hash.to_string(),
        checkpoint_seq: checkpoint.as_ref().map(|it| it.end.seq),
        key_id: checkpoint.as_ref().map(|it| it.key.to_string()),
        proof,
        unproved,
    })
}

/// A parameter, parsed.
fn given<T, E: std::fmt::Display>(
    name: &str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, Refusal> {
    let bad = |error| {
        let message = format!("parameter '{name}': {error}");
        Refusal::new(ErrorCode::BadRequest, message)
    };
    text.map(parse).transpose().map_err(bad)
}

fn filter(trail: &dyn Trail, tenants: &[Tenant], wish: &AuditWish) -> Result<AuditFilter, Refusal> {
    let tenant = wish.tenant.as_ref();
    let tenant = tenant.map(|name| tenants::by_name(tenants, name));
    let tenant = tenant.transpose()?;
    let kinds = given("kind", wish.kind.as_deref(), |text| {
        text.split(',')
            .map(parse_kind)
            .collect::<Result<Vec<_>, _>>()
    })?;
    let searched = tenant.map_or(tenants, std::slice::from_ref);
    let recording = wish.recording.as_deref();
    Ok(AuditFilter {
        who: given("person", wish.person.as_deref(), parse_person)?,
        recording: recording
            .map(|name| recording_of(trail, searched, name))
            .transpose()?,
        tenant: tenant.map(|tenant| tenant.id),
        kinds: kinds.unwrap_or_default(),
        since: given("from", wish.from.as_deref(), parse_time)?,
        until: given("to", wish.to.as_deref(), parse_time)?,
    })
}

/// A number as it stands: what was deleted has no row any more. Other names are looked for.
fn recording_of(trail: &dyn Trail, tenants: &[Tenant], name: &str) -> Result<RecordingId, Refusal> {
    if let Ok(id) = name.parse() {
        return Ok(RecordingId(id));
    }
    for reading in Wanted::new(name.to_owned(), None).readings() {
        for tenant in tenants {
            if let Some(id) = trail.find(tenant.id, &reading)? {
                return Ok(id);
            }
        }
    }
    let hint = match CallSid::new(name) {
        Ok(_) => "; of a deleted one give the number, which its entry 'deleted' tells",
        Err(_) => "",
    };
    let message = format!("no recording is named '{name}'{hint}");
    Err(Refusal::new(ErrorCode::NotFound, message))
}

/// A kind that this version knows: another would find nothing, for a slip of the pen.
fn parse_kind(text: &str) -> Result<Kind, String> {
    match text.parse() {
        Ok(Kind::Other(_)) | Err(_) => {
            let known = Kind::KNOWN.join(", ");
            Err(format!("'{text}' is no kind of entry; there are {known}"))
        }
        Ok(kind) => Ok(kind),
    }
}

fn parse_person(text: &str) -> Result<Person, std::convert::Infallible> {
    let numbered = text.split_once(':').and_then(|(kind, id)| {
        let kind = KINDS_OF_ACTORS.into_iter().find(|it| it.name() == kind)?;
        Some(Person::Number(kind, id.parse().ok()?))
    });
    Ok(numbered.unwrap_or_else(|| Person::Name(text.to_owned())))
}

const KINDS_OF_ACTORS: [ActorKind; 5] = [
    ActorKind::User,
    ActorKind::Key,
    ActorKind::Link,
    ActorKind::Command,
    ActorKind::System,
];

fn parse_cursor(text: &str) -> Result<AuditCursor, &'static str> {
    let parsed = text.split_once('.').and_then(|(at, seq)| {
        Some(AuditCursor {
            at: WallMillis(at.parse().ok()?),
            seq: seq.parse().ok()?,
        })
    });
    parsed.ok_or("give the 'next' of the page before, unchanged")
}

/// Who did something, in the wire's words.
pub(super) fn who(actor: &Actor) -> wire::Who {
    wire::Who {
        kind: actor.kind.name().to_owned(),
        id: actor.id.map(|id| id.to_string()),
        name: actor.name.clone(),
    }
}

fn entry(entry: &Entry, tenants: &[Tenant]) -> wire::AuditEntry {
    wire::AuditEntry {
        seq: entry.seq,
        at: rfc3339(entry.at),
        kind: entry.kind.to_string(),
        who: entry.who.as_ref().map(who),
        from: entry.from.clone(),
        tenant: entry.tenant.map(|id| tenant_name(id, tenants)),
        recid: entry.recording.map(|id| id.to_string()),
        details: entry.details.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persons_are_names_or_numbers_of_a_kind() {
        let person = |text| parse_person(text).expect("any text is a name");
        assert_eq!(person("user:3"), Person::Number(ActorKind::User, 3));
        assert_eq!(person("boss@acme"), Person::Name("boss@acme".into()));
        assert_eq!(person("user:x"), Person::Name("user:x".into()));
        assert_eq!(person("robot:3"), Person::Name("robot:3".into()));
    }

    #[test]
    fn kinds_that_nobody_knows_are_refused_with_those_there_are() {
        assert_eq!(parse_kind("hold_set"), Ok(Kind::HoldSet));
        let told = parse_kind("hold_sett").expect_err("no kind");
        assert!(told.contains("hold_set, hold_lifted"), "{told}");
        for name in Kind::KNOWN {
            assert_eq!(parse_kind(name).expect("known").name(), *name);
        }
    }

    #[test]
    fn a_wish_comes_back_as_it_was_sent() {
        let wish = AuditWish {
            person: Some("a b&c".into()),
            kind: Some("play,login".into()),
            limit: Some(3),
            ..AuditWish::default()
        };
        let query = crate::cli::client::query(&wish.parameters());
        let parsed = AuditWish::parse(query.strip_prefix('?')).expect("a query");
        assert_eq!(parsed, wish);
    }
}
