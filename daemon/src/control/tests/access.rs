//! Tenants, keys, users, lock-outs, signing keys and prompts over the control socket.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};
use storage::account::{KeyCheck, PasswordCheck, SessionLimits};
use storage::record::Family;

use super::{Rig, code, talk};
use crate::control::wire::{self, ErrorCode, Items};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3));
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
const LIMITS: SessionLimits = SessionLimits {
    idle_ms: 60_000,
    absolute_ms: 600_000,
    per_user: 16,
};

impl Rig {
    async fn tenant(&self, name: &str) -> wire::Tenant {
        let wish = json!({ "name": name });
        self.client.post("/tenants", &wish).await.expect("added")
    }

    fn opens(&self, secret: &str, from: IpAddr) -> bool {
        let check = self.app.storage.check_key(Family::TaskAudio, secret, from);
        matches!(check, KeyCheck::Valid(_))
    }
}

#[test]
fn tenants_are_changed() {
    let rig = Rig::start();
    talk(async {
        let added = rig.tenant("acme").await;
        assert_eq!((added.keep_as.as_str(), added.disabled_at), ("wav", None));
        let key = json!({ "tenant": "acme", "family": "task_audio" });
        let key: wire::IssuedKey = rig.client.post("/keys", &key).await.expect("issued");
        let set = async |wish: Value| {
            let changed = rig.client.patch::<wire::Tenant>("/tenants/acme", &wish);
            changed.await
        };
        let kept = set(json!({ "keep_as": "m4a" })).await.expect("changed");
        assert_eq!((kept.keep_as.as_str(), kept.disabled_at), ("m4a", None));
        assert!(rig.opens(&key.secret, HERE));
        let off = set(json!({ "disabled": true })).await.expect("changed");
        assert!(off.disabled_at.is_some() && !rig.opens(&key.secret, HERE));
        let on = set(json!({ "disabled": false, "keep_as": "wav" })).await;
        assert_eq!(on.expect("changed").disabled_at, None);
        assert!(rig.opens(&key.secret, HERE));
        assert_eq!(code(set(json!({})).await), ErrorCode::BadRequest);
        assert_eq!(
            code(set(json!({ "keep_as": "aac" })).await),
            ErrorCode::BadRequest
        );
        let off = json!({ "disabled": true });
        let nobody = rig.client.patch::<Value>("/tenants/none", &off).await;
        assert_eq!(code(nobody), ErrorCode::NotFound);
    });
}

#[test]
fn keys_have_networks_expire_and_are_rotated() {
    let rig = Rig::start();
    talk(async {
        rig.tenant("acme").await;
        let issue = async |more: Value| {
            let mut wish = json!({ "tenant": "acme", "family": "task_audio" });
            let more = more.as_object().expect("an object").clone();
            wish.as_object_mut().expect("an object").extend(more);
            rig.client.post::<wire::IssuedKey>("/keys", &wish).await
        };
        let wish = json!({ "allow": ["10.1.0.0/16"], "expires": { "in_s": 3600 } });
        let issued = issue(wish).await.expect("issued");
        assert_eq!(issued.key.allow.len(), 1);
        assert!(issued.key.expires_at.is_some());
        assert!(rig.opens(&issued.secret, HERE) && !rig.opens(&issued.secret, THERE));

        let rotate = async |id: &str, grace_s: u64| {
            let wish = json!({ "grace_s": grace_s });
            let path = format!("/keys/{id}/rotate");
            rig.client.post::<wire::IssuedKey>(&path, &wish).await
        };
        let second = rotate(&issued.key.key_id, 3_600).await.expect("rotated");
        assert_ne!(second.key.key_id, issued.key.key_id);
        assert_eq!(second.key.allow, issued.key.allow);
        assert!(rig.opens(&issued.secret, HERE) && rig.opens(&second.secret, HERE));
        let third = rotate(&second.key.key_id, 0).await.expect("rotated");
        assert!(!rig.opens(&second.secret, HERE) && rig.opens(&third.secret, HERE));
        assert_eq!(code(rotate("999999", 0).await), ErrorCode::NotFound);

        for bad in [
            json!({ "expires": { "at": "2001-01-01" } }),
            json!({ "expires": { "in_s": 0 } }),
            json!({ "expires": "1d" }),
            json!({ "allow": ["10.0.0.0/33"] }),
            json!({ "allow": vec!["10.0.0.0/8"; 65] }),
            json!({ "label": "a\u{7}" }),
            json!({ "family": "voice_log" }),
        ] {
            let refused = code(issue(bad.clone()).await);
            assert_eq!(refused, ErrorCode::BadRequest, "{bad}");
        }
        let listed: Value = rig.client.get("/keys").await.expect("a list");
        for secret in [&issued.secret, &second.secret, &third.secret] {
            assert!(!listed.to_string().contains(secret));
        }
    });
}

