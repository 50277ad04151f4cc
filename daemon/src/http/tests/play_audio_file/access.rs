//! Tokens, users, locks: codes 100 to 199.

use std::time::Duration;

use http::{Method, StatusCode};
use storage::account::{KeyWish, LockSubject, Role, UserChange};
use storage::ids::UserName;
use storage::record::{Container, Family, WallMillis};

use super::{PLAY, code, form, token_as, token_of, told, user};
use crate::http::tests::client::{Answer, Ask};
use crate::http::tests::rig::{NOW, Rig, pattern};

const USER_ID: &str = "/api/v2/GetUserID.php";

fn with_token(tsid: &str) -> Ask<'static> {
    Ask::get(format!("{PLAY}?recid=1&tsid={tsid}"))
}

/// Basic credentials of a name with the right or another password.
fn basic(name: &str, right: bool) -> String {
    use base64::Engine as _;
    let password = if right { "correct horse" } else { "wrong" };
    let text = format!("{name}:{password}");
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    format!("Basic {encoded}")
}

fn log_in(rig: &Rig, name: &str, right: bool) -> Answer {
    let ask = Ask::get(format!("{USER_ID}?tsid=1"));
    ask.with("authorization", basic(name, right)).ask(rig)
}

fn unlock(rig: &Rig) {
    let here = LockSubject::Address([127, 0, 0, 1].into());
    rig.site.storage.clear_lock(&here).unwrap();
}

#[test]
fn tokens_are_refused_with_their_codes() {
    let rig = Rig::new();
    let storage = &rig.site.storage;
    let revoked = storage.issue_key(rig.tenant, Family::PlayAudioFile, "r");
    let revoked = revoked.unwrap();
    storage.revoke_key(revoked.row.key_id).unwrap();
    let wish = |allow: &[&str], expires_at| KeyWish {
        tenant: rig.tenant,
        family: Family::PlayAudioFile,
        label: String::new(),
        allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
        expires_at,
        user_id: None,
    };
    let issue = |wish| storage.issue_key_as(wish).unwrap().secret;
    let expired = issue(wish(&[], Some(WallMillis(NOW.0 + 1))));
    let elsewhere = issue(wish(&["192.0.2.0/24"], None));
    let here = issue(wish(&["127.0.0.0/8"], None));
    rig.clock.advance(Duration::from_millis(2));
    for (ask, expected) in [
        (Ask::get(PLAY), "100"),
        (Ask::get(format!("{PLAY}?recid=1")), "100"),
        (with_token("short"), "100"),
        (with_token(&"x".repeat(65)), "100"),
        (with_token("x%00xxxxxxxxxxxxxxx"), "400"),
        (with_token("xxxxxxxxxx"), "102"),
        (with_token(&revoked.secret), "102"),
        (with_token(&expired), "102"),
        (with_token(&rig.key), "102"),
        (with_token(&elsewhere), "142"),
        (with_token(&here), "230"),
        // A wrong one that counts is not made good by a right one that does not.
        (
            with_token("xxxxxxxxxx").with("authorization", format!("Bearer {here}")),
            "102",
        ),
        (
            Ask::get(format!("{PLAY}?sid=xxxxxxxxxx"))
                .with("authorization", format!("Bearer {here}")),
            "220",
        ),
        (Ask::get(format!("{PLAY}?sid={here}")), "220"),
    ] {
        let answer = ask.clone().ask(&rig);
        assert_eq!(code(&answer), expected, "{ask:?}");
        let is_refused = expected.starts_with('1');
        assert_eq!(answer.status == StatusCode::UNAUTHORIZED, is_refused);
        assert_eq!(answer.header("www-authenticate").is_some(), is_refused);
        unlock(&rig);
    }
    storage.set_tenant_disabled(rig.tenant, true).unwrap();
    assert_eq!(code(&with_token(&here).ask(&rig)), "110");
}

#[test]
fn who_asks_comes_before_what_is_asked() {
    let rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    for (query, body, without, with) in [
        ("recid=x", "", "100", "230"),
        ("", "recid=1&recid=2", "400", "400"),
        ("noheader=yes", "cdw_file=..", "100", "230"),
    ] {
        let ask = |token: &str| form(&format!("{PLAY}?{token}&{query}"), body).ask(&rig);
        assert_eq!(code(&ask("x=1")), without, "{query} {body}");
        assert_eq!(code(&ask("tsid=wrongwrong")), "102", "{query} {body}");
        assert_eq!(code(&ask(&format!("tsid={tsid}"))), with, "{query} {body}");
    }
}

