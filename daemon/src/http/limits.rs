//! Every maximum and every timeout of the HTTP side, asserted against each other. What happens at
//! a limit stands beside it. `max_connections` alone is configuration.

use std::time::Duration;

/// From accept to the end of the TLS handshake; then the connection is closed.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(10);
/// From a connection's start, or a request's first byte, to the end of its headers; then closed.
pub const REQUEST_HEADERS: Duration = Duration::from_secs(10);
/// Without a request in flight; then the connection is closed.
pub const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(60);
/// For a request's whole body; then 408.
pub const REQUEST_BODY: Duration = Duration::from_secs(10);
/// Without a byte of the answer taken by the client; then the connection is closed.
pub const WRITE_STALL: Duration = Duration::from_secs(30);
/// Between HTTP/2 pings while streams are open.
pub const H2_PING_EVERY: Duration = Duration::from_secs(20);
/// For the answer to an HTTP/2 ping; then the connection is closed.
pub const H2_PING_ANSWER: Duration = Duration::from_secs(20);
/// For flushing the last bytes of a connection that is being closed.
pub const CLOSE_LINGER: Duration = Duration::from_secs(2);
/// Pause of a listener after `accept` failed for want of file descriptors or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One address (IPv6: one /64) holds at most this part of `max_connections`; more are closed.
/// Loopback is exempt, since a proxy on this machine speaks for everyone.
pub const ADDRESS_SHARE_DIVISOR: usize = 4;
/// And never less than this many connections an address.
pub const ADDRESS_SHARE_MIN: usize = 16;
/// Pending connections in the kernel's queue of one listening socket.
pub const LISTEN_BACKLOG: i32 = 1_024;
/// Worker threads; a configuration asking for more gets this many.
pub const WORKERS_MAX: usize = 64;

/// Bytes of path and query together; 414.
pub const URI_BYTES: usize = 8 * 1_024;
/// Header fields in a request; 431.
pub const HEADER_FIELDS: usize = 64;
/// Bytes of all header names and values of a request; 431.
pub const HEADER_BYTES: usize = 16 * 1_024;
/// What hyper buffers of a request head. Past it hyper itself answers 431 or 414, bare, and closes.
pub const HEAD_BUFFER_BYTES: usize = 32 * 1_024;
/// Header fields past which hyper itself answers 431, bare, and closes: its default, which it
/// parses without an allocation.
pub const HEAD_BUFFER_FIELDS: usize = 100;
/// Bytes of a JSON request body; 413.
pub const JSON_BODY_BYTES: usize = 16 * 1_024;
/// Bytes of one query or path parameter after decoding; 400, or 404 in a path.
pub const PARAMETER_BYTES: usize = 256;
/// Query parameters of a request; 400.
pub const PARAMETERS: usize = 32;

/// Streams at once on an HTTP/2 connection; more are refused by the protocol.
pub const H2_STREAMS: u32 = 64;
/// Streams a client may reset before they were accepted; then GOAWAY (CVE-2023-44487).
pub const H2_PENDING_RESETS: usize = 20;
/// Streams this side may reset for the client's errors; then GOAWAY.
pub const H2_LOCAL_RESETS: usize = 256;
/// Bytes of an HTTP/2 stream that wait for the client's window.
pub const H2_SEND_BUFFER_BYTES: usize = 128 * 1_024;
/// Bytes of request bodies a client may have in flight on a stream and on a connection.
pub const H2_RECEIVE_WINDOW: u32 = 64 * 1_024;

/// Byte ranges in a `Range` header; with more, the whole recording is the answer (RFC 9110
/// section 14.2 allows that, and it defuses range floods).
pub const RANGES: usize = 16;
/// Bytes of a recording handed to a plain connection at a time.
pub const MAPPED_WINDOW_BYTES: u64 = 512 * 1_024;
/// Bytes waited for at a time where a recording is not in the page cache.
pub const COLD_WINDOW_BYTES: u64 = 128 * 1_024;
/// Bytes of a recording read for a TLS or HTTP/2 connection at a time.
pub const COPIED_WINDOW_BYTES: usize = 64 * 1_024;
/// Spare buffers of [`COPIED_WINDOW_BYTES`] a thread keeps; more are freed.
pub const SPARE_BUFFERS: usize = 32;
/// Bytes one connection writes before it lets the thread's other connections have a turn.
pub const WRITE_TURN_BYTES: usize = 256 * 1_024;
/// Mapped slices at least this long go through `sendfile`, shorter ones through `writev`.
pub const SENDFILE_MIN_BYTES: usize = 128 * 1_024;
/// Mappings a thread's socket writer recognises; past it one is forgotten (its slices are then
/// written with `writev`, which is slower and as right).
pub const KNOWN_MAPPINGS: usize = 1_024;

