//! Which PCMs there are, and what each of them can do. Used by `callreel devices`, never by the
//! recording path.

use std::collections::BTreeSet;

use alsa::card;
use alsa::ctl::{Ctl, DeviceIter};
use alsa::device_name::HintIter;
use alsa::pcm::HwParams;

use super::errno_of;
use super::params::{ENCODINGS, Nature, alsa_format, open_pcm, usual_rates};
use super::quiet::Listening;
use crate::format::Encoding;
use crate::port::{OpenError, Pacing};
use crate::units::SampleRate;

/// Which way sound flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the device.
    Capture,
    /// To the device.
    Playback,
}

/// A PCM that alsa-lib knows by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcmHint {
    /// What to write into the configuration.
    pub name: String,
    /// What it is, in one line; empty where nobody says.
    pub description: String,
    /// The directions it claims to have.
    pub directions: Vec<Direction>,
}

/// What a PCM can do in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcmAbilities {
    /// Those of the usual rates, 8 to 48 kHz, that it can do.
    pub rates: Vec<SampleRate>,
    /// Those of our encodings that it can do.
    pub encodings: Vec<Encoding>,
    /// The fewest channels.
    pub channels_min: u32,
    /// The most channels.
    pub channels_max: u32,
    /// Whether it keeps time by itself.
    pub pacing: Pacing,
}

/// Lists the cards' PCMs, then those that the ALSA configuration gives hints for.
///
/// # Errors
/// [`OpenError::Device`] when alsa-lib cannot read its configuration.
pub fn list() -> Result<Vec<PcmHint>, OpenError> {
    let listening = Listening::begin();
    let mut found = cards();
    let mut names: BTreeSet<String> = found.iter().map(|hint| hint.name.clone()).collect();
    let hints = HintIter::new(None, c"pcm").map_err(|error| OpenError::Device {
        device: "the list of PCMs".into(),
        errno: errno_of(&error),
        said: listening.said(),
    })?;
    for hint in hints {
        let Some(name) = hint.name.filter(|name| !names.contains(name)) else {
            continue;
        };
        let directions = match hint.direction {
            Some(alsa::Direction::Capture) => vec![Direction::Capture],
            Some(alsa::Direction::Playback) => vec![Direction::Playback],
            None => vec![Direction::Capture, Direction::Playback],
        };
        let description = hint.desc.unwrap_or_default().replace('\n', ", ");
        names.insert(name.clone());
        found.push(PcmHint {
            name,
            description,
            directions,
        });
    }
    Ok(found)
}

/// Opens a PCM for a moment to see what it can do. Nothing is heard or recorded.
///
/// # Errors
/// [`OpenError::Device`] when it cannot be opened, for example because somebody uses it.
pub fn probe(device: &str, direction: Direction) -> Result<PcmAbilities, OpenError> {
    let listening = Listening::begin();
    let failed = |error: alsa::Error| OpenError::Device {
        device: device.into(),
        errno: errno_of(&error),
        said: listening.said(),
    };
    let pcm = open_pcm(device, alsa_direction(direction)).map_err(failed)?;
    let hw = HwParams::any(&pcm).map_err(failed)?;
    let can = |encoding: &&Encoding| hw.test_format(alsa_format(**encoding)).is_ok();
    Ok(PcmAbilities {
        rates: usual_rates(&hw),
        encodings: ENCODINGS.iter().filter(can).copied().collect(),
        channels_min: hw.get_channels_min().map_err(failed)?,
        channels_max: hw.get_channels_max().map_err(failed)?,
        pacing: Nature::of(&pcm).map_err(failed)?.pacing(),
    })
}

/// The PCMs of the sound cards. A card that cannot be asked is left out: it may just be going.
fn cards() -> Vec<PcmHint> {
    let mut found = Vec::new();
    for card in card::Iter::new().flatten() {
        let Ok(ctl) = Ctl::from_card(&card, true) else {
            continue;
        };
        let Ok(info) = ctl.card_info() else { continue };
        let (Ok(id), Ok(card_name)) = (info.get_id(), info.get_name()) else {
            continue;
        };
        for device in DeviceIter::new(&ctl) {
            let Ok(number) = u32::try_from(device) else {
                continue;
            };
            let mut directions = Vec::new();
            let mut pcm_name = String::new();
            for direction in [Direction::Capture, Direction::Playback] {
                if let Ok(info) = ctl.pcm_info(number, 0, alsa_direction(direction)) {
                    directions.push(direction);
                    pcm_name = info.get_name().unwrap_or_default().into();
                }
            }
            found.push(PcmHint {
                name: format!("hw:CARD={id},DEV={number}"),
                description: format!("{card_name}, {pcm_name}"),
                directions,
            });
        }
    }
    found
}

const fn alsa_direction(direction: Direction) -> alsa::Direction {
    match direction {
        Direction::Capture => alsa::Direction::Capture,
        Direction::Playback => alsa::Direction::Playback,
    }
}
