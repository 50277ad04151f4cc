//! One life of the daemon, with receivers of all kinds.

use audio_io::clock::ManualClock;
use audio_io::units::WallMillis;
use storage::outbox::DeadCause;

use super::*;

#[tokio::test]
async fn a_receiver_that_fails_now_and_then_gets_everything_once_and_in_order() {
    let receiver = Receiver::start(|_, before| match before % 10 {
        1 => Reply::Status(500),
        4 => Reply::Status(404),
        7 => Reply::With(302, "Location: /elsewhere".into()),
        _ => Reply::Status(204),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::open(folder.path());
    let app = rig.app("crm", &receiver.url());
    let webhooks = rig.deliver(HASTE);
    let events = rig.append(app.key, 12, 10);
    receiver.until_taken(events.len()).await;
    rig.until_empty(app.key).await;
    let taken = receiver.taken();
    assert_eq!(taken.len(), events.len(), "each once");
    check_order(&taken);
    let mut ids: Vec<_> = taken.iter().map(|one| one.id).collect();
    let mut made: Vec<_> = events.iter().map(|one| one.id).collect();
    ids.sort_unstable();
    made.sort_unstable();
    assert_eq!(ids, made);
    for one in receiver.seen() {
        let same = taken.iter().find(|taken| taken.id == one.id).unwrap();
        let place = (same.session, same.sequence);
        assert_eq!(
            place,
            (one.session, one.sequence),
            "the same id at every attempt"
        );
    }
    let figures = webhooks.figures();
    assert_eq!(figures.delivered, events.len() as u64);
    assert_eq!(
        figures.failed,
        (receiver.seen().len() - events.len()) as u64
    );
    assert!(figures.failed > 30);
    let counts = rig.outbox.counts(app.key).unwrap();
    assert_eq!((counts.delivered, counts.dead), (120, 0));
}

#[tokio::test]
async fn one_that_never_answers_holds_up_nobody_but_its_own_session() {
    let stuck = Uuid::from_u128(3);
    let slow = Receiver::start(move |delivery, _| match delivery.session == stuck {
        true => Reply::Hang,
        false => Reply::Status(200),
    })
    .await;
    let dead = Receiver::start(|_, _| Reply::Hang).await;
    let quick = Receiver::start(|_, _| Reply::Status(200)).await;
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::open(folder.path());
    let _webhooks = rig.deliver(HASTE);
    let gone = rig.app("dead", &dead.url());
    rig.append(gone.key, 20, 3);
    let lanes = crate::engine::limits::WEBHOOK_LANES;
    dead.until(|seen| seen.len() == lanes).await;
    let (slow_app, app) = (rig.app("slow", &slow.url()), rig.app("quick", &quick.url()));
    rig.append(slow_app.key, 4, 10);
    rig.append(app.key, 20, 3);
    quick.until_taken(60).await;
    slow.until_taken(30).await;
    assert_eq!(dead.seen().len(), lanes, "no more at once");
    let held = slow.seen().into_iter().filter(|one| one.session == stuck);
    assert_eq!(held.count(), 1, "what follows waits for it");
    check_order(&quick.taken());
    assert_eq!(rig.outbox.counts(gone.key).unwrap().waiting, 60);
}

#[tokio::test]
async fn what_takes_too_long_is_a_failure() {
    let receiver = Receiver::start(|_, before| match before {
        0 => Reply::Hang,
        _ => Reply::Status(200),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::open(folder.path());
    let app = rig.app("crm", &receiver.url());
    let attempt = Duration::from_millis(50);
    let _webhooks = rig.deliver(Pace { attempt, ..HASTE });
    rig.append(app.key, 1, 2);
    receiver.until_taken(2).await;
    let seen = receiver.seen();
    assert_eq!(seen[0].id, seen[1].id);
    check_order(&receiver.taken());
}

#[tokio::test]
async fn gone_stops_deliveries_until_the_application_is_set_again() {
    let receiver = Receiver::start(|_, before| match before {
        0 => Reply::Status(410),
        _ => Reply::Status(200),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::open(folder.path());
    let app = rig.app("crm", &receiver.url());
    let other = Receiver::start(|_, _| Reply::Status(200)).await;
    let witness = rig.app("pbx", &other.url());
    let webhooks = rig.deliver(HASTE);
    rig.append(app.key, 1, 2);
    let is_stopped = || {
        let held = rig.outbox.application_by_key(app.key).unwrap();
        held.stopped_at.is_some()
    };
    while !is_stopped() || webhooks.figures().failed == 0 {
        tokio::task::yield_now().await;
    }
    rig.append(app.key, 3, 1);
    rig.append(witness.key, 1, 20);
    other.until_taken(20).await;
    assert_eq!(receiver.seen().len(), 1, "nothing more was sent");
    assert_eq!(rig.outbox.counts(app.key).unwrap().waiting, 5);
    let again = rig.app("crm", &receiver.url());
    assert_eq!(again.stopped_at, None);
    receiver.until_taken(5).await;
    check_order(&receiver.taken());
}

#[tokio::test]
async fn redirects_are_not_followed_and_private_addresses_need_a_listing() {
    let elsewhere = Receiver::start(|_, _| Reply::Status(200)).await;
    let to = format!("Location: {}", elsewhere.url());
    let receiver = Receiver::start(move |_, _| Reply::With(307, to.clone())).await;
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::open(folder.path());
    let app = rig.app("crm", &receiver.url());
    let private = rig.app("pbx", "http://10.255.255.1/hook");
    rig.append(app.key, 1, 1);
    rig.append(private.key, 1, 1);
    let age = Duration::ZERO;
    let webhooks = rig.deliver(Pace { age, ..HASTE });
    rig.until_empty(app.key).await;
    rig.until_empty(private.key).await;
    assert!(elsewhere.seen().is_empty());
    let error = |app| {
        let letter = rig.outbox.dead_letters(app, None, 9).unwrap().remove(0).1;
        assert_eq!(letter.cause, DeadCause::Age);
        letter.event.last_error.unwrap()
    };
    assert_eq!(
        error(app.key),
        "the receiver answered 307 Temporary Redirect"
    );
    assert!(error(private.key).contains("10.255.255.1"));
    assert!(error(private.key).contains("[webhooks] allow"));
    assert!(webhooks.check_url("http://127.0.0.1:1/x").is_ok());
    webhooks.reload(Vec::new());
    let refused = webhooks.check_url("http://127.0.0.1:1/x");
    assert!(matches!(refused, Err(WebhookUrlError::Refused(_))));
    for bad in ["", "ftp://a/", "http://u@a/", "/hook"] {
        let refused = webhooks.check_url(bad);
        assert!(matches!(refused, Err(WebhookUrlError::Url)), "{bad}");
    }
}

#[tokio::test]
async fn what_is_too_old_is_given_up_and_can_be_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::open(folder.path());
    // Nobody listens on a port that was just closed.
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/hook?a=b", closed.local_addr().unwrap());
    drop(closed);
    let app = rig.app("crm", &url);
    rig.append(app.key, 2, 3);
    let age = Duration::from_millis(20);
    let webhooks = rig.deliver(Pace { age, ..HASTE });
    rig.until_empty(app.key).await;
    drop(webhooks);
    let letters = rig.outbox.dead_letters(app.key, None, 99).unwrap();
    assert_eq!(letters.len(), 6);
    assert!(letters.iter().all(|(_, one)| one.event.attempts <= 40));
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    rig.app("crm", &receiver.url());
    let _webhooks = rig.deliver(HASTE);
    let ids: Vec<_> = letters.iter().map(|(_, one)| one.event.id).collect();
    assert_eq!(rig.outbox.replay(app.key, &ids).unwrap(), 6);
    receiver.until_taken(6).await;
    check_order(&receiver.taken());
    assert!(receiver.taken().iter().all(|one| ids.contains(&one.id)));
}

#[tokio::test]
async fn a_busy_receiver_is_left_alone_for_as_long_as_it_asks() {
    let receiver = Receiver::start(|_, before| match before {
        0 => Reply::With(429, "Retry-After: 60".into()),
        _ => Reply::Status(200),
    })
    .await;
    let other = Receiver::start(|_, _| Reply::Status(200)).await;
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(WallMillis(1_763_700_000_000)));
    let rig = Rig::open_with(folder.path(), Arc::clone(&clock) as _);
    let (app, witness) = (
        rig.app("crm", &receiver.url()),
        rig.app("pbx", &other.url()),
    );
    rig.append(app.key, 1, 1);
    let webhooks = rig.deliver(HASTE);
    while webhooks.figures().failed == 0 || webhooks.figures().under_way > 0 {
        tokio::task::yield_now().await;
    }
    rig.append(app.key, 5, 1);
    clock.advance(Duration::from_secs(59));
    // A wall clock that is set, far ahead and back, changes nothing about it.
    clock.step_wall(WallMillis(1_963_700_000_000));
    rig.append(witness.key, 2, 5);
    other.until_taken(10).await;
    clock.step_wall(WallMillis(1_000_000));
    rig.append(witness.key, 2, 5);
    other.until_taken(20).await;
    assert_eq!(receiver.seen().len(), 1);
    clock.advance(Duration::from_secs(2));
    rig.append(witness.key, 1, 1);
    receiver.until_taken(6).await;
    check_order(&receiver.taken());
}

#[tokio::test]
async fn an_event_that_is_no_event_is_put_aside() {
    let receiver = Receiver::start(|_, _| Reply::Status(200)).await;
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::open(folder.path());
    let app = rig.app("crm", &receiver.url());
    let broken = NewEvent {
        data: "no JSON".into(),
        ..digit(1)
    };
    rig.outbox.append(app.key, vec![broken, digit(1)]).unwrap();
    let webhooks = rig.deliver(HASTE);
    receiver.until_taken(1).await;
    assert_eq!(receiver.taken()[0].sequence, 2);
    assert_eq!(webhooks.figures().dead, 1);
    let letter = &rig.outbox.dead_letters(app.key, None, 9).unwrap()[0].1;
    assert_eq!(letter.cause, DeadCause::Undeliverable);
}
