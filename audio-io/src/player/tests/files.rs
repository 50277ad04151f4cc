//! Files of all kinds in a row, files that are none, decoders that do not keep up, devices that
//! go away, and the copy of what was heard.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "samples and small counts"
)]

use std::fs::File;
use std::ops::ControlFlow;

use super::*;
use crate::block::{BlockKind, GapCause};
use crate::codec::encode;
use crate::codec::target::Target;
use crate::dsp::tone::{Tone, amplitude_at, frequency_of};
use crate::limits::{PLAYER_HEAD, PLAYER_OPENERS_MAX, PLAYER_RING};

/// Two seconds of a tone in both channels, as a file of a kind.
fn file_of(target: Target, rate: SampleRate, hertz: f64) -> File {
    let mut tone = Tone::new(rate, hertz, 0.25);
    let frames = rate.hertz() as usize * 2;
    let samples = (0..frames).flat_map(|_| [tone.next_sample(); 2]).collect();
    let mut scripted = Scripted::new(rate, samples);
    scripted.format.channels = Channels::Stereo;
    let mut source = scripted.open().expect("a source");
    let mut file = tempfile::tempfile().expect("a file");
    encode::encode(source.as_mut(), target, &mut file, &mut |_| {
        ControlFlow::Continue(())
    })
    .expect("an encoder");
    file
}

#[test]
fn files_of_every_kind_and_rate_play_in_a_row() {
    let mut rig = Rig::new(RATE);
    let rates = [48_000, 44_100, 44_100, 16_000, 48_000, 48_000];
    let hertz = [300.0, 450.0, 600.0, 750.0, 900.0, 1_050.0];
    let files = Target::ALL
        .into_iter()
        .zip(rates)
        .zip(hertz)
        .map(|((target, rate), hertz)| {
            let rate = SampleRate::new(rate).expect("a rate");
            Arc::new(StoredSound::from(file_of(target, rate, hertz))) as Arc<dyn SoundFile>
        })
        .collect();
    let offset = Millis::ZERO;
    rig.control
        .start(Playlist { files, offset })
        .expect("a start");
    rig.run(1_300);
    let stopped = rig.stopped().expect("an end");
    assert_eq!(stopped.reason, EndReason::Finished);
    assert!(stopped.played.0.abs_diff(12_000) <= 1, "{stopped:?}");
    assert_eq!(stopped.underruns, 0);
    let heard = rig.written();
    let first = heard.iter().position(|sample| *sample != 0).expect("sound");
    for (n, hertz) in hertz.into_iter().enumerate() {
        let middle = first + n * 16_000 + 4_000;
        let part = &heard[middle..middle + 8_000];
        let found = frequency_of(part, RATE).expect("a tone");
        assert!((found - hertz).abs() < 1.0, "file {n}: {found}");
        let amplitude = amplitude_at(part, RATE, hertz);
        assert!((amplitude - 0.25).abs() < 0.02, "file {n}: {amplitude}");
    }
    // Nowhere is there a hole: every 20 ms have sound.
    for part in heard[first..first + 95_900].chunks(160) {
        let peak = part.iter().map(|sample| sample.unsigned_abs()).max();
        assert!(peak > Some(4_000), "{peak:?}");
    }
}

#[test]
fn one_tone_in_many_files_is_one_tone() {
    let mut rig = Rig::new(RATE);
    let mut tone = Tone::new(RATE, 440.0, 0.5);
    let whole: Vec<i16> = (0..24_000).map(|_| tone.next_sample()).collect();
    // Longer and shorter than what is kept of each, and of one frame.
    let cuts = [0, 9_000, 9_001, 9_300, 13_300, 19_999, 24_000];
    let pieces = cuts.windows(2).map(|pair| whole[pair[0]..pair[1]].to_vec());
    let files = pieces
        .map(|piece| Arc::new(Scripted::new(RATE, piece)) as Arc<dyn SoundFile>)
        .collect();
    let offset = Millis::ZERO;
    rig.control
        .start(Playlist { files, offset })
        .expect("a start");
    rig.run(350);
    let heard = rig.written();
    let inner = &whole[64..24_000 - 64];
    let place = heard.windows(inner.len()).position(|part| part == inner);
    assert!(place.is_some(), "the same samples between the fades");
}

