//! From an answer to a file: its length, its kind and how long it keeps.

use std::path::Path;
use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http_body_util::BodyExt;
use storage::prompt::SoundFacts;

use super::FetchError;
use super::client::{Answer, transport};
use crate::engine::limits;
use crate::engine::sound_file;
use crate::spool::{Spool, SpoolError};

/// Writes an answer's body into a file and finds out what sound it is. A body that neither says
/// nor looks like it is sound is not read on.
///
/// # Errors
/// [`FetchError`]; the file is rubbish then.
pub(super) async fn download(mut answer: Answer, into: &Path) -> Result<SoundFacts, FetchError> {
    let headers = &answer.parts.headers;
    let most = limits::FETCH_BYTES;
    if text(headers, &CONTENT_LENGTH)
        .and_then(|length| length.parse::<u64>().ok())
        .is_some_and(|length| length > most)
    {
        return Err(FetchError::TooLarge(most));
    }
    if text(headers, &CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(FetchError::Coded);
    }
    let says_audio = text(headers, &CONTENT_TYPE)
        .and_then(|kind| kind.get(..6))
        .is_some_and(|start| start.eq_ignore_ascii_case("audio/"));
    let mut head = Head::new(says_audio);
    let mut spool = Spool::open(into, most).await.map_err(spooled)?;
    while let Some(frame) = answer.body.frame().await {
        let Ok(data) = frame.map_err(transport)?.into_data() else {
            continue;
        };
        if head.is_something_else(&data) {
            return Err(FetchError::NotAudio(
                audio_io::codec::probe::ProbeError::Unknown,
            ));
        }
        spool.push(&data).await.map_err(spooled)?;
    }
    spool.finish().await.map_err(spooled)?;
    drop(answer);
    sound_file::facts(into).await.map_err(FetchError::NotAudio)
}

/// The first bytes of a body, until they tell what it is.
struct Head {
    gathered: Vec<u8>,
    is_known: bool,
}

impl Head {
    fn new(is_known: bool) -> Self {
        Self {
            gathered: Vec::new(),
            is_known,
        }
    }

    /// Whether these next bytes show that it is no sound of any kind that is known.
    fn is_something_else(&mut self, data: &[u8]) -> bool {
        if self.is_known {
            return false;
        }
        let wanted = HEAD_BYTES.saturating_sub(self.gathered.len());
        self.gathered.extend(data.iter().take(wanted));
        if self.gathered.len() < HEAD_BYTES {
            return false;
        }
        self.is_known = true;
        !looks_like_sound(&self.gathered)
    }
}

/// Enough for every kind's mark.
const HEAD_BYTES: usize = 12;

/// Whether bytes begin like a file that `audio_io::codec::probe` may know; it has the last word.
fn looks_like_sound(head: &[u8]) -> bool {
    let marks: [&[u8]; 7] = [
        b"RIFF",
        b"RF64",
        b"BW64",
        b"ID3",
        b"OggS",
        b"fLaC",
        b"\x1a\x45\xdf\xa3",
    ];
    let is_mpeg = matches!(head, [0xff, second, ..] if second & 0xe0 == 0xe0);
    let is_mp4 = head.get(4..8) == Some(b"ftyp");
    is_mpeg || is_mp4 || marks.iter().any(|mark| head.starts_with(mark))
}

fn spooled(error: SpoolError) -> FetchError {
    match error {
        SpoolError::TooLarge(most) => FetchError::TooLarge(most),
        SpoolError::Io(error) => FetchError::Io(error),
    }
}

/// The entity tag, to ask again with.
pub(super) fn etag(headers: &HeaderMap) -> Option<String> {
    let tag = text(headers, &ETAG)?;
    (tag.len() <= ETAG_BYTES).then(|| tag.to_owned())
}

/// Bytes of an entity tag that is remembered; a longer one is as none.
const ETAG_BYTES: usize = 256;

/// How long an answer may be used unasked: `max-age` less `Age` (RFC 9111 section 4.2), at most
/// [`limits::FETCH_FRESH`]; nothing if it does not say or forbids it.
pub(super) fn fresh_for(headers: &HeaderMap) -> Duration {
    let mut max_age = 0;
    let values = headers.get_all(CACHE_CONTROL).iter();
    let directives = values.filter_map(|value| value.to_str().ok());
    for directive in directives.flat_map(|value| value.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Duration::ZERO;
        }
        if name.eq_ignore_ascii_case("max-age") {
            max_age = value.trim().trim_matches('"').parse::<u64>().unwrap_or(0);
        }
    }
    let age = text(headers, &AGE).and_then(|age| age.parse().ok());
    let left = Duration::from_secs(max_age.saturating_sub(age.unwrap_or(0)));
    left.min(limits::FETCH_FRESH)
}

fn text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freshness_is_what_is_left_of_max_age() {
        for (control, age, expected) in [
            ("max-age=60", "", 60),
            ("public, MAX-AGE=\"60\"", "10", 50),
            ("max-age=60", "61", 0),
            ("max-age=60, no-cache", "", 0),
            ("no-store", "", 0),
            ("max-age=-1", "", 0),
            ("max-age=99999999999999999999", "", 0),
            ("max-age=999999999", "", 86_400),
            ("", "", 0),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, control.parse().unwrap());
            headers.insert(AGE, age.parse().unwrap());
            assert_eq!(fresh_for(&headers).as_secs(), expected, "{control} {age}");
        }
    }

    #[test]
    fn a_head_in_pieces_tells_once_it_is_there() {
        let mut head = Head::new(false);
        assert!(!head.is_something_else(b"<html>"));
        assert!(head.is_something_else(b"<body>"));
        let mut sound = Head::new(false);
        assert!(!sound.is_something_else(b"RIFF...."));
        assert!(!sound.is_something_else(b"WAVEfmt"));
        assert!(!Head::new(true).is_something_else(b"<html><body>"));
    }
}
