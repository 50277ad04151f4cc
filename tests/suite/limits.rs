//! Clients that misbehave: malformed, oversized and slow requests, and too many of them. Each is
//! told so or cut off, and everybody else is served meanwhile.

use std::time::Duration;

use harness::daemon::{Daemon, Setup};
use harness::http::{Connection, Request, Transport};
use harness::wait;
use serde_json::Value;

use crate::support::{self, TASK, audio_path, get_audio};

/// A stalled head is cut off by then (GOALS.md: 10 s), plus what a busy machine adds.
const STALLED_HEAD_MAX: Duration = Duration::from_secs(15);
/// Connections of the flood: below the usual limit of descriptors of this process.
const FLOOD: usize = 600;

fn connect(daemon: &Daemon) -> Connection {
    Connection::plain(daemon.endpoints().plain).expect("a connection")
}

fn is_healthy(daemon: &Daemon) -> bool {
    daemon.ask(&Request::get("/healthz")).status == 200
}

/// Request lines and headers that are not HTTP: 400 and a closed connection, or just the latter.
#[test]
fn malformed_requests_are_refused() {
    let mut daemon = Setup::new().start();
    let requests: &[&[u8]] = &[
        b"\r\n\r\n\r\n\r\nrubbish\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTQ/1.1\r\nHost: x\r\n\r\n",
        b"G\x00T /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health z HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ];
    for bytes in requests {
        let mut connection = connect(&daemon);
        connection.write(bytes).expect("the rubbish is sent");
        // Whatever was sent is over now, so that a parser that waits for more gives up at once.
        let _ = connection.finish_writing();
        let told = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
        let shown = String::from_utf8_lossy(bytes);
        let refused =
            told.is_empty() || told.starts_with("HTTP/1.1 4") || told.starts_with("HTTP/1.1 505");
        let h2 = !told.starts_with("HTTP/");
        assert!(refused || h2, "{shown:?} was answered: {told}");
    }
    daemon.insist_alive();
    assert!(is_healthy(&daemon));
}

/// Too long a target is 414 and too many or too large headers are 431, on every transport.
#[test]
fn oversized_heads_are_refused() {
    let daemon = Setup::new().start();
    let key = support::key(&daemon);
    let long = Request::get(&format!("{}?x={}", audio_path(TASK), "y".repeat(9_000)));
    let many = (0..150).fold(get_audio(TASK, &key), |request, number| {
        request.with(&format!("X-Header-{number}"), "value")
    });
    let large = get_audio(TASK, &key).with("X-Large", &"z".repeat(20_000));
    for transport in Transport::ALL {
        for (request, status) in [(&long, 414), (&many, 431), (&large, 431)] {
            match daemon.client(transport).try_send(request) {
                Ok(answer) => assert_eq!(answer.status, status, "{transport:?}"),
                // HTTP/2 may refuse a head by the protocol's own means.
                Err(error) => assert!(
                    matches!(transport, Transport::Plain2 | Transport::Tls2),
                    "{transport:?}: {error}"
                ),
            }
        }
    }
    // Far beyond every buffer there is nothing to parse any more.
    let mut connection = connect(&daemon);
    let _ = connection.write(format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(200_000)).as_bytes());
    let told = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 4"), "{told}");
    assert!(is_healthy(&daemon));
}

/// What cannot even be read as HTTP is told in the envelope of the path that was asked.
#[test]
fn unreadable_requests_get_their_familys_envelope() {
    let daemon = Setup::new().start();
    type IsEnvelope = fn(&Value) -> bool;
    let families: [(&str, IsEnvelope); 4] = [
        ("/api/v2/PlayAudioFile.php", |json| {
            json["return"]["status_code"].is_string()
        }),
        ("/api/calls/call_x/recording/stream", |json| {
            json["success"] == false
        }),
        ("/ameyorestapi/cc/downloadVoiceLog", |json| {
            json["info"].is_string()
        }),
        ("/api/v1/tasks", |json| json["error"]["code"].is_string()),
    ];
    let filler = "a".repeat(60_000);
    let many: String = (0..150).map(|n| format!("X-{n}: y\r\n")).collect();
    for (path, is_envelope) in families {
        for (status, head) in [
            (
                414,
                format!("GET {path}?x={filler} HTTP/1.1\r\nHost: x\r\n\r\n"),
            ),
            (
                431,
                format!("GET {path} HTTP/1.1\r\nHost: x\r\nX: {filler}\r\n\r\n"),
            ),
            (431, format!("GET {path} HTTP/1.1\r\nHost: x\r\n{many}\r\n")),
            (400, format!("GET {path} HTTP/1.1\r\nHost x\r\n\r\n")),
        ] {
            let mut connection = connect(&daemon);
            connection.write(head.as_bytes()).expect("the head is sent");
            let answer = connection.read_answer(false).expect("an answer");
            let what = format!("{path}: {} {}", answer.status, answer.text());
            assert_eq!(answer.status, status, "{what}");
            assert!(is_envelope(&answer.json()), "{what}");
            assert!(answer.header("x-request-id").is_some(), "{what}");
            assert_eq!(answer.header("connection"), Some("close"), "{what}");
        }
    }
    assert!(is_healthy(&daemon));
}

