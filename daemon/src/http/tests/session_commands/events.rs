//! Event streams over each way a connection can be, live and from where a reader was.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use http::StatusCode;
use uuid::Uuid;

use super::super::client::{Ask, Way, raw};
use super::super::connections::lasts;
use super::{Desk, KEY, OTHER_KEY, get, others, post};
use crate::engine::session::command::HangupCause;
use crate::engine::session::signal::Signal;
use crate::http::limits;

/// An open stream, line by line as it comes over HTTP/1.1.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(desk: &Desk, path: &str, key: &str, more: &str) -> Self {
        let mut stream = raw(&desk.rig);
        let app = if key == KEY { "a" } else { "b" };
        let patience = Duration::from_secs(20);
        stream.set_read_timeout(Some(patience)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nX-App-ID: {app}\r\nX-API-Key: {key}\r\n{more}\r\n"
        )
        .unwrap();
        let mut stream = Self(BufReader::new(stream));
        stream.until(": callreel");
        stream
    }

    /// Reads to a line that begins so; answers all lines up to it.
    fn until(&mut self, start: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert!(
                self.0.read_line(&mut line).unwrap() > 0,
                "it ended: {lines:?}"
            );
            let line = line.trim_end().to_owned();
            let is_it = line.starts_with(start);
            lines.push(line);
            if is_it {
                return lines;
            }
        }
    }

    /// The next event: id, name, data.
    fn event(&mut self) -> (String, String, serde_json::Value) {
        let lines = self.until("data: ");
        let field = |name: &str| {
            let line = lines.iter().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().to_owned()
        };
        let data = serde_json::from_str(&field("data: ")).unwrap();
        (field("id: "), field("event: "), data)
    }
}

fn names(text: &str) -> Vec<&str> {
    let names = text.lines().filter_map(|line| line.strip_prefix("event: "));
    names.collect()
}

