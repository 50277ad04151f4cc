//! A real store with real recordings for the tests of conversions.

use std::path::Path;
use std::sync::Arc;

use audio_io::clock::ManualClock;
use audio_io::dsp::tone::Tone;
use audio_io::format::{Channels, StreamFormat};
use audio_io::units::{Frames, WallMillis};
use bytes::Bytes;
use storage::handle::{
    ImportNames, ImportRequest, IoChoice, RecorderSeed, StorageHandle, StoreOptions,
};
use storage::ids::{RecordingName, TenantId, TenantName};
use storage::record::{Container, EndCause, Recording};
use storage::view::RecordingView;
use tempfile::TempDir;

use super::flight::Flights;
use super::queue::Level;
use super::{Converted, Made, Shared, Transcoder};
use crate::config::schema::Convert;

/// A store with a tenant. Its folder outlives it, for a second one.
pub(super) struct Rig {
    pub(super) storage: StorageHandle,
    pub(super) tenant: TenantId,
    pub(super) clock: Arc<ManualClock>,
    pub(super) folder: Arc<TempDir>,
    /// Held: without it nobody answers for live recordings.
    _seed: RecorderSeed,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::at(Arc::new(tempfile::tempdir().unwrap()))
    }

    /// The store in a folder, as a daemon that is started finds it.
    pub(super) fn at(folder: Arc<TempDir>) -> Self {
        let clock = Arc::new(ManualClock::at(WallMillis(1_700_000_000_000)));
        let options = StoreOptions {
            data_dir: folder.path().join("data"),
            index_cache_bytes: 8 << 20,
            io: IoChoice::Blocking,
        };
        let (storage, seed, _) = StorageHandle::open(options, clock.clone()).unwrap();
        let known = storage.tenants().unwrap();
        let tenant = match known.first() {
            Some(tenant) => tenant.id,
            None => {
                let name = TenantName::new("a").unwrap();
                storage.add_tenant(name).unwrap().id
            }
        };
        Self {
            storage,
            tenant,
            clock,
            folder,
            _seed: seed,
        }
    }

    /// Conversions with one thread, so that work is done in a known order.
    pub(super) fn transcoder(&self) -> Transcoder {
        let convert = Convert {
            workers: 1,
            ..Convert::default()
        };
        Transcoder::start(self.storage.clone(), &convert).unwrap()
    }

    /// A tone of so many seconds that was brought in.
    pub(super) fn imported(&self, seconds: u64, channels: Channels) -> Recording {
        let format = StreamFormat {
            channels,
            ..StreamFormat::TELEPHONE
        };
        let frames = Frames(seconds * u64::from(format.rate.hertz()));
        let source = self.folder.path().join("source.wav");
        let sound = Tone::new(format.rate, 440.0, 0.5).bytes(frames, format);
        std::fs::write(&source, wav(&sound, format)).unwrap();
        let request = ImportRequest {
            tenant: self.tenant,
            source,
            container: Container::Wav,
            format,
            frames,
            names: ImportNames::default(),
            line: None,
            from: None,
            to: None,
            started_at: None,
            agent: None,
            direction: None,
        };
        self.storage.import(request, &mut |_, _| ()).unwrap()
    }

    /// The same as if it had been recorded.
    pub(super) fn recorded(&self, seconds: u64, channels: Channels) -> Recording {
        let mut row = self.imported(seconds, channels);
        let outcome = row.outcome.as_mut().unwrap();
        outcome.end_cause = EndCause::Command;
        self.storage.load_rows([row.clone()]).unwrap();
        row
    }

    /// A recording as it is now.
    pub(super) fn now(&self, row: &Recording) -> Option<Recording> {
        let name = RecordingName::Recid(row.facts.id);
        self.storage.find(row.facts.tenant, &name).unwrap()
    }

    /// Every finished conversion and draft below the store's folder.
    pub(super) fn derived_files(&self) -> usize {
        fn count(folder: &Path) -> usize {
            let Ok(entries) = std::fs::read_dir(folder) else {
                return 0;
            };
            let paths = entries.map(|entry| entry.unwrap().path());
            paths
                .map(|path| if path.is_dir() { count(&path) } else { 1 })
                .sum()
        }
        count(&self.folder.path().join("data/derived"))
    }
}

fn wav(sound: &[u8], format: StreamFormat) -> Vec<u8> {
    let bytes = u32::try_from(sound.len()).unwrap();
    let (rate, frame) = (format.rate.hertz(), format.frame_bytes());
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend_from_slice(
        &u16::try_from(format.channels.count())
            .unwrap()
            .to_le_bytes(),
    );
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * u32::try_from(frame).unwrap()).to_le_bytes());
    file.extend_from_slice(&u16::try_from(frame).unwrap().to_le_bytes());
    file.extend_from_slice(b"\x10\0data");
    file.extend_from_slice(&bytes.to_le_bytes());
    file.extend_from_slice(sound);
    file
}

/// Returns when everything that was handed in before is done.
pub(super) async fn settled(shared: &Shared) {
    let flights: Arc<Flights<(), ()>> = Arc::default();
    let last = flights.join(&shared.queue, Level::Keep, (), |_| Ok(()));
    last.unwrap().end().await.unwrap();
}

/// All bytes of something made, from a byte on.
pub(super) async fn read_from(made: &Arc<dyn Made>, mut at: u64) -> Vec<u8> {
    let size = made.size_bytes();
    let mut all = Vec::new();
    while at < size {
        let bytes = made.read(at..size).await.unwrap();
        assert!(!bytes.is_empty(), "nothing at {at} of {size}");
        at += bytes.len() as u64;
        all.extend_from_slice(&bytes);
    }
    all
}

/// Some bytes of something made.
pub(super) async fn read(made: &Arc<dyn Made>, from: u64, length: u64) -> Bytes {
    made.read(from..from + length).await.unwrap()
}

pub(super) fn file_bytes(view: &RecordingView) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(view.len()).unwrap()];
    let read = view.mapping().read_at(0, &mut bytes).unwrap();
    assert_eq!(read, bytes.len());
    bytes
}

pub(super) fn made(converted: Converted) -> Arc<dyn Made> {
    match converted {
        Converted::Made(made) => made,
        Converted::File(_) => panic!("a file, not made as it is read"),
        Converted::Stored => panic!("as stored, not made as it is read"),
    }
}

pub(super) fn file(converted: Converted) -> RecordingView {
    match converted {
        Converted::File(view) => view,
        Converted::Made(_) => panic!("made as it is read, not a file"),
        Converted::Stored => panic!("as stored, not a file"),
    }
}
