//! From a command to what is heard: 64 calls at once, each playing a prompt into a line of the
//! metered rig, and commands to them in turns. Each line writes down every sample at the moment it
//! is heard; afterwards it is looked up when the sound changed after each request was sent.
//!
//! What is not here: a peer. Exchanges with such commands play into networks, not into ALSA
//! devices, and none of them could be driven over the same rig.

mod api;
mod heard;

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use self::api::Api;
use self::heard::{Effect, HALF_SECONDS, Heard};
use crate::args::Options;
use crate::commands::{find, output, own_program};
use crate::error::Failure;
use crate::machine::{Cores, Running, now, wait_until};
use crate::out;
use crate::ranges::scratch;
use crate::report::{Goal, Report, Row};
use crate::stats::percentile;

const SESSIONS: usize = 64;

/// From one command to the next; a session has its turn every 704 ms, beyond all cooldowns but
/// that of recordings.
const BETWEEN: Duration = Duration::from_millis(11);

/// A command, what it is called in the table, its body, and what is heard of it.
struct Step {
    name: &'static str,
    what: &'static str,
    effect: Effect,
}

/// A round of each session; it begins while the first half of the prompt plays.
const ROUND: [Step; 7] = [
    step("pause", "pause", Effect::Silence),
    step("resume", "resume", Effect::Sound),
    step("seek", "seek forward", Effect::Second),
    step("seek", "seek back", Effect::First),
    step("restart", "", Effect::First),
    step("stop", "stop", Effect::Silence),
    step("start", "start, file known", Effect::Sound),
];

const fn step(name: &'static str, what: &'static str, effect: Effect) -> Step {
    Step { name, what, effect }
}

/// A request that was sent, and how long its 202 took.
struct Sent {
    session: usize,
    at_ns: u64,
    answered_ms: f64,
}

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    let prompt = api::serve(heard::prompt())?;
    let rig = Rig::start(dir.path(), cores)?;
    let mut api = rig.api()?;
    let sessions = rig.open_calls(&mut api, &prompt)?;
    // All of them fetched, decoded and heard.
    wait_until(now() + Duration::from_secs(3));
    let rounds = if options.quick { 1 } else { options.pairs };
    let mut sent: Vec<[Vec<Sent>; ROUND.len()]> = Vec::new();
    for round in 0..rounds {
        out::progress(&format!("round {} of {rounds}", round + 1));
        sent.push(one_round(&mut api, &sessions, &prompt)?);
    }
    wait_until(now() + Duration::from_secs(2));
    drop(rig);
    out::progress_end();
    let lines: Vec<Heard> = (0..SESSIONS)
        .map(|line| Heard::read(&heard_path(dir.path(), line)))
        .collect::<Result<_, _>>()
        .map_err(Failure::io("what was heard"))?;
    Ok(report(&lines, &sent, cores))
}

/// Each step to all sessions, one after the other.
fn one_round(
    api: &mut Api,
    sessions: &[String],
    prompt: &str,
) -> Result<[Vec<Sent>; ROUND.len()], Failure> {
    let mut sent: [Vec<Sent>; ROUND.len()] = Default::default();
    let mut due = now();
    for (index, step) in ROUND.iter().enumerate() {
        let body = match step.what {
            "seek forward" => json!({ "position_ms": HALF_SECONDS * 1_000 }),
            "seek back" => {
                json!({ "position_ms": -(i64::try_from(HALF_SECONDS).unwrap_or(0) * 1_000) })
            }
            "start, file known" => json!({ "urls": [prompt] }),
            _ => json!({}),
        };
        for (session, uuid) in sessions.iter().enumerate() {
            wait_until(due);
            due += BETWEEN;
            let path = format!("/api/v1/sessions/{uuid}/commands/playback/{}", step.name);
            let at = now();
            api.post(&path, &body, 202)?;
            sent[index].push(Sent {
                session,
                at_ns: u64::try_from(at.as_nanos()).unwrap_or(u64::MAX),
                answered_ms: now().saturating_sub(at).as_secs_f64() * 1e3,
            });
        }
    }
    Ok(sent)
}

