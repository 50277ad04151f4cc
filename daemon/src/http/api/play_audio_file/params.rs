//! The parameters of a request, wherever they stand: query, form, JSON or multipart. What is
//! readable is kept, so that a token in it counts, and the first thing that is not is remembered
//! beside it. Pure; bodies are read elsewhere.

use std::fmt;

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use crate::http::error::Problem;
use crate::http::limits;
use crate::http::request;

/// Where parameters stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Query,
    Body,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Query => "query",
            Self::Body => "body",
        })
    }
}

/// What is wrong with parameters.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("The {0} has more than {most} parameters.", most = limits::PARAMETERS)]
    TooMany(Place),
    #[error("The {0} is not percent-encoded UTF-8 without NUL; encode it as RFC 3986 says.")]
    Encoding(Place),
    #[error("Parameter '{1}' is given twice in the {0}; give it once.")]
    Twice(Place, &'static str),
    #[error("Parameter '{0}' is longer than {1} bytes.")]
    TooLong(&'static str, usize),
    #[error("Parameter '{0}' in the body is not a text, number, true or false.")]
    Kind(&'static str),
    #[error("The body is not a JSON object.")]
    Json,
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::parameter(fault.to_string())
    }
}

/// The parameters that the family knows, with the most bytes of each. How long a token is is the
/// token's own business.
const KNOWN: [(&str, usize); 17] = [
    ("tsid", limits::FORM_BODY_BYTES),
    ("sid", limits::FORM_BODY_BYTES),
    ("recid", limits::PARAMETER_BYTES),
    ("cdw_id", limits::PARAMETER_BYTES),
    ("cdw_file", limits::PARAMETER_BYTES),
    ("cdw_file_test", limits::PARAMETER_BYTES),
    ("cd_id", limits::PARAMETER_BYTES),
    ("noheader", limits::PARAMETER_BYTES),
    ("type", limits::PARAMETER_BYTES),
    ("search", limits::PARAMETER_BYTES),
    ("maxreg", limits::PARAMETER_BYTES),
    ("name", 4 * limits::PARAMETER_BYTES),
    ("expires", limits::PARAMETER_BYTES),
    ("voice", limits::PARAMETER_BYTES),
    ("lang", limits::PARAMETER_BYTES),
    ("url", limits::FORM_BODY_BYTES),
    ("text", limits::FORM_BODY_BYTES),
];

/// The parameters of one place.
#[derive(Debug, Default)]
pub(super) struct Values(Vec<(&'static str, String)>);

impl Values {
    /// Takes one in; names that nobody knows are nobody's business.
    ///
    /// # Errors
    /// [`Fault`]; what was there before stays.
    pub(super) fn take(&mut self, place: Place, name: &str, value: String) -> Result<(), Fault> {
        let Some((name, most)) = KNOWN.iter().find(|(known, _)| *known == name) else {
            return Ok(());
        };
        if value.len() > *most {
            return Err(Fault::TooLong(name, *most));
        }
        if self.get(name).is_some() {
            return Err(Fault::Twice(place, name));
        }
        self.0.push((name, value));
        Ok(())
    }

    /// Those of a query or a form (WHATWG URL section 5.1, but strict).
    pub(super) fn of_encoded(text: &[u8], place: Place) -> (Self, Option<Fault>) {
        let (mut values, mut fault) = (Self::default(), None);
        let Ok(text) = std::str::from_utf8(text) else {
            return (values, Some(Fault::Encoding(place)));
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        for (count, pair) in pairs.enumerate() {
            if count >= limits::PARAMETERS {
                fault.get_or_insert(Fault::TooMany(place));
                break;
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let taken = match (request::decode(name), request::decode(value)) {
                (Some(name), Some(value)) => values.take(place, &name, value.into_owned()),
                _ => Err(Fault::Encoding(place)),
            };
            if let Err(found) = taken {
                fault.get_or_insert(found);
            }
        }
        (values, fault)
    }

    /// Those of a JSON object. `null` is as if it were not there.
    pub(super) fn of_json(text: &[u8]) -> (Self, Option<Fault>) {
        match serde_json::from_slice::<Object>(text) {
            Ok(Object { values, fault }) => (values, fault),
            Err(_) => (Self::default(), Some(Fault::Json)),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| *known == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

/// The parameters of a request.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    pub(super) query: Values,
    pub(super) body: Values,
}

impl Parameters {
    /// One that is there and not empty; on a clash the query wins (API.md section 1).
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let places = [&self.query, &self.body].into_iter();
        let mut found = places.filter_map(|values| values.get(name));
        found.find(|value| !value.is_empty())
    }
}

/// A JSON object's members as parameters.
struct Object {
    values: Values,
    fault: Option<Fault>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Object, A::Error> {
        let (mut values, mut fault) = (Values::default(), None);
        let mut count = 0;
        while let Some(name) = members.next_key::<String>()? {
            count += 1;
            let known = KNOWN.iter().find(|(known, _)| *known == name);
            let Some((known, _)) = known.filter(|_| count <= limits::PARAMETERS) else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            let taken = match members.next_value()? {
                serde_json::Value::Null => Ok(()),
                serde_json::Value::String(text) if text.contains('\0') => Err(Fault::Kind(known)),
                serde_json::Value::String(text) => values.take(Place::Body, known, text),
                serde_json::Value::Number(number) => {
                    values.take(Place::Body, known, number.to_string())
                }
                serde_json::Value::Bool(is) => values.take(Place::Body, known, is.to_string()),
                serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
                    Err(Fault::Kind(known))
                }
            };
            if let Err(found) = taken {
                fault.get_or_insert(found);
            }
        }
        if count > limits::PARAMETERS {
            fault.get_or_insert(Fault::TooMany(Place::Body));
        }
        Ok(Object { values, fault })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(text: &str) -> (Values, Option<Fault>) {
        Values::of_encoded(text.as_bytes(), Place::Body)
    }

    #[test]
    fn readable_parameters_are_kept_beside_the_first_fault() {
        let (values, fault) =
            form("tsid=0123456789&recid=%d7&x=%zz&cdw_id=1&cdw_id=2&name=a+b%20c");
        assert_eq!(values.get("tsid"), Some("0123456789"));
        assert_eq!(values.get("recid"), None);
        assert_eq!(values.get("cdw_id"), Some("1"));
        assert_eq!(values.get("name"), Some("a b c"));
        assert_eq!(fault, Some(Fault::Encoding(Place::Body)));
        for (text, expected) in [
            ("recid=1&recid=1", Fault::Twice(Place::Body, "recid")),
            ("recid=%00", Fault::Encoding(Place::Body)),
            ("recid=1%", Fault::Encoding(Place::Body)),
            ("%ff=1", Fault::Encoding(Place::Body)),
        ] {
            assert_eq!(form(text).1, Some(expected), "{text}");
        }
        let long = format!("recid={}", "9".repeat(257));
        assert_eq!(form(&long).1, Some(Fault::TooLong("recid", 256)));
        let many = "x=1&".repeat(33);
        assert_eq!(form(&many).1, Some(Fault::TooMany(Place::Body)));
        let bytes = Values::of_encoded(b"recid=\xff", Place::Body);
        assert_eq!(bytes.1, Some(Fault::Encoding(Place::Body)));
        assert_eq!(form("nobody=1&nobody=2&&=&a").1, None);
    }

    #[test]
    fn json_members_are_texts() {
        let text = br#"{"tsid":"a","recid":12,"cdw_id":-1,"noheader":true,"name":null,"x":{"y":[]},
            "maxreg":100000000000000000000,"search":1.5}"#;
        let (values, fault) = Values::of_json(text);
        assert_eq!(fault, None);
        for (name, expected) in [
            ("tsid", Some("a")),
            ("recid", Some("12")),
            ("cdw_id", Some("-1")),
            ("noheader", Some("true")),
            ("name", None),
            ("search", Some("1.5")),
        ] {
            assert_eq!(values.get(name), expected, "{name}");
        }
        for (text, expected) in [
            ("{\"recid\":[1]}", Fault::Kind("recid")),
            ("{\"recid\":{}}", Fault::Kind("recid")),
            ("{\"recid\":\"1\\u0000\"}", Fault::Kind("recid")),
            (
                "{\"recid\":1,\"recid\":2}",
                Fault::Twice(Place::Body, "recid"),
            ),
            ("{\"recid\":1", Fault::Json),
            ("[1]", Fault::Json),
            ("\"recid\"", Fault::Json),
            ("{} {}", Fault::Json),
        ] {
            assert_eq!(Values::of_json(text.as_bytes()).1, Some(expected), "{text}");
        }
    }

    #[test]
    fn the_query_wins_unless_it_is_empty() {
        let parameters = Parameters {
            query: form("recid=1&cdw_id=").0,
            body: form("recid=2&cdw_id=3&name=n").0,
        };
        assert_eq!(parameters.get("recid"), Some("1"));
        assert_eq!(parameters.get("cdw_id"), Some("3"));
        assert_eq!(parameters.get("name"), Some("n"));
        assert_eq!(parameters.get("sid"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>, text in "(recid|tsid|x)?=?(%[0-9a-f]{0,2}|&|=|.){0,40}") {
            let _ = Values::of_encoded(&bytes, Place::Query);
            let _ = Values::of_json(&bytes);
            let (values, _) = Values::of_encoded(text.as_bytes(), Place::Query);
            for (_, value) in &values.0 {
                prop_assert!(!value.contains('\0'));
            }
        }
    }
}
