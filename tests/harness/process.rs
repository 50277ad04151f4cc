//! Child processes: where the product's binaries are, and children that die with the suite.

#![allow(
    unsafe_code,
    reason = "a child asks the kernel to die with its parent, and takes sockets along"
)]

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The folder with `callreeld` and `callreel`, both built from the sources as they are now.
///
/// `CALLREEL_BIN_DIR` names another one, for a suite that tests an installed product.
///
/// # Panics
/// When they cannot be built.
pub fn binaries() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        if let Some(dir) = std::env::var_os("CALLREEL_BIN_DIR") {
            return PathBuf::from(dir);
        }
        let test = std::env::current_exe().expect("the path of this test binary");
        let dir = test
            .parent()
            .and_then(Path::parent)
            .expect("target/<profile>/deps/suite-…");
        build(dir);
        dir.to_path_buf()
    })
}

/// `cargo test` does not build the binaries of other packages; a stale daemon would be tested.
fn build(profile_dir: &Path) {
    let Some(cargo) = std::env::var_os("CARGO") else {
        assert!(
            profile_dir.join("callreeld").exists(),
            "run 'cargo build --workspace' first"
        );
        return;
    };
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--workspace", "--bins"])
        .arg("--manifest-path")
        .arg(repository().join("Cargo.toml"));
    // What cargo tells this test about its own package would look like a change to build scripts.
    let own = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "LD_LIBRARY_PATH",
    ];
    for (name, _) in std::env::vars_os() {
        if own
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    if profile_dir.ends_with("release") {
        command.arg("--release");
    }
    if let Some(target) = profile_dir.parent() {
        command.arg("--target-dir").arg(target);
    }
    let output = command.output().expect("cargo runs");
    assert!(
        output.status.success(),
        "the binaries do not build:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The repository's root.
#[must_use]
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .map_or_else(|| tests.to_path_buf(), Path::to_path_buf)
}

/// Lets a command inherit sockets as the service manager passes them: descriptors 3 and up, with
/// their names. `LISTEN_PID` is for a shell between to set, which alone knows its number in time.
pub fn pass(command: &mut Command, sockets: &[(String, OwnedFd)]) {
    let names: Vec<&str> = sockets.iter().map(|(name, _)| name.as_str()).collect();
    command
        .env("LISTEN_FDS", sockets.len().to_string())
        .env("LISTEN_FDNAMES", names.join(":"));
    let numbers: Vec<i32> = sockets
        .iter()
        .map(|(_, socket)| socket.as_raw_fd())
        .collect();
    // SAFETY: between fork and exec only fcntl(2), dup2(2) and close(2) are called, which are
    // async-signal-safe, on memory that was allocated before.
    unsafe {
        command.pre_exec(move || {
            // Out of the way first, so that no socket is put where another one still lies.
            let mut high = [-1; 8];
            for (high, number) in high.iter_mut().zip(&numbers) {
                *high = nix::libc::fcntl(*number, nix::libc::F_DUPFD_CLOEXEC, 200);
                if *high < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            for (to, from) in (3..).zip(high.iter().take(numbers.len())) {
                if nix::libc::dup2(*from, to) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
}

/// A child that is killed when it goes out of scope, or when the suite dies.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
    name: String,
}

impl Guarded {
    /// Starts `command` with its output going to `log`.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn spawn(mut command: Command, log: &Path) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .expect("a log file in the scratch folder");
        let copy = file.try_clone().expect("a second descriptor of the log");
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        // SAFETY: between fork and exec only prctl(2), which is async-signal-safe, is called.
        unsafe {
            command.pre_exec(|| Ok(prctl::set_pdeathsig(Signal::SIGKILL)?));
        }
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { child, name }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The exit code, once it has ended; 128 + n after signal n.
    pub fn ended(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        let status = self.child.try_wait().ok().flatten()?;
        status
            .code()
            .or_else(|| status.signal().map(|signal| 128 + signal))
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, signal).unwrap_or_else(|error| panic!("{signal} to {}: {error}", self.name));
    }

    /// Kills it at once, as a power cut of the process would, and waits for its end. What it
    /// started goes with it: a tracer's or a wrapper's death would leave the daemon running.
    pub fn kill(&mut self) {
        for child in descendants(self.child.id()) {
            // An error means that it has ended already, which is what is wanted.
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
        // An error means that it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processes that a process started, and those that these started.
fn descendants(id: u32) -> Vec<i32> {
    let mut found = Vec::new();
    let mut unseen = vec![id.to_string()];
    while let Some(parent) = unseen.pop() {
        let tasks = std::fs::read_dir(format!("/proc/{parent}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in text.split_whitespace() {
                found.extend(child.parse::<i32>());
                unseen.push(child.to_owned());
            }
        }
    }
    found
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a program is installed.
#[must_use]
pub fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}

/// Runs a tool to its end.
///
/// # Panics
/// When it is not installed or fails; the message holds what it printed.
pub fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} (is it installed? see 'make setup'): {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
