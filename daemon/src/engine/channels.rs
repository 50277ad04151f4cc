//! Telephone channels: those of cards, a real-time thread a span, and connections of AudioSocket,
//! one thread for all.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::SyncSender;

use audio_io::audiosocket::{AudioSocketListener, Seat};
use audio_io::capture::RealtimeOptions;
use audio_io::channel::{ChannelPort, ChannelSource, ChannelStream, ChannelThread};
use audio_io::clock::Clock;
use audio_io::dahdi::{self, ChannelOptions, DahdiChannel, VoltageProbe};
use audio_io::format::{Channels as Legs, StreamFormat};
use audio_io::player::PlayerEvent;
use audio_io::port::PortOpener;
use ipnet::IpNet;

use super::limits::{DEVICES_PER_THREAD_MAX, PLAYED_TAP};
use super::open::{EngineOpenError, LineToOpen};
use super::spans::SpanOf;
use crate::config::schema::{Config, Law, Line, Role, Source, TapKind, Trigger};

/// Running channels and listeners.
pub(super) struct Channels {
    threads: Vec<ChannelThread>,
    /// With the lines that each has.
    pub(super) listeners: Vec<(AudioSocketListener, u32)>,
}

/// A channel that a line has.
pub(super) struct OpenedChannel {
    pub(super) stream: ChannelStream,
    /// How the voltage of a line that is listened to in parallel is seen.
    pub(super) probe: Option<VoltageProbe>,
}

/// Which lines share a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Span(Option<u32>),
    Sockets,
}

impl Group {
    fn name(self) -> String {
        match self {
            Self::Span(Some(span)) => format!("span-{span}"),
            Self::Span(None) => "span".into(),
            Self::Sockets => "sockets".into(),
        }
    }
}

/// A channel that is going to be opened.
struct Wanted {
    place: usize,
    source: ChannelSource,
    probe: Option<VoltageProbe>,
}

impl Channels {
    /// Opens the channels of all lines that have one; in the order of lines.
    pub(super) fn open(
        lines: &[LineToOpen],
        config: &Config,
        span_of: &SpanOf,
        events: &SyncSender<PlayerEvent>,
        options: &RealtimeOptions,
        clock: &Arc<dyn Clock>,
    ) -> Result<(Self, Vec<Option<OpenedChannel>>), EngineOpenError> {
        let (listeners, mut seats) = listen(lines, &config.audiosocket.allow, clock)?;
        let mut groups: BTreeMap<Group, Vec<Wanted>> = BTreeMap::new();
        for (number, line) in (0..).zip(lines) {
            let seats = &mut seats;
            let opener = opener_of(&line.config, &config.dahdi.folder, span_of, seats);
            if let Some((group, opener, probe)) = opener {
                let source = source_of(number, &line.config, opener);
                groups.entry(group).or_default().push(Wanted {
                    place: number as usize,
                    source,
                    probe,
                });
            }
        }
        let mut opened: Vec<Option<OpenedChannel>> = lines.iter().map(|_| None).collect();
        let mut threads = Vec::new();
        for (group, mut rest) in groups {
            while !rest.is_empty() {
                let later = rest.split_off(rest.len().min(DEVICES_PER_THREAD_MAX));
                let (sources, places): (Vec<_>, Vec<_>) = rest
                    .into_iter()
                    .map(|wanted| (wanted.source, (wanted.place, wanted.probe)))
                    .unzip();
                let name = group.name();
                let (thread, streams) =
                    ChannelThread::spawn(&name, sources, events, options.clone(), clock.clone())
                        .map_err(|source| EngineOpenError::thread(&name, source))?;
                threads.push(thread);
                for ((place, probe), stream) in places.into_iter().zip(streams) {
                    if let Some(of_line) = opened.get_mut(place) {
                        *of_line = Some(OpenedChannel { stream, probe });
                    }
                }
                rest = later;
            }
        }
        Ok((Self { threads, listeners }, opened))
    }

