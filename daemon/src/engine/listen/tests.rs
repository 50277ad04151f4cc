//! The ring under a writer that does not wait, and listeners who are quick, slow and late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use audio_io::format::{Channels, StreamFormat};
use audio_io::units::{Frames, Millis};
use storage::ids::{RecordingId, TenantId};

use super::ring::Ring;
use super::*;
use crate::config::schema;
use crate::engine::limits::{LISTEN_BEHIND, LISTEN_FRESH, LISTENERS_MAX};
use crate::engine::live::LineLive;

const STEREO: StreamFormat = StreamFormat {
    channels: Channels::Stereo,
    ..StreamFormat::TELEPHONE
};

fn line() -> Arc<LineLive> {
    let text = "name = 'front'\ntenant = 'acme'\ntrigger = 'always'\ncapture = 'hw:0'";
    let source = config::File::from_str(text, config::FileFormat::Toml);
    let config = config::Config::builder().add_source(source).build();
    let config: schema::Line = config.unwrap().try_deserialize().unwrap();
    Arc::new(LineLive::new(config, TenantId(1), STEREO, Vec::new(), None))
}

/// So many blocks, each sample the number of its block.
fn blocks(feed: &mut Feed, stage: &Stage, numbers: std::ops::Range<i16>) {
    for number in numbers {
        feed.sound(stage, std::iter::repeat_n(number, 320), false);
    }
}

/// Everything that is there; sound as its number and its first sample.
fn all(listener: &mut LiveListener) -> Vec<(String, i16)> {
    let mut heard = Vec::new();
    while let Some(next) = listener.try_next() {
        heard.push(match next {
            Heard::Sound(sound) => {
                assert_eq!(sound.frame.len(), 4 + 640);
                assert_eq!(sound.frame[..4], sound.sequence.to_le_bytes());
                let samples = sound.frame[4..].as_chunks::<2>().0;
                let first = i16::from_le_bytes(samples[0]);
                assert!(samples.iter().all(|two| i16::from_le_bytes(*two) == first));
                (format!("{}", sound.sequence), first)
            }
            Heard::Began { recording, .. } => (format!("began {}", recording.0), 0),
            Heard::Gap(Millis(length)) => (format!("gap {length}"), 0),
            Heard::Paused(paused) => (format!("paused {paused}"), 0),
            Heard::Ended => ("ended".into(), 0),
        });
    }
    heard
}

fn told(words: &[(&str, i16)]) -> Vec<(String, i16)> {
    let owned = |(word, first): &(&str, i16)| ((*word).to_owned(), *first);
    words.iter().map(owned).collect()
}

#[test]
fn a_listener_hears_a_recording_from_when_it_came_to_the_end() {
    let (line, mut feed) = (line(), Feed::default());
    let stage = line.stage.clone();
    feed.begin(&stage, RecordingId(7));
    blocks(&mut feed, &stage, 0..3);
    let mut listener = LiveListener::new(line.clone()).unwrap();
    blocks(&mut feed, &stage, 3..5);
    assert_eq!(
        all(&mut listener),
        told(&[("began 7", 0), ("3", 3), ("4", 4)])
    );
    feed.gap(&stage, Frames(170));
    blocks(&mut feed, &stage, 5..6);
    // 170 frames are one block and ten frames of the next.
    assert_eq!(all(&mut listener), told(&[("gap 21", 0), ("6", 5)]));
    feed.sound(&stage, [0; 320], true);
    feed.sound(&stage, [9; 320], false);
    let paused = [("paused true", 0), ("7", 0), ("paused false", 0), ("8", 9)];
    assert_eq!(all(&mut listener), told(&paused));
    feed.end(&stage);
    assert_eq!(all(&mut listener), told(&[("ended", 0)]));
    feed.begin(&stage, RecordingId(8));
    assert_eq!(all(&mut listener), told(&[("began 8", 0)]));
    blocks(&mut feed, &stage, 1..2);
    feed.end(&stage);
    feed.begin(&stage, RecordingId(9));
    blocks(&mut feed, &stage, 2..3);
    let rest = [("9", 1), ("ended", 0), ("began 9", 0), ("10", 2)];
    assert_eq!(all(&mut listener), told(&rest));
}

