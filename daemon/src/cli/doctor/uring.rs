//! io_uring: the way recordings are written where the kernel allows it.

use super::finding::Finding;
use super::scene::Scene;
use crate::cli::exit::Exit;
use crate::config::schema::StorageIo;

#[derive(Clone, Copy, Debug)]
struct Facts {
    /// The error number of a ring's making; none where it worked.
    refused: Option<i32>,
    /// `kernel.io_uring_disabled`.
    disabled: Option<u8>,
    /// Whether this process has a seccomp filter.
    filtered: bool,
    wanted: StorageIo,
}

pub(super) fn look(scene: &Scene) -> Vec<Finding> {
    let made = io_uring::IoUring::new(4);
    let sysctl = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let facts = Facts {
        refused: made.err().map(|error| error.raw_os_error().unwrap_or(0)),
        disabled: sysctl.ok().and_then(|text| text.trim().parse().ok()),
        filtered: status.lines().any(|line| line.trim_end() == "Seccomp:\t2"),
        wanted: scene
            .config
            .as_ref()
            .map(|config| config.storage.io)
            .unwrap_or_default(),
    };
    vec![judge(facts)]
}

fn judge(facts: Facts) -> Finding {
    let Some(errno) = facts.refused else {
        return Finding::ok("io_uring", "kernel", "is allowed");
    };
    let why = nix::errno::Errno::from_raw(errno).desc();
    let mend = match (errno, facts.disabled) {
        (_, Some(1 | 2)) => {
            "'sysctl kernel.io_uring_disabled=0', and the same line in \
             /etc/sysctl.d/60-callreel.conf"
        }
        (libc::ENOSYS, _) => "use a kernel of at least 5.10 with CONFIG_IO_URING",
        (libc::EPERM | libc::EACCES, _) if facts.filtered => {
            "let the container's seccomp profile allow io_uring_setup, io_uring_enter and \
             io_uring_register"
        }
        (libc::ENOMEM, _) => "raise the limit of locked memory ('ulimit -l', LimitMEMLOCK=)",
        _ => "see 'dmesg'; storage.io = \"blocking\" does without it",
    };
    match facts.wanted {
        StorageIo::Uring => {
            let says = format!("is refused ({why}), and storage.io = \"uring\" insists on it");
            Finding::problem(Exit::Failed, "io_uring", "kernel", says, mend)
        }
        StorageIo::Auto => {
            let says = format!("is refused ({why}): recordings are written by pwrite instead");
            Finding::warning("io_uring", "kernel", says, mend)
        }
        StorageIo::Blocking => Finding::ok("io_uring", "kernel", "is refused, and not asked for"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_refused_ring_says_who_refuses() {
        let facts = Facts {
            refused: Some(libc::EPERM),
            disabled: Some(2),
            filtered: true,
            wanted: StorageIo::Auto,
        };
        let found = judge(facts);
        assert_eq!(found.state, State::Warning);
        assert!(
            found
                .mend
                .is_some_and(|mend| mend.contains("io_uring_disabled=0"))
        );
        let disabled = None;
        let found = judge(Facts { disabled, ..facts });
        assert!(found.mend.is_some_and(|mend| mend.contains("seccomp")));
        let wanted = StorageIo::Uring;
        assert_eq!(judge(Facts { wanted, ..facts }).exit, Exit::Failed);
        let refused = None;
        assert_eq!(judge(Facts { refused, ..facts }).state, State::Ok);
    }
}
