//! Appends entries: one write and one `fdatasync` a group. What the index did not commit is taken
//! back before the next group, so that nothing is ever written twice.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chain::{ChainEnd, Hash, LogId};
use super::entry::Entry;
use super::verify::{Header, Placed, segment_name};
use crate::limits::LEDGER_SEGMENT_BYTES;
use crate::paths::{sync_dir, unlink_if_there};

/// How far the ledger is, as the index keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) log: LogId,
    pub(crate) end: ChainEnd,
    /// The segment that is written to, by its first entry.
    pub(crate) segment: u64,
    /// Its length in bytes; 0 when it is not there yet.
    pub(crate) length: u64,
}

impl Head {
    /// Before the first entry of a new ledger.
    pub(crate) const fn start(log: LogId) -> Self {
        Self {
            log,
            end: ChainEnd::START,
            segment: 1,
            length: 0,
        }
    }

    /// The same place of the chain, in a segment that is to be made.
    pub(crate) const fn in_new_segment(self) -> Self {
        Self {
            segment: self.end.seq + 1,
            length: 0,
            ..self
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; 72] {
        let mut bytes = [0; 72];
        bytes[..16].copy_from_slice(&self.log.0);
        bytes[16..24].copy_from_slice(&self.end.seq.to_be_bytes());
        bytes[24..56].copy_from_slice(&self.end.hash.0);
        bytes[56..64].copy_from_slice(&self.segment.to_be_bytes());
        bytes[64..].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 72] = bytes.try_into().ok()?;
        let number = |at: usize| bytes[at..at + 8].try_into().map(u64::from_be_bytes).ok();
        Some(Self {
            log: LogId(bytes[..16].try_into().ok()?),
            end: ChainEnd {
                seq: number(16)?,
                hash: Hash(bytes[24..56].try_into().ok()?),
            },
            segment: number(56)?,
            length: number(64)?,
        })
    }
}

/// What sees every change of the ledger's files, in order; only the crash double listens.
pub(crate) trait Watch: Send + Sync {
    fn created(&self, path: &Path);
    fn wrote(&self, path: &Path, offset: u64, data: &[u8]);
    fn resized(&self, path: &Path, len: u64);
    fn synced(&self, path: &Path);
    fn synced_dir(&self, path: &Path);
    fn unlinked(&self, path: &Path);
}

/// The ledger's end that is written to.
pub(crate) struct Writer {
    folder: PathBuf,
    committed: Head,
    /// What was appended last; whether the index has it is not known before its commit.
    appended: Option<Head>,
    file: Option<(u64, File)>,
    watch: Option<Arc<dyn Watch>>,
}

impl Writer {
    /// A writer that goes on from here; what is behind it must be gone.
    pub(crate) fn new(folder: PathBuf, head: Head, watch: Option<Arc<dyn Watch>>) -> Self {
        Self {
            folder,
            committed: head,
            appended: None,
            file: None,
            watch,
        }
    }

    pub(crate) const fn head(&self) -> Head {
        self.committed
    }

    /// The index has what was appended.
    pub(crate) fn committed(&mut self) {
        if let Some(head) = self.appended.take() {
            self.committed = head;
        }
    }

