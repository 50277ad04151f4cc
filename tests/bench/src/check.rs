//! How fast `callreel check` reads and hashes recordings, beside `b3sum` on the same files, both
//! with one thread on one core and with the files in memory: what 100 GB take follows from it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use audio_io::clock::SystemClock;
use audio_io::format::{Channels, StreamFormat};
use audio_io::units::Frames;
use storage::check::{CheckOptions, check};
use storage::handle::{ImportNames, ImportRequest, IoChoice, StorageHandle, StoreOptions};
use storage::ids::{TenantId, TenantName};
use storage::record::Container;

use crate::args::Options;
use crate::commands::system_program;
use crate::error::Failure;
use crate::machine::{Cores, now, pinned, warm};
use crate::out;
use crate::ranges::scratch;
use crate::report::{Goal, Report, Row, Series};
use crate::stats::Random;

/// Files that the sound is in.
const FILES: u64 = 16;

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let b3sum = system_program("b3sum", "run 'make setup'")?;
    let dir = scratch(options)?;
    let (storage, _recorder, _) = StorageHandle::open(
        StoreOptions {
            data_dir: dir.path().join("data"),
            index_cache_bytes: 8 << 20,
            io: IoChoice::Auto,
        },
        Arc::new(SystemClock),
    )
    .map_err(Failure::store("opening the store"))?;
    let name = TenantName::new("bench").map_err(Failure::store("making a name"))?;
    let tenant = storage.add_tenant(name);
    let tenant = tenant.map_err(Failure::store("adding a tenant"))?.id;
    let bytes = (options.file_mib << 20) / FILES;
    out::progress(&format!("importing {FILES} files of {} MiB", bytes >> 20));
    let mut files = Vec::new();
    for number in 0..FILES {
        files.push(import(&storage, tenant, dir.path(), number, bytes)?);
    }
    for file in &files {
        warm(file)?;
    }
    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    let total = megabytes(bytes * FILES);
    for turn in 0..=options.pairs {
        out::progress(&format!("turn {turn} of {}", options.pairs));
        for step in 0..2 {
            let side = (turn + step) % 2;
            let took = pinned(cores.server, || match side {
                0 => ours(&storage),
                _ => theirs(&b3sum, &["--num-threads", "1", "--no-mmap"], &files),
            })?;
            // The first turn only warms up.
            if turn > 0 {
                rates[side].push(total / took);
            }
        }
        let took = theirs(&b3sum, &[], &files)?;
        if turn > 0 {
            rates[2].push(total / took);
        }
    }
    out::progress_end();
    Ok(report(rates, options.file_mib, cores))
}

fn report([ours, one, all]: [Vec<f64>; 3], mib: u64, cores: Cores) -> Report {
    let hundred = crate::stats::median(&ours);
    let mut report = Report {
        name: "check",
        ..Report::default()
    };
    let series = |name: &str, values| Series {
        name: name.into(),
        values,
    };
    report.rows.push(Row {
        what: format!("hashing of {mib} MiB in memory, one core"),
        unit: "MB/s",
        goal: Goal::More {
            least: 0.9,
            aim: 1.0,
        },
        ours: ours.clone(),
        peers: vec![series("b3sum, one thread", one)],
    });
    report.rows.push(Row {
        what: "the same, b3sum on all cores with mmap".into(),
        unit: "MB/s",
        goal: Goal::None,
        ours,
        peers: vec![series("b3sum, all threads", all)],
    });
    report.notes.extend(cores.note());
    let took = 100_000.0 / hundred.max(1.0);
    report.notes.push(format!(
        "at that rate 100 GB take {took:.0} s of one core; a disk that reads slower is the limit"
    ));
    report
}

/// Imports a file of noise and answers where it lies in the store.
fn import(
    storage: &StorageHandle,
    tenant: TenantId,
    dir: &Path,
    number: u64,
    bytes: u64,
) -> Result<PathBuf, Failure> {
    let source = dir.join("source");
    let mut random = Random::new(number + 1);
    let noise: Vec<u8> = (0..bytes / 8)
        .flat_map(|_| random.next().to_le_bytes())
        .collect();
    std::fs::write(&source, noise).map_err(Failure::io("writing a file to import"))?;
    let format = StreamFormat {
        channels: Channels::Stereo,
        ..StreamFormat::TELEPHONE
    };
    let request = ImportRequest {
        tenant,
        source,
        // Its own bytes are kept as they come, and its facts beside it.
        container: Container::Mp3,
        format,
        frames: Frames(bytes / 4),
        names: ImportNames::default(),
        line: None,
        from: None,
        to: None,
        started_at: None,
    };
    let row = storage.import(request, &mut |_, _| ());
    let row = row.map_err(Failure::store("importing"))?;
    Ok(storage.path_of(&row))
}

/// Seconds of a thorough check.
fn ours(storage: &StorageHandle) -> Result<f64, Failure> {
    let begun = now();
    let report = check(storage, CheckOptions { hashes: true }, &mut |_, _| ());
    let took = (now() - begun).as_secs_f64();
    let report = report.map_err(Failure::store("checking"))?;
    match report.findings.first() {
        None if report.recordings == FILES => Ok(took),
        finding => Err(Failure::Answer {
            server: "the check".into(),
            what: format!("{} recordings, {finding:?}", report.recordings),
        }),
    }
}

/// Seconds of `b3sum`.
fn theirs(program: &Path, arguments: &[&str], files: &[PathBuf]) -> Result<f64, Failure> {
    let mut command = Command::new(program);
    command.args(arguments).args(files).stdout(Stdio::null());
    let begun = now();
    let status = command.status().map_err(Failure::io("b3sum"))?;
    let took = (now() - begun).as_secs_f64();
    if status.success() {
        Ok(took)
    } else {
        Err(Failure::Program {
            what: "b3sum".into(),
            said: status.to_string(),
        })
    }
}

#[allow(clippy::cast_precision_loss, reason = "figures shown to people")]
const fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
