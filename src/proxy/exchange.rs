//! One request at one connection: what all of its steps read and none changes.

use std::sync::Arc;

use super::{ClientConnection, ProxyState, Worker};
use crate::{config::Settings, domain::time::Timestamp};

pub struct Exchange<'a> {
    pub worker: &'a Worker,
    pub connection: &'a Arc<ClientConnection>,
    /// One snapshot to the end of the request.
    pub settings: &'a Settings,
    /// When the request was admitted.
    pub now: Timestamp,
}

impl<'a> Exchange<'a> {
    pub fn state(&self) -> &'a ProxyState {
        &self.worker.state
    }
}
