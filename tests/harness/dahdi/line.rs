//! One channel of the double: its buffers, events, hook and sound, as the driver keeps them.

use std::collections::VecDeque;
use std::ffi::c_int;

use audio_io::codec::g711::{alaw_to_linear, linear_to_alaw, linear_to_mulaw, mulaw_to_linear};
use audio_io::dahdi::{Direction, Law, abi};
use audio_io::dsp::dtmf::{Digit, DigitPlayer, PlayParams};
use audio_io::dsp::tone::Tone;
use audio_io::units::SampleRate;

/// Samples the driver moves at once.
pub(super) const CHUNK: usize = 8;

/// Sound of one step of the driver, as codes of a law.
pub(super) type Chunk = [u8; CHUNK];

/// What a line was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `DAHDI_HOOK`
    Hook(c_int),
    /// `DAHDI_DIAL`
    Dial(String),
    /// `DAHDI_DIAL` with nothing to dial.
    StopDial,
    /// `DAHDI_SENDTONE`
    Tone(c_int),
    /// `DAHDI_ECHOCANCEL`
    Echo(c_int),
    /// `DAHDI_SETLINEAR`
    Linear(bool),
    /// `DAHDI_SETLAW`
    Law(c_int),
    /// `DAHDI_FLUSH`
    Flush(c_int),
}

/// What goes wrong next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next read or write fails with this error number.
    Errno(i32),
    /// So many of the next blocks come with only so many samples.
    Short(u32, usize),
}

/// What a channel is busy saying.
enum Saying {
    Nothing,
    Digits(Box<DigitPlayer>),
    Tone(Box<[Tone; 2]>),
}

/// A channel.
pub(super) struct Line {
    pub(super) number: u32,
    pub(super) span: u32,
    pub(super) position: u32,
    pub(super) sig: c_int,
    pub(super) own_law: Law,
    pub(super) law: Law,
    pub(super) open: bool,
    pub(super) removed: bool,
    pub(super) pseudo: bool,
    pub(super) linear: bool,
    pub(super) audio: bool,
    pub(super) block: usize,
    pub(super) count: usize,
    pub(super) tells_buffers: bool,
    rx: VecDeque<Vec<u8>>,
    partial: Vec<u8>,
    overrun: bool,
    tx: VecDeque<Vec<u8>>,
    tx_at: usize,
    dry: bool,
    pub(super) events: VecDeque<c_int>,
    pub(super) rx_gain: [u8; 256],
    pub(super) tx_gain: [u8; 256],
    pub(super) zone: c_int,
    pub(super) tx_signal: c_int,
    pub(super) rx_signal: c_int,
    pub(super) rx_bits: c_int,
    pub(super) alarms: u32,
    /// Where in its cadence a ringing line is.
    pub(super) ringing: Option<u64>,
    pub(super) conference: (c_int, c_int),
    pub(super) mirrors: Option<(u32, Direction)>,
    saying: Saying,
    dialling: bool,
    pub(super) millivolts: Option<c_int>,
    pub(super) stalled: bool,
    faults: VecDeque<Fault>,
    fed: VecDeque<u8>,
    pub(super) heard: Vec<u8>,
    pub(super) asked: Vec<Asked>,
    /// Of the last step, for whoever listens in.
    pub(super) sent: Chunk,
    pub(super) received: Chunk,
}

impl Line {
    pub(super) fn new(number: u32, span: u32, position: u32, sig: c_int, law: Law) -> Self {
        let quiet = [silence(law); CHUNK];
        Self {
            number,
            span,
            position,
            sig,
            own_law: law,
            law,
            open: false,
            removed: false,
            pseudo: span == 0,
            linear: false,
            audio: sig != abi::SIG_CLEAR || span == 0,
            block: 1_024,
            count: 2,
            tells_buffers: false,
            rx: VecDeque::new(),
            partial: Vec::new(),
            overrun: false,
            tx: VecDeque::new(),
            tx_at: 0,
            // Silence was sent all the while before.
            dry: true,
            events: VecDeque::new(),
            rx_gain: plain(),
            tx_gain: plain(),
            zone: 0,
            tx_signal: abi::TXSIG_ONHOOK,
            rx_signal: if sig & abi::SIG_FXS != 0 {
                abi::RXSIG_OFFHOOK
            } else {
                abi::RXSIG_ONHOOK
            },
            rx_bits: 0,
            alarms: 0,
            ringing: None,
            conference: (0, 0),
            mirrors: None,
            saying: Saying::Nothing,
            dialling: false,
            millivolts: None,
            stalled: false,
            faults: VecDeque::new(),
            fed: VecDeque::new(),
            heard: Vec::new(),
            asked: Vec::new(),
            sent: quiet,
            received: quiet,
        }
    }

