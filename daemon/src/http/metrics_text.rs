//! `/metrics`: the Prometheus text exposition format, version 0.0.4.

use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use audio_io::clock::Kept;
use storage::handle::{Latency, StorageMetrics};

use super::metrics::{Group, HttpMetrics};
use super::metrics_calls::{self, CallMetrics};
use super::metrics_clock;
use super::metrics_telephony::{self, Lines};
use crate::engine::transcode::TranscodeMetrics;
use crate::engine::{EngineTotals, LineSnapshot};

/// Renders everything there is to count.
pub(super) fn render(
    lines: &Lines<'_>,
    totals: EngineTotals,
    store: &StorageMetrics,
    conversions: &Conversions,
    calls: &CallMetrics,
    http: &HttpMetrics,
    (connections, kept): (usize, Kept),
) -> String {
    let mut text = Text(String::with_capacity(16 * 1_024));
    render_lines(&mut text, lines.lines);
    metrics_telephony::render(&mut text, lines);
    render_recordings(&mut text, totals, store);
    render_store(&mut text, store);
    render_conversions(&mut text, conversions);
    metrics_calls::render(&mut text, calls);
    render_http(&mut text, http, connections);
    metrics_clock::render(&mut text, kept, http);
    for (name, kind, help, value) in http.keeping.all() {
        text.one(name, kind, help, value);
    }
    text.into_string()
}

/// What there is to tell of recordings in other formats.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conversions {
    /// What was made.
    pub(super) made: TranscodeMetrics,
    /// Bytes of conversions that are kept.
    pub(super) kept_bytes: u64,
    /// How many they are.
    pub(super) kept_files: u64,
}

fn render_conversions(text: &mut Text, conversions: &Conversions) {
    let Conversions {
        made,
        kept_bytes,
        kept_files,
    } = *conversions;
    let name = "callreel_conversions_total";
    text.head(name, "counter", "Conversions, by what came of them.");
    for (outcome, count) in [
        ("made", made.made),
        ("failed", made.failed),
        ("found", made.cache_hits),
    ] {
        text.sample(name, &format!("{{outcome=\"{outcome}\"}}"), count);
    }
    for (name, kind, help, value) in [
        (
            "callreel_mp3_pieces_total",
            "counter",
            "Pieces of MP3 made.",
            made.pieces,
        ),
        (
            "callreel_conversions_waiting",
            "gauge",
            "Conversions waiting or under way.",
            made.waiting,
        ),
        (
            "callreel_recordings_replaced_total",
            "counter",
            "Recordings converted to their tenant's stored format.",
            made.replaced,
        ),
        (
            "callreel_conversions_kept_bytes",
            "gauge",
            "Size of the conversions that are kept.",
            kept_bytes,
        ),
        (
            "callreel_conversions_kept",
            "gauge",
            "Conversions that are kept.",
            kept_files,
        ),
    ] {
        text.one(name, kind, help, value);
    }
}

/// Name, kind, help and value of a figure that every line has.
type LineFigure = (
    &'static str,
    &'static str,
    &'static str,
    fn(&LineSnapshot) -> u64,
);

#[rustfmt::skip]
const LINE_FIGURES: [LineFigure; 12] = [
    ("callreel_line_up", "gauge", "Whether the line's device delivers sound.",
        |line| u64::from(line.state == "running")),
    ("callreel_line_recording", "gauge", "Whether the line is being recorded.",
        |line| u64::from(line.recording.is_some())),
    ("callreel_line_voice", "gauge", "Whether there is voice on the line.",
        |line| u64::from(line.voice)),
    ("callreel_line_frames_total", "counter", "Frames captured.",
        |line| line.frames),
    ("callreel_line_lost_frames_total", "counter",
        "Frames that the device lost; recordings hold silence in their place.",
        |line| line.lost_frames),
    ("callreel_line_xruns_total", "counter", "Overruns of the device's buffer.",
        |line| line.overruns),
    ("callreel_line_stalls_total", "counter", "Silent stops of the device.",
        |line| line.stalls),
    ("callreel_line_opens_total", "counter", "Times the device was opened.",
        |line| line.opens),
    ("callreel_line_ring_depth_max_blocks", "gauge", "Most blocks that waited in the line's ring.",
        |line| u64::from(line.ring_depth_max)),
    ("callreel_line_ring_full_frames_total", "counter",
        "Frames dropped because the ring was full.",
        |line| line.ring_full_frames),
    ("callreel_line_slipped_frames_total", "counter",
        "Frames dropped or put in because two legs' clocks differ.",
        |line| line.slipped_frames),
    ("callreel_line_playback_underruns_total", "counter",
        "Times the device that is played to ran dry.",
        |line| line.playback_underruns),
];

