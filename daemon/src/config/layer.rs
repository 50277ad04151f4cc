//! One layer of configuration: a TOML file or the environment, checked key by key against
//! `keys.rs`, with the place of each value remembered. Merging the layers is the `config`
//! crate's work; rules between keys are `rules.rs`'s.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Map, Source, Value, ValueKind};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Place, Problem};
use super::keys::{self, Key, Kind, MAX_LINES, MAX_LIST};

/// A layer's values and their places.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    values: Map<String, Value>,
    /// Places by dotted key, lines apart.
    pub(super) places: BTreeMap<String, Place>,
    /// The `[[line]]` tables.
    pub(super) lines: Vec<LineTable>,
}

/// A `[[line]]` table.
#[derive(Clone, Debug)]
pub(super) struct LineTable {
    pub(super) value: Value,
    pub(super) place: Place,
    /// Places by key within the table, such as `vox.stop_dbfs`.
    pub(super) places: BTreeMap<String, Place>,
    /// Whether every key was in order.
    pub(super) sound: bool,
}

impl LineTable {
    /// Where a key of this line stands, or the line itself when the key has its default.
    pub(super) fn place_of(&self, key: &str) -> Place {
        self.places.get(key).unwrap_or(&self.place).clone()
    }
}

impl Layer {
    /// A layer that holds nothing but lines.
    pub(super) fn of_lines(lines: &[LineTable]) -> Self {
        let tables = lines
            .iter()
            .map(|line| line.value.clone())
            .collect::<Vec<_>>();
        let mut values = Map::new();
        values.insert("line".into(), Value::new(None, ValueKind::Array(tables)));
        Self {
            values,
            ..Self::default()
        }
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
    let mut lines = Vec::new();
    let values = reader.table(keys::ROOT, root.get_ref(), "", &mut lines);
    Layer {
        values,
        places: reader.places,
        lines,
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
            Kind::Tables(_) => return Err(Fault::LineFromEnvironment),
            Kind::Table(inner) if parts.peek().is_some() => table = inner,
            _ if parts.peek().is_some() => {
                return Err(unknown(&[], parts.next().unwrap_or_default()));
            }
            kind => return from_text(kind, text),
        }
    }
    Err(unknown(table, ""))
}

/// A value given as bare text; lists are separated by commas.
fn from_text(kind: &Kind, text: &str) -> Result<ValueKind, Fault> {
    let scalar = |text: &str| match kind {
        Kind::Bool => text.parse().map_or(Found::Other("text"), Found::Bool),
        Kind::Integer(..) => text.parse().map_or(Found::Other("text"), Found::Integer),
        Kind::Number(..) => text.parse().map_or(Found::Other("text"), Found::Number),
        _ => Found::Text(text.to_owned()),
    };
    match kind {
        Kind::List(_) => {
            let texts = text
                .split(',')
                .map(str::trim)
                .filter(|text| !text.is_empty());
            let entries = texts.map(|text| entry(kind, Found::Text(text.to_owned())));
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            if entries.len() > MAX_LIST {
                return Err(Fault::TooMany { most: MAX_LIST });
            }
            Ok(ValueKind::Array(
                entries
                    .into_iter()
                    .map(|kind| Value::new(None, kind))
                    .collect(),
            ))
        }
        _ => plain(kind, scalar(text.trim()), None),
    }
}

/// A value as it was found.
enum Found {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    Other(&'static str),
}

impl Found {
    fn describe(&self) -> &'static str {
        match self {
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::Other(what) => what,
        }
    }
}

