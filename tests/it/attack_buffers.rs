//! Clients that make Doorward hold bytes for them: how many, and that the memory is given back. On the real binary, since
//! what a process holds is measured.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    Binary, Gate, Portal, Reply, eventually,
    eventually::{throughout, within},
    gate::GateBuilder,
    h2::H2Connection,
};

const BIG: u64 = 50 << 20;
static UPLOAD: [u8; 2 << 20] = [0; 2 << 20];
/// What `doorward_buffered_bytes` counts for an answer that its client does not read.
const STALLED: usize = 320 * 1024;

fn before(portal: &Portal) -> GateBuilder {
    Gate::before(portal).generic(&[("/**", "open")])
}

fn greedy_portal() -> Portal {
    Portal::answering("hello").route("/big", Reply::zeros(BIG)).start()
}

fn serve(portal: &Portal) -> Binary {
    let binary = before(portal).setting("limits.max_buffered_bytes", 1 << 30).serve();
    assert_eq!(binary.get("/").send().text(), "hello");
    binary
}

fn gauge(metrics: &str, name: &str) -> usize {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

fn buffered(binary: &Binary) -> usize {
    gauge(&binary.admin("/metrics").text(), "doorward_buffered_bytes")
}

/// Opens stalled answers and holds what the process needs for them to 64 MiB for 500.
fn holds_little<C>(open: impl FnOnce(&Binary) -> Vec<C>, answers: usize) {
    let portal = greedy_portal();
    let binary = serve(&portal);
    let before = binary.anonymous_memory();
    let clients = open(&binary);
    within(Duration::from_secs(40), || buffered(&binary) >= answers * STALLED);
    let held = binary.anonymous_memory().saturating_sub(before) / answers as u64;
    assert!(held < 64 * 1024 / 500, "{held} KiB an answer");
    drop(clients);
    eventually(|| buffered(&binary) == 0);
    // the allocator gives memory back while it is used
    eventually(|| {
        assert_eq!(binary.get("/").send().text(), "hello");
        binary.anonymous_memory().saturating_sub(before) < 16 * 1024
    });
}

#[test]
fn attack_five_hundred_clients_that_read_nothing_over_http1() {
    holds_little(|binary| (0..500).map(|_| binary.get("/big").open()).collect(), 500);
}

#[test]
fn attack_five_hundred_streams_that_read_nothing_over_http2() {
    let open = |binary: &Binary| {
        let connection = || {
            let mut connection = H2Connection::connect(binary.http, 16 * 1024);
            let answers: Vec<_> = (0..100).map(|_| connection.get("/big")).collect();
            (connection, answers)
        };
        (0..5).map(|_| connection()).collect()
    };
    holds_little(open, 500);
}

#[test]
fn attack_bodies_that_wait_for_the_portal_over_http2() {
    let portal = Portal::answering("hello").route("/hang", Reply::raw_then_silence("")).start();
    let upstream = json!([{"path": "/", "url": portal.url(), "max_connections": 1, "connect_timeout": "1m"}]);
    let binary = before(&portal).setting("portal.upstream", upstream).serve();
    let _hanging = binary.get("/hang").open();
    eventually(|| portal.received().len() == 1);
    let memory = binary.anonymous_memory();
    let mut clients: Vec<_> = (0..20).map(|_| H2Connection::connect(binary.http, 16 * 1024)).collect();
    for client in &mut clients {
        for _ in 0..8 {
            drop(client.begin_upload("/", &UPLOAD[..]));
        }
    }
    let in_flight = || gauge(&binary.admin("/metrics").text(), "doorward_requests_in_flight");
    eventually(|| in_flight() == 161);
    // 256 KiB a connection, where 4 MiB were taken before
    throughout(Duration::from_secs(1), || binary.anonymous_memory().saturating_sub(memory) < 20 * 1024);
    drop(clients);
    eventually(|| in_flight() == 1);
    eventually(|| binary.anonymous_memory().saturating_sub(memory) < 12 * 1024);
}

#[test]
fn attack_stalled_answers_over_the_budget_are_ended() {
    let portal = greedy_portal();
    let gate = before(&portal).setting("limits.max_buffered_bytes", 4 * STALLED).start();
    let greedy: Vec<_> = (0..4).map(|_| gate.get("/big").open()).collect();
    eventually(|| gate.get("/").api_client().send().status == 503);
    let refused = gate.get("/").api_client().send();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    let metrics = gate.admin("/metrics").text();
    assert!(gauge(&metrics, "doorward_requests_shed_total") >= 2);
    // clients that take nothing for five seconds lose their answers
    eventually(|| gate.get("/").api_client().send().text() == "hello");
    drop(greedy);
}

#[test]
fn a_changed_budget_counts_at_once() {
    let portal = greedy_portal();
    let mut gate = before(&portal).setting("limits.max_buffered_bytes", 1 << 30).start();
    let _greedy: Vec<_> = (0..4).map(|_| gate.get("/big").open()).collect();
    eventually(|| gauge(&gate.admin("/metrics").text(), "doorward_buffered_bytes") == 4 * STALLED);
    assert_eq!(gate.get("/").send().status, 200);
    gate.edit_deployment("limits.max_buffered_bytes", 1 << 20);
    eventually(|| gate.get("/").api_client().send().status == 503);
}
