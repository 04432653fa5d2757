//! One client that takes as much as it gets of what clients share, while another one is served.

use std::net::IpAddr;

use serde_json::json;

use crate::support::{
    Gate, Portal, Reply,
    accounts::{Desk, with_lock},
    ask::Ask,
    eventually,
    gate::GateBuilder,
    wire::Wire,
};

const GREEDY: &str = "192.0.2.1";
const OTHER: &str = "198.51.100.7";

/// Clients are named by a trusted proxy.
fn behind_proxy(portal: &Portal) -> GateBuilder {
    Gate::before(portal).generic(&[("/**", "open")]).trusting("127.0.0.0/8")
}

/// Clients connect themselves, each from an address of this machine.
fn direct(portal: &Portal) -> GateBuilder {
    let none: [&str; 0] = [];
    Gate::before(portal).generic(&[("/**", "open")]).setting("limits.client.exempt", json!(none))
}

fn from(client: &str, ask: Ask<'static>) -> Ask<'static> {
    ask.header("x-forwarded-for", client)
}

fn rejections(gate: &Gate, resource: &str) -> u32 {
    let series = format!("doorward_client_limit_rejections_total{{resource=\"{resource}\"}} ");
    let text = gate.admin("/metrics").text();
    text.lines().find_map(|line| line.strip_prefix(series.as_str())).unwrap().parse().unwrap()
}

/// How many connections from this address the gate keeps open.
fn connections(gate: &Gate, address: &str, at_most: usize) -> Vec<Wire> {
    let from: IpAddr = address.parse().unwrap();
    let before = rejections(gate, "connections");
    let mut open = Vec::new();
    for _ in 0..at_most {
        let mut wire = Wire::connect_from(from, gate.addr());
        if wire.try_write("GET / HTTP/1.1\r\nhost: a\r\n\r\n").is_err() || wire.answer("GET").is_err() {
            break;
        }
        open.push(wire);
    }
    let refused = u32::from(open.len() < at_most);
    assert_eq!(rejections(gate, "connections"), before + refused, "{address}");
    open
}

#[test]
fn attack_one_client_opens_all_connections() {
    let portal = Portal::answering("hello").start();
    let gate =
        direct(&portal).setting("limits.max_connections", 40).setting("limits.client.connections", 8).start();
    let greedy = connections(&gate, "127.1.1.1", 20);
    assert_eq!(greedy.len(), 8);
    // others of its /24 have less than all together: 8 and half of the rest are 24
    let near = connections(&gate, "127.1.1.2", 20);
    let nearer = connections(&gate, "127.1.1.3", 20);
    assert_eq!((near.len(), nearer.len()), (8, 8));
    assert!(connections(&gate, "127.1.1.4", 20).is_empty());
    assert_eq!(connections(&gate, "127.2.2.2", 5).len(), 5, "another network");
    drop(greedy);
    eventually(|| !connections(&gate, "127.1.1.1", 1).is_empty());
}

#[test]
fn attack_one_client_sends_requests_without_pause() {
    let portal = Portal::answering("hello").start();
    let gate = behind_proxy(&portal)
        .setting("limits.client.requests_per_second", 1)
        .setting("limits.client.request_burst", 4)
        .start();
    let statuses = |client: &str, count: usize| -> Vec<u16> {
        (0..count).map(|_| from(client, gate.get("/")).send().status).collect()
    };
    assert_eq!(statuses(GREEDY, 6), [200, 200, 200, 200, 429, 429]);
    let program = from(GREEDY, gate.get("/")).api_client().send();
    assert_eq!((program.status, program.header("retry-after")), (429, Some("1")));
    assert!(program.text().contains("Too many requests per second from this client"), "{}", program.text());
    let person = from(GREEDY, gate.get("/")).browser().send();
    assert_eq!(person.status, 429);
    assert!(person.text().contains("<h1>Too many requests</h1>"), "{}", person.text());
    assert_eq!(from(GREEDY, gate.get("/.doorward/tenants")).send().status, 429, "pages of ours, too");
    // an IPv6 host has a /64, and each stream is a request
    let streams: Vec<u16> =
        (1..=5).map(|host| from(&format!("2001:db8::{host}"), gate.get("/")).http2().send().status).collect();
    assert_eq!(streams, [200, 200, 200, 200, 429]);
    assert_eq!(statuses(OTHER, 2), [200, 200]);
    assert_eq!(gate.admin("/readyz").status, 200);
    assert_eq!(rejections(&gate, "requests_per_second"), 6);
}

#[test]
fn attack_one_client_leaves_requests_unanswered() {
    let portal = Portal::answering("hello").route("/hang", Reply::raw_then_silence("")).start();
    let gate = behind_proxy(&portal).setting("limits.client.requests", 3).start();
    let hanging: Vec<_> = (0..3).map(|_| from(GREEDY, gate.get("/hang")).open()).collect();
    eventually(|| portal.received().len() == 3);
    let refused = from(GREEDY, gate.get("/")).send();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(from(OTHER, gate.get("/")).send().text(), "hello");
    drop(hanging);
    eventually(|| from(GREEDY, gate.get("/")).send().status == 200);
}

#[test]
fn attack_one_client_opens_all_websockets() {
    let portal = Portal::answering("hello").route("/ws", Reply::upgrade_echo()).start();
    let gate = behind_proxy(&portal).websockets_at("/ws").setting("limits.max_upgrades", 4).start();
    let open = |client: &str| from(client, gate.get("/ws")).upgrade();
    let taken: Vec<_> = (0..2).map(|_| open(GREEDY)).collect();
    assert!(taken.iter().all(|(head, _)| head.first.contains("101")));
    assert!(open(GREEDY).0.first.contains("429"));
    // one more of the same /24, and then those of another network
    assert!(open("192.0.2.2").0.first.contains("429") || open("192.0.2.3").0.first.contains("429"));
    assert!(open(OTHER).0.first.contains("101"));
    assert_eq!(from(GREEDY, gate.get("/")).send().text(), "hello", "other requests are served");
    drop(taken);
    portal.die();
    eventually(|| gate.admin("/metrics").text().contains("doorward_upgrades_open 0"));
}

#[test]
fn attack_one_client_trickles_forms() {
    let portal = Portal::answering("hello").start();
    let gate = behind_proxy(&portal).accounts().setting("limits.client.request_bodies", 2).start();
    let trickle = |path: &str| {
        gate.raw(format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nx-forwarded-for: {GREEDY}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\nx"
        ))
    };
    let trickling = [trickle("/.doorward/sign-in"), trickle("/upload")];
    eventually(|| from(GREEDY, gate.post("/upload")).body("a=b").send().status == 429);
    for path in ["/.doorward/sign-in", "/upload"] {
        let refused = from(GREEDY, gate.post(path)).body("a=b").send();
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")), "{path}");
    }
    assert_eq!(from(GREEDY, gate.get("/.doorward/sign-in")).send().status, 200, "no body, no limit");
    assert_eq!(from(OTHER, gate.post("/upload")).body("a=b").send().text(), "hello");
    assert_eq!(rejections(&gate, "request_bodies"), 3);
    drop(trickling);
    eventually(|| from(GREEDY, gate.post("/upload")).body("a=b").send().status == 200);
}

