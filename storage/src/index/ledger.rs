//! The ledger's part of a commit: what the changes of a group tell is appended to the log, durably,
//! before the index commits it together with how far the log is and how its entries are found.
//!
//! ```text
//!  changes applied ──▶ acts ──▶ one write, one fdatasync ──▶ rows, `ledger_head` ──▶ redb commit
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audio_io::clock::Clock;
use redb::{ReadableTable as _, StorageError, TableDefinition};

use super::Index;
use super::apply::{Applied, Change};
use super::keys::be64;
use super::tables::{self, Tables, meta};
use crate::error::ReadError;
use crate::ids::{RecordingId, TenantId};
use crate::ledger::acts::Warrant;
use crate::ledger::checkpoints::Checkpoints;
use crate::ledger::entry::{Act, Actor, ActorKind, Content, Entry, Kind};
use crate::ledger::verify::Placed;
use crate::ledger::writer::{Head, Writer};
use crate::limits::LEDGER_AT_EVERY;
use crate::record::{Recording, RecordingState, WallMillis};

/// What is looked for (1), what of it (8), wall time (8), number of the entry (8).
pub(crate) type FindKey = [u8; 25];

/// subject, time, number → CRC-32 of the kind's name (4), tenant (4; all ones without one).
pub(crate) const LEDGER_BY: TableDefinition<'static, &FindKey, &[u8; 8]> =
    TableDefinition::new("ledger_by");
/// number (8, big-endian) → segment (8), offset (8): of some entries, and of each segment's first.
pub(crate) const LEDGER_AT: TableDefinition<'static, &[u8; 8], &[u8; 16]> =
    TableDefinition::new("ledger_at");

/// What entries are found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject<'a> {
    All,
    Recording(RecordingId),
    /// An actor's number.
    Number(ActorKind, u64),
    /// An actor's name.
    Name(&'a str),
    Kind(&'a Kind),
    Tenant(TenantId),
}

impl Subject<'_> {
    fn bytes(&self) -> (u8, [u8; 8]) {
        let hashed = |text: &str| {
            let hash = blake3::hash(text.as_bytes());
            let mut short = [0; 8];
            short.copy_from_slice(&hash.as_bytes()[..8]);
            short
        };
        match self {
            Self::All => (0, [0; 8]),
            Self::Recording(id) => (1, id.0.to_be_bytes()),
            Self::Number(kind, id) => (2, hashed(&format!("{} {id}", kind.name()))),
            Self::Name(name) => (3, hashed(name)),
            Self::Kind(kind) => (4, hashed(kind.name())),
            Self::Tenant(tenant) => (5, u64::from(tenant.0).to_be_bytes()),
        }
    }

    pub(crate) fn key(&self, at: WallMillis, seq: u64) -> FindKey {
        let (what, which) = self.bytes();
        let mut key = [0; 25];
        key[0] = what;
        key[1..9].copy_from_slice(&which);
        key[9..17].copy_from_slice(&at.0.to_be_bytes());
        key[17..].copy_from_slice(&seq.to_be_bytes());
        key
    }
}

/// Time and number in a key.
pub(crate) fn split_key(key: &FindKey) -> (WallMillis, u64) {
    (WallMillis(be64(&key[9..17])), be64(&key[17..]))
}

/// What a row tells of its entry.
pub(crate) fn brief(kind: &Kind, tenant: Option<TenantId>) -> [u8; 8] {
    let mut brief = [0xFF; 8];
    brief[..4].copy_from_slice(&crc32fast::hash(kind.name().as_bytes()).to_be_bytes());
    if let Some(tenant) = tenant {
        brief[4..].copy_from_slice(&tenant.0.to_be_bytes());
    }
    brief
}

/// The ledger as the index writes it.
pub(crate) struct Attached {
    pub(crate) writer: Writer,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) checkpoints: Arc<Checkpoints>,
}

/// What the changes of a group tell.
#[derive(Default)]
pub(crate) struct Telling {
    /// The last entry before the group; `None` where no ledger is kept.
    before: Option<u64>,
    acts: Vec<Act>,
    warrant: Option<Arc<Warrant>>,
}

impl Telling {
    /// Notes an act; answers the number its entry will have, 0 where no ledger is kept.
    pub(crate) fn tell(&mut self, mut act: Act) -> u64 {
        let Some(before) = self.before else {
            return 0;
        };
        if let Some(warrant) = &self.warrant {
            warrant.sign(&mut act);
        }
        self.acts.push(act);
        before.saturating_add(self.acts.len() as u64)
    }

