//! Requests as clients send them, and the result of their validation.

use http::{HeaderName, Request, Version};

use super::*;

const LIMITS: HeadLimits = HeadLimits { max_target_bytes: 8 * 1024, max_header_bytes: 32 * 1024 };

struct TestRequest(Parts);

fn sent(method: &str, target: &str) -> TestRequest {
    let request = Request::builder().method(method).uri(target).header("host", "portal.example.com");
    TestRequest(request.body(()).unwrap().into_parts().0)
}

impl TestRequest {
    fn with(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.0.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    fn without_host(mut self) -> Self {
        self.0.headers.remove("host");
        self
    }

    fn h2(mut self) -> Self {
        self.0.version = Version::HTTP_2;
        self
    }

    fn validated(mut self) -> Result<(Parts, ConnectionOptions), Ambiguity> {
        let validated = validate(&mut self.0, LIMITS)?;
        Ok((self.0, validated.options))
    }

    #[track_caller]
    fn ambiguity(self) -> Ambiguity {
        match self.validated() {
            Ok((parts, _)) => panic!("was accepted: {parts:?}"),
            Err(ambiguity) => ambiguity,
        }
    }

    #[track_caller]
    fn names(self) -> Vec<String> {
        let mut names: Vec<_> = self.validated().unwrap().0.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }
}

#[test]
fn leaves_a_browser_request_unchanged() {
    let before = sent("GET", "/devportal/apis?tenant=acme.com&q=%20\\|{x}")
        .with("user-agent", "Mozilla/5.0")
        .with("accept", "text/html")
        .with("accept", "*/*")
        .with("sec-fetch-mode", "navigate")
        .with("upgrade-insecure-requests", "1")
        .with("x-requested-with", "XMLHttpRequest")
        .with("x-csrf-token", "1")
        .with("x_custom", "kept")
        .with("cookie", "a=1; b=2")
        .with("x-wso2-tenant", "acme.com");
    let untouched = before.0.clone();
    let (parts, cleaned) = before.validated().unwrap();
    assert_eq!(parts.headers, untouched.headers);
    assert_eq!(parts.uri, untouched.uri);
    assert_eq!(cleaned, ConnectionOptions::default());
}

#[test]
fn leaves_path_and_query_as_they_were_sent() {
    for (target, forwarded) in [
        ("/%64evportal/%7Ex?a=%61", "/%64evportal/%7Ex?a=%61"),
        ("/a%2fb;c//d/../e?%00", "/a%2fb;c//d/../e?%00"),
        ("//a\\b?q=é", "//a\\b?q=é"),
        ("/a?", "/a?"),
        ("http://portal.example.com/%61", "/%61"),
        ("http://portal.example.com", "/"),
        ("http://portal.example.com?x=1", "/?x=1"),
    ] {
        let (parts, _) = sent("GET", target).validated().unwrap();
        assert_eq!(parts.uri.path_and_query().unwrap().as_str(), forwarded, "{target}");
    }
}

#[test]
fn path_of_doorward_has_one_form() {
    for (target, normal) in [("/.doorward/%73ign-in?a=%61", "/.doorward/sign-in?a=%61"), ("/x%20y", "/x%20y")]
    {
        let mut parts = sent("GET", target).0;
        assert_eq!(normalize_own_path(&mut parts), Ok(()));
        assert_eq!(parts.uri.to_string(), normal);
    }
    for target in
        ["/.doorward/../x", "/.doorward//x", "/.doorward/a%2fb", "/.doorward/a;b", "/.doorward/%252e"]
    {
        let refused = normalize_own_path(&mut sent("GET", target).0);
        assert!(matches!(refused, Err(Ambiguity::Path(_))), "{target}: {refused:?}");
    }
}

/// CVE-2021-32779, CVE-2026-41059: the fragment is removed before the path is matched or forwarded.
#[test]
fn attack_fragment_in_request_target() {
    let (parts, _) = sent("GET", "/admin#/public").validated().unwrap();
    assert_eq!(parts.uri.path_and_query().unwrap().as_str(), "/admin");
}

/// Others are forwarded if the strictest reading allows it: `domain::path::readings`.
#[test]
fn attack_path_that_no_server_accepts() {
    for path in ["/admin%00", "/admin%0d", "/a;b%0Ac"] {
        let refused = sent("GET", path).ambiguity();
        assert!(matches!(refused, Ambiguity::Path(_)), "{path}: {refused:?}");
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    }
    assert_eq!(sent("OPTIONS", "*").ambiguity(), Ambiguity::Path(PathProblem::NotAbsolute));
    assert_eq!(sent("GET", "portal.example.com:80").ambiguity(), Ambiguity::Target);
    assert_eq!(sent("GET", "ftp://portal.example.com/").ambiguity(), Ambiguity::Target);
}

#[test]
fn rejects_overlong_request_target() {
    let refused = sent("GET", &format!("/{}", "a".repeat(9000))).ambiguity();
    assert_eq!((refused, refused.status()), (Ambiguity::TargetTooLong, StatusCode::URI_TOO_LONG));
}

/// CVE-2026-73547: CONNECT; TRACE discloses cookies and tokens to every reader of the response.
#[test]
fn attack_connect_and_trace() {
    let connect = sent("CONNECT", "portal.example.com:443").ambiguity();
    assert_eq!((connect, connect.status()), (Ambiguity::Method, StatusCode::METHOD_NOT_ALLOWED));
    for method in ["CONNECT", "TRACE", "TRACK", "PRI"] {
        assert_eq!(sent(method, "/").ambiguity(), Ambiguity::Method, "{method}");
    }
    for method in ["get", "Post", "hEAD"] {
        assert_eq!(sent(method, "/").ambiguity(), Ambiguity::MethodCase, "{method}");
    }
    for method in ["PROPFIND", "M-SEARCH", "PURGE"] {
        assert!(sent(method, "/").validated().is_ok(), "{method}");
    }
}

/// CVE-2026-48794, CVE-2026-77560
#[test]
fn attack_contradictory_hosts() {
    let get = || sent("GET", "/");
    assert_eq!(get().without_host().ambiguity(), Ambiguity::HostMissing);
    assert_eq!(get().with("host", "portal.example.com").ambiguity(), Ambiguity::HostConflict);
    assert_eq!(get().with("host", "evil.example").ambiguity(), Ambiguity::HostConflict);
    for host in ["", "user@portal.example.com", "portal.example.com/x", "a b", "a,b", "portal.example.com:x"]
    {
        assert_eq!(get().without_host().with("host", host).ambiguity(), Ambiguity::HostInvalid, "{host}");
    }
    let absolute = |host: &str| sent("GET", &format!("http://{host}/"));
    assert!(absolute("PORTAL.example.com").validated().is_ok());
    assert_eq!(absolute("evil.example").ambiguity(), Ambiguity::HostConflict);
    assert_eq!(absolute("portal.example.com:81").ambiguity(), Ambiguity::HostConflict);
    assert_eq!(absolute("user@portal.example.com").ambiguity(), Ambiguity::HostConflict);
    assert_eq!(absolute("portal.example.com").without_host().ambiguity(), Ambiguity::HostMissing);
    // HTTP/2 sends it in `:authority`; the portal reads `Host`
    let (parts, _) = absolute("portal.example.com").h2().without_host().validated().unwrap();
    assert_eq!(parts.headers["host"], "portal.example.com");
    assert_eq!(absolute("evil.example").h2().ambiguity(), Ambiguity::HostConflict);
    assert_eq!(absolute("u@portal.example.com").h2().without_host().ambiguity(), Ambiguity::HostInvalid);
    assert_eq!(get().h2().without_host().ambiguity(), Ambiguity::HostMissing);
}

const IDENTITY: [&str; 33] = [
    "client-cert",
    "client-cert-chain",
    "iv-user",
    "iv-groups",
    "iv-creds",
    "sm-user",
    "oam-remote-user",
    "tailscale-user-login",
    "tailscale-user-name",
    "x-amzn-mtls-clientcert",
    "x-amzn-mtls-clientcert-subject",
    "x-arr-clientcert",
    "wso2-identity-user",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Preferred-Username",
    "X-Auth-Request-Access-Token",
    "Remote-User",
    "Remote-Name",
    "Remote-Email",
    "Remote-Groups",
    "X-Remote-User",
    "X-JWT-Assertion",
    "X-WSO2-Username",
    "X-WSO2-Roles",
    "X-WSO2-Tenant-Q",
    "X-WebAuth-User",
];

/// CVE-2025-64484, CVE-2026-54763, CVE-2026-88011, CVE-2026-39858
#[test]
fn attack_alternative_spellings_of_identity_headers() {
    for name in IDENTITY {
        let spellings = [
            name.to_owned(),
            name.to_ascii_uppercase(),
            name.replace('-', "_"),
            name.replace('-', "."),
            name.replacen('-', "_", 1),
            name.replace('-', "~"),
            name.replace('-', "^"),
            name.replace('-', "!").to_ascii_uppercase(),
        ];
        for spelling in spellings {
            let request = || sent("GET", "/").with(&spelling, "admin").with(&spelling, "root");
            assert_eq!(request().names(), ["host"], "{spelling} over HTTP/1.1");
            assert_eq!(request().h2().names(), ["host"], "{spelling} over HTTP/2");
        }
    }
    let aliases = ["X_WSO2_Tenant", "x.wso2.tenant", "content_length", "transfer_encoding", "content_type"];
    for alias in aliases {
        assert_eq!(sent("GET", "/").with(alias, "evil.com").names(), ["host"], "{alias}");
    }
    let long = format!("x_forwarded_user{}", "x".repeat(100));
    assert_eq!(sent("GET", "/").with(&long, "1").names(), ["host"]);
}

/// CVE-2026-35051, CVE-2026-54764, CVE-2026-40575, GHSA-vhr5-ggp3-qq85
#[test]
fn attack_forged_headers_of_other_proxies() {
    for name in [
        "Forwarded",
        "X-Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Uri",
        "X-Forwarded-Method",
        "X-Forwarded-Server",
        "X_Forwarded_Proto",
        "X-Real-IP",
        "X-Original-URL",
        "X-Original-Host",
        "X-Original-Method",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "CF-Access-Jwt-Assertion",
        "X-Envoy-Original-Path",
        "OIDC_CLAIM_sub",
        "SSL_CLIENT_S_DN",
        "Front-End-Https",
        "Proxy",
    ] {
        assert_eq!(sent("GET", "/").with(name, "127.0.0.1").names(), ["host"], "{name}");
    }
}

/// CVE-2024-45410
#[test]
fn attack_connection_header_removes_security_headers() {
    for name in [
        "X-Forwarded-User",
        "X-Forwarded-Host",
        "x_forwarded_host",
        "X-Auth-Request-User",
        "Remote-User",
        "Forwarded",
        "Authorization",
        "Cookie",
        "Host",
        "Content-Length",
        "Content-Type",
        "Origin",
        "Sec-Fetch-Mode",
        "X-WSO2-Tenant",
    ] {
        let request = sent("GET", "/").with("connection", &format!("close, {name}"));
        assert_eq!(request.ambiguity(), Ambiguity::ConnectionNomination, "{name}");
    }
    assert_eq!(sent("GET", "/").with("connection", "a b").ambiguity(), Ambiguity::ConnectionSyntax);
    assert_eq!(sent("GET", "/").with("connection", "\u{e9}").ambiguity(), Ambiguity::ConnectionSyntax);
}

#[test]
fn removes_hop_by_hop_headers() {
    let request = sent("POST", "/")
        .with("connection", "keep-alive, X-Hop")
        .with("connection", ",, close")
        .with("x-hop", "1")
        .with("keep-alive", "timeout=5")
        .with("proxy-connection", "keep-alive")
        .with("proxy-authorization", "Basic eDp5")
        .with("te", "gzip;q=0.5, Trailers")
        .with("transfer-encoding", "Chunked")
        .with("trailer", "digest")
        .with("upgrade", "websocket");
    let (parts, cleaned) = request.validated().unwrap();
    let mut names: Vec<_> = parts.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["host", "trailer"]);
    assert!(cleaned.accepts_trailers);
    assert_eq!(cleaned.upgrade, None, "Connection does not name upgrade");
}

