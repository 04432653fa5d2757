//! What is counted: names, addresses, names at addresses, devices. Each has a text form, which the store keeps.

use core::net::{IpAddr, Ipv6Addr};
use std::fmt;

use ipnet::{IpNet, Ipv6Net};

use crate::domain::{account::AccountId, tenant::TenantId};

/// Names nobody has share this many counters: bounded memory, and nothing is evicted that an attacker might want to be.
pub const UNKNOWN_NAMES: usize = 1 << 16;

/// Whose password is being guessed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Who {
    Account(AccountId),
    /// A name the portal behind us knows, and Doorward does not.
    Portal(NameHash),
    /// A name nobody has: one of [`UNKNOWN_NAMES`] buckets.
    Unknown(u16),
}

impl Who {
    /// The bucket of a name nobody has, from its keyed hash. Without the key nobody can tell which names share one.
    pub fn unknown(keyed_hash: &[u8; 32]) -> Self {
        let [first, second, ..] = *keyed_hash;
        Self::Unknown(u16::from_be_bytes([first, second]))
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, value) = text.split_once(':')?;
        match kind {
            "account" => AccountId::parse(value).ok().map(Self::Account),
            "portal" => NameHash::parse(value).map(Self::Portal),
            "unknown" => hex(value, 4).and_then(|n| u16::try_from(n).ok()).map(Self::Unknown),
            _ => None,
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account:{id}"),
            Self::Portal(name) => write!(f, "portal:{name}"),
            Self::Unknown(bucket) => write!(f, "unknown:{bucket:04x}"),
        }
    }
}

/// A name by its keyed hash, so that the table of counters is no list of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameHash(u128);

impl NameHash {
    pub fn of(keyed_hash: &[u8; 32]) -> Self {
        let (half, _) = keyed_hash.split_at(16);
        Self(half.iter().fold(0, |sum, byte| (sum << 8) | u128::from(*byte)))
    }

    pub fn parse(text: &str) -> Option<Self> {
        hex(text, 32).map(Self)
    }
}

impl fmt::Display for NameHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A browser's own random number, out of its signed device cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(u128);

impl DeviceId {
    pub fn new(random: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(random))
    }

    pub fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    pub fn parse(text: &str) -> Option<Self> {
        hex(text, 32).map(Self)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What counts as one address: an IPv4 address, or an IPv6 /64, which one customer has whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientNet(IpAddr);

impl ClientNet {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Self(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX)).into()),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let address = match text.strip_suffix("/64") {
            Some(v6) => v6.parse::<Ipv6Addr>().ok()?.into(),
            None => text.parse::<core::net::Ipv4Addr>().ok()?.into(),
        };
        Some(Self::of(address))
    }

    /// As a network, for lists that people read.
    pub fn net(self) -> IpNet {
        match self.0 {
            IpAddr::V6(v6) => Ipv6Net::new(v6, 64).map_or_else(|_| IpNet::from(self.0), IpNet::V6),
            IpAddr::V4(_) => IpNet::from(self.0),
        }
    }
}

impl fmt::Display for ClientNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => write!(f, "{v4}"),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CounterKey {
    Account {
        tenant: TenantId,
        account: AccountId,
    },
    Portal {
        tenant: TenantId,
        name: NameHash,
    },
    Unknown {
        tenant: TenantId,
        bucket: u16,
    },
    /// All names a portal may take for one.
    Alike {
        tenant: TenantId,
        name: NameHash,
    },
    /// The failures of one client at the portal's sign-in under one spelling of a name. It locks nothing, and bounds what a
    /// success of that client may forgive.
    Spelling {
        tenant: TenantId,
        who: Who,
        name: NameHash,
    },
    /// How many failures of a name successes at the portal have forgiven lately. It locks nothing.
    Forgiven {
        tenant: TenantId,
        who: Who,
    },
    Address {
        tenant: TenantId,
        net: ClientNet,
    },
    /// Attempts from one network at guards without a user name, over all portal sessions.
    Nameless {
        tenant: TenantId,
        net: ClientNet,
    },
    /// Attempts in one portal session in which a name was given, for any name.
    PortalSession {
        tenant: TenantId,
        session: NameHash,
    },
    /// Attempts for one name at the management API, from all networks without a recent success of that name.
    UnknownNetworks {
        tenant: TenantId,
        who: Who,
    },
    /// A network from which the account has used the management API. It counts no failures and locks nothing.
    KnownNetwork {
        tenant: TenantId,
        who: Who,
        net: ClientNet,
    },
    AccountAddress {
        tenant: TenantId,
        who: Who,
        net: ClientNet,
    },
    Device {
        tenant: TenantId,
        who: Who,
        device: DeviceId,
    },
    /// All known devices of a name together.
    Devices {
        tenant: TenantId,
        who: Who,
    },
}

