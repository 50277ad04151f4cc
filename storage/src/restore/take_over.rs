//! The next start takes over what a restore left in `restore-pending`. Each step may be cut off
//! and done again: until the index is renamed the old state is in place, from then on the new one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audio_io::units::WallMillis;

use super::kept::aside;
use super::{PLAN, Plan, RestoreError, adopt, alone, io_error, merge, place, stage};
use crate::check::OFFLINE_CACHE;
use crate::error::OpenError;
use crate::index::apply::Change;
use crate::index::backend::Opener;
use crate::index::keeping::KeepingChange;
use crate::index::migrate::{self, State};
use crate::index::tables::{META, meta};
use crate::index::{Index, whole};
use crate::paths::{LEDGER_KEY, Layout, sync_dir, unlink_if_there};

/// Takes over a restore that waits. One that cannot be taken over is told and goes on waiting: the
/// store opens as it was.
pub(crate) fn take_over(
    layout: &Layout,
    opener: &Arc<dyn Opener>,
    wall: WallMillis,
) -> Result<(), OpenError> {
    let (pending, staging) = (layout.pending(), layout.staging());
    if !pending.exists() && !staging.exists() {
        return Ok(());
    }
    let alone = match alone(layout) {
        Ok(alone) => alone,
        Err(error) => {
            log::warn!("a restore is being prepared and is not taken over now: {error}");
            return Ok(());
        }
    };
    if let Err(error) = stage::remove(&staging) {
        log::warn!("what an interrupted restore left: {error}");
    }
    if pending.exists()
        && let Err(error) = swap(layout, opener, wall)
    {
        log::error!(
            "a restore waits and cannot be taken over: {error}; the store opens as it was: mend \
             that and restart, or give it up with 'callreel restore --cancel'"
        );
    }
    drop(alone);
    Ok(())
}

fn swap(layout: &Layout, opener: &Arc<dyn Opener>, wall: WallMillis) -> Result<(), RestoreError> {
    let pending = layout.pending();
    if !pending.join(PLAN).exists() {
        // Its last step was cut off: all of it is in place.
        return done(layout);
    }
    let plan = Plan::read(&pending)?;
    let fresh = pending.join("index.redb");
    if fresh.exists() {
        let ready = put_together(layout, opener, &fresh)?;
        let kept = swap_index(layout, &ready, wall)?;
        unlink_if_there(&fresh).map_err(io_error("removing", &fresh))?;
        log::warn!(
            "the backup of {} (callreel {}) is restored; the index it replaced is kept{}",
            time_text(plan.made_at_ms),
            plan.version,
            kept.map_or_else(String::new, |path| format!(" as '{}'", path.display()))
        );
    }
    let keys = pending.join("keys");
    if keys.exists() {
        swap_keys(layout, &keys, wall)?;
    }
    if pending.join(place::FOLDER).exists() {
        log::warn!(
            "files of the configuration wait in '{}': 'callreel restore --finish' puts them in \
             their places",
            pending.display()
        );
        let rest = Plan {
            index: false,
            keys: false,
            ..plan
        };
        let text = serde_json::to_vec(&rest).unwrap_or_default();
        let path = pending.join(PLAN);
        return crate::paths::write_whole(&path, &text).map_err(io_error("writing", &path));
    }
    done(layout)
}

fn time_text(at_ms: u64) -> String {
    super::kept::stamp(WallMillis(at_ms))
}

/// Everything is in place: nothing waits any more. What says what is there goes first.
pub(super) fn done(layout: &Layout) -> Result<(), RestoreError> {
    let pending = layout.pending();
    let plan = pending.join(PLAN);
    unlink_if_there(&plan).map_err(io_error("removing", &plan))?;
    stage::remove(&pending)?;
    sync_dir(layout.root()).map_err(io_error("syncing", layout.root()))
}

/// The index that takes the present one's place; `fresh` is the backup's.
fn put_together(
    layout: &Layout,
    opener: &Arc<dyn Opener>,
    fresh: &Path,
) -> Result<PathBuf, RestoreError> {
    let backup = Index::open(Arc::clone(opener), fresh.to_owned(), OFFLINE_CACHE)?;
    let secret = up_to_date(&backup)?;
    let (ready, target) = if has_more_to_tell(layout, opener, &secret) {
        let path = layout.pending().join("merged.redb");
        unlink_if_there(&path).map_err(io_error("removing", &path))?;
        super::kept::copy_file(&layout.index(), &path).map_err(io_error("copying to", &path))?;
        let merged = Index::open(Arc::clone(opener), path.clone(), OFFLINE_CACHE)?;
        up_to_date(&merged)?;
        merge::merge(&backup, &merged)?;
        drop(backup);
        (path, merged)
    } else {
        forget_what_passed(&backup)?;
        if backup.rows()? > 0 {
            // Holds that were set since the backup are not in it: nothing is deleted until
            // somebody has seen to that.
            let lost = KeepingChange::Lost(true);
            backup.commit(&[Change::Keeping(lost)])?;
        }
        (fresh.to_owned(), backup)
    };
    let adopted = adopt::adopt(layout, &target)?;
    if adopted > 0 {
        log::info!("{adopted} recordings were adopted from their files");
    }
    crate::retention::restored(layout, &target)?;
    drop(target);
    Ok(ready)
}

