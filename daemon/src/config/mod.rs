//! Configuration: what is read from where, in which order, and when it is refused.
//!
//! ```text
//!  built-in defaults  <  /etc/callreel/callreel.toml  <  conf.d/*.toml  <  CALLREEL__SECTION__KEY
//!  (schema.rs)           (or --config FILE)              (sorted by name)  (environment)
//! ```
//!
//! A later layer wins key by key; arrays of tables (`[[line]]`, `[[retention.policy]]`) add up
//! over all files. Every problem of every layer is reported at once, with its file, line and key.

mod fault;
mod forms;
mod keys;
mod layer;
pub mod policies;
mod rules;
pub mod schema;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

pub use fault::{Fault, LoadError, Place, Problem, Rule};
pub use forms::{is_url, is_voice};
use layer::{Layer, Tables};
use schema::Config;

/// The file that is read when none is named. It may be absent: then the defaults hold.
pub const DEFAULT_FILE: &str = "/etc/callreel/callreel.toml";

/// The folder beside the configuration file whose `*.toml` files are read after it.
pub const DROP_IN_FOLDER: &str = "conf.d";

/// The largest configuration file.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where the configuration is read from; kept to read it again on reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    file: PathBuf,
    must_exist: bool,
}

impl Origin {
    /// The named file, which must exist, or else [`DEFAULT_FILE`], which may be absent.
    #[must_use]
    pub fn new(file: Option<PathBuf>) -> Self {
        let must_exist = file.is_some();
        let file = file.unwrap_or_else(|| DEFAULT_FILE.into());
        // A relative name must mean the same file when it is read again later.
        let file = std::path::absolute(&file).unwrap_or(file);
        Self { file, must_exist }
    }

    /// The main file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }
}

/// A configuration that was read and found valid.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values in force. All paths in it are absolute.
    pub config: Config,
    /// Its lines as the tables stand, before ranges of channels became lines of their own.
    pub tables: Vec<schema::Line>,
    /// The files they came from, in the order of reading; empty when only defaults hold.
    pub files: Vec<PathBuf>,
    /// Where to read them again.
    pub origin: Origin,
}

/// Reads and checks the configuration.
///
/// # Errors
/// [`LoadError`] holds every problem: unreadable files, syntax, unknown keys, wrong types, values
/// out of range, and values that contradict each other.
pub fn load(origin: &Origin) -> Result<Loaded, LoadError> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    load_with(origin, environment, None)
}

/// The same, as if one of the files, or another one beside them, had this text.
///
/// # Errors
/// As [`load`].
pub fn load_as_if(origin: &Origin, path: &Path, text: &str) -> Result<Loaded, LoadError> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    load_with(origin, environment, Some((path, text)))
}

/// What a new configuration changes, by section, and whether that needs a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Sections that differ: `storage`, `http`, `control`, `realtime`, `log`, `access`,
    /// `convert`, `fetch`, `speech`, `webhooks`, `admin`, `first_start`, `ledger`, `retention`,
    /// `alarms`, `dahdi`, `audiosocket`, `group`, `line`.
    pub sections: Vec<&'static str>,
}

impl Changes {
    /// Compares two configurations section by section.
    #[must_use]
    pub fn between(old: &Config, new: &Config) -> Self {
        let differs =
            |a: &dyn std::fmt::Debug, b: &dyn std::fmt::Debug| format!("{a:?}") != format!("{b:?}");
        let sections = [
            ("storage", differs(&old.storage, &new.storage)),
            ("http", differs(&old.http, &new.http)),
            ("control", differs(&old.control, &new.control)),
            ("realtime", differs(&old.realtime, &new.realtime)),
            ("log", differs(&old.log, &new.log)),
            ("access", differs(&old.access, &new.access)),
            ("convert", differs(&old.convert, &new.convert)),
            ("fetch", differs(&old.fetch, &new.fetch)),
            ("speech", differs(&old.speech, &new.speech)),
            ("webhooks", differs(&old.webhooks, &new.webhooks)),
            ("admin", differs(&old.admin, &new.admin)),
            ("first_start", differs(&old.first_start, &new.first_start)),
            ("ledger", differs(&old.ledger, &new.ledger)),
            ("retention", differs(&old.retention, &new.retention)),
            ("alarms", differs(&old.alarms, &new.alarms)),
            ("dahdi", differs(&old.dahdi, &new.dahdi)),
            ("audiosocket", differs(&old.audiosocket, &new.audiosocket)),
            ("group", differs(&old.groups, &new.groups)),
            ("line", differs(&old.lines, &new.lines)),
        ];
        let changed = sections.into_iter().filter(|(_, differs)| *differs);
        Self {
            sections: changed.map(|(name, _)| name).collect(),
        }
    }
}

