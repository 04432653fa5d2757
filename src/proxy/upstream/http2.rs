//! HTTP/2 to the portal: one connection a worker, shared by all requests.

use http::{Request, Response, Version};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Mutex;

use super::{ForwardError, connect::Connector};
use crate::{
    config::model::Upstream,
    proxy::body::{RequestBody, ResponseBody},
};

#[derive(Default)]
pub struct Shared {
    sender: Mutex<Option<SendRequest<RequestBody>>>,
}

impl Shared {
    pub async fn forward(
        &self,
        upstream: &Upstream,
        connector: &Connector,
        mut request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, ForwardError> {
        *request.version_mut() = Version::HTTP_2;
        let upload = request.body().progress();
        let mut sender = self.sender(upstream, connector).await?;
        let mut answer = std::pin::pin!(sender.send_request(request));
        let mut seen = 0;
        loop {
            match tokio::time::timeout(upstream.header_timeout, answer.as_mut()).await {
                Ok(Ok(answer)) => {
                    return Ok(answer.map(|incoming| ResponseBody::shared(incoming, upstream.idle_timeout)));
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

    /// The connection in use, or a new one; callers that come at the same time share one handshake.
    async fn sender(
        &self,
        upstream: &Upstream,
        connector: &Connector,
    ) -> Result<SendRequest<RequestBody>, ForwardError> {
        let mut slot = self.sender.lock().await;
        if let Some(sender) = &mut *slot
            && !sender.is_closed()
            && sender.ready().await.is_ok()
        {
            return Ok(sender.clone());
        }
        let connect = async {
            let stream = connector.connect().await.map_err(ForwardError::Connect)?;
            if stream.negotiated_http2() == Some(false) {
                return Err(ForwardError::Connect(std::io::Error::other(
                    "the portal does not offer HTTP/2; set http2 = false for this upstream",
                )));
            }
            Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .adaptive_window(true)
                .keep_alive_interval(std::time::Duration::from_secs(20))
                .handshake(TokioIo::new(stream))
                .await
                .map_err(|error| ForwardError::Broken(error.into()))
        };
        let (sender, connection) = tokio::time::timeout(upstream.connect_timeout, connect)
            .await
            .map_err(|_| ForwardError::ConnectTimeout)??;
        tokio::spawn(async move {
            // its errors reach each request through the sender
            let _ = connection.await;
        });
        *slot = Some(sender.clone());
        Ok(sender)
    }
}