    /// Counters that grow while the threads live.
    pub(super) fn wakeup_counters(&self) -> impl Iterator<Item = Arc<AtomicU64>> {
        self.threads
            .iter()
            .filter_map(ChannelThread::wakeup_counter)
    }
}

type Seats = BTreeMap<SocketAddr, std::vec::IntoIter<Seat>>;
type Listeners = Vec<(AudioSocketListener, u32)>;

/// One listener for all lines of an address.
fn listen(
    lines: &[LineToOpen],
    allow: &[IpNet],
    clock: &Arc<dyn Clock>,
) -> Result<(Listeners, Seats), EngineOpenError> {
    let mut counts: BTreeMap<SocketAddr, u32> = BTreeMap::new();
    for line in lines {
        if let Source::AudioSocket { listen } = line.config.source() {
            *counts.entry(listen).or_default() += 1;
        }
    }
    let (mut listeners, mut seats) = (Vec::new(), Seats::new());
    for (address, count) in counts {
        let allow = allow.to_vec();
        // A socket for both families shows addresses of IPv4 as ones of IPv6.
        let allowed = move |peer: IpAddr| {
            let peer = peer.to_canonical();
            allow.iter().any(|network| network.contains(&peer))
        };
        let bound =
            AudioSocketListener::bind(address, Box::new(allowed), count as usize, clock.clone());
        let (listener, given) =
            bound.map_err(|source| EngineOpenError::Listen { address, source })?;
        log::info!("AudioSocket: {count} lines at {}", listener.address());
        listeners.push((listener, count));
        seats.insert(address, given.into_iter());
    }
    Ok((listeners, seats))
}

type Opener = Box<dyn PortOpener<dyn ChannelPort>>;

/// What opens the channel of a line, if it has one.
fn opener_of(
    line: &Line,
    folder: &Path,
    span_of: &SpanOf,
    seats: &mut Seats,
) -> Option<(Group, Opener, Option<VoltageProbe>)> {
    match line.source() {
        Source::Alsa { .. } => None,
        Source::AudioSocket { listen } => {
            let seat = seats.get_mut(&listen)?.next()?;
            Some((Group::Sockets, seat.opener(format_of(line)), None))
        }
        Source::Dahdi { channel, role } => {
            let is_tap = role == Role::Tap;
            if is_tap && line.channel.tap != TapKind::Parallel {
                return None;
            }
            let group = Group::Span(span_of.channel(channel));
            let options = channel_options(line, channel, folder.to_path_buf());
            if is_tap {
                let (opener, probe) = DahdiChannel::opener_with_probe(options);
                return Some((group, opener, Some(probe)));
            }
            Some((group, DahdiChannel::opener(options), None))
        }
    }
}

fn channel_options(line: &Line, number: u32, folder: PathBuf) -> ChannelOptions {
    let channel = &line.channel;
    ChannelOptions {
        folder,
        number,
        law: match channel.law {
            Law::Auto => dahdi::Law::Auto,
            Law::Mulaw => dahdi::Law::MuLaw,
            Law::Alaw => dahdi::Law::ALaw,
        },
        rx_gain_db: channel.rx_gain_db,
        tx_gain_db: channel.tx_gain_db,
        echo_taps: channel.echo_taps,
        format: format_of(line),
        period: line.period_ms,
        buffer: line.buffer_ms,
        // Calls by command need none: on a clear channel they are answered at once.
        wants_signalling: line.trigger == Trigger::Hook && line.role != Role::Tap,
    }
}

fn source_of(number: u32, line: &Line, opener: Opener) -> ChannelSource {
    ChannelSource {
        label: format!("{} ({})", line.name, line.described()),
        line: number,
        opener,
        format: format_of(line),
        tapped: line.plays().then_some(PLAYED_TAP),
    }
}

const fn format_of(line: &Line) -> StreamFormat {
    StreamFormat {
        rate: line.rate,
        encoding: line.encoding,
        channels: Legs::Mono,
    }
}
