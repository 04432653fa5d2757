//! A portal that listens otherwise than with HTTP/1.1 over TCP: TLS, a unix socket, HTTP/2.

use std::{convert::Infallible, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::once};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixListener},
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

use super::{
    message::{Headers, as_lines},
    pki::Signed,
    portal::Portal,
};

/// Of a connection, at the same time.
pub const HTTP2_STREAMS: u32 = 20;

static PIECE: [u8; 64 * 1024] = [0; 64 * 1024];

/// Open until it is dropped.
pub struct PortalListener {
    /// `127.0.0.1:port`; empty for a unix socket.
    pub authority: String,
    _closed_by_drop: oneshot::Sender<()>,
}

/// The handler of this listener.
#[derive(Clone)]
enum Backend {
    Portal(String),
    Http2,
}

impl PortalListener {
    pub fn unix(portal: &Portal, socket: &Path) -> Self {
        let behind = Backend::Portal(portal.authority());
        let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self::open(String::new(), async move {
            let listener = UnixListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, behind.clone()));
            }
        })
    }

    pub fn tls(portal: &Portal, server: &Signed, client_ca: Option<&Path>) -> Self {
        Self::tcp(Some(acceptor(server, client_ca, &[])), Backend::Portal(portal.authority()))
    }

    /// A separate portal without TLS; it answers with the request it received.
    pub fn http2() -> Self {
        Self::tcp(None, Backend::Http2)
    }

    pub fn http2_tls(server: &Signed) -> Self {
        Self::tcp(Some(acceptor(server, None, &[b"h2"])), Backend::Http2)
    }

    fn tcp(tls: Option<TlsAcceptor>, behind: Backend) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        Self::open(authority, async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, behind) = (tls.clone(), behind.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, behind).await,
                        Some(tls) => {
                            // a caller with a bad certificate is the point of some tests
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, behind).await;
                            }
                        }
                    }
                });
            }
        })
    }

    fn open(authority: String, accepting: impl Future<Output = ()> + Send + 'static) -> Self {
        let (sender, dropped) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accepting => {}
                    _ = dropped => {}
                }
            });
        });
        Self { authority, _closed_by_drop: sender }
    }
}

fn acceptor(server: &Signed, client_ca: Option<&Path>, protocols: &[&[u8]]) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_file(&server.cert).unwrap()];
    let mut config =
        builder.with_single_cert(chain, PrivateKeyDer::from_pem_file(&server.key).unwrap()).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, behind: Backend) {
    match behind {
        Backend::Portal(authority) => {
            let mut portal = TcpStream::connect(authority).await.unwrap();
            drop(copy_bidirectional(&mut stream, &mut portal).await);
        }
        Backend::Http2 => {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .max_concurrent_streams(HTTP2_STREAMS)
                .serve_connection(TokioIo::new(stream), service_fn(repeat));
            drop(connection.await);
        }
    }
}

/// Refuses `/refused`; `/big` is larger than all buffers in between; the body of `/unread` is not read, and `/early` is
/// answered before its body has ended. Any other answer repeats method, address and headers, then the body as it arrives,
/// then its trailers.
async fn repeat(
    request: Request<Incoming>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = hyper::Error>>, Infallible> {
    let (parts, body) = request.into_parts();
    if parts.uri.path() == "/big" {
        let piece = Bytes::from_static(&PIECE);
        let frames = futures_util::stream::repeat_with(move || Ok(Frame::data(piece.clone()))).take(1024);
        return Ok(Response::new(StreamBody::new(frames.boxed())));
    }
    if parts.uri.path() == "/early" {
        // its client may continue to send
        tokio::spawn(async move {
            let _unread = body;
            std::future::pending::<()>().await;
        });
        let none = futures_util::stream::empty();
        return Ok(Response::builder().status(404).body(StreamBody::new(none.boxed())).unwrap());
    }
    if parts.uri.path() == "/unread" {
        let never = futures_util::stream::once(async move {
            let _unread = body;
            std::future::pending().await
        });
        return Ok(Response::new(StreamBody::new(never.boxed())));
    }
    let refused = parts.uri.path() == "/refused";
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Headers =
        parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let head = format!(
        "{:?} {} {}\n{headers}\n",
        parts.version,
        parts.method,
        parts.uri,
        headers = as_lines(&headers, "\n")
    );
    let mut sum = HeaderMap::new();
    sum.insert("x-sum", "3".parse().unwrap());
    let first = once(async { Ok(Frame::data(Bytes::from(head))) });
    let last = once(async { Ok(Frame::trailers(sum)) });
    let wanted = if parts.method == Method::HEAD { 0 } else { usize::MAX };
    // refused before its end: the rest of the body is never read
    let wanted = if refused { 1 } else { wanted };
    let frames =
        first.chain(body.into_data_stream().map(|data| data.map(Frame::data))).chain(last).take(wanted);
    let status = if refused { 413 } else { 200 };
    let frames = StreamBody::new(frames.boxed());
    Ok(Response::builder().status(status).header("trailer", "x-sum").body(frames).unwrap())
}
