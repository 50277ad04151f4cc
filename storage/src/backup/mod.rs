//! Backups: one archive with everything that cannot be made again from the recordings' files. It
//! is written from one snapshot of the index, which nobody waits for, beside normal work.
//!
//! ```text
//!  index ── read transaction ──▶ rows, a table after the other ──▶ chunks ──┐
//!  files of configuration and keys ─────────────────────────────────────────┴▶ tar, manifest last
//! ```
//!
//! FORMAT.md describes every byte. Recordings themselves are not in it.

pub(crate) mod names;
pub(crate) mod tar;
pub(crate) mod unpack;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audio_io::units::WallMillis;
use redb::ReadTransaction;
use serde::{Deserialize, Serialize};

use crate::check::OFFLINE_CACHE;
use crate::error::{OpenError, ReadError};
use crate::handle::StorageHandle;
use crate::index::backend::{FileOpener, Opener};
use crate::index::migrate::{self, SCHEMA, State};
use crate::index::whole::{self, AnyTable, WalkError};
use crate::index::{Index, keys, tables};
use crate::open::lock;
use crate::paths::Layout;
use crate::reserve::Reserve;
use crate::view::hex;

pub use names::{KeyFile, Place};
pub use unpack::{ArchiveError, Checked, KeyBrief, verify};

/// The first member: what the archive is.
pub(crate) const HEAD: &str = "callreel-backup.json";

/// The last member: every other one with its length and hash.
pub(crate) const MANIFEST: &str = "manifest.json";

/// The layout that is written now.
pub const FORMAT: u32 = 1;

/// What the rows of one member begin with.
pub(crate) const ROWS_MAGIC: &[u8; 8] = b"CRELROW1";

/// Bytes of rows after which a member ends.
const CHUNK: usize = 1024 * 1024;

/// The first member, which tells what the others are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`FORMAT`].
    pub format: u32,
    /// The program that wrote it.
    pub version: String,
    /// The index's schema.
    pub schema: u32,
    /// When the snapshot was taken.
    pub made_at_ms: u64,
    /// On which machine.
    pub host: String,
    /// The store's folder there.
    pub data_dir: PathBuf,
    /// The configuration file there, if there is one.
    pub config_file: Option<PathBuf>,
    /// Where the members that are files were read.
    pub files: Vec<FileHead>,
    /// Rows of recordings.
    pub recordings: u64,
    /// Tenants.
    pub tenants: u64,
    /// Users.
    pub users: u64,
    /// Keys of the API, ended ones included.
    pub keys: u64,
    /// Prompts.
    pub prompts: u64,
    /// Rows of all tables.
    pub rows: u64,
}

/// Where a file was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHead {
    /// Its name in the archive.
    pub member: String,
    /// Its place on the machine.
    pub path: PathBuf,
}

/// A file to put into a backup.
#[derive(Clone, Debug)]
pub struct Source {
    /// What it is.
    pub place: Place,
    /// Where it was read.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// What a backup holds beside the index.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The program's version.
    pub version: String,
    /// The machine's name.
    pub host: String,
    /// The time.
    pub made_at: WallMillis,
    /// The configuration file, if there is one.
    pub config_file: Option<PathBuf>,
    /// Files of configuration and keys.
    pub sources: Vec<Source>,
}

/// Why a backup was not written.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is nothing to back up.
    #[error("there is no index in '{}': nothing was ever recorded there", .0.display())]
    NoIndex(PathBuf),
    /// A file's name does not fit into the archive.
    #[error("'{}' cannot be backed up under its name: give it a shorter, plain one", .0.display())]
    Name(PathBuf),
    /// Whoever takes the archive.
    #[error("the backup cannot be written: {0}")]
    Write(#[source] std::io::Error),
}

impl From<WalkError> for BackupError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Read(error) => Self::Read(error),
            WalkError::Visit(error) => Self::Write(error),
        }
    }
}

/// Told rows written and rows in all.
pub type Progress<'p> = &'p mut dyn FnMut(u64, u64);

/// Writes a backup of an open store beside its normal work: of one moment, in bounded memory,
/// without holding anybody up.
///
/// # Errors
/// [`BackupError`]; what was written by then is no backup.
pub fn write(
    handle: &StorageHandle,
    contents: &Contents,
    to: &mut dyn Write,
    progress: Progress<'_>,
) -> Result<Head, BackupError> {
    if let Err(error) = handle.flush_index() {
        log::warn!("the index is behind while it is backed up: {error}");
    }
    let reading = handle.shared.index.begin_read()?;
    snapshot(&reading, SCHEMA, handle.data_dir(), contents, to, progress)
}

/// Writes a backup of a store that no daemon has open. Nothing in the store is changed.
///
/// # Errors
/// [`BackupError`]; what was written by then is no backup.
pub fn write_offline(
    data_dir: &Path,
    contents: &Contents,
    to: &mut dyn Write,
    progress: Progress<'_>,
) -> Result<Head, BackupError> {
    let layout = Layout::new(data_dir);
    if !layout.index().exists() {
        return Err(BackupError::NoIndex(data_dir.to_owned()));
    }
    let _lock = lock(&layout)?;
    let reserve = Arc::new(Reserve::new(layout.reserve()));
    let opener: Arc<dyn Opener> = Arc::new(FileOpener { reserve });
    let index = Index::open(opener, layout.index(), OFFLINE_CACHE).map_err(OpenError::from)?;
    let schema = match migrate::state(&index)? {
        State::Current(_) => SCHEMA,
        State::Older(schema) => schema,
        State::Empty => return Err(BackupError::NoIndex(data_dir.to_owned())),
    };
    let reading = index.begin_read()?;
    snapshot(&reading, schema, data_dir, contents, to, progress)
}

