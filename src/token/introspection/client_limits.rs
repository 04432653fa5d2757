//! Per-client concurrency limit for introspection requests to one issuer.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::client::ClientPrefix;

/// Holds an entry for each client with requests in progress or waiting, and for no other.
pub struct IntrospectionLimits {
    per_client: usize,
    clients: Mutex<HashMap<ClientPrefix, Arc<Semaphore>>>,
}

/// One client's permit for one request.
pub struct IntrospectionPermit<'a> {
    permit: Option<OwnedSemaphorePermit>,
    semaphore: Arc<Semaphore>,
    limits: &'a IntrospectionLimits,
    client: ClientPrefix,
}

impl IntrospectionLimits {
    pub fn new(per_client: usize) -> Self {
        Self { per_client, clients: Mutex::default() }
    }

    /// Waits until the client has fewer requests in progress than its limit.
    pub async fn permit(&self, client: IpAddr) -> IntrospectionPermit<'_> {
        let client = ClientPrefix::of(client);
        let semaphore = Arc::clone(
            self.clients().entry(client).or_insert_with(|| Arc::new(Semaphore::new(self.per_client))),
        );
        // from here on the entry is removed on drop, also when the waiting is cancelled
        let mut permit = IntrospectionPermit { permit: None, semaphore, limits: self, client };
        permit.permit = Arc::clone(&permit.semaphore).acquire_owned().await.ok();
        permit
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<ClientPrefix, Arc<Semaphore>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for IntrospectionPermit<'_> {
    fn drop(&mut self) {
        let mut clients = self.limits.clients();
        self.permit = None;
        // the map's and this one; every other request of the client holds one too, and none is created without the lock
        if Arc::strong_count(&self.semaphore) == 2 {
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
    async fn client_waits_only_for_its_own_requests() {
        let limits = IntrospectionLimits::new(2);
        let (one, two) = (limits.permit(ip("192.0.2.1")).await, limits.permit(ip("192.0.2.1")).await);
        assert!(limits.permit(ip("192.0.2.1")).now_or_never().is_none());
        assert!(limits.permit(ip("192.0.2.2")).now_or_never().is_some());
        drop(one);
        assert!(limits.permit(ip("192.0.2.1")).now_or_never().is_some());
        drop(two);
        assert!(limits.clients().is_empty(), "no entry remains");
    }
}
