//! The pipeline as hyper calls it.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

use http::{Request, Response};
use hyper::body::Incoming;

use super::{ClientConnection, ResponseBody, Worker, pipeline};

/// The pipeline for one client connection. Its future is made for every request and lives on the heap, so
/// the steps a usual request does not take are boxed apart: with all of them inside it had 21 KiB.
#[derive(Clone)]
pub struct ProxyService {
    worker: Arc<Worker>,
    connection: Arc<ClientConnection>,
}

impl ProxyService {
    pub fn new(worker: &Arc<Worker>, connection: &Arc<ClientConnection>) -> Self {
        Self { worker: Arc::clone(worker), connection: Arc::clone(connection) }
    }
}

impl hyper::service::Service<Request<Incoming>> for ProxyService {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (worker, connection) = (Arc::clone(&self.worker), Arc::clone(&self.connection));
        let version = request.version();
        Box::pin(async move {
            let mut response = pipeline::handle(&worker, &connection, request).await;
            worker.state.close_when_draining(&mut response, version);
            Ok(response)
        })
    }
}
