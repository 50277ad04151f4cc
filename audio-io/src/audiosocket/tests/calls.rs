//! Calls over real sockets: sound both ways, digits, and every way to end.

use std::net::Shutdown;
use std::time::Duration;

use super::rig::{OPENED, Rig};
use crate::channel::{ChannelEvent, ChannelOrder};
use crate::units::Frames;

fn connected(uuid: u8) -> ChannelEvent {
    ChannelEvent::Connected { uuid: [uuid; 16] }
}

fn over(orderly: bool) -> ChannelEvent {
    ChannelEvent::Disconnected { orderly }
}

#[test]
fn sound_goes_both_ways_sample_by_sample() {
    let mut rig = Rig::new(1, 8_000);
    rig.run(100);
    let (mut peer, line) = rig.call(1);
    rig.lines[line].playing = Some(1);
    let mut sent = Vec::new();
    for frame in 0..100_i16 {
        let samples: Vec<_> = (0..160).map(|at| frame * 160 + at + 1).collect();
        peer.sound(0x10, &samples);
        sent.extend(samples);
        rig.run(2);
    }
    let count = sent.len();
    rig.until(false, "all is heard", |rig| {
        rig.lines[line].sound().len() >= count
    });
    assert_eq!(rig.lines[line].sound(), sent);
    let mut heard = Vec::new();
    while heard.len() < 99 * 160 {
        let (kind, payload) = peer.next().expect("a frame");
        assert_eq!((kind, payload.len()), (0x10, 320), "20 ms at 8 kHz");
        let pairs = payload.chunks_exact(2);
        heard.extend(pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
    }
    // What was queued before it began is silence.
    let begins = heard.iter().position(|one| *one != 0).expect("sound");
    assert!(begins <= 240, "{begins}");
    let row = heard[begins..].windows(2);
    assert!(row.into_iter().all(|two| two[1] == (two[0] + 1) % 30_000));
    assert_eq!(rig.lines[line].events, [OPENED, connected(1)]);
    assert_eq!(rig.lines[line].underruns, 0);
}

#[test]
fn a_call_is_told_before_its_first_sound_and_its_end_after_its_last() {
    let mut rig = Rig::new(1, 8_000);
    rig.run(10);
    let mut peer = rig.peer();
    peer.say(0x01, &[1; 16]);
    peer.sound(0x10, &[7; 160]);
    rig.until(false, "the call", |rig| rig.lines[0].sound().len() == 160);
    peer.sound(0x10, &[7; 160]);
    peer.say(0x00, &[]);
    rig.wait(0, &over(true));
    let line = &rig.lines[0];
    assert_eq!(line.events, [OPENED, connected(1), over(true)]);
    let sounds = |one: &i16| *one != 0;
    let first = line.heard.iter().position(sounds).expect("sound");
    let last = line.heard.iter().rposition(sounds).expect("sound");
    assert_eq!(line.sound().len(), 320, "all of it");
    assert!(line.places[1] <= first && last < line.places[2]);
}

#[test]
fn frames_go_at_the_pace_of_the_clock_even_when_nothing_is_said() {
    let mut rig = Rig::new(1, 8_000);
    let (mut peer, line) = rig.call(1);
    for _ in 0..50 {
        rig.run(2);
        let (kind, payload) = peer.next().expect("one each 20 ms");
        assert_eq!((kind, payload), (0x10, vec![0; 320]));
    }
    peer.socket.set_nonblocking(true).expect("a socket");
    let mut byte = [0];
    let none = std::io::Read::read(&mut peer.socket, &mut byte);
    assert!(none.is_err(), "no more than that");
    // A second without a turn is not made up for in one burst.
    rig.clock.advance(Duration::from_secs(1));
    rig.run(2);
    assert_eq!(rig.lines[line].underruns, 1);
}

#[test]
fn digits_are_told_in_order_however_many_there_are() {
    let mut rig = Rig::new(1, 8_000);
    let (mut peer, line) = rig.call(1);
    let keys: Vec<_> = (0..500_usize)
        .map(|n| b"0123456789*#ABCD"[n % 16])
        .collect();
    for key in &keys {
        peer.say(0x03, &[*key]);
    }
    peer.say(0x03, b"Z");
    peer.say(0x03, b"");
    rig.until(false, "all are told", |rig| {
        rig.lines[line].events.len() >= 502
    });
    let told: Vec<_> = rig.lines[line].events[2..].to_vec();
    let expected = keys.iter().map(|key| ChannelEvent::Digit(char::from(*key)));
    assert!(told.into_iter().eq(expected));
}

#[test]
fn every_end_of_a_call_is_told_once_and_the_line_is_free_again() {
    let mut rig = Rig::new(1, 8_000);
    let ends: [(&str, bool); 7] = [
        ("hang-up", true),
        ("close", true),
        ("cut", false),
        ("reset", false),
        ("error", false),
        ("wrong", false),
        ("ours", true),
    ];
    for (number, (how, orderly)) in (1..).zip(ends) {
        let (mut peer, line) = rig.call(number);
        peer.sound(0x10, &[7; 160]);
        rig.run(2);
        match how {
            "hang-up" => peer.say(0x00, &[]),
            "close" => peer.socket.shutdown(Shutdown::Both).expect("a socket"),
            "cut" => {
                std::io::Write::write_all(&mut peer.socket, &[0x10, 1]).expect("a write");
                peer.socket.shutdown(Shutdown::Write).expect("a socket");
            }
            "reset" => reset(&peer.socket),
            "error" => peer.say(0xFF, &[1]),
            "wrong" => peer.say(0x01, &[1, 2, 3]),
            _ => rig.order(line, &ChannelOrder::OnHook),
        }
        if how == "reset" {
            drop(peer);
            rig.wait(line, &over(orderly));
        } else {
            rig.wait(line, &over(orderly));
            if how != "close" {
                let last = peer.farewell().pop();
                assert_eq!(last, Some((0x00, vec![])), "{how}: it is told in turn");
            }
        }
        let told = std::mem::take(&mut rig.lines[line].events);
        let told: Vec<_> = told.into_iter().filter(|one| *one != OPENED).collect();
        assert_eq!(told, [connected(number), over(orderly)], "{how}");
        // It rests before the next call.
        rig.run(60);
    }
    // Hanging up when there is nobody is nothing.
    rig.order(0, &ChannelOrder::OnHook);
    rig.order(0, &ChannelOrder::Ring);
    rig.run(10);
    assert!(rig.lines[0].events.is_empty());
}

/// Makes the end of the connection a reset.
fn reset(socket: &std::net::TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::Linger, &linger)
        .expect("an option");
}

