//! Reads `multipart/byteranges` (RFC 9110 section 14.6) strictly.

use crate::http::Answer;

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its `Content-Type`.
    pub media_type: String,
    /// Its `Content-Range`.
    pub content_range: String,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// Takes a multipart answer apart.
///
/// # Panics
/// On anything that RFC 2046 section 5.1.1 does not allow.
#[must_use]
pub fn parts(answer: &Answer) -> Vec<Part> {
    let kind = answer.header("content-type").expect("a Content-Type");
    let boundary = kind
        .strip_prefix("multipart/byteranges")
        .and_then(|rest| {
            rest.trim_start_matches(';')
                .trim()
                .strip_prefix("boundary=")
        })
        .map(|boundary| boundary.trim_matches('"'))
        .unwrap_or_else(|| panic!("not multipart/byteranges with a boundary: {kind}"));
    let opening = format!("--{boundary}\r\n").into_bytes();
    let between = format!("\r\n--{boundary}\r\n").into_bytes();
    let closing = format!("\r\n--{boundary}--").into_bytes();

    let start = find(&answer.body, &opening).expect("an opening boundary") + opening.len();
    let end = find(&answer.body, &closing).expect("a closing boundary");
    let after = &answer.body[end + closing.len()..];
    assert!(
        after.is_empty() || after == b"\r\n",
        "bytes after the closing boundary"
    );

    let mut found = Vec::new();
    let mut rest = &answer.body[start..end];
    while let Some(cut) = find(rest, &between) {
        found.push(part(&rest[..cut]));
        rest = &rest[cut + between.len()..];
    }
    found.push(part(rest));
    found
}

fn part(bytes: &[u8]) -> Part {
    let head_end = find(bytes, b"\r\n\r\n").expect("an empty line after a part's headers");
    let head = String::from_utf8(bytes[..head_end].to_vec()).expect("headers in ASCII");
    let value = |name: &str| {
        head.split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_else(|| panic!("a part without {name}: {head}"))
    };
    Part {
        media_type: value("Content-Type"),
        content_range: value("Content-Range"),
        body: bytes[head_end + 4..].to_vec(),
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
