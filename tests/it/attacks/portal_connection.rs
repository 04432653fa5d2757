//! Attacks on the shared connection to the portal: bytes that one client leaves on it would reach the next.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixListener,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{Portal, Reply, TestProxy, eventually, eventually::within, proxy::TestProxyBuilder};

/// A portal whose connections run a function of the test.
struct RawPortal {
    authority: String,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// One connection to it.
struct PortalConnection {
    socket: TcpStream,
    number: usize,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

impl RawPortal {
    fn start(serve_connection: impl Fn(PortalConnection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let seen: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let (serve_connection, all) = (Arc::new(serve_connection), Arc::clone(&seen));
        thread::spawn(move || {
            for (number, socket) in listener.incoming().enumerate() {
                let (serve_connection, seen) = (Arc::clone(&serve_connection), Arc::clone(&all));
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(Vec::new());
                let socket = socket.unwrap();
                socket.set_nodelay(true).unwrap();
                thread::spawn(move || serve_connection(PortalConnection { socket, number, seen }));
            }
        });
        Self { authority, seen }
    }

    fn proxy(&self, more: &Value) -> TestProxyBuilder {
        let unused = Portal::answering("").start();
        let mut upstream = json!({"path": "/", "url": format!("http://{}", self.authority)});
        upstream.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        TestProxy::in_front_of(&unused)
            .generic(&[("/**", "open")])
            .setting("portal.upstream", json!([upstream]))
    }

    /// The bytes received on the connection of this number, with `<closed>` after its end.
    fn received_on(&self, number: usize) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(number).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    }

    fn has_received(&self, text: &str) -> bool {
        (0..9).any(|number| self.received_on(number).contains(text))
    }
}

impl PortalConnection {
    fn read_byte(&mut self) -> Option<u8> {
        let mut one = [0];
        let read = matches!(self.socket.read(&mut one), Ok(1));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen[self.number].extend_from_slice(if read { &one } else { b"<closed>" });
        read.then_some(one[0])
    }

    /// Whether another head has come.
    fn read_head(&mut self) -> bool {
        let mut end = [0; 4];
        while let Some(byte) = self.read_byte() {
            end.rotate_left(1);
            end[3] = byte;
            if end == *b"\r\n\r\n" {
                return true;
            }
        }
        false
    }

