//! Reads a backup, once, from its front to its end, and believes nothing: every name, length, row
//! and hash is looked at, and only at the end is it known that all of it is what was written.

use std::collections::HashSet;
use std::io::Read;

use serde::Serialize;

use super::names::{CHUNKS_MAX, FILE_MAX, FILES_MAX, Place, chunk};
use super::tar::{MEMBER_MAX, Reader, TarError};
use super::{FORMAT, HEAD, Head, MANIFEST, META_NAMES, Manifest, ROWS_MAGIC, schema_of};
use crate::index::migrate::SCHEMA;
use crate::index::values;
use crate::index::whole::{self, AnyTable, Row};
use crate::restore::RestoreError;

/// Keys that a brief lists; more are only counted.
const KEYS_MAX: usize = 100_000;

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The container.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// It was written by a newer version.
    #[error(
        "it has format {found}, written by callreel {version}; this version knows up to {FORMAT}: \
         restore it with that version, or upgrade callreel"
    )]
    NewerFormat {
        /// What it says.
        found: u32,
        /// Who wrote it.
        version: String,
    },
    /// Its index is of a newer version.
    #[error(
        "its index has schema {found}, written by callreel {version}; this version knows up to \
         {SCHEMA}: restore it with that version, or upgrade callreel"
    )]
    NewerSchema {
        /// What it says.
        found: u32,
        /// Who wrote it.
        version: String,
    },
    /// A table that this version does not know.
    #[error("its index has a table '{0}' that this version does not know: upgrade callreel")]
    UnknownTable(String),
    /// The first member cannot be read.
    #[error("its first member is damaged: {0}")]
    Head(#[source] serde_json::Error),
    /// A name that no backup has, or has there.
    #[error("it has a member '{0}' that does not belong there; nothing of it is used")]
    Stranger(String),
    /// Not what the manifest says.
    #[error("member '{0}' is damaged: it is not what was written")]
    Damaged(String),
    /// The rows of a member cannot be rows.
    #[error("member '{0}' has rows that cannot be any")]
    Rows(String),
    /// It tells of more or fewer rows than it has.
    #[error("its rows are incomplete")]
    Incomplete,
}

impl ArchiveError {
    /// Whether a newer version is what it takes.
    #[must_use]
    pub const fn is_foreign(&self) -> bool {
        matches!(
            self,
            Self::NewerFormat { .. } | Self::NewerSchema { .. } | Self::UnknownTable(_)
        )
    }
}

/// A key of the API as a backup holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KeyBrief {
    /// Its number.
    pub key_id: u64,
    /// When it was issued.
    pub created_at_ms: u64,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A backup that was read to its end and found whole.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What it is.
    pub head: Head,
    /// Bytes of it.
    pub bytes: u64,
    /// Its members.
    pub members: u64,
    /// Its files of configuration and keys.
    pub files: Vec<(Place, Vec<u8>)>,
    /// Its keys.
    pub keys: Vec<KeyBrief>,
}

