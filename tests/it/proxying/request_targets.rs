//! Request targets: the portal gets the bytes that the client sent, and rules apply to every reading of them.

use serde_json::{Value, json};

use crate::support::{Idp, Portal, TestProxy, answer::Answer, proxy::TestProxyBuilder};

/// Profile `generic` as it is by default: path and query name no tenant.
pub fn generic(portal: &Portal, rules: &[(&str, &str)]) -> TestProxyBuilder {
    TestProxy::in_front_of(portal).generic(rules).setting("tenancy.named_by_request", false)
}

/// The last target that the portal has received. It records bytes as characters of Latin-1.
pub fn last_target(portal: &Portal) -> String {
    let bytes: Vec<u8> =
        portal.last_request().target.chars().map(|byte| u8::try_from(byte).unwrap()).collect();
    String::from_utf8(bytes).unwrap()
}

/// Targets that portals of some kind serve, and other proxies forward.
const TARGETS: &[&str] = &[
    // message brokers, npm scopes, GitLab's API, Windows paths
    "/api/vhosts/%2F/permissions",
    "/@acme%2fhello",
    "/projects/a%2Fb",
    "/files/a%5Cb.txt",
    "/files/a\\b.txt",
    // branch names in CI servers
    "/job/x/job/release%252F1.12.1/5/",
    "/a%25252fb",
    // servlet applications without cookies
    "/a;jsessionid=1/b",
    "/a;x=1;y=2",
    "/a%3bb",
    "/a//b",
    "//a",
    "/a/",
    "/%E4",
    "/caf%C3%A9/%ef%bc%8e%ef%bc%8e",
    "/caf\u{e9}",
    "/%c0%af",
    // characters that need no encoding, and others
    "/wiki/C%2B%2B",
    "/a%3Ab%27c%7Ed%61",
    "/a%20b%20",
    "/a%09b%7f",
    "/a.b/..c/d../...",
    "/a/./b/../c",
    "/a/%2e%2e/b",
    "/[id]|x{y}^z\"'",
    "/100%",
    "/%zz/%u002f",
    "/a?",
    "/a??b=/../c;d",
    "/a?q=[]{}^|`\\'",
    "/a?q=%00%0d%0a%zz%",
    "/a?q=\u{e9}",
    "/?//evil.test",
];

#[test]
fn forwards_every_target_byte_for_byte() {
    let portal = Portal::answering("").start();
    for rules in [&[][..], &[("/**", "open")]] {
        let proxy = generic(&portal, rules).anonymous(true).start();
        for target in TARGETS {
            for (how, status) in [
                ("HTTP/1.1", proxy.get(target).send().status),
                ("HTTP/2", proxy.get(target).http2().send().status),
                ("absolute", absolute(&proxy, target).status),
            ] {
                assert_eq!(status, 200, "{target} over {how}");
                assert_eq!(last_target(&portal), *target, "{target} over {how}");
            }
        }
        // the path of an address without one
        assert_eq!(absolute(&proxy, "?x=%2f").status, 200);
        assert_eq!(portal.last_request().target, "/?x=%2f");
        assert_eq!(proxy.request("PUT", "/@acme%2fhello").body("{}").send().status, 200);
        assert_eq!(portal.last_request().target, "/@acme%2fhello");
    }
}

/// A path that is encoded more often than Doorward decodes it.
fn many_readings_below(path: &str) -> String {
    format!("{path}/%{}41", "25".repeat(80))
}

fn absolute(proxy: &TestProxy, target: &str) -> Answer {
    let request = format!("GET http://portal.test{target} HTTP/1.1\r\nhost: portal.test\r\n\r\n");
    proxy.raw(request).answer("GET").unwrap()
}

#[test]
fn forwards_targets_byte_for_byte_to_http2_portal() {
    let portal = Portal::answering("").start();
    let first = generic(&portal, &[("/**", "open")]).start();
    let upstream = json!([{"path": "/", "url": format!("http://{}", first.authority()), "http2": true}]);
    let proxy = generic(&portal, &[("/**", "open")]).setting("portal.upstream", upstream).start();
    for target in TARGETS {
        assert_eq!(proxy.get(target).send().status, 200, "{target}");
        assert_eq!(last_target(&portal), *target);
    }
}

