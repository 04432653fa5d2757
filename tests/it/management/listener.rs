//! Where the API can be reached, and where it cannot.

use serde_json::json;

use crate::support::{
    Portal, TestProxy,
    binary::doorward,
    eventually,
    management::{GOVERNANCE, ManagementFixture, PASSWORD, TENANT_CONFIG},
    pki::server_certificate,
    request::{Endpoint, RequestBuilder},
};

#[test]
fn disabled_api_forwards_its_paths_to_the_portal() {
    let portal = Portal::answering("the portal").start();
    let proxy = TestProxy::in_front_of(&portal).accounts().generic(&[("/**", "open")]).start();
    assert_eq!(proxy.running.management, None);
    for path in [GOVERNANCE, TENANT_CONFIG, "/t/carbon.super/api/server/v1/identity-governance"] {
        assert_eq!(proxy.get(path).send().text(), "the portal", "{path}");
    }
}

#[test]
fn own_listener_leaves_public_ports_to_the_portal() {
    let fixture = ManagementFixture::with(|proxy| proxy.generic(&[("/**", "open")]));
    assert_eq!(fixture.proxy.get(TENANT_CONFIG).basic("admin", PASSWORD).send().text(), "the portal");
    assert_eq!(fixture.get(TENANT_CONFIG).status, 200);
    // and nothing else is there
    for path in ["/", "/devportal/apis", "/.doorward/sign-in", "/api/server/v1/identity-governances"] {
        let answer = fixture.get(path);
        assert_eq!((answer.status, answer.json()["code"].as_str().unwrap()), (404, "MGT-40400"), "{path}");
    }
}

#[test]
fn public_access_is_switched_without_a_restart() {
    let mut fixture =
        ManagementFixture::with(|proxy| proxy.generic(&[("/**", "open")]).setting("management.public", true));
    let ask =
        |fixture: &ManagementFixture, path: &str| fixture.proxy.get(path).basic("admin", PASSWORD).send();
    for path in [TENANT_CONFIG, "/t/acme.com/api/am/admin/v4/tenant-config"] {
        let user = if path.starts_with("/t/") { "admin@carbon.super" } else { "admin" };
        let answer = fixture.proxy.get(path).basic(user, PASSWORD).send();
        assert_eq!((answer.status, answer.text().as_str()), (200, "{}"), "{path}");
        assert_eq!(fixture.proxy.get(path).send().status, 401, "{path}");
    }
    assert_eq!(ask(&fixture, "/devportal").text(), "the portal");
    fixture.proxy.edit_deployment("management.public", false);
    eventually(|| ask(&fixture, TENANT_CONFIG).text() == "the portal");
}

#[test]
fn explain_names_the_management_api_at_a_public_port() {
    let mut fixture = ManagementFixture::with(|proxy| proxy.setting("management.public", true));
    let message = |fixture: &ManagementFixture, url: &str| {
        let ask = fixture.proxy.admin_request("POST", "/explain").header("content-type", "application/json");
        ask.body(json!({ "url": url }).to_string()).send().json()
    };
    let acmes = format!("/t/acme.com{GOVERNANCE}");
    let ours = "the management API answers here, not the portal";
    for (path, tenant) in [
        (GOVERNANCE, "carbon.super (default: the request selects none)"),
        (TENANT_CONFIG, "the caller's own (the request selects none)"),
        (&acmes, "acme.com (named by the request"),
    ] {
        let explained = message(&fixture, path);
        let steps = explained["steps"].to_string();
        assert!(steps.contains(ours) && steps.contains(tenant) && !steps.contains("[\"route\""), "{steps}");
        assert_eq!((&explained["verdict"], &explained["status"]), (&json!("allow"), &json!(null)), "{path}");
    }
    assert!(!message(&fixture, "/devportal/apis")["steps"].to_string().contains(ours));
    assert!(
        !message(&fixture, &format!("/x/..%2f{GOVERNANCE}"))["steps"].to_string().contains(ours),
        "not understood"
    );
    fixture.proxy.edit_deployment("management.public", false);
    eventually(|| !message(&fixture, GOVERNANCE)["steps"].to_string().contains(ours));
    assert!(message(&fixture, GOVERNANCE)["steps"].to_string().contains("[\"route\""), "the portal's");
}

/// With a listener of its own only, and at the command line.
#[test]
fn explain_routes_to_the_portal_if_the_api_is_not_public() {
    let portal = Portal::answering("").start();
    for (public, ours) in [(true, true), (false, false)] {
        let (file, _home) =
            TestProxy::in_front_of(&portal).management().setting("management.public", public).write();
        let output = doorward(["explain", GOVERNANCE, "--config", file.to_str().unwrap()]);
        let message = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(message.contains("the management API answers here, not the portal"), ours, "{message}");
        assert_eq!(message.contains("route "), !ours, "{message}");
    }
}

#[test]
fn tenant_host_selects_the_tenant_at_the_public_port() {
    let fixture = ManagementFixture::with(|proxy| {
        proxy.setting("management.public", true).setting("tenancy.hosts", json!({"acme.example": "acme.com"}))
    });
    let ask = |target: &str, user: &str| {
        fixture.proxy.get(target).host("acme.example").basic(user, PASSWORD).send().status
    };
    assert_eq!(ask(TENANT_CONFIG, "admin@acme.com"), 200);
    assert_eq!(ask(TENANT_CONFIG, "admin"), 200, "of the host's tenant");
    assert_eq!(ask(TENANT_CONFIG, "admin@beta.com"), 403);
    assert_eq!(ask("/t/beta.com/api/am/admin/v4/tenant-config", "admin@carbon.super"), 400, "two tenants");
}

