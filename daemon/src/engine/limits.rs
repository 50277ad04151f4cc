//! The engine's named maxima. Each says what happens when it is reached.

use std::time::Duration;

use audio_io::units::Millis;

/// How often rings are drained, triggers run and I/O started. Half of it is the mean delay between
/// a block's arrival and its place in the journal's next batch.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// A gap this long ends the recording it is in (`EndCause::DeviceLost`); the next sound begins a
/// new one. Shorter gaps stay inside as silence with a gap entry.
pub(super) const DEVICE_LOST_AFTER: Millis = Millis(10_000);

/// Commands waiting for the recorder thread. When full, a command waits its turn.
pub(super) const COMMANDS_MAX: usize = 1_024;

/// Devices one real-time thread drives; more lines get a second thread.
pub(super) const DEVICES_PER_THREAD_MAX: usize = 256;

/// Two legs of a line may be this far apart before the earlier one is slipped.
pub(super) const LEG_SKEW: Millis = Millis(80);

/// How long the smallest distance between two legs is observed before it is believed.
pub(super) const LEG_SKEW_WINDOW: Millis = Millis(2_000);

/// How much sound a displayed level is measured over.
pub(super) const METER_WINDOW: Millis = Millis(100);

/// Between two looks the caller's device and the player's may go this far apart; a look after more
/// tells nothing of their clocks: one of them stood still, or made up for it.
pub(super) const PLAYED_STEADY: Millis = Millis(40);

/// Sound that a line that plays takes from its device at once at its start, and no faster than
/// time passes after that: some sound servers hand out seconds before they have passed, and what
/// will be played beside them is not known yet.
pub(super) const CAPTURE_START: Millis = Millis(40);

/// Sound that such a line takes at once after its device stood still.
pub(super) const CAPTURE_MAKES_UP: Millis = Millis(2_500);

/// A leg whose other leg brings nothing for this long goes on alone, with a gap on the other.
pub(super) const LEG_WAIT: Millis = Millis(1_000);

/// How often lines with a call are drained: a digit is told this much later at most.
pub(super) const CALL_TICK: Duration = Duration::from_millis(20);

/// How long sound waits on its way into a recording whose digits are silenced. A digit may be
/// known [`DIGIT_KNOWN_AFTER`] its start, and silences the pause before it too.
pub(super) const MASK_DELAY: Millis = Millis(700);

/// From a digit's start until the detector tells it, at most.
pub(super) const DIGIT_KNOWN_AFTER: Millis = Millis(120);

/// The highest sample of a recording in which nothing is heard: -66 dBFS. One that a command asked
/// for is not kept then.
pub(super) const SILENT_PEAK: u32 = 16;

/// What was played that waits for the recorder thread; older sound is lost to recordings.
pub(super) const PLAYED_TAP: Millis = Millis(3_000);

/// What was played that is kept for the caller's sound of the same time.
pub(super) const PLAYED_KEPT: Millis = Millis(4_000);

/// The played leg may be this far off before it is put right while something is played: less than
/// a player's device is given ahead, so that what is asked for is always there.
pub(super) const PLAYED_SKEW: Millis = Millis(20);

/// How long it is observed before that is believed.
pub(super) const PLAYED_SKEW_WINDOW: Millis = Millis(2_000);

/// Less than this the played leg is not moved, even where nobody would hear it.
pub(super) const PLAYED_NUDGE: Millis = Millis(6);

/// How far ahead of the caller's sound the detector of digits hears what is played, and how much
/// later than it arrives it hears the caller: the echo must not come before what it is of.
pub(super) const PLAYED_LEAD: Millis = Millis(10);

/// Orders of a channel that its real-time thread has no room for; with more, the oldest is dropped.
pub(super) const CHANNEL_ORDERS_WAITING: usize = 64;

/// Changes of a tapped channel's hook that wait for its line; more are told later.
pub(super) const TAP_HOOKS_MAX: usize = 64;

/// How often the hooks of tapped channels are looked at, and what listeners told is heard.
pub(super) const HOOK_EVERY: Duration = Duration::from_millis(100);

/// How often spans are looked at.
pub(super) const SPANS_EVERY: Duration = Duration::from_secs(1);

