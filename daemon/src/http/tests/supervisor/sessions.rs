//! Signing in, cookies, and what guards against forged requests.

use std::time::Duration;

use super::*;

#[test]
fn a_session_is_a_cookie_that_scripts_cannot_read() {
    let rig = rig();
    add(&rig, rig.tenant, "anna", Role::Supervisor);
    for way in Way::ALL {
        let answer = sign_in(&rig, "anna", way);
        assert_eq!(answer.status, StatusCode::OK, "{way:?}");
        let cookie = answer.header("set-cookie").unwrap().to_owned();
        let secure = matches!(way, Way::TlsH1 | Way::TlsH2);
        assert_eq!(cookie.starts_with("__Host-callreel="), secure, "{cookie}");
        assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
        for flag in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
            assert!(cookie.contains(flag), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
        let pair = cookie.split(';').next().unwrap().to_owned();
        let again = Ask::get(path("session"))
            .with("cookie", pair)
            .send(&rig, way);
        assert_eq!(again.status, StatusCode::OK, "{way:?}");
        assert_eq!(again.json()["csrf"], answer.json()["csrf"]);
        assert!(again.header("set-cookie").is_none());
    }
    let body = sign_in(&rig, "anna", Way::PlainH1).json();
    assert_eq!(body["user"]["role"], "supervisor");
    assert_eq!(body["user"]["tenant"], "a");
    assert_eq!(body["can"]["delete"], false);
    assert_eq!(body["can"]["note"], true);
    assert!(body["expires_in_ms"].as_u64().unwrap() <= body["ends_in_ms"].as_u64().unwrap());
    // A proxy on this machine that serves HTTPS is believed.
    let proxied = Ask::get(path("session"))
        .json(&json!({ "name": "anna", "password": PASSWORD }).to_string())
        .with("x-forwarded-proto", "https")
        .ask(&rig);
    let cookie = proxied.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-callreel=") && cookie.contains("; Secure"));
}

#[test]
fn without_a_session_nothing_is_answered() {
    let rig = rig();
    for rest in [
        "session",
        "lines",
        "recordings",
        "recordings/1",
        "health",
        "admin/users",
    ] {
        let answer = Ask::get(path(rest)).ask(&rig);
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{rest}");
        assert_eq!(answer.code(), "unauthorized");
        let error = &answer.json()["error"];
        assert_eq!(error["request_id"], answer.header("x-request-id").unwrap());
    }
    for cookie in [
        "callreel=x",
        "callreel=a-ses-b-c",
        "callreel=a-ses-b; callreel=a-ses-b",
    ] {
        let answer = Ask::get(path("session")).with("cookie", cookie).ask(&rig);
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{cookie}");
    }
}

#[test]
fn a_session_ends_when_it_is_told_and_when_its_time_is_over() {
    let rig = rig();
    let anna = somebody(&rig, "anna", Role::Supervisor);
    let ended = anna.send(&rig, Method::DELETE, "session", &json!({}));
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert!(ended.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(anna.get(&rig, "session").code(), "session_expired");
    assert_eq!(told(&rig, "logout").len(), 1);
    let anna = person(&rig, "anna");
    rig.clock.advance(Duration::from_secs(1_799));
    assert_eq!(
        anna.get(&rig, "lines").status,
        StatusCode::OK,
        "use keeps it"
    );
    rig.clock.advance(Duration::from_secs(1_799));
    assert_eq!(anna.get(&rig, "lines").status, StatusCode::OK);
    rig.clock.advance(Duration::from_secs(1_801));
    let late = anna.get(&rig, "lines");
    assert_eq!(late.status, StatusCode::UNAUTHORIZED);
    assert_eq!(late.code(), "session_expired");
    assert_eq!(told(&rig, "login").len(), 2);
}

#[test]
fn forged_requests_are_refused() {
    let rig = rig();
    let anna = somebody(&rig, "anna", Role::Supervisor);
    let bert = somebody(&rig, "bert", Role::Supervisor);
    let id = recording(&rig, Some("desk"), None).facts.id;
    let ask = || {
        Ask::get(path(&format!("recordings/{id}/tags")))
            .json("{\"tags\":[\"x\"]}")
            .with("cookie", anna.cookie.clone())
    };
    let good = anna.csrf.clone();
    for (what, ask) in [
        ("no token", ask()),
        ("an empty token", ask().with("x-callreel-csrf", "")),
        (
            "another's token",
            ask().with("x-callreel-csrf", bert.csrf.clone()),
        ),
        (
            "two tokens",
            ask()
                .with("x-callreel-csrf", good.clone())
                .with("x-callreel-csrf", good.clone()),
        ),
        (
            "another site",
            ask()
                .with("x-callreel-csrf", good.clone())
                .with("origin", "http://evil.example"),
        ),
        (
            "another port",
            ask()
                .with("x-callreel-csrf", good.clone())
                .with("origin", "http://localhost:8081"),
        ),
        (
            "nowhere",
            ask()
                .with("x-callreel-csrf", good.clone())
                .with("origin", "null"),
        ),
        (
            "what the browser says",
            ask()
                .with("x-callreel-csrf", good.clone())
                .with("sec-fetch-site", "same-site"),
        ),
    ] {
        let answer = ask.ask(&rig);
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
        assert_eq!(answer.code(), "csrf", "{what}");
    }
    let right = ask()
        .with("x-callreel-csrf", good)
        .with("origin", "http://localhost")
        .with("sec-fetch-site", "same-origin");
    assert_eq!(right.ask(&rig).status, StatusCode::OK);
    // Programs show the token by itself: no browser does that on its own.
    let token = anna.cookie.split_once('=').unwrap().1;
    let mut program = ask().with("authorization", format!("Bearer {token}"));
    program.headers.retain(|(name, _)| *name != "cookie");
    assert_eq!(program.ask(&rig).status, StatusCode::OK);
    let elsewhere = Ask::get(path("session"))
        .json(&json!({ "name": "anna", "password": PASSWORD }).to_string())
        .with("origin", "http://evil.example");
    assert_eq!(elsewhere.ask(&rig).code(), "csrf");
}

#[test]
fn who_guesses_is_locked_out_and_told() {
    let rig = rig();
    let anna = somebody(&rig, "anna", Role::Supervisor);
    let guess = |password: &str| {
        let body = json!({ "name": "anna", "password": password }).to_string();
        Ask::get(path("session")).json(&body).ask(&rig)
    };
    let wrong = guess("wrong");
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (StatusCode::UNAUTHORIZED, "unauthorized")
    );
    let unknown = Ask::get(path("session"))
        .json("{\"name\":\"nobody\",\"password\":\"x\"}")
        .ask(&rig);
    assert_eq!(
        unknown.json()["error"]["message"],
        wrong.json()["error"]["message"]
    );
    let locked = (0..10)
        .map(|_| guess("wrong"))
        .find(|it| it.code() == "rate_limited");
    let locked = locked.expect("locked out in the end");
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(locked.header("retry-after").is_some());
    assert_eq!(guess(PASSWORD).status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        anna.get(&rig, "lines").status,
        StatusCode::OK,
        "open sessions go on"
    );
    assert!(!told(&rig, "login_failed").is_empty());
    for (body, status) in [
        ("{}", StatusCode::BAD_REQUEST),
        (
            "{\"name\":\"\",\"password\":\"x\"}",
            StatusCode::BAD_REQUEST,
        ),
        (
            "{\"name\":\"x\",\"password\":\"hunter2\",\"x\":1}",
            StatusCode::BAD_REQUEST,
        ),
        ("[", StatusCode::BAD_REQUEST),
    ] {
        let answer = Ask::get(path("session")).json(body).ask(&rig);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, "invalid"),
            "{body}"
        );
        assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"));
    }
    let mut form = Ask::get(path("session")).method(Method::POST);
    form.body = "name=anna".into();
    let form = form
        .with("content-type", "application/x-www-form-urlencoded")
        .ask(&rig);
    assert_eq!(form.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let long = format!("{{\"name\":\"{}\"}}", "a".repeat(70_000));
    assert_eq!(
        Ask::get(path("session")).json(&long).ask(&rig).code(),
        "too_large"
    );
}