#[test]
fn tls_serves_both_protocols_and_reloads_its_certificate() {
    let fixture = ManagementFixture::with(|proxy| {
        let file = |name: &str| proxy.folder().join(name).display().to_string();
        let (cert, key) = (file("cert.pem"), file("key.pem"));
        proxy.tls().setting("management.cert_file", cert).setting("management.key_file", key)
    });
    let ask = || fixture.ask("GET", TENANT_CONFIG).basic("admin", PASSWORD).tls();
    assert_eq!(ask().send().status, 200);
    assert_eq!(ask().http2().send().status, 200);
    let addr = fixture.proxy.running.management.unwrap();
    let before = server_certificate(addr);
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(fixture.proxy.folder().join("cert.pem"), certificate.cert.pem()).unwrap();
    std::fs::write(fixture.proxy.folder().join("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
    eventually(|| server_certificate(addr) != before);
}

#[test]
fn http2_in_clear_text_by_prior_knowledge() {
    let fixture = ManagementFixture::start();
    assert_eq!(fixture.ask("GET", TENANT_CONFIG).basic("admin", PASSWORD).http2().send().status, 200);
}

#[test]
fn passwords_are_accepted_only_over_encrypted_connections() {
    // a proxy before us says the client used http
    let fixture = ManagementFixture::with(|proxy| proxy.trusting("127.0.0.1"));
    let ask = |proto: &str| {
        let ask = fixture.ask("GET", TENANT_CONFIG).basic("admin", PASSWORD);
        ask.header("x-forwarded-for", "192.0.2.7").header("x-forwarded-proto", proto).send().status
    };
    assert_eq!((ask("https"), ask("http")), (200, 403));
    let meshed =
        ManagementFixture::with(|proxy| proxy.trusting("127.0.0.1").setting("management.clear_text", true));
    let ask = meshed.ask("GET", TENANT_CONFIG).basic("admin", PASSWORD);
    let answer = ask.header("x-forwarded-for", "192.0.2.7").header("x-forwarded-proto", "http").send();
    assert_eq!(answer.status, 200);
}

#[test]
fn every_response_carries_the_request_id() {
    let fixture = ManagementFixture::start();
    for (method, path) in
        [("GET", TENANT_CONFIG), ("GET", "/nothing"), ("BREW", TENANT_CONFIG), ("GET", "//x")]
    {
        let answer = fixture.ask(method, path).send();
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert_eq!((id.len(), answer.json()["traceId"].as_str()), (32, Some(id.as_str())), "{method} {path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let fine = fixture.get(TENANT_CONFIG);
    assert!(fine.status == 200 && fine.header("x-request-id").is_some());
}

#[test]
fn access_log_names_user_and_tenant() {
    let fixture = ManagementFixture::with(|proxy| {
        let file = proxy.folder().join("access.log").display().to_string();
        proxy.setting("log.access", file)
    });
    fixture.get("/t/acme.com/api/am/admin/v4/tenant-config");
    let log = fixture.proxy.folder().join("access.log");
    eventually(|| {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.lines().any(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["user"] == "admin@carbon.super"
                && line["tenant"] == "acme.com"
                && line["reason"] == "management"
                && line["status"] == 200
        })
    });
}

#[test]
fn drain_finishes_requests_of_the_management_api() {
    let mut fixture = ManagementFixture::with(|proxy| proxy.setting("server.drain_timeout", "10s"));
    let body = "{\"EnableAnonymous\": true}";
    // a request whose body has not arrived yet
    let mut wire = fixture.proxy.raw_management(format!(
        "PUT {TENANT_CONFIG} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        crate::support::request::basic("admin", PASSWORD),
        body.len()
    ));
    wire.write(&body[..5]);
    let control = fixture.proxy.running.control();
    control.advance(doorward::internals::server::drain::DrainPhase::Draining);
    eventually(|| control.phase() >= doorward::internals::server::drain::DrainPhase::Closing);
    wire.write(&body[5..]);
    assert_eq!(wire.answer("PUT").unwrap().status, 200);
    fixture.proxy.running.stop();
}

#[test]
fn logs_the_listen_address_and_changed_files() {
    let portal = Portal::answering("the portal").start();
    let binary =
        TestProxy::in_front_of(&portal).accounts().setting("management.listen", "127.0.0.1:0").serve();
    let (config, password) = (binary.folder().join("deployment.toml"), binary.folder().join("password"));
    std::fs::write(&password, PASSWORD).unwrap();
    let [config, password] = [config, password].map(|path| path.display().to_string());
    let words =
        ["user", "add", "admin", "--role", "admin", "--config", &config, "--password-file", &password];
    assert!(doorward(words).status.success());
    let serving = binary.log_line("serving").unwrap();
    let http = serving["management"].as_str().unwrap().parse().unwrap();
    let put = RequestBuilder::new(Endpoint { http, https: None, tls_clients: None }, "PUT", TENANT_CONFIG);
    let answer = put.basic("admin", PASSWORD).json(&json!({"EnableAnonymous": false})).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let changed = binary.log_line("file changed").unwrap();
    assert_eq!([&changed["target"], &changed["file"]], ["doorward::audit", "tenant-conf.json"]);
}
