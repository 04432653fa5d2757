//! Headers that pretend. Advisories: CVE-2025-64484, CVE-2026-54763, CVE-2026-88011, CVE-2026-39858, CVE-2024-45410,
//! CVE-2026-35051, CVE-2026-54764, CVE-2026-40575, CVE-2024-47070, CVE-2026-20896, CVE-2021-32777, CVE-2026-26308,
//! CVE-2026-34457, CVE-2026-48794.

use serde_json::json;

use crate::support::{Idp, Portal, Reply, TestProxy, proxy::TestProxyBuilder};

/// Whatever any of the header profiles, or a portal's framework, takes as proof of identity.
const IDENTITY: [&str; 12] = [
    "Remote-User",
    "Remote-Groups",
    "Remote-Name",
    "Remote-Email",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-JWT-Assertion",
    "X-Forwarded-Access-Token",
];

pub(super) fn proxy(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal).generic(&[("/**", "anonymous")])
}

/// Spellings of one header name that a CGI-like portal reads as the same.
pub(super) fn spellings(name: &str) -> Vec<String> {
    vec![
        name.to_owned(),
        name.to_ascii_lowercase(),
        name.to_ascii_uppercase(),
        name.replace('-', "_"),
        name.replace('-', "."),
        name.replacen('-', "_", 1),
        name.to_ascii_uppercase().replace('-', "_"),
    ]
}

#[test]
fn attack_identity_header_from_the_client_in_any_spelling() {
    let portal = Portal::answering("").start();
    for profile in ["wso2", "oauth2-proxy", "authelia", "none"] {
        let proxy = proxy(&portal).setting("access.identity_headers", profile).start();
        for name in IDENTITY {
            for spelling in spellings(name) {
                for http2 in [false, true] {
                    portal.clear_received();
                    let name_sent = if http2 { spelling.to_ascii_lowercase() } else { spelling.clone() };
                    let ask = proxy.get("/").header(&name_sent, "admin").header(&name_sent, "root");
                    if http2 { ask.http2() } else { ask }.send();
                    for request in portal.received() {
                        assert!(request.folded(name).is_empty(), "{profile}: {name_sent} came through");
                    }
                }
            }
        }
    }
}

#[test]
fn attack_identity_header_beside_a_real_identity() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    for (profile, name) in [("authelia", "Remote-User"), ("oauth2-proxy", "X-Forwarded-User")] {
        let proxy = proxy(&portal).issuer(&idp).setting("access.identity_headers", profile).start();
        for spelling in spellings(name) {
            portal.clear_received();
            proxy.get("/").bearer(&idp.token().sign()).header(&spelling, "admin").send();
            // a refusal is as good as a removal
            for request in portal.received() {
                assert_eq!(request.folded(name), ["ann"], "{spelling}: exactly one, ours");
            }
        }
    }
}

#[test]
fn attack_connection_header_removes_proxy_headers() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let proxy = proxy(&portal).issuer(&idp).setting("access.identity_headers", "authelia").start();
    let token = idp.token().sign();
    let ask = || proxy.get("/").bearer(&token);
    for nominated in ["Remote-User", "X-Forwarded-For", "X-Forwarded-Host", "X-WSO2-Tenant", "Authorization"]
    {
        let answer = ask().header("connection", &format!("close, {nominated}")).send();
        assert_eq!(answer.status, 400, "{nominated}");
    }
    assert!(portal.received_nothing());
    ask().header("connection", "close, X-Request-Id").send();
    let request = portal.only_request();
    assert_eq!(request.all("remote-user"), ["ann"]);
    assert_eq!(request.all("x-wso2-tenant"), ["carbon.super"]);
    for name in ["x-forwarded-for", "x-forwarded-host", "x-request-id"] {
        assert_eq!(request.all(name).len(), 1, "{name}");
    }
}

#[test]
fn attack_hop_by_hop_headers_are_forwarded() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal).start();
    proxy
        .get("/")
        .header("connection", "keep-alive, x-secret")
        .header("x-secret", "1")
        .header("keep-alive", "timeout=5")
        .header("proxy-authorization", "Basic eDp5")
        .header("proxy-connection", "keep-alive")
        .header("te", "gzip")
        .send();
    for name in ["x-secret", "keep-alive", "proxy-authorization", "proxy-connection", "te"] {
        assert_eq!(portal.only_request().all(name), [""; 0], "{name}");
    }
}