/// Too large a body is 413 before it is read; a GET with a body is no reason to fall over.
#[test]
fn oversized_bodies_are_refused() {
    let daemon = Setup::new().start();
    let key = support::key(&daemon);
    let post = |body: &[u8], media_type: &str| {
        daemon.ask(
            &Request::new("POST", "/api/v1/auth/ticket")
                .with("X-API-Key", &key)
                .with("Content-Type", media_type)
                .body(body),
        )
    };
    let large = post(&vec![b' '; 100_000], "application/json");
    assert_eq!(large.status, 413, "{}", large.text());
    assert!(large.json()["error"]["code"].is_string());
    let broken = post(b"{\"task_id\":", "application/json");
    assert_eq!(broken.status, 400, "{}", broken.text());
    let mut connection = connect(&daemon);
    let head = format!(
        "POST /api/v1/auth/ticket HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
    );
    connection.write(head.as_bytes()).expect("the head is sent");
    let answer = connection
        .read_answer(false)
        .expect("an answer without the body");
    assert_eq!(answer.status, 413);
    assert_eq!(
        daemon
            .ask(&Request::get("/healthz").body(b"surplus"))
            .status,
        200
    );
    assert!(is_healthy(&daemon));
}

/// Heads that come slowly or never, plain and in a TLS handshake, are cut off in time.
#[test]
fn slow_heads_are_cut_off() {
    let daemon = Setup::new().start();
    let (tls, _) = daemon.endpoints().tls.clone().expect("a TLS listener");
    let mut silent = connect(&daemon);
    let mut partial = connect(&daemon);
    partial
        .write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        .expect("half a head");
    let mut handshake = Connection::plain(tls).expect("a connection");
    handshake
        .write(b"\x16\x03\x01\x02\x00")
        .expect("half a handshake");
    let ((), took) = wait::timed(|| {
        for (name, connection) in [
            ("silent", &mut silent),
            ("half a head", &mut partial),
            ("TLS", &mut handshake),
        ] {
            assert!(connection.is_closed_by_peer(), "{name} was left open");
        }
    });
    assert!(took < STALLED_HEAD_MAX, "it took {took:?}");
    assert!(is_healthy(&daemon));
}

/// Hundreds of connections that ask for nothing do not keep anybody from being served.
#[test]
fn a_flood_of_connections_is_survived() {
    let mut daemon = Setup::new().start();
    let (_, file) = support::noise_recording(&daemon, TASK, 20_000);
    let key = support::key(&daemon);
    let flood: Vec<Connection> = (0..FLOOD)
        .filter_map(|_| Connection::plain(daemon.endpoints().plain).ok())
        .collect();
    assert!(
        flood.len() > FLOOD / 2,
        "only {} connections were made",
        flood.len()
    );
    for transport in Transport::ALL {
        let answer = daemon.client(transport).send(&get_audio(TASK, &key));
        assert!(answer.body == file, "{transport:?} during the flood");
    }
    drop(flood);
    daemon.insist_alive();
    assert!(is_healthy(&daemon));
}

/// The configured number of connections is the most there can be; the place of one that goes is
/// given to the next.
#[test]
fn connections_beyond_the_configured_number_wait_or_are_closed() {
    let daemon = Setup::new().http("max_connections = 16").start();
    let mut held = Vec::new();
    for _ in 0..40 {
        let mut connection = connect(&daemon);
        if connection
            .write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .is_ok()
        {
            held.push(connection);
        }
    }
    drop(held);
    wait::until("a place for the next connection", || {
        let answer = daemon
            .client(Transport::Plain1)
            .try_send(&Request::get("/healthz"))
            .ok()?;
        (answer.status == 200).then_some(())
    });
}

/// Several requests in one segment are answered in their order.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let daemon = Setup::new().start();
    let (_, file) = support::noise_recording(&daemon, TASK, 50_000);
    let key = support::key(&daemon);
    let text: String = (0..20_usize)
        .map(|number| {
            format!(
                "GET {} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nRange: bytes={}-{}\r\n\r\n",
                audio_path(TASK),
                number * 5_000,
                number * 5_000 + 4_999
            )
        })
        .collect();
    let mut connection = connect(&daemon);
    connection
        .write(text.as_bytes())
        .expect("all requests at once");
    for number in 0..20_usize {
        let answer = connection.read_answer(false).expect("an answer");
        assert_eq!(answer.status, 206);
        assert!(
            answer.body == file[number * 5_000..number * 5_000 + 5_000],
            "answer {number}"
        );
    }
}
