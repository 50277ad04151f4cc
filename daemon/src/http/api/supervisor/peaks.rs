//! Waveform peaks of a recording, in audiowaveform's formats.

use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH};
use http::{Response, StatusCode};
use storage::error::PeaksError;
use storage::peaks::{PeaksBits, PeaksChannels, PeaksFormat, PeaksVersion, PeaksWish};

use super::recordings::find;
use super::{Asked, invalid, no_such, number, recording_id, unavailable};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::limits;
use crate::http::media::{Cache, insert_text};
use crate::http::request::Query;

/// `recordings/{id}/peaks`
pub(super) async fn answer(asked: &Asked<'_>, raw: &str) -> Result<Response<Payload>, Problem> {
    let query = Query::of(asked.call.parts);
    let format = match query.get("format")?.as_deref() {
        None | Some("json") => PeaksFormat::Json,
        Some("dat") => PeaksFormat::Dat,
        Some(_) => return Err(invalid("format", "it is dat or json")),
    };
    let channels = match query.get("channels")?.as_deref() {
        None => None,
        Some("split") => Some(PeaksChannels::Split),
        Some("mixed") => Some(PeaksChannels::Mixed),
        Some(_) => return Err(invalid("channels", "it is split or mixed")),
    };
    let version = match query.get("version")?.as_deref() {
        None | Some("2") => PeaksVersion::Two,
        Some("1") => PeaksVersion::One,
        Some(_) => return Err(invalid("version", "it is 1 or 2")),
    };
    let by_version = match version {
        PeaksVersion::One => PeaksChannels::Mixed,
        PeaksVersion::Two => PeaksChannels::Split,
    };
    let zoom = match query.get("zoom")? {
        None => ZOOM,
        Some(text) => number(&text)
            .and_then(|zoom| u32::try_from(zoom).ok())
            .filter(|zoom| *zoom > 0)
            .ok_or_else(|| invalid("zoom", "it is samples a pixel"))?,
    };
    let wish = PeaksWish {
        zoom,
        version,
        bits: match query.get("bits")?.as_deref() {
            None | Some("8") => PeaksBits::Eight,
            Some("16") => PeaksBits::Sixteen,
            Some(_) => return Err(invalid("bits", "it is 8 or 16")),
        },
        channels: channels.unwrap_or(by_version),
    };
    let row = find(asked, recording_id(raw)?).await?;
    let storage = &asked.call.worker.site.storage;
    let peaks = storage.peaks(&row, wish).await.map_err(problem)?;
    let etag = format!("\"{}\"", peaks.etag(format));
    let values = asked.call.parts.headers.get_all(IF_NONE_MATCH).iter();
    let mut values = values.filter_map(|value| value.to_str().ok());
    let is_known = values.any(|value| value.split(',').any(|tag| tag.trim() == etag));
    let (zoom, is_live) = (peaks.zoom(), peaks.is_live());
    let mut response = Response::new(Payload::Empty);
    if is_known && !is_live {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = {
            let body = peaks.into_body(format);
            let length = body.length();
            Payload::Peaks(Box::new(body), length)
        };
        let content_type = HeaderValue::from_static(match format {
            PeaksFormat::Dat => "application/octet-stream",
            PeaksFormat::Json => "application/json",
        });
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    let headers = response.headers_mut();
    let cache = if is_live {
        Cache::Never
    } else {
        insert_text(headers, ETAG, &etag);
        asked.call.policy.cache
    };
    headers.insert(http::header::CACHE_CONTROL, cache.value());
    headers.insert(ZOOM_HEADER, HeaderValue::from(zoom));
    Ok(response)
}

fn problem(error: PeaksError) -> Problem {
    match &error {
        PeaksError::Channels => invalid("channels", "version 1 has one channel: ask for mixed"),
        PeaksError::NoFile(_) => no_such("recording"),
        PeaksError::Busy(_) | PeaksError::Closing => {
            unavailable("The waveform is being made; try again.").retry_after(limits::EVENT_RETRY)
        }
        _ => Problem::internal(error),
    }
}

/// Which zoom was answered.
const ZOOM_HEADER: HeaderName = HeaderName::from_static("x-callreel-zoom");
/// Samples a pixel where the request names none.
const ZOOM: u32 = 256;