impl CounterKey {
    /// The counter of a name, for those who come without a device cookie.
    pub fn of(tenant: TenantId, who: Who) -> Self {
        match who {
            Who::Account(account) => Self::Account { tenant, account },
            Who::Portal(name) => Self::Portal { tenant, name },
            Who::Unknown(bucket) => Self::Unknown { tenant, bucket },
        }
    }

    /// Whether the counter stands for a name as such.
    pub fn is_name(&self) -> bool {
        matches!(self, Self::Account { .. } | Self::Portal { .. } | Self::Unknown { .. })
    }

    /// Whether it holds the failures of one client under one spelling of a name at the portal.
    pub fn is_spelling(&self) -> bool {
        matches!(self, Self::Spelling { .. })
    }

    /// Whether other clients count on it, other spellings, or attempts at Doorward's own sign-in.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Account { .. } | Self::Portal { .. } | Self::Alike { .. })
    }

    pub(super) fn is_forgiven(&self) -> bool {
        matches!(self, Self::Forgiven { .. })
    }

    pub(super) fn is_known_network(&self) -> bool {
        matches!(self, Self::KnownNetwork { .. })
    }

    /// Whether only a success writes it, because it records something else than failed attempts.
    pub(super) fn is_record(&self) -> bool {
        self.is_forgiven() || self.is_known_network()
    }

    /// Whether it counts a whole network or several. A success must not remove the failures of other users there.
    pub(super) fn is_network(&self) -> bool {
        matches!(self, Self::Address { .. } | Self::Nameless { .. } | Self::UnknownNetworks { .. })
    }

    /// Whether it is about known devices.
    pub(super) fn is_device(&self) -> bool {
        matches!(self, Self::Device { .. } | Self::Devices { .. })
    }

    pub fn to_text(&self) -> String {
        match self {
            Self::Account { tenant, account } => format!("name|{tenant}|account:{account}"),
            Self::Portal { tenant, name } => format!("name|{tenant}|portal:{name}"),
            Self::Unknown { tenant, bucket } => format!("name|{tenant}|unknown:{bucket:04x}"),
            Self::Alike { tenant, name } => format!("alike|{tenant}|{name}"),
            Self::Spelling { tenant, who, name } => format!("spelling|{tenant}|{who}|{name}"),
            Self::Forgiven { tenant, who } => format!("forgiven|{tenant}|{who}"),
            Self::Address { tenant, net } => format!("address|{tenant}|{net}"),
            Self::Nameless { tenant, net } => format!("nameless|{tenant}|{net}"),
            Self::PortalSession { tenant, session } => format!("portal-session|{tenant}|{session}"),
            Self::UnknownNetworks { tenant, who } => format!("unknown-networks|{tenant}|{who}"),
            Self::KnownNetwork { tenant, who, net } => format!("known-network|{tenant}|{who}|{net}"),
            Self::AccountAddress { tenant, who, net } => format!("name-address|{tenant}|{who}|{net}"),
            Self::Device { tenant, who, device } => format!("device|{tenant}|{who}|{device}"),
            Self::Devices { tenant, who } => format!("devices|{tenant}|{who}"),
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('|');
        let kind = parts.next()?;
        let tenant = TenantId::parse(parts.next()?).ok()?;
        let third = parts.next()?;
        let key = match (kind, parts.next()) {
            ("name", None) => Self::of(tenant, Who::parse(third)?),
            ("forgiven", None) => Self::Forgiven { tenant, who: Who::parse(third)? },
            ("devices", None) => Self::Devices { tenant, who: Who::parse(third)? },
            ("alike", None) => Self::Alike { tenant, name: NameHash::parse(third)? },
            ("address", None) => Self::Address { tenant, net: ClientNet::parse(third)? },
            ("nameless", None) => Self::Nameless { tenant, net: ClientNet::parse(third)? },
            ("portal-session", None) => Self::PortalSession { tenant, session: NameHash::parse(third)? },
            ("unknown-networks", None) => Self::UnknownNetworks { tenant, who: Who::parse(third)? },
            ("known-network", Some(net)) => {
                Self::KnownNetwork { tenant, who: Who::parse(third)?, net: ClientNet::parse(net)? }
            }
            ("name-address", Some(net)) => {
                Self::AccountAddress { tenant, who: Who::parse(third)?, net: ClientNet::parse(net)? }
            }
            ("spelling", Some(name)) => {
                Self::Spelling { tenant, who: Who::parse(third)?, name: NameHash::parse(name)? }
            }
            ("device", Some(device)) => {
                Self::Device { tenant, who: Who::parse(third)?, device: DeviceId::parse(device)? }
            }
            _ => return None,
        };
        // one key, one text
        (key.to_text() == text).then_some(key)
    }
}

/// Exactly so many lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let digit = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
    if text.len() != digits || !text.bytes().all(digit) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}
