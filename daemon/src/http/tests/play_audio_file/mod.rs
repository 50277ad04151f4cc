//! Family `play_audio_file` over sockets: recordings, and what the tests beside this one share.

mod access;
mod bodies;
mod library;

use http::{Method, StatusCode};
use storage::account::{KeyWish, NewUser, Role, UserRow};
use storage::ids::{TenantId, TenantName, UserName};
use storage::record::{Container, Family, RecordingFacts, WallMillis};
use tokio::sync::oneshot;

use super::client::{Answer, Ask, Way};
use super::rig::{NOW, NOW_TEXT, Rig, pattern};

const PLAY: &str = "/api/v2/PlayAudioFile.php";

/// A token of a tenant.
fn token_of(rig: &Rig, tenant: TenantId) -> String {
    let issued = rig
        .site
        .storage
        .issue_key(tenant, Family::PlayAudioFile, "test");
    issued.unwrap().secret
}

/// A token that is a user's.
fn token_as(rig: &Rig, user: &UserRow) -> String {
    let wish = KeyWish {
        tenant: user.tenant,
        family: Family::PlayAudioFile,
        label: "test".to_owned(),
        allow: Vec::new(),
        expires_at: None,
        user_id: Some(user.user_id),
    };
    rig.site.storage.issue_key_as(wish).unwrap().secret
}

fn user(rig: &Rig, name: &str, role: Role) -> UserRow {
    let user = NewUser {
        tenant: rig.tenant,
        name: UserName::new(name).unwrap(),
        role,
        password: "correct horse".to_owned(),
        allow: Vec::new(),
        groups: Vec::new(),
        line: None,
    };
    rig.site.storage.add_user(user).unwrap()
}

fn form(path: &str, body: &str) -> Ask<'static> {
    let mut ask = Ask::get(path).method(Method::POST);
    ask.body = body.to_owned().into();
    ask.with("content-type", "application/x-www-form-urlencoded")
}

/// An answer's code; every answer that has one has the whole envelope, and nothing else in it.
fn code(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let json = answer.json();
    let returned = json["return"].as_object().unwrap();
    assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
    assert!(returned.values().all(|value| value.is_string()), "{json}");
    if returned["status_code"] != "0" {
        assert_eq!(returned.len(), 3, "{json}");
        assert_eq!(returned["cd_id"], "0", "{json}");
    }
    returned["status_code"].as_str().unwrap().to_owned()
}

