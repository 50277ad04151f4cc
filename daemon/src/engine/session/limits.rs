//! The named maxima of calls under control (seed 001; API.md section 2). Each says what happens
//! when it is reached. The HTTP side quotes them in its messages.

use std::time::Duration;

/// From a command's acceptance to its `command.result`; then the result is a failure with the
/// error `timeout`, and what the command began goes on (seed 001: "2 s timeout").
pub const COMMAND_WITHIN: Duration = Duration::from_secs(2);
/// Commands of one session whose result is open; another one fails at once.
pub const COMMANDS_OPEN: usize = 64;

/// Characters of a `command_uid`; more are 400.
pub const COMMAND_UID_CHARS: usize = 128;
/// How long a `command_uid` is remembered.
pub const COMMAND_UID_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// Uids a session remembers; with one more the oldest is forgotten before its time.
pub const COMMAND_UIDS: usize = 1_024;
/// Characters of a hang-up's cause; more are 400.
pub const CAUSE_CHARS: usize = 64;

/// URLs of one list (`urls`, `prompt_files`, `invalid_files`); more are 400.
pub const URLS: usize = 128;
/// Characters of one URL; more are 400.
pub const URL_CHARS: usize = 2_048;
/// Largest `offset_sec` of `playback/start`; more is 400.
pub const OFFSET_SEC: u32 = 86_400;

/// Largest `min_digits` and `max_digits`; more is 400.
pub const DIGITS: u32 = 128;
/// Largest `max_tries`; more is 400.
pub const TRIES: u32 = 10;
/// Shortest `timeout` of one try; less is 400.
pub const TRY_MIN_MS: u32 = 1_000;
/// Longest `timeout` of one try; more is 400.
pub const TRY_MAX_MS: u32 = 300_000;
/// Longest `timeout * max_tries`; more is 400.
pub const TRIES_WHOLE_MS: u32 = 120_000;
/// Characters of `terminators`; more are 400.
pub const TERMINATORS: usize = 16;
/// `min_digits` where a command names none.
pub const DIGITS_MIN_DEFAULT: u32 = 1;
/// `max_digits` where a command names none.
pub const DIGITS_MAX_DEFAULT: u32 = 10;
/// `max_tries` where a command names none.
pub const TRIES_DEFAULT: u32 = 3;
/// `timeout` where a command names none.
pub const TRY_DEFAULT_MS: u32 = 5_000;
/// The silence after invalid input where a command names no `invalid_files`.
pub const INVALID_SILENCE: Duration = Duration::from_millis(250);

/// Between two commands of the group `playback` on one session; sooner is 429.
pub const COOLDOWN_PLAYBACK: Duration = Duration::from_millis(500);
/// Between two commands of the group `seek` on one session; sooner is 429.
pub const COOLDOWN_SEEK: Duration = Duration::from_millis(100);
/// Between two commands of the group `heavy` on one session; sooner is 429.
pub const COOLDOWN_HEAVY: Duration = Duration::from_secs(2);

/// For the player to say where it stopped; then `playback.stopped` tells what the clock says.
pub const PLAYER_REPORT: Duration = Duration::from_secs(1);
/// For the recorder to finish a recording that was stopped; then `recording.failed` is told.
pub const RECORDER_REPORT: Duration = Duration::from_secs(600);
/// Stopped recordings of one session that are being finished; while there are as many,
/// `record/start` fails.
pub const RECORDINGS_ENDING: usize = 8;

const _: () = assert!(DIGITS_MIN_DEFAULT <= DIGITS_MAX_DEFAULT && DIGITS_MAX_DEFAULT <= DIGITS);
const _: () = assert!(TRY_MIN_MS <= TRY_DEFAULT_MS && TRY_DEFAULT_MS <= TRY_MAX_MS);
const _: () = assert!(TRY_DEFAULT_MS * TRIES_DEFAULT <= TRIES_WHOLE_MS);
const _: () = assert!(TRIES_DEFAULT <= TRIES);
const _: () = assert!(PLAYER_REPORT.as_secs() < COMMAND_WITHIN.as_secs());
const _: () = assert!(COMMANDS_OPEN <= COMMAND_UIDS);
