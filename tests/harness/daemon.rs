//! A real `callreeld` in a scratch folder of its own, and how to treat it badly.

use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::alsa::AlsaConfig;
use crate::http::{Client, Endpoints, Request, Transport};
use crate::process::{self, Guarded};
use crate::sandbox::SmallDisk;
use crate::tls::Certificate;
use crate::{cli, ports, wait};

/// The tenant that every daemon of the suite has.
pub const TENANT: &str = "acme";

/// What a daemon is to be.
#[derive(Debug)]
pub struct Setup {
    folder: TempDir,
    alsa: AlsaConfig,
    lines: String,
    http: String,
    storage: String,
    tables: String,
    small_disk_mib: Option<u32>,
    prefix: Vec<String>,
    certificate: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    /// A daemon without lines that listens plainly and with TLS.
    ///
    /// # Panics
    /// When no scratch folder can be made.
    #[must_use]
    pub fn new() -> Self {
        Self {
            folder: tempfile::Builder::new()
                .prefix("callreel-")
                .tempdir()
                .expect("a folder"),
            alsa: AlsaConfig::default(),
            lines: String::new(),
            http: String::new(),
            storage: String::new(),
            tables: String::new(),
            small_disk_mib: None,
            prefix: Vec::new(),
            certificate: true,
        }
    }

    /// Names no certificate: `[http.tls]` has what `toml` says, if anything.
    #[must_use]
    pub fn no_certificate(mut self) -> Self {
        self.certificate = false;
        self
    }

    /// The scratch folder, for files that the configuration refers to.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sound cards.
    #[must_use]
    pub fn alsa(mut self, config: AlsaConfig) -> Self {
        self.alsa = config;
        self
    }

    /// A line; `rest` is the TOML of its table besides name and tenant.
    #[must_use]
    pub fn line(mut self, name: &str, rest: &str) -> Self {
        let _ = writeln!(
            self.lines,
            "[[line]]\nname = \"{name}\"\ntenant = \"{TENANT}\"\n{rest}\n"
        );
        self
    }

    /// More TOML for `[http]`.
    #[must_use]
    pub fn http(mut self, toml: &str) -> Self {
        let _ = writeln!(self.http, "{toml}");
        self
    }

    /// More TOML for `[storage]`.
    #[must_use]
    pub fn storage(mut self, toml: &str) -> Self {
        let _ = writeln!(self.storage, "{toml}");
        self
    }

    /// More tables of the configuration.
    #[must_use]
    pub fn toml(mut self, tables: &str) -> Self {
        let _ = writeln!(self.tables, "{tables}");
        self
    }

    /// Puts the data on a disk of this size.
    #[must_use]
    pub fn small_disk(mut self, mib: u32) -> Self {
        self.small_disk_mib = Some(mib);
        self
    }

    /// Runs the daemon under another program (`strace …`).
    #[must_use]
    pub fn under(mut self, program: &[&str]) -> Self {
        self.prefix = program.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    #[must_use]
    pub fn start(self) -> Daemon {
        let mut daemon = self.prepare();
        daemon.start();
        daemon
    }

    /// Writes the configuration without starting anything.
    ///
    /// # Panics
    /// When the scratch folder cannot be written.
    #[must_use]
    pub fn prepare(self) -> Daemon {
        let folder = self.folder.path();
        let certificate = Certificate::make(folder);
        let (plain, tls) = (ports::free_address(), ports::free_address());
        let data = folder.join("data");
        std::fs::create_dir(&data).expect("the data folder");
        let config = folder.join("callreel.toml");
        let tls_table = if self.certificate {
            certificate.table()
        } else {
            String::new()
        };
        let text = format!(
            "[storage]\ndata_dir = \"{}\"\nindex_cache_mib = 8\n{}\n\
             [http]\nlisten = [\"{plain}\"]\nlisten_tls = [\"{tls}\"]\nworkers = 1\n{}\n\
             {tls_table}\
             [control]\nsocket = \"{}\"\n\n\
             [realtime]\npriority = 0\nlock_memory = false\n\n\
             [log]\nlevel = \"debug\"\n\n{}\n{}",
            data.display(),
            self.storage,
            self.http,
            folder.join("control.sock").display(),
            self.tables,
            self.lines
        );
        std::fs::write(&config, text).expect("callreel.toml");
        let alsa = self.alsa.write(folder);
        let endpoints = Endpoints {
            plain,
            tls: Some((tls, certificate)),
        };
        let disk = self.small_disk_mib.map(|size_mib| SmallDisk {
            folder: data.clone(),
            size_mib,
        });
        Daemon {
            folder: self.folder,
            data,
            config,
            alsa,
            endpoints,
            disk,
            prefix: self.prefix,
            passed: Vec::new(),
            process: None,
        }
    }
}

/// A daemon, running or not. It is killed when this value goes.
#[derive(Debug)]
pub struct Daemon {
    folder: TempDir,
    data: PathBuf,
    config: PathBuf,
    alsa: PathBuf,
    endpoints: Endpoints,
    disk: Option<SmallDisk>,
    prefix: Vec<String>,
    passed: Vec<(String, OwnedFd)>,
    process: Option<Guarded>,
}

impl Daemon {
    /// Starts it and waits until `/readyz` says yes and the control socket answers.
    ///
    /// # Panics
    /// When it ends, or does not become ready.
    pub fn start(&mut self) {
        self.launch();
        wait::until("the daemon's readiness", || {
            self.insist_alive();
            // HTTP and the control socket open one after the other.
            UnixStream::connect(self.folder.path().join("control.sock")).ok()?;
            let mut client = self.client(Transport::Plain1);
            let answer = client.try_send(&Request::get("/readyz")).ok()?;
            (answer.status == 200).then_some(())
        });
    }

