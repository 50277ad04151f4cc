//! Family `voice_log`, as seed 003 and API.md section 4 have it.

use std::time::Duration;

use audio_io::format::StreamFormat;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use storage::account::{NewUser, Role, UserChange};
use storage::ids::{Names, TenantId, UserName};
use storage::record::{Container, RecordingFacts};
use tokio::sync::oneshot;

use super::client::{Answer, Ask, Way};
use super::live::record;
use super::rig::{NOW, Rig, pattern};

const PASSWORD: &str = "correct horse";
const SESSION: &str = "/ameyorestapi/session";

fn name(text: &str) -> UserName {
    UserName::new(text).unwrap()
}

fn add_user(rig: &Rig, tenant: TenantId, user: &str, role: Role) {
    let user = NewUser {
        tenant,
        name: name(user),
        role,
        password: PASSWORD.to_owned(),
        allow: Vec::new(),
        groups: Vec::new(),
        line: None,
    };
    rig.site.storage.add_user(user).unwrap();
}

/// The tenant that is not the rig's.
fn other_tenant(rig: &Rig) -> TenantId {
    let tenants = rig.site.storage.tenants().unwrap();
    let other = tenants.iter().find(|tenant| tenant.id != rig.tenant);
    other.unwrap().id
}

fn login(rig: &Rig, body: &Value) -> Answer {
    Ask::get(format!("{SESSION}/userLogin"))
        .json(&body.to_string())
        .ask(rig)
}

/// A session of a user that has [`PASSWORD`].
fn session(rig: &Rig, user: &str) -> String {
    let answer = login(rig, &json!({ "userId": user, "token": PASSWORD }));
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    answer.json()["sessionId"].as_str().unwrap().to_owned()
}

fn with_user(role: Role) -> (Rig, String) {
    let rig = Rig::new();
    add_user(&rig, rig.tenant, "boss@acme", role);
    let session = session(&rig, "boss@acme");
    (rig, session)
}

fn post(rig: &Rig, what: &str, session: &str, body: &str) -> Answer {
    let ask = Ask::get(format!("{SESSION}/{what}")).json(body);
    ask.with("sessionid", session).ask(rig)
}

fn told(answer: &Answer) -> (u16, String, u64) {
    let body = answer.json();
    assert_eq!(body["status"], answer.status.as_u16());
    let info = body["info"].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), info, body["code"].as_u64().unwrap())
}

fn path(names: &Names, format: &str, filters: &str) -> String {
    format!(
        "/ameyorestapi/cc/downloadVoiceLog?campaignId={}&crtObjectId={}&targetFormat={format}\
         &filters={filters}",
        names.campaign_id, names.crt_object_id
    )
}

fn download(rig: &Rig, session: &str, path: &str) -> Answer {
    Ask::get(path).with("Sessionid", session).ask(rig)
}

#[test]
fn a_login_opens_a_session_and_tells_nothing_to_others() {
    let rig = Rig::new();
    add_user(&rig, rig.tenant, "boss@acme", Role::Supervisor);
    add_user(&rig, rig.tenant, "off@acme", Role::Supervisor);
    let off = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    rig.site
        .storage
        .change_user(&name("off@acme"), off)
        .unwrap();
    let right = login(&rig, &json!({ "userId": "boss@acme", "token": PASSWORD }));
    assert_eq!(right.status, StatusCode::OK);
    assert_eq!(right.header("cache-control"), Some("no-store"));
    let body = right.json();
    let token = body["sessionId"].as_str().unwrap();
    assert!(token.contains("-ses-boss@acme-"), "{token}");
    assert_eq!(body["userSessionInfo"]["sessionId"], token);
    assert_eq!(body["userSessionInfo"]["userId"], "boss@acme");

    let wrong = login(&rig, &json!({ "userId": "boss@acme", "token": "wrong" }));
    assert_eq!(told(&wrong).2, 909_090);
    assert_eq!(wrong.json()["message"], "invalid.authentication.token");
    assert!(wrong.header("www-authenticate").is_some());
    for (user, token) in [
        ("nobody", PASSWORD),
        ("off@acme", PASSWORD),
        ("\u{202e}", "\0"),
    ] {
        let answer = login(&rig, &json!({ "userId": user, "token": token }));
        assert_eq!(
            (answer.status, &answer.body),
            (wrong.status, &wrong.body),
            "{user}"
        );
    }
    let form = Ask::get(format!("{SESSION}/userLogin")).json(&format!(
        "userId=boss%40acme&token={}&forceLogin=false",
        PASSWORD.replace(' ', "+")
    ));
    let mut form = form;
    form.headers = vec![(
        "content-type",
        "application/x-www-form-urlencoded".to_owned(),
    )];
    assert_eq!(form.ask(&rig).status, StatusCode::OK);
}

