//! Who acts through the control socket, as the ledger tells it.

use nix::unistd::{Uid, User};
use storage::ledger::acts::Warrant;
use storage::ledger::entry::{Act, Actor, ActorKind, Kind};

use super::serve::Desk;

/// Whoever asked, by the system user's number.
pub(super) fn actor(user: u32) -> Actor {
    let name = User::from_uid(Uid::from_raw(user)).ok().flatten();
    let name = name.map(|user| user.name);
    Actor::new(ActorKind::Command, Some(user.into()), name.as_deref())
}

/// By that user's authority.
pub(super) fn warrant(user: u32) -> Warrant {
    Warrant {
        who: Some(actor(user)),
        ..Warrant::default()
    }
}

impl Desk {
    /// Tells the ledger what was done, and to what.
    pub(super) fn did(&self, kind: Kind, what: &str, which: impl std::fmt::Display) {
        self.tell(Act::new(kind).with(what, which.to_string()));
    }

    /// Tells the ledger of an act of whoever asks.
    pub(super) fn tell(&self, act: Act) {
        self.app.storage.record_act(act);
    }
}
