//! The lockout counters of a login attempt.

use core::net::IpAddr;

use super::{ClientNetwork, CounterKey, DeviceId, LockoutSettings, LoginSubject, NameHash};
use crate::domain::tenant::TenantId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedAttempt {
    pub tenant: TenantId,
    pub subject: LoginSubject,
    /// Set at the portal's login: the hash that all names share which the portal may treat as this one.
    pub confusable: Option<NameHash>,
    /// Set at the portal's login: the hash of the client and the spelling of the name.
    pub spelling: Option<NameHash>,
    /// `None` for an attempt without a client address, such as one on the command line.
    pub address: Option<IpAddr>,
    /// From a verified device cookie of this account.
    pub device: Option<DeviceId>,
}

/// The counters of an attempt, in the order in which their rows are locked. The name's own counter is
/// always included, because a lock applies even where counting is off.
pub fn counter_keys(settings: &LockoutSettings, attempt: &CountedAttempt) -> Vec<CounterKey> {
    let CountedAttempt { tenant, subject, confusable, spelling, address, device } = attempt;
    let mut keys = vec![CounterKey::of(tenant.clone(), subject.clone())];
    if let Some(name) = *confusable {
        keys.push(CounterKey::Confusable { tenant: tenant.clone(), name });
    }
    if let Some(name) = *spelling {
        keys.push(CounterKey::Spelling { tenant: tenant.clone(), subject: subject.clone(), name });
        keys.push(CounterKey::Forgiven { tenant: tenant.clone(), subject: subject.clone() });
    }
    if let Some(address) = address.filter(|address| !settings.exempts(*address)) {
        let net = ClientNetwork::of(address);
        if settings.address.is_some() {
            keys.push(CounterKey::Address { tenant: tenant.clone(), net });
        }
        if settings.account_and_address.is_some() {
            keys.push(CounterKey::AccountAddress { tenant: tenant.clone(), subject: subject.clone(), net });
        }
    }
    if let Some(device) = device.filter(|_| settings.device.is_some()) {
        keys.push(CounterKey::Device { tenant: tenant.clone(), subject: subject.clone(), device });
        keys.push(CounterKey::Devices { tenant: tenant.clone(), subject: subject.clone() });
    }
    keys.sort();
    keys
}
