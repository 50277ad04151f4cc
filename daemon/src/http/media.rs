//! The one media core that all families share (API.md section 0): a recording, a request's
//! headers and how the family presents it, in; an answer out. RFC 9110 sections 8, 13, 14 and 15.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, HeaderMap, HeaderValue, LAST_MODIFIED, RANGE,
};
use http::{Method, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use storage::record::WallMillis;
use storage::view::RecordingView;

use super::body::{MediaBody, Part, Payload, Transport};
use super::conditional::{self, Outcome, Validators};
use super::made_body::MadeBody;
use super::metrics::HttpMetrics;
use super::multipart;
use super::range::{self, Selection};
use crate::engine::transcode::Made;

/// Where an entity's bytes come from.
enum Source {
    /// A file.
    View(RecordingView),
    /// They are made as they are read.
    Made(Arc<dyn Made>),
}

/// Sound that is ready to be answered with, and its validators as header values.
pub(super) struct Entity {
    source: Source,
    etag: String,
    etag_value: HeaderValue,
    last_modified: SystemTime,
    last_modified_value: HeaderValue,
}

impl Entity {
    /// Wraps a view; `None` if its entity tag is not one (RFC 9110 section 8.8.3).
    pub(super) fn new(view: RecordingView) -> Option<Self> {
        let (etag, changed) = (format!("\"{}\"", view.etag()), view.last_modified());
        Self::of(Source::View(view), etag, changed)
    }

    /// Wraps something that is made as it is read; `None` if its entity tag is not one.
    pub(super) fn made(made: Arc<dyn Made>) -> Option<Self> {
        let (etag, changed) = (format!("\"{}\"", made.etag()), made.last_modified());
        Self::of(Source::Made(made), etag, changed)
    }

    fn of(source: Source, etag: String, changed: WallMillis) -> Option<Self> {
        let etag_value = HeaderValue::from_str(&etag).ok()?;
        let last_modified = conditional::whole_seconds(changed);
        let date = httpdate::fmt_http_date(last_modified);
        let last_modified_value = HeaderValue::from_str(&date).ok()?;
        Some(Self {
            source,
            etag,
            etag_value,
            last_modified,
            last_modified_value,
        })
    }

    fn validators(&self) -> Validators<'_> {
        Validators {
            etag: &self.etag,
            last_modified: self.last_modified,
        }
    }

    /// Whether the file is shorter than when it was opened; a cheap `fstat`.
    fn is_cut(&self) -> bool {
        let Source::View(view) = &self.source else {
            return false;
        };
        let (header, start) = view.layout();
        let wanted = view.len().saturating_sub(header).saturating_add(start);
        view.mapping()
            .file()
            .metadata()
            .map_or(true, |found| found.len() < wanted)
    }

    /// Length of the whole in bytes.
    pub(super) fn size_bytes(&self) -> u64 {
        match &self.source {
            Source::View(view) => view.len(),
            Source::Made(made) => made.size_bytes(),
        }
    }

    /// Whether this is a snapshot of a recording that still grows.
    pub(super) fn is_live(&self) -> bool {
        matches!(&self.source, Source::View(view) if view.is_live())
    }

    /// A body of one range.
    fn range(
        &self,
        range: Range<u64>,
        transport: Transport,
        metrics: &Arc<HttpMetrics>,
    ) -> Payload {
        match &self.source {
            Source::View(view) => {
                let body = MediaBody::range(view.clone(), range, transport, Arc::clone(metrics));
                Payload::Media(Box::new(body))
            }
            Source::Made(_) => {
                let length = range.end - range.start;
                self.parts([Part::Range(range)].into(), length, transport, metrics)
            }
        }
    }

    /// A body of parts with texts between them, `length` bytes in all.
    fn parts(
        &self,
        parts: VecDeque<Part>,
        length: u64,
        transport: Transport,
        metrics: &Arc<HttpMetrics>,
    ) -> Payload {
        let metrics = Arc::clone(metrics);
        match &self.source {
            Source::View(view) => {
                let body = MediaBody::parts(view.clone(), parts, length, transport, metrics);
                Payload::Media(Box::new(body))
            }
            Source::Made(made) => {
                let body = MadeBody::new(Arc::clone(made), parts, length, metrics);
                Payload::Made(Box::new(body))
            }
        }
    }
}