fn render_lines(text: &mut Text, lines: &[LineSnapshot]) {
    for (name, kind, help, value) in LINE_FIGURES {
        text.head(name, kind, help);
        for line in lines {
            let (line_name, tenant) = (escaped(line.name.as_str()), escaped(&line.tenant));
            let labels = format!("{{line=\"{line_name}\",tenant=\"{tenant}\"}}");
            text.sample(name, &labels, value(line));
        }
    }
}

fn render_recordings(text: &mut Text, totals: EngineTotals, store: &StorageMetrics) {
    text.one(
        "callreel_calls_started_total",
        "counter",
        "Recordings begun.",
        totals.started,
    );
    text.head(
        "callreel_calls_ended_total",
        "counter",
        "Recordings ended, by what became of them.",
    );
    for (outcome, count) in [
        ("stored", totals.stored),
        ("absent", totals.absent),
        ("failed", totals.failed),
    ] {
        text.sample(
            "callreel_calls_ended_total",
            &format!("{{outcome=\"{outcome}\"}}"),
            count,
        );
    }
    text.one(
        "callreel_gaps_total",
        "counter",
        "Gaps in recordings.",
        totals.gaps,
    );
    text.one(
        "callreel_digits_total",
        "counter",
        "Digits of callers that were heard.",
        totals.digits,
    );
    text.one(
        "callreel_masked_frames_total",
        "counter",
        "Frames of recordings in which digits were silenced.",
        totals.masked_frames,
    );
    text.head(
        "callreel_recordings",
        "gauge",
        "Recordings in the index, by state.",
    );
    for (state, count) in [
        ("stored", store.recordings_stored),
        ("absent", store.recordings_absent),
        ("failed", store.recordings_failed),
    ] {
        text.sample(
            "callreel_recordings",
            &format!("{{state=\"{state}\"}}"),
            count,
        );
    }
}

fn render_store(text: &mut Text, store: &StorageMetrics) {
    text.head(
        "callreel_storage_info",
        "gauge",
        "How recordings are written.",
    );
    let labels = format!("{{io=\"{}\"}}", escaped(store.io_backend));
    text.sample("callreel_storage_info", &labels, 1);
    let degraded = u64::from(store.degraded);
    text.one(
        "callreel_storage_degraded",
        "gauge",
        "Whether the disk refuses writes.",
        degraded,
    );
    text.one(
        "callreel_storage_written_bytes_total",
        "counter",
        "Bytes of sound written to recordings.",
        store.bytes_written,
    );
    text.one(
        "callreel_index_bytes",
        "gauge",
        "Size of the index.",
        store.index_bytes,
    );
    text.one(
        "callreel_storage_free_bytes",
        "gauge",
        "Free space where recordings go.",
        store.free_bytes,
    );
    for (name, help, latency) in [
        (
            "callreel_journal_sync_seconds",
            "Syncs of the journal.",
            &store.journal_sync,
        ),
        (
            "callreel_index_commit_seconds",
            "Commits of the index.",
            &store.index_commit,
        ),
        ("callreel_seal_seconds", "Seals of recordings.", &store.seal),
    ] {
        text.histogram(name, help, latency);
    }
}

fn render_http(text: &mut Text, http: &HttpMetrics, connections: usize) {
    let name = "callreel_http_requests_total";
    text.head(name, "counter", "Requests answered, by family and status.");
    for group in Group::ALL {
        for (status, count) in http.requests(group).filter(|(_, count)| *count > 0) {
            let status = if status == 0 {
                "other".to_owned()
            } else {
                status.to_string()
            };
            let labels = format!("{{family=\"{}\",status=\"{status}\"}}", group.label());
            text.sample(name, &labels, count);
        }
    }
    text.one(
        "callreel_http_connections",
        "gauge",
        "Connections open.",
        connections as u64,
    );
    let name = "callreel_http_refused_total";
    text.head(
        name,
        "counter",
        "Connections closed at once, by the limit that they met.",
    );
    text.sample(name, "{limit=\"total\"}", get(&http.refused_total));
    text.sample(name, "{limit=\"address\"}", get(&http.refused_address));
    let name = "callreel_http_rate_limited_total";
    text.head(
        name,
        "counter",
        "Requests refused because there were too many, by what they were counted for.",
    );
    text.sample(name, "{of=\"address\"}", get(&http.limited_address));
    text.sample(name, "{of=\"credential\"}", get(&http.limited_credential));
    for (name, help, value) in http_counters(http) {
        text.one(name, "counter", help, get(value));
    }
    let ends = get(&http.certificate_expiry_s);
    if ends > 0 {
        text.one(
            "callreel_certificate_expiry_timestamp_seconds",
            "gauge",
            "When the certificate of HTTPS ends, in seconds since 1970.",
            ends,
        );
    }
}

