//! Keys as a telephone sends them (ITU-T Q.23), made by two strangers to the product: sox, and
//! spandsp, the field's library, through the small programs in `tests/rigs/dtmf`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::{repository, run};
use crate::{sound, wav};

/// Milliseconds of each key, and of the pause after it.
pub const KEY_MS: u32 = 100;

/// The two frequencies of a key.
///
/// # Panics
/// When there is no such key.
#[must_use]
pub fn frequencies(key: char) -> (u32, u32) {
    const LOW: [u32; 4] = [697, 770, 852, 941];
    const HIGH: [u32; 4] = [1_209, 1_336, 1_477, 1_633];
    let at = "123A456B789C*0#D"
        .find(key)
        .unwrap_or_else(|| panic!("there is no key '{key}'"));
    (LOW[at / 4], HIGH[at % 4])
}

/// Keys made by sox, each tone at `gain_db`, with quiet around them; 8 kHz.
#[must_use]
pub fn by_sox(keys: &str, gain_db: f64, folder: &Path) -> Vec<i16> {
    let mut samples = vec![0; 800];
    for (number, key) in keys.chars().enumerate() {
        let (low, high) = frequencies(key);
        let path = folder.join(format!("key{number}.wav"));
        let seconds = format!("{:.3}", f64::from(KEY_MS) / 1_000.0);
        let gain = format!("{gain_db}");
        let _ = run(
            "sox",
            &[
                "-r",
                "8000",
                "-c",
                "2",
                "-n",
                "-b",
                "16",
                &path.to_string_lossy(),
                "synth",
                &seconds,
                "sine",
                &low.to_string(),
                "sine",
                &high.to_string(),
                // Each channel holds one tone; both at full level would clip when mixed.
                "remix",
                "1v0.5,2v0.5",
                "gain",
                &gain,
                "pad",
                "0",
                &seconds,
            ],
        );
        let bytes = std::fs::read(&path).expect("a key of sox");
        samples.extend(wav::Wav::parse(&bytes).samples());
    }
    samples.extend(vec![0; 800]);
    samples
}

/// Keys made by spandsp's generator at its usual level, with quiet around them; 8 kHz.
///
/// # Panics
/// When there is no compiler, or no spandsp.
#[must_use]
pub fn by_spandsp(keys: &str, folder: &Path) -> Vec<i16> {
    let program = build("send", folder);
    let length = KEY_MS.to_string();
    let bytes = run(&program.to_string_lossy(), &[keys, &length, &length]);
    let mut samples = vec![0; 800];
    samples.extend(sound::from_bytes(&bytes));
    samples.extend(vec![0; 800]);
    samples
}

/// The keys that spandsp hears.
///
/// # Panics
/// When there is no compiler, or no spandsp.
#[must_use]
pub fn heard_by_spandsp(samples: &[i16], folder: &Path) -> String {
    let program = build("hear", folder);
    let input = folder.join("keys.raw");
    std::fs::write(&input, sound::to_bytes(samples)).expect("keys.raw");
    let output = Command::new(&program)
        .stdin(std::fs::File::open(&input).expect("keys.raw"))
        .stderr(Stdio::inherit())
        .output()
        .expect("the program that listens");
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn build(name: &str, folder: &Path) -> PathBuf {
    let source = repository().join(format!("tests/rigs/dtmf/{name}.c"));
    let program = folder.join(format!("dtmf-{name}"));
    if !program.exists() {
        let (source, output) = (source.to_string_lossy(), program.to_string_lossy());
        let _ = run("cc", &["-O1", "-o", &output, &source, "-lspandsp", "-lm"]);
    }
    program
}