#[test]
fn bodies_of_logins_are_checked() {
    let rig = Rig::new();
    for (body, info) in [
        ("{}", "parameter expected in input: userId"),
        ("{\"userId\":\"a\"}", "parameter expected in input: token"),
        (
            "{\"userId\":\"a\",\"token\":\"\"}",
            "parameter expected in input: token",
        ),
        (
            "{\"userId\":\"a\",\"token\":\"b\",\"forceLogin\":\"x\"}",
            "forceLogin",
        ),
        ("{\"userId\":7}", "JSON"),
        ("[", "JSON"),
        ("", "parameter expected in input: userId"),
    ] {
        let answer = Ask::get(format!("{SESSION}/userLogin"))
            .json(body)
            .ask(&rig);
        let (status, said, code) = told(&answer);
        assert_eq!((status, code), (400, 40_001), "{body}");
        assert!(said.contains(info), "{body}: {said}");
        assert_eq!(answer.json()["message"], "InvalidInput");
    }
    let plain = Ask::get(format!("{SESSION}/userLogin"))
        .method(Method::POST)
        .with("content-type", "text/plain");
    let mut plain = plain;
    plain.body = "userId=a".into();
    assert_eq!(told(&plain.ask(&rig)).0, 415);
    let long = format!("{{\"userId\":\"{}\"}}", "a".repeat(70_000));
    let long = Ask::get(format!("{SESSION}/userLogin"))
        .json(&long)
        .ask(&rig);
    assert_eq!(told(&long).0, 413);
    let get = Ask::get(format!("{SESSION}/userLogin")).ask(&rig);
    assert_eq!(get.json()["message"], "method.not.allowed");
    assert_eq!(get.header("allow"), Some("POST, OPTIONS"));
    let nowhere = Ask::get("/ameyorestapi/nowhere").ask(&rig);
    assert_eq!(nowhere.json()["message"], "requested.resource.not.found");
}

#[test]
fn guesses_lock_a_name_out_and_an_open_session_goes_on() {
    let (rig, session) = with_user(Role::Supervisor);
    let guess = || login(&rig, &json!({ "userId": "Boss@acme", "token": "guess" }));
    let tries = (0..10)
        .map(|_| guess())
        .find(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS);
    let locked = tries.expect("locked out in the end");
    assert_eq!(told(&locked).2, 42_901);
    assert!(locked.header("retry-after").is_some());
    let right = || login(&rig, &json!({ "userId": "boss@acme", "token": PASSWORD }));
    assert_eq!(right().status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        post(&rig, "keepAliveWithPingPush", &session, "").status,
        StatusCode::OK
    );
    rig.clock.advance(Duration::from_secs(601));
    assert_eq!(right().status, StatusCode::OK);
}

