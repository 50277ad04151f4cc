//! The double of the store: appends that are committed when the test says so, and crashes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use storage::error::ReadError;
use storage::ids::{RecordingId, TenantId};
use storage::outbox::{AppKey, Appended, NewEvent, NotedSession, OutboxError, SessionNote};
use storage::record::Recording;
use uuid::Uuid;

use super::super::store::{Done, Note, Store};
use super::rig::TENANT;

/// What lies on the disk.
#[derive(Default)]
pub(super) struct Disk {
    inner: Mutex<DiskState>,
}

#[derive(Default)]
pub(super) struct DiskState {
    pub(super) events: BTreeMap<Uuid, Vec<NewEvent>>,
    pub(super) notes: HashMap<Uuid, Vec<u8>>,
    pub(super) recordings: HashMap<RecordingId, Recording>,
    /// Appends that are under way.
    queue: VecDeque<(Vec<NewEvent>, Note, Done)>,
    /// Whether appends wait to be committed by the test.
    pub(super) is_slow: bool,
    /// Whether there is room in the queue.
    pub(super) is_full: bool,
    pub(super) commits: u64,
}

impl Disk {
    pub(super) fn lock(&self) -> MutexGuard<'_, DiskState> {
        self.inner.lock().unwrap()
    }

    /// Makes so many appends durable.
    pub(super) fn commit(&self, count: usize) {
        for _ in 0..count {
            let Some((events, note, done)) = self.lock().queue.pop_front() else {
                return;
            };
            let mut appended = Vec::new();
            {
                let mut state = self.lock();
                state.commits += 1;
                for event in events {
                    let told = state.events.entry(event.session).or_default();
                    told.push(event);
                    appended.push(Appended::Numbered {
                        sequence: told.len() as u64,
                        waits: true,
                    });
                }
                match note {
                    Some((session, SessionNote::Keep(note))) => {
                        assert!(!note.is_empty());
                        state.notes.insert(session, note);
                    }
                    Some((session, SessionNote::Drop)) => {
                        state.notes.remove(&session);
                    }
                    None => {}
                }
            }
            done(Ok(appended));
        }
    }

    /// The power fails: what was not committed is gone, and nobody is told.
    pub(super) fn crash(&self) {
        let queue = std::mem::take(&mut self.lock().queue);
        drop(queue);
    }
}

impl Store for Arc<Disk> {
    fn application(&self, tenant: TenantId) -> Option<AppKey> {
        (tenant == TENANT).then_some(AppKey { tenant, number: 1 })
    }

    fn append_then(
        &self,
        _: AppKey,
        events: Vec<NewEvent>,
        note: Note,
        done: Done,
    ) -> Result<(), OutboxError> {
        assert!(events.len() <= storage::limits::OUTBOX_APPEND_MAX);
        let mut state = self.lock();
        if state.is_full {
            return Err(OutboxError::Busy);
        }
        state.queue.push_back((events, note, done));
        let is_slow = state.is_slow;
        drop(state);
        if !is_slow {
            self.commit(usize::MAX);
        }
        Ok(())
    }

    fn noted_sessions(&self) -> Result<Vec<NotedSession>, OutboxError> {
        let app = AppKey {
            tenant: TENANT,
            number: 1,
        };
        let state = self.lock();
        let notes = state.notes.iter();
        Ok(notes
            .map(|(session, note)| NotedSession {
                app,
                session: *session,
                note: note.clone(),
            })
            .collect())
    }

    fn recording(&self, _: TenantId, id: RecordingId) -> Result<Option<Recording>, ReadError> {
        Ok(self.lock().recordings.get(&id).cloned())
    }

    fn newest_of(&self, _: TenantId, session: Uuid) -> Result<Option<Recording>, ReadError> {
        let of_it = |row: &&Recording| row.facts.names.session_uuid == session;
        let disk = self.lock();
        let newest = disk.recordings.values().filter(of_it);
        Ok(newest.max_by_key(|row| row.facts.id).cloned())
    }
}