/// News of a line that wait for the exchange. With more, digits are lost, and said to be.
pub(super) const LINE_NEWS_MAX: usize = 256;

/// What players tell that waits for the exchange. When full, players take no new orders.
pub(super) const PLAYER_EVENTS_MAX: usize = 4_096;

const _: () = assert!(PLAYED_TAP.0 < PLAYED_KEPT.0);
const _: () = assert!(PLAYED_NUDGE.0 < PLAYED_SKEW.0 && PLAYED_SKEW.0 < audio_io::player::AHEAD.0);
const _: () = assert!(
    MASK_DELAY.0 >= 500 + 2 * 40 + DIGIT_KNOWN_AFTER.0,
    "a joined pause (MaskGuard) has not gone out when the next digit is known"
);

/// How long a caller's number is remembered that came before its ring, or after the last one.
pub(super) const CALLER_ID_KEPT: Duration = Duration::from_secs(10);

/// The rest of a telephone line on hook before it is seized again: the driver's disconnect takes
/// 0.8 s, and the exchange must see it.
pub(super) const REST: Duration = Duration::from_secs(1);

/// When an on-hook that the driver refused is tried again, and how often.
pub(super) const ON_HOOK_RETRY: Duration = Duration::from_secs(1);
/// See [`ON_HOOK_RETRY`].
pub(super) const ON_HOOK_TRIES: u32 = 3;

/// A reversal of the battery so soon after an answer belongs to it.
pub(super) const REVERSAL_WITHIN: Duration = Duration::from_secs(2);

/// How long a telephone is rung, or the far end of a trunk is waited for: `NO_ANSWER`.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How long dial tone is waited for before a number is dialled all the same.
pub(super) const DIAL_TONE_WITHIN: Duration = Duration::from_secs(3);

/// The pause before a number is dialled where dial tone is not heard.
pub(super) const DIAL_PAUSE: Duration = Duration::from_secs(1);

/// How long dialling takes at most, and each key of it; after that it counts as done.
pub(super) const DIAL_WITHIN: Duration = Duration::from_secs(2);
/// See [`DIAL_WITHIN`]. A pause of the number takes half a second.
pub(super) const DIAL_EACH: Duration = Duration::from_millis(600);

/// How long a call on a channel that was given up waits for its cause: a span that loses its line
/// may lose its sound first, and raise the alarm a second later.
pub(super) const LOST_CAUSE_WITHIN: Duration = Duration::from_millis(1_500);

/// A ring so soon after we seized a line was there before: glare.
pub(super) const GLARE_WITHIN: Duration = Duration::from_secs(2);

/// A tone so soon after dialling says how the call went; a later one that somebody hung up.
pub(super) const OUTCOME_WITHIN: Duration = Duration::from_secs(60);

/// The recorder, a real-time thread or the thread of calls that made no progress for this long is
/// stuck: the watchdog is no longer fed and `/readyz` says so.
pub(super) const PROGRESS_WITHIN: Duration = Duration::from_secs(5);

/// The disk that has not taken a batch of sound for this long hangs: that is no progress either.
pub(super) const DISK_WITHIN: Duration = Duration::from_secs(15);

/// The same for the thread that writes the index, which waits for the disk: a slow one may take its
/// time, one that does not answer at all is no progress.
pub(super) const INDEX_WITHIN: Duration = Duration::from_secs(15);

/// The thread of calls shows this often that it lives.
pub(super) const CALLS_PULSE: Duration = Duration::from_secs(1);

/// Bytes of a URL that is fetched; longer ones are refused.
pub(super) const FETCH_URL_BYTES: usize = 2_048;

/// Redirects that one fetch follows; with more it fails.
pub(super) const FETCH_REDIRECTS: usize = 3;

/// From a URL to an encrypted connection; then the fetch fails.
pub(super) const FETCH_CONNECT: Duration = Duration::from_secs(10);

/// For a whole fetch; then it fails.
pub(super) const FETCH_WHOLE: Duration = Duration::from_secs(30);

/// Bytes of a fetched or spoken file; a longer one fails, by its `Content-Length` at once.
pub(super) const FETCH_BYTES: u64 = 50_000_000;

