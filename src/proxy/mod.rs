//! The hot path: from a request to the portal's answer, or a refusal. `pipeline` shows the steps in order.

mod account;
mod answer;
mod body;
mod bounce;
mod connection;
pub mod forwarded;
pub mod headers;
pub mod hygiene;
mod pipeline;
pub mod select;
mod settings_answer;
mod upgrade;
mod upstream;

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

use arc_swap::{ArcSwap, ArcSwapOption};
use http::{Request, Response};
use hyper::body::Incoming;

pub use self::{body::ResponseBody, connection::ClientConnection, upgrade::Upgrades};
use self::upstream::Portals;
use crate::{
    config::Settings,
    telemetry::{access_log::AccessLog, metrics::Metrics},
};

/// Everything a request may ask, shared by all workers.
pub struct Gate {
    pub settings: ArcSwap<Settings>,
    pub metrics: Arc<Metrics>,
    pub access_log: ArcSwapOption<AccessLog>,
    pub upgrades: Upgrades,
}

/// One worker's share: the gate, and portal connections of its own.
pub struct Worker {
    pub gate: Arc<Gate>,
    portals: Portals,
}

impl Worker {
    pub fn new(gate: Arc<Gate>) -> Self {
        Self { gate, portals: Portals::default() }
    }

    /// Once a second: closes portal connections that have been idle too long.
    pub fn sweep(&self) {
        self.portals.sweep();
    }
}

/// The pipeline as hyper calls it, for one client connection.
#[derive(Clone)]
pub struct Service {
    worker: Arc<Worker>,
    connection: Arc<ClientConnection>,
}

impl Service {
    pub fn new(worker: &Arc<Worker>, connection: &Arc<ClientConnection>) -> Self {
        Self { worker: Arc::clone(worker), connection: Arc::clone(connection) }
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (worker, connection) = (Arc::clone(&self.worker), Arc::clone(&self.connection));
        Box::pin(async move { Ok(pipeline::handle(&worker, &connection, request).await) })
    }
}
