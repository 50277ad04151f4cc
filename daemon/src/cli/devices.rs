//! `devices`: what PCMs and telephone channels there are, recording from a PCM, and playing to one.
//! Needs no daemon.

mod play;
mod telephony;
mod test;

use std::path::Path;

use audio_io::alsa::hint::{self, Direction, PcmAbilities, PcmHint};
use audio_io::port::{OpenError, Pacing};
use serde::Serialize;

use self::telephony::Cards;
use super::args::DevicesCommand;
use super::error::CliError;
use super::output::{Output, or_dash, table};

/// Why a device could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// It cannot be opened, or not like this.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It went away while it was in use.
    #[error("{device} is gone: {source}")]
    Gone {
        /// The PCM's name.
        device: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It takes no sound although it says it could.
    #[error("{0} has stopped taking sound; is its other end running?")]
    Stuck(String),
    /// A thread for it could not be started.
    #[error("cannot start a capture thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The file is not a WAV file.
    #[error("'{}': {source}", path.display())]
    Wav {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        source: audio_io::codec::wav::WavError,
    },
    /// The file's format cannot be played.
    #[error(
        "'{}' is not PCM16, µ-law or A-law with 1 or 2 channels at 8000 to 48000 Hz; convert it \
         first", .0.display()
    )]
    Format(std::path::PathBuf),
}

/// A PCM, as shown.
#[derive(Debug, Serialize)]
struct Device {
    name: String,
    description: String,
    capture: Option<Abilities>,
    playback: Option<Abilities>,
}

/// What a PCM can do in one direction.
#[derive(Debug, Default, Serialize)]
struct Abilities {
    rates_hz: Vec<u32>,
    encodings: Vec<String>,
    channels_min: u32,
    channels_max: u32,
    /// `device` or `clock`: whether it keeps time itself.
    pacing: Option<&'static str>,
    /// Why it cannot be asked now.
    error: Option<String>,
    /// The same in few words, for the table.
    #[serde(skip)]
    reason: Option<String>,
}

pub(super) async fn run(
    command: Option<DevicesCommand>,
    output: Output,
    dahdi: &Path,
) -> Result<(), CliError> {
    match command {
        None | Some(DevicesCommand::List) => list(output, dahdi),
        Some(DevicesCommand::Test(wish)) => test::test(&wish, output).await,
        Some(DevicesCommand::Play(wish)) => play::play(&wish, output).await,
    }
}

/// All that there is; `--json` prints it as it is.
#[derive(Serialize)]
struct Devices {
    items: Vec<Device>,
    #[serde(flatten)]
    cards: Cards,
}

fn list(output: Output, dahdi: &Path) -> Result<(), CliError> {
    let hints = hint::list().map_err(DeviceError::Open)?;
    let mut items: Vec<Device> = hints.into_iter().map(device).collect();
    // What works comes first.
    items.sort_by_key(|device| !device.works());
    let cards = Cards::ask(dahdi);
    output.show(&Devices { items, cards }, |devices| {
        let rows: Vec<_> = devices.items.iter().flat_map(rows).collect();
        let pcms = if rows.is_empty() {
            "there are no PCMs; is alsa-lib's configuration installed?\n".into()
        } else {
            table(HEADING, &rows)
        };
        pcms + &devices.cards.describe()
    })
}

const HEADING: [&str; 7] = [
    "PCM",
    "DIRECTION",
    "RATES",
    "ENCODINGS",
    "CHANNELS",
    "CLOCK",
    "WHAT",
];

fn device(hint: PcmHint) -> Device {
    let ask = |direction| {
        let asked = hint.directions.contains(&direction);
        asked.then(|| Abilities::from(hint::probe(&hint.name, direction)))
    };
    let (capture, playback) = (ask(Direction::Capture), ask(Direction::Playback));
    Device {
        name: hint.name,
        description: hint.description,
        capture,
        playback,
    }
}

impl From<Result<PcmAbilities, OpenError>> for Abilities {
    fn from(probed: Result<PcmAbilities, OpenError>) -> Self {
        match probed {
            Ok(abilities) => Self {
                rates_hz: abilities.rates.iter().map(|rate| rate.hertz()).collect(),
                encodings: abilities
                    .encodings
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                channels_min: abilities.channels_min,
                channels_max: abilities.channels_max,
                pacing: Some(match abilities.pacing {
                    Pacing::Device => "device",
                    Pacing::Clock => "clock",
                }),
                error: None,
                reason: None,
            },
            Err(error) => Self {
                error: Some(error.to_string()),
                reason: Some(nix::errno::Errno::from_raw(error.errno()).desc().to_owned()),
                ..Self::default()
            },
        }
    }
}

impl Device {
    fn abilities(&self) -> impl Iterator<Item = (&'static str, &Abilities)> {
        let both = [("capture", &self.capture), ("playback", &self.playback)];
        both.into_iter()
            .filter_map(|(direction, abilities)| Some((direction, abilities.as_ref()?)))
    }

    fn works(&self) -> bool {
        self.abilities()
            .any(|(_, abilities)| abilities.error.is_none())
    }
}

fn rows(device: &Device) -> Vec<[String; 7]> {
    let mut rows = Vec::new();
    for (direction, abilities) in device.abilities() {
        let first = rows.is_empty();
        let rates = match (abilities.rates_hz.first(), abilities.rates_hz.last()) {
            (Some(low), Some(high)) if low < high => format!("{low}-{high}"),
            (Some(only), _) => only.to_string(),
            (None, _) => "-".into(),
        };
        let channels = match (abilities.channels_min, abilities.channels_max) {
            (0, 0) => "-".into(),
            (low, high) if low == high => low.to_string(),
            (low, high) => format!("{low}-{high}"),
        };
        let encodings = abilities.encodings.join(",");
        let what = abilities.reason.as_deref().unwrap_or(&device.description);
        rows.push([
            if first {
                device.name.clone()
            } else {
                String::new()
            },
            direction.into(),
            rates,
            or_dash(Some(encodings.as_str()).filter(|text| !text.is_empty())),
            channels,
            or_dash(abilities.pacing),
            if first || abilities.error.is_some() {
                what.to_owned()
            } else {
                String::new()
            },
        ]);
    }
    rows
}
