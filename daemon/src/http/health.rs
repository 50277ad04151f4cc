//! Is it alive, is it ready, how does it do.
//!
//! `/metrics` names lines and tenants, so it answers to this machine only (`Access::Local`):
//! scrape it through an agent on the machine.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use super::body::Payload;
use super::error::Problem;
use super::metrics_calls::{self, CallMetrics};
use super::metrics_telephony::Lines;
use super::metrics_text::{self, Conversions};
use super::service::Call;

/// `/healthz`: the process answers. It touches neither disk nor index, so that a slow disk does
/// not look like a dead process.
pub(super) fn alive() -> Response<Payload> {
    plain("ok\n", "text/plain; charset=utf-8")
}

/// `/readyz`: 503 while the disk refuses writes or the engine makes no progress.
///
/// # Errors
/// The 503.
pub(super) async fn ready(call: &Call<'_>) -> Result<Response<Payload>, Problem> {
    let site = &call.worker.site;
    let figures = call
        .worker
        .recordings
        .off_loop(|storage| storage.metrics())
        .await;
    let figures = figures.map_err(Problem::internal)?;
    let refusal = if figures.degraded {
        Some("The disk refuses writes: nothing is being recorded. See the journal.")
    } else if !site.engine.is_progressing() {
        Some("Capture, recorder, index or calls make no progress. See the journal.")
    } else {
        None
    };
    match refusal {
        None => Ok(plain("ready\n", "text/plain; charset=utf-8")),
        Some(message) => Err(
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message)
                .retry_after(READY_AGAIN),
        ),
    }
}

/// `/metrics`: Prometheus text exposition format 0.0.4.
///
/// # Errors
/// 500 if the store's figures cannot be had.
pub(super) async fn metrics(call: &Call<'_>) -> Result<Response<Payload>, Problem> {
    let site = &call.worker.site;
    let figures = call
        .worker
        .recordings
        .off_loop(|storage| {
            let outbox = metrics_calls::outbox_counts(storage);
            (storage.metrics(), storage.derived_usage(), outbox)
        })
        .await;
    let (figures, (kept_bytes, kept_files), outbox) = figures.map_err(Problem::internal)?;
    let calls = CallMetrics {
        calls: site.calls.figures(),
        webhooks: site.calls.webhook_figures(),
        outbox: outbox.map_err(Problem::internal)?,
        streams: site.streams.count(),
    };
    let conversions = Conversions {
        made: site.transcoder.metrics(),
        kept_bytes,
        kept_files,
    };
    let (lines, spans) = (site.engine.lines(), site.engine.spans());
    let lines = Lines {
        lines: &lines,
        spans: &spans,
        listeners: &site.engine.listeners(),
    };
    let text = metrics_text::render(
        &lines,
        site.engine.totals(),
        &figures,
        &conversions,
        &calls,
        &site.metrics,
        (site.connections.open(), site.clock.kept()),
    );
    Ok(plain(text, "text/plain; version=0.0.4; charset=utf-8"))
}

fn plain(text: impl Into<bytes::Bytes>, content_type: &'static str) -> Response<Payload> {
    let mut response = Response::new(Payload::text(text));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// When it may be worth asking again.
const READY_AGAIN: Duration = Duration::from_secs(5);
