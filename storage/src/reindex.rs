//! Rebuilds the index from the files alone. Tenants, users, keys, prompts and the names of deleted
//! recordings are carried over where the old index can still be read. Only when the new one is
//! complete does it take the old one's place.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audio_io::clock::{Clock as _, SystemClock};

use crate::accounts::carried_over;
use crate::carry::carry;
use crate::check::OFFLINE_CACHE;
use crate::error::{CheckError, OpenError, ReadError, ReindexError};
use crate::ids::{RecordingId, TenantId, TenantName};
use crate::import::{plain_sound, row_of};
use crate::index::apply::Change;
use crate::index::backend::{FileOpener, Opener};
use crate::index::keeping::KeepingChange;
use crate::index::replaced::ReplaceChange;
use crate::index::rows::{RowChange, RowTable};
use crate::index::tables::meta;
use crate::index::{Index, migrate};
use crate::ledger::chain::Hash;
use crate::limits::COMMIT_GROUP_MAX;
use crate::open::lock;
use crate::paths::{Layout, sync_dir, unlink_if_there};
use crate::record::{KeyRow, Recording, Tenant, WallMillis};
use crate::reserve::Reserve;
use crate::segment::facts::FactsError;
use crate::segment::sealed::{self, SealedError};
use crate::walk;
use crate::work::{SoundAt, measure};

/// What reindexing did.
#[derive(Debug, Default)]
pub struct ReindexReport {
    /// Recordings in the new index.
    pub recordings: u64,
    /// Tenants in it.
    pub tenants: u64,
    /// Keys carried over.
    pub keys: u64,
    /// Prompts carried over.
    pub prompts: u64,
    /// Users carried over, with their sessions, the lock-outs and the keys that sign links.
    pub users: u64,
    /// The old index could not be read: its users, keys and prompts are gone and must be made anew.
    pub old_unreadable: bool,
    /// Files that could not be taken in, and why.
    pub skipped: Vec<(PathBuf, SealedError)>,
    /// Where the old index is kept.
    pub backup: Option<PathBuf>,
}

