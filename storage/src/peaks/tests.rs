//! Peaks from the store: of sealed, live, imported, exchanged and damaged recordings.

mod reader;

use std::path::{Path, PathBuf};
use std::time::Duration;

use audio_io::block::GapCause;
use audio_io::codec::g711::sample;
use audio_io::dsp::peaks::FRAMES_PER_PEAK;
use audio_io::format::{Encoding, StreamFormat};
use proptest::prelude::*;

use super::*;
use crate::handle::{ImportNames, ImportRequest, IoChoice};
use crate::ids::TenantId;
use crate::record::{Container, EndCause, RecordingFacts};
use crate::recorder::Recorder;
use crate::testing::{Store, sound};

const FINEST: PeaksWish = PeaksWish {
    zoom: FRAMES_PER_PEAK,
    version: PeaksVersion::Two,
    bits: PeaksBits::Sixteen,
    channels: PeaksChannels::Split,
};

const STEREO: StreamFormat = StreamFormat {
    channels: Channels::Stereo,
    ..StreamFormat::TELEPHONE
};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(work)
}

/// One peak a stretch and wanted track, sample by sample, from what a file holds.
fn naive(sound: &[u8], format: StreamFormat, wish: PeaksWish) -> Vec<Peak> {
    let width = format.encoding.sample_bytes();
    let of = |bytes: &[u8]| sample(bytes, format.encoding);
    let frames: Vec<Vec<i16>> = sound
        .chunks_exact(format.frame_bytes())
        .map(|frame| {
            let legs: Vec<i16> = frame.chunks_exact(width).map(of).collect();
            match wish.channels {
                PeaksChannels::Split => legs,
                PeaksChannels::Mixed => {
                    let sum: i32 = legs.iter().map(|leg| i32::from(*leg)).sum();
                    vec![i16::try_from(sum / legs.len() as i32).unwrap()]
                }
            }
        })
        .collect();
    let mut peaks = Vec::new();
    for stretch in frames.chunks(wish.zoom as usize) {
        for track in 0..stretch[0].len() {
            let values = || stretch.iter().map(|frame| frame[track]);
            peaks.push(Peak {
                low: values().min().unwrap(),
                high: values().max().unwrap(),
            });
        }
    }
    peaks
}

/// What a store's own file of a recording holds.
fn sound_of(store: &Store, row: &Recording) -> Vec<u8> {
    let file = std::fs::read(store.handle.path_of(row)).unwrap();
    let outcome = row.outcome.as_ref().unwrap();
    let bytes = usize::try_from(row.facts.format.bytes_of(outcome.frames)).unwrap();
    file[4_096..][..bytes].to_vec()
}

fn facts(store: &Store, format: StreamFormat) -> RecordingFacts {
    RecordingFacts {
        format,
        ..store.facts()
    }
}

fn find(store: &Store, id: RecordingId) -> Recording {
    let name = RecordingName::Recid(id);
    store.handle.find(store.tenant, &name).unwrap().unwrap()
}

/// Records what `work` gives it, and answers the sealed row.
fn recorded(
    store: &Store,
    format: StreamFormat,
    work: impl FnOnce(&mut Recorder, RecordingId),
) -> Recording {
    let facts = facts(store, format);
    let id = facts.id;
    crate::recorder::run(
        store.seed(),
        IoChoice::Blocking,
        async |mut recorder: Recorder| {
            recorder.begin(facts).unwrap();
            work(&mut recorder, id);
            recorder.end(id, EndCause::Silence, true);
            sealed(&mut recorder).await;
            recorder.finish().await;
        },
    )
    .unwrap();
    find(store, id)
}