/// Checks a value that is neither a list nor a table.
fn plain(kind: &Kind, found: Found, folder: Option<&Path>) -> Result<ValueKind, Fault> {
    let outside = |found: String| Fault::OutOfRange {
        found,
        wanted: kind.wanted(),
    };
    match (kind, found) {
        (Kind::Bool, Found::Bool(value)) => Ok(ValueKind::Boolean(value)),
        (Kind::Integer(min, max), Found::Integer(value)) => {
            if (*min..=*max).contains(&value) {
                Ok(ValueKind::I64(value))
            } else {
                Err(outside(value.to_string()))
            }
        }
        (Kind::Number(..), Found::Integer(value)) => {
            #[allow(
                clippy::cast_precision_loss,
                reason = "the ranges of numbers are small"
            )]
            let value = value as f64;
            plain(kind, Found::Number(value), folder)
        }
        (Kind::Number(min, max), Found::Number(value)) => {
            if (*min..=*max).contains(&value) {
                Ok(ValueKind::Float(value))
            } else {
                Err(outside(value.to_string()))
            }
        }
        (Kind::Choice(words), Found::Text(text)) => {
            if words.contains(&text.as_str()) {
                Ok(ValueKind::String(text))
            } else {
                Err(outside(format!("\"{text}\"")))
            }
        }
        (Kind::Path, Found::Text(text)) => path_value(&text, kind, folder),
        (Kind::Text(_), found) => entry(kind, found),
        (_, found) => Err(Fault::WrongType {
            found: found.describe(),
            wanted: kind.wanted(),
        }),
    }
}

fn path_value(text: &str, kind: &Kind, folder: Option<&Path>) -> Result<ValueKind, Fault> {
    if text.is_empty() || text.contains('\0') {
        return Err(Fault::OutOfRange {
            found: "an empty text".into(),
            wanted: kind.wanted(),
        });
    }
    let path = PathBuf::from(text);
    let path = match folder {
        Some(folder) => folder.join(path),
        None if path.is_relative() => return Err(Fault::RelativePath(path)),
        None => path,
    };
    Ok(ValueKind::String(path.to_string_lossy().into_owned()))
}

/// Checks a text against its form.
fn entry(kind: &Kind, found: Found) -> Result<ValueKind, Fault> {
    let (Kind::Text(form) | Kind::List(form)) = kind else {
        return Err(Fault::WrongType {
            found: found.describe(),
            wanted: kind.wanted(),
        });
    };
    match found {
        Found::Text(text) if (form.fits)(&text) => Ok(ValueKind::String(text)),
        Found::Text(text) => Err(Fault::OutOfRange {
            found: format!("\"{text}\""),
            wanted: form.wanted.into(),
        }),
        found => Err(Fault::WrongType {
            found: found.describe(),
            wanted: kind.wanted(),
        }),
    }
}

/// Walks one file.
struct Reader<'a> {
    file: Arc<Path>,
    text: &'a str,
    folder: &'a Path,
    problems: &'a mut Vec<Problem>,
    places: BTreeMap<String, Place>,
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
        lines: &mut Vec<LineTable>,
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
            if let Kind::Tables(inner) = key.kind {
                self.line_tables(inner, value, &path, lines);
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
                let values = self.table(inner, table, path, &mut Vec::new());
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

    fn line_tables(
        &mut self,
        keys: &'static [Key],
        value: &Spanned<DeValue<'_>>,
        path: &str,
        lines: &mut Vec<LineTable>,
    ) {
        let DeValue::Array(array) = value.get_ref() else {
            let wanted = Kind::Tables(keys).wanted();
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
                let wanted = Kind::Tables(keys).wanted();
                let fault = Fault::WrongType {
                    found: found(item.get_ref()).describe(),
                    wanted,
                };
                self.blame(offset, path, fault);
                continue;
            };
            let before = self.problems.len();
            let outer = std::mem::take(&mut self.places);
            let values = self.table(keys, table, path, &mut Vec::new());
            self.missing(keys, table, path, offset);
            let inner = std::mem::replace(&mut self.places, outer);
            let strip = |key: String| key[path.len() + 1..].to_owned();
            lines.push(LineTable {
                value: Value::new(None, ValueKind::Table(values)),
                place: self.place(offset),
                places: inner
                    .into_iter()
                    .map(|(key, place)| (strip(key), place))
                    .collect(),
                sound: self.problems.len() == before,
            });
        }
    }
}

fn found(value: &DeValue<'_>) -> Found {
    match value {
        DeValue::String(text) => Found::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Found::Other("too large a number"), Found::Integer),
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .map_or(Found::Other("an odd number"), Found::Number),
        DeValue::Boolean(value) => Found::Bool(*value),
        DeValue::Datetime(_) => Found::Other("a date"),
        DeValue::Array(_) => Found::Other("a list"),
        DeValue::Table(_) => Found::Other("a table"),
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