#[test]
fn returns_requested_upgrade_protocols() {
    let ask = |protocol: &str| sent("GET", "/ws").with("connection", "Upgrade").with("upgrade", protocol);
    let (parts, cleaned) = ask("websocket").validated().unwrap();
    assert_eq!(cleaned.upgrade.unwrap(), "websocket");
    assert!(parts.headers.get("upgrade").is_none() && parts.headers.get("connection").is_none());
    assert_eq!(ask("websocket").with("upgrade", "x").ambiguity(), Ambiguity::ConnectionSyntax);
}

/// CVE-2026-73548: no hop-by-hop header of an upgrade to clear-text HTTP/2 remains.
#[test]
fn attack_upgrade_to_cleartext_http2() {
    for protocol in ["h2c", "H2C", "websocket, h2c", "h2", "HTTP/2.0", "TLS/1.0, HTTP/1.1"] {
        let request = sent("GET", "/")
            .with("connection", "Upgrade, HTTP2-Settings")
            .with("http2-settings", "AAMAAABkAARAAAAAAAIAAAAA")
            .with("upgrade", protocol);
        let (parts, _) = request.validated().unwrap();
        assert_eq!(parts.headers.len(), 1, "{protocol}");
    }
}

#[test]
fn attack_request_smuggling_by_body_length() {
    let post = || sent("POST", "/");
    assert_eq!(
        post().with("content-length", "5").with("transfer-encoding", "chunked").ambiguity(),
        Ambiguity::BodyLength
    );
    assert_eq!(
        post().with("content-length", "5").with("content-length", "6").ambiguity(),
        Ambiguity::BodyLength
    );
    for length in ["5, 5", "+5", "-1", "0x5", "5 ", "", "5;"] {
        assert_eq!(post().with("content-length", length).ambiguity(), Ambiguity::BodyLength, "{length:?}");
    }
    for coding in ["gzip, chunked", "identity", "xchunked", "chunked, chunked", "\u{b}chunked"] {
        if HeaderValue::from_bytes(coding.as_bytes()).is_ok() {
            assert_eq!(
                post().with("transfer-encoding", coding).ambiguity(),
                Ambiguity::TransferCoding,
                "{coding}"
            );
        }
    }
    assert!(post().with("content-length", "5").validated().is_ok());
}