#[test]
fn sessions_end_by_logout_by_force_by_idleness_and_by_age() {
    let (rig, first) = with_user(Role::Supervisor);
    let alive = |token: &str| {
        let ask = Ask::get(format!("{SESSION}/keepAliveWithPingPush"));
        ask.with("SESSIONID", token).ask(&rig).status == StatusCode::OK
    };
    let second = session(&rig, "boss@acme");
    assert!(alive(&first) && alive(&second));
    let done = post(&rig, "userLogout", &first, "");
    assert_eq!(
        (done.status, done.json()["message"].as_str()),
        (StatusCode::OK, Some("success"))
    );
    assert!(!alive(&first) && alive(&second));
    let force = json!({ "userId": "boss@acme", "token": PASSWORD, "forceLogin": true });
    let third = login(&rig, &force).json()["sessionId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(!alive(&second) && alive(&third));
    for _ in 0..3 {
        rig.clock.advance(Duration::from_secs(1_700));
        assert!(alive(&third), "used again before it was idle for long");
    }
    rig.clock.advance(Duration::from_secs(1_801));
    assert!(!alive(&third), "idle");
    let fourth = session(&rig, "boss@acme");
    let mut age = 0;
    while age < 43_200 {
        assert!(alive(&fourth), "after {age} s");
        rig.clock.advance(Duration::from_secs(1_600));
        age += 1_600;
    }
    assert!(!alive(&fourth), "however often it is used");
}

#[test]
fn a_session_is_shown_once_in_its_header() {
    let (rig, session) = with_user(Role::Supervisor);
    let path = format!("{SESSION}/keepAliveWithPingPush");
    for bad in [
        Ask::get(&path),
        Ask::get(&path).with("sessionid", ""),
        Ask::get(&path).with("sessionid", format!("{session}x")),
        Ask::get(&path).with("sessionid", "x".repeat(2_000)),
        Ask::get(&path)
            .with("sessionid", &session)
            .with("Sessionid", &session),
        Ask::get(format!("{path}?Sessionid={session}")),
        Ask::get(&path).with("authorization", format!("Bearer {session}")),
        Ask::get(&path).key(&rig),
    ] {
        let answer = bad.clone().ask(&rig);
        assert_eq!(told(&answer).2, 909_090, "{bad:?}");
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    for way in Way::ALL {
        let ask = Ask::get(&path).with("sessionid", &session);
        assert_eq!(ask.send(&rig, way).status, StatusCode::OK, "{way:?}");
    }
}

#[test]
fn only_administrators_end_others_sessions() {
    let (rig, boss) = with_user(Role::Admin);
    add_user(&rig, rig.tenant, "agent", Role::Supervisor);
    add_user(&rig, other_tenant(&rig), "stranger", Role::Admin);
    let end = |session: &str, body: &str| post(&rig, "terminateAllSessionsForUser", session, body);
    let agent = session(&rig, "agent");
    session(&rig, "agent");
    let _stranger = session(&rig, "stranger");
    for named in ["boss@acme", "stranger", "nobody"] {
        let answer = end(&agent, &json!({ "userId": named }).to_string());
        assert_eq!(told(&answer).0, 403, "{named}");
        assert_eq!(answer.json()["message"], "permission.denied");
    }
    for named in ["stranger", "nobody"] {
        assert_eq!(
            told(&end(&boss, &json!({ "userId": named }).to_string())).0,
            404
        );
    }
    let ended = end(&boss, &json!({ "userId": "AGENT" }).to_string());
    assert_eq!(
        (ended.status, ended.json()["terminatedSessions"].as_u64()),
        (StatusCode::OK, Some(2))
    );
    assert_eq!(
        told(&end(&agent, "")).0,
        401,
        "the agent's sessions are over"
    );
    let own = end(&boss, "");
    assert_eq!(own.json()["terminatedSessions"], 1);
    assert_eq!(told(&end(&boss, "")).0, 401);
}

#[test]
fn parameters_are_told_in_order_and_by_name() {
    let (rig, session) = with_user(Role::Auditor);
    let ask = |query: &str| {
        let path = format!("/ameyorestapi/cc/downloadVoiceLog?{query}");
        download(&rig, &session, &path)
    };
    let id = "crtObjectId=a-vce-1";
    for (query, missing) in [
        ("", "campaignId"),
        ("filters=x&targetFormat=bad", "campaignId"),
        ("campaignId=1&filters=x", "crtObjectId"),
        ("campaignId=x&crtObjectId=&filters=x", "crtObjectId"),
        (&format!("campaignId=1&{id}"), "targetFormat"),
        (&format!("campaignId=1&{id}&targetFormat=mp3"), "filters"),
        (
            &format!("campaignId=1&{id}&targetFormat=mp3&filters="),
            "filters",
        ),
    ] {
        let info = format!("parameter expected in input: {missing}");
        assert_eq!(told(&ask(query)), (400, info, 40_001), "{query}");
    }
    let good = "campaignId=1&crtObjectId=a-vce-1&targetFormat=mp3&filters={callId%25a}";
    assert_eq!(told(&ask(good)).0, 404);
    assert_eq!(
        told(&ask(&format!("{good}&more=%ff&more=1"))).0,
        404,
        "unknown ones are ignored"
    );
    for (from, to, named) in [
        ("=1&", "=-1&", "campaignId"),
        ("=1&", "=+1&", "campaignId"),
        ("=1&", "=1.0&", "campaignId"),
        ("=1&", "=100000000000000000000&", "campaignId"),
        ("=1&", "=1&campaignId=1&", "campaignId"),
        ("a-vce-1", "..%2f..%2fetc", "crtObjectId"),
        ("a-vce-1", "a%00b", "percent-encoded"),
        ("a-vce-1", "%d7", "percent-encoded"),
        ("a-vce-1", "%E2%80%AEa", "crtObjectId"),
        ("mp3", "exe", "targetFormat"),
        ("mp3", "mp3&targetFormat=wav", "targetFormat"),
        ("{callId%25a}", "{}", "filters"),
        ("{callId%25a}", "callId", "filters"),
        ("{callId%25a}", "{callId%25a}&filters={callId:b}", "filters"),
        ("{callId%25a}", &"x".repeat(1_025), "filters"),
    ] {
        let answer = ask(&good.replace(from, to));
        let (status, info, code) = told(&answer);
        assert_eq!((status, code), (400, 40_001), "{from} -> {to}");
        assert!(info.contains(named), "{from} -> {to}: {info}");
    }
}

#[test]
fn the_three_names_must_be_one_recordings_of_the_tenant() {
    let (rig, boss) = with_user(Role::Supervisor);
    add_user(&rig, other_tenant(&rig), "stranger", Role::Admin);
    add_user(&rig, rig.tenant, "agent", Role::AgentView);
    let sound = pattern(100_000);
    let names = rig.import(&sound, Container::Wav).facts.names;
    let other = rig.import(&sound, Container::Wav).facts.names;
    for filters in [
        format!("{{callId%{}}}", names.call_id),
        format!("{{callId:{}}}", names.call_id),
        format!("{{callId={}}}", names.call_id),
        format!("%7B%22callId%22%3A%22{}%22%7D", names.call_id),
        format!("%7BcallId%25{}%7D", names.call_id),
        format!("%7BcallId%{}%7D", names.call_id),
    ] {
        for way in Way::ALL {
            let ask = Ask::get(path(&names, "WAV", &filters)).with("Sessionid", &boss);
            let answer = ask.send(&rig, way);
            assert_eq!(answer.status, StatusCode::OK, "{filters} {way:?}");
            assert!(answer.body[..] == sound[..], "{filters} {way:?}");
        }
    }
    let filters = format!("{{callId%{}}}", names.call_id);
    let good = path(&names, "wav", &filters);
    let answer = download(&rig, &boss, &good);
    assert_eq!(answer.header("content-type"), Some("audio/wav"));
    let file = format!("attachment; filename=\"{}.wav\"", names.crt_object_id);
    assert_eq!(answer.header("content-disposition"), Some(file.as_str()));
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    let head = Ask::get(&good)
        .method(Method::HEAD)
        .with("sessionid", &boss)
        .ask(&rig);
    assert_eq!(head.header("content-length"), Some("100000"));
    assert!(head.body.is_empty());
    let part = Ask::get(&good)
        .with("sessionid", &boss)
        .with("range", "bytes=10-19")
        .ask(&rig);
    assert_eq!(
        (part.status, &part.body[..]),
        (StatusCode::PARTIAL_CONTENT, &sound[10..20])
    );
    let past = Ask::get(&good)
        .with("sessionid", &boss)
        .with("range", "bytes=100000-")
        .ask(&rig);
    assert_eq!(told(&past).2, 41_601);
    assert_eq!(past.header("content-range"), Some("bytes */100000"));

    let absent = download(&rig, &boss, &good.replace("crtObjectId=", "crtObjectId=x"));
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
    assert_eq!(told(&absent).2, 99_999);
    let campaign = format!("campaignId={}", names.campaign_id);
    for bad in [
        good.replace(&campaign, "campaignId=4294967295"),
        path(&names, "wav", &format!("{{callId%{}}}", other.call_id)),
        path(&other, "wav", &filters),
    ] {
        assert_eq!(download(&rig, &boss, &bad).body, absent.body, "{bad}");
    }
    let stranger = session(&rig, "stranger");
    assert_eq!(download(&rig, &stranger, &good).body, absent.body);
    let agent = session(&rig, "agent");
    assert_eq!(told(&download(&rig, &agent, &good)).2, 40_301);
}

#[test]
fn a_call_that_goes_on_is_a_wav_snapshot_or_not_ready() {
    let (mut rig, session) = with_user(Role::Supervisor);
    let (id, names) = rig.site.storage.new_names(rig.tenant);
    let filters = format!("{{callId%{}}}", names.call_id);
    let (wav, mp3) = (path(&names, "wav", &filters), path(&names, "mp3", &filters));
    let facts = RecordingFacts {
        tenant: rig.tenant,
        id,
        names,
        line: None,
        from: None,
        to: None,
        started_at: NOW,
        format: StreamFormat::TELEPHONE,
        container: Container::Wav,
        time: None,
        agent: None,
        direction: None,
    };
    let sound = pattern(200_000);
    let (done, is_done) = oneshot::channel();
    let recorder = record(&mut rig, facts, sound.clone(), is_done);
    let arrived = (0..10_000).any(|_| download(&rig, &session, &wav).body.len() > 4_096);
    assert!(arrived, "no sound was ever committed");
    let snapshot = download(&rig, &session, &wav);
    assert_eq!(snapshot.header("cache-control"), Some("no-store"));
    assert!(snapshot.body.starts_with(b"RIFF"));
    let other = download(&rig, &session, &mp3);
    assert_eq!(other.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(other.json()["message"], "voicelog.not.ready");
    assert_eq!(other.header("retry-after"), Some("5"));
    done.send(()).unwrap();
    assert_eq!(recorder.join().unwrap(), 1);
    assert!(download(&rig, &session, &wav).body[4_096..].starts_with(&sound));
}