/// A member of a successful answer.
fn told(answer: &Answer, name: &str) -> String {
    assert_eq!(code(answer), "0", "{}", answer.json());
    let told = &answer.json()["return"][name];
    told.as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_recording_plays_as_the_seed_says() {
    let rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    let bytes = pattern(300_007);
    for (container, kind) in [
        (Container::Wav, "audio/x-wav"),
        (Container::Mp3, "audio/mpeg"),
        (Container::M4a, "audio/mp4"),
        (Container::Ogg, "audio/ogg"),
        (Container::Flac, "audio/flac"),
        (Container::WebM, "audio/webm"),
    ] {
        let recid = rig.import(&bytes, container).facts.id;
        let query = format!("tsid={tsid}&recid={recid}");
        let name = format!("inline; filename=\"{recid}.{}\"", container.extension());
        let check = |answer: &Answer| {
            assert_eq!(answer.header("content-type"), Some(kind));
            assert_eq!(answer.header("content-disposition"), Some(name.as_str()));
            assert_eq!(answer.header("accept-ranges"), Some("bytes"));
            assert_eq!(answer.header("last-modified"), Some(NOW_TEXT));
            assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
            assert!(answer.header("etag").is_some());
        };
        for way in [Way::PlainH1, Way::TlsH2] {
            for ask in [
                Ask::get(format!("{PLAY}?{query}")),
                form(PLAY, &query),
                form(&format!("{PLAY}?{query}"), "recid=1&tsid=wrongwrongwrong"),
                Ask::get(PLAY).json(&format!("{{\"tsid\":\"{tsid}\",\"recid\":{recid}}}")),
            ] {
                let whole = ask.clone().send(&rig, way);
                assert_eq!(whole.status, StatusCode::OK, "{way:?} {ask:?}");
                assert!(whole.body == bytes);
                check(&whole);
                let part = ask.with("range", "bytes=5-9").send(&rig, way);
                assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
                assert_eq!(part.header("content-range"), Some("bytes 5-9/300007"));
                assert!(part.body == bytes[5..10]);
                check(&part);
            }
        }
        let head = Ask::get(format!("{PLAY}?{query}")).method(Method::HEAD);
        let head = head.with("range", "bytes=5-9").ask(&rig);
        assert_eq!(head.status, StatusCode::OK);
        assert_eq!(head.header("content-length"), Some("300007"));
        check(&head);
    }
}

#[test]
fn conditions_and_impossible_ranges_keep_the_envelope() {
    let rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    let recid = rig.import(&pattern(1_000), Container::Mp3).facts.id;
    let ask = || Ask::get(format!("{PLAY}?tsid={tsid}&recid={recid}"));
    let etag = ask().ask(&rig).header("etag").unwrap().to_owned();
    let fresh = ask().with("if-none-match", etag.clone()).ask(&rig);
    assert_eq!(fresh.status, StatusCode::NOT_MODIFIED);
    let past = ask().with("range", "bytes=1000-").ask(&rig);
    assert_eq!(past.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(past.header("content-range"), Some("bytes */1000"));
    assert_eq!(code(&past), "416");
    let other = ask().with("if-match", "\"x\"").ask(&rig);
    assert_eq!(code(&other), "412");
    let gone = Ask::get(PLAY).method(Method::DELETE).ask(&rig);
    assert_eq!(code(&gone), "405");
    assert_eq!(gone.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
    assert_eq!(code(&Ask::get("/api/v2/Other.php").ask(&rig)), "404");
}

#[test]
fn noheader_leaves_only_the_bytes() {
    let rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    let bytes = pattern(50_000);
    let recid = rig.import(&bytes, Container::Mp3).facts.id;
    let ask = |noheader: &str| {
        Ask::get(format!(
            "{PLAY}?tsid={tsid}&recid={recid}&noheader={noheader}"
        ))
        .with("range", "bytes=0-9")
        .with("if-none-match", "*")
        .with("if-match", "\"x\"")
    };
    for yes in ["yes", "YES"] {
        for way in Way::ALL {
            let bare = ask(yes).send(&rig, way);
            assert_eq!(bare.status, StatusCode::OK, "{way:?}");
            assert!(bare.body == bytes);
            assert_eq!(bare.header("content-length"), Some("50000"));
            for name in [
                "content-type",
                "content-disposition",
                "accept-ranges",
                "content-range",
                "etag",
            ] {
                assert_eq!(bare.header(name), None, "{name}");
            }
        }
        let head = ask(yes).method(Method::HEAD).ask(&rig);
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
        assert_eq!(head.header("content-type"), None);
    }
    for no in ["", "no", "1"] {
        assert_eq!(code(&ask(no).ask(&rig)), "412", "{no}");
    }
}

#[test]
fn recordings_that_cannot_be_played_have_their_codes() {
    let rig = Rig::new();
    let storage = &rig.site.storage;
    let tsid = token_of(&rig, rig.tenant);
    let ask = |query: &str| Ask::get(format!("{PLAY}?tsid={tsid}&{query}")).ask(&rig);
    let row = rig.import(&pattern(1_000), Container::Mp3);
    let recid = row.facts.id;
    for (query, expected, text) in [
        (String::new(), "220", "No audio ID"),
        ("recid=".to_owned(), "220", "No audio ID"),
        ("recid=0".to_owned(), "230", "Audio id is not valid"),
        (
            format!("recid={}", recid.0 + 1),
            "230",
            "Audio id is not valid",
        ),
        (format!("recid=-{recid}"), "230", "Audio id is not valid"),
        (format!("recid={recid}.mp3"), "230", "Audio id is not valid"),
        // One that is given and wrong is not passed over.
        (
            format!("recid=x&cdw_id={recid}"),
            "230",
            "Audio id is not valid",
        ),
    ] {
        let answer = ask(&query);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(code(&answer), expected, "{query}");
        assert_eq!(answer.json()["return"]["status"], text, "{query}");
    }
    let other = storage.add_tenant(TenantName::new("c").unwrap()).unwrap();
    let theirs = token_of(&rig, other.id);
    let stranger = Ask::get(format!("{PLAY}?tsid={theirs}&recid={recid}")).ask(&rig);
    let nobody = Ask::get(format!("{PLAY}?tsid={theirs}&recid=999999")).ask(&rig);
    assert_eq!(
        (code(&stranger), stranger.body),
        ("230".to_owned(), nobody.body)
    );
    std::fs::remove_file(storage.path_of(&row)).unwrap();
    assert_eq!(code(&ask(&format!("recid={recid}"))), "250");
    let row = rig.import(&pattern(1_000), Container::Mp3);
    storage.delete(rig.tenant, row.facts.id).unwrap();
    assert_eq!(code(&ask(&format!("recid={}", row.facts.id))), "240");
}

#[test]
fn a_recording_that_goes_on_plays_as_far_as_it_is() {
    let mut rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    let (id, names) = rig.site.storage.new_names(rig.tenant);
    let facts = RecordingFacts {
        tenant: rig.tenant,
        id,
        names,
        line: None,
        from: None,
        to: None,
        started_at: NOW,
        format: audio_io::format::StreamFormat::TELEPHONE,
        container: Container::Wav,
        time: None,
        agent: None,
        direction: None,
    };
    let sound = pattern(200_000);
    let (done, is_done) = oneshot::channel();
    let recorder = super::live::record(&mut rig, facts, sound.clone(), is_done);
    let live = || Ask::get(format!("{PLAY}?tsid={tsid}&recid={id}"));
    let arrived = (0..10_000).any(|_| {
        let answer = live().ask(&rig);
        answer.status == StatusCode::OK && answer.body.len() > 4_096
    });
    assert!(arrived, "no sound was ever committed");
    let whole = live().ask(&rig);
    assert_eq!(whole.header("cache-control"), Some("no-store"));
    assert_eq!(whole.header("content-type"), Some("audio/x-wav"));
    let riff = u32::from_le_bytes(whole.body[4..8].try_into().unwrap()) as usize;
    assert_eq!(riff + 8, whole.body.len(), "a true header");
    let status = format!("/api/v2/GetCallStatus.php?tsid={tsid}&cd_id={id}");
    let status = Ask::get(status).ask(&rig);
    assert_eq!(told(&status, "cdr_state"), "live");
    assert_eq!(told(&status, "cdr_end"), "");
    // Of its sound, not of the clock.
    assert_eq!(told(&status, "cdr_sec"), "7");
    rig.clock.step_wall(WallMillis(NOW.0 * 4));
    let path = format!("/api/v2/GetCallStatus.php?tsid={tsid}&cd_id={id}");
    assert_eq!(told(&Ask::get(path).ask(&rig), "cdr_sec"), "7");
    rig.clock.step_wall(NOW);
    done.send(()).unwrap();
    assert_eq!(recorder.join().unwrap(), 1);
    assert!(live().ask(&rig).body[4_096..].starts_with(&sound));
}

#[test]
fn a_calls_status_is_told() {
    let rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    let recid = rig.import(&pattern(1_000), Container::Mp3).facts.id;
    let ask =
        |query: &str| Ask::get(format!("/api/v2/GetCallStatus.php?tsid={tsid}&{query}")).ask(&rig);
    let status = ask(&format!("recid={recid}&cd_id=9"));
    for (name, expected) in [
        ("cd_id", recid.to_string()),
        ("cdr_url", format!("{PLAY}?recid={recid}")),
        ("cdr_sec", "1".to_owned()),
        ("cdr_state", "stored".to_owned()),
        ("cdr_date", "1994-11-06T08:49:37.500Z".to_owned()),
        ("cdr_from", String::new()),
    ] {
        assert_eq!(told(&status, name), expected, "{name}");
    }
    assert_eq!(code(&ask("")), "220");
    assert_eq!(code(&ask("recid=77777")), "230");
    assert_eq!(code(&ask("cd_id=x")), "230");
    rig.site.storage.delete(rig.tenant, recid).unwrap();
    assert_eq!(code(&ask(&format!("recid={recid}"))), "240");
}
