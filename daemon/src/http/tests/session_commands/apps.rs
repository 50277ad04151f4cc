//! Applications, set by the administrator.

use http::Method;
use serde_json::json;
use storage::ids::AppId;

use super::super::client::{Answer, Ask};
use super::super::rig::Rig;
use crate::config::schema::Admin;
use crate::engine::webhook::sign;

const ADMIN: &str = "admin-key-0123456789";
const KEY: &str = "0123456789abcdef";

fn rig() -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, format!("  {ADMIN}\n")).unwrap();
    Rig::with(|config| config.admin.key_file = Some(file))
}

fn set(rig: &Rig, name: &str, body: &serde_json::Value) -> Answer {
    let ask = Ask::get(format!("/admin/apps/{name}")).json(&body.to_string());
    ask.with("x-admin-api-key", ADMIN).ask(rig)
}

fn lists(rig: &Rig, key: &str) -> u16 {
    let ask = Ask::get("/api/v1/sessions").with("x-app-id", "fresh");
    ask.with("x-api-key", key).ask(rig).status.as_u16()
}

#[test]
fn an_application_is_added_with_its_tenant_shown_and_set_anew() {
    let rig = rig();
    let wish = json!({
        "webhook_url": "https://app.example.com/hooks", "api_key": KEY, "rate_limit": 7,
        "events": ["call.new", "dtmf"],
    });
    let added = set(&rig, "fresh", &wish);
    assert_eq!(added.status, 201, "{added:?}");
    let told = added.json();
    let secret = told["webhook_secret"].as_str().unwrap().to_owned();
    assert!(sign::parse_secret(&secret).is_ok());
    let mut expected = json!({
        "app_id": "fresh", "webhook_url": "https://app.example.com/hooks", "rate_limit": 7,
        "events": ["call.new", "dtmf"], "created_at": "1994-11-06T08:49:37.500Z",
        "stopped_at": null,
    });
    let show = || {
        let ask = Ask::get("/admin/apps/fresh").with("x-admin-api-key", ADMIN);
        ask.ask(&rig)
    };
    assert_eq!(show().json(), expected, "without secrets");
    assert!(
        rig.site
            .storage
            .tenants()
            .unwrap()
            .iter()
            .any(|row| row.name.as_str() == "fresh")
    );
    let again = set(&rig, "fresh", &json!({ "api_key": "fedcba9876543210" }));
    assert_eq!(again.status, 200);
    assert_eq!(
        again.json(),
        expected,
        "what was left out stays; no secret: it was not made now"
    );
    let row = rig
        .site
        .storage
        .outbox()
        .application(&AppId::new("fresh").unwrap());
    assert_eq!(sign::secret_text(&row.unwrap().secret), secret);
    assert_eq!(lists(&rig, KEY), 401);
    let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let wish = json!({ "webhook_secret": own, "webhook_url": "", "events": [] });
    let third = set(&rig, "fresh", &wish);
    expected["webhook_url"] = json!(null);
    expected["events"] = json!([]);
    assert_eq!(third.json(), expected, "what is empty is taken away");
    assert_eq!(
        (
            third.status.as_u16(),
            third.json()["webhook_secret"].is_null()
        ),
        (200, true)
    );
    let row = rig
        .site
        .storage
        .outbox()
        .application(&AppId::new("fresh").unwrap());
    assert_eq!(sign::secret_text(&row.unwrap().secret), own);
    let head = Ask::get("/admin/apps/fresh").method(Method::HEAD);
    assert_eq!(head.with("x-admin-api-key", ADMIN).ask(&rig).status, 200);
}

