//! Seed 000 as golden pairs: its two curl examples, every row of its table of errors, and what
//! API section 1 completes it with.

use harness::daemon::{Setup, TENANT};
use harness::golden;
use harness::http::{Answer, Request};

use crate::families::{Families, RECID, STRANGER, USER, issue};
use crate::support::{self, word};

const PLAY: &str = "/api/v2/PlayAudioFile.php";

fn form(path: &str, body: &str) -> Request {
    Request::new("POST", path)
        .with("Content-Type", "application/x-www-form-urlencoded")
        .body(body.as_bytes())
}

fn status_code(answer: &Answer) -> String {
    word(&answer.json()["return"], "status_code")
}

impl Families {
    /// Asks, and compares with the golden file.
    fn golden(&self, name: &str, request: &Request) -> Answer {
        let answer = self.daemon.ask(request);
        let tag = answer.header("etag").unwrap_or_default().to_owned();
        let date = answer
            .header("last-modified")
            .unwrap_or_default()
            .to_owned();
        let masks = [
            (self.tsid.as_str(), "<tsid>"),
            (&tag, "<etag>"),
            (&date, "<last-modified>"),
        ];
        golden::check(&format!("play_audio_file/{name}"), request, &answer, &masks);
        answer
    }

    /// Adds a prompt that is spoken; its `cdw_id`.
    fn spoken(&self, text: &str) -> String {
        let body = format!("tsid={}&text={text}&name=greeting", self.tsid);
        let answer = self.daemon.ask(&form("/api/v2/CreateAudioFile.php", &body));
        assert_eq!(answer.status, 200, "{}", answer.text());
        word(&answer.json()["return"], "cd_id")
    }
}

/// `curl -d 'tsid=…&recid=…'` and `curl -d 'tsid=…&cdw_id=…'`, word for word.
#[test]
fn the_seeds_examples_play() {
    let rig = Families::new();
    let recording = form(PLAY, &format!("tsid={}&recid={RECID}", rig.tsid));
    let answer = rig.golden("recording", &recording);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("audio/x-wav"));
    let part = rig.golden(
        "recording_range",
        &recording.clone().with("Range", "bytes=0-1023"),
    );
    assert_eq!((part.status, part.body.len()), (206, 1_024));
    assert_eq!(part.body, answer.body[..1_024]);
    let id = rig.spoken("Hello%20caller");
    let prompt = rig
        .daemon
        .ask(&form(PLAY, &format!("tsid={}&cdw_id={id}", rig.tsid)));
    assert_eq!(prompt.status, 200, "{}", prompt.text());
    assert_eq!(prompt.header("content-type"), Some("audio/mpeg"));
    let disposition = format!("inline; filename=\"{id}.mp3\"");
    assert_eq!(
        prompt.header("content-disposition"),
        Some(disposition.as_str())
    );
    let again = rig.daemon.ask(&form(
        PLAY,
        &format!("tsid={}&cdw_file=tf{id}.mp3", rig.tsid),
    ));
    assert_eq!(again.body, prompt.body, "made once and kept");
}

/// Every row of the seed's table, in its order.
#[test]
fn errors_answer_as_the_table_says() {
    let rig = Families::new();
    let tsid = &rig.tsid;
    let ask = |name: &str, parameters: &str| {
        let answer = rig.golden(name, &form(PLAY, &format!("tsid={tsid}{parameters}")));
        assert_eq!(answer.status, 400, "{name}");
        status_code(&answer)
    };
    assert_eq!(ask("220_no_audio_id", ""), "220");
    assert_eq!(ask("230_unknown", "&recid=1"), "230");
    assert_eq!(ask("230_not_a_number", "&cdw_id=abc"), "230");
    let theirs = word(&issue(&rig.daemon, STRANGER, "play-audio-file"), "secret");
    let other = rig
        .daemon
        .ask(&form(PLAY, &format!("tsid={theirs}&recid={RECID}")));
    assert_eq!(status_code(&other), "230");
    let silent = rig.spoken("soon%20gone");
    let _ = rig.daemon.json(&["prompt", "delete", &silent, "--yes"]);
    assert_eq!(ask("240_deleted", &format!("&cdw_id={silent}")), "240");
    let refused = format!("tsid={tsid}&name=x&url=http://169.254.169.254/latest/x.wav");
    let created = rig
        .daemon
        .ask(&form("/api/v2/CreateAudioFile.php", &refused));
    assert_eq!(status_code(&created), "260", "{}", created.text());
    for file in support::stored_files(&rig.daemon.data(), "wav") {
        std::fs::remove_file(file).expect("the stored file");
    }
    assert_eq!(ask("250_no_file", &format!("&recid={RECID}")), "250");
}

