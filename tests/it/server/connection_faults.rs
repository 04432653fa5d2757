//! Connections that never serve a request: counted, and logged once a second with the reason.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use crate::support::{Binary, Portal, TestProxy, eventually};

fn https(binary: &Binary) -> SocketAddr {
    let serving = binary.log_line("serving").unwrap();
    let text = serving["https"].as_str().unwrap();
    text.trim_matches(['[', ']']).parse().unwrap()
}

/// Sends a request without TLS and waits until the server closes the connection.
fn fail_handshake(at: SocketAddr) {
    let mut stream = TcpStream::connect(at).unwrap();
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let _ = stream.read(&mut [0; 64]);
}

#[test]
fn failed_tls_handshakes_are_logged_once_a_second() {
    let portal = Portal::answering("").start();
    let binary = TestProxy::in_front_of(&portal).tls().serve();
    let (at, message) = (https(&binary), "TLS handshake failed");
    let start = std::time::Instant::now();
    for _ in 0..50 {
        fail_handshake(at);
    }
    eventually(|| binary.metric("doorward_tls_handshakes_failed_total") == 50);
    let lines = binary.log_count(message);
    assert!((1..=2 + usize::try_from(start.elapsed().as_secs()).unwrap()).contains(&lines), "{lines}");
    let first = binary.log_line(message).unwrap();
    assert_eq!((&first["client"], &first["level"]), (&"127.0.0.1".into(), &"INFO".into()), "{first}");
    assert!(first["error"].as_str().is_some_and(|error| !error.is_empty()), "{first}");
    // the next line says how many were left out
    eventually(|| {
        fail_handshake(at);
        binary.log_count(message) > lines
    });
    assert!(binary.has_line("\"suppressed\":"), "suppressed");
}

#[test]
fn connections_above_the_total_are_logged() {
    let portal = Portal::answering("hello").start();
    let binary = TestProxy::in_front_of(&portal).setting("limits.max_connections", 1).serve();
    let message = "connection closed: limits.max_connections is reached";
    let mut held = binary.get("/").open();
    held.head();
    assert!(!binary.has_logged(message));
    eventually(|| {
        let mut refused = TcpStream::connect(binary.http).unwrap();
        let _ = refused.read(&mut [0; 1]);
        binary.has_logged(message)
    });
    let line = binary.log_line(message).unwrap();
    assert_eq!((&line["client"], &line["limit"]), (&"127.0.0.1".into(), &1.into()), "{line}");
    assert!(binary.metric("doorward_connections_refused_total") >= 1);
}
