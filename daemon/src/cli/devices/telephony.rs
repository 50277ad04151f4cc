//! Spans and channels of telephone cards, and what to write into `[[line]]` for them.

use std::path::Path;

use audio_io::channel::HookKind;
use audio_io::dahdi::{self, ChannelStatus, Control, SpanStatus};
use serde::Serialize;

use crate::cli::output::{or_dash, table};
use crate::config::schema::ChannelList;
use crate::engine::telephony::alarm_words;

/// What there is of cards.
#[derive(Debug, Default, Serialize)]
pub(super) struct Cards {
    spans: Vec<Span>,
    channels: Vec<Channel>,
    /// Why the driver cannot be asked, where it is there.
    driver_error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Span {
    number: u32,
    name: String,
    description: String,
    kind: String,
    device: String,
    alarms: Vec<&'static str>,
    channels: u32,
    configured: u32,
}

#[derive(Clone, Debug, Serialize)]
struct Channel {
    number: u32,
    span: u32,
    name: String,
    /// As `/etc/dahdi/system.conf` has it.
    signalling: String,
    /// The same as a port: `fxo`, `fxs`, `em`, `cas`, `clear`; none where there is no sound.
    port: Option<&'static str>,
    law: &'static str,
    alarms: Vec<&'static str>,
}

impl Cards {
    /// Asks the driver. Without one there is nothing.
    pub(super) fn ask(folder: &Path) -> Self {
        let control = match Control::open(folder) {
            Ok(control) => control,
            Err(libc::ENOENT) => return Self::default(),
            Err(errno) => {
                return Self {
                    driver_error: Some(dahdi::control_error(folder, errno)),
                    ..Self::default()
                };
            }
        };
        let spans = control.spans();
        let all: u32 = spans.iter().map(|span| span.channels).sum();
        let mut channels = Vec::new();
        // Numbers have no holes but where a card was taken out.
        for number in 1..=ChannelList::HIGHEST {
            if channels.len() >= all as usize {
                break;
            }
            if let Ok(status) = control.channel(number) {
                channels.push(Channel::from(&status));
            }
        }
        Self {
            spans: spans.iter().map(Span::from).collect(),
            channels,
            driver_error: None,
        }
    }

    /// Below the table of PCMs.
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        if let Some(error) = &self.driver_error {
            text.push_str(&format!("\ntelephone cards: {error}\n"));
        }
        if self.spans.is_empty() {
            return text;
        }
        let spans: Vec<_> = self.spans.iter().map(span_row).collect();
        let heading = ["SPAN", "NAME", "TYPE", "CARD", "ALARMS", "CHANNELS"];
        text.push_str(&format!("\n{}", table(heading, &spans)));
        let groups: Vec<_> = self.groups().iter().map(|group| row_of(group)).collect();
        let heading = ["CHANNELS", "SPAN", "SIGNALLING", "WHAT", "ALARMS", "LINE"];
        text.push_str(&format!("\n{}", table(heading, &groups)));
        text
    }

    /// Channels of one span that are alike.
    fn groups(&self) -> Vec<Vec<Channel>> {
        let mut groups: Vec<Vec<Channel>> = Vec::new();
        for channel in &self.channels {
            let alike = |group: &&mut Vec<Channel>| {
                group.first().is_some_and(|first| {
                    (first.span, &first.signalling, &first.alarms)
                        == (channel.span, &channel.signalling, &channel.alarms)
                })
            };
            match groups.iter_mut().find(alike) {
                Some(group) => group.push(channel.clone()),
                None => groups.push(vec![channel.clone()]),
            }
        }
        groups
    }
}

fn span_row(span: &Span) -> [String; 6] {
    let card = if span.device.is_empty() {
        &span.description
    } else {
        &span.device
    };
    [
        span.number.to_string(),
        span.name.clone(),
        or_dash(Some(span.kind.as_str()).filter(|kind| !kind.is_empty())),
        card.clone(),
        alarms(&span.alarms),
        format!("{} configured of {}", span.configured, span.channels),
    ]
}

