//! The addresses to listen on: free, the daemon's, or somebody else's; and this machine's at all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::finding::Finding;
use super::scene::Scene;
use crate::cli::exit::Exit;
use crate::config::schema::Config;

/// Who listens on an address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listener {
    address: SocketAddr,
    /// Process and program, where this user may see them.
    by: Option<(u32, String)>,
}

#[derive(Clone, Debug)]
struct Facts {
    key: &'static str,
    address: SocketAddr,
    /// Whether the address is this machine's.
    ours: bool,
    listeners: Vec<Listener>,
    daemon: Option<u32>,
    /// Whether the daemon's user may take the port.
    allowed: bool,
}

pub(super) fn look(scene: &Scene, config: &Config) -> Vec<Finding> {
    let listeners = listeners();
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let first: u16 = first
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1_024);
    let plain = config
        .http
        .listen
        .iter()
        .map(|address| ("http.listen", *address));
    let tls = config
        .http
        .listen_tls
        .iter()
        .map(|address| ("http.listen_tls", *address));
    let mut wanted: Vec<_> = plain.chain(tls).collect();
    let sockets = config.lines.iter().filter_map(|line| line.audiosocket);
    for address in sockets {
        if !wanted.iter().any(|(_, known)| *known == address) {
            wanted.push(("line.audiosocket", address));
        }
    }
    let judged = wanted
        .into_iter()
        .filter(|(_, address)| address.port() != 0);
    judged
        .map(|(key, address)| {
            judge(&Facts {
                key,
                address,
                // A port of the kernel's choice disturbs nobody.
                ours: TcpListener::bind(SocketAddr::new(address.ip(), 0)).is_ok(),
                listeners: listeners
                    .iter()
                    .filter(|listener| collide(listener.address, address))
                    .cloned()
                    .collect(),
                daemon: scene.daemon,
                allowed: address.port() >= first || scene.who.uid == 0,
            })
        })
        .collect()
}

fn judge(facts: &Facts) -> Finding {
    let about = format!("{} {}", facts.key, facts.address);
    if !facts.ours {
        return Finding::problem(
            Exit::Address,
            "ports",
            about,
            "is no address of this machine",
            format!("'ip address' shows those there are; correct {}", facts.key),
        );
    }
    let Some(listener) = facts.listeners.first() else {
        return match (facts.daemon, facts.allowed) {
            (Some(_), _) => Finding::warning(
                "ports",
                about,
                "is not listened on, though the daemon runs",
                "'systemctl restart callreeld', if the configuration has changed",
            ),
            (None, true) => Finding::ok("ports", about, "is free"),
            (None, false) => Finding::warning(
                "ports",
                about,
                "is free, but a port below 1024 that the daemon's user may not take by itself",
                "let systemd pass it ('systemctl enable --now callreeld-https.socket'), or choose \
                 a port from 1024 on",
            ),
        };
    };
    match &listener.by {
        Some((pid, _)) if Some(*pid) == facts.daemon => {
            Finding::ok("ports", about, "is listened on by the daemon")
        }
        Some((1, _)) => Finding::ok("ports", about, "is held by systemd for the daemon"),
        None if facts.daemon.is_some() => {
            Finding::ok("ports", about, "is listened on (root can see by whom)")
        }
        by => {
            let (whom, mend) = match by {
                Some((pid, name)) => (
                    format!("{name} (process {pid})"),
                    format!("stop {name}, or change {}", facts.key),
                ),
                None => (
                    "another program".to_owned(),
                    format!("'sudo ss -ltnp' shows it; stop it, or change {}", facts.key),
                ),
            };
            let says = format!("is in use by {whom}, on {}", listener.address);
            Finding::problem(Exit::Address, "ports", about, says, mend)
        }
    }
}

/// Whether two sockets cannot both listen: the same port, and one address or a wildcard.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let any = |ip: IpAddr| ip.is_unspecified();
    let same_family = one.is_ipv4() == other.is_ipv4();
    let dual = |address: SocketAddr| address.is_ipv6() && any(address.ip());
    one.port() == other.port()
        && (one.ip() == other.ip()
            || (same_family && (any(one.ip()) || any(other.ip())))
            || dual(one)
            || dual(other))
}

