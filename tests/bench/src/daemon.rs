//! The real daemon as a server: a generated configuration, one worker, no lines, a tenant, a key
//! and imported recordings.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::certificate::Certificate;
use crate::client::Target;
use crate::commands::{find, json, output, own_program};
use crate::error::Failure;
use crate::machine::{Running, cpu_of, now, wait_until};
use crate::stats::Random;
use crate::tls_client::Trust;

/// A running callreeld.
pub(crate) struct Daemon {
    process: Running,
    address: SocketAddr,
    tls: Option<(SocketAddr, Trust)>,
    dir: PathBuf,
    key: String,
}

/// A recording that was imported.
pub(crate) struct Imported {
    /// How to ask for it.
    pub(crate) target: Target,
    /// The stored file itself.
    pub(crate) file: PathBuf,
    /// Path and query that download it, but for the format.
    pub(crate) voice_log: String,
}

impl Daemon {
    /// Starts it on a core with everything below `dir`; where there is a certificate, what is
    /// imported is asked for over TLS.
    pub(crate) fn start(
        dir: &Path,
        core: usize,
        certificate: Option<&Certificate>,
    ) -> Result<Self, Failure> {
        let address = crate::nginx::free_address()?;
        let tls = match certificate {
            Some(made) => Some((crate::nginx::free_address()?, made)),
            None => None,
        };
        let config = dir.join("callreel.toml");
        std::fs::write(&config, configuration(dir, address, tls))
            .map_err(Failure::io("writing callreel.toml"))?;
        let log = File::create(dir.join("callreeld.log")).map_err(Failure::io("daemon's log"))?;
        let mut command = Command::new(own_program("callreeld")?);
        command.arg("--config").arg(&config).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(log);
        let process = Running::start("callreeld", &mut command, core)?;
        let mut daemon = Self {
            process,
            address,
            tls: tls.map(|(address, made)| (address, made.trust())),
            dir: dir.to_owned(),
            key: String::new(),
        };
        daemon.wait_ready()?;
        output(
            "tenant add",
            daemon.command()?.args(["tenant", "add", TENANT]),
        )?;
        let issue = [
            "key",
            "issue",
            "--tenant",
            TENANT,
            "--family",
            "task-audio",
            "--json",
        ];
        let issued = json("key issue", daemon.command()?.args(issue))?;
        let secret = find(&issued, "secret").and_then(|secret| secret.as_str());
        let said = || Failure::Program {
            what: "key issue".into(),
            said: "no secret".into(),
        };
        daemon.key = secret.ok_or_else(said)?.to_owned();
        Ok(daemon)
    }

    /// The command line, talking to this daemon.
    fn command(&self) -> Result<Command, Failure> {
        let mut command = Command::new(own_program("callreel")?);
        command.arg("--socket").arg(self.dir.join("control.sock"));
        Ok(command)
    }

