//! What the ledger has of requests: who heard what, once; who was let in, who was not; what was
//! changed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde_json::json;
use storage::account::{NewUser, Role, UserRow};
use storage::ids::UserName;
use storage::ledger::entry::{ActorKind, Entry, Kind};
use storage::ledger::query::{AuditFilter, Person};
use storage::record::{Container, Family, Recording};

use super::client::{Answer, Ask, Way};
use super::rig::{Rig, pattern};
use crate::config::schema::Admin;
use crate::http::limits;

const SIZE: usize = 300_007;
const PASSWORD: &str = "correct horse";

/// The entries of these kinds that are durable, oldest first.
fn told(rig: &Rig, kinds: &[Kind]) -> Vec<Entry> {
    let filter = AuditFilter {
        kinds: kinds.to_vec(),
        ..AuditFilter::default()
    };
    let mut entries = rig.site.storage.audit(&filter, None, 200).unwrap().entries;
    entries.sort_by_key(|entry| entry.seq);
    entries
}

/// The same, with those that nobody waited for.
fn told_by_now(rig: &Rig, kinds: &[Kind]) -> Vec<Entry> {
    rig.site.storage.flush_index().unwrap();
    told(rig, kinds)
}

const HEARD: [Kind; 2] = [Kind::Play, Kind::Download];

fn key_of(rig: &Rig, family: Family) -> (String, u64) {
    let issued = rig.site.storage.issue_key(rig.tenant, family, "desk");
    let issued = issued.unwrap();
    (issued.secret, issued.row.key_id)
}

fn add_user(rig: &Rig, name: &str, role: Role) -> UserRow {
    let user = NewUser {
        tenant: rig.tenant,
        name: UserName::new(name).unwrap(),
        role,
        password: PASSWORD.to_owned(),
        allow: Vec::new(),
        groups: Vec::new(),
        line: None,
    };
    rig.site.storage.add_user(user).unwrap()
}

fn login(rig: &Rig, name: &str, password: &str) -> Answer {
    let body = json!({ "userId": name, "token": password }).to_string();
    let ask = Ask::get("/ameyorestapi/session/userLogin").json(&body);
    ask.ask(rig)
}

fn session(rig: &Rig, name: &str) -> String {
    let answer = login(rig, name, PASSWORD);
    answer.json()["sessionId"].as_str().unwrap().to_owned()
}

fn voice_log(recording: &Recording, format: &str) -> String {
    let names = &recording.facts.names;
    format!(
        "/ameyorestapi/cc/downloadVoiceLog?campaignId={}&crtObjectId={}&targetFormat={format}\
         &filters=%7BcallId%25{}%7D",
        names.campaign_id, names.crt_object_id, names.call_id
    )
}