fn snapshot(
    reading: &ReadTransaction,
    schema: u32,
    data_dir: &Path,
    contents: &Contents,
    to: &mut dyn Write,
    progress: Progress<'_>,
) -> Result<Head, BackupError> {
    let head = head(reading, schema, data_dir, contents)?;
    let mut archive = Archive {
        writer: tar::Writer::new(to, contents.made_at.0 / 1_000),
        manifest: Manifest::default(),
        rows: 0,
        chunks: 0,
    };
    // Plain structs with text keys always serialise.
    archive.member(HEAD, &serde_json::to_vec(&head).unwrap_or_default())?;
    for source in &contents.sources {
        let name = member_name(source)?;
        archive.member(&name, &source.bytes)?;
    }
    progress(0, head.rows);
    for table in whole::backed_up() {
        archive.table(table, reading, &mut |rows| progress(rows, head.rows))?;
    }
    archive.finish()?;
    progress(head.rows, head.rows);
    Ok(head)
}

fn member_name(source: &Source) -> Result<String, BackupError> {
    let name = source.place.member();
    let fits = name.len() <= tar::NAME_MAX && Place::of_member(&name).is_some();
    let fits = fits && source.bytes.len() <= names::FILE_MAX;
    fits.then_some(name)
        .ok_or_else(|| BackupError::Name(source.path.clone()))
}

fn head(
    reading: &ReadTransaction,
    schema: u32,
    data_dir: &Path,
    contents: &Contents,
) -> Result<Head, BackupError> {
    let len = |name: &str| whole::named(name).map_or(Ok(0), |table| table.len(reading));
    let mut rows = 0;
    for table in whole::backed_up() {
        rows += table.len(reading)?;
    }
    let files = contents.sources.iter().map(|source| {
        Ok(FileHead {
            member: member_name(source)?,
            path: source.path.clone(),
        })
    });
    Ok(Head {
        format: FORMAT,
        version: contents.version.clone(),
        schema,
        made_at_ms: contents.made_at.0,
        host: contents.host.clone(),
        data_dir: data_dir.to_owned(),
        config_file: contents.config_file.clone(),
        files: files.collect::<Result<_, BackupError>>()?,
        recordings: len("recordings")?,
        tenants: len("tenants")?,
        users: len("users")?,
        keys: len("keys")?,
        prompts: len("prompts")?,
        rows,
    })
}

/// The last member's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) members: Vec<Member>,
}

/// A member as the manifest tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
    pub(crate) blake3: String,
}

impl Manifest {
    pub(crate) fn note(&mut self, name: &str, bytes: &[u8]) {
        self.members.push(Member {
            name: name.to_owned(),
            size_bytes: bytes.len() as u64,
            blake3: hex(blake3::hash(bytes).as_bytes()),
        });
    }

    /// The one spelling.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

struct Archive<'w> {
    writer: tar::Writer<&'w mut dyn Write>,
    manifest: Manifest,
    rows: u64,
    chunks: u32,
}

impl Archive<'_> {
    fn member(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        self.manifest.note(name, bytes);
        self.writer.member(name, bytes).map_err(BackupError::Write)
    }

    /// A table's rows, in members of bounded length.
    fn table(
        &mut self,
        table: &dyn AnyTable,
        reading: &ReadTransaction,
        told: &mut dyn FnMut(u64),
    ) -> Result<(), BackupError> {
        let mut chunk = Chunk::new(table.name());
        table.each(reading, &mut |key, value| {
            chunk.add(key, value);
            self.rows += 1;
            if chunk.bytes.len() >= CHUNK {
                let full = std::mem::replace(&mut chunk, Chunk::new(table.name()));
                self.chunk(full)?;
                told(self.rows);
            }
            Ok(())
        })?;
        if chunk.rows > 0 {
            self.chunk(chunk).map_err(BackupError::Write)?;
        }
        Ok(())
    }

    fn chunk(&mut self, chunk: Chunk) -> std::io::Result<()> {
        self.chunks += 1;
        let name = names::chunk(self.chunks);
        let bytes = chunk.finish();
        self.manifest.note(&name, &bytes);
        self.writer.member(&name, &bytes)
    }

    fn finish(mut self) -> Result<(), BackupError> {
        let manifest = self.manifest.bytes();
        self.writer
            .member(MANIFEST, &manifest)
            .and_then(|()| self.writer.finish().map(drop))
            .map_err(BackupError::Write)
    }
}

/// Rows of one table as a member holds them.
struct Chunk {
    bytes: Vec<u8>,
    count_at: usize,
    rows: u32,
}

impl Chunk {
    fn new(table: &str) -> Self {
        let mut bytes = ROWS_MAGIC.to_vec();
        // Names of tables are short: see `whole`.
        bytes.push(u8::try_from(table.len()).unwrap_or(0));
        bytes.extend_from_slice(table.as_bytes());
        let count_at = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        Self {
            bytes,
            count_at,
            rows: 0,
        }
    }

    fn add(&mut self, key: &[u8], value: &[u8]) {
        for part in [key, value] {
            let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
            self.bytes.extend_from_slice(&len.to_le_bytes());
        }
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.rows += 1;
    }

    fn finish(mut self) -> Vec<u8> {
        let count = self.rows.to_le_bytes();
        self.bytes[self.count_at..self.count_at + 4].copy_from_slice(&count);
        self.bytes
    }
}

/// A number of the book-keeping from its bytes.
pub(crate) fn schema_of(bytes: &[u8]) -> u32 {
    keys::be32(bytes)
}

/// The name of the row that holds the schema, and of the one that holds the secret.
pub(crate) const META_NAMES: (&str, &str) = (tables::meta::SCHEMA, tables::meta::HASH_SECRET);

#[cfg(test)]
pub(crate) mod tests;
