//! HTTP/2 to the portal: a few connections a worker, each shared by many requests.
//!
//! A client must not hold up others that share its connection. A connection's window is as large as HTTP/2 allows, so that
//! answers that are not read fill the windows of their own streams only. When the streams of a connection are in use another
//! connection is opened. Bodies that are still arriving have connections of their own: the window for those is the portal's
//! to choose, and a body that the portal does not read would hold up all others.

use std::sync::Arc;

use http::{Response, Version};
use tokio::time::Instant;

use super::{
    ForwardError, OutgoingRequest,
    connect::Connector,
    h2_connections::{Group, Opener, StreamPermit},
    lease::Lease,
    slots::Slots,
};
use crate::{
    config::model::{HTTP2_STREAMS, Upstream},
    domain::client::Client,
    proxy::body::ResponseBody,
};

/// Streams of a connection for bodies that are still arriving.
const MAX_UPLOADS: usize = 16;

/// The connections of one worker to one upstream.
pub struct Shared {
    requests: Arc<Group>,
    uploads: Arc<Group>,
    slots: Arc<Slots<Lease>>,
}

impl Shared {
    pub fn new(slots: Arc<Slots<Lease>>) -> Self {
        Self { requests: Group::new(HTTP2_STREAMS), uploads: Group::new(MAX_UPLOADS), slots }
    }

    pub async fn forward(
        &self,
        upstream: &Arc<Upstream>,
        connector: &Connector,
        outgoing: &mut OutgoingRequest,
    ) -> Result<Response<ResponseBody>, ForwardError> {
        let client = outgoing.sender.client;
        let mut request = outgoing.take_request();
        *request.version_mut() = Version::HTTP_2;
        let upload = request.body().progress();
        let permit = self.stream(upstream, connector, request.body().is_arriving(), client).await?;
        let permit = Arc::new(permit.counted(outgoing.permit.take()));
        request.body_mut().hold(&permit);
        let mut sender = permit.sender();
        let mut answer = std::pin::pin!(sender.send_request(request));
        let mut seen = 0;
        loop {
            match tokio::time::timeout(upstream.header_timeout, answer.as_mut()).await {
                Ok(Ok(answer)) => {
                    let body = |incoming| ResponseBody::shared(incoming, upstream.idle_timeout, permit);
                    return Ok(answer.map(body));
                }
                Ok(Err(error)) => return Err(ForwardError::Broken(error.into())),
                Err(_) => {
                    // the answer's time counts from the end of the upload
                    if !upload.as_ref().is_some_and(|upload| upload.has_moved(&mut seen)) {
                        return Err(ForwardError::AnswerTimeout);
                    }
                }
            }
        }
    }

    async fn stream(
        &self,
        upstream: &Arc<Upstream>,
        connector: &Connector,
        is_upload: bool,
        client: Client,
    ) -> Result<StreamPermit, ForwardError> {
        let (own, other) =
            if is_upload { (&self.uploads, &self.requests) } else { (&self.requests, &self.uploads) };
        if let Some(permit) = own.free() {
            return Ok(permit);
        }
        // each worker may have one connection that does not count, so that none is left without
        let is_first = own.is_empty() && other.is_empty();
        if !is_first
            && self.slots.is_full()
            && let Some(permit) = other.free()
        {
            return Ok(permit);
        }
        own.stream(&Opener { upstream, connector, slots: &self.slots, is_first, client }).await
    }

    /// Once a second: closes connections that are not needed any more.
    pub fn sweep(&self, upstream: &Upstream) {
        let now = Instant::now();
        self.requests.close_idle(now, upstream.keep_alive, 1);
        self.uploads.close_idle(now, upstream.keep_alive, 0);
    }
}