/// Bytes of an answer's head; a longer one fails.
pub(super) const FETCH_HEAD_BYTES: usize = 32 * 1_024;

/// Addresses of one name that are tried; more are checked and not tried.
pub(super) const FETCH_ADDRESSES: usize = 8;

/// How long a fetched file may be used unasked at most, whatever its server says.
pub(super) const FETCH_FRESH: Duration = Duration::from_secs(24 * 3_600);

/// Prompts that are fetched or spoken at once; others wait.
pub(super) const PROMPTS_AT_ONCE: usize = 2;

/// Prompts that are being made or wait; with more, making another fails at once.
pub(super) const PROMPTS_WAITING: usize = 64;

/// Bytes of a speech command's standard error that are kept for the journal.
pub(super) const SPEECH_COMPLAINT_BYTES: usize = 1_024;

/// How often a speech command's output is measured; one that is too long ends it.
pub(super) const SPEECH_LOOK: Duration = Duration::from_millis(200);

const _: () = assert!(FETCH_CONNECT.as_secs() < FETCH_WHOLE.as_secs());
const _: () = assert!(PROMPTS_AT_ONCE < PROMPTS_WAITING);
const _: () = assert!(
    LEG_SKEW.0 < LEG_WAIT.0,
    "skew is corrected before a leg is given up"
);
const _: () = assert!(
    LEG_WAIT.0 < DEVICE_LOST_AFTER.0,
    "one lost leg never ends a recording first"
);

/// Pieces of MP3 files that wait for a conversion thread: one a connection at most. When full, a
/// reader is told `Busy`.
pub(super) const PIECES_WAITING_MAX: usize = 4_096;

/// Pieces made ahead of their readers that wait. When full, none is made ahead.
pub(super) const PIECES_AHEAD_MAX: usize = 64;

/// Whole conversions that wait for a thread. When full, whoever asks for another is told `Busy`.
pub(super) const CONVERSIONS_WAITING_MAX: usize = 64;

/// Conversions to tenants' stored formats that wait; their keeper asks for no more than there are
/// threads.
pub(super) const KEEPING_WAITING_MAX: usize = CONVERT_WORKERS_MAX;

/// Conversion threads; a configuration asking for more gets this many.
pub(super) const CONVERT_WORKERS_MAX: usize = 64;

/// Steps of a conversion (a second of sound at most) between two looks at the disk's free space.
pub(super) const CONVERT_SPACE_EVERY: u32 = 60;

/// MP3 files that stay open while nobody reads them, so that what was made of them is not made
/// again; the least recently asked for is forgotten beyond.
pub(super) const MP3_OPEN_MAX: usize = 64;

/// Pieces of one open MP3 file that are kept in memory; the oldest goes beyond.
pub(super) const MP3_PIECES_IN_MEMORY: usize = 4;

/// Idle decoders of one open MP3 file's source; more are closed.
pub(super) const MP3_SOURCES_IDLE_MAX: usize = 2;

/// Bytes of an MP3 piece that are handed out at once.
pub(super) const MP3_READ_MAX: u64 = 64 * 1024;

/// How often sealed recordings are looked for that their tenant keeps in another format.
pub(super) const KEEP_EVERY: Duration = Duration::from_secs(1);

/// Recordings noticed as sealed and not yet looked at; when more, all rows are looked through
/// again.
pub(super) const KEEP_NOTICED_MAX: usize = 4_096;

/// Rows that are read at once when all are looked through.
pub(super) const KEEP_PAGE: usize = 256;

/// Recordings that could not be converted and are tried again; of more the last are forgotten
/// until the next time that all rows are looked through.
pub(super) const KEEP_FAILURES_MAX: usize = 1_024;

/// The pause before a recording that could not be converted is tried again; it doubles with each
/// failure.
pub(super) const KEEP_RETRY_MIN: Duration = Duration::from_secs(60);

/// The longest such pause.
pub(super) const KEEP_RETRY_MAX: Duration = Duration::from_secs(6 * 3_600);

/// How long nothing is converted for keeping once the disk was nearly full.
pub(super) const KEEP_SPACE_PAUSE: Duration = Duration::from_secs(60);

