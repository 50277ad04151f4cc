//! What belongs to a backup beside the index, and where it goes when it is put back: the
//! configuration, and the certificates and keys that are files. The archive itself is `storage`'s.

mod sources;
mod targets;

use std::path::Path;

use audio_io::clock::{Clock as _, SystemClock};

use crate::config::{self, LoadError, Loaded};

pub(crate) use sources::host;
pub use sources::{SourceError, contents, default_name};
pub use targets::{Fate, FilePlan, Plan, PlanError, plan};

/// Puts files of the configuration in place that an interrupted restore left waiting, where this
/// user may, and reads the configuration again. Tells what could not be put in place.
///
/// # Errors
/// [`LoadError`]: what was put in place cannot be used.
pub fn finish_at_start(
    loaded: Loaded,
    tell: impl FnOnce(&dyn std::fmt::Display),
) -> Result<Loaded, LoadError> {
    let data_dir = &loaded.config.storage.data_dir;
    if !storage::restore::files_wait(data_dir) {
        return Ok(loaded);
    }
    let folder = loaded.origin.file().parent().unwrap_or(Path::new("/"));
    match storage::restore::place(data_dir, folder, SystemClock.wall()) {
        Ok(_) => config::load(&loaded.origin),
        Err(error) => {
            tell(&error);
            Ok(loaded)
        }
    }
}
