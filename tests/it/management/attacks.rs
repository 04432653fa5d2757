//! Attacks on the API, by name.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    ask::basic,
    eventually,
    management::{Managed, PASSWORD, TENANT_CONFIG},
};

const OF_ACME: &str = "/t/acme.com/api/am/admin/v4/tenant-config";

#[test]
fn attack_a_session_cookie_is_no_credential() {
    let world = Managed::with(|gate| gate.setting("management.public", true));
    let mut browser = world.gate.visitor();
    browser.sign_in("carbon.super", "admin", PASSWORD);
    assert!(browser.is_signed_in());
    assert_eq!(browser.get(TENANT_CONFIG).status, 401);
    let cookies = browser.jar.header("/").unwrap();
    for public in [true, false] {
        let target = "/t/carbon.super/api/am/admin/v4/tenant-config";
        let ask = if public { world.gate.ask("GET", target) } else { world.ask("GET", target) };
        assert_eq!(ask.header("cookie", &cookies).send().status, 401);
    }
}

#[test]
fn attack_cross_site_request_with_the_password_a_browser_remembers() {
    let world = Managed::start();
    for site in ["cross-site", "same-site"] {
        let ask = world.ask("PUT", OF_ACME).basic("admin@carbon.super", PASSWORD);
        let ask = ask.json(&json!({"EnableAnonymous": false})).header("sec-fetch-site", site);
        assert_eq!(ask.send().status, 403, "{site}");
    }
    // what a form of another website may send without being asked is not read
    let ask = world.ask("PUT", OF_ACME).basic("admin@carbon.super", PASSWORD);
    let answer = ask.header("content-type", "text/plain").body("{\"EnableAnonymous\": false}").send();
    assert_eq!(answer.status, 415);
    let preflight = world.ask("OPTIONS", OF_ACME).header("origin", "https://evil.example");
    let answer = preflight.header("access-control-request-method", "PUT").send();
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert!(world.gate.lets_strangers_in("acme.com"));
}

#[test]
fn attack_a_tenants_administrator_reaches_for_another_tenant() {
    let world = Managed::start();
    for (method, target, headers) in [
        ("GET", "/t/beta.com/api/am/admin/v4/tenant-config", &[][..]),
        ("PUT", "/t/beta.com/api/am/admin/v4/tenant-config", &[]),
        ("PUT", "/t/carbon.super/api/am/admin/v4/tenant-config", &[]),
        ("PUT", "/t/beta.com/o/api/am/admin/v4/tenant-config", &[]),
        ("PUT", TENANT_CONFIG, &[("x-wso2-tenant", "beta.com")]),
        ("PUT", TENANT_CONFIG, &[("X-WSO2-TENANT", "carbon.super")]),
        ("PUT", "/api/am/admin/v4/tenant-config?tenant=beta.com", &[]),
    ] {
        let ask = world.ask(method, target).basic("admin@acme.com", PASSWORD);
        let ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
        let answer = ask.json(&json!({"EnableAnonymous": false})).send();
        assert_eq!(answer.status, 403, "{method} {target} {headers:?}");
    }
    for tenant in ["beta.com", "carbon.super"] {
        assert!(world.gate.lets_strangers_in(tenant));
    }
}

#[test]
fn attack_header_spoofing_two_tenants_in_one_request() {
    let world = Managed::start();
    for (target, headers) in [
        (OF_ACME, &[("x-wso2-tenant", "beta.com")][..]),
        (OF_ACME, &[("x-wso2-tenant", "acme.com"), ("x-wso2-tenant", "beta.com")]),
        (TENANT_CONFIG, &[("x-wso2-tenant", "acme.com, beta.com")]),
        ("/t/acme.com/api/am/admin/v4/tenant-config?tenant=beta.com", &[]),
    ] {
        let ask = world.ask("PUT", target).basic("admin@acme.com", PASSWORD);
        let ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
        let answer = ask.json(&json!({"EnableAnonymous": false})).send();
        assert_eq!(answer.status, 400, "{target} {headers:?}");
    }
    // other names for the same header are nobody's, and say nothing
    for name in ["x_wso2_tenant", "x-wso2-tenant-domain", "x-tenant", "x-forwarded-tenant"] {
        let ask = world.ask("GET", TENANT_CONFIG).basic("admin@acme.com", PASSWORD).header(name, "beta.com");
        assert_eq!(ask.send().status, 200, "{name}");
    }
    assert!(world.gate.lets_strangers_in("acme.com") && world.gate.lets_strangers_in("beta.com"));
}

#[test]
fn attack_path_traversal_in_the_tenants_name() {
    let world = Managed::start();
    let outside = world.gate.folder().join("tenant-conf.json");
    for tenant in
        ["..", ".", "%2e%2e", "..%2f", "acme.com%2f..", "..%5c", "acme.com%00", "%252e%252e", "~", ""]
    {
        let target = format!("/t/{tenant}/api/am/admin/v4/tenant-config");
        for user in ["admin@carbon.super", "admin"] {
            let answer = world.send_as(user, "PUT", &target, &json!({"EnableAnonymous": false}));
            assert!((400..500).contains(&answer.status), "{target}: {}", answer.status);
        }
        let header = world.ask("PUT", TENANT_CONFIG).basic("admin", PASSWORD).header("x-wso2-tenant", tenant);
        if !tenant.is_empty() {
            assert!(header.json(&json!({})).send().status >= 400, "{tenant}");
        }
    }
    assert!(!outside.exists() && !world.gate.tenants.folder.join("tenant-conf.json").exists());
}