#[test]
fn users_are_added_changed_logged_out_and_removed() {
    let rig = Rig::start();
    talk(async {
        rig.tenant("acme").await;
        let storage = &rig.app.storage;
        let knows = |password: &str| match storage.check_password("boss@acme", password, HERE) {
            PasswordCheck::Valid(user) => Some(*user),
            _ => None,
        };
        let wish = json!({
            "name": "boss@acme", "tenant": "acme", "role": "supervisor", "password": "first one",
        });
        let added: wire::AddedUser = rig.client.post("/users", &wish).await.expect("added");
        assert_eq!(
            (added.user.name.as_str(), added.user.tenant.as_str()),
            ("boss@acme", "acme")
        );
        let again = rig.client.post::<Value>("/users", &wish).await;
        assert_eq!(code(again), ErrorCode::Conflict);
        let row = knows("first one").expect("the password is right");
        let (_, token) = storage
            .open_session(&row, HERE, LIMITS, false)
            .expect("a session");
        let sessions: Value = rig.client.get("/sessions").await.expect("a list");
        assert_eq!(sessions["items"][0]["user"], "boss@acme");
        assert!(!sessions.to_string().contains(&token));

        let set = async |wish: Value| {
            let changed = rig.client.patch::<wire::User>("/users/boss%40acme", &wish);
            changed.await
        };
        set(json!({ "password": "second one" }))
            .await
            .expect("changed");
        assert!(
            knows("first one").is_none() && storage.use_session(&token, HERE, LIMITS).is_none()
        );
        let row = knows("second one").expect("the password is right");
        storage
            .open_session(&row, HERE, LIMITS, false)
            .expect("a session");
        let ended = rig
            .client
            .delete::<wire::LoggedOut>("/users/BOSS%40acme/sessions")
            .await;
        assert_eq!(ended.expect("ended").sessions, 1);
        set(json!({ "role": "admin", "allow": ["203.0.113.0/24"] }))
            .await
            .expect("changed");
        assert!(knows("second one").is_none(), "not from here any more");
        let off = set(json!({ "allow": [], "disabled": true }))
            .await
            .expect("changed");
        assert!(off.disabled_at.is_some() && knows("second one").is_none());
    });
}

#[test]
fn users_are_listed_without_hashes_and_removed() {
    let rig = Rig::start();
    talk(async {
        rig.tenant("acme").await;
        let wish = json!({
            "name": "boss@acme", "tenant": "acme", "role": "admin", "password": "first one",
        });
        let _: wire::AddedUser = rig.client.post("/users", &wish).await.expect("added");
        let set = async |wish: Value| {
            let changed = rig.client.patch::<wire::User>("/users/boss%40acme", &wish);
            changed.await
        };
        let users: Value = rig.client.get("/users").await.expect("a list");
        assert_eq!(users["items"][0]["role"], "admin");
        assert!(
            !users.to_string().contains("argon2"),
            "hashes stay in the store"
        );
        assert_eq!(code(set(json!({})).await), ErrorCode::BadRequest);
        assert_eq!(
            code(set(json!({ "password": "short" })).await),
            ErrorCode::BadRequest
        );
        let _: wire::User = rig
            .client
            .delete("/users/boss%40acme")
            .await
            .expect("removed");
        let gone = rig.client.delete::<Value>("/users/boss%40acme").await;
        assert_eq!(code(gone), ErrorCode::NotFound);
        assert_eq!(
            code(set(json!({ "disabled": false })).await),
            ErrorCode::NotFound
        );
        let gone = rig
            .client
            .delete::<Value>("/users/boss%40acme/sessions")
            .await;
        assert_eq!(code(gone), ErrorCode::NotFound);
    });
}

#[test]
fn locks_are_listed_and_cleared() {
    let rig = Rig::start();
    talk(async {
        for _ in 0..20 {
            rig.app.storage.count_failure(THERE, Some("Boss@acme"));
        }
        let locks: Items<wire::Lock> = rig.client.get("/locks").await.expect("a list");
        let mut subjects: Vec<_> = locks
            .items
            .iter()
            .map(|lock| lock.subject.as_str())
            .collect();
        subjects.sort_unstable();
        assert_eq!(subjects, ["203.0.113.7", "boss@acme"]);
        for subject in ["203.0.113.7", "BOSS%40acme"] {
            let path = format!("/locks/{subject}");
            let _: wire::Cleared = rig.client.delete(&path).await.expect("cleared");
            let again = rig.client.delete::<Value>(&path).await;
            assert_eq!(code(again), ErrorCode::NotFound);
        }
        assert!(rig.app.storage.locked(THERE, Some("boss@acme")).is_none());
    });
}