#[test]
fn attack_request_disguised_as_a_health_check() {
    let portal = Portal::answering("secret").start();
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).start();
    for agent in ["kube-probe/1.33", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "Prometheus/3"] {
        let answer = proxy.get("/devportal/apis").header("user-agent", agent).send();
        assert!(matches!(answer.status, 302 | 401), "{agent}");
    }
    for path in ["/livez", "/readyz", "/startupz", "/metrics", "/cache/flush", "/config", "/drain"] {
        let answer = proxy.get(path).api_client().send();
        assert!(matches!(answer.status, 401 | 404), "{path} is served on the public port: {}", answer.status);
    }
    assert!(portal.received_nothing());
}

#[test]
fn own_cookies_are_not_forwarded_and_others_are() {
    let portal = Portal::answering("").start();
    let proxy =
        TestProxy::in_front_of(&portal).anonymous(false).sign_in("https://s.test/?b={return_url}").start();
    let mut jar = crate::support::Jar::default();
    proxy.get("/devportal/apis").browser().with_jar(&mut jar).send();
    let ours = jar.header("/").expect("a cookie that counts the bounces");
    let both = format!("JSESSIONID=1; {ours}; theme=dark");
    proxy.get("/devportal/services/configs").header("cookie", &both).send();
    assert_eq!(portal.only_request().all("cookie").join("; "), "JSESSIONID=1; theme=dark");
}

/// Back ends that merge trailers would believe them.
#[test]
fn attack_an_identity_in_the_trailers() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal).start();
    let upload = "POST /up HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntrailer: x-md5, remote-user, x-wso2-username\r\n\r\n2\r\nhi\r\n0\r\nx-md5: 7\r\nremote-user: admin\r\nx_wso2_username: admin\r\nx-wso2-tenant: other.com\r\n\r\n";
    proxy.raw(upload).answer("POST").unwrap();
    assert_eq!(portal.last_request().trailers, [("x-md5".to_owned(), "7".to_owned())]);
}

/// Each of these is obeyed by some framework: it would serve another path, method or host than the one that was decided.
#[test]
fn attack_target_of_a_request_replaced_by_a_header() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal)
        .generic(&[("/public/**", "open"), ("/**", "signed-in")])
        .trusting("127.0.0.0/8")
        .start();
    for name in [
        "X-Original-URL",
        "X-Original-URI",
        "X-Original-Method",
        "X-Original-Host",
        "X-Rewrite-URL",
        "X-Override-URL",
        "X-Request-Uri",
        "X-Request-URL",
        "X-Request-Path",
        "X-Forwarded-Prefix",
        "X-Forwarded-Path",
        "X-Forwarded-Uri",
        "X-Forwarded-Method",
        "X-Forwarded-Script-Name",
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-HTTP-DestinationURL",
        "X-HTTP-Host-Override",
        "X-Method-Override",
        "X-Proxy-URL",
        "X-Host",
        "X-Script-Name",
        "X-Path-Info",
        "X-Ingress-Path",
        "X-Matched-Path",
        "X-Invoke-Path",
        "X-Middleware-Subrequest",
        "X-Now-Route-Matches",
        "X-MS-Original-URL",
        "X-WAWS-Unencoded-URL",
        "X-ApiGateway-Event",
        "X-Envoy-Original-Path",
        "X-Sendfile-Type",
        "X-Accel-Mapping",
        "Script-Name",
        "Path-Info",
        "Request-Uri",
    ] {
        for spelling in spellings(name) {
            portal.clear_received();
            proxy.get("/public/x").header(&spelling, "/secret-of-another").send();
            for request in portal.received() {
                assert!(
                    request.headers.iter().all(|(_, value)| !value.contains("secret-of-another")),
                    "{spelling} came through"
                );
            }
        }
    }
    portal.clear_received();
    proxy.get("/public/x").header("x-request-id", "1").header("x-requested-with", "XMLHttpRequest").send();
    assert_eq!(portal.only_request().header("x-requested-with"), Some("XMLHttpRequest"));
}

