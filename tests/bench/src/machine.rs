//! The machine: cores, processes' CPU time, waiting, the page cache.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use audio_io::clock::{Clock, SystemClock};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::error::Failure;

/// The core for servers and the core for clients: the first two this process may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) client: usize,
}

impl Cores {
    pub(crate) fn choose() -> Result<Self, Failure> {
        let all = sched_getaffinity(Pid::from_raw(0)).map_err(Failure::errno("own cores"))?;
        let mut mine = (0..CpuSet::count()).filter(|&core| all.is_set(core).unwrap_or(false));
        let server = mine.next().unwrap_or(0);
        Ok(Self {
            server,
            client: mine.next().unwrap_or(server),
        })
    }

    /// Says so where both have to share one.
    pub(crate) fn note(self) -> Option<String> {
        (self.server == self.client)
            .then(|| "one core only: server and client share it, figures are not comparable".into())
    }
}

/// Runs `f` with this thread on one core; threads and processes started meanwhile stay there.
pub(crate) fn pinned<T>(core: usize, f: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let me = Pid::from_raw(0);
    let before = sched_getaffinity(me).map_err(Failure::errno("own cores"))?;
    let mut one = CpuSet::new();
    one.set(core).map_err(Failure::errno("core number"))?;
    sched_setaffinity(me, &one).map_err(Failure::errno("pinning to a core"))?;
    let result = f();
    sched_setaffinity(me, &before).map_err(Failure::errno("unpinning"))?;
    result
}

/// Monotonic time.
pub(crate) fn now() -> Duration {
    SystemClock.monotonic()
}

/// Waits until the monotonic clock shows `when`.
pub(crate) fn wait_until(when: Duration) {
    let left = when.saturating_sub(now());
    if !left.is_zero() {
        #[allow(
            clippy::disallowed_methods,
            reason = "a benchmark keeps real time by itself"
        )]
        std::thread::sleep(left);
    }
}

/// CPU time that a process, all its threads included, has used; zero when it is gone.
pub(crate) fn cpu_of(pid: u32) -> Duration {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap_or(-1));
    nix::time::clock_getcpuclockid(pid)
        .and_then(nix::time::clock_gettime)
        .map_or(Duration::ZERO, Duration::from)
}

/// A process's children.
pub(crate) fn children_of(parent: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in parentheses, may hold anything; the state and the parent follow it.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// CPU time of the whole machine that was not idle, the kernel's own threads included.
pub(crate) fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let Some(line) = stat.lines().next() else {
        return Duration::ZERO;
    };
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|n| n.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; guest time is within user time.
    let used = ticks.iter().take(7).sum::<u64>() - ticks.iter().skip(3).take(2).sum::<u64>();
    // USER_HZ is 100 on every Linux.
    Duration::from_millis(used * 10)
}

/// Reads a file through, so that all of it is in the page cache.
pub(crate) fn warm(path: &Path) -> Result<(), Failure> {
    let what = || format!("reading {}", path.display());
    let mut file = File::open(path).map_err(Failure::io(what()))?;
    let mut buffer = vec![0; 1 << 20];
    while file.read(&mut buffer).map_err(Failure::io(what()))? > 0 {}
    Ok(())
}

/// A child that is ended when dropped: asked, and waited for.
pub(crate) struct Running {
    child: Child,
    pub(crate) what: &'static str,
}

impl Running {
    /// Starts a program on a core.
    pub(crate) fn start(
        what: &'static str,
        command: &mut Command,
        core: usize,
    ) -> Result<Self, Failure> {
        let child = pinned(core, || {
            command
                .spawn()
                .map_err(Failure::io(format!("{what}: start")))
        })?;
        Ok(Self { child, what })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails when the program has ended.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        match self.child.try_wait().map_err(Failure::io(self.what))? {
            None => Ok(()),
            Some(status) => {
                let said = format!("it ended by itself with {status}");
                Err(Failure::Program {
                    what: self.what.into(),
                    said,
                })
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = nix::sys::signal::kill(Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

/// Raises the limit of open files to what is allowed.
pub(crate) fn raise_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// What a reader of the figures wants to know of this machine.
pub(crate) fn description() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| -> String {
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        line.split_once(':')
            .map_or("", |(_, value)| value)
            .trim()
            .to_owned()
    };
    json!({
        "cpu": field(&read("/proc/cpuinfo"), "model name"),
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "memory": field(&read("/proc/meminfo"), "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
    })
}