fn listeners() -> Vec<Listener> {
    let mut found = Vec::new();
    for name in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = std::fs::read_to_string(name).unwrap_or_default();
        found.extend(text.lines().filter_map(parse));
    }
    if found.is_empty() {
        return Vec::new();
    }
    let owners = owners();
    found
        .into_iter()
        .map(|(address, inode)| Listener {
            address,
            by: owners.get(&inode).cloned(),
        })
        .collect()
}

/// `  0: 0100007F:1F90 00000000:0000 0A … inode`: words in this machine's order of bytes.
fn parse(line: &str) -> Option<(SocketAddr, u64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if *words.get(3)? != LISTENING {
        return None;
    }
    let (ip, port) = words.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok();
    let ip = if ip.len() == 8 {
        IpAddr::V4(Ipv4Addr::from(word(0)?.to_ne_bytes()))
    } else {
        let mut bytes = [0; 16];
        for (at, chunk) in bytes.chunks_exact_mut(4).enumerate() {
            chunk.copy_from_slice(&word(at)?.to_ne_bytes());
        }
        IpAddr::V6(Ipv6Addr::from(bytes))
    };
    Some((SocketAddr::new(ip, port), words.get(9)?.parse().ok()?))
}

const LISTENING: &str = "0A";

/// The process of each socket, as far as this user may see.
fn owners() -> HashMap<u64, (u32, String)> {
    let mut owners = HashMap::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        for file in std::fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let target = std::fs::read_link(file.path()).unwrap_or_default();
            let inode = target.to_str().and_then(|text| {
                text.strip_prefix("socket:[")?
                    .strip_suffix(']')?
                    .parse::<u64>()
                    .ok()
            });
            let Some(inode) = inode else { continue };
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let owner = (pid, name.trim().to_owned());
            let known = owners.entry(inode).or_insert_with(|| owner.clone());
            // systemd keeps a socket that it passed on: the one it was passed to is told.
            if known.0 == 1 {
                *known = owner;
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn the_kernels_table_of_listeners_is_read() {
        let ip = u32::from_ne_bytes([127, 0, 0, 1]);
        let row = format!("0: {ip:08X}:1F90 00000000:0000 0A 0:0 00:0 0 0 0 4711 1");
        let address: SocketAddr = "127.0.0.1:8080".parse().expect("an address");
        assert_eq!(parse(&row), Some((address, 4_711)));
        assert_eq!(parse(&row.replace(" 0A ", " 01 ")), None);
        assert_eq!(parse("sl local_address"), None);
    }

    #[test]
    fn a_port_in_use_names_who_uses_it() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert!(collide(at("0.0.0.0:80"), at("127.0.0.1:80")));
        assert!(collide(at("[::]:80"), at("127.0.0.1:80")));
        assert!(!collide(at("127.0.0.2:80"), at("127.0.0.1:80")));
        let listener = Listener {
            address: at("0.0.0.0:443"),
            by: Some((77, "nginx".to_owned())),
        };
        let facts = Facts {
            key: "http.listen_tls",
            address: at("0.0.0.0:443"),
            ours: true,
            listeners: vec![listener],
            daemon: None,
            allowed: false,
        };
        let found = judge(&facts);
        assert_eq!(found.exit, Exit::Address);
        assert!(found.says.contains("nginx (process 77)"), "{found:?}");
        let daemon = Some(77);
        assert_eq!(
            judge(&Facts {
                daemon,
                ..facts.clone()
            })
            .state,
            State::Ok
        );
        let free = Facts {
            listeners: Vec::new(),
            ..facts
        };
        assert_eq!(judge(&free).state, State::Warning);
        assert_eq!(
            judge(&Facts {
                ours: false,
                ..free
            })
            .exit,
            Exit::Address
        );
    }
}
