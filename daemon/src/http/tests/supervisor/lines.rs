//! Lines as they change, and their sound as it comes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use audio_io::units::Millis;
use bytes::Bytes;
use storage::ids::RecordingId;

use super::super::client::raw;
use super::*;
use crate::engine::listen::{Heard, Sound};

/// Reads until a text is there; a server that says nothing ends the test.
fn until(stream: &mut TcpStream, seen: &mut Vec<u8>, wanted: &str) {
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut part = [0; 4_096];
    while !String::from_utf8_lossy(seen).contains(wanted) {
        let count = stream.read(&mut part).expect("it comes in time");
        assert!(count > 0, "ended: {}", String::from_utf8_lossy(seen));
        seen.extend_from_slice(&part[..count]);
    }
}

#[test]
fn lines_are_told_as_they_change_until_the_session_ends() {
    let engine = Arc::new(Calm::default());
    *engine.lines.lock().unwrap() = vec![line("desk", 1), line("other", 2)];
    let rig = Rig::with_engine(|_| (), Arc::clone(&engine));
    let anna = somebody(&rig, "anna", Role::Supervisor);
    let mut stream = raw(&rig);
    let head = format!(
        "GET {BASE}/lines/events HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\r\n",
        anna.cookie
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut seen = Vec::new();
    until(&mut stream, &mut seen, "event: lines");
    until(&mut stream, &mut seen, "\"desk\"");
    assert!(
        !String::from_utf8_lossy(&seen).contains("other"),
        "another tenant's"
    );
    engine.lines.lock().unwrap()[0].rms_dbfs = vec![CentiDbfs(-100)];
    until(&mut stream, &mut seen, "event: levels");
    engine.lines.lock().unwrap()[0].state = "lost";
    until(&mut stream, &mut seen, "event: line\n");
    until(&mut stream, &mut seen, "\"fault\"");
    let user = UserName::new("anna").unwrap();
    rig.site.storage.remove_user(&user).unwrap();
    until(&mut stream, &mut seen, "session_expired");
}

/// Frames of a server, which are never masked: opcode and payload.
fn frame(bytes: &mut Vec<u8>, stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut part = [0; 4_096];
    loop {
        if bytes.len() >= 2 {
            let (opcode, short) = (bytes[0] & 15, usize::from(bytes[1]));
            assert_eq!(bytes[0] & 0x80, 0x80, "frames are whole");
            let (start, length) = match short {
                126 if bytes.len() >= 4 => {
                    (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]])))
                }
                126 => (usize::MAX, 0),
                length => (2, length),
            };
            if bytes.len() >= start.saturating_add(length) {
                let payload = bytes[start..start + length].to_vec();
                bytes.drain(..start + length);
                return (opcode, payload);
            }
        }
        let count = stream.read(&mut part).expect("a frame in time");
        assert!(count > 0, "ended");
        bytes.extend_from_slice(&part[..count]);
    }
}

fn upgrade(rig: &Rig, cookie: &str, line: &str, more: &str) -> (TcpStream, Vec<u8>) {
    let mut stream = raw(rig);
    let head = format!(
        "GET {BASE}/lines/{line}/listen?codec=pcm16 HTTP/1.1\r\nHost: localhost\r\n\
         Cookie: {cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut seen = Vec::new();
    until(&mut stream, &mut seen, "\r\n\r\n");
    let end = seen
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    let rest = seen.split_off(end);
    assert!(seen.starts_with(b"HTTP/1.1 "));
    let told = String::from_utf8(seen).unwrap().to_ascii_lowercase();
    if told.starts_with("http/1.1 101") {
        assert!(
            told.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
            "{told}"
        );
        assert!(!told.contains("content-length"), "{told}");
        return (stream, rest);
    }
    (stream, told.into_bytes())
}

#[test]
fn a_line_is_heard_as_it_comes_until_the_client_goes() {
    let engine = Arc::new(Calm::default());
    *engine.lines.lock().unwrap() = vec![line("desk", 1)];
    let sound = Heard::Sound(Sound {
        sequence: 7,
        frame: Bytes::from_static(&[7, 0, 0, 0, 1, 0, 2, 0]),
    });
    *engine.heard.lock().unwrap() = vec![
        Heard::Began {
            recording: RecordingId(4),
            started_at: None,
        },
        sound,
        Heard::Gap(Millis(20)),
        Heard::Ended,
    ];
    let rig = Rig::with_engine(|_| (), engine);
    let anna = somebody(&rig, "anna", Role::Supervisor);
    let (mut stream, mut bytes) =
        upgrade(&rig, &anna.cookie, "desk", "Origin: http://localhost\r\n");
    let mut next = || frame(&mut bytes, &mut stream);
    let mut word = || {
        let (opcode, payload) = next();
        // A ping may come in between: it is empty.
        match opcode {
            1 => Some(serde_json::from_slice::<Value>(&payload).unwrap()),
            2 => {
                assert_eq!(payload, [7, 0, 0, 0, 1, 0, 2, 0]);
                None
            }
            _ => panic!("opcode {opcode}"),
        }
    };
    assert_eq!(word().unwrap()["rate"], 8_000);
    assert_eq!(word().unwrap()["event"], "notice");
    assert_eq!(word().unwrap()["recording_id"], "4");
    assert_eq!(word(), None);
    assert_eq!(word().unwrap()["event"], "gap");
    assert_eq!(word().unwrap()["event"], "ended");
    assert_eq!(told(&rig, "listen").len(), 1);
    // A masked closing frame: the server closes as well.
    stream.write_all(&[0x88, 0x80, 0, 0, 0, 0]).unwrap();
    let (opcode, _) = frame(&mut bytes, &mut stream);
    assert_eq!(opcode, 8);
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0, "and goes");
}

#[test]
fn nobody_listens_from_elsewhere_or_to_what_is_not_theirs() {
    let rig = rig();
    add_in(
        &rig,
        (rig.tenant, "sales", Role::Supervisor),
        &["sales"],
        None,
    );
    let sales = person(&rig, "sales");
    for (line, more, status) in [
        ("desk", "", "404"),
        ("other", "", "404"),
        ("nowhere", "", "404"),
        ("shop", "Origin: http://evil.example\r\n", "403"),
        ("shop", "Origin: null\r\n", "403"),
    ] {
        let (_, told) = upgrade(&rig, &sales.cookie, line, more);
        let told = String::from_utf8(told).unwrap();
        assert!(
            told.starts_with(&format!("http/1.1 {status}")),
            "{line} {more}: {told}"
        );
    }
    let plain = sales.get(&rig, "lines/shop/listen");
    assert_eq!(plain.status, StatusCode::UPGRADE_REQUIRED);
    assert_eq!(plain.header("upgrade"), Some("websocket"));
}
