//! Every maximum of this crate, with what happens when it is reached. Nothing else lives here.

use std::time::Duration;

/// Recordings that can be open at once; [`crate::recorder::BeginError::TooMany`] beyond.
pub const OPEN_RECORDINGS_MAX: usize = 16_384;

/// Sound held in memory that is not yet in the journal or not yet in its file, in bytes, over all
/// recordings; beyond it `append` answers [`crate::recorder::Behind`].
pub const UNWRITTEN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The largest buffer of one recording's file. A power of two, as all buffers' sizes are.
pub const FILE_BUFFER_MAX: usize = 64 * 1024;

/// The smallest buffer of one recording's file, used when very many are open.
pub const FILE_BUFFER_MIN: usize = 16 * 1024;

/// Memory that all file buffers share before they get smaller, in bytes.
pub const FILE_BUFFER_BUDGET: usize = 64 * 1024 * 1024;

/// Idle file buffers that are kept for reuse; beyond it the oldest is freed.
pub const BUFFER_POOL_MAX: usize = 256;

/// A journal batch's buffer up to this size is always kept for the next batches, in bytes; a
/// larger one only while batches fill at least a quarter of it.
pub const BATCH_BUFFER_KEPT: usize = 1024 * 1024;

/// Gaps that one recording remembers one by one; later ones widen the last.
pub const GAPS_MAX: usize = 10_000;

/// Marks that one recording remembers one by one. Further digits are dropped and counted in the
/// log; further spans widen the last of their kind, so that none is lost (a kind's first span
/// gets in beyond the maximum, so there may be three more).
pub const MARKS_MAX: usize = 4_096;

/// The oldest that sound in memory gets before it goes to the journal.
pub const BATCH_AGE: Duration = Duration::from_millis(350);

/// Bytes of a batch after which it does not wait for its age.
pub const BATCH_BYTES_URGENT: usize = 8 * 1024 * 1024;

/// The longest entry of the journal; longer sound is split, a longer entry is invalid.
pub const JOURNAL_ENTRY_MAX: usize = 1024 * 1024;

/// Sound a journal generation is sized for.
pub const GENERATION_SPAN: Duration = Duration::from_secs(30);

/// The smallest generation, in bytes. Tests come past its end with less sound.
pub const GENERATION_MIN: u64 = if cfg!(test) {
    128 * 1024
} else {
    8 * 1024 * 1024
};

/// The largest generation, in bytes; a batch under way may overrun it.
pub const GENERATION_MAX: u64 = 256 * 1024 * 1024;

/// Old generation files that are kept for reuse; more are deleted.
pub const SPARE_GENERATIONS_MAX: usize = 2;

/// Recordings whose buffers a checkpoint hands to their files at once; the others follow, so that
/// what is under way stays far below [`UNWRITTEN_BYTES_MAX`].
pub const CHECKPOINT_FLUSH_MAX: usize = 128;

/// Files a checkpoint syncs one by one; more are synced with one `syncfs`.
pub const CHECKPOINT_SINGLE_MAX: usize = 16;

/// Recordings' files that are created at once; more wait.
pub const CREATES_AT_ONCE: usize = 4;

/// Seals that run at once; more wait.
pub const SEALS_AT_ONCE: usize = 8;

/// The preallocation of a recording's file covers this much sound ahead.
pub const PREALLOCATE_SPAN: Duration = Duration::from_secs(120);

/// The largest single preallocation, in bytes.
pub const PREALLOCATE_MAX: u64 = 16 * 1024 * 1024;

/// How often a refusing disk is probed.
pub const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Free space below which a disk that was full stays refused, in bytes, beyond the reserve.
pub const FREE_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// Free space below which nothing is uploaded, fetched or spoken, in bytes, beyond
/// [`FREE_BYTES_MIN`]: several of the largest may be under way.
pub const SCRATCH_FREE_MIN: u64 = 128 * 1024 * 1024;

/// Size of the file that is deleted when the disk is full, so that index and seals go through.
pub const RESERVE_BYTES: u64 = 32 * 1024 * 1024;

/// On small file systems, reserve and wanted free space are at most this fraction of them.
pub const RESERVE_SHARE: u64 = 16;

/// How long `Recorder::finish` waits for seals; what is not sealed then is sealed at next start.
pub const FINISH_WITHIN: Duration = Duration::from_millis(1_800);

/// Index changes that wait for the writer thread; beyond it synchronous callers wait, the
/// recorder keeps its changes and tries again at its next tick.
pub const COMMIT_QUEUE_MAX: usize = 4_096;