#[test]
fn signing_keys_are_rotated_and_retired() {
    let rig = Rig::start();
    talk(async {
        let list = async || {
            let keys = rig
                .client
                .get::<Items<wire::SigningKey>>("/signing-keys")
                .await;
            keys.expect("a list").items
        };
        let first = list().await;
        assert!(first.len() == 1 && first[0].signs);
        let rotate = async |retire_old: bool| {
            let wish = json!({ "retire_old": retire_old });
            let keys = rig
                .client
                .post::<Items<wire::SigningKey>>("/signing-keys", &wish)
                .await;
            keys.expect("rotated").items
        };
        let second = rotate(false).await;
        let signing: Vec<_> = second.iter().filter(|key| key.signs).collect();
        assert!(signing.len() == 1 && signing[0].id != first[0].id);
        assert!(second.iter().all(|key| key.retired_at.is_none()));
        let path = format!("/signing-keys/{}", first[0].id);
        let retired: Items<wire::SigningKey> = rig.client.delete(&path).await.expect("retired");
        let old = retired.items.iter().find(|key| key.id == first[0].id);
        assert!(old.is_none_or(|key| key.retired_at.is_some() && !key.signs));
        let third = rotate(true).await;
        assert_eq!(
            third.iter().filter(|key| key.retired_at.is_none()).count(),
            1
        );
        let unknown = rig.client.delete::<Value>("/signing-keys/4000000").await;
        assert_eq!(code(unknown), ErrorCode::NotFound);
        let text = serde_json::to_string(&third).expect("JSON");
        assert!(!text.contains("secret"), "secrets stay in the store");
    });
}

#[test]
fn prompts_are_added_saved_and_deleted() {
    let rig = Rig::start();
    let file = rig.wav();
    talk(async {
        rig.tenant("acme").await;
        let add = async |name: &str, origin: Value| {
            let wish = json!({ "tenant": "acme", "name": name, "origin": origin });
            rig.client.post::<wire::Prompt>("/prompts", &wish).await
        };
        let upload = add("greeting", json!({ "file": { "path": file } })).await;
        let upload = upload.expect("added");
        let sound = upload.sound.as_ref().expect("copied at once");
        assert_eq!(
            (sound.container.as_str(), sound.duration_ms),
            ("wav", 1_000)
        );
        let speech = json!({ "speech": { "text": "We are closed.", "voice": "es" } });
        let speech = add("closed", speech).await.expect("added");
        assert!(speech.sound.is_none(), "spoken when it is first played");
        let list = async |query: &str| {
            let path = format!("/prompts{query}");
            let prompts = rig.client.get::<Items<wire::Prompt>>(&path).await;
            let ids = prompts.expect("a list").items.into_iter();
            ids.map(|prompt| prompt.prompt_id).collect::<Vec<_>>()
        };
        let both = [speech.prompt_id.clone(), upload.prompt_id.clone()];
        assert_eq!(list("?tenant=acme").await, both, "newest first");
        let mut bytes = Vec::new();
        let take = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        let path = format!("/prompts/{}", upload.prompt_id);
        rig.client
            .download(&format!("{path}/audio"), take)
            .await
            .expect("saved");
        assert_eq!(bytes, std::fs::read(&file).expect("the original"));
        let _: wire::Prompt = rig.client.delete(&path).await.expect("deleted");
        assert_eq!(
            code(rig.client.delete::<Value>(&path).await),
            ErrorCode::NotFound
        );
        assert_eq!(list("").await, both[..1]);
        assert_eq!(list("?deleted=true").await, both);
    });
}

#[test]
fn bad_prompts_are_refused() {
    let rig = Rig::start();
    talk(async {
        rig.tenant("acme").await;
        let add = async |name: &str, origin: Value| {
            let wish = json!({ "tenant": "acme", "name": name, "origin": origin });
            rig.client.post::<wire::Prompt>("/prompts", &wish).await
        };
        let text = rig.folder.path().join("text.wav");
        std::fs::write(&text, "no sound at all").expect("a file");
        for (origin, expected) in [
            (json!({ "file": { "path": text } }), ErrorCode::Unusable),
            (
                json!({ "file": { "path": "greeting.wav" } }),
                ErrorCode::BadRequest,
            ),
            (
                json!({ "url": { "url": "ftp://x/y" } }),
                ErrorCode::BadRequest,
            ),
            (
                json!({ "url": { "url": "http://u:p@x/y" } }),
                ErrorCode::BadRequest,
            ),
            (json!({ "speech": { "text": " " } }), ErrorCode::BadRequest),
            (
                json!({ "speech": { "text": "a", "voice": "-w/etc" } }),
                ErrorCode::BadRequest,
            ),
            (
                json!({ "speech": { "text": "x".repeat(10_001) } }),
                ErrorCode::BadRequest,
            ),
        ] {
            let refused = code(add("bad", origin.clone()).await);
            assert_eq!(refused, expected, "{origin}");
        }
        let nameless = add("", json!({ "speech": { "text": "a" } })).await;
        assert_eq!(code(nameless), ErrorCode::BadRequest);
        let unknown = rig.client.get::<Value>("/prompts/999/audio").await;
        assert_eq!(code(unknown), ErrorCode::NotFound);
        let nobody = rig.client.get::<Value>("/prompts?tenant=nobody").await;
        assert_eq!(code(nobody), ErrorCode::NotFound);
    });
}
