//! Counts the bytes that wait in buffers for slow peers, per client and over all connections, against
//! `limits.client.buffered_bytes` and `limits.max_buffered_bytes`.
//!
//! A reservation never fails: what is counted is held already. Above the limits new requests are rejected, and clients that
//! take nothing lose their answers sooner, so the count falls below the limits within seconds
//! (`docs/adr/0015-one-budget-for-buffered-bytes.md`).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::client_limits::ClientState;
pub use crate::domain::buffer_load::STALLED_ANSWER_BYTES;
use crate::domain::{
    buffer_load::BufferLoad,
    fairness::{Resource, ResourceLimit},
};

/// Bytes that a connection holds besides its response while its client does not read: the send buffer of the socket and one TLS
/// record.
pub const STALLED_CONNECTION_BYTES: usize = 64 * 1024;

/// Bytes that an HTTP/2 stream holds besides its body while its client does not read: its head and its task.
pub const STALLED_STREAM_BYTES: usize = 8 * 1024;

/// The maximum buffered for a request body before it is forwarded: the window of an HTTP/2 stream.
pub const MAX_UNREAD_BODY_BYTES: usize = 64 * 1024;

/// An answer whose client takes nothing, and the bytes that may wait for that client.
#[derive(Debug)]
pub struct StalledAnswer {
    pub client: Arc<ClientState>,
    /// [`STALLED_CONNECTION_BYTES`] or [`STALLED_STREAM_BYTES`].
    pub overhead: usize,
    /// Bytes that hyper has taken and not sent.
    pub unsent: usize,
    /// Bytes that hyper has not taken yet; `usize::MAX`: not known.
    pub left: usize,
}

impl StalledAnswer {
    pub fn bytes(&self) -> usize {
        self.overhead.saturating_add(self.unsent).saturating_add(self.left).min(STALLED_ANSWER_BYTES)
    }
}

/// The limits of one client and of all, which a reload may change while answers wait.
#[derive(Debug)]
pub struct BufferBudget {
    client: AtomicUsize,
    all: AtomicUsize,
}

impl BufferBudget {
    pub fn new(share: ResourceLimit) -> Arc<Self> {
        Arc::new(Self { client: AtomicUsize::new(share.client), all: AtomicUsize::new(share.all) })
    }

    pub fn set_share(&self, share: ResourceLimit) {
        self.client.store(share.client, Ordering::Relaxed);
        self.all.store(share.all, Ordering::Relaxed);
    }

    pub fn load(&self, client: &ClientState) -> BufferLoad {
        let share = ResourceLimit {
            client: self.client.load(Ordering::Relaxed),
            all: self.all.load(Ordering::Relaxed),
        };
        let (is_over_share, bytes) = client.usage(Resource::BufferedBytes, share);
        BufferLoad { is_over_share, bytes, limit: share.all }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::buffer_load::BufferShortage, sync::client_limits::ClientRegistry};

    #[test]
    fn an_answer_reserves_what_can_be_buffered_for_it() {
        const KIB: usize = 1024;
        let client = Arc::clone(ClientRegistry::default().all());
        for (overhead, unsent, left, bytes) in [
            (STALLED_STREAM_BYTES, 0, 0, 8 * KIB),
            (STALLED_STREAM_BYTES, 0, KIB, 9 * KIB),
            (STALLED_STREAM_BYTES, 16 * KIB, 100 * KIB, 124 * KIB),
            (STALLED_STREAM_BYTES, 16 * KIB, usize::MAX, 320 * KIB),
            (STALLED_CONNECTION_BYTES, KIB, 0, 65 * KIB),
            (STALLED_CONNECTION_BYTES, 24 * KIB, 232 * KIB, 320 * KIB),
            (STALLED_CONNECTION_BYTES, 24 * KIB, 50 << 20, 320 * KIB),
        ] {
            let answer = StalledAnswer { client: Arc::clone(&client), overhead, unsent, left };
            assert_eq!(answer.bytes(), bytes, "{answer:?}");
        }
    }

    #[test]
    fn reservations_count_for_the_client_and_all_until_dropped() {
        let (clients, budget) =
            (ClientRegistry::default(), BufferBudget::new(ResourceLimit { client: 50, all: 100 }));
        let client = |address: &str| clients.by_address(address.parse().unwrap());
        let (greedy, other) = (client("192.0.2.1"), client("198.51.100.1"));
        let check = |client: &ClientState| budget.load(client).check_request(true);
        let first = greedy.reserve(Resource::BufferedBytes, 60);
        assert_eq!((check(&greedy), check(&other)), (Err(BufferShortage::Client), Ok(())));
        let second = other.reserve(Resource::BufferedBytes, 40);
        assert_eq!(check(clients.all()), Err(BufferShortage::All));
        assert_eq!(check(&other), Err(BufferShortage::All));
        drop(first);
        assert_eq!((check(&greedy), check(&other)), (Ok(()), Ok(())));
        budget.set_share(ResourceLimit { client: 40, all: 100 });
        assert_eq!(check(&other), Err(BufferShortage::Client), "a smaller limit counts at once");
        drop(second);
        assert_eq!(clients.all().held(Resource::BufferedBytes), 0);
    }

    #[test]
    fn attack_addresses_of_one_network_hold_the_buffers_of_all() {
        let (clients, budget) =
            (ClientRegistry::default(), BufferBudget::new(ResourceLimit { client: 50, all: 100 }));
        for network in ["192.0.2.#", "2001:db8::#", "2001:db8:0:#::1"] {
            let address = |number: usize| network.replace('#', &number.to_string()).parse().unwrap();
            let held: Vec<_> = (1..=20)
                .map_while(|number| {
                    let client = clients.by_address(address(number));
                    let is_admitted = budget.load(&client).check_request(true).is_ok();
                    is_admitted.then(|| client.reserve(Resource::BufferedBytes, 10))
                })
                .collect();
            assert!((5..10).contains(&held.len()), "{network}: {}", held.len());
            let other = clients.by_address([203, 0, 113, 1].into());
            assert_eq!(budget.load(&other).check_request(false), Ok(()), "{network}");
        }
    }
}
