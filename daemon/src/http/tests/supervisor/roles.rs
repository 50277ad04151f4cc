//! What each role may do, endpoint by endpoint, and whose recordings it sees.

use super::*;

/// Who may: an agent, a supervisor, an auditor, an administrator.
type May = [bool; 4];

const ALL: May = [true; 4];
const SUPERVISES: May = [false, true, false, true];
const EXPORTS: May = [false, true, true, true];
const AUDITS: May = [false, false, true, true];
const ADMIN: May = [false, false, false, true];
const NOBODY: May = [false; 4];

#[test]
fn every_endpoint_asks_for_its_right() {
    let rig = rig();
    let names = ["agent", "super", "auditor", "admin"];
    let roles = [
        Role::AgentView,
        Role::Supervisor,
        Role::Auditor,
        Role::Admin,
    ];
    let people: Vec<_> = names
        .iter()
        .zip(roles)
        .map(|(name, role)| somebody(&rig, name, role))
        .collect();
    let id = recording(&rig, Some("desk"), Some("agent")).facts.id;
    let of = |rest: &str| format!("recordings/{id}{rest}");
    let (get, post) = (Method::GET, Method::POST);
    let (put, patch, delete) = (Method::PUT, Method::PATCH, Method::DELETE);
    let none = json!({});
    // Bodies are wrong on purpose where something would change: whoever may is told 400.
    let cases: Vec<(Method, String, May)> = vec![
        (get.clone(), "session".into(), ALL),
        (get.clone(), "lines".into(), ALL),
        (get.clone(), "recordings".into(), ALL),
        (get.clone(), of(""), ALL),
        (get.clone(), of("/audio"), ALL),
        (post.clone(), of("/tags"), SUPERVISES),
        (delete.clone(), of("/tags"), SUPERVISES),
        (post.clone(), of("/notes"), SUPERVISES),
        (put.clone(), of("/notes/1"), SUPERVISES),
        (delete.clone(), of("/notes/1"), SUPERVISES),
        (post.clone(), of("/holds"), SUPERVISES),
        (post.clone(), of("/holds/1/lift"), SUPERVISES),
        (post.clone(), of("/keep-until"), SUPERVISES),
        (delete.clone(), of(""), ADMIN),
        (get.clone(), "exports".into(), EXPORTS),
        (post.clone(), "exports".into(), EXPORTS),
        (get.clone(), "exports/x".into(), EXPORTS),
        (delete.clone(), "exports/x".into(), EXPORTS),
        (get.clone(), "exports/x/file".into(), EXPORTS),
        (get.clone(), "exports/x/events".into(), EXPORTS),
        (get.clone(), "lines/desk/listen".into(), SUPERVISES),
        (get.clone(), "audit".into(), AUDITS),
        (get.clone(), "audit/key".into(), AUDITS),
        (get.clone(), "health".into(), EXPORTS),
        (get.clone(), "admin/users".into(), ADMIN),
        (post.clone(), "admin/users".into(), ADMIN),
        (patch.clone(), "admin/users/agent".into(), ADMIN),
        (delete.clone(), "admin/users/nobody".into(), ADMIN),
        (get.clone(), "admin/keys".into(), ADMIN),
        (post.clone(), "admin/keys".into(), ADMIN),
        (post.clone(), "admin/keys/99/rotate".into(), ADMIN),
        (post.clone(), "admin/keys/99/revoke".into(), ADMIN),
        (get.clone(), "admin/groups".into(), ADMIN),
        (get, "admin/tenants".into(), ADMIN),
        // Only administrators of the tenant that oversees all.
        (post, "admin/tenants".into(), NOBODY),
        (patch, "admin/tenants/a".into(), NOBODY),
    ];
    for (method, rest, may) in cases {
        for ((name, person), may) in names.iter().zip(&people).zip(may) {
            let answer = match method {
                Method::GET => person.get(&rig, &rest),
                _ => person.send(&rig, method.clone(), &rest, &none),
            };
            let refused = answer.status == StatusCode::FORBIDDEN;
            assert_eq!(
                !refused, may,
                "{method} {rest} by {name}: {}",
                answer.status
            );
            assert!(
                !answer.status.is_server_error(),
                "{method} {rest} by {name}"
            );
            if refused {
                assert_eq!(answer.code(), "forbidden", "{method} {rest} by {name}");
            }
        }
    }
}