/// How much longer or shorter than the recording a file may be that takes its place: encoders'
/// frames are up to 128 ms long.
pub(super) const KEEP_LENGTH_SLACK: Millis = Millis(150);

const _: () = assert!(
    KEEP_RETRY_MIN.as_secs() < KEEP_RETRY_MAX.as_secs(),
    "pauses grow"
);

/// For one attempt to deliver a webhook, from look-up to the answer's head; then it failed.
pub(super) const WEBHOOK_ATTEMPT: Duration = Duration::from_secs(10);

/// How long a webhook's answer is heard out once its head is there; then the connection is cut.
pub(super) const POST_HEAR_OUT: Duration = Duration::from_millis(500);

/// Bytes of a webhook's answer that are heard; then the connection is cut.
pub(super) const POST_ANSWER_BYTES: usize = 64 * 1_024;

/// Sessions of one application that webhooks are delivered of at once; others wait.
pub(super) const WEBHOOK_LANES: usize = 8;

/// Webhooks that are delivered at once, over all applications; others wait. From half of it on
/// each application gets one lane: no fewer than 256 receivers that are slow at the
/// same time hold up another, for [`WEBHOOK_ATTEMPT`].
pub(super) const WEBHOOKS_AT_ONCE: usize = 512;

/// The pause before a webhook's second attempt, at most; it doubles with each failure.
pub(super) const WEBHOOK_RETRY_MIN: Duration = Duration::from_secs(1);

/// The longest such pause.
pub(super) const WEBHOOK_RETRY_MAX: Duration = Duration::from_secs(30 * 60);

/// The longest pause that a receiver's `Retry-After` is granted; a longer one is cut to it.
pub(super) const WEBHOOK_RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// How often webhooks that are due are looked for when nothing says so.
pub(super) const WEBHOOK_LOOK: Duration = Duration::from_secs(60);

/// How often old events are given up of applications that nothing is delivered to.
pub(super) const WEBHOOK_SWEEP: Duration = Duration::from_secs(60);

/// The pause after the disk refused to take or tell what became of a webhook.
pub(super) const WEBHOOK_DISK_RETRY: Duration = Duration::from_secs(1);

/// A call that ends answers its open commands and tells of its sounds, its recordings and itself
/// in one append.
const _: () = {
    use super::session::limits::{COMMANDS_OPEN, RECORDINGS_ENDING};
    use storage::limits::OUTBOX_APPEND_MAX;
    assert!(COMMANDS_OPEN + 2 * RECORDINGS_ENDING + 16 <= OUTBOX_APPEND_MAX);
};
const _: () = assert!(WEBHOOK_LANES * 2 < WEBHOOKS_AT_ONCE);
const _: () = assert!(WEBHOOK_RETRY_MIN.as_secs() < WEBHOOK_RETRY_MAX.as_secs());

/// Sound of a line that its listeners get at once.
pub(super) const LISTEN_BLOCK: Millis = Millis(20);

/// Blocks that a line keeps for its listeners.
pub(super) const LISTEN_BLOCKS: usize = 64;

/// Blocks that a listener may lie behind; then it goes on with the newest [`LISTEN_FRESH`], so that
/// what is heard stays live.
pub(super) const LISTEN_BEHIND: u64 = 15;

/// Blocks that a listener who was too slow hears of the past.
pub(super) const LISTEN_FRESH: u64 = 2;

/// How often a listener looks whether there is more.
pub(super) const LISTEN_POLL: Duration = Duration::from_millis(10);

/// Who listens to one line at once; more are refused.
pub(super) const LISTENERS_MAX: u32 = 32;

/// How long sound waits on its way to a listener where digits are silenced: until a digit that has
/// begun in it is known, 40 ms before it included.
pub(super) const LISTEN_MASK_DELAY: Millis = Millis(200);

const _: () = assert!(LISTEN_MASK_DELAY.0 >= DIGIT_KNOWN_AFTER.0 + 40);
const _: () = assert!(LISTEN_FRESH < LISTEN_BEHIND && LISTEN_BEHIND < LISTEN_BLOCKS as u64 / 2);