/// Waits until nothing is open or being sealed.
async fn sealed(recorder: &mut Recorder) {
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let all = async {
        while recorder.open() > 0 {
            recorder.tick();
            ticks.tick().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(120), all).await;
    waited.expect("sealed");
}

fn sidecar(store: &Store, row: &Recording) -> PathBuf {
    peaks_of(&store.handle.path_of(row))
}

#[test]
fn what_the_recorder_took_is_what_the_file_has() {
    for encoding in [Encoding::S16Le, Encoding::MuLaw, Encoding::ALaw] {
        let store = Store::new();
        let format = StreamFormat { encoding, ..STEREO };
        let row = recorded(&store, format, |recorder, id| {
            for n in 0..60 {
                recorder.append(id, &sound(n, 4_000)).unwrap();
            }
            // Longer than a buffer, and shorter.
            recorder.gap(id, Frames(70_001), GapCause::Stall);
            recorder.gap(id, Frames(33), GapCause::Overrun);
            recorder.append(id, &sound(99, 40)).unwrap();
        });
        let bytes = sound_of(&store, &row);
        let of_recorder = std::fs::read(sidecar(&store, &row)).unwrap();
        for wish in [
            FINEST,
            PeaksWish {
                channels: PeaksChannels::Mixed,
                zoom: 512,
                ..FINEST
            },
        ] {
            let peaks = block_on(store.handle.peaks(&row, wish)).unwrap();
            assert_eq!(peaks.zoom(), wish.zoom);
            assert_eq!(peaks.pairs(), naive(&bytes, format, wish));
            assert!(!peaks.is_live());
        }
        // The same when they are made of the file.
        std::fs::remove_file(sidecar(&store, &row)).unwrap();
        block_on(store.handle.peaks(&row, FINEST)).unwrap();
        assert_eq!(std::fs::read(sidecar(&store, &row)).unwrap(), of_recorder);
        assert!(store.findings().is_empty());
    }
}

#[test]
fn the_coarsest_level_that_is_fine_enough_is_answered() {
    let store = Store::new();
    let row = recorded(&store, STEREO, |recorder, id| {
        for n in 0..200 {
            recorder.append(id, &sound(n, 16_000)).unwrap();
        }
    });
    for (zoom, expected) in [
        (0, 128),
        (1, 128),
        (511, 128),
        (512, 512),
        (2_047, 512),
        (2_048, 2_048),
        (u32::MAX, 2_048),
    ] {
        let wish = PeaksWish { zoom, ..FINEST };
        let peaks = block_on(store.handle.peaks(&row, wish)).unwrap();
        assert_eq!(peaks.zoom(), expected, "zoom {zoom}");
        let frames = u32::try_from(peaks.frames().0).unwrap();
        assert_eq!(peaks.length(), frames.div_ceil(expected));
        assert_eq!(peaks.channels(), 2);
    }
    let one = PeaksWish {
        version: PeaksVersion::One,
        ..FINEST
    };
    let refused = block_on(store.handle.peaks(&row, one));
    assert!(matches!(refused, Err(PeaksError::Channels)));
}

#[test]
fn a_live_recording_has_its_peaks_so_far() {
    let store = Store::new();
    let facts = facts(&store, STEREO);
    let handle = store.handle.clone();
    crate::recorder::run(
        store.seed(),
        IoChoice::Blocking,
        async |mut recorder: Recorder| {
            let id = facts.id;
            recorder.begin(facts.clone()).unwrap();
            let row = Recording {
                facts: facts.clone(),
                state: RecordingState::Live,
                outcome: None,
            };
            let mut bytes = Vec::new();
            for n in 0..30 {
                let more = sound(n, 7_004);
                recorder.append(id, &more).unwrap();
                bytes.extend_from_slice(&more);
                for zoom in [128, 512, 8_192] {
                    let wish = PeaksWish { zoom, ..FINEST };
                    let peaks = handle.peaks(&row, wish).await.unwrap();
                    assert!(peaks.is_live() && peaks.zoom() == zoom);
                    assert_eq!(peaks.pairs(), naive(&bytes, STEREO, wish));
                }
            }
            recorder.end(id, EndCause::Silence, true);
            sealed(&mut recorder).await;
            recorder.finish().await;
            // Whoever read the row before it ended is answered as it is now.
            let peaks = handle.peaks(&row, FINEST).await.unwrap();
            assert!(!peaks.is_live());
            assert_eq!(peaks.pairs(), naive(&bytes, STEREO, FINEST));
        },
    )
    .unwrap();
}

#[test]
fn what_had_to_get_coarse_while_it_was_live_is_fine_when_it_is_sealed() {
    let store = Store::new();
    let least = crate::limits::LIVE_PEAKS.1 as u64;
    let row = recorded(&store, StreamFormat::TELEPHONE, |recorder, id| {
        recorder.append(id, &sound(1, 2_000)).unwrap();
        let frames = Frames((least + 10) * u64::from(FRAMES_PER_PEAK));
        recorder.gap(id, frames, GapCause::Stall);
        recorder.append(id, &sound(2, 2_000)).unwrap();
    });
    let peaks = block_on(store.handle.peaks(&row, FINEST)).unwrap();
    assert_eq!(peaks.zoom(), FRAMES_PER_PEAK);
    assert_eq!(
        peaks.pairs()[..4],
        naive(&sound(1, 1_024), row.facts.format, FINEST)
    );
    assert!(u64::from(peaks.length()) > least);
}

#[test]
fn damaged_missing_and_foreign_peaks_are_made_again() {
    let store = Store::new();
    let row = store.recorded();
    let path = sidecar(&store, &row);
    let good = std::fs::read(&path).unwrap();
    let expected = block_on(store.handle.peaks(&row, FINEST)).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut foreign = good.clone();
    foreign[30] ^= 1;
    for bad in [
        flipped,
        foreign,
        good[..70].to_vec(),
        b"CRPK\x01".to_vec(),
        Vec::new(),
    ] {
        std::fs::write(&path, &bad).unwrap();
        let peaks = block_on(store.handle.peaks(&row, FINEST)).unwrap();
        assert_eq!(peaks, expected);
        assert_eq!(std::fs::read(&path).unwrap(), good);
    }
    // Without room for them they are answered all the same.
    std::fs::remove_file(&path).unwrap();
    let blocked = path.with_extension("peaks.tmp");
    std::fs::create_dir(&blocked).unwrap();
    let peaks = block_on(store.handle.peaks(&row, FINEST)).unwrap();
    assert_eq!(peaks, expected);
    assert!(!path.exists());
    std::fs::remove_dir(&blocked).unwrap();
}

#[test]
fn a_deleted_recording_leaves_no_peaks() {
    let store = Store::new();
    let row = store.recorded();
    let (path, file) = (sidecar(&store, &row), store.handle.path_of(&row));
    let bytes = std::fs::read(&file).unwrap();
    store.handle.delete(store.tenant, row.facts.id).unwrap();
    assert!(!path.exists());
    let gone = block_on(store.handle.peaks(&row, FINEST));
    assert!(matches!(gone, Err(PeaksError::NoFile(_))), "{gone:?}");
    // Whoever had the file open while it went does not bring them back.
    std::fs::write(&file, bytes).unwrap();
    let gone = block_on(store.handle.peaks(&row, FINEST));
    assert!(matches!(gone, Err(PeaksError::NoFile(_))), "{gone:?}");
    assert!(!path.exists());
}

fn import(store: &Store, source: &Path, container: Container, tenant: TenantId) -> Recording {
    let request = ImportRequest {
        tenant,
        source: source.to_owned(),
        container,
        format: StreamFormat::TELEPHONE,
        frames: Frames(8_000),
        names: ImportNames::default(),
        line: None,
        from: None,
        to: None,
        started_at: None,
    };
    store.handle.import(request, &mut |_, _| ()).unwrap()
}

#[test]
fn an_import_of_samples_that_are_not_recorded_here_is_decoded_once() {
    let store = Store::new();
    // 24 bits: the upper 16 are what counts.
    let samples: Vec<i16> = (0..5_000_i32)
        .map(|n| (n * 37 % 65_536 - 32_768) as i16)
        .collect();
    let data: Vec<u8> = samples
        .iter()
        .flat_map(|sample| (i32::from(*sample) << 8).to_le_bytes()[..3].to_vec())
        .collect();
    let mut wav = b"RIFF".to_vec();
    wav.extend_from_slice(&(36 + data.len() as u32).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&8_000_u32.to_le_bytes());
    wav.extend_from_slice(&24_000_u32.to_le_bytes());
    wav.extend_from_slice(&[3, 0, 24, 0]);
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&(data.len() as u32).to_le_bytes());
    wav.extend_from_slice(&data);
    let source = store.folder.path().join("import.wav");
    std::fs::write(&source, wav).unwrap();
    let row = import(&store, &source, Container::Wav, store.tenant);
    assert!(!sidecar(&store, &row).exists());
    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    let expected = naive(&bytes, StreamFormat::TELEPHONE, FINEST);
    for _ in 0..2 {
        let peaks = block_on(store.handle.peaks(&row, FINEST)).unwrap();
        assert_eq!(peaks.pairs(), expected);
        assert!(sidecar(&store, &row).exists());
    }
    assert!(store.findings().is_empty());
}

