//! The index's peer: SQLite with prepared statements, an index for each name and for the order of
//! time, a write-ahead log and the same amount of cache. Its answers are the same values.

use std::path::Path;

use audio_io::format::{Channels, Encoding, StreamFormat};
use audio_io::units::{CentiDbfs, Frames, SampleRate, WallMillis};
use rusqlite::{CachedStatement, Connection, Row, params};
use storage::handle::Cursor;
use storage::ids::{CallSid, ExternalId, LineName, Names, Number, RecordingId, TenantId};
use storage::record::{
    Container, EndCause, LegLevel, Recording, RecordingFacts, RecordingOutcome, RecordingState,
};
use uuid::Uuid;

use crate::error::Failure;

pub(crate) struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    /// Makes the database and fills it.
    pub(crate) fn fill(
        path: &Path,
        cache_bytes: usize,
        rows: impl Iterator<Item = Recording>,
    ) -> Result<Self, Failure> {
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let kib = i64::try_from(cache_bytes / 1_024).unwrap_or(i64::MAX);
        connection.pragma_update(None, "cache_size", -kib)?;
        connection.execute_batch(TABLE)?;
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare(INSERT)?;
            for row in rows {
                insert_row(&mut insert, &row)?;
            }
        }
        transaction.commit()?;
        connection.execute_batch(INDEXES)?;
        connection.execute_batch("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE);")?;
        connection.set_prepared_statement_cache_capacity(8);
        Ok(Self { connection })
    }

    /// Statements that are prepared once and used over and over.
    pub(crate) fn queries(&self) -> Result<Queries<'_>, Failure> {
        Ok(Queries {
            by_task: self.connection.prepare_cached(BY_TASK)?,
            page: self.connection.prepare_cached(PAGE)?,
        })
    }

    /// The database's size in bytes.
    pub(crate) fn size(&self) -> Result<u64, Failure> {
        let pages: i64 = self
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))?;
        let bytes: i64 = self
            .connection
            .pragma_query_value(None, "page_size", |row| row.get(0))?;
        Ok(u64::try_from(pages * bytes).unwrap_or(0))
    }
}

pub(crate) struct Queries<'a> {
    by_task: CachedStatement<'a>,
    page: CachedStatement<'a>,
}

impl Queries<'_> {
    pub(crate) fn find(&mut self, tenant: TenantId, task: Uuid) -> Result<Recording, Failure> {
        Ok(self
            .by_task
            .query_row(params![tenant.0, task.as_bytes()], recording)?)
    }

    pub(crate) fn page(
        &mut self,
        tenant: TenantId,
        after: Cursor,
        limit: usize,
    ) -> Result<Vec<Recording>, Failure> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let bounds = params![tenant.0, int(after.started_at.0), int(after.id.0), limit];
        let rows = self.page.query_map(bounds, recording)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn insert_row(insert: &mut rusqlite::Statement<'_>, row: &Recording) -> Result<(), Failure> {
    let (facts, names) = (&row.facts, &row.facts.names);
    let Some(outcome) = &row.outcome else {
        return Ok(());
    };
    let levels: Vec<u8> = outcome
        .levels
        .iter()
        .flat_map(|level| [level.rms.0.to_le_bytes(), level.peak.0.to_le_bytes()])
        .flatten()
        .collect();
    insert.execute(params![
        int(facts.id.0),
        facts.tenant.0,
        names.call_sid.as_str(),
        names.crt_object_id.as_str(),
        names.campaign_id,
        names.call_id.as_str(),
        names.task_id.as_bytes(),
        names.session_uuid.as_bytes(),
        facts.line.as_ref().map(LineName::as_str),
        facts.from.as_ref().map(Number::as_str),
        facts.to.as_ref().map(Number::as_str),
        int(facts.started_at.0),
        facts.format.rate.hertz(),
        int(outcome.frames.0),
        int(outcome.size_bytes),
        outcome.content_hash,
        int(outcome.sealed_at.0),
        levels,
    ])?;
    Ok(())
}

