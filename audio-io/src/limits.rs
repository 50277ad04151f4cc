//! Every bound of this crate, in one place. What happens at each bound stands beside it; values
//! that depend on each other are checked at compile time.

use std::time::Duration;

use crate::block::BLOCK_BYTES;
use crate::units::Millis;

/// Blocks the largest ring is built for. Longer wishes get this ring; its owner then loses sound
/// (as counted gaps) sooner than wished.
pub const RING_BLOCKS_MAX: usize = 8_191;

/// Streams one real-time thread drives. More are refused when the thread is made.
pub const STREAMS_PER_THREAD_MAX: usize = 8_192;

/// Bytes read from a device by one call: a whole number of frames of any format.
pub const READ_BYTES: usize = 16 * 1_024;

/// Reads of one device before the others get their turn. What is left waits for the next turn.
pub const READS_PER_TURN_MAX: u32 = 4;

/// Descriptors of one device that are watched. A device with more is also read once a period.
pub const DESCRIPTORS_PER_PORT_MAX: usize = 16;

/// Gaps of different causes remembered while a ring is full. Further ones join the last.
pub const PENDING_GAPS_MAX: usize = 8;

/// Underruns of one playback device that are answered in one turn; more wait for the next.
pub const UNDERRUNS_PER_TURN_MAX: u32 = 2;

/// Digits that wait to be played on one line. More are refused.
pub const DIGITS_WAITING_MAX: usize = 128;

/// The longest echo of a prompt that is cancelled, in milliseconds. Longer wishes get this one.
pub const ECHO_TAIL_MS_MAX: u64 = 128;

/// How often a stream whose device is away says so with a gap.
pub const ABSENT_GAP_EVERY: Duration = Duration::from_millis(100);

/// The least time without frames that counts as a stall.
pub const STALL_MIN: Duration = Duration::from_millis(250);

/// Periods without frames that count as a stall, if that is longer than [`STALL_MIN`].
pub const STALL_PERIODS: u32 = 4;

/// How often a telephone channel that stays silent is restarted before it is opened anew: for five
/// seconds, within which a driver tells an alarm or that the card is gone.
pub const CHANNEL_RESTARTS: u32 = 20;

/// How much longer than that a device that was just opened may take for its first frames: sound
/// servers do (PulseAudio wakes an idle monitor up to two seconds late).
pub const FIRST_FRAMES_GRACE: Duration = Duration::from_millis(2_250);

/// Wake-ups in a row that find nothing to do before a device's descriptors are ignored for
/// [`MUTED_FOR`]. A broken driver must not spin a real-time thread.
pub const IDLE_WAKEUPS_MAX: u32 = 4;

/// How long the descriptors of a device that woke the loop for nothing are ignored.
pub const MUTED_FOR: Duration = Duration::from_millis(20);

/// The longest a real-time thread sleeps, so that its wake-up counter shows that it lives.
pub const SLEEP_MAX: Duration = Duration::from_millis(500);

/// The wait after the first failure to open a device; it doubles from there.
pub const OPEN_BACKOFF_MIN: Duration = Duration::from_millis(100);

/// The longest wait between two attempts to open a device: with the time that opening takes, a
/// device that is back is recorded again within two seconds.
pub const OPEN_BACKOFF_MAX: Duration = Duration::from_millis(1_500);

/// A device that ran this long starts its backoff anew.
pub const OPEN_STEADY: Duration = Duration::from_secs(10);

/// How often the devices' folders are looked at while a device is away.
pub const HOTPLUG_EVERY: Duration = Duration::from_millis(500);

/// Chunks of a WAV file that are read before it is refused.
pub const WAV_CHUNKS_MAX: usize = 1_024;

/// Entries of a `ds64` table that are read before the file is refused.
pub const WAV_DS64_TABLE_MAX: u32 = 256;

/// Packets counted to learn the length of a file whose container does not say it: four days of
/// 20 ms packets. Longer files are refused.
pub const PROBE_PACKETS_MAX: u64 = 4 * 86_400 * 50;

/// Boxes of an MP4 file that are looked at for its edit list before it is refused.
pub const MP4_BOXES_MAX: u32 = 65_536;

/// Elements of a WebM file that are looked at for its padding before it is refused: four for each
/// packet.
pub const WEBM_ELEMENTS_MAX: u64 = 4 * PROBE_PACKETS_MAX;

/// Frames of sound that a compressed file may state: 265 days at 48 kHz. Others are refused.
pub const DECODE_FRAMES_MAX: u64 = 1 << 40;

/// Frames of sound that one packet may hold: FLAC's largest block. More of it is cut off.
pub const DECODE_PACKET_FRAMES_MAX: usize = 65_536;

/// Packets in a row that may fail to decode, each becoming silence. The next is an error.
pub const DECODE_FAILURES_MAX: u32 = 64;

/// Frames that may be missing at the end of what a file states; they become silence. More is an
/// error.
pub const DECODE_SHORTFALL_MAX: usize = 8_192;

/// Decoded frames that are kept behind the place of reading: small jumps back, as the warm-up of
/// an encoder makes, need no decoding.
pub const DECODE_WINDOW_FRAMES: usize = 65_536;

/// The least frames of the slower side that one resampling block has: its filter is as long, which
/// keeps nine tenths of the band. Rates without a common measure make it up to two seconds long.
pub const RESAMPLE_BLOCK_MIN: usize = 256;