#[test]
fn seeks_go_into_any_file() {
    let files: Vec<_> = (0..4)
        .map(|n| Scripted::new(RATE, count(1 + n * 6_000, 6_000)))
        .map(|file| Arc::new(file) as Arc<dyn SoundFile>)
        .collect();
    for at in [0, 100, 749, 751, 1_600, 2_250, 2_900] {
        let mut rig = Rig::new(RATE);
        let list = Playlist {
            files: files.clone(),
            offset: Millis(1_000),
        };
        rig.control.start(list).expect("a start");
        rig.run(10);
        rig.control.seek(Seek::To(Millis(at))).expect("a playback");
        rig.run(400);
        let heard = runs(&rig.written());
        let (first, _, length) = heard[heard.len().saturating_sub(80)..]
            .iter()
            .max_by_key(|(_, _, length)| *length)
            .expect("sound");
        let wanted = at as i16 * 8 + 1;
        assert!((wanted..=wanted + 70).contains(first), "{at} ms: {first}");
        let rest = 24_000 - 64 - *first as usize;
        assert!(length.abs_diff(rest) <= 4, "{at} ms: {length} {rest}");
    }
}

#[test]
fn many_files_need_little_memory_and_few_open_decoders() {
    let mut rig = Rig::new(RATE);
    let file = Scripted::new(RATE, vec![1_000; 6_000]);
    let shared = Arc::new(file.clone()) as Arc<dyn SoundFile>;
    let list = Playlist {
        files: vec![shared; crate::limits::PLAYER_FILES_MAX],
        offset: Millis::ZERO,
    };
    rig.control.start(list).expect("a start");
    rig.run(5);
    assert!(
        file.most_open() <= PLAYER_OPENERS_MAX,
        "{}",
        file.most_open()
    );
    rig.run(9_700);
    let stopped = rig.stopped().expect("an end");
    assert_eq!(
        (stopped.reason, stopped.played),
        (EndReason::Finished, Millis(96_000))
    );
    assert_eq!(stopped.underruns, 0);
    let sounding = rig
        .written()
        .iter()
        .filter(|sample| **sample == 1_000)
        .count();
    assert!(sounding >= 128 * 6_000 - 128, "{sounding}");
}

