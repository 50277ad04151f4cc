//! Applications, dead letters and replays over the control socket.

use serde_json::{Value, json};
use storage::ids::AppId;
use storage::outbox::{DeadCause, NewEvent};
use uuid::Uuid;

use super::{Rig, code, talk};
use crate::control::wire::{
    AppWasSet, Application, DeadLetter, DeadLetters, ErrorCode, Items, Replayed, Status,
};

const KEY: &str = "0123456789abcdef";

impl Rig {
    async fn set_app(&self, wish: Value) -> AppWasSet {
        let set = self.client.post("/apps/crm", &wish).await;
        set.expect("set")
    }

    /// Makes dead letters of so many events.
    async fn dead_letters(&self, count: u128) -> Vec<Uuid> {
        let outbox = self.app.storage.outbox();
        let app = outbox.application(&AppId::new("crm").expect("a name"));
        let app = app.expect("set").key;
        let events = (1..=count).map(|number| NewEvent {
            id: Uuid::from_u128(number),
            session: Uuid::from_u128(number << 64),
            event: "dtmf".into(),
            data: r#"{"digit":"5"}"#.into(),
        });
        let events: Vec<_> = events.collect();
        let ids = events.iter().map(|event| event.id).collect();
        outbox.append(app, events).expect("appended");
        let due = outbox.due(outbox.now(), 100).expect("readable");
        for (place, _) in due.events {
            let dead = outbox.dead(place, "refused", DeadCause::Undeliverable);
            dead.await.expect("dead");
        }
        ids
    }
}

#[test]
fn applications_are_set_and_their_secrets_shown_once() {
    let rig = Rig::start();
    talk(async {
        let wish = json!({ "webhook_url": "https://192.0.2.1/hook", "api_key": KEY });
        let first = rig.set_app(wish).await;
        assert!(first.added && first.tenant_added);
        let secret = first.secret.expect("shown");
        assert!(secret.starts_with("whsec_"));
        let app_id = AppId::new("crm").expect("a name");
        let outbox = rig.app.storage.outbox();
        assert!(outbox.check_application(&app_id, KEY).is_some());
        let second = rig
            .set_app(json!({ "rate_limit": 7, "events": ["dtmf"] }))
            .await;
        assert!(!second.added && second.secret.is_none());
        assert_eq!(
            second.application.webhook_url.as_deref(),
            Some("https://192.0.2.1/hook")
        );
        let third = rig
            .set_app(json!({ "new_secret": true, "webhook_url": "" }))
            .await;
        assert!(third.secret.is_some_and(|new| new != secret));
        let shown: Value = rig.client.get("/apps/crm").await.expect("shown");
        assert_eq!(
            (&shown["rate_limit"], &shown["webhook_url"]),
            (&json!(7), &Value::Null)
        );
        for hidden in [KEY, "whsec_"] {
            assert!(!shown.to_string().contains(hidden));
        }
        let listed: Items<Application> = rig.client.get("/apps").await.expect("a list");
        assert_eq!(listed.items[0].tenant, "crm");
    });
}

#[test]
fn applications_that_cannot_be_are_refused_by_field() {
    let rig = Rig::start();
    talk(async {
        for (bad, field) in [
            (json!({}), "--generate-key"),
            (json!({ "api_key": "short" }), "api_key"),
            (json!({ "api_key": KEY, "rate_limit": 0 }), "rate_limit"),
            (json!({ "api_key": KEY, "events": ["ring"] }), "events[0]"),
            (
                json!({ "api_key": KEY, "webhook_url": "http://127.0.0.1/" }),
                "webhook_url",
            ),
            (json!({ "key": KEY }), "key"),
        ] {
            let refused = rig.client.post::<Value>("/apps/crm", &bad).await;
            let text = refused.as_ref().err().map(ToString::to_string);
            assert!(text.is_some_and(|text| text.contains(field)), "{bad}");
            assert_eq!(code(refused), ErrorCode::BadRequest, "{bad}");
        }
        let get = async |path: &str| code(rig.client.get::<Value>(path).await);
        assert_eq!(get("/apps/crm").await, ErrorCode::NotFound);
        assert_eq!(get("/apps?tenant=crm").await, ErrorCode::NotFound);
        assert!(rig.app.storage.tenants().expect("tenants").is_empty());
    });
}

#[test]
fn dead_letters_are_listed_shown_and_replayed() {
    let rig = Rig::start();
    talk(async {
        let wish = json!({ "webhook_url": "https://192.0.2.1/hook", "api_key": KEY });
        rig.set_app(wish).await;
        let ids = rig.dead_letters(3).await;
        let status: Status = rig.client.get("/status").await.expect("a status");
        assert_eq!((status.webhooks.applications, status.webhooks.dead), (1, 3));
        let dead = async |query: &str| -> DeadLetters {
            let path = format!("/webhooks/dead{query}");
            rig.client.get(&path).await.expect("a list")
        };
        let page = dead("?tenant=crm&limit=2").await;
        assert_eq!((page.items.len(), page.total), (2, 3));
        assert_eq!(page.items[0].last_error.as_deref(), Some("refused"));
        let path = format!("/webhooks/dead/{}", ids[2]);
        let shown: DeadLetter = rig.client.get(&path).await.expect("shown");
        let body = shown.body.expect("a body");
        assert_eq!(
            (&body["event"], &body["digit"]),
            (&json!("dtmf"), &json!("5"))
        );

        let replay = async |mut wish: Value| -> Replayed {
            wish["tenant"] = "crm".into();
            let done = rig.client.post("/webhooks/replay", &wish).await;
            done.expect("replayed")
        };
        let dry = replay(json!({ "dry_run": true })).await;
        assert_eq!((dry.found, dry.replayed), (3, 0));
        let stranger = Uuid::from_u128(77);
        let one = replay(json!({ "ids": [ids[1], stranger] })).await;
        assert_eq!(
            (one.found, one.replayed, one.unknown),
            (1, 1, vec![stranger])
        );
        let rest = replay(json!({})).await;
        assert_eq!((rest.found, rest.replayed), (2, 2));
        assert_eq!(dead("").await.total, 0);
        let app: Application = rig.client.get("/apps/crm").await.expect("shown");
        assert_eq!((app.webhooks.waiting, app.webhooks.dead), (3, 0));
        let gone = rig.client.get::<Value>(&path).await;
        assert_eq!(code(gone), ErrorCode::NotFound);
        let many = json!({ "tenant": "crm", "ids": vec![stranger; 1_001] });
        let refused = rig.client.post::<Value>("/webhooks/replay", &many).await;
        assert_eq!(code(refused), ErrorCode::BadRequest);
    });
}
