//! Writes an archive from front to back. Recordings go through a buffer; everything that is told of
//! them is in memory until the manifest is written, so its length is bounded before anything is.

use std::collections::{BTreeMap, HashSet, btree_map};
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;

use audio_io::units::Millis;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::draft::Draft;
use super::key::{Hashed, Hashes};
use super::manifest::{Entry, FORMAT, FileEntry, Head, KeyEntry, Manifest};
use super::names::{self, MANIFEST_MAX, PROOF_MAX, RECORDINGS_MAX};
use super::proof::{self, Shown};
use super::steps::{Step, step};
use super::{Export, ExportError, Item, Progress, README, SCRIPT, Written};
use crate::backup::tar;
use crate::ids::RecordingId;
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::key::PublicKey;
use crate::limits::READ_BUFFER;
use crate::record::{RecordingOutcome, RecordingState};
use crate::view::hex;

/// What the manifest takes at most beside its recordings, as far as it is not told here.
const AROUND: usize = 64 * 1024;

/// Writes an export into a file that appears under its name only when all of it is on the disk.
///
/// # Errors
/// [`ExportError`]; nothing is left then.
pub fn write_file(
    export: Export<'_>,
    target: &Path,
    replace: bool,
    progress: Progress<'_>,
) -> Result<Written, ExportError> {
    let mut draft = Draft::begin(target, replace)?;
    let written = write(export, &mut draft, progress)?;
    draft.publish()?;
    Ok(written)
}

/// Writes an export. All that can be known before is looked at before the first byte.
///
/// # Errors
/// [`ExportError`]; what was written by then is no export.
pub fn write(
    mut export: Export<'_>,
    to: &mut dyn Write,
    progress: Progress<'_>,
) -> Result<Written, ExportError> {
    let entries = planned(export.items)?;
    let total = entries.iter().map(|entry| entry.audio.size_bytes).sum();
    let length: usize = entries.iter().map(|entry| length(entry) + 1).sum();
    if length + export.note.as_ref().map_or(0, |note| 6 * note.len()) + AROUND > MANIFEST_MAX {
        return Err(ExportError::TooLong);
    }
    let mut archive = Archive {
        writer: tar::Writer::new(Counted { to, bytes: 0 }, export.made_at.0 / 1_000),
        files: Vec::new(),
        checkpoints: BTreeMap::new(),
        done: 0,
        total,
        progress,
    };
    archive.opening(&export)?;
    archive.told()?;
    let mut recordings = Vec::with_capacity(entries.len());
    for ((number, entry), item) in (1..).zip(entries).zip(export.items) {
        recordings.push(archive.recording(number, entry, item, &mut export)?);
    }
    archive.closing(recordings, export)
}

/// What is to be told of each recording, before its file is read.
fn planned(items: &[Item]) -> Result<Vec<Entry>, ExportError> {
    if items.is_empty() {
        return Err(ExportError::Nothing);
    }
    if items.len() > RECORDINGS_MAX {
        return Err(ExportError::TooMany(items.len()));
    }
    let mut seen = HashSet::new();
    let mut entries = Vec::with_capacity(items.len());
    for (number, item) in (1..).zip(items) {
        let id = item.row.facts.id;
        if !seen.insert(id) {
            return Err(ExportError::Twice(id));
        }
        entries.push(entry(number, item)?);
    }
    Ok(entries)
}

fn entry(number: u32, item: &Item) -> Result<Entry, ExportError> {
    let facts = &item.row.facts;
    let (id, state) = (facts.id, item.row.state);
    let outcome = has_file(item).ok_or(ExportError::NoFile { id, state })?;
    let metadata = item.path.metadata().map_err(failed(id, &item.path))?;
    if metadata.len() != outcome.size_bytes {
        return Err(ExportError::Length {
            id,
            path: item.path.clone(),
            expected: outcome.size_bytes,
            found: metadata.len(),
        });
    }
    let unknown = || "0".repeat(64);
    let file = |name, size_bytes, blake3| FileEntry {
        name,
        size_bytes,
        sha256: unknown(),
        blake3,
    };
    Ok(Entry {
        audio: file(
            names::audio(number, facts.container),
            outcome.size_bytes,
            hex(&outcome.content_hash),
        ),
        proof: Some(file(names::proof(number), PROOF_MAX as u64, unknown())),
        tenant: facts.tenant,
        tenant_name: item.tenant_name.clone(),
        id,
        names: facts.names.clone(),
        line: facts.line.clone(),
        from: facts.from.clone(),
        to: facts.to.clone(),
        started_at: facts.started_at,
        time_quality: facts.time.map(|time| time.to_string()),
        duration_ms: item.row.duration().unwrap_or(Millis::ZERO),
        format: facts.format,
        container: facts.container,
        state,
        end_cause: outcome.end_cause,
        frames: outcome.frames,
        gaps: outcome.gaps.clone(),
        marks: outcome.marks.clone(),
        levels: outcome.levels.clone(),
        sealed_at: outcome.sealed_at,
        tags: item.tags.clone(),
        holds: item.holds.clone(),
        keep_until: item.keep_until,
    })
}