    /// Whether somebody took the segment away, or some of it, while it is written to.
    pub(crate) fn is_lost(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let (segment, length) = (self.committed.segment, self.committed.length);
        if length == 0 {
            return false;
        }
        let found = match &self.file {
            Some((_, file)) => file.metadata(),
            None => std::fs::metadata(self.path(segment)),
        };
        match found {
            Ok(found) => found.nlink() == 0 || found.len() < length,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Goes on in a new segment; what is there of this one stays as it is.
    pub(crate) fn go_on_anew(&mut self) {
        self.file = None;
        self.committed = self.committed.in_new_segment();
    }

    /// Makes up its mind about a commit that failed, or only seemed to: the index says how far
    /// the ledger is.
    pub(crate) fn settle(&mut self, indexed: Option<Head>) -> io::Result<()> {
        let Some(appended) = self.appended else {
            return Ok(());
        };
        if indexed == Some(appended) {
            self.committed = appended;
        } else {
            self.take_back(appended)?;
        }
        self.appended = None;
        Ok(())
    }

    fn take_back(&mut self, appended: Head) -> io::Result<()> {
        self.file = None;
        let committed = self.committed;
        if appended.segment != committed.segment || committed.length == 0 {
            let path = self.path(appended.segment);
            unlink_if_there(&path)?;
            self.tell(|watch| watch.unlinked(&path));
            return self.sync_folder();
        }
        let path = self.path(committed.segment);
        let file = File::options().write(true).open(&path)?;
        file.set_len(committed.length)?;
        self.tell(|watch| watch.resized(&path, committed.length));
        file.sync_data()?;
        self.tell(|watch| watch.synced(&path));
        Ok(())
    }

    /// Appends entries, which are numbered on from the head; durable when it returns.
    pub(crate) fn append(&mut self, entries: Vec<Entry>) -> io::Result<(Head, Vec<Placed>)> {
        debug_assert!(self.appended.is_none(), "the last group is settled");
        let mut head = self.committed;
        if head.length >= LEDGER_SEGMENT_BYTES {
            head = head.in_new_segment();
        }
        let from = head.length;
        let mut bytes = Vec::with_capacity(512 * (entries.len() + 1));
        if from == 0 {
            let header = Header {
                log: head.log,
                before: head.end,
            };
            bytes.extend_from_slice(header.to_line().as_bytes());
        }
        let mut placed = Vec::with_capacity(entries.len());
        for entry in entries {
            let offset = from + bytes.len() as u64;
            let json = entry.to_json();
            let hash = head.end.hash.then(&Hash::of(&json));
            head.end = ChainEnd {
                seq: entry.seq,
                hash,
            };
            bytes.extend_from_slice(hash.to_string().as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(&json);
            bytes.push(b'\n');
            placed.push(Placed {
                entry,
                hash,
                segment: head.segment,
                offset,
                length: from + bytes.len() as u64 - offset,
            });
        }
        head.length = from + bytes.len() as u64;
        // From here on the files may hold some of it.
        self.appended = Some(head);
        self.write(head.segment, from, &bytes)?;
        Ok((head, placed))
    }

    fn write(&mut self, segment: u64, from: u64, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(segment);
        let file = match self.file.take() {
            Some((open, file)) if open == segment => file,
            _ if from > 0 => File::options().write(true).open(&path)?,
            _ => {
                let file = new_segment(&path)?;
                self.tell(|watch| watch.created(&path));
                file
            }
        };
        file.write_all_at(bytes, from)?;
        self.tell(|watch| watch.wrote(&path, from, bytes));
        file.sync_data()?;
        self.tell(|watch| watch.synced(&path));
        if from == 0 {
            self.sync_folder()?;
        }
        self.file = Some((segment, file));
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        sync_dir(&self.folder)?;
        self.tell(|watch| watch.synced_dir(&self.folder));
        Ok(())
    }

    fn path(&self, segment: u64) -> PathBuf {
        self.folder.join(segment_name(segment))
    }

    fn tell(&self, what: impl FnOnce(&dyn Watch)) {
        if let Some(watch) = &self.watch {
            what(&**watch);
        }
    }
}

/// A file that is there already is somebody's evidence.
fn new_segment(path: &Path) -> io::Result<File> {
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::entry::{Act, Kind};
    use crate::limits::LEDGER_SEGMENT_BYTES;
    use crate::record::WallMillis;

    fn acts(from: u64, count: u64) -> Vec<Entry> {
        let made = |seq| {
            let act = Act::new(Kind::Play).with("padding", "x".repeat(4_000));
            act.into_entry(seq, WallMillis(seq))
        };
        (from..from + count).map(made).collect()
    }

    #[test]
    fn heads_come_back_from_bytes() {
        let head = Head {
            log: LogId([3; 16]),
            end: ChainEnd {
                seq: 77,
                hash: Hash::of(b"x"),
            },
            segment: 12,
            length: 4_711,
        };
        assert_eq!(Head::from_bytes(&head.to_bytes()), Some(head));
        assert_eq!(Head::from_bytes(&[0; 71]), None);
    }

    #[test]
    fn what_was_not_committed_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let start = Head::start(LogId([1; 16]));
        let mut writer = Writer::new(folder.path().to_owned(), start, None);
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        writer.append(acts(1, 2)).unwrap();
        writer.settle(None).unwrap();
        assert_eq!((names(), writer.head()), (0, start));
        let (first, _) = writer.append(acts(1, 2)).unwrap();
        writer.committed();
        let (second, _) = writer.append(acts(3, 1)).unwrap();
        let path = folder.path().join(segment_name(1));
        assert_eq!(path.metadata().unwrap().len(), second.length);
        writer.settle(Some(first)).unwrap();
        assert_eq!(path.metadata().unwrap().len(), first.length);
        // The index may have it although its commit seemed to fail.
        let (second, _) = writer.append(acts(3, 1)).unwrap();
        writer.settle(Some(second)).unwrap();
        assert_eq!(writer.head(), second);
        assert_eq!(path.metadata().unwrap().len(), second.length);
    }

    #[test]
    fn a_full_segment_is_followed_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(folder.path().to_owned(), Head::start(LogId([1; 16])), None);
        let mut seq = 1;
        while writer.head().segment == 1 {
            writer.append(acts(seq, 100)).unwrap();
            seq += 100;
            writer.committed();
        }
        assert_eq!(writer.head().segment, seq - 100);
        let first = folder.path().join(segment_name(1)).metadata().unwrap();
        assert!(first.len() >= LEDGER_SEGMENT_BYTES);
        let before = writer.head();
        writer.append(acts(seq, 1)).unwrap();
        writer.settle(Some(before)).unwrap();
        assert_eq!(writer.head(), before);
    }
}