    /// What is told from here on is done with this authority.
    pub(crate) fn with(&mut self, warrant: Option<Arc<Warrant>>) -> Option<Arc<Warrant>> {
        std::mem::replace(&mut self.warrant, warrant)
    }

    /// The same authority, with a reason where it gives none.
    pub(crate) fn because(&mut self, why: &str) -> Option<Arc<Warrant>> {
        let mut warrant = self.warrant.as_deref().cloned().unwrap_or_default();
        warrant.why.get_or_insert_with(|| why.to_owned());
        self.with(Some(Arc::new(warrant)))
    }

    /// A recording has ended, or is known to have: once for each state of its file.
    pub(crate) fn ended(&mut self, before: Option<&Recording>, row: &Recording, kind: Kind) {
        let (Some(content), Some(_)) = (Content::of(row), self.before) else {
            return;
        };
        let known = before.and_then(Content::of);
        if known.as_ref() == Some(&content) {
            return;
        }
        let mut act = Act::new(kind).on(row.facts.tenant, row.facts.id);
        act.details = content.to_details();
        self.tell(act);
    }

    /// A recording was there before the ledger was.
    pub(crate) fn adopted(&mut self, row: &Recording) {
        let Some(mut content) = Content::of(row) else {
            return;
        };
        content.adopted = true;
        let mut act = Act::new(Kind::Sealed).on(row.facts.tenant, row.facts.id);
        act.details = content.to_details();
        self.tell(act);
    }

    /// A recording's file is exchanged for another.
    pub(crate) fn exchanged(&mut self, before: &Recording, after: &Recording) {
        let (Some(was), Some(now)) = (Content::of(before), Content::of(after)) else {
            return;
        };
        let mut act = Act::new(Kind::Exchanged).on(after.facts.tenant, after.facts.id);
        act.details = now.to_details();
        let container = was.container.extension();
        self.tell(
            act.with("was_container", container)
                .with("was_size_bytes", was.size_bytes)
                .with("was_blake3", was.blake3.to_string()),
        );
    }

    /// A recording is deleted with authority.
    pub(crate) fn deleted(&mut self, row: &Recording) {
        let act = Act::new(Kind::Deleted).on(row.facts.tenant, row.facts.id);
        let mut act = act.with("started_at", row.facts.started_at.0);
        if let Some(was) = Content::of(row) {
            act = act
                .with("was_size_bytes", was.size_bytes)
                .with("was_blake3", was.blake3.to_string());
        } else if row.state == RecordingState::Absent {
            act = act.with("was_size_bytes", 0);
        }
        self.tell(act);
    }
}