/// Codes 100 to 199, all as 401.
#[test]
fn authentication_answers_with_its_codes() {
    let rig = Families::new();
    let asset = format!("recid={RECID}");
    let code = |parameters: &str| {
        let answer = rig.daemon.ask(&form(PLAY, parameters));
        assert_eq!(answer.status, 401, "{}", answer.text());
        status_code(&answer)
    };
    assert_eq!(code(&asset), "100");
    assert_eq!(code(&format!("{asset}&tsid=short")), "100");
    assert_eq!(code(&format!("{asset}&tsid={}", "x".repeat(65))), "100");
    assert_eq!(code(&format!("{asset}&tsid=paf_{}", "x".repeat(32))), "102");
    let basic = |credentials: &str| {
        Request::get("/api/v2/GetUserID.php?tsid=1").with("Authorization", credentials)
    };
    let missing = rig.golden("130_missing", &Request::get("/api/v2/GetUserID.php?tsid=1"));
    assert_eq!(status_code(&missing), "130");
    // supervisor@exotel.in:wrong, then somebody who does not exist.
    let wrong = rig
        .daemon
        .ask(&basic("Basic c3VwZXJ2aXNvckBleG90ZWwuaW46d3Jvbmc="));
    let nobody = rig.daemon.ask(&basic("Basic bm9ib2R5Ondyb25n"));
    assert_eq!(status_code(&wrong), "140");
    assert_eq!(wrong.text(), nobody.text(), "who exists is not told");
    for _ in 0..5 {
        let _ = rig
            .daemon
            .ask(&basic("Basic c3VwZXJ2aXNvckBleG90ZWwuaW46d3Jvbmc="));
    }
    let locked = rig
        .daemon
        .ask(&basic("Basic c3VwZXJ2aXNvckBleG90ZWwuaW46d3Jvbmc="));
    assert_eq!(status_code(&locked), "132", "{}", locked.text());
    let _ = rig.daemon.json(&["lock", "clear", USER]);
    for _ in 0..20 {
        let _ = rig
            .daemon
            .ask(&form(PLAY, &format!("{asset}&tsid=paf_{}", "y".repeat(32))));
    }
    assert_eq!(code(&format!("{asset}&tsid=paf_{}", "z".repeat(32))), "131");
    assert_eq!(
        code(&format!("{asset}&tsid={}", rig.tsid)),
        "131",
        "right ones too"
    );
    for _ in 0..100 {
        let guess = form(PLAY, &format!("{asset}&tsid=paf_{}", "y".repeat(32)));
        let _ = rig.daemon.ask(&guess);
    }
    assert_eq!(code(&format!("{asset}&tsid={}", rig.tsid)), "199");
    let _ = rig.daemon.json(&["lock", "clear", "127.0.0.1"]);
    assert_eq!(rig.daemon.ask(&rig.play()).status, 200);
    let _ = rig.daemon.json(&["tenant", "set", TENANT, "--disable"]);
    assert_eq!(code(&format!("{asset}&tsid={}", rig.tsid)), "110");
}

/// Lock-outs are on disk: a restart does not help.
#[test]
fn locks_survive_a_restart() {
    let mut rig = Families::new();
    let wrong = form(PLAY, &format!("recid={RECID}&tsid=paf_{}", "y".repeat(32)));
    for _ in 0..21 {
        let _ = rig.daemon.ask(&wrong);
    }
    assert_eq!(status_code(&rig.daemon.ask(&wrong)), "131");
    rig.daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(rig.daemon.wait_for_end(), 0);
    rig.daemon.start();
    assert_eq!(status_code(&rig.daemon.ask(&wrong)), "131");
}

/// Parameters in query, form and JSON; the query wins; recid before the cdw names; HEAD; noheader.
#[test]
fn parameters_come_from_everywhere() {
    let rig = Families::new();
    let (tsid, whole) = (&rig.tsid, rig.daemon.ask(&rig.play()).body);
    let same = |request: &Request| {
        let answer = rig.daemon.ask(request);
        assert_eq!(
            answer.status,
            200,
            "{} {}: {}",
            request.method,
            request.target,
            answer.text()
        );
        assert_eq!(answer.body, whole, "{} {}", request.method, request.target);
        answer
    };
    let json = format!("{{\"tsid\":\"{tsid}\",\"recid\":{RECID}}}");
    let json = Request::new("POST", PLAY)
        .with("Content-Type", "application/json")
        .body(json.as_bytes());
    same(&json);
    let clash = form(
        &format!("{PLAY}?recid={RECID}"),
        &format!("tsid={tsid}&recid=1"),
    );
    same(&clash);
    same(&form(
        PLAY,
        &format!("tsid={tsid}&recid={RECID}&cdw_id=1&cdw_file=2.mp3"),
    ));
    let bearer = Request::get(&format!("{PLAY}?recid={RECID}"))
        .with("Authorization", &format!("Bearer {tsid}"));
    same(&bearer);
    same(&Request::get(&format!("{PLAY}?recid={RECID}&sid={tsid}")));
    let bare = rig.golden(
        "noheader",
        &Request::get(&format!("{PLAY}?recid={RECID}&noheader=yes&tsid={tsid}"))
            .with("Range", "bytes=0-9"),
    );
    assert_eq!((bare.status, bare.body.len()), (200, whole.len()));
    for name in [
        "content-type",
        "content-disposition",
        "accept-ranges",
        "content-range",
        "etag",
    ] {
        assert_eq!(bare.header(name), None, "{name}");
    }
    let mut head = rig.play();
    head.method = "HEAD".to_owned();
    let head = rig.golden("head", &head);
    assert_eq!((head.status, head.body.len()), (200, 0));
}