/// Index changes in one commit.
pub const COMMIT_GROUP_MAX: usize = 1_024;

/// How long an index change that nobody waits for may wait for company; twice as long when
/// company keeps coming.
pub const COMMIT_WINDOW: Duration = Duration::from_millis(100);

/// An idle index writer shows that it lives this often.
pub const INDEX_PULSE: Duration = Duration::from_secs(1);

/// How long the index writer waits before it tries a failed commit again.
pub const COMMIT_RETRY: Duration = Duration::from_secs(1);

/// Jobs that wait for the work thread; beyond it seals wait for room.
pub const WORK_QUEUE_MAX: usize = 1_024;

/// Questions for a live recording's snapshot that wait for the recorder; beyond it
/// [`crate::error::ViewError::Busy`].
pub const VIEW_QUEUE_MAX: usize = 256;

/// Bytes of peaks of all open recordings, before those of each get coarser.
pub const LIVE_PEAKS_BUDGET: usize = 64 * 1024 * 1024;

/// Peaks that an open recording keeps at least and at most, over all its tracks, 4 bytes each;
/// beyond it they get coarser. What is sealed then has the fine ones from its file. Tests come past
/// it with fewer.
pub const LIVE_PEAKS: (usize, usize) = (1_024, if cfg!(test) { 8_192 } else { 512 * 1_024 });

/// Recordings whose peaks wait to be made; beyond it [`crate::error::PeaksError::Busy`].
pub const PEAKS_QUEUE_MAX: usize = 64;

/// Who waits for one recording's peaks; beyond it [`crate::error::PeaksError::Busy`].
pub const PEAKS_WAITING_MAX: usize = 256;

/// Pairs of peaks in one piece of an answer.
pub const PEAKS_CHUNK: usize = 8 * 1_024;

/// How often a view follows a recording that changes state under it.
pub const VIEW_TRIES: usize = 3;

/// Rows in one page of `list`; a larger limit is cut to this.
pub const PAGE_MAX: usize = 1_000;

/// Rows a filtered page looks at before it ends early with a cursor.
pub const PAGE_SCAN_MAX: usize = 100_000;

/// Recent changes that `changes_since` remembers.
pub const CHANGES_MAX: usize = 1_024;

/// Recording ids reserved by one index commit.
pub const ID_RANGE: u64 = 65_536;

/// Ids that are handed out stay below this, so that JavaScript can hold them; imports may bring
/// larger ones.
pub const ID_MAX: u64 = 1 << 53;

/// Ids that may have been handed out long before their recording begins.
pub const ID_MARGIN: u64 = 4_096;

/// Bytes of a key's label; longer ones are cut.
pub const LABEL_MAX: usize = 256;

/// Files that start-up repair has open at once.
pub const REPAIR_FILES_MAX: usize = 256;

/// Rows a check reads from one snapshot of the index.
pub const CHECK_ROWS: usize = 256;

/// Findings a check keeps in its report; more are only counted.
pub const FINDINGS_MAX: usize = 10_000;

/// Bytes a file is read in when hashed, copied or checked.
pub const READ_BUFFER: usize = 256 * 1024;

/// The longest facts (crel chunk or sidecar) that are believed, in bytes.
pub const FACTS_MAX: usize = 4 * 1024 * 1024;

const _: () = {
    assert!(FILE_BUFFER_MIN <= FILE_BUFFER_MAX && FILE_BUFFER_MAX.is_multiple_of(4096));
    assert!(GENERATION_MIN <= GENERATION_MAX);
    assert!(UNWRITTEN_BYTES_MAX >= 16 * FILE_BUFFER_MAX);
    assert!(UNWRITTEN_BYTES_MAX >= 4 * CHECKPOINT_FLUSH_MAX * FILE_BUFFER_MAX);
    assert!(COMMIT_GROUP_MAX <= COMMIT_QUEUE_MAX);
};

/// Deleted recordings that a tenant's names are remembered of; the oldest are forgotten beyond.
pub const PURGED_MAX: u64 = 1_000_000;

/// How long a deleted recording's names are remembered.
pub const PURGED_AGE: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// Deleted recordings that one more deletion forgets at most.
pub const PURGED_STEP: usize = 8;

/// Prompts that a list looks at; older ones are not in it.
pub const PROMPT_SCAN_MAX: usize = 100_000;

/// Characters of a prompt's name.
pub const PROMPT_NAME_MAX: usize = 128;

