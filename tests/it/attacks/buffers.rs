//! Clients that make Doorward hold bytes for them: how many, and that the memory is given back. On the real binary, since
//! the memory of the process is measured.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    Binary, Portal, Reply, TestAccounts, TestProxy, eventually,
    eventually::{throughout, within},
    h2::H2Connection,
    proxy::TestProxyBuilder,
    wire::Wire,
};

const BIG: u64 = 50 << 20;
static UPLOAD: [u8; 2 << 20] = [0; 2 << 20];
/// The bytes that `doorward_buffered_bytes` counts for an answer that its client does not read.
const STALLED: usize = 320 * 1024;
const GREEDY: &str = "192.0.2.1";
const OTHER: &str = "198.51.100.7";

fn before(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal).generic(&[("/**", "open")])
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

/// Opens 500 stalled answers and asserts that they take at most 64 MiB.
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
    let proxy = before(&portal).setting("limits.max_buffered_bytes", 4 * STALLED).start();
    let greedy: Vec<_> = (0..4).map(|_| proxy.get("/big").open()).collect();
    eventually(|| proxy.get("/").api_client().send().status == 503);
    let refused = proxy.get("/").api_client().send();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    let metrics = proxy.admin("/metrics").text();
    assert!(gauge(&metrics, "doorward_requests_shed_total") >= 2);
    // clients that take nothing for five seconds lose their answers
    eventually(|| proxy.get("/").api_client().send().text() == "hello");
    drop(greedy);
}

#[test]
fn changed_buffer_budget_applies_at_once() {
    let portal = greedy_portal();
    let mut proxy = before(&portal).setting("limits.max_buffered_bytes", 1 << 30).start();
    let _greedy: Vec<_> = (0..4).map(|_| proxy.get("/big").open()).collect();
    eventually(|| gauge(&proxy.admin("/metrics").text(), "doorward_buffered_bytes") == 4 * STALLED);
    assert_eq!(proxy.get("/").send().status, 200);
    proxy.edit_deployment("limits.max_buffered_bytes", 1 << 20);
    eventually(|| proxy.get("/").api_client().send().status == 503);
}

/// One client may hold four unread answers of eight, and asks for more. `status` sends a request for a client.
fn only_the_greedy_client_is_rejected(proxy: &TestProxy, status: impl Fn(&str) -> u16) {
    eventually(|| {
        assert_eq!(status(OTHER), 200);
        status(GREEDY) == 429
    });
    for _ in 0..10 {
        assert_eq!(status(OTHER), 200);
    }
    let metrics = proxy.admin("/metrics").text();
    assert!(gauge(&metrics, "doorward_client_limit_rejections_total{resource=\"buffered_bytes\"}") >= 1);
    assert_eq!(gauge(&metrics, "doorward_requests_shed_total"), 0);
    // its answers are ended, and it is served again
    eventually(|| status(GREEDY) == 200);
}

fn with_eight_answers(proxy: TestProxyBuilder) -> TestProxy {
    proxy.setting("limits.max_buffered_bytes", 8 * STALLED).start()
}

#[test]
fn attack_one_client_holds_the_buffers_of_all_over_http1() {
    let portal = greedy_portal();
    let proxy = with_eight_answers(before(&portal).trusting("127.0.0.0/8"));
    let request = |client: &str, path: &str| proxy.get(path).api_client().header("x-forwarded-for", client);
    let _unread: Vec<_> = (0..20).map(|_| request(GREEDY, "/big").open()).collect();
    only_the_greedy_client_is_rejected(&proxy, |client| request(client, "/").send().status);
    let _unread: Vec<_> = (0..20).map(|_| request(GREEDY, "/big").open()).collect();
    eventually(|| {
        let answer = request(GREEDY, "/").send();
        if answer.status == 429 {
            assert_eq!(answer.header("retry-after"), Some("5"));
            assert!(
                answer.text().contains("Too many bytes wait to be read by this client"),
                "{}",
                answer.text()
            );
        }
        answer.status == 429
    });
}

#[test]
fn attack_one_client_holds_the_buffers_of_all_without_a_proxy() {
    let portal = greedy_portal();
    let none: [&str; 0] = [];
    let proxy = with_eight_answers(before(&portal).setting("limits.client.exempt", json!(none)));
    let send = |client: &str, path: &str| {
        let address = if client == GREEDY { "127.1.1.1" } else { "127.2.2.2" };
        let mut wire = Wire::connect_from(address.parse().unwrap(), proxy.addr());
        wire.write(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        wire
    };
    let _unread: Vec<_> = (0..20).map(|_| send(GREEDY, "/big")).collect();
    only_the_greedy_client_is_rejected(&proxy, |client| send(client, "/").answer("GET").unwrap().status);
}

#[test]
fn attack_one_client_holds_the_buffers_of_all_over_http2() {
    let portal = greedy_portal();
    let proxy = with_eight_answers(before(&portal).trusting("127.0.0.0/8"));
    let mut connection = H2Connection::connect(proxy.addr(), 16 * 1024);
    let _unread: Vec<_> = (0..20).map(|_| connection.get_for(GREEDY, "/big")).collect();
    // over one connection of the proxy
    let connection = std::cell::RefCell::new(connection);
    only_the_greedy_client_is_rejected(&proxy, |client| {
        connection.borrow_mut().get_for(client, "/").status().as_u16()
    });
}

/// A portal with a guarded sign-in at `/login`, and `/hang`, which it never answers.
fn with_guard(portal: &Portal, connections: u32) -> TestProxy {
    let upstream = json!([{
        "path": "/",
        "url": portal.url(),
        "max_connections": connections,
        "connect_timeout": "1m",
    }]);
    TestProxy::in_front_of(portal)
        .accounts()
        .lockout(5)
        .generic(&[("/**", "open")])
        .setting("portal.upstream", upstream)
        .setting("guard", json!([{"match": "/login", "user_in": "form", "succeeded_redirect": ["/home*"]}]))
        .setting("limits.max_buffered_bytes", 1 << 20)
        .trusting("127.0.0.0/8")
        .start()
}

fn reserved(proxy: &TestProxy) -> usize {
    gauge(&proxy.admin("/metrics").text(), "doorward_buffered_bytes")
}

/// The head of a form of `length` bytes, from a client of its own.
fn form(path: &str, length: impl std::fmt::Display) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\naccept: application/json\r\nx-forwarded-for: {GREEDY}\r\n\
         content-type: application/x-www-form-urlencoded\r\n{length}\r\n\r\n"
    )
}

