//! `lines`: every line, and below them the spans of telephone cards and the listeners that lines
//! belong to.

use serde::Serialize;

use super::Context;
use super::calls::short;
use super::error::CliError;
use super::output::{or_dash, table};
use crate::control::wire::{Channel, Items, Line, Listener, Span, Spans};

/// All that there is to show; `--json` prints it as it is.
#[derive(Serialize)]
struct Shown {
    items: Vec<Line>,
    spans: Vec<Span>,
    listeners: Vec<Listener>,
}

pub(super) async fn lines(context: &Context) -> Result<(), CliError> {
    let lines: Items<Line> = context.client.get("/lines").await?;
    let spans: Spans = context.client.get("/spans").await?;
    let shown = Shown {
        items: lines.items,
        spans: spans.items,
        listeners: spans.listeners,
    };
    context.output.show(&shown, describe)
}

fn describe(shown: &Shown) -> String {
    let mut text = String::new();
    if shown.items.is_empty() {
        text.push_str("no lines are configured; add [[line]] tables to the configuration\n");
    } else {
        let rows: Vec<_> = shown.items.iter().map(line_row).collect();
        text.push_str(&table(LINE_HEADING, &rows));
    }
    if !shown.spans.is_empty() {
        let rows: Vec<_> = shown.spans.iter().map(span_row).collect();
        text.push('\n');
        text.push_str(&table(SPAN_HEADING, &rows));
    }
    if !shown.listeners.is_empty() {
        let rows: Vec<_> = shown.listeners.iter().map(listener_row).collect();
        text.push('\n');
        text.push_str(&table(LISTENER_HEADING, &rows));
    }
    text
}

const LINE_HEADING: [&str; 13] = [
    "LINE",
    "TENANT",
    "SOURCE",
    "TRIGGER",
    "FORMAT",
    "STATE",
    "HOOK",
    "ALARMS",
    "LEVEL",
    "LOST",
    "RECORDING",
    "SESSION",
    "ERROR",
];

const SPAN_HEADING: [&str; 7] = [
    "SPAN", "NAME", "TYPE", "CARD", "ALARMS", "CHANNELS", "ERRORS",
];

const LISTENER_HEADING: [&str; 6] = [
    "AUDIOSOCKET",
    "LINES",
    "CALLS",
    "BUSY",
    "DENIED",
    "UNIDENTIFIED",
];

fn line_row(line: &Line) -> [String; 13] {
    let channels = if line.format.channels == 2 {
        "stereo"
    } else {
        "mono"
    };
    let levels: Vec<_> = line
        .rms_dbfs
        .iter()
        .map(|level| format!("{level:.1}"))
        .collect();
    let channel = line.channel.as_ref();
    let alarms = channel.map_or(&[][..], |channel| &channel.alarms);
    let alarms = alarms.iter().chain(&line.alarms).cloned();
    let name = &line.format.encoding;
    [
        line.name.clone(),
        line.tenant.clone(),
        channel.map_or_else(|| pcms(line), source),
        line.trigger.clone(),
        format!("{name} {channels} {}", line.format.rate_hz),
        line.state.clone(),
        channel.map_or_else(|| "-".to_owned(), hook),
        or_dash(joined(alarms).as_deref()),
        if levels.is_empty() {
            "-".into()
        } else {
            format!("{} dBFS", levels.join("/"))
        },
        line.lost_frames.to_string(),
        or_dash(line.recid.as_deref()),
        line.session_uuid.map_or_else(|| "-".to_owned(), short),
        or_dash(line.error.as_deref()),
    ]
}

/// What a sound card's line captures, and what it plays to.
fn pcms(line: &Line) -> String {
    let captured = line.capture.join("+");
    match &line.playback {
        Some(playback) => format!("{captured} > {playback}"),
        None => captured,
    }
}

/// `DAHDI 17 (span 1) terminate`, or `AudioSocket 127.0.0.1:9092`.
fn source(channel: &Channel) -> String {
    let Some(number) = channel.number else {
        return format!("AudioSocket {}", or_dash(channel.listen.as_deref()));
    };
    let span = match channel.span {
        Some(span) => format!(" (span {span})"),
        None => String::new(),
    };
    let role = channel.role.as_deref().unwrap_or_default();
    format!("DAHDI {number}{span} {role}")
}

/// What the call is doing, or how the hook stands.
fn hook(channel: &Channel) -> String {
    let hook = if channel.off_hook {
        "off-hook"
    } else {
        "on-hook"
    };
    match channel.phase.as_deref() {
        Some("idle") | None => hook.to_owned(),
        Some(phase) => phase.to_owned(),
    }
}

