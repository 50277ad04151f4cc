//! Lines, put together from what was opened for them.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use audio_io::capture::CaptureStream;
use audio_io::channel::{ChannelStats, ChannelStream};
use audio_io::format::{Channels as Legs, StreamFormat};
use audio_io::player::PlayerControl;
use tokio::sync::mpsc;

use super::calls::link::{LineNumber, News};
use super::channels::OpenedChannel;
use super::legs::Pairing;
use super::limits::TAP_HOOKS_MAX;
use super::line::{Duplex, Inputs, Line, PeerNames, Played, Teller, Wires};
use super::live::LineLive;
use super::open::LineToOpen;
use super::spans::Tapped;
use super::speakers::Speaker;
use crate::config::schema::{Line as Config, Role, Source};

/// What was opened for one line.
pub(super) struct Opened {
    /// Sound of devices that are only listened to; the caller's first.
    pub(super) legs: Vec<CaptureStream>,
    pub(super) channel: Option<OpenedChannel>,
    /// The player of a sound card.
    pub(super) speaker: Option<Speaker>,
}

/// All lines, and who has to do with them.
pub(super) struct Assembly {
    pub(super) lines: Vec<Line>,
    /// The players, in the order of lines.
    pub(super) controls: Vec<Option<PlayerControl>>,
    /// Channels whose hook is to be looked at.
    pub(super) taps: Vec<Tapped>,
    /// Whether parties hear that somebody listens, where a line does not say.
    notice: bool,
}

impl Assembly {
    /// Puts lines together, in their order.
    pub(super) fn of(
        lines: Vec<LineToOpen>,
        opened: Vec<Opened>,
        news: &mpsc::Sender<News>,
        notice: bool,
    ) -> Self {
        let mut assembly = Self {
            lines: Vec::with_capacity(lines.len()),
            controls: Vec::with_capacity(lines.len()),
            taps: Vec::new(),
            notice,
        };
        let names = PeerNames::default();
        for (number, (line, opened)) in (0..).zip(lines.into_iter().zip(opened)) {
            let teller = Teller::new(LineNumber(number), news.clone());
            assembly.add(line, opened, teller, &names);
        }
        assembly
    }

    fn add(&mut self, line: LineToOpen, opened: Opened, teller: Teller, names: &PeerNames) {
        let LineToOpen { config, tenant } = line;
        let Opened {
            legs,
            channel,
            speaker,
        } = opened;
        let (legs, speaker, wires) = match channel {
            Some(channel) => {
                let (leg, speaker, wires) = self.channel(&config, channel, names);
                (vec![leg], speaker, Some(wires))
            }
            None => {
                let wires = self.tap(&config, names);
                (legs, speaker, wires)
            }
        };
        let format = StreamFormat {
            rate: config.rate,
            encoding: config.encoding,
            channels: match (legs.len() > 1 || speaker.is_some(), config.source()) {
                (true, _) => Legs::Stereo,
                (false, Source::Alsa { .. }) => config.channels,
                (false, _) => Legs::Mono,
            },
        };
        let devices = legs.iter().map(|leg| leg.stats.clone()).collect();
        let device = speaker.as_ref().map(|speaker| speaker.device.clone());
        let control = speaker.as_ref().map(|speaker| speaker.control.clone());
        let mut live = LineLive::new(config, tenant, format, devices, device);
        if let Some(wires) = &wires {
            live = live.with_channel(wires.stats.clone());
        }
        if let Some(player) = control
            .clone()
            .filter(|_| live.config.tells_parties(self.notice))
        {
            live = live.with_notice(player);
        }
        let Some(inputs) = inputs_of(legs, speaker, format) else {
            // A device is opened for every line, whether it is there or not.
            return log::error!("line {} has nothing to listen to", live.config.name);
        };
        let mut line = Line::new(Arc::new(live), inputs, teller);
        if let Some(wires) = wires {
            line = line.with_signals(wires);
        }
        self.lines.push(line);
        self.controls.push(control);
    }

    fn channel(
        &mut self,
        config: &Config,
        channel: OpenedChannel,
        names: &PeerNames,
    ) -> (CaptureStream, Option<Speaker>, Wires) {
        let OpenedChannel { stream, probe } = channel;
        let ChannelStream {
            capture,
            player,
            control,
            notices,
            stats,
        } = stream;
        let mut hook = None;
        if let (Source::Dahdi { channel, .. }, Some(probe)) = (config.source(), probe)
            && config.signals()
        {
            let (sender, receiver) = sync_channel(TAP_HOOKS_MAX);
            self.taps.push(Tapped {
                number: channel,
                hook: sender,
                by: Some((probe, config.channel.off_hook_volts)),
            });
            hook = Some(receiver);
        }
        let wires = Wires {
            channel: Some((notices, control)),
            hook,
            stats,
            names: names.clone(),
        };
        (capture, player.and_then(Speaker::of), wires)
    }

    /// What a tap that is no channel needs.
    fn tap(&mut self, config: &Config, names: &PeerNames) -> Option<Wires> {
        let Source::Dahdi {
            channel: number,
            role: Role::Tap,
        } = config.source()
        else {
            return None;
        };
        let mut hook = None;
        if config.signals() {
            let (sender, receiver) = sync_channel(TAP_HOOKS_MAX);
            self.taps.push(Tapped {
                number,
                hook: sender,
                by: None,
            });
            hook = Some(receiver);
        }
        Some(Wires {
            channel: None,
            hook,
            stats: Arc::new(ChannelStats::default()),
            names: names.clone(),
        })
    }
}

fn inputs_of(
    legs: Vec<CaptureStream>,
    speaker: Option<Speaker>,
    format: StreamFormat,
) -> Option<Inputs> {
    let mut legs = legs.into_iter();
    let first = legs.next()?;
    Some(match (legs.next(), speaker) {
        (None, None) => Inputs::One(first),
        (Some(second), _) => {
            let pairing = Pairing::new(format.rate, format.encoding);
            Inputs::Two(Box::new((first, second, pairing)))
        }
        (None, Some(speaker)) => {
            let Speaker { control, tap, .. } = speaker;
            let played = Played::new(format.rate, tap, control, first.stats.clone());
            Inputs::Duplex(Box::new(Duplex::new(first, played)))
        }
    })
}