/// Whatever is sent, the envelope comes back, and the daemon stays.
#[test]
fn hostile_parameters_get_the_envelope() {
    let rig = Families::new();
    let tsid = &rig.tsid;
    for value in [
        "",
        "-1",
        "0",
        "100000000000000000000",
        "1e3",
        "0x10",
        "%00",
        "1%00",
        "..%2f..%2fetc%2fpasswd",
        "%d7",
        "%D7%A9%D7%9C",
        "%E2%80%AE12",
        "1;2",
        "1%0d%0aX:%20y",
        "%",
        "%2",
        "\u{ff11}",
    ] {
        for name in ["recid", "cdw_id", "cdw_file", "cdw_file_test"] {
            let target = format!("{PLAY}?tsid={tsid}&{name}={value}");
            if target.is_ascii() {
                envelope(&rig.daemon.ask(&Request::get(&target)), &target);
            }
            let body = format!("tsid={tsid}&{name}={value}");
            envelope(&rig.daemon.ask(&form(PLAY, &body)), &body);
        }
    }
    for (content_type, body) in [
        ("application/json", "{"),
        ("application/json", "[]"),
        ("application/json", "{\"recid\":{}}"),
        ("application/json", "\u{0}"),
        ("text/plain", "recid=1"),
        ("multipart/form-data", "x"),
        ("multipart/form-data; boundary=b", "--b\r\n"),
    ] {
        let request = Request::new("POST", &format!("{PLAY}?tsid={tsid}"))
            .with("Content-Type", content_type)
            .body(body.as_bytes());
        envelope(&rig.daemon.ask(&request), body);
    }
    let huge = form(PLAY, &format!("tsid={tsid}&recid={}", "9".repeat(200_000)));
    let answer = rig.daemon.ask(&huge);
    assert_eq!(answer.status, 413, "{}", answer.text());
    envelope(&answer, "a huge body");
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = rig.daemon.ask(&Request::new(method, PLAY));
        assert_eq!(answer.status, 405);
        envelope(&answer, method);
    }
}

fn envelope(answer: &Answer, what: &str) {
    assert!(
        (400..500).contains(&answer.status),
        "{what}: {} {}",
        answer.status,
        answer.text()
    );
    let json = answer.json();
    assert!(json["return"]["status"].is_string(), "{what}: {json}");
    assert!(json["return"]["status_code"].is_string(), "{what}: {json}");
    assert_eq!(json["return"]["cd_id"], "0", "{what}: {json}");
}

/// The prompt library: what is sent is listed and plays as it came.
#[test]
fn uploads_are_kept_as_they_came() {
    let rig = Families::with(Setup::new(), "wav");
    let file = crate::families::stereo_file(&rig.daemon, "mp3");
    let bytes = std::fs::read(file).expect("the file");
    let boundary = "callreel-boundary";
    let mut body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nHold music\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"m.mp3\"\r\n\
         Content-Type: audio/mpeg\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(&bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let target = format!("/api/v2/CreateAudioFile.php?tsid={}", rig.tsid);
    let request = Request::new("POST", &target)
        .with(
            "Content-Type",
            &format!("multipart/form-data; boundary={boundary}"),
        )
        .body(&body);
    let created = rig.daemon.ask(&request);
    assert_eq!(created.status, 200, "{}", created.text());
    let id = word(&created.json()["return"], "cd_id");
    let played = rig
        .daemon
        .ask(&form(PLAY, &format!("tsid={}&cdw_id={id}", rig.tsid)));
    assert_eq!(played.body, bytes);
    let list = format!(
        "/api/v2/GetAudiosList.php?tsid={}&type=upload&search=hold",
        rig.tsid
    );
    let list = rig.daemon.ask(&Request::get(&list)).json();
    let audios = support::field(&list, "audios")
        .expect("audios")
        .as_array()
        .expect("a list");
    assert_eq!(audios.len(), 1, "{list}");
    for name in [
        "cdw_file",
        "cdw_name",
        "cdw_sec",
        "cdw_date",
        "cdw_expires",
        "cdw_type",
    ] {
        assert!(audios[0][name].is_string(), "{name} in {list}");
    }
    let status = format!("/api/v2/GetCallStatus.php?tsid={}&recid={RECID}", rig.tsid);
    let status = rig.daemon.ask(&Request::get(&status)).json();
    assert_eq!(word(&status, "cdr_sec"), "3", "{status}");
    assert!(
        word(&status, "cdr_url").contains("PlayAudioFile.php"),
        "{status}"
    );
}
