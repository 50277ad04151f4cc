//! The service, where systemd runs: loaded, enabled, active, and how it ended.

use std::path::Path;
use std::process::{Command, Stdio};

use super::finding::Finding;
use crate::cli::exit::Exit;

const UNIT: &str = "callreeld.service";

pub(super) fn look() -> Vec<Finding> {
    if !Path::new("/run/systemd/system").is_dir() {
        return Vec::new();
    }
    let properties = "LoadState,ActiveState,SubState,Result,NRestarts,UnitFileState,ExecMainStatus";
    let asked = Command::new("systemctl")
        .args(["show", UNIT, "--property", properties])
        .stdin(Stdio::null())
        .output();
    match asked {
        Ok(output) if output.status.success() => judge(&String::from_utf8_lossy(&output.stdout)),
        _ => vec![Finding::warning(
            "service",
            UNIT,
            "systemd does not answer",
            "'systemctl status callreeld' tells more",
        )],
    }
}

fn judge(shown: &str) -> Vec<Finding> {
    let value = |name: &str| {
        let mut pairs = shown.lines().filter_map(|line| line.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map_or("", |(_, value)| value)
    };
    if value("LoadState") == "not-found" {
        return vec![Finding::ok(
            "service",
            UNIT,
            "is not installed; this is no appliance",
        )];
    }
    let mut findings = Vec::new();
    let (active, result) = (value("ActiveState"), value("Result"));
    findings.push(match active {
        "active" | "reloading" => Finding::ok("service", UNIT, "is running"),
        "activating" => Finding::ok("service", UNIT, "is starting"),
        "failed" => Finding::problem(
            Exit::Failed,
            "service",
            UNIT,
            format!(
                "has failed ({result}, exit code {})",
                value("ExecMainStatus")
            ),
            "'journalctl -u callreeld -n 50' says why; then 'systemctl reset-failed callreeld; \
             systemctl start callreeld'",
        ),
        _ => Finding::warning(
            "service",
            UNIT,
            "is stopped: nothing is recorded",
            "'systemctl start callreeld'",
        ),
    });
    if matches!(value("UnitFileState"), "disabled" | "masked") {
        findings.push(Finding::warning(
            "service",
            UNIT,
            format!(
                "is {}: it does not start with the machine",
                value("UnitFileState")
            ),
            "'systemctl unmask callreeld; systemctl enable callreeld'",
        ));
    }
    let restarts: u64 = value("NRestarts").parse().unwrap_or(0);
    if restarts > 0 {
        findings.push(Finding::warning(
            "service",
            UNIT,
            format!("was restarted {restarts} times after it ended badly"),
            "'journalctl -u callreeld -p warning' says why",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::{State, worst};
    use super::*;

    #[test]
    fn a_failed_service_is_a_problem_and_a_stopped_one_a_warning() {
        let fine = "LoadState=loaded\nActiveState=active\nResult=success\nNRestarts=0\n\
                    UnitFileState=enabled\nExecMainStatus=0\n";
        assert!(judge(fine).iter().all(|found| found.state == State::Ok));
        let failed = judge(&fine.replace("=active", "=failed").replace("us=0", "us=13"));
        assert_eq!(worst(&failed), Exit::Failed);
        assert!(failed[0].says.contains("13"), "{failed:?}");
        let odd = fine
            .replace("=active", "=inactive")
            .replace("=enabled", "=masked");
        let odd = judge(&odd.replace("NRestarts=0", "NRestarts=3"));
        assert_eq!((odd.len(), worst(&odd)), (3, Exit::Ok));
        assert!(odd.iter().all(|found| found.state == State::Warning));
        assert_eq!(judge("LoadState=not-found\n")[0].state, State::Ok);
    }
}
