//! Applications: set, kept, checked, stopped.

use super::*;
use crate::error::WriteError;
use crate::ids::TenantName;
use crate::limits::{APP_KEY_MIN, OUTBOX_FILTER_MAX, WEBHOOK_URL_MAX};
use crate::outbox::{OutboxError, WebhookSecret};

#[test]
fn an_application_is_kept_and_opened_by_its_key_alone() {
    let store = Store::new();
    let crm = add(&store, "crm");
    assert_eq!(crm.secret.bytes().len(), 32);
    let shown = format!("{crm:?}");
    assert!(shown.contains("secret: WebhookSecret"), "{shown}");
    let store = store.reopen();
    let outbox = store.handle.outbox();
    assert_eq!(outbox.application(&app_id("crm")).as_ref(), Some(&crm));
    assert_eq!(outbox.applications(Some(store.tenant)), [Arc::clone(&crm)]);
    let check = |id, key| outbox.check_application(&app_id(id), key);
    assert_eq!(check("crm", KEY).as_ref(), Some(&crm));
    assert_eq!(check("crm", "0123456789abcdeF"), None);
    assert_eq!(check("crm", ""), None);
    assert_eq!(check("other", KEY), None);
    let other = add(&store, "other");
    assert!(other.key.number > crm.key.number);
    assert_ne!(other.secret, crm.secret);
}

#[test]
fn setting_again_keeps_what_is_left_out() {
    let store = Store::new();
    let first = add(&store, "crm");
    let outbox = store.handle.outbox();
    let again = AppSettings {
        api_key: None,
        webhook_url: None,
        rate_limit: 7,
        ..settings()
    };
    let second = outbox
        .put_application(store.tenant, &app_id("crm"), again)
        .unwrap();
    assert_eq!((second.key, &second.secret), (first.key, &first.secret));
    assert_eq!((second.rate_limit, &second.webhook_url), (7, &None));
    assert_eq!(second.api_key_hash, first.api_key_hash);
    assert_eq!(second.created_at, first.created_at);
    let secret = WebhookSecret::new(vec![7; 24]).unwrap();
    let third = AppSettings {
        secret: Some(secret.clone()),
        ..settings()
    };
    let third = outbox
        .put_application(store.tenant, &app_id("crm"), third)
        .unwrap();
    assert_eq!(third.secret, secret);
    assert_eq!(outbox.applications(None).len(), 1);
}

#[test]
fn a_stopped_application_goes_on_when_it_is_set_again() {
    let store = Store::new();
    let crm = add(&store, "crm");
    let outbox = store.handle.outbox();
    append(&outbox, crm.key, vec![event(1, 1)]);
    outbox.stop_application(crm.key, crm.revision + 1).unwrap();
    assert_eq!(due(&outbox, 9).events.len(), 1, "it was set anew meanwhile");
    outbox.stop_application(crm.key, crm.revision).unwrap();
    assert!(due(&outbox, 9).events.is_empty());
    append(&outbox, crm.key, vec![event(1, 2)]);
    drop(outbox);
    let store = store.reopen();
    let outbox = store.handle.outbox();
    assert!(
        outbox
            .application(&app_id("crm"))
            .unwrap()
            .stopped_at
            .is_some()
    );
    assert!(due(&outbox, 9).events.is_empty());
    let again = add(&store, "crm");
    assert_eq!(again.stopped_at, None);
    assert_eq!(one(&outbox).1.sequence, 1);
    assert_eq!(outbox.counts(crm.key).unwrap().waiting, 2);
}

#[test]
fn what_is_no_application_is_refused() {
    let store = Store::new();
    let outbox = store.handle.outbox();
    let put = |tenant, settings| outbox.put_application(tenant, &app_id("crm"), settings);
    let short = "x".repeat(APP_KEY_MIN - 1);
    for api_key in [None, Some(short)] {
        let settings = AppSettings {
            api_key,
            ..settings()
        };
        let refused = put(store.tenant, settings);
        assert!(matches!(refused, Err(OutboxError::ApiKey)), "{refused:?}");
    }
    let long = [
        AppSettings {
            webhook_url: Some("x".repeat(WEBHOOK_URL_MAX + 1)),
            ..settings()
        },
        AppSettings {
            events: vec!["dtmf".into(); OUTBOX_FILTER_MAX + 1],
            ..settings()
        },
        AppSettings {
            events: vec!["x".repeat(65)],
            ..settings()
        },
    ];
    for settings in long {
        let refused = put(store.tenant, settings);
        assert!(
            matches!(refused, Err(OutboxError::TooLong { .. })),
            "{refused:?}"
        );
    }
    let refused = put(crate::ids::TenantId(99), settings());
    assert!(
        matches!(refused, Err(OutboxError::NoTenant(_))),
        "{refused:?}"
    );
    for bytes in [23, 65] {
        assert!(WebhookSecret::new(vec![0; bytes]).is_err());
    }
    add(&store, "crm");
    let other = TenantName::new("other").unwrap();
    let other = store.handle.add_tenant(other).unwrap().id;
    let refused = put(other, settings());
    assert!(matches!(refused, Err(OutboxError::Taken(_))), "{refused:?}");
    for bad in ["", "a b", "ä", &"x".repeat(65)] {
        assert!(AppId::new(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn an_index_that_cannot_be_written_changes_nothing() {
    let store = Store::new();
    let crm = add(&store, "crm");
    let outbox = store.handle.outbox();
    store.handle.shared.index.fail_once();
    let failed = outbox.put_application(store.tenant, &app_id("pbx"), settings());
    let write = matches!(failed, Err(OutboxError::Write(WriteError::Index(_))));
    assert!(write, "{failed:?}");
    assert_eq!(outbox.applications(None), [Arc::clone(&crm)]);
    store.handle.shared.index.fail_once();
    let failed = outbox.append(crm.key, vec![event(1, 1)]);
    assert!(matches!(failed, Err(OutboxError::Write(_))), "{failed:?}");
    assert_eq!(append(&outbox, crm.key, vec![event(1, 1)]), [1]);
    assert_eq!(add(&store, "pbx").key.number, crm.key.number + 1);
}
