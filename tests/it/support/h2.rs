//! A caller that speaks HTTP/2, over TLS by ALPN or in clear text with prior knowledge.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{io::AsyncRead, io::AsyncWrite, net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::{answer::Answer, eventually::PATIENCE, message::Headers};

/// One request as HTTP/2 sees it: `authority` is the pseudo-header, a `host` among the headers is sent as well.
pub struct H2Request {
    pub method: String,
    pub scheme: &'static str,
    pub authority: String,
    pub target: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

pub fn send(addr: SocketAddr, tls: Option<Arc<ClientConfig>>, request: H2Request) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        timeout(PATIENCE, async {
            let socket = TcpStream::connect(addr).await.unwrap();
            match tls {
                None => exchange(socket, request).await,
                Some(config) => {
                    let name = ServerName::try_from("localhost").unwrap();
                    let stream = TlsConnector::from(config).connect(name, socket).await.unwrap();
                    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]), "the gate offers h2");
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
