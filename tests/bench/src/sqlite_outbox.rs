//! The webhook outbox's peer: a table of SQLite, as many services have it. It is as durable as
//! ours (`synchronous = FULL`: each commit is synced), and is spared what ours does beyond that:
//! signatures, checked addresses, retries, and numbers that survive the last event of a session.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, params};

use crate::error::Failure;

pub(crate) struct SqliteOutbox {
    connection: Mutex<Connection>,
}

struct Waiting {
    id: i64,
    body: String,
}

impl SqliteOutbox {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(
            "CREATE TABLE outbox (id INTEGER PRIMARY KEY, lane INTEGER NOT NULL,
                 session BLOB NOT NULL, sequence INTEGER NOT NULL, body TEXT NOT NULL);
             CREATE INDEX outbox_lane ON outbox (lane, id);
             CREATE INDEX outbox_session ON outbox (session, sequence);",
        )?;
        Ok(Self {
            connection: Mutex::new(connection),
        })
    }

    /// Appends events in one commit; each gets the number after its session's last.
    pub(crate) fn append(&self, events: &[(u128, &str)], lanes: u128) -> Result<(), Failure> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        {
            let mut last = transaction.prepare_cached(
                "SELECT coalesce(max(sequence), 0) FROM outbox WHERE session = ?1",
            )?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO outbox (lane, session, sequence, body) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (session, body) in events {
                let lane = i64::try_from(session % lanes).unwrap_or_default();
                let session = session.to_be_bytes();
                let sequence: i64 = last.query_row(params![session], |row| row.get(0))?;
                insert.execute(params![lane, session, sequence + 1, body])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Delivers all events of a lane, in order, over one connection: so many are read at once,
    /// posted one by one, and removed by one commit.
    pub(crate) fn deliver(
        &self,
        lane: i64,
        to: SocketAddr,
        at_once: usize,
    ) -> Result<usize, Failure> {
        let mut sender = Sender::connect(to)?;
        let mut delivered = 0;
        loop {
            let found = self.due(lane, at_once)?;
            if found.is_empty() {
                return Ok(delivered);
            }
            for event in &found {
                sender.post(event.id, &event.body)?;
            }
            let mut connection = self.lock();
            let transaction = connection.transaction()?;
            for event in &found {
                transaction
                    .prepare_cached("DELETE FROM outbox WHERE id = ?1")?
                    .execute([event.id])?;
            }
            transaction.commit()?;
            delivered += found.len();
        }
    }

    fn due(&self, lane: i64, at_once: usize) -> Result<Vec<Waiting>, Failure> {
        let connection = self.lock();
        let mut select = connection
            .prepare_cached("SELECT id, body FROM outbox WHERE lane = ?1 ORDER BY id LIMIT ?2")?;
        let limit = i64::try_from(at_once).unwrap_or(i64::MAX);
        let rows = select.query_map(params![lane, limit], |row| {
            Ok(Waiting {
                id: row.get(0)?,
                body: row.get(1)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A keep-alive connection to a receiver.
struct Sender {
    out: TcpStream,
    answers: BufReader<TcpStream>,
    line: String,
}

impl Sender {
    fn connect(to: SocketAddr) -> Result<Self, Failure> {
        let connect = || {
            let out = TcpStream::connect(to)?;
            out.set_nodelay(true)?;
            let answers = BufReader::new(out.try_clone()?);
            Ok(Self {
                out,
                answers,
                line: String::new(),
            })
        };
        connect().map_err(Failure::io("the peer's connection"))
    }

    fn post(&mut self, id: i64, body: &str) -> Result<(), Failure> {
        let request = format!(
            "POST /hook HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
             webhook-id: {id}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut exchange = || {
            self.out.write_all(request.as_bytes())?;
            loop {
                self.line.clear();
                self.answers.read_line(&mut self.line)?;
                if self.line.trim_end().is_empty() {
                    return Ok(());
                }
            }
        };
        exchange().map_err(Failure::io("the peer's request"))
    }
}