/// Asks as a player does, and as one that looks before: no more than one listening. Each answer
/// that has sound is durable in the ledger when it is here.
fn listen(rig: &Rig, ask: &Ask<'_>, how: &Kind) -> Entry {
    let before = told(rig, &HEARD).len();
    let head = ask.clone().method(Method::HEAD).ask(rig);
    assert_eq!(head.status, StatusCode::OK);
    let past = ask.clone().with("range", format!("bytes={SIZE}-")).ask(rig);
    assert_eq!(past.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let etag = head.header("etag").unwrap();
    let known = ask.clone().with("if-none-match", etag).ask(rig);
    assert_eq!(known.status, StatusCode::NOT_MODIFIED);
    assert_eq!(told_by_now(rig, &HEARD).len(), before, "no sound yet");
    for n in 0..50 {
        let way = Way::ALL.get(n).copied().unwrap_or(Way::PlainH1);
        let range = format!("bytes={}-{}", n * 100, n * 100 + 99);
        let part = ask.clone().with("range", range).send(rig, way);
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{way:?}");
        assert_eq!(told(rig, &HEARD).len(), before + 1, "{n}");
    }
    assert_eq!(ask.clone().ask(rig).status, StatusCode::OK);
    let mut entries = told_by_now(rig, &HEARD);
    assert_eq!(entries.len(), before + 1);
    let entry = entries.pop().unwrap();
    assert_eq!(entry.kind, *how);
    assert_eq!(entry.from.as_deref(), Some("127.0.0.1"));
    assert!(entry.details["request"].is_string());
    entry
}

fn by(entry: &Entry) -> (ActorKind, Option<u64>, Option<&str>) {
    let who = entry.who.as_ref().unwrap();
    (who.kind, who.id, who.name.as_deref())
}

#[test]
fn every_family_tells_a_listening_once_and_by_whom() {
    let rig = Rig::new();
    let wav = rig.import(&pattern(SIZE), Container::Wav);
    let (tsid, tsid_key) = key_of(&rig, Family::PlayAudioFile);
    let (calls, calls_key) = key_of(&rig, Family::CallRecording);
    let boss = add_user(&rig, "boss@acme", Role::Supervisor);
    let session = session(&rig, "boss@acme");
    let task = &wav.facts.names.task_id;
    let sid = &wav.facts.names.call_sid;
    let mine = (ActorKind::Key, Some(rig.key_id), Some("test"));
    for (ask, how, who, family) in [
        (
            Ask::get(format!("/api/v1/sse/audio/{task}")).key(&rig),
            Kind::Play,
            mine,
            "task_audio",
        ),
        (
            Ask::get(format!("/api/v1/tasks/{task}/audio/export")).key(&rig),
            Kind::Download,
            mine,
            "task_audio",
        ),
        (
            Ask::get(format!(
                "/api/v2/PlayAudioFile.php?tsid={tsid}&recid={}",
                wav.facts.id
            )),
            Kind::Play,
            (ActorKind::Key, Some(tsid_key), Some("desk")),
            "play_audio_file",
        ),
        (
            Ask::get(format!("/api/calls/{sid}/recording/download")).with("x-api-key", &*calls),
            Kind::Download,
            (ActorKind::Key, Some(calls_key), Some("desk")),
            "call_recording",
        ),
        (
            Ask::get(voice_log(&wav, "wav")).with("sessionid", session),
            Kind::Download,
            (ActorKind::User, Some(boss.user_id), Some("boss@acme")),
            "voice_log",
        ),
    ] {
        let entry = listen(&rig, &ask, &how);
        assert_eq!(by(&entry), who, "{ask:?}");
        assert_eq!(entry.details["family"], family);
        assert_eq!(entry.details["format"], "wav");
        assert_eq!(entry.tenant, Some(rig.tenant));
        assert_eq!(entry.recording, Some(wav.facts.id));
    }
}

#[test]
fn a_link_is_told_when_it_is_made_and_when_it_is_followed() {
    let rig = Rig::new();
    let wav = rig.import(&pattern(SIZE), Container::Wav);
    let (key, key_id) = key_of(&rig, Family::CallRecording);
    let sid = &wav.facts.names.call_sid;
    let stream = Ask::get(format!("/api/calls/{sid}/recording/stream")).with("x-api-key", key);
    assert_eq!(stream.clone().method(Method::HEAD).ask(&rig).status, 200);
    assert_eq!(
        told_by_now(&rig, &[Kind::LinkMade]).len(),
        0,
        "shown to nobody"
    );
    let url = stream.ask(&rig).json()["data"]["url"].clone();
    let url = url
        .as_str()
        .unwrap()
        .strip_prefix("http://localhost")
        .unwrap();
    let made = told_by_now(&rig, &[Kind::LinkMade]);
    assert_eq!(made.len(), 1);
    assert_eq!(by(&made[0]), (ActorKind::Key, Some(key_id), Some("desk")));
    assert_eq!(made[0].recording, Some(wav.facts.id));
    let now = rig.site.storage.steady_now().0 / 1_000;
    let until = (now + limits::LINK_LIFE.as_secs()) * 1_000;
    assert_eq!(made[0].details["until"], until);
    let mark = made[0].details["link"].as_str().unwrap();
    assert!(url.contains(&format!("&signature={mark}")), "{url} {mark}");

    let entry = listen(&rig, &Ask::get(url), &Kind::Play);
    let kid = rig.site.storage.signing_keys()[0].id;
    assert_eq!(by(&entry), (ActorKind::Link, Some(kid.into()), None));
    assert_eq!(entry.details["link"], mark, "which link it was");
    assert_eq!(entry.details["until"], until);

    let bad = url.replace("kid=", "kid=9");
    assert_eq!(Ask::get(bad).ask(&rig).status, StatusCode::FORBIDDEN);
    let refused = told_by_now(&rig, &[Kind::LoginFailed]);
    assert_eq!(refused.last().unwrap().details["why"], "forged link");
    rig.clock.advance(limits::LINK_LIFE);
    assert_eq!(Ask::get(url).ask(&rig).status, StatusCode::FORBIDDEN);
    let refused = told_by_now(&rig, &[Kind::LoginFailed]);
    assert_eq!(refused.last().unwrap().details["why"], "expired link");
    assert_eq!(told_by_now(&rig, &HEARD).len(), 1);
}

#[test]
fn other_listeners_and_pauses_are_other_listenings_and_prompts_are_none() {
    let rig = Rig::new();
    let wav = rig.import(&pattern(SIZE), Container::Wav);
    let path = format!("/api/v1/sse/audio/{}", wav.facts.names.task_id);
    let play = |key: &str| {
        let answer = Ask::get(&*path).with("x-api-key", key).ask(&rig);
        assert_eq!(answer.status, StatusCode::OK);
        told(&rig, &HEARD).len()
    };
    let (second, second_id) = key_of(&rig, Family::TaskAudio);
    assert_eq!(play(&rig.key), 1);
    assert_eq!(play(&second), 2);
    assert_eq!(play(&rig.key), 2);
    rig.clock
        .advance(limits::LISTENING_PAUSE - Duration::from_secs(1));
    assert_eq!(play(&rig.key), 2);
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(play(&second), 3, "it was silent for long enough");
    assert_eq!(play(&rig.key), 3);
    let filter = AuditFilter {
        who: Some(Person::Number(ActorKind::Key, second_id)),
        recording: Some(wav.facts.id),
        ..AuditFilter::default()
    };
    let page = rig.site.storage.audit(&filter, None, 10).unwrap();
    assert_eq!(page.entries.len(), 2, "found by person and recording");
    // Another tenant's recording is nobody's: nothing was heard.
    let other = Ask::get(&*path).with("x-api-key", rig.stranger.clone());
    assert_eq!(other.ask(&rig).status, StatusCode::NOT_FOUND);

    let (tsid, tsid_key) = key_of(&rig, Family::PlayAudioFile);
    let create = format!(
        "/api/v2/CreateAudioFile.php?tsid={tsid}&name=copy&recid={}",
        wav.facts.id
    );
    let source = rig.site.storage.path_of(&wav);
    assert!(source.exists());
    let added = Ask::get(&*create).ask(&rig);
    // The pattern is no sound that a prompt can be made of; a text is.
    assert_ne!(added.json()["return"]["status_code"], "0");
    assert_eq!(told_by_now(&rig, &[Kind::PromptAdded]).len(), 0);
    let spoken = format!("/api/v2/CreateAudioFile.php?tsid={tsid}&name=hello&text=Hello");
    assert_eq!(
        Ask::get(spoken).ask(&rig).json()["return"]["status_code"],
        "0"
    );
    let added = told_by_now(&rig, &[Kind::PromptAdded]);
    assert_eq!(added.len(), 1);
    assert_eq!(
        by(&added[0]),
        (ActorKind::Key, Some(tsid_key), Some("desk"))
    );
    assert_eq!(added[0].details["name"], "hello");
    assert_eq!(added[0].details["origin"], "text");
    assert_eq!(told_by_now(&rig, &HEARD).len(), 3);
}

#[test]
fn a_flood_of_wrong_keys_makes_few_entries_in_every_family() {
    let rig = Rig::new();
    let wav = rig.import(&pattern(1_000), Container::Wav);
    let names = &wav.facts.names;
    let wrong = format!("vas_{}", "x".repeat(32));
    let asks = [
        Ask::get(format!("/api/v1/sse/audio/{}", names.task_id)).with("x-api-key", &*wrong),
        Ask::get(format!("/api/v1/sse/audio/{}?ticket=x", names.task_id)),
        Ask::get(format!("/api/calls/{}/recording/stream", names.call_sid))
            .with("x-api-key", &*wrong),
        Ask::get(voice_log(&wav, "wav")).with("sessionid", "a-ses-b-c"),
        Ask::get("/api/v1/sessions")
            .with("x-app-id", "a")
            .with("x-api-key", "0123456789abcdef"),
        Ask::get(format!(
            "/api/v2/PlayAudioFile.php?tsid={wrong}&recid={}",
            wav.facts.id
        )),
    ];
    for ask in &asks {
        for _ in 0..40 {
            let answer = ask.clone().ask(&rig);
            assert!(matches!(answer.status.as_u16(), 401 | 429), "{ask:?}");
        }
    }
    let refused = told_by_now(&rig, &[Kind::LoginFailed]);
    let why: Vec<_> = refused
        .iter()
        .map(|entry| {
            (
                entry.details["family"].as_str(),
                entry.details["why"].as_str(),
            )
        })
        .collect();
    let pair = |family, why| (Some(family), Some(why));
    assert_eq!(
        why,
        [
            pair("task_audio", "unknown key"),
            pair("task_audio", "unknown ticket"),
            pair("call_recording", "unknown key"),
            pair("voice_log", "unknown session"),
            pair("session_commands", "unknown key"),
            pair("play_audio_file", "unknown key"),
            pair("play_audio_file", "too many failures of the address"),
        ]
    );
    assert_eq!(
        refused[0].details["path"],
        format!("/api/v1/sse/audio/{}", names.task_id)
    );
    let locked = told_by_now(&rig, &[Kind::LockedOut]);
    assert_eq!(locked.len(), 1);
    assert!(locked[0].details["until"].as_u64().unwrap() > 0);
    assert_eq!(locked[0].from.as_deref(), Some("127.0.0.1"));
    assert_eq!(told_by_now(&rig, &HEARD).len(), 0);
    // The numbers follow; the server tells them when it stops, too.
    rig.server.shutdown(Duration::ZERO);
    let refused = told_by_now(&rig, &[Kind::LoginFailed]);
    let failures = |entry: &Entry| entry.details.get("failures").and_then(|it| it.as_u64());
    let sum: u64 = refused
        .iter()
        .map(|entry| failures(entry).unwrap_or(1))
        .sum();
    assert_eq!(sum, 40 * asks.len() as u64);
    assert!(refused.len() <= 2 * (asks.len() + 1));
}

#[test]
fn logins_logouts_and_locks_are_told_with_the_name() {
    let rig = Rig::new();
    let boss = add_user(&rig, "boss@acme", Role::Admin);
    let agent = add_user(&rig, "agent@acme", Role::AgentView);
    let user = |row: &UserRow| (ActorKind::User, Some(row.user_id), row.name.to_string());
    let by = |entry: &Entry| {
        let who = entry.who.clone().unwrap();
        (who.kind, who.id, who.name.unwrap_or_default())
    };
    let session = session(&rig, "boss@acme");
    let basic = STANDARD.encode(format!("agent@acme:{PASSWORD}"));
    let token = Ask::get("/api/v2/GetUserID.php").with("authorization", format!("Basic {basic}"));
    let token = token.ask(&rig).json()["return"]["tsid"].clone();
    let logins = told_by_now(&rig, &[Kind::Login]);
    assert_eq!(logins.len(), 2);
    assert_eq!(by(&logins[0]), user(&boss));
    assert_eq!(logins[0].details["family"], "voice_log");
    assert_eq!(by(&logins[1]), user(&agent));
    assert_eq!(logins[1].details["family"], "play_audio_file");
    let key_id = logins[1].details["key"].as_u64().unwrap();
    assert_eq!(
        rig.site.storage.key(key_id).unwrap().user_id,
        Some(agent.user_id)
    );

    // An agent may not hear other people's calls: known, and refused.
    let wav = rig.import(&pattern(1_000), Container::Wav);
    let token = token.as_str().unwrap();
    let play = format!(
        "/api/v2/PlayAudioFile.php?tsid={token}&recid={}",
        wav.facts.id
    );
    assert_eq!(Ask::get(play).ask(&rig).status, StatusCode::UNAUTHORIZED);
    let refused = told_by_now(&rig, &[Kind::LoginFailed]);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].details["why"], "role not allowed");
    assert_eq!(refused[0].who.as_ref().unwrap().id, Some(key_id));

    for end in [json!({ "userId": "agent@acme" }), json!({})] {
        let path = "/ameyorestapi/session/terminateAllSessionsForUser";
        let ask = Ask::get(path).json(&end.to_string());
        assert_eq!(ask.with("sessionid", &*session).ask(&rig).status, 200);
    }
    let logouts = told_by_now(&rig, &[Kind::Logout]);
    assert_eq!(logouts.len(), 2);
    assert!(logouts.iter().all(|entry| by(entry) == user(&boss)));
    assert_eq!(logouts[0].details["user"], "agent@acme");
    assert_eq!(logouts[1].details.get("user"), None);

    for _ in 0..7 {
        assert_ne!(login(&rig, "agent@acme", "wrong").status, StatusCode::OK);
    }
    let refused = told_by_now(&rig, &[Kind::LoginFailed]);
    let named = |entry: &Entry| (by(entry).2, entry.details["why"].clone());
    assert_eq!(refused.len(), 3);
    let name = "agent@acme".to_owned();
    assert_eq!(
        named(&refused[1]),
        (name.clone(), "wrong name or password".into())
    );
    assert_eq!(
        named(&refused[2]),
        (name.clone(), "too many failures of the name".into())
    );
    let locked = told_by_now(&rig, &[Kind::LockedOut]);
    assert_eq!(locked.len(), 1);
    assert_eq!(by(&locked[0]).2, name);
}

