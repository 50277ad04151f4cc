//! The paths of what keeps recordings, of the clock, and of the audit trail.

use hyper::Method;

use super::{Route, number};
use crate::control::answer::Refusal;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum Kept {
    Change,
    Holds,
    Retention,
    Plan,
    Run,
    Shrink,
    AcceptShrink,
    Resume,
    Clock,
    ClockPreview,
    ConfirmClock,
    Audit,
    AuditEntry(u64),
    AuditKey,
    Checkpoint,
}

/// What there is below these paths.
pub(super) fn of_kept(parts: &[&str]) -> Result<Vec<(Method, Route)>, Refusal> {
    let choices = match parts {
        ["keeping"] => vec![(Method::POST, Kept::Change)],
        ["holds"] => vec![(Method::GET, Kept::Holds)],
        ["retention"] => vec![(Method::GET, Kept::Retention)],
        ["retention", "plan"] => vec![(Method::GET, Kept::Plan)],
        ["retention", "run"] => vec![(Method::POST, Kept::Run)],
        ["retention", "shrink"] => vec![
            (Method::GET, Kept::Shrink),
            (Method::POST, Kept::AcceptShrink),
        ],
        ["retention", "resume"] => vec![(Method::POST, Kept::Resume)],
        ["clock"] => vec![(Method::GET, Kept::Clock)],
        ["clock", "confirm"] => vec![
            (Method::GET, Kept::ClockPreview),
            (Method::POST, Kept::ConfirmClock),
        ],
        ["audit"] => vec![(Method::GET, Kept::Audit)],
        ["audit", "key"] => vec![(Method::GET, Kept::AuditKey)],
        ["audit", "checkpoint"] => vec![(Method::POST, Kept::Checkpoint)],
        ["audit", seq] => vec![(
            Method::GET,
            Kept::AuditEntry(number(seq, "an entry's number")?),
        )],
        _ => Vec::new(),
    };
    let choices = choices.into_iter();
    Ok(choices
        .map(|(method, kept)| (method, Route::Kept(kept)))
        .collect())
}