impl Index {
    /// Makes changes in one commit, and tells the ledger of them in the same; durable when it
    /// returns.
    pub(crate) fn write<'c>(
        &self,
        changes: impl Iterator<Item = &'c Change>,
    ) -> Result<Vec<Applied>, redb::Error> {
        let mut attached = self.ledger();
        let transaction = self.begin_write()?;
        let mut outcomes = Vec::with_capacity(changes.size_hint().0);
        {
            let mut tables = Tables::open(&transaction)?;
            if let Some(ledger) = &mut *attached {
                ledger
                    .writer
                    .settle(head(&tables)?)
                    .map_err(redb::Error::Io)?;
                tables.telling.before = Some(ledger.writer.head().end.seq);
            }
            for change in changes {
                outcomes.push(change.apply(&mut tables)?);
            }
            if let Some(ledger) = &mut *attached {
                append(ledger, &mut tables)?;
            }
        }
        transaction.commit()?;
        if let Some(ledger) = &mut *attached {
            ledger.writer.committed();
            let head = ledger.writer.head();
            ledger.checkpoints.reached(head.log, head.end);
        }
        Ok(outcomes)
    }

    /// From here on commits are told to this ledger.
    pub(crate) fn attach(&self, ledger: Attached) {
        *self.ledger() = Some(ledger);
    }

    fn ledger(&self) -> MutexGuard<'_, Option<Attached>> {
        let slot: &Mutex<Option<Attached>> = &self.attached;
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the index knows the ledger to be.
    pub(crate) fn ledger_head(&self, name: &str) -> Result<Option<Head>, ReadError> {
        match self.meta(name)? {
            None => Ok(None),
            Some(bytes) => match Head::from_bytes(&bytes) {
                Some(head) => Ok(Some(head)),
                None => Err(ReadError::Index(damaged())),
            },
        }
    }

    /// Whether entries after this one tell of a recording.
    pub(crate) fn is_told_after(&self, id: RecordingId, seq: u64) -> Result<bool, ReadError> {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, LEDGER_BY)? else {
            return Ok(false);
        };
        let subject = Subject::Recording(id);
        let first = subject.key(WallMillis(0), 0);
        let last = subject.key(WallMillis(u64::MAX), u64::MAX);
        for row in table.range::<&FindKey>(&first..=&last)? {
            if split_key(row?.0.value()).1 > seq {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes entries that the log has already into the tables.
    pub(crate) fn take_over(
        &self,
        placed: &[Placed],
        head: Option<Head>,
    ) -> Result<(), redb::Error> {
        let transaction = self.begin_write()?;
        {
            let mut tables = Tables::open(&transaction)?;
            index(&mut tables, placed)?;
            if let Some(head) = head {
                put_head(&mut tables, head)?;
            }
        }
        Ok(transaction.commit()?)
    }
}

fn append(ledger: &mut Attached, tables: &mut Tables<'_>) -> Result<(), redb::Error> {
    let mut telling = std::mem::take(&mut tables.telling);
    if telling.acts.is_empty() {
        return Ok(());
    }
    if ledger.writer.is_lost() {
        let segment = ledger.writer.head().segment;
        log::error!(
            "ledger: the segment of entry {segment} is gone or cut off while it is written to; \
             somebody may have tampered with it: run 'callreel check'"
        );
        ledger.writer.go_on_anew();
        let act = Act::new(Kind::Broken)
            .by(Actor::system("ledger"))
            .with(
                "problem",
                "the segment was taken away while it was written to",
            )
            .with("first_bad", segment);
        telling.acts.push(act);
    }
    let now = ledger.clock.wall();
    let first = ledger.writer.head().end.seq.saturating_add(1);
    let numbered = (first..).zip(telling.acts);
    let entries: Vec<Entry> = numbered
        .map(|(seq, act)| act.into_entry(seq, now))
        .collect();
    let appended = ledger.writer.append(entries);
    let (head, placed) = appended.map_err(redb::Error::Io)?;
    index(tables, &placed)?;
    put_head(tables, head)?;
    Ok(())
}

fn head(tables: &Tables<'_>) -> Result<Option<Head>, StorageError> {
    let held = tables.meta.get(meta::LEDGER_HEAD)?;
    Ok(held.and_then(|guard| Head::from_bytes(guard.value())))
}

fn put_head(tables: &mut Tables<'_>, head: Head) -> Result<(), StorageError> {
    let bytes = head.to_bytes();
    tables.meta.insert(meta::LEDGER_HEAD, bytes.as_slice())?;
    Ok(())
}

/// Makes entries findable.
fn index(tables: &mut Tables<'_>, placed: &[Placed]) -> Result<(), StorageError> {
    let (mut by, mut places) = (tables.rare(LEDGER_BY)?, tables.rare(LEDGER_AT)?);
    for one in placed {
        let entry = &one.entry;
        let brief = brief(&entry.kind, entry.tenant);
        let mut find = |subject: Subject<'_>| {
            let key = subject.key(entry.at, entry.seq);
            by.insert(&key, &brief).map(drop)
        };
        find(Subject::All)?;
        find(Subject::Kind(&entry.kind))?;
        if let Some(id) = entry.recording {
            find(Subject::Recording(id))?;
        }
        if let Some(tenant) = entry.tenant {
            find(Subject::Tenant(tenant))?;
        }
        if let Some(who) = &entry.who {
            if let Some(id) = who.id {
                find(Subject::Number(who.kind, id))?;
            }
            if let Some(name) = &who.name {
                find(Subject::Name(name))?;
            }
        }
        if entry.seq % LEDGER_AT_EVERY == 0 || one.segment == entry.seq {
            let mut place = [0; 16];
            place[..8].copy_from_slice(&one.segment.to_be_bytes());
            place[8..].copy_from_slice(&one.offset.to_be_bytes());
            places.insert(&entry.seq.to_be_bytes(), &place)?;
        }
    }
    Ok(())
}

fn damaged() -> redb::Error {
    redb::Error::Corrupted(format!("the index's '{}' is unreadable", meta::LEDGER_HEAD))
}

/// A known entry at or before a number, and where it is: number, segment, offset.
pub(crate) fn place_before(
    reading: &redb::ReadTransaction,
    seq: u64,
) -> Result<Option<(u64, u64, u64)>, ReadError> {
    let Some(table) = tables::rare(reading, LEDGER_AT)? else {
        return Ok(None);
    };
    let last = table.range::<&[u8; 8]>(..=&seq.to_be_bytes())?.next_back();
    let Some((key, place)) = last.transpose()? else {
        return Ok(None);
    };
    let place = place.value();
    Ok(Some((
        u64::from_be_bytes(*key.value()),
        be64(&place[..8]),
        be64(&place[8..]),
    )))
}