fn with_length(path: &str, length: usize) -> String {
    form(path, format!("content-length: {length}"))
}

#[test]
fn attack_bodies_that_were_read_and_wait_for_the_portal() {
    // the body of a sign-in counts twice: as it was read, and behind the head of its request
    for (path, length, counted) in [("/login", 60_000, 120_000), ("/upload", 10_000, 10_000)] {
        let portal = Portal::answering("hello").route("/hang", Reply::raw_then_silence("")).start();
        let proxy = with_guard(&portal, 1);
        let hanging = proxy.get("/hang").header("x-forwarded-for", OTHER).open();
        eventually(|| portal.received().len() == 1);
        let send = |turn: usize| {
            let name = format!("username=alex{turn}&password=");
            proxy.raw(format!("{}{name:x<length$}", with_length(path, length)))
        };
        let share: usize = 1 << 19;
        let count = share.div_ceil(counted);
        let waiting: Vec<_> = (0..count).map(send).collect();
        eventually(|| reserved(&proxy) >= count * counted);
        let refused = send(count).answer("POST").unwrap();
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("5")), "{path}");
        assert!(refused.text().contains("Too many bytes wait to be read by this client"), "{path}");
        assert_eq!(portal.received().len(), 1, "{path}");
        drop((waiting, hanging));
        eventually(|| reserved(&proxy) == 0);
    }
}

#[test]
fn attack_a_sign_in_whose_body_does_not_end() {
    let portal = Portal::answering("hello").start();
    let proxy = with_guard(&portal, 8);
    for (head, counted) in [
        (with_length("/login", 60_000), 120_000),
        (form("/login", "transfer-encoding: chunked"), 2 * 64 * 1024),
    ] {
        let begun = proxy.raw(head);
        eventually(|| reserved(&proxy) == counted);
        drop(begun);
        eventually(|| reserved(&proxy) == 0);
    }
    assert!(portal.received_nothing());
}

#[test]
fn bodies_do_not_count_while_the_portal_works() {
    let portal = Portal::replying(Reply::raw_then_silence("")).start();
    let proxy = with_guard(&portal, 8);
    let body =
        |path, length: usize| format!("{}{:x<length$}", with_length(path, length), "username=alex&password=");
    let _held = [proxy.raw(body("/login", 30_000)), proxy.raw(body("/upload", 10_000))];
    eventually(|| portal.received().len() == 2);
    eventually(|| reserved(&proxy) == 0);
}

#[test]
fn attack_closed_windows_reserve_no_more_than_the_page_has() {
    let portal = Portal::answering("hello").start();
    let proxy = before(&portal).start();
    let mut connection = H2Connection::connect(proxy.addr(), 0);
    let _unread: Vec<_> = (0..50).map(|_| connection.get("/")).collect();
    let reserved = || gauge(&proxy.admin("/metrics").text(), "doorward_buffered_bytes");
    eventually(|| (50 * 8 * 1024..50 * 9 * 1024).contains(&reserved()));
}

#[test]
fn a_tenth_of_the_buffers_is_for_sessions_and_health_checks() {
    let portal = Portal::answering("hello").route("/devportal/big", Reply::zeros(BIG)).start();
    let proxy = TestProxy::in_front_of(&portal)
        .accounts()
        .lockout(5)
        .trusting("127.0.0.0/8")
        .anonymous(true)
        .tenant("acme.com", &json!({}))
        .setting("limits.max_buffered_bytes", 20 * STALLED)
        .start();
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("acme.com", "alex");
    let page = |path: &str| proxy.get(path).tenant("acme.com");
    let anonymous = || page("/devportal/apis").header("x-forwarded-for", OTHER).browser();
    assert_eq!(anonymous().send().status, 200);
    // the operator's own machine holds 19 of 20
    let _unread: Vec<_> = (0..19).map(|_| page("/devportal/big").open()).collect();
    eventually(|| gauge(&proxy.admin("/metrics").text(), "doorward_buffered_bytes") == 19 * STALLED);
    let rejected = anonymous().send();
    assert_eq!((rejected.status, rejected.header("retry-after")), (503, Some("5")));
    assert_eq!(anonymous().cookie("doorward_session", &session).send().status, 200);
    assert_eq!(page("/devportal/apis").send().status, 200, "a health check");
}
