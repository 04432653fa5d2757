//! How many connections to the portal one client uses at a time, of all upstreams together.
//!
//! A request over its client's limit waits until another of that client's requests has ended. Without this one client could
//! use all connections, by responses that it does not read or bodies that it does not send, and all others would wait.

use std::{sync::Arc, time::Duration};

use super::ForwardError;
use crate::{
    domain::{
        client::ClientPrefix,
        fairness::{Resource, ResourceLimit},
    },
    sync::client_limits::{ClientState, Permit},
};

/// The client that sends a request, and its limits.
#[derive(Debug, Clone)]
pub struct UpstreamSender {
    /// Identifies the client in the fair queue for connections.
    pub client: ClientPrefix,
    pub state: Arc<ClientState>,
    pub share: ResourceLimit,
}

impl UpstreamSender {
    /// A permit for one of the client's connections. Waits for one up to `patience`.
    pub async fn permit(&self, patience: Duration) -> Result<Permit, ForwardError> {
        match self.state.acquire(Resource::UpstreamConnection, 1, self.share) {
            Ok(permit) => Ok(permit),
            Err(_) => Box::pin(self.state.wait_for_upstream_connection(self.share, patience))
                .await
                .map_err(|_| ForwardError::ClientLimit),
        }
    }
}