#[test]
fn a_line_rests_before_the_next_call() {
    let mut rig = Rig::new(1, 8_000);
    let (mut first, line) = rig.call(1);
    first.say(0x00, &[]);
    rig.wait(line, &over(true));
    let mut second = rig.peer();
    // The listener may hear of the end a little after us.
    loop {
        second.say(0x01, &[2; 16]);
        match rig.happened() {
            crate::audiosocket::ListenerNews::Seated { .. } => break,
            _ => second = rig.peer(),
        }
    }
    rig.run(40);
    assert!(!rig.lines[line].events.contains(&connected(2)));
    // An order for the first call meets nobody.
    rig.order(line, &ChannelOrder::OnHook);
    rig.run(20);
    rig.wait(line, &connected(2));
    assert_eq!(rig.lines[line].events.last(), Some(&connected(2)));
}

#[test]
fn a_connection_from_which_nothing_comes_is_given_up_after_a_minute() {
    let mut rig = Rig::new(1, 8_000);
    let (mut peer, line) = rig.call(1);
    // A peer that reads, so that nothing is late.
    let mut ear = peer.socket.try_clone().expect("a clone");
    let reading = std::thread::spawn(move || std::io::copy(&mut ear, &mut std::io::sink()));
    rig.run(5_900);
    peer.say(0x7F, b"still here");
    rig.run(2);
    let heard = rig.lines[line].heard.len();
    rig.run(5_900);
    // A busy machine may let the reader fall behind the clock of this test.
    let events = &mut rig.lines[line].events;
    events.retain(|event| *event != ChannelEvent::WriteUnderrun);
    assert_eq!(*events, [OPENED, connected(1)]);
    let silent = rig.lines[line].heard.len() - heard;
    assert!(silent >= 8 * 58_800, "the line goes on: {silent}");
    rig.run(110);
    rig.wait(line, &over(false));
    drop(peer);
    reading.join().expect("an end").expect("an end");
}

