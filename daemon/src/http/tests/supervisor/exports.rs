//! Exports: made, watched, fetched in ranges, deleted, and their user's alone.

use storage::export::verify;

use super::*;

/// Waits until an export is what it will be.
fn finished(rig: &Rig, who: &Person, id: &str) -> Value {
    // Its events end when it is: the answer is whole then.
    let events = who.get(rig, &format!("exports/{id}/events"));
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    let text = String::from_utf8_lossy(&events.body).into_owned();
    let last = text.split("data: ").last().unwrap().lines().next().unwrap();
    serde_json::from_str(last).unwrap()
}

fn begun(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{:?}", answer.body);
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[test]
fn an_export_is_made_and_proves_itself() {
    let rig = rig();
    let anna = somebody(&rig, "anna", Role::Supervisor);
    let bert = somebody(&rig, "bert", Role::Supervisor);
    let rows = [
        recording(&rig, Some("desk"), None),
        recording(&rig, Some("shop"), None),
    ];
    let names: Vec<_> = rows.iter().map(|row| row.facts.id.to_string()).collect();
    let id = begun(&anna.post(&rig, "exports", &json!({ "ids": names })));
    let last = finished(&rig, &anna, &id);
    assert_eq!(last["state"], "done", "{last}");
    assert_eq!(last["done"], last["total"]);
    let whole = anna.get(&rig, &format!("exports/{id}/file"));
    assert_eq!(whole.status, StatusCode::OK);
    assert_eq!(whole.body.len() as u64, last["bytes"].as_u64().unwrap());
    let report = verify(&whole.body[..], None, &mut |_| ()).unwrap();
    assert_eq!(report.recordings, 2);
    let part = Ask::get(path(&format!("exports/{id}/file")))
        .with("cookie", anna.cookie.clone())
        .with("range", "bytes=512-1023")
        .ask(&rig);
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.body, whole.body[512..1_024]);
    assert_eq!(
        told(&rig, "export").len(),
        3,
        "each recording, and the whole"
    );
    for rest in ["", "/file", "/events"] {
        let other = bert.get(&rig, &format!("exports/{id}{rest}"));
        assert_eq!(other.status, StatusCode::NOT_FOUND, "{rest}");
    }
    let query = json!({ "query": { "line": "shop" } });
    let second = begun(&anna.post(&rig, "exports", &query));
    assert_eq!(finished(&rig, &anna, &second)["state"], "done");
    let list = anna.get(&rig, "exports").json();
    assert_eq!(list["exports"].as_array().unwrap().len(), 2);
    let gone = anna.send(&rig, Method::DELETE, &format!("exports/{id}"), &json!({}));
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(
        anna.get(&rig, &format!("exports/{id}")).status,
        StatusCode::NOT_FOUND
    );
}

#[test]
fn what_cannot_be_exported_is_said() {
    let rig = rig();
    let anna = somebody(&rig, "anna", Role::Supervisor);
    let id = recording(&rig, Some("desk"), None).facts.id.to_string();
    for (body, status) in [
        (json!({}), StatusCode::BAD_REQUEST),
        (json!({ "ids": [] }), StatusCode::BAD_REQUEST),
        (json!({ "ids": ["x"] }), StatusCode::BAD_REQUEST),
        (json!({ "ids": ["99"] }), StatusCode::NOT_FOUND),
        (json!({ "ids": [id], "query": {} }), StatusCode::BAD_REQUEST),
        (
            json!({ "query": { "nonsense": 1 } }),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({ "query": { "number": "1" } }),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({ "ids": [id], "formats": "mp3" }),
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let answer = anna.post(&rig, "exports", &body);
        assert_eq!(answer.status, status, "{body}: {:?}", answer.body);
    }
    let nothing = begun(&anna.post(&rig, "exports", &json!({ "query": { "line": "none" } })));
    let failed = finished(&rig, &anna, &nothing);
    assert_eq!(failed["state"], "failed");
    assert!(
        failed["message"]
            .as_str()
            .unwrap()
            .contains("no such recordings"),
        "{failed}"
    );
    let file = anna.get(&rig, &format!("exports/{nothing}/file"));
    assert_eq!(file.code(), "conflict");
    for _ in 1..crate::http::limits::EXPORTS_A_USER {
        begun(&anna.post(&rig, "exports", &json!({ "ids": [id] })));
    }
    let full = anna.post(&rig, "exports", &json!({ "ids": [id] }));
    assert_eq!(full.code(), "conflict");
    rig.clock.advance(crate::http::limits::EXPORT_LIFE);
    let anna = person(&rig, "anna");
    assert_eq!(anna.get(&rig, "exports").json()["exports"], json!([]));
}
