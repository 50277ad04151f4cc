//! Listens to one way of a channel that somebody else owns: by a mirror where the driver was built
//! with them, else by a pseudo channel that monitors it.

use std::path::PathBuf;

use super::abi;
use super::blocks::Blocks;
use super::device::{Channel, Control};
use super::error::Trouble;
use super::opening::check_format;
use super::reader::{Reader, Then};
use super::signalling::{Law, SignalKind};
use crate::format::{Encoding, StreamFormat};
use crate::limits::CHANNEL_RESTARTS;
use crate::port::{CapturePort, Captured, OpenError, Pacing, PollEntry, PortOpener, PortParams};
use crate::units::{Frames, Millis};

/// Which way of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What it receives: the far end.
    Rx,
    /// What it sends: its owner.
    Tx,
}

/// How a tap listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TapKind {
    /// By a mirror, or by monitoring where there are none.
    #[default]
    Auto,
    /// By a mirror (`DAHDI_RXMIRROR`, `DAHDI_TXMIRROR`): the codes of the wire.
    Mirror,
    /// By monitoring (`DAHDI_SETCONF`): what the owner hears and says, after gains and echo
    /// canceller.
    Monitor,
}

/// How a tap is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapOptions {
    /// Where the driver's nodes are.
    pub folder: PathBuf,
    /// The number of the channel that is listened to.
    pub number: u32,
    /// Which way of it.
    pub direction: Direction,
    /// How.
    pub kind: TapKind,
    /// Of the blocks; mono at 8 kHz.
    pub format: StreamFormat,
    /// Sound between two wake-ups.
    pub period: Millis,
    /// Sound that the driver holds.
    pub buffer: Millis,
}

/// An open tap.
pub struct Tap {
    channel: Channel,
    /// The channel that is monitored; `None` for a mirror, which cannot lose it unseen.
    monitored: Option<u32>,
    params: PortParams,
    reader: Reader,
    since_asked: Frames,
    gone: Option<i32>,
}

impl Tap {
    /// Opens a tap, again and again if it must.
    #[must_use]
    pub fn opener(options: TapOptions) -> Box<dyn PortOpener<dyn CapturePort>> {
        Box::new(Opener(options))
    }

    /// A channel that goes away takes its monitors off without telling them: they would hear
    /// silence for ever.
    fn check_it_is_there(&mut self, frames: Frames) {
        let Some(number) = self.monitored else { return };
        self.since_asked += frames;
        if self.since_asked < ASK_EVERY {
            return;
        }
        self.since_asked = Frames::ZERO;
        match self.channel.conference() {
            Ok(now) if u32::try_from(now.confno) == Ok(number) => {}
            Ok(_) => self.gone = Some(libc::ENODEV),
            Err(errno) => self.gone = Some(errno),
        }
    }
}

impl CapturePort for Tap {
    fn params(&self) -> PortParams {
        self.params
    }

    fn poll_entries(&self, out: &mut Vec<PollEntry>) {
        out.push(PollEntry {
            fd: self.channel.raw_fd(),
            events: libc::POLLIN | libc::POLLPRI,
        });
    }

    fn read(&mut self, buffer: &mut [u8]) -> Captured {
        if let Some(errno) = self.gone {
            return Captured::Gone(errno);
        }
        let look = self.reader.read(&self.channel, buffer);
        match look.then {
            Then::Empty | Then::Full => {}
            Then::Event => self.gone = self.take_events(),
            Then::Failed(errno) => self.gone = Some(errno),
        }
        if look.frames > Frames::ZERO {
            self.check_it_is_there(look.frames);
            return Captured::Frames(look.frames);
        }
        self.gone.map_or(Captured::Idle, Captured::Gone)
    }

    fn restart(&mut self) -> Result<(), i32> {
        self.reader.clear();
        self.channel.flush(abi::FLUSH_READ)
    }

    fn restarts(&self) -> u32 {
        CHANNEL_RESTARTS
    }
}

impl Tap {
    /// Takes all events, of which only one matters: that it is gone.
    fn take_events(&self) -> Option<i32> {
        for _ in 0..abi::MAX_EVENTSIZE {
            match self.channel.event() {
                Ok(abi::EVENT_NONE) => return None,
                Ok(abi::EVENT_REMOVED) => return Some(libc::ENODEV),
                Ok(_) | Err(libc::EINTR) => {}
                Err(errno) => return Some(errno),
            }
        }
        None
    }
}

struct Opener(TapOptions);

