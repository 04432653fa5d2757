//! Duties of an edge server before a request reaches the portal: HTTPS only, known hosts only, the certificate of the name that is
//! asked for, and client certificates.

use std::path::Path;

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::json;

use crate::support::{
    Portal, TestProxy, eventually,
    pki::{Pki, Signed, request_by_name},
    proxy::TestProxyBuilder,
};

fn proxy(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal).generic(&[("/**", "open")])
}

#[test]
fn hsts_is_sent_over_https_only() {
    let portal = Portal::answering("").start();
    let value = "max-age=31536000; includeSubDomains";
    let proxy = proxy(&portal).tls().trusting("127.0.0.0/8").setting("server.hsts", value).start();
    for (ask, expected) in [
        (proxy.get("/").tls(), Some(value)),
        (proxy.get("/").tls().http2(), Some(value)),
        (proxy.get("/.doorward/nothing").tls(), Some(value)),
        (proxy.get("/a/../b").tls(), Some(value)),
        (proxy.get("/").header("x-forwarded-proto", "https"), Some(value)),
        // RFC 6797 §7.2
        (proxy.get("/"), None),
        (proxy.get("/").header("x-forwarded-proto", "http"), None),
    ] {
        assert_eq!(ask.send().header("strict-transport-security"), expected);
    }
    let mistakes =
        TestProxy::in_front_of(&portal).setting("server.hsts", "one year").try_start().err().unwrap();
    assert_eq!(mistakes[0].key, "server.hsts");
}

#[test]
fn attack_eavesdropping_on_a_request_in_clear_text() {
    let portal = Portal::answering("").start();
    let redirecting = proxy(&portal).tls().trusting("127.0.0.0/8").setting("server.redirect_to_https", true);
    let proxy = redirecting.start();
    let port = proxy.running.https[0].port();
    let answer = proxy.get("/a/b?c=d").host("portal.test:8080").browser().send();
    assert_eq!(answer.status, 308);
    let configured = answer.header("location").unwrap();
    assert!(
        configured == "https://portal.test:0/a/b?c=d" || configured.contains(&port.to_string()),
        "{configured}"
    );
    // the proxy before Doorward is at the usual port
    let ask = proxy.get("/x").header("x-forwarded-proto", "http").header("x-forwarded-host", "portal.test");
    assert_eq!(ask.send().header("location"), Some("https://portal.test/x"));
    for target in ["/login", "/.doorward/sign-in"] {
        let answer = proxy.post(target).body("password=secret").send();
        assert_eq!((answer.status, answer.header("location")), (403, None), "{target}");
    }
    assert_eq!(proxy.get("/.doorward/sign-in").send().status, 308);
    assert!(portal.received_nothing());
    assert_eq!(proxy.get("/").tls().send().status, 200);
    assert_eq!(proxy.get("/").header("x-forwarded-proto", "https").send().status, 200);
    let endless =
        TestProxy::in_front_of(&portal).setting("server.redirect_to_https", true).try_start().err().unwrap();
    assert_eq!(endless[0].key, "server.redirect_to_https");
}

/// A name of the attacker's that resolves here: the portal would write it into links, and a cache keep them.
#[test]
fn attack_host_that_this_server_does_not_serve() {
    let portal = Portal::answering("").start();
    let proxy = proxy(&portal)
        .setting("server.allowed_hosts", json!(["portal.test", ".users.test"]))
        .setting("server.public_url", "http://public.test")
        .setting("tenancy.hosts", json!({"acme.test": "acme.com"}))
        .tenant("acme.com", &json!({}))
        .start();
    for host in
        ["evil.test", "portal.test.evil.test", "notportal.test", "users.test", "127.0.0.1", "portal.test.."]
    {
        for target in ["/", "/.doorward/tenants"] {
            let status = proxy.get(target).host(host).send().status;
            assert!(status == 421 || (host.ends_with("..") && status == 400), "{host} {target}: {status}");
            let status = proxy.get(target).http2().host(host).send().status;
            assert!(status == 421 || (host.ends_with("..") && status == 400), "{host} {target}: {status}");
        }
    }
    assert!(portal.received_nothing());
    for host in ["portal.test", "PORTAL.test:8080", "a.users.test", "public.test", "acme.test"] {
        assert_eq!(proxy.get("/").host(host).send().status, 200, "{host}");
    }
}

fn der(signed: &Signed) -> Vec<u8> {
    CertificateDer::from_pem_file(&signed.cert).unwrap().to_vec()
}

