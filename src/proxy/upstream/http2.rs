//! HTTP/2 to the portal: a few connections a worker, each shared by many requests.
//!
//! One client must not block others that share its connection. A connection's window is as large as HTTP/2 allows, so that
//! unread responses fill the windows of their own streams only. When the streams of a connection are in use another
//! connection is opened. Bodies that are still arriving have connections of their own: the portal chooses the window for those,
//! and a body that the portal does not read would block all others.

use std::sync::Arc;

use http::{Response, Version};
use tokio::time::Instant;

use super::{
    ForwardError, OutgoingRequest,
    connect::UpstreamConnector,
    connection_slots::ConnectionSlots,
    http2_connections::{Http2Connections, Opener, StreamPermit},
    lease::Lease,
};
use crate::{
    config::model::{HTTP2_STREAMS, Upstream},
    domain::client::ClientPrefix,
    proxy::body::ResponseBody,
};

/// Streams of a connection for bodies that are still arriving.
const MAX_UPLOADS: usize = 16;

/// The connections of one worker to one upstream.
pub struct Http2Upstream {
    requests: Arc<Http2Connections>,
    uploads: Arc<Http2Connections>,
    slots: Arc<ConnectionSlots<Lease>>,
}

impl Http2Upstream {
    pub fn new(slots: Arc<ConnectionSlots<Lease>>) -> Self {
        Self {
            requests: Http2Connections::new(HTTP2_STREAMS),
            uploads: Http2Connections::new(MAX_UPLOADS),
            slots,
        }
    }

    pub async fn forward(
        &self,
        upstream: &Arc<Upstream>,
        connector: &UpstreamConnector,
        outgoing: &mut OutgoingRequest,
    ) -> Result<Response<ResponseBody>, ForwardError> {
        let client = outgoing.sender.client;
        let mut request = outgoing.take_request();
        *request.version_mut() = Version::HTTP_2;
        let upload = request.body().progress();
        let permit = self.acquire_stream(upstream, connector, request.body().is_arriving(), client).await?;
        let permit = Arc::new(permit.counted(outgoing.permit.take()));
        request.body_mut().hold_stream(&permit);
        let mut sender = permit.sender();
        let mut response = std::pin::pin!(sender.send_request(request));
        let mut seen = 0;
        loop {
            match tokio::time::timeout(upstream.header_timeout, response.as_mut()).await {
                Ok(Ok(response)) => {
                    let body = |incoming| ResponseBody::http2(incoming, upstream.idle_timeout, permit);
                    return Ok(response.map(body));
                }
                Ok(Err(error)) => return Err(ForwardError::Broken(error.into())),
                Err(_) => {
                    // the response timeout counts from the end of the upload
                    if !upload.as_ref().is_some_and(|upload| upload.has_progressed(&mut seen)) {
                        return Err(ForwardError::AnswerTimeout);
                    }
                }
            }
        }
    }

    async fn acquire_stream(
        &self,
        upstream: &Arc<Upstream>,
        connector: &UpstreamConnector,
        is_upload: bool,
        client: ClientPrefix,
    ) -> Result<StreamPermit, ForwardError> {
        let (own, other) =
            if is_upload { (&self.uploads, &self.requests) } else { (&self.requests, &self.uploads) };
        if let Some(permit) = own.try_acquire_stream() {
            return Ok(permit);
        }
        // each worker may have one connection that is not counted, so that none is without
        let is_first = own.is_empty() && other.is_empty();
        if !is_first
            && self.slots.is_full()
            && let Some(permit) = other.try_acquire_stream()
        {
            return Ok(permit);
        }
        own.acquire_stream(&Opener { upstream, connector, slots: &self.slots, is_first, client }).await
    }

    /// Once a second: closes connections that are no longer needed.
    pub fn sweep(&self, upstream: &Upstream) {
        let now = Instant::now();
        self.requests.close_idle(now, upstream.keep_alive, 1);
        self.uploads.close_idle(now, upstream.keep_alive, 0);
    }
}
