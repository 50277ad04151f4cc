//! Who gets in, and what those hear who do not.

use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::rig::{Peer, Rig};
use crate::audiosocket::{AudioSocketListener, ListenerNews, Refusal};
use crate::clock::{Clock, SystemClock};
use crate::format::{Channels, StreamFormat};
use crate::limits::AUDIOSOCKET_UNNAMED_MAX;

/// What a peer that is turned away hears.
fn told(code: u8) -> Vec<(u8, Vec<u8>)> {
    vec![(0xFF, vec![code]), (0x00, vec![])]
}

#[test]
fn calls_beyond_the_lines_and_without_a_name_of_their_own_are_turned_away() {
    let mut rig = Rig::new(2, 8_000);
    let (_one, first) = rig.call(1);
    let (_two, second) = rig.call(2);
    assert_ne!(first, second);
    let cases = [
        (vec![0; 16], Refusal::UuidNil, 0x12),
        (vec![2; 16], Refusal::UuidInUse, 0x11),
        (vec![3; 16], Refusal::NoLine, 0x10),
    ];
    for (uuid, why, code) in cases {
        let mut peer = rig.peer();
        peer.say(0x01, &uuid);
        assert_eq!(rig.refused(), why);
        assert_eq!(peer.farewell(), told(code));
    }
    let stats = rig.listener.stats();
    let count =
        |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((count(&stats.seated), count(&stats.refused)), (2, 3));
}

#[test]
fn what_does_not_begin_with_a_uuid_is_no_pbx() {
    let rig = Rig::new(1, 8_000);
    let wrong: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &[0x10, 0, 2, 0, 0],
        &[0x01, 0, 17],
        &[0x00],
    ];
    for bytes in wrong {
        let mut peer = rig.peer();
        peer.socket.write_all(bytes).expect("a write");
        assert_eq!(rig.refused(), Refusal::NoUuid, "{bytes:?}");
        // What is sent after it is refused does not take the words away from it.
        let _more = peer.socket.write_all(&[0; 5_000]);
        assert_eq!(peer.farewell(), told(0x13));
    }
    let peer = rig.peer();
    peer.socket.shutdown(Shutdown::Write).expect("a socket");
    assert_eq!(rig.refused(), Refusal::Closed);
}

#[test]
fn a_name_may_come_in_pieces_but_not_late() {
    let mut rig = Rig::new(1, 8_000);
    let mut peer = rig.peer();
    for byte in [1, 0, 16, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5] {
        peer.socket.write_all(&[byte]).expect("a write");
        std::thread::yield_now();
    }
    // Sound right behind it is the line's, not the listener's.
    peer.sound(0x10, &[77; 160]);
    let ListenerNews::Seated { seat, uuid } = rig.happened() else {
        panic!("it has a name")
    };
    assert_eq!(uuid, [5; 16]);
    rig.until(false, "it is heard", |rig| {
        rig.lines[seat].sound() == [77; 160]
    });

    let mut late = rig.peer();
    late.socket.write_all(&[1, 0]).expect("a write");
    assert!(rig.news.recv_timeout(Duration::from_millis(20)).is_err());
    rig.clock.advance(Duration::from_secs(5));
    assert_eq!(rig.refused(), Refusal::Late);
    assert_eq!(late.farewell(), told(0x13));
}

#[test]
fn those_that_say_nothing_are_few() {
    let mut rig = Rig::new(1, 8_000);
    let silent: Vec<_> = (0..AUDIOSOCKET_UNNAMED_MAX).map(|_| rig.peer()).collect();
    let mut more = rig.peer();
    assert_eq!(rig.refused(), Refusal::TooMany);
    assert!(more.farewell().is_empty());
    drop(silent);
    for _ in 0..AUDIOSOCKET_UNNAMED_MAX {
        assert_eq!(rig.refused(), Refusal::Closed);
    }
    let (_peer, line) = rig.call(9);
    assert_eq!(line, 0);
}

#[test]
fn strangers_are_told_nothing() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let nobody = Box::new(|_| false);
    let (mut listener, _seats) =
        AudioSocketListener::bind(address, nobody, 1, Arc::clone(&clock)).expect("an address");
    let news = listener.take_events().expect("the first");
    assert!(listener.take_events().is_none());
    let mut peer = Peer::new(listener.address());
    let event = news.recv_timeout(super::rig::PATIENCE).expect("news");
    assert_eq!(event.what, ListenerNews::Refused(Refusal::Address));
    assert_eq!(
        event.peer.map(|peer| peer.ip()),
        Some(Ipv4Addr::LOCALHOST.into())
    );
    assert!(peer.farewell().is_empty());
    let again = AudioSocketListener::bind(listener.address(), Box::new(|_| true), 1, clock);
    let taken = again.err().and_then(|error| error.raw_os_error());
    assert_eq!(taken, Some(libc::EADDRINUSE));
}

#[test]
fn lines_that_the_protocol_cannot_have_are_refused_with_what_it_can() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (_listener, seats) =
        AudioSocketListener::bind(address, Box::new(|_| true), 2, clock).expect("an address");
    let formats = [
        StreamFormat {
            rate: 11_025.try_into().expect("a rate"),
            ..StreamFormat::TELEPHONE
        },
        StreamFormat {
            channels: Channels::Stereo,
            ..StreamFormat::TELEPHONE
        },
    ];
    for (seat, format) in seats.into_iter().zip(formats) {
        let error = seat.opener(format).open().err().expect("refused");
        let said = error.to_string();
        assert!(said.contains("8000, 12000, 16000"), "{said}");
    }
}