fn with_certificate(proxy: TestProxyBuilder, signed: &Signed) -> TestProxyBuilder {
    proxy
        .setting("server.tls.listen", vec!["127.0.0.1:0"])
        .setting("server.tls.cert_file", signed.cert.to_str().unwrap())
        .setting("server.tls.key_file", signed.key.to_str().unwrap())
}

#[test]
fn selects_the_certificate_by_sni() {
    let (portal, folder) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let pki = Pki::new(folder.path());
    let first = pki.server_at("first", &["first.test"]);
    let second = pki.server_at("second", &["second.test", "*.wild.test"]);
    let third = pki.server_at("third", &["third.test"]);
    let more: Vec<_> = [&second, &third]
        .map(|signed| json!({"cert_file": signed.cert, "key_file": signed.key}))
        .into_iter()
        .collect();
    let proxy = with_certificate(proxy(&portal), &first).setting("server.tls.certificate", more).start();
    let shown = |name: &str| request_by_name(proxy.running.https[0], name, None).unwrap().0;
    for (name, signed) in [
        ("first.test", &first),
        ("second.test", &second),
        ("SECOND.test", &second),
        ("a.wild.test", &second),
        ("third.test", &third),
        ("a.b.wild.test", &first),
        ("unknown.test", &first),
        ("127.0.0.1", &first),
    ] {
        assert_eq!(shown(name), der(signed), "{name}");
    }
    // renewed while connections go on
    let renewed = pki.server_at("third", &["third.test"]);
    eventually(|| shown("third.test") == der(&renewed));
    assert_eq!(shown("second.test"), der(&second));
}

#[test]
fn attack_client_without_a_certificate_of_the_authority() {
    let (portal, folder) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let path = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        path
    };
    let (ours, others) = (Pki::new(&path("ours")), Pki::new(&path("others")));
    let (known, foreign, server) = (ours.client(), others.client(), ours.server());
    let start = |ca: &Path, mode: Option<&str>| {
        let proxy = with_certificate(proxy(&portal), &server);
        let proxy = proxy.setting("server.tls.client_ca_file", ca.to_str().unwrap());
        match mode {
            Some(mode) => proxy.setting("server.tls.client_auth", mode),
            None => proxy,
        }
        .start()
    };
    for (mode, without, with_foreign) in [
        (None, false, false),
        (Some("required"), false, false),
        (Some("optional"), true, false),
        (Some("off"), true, true),
    ] {
        let proxy = start(&ours.ca(), mode);
        let is_served = |client: Option<&Signed>| {
            let asked = request_by_name(proxy.running.https[0], "localhost", client);
            asked.is_ok_and(|(_, status)| status == "HTTP/1.1 200 OK")
        };
        assert!(is_served(Some(&known)), "{mode:?}");
        assert_eq!((is_served(None), is_served(Some(&foreign))), (without, with_foreign), "{mode:?}");
    }
    // another authority is in force as soon as its file has it
    let file = folder.path().join("ca.pem");
    std::fs::copy(ours.ca(), &file).unwrap();
    let proxy = start(&file, None);
    let is_served = |client: &Signed| {
        let asked = request_by_name(proxy.running.https[0], "localhost", Some(client));
        asked.is_ok_and(|(_, status)| status == "HTTP/1.1 200 OK")
    };
    assert!(is_served(&known) && !is_served(&foreign));
    std::fs::copy(others.ca(), &file).unwrap();
    eventually(|| is_served(&foreign) && !is_served(&known));
    let mistakes = with_certificate(TestProxy::in_front_of(&portal), &server)
        .setting("server.tls.client_auth", "required")
        .try_start()
        .err()
        .unwrap();
    assert_eq!(mistakes[0].key, "server.tls.client_auth");
}

#[test]
fn attack_administration_without_a_client_certificate() {
    let (portal, folder) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let pki = Pki::new(folder.path());
    let (server, client) = (pki.server(), pki.client());
    let proxy = TestProxy::in_front_of(&portal)
        .management()
        .setting("management.cert_file", server.cert.to_str().unwrap())
        .setting("management.key_file", server.key.to_str().unwrap())
        .setting("management.client_ca_file", pki.ca().to_str().unwrap())
        .start();
    let ask =
        |client: Option<&Signed>| request_by_name(proxy.running.management.unwrap(), "localhost", client);
    assert!(ask(None).is_err_and(|error| error.to_string().contains("CertificateRequired")));
    assert_eq!(ask(Some(&client)).unwrap().1, "HTTP/1.1 401 Unauthorized");
}
