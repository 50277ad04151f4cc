//! The stream of what comes, without sockets: clocks that differ, jitter, bursts.

use std::time::Duration;

use proptest::prelude::*;

use crate::audiosocket::inlet::Inlet;
use crate::format::{Encoding, StreamFormat};
use crate::units::Frames;

const FORMAT: StreamFormat = StreamFormat::TELEPHONE;
const TURN: Duration = Duration::from_millis(20);

/// A line that is read every 20 ms.
struct Rig {
    inlet: Inlet,
    now: Duration,
    /// Samples that the peer has sent; each has its number as its value, from 1, never 0.
    sent: u64,
    heard: Vec<i16>,
    told: u32,
}

fn numbered(number: u64) -> i16 {
    i16::try_from(number % 32_000 + 1).expect("small")
}

impl Rig {
    fn new() -> Self {
        Self {
            inlet: Inlet::new(FORMAT, Duration::ZERO),
            now: Duration::ZERO,
            sent: 0,
            heard: Vec::new(),
            told: 0,
        }
    }

    fn send(&mut self, samples: u64) {
        for number in self.sent..self.sent + samples {
            self.inlet.push(numbered(number));
        }
        self.sent += samples;
    }

    fn turn(&mut self) {
        self.now += TURN;
        self.told += u32::from(self.inlet.arrived(self.now));
        let mut out = [0; 16_384];
        let frames = self.inlet.read(&mut out, self.now);
        let bytes = usize::try_from(FORMAT.bytes_of(frames)).expect("small");
        let pairs = out[..bytes].chunks_exact(2);
        self.heard
            .extend(pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
    }

    /// How far the stream is ahead of the clock, in milliseconds.
    fn ahead(&self) -> i64 {
        let stream = i64::try_from(self.heard.len() / 8).expect("small");
        stream - i64::try_from(self.now.as_millis()).expect("small")
    }

    fn silence(&self) -> usize {
        self.heard.iter().filter(|sample| **sample == 0).count()
    }
}

#[test]
fn a_line_that_nobody_is_connected_to_is_silent_in_real_time() {
    let mut rig = Rig::new();
    for _ in 0..500 {
        rig.turn();
        assert_eq!(rig.ahead(), 0);
    }
    assert_eq!(rig.silence(), 80_000);
}

#[test]
fn a_peer_whose_clock_differs_is_followed() {
    // Parts in a million; ten minutes of each.
    for off in [-300_i64, -50, 50, 300] {
        let mut rig = Rig::new();
        rig.turn();
        let before = rig.silence();
        for turn in 1..30_000_i64 {
            let wanted = turn * 160 + turn * 160 * off / 1_000_000;
            rig.send(u64::try_from(wanted).expect("positive") - rig.sent);
            rig.turn();
        }
        assert_eq!((rig.silence(), rig.told), (before, 0), "{off} ppm");
        assert_eq!(rig.heard.len() as u64, rig.sent + before as u64);
    }
}

#[test]
fn short_delays_lose_nothing_and_long_ones_are_silence() {
    let mut rig = Rig::new();
    rig.turn();
    let steady = |rig: &mut Rig, turns: u32| {
        for _ in 0..turns {
            rig.send(160);
            rig.turn();
        }
    };
    steady(&mut rig, 100);
    for late in [1, 4, 7, 8] {
        for _ in 0..late {
            rig.turn();
        }
        rig.send(160 * late);
        steady(&mut rig, 100);
    }
    let begins = rig
        .heard
        .iter()
        .position(|sample| *sample != 0)
        .expect("sound");
    let row = rig.heard[begins..].windows(2);
    assert!(
        row.into_iter()
            .all(|two| two[1] - two[0] == 1 || two[1] == 1)
    );
    assert_eq!(rig.told, 0);
    // Two seconds: silence stands in, and what comes then is over by the most part.
    for _ in 0..100 {
        rig.turn();
        assert!((-180..=20).contains(&rig.ahead()), "{}", rig.ahead());
    }
    let silent = rig.silence();
    assert!(silent >= 8 * 1_800);
    rig.send(160 * 100);
    for _ in 0..10 {
        rig.turn();
        rig.send(160);
    }
    assert_eq!(rig.told, 1, "it is told once");
    assert!((0..=120).contains(&rig.ahead()), "{}", rig.ahead());
    assert_eq!(rig.silence(), silent);
}

#[test]
fn a_peer_that_pauses_is_no_fault() {
    let mut rig = Rig::new();
    for _ in 0..20 {
        for _ in 0..50 {
            rig.turn();
        }
        for _ in 0..50 {
            rig.send(160);
            rig.turn();
        }
    }
    assert_eq!(rig.told, 0);
    let sounding = (rig.heard.len() - rig.silence()) as u64;
    assert_eq!(sounding, rig.sent, "all that was sent is heard");
    assert!((-20..=120).contains(&rig.ahead()), "{}", rig.ahead());
}

#[test]
fn a_peer_that_sends_too_fast_is_cut_not_believed() {
    let mut rig = Rig::new();
    for _ in 0..3_000 {
        rig.send(176);
        rig.turn();
    }
    // A minute at ten per cent too much: the clock goes on at its own pace.
    assert!(rig.ahead() <= 180, "{}", rig.ahead());
    assert!(rig.told >= 1);
    let mut flood = Rig::new();
    flood.send(1_000_000);
    flood.turn();
    flood.turn();
    assert!(flood.ahead() <= 120);
}

#[test]
fn other_encodings_are_companded() {
    let silent = [(Encoding::MuLaw, 0xFF), (Encoding::ALaw, 0xD5)];
    for (encoding, silence) in silent {
        let format = StreamFormat { encoding, ..FORMAT };
        let mut inlet = Inlet::new(format, Duration::ZERO);
        let mut out = [1; 400];
        let frames = inlet.read(&mut out, TURN);
        assert_eq!((frames, &out[..160]), (Frames(160), &[silence; 160][..]));
        inlet.push(8_000);
        assert!(!inlet.arrived(TURN));
        assert_eq!(inlet.read(&mut out, TURN), Frames(1));
        let heard = crate::codec::g711::sample(&out[..1], encoding);
        assert!((heard - 8_000).abs() < 300, "{heard}");
    }
}

proptest! {
    #[test]
    fn the_stream_keeps_to_the_clock_and_its_order(
        turns in prop::collection::vec((0..6_u64, 1..20_u32), 1..80),
    ) {
        let mut rig = Rig::new();
        for (frames, times) in turns {
            rig.send(frames * 160);
            for _ in 0..times {
                rig.turn();
            }
            let ahead = rig.ahead();
            prop_assert!((-200..=200).contains(&ahead), "{ahead} ms");
        }
        let sounding: Vec<_> = rig.heard.iter().filter(|one| **one != 0).collect();
        let forward = sounding.windows(2).all(|two| two[1] > two[0] || *two[1] < 16_000);
        prop_assert!(forward, "sound keeps its order");
    }
}
