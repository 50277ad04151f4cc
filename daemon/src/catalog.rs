//! The events that an administrator may want to be woken for, each with the number under which the
//! journal's catalogue (systemd/catalog/callreel.catalog) explains it:
//!
//! ```text
//! journalctl MESSAGE_ID=be0f779cc6834483ae5051947ba9db24     every lost device
//! journalctl -x -u callreeld                                 with explanations
//! ```
//!
//! A number never changes its meaning, and is never used again.

/// A line has no device: its card was pulled, or cannot be opened.
pub const DEVICE_LOST: &str = "be0f779cc6834483ae5051947ba9db24";

/// A line has its device again.
pub const DEVICE_BACK: &str = "2fcd18e9b323446eba4670ff0c60c675";

/// The disk takes nothing: it is full, or broken.
pub const DISK_REFUSES: &str = "69cb34e99e814cb4a86572c11a4a0888";

/// A recording could not be written.
pub const RECORDING_FAILED: &str = "34685e585d6640568fd1794f80a1cda3";

/// No progress is made; the service manager is about to restart the daemon.
pub const STARVING: &str = "5a84f676125d4064bbd45df39bd5411e";

/// The TLS certificate has expired, or soon will.
pub const CERTIFICATE_EXPIRING: &str = "2b06237ce255418b9e85044972f226d1";

/// Certificate and administrator's key were made.
pub const FIRST_START: &str = "a611842beee540b396763187aefd0739";

/// The daemon could not start; starting again does not help.
pub const START_REFUSED: &str = "b08ac9768d7247b4b450de484602de63";

/// The wall clock was set to another time.
pub const CLOCK_STEPPED: &str = "943bcf760e0a45c1b53b675761897b27";

/// The disk's level changed, or nothing more may be deleted although space is short.
pub const DISK_LEVEL: &str = "fc71623790d5460c81d24946ddd082d3";

/// Recording has stopped because the disk takes nothing, or goes on.
pub const RECORDING_STOPPED: &str = "a1f8727397ab4a928aaa0a8b6262743a";

/// Deletions wait because the clock is not trusted, or it is trusted again.
pub const CLOCK_DISTRUSTED: &str = "5d7acf4482df4107a72c47b70befe47c";

/// Policies or deletions are refused, or are so no longer.
pub const RETENTION_REFUSED: &str = "5cddb2777e564fc89e7d6f8e8b487bac";

/// The ledger is not what the index knows of it.
pub const LEDGER_BROKEN: &str = "b71a545de49f4e959f9a723eb2b536ac";

/// Checkpoints of the ledger cannot be written or sent, or can again.
pub const CHECKPOINTS_FAIL: &str = "842b88a3389d4b5ab098f1121f7f41da";

/// A checkpoint of the ledger was signed.
pub const CHECKPOINT: &str = "ebef8efade514d61969593e886e6dba4";

/// All of them with their names.
pub const ALL: [(&str, &str); 16] = [
    ("DEVICE_LOST", DEVICE_LOST),
    ("DEVICE_BACK", DEVICE_BACK),
    ("DISK_REFUSES", DISK_REFUSES),
    ("RECORDING_FAILED", RECORDING_FAILED),
    ("STARVING", STARVING),
    ("CERTIFICATE_EXPIRING", CERTIFICATE_EXPIRING),
    ("FIRST_START", FIRST_START),
    ("START_REFUSED", START_REFUSED),
    ("CLOCK_STEPPED", CLOCK_STEPPED),
    ("DISK_LEVEL", DISK_LEVEL),
    ("RECORDING_STOPPED", RECORDING_STOPPED),
    ("CLOCK_DISTRUSTED", CLOCK_DISTRUSTED),
    ("RETENTION_REFUSED", RETENTION_REFUSED),
    ("LEDGER_BROKEN", LEDGER_BROKEN),
    ("CHECKPOINTS_FAIL", CHECKPOINTS_FAIL),
    ("CHECKPOINT", CHECKPOINT),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_event_is_explained_in_the_journals_catalogue_and_nothing_else_is() {
        let text = include_str!("../../systemd/catalog/callreel.catalog");
        let explained: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("-- "))
            .collect();
        let known: BTreeSet<&str> = ALL.iter().map(|(_, id)| *id).collect();
        assert_eq!(known.len(), ALL.len(), "each has a number of its own");
        assert_eq!(explained, known);
    }
}
