//! What there is to record from, with a name to suggest. Nothing is opened: a running daemon may
//! have it.

use std::collections::BTreeMap;
use std::path::Path;

use audio_io::alsa::hint::{self, Direction};
use audio_io::channel::HookKind;
use audio_io::dahdi::Control;

use crate::config::schema::ChannelList;

/// Something to record from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// As it is typed: a PCM, or `dahdi:CHANNELS`.
    pub(super) source: String,
    /// What it is.
    pub(super) what: String,
    /// A line's name to suggest.
    pub(super) name: Option<String>,
    /// What Callreel is on a channel.
    pub(super) role: Option<&'static str>,
}

impl Found {
    /// Something that was typed.
    pub(super) fn typed(text: &str) -> Self {
        Self {
            source: text.to_owned(),
            what: String::new(),
            name: None,
            role: None,
        }
    }
}

/// PCMs that can be captured, and channels that are configured.
pub(super) fn find(dahdi: &Path) -> Vec<Found> {
    let mut found: Vec<Found> = hint::list()
        .unwrap_or_default()
        .into_iter()
        .filter(|pcm| pcm.directions.contains(&Direction::Capture) && !pcm.name.contains(' '))
        .map(|pcm| Found {
            name: suggested(&pcm.name),
            what: pcm.description.replace('\n', ", "),
            source: pcm.name,
            role: None,
        })
        .collect();
    // Cards come before what software offers.
    found.sort_by_key(|device| !device.source.starts_with("plughw:"));
    found.extend(channels(dahdi));
    found
}

fn channels(folder: &Path) -> Vec<Found> {
    let Ok(control) = Control::open(folder) else {
        return Vec::new();
    };
    let all: u32 = control.spans().iter().map(|span| span.channels).sum();
    let mut ports: BTreeMap<&'static str, Vec<u32>> = BTreeMap::new();
    let numbers = (1..=ChannelList::HIGHEST).filter_map(|number| control.channel(number).ok());
    for status in numbers.take(all as usize) {
        let port = match status.signalling.hook() {
            Some(HookKind::Fxo | HookKind::Em) => "terminate",
            Some(HookKind::Fxs) => "station",
            _ => continue,
        };
        ports.entry(port).or_default().push(status.number);
    }
    let described = |(role, numbers)| {
        let (what, name) = match role {
            "station" => ("telephones (FXS ports)", "phone"),
            _ => ("an exchange's lines (FXO ports, trunks)", "trunk"),
        };
        Found {
            source: format!("dahdi:{}", ChannelList::of(numbers)),
            what: what.to_owned(),
            name: Some(name.to_owned()),
            role: Some(role),
        }
    };
    ports.into_iter().map(described).collect()
}

/// `plughw:CARD=PCH,DEV=0` becomes `pch-0`.
fn suggested(pcm: &str) -> Option<String> {
    let value = |key: &str| {
        let (_, rest) = pcm.split_once(key)?;
        Some(
            rest.split([',', ' '])
                .next()
                .unwrap_or(rest)
                .to_ascii_lowercase(),
        )
    };
    let card = value("CARD=")?;
    let name = match value("DEV=") {
        Some(device) => format!("{card}-{device}"),
        None => card,
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    name.chars().all(fits).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_suggested_after_cards() {
        assert_eq!(suggested("plughw:CARD=PCH,DEV=0").as_deref(), Some("pch-0"));
        assert_eq!(suggested("sysdefault:CARD=USB").as_deref(), Some("usb"));
        assert_eq!(suggested("default"), None);
        assert_eq!(suggested("hw:CARD=ä,DEV=0"), None);
    }
}
