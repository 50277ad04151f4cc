//! Conversions of an hour of telephone sound by the daemon over HTTP, beside `lame` and `ffmpeg`
//! with the same bit rate and quality on the same core. Each turn converts a recording that was
//! just imported, so that nothing is answered from an earlier conversion.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::args::Options;
use crate::client::{content_length, end_of_head};
use crate::commands::{output, system_program};
use crate::daemon::Daemon;
use crate::error::Failure;
use crate::machine::{Cores, now, pinned, wait_until};
use crate::out;
use crate::ranges::scratch;
use crate::report::{Goal, Report, Row, Series};
use crate::voice;

/// A recording that is converted, and what it is converted with.
struct Case {
    what: &'static str,
    legs: u16,
    mp3_kilobits: u32,
    m4a_kilobits: u32,
}

const CASES: [Case; 2] = [
    Case {
        what: "mono",
        legs: 1,
        mp3_kilobits: 32,
        m4a_kilobits: 24,
    },
    Case {
        what: "stereo",
        legs: 2,
        mp3_kilobits: 64,
        m4a_kilobits: 48,
    },
];

/// One conversion of the whole.
#[derive(Clone, Copy)]
struct Run {
    cpu: Duration,
    whole: Duration,
    /// Until the first byte; the whole where a program writes a file.
    first: Duration,
}

/// What all turns of a case gave, ours first.
#[derive(Default)]
struct Runs {
    mp3: Vec<Vec<Run>>,
    m4a: Vec<Vec<Run>>,
    /// CPU of 64 KiB out of the middle of an MP3 of which nothing was made.
    middle: Vec<Duration>,
}

/// What converts beside the daemon.
struct Peer {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    /// Where it writes to.
    made: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    let daemon = Daemon::start(dir.path(), cores.server, None)?;
    let session = daemon.login()?;
    let length = Duration::from_secs(if options.quick { 60 } else { 3_600 });
    let mut report = Report {
        name: "convert",
        ..Report::default()
    };
    report.notes.extend(cores.note());
    for case in &CASES {
        let source = dir.path().join(format!("{}.wav", case.what));
        voice::write_call(&source, length, case.legs).map_err(Failure::io("writing a call"))?;
        let mut runs = Runs::default();
        for turn in 0..=options.pairs {
            out::progress(&format!("{}, turn {turn} of {}", case.what, options.pairs));
            let one = take_turn(turn, case, &source, &daemon, &session, cores)?;
            // The first turn only warms up.
            if turn > 0 {
                runs.add(one);
            }
        }
        add_rows(&mut report, case, length, &runs);
        std::fs::remove_file(&source).map_err(Failure::io("removing a call"))?;
    }
    out::progress_end();
    Ok(report)
}

/// Everything once; each turn begins with another.
fn take_turn(
    turn: usize,
    case: &Case,
    source: &Path,
    daemon: &Daemon,
    session: &str,
    cores: Cores,
) -> Result<Runs, Failure> {
    let peers = [mp3_peers(case, source)?, m4a_peers(case, source)?];
    let imported = daemon.import_file(source)?;
    let other = daemon.import_file(source)?;
    let of = |format: &str, path: &str| Asking {
        address: daemon.address(),
        path: format!("{path}&targetFormat={format}"),
        session: session.to_owned(),
    };
    let mut turns = Vec::new();
    for (format, peers) in ["mp3", "m4a"].into_iter().zip(&peers) {
        let mut runs: Vec<Option<Run>> = vec![None; peers.len() + 1];
        for step in 0..runs.len() {
            let which = (turn + step) % runs.len();
            runs[which] = Some(
                match which.checked_sub(1).and_then(|peer| peers.get(peer)) {
                    Some(peer) => pinned(cores.server, || peer.run())?,
                    None => pinned(cores.client, || {
                        ours(daemon, &of(format, &imported.voice_log))
                    })?,
                },
            );
        }
        turns.push(runs.into_iter().flatten().map(|run| vec![run]).collect());
    }
    let middle = pinned(cores.client, || {
        middle(daemon, &of("mp3", &other.voice_log))
    })?;
    let m4a = turns.pop().unwrap_or_default();
    let mp3 = turns.pop().unwrap_or_default();
    Ok(Runs {
        mp3,
        m4a,
        middle: vec![middle],
    })
}

impl Runs {
    fn add(&mut self, other: Self) {
        for (mine, more) in [(&mut self.mp3, other.mp3), (&mut self.m4a, other.m4a)] {
            mine.resize_with(more.len().max(mine.len()), Vec::new);
            for (series, runs) in mine.iter_mut().zip(more) {
                series.extend(runs);
            }
        }
        self.middle.extend(other.middle);
    }
}

