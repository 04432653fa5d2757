//! Per-client limits: one client takes as much as it can of a shared resource while another one is served.

use std::{
    net::{IpAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::json;

use crate::support::{
    Portal, Reply, TestAccounts, TestProxy, binary::with_descriptors, eventually, proxy::TestProxyBuilder,
    request::RequestBuilder, wire::Wire,
};

const GREEDY: &str = "192.0.2.1";
const OTHER: &str = "198.51.100.7";

/// Clients are named by a trusted proxy.
fn behind_proxy(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal).generic(&[("/**", "open")]).trusting("127.0.0.0/8")
}

/// Clients connect themselves, each from an address of this machine.
fn direct(portal: &Portal) -> TestProxyBuilder {
    let none: [&str; 0] = [];
    TestProxy::in_front_of(portal).generic(&[("/**", "open")]).setting("limits.client.exempt", json!(none))
}

fn from(client: &str, ask: RequestBuilder<'static>) -> RequestBuilder<'static> {
    ask.header("x-forwarded-for", client)
}

fn rejections(proxy: &TestProxy, resource: &str) -> u32 {
    let series = format!("doorward_client_limit_rejections_total{{resource=\"{resource}\"}} ");
    let text = proxy.admin("/metrics").text();
    text.lines().find_map(|line| line.strip_prefix(series.as_str())).unwrap().parse().unwrap()
}

/// How many connections from this address the proxy leaves open.
fn connections(proxy: &TestProxy, address: &str, at_most: usize) -> Vec<Wire> {
    let from: IpAddr = address.parse().unwrap();
    let before = rejections(proxy, "connections");
    let mut open = Vec::new();
    for _ in 0..at_most {
        let mut wire = Wire::connect_from(from, proxy.addr());
        if wire.try_write("GET / HTTP/1.1\r\nhost: a\r\n\r\n").is_err() || wire.answer("GET").is_err() {
            break;
        }
        open.push(wire);
    }
    let refused = u32::from(open.len() < at_most);
    assert_eq!(rejections(proxy, "connections"), before + refused, "{address}");
    open
}

#[test]
fn attack_one_client_opens_all_connections() {
    let portal = Portal::answering("hello").start();
    let proxy =
        direct(&portal).setting("limits.max_connections", 40).setting("limits.client.connections", 8).start();
    let greedy = connections(&proxy, "127.1.1.1", 20);
    assert_eq!(greedy.len(), 8);
    // others of its /24 have less than all together: 8 and half of the rest are 24
    let near = connections(&proxy, "127.1.1.2", 20);
    let nearer = connections(&proxy, "127.1.1.3", 20);
    assert_eq!((near.len(), nearer.len()), (8, 8));
    assert!(connections(&proxy, "127.1.1.4", 20).is_empty());
    assert_eq!(connections(&proxy, "127.2.2.2", 5).len(), 5, "another network");
    drop(greedy);
    eventually(|| !connections(&proxy, "127.1.1.1", 1).is_empty());
}

/// A proxy appends to one of these headers and passes the client's other one through.
#[test]
fn attack_contradictory_forwarding_headers_escape_the_limits() {
    let portal = Portal::answering("hello").start();
    let proxy = behind_proxy(&portal)
        .setting("limits.client.requests_per_second", 1)
        .setting("limits.client.request_burst", 2)
        .start();
    let statuses = [
        ("forwarded", "for=203.0.113.9"),
        ("forwarded", "for=\"unfinished"),
        ("x-forwarded-for", "unknown"),
        ("forwarded", "for=203.0.113.10"),
    ]
    .map(|(name, value)| from(GREEDY, proxy.get("/")).header(name, value).send().status);
    assert_eq!(statuses, [200, 200, 429, 429]);
    assert_eq!(from(OTHER, proxy.get("/")).send().status, 200);
}

#[test]
fn attack_one_client_sends_requests_without_pause() {
    let portal = Portal::answering("hello").start();
    let proxy = behind_proxy(&portal)
        .setting("limits.client.requests_per_second", 1)
        .setting("limits.client.request_burst", 4)
        .start();
    let statuses = |client: &str, count: usize| -> Vec<u16> {
        (0..count).map(|_| from(client, proxy.get("/")).send().status).collect()
    };
    assert_eq!(statuses(GREEDY, 6), [200, 200, 200, 200, 429, 429]);
    let program = from(GREEDY, proxy.get("/")).api_client().send();
    assert_eq!((program.status, program.header("retry-after")), (429, Some("1")));
    assert!(program.text().contains("Too many requests per second from this client"), "{}", program.text());
    let page = from(GREEDY, proxy.get("/")).browser().send();
    assert_eq!(page.status, 429);
    assert!(page.text().contains("<h1>Too many requests</h1>"), "{}", page.text());
    assert_eq!(from(GREEDY, proxy.get("/.doorward/tenants")).send().status, 429, "pages of ours, too");
    // an IPv6 host has a /64, and each stream is a request
    let streams: Vec<u16> = (1..=5)
        .map(|host| from(&format!("2001:db8::{host}"), proxy.get("/")).http2().send().status)
        .collect();
    assert_eq!(streams, [200, 200, 200, 200, 429]);
    assert_eq!(statuses(OTHER, 2), [200, 200]);
    assert_eq!(proxy.admin("/readyz").status, 200);
    assert_eq!(rejections(&proxy, "requests_per_second"), 6);
    // the page can be read: its style sheet is not limited
    let style = doorward::internals::web::assets::style_href();
    assert_eq!(from(GREEDY, proxy.get(&style)).send().status, 200, "{style}");
}

#[test]
fn attack_one_client_leaves_requests_unanswered() {
    let portal = Portal::answering("hello").route("/hang", Reply::raw_then_silence("")).start();
    let proxy = behind_proxy(&portal).setting("limits.client.requests", 3).start();
    let hanging: Vec<_> = (0..3).map(|_| from(GREEDY, proxy.get("/hang")).open()).collect();
    eventually(|| portal.received().len() == 3);
    let refused = from(GREEDY, proxy.get("/")).send();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(from(OTHER, proxy.get("/")).send().text(), "hello");
    drop(hanging);
    eventually(|| from(GREEDY, proxy.get("/")).send().status == 200);
}

#[test]
fn attack_one_client_opens_all_websockets() {
    let portal = Portal::answering("hello").route("/ws", Reply::upgrade_echo()).start();
    let proxy = behind_proxy(&portal).websockets_at("/ws").setting("limits.max_upgrades", 4).start();
    let open = |client: &str| from(client, proxy.get("/ws")).upgrade();
    let taken: Vec<_> = (0..2).map(|_| open(GREEDY)).collect();
    assert!(taken.iter().all(|(head, _)| head.first.contains("101")));
    assert!(open(GREEDY).0.first.contains("429"));
    // one more of the same /24, and then those of another network
    assert!(open("192.0.2.2").0.first.contains("429") || open("192.0.2.3").0.first.contains("429"));
    assert!(open(OTHER).0.first.contains("101"));
    assert_eq!(from(GREEDY, proxy.get("/")).send().text(), "hello", "other requests are served");
    drop(taken);
    portal.stop();
    eventually(|| proxy.admin("/metrics").text().contains("doorward_upgrades_open 0"));
}

#[test]
fn attack_one_client_trickles_forms() {
    let portal = Portal::answering("hello").start();
    let proxy = behind_proxy(&portal).accounts().setting("limits.client.request_bodies", 2).start();
    let trickle = |path: &str| {
        proxy.raw(format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nx-forwarded-for: {GREEDY}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\nx"
        ))
    };
    let trickling = [trickle("/.doorward/sign-in"), trickle("/upload")];
    eventually(|| from(GREEDY, proxy.post("/upload")).body("a=b").send().status == 429);
    for path in ["/.doorward/sign-in", "/upload"] {
        let refused = from(GREEDY, proxy.post(path)).body("a=b").send();
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")), "{path}");
    }
    assert_eq!(from(GREEDY, proxy.get("/.doorward/sign-in")).send().status, 200, "no body, no limit");
    assert_eq!(from(OTHER, proxy.post("/upload")).body("a=b").send().text(), "hello");
    assert_eq!(rejections(&proxy, "request_bodies"), 3);
    drop(trickling);
    eventually(|| from(GREEDY, proxy.post("/upload")).body("a=b").send().status == 200);
}

/// A known session has limits of its own: neither a flood at its address nor one from everywhere stops it.
#[test]
fn attack_anonymous_flood_blocks_authenticated_users() {
    let portal = Portal::answering("hello").route("/devportal/hang", Reply::raw_then_silence("")).start();
    let proxy = TestProxy::in_front_of(&portal)
        .accounts()
        .lockout(5)
        .trusting("127.0.0.0/8")
        .anonymous(true)
        .tenant("acme.com", &json!({}))
        .setting("limits.max_requests", 10)
        .setting("limits.client.requests_per_second", 1)
        .setting("limits.client.request_burst", 3)
        .start();
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("acme.com", "alex");
    let page = |client: &str| from(client, proxy.get("/devportal/apis").tenant("acme.com")).browser();
    let signed_in = |client: &str| page(client).cookie("doorward_session", &session);
    assert_eq!(signed_in(OTHER).send().status, 200, "known from here on");
    let flood: Vec<u16> = (0..5).map(|_| page(GREEDY).send().status).collect();
    assert_eq!(flood, [200, 200, 200, 429, 429]);
    assert_eq!(signed_in(GREEDY).send().status, 200, "the same address");
    // the process is near its total: the operator's own machine takes nine of ten
    let _hanging: Vec<_> = (0..9).map(|_| proxy.get("/devportal/hang").tenant("acme.com").open()).collect();
    eventually(|| proxy.admin("/metrics").text().contains("doorward_requests_in_flight 9"));
    let refused = page("203.0.113.5").send();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert_eq!(refused.header("connection"), Some("close"));
    assert_eq!(signed_in("203.0.113.5").send().status, 200);
    assert_eq!(proxy.get("/devportal/apis").tenant("acme.com").send().status, 200, "a health check");
    assert_eq!(proxy.admin("/livez").status, 200);
}

/// Behind a proxy that is not listed all clients have one address: one of them must not lock out all others.
#[test]
fn attack_client_behind_an_unlisted_proxy_locks_out_others() {
    let portal = Portal::answering("hello").start();
    let proxy = with_address_lock(&portal).serve();
    let attempt = |name: &str, password: &str, header: &str| {
        let mut browser = proxy.browser();
        let form = browser.open("/.doorward/sign-in?tenant=acme.com");
        let body = form.body(&[("username", name), ("password", password)]);
        let headers = [("sec-fetch-site", "same-origin"), (header, "203.0.113.7")];
        browser.post("/.doorward/sign-in?tenant=acme.com", &body, &headers).status
    };
    for (round, header) in ["x-forwarded-for", "forwarded", "x-real-ip"].into_iter().enumerate() {
        for anonymous in 0..4 {
            assert_eq!(attempt(&format!("anonymous{round}{anonymous}"), "wrong", header), 403);
        }
        assert_eq!(attempt("alex", "correct horse", header), 303, "{header}");
    }
    // the account's own lock holds whatever is sent
    for _ in 0..5 {
        attempt("kim", "wrong", "x-forwarded-for");
    }
    assert_eq!(attempt("kim", "correct horse", "x-forwarded-for"), 403);
    let output = proxy.log_line("a peer that is not in server.trusted_proxies").unwrap();
    assert_eq!(output["peer"], "127.0.0.1");
    // and where nothing is sent, the address counts
    for anonymous in 0..4 {
        attempt(&format!("direct{anonymous}"), "wrong", "x-nothing");
    }
    assert_eq!(attempt("alex", "correct horse", "x-nothing"), 403);
}

/// An account with the role that is never locked is protected by the limit of the client address alone.
#[test]
fn attack_forged_proxy_header_bypasses_the_address_lock() {
    let portal = Portal::answering("hello").start();
    let proxy = with_address_lock(&portal).start();
    TestAccounts::of(&proxy).add_with("acme.com", "system", "correct horse", |account| {
        account.profile.roles = vec!["Internal/system".to_owned()];
    });
    let mut browser = proxy.browser();
    let form = browser.open("/.doorward/sign-in?tenant=acme.com");
    let headers = [("sec-fetch-site", "same-origin"), ("x-forwarded-for", "203.0.113.7")];
    let mut attempt = |password: &str| {
        let body = form.body(&[("username", "system"), ("password", password)]);
        browser.post("/.doorward/sign-in?tenant=acme.com", &body, &headers).status
    };
    for _ in 0..4 {
        attempt("wrong");
    }
    assert_eq!(attempt("correct horse"), 403);
}

/// Four guesses an address, whatever the name; five a name.
fn with_address_lock(portal: &Portal) -> TestProxyBuilder {
    let proxy = TestProxy::in_front_of(portal)
        .tenant("acme.com", &json!({}))
        .setting("account_lock.enabled", true)
        .setting("account_lock.max_attempts", 5)
        .setting("account_lock.address.max_attempts", 4)
        .accounts();
    let accounts = TestAccounts::in_folder(proxy.folder());
    accounts.add("acme.com", "alex", "correct horse");
    accounts.add("acme.com", "kim", "correct horse");
    proxy
}

/// More silent connections than the process may open files.
#[test]
fn attack_silent_connections_use_up_all_file_descriptors() {
    let portal = Portal::answering("hello").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "open")]).serve_with_descriptors(64, 400);
    let output = proxy.log_line("file descriptors").unwrap();
    assert_eq!(output["file_descriptors"], 400);
    let most = usize::try_from(output["max_connections"].as_u64().unwrap()).unwrap();
    assert!((64..300).contains(&most), "{output}");
    let silent: Vec<_> = (0..500).map(|_| TcpStream::connect(proxy.http).unwrap()).collect();
    eventually(|| proxy.admin("/metrics").text().contains(&format!("doorward_connections {most}\n")));
    assert_eq!(proxy.admin("/livez").status, 200);
    drop(silent);
    eventually(|| proxy.admin("/metrics").text().contains("doorward_connections 0\n"));
    assert_eq!(proxy.get("/").send().text(), "hello");
}

