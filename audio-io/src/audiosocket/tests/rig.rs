//! A listener with its lines under a manual clock, and a peer with a socket of its own that knows
//! the protocol from its description only.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::audiosocket::{AudioSocketListener, ListenerEvent, ListenerNews, Refusal};
use crate::channel::{ChannelEvent, ChannelOrder, ChannelPort, HookKind};
use crate::clock::{Clock, ManualClock};
use crate::format::StreamFormat;
use crate::port::{Captured, Played, PortOpener};
use crate::units::WallMillis;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);
const TURN: Duration = Duration::from_millis(10);

pub(super) const OPENED: ChannelEvent = ChannelEvent::Opened {
    kind: HookKind::Socket,
    off_hook: false,
    alarms: 0,
};

/// One line, driven as the loop does.
pub(super) struct Line {
    pub(super) opener: Box<dyn PortOpener<dyn ChannelPort>>,
    pub(super) port: Option<Box<dyn ChannelPort>>,
    pub(super) heard: Vec<i16>,
    pub(super) events: Vec<ChannelEvent>,
    /// How much had been heard when each was told.
    pub(super) places: Vec<usize>,
    /// What is to be played: this sample and those after it.
    pub(super) playing: Option<i16>,
    pub(super) underruns: u32,
}

pub(super) struct Rig {
    pub(super) clock: Arc<ManualClock>,
    pub(super) listener: AudioSocketListener,
    pub(super) news: Receiver<ListenerEvent>,
    pub(super) lines: Vec<Line>,
}

impl Rig {
    pub(super) fn new(lines: usize, hertz: u32) -> Self {
        let clock = Arc::new(ManualClock::at(WallMillis(0)));
        clock.advance(Duration::from_secs(1_000));
        let allow = Box::new(|address| address == Ipv4Addr::LOCALHOST);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let (mut listener, seats) =
            AudioSocketListener::bind(address, allow, lines, shared).expect("an address");
        let format = StreamFormat {
            rate: hertz.try_into().expect("a rate"),
            ..StreamFormat::TELEPHONE
        };
        let lines = seats
            .into_iter()
            .map(|seat| {
                let mut opener = seat.opener(format);
                let port = opener.open().expect("always at once");
                Line {
                    opener,
                    port: Some(port),
                    heard: Vec::new(),
                    events: Vec::new(),
                    places: Vec::new(),
                    playing: None,
                    underruns: 0,
                }
            })
            .collect();
        let news = listener.take_events().expect("the first");
        Self {
            clock,
            listener,
            news,
            lines,
        }
    }

    pub(super) fn peer(&self) -> Peer {
        Peer::new(self.listener.address())
    }

    /// Connects a call to the line that is free the longest, and waits until the line knows.
    pub(super) fn call(&mut self, uuid: u8) -> (Peer, usize) {
        let mut peer = self.peer();
        peer.say(0x01, &[uuid; 16]);
        let seat = match self.happened() {
            ListenerNews::Seated { seat, uuid: told } => {
                assert_eq!(told, [uuid; 16]);
                seat
            }
            other => panic!("{other:?}"),
        };
        let connected = ChannelEvent::Connected { uuid: [uuid; 16] };
        self.wait(seat, &connected);
        (peer, seat)
    }

    pub(super) fn happened(&self) -> ListenerNews {
        self.news.recv_timeout(PATIENCE).expect("news").what
    }

    pub(super) fn refused(&self) -> Refusal {
        match self.happened() {
            ListenerNews::Refused(why) => why,
            other => panic!("{other:?}"),
        }
    }

    /// Lets time pass in turns of 10 ms; the ports are read every other.
    pub(super) fn run(&mut self, turns: u32) {
        for _ in 0..turns {
            self.clock.advance(TURN);
            let read = self.clock.monotonic().as_millis().is_multiple_of(20);
            for line in &mut self.lines {
                line.turn(read);
            }
        }
    }