/// The daemon's whole conversion, as a client gets it.
fn ours(daemon: &Daemon, asking: &Asking) -> Result<Run, Failure> {
    let before = daemon.cpu();
    let got = asking.fetch(None)?;
    // Finished conversions are put away behind the last byte.
    wait_until(now() + SETTLE);
    Ok(Run {
        cpu: daemon.cpu().saturating_sub(before),
        whole: got.whole,
        first: got.first,
    })
}

/// What 64 KiB out of the middle cost the daemon.
fn middle(daemon: &Daemon, asking: &Asking) -> Result<Duration, Failure> {
    // Headers are free: nothing is made for them.
    let size = asking.size()?;
    wait_until(now() + SETTLE);
    let before = daemon.cpu();
    asking.fetch(Some((size / 2, MIDDLE_BYTES.min(size / 2))))?;
    wait_until(now() + SETTLE);
    Ok(daemon.cpu().saturating_sub(before))
}

impl Peer {
    fn run(&self) -> Result<Run, Failure> {
        let before = children()?;
        let started = now();
        let mut command = Command::new(&self.program);
        output(&self.name, command.args(&self.arguments))?;
        let whole = now() - started;
        let cpu = children()?.saturating_sub(before);
        std::fs::remove_file(&self.made).map_err(Failure::io("removing what a peer made"))?;
        Ok(Run {
            cpu,
            whole,
            first: whole,
        })
    }
}

/// CPU time of children that have ended and were waited for.
fn children() -> Result<Duration, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(Failure::errno("getrusage"))?;
    let time = |value: TimeVal| {
        Duration::from_secs(u64::try_from(value.tv_sec()).unwrap_or(0))
            + Duration::from_micros(u64::try_from(value.tv_usec()).unwrap_or(0))
    };
    Ok(time(usage.user_time()) + time(usage.system_time()))
}

fn mp3_peers(case: &Case, source: &Path) -> Result<Vec<Peer>, Failure> {
    let made = source.with_extension("mp3");
    let (from, to) = (source.display().to_string(), made.display().to_string());
    let rate = case.mp3_kilobits.to_string();
    let mode = if case.legs == 1 { "m" } else { "s" };
    let lame = [
        "--quiet",
        "--cbr",
        "-b",
        &rate,
        "-q",
        "3",
        "-m",
        mode,
        "--resample",
        "8",
        "--nores",
        &from,
        &to,
    ];
    let ffmpeg_rate = format!("{rate}k");
    let ffmpeg = [
        "-nostdin",
        "-loglevel",
        "error",
        "-y",
        "-i",
        &from,
        "-c:a",
        "libmp3lame",
        "-b:a",
        &ffmpeg_rate,
        "-compression_level",
        "3",
        "-joint_stereo",
        "0",
        "-reservoir",
        "0",
        &to,
    ];
    Ok(vec![
        peer("lame", "install lame ('make setup')", &lame, &made)?,
        peer("ffmpeg", "install ffmpeg ('make setup')", &ffmpeg, &made)?,
    ])
}

fn m4a_peers(case: &Case, source: &Path) -> Result<Vec<Peer>, Failure> {
    let made = source.with_extension("m4a");
    let (from, to) = (source.display().to_string(), made.display().to_string());
    let rate = format!("{}k", case.m4a_kilobits);
    let ffmpeg = [
        "-nostdin",
        "-loglevel",
        "error",
        "-y",
        "-i",
        &from,
        "-c:a",
        "aac",
        "-b:a",
        &rate,
        "-movflags",
        "+faststart",
        &to,
    ];
    Ok(vec![peer(
        "ffmpeg",
        "install ffmpeg ('make setup')",
        &ffmpeg,
        &made,
    )?])
}

fn peer(
    name: &str,
    remedy: &'static str,
    arguments: &[&str],
    made: &Path,
) -> Result<Peer, Failure> {
    Ok(Peer {
        name: name.to_owned(),
        program: system_program(name, remedy)?,
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        made: made.to_owned(),
    })
}

/// One download in one format.
struct Asking {
    address: SocketAddr,
    path: String,
    session: String,
}

struct Got {
    first: Duration,
    whole: Duration,
}

impl Asking {
    /// How many bytes it would be.
    fn size(&self) -> Result<u64, Failure> {
        let mut stream = self.send("HEAD", None)?;
        let mut head = Vec::new();
        stream
            .read_to_end(&mut head)
            .map_err(Failure::io("callreeld: HEAD"))?;
        self.length(&head)
    }

