//! Which addresses may be connected to on behalf of somebody else (API.md section 0). Pure; who
//! resolves and connects is elsewhere.
//!
//! Three kinds: *never* (link-local and metadata services, multicast, unspecified, broadcast:
//! nothing a sound would lie on, and no list opens them), *listed only* (this machine and private
//! networks), and everything else. An IPv6 address that carries an IPv4 one is judged by both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// How far an address may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// By everybody.
    Open,
    /// Only if the configuration lists it.
    Listed,
    /// Not at all.
    Never,
}

/// Whether an address may be connected to, under `[fetch] allow`.
pub(super) fn permits(allow: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_listed = |address: &IpAddr| allow.iter().any(|network| network.contains(address));
    let v6 = match address {
        IpAddr::V4(v4) => return is_permitted(reach_v4(v4), || is_listed(&address)),
        IpAddr::V6(v6) => v6,
    };
    let carried_is_permitted = carried(v6).into_iter().flatten().all(|v4| {
        is_permitted(reach_v4(v4), || {
            is_listed(&IpAddr::V4(v4)) || is_listed(&address)
        })
    });
    carried_is_permitted && is_permitted(reach_v6(v6), || is_listed(&address))
}

fn is_permitted(reach: Reach, is_listed: impl FnOnce() -> bool) -> bool {
    match reach {
        Reach::Open => true,
        Reach::Listed => is_listed(),
        Reach::Never => false,
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, _] = address.octets();
    if METADATA_V4.contains(&address)
        || address.is_unspecified()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
    {
        return Reach::Never;
    }
    let is_special = match a {
        // "This network", loopback, private, reserved (RFC 6890).
        0 | 10 | 127 | 240.. => true,
        // Carriers' address translation (RFC 6598).
        100 => b & 0xc0 == 64,
        172 => b & 0xf0 == 16,
        // Private, and protocol assignments (RFC 6890).
        192 => b == 168 || (b == 0 && c == 0),
        // Benchmarks (RFC 2544).
        198 => b & 0xfe == 18,
        _ => false,
    };
    if is_special {
        Reach::Listed
    } else {
        Reach::Open
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let [first, second, third, ..] = address.segments();
    let is_metadata = METADATA_V6.contains(&[first, second, third]);
    if is_metadata || address.is_unspecified() || address.is_multicast() || first & 0xffc0 == 0xfe80
    {
        return Reach::Never;
    }
    // Global unicast is 2000::/3 so far (RFC 4291 section 2.4); beyond it the well-known prefix of
    // NAT64 leads to IPv4 addresses, which are judged by themselves, as are those in ::/96.
    let is_global = first & 0xe000 == 0x2000
        || is_nat64(address)
        || (is_compatible(address) && address != Ipv6Addr::LOCALHOST);
    if is_global {
        Reach::Open
    } else {
        Reach::Listed
    }
}

/// The IPv4 addresses that an IPv6 address leads to.
fn carried(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let [first, second, third, fourth, fifth, _, seventh, eighth] = address.segments();
    let last = v4(seventh, eighth);
    match first {
        // IPv4-compatible (RFC 4291 section 2.5.5.1), but for :: and ::1.
        0 if is_compatible(address) && address.to_bits() > 1 => [Some(last), None],
        0x64 if is_nat64(address) => [Some(last), None],
        // Local-use NAT64 (RFC 8215): the address lies at the end, or around bit 64 (RFC 6052
        // section 2.2). Where that reads as an address of 0.0.0.0/8 it is not there.
        0x64 if (second, third) == (0xff9b, 1) => {
            let middle = v4(fourth, fifth << 8 | address.segments()[5] >> 8);
            let is_there = |v4: &Ipv4Addr| v4.octets()[0] != 0;
            [Some(last).filter(is_there), Some(middle).filter(is_there)]
        }
        // 6to4 (RFC 3056).
        0x2002 => [Some(v4(second, third)), None],
        // Teredo (RFC 4380 section 4): the server, and the client with all bits turned.
        0x2001 if second == 0 => [Some(v4(third, fourth)), Some(v4(!seventh, !eighth))],
        _ => [None, None],
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

/// `64:ff9b::/96` (RFC 6052).
fn is_nat64(address: Ipv6Addr) -> bool {
    address.to_bits() >> 32 == 0x0064_ff9b_u128 << 64
}

/// `::/96`.
fn is_compatible(address: Ipv6Addr) -> bool {
    address.to_bits() >> 32 == 0
}

/// Metadata services outside 169.254.0.0/16: Alibaba's, Oracle's, Azure's.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];

/// Prefixes of 48 bits of metadata services: Amazon's, Google's.
const METADATA_V6: [[u16; 3]; 2] = [[0xfd00, 0xec2, 0], [0xfd20, 0xce, 0]];

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn permitted(allow: &[&str], address: &str) -> bool {
        permits(&nets(allow), address.parse().unwrap())
    }

    const PRIVATE: [&str; 33] = [
        "127.0.0.1",
        "127.255.255.255",
        "0.0.0.1",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.168.0.1",
        "192.168.255.255",
        "198.18.0.1",
        "198.19.255.255",
        "240.0.0.1",
        "255.255.255.254",
        "::1",
        "fc00::1",
        "fdff::1",
        "fec0::1",
        "feff::1",
        "100::1",
        "5f00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "::7f00:1",
        "64:ff9b::a01:203",
        "64:ff9b:1::a01:203",
        "64:ff9b:1::808:808",
        "2002:a01:203::1",
        "2001:0:a01:203::1",
        "2001:0:808:808:0:0:f5fe:fdfc",
    ];

    const NEVER: [&str; 27] = [
        "0.0.0.0",
        "255.255.255.255",
        "169.254.0.1",
        "169.254.169.254",
        "169.254.255.255",
        "224.0.0.1",
        "239.255.255.255",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "::",
        "fe80::1",
        "febf::1",
        "ff00::1",
        "ff02::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "::a9fe:a9fe",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:a9fe:a9:fe00::",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "2001:0:808:808:0:0:5601:5601",
    ];

    const OPEN: [&str; 19] = [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
        "2001:0:808:808:0:0:f7f7:f7f7",
    ];

    #[test]
    fn private_addresses_need_the_list() {
        for address in PRIVATE {
            assert!(!permitted(&[], address), "{address}");
            assert!(permitted(&["0.0.0.0/0", "::/0"], address), "{address}");
        }
    }

    #[test]
    fn some_addresses_cannot_be_listed() {
        for address in NEVER {
            let parsed: IpAddr = address.parse().unwrap();
            let own = IpNet::from(parsed);
            assert!(!permits(&[own], parsed), "{address}");
            assert!(!permitted(&["0.0.0.0/0", "::/0"], address), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_open() {
        for address in OPEN {
            assert!(permitted(&[], address), "{address}");
        }
    }

    #[test]
    fn the_list_opens_what_it_names_and_no_more() {
        let allow = ["10.1.0.0/16", "127.0.0.0/8", "fd12:3456::/32"];
        for (address, expected) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("64:ff9b::a01:203", true),
            ("10.2.0.1", false),
            ("127.0.0.1", true),
            ("::1", false),
            ("192.168.0.1", false),
            ("fd12:3456::1", true),
            ("fd12:3457::1", false),
        ] {
            assert_eq!(permitted(&allow, address), expected, "{address}");
        }
    }
}
