//! Holds, tags, minimums and the audit trail over the control socket.

use serde_json::{Value, json};

use super::{Rig, code, talk};
use crate::cli::error::CliError;
use crate::control::wire::{self, ErrorCode};

async fn with_two(rig: &Rig) {
    let file = rig.wav();
    for name in ["acme", "beta"] {
        let wish = json!({ "name": name });
        let _: wire::Tenant = rig.client.post("/tenants", &wish).await.expect("added");
    }
    for (recid, tenant, from) in [("7", "acme", "+15550100"), ("8", "beta", "+15550101")] {
        let more = json!({ "recid": recid, "tenant": tenant, "from": from });
        rig.import(&file, more).await.expect("imported");
    }
}

async fn change(rig: &Rig, which: Value, change: Value) -> Result<wire::Kept, CliError> {
    let wish = json!({ "which": which, "change": change });
    rig.client.job("/keeping", &wish, |_| {}).await
}

#[test]
fn a_change_reaches_all_that_fit_and_no_other() {
    let rig = Rig::start();
    talk(async {
        with_two(&rig).await;
        let hold = || json!({ "hold": { "reason": "case 12" } });
        let refused = change(
            &rig,
            json!({ "names": ["7"] }),
            json!({ "hold": { "reason": "" } }),
        );
        assert_eq!(code(refused.await), ErrorCode::BadRequest);
        let nothing = change(&rig, json!({}), hold()).await;
        assert_eq!(code(nothing), ErrorCode::BadRequest);
        let both = json!({ "names": ["7"], "number": "+15550100" });
        assert_eq!(
            code(change(&rig, both, hold()).await),
            ErrorCode::BadRequest
        );
        let unknown = json!({ "names": ["7", "99"] });
        assert_eq!(
            code(change(&rig, unknown, hold()).await),
            ErrorCode::NotFound
        );
        let held: wire::HoldPage = rig.client.get("/holds").await.expect("a page");
        assert!(
            held.items.is_empty(),
            "one missing name changes nothing: {held:?}"
        );
        let twice = json!({ "names": ["7", "7"] });
        let kept = change(&rig, twice, hold()).await.expect("held");
        assert_eq!(kept.items.len(), 1, "each once");
        let number = json!({ "number": "+15550101" });
        let kept = change(&rig, number, hold()).await.expect("held");
        assert_eq!((kept.items.len(), kept.items[0].hold), (1, Some(1)));
        let page: wire::HoldPage = rig.client.get("/holds?limit=1").await.expect("a page");
        assert_eq!(page.items[0].recid, "7");
        let next = page.next.expect("there is more");
        let path = format!("/holds?limit=1&cursor={next}");
        let page: wire::HoldPage = rig.client.get(&path).await.expect("a page");
        assert_eq!((page.items[0].recid.as_str(), page.next), ("8", None));
        let beta: wire::HoldPage = rig.client.get("/holds?tenant=beta").await.expect("a page");
        assert_eq!(beta.items.len(), 1);
        let deleted = rig.client.delete::<Value>("/recordings/7").await;
        assert_eq!(code(deleted), ErrorCode::Conflict);
    });
}

#[test]
fn tags_page_like_all_recordings() {
    let rig = Rig::start();
    let file = rig.wav();
    talk(async {
        with_two(&rig).await;
        for n in 0..5_u32 {
            let at = format!("2026-11-21T06:14:0{n}Z");
            let recid = (20 + n).to_string();
            let more = json!({ "recid": recid, "started_at": at });
            rig.import(&file, more).await.expect("imported");
        }
        let names = json!({ "names": ["20", "22", "23", "24"] });
        let tag = json!({ "tag": { "tags": ["x"] } });
        let kept = change(&rig, names, tag).await.expect("tagged");
        assert!(kept.items.iter().all(|item| item.changed));
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/recordings?tag=x&limit=3{cursor}");
            let page: wire::Page = rig.client.get(&path).await.expect("a page");
            seen.extend(page.items.into_iter().map(|item| item.recid));
            let Some(next) = page.next else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, ["24", "23", "22", "20"]);
        let since = "/recordings?tag=x&since=2026-11-21T06:14:03Z";
        let page: wire::Page = rig.client.get(since).await.expect("a page");
        assert_eq!(page.items.len(), 2);
        let number = "/recordings?number=%2B15550101&limit=1";
        let page: wire::Page = rig.client.get(number).await.expect("a page");
        assert_eq!(page.items[0].recid, "8");
        let untag = json!({ "untag": { "tags": ["x"] } });
        let kept = change(&rig, json!({ "tag": "x" }), untag)
            .await
            .expect("untagged");
        assert_eq!(kept.items.len(), 4);
        let page: wire::Page = rig.client.get("/recordings?tag=x").await.expect("a page");
        assert!(page.items.is_empty());
    });
}

#[test]
fn minimums_grow_and_whoever_did_it_is_told() {
    let rig = Rig::start();
    talk(async {
        with_two(&rig).await;
        let seven = || json!({ "names": ["7"] });
        let until = |until: &str| json!({ "until": { "until": until } });
        let kept = change(&rig, seven(), until("2031-12-31"))
            .await
            .expect("kept");
        let told = kept.items[0].keeping.keep_until.as_deref();
        assert_eq!(told, Some("2031-12-31T00:00:00.000Z"));
        let kept = change(&rig, seven(), until("2030-01-01"))
            .await
            .expect("told");
        let error = kept.items[0].error.as_ref().expect("refused");
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(error.message.contains("2031-12-31"), "{}", error.message);
        let page: wire::AuditPage = rig
            .client
            .get("/audit?recording=7&kind=kept_until")
            .await
            .expect("a page");
        assert_eq!(page.items.len(), 1, "{page:?}");
        let who = page.items[0].who.as_ref().expect("somebody");
        let uid = nix::unistd::Uid::effective().to_string();
        assert_eq!(
            (who.kind.as_str(), who.id.as_deref()),
            ("command", Some(&*uid))
        );
        let path = format!("/audit?person=command:{uid}&kind=kept_until");
        let page: wire::AuditPage = rig.client.get(&path).await.expect("a page");
        assert_eq!(page.items.len(), 1);
        let path = format!("/audit/{}", page.items[0].seq);
        let proof: wire::AuditProof = rig.client.get(&path).await.expect("a proof");
        let key = rig.app.storage.ledger_key().expect("a key");
        let proven = proof.proof.expect("proved").verify(&[key]).expect("good");
        assert_eq!(proven.entry.seq, page.items[0].seq);
        let bad = rig.client.get::<Value>("/audit?kind=plya").await;
        assert_eq!(code(bad), ErrorCode::BadRequest);
        let none = rig.client.get::<Value>("/audit/999999").await;
        assert_eq!(code(none), ErrorCode::NotFound);
    });
}
