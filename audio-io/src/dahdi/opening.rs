//! Opens a channel and makes everything about it what the line wants, whatever it was before.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use heapless::Deque;

use super::abi;
use super::blocks::Blocks;
use super::channel::{DahdiChannel, Generates, Loss, VoltageProbe};
use super::device::{Channel, Hook};
use super::error::Trouble;
use super::lockstep::Lockstep;
use super::reader::Reader;
use super::signalling::{Law, SignalKind};
use super::status::ChannelStatus;
use crate::channel::{ChannelEvent, ChannelPort, HookKind, RefusedOrder};
use crate::format::{Channels, Encoding, StreamFormat};
use crate::port::{OpenError, Pacing, PortOpener, PortParams};
use crate::units::{Frames, Millis, SampleRate};

/// How a channel is opened.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelOptions {
    /// Where the driver's nodes are.
    pub folder: PathBuf,
    /// The channel's number.
    pub number: u32,
    /// The law of the wire.
    pub law: Law,
    /// Gain of what comes, in decibels.
    pub rx_gain_db: f64,
    /// Gain of what goes, in decibels.
    pub tx_gain_db: f64,
    /// Samples of the kernel's echo canceller, a power of two from 32 to 1024; 0 for none.
    pub echo_taps: u32,
    /// Of the blocks; mono at 8 kHz.
    pub format: StreamFormat,
    /// Sound between two wake-ups.
    pub period: Millis,
    /// Sound that the driver holds each way.
    pub buffer: Millis,
    /// Whether calls come and go on it, so that it must have a hook.
    pub wants_signalling: bool,
}

pub(super) struct Opener {
    pub(super) options: ChannelOptions,
    pub(super) probe: VoltageProbe,
}

impl PortOpener<dyn ChannelPort> for Opener {
    fn open(&mut self) -> Result<Box<dyn ChannelPort>, OpenError> {
        let options = &self.options;
        let trouble = Trouble {
            folder: &options.folder,
            number: options.number,
        };
        check_format(options.format, &trouble)?;
        let channel = Channel::open(&options.folder, options.number);
        let channel = channel.map_err(|errno| trouble.error(errno, "open"))?;
        let made = self.prepare(channel, &trouble)?;
        let mut probe = self.probe.0.lock().unwrap_or_else(PoisonError::into_inner);
        *probe = Arc::downgrade(&made.channel);
        Ok(Box::new(made))
    }
}

impl Opener {
    /// Makes everything about a channel what the line wants, whatever it was before.
    fn prepare(&self, channel: Channel, trouble: &Trouble<'_>) -> Result<DahdiChannel, OpenError> {
        let options = &self.options;
        let doing = |what| move |errno| trouble.error(errno, what);
        let asked = channel.status();
        let kind = self.kind(&asked.map_err(doing("ask"))?, trouble)?;
        if kind == HookKind::Clear {
            let set = channel.set_audio_mode(true);
            set.map_err(doing("get sound from"))?;
        }
        let set = channel.set_law(options.law);
        set.map_err(doing("set the law of"))?;
        let status = channel.status().map_err(doing("ask"))?;
        if has_hook(kind) && status.tx_signal != Some(abi::TXSIG_ONHOOK) {
            let hung_up = channel.hook(Hook::On);
            // Whoever only listens does not need a hook that moves.
            if options.wants_signalling {
                hung_up.map_err(doing("hang up"))?;
            }
        }
        if options.rx_gain_db != 0.0 || options.tx_gain_db != 0.0 {
            let set = channel.set_gains(status.law, options.rx_gain_db, options.tx_gain_db);
            set.map_err(doing("set the gains of"))?;
        }
        let own = status.law.encoding();
        let wire = own.filter(|own| *own == options.format.encoding);
        let wire = wire.unwrap_or(Encoding::S16Le);
        let set = channel.set_linear(wire == Encoding::S16Le);
        set.map_err(doing("set the samples of"))?;
        let blocks = Blocks::new(options.period, options.buffer);
        let set = channel.set_buffers(blocks.count, blocks.frames);
        set.map_err(doing("set the buffers of"))?;
        match channel.set_buffer_events(true) {
            // Older drivers do not tell of overruns; the clock finds them.
            Ok(()) | Err(libc::ENOTTY) => {}
            Err(errno) => return Err(trouble.error(errno, "set the events of")),
        }
        let cleared = channel.flush(abi::FLUSH_ALL);
        cleared.map_err(doing("clear"))?;
        let alarms = channel.alarms().map_err(doing("ask"))?;
        let mut first = Deque::new();
        let opened = ChannelEvent::Opened {
            kind,
            off_hook: matches!(kind, HookKind::Fxs | HookKind::Em) && status.rx_off_hook,
            alarms,
        };
        // There is room for both.
        let _kept = first.push_back(opened);
        if let Err(errno) = channel.cancel_echo(options.echo_taps) {
            let order = RefusedOrder::Other;
            let _kept = first.push_back(ChannelEvent::Refused { order, errno });
        }
        Ok(self.made(channel, kind, blocks, wire, first))
    }

