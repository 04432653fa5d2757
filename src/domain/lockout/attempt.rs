//! Which counters an attempt to sign in touches.

use core::net::IpAddr;

use super::{ClientNet, CounterKey, DeviceId, LockoutSettings, NameHash, Who};
use crate::domain::tenant::TenantId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub tenant: TenantId,
    pub who: Who,
    /// What all names are counted by that the portal may take for this one, where the portal is asked.
    pub alike: Option<NameHash>,
    /// The client and the spelling under which it asks the portal.
    pub spelling: Option<NameHash>,
    /// None: an attempt without a network behind it, such as one on the command line.
    pub address: Option<IpAddr>,
    /// Out of a device cookie that was verified, and made for this very name.
    pub device: Option<DeviceId>,
}

/// The counters of an attempt, in the order in which rows are to be locked. The name's own counter is always among
/// them, because a lock holds even where counting is off.
pub fn keys(settings: &LockoutSettings, attempt: &Attempt) -> Vec<CounterKey> {
    let Attempt { tenant, who, alike, spelling, address, device } = attempt;
    let mut keys = vec![CounterKey::of(tenant.clone(), who.clone())];
    if let Some(name) = *alike {
        keys.push(CounterKey::Alike { tenant: tenant.clone(), name });
    }
    if let Some(name) = *spelling {
        keys.push(CounterKey::Spelling { tenant: tenant.clone(), who: who.clone(), name });
        keys.push(CounterKey::Forgiven { tenant: tenant.clone(), who: who.clone() });
    }
    if let Some(address) = address.filter(|address| !settings.allows(*address)) {
        let net = ClientNet::of(address);
        if settings.address.is_some() {
            keys.push(CounterKey::Address { tenant: tenant.clone(), net });
        }
        if settings.account_and_address.is_some() {
            keys.push(CounterKey::AccountAddress { tenant: tenant.clone(), who: who.clone(), net });
        }
    }
    if let Some(device) = device.filter(|_| settings.device.is_some()) {
        keys.push(CounterKey::Device { tenant: tenant.clone(), who: who.clone(), device });
        keys.push(CounterKey::Devices { tenant: tenant.clone(), who: who.clone() });
    }
    keys.sort();
    keys
}