#[test]
fn a_file_that_is_no_sound_is_told() {
    let store = Store::new();
    let row = store.imported(1);
    let refused = block_on(store.handle.peaks(&row, FINEST));
    assert!(
        matches!(refused, Err(PeaksError::Decode(..))),
        "{refused:?}"
    );
    assert!(!sidecar(&store, &row).exists());
}

#[test]
fn many_who_ask_wait_for_one_pass() {
    let store = Store::new();
    let row = store.recorded();
    std::fs::remove_file(sidecar(&store, &row)).unwrap();
    let expected = naive(&sound_of(&store, &row), row.facts.format, FINEST);
    block_on(async {
        let asked = (0..20).map(|_| {
            let (handle, row) = (store.handle.clone(), row.clone());
            tokio::spawn(async move { handle.peaks(&row, FINEST).await })
        });
        for task in asked.collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap().unwrap().pairs(), expected);
        }
    });
}

#[test]
fn the_store_closes_while_somebody_waits() {
    let store = Store::new();
    let row = store.recorded();
    std::fs::remove_file(sidecar(&store, &row)).unwrap();
    let handle = store.handle.clone();
    let asks = std::thread::spawn(move || block_on(handle.peaks(&row, FINEST)).map(drop));
    drop(store.close());
    // Made or not: whoever asks is answered.
    let _answer = asks.join().unwrap();
}

