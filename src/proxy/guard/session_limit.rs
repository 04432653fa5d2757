//! How many portal sessions with a name each client has, and the networks around it: in memory, by address prefix.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::domain::{
    client::Network,
    fairness::{LimitScope, ResourceLimit},
};

#[derive(Debug)]
pub(super) struct PortalSessionLimit {
    limit: ResourceLimit,
    held: Mutex<HashMap<Network, usize>>,
}

/// One session counted for its client, until it is dropped.
#[derive(Debug)]
pub(super) struct SessionPermit {
    limit: Arc<PortalSessionLimit>,
    client: IpAddr,
}

impl PortalSessionLimit {
    pub fn new(limit: ResourceLimit) -> Self {
        Self { limit, held: Mutex::default() }
    }

    /// `None`: the client, or a network that it belongs to, has reached its limit.
    pub fn acquire(self: &Arc<Self>, client: IpAddr) -> Option<SessionPermit> {
        let client = client.to_canonical();
        let mut held = self.lock();
        let has_room = networks(client)
            .all(|(network, breadth)| held.get(&network).copied().unwrap_or(0) < self.limit.limit(breadth));
        if !has_room {
            return None;
        }
        for (network, _) in networks(client) {
            *held.entry(network).or_default() += 1;
        }
        Some(SessionPermit { limit: Arc::clone(self), client })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SessionPermit {
    fn drop(&mut self) {
        let mut held = self.limit.lock();
        for (network, _) in networks(self.client) {
            if let Entry::Occupied(mut entry) = held.entry(network) {
                let left = entry.get().saturating_sub(1);
                if left == 0 {
                    entry.remove();
                } else {
                    entry.insert(left);
                }
            }
        }
    }
}

/// The client and the networks around it, narrowest first, as for limits of requests.
fn networks(client: IpAddr) -> impl Iterator<Item = (Network, LimitScope)> {
    let prefixes = Network::prefixes(client);
    let steps = u8::try_from(prefixes.len()).unwrap_or(u8::MAX);
    (0..steps)
        .zip(prefixes)
        .map(move |(step, prefix)| (Network::of(client, *prefix), LimitScope::new(step, steps)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: ResourceLimit = ResourceLimit { client: 4, all: 34 };

    /// The permits of all addresses, each until it gets no more.
    fn acquired(limit: &Arc<PortalSessionLimit>, addresses: &[String]) -> Vec<SessionPermit> {
        let of_one = |address: &String| {
            let address = address.parse().unwrap();
            std::iter::from_fn(move || limit.acquire(address))
        };
        addresses.iter().flat_map(of_one).collect()
    }

    /// Attack: one site has many networks, each of which is a client.
    #[test]
    fn attack_networks_of_one_site_hold_the_sessions_of_all() {
        let addresses = |of: fn(u16) -> String| (0..100).map(of).collect::<Vec<_>>();
        for (name, addresses, most) in [
            ("one address", addresses(|_| "192.0.2.1".to_owned()), 4),
            ("one /64", addresses(|n| format!("2001:db8::{n:x}")), 4),
            ("one /56", addresses(|n| format!("2001:db8:0:{n:x}::1")), 14),
            ("one /48", addresses(|n| format!("2001:db8:0:{n:x}00::1")), 24),
            ("one /24", addresses(|n| format!("192.0.2.{n}")), 19),
        ] {
            let limit = Arc::new(PortalSessionLimit::new(LIMIT));
            let held = acquired(&limit, &addresses);
            assert_eq!(held.len(), most, "{name}");
            assert!(limit.acquire([198, 51, 100, 1].into()).is_some(), "{name}: another network");
            drop(held);
            assert!(limit.lock().is_empty(), "{name}: no network is left");
        }
    }
}
