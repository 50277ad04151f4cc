//! After a crash: every call that was on is ended by the events that are missing, each exactly
//! once. They and the end of the note are one commit, so that a start that dies half way through
//! leaves the rest to the next one.

use std::sync::mpsc::sync_channel;

use storage::limits::OUTBOX_APPEND_MAX;
use storage::outbox::{NewEvent, NotedSession, OutboxError, SessionNote};

use super::exchange::RecordingUrl;
use super::ledger::Ledger;
use super::store::Store;

/// Ends the calls of an earlier run; how many there were. Blocks on the disk.
///
/// # Errors
/// [`OutboxError`] when the notes cannot be read. What cannot be told is told in the journal, and
/// tried again at the next start.
pub(super) fn recover(store: &dyn Store, url: &RecordingUrl) -> Result<usize, OutboxError> {
    let noted = store.noted_sessions()?;
    let count = noted.len();
    for noted in noted {
        let session = noted.session;
        match end(store, noted, url) {
            Ok(told) => log::warn!(
                call = session.to_string().as_str();
                "session {session} of an earlier run was ended: {told} events were missing"
            ),
            Err(error) => {
                log::error!(
                    call = session.to_string().as_str();
                    "session {session} of an earlier run cannot be ended: {error}"
                );
            }
        }
    }
    Ok(count)
}

fn end(store: &dyn Store, noted: NotedSession, url: &RecordingUrl) -> Result<usize, OutboxError> {
    let NotedSession { app, session, note } = noted;
    let look = |id| {
        let row = match id {
            Some(id) => store.recording(app.tenant, id),
            None => store.newest_of(app.tenant, session),
        };
        row.inspect_err(|error| {
            log::error!(
                call = session.to_string().as_str();
                "a recording of session {session}: {error}"
            );
        })
        .ok()
        .flatten()
    };
    let mut events: Vec<NewEvent> = match Ledger::read(&note) {
        Ok(ledger) => ledger.missing(session, look, |row| url(row)),
        Err(error) => {
            log::error!(
                call = session.to_string().as_str();
                "session {session}: its note cannot be read: {error}"
            );
            Vec::new()
        }
    };
    let count = events.len();
    let settled = Ledger::settled();
    loop {
        let rest = events.split_off(events.len().min(OUTBOX_APPEND_MAX));
        let note = match rest.is_empty() {
            true => SessionNote::Drop,
            false => settled.note(&rest),
        };
        append(store, app, events, (session, note))?;
        if rest.is_empty() {
            return Ok(count);
        }
        events = rest;
    }
}

fn append(
    store: &dyn Store,
    app: storage::outbox::AppKey,
    events: Vec<NewEvent>,
    note: (uuid::Uuid, SessionNote),
) -> Result<(), OutboxError> {
    let (done, told) = sync_channel(1);
    let done = move |appended: Result<_, OutboxError>| {
        // Who waits for it is below.
        let _told = done.send(appended.map(drop));
    };
    store.append_then(app, events, Some(note), Box::new(done))?;
    told.recv()
        .unwrap_or(Err(storage::error::WriteError::Closing.into()))
}