/// A known session has limits of its own: neither a flood at its address nor one from everywhere stops it.
#[test]
fn attack_a_flood_of_anonymous_requests_stops_those_who_are_signed_in() {
    let portal = Portal::answering("hello").route("/devportal/hang", Reply::raw_then_silence("")).start();
    let gate = with_lock(Gate::before(&portal), 5)
        .trusting("127.0.0.0/8")
        .anonymous(true)
        .tenant("acme.com", &json!({}))
        .setting("limits.max_requests", 10)
        .setting("limits.client.requests_per_second", 1)
        .setting("limits.client.request_burst", 3)
        .start();
    let desk = Desk::of(gate.folder());
    let session = desk.session(&desk.account("acme.com", "alex"));
    let page = |client: &str| from(client, gate.get("/devportal/apis").tenant("acme.com")).browser();
    let signed_in = |client: &str| page(client).cookie("doorward_session", &session);
    assert_eq!(signed_in(OTHER).send().status, 200, "known from here on");
    let flood: Vec<u16> = (0..5).map(|_| page(GREEDY).send().status).collect();
    assert_eq!(flood, [200, 200, 200, 429, 429]);
    assert_eq!(signed_in(GREEDY).send().status, 200, "the same address");
    // the process is near its total: the operator's own machine takes nine of ten
    let _hanging: Vec<_> = (0..9).map(|_| gate.get("/devportal/hang").tenant("acme.com").open()).collect();
    eventually(|| gate.admin("/metrics").text().contains("doorward_requests_in_flight 9"));
    let refused = page("203.0.113.5").send();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert_eq!(refused.header("connection"), Some("close"));
    assert_eq!(signed_in("203.0.113.5").send().status, 200);
    assert_eq!(gate.get("/devportal/apis").tenant("acme.com").send().status, 200, "a health check");
    assert_eq!(gate.admin("/livez").status, 200);
}
