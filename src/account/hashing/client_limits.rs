//! Per-client limits of the password-hash queue. A quarter of the queue is reserved for known devices, so
//! that attempts from many networks do not exclude the owner of an account.

use std::time::Instant;

use crate::{
    domain::{
        client::ClientAddress,
        fairness::{Resource, ResourceLimit},
    },
    sync::client_limits::{ClientRegistry, Exceeded, Permit},
};

pub(super) struct HashClientLimits {
    ordinary: HashSlotPool,
    reserved: HashSlotPool,
}

/// Slots and places in the queue, with the limit of each client and of all.
struct HashSlotPool {
    clients: ClientRegistry,
    limit: ResourceLimit,
}

/// The permit of a client for one attempt, released on drop.
pub struct HashSlotPermit {
    _permit: Permit,
}

impl HashClientLimits {
    pub(super) fn new(capacity: usize, client: usize) -> Self {
        let reserved = capacity / 4;
        Self {
            ordinary: HashSlotPool::new(client, capacity - reserved),
            reserved: HashSlotPool::new(ResourceLimit::fraction(reserved, 4), reserved),
        }
    }

    pub(super) fn acquire(&self, address: ClientAddress) -> Result<HashSlotPermit, Exceeded> {
        self.ordinary.acquire(address)
    }

    /// For an attempt with a device cookie.
    pub(super) fn acquire_reserved(&self, address: ClientAddress) -> Result<HashSlotPermit, Exceeded> {
        self.reserved.acquire(address)
    }
}

impl HashSlotPool {
    fn new(client: usize, all: usize) -> Self {
        Self { clients: ClientRegistry::default(), limit: ResourceLimit { client, all: all.max(1) } }
    }

    fn acquire(&self, address: ClientAddress) -> Result<HashSlotPermit, Exceeded> {
        self.clients.sweep(Instant::now());
        let permit = if address.is_unlisted_proxy {
            // its clients cannot be distinguished: one of them would block all others
            self.clients.all().acquire(Resource::HashSlot, 1, self.limit)
        } else {
            self.clients.by_address(address.ip).acquire(Resource::HashSlot, 1, self.limit)
        };
        permit.map(|permit| HashSlotPermit { _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of permits that these addresses get together.
    fn taken(
        limits: &HashClientLimits,
        addresses: impl IntoIterator<Item = ClientAddress>,
    ) -> Vec<HashSlotPermit> {
        let take = |address| std::iter::from_fn(move || limits.acquire(address).ok());
        addresses.into_iter().flat_map(take).collect()
    }

    fn v4(host: u8) -> ClientAddress {
        [192, 0, host, 1].into()
    }

    #[test]
    fn limits_each_client_separately() {
        for (capacity, each) in [(1, 1), (3, 1), (8, 2), (102, 25)] {
            let limits = HashClientLimits::new(capacity, ResourceLimit::fraction(capacity, 4));
            let mut held = taken(&limits, [v4(1)]);
            assert_eq!(held.len(), each, "{capacity}");
            assert_eq!(limits.acquire(v4(2)).is_ok(), capacity > 1, "{capacity}");
            held.pop();
            held.extend(limits.acquire(v4(1)));
            assert_eq!(held.len(), each, "{capacity}");
        }
    }

    #[test]
    fn attack_guesses_from_many_networks_fill_the_queue() {
        let limits = HashClientLimits::new(102, 25);
        let networks = (0..130_u16).map(|net| [0x2001, 0xdb8, 0, net, 0, 0, 0, 1].into());
        let held = taken(&limits, networks);
        assert!(held.len() < 77, "{}", held.len());
        assert!(limits.acquire([198, 51, 100, 7].into()).is_ok(), "another network");
        // and from everywhere
        let all = taken(&limits, (0..=255).map(v4));
        assert_eq!(held.len() + all.len(), 77);
        assert!(limits.acquire([198, 51, 100, 7].into()).is_err());
        assert!(limits.acquire_reserved([198, 51, 100, 7].into()).is_ok(), "a known browser");
    }

    #[test]
    fn clients_behind_an_unlisted_proxy_share_no_limit() {
        let limits = HashClientLimits::new(102, 25);
        let proxy = ClientAddress { ip: [10, 0, 0, 1].into(), is_unlisted_proxy: true };
        assert_eq!(taken(&limits, [proxy]).len(), 77);
    }
}
