//! The events of sessions as they are told, one line of JSON each, until the reader goes or the
//! daemon stops.
//!
//! ```text
//!  Calls' hub ─▶ pass_on: wanted? ─▶ pieces (bounded) ─▶ connection ─▶ reader
//!      └── a reader that is behind by more than the hub keeps is told how many it missed
//! ```

use std::sync::Arc;

use bytes::Bytes;
use storage::ids::{TenantId, TenantName};
use storage::record::Tenant;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use uuid::Uuid;

use super::answer::{Answer, Pieces, Refusal, streamed};
use super::limits::{PIECES_MAX, WATCHERS_MAX};
use super::route::Query;
use super::serve::Desk;
use super::wire::{CallTold, CallsLine, ErrorCode};
use super::{convert, tenants};
use crate::engine::calls::Told;
use crate::logging::rfc3339;

/// Begins to pass on events; every one that is told after this returns is passed on or counted as
/// missed.
pub(super) async fn watch(desk: Arc<Desk>, query: Option<&str>) -> Result<Answer, Refusal> {
    let query = Query::parse(query, &["tenant", "session"])?;
    let session = query.get("session", str::parse::<Uuid>)?;
    let name = query.get("tenant", |text| TenantName::new(text))?;
    let tenants = tenants::all(&desk).await?;
    let owner = match &name {
        Some(name) => Some(tenants::by_name(&tenants, name)?.id),
        None => None,
    };
    let permit = desk.watching.clone().try_acquire_owned().map_err(|_| {
        let message = format!("{WATCHERS_MAX} readers watch calls already; end one of them");
        Refusal::new(ErrorCode::Unavailable, message)
    })?;
    let (pieces, receiver) = mpsc::channel(PIECES_MAX);
    let watcher = Watcher {
        events: desk.app.calls.watch(),
        desk,
        owner,
        session,
        tenants,
        pieces,
        _permit: permit,
    };
    tokio::spawn(watcher.pass_on());
    Ok(streamed("application/x-ndjson", Pieces(receiver)))
}

struct Watcher {
    desk: Arc<Desk>,
    events: Receiver<Arc<Told>>,
    owner: Option<TenantId>,
    session: Option<Uuid>,
    /// For their names; read again when an unknown one turns up.
    tenants: Vec<Tenant>,
    pieces: mpsc::Sender<std::io::Result<Bytes>>,
    /// Others may watch when this one has ended.
    _permit: OwnedSemaphorePermit,
}

impl Watcher {
    async fn pass_on(mut self) {
        let mut stopped = self.desk.stopped.clone();
        loop {
            let received = tokio::select! {
                () = self.pieces.closed() => return,
                received = self.events.recv() => received,
                _ = stopped.wait_for(|stopped| *stopped) => break,
            };
            let heard = match received {
                Ok(told) => self.tell(&told).await,
                Err(RecvError::Lagged(missed)) => self.send(&CallsLine::Missed(missed)).await,
                Err(RecvError::Closed) => break,
            };
            if !heard {
                return;
            }
        }
        self.finish().await;
    }

    /// Passes on what was told before the end, then the end.
    async fn finish(mut self) {
        loop {
            let heard = match self.events.try_recv() {
                Ok(told) => self.tell(&told).await,
                Err(TryRecvError::Lagged(missed)) => self.send(&CallsLine::Missed(missed)).await,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            };
            if !heard {
                return;
            }
        }
        self.send(&CallsLine::Stopping).await;
    }

    /// Passes on an event that is wanted. False when nobody listens any more.
    async fn tell(&mut self, told: &Told) -> bool {
        let wanted = self.owner.is_none_or(|owner| owner == told.owner)
            && self.session.is_none_or(|session| session == told.session);
        if !wanted {
            return true;
        }
        let body = match serde_json::from_slice(&told.body) {
            Ok(body) => body,
            Err(error) => {
                log::error!("the body of event {} is not JSON: {error}", told.id);
                return true;
            }
        };
        let line = CallsLine::Told(CallTold {
            at: rfc3339(self.desk.app.clock.wall()),
            number: told.number,
            id: told.id,
            tenant: self.tenant(told.owner).await,
            body,
        });
        self.send(&line).await
    }

    async fn tenant(&mut self, id: TenantId) -> String {
        if !self.tenants.iter().any(|tenant| tenant.id == id)
            && let Ok(tenants) = tenants::all(&self.desk).await
        {
            self.tenants = tenants;
        }
        convert::tenant_name(id, &self.tenants)
    }

    /// Sends a line; waits for a slow reader. False when nobody listens any more.
    async fn send(&self, line: &CallsLine) -> bool {
        let mut bytes = match serde_json::to_vec(line) {
            Ok(bytes) => bytes,
            Err(error) => {
                log::error!("an event cannot be written as JSON: {error}");
                return true;
            }
        };
        bytes.push(b'\n');
        self.pieces.send(Ok(bytes.into())).await.is_ok()
    }
}
