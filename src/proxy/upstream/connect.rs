//! One connection to the portal: TCP, TLS or a unix socket.

use std::{
    fs::File,
    io::{self, BufReader},
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{connection_slots::ConnectionSlot, lease::Lease};
use crate::config::model::{Upstream, UpstreamTarget};

/// The kernel doubles it for its own overhead.
const RECEIVE_BUFFER: usize = 128 * 1024;
/// Bytes the kernel accepts beyond what the portal's window takes.
const UNSENT_LOW_WATERMARK: u32 = 64 * 1024;

/// Opens connections to one upstream; created once, used for every connection.
#[derive(Clone)]
pub struct UpstreamConnector {
    target: UpstreamTarget,
    tls: Option<TlsConnector>,
    /// Offers HTTP/1.1 only: upgrades know nothing else.
    tls_http1: Option<TlsConnector>,
}

/// An open connection, and its slot while it is counted.
pub struct PortalStream {
    transport: Transport,
    slot: Option<ConnectionSlot<Lease>>,
}

enum Transport {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

impl UpstreamConnector {
    pub fn new(upstream: &Upstream) -> io::Result<Self> {
        let (tls, tls_http1) = match &upstream.target {
            UpstreamTarget::Tls { ca_file, client_cert_file, client_key_file, .. } => {
                let client = client_cert_file.as_deref().zip(client_key_file.as_deref());
                let mut config = tls_config(ca_file.as_deref(), client)?;
                config.alpn_protocols = vec![b"http/1.1".to_vec()];
                let http1 = TlsConnector::from(Arc::new(config.clone()));
                if upstream.http2 {
                    config.alpn_protocols.insert(0, b"h2".to_vec());
                    (Some(TlsConnector::from(Arc::new(config))), Some(http1))
                } else {
                    (Some(http1.clone()), Some(http1))
                }
            }
            UpstreamTarget::Tcp { .. } | UpstreamTarget::Unix { .. } => (None, None),
        };
        Ok(Self { target: upstream.target.clone(), tls, tls_http1 })
    }

    pub async fn connect(&self) -> io::Result<PortalStream> {
        self.connect_by(self.tls.as_ref()).await
    }

    pub async fn connect_http1(&self) -> io::Result<PortalStream> {
        self.connect_by(self.tls_http1.as_ref()).await
    }

    async fn connect_by(&self, tls: Option<&TlsConnector>) -> io::Result<PortalStream> {
        let transport = match (&self.target, tls) {
            (UpstreamTarget::Unix { path }, _) => Transport::Unix(UnixStream::connect(path).await?),
            (UpstreamTarget::Tcp { host, port }, _) => Transport::Tcp(connect_tcp(host, *port).await?),
            (UpstreamTarget::Tls { host, port, .. }, Some(tls)) => {
                let stream = connect_tcp(host, *port).await?;
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                Transport::Tls(Box::new(tls.connect(name, stream).await?))
            }
            (UpstreamTarget::Tls { .. }, None) => {
                return Err(io::Error::other("no TLS configuration for a TLS upstream"));
            }
        };
        Ok(PortalStream { transport, slot: None })
    }
}

impl PortalStream {
    /// Whether the portal chose HTTP/2 in the TLS handshake; `None` without TLS.
    pub fn negotiated_http2(&self) -> Option<bool> {
        match &self.transport {
            Transport::Tls(stream) => Some(stream.get_ref().1.alpn_protocol() == Some(b"h2")),
            Transport::Tcp(_) | Transport::Unix(_) => None,
        }
    }

    pub const fn is_tls(&self) -> bool {
        matches!(self.transport, Transport::Tls(_))
    }

    /// Counts the connection until it is closed.
    #[must_use]
    pub fn with_slot(mut self, slot: ConnectionSlot<Lease>) -> Self {
        self.slot = Some(slot);
        self
    }

    /// Releases the slot of a connection that has become a tunnel, which is counted elsewhere.
    pub fn release_slot(&mut self) {
        self.slot = None;
    }
}

async fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    // both limit the kernel's buffers while a client or the portal does not read; without them they would grow to megabytes
    // a kernel without these options applies its own limits
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let _ = socket.set_tcp_notsent_lowat(UNSENT_LOW_WATERMARK);
    Ok(stream)
}

fn tls_config(ca_file: Option<&Path>, client: Option<(&Path, &Path)>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = ca_file {
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(io::Error::other)?;
        }
    } else {
        for certificate in rustls_native_certs::load_native_certs().certs {
            // a system store often contains some that no library reads; the others are used
            let _ = roots.add(certificate);
        }
    }
    let builder = ClientConfig::builder().with_root_certificates(roots);
    match client {
        None => Ok(builder.with_no_client_auth()),
        Some((cert, key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
            builder.with_client_auth_cert(certificates(cert)?, key).map_err(io::Error::other)
        }
    }
}

fn certificates(file: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_reader_iter(BufReader::new(File::open(file)?))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| io::Error::other(format!("{}: {error}", file.display())))
}

macro_rules! each {
    ($self:ident, $stream:ident => $call:expr) => {
        match &mut $self.get_mut().transport {
            Transport::Tcp($stream) => $call,
            Transport::Tls($stream) => $call,
            Transport::Unix($stream) => $call,
        }
    };
}

impl AsyncRead for PortalStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for PortalStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Tcp(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
            Transport::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
