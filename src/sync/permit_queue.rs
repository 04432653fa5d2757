//! A queue for requests of a client that holds its whole share. Each waits for the next permit that is given back, at any
//! upstream.

use std::{
    pin::pin,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use super::client_limits::{ClientState, Exceeded, Permit};
use crate::domain::fairness::{Resource, ResourceLimit};

/// Requests that wait for a permit of one client, of a network, or of all clients.
#[derive(Debug, Default)]
pub(super) struct PermitQueue {
    waiting: AtomicUsize,
    freed: Notify,
}

impl PermitQueue {
    /// Called after a permit has been given back. Wakes one request, because waking all would cost work at the end of each
    /// request.
    pub fn wake_one(&self) {
        // both sides are sequentially consistent: either this sees the request that waits, or its attempt sees the permit
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.freed.notify_one();
        }
    }

    fn join(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(self)
    }
}

struct Waiting<'a>(&'a PermitQueue);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ClientState {
    /// Waits up to `patience` until another request gives its upstream connection back.
    pub async fn wait_for_upstream_connection(
        self: &Arc<Self>,
        share: ResourceLimit,
        patience: Duration,
    ) -> Result<Permit, Exceeded> {
        timeout(patience, self.acquire_freed(share)).await.map_err(|_| Exceeded::Client)
    }

    async fn acquire_freed(self: &Arc<Self>, share: ResourceLimit) -> Permit {
        // the state whose limit is reached: the client, or a network around it
        let mut reached: &Self = self;
        loop {
            let _waiting = reached.queue.join();
            let mut freed = pin!(reached.queue.freed.notified());
            // before the attempt, so that no permit that is given back is missed
            freed.as_mut().enable();
            match self.try_acquire(Resource::UpstreamConnection, 1, share) {
                Ok(permit) => return permit,
                Err(limit) if ptr::eq(limit, reached) => freed.await,
                Err(limit) => {
                    // another request of this queue may take the permit
                    reached.queue.wake_one();
                    reached = limit;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::{JoinHandle, yield_now};

    use super::*;
    use crate::sync::client_limits::ClientRegistry;

    const PATIENCE: Duration = Duration::from_secs(2);
    const SHARE: ResourceLimit = ResourceLimit { client: 2, all: 4 };

    fn take(client: &Arc<ClientState>) -> Result<Permit, Exceeded> {
        client.acquire(Resource::UpstreamConnection, 1, SHARE)
    }

    async fn wait(client: &Arc<ClientState>) -> JoinHandle<Result<Permit, Exceeded>> {
        let client = Arc::clone(client);
        let task = tokio::spawn(async move { client.wait_for_upstream_connection(SHARE, PATIENCE).await });
        yield_now().await;
        task
    }

    fn client(clients: &ClientRegistry, address: [u8; 4]) -> Arc<ClientState> {
        clients.by_address(address.into())
    }

    #[tokio::test(start_paused = true)]
    async fn attack_one_client_takes_every_connection_to_the_portal() {
        let clients = ClientRegistry::default();
        let (greedy, other) = (client(&clients, [192, 0, 2, 1]), client(&clients, [198, 51, 100, 1]));
        let held = [take(&greedy).unwrap(), take(&greedy).unwrap()];
        assert!(take(&greedy).is_err());
        assert!(wait(&greedy).await.await.unwrap().is_err(), "none of its own was given back");
        let others = take(&other).expect("other clients are not affected");
        let waiting = wait(&greedy).await;
        drop(others);
        yield_now().await;
        assert!(!waiting.is_finished(), "another client's permit does not count");
        drop(held);
        assert!(waiting.await.unwrap().is_ok());
        assert_eq!(greedy.queue.waiting.load(Ordering::Relaxed), 0);
        assert_eq!(clients.all().held(Resource::UpstreamConnection), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_served_in_the_order_in_which_they_came() {
        let clients = ClientRegistry::default();
        let greedy = client(&clients, [192, 0, 2, 1]);
        let mut held = vec![take(&greedy).unwrap(), take(&greedy).unwrap()];
        let waiting = [wait(&greedy).await, wait(&greedy).await, wait(&greedy).await];
        waiting[0].abort();
        yield_now().await;
        held.pop();
        yield_now().await;
        assert_eq!([1, 2].map(|number: usize| waiting[number].is_finished()), [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_permit_of_the_network_wakes_another_address_of_it() {
        let clients = ClientRegistry::default();
        let [one, two, third] = [1, 2, 3].map(|host| client(&clients, [192, 0, 2, host]));
        // the network may hold 3 of 4
        let (first, _second) = (take(&one).unwrap(), [take(&two).unwrap(), take(&two).unwrap()]);
        let waiting = [wait(&third).await, wait(&third).await];
        drop(first);
        yield_now().await;
        assert_eq!(waiting.iter().filter(|task| task.is_finished()).count(), 1);
    }
}
