//! What this machine is called and where it can be reached, without asking anybody: no DNS.

use std::collections::BTreeSet;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;

use crate::config::schema::Config;

/// Names and addresses of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Host names, the shortest first; the last is always `localhost`.
    pub(super) hosts: Vec<String>,
    /// Addresses, loopback last.
    pub(super) addresses: Vec<IpAddr>,
}

impl Names {
    /// All of them as text.
    pub(super) fn all(&self) -> Vec<String> {
        let addresses = self.addresses.iter().map(ToString::to_string);
        self.hosts.iter().cloned().chain(addresses).collect()
    }
}

/// The machine's own, and the host of `http.public_url`.
pub(super) fn names(config: &Config) -> Names {
    let mut hosts = Vec::new();
    if let Some(host) = config.http.public_url.as_deref().and_then(host_of) {
        hosts.push(host);
    }
    if let Some(own) = host_name() {
        let hosts_file = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        hosts.extend(full_name(&own, &hosts_file));
        hosts.push(own);
    }
    hosts.push("localhost".to_owned());
    let mut addresses = addresses();
    // The host of a public URL may be an address.
    hosts.retain(|host| match host.parse::<IpAddr>() {
        Ok(address) => {
            addresses.insert(address);
            false
        }
        Err(_) => is_host(host),
    });
    let mut seen = BTreeSet::new();
    hosts.retain(|host| seen.insert(host.to_ascii_lowercase()));
    let mut addresses: Vec<_> = addresses.into_iter().collect();
    addresses.sort_by_key(|address| (address.is_loopback(), address.is_ipv6(), *address));
    Names { hosts, addresses }
}

/// The kernel's host name.
pub(super) fn host_name() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
    (is_host(&name) && name != "(none)").then_some(name)
}

/// The first name of `/etc/hosts` that begins with the host's and has a domain.
fn full_name(host: &str, hosts_file: &str) -> Option<String> {
    let begins = format!("{host}.");
    let words = hosts_file.lines().flat_map(|line| {
        let names = line.split('#').next().unwrap_or_default();
        names.split_whitespace().skip(1)
    });
    let found = words.filter(|word| word.starts_with(&begins) && is_host(word));
    found.map(str::to_owned).next()
}

/// Every interface's, but link-local ones, which mean nothing without the interface.
fn addresses() -> BTreeSet<IpAddr> {
    let mut found = BTreeSet::from([IpAddr::from([127, 0, 0, 1])]);
    for interface in getifaddrs().into_iter().flatten() {
        let Some(address) = interface.address else {
            continue;
        };
        let v4 = address.as_sockaddr_in().map(|at| IpAddr::V4(at.ip()));
        let v6 = address.as_sockaddr_in6().map(|at| IpAddr::V6(at.ip()));
        found.extend(v4.or(v6).filter(|address| !is_link_local(address)));
    }
    found
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => four.is_link_local(),
        IpAddr::V6(six) => six.segments()[0] & 0xffc0 == 0xfe80,
    }
}

/// The host of `https://host[:port]`.
fn host_of(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let host = url.host_str()?;
    Some(host.trim_matches(['[', ']']).to_owned())
}

/// Letters, digits, dots and hyphens (RFC 1123).
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names_come_from_the_hosts_file_without_dns() {
        let file = "127.0.0.1 localhost\n# box.wrong\n127.0.1.1 box.example.org box # box.not\n";
        assert_eq!(full_name("box", file).as_deref(), Some("box.example.org"));
        assert_eq!(full_name("bo", file), None);
        assert_eq!(full_name("box", "10.0.0.1 box_.x box.a_b\n"), None);
    }

    #[test]
    fn a_machine_is_localhost_and_the_public_url_at_least() {
        let mut config = Config::default();
        config.http.public_url = Some("https://Calls.example.org:8443".to_owned());
        let found = names(&config);
        assert_eq!(
            found.hosts.first().map(String::as_str),
            Some("calls.example.org")
        );
        assert_eq!(found.hosts.last().map(String::as_str), Some("localhost"));
        assert!(found.addresses.contains(&IpAddr::from([127, 0, 0, 1])));
        config.http.public_url = Some("https://[2001:db8::7]:1".to_owned());
        let found = names(&config);
        assert!(found.all().contains(&"2001:db8::7".to_owned()), "{found:?}");
        assert!(!found.hosts.iter().any(|host| host.contains(':')));
    }
}