fn load_with(
    origin: &Origin,
    environment: impl Iterator<Item = (String, String)>,
    instead: Option<(&Path, &str)>,
) -> Result<Loaded, LoadError> {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    let mut layers = Vec::new();
    let folder = origin.file.parent().unwrap_or(Path::new("/")).to_owned();
    let mut paths = files_to_read(origin, &folder, &mut problems);
    if let Some((path, _)) = instead
        && !paths.iter().any(|(known, _)| known == path)
    {
        // The main file comes first, the others by their names.
        let at = paths[1..].partition_point(|(known, _)| known.as_path() < path);
        paths.insert(at + 1, (path.to_owned(), true));
    }
    for (path, must_exist) in paths {
        let given = instead.filter(|(instead, _)| *instead == path);
        let text = given.map_or_else(
            || read(&path, must_exist),
            |(_, text)| Ok(Some(text.into())),
        );
        match text {
            Ok(Some(text)) => {
                layers.push(layer::from_toml(&path, &text, &folder, &mut problems));
                files.push(path);
            }
            Ok(None) => {}
            Err(fault) => problems.push(at_file(&path, fault)),
        }
    }
    layers.push(layer::from_environment(environment, &mut problems));
    let config = merge(&layers, &folder, &mut problems);
    match config {
        Some((mut config, tables)) if problems.is_empty() => {
            config.file = Some(origin.file.clone()).filter(|file| files.contains(file));
            Ok(Loaded {
                config,
                tables,
                files,
                origin: origin.clone(),
            })
        }
        _ => Err(LoadError { problems }),
    }
}

/// Merges layers whose single values are in order, and applies the rules between them. Gives the
/// configuration, and its lines as their tables stand.
fn merge(
    layers: &[Layer],
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<(Config, Vec<schema::Line>)> {
    let mut places = BTreeMap::new();
    let mut arrays = Tables::new();
    let mut builder = config::Config::builder();
    for layer in layers {
        places.extend(layer.places.clone());
        for (name, tables) in &layer.tables {
            // A table with a problem of its own would only cause more of them.
            let sound = tables.iter().filter(|table| table.sound).cloned();
            arrays.entry(name.clone()).or_default().extend(sound);
        }
        builder = builder.add_source(layer.clone());
    }
    builder = builder.add_source(Layer::of_tables(&arrays));
    match builder
        .build()
        .and_then(config::Config::try_deserialize::<Config>)
    {
        Ok(mut config) => {
            rules::check(&config, folder, &places, &arrays, problems);
            let tables = std::mem::take(&mut config.lines);
            if problems.is_empty() {
                config.lines = tables.iter().flat_map(schema::Line::expand).collect();
            }
            Some((config, tables))
        }
        Err(error) => {
            // With a problem known already, this is its echo.
            if problems.is_empty() {
                let fault = Fault::Schema(error);
                problems.push(Problem {
                    place: Place::Default,
                    key: String::new(),
                    fault,
                });
            }
            None
        }
    }
}

/// The main file and the drop-ins, and whether each must be there.
fn files_to_read(
    origin: &Origin,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Vec<(PathBuf, bool)> {
    let mut paths = vec![(origin.file.clone(), origin.must_exist)];
    let drop_ins = folder.join(DROP_IN_FOLDER);
    let entries = match std::fs::read_dir(&drop_ins) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return paths,
        Err(error) => {
            problems.push(at_file(&drop_ins, Fault::Unreadable(error)));
            return paths;
        }
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    found.sort();
    paths.extend(found.into_iter().map(|path| (path, true)));
    paths
}

fn read(path: &Path, must_exist: bool) -> Result<Option<String>, Fault> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if !must_exist && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => return Err(Fault::Unreadable(error)),
    };
    let mut text = String::new();
    let read = file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
    let bytes = read.map_err(Fault::Unreadable)?;
    if bytes as u64 > MAX_FILE_BYTES {
        return Err(Fault::TooLarge(MAX_FILE_BYTES));
    }
    Ok(Some(text))
}

fn at_file(path: &Path, fault: Fault) -> Problem {
    Problem {
        place: Place::File(path.into(), 1),
        key: String::new(),
        fault,
    }
}
