//! What the ledger tells: one entry an act, in one spelling. The names of fields and kinds are
//! part of the file format: see FORMAT.md.

use std::fmt;
use std::str::FromStr;

use audio_io::units::WallMillis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::chain::Hash;
pub use super::content::Content;
use crate::ids::{RecordingId, TenantId};
use crate::limits::{LEDGER_DEPTH_MAX, LEDGER_DETAILS_MAX, LEDGER_TEXT_MAX};

/// Further facts of an entry, by name, in the order in which they were given.
pub type Details = Map<String, Value>;

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number: 1, 2, 3 and so on, without a hole.
    pub seq: u64,
    /// The wall clock when it happened; it may step, so the order is that of `seq`.
    pub at: WallMillis,
    /// What happened.
    pub kind: Kind,
    /// Who did it; nobody where the store did it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Actor>,
    /// The address it was done from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Whose it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Which recording it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingId>,
    /// What else there is to tell.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Details,
}

impl Entry {
    /// The entry as the ledger writes it.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Plain structs and JSON values have no way to fail; an empty line would be refused by
        // every reader.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// An entry from exactly the bytes that [`Entry::to_json`] makes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn from_json(json: &[u8]) -> Result<Self, EntryError> {
        let entry: Self = serde_json::from_slice(json).map_err(EntryError::Json)?;
        if entry.to_json() == json {
            Ok(entry)
        } else {
            Err(EntryError::Spelling)
        }
    }

    /// What it says of a recording's file, for the kinds that say so.
    #[must_use]
    pub fn content(&self) -> Option<Content> {
        let says = matches!(self.kind, Kind::Sealed | Kind::Imported | Kind::Exchanged);
        let details = says.then(|| Value::Object(self.details.clone()))?;
        serde_json::from_value(details).ok()
    }

    /// A BLAKE3 in the details.
    #[must_use]
    pub fn hash_in(&self, name: &str) -> Option<Hash> {
        let text = self.details.get(name)?.as_str()?;
        Hash::parse(text.as_bytes())
    }
}

/// Bytes that are no entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// No JSON, or not that of an entry.
    #[error("it is no entry: {0}")]
    Json(serde_json::Error),
    /// An entry, but not as it is written.
    #[error("it is not spelled as entries are written")]
    Spelling,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// What the actor is.
    pub kind: ActorKind,
    /// Its number among those of its kind: a user's, a key's, a signing key's, a system user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Its name; of a failed login the one that was typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Actor {
    /// The appliance itself, and which part of it.
    #[must_use]
    pub fn system(part: &str) -> Self {
        Self {
            kind: ActorKind::System,
            id: None,
            name: Some(part.to_owned()),
        }
    }

    /// An actor of a kind, with what is known of it.
    #[must_use]
    pub fn new(kind: ActorKind, id: Option<u64>, name: Option<&str>) -> Self {
        let name = name.map(str::to_owned);
        Self { kind, id, name }
    }
}

/// What an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A user who logged in, or tried to.
    User,
    /// An issued key.
    Key,
    /// A signed link.
    Link,
    /// A command on the appliance's own machine; the number is the system user's.
    Command,
    /// The appliance by itself.
    System,
}

impl ActorKind {
    /// Its name on disk.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Key => "key",
            Self::Link => "link",
            Self::Command => "command",
            Self::System => "system",
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What happened.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
            /// A kind that this version has no name for: 1 to 32 of `a-z`, `0-9` and `_`.
            Other(KindName),
        }

        impl Kind {
            /// The names of all kinds that this version knows.
            pub const KNOWN: &'static [&'static str] = &[$($name),*];

            /// Its name on disk.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$kind => $name,)*
                    Self::Other(name) => &name.0,
                }
            }
        }

        impl FromStr for Kind {
            type Err = KindError;
            fn from_str(text: &str) -> Result<Self, KindError> {
                match text {
                    $($name => Ok(Self::$kind),)*
                    _ => KindName::new(text).map(Self::Other),
                }
            }
        }
    };
}

