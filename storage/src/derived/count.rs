//! Counts the conversions that an earlier run kept, and removes those whose source is gone. A
//! few are counted while the store opens, many on a thread beside its work.

use std::fs::ReadDir;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use audio_io::clock::Clock;

use super::shelf::Shelf;
use crate::ids::{RecordingId, RecordingName, TenantId};
use crate::index::Index;
use crate::paths::Layout;

/// The count under way.
pub(super) struct Count {
    folders: Folders,
    index: Arc<Index>,
    clock: Arc<dyn Clock>,
    shelf: Arc<Mutex<Shelf>>,
}

impl Count {
    pub(super) fn new(
        layout: &Layout,
        index: &Arc<Index>,
        clock: &Arc<dyn Clock>,
        shelf: &Arc<Mutex<Shelf>>,
    ) -> Self {
        Self {
            folders: Folders::new(&layout.derived()),
            index: Arc::clone(index),
            clock: Arc::clone(clock),
            shelf: Arc::clone(shelf),
        }
    }

    /// Counts the conversions of so many recordings; answers the thread that goes on where there
    /// are more.
    pub(super) fn begin(
        mut self,
        at_once: usize,
        stopping: &Arc<AtomicBool>,
    ) -> Option<JoinHandle<()>> {
        if (0..at_once).any(|_| !self.step()) {
            return None;
        }
        let stopping = Arc::clone(stopping);
        let rest = move || {
            crate::segment::mapping::lower_priority();
            while !stopping.load(Ordering::Relaxed) && self.step() {}
        };
        std::thread::Builder::new()
            .name("derived".into())
            .spawn(rest)
            .inspect_err(|error| log::warn!("kept conversions are not counted: {error}"))
            .ok()
    }

    /// Counts one recording's conversions; false when there are no more.
    fn step(&mut self) -> bool {
        let next = self.folders.next();
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((tenant, id)) = next else {
            shelf.counted();
            return false;
        };
        // Under the lock: what is kept meanwhile is kept after its row was seen.
        let result = match self.index.find(tenant, &RecordingName::Recid(id)) {
            Ok(None) => shelf.forget(tenant, id),
            Ok(Some(_)) => shelf.take_in(tenant, id, self.clock.wall()),
            Err(error) => {
                log::warn!("conversions of recording {id} are not counted: {error}");
                Ok(())
            }
        };
        if let Err(error) = result {
            log::warn!("conversions of recording {id}: {error}");
        }
        true
    }
}

/// The folders `<tenant>/<recid>`, one after the other.
struct Folders {
    tenants: Option<ReadDir>,
    current: Option<(TenantId, ReadDir)>,
}

impl Folders {
    fn new(root: &Path) -> Self {
        Self {
            tenants: list(root),
            current: None,
        }
    }
}

impl Iterator for Folders {
    type Item = (TenantId, RecordingId);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((tenant, folders)) = &mut self.current {
                let tenant = *tenant;
                for entry in folders.flatten() {
                    if let Some(id) = number(&entry.file_name()) {
                        return Some((tenant, RecordingId(id)));
                    }
                }
                self.current = None;
            }
            let entry = self.tenants.as_mut()?.next()?;
            let Ok(entry) = entry else { continue };
            let tenant = number(&entry.file_name()).and_then(|number| number.try_into().ok());
            if let (Some(tenant), Some(folders)) = (tenant, list(&entry.path())) {
                self.current = Some((TenantId(tenant), folders));
            }
        }
    }
}

fn list(folder: &Path) -> Option<ReadDir> {
    match std::fs::read_dir(folder) {
        Ok(entries) => Some(entries),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            log::warn!("'{}' cannot be listed: {error}", folder.display());
            None
        }
    }
}

/// A number as this program writes it.
fn number(name: &std::ffi::OsStr) -> Option<u64> {
    let text = name.to_str()?;
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}
