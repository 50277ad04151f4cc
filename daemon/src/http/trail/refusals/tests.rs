//! What a ledger has of refusals: enough to see an attack, and never so much that it is one.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use audio_io::clock::ManualClock;
use http::Request;
use storage::handle::{IoChoice, StoreOptions};
use storage::ledger::entry::Entry;
use storage::ledger::query::AuditFilter;

use super::*;

struct Rig {
    storage: StorageHandle,
    refusals: Refusals,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            data_dir: folder.path().to_owned(),
            index_cache_bytes: 1 << 20,
            io: IoChoice::Blocking,
        };
        let clock = Arc::new(ManualClock::at(WallMillis(1_700_000_000_000)));
        let (storage, _, _) = StorageHandle::open(options, clock).unwrap();
        Self {
            storage,
            refusals: Refusals::new(),
            _folder: folder,
        }
    }

    fn count(&self, refusal: &Refusal, now: Duration) {
        self.refusals
            .count(&self.storage, refusal, Kind::LoginFailed, now);
    }

    /// What was told, oldest first.
    fn told(&self) -> Vec<Entry> {
        self.storage.flush_index().unwrap();
        let filter = AuditFilter {
            kinds: vec![Kind::LoginFailed],
            ..AuditFilter::default()
        };
        let page = self.storage.audit(&filter, None, 1_000).unwrap();
        let mut entries = page.entries;
        entries.sort_by_key(|entry| entry.seq);
        entries
    }
}

fn refusal(from: IpAddr) -> Refusal {
    let request = Request::builder().uri("/api/v1/sse/audio/x?api_key=secret");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    Refusal::new(&parts, from, Group::TaskAudio, "unknown key")
}

fn ip(last: u32) -> IpAddr {
    Ipv4Addr::from_bits(0xc000_0200 + last).into()
}

/// How many refusals the entries tell of.
fn sum(entries: &[Entry]) -> u64 {
    let failures = |entry: &Entry| entry.details.get("failures").and_then(|it| it.as_u64());
    entries
        .iter()
        .map(|entry| failures(entry).unwrap_or(1))
        .sum()
}

#[test]
fn a_flood_is_an_entry_and_a_number_and_none_is_left_out() {
    let rig = Rig::new();
    let begin = Duration::from_secs(100);
    for n in 0..10_000 {
        rig.count(&refusal(ip(1)), begin + Duration::from_millis(n));
    }
    let told = rig.told();
    assert_eq!(told.len(), 1, "at once");
    assert_eq!(told[0].from.as_deref(), Some("192.0.2.1"));
    assert_eq!(told[0].details["why"], "unknown key");
    assert_eq!(told[0].details["family"], "task_audio");
    assert_eq!(told[0].details["path"], "/api/v1/sse/audio/x", "no secret");
    let over = begin + limits::REFUSALS_SPAN;
    rig.refusals
        .sweep(&rig.storage, over - Duration::from_millis(1));
    assert_eq!(rig.told().len(), 1, "not yet");
    rig.refusals.sweep(&rig.storage, over);
    rig.refusals.sweep(&rig.storage, over);
    let told = rig.told();
    assert_eq!((told.len(), sum(&told)), (2, 10_000));
    assert_eq!(told[1].details["failures"], 9_999);
    // Whoever goes on is told again; the end tells what is left.
    rig.count(&refusal(ip(1)), over);
    rig.count(&refusal(ip(1)), over);
    rig.refusals.flush(&rig.storage, over);
    assert_eq!((rig.told().len(), sum(&rig.told())), (4, 10_002));
}

#[test]
fn addresses_reasons_and_names_are_told_apart_and_networks_are_not() {
    let rig = Rig::new();
    let now = Duration::from_secs(100);
    let base = refusal(ip(1));
    let others = [
        base.clone(),
        refusal(ip(2)),
        base.clone().because("address not allowed"),
        base.clone().named("ann"),
        base.clone().named("bob"),
        refusal(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
    ];
    for refusal in &others {
        rig.count(refusal, now);
        rig.count(refusal, now);
    }
    let neighbour = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
    rig.count(&refusal(neighbour.into()), now);
    assert_eq!(rig.told().len(), others.len());
    let named: Vec<_> = rig
        .told()
        .into_iter()
        .filter_map(|it| it.who?.name)
        .collect();
    assert_eq!(named, ["ann", "bob"]);
}

#[test]
fn an_attack_from_everywhere_is_bounded_and_counted() {
    let rig = Rig::new();
    let begin = Duration::from_secs(100);
    for n in 0..5_000 {
        rig.count(&refusal(ip(n)), begin);
        rig.count(&refusal(ip(n)), begin);
    }
    assert_eq!(rig.told().len(), limits::REFUSALS);
    rig.refusals
        .sweep(&rig.storage, begin + limits::REFUSALS_SPAN);
    let told = rig.told();
    assert_eq!(told.len(), 2 * limits::REFUSALS + 1);
    assert_eq!(sum(&told), 10_000, "each is counted");
    let last = told.last().unwrap();
    assert_eq!(last.details["why"], "too many to tell apart");
    assert_eq!(last.from, None);
}

#[test]
fn what_was_typed_is_cut_where_it_may_be() {
    let rig = Rig::new();
    let long = "\u{e9}".repeat(5_000);
    rig.count(&refusal(ip(1)).named(&long), Duration::ZERO);
    let told = rig.told();
    let name = told[0].who.as_ref().unwrap().name.clone().unwrap();
    assert_eq!(name, "\u{e9}".repeat(NAME_BYTES / 2));
    assert_eq!(cut("\u{e9}\u{e9}", 3), "\u{e9}");
    assert_eq!(cut("\u{e9}", 1), "");
}
