//! Protocol upgrades where no rule allows them: after a `101` no rule applies to requests and messages.

use serde_json::json;

use crate::support::{Idp, Portal, Reply, TestProxy, proxy::TestProxyBuilder};

/// A portal like npm `ws` attached to its server: it takes every upgrade, whatever the path.
fn any_path() -> Portal {
    Portal::replying(Reply::upgrade_echo()).start()
}

/// A proxy with an issuer, and a valid token for its default tenant.
fn with_issuer(proxy: TestProxyBuilder) -> (TestProxy, String, Idp) {
    let idp = Idp::start();
    let proxy = proxy.issuer(&idp).start();
    let token = idp.token().sign();
    (proxy, token, idp)
}

fn status(head: &crate::support::message::Head) -> u16 {
    head.first.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn attack_websocket_of_a_tenant_host_from_the_public_host() {
    let portal = any_path();
    let proxy = TestProxy::in_front_of(&portal)
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
        let (head, _) = proxy.get("/ws").host(host).header("origin", origin).upgrade();
        assert_eq!(status(&head), if is_own { 101 } else { 403 }, "{host} {origin}");
    }
    assert_eq!(portal.received().len(), 4);
}

#[test]
fn attack_websocket_of_a_closed_tenant_by_an_open_path() {
    let portal = any_path();
    let generic = TestProxy::in_front_of(&portal)
        .generic(&[("/public/**", "open"), ("/visitors/**", "anonymous")])
        .route(json!({"match": "/app.js", "access": "open", "as": "asset"}))
        .route(json!({"match": "/off", "access": "open", "upgrade": false}))
        .anonymous(false)
        .sign_in("none");
    let wso2 = TestProxy::in_front_of(&portal).anonymous(false);
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
    for (proxy, paths) in [(generic.start(), &generic_paths[..]), (wso2.start(), &wso2_paths[..])] {
        for path in open.iter().chain(paths) {
            for connection in ["Upgrade", "upgrade", "UPGRADE", "keep-alive, UpGrade"] {
                let ask = proxy.get(path).header("connection", connection).header("upgrade", "WebSocket");
                let answer = ask.header("sec-websocket-version", "13").send();
                assert_eq!(answer.status, 401, "{path} {connection}");
                assert!(answer.header("location").is_none(), "{path}: a WebSocket follows no redirect");
            }
        }
    }
    assert!(portal.received_nothing());
}

#[test]
fn attack_anonymous_websocket_while_anonymous_mode_is_on() {
    let portal = any_path();
    for proxy in
        [TestProxy::in_front_of(&portal).generic(&[("/public/**", "open")]), TestProxy::in_front_of(&portal)]
    {
        let proxy = proxy.start();
        for path in ["/public/ws", "/devportal/ws", "/"] {
            assert_eq!(status(&proxy.get(path).upgrade().0), 401, "{path}");
        }
    }
    assert!(portal.received_nothing());
}

#[test]
fn authenticated_users_may_open_websockets_by_default() {
    let portal = any_path();
    let (proxy, token, _idp) = with_issuer(
        TestProxy::in_front_of(&portal)
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
        let (head, _) = proxy.get(path).bearer(&token).upgrade();
        assert_eq!(status(&head), expected, "{path}");
    }
    // an invalid token is refused, on an open route too
    assert_eq!(status(&proxy.get("/public/ws").bearer("nonsense").upgrade().0), 401);
}

#[test]
fn route_sets_the_allowed_upgrade_protocols() {
    let portal = any_path();
    let proxy = TestProxy::in_front_of(&portal)
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
        let (head, _) = proxy.get(path).tenant(tenant).upgrade();
        assert_eq!(status(&head), expected, "{path} {tenant}");
    }
    let mut wire = proxy.get("/chat").header("connection", "upgrade").header("upgrade", "chat/1").open();
    assert_eq!(status(&wire.head()), 101);
    assert_eq!(wire.write("ping").bytes(4), b"ping");
}

/// CVE-2026-73548, RFC 9110 §7.8: a protocol that no rule lists is not forwarded, and the request is an ordinary one.
#[test]
fn attack_another_protocol_than_websocket() {
    let portal = any_path();
    let proxy =
        TestProxy::in_front_of(&portal).generic(&[("/public/**", "open")]).websockets_at("/ws").start();
    let plain = Portal::answering("plain").start();
    let plain_proxy = TestProxy::in_front_of(&plain).generic(&[("/**", "open")]).start();
    for protocol in
        ["TLS/1.0", "foo/2", "SPDY/3.1", "h2c", "HTTP/2.0", "IRC/6.9, RTA/x11", "websocket/13", "web socket"]
    {
        let ask = |proxy: &TestProxy, path: &str| {
            let ask = proxy.get(path).header("connection", "Upgrade, HTTP2-Settings");
            ask.header("upgrade", protocol).header("http2-settings", "AAMAAABkAAQAAP__").api_client().send()
        };
        for path in ["/public/x", "/ws"] {
            // this portal answers 101 to everything
            assert_eq!(ask(&proxy, path).status, 502, "{protocol} {path}");
            let request = portal.last_request();
            for name in ["upgrade", "connection", "http2-settings"] {
                assert!(request.all(name).is_empty(), "{protocol}: {:?}", request.headers);
            }
        }
        assert_eq!(ask(&plain_proxy, "/x").text(), "plain", "{protocol}");
    }
}