/// What takes the parts of a backup as they come. Until the end they may be damaged.
pub(crate) trait Take {
    fn head(&mut self, head: &Head) -> Result<(), RestoreError>;
    fn file(&mut self, place: Place, bytes: Vec<u8>) -> Result<(), RestoreError>;
    fn rows(&mut self, table: &dyn AnyTable, rows: &[Row<'_>]) -> Result<(), RestoreError>;
}

/// Reads a backup to its end and checks all of it. `progress` is told rows read and rows in all.
///
/// # Errors
/// [`RestoreError::Archive`].
pub fn verify(from: impl Read, progress: super::Progress<'_>) -> Result<Checked, RestoreError> {
    let mut look = Look::default();
    let (head, members, bytes) = unpack(from, &mut look, progress)?;
    Ok(Checked {
        head,
        bytes,
        members,
        files: look.files,
        keys: look.keys,
    })
}

#[derive(Default)]
struct Look {
    files: Vec<(Place, Vec<u8>)>,
    keys: Vec<KeyBrief>,
}

impl Take for Look {
    fn head(&mut self, _: &Head) -> Result<(), RestoreError> {
        Ok(())
    }

    fn file(&mut self, place: Place, bytes: Vec<u8>) -> Result<(), RestoreError> {
        self.files.push((place, bytes));
        Ok(())
    }

    fn rows(&mut self, table: &dyn AnyTable, rows: &[Row<'_>]) -> Result<(), RestoreError> {
        if table.name() == "keys" {
            let room = KEYS_MAX.saturating_sub(self.keys.len());
            let rows = rows
                .iter()
                .filter_map(|(_, row)| values::decode_key(row).ok());
            self.keys.extend(rows.take(room).map(|row| KeyBrief {
                key_id: row.key_id,
                created_at_ms: row.created_at.0,
                revoked: row.revoked_at.is_some(),
            }));
        }
        Ok(())
    }
}

/// Reads a backup; answers what it is, its members and its bytes.
pub(crate) fn unpack(
    from: impl Read,
    take: &mut dyn Take,
    progress: super::Progress<'_>,
) -> Result<(Head, u64, u64), RestoreError> {
    let mut reader = Reader::new(from, HEAD);
    let head = first(&mut reader)?;
    take.head(&head.0)?;
    let (head, mut seen) = (head.0, Seen::new(&head.1));
    progress(0, head.rows);
    loop {
        let Some((name, bytes)) = reader.next().map_err(ArchiveError::from)? else {
            return Err(ArchiveError::Tar(TarError::Truncated).into());
        };
        if name == MANIFEST {
            seen.compare(&bytes)?;
            break;
        }
        seen.manifest.note(&name, &bytes);
        if name == chunk(seen.chunks + 1) && seen.chunks < CHUNKS_MAX {
            seen.chunks += 1;
            let (table, rows) = split(&name, &bytes)?;
            seen.rows += rows.len() as u64;
            seen.meta(table, &rows);
            take.rows(table, &rows)?;
            progress(seen.rows, head.rows.max(seen.rows));
        } else {
            let place = seen.place(&name, bytes.len())?;
            take.file(place, bytes)?;
        }
    }
    if let Some((name, _)) = reader.next().map_err(ArchiveError::from)? {
        return Err(ArchiveError::Stranger(name).into());
    }
    if seen.rows != head.rows || seen.schema != Some(head.schema) || !seen.secret {
        return Err(ArchiveError::Incomplete.into());
    }
    let members = seen.manifest.members.len() as u64 + 1;
    Ok((head, members, reader.position()))
}

/// The first member, and its bytes.
fn first<R: Read>(reader: &mut Reader<R>) -> Result<(Head, Vec<u8>), ArchiveError> {
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
        version: String,
    }
    let Some((name, bytes)) = reader.next()? else {
        return Err(TarError::NotOne.into());
    };
    if name != HEAD {
        return Err(TarError::NotOne.into());
    }
    // What a newer format has beside these two is not known here.
    let told: Version = serde_json::from_slice(&bytes).map_err(ArchiveError::Head)?;
    if told.format != FORMAT {
        return Err(ArchiveError::NewerFormat {
            found: told.format,
            version: told.version.chars().take(64).collect(),
        });
    }
    let head: Head = serde_json::from_slice(&bytes).map_err(ArchiveError::Head)?;
    if head.schema > SCHEMA || head.schema == 0 {
        return Err(ArchiveError::NewerSchema {
            found: head.schema,
            version: head.version.chars().take(64).collect(),
        });
    }
    Ok((head, bytes))
}

/// What has been read so far.
struct Seen {
    manifest: Manifest,
    places: HashSet<Place>,
    chunks: u32,
    rows: u64,
    schema: Option<u32>,
    secret: bool,
}

impl Seen {
    fn new(head: &[u8]) -> Self {
        let mut manifest = Manifest::default();
        manifest.note(HEAD, head);
        Self {
            manifest,
            places: HashSet::new(),
            chunks: 0,
            rows: 0,
            schema: None,
            secret: false,
        }
    }

    /// A file's place, when it may be there. Files come before all rows, each once.
    fn place(&mut self, name: &str, len: usize) -> Result<Place, ArchiveError> {
        let stranger = || ArchiveError::Stranger(name.chars().take(100).collect());
        let place = Place::of_member(name).ok_or_else(stranger)?;
        let fits = self.chunks == 0 && len <= FILE_MAX && self.places.len() < FILES_MAX;
        if !fits || !self.places.insert(place.clone()) {
            return Err(stranger());
        }
        Ok(place)
    }

    fn meta(&mut self, table: &dyn AnyTable, rows: &[Row<'_>]) {
        if table.name() != "meta" {
            return;
        }
        for (key, value) in rows {
            if *key == META_NAMES.0.as_bytes() {
                self.schema = Some(schema_of(value));
            } else if *key == META_NAMES.1.as_bytes() {
                self.secret = value.len() == 32;
            }
        }
    }

    /// Compares the manifest, byte for byte, with the one that what was read would have.
    fn compare(&self, bytes: &[u8]) -> Result<(), ArchiveError> {
        if bytes == self.manifest.bytes() {
            return Ok(());
        }
        let told = serde_json::from_slice::<Manifest>(bytes).unwrap_or_default();
        let pairs = self.manifest.members.iter().zip(&told.members);
        let differing = pairs.into_iter().find(|(mine, theirs)| mine != theirs);
        let name = differing.map_or(MANIFEST, |(mine, _)| &*mine.name);
        Err(ArchiveError::Damaged(name.to_owned()))
    }
}

/// A member of rows, taken apart.
fn split<'b>(
    name: &str,
    bytes: &'b [u8],
) -> Result<(&'static dyn AnyTable, Vec<Row<'b>>), ArchiveError> {
    let bad = || ArchiveError::Rows(name.to_owned());
    let mut rest = bytes.strip_prefix(ROWS_MAGIC).ok_or_else(bad)?;
    let len = usize::from(piece(&mut rest, 1).ok_or_else(bad)?[0]);
    let table = piece(&mut rest, len).ok_or_else(bad)?;
    let table = std::str::from_utf8(table).map_err(|_| bad())?;
    let table = whole::named(table)
        .ok_or_else(|| ArchiveError::UnknownTable(table.chars().take(64).collect()))?;
    let count = number(&mut rest).ok_or_else(bad)?;
    // Each row has eight bytes at least: the count cannot make this large.
    let mut rows = Vec::with_capacity(count.min(bytes.len() / 8));
    for _ in 0..count {
        let key_len = number(&mut rest).ok_or_else(bad)?;
        let value_len = number(&mut rest).ok_or_else(bad)?;
        let key = piece(&mut rest, key_len).ok_or_else(bad)?;
        let value = piece(&mut rest, value_len).ok_or_else(bad)?;
        if !table.takes((key, value)) {
            return Err(bad());
        }
        rows.push((key, value));
    }
    if rest.is_empty() {
        Ok((table, rows))
    } else {
        Err(bad())
    }
}

fn piece<'b>(rest: &mut &'b [u8], len: usize) -> Option<&'b [u8]> {
    let (piece, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(piece)
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let bytes = piece(rest, 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

const _: () = assert!(FILE_MAX <= MEMBER_MAX);
