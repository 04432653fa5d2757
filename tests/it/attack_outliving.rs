//! Streams and upgraded connections that outlive what they were allowed by.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Gate, Idp, Portal, Reply,
    accounts::{Desk, with_lock},
    configuration,
    eventually::{throughout, within},
    gate::GateBuilder,
    reply::Hose,
    wire::Wire,
};

const COOKIE: &str = "doorward_session";

/// What ends, ends within this: a second, and what the machine needs beside.
const SOON: Duration = Duration::from_secs(4);

/// A portal with an event stream at `/…/events` and a WebSocket at `/…/ws`.
fn portal() -> (Portal, Hose) {
    let (stream, hose) = Reply::stream();
    let ws = Reply::upgrade_echo();
    let answering = move |request: &crate::support::double::Received| {
        if request.target.contains("/ws") { ws.clone() } else { stream.clone() }
    };
    (Portal::answering("").deciding("/", answering).start(), hose)
}

struct Streams {
    events: Wire,
    socket: Wire,
}

impl Streams {
    /// Both of one request, alive.
    fn open(hose: &Hose, ask: impl Fn(&str) -> crate::support::ask::Ask<'static>) -> Self {
        let mut events = ask("events").header("accept", "text/event-stream").open();
        hose.send("data: 1\n\n");
        assert!(events.head().first.contains(" 200 "));
        assert_eq!(events.chunk(), "data: 1\n\n");
        let (head, mut socket) = ask("ws").upgrade();
        assert!(head.first.contains(" 101 "), "{}", head.first);
        assert_eq!(socket.write("ping").bytes(4), b"ping");
        Self { events, socket }
    }

    fn are_open(&mut self, hose: &Hose) {
        hose.send("data: 2\n\n");
        assert_eq!(self.events.chunk(), "data: 2\n\n");
        assert_eq!(self.socket.write("pong").bytes(4), b"pong");
    }

    /// Both end, and the stream without the end of a whole answer.
    fn end(mut self) {
        let start = std::time::Instant::now();
        assert!(self.events.rest().is_empty(), "not even the last chunk");
        assert!(self.socket.rest().is_empty());
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    }
}

fn accounts(portal: &Portal) -> GateBuilder {
    with_lock(Gate::before(portal), 5).anonymous(false).tenant("acme.com", &json!({}))
}

#[test]
fn attack_event_stream_of_a_session_that_has_ended() {
    let (portal, hose) = portal();
    let gate = accounts(&portal).start();
    let desk = Desk::of(gate.folder());
    let alex = desk.account("acme.com", "alex");
    let session = desk.session(&alex);
    let ask =
        |path: &str| gate.get(&format!("/devportal/{path}")).tenant("acme.com").cookie(COOKIE, &session);
    let mut streams = Streams::open(&hose, ask);
    streams.are_open(&hose);
    desk.end(&session);
    streams.end();
    // the portal sees its stream end, too
    within(SOON, || gate.admin("/metrics").text().contains("\ndoorward_upgrades_open 0\n"));
}

#[test]
fn a_stream_ends_with_the_age_of_its_session_while_the_portal_is_silent() {
    let (portal, hose) = portal();
    let gate = accounts(&portal).start();
    let desk = Desk::of(gate.folder());
    let alex = desk.account("acme.com", "alex");
    let session = desk.session_of(&alex, Duration::from_millis(2500), Duration::from_hours(1));
    let ask =
        |path: &str| gate.get(&format!("/devportal/{path}")).tenant("acme.com").cookie(COOKIE, &session);
    Streams::open(&hose, ask).end();
}

#[test]
fn attack_event_stream_of_a_token_that_has_expired() {
    let ((portal, hose), idp) = (portal(), Idp::start());
    let mut issuer = configuration::issuer(&idp);
    issuer["leeway"] = json!("0s");
    let gate =
        Gate::before(&portal).generic(&[("/**", "signed-in")]).setting("issuer", json!([issuer])).start();
    let token = idp.token().expires_in(3).sign();
    Streams::open(&hose, |path| gate.get(&format!("/{path}")).bearer(&token)).end();
}

