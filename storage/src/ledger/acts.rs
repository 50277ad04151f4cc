//! Acts on their way to the ledger: who has authority for a change, and a bounded queue for those
//! who do not wait.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::entry::{Act, Actor, Kind};
use crate::limits::{ACTS_MAX, ACTS_STEP};

/// By whose authority a change is made, and why: what its entry tells beside the change itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warrant {
    /// Who.
    pub who: Option<Actor>,
    /// From which address.
    pub from: Option<String>,
    /// Why: a retention policy's name, a command, a request.
    pub why: Option<String>,
}

impl Warrant {
    /// Of the appliance itself, and why.
    #[must_use]
    pub fn system(part: &str, why: impl Into<String>) -> Self {
        Self {
            who: Some(Actor::system(part)),
            from: None,
            why: Some(why.into()),
        }
    }

    /// Adds to an act what it does not tell by itself.
    pub(crate) fn sign(&self, act: &mut Act) {
        if act.who.is_none() {
            act.who.clone_from(&self.who);
        }
        if act.from.is_none() {
            act.from.clone_from(&self.from);
        }
        if let Some(why) = &self.why {
            let held = act.details.entry("why");
            held.or_insert_with(|| why.as_str().into());
        }
    }
}

/// An act on its way into the ledger, for somebody who waits for it.
#[derive(Clone, Debug)]
pub struct Underway {
    number: u64,
    durable: watch::Receiver<u64>,
}

impl Underway {
    /// Whether it is in the ledger, and durable there.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        *self.durable.borrow() >= self.number
    }

    /// Waits until it is durable: for ever while the disk refuses. False when the store was closed
    /// before that.
    pub async fn durable(&mut self) -> bool {
        let number = self.number;
        self.durable.wait_for(|upto| *upto >= number).await.is_ok()
    }
}

/// Acts on their way into the ledger.
#[derive(Default)]
pub(crate) struct ActQueue {
    waiting: Mutex<Waiting>,
    /// How many acts that were taken are durable; they become so in their order.
    durable: watch::Sender<u64>,
}

#[derive(Default)]
struct Waiting {
    acts: VecDeque<Act>,
    /// Of the first ones so many are in a commit that is under way.
    taken: usize,
    /// Acts for which there was no room, and how many of them the commit under way tells.
    lost: u64,
    lost_told: u64,
    /// How many were taken since the start.
    accepted: u64,
    /// The writer was told that there is something, and that somebody waits for it.
    called: bool,
    hurried: bool,
}

impl fmt::Debug for ActQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.lock();
        write!(f, "ActQueue({})", waiting.acts.len())
    }
}

impl ActQueue {
    /// Takes an act. `None` when there is no room, which the ledger will tell; else whether the
    /// writer must be called.
    pub(crate) fn push(&self, act: Act) -> Option<bool> {
        let mut waiting = self.lock();
        waiting.push(act)?;
        Some(!std::mem::replace(&mut waiting.called, true))
    }

    /// The same for somebody who waits: the writer must be called at once.
    pub(crate) fn push_awaited(&self, act: Act) -> Option<(bool, Underway)> {
        let mut waiting = self.lock();
        let number = waiting.push(act)?;
        waiting.called = true;
        let call = !std::mem::replace(&mut waiting.hurried, true);
        let durable = self.durable.subscribe();
        Some((call, Underway { number, durable }))
    }

    /// The writer could not be called: the next act calls it again.
    pub(crate) fn not_called(&self) {
        let mut waiting = self.lock();
        waiting.called = false;
        waiting.hurried = false;
    }

    pub(crate) fn is_empty(&self) -> bool {
        let waiting = self.lock();
        waiting.acts.is_empty() && waiting.lost == 0
    }

    /// What the commit under way tells: as much as one may, with what was lost before it.
    pub(crate) fn take(&self) -> Vec<Act> {
        let mut waiting = self.lock();
        waiting.called = false;
        waiting.hurried = false;
        waiting.taken = waiting.acts.len().min(ACTS_STEP);
        let mut acts: Vec<Act> = waiting.acts.iter().take(waiting.taken).cloned().collect();
        // Those that are lost came after those that wait.
        waiting.lost_told = 0;
        if waiting.lost > 0 && waiting.taken == waiting.acts.len() {
            waiting.lost_told = waiting.lost;
            acts.push(Act::new(Kind::Lost).with("acts", waiting.lost));
        }
        acts
    }

    /// What was taken last is durable.
    pub(crate) fn committed(&self) {
        let mut waiting = self.lock();
        let taken = std::mem::take(&mut waiting.taken);
        waiting.acts.drain(..taken);
        waiting.lost -= std::mem::take(&mut waiting.lost_told);
        drop(waiting);
        // Only the writer comes here, so the numbers go up one after the other.
        if taken > 0 {
            let more = u64::try_from(taken).unwrap_or(u64::MAX);
            self.durable
                .send_modify(|upto| *upto = upto.saturating_add(more));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Takes an act and tells its number, from 1; `None` when there is no room.
    fn push(&mut self, act: Act) -> Option<u64> {
        if self.acts.len() >= ACTS_MAX {
            self.lost = self.lost.saturating_add(1);
            return None;
        }
        self.acts.push_back(act);
        self.accepted += 1;
        Some(self.accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_told_when_their_own_act_is_durable() {
        let queue = ActQueue::default();
        assert_eq!(queue.push(Act::new(Kind::Logout)), Some(true));
        let (call, first) = queue.push_awaited(Act::new(Kind::Play)).unwrap();
        assert!(call, "the writer was called, but not to hurry");
        assert_eq!(queue.take().len(), 2);
        let (call, second) = queue.push_awaited(Act::new(Kind::Play)).unwrap();
        assert!(call, "the commit under way does not tell this one");
        assert!(!queue.push_awaited(Act::new(Kind::Play)).unwrap().0);
        assert!(!first.is_durable() && !second.is_durable());
        // A commit that fails is made again, with what came meanwhile.
        assert_eq!(queue.take().len(), 4);
        assert!(!first.is_durable());
        queue.committed();
        assert!(first.is_durable() && second.is_durable());
        let (_, third) = queue.push_awaited(Act::new(Kind::Play)).unwrap();
        queue.committed();
        assert!(!third.is_durable(), "nothing was taken");
    }

    #[test]
    fn what_has_no_room_is_counted_and_told() {
        let queue = ActQueue::default();
        let act = Act::new(Kind::Play);
        assert_eq!(queue.push(act.clone()), Some(true));
        for _ in 1..ACTS_MAX {
            assert_eq!(queue.push(act.clone()), Some(false));
        }
        assert_eq!(queue.push(act.clone()), None);
        assert_eq!(queue.push(act), None);
        let mut told = 0;
        loop {
            let acts = queue.take();
            // A commit that fails tells the same again.
            assert_eq!(queue.take(), acts);
            queue.committed();
            told += acts.len();
            if acts.last().is_some_and(|act| act.kind == Kind::Lost) {
                assert_eq!(acts.last().unwrap().details["acts"], 2);
                break;
            }
        }
        assert_eq!(told, ACTS_MAX + 1);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_warrant_adds_and_never_replaces() {
        let warrant = Warrant::system("retention", "policy 'calls'");
        let mut act = Act::new(Kind::Deleted).by(Actor::system("other"));
        warrant.sign(&mut act);
        assert_eq!(act.who, Some(Actor::system("other")));
        assert_eq!(act.details["why"], "policy 'calls'");
    }
}
