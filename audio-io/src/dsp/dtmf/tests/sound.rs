//! Speech to test with: Debian's Asterisk prompts, or `espeak-ng`. Where there is neither, tests
//! that need speech are left out.

use std::path::Path;
use std::process::{Command, Stdio};

/// Mono, 16 bits, 8 kHz.
pub(super) struct Speech {
    pub(super) samples: Vec<i16>,
    pub(super) source: &'static str,
}

/// At most this many seconds of speech.
pub(super) fn speech(seconds: usize) -> Option<Speech> {
    let most = seconds * 8_000;
    let (mut samples, source) = match prompts(most) {
        Some(samples) => (samples, "prompts"),
        None => (spoken()?, "espeak-ng"),
    };
    samples.truncate(most);
    Some(Speech { samples, source })
}

fn prompts(most: usize) -> Option<Vec<i16>> {
    let folder = Path::new("/usr/share/asterisk/sounds/en_US_f_Allison");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "wav"))
        .collect();
    files.sort();
    let mut samples = Vec::new();
    for file in files {
        let wav = std::fs::read(&file).ok()?;
        // These files are 16-bit PCM at 8 kHz with the plain header of 44 bytes.
        samples.extend(wav.get(44..)?.chunks_exact(2).map(sample));
        if samples.len() >= most {
            break;
        }
    }
    (!samples.is_empty()).then_some(samples)
}

/// Speaks at 22,050 Hz; every second or third sample is taken as it is, which makes it harsher.
fn spoken() -> Option<Vec<i16>> {
    let mut samples = Vec::new();
    for voice in ["en", "en+f3", "de", "fr+f2"] {
        let made = Command::new("espeak-ng")
            .args(["-v", voice, "--stdout", TEXT])
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let wav: Vec<i16> = made.stdout.get(44..)?.chunks_exact(2).map(sample).collect();
        let wanted = wav.len() * 8_000 / 22_050;
        samples.extend((0..wanted).map(|index| wav[index * 22_050 / 8_000]));
    }
    (!samples.is_empty()).then_some(samples)
}

fn sample(bytes: &[u8]) -> i16 {
    i16::from_le_bytes([bytes[0], bytes[1]])
}

const TEXT: &str = "Welcome. For opening hours press one. To leave a message after the tone, press \
    two. Please hold the line while we try to connect you to the next free agent. All our agents \
    are busy at the moment; you are number seven in the queue. Thank you for your patience.";
