//! One layer of configuration: a TOML file or the environment, checked key by key against
//! `keys.rs`, with the place of each value remembered. Merging the layers is the `config`
//! crate's work; rules between keys are `rules.rs`'s.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use config::{Map, Source, Value, ValueKind};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Place, Problem};
use super::keys::{self, Key, Kind, MAX_LINES, MAX_LIST};
use super::value::{entry, found, from_text, plain};

/// A layer's values and their places.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    values: Map<String, Value>,
    /// Places by dotted key, those within arrays of tables apart.
    pub(super) places: BTreeMap<String, Place>,
    /// The tables of each array of tables, by its dotted name: `line`, `retention.policy`.
    pub(super) tables: Tables,
}

/// Arrays of tables, which add up over all files.
pub(super) type Tables = BTreeMap<String, Vec<Table>>;

/// A table of an array, such as a `[[line]]`.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) value: Value,
    pub(super) place: Place,
    /// Places by key within the table, such as `vox.stop_dbfs`.
    pub(super) places: BTreeMap<String, Place>,
    /// Whether every key was in order.
    pub(super) sound: bool,
}

impl Table {
    /// Where a key of this table stands, or the table itself when the key has its default.
    pub(super) fn place_of(&self, key: &str) -> Place {
        self.places.get(key).unwrap_or(&self.place).clone()
    }
}

impl Layer {
    /// A layer that holds nothing but arrays of tables.
    pub(super) fn of_tables(tables: &Tables) -> Self {
        let array = |tables: &Vec<Table>| {
            let values = tables.iter().map(|table| table.value.clone());
            Value::new(None, ValueKind::Array(values.collect()))
        };
        let values = tables.iter();
        Self {
            values: values
                .map(|(name, tables)| (name.clone(), array(tables)))
                .collect(),
            ..Self::default()
        }
    }

    /// The tables of an array; none where the layer has none.
    #[cfg(test)]
    pub(super) fn tables_of(&self, name: &str) -> &[Table] {
        self.tables.get(name).map_or(&[], Vec::as_slice)
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.values.clone())
    }
}

/// Reads a file's text. `folder` is what relative paths are relative to.
pub(super) fn from_toml(
    file: &Path,
    text: &str,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Layer {
    let mut reader = Reader {
        file: file.into(),
        text,
        folder,
        problems,
        places: BTreeMap::new(),
        tables: Tables::new(),
    };
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let place = reader.place(error.span().map_or(0, |span| span.start));
            let fault = Fault::Syntax(error.message().to_owned());
            reader.problems.push(Problem {
                place,
                key: String::new(),
                fault,
            });
        }
        return Layer::default();
    }
    let values = reader.table(keys::ROOT, root.get_ref(), "");
    Layer {
        values,
        places: reader.places,
        tables: reader.tables,
    }
}

/// Reads `CALLREEL__SECTION__KEY` variables.
pub(super) fn from_environment(
    variables: impl Iterator<Item = (String, String)>,
    problems: &mut Vec<Problem>,
) -> Layer {
    let mut layer = Layer::default();
    let mut sorted: Vec<_> = variables
        .filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX))
        .collect();
    sorted.sort();
    for (name, text) in sorted {
        let place = Place::Environment(name.clone());
        let path = name[ENVIRONMENT_PREFIX.len()..]
            .to_ascii_lowercase()
            .replace("__", ".");
        match environment_value(&path, &text) {
            Ok(kind) => {
                let origin = place.to_string();
                layer
                    .values
                    .insert(path.clone(), Value::new(Some(&origin), kind));
                layer.places.insert(path, place);
            }
            Err(fault) => problems.push(Problem {
                place,
                key: path,
                fault,
            }),
        }
    }
    layer
}

/// What the names of environment variables that configure begin with.
pub(super) const ENVIRONMENT_PREFIX: &str = "CALLREEL__";

fn environment_value(path: &str, text: &str) -> Result<ValueKind, Fault> {
    let mut table = keys::ROOT;
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        let key = keys::find(table, part).ok_or_else(|| unknown(table, part))?;
        match &key.kind {
            Kind::Tables(header, _) => return Err(Fault::TablesFromEnvironment(header)),
            Kind::Table(inner) if parts.peek().is_some() => table = inner,
            _ if parts.peek().is_some() => {
                return Err(unknown(&[], parts.next().unwrap_or_default()));
            }
            kind => return from_text(kind, text),
        }
    }
    Err(unknown(table, ""))
}

/// Walks one file.
struct Reader<'a> {
    file: Arc<Path>,
    text: &'a str,
    folder: &'a Path,
    problems: &'a mut Vec<Problem>,
    places: BTreeMap<String, Place>,
    tables: Tables,
}

