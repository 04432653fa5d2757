//! A connection to a syslog server over TLS (RFC 5425), for a separate thread: its socket blocks, but no longer than its timeouts.

use std::{
    io::{self, ErrorKind, Write as _},
    net::TcpStream,
    path::Path,
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

pub struct TlsStream(StreamOwned<ClientConnection, TcpStream>);

impl TlsStream {
    /// Authenticates the server by the authorities in `ca_file`, which is read for each connection, or else by those of the
    /// system. `socket` has timeouts in both directions.
    pub fn connect(socket: TcpStream, host: &str, ca_file: Option<&Path>) -> io::Result<Self> {
        let roots = roots(ca_file)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(late)?;
        }
        Ok(Self(stream))
    }

    pub const fn socket(&self) -> &TcpStream {
        &self.0.sock
    }

    /// Bytes that were accepted may still wait in this connection. The error of a lost connection is always returned.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes)?;
        match self.0.flush() {
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Err(error),
            _ => Ok(written),
        }
    }

    /// Reads what has arrived, such as session tickets. False: the server has ended the connection.
    pub fn read_available(&mut self) -> bool {
        let StreamOwned { conn, sock } = &mut self.0;
        let is_open = conn.read_tls(sock).is_ok_and(|bytes| bytes > 0);
        is_open && conn.process_new_packets().is_ok_and(|state| !state.peer_has_closed())
    }
}

fn roots(ca_file: Option<&Path>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(file) = ca_file else {
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        return Ok(roots);
    };
    let unreadable = |error: String| io::Error::other(format!("{}: {error}", file.display()));
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unreadable("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}

fn late(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => io::Error::new(ErrorKind::TimedOut, "the TLS handshake takes too long"),
        _ => error,
    }
}
