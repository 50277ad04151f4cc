//! What can be configured, with its defaults. `packaging/callreel.toml` is this file's twin in
//! prose. Values are checked when they are parsed: a [`Config`] that exists is valid.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use storage::account::SessionLimits;

pub use self::channel::{
    AudioSocket, CallerIdKind, Channel, ChannelList, Dahdi, Law, NoChannels, Role, TapKind,
};
pub use self::group::Group;
pub use self::keeping::{
    Alarms, ByteSize, Ledger, Retention, RetentionPolicy, Span, SyslogTarget, ValueError,
};
pub use self::line::{Line, Source, Trigger, Vox, Watch};
use crate::http::limits;

mod channel;
mod group;
mod keeping;
mod line;

/// The whole configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file it was read from, where there is one; not a setting.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// `[storage]`
    pub storage: Storage,
    /// `[http]`
    pub http: Http,
    /// `[control]`
    pub control: Control,
    /// `[realtime]`
    pub realtime: Realtime,
    /// `[log]`
    pub log: Log,
    /// `[access]`
    pub access: Access,
    /// `[convert]`
    pub convert: Convert,
    /// `[fetch]`
    pub fetch: Fetch,
    /// `[speech]`
    pub speech: Speech,
    /// `[webhooks]`
    pub webhooks: Webhooks,
    /// `[admin]`
    pub admin: Admin,
    /// `[first_start]`
    pub first_start: FirstStart,
    /// `[ledger]`
    pub ledger: Ledger,
    /// `[retention]`
    pub retention: Retention,
    /// `[alarms]`
    pub alarms: Alarms,
    /// `[listen]`
    pub listen: Listen,
    /// `[dahdi]`
    pub dahdi: Dahdi,
    /// `[audiosocket]`
    pub audiosocket: AudioSocket,
    /// `[[line]]`, one table a line.
    #[serde(rename = "line")]
    pub lines: Vec<Line>,
    /// `[[group]]`, one table a group.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
}

/// `[storage]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Where recordings, journal and index live.
    pub data_dir: PathBuf,
    /// Memory of the index's page cache, in MiB (8 to 4096).
    pub index_cache_mib: u32,
    /// How recordings are written.
    pub io: StorageIo,
    /// A folder that must be a mount point, with the data folder in it; otherwise the daemon does
    /// not start.
    pub expect_mount: Option<PathBuf>,
    /// A file on another disk that remembers which store is in the data folder; no other is
    /// opened then.
    pub marker: Option<PathBuf>,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            data_dir: "/var/lib/callreel".into(),
            index_cache_mib: 64,
            io: StorageIo::Auto,
            expect_mount: None,
            marker: None,
        }
    }
}

/// How recordings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageIo {
    /// io_uring, or pwrite where the kernel refuses it.
    #[default]
    Auto,
    /// io_uring or nothing.
    Uring,
    /// pwrite.
    Blocking,
}

/// `[http]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Addresses for plain HTTP.
    pub listen: Vec<SocketAddr>,
    /// Addresses for HTTPS; needs a certificate, from wherever (`material`).
    pub listen_tls: Vec<SocketAddr>,
    /// Certificate and key.
    pub tls: Tls,
    /// Worker threads; 0 means one a core.
    pub workers: usize,
    /// Origins that browsers may call from (`https://host[:port]`), or `*`.
    pub allowed_origins: Vec<String>,
    /// Connections at once over all workers.
    pub max_connections: usize,
    /// Whether the plain first page is served.
    pub page: bool,
    /// Where clients reach this daemon (`https://host[:port]`), for links in answers; otherwise
    /// what their `Host` header says.
    pub public_url: Option<String>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8080))],
            listen_tls: Vec::new(),
            tls: Tls::default(),
            workers: 0,
            allowed_origins: Vec::new(),
            max_connections: 4_096,
            page: true,
            public_url: None,
        }
    }
}

/// `[http.tls]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// PEM file: the certificate and its chain. Both or none of these two.
    pub certificate: Option<PathBuf>,
    /// PEM file: the private key.
    pub key: Option<PathBuf>,
    /// What happens at start when the certificate has expired.
    pub expired: Expired,
}

impl Tls {
    /// Certificate and key, where both are named.
    #[must_use]
    pub fn pair(&self) -> Option<Pair> {
        let (certificate, key) = (self.certificate.clone()?, self.key.clone()?);
        Some(Pair { certificate, key })
    }
}

/// The files of a certificate, with its chain, and of its private key; PEM both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The certificate's.
    pub certificate: PathBuf,
    /// The key's.
    pub key: PathBuf,
}

/// What happens at start when the certificate has expired. One that expires while the daemon runs
/// stops nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expired {
    /// The daemon does not start.
    #[default]
    Refuse,
    /// It starts, records, serves with it and warns.
    Serve,
}

