//! How fast a ledger is read and asked. Not part of the ordinary run: `cargo test --release -p
//! callreel-storage --lib ledger::speed -- --ignored --nocapture`.

use audio_io::clock::{Clock as _, SystemClock};

use super::entry::{Act, Actor, ActorKind, Kind};
use super::query::{AuditFilter, Person};
use crate::check::{LedgerTrust, check_ledger};
use crate::ids::{RecordingId, TenantId};
use crate::index::apply::Change;
use crate::record::WallMillis;
use crate::testing::{Store, scratch};

/// Entries; `LEDGER_ENTRIES` tells another number.
const ENTRIES: u64 = 500_000;

#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stderr, reason = "a measurement shows what it found")]
#[allow(clippy::cast_precision_loss, reason = "figures shown to people")]
fn reading_and_asking() {
    let told = std::env::var("LEDGER_ENTRIES").ok();
    let count = told.and_then(|text| text.parse().ok()).unwrap_or(ENTRIES);
    let store = Store::open(scratch());
    let begin = SystemClock.monotonic();
    fill(&store, count);
    let took = (SystemClock.monotonic() - begin).as_secs_f64();
    eprintln!("{count} entries written: {:.0}/s", count as f64 / took);
    assert!(store.handle.checkpoint_now().unwrap());
    let trust = LedgerTrust {
        checkpoints: Some(store.handle.checkpoints_dir().to_owned()),
        ..LedgerTrust::default()
    };
    let begin = SystemClock.monotonic();
    let report = check_ledger(&store.folder.path().join("ledger"), &trust).unwrap();
    let took = (SystemClock.monotonic() - begin).as_secs_f64();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    let megabytes = report.bytes as f64 / 1e6;
    eprintln!("{megabytes:.0} MB verified: {:.0} MB/s", megabytes / took);
    for (name, filter) in questions(count) {
        let begin = SystemClock.monotonic();
        let page = store.handle.audit(&filter, None, 100).unwrap();
        let took = (SystemClock.monotonic() - begin).as_secs_f64() * 1e3;
        eprintln!("page of {} by {name}: {took:.2} ms", page.entries.len());
    }
}

fn questions(count: u64) -> Vec<(&'static str, AuditFilter)> {
    let base = AuditFilter::default;
    let middle = Some(WallMillis(1_700_000_000_000 + count * 5));
    vec![
        ("all", base()),
        (
            "until the middle",
            AuditFilter {
                until: middle,
                ..base()
            },
        ),
        (
            "recording",
            AuditFilter {
                recording: Some(RecordingId(77)),
                ..base()
            },
        ),
        (
            "person",
            AuditFilter {
                who: Some(Person::Number(ActorKind::User, 7)),
                ..base()
            },
        ),
        (
            "kind",
            AuditFilter {
                kinds: vec![Kind::Export],
                ..base()
            },
        ),
        (
            "person and kind",
            AuditFilter {
                who: Some(Person::Number(ActorKind::User, 0)),
                kinds: vec![Kind::Export],
                ..base()
            },
        ),
        (
            "tenant and two kinds",
            AuditFilter {
                tenant: Some(TenantId(0)),
                kinds: vec![Kind::Export, Kind::Login],
                ..base()
            },
        ),
    ]
}

fn fill(store: &Store, count: u64) {
    let mut group = Vec::new();
    for n in 0..count {
        let kind = match n % 1_000 {
            0 => Kind::Export,
            n if n % 10 == 0 => Kind::Download,
            _ => Kind::Play,
        };
        let who = Actor::new(ActorKind::User, Some(n % 50), Some("somebody@example.org"));
        let act = Act::new(kind)
            .at(WallMillis(1_700_000_000_000 + n * 10))
            .by(who)
            .from("192.0.2.200")
            .on(
                TenantId(u32::try_from(n % 5).unwrap()),
                RecordingId(n % 100_000),
            )
            .with("format", "wav");
        group.push(Change::Tell(Box::new(act)));
        if group.len() == 4_096 || n + 1 == count {
            store
                .handle
                .shared
                .index
                .commit(&std::mem::take(&mut group))
                .unwrap();
        }
    }
}
