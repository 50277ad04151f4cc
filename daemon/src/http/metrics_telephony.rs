//! `/metrics` of telephone lines, of the spans of their cards, and of AudioSocket listeners.

use super::metrics_text::{Text, escaped};
use crate::engine::LineSnapshot;
use crate::engine::telephony::{
    ChannelFacts, ListenerFacts, RingToAnswer, SpanFacts, all_alarm_words,
};

/// What there is to tell of lines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines<'a> {
    /// All lines.
    pub(super) lines: &'a [LineSnapshot],
    /// Spans of cards.
    pub(super) spans: &'a [SpanFacts],
    /// AudioSocket listeners.
    pub(super) listeners: &'a [ListenerFacts],
}

/// What `[line.watch]` can find.
const WATCHED: [&str; 2] = ["silent", "active"];

pub(super) fn render(text: &mut Text, of: &Lines<'_>) {
    watched(text, of.lines);
    watched_total(text, of.lines);
    listening(text, of.lines);
    if of.lines.iter().any(|line| line.channel.is_some()) {
        channels(text, of.lines);
        ring_to_answer(text, of.lines);
    }
    if !of.spans.is_empty() {
        spans(text, of.spans);
    }
    if !of.listeners.is_empty() {
        listeners(text, of.listeners);
    }
}

fn watched(text: &mut Text, lines: &[LineSnapshot]) {
    let name = "callreel_line_alarm";
    text.head(
        name,
        "gauge",
        "Whether the line is too silent or too active, as [line.watch] says.",
    );
    for line in lines {
        for kind in WATCHED {
            let labels = labelled(line, &format!(",kind=\"{kind}\""));
            text.sample(name, &labels, u64::from(line.alarms.contains(&kind)));
        }
    }
}

fn watched_total(text: &mut Text, lines: &[LineSnapshot]) {
    let name = "callreel_line_alarms_total";
    text.head(
        name,
        "counter",
        "Times that one of these alarms was raised.",
    );
    for line in lines {
        text.sample(name, &labelled(line, ""), line.alarms_total);
    }
}

/// Those who listen live.
fn listening(text: &mut Text, lines: &[LineSnapshot]) {
    let name = "callreel_line_listening";
    text.head(name, "gauge", "Who listens live to the line.");
    for line in lines {
        text.sample(name, &labelled(line, ""), u64::from(line.listening));
    }
    let name = "callreel_line_listening_lost_total";
    let help = "Pieces of 20 ms that were lost because a listener was too slow.";
    text.head(name, "counter", help);
    for line in lines {
        text.sample(name, &labelled(line, ""), line.listening_lost);
    }
}

/// Name, kind, help and value of a figure that every channel has.
type ChannelFigure = (
    &'static str,
    &'static str,
    &'static str,
    fn(&ChannelFacts) -> u64,
);

#[rustfmt::skip]
const CHANNEL_FIGURES: [ChannelFigure; 5] = [
    ("callreel_channel_off_hook", "gauge", "Whether the far end is off hook, or connected.",
        |channel| u64::from(channel.off_hook)),
    ("callreel_channel_events_total", "counter", "Signals of the channel.",
        |channel| channel.events),
    ("callreel_channel_alarms_total", "counter", "Times an alarm was raised.",
        |channel| channel.alarms_total),
    ("callreel_channel_slips_total", "counter",
        "Times the driver lost sound or had none to send.",
        |channel| channel.slips),
    ("callreel_channel_refused_total", "counter", "Orders that could not be carried out.",
        |channel| channel.refused),
];

fn channels(text: &mut Text, lines: &[LineSnapshot]) {
    let telephones = || {
        let with = |line: &'_ LineSnapshot| line.channel.is_some();
        lines.iter().filter(move |line| with(line))
    };
    let name = "callreel_channel_info";
    text.head(name, "gauge", "Which channel a line is.");
    for line in telephones() {
        text.sample(name, &labelled(line, &identity(line)), 1);
    }
    for (name, kind, help, value) in CHANNEL_FIGURES {
        text.head(name, kind, help);
        for line in telephones() {
            text.sample(
                name,
                &labelled(line, ""),
                line.channel.as_ref().map_or(0, value),
            );
        }
    }
    let name = "callreel_channel_alarm";
    text.head(
        name,
        "gauge",
        "Whether the channel or its span has any alarm, and those that are on by name.",
    );
    for line in telephones() {
        let alarms = line.channel.iter().flat_map(|channel| &channel.alarms);
        let any = u64::from(alarms.clone().next().is_some());
        text.sample(name, &labelled(line, ",alarm=\"any\""), any);
        for alarm in alarms {
            text.sample(name, &labelled(line, &format!(",alarm=\"{alarm}\"")), 1);
        }
    }
}