    /// The port, with nothing read and nothing written.
    fn made(
        &self,
        channel: Channel,
        kind: HookKind,
        blocks: Blocks,
        wire: Encoding,
        first: Deque<ChannelEvent, 4>,
    ) -> DahdiChannel {
        let format = self.options.format;
        let bytes = blocks.frames as usize * wire.sample_bytes();
        DahdiChannel {
            channel: Arc::new(channel),
            kind,
            echo_taps: match self.options.echo_taps {
                0 => DEFAULT_TAPS,
                taps => taps,
            },
            params: PortParams {
                format,
                period: blocks.block(),
                buffer: blocks.all(),
                pacing: Pacing::Device,
            },
            blocks,
            wire,
            reader: Reader::new(wire, format.encoding, blocks.block()),
            loss: Loss::No,
            lockstep: Lockstep::default(),
            staged: vec![0; bytes].into_boxed_slice(),
            staged_bytes: 0,
            generates: Generates::No,
            since_asked: Frames::ZERO,
            first,
            events_wait: true,
            gone: None,
            gone_told: false,
        }
    }

    /// What kind of hook the channel has, if the line can do with it.
    fn kind(&self, status: &ChannelStatus, trouble: &Trouble<'_>) -> Result<HookKind, OpenError> {
        let is = status.signalling;
        let Some(kind) = is.hook() else {
            let remedy = match is {
                SignalKind::None => "it is not configured: give it a signalling in \
                                     /etc/dahdi/system.conf and run `dahdi_cfg`"
                    .to_owned(),
                _ => format!("it carries data ({is}), not sound; take it off the line's list"),
            };
            return Err(trouble.known(libc::EINVAL, "get sound from", remedy));
        };
        if self.options.wants_signalling && !has_hook(kind) {
            let remedy = format!(
                "its signalling is {is}, which has no hook: use fxsks, fxsls or fxsgs for an \
                 exchange's line, fxoks, fxols or fxogs for a telephone, e&m for a trunk in \
                 /etc/dahdi/system.conf, or give the line `trigger = \"vox\"` or \"always\""
            );
            return Err(trouble.known(libc::EINVAL, "take calls on", remedy));
        }
        Ok(kind)
    }
}

/// Whether calls can come and go on such a channel.
pub(super) const fn has_hook(kind: HookKind) -> bool {
    matches!(kind, HookKind::Fxo | HookKind::Fxs | HookKind::Em)
}

/// Telephone lines are mono at 8 kHz.
pub(super) fn check_format(format: StreamFormat, trouble: &Trouble<'_>) -> Result<(), OpenError> {
    if format.rate == SampleRate::TELEPHONE && format.channels == Channels::Mono {
        return Ok(());
    }
    let remedy = format!("the line wants {format}, but a channel is mono at 8000 Hz");
    Err(trouble.known(libc::EINVAL, "open", remedy))
}

/// Samples of an echo canceller that is ordered on a line that was opened without.
const DEFAULT_TAPS: u32 = 128;
