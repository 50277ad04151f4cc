//! Who may use the control socket: root, the daemon's own user, and members of one group. The
//! kernel says who the peer is (SO_PEERCRED, unix(7)) and which groups it is in (SO_PEERGROUPS).
//!
//! In a user namespace such as systemd's `PrivateUsers=` makes, root, the daemon's own user and its
//! own group keep their numbers; all others have the one number that stands for nobody.

#![allow(unsafe_code, reason = "no library has SO_PEERGROUPS")]

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::sync::LazyLock;

use nix::unistd::{Gid, Uid, User, getgrouplist};

/// Who the peer is, by the kernel's word.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) user: Uid,
    pub(super) group: Gid,
    /// The groups of the process besides, as far as the kernel tells them.
    pub(super) groups: Vec<Gid>,
}

/// Who is let in besides root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    pub(super) own: Uid,
    pub(super) group: Option<Gid>,
}

impl Admission {
    /// Whether a peer may use the socket. Asks the user database, which may block.
    pub(super) fn admits(self, peer: &Peer) -> bool {
        self.admits_with(peer, |peer| {
            if peer.user.as_raw() == NOBODY && *NOBODY_IS_MANY {
                return Vec::new();
            }
            let Ok(Some(user)) = User::from_uid(peer.user) else {
                return Vec::new();
            };
            let Ok(name) = CString::new(user.name) else {
                return Vec::new();
            };
            getgrouplist(&name, user.gid).unwrap_or_default()
        })
    }

    fn admits_with(self, peer: &Peer, groups_of: impl Fn(&Peer) -> Vec<Gid>) -> bool {
        if peer.user.is_root() || (peer.user == self.own && is_one(peer.user.as_raw())) {
            return true;
        }
        self.group.is_some_and(|group| {
            let told = peer.group == group || peer.groups.contains(&group);
            (told && is_one(group.as_raw())) || groups_of(peer).contains(&group)
        })
    }
}

/// The supplementary groups of the process at the other end of a Unix socket.
pub(super) fn groups_of(socket: &impl AsRawFd) -> Vec<Gid> {
    let few = read_groups(socket, GROUPS_FEW);
    few.or_else(|| read_groups(socket, GROUPS_MAX))
        .unwrap_or_default()
}

/// The same, if there are at most `most`, and the kernel (from 4.13 on) tells them.
fn read_groups(socket: &impl AsRawFd, most: usize) -> Option<Vec<Gid>> {
    let mut groups: Vec<libc::gid_t> = vec![0; most];
    let room = groups.len() * size_of::<libc::gid_t>();
    let mut bytes = libc::socklen_t::try_from(room).ok()?;
    // SAFETY: the kernel writes at most `bytes` bytes, which is what the vector holds, and says in
    // `bytes` how many it wrote; any bit pattern is a group's number.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    if answer != 0 {
        return None;
    }
    groups.truncate(bytes as usize / size_of::<libc::gid_t>());
    Some(groups.into_iter().map(Gid::from_raw).collect())
}

/// Groups that most processes are not in more than.
const GROUPS_FEW: usize = 64;

/// Linux allows no more (credentials(7)).
const GROUPS_MAX: usize = 65_536;

/// The number of whoever has none in a user namespace (user_namespaces(7)).
const NOBODY: u32 = 65_534;

/// Whether a number stands for one user or group, and not for all that have none here.
fn is_one(id: u32) -> bool {
    id != NOBODY || !*NOBODY_IS_MANY
}

/// Whether this process is in a user namespace that leaves users out.
static NOBODY_IS_MANY: LazyLock<bool> = LazyLock::new(|| {
    let map = std::fs::read_to_string("/proc/self/uid_map");
    map.is_ok_and(|map| !covers_all(&map))
});

/// Whether a map (user_namespaces(7)) is the one of a machine's own namespace.
fn covers_all(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
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
            groups: Vec::new(),
        };
        let nobody = |_: &Peer| Vec::new();
        let member = |_: &Peer| vec![Gid::from_raw(5), Gid::from_raw(70)];
        assert!(admission.admits_with(&peer(0, 0), nobody));
        assert!(admission.admits_with(&peer(900, 900), nobody));
        assert!(admission.admits_with(&peer(1000, 70), nobody));
        assert!(admission.admits_with(&peer(1000, 1000), member));
        assert!(!admission.admits_with(&peer(1000, 1000), nobody));
        let closed = Admission {
            group: None,
            ..admission
        };
        assert!(!closed.admits_with(&peer(1000, 70), member));
    }
    #[test]
    fn the_kernel_tells_the_groups_of_the_process_at_the_other_end() {
        let (here, _there) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let told: std::collections::BTreeSet<u32> =
            groups_of(&here).into_iter().map(Gid::as_raw).collect();
        let own = nix::unistd::getgroups().expect("groups");
        assert_eq!(told, own.into_iter().map(Gid::as_raw).collect());
        let admission = Admission {
            own: Uid::from_raw(900),
            group: Some(Gid::from_raw(70)),
        };
        let peer = Peer {
            user: Uid::from_raw(1000),
            group: Gid::from_raw(1000),
            groups: vec![Gid::from_raw(70)],
        };
        assert!(admission.admits_with(&peer, |_| Vec::new()));
    }

    #[test]
    fn a_namespace_that_leaves_users_out_is_known_by_its_map() {
        assert!(covers_all("         0          0 4294967295\n"));
        assert!(!covers_all("0 0 1\n900 900 1\n"));
        assert!(!covers_all("0 1000 1\n"));
    }
}