/// CVE-2021-32777, CVE-2026-26308
#[test]
fn rejects_repeated_security_headers() {
    for name in
        ["authorization", "content-type", "origin", "x-wso2-tenant", "sec-fetch-mode", "range", "expect"]
    {
        let request = sent("GET", "/").with(name, "a").with(name, "a");
        assert_eq!(request.ambiguity(), Ambiguity::RepeatedHeader, "{name}");
    }
}

#[test]
fn merges_cookie_lines() {
    let request =
        sent("GET", "/").h2().with("cookie", "a=1").with("cookie", "b=2; c=3").with("cookie", "d=4");
    let (parts, _) = request.validated().unwrap();
    let cookies: Vec<_> = parts.headers.get_all("cookie").iter().collect();
    assert_eq!(cookies, ["a=1; b=2; c=3; d=4"]);
}

#[test]
fn rejects_overlong_head() {
    let head = |bytes: usize| sent("GET", "/").with("cookie", &"a".repeat(bytes));
    assert!(head(32_000).validated().is_ok());
    let refused = head(33_000).ambiguity();
    assert_eq!(refused, Ambiguity::HeadTooLong);
    assert_eq!(refused.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    // the query of an own page has the address of a page of the portal
    assert!(sent("GET", &format!("/.doorward/x?{}", "a".repeat(9000))).validated().is_ok());
}
