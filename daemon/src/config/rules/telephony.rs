//! Rules for lines that are telephone channels or connections of a PBX, and for what tells them
//! from sound cards.

use std::collections::HashMap;
use std::net::SocketAddr;

use audio_io::dsp::supervision::{self, ZONES};
use audio_io::format::Channels;

use super::Rules;
use crate::config::fault::{Place, Rule};
use crate::config::keys::MAX_LINES;
use crate::config::layer::Table;
use crate::config::schema::{CallerIdKind, Http, Line, Role, Source, TapKind, Trigger};

/// Bytes of a channel in a millisecond.
const BYTES_PER_MS: u64 = 8;
/// The largest block of a channel, in bytes (`DAHDI_MAX_BLOCKSIZE`).
const BLOCK_MAX: u64 = 8_192;
/// The most blocks of a channel (`DAHDI_MAX_NUM_BUFS`).
const BLOCKS_MAX: u64 = 32;
/// The most that all blocks of a channel hold, in bytes (`DAHDI_MAX_BUF_SPACE`).
const SPACE_MAX: u64 = 32_768;
/// Rates that AudioSocket has a kind of frame for, as far as a line can have them.
const SOCKET_RATES: [u32; 7] = [8_000, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000];
/// The longest name of a line.
const NAME_MAX: usize = 64;

/// What the lines so far have taken.
#[derive(Default)]
pub(super) struct Taken {
    channels: HashMap<u32, Place>,
    addresses: Vec<(SocketAddr, Place)>,
    lines: usize,
}

impl Rules<'_> {
    /// What HTTP has taken before any line.
    pub(super) fn taken_by_http(&self, http: &Http) -> Taken {
        let plain = http.listen.iter().map(|address| (address, "http.listen"));
        let secure = http.listen_tls.iter();
        let secure = secure.map(|address| (address, "http.listen_tls"));
        let addresses = plain.chain(secure);
        Taken {
            addresses: addresses
                .map(|(address, key)| (*address, self.place_of(key)))
                .collect(),
            ..Taken::default()
        }
    }

    /// Everything about where a line's sound comes from.
    pub(super) fn source(&mut self, line: &Line, table: &Table, taken: &mut Taken) {
        self.one_source(line, table);
        self.belongings(line, table);
        match line.source() {
            Source::Alsa { .. } => {
                if line.trigger == Trigger::Hook {
                    let place = table.place_of("trigger");
                    self.blame(place, "line.trigger", Rule::HookOfSoundCard);
                }
            }
            Source::Dahdi { .. } => self.dahdi(line, table, taken),
            Source::AudioSocket { listen } => self.audiosocket(line, listen, table, taken),
        }
        self.how_many(line, table, taken);
    }

    /// Exactly one of `capture`, `dahdi` and `audiosocket`.
    fn one_source(&mut self, line: &Line, table: &Table) {
        let given = [
            ("capture", line.capture.is_some()),
            ("dahdi", line.dahdi.is_some()),
            ("audiosocket", line.audiosocket.is_some()),
        ];
        let mut given = given.into_iter().filter(|(_, given)| *given);
        let Some((first, _)) = given.next() else {
            self.blame(table.place.clone(), "line.capture", Rule::NoSource);
            return;
        };
        for (key, _) in given {
            let rule = Rule::TwoSources { first };
            self.blame(table.place_of(key), &format!("line.{key}"), rule);
        }
    }

    /// Keys that say nothing about this kind of line.
    fn belongings(&mut self, line: &Line, table: &Table) {
        for Belonging { key, to, fits } in BELONGINGS {
            let path = format!("line.{key}");
            if table.places.contains_key(*key) && !fits(line) {
                self.blame(table.place_of(key), &path, Rule::BelongsTo { to });
            }
        }
    }

    fn dahdi(&mut self, line: &Line, table: &Table, taken: &mut Taken) {
        if line.rate.hertz() != 8_000 {
            let rule = Rule::ChannelRate {
                rate: line.rate.hertz(),
            };
            self.blame(table.place_of("rate"), "line.rate", rule);
        }
        self.mono(line, table);
        self.blocks(line, table);
        let taps = line.channel.echo_taps;
        let allowed = taps == 0 || (taps.is_power_of_two() && (32..=1_024).contains(&taps));
        if !allowed {
            let (key, rule) = ("channel.echo_taps", Rule::EchoTaps(taps));
            self.blame(table.place_of(key), "line.channel.echo_taps", rule);
        }
        let zone = &line.channel.tone_zone;
        if supervision::zone(zone).is_none() {
            let known: Vec<_> = ZONES
                .iter()
                .map(|zone| zone.code.to_ascii_lowercase())
                .collect();
            let rule = Rule::NoSuchZone {
                zone: zone.clone(),
                known: known.join(", "),
            };
            let place = table.place_of("channel.tone_zone");
            self.blame(place, "line.channel.tone_zone", rule);
        }
        let place = table.place_of("dahdi");
        let numbers = line.dahdi.iter().flat_map(|list| list.numbers());
        for channel in numbers {
            if let Some(other) = taken.channels.insert(*channel, place.clone()) {
                let channel = *channel;
                let rule = Rule::ChannelTwice { channel, other };
                self.blame(place.clone(), "line.dahdi", rule);
                // One word about a whole range is enough.
                break;
            }
        }
    }

    /// The driver's limits of buffers.
    fn blocks(&mut self, line: &Line, table: &Table) {
        let (period, buffer) = (line.period_ms.0, line.buffer_ms.0);
        let (block, space) = (BLOCK_MAX / BYTES_PER_MS, SPACE_MAX / BYTES_PER_MS);
        if period > block {
            let rule = Rule::BlockTooLong {
                most: block,
                period,
            };
            self.blame(table.place_of("period_ms"), "line.period_ms", rule);
        }
        if buffer > space || buffer > period.saturating_mul(BLOCKS_MAX) {
            let most = space.min(period.saturating_mul(BLOCKS_MAX));
            let rule = Rule::TooManyBlocks {
                buffer,
                period,
                most,
            };
            self.blame(table.place_of("buffer_ms"), "line.buffer_ms", rule);
        }
    }

    fn audiosocket(&mut self, line: &Line, listen: SocketAddr, table: &Table, taken: &mut Taken) {
        self.mono(line, table);
        if !SOCKET_RATES.contains(&line.rate.hertz()) {
            let rule = Rule::SocketRate {
                rate: line.rate.hertz(),
            };
            self.blame(table.place_of("rate"), "line.rate", rule);
        }
        if matches!(line.trigger, Trigger::Always | Trigger::Vox) {
            let place = table.place_of("trigger");
            self.blame(place, "line.trigger", Rule::CallsOnly);
        }
        let place = table.place_of("audiosocket");
        let same = |other: &SocketAddr| {
            let ip = other.ip() == listen.ip()
                || other.ip().is_unspecified()
                || listen.ip().is_unspecified();
            // Port 0 asks the kernel for a free port, another one each time.
            ip && other.port() == listen.port() && listen.port() != 0
        };
        if let Some((address, other)) = taken.addresses.iter().find(|(other, _)| same(other)) {
            let rule = Rule::AddressTaken {
                address: *address,
                other: other.clone(),
            };
            self.blame(place.clone(), "line.audiosocket", rule);
        }
        taken.addresses.push((listen, place));
    }

    fn mono(&mut self, line: &Line, table: &Table) {
        if line.channels == Channels::Stereo {
            let place = table.place_of("channels");
            self.blame(place, "line.channels", Rule::ChannelIsMono);
        }
    }

    /// Numbered names that are too long, and too many lines.
    fn how_many(&mut self, line: &Line, table: &Table, taken: &mut Taken) {
        let (count, highest) = match (&line.dahdi, line.audiosocket) {
            (Some(list), _) => (list.numbers().len(), list.numbers().iter().max().copied()),
            (None, Some(_)) => (line.lines as usize, Some(line.lines)),
            (None, None) => (1, None),
        };
        let longest = format!("{}-{}", line.name, highest.unwrap_or_default());
        if count > 1 && longest.len() > NAME_MAX {
            let rule = Rule::NameTooLong { name: longest };
            self.blame(table.place_of("name"), "line.name", rule);
        }
        let before = taken.lines;
        taken.lines = before.saturating_add(count);
        if before <= MAX_LINES && taken.lines > MAX_LINES {
            let rule = Rule::TooManyLines { most: MAX_LINES };
            self.blame(table.place.clone(), "line", rule);
        }
    }
}

