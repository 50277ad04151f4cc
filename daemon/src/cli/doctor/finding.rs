//! What the doctor found: a finding is fine, to be watched, or to be mended, and says how.

use serde::Serialize;

use crate::cli::exit::Exit;

/// How a finding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Nothing to do.
    Ok,
    /// Works, but not as well as it could, or not for long.
    Warning,
    /// Does not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The part: `clock`, `disk`, …
    pub(super) area: &'static str,
    /// Which thing of it.
    pub(super) about: String,
    /// How it stands.
    pub(super) state: State,
    /// What it means.
    pub(super) says: String,
    /// How to mend it: a command, or what to do.
    pub(super) mend: Option<String>,
    /// The word of a problem's exit code.
    pub(super) code: Option<&'static str>,
    #[serde(skip)]
    pub(super) exit: Exit,
}

impl Finding {
    /// It is fine.
    pub(super) fn ok(
        area: &'static str,
        about: impl Into<String>,
        says: impl Into<String>,
    ) -> Self {
        Self {
            area,
            about: about.into(),
            state: State::Ok,
            says: says.into(),
            mend: None,
            code: None,
            exit: Exit::Ok,
        }
    }

    /// It could be better.
    pub(super) fn warning(
        area: &'static str,
        about: impl Into<String>,
        says: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Warning,
            mend: Some(mend.into()),
            ..Self::ok(area, about, says)
        }
    }

    /// It does not work; a program that needs it ends with this code.
    pub(super) fn problem(
        exit: Exit,
        area: &'static str,
        about: impl Into<String>,
        says: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Problem,
            mend: Some(mend.into()),
            code: Some(exit.word()),
            exit,
            ..Self::ok(area, about, says)
        }
    }
}

/// From the worst on: without what stands before, what stands behind cannot work anyway.
const PRECEDENCE: [Exit; 8] = [
    Exit::Usage,
    Exit::Disk,
    Exit::Foreign,
    Exit::Denied,
    Exit::Certificate,
    Exit::Address,
    Exit::Device,
    Exit::Failed,
];

/// The exit code of the worst problem.
pub(super) fn worst(findings: &[Finding]) -> Exit {
    let any = |exit: &Exit| findings.iter().any(|finding| finding.exit == *exit);
    PRECEDENCE.into_iter().find(any).unwrap_or(Exit::Ok)
}

/// The report as text, parts in the order they were looked at.
pub(super) fn describe(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.state {
            State::Ok => "ok      ",
            State::Warning => "warning ",
            State::Problem => "PROBLEM ",
        };
        let line = format!(
            "{mark} {}: {}: {}",
            finding.area, finding.about, finding.says
        );
        text.push_str(&crate::cli::output::printable(&line));
        text.push('\n');
        if let Some(mend) = &finding.mend {
            let mend = crate::cli::output::printable(mend);
            text.push_str(&format!("         to mend it: {mend}\n"));
        }
    }
    let count = |state| findings.iter().filter(|found| found.state == state).count();
    text.push_str(&format!(
        "{} problems, {} warnings, {} things are fine\n",
        count(State::Problem),
        count(State::Warning),
        count(State::Ok)
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_problem_gives_the_exit_code() {
        let device = Finding::problem(Exit::Device, "sound", "hw:1", "is gone", "plug it in");
        let disk = Finding::problem(Exit::Disk, "disk", "/x", "is full", "make room");
        let warning = Finding::warning("clock", "NTP", "is off", "timedatectl set-ntp true");
        assert_eq!(worst(std::slice::from_ref(&warning)), Exit::Ok);
        assert_eq!(worst(&[warning.clone(), device.clone()]), Exit::Device);
        assert_eq!(worst(&[device.clone(), disk.clone()]), Exit::Disk);
        let text = describe(&[warning, device, disk]);
        assert!(text.contains("to mend it: plug it in"), "{text}");
        assert!(
            text.ends_with("2 problems, 1 warnings, 0 things are fine\n"),
            "{text}"
        );
    }

    #[test]
    fn every_code_a_finding_may_have_has_its_place() {
        let never = [Exit::Ok, Exit::NotRunning, Exit::NotFound, Exit::Conflict];
        for (exit, _) in Exit::ALL {
            assert_ne!(
                PRECEDENCE.contains(&exit),
                never.contains(&exit),
                "{exit:?}"
            );
        }
    }
}
