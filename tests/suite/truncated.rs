//! A stored file that somebody cuts short while it is being sent: that answer ends early, and
//! nothing else happens. With mapped files the alternative is a SIGBUS that kills every call.

use std::fs::OpenOptions;

use harness::daemon::{Daemon, Setup};
use harness::http::{Connection, Request, SlowReader, Transport};
use harness::{sound, wav};

use crate::support::{self, TASK, audio_path, get_audio};

/// Larger than all the socket buffers between here and the daemon.
const SAMPLES: usize = 24 * 1024 * 1024;

fn daemon_with_long_recording() -> (Daemon, String) {
    let daemon = Setup::new().start();
    let period = sound::noise(1 << 16);
    let samples: Vec<i16> = period.iter().copied().cycle().take(SAMPLES).collect();
    let path = daemon.folder().join("long.wav");
    std::fs::write(&path, wav::write(&samples, 1, 48_000)).expect("long.wav");
    let _ = support::import(&daemon, &path, &["--task-id", TASK]);
    let key = support::key(&daemon);
    (daemon, key)
}

fn begin(mut connection: Connection, key: &str) -> SlowReader {
    let text = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n",
        audio_path(TASK)
    );
    connection
        .write(text.as_bytes())
        .expect("the request is sent");
    let mut reader = connection.read_slowly().expect("an answer's head");
    assert_eq!(reader.head.status, 200);
    let _ = reader
        .read_exactly(64 * 1024)
        .expect("the beginning of the body");
    reader
}

fn cut(daemon: &Daemon, length: u64) {
    let files = support::stored_files(&daemon.data(), "wav");
    assert_eq!(files.len(), 1, "{files:?}");
    let file = OpenOptions::new()
        .write(true)
        .open(&files[0])
        .expect("the stored file");
    file.set_len(length).expect("it is cut");
}

fn assert_lives(daemon: &mut Daemon) {
    daemon.insist_alive();
    for transport in Transport::ALL {
        assert_eq!(
            daemon
                .client(transport)
                .send(&Request::get("/healthz"))
                .status,
            200
        );
    }
}

/// Two slow readers, one plain and one with TLS, lose the end of their answer and nothing more.
#[test]
fn a_cut_file_ends_the_answers_it_is_in() {
    let (mut daemon, key) = daemon_with_long_recording();
    let endpoints = daemon.endpoints().clone();
    let (tls, certificate) = endpoints.tls.expect("a TLS listener");
    let plain = begin(
        Connection::plain(endpoints.plain).expect("a connection"),
        &key,
    );
    let secure = begin(
        Connection::tls(tls, &certificate).expect("a connection"),
        &key,
    );
    cut(&daemon, 1 << 20);
    assert_lives(&mut daemon);
    let promised = SAMPLES * 2 + 44 - 64 * 1024;
    for (name, reader) in [("plain", plain), ("TLS", secure)] {
        let rest = reader.read_to_end();
        assert!(
            rest.len() < promised,
            "{name}: {} bytes of a file that is not there",
            rest.len()
        );
    }
    assert_lives(&mut daemon);
}

/// A file cut before the request: no answer invents bytes, whatever the range and the transport.
#[test]
fn a_file_cut_before_the_request_is_not_padded() {
    let (mut daemon, key) = daemon_with_long_recording();
    let warm = daemon.ask(&get_audio(TASK, &key).with("Range", "bytes=0-99"));
    assert_eq!(warm.status, 206);
    cut(&daemon, 5_000);
    for transport in Transport::ALL {
        for range in [
            "bytes=0-",
            "bytes=4000-9999",
            "bytes=40000000-40001000",
            "bytes=-10",
        ] {
            let request = get_audio(TASK, &key).with("Range", range);
            // A reset connection is as good an end as a short body or an error.
            if let Ok(answer) = daemon.client(transport).try_send(&request) {
                let honest = !answer.complete || answer.status >= 400;
                assert!(
                    honest,
                    "{transport:?} {range}: a complete {} answer",
                    answer.status
                );
            }
        }
    }
    assert_lives(&mut daemon);
}

/// A file that is removed under a response is sent to its end: it is still open.
#[test]
fn a_removed_file_is_sent_to_its_end() {
    let (mut daemon, key) = daemon_with_long_recording();
    let reader = begin(
        Connection::plain(daemon.endpoints().plain).expect("a connection"),
        &key,
    );
    for file in support::stored_files(&daemon.data(), "wav") {
        std::fs::remove_file(file).expect("the stored file's removal");
    }
    let mut reader = reader;
    let rest = reader.read_exactly(SAMPLES * 2 + 44 - 64 * 1024);
    assert!(rest.is_ok(), "the answer ended early");
    assert_lives(&mut daemon);
}
