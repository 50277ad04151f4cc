//! When a listening is one, and what it costs to find that out.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use audio_io::clock::{Clock as _, ManualClock, SystemClock};
use audio_io::units::WallMillis;
use storage::handle::{IoChoice, StorageHandle, StoreOptions};
use storage::ledger::entry::{Act, Kind};

use super::*;

/// A store that entries can be told to.
struct Ledger {
    storage: StorageHandle,
    told: AtomicUsize,
    _folder: tempfile::TempDir,
}

impl Ledger {
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
            told: AtomicUsize::new(0),
            _folder: folder,
        }
    }

    /// Whether this asks for an entry.
    fn tells(&self, listenings: &Listenings, key: Key, now: Duration) -> bool {
        let before = self.told.load(Ordering::SeqCst);
        listenings.hear(key, now, || self.tell());
        self.told.load(Ordering::SeqCst) > before
    }

    fn tell(&self) -> Option<Underway> {
        self.told.fetch_add(1, Ordering::SeqCst);
        self.storage.record_act_awaited(Act::new(Kind::Play))
    }
}

fn key(recording: u64) -> Key {
    Key {
        who: Id::Key(7),
        from: Ipv4Addr::LOCALHOST.into(),
        tenant: TenantId(1),
        recording: RecordingId(recording),
        how: Listening::Play,
    }
}

#[test]
fn each_of_who_whence_what_and_how_makes_a_listening() {
    let (ledger, listenings) = (Ledger::new(), Listenings::new());
    let now = Duration::from_secs(5);
    let first = key(1);
    let others = [
        Key {
            who: Id::Key(8),
            ..first
        },
        Key {
            who: Id::User(7),
            ..first
        },
        Key {
            who: Id::Link(7),
            ..first
        },
        Key {
            from: Ipv4Addr::new(192, 0, 2, 1).into(),
            ..first
        },
        Key {
            tenant: TenantId(2),
            ..first
        },
        Key {
            recording: RecordingId(2),
            ..first
        },
        Key {
            how: Listening::Download,
            ..first
        },
    ];
    for key in [first].into_iter().chain(others) {
        assert!(ledger.tells(&listenings, key, now), "{key:?}");
        for _ in 0..3 {
            assert!(!ledger.tells(&listenings, key, now), "{key:?}");
        }
    }
}

#[test]
fn a_pause_ends_a_listening_and_so_does_a_day() {
    let (ledger, listenings) = (Ledger::new(), Listenings::new());
    let mut now = Duration::from_secs(5);
    assert!(ledger.tells(&listenings, key(1), now));
    let almost = limits::LISTENING_PAUSE - Duration::from_millis(1);
    now += almost;
    assert!(!ledger.tells(&listenings, key(1), now));
    now += limits::LISTENING_PAUSE;
    assert!(ledger.tells(&listenings, key(1), now));
    let began = now;
    while now + almost < began + limits::LISTENING_LONGEST {
        now += almost;
        assert!(!ledger.tells(&listenings, key(1), now));
    }
    now += almost;
    assert!(ledger.tells(&listenings, key(1), now), "a day");
}

#[test]
fn who_comes_while_the_entry_is_underway_waits_too_but_not_for_ever() {
    let (ledger, listenings) = (Ledger::new(), Listenings::new());
    let now = Duration::from_secs(5);
    let (first, left) = listenings.hear(key(1), now, || ledger.tell()).unwrap();
    assert_eq!(left, limits::LISTENING_WAIT);
    // What is durable by then need not be waited for; it is not told again in any case.
    if let Some((_, left)) = listenings.hear(key(1), now + Duration::from_secs(1), || None) {
        assert_eq!(left, limits::LISTENING_WAIT - Duration::from_secs(1));
    }
    let late = now + limits::LISTENING_WAIT + Duration::from_millis(1);
    assert!(listenings.hear(key(1), late, || None).is_none());
    let mut first = first;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.build().unwrap();
    assert!(runtime.block_on(first.durable()));
    assert!(
        listenings.hear(key(1), now, || None).is_none(),
        "it is durable"
    );
}

#[test]
fn what_finds_no_room_in_the_ledger_is_told_with_the_next_request() {
    let (ledger, listenings) = (Ledger::new(), Listenings::new());
    let now = Duration::from_secs(5);
    assert!(listenings.hear(key(1), now, || None).is_none());
    assert!(ledger.tells(&listenings, key(1), now));
    assert!(!ledger.tells(&listenings, key(1), now));
}

#[test]
fn the_table_is_bounded_and_forgets_who_was_silent_for_longest() {
    let (ledger, listenings) = (Ledger::new(), Listenings::new());
    let mut now = Duration::from_secs(5);
    assert!(ledger.tells(&listenings, key(0), now));
    for recording in 1..10_000 {
        now += Duration::from_millis(1);
        assert!(ledger.tells(&listenings, key(recording), now));
        // This one is never silent for long.
        assert!(!ledger.tells(&listenings, key(0), now));
    }
    assert!(listenings.len() <= limits::LISTENINGS);
    assert!(
        listenings.len() > limits::LISTENINGS / 2,
        "parts fill evenly"
    );
    assert!(ledger.tells(&listenings, key(1), now), "long forgotten");
}

#[test]
fn of_first_requests_at_once_one_tells() {
    let (ledger, listenings) = (Ledger::new(), Listenings::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for recording in 0..200 {
                    let now = Duration::from_secs(5);
                    listenings.hear(key(recording), now, || ledger.tell());
                }
            });
        }
    });
    assert_eq!(ledger.told.load(Ordering::SeqCst), 200);
}

/// `cargo test --release -p callreel-daemon --lib trail -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stderr, reason = "a measurement shows what it found")]
#[allow(clippy::cast_precision_loss, reason = "figures shown to people")]
fn what_a_listening_that_goes_on_costs() {
    const EACH: u64 = 2_000_000;
    let (ledger, listenings) = (Ledger::new(), Listenings::new());
    let now = Duration::from_secs(5);
    for threads in [1_u64, 2, 4] {
        for (name, recordings) in [("one recording", 1), ("1,000 recordings", 1_000)] {
            for recording in 0..recordings {
                listenings.hear(key(recording), now, || ledger.tell());
            }
            ledger.storage.flush_index().unwrap();
            let begin = SystemClock.monotonic();
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    let (ledger, listenings) = (&ledger, &listenings);
                    scope.spawn(move || {
                        for n in 0..EACH {
                            let key = key((n + thread) % recordings);
                            listenings.hear(key, now, || ledger.tell());
                        }
                    });
                }
            });
            let took = (SystemClock.monotonic() - begin).as_secs_f64();
            let each = took * 1e9 / EACH as f64;
            eprintln!("{threads} threads, {name}: {each:.0} ns a request");
        }
    }
}
