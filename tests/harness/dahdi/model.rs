//! The driver of the double: its spans, its channels, and what a step of 8 samples does to them.
//! It knows no files; `files` brings requests to it and `requests` reads them.

use std::collections::BTreeMap;
use std::ffi::c_int;

use audio_io::dahdi::{Direction, Law, SignalKind, abi};

use audio_io::channel::HookKind;

use super::Spec;
use super::line::{CHUNK, Chunk, Line, decode, encode, silence};

/// Numbers of pseudo channels begin here.
const FIRST_PSEUDO: u32 = 0x8000;

/// A span.
pub(super) struct Span {
    pub(super) number: u32,
    pub(super) kind: String,
    pub(super) channels: u32,
    pub(super) alarms: u32,
}

/// All the driver has.
pub(super) struct Model {
    pub(super) spans: Vec<Span>,
    pub(super) lines: BTreeMap<u32, Line>,
    pub(super) mirrors: bool,
    pub(super) zone: bool,
    pub(super) canceller: bool,
    /// Samples a ring lasts, and the pause behind it.
    cadence: (u64, u64),
    peers: BTreeMap<u32, u32>,
    next_pseudo: u32,
    pub(super) samples: u64,
}

impl Model {
    pub(super) fn new(spec: &Spec) -> Self {
        let mut lines = BTreeMap::new();
        let mut spans = Vec::new();
        let mut number = 0;
        for (index, span) in (1..).zip(&spec.spans) {
            for (position, sig) in (1..).zip(&span.signalling) {
                number += 1;
                let line = Line::new(number, index, position, *sig, span.law);
                lines.insert(number, line);
            }
            spans.push(Span {
                number: index,
                kind: span.kind.clone(),
                channels: u32::try_from(span.signalling.len()).expect("few channels"),
                alarms: 0,
            });
        }
        let peers = spec.loops.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]);
        let frames = |millis: u64| millis * 8;
        Self {
            spans,
            lines,
            mirrors: spec.mirrors,
            zone: spec.tone_zone,
            canceller: spec.echo_canceller,
            cadence: (frames(spec.ring_ms.0), frames(spec.ring_ms.1)),
            peers: peers.collect(),
            next_pseudo: FIRST_PSEUDO,
            samples: 0,
        }
    }

    pub(super) fn line(&mut self, number: u32) -> Option<&mut Line> {
        self.lines.get_mut(&number).filter(|line| !line.removed)
    }

    /// A new pseudo channel, which is open.
    pub(super) fn pseudo(&mut self) -> u32 {
        let number = self.next_pseudo;
        self.next_pseudo += 1;
        let mut line = Line::new(
            number,
            0,
            number - FIRST_PSEUDO + 1,
            abi::SIG_CLEAR,
            Law::MuLaw,
        );
        line.opened();
        self.lines.insert(number, line);
        number
    }

    /// Opens a channel as `DAHDI_SPECIFY` and opening its node do.
    pub(super) fn open(&mut self, number: u32) -> Result<(), i32> {
        let line = self.line(number).ok_or(EINVAL)?;
        if line.sig == abi::SIG_NONE {
            return Err(ENXIO);
        }
        if line.open || line.sig == abi::SIG_SLAVE {
            return Err(EBUSY);
        }
        line.opened();
        Ok(())
    }

    /// The file was closed: the line is hung up.
    pub(super) fn close(&mut self, number: u32) {
        if self.lines.get(&number).is_some_and(|line| line.pseudo) {
            self.lines.remove(&number);
            return;
        }
        self.hook(number, abi::ONHOOK);
        if let Some(line) = self.lines.get_mut(&number) {
            line.open = false;
            line.hang_up();
            line.events.clear();
        }
    }

    /// A step of 8 samples on all channels.
    pub(super) fn step(&mut self) {
        self.samples += CHUNK as u64;
        self.ring_on();
        let mut sent: BTreeMap<u32, (Chunk, Law)> = BTreeMap::new();
        for line in self.lines.values_mut().filter(|line| !line.stalled) {
            let chunk = line.send();
            sent.insert(line.number, (chunk, line.law));
        }
        for line in self.lines.values_mut() {
            if line.pseudo || line.stalled || line.removed {
                continue;
            }
            let peer = self.peers.get(&line.number);
            let chunk = match peer.and_then(|peer| sent.get(peer)) {
                Some((chunk, law)) => translate(*chunk, *law, line.law),
                None => [silence(line.law); CHUNK],
            };
            line.receive(chunk);
        }
        self.listen_in();
    }

    /// What taps hear.
    fn listen_in(&mut self) {
        let pseudos: Vec<u32> = self.pseudos();
        for number in pseudos {
            let Some((mirrors, conference, law)) = self
                .lines
                .get(&number)
                .map(|line| (line.mirrors, line.conference, line.law))
            else {
                continue;
            };
            let source = |number: u32, direction: Direction| {
                let line = self.lines.get(&number)?;
                if line.stalled {
                    return None;
                }
                let chunk = match direction {
                    Direction::Rx => line.received,
                    Direction::Tx => line.sent,
                };
                Some((chunk, line.law))
            };
            let tapped = u32::try_from(conference.0).unwrap_or_default();
            let chunk = match (mirrors, conference.1) {
                // A mirror copies codes as they are.
                (Some((tapped, direction)), _) => source(tapped, direction).map(|(chunk, _)| chunk),
                (None, abi::CONF_MONITOR) => {
                    source(tapped, Direction::Rx).map(|(chunk, from)| translate(chunk, from, law))
                }
                (None, abi::CONF_MONITORTX) => {
                    source(tapped, Direction::Tx).map(|(chunk, from)| translate(chunk, from, law))
                }
                _ => Some([silence(law); CHUNK]),
            };
            if let (Some(chunk), Some(line)) = (chunk, self.lines.get_mut(&number)) {
                line.put(chunk);
            }
        }
    }

    fn pseudos(&self) -> Vec<u32> {
        let pseudo = self.lines.values().filter(|line| line.pseudo);
        pseudo.map(|line| line.number).collect()
    }

    /// Lets ringing lines ring and pause.
    fn ring_on(&mut self) {
        let (on, off) = self.cadence;
        let ringing: Vec<(u32, u64)> = self
            .lines
            .values()
            .filter_map(|line| line.ringing.map(|at| (line.number, at)))
            .collect();
        for (number, at) in ringing {
            let place = at % (on + off);
            if place == 0 {
                if at > 0 {
                    self.told(number, abi::EVENT_RINGERON);
                }
                self.sends(number, abi::TXSIG_START);
                self.rings(number, true);
            } else if place == on {
                self.told(number, abi::EVENT_RINGEROFF);
                self.sends(number, abi::TXSIG_OFFHOOK);
                self.rings(number, false);
            }
            if let Some(line) = self.lines.get_mut(&number) {
                line.ringing = Some(at + CHUNK as u64);
            }
        }
    }

    fn told(&mut self, number: u32, event: c_int) {
        if let Some(line) = self.line(number) {
            line.event(event);
        }
    }

    fn sends(&mut self, number: u32, signal: c_int) {
        if let Some(line) = self.line(number) {
            line.tx_signal = signal;
        }
    }

    /// What the other end of a ringing line notices.
    fn rings(&mut self, number: u32, begins: bool) {
        let Some(peer) = self.peers.get(&number).copied() else {
            return;
        };
        self.ring(peer, begins);
    }

    /// A ring begins, or is over, at an FXO port that is on hook.
    pub(super) fn ring(&mut self, number: u32, begins: bool) {
        let Some(line) = self.line(number) else {
            return;
        };
        if line.tx_signal != abi::TXSIG_ONHOOK {
            return;
        }
        if begins {
            line.rx_signal = abi::RXSIG_RING;
            line.event(abi::EVENT_RINGBEGIN);
        } else {
            line.rx_signal = abi::RXSIG_OFFHOOK;
            line.event(abi::EVENT_RINGOFFHOOK);
        }
    }

    /// The far end of a channel goes off hook or on hook.
    pub(super) fn far_end(&mut self, number: u32, off_hook: bool) {
        let Some(line) = self.line(number) else {
            return;
        };
        let kind = SignalKind::of(line.sig).hook();
        if kind == Some(HookKind::Fxo) {
            if !off_hook && line.tx_signal == abi::TXSIG_OFFHOOK {
                line.event(abi::EVENT_ONHOOK);
            }
            return;
        }
        let signal = if off_hook {
            abi::RXSIG_OFFHOOK
        } else {
            abi::RXSIG_ONHOOK
        };
        if std::mem::replace(&mut line.rx_signal, signal) == signal {
            return;
        }
        if off_hook {
            if line.ringing.take().is_some() {
                line.tx_signal = abi::TXSIG_OFFHOOK;
            }
            line.event(abi::EVENT_RINGOFFHOOK);
        } else {
            line.event(abi::EVENT_ONHOOK);
        }
    }

    /// `DAHDI_HOOK`, and what the other end of a looped line notices of it.
    pub(super) fn hook(&mut self, number: u32, hook: c_int) -> i32 {
        let zone = self.zone;
        let peer = self.peers.get(&number).copied();
        let Some(line) = self.line(number) else {
            return ENODEV;
        };
        let kind = SignalKind::of(line.sig).hook();
        if !matches!(kind, Some(HookKind::Fxo | HookKind::Fxs | HookKind::Em)) {
            return if line.pseudo { ENOTTY } else { EINVAL };
        }
        line.be_quiet();
        let was = line.tx_signal;
        let told = match hook {
            abi::ONHOOK => {
                line.hang_up();
                (was != abi::TXSIG_ONHOOK).then_some(false)
            }
            abi::OFFHOOK => {
                line.ringing = None;
                line.tx_signal = abi::TXSIG_OFFHOOK;
                if kind == Some(HookKind::Fxo) {
                    line.rx_signal = abi::RXSIG_OFFHOOK;
                }
                (was != abi::TXSIG_OFFHOOK).then_some(true)
            }
            abi::RING | abi::START if !zone => return ENODATA,
            abi::RING | abi::START if was != abi::TXSIG_ONHOOK => return EBUSY,
            abi::RING | abi::START if kind == Some(HookKind::Fxs) => {
                line.ringing = Some(0);
                line.tx_signal = abi::TXSIG_START;
                return EINPROGRESS;
            }
            abi::RING | abi::START => {
                line.tx_signal = abi::TXSIG_OFFHOOK;
                line.event(abi::EVENT_HOOKCOMPLETE);
                if let Some(peer) = peer {
                    self.far_end(peer, true);
                }
                return EINPROGRESS;
            }
            abi::WINK | abi::FLASH => {
                if (hook == abi::FLASH) != (was == abi::TXSIG_OFFHOOK) {
                    return EBUSY;
                }
                line.event(abi::EVENT_HOOKCOMPLETE);
                if let Some(peer) = peer {
                    self.told(peer, abi::EVENT_WINKFLASH);
                }
                return EINPROGRESS;
            }
            abi::RINGOFF => {
                line.ringing = None;
                line.tx_signal = abi::TXSIG_ONHOOK;
                None
            }
            _ => return EINVAL,
        };
        if let (Some(off_hook), Some(peer)) = (told, peer) {
            self.far_end(peer, off_hook);
        }
        0
    }

    /// Raises an alarm of a span, or ends it with 0.
    pub(super) fn alarm(&mut self, span: u32, bits: u32) {
        for found in self.spans.iter_mut().filter(|found| found.number == span) {
            found.alarms = bits;
        }
        let event = if bits == 0 {
            abi::EVENT_NOALARM
        } else {
            abi::EVENT_ALARM
        };
        for line in self.lines.values_mut().filter(|line| line.span == span) {
            line.event(event);
        }
    }

    /// Takes a channel away: who has it open is told, and nobody can open it.
    pub(super) fn remove(&mut self, number: u32) {
        if let Some(line) = self.lines.get_mut(&number) {
            line.event(abi::EVENT_REMOVED);
            line.removed = true;
            line.hang_up();
        }
        let taps = self.lines.values_mut().filter(|line| line.pseudo);
        for line in taps {
            if u32::try_from(line.conference.0) == Ok(number) {
                line.conference = (0, 0);
            }
            if matches!(line.mirrors, Some((tapped, _)) if tapped == number) {
                line.mirrors = None;
            }
        }
    }

    /// Brings it back, as new.
    pub(super) fn restore(&mut self, number: u32) {
        if let Some(old) = self.lines.get(&number) {
            let mut line = Line::new(number, old.span, old.position, old.sig, old.own_law);
            line.millivolts = old.millivolts;
            line.heard.clone_from(&old.heard);
            line.asked.clone_from(&old.asked);
            self.lines.insert(number, line);
        }
    }
}

/// Sound of one law in the codes of another; as it is where they are the same.
fn translate(chunk: Chunk, from: Law, to: Law) -> Chunk {
    if from == to {
        chunk
    } else {
        chunk.map(|code| encode(decode(code, from), to))
    }
}

pub(super) const EINVAL: i32 = nix::errno::Errno::EINVAL as i32;
pub(super) const ENXIO: i32 = nix::errno::Errno::ENXIO as i32;
pub(super) const EBUSY: i32 = nix::errno::Errno::EBUSY as i32;
pub(super) const ENOTTY: i32 = nix::errno::Errno::ENOTTY as i32;
pub(super) const ENODATA: i32 = nix::errno::Errno::ENODATA as i32;
pub(super) const EINPROGRESS: i32 = nix::errno::Errno::EINPROGRESS as i32;
pub(super) const EFAULT: i32 = nix::errno::Errno::EFAULT as i32;
pub(super) const ENODEV: i32 = super::line::ENODEV;