/// The row as the same value that callreel's index answers. State, encoding, container and cause
/// are one constant in this data set and are not read, in SQLite's favour.
fn recording(row: &Row<'_>) -> rusqlite::Result<Recording> {
    let uint = |at: usize| row.get::<_, i64>(at).map(|n| u64::try_from(n).unwrap_or(0));
    let bad =
        |at| rusqlite::Error::InvalidColumnType(at, "text".into(), rusqlite::types::Type::Text);
    let id = RecordingId(uint(0)?);
    let names = Names {
        call_sid: CallSid::new(row.get::<_, String>(2)?).map_err(|_| bad(2))?,
        crt_object_id: ExternalId::new(row.get::<_, String>(3)?).map_err(|_| bad(3))?,
        campaign_id: row.get(4)?,
        call_id: ExternalId::new(row.get::<_, String>(5)?).map_err(|_| bad(5))?,
        task_id: Uuid::from_bytes(row.get(6)?),
        session_uuid: Uuid::from_bytes(row.get(7)?),
    };
    let number = |at: usize| -> rusqlite::Result<Option<Number>> {
        row.get::<_, Option<String>>(at)?
            .map(Number::new)
            .transpose()
            .map_err(|_| bad(at))
    };
    let line = row
        .get::<_, Option<String>>(8)?
        .map(LineName::new)
        .transpose()
        .map_err(|_| bad(8))?;
    let rate = SampleRate::new(row.get(12)?).map_err(|_| bad(12))?;
    let levels = row
        .get_ref(17)?
        .as_blob()?
        .chunks_exact(8)
        .map(|pair| LegLevel {
            rms: CentiDbfs(i32::from_le_bytes([pair[0], pair[1], pair[2], pair[3]])),
            peak: CentiDbfs(i32::from_le_bytes([pair[4], pair[5], pair[6], pair[7]])),
        });
    Ok(Recording {
        facts: RecordingFacts {
            tenant: TenantId(row.get(1)?),
            id,
            names,
            line,
            from: number(9)?,
            to: number(10)?,
            started_at: WallMillis(uint(11)?),
            format: StreamFormat {
                rate,
                encoding: Encoding::S16Le,
                channels: Channels::Stereo,
            },
            container: Container::Wav,
            time: None,
            agent: None,
            direction: None,
        },
        state: RecordingState::Stored,
        outcome: Some(RecordingOutcome {
            end_cause: EndCause::Silence,
            frames: Frames(uint(13)?),
            gaps: Vec::new(),
            marks: Vec::new(),
            levels: levels.collect(),
            size_bytes: uint(14)?,
            content_hash: row.get(15)?,
            sealed_at: WallMillis(uint(16)?),
        }),
    })
}

const TABLE: &str = "CREATE TABLE recordings (
    id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, call_sid TEXT NOT NULL,
    crt_object_id TEXT NOT NULL, campaign_id INTEGER NOT NULL, call_id TEXT NOT NULL,
    task_id BLOB NOT NULL, session_uuid BLOB NOT NULL, line TEXT, from_number TEXT, to_number TEXT,
    started_at INTEGER NOT NULL, rate INTEGER NOT NULL, frames INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL, content_hash BLOB NOT NULL, sealed_at INTEGER NOT NULL,
    levels BLOB NOT NULL) STRICT";

const INDEXES: &str = "CREATE UNIQUE INDEX by_call_sid ON recordings (tenant, call_sid);
    CREATE UNIQUE INDEX by_crt ON recordings (tenant, crt_object_id);
    CREATE UNIQUE INDEX by_task ON recordings (tenant, task_id);
    CREATE INDEX by_session ON recordings (tenant, session_uuid);
    CREATE UNIQUE INDEX by_time ON recordings (tenant, started_at, id);";

const INSERT: &str = "INSERT INTO recordings VALUES
    (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

const BY_TASK: &str = "SELECT * FROM recordings WHERE tenant = ?1 AND task_id = ?2";

const PAGE: &str = "SELECT * FROM recordings
    WHERE tenant = ?1 AND (started_at, id) < (?2, ?3)
    ORDER BY started_at DESC, id DESC LIMIT ?4";