    fn send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }
}

#[test]
fn attack_unsolicited_101_response() {
    let portal = RawPortal::start(|mut it| {
        while it.read_head() {
            let switched = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
            it.send(if it.number == 0 { switched } else { OK });
        }
    });
    let proxy = portal.proxy(&json!({})).start();
    assert_eq!(proxy.get("/first").api_client().send().status, 502);
    assert_eq!(proxy.get("/second").api_client().send().status, 200);
    assert!(!portal.received_on(0).contains("/second"), "{}", portal.received_on(0));
}

#[test]
fn attack_bytes_behind_a_large_answer_end_the_connection() {
    let portal = RawPortal::start(|mut it| {
        while it.read_head() {
            let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n".to_vec();
            answer.extend(b"x".repeat(20_000));
            if it.number == 0 {
                answer.extend(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
            }
            it.send(&answer);
        }
    });
    let proxy = portal.proxy(&json!({})).start();
    for path in ["/first", "/second", "/third"] {
        assert_eq!(proxy.get(path).send().body.len(), 20_000, "{path}");
    }
    assert!(!portal.received_on(0).contains("/second"), "{}", portal.received_on(0));
}

/// An HTTP/2 client that has begun an upload, and what it resets it with.
fn http2_upload(proxy: &TestProxy, fields: &[(&str, &str)]) -> TcpStream {
    let frame = |kind: u8, flags: u8, payload: &[u8]| {
        let stream = u8::from(kind != SETTINGS);
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let own = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", "/upload")];
    let literal = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let fields: Vec<u8> = own
        .iter()
        .chain(fields)
        .flat_map(|(name, value)| [vec![0], literal(name), literal(value)].concat())
        .collect();
    let mut socket = TcpStream::connect(proxy.addr()).unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let all = [preface, frame(SETTINGS, 0, &[]), frame(HEADERS, 4, &fields), frame(DATA, 0, b"0123456789")];
    socket.write_all(&all.concat()).unwrap();
    socket
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
/// RST_STREAM of stream 1, with NO_ERROR.
const RESET: [u8; 13] = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0];

#[test]
fn attack_smuggling_by_a_reset_http2_upload() {
    let portal = RawPortal::start(|mut it| {
        // answers before the body is there and then reads it, as many servers do
        while it.read_head() {
            it.send(OK);
        }
    });
    let proxy = portal.proxy(&json!({})).start();
    let mut client = http2_upload(&proxy, &[("content-length", "1000")]);
    eventually(|| portal.received_on(0).contains("0123456789"));
    client.write_all(&RESET).unwrap();
    // 990 bytes are missing: the next bytes on this connection would be read as part of them
    eventually(|| portal.received_on(0).contains("<closed>"));
    assert_eq!(proxy.get("/second").send().status, 200);
    assert!(!portal.received_on(0).contains("/second"), "{}", portal.received_on(0));
}

#[test]
fn attack_truncated_http2_upload_looks_complete() {
    let portal = RawPortal::start(|mut it| while it.read_byte().is_some() {});
    let proxy = portal.proxy(&json!({})).start();
    for round in 0..9 {
        let mut client = http2_upload(&proxy, &[]);
        eventually(|| portal.received_on(round).contains("0123456789"));
        client.write_all(&RESET).unwrap();
        eventually(|| portal.received_on(round).contains("<closed>"));
        assert!(!portal.received_on(round).contains("\r\n0\r\n\r\n"), "{}", portal.received_on(round));
    }
}

#[test]
fn attack_truncated_guarded_sign_in_looks_complete() {
    let portal = RawPortal::start(|mut it| while it.read_byte().is_some() {});
    let guard = json!([{"match": "/upload", "user_in": "form", "succeeded_status": [200]}]);
    let proxy = portal.proxy(&json!({})).accounts().lockout(5).setting("guard", guard).start();
    for _ in 0..9 {
        let mut client = http2_upload(&proxy, &[("content-type", "application/x-www-form-urlencoded")]);
        eventually(|| proxy.admin("/metrics").text().contains("doorward_requests_in_flight 1\n"));
        client.write_all(&RESET).unwrap();
        eventually(|| proxy.admin("/metrics").text().contains("doorward_requests_in_flight 0\n"));
        assert_eq!(portal.received_on(0), "");
    }
}

#[test]
fn attack_rest_of_an_answered_upload_read_as_requests() {
    let portal = RawPortal::start(|mut it| {
        while it.read_head() {
            it.send(OK);
            if it.number == 0 {
                return;
            }
        }
    });
    let proxy = portal.proxy(&json!({})).start();
    let mut client = proxy.raw("PUT /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\nfirst");
    assert_eq!(client.answer("PUT").unwrap().status, 200);
    // each is a piece of the announced 100,000 bytes, until the proxy has had enough
    eventually(|| client.try_write("GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n").is_err());
    assert!(
        !portal.has_received("GET /smuggled HTTP/1.1\r\nhost: x\r\nx-"),
        "a piece of a body became a request"
    );
    assert_eq!(client.statuses(), [0; 0]);
}

#[test]
fn an_upload_the_portal_reads_no_more_ends_with_its_client() {
    let portal = RawPortal::start(|mut it| {
        it.read_head();
        it.send(OK);
        thread::park();
    });
    let proxy = portal.proxy(&json!({"idle_timeout": "1s", "header_timeout": "1s"})).start();
    let mut client = TcpStream::connect(proxy.addr()).unwrap();
    client.write_all(b"PUT /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n").unwrap();
    client.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let large = vec![0; 1 << 20];
    while client.write_all(&large).is_ok() {}
    drop(client);
    within(Duration::from_secs(8), || proxy.admin("/metrics").text().contains("\ndoorward_connections 0\n"));
}

#[test]
fn upgrade_to_an_http2_portal_sends_each_header_once() {
    let portal = Portal::answering("").route("/ws", Reply::upgrade_echo()).start();
    let upstream = json!([{"path": "/", "url": portal.url(), "http2": true}]);
    let proxy = TestProxy::in_front_of(&portal).generic(&[]).websockets_at("/ws");
    let proxy = proxy.setting("portal.upstream", upstream).start();
    let mut client =
        proxy.raw("GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    assert!(client.head().first.contains(" 101 "));
    let request = portal.only_request();
    for name in ["host", "x-request-id", "x-forwarded-for", "x-forwarded-host", "forwarded", "x-wso2-tenant"]
    {
        assert_eq!(request.all(name).len(), 1, "{name}: {:?}", request.headers);
    }
}

#[test]
fn returns_504_if_the_portal_does_not_read_the_head() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("portal.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let retained = Mutex::new(Vec::new());
    thread::spawn(move || listener.incoming().for_each(|socket| retained.lock().unwrap().push(socket)));
    let upstream =
        json!([{"path": "/", "url": format!("unix:{}", path.display()), "header_timeout": "500ms"}]);
    let proxy = TestProxy::in_front_of(&Portal::answering("").start())
        .generic(&[("/**", "open")])
        .setting("portal.upstream", upstream)
        .setting("limits.max_header_bytes", 1_048_576)
        .start();
    let lines = format!("x: {}\r\n", "a".repeat(60_000)).repeat(15);
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\naccept: application/json\r\n{lines}\r\n");
    assert_eq!(proxy.raw(head).answer("GET").unwrap().status, 504);
}

#[test]
fn attack_a_portals_trailers_neither_frame_nor_set_cookies() {
    for (name, value) in [
        ("set-cookie", "__Host-doorward=evil"),
        ("content-length", "7"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
    ] {
        let reply = Reply::trailers("x", &[(name, value), ("x-sum", "1")]);
        let portal = Portal::replying(reply.header("trailer", "x-sum")).start();
        let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "open")]).start();
        for answer in [proxy.get("/").http2().send(), proxy.get("/").header("te", "trailers").send()] {
            assert!(answer.complete, "{name}");
            assert_eq!(answer.trailers, [("x-sum".to_owned(), "1".to_owned())], "{name}");
        }
    }
}
