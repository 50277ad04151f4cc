//! `doctor`: looks at everything a recorder needs, says what is wrong and how to mend it. Changes
//! nothing, and opens no sound card that a running daemon may have.
//!
//! ```text
//!  Scene (configuration, the daemon, its user) ──▶ one file an area: facts ──▶ judge ──▶ Finding
//! ```
//! Facts are gathered by one function and judged by another, which knows nothing of this machine.

mod certificate;
mod clock;
mod disk;
mod finding;
mod index;
mod permissions;
mod ports;
mod realtime;
mod scene;
mod service;
mod sound;
mod sys;
mod telephony;
mod uring;

use serde::Serialize;

use self::finding::{Finding, State, describe, worst};
use self::scene::Scene;
use super::args::{Common, DoctorArgs};
use super::client::Client;
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;

/// The report, as `--json` prints it.
#[derive(Serialize)]
struct Report<'a> {
    healthy: bool,
    problems: usize,
    warnings: usize,
    /// The word of the exit code.
    code: &'static str,
    findings: &'a [Finding],
}

pub(super) async fn run(common: &Common, wish: &DoctorArgs) -> Result<(), CliError> {
    let (scene, configuration) = Scene::set(common, wish);
    let mut findings = vec![configuration];
    findings.extend(clock::look(&scene));
    findings.extend(uring::look(&scene));
    findings.extend(service::look());
    if let Some(config) = &scene.config {
        let socket = common.socket.clone();
        let client = Client::new(socket.unwrap_or_else(|| config.control.socket.clone()));
        findings.extend(realtime::look(&scene, config));
        findings.extend(disk::look(&scene, config));
        findings.extend(permissions::look(&scene, config));
        findings.extend(index::look(&scene, config));
        findings.extend(certificate::look(&scene, config));
        findings.extend(ports::look(&scene, config));
        let lines = scene::lines(&client).await;
        findings.extend(sound::look(&scene, config, lines.as_deref()));
        findings.extend(telephony::look(config));
    }
    let exit = worst(&findings);
    let count = |state| findings.iter().filter(|found| found.state == state).count();
    let report = Report {
        healthy: exit == Exit::Ok,
        problems: count(State::Problem),
        warnings: count(State::Warning),
        code: exit.word(),
        findings: &findings,
    };
    Output::new(common.json).show(&report, |report| describe(report.findings))?;
    match exit {
        Exit::Ok => Ok(()),
        exit => Err(CliError::Unhealthy(exit)),
    }
}
