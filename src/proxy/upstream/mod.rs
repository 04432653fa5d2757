//! The portal's side: selects the upstream and the connection, and decides what may be retried.

mod client_limit;
mod connect;
mod connection_slots;
pub(crate) mod http1;
mod http2;
mod http2_connections;
mod lease;
mod leased_body;
mod pool;

use std::{
    future::poll_fn,
    io,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::Poll,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::{Instant, timeout};

pub use self::{
    client_limit::UpstreamSender, connect::PortalStream, http1::WireError, http2_connections::StreamPermit,
    leased_body::LeasedBody,
};
use self::{
    connect::UpstreamConnector,
    connection_slots::{ConnectionSlots, SlotGrant, WorkerId},
    http1::ResponseHead,
    http2::Http2Upstream,
    lease::{BodySource, Lease},
    pool::ConnectionPool,
};
use super::{body::ResponseBody, request_body::RequestBody, upstream_headers::UpstreamHeaders};
use crate::{
    config::model::{Upstream, UpstreamTarget},
    domain::client::ClientPrefix,
    sync::client_limits::Permit,
    telemetry::metrics::Metrics,
};

/// Why the portal gave no response.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    #[error("cannot connect to the portal: {0}")]
    Connect(#[source] io::Error),
    #[error("the portal does not accept the connection in time")]
    ConnectTimeout,
    #[error("as many connections as portal.upstream.max_connections allows are in use")]
    TooMany,
    #[error("the client has as many connections in use as limits.client.upstream_connections allows")]
    ClientLimit,
    #[error("the portal does not answer in time")]
    AnswerTimeout,
    #[error("the portal broke the connection: {0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the portal did not switch protocols correctly")]
    Upgrade,
}

impl ForwardError {
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::ConnectTimeout | Self::AnswerTimeout)
    }
}

/// A request to the portal and what its forwarding needs. Functions borrow it, because moving it is expensive.
pub struct OutgoingRequest {
    pub request: Request<RequestBody>,
    pub added: UpstreamHeaders,
    pub sender: UpstreamSender,
    /// Counts the connection for the client; moved to the task or body that uses the connection.
    pub permit: Option<Permit>,
}

impl OutgoingRequest {
    /// Takes the request and leaves an empty one.
    fn take_request(&mut self) -> Request<RequestBody> {
        std::mem::replace(&mut self.request, Request::new(RequestBody::empty()))
    }
}

/// The portal's response to a request to switch protocols.
pub enum UpgradeResponse {
    /// 101; `early` holds bytes that were sent already, in the new protocol.
    Switched {
        headers: HeaderMap,
        stream: PortalStream,
        early: Bytes,
    },
    Declined(Box<Response<ResponseBody>>),
}

/// The client of one upstream in one worker.
pub struct UpstreamClient {
    upstream: Arc<Upstream>,
    connector: UpstreamConnector,
    pool: Arc<ConnectionPool>,
    http2: Http2Upstream,
    response_time: Histogram,
}

impl UpstreamClient {
    fn new(
        upstream: Arc<Upstream>,
        slots: Arc<ConnectionSlots<Lease>>,
        metrics: &Metrics,
    ) -> io::Result<Self> {
        let response_time = metrics.portal_response_time(&upstream.path);
        let connector = UpstreamConnector::new(&upstream)?;
        let shared = Http2Upstream::new(Arc::clone(&slots));
        let pool = Arc::new(ConnectionPool::new(upstream.keep_alive, slots));
        Ok(Self { upstream, connector, pool, http2: shared, response_time })
    }

    /// Sends the request and returns the response with a streaming body.
    pub async fn forward(
        &self,
        outgoing: &mut OutgoingRequest,
    ) -> Result<Response<ResponseBody>, ForwardError> {
        let started = Instant::now();
        let response = self.exchange(outgoing).await?;
        self.response_time.observe(started.elapsed().as_secs_f64());
        Ok(response)
    }

    /// A request is sent a second time only if not a byte of it had been written the first time.
    async fn exchange(&self, outgoing: &mut OutgoingRequest) -> Result<Response<ResponseBody>, ForwardError> {
        let body = outgoing.request.body_mut();
        if body.is_arriving() {
            Box::pin(body.read_prefix()).await.map_err(|error| ForwardError::Broken(error.into()))?;
        }
        outgoing.permit = Some(outgoing.sender.permit(self.upstream.connect_timeout).await?);
        if self.upstream.http2 {
            return Box::pin(self.http2.forward(&self.upstream, &self.connector, outgoing)).await;
        }
        loop {
            let (lease, fresh) = match poll_fn(|cx| Poll::Ready(self.pool.take(cx))).await {
                Some(lease) => (lease, false),
                None => Box::pin(self.connect(self.pool.worker, outgoing.sender.client)).await?,
            };
            match lease.send(outgoing, self.upstream.header_timeout, &self.pool).await {
                Ok((answer, source)) => {
                    return Ok(self.build_response(answer, source, outgoing.permit.take()));
                }
                Err(unanswered) if unanswered.is_unsent && !fresh => {}
                Err(unanswered) => return Err(unanswered.error),
            }
        }
    }

    pub fn target(&self) -> &UpstreamTarget {
        &self.upstream.target
    }

