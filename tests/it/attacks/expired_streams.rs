//! Streams and upgraded connections that stay open after their session, token or permission has ended.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Idp, Portal, Reply, TestAccounts, TestProxy, configuration,
    eventually::{throughout, within},
    proxy::TestProxyBuilder,
    reply::StreamSender,
    wire::Wire,
};

const COOKIE: &str = "doorward_session";

/// The deadline for the end of a stream: a second, and a reserve for a busy machine.
const SOON: Duration = Duration::from_secs(4);

/// A portal with an event stream at `/…/events` and a WebSocket at `/…/ws`.
fn portal() -> (Portal, StreamSender) {
    let (stream, sender) = Reply::stream();
    let ws = Reply::upgrade_echo();
    let answering = move |request: &crate::support::double::Received| {
        if request.target.contains("/ws") { ws.clone() } else { stream.clone() }
    };
    (Portal::answering("").route_with("/", answering).start(), sender)
}

struct Streams {
    events: Wire,
    socket: Wire,
}

impl Streams {
    /// Both of one request, alive.
    fn open(
        sender: &StreamSender,
        ask: impl Fn(&str) -> crate::support::request::RequestBuilder<'static>,
    ) -> Self {
        let mut events = ask("events").header("accept", "text/event-stream").open();
        sender.send("data: 1\n\n");
        assert!(events.head().first.contains(" 200 "));
        assert_eq!(events.chunk(), "data: 1\n\n");
        let (head, mut socket) = ask("ws").upgrade();
        assert!(head.first.contains(" 101 "), "{}", head.first);
        assert_eq!(socket.write("ping").bytes(4), b"ping");
        Self { events, socket }
    }

    fn assert_open(&mut self, sender: &StreamSender) {
        sender.send("data: 2\n\n");
        assert_eq!(self.events.chunk(), "data: 2\n\n");
        assert_eq!(self.socket.write("pong").bytes(4), b"pong");
    }

    /// Both end, and the stream without the end of a whole answer.
    fn assert_ended(mut self) {
        let start = std::time::Instant::now();
        assert!(self.events.rest().is_empty(), "not even the last chunk");
        assert!(self.socket.rest().is_empty());
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    }
}

fn accounts(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal).accounts().lockout(5).anonymous(false).tenant("acme.com", &json!({}))
}

#[test]
fn attack_event_stream_of_a_session_that_has_ended() {
    let (portal, sender) = portal();
    let proxy = accounts(&portal).start();
    let accounts = TestAccounts::of(&proxy);
    let alex = accounts.add_without_password("acme.com", "alex");
    let session = accounts.session(&alex);
    let ask =
        |path: &str| proxy.get(&format!("/devportal/{path}")).tenant("acme.com").cookie(COOKIE, &session);
    let mut streams = Streams::open(&sender, ask);
    streams.assert_open(&sender);
    accounts.end_session(&session);
    streams.assert_ended();
    // the portal sees its stream end, too
    within(SOON, || proxy.admin("/metrics").text().contains("\ndoorward_upgrades_open 0\n"));
}

#[test]
fn silent_stream_ends_with_its_sessions_lifetime() {
    let (portal, sender) = portal();
    let proxy = accounts(&portal).start();
    let accounts = TestAccounts::of(&proxy);
    let alex = accounts.add_without_password("acme.com", "alex");
    let session = accounts.session_with(&alex, Duration::from_millis(2500), Duration::from_hours(1));
    let ask =
        |path: &str| proxy.get(&format!("/devportal/{path}")).tenant("acme.com").cookie(COOKIE, &session);
    Streams::open(&sender, ask).assert_ended();
}

#[test]
fn attack_event_stream_of_a_token_that_has_expired() {
    let ((portal, sender), idp) = (portal(), Idp::start());
    let mut issuer = configuration::issuer(&idp);
    issuer["leeway"] = json!("0s");
    let proxy = TestProxy::in_front_of(&portal)
        .generic(&[("/**", "signed-in")])
        .setting("issuer", json!([issuer]))
        .start();
    let token = idp.token().expires_in(3).sign();
    Streams::open(&sender, |path| proxy.get(&format!("/{path}")).bearer(&token)).assert_ended();
}

