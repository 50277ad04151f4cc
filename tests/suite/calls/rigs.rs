//! The rigs by themselves, without the product. When one of these fails, the machine or the rig is
//! at fault.

use harness::correlate;
use harness::daemon::TENANT;
use harness::dtmf;
use harness::duplex::{Duplex, RATE};
use harness::events::EventStream;
use harness::http::{Connection, Request};
use harness::process;
use harness::prompts::{self, Prompts};
use harness::pulse;
use harness::receiver::{Mood, Receiver};
use harness::server::{Reply, Server};
use harness::{sound, wait, wav};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

const SECRET: &[u8; 24] = b"twenty-four bytes of it.";

/// What is played at the daemon's end of a line is heard by the caller, whole and once, and what
/// the caller says arrives at the daemon's end.
#[test]
fn a_duplex_line_carries_both_directions() {
    let folder = tempfile::tempdir().expect("a folder");
    let duplex = Duplex::start(folder.path(), 1);
    let alsa = duplex.alsa().write(folder.path());
    assert!(Duplex::devices(0).contains("capture = \"hear0\""));
    let caller = duplex.caller(0, &alsa);
    let mut ear = caller.listen();
    let known = sound::rustle(3.0, RATE, 7);
    let file = folder.path().join("prompt.wav");
    // What comes first wakes the sink and may be lost.
    let lead = vec![0; 8_000];
    let played = [lead.as_slice(), &known].concat();
    std::fs::write(&file, wav::write(&played, 1, RATE)).expect("a prompt");
    // The daemon's end, by hand.
    let mut player = pulse::play(&alsa, "play1", &file, &folder.path().join("log"));
    caller.say_all(&sound::tone(440.0, 0.3, RATE, 1.0));
    let code = wait::until("the prompt's end", || player.ended());
    assert_eq!(code, 0, "{}", duplex.log());
    ear.wait_for_quiet(4_000);
    let heard = ear.heard();
    let found = correlate::find(&heard, &known);
    assert!(found.likeness > 0.99, "{found:?}");
    let runs = correlate::loud_runs(&heard, 800);
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert!(runs[0].start.abs_diff(found.at) < 80, "{runs:?} {found:?}");
    let places = correlate::track(&heard, &known, 800);
    assert!(places.len() > 25, "{}", places.len());
    for place in places {
        assert!(place.likeness > 0.99, "{place:?}");
        let lag = place.heard_at - place.position;
        assert_eq!(lag, found.at, "{place:?}");
    }
}

/// Three listeners that share no code with the product agree on what the keys are.
#[test]
fn keys_are_what_they_should_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = "159D*0#A7";
    let by_sox = dtmf::by_sox(keys, -9.0, folder.path());
    let by_spandsp = dtmf::by_spandsp(keys, folder.path());
    for (name, samples) in [("sox", by_sox), ("spandsp", by_spandsp)] {
        let heard = dtmf::heard_by_spandsp(&samples, folder.path());
        assert_eq!(heard, keys, "spandsp, of {name}");
        let path = folder.path().join("keys.wav");
        std::fs::write(&path, wav::write(&samples, 1, RATE)).expect("keys");
        let arguments = ["-q", "-t", "wav", "-a", "DTMF", &path.to_string_lossy()];
        let printed = process::run("multimon-ng", &arguments);
        let heard: String = String::from_utf8_lossy(&printed)
            .lines()
            .filter_map(|line| line.strip_prefix("DTMF: "))
            .collect();
        assert_eq!(heard, keys, "multimon-ng, of {name}");
        let level = sound::rms_dbfs(&samples[900..1_500]);
        assert!((-25.0..-6.0).contains(&level), "{name}: {level} dBFS");
    }
}

/// Each format keeps enough of the prompt to find it again.
#[test]
fn every_format_carries_the_prompt() {
    let folder = tempfile::tempdir().expect("a folder");
    let prompt = sound::rustle(2.0, 16_000, 3);
    let known = sound::rustle(2.0, RATE, 3);
    for extension in ["wav", "mp3", "m4a", "ogg", "flac"] {
        let bytes = prompts::encode(&prompt, 16_000, extension, folder.path());
        let (from, to) = (
            folder.path().join(format!("again.{extension}")),
            folder.path().join("heard.wav"),
        );
        std::fs::write(&from, bytes).expect("the prompt");
        let _ = process::run(
            "ffmpeg",
            &[
                "-v",
                "error",
                "-y",
                "-i",
                &from.to_string_lossy(),
                "-ar",
                "8000",
                &to.to_string_lossy(),
            ],
        );
        let heard = wav::Wav::parse(&std::fs::read(&to).expect("again")).samples();
        let found = correlate::find(&heard, &known[1_000..15_000]);
        assert!(found.likeness > 0.97, "{extension}: {found:?}");
    }
}

