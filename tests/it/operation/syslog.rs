//! Audit events at a syslog server: over each transport, through its faults, and after a change of the target.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::net::UnixDatagram,
};

use rustls::{ServerConnection, StreamOwned};

use super::audit_log::{actions, attempt, auditing, event_of};
use crate::support::{
    Portal, eventually,
    eventually::PATIENCE,
    pki::{Pki, Signed},
};

#[test]
fn audit_events_are_sent_to_a_unix_socket_and_to_udp() {
    let portal = Portal::answering("").start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let unix = UnixDatagram::bind(&path).unwrap();
    unix.set_read_timeout(Some(PATIENCE)).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(PATIENCE)).unwrap();
    let urls =
        [format!("syslog+unix://{}", path.display()), format!("syslog+udp://{}", udp.local_addr().unwrap())];
    for (url, is_unix) in urls.iter().zip([true, false]) {
        let binary = auditing(&portal, url).serve();
        let request = attempt(&binary);
        let mut message = vec![0; 4096];
        let length = if is_unix { unix.recv(&mut message) } else { udp.recv(&mut message) }.unwrap();
        let event = event_of(std::str::from_utf8(&message[..length]).unwrap());
        assert_eq!((&event["action"], &event["request_id"]), (&"login.rejected".into(), &request.into()));
    }
}

#[test]
fn audit_events_over_tcp_survive_a_syslog_server_restart() {
    let portal = Portal::answering("").start();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let binary = auditing(&portal, &format!("syslog+tcp://{}", server.local_addr().unwrap())).serve();
    for _ in 0..2 {
        let request = attempt(&binary);
        let (connection, _) = server.accept().unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut messages = BufReader::new(connection);
        let event = std::iter::from_fn(|| Some(event_of(&counted(&mut messages))))
            .find(|event| event["action"] == "login.rejected");
        assert_eq!(event.unwrap()["request_id"], request);
        // the connection is closed here
    }
}

#[test]
fn audit_events_over_tls_reach_only_the_named_server() {
    let portal = Portal::answering("").start();
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(folder.path());
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let url = format!("syslog+tls://localhost:{port}?ca_file={}", pki.ca().display());
    let binary = auditing(&portal, &url).serve();
    let request = attempt(&binary);
    // another server of the same authority gets nothing
    let other = pki.server_at("other", &["other.example"]);
    assert!(accept_tls(&server, &other).fill_buf().is_err());
    eventually(|| binary.has_logged("log cannot be written"));
    // twice: the server closes the connection in between, and Doorward connects again
    let shown = pki.server();
    for request in [request, String::new()] {
        let request = if request.is_empty() { attempt(&binary) } else { request };
        let mut messages = accept_tls(&server, &shown);
        let event = std::iter::from_fn(|| Some(event_of(&counted(&mut messages))))
            .find(|event| event["action"] == "login.rejected");
        assert_eq!(event.unwrap()["request_id"], request);
    }
    assert_eq!(binary.metric("doorward_audit_log_dropped_total"), 0);
}

/// Accepts the next connection, as a server with this certificate.
fn accept_tls(server: &TcpListener, shown: &Signed) -> BufReader<StreamOwned<ServerConnection, TcpStream>> {
    let (connection, _) = server.accept().unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    BufReader::new(StreamOwned::new(ServerConnection::new(shown.server_config()).unwrap(), connection))
}

/// A message with its length in front.
fn counted(connection: &mut impl Read) -> String {
    let mut length = String::new();
    loop {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        match byte[0] {
            b' ' => break,
            digit => length.push(digit.into()),
        }
    }
    let mut message = vec![0; length.parse().unwrap()];
    connection.read_exact(&mut message).unwrap();
    String::from_utf8(message).unwrap()
}

#[test]
fn unreachable_syslog_server_delays_and_loses_nothing() {
    let portal = Portal::answering("").start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let binary = auditing(&portal, &format!("syslog+unix://{}", path.display())).serve();
    let request = attempt(&binary);
    // `log.level` leaves the warnings of the audit log itself in
    eventually(|| binary.has_logged("log cannot be written"));
    assert_eq!(binary.metric("doorward_audit_log_dropped_total"), 0);
    let server = UnixDatagram::bind(&path).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut message = vec![0; 4096];
    let length = server.recv(&mut message).unwrap();
    assert_eq!(event_of(std::str::from_utf8(&message[..length]).unwrap())["request_id"], request);
    assert_eq!(binary.log_count("log cannot be written"), 1);
}

#[test]
fn changes_the_audit_target_without_a_restart() {
    let portal = Portal::answering("").start();
    let binary = auditing(&portal, "one.log").serve();
    let config = binary.folder().join("deployment.toml");
    let text = fs::read_to_string(&config).unwrap();
    attempt(&binary);
    eventually(|| actions(&binary.folder().join("one.log")) == ["login.rejected"]);
    fs::write(&config, text.replace("one.log", "two.log")).unwrap();
    eventually(|| binary.admin("/config").text().contains("two.log"));
    attempt(&binary);
    eventually(|| actions(&binary.folder().join("two.log")) == ["lockout.set", "login.rejected"]);
    assert_eq!(actions(&binary.folder().join("one.log")).len(), 1);
}

#[test]
fn reload_hands_over_waiting_events_unless_it_is_invalid() {
    let portal = Portal::answering("").start();
    let folder = tempfile::tempdir().unwrap();
    let away = format!("syslog+unix://{}", folder.path().join("away").display());
    let binary = auditing(&portal, &away).serve();
    let config = binary.folder().join("deployment.toml");
    let text = fs::read_to_string(&config).unwrap();
    attempt(&binary);
    eventually(|| binary.has_logged("log cannot be written"));
    let wrong = "syslog+tls://localhost:6514?ca_file=/nosuch.pem";
    fs::write(&config, text.replace(&away, wrong)).unwrap();
    eventually(|| binary.has_logged("deployment.toml is not in force"));
    assert!(!binary.has_logged("deployment.toml is in force"));
    fs::write(&config, text.replace(&away, "two.log")).unwrap();
    eventually(|| actions(&binary.folder().join("two.log")) == ["login.rejected"]);
    assert_eq!(binary.metric("doorward_audit_log_dropped_total"), 0);
}