kinds! {
    /// The first entry: details `log` (32 digits), `version`.
    Genesis = "genesis",
    /// A recording's file is final: details are a [`Content`].
    Sealed = "sealed",
    /// A file was brought in: details are a [`Content`].
    Imported = "imported",
    /// A recording's file was exchanged for one of another format: details are a [`Content`] of
    /// the new one, `was_container`, `was_size_bytes` and `was_blake3`.
    Exchanged = "exchanged",
    /// A recording was deleted with authority: details `why`, `was_size_bytes`, `was_blake3`,
    /// `started_at`.
    Deleted = "deleted",
    /// The index lost what the entry `undoes` told, before anybody was told so: details `undoes`,
    /// and `blake3` where the recording is there.
    Undone = "undone",
    /// A hold was laid on a recording.
    HoldSet = "hold_set",
    /// A hold was lifted.
    HoldLifted = "hold_lifted",
    /// A recording must be kept longer than before.
    KeptUntil = "kept_until",
    /// A recording's tags changed.
    Tagged = "tagged",
    /// A note was written: details `note`, `text_blake3`, `by`, `at_ms`.
    Noted = "noted",
    /// A note was changed: the same, `was_text_blake3` and `was_by`.
    NoteEdited = "note_edited",
    /// A note was deleted: details `note`, `by`, `was_text_blake3`, `was_by`.
    NoteDeleted = "note_deleted",
    /// The retention that is in force from here on.
    Policy = "policy",
    /// A recording was played.
    Play = "play",
    /// A call in progress was listened to: details `line`.
    Listen = "listen",
    /// A recording was downloaded.
    Download = "download",
    /// Recordings were exported.
    Export = "export",
    /// A signed link was made.
    LinkMade = "link_made",
    /// A user logged in.
    Login = "login",
    /// A login or a credential was refused: details `why`, `family`, `path`; or `failures`, how
    /// many more there were of the same within a minute.
    LoginFailed = "login_failed",
    /// An address or a name has failed too often and must wait: details `why`, `until`.
    LockedOut = "locked_out",
    /// A user logged out.
    Logout = "logout",
    /// A key was issued.
    KeyIssued = "key_issued",
    /// A key was revoked.
    KeyRevoked = "key_revoked",
    /// A user was added.
    UserAdded = "user_added",
    /// A user was changed.
    UserChanged = "user_changed",
    /// A user was removed.
    UserRemoved = "user_removed",
    /// A tenant was added.
    TenantAdded = "tenant_added",
    /// A tenant was changed.
    TenantChanged = "tenant_changed",
    /// A sound was added to a prompt library: details `prompt`, `name`, `origin`.
    PromptAdded = "prompt_added",
    /// An application was added or changed: details `app`.
    AppChanged = "app_changed",
    /// A call was opened, or given a command that changes it or what is recorded of it: details
    /// `command`, `session`.
    Commanded = "commanded",
    /// The configuration is another than before.
    ConfigChanged = "config_changed",
    /// The wall clock stepped.
    ClockStep = "clock_step",
    /// Checkpoints are signed with this key from here on: details `public_key` (base64), `key`.
    SigningKey = "signing_key",
    /// The daemon started.
    Started = "started",
    /// The daemon stopped.
    Stopped = "stopped",
    /// The log went on behind the index, as after a crash: details `first`, `last`, `cut_bytes`.
    Recovered = "recovered",
    /// The log is not what the index knows of it, and goes on in a new segment: details `problem`,
    /// `first_bad`.
    Broken = "broken",
    /// Acts came faster than they could be written: details `acts`, how many are not told.
    Lost = "lost",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl TryFrom<String> for Kind {
    type Error = KindError;
    fn try_from(text: String) -> Result<Self, KindError> {
        text.parse()
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.name().to_owned()
    }
}

/// The name of a kind that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KindName(String);

impl KindName {
    fn new(text: &str) -> Result<Self, KindError> {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if (1..=32).contains(&text.len()) && text.chars().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KindError)
        }
    }
}

/// A name that no kind has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a kind of entry is 1 to 32 of the characters a-z, 0-9 and '_'")]
pub struct KindError;

/// Something that happened, before it has its place in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// What happened.
    pub kind: Kind,
    /// When; the time of writing where it is not given.
    pub at: Option<WallMillis>,
    /// Who did it.
    pub who: Option<Actor>,
    /// The address it was done from.
    pub from: Option<String>,
    /// Whose it concerns.
    pub tenant: Option<TenantId>,
    /// Which recording it concerns.
    pub recording: Option<RecordingId>,
    /// What else there is to tell.
    pub details: Details,
}

impl Act {
    /// An act of which no more is known.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            at: None,
            who: None,
            from: None,
            tenant: None,
            recording: None,
            details: Details::new(),
        }
    }

    /// When it happened.
    #[must_use]
    pub fn at(mut self, at: WallMillis) -> Self {
        self.at = Some(at);
        self
    }

    /// Who did it.
    #[must_use]
    pub fn by(mut self, who: Actor) -> Self {
        self.who = Some(who);
        self
    }

    /// The address it was done from.
    #[must_use]
    pub fn from(mut self, address: impl fmt::Display) -> Self {
        self.from = Some(address.to_string());
        self
    }

    /// Whose it concerns.
    #[must_use]
    pub fn of(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Which recording it concerns.
    #[must_use]
    pub fn on(mut self, tenant: TenantId, recording: RecordingId) -> Self {
        self.tenant = Some(tenant);
        self.recording = Some(recording);
        self
    }

    /// One more fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// The entry it becomes. What is too long for one is cut: an act is never left out for it.
    pub(crate) fn into_entry(self, seq: u64, now: WallMillis) -> Entry {
        let who = self.who.map(|mut who| {
            who.name = who.name.map(cut);
            who
        });
        let mut entry = Entry {
            seq,
            at: self.at.unwrap_or(now),
            kind: self.kind,
            who,
            from: self.from.map(cut),
            tenant: self.tenant,
            recording: self.recording,
            details: Details::new(),
        };
        let details = plain(Value::Object(self.details), LEDGER_DEPTH_MAX);
        let length = details.to_string().len();
        entry.details = match details {
            Value::Object(details) if length <= LEDGER_DETAILS_MAX => details,
            _ => Details::from_iter([("too_long".to_owned(), Value::from(length))]),
        };
        entry
    }
}

/// Values that come back from JSON as they went into it: no fractions, no deep nesting.
fn plain(value: Value, depth: usize) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => Value::String(number.to_string()),
        Value::Array(_) | Value::Object(_) if depth == 0 => Value::String(cut(value.to_string())),
        Value::Array(values) => {
            let values = values.into_iter().map(|value| plain(value, depth - 1));
            Value::Array(values.collect())
        }
        Value::Object(fields) => {
            let fields = fields.into_iter();
            Value::Object(
                fields
                    .map(|(name, value)| (name, plain(value, depth - 1)))
                    .collect(),
            )
        }
        other => other,
    }
}

/// At most [`LEDGER_TEXT_MAX`] bytes of a text, and whole characters of it.
fn cut(mut text: String) -> String {
    if text.len() > LEDGER_TEXT_MAX {
        let end = (0..=LEDGER_TEXT_MAX).rev();
        let end = end.into_iter().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
    }
    text
}
