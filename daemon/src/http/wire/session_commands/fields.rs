//! A JSON object as its fields, read one by one so that each complaint names its field. `null` is
//! as good as left out; fields that nobody asks for are nobody's business.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::fault::BodyFault;

/// The fields of a body.
pub(super) struct Fields(Map<String, Value>);

/// What the parser is told about a field that comes twice.
const TWICE: &str = "a field twice";

impl Fields {
    /// Reads a body; an empty one is an empty object.
    ///
    /// # Errors
    /// [`BodyFault::Syntax`], [`BodyFault::NotAnObject`], [`BodyFault::Twice`].
    pub(super) fn read(body: &[u8]) -> Result<Self, BodyFault> {
        if body.trim_ascii().is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice::<Self>(body) {
            Ok(fields) => Ok(fields),
            Err(error) if error.is_data() && error.to_string().starts_with(TWICE) => {
                Err(BodyFault::Twice)
            }
            Err(error) if error.is_data() => Err(BodyFault::NotAnObject),
            Err(error) => Err(BodyFault::Syntax {
                line: error.line(),
                column: error.column(),
            }),
        }
    }

    /// A field that is there and not null.
    pub(super) fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    /// A text.
    ///
    /// # Errors
    /// [`BodyFault::Type`].
    pub(super) fn text(&self, field: &'static str) -> Result<Option<&str>, BodyFault> {
        let read = |value: &'_ Value| value.as_str().is_some();
        self.typed(field, "a string", read)
            .map(|value| value.and_then(Value::as_str))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// [`BodyFault::Type`].
    pub(super) fn flag(&self, field: &'static str) -> Result<Option<bool>, BodyFault> {
        let value = self.typed(field, "a boolean", Value::is_boolean)?;
        Ok(value.and_then(Value::as_bool))
    }

    /// A whole number from `least` to `most`.
    ///
    /// # Errors
    /// [`BodyFault::Type`], [`BodyFault::Range`].
    pub(super) fn number(
        &self,
        field: &'static str,
        least: u32,
        most: u32,
    ) -> Result<Option<u32>, BodyFault> {
        let Some(value) = self.typed(field, "an integer", is_whole)? else {
            return Ok(None);
        };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number
            .filter(|number| (least..=most).contains(number))
            .map(Some)
            .ok_or(BodyFault::Range { field, least, most })
    }

    /// A whole number; one past 63 bits is as good as the largest there is.
    ///
    /// # Errors
    /// [`BodyFault::Type`].
    pub(super) fn signed(&self, field: &'static str) -> Result<Option<i64>, BodyFault> {
        let value = self.typed(field, "an integer", is_whole)?;
        Ok(value.map(|value| value.as_i64().unwrap_or(i64::MAX)))
    }

    /// A list of texts.
    ///
    /// # Errors
    /// [`BodyFault::Type`], [`BodyFault::Item`].
    pub(super) fn texts(&self, field: &'static str) -> Result<Option<Vec<&str>>, BodyFault> {
        let value = self.typed(field, "an array of strings", Value::is_array)?;
        let Some(items) = value.and_then(Value::as_array) else {
            return Ok(None);
        };
        let texts = items.iter().enumerate().map(|(index, item)| {
            let text = item.as_str();
            text.ok_or(BodyFault::Item { field, index })
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    fn typed(
        &self,
        field: &'static str,
        wanted: &'static str,
        is_wanted: fn(&Value) -> bool,
    ) -> Result<Option<&Value>, BodyFault> {
        match self.get(field) {
            Some(value) if !is_wanted(value) => Err(BodyFault::Type { field, wanted }),
            other => Ok(other),
        }
    }
}

fn is_whole(value: &Value) -> bool {
    value.is_u64() || value.is_i64()
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        Ok(Fields(fields))
    }
}
