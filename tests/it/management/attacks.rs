//! Attacks on the API, by name.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    eventually,
    management::{ManagementFixture, PASSWORD, TENANT_CONFIG},
    request::basic,
    wire::Wire,
};

const OF_ACME: &str = "/t/acme.com/api/am/admin/v4/tenant-config";

#[test]
fn attack_a_session_cookie_is_no_credential() {
    let fixture = ManagementFixture::with(|proxy| proxy.setting("management.public", true));
    let mut browser = fixture.proxy.browser();
    browser.sign_in("carbon.super", "admin", PASSWORD);
    assert!(browser.is_signed_in());
    assert_eq!(browser.get(TENANT_CONFIG).status, 401);
    let cookies = browser.jar.header("/").unwrap();
    for public in [true, false] {
        let target = "/t/carbon.super/api/am/admin/v4/tenant-config";
        let ask = if public { fixture.proxy.request("GET", target) } else { fixture.ask("GET", target) };
        assert_eq!(ask.header("cookie", &cookies).send().status, 401);
    }
}

/// Neither with connections to the management listener, nor with connections to the public ones.
#[test]
fn attack_one_client_takes_all_management_connections() {
    let none: [&str; 0] = [];
    let fixture = ManagementFixture::with(|proxy| {
        proxy.setting("limits.client.exempt", none.to_vec()).setting("limits.client.connections", 8)
    });
    let management = fixture.proxy.running.management.unwrap();
    let open = |from: &str, to: SocketAddr, at_most: usize| -> Vec<Wire> {
        let connect = |_| {
            let mut wire = Wire::connect_from(from.parse().unwrap(), to);
            wire.try_write("GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n").ok()?;
            wire.answer("GET").ok().map(|_| wire)
        };
        (0..at_most).map_while(connect).collect()
    };
    let public = open("127.1.1.1", fixture.proxy.addr(), 20);
    let greedy = open("127.1.1.1", management, 20);
    assert_eq!((public.len(), greedy.len()), (8, 8));
    assert_eq!(open("127.2.2.2", management, 3).len(), 3, "another client");
    let metrics = fixture.proxy.admin("/metrics").text();
    assert!(metrics.contains("client_limit_rejections_total{resource=\"connections\"} 2\n"), "{metrics}");
    drop(greedy);
    eventually(|| open("127.1.1.1", management, 1).len() == 1);
}

#[test]
fn attack_one_client_floods_the_management_api() {
    let fixture = ManagementFixture::with(|proxy| {
        proxy
            .trusting("127.0.0.0/8")
            .setting("management.clear_text", true)
            .setting("limits.client.requests_per_second", 1)
            .setting("limits.client.request_burst", 4)
    });
    let ask = |client: &str| fixture.ask("GET", TENANT_CONFIG).header("x-forwarded-for", client);
    let statuses = [(); 6].map(|()| ask("192.0.2.1").send().status);
    assert_eq!(statuses, [401, 401, 401, 401, 429, 429]);
    let refused = ask("192.0.2.1").basic("admin", PASSWORD).send();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(refused.json()["code"], "MGT-42900");
    let streams = [(); 6].map(|()| ask("198.51.100.7").http2().send().status);
    assert_eq!(streams, [401, 401, 401, 401, 429, 429], "each stream is a request");
    assert_eq!(ask("203.0.113.9").basic("admin", PASSWORD).send().status, 200, "another client");
}

#[test]
fn attack_cross_site_request_with_a_stored_password() {
    let fixture = ManagementFixture::start();
    for site in ["cross-site", "same-site"] {
        let ask = fixture.ask("PUT", OF_ACME).basic("admin@carbon.super", PASSWORD);
        let ask = ask.json(&json!({"EnableAnonymous": false})).header("sec-fetch-site", site);
        assert_eq!(ask.send().status, 403, "{site}");
    }
    // content types that a form of another website can send without a preflight are not read
    let ask = fixture.ask("PUT", OF_ACME).basic("admin@carbon.super", PASSWORD);
    let answer = ask.header("content-type", "text/plain").body("{\"EnableAnonymous\": false}").send();
    assert_eq!(answer.status, 415);
    let preflight = fixture.ask("OPTIONS", OF_ACME).header("origin", "https://evil.example");
    let answer = preflight.header("access-control-request-method", "PUT").send();
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert!(fixture.proxy.allows_anonymous("acme.com"));
}