#[test]
fn forwards_target_of_user_to_closed_route_byte_for_byte() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let rules = [("/**", "signed-in"), ("/open/**", "open")];
    let proxy = generic(&portal, &rules).issuer(&idp).start();
    let token = idp.token().sign();
    let many_readings = many_readings_below("/open");
    for target in TARGETS.iter().copied().chain([many_readings.as_str()]) {
        assert_eq!(proxy.get(target).api_client().send().status, 401, "{target}");
        assert_eq!(proxy.get(target).api_client().bearer(&token).send().status, 200, "{target}");
        assert_eq!(last_target(&portal), target);
    }
}

#[test]
fn refuses_targets_that_no_server_accepts() {
    let portal = Portal::answering("").start();
    let proxy = generic(&portal, &[("/**", "open")]).start();
    for (target, reason) in [
        ("/a%00b", "control character"),
        ("/a%0db", "control character"),
        ("/a%0Ab", "control character"),
        ("/..", "'..' segments"),
        ("/a/../../b", "'..' segments"),
        ("/a/%2e%2e/..%2fb", "'..' segments"),
        ("/a\\..\\..\\b", "'..' segments"),
        ("/a/..;/..;/b", "'..' segments"),
        ("/%252e%252e/b", "'..' segments"),
    ] {
        let answer = proxy.get(target).api_client().send();
        assert_eq!(answer.status, 400, "{target}");
        assert!(answer.text().contains(reason), "{target}: {}", answer.text());
    }
    for target in ["/a\u{1}b", "/a b", "/a\tb", "a", "*"] {
        let answer = proxy.raw(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n")).answer("GET").unwrap();
        assert_eq!(answer.status, 400, "{target:?}");
    }
    let bytes = proxy.raw(b"GET /caf\xe9 HTTP/1.1\r\nhost: x\r\n\r\n").answer("GET").unwrap();
    assert_eq!((bytes.status, portal.received_nothing()), (400, true));
}

/// Each spelling of a closed page that some program undoes, under rules that open everything else.
#[test]
fn attack_closed_page_in_a_spelling_that_is_forwarded() {
    let portal = Portal::answering("secret").start();
    let proxy = generic(
        &portal,
        &[
            ("/**", "open"),
            ("/admin/**", "signed-in"),
            ("/teams/*/secret", "signed-in"),
            ("/page.asp", "signed-in"),
        ],
    )
    .start();
    for target in [
        "/public/../admin",
        "/public/./../admin/x",
        "/public/%2e%2e/admin",
        "/public/%2E./admin",
        "/public/..%2fadmin",
        "/public/..%2Fadmin%2Fx",
        "/public%2f..%2fadmin",
        "/public/..%252fadmin",
        "/public/%252e%252e/admin",
        "/public/..;/admin",
        "/public/..;a=b/admin",
        "/public/..%3b/admin",
        "/public/..\\admin",
        "/public\\..\\admin",
        "/public/..%5cadmin",
        "/public/..%255cadmin",
        "/public/..%c0%afadmin",
        "/public/%c0%ae%c0%ae/admin",
        "/public/%uff0e%uff0e/admin",
        "/public/%ef%bc%8e%ef%bc%8e/admin",
        "/public/\u{ff0e}\u{ff0e}/admin",
        "/public/..%23/../../admin",
        "/public/..%20/admin",
        "/public/.%09./admin",
        "/admin;x=1",
        "/admin;x=1/users",
        "/admin;/users",
        "/;x/admin",
        "/admin%3bx",
        "/;/admin",
        "//admin",
        "///admin",
        "/\\admin",
        "/%2fadmin",
        "/%5Cadmin",
        "/./admin",
        "/%2e/admin",
        "//public/admin",
        "///public/admin/x",
        "/\\public/admin",
        "/%2f%2fpublic/admin",
        "/public//..//admin",
        "/%61dmin",
        "/%2561dmin",
        "/ADMIN;x",
        "/admin%20",
        "/admin%20/x",
        "/admin.",
        "/admin./x",
        "/admin%2e",
        "/admin::$INDEX_ALLOCATION/x",
        "/adm%09in",
        "/admin%2500.png",
        "/admin%3fx",
        "/admin%23x",
        "/adm%e2%80%8bin",
        "/adm%c4%b1n",
        "/\u{ff41}dmin",
        "/admin%2fusers",
        "/admin%5cusers",
        "/t%65ams/a%2fb/secret",
        "/teams/a%u002fb%2fsecret",
        "/teams/a%c0%afb%2fsecret",
        "/teams/%2e%2e/teams/x/secret/",
        "/page.asp;.jpg",
        "/page.asp::$DATA",
        "/page.asp%2500.jpg",
        "/page.asp%20",
        "/page.asp%2fx",
    ] {
        let anonymous = proxy.get(target).api_client().send();
        assert_eq!(anonymous.status, 401, "{target}");
        let http2 = proxy.get(target).http2().api_client().send();
        assert_eq!(http2.status, 401, "{target} over HTTP/2");
        assert_eq!(absolute(&proxy, target).status, 401, "{target} in an absolute target");
    }
    let many = many_readings_below("/public");
    assert_eq!(proxy.get(&many).api_client().send().status, 401, "more readings than are compared");
    assert!(portal.received_nothing());
    for target in ["/admins;x", "/public/admin%2f", "/a/..b/admin", "/page.aspx;x"] {
        assert_eq!(proxy.get(target).api_client().send().status, 200, "{target}");
    }
}

#[test]
fn explain_shows_the_reading_that_decided() {
    let portal = Portal::answering("").start();
    let proxy = generic(&portal, &[("/**", "open"), ("/admin/**", "signed-in")]).start();
    let many = many_readings_below("/public");
    for (path, output) in [
        ("/public/..;/admin", "may read the path as /admin"),
        ("//admin/x", "may read the path as /admin/x"),
        ("/public/%2e%2e%2fadmin", "may read the path as /admin"),
        (many.as_str(), "(too many readings)"),
        ("/a/%2e%2e/%2e%2e/b", "more '..' segments"),
        ("/x/..%2f.doorward/sign-in", "another spelling of an address of Doorward"),
    ] {
        let question = json!({"url": path}).to_string();
        let ask = proxy.admin_request("POST", "/explain").header("content-type", "application/json");
        let explanation: Value = ask.body(question).send().json();
        assert!(explanation["steps"].to_string().contains(output), "{path}: {explanation}");
    }
}

/// `access_token` is a parameter of the portal, unless it would authenticate here.
#[test]
fn forwards_access_token_in_query_except_to_wso2_apis() {
    let portal = Portal::answering("").start();
    let generic = generic(&portal, &[("/open/**", "open")]).start();
    let wso2 = TestProxy::in_front_of(&portal).anonymous(true).start();
    for (proxy, target, status) in [
        (&generic, "/x?access_token=abc", 200),
        (&generic, "/open/x?a=1&access_token=abc", 200),
        (&wso2, "/devportal/apis?access_token=abc", 200),
        (&wso2, "/api/am/devportal/v3/apis?access_token=abc", 400),
        (&wso2, "/devportal/..%2fapi/am/devportal/v3/apis?access_token=abc", 400),
        (&wso2, "/devportal/../api/am/devportal/v3/apis?%61ccess_token=abc", 400),
    ] {
        portal.clear_received();
        assert_eq!(proxy.get(target).api_client().send().status, status, "{target}");
        assert!(
            portal.received().iter().all(|received| status == 200 && received.target == target),
            "{target}"
        );
    }
}

/// Without `tenancy.named_by_request` nothing of WSO2 acts: only the host names a tenant.
#[test]
fn generic_portal_owns_tenant_path_query_and_header() {
    let portal = Portal::answering("").start();
    let proxy = generic(&portal, &[("/**", "open")])
        .tenant("acme.com", &json!({}))
        .setting("tenancy.hosts", json!({"acme.test": "acme.com"}))
        .start();
    for target in [
        "/t/welcome/5",
        "/t/a%2Fb;c//d",
        "/reports?tenant=5",
        "/reports?TENANT=../x&X-WSO2-Tenant-Q=y",
        "/reports?tenant[]=a;tenant=b",
        "/t/other.com/x?tenant=acme.com",
    ] {
        for host in ["portal.test", "acme.test"] {
            let answer = proxy.get(target).host(host).tenant("foo").send();
            assert_eq!(answer.status, 200, "{host} {target}");
            let received = portal.last_request();
            assert_eq!(received.target, target, "{host}");
            assert!(received.folded("x-wso2-tenant").is_empty(), "{host} {target}");
        }
    }
    let question = json!({"url": "/x", "tenant": "acme.com"}).to_string();
    let ask = proxy.admin_request("POST", "/explain").header("content-type", "application/json");
    let answer = ask.body(question).send();
    assert!(answer.text().contains("tenancy.named_by_request"), "{}", answer.text());
}
