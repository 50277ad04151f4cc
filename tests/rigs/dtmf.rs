//! What the tests and the benchmarks of the DTMF detector share: the prompts and the music of
//! Debian's packages, read where they were installed and never copied; and the peers, spandsp and
//! `multimon-ng`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// All recorded prompts of `asterisk-core-sounds-en-wav`, one after the other: about 25 minutes of
/// speech, 16 bits at 8 kHz.
pub(crate) fn prompts() -> io::Result<Vec<i16>> {
    all_wav_in(Path::new("/usr/share/asterisk/sounds/en_US_f_Allison"))
}

/// The music of `asterisk-moh-opsound-wav`: about 18 minutes, 16 bits at 8 kHz.
pub(crate) fn music() -> io::Result<Vec<i16>> {
    all_wav_in(Path::new("/usr/share/asterisk/moh"))
}

/// So many seconds made of the same sound again and again, each time at another speed (and so
/// pitch) and level.
pub(crate) fn lasting(sound: &[i16], seconds: usize) -> Vec<i16> {
    let mut out = Vec::new();
    for (speed, gain) in VARIANTS.into_iter().cycle() {
        out.extend(at_speed(sound, speed, gain));
        if out.len() >= seconds * RATE || sound.is_empty() {
            break;
        }
    }
    out.truncate(seconds * RATE);
    out
}

/// The same sound faster or slower, louder or softer.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "hours of samples; clamped to 16 bits"
)]
pub(crate) fn at_speed(sound: &[i16], speed: f64, gain: f64) -> Vec<i16> {
    let length = (sound.len().saturating_sub(1)) as f64 / speed;
    (0..length as usize)
        .map(|index| {
            let at = index as f64 * speed;
            let (whole, part) = (at as usize, at.fract());
            let [before, after] = [0, 1].map(|more| f64::from(sound[whole + more]));
            let value = (before + (after - before) * part) * gain;
            value.round().clamp(-32_768.0, 32_767.0) as i16
        })
        .collect()
}

/// spandsp's detector in a program of its own.
pub(crate) struct Spandsp {
    program: PathBuf,
    dir: PathBuf,
}

impl Spandsp {
    /// Compiles the program into a folder.
    pub(crate) fn compile(dir: &Path) -> io::Result<Self> {
        let source = dir.join("spandsp_dtmf.c");
        let program = dir.join("spandsp_dtmf");
        std::fs::write(&source, include_str!("../bench/peer/spandsp_dtmf.c"))?;
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-o"]).arg(&program).arg(&source);
        said(compiler.args(["-lspandsp", "-lm"]))?;
        Ok(Self {
            program,
            dir: dir.to_owned(),
        })
    }

    /// The digits in each piece, every one heard by a fresh detector.
    pub(crate) fn hear<'a>(
        &self,
        pieces: impl IntoIterator<Item = &'a [i16]>,
    ) -> io::Result<Vec<String>> {
        let file = self.file_of("hear", pieces)?;
        let heard = said(self.command().arg("hear").arg(&file));
        std::fs::remove_file(&file)?;
        Ok(heard?.lines().map(str::to_owned).collect())
    }

    /// Writes pieces as the program reads them.
    pub(crate) fn file_of<'a>(
        &self,
        name: &str,
        pieces: impl IntoIterator<Item = &'a [i16]>,
    ) -> io::Result<PathBuf> {
        let path = self.dir.join(name).with_extension("pieces");
        let mut file = BufWriter::new(File::create(&path)?);
        for piece in pieces {
            let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
            file.write_all(&length.to_le_bytes())?;
            write_samples(&mut file, piece)?;
        }
        file.flush()?;
        Ok(path)
    }

    /// The program, without its arguments.
    pub(crate) fn command(&self) -> Command {
        Command::new(&self.program)
    }
}

/// How many digits `multimon-ng` hears. It wants 22,050 Hz.
pub(crate) fn multimon_hits(dir: &Path, sound: &[i16]) -> io::Result<usize> {
    let heard = dir.join("multimon");
    let mut child = Command::new("multimon-ng")
        .args(["-q", "-t", "raw", "-a", "DTMF", "-"])
        .stdin(Stdio::piped())
        .stdout(File::create(&heard)?)
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(input) = child.stdin.take() {
        let mut input = BufWriter::new(input);
        for minute in sound.chunks(60 * RATE) {
            #[allow(clippy::cast_precision_loss, reason = "eight thousand")]
            let finer = at_speed(minute, RATE as f64 / 22_050.0, 1.0);
            write_samples(&mut input, &finer)?;
        }
        input.flush()?;
    }
    let status = child.wait()?;
    if !status.success() {
        return Err(io::Error::other(format!("multimon-ng: {status}")));
    }
    let heard = std::fs::read_to_string(&heard)?;
    Ok(heard
        .lines()
        .filter(|line| line.starts_with("DTMF:"))
        .count())
}

fn write_samples(to: &mut impl Write, samples: &[i16]) -> io::Result<()> {
    for sample in samples {
        to.write_all(&sample.to_le_bytes())?;
    }
    Ok(())
}

/// Runs a command; what it prints.
fn said(command: &mut Command) -> io::Result<String> {
    let done = command.stdin(Stdio::null()).output()?;
    if !done.status.success() {
        let why = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        return Err(io::Error::other(format!("{}: {why}", done.status)));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The samples of all WAV files below a folder, in the order of their paths.
fn all_wav_in(folder: &Path) -> io::Result<Vec<i16>> {
    let mut samples = Vec::new();
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            samples.extend(all_wav_in(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "wav") {
            samples.extend(wav_samples(&std::fs::read(&path)?));
        }
    }
    Ok(samples)
}

/// The samples of a mono WAV file of 16 bits.
fn wav_samples(wav: &[u8]) -> Vec<i16> {
    let start = wav.windows(4).position(|name| name == b"data");
    let Some(data) = start.and_then(|at| wav.get(at + 4..)) else {
        return Vec::new();
    };
    let Some((size, rest)) = data.split_first_chunk::<4>() else {
        return Vec::new();
    };
    let size = usize::try_from(u32::from_le_bytes(*size)).unwrap_or(usize::MAX);
    rest[..size.min(rest.len())]
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

const RATE: usize = 8_000;

/// Speeds and gains, in turns.
const VARIANTS: [(f64, f64); 5] = [
    (1.0, 1.0),
    (0.93, 0.5),
    (1.07, 1.4),
    (0.97, 0.7),
    (1.12, 1.0),
];
