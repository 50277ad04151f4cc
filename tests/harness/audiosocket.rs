//! A PBX's end of AudioSocket, written from the published protocol and sharing no code with the
//! product: it speaks in real time, 20 ms each 20 ms as Asterisk does, listens, presses keys, and
//! misbehaves where a test asks it to.
//!
//! ```text
//!  say, press, hang_up … ──▶ speaker thread (timerfd) ──TCP──▶ callreeld
//!  heard, digits, ended  ◀── listener thread          ◀──────
//! ```

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::wait;

const HANG_UP: u8 = 0x00;
const UUID: u8 = 0x01;
const DTMF: u8 = 0x03;
const ERROR: u8 = 0xFF;

/// Which kind carries sound of a rate.
const RATES: [(u32, u8); 9] = [
    (8_000, 0x10),
    (12_000, 0x11),
    (16_000, 0x12),
    (24_000, 0x13),
    (32_000, 0x14),
    (44_100, 0x15),
    (48_000, 0x16),
    (96_000, 0x17),
    (192_000, 0x18),
];

/// A call of a PBX. Dropping it closes the connection.
pub struct PbxCall {
    socket: TcpStream,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    rate: u32,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    over: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Sound that is to be said.
    saying: VecDeque<i16>,
    /// Nothing is sent where there is nothing to say; otherwise silence.
    mute: bool,
    /// Nothing is taken from the connection.
    deaf: bool,
    heard: Vec<i16>,
    /// Kinds of the frames of sound that came, without repetitions.
    kinds: Vec<u8>,
    digits: String,
    end: Option<End>,
    /// What the other side did that the protocol does not allow.
    faults: Vec<String>,
}

/// How a connection ended, as the PBX saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a hang-up.
    HungUp,
    /// With an error of this code, then a hang-up or the end.
    Error(u8),
    /// It was closed without a word.
    Closed,
    /// It broke.
    Broken,
}

impl PbxCall {
    /// Connects a call at 8 kHz. It is silent until something is said.
    ///
    /// # Panics
    /// When nobody listens there.
    #[must_use]
    pub fn connect(address: SocketAddr, uuid: [u8; 16]) -> Self {
        Self::connect_at(address, uuid, 8_000)
    }

    /// Connects a call whose sound has this rate.
    ///
    /// # Panics
    /// When nobody listens there, or the protocol does not have the rate.
    #[must_use]
    pub fn connect_at(address: SocketAddr, uuid: [u8; 16], rate: u32) -> Self {
        let mut call = Self::silent(address, rate);
        call.send(&frame(UUID, &uuid));
        call.speak();
        call
    }

    /// Connects and says nothing at all, not even a UUID; [`Self::send`] can.
    ///
    /// # Panics
    /// When nobody listens there.
    #[must_use]
    pub fn unnamed(address: SocketAddr) -> Self {
        Self::silent(address, 8_000)
    }

    fn silent(address: SocketAddr, rate: u32) -> Self {
        let socket = TcpStream::connect(address)
            .unwrap_or_else(|error| panic!("no AudioSocket at {address}: {error}"));
        socket.set_nodelay(true).expect("a socket");
        let shared = Arc::new(Shared::default());
        let (ear, heard) = (socket.try_clone().expect("a clone"), Arc::clone(&shared));
        let listener = std::thread::spawn(move || listen(ear, &heard));
        Self {
            socket,
            shared,
            threads: vec![listener],
            rate,
        }
    }

    fn speak(&mut self) {
        let socket = self.socket.try_clone().expect("a clone");
        let shared = Arc::clone(&self.shared);
        let rate = self.rate;
        let speaker = std::thread::spawn(move || speak(socket, &shared, rate));
        self.threads.push(speaker);
    }

    /// Says something, in real time, after what is being said.
    pub fn say(&self, samples: &[i16]) {
        self.lock().saying.extend(samples);
    }