#[test]
fn attack_brute_force_over_basic_is_counted_by_the_lockout() {
    let world = Managed::with(|gate| {
        gate.setting("account_lock.enabled", true).setting("account_lock.max_attempts", 3)
    });
    let ask = |password: &str| world.ask("GET", OF_ACME).basic("admin@acme.com", password).send().status;
    for guess in 0..3 {
        assert_eq!(ask(&format!("guess-{guess}")), 401);
    }
    assert_eq!(ask(PASSWORD), 401, "locked");
    // at every door
    let mut browser = world.gate.visitor();
    browser.sign_in("acme.com", "admin", PASSWORD);
    assert!(!browser.is_signed_in());
    // and the other way round
    for _ in 0..3 {
        world.gate.visitor().sign_in("beta.com", "admin", "wrong");
    }
    let beta = "/t/beta.com/api/am/admin/v4/tenant-config";
    assert_eq!(world.ask("GET", beta).basic("admin@beta.com", PASSWORD).send().status, 401);
}

#[test]
fn attack_brute_force_in_parallel_has_no_more_guesses() {
    let world = Managed::with(|gate| {
        gate.setting("account_lock.enabled", true).setting("account_lock.max_attempts", 3)
    });
    std::thread::scope(|scope| {
        for guess in 0..20 {
            let world = &world;
            scope.spawn(move || {
                let ask = world.ask("GET", OF_ACME).basic("admin@acme.com", &format!("guess-{guess}"));
                assert_eq!(ask.send().status, 401);
            });
        }
    });
    assert_eq!(world.get_as("admin@acme.com", OF_ACME).status, 401);
}

#[test]
fn attack_oversized_bodies_and_heads_are_not_kept() {
    let world = Managed::start();
    let head = |length: usize, authorization: &str| {
        format!(
            "PUT {OF_ACME} HTTP/1.1\r\nhost: x\r\n{authorization}content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let signed_in = format!("authorization: {}\r\n", basic("admin@acme.com", PASSWORD));
    // who is nobody sends nothing
    let mut wire = world.gate.manage_raw(head(10_000_000, ""));
    assert_eq!(wire.answer("PUT").unwrap().status, 401);
    let body = vec![b' '; 1024 * 1024 + 1];
    let ask = world.ask("PUT", OF_ACME).basic("admin@acme.com", PASSWORD);
    let answer = ask.header("content-type", "application/json").body(body).send();
    assert_eq!(answer.status, 413);
    let mut wire = world.gate.manage_raw(head(10_000_000_000, &signed_in));
    let _ = wire.try_write(vec![b' '; 1024 * 1024 + 1]);
    assert_eq!(wire.answer("PUT").unwrap().status, 413);
    let long = "x".repeat(100_000);
    let answer =
        world.gate.manage_raw(format!("GET / HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n")).answer("GET");
    assert!(answer.is_err() || answer.unwrap().status == 431);
    assert_eq!(world.get(OF_ACME).text(), "{}");
}

#[test]
fn attack_slow_bodies_and_slow_heads_hold_nobody_up() {
    let world = Managed::with(|gate| gate.setting("limits.header_timeout", "1s"));
    let begun = Instant::now();
    let mut slow_head = world.gate.manage_raw("GET / HTTP/1.1\r\nhost: x\r\n");
    let mut slow_body = world.gate.manage_raw(format!(
        "PUT {OF_ACME} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-type: application/json\r\ncontent-length: 25\r\n\r\n{{",
        basic("admin@acme.com", PASSWORD)
    ));
    assert!(slow_head.answer("GET").is_err());
    assert!(begun.elapsed() < Duration::from_secs(8));
    // others are served meanwhile
    assert_eq!(world.get(OF_ACME).status, 200);
    let answer = slow_body.answer("PUT").unwrap();
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    eventually(|| world.get(OF_ACME).text() == "{}");
}

#[test]
fn attack_a_secret_in_the_clear_is_in_no_log() {
    let world = Managed::with(|gate| {
        let file = gate.folder().join("access.log").display().to_string();
        gate.setting("log.access", file)
    });
    world.get(&format!("{OF_ACME}?password={PASSWORD}"));
    let log = world.gate.folder().join("access.log");
    eventually(|| std::fs::read_to_string(&log).unwrap_or_default().contains("tenant-config"));
    assert!(!std::fs::read_to_string(&log).unwrap().contains(PASSWORD));
}

/// Attack: a tenant's administrator names a "sign-in" of the portal's that always works, and gives it another tenant's name
/// between two guesses.
#[test]
fn attack_a_tenants_own_guard_forgives_no_guess_at_another_tenants_administrator() {
    let world = Managed::with(|gate| {
        gate.setting("account_lock.enabled", true).setting("account_lock.max_attempts", 3)
    });
    let guards = json!([{"match": "/commonauth", "user_in": "json", "succeeded_status": [200, 404]}]);
    let conf = json!({"EnableAnonymous": true, "Doorward": {"guards": guards}});
    let answer = world.send_as("admin@acme.com", "PUT", OF_ACME, &conf);
    assert_eq!(answer.status, 200, "{}", answer.text());
    for guess in 0..6 {
        let password = format!("guess-{guess}");
        assert_eq!(world.ask("GET", TENANT_CONFIG).basic("admin@carbon.super", &password).send().status, 401);
        let forgive = world.gate.post("/commonauth").tenant("acme.com").api_client();
        let answer = forgive.json(&json!({"username": "admin@carbon.super", "password": "x"})).send();
        // the portal is asked until the name is locked
        assert_eq!(answer.status, if guess < 2 { 200 } else { 401 }, "{guess}");
    }
    assert_eq!(world.get(TENANT_CONFIG).status, 401, "locked after three guesses");
}