    /// What opening does: everything as new.
    pub(super) fn opened(&mut self) {
        self.open = true;
        self.law = self.own_law;
        self.linear = false;
        self.audio = self.sig != abi::SIG_CLEAR || self.pseudo;
        (self.block, self.count) = (1_024, 2);
        self.rx_gain = plain();
        self.tx_gain = plain();
        self.events.clear();
        self.hang_up();
    }

    /// What hanging up does to sound: all that waits is gone.
    pub(super) fn hang_up(&mut self) {
        self.tx_signal = abi::TXSIG_ONHOOK;
        self.ringing = None;
        self.be_quiet();
        self.empty();
    }

    pub(super) fn empty(&mut self) {
        self.empty_rx();
        self.empty_tx();
    }

    pub(super) fn empty_rx(&mut self) {
        self.rx.clear();
        self.partial.clear();
    }

    pub(super) fn empty_tx(&mut self) {
        self.tx.clear();
        self.tx_at = 0;
    }

    pub(super) fn event(&mut self, event: c_int) {
        if self.open && self.events.len() < abi::MAX_EVENTSIZE - 1 {
            self.events.push_back(event);
        }
    }

    /// `POLL*` bits.
    pub(super) fn ready(&self) -> i16 {
        if self.removed {
            return libc_poll::ERR | libc_poll::HUP | libc_poll::PRI;
        }
        let mut ready = 0;
        if !self.rx.is_empty() {
            ready |= libc_poll::IN;
        }
        if !self.events.is_empty() {
            ready |= libc_poll::PRI;
        }
        if self.tx.len() < self.count {
            ready |= libc_poll::OUT;
        }
        ready
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.faults.push_back(fault);
    }

    fn fails(&mut self) -> Option<i32> {
        if self.removed {
            return Some(ENODEV);
        }
        if let Some(Fault::Errno(errno)) = self.faults.front() {
            let errno = *errno;
            self.faults.pop_front();
            return Some(errno);
        }
        (!self.events.is_empty()).then_some(abi::ELAST)
    }

