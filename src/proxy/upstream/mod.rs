//! The portal's side: which upstream, over which connection, and what may be tried again.

mod connect;
mod h2_connections;
pub(crate) mod http1;
mod http2;
mod lease;
mod leased_body;
mod pool;
mod share;
mod slots;

use std::{
    future::poll_fn,
    io,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::Poll,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::time::{Instant, timeout};

use self::{
    connect::Connector,
    http1::Answer,
    http2::Shared,
    lease::{Lease, Source},
    pool::Pool,
    slots::{Grant, Home, Slots},
};
pub use self::{
    connect::PortalStream, h2_connections::StreamPermit, http1::WireError, leased_body::LeasedBody,
    share::Sender,
};
use super::{added::Added, body::ResponseBody, request_body::RequestBody};
use crate::{
    config::model::{Target, Upstream},
    domain::client::Client,
    sync::client_limits::Permit,
};

/// Why the portal gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    #[error("cannot connect to the portal: {0}")]
    Connect(#[source] io::Error),
    #[error("the portal does not accept the connection in time")]
    ConnectTimeout,
    #[error("as many connections as portal.upstream.max_connections allows are in use")]
    TooMany,
    #[error("the client has as many connections in use as limits.client.upstream_connections allows")]
    ClientShare,
    #[error("the portal does not answer in time")]
    AnswerTimeout,
    #[error("the portal broke the connection: {0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the portal would not switch protocols properly")]
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
    pub added: Added,
    pub sender: Sender,
    /// Counts the connection for the client; moved to the task or body that uses the connection.
    pub permit: Option<Permit>,
}

impl OutgoingRequest {
    /// Takes the request and leaves an empty one.
    fn take_request(&mut self) -> Request<RequestBody> {
        std::mem::replace(&mut self.request, Request::new(RequestBody::empty()))
    }
}

/// What the portal says to a request to switch protocols.
pub enum Upgraded {
    /// 101; `early` has been sent already, in the new protocol.
    Switched {
        headers: HeaderMap,
        stream: PortalStream,
        early: Bytes,
    },
    Declined(Box<Response<ResponseBody>>),
}

/// One upstream as one worker sees it.
pub struct Portal {
    upstream: Arc<Upstream>,
    connector: Connector,
    pool: Arc<Pool>,
    shared: Shared,
}

impl Portal {
    pub fn new(upstream: Arc<Upstream>, slots: Arc<Slots<Lease>>) -> io::Result<Self> {
        let connector = Connector::new(&upstream)?;
        let shared = Shared::new(Arc::clone(&slots));
        let pool = Arc::new(Pool::new(upstream.keep_alive, slots));
        Ok(Self { upstream, connector, pool, shared })
    }

    /// Sends the request and gives back the answer with a streaming body. A request is sent a second time only when not
    /// a byte of it had been written the first time.
    pub async fn forward(
        &self,
        outgoing: &mut OutgoingRequest,
    ) -> Result<Response<ResponseBody>, ForwardError> {
        let body = outgoing.request.body_mut();
        if body.is_arriving() {
            Box::pin(body.read_start()).await.map_err(|error| ForwardError::Broken(error.into()))?;
        }
        outgoing.permit = Some(outgoing.sender.permit(self.upstream.connect_timeout).await?);
        if self.upstream.http2 {
            return Box::pin(self.shared.forward(&self.upstream, &self.connector, outgoing)).await;
        }
        loop {
            let (lease, fresh) = match poll_fn(|cx| Poll::Ready(self.pool.take(cx))).await {
                Some(lease) => (lease, false),
                None => Box::pin(self.open(self.pool.home, outgoing.sender.client)).await?,
            };
            match lease.send(outgoing, self.upstream.header_timeout, &self.pool).await {
                Ok((answer, source)) => return Ok(self.streaming(answer, source, outgoing.permit.take())),
                Err(unanswered) if unanswered.is_unsent && !fresh => {}
                Err(unanswered) => return Err(unanswered.error),
            }
        }
    }

    pub fn target(&self) -> &Target {
        &self.upstream.target
    }

    fn streaming(&self, answer: Answer, source: Source, permit: Option<Permit>) -> Response<ResponseBody> {
        let (pool, idle_timeout) = (Arc::clone(&self.pool), self.upstream.idle_timeout);
        let mut body = LeasedBody::new(source, answer.framing, answer.keep_alive, pool, idle_timeout);
        body.hold(permit);
        let mut response = Response::new(ResponseBody::leased(body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    }

    /// For upgrades: a new connection, which comes to the pool only when the portal declines, and does not count any more
    /// once it is a tunnel.
    pub async fn forward_upgrade(&self, outgoing: &mut OutgoingRequest) -> Result<Upgraded, ForwardError> {
        outgoing.permit = Some(outgoing.sender.permit(self.upstream.connect_timeout).await?);
        // with a new `Home`, so that no used connection is handed to it
        let (lease, _) = self.open(Home::new(), outgoing.sender.client).await?;
        let sent = lease.send(outgoing, self.upstream.header_timeout, &self.pool).await;
        match sent.map_err(|unanswered| unanswered.error)? {
            (answer, Source::Lease(lease)) if answer.status == StatusCode::SWITCHING_PROTOCOLS => {
                let (stream, early) = lease.into_upgraded();
                Ok(Upgraded::Switched { headers: answer.headers, stream, early })
            }
            (answer, source) => {
                let declined = self.streaming(answer, source, outgoing.permit.take());
                Ok(Upgraded::Declined(Box::new(declined)))
            }
        }
    }

    /// A new connection (and `true`), or one of `home` that came free while waiting for the right to open one.
    async fn open(&self, home: Home, client: Client) -> Result<(Lease, bool), ForwardError> {
        let until = Instant::now() + self.upstream.connect_timeout;
        let slot = loop {
            let patience = until.saturating_duration_since(Instant::now());
            match self.pool.slots.acquire(home, client, patience).await {
                None => return Err(ForwardError::TooMany),
                Some(Grant::Slot(slot)) => break slot,
                Some(Grant::Used(mut lease)) => {
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
        Ok((Lease::new(stream.counted(slot)), true))
    }

    pub fn sweep(&self) {
        self.pool.sweep();
        self.shared.sweep(&self.upstream);
    }
}

/// The connections to each upstream, of all workers together. Outlives a reload, as connections do.
#[derive(Default)]
pub struct Counted(Mutex<Vec<Counting>>);

struct Counting {
    path: String,
    target: Target,
    slots: Weak<Slots<Lease>>,
}

impl Counted {
    fn slots(&self, upstream: &Upstream) -> Arc<Slots<Lease>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|counting| counting.slots.strong_count() > 0);
        let same =
            |counting: &&Counting| counting.path == upstream.path && counting.target == upstream.target;
        if let Some(slots) = all.iter().find(same).and_then(|counting| counting.slots.upgrade()) {
            slots.set_max(upstream.max_connections);
            return slots;
        }
        let slots = Slots::new(upstream.max_connections);
        let (path, target) = (upstream.path.clone(), upstream.target.clone());
        all.push(Counting { path, target, slots: Arc::downgrade(&slots) });
        slots
    }

    /// Open connections that are counted, for metrics.
    pub fn open(&self) -> usize {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter_map(|counting| counting.slots.upgrade()).map(|slots| slots.taken()).sum()
    }
}

/// All upstreams of one worker; follows the settings.
pub struct Portals {
    portals: Mutex<Vec<Arc<Portal>>>,
    counted: Arc<Counted>,
}

impl Portals {
    pub fn new(counted: &Arc<Counted>) -> Self {
        Self { portals: Mutex::default(), counted: Arc::clone(counted) }
    }

    /// The portal for an upstream of the current settings.
    pub fn get(&self, upstream: &Arc<Upstream>) -> Result<Arc<Portal>, ForwardError> {
        let mut portals = self.portals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(portal) = portals
            .iter()
            .find(|portal| Arc::ptr_eq(&portal.upstream, upstream) || portal.upstream == *upstream)
        {
            return Ok(Arc::clone(portal));
        }
        let slots = self.counted.slots(upstream);
        let portal = Arc::new(Portal::new(Arc::clone(upstream), slots).map_err(ForwardError::Connect)?);
        portals.push(Arc::clone(&portal));
        Ok(portal)
    }

    /// The settings are new: connections are made anew, by them and with the certificates as they are now. Requests under
    /// way keep theirs. Where a certificate cannot be read, the portal stays as it was.
    pub fn renew(&self, upstreams: &[Arc<Upstream>]) {
        let before = std::mem::take(&mut *self.portals.lock().unwrap_or_else(PoisonError::into_inner));
        for old in before {
            let Some(upstream) = upstreams.iter().find(|upstream| **upstream == old.upstream) else {
                continue;
            };
            let renewed = Portal::new(Arc::clone(upstream), self.counted.slots(upstream)).map(Arc::new);
            let portal = renewed.unwrap_or_else(|error| {
                let path = &upstream.path;
                tracing::error!(path, %error, "a certificate of portal.upstream cannot be used; those before stay");
                old
            });
            self.portals.lock().unwrap_or_else(PoisonError::into_inner).push(portal);
        }
    }

    pub fn sweep(&self) {
        let portals = self.portals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for portal in portals {
            portal.sweep();
        }
    }
}