    /// Says something and waits until it was said.
    pub fn say_all(&self, samples: &[i16]) {
        self.say(samples);
        let longest = wait::PATIENCE + Duration::from_secs(samples.len() as u64 / 8_000);
        wait::until_within("all was said", longest, || {
            let state = self.lock();
            (state.saying.is_empty() || state.end.is_some()).then_some(())
        });
    }

    /// Sends frames of sound at once, as a network does that was stuck.
    pub fn burst(&self, samples: &[i16]) {
        for piece in samples.chunks(self.frame_samples()) {
            self.send(&sound(self.rate, piece));
        }
    }

    /// Presses a key: a frame of its own, beside the sound.
    pub fn press(&self, digit: char) {
        self.send(&frame(DTMF, &[u8::try_from(digit).expect("a key")]));
    }

    /// Hangs up: says so, and leaves it to the other side to close.
    pub fn hang_up(&self) {
        self.shared.over.store(true, Ordering::Release);
        self.send(&frame(HANG_UP, &[]));
    }

    /// Says that it failed.
    pub fn fail(&self, code: u8) {
        self.send(&frame(ERROR, &[code]));
    }

    /// Closes its side without a word.
    pub fn close(&self) {
        self.shared.over.store(true, Ordering::Release);
        let _closed = self.socket.shutdown(Shutdown::Write);
    }

    /// Resets the connection, as a PBX that died.
    pub fn reset(mut self) {
        let linger = nix::libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        let option = nix::sys::socket::sockopt::Linger;
        nix::sys::socket::setsockopt(&self.socket, option, &linger).expect("an option");
        // The close of the last descriptor is the reset; until then nothing is sent.
        self.end_by(Shutdown::Read);
    }

    /// Sends nothing where there is nothing to say, or silence again.
    pub fn mute(&self, mute: bool) {
        self.lock().mute = mute;
    }

    /// Takes nothing from the connection any more, or does again.
    pub fn deafen(&self, deaf: bool) {
        self.lock().deaf = deaf;
    }

    /// Sends bytes as they are.
    pub fn send(&self, bytes: &[u8]) {
        // What is over takes nothing; tests ask how it ended.
        let _sent = (&self.socket).write_all(bytes);
    }

    /// What was heard so far.
    ///
    /// # Panics
    /// When the other side did not keep to the protocol.
    #[must_use]
    pub fn heard(&self) -> Vec<i16> {
        let state = self.lock();
        assert!(state.faults.is_empty(), "{:?}", state.faults);
        state.heard.clone()
    }

    /// Waits until so many samples were heard.
    ///
    /// # Panics
    /// When they do not come.
    pub fn wait_for(&self, samples: usize) {
        let longest = wait::PATIENCE + Duration::from_secs(samples as u64 / 8_000);
        wait::until_within("sound from the AudioSocket", longest, || {
            (self.lock().heard.len() >= samples).then_some(())
        });
    }

    /// Waits until something louder than silence is heard after so many samples; says where.
    ///
    /// # Panics
    /// When there is nothing.
    #[must_use]
    pub fn wait_for_sound(&self, from: usize) -> usize {
        wait::until("something to hear from the AudioSocket", || {
            let state = self.lock();
            let later = state.heard.get(from..)?;
            let at = later
                .iter()
                .position(|sample| sample.unsigned_abs() > 100)?;
            Some(from + at)
        })
    }

    /// Kinds of the frames of sound that came, without repetitions.
    #[must_use]
    pub fn kinds(&self) -> Vec<u8> {
        self.lock().kinds.clone()
    }

    /// Keys that the other side pressed.
    #[must_use]
    pub fn digits(&self) -> String {
        self.lock().digits.clone()
    }

    /// Waits for the end, and says how it came.
    ///
    /// # Panics
    /// When it does not come.
    #[must_use]
    pub fn ended(&self) -> End {
        wait::until("the end of the connection", || self.lock().end)
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.lock().end
    }