/// Bytes of kept conversions before anybody says how many there may be.
pub const DERIVED_BYTES: u64 = 1 << 30;

/// Kept conversions; the least recently used go beyond, whatever their length.
pub const DERIVED_FILES_MAX: usize = 100_000;

/// Characters of a conversion's tag.
pub const DERIVED_TAG_MAX: usize = 128;

/// Free space below which nothing is converted, in bytes, and as a fraction of the file system:
/// the larger counts.
pub const DERIVED_FREE_MIN: (u64, u64) = (64 * 1024 * 1024, 100);

/// Recordings whose conversions are counted while the store opens; the others are counted on a
/// thread beside its work.
pub const DERIVED_SCAN_AT_OPEN: usize = 1_000;

/// How much later a conversion's last use is noted on disk.
pub const DERIVED_TOUCH_EVERY: Duration = Duration::from_secs(60);

/// Bytes of a text that is to be spoken.
pub const SPEECH_TEXT_MAX: usize = 10_000;
/// Bytes of a password, least and most.
pub const PASSWORD_BYTES: (usize, usize) = (8, 256);

/// Passwords that are hashed or verified at once, 19 MiB each; more wait for their turn.
pub const PASSWORDS_AT_ONCE: usize = 4;

/// Users over all tenants; [`crate::error::AccountError::Full`] beyond.
pub const USERS_MAX: usize = 10_000;

/// Groups that one user looks after; [`crate::error::AccountError::Groups`] beyond.
pub const USER_GROUPS_MAX: usize = 64;

/// Sessions of one user, whatever is asked for; the oldest ends for a new one.
pub const SESSIONS_PER_USER_MAX: usize = 16;

/// How long a session's use may be missing on disk.
pub const SESSION_SAVE_EVERY: Duration = Duration::from_secs(60);

/// How far a stored session may lie in the future, because the clock was set back while the
/// store was closed; one that lies farther ahead has ended.
pub const SESSION_AHEAD_MAX: Duration = Duration::from_secs(60);

/// Keys with an end that are issued on one user's behalf; the oldest goes for a new one.
pub const USER_KEYS_MAX: usize = 64;

/// Signing keys that are remembered, retired ones included; the oldest retired one is forgotten
/// for a new one, or the oldest of all where none is retired.
pub const SIGNING_KEYS_MAX: usize = 64;

/// Addresses and names whose failures are remembered; beyond it the one whose last failure is
/// longest ago is forgotten.
pub const LOCK_SUBJECTS_MAX: usize = 65_536;

/// Bytes of a name whose failures are counted; longer ones are cut.
pub const LOCK_NAME_MAX: usize = 64;

/// Failures of an address within [`LOCK_TRIES_SPAN`] that lock it.
pub const LOCK_ADDRESS_TRIES: usize = 20;

/// Failures of a name within [`LOCK_TRIES_SPAN`] that lock it.
pub const LOCK_USER_TRIES: usize = 5;

/// How long a failure counts towards a lock.
pub const LOCK_TRIES_SPAN: Duration = Duration::from_secs(10 * 60);

/// Failures of an address within [`LOCK_BLOCK_SPAN`] that block it for [`LOCK_BLOCKED`].
pub const LOCK_BLOCK_TRIES: usize = 100;

/// How long a failure counts towards a block.
pub const LOCK_BLOCK_SPAN: Duration = Duration::from_secs(60 * 60);

/// How long an address is blocked.
pub const LOCK_BLOCKED: Duration = Duration::from_secs(24 * 60 * 60);

const _: () = {
    assert!(LOCK_USER_TRIES < LOCK_ADDRESS_TRIES && LOCK_ADDRESS_TRIES < LOCK_BLOCK_TRIES);
    assert!(PASSWORD_BYTES.0 <= PASSWORD_BYTES.1);
};

/// Tags of one recording.
pub const TAGS_MAX: usize = 32;

/// Holds of one recording at a time.
pub const HOLDS_MAX: usize = 64;

/// Characters of a reason for a hold, or for lifting one.
pub const REASON_MAX: usize = 1_024;

/// Characters of the name of whoever sets or lifts a hold.
pub const ACTOR_MAX: usize = 256;

/// Retention policies.
pub const POLICIES_MAX: usize = 256;

/// The longest time a retention policy may name, in milliseconds: a hundred years.
pub const KEEP_MAX_MS: u64 = 100 * 366 * 24 * 60 * 60 * 1_000;

/// Deletions that retention makes in one commit.
pub const RETIRE_BATCH: usize = 256;