/// How long an answer may be reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cache {
    /// `private, no-cache`: kept by the client alone, asked for again each time (a cheap 304).
    Private,
    /// `no-cache`, word for word as seed 004 shows it.
    Revalidate,
    /// `no-store`: it grows, or is secret.
    Never,
}

impl Cache {
    /// The header's value.
    pub(super) const fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Private => "private, no-cache",
            Self::Revalidate => "no-cache",
            Self::Never => "no-store",
        })
    }
}

/// How a family shows a recording.
pub(super) struct Presentation {
    /// Media type.
    pub(super) content_type: &'static str,
    /// `Content-Disposition`, where the seed asks for one.
    pub(super) disposition: Option<HeaderValue>,
    /// `Cache-Control`.
    pub(super) cache: Cache,
    /// Whether `Range` counts on this endpoint.
    pub(super) ranges: bool,
}

/// What of a request the core looks at.
pub(super) struct MediaRequest<'a> {
    /// GET, HEAD, or POST for families whose seed promises ranges there.
    pub(super) method: &'a Method,
    /// Its headers.
    pub(super) headers: &'a HeaderMap,
    /// How its connection takes bytes.
    pub(super) transport: Transport,
    /// A text that occurs in no recording, for `multipart/byteranges`.
    pub(super) boundary: &'a str,
}

/// A refusal, for the family to put into its envelope.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 412.
    Precondition {
        /// The present entity tag.
        etag: HeaderValue,
    },
    /// The file is shorter than when it was opened: 500 in the family's words.
    Cut,
    /// 416 with `Content-Range: bytes */size`.
    Unsatisfiable {
        /// Length of the recording in bytes.
        size_bytes: u64,
    },
}

/// Answers a request for a recording.
///
/// # Errors
/// [`Refusal`]: a precondition failed, or no byte of the ranges exists.
pub(super) fn answer(
    entity: &Entity,
    request: &MediaRequest<'_>,
    shown: &Presentation,
    metrics: &Arc<HttpMetrics>,
) -> Result<Response<Payload>, Refusal> {
    let safe = matches!(*request.method, Method::GET | Method::HEAD);
    match conditional::evaluate(request.headers, entity.validators(), safe) {
        Outcome::Proceed => {}
        Outcome::NotModified => return Ok(not_modified(entity, shown)),
        Outcome::Failed => {
            return Err(Refusal::Precondition {
                etag: entity.etag_value.clone(),
            });
        }
    }
    if entity.is_cut() {
        return Err(Refusal::Cut);
    }
    let size = entity.size_bytes();
    let mut response = Response::new(Payload::Empty);
    let headers = response.headers_mut();
    describe(headers, entity, shown);
    if shown.ranges {
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    let body = |range: Range<u64>| entity.range(range, request.transport, metrics);
    match selection(entity, request, shown, size) {
        Selection::Unsatisfiable => return Err(Refusal::Unsatisfiable { size_bytes: size }),
        Selection::Whole => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
            if *request.method != Method::HEAD {
                *response.body_mut() = body(0..size);
            }
        }
        Selection::One(range) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
            insert_text(headers, CONTENT_RANGE, &content_range(&range, size));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            *response.body_mut() = body(range);
        }
        Selection::Many(ranges) => {
            let layout = multipart::lay_out(ranges, size, shown.content_type, request.boundary);
            headers.insert(CONTENT_LENGTH, HeaderValue::from(layout.length));
            insert_text(headers, CONTENT_TYPE, &layout.content_type);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            *response.body_mut() = many(entity, request, layout, metrics);
        }
    }
    Ok(response)
}

