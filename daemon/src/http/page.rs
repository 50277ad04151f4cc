//! The page and the documents that are compiled into the program.

use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderValue, IF_NONE_MATCH, VARY, X_FRAME_OPTIONS,
};
use http::{Response, StatusCode};
use storage::record::Family;

use super::body::Payload;
use super::error::Problem;
use super::media::insert_text;
use super::route::Route;
use super::service::Call;

/// A file that is part of the program.
#[derive(Clone, Copy)]
pub(super) struct Document {
    content_type: &'static str,
    bytes: &'static [u8],
}

/// A file of the page.
struct PageFile {
    /// Its name below `/page/`.
    name: &'static str,
    bytes: &'static [u8],
    /// The same in fewer bytes.
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
    /// Whether another content has another name.
    never_changes: bool,
}

/// All of them; `build.rs` makes the table.
const PAGE: &[PageFile] = include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

/// The first of them.
pub(super) const INDEX: &str = "index.html";

const DOCS_INDEX: Document = Document {
    content_type: "text/html; charset=utf-8",
    bytes: include_bytes!("../../web/docs/index.html"),
};
const DOCS_SCRIPT: Document = Document {
    content_type: "text/javascript; charset=utf-8",
    bytes: include_bytes!("../../web/docs/app.js"),
};
const DOCS_STYLE: Document = Document {
    content_type: "text/css; charset=utf-8",
    bytes: include_bytes!("../../web/docs/style.css"),
};

/// The OpenAPI document of a family.
fn openapi(family: Family) -> Document {
    let bytes: &'static [u8] = match family {
        Family::PlayAudioFile => include_bytes!("openapi/play_audio_file.json"),
        Family::CallRecording => include_bytes!("openapi/call_recording.json"),
        Family::VoiceLog => include_bytes!("openapi/voice_log.json"),
        Family::TaskAudio => include_bytes!("openapi/task_audio.json"),
        Family::SessionCommands => include_bytes!("openapi/session_commands.json"),
        Family::Supervisor => include_bytes!("openapi/supervisor.json"),
    };
    Document {
        content_type: "application/json",
        bytes,
    }
}

/// Only what the page itself consists of may load, nothing may frame it, nothing runs inline.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     media-src 'self' blob:; img-src 'self' data:; worker-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// A year: as good as for ever (RFC 8246).
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The page and its parts.
///
/// # Errors
/// 404 where `http.page` is off, or there is no such file.
pub(super) fn answer(call: &Call<'_>, name: &str) -> Result<Response<Payload>, Problem> {
    if !call.worker.site.config.load().http.page {
        return Err(Problem::no_route());
    }
    // The first one is at `/` alone.
    let is_index = call.parts.uri.path() == "/";
    let file = PAGE
        .iter()
        .find(|file| file.name == name && is_index == (file.name == INDEX))
        .ok_or_else(Problem::no_route)?;
    let (bytes, encoding) = file.encoded(&call.parts.headers);
    let what = Document {
        content_type: content_type(name),
        bytes,
    };
    let mut response = guarded(document(call, what));
    let headers = response.headers_mut();
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    if file.brotli.is_some() || file.gzip.is_some() {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if file.never_changes {
        headers.insert(CACHE_CONTROL, FOR_EVER);
    }
    Ok(response)
}

impl PageFile {
    /// Its bytes in the best way that the client takes, and how they are encoded.
    fn encoded(&self, headers: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
        let ways = [(self.brotli, "br"), (self.gzip, "gzip")];
        for (bytes, name) in ways {
            if let Some(bytes) = bytes
                && accepts(headers, name)
            {
                return (bytes, Some(name));
            }
        }
        (self.bytes, None)
    }
}

/// Whether a client takes an encoding (RFC 9110 section 12.5.3); `*` is not looked at, since a
/// browser names those that it takes.
fn accepts(headers: &HeaderMap, name: &str) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| {
        let (encoding, weight) = part.split_once(';').unwrap_or((part, ""));
        let weight = weight.trim().trim_start_matches("q=");
        let refused = !weight.is_empty() && weight.parse::<f32>().is_ok_and(|q| q <= 0.0);
        encoding.trim().eq_ignore_ascii_case(name) && !refused
    })
}

/// The media type of a file's extension.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("wasm") => "application/wasm",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// The API documents and the page to browse them.
///
/// # Errors
/// 404 where there is none.
pub(super) fn docs(call: &Call<'_>, route: Route<'_>) -> Result<Response<Payload>, Problem> {
    let what = match route {
        Route::OpenApi(family) => return Ok(document(call, openapi(family))),
        _ if !call.worker.site.config.load().http.page => return Err(Problem::no_route()),
        Route::DocsScript => DOCS_SCRIPT,
        Route::DocsStyle => DOCS_STYLE,
        _ => DOCS_INDEX,
    };
    Ok(guarded(document(call, what)))
}

/// A page's part, with the rules that keep it to itself.
fn guarded(mut response: Response<Payload>) -> Response<Payload> {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// A compiled-in file: asked for again each time, sent again only after an update.
pub(super) fn document(call: &Call<'_>, what: Document) -> Response<Payload> {
    let hash = blake3::hash(what.bytes);
    let etag = format!("\"{}\"", hash.to_hex());
    let asked = call.parts.headers.get_all(IF_NONE_MATCH);
    let known = asked.iter().any(|value| {
        let lists = |tag: &str| tag.trim() == "*" || tag.trim().trim_start_matches("W/") == etag;
        value.to_str().is_ok_and(|text| text.split(',').any(lists))
    });
    let mut response = Response::new(Payload::Empty);
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Payload::text(what.bytes);
        let content_type = HeaderValue::from_static(what.content_type);
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    let headers = response.headers_mut();
    insert_text(headers, ETAG, &etag);
    headers.insert(CACHE_CONTROL, call.policy.cache.value());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(value: &'static str, name: &str) -> bool {
        let value = HeaderValue::from_static(value);
        accepts(&[(ACCEPT_ENCODING, value)].into_iter().collect(), name)
    }

    #[test]
    fn encodings_are_what_the_client_takes() {
        assert!(takes("gzip, deflate, br, zstd", "br"));
        assert!(takes("br;q=0.5", "br") && takes("GZIP", "gzip"));
        assert!(!takes("br;q=0, gzip", "br") && !takes("brx", "br") && !takes("", "gzip"));
        let file = PageFile {
            name: "a.js",
            bytes: b"long",
            brotli: Some(b"b"),
            gzip: None,
            never_changes: true,
        };
        let headers = |value| {
            let value = HeaderValue::from_static(value);
            [(ACCEPT_ENCODING, value)].into_iter().collect()
        };
        assert_eq!(file.encoded(&headers("gzip")), (&b"long"[..], None));
        assert_eq!(file.encoded(&headers("gzip, br")), (&b"b"[..], Some("br")));
    }

    #[test]
    fn there_is_a_page_and_its_files_have_names_of_their_own() {
        assert!(PAGE.iter().any(|file| file.name == INDEX));
        for (at, file) in PAGE.iter().enumerate() {
            assert!(
                PAGE.iter()
                    .skip(at + 1)
                    .all(|other| other.name != file.name)
            );
            assert_ne!(
                content_type(file.name),
                "application/octet-stream",
                "{}",
                file.name
            );
        }
    }
}