/// Deletions that one retention pass plans; what is left is for the next.
pub const RETIRE_PLAN_MAX: usize = 65_536;

/// Rows that a retention pass reads from one snapshot of the index.
pub const RETIRE_ROWS: usize = 4_096;

/// Wall times before this (2025-01-01) are those of a clock that was never set.
pub const CLOCK_FLOOR_MS: u64 = 1_735_689_600_000;

/// How far the wall clock may run before the proven time until somebody is told.
pub const CLOCK_AHEAD_MAX: Duration = Duration::from_secs(60 * 60);

/// How far the wall clock may lie behind the proven time; farther back, which of the two is wrong
/// cannot be told, and nothing is deleted.
pub const CLOCK_BEHIND_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How far a recording's start may be off and still be taken at its word.
pub const CLOCK_SLACK: Duration = Duration::from_secs(2 * 60);

/// By how much more the wall clock must move against proven time to have been stepped.
pub const CLOCK_STEP: Duration = Duration::from_secs(1);

/// How much proven time a power cut may lose.
pub const CLOCK_SAVE_EVERY: Duration = Duration::from_secs(10 * 60);

/// How often it is noted which recordings' numbers were given out by when.
pub const CLOCK_MARK_EVERY: Duration = Duration::from_secs(60 * 60);

const _: () = {
    assert!(RETIRE_BATCH <= COMMIT_GROUP_MAX && RETIRE_BATCH <= CHANGES_MAX);
    assert!(RETIRE_BATCH <= RETIRE_PLAN_MAX);
    assert!(CLOCK_STEP.as_secs() <= CLOCK_SLACK.as_secs());
    assert!(CLOCK_SLACK.as_secs() <= CLOCK_AHEAD_MAX.as_secs());
    assert!(CLOCK_AHEAD_MAX.as_secs() <= CLOCK_BEHIND_MAX.as_secs());
};

/// Applications over all tenants; [`crate::outbox::OutboxError::Full`] beyond.
pub const APPLICATIONS_MAX: usize = 10_000;

/// Events of one application that wait to be delivered; beyond it the oldest becomes a dead
/// letter. Tests come past it with fewer.
pub const OUTBOX_WAITING_MAX: u64 = if cfg!(test) { 12_000 } else { 100_000 };

/// Dead letters of one application; beyond it the oldest is forgotten. Tests come past it with
/// fewer.
pub const OUTBOX_DEAD_MAX: u64 = if cfg!(test) { 50 } else { 100_000 };

/// How long an event is tried; then it becomes a dead letter.
pub const OUTBOX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Events in one append; [`crate::outbox::OutboxError::TooLong`] beyond. A call that ends answers
/// all its open commands at once, and that must be one commit: the daemon asserts that it fits.
pub const OUTBOX_APPEND_MAX: usize = 256;

/// Bytes of a session's note; [`crate::outbox::OutboxError::TooLong`] beyond.
pub const SESSION_NOTE_MAX: usize = 4 * 1024 * 1024;

/// Bytes of one event's data; [`crate::outbox::OutboxError::TooLong`] beyond. The longest tells of
/// a playback of 128 URLs of 2,048 characters, which JSON may write with six bytes each.
pub const OUTBOX_DATA_MAX: usize = 2 * 1024 * 1024;

/// Bytes of an event's or a filter's name; [`crate::outbox::OutboxError::TooLong`] beyond.
pub const OUTBOX_NAME_MAX: usize = 64;

/// Names in an application's filter; [`crate::outbox::OutboxError::TooLong`] beyond.
pub const OUTBOX_FILTER_MAX: usize = 64;

/// Bytes of a webhook's URL; [`crate::outbox::OutboxError::TooLong`] beyond.
pub const WEBHOOK_URL_MAX: usize = 2_048;

/// Bytes of a webhook's secret, least and most (Standard Webhooks: 24 to 64).
pub const WEBHOOK_SECRET_BYTES: (usize, usize) = (24, 64);

/// Bytes of an application's key, at least.
pub const APP_KEY_MIN: usize = 16;

/// Bytes of a failed delivery's error that are kept; longer ones are cut.
pub const OUTBOX_ERROR_MAX: usize = 256;

/// Events that one step of expiring, and one replay, move at most.
pub const OUTBOX_STEP: usize = 256;

/// Days after its last event that a session's sequence is remembered.
pub const OUTBOX_SESSION_DAYS: u32 = 30;

/// Sessions that one append forgets at most.
pub const OUTBOX_FORGET_STEP: usize = 8;

