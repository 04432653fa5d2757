//! Keys of lockout counters: names, addresses, names at addresses, devices. The store uses their text form.

use core::net::{IpAddr, Ipv6Addr};
use std::fmt;

use crate::domain::{account::AccountId, tenant::TenantId};

/// The subject of a login attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LoginSubject {
    Account(AccountId),
    /// A name without a Doorward account, which the portal may know.
    PortalName(NameHash),
    /// A name without an account: one of 65,536 buckets. Memory is bounded without eviction, which an attacker could
    /// provoke.
    UnknownName(u16),
}

impl LoginSubject {
    /// The bucket of an unknown name, from its keyed hash: without the key, names that share a bucket cannot be found.
    pub fn unknown(keyed_hash: &[u8; 32]) -> Self {
        let [first, second, ..] = *keyed_hash;
        Self::UnknownName(u16::from_be_bytes([first, second]))
    }
}

impl fmt::Display for LoginSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account:{id}"),
            Self::PortalName(name) => write!(f, "portal:{name}"),
            Self::UnknownName(bucket) => write!(f, "unknown:{bucket:04x}"),
        }
    }
}

/// The keyed hash of a name, so that the counter table does not disclose names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameHash(u128);

impl NameHash {
    pub fn of(keyed_hash: &[u8; 32]) -> Self {
        let (half, _) = keyed_hash.split_at(16);
        Self(half.iter().fold(0, |sum, byte| (sum << 8) | u128::from(*byte)))
    }
}

impl fmt::Display for NameHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The random id of a browser, from its signed device cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(u128);

impl DeviceId {
    pub fn new(random: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(random))
    }

    pub fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The network that counts as one address: an IPv4 address, or an IPv6 /64, which is assigned to one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientNetwork(IpAddr);

impl ClientNetwork {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Self(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX)).into()),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl fmt::Display for ClientNetwork {
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
    PortalName {
        tenant: TenantId,
        name: NameHash,
    },
    UnknownName {
        tenant: TenantId,
        bucket: u16,
    },
    /// All names that the portal may treat as one.
    Confusable {
        tenant: TenantId,
        name: NameHash,
    },
    /// The failures of one client at the portal's login under one spelling of a name. Never locks; limits
    /// what a success of that client may forgive.
    Spelling {
        tenant: TenantId,
        subject: LoginSubject,
        name: NameHash,
    },
    /// The failures of a name that successes at the portal have forgiven recently. Never locks.
    Forgiven {
        tenant: TenantId,
        subject: LoginSubject,
    },
    Address {
        tenant: TenantId,
        net: ClientNetwork,
    },
    /// Attempts from one network at guards without a user name, over all portal sessions.
    Nameless {
        tenant: TenantId,
        net: ClientNetwork,
    },
    /// Attempts in one portal session in which a name was given, for any name.
    PortalSession {
        tenant: TenantId,
        session: NameHash,
    },
    /// Attempts for one name at the management API, from all networks without a recent success of that name.
    UnknownNetworks {
        tenant: TenantId,
        subject: LoginSubject,
    },
    /// A network from which the account has used the management API. It counts no failures and locks nothing.
    KnownNetwork {
        tenant: TenantId,
        subject: LoginSubject,
        net: ClientNetwork,
    },
    AccountAddress {
        tenant: TenantId,
        subject: LoginSubject,
        net: ClientNetwork,
    },
    Device {
        tenant: TenantId,
        subject: LoginSubject,
        device: DeviceId,
    },
    /// All known devices of a name together.
    Devices {
        tenant: TenantId,
        subject: LoginSubject,
    },
}

impl CounterKey {
    /// The counter of a name, for attempts without a device cookie.
    pub fn of(tenant: TenantId, subject: LoginSubject) -> Self {
        match subject {
            LoginSubject::Account(account) => Self::Account { tenant, account },
            LoginSubject::PortalName(name) => Self::PortalName { tenant, name },
            LoginSubject::UnknownName(bucket) => Self::UnknownName { tenant, bucket },
        }
    }

    /// Whether this is the counter of a name.
    pub fn is_name(&self) -> bool {
        matches!(self, Self::Account { .. } | Self::PortalName { .. } | Self::UnknownName { .. })
    }

    /// Whether this counts the failures of one client under one spelling at the portal.
    pub fn is_spelling(&self) -> bool {
        matches!(self, Self::Spelling { .. })
    }

    /// Whether other clients, other spellings, or attempts at Doorward's own login count here as well.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Account { .. } | Self::PortalName { .. } | Self::Confusable { .. })
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

    /// Whether this is a counter of known devices.
    pub(super) fn is_device(&self) -> bool {
        matches!(self, Self::Device { .. } | Self::Devices { .. })
    }

    pub fn to_text(&self) -> String {
        match self {
            Self::Account { tenant, account } => format!("name|{tenant}|account:{account}"),
            Self::PortalName { tenant, name } => format!("name|{tenant}|portal:{name}"),
            Self::UnknownName { tenant, bucket } => format!("name|{tenant}|unknown:{bucket:04x}"),
            Self::Confusable { tenant, name } => format!("alike|{tenant}|{name}"),
            Self::Spelling { tenant, subject, name } => format!("spelling|{tenant}|{subject}|{name}"),
            Self::Forgiven { tenant, subject } => format!("forgiven|{tenant}|{subject}"),
            Self::Address { tenant, net } => format!("address|{tenant}|{net}"),
            Self::Nameless { tenant, net } => format!("nameless|{tenant}|{net}"),
            Self::PortalSession { tenant, session } => format!("portal-session|{tenant}|{session}"),
            Self::UnknownNetworks { tenant, subject } => format!("unknown-networks|{tenant}|{subject}"),
            Self::KnownNetwork { tenant, subject, net } => {
                format!("known-network|{tenant}|{subject}|{net}")
            }
            Self::AccountAddress { tenant, subject, net } => format!("name-address|{tenant}|{subject}|{net}"),
            Self::Device { tenant, subject, device } => format!("device|{tenant}|{subject}|{device}"),
            Self::Devices { tenant, subject } => format!("devices|{tenant}|{subject}"),
        }
    }
}
