//! The API document says what the code does: its paths and methods are those of the routes.

use std::collections::BTreeSet;

use super::*;
use crate::http::api::supervisor::Endpoint;

const DOCUMENT: &str = include_str!("../../openapi/supervisor.json");

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

#[test]
fn it_has_every_endpoint_with_its_methods() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let mut endpoints = Vec::new();
    for (path, operations) in paths {
        let rest = path.strip_prefix(BASE).unwrap().trim_start_matches('/');
        let filled = rest
            .split('/')
            .map(|part| if part.starts_with('{') { "1" } else { part });
        let filled = filled.collect::<Vec<_>>().join("/");
        let endpoint = Endpoint::of(&filled).unwrap_or_else(|| panic!("{path} is no route"));
        let told: BTreeSet<String> = operations.as_object().unwrap().keys().cloned().collect();
        let allowed = endpoint.allow().split(", ");
        let allowed = allowed.filter(|method| !["HEAD", "OPTIONS"].contains(method));
        let allowed: BTreeSet<String> = allowed.map(str::to_ascii_lowercase).collect();
        assert_eq!(told, allowed, "{path}");
        // The names in it do not count.
        let kind = format!("{endpoint:?}");
        endpoints.push(kind.split('(').next().unwrap().to_owned());
        for operation in operations.as_object().unwrap().values() {
            assert!(operation["responses"]["401"].is_object(), "{path}");
            let public = operation["security"].as_array().unwrap().is_empty();
            assert_eq!(public, operation["operationId"] == "signIn", "{path}");
        }
    }
    // As many as `Endpoint` has.
    assert_eq!(endpoints.len(), 29);
    let different: std::collections::HashSet<_> = endpoints.into_iter().collect();
    assert_eq!(different.len(), 29);
}

#[test]
fn its_schemas_are_what_is_answered() {
    let rig = rig();
    let boss = somebody(&rig, "boss", Role::Admin);
    let id = recording(&rig, Some("desk"), None).facts.id;
    boss.post(
        &rig,
        &format!("recordings/{id}/notes"),
        &json!({ "text": "x" }),
    );
    boss.post(
        &rig,
        &format!("recordings/{id}/holds"),
        &json!({ "reason": "x" }),
    );
    let document = document();
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let recording = boss.get(&rig, &format!("recordings/{id}")).json();
    for (schema, shown) in [
        ("Session", boss.get(&rig, "session").json()),
        ("Line", boss.get(&rig, "lines").json()["lines"][0].clone()),
        (
            "Row",
            boss.get(&rig, "recordings").json()["recordings"][0].clone(),
        ),
        ("Note", recording["notes"][0].clone()),
        ("Hold", recording["holds"][0].clone()),
        ("Recording", recording),
        (
            "Entry",
            boss.get(&rig, "audit").json()["entries"][0].clone(),
        ),
        (
            "User",
            boss.get(&rig, "admin/users").json()["users"][0].clone(),
        ),
        (
            "Key",
            boss.get(&rig, "admin/keys").json()["keys"][0].clone(),
        ),
        (
            "Tenant",
            boss.get(&rig, "admin/tenants").json()["tenants"][0].clone(),
        ),
    ] {
        let told = keys(&document["components"]["schemas"][schema]["properties"]);
        assert_eq!(keys(&shown), told, "{schema}");
    }
}

#[test]
fn the_document_is_served() {
    let rig = rig();
    let answer = Ask::get("/openapi/supervisor.json").ask(&rig);
    assert_eq!(answer.json(), document());
}