    fn build_response(
        &self,
        answer: ResponseHead,
        source: BodySource,
        permit: Option<Permit>,
    ) -> Response<ResponseBody> {
        let (pool, idle_timeout) = (Arc::clone(&self.pool), self.upstream.idle_timeout);
        let mut body = LeasedBody::new(source, answer.framing, answer.keep_alive, pool, idle_timeout);
        body.hold_permit(permit);
        let mut response = Response::new(ResponseBody::leased(body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    }

    /// For upgrades: a new connection, which is returned to the pool only if the portal declines, and is no longer counted
    /// once it is a tunnel.
    pub async fn forward_upgrade(
        &self,
        outgoing: &mut OutgoingRequest,
    ) -> Result<UpgradeResponse, ForwardError> {
        outgoing.permit = Some(outgoing.sender.permit(self.upstream.connect_timeout).await?);
        // with a new `WorkerId`, so that no used connection is handed to it
        let (lease, _) = self.connect(WorkerId::new(), outgoing.sender.client).await?;
        let sent = lease.send(outgoing, self.upstream.header_timeout, &self.pool).await;
        match sent.map_err(|unanswered| unanswered.error)? {
            (answer, BodySource::Lease(lease)) if answer.status == StatusCode::SWITCHING_PROTOCOLS => {
                let (stream, early) = lease.into_upgraded();
                Ok(UpgradeResponse::Switched { headers: answer.headers, stream, early })
            }
            (answer, source) => {
                let declined = self.build_response(answer, source, outgoing.permit.take());
                Ok(UpgradeResponse::Declined(Box::new(declined)))
            }
        }
    }

    /// A new connection (and `true`), or a connection of `worker` that became free while waiting for a slot.
    async fn connect(&self, worker: WorkerId, client: ClientPrefix) -> Result<(Lease, bool), ForwardError> {
        let until = Instant::now() + self.upstream.connect_timeout;
        let slot = loop {
            let time_left = until.saturating_duration_since(Instant::now());
            match self.pool.slots.acquire(worker, client, time_left).await {
                None => return Err(ForwardError::TooMany),
                Some(SlotGrant::Slot(slot)) => break slot,
                Some(SlotGrant::Reused(mut lease)) => {
                    if poll_fn(|cx| Poll::Ready(lease.is_usable(cx))).await {
                        return Ok((lease, false));
                    }
                }
            }
        };
        let stream = timeout(self.upstream.connect_timeout, self.connector.connect_http1())
            .await
            .map_err(|_| ForwardError::ConnectTimeout)?
            .map_err(ForwardError::Connect)?;
        Ok((Lease::new(stream.with_slot(slot)), true))
    }

    pub fn sweep(&self) {
        self.pool.sweep();
        self.http2.sweep(&self.upstream);
    }
}

/// The connections to each upstream, of all workers together. Outlives a reload, as connections do.
#[derive(Default)]
pub struct PortalConnections(Mutex<Vec<CountedUpstream>>);

struct CountedUpstream {
    path: String,
    target: UpstreamTarget,
    slots: Weak<ConnectionSlots<Lease>>,
}

impl PortalConnections {
    fn slots(&self, upstream: &Upstream) -> Arc<ConnectionSlots<Lease>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|counted| counted.slots.strong_count() > 0);
        let same =
            |counted: &&CountedUpstream| counted.path == upstream.path && counted.target == upstream.target;
        if let Some(slots) = all.iter().find(same).and_then(|counted| counted.slots.upgrade()) {
            slots.set_max(upstream.max_connections);
            return slots;
        }
        let slots = ConnectionSlots::new(upstream.max_connections);
        let (path, target) = (upstream.path.clone(), upstream.target.clone());
        all.push(CountedUpstream { path, target, slots: Arc::downgrade(&slots) });
        slots
    }

    /// Open connections that are counted, for metrics.
    pub fn open(&self) -> usize {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter_map(|counting| counting.slots.upgrade()).map(|slots| slots.in_use()).sum()
    }
}

/// The upstream clients of one worker; follows the settings.
pub struct UpstreamClients {
    clients: Mutex<Vec<Arc<UpstreamClient>>>,
    connections: Arc<PortalConnections>,
    metrics: Arc<Metrics>,
}

impl UpstreamClients {
    pub fn new(connections: &Arc<PortalConnections>, metrics: &Arc<Metrics>) -> Self {
        Self { clients: Mutex::default(), connections: Arc::clone(connections), metrics: Arc::clone(metrics) }
    }

    /// The client for an upstream of the current settings.
    pub fn get(&self, upstream: &Arc<Upstream>) -> Result<Arc<UpstreamClient>, ForwardError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients
            .iter()
            .find(|client| Arc::ptr_eq(&client.upstream, upstream) || client.upstream == *upstream)
        {
            return Ok(Arc::clone(client));
        }
        let client = self.build_client(upstream).map_err(ForwardError::Connect)?;
        clients.push(Arc::clone(&client));
        Ok(client)
    }

    fn build_client(&self, upstream: &Arc<Upstream>) -> io::Result<Arc<UpstreamClient>> {
        let slots = self.connections.slots(upstream);
        UpstreamClient::new(Arc::clone(upstream), slots, &self.metrics).map(Arc::new)
    }

    /// Replaces all clients after a reload: new connections use the current settings and certificates. Requests in
    /// progress retain theirs. If a certificate cannot be read, the previous client stays.
    pub fn replace_all(&self, upstreams: &[Arc<Upstream>]) {
        let before = std::mem::take(&mut *self.clients.lock().unwrap_or_else(PoisonError::into_inner));
        for old in before {
            let Some(upstream) = upstreams.iter().find(|upstream| **upstream == old.upstream) else {
                continue;
            };
            let client = self.build_client(upstream).unwrap_or_else(|error| {
                let path = &upstream.path;
                tracing::error!(path, %error, "certificate of portal.upstream cannot be used: the previous ones stay in use");
                old
            });
            self.clients.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        }
    }

    pub fn sweep(&self) {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for client in clients {
            client.sweep();
        }
    }
}