    /// Fetches and drops a range, or the whole; `first` is the body's first byte.
    fn fetch(&self, range: Option<(u64, u64)>) -> Result<Got, Failure> {
        let asked = now();
        let mut stream = self.send("GET", range)?;
        let mut buffer = vec![0; 1 << 18];
        let (mut head, mut body, mut end) = (Vec::new(), 0, None);
        let mut first = None;
        loop {
            let received = stream
                .read(&mut buffer)
                .map_err(Failure::io("callreeld: download"))?;
            if received == 0 {
                break;
            }
            if end.is_none() {
                head.extend_from_slice(&buffer[..received]);
                end = end_of_head(&head);
                body = end.map_or(0, |end| (head.len() - end) as u64);
            } else {
                body += received as u64;
            }
            if body > 0 {
                first.get_or_insert_with(|| now() - asked);
            }
        }
        let length = self.length(&head)?;
        if body != length {
            return Err(wrong(format!("{body} bytes where it said {length}")));
        }
        let whole = now() - asked;
        Ok(Got {
            first: first.unwrap_or(whole),
            whole,
        })
    }

    fn send(&self, method: &str, range: Option<(u64, u64)>) -> Result<TcpStream, Failure> {
        let what = || "callreeld: asking for a conversion";
        let (path, session) = (&self.path, &self.session);
        let range = range.map_or_else(String::new, |(from, length)| {
            format!("Range: bytes={from}-{}\r\n", from + length - 1)
        });
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: bench\r\n{session}{range}Connection: close\r\n\r\n"
        );
        let mut stream = TcpStream::connect(self.address).map_err(Failure::io(what()))?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .map_err(Failure::io(what()))?;
        stream
            .write_all(request.as_bytes())
            .map_err(Failure::io(what()))?;
        Ok(stream)
    }

    /// The length a head tells.
    fn length(&self, answer: &[u8]) -> Result<u64, Failure> {
        let end = end_of_head(answer).unwrap_or(answer.len());
        let head = &answer[..end];
        if !(head.starts_with(b"HTTP/1.1 200") || head.starts_with(b"HTTP/1.1 206")) {
            let line = String::from_utf8_lossy(answer);
            let line = line.lines().next().unwrap_or_default();
            return Err(wrong(format!("{line} for {}", self.path)));
        }
        content_length(head).ok_or_else(|| wrong("no Content-Length".to_owned()))
    }
}

fn wrong(what: String) -> Failure {
    Failure::Answer {
        server: "callreeld".into(),
        what,
    }
}

fn add_rows(report: &mut Report, case: &Case, length: Duration, runs: &Runs) {
    for (format, series) in [("MP3", &runs.mp3), ("M4A", &runs.m4a)] {
        let names: &[&str] = match format {
            "MP3" => &["lame", "ffmpeg"],
            _ => &["ffmpeg"],
        };
        let row = |what: &str, unit, goal, figure: &dyn Fn(&Run) -> f64| {
            let mut all = series
                .iter()
                .map(|runs| runs.iter().map(figure).collect::<Vec<f64>>());
            Row {
                what: format!("{format}, {} s {}, {what}", length.as_secs(), case.what),
                unit,
                goal,
                ours: all.next().unwrap_or_default(),
                peers: names
                    .iter()
                    .zip(all)
                    .map(|(name, values)| Series {
                        name: (*name).to_owned(),
                        values,
                    })
                    .collect(),
            }
        };
        let cpu_goal = Goal::AtMost {
            most: 1.05,
            aim: 0.5,
        };
        report
            .rows
            .push(row("CPU", "s", cpu_goal, &|run| run.cpu.as_secs_f64()));
        let times = |run: &Run| length.as_secs_f64() / run.whole.as_secs_f64();
        report
            .rows
            .push(row("times real time", "x", Goal::None, &times));
        if format == "MP3" {
            let goal = Goal::Within {
                most: 50.0,
                aim: 20.0,
            };
            report.rows.push(row("first byte", "ms", goal, &|run| {
                run.first.as_secs_f64() * 1e3
            }));
        }
    }
    let whole = runs.mp3.first().map_or(&[][..], Vec::as_slice);
    report.rows.push(Row {
        what: format!("64 KiB from the middle of that MP3, {}, CPU", case.what),
        unit: "ms",
        goal: Goal::AtMost {
            most: 0.05,
            aim: 0.02,
        },
        ours: milliseconds(runs.middle.iter().copied()),
        peers: vec![Series {
            name: "callreel, all of it".into(),
            values: milliseconds(whole.iter().map(|run| run.cpu)),
        }],
    });
}

fn milliseconds(times: impl Iterator<Item = Duration>) -> Vec<f64> {
    times.map(|time| time.as_secs_f64() * 1e3).collect()
}

const MIDDLE_BYTES: u64 = 64 << 10;
/// Until the daemon has put away what it made.
const SETTLE: Duration = Duration::from_millis(300);
/// For the first byte of a format that is made whole before it.
const PATIENCE: Duration = Duration::from_secs(300);