    /// Turns, in which no time passes unless `ticks`, until something is so.
    pub(super) fn until(&mut self, ticks: bool, what: &str, mut is: impl FnMut(&Self) -> bool) {
        for _ in 0..30_000 {
            if ticks {
                self.run(1);
            }
            for line in &mut self.lines {
                line.turn(true);
            }
            if is(self) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        panic!("it was not so: {what}");
    }

    /// Waits until a line has told something.
    pub(super) fn wait(&mut self, line: usize, event: &ChannelEvent) {
        let what = format!("{event:?}");
        self.until(false, &what, |rig| rig.lines[line].events.contains(event));
    }

    pub(super) fn order(&mut self, line: usize, order: &ChannelOrder) {
        let port = self.lines[line].port.as_mut().expect("open");
        assert_eq!(port.order(order), Ok(()));
    }
}

impl Line {
    pub(super) fn turn(&mut self, read: bool) {
        let Some(port) = &mut self.port else { return };
        while let Some(event) = port.event() {
            self.events.push(event);
            self.places.push(self.heard.len());
        }
        let mut bytes = [0; 16_384];
        if read {
            match port.capture().read(&mut bytes) {
                Captured::Frames(frames) => {
                    let sound = &bytes[..2 * usize::try_from(frames.0).expect("small")];
                    let pairs = sound.chunks_exact(2);
                    self.heard
                        .extend(pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
                }
                Captured::Idle => {}
                other => panic!("{other:?}"),
            }
        }
        let frame = ChannelPort::params(port.as_ref()).format.rate.hertz() / 100;
        let ahead = u64::from(frame) * 3;
        let out = port.playback().expect("it plays");
        loop {
            let room = ahead.saturating_sub(out.queued().0);
            if room == 0 {
                return;
            }
            let mut next = self.playing;
            let mut sound = Vec::new();
            for _ in 0..room {
                sound.extend(next.unwrap_or(0).to_le_bytes());
                next = next.map(|sample| (sample + 1) % 30_000);
            }
            match out.write(&sound) {
                Played::Frames(taken) => {
                    let taken = i16::try_from(taken.0).expect("small");
                    self.playing = self.playing.map(|sample| (sample + taken) % 30_000);
                }
                Played::Full => return,
                Played::Underrun => self.underruns += 1,
                Played::Gone(errno) => panic!("gone: {errno}"),
            }
        }
    }

    /// What was heard but silence.
    pub(super) fn sound(&self) -> Vec<i16> {
        self.heard.iter().copied().filter(|one| *one != 0).collect()
    }
}

/// What connects.
pub(super) struct Peer {
    pub(super) socket: TcpStream,
}

impl Peer {
    pub(super) fn new(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.set_nodelay(true).expect("no delay");
        Self { socket }
    }

    pub(super) fn say(&mut self, kind: u8, payload: &[u8]) {
        let length = u16::try_from(payload.len()).expect("short").to_be_bytes();
        let mut frame = vec![kind, length[0], length[1]];
        frame.extend(payload);
        self.socket.write_all(&frame).expect("a peer that reads");
    }

    pub(super) fn sound(&mut self, kind: u8, samples: &[i16]) {
        let bytes: Vec<_> = samples.iter().flat_map(|one| one.to_le_bytes()).collect();
        self.say(kind, &bytes);
    }

    /// The next frame; `None` at the end of the connection, be it within a frame: what does not
    /// fit into the socket any more is not waited for.
    pub(super) fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut header = [0; 3];
        self.socket.read_exact(&mut header).ok()?;
        let mut payload = vec![0; usize::from(u16::from_be_bytes([header[1], header[2]]))];
        self.socket.read_exact(&mut payload).ok()?;
        Some((header[0], payload))
    }

    /// Reads until the end; gives the last two frames.
    pub(super) fn farewell(&mut self) -> Vec<(u8, Vec<u8>)> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next() {
            frames.push(frame);
        }
        frames.split_off(frames.len().saturating_sub(2))
    }
}