/// The outcome of a recording whose file never changes any more.
fn has_file(item: &Item) -> Option<&RecordingOutcome> {
    let outcome = item.row.outcome.as_ref()?;
    let has = match item.row.state {
        RecordingState::Stored => true,
        RecordingState::Failed => outcome.size_bytes > 0,
        RecordingState::Live | RecordingState::Absent => false,
    };
    has.then_some(outcome)
}

fn length(entry: &Entry) -> usize {
    serde_json::to_vec(entry).map_or(MANIFEST_MAX, |bytes| bytes.len())
}

fn failed(id: RecordingId, path: &Path) -> impl Fn(io::Error) -> ExportError + use<> {
    let path = path.to_owned();
    move |source| ExportError::File {
        id,
        path: path.clone(),
        source,
    }
}

struct Archive<'w> {
    writer: tar::Writer<Counted<'w>>,
    files: Vec<FileEntry>,
    /// Lines by ledger and place in it, with the key that signed each.
    checkpoints: BTreeMap<(String, u64, String), PublicKey>,
    done: u64,
    total: u64,
    progress: Progress<'w>,
}

impl Archive<'_> {
    /// What stands before the recordings.
    fn opening(&mut self, export: &Export<'_>) -> Result<(), ExportError> {
        let head = Head {
            format: FORMAT,
            made_by: export.made_by.clone(),
        };
        let head = serde_json::to_vec(&head).unwrap_or_default();
        let key = export.key.public().to_pem();
        let contents: [&[u8]; 4] = [&head, README.as_bytes(), SCRIPT.as_bytes(), key.as_bytes()];
        for (name, bytes) in names::BEFORE.into_iter().zip(contents) {
            let file = self.member(name, bytes)?;
            self.files.push(file);
        }
        Ok(())
    }

    /// A member whose content is at hand.
    fn member(&mut self, name: &str, bytes: &[u8]) -> Result<FileEntry, ExportError> {
        self.begin(name, bytes.len() as u64)?;
        self.content(bytes)?;
        self.end(bytes.len() as u64)?;
        Ok(FileEntry::new(name, Hashes::of(bytes)))
    }

    fn begin(&mut self, name: &str, bytes: u64) -> Result<(), ExportError> {
        self.writer.begin(name, bytes).map_err(ExportError::Write)?;
        step(Step::Wrote);
        Ok(())
    }

    fn content(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.writer.content(bytes).map_err(ExportError::Write)?;
        step(Step::Wrote);
        Ok(())
    }

    fn end(&mut self, bytes: u64) -> Result<(), ExportError> {
        self.writer.end(bytes).map_err(ExportError::Write)
    }

    fn told(&mut self) -> Result<(), ExportError> {
        if (self.progress)(self.done, self.total) {
            Ok(())
        } else {
            Err(ExportError::Stopped)
        }
    }

    /// A recording's file and its proof; answers what is to be told of them.
    fn recording(
        &mut self,
        number: u32,
        mut entry: Entry,
        item: &Item,
        export: &mut Export<'_>,
    ) -> Result<Entry, ExportError> {
        let id = entry.id;
        let hashed = self.audio(&entry, item)?;
        if hashed.blake3 != entry.audio.blake3 {
            let path = item.path.clone();
            return Err(ExportError::Changed { id, path });
        }
        entry.audio.sha256 = hashed.sha256;
        let proofs = export.proofs.proofs(entry.tenant, id);
        let proofs = proofs.map_err(|source| ExportError::Proofs { id, source })?;
        if proofs.is_empty() {
            if !export.unproved {
                return Err(ExportError::Unproved(id));
            }
            entry.proof = None;
            return Ok(entry);
        }
        let bytes = proof::spelt(&proofs);
        let disproved = |what| ExportError::Disproved { id, what };
        if bytes.len() > PROOF_MAX {
            return Err(disproved(
                "its proof is longer than an archive holds".to_owned(),
            ));
        }
        let shown = Shown::read(&bytes).map_err(disproved)?;
        shown.fits(&entry).map_err(disproved)?;
        for line in shown.checkpoints {
            self.checkpoint(id, line, export.checkpoint_keys)?;
        }
        entry.proof = Some(self.member(&names::proof(number), &bytes)?);
        Ok(entry)
    }

    /// Copies a recording's file.
    fn audio(&mut self, entry: &Entry, item: &Item) -> Result<Hashed, ExportError> {
        let failed = failed(entry.id, &item.path);
        let size = entry.audio.size_bytes;
        let file = File::open(&item.path).map_err(&failed)?;
        // One byte more, so that a file that has grown is noticed.
        let mut file = file.take(size.saturating_add(1));
        self.begin(&entry.audio.name, size)?;
        let mut hashes = Hashes::new();
        let mut buffer = vec![0; READ_BUFFER];
        let mut copied: u64 = 0;
        loop {
            let read = match file.read(&mut buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            copied += read as u64;
            if copied > size || (read == 0 && copied < size) {
                return Err(ExportError::Length {
                    id: entry.id,
                    path: item.path.clone(),
                    expected: size,
                    found: copied,
                });
            }
            if read == 0 {
                break;
            }
            hashes.update(&buffer[..read]);
            self.content(&buffer[..read])?;
            self.done += read as u64;
            crate::progress::step();
            self.told()?;
        }
        self.end(size)?;
        Ok(hashes.finish())
    }

    /// Takes note of a checkpoint, if one of the keys signed it.
    fn checkpoint(
        &mut self,
        id: RecordingId,
        line: String,
        keys: &[PublicKey],
    ) -> Result<(), ExportError> {
        let Ok(parsed) = Checkpoint::parse(&line) else {
            let what = "its checkpoint is not spelled as checkpoints are written".to_owned();
            return Err(ExportError::Disproved { id, what });
        };
        let (log, seq) = (parsed.log.to_string(), parsed.end.seq);
        // The same place may be signed twice, but not with two pasts.
        let end = (log.clone(), seq.saturating_add(1), String::new());
        let mut same = self
            .checkpoints
            .range((log.clone(), seq, String::new())..end);
        let other = |line: &str| Checkpoint::parse(line).ok().map(|it| it.end.hash);
        if same.any(|((_, _, held), _)| other(held) != Some(parsed.end.hash)) {
            let what = format!("the ledger has two pasts of entry {seq}, both signed");
            return Err(ExportError::Disproved { id, what });
        }
        let place = (log, seq, line);
        if let btree_map::Entry::Vacant(free) = self.checkpoints.entry(place) {
            let signer = keys.iter().find(|key| parsed.is_signed_by(key));
            let key = parsed.key;
            free.insert(*signer.ok_or(ExportError::Checkpoint { id, key })?);
        }
        Ok(())
    }

    /// Checkpoints, manifest, signature and the end.
    fn closing(
        mut self,
        recordings: Vec<Entry>,
        export: Export<'_>,
    ) -> Result<Written, ExportError> {
        let mut lines = String::new();
        for (_, _, line) in self.checkpoints.keys() {
            lines.push_str(line);
            lines.push('\n');
        }
        if lines.len() > PROOF_MAX {
            return Err(ExportError::TooLong);
        }
        let file = self.member(names::CHECKPOINTS, lines.as_bytes())?;
        self.files.push(file);
        let keys: BTreeMap<String, &PublicKey> = self
            .checkpoints
            .values()
            .map(|key| (key.id().to_string(), key))
            .collect();
        let manifest = Manifest {
            format: FORMAT,
            made_by: export.made_by,
            made_at: export.made_at,
            host: export.host,
            note: export.note,
            signing_key: KeyEntry::from(&export.key.public()),
            checkpoint_keys: keys.into_values().map(KeyEntry::from).collect(),
            files: std::mem::take(&mut self.files),
            recordings,
        };
        let bytes = manifest.bytes();
        if bytes.len() > MANIFEST_MAX {
            return Err(ExportError::TooLong);
        }
        self.member(names::MANIFEST, &bytes)?;
        let signature = STANDARD.encode(export.key.sign(&bytes)) + "\n";
        self.member(names::SIGNATURE, signature.as_bytes())?;
        let counted = self.writer.finish().map_err(ExportError::Write)?;
        step(Step::Wrote);
        let unproved = manifest.recordings.iter();
        let unproved = unproved.filter(|entry| entry.proof.is_none()).count();
        Ok(Written {
            recordings: manifest.recordings.len() as u64,
            unproved: unproved as u64,
            sound_bytes: self.total,
            bytes: counted.bytes,
            manifest_blake3: *blake3::hash(&bytes).as_bytes(),
        })
    }
}

/// Counts what is written.
struct Counted<'w> {
    to: &'w mut dyn Write,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
