//! The crash double: does everything for real and keeps a log of it, from which the state that a
//! power cut leaves after any operation can be made in another folder. What was not synced may
//! be there, be missing, or be torn at 512-byte sectors; so may directory entries.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::blocking::Blocking;
use super::{Buffer, Op, SegmentFile, SegmentIo};
use crate::ids::RecordingId;
use crate::index::backend::{IndexFile, Opener, Witness};
use crate::ledger::writer;
use crate::reserve::Reserve;

const SECTOR: usize = 512;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Created(PathBuf),
    Wrote(PathBuf, u64, Arc<[u8]>),
    Resized(PathBuf, u64),
    /// Everything of the file that was logged before this number is durable.
    Synced(PathBuf, usize),
    SyncedAll(usize),
    SyncedDir(PathBuf),
    Unlinked(PathBuf),
    /// The store said that this much of a recording is safe.
    Acknowledged(RecordingId, u64),
    /// The store said that a recording is stored.
    Stored(RecordingId),
}

/// The log, shared by the double and the index's witness.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Event>>>);

impl Log {
    pub(crate) fn push(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}

/// Opens an index file whose changes are logged.
pub(crate) struct LoggedIndex {
    pub(crate) log: Log,
    pub(crate) folder: PathBuf,
}

impl Opener for LoggedIndex {
    fn open(&self, path: &Path) -> io::Result<IndexFile> {
        let file = std::fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let witness = Watch {
            log: self.log.clone(),
            path: path.to_owned(),
            begun: Mutex::new(0),
        };
        let reserve = Arc::new(Reserve::new(self.folder.join("reserve")));
        Ok(IndexFile::new(file, reserve, Some(Arc::new(witness))))
    }

    fn watch(&self) -> Option<Arc<dyn writer::Watch>> {
        Some(Arc::new(self.log.clone()))
    }
}

/// The ledger's files change on one thread: what was written before a sync is durable after it.
impl writer::Watch for Log {
    fn created(&self, path: &Path) {
        self.push(Event::Created(path.to_owned()));
    }

    fn wrote(&self, path: &Path, offset: u64, data: &[u8]) {
        self.push(Event::Wrote(path.to_owned(), offset, data.into()));
    }

    fn resized(&self, path: &Path, len: u64) {
        self.push(Event::Resized(path.to_owned(), len));
    }

    fn synced(&self, path: &Path) {
        let begun = self.len();
        self.push(Event::Synced(path.to_owned(), begun));
    }

    fn synced_dir(&self, path: &Path) {
        self.push(Event::SyncedDir(path.to_owned()));
    }

    fn unlinked(&self, path: &Path) {
        self.push(Event::Unlinked(path.to_owned()));
    }
}

struct Watch {
    log: Log,
    path: PathBuf,
    begun: Mutex<usize>,
}

impl Witness for Watch {
    fn wrote(&self, offset: u64, data: &[u8]) {
        self.log
            .push(Event::Wrote(self.path.clone(), offset, data.into()));
        *self.begun.lock().unwrap() = self.log.len();
    }

    fn resized(&self, len: u64) {
        self.log.push(Event::Resized(self.path.clone(), len));
        *self.begun.lock().unwrap() = self.log.len();
    }

    fn synced(&self) {
        let begun = *self.begun.lock().unwrap();
        self.log.push(Event::Synced(self.path.clone(), begun));
    }
}

/// The double.
pub(crate) struct Crash(pub(crate) Log);

impl Crash {
    fn after<T: 'static>(
        &self,
        op: Op<io::Result<T>>,
        event: impl FnOnce(usize) -> Event + 'static,
    ) -> Op<io::Result<T>> {
        let (log, begun) = (self.0.clone(), self.0.len());
        Box::pin(async move {
            let result = op.await;
            if result.is_ok() {
                log.push(event(begun));
            }
            result
        })
    }
}

impl SegmentIo for Crash {
    fn name(&self) -> &'static str {
        "blocking"
    }

    fn create(&self, path: &Path) -> Op<io::Result<Arc<SegmentFile>>> {
        let created = path.to_owned();
        self.after(Blocking.create(path), |_| Event::Created(created))
    }

    fn open_journal(&self, path: &Path, direct: bool) -> Op<io::Result<Arc<SegmentFile>>> {
        let created = path.to_owned();
        if path.exists() {
            return Blocking.open_journal(path, direct);
        }
        self.after(Blocking.open_journal(path, direct), |_| {
            Event::Created(created)
        })
    }

    fn write_at(
        &self,
        file: &Arc<SegmentFile>,
        offset: u64,
        buffer: Buffer,
    ) -> Op<(io::Result<()>, Buffer)> {
        let (log, path) = (self.0.clone(), file.path.clone());
        let op = Blocking.write_at(file, offset, buffer);
        Box::pin(async move {
            let (result, buffer) = op.await;
            log.push(Event::Wrote(path, offset, buffer.as_slice().into()));
            (result, buffer)
        })
    }

    fn preallocate(&self, file: &Arc<SegmentFile>, offset: u64, len: u64) -> Op<io::Result<()>> {
        Blocking.preallocate(file, offset, len)
    }

    fn sync_data(&self, file: &Arc<SegmentFile>) -> Op<io::Result<()>> {
        let path = file.path.clone();
        self.after(Blocking.sync_data(file), |begun| Event::Synced(path, begun))
    }

    fn sync_fs(&self, file: &Arc<SegmentFile>) -> Op<io::Result<()>> {
        self.after(Blocking.sync_fs(file), Event::SyncedAll)
    }

    fn sync_dir(&self, path: &Path) -> Op<io::Result<()>> {
        let folder = path.to_owned();
        self.after(Blocking.sync_dir(path), |_| Event::SyncedDir(folder))
    }

    fn truncate(&self, file: &Arc<SegmentFile>, len: u64) -> Op<io::Result<()>> {
        let path = file.path.clone();
        self.after(Blocking.truncate(file, len), move |_| {
            Event::Resized(path, len)
        })
    }

    fn unlink(&self, path: &Path) -> Op<io::Result<()>> {
        let gone = path.to_owned();
        self.after(Blocking.unlink(path), |_| Event::Unlinked(gone))
    }

    fn create_dirs(&self, root: &Path, path: &Path) -> Op<io::Result<()>> {
        Blocking.create_dirs(root, path)
    }
}

