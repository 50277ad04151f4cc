//! Sound that holds no digit: recorded prompts and music. The detectors are first shown that they
//! hear digits at all in the same run.

use audio_io::dsp::dtmf::Tolerances;

use crate::rig::{Spandsp, lasting, multimon_hits, music, prompts};
use crate::signal::{Dial, PLAIN, dialled, sampled};
use crate::{KEYS, ours};

/// Minutes of each.
const SPEECH_MINUTES: usize = 15;
const MUSIC_MINUTES: usize = 5;

#[test]
#[cfg_attr(
    not(has_talk_off),
    ignore = "libspandsp-dev, multimon-ng, asterisk-core-sounds-en-wav or asterisk-moh-opsound-wav \
              is missing ('make setup')"
)]
fn speech_and_music_hold_no_more_digits_for_ours_than_for_spandsp() {
    let dir = tempfile::tempdir().expect("a folder");
    let peer = Spandsp::compile(dir.path()).expect("spandsp");
    let speech = lasting(&prompts().expect("prompts"), SPEECH_MINUTES * 60);
    let music = lasting(&music().expect("music"), MUSIC_MINUTES * 60);
    let slow = Dial {
        on_ms: 100,
        off_ms: 100,
        ..PLAIN
    };
    let digits = sampled(&dialled(slow, KEYS, 0));
    let mut hits = Vec::new();
    for (what, sound) in [("digits", &digits), ("speech", &speech), ("music", &music)] {
        let mine = ours(Tolerances::default(), sound);
        let theirs = peer.hear([sound.as_slice()]).expect("spandsp").concat();
        let multimon = multimon_hits(dir.path(), sound).expect("multimon-ng");
        println!(
            "{what}, {} s: callreel {}, spandsp {}, multimon-ng {multimon}",
            sound.len() / 8_000,
            mine.len(),
            theirs.len()
        );
        hits.push((mine, theirs, multimon));
    }
    let (mine, theirs, multimon) = &hits[0];
    assert_eq!((mine.as_str(), theirs.as_str()), (KEYS, KEYS));
    assert_eq!(*multimon, KEYS.len());
    for (mine, theirs, _) in &hits[1..] {
        assert!(mine.len() <= theirs.len(), "'{mine}', spandsp '{theirs}'");
    }
}