/// More labels: number, span, role and signalling, as far as they are known.
fn identity(line: &LineSnapshot) -> String {
    let Some(channel) = &line.channel else {
        return String::new();
    };
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let labels = [
        ("channel", number(channel.number)),
        ("span", number(channel.span)),
        ("role", channel.role.map(|role| role.word().to_owned())),
        ("signalling", channel.signalling.map(str::to_owned)),
        ("listen", channel.listen.map(|address| address.to_string())),
    ];
    labels
        .into_iter()
        .filter_map(|(label, value)| Some(format!(",{label}=\"{}\"", escaped(&value?))))
        .collect()
}

/// All lines together: buckets of each would be many, and say little.
fn ring_to_answer(text: &mut Text, lines: &[LineSnapshot]) {
    let mut all = RingToAnswer::default();
    for channel in lines.iter().filter_map(|line| line.channel.as_ref()) {
        all.merge(&channel.ring_to_answer);
    }
    let bounds = RingToAnswer::BOUNDS_MS.map(|bound| Seconds(bound).to_string());
    text.buckets(
        "callreel_ring_to_answer_seconds",
        "How long calls rang before they were answered.",
        bounds.iter().zip(all.counts),
        all.total(),
        Seconds(all.sum_ms),
    );
}

/// Name and value of an account that a span keeps.
type SpanErrors = (&'static str, fn(&SpanFacts) -> u64);

const SPAN_ERRORS: [SpanErrors; 7] = [
    ("irq_misses", |span| span.irq_misses),
    ("bipolar_violations", |span| span.bipolar_violations),
    ("crc4", |span| span.crc4_errors),
    ("ebit", |span| span.ebit_errors),
    ("frame", |span| span.frame_errors),
    ("coding_violations", |span| span.coding_violations),
    ("errored_seconds", |span| span.errored_seconds),
];

fn spans(text: &mut Text, spans: &[SpanFacts]) {
    let of = |span: &SpanFacts, more: &str| {
        let name = escaped(&span.name);
        format!("{{span=\"{}\",name=\"{name}\"{more}}}", span.number)
    };
    let name = "callreel_span_up";
    text.head(name, "gauge", "Whether the span can be asked.");
    for span in spans {
        text.sample(name, &of(span, ""), u64::from(span.error.is_none()));
    }
    let name = "callreel_span_alarm";
    text.head(name, "gauge", "Whether the span has this alarm.");
    for span in spans {
        for alarm in all_alarm_words() {
            let labels = of(span, &format!(",alarm=\"{alarm}\""));
            text.sample(name, &labels, u64::from(span.alarms.contains(&alarm)));
        }
    }
    let name = "callreel_span_alarms_total";
    text.head(
        name,
        "counter",
        "Times an alarm of the span was seen to be raised.",
    );
    for span in spans {
        text.sample(name, &of(span, ""), span.alarms_total);
    }
    let name = "callreel_span_errors_total";
    text.head(name, "counter", "Errors that the driver counted, by kind.");
    for span in spans {
        for (kind, value) in SPAN_ERRORS {
            text.sample(name, &of(span, &format!(",kind=\"{kind}\"")), value(span));
        }
    }
}

fn listeners(text: &mut Text, listeners: &[ListenerFacts]) {
    let name = "callreel_audiosocket_connections_total";
    text.head(
        name,
        "counter",
        "AudioSocket connections, by what became of them.",
    );
    for listener in listeners {
        for (outcome, count) in [
            ("call", listener.calls),
            ("busy", listener.busy),
            ("denied", listener.denied),
            ("unidentified", listener.unidentified),
        ] {
            let listen = listener.listen;
            let labels = format!("{{listen=\"{listen}\",outcome=\"{outcome}\"}}");
            text.sample(name, &labels, count);
        }
    }
}

fn labelled(line: &LineSnapshot, more: &str) -> String {
    let (name, tenant) = (escaped(line.name.as_str()), escaped(&line.tenant));
    format!("{{line=\"{name}\",tenant=\"{tenant}\"{more}}}")
}

/// Milliseconds, written in seconds.
#[derive(Clone, Copy)]
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / 1_000, self.0 % 1_000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:03}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::schema::{Role, Trigger};

    /// A line on channel 17.
    pub(in crate::http) fn line() -> LineSnapshot {
        let mut rang = RingToAnswer::default();
        rang.add(2_500);
        rang.add(70_250);
        LineSnapshot {
            name: storage::ids::LineName::new("trunk-17").expect("a name"),
            tenant: "acme".into(),
            tenant_id: storage::ids::TenantId(1),
            trigger: Trigger::Hook,
            format: audio_io::format::StreamFormat::TELEPHONE,
            state: "running",
            error: None,
            capture: Vec::new(),
            frames: 0,
            lost_frames: 0,
            overruns: 0,
            stalls: 0,
            opens: 1,
            ring_full_frames: 0,
            ring_depth_max: 0,
            unrecorded_frames: 0,
            slipped_frames: 0,
            rms_dbfs: Vec::new(),
            peak_dbfs: Vec::new(),
            voice: false,
            recording: None,
            playback: None,
            playback_state: None,
            playback_error: None,
            playback_underruns: 0,
            session: None,
            channel: Some(ChannelFacts {
                number: Some(17),
                span: Some(1),
                role: Some(Role::Terminate),
                signalling: Some("fxo"),
                off_hook: true,
                alarms: vec!["red"],
                events: 9,
                alarms_total: 2,
                slips: 3,
                refused: 4,
                ring_to_answer: rang,
                ..ChannelFacts::default()
            }),
            alarms: vec!["silent"],
            alarms_total: 11,
            listening: 2,
            listening_lost: 30,
        }
    }

    #[test]
    fn lines_spans_and_listeners_are_told() {
        let span = SpanFacts {
            number: 1,
            name: "WCT1/0".into(),
            alarms: vec!["yellow"],
            crc4_errors: 5,
            ..SpanFacts::default()
        };
        let listener = ListenerFacts {
            listen: std::net::SocketAddr::from(([127, 0, 0, 1], 9_092)),
            lines: 8,
            calls: 6,
            busy: 7,
            denied: 8,
            unidentified: 9,
        };
        let mut text = Text::default();
        let of = Lines {
            lines: &[line()],
            spans: &[span],
            listeners: &[listener],
        };
        render(&mut text, &of);
        let text = text.into_string();
        let trunk = "{line=\"trunk-17\",tenant=\"acme\"";
        for wanted in [
            format!("callreel_line_alarm{trunk},kind=\"silent\"}} 1"),
            format!("callreel_line_alarm{trunk},kind=\"active\"}} 0"),
            format!("callreel_line_alarms_total{trunk}}} 11"),
            format!(
                "callreel_channel_info{trunk},channel=\"17\",span=\"1\",role=\"terminate\",\
                 signalling=\"fxo\"}} 1"
            ),
            format!("callreel_channel_off_hook{trunk}}} 1"),
            format!("callreel_channel_events_total{trunk}}} 9"),
            format!("callreel_channel_alarms_total{trunk}}} 2"),
            format!("callreel_channel_slips_total{trunk}}} 3"),
            format!("callreel_channel_refused_total{trunk}}} 4"),
            format!("callreel_channel_alarm{trunk},alarm=\"any\"}} 1"),
            format!("callreel_channel_alarm{trunk},alarm=\"red\"}} 1"),
            "callreel_ring_to_answer_seconds_bucket{le=\"1\"} 0".into(),
            "callreel_ring_to_answer_seconds_bucket{le=\"2.5\"} 1".into(),
            "callreel_ring_to_answer_seconds_bucket{le=\"60\"} 1".into(),
            "callreel_ring_to_answer_seconds_bucket{le=\"+Inf\"} 2".into(),
            "callreel_ring_to_answer_seconds_sum 72.75".into(),
            "callreel_ring_to_answer_seconds_count 2".into(),
            "callreel_span_up{span=\"1\",name=\"WCT1/0\"} 1".into(),
            "callreel_span_alarm{span=\"1\",name=\"WCT1/0\",alarm=\"yellow\"} 1".into(),
            "callreel_span_alarm{span=\"1\",name=\"WCT1/0\",alarm=\"red\"} 0".into(),
            "callreel_span_errors_total{span=\"1\",name=\"WCT1/0\",kind=\"crc4\"} 5".into(),
            "callreel_audiosocket_connections_total{listen=\"127.0.0.1:9092\",outcome=\"busy\"} 7"
                .into(),
        ] {
            assert!(
                text.lines().any(|line| line == wanted),
                "{text}\nlacks {wanted}"
            );
        }
    }

    #[test]
    fn milliseconds_are_written_in_seconds() {
        for (ms, text) in [
            (100, "0.1"),
            (2_500, "2.5"),
            (60_000, "60"),
            (72_075, "72.075"),
        ] {
            assert_eq!(Seconds(ms).to_string(), text);
        }
    }
}
