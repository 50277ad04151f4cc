//! What keeps sound from being lost on a busy machine: a real-time priority for capture threads,
//! and memory that is not swapped out.

use super::finding::Finding;
use super::scene::Scene;
use super::sys;
use crate::config::schema::Config;

/// Locked memory that the daemon needs at least.
const LOCKED_MIN: u64 = 256 * 1024 * 1024;
/// Free memory below which things get tight.
const FREE_MIN_KIB: u64 = 64 * 1024;

const CAP_SYS_NICE: u32 = 23;
const CAP_IPC_LOCK: u32 = 14;

/// Limits of a process, by `/proc/PID/limits` and `/proc/PID/status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Limits {
    rtprio: u64,
    memlock: u64,
    capabilities: u64,
}

#[derive(Clone, Debug)]
struct Facts {
    /// Whose limits: the daemon's, or this command's where none runs.
    whose: String,
    limits: Limits,
    /// Whether a thread got a real-time priority: tried here, or seen with the daemon.
    granted: Option<bool>,
    priority: u8,
    lock_memory: bool,
    available_kib: Option<u64>,
}

pub(super) fn look(scene: &Scene, config: &Config) -> Vec<Finding> {
    let pid = scene
        .daemon
        .map_or("self".to_owned(), |pid| pid.to_string());
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
    let (Ok(limits), Ok(status)) = (read("limits"), read("status")) else {
        return Vec::new();
    };
    let priority = config.realtime.priority;
    let whose = match scene.daemon {
        Some(pid) => format!("the daemon (process {pid})"),
        None => "this user".to_owned(),
    };
    let granted = match scene.daemon {
        Some(pid) => has_realtime_thread(pid),
        None => sys::may_be_realtime(priority),
    };
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    judge(&Facts {
        whose,
        limits: parse(&limits, &status),
        granted,
        priority,
        lock_memory: config.realtime.lock_memory,
        available_kib: value_of(&memory, "MemAvailable:"),
    })
}

fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let has = |capability: u32| facts.limits.capabilities >> capability & 1 == 1;
    let about = facts.whose.as_str();
    let wanted = facts.priority;
    let allowed = facts.limits.rtprio >= u64::from(wanted) || has(CAP_SYS_NICE);
    findings.push(if wanted == 0 {
        Finding::ok(
            "realtime",
            about,
            "no real-time priority is asked for (realtime.priority = 0)",
        )
    } else if facts.granted == Some(true) || (facts.granted.is_none() && allowed) {
        Finding::ok(
            "realtime",
            about,
            format!("may run at real-time priority {wanted}"),
        )
    } else {
        Finding::warning(
            "realtime",
            about,
            format!(
                "gets no real-time priority {wanted} (its limit is {}): sound may be lost while \
                 the machine is busy",
                facts.limits.rtprio
            ),
            "in the unit 'LimitRTPRIO=95' ('systemctl edit callreeld'); elsewhere a line \
             'callreel - rtprio 95' in /etc/security/limits.d/callreel.conf",
        )
    });
    let enough = facts.limits.memlock >= LOCKED_MIN || has(CAP_IPC_LOCK);
    findings.push(if !facts.lock_memory {
        Finding::ok(
            "memory",
            about,
            "is not locked (realtime.lock_memory = false)",
        )
    } else if enough {
        Finding::ok("memory", about, "may be locked against swapping")
    } else {
        Finding::warning(
            "memory",
            about,
            format!(
                "only {} may be locked against swapping: sound may be lost while memory is short",
                crate::cli::output::size(facts.limits.memlock)
            ),
            "in the unit 'LimitMEMLOCK=infinity' ('systemctl edit callreeld')",
        )
    });
    if let Some(kib) = facts.available_kib {
        let free = crate::cli::output::size(kib.saturating_mul(1_024));
        findings.push(if kib < FREE_MIN_KIB {
            let says = format!("only {free} are free");
            Finding::warning(
                "memory",
                "machine",
                says,
                "stop what else runs, or add memory",
            )
        } else {
            Finding::ok("memory", "machine", format!("{free} are free"))
        });
    }
    findings
}

fn parse(limits: &str, status: &str) -> Limits {
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name));
        let soft = line.and_then(|rest| rest.split_whitespace().next());
        match soft {
            Some("unlimited") => u64::MAX,
            Some(number) => number.parse().unwrap_or(0),
            None => 0,
        }
    };
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    Limits {
        rtprio: limit("Max realtime priority"),
        memlock: limit("Max locked memory"),
        capabilities: capabilities.unwrap_or(0),
    }
}

fn value_of(text: &str, key: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Whether one of its threads is under SCHED_FIFO; `None` where it has no capture thread.
fn has_realtime_thread(pid: u32) -> Option<bool> {
    let mut captures = false;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))
        .ok()?
        .flatten()
    {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let Some((before, after)) = stat.rsplit_once(')') else {
            continue;
        };
        // Field 41 of proc(5) is the policy; the state behind the name is field 3.
        if after.split_whitespace().nth(38) == Some("1") {
            return Some(true);
        }
        captures |= before.contains("capture") || before.contains("line");
    }
    captures.then_some(false)
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    const LIMITS: &str = "Limit                     Soft Limit  Hard Limit  Units\n\
                          Max locked memory         8388608     8388608     bytes\n\
                          Max realtime priority     0           0           \n";

    #[test]
    fn limits_and_capabilities_are_read_and_judged() {
        let plain = parse(LIMITS, "Name:\tx\nCapEff:\t0000000000000000\n");
        assert_eq!((plain.rtprio, plain.memlock), (0, 8_388_608));
        let facts = Facts {
            whose: "the daemon".into(),
            limits: plain,
            granted: Some(false),
            priority: 50,
            lock_memory: true,
            available_kib: Some(1_000),
        };
        let found = judge(&facts);
        assert!(
            found.iter().all(|found| found.state == State::Warning),
            "{found:?}"
        );
        assert!(
            found[0]
                .mend
                .as_ref()
                .is_some_and(|mend| mend.contains("LimitRTPRIO=95"))
        );
        let root = Facts {
            limits: parse(LIMITS, "CapEff:\t000001ffffffffff\n"),
            granted: None,
            available_kib: None,
            ..facts
        };
        assert!(judge(&root).iter().all(|found| found.state == State::Ok));
    }
}