/// A key that makes sense for some lines only.
struct Belonging {
    key: &'static str,
    /// Which lines, in words.
    to: &'static str,
    fits: fn(&Line) -> bool,
}

const fn only(key: &'static str, to: &'static str, fits: fn(&Line) -> bool) -> Belonging {
    Belonging { key, to, fits }
}

const SOUND_CARD: &str = "a sound card (capture)";
const CHANNEL: &str = "telephone channels (dahdi)";
const SPOKEN_TO: &str = "telephone channels with role \"terminate\" or \"station\"";
const RUNG: &str =
    "telephone channels with role \"terminate\" and trigger \"hook\" or \"api\", which take calls";

const HEARD: &str = "telephone channels with role \"terminate\" or \"tap\" and trigger \"hook\" \
     or \"api\", which have calls";

const BELONGINGS: &[Belonging] = &[
    only("capture_agent", SOUND_CARD, |line| line.capture.is_some()),
    only("playback", SOUND_CARD, |line| line.capture.is_some()),
    only("role", CHANNEL, is_channel),
    only("lines", "connections (audiosocket)", |line| {
        line.audiosocket.is_some()
    }),
    only("channel.law", CHANNEL, is_channel),
    only("channel.rx_gain_db", CHANNEL, is_channel),
    only("channel.tx_gain_db", SPOKEN_TO, is_spoken_to),
    only("channel.echo_taps", SPOKEN_TO, is_spoken_to),
    only("channel.caller_id", HEARD, is_heard),
    only(
        "channel.caller_id_wait_ms",
        "lines with caller_id = \"fsk\" or \"dtmf\"",
        |line| is_heard(line) && line.channel.caller_id != CallerIdKind::Off,
    ),
    only("channel.hangup_tones", RUNG, is_rung),
    only("channel.tone_zone", RUNG, is_rung),
    only("channel.ring_timeout_ms", RUNG, is_rung),
    only("channel.answer_after_rings", RUNG, is_rung),
    only(
        "channel.tap",
        "telephone channels with role \"tap\"",
        is_tap,
    ),
    only(
        "channel.off_hook_volts",
        "taps with tap = \"parallel\"",
        |line| is_tap(line) && line.channel.tap == TapKind::Parallel,
    ),
];

fn is_channel(line: &Line) -> bool {
    line.dahdi.is_some()
}

fn is_spoken_to(line: &Line) -> bool {
    is_channel(line) && line.role != Role::Tap
}

fn is_tap(line: &Line) -> bool {
    is_channel(line) && line.role == Role::Tap
}

fn is_rung(line: &Line) -> bool {
    is_channel(line) && line.role == Role::Terminate && line.signals()
}

/// Calls of others come in on it, rung or listened to.
fn is_heard(line: &Line) -> bool {
    is_channel(line) && line.role != Role::Station && line.signals()
}