/// RFC 6265bis §5.6: a browser stores `=a=b` as a cookie without a name and sends it as `a=b`.
#[test]
fn attack_nameless_cookie_becomes_a_cookie_of_doorward() {
    for planted in [
        "=doorward_session=x; Path=/",
        "= doorward_session=x",
        " =doorward_session=x",
        "\t=\tdoorward_session=x",
        "==doorward_session=x",
        "=__Host-doorward=x; Secure; Path=/",
        "=__host-DOORWARD-device=x",
        "doorward_session",
    ] {
        let reply = Reply::text("").header("set-cookie", "a=1").header("set-cookie", planted);
        let portal = Portal::replying(reply).start();
        let answer = proxy(&portal).start().get("/").send();
        assert_eq!(answer.all("set-cookie"), ["a=1"], "{planted:?}");
    }
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal).start();
    for sent in ["=doorward_session=x; a=1", "a=1; = __Host-doorward=x", "==doorward_form=x;a=1"] {
        portal.clear_received();
        proxy.get("/").header("cookie", sent).send();
        assert_eq!(portal.only_request().header("cookie"), Some("a=1"), "{sent:?}");
    }
}

/// RFC 9111 §3.5 protects answers to requests with `Authorization`, and no others.
#[test]
fn attack_shared_cache_stores_what_one_user_sees() {
    let idp = Idp::start();
    let portal = Portal::answering("secret")
        .route("/dated", Reply::text("secret").header("last-modified", "Mon, 02 Jan 2023 00:00:00 GMT"))
        .route("/short", Reply::text("secret").header("cache-control", "max-age=60"))
        .route("/shared", Reply::text("for all").header("cache-control", "public, max-age=60"))
        .route("/never", Reply::text("secret").header("cache-control", "no-store"))
        .start();
    let rules = [("/open/**", "open"), ("/**", "anonymous")];
    let start = |on: bool| {
        let proxy = TestProxy::in_front_of(&portal).generic(&rules).issuer(&idp);
        proxy.setting("access.token_cookie", "SID").setting("access.private_responses", on).start()
    };
    let (proxy, token) = (start(true), idp.token().sign());
    for (path, expected) in [
        ("/plain", &["private"][..]),
        ("/dated", &["private"]),
        ("/short", &["max-age=60", "private"]),
        ("/shared", &["public, max-age=60"]),
        ("/never", &["no-store"]),
        ("/open/logo.png", &[]),
    ] {
        for http2 in [false, true] {
            let ask = proxy.get(path).cookie("SID", &token);
            let answer = if http2 { ask.http2() } else { ask }.send();
            assert_eq!(answer.all("cache-control"), expected, "{path}");
            let answer = proxy.get(path).bearer(&token).send();
            assert_eq!(answer.all("cache-control"), expected, "{path}");
        }
    }
    assert_eq!(proxy.get("/plain").send().header("cache-control"), None, "not authenticated");
    let proxy = start(false);
    assert_eq!(proxy.get("/plain").cookie("SID", &token).send().header("cache-control"), None);
}

#[test]
fn attack_own_identity_header_from_the_client() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let own = json!({"X-WEBAUTH-USER": "{name}", "X-Portal-Tenant": "{tenant}"});
    let proxy =
        proxy(&portal).issuer(&idp).anonymous(true).setting("access.own_identity_headers", own).start();
    let token = format!("Bearer {}", idp.token().sign());
    for (authorization, user) in [("Basic portal", None), (&*token, Some("ann"))] {
        let other = ["X~Portal!Tenant", "x.webauth-user"].map(str::to_owned);
        let names = ["X-WEBAUTH-USER", "X-Portal-Tenant"].into_iter().flat_map(spellings).chain(other);
        for name in names {
            portal.clear_received();
            let request = proxy.get("/").api_client().header("authorization", authorization);
            if request.header(&name, "admin").send().status == 200 {
                let received = portal.only_request();
                assert_eq!(received.header("x-webauth-user"), user, "{name}");
                assert!(!format!("{received:?}").contains("admin"), "{name}: {received:?}");
            }
        }
    }
    portal.clear_received();
    let upload = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntrailer: x-portal-tenant\r\n\r\n\
        2\r\nhi\r\n0\r\nx-portal-tenant: admin\r\n\r\n";
    assert_eq!(proxy.raw(upload).answer("POST").unwrap().status, 200);
    assert!(!format!("{:?}", portal.only_request()).contains("admin"), "in a trailer");
}