#[test]
fn events_come_live_and_only_ones_own() {
    let desk = Desk::new();
    let mut all = Stream::open(&desk, "/api/v1/events", KEY, "");
    let mut strange = Stream::open(&desk, "/api/v1/events", OTHER_KEY, "");
    let path = desk.answered_call();
    let uuid = path.rsplit('/').next().unwrap();
    let mut one = Stream::open(&desk, &format!("{path}/events"), KEY, "");
    for (place, expected) in ["call.new", "call.answered", "command.result"]
        .iter()
        .enumerate()
    {
        let (id, event, data) = all.event();
        assert_eq!(
            (event.as_str(), &data["event"]),
            (*expected, &(*expected).into())
        );
        assert_eq!(
            (&data["sequence"], &data["session_uuid"]),
            (&(place + 1).into(), &uuid.into())
        );
        assert!(id.starts_with(&format!("{}-", place + 1)), "{id}");
    }
    desk.exchange.tell(desk.rig.tenant, Uuid::nil(), 10);
    let digit = Signal::Digit {
        digit: crate::engine::session::plan::Digit::new('5').unwrap(),
        duration_ms: audio_io::units::Millis(80),
    };
    desk.exchange.signal(&path, digit);
    let (_, event, data) = one.event();
    assert_eq!(
        (event.as_str(), &data["digit"]),
        ("dtmf", &"5".into()),
        "of its session only"
    );
    let theirs = others(Ask::get("/api/v1/sessions").json(r#"{"line":"desk"}"#)).ask(&desk.rig);
    assert_eq!(theirs.status, 201);
    assert_eq!(strange.event().1, "call.new");
    assert_eq!(desk.rig.site.streams.count(), 3);
    assert_eq!(
        others(Ask::get(format!("{path}/events")))
            .ask(&desk.rig)
            .status,
        403
    );
}

#[test]
fn a_sessions_stream_ends_with_it_over_every_transport() {
    let desk = Desk::new();
    let path = desk.answered_call();
    let hangup = Signal::HungUp {
        cause: HangupCause::default(),
    };
    desk.exchange.signal(&path, hangup);
    let events = || get(format!("{path}/events"));
    for way in Way::ALL {
        let answer = events().with("last-event-id", "0").send(&desk.rig, way);
        assert_eq!(answer.status, 200, "{way:?}");
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-length"), None);
        let text = str::from_utf8(&answer.body).unwrap();
        assert!(text.starts_with("retry: 2000\n"), "{text}");
        assert_eq!(
            names(text),
            ["call.new", "call.answered", "command.result", "call.hangup"],
            "{way:?}"
        );
    }
    let over = events().ask(&desk.rig);
    assert_eq!(
        over.status,
        StatusCode::NO_CONTENT,
        "EventSource does not come back"
    );
    assert_eq!(desk.rig.site.streams.count(), 0);
}

#[test]
fn readers_go_on_where_they_were_and_hear_of_what_is_forgotten() {
    let desk = Desk::new();
    let tell = |count: u32| {
        for _ in 0..count {
            desk.exchange.tell(desk.rig.tenant, Uuid::nil(), 1);
        }
    };
    tell(5);
    let mut first = Stream::open(&desk, "/api/v1/events", KEY, "Last-Event-ID: 0\r\n");
    first.event();
    let (id, _, _) = first.event();
    drop(first);
    let mut again = Stream::open(
        &desk,
        "/api/v1/events",
        KEY,
        &format!("Last-Event-ID: {id}\r\n"),
    );
    assert!(again.event().0.starts_with("3-"));
    tell(1_030);
    let mut late = Stream::open(
        &desk,
        "/api/v1/events",
        KEY,
        &format!("Last-Event-ID: {id}\r\n"),
    );
    let (id, event, data) = late.event();
    assert_eq!(
        (id.as_str(), event.as_str(), &data["at_most"]),
        ("", "missed", &9.into())
    );
    assert!(late.event().0.starts_with("12-"));
    let other_run = "Last-Event-ID: 3-00000000\r\n";
    let mut strange = Stream::open(&desk, "/api/v1/events", KEY, other_run);
    let (_, event, data) = strange.event();
    assert_eq!(
        (event.as_str(), &data["at_most"]),
        ("missed", &serde_json::Value::Null)
    );
    assert!(
        strange.event().0.starts_with("12-"),
        "all that is remembered"
    );
    let mut live = Stream::open(&desk, "/api/v1/events", KEY, "");
    tell(1);
    assert!(live.event().0.starts_with("1036-"));
}

#[test]
fn streams_are_bounded_and_end_at_once_when_the_daemon_stops() {
    let desk = Desk::new();
    let mut held: Vec<_> = (0..limits::EVENT_STREAMS_A_TENANT)
        .map(|_| Stream::open(&desk, "/api/v1/events", KEY, ""))
        .collect();
    let answer = get("/api/v1/events").ask(&desk.rig);
    assert_eq!(
        (answer.status.as_u16(), answer.header("retry-after")),
        (429, Some("2"))
    );
    assert_eq!(answer.json()["error"], "Too many event streams");
    let mut other = Stream::open(&desk, "/api/v1/events", OTHER_KEY, "");
    held.truncate(1);
    let mut last = held.pop().unwrap();
    let stopping = Duration::from_secs(60);
    std::thread::scope(|scope| {
        scope.spawn(|| desk.rig.server.shutdown(stopping));
        for stream in [&mut last, &mut other] {
            let mut rest = String::new();
            stream.0.read_to_string(&mut rest).unwrap();
            assert!(rest.ends_with("0\r\n\r\n"), "a whole body: {rest:?}");
        }
    });
}

fn head(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-App-ID: a\r\nX-API-Key: {KEY}\r\n{more}\r\n")
}

#[test]
fn a_quiet_stream_outlives_every_timeout() {
    let desk = Desk::new();
    let beats = 12;
    let (took, _) = lasts(&desk.rig, |stream| {
        stream
            .write_all(head("/api/v1/events", "").as_bytes())
            .unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let socket = stream.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut seen = 0;
            let mut line = String::new();
            while seen < beats && reader.read_line(&mut line).unwrap() > 0 {
                seen += u32::from(line.starts_with(": alive"));
                line.clear();
            }
            socket.shutdown(std::net::Shutdown::Both).unwrap();
        });
    });
    assert!(took >= limits::EVENT_HEARTBEAT * beats, "{took:?}");
    assert_eq!(desk.rig.site.streams.count(), 0);
}

#[test]
fn a_reader_that_does_not_read_is_cut() {
    let desk = Desk::new();
    for _ in 0..500 {
        desk.exchange.tell(desk.rig.tenant, Uuid::nil(), 60_000);
    }
    let (took, _stream) = lasts(&desk.rig, |stream| {
        let head = head("/api/v1/events", "Last-Event-ID: 0\r\n");
        stream.write_all(head.as_bytes()).unwrap();
    });
    assert!(
        took >= limits::WRITE_STALL && took < limits::WRITE_STALL * 3,
        "{took:?}"
    );
    assert_eq!(desk.rig.site.streams.count(), 0);
}

#[test]
fn a_key_that_was_rotated_ends_its_streams() {
    let desk = Desk::new();
    let (took, _) = lasts(&desk.rig, |stream| {
        stream
            .write_all(head("/api/v1/events", "Connection: close\r\n").as_bytes())
            .unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut first = String::new();
        let storage = desk.rig.site.storage.clone();
        std::thread::spawn(move || {
            reader.read_line(&mut first).unwrap();
            let outbox = storage.outbox();
            let row = outbox.applications(None).remove(0);
            let settings = storage::outbox::AppSettings {
                webhook_url: None,
                api_key: Some("another-key-of-16".to_owned()),
                rate_limit: 100,
                events: Vec::new(),
                secret: None,
            };
            outbox
                .put_application(row.key.tenant, &row.app_id, settings)
                .unwrap();
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).unwrap();
        });
    });
    assert!(took >= limits::EVENT_HEARTBEAT, "{took:?}");
    assert_eq!(post("/api/v1/sessions", "{}").ask(&desk.rig).status, 401);
}
