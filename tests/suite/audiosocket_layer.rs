//! AudioSocket lines on their real-time thread and the machine's clock, called by a PBX that was
//! written from the published protocol. No daemon: what becomes of a call is other tests' subject.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};

use audio_io::audiosocket::{AudioSocketListener, ListenerNews, Refusal};
use audio_io::block::BlockKind;
use audio_io::capture::RealtimeOptions;
use audio_io::channel::{ChannelEvent, ChannelOrder, ChannelSource, ChannelStream, ChannelThread};
use audio_io::clock::{Clock, SystemClock};
use audio_io::format::StreamFormat;
use audio_io::player::PlayerEvent;
use audio_io::units::{Frames, Millis};
use harness::audiosocket::{End, PbxCall};
use harness::{correlate, sound, wait};

/// A listener with lines, and what they have heard.
struct Rig {
    listener: AudioSocketListener,
    _thread: ChannelThread,
    lines: Vec<Line>,
    _players: Receiver<PlayerEvent>,
}

struct Line {
    stream: ChannelStream,
    heard: Vec<i16>,
    events: Vec<ChannelEvent>,
}

fn rig(count: u32) -> Rig {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let seats = usize::try_from(count).expect("few");
    let anybody = Box::new(|_| true);
    let (listener, seats) =
        AudioSocketListener::bind(address, anybody, seats, Arc::clone(&clock)).expect("a port");
    let format = StreamFormat::TELEPHONE;
    let sources = seats
        .into_iter()
        .zip(0..)
        .map(|(seat, line)| ChannelSource {
            label: format!("pbx-{line}"),
            line,
            opener: seat.opener(format),
            format,
            tapped: Some(Millis(500)),
        })
        .collect();
    let options = RealtimeOptions {
        priority: None,
        lock_memory: false,
        ring_ms: 30_000,
    };
    let (events, players) = sync_channel(256);
    let (thread, streams) =
        ChannelThread::spawn("pbx", sources, &events, options, clock).expect("threads");
    let mut rig = Rig {
        listener,
        _thread: thread,
        lines: streams
            .into_iter()
            .map(|stream| Line {
                stream,
                heard: Vec::new(),
                events: Vec::new(),
            })
            .collect(),
        _players: players,
    };
    for line in 0..rig.lines.len() {
        rig.wait(line, "it is open", |event| {
            matches!(event, ChannelEvent::Opened { .. })
        });
    }
    rig
}

impl Rig {
    /// The line that has this call.
    fn line_of(&mut self, uuid: u8) -> usize {
        wait::until("a line has the call", || {
            self.lines.iter_mut().position(|line| {
                line.drain();
                let connected = ChannelEvent::Connected { uuid: [uuid; 16] };
                line.events.contains(&connected)
            })
        })
    }

    fn wait(&mut self, line: usize, what: &str, is: impl Fn(&ChannelEvent) -> bool) {
        wait::until(what, || {
            self.lines[line].drain();
            self.lines[line].events.iter().any(&is).then_some(())
        });
    }
}

impl Line {
    fn drain(&mut self) {
        let notices = self.stream.notices.try_iter();
        self.events.extend(notices.map(|notice| notice.event));
        let heard = &mut self.heard;
        while let Some(()) = self.stream.capture.blocks.pop_with(|block| {
            assert_eq!(block.position, Frames(heard.len() as u64));
            match block.kind {
                BlockKind::Audio => heard.extend(sound::from_bytes(block.sound())),
                BlockKind::Gap(frames, cause) => panic!("a gap of {frames}: {cause:?}"),
            }
        }) {}
    }
}

#[test]
fn a_call_is_heard_both_ways_with_its_digits_and_its_end() {
    let mut rig = rig(2);
    let address = rig.listener.address();
    let call = PbxCall::connect(address, [1; 16]);
    let line = rig.line_of(1);
    let player = rig.lines[line].stream.player.as_ref().expect("a player");
    player.control.silence(None).expect("a start");
    let known = sound::noise(16_000);
    call.press('5');
    call.say_all(&known);
    call.press('#');
    rig.wait(line, "the last digit", |event| {
        *event == ChannelEvent::Digit('#')
    });
    let digits: Vec<_> = rig.lines[line]
        .events
        .iter()
        .filter(|event| matches!(event, ChannelEvent::Digit(_)))
        .collect();
    assert_eq!(
        digits,
        [&ChannelEvent::Digit('5'), &ChannelEvent::Digit('#')]
    );
    let heard = wait::until("all is heard", || {
        let line = &mut rig.lines[line];
        line.drain();
        let begins = line.heard.iter().position(|sample| *sample != 0)?;
        line.heard
            .get(begins..begins + known.len())
            .map(<[i16]>::to_vec)
    });
    assert!(heard == known, "each sample, in its place");
    // Silence comes all the time, in its own rate, at the pace of the clock.
    call.wait_for(8_000);
    assert_eq!(call.kinds(), [0x10]);
    call.hang_up();
    let over = |orderly| ChannelEvent::Disconnected { orderly };
    rig.wait(line, "the end", |event| *event == over(true));
    assert_eq!(call.ended(), End::HungUp);
    let stats = &rig.lines[line].stream.capture.stats;
    assert_eq!(stats.stalls.load(Ordering::Relaxed), 0);
    assert_eq!(stats.lost_frames.load(Ordering::Relaxed), 0);
}