#[test]
fn attack_tenant_administrator_accesses_another_tenant() {
    let fixture = ManagementFixture::start();
    for (method, target, headers) in [
        ("GET", "/t/beta.com/api/am/admin/v4/tenant-config", &[][..]),
        ("PUT", "/t/beta.com/api/am/admin/v4/tenant-config", &[]),
        ("PUT", "/t/carbon.super/api/am/admin/v4/tenant-config", &[]),
        ("PUT", "/t/beta.com/o/api/am/admin/v4/tenant-config", &[]),
        ("PUT", TENANT_CONFIG, &[("x-wso2-tenant", "beta.com")]),
        ("PUT", TENANT_CONFIG, &[("X-WSO2-TENANT", "carbon.super")]),
        ("PUT", "/api/am/admin/v4/tenant-config?tenant=beta.com", &[]),
    ] {
        let ask = fixture.ask(method, target).basic("admin@acme.com", PASSWORD);
        let ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
        let answer = ask.json(&json!({"EnableAnonymous": false})).send();
        assert_eq!(answer.status, 403, "{method} {target} {headers:?}");
    }
    for tenant in ["beta.com", "carbon.super"] {
        assert!(fixture.proxy.allows_anonymous(tenant));
    }
}

#[test]
fn attack_header_spoofing_two_tenants_in_one_request() {
    let fixture = ManagementFixture::start();
    for (target, headers) in [
        (OF_ACME, &[("x-wso2-tenant", "beta.com")][..]),
        (OF_ACME, &[("x-wso2-tenant", "acme.com"), ("x-wso2-tenant", "beta.com")]),
        (TENANT_CONFIG, &[("x-wso2-tenant", "acme.com, beta.com")]),
        ("/t/acme.com/api/am/admin/v4/tenant-config?tenant=beta.com", &[]),
    ] {
        let ask = fixture.ask("PUT", target).basic("admin@acme.com", PASSWORD);
        let ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
        let answer = ask.json(&json!({"EnableAnonymous": false})).send();
        assert_eq!(answer.status, 400, "{target} {headers:?}");
    }
    // other spellings of the same header are ignored
    for name in ["x_wso2_tenant", "x-wso2-tenant-domain", "x-tenant", "x-forwarded-tenant"] {
        let ask =
            fixture.ask("GET", TENANT_CONFIG).basic("admin@acme.com", PASSWORD).header(name, "beta.com");
        assert_eq!(ask.send().status, 200, "{name}");
    }
    assert!(fixture.proxy.allows_anonymous("acme.com") && fixture.proxy.allows_anonymous("beta.com"));
}

#[test]
fn attack_path_traversal_in_the_tenants_name() {
    let fixture = ManagementFixture::start();
    let outside = fixture.proxy.folder().join("tenant-conf.json");
    for tenant in
        ["..", ".", "%2e%2e", "..%2f", "acme.com%2f..", "..%5c", "acme.com%00", "%252e%252e", "~", ""]
    {
        let target = format!("/t/{tenant}/api/am/admin/v4/tenant-config");
        for user in ["admin@carbon.super", "admin"] {
            let answer = fixture.send_as(user, "PUT", &target, &json!({"EnableAnonymous": false}));
            assert!((400..500).contains(&answer.status), "{target}: {}", answer.status);
        }
        let header =
            fixture.ask("PUT", TENANT_CONFIG).basic("admin", PASSWORD).header("x-wso2-tenant", tenant);
        if !tenant.is_empty() {
            assert!(header.json(&json!({})).send().status >= 400, "{tenant}");
        }
    }
    assert!(!outside.exists() && !fixture.proxy.tenants.folder.join("tenant-conf.json").exists());
}

