//! A syslog server: a Unix datagram socket, UDP, or TCP with octet counting (RFC 6587 §3.4.1), with TLS or without (RFC 5425).

use std::{
    io::{self, ErrorKind, Write as _},
    net::{TcpStream, ToSocketAddrs as _, UdpSocket},
    os::{fd::AsFd as _, unix::net::UnixDatagram},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{batch::WriteUnit, syslog_tls::TlsStream, target::LogTarget};
use crate::domain::syslog::SyslogAddress;

/// Timeout of connecting and of writes to a blocked server.
const IO_TIMEOUT: Duration = Duration::from_secs(1);

pub struct SyslogTarget {
    address: SyslogAddress,
    connection: Option<SyslogConnection>,
}

enum SyslogConnection {
    Unix(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
}

impl SyslogTarget {
    /// Connects with the first record, and again whenever the connection is lost.
    pub fn new(address: SyslogAddress) -> Self {
        Self { address, connection: None }
    }

    fn connection(&mut self) -> io::Result<&mut SyslogConnection> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => SyslogConnection::open(&self.address).map_err(|error| self.with_address(&error))?,
        };
        Ok(self.connection.insert(connection))
    }

    /// The error of a lost connection does not drop records, unlike that of a pipe without a reader.
    fn with_address(&self, error: &io::Error) -> io::Error {
        io::Error::other(format!("{}: {error}", self.address))
    }
}

impl LogTarget for SyslogTarget {
    fn unit(&self) -> WriteUnit {
        match self.address {
            SyslogAddress::Tcp { .. } | SyslogAddress::Tls { .. } => WriteUnit::Any,
            SyslogAddress::Unix(_) | SyslogAddress::Udp { .. } => WriteUnit::Record,
        }
    }

    fn refresh(&mut self, begun: usize) -> bool {
        if self.connection.as_mut().is_some_and(SyslogConnection::is_closed_by_server) {
            self.connection = None;
        }
        self.connection.is_none() && begun > 0
    }

    fn wait_writable(&self, _at_most: Duration) -> bool {
        true
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let error = match self.connection()?.write(bytes) {
            Ok(written) => return Ok(written),
            Err(error) => error,
        };
        let keeps_connection = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
            || error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error());
        if keeps_connection {
            return Err(error);
        }
        self.connection = None;
        Err(self.with_address(&error))
    }

    fn delay(&self) -> &'static str {
        if self.connection.is_some() { "the server reads too slowly" } else { "no connection yet" }
    }

    /// Sent bytes cannot be removed; a server drops an incomplete record when the connection ends.
    fn truncate_partial(&mut self, _begun: usize) {}
}

impl SyslogConnection {
    fn open(address: &SyslogAddress) -> io::Result<Self> {
        match address {
            SyslogAddress::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(IO_TIMEOUT))?;
                socket.connect(path)?;
                Ok(Self::Unix(socket))
            }
            SyslogAddress::Udp { host, port } => {
                let (mut last, addresses) = (no_address(), (host.as_str(), *port).to_socket_addrs()?);
                for address in addresses {
                    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                    match UdpSocket::bind(any).and_then(|socket| socket.connect(address).map(|()| socket)) {
                        Ok(socket) => {
                            socket.set_write_timeout(Some(IO_TIMEOUT))?;
                            return Ok(Self::Udp(socket));
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            SyslogAddress::Tcp { host, port } => connect(host, *port).map(Self::Tcp),
            SyslogAddress::Tls { host, port, ca_file } => {
                let socket = connect(host, *port)?;
                Ok(Self::Tls(Box::new(TlsStream::connect(socket, host, ca_file.as_deref(), IO_TIMEOUT)?)))
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(socket) => socket.send(bytes),
            Self::Udp(socket) => socket.send(bytes),
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    /// A syslog server sends nothing: a readable connection is closed. Without this check the first record after
    /// a restart of the server would be written into the old connection and be lost.
    fn is_closed_by_server(&mut self) -> bool {
        match self {
            Self::Unix(_) | Self::Udp(_) => false,
            Self::Tcp(stream) => has_arrived(stream),
            Self::Tls(stream) => {
                // over TLS a server does send bytes: session tickets
                while has_arrived(stream.socket()) {
                    if !stream.read_available() {
                        return true;
                    }
                }
                false
            }
        }
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let (mut last, addresses) = (no_address(), (host, port).to_socket_addrs()?);
    for address in addresses {
        match TcpStream::connect_timeout(&address, IO_TIMEOUT) {
            Ok(stream) => {
                stream.set_write_timeout(Some(IO_TIMEOUT))?;
                stream.set_read_timeout(Some(IO_TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether there is something to read, or the end.
fn has_arrived(stream: &TcpStream) -> bool {
    let mut ends = [PollFd::from_borrowed_fd(stream.as_fd(), PollFlags::IN | PollFlags::RDHUP)];
    poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

fn no_address() -> io::Error {
    io::Error::new(ErrorKind::NotFound, "the name has no address")
}