#[test]
fn tags_tell_answers_apart() {
    let store = Store::new();
    let row = store.recorded();
    let mut tags = std::collections::BTreeSet::new();
    for bits in [PeaksBits::Eight, PeaksBits::Sixteen] {
        for version in [PeaksVersion::One, PeaksVersion::Two] {
            let wish = PeaksWish {
                bits,
                version,
                ..FINEST
            };
            let peaks = block_on(store.handle.peaks(&row, wish)).unwrap();
            for format in [PeaksFormat::Dat, PeaksFormat::Json] {
                assert!(tags.insert(peaks.etag(format)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_appends_and_gaps_give_the_peaks_of_the_file(
        steps in prop::collection::vec((any::<bool>(), 1_u64..40_000), 1..12),
        stereo: bool,
        zoom in prop::sample::select(vec![128_u32, 512]),
        mixed: bool,
    ) {
        let store = Store::open(crate::testing::scratch());
        let format = if stereo { STEREO } else { StreamFormat::TELEPHONE };
        let row = recorded(&store, format, |recorder, id| {
            for (seed, (gap, frames)) in (0..).zip(&steps) {
                if *gap {
                    recorder.gap(id, Frames(*frames), GapCause::Stall);
                } else {
                    let bytes = usize::try_from(format.bytes_of(Frames(*frames))).unwrap();
                    recorder.append(id, &sound(seed, bytes)).unwrap();
                }
            }
        });
        let channels = if mixed { PeaksChannels::Mixed } else { PeaksChannels::Split };
        let asked = PeaksWish { zoom, channels, ..FINEST };
        let peaks = block_on(store.handle.peaks(&row, asked)).unwrap();
        let wish = PeaksWish { zoom: peaks.zoom(), ..asked };
        prop_assert_eq!(peaks.pairs(), naive(&sound_of(&store, &row), format, wish));
        prop_assert!(store.findings().is_empty());
    }
}