fn report(lines: &[Heard], rounds: &[[Vec<Sent>; ROUND.len()]], cores: Cores) -> Report {
    let mut report = Report {
        name: "calls",
        ..Report::default()
    };
    report.notes.extend(cores.note());
    for (index, step) in ROUND.iter().enumerate() {
        if step.what.is_empty() {
            continue;
        }
        let (mut medians, mut high) = (Vec::new(), Vec::new());
        let mut missed = 0;
        for round in rounds {
            let found: Vec<Option<f64>> = round[index]
                .iter()
                .map(|sent| lines[sent.session].after(sent.at_ns, step.effect))
                .collect();
            missed += found.iter().filter(|after| after.is_none()).count();
            let times: Vec<f64> = found.into_iter().flatten().collect();
            medians.push(percentile(&times, 50.0));
            high.push(percentile(&times, 99.0));
        }
        if missed > 0 {
            let what = step.what;
            report.notes.push(format!(
                "{what}: {missed} commands without a change to be heard"
            ));
        }
        let within = Goal::Within {
            most: 50.0,
            aim: 40.0,
        };
        // A start has its file opened first; the goal is of what is decoded already.
        let goal = if step.name == "start" {
            Goal::None
        } else {
            within
        };
        report
            .rows
            .push(row(format!("{}, p50", step.what), goal, medians));
        report
            .rows
            .push(row(format!("{}, p99", step.what), goal, high));
    }
    let answers = |percent: f64| {
        let of = |round: &[Vec<Sent>; ROUND.len()]| {
            let times: Vec<f64> = round
                .iter()
                .flatten()
                .map(|sent| sent.answered_ms)
                .collect();
            percentile(&times, percent)
        };
        rounds.iter().map(of).collect()
    };
    for (name, percent) in [("p50", 50.0), ("p99", 99.0)] {
        report
            .rows
            .push(row(format!("202, {name}"), Goal::None, answers(percent)));
    }
    report.notes.push(format!(
        "{SESSIONS} calls play at once; from the first byte of the request sent to the first \
         sample heard changed (silent, for pause and stop) at a device that runs by the clock; \
         there is no peer"
    ));
    report
}

fn row(what: String, goal: Goal, ours: Vec<f64>) -> Row {
    Row {
        what,
        unit: "ms",
        goal,
        ours,
        peers: Vec::new(),
    }
}

/// The daemon with its lines.
struct Rig {
    _process: Running,
    address: std::net::SocketAddr,
}

impl Rig {
    fn start(dir: &Path, cores: Cores) -> Result<Self, Failure> {
        let address = crate::nginx::free_address()?;
        let devices = devices(dir)?;
        let config = dir.join("callreel.toml");
        std::fs::write(dir.join("admin.key"), ADMIN_KEY).map_err(Failure::io("admin.key"))?;
        std::fs::write(&config, configuration(dir, address))
            .map_err(Failure::io("callreel.toml"))?;
        let log = File::create(dir.join("callreeld.log")).map_err(Failure::io("daemon's log"))?;
        let mut command = Command::new(own_program("callreeld")?);
        command.arg("--config").arg(&config).stdin(Stdio::null());
        command.env("ALSA_CONFIG_PATH", devices);
        command.stdout(Stdio::null()).stderr(log);
        let mut process = Running::start("callreeld", &mut command, cores.server)?;
        let patience = now() + Duration::from_secs(15);
        while !is_ready(address) {
            process.check()?;
            if now() > patience {
                return Err(Failure::Program {
                    what: "callreeld".into(),
                    said: std::fs::read_to_string(dir.join("callreeld.log")).unwrap_or_default(),
                });
            }
            wait_until(now() + Duration::from_millis(50));
        }
        Ok(Self {
            _process: process,
            address,
        })
    }

