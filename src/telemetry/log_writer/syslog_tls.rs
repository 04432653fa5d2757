//! A connection to a syslog server over TLS (RFC 5425), for a separate thread: its socket blocks, but no longer than its timeouts.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

pub struct TlsStream(StreamOwned<ClientConnection, TcpStream>);

impl TlsStream {
    /// Authenticates the server by the authorities in `ca_file`, which is read for each connection, or else by those of the
    /// system. `socket` has timeouts in both directions; `patience` limits the whole handshake.
    pub fn connect(
        socket: TcpStream,
        host: &str,
        ca_file: Option<&Path>,
        patience: Duration,
    ) -> io::Result<Self> {
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
        let timeouts = (stream.sock.read_timeout()?, stream.sock.write_timeout()?);
        let mut limited = Limited { socket: &stream.sock, until: Instant::now() + patience };
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut limited).map_err(late)?;
        }
        stream.sock.set_read_timeout(timeouts.0)?;
        stream.sock.set_write_timeout(timeouts.1)?;
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

/// A socket with one deadline for all reads and writes: a server that sends single bytes cannot extend it, unlike a timeout
/// for each read.
struct Limited<'a> {
    socket: &'a TcpStream,
    until: Instant,
}

impl Limited<'_> {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        self.socket.read(buffer)
    }
}

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
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
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            io::Error::new(ErrorKind::TimedOut, "the TLS handshake takes too long")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, sync::mpsc, thread};

    use super::*;

    /// Connects to a server that sends `start` and then one byte every `pause`. Returns the error and the time until it
    /// occurred.
    fn handshake_with(start: &'static [u8], pause: Duration, patience: Duration) -> (io::Error, Duration) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = mpsc::channel::<()>();
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = socket.write_all(start);
            while stopped.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                if socket.write_all(&[0]).is_err() {
                    return;
                }
            }
        });
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let since = Instant::now();
        let error = TlsStream::connect(socket, "localhost", None, patience).err().unwrap();
        let elapsed = since.elapsed();
        drop(stop);
        server.join().unwrap();
        (error, elapsed)
    }

    #[test]
    fn attack_syslog_server_stretches_the_tls_handshake() {
        let (pause, patience) = (Duration::from_millis(20), Duration::from_millis(300));
        // a handshake record that announces 16,384 bytes; a server that sends nothing
        for start in [&b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"[..], b""] {
            let pause = if start.is_empty() { Duration::from_mins(1) } else { pause };
            let (error, elapsed) = handshake_with(start, pause, patience);
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
            assert!(elapsed < Duration::from_secs(4), "{elapsed:?}");
        }
    }
}