#[test]
fn applications_are_told_with_what_is_set_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "admin-key-0123456789\n").unwrap();
    let rig = Rig::with(|config| {
        config.admin = Admin {
            key_file: Some(file),
            ..Admin::default()
        }
    });
    let set = |key: &str, body: &serde_json::Value| {
        let ask = Ask::get("/admin/apps/fresh").json(&body.to_string());
        ask.with("x-admin-api-key", key).ask(&rig).status.as_u16()
    };
    let key = "admin-key-0123456789";
    assert_eq!(set("admin-key-wrong-0123", &json!({})), 401);
    assert_eq!(set(key, &json!({ "api_key": "0123456789abcdef" })), 201);
    assert_eq!(set(key, &json!({ "rate_limit": 7, "events": [] })), 200);
    let refused = told_by_now(&rig, &[Kind::LoginFailed]);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].details["why"], "unknown administrator's key");
    let tenants = told_by_now(&rig, &[Kind::TenantAdded]);
    assert_eq!(tenants.len(), 1);
    let changed = told_by_now(&rig, &[Kind::AppChanged]);
    let facts = |entry: &Entry| {
        let details = &entry.details;
        (
            details["app"].clone(),
            details["added"].clone(),
            details["changed"].clone(),
        )
    };
    assert_eq!(changed.len(), 2);
    assert_eq!(
        facts(&changed[0]),
        (json!("fresh"), json!(true), json!(["api_key"]))
    );
    assert_eq!(
        facts(&changed[1]),
        (
            json!("fresh"),
            json!(false),
            json!(["rate_limit", "events"])
        )
    );
    assert_eq!(
        by(&changed[0]),
        (ActorKind::Key, None, Some("administrator"))
    );
    assert_eq!(changed[0].tenant, tenants[0].tenant);
}
