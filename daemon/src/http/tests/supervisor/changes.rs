//! What is changed of recordings, and what hostile input comes to.

use super::*;

#[test]
fn tags_and_holds_are_set_and_lifted_by_whom_they_are() {
    let rig = rig();
    let anna = somebody(&rig, "anna", Role::Supervisor);
    let bert = somebody(&rig, "bert", Role::Supervisor);
    let boss = somebody(&rig, "boss", Role::Admin);
    let id = recording(&rig, Some("desk"), None).facts.id;
    let of = |rest: &str| format!("recordings/{id}{rest}");
    let tagged = anna.post(&rig, &of("/tags"), &json!({ "tags": ["vip", "a.b"] }));
    assert_eq!(tagged.json()["tags"], json!(["a.b", "vip"]));
    let found = ids(&anna.get(&rig, "recordings?tag=vip"));
    assert_eq!(found, [id.to_string()]);
    let fewer = anna.send(
        &rig,
        Method::DELETE,
        &of("/tags"),
        &json!({ "tags": ["vip"] }),
    );
    assert_eq!(fewer.json()["tags"], json!(["a.b"]));
    assert!(ids(&anna.get(&rig, "recordings?tag=vip")).is_empty());

    let held = anna.post(&rig, &of("/holds"), &json!({ "reason": "case 7" }));
    assert_eq!(held.status, StatusCode::CREATED, "{:?}", held.body);
    assert_eq!(held.json()["hold"]["by"], "anna");
    let shown = anna.get(&rig, &of("")).json();
    assert_eq!(shown["held"], true);
    assert_eq!(shown["holds"][0]["reason"], "case 7");
    assert!(
        shown["kept_because"].as_str().unwrap().contains("held"),
        "{shown}"
    );
    assert_eq!(shown["hash"]["blake3"].as_str().unwrap().len(), 64);
    assert!(shown["chain"]["seq"].as_u64().unwrap() > 0, "{shown}");
    let kept = boss.send(
        &rig,
        Method::DELETE,
        &of(""),
        &json!({ "reason": "asked to" }),
    );
    assert_eq!(
        (kept.status, kept.code().as_str()),
        (StatusCode::CONFLICT, "kept")
    );
    let lift = json!({ "reason": "closed" });
    let others = bert.post(&rig, &of("/holds/1/lift"), &lift);
    assert_eq!(others.status, StatusCode::FORBIDDEN, "somebody else's hold");
    assert_eq!(
        bert.post(&rig, &of("/holds/2/lift"), &lift).status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        anna.post(&rig, &of("/holds/1/lift"), &lift).status,
        StatusCode::OK
    );
    anna.post(&rig, &of("/holds"), &json!({ "reason": "again" }));
    let by_boss = boss.post(&rig, &of("/holds/2/lift"), &lift);
    assert_eq!(by_boss.status, StatusCode::OK, "{:?}", by_boss.body);
    let entry = &told(&rig, "hold_lifted")[0];
    assert_eq!(entry.who.as_ref().unwrap().name.as_deref(), Some("boss"));
    assert_eq!(entry.from.as_deref(), Some("127.0.0.1"));
    for reason in ["", "  ", "a\u{7}b"] {
        let answer = anna.post(&rig, &of("/holds"), &json!({ "reason": reason }));
        assert_eq!(answer.json()["error"]["field"], "reason", "{reason:?}");
    }
}

#[test]
fn what_was_deleted_says_by_whom_and_why() {
    let rig = rig();
    let boss = somebody(&rig, "boss", Role::Admin);
    let anna = somebody(&rig, "anna", Role::Supervisor);
    add_in(
        &rig,
        (rig.tenant, "sales", Role::Supervisor),
        &["sales"],
        None,
    );
    let id = recording(&rig, Some("desk"), None).facts.id;
    let of = |rest: &str| format!("recordings/{id}{rest}");
    assert_eq!(anna.get(&rig, &of("/audio")).status, StatusCode::OK);
    let reason = json!({ "reason": "the caller asked for it" });
    assert_eq!(
        boss.send(&rig, Method::DELETE, &of(""), &reason).status,
        StatusCode::OK
    );
    for rest in ["", "/audio"] {
        let gone = anna.get(&rig, &of(rest));
        assert_eq!(
            (gone.status, gone.code().as_str()),
            (StatusCode::GONE, "gone"),
            "{rest}"
        );
        let error = &gone.json()["error"];
        assert_eq!(error["why"], "the caller asked for it");
        assert_eq!(error["by"], "boss");
        assert!(error["deleted_at"].as_u64().is_some());
    }
    let part = person(&rig, "sales").get(&rig, &of(""));
    assert_eq!(part.status, StatusCode::GONE);
    assert_eq!(
        part.json()["error"]["why"],
        Value::Null,
        "whose it was is not known"
    );
    assert_eq!(told(&rig, "deleted").len(), 1);
    let again = boss.send(&rig, Method::DELETE, &of(""), &reason);
    assert_eq!(again.status, StatusCode::GONE);
}