/// What becomes of everything that was not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loss {
    /// It is there: only the process died.
    Nothing,
    /// It is gone.
    Everything,
    /// Each sector and each directory entry by itself, by this seed.
    Some(u64),
}

#[derive(Clone, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<(usize, Change)>,
    entry_durable: bool,
    unlinked: bool,
}

#[derive(Clone)]
enum Change {
    Write(u64, Arc<[u8]>),
    Resize(u64),
}

/// The disk after some of the log.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    files: BTreeMap<PathBuf, File>,
}

impl Disk {
    /// A disk on which everything in a folder is durable.
    pub(crate) fn of(folder: &Path) -> Self {
        let mut disk = Self::default();
        disk.add(folder);
        disk
    }

    fn add(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.add(&path);
            } else if !["lock", "reserve"].contains(&path.file_name().unwrap().to_str().unwrap()) {
                let durable = std::fs::read(&path).unwrap();
                let file = File {
                    durable,
                    entry_durable: true,
                    ..File::default()
                };
                self.files.insert(path, file);
            }
        }
    }

    /// What the event with this number does to the disk.
    pub(crate) fn step(&mut self, number: usize, event: &Event) {
        match event {
            Event::Created(path) => {
                let file = self.files.entry(path.clone()).or_default();
                file.unlinked = false;
            }
            Event::Wrote(path, offset, data) => {
                let file = self.files.entry(path.clone()).or_default();
                file.pending
                    .push((number, Change::Write(*offset, Arc::clone(data))));
            }
            Event::Resized(path, len) => {
                let file = self.files.entry(path.clone()).or_default();
                file.pending.push((number, Change::Resize(*len)));
            }
            Event::Synced(path, before) => {
                if let Some(file) = self.files.get_mut(path) {
                    file.sync(*before);
                }
            }
            Event::SyncedAll(before) => {
                self.files.values_mut().for_each(|file| file.sync(*before));
            }
            Event::SyncedDir(folder) => {
                self.files.retain(|path, file| {
                    let inside = path.parent() == Some(folder);
                    file.entry_durable |= inside;
                    !(inside && file.unlinked)
                });
            }
            Event::Unlinked(path) => {
                if let Some(file) = self.files.get_mut(path) {
                    file.unlinked = true;
                }
            }
            Event::Acknowledged(..) | Event::Stored(_) => {}
        }
    }

    /// Makes what is left after a cut.
    pub(crate) fn materialise(&self, from: &Path, to: &Path, loss: Loss) {
        let mut chance = Chance(match loss {
            Loss::Some(seed) => seed | 1,
            _ => 1,
        });
        for (path, file) in &self.files {
            let there = match loss {
                Loss::Nothing => !file.unlinked,
                Loss::Everything => file.entry_durable,
                Loss::Some(_) => {
                    (file.entry_durable || chance.coin()) && !(file.unlinked && chance.coin())
                }
            };
            if !there {
                continue;
            }
            let target = to.join(path.strip_prefix(from).unwrap());
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::write(&target, file.after(loss, &mut chance)).unwrap();
        }
    }
}

impl File {
    fn sync(&mut self, before: usize) {
        let pending = std::mem::take(&mut self.pending);
        for (number, change) in pending {
            if number < before {
                apply(&mut self.durable, &change, &mut |_| true);
            } else {
                self.pending.push((number, change));
            }
        }
    }

    fn after(&self, loss: Loss, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (_, change) in &self.pending {
            match loss {
                Loss::Nothing => apply(&mut bytes, change, &mut |_| true),
                Loss::Everything => {}
                Loss::Some(_) => apply(&mut bytes, change, &mut |_| chance.coin()),
            }
        }
        bytes
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change, keep: &mut dyn FnMut(usize) -> bool) {
    match change {
        Change::Write(offset, data) => {
            let mut at = usize::try_from(*offset).unwrap();
            for piece in data.chunks(SECTOR) {
                if keep(at) {
                    if bytes.len() < at + piece.len() {
                        bytes.resize(at + piece.len(), 0);
                    }
                    bytes[at..at + piece.len()].copy_from_slice(piece);
                }
                at += piece.len();
            }
        }
        Change::Resize(len) => {
            if keep(0) {
                bytes.resize(usize::try_from(*len).unwrap(), 0);
            }
        }
    }
}

/// A repeatable coin (xorshift).
struct Chance(u64);

impl Chance {
    fn coin(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 & 4 != 0
    }
}
