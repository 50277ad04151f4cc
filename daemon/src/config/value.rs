//! Single values of a configuration: whether they have the type, range and form that their key
//! demands. Where they stand is the business of `layer.rs`.

use std::path::{Path, PathBuf};

use config::{Value, ValueKind};
use toml::de::DeValue;

use super::fault::Fault;
use super::keys::{Kind, MAX_LIST};

/// A value given as bare text; lists are separated by commas.
pub(super) fn from_text(kind: &Kind, text: &str) -> Result<ValueKind, Fault> {
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
pub(super) enum Found {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    Other(&'static str),
}

impl Found {
    pub(super) fn describe(&self) -> &'static str {
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
pub(super) fn plain(kind: &Kind, found: Found, folder: Option<&Path>) -> Result<ValueKind, Fault> {
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
pub(super) fn entry(kind: &Kind, found: Found) -> Result<ValueKind, Fault> {
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

/// A value of a file.
pub(super) fn found(value: &DeValue<'_>) -> Found {
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
