//! Ranges over TLS 1.3, beside nginx with OpenSSL: the same file, certificate (ECDSA P-256), cipher
//! (`TLS_AES_128_GCM_SHA256`) and curve (X25519), connections kept. callreeld checks an API key on
//! each request; nginx checks nothing.

use crate::args::Options;
use crate::certificate::Certificate;
use crate::daemon::Daemon;
use crate::error::Failure;
use crate::machine::{Cores, pinned, warm};
use crate::nginx::Nginx;
use crate::out;
use crate::ranges::{Case, Server, add_rows, measure, same_bytes, scratch};
use crate::report::{Goal, Report};

const CASES: [Case; 2] = [
    Case {
        what: "64 KiB ranges over TLS 1.3",
        range: Some(64 << 10),
        connections: 16,
        requests_goal: Goal::More {
            least: 1.1,
            aim: 1.4,
        },
        cpu_goal: Goal::LessBy {
            least: 1.1,
            aim: 1.4,
        },
    },
    Case {
        what: "1 MiB ranges over TLS 1.3",
        range: Some(1 << 20),
        connections: 16,
        requests_goal: Goal::More {
            least: 1.1,
            aim: 1.4,
        },
        cpu_goal: Goal::LessBy {
            least: 1.1,
            aim: 1.4,
        },
    },
];

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    let certificate = Certificate::make(dir.path())?;
    let daemon = Daemon::start(dir.path(), cores.server, Some(&certificate))?;
    out::progress(&format!("importing a file of {} MiB", options.file_mib));
    let imported = daemon.import(options.file_mib << 20)?;
    warm(&imported.file)?;
    let nginx = Nginx::start(dir.path(), &imported.file, cores.server, Some(&certificate))?;
    let [small, large] = nginx.targets(imported.target.len);
    let servers = [
        Server {
            target: imported.target.clone(),
            cpu: Box::new(|| daemon.cpu()),
        },
        Server {
            target: small,
            cpu: Box::new(|| nginx.cpu()),
        },
        Server {
            target: large,
            cpu: Box::new(|| nginx.cpu()),
        },
    ];
    same_bytes(&servers)?;

    let mut report = Report {
        name: "tls",
        ..Report::default()
    };
    report.notes.extend(cores.note());
    for case in &CASES {
        let runs = pinned(cores.client, || measure(case, &servers, options))?;
        add_rows(&mut report, case, &servers, &runs);
    }
    out::progress_end();
    Ok(report)
}
