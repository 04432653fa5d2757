//! A test double: a server on loopback that records requests and gives prepared answers; one thread per connection.

use std::{
    io::{self, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    message::{Framing, Head, Headers, as_lines, find, read_body},
    reply::{Body, Reply},
};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    /// The request target, byte for byte.
    pub target: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    /// Grows while the body arrives; bodies over 1 MiB are counted, not kept.
    pub body_bytes: u64,
    pub trailers: Headers,
    pub complete: bool,
    /// Which connection brought it, counted from 0.
    pub connection: usize,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Every value of that name, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// Every header whose name means the same to a CGI-like portal: case, `_`, `.` and `-` folded.
    pub fn folded(&self, name: &str) -> Vec<&str> {
        let fold = |n: &str| n.to_ascii_lowercase().replace(['_', '.', ' '], "-");
        let wanted = fold(name);
        self.headers.iter().filter(|(n, _)| fold(n) == wanted).map(|(_, v)| v.as_str()).collect()
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    fn head(&self) -> String {
        let headers = as_lines(&self.headers, "\n");
        format!("{} {}\n{headers}", self.method, self.target)
    }
}

type Handler = Box<dyn Fn(&Received) -> Reply + Send + Sync>;

pub struct Double {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    handler: Handler,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
    closed: AtomicBool,
}

impl Double {
    pub fn start(handler: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            received: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                if accepting.closed.load(Ordering::SeqCst) {
                    return;
                }
                // head and body are written one after the other
                socket.set_nodelay(true).unwrap();
                let number = accepting.connections.fetch_add(1, Ordering::SeqCst);
                accepting.open.lock().unwrap().push(socket.try_clone().unwrap());
                let shared = Arc::clone(&accepting);
                // a caller that goes away ends its connection, not the test
                thread::spawn(move || drop(shared.serve(&socket, number)));
            }
        });
        Self { addr, shared }
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub fn clear_received(&self) {
        self.shared.received.lock().unwrap().clear();
    }

    /// No more connections, and those that are open break off: the server has died.
    pub fn stop(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.addr)); // wakes the accepting thread, which then lets go of the port
        for socket in self.shared.open.lock().unwrap().drain(..) {
            drop(socket.shutdown(Shutdown::Both));
        }
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn serve(&self, socket: &TcpStream, connection: usize) -> io::Result<()> {
        let mut reader = BufReader::new(socket);
        while let Some(head) = Head::read(&mut reader)? {
            let (request, index) = self.record(&head, connection);
            if head.header("expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")) {
                (&mut &*socket).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            // some replies do not wait for the body; all others are asked for again when it is there
            let reply = (self.handler)(&request);
            if matches!(reply.body, Body::UpgradeEcho | Body::Raw(_) | Body::RawThenSilence(_)) {
                return answer(socket, &mut reader, &reply, &request);
            }
            let framing = Framing::of(&head.headers, Framing::Length(0));
            let trailers = read_body(&mut reader, framing, |piece| {
                let mut received = self.received.lock().unwrap();
                let Some(entry) = received.get_mut(index) else { return };
                entry.body_bytes += piece.len() as u64;
                if entry.body_bytes <= 1 << 20 {
                    entry.body.extend_from_slice(piece);
                }
            })?;
            let request = self.complete(index, trailers).unwrap_or(request);
            let reply = (self.handler)(&request);
            answer(socket, &mut reader, &reply, &request)?;
            if find(&reply.headers, "connection") == Some("close") {
                drop(socket.shutdown(Shutdown::Both));
                return Ok(());
            }
        }
        Ok(())
    }

    fn record(&self, head: &Head, connection: usize) -> (Received, usize) {
        let mut words = head.first.split(' ');
        let request = Received {
            method: words.next().unwrap_or_default().to_owned(),
            target: words.next().unwrap_or_default().to_owned(),
            headers: head.headers.clone(),
            body: Vec::new(),
            body_bytes: 0,
            trailers: Vec::new(),
            complete: false,
            connection,
        };
        let mut received = self.received.lock().unwrap();
        received.push(request.clone());
        (request, received.len() - 1)
    }

    fn complete(&self, index: usize, trailers: Headers) -> Option<Received> {
        let mut received = self.received.lock().unwrap();
        let entry = received.get_mut(index)?;
        entry.trailers = trailers;
        entry.complete = true;
        Some(entry.clone())
    }
}

fn answer(socket: &TcpStream, reader: &mut impl Read, reply: &Reply, request: &Received) -> io::Result<()> {
    let mut out = socket;
    let headers = as_lines(&reply.headers, "\r\n");
    let head = format!("HTTP/1.1 {} Some Reason\r\n{headers}", reply.status);
    let whole = |mut out: &TcpStream, body: &[u8]| {
        let sends_body = request.method != "HEAD" && !matches!(reply.status, 204 | 304);
        let length = if matches!(reply.status, 204 | 304) {
            String::new()
        } else {
            format!("content-length: {}\r\n", body.len())
        };
        out.write_all(format!("{head}{length}\r\n").as_bytes())?;
        out.write_all(if sends_body { body } else { b"" })
    };
    match &reply.body {
        Body::Whole(body) => whole(out, body),
        Body::EchoHead => whole(out, request.head().as_bytes()),
        Body::Echo => whole(out, &request.body),
        Body::Pieces(pieces) => {
            out.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes())?;
            for piece in pieces.lock().unwrap().iter() {
                out.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
                out.write_all(&[&piece[..], b"\r\n"].concat())?;
            }
            out.write_all(b"0\r\n\r\n")
        }
        Body::Zeros(bytes) => {
            out.write_all(format!("{head}content-length: {bytes}\r\n\r\n").as_bytes())?;
            io::copy(&mut io::repeat(0).take(*bytes), &mut out).map(drop)
        }
        Body::Trailers { body, trailers } => {
            out.write_all(
                format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len()).as_bytes(),
            )?;
            out.write_all(body)?;
            let trailers = as_lines(trailers, "\r\n");
            out.write_all(format!("\r\n0\r\n{trailers}\r\n").as_bytes())
        }
        Body::Raw(bytes) => {
            out.write_all(bytes)?;
            out.shutdown(Shutdown::Both)
        }
        Body::RawThenSilence(bytes) => {
            out.write_all(bytes)?;
            io::copy(reader, &mut io::sink()).map(drop)
        }
        Body::UpgradeEcho => {
            let upgrade = request.header("upgrade").unwrap_or("websocket");
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: {upgrade}\r\n{headers}\r\n"
            );
            out.write_all(head.as_bytes())?;
            io::copy(reader, &mut out).map(drop)
        }
    }
}