#[test]
fn roles_decide_who_hears_and_who_adds() {
    let rig = Rig::new();
    let recid = rig.import(&pattern(1_000), Container::Mp3).facts.id;
    for (role, hears, adds) in [
        (Role::AgentView, false, false),
        (Role::Auditor, true, false),
        (Role::Supervisor, true, true),
        (Role::Admin, true, true),
    ] {
        let name = format!("{role:?}");
        let tsid = token_as(&rig, &user(&rig, &name, role));
        let heard = Ask::get(format!("{PLAY}?tsid={tsid}&recid={recid}")).ask(&rig);
        let status = format!("/api/v2/GetCallStatus.php?tsid={tsid}&recid={recid}");
        let status = Ask::get(status).ask(&rig);
        if hears {
            assert_eq!(heard.status, StatusCode::OK, "{role:?}");
            assert_eq!(code(&status), "0", "{role:?}");
        } else {
            // Nor is it told what there is.
            let nothing = Ask::get(format!("{PLAY}?tsid={tsid}&recid=777")).ask(&rig);
            assert_eq!([code(&heard), code(&nothing), code(&status)], ["123"; 3]);
        }
        let body = format!("tsid={tsid}");
        let added = form("/api/v2/CreateAudioFile.php", &body).ask(&rig);
        assert_eq!(code(&added), if adds { "400" } else { "123" }, "{role:?}");
    }
}

#[test]
fn a_login_gives_a_token_that_works_and_expires() {
    let rig = Rig::with(|config| config.access.session_absolute_s = 600);
    let supervisor = user(&rig, "eve@a.example", Role::Supervisor);
    let recid = rig.import(&pattern(1_000), Container::Mp3).facts.id;
    let answer = log_in(&rig, "EVE@a.example", true);
    assert_eq!(told(&answer, "user_id"), supervisor.user_id.to_string());
    assert_eq!(told(&answer, "expires_in"), "600");
    let tsid = told(&answer, "tsid");
    assert!((10..=64).contains(&tsid.len()));
    let play = || Ask::get(format!("{PLAY}?tsid={tsid}&recid={recid}")).ask(&rig);
    assert_eq!(play().status, StatusCode::OK);
    let keys = rig.site.storage.keys().unwrap().len();
    let head = Ask::get(USER_ID).method(Method::HEAD);
    let head = head.with("authorization", basic("eve@a.example", true));
    assert_eq!(head.ask(&rig).status, StatusCode::OK);
    assert_eq!(
        rig.site.storage.keys().unwrap().len(),
        keys,
        "HEAD changes nothing"
    );
    rig.clock.advance(Duration::from_secs(601));
    assert_eq!(code(&play()), "102");
    let name = UserName::new("eve@a.example").unwrap();
    let change = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    rig.site.storage.change_user(&name, change).unwrap();
    assert_eq!(code(&log_in(&rig, "eve@a.example", true)), "110");
}

#[test]
fn logins_are_refused_with_their_codes() {
    let rig = Rig::new();
    user(&rig, "eve", Role::Supervisor);
    for (header, expected) in [
        (None, "130"),
        (Some("Basic".to_owned()), "130"),
        (Some("Basic ?".to_owned()), "130"),
        (Some("Basic ZXZlOg==".to_owned()), "130"),
        (Some("Bearer xxxxxxxxxx".to_owned()), "130"),
        (Some(basic("eve", false)), "140"),
        (Some(basic("nobody", true)), "140"),
        (Some(basic("no such name \u{5e9}", true)), "140"),
    ] {
        let mut ask = Ask::get(format!("{USER_ID}?tsid=1"));
        if let Some(value) = &header {
            ask = ask.with("authorization", value.clone());
        }
        let answer = ask.ask(&rig);
        assert_eq!(code(&answer), expected, "{header:?}");
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Basic "), "{challenge}");
    }
    let odd = Ask::get(format!("{USER_ID}?tsid=2")).with("authorization", basic("eve", true));
    assert_eq!(code(&odd.ask(&rig)), "400");
    // In the query a password is none.
    let query = Ask::get(format!(
        "{USER_ID}?tsid=1&user=eve&password=correct%20horse"
    ));
    assert_eq!(code(&query.ask(&rig)), "130");
}

#[test]
fn too_many_failures_lock_user_and_address() {
    let rig = Rig::new();
    user(&rig, "eve", Role::Supervisor);
    user(&rig, "ann", Role::Supervisor);
    for _ in 0..5 {
        assert_eq!(code(&log_in(&rig, "eve", false)), "140");
    }
    let locked = log_in(&rig, "eve", true);
    assert_eq!(code(&locked), "132", "the right password does not help");
    assert!(locked.header("retry-after").is_some());
    assert_eq!(code(&log_in(&rig, "ann", true)), "0");
    let tsid = token_of(&rig, rig.tenant);
    // Five wrong passwords, and the login that was refused while locked.
    for _ in 6..20 {
        assert_eq!(code(&with_token("wrongwrong").ask(&rig)), "102");
    }
    for ask in [with_token("wrongwrong"), with_token(&tsid), Ask::get(PLAY)] {
        let answer = ask.ask(&rig);
        assert_eq!(
            (code(&answer), answer.status.as_u16()),
            ("131".to_owned(), 401)
        );
    }
    assert_eq!(code(&log_in(&rig, "ann", true)), "131");
    assert_eq!(code(&Ask::get(USER_ID).ask(&rig)), "131");
    rig.clock.advance(Duration::from_secs(601));
    assert_eq!(code(&with_token(&tsid).ask(&rig)), "230");
    assert_eq!(code(&log_in(&rig, "eve", true)), "0");
}
