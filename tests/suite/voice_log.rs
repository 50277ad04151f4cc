//! Seed 003 as golden pairs: its curl example in every form of `filters`, every row of its
//! errors, and the logins of API section 4.

use harness::daemon::TENANT;
use harness::golden;
use harness::http::{Answer, Request};

use crate::families::{CALL_ID, CAMPAIGN, CRT_OBJECT, Families, USER, login, voice_log_path};
use crate::support::{self, word};

const DOWNLOAD: &str = "/ameyorestapi/cc/downloadVoiceLog";

impl Families {
    fn log_golden(&self, name: &str, request: &Request, session: &str) -> Answer {
        let answer = self.daemon.ask(request);
        let tag = answer.header("etag").unwrap_or_default().to_owned();
        let date = answer
            .header("last-modified")
            .unwrap_or_default()
            .to_owned();
        let masks = [
            (session, "<session>"),
            (self.password.as_str(), "<password>"),
            (&tag, "<etag>"),
            (&date, "<last-modified>"),
        ];
        golden::check(&format!("voice_log/{name}"), request, &answer, &masks);
        answer
    }
}

/// The seed's curl example, and its filter in every form that clients make of it.
#[test]
fn the_seeds_example_answers_in_every_form() {
    let rig = Families::new();
    let session = rig.login();
    let example = rig.log_golden("example", &rig.voice_log(&session, "mp3"), &session);
    assert_eq!(example.status, 200);
    assert_eq!(example.header("content-type"), Some("audio/mpeg"));
    for filters in [
        format!("{{callId%{CALL_ID}}}"),
        format!("{{callId:{CALL_ID}}}"),
        format!("{{callId={CALL_ID}}}"),
        format!("{{\"callId\":\"{CALL_ID}\"}}"),
        format!("%7BcallId%25{CALL_ID}%7D"),
        format!("%7BcallId%3A{CALL_ID}%7D"),
        format!("%7BcallId%3D{CALL_ID}%7D"),
        format!("%7B%22callId%22%3A%22{CALL_ID}%22%7D"),
        format!("%7b%22callId%22:%22{CALL_ID}%22%7d"),
        format!("%7BcallId%{CALL_ID}%7D"),
    ] {
        let target = format!(
            "{DOWNLOAD}?campaignId={CAMPAIGN}&crtObjectId={CRT_OBJECT}&targetFormat=MP3\
             &filters={filters}"
        );
        let answer = rig
            .daemon
            .ask(&Request::get(&target).with("sessionID", &session));
        assert_eq!(answer.status, 200, "{filters}: {}", answer.text());
        assert_eq!(answer.body, example.body, "{filters}");
    }
}

#[test]
fn every_format_is_sound_of_its_type() {
    let rig = Families::new();
    let session = rig.login();
    for (format, content_type) in [
        ("mp3", "audio/mpeg"),
        ("wav", "audio/wav"),
        ("m4a", "audio/mp4"),
        ("flac", "audio/flac"),
        ("ogg", "audio/ogg"),
        ("opus", "audio/ogg"),
        ("webm", "audio/webm"),
    ] {
        let answer = rig.daemon.ask(&rig.voice_log(&session, format));
        assert_eq!(answer.status, 200, "{format}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some(content_type),
            "{format}"
        );
        let length = answer.body.len().to_string();
        assert_eq!(
            answer.header("content-length"),
            Some(length.as_str()),
            "{format}"
        );
        let range = rig.voice_log(&session, format).with("Range", "bytes=10-19");
        let part = rig.daemon.ask(&range);
        assert_eq!(
            (part.status, &part.body[..]),
            (206, &answer.body[10..20]),
            "{format}"
        );
    }
}

#[test]
fn errors_answer_as_the_table_says() {
    let rig = Families::new();
    let session = rig.login();
    let none = rig.log_golden("401", &Request::get(&voice_log_path("mp3")), &session);
    assert_eq!(none.status, 401);
    let ask = |target: &str| {
        rig.daemon
            .ask(&Request::get(target).with("Sessionid", &session))
    };
    let filters = format!("{{callId%{CALL_ID}}}");
    let all = [
        ("campaignId", CAMPAIGN),
        ("crtObjectId", CRT_OBJECT),
        ("targetFormat", "mp3"),
        ("filters", filters.as_str()),
    ];
    for (missing, _) in all {
        let rest: Vec<String> = all
            .iter()
            .filter(|(name, _)| *name != missing)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = Request::get(&format!("{DOWNLOAD}?{}", rest.join("&")));
        let name = format!("400_{missing}");
        let answer = rig.log_golden(&name, &request.with("Sessionid", &session), &session);
        assert_eq!(answer.status, 400);
        let json = answer.json();
        assert_eq!(json["message"], "InvalidInput");
        assert_eq!(json["code"], 40_001);
        assert_eq!(
            json["info"],
            format!("parameter expected in input: {missing}")
        );
    }
    for (name, value, status) in [
        ("campaignId", "111", 404),
        ("crtObjectId", "d741-6904fad1-vce-daf-000000", 404),
        ("filters", "{callId%d741-6904fad1-vcall-1}", 404),
        ("campaignId", "-1", 400),
        ("campaignId", "99999999999999999999", 400),
        ("campaignId", "abc", 400),
        ("targetFormat", "aiff", 400),
        ("targetFormat", "", 400),
        ("filters", "", 400),
        ("filters", "{}", 400),
        ("filters", "{callId}", 400),
        ("filters", "%00", 400),
        ("crtObjectId", "..%2f..%2fetc%2fpasswd", 404),
        ("crtObjectId", "%D7%A9", 404),
    ] {
        let pairs: Vec<String> = all
            .iter()
            .map(|(key, good)| format!("{key}={}", if *key == name { value } else { good }))
            .collect();
        let target = format!("{DOWNLOAD}?{}", pairs.join("&"));
        let answer = ask(&target);
        // An ill-formed id is nobody's: it may be told as bad input as well.
        let fits = answer.status == status || (status == 404 && answer.status == 400);
        assert!(fits, "{name}={value}: {} {}", answer.status, answer.text());
        let json = answer.json();
        assert!(
            json["info"].is_string() && json["code"].is_number(),
            "{json}"
        );
        assert_eq!(json["status"], answer.status, "{json}");
    }
}

