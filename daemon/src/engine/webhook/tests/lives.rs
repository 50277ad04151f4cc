//! Many lives of the daemon, each ended in the middle of its deliveries, and one receiver that
//! outlives them all and fails now and then.

use std::collections::HashSet;
use std::sync::mpsc::sync_channel;

use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;

/// One life: what it appends, and after how many more deliveries it ends.
#[derive(Clone, Debug)]
struct Life {
    sessions: u128,
    rounds: usize,
    ends_after: usize,
}

fn lives() -> impl Strategy<Value = Vec<Life>> {
    let life =
        (1_u128..6, 0_usize..4, 0_usize..12).prop_map(|(sessions, rounds, ends_after)| Life {
            sessions,
            rounds,
            ends_after,
        });
    proptest::collection::vec(life, 1..8)
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// A receiver on a thread of its own, until what is answered beside it is dropped.
fn beside(
    script: impl Fn(&Delivery, usize) -> Reply + Send + Sync + 'static,
) -> (Receiver, oneshot::Sender<()>) {
    let (tell, told) = sync_channel(1);
    let (ends, end) = oneshot::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            tell.send(Receiver::start(script).await).unwrap();
            let _ = end.await;
        });
    });
    (told.recv().unwrap(), ends)
}

/// Lives, and ends without a farewell: the runtime is dropped with all that is under way.
fn live(folder: &Path, receiver: &Receiver, life: &Life, is_last: bool) -> Vec<Uuid> {
    let rig = Rig::open(folder);
    let runtime = runtime();
    let made = runtime.block_on(async {
        let app = rig.app("crm", &receiver.url());
        let _webhooks = rig.deliver(HASTE);
        let before = receiver.seen().len();
        let made = rig.append(app.key, life.sessions, life.rounds);
        let waiting = usize::try_from(rig.outbox.counts(app.key).unwrap().waiting).unwrap();
        if is_last {
            rig.until_empty(app.key).await;
        } else {
            let enough = before + life.ends_after.min(waiting);
            receiver.until(|seen| seen.len() >= enough).await;
        }
        made
    });
    drop(runtime);
    made.into_iter().map(|event| event.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn no_event_is_lost_or_out_of_order_whenever_the_daemon_ends(
        lives in lives(), failures: u64,
    ) {
        let (receiver, _ends) = beside(move |_, before| {
            let fails = failures.rotate_right(u32::try_from(before % 64).unwrap()) & 3 == 3;
            Reply::Status(if fails { 503 } else { 200 })
        });
        let folder = tempfile::tempdir().unwrap();
        let mut made = HashSet::new();
        for life in &lives {
            made.extend(live(folder.path(), &receiver, life, false));
        }
        let last = Life { sessions: 1, rounds: 1, ends_after: 0 };
        made.extend(live(folder.path(), &receiver, &last, true));
        let taken = receiver.taken();
        check_order(&taken);
        let ids: HashSet<_> = taken.iter().map(|one| one.id).collect();
        prop_assert_eq!(ids, made, "each arrives, and nothing else");
    }
}