/// Rebuilds the index of a store that no daemon has open. `progress` is told bytes read and bytes
/// in all.
///
/// # Errors
/// [`ReindexError`]; the old index is untouched then.
pub fn reindex(
    data_dir: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ReindexReport, ReindexError> {
    let layout = Layout::new(data_dir);
    let _lock = lock(&layout)?;
    let fresh_path = data_dir.join("index.redb.new");
    unlink_if_there(&fresh_path).map_err(|source| ReindexError::Io {
        path: fresh_path.clone(),
        source,
    })?;
    let reserve = Arc::new(Reserve::new(layout.reserve()));
    let opener: Arc<dyn Opener> = Arc::new(FileOpener { reserve });
    let old = Old::read(&layout, &opener)?;
    let mut work = Work {
        fresh: Index::open(opener, fresh_path.clone(), OFFLINE_CACHE)?,
        report: ReindexReport {
            old_unreadable: !old.readable,
            ..Default::default()
        },
        adopter: Adopter {
            told: crate::ledger::ahead::told(&layout.ledger()),
            ..Adopter::default()
        },
        old_is_gone: old.index.is_none(),
    };
    work.carry_over(old, &layout)?;
    let is_blind = work.old_is_gone;
    work.take_files(&layout, progress)?;
    if is_blind && work.adopter.recordings > 0 {
        // Files do not tell of holds: nothing is deleted until somebody has seen to that.
        let lost = Change::Keeping(KeepingChange::Lost(true));
        work.adopter.group.push(lost);
    }
    work.commit()?;
    let Work {
        fresh,
        mut report,
        adopter,
        ..
    } = work;
    report.recordings = adopter.recordings;
    report.skipped = adopter.skipped;
    report.tenants = adopter.tenants.len() as u64;
    drop(fresh);
    report.backup = swap(&layout, &fresh_path)?;
    Ok(report)
}

/// What the old index still tells.
#[derive(Default)]
struct Old {
    readable: bool,
    hash_secret: Option<[u8; 32]>,
    id_high: u64,
    tenants: Vec<Tenant>,
    keys: Vec<KeyRow>,
    accounts: Vec<RowChange>,
    live: Vec<Recording>,
    /// How far the ledger is: the log itself is looked at by the next start.
    ledger: Vec<RowChange>,
    /// For what is carried over in pieces.
    index: Option<Index>,
}

impl Old {
    /// What cannot be opened is only given up where that is the index's own fault.
    fn read(layout: &Layout, opener: &Arc<dyn Opener>) -> Result<Self, OpenError> {
        if !layout.index().exists() {
            return Ok(Self {
                readable: true,
                ..Self::default()
            });
        }
        match Self::try_read(layout, opener) {
            Err(
                error @ (OpenError::NoRoom { .. } | OpenError::Io { .. } | OpenError::Place(_)),
            ) => Err(error),
            Err(error) => {
                log::warn!("the old index cannot be read: {error}");
                Ok(Self::default())
            }
            read => read,
        }
    }

    fn try_read(layout: &Layout, opener: &Arc<dyn Opener>) -> Result<Self, OpenError> {
        let wall = SystemClock.wall();
        let (index, secret) = migrate::open(opener, layout, OFFLINE_CACHE, wall)?;
        // Without its recordings an index of nothing would be made.
        crate::retention::agreed_id(layout, &index)?;
        let read = |error| OpenError::from(CheckError::Read(error));
        Ok(Self {
            readable: true,
            hash_secret: Some(secret),
            id_high: index.id_high().map_err(read)?,
            tenants: whole(index.tenant_rows().map_err(read)?),
            keys: whole(index.key_rows().map_err(read)?),
            accounts: carried_over(&index).map_err(read)?,
            live: index.live().map_err(read)?,
            ledger: ledger(&index).map_err(read)?,
            index: Some(index),
        })
    }
}

/// What is kept of the ledger: that it is at least so far, whatever its files say.
fn ledger(index: &Index) -> Result<Vec<RowChange>, ReadError> {
    let mut rows = Vec::new();
    let floor = match index.meta(meta::LEDGER_HEAD)? {
        None => index.meta(meta::LEDGER_FLOOR)?,
        head => head,
    };
    rows.extend(floor.map(|floor| RowChange::Meta(meta::LEDGER_FLOOR, floor)));
    for name in [meta::LEDGER_KEY, meta::LEDGER_ADOPT] {
        let held = index.meta(name)?;
        rows.extend(held.map(|held| RowChange::Meta(name, held)));
    }
    Ok(rows)
}

/// The rows that can be read.
fn whole<I, T, E>(rows: Vec<(I, Result<T, E>)>) -> Vec<T> {
    rows.into_iter().filter_map(|(_, row)| row.ok()).collect()
}

struct Work {
    fresh: Index,
    report: ReindexReport,
    adopter: Adopter,
    /// There was no old index, or none that could be read.
    old_is_gone: bool,
}

impl Work {
    fn carry_over(&mut self, old: Old, layout: &Layout) -> Result<(), ReindexError> {
        migrate::create(&self.fresh, old.hash_secret)?;
        crate::index::search::prepare(&self.fresh)?;
        self.adopter
            .group
            .push(Change::ReserveIds { below: old.id_high });
        for tenant in old.tenants {
            self.adopter.tenants.insert(tenant.id, tenant.name.clone());
            self.adopter.group.push(Change::PutTenant(tenant));
        }
        self.report.keys = old.keys.len() as u64;
        self.adopter
            .group
            .extend(old.keys.iter().map(Change::put_key));
        let users = old.accounts.iter();
        let users = users.filter(|row| matches!(row, RowChange::Put(RowTable::Users, ..)));
        self.report.users = users.count() as u64;
        self.adopter.group.push(Change::Rows(old.accounts));
        self.adopter.group.push(Change::Rows(old.ledger));
        // What was open is sealed by the next start, which finds it by these rows.
        self.adopter
            .group
            .extend(old.live.into_iter().map(|row| Change::Put(Box::new(row))));
        self.commit()?;
        self.report.prompts = carry(old.index.as_ref(), &self.fresh, layout)?;
        Ok(())
    }

    fn take_files(
        &mut self,
        layout: &Layout,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), ReindexError> {
        let (mut found, mut total) = (Vec::new(), 0);
        walk::files(&layout.recordings(), &mut |file| {
            let ending = &file.ending;
            let sidecar = ending == "peaks" || ending.ends_with("facts.json");
            if !sidecar && !ending.ends_with("tmp") {
                total += file.bytes;
                found.push((file.path, file.owner));
            }
        })
        .map_err(|error| ReindexError::Open(error.into()))?;
        let mut done = 0;
        progress(0, total);
        // The files of one recording come one after the other.
        let one = |a: &(_, Option<_>), b: &(_, Option<_>)| a.1.is_some() && a.1 == b.1;
        for files in found.chunk_by(one) {
            let paths = files.iter().map(|(path, _)| path.as_path());
            self.adopter.recording(layout, paths, &mut |bytes| {
                done += bytes;
                progress(done, total.max(done));
            });
            if self.adopter.group.len() >= COMMIT_GROUP_MAX {
                self.commit()?;
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), ReindexError> {
        self.fresh
            .commit(&std::mem::take(&mut self.adopter.group))?;
        Ok(())
    }
}

/// Makes rows of recordings' files, and of their tenants where those are not known.
#[derive(Default)]
pub(crate) struct Adopter {
    tenants: HashMap<TenantId, TenantName>,
    /// What the ledger told last of recordings' files.
    told: HashMap<RecordingId, Hash>,
    /// What is to be committed.
    pub(crate) group: Vec<Change>,
    /// How many were taken.
    pub(crate) recordings: u64,
    /// Files that could not be taken, and why.
    pub(crate) skipped: Vec<(PathBuf, SealedError)>,
}

impl Adopter {
    /// An adopter for an index that has these tenants.
    pub(crate) fn new(tenants: Vec<Tenant>) -> Self {
        let tenants = tenants.into_iter().map(|row| (row.id, row.name));
        Self {
            tenants: tenants.collect(),
            ..Self::default()
        }
    }

    /// Takes the files of one recording.
    pub(crate) fn recording<'p>(
        &mut self,
        layout: &Layout,
        paths: impl Iterator<Item = &'p Path>,
        progress: &mut dyn FnMut(u64),
    ) {
        let mut taken = Vec::new();
        for path in paths {
            match take(layout, path, progress) {
                Ok(mut read) => {
                    let told = self.told.get(&read.row.facts.id);
                    if told == Some(&read.hash) {
                        read.trust = read.trust.max(Trust::Proven);
                    }
                    taken.push(read);
                }
                Err(error) => self.skipped.push((path.to_owned(), error)),
            }
        }
        self.add_best(layout, taken);
    }

    /// Of two files of one recording, which an interrupted exchange leaves, one becomes its own;
    /// the next start removes the other.
    fn add_best(&mut self, layout: &Layout, mut taken: Vec<Taken>) {
        taken.sort_by_key(|one| one.trust);
        let Some(best) = taken.pop() else {
            return;
        };
        for other in taken {
            let path = layout.recording(&other.row.facts);
            self.skipped.push((path, SealedError::Double));
            let leftover = ReplaceChange::Intend(Box::new(other.row));
            self.group.push(Change::Replace(leftover));
        }
        self.add(best.row, best.tenant_name);
    }

    fn add(&mut self, row: Recording, name: Option<TenantName>) {
        let id = row.facts.tenant;
        if !self.tenants.contains_key(&id) {
            let free = name.filter(|name| !self.tenants.values().any(|held| held == name));
            let name = free.unwrap_or_else(|| TenantName::made(format!("tenant-{id}")));
            self.tenants.insert(id, name.clone());
            let created_at = WallMillis(row.facts.started_at.0);
            self.group.push(Change::PutTenant(Tenant {
                id,
                name,
                created_at,
                disabled_at: None,
                keep_as: crate::record::Container::Wav,
            }));
        }
        self.recordings += 1;
        self.group.push(Change::Put(Box::new(row)));
    }
}

/// What one file tells.
struct Taken {
    row: Recording,
    tenant_name: Option<TenantName>,
    trust: Trust,
    /// Of its bytes as they are.
    hash: Hash,
}

/// How much a file proves by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trust {
    /// Its facts lie beside it.
    Told,
    /// They do, and its bytes are those they were written for.
    Verified,
    /// Its bytes are those that the ledger told of last.
    Proven,
    /// It carries its facts itself: the file as it was recorded.
    Own,
}

fn take(layout: &Layout, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<Taken, SealedError> {
    let (stored, sound, mut trust) = match sealed::beside(path)? {
        Some(stored) => {
            let sound = plain_sound(path, stored.facts.container)?;
            (stored, sound, Trust::Told)
        }
        None => {
            let sealed = sealed::read(path)?.facts;
            let bytes = sealed.facts.format.bytes_of(sealed.frames);
            let sound = SoundAt::own(&sealed.facts, bytes);
            (sealed, Some(sound), Trust::Own)
        }
    };
    if layout.recording(&stored.facts) != *path {
        // Facts of another recording: a copy that somebody put here.
        return Err(FactsError::Missing.into());
    }
    let measured = measure(path, sound, progress)?;
    let hash = Hash(measured.hash);
    let of_file = stored.file.as_ref();
    if of_file.is_some_and(|file| file.content_hash == measured.hash) {
        trust = Trust::Verified;
    }
    Ok(Taken {
        row: row_of(&stored, measured),
        tenant_name: stored.tenant_name,
        trust,
        hash,
    })
}

/// Puts the new index in the old one's place, which is kept under the first free number.
fn swap(layout: &Layout, fresh: &Path) -> Result<Option<PathBuf>, ReindexError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ReindexError::Io { path, source }
    };
    crate::restore::kept::hand_over(layout.root(), fresh).map_err(failed(fresh))?;
    let current = layout.index();
    let mut backup = None;
    if current.exists() {
        let free = (1_u32..).map(|n| layout.root().join(format!("index.redb.bak-{n}")));
        let path = free.into_iter().find(|path| !path.exists());
        if let Some(path) = path {
            std::fs::hard_link(&current, &path).map_err(failed(&path))?;
            backup = Some(path);
        }
    }
    std::fs::rename(fresh, &current).map_err(failed(fresh))?;
    sync_dir(layout.root()).map_err(failed(layout.root()))?;
    Ok(backup)
}