#[test]
fn a_peer_that_does_not_read_holds_up_nothing() {
    let mut rig = Rig::new(1, 48_000);
    let (mut peer, line) = rig.call(1);
    peer.sound(0x16, &[9; 960]);
    rig.run(20);
    rig.lines[line].playing = Some(1);
    // Much more than all buffers between have room for.
    rig.until(true, "its buffers are full", |rig| {
        rig.lines[line]
            .events
            .contains(&ChannelEvent::WriteUnderrun)
    });
    let before = rig.lines[line].heard.len();
    for _ in 0..100 {
        peer.sound(0x16, &[9; 960]);
        rig.run(2);
    }
    let heard = rig.lines[line].heard.len() - before;
    assert!(heard >= 95 * 960, "it is heard all the same: {heard}");
    let late = |rig: &Rig| {
        let events = &rig.lines[line].events;
        let told = events
            .iter()
            .filter(|one| **one == ChannelEvent::WriteUnderrun);
        told.count()
    };
    assert_eq!(late(&rig), 1, "it is told once");
    // It reads again: whole frames, and soon those of now.
    let mut ear = peer.socket.try_clone().expect("a clone");
    let reading = std::thread::spawn(move || {
        let mut frames = 0;
        let mut header = [0; 3];
        while std::io::Read::read_exact(&mut ear, &mut header).is_ok() {
            let length = usize::from(u16::from_be_bytes([header[1], header[2]]));
            let mut payload = vec![0; length];
            if std::io::Read::read_exact(&mut ear, &mut payload).is_err() {
                // The end came before it had read all.
                break;
            }
            let known = matches!((header[0], length), (0x10, 320) | (0x16, 1_920) | (0, 0));
            assert!(known, "{header:?}");
            frames += 1;
        }
        frames
    });
    for _ in 0..50 {
        rig.run(2);
        std::thread::park_timeout(Duration::from_millis(2));
    }
    peer.say(0x00, &[]);
    rig.wait(line, &over(true));
    assert!(reading.join().expect("whole frames") > 50);
}

#[test]
fn a_port_that_is_closed_ends_its_call_and_can_be_opened_again() {
    let mut rig = Rig::new(1, 8_000);
    let (mut peer, line) = rig.call(1);
    let busy = rig.lines[line].opener.open();
    assert!(busy.is_err_and(|error| error.errno() == libc::EBUSY));
    rig.lines[line].port = None;
    assert_eq!(peer.farewell().pop(), Some((0x00, vec![])));
    let mut nobody = rig.peer();
    nobody.say(0x01, &[2; 16]);
    assert_eq!(rig.refused(), crate::audiosocket::Refusal::NoLine);
    let port = rig.lines[line].opener.open().expect("again");
    assert_eq!(port.params().period, Frames(160));
    rig.lines[line].port = Some(port);
    rig.lines[line].events.clear();
    rig.run(1);
    let (_peer, line) = rig.call(3);
    assert_eq!(rig.lines[line].events, [OPENED, connected(3)]);
}