#[rustfmt::skip]
fn http_counters(http: &HttpMetrics) -> [(&'static str, &'static str, &AtomicU64); 9] {
    [
        ("callreel_http_accepted_total", "Connections accepted.", &http.accepted),
        ("callreel_http_timed_out_total", "Connections cut by a timeout.", &http.timed_out),
        ("callreel_tls_failures_total", "TLS handshakes that failed.", &http.handshakes_failed),
        ("callreel_auth_failures_total", "Wrong credentials.", &http.auth_failures),
        ("callreel_media_bytes_total", "Bytes of recordings sent.", &http.media_bytes),
        ("callreel_media_cut_total", "Media answers that ended early.", &http.media_cut),
        ("callreel_prefaults_total", "Windows that were waited for.", &http.prefaults),
        ("callreel_recording_cache_hits_total", "Recordings found open.", &http.cache_hits),
        ("callreel_recording_cache_misses_total", "Recordings looked up.", &http.cache_misses),
    ]
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Label values escape backslash, quote and newline.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// Text as it grows.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// What is told of a figure before its samples.
    pub(super) fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One value.
    pub(super) fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    /// A figure without labels.
    pub(super) fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        self.sample(name, "", value);
    }

    fn histogram(&mut self, name: &str, help: &str, latency: &Latency) {
        let buckets = Latency::BOUNDS.iter().zip(latency.buckets);
        self.buckets(name, help, buckets, latency.count, latency.sum_seconds);
    }

    /// A histogram: counts by upper bound, how many there are, and their sum. Buckets are
    /// cumulative on the wire.
    pub(super) fn buckets<'a, B: Display + 'a>(
        &mut self,
        name: &str,
        help: &str,
        buckets: impl Iterator<Item = (&'a B, u64)>,
        total: u64,
        sum: impl Display,
    ) {
        self.head(name, "histogram", help);
        let mut below = 0;
        let bucket = format!("{name}_bucket");
        for (bound, count) in buckets {
            below += count;
            self.sample(&bucket, &format!("{{le=\"{bound}\"}}"), below);
        }
        self.sample(&bucket, "{le=\"+Inf\"}", total);
        self.sample(&format!("{name}_sum"), "", sum);
        self.sample(&format!("{name}_count"), "", total);
    }

    /// All of it.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn every_sample_has_a_type_and_histograms_add_up() {
        let mut store = StorageMetrics {
            io_backend: "io\"u\\ring",
            ..Default::default()
        };
        store.journal_sync = Latency {
            count: 5,
            sum_seconds: 0.25,
            buckets: [1; 12],
        };
        store.journal_sync.buckets[11] = 0;
        store.journal_sync.count = 13;
        let http = HttpMetrics::new();
        http.count(Group::TaskAudio, StatusCode::PARTIAL_CONTENT);
        http.limited_address.fetch_add(4, Ordering::Relaxed);
        let conversions = Conversions {
            made: TranscodeMetrics {
                made: 7,
                ..TranscodeMetrics::default()
            },
            kept_bytes: 8,
            kept_files: 9,
        };
        let totals = EngineTotals::default();
        let mut calls = CallMetrics::default();
        calls.calls.active = 5;
        calls.outbox.waiting = 6;
        let line = metrics_telephony::tests::line();
        let lines = Lines {
            lines: &[line],
            ..Lines::default()
        };
        let text = render(
            &lines,
            totals,
            &store,
            &conversions,
            &calls,
            &http,
            (3, Kept::default()),
        );
        let mut typed = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                typed.push(rest.split(' ').next().unwrap().to_owned());
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                assert!(
                    typed.iter().any(|known| name.starts_with(known.as_str())),
                    "{line}"
                );
                let value = line.rsplit(' ').next().unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
        assert!(text.contains("callreel_journal_sync_seconds_bucket{le=\"+Inf\"} 13\n"));
        assert!(text.contains("callreel_journal_sync_seconds_sum 0.25\n"));
        assert!(text.contains("callreel_storage_info{io=\"io\\\"u\\\\ring\"} 1\n"));
        assert!(
            text.contains("callreel_http_requests_total{family=\"task_audio\",status=\"206\"} 1\n")
        );
        assert!(text.contains("callreel_http_connections 3\n"));
        assert!(text.contains("callreel_http_rate_limited_total{of=\"address\"} 4\n"));
        assert!(text.contains("callreel_conversions_total{outcome=\"made\"} 7\n"));
        assert!(text.contains("callreel_conversions_kept_bytes 8\n"));
        assert!(text.contains("callreel_conversions_kept 9\n"));
        assert!(text.contains("callreel_sessions 5\n"));
        assert!(text.contains("callreel_webhooks_waiting 6\n"));
    }
}
