//! Egress policy: the addresses that requests to an issuer may go to (SSRF protection).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Checked for each connection, after the name of the issuer has been resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EgressPolicy {
    /// An issuer of `deployment.toml`.
    Unrestricted,
    /// An issuer of a tenant's file: no address of this machine's network segment, and of this machine itself only where
    /// `tenancy.issuers_on_loopback` says so.
    Confined { loopback: bool },
}

/// Metadata services of clouds that are not at link-local addresses: Azure, Alibaba Cloud, Oracle Cloud.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
/// Amazon's.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

impl EgressPolicy {
    pub fn allows_address(self, address: IpAddr) -> bool {
        let Self::Confined { loopback } = self else { return true };
        match address {
            IpAddr::V4(ip) => allows_v4(ip, loopback),
            IpAddr::V6(ip) => match embedded_ipv4(ip) {
                Some(ip) => allows_v4(ip, loopback),
                // systems take the unspecified address for loopback
                None if ip.is_loopback() || ip.is_unspecified() => loopback,
                None => !ip.is_unicast_link_local() && !ip.is_multicast() && ip != METADATA_V6,
            },
        }
    }
}

fn allows_v4(ip: Ipv4Addr, loopback: bool) -> bool {
    let [first, ..] = ip.octets();
    if ip.is_loopback() || first == 0 {
        return loopback;
    }
    !ip.is_link_local() && !ip.is_multicast() && !ip.is_broadcast() && !METADATA_V4.contains(&ip)
}

/// The IPv4 address that a packet to this address would reach: IPv4-mapped, IPv4-compatible, NAT64 (RFC 6052), 6to4.
fn embedded_ipv4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_ssrf_to_local_addresses_in_any_notation() {
        for (address, everywhere_else, with_loopback) in [
            ("127.0.0.1", false, true),
            ("127.8.9.10", false, true),
            ("0.0.0.0", false, true),
            ("0.1.2.3", false, true),
            ("::1", false, true),
            ("::", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("::127.0.0.1", false, true),
            ("64:ff9b::7f00:1", false, true),
            ("2002:7f00:1::", false, true),
            ("169.254.169.254", false, false),
            ("169.254.0.1", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("fe80::1", false, false),
            ("fe80::1234:5678:9abc:def0", false, false),
            ("fd00:ec2::254", false, false),
            ("168.63.129.16", false, false),
            ("100.100.100.200", false, false),
            ("192.0.0.192", false, false),
            ("255.255.255.255", false, false),
            ("224.0.0.1", false, false),
            ("ff02::1", false, false),
            // a company's own issuers
            ("10.0.0.7", true, true),
            ("192.168.1.1", true, true),
            ("172.16.0.1", true, true),
            ("fd00::7", true, true),
            ("203.0.113.9", true, true),
            ("2001:db8::1", true, true),
            ("::ffff:10.0.0.7", true, true),
        ] {
            let ip: IpAddr = address.parse().unwrap();
            assert_eq!(
                EgressPolicy::Confined { loopback: false }.allows_address(ip),
                everywhere_else,
                "{address}"
            );
            assert_eq!(
                EgressPolicy::Confined { loopback: true }.allows_address(ip),
                with_loopback,
                "{address}"
            );
            assert!(EgressPolicy::Unrestricted.allows_address(ip));
        }
    }
}