#[test]
fn what_is_not_within_the_scope_does_not_exist() {
    let rig = rig();
    let desk = recording(&rig, Some("desk"), Some("anna")).facts.id;
    let shop = recording(&rig, Some("shop"), None).facts.id;
    let nowhere = recording(&rig, None, None).facts.id;
    add_in(
        &rig,
        (rig.tenant, "sales", Role::Supervisor),
        &["sales"],
        None,
    );
    add_in(&rig, (rig.tenant, "anna", Role::AgentView), &[], None);
    add_in(
        &rig,
        (rig.tenant, "shopkeeper", Role::AgentView),
        &[],
        Some("shop"),
    );
    add(&rig, rig.tenant, "whole", Role::Supervisor);
    add(&rig, other_tenant(&rig), "stranger", Role::Admin);
    let all = [desk, shop, nowhere];
    for (name, seen, lines) in [
        ("whole", vec![desk, shop, nowhere], vec!["desk", "shop"]),
        ("sales", vec![shop], vec!["shop"]),
        ("anna", vec![desk], vec![]),
        ("shopkeeper", vec![shop], vec!["shop"]),
        ("stranger", vec![], vec!["other"]),
    ] {
        let person = person(&rig, name);
        let mut found = ids(&person.get(&rig, "recordings"));
        found.sort();
        let mut expected: Vec<_> = seen.iter().map(ToString::to_string).collect();
        expected.sort();
        assert_eq!(found, expected, "{name}");
        for id in all {
            let is_seen = seen.contains(&id);
            let status = if is_seen {
                StatusCode::OK
            } else {
                StatusCode::NOT_FOUND
            };
            for rest in ["", "/audio"] {
                let answer = person.get(&rig, &format!("recordings/{id}{rest}"));
                assert_eq!(answer.status, status, "{name} {id}{rest}");
            }
        }
        let told = person.get(&rig, "lines").json();
        let told = told["lines"].as_array().unwrap().iter();
        let told: Vec<_> = told
            .map(|line| line["name"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(told, lines, "{name}");
    }
    let sales = person(&rig, "sales");
    for (rest, body) in [
        ("tags", json!({ "tags": ["x"] })),
        ("holds", json!({ "reason": "x" })),
        ("notes", json!({ "text": "x" })),
        ("keep-until", json!({ "at": 1 })),
    ] {
        let answer = sales.post(&rig, &format!("recordings/{desk}/{rest}"), &body);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{rest}");
    }
    let export = sales.post(&rig, "exports", &json!({ "ids": [desk.to_string()] }));
    assert_eq!(export.status, StatusCode::NOT_FOUND);
}

#[test]
fn administrators_have_their_tenant_and_overseers_all() {
    let rig = rig();
    add(&rig, other_tenant(&rig), "stranger", Role::Supervisor);
    let boss = somebody(&rig, "boss", Role::Admin);
    let users = boss.get(&rig, "admin/users").json();
    assert_eq!(users["users"].as_array().unwrap().len(), 1, "{users}");
    let change = json!({ "disabled": true });
    let gone = boss.send(&rig, Method::PATCH, "admin/users/stranger", &change);
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    let added = boss.post(
        &rig,
        "admin/users",
        &json!({ "name": "new", "role": "agent-view", "password": PASSWORD, "line": "desk" }),
    );
    assert_eq!(added.status, StatusCode::CREATED, "{:?}", added.body);
    assert_eq!(added.json()["user"]["line"], "desk");
    let changed = boss.send(
        &rig,
        Method::PATCH,
        "admin/users/new",
        &json!({ "line": null, "groups": ["sales"], "role": "supervisor" }),
    );
    assert_eq!(changed.json()["user"]["line"], Value::Null);
    assert_eq!(changed.json()["user"]["groups"], json!(["sales"]));
    let own = boss.send(
        &rig,
        Method::PATCH,
        "admin/users/boss",
        &json!({ "role": "auditor" }),
    );
    assert_eq!(own.code(), "conflict", "nobody gives their own rights away");
    let key = boss.post(&rig, "admin/keys", &json!({ "family": "task_audio" }));
    assert_eq!(key.status, StatusCode::CREATED, "{:?}", key.body);
    let secret = key.json()["secret"].as_str().unwrap().to_owned();
    let tasks = Ask::get("/api/v1/tasks").with("x-api-key", secret.clone());
    assert_eq!(tasks.ask(&rig).status, StatusCode::OK);
    let id = key.json()["key"]["key_id"].as_str().unwrap().to_owned();
    let revoked = boss.post(&rig, &format!("admin/keys/{id}/revoke"), &json!({}));
    assert_eq!(revoked.status, StatusCode::OK);
    let tasks = Ask::get("/api/v1/tasks").with("x-api-key", secret);
    assert_eq!(tasks.ask(&rig).status, StatusCode::UNAUTHORIZED);
    let family = boss.post(&rig, "admin/keys", &json!({ "family": "voice_log" }));
    assert_eq!(family.json()["error"]["field"], "family");
    assert_eq!(told(&rig, "user_added").len(), 1);
    assert_eq!(told(&rig, "key_revoked").len(), 1);

    let mut config = crate::config::schema::Config::clone(&rig.site.config.load());
    config.admin.tenant = Some("a".parse().unwrap());
    rig.site.config.store(Arc::new(config));
    assert_eq!(boss.get(&rig, "session").json()["can"]["tenants"], true);
    let users = boss.get(&rig, "admin/users").json();
    assert_eq!(users["users"].as_array().unwrap().len(), 3);
    let added = boss.post(&rig, "admin/tenants", &json!({ "name": "c" }));
    assert_eq!(added.status, StatusCode::CREATED);
    let again = boss.post(&rig, "admin/tenants", &json!({ "name": "c" }));
    assert_eq!(again.code(), "conflict");
    let off = boss.send(
        &rig,
        Method::PATCH,
        "admin/tenants/a",
        &json!({ "disabled": true }),
    );
    assert_eq!(
        off.code(),
        "conflict",
        "nobody switches off their own tenant"
    );
}

#[test]
fn auditors_read_who_did_what() {
    let rig = rig();
    let anna = somebody(&rig, "anna", Role::Supervisor);
    let auditor = somebody(&rig, "auditor", Role::Auditor);
    let id = recording(&rig, Some("desk"), None).facts.id;
    let sound = anna.get(&rig, &format!("recordings/{id}/audio"));
    assert_eq!(sound.status, StatusCode::OK);
    let saved = anna.get(&rig, &format!("recordings/{id}/audio?download=1"));
    let disposition = saved.header("content-disposition").unwrap();
    assert!(disposition.starts_with("attachment"), "{disposition}");
    let find = |query: &str| {
        let answer = auditor.get(&rig, &format!("audit?{query}"));
        assert_eq!(answer.status, StatusCode::OK, "{query}: {:?}", answer.body);
        answer.json()["entries"].as_array().unwrap().clone()
    };
    let plays = find(&format!("recording={id}&kind=play,download"));
    assert_eq!(plays.len(), 2, "{plays:?}");
    assert_eq!(plays[0]["who"]["name"], "anna");
    assert_eq!(plays[0]["hash"].as_str().unwrap().len(), 64);
    assert!(find("person=anna&kind=login").len() == 1);
    assert!(find("person=nobody").is_empty());
    for bad in [
        "cursor=x",
        "limit=0",
        "limit=9999",
        "kind=A",
        "from=x",
        "recording=x",
    ] {
        let answer = auditor.get(&rig, &format!("audit?{bad}"));
        assert_eq!(answer.code(), "invalid", "{bad}");
        assert!(answer.json()["error"]["field"].is_string(), "{bad}");
    }
    let mut seen = 0;
    let mut query = "limit=2".to_owned();
    loop {
        let page = auditor.get(&rig, &format!("audit?{query}")).json();
        let entries = page["entries"].as_array().unwrap();
        seen += entries.len();
        assert!(entries.iter().all(|entry| entry["tenant"] == "a"));
        match page["next"].as_str() {
            Some(next) => query = format!("limit=2&cursor={next}"),
            None => break,
        }
    }
    assert!(seen >= 5, "{seen}");
    let key = auditor.get(&rig, "audit/key").json();
    assert!(
        key["public_key_pem"]
            .as_str()
            .unwrap()
            .contains("BEGIN PUBLIC KEY")
    );
}