#[test]
fn who_is_slow_loses_sound_and_stays_live() {
    let (line, mut feed) = (line(), Feed::default());
    let stage = line.stage.clone();
    let mut slow = LiveListener::new(line.clone()).unwrap();
    let mut quick = LiveListener::new(line.clone()).unwrap();
    feed.begin(&stage, RecordingId(7));
    let mut heard = 0;
    for number in 0..1_000 {
        blocks(&mut feed, &stage, number..number + 1);
        let sounds = all(&mut quick);
        heard += sounds
            .iter()
            .filter(|(word, _)| !word.starts_with("began"))
            .count();
    }
    assert_eq!((heard, stage.lost()), (1_000, 0), "nobody disturbs another");
    let late = all(&mut slow);
    assert_eq!(late[0].0, "began 7");
    assert_eq!(late.len() as u64, 1 + LISTEN_FRESH);
    assert_eq!(late.last().unwrap(), &("999".to_owned(), 999));
    assert_eq!(stage.lost(), 1_000 - LISTEN_FRESH);
    blocks(&mut feed, &stage, 0..i16::try_from(LISTEN_BEHIND).unwrap());
    assert_eq!(
        all(&mut slow).len() as u64,
        LISTEN_BEHIND,
        "not so far behind"
    );
}

#[test]
fn there_are_so_many_listeners_and_no_more() {
    let line = line();
    let mut many: Vec<_> = (0..LISTENERS_MAX)
        .map(|_| LiveListener::new(line.clone()).unwrap())
        .collect();
    let refused = LiveListener::new(line.clone());
    assert!(matches!(refused, Err(ListenError::TooMany(_))));
    assert_eq!(line.stage.listeners(), LISTENERS_MAX);
    many.pop();
    let again = LiveListener::new(line.clone());
    assert!(again.is_ok());
    drop((many, again));
    assert_eq!(line.stage.listeners(), 0);
}

#[test]
fn without_a_listener_nothing_is_kept() {
    let (line, mut feed) = (line(), Feed::default());
    let stage = line.stage.clone();
    feed.begin(&stage, RecordingId(7));
    blocks(&mut feed, &stage, 0..10);
    assert!(stage.ring().is_none());
    let mut listener = LiveListener::new(line).unwrap();
    assert_eq!(all(&mut listener), told(&[("began 7", 0)]));
}

#[test]
fn the_act_names_line_and_tenant() {
    let listener = LiveListener::new(line()).unwrap();
    let act = listener.act();
    assert_eq!(act.kind.name(), "listen");
    assert_eq!((act.tenant, act.recording), (Some(TenantId(1)), None));
    assert_eq!(act.details["line"], "front");
}

/// Whatever a reader is given is one block, whole, however fast the writer goes round.
#[test]
fn no_block_is_torn() {
    let ring = Arc::new(Ring::new(4, 320));
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (ring, done) = (ring.clone(), done.clone());
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let mut read = 0_u64;
                // One round after the writer is done, so that something is read in any case.
                loop {
                    let last = done.load(Ordering::Acquire);
                    let head = ring.head();
                    for number in head.saturating_sub(4)..head {
                        bytes.clear();
                        let Some(about) = ring.read(number, 320, &mut bytes) else {
                            assert!(bytes.is_empty());
                            continue;
                        };
                        assert_eq!(about, [number, !number, number ^ 5]);
                        let first = i16::try_from(number % 30_000).unwrap().to_le_bytes();
                        let whole = bytes.as_chunks::<2>().0.iter().all(|two| *two == first);
                        assert!(whole && bytes.len() == 640);
                        read += 1;
                    }
                    if last {
                        return read;
                    }
                }
            })
        })
        .collect();
    for number in 0..60_000_u64 {
        let samples = [i16::try_from(number % 30_000).unwrap(); 320];
        ring.write(&[number, !number, number ^ 5], &samples);
    }
    done.store(true, Ordering::Release);
    for reader in readers {
        assert!(reader.join().unwrap() >= 4);
    }
}
