//! The control socket's named maxima. Each says what happens when it is reached.

use std::time::Duration;

use crate::engine::session::limits::COMMAND_WITHIN;

/// Connections at once. When full, further ones wait in the kernel's backlog.
pub(super) const CONNECTIONS_MAX: usize = 32;

/// A request's body. A longer one is refused with `too_large`.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// A request's headers must be complete within this, or the connection is closed.
pub(super) const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// Threads for storage calls that block. When all are busy, further calls wait.
pub(super) const BLOCKING_THREADS_MAX: usize = 8;

/// Recordings on one page of a list. A larger wish is cut down to it.
pub(super) const PAGE_MAX: usize = 500;

/// Recordings on one page of a list when the request names no number.
pub(super) const PAGE_DEFAULT: usize = 50;

/// Recordings that one request may change. More are refused, before any is changed.
pub(super) const SELECT_MAX: usize = 50_000;

/// Held recordings on one page when the request names no number.
pub(super) const HOLDS_PAGE_DEFAULT: usize = 100;

/// Entries of the audit trail on one page when the request names no number.
pub(super) const AUDIT_PAGE_DEFAULT: usize = 100;

/// Networks in one list of where something may be used from. More are refused.
pub(crate) const NETWORKS_MAX: usize = 64;

/// Pieces of a streamed answer that wait for a slow reader. When full, the producer waits.
pub(super) const PIECES_MAX: usize = 8;

/// Sound in one piece of an export.
pub(super) const PIECE_BYTES: u64 = 256 * 1024;

/// How long one piece of a backup may wait for its reader; then it is cut off.
pub(super) const BACKUP_STALL: Duration = Duration::from_secs(60);

/// How long open answers may go on when the daemon stops; then they are cut off.
pub(super) const DRAIN_WITHIN: Duration = Duration::from_secs(1);

/// Readers that watch calls at once. More are refused, so that connections are left for commands.
pub(super) const WATCHERS_MAX: usize = 16;

/// How long the outcome of a command to a session is waited for; then the answer has none.
pub(super) const OUTCOME_WITHIN: Duration = Duration::from_secs(3);

/// Ids in one replay of dead letters. More are refused.
pub(super) const REPLAY_IDS_MAX: usize = 1_000;

/// A UUID in a list of JSON: 36 characters, quotes, a comma and a space.
const UUID_JSON_BYTES: usize = 40;

/// Progress of one job is told at most this often.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_millis(100);

const _: () = assert!(WATCHERS_MAX < CONNECTIONS_MAX);
const _: () = assert!(OUTCOME_WITHIN.as_secs() > COMMAND_WITHIN.as_secs());
const _: () = assert!(REPLAY_IDS_MAX * UUID_JSON_BYTES < BODY_BYTES_MAX);
const _: () = assert!(
    PAGE_DEFAULT <= PAGE_MAX,
    "the default page is a possible page"
);
