//! Where the API can be reached, and where it cannot.

use serde_json::json;

use crate::support::{
    Gate, Portal,
    ask::{Ask, Door},
    binary::doorward,
    eventually,
    management::{GOVERNANCE, Managed, PASSWORD, TENANT_CONFIG},
    pki::shown_certificate,
};

#[test]
fn off_by_default_its_paths_are_the_portals() {
    let portal = Portal::answering("the portal").start();
    let gate = Gate::before(&portal).accounts().generic(&[("/**", "open")]).start();
    assert_eq!(gate.running.management, None);
    for path in [GOVERNANCE, TENANT_CONFIG, "/t/carbon.super/api/server/v1/identity-governance"] {
        assert_eq!(gate.get(path).send().text(), "the portal", "{path}");
    }
}

#[test]
fn with_a_listener_of_its_own_the_public_ports_still_lead_to_the_portal() {
    let world = Managed::with(|gate| gate.generic(&[("/**", "open")]));
    assert_eq!(world.gate.get(TENANT_CONFIG).basic("admin", PASSWORD).send().text(), "the portal");
    assert_eq!(world.get(TENANT_CONFIG).status, 200);
    // and nothing else is there
    for path in ["/", "/devportal/apis", "/.doorward/sign-in", "/api/server/v1/identity-governances"] {
        let answer = world.get(path);
        assert_eq!((answer.status, answer.json()["code"].as_str().unwrap()), (404, "MGT-40400"), "{path}");
    }
}

#[test]
fn public_on_demand_and_taken_back_without_a_restart() {
    let mut world = Managed::with(|gate| gate.generic(&[("/**", "open")]).setting("management.public", true));
    let ask = |world: &Managed, path: &str| world.gate.get(path).basic("admin", PASSWORD).send();
    for path in [TENANT_CONFIG, "/t/acme.com/api/am/admin/v4/tenant-config"] {
        let user = if path.starts_with("/t/") { "admin@carbon.super" } else { "admin" };
        let answer = world.gate.get(path).basic(user, PASSWORD).send();
        assert_eq!((answer.status, answer.text().as_str()), (200, "{}"), "{path}");
        assert_eq!(world.gate.get(path).send().status, 401, "{path}");
    }
    assert_eq!(ask(&world, "/devportal").text(), "the portal");
    world.gate.edit_deployment("management.public", false);
    eventually(|| ask(&world, TENANT_CONFIG).text() == "the portal");
}

#[test]
fn explain_says_who_answers_at_a_public_port() {
    let mut world = Managed::with(|gate| gate.setting("management.public", true));
    let told = |world: &Managed, url: &str| {
        let ask = world.gate.admin_ask("POST", "/explain").header("content-type", "application/json");
        ask.body(json!({ "url": url }).to_string()).send().json()
    };
    let acmes = format!("/t/acme.com{GOVERNANCE}");
    let ours = "the management API answers here, not the portal";
    for (path, tenant) in [
        (GOVERNANCE, "carbon.super (nobody named one)"),
        (TENANT_CONFIG, "the caller's own (nobody named one)"),
        (&acmes, "acme.com (named by the request"),
    ] {
        let explained = told(&world, path);
        let steps = explained["steps"].to_string();
        assert!(steps.contains(ours) && steps.contains(tenant) && !steps.contains("[\"route\""), "{steps}");
        assert_eq!((&explained["verdict"], &explained["status"]), (&json!("allow"), &json!(null)), "{path}");
    }
    assert!(!told(&world, "/devportal/apis")["steps"].to_string().contains(ours));
    assert!(
        !told(&world, &format!("/x/..%2f{GOVERNANCE}"))["steps"].to_string().contains(ours),
        "not understood"
    );
    world.gate.edit_deployment("management.public", false);
    eventually(|| !told(&world, GOVERNANCE)["steps"].to_string().contains(ours));
    assert!(told(&world, GOVERNANCE)["steps"].to_string().contains("[\"route\""), "the portal's");
}

