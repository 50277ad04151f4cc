//! Wishes that are granted, and those that are not.

use std::sync::Arc;

use audio_io::clock::SystemClock;
use storage::handle::{IoChoice, StoreOptions};

use super::*;

const KEY: &str = "0123456789abcdef";

fn held() -> Application {
    Application {
        key: storage::outbox::AppKey {
            tenant: TenantId(1),
            number: 1,
        },
        app_id: AppId::new("crm").unwrap(),
        webhook_url: Some("https://192.0.2.1/hook".into()),
        api_key_hash: [0; 32],
        rate_limit: 7,
        events: vec!["dtmf".into()],
        secret: new_secret().unwrap(),
        created_at: storage::record::WallMillis(0),
        stopped_at: None,
        revision: 1,
    }
}

fn wish() -> AppWish {
    AppWish {
        api_key: Some(KEY.into()),
        ..AppWish::default()
    }
}

fn refused(wish: AppWish) -> (&'static str, String) {
    let fault = wish.check(None, &[]).err().expect("refused");
    assert!(fault.detail().len() > 10, "{fault}");
    (fault.field().expect("a field"), fault.to_string())
}

#[test]
fn what_is_left_out_stays_or_has_a_default() {
    let new = wish().check(None, &[]).unwrap();
    assert_eq!((new.webhook_url, new.rate_limit), (None, 100));
    assert!(new.events.is_empty() && new.secret.is_none());
    let held = held();
    let kept = AppWish::default().check(Some(&held), &[]).unwrap();
    assert_eq!(kept.webhook_url, held.webhook_url);
    assert_eq!((kept.api_key, kept.rate_limit), (None, 7));
    assert_eq!(kept.events, held.events);
    let change = AppWish {
        webhook_url: Some(String::new()),
        events: Some(Vec::new()),
        new_secret: true,
        ..AppWish::default()
    };
    let changed = change.check(Some(&held), &[]).unwrap();
    assert_eq!(changed.webhook_url, None);
    assert!(changed.events.is_empty());
    assert!(changed.secret.is_some_and(|secret| secret != held.secret));
}

#[test]
fn faults_name_their_field() {
    let key = |text: &str| AppWish {
        api_key: Some(text.into()),
        ..AppWish::default()
    };
    assert_eq!(refused(AppWish::default()).0, "api_key");
    let long = "x".repeat(APP_KEY_MAX + 1);
    for bad in ["", "short", "0123456789 abcdef", "0123456789abcdé", &long] {
        assert_eq!(refused(key(bad)).0, "api_key", "{bad}");
    }
    assert!(key(&long[1..]).check(None, &[]).is_ok());
    let long = format!("https://example.com/{}", "x".repeat(WEBHOOK_URL_MAX));
    for bad in [
        "ftp://example.com/",
        "http://u:p@example.com/",
        "hook",
        "http://127.0.0.1/hook",
        "http://10.1.2.3/",
        "http://169.254.169.254/",
        &long,
    ] {
        let url = AppWish {
            webhook_url: Some(bad.into()),
            ..wish()
        };
        assert_eq!(refused(url).0, "webhook_url", "{bad}");
    }
    for bad in [0, RATE_LIMIT_MAX + 1, u32::MAX] {
        let rate = AppWish {
            rate_limit: Some(bad),
            ..wish()
        };
        assert_eq!(refused(rate).0, "rate_limit");
    }
    let events = AppWish {
        events: Some(vec!["dtmf".into(), "call".into()]),
        ..wish()
    };
    let (field, told) = refused(events);
    assert!(field == "events" && told.starts_with("events[1]"), "{told}");
}

#[test]
fn listed_networks_and_known_events_are_granted() {
    let wish = AppWish {
        webhook_url: Some("http://10.1.2.3:8000/hook".into()),
        events: Some(vec!["dtmf".into(), "call.new".into(), "dtmf".into()]),
        ..wish()
    };
    let allow = ["10.1.0.0/16".parse().unwrap()];
    let settings = wish.check(None, &allow).unwrap();
    assert_eq!(settings.events, ["call.new", "dtmf"]);
}

#[test]
fn setting_adds_the_tenant_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        data_dir: folder.path().to_owned(),
        index_cache_bytes: 8 << 20,
        io: IoChoice::Blocking,
    };
    let (storage, _seed, _) = StorageHandle::open(options, Arc::new(SystemClock)).unwrap();
    let app_id = AppId::new("crm").unwrap();
    let refused = set(&storage, &app_id, AppWish::default(), &[]);
    assert!(matches!(refused, Err(AppSetError::Wish(_))));
    assert!(storage.tenants().unwrap().is_empty(), "nothing was changed");
    let first = set(&storage, &app_id, wish(), &[]).unwrap();
    assert!(first.added && first.tenant_added && first.secret_made);
    let tenants = storage.tenants().unwrap();
    assert_eq!(tenants[0].name.as_str(), "crm");
    assert_eq!(first.application.key.tenant, tenants[0].id);
    let change = AppWish {
        rate_limit: Some(5),
        ..AppWish::default()
    };
    let second = set(&storage, &app_id, change, &[]).unwrap();
    assert!(!second.added && !second.tenant_added && !second.secret_made);
    assert_eq!(second.application.secret, first.application.secret);
    assert!(storage.outbox().check_application(&app_id, KEY).is_some());
}