#[test]
fn hostile_notes_and_tags_are_text_or_refused() {
    let rig = rig();
    let anna = somebody(&rig, "anna", Role::Supervisor);
    let bert = somebody(&rig, "bert", Role::Supervisor);
    let id = recording(&rig, Some("desk"), None).facts.id;
    let notes = format!("recordings/{id}/notes");
    for text in [
        "<script>alert(1)</script>",
        "\u{202e}txet desrever",
        "{{7*7}} ${x} %00",
        "\u{1F600} and more",
    ] {
        let written = anna.post(&rig, &notes, &json!({ "text": text, "at_ms": 500 }));
        assert_eq!(
            written.status,
            StatusCode::CREATED,
            "{text:?}: {:?}",
            written.body
        );
        assert_eq!(written.json()["text"], text);
        assert_eq!(written.header("content-type"), Some("application/json"));
        assert_eq!(written.header("x-content-type-options"), Some("nosniff"));
    }
    let shown = anna.get(&rig, &format!("recordings/{id}")).json();
    assert_eq!(shown["notes"].as_array().unwrap().len(), 4);
    let first = shown["notes"][0]["id"].as_str().unwrap().to_owned();
    let others = bert.send(
        &rig,
        Method::PUT,
        &format!("{notes}/{first}"),
        &json!({ "text": "x" }),
    );
    assert_eq!(others.status, StatusCode::FORBIDDEN, "somebody else's note");
    let own = anna.send(
        &rig,
        Method::PUT,
        &format!("{notes}/{first}"),
        &json!({ "text": "x" }),
    );
    assert_eq!(own.json()["text"], "x");
    assert!(own.json()["edited_at"].is_u64());
    let gone = anna.send(
        &rig,
        Method::DELETE,
        &format!("{notes}/{first}"),
        &json!({}),
    );
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    for (body, status, code) in [
        (
            json!({ "text": "a".repeat(20_000) }),
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
        ),
        (
            json!({ "text": "a".repeat(200_000) }),
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
        ),
        (json!({ "text": "" }), StatusCode::BAD_REQUEST, "invalid"),
        (
            json!({ "text": "a\u{0}b" }),
            StatusCode::BAD_REQUEST,
            "invalid",
        ),
        (
            json!({ "text": "x", "at_ms": 99_999_999 }),
            StatusCode::BAD_REQUEST,
            "invalid",
        ),
        (
            json!({ "text": "x", "at_ms": -1 }),
            StatusCode::BAD_REQUEST,
            "invalid",
        ),
        (json!({ "text": ["x"] }), StatusCode::BAD_REQUEST, "invalid"),
    ] {
        let answer = anna.post(&rig, &notes, &body);
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
    }
    let tags = format!("recordings/{id}/tags");
    for tag in ["<b>", "a b", "", "\u{202e}", &"a".repeat(65), "a,b"] {
        let answer = anna.post(&rig, &tags, &json!({ "tags": [tag] }));
        assert_eq!(answer.json()["error"]["field"], "tags", "{tag:?}");
    }
    let none = anna.post(&rig, &tags, &json!({ "tags": [] }));
    assert_eq!(none.code(), "invalid");
}

#[test]
fn searches_are_paged_and_their_cursors_are_their_own() {
    let rig = rig();
    let anna = somebody(&rig, "anna", Role::Supervisor);
    let bert = somebody(&rig, "bert", Role::Supervisor);
    let all: Vec<_> = (0..5)
        .map(|_| recording(&rig, Some("desk"), None).facts.id.to_string())
        .collect();
    let mut found = Vec::new();
    let mut query = "limit=2".to_owned();
    loop {
        let answer = anna.get(&rig, &format!("recordings?{query}"));
        found.extend(ids(&answer));
        match answer.json()["next"].as_str() {
            Some(next) => query = format!("limit=2&cursor={next}"),
            None => break,
        }
    }
    found.sort();
    assert_eq!(found, all);
    let first = anna.get(&rig, "recordings?limit=2").json();
    let cursor = first["next"].as_str().unwrap();
    let row = &first["recordings"][0];
    assert_eq!(
        (row["state"].as_str(), row["line"].as_str()),
        (Some("sealed"), Some("desk"))
    );
    assert_eq!(row["duration_ms"], 1_000);
    let mut forged: Vec<char> = cursor.chars().collect();
    let last = forged.len() - 1;
    forged[last] = if forged[last] == 'A' { 'B' } else { 'A' };
    let forged: String = forged.into_iter().collect();
    for bad in [
        format!("limit=2&cursor={forged}"),
        "cursor=x".to_owned(),
        "cursor=".to_owned() + &"a".repeat(200),
        format!("limit=2&cursor={cursor}&line=shop"),
        "number=1".to_owned(),
        "from=x".to_owned(),
        "held=maybe".to_owned(),
        "order=up".to_owned(),
        "state=gone".to_owned(),
        "limit=0".to_owned(),
        "tag=a%20b".to_owned(),
        "q=".to_owned() + &"a".repeat(300),
    ] {
        let answer = anna.get(&rig, &format!("recordings?{bad}"));
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, "invalid"),
            "{bad}"
        );
    }
    let same = bert.get(&rig, &format!("recordings?limit=2&cursor={cursor}"));
    assert_eq!(
        same.status,
        StatusCode::OK,
        "whoever sees the same may go on"
    );
    for (query, count) in [
        ("number=493012", 5),
        ("number=3456", 5),
        ("number=999", 0),
        ("line=desk&held=0", 5),
        ("min_ms=2000", 0),
        ("direction=in", 0),
    ] {
        let found = ids(&anna.get(&rig, &format!("recordings?{query}")));
        assert_eq!(found.len(), count, "{query}");
    }
}
