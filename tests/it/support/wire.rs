//! The caller's end of a connection, in bytes: clear text or TLS.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};
use socket2::{Domain, Socket, Type};

use super::{
    answer::Answer,
    eventually::PATIENCE,
    message::{Framing, Head, read_body},
};

pub struct Wire(BufReader<Stream>);

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    pub fn connect(addr: SocketAddr) -> Self {
        Self(BufReader::new(Stream::Plain(socket(addr))))
    }

    /// From this address of this machine.
    pub fn connect_from(from: IpAddr, addr: SocketAddr) -> Self {
        let unbound = Socket::new(Domain::for_address(addr), Type::STREAM, None).unwrap();
        unbound.bind(&SocketAddr::new(from, 0).into()).unwrap();
        unbound.connect(&addr.into()).expect("the proxy accepts connections");
        Self(BufReader::new(Stream::Plain(patient(unbound.into()))))
    }

    /// `prefix` is sent in clear text, before TLS.
    pub fn connect_tls(addr: SocketAddr, config: Arc<ClientConfig>, prefix: &[u8]) -> Self {
        let mut clear = socket(addr);
        clear.write_all(prefix).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(config, name).unwrap();
        Self(BufReader::new(Stream::Tls(Box::new(StreamOwned::new(connection, clear)))))
    }

    #[track_caller]
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.try_write(bytes).expect("the proxy takes these bytes");
        self
    }

    pub fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.0.get_mut().write_all(bytes.as_ref())?;
        self.0.get_mut().flush()
    }

    /// The next head, also an interim one.
    #[track_caller]
    pub fn head(&mut self) -> Head {
        Head::read(&mut self.0).expect("a readable answer").expect("an answer before the end")
    }

    /// The next answer with its body; `method` says whether a body is to be expected.
    pub fn answer(&mut self, method: &str) -> io::Result<Answer> {
        let mut interim = Vec::new();
        loop {
            let head = Head::read(&mut self.0)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let status = head.first.split(' ').nth(1).and_then(|s| s.parse().ok());
            let status: u16 = status.ok_or(io::ErrorKind::InvalidData)?;
            if (100..200).contains(&status) && status != 101 {
                interim.push(status);
                continue;
            }
            let framing = if method == "HEAD" || matches!(status, 101 | 204 | 304) {
                Framing::Length(0)
            } else {
                Framing::of(&head.headers, Framing::UntilClose)
            };
            let mut body = Vec::new();
            let read = read_body(&mut self.0, framing, |piece| body.extend_from_slice(piece));
            let complete = read.is_ok();
            let trailers = read.unwrap_or_default();
            return Ok(Answer { status, headers: head.headers, body, trailers, interim, complete });
        }
    }

    /// The next chunk of a chunked body: for answers that stream.
    #[track_caller]
    pub fn chunk(&mut self) -> String {
        let mut size = String::new();
        self.0.read_line(&mut size).expect("a chunk");
        let size = usize::from_str_radix(size.trim(), 16).expect("a chunk's size");
        let mut bytes = vec![0; size + 2];
        self.0.read_exact(&mut bytes).expect("the chunk's bytes");
        bytes.truncate(size);
        String::from_utf8(bytes).unwrap()
    }

    /// Exactly so many bytes.
    #[track_caller]
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("as many bytes");
        bytes
    }

    /// All bytes until the proxy closes the connection. A connection that stays open is a failure.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("the connection is still open after {PATIENCE:?}")
            }
            // a reset is an end, too
            _ => bytes,
        }
    }

    /// The statuses of all answers until the proxy closes or sends nothing more: how many requests did it read in our bytes?
    pub fn statuses(&mut self) -> Vec<u16> {
        self.0.get_ref().socket().set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        std::iter::from_fn(|| self.answer("GET").ok()).map(|answer| answer.status).collect()
    }
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.get_ref(),
        }
    }
}

fn socket(addr: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(addr).expect("the proxy accepts connections"))
}

fn patient(socket: TcpStream) -> TcpStream {
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
