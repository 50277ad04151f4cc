//! The plain first page and the documents that are compiled into the program.

use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, X_FRAME_OPTIONS,
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

const INDEX: Document = Document {
    content_type: "text/html; charset=utf-8",
    bytes: include_bytes!("../../web/index.html"),
};
const SCRIPT: Document = Document {
    content_type: "text/javascript; charset=utf-8",
    bytes: include_bytes!("../../web/app.js"),
};
const STYLE: Document = Document {
    content_type: "text/css; charset=utf-8",
    bytes: include_bytes!("../../web/style.css"),
};
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

/// The OpenAPI document of a family, where it has one.
fn openapi(family: Family) -> Option<Document> {
    let bytes: &'static [u8] = match family {
        Family::PlayAudioFile => include_bytes!("openapi/play_audio_file.json"),
        Family::CallRecording => include_bytes!("openapi/call_recording.json"),
        Family::VoiceLog => include_bytes!("openapi/voice_log.json"),
        Family::TaskAudio => include_bytes!("openapi/task_audio.json"),
        Family::SessionCommands => include_bytes!("openapi/session_commands.json"),
        Family::Supervisor => return None,
    };
    Some(Document {
        content_type: "application/json",
        bytes,
    })
}

/// Only what the page itself consists of may load, nothing may frame it, nothing runs inline.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// The page and its parts.
///
/// # Errors
/// 404 where `http.page` is off.
pub(super) fn answer(call: &Call<'_>, route: Route<'_>) -> Result<Response<Payload>, Problem> {
    if !call.worker.site.config.load().http.page {
        return Err(Problem::no_route());
    }
    let what = match route {
        Route::PageScript => SCRIPT,
        Route::PageStyle => STYLE,
        _ => INDEX,
    };
    Ok(guarded(document(call, what)))
}

/// The API documents and the page to browse them.
///
/// # Errors
/// 404 where there is none.
pub(super) fn docs(call: &Call<'_>, route: Route<'_>) -> Result<Response<Payload>, Problem> {
    let what = match route {
        Route::OpenApi(family) => {
            let what = openapi(family).ok_or_else(Problem::no_route)?;
            return Ok(document(call, what));
        }
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
    headers.insert(http::header::CACHE_CONTROL, call.policy.cache.value());
    response
}
