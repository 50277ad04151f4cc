//! What is only listened to: sound cards, and taps on channels of a PBX. One real-time thread for
//! all sound cards, one for the taps of each span.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use audio_io::alsa::AlsaCapture;
use audio_io::capture::{CaptureSource, CaptureStream, CaptureThread, RealtimeOptions};
use audio_io::clock::Clock;
use audio_io::dahdi::{self, Direction, Tap, TapOptions};
use audio_io::format::{Channels, StreamFormat};

use super::limits::DEVICES_PER_THREAD_MAX;
use super::open::{EngineOpenError, LineToOpen};
use super::spans::SpanOf;
use crate::config::schema::{Line, Role, Source, TapKind};

/// Running captures.
pub(super) struct Captures {
    threads: Vec<CaptureThread>,
}

/// Which lines share a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Cards,
    /// The taps of a span, or of channels whose span is not known.
    Taps(Option<u32>),
}

impl Group {
    fn name(self) -> String {
        match self {
            Self::Cards => "capture".into(),
            Self::Taps(Some(span)) => format!("taps-{span}"),
            Self::Taps(None) => "taps".into(),
        }
    }
}

impl Captures {
    /// Starts capturing for all lines. Each line gets its legs, the caller's first.
    pub(super) fn open(
        lines: &[LineToOpen],
        folder: &Path,
        span_of: &SpanOf,
        options: &RealtimeOptions,
        clock: &Arc<dyn Clock>,
    ) -> Result<(Self, Vec<Vec<CaptureStream>>), EngineOpenError> {
        let mut groups: BTreeMap<Group, Vec<(usize, CaptureSource)>> = BTreeMap::new();
        for (place, line) in lines.iter().enumerate() {
            let (group, sources) = sources_of(&line.config, folder, span_of);
            let of_group = groups.entry(group).or_default();
            of_group.extend(sources.into_iter().map(|source| (place, source)));
        }
        let mut streams: Vec<Vec<CaptureStream>> = lines.iter().map(|_| Vec::new()).collect();
        let mut threads = Vec::new();
        for (group, mut rest) in groups {
            while !rest.is_empty() {
                let later = rest.split_off(rest.len().min(DEVICES_PER_THREAD_MAX));
                let (places, sources): (Vec<usize>, Vec<_>) = rest.into_iter().unzip();
                let name = group.name();
                let (thread, opened) =
                    CaptureThread::spawn(&name, sources, options.clone(), clock.clone())
                        .map_err(|source| EngineOpenError::thread(&name, source))?;
                threads.push(thread);
                for (place, stream) in places.into_iter().zip(opened) {
                    if let Some(legs) = streams.get_mut(place) {
                        legs.push(stream);
                    }
                }
                rest = later;
            }
        }
        Ok((Self { threads }, streams))
    }

    /// Counters that grow while the threads live.
    pub(super) fn wakeup_counters(&self) -> impl Iterator<Item = Arc<AtomicU64>> {
        self.threads.iter().map(CaptureThread::wakeup_counter)
    }
}

fn sources_of(line: &Line, folder: &Path, span_of: &SpanOf) -> (Group, Vec<CaptureSource>) {
    let format = StreamFormat {
        rate: line.rate,
        encoding: line.encoding,
        channels: Channels::Mono,
    };
    match line.source() {
        Source::Alsa { capture, agent, .. } => {
            let channels = match agent {
                Some(_) => Channels::Mono,
                None => line.channels,
            };
            let format = StreamFormat { channels, ..format };
            let pcms = std::iter::once(capture).chain(agent);
            let sources = pcms.map(|pcm| CaptureSource {
                label: format!("{} ({pcm})", line.name),
                opener: AlsaCapture::opener(pcm, format, line.period_ms, line.buffer_ms),
                format,
            });
            (Group::Cards, sources.collect())
        }
        Source::Dahdi {
            channel: number,
            role: Role::Tap,
        } => {
            let kind = match line.channel.tap {
                TapKind::Auto => dahdi::TapKind::Auto,
                TapKind::Mirror => dahdi::TapKind::Mirror,
                TapKind::Monitor => dahdi::TapKind::Monitor,
                // A port of ours: a channel.
                TapKind::Parallel => return (Group::Cards, Vec::new()),
            };
            let ways = [(Direction::Rx, "rx"), (Direction::Tx, "tx")];
            let sources = ways.map(|(direction, way)| CaptureSource {
                label: format!("{} (DAHDI {number} {way})", line.name),
                opener: Tap::opener(TapOptions {
                    folder: folder.to_path_buf(),
                    number,
                    direction,
                    kind,
                    format,
                    period: line.period_ms,
                    buffer: line.buffer_ms,
                }),
                format,
            });
            (Group::Taps(span_of.channel(number)), sources.into())
        }
        Source::Dahdi { .. } | Source::AudioSocket { .. } => (Group::Cards, Vec::new()),
    }
}
