//! A telephone line in both directions, and the caller at its other end: what the caller says is
//! captured by the daemon, what the daemon plays is heard by the caller. Each direction is a sink
//! of a private PulseAudio; the caller is `aplay` and `arecord`.
//!
//! ```text
//!  Caller::say ──aplay──▶ sink 2n   ──▶ monitor ──▶ capture  ┐
//!                                                            ├ callreeld, line n
//!  Caller's Ear ◀─arecord── monitor ◀── sink 2n+1 ◀─ playback ┘
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::alsa::AlsaConfig;
use crate::process::Guarded;
use crate::pulse::{self, Pulse};
use crate::{sound, wait, wav};

/// Frames a second on a line.
pub const RATE: u32 = 8_000;

/// Lines of which each end can be held. They end with this value.
#[derive(Debug)]
pub struct Duplex {
    folder: PathBuf,
    lines: usize,
    pulse: Pulse,
}

impl Duplex {
    /// Starts so many lines, their files in `folder`.
    ///
    /// # Panics
    /// When PulseAudio is not installed or does not come up.
    #[must_use]
    pub fn start(folder: &Path, lines: usize) -> Self {
        Self {
            folder: folder.to_path_buf(),
            lines,
            pulse: Pulse::start(folder, lines * 2),
        }
    }

    /// The ALSA names of both ends.
    #[must_use]
    pub fn alsa(&self) -> AlsaConfig {
        self.pulse.alsa()
    }

    /// `capture` and `playback` of a line's table in the configuration.
    #[must_use]
    pub fn devices(line: usize) -> String {
        format!(
            "capture = \"hear{}\"\nplayback = \"play{}\"\n",
            line * 2,
            line * 2 + 1
        )
    }

    /// The caller on a line; `alsa` is the configuration as it was written.
    #[must_use]
    pub fn caller(&self, line: usize, alsa: &Path) -> Caller {
        Caller {
            alsa: alsa.to_path_buf(),
            folder: self.folder.clone(),
            line,
            files: AtomicU32::new(0),
        }
    }

    /// Pulls the plug: every device of it is gone.
    pub fn unplug(&mut self) {
        self.pulse.unplug();
    }

    /// Puts it back.
    ///
    /// # Panics
    /// When PulseAudio does not come up.
    pub fn plug(&mut self) {
        self.pulse = Pulse::start(&self.folder, self.lines * 2);
    }

    /// What the server printed.
    #[must_use]
    pub fn log(&self) -> String {
        self.pulse.log()
    }
}

/// Who is at the other end of a line.
#[derive(Debug)]
pub struct Caller {
    alsa: PathBuf,
    folder: PathBuf,
    line: usize,
    files: AtomicU32,
}

impl Caller {
    /// Begins to say something; it goes on until it is over or the value goes.
    ///
    /// # Panics
    /// When `aplay` cannot be started.
    #[must_use]
    pub fn say(&self, samples: &[i16]) -> Guarded {
        let path = self.file("said", "wav");
        std::fs::write(&path, wav::write(samples, 1, RATE)).expect("what is to be said");
        self.say_file(&path)
    }

    /// Begins to say what is in a WAV file.
    ///
    /// # Panics
    /// When `aplay` cannot be started.
    #[must_use]
    pub fn say_file(&self, path: &Path) -> Guarded {
        let pcm = format!("play{}", self.line * 2);
        pulse::play(&self.alsa, &pcm, path, &self.folder.join("aplay.log"))
    }

    /// Says something to its end.
    ///
    /// # Panics
    /// When `aplay` fails.
    pub fn say_all(&self, samples: &[i16]) {
        let mut player = self.say(samples);
        let code = wait::until("the end of what is said", || player.ended());
        let log = std::fs::read_to_string(self.folder.join("aplay.log"));
        assert_eq!(code, 0, "aplay: {log:?}");
    }

    /// Listens from now on, without a pause, until the value goes. A sound server that is busy
    /// may turn a listener away: then another one is sent.
    ///
    /// # Panics
    /// When nothing comes from the line.
    #[must_use]
    pub fn listen(&self) -> Ear {
        let heard = (0..LISTENERS).find_map(|_| {
            let mut ear = self.ear();
            wait::until("something to hear", || match ear.recorder.is_running() {
                true => (ear.frames() >= RATE as usize / 10).then_some(true),
                false => Some(false),
            })
            .then_some(ear)
        });
        let log = std::fs::read_to_string(self.folder.join("arecord.log"));
        heard.unwrap_or_else(|| panic!("arecord: {log:?}"))
    }

    fn ear(&self) -> Ear {
        let path = self.file("heard", "raw");
        let mut command = Command::new("arecord");
        command
            .args(["--quiet", "-D", &format!("hear{}", self.line * 2 + 1)])
            .args(["-t", "raw", "-f", "S16_LE", "-c", "1", "-r", "8000"])
            .args(["--period-time=50000", "--buffer-time=600000"])
            .arg(&path)
            .env("ALSA_CONFIG_PATH", &self.alsa);
        let recorder = Guarded::spawn(command, &self.folder.join("arecord.log"));
        Ear { path, recorder }
    }

    fn file(&self, name: &str, extension: &str) -> PathBuf {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let line = self.line;
        self.folder
            .join(format!("{name}{line}-{number}.{extension}"))
    }
}

/// Listeners that are sent before it is given up.
const LISTENERS: usize = 5;

/// Everything that a caller has heard since listening began.
#[derive(Debug)]
pub struct Ear {
    path: PathBuf,
    recorder: Guarded,
}

impl Ear {
    /// How many frames were heard.
    #[must_use]
    pub fn frames(&self) -> usize {
        std::fs::metadata(&self.path).map_or(0, |found| {
            usize::try_from(found.len()).unwrap_or_default() / 2
        })
    }

    /// What was heard so far.
    #[must_use]
    pub fn heard(&self) -> Vec<i16> {
        sound::from_bytes(&std::fs::read(&self.path).unwrap_or_default())
    }

    /// Waits until so many frames more were heard, whatever they hold.
    ///
    /// # Panics
    /// When listening has ended.
    pub fn wait_for(&mut self, frames: usize) {
        let wanted = self.frames() + frames;
        wait::until("more to hear", || {
            assert!(self.recorder.is_running(), "arecord has ended");
            (self.frames() >= wanted).then_some(())
        });
    }

    /// Waits until so much of a sound was heard after `from`, and gives where it began.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_for_sound(&mut self, from: usize, frames: usize) -> usize {
        wait::until("a sound from the line", || {
            assert!(self.recorder.is_running(), "arecord has ended");
            let heard = self.heard();
            let begun = heard
                .iter()
                .skip(from)
                .position(|sample| sample.abs() > 300)?
                + from;
            (heard.len() >= begun + frames).then_some(begun)
        })
    }

    /// Waits until the last `frames` frames are quiet.
    ///
    /// # Panics
    /// When they never are.
    pub fn wait_for_quiet(&mut self, frames: usize) {
        let from = self.frames();
        wait::until("quiet on the line", || {
            assert!(self.recorder.is_running(), "arecord has ended");
            let heard = self.heard();
            let last = heard.get(from.max(heard.len().checked_sub(frames)?)..)?;
            (last.len() >= frames && last.iter().all(|sample| sample.abs() <= 100)).then_some(())
        });
    }
}
