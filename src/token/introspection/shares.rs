//! Nobody asks for everybody: each client has a share of the questions an issuer gets at the same time.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::client::Client;

/// Holds an entry for each client that asks or waits, and for no other.
pub struct Shares {
    each: usize,
    clients: Mutex<HashMap<Client, Arc<Semaphore>>>,
}

/// One client's right to one question.
pub struct Turn<'a> {
    permit: Option<OwnedSemaphorePermit>,
    share: Arc<Semaphore>,
    shares: &'a Shares,
    client: Client,
}

impl Shares {
    pub fn new(each: usize) -> Self {
        Self { each, clients: Mutex::default() }
    }

    /// Waits until the client has fewer questions under way than its share.
    pub async fn turn(&self, client: IpAddr) -> Turn<'_> {
        let client = Client::of(client);
        let share =
            Arc::clone(self.clients().entry(client).or_insert_with(|| Arc::new(Semaphore::new(self.each))));
        // from here on the entry is taken out again, also when the waiting is given up
        let mut turn = Turn { permit: None, share, shares: self, client };
        turn.permit = Arc::clone(&turn.share).acquire_owned().await.ok();
        turn
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Client, Arc<Semaphore>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut clients = self.shares.clients();
        self.permit = None;
        // the map's and ours; whoever else asks or waits has one too, and none is made without the lock
        if Arc::strong_count(&self.share) == 2 {
            clients.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_client_waits_for_itself_only() {
        let shares = Shares::new(2);
        let (one, two) = (shares.turn(ip("192.0.2.1")).await, shares.turn(ip("192.0.2.1")).await);
        assert!(shares.turn(ip("192.0.2.1")).now_or_never().is_none());
        assert!(shares.turn(ip("192.0.2.2")).now_or_never().is_some());
        drop(one);
        assert!(shares.turn(ip("192.0.2.1")).now_or_never().is_some());
        drop(two);
        assert!(shares.clients().is_empty(), "nothing is kept of those who left");
    }
}