    /// Ends the threads.
    fn end_by(&mut self, how: Shutdown) {
        self.shared.over.store(true, Ordering::Release);
        self.lock().deaf = false;
        let _closed = self.socket.shutdown(how);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("a thread of the PBX");
            }
        }
    }

    const fn frame_samples(&self) -> usize {
        self.rate as usize / 50
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Drop for PbxCall {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.end_by(Shutdown::Both);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A frame: its kind, the length of its payload, its payload.
#[must_use]
pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short payload");
    let mut bytes = vec![kind];
    bytes.extend(length.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A frame of sound.
///
/// # Panics
/// When the protocol does not have the rate.
#[must_use]
pub fn sound(rate: u32, samples: &[i16]) -> Vec<u8> {
    let kind = RATES.iter().find(|(hertz, _)| *hertz == rate);
    let (_, kind) = kind.unwrap_or_else(|| panic!("the protocol has no {rate} Hz"));
    frame(*kind, &crate::sound::to_bytes(samples))
}

/// A UUID as its 16 bytes.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn uuid(text: &str) -> [u8; 16] {
    let uuid = uuid::Uuid::parse_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    *uuid.as_bytes()
}

/// A timer that fires every 20 ms.
fn ticker() -> TimerFd {
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::empty()).expect("a timer");
    let every = TimeSpec::from_duration(Duration::from_millis(20));
    timer
        .set(Expiration::Interval(every), TimerSetTimeFlags::empty())
        .expect("a timer that runs");
    timer
}

fn speak(mut socket: TcpStream, shared: &Shared, rate: u32) {
    let timer = ticker();
    let count = rate as usize / 50;
    while !shared.over.load(Ordering::Acquire) {
        timer.wait().expect("a timer");
        let mut samples: Vec<i16> = {
            let mut state = shared.lock();
            if state.mute && state.saying.is_empty() {
                continue;
            }
            let count = count.min(state.saying.len());
            state.saying.drain(..count).collect()
        };
        samples.resize(count, 0);
        if socket.write_all(&sound(rate, &samples)).is_err() {
            return;
        }
    }
}

fn listen(mut socket: TcpStream, shared: &Shared) {
    let timer = ticker();
    let mut error = None;
    let end = loop {
        while shared.lock().deaf {
            timer.wait().expect("a timer");
        }
        let mut header = [0; 3];
        match whole(&mut socket, &mut header) {
            Ok(true) => {}
            Ok(false) => break error.unwrap_or(End::Closed),
            Err(()) => break error.unwrap_or(End::Broken),
        }
        let mut payload = vec![0; usize::from(u16::from_be_bytes([header[1], header[2]]))];
        if whole(&mut socket, &mut payload) != Ok(true) && !payload.is_empty() {
            let fault = format!("the connection ended within a frame {header:?}");
            shared.lock().faults.push(fault);
            break End::Broken;
        }
        match header[0] {
            HANG_UP => break error.unwrap_or(End::HungUp),
            ERROR => error = Some(End::Error(payload.first().copied().unwrap_or(0))),
            kind => shared.lock().take(kind, &payload),
        }
    };
    shared.over.store(true, Ordering::Release);
    shared.lock().end = Some(end);
}

/// Fills `bytes`. Says false at the end of the connection before the first.
fn whole(socket: &mut TcpStream, bytes: &mut [u8]) -> Result<bool, ()> {
    let mut filled = 0;
    while filled < bytes.len() {
        match socket.read(&mut bytes[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Err(()),
        }
    }
    Ok(true)
}

impl State {
    fn take(&mut self, kind: u8, payload: &[u8]) {
        if let Some((rate, _)) = RATES.iter().find(|(_, known)| *known == kind) {
            if payload.len() != *rate as usize / 25 {
                let length = payload.len();
                self.faults
                    .push(format!("{length} bytes of sound at {rate} Hz"));
            }
            if !self.kinds.contains(&kind) {
                self.kinds.push(kind);
            }
            self.heard.extend(crate::sound::from_bytes(payload));
            return;
        }
        match (kind, payload) {
            (DTMF, [digit]) => self.digits.push(char::from(*digit)),
            _ => self.faults.push(format!("a frame of kind {kind:#04x}")),
        }
    }
}
