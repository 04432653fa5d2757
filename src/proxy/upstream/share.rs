//! How many connections to the portal one client uses at a time.
//!
//! A request over its client's share waits until another of that client's requests has ended. Without this one client could
//! use all connections, by answers that it does not read or bodies that it does not send, and all others would wait.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use crate::{
    domain::{
        client::Client,
        fairness::{Resource, Share},
    },
    sync::client_limits::{ClientState, Exceeded, Permit},
};

/// The client that sends a request, and its limits.
#[derive(Debug, Clone)]
pub struct Sender {
    /// Identifies it in the fair queue for connections.
    pub client: Client,
    pub state: Arc<ClientState>,
    pub share: Share,
}

/// Requests over their client's share, of one upstream and all workers.
#[derive(Debug, Default)]
pub struct ShareQueue {
    waiting: AtomicUsize,
    ended: Notify,
}

/// One connection that counts for a client, until this is dropped.
#[derive(Debug)]
pub struct UsePermit {
    /// `None` only while it is dropped.
    permit: Option<Permit>,
    queue: Arc<ShareQueue>,
}

impl Drop for UsePermit {
    fn drop(&mut self) {
        self.permit = None;
        if self.queue.waiting.load(Ordering::Relaxed) > 0 {
            self.queue.ended.notify_waiters();
        }
    }
}

impl ShareQueue {
    /// `Err`: the share is used up.
    pub fn take(self: &Arc<Self>, sender: &Sender) -> Result<UsePermit, Exceeded> {
        let permit = sender.state.acquire(Resource::UpstreamConnection, 1, sender.share)?;
        Ok(UsePermit { permit: Some(permit), queue: Arc::clone(self) })
    }

    /// The same, after waiting for other requests of the client to end.
    pub async fn wait(self: &Arc<Self>, sender: &Sender, patience: Duration) -> Result<UsePermit, Exceeded> {
        let _counted = Waiting::new(self);
        let waiting = async {
            loop {
                let mut ended = pin!(self.ended.notified());
                // before the next attempt, so that no end is missed
                ended.as_mut().enable();
                if let Ok(permit) = self.take(sender) {
                    return permit;
                }
                ended.await;
            }
        };
        timeout(patience, waiting).await.map_err(|_| Exceeded::Client)
    }
}

struct Waiting<'a>(&'a ShareQueue);

impl<'a> Waiting<'a> {
    fn new(queue: &'a ShareQueue) -> Self {
        queue.waiting.fetch_add(1, Ordering::SeqCst);
        Self(queue)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;
    use crate::sync::client_limits::ClientRegistry;

    const PATIENCE: Duration = Duration::from_secs(2);

    fn sender(clients: &ClientRegistry, address: [u8; 4]) -> Sender {
        let state = clients.by_address(address.into());
        Sender { client: Client::of(address.into()), state, share: Share { client: 2, all: 100 } }
    }

    #[tokio::test(start_paused = true)]
    async fn attack_one_client_takes_every_connection_to_the_portal() {
        let (clients, queue) = (ClientRegistry::default(), Arc::<ShareQueue>::default());
        let (greedy, other) = (sender(&clients, [192, 0, 2, 1]), sender(&clients, [198, 51, 100, 1]));
        let held = [queue.take(&greedy).unwrap(), queue.take(&greedy).unwrap()];
        assert!(queue.take(&greedy).is_err());
        assert!(queue.wait(&greedy, PATIENCE).await.is_err(), "nothing of its own has ended");
        assert!(queue.take(&other).is_ok(), "others are not affected");
        let waiting = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.wait(&greedy, PATIENCE).await.is_ok() }
        });
        yield_now().await;
        drop(held);
        assert!(waiting.await.unwrap());
        assert_eq!(queue.waiting.load(Ordering::Relaxed), 0);
    }
}