const _: () = {
    assert!(WEBHOOK_SECRET_BYTES.0 <= WEBHOOK_SECRET_BYTES.1);
    assert!(OUTBOX_SESSION_DAYS as u64 * 24 * 60 * 60 > OUTBOX_AGE.as_secs());
};

/// Copies of the index from before migrations that are kept; the oldest goes for a new one.
pub const INDEX_COPIES_MAX: usize = 3;

/// Indexes, and folders of keys, that restores replaced and that are kept; the oldest goes for a
/// new one.
pub const REPLACED_MAX: usize = 3;

/// Bytes of a name or an address in an entry of the ledger; longer ones are cut.
pub const LEDGER_TEXT_MAX: usize = 256;

/// Bytes of an entry's details, as JSON; longer ones are left out and only their length is told.
pub const LEDGER_DETAILS_MAX: usize = 16 * 1024;

/// How deep an entry's details nest; what is deeper becomes text.
pub const LEDGER_DEPTH_MAX: usize = 8;

/// The longest line of the ledger that is read, in bytes. Text that JSON escapes takes six bytes a
/// byte.
pub const LEDGER_LINE_MAX: usize = 64 * 1024;

const _: () = assert!(LEDGER_DETAILS_MAX + 12 * LEDGER_TEXT_MAX + 1_024 < LEDGER_LINE_MAX);

/// Bytes of a segment of the ledger after which the next group begins another. Tests come past it
/// with fewer.
pub const LEDGER_SEGMENT_BYTES: u64 = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// One of so many entries has its place in the index; the others are read from there on.
pub const LEDGER_AT_EVERY: u64 = 64;

/// Acts that wait for the index writer; beyond it they are only counted, and the ledger tells how
/// many are missing.
pub const ACTS_MAX: usize = 16_384;

/// Acts of one commit.
pub const ACTS_STEP: usize = 4_096;

/// Entries, and rows of an older store, that one commit takes into the ledger's tables at opening.
pub const LEDGER_STEP: usize = 4_096;

/// Entries after which a checkpoint is signed.
pub const CHECKPOINT_EVERY: u64 = 1_000;

/// How long an entry waits for its checkpoint at most.
pub const CHECKPOINT_AGE: Duration = Duration::from_secs(10 * 60);

/// Entries behind the last checkpoint at which checkpoints are missing: groups are large and disks
/// may fail for a while.
pub const CHECKPOINT_BEHIND_MAX: u64 = 20 * CHECKPOINT_EVERY;

/// Checkpoints that a check reads.
pub const CHECKPOINTS_MAX: usize = 10_000_000;

/// How far a device's clock and the wall clock may be apart before the wall clock is held to have
/// gone back, in milliseconds.
pub const CLOCKS_APART_MS: u64 = 60_000;

/// Notes of one recording.
pub const NOTES_MAX: u32 = 1_000;

/// Bytes of a note's text.
pub const NOTE_BYTES_MAX: usize = 16 * 1024;

/// Recordings in one page of a search; a larger limit is cut to this.
pub const SEARCH_PAGE_MAX: usize = 200;

/// Work of one page of a search, in postings that are passed over; a page that comes to its end is
/// short, and its cursor goes on from there.
pub const SEARCH_WORK: usize = 40_000;

/// What reading a row costs beside passing over a posting.
pub const SEARCH_ROW_WORK: usize = 16;

/// Lists that are merged to lead a search; with more, the list of everything leads.
pub const SEARCH_LISTS_MAX: usize = 96;

/// Tags that a search asks for at once, and lines and agents of a scope.
pub const SEARCH_NAMES_MAX: usize = 1_024;

/// Rows that are put into the lists of search in one commit, where an older store had none.
pub const SEARCH_BUILD_STEP: usize = 1_024;

/// Bytes of the words that are looked for in notes.
pub const NOTE_QUERY_MAX: usize = 1_024;

/// Words of them.
pub const NOTE_WORDS_MAX: usize = 32;

/// Recordings whose notes fit that one page looks at; its cursor goes on from there.
pub const NOTE_HITS_MAX: usize = 8_192;

/// Bytes of a word that is found by itself; of longer ones the beginning counts.
pub const NOTE_WORD_BYTES: usize = 64;

/// How long a note may be missing in full text.
pub const NOTE_TEXT_EVERY: Duration = Duration::from_secs(1);

/// Recordings whose notes go into one commit of the full text.
pub const NOTE_TEXT_STEP: usize = 4_096;