/// Opened recordings a worker keeps; the least recently used is closed.
pub const OPEN_RECORDINGS: usize = 256;
/// Conversions of one recording that a worker keeps open with it; the least recently used is
/// closed.
pub const OPEN_CONVERSIONS: usize = 2;
/// An open conversion is asked for anew after this long, so that the store knows it is used and a
/// file that the store gave up does not stay on the disk for long.
pub const OPEN_CONVERSION_LIFE: Duration = Duration::from_secs(60);
/// Blocking look-ups a worker has under way at once; more wait their turn.
pub const BLOCKING_AT_ONCE: usize = 16;

/// Tickets over all tenants; when full, 429.
pub const TICKETS: usize = 16_384;
/// From a ticket's issue to its first use.
pub const TICKET_FIRST_USE: Duration = Duration::from_secs(60);
/// A ticket in use dies after this long without a request...
pub const TICKET_IDLE: Duration = Duration::from_secs(30 * 60);
/// ...and at the latest this long after its issue.
pub const TICKET_LIFE: Duration = Duration::from_secs(8 * 3_600);

/// Failed authentications an address may have at once before 429.
pub const AUTH_FAILURES: u32 = 20;
/// One failure is forgiven in this time.
pub const AUTH_FAILURE_FORGIVEN: Duration = Duration::from_secs(6);
/// Addresses with failures that are remembered; the most forgiven one is forgotten.
pub const AUTH_ADDRESSES: usize = 4_096;

/// Addresses whose requests are counted at once; the quietest one is forgotten.
pub const RATE_ADDRESSES: usize = 4_096;
/// Credentials whose requests are counted at once; the quietest one is forgotten.
pub const RATE_CREDENTIALS: usize = 4_096;

/// Requests a second of an address that shows no right credential of family `session_commands`;
/// more are 429. Loopback too.
pub const STRANGER_REQUESTS: u32 = 10;
/// Applications whose requests are counted at once; the quietest one is forgotten.
pub const RATE_APPLICATIONS: usize = 16_384;

/// Event streams at once over all workers; more are 503.
pub const EVENT_STREAMS: usize = 1_024;
/// Event streams of one application; more are 429.
pub const EVENT_STREAMS_A_TENANT: usize = 64;
/// A comment is sent on an event stream this often, so that both sides notice a dead connection.
pub const EVENT_HEARTBEAT: Duration = Duration::from_secs(15);
/// The stream of a session that is over ends when nothing was told for so long.
pub const EVENT_LAST: Duration = Duration::from_secs(2);
/// How long a browser waits before it opens a broken event stream again.
pub const EVENT_RETRY: Duration = Duration::from_secs(2);
/// Bytes of the file with the admin key; a longer one holds no key.
pub const ADMIN_KEY_FILE_BYTES: u64 = 1_024;

/// Argon2id checks at once over all workers (19 MiB each); others wait their turn.
pub const PASSWORD_CHECKS: usize = 2;
/// Argon2id checks that wait; past it, 503.
pub const PASSWORD_CHECKS_WAITING: usize = 64;
/// Bytes of a form or JSON body of the families; 413.
pub const FORM_BODY_BYTES: usize = 64 * 1_024;
/// Bytes of an uploaded prompt; 413.
pub const UPLOAD_BYTES: u64 = 50_000_000;
/// For a whole upload, however steadily it comes; then 408.
pub const UPLOAD_WHOLE: Duration = Duration::from_secs(600);
/// Uploads at once over all workers; more are 503.
pub const UPLOADS: usize = 4;
/// Prompts of a list of seed 000 where the request names no number.
pub const AUDIOS_DEFAULT: usize = 100;
/// Most prompts of such a list; 400.
pub const AUDIOS: usize = 1_000;