#[test]
fn calls_at_once_keep_apart_and_one_too_many_is_told_so() {
    let mut rig = rig(3);
    let mut listener = rig.listener.take_events();
    let news = listener.as_mut().expect("the first");
    let address = rig.listener.address();
    let calls: Vec<_> = (1..=3)
        .map(|number| PbxCall::connect(address, [number; 16]))
        .collect();
    let rustles: Vec<_> = (0..3).map(|seed| sound::rustle(2.0, 8_000, seed)).collect();
    for (call, rustle) in calls.iter().zip(&rustles) {
        call.say(rustle);
    }
    let lines: Vec<_> = (1..=3).map(|number| rig.line_of(number)).collect();
    let fourth = PbxCall::connect(address, [4; 16]);
    assert_eq!(fourth.ended(), End::Error(0x10));
    let refused = news
        .iter()
        .find(|event| matches!(event.what, ListenerNews::Refused(_)));
    let refused = refused.map(|event| event.what);
    assert_eq!(refused, Some(ListenerNews::Refused(Refusal::NoLine)));
    for (line, rustle) in lines.iter().zip(&rustles) {
        wait::until("all of it is heard", || {
            rig.lines[*line].drain();
            let heard = &rig.lines[*line].heard;
            (heard.len() > 20_000 && correlate::share_heard(heard, rustle) > 0.99).then_some(())
        });
    }
    for (call, line) in calls.iter().zip(&lines) {
        let control = rig.lines[*line].stream.control.clone();
        control.order(ChannelOrder::OnHook).expect("taken");
        assert_eq!(call.ended(), End::HungUp);
    }
}

#[test]
fn a_pbx_that_misbehaves_ends_its_own_call_only() {
    let mut rig = rig(2);
    let address = rig.listener.address();
    let good = PbxCall::connect(address, [1; 16]);
    let line = rig.line_of(1);
    let broken = |rig: &mut Rig, uuid, what: &str| {
        let line = rig.line_of(uuid);
        let over = ChannelEvent::Disconnected { orderly: false };
        rig.wait(line, what, |event| *event == over);
        rig.lines[line].events.clear();
    };
    let reset = PbxCall::connect(address, [2; 16]);
    rig.line_of(2);
    reset.reset();
    broken(&mut rig, 2, "a reset is an end");
    for uuid in 3..6 {
        let bad = wait::until("the line is free again", || {
            let bad = PbxCall::connect(address, [uuid; 16]);
            match wait::until("seated or not", || {
                let seated = rig.lines.iter_mut().any(|line| {
                    line.drain();
                    let connected = ChannelEvent::Connected { uuid: [uuid; 16] };
                    line.events.contains(&connected)
                });
                (seated || bad.end().is_some()).then(|| bad.end())
            }) {
                None => Some(bad),
                Some(_) => None,
            }
        });
        match uuid {
            // Half a frame, an error, a name that is none.
            3 => {
                bad.mute(true);
                bad.send(&[0x10, 0xFF, 0xFF, 1, 2, 3]);
                bad.close();
            }
            4 => bad.fail(2),
            _ => bad.send(&[0x01, 0, 1, 7]),
        }
        broken(&mut rig, uuid, "the end of a call that misbehaves");
    }
    // A second at once, and a peer that does not read: the other call hears nothing of it.
    let known = sound::noise(8_000);
    good.say_all(&known);
    let at = wait::until("it is heard", || {
        rig.lines[line].drain();
        sound::find(&rig.lines[line].heard, &known[4_000..])
    });
    assert_eq!(
        sound::find(&rig.lines[line].heard, &known[..4_000]),
        at.checked_sub(4_000)
    );
    assert_eq!(good.end(), None);
}

#[test]
fn other_rates_are_heard_as_what_they_are() {
    let mut rig = rig(3);
    let address = rig.listener.address();
    for (number, rate) in [(1, 16_000), (2, 48_000), (3, 44_100)] {
        let call = PbxCall::connect_at(address, [number; 16], rate);
        call.say(&sound::tone(700.0, 0.3, rate, 1.5));
        let line = rig.line_of(number);
        let tone = wait::until("a second of it", || {
            rig.lines[line].drain();
            let loud = sound::loud_part(&rig.lines[line].heard, 0.1);
            (loud.len() > 10_000).then(|| loud[1_000..9_000].to_vec())
        });
        let hertz = sound::frequency(&tone, 8_000).expect("a tone");
        assert!((hertz - 700.0).abs() < 0.5, "{rate}: {hertz}");
        let level = sound::rms_dbfs(&tone);
        assert!((level + 13.47).abs() < 0.2, "{rate}: {level}");
        let kind = call.kinds().last().copied();
        assert!(matches!(kind, Some(0x12 | 0x15 | 0x16)), "{kind:?}");
    }
}