    /// Starts it and waits for nothing.
    ///
    /// # Panics
    /// When the binary cannot be started.
    pub fn launch(&mut self) {
        let binary = process::binaries().join("callreeld");
        let mut command = match (&self.disk, self.prefix.split_first()) {
            (Some(disk), _) => disk.command(&binary),
            (None, Some((program, rest))) => {
                let mut command = Command::new(program);
                command.args(rest).arg(&binary);
                command
            }
            (None, None) => Command::new(&binary),
        };
        command
            .arg("--config")
            .arg(&self.config)
            .env("ALSA_CONFIG_PATH", &self.alsa)
            .env_remove("NOTIFY_SOCKET")
            .env_remove("LISTEN_FDS")
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDNAMES")
            .env_remove("JOURNAL_STREAM");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CALLREEL__") {
                command.env_remove(name);
            }
        }
        if !self.passed.is_empty() {
            process::pass(&mut command, &self.passed);
        }
        self.process = Some(Guarded::spawn(command, &self.folder.path().join("log")));
    }

    /// Runs the daemon under another program from its next start on; under none if it is empty.
    pub fn set_wrapper(&mut self, program: &[&str]) {
        self.prefix = program.iter().map(|word| (*word).to_owned()).collect();
    }

    /// Passes it a socket, as the service manager does, at every start from the next one on; this
    /// side stays open while the daemon restarts.
    pub fn pass(&mut self, name: &str, socket: impl Into<OwnedFd>) {
        self.set_wrapper(&["sh", "-c", "LISTEN_PID=$$ exec \"$@\"", "sh"]);
        self.passed.push((name.to_owned(), socket.into()));
    }

    /// Fails the test when the daemon has ended.
    ///
    /// # Panics
    /// When it has.
    pub fn insist_alive(&mut self) {
        let ended = self.process.as_mut().map(Guarded::ended);
        match ended {
            Some(None) => {}
            Some(Some(code)) => panic!("the daemon ended with {code}:\n{}", self.log()),
            None => panic!("the daemon was not started"),
        }
    }

    /// Whether it has ended by itself.
    ///
    /// # Panics
    /// When it was not started.
    pub fn has_ended(&mut self) -> bool {
        let process = self.process.as_mut().expect("a daemon that was started");
        process.ended().is_some()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill();
        }
        self.process = None;
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        self.process
            .as_ref()
            .expect("a running daemon")
            .signal(signal);
    }

    /// Waits for the end and gives the exit code.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait_for_end(&mut self) -> i32 {
        let process = self.process.as_mut().expect("a running daemon");
        let code = wait::until("the daemon's end", || process.ended());
        self.process = None;
        code
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("a running daemon").id()
    }

    /// Everything it has logged, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its scratch folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its data folder, as seen from outside.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        match (&self.disk, &self.process) {
            (Some(disk), Some(process)) => disk.seen_from_outside(process.id()),
            _ => self.data.clone(),
        }
    }

    /// Its configuration file.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The ALSA configuration its devices come from.
    #[must_use]
    pub fn alsa(&self) -> &Path {
        &self.alsa
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// A client that has not connected yet.
    #[must_use]
    pub fn client(&self, transport: Transport) -> Client {
        Client::new(self.endpoints.clone(), transport)
    }

    /// Sends one request over a fresh plain connection.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn ask(&self, request: &Request) -> crate::http::Answer {
        self.client(Transport::Plain1).send(request)
    }

    /// Runs `callreel` against it.
    pub fn cli(&self, arguments: &[&str]) -> cli::Output {
        let socket = self.folder.path().join("control.sock");
        let socket = socket.to_string_lossy();
        let mut all = vec!["--socket", &socket];
        all.extend_from_slice(arguments);
        let alsa = self.alsa.to_string_lossy();
        cli::run("callreel", &all, &[("ALSA_CONFIG_PATH", &alsa)])
    }

    /// Runs `callreel --json` against it and insists on success.
    #[must_use]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend_from_slice(arguments);
        self.cli(&all).json()
    }
}

impl Drop for Daemon {
    #[allow(
        clippy::print_stderr,
        reason = "a failing test shows what its daemon said"
    )]
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(8_000);
            let tail = (tail..log.len())
                .find(|at| log.is_char_boundary(*at))
                .unwrap_or(tail);
            eprintln!("--- the daemon's log, its end:\n{}", &log[tail..]);
        }
    }
}