/// As `curl --http2` sends it: the header has no effect on the response format.
#[test]
fn ignored_upgrade_of_a_navigation_redirects_to_sign_in() {
    let portal = any_path();
    let proxy = TestProxy::in_front_of(&portal)
        .generic(&[("/live", "signed-in")])
        .setting("sign_in.url", "/login")
        .start();
    let plain = proxy.get("/live").browser();
    let asked = proxy.get("/live").browser().header("connection", "upgrade").header("upgrade", "h2c");
    assert_eq!([plain.send().status, asked.send().status], [302, 302]);
}

#[test]
fn only_the_allowed_one_of_several_protocols_is_forwarded() {
    let portal = any_path();
    let proxy = TestProxy::in_front_of(&portal).generic(&[]).websockets_at("/ws").start();
    for written in ["websocket, h2c", "TLS/1.0 ,websocket", "foo/2,websocket,bar"] {
        let ask = proxy.get("/ws").header("connection", "Upgrade").header("upgrade", written);
        let mut wire = ask.open();
        assert_eq!(status(&wire.head()), 101, "{written}");
        assert_eq!(portal.last_request().all("upgrade"), ["websocket"], "{written}");
    }
}

#[test]
fn attack_portal_that_switches_to_another_protocol_than_asked() {
    for switched in
        ["upgrade: h2c\r\n", "upgrade: websocket, h2c\r\n", "", "upgrade: \r\n", "upgrade: foo/2\r\n"]
    {
        let reply = format!("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n{switched}\r\n");
        let portal = Portal::replying(Reply::raw_then_silence(reply)).start();
        let proxy = TestProxy::in_front_of(&portal).generic(&[]).websockets_at("/ws").start();
        let (head, _) = proxy.get("/ws").upgrade();
        assert_eq!(status(&head), 502, "{switched:?}");
    }
}

#[test]
fn attack_upgrade_where_the_protocol_has_none() {
    let portal = any_path();
    let proxy = TestProxy::in_front_of(&portal).generic(&[]).websockets_at("/ws").start();
    // RFC 9110 §7.8: HTTP/1.0 cannot switch
    let old = "GET /ws HTTP/1.0\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    assert_ne!(proxy.raw(old).answer("GET").unwrap().status, 101);
    assert!(portal.received().iter().all(|request| request.all("upgrade").is_empty()));
    // RFC 8441 is not offered
    let connect =
        proxy.raw("CONNECT /ws HTTP/1.1\r\nhost: x\r\n\r\n").answer("GET").map(|answer| answer.status);
    assert!(matches!(connect, Ok(400 | 405) | Err(_)), "{connect:?}");
    // not asked for: the header without its nomination
    let lone = proxy.get("/ws").header("upgrade", "websocket").api_client().send();
    assert_eq!(lone.status, 502, "this portal answers 101 to everything");
    assert!(portal.last_request().all("upgrade").is_empty());
}

#[test]
fn attack_tenant_route_allows_upgrades_the_deployment_denies() {
    let portal = any_path();
    let routes = json!([{"match": "/quiet/**", "access": "open", "upgrade": true}, {"match": "/own", "access": "open", "upgrade": true}]);
    let proxy = TestProxy::in_front_of(&portal)
        .generic(&[])
        .route(json!({"match": "/quiet/**", "access": "open", "upgrade": false}))
        .tenant("acme.com", &json!({"Doorward": {"routes": routes}}))
        .start();
    let asked = |path: &str| status(&proxy.get(path).tenant("acme.com").upgrade().0);
    assert_eq!((asked("/quiet/ws"), asked("/own")), (401, 101));
}

#[test]
fn explain_lists_the_allowed_upgrades() {
    let portal = Portal::answering("").start();
    let proxy =
        TestProxy::in_front_of(&portal).generic(&[("/public/**", "open")]).websockets_at("/live").start();
    let explained = |path: &str, headers: &[&str]| {
        let question = json!({"url": path, "headers": headers}).to_string();
        let ask = proxy.admin_request("POST", "/explain").header("content-type", "application/json");
        ask.body(question).send().json()
    };
    let socket = ["Connection: upgrade", "Upgrade: websocket"];
    for (path, headers, verdict, output) in [
        ("/public/x", &[][..], "allow", "websocket, for authenticated users"),
        ("/live", &[][..], "allow", "websocket, for every request"),
        ("/favicon.ico", &[][..], "allow", "none: "),
        ("/public/x", &socket[..], "sign-in", "needs an authenticated user on this route"),
        ("/favicon.ico", &socket[..], "sign-in", "the WebSocket handshake is refused"),
        ("/live", &socket[..], "allow", "websocket is forwarded"),
        ("/live", &["Connection: upgrade", "Upgrade: h2c"][..], "allow", "ignored"),
    ] {
        let explanation = explained(path, headers);
        assert_eq!(explanation["verdict"], verdict, "{path} {explanation}");
        assert!(explanation["steps"].to_string().contains(output), "{path}: {explanation}");
    }
}
