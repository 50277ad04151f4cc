//! Peers that are too many, not allowed, or do not keep to the protocol: refused, counted and told,
//! and nobody else's call is touched.

use std::io::Write;
use std::net::TcpStream;

use harness::audiosocket::{End, PbxCall};
use harness::{sound, wait};
use uuid::Uuid;

use super::rig::Pbx;
use crate::calls::rig::Call;

/// A connection that has said nothing yet.
fn stranger(pbx: &Pbx) -> TcpStream {
    TcpStream::connect(pbx.address).expect("a connection")
}

/// More calls than lines: one too many is told so and closed; those that are on go on, and a line
/// that is free again takes the next.
#[test]
fn more_calls_than_lines_are_turned_away() {
    let pbx = Pbx::start("trigger = \"api\"\nlines = 2");
    let (first, peer) = pbx.call();
    let (second, _second_peer) = pbx.call();
    let third = pbx.connect(Uuid::new_v4());
    assert!(
        matches!(third.ended(), End::Error(_)),
        "an error is told first"
    );
    pbx.wait_for_counted("busy", 1);
    assert!(pbx.daemon.log().contains("all lines"), "the log says why");
    peer.hang_up();
    let _ = first.wait("call.hangup");
    assert_eq!(second.look()["state"], "answered");
    let (fourth, _fourth_peer) = pbx.call();
    assert_eq!(fourth.look()["state"], "answered");
    assert_eq!(
        pbx.receiver
            .accepted()
            .iter()
            .filter(|event| event.event == "call.new")
            .count(),
        3
    );
}

/// Strangers to the protocol get no call and take no line.
#[test]
fn peers_that_name_no_call_are_turned_away() {
    let pbx = Pbx::start("trigger = \"api\"");
    let mut garbage = stranger(&pbx);
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    pbx.wait_for_counted("unidentified", 1);
    let mut half = stranger(&pbx);
    half.write_all(&[0x01, 0x00]).expect("sent");
    drop(half);
    pbx.wait_for_counted("unidentified", 2);
    let nil = PbxCall::connect(pbx.address, [0; 16]);
    assert!(matches!(nil.ended(), End::Error(_)), "an error is told");
    pbx.wait_for_counted("unidentified", 3);
    let silent = stranger(&pbx);
    pbx.wait_for_counted("unidentified", 4);
    drop(silent);
    let (call, _peer) = pbx.call();
    assert_eq!(call.look()["state"], "answered");
    assert_eq!(
        pbx.receiver
            .accepted()
            .iter()
            .filter(|event| event.event == "call.new")
            .count(),
        1
    );
}

/// A UUID that is in a call names no second one.
#[test]
fn a_uuid_names_one_call() {
    let pbx = Pbx::start("trigger = \"api\"\nlines = 2");
    let uuid = Uuid::new_v4();
    let (call, _peer) = pbx.call_named(uuid);
    let twin = pbx.connect(uuid);
    assert!(matches!(twin.ended(), End::Error(_)), "an error is told");
    pbx.wait_for_counted("unidentified", 1);
    assert_eq!(call.look()["state"], "answered");
    assert_eq!(call.named("call.new").len(), 1);
}

/// Garbage in mid-call ends that call, with a cause that says so, and no other.
#[test]
fn garbage_in_mid_call_ends_that_call_only() {
    let pbx = Pbx::start("trigger = \"api\"\nlines = 2");
    let (good, good_peer) = pbx.call();
    let (bad, bad_peer) = pbx.call();
    bad_peer.say_all(&sound::rustle(0.2, 8_000, 50));
    // A frame that is cut off by the end of the connection.
    bad_peer.mute(true);
    bad_peer.send(&[0x10, 0x01, 0x40, 0x00]);
    drop(bad_peer);
    let hangup = bad.wait("call.hangup");
    assert_eq!(hangup["cause"], "NORMAL_TEMPORARY_FAILURE", "{hangup}");
    bad.settle();
    good_peer.say_all(&sound::rustle(0.2, 8_000, 51));
    assert_eq!(good.look()["state"], "answered");
}

/// Kinds that nobody knows are passed over.
#[test]
fn unknown_frames_are_passed_over() {
    let pbx = Pbx::start("trigger = \"api\"");
    let (call, peer) = pbx.call();
    peer.send(&[0x42, 0x00, 0x02, 1, 2]);
    peer.send(&[0x10, 0x00, 0x00]);
    peer.press('5');
    wait::until("the key", || (!call.named("dtmf").is_empty()).then_some(()));
    assert_eq!(call.look()["state"], "answered");
}

/// Who is not in `[audiosocket] allow` gets no call: the connection closes without a word.
#[test]
fn only_allowed_networks_are_let_in() {
    let pbx = Pbx::with(
        "trigger = \"api\"",
        "[audiosocket]\nallow = [\"10.0.0.0/8\"]\n",
    );
    let uuid = Uuid::new_v4();
    let peer = pbx.connect(uuid);
    // What it had said was not read: the system may call that broken.
    assert!(
        matches!(peer.ended(), End::Closed | End::Broken),
        "without a word"
    );
    pbx.wait_for_counted("denied", 1);
    let call = Call::of(&pbx, uuid.to_string());
    assert!(call.events().is_empty());
    assert!(
        pbx.daemon.log().contains("allow"),
        "the log says what to set"
    );
}