impl Reader<'_> {
    fn place(&self, offset: usize) -> Place {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Place::File(self.file.clone(), line)
    }

    fn blame(&mut self, offset: usize, key: &str, fault: Fault) {
        let place = self.place(offset);
        self.problems.push(Problem {
            place,
            key: key.to_owned(),
            fault,
        });
    }

    fn table(
        &mut self,
        keys: &'static [Key],
        table: &DeTable<'_>,
        prefix: &str,
    ) -> Map<String, Value> {
        let mut values = Map::new();
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let path = dotted(prefix, name.get_ref());
            let Some(key) = keys::find(keys, name.get_ref()) else {
                self.blame(name.span().start, &path, unknown(keys, name.get_ref()));
                continue;
            };
            if let Kind::Tables(_, inner) = key.kind {
                self.array(key, inner, value, &path);
                continue;
            }
            if let Some(value) = self.value(key, value, &path) {
                self.places.insert(path, self.place(name.span().start));
                values.insert(key.name.to_owned(), value);
            }
        }
        values
    }

    fn value(&mut self, key: &Key, value: &Spanned<DeValue<'_>>, path: &str) -> Option<Value> {
        let offset = value.span().start;
        let checked = match (&key.kind, value.get_ref()) {
            (Kind::Table(inner), DeValue::Table(table)) => {
                let values = self.table(inner, table, path);
                Ok(ValueKind::Table(values))
            }
            (Kind::List(_), DeValue::Array(array)) => {
                let mut entries = Vec::new();
                for item in array.iter() {
                    match entry(&key.kind, found(item.get_ref())) {
                        Ok(kind) => entries.push(Value::new(None, kind)),
                        Err(fault) => self.blame(item.span().start, path, fault),
                    }
                }
                if entries.len() > MAX_LIST {
                    Err(Fault::TooMany { most: MAX_LIST })
                } else {
                    Ok(ValueKind::Array(entries))
                }
            }
            (kind, value) => plain(kind, found(value), Some(self.folder)),
        };
        match checked {
            Ok(kind) => Some(Value::new(Some(&self.place(offset).to_string()), kind)),
            Err(fault) => {
                self.blame(offset, path, fault);
                None
            }
        }
    }

    fn missing(&mut self, keys: &'static [Key], table: &DeTable<'_>, path: &str, offset: usize) {
        for key in keys.iter().filter(|key| key.required) {
            if !table.iter().any(|(name, _)| name.get_ref() == key.name) {
                let fault = Fault::Missing {
                    wanted: key.kind.wanted(),
                };
                self.blame(offset, &dotted(path, key.name), fault);
            }
        }
    }

    /// An array of tables.
    fn array(&mut self, key: &Key, keys: &'static [Key], value: &Spanned<DeValue<'_>>, path: &str) {
        let DeValue::Array(array) = value.get_ref() else {
            let wanted = key.kind.wanted();
            let fault = Fault::WrongType {
                found: found(value.get_ref()).describe(),
                wanted,
            };
            self.blame(value.span().start, path, fault);
            return;
        };
        if array.len() > MAX_LINES {
            self.blame(value.span().start, path, Fault::TooMany { most: MAX_LINES });
            return;
        }
        for item in array.iter() {
            let offset = item.span().start;
            let DeValue::Table(table) = item.get_ref() else {
                let wanted = key.kind.wanted();
                let fault = Fault::WrongType {
                    found: found(item.get_ref()).describe(),
                    wanted,
                };
                self.blame(offset, path, fault);
                continue;
            };
            let before = self.problems.len();
            let outer = std::mem::take(&mut self.places);
            let values = self.table(keys, table, path);
            self.missing(keys, table, path, offset);
            let inner = std::mem::replace(&mut self.places, outer);
            let strip = |key: String| key[path.len() + 1..].to_owned();
            let table = Table {
                value: Value::new(None, ValueKind::Table(values)),
                place: self.place(offset),
                places: inner
                    .into_iter()
                    .map(|(key, place)| (strip(key), place))
                    .collect(),
                sound: self.problems.len() == before,
            };
            self.tables.entry(path.to_owned()).or_default().push(table);
        }
    }
}

fn dotted(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

fn unknown(keys: &'static [Key], name: &str) -> Fault {
    let nearest = keys
        .iter()
        .map(|key| (distance(key.name, name), key.name))
        .filter(|(distance, key)| *distance <= key.len().div_ceil(3))
        .min()
        .map(|(_, key)| key);
    let known = keys
        .iter()
        .map(|key| key.name)
        .collect::<Vec<_>>()
        .join(", ");
    let known = if known.is_empty() {
        "nothing".to_owned()
    } else {
        known
    };
    Fault::UnknownKey { nearest, known }
}

/// Levenshtein distance, on names of at most a few dozen letters.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