/// With a listener of its own only, and at the command line.
#[test]
fn explain_leaves_paths_to_the_portal_while_the_api_is_not_public() {
    let portal = Portal::answering("").start();
    for (public, ours) in [(true, true), (false, false)] {
        let (file, _home) = Gate::before(&portal).management().setting("management.public", public).write();
        let output = doorward(["explain", GOVERNANCE, "--config", file.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(told.contains("the management API answers here, not the portal"), ours, "{told}");
        assert_eq!(told.contains("route "), !ours, "{told}");
    }
}

#[test]
fn a_host_of_a_tenant_names_the_tenant_at_the_public_port() {
    let world = Managed::with(|gate| {
        gate.setting("management.public", true).setting("tenancy.hosts", json!({"acme.example": "acme.com"}))
    });
    let ask = |target: &str, user: &str| {
        world.gate.get(target).host("acme.example").basic(user, PASSWORD).send().status
    };
    assert_eq!(ask(TENANT_CONFIG, "admin@acme.com"), 200);
    assert_eq!(ask(TENANT_CONFIG, "admin"), 200, "of the host's tenant");
    assert_eq!(ask(TENANT_CONFIG, "admin@beta.com"), 403);
    assert_eq!(ask("/t/beta.com/api/am/admin/v4/tenant-config", "admin@carbon.super"), 400, "two tenants");
}

#[test]
fn tls_with_both_protocols_and_a_certificate_that_is_read_again() {
    let world = Managed::with(|gate| {
        let file = |name: &str| gate.folder().join(name).display().to_string();
        let (cert, key) = (file("cert.pem"), file("key.pem"));
        gate.tls().setting("management.cert_file", cert).setting("management.key_file", key)
    });
    let ask = || world.ask("GET", TENANT_CONFIG).basic("admin", PASSWORD).tls();
    assert_eq!(ask().send().status, 200);
    assert_eq!(ask().http2().send().status, 200);
    let addr = world.gate.running.management.unwrap();
    let before = shown_certificate(addr);
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(world.gate.folder().join("cert.pem"), certificate.cert.pem()).unwrap();
    std::fs::write(world.gate.folder().join("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
    eventually(|| shown_certificate(addr) != before);
}

#[test]
fn http2_in_clear_text_by_prior_knowledge() {
    let world = Managed::start();
    assert_eq!(world.ask("GET", TENANT_CONFIG).basic("admin", PASSWORD).http2().send().status, 200);
}

#[test]
fn passwords_count_only_where_nobody_could_read_them() {
    // a proxy before us says the client used http
    let world = Managed::with(|gate| gate.trusting("127.0.0.1"));
    let ask = |proto: &str| {
        let ask = world.ask("GET", TENANT_CONFIG).basic("admin", PASSWORD);
        ask.header("x-forwarded-for", "192.0.2.7").header("x-forwarded-proto", proto).send().status
    };
    assert_eq!((ask("https"), ask("http")), (200, 403));
    let meshed = Managed::with(|gate| gate.trusting("127.0.0.1").setting("management.clear_text", true));
    let ask = meshed.ask("GET", TENANT_CONFIG).basic("admin", PASSWORD);
    let answer = ask.header("x-forwarded-for", "192.0.2.7").header("x-forwarded-proto", "http").send();
    assert_eq!(answer.status, 200);
}

#[test]
fn every_answer_has_a_request_id_and_every_refusal_names_it() {
    let world = Managed::start();
    for (method, path) in
        [("GET", TENANT_CONFIG), ("GET", "/nothing"), ("BREW", TENANT_CONFIG), ("GET", "//x")]
    {
        let answer = world.ask(method, path).send();
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert_eq!((id.len(), answer.json()["traceId"].as_str()), (32, Some(id.as_str())), "{method} {path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let fine = world.get(TENANT_CONFIG);
    assert!(fine.status == 200 && fine.header("x-request-id").is_some());
}

#[test]
fn a_request_is_in_the_access_log_with_who_and_whose() {
    let world = Managed::with(|gate| {
        let file = gate.folder().join("access.log").display().to_string();
        gate.setting("log.access", file)
    });
    world.get("/t/acme.com/api/am/admin/v4/tenant-config");
    let log = world.gate.folder().join("access.log");
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
fn it_leaves_with_the_rest_and_finishes_what_it_has_begun() {
    let mut world = Managed::with(|gate| gate.setting("server.drain_timeout", "10s"));
    let body = "{\"EnableAnonymous\": true}";
    // a request whose body is still on its way
    let mut wire = world.gate.manage_raw(format!(
        "PUT {TENANT_CONFIG} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        crate::support::ask::basic("admin", PASSWORD),
        body.len()
    ));
    wire.write(&body[..5]);
    let control = world.gate.running.control();
    control.advance(doorward::server::drain::Phase::Leaving);
    eventually(|| control.phase() >= doorward::server::drain::Phase::Closing);
    wire.write(&body[5..]);
    assert_eq!(wire.answer("PUT").unwrap().status, 200);
    world.gate.running.stop();
}

#[test]
fn the_log_says_where_it_is_and_which_file_was_changed() {
    let portal = Portal::answering("the portal").start();
    let binary = Gate::before(&portal).accounts().setting("management.listen", "127.0.0.1:0").serve();
    let (config, password) = (binary.folder().join("deployment.toml"), binary.folder().join("password"));
    std::fs::write(&password, PASSWORD).unwrap();
    let [config, password] = [config, password].map(|path| path.display().to_string());
    let words =
        ["user", "add", "admin", "--role", "admin", "--config", &config, "--password-file", &password];
    assert!(doorward(words).status.success());
    let serving = binary.said("serving").unwrap();
    let http = serving["management"].as_str().unwrap().parse().unwrap();
    let put = Ask::new(Door { http, https: None, trust: None }, "PUT", TENANT_CONFIG);
    let answer = put.basic("admin", PASSWORD).json(&json!({"EnableAnonymous": false})).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let changed = binary.said("a file was changed").unwrap();
    assert_eq!([&changed["target"], &changed["file"]], ["doorward::audit", "tenant-conf.json"]);
}