fn row_of(group: &[Channel]) -> [String; 6] {
    let numbers: Vec<u32> = group.iter().map(|channel| channel.number).collect();
    let list = ChannelList::of(numbers).to_string();
    let Some(first) = group.first() else {
        return Default::default();
    };
    let (what, line) = match first.port {
        Some("fxo") => (
            "FXO port: an exchange's line",
            format!("dahdi = \"{list}\", role = \"terminate\""),
        ),
        Some("fxs") => (
            "FXS port: a telephone",
            format!("dahdi = \"{list}\", role = \"station\""),
        ),
        Some("em") => (
            "E&M trunk",
            format!("dahdi = \"{list}\", role = \"terminate\""),
        ),
        Some("cas") => (
            "CAS bits that are not interpreted",
            format!("dahdi = \"{list}\", trigger = \"vox\""),
        ),
        Some("clear") => (
            "clear channel: sound without signals",
            format!("dahdi = \"{list}\", role = \"tap\" if a PBX has it, else trigger = \"vox\""),
        ),
        _ if first.signalling == "not configured" => (
            "nothing yet",
            "configure it in /etc/dahdi/system.conf, then dahdi_cfg".to_owned(),
        ),
        _ => ("no sound", "-".to_owned()),
    };
    [
        list,
        first.span.to_string(),
        first.signalling.clone(),
        what.to_owned(),
        alarms(&first.alarms),
        line,
    ]
}

fn alarms(words: &[&'static str]) -> String {
    or_dash(Some(words.join(",").as_str()).filter(|words| !words.is_empty()))
}

impl From<&SpanStatus> for Span {
    fn from(status: &SpanStatus) -> Self {
        Self {
            number: status.number,
            name: status.name.clone(),
            description: status.description.clone(),
            kind: status.kind.clone(),
            device: status.device.clone(),
            alarms: alarm_words(status.alarms),
            channels: status.channels,
            configured: status.configured,
        }
    }
}

impl From<&ChannelStatus> for Channel {
    fn from(status: &ChannelStatus) -> Self {
        let port = status.signalling.hook().map(|kind| match kind {
            HookKind::Fxo => "fxo",
            HookKind::Fxs => "fxs",
            HookKind::Em => "em",
            HookKind::Cas => "cas",
            HookKind::Clear | HookKind::Socket => "clear",
        });
        Self {
            number: status.number,
            span: status.span,
            name: status.name.clone(),
            signalling: status.signalling.to_string(),
            port,
            law: match status.law {
                dahdi::Law::ALaw => "alaw",
                dahdi::Law::MuLaw | dahdi::Law::Auto => "mulaw",
            },
            alarms: alarm_words(status.alarms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(number: u32, signalling: &str, port: Option<&'static str>) -> Channel {
        Channel {
            number,
            span: 1,
            name: format!("WCTDM/0/{number}"),
            signalling: signalling.into(),
            port,
            law: "mulaw",
            alarms: Vec::new(),
        }
    }

    #[test]
    fn channels_that_are_alike_are_a_range_with_what_to_write() {
        let mut channels: Vec<_> = (1..=4).map(|n| channel(n, "fxsks", Some("fxo"))).collect();
        channels.extend((5..=6).map(|n| channel(n, "fxoks", Some("fxs"))));
        channels.push(channel(7, "not configured", None));
        channels.push(channel(8, "HDLC", None));
        channels[2].alarms = vec!["red"];
        let cards = Cards {
            spans: vec![Span {
                number: 1,
                name: "WCTDM/0".into(),
                description: "Wildcard".into(),
                kind: "analog".into(),
                device: "Wildcard TDM800P".into(),
                alarms: Vec::new(),
                channels: 8,
                configured: 6,
            }],
            channels,
            driver_error: None,
        };
        let text = cards.describe();
        for wanted in [
            "6 configured of 8",
            "dahdi = \"1-2,4\", role = \"terminate\"",
            "dahdi = \"3\", role = \"terminate\"",
            "dahdi = \"5-6\", role = \"station\"",
            "/etc/dahdi/system.conf",
        ] {
            assert!(text.contains(wanted), "{text}\nlacks {wanted}");
        }
        let hdlc = text.lines().find(|line| line.contains("HDLC"));
        assert!(hdlc.is_some_and(|line| line.ends_with('-')), "{text}");
    }

    #[test]
    fn without_a_driver_there_is_nothing_to_say() {
        let cards = Cards::ask(Path::new("/nonexistent/dahdi"));
        assert_eq!(cards.describe(), "");
    }
}