#[test]
fn attack_anonymous_stream_after_the_tenant_was_closed() {
    let routes = |access: &str| json!([{"match": "/live/**", "access": access, "upgrade": true}]);
    let conf = |anonymous: bool, routes: Value| json!({"EnableAnonymous": anonymous, "Doorward": {"routes": routes}});
    for (before, after) in [
        (conf(true, routes("anonymous")), conf(false, routes("anonymous"))),
        (conf(true, routes("open")), conf(true, routes("signed-in"))),
        (conf(true, routes("open")), conf(false, routes("anonymous"))),
    ] {
        let (portal, sender) = portal();
        let proxy = TestProxy::in_front_of(&portal)
            .generic(&[])
            .tenant("acme.com", &before)
            .tenant("beta.com", &conf(true, routes("anonymous")))
            .start();
        let streams = Streams::open(&sender, |path| proxy.get(&format!("/live/{path}")).tenant("acme.com"));
        let (_, mut other) = proxy.get("/live/ws").tenant("beta.com").upgrade();
        proxy.edit_tenant("acme.com", &after);
        streams.assert_ended();
        assert_eq!(other.write("ping").bytes(4), b"ping", "another tenant's");
    }
}

#[test]
fn attack_websocket_after_its_route_lost_upgrades() {
    let (portal, sender) = portal();
    let routes = |upgrade: bool| json!({"Doorward": {"routes": [{"match": "/live/**", "access": "open", "upgrade": upgrade}]}});
    let proxy = TestProxy::in_front_of(&portal).generic(&[]).tenant("acme.com", &routes(true)).start();
    let mut streams = Streams::open(&sender, |path| proxy.get(&format!("/live/{path}")).tenant("acme.com"));
    proxy.edit_tenant("acme.com", &routes(false));
    assert!(streams.socket.rest().is_empty());
    // the stream is an answer like any other
    sender.send("data: 2\n\n");
    assert_eq!(streams.events.chunk(), "data: 2\n\n");
}

#[test]
fn attack_stream_after_the_deployment_was_closed() {
    let (portal, sender) = portal();
    let mut proxy = TestProxy::in_front_of(&portal)
        .generic(&[])
        .sign_in("none")
        .route(json!({"match": "/live/**", "access": "anonymous", "upgrade": true}))
        .start();
    let streams = Streams::open(&sender, |path| proxy.get(&format!("/live/{path}")));
    proxy.edit_deployment("apim.devportal.enable_anonymous_mode", false);
    streams.assert_ended();
}

#[test]
fn a_stream_goes_on_while_its_request_would_be_allowed() {
    let (portal, sender) = portal();
    let conf = |name: &str| {
        json!({"EnableAnonymous": true, "Doorward": {
            "branding": {"name": name},
            "routes": [{"match": "/live/**", "access": "anonymous", "upgrade": true}],
        }})
    };
    let proxy = TestProxy::in_front_of(&portal).generic(&[]).tenant("acme.com", &conf("one")).start();
    let mut streams = Streams::open(&sender, |path| proxy.get(&format!("/live/{path}")).tenant("acme.com"));
    proxy.edit_tenant("acme.com", &conf("two"));
    throughout(Duration::from_secs(2), || streams.socket.write("pong").bytes(4) == b"pong");
    streams.assert_open(&sender);
}

#[test]
fn a_stream_over_http2_ends_with_its_session() {
    let (portal, sender) = portal();
    let proxy = accounts(&portal).start();
    let accounts = TestAccounts::of(&proxy);
    let session = accounts.session_of("acme.com", "alex");
    let ask = proxy.get("/devportal/events").tenant("acme.com").cookie(COOKIE, &session).http2();
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || ask.send().complete);
        within(SOON, || !portal.received().is_empty());
        sender.send("data: 1\n\n");
        accounts.end_session(&session);
        assert!(!reading.join().unwrap(), "the stream is reset");
    });
}
