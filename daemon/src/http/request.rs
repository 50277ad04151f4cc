//! Parts of requests, parsed once at the edge: query parameters, path segments, sizes.

use std::borrow::Cow;

use http::request::Parts;
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::error::Problem;
use super::limits;

/// Why a query cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum QueryError {
    /// More than [`limits::PARAMETERS`].
    #[error("the query has more than {} parameters", limits::PARAMETERS)]
    TooMany,
    /// Not percent-encoded UTF-8, or with a NUL in it.
    #[error("the query is not percent-encoded UTF-8 without NUL; encode it as RFC 3986 says")]
    Encoding,
    /// A parameter that is used is longer than [`limits::PARAMETER_BYTES`], or than it may be.
    #[error("query parameter '{0}' is too long; most have at most {most} bytes",
            most = limits::PARAMETER_BYTES)]
    TooLong(&'static str),
    /// A parameter that is used occurs twice.
    #[error("query parameter '{0}' is given twice; give it once")]
    Twice(&'static str),
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        Self::parameter(error.to_string())
    }
}

/// A query's parameters, still encoded.
#[derive(Clone, Copy)]
pub(super) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// The query of a request.
    pub(super) fn of(parts: &'a Parts) -> Self {
        Self(parts.uri.query().unwrap_or_default())
    }

    /// One parameter's value, decoded (`+` is a space). Unknown parameters are nobody's business.
    ///
    /// # Errors
    /// [`QueryError`].
    pub(super) fn get(self, name: &'static str) -> Result<Option<Cow<'a, str>>, QueryError> {
        let Some(value) = self.raw(name, usize::MAX)? else {
            return Ok(None);
        };
        let value = decode(value).ok_or(QueryError::Encoding)?;
        if value.len() > limits::PARAMETER_BYTES {
            return Err(QueryError::TooLong(name));
        }
        Ok(Some(value))
    }

    /// One parameter's value as it was sent, of at most `longest` bytes: for parameters whose
    /// family has its own rules of encoding.
    ///
    /// # Errors
    /// [`QueryError`].
    pub(super) fn raw(
        self,
        name: &'static str,
        longest: usize,
    ) -> Result<Option<&'a str>, QueryError> {
        let mut found = None;
        let pairs = self.0.split('&').filter(|pair| !pair.is_empty());
        for (count, pair) in pairs.enumerate() {
            if count >= limits::PARAMETERS {
                return Err(QueryError::TooMany);
            }
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if decode(key).is_none_or(|key| key != name) {
                continue;
            }
            if value.len() > longest {
                return Err(QueryError::TooLong(name));
            }
            if found.replace(value).is_some() {
                return Err(QueryError::Twice(name));
            }
        }
        Ok(found)
    }
}

/// A name or value of a query or form, decoded; `None` if it is not percent-encoded UTF-8 without
/// NUL.
pub(super) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return (!text.contains('\0')).then_some(Cow::Borrowed(text));
    }
    if !escapes_are_whole(text) {
        return None;
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?.into_owned();
    (!decoded.contains('\0')).then_some(Cow::Owned(decoded))
}

/// `?live=1` asks for what there is of a recording that goes on.
///
/// # Errors
/// 400 for anything but `1`, `0`, `true` and `false`.
pub(super) fn wants_live(parts: &Parts) -> Result<bool, Problem> {
    match Query::of(parts).get("live")?.as_deref() {
        None | Some("0" | "false") => Ok(false),
        Some("1" | "true") => Ok(true),
        Some(_) => Err(Problem::parameter("query parameter 'live' is 1 or 0")),
    }
}

/// A path segment, decoded; `None` if it is not percent-encoded UTF-8 of a sensible length.
pub(super) fn segment(text: &str) -> Option<Cow<'_, str>> {
    if text.len() > limits::PARAMETER_BYTES || !escapes_are_whole(text) {
        return None;
    }
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    (!decoded.contains(['\0', '/'])).then_some(decoded)
}

fn escapes_are_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        after
            .as_bytes()
            .get(..2)
            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Checks what every request must keep to, whatever its path.
///
/// # Errors
/// 414, 431 or 400, for the envelope of its path.
pub(super) fn check_head(parts: &Parts) -> Result<(), Problem> {
    let uri = parts.uri.path().len() + parts.uri.query().map_or(0, |query| query.len() + 1);
    if uri > limits::URI_BYTES {
        return Err(Problem::new(
            StatusCode::URI_TOO_LONG,
            "uri_too_long",
            format!(
                "The path and query have {uri} bytes; {} are allowed.",
                limits::URI_BYTES
            ),
        ));
    }
    let bytes: usize = parts
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if parts.headers.len() > limits::HEADER_FIELDS || bytes > limits::HEADER_BYTES {
        return Err(Problem::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers_too_large",
            format!(
                "The request has {} header fields of {bytes} bytes; {} of {} are allowed.",
                parts.headers.len(),
                limits::HEADER_FIELDS,
                limits::HEADER_BYTES
            ),
        ));
    }
    if parts.method == Method::CONNECT {
        return Err(Problem::method("GET, HEAD, OPTIONS"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_checked() {
        let query = Query("a=1&b=x%20y+z&c&d=%ff&e=%0&f=1&f=2&g=%00&%68=8");
        assert_eq!(query.get("a"), Ok(Some("1".into())));
        assert_eq!(query.get("b"), Ok(Some("x y z".into())));
        assert_eq!(query.get("c"), Ok(Some("".into())));
        assert_eq!(query.get("nope"), Ok(None));
        assert_eq!(query.get("d"), Err(QueryError::Encoding));
        assert_eq!(query.get("e"), Err(QueryError::Encoding));
        assert_eq!(query.get("f"), Err(QueryError::Twice("f")));
        assert_eq!(query.get("g"), Err(QueryError::Encoding));
        assert_eq!(query.get("h"), Ok(Some("8".into())));
        let long = format!("a={}", "x".repeat(limits::PARAMETER_BYTES + 1));
        assert_eq!(Query(&long).get("a"), Err(QueryError::TooLong("a")));
        assert_eq!(query.raw("d", 3), Ok(Some("%ff")));
        assert_eq!(query.raw("d", 2), Err(QueryError::TooLong("d")));
        assert_eq!(query.raw("f", 9), Err(QueryError::Twice("f")));
        let many = "z=1&".repeat(limits::PARAMETERS + 1);
        assert_eq!(Query(&many).get("a"), Err(QueryError::TooMany));
    }

    #[test]
    fn segments_cannot_smuggle() {
        assert_eq!(segment("a%2Db").as_deref(), Some("a-b"));
        for bad in ["%", "%4", "%zz", "%00", "..%2f..%2fetc", "%ff"] {
            assert_eq!(segment(bad), None, "{bad}");
        }
        assert_eq!(segment(&"a".repeat(limits::PARAMETER_BYTES + 1)), None);
    }
}