#[test]
fn what_cannot_be_set_is_named() {
    let rig = rig();
    let long = "k".repeat(257);
    for (body, error) in [
        (json!({}), "api_key is missing"),
        (
            json!({ "api_key": "0123456789abcde" }),
            "api_key has an invalid format",
        ),
        (
            json!({ "api_key": "0123456789 abcdef" }),
            "api_key has an invalid format",
        ),
        (json!({ "api_key": long }), "api_key has an invalid format"),
        (json!({ "api_key": 5 }), "api_key is not a string"),
        (
            json!({ "api_key": KEY, "rate_limit": 0 }),
            "rate_limit is out of range",
        ),
        (
            json!({ "api_key": KEY, "rate_limit": 100_001 }),
            "rate_limit is out of range",
        ),
        (
            json!({ "api_key": KEY, "rate_limit": "9" }),
            "rate_limit is not an integer",
        ),
        (
            json!({ "api_key": KEY, "events": ["dtmf", "x.y"] }),
            "events[1] is not the name of an event",
        ),
        (
            json!({ "api_key": KEY, "events": "dtmf" }),
            "events is not an array of strings",
        ),
        (
            json!({ "api_key": KEY, "webhook_secret": "x" }),
            "webhook_secret has an invalid format",
        ),
    ] {
        let answer = set(&rig, "fresh", &body);
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (400, &json!(error))
        );
        assert!(answer.json()["detail"].is_string(), "{body}");
    }
    refuses_urls(&rig);
    let answer = set(&rig, "a%20b", &json!({ "api_key": KEY }));
    assert_eq!(answer.json()["error"], "app_id has an invalid format");
    assert!(
        !rig.site
            .storage
            .tenants()
            .unwrap()
            .iter()
            .any(|row| row.name.as_str() == "fresh")
    );
    let none = Ask::get("/admin/apps/fresh")
        .with("x-admin-api-key", ADMIN)
        .ask(&rig);
    assert_eq!(
        (none.status.as_u16(), &none.json()["error"]),
        (404, &json!("Application not found"))
    );
}

fn refuses_urls(rig: &Rig) {
    for (body, error) in [
        (
            json!({ "api_key": KEY, "webhook_url": "ftp://a.example/" }),
            "webhook_url: not an absolute http or https URL without a user",
        ),
        (
            json!({ "api_key": KEY, "webhook_url": "http://127.0.0.1/x" }),
            "webhook_url: leads to 127.0.0.1, which nothing may be delivered to unless \
             [webhooks] allow lists it",
        ),
    ] {
        let answer = set(rig, "fresh", &body);
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (400, &json!(error))
        );
        assert!(answer.json()["detail"].is_string(), "{body}");
    }
}

#[test]
fn only_the_administrator_is_let_in() {
    let rig = rig();
    let ask = || Ask::get("/admin/apps/a").json("{");
    let before = rig
        .site
        .metrics
        .auth_failures
        .load(std::sync::atomic::Ordering::Relaxed);
    for (ask, error) in [
        (ask(), "Missing admin API key"),
        (
            ask().with("x-admin-api-key", "admin-key-0123456788"),
            "Invalid admin API key",
        ),
        (
            ask()
                .with("x-admin-api-key", ADMIN)
                .with("x-admin-api-key", ADMIN),
            "Invalid admin API key",
        ),
    ] {
        let answer = ask.ask(&rig);
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (401, &json!(error))
        );
        assert!(answer.header("www-authenticate").is_some());
    }
    let after = rig
        .site
        .metrics
        .auth_failures
        .load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(after - before, 3);
}

#[test]
fn without_a_key_it_is_closed_and_a_reload_opens_it() {
    let rig = Rig::new();
    let ask = || {
        Ask::get("/admin/apps/a")
            .with("x-admin-api-key", ADMIN)
            .ask(&rig)
    };
    let answer = ask();
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["success"]),
        (503, &json!(false))
    );
    assert_eq!(answer.json()["error"], "No admin key is configured");
    let file = rig.folder.path().join("key");
    let config = Admin {
        key_file: Some(file.clone()),
        ..Admin::default()
    };
    rig.site.admin.reload(&config);
    assert_eq!(ask().json()["error"], "The admin key cannot be read");
    for bad in ["short", "two words of it all", &"x".repeat(2_000)] {
        std::fs::write(&file, bad).unwrap();
        rig.site.admin.reload(&config);
        assert_eq!(ask().status, 503, "{bad:.20}");
    }
    std::fs::write(&file, ADMIN).unwrap();
    rig.site.admin.reload(&config);
    assert_eq!(ask().status, 404);
}