/// Brings an index to our schema, with every table: a backup has none for those without rows.
fn up_to_date(index: &Index) -> Result<[u8; 32], RestoreError> {
    Ok(match migrate::state(index)? {
        State::Older(schema) => migrate::upgrade(index, schema)?,
        State::Current(_) | State::Empty => migrate::create(index, None)?,
    })
}

/// Whether the present index can be read and knows of recordings: then it knows best what was
/// recorded, changed and deleted, and the backup brings back who may do what.
fn has_more_to_tell(layout: &Layout, opener: &Arc<dyn Opener>, secret: &[u8; 32]) -> bool {
    if !layout.index().exists() {
        return false;
    }
    let looked = (|| {
        let index = Index::open(Arc::clone(opener), layout.index(), OFFLINE_CACHE)?;
        Ok::<_, OpenError>(match migrate::state(&index)? {
            State::Current(own) if own == *secret => true,
            State::Empty => false,
            _ => index.rows().map_err(crate::open::open_error)? > 0,
        })
    })();
    looked.unwrap_or_else(|error| {
        log::warn!("the present index cannot be read, its recordings are sought as files: {error}");
        false
    })
}

/// Sessions of users have ended; of calls that were on, the end was told long ago. The ledger has
/// gone on: its files are read by the next start, and reach at least as far as the backup knew.
fn forget_what_passed(index: &Index) -> Result<(), RestoreError> {
    let transaction = index.begin_write()?;
    {
        let mut rows = transaction.open_table(META).map_err(redb::Error::from)?;
        let head = rows.remove(meta::LEDGER_HEAD).map_err(redb::Error::from)?;
        let head = head.map(|guard| guard.value().to_vec());
        if let Some(head) = head {
            rows.insert(meta::LEDGER_FLOOR, head.as_slice())
                .map_err(redb::Error::from)?;
        }
        // A backup has no lists of search, and the full text here is not that of its notes.
        for name in [meta::SEARCH, meta::NOTES_ID] {
            rows.remove(name).map_err(redb::Error::from)?;
        }
        // Backups do not hold the key that signs for the ledger: another may do it here.
        rows.remove(meta::LEDGER_KEY).map_err(redb::Error::from)?;
    }
    for name in ["user_sessions", "outbox_notes"] {
        if let Some(table) = whole::named(name) {
            table.clear(&transaction)?;
        }
    }
    transaction.commit().map_err(redb::Error::from)?;
    Ok(())
}

/// Puts an index in the present one's place, which is kept under the name that is answered.
pub(super) fn swap_index(
    layout: &Layout,
    fresh: &Path,
    wall: WallMillis,
) -> Result<Option<PathBuf>, RestoreError> {
    let current = layout.index();
    let mut kept = None;
    if current.exists() {
        let path = aside(&current, wall).map_err(io_error("making room beside", &current))?;
        std::fs::hard_link(&current, &path).map_err(io_error("keeping the index as", &path))?;
        kept = Some(path);
    }
    std::fs::rename(fresh, &current)
        .and_then(|()| sync_dir(layout.root()))
        .map_err(io_error("putting in place", &current))?;
    Ok(kept)
}

fn swap_keys(layout: &Layout, fresh: &Path, wall: WallMillis) -> Result<(), RestoreError> {
    let current = layout.keys();
    let swapped = (|| {
        // A backup from before there was a ledger has no key for it, and the ledger goes on.
        let (signs, signed) = (layout.ledger_key(), fresh.join(LEDGER_KEY));
        if signs.exists() && !signed.exists() {
            std::fs::hard_link(&signs, &signed)?;
            sync_dir(fresh)?;
        }
        if current.exists() {
            std::fs::rename(&current, aside(&current, wall)?)?;
        }
        std::fs::rename(fresh, &current)?;
        sync_dir(layout.root())
    })();
    swapped.map_err(|error: io::Error| io_error("putting in place", &current)(error))
}
