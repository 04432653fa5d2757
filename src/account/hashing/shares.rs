//! Per-client limits of the password-hash queue. A quarter of the queue is kept for browsers that an account's owner has used
//! before, so that guesses from many networks do not keep the owner out.

use std::time::Instant;

use crate::{
    domain::{
        client::ClientAddress,
        fairness::{Resource, Share},
    },
    sync::client_limits::{ClientRegistry, Exceeded, Permit},
};

pub(super) struct Shares {
    ordinary: (ClientRegistry, Share),
    reserved: (ClientRegistry, Share),
}

/// A client's right to one attempt, until it is dropped.
pub struct Place {
    _permit: Permit,
}

impl Shares {
    pub(super) fn new(capacity: usize, client: usize) -> Self {
        let reserved = capacity / 4;
        let share =
            |client: usize, all: usize| (ClientRegistry::default(), Share { client, all: all.max(1) });
        Self {
            ordinary: share(client, capacity - reserved),
            reserved: share(Share::fraction(reserved, 4), reserved),
        }
    }

    pub(super) fn take(&self, address: ClientAddress) -> Result<Place, Exceeded> {
        take(&self.ordinary, address)
    }

    /// For a browser that may be known.
    pub(super) fn take_reserved(&self, address: ClientAddress) -> Result<Place, Exceeded> {
        take(&self.reserved, address)
    }
}

fn take((clients, share): &(ClientRegistry, Share), address: ClientAddress) -> Result<Place, Exceeded> {
    clients.sweep(Instant::now());
    let permit = if address.is_unlisted_proxy {
        // its clients cannot be distinguished: one of them would block all others
        clients.all().acquire(Resource::HashSlot, 1, *share)
    } else {
        clients.by_address(address.ip).acquire(Resource::HashSlot, 1, *share)
    };
    permit.map(|permit| Place { _permit: permit })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many places as these addresses get together.
    fn taken(shares: &Shares, addresses: impl IntoIterator<Item = ClientAddress>) -> Vec<Place> {
        let take = |address| std::iter::from_fn(move || shares.take(address).ok());
        addresses.into_iter().flat_map(take).collect()
    }

    fn v4(host: u8) -> ClientAddress {
        [192, 0, host, 1].into()
    }

    #[test]
    fn a_client_has_its_share_and_others_have_theirs() {
        for (capacity, each) in [(1, 1), (3, 1), (8, 2), (102, 25)] {
            let shares = Shares::new(capacity, Share::fraction(capacity, 4));
            let mut held = taken(&shares, [v4(1)]);
            assert_eq!(held.len(), each, "{capacity}");
            assert_eq!(shares.take(v4(2)).is_ok(), capacity > 1, "{capacity}");
            held.pop();
            held.extend(shares.take(v4(1)));
            assert_eq!(held.len(), each, "{capacity}");
        }
    }

    #[test]
    fn attack_guesses_from_many_networks_of_one_prefix_fill_the_queue() {
        let shares = Shares::new(102, 25);
        let networks = (0..130_u16).map(|net| [0x2001, 0xdb8, 0, net, 0, 0, 0, 1].into());
        let held = taken(&shares, networks);
        assert!(held.len() < 77, "{}", held.len());
        assert!(shares.take([198, 51, 100, 7].into()).is_ok(), "another network");
        // and from everywhere
        let all = taken(&shares, (0..=255).map(v4));
        assert_eq!(held.len() + all.len(), 77);
        assert!(shares.take([198, 51, 100, 7].into()).is_err());
        assert!(shares.take_reserved([198, 51, 100, 7].into()).is_ok(), "a known browser");
    }

    #[test]
    fn clients_behind_an_unlisted_proxy_have_no_common_share() {
        let shares = Shares::new(102, 25);
        let proxy = ClientAddress { ip: [10, 0, 0, 1].into(), is_unlisted_proxy: true };
        assert_eq!(taken(&shares, [proxy]).len(), 77);
    }
}