#[test]
fn what_is_no_sound_is_told_and_leaves_the_line_as_it_was() {
    let mut rig = Rig::new(RATE);
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("page.html");
    std::fs::write(&text, "<html>not found</html>").expect("a file");
    let missing = folder.path().join("missing.wav");
    let good = Arc::new(Scripted::new(RATE, vec![1_000; 800])) as Arc<dyn SoundFile>;
    for (bad, words) in [(text, "not a WAV"), (missing, "No such file")] {
        let list = Playlist {
            files: vec![Arc::clone(&good), Arc::new(bad), Arc::clone(&good)],
            offset: Millis::ZERO,
        };
        rig.control.start(list).expect("a start");
        rig.run(20);
        let events = rig.events();
        let [(_, Happened::FileNotFound { file: 1, error })] = &events[..] else {
            panic!("{events:?}")
        };
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(rig.written().iter().all(|sample| *sample == 0));
    let refused = rig.control.stop(HaltReason::Stopped);
    assert_eq!(refused, Err(PlayerError::NothingPlays));
    let list = Playlist {
        files: vec![good],
        offset: Millis::ZERO,
    };
    rig.control.start(list).expect("a start");
    rig.run(30);
    assert_eq!(
        rig.stopped().map(|end| end.reason),
        Some(EndReason::Finished)
    );
}

#[test]
fn a_file_that_breaks_off_is_heard_until_there() {
    let mut rig = Rig::new(RATE);
    let file = Scripted::new(RATE, vec![2_000; 40_000]).cut_at(23_000);
    rig.control.start(file.playlist()).expect("a start");
    rig.run(400);
    let events = rig.events();
    let [
        (1, Happened::Started),
        (
            1,
            Happened::Failed {
                stopped,
                file: 0,
                error,
            },
        ),
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert!(error.to_string().contains("cut"), "{error}");
    assert_eq!((stopped.reason, stopped.underruns), (EndReason::Failed, 0));
    let heard = rig.written().iter().filter(|sample| **sample != 0).count();
    assert!((22_700..23_100).contains(&heard), "{heard}");
    assert!(
        stopped.offset.0.abs_diff(heard as u64 / 8) <= 9,
        "{stopped:?}"
    );
}

#[test]
fn an_underrun_is_silence_and_no_sound_is_lost() {
    let mut rig = Rig::new(RATE);
    let file = Scripted::new(RATE, count(1, 30_000));
    rig.control.start(file.playlist()).expect("a start");
    rig.run(20);
    rig.working = false;
    rig.run(300);
    rig.working = true;
    rig.run(400);
    let heard = rig.written();
    let mut long: Vec<_> = runs(&heard);
    long.retain(|(_, _, length)| *length > 500);
    let [(_, begin, length), (resumed, again, _)] = long[..] else {
        panic!("{long:?}")
    };
    let last = heard[begin + length - 1];
    assert!((1..=65).contains(&(resumed - last)), "{last} {resumed}");
    let lead = length - 1_600;
    let ring = usize::try_from(RATE.frames_in(PLAYER_RING).0).expect("small");
    assert!(
        lead < ring * 4 / 3,
        "the decoder's lead has a bound: {lead}"
    );
    let stats = rig.control.stats();
    assert_eq!(stats.underruns.load(Ordering::Relaxed), 1);
    let waited = stats.waited_frames.load(Ordering::Relaxed) as usize;
    assert!((again - begin - length).abs_diff(waited) < 300, "{waited}");
    let stopped = rig.stopped().expect("an end");
    assert_eq!((stopped.underruns, stopped.played), (1, Millis(3_750)));
    assert_eq!(stopped.offset, stopped.played);
    assert!(PLAYER_HEAD < PLAYER_RING);
}

#[test]
fn the_tap_has_what_the_device_took_at_its_place() {
    let mut rig = Rig::new(RATE);
    let file = Scripted::new(RATE, count(1, 20_000));
    rig.control.start(file.playlist()).expect("a start");
    rig.run(50);
    rig.control.pause().expect("a playback");
    rig.run(50);
    let before = rig.written().len();
    rig.speaker.unplug(libc::ENODEV, 25);
    rig.run(50);
    rig.control.resume().expect("a playback");
    rig.run(300);
    assert_eq!(rig.speaker.opens(), 2);
    let (mut heard, mut lost) = (Vec::new(), 0);
    while let Some(block) = rig.tap.pop_with(|block| *block) {
        assert_eq!(block.position, Frames(heard.len() as u64 + lost));
        match block.kind {
            BlockKind::Audio => {
                let (samples, _) = block.sound().as_chunks::<2>();
                heard.extend(samples.iter().copied().map(i16::from_le_bytes));
            }
            BlockKind::Gap(frames, cause) => {
                assert_eq!(cause, GapCause::DeviceLost);
                assert_eq!(heard.len(), before);
                lost += frames.0;
            }
        }
    }
    assert_eq!(heard, rig.written());
    assert!(lost.abs_diff(25 * 80) <= 160, "{lost}");
    let stats = rig.pump.device_stats();
    assert_eq!(stats.dropped_frames.load(Ordering::Relaxed), lost);
    assert_eq!(rig.stopped().map(|end| end.played), Some(Millis(2_500)));
}

#[test]
fn a_device_that_is_away_does_not_stop_the_time() {
    let mut rig = Rig::new(RATE);
    let file = Scripted::new(RATE, count(1, 16_000));
    rig.control.start(file.playlist()).expect("a start");
    rig.run(50);
    rig.speaker.unplug(libc::ENODEV, 10_000);
    rig.run(200);
    let stopped = rig.stopped().expect("an end");
    assert_eq!(
        (stopped.reason, stopped.played),
        (EndReason::Finished, Millis(2_000))
    );
    assert!(rig.written().len() < 6_000);
}

#[test]
fn a_free_running_device_is_paced_by_the_clock() {
    let mut rig = Rig::new(RATE);
    rig.speaker = rig.speaker.clone().free_running();
    rig.speaker.unplug(libc::ENODEV, 0);
    rig.run(5);
    let file = Scripted::new(RATE, count(1, 16_000));
    rig.control.start(file.playlist()).expect("a start");
    rig.run(100);
    let (_, offset) = rig.control.position().expect("it plays");
    assert!(offset.0.abs_diff(1_000) <= 40, "{offset}");
    rig.run(120);
    assert_eq!(rig.stopped().map(|end| end.played), Some(Millis(2_000)));
    let longest = runs(&rig.written()).into_iter().map(|run| run.2).max();
    assert!(longest >= Some(16_000 - 130), "{longest:?}");
}