    pub(super) fn read(&mut self, most: usize) -> Result<Vec<u8>, i32> {
        if let Some(errno) = self.fails() {
            return Err(errno);
        }
        let block = self.rx.pop_front().ok_or(EAGAIN)?;
        let mut bytes = if self.linear {
            let linear = block.iter().map(|code| decode(*code, self.law));
            linear.flat_map(i16::to_le_bytes).collect()
        } else {
            block
        };
        // What the reader has no room for is lost, as with the driver.
        bytes.truncate(most);
        Ok(bytes)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, i32> {
        if !self.pseudo && !self.removed {
            self.be_quiet();
        }
        if let Some(errno) = self.fails() {
            return Err(errno);
        }
        if self.tx.len() >= self.count {
            return Err(EAGAIN);
        }
        let width = if self.linear { 2 } else { 1 };
        let taken = &bytes[..bytes.len().min(self.block * width)];
        let codes = if self.linear {
            let samples = taken.chunks_exact(2);
            let samples = samples.map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
            samples.map(|sample| encode(sample, self.law)).collect()
        } else {
            taken.to_vec()
        };
        self.tx.push_back(codes);
        Ok(taken.len())
    }

    /// One step of what goes out.
    pub(super) fn send(&mut self) -> Chunk {
        let mut chunk = [silence(self.law); CHUNK];
        let mut lacking = false;
        for place in &mut chunk {
            if let Some(block) = self.tx.front() {
                *place = block[self.tx_at];
                self.tx_at += 1;
                if self.tx_at >= block.len() {
                    self.tx.pop_front();
                    self.tx_at = 0;
                }
            } else if let Some(sample) = self.say() {
                *place = encode(sample, self.law);
            } else {
                lacking = true;
            }
        }
        if lacking && !self.dry && self.tells_buffers {
            self.event(abi::EVENT_WRITE_UNDERRUN);
        }
        self.dry = lacking;
        let sent = chunk.map(|code| self.tx_gain[usize::from(code)]);
        if self.open && !self.pseudo {
            self.heard.extend_from_slice(&sent);
        }
        self.sent = sent;
        sent
    }

    /// One step of what comes in, as codes of this line's own law.
    pub(super) fn receive(&mut self, from_line: Chunk) {
        let mut chunk = from_line;
        for place in &mut chunk {
            *place = self.fed.pop_front().unwrap_or(*place);
        }
        let chunk = chunk.map(|code| self.rx_gain[usize::from(code)]);
        self.received = chunk;
        self.put(chunk);
    }

    /// Gives a reader a step of sound.
    pub(super) fn put(&mut self, chunk: Chunk) {
        if !self.open || self.removed {
            return;
        }
        if self.rx.len() >= self.count {
            if !self.overrun && self.tells_buffers {
                self.event(abi::EVENT_READ_OVERRUN);
            }
            self.overrun = true;
            return;
        }
        self.overrun = false;
        for code in chunk {
            self.partial.push(code);
            let short = match self.faults.front() {
                Some(Fault::Short(_, samples)) => Some(*samples),
                _ => None,
            };
            if self.partial.len() >= short.unwrap_or(self.block) {
                self.rx.push_back(std::mem::take(&mut self.partial));
                if let Some(Fault::Short(left, _)) = self.faults.front_mut() {
                    *left -= 1;
                    if *left == 0 {
                        self.faults.pop_front();
                    }
                }
            }
        }
    }

    pub(super) fn feed(&mut self, codes: &[u8]) {
        self.fed.extend(codes);
    }

    pub(super) fn unheard(&self) -> usize {
        self.fed.len()
    }

    pub(super) fn dial(&mut self, number: &str) {
        let params = PlayParams::default();
        let mut player = DigitPlayer::new(SampleRate::TELEPHONE, params);
        for digit in number
            .chars()
            .filter_map(|digit| Digit::try_from(digit).ok())
        {
            // More than there is room for are not dialled; no test dials as many.
            let _queued = player.push(digit);
        }
        self.saying = Saying::Digits(Box::new(player));
        self.dialling = true;
    }

    pub(super) fn tone(&mut self, tone: c_int) {
        let pair = match tone {
            abi::TONE_DIALTONE => (350.0, 440.0),
            abi::TONE_RINGTONE => (440.0, 480.0),
            _ => (480.0, 620.0),
        };
        let make = |hertz| Tone::new(SampleRate::TELEPHONE, hertz, 0.15);
        self.saying = Saying::Tone(Box::new([make(pair.0), make(pair.1)]));
    }

    /// Ends dialling and tones.
    pub(super) fn be_quiet(&mut self) {
        self.saying = Saying::Nothing;
        self.dialling = false;
    }

    pub(super) const fn is_dialling(&self) -> bool {
        self.dialling
    }

    /// The next sample of what it says itself.
    fn say(&mut self) -> Option<i16> {
        match &mut self.saying {
            Saying::Nothing => None,
            Saying::Tone(pair) => {
                let [first, second] = pair.as_mut();
                Some(first.next_sample().saturating_add(second.next_sample()))
            }
            Saying::Digits(player) => {
                let mut sample = [0];
                if player.fill(&mut sample) == 1 {
                    return Some(sample[0]);
                }
                self.be_quiet();
                self.event(abi::EVENT_DIALCOMPLETE);
                None
            }
        }
    }
}

/// The bits of poll(2) that the driver uses.
mod libc_poll {
    pub(super) const IN: i16 = 0x01;
    pub(super) const PRI: i16 = 0x02;
    pub(super) const OUT: i16 = 0x04;
    pub(super) const ERR: i16 = 0x08;
    pub(super) const HUP: i16 = 0x10;
}

pub(super) const EAGAIN: i32 = nix::errno::Errno::EAGAIN as i32;
pub(super) const ENODEV: i32 = nix::errno::Errno::ENODEV as i32;

/// The code of silence.
pub(super) fn silence(law: Law) -> u8 {
    encode(0, law)
}

/// The nearest code of a law.
#[must_use]
pub fn encode(sample: i16, law: Law) -> u8 {
    match law {
        Law::ALaw => linear_to_alaw(sample),
        _ => linear_to_mulaw(sample),
    }
}

/// What a code of a law stands for.
#[must_use]
pub fn decode(code: u8, law: Law) -> i16 {
    match law {
        Law::ALaw => alaw_to_linear(code),
        _ => mulaw_to_linear(code),
    }
}

/// A gain of nothing.
fn plain() -> [u8; 256] {
    let mut table = [0; 256];
    for (code, place) in (0..=u8::MAX).zip(table.iter_mut()) {
        *place = code;
    }
    table
}
