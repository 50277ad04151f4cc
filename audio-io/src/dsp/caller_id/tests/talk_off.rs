//! Speech and music hold no caller id. The prompts are Debian's, read where they are installed.

use std::path::{Path, PathBuf};

use super::*;

/// Sounds under a folder, 8 kHz and 16 bits.
pub(in crate::dsp) fn sounds_in(folder: &Path, out: &mut Vec<i16>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            sounds_in(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            let bytes = std::fs::read(&path).unwrap();
            let data = bytes.get(44..).unwrap_or_default();
            let samples = data.chunks_exact(2);
            out.extend(samples.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
        }
    }
}

/// Minutes of each.
pub(in crate::dsp) const MINUTES: usize = 5;

/// Prompts and music, where they are installed.
pub(in crate::dsp) const SPEECH: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";
pub(in crate::dsp) const MUSIC: &str = "/usr/share/asterisk/moh";

#[test]
fn speech_and_music_tell_nobody() {
    for folder in [SPEECH, MUSIC] {
        let mut sound = Vec::new();
        sounds_in(Path::new(folder), &mut sound);
        if sound.is_empty() {
            println!("{folder} is not installed ('make setup'): not listened to");
            continue;
        }
        sound.truncate(MINUTES * 60 * 8_000);
        for mode in [CallerIdMode::Fsk, CallerIdMode::Dtmf] {
            assert_eq!(
                heard(mode, SampleRate::TELEPHONE, &sound),
                [],
                "{folder}, {mode:?}"
            );
        }
        // And the receiver was not deaf.
        sound.truncate(80_000);
        sound.extend(message(&FskParams::default()));
        assert_eq!(
            heard(CallerIdMode::Fsk, SampleRate::TELEPHONE, &sound),
            [somebody()]
        );
    }
}
