//! Who may use the control socket: root, the daemon's own user, and members of one group. The
//! kernel says who the peer is (SO_PEERCRED, unix(7)).

use std::ffi::CString;

use nix::unistd::{Gid, Uid, User, getgrouplist};

/// Who the peer is, by the kernel's word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) user: Uid,
    pub(super) group: Gid,
}

/// Who is let in besides root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    pub(super) own: Uid,
    pub(super) group: Option<Gid>,
}

impl Admission {
    /// Whether a peer may use the socket. Asks the user database, which may block.
    pub(super) fn admits(self, peer: Peer) -> bool {
        self.admits_with(peer, |peer| {
            let Ok(Some(user)) = User::from_uid(peer.user) else {
                return Vec::new();
            };
            let Ok(name) = CString::new(user.name) else {
                return Vec::new();
            };
            getgrouplist(&name, user.gid).unwrap_or_default()
        })
    }

    fn admits_with(self, peer: Peer, groups_of: impl Fn(Peer) -> Vec<Gid>) -> bool {
        if peer.user.is_root() || peer.user == self.own {
            return true;
        }
        self.group
            .is_some_and(|group| peer.group == group || groups_of(peer).contains(&group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_the_daemons_user_and_the_groups_members_are_admitted() {
        let admission = Admission {
            own: Uid::from_raw(900),
            group: Some(Gid::from_raw(70)),
        };
        let peer = |user, group| Peer {
            user: Uid::from_raw(user),
            group: Gid::from_raw(group),
        };
        let nobody = |_| Vec::new();
        let member = |_| vec![Gid::from_raw(5), Gid::from_raw(70)];
        assert!(admission.admits_with(peer(0, 0), nobody));
        assert!(admission.admits_with(peer(900, 900), nobody));
        assert!(admission.admits_with(peer(1000, 70), nobody));
        assert!(admission.admits_with(peer(1000, 1000), member));
        assert!(!admission.admits_with(peer(1000, 1000), nobody));
        let closed = Admission {
            group: None,
            ..admission
        };
        assert!(!closed.admits_with(peer(1000, 70), member));
    }
}