fn deliver(receiver: &Receiver, id: &str, secret: &[u8], body: &str) -> Option<u16> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, format!("{id}.1700000000.{body}").as_bytes());
    let request = Request::new("POST", "/hooks")
        .with("Content-Type", "application/json")
        .with("webhook-id", id)
        .with("webhook-timestamp", "1700000000")
        .with("webhook-signature", &format!("v1,{}", STANDARD.encode(tag)))
        .body(body.as_bytes());
    let address = receiver.url();
    let address = address.trim_start_matches("http://");
    let address = address.trim_end_matches("/hooks").parse().expect("address");
    let mut connection = Connection::plain(address).ok()?;
    connection
        .exchange(&request)
        .ok()
        .map(|answer| answer.status)
}

/// The receiver believes what is signed, counts what comes again once, and fails when told to.
#[test]
fn the_receiver_keeps_what_is_signed() {
    let mut receiver = Receiver::start();
    receiver.set_secret(&format!("whsec_{}", STANDARD.encode(SECRET)));
    let body = r#"{"event":"call.new","session_uuid":"s","sequence":1,"data":{}}"#;
    let moods = [Mood::Fail, Mood::Close, Mood::Gone, Mood::Accept];
    let mut next = moods.into_iter();
    receiver.set_mood(move |_| next.next().unwrap_or(Mood::Accept));
    let statuses: Vec<_> = (0..5)
        .map(|_| deliver(&receiver, "a", SECRET, body))
        .collect();
    assert_eq!(statuses, [Some(500), None, Some(410), Some(200), Some(200)]);
    receiver.stop();
    assert_eq!(deliver(&receiver, "a", SECRET, body), None);
    receiver.restart();
    assert_eq!(deliver(&receiver, "b", SECRET, body), Some(200));
    let ids: Vec<_> = receiver.of("s").into_iter().map(|one| one.id).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(receiver.deliveries().len(), 6);
    let forged = deliver(&receiver, "c", b"another secret of 24 byte", body);
    assert_eq!(forged, Some(401));
    let complaint = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| receiver.accepted()));
    assert!(complaint.is_err(), "a forged delivery is a failure");
}

/// The prompt server answers conditionally, counts, and misbehaves.
#[test]
fn the_prompt_server_does_as_it_is_told() {
    let prompts = Prompts::start();
    let url = prompts.put_samples("a.wav", &sound::rustle(0.1, RATE, 1));
    let address = url.trim_start_matches("http://").split('/').next();
    let address: std::net::SocketAddr = address.expect("an address").parse().expect("an address");
    let mut connection = Connection::plain(address).expect("a connection");
    let first = connection
        .exchange(&Request::get("/a.wav"))
        .expect("an answer");
    assert_eq!((first.status, first.body.len()), (200, 1_644));
    let etag = first.header("etag").expect("an ETag").to_owned();
    let request = Request::get("/a.wav").with("If-None-Match", &etag);
    assert_eq!(connection.exchange(&request).expect("304").status, 304);
    assert_eq!(prompts.answered("a.wav"), [200, 304]);
    let _ = prompts.put_reply("slow", Reply::Stall);
    let _ = prompts.put_reply("gone", Reply::Close);
    assert!(connection.exchange(&Request::get("/gone")).is_err());
    let headers = vec![("Content-Type".to_owned(), TENANT.to_owned())];
    let body = vec![1; 100];
    let zeros = 3_000_000;
    let endless = Reply::Endless {
        headers,
        body,
        zeros,
    };
    let _ = prompts.put_reply("endless", endless);
    let mut connection = Connection::plain(address).expect("a connection");
    let all = connection
        .exchange(&Request::get("/endless"))
        .expect("an answer");
    assert_eq!(all.body.len(), zeros + 100);
}

/// The stream reader understands fields, comments and chunks.
#[test]
fn the_event_reader_understands_streams() {
    let text = ": hello\n\nid: 7\nevent: call.new\ndata: {\"a\":\ndata: 1}\n\ndata:x\n\n";
    let chunked = format!(
        "5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        &text[..5],
        text.len() - 5,
        { &text[5..] }
    );
    let server = Server::start(move |asked| {
        let is_chunked = asked.target == "/chunked";
        let name = if is_chunked {
            "Transfer-Encoding"
        } else {
            "X-Plain"
        };
        Reply::Endless {
            headers: vec![(name.to_owned(), "chunked".to_owned())],
            body: if is_chunked { &chunked } else { text }.as_bytes().to_vec(),
            zeros: 0,
        }
    });
    let stream = EventStream::open(server.address(), "/chunked", &[]).expect("a stream");
    let sent = wait::until("two events", || {
        (stream.sent().len() == 2).then(|| stream.sent())
    });
    assert_eq!(sent[0].id.as_deref(), Some("7"));
    assert_eq!(sent[0].event.as_deref(), Some("call.new"));
    assert_eq!(sent[0].data, "{\"a\":\n1}");
    assert_eq!(sent[1].data, "x");
}