/// Names that are no recording's, and a method that is none here.
#[test]
fn what_does_not_exist_is_told() {
    let rig = Families::new();
    let session = rig.login();
    let elsewhere = voice_log_path("mp3").replace("campaignId=110", "campaignId=111");
    let request = Request::get(&elsewhere).with("Sessionid", &session);
    let not_found = rig.log_golden("404", &request, &session);
    assert_eq!(not_found.json()["code"], 99_999);
    let mut post = rig.voice_log(&session, "mp3");
    post.method = "POST".to_owned();
    let refused = rig.log_golden("405", &post, &session);
    assert_eq!(refused.json()["message"], "method.not.allowed");
}

#[test]
fn logins_begin_and_end_sessions() {
    let rig = Families::new();
    let daemon = &rig.daemon;
    let answer = login(daemon, USER, &rig.password);
    let json = answer.json();
    let session = word(&json, "sessionId");
    assert_eq!(json["userSessionInfo"]["sessionId"], session);
    assert_eq!(json["userSessionInfo"]["userId"], USER);
    assert!(session.contains(&format!("-ses-{USER}-")), "{session}");
    let post = |path: &str, session: &str| {
        daemon.ask(
            &Request::new("POST", &format!("/ameyorestapi/session/{path}"))
                .with("Sessionid", session),
        )
    };
    assert_eq!(post("keepAliveWithPingPush", &session).status, 200);
    let second = rig.login();
    assert_eq!(post("terminateAllSessionsForUser", &second).status, 200);
    for ended in [&session, &second] {
        assert_eq!(daemon.ask(&rig.voice_log(ended, "wav")).status, 401);
    }
    let third = rig.login();
    let _ = daemon.json(&["user", "set", USER, "--disable"]);
    assert_eq!(daemon.ask(&rig.voice_log(&third, "wav")).status, 401);
    assert_eq!(login(daemon, USER, &rig.password).status, 401);
    let _ = daemon.json(&["user", "set", USER, "--enable"]);
    let (wrong, nobody) = (
        login(daemon, USER, "wrong"),
        login(daemon, "nobody", "wrong"),
    );
    assert_eq!((wrong.status, wrong.text()), (nobody.status, nobody.text()));
    let agent = daemon.json(&[
        "user",
        "add",
        "agent@acme.example",
        "--tenant",
        TENANT,
        "--role",
        "agent-view",
        "--generate",
    ]);
    let agent = login(daemon, "agent@acme.example", &word(&agent, "password"));
    let agent = word(&agent.json(), "sessionId");
    assert_eq!(daemon.ask(&rig.voice_log(&agent, "wav")).status, 403);
    for secret in [&session, &rig.password] {
        assert!(
            !daemon.log().contains(secret.as_str()),
            "a secret is in the journal"
        );
    }
}

/// Sessions live on disk: a restart does not log anybody out.
#[test]
fn sessions_survive_a_restart() {
    let mut rig = Families::new();
    let session = rig.login();
    rig.daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(rig.daemon.wait_for_end(), 0);
    rig.daemon.start();
    assert_eq!(rig.daemon.ask(&rig.voice_log(&session, "wav")).status, 200);
}

/// A recording whose file is gone is a failure of storage: 500 in every format.
#[test]
fn a_missing_file_is_an_internal_error() {
    let rig = Families::new();
    let session = rig.login();
    for file in support::stored_files(&rig.daemon.data(), "wav") {
        std::fs::remove_file(file).expect("the stored file");
    }
    for format in ["wav", "mp3", "m4a"] {
        let request = rig.voice_log(&session, format);
        let answer = rig.log_golden(&format!("500_{format}"), &request, &session);
        assert_eq!(answer.status, 500, "{format}: {}", answer.text());
    }
}