#[test]
fn attack_oversized_bodies_and_heads_are_not_kept() {
    let fixture = ManagementFixture::start();
    let head = |length: usize, authorization: &str| {
        format!(
            "PUT {OF_ACME} HTTP/1.1\r\nhost: x\r\n{authorization}content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let signed_in = format!("authorization: {}\r\n", basic("admin@acme.com", PASSWORD));
    // an anonymous request sends no identity headers
    let mut wire = fixture.proxy.raw_management(head(10_000_000, ""));
    assert_eq!(wire.answer("PUT").unwrap().status, 401);
    let body = vec![b' '; 1024 * 1024 + 1];
    let ask = fixture.ask("PUT", OF_ACME).basic("admin@acme.com", PASSWORD);
    let answer = ask.header("content-type", "application/json").body(body).send();
    assert_eq!(answer.status, 413);
    let mut wire = fixture.proxy.raw_management(head(10_000_000_000, &signed_in));
    let _ = wire.try_write(vec![b' '; 1024 * 1024 + 1]);
    assert_eq!(wire.answer("PUT").unwrap().status, 413);
    let long = "x".repeat(100_000);
    let answer =
        fixture.proxy.raw_management(format!("GET / HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n")).answer("GET");
    assert!(answer.is_err() || answer.unwrap().status == 431);
    assert_eq!(fixture.get(OF_ACME).text(), "{}");
}

#[test]
fn attack_slow_bodies_and_heads_block_others() {
    let fixture = ManagementFixture::with(|proxy| proxy.setting("limits.header_timeout", "1s"));
    let begun = Instant::now();
    let mut slow_head = fixture.proxy.raw_management("GET / HTTP/1.1\r\nhost: x\r\n");
    let mut slow_body = fixture.proxy.raw_management(format!(
        "PUT {OF_ACME} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-type: application/json\r\ncontent-length: 25\r\n\r\n{{",
        basic("admin@acme.com", PASSWORD)
    ));
    assert!(slow_head.answer("GET").is_err());
    assert!(begun.elapsed() < Duration::from_secs(8));
    // others are served meanwhile
    assert_eq!(fixture.get(OF_ACME).status, 200);
    let answer = slow_body.answer("PUT").unwrap();
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    eventually(|| fixture.get(OF_ACME).text() == "{}");
}

#[test]
fn attack_secret_in_the_access_log() {
    let fixture = ManagementFixture::with(|proxy| {
        let file = proxy.folder().join("access.log").display().to_string();
        proxy.setting("log.access", file)
    });
    fixture.get(&format!("{OF_ACME}?password={PASSWORD}"));
    let log = fixture.proxy.folder().join("access.log");
    eventually(|| std::fs::read_to_string(&log).unwrap_or_default().contains("tenant-config"));
    assert!(!std::fs::read_to_string(&log).unwrap().contains(PASSWORD));
}

/// Clients of the API read one shape of errors; a proxy that answers in another one hides why.
#[test]
fn attack_invalid_path_gets_an_error_of_another_api() {
    let fixture = ManagementFixture::with(|proxy| proxy.setting("management.public", true));
    for path in [
        "/api/server/v1/identity-governance/%00",
        "/api/server/v1/identity-governance/a%0d%0ab/connectors",
        "/api/server/v1/identity-governance/../identity-governance",
        "/api/server/v1/identity-governance/%2e%2e/x",
        "/api/server/v1/identity-governance/%ff",
        "/api/server/v1/identity-governance/%zz",
        "/api/server/v1/identity-governance/a%2fb",
        "/api/am/admin/v4/tenant-config/%1f",
        "/t/acme.com/api/am/admin/v4/tenant-config/..",
        "/t/%00/api/am/admin/v4/tenant-config",
    ] {
        for public in [true, false] {
            for browser in [true, false] {
                let ask = if public { fixture.proxy.get(path) } else { fixture.ask("GET", path) };
                let ask = if browser { ask.browser() } else { ask.api_client() };
                let answer = ask.basic("admin@carbon.super", PASSWORD).send();
                assert!(matches!(answer.status, 400 | 404), "{path} public: {public}: {}", answer.status);
                assert_eq!(
                    answer.header("content-type"),
                    Some("application/json"),
                    "{path} public: {public}"
                );
                assert!(answer.json()["code"].is_string(), "{path}: {}", answer.text());
            }
        }
    }
}

#[test]
fn attack_administration_from_a_network_that_is_not_allowed() {
    let fixture = ManagementFixture::with(|proxy| {
        proxy
            .setting("management.allow", json!(["192.0.2.0/24", "2001:db8::/32"]))
            .setting("account_lock.enabled", true)
            .setting("account_lock.max_attempts", 2)
            .trusting("127.0.0.0/8")
    });
    let ask = |from: &str, target: &str, password: &str| {
        let ask = fixture.ask("GET", target).basic("admin@carbon.super", password);
        ask.header("x-forwarded-for", from).header("x-forwarded-proto", "https").send()
    };
    for from in ["198.51.100.1", "2001:db9::1", "::ffff:198.51.100.1"] {
        for target in [
            TENANT_CONFIG,
            "/api/server/v1/identity-governance",
            "/api/server/v1/identity-governance/openapi.json",
        ] {
            let answer = ask(from, target, PASSWORD);
            assert_eq!(answer.status, 403, "{from} {target}");
            assert!(answer.json()["code"].is_string());
        }
    }
    for _ in 0..3 {
        assert_eq!(ask("198.51.100.1", TENANT_CONFIG, "wrong").status, 403, "not even counted");
    }
    for from in ["192.0.2.9", "2001:db8::9", "::ffff:192.0.2.9"] {
        assert_eq!(ask(from, TENANT_CONFIG, PASSWORD).status, 200, "{from}");
    }
}

/// A page of another website has the browser send the password it remembers.
#[test]
fn attack_foreign_origin_at_the_management_api() {
    let fixture = ManagementFixture::start();
    let own = format!("http://{}", fixture.proxy.running.management.unwrap());
    let ask = |origin: &str| {
        let ask = fixture.ask("GET", TENANT_CONFIG).basic("admin@carbon.super", PASSWORD);
        let host = own.trim_start_matches("http://");
        ask.host(host).header("origin", origin).send().status
    };
    for origin in ["https://evil.example", "null", "", "http://localhost:1", &own.replace("http:", "https:")]
    {
        assert_eq!(ask(origin), 403, "{origin:?}");
    }
    assert_eq!(ask(&own), 200);
}

#[test]
fn attack_tenant_administrator_fills_the_store_with_changes() {
    let fixture = ManagementFixture::with(|proxy| {
        proxy.setting("management.changes_per_hour", 3).setting("management.audit_bytes_per_hour", 65_536)
    });
    let put = |user: &str, target: &str, value: &str| {
        let ask = fixture.ask("PUT", target).basic(user, PASSWORD);
        ask.json(&json!({"note": value})).send()
    };
    for round in 0..3 {
        assert_eq!(put("admin@acme.com", OF_ACME, &round.to_string()).status, 200);
    }
    let answer = put("admin@acme.com", OF_ACME, "once more");
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert!(answer.text().contains("changes_per_hour") && answer.header("retry-after").is_some());
    let revert = "/t/acme.com/api/server/v1/identity-governance/x/connectors/revert";
    assert_eq!(fixture.ask("POST", revert).basic("admin@acme.com", PASSWORD).send().status, 429);
    let metrics = fixture.proxy.admin("/metrics").text();
    assert!(metrics.contains("doorward_requests_total{outcome=\"limited\"} 2"), "{metrics}");
    // others have a budget of their own, also for this tenant
    assert_eq!(put("admin@carbon.super", OF_ACME, "rescue").status, 200);
    // a read is not limited
    assert_eq!(fixture.get_as("admin@acme.com", OF_ACME).status, 200);
    let of_beta = "/t/beta.com/api/am/admin/v4/tenant-config";
    let many: serde_json::Value = (0..300).map(|n| (format!("k{n}"), json!("x".repeat(400)))).collect();
    let large = fixture.ask("PUT", of_beta).basic("admin@beta.com", PASSWORD).json(&many).send();
    assert_eq!(large.status, 200, "one may go beyond");
    let answer = put("admin@beta.com", of_beta, "small");
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert!(answer.text().contains("audit_bytes_per_hour"), "{}", answer.text());
    assert!(fixture.get_as("admin@beta.com", of_beta).text().contains("xxxx"), "nothing has been changed");
}
