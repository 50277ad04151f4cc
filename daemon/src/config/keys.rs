//! Every key that a configuration may hold, with its type and range, as a table. What the keys
//! mean stands in `schema.rs`; a test compares the two. Reading files is `layer.rs`'s business.

use super::forms::{
    ADDRESS, ARGUMENT, CHANNELS, Form, GROUP, GROUP_NAME, LINE_NAME, MAILBOX, NETWORK, NUMBER,
    ORIGIN, PCM, POLICY_NAME, PUBLIC_URL, SIZE, SPAN, SYSLOG, TAG, TENANT_NAME, UPSTREAM, VOICE,
    ZONE,
};

/// A key of a table.
pub(super) struct Key {
    /// Its name.
    pub(super) name: &'static str,
    /// What it holds.
    pub(super) kind: Kind,
    /// Whether its table is useless without it.
    pub(super) required: bool,
}

/// What a key holds.
pub(super) enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number within these bounds.
    Integer(i64, i64),
    /// A number within these bounds.
    Number(f64, f64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A path; in a file it may be relative to the configuration's folder.
    Path,
    /// Text in a form of its own.
    Text(Form),
    /// At most [`MAX_LIST`] texts of one form.
    List(Form),
    /// A table.
    Table(&'static [Key]),
    /// An array of tables, each begun with this.
    Tables(&'static str, &'static [Key]),
}

/// The most entries of a list.
pub(super) const MAX_LIST: usize = 64;

/// The most `[[line]]` tables, and those of any other array.
pub(super) const MAX_LINES: usize = 4_096;

/// The keys of the whole configuration.
pub(super) const ROOT: &[Key] = &[
    optional("storage", Kind::Table(STORAGE)),
    optional("http", Kind::Table(HTTP)),
    optional("control", Kind::Table(CONTROL)),
    optional("realtime", Kind::Table(REALTIME)),
    optional("log", Kind::Table(LOG)),
    optional("access", Kind::Table(ACCESS)),
    optional("convert", Kind::Table(CONVERT)),
    optional("fetch", Kind::Table(FETCH)),
    optional("speech", Kind::Table(SPEECH)),
    optional("webhooks", Kind::Table(WEBHOOKS)),
    optional("admin", Kind::Table(ADMIN)),
    optional("first_start", Kind::Table(FIRST_START)),
    optional("ledger", Kind::Table(LEDGER)),
    optional("retention", Kind::Table(RETENTION)),
    optional("alarms", Kind::Table(ALARMS)),
    optional("listen", Kind::Table(LISTEN)),
    optional("dahdi", Kind::Table(DAHDI)),
    optional("audiosocket", Kind::Table(AUDIOSOCKET)),
    optional("group", Kind::Tables("[[group]]", LINE_GROUP)),
    optional("line", Kind::Tables("[[line]]", LINE)),
];

const STORAGE: &[Key] = &[
    optional("data_dir", Kind::Path),
    optional("index_cache_mib", Kind::Integer(8, 4_096)),
    optional("io", Kind::Choice(&["auto", "uring", "blocking"])),
    optional("expect_mount", Kind::Path),
    optional("marker", Kind::Path),
];

const LEDGER: &[Key] = &[
    optional("checkpoints_dir", Kind::Path),
    optional("key_file", Kind::Path),
    optional("syslog", Kind::Text(SYSLOG)),
    optional("command", Kind::List(ARGUMENT)),
];

const RETENTION: &[Key] = &[
    optional("low_free_mib", Kind::Integer(0, PIB_MIB)),
    optional("critical_free_mib", Kind::Integer(0, PIB_MIB)),
    optional("full_free_mib", Kind::Integer(0, PIB_MIB)),
    optional("clear_by_mib", Kind::Integer(0, PIB_MIB)),
    optional("pass_every_s", Kind::Integer(1, DAY_S)),
    optional("policy", Kind::Tables("[[retention.policy]]", POLICY)),
];

const POLICY: &[Key] = &[
    required("name", Kind::Text(POLICY_NAME)),
    optional("tenant", Kind::Text(TENANT_NAME)),
    optional("tag", Kind::Text(TAG)),
    optional("keep_at_least", Kind::Text(SPAN)),
    optional("keep_at_most", Kind::Text(SPAN)),
    optional("max_size", Kind::Text(SIZE)),
];

const ALARMS: &[Key] = &[
    optional("command", Kind::List(ARGUMENT)),
    optional("mail_to", Kind::List(MAILBOX)),
    optional("mail_from", Kind::Text(MAILBOX)),
    optional("webhook", Kind::Text(UPSTREAM)),
    optional("webhook_secret_file", Kind::Path),
];

const HTTP: &[Key] = &[
    optional("listen", Kind::List(ADDRESS)),
    optional("listen_tls", Kind::List(ADDRESS)),
    optional("tls", Kind::Table(TLS)),
    optional("workers", Kind::Integer(0, 256)),
    optional("allowed_origins", Kind::List(ORIGIN)),
    optional("max_connections", Kind::Integer(1, 1_000_000)),
    optional("page", Kind::Bool),
    optional("public_url", Kind::Text(PUBLIC_URL)),
];

const TLS: &[Key] = &[
    optional("certificate", Kind::Path),
    optional("key", Kind::Path),
    optional("expired", Kind::Choice(&["refuse", "serve"])),
];

const CONTROL: &[Key] = &[
    optional("socket", Kind::Path),
    optional("group", Kind::Text(GROUP)),
];

const REALTIME: &[Key] = &[
    optional("priority", Kind::Integer(0, 99)),
    optional("lock_memory", Kind::Bool),
    optional("ring_ms", Kind::Integer(500, 10_000)),
];

const LOG: &[Key] = &[optional(
    "level",
    Kind::Choice(&["error", "warn", "info", "debug"]),
)];

const ACCESS: &[Key] = &[
    optional("session_idle_s", Kind::Integer(60, DAY_S)),
    optional("session_absolute_s", Kind::Integer(300, 30 * DAY_S)),
    optional("requests_per_credential", Kind::Integer(0, 1_000_000)),
    optional("requests_per_address", Kind::Integer(0, 1_000_000)),
    optional("media_per_credential", Kind::Integer(0, 1_000_000)),
];

const CONVERT: &[Key] = &[
    optional("cache_mib", Kind::Integer(16, 1_048_576)),
    optional("workers", Kind::Integer(0, 256)),
];

const FETCH: &[Key] = &[optional("allow", Kind::List(NETWORK))];

const SPEECH: &[Key] = &[
    optional("command", Kind::List(ARGUMENT)),
    optional("url", Kind::Text(UPSTREAM)),
    optional("voice", Kind::Text(VOICE)),
    optional("timeout_s", Kind::Integer(1, 300)),
];

const WEBHOOKS: &[Key] = &[optional("allow", Kind::List(NETWORK))];

const ADMIN: &[Key] = &[
    optional("key_file", Kind::Path),
    optional("tenant", Kind::Text(TENANT_NAME)),
];

const LINE_GROUP: &[Key] = &[
    required("name", Kind::Text(GROUP_NAME)),
    required("lines", Kind::List(LINE_NAME)),
];

const FIRST_START: &[Key] = &[
    optional("certificate", Kind::Bool),
    optional("admin_key", Kind::Bool),
];

const LISTEN: &[Key] = &[optional("notice_tone", Kind::Bool)];

const LINE: &[Key] = &[
    required("name", Kind::Text(LINE_NAME)),
    required("tenant", Kind::Text(TENANT_NAME)),
    optional("capture", Kind::Text(PCM)),
    optional("capture_agent", Kind::Text(PCM)),
    optional("playback", Kind::Text(PCM)),
    optional("dahdi", Kind::Text(CHANNELS)),
    optional("role", Kind::Choice(&["terminate", "station", "tap"])),
    optional("audiosocket", Kind::Text(ADDRESS)),
    optional("lines", Kind::Integer(1, 512)),
    optional("channel", Kind::Table(CHANNEL)),
    optional("watch", Kind::Table(WATCH)),
    optional("rate", Kind::Integer(8_000, 48_000)),
    optional("channels", Kind::Choice(&["mono", "stereo"])),
    optional("encoding", Kind::Choice(&["pcm16", "mulaw", "alaw"])),
    optional("period_ms", Kind::Integer(2, 1_000)),
    optional("buffer_ms", Kind::Integer(4, 5_000)),
    required("trigger", Kind::Choice(&["always", "vox", "api", "hook"])),
    optional("rotate_s", Kind::Integer(1, WEEK_S)),
    optional("min_length_ms", Kind::Integer(0, 3_600_000)),
    optional("max_length_s", Kind::Integer(1, WEEK_S)),
    optional("pre_roll_ms", Kind::Integer(0, 10_000)),
    optional("vox", Kind::Table(VOX)),
    optional("digits", Kind::Bool),
    optional("mask_digits", Kind::Bool),
    optional("notice_tone", Kind::Bool),
    optional("from", Kind::Text(NUMBER)),
    optional("to", Kind::Text(NUMBER)),
];

const VOX: &[Key] = &[
    optional("start_dbfs", Kind::Number(-70.0, 0.0)),
    optional("stop_dbfs", Kind::Number(-70.0, 0.0)),
    optional("attack_ms", Kind::Integer(20, 10_000)),
    optional("hang_ms", Kind::Integer(20, 600_000)),
];

const CHANNEL: &[Key] = &[
    optional("law", Kind::Choice(&["auto", "mulaw", "alaw"])),
    optional("rx_gain_db", Kind::Number(-24.0, 24.0)),
    optional("tx_gain_db", Kind::Number(-24.0, 24.0)),
    optional("echo_taps", Kind::Integer(0, 1_024)),
    optional("caller_id", Kind::Choice(&["off", "fsk", "dtmf"])),
    optional("caller_id_wait_ms", Kind::Integer(0, 10_000)),
    optional("hangup_tones", Kind::Bool),
    optional("tone_zone", Kind::Text(ZONE)),
    optional("ring_timeout_ms", Kind::Integer(1_000, 60_000)),
    optional("answer_after_rings", Kind::Integer(0, 20)),
    optional(
        "tap",
        Kind::Choice(&["auto", "mirror", "monitor", "parallel"]),
    ),
    optional("off_hook_volts", Kind::Integer(3, 60)),
];

const WATCH: &[Key] = &[
    optional("silent_after_s", Kind::Integer(0, WEEK_S)),
    optional("active_after_s", Kind::Integer(0, WEEK_S)),
];

const DAHDI: &[Key] = &[optional("folder", Kind::Path)];

const AUDIOSOCKET: &[Key] = &[optional("allow", Kind::List(NETWORK))];

const DAY_S: i64 = 24 * 3_600;
const WEEK_S: i64 = 7 * DAY_S;
/// A pebibyte in mebibytes.
const PIB_MIB: i64 = 1 << 30;

const fn optional(name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        required: false,
    }
}

const fn required(name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        required: true,
    }
}

impl Kind {
    /// What a value must be, in words.
    pub(super) fn wanted(&self) -> String {
        match self {
            Self::Bool => "true or false".into(),
            Self::Integer(min, max) => format!("a whole number from {min} to {max}"),
            Self::Number(min, max) => format!("a number from {min} to {max}"),
            Self::Choice(words) => format!("one of \"{}\"", words.join("\", \"")),
            Self::Path => "a path in quotes".into(),
            Self::Text(form) => format!("text in quotes: {}", form.wanted),
            Self::List(form) => format!("a list of at most {MAX_LIST}, each {}", form.wanted),
            Self::Table(_) => "a table".into(),
            Self::Tables(header, _) => format!("an array of tables, each begun with {header}"),
        }
    }
}

/// Finds a key of a table.
pub(super) fn find(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name)
}