#[test]
fn start_fails_if_connections_exceed_file_descriptors() {
    let portal = Portal::answering("hello").start();
    let builder =
        TestProxy::in_front_of(&portal).generic(&[("/**", "open")]).setting("limits.max_connections", 1000);
    let (file, _home) = builder.write();
    let output = with_descriptors(64, 400, &file).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    for part in ["limits.max_connections = 1000 does not fit", "400 file descriptors", "write at most "] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

/// More guesses than the queue takes, each from its own network: a client that has signed in before can still sign in.
#[test]
fn attack_distributed_guesses_lock_the_owner_out() {
    let portal = Portal::answering("hello").start();
    let proxy = behind_proxy(&portal)
        .tenant("acme.com", &json!({}))
        .accounts()
        .setting("accounts.hash_parallel", 1)
        .setting("accounts.hash_queue", 7)
        .start();
    TestAccounts::of(&proxy).add("acme.com", "alex", "correct horse");
    let mut owner = proxy.browser();
    assert_eq!(owner.sign_in("acme.com", "alex", "correct horse").status, 303);
    let body = |name: &str| format!("username={name}&password=correct+horse");
    let attempt = |client: &str, name: &str| {
        from(client, proxy.post("/.doorward/sign-in?tenant=acme.com"))
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body(name))
            .send()
            .status
    };
    let (over, attempt) = (AtomicBool::new(false), &attempt);
    thread::scope(|scope| {
        for network in 0..24 {
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    attempt(&format!("198.51.{network}.1"), &format!("anonymous{network}"));
                }
            });
        }
        for _ in 0..3 {
            eventually(|| attempt("203.0.113.9", "kim") == 429);
            let headers = [("sec-fetch-site", "same-origin"), ("x-forwarded-for", OTHER)];
            let answer = owner.post("/.doorward/sign-in?tenant=acme.com", &body("alex"), &headers);
            assert_eq!(answer.status, 303);
        }
        over.store(true, Ordering::Relaxed);
    });
}
