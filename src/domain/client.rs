//! The networks of an address for which shared resources are counted.

use core::net::{IpAddr, Ipv6Addr};
use std::fmt;

/// The narrowest network that counts as one client: an IPv4 address, or an IPv6 /64, which is assigned to one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientPrefix(IpAddr);

impl ClientPrefix {
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// A network that an address belongs to. IPv4 is written as IPv4-mapped IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    bits: u128,
    prefix: u8,
}

impl Network {
    /// The prefixes that are counted, narrowest first: IPv4 /32 and /24, IPv6 /64, /56 and /48.
    pub const fn prefixes(address: IpAddr) -> &'static [u8] {
        match address {
            IpAddr::V4(_) => &[128, 120],
            IpAddr::V6(_) => &[64, 56, 48],
        }
    }

    pub fn of(address: IpAddr, prefix: u8) -> Self {
        let bits = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
        Self { bits: bits & mask, prefix }
    }
}

/// The address an attempt to sign in comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    pub ip: IpAddr,
    /// A proxy that is not in `server.trusted_proxies`: the clients behind it cannot be distinguished.
    pub is_unlisted_proxy: bool,
}

impl ClientAddress {
    /// Whether a peer that is not a trusted proxy, but sends proxy headers, counts as an unlisted proxy.
    /// Any client can send them, so the peer must also be on a private network: a client on the internet
    /// cannot avoid its address counter.
    pub fn of(ip: IpAddr, sends_proxy_headers: bool) -> Self {
        Self { ip, is_unlisted_proxy: sends_proxy_headers && !is_public(ip) }
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            // RFC 6598
            let is_carrier_grade_nat = v4.to_bits() >> 22 == 0b01_1001_0001;
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_carrier_grade_nat)
        }
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
    }
}

impl<T: Into<IpAddr>> From<T> for ClientAddress {
    fn from(ip: T) -> Self {
        Self { ip: ip.into(), is_unlisted_proxy: false }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_addresses_of_one_host_are_one_client() {
        for (one, other, same) in [
            ("2001:db8::1", "2001:db8::ffff:1:2:3", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            let client = |text: &str| ClientPrefix::of(text.parse().unwrap());
            assert_eq!(client(one) == client(other), same, "{one} {other}");
        }
    }

    #[test]
    fn only_private_peers_count_as_unlisted_proxies() {
        for (ip, is_proxy) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.17.0.1", true),
            ("192.168.1.1", true),
            ("100.64.0.1", true),
            ("100.127.255.255", true),
            ("100.128.0.1", false),
            ("100.63.255.255", false),
            ("169.254.1.1", true),
            ("::ffff:10.0.0.1", true),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("203.0.113.7", false),
            ("2001:db8::1", false),
        ] {
            let ip = ip.parse().unwrap();
            assert_eq!(ClientAddress::of(ip, true).is_unlisted_proxy, is_proxy, "{ip}");
            assert!(!ClientAddress::of(ip, false).is_unlisted_proxy, "{ip}");
        }
    }

    #[test]
    fn adjacent_addresses_share_their_wider_networks() {
        for (one, other, shared) in [
            ("192.0.2.1", "192.0.2.1", &[true, true][..]),
            ("192.0.2.1", "192.0.2.255", &[false, true]),
            ("192.0.2.1", "192.0.3.1", &[false, false]),
            ("2001:db8::1", "2001:db8::2", &[true, true, true]),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", &[false, true, true]),
            ("2001:db8:0:100::1", "2001:db8:0:200::1", &[false, false, true]),
            ("2001:db8:1::1", "2001:db8:2::1", &[false, false, false]),
        ] {
            let [one, other]: [IpAddr; 2] = [one, other].map(|text| text.parse().unwrap());
            let same: Vec<bool> = Network::prefixes(one)
                .iter()
                .map(|prefix| Network::of(one, *prefix) == Network::of(other, *prefix))
                .collect();
            assert_eq!(same, shared, "{one} {other}");
        }
    }
}
