//! Names that peers give to calls (AudioSocket). A dialplan may give the same to each of its
//! calls; a session's name is its own for as long as the session is known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::engine::calls::ENDED_FOR;

/// The names in use. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerNames(Arc<Mutex<HashMap<Uuid, Option<Duration>>>>);

impl PeerNames {
    /// Takes a name for a call, or says that it is in use.
    pub(super) fn take(&self, name: Uuid, now: Duration) -> bool {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|_, ended| ended.is_none_or(|at| at + ENDED_FOR + SLACK > now));
        if name.is_nil() || names.contains_key(&name) {
            return false;
        }
        names.insert(name, None);
        true
    }

    /// The call of this name is over.
    pub(super) fn leave(&self, name: Uuid, now: Duration) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = names.get_mut(&name) {
            *ended = Some(now);
        }
    }
}

/// How much longer than by the exchange a name is remembered here.
const SLACK: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_free_again_once_its_session_is_forgotten() {
        let (names, name) = (PeerNames::default(), Uuid::new_v4());
        let start = Duration::from_secs(5);
        assert!(names.take(name, start));
        let later = start + ENDED_FOR * 3;
        assert!(!names.take(name, later), "its call goes on");
        names.leave(name, later);
        assert!(!names.take(name, later + ENDED_FOR));
        assert!(names.take(name, later + ENDED_FOR + SLACK));
        assert!(!names.take(Uuid::nil(), later));
    }
}