    /// A client of the application, which it makes first.
    fn api(&self) -> Result<Api, Failure> {
        let admin = format!("X-Admin-API-Key: {ADMIN_KEY}\r\n");
        let application = json!({ "api_key": API_KEY, "rate_limit": 100_000 });
        let mut admin = Api::connect(self.address, admin)?;
        let made = admin.post(&format!("/admin/apps/{APP}"), &application, 200);
        // Whether adding one is told as 200 or 201 is not this benchmark's to say.
        if let Err(failure) = made
            && !failure.to_string().contains(": 201")
        {
            return Err(failure);
        }
        let headers = format!("X-App-ID: {APP}\r\nX-API-Key: {API_KEY}\r\n");
        Api::connect(self.address, headers)
    }

    /// A call on each line, answered, with the prompt playing.
    fn open_calls(&self, api: &mut Api, prompt: &str) -> Result<Vec<String>, Failure> {
        let mut sessions = Vec::new();
        for line in 0..SESSIONS {
            let opened = api.post("/api/v1/sessions", &json!({ "line": name(line) }), 201)?;
            let names = ["session_uuid", "uuid"];
            let uuid = names
                .iter()
                .find_map(|name| find(&opened, name))
                .and_then(Value::as_str);
            let uuid = uuid.ok_or_else(|| Failure::Answer {
                server: "callreeld".into(),
                what: format!("no session_uuid in {opened}"),
            })?;
            sessions.push(uuid.to_owned());
        }
        for (command, body) in [
            ("answer", json!({})),
            ("playback/start", json!({ "urls": [prompt] })),
        ] {
            for uuid in &sessions {
                let path = format!("/api/v1/sessions/{uuid}/commands/{command}");
                api.post(&path, &body, 202)?;
            }
            wait_until(now() + Duration::from_secs(1));
        }
        Ok(sessions)
    }
}

fn is_ready(address: std::net::SocketAddr) -> bool {
    use std::io::{Read, Write};
    let ask = || -> std::io::Result<bool> {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(answer == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

/// Compiles the rig's devices and writes alsa-lib's configuration of them.
fn devices(dir: &Path) -> Result<PathBuf, Failure> {
    let source = dir.join("metered_pcm.c");
    let plugin = dir.join("metered_pcm.so");
    std::fs::write(&source, include_str!("../../rigs/metered_pcm.c"))
        .map_err(Failure::io("metered_pcm.c"))?;
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-DPIC", "-O2", "-o"])
        .arg(&plugin)
        .arg(&source);
    output("cc", compiler.arg("-lasound"))?;
    let mut text = format!(
        "</usr/share/alsa/alsa.conf>\npcm_type.metered {{ lib \"{}\" }}\n",
        plugin.display()
    );
    for line in 0..SESSIONS {
        let _ = writeln!(
            text,
            "pcm.{} {{ type metered file \"{}\" }}",
            name(line),
            heard_path(dir, line).display()
        );
    }
    let path = dir.join("asound.conf");
    std::fs::write(&path, text).map_err(Failure::io("asound.conf"))?;
    Ok(path)
}

fn configuration(dir: &Path, address: std::net::SocketAddr) -> String {
    let dir = dir.display();
    let mut text = format!(
        "[storage]
data_dir = \"{dir}/data\"
[http]
listen = [\"{address}\"]
workers = 1
[control]
socket = \"{dir}/control.sock\"
[log]
level = \"warn\"
[fetch]
allow = [\"127.0.0.1/32\"]
[admin]
key_file = \"{dir}/admin.key\"
"
    );
    for line in 0..SESSIONS {
        let name = name(line);
        let _ = write!(
            text,
            "[[line]]
name = \"{name}\"
tenant = \"{APP}\"
capture = \"{name}\"
playback = \"{name}\"
trigger = \"api\"
"
        );
    }
    text
}

fn name(line: usize) -> String {
    format!("metered{line}")
}

fn heard_path(dir: &Path, line: usize) -> PathBuf {
    dir.join(format!("{line}.heard"))
}

const APP: &str = "bench";
const API_KEY: &str = "bench-bench-bench-bench";
const ADMIN_KEY: &str = "admin-admin-admin-admin";