fn span_row(span: &Span) -> [String; 7] {
    let card = [&span.manufacturer, &span.device]
        .map(|words| words.trim())
        .into_iter()
        .filter(|words| !words.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let card = if card.is_empty() {
        span.description.clone()
    } else {
        card
    };
    let counted = [
        ("irq", span.irq_misses),
        ("bpv", span.bipolar_violations),
        ("crc4", span.crc4_errors),
        ("ebit", span.ebit_errors),
        ("fas", span.frame_errors),
        ("cv", span.coding_violations),
        ("es", span.errored_seconds),
    ];
    let counted = counted.into_iter().filter(|(_, count)| *count > 0);
    let errors = joined(counted.map(|(name, count)| format!("{name} {count}")));
    [
        span.number.to_string(),
        span.name.clone(),
        or_dash(Some(span.kind.as_str()).filter(|kind| !kind.is_empty())),
        or_dash(Some(card.as_str()).filter(|card| !card.is_empty())),
        or_dash(joined(span.alarms.iter().cloned()).as_deref()),
        format!(
            "{} lines, {} configured, {} in all",
            span.used, span.configured, span.channels
        ),
        or_dash(span.error.as_deref().or(errors.as_deref())),
    ]
}

fn listener_row(listener: &Listener) -> [String; 6] {
    [
        listener.listen.clone(),
        listener.lines.to_string(),
        listener.calls.to_string(),
        listener.busy.to_string(),
        listener.denied.to_string(),
        listener.unidentified.to_string(),
    ]
}

/// Words with commas between, if there are any.
fn joined(words: impl Iterator<Item = String>) -> Option<String> {
    let words: Vec<_> = words.collect();
    (!words.is_empty()).then(|| words.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(more: &serde_json::Value) -> Line {
        let mut line = json!({
            "name": "a", "tenant": "acme", "trigger": "hook", "state": "running", "error": null,
            "format": {"rate_hz": 8000, "encoding": "pcm16", "channels": 2}, "capture": [],
            "frames": 1, "lost_frames": 2, "overruns": 0, "stalls": 0, "opens": 1,
            "ring_full_frames": 0, "ring_depth_max": 1, "unrecorded_frames": 0,
            "slipped_frames": 0, "rms_dbfs": [-40.0, -41.5], "peak_dbfs": [-30.0, -30.0],
            "voice": false, "recid": null,
        });
        for (key, value) in more.as_object().expect("an object") {
            line[key] = value.clone();
        }
        serde_json::from_value(line).expect("a line of the wire")
    }

    fn channel(more: &serde_json::Value) -> serde_json::Value {
        let mut channel = serde_json::to_value(Channel::default()).expect("JSON");
        for (key, value) in more.as_object().expect("an object") {
            channel[key] = value.clone();
        }
        json!({ "channel": channel })
    }

    #[test]
    fn a_line_says_what_it_is_and_how_it_stands() {
        let ringing = channel(&json!({
            "number": 17, "span": 1, "role": "terminate", "phase": "ringing", "alarms": ["yellow"],
        }));
        let row = line_row(&line(&ringing));
        assert_eq!(row[2], "DAHDI 17 (span 1) terminate");
        assert_eq!((row[6].as_str(), row[7].as_str()), ("ringing", "yellow"));
        assert_eq!(row[8], "-40.0/-41.5 dBFS");
        let tap = channel(&json!({"number": 3, "role": "tap", "off_hook": true}));
        let row = line_row(&line(&tap));
        assert_eq!(
            (row[2].as_str(), row[6].as_str()),
            ("DAHDI 3 tap", "off-hook")
        );
        let socket = channel(&json!({"listen": "127.0.0.1:9092", "phase": "idle"}));
        let row = line_row(&line(&socket));
        assert_eq!(row[2], "AudioSocket 127.0.0.1:9092");
        assert_eq!((row[6].as_str(), row[7].as_str()), ("on-hook", "-"));
        let card = json!({"capture": ["hw:0"], "playback": "hw:1", "alarms": ["silent"]});
        let row = line_row(&line(&card));
        assert_eq!((row[2].as_str(), row[6].as_str()), ("hw:0 > hw:1", "-"));
        assert_eq!(row[7], "silent");
    }

    #[test]
    fn spans_and_listeners_have_tables_of_their_own() {
        let mut shown = Shown {
            items: Vec::new(),
            spans: Vec::new(),
            listeners: Vec::new(),
        };
        assert_eq!(describe(&shown).lines().count(), 1);
        shown.spans.push(Span {
            number: 2,
            name: "WCT1/0".into(),
            kind: "E1".into(),
            device: "Wildcard TE110P".into(),
            alarms: vec!["red".into(), "loss-of-signal".into()],
            channels: 31,
            configured: 30,
            used: 4,
            crc4_errors: 5,
            ..Span::default()
        });
        shown.listeners.push(Listener {
            listen: "127.0.0.1:9092".into(),
            lines: 8,
            busy: 3,
            ..Listener::default()
        });
        let text = describe(&shown);
        assert!(text.contains("4 lines, 30 configured, 31 in all"), "{text}");
        assert!(text.contains("red,loss-of-signal"), "{text}");
        assert!(text.contains("crc4 5\n"), "{text}");
        assert!(text.contains("127.0.0.1:9092  8      0      3 "), "{text}");
        shown.spans[0].error = Some("cannot be asked".into());
        assert!(describe(&shown).contains("cannot be asked"));
    }
}
