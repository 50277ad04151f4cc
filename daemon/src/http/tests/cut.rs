//! Files that somebody cuts while they are served: the answer ends, the process does not, and no
//! wrong byte is sent.

use std::io::{Read, Write};
use std::time::Duration;

use http::StatusCode;
use storage::record::Container;

use super::client::{Ask, Way, raw};
use super::rig::{Rig, pattern};

const SIZE: usize = 64 * 1_024 * 1_024;

fn cut(rig: &Rig, recording: &storage::record::Recording, length: u64) {
    let path = rig.site.storage.path_of(recording);
    std::fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(length)
        .unwrap();
}

#[test]
fn a_file_cut_under_a_response_ends_that_answer_only() {
    let rig = Rig::new();
    let bytes = pattern(SIZE);
    let recording = rig.import(&bytes, Container::Wav);
    let other = rig.import(b"other", Container::Wav);
    let mut stream = raw(&rig);
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let path = format!("/api/v1/sse/audio/{}", recording.facts.names.task_id);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n\r\n",
        rig.key
    )
    .unwrap();
    let mut got = vec![0; 16 * 1_024];
    stream.read_exact(&mut got).unwrap();
    // The socket's buffers are far smaller than the file: the server is stuck in the middle.
    // (Cut to nothing: of a page that is cut in its middle the kernel clears the rest even where
    // `sendfile` has queued it already, see socket.rs.)
    cut(&rig, &recording, 0);
    let mut part = [0; 64 * 1_024];
    while let Ok(count @ 1..) = stream.read(&mut part) {
        got.extend_from_slice(&part[..count]);
    }
    let body = got.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = &got[body..];
    assert!(body.len() < SIZE, "the answer must end early");
    // Zeros would be the filler of a cut page; the pattern has none.
    assert!(body == &bytes[..body.len()], "wrong bytes were sent");
    let alive = Ask::get(format!("/api/v1/sse/audio/{}", other.facts.names.task_id));
    assert_eq!(alive.key(&rig).ask(&rig).body.as_ref(), b"other");
}

#[test]
fn a_file_cut_before_a_request_is_an_error_in_the_envelope() {
    let rig = Rig::new();
    let recording = rig.import(&pattern(100_000), Container::Wav);
    let ask = || {
        Ask::get(format!(
            "/api/v1/sse/audio/{}",
            recording.facts.names.task_id
        ))
        .key(&rig)
    };
    assert_eq!(ask().ask(&rig).status, StatusCode::OK);
    cut(&rig, &recording, 50_000);
    for way in Way::ALL {
        let answer = ask().with("range", "bytes=0-9").send(&rig, way);
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{way:?}");
        assert_eq!(answer.code(), "storage_download_failed");
    }
    std::fs::remove_file(rig.site.storage.path_of(&recording)).unwrap();
    let answer = ask().ask(&rig);
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.code(), "storage_download_failed");
}