    fn wait_ready(&mut self) -> Result<(), Failure> {
        let patience = now() + Duration::from_secs(15);
        while !self.is_ready() {
            self.process
                .check()
                .map_err(|failure| self.with_log(failure))?;
            if now() > patience {
                let said = "it was not ready within 15 s".to_owned();
                let failure = Failure::Program {
                    what: "callreeld".into(),
                    said,
                };
                return Err(self.with_log(failure));
            }
            wait_until(now() + Duration::from_millis(50));
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        let ask = || -> std::io::Result<bool> {
            let mut stream = std::net::TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream
                .write_all(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
            let mut answer = [0; 12];
            stream.read_exact(&mut answer)?;
            Ok(answer == *b"HTTP/1.1 200")
        };
        ask().unwrap_or(false)
    }

    fn with_log(&self, failure: Failure) -> Failure {
        let log = std::fs::read_to_string(self.dir.join("callreeld.log")).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(5).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        Failure::Program {
            what: failure.to_string(),
            said: format!("its log ends: {}", last.join(" | ")),
        }
    }

    /// Makes a WAV file of this size, imports it, and removes the original.
    pub(crate) fn import(&self, bytes: u64) -> Result<Imported, Failure> {
        let source = self.dir.join(format!("{bytes}.wav"));
        write_wav(&source, bytes).map_err(Failure::io(format!("writing {}", source.display())))?;
        let imported = self.import_file(&source)?;
        std::fs::remove_file(&source).map_err(Failure::io("removing the original"))?;
        Ok(imported)
    }

    /// Imports a WAV file.
    pub(crate) fn import_file(&self, source: &Path) -> Result<Imported, Failure> {
        let mut command = self.command()?;
        command
            .args(["recordings", "import"])
            .arg(source)
            .args(["--tenant", TENANT, "--json"]);
        let said = json("recordings import", &mut command)?;
        let field = |name: &str| {
            let missing = || Failure::Program {
                what: "recordings import".into(),
                said: format!("no {name} in {said}"),
            };
            let value = find(&said, name).ok_or_else(missing)?;
            Ok::<_, Failure>(value.to_string().trim_matches('"').to_owned())
        };
        let file = find_file(
            &self.dir.join("data/recordings"),
            &format!("{}.wav", field("recid")?),
        );
        let file = file.ok_or_else(|| Failure::Program {
            what: "recordings import".into(),
            said: "no stored file".into(),
        })?;
        let len = std::fs::metadata(&file).map_err(Failure::io("the stored file"))?;
        let (address, trust) = match &self.tls {
            Some((address, trust)) => (*address, Some(trust.clone())),
            None => (self.address, None),
        };
        let target = Target {
            server: "callreeld".into(),
            address,
            path: format!("/api/v1/sse/audio/{}", field("task_id")?),
            headers: format!("X-API-Key: {}\r\n", self.key),
            len: len.len(),
            trust,
        };
        let voice_log = format!(
            "/ameyorestapi/cc/downloadVoiceLog?campaignId={}&crtObjectId={}\
             &filters=%7BcallId%3A{}%7D",
            field("campaign_id")?,
            field("crt_object_id")?,
            field("call_id")?,
        );
        Ok(Imported {
            target,
            file,
            voice_log,
        })
    }

    /// A session of the family that converts: its header line.
    pub(crate) fn login(&self) -> Result<String, Failure> {
        let user = ["user", "add", USER, "--tenant", TENANT];
        let more = ["--role", "supervisor", "--generate", "--json"];
        let added = json("user add", self.command()?.args(user).args(more))?;
        let said = |said: String| Failure::Program {
            what: "userLogin".into(),
            said,
        };
        let password = find(&added, "password").and_then(|password| password.as_str());
        let password = password.ok_or_else(|| said(format!("no password in {added}")))?;
        let body = serde_json::json!({ "userId": USER, "token": password }).to_string();
        let request = format!(
            "POST /ameyorestapi/session/userLogin HTTP/1.1\r\nHost: bench\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n\
             {body}",
            body.len()
        );
        let ask = || -> std::io::Result<String> {
            let mut stream = std::net::TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().map_err(Failure::io("userLogin"))?;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let opened: Value =
            serde_json::from_str(body).map_err(|_| said(format!("it answered {answer}")))?;
        let session = find(&opened, "sessionId").and_then(|session| session.as_str());
        let session = session.ok_or_else(|| said(format!("no sessionId in {opened}")))?;
        Ok(format!("Sessionid: {session}\r\n"))
    }

    /// Where it serves without TLS.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// CPU time it has used, all threads.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_of(self.process.id())
    }
}

fn configuration(
    dir: &Path,
    address: SocketAddr,
    tls: Option<(SocketAddr, &Certificate)>,
) -> String {
    let dir = dir.display();
    let tls = tls.map_or_else(String::new, |(address, made)| {
        format!(
            "listen_tls = [\"{address}\"]
[http.tls]
certificate = \"{}\"
key = \"{}\"
",
            made.certificate.display(),
            made.key.display()
        )
    });
    format!(
        "[storage]
data_dir = \"{dir}/data\"
[http]
listen = [\"{address}\"]
workers = 1
{tls}[control]
socket = \"{dir}/control.sock\"
[log]
level = \"warn\"
"
    )
}

fn find_file(dir: &Path, name: &str) -> Option<PathBuf> {
    std::fs::read_dir(dir)
        .ok()?
        .filter_map(Result::ok)
        .find_map(|entry| {
            let path = entry.path();
            if path.is_dir() {
                find_file(&path, name)
            } else {
                (entry.file_name() == *name).then_some(path)
            }
        })
}

/// A canonical WAV file of exactly this many bytes: 8 kHz, 16 bit, mono, quiet noise.
#[allow(clippy::cast_possible_truncation, reason = "bounded right there")]
fn write_wav(path: &Path, bytes: u64) -> std::io::Result<()> {
    let data = bytes.min(u64::from(u32::MAX)) as u32 - WAV_HEADER_BYTES;
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(b"RIFF")?;
    file.write_all(&(data + WAV_HEADER_BYTES - 8).to_le_bytes())?;
    file.write_all(b"WAVEfmt \x10\0\0\0\x01\0\x01\0")?;
    file.write_all(&8_000u32.to_le_bytes())?;
    file.write_all(&16_000u32.to_le_bytes())?;
    file.write_all(b"\x02\0\x10\0data")?;
    file.write_all(&data.to_le_bytes())?;
    let mut random = Random::new(1);
    let mut left = data as usize;
    let mut noise = vec![0; 1 << 20];
    while left > 0 {
        for sample in noise.chunks_exact_mut(8) {
            sample.copy_from_slice(&(random.next() & 0x00FF_00FF_00FF_00FF).to_le_bytes());
        }
        let take = left.min(noise.len());
        file.write_all(&noise[..take])?;
        left -= take;
    }
    file.flush()
}

const TENANT: &str = "bench";
const USER: &str = "boss@bench";
const WAV_HEADER_BYTES: u32 = 44;
