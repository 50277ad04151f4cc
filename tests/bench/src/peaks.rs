//! CPU of an hour's waveform peaks: as the recorder takes them, piece by piece, beside programs
//! that read the file and find each channel's lowest and highest sample.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use audio_io::dsp::peaks::PeakMeter;
use audio_io::format::{Channels, Encoding, StreamFormat};
use audio_io::units::SampleRate;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

use crate::args::Options;
use crate::commands::{output, system_program};
use crate::error::Failure;
use crate::machine::{Cores, pinned};
use crate::out;
use crate::ranges::scratch;
use crate::report::{Goal, Report, Row, Series};
use crate::voice;

/// Where `voice` puts the sound.
const SOUND_AT: u64 = 44;
/// What the recorder hands over at once.
const PIECE: usize = 64 * 1024;

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    let length = Duration::from_secs(if options.quick { 60 } else { 3_600 });
    let mut report = Report {
        name: "peaks",
        ..Report::default()
    };
    report.notes.extend(cores.note());
    let aim = Goal::LessBy {
        least: 1.0,
        aim: 5.0,
    };
    let hours = length.as_secs_f64() / 3_600.0;
    for legs in [1, 2] {
        let source = dir.path().join(format!("{legs}.wav"));
        voice::write_call(&source, length, legs).map_err(Failure::io("writing a call"))?;
        let peers = peers(&source)?;
        let mut series: Vec<Vec<f64>> = vec![Vec::new(); peers.len() + 1];
        for turn in 0..=options.pairs {
            out::progress(&format!("{legs} legs, turn {turn} of {}", options.pairs));
            for step in 0..series.len() {
                let which = (turn + step) % series.len();
                let used = pinned(cores.server, || {
                    match which.checked_sub(1).and_then(|peer| peers.get(peer)) {
                        Some((name, words)) => theirs(name, words),
                        None => ours(&source, legs),
                    }
                })?;
                // The first turn only warms up.
                if turn > 0 {
                    series[which].push(used.as_secs_f64() / hours);
                }
            }
        }
        let mut series = series.into_iter();
        report.rows.push(Row {
            what: format!("peaks of {legs} leg{}", if legs == 1 { "" } else { "s" }),
            unit: "CPU s/h",
            goal: aim,
            ours: series.next().unwrap_or_default(),
            peers: peers
                .iter()
                .zip(series)
                .map(|((name, _), values)| Series {
                    name: name.clone(),
                    values,
                })
                .collect(),
        });
    }
    out::progress_end();
    report.notes.push(
        "audiowaveform is measured where it is installed (Debian 12 has no package of it); sox and \
         ffmpeg find the lowest and highest sample of the whole file and more statistics, not peaks"
            .into(),
    );
    Ok(report)
}

/// CPU of reading a file in the recorder's pieces and taking its peaks, all levels.
fn ours(source: &Path, legs: u16) -> Result<Duration, Failure> {
    let format = StreamFormat {
        rate: SampleRate::TELEPHONE,
        encoding: Encoding::S16Le,
        channels: if legs == 2 {
            Channels::Stereo
        } else {
            Channels::Mono
        },
    };
    let file = File::open(source).map_err(Failure::io("opening a call"))?;
    let mut buffer = vec![0; PIECE];
    let before = thread_cpu()?;
    let mut meter = PeakMeter::new(format);
    let mut at = SOUND_AT;
    loop {
        let read = file
            .read_at(&mut buffer, at)
            .map_err(Failure::io("reading a call"))?;
        if read == 0 {
            break;
        }
        meter.push(&buffer[..read]);
        at += read as u64;
    }
    std::hint::black_box(meter.finish());
    Ok(thread_cpu()?.saturating_sub(before))
}

fn theirs(name: &str, words: &[String]) -> Result<Duration, Failure> {
    let before = children()?;
    let (program, arguments) = words.split_first().ok_or_else(|| Failure::Missing {
        program: name.into(),
        remedy: "name a program",
    })?;
    output(name, Command::new(program).args(arguments))?;
    Ok(children()?.saturating_sub(before))
}

/// Names, programs and their arguments.
fn peers(source: &Path) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let from = source.display().to_string();
    let made = source.with_extension("dat").display().to_string();
    let words = |program: &Path, words: &[&str]| {
        let program = program.display().to_string();
        let words = words.iter().map(|word| (*word).to_owned());
        std::iter::once(program).chain(words).collect::<Vec<_>>()
    };
    let mut peers = Vec::new();
    if let Ok(program) = system_program("audiowaveform", "") {
        let arguments = ["-q", "-i", &from, "-o", &made, "-z", "128", "-b", "16"];
        let split = ["--split-channels"];
        let arguments = [&arguments[..], &split].concat();
        peers.push(("audiowaveform".into(), words(&program, &arguments)));
    }
    let sox = system_program("sox", "install sox ('make setup')")?;
    peers.push(("sox stats".into(), words(&sox, &[&from, "-n", "stats"])));
    let ffmpeg = system_program("ffmpeg", "install ffmpeg ('make setup')")?;
    let arguments = [
        "-nostdin", "-v", "error", "-i", &from, "-af", "astats", "-f", "null", "-",
    ];
    peers.push(("ffmpeg astats".into(), words(&ffmpeg, &arguments)));
    Ok(peers)
}

/// CPU time of children that have ended and were waited for.
fn children() -> Result<Duration, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(Failure::errno("getrusage"))?;
    let time = |value: TimeVal| {
        Duration::from_micros(u64::try_from(value.num_microseconds()).unwrap_or(0))
    };
    Ok(time(usage.user_time()) + time(usage.system_time()))
}

fn thread_cpu() -> Result<Duration, Failure> {
    let used = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map_err(Failure::errno("own CPU time"))?;
    Ok(used.into())
}