fn selection(
    entity: &Entity,
    request: &MediaRequest<'_>,
    shown: &Presentation,
    size: u64,
) -> Selection {
    // HEAD answers what GET would without a Range (RFC 9110 section 14.2: GET alone defines it).
    if !shown.ranges || *request.method == Method::HEAD {
        return Selection::Whole;
    }
    let mut values = request.headers.get_all(RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Selection::Whole;
    };
    if !conditional::range_counts(request.headers, entity.validators()) {
        return Selection::Whole;
    }
    range::select(value.as_bytes(), size)
}

fn not_modified(entity: &Entity, shown: &Presentation) -> Response<Payload> {
    let mut response = Response::new(Payload::Empty);
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    headers.insert(ETAG, entity.etag_value.clone());
    headers.insert(LAST_MODIFIED, entity.last_modified_value.clone());
    headers.insert(CACHE_CONTROL, shown.cache.value());
    response
}

fn describe(headers: &mut HeaderMap, entity: &Entity, shown: &Presentation) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(shown.content_type));
    headers.insert(ETAG, entity.etag_value.clone());
    headers.insert(LAST_MODIFIED, entity.last_modified_value.clone());
    headers.insert(CACHE_CONTROL, shown.cache.value());
    if let Some(disposition) = &shown.disposition {
        headers.insert(CONTENT_DISPOSITION, disposition.clone());
    }
}

fn many(
    entity: &Entity,
    request: &MediaRequest<'_>,
    layout: multipart::Layout,
    metrics: &Arc<HttpMetrics>,
) -> Payload {
    let mut parts = VecDeque::with_capacity(layout.parts.len() * 2 + 1);
    for (lead, range) in layout.parts {
        parts.push_back(Part::Text(lead));
        parts.push_back(Part::Range(range));
    }
    parts.push_back(Part::Text(layout.end));
    entity.parts(parts, layout.length, request.transport, metrics)
}

fn content_range(range: &Range<u64>, size: u64) -> String {
    format!(
        "bytes {}-{}/{size}",
        range.start,
        range.end.saturating_sub(1)
    )
}

/// For texts that are ASCII by construction.
pub(super) fn insert_text(headers: &mut HeaderMap, name: http::HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// `Content-Disposition: attachment` with the file's name, and its exact form in UTF-8 where that
/// differs (RFC 6266 section 4.3, RFC 8187).
pub(super) fn attachment(file_name: &str) -> HeaderValue {
    disposition("attachment", file_name)
}

/// `Content-Disposition: inline`, likewise.
pub(super) fn inline(file_name: &str) -> HeaderValue {
    disposition("inline", file_name)
}

fn disposition(kind: &'static str, file_name: &str) -> HeaderValue {
    let plain: String = file_name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '/' => '_',
            c if c.is_ascii_graphic() || c == ' ' => c,
            _ => '_',
        })
        .collect();
    let mut text = format!("{kind}; filename=\"{plain}\"");
    if plain != file_name {
        text.push_str("; filename*=UTF-8''");
        text.extend(utf8_percent_encode(file_name, RFC_8187));
    }
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(kind))
}

/// Everything but RFC 8187's `attr-char`.
const RFC_8187: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_have_an_exact_form_where_ascii_does_not_do() {
        for (name, expected) in [
            ("a.wav", "attachment; filename=\"a.wav\""),
            (
                "a \"b\\/.wav",
                "attachment; filename=\"a _b__.wav\"; filename*=UTF-8''a%20%22b%5C%2F.wav",
            ),
            (
                "é.wav",
                "attachment; filename=\"_.wav\"; filename*=UTF-8''%C3%A9.wav",
            ),
            (
                "a\r\nX: y.wav",
                "attachment; filename=\"a__X: y.wav\"; filename*=UTF-8''a%0D%0AX%3A%20y.wav",
            ),
        ] {
            assert_eq!(attachment(name), expected, "{name:?}");
            let expected = expected.replacen("attachment", "inline", 1);
            assert_eq!(inline(name), expected, "{name:?}");
        }
    }
}