/// From a public link's issue to its end (seed 002).
pub const LINK_LIFE: Duration = Duration::from_secs(3_600);
/// The same of the links that downloads are answered through (seed 002).
pub const DOWNLOAD_LINK_LIFE: Duration = Duration::from_secs(300);
/// The same of `recording_url` of seed 001: who cannot take an event at once can still fetch.
pub const RECORDING_LINK_LIFE: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Sessions of one user of seed 003; with one more the oldest ends.
pub const SESSIONS_A_USER: usize = 16;
/// Bytes of a session's token (a user's name of 64 and its letters); a longer one is not valid.
pub const SESSION_TOKEN_BYTES: usize = 256;
/// Bytes of the parameter `filters` of seed 003 as it is sent; 400.
pub const FILTERS_BYTES: usize = 4 * PARAMETER_BYTES;

/// A watched line is looked at this often.
pub const LINES_EVERY: Duration = Duration::from_millis(200);
/// After so many looks it is asked whether the session of whoever watches is still in force...
pub const WATCHER_CHECK_BEATS: u32 = 25;
/// ...and after so many a `ping` is sent.
pub const WATCHER_PING_BEATS: u32 = 75;
/// For one frame of live sound to be taken; then its listener is let go.
pub const LIVE_STALL: Duration = Duration::from_secs(10);
/// The longest message that a live listener may send; they have nothing to say.
pub const LIVE_MESSAGE_BYTES: usize = 1_024;
/// Exports that a user has, under way or ready; 409.
pub const EXPORTS_A_USER: usize = 4;
/// Exports over all users; 503.
pub const EXPORTS: usize = 64;
/// An export is deleted so long after it was asked for.
pub const EXPORT_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// Bytes of a JSON body that lists recordings; 413.
pub const LIST_BODY_BYTES: usize = 512 * 1_024;
/// Listenings that are known to go on, over all workers; past it the quietest of a sixteenth of
/// them is forgotten, and told anew if it goes on.
pub const LISTENINGS: usize = 4_096;
/// A listening ends when nothing of it was asked for in so long...
pub const LISTENING_PAUSE: Duration = Duration::from_secs(10 * 60);
/// ...and is told anew after so long in any case.
pub const LISTENING_LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// For a listening's entry to be durable; then sound goes out before it. Tests look whether it is,
/// on machines that may have other things to do.
pub const LISTENING_WAIT: Duration = Duration::from_secs(if cfg!(test) { 20 } else { 2 });
/// Refused credentials of one address, family and reason within this time are one entry, and one
/// more with their number.
pub const REFUSALS_SPAN: Duration = Duration::from_secs(60);
/// Kinds of refusals that are told apart in that time; of all others one entry tells the number.
pub const REFUSALS: usize = 256;
/// How often it is looked whether such numbers are to be told.
pub const REFUSALS_SWEEP: Duration = Duration::from_secs(15);

/// Rows of a page where the request names no limit.
pub const PAGE_ROWS_DEFAULT: usize = 50;
/// Most rows of a page; 400.
pub const PAGE_ROWS: usize = 200;

const _: () = assert!(URI_BYTES + HEADER_BYTES < HEAD_BUFFER_BYTES);
const _: () = assert!(HEADER_FIELDS < HEAD_BUFFER_FIELDS);
const _: () = assert!(HEAD_BUFFER_BYTES >= 8_192, "hyper's smallest buffer");
const _: () = assert!(SENDFILE_MIN_BYTES < WRITE_TURN_BYTES);
const _: () = assert!(COPIED_WINDOW_BYTES <= H2_SEND_BUFFER_BYTES);
const _: () = assert!(DOWNLOAD_LINK_LIFE.as_secs() <= LINK_LIFE.as_secs());
const _: () = assert!(LINK_LIFE.as_secs() <= RECORDING_LINK_LIFE.as_secs());
const _: () = assert!(EVENT_HEARTBEAT.as_secs() < WRITE_STALL.as_secs());
const _: () = assert!(EVENT_STREAMS_A_TENANT <= EVENT_STREAMS);
const _: () = assert!(LISTENING_WAIT.as_secs() < WRITE_STALL.as_secs());
const _: () = assert!(LISTENING_PAUSE.as_secs() < LISTENING_LONGEST.as_secs());
const _: () = assert!(PAGE_ROWS_DEFAULT <= PAGE_ROWS);
const _: () = assert!(AUDIOS_DEFAULT <= AUDIOS);
const _: () = assert!(REQUEST_BODY.as_secs() < UPLOAD_WHOLE.as_secs());
