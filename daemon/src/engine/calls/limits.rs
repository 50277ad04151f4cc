//! The exchange's named maxima. Each says what happens when it is reached.

use std::time::Duration;

/// Asks that wait for the exchange. When full, whoever asks waits.
pub(super) const ASKS: usize = 1_024;

/// News of lines that wait for the exchange; a line that finds it full keeps its news.
pub(crate) const NEWS: usize = 4_096;

/// What players tell that waits for the exchange. When full, players take no more orders.
pub(super) const PLAYER_EVENTS: usize = 1_024;

/// Jobs of files that are done and wait for the exchange. When full, they go on waiting.
pub(super) const FILES_DONE: usize = 256;

/// How long a session that is over can be looked at.
pub(crate) const ENDED_FOR: Duration = Duration::from_secs(3_600);

/// Sessions that are over and can be looked at; with one more the oldest is forgotten.
pub(super) const ENDED: usize = 4_096;

/// Appends that wait because the index has too many changes waiting; with more, commands are
/// refused and no call is opened.
pub(super) const BACKLOG_COMMANDS: usize = 1_024;

/// The same; with more, events are given up, and the journal says so.
pub(super) const BACKLOG: usize = 16_384;

/// The pause before what was refused for want of room is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(5);

/// For sounds to end when the daemon stops; then the next start tells what is missing.
pub(super) const HANG_UP_WITHIN: Duration = Duration::from_secs(2);

/// For the last events to be written when the daemon stops; then the next start tells them.
pub(super) const FLUSH_WITHIN: Duration = Duration::from_secs(10);

/// Files of one job that are fetched or looked at at once; others wait.
pub(super) const FILES_A_JOB: usize = 8;

/// Files that are fetched at once, over all jobs; others wait.
pub(super) const FILES_AT_ONCE: usize = 32;

/// Bytes of fetched files that are kept to be played again; the least recently used go beyond.
pub(super) const CACHE_BYTES: u64 = 512 * 1_024 * 1_024;

/// Fetched files that are kept to be played again; the least recently used go beyond.
pub(super) const CACHE_FILES: usize = 4_096;

/// Threads that wait for the disk on behalf of files.
pub(super) const DISK_THREADS: usize = 8;

const _: () = assert!(BACKLOG_COMMANDS < BACKLOG);
const _: () = assert!(FILES_A_JOB <= FILES_AT_ONCE);
