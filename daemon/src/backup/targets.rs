//! Where what is in a backup goes on this machine, and what that would change. Nothing is written
//! outside of the configuration's folder and the store.

use std::path::{Path, PathBuf};

use serde::Serialize;
use storage::backup::{Checked, Place};
use storage::restore::Wanted;

use super::sources::{SourceError, drop_ins};
use crate::config::{self, DROP_IN_FOLDER, LoadError, Origin};

/// What restoring would do to one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is the same already.
    Same,
    /// It is not there yet.
    New,
    /// It differs; the present one is kept aside.
    Replaced,
    /// The backup has none of this name; it is kept aside.
    Removed,
    /// It lies outside of the configuration's folder: not touched.
    LeftOut,
}

/// One file.
#[derive(Clone, Debug, Serialize)]
pub struct FilePlan {
    /// Where it is, or would be.
    pub path: PathBuf,
    /// What would become of it.
    pub fate: Fate,
}

/// What is wanted of a backup here.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The store's folder.
    pub data_dir: PathBuf,
    /// What is taken of it.
    pub wanted: Wanted,
    /// Files, with what would become of each.
    pub files: Vec<FilePlan>,
}

/// Why the files of a backup cannot be put in place.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Its configuration is not valid here.
    #[error(
        "the configuration in the backup cannot be used by this version; restore without it, with \
         --only index,keys:\n{0}"
    )]
    Config(#[source] LoadError),
    /// A folder cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file that is needed to look at the configuration.
    #[error("'{}': {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Plans the restore of files, beside index and keys as they are wanted. `data_dir` is the present
/// one; the backup's configuration may name another.
///
/// # Errors
/// [`PlanError`]
pub fn plan(
    checked: &Checked,
    origin: &Origin,
    data_dir: PathBuf,
    (index, keys, with_config): (bool, bool, bool),
) -> Result<Plan, PlanError> {
    let mut plan = Plan {
        data_dir,
        wanted: Wanted {
            index,
            keys,
            ..Wanted::default()
        },
        files: Vec::new(),
    };
    let folder = origin.file().parent().unwrap_or(Path::new("/"));
    if with_config && has_config(checked) {
        plan.data_dir = configured_data_dir(checked, folder)?;
        plan.gone(checked, folder)?;
    }
    for (place, bytes) in &checked.files {
        match place {
            Place::Made(file) if keys => {
                let path = plan.data_dir.join("keys").join(file.file_name());
                plan.note(path, bytes);
            }
            Place::Config if with_config => plan.file(place, origin.file().to_owned(), bytes),
            Place::DropIn(name) if with_config => {
                plan.file(place, folder.join(DROP_IN_FOLDER).join(name), bytes);
            }
            Place::Credential(file) if keys => {
                plan.file(
                    place,
                    folder.join("credentials").join(file.file_name()),
                    bytes,
                );
            }
            Place::Named(_) if keys => {
                let told = checked.head.files.iter();
                let told = told.filter(|file| file.member == place.member());
                match told.map(|file| file.path.clone()).next() {
                    Some(path) if is_below(&path, folder) => plan.file(place, path, bytes),
                    Some(path) => plan.files.push(FilePlan {
                        path,
                        fate: Fate::LeftOut,
                    }),
                    None => {}
                }
            }
            _ => {}
        }
    }
    Ok(plan)
}

impl Plan {
    fn note(&mut self, path: PathBuf, bytes: &[u8]) {
        let fate = match std::fs::read(&path) {
            Ok(held) if held == bytes => Fate::Same,
            Ok(_) => Fate::Replaced,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Fate::New,
            Err(_) => Fate::Replaced,
        };
        self.files.push(FilePlan { path, fate });
    }

    fn file(&mut self, place: &Place, path: PathBuf, bytes: &[u8]) {
        self.wanted.files.push((place.clone(), path.clone()));
        self.note(path, bytes);
    }

    /// Files of `conf.d` that the backup does not have would change what it says.
    fn gone(&mut self, checked: &Checked, folder: &Path) -> Result<(), PlanError> {
        for path in drop_ins(&folder.join(DROP_IN_FOLDER))? {
            let name = path.file_name().and_then(|name| name.to_str());
            let held = checked.files.iter().any(|(place, _)| match place {
                Place::DropIn(held) => Some(held.as_str()) == name,
                _ => false,
            });
            if !held {
                self.wanted.gone.push(path.clone());
                self.files.push(FilePlan {
                    path,
                    fate: Fate::Removed,
                });
            }
        }
        Ok(())
    }
}

fn is_below(path: &Path, folder: &Path) -> bool {
    use std::path::Component;
    let mut parts = path.components();
    path.starts_with(folder)
        && parts.all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

fn has_config(checked: &Checked) -> bool {
    let mut places = checked.files.iter().map(|(place, _)| place);
    places.any(|place| *place == Place::Config)
}

/// Loads the configuration of a backup from a folder of its own, and says where its store is.
fn configured_data_dir(checked: &Checked, folder: &Path) -> Result<PathBuf, PlanError> {
    let trial = Trial::new()?;
    let io = |path: &Path, source| PlanError::Io {
        path: path.to_owned(),
        source,
    };
    let drop_ins = trial.0.join(DROP_IN_FOLDER);
    std::fs::create_dir(&drop_ins).map_err(|error| io(&drop_ins, error))?;
    for (place, bytes) in &checked.files {
        let path = match place {
            Place::Config => trial.0.join("callreel.toml"),
            Place::DropIn(name) => drop_ins.join(name),
            _ => continue,
        };
        std::fs::write(&path, bytes).map_err(|error| io(&path, error))?;
    }
    let loaded = config::load(&Origin::new(Some(trial.0.join("callreel.toml"))));
    let data_dir = loaded.map_err(PlanError::Config)?.config.storage.data_dir;
    // A relative path is relative to the configuration's folder.
    Ok(match data_dir.strip_prefix(&trial.0) {
        Ok(rest) => folder.join(rest),
        Err(_) => data_dir,
    })
}

/// A folder that only this user reads, removed when dropped.
struct Trial(PathBuf);

impl Trial {
    fn new() -> Result<Self, PlanError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut random = [0; 8];
        let filled = getrandom::fill(&mut random).map_err(|_| std::io::ErrorKind::Other.into());
        let name = format!("callreel-restore-{:016x}", u64::from_le_bytes(random));
        let path = std::env::temp_dir().join(name);
        filled
            .and_then(|()| std::fs::DirBuilder::new().mode(0o700).create(&path))
            .map_err(|source| PlanError::Io {
                path: path.clone(),
                source,
            })?;
        Ok(Self(path))
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // In the folder for such things, where what is left is removed sooner or later.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
