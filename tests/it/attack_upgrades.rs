//! Protocol upgrades where no rule allows them: behind a `101` requests and messages are judged by nothing.

use serde_json::json;

use crate::support::{Gate, Idp, Portal, Reply, gate::GateBuilder};

/// A portal like npm `ws` attached to its server: it takes every upgrade, whatever the path.
fn any_path() -> Portal {
    Portal::replying(Reply::upgrade_echo()).start()
}

/// A gate with an issuer, and a token that counts for its default tenant.
fn with_issuer(gate: GateBuilder) -> (Gate, String, Idp) {
    let idp = Idp::start();
    let gate = gate.issuer(&idp).start();
    let token = idp.token().sign();
    (gate, token, idp)
}

fn status(head: &crate::support::message::Head) -> u16 {
    head.first.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn attack_websocket_of_a_tenant_host_from_the_public_host() {
    let portal = any_path();
    let gate = Gate::before(&portal)
        .generic(&[])
        .websockets_at("/ws")
        .setting("server.public_url", "https://portal.test")
        .setting("tenancy.hosts", json!({"a.test": "a.com", "b.test": "b.com"}))
        .setting("tenancy.host_pattern", "{tenant}.users.test")
        .setting("tenancy.claimable_hosts", json!([".test"]))
        .tenant("a.com", &json!({}))
        .tenant("b.com", &json!({"Doorward": {"hosts": ["c.test"]}}))
        .start();
    for (host, origin, is_own) in [
        ("b.test", "https://portal.test", false),
        ("B.Test:443", "https://portal.test", false),
        ("b.com.users.test", "https://portal.test", false),
        ("c.test", "https://portal.test", false),
        ("b.test", "https://a.test", false),
        ("portal.test", "https://b.test", false),
        ("b.test", "https://b.test", true),
        ("portal.test", "https://portal.test", true),
        ("portal.test:8443", "https://portal.test", true),
        // a host name that only the proxy in front sends
        ("inner.test", "https://portal.test", true),
    ] {
        let (head, _) = gate.get("/ws").host(host).header("origin", origin).upgrade();
        assert_eq!(status(&head), if is_own { 101 } else { 403 }, "{host} {origin}");
    }
    assert_eq!(portal.received().len(), 4);
}

#[test]
fn attack_websocket_of_a_closed_tenant_by_an_open_path() {
    let portal = any_path();
    let generic = Gate::before(&portal)
        .generic(&[("/public/**", "open"), ("/visitors/**", "anonymous")])
        .route(json!({"match": "/app.js", "access": "open", "as": "asset"}))
        .route(json!({"match": "/off", "access": "open", "upgrade": false}))
        .anonymous(false)
        .sign_in("none");
    let wso2 = Gate::before(&portal).anonymous(false);
    let open = ["/favicon.ico", "/robots.txt"];
    let generic_paths = ["/public/x", "/public/", "/visitors/x", "/app.js", "/off", "/x"];
    let wso2_paths = [
        "/devportal/services/configs",
        "/devportal/site/public/x.js",
        "/oauth2/token",
        "/oauth2/authorize",
        "/oidc/x",
        "/commonauth",
        "/authenticationendpoint/x",
        "/t/carbon.super/oauth2/authorize",
        "/api/am/devportal/v3/settings",
        "/devportal/apis",
    ];
    for (gate, paths) in [(generic.start(), &generic_paths[..]), (wso2.start(), &wso2_paths[..])] {
        for path in open.iter().chain(paths) {
            for connection in ["Upgrade", "upgrade", "UPGRADE", "keep-alive, UpGrade"] {
                let ask = gate.get(path).header("connection", connection).header("upgrade", "WebSocket");
                let answer = ask.header("sec-websocket-version", "13").send();
                assert_eq!(answer.status, 401, "{path} {connection}");
                assert!(answer.header("location").is_none(), "{path}: a WebSocket follows no redirect");
            }
        }
    }
    assert!(portal.saw_nothing());
}

#[test]
fn attack_websocket_of_a_visitor_while_anonymous_mode_is_on() {
    let portal = any_path();
    for gate in [Gate::before(&portal).generic(&[("/public/**", "open")]), Gate::before(&portal)] {
        let gate = gate.start();
        for path in ["/public/ws", "/devportal/ws", "/"] {
            assert_eq!(status(&gate.get(path).upgrade().0), 401, "{path}");
        }
    }
    assert!(portal.saw_nothing());
}

#[test]
fn users_open_websockets_where_the_route_does_not_say_otherwise() {
    let portal = any_path();
    let (gate, token, _idp) = with_issuer(
        Gate::before(&portal)
            .generic(&[("/public/**", "open"), ("/members/**", "signed-in"), ("/some/**", "anonymous")])
            .route(json!({"match": "/app.js", "access": "open", "as": "asset"}))
            .route(json!({"match": "/off", "access": "signed-in", "upgrade": false})),
    );
    for (path, expected) in [
        ("/public/ws", 101),
        ("/members/ws", 101),
        ("/some/ws", 101),
        ("/elsewhere", 101),
        ("/app.js", 403),
        ("/off", 403),
        ("/favicon.ico", 403),
    ] {
        let (head, _) = gate.get(path).bearer(&token).upgrade();
        assert_eq!(status(&head), expected, "{path}");
    }
    // a token that does not count is told so, on an open route too
    assert_eq!(status(&gate.get("/public/ws").bearer("nonsense").upgrade().0), 401);
}

#[test]
fn a_route_says_who_may_switch_to_which_protocol() {
    let portal = any_path();
    let gate = Gate::before(&portal)
        .generic(&[])
        .websockets_at("/live/**")
        .route(json!({"match": "/visitors/**", "access": "anonymous", "upgrade": true}))
        .route(json!({"match": "/chat", "access": "open", "upgrade": ["chat/2", "Chat/1"]}))
        .route(json!({"match": "/members", "access": "signed-in", "upgrade": true}))
        .tenant("closed.com", &json!({"EnableAnonymous": false}))
        .start();
    for (path, tenant, expected) in [
        ("/live/ws", "carbon.super", 101),
        ("/live/ws", "closed.com", 101),
        ("/visitors/ws", "carbon.super", 101),
        ("/visitors/ws", "closed.com", 401),
        ("/members", "carbon.super", 401),
        ("/chat", "carbon.super", 401),
    ] {
        let (head, _) = gate.get(path).tenant(tenant).upgrade();
        assert_eq!(status(&head), expected, "{path} {tenant}");
    }
    let mut wire = gate.get("/chat").header("connection", "upgrade").header("upgrade", "chat/1").open();
    assert_eq!(status(&wire.head()), 101);
    assert_eq!(wire.write("ping").bytes(4), b"ping");
}

/// CVE-2026-73548, RFC 9110 §7.8: what no rule lists is not forwarded, and the request is an ordinary one.
#[test]
fn attack_another_protocol_than_websocket() {
    let portal = any_path();
    let gate = Gate::before(&portal).generic(&[("/public/**", "open")]).websockets_at("/ws").start();
    let plain = Portal::answering("plain").start();
    let plain_gate = Gate::before(&plain).generic(&[("/**", "open")]).start();
    for protocol in
        ["TLS/1.0", "foo/2", "SPDY/3.1", "h2c", "HTTP/2.0", "IRC/6.9, RTA/x11", "websocket/13", "web socket"]
    {
        let ask = |gate: &Gate, path: &str| {
            let ask = gate.get(path).header("connection", "Upgrade, HTTP2-Settings");
            ask.header("upgrade", protocol).header("http2-settings", "AAMAAABkAAQAAP__").api_client().send()
        };
        for path in ["/public/x", "/ws"] {
            // this portal answers 101 to everything
            assert_eq!(ask(&gate, path).status, 502, "{protocol} {path}");
            let request = portal.last();
            for name in ["upgrade", "connection", "http2-settings"] {
                assert!(request.all(name).is_empty(), "{protocol}: {:?}", request.headers);
            }
        }
        assert_eq!(ask(&plain_gate, "/x").text(), "plain", "{protocol}");
    }
}

#[test]
fn only_the_allowed_one_of_several_protocols_is_forwarded() {
    let portal = any_path();
    let gate = Gate::before(&portal).generic(&[]).websockets_at("/ws").start();
    for written in ["websocket, h2c", "TLS/1.0 ,websocket", "foo/2,websocket,bar"] {
        let ask = gate.get("/ws").header("connection", "Upgrade").header("upgrade", written);
        let mut wire = ask.open();
        assert_eq!(status(&wire.head()), 101, "{written}");
        assert_eq!(portal.last().all("upgrade"), ["websocket"], "{written}");
    }
}

#[test]
fn attack_portal_that_switches_to_another_protocol_than_asked() {
    for switched in
        ["upgrade: h2c\r\n", "upgrade: websocket, h2c\r\n", "", "upgrade: \r\n", "upgrade: foo/2\r\n"]
    {
        let reply = format!("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n{switched}\r\n");
        let portal = Portal::replying(Reply::raw_then_silence(reply)).start();
        let gate = Gate::before(&portal).generic(&[]).websockets_at("/ws").start();
        let (head, _) = gate.get("/ws").upgrade();
        assert_eq!(status(&head), 502, "{switched:?}");
    }
}

#[test]
fn attack_upgrade_where_the_protocol_has_none() {
    let portal = any_path();
    let gate = Gate::before(&portal).generic(&[]).websockets_at("/ws").start();
    // RFC 9110 §7.8: HTTP/1.0 cannot switch
    let old = "GET /ws HTTP/1.0\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    assert_ne!(gate.raw(old).answer("GET").unwrap().status, 101);
    assert!(portal.received().iter().all(|request| request.all("upgrade").is_empty()));
    // RFC 8441 is not offered
    let connect =
        gate.raw("CONNECT /ws HTTP/1.1\r\nhost: x\r\n\r\n").answer("GET").map(|answer| answer.status);
    assert!(matches!(connect, Ok(400 | 405) | Err(_)), "{connect:?}");
    // not asked for: the header without its nomination
    let lone = gate.get("/ws").header("upgrade", "websocket").api_client().send();
    assert_eq!(lone.status, 502, "this portal answers 101 to everything");
    assert!(portal.last().all("upgrade").is_empty());
}

#[test]
fn attack_tenant_that_opens_upgrades_which_the_deployment_keeps_shut() {
    let portal = any_path();
    let routes = json!([{"match": "/quiet/**", "access": "open", "upgrade": true}, {"match": "/own", "access": "open", "upgrade": true}]);
    let gate = Gate::before(&portal)
        .generic(&[])
        .route(json!({"match": "/quiet/**", "access": "open", "upgrade": false}))
        .tenant("acme.com", &json!({"Doorward": {"routes": routes}}))
        .start();
    let asked = |path: &str| status(&gate.get(path).tenant("acme.com").upgrade().0);
    assert_eq!((asked("/quiet/ws"), asked("/own")), (401, 101));
}

#[test]
fn explain_says_which_upgrades_pass() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).generic(&[("/public/**", "open")]).websockets_at("/live").start();
    let explained = |path: &str, headers: &[&str]| {
        let question = json!({"url": path, "headers": headers}).to_string();
        let ask = gate.admin_ask("POST", "/explain").header("content-type", "application/json");
        ask.body(question).send().json()
    };
    let socket = ["Connection: upgrade", "Upgrade: websocket"];
    for (path, headers, verdict, said) in [
        ("/public/x", &[][..], "allow", "websocket, for authenticated users"),
        ("/live", &[][..], "allow", "websocket, for every request"),
        ("/favicon.ico", &[][..], "allow", "none: "),
        ("/public/x", &socket[..], "sign-in", "needs an authenticated user on this route"),
        ("/favicon.ico", &socket[..], "sign-in", "the WebSocket handshake is refused"),
        ("/live", &socket[..], "allow", "websocket is forwarded"),
        ("/live", &["Connection: upgrade", "Upgrade: h2c"][..], "allow", "ignored"),
    ] {
        let told = explained(path, headers);
        assert_eq!(told["verdict"], verdict, "{path} {told}");
        assert!(told["steps"].to_string().contains(said), "{path}: {told}");
    }
}
