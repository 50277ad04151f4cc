//! Which `command_uid` a session has seen (API.md section 2: idempotent for 24 h). Bounded: the
//! oldest goes when there is no room.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use uuid::Uuid;

use super::command::CommandUid;
use super::limits;

/// The commands of one session by their uid. Times are monotonic.
#[derive(Clone, Debug, Default)]
pub struct Repeats {
    operations: HashMap<CommandUid, Uuid>,
    /// Oldest first.
    seen: VecDeque<(Duration, CommandUid)>,
}

impl Repeats {
    /// The operation that a uid stands for, if it was noted in the last 24 h.
    pub fn find(&mut self, uid: &CommandUid, now: Duration) -> Option<Uuid> {
        self.forget_old(now);
        self.operations.get(uid).copied()
    }

    /// Notes what a uid stands for; the first operation stays.
    pub fn note(&mut self, uid: CommandUid, operation: Uuid, now: Duration) {
        self.forget_old(now);
        if self.operations.contains_key(&uid) {
            return;
        }
        while self.seen.len() >= limits::COMMAND_UIDS {
            self.forget_oldest();
        }
        self.operations.insert(uid.clone(), operation);
        self.seen.push_back((now, uid));
    }

    /// How many are remembered; at most [`limits::COMMAND_UIDS`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    fn forget_old(&mut self, now: Duration) {
        while let Some((at, _)) = self.seen.front() {
            if now.saturating_sub(*at) < limits::COMMAND_UID_LIFE {
                return;
            }
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, uid)) = self.seen.pop_front() {
            self.operations.remove(&uid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(text: &str) -> CommandUid {
        CommandUid::new(text).unwrap()
    }

    #[test]
    fn a_uid_stands_for_its_first_operation_for_a_day() {
        let mut repeats = Repeats::default();
        let first = Uuid::from_u128(1);
        let noted = Duration::from_secs(10);
        assert_eq!(repeats.find(&uid("a"), noted), None);
        repeats.note(uid("a"), first, noted);
        repeats.note(uid("a"), Uuid::from_u128(2), noted + Duration::from_secs(5));
        let day = Duration::from_secs(86_400);
        let almost = noted + day - Duration::from_nanos(1);
        assert_eq!(repeats.find(&uid("a"), almost), Some(first));
        assert_eq!(repeats.find(&uid("b"), almost), None);
        assert_eq!(repeats.find(&uid("a"), noted + day), None);
        assert!(repeats.is_empty());
        repeats.note(uid("a"), Uuid::from_u128(3), noted + day);
        assert_eq!(
            repeats.find(&uid("a"), noted + day),
            Some(Uuid::from_u128(3))
        );
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_oldest() {
        let mut repeats = Repeats::default();
        let count = limits::COMMAND_UIDS + 3;
        for number in 0..count {
            let at = Duration::from_millis(number as u64);
            repeats.note(uid(&format!("u{number}")), Uuid::new_v4(), at);
            assert!(repeats.len() <= limits::COMMAND_UIDS);
        }
        let now = Duration::from_secs(9);
        for number in 0..count {
            let known = repeats.find(&uid(&format!("u{number}")), now).is_some();
            assert_eq!(known, number >= 3, "{number}");
        }
        assert_eq!(repeats.operations.len(), repeats.seen.len());
    }
}
