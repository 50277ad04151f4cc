//! A sound card made of processes: a private PulseAudio whose null sinks run in real time. What
//! is played into a sink is captured from its monitor, as on a loop of wire.
//!
//! ```text
//!  aplay ──▶ sink lineN ──(real time)──▶ lineN.monitor ──▶ callreeld
//! ```

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::alsa::AlsaConfig;
use crate::process::Guarded;
use crate::wait;

/// A running server with its sinks; it ends with this value.
#[derive(Debug)]
pub struct Pulse {
    socket: PathBuf,
    log: PathBuf,
    lines: usize,
    server: Guarded,
}

impl Pulse {
    /// Starts a server with `lines` mono sinks of 8 kHz, its files in `folder`.
    ///
    /// # Panics
    /// When PulseAudio is not installed or does not come up.
    #[must_use]
    pub fn start(folder: &Path, lines: usize) -> Self {
        let home = folder.join("pulse");
        for name in ["home", "run", "run/pulse", "state"] {
            std::fs::create_dir_all(home.join(name)).expect("a scratch folder");
        }
        let socket = home.join("sock");
        let script = home.join("line.pa");
        std::fs::write(&script, script_for(&socket, lines)).expect("line.pa");
        let settings = home.join("daemon.conf");
        let text = "rlimit-nofile = 8192\nrlimit-rtprio = -1\nenable-memfd = yes\n";
        std::fs::write(&settings, text).expect("daemon.conf");

        let mut command = Command::new("pulseaudio");
        command
            .args([
                "-n",
                "--daemonize=no",
                "--exit-idle-time=-1",
                "--disallow-exit",
            ])
            .args(["--use-pid-file=no", "--high-priority=no", "--realtime=no"])
            .args(["--log-target=stderr", "--log-level=notice", "-F"])
            .arg(&script)
            .env("HOME", home.join("home"))
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .env("PULSE_RUNTIME_PATH", home.join("run/pulse"))
            .env("PULSE_STATE_PATH", home.join("state"))
            .env("PULSE_CONFIG", &settings)
            .env_remove("DBUS_SESSION_BUS_ADDRESS");
        let log = home.join("log");
        let mut server = Guarded::spawn(command, &log);
        wait::until("PulseAudio's socket", || {
            assert!(server.is_running(), "pulseaudio ended: {}", read(&log));
            std::os::unix::net::UnixStream::connect(&socket).ok()
        });
        Self {
            socket,
            log,
            lines,
            server,
        }
    }

    /// ALSA names for the sinks: `playN` to play into, `hearN` to capture from.
    #[must_use]
    pub fn alsa(&self) -> AlsaConfig {
        (0..self.lines).fold(AlsaConfig::default(), |config, line| {
            config
                .pulse(&format!("play{line}"), &self.socket, &format!("line{line}"))
                .pulse(
                    &format!("hear{line}"),
                    &self.socket,
                    &format!("line{line}.monitor"),
                )
        })
    }

    /// Ends the server, as pulling the sound card's plug would.
    pub fn unplug(&mut self) {
        self.server.kill();
    }

    /// What the server printed.
    #[must_use]
    pub fn log(&self) -> String {
        read(&self.log)
    }
}

fn script_for(socket: &Path, lines: usize) -> String {
    let mut script = format!(
        ".fail\nload-module module-native-protocol-unix socket={} auth-anonymous=1\n",
        socket.display()
    );
    for line in 0..lines {
        let _ = writeln!(
            script,
            "load-module module-null-sink sink_name=line{line} rate=8000 channels=1 \
             format=s16le channel_map=mono"
        );
    }
    script
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Plays a WAV file into a PCM until it ends or the value goes. The buffer is long: a busy machine
/// must not put holes into the tone that is measured.
///
/// # Panics
/// When `aplay` cannot be started.
#[must_use]
pub fn play(alsa: &Path, pcm: &str, file: &Path, log: &Path) -> Guarded {
    let mut command = Command::new("aplay");
    command
        .args([
            "--quiet",
            "-D",
            pcm,
            "--period-time=50000",
            "--buffer-time=600000",
        ])
        .arg(file)
        .env("ALSA_CONFIG_PATH", alsa);
    Guarded::spawn(command, log)
}