/// MP3 frames in the first chunk of a file: few, so that its first bytes are made at once (3.5 s of
/// sound at 8 kHz).
pub const MP3_FIRST_CHUNK_FRAMES: u64 = MP3_PADDING_PERIOD;

/// MP3 frames in every other chunk (18 s of sound at 8 kHz): what one range request makes at
/// least.
pub const MP3_CHUNK_FRAMES: u64 = 5 * MP3_PADDING_PERIOD;

/// MP3 frames that are coded before a chunk and thrown away, until the encoder does what one that
/// began earlier does.
pub const MP3_WARM_UP_FRAMES: u64 = 8;

/// Frames after which the padding of MP3 at 44.1, 22.05 and 11.025 kHz repeats: 160 bytes times
/// the bit rate in kbit/s, divided by 49, is a frame's length (ISO 11172-3, section 2.4.3.1).
const MP3_PADDING_PERIOD: u64 = 49;

/// Peaks a track of one level: longer sound has coarser ones, from 9 hours at 8 kHz on.
pub const PEAKS_MAX: u32 = 2 * 1_024 * 1_024;

/// Files of one playback; a longer list is refused.
pub const PLAYER_FILES_MAX: usize = 128;

/// Files of one playback that are opened at once, if the machine has as many cores; the others
/// wait their turn.
pub const PLAYER_OPENERS_MAX: usize = 4;

/// How much of each file of a playback is decoded when it is opened, and kept.
pub const PLAYER_HEAD: Millis = Millis(500);

/// How far a line's decoder is ahead of what is heard at most; then it waits.
pub const PLAYER_RING: Millis = Millis(2_000);

/// Orders that wait for a line's real-time thread. With more, a command is refused as `Busy`.
pub const PLAYER_ORDERS_MAX: usize = 64;

/// Playbacks that wait to be opened on one line; all but the last have been replaced. With more, a
/// start is refused as `Busy`.
pub const PLAYER_JOBS_MAX: usize = 8;

/// Orders that wait for a channel. With more, an order is refused as `Busy`.
pub const CHANNEL_ORDERS_MAX: usize = 32;

/// Signals of a channel that wait for who follows its calls; further ones stay in the device.
pub const CHANNEL_NOTICES_MAX: usize = 128;

/// Orders and signals of one channel in one turn; what is left waits for the next.
pub const CHANNEL_EVENTS_PER_TURN_MAX: u32 = 32;

/// How often a channel's orders are looked for.
pub const CHANNEL_ORDERS_EVERY: Duration = Duration::from_millis(10);

/// Connections to an AudioSocket that have not said their UUID yet. Others are turned away.
pub const AUDIOSOCKET_UNNAMED_MAX: usize = 64;

/// How long a connection may take to say its UUID.
pub const AUDIOSOCKET_NAME_WITHIN: Duration = Duration::from_secs(5);

/// Connections that are over and wait for their peers to notice; more are closed at once.
pub const AUDIOSOCKET_LINGERING_MAX: usize = 128;

/// How long they wait.
pub const AUDIOSOCKET_LINGER: Duration = Duration::from_secs(1);

/// What is told of an AudioSocket's connections and waits to be read; more is dropped.
pub const AUDIOSOCKET_NEWS_MAX: usize = 256;

/// A connection from which nothing came for this long is given up.
pub const AUDIOSOCKET_SILENT_MAX: Duration = Duration::from_secs(60);

/// How late sound of a connection may be before silence stands in for it. What comes later than
/// that is dropped, as far as its time is over.
pub const AUDIOSOCKET_LATE_MAX: Millis = Millis(160);

/// How far sound of a connection may come before its time; the oldest of what goes beyond is
/// dropped.
pub const AUDIOSOCKET_EARLY_MAX: Millis = Millis(100);

/// Bytes taken from a connection at once.
pub const AUDIOSOCKET_READ_BYTES: usize = 8 * 1_024;

/// The kernel's buffer for what goes to a peer: more than that waits only for one that does not
/// read, which hears it late.
pub const AUDIOSOCKET_SEND_BYTES: usize = 32 * 1_024;

/// How long a line rests between two connections, so that an order for the first never meets the
/// second.
pub const AUDIOSOCKET_REST: Duration = Duration::from_millis(500);

const _: () = {
    assert!(MP3_FIRST_CHUNK_FRAMES.is_multiple_of(MP3_PADDING_PERIOD));
    assert!(MP3_CHUNK_FRAMES.is_multiple_of(MP3_PADDING_PERIOD));
    assert!(
        MP3_WARM_UP_FRAMES >= 1 && MP3_WARM_UP_FRAMES * 20 < MP3_CHUNK_FRAMES,
        "the warm-up is a twentieth of the work at most"
    );
    assert!(
        BLOCK_BYTES.is_multiple_of(4),
        "a block holds whole frames of every format"
    );
    assert!(READ_BYTES.is_multiple_of(BLOCK_BYTES) || READ_BYTES > BLOCK_BYTES);
    assert!(
        READ_BYTES.is_multiple_of(4),
        "a read holds whole frames of every format"
    );
    assert!(ABSENT_GAP_EVERY.as_millis() < STALL_MIN.as_millis());
    assert!(
        (AUDIOSOCKET_LATE_MAX.0 as u128) + 2 * 20 < STALL_MIN.as_millis(),
        "silence comes before the stream counts as stalled"
    );
    assert!(OPEN_BACKOFF_MIN.as_millis() < OPEN_BACKOFF_MAX.as_millis());
};