impl PortOpener<dyn CapturePort> for Opener {
    fn open(&mut self) -> Result<Box<dyn CapturePort>, OpenError> {
        let options = &self.0;
        let trouble = Trouble {
            folder: &options.folder,
            number: options.number,
        };
        check_format(options.format, &trouble)?;
        let tapped = Control::open(&options.folder)
            .and_then(|control| control.channel(options.number))
            .map_err(|errno| trouble.error(errno, "find"))?;
        if tapped.signalling.hook().is_none() {
            let remedy = match tapped.signalling {
                SignalKind::None => "it is not configured, so nobody uses it".to_owned(),
                is => format!("it carries data ({is}), not sound; take it off the line's list"),
            };
            return Err(trouble.known(libc::EINVAL, "listen to", remedy));
        }
        let mirrored = match options.kind {
            TapKind::Monitor => None,
            TapKind::Mirror => Some(self.mirror(&trouble)?),
            TapKind::Auto => self.mirror(&trouble).ok(),
        };
        // A mirror has the codes of the channel it copies; a monitor any law that it is given.
        let (channel, monitored, law) = match mirrored {
            Some(channel) => (channel, None, tapped.law),
            None => {
                let wanted = Law::of(options.format.encoding).unwrap_or(tapped.law);
                (self.monitor(&trouble)?, Some(options.number), wanted)
            }
        };
        let doing = |what| move |errno| trouble_of(options).error(errno, what);
        channel
            .set_law(law)
            .map_err(doing("set the law of a tap on"))?;
        let wire = law
            .encoding()
            .filter(|own| *own == options.format.encoding)
            .unwrap_or(Encoding::S16Le);
        let set = channel.set_linear(wire == Encoding::S16Le);
        set.map_err(doing("set the samples of a tap on"))?;
        let blocks = Blocks::new(options.period, options.buffer);
        let set = channel.set_buffers(blocks.count, blocks.frames);
        set.map_err(doing("set the buffers of a tap on"))?;
        Ok(Box::new(Tap {
            channel,
            monitored,
            params: PortParams {
                format: options.format,
                period: blocks.block(),
                buffer: blocks.all(),
                pacing: Pacing::Device,
            },
            reader: Reader::new(wire, options.format.encoding, blocks.block()),
            since_asked: Frames::ZERO,
            gone: None,
        }))
    }
}

impl Opener {
    fn pseudo(&self, trouble: &Trouble<'_>) -> Result<Channel, OpenError> {
        let made = Channel::pseudo(&self.0.folder);
        made.map_err(|errno| trouble.error(errno, "make a tap on"))
    }

    fn mirror(&self, trouble: &Trouble<'_>) -> Result<Channel, OpenError> {
        let channel = self.pseudo(trouble)?;
        let done = match self.0.direction {
            Direction::Rx => channel.mirror_rx(self.0.number),
            Direction::Tx => channel.mirror_tx(self.0.number),
        };
        match done {
            Ok(()) => Ok(channel),
            Err(errno @ (libc::ENOTTY | libc::ENOSYS)) => {
                let remedy = "this DAHDI was built without mirrors (CONFIG_DAHDI_MIRROR): set \
                              `tap = \"monitor\"`, which needs none, `tap = \"parallel\"` with a \
                              port wired beside the line, or build DAHDI with mirrors"
                    .to_owned();
                Err(trouble.known(errno, "mirror", remedy))
            }
            Err(errno @ libc::EFAULT) => {
                let remedy = "another mirror is on it already: stop that, or set \
                              `tap = \"monitor\"`"
                    .to_owned();
                Err(trouble.known(errno, "mirror", remedy))
            }
            Err(errno) => Err(trouble.error(errno, "mirror")),
        }
    }

    fn monitor(&self, trouble: &Trouble<'_>) -> Result<Channel, OpenError> {
        let channel = self.pseudo(trouble)?;
        let mode = match self.0.direction {
            Direction::Rx => abi::CONF_MONITOR,
            Direction::Tx => abi::CONF_MONITORTX,
        };
        let done = channel.monitor(self.0.number, mode);
        done.map_err(|errno| trouble.error(errno, "monitor"))?;
        Ok(channel)
    }
}

fn trouble_of(options: &TapOptions) -> Trouble<'_> {
    Trouble {
        folder: &options.folder,
        number: options.number,
    }
}

/// How much is heard between two questions whether the channel is still there.
const ASK_EVERY: Frames = Frames(8_000);