/// `[control]`: the Unix socket that `callreel` talks to.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// The socket's path.
    pub socket: PathBuf,
    /// A group whose members may use it, besides root and the daemon's own user.
    pub group: Option<String>,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            socket: "/run/callreel/control.sock".into(),
            group: None,
        }
    }
}

/// `[realtime]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Realtime {
    /// SCHED_FIFO priority of capture threads, 1 to 99; 0 asks for none.
    pub priority: u8,
    /// Whether memory is locked against swapping.
    pub lock_memory: bool,
    /// Sound each ring can hold, in milliseconds (500 to 10000).
    pub ring_ms: u64,
}

impl Default for Realtime {
    fn default() -> Self {
        Self {
            priority: 50,
            lock_memory: true,
            ring_ms: 2_000,
        }
    }
}

/// `[log]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least severe level that is logged.
    pub level: LogLevel,
}

/// A severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Only failures.
    Error,
    /// And things to look at.
    Warn,
    /// And what happens.
    #[default]
    Info,
    /// And why.
    Debug,
}

/// `[access]`: logins, sessions, and how often anybody may ask.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// A session of seed 003 ends after this long without a request, in seconds (60 to 86400).
    pub session_idle_s: u64,
    /// And after this long whatever happens, in seconds (300 to 2592000).
    pub session_absolute_s: u64,
    /// Requests a second of one credential, but for those answered with sound; 0 is unlimited.
    pub requests_per_credential: u32,
    /// The same of one address (IPv6: one /64), whoever asks.
    pub requests_per_address: u32,
    /// Requests a second of one credential that are answered with sound; 0 is unlimited.
    pub media_per_credential: u32,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            session_idle_s: 1_800,
            session_absolute_s: 43_200,
            requests_per_credential: 100,
            requests_per_address: 200,
            media_per_credential: 0,
        }
    }
}

impl Access {
    /// How long sessions live, and how many a user has.
    #[must_use]
    pub const fn session_limits(&self) -> SessionLimits {
        SessionLimits {
            idle_ms: self.session_idle_s.saturating_mul(1_000),
            absolute_ms: self.session_absolute_s.saturating_mul(1_000),
            per_user: limits::SESSIONS_A_USER,
        }
    }
}

/// `[convert]`: conversions to other formats.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Convert {
    /// Space that finished conversions may take, in MiB (16 to 1048576).
    pub cache_mib: u64,
    /// Threads that convert; 0 means one less than there are cores, at least one.
    pub workers: usize,
}

impl Default for Convert {
    fn default() -> Self {
        Self {
            cache_mib: 1_024,
            workers: 0,
        }
    }
}

/// `[fetch]`: URLs that the daemon fetches for others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fetch {
    /// Networks that may be fetched from although they are private or loopback (`10.1.0.0/16`).
    /// Link-local, multicast and metadata addresses can never be listed.
    pub allow: Vec<ipnet::IpNet>,
}

/// `[speech]`: what speaks texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Speech {
    /// A program and its arguments. `{text}` in an argument is the text (without one it comes on
    /// standard input), `{voice}` the voice, `{output}` the file to write a WAV to (without one it
    /// comes on standard output).
    pub command: Vec<String>,
    /// An upstream that is asked instead: POST with JSON `{"text","voice"}`, answered by a sound.
    pub url: Option<String>,
    /// The voice of texts that name none.
    pub voice: String,
    /// Seconds one text may take (1 to 300).
    pub timeout_s: u64,
}

impl Default for Speech {
    fn default() -> Self {
        let command = ["espeak-ng", "-v", "{voice}", "-w", "{output}", "--stdin"];
        Self {
            command: command.map(str::to_owned).to_vec(),
            url: None,
            voice: "en-us".to_owned(),
            timeout_s: 30,
        }
    }
}

/// `[webhooks]`: events that are delivered to applications.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// Networks that receivers may be in although they are private or loopback (`10.1.0.0/16`).
    /// Link-local, multicast and metadata addresses can never be listed.
    pub allow: Vec<ipnet::IpNet>,
}

/// `[admin]`: who may set applications over HTTP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// A file that holds the key of `X-Admin-API-Key`, 16 to 256 printable characters on one line.
    /// Without it `/admin` answers 503.
    pub key_file: Option<PathBuf>,
    /// The tenant whose administrators oversee all tenants on the page: see and change them, their
    /// users and keys, and read the whole audit trail. Without it each sees its own tenant.
    pub tenant: Option<storage::ids::TenantName>,
}

/// `[first_start]`: what is made where it was not given.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FirstStart {
    /// A self-signed certificate for HTTPS, in `data_dir/keys`.
    pub certificate: bool,
    /// A key for `/admin`, in `data_dir/keys`.
    pub admin_key: bool,
}

/// `[listen]`: live listening.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// Whether the parties of a call hear a tone while somebody listens, where a line does not say;
    /// only on lines that can be played to.
    pub notice_tone: bool,
}
