//! Connections: limits, timeouts, drain, certificates.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use storage::record::Container;
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::client::{Ask, Way, converse, raw};
use super::rig::{Rig, config, pattern};
use crate::http::activity::Activity;
use crate::http::recordings::Recordings;
use crate::http::service::Worker;
use crate::http::{conn, limits};

/// Runs one connection on a clock that jumps to the next timer whenever nothing moves; how long
/// it lasted.
pub(super) fn lasts(rig: &Rig, client: impl FnOnce(&mut TcpStream)) -> (Duration, TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, peer) = listener.accept().unwrap();
    accepted.set_nonblocking(true).unwrap();
    client(&mut stream);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let took = LocalSet::new().block_on(&runtime, async {
        let site = Arc::clone(&rig.site);
        let recordings = Recordings::new(site.storage.clone(), Arc::clone(&site.metrics));
        let worker = Rc::new(Worker { site, recordings });
        let accepted = tokio::net::TcpStream::from_std(accepted).unwrap();
        let (_keep, stop) = watch::channel(false);
        let born = Activity::new();
        conn::run(worker, accepted, peer, None, stop).await;
        born.age()
    });
    (took, stream)
}

fn about(took: Duration, limit: Duration) {
    assert!(
        took >= limit && took < limit + Duration::from_secs(3),
        "{took:?} for {limit:?}"
    );
}

#[test]
fn connections_without_a_whole_head_are_cut() {
    let rig = Rig::new();
    for start in [
        "",
        "G",
        "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "PRI * HTTP/2.0\r\n\r\n",
    ] {
        let (took, _) = lasts(&rig, |stream| stream.write_all(start.as_bytes()).unwrap());
        about(took, limits::REQUEST_HEADERS);
    }
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let (took, _) = lasts(&rig, |stream| stream.write_all(preface).unwrap());
    about(took, limits::REQUEST_HEADERS);
    assert!(rig.site.metrics.timed_out.load(Ordering::Relaxed) >= 5);
}

#[test]
fn idle_connections_are_closed_and_stalled_second_heads_cut() {
    let rig = Rig::new();
    let get = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let (took, mut stream) = lasts(&rig, |stream| stream.write_all(get.as_bytes()).unwrap());
    about(took, limits::KEEP_ALIVE_IDLE);
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let second = format!("{get}GET /healthz HTTP/1.1\r\nHost");
    let (took, _) = lasts(&rig, |stream| stream.write_all(second.as_bytes()).unwrap());
    assert!(
        took >= limits::REQUEST_HEADERS && took <= limits::KEEP_ALIVE_IDLE + Duration::from_secs(3)
    );
}

#[test]
fn clients_that_stop_reading_are_cut() {
    let rig = Rig::new();
    let recording = rig.import(&pattern(32 * 1_024 * 1_024), Container::Wav);
    let path = format!("/api/v1/sse/audio/{}", recording.facts.names.task_id);
    let get = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n\r\n",
        rig.key
    );
    let (took, _stream) = lasts(&rig, |stream| stream.write_all(get.as_bytes()).unwrap());
    assert!(
        took >= limits::WRITE_STALL && took < limits::WRITE_STALL * 3,
        "{took:?}"
    );
}

#[test]
fn bodies_that_never_come_are_408() {
    let rig = Rig::new();
    let post = format!(
        "POST /api/v1/auth/ticket HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n\
         Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{{",
        rig.key
    );
    let (_, mut stream) = lasts(&rig, |stream| stream.write_all(post.as_bytes()).unwrap());
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert!(text.contains("body_timeout"));
}

#[test]
fn a_full_house_says_so() {
    let rig = Rig::with(|config| config.http.max_connections = 2);
    let held = [raw(&rig), raw(&rig)];
    for mut stream in &held {
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    }
    let third = String::from_utf8(converse(&raw(&rig), b"")).unwrap();
    assert!(third.starts_with("HTTP/1.1 503"), "{third}");
    assert!(third.contains("\"busy\"") && third.contains("Retry-After"));
    assert_eq!(rig.site.metrics.refused_total.load(Ordering::Relaxed), 1);
}

#[test]
fn garbage_is_refused_and_harms_nobody() {
    let rig = Rig::new();
    let huge = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    for (sent, expected) in [
        ("rubbish\r\n\r\n", "HTTP/1.1 400"),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n",
            "HTTP/1.1 400",
        ),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 400",
        ),
        (huge.as_str(), "HTTP/1.1 4"),
        (
            "CONNECT x:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 4",
        ),
    ] {
        let got = converse(&raw(&rig), sent.as_bytes());
        let got = String::from_utf8_lossy(&got);
        assert!(got.starts_with(expected), "{sent:.40} -> {got:.200}");
    }
    assert_eq!(Ask::get("/healthz").ask(&rig).status.as_u16(), 200);
}

#[test]
fn answers_in_flight_are_finished_before_the_end() {
    let rig = Rig::new();
    let size = 24 * 1_024 * 1_024;
    let bytes = pattern(size);
    let recording = rig.import(&bytes, Container::Wav);
    let path = format!("/api/v1/sse/audio/{}", recording.facts.names.task_id);
    let mut busy = raw(&rig);
    write!(
        busy,
        "GET {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\n\r\n",
        rig.key
    )
    .unwrap();
    let mut idle = raw(&rig);
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut first = [0; 64];
    busy.read_exact(&mut first).unwrap();
    idle.read_exact(&mut first).unwrap();
    std::thread::scope(|scope| {
        let server = &rig.server;
        let ending = scope.spawn(move || server.shutdown(Duration::from_secs(60)));
        let mut rest = Vec::new();
        busy.read_to_end(&mut rest).unwrap();
        assert!(rest.ends_with(&bytes[size - 100_000..]));
        idle.read_to_end(&mut rest).unwrap();
        ending.join().unwrap();
    });
    assert!(TcpStream::connect(rig.server.local_addrs()[0].1).is_err());
}

#[test]
fn certificates_are_read_again_and_bad_ones_are_not_taken() {
    let mut rig = Rig::new();
    assert_eq!(
        Ask::get("/healthz").send(&rig, Way::TlsH1).status.as_u16(),
        200
    );
    let (_, fresh) = config(rig.folder.path());
    rig.server.reload().unwrap();
    rig.certificate = fresh;
    assert_eq!(
        Ask::get("/healthz").send(&rig, Way::TlsH2).status.as_u16(),
        200
    );
    std::fs::write(rig.folder.path().join("cert.pem"), "nonsense").unwrap();
    let error = rig.server.reload().unwrap_err().to_string();
    assert!(
        error.contains("cert.pem") && error.contains("BEGIN CERTIFICATE"),
        "{error}"
    );
    assert_eq!(
        Ask::get("/healthz").send(&rig, Way::TlsH2).status.as_u16(),
        200
    );
    config(rig.folder.path());
    let other = rcgen::generate_simple_self_signed(vec!["x".to_owned()]).unwrap();
    std::fs::write(
        rig.folder.path().join("key.pem"),
        other.signing_key.serialize_pem(),
    )
    .unwrap();
    let error = rig.server.reload().unwrap_err().to_string();
    assert!(
        error.contains("cert.pem") && error.contains("key.pem"),
        "{error}"
    );
}