#[test]
fn attack_stream_of_a_visitor_after_the_tenant_was_closed() {
    let routes = |access: &str| json!([{"match": "/live/**", "access": access, "upgrade": true}]);
    let conf = |anonymous: bool, routes: Value| json!({"EnableAnonymous": anonymous, "Doorward": {"routes": routes}});
    for (before, after) in [
        (conf(true, routes("anonymous")), conf(false, routes("anonymous"))),
        (conf(true, routes("open")), conf(true, routes("signed-in"))),
        (conf(true, routes("open")), conf(false, routes("anonymous"))),
    ] {
        let (portal, hose) = portal();
        let gate = Gate::before(&portal)
            .generic(&[])
            .tenant("acme.com", &before)
            .tenant("beta.com", &conf(true, routes("anonymous")))
            .start();
        let streams = Streams::open(&hose, |path| gate.get(&format!("/live/{path}")).tenant("acme.com"));
        let (_, mut other) = gate.get("/live/ws").tenant("beta.com").upgrade();
        gate.edit_tenant("acme.com", &after);
        streams.end();
        assert_eq!(other.write("ping").bytes(4), b"ping", "another tenant's");
    }
}

#[test]
fn attack_websocket_after_its_route_stopped_switching() {
    let (portal, hose) = portal();
    let routes = |upgrade: bool| json!({"Doorward": {"routes": [{"match": "/live/**", "access": "open", "upgrade": upgrade}]}});
    let gate = Gate::before(&portal).generic(&[]).tenant("acme.com", &routes(true)).start();
    let mut streams = Streams::open(&hose, |path| gate.get(&format!("/live/{path}")).tenant("acme.com"));
    gate.edit_tenant("acme.com", &routes(false));
    assert!(streams.socket.rest().is_empty());
    // the stream is an answer like any other
    hose.send("data: 2\n\n");
    assert_eq!(streams.events.chunk(), "data: 2\n\n");
}

#[test]
fn attack_stream_after_the_deployment_was_closed() {
    let (portal, hose) = portal();
    let mut gate = Gate::before(&portal)
        .generic(&[])
        .sign_in("none")
        .route(json!({"match": "/live/**", "access": "anonymous", "upgrade": true}))
        .start();
    let streams = Streams::open(&hose, |path| gate.get(&format!("/live/{path}")));
    gate.edit_deployment("apim.devportal.enable_anonymous_mode", false);
    streams.end();
}

#[test]
fn a_stream_goes_on_while_its_request_would_be_allowed() {
    let (portal, hose) = portal();
    let conf = |name: &str| {
        json!({"EnableAnonymous": true, "Doorward": {
            "branding": {"name": name},
            "routes": [{"match": "/live/**", "access": "anonymous", "upgrade": true}],
        }})
    };
    let gate = Gate::before(&portal).generic(&[]).tenant("acme.com", &conf("one")).start();
    let mut streams = Streams::open(&hose, |path| gate.get(&format!("/live/{path}")).tenant("acme.com"));
    gate.edit_tenant("acme.com", &conf("two"));
    throughout(Duration::from_secs(2), || streams.socket.write("pong").bytes(4) == b"pong");
    streams.are_open(&hose);
}

#[test]
fn a_stream_over_http2_ends_with_its_session() {
    let (portal, hose) = portal();
    let gate = accounts(&portal).start();
    let desk = Desk::of(gate.folder());
    let session = desk.session(&desk.account("acme.com", "alex"));
    let ask = gate.get("/devportal/events").tenant("acme.com").cookie(COOKIE, &session).http2();
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || ask.send().complete);
        within(SOON, || !portal.received().is_empty());
        hose.send("data: 1\n\n");
        desk.end(&session);
        assert!(!reading.join().unwrap(), "the stream is reset");
    });
}
