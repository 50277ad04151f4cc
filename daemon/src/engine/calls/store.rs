//! What the exchange needs of the store: where events are kept, and what became of recordings.

use storage::error::ReadError;
use storage::handle::StorageHandle;
use storage::ids::{RecordingId, RecordingName, TenantId};
use storage::outbox::{AppKey, Appended, NewEvent, NotedSession, OutboxError, SessionNote};
use storage::record::Recording;
use uuid::Uuid;

/// What is told, on any thread, once an append is durable or has failed.
pub(super) type Done = Box<dyn FnOnce(Result<Vec<Appended>, OutboxError>) + Send>;

/// A session's note on its way into the store.
pub(super) type Note = Option<(Uuid, SessionNote)>;

/// The store, or its double in tests.
pub(super) trait Store: Send + Sync {
    /// The application of a tenant, if it has one.
    fn application(&self, tenant: TenantId) -> Option<AppKey>;

    /// See [`storage::outbox::Outbox::append_then`].
    fn append_then(
        &self,
        app: AppKey,
        events: Vec<NewEvent>,
        note: Note,
        done: Done,
    ) -> Result<(), OutboxError>;

    /// See [`storage::outbox::Outbox::noted_sessions`].
    fn noted_sessions(&self) -> Result<Vec<NotedSession>, OutboxError>;

    /// A recording as its row stands.
    fn recording(&self, tenant: TenantId, id: RecordingId) -> Result<Option<Recording>, ReadError>;

    /// The newest recording of a call.
    fn newest_of(&self, tenant: TenantId, session: Uuid) -> Result<Option<Recording>, ReadError>;
}

impl Store for StorageHandle {
    fn application(&self, tenant: TenantId) -> Option<AppKey> {
        let applications = self.outbox().applications(Some(tenant));
        applications.first().map(|row| row.key)
    }

    fn append_then(
        &self,
        app: AppKey,
        events: Vec<NewEvent>,
        note: Note,
        done: Done,
    ) -> Result<(), OutboxError> {
        self.outbox().append_then(app, events, note, done)
    }

    fn noted_sessions(&self) -> Result<Vec<NotedSession>, OutboxError> {
        self.outbox().noted_sessions()
    }

    fn recording(&self, tenant: TenantId, id: RecordingId) -> Result<Option<Recording>, ReadError> {
        self.find(tenant, &RecordingName::Recid(id))
    }

    fn newest_of(&self, tenant: TenantId, session: Uuid) -> Result<Option<Recording>, ReadError> {
        self.find(tenant, &RecordingName::Session(session))
    }
}
