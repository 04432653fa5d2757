//! A caller that speaks HTTP/2, over TLS by ALPN or in clear text with prior knowledge.

use std::{convert::Infallible, future::ready, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Handle,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    answer::Answer,
    eventually::{PATIENCE, eventually},
    message::Headers,
};

/// One request as HTTP/2 sees it: `authority` is the pseudo-header, a `host` among the headers is sent as well.
pub struct H2Request {
    pub method: String,
    pub scheme: &'static str,
    pub authority: String,
    pub target: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// `prefix` is sent before anything else.
pub fn send(addr: SocketAddr, prefix: &[u8], tls: Option<Arc<ClientConfig>>, request: H2Request) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        timeout(PATIENCE, async {
            let mut socket = TcpStream::connect(addr).await.unwrap();
            socket.write_all(prefix).await.unwrap();
            match tls {
                None => exchange(socket, request).await,
                Some(config) => {
                    let name = ServerName::try_from("localhost").unwrap();
                    let stream = TlsConnector::from(config).connect(name, socket).await.unwrap();
                    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]), "the proxy offers h2");
                    exchange(stream, request).await
                }
            }
        })
        .await
        .expect("an answer in time")
    })
}

async fn exchange(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, request: H2Request) -> Answer {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    let uri = format!("{}://{}{}", request.scheme, request.authority, request.target);
    let mut message = Request::builder().method(request.method.as_str()).uri(uri);
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        message = message.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let message = message.body(Full::new(Bytes::from(request.body))).unwrap();
    let (head, mut incoming) = sender.send_request(message).await.expect("an answer").into_parts();
    let mut answer = Answer {
        status: head.status.as_u16(),
        headers: owned(&head.headers),
        body: Vec::new(),
        trailers: Vec::new(),
        interim: Vec::new(),
        complete: true,
    };
    while let Some(frame) = incoming.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => answer.body.extend_from_slice(&data),
            Ok(Err(frame)) => answer.trailers = frame.into_trailers().map(|t| owned(&t)).unwrap_or_default(),
            Err(_) => {
                answer.complete = false;
                break;
            }
        }
    }
    answer
}

fn owned(headers: &http::HeaderMap) -> Headers {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// A connection whose streams a test opens one by one. Only the requested part of an answer is read.
pub struct H2Connection {
    /// Of a thread of its own, so that the connection lives while the test waits for something else.
    runtime: Handle,
    sender: SendRequest<BoxBody<Bytes, Infallible>>,
    _stopped_by_drop: oneshot::Sender<()>,
}

impl H2Connection {
    /// Each stream takes at most `stream_window` bytes that are not read.
    pub fn connect(addr: SocketAddr, stream_window: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let sender = runtime.block_on(async {
            let socket = TcpStream::connect(addr).await.unwrap();
            let (sender, connection) = Builder::new(TokioExecutor::new())
                .initial_stream_window_size(stream_window)
                .handshake(TokioIo::new(socket))
                .await
                .unwrap();
            tokio::spawn(connection);
            sender
        });
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::spawn(move || runtime.block_on(stopped));
        Self { runtime: handle, sender, _stopped_by_drop: stop }
    }

    /// Waits for the head only.
    pub fn get(&mut self, path: &str) -> hyper::Response<Incoming> {
        self.send_get(Request::get(uri(path)))
    }

    /// The same for a client that a trusted proxy names.
    pub fn get_for(&mut self, client: &str, path: &str) -> hyper::Response<Incoming> {
        self.send_get(Request::get(uri(path)).header("x-forwarded-for", client))
    }

    fn send_get(&mut self, request: http::request::Builder) -> hyper::Response<Incoming> {
        let request = request.body(Empty::<Bytes>::new().boxed()).unwrap();
        self.runtime.block_on(self.sender.send_request(request)).expect("an answer")
    }

    /// An upload of which `body` comes and then nothing; its answer, when it is waited for.
    pub fn begin_upload(&mut self, path: &str, body: impl Into<Bytes>) -> Upload {
        let start: Bytes = body.into();
        let begun = stream::once(ready(Ok::<_, Infallible>(Frame::data(start)))).chain(stream::pending());
        // it is a stream as well
        let body = BodyExt::boxed(StreamBody::new(begun));
        let request = Request::post(uri(path)).body(body).unwrap();
        Upload(self.runtime.spawn(self.sender.send_request(request)))
    }

    /// The status of the answer to an upload.
    pub fn status(&self, upload: Upload) -> Option<u16> {
        let answer = self.runtime.block_on(async { timeout(PATIENCE, upload.0).await.unwrap().unwrap() });
        answer.ok().map(|answer| answer.status().as_u16())
    }

    /// Waits until the server ends the connection.
    #[track_caller]
    pub fn wait_for_close_by_server(&self) {
        eventually(|| self.sender.is_closed());
    }

    /// Whether the whole of an answer can be read.
    pub fn is_whole(&self, answer: hyper::Response<Incoming>) -> bool {
        let read = async { timeout(PATIENCE, answer.into_body().collect()).await.expect("an end in time") };
        self.runtime.block_on(read).is_ok()
    }
}

pub struct Upload(JoinHandle<hyper::Result<hyper::Response<Incoming>>>);

fn uri(path: &str) -> String {
    format!("http://portal.test{path}")
}
