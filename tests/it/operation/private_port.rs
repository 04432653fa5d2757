//! The private port: paths that any peer may read, and actions that only this machine may call.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Idp, Portal, TestProxy, answer::Answer, eventually};

/// The endpoints that change state or disclose settings.
const GUARDED: [(&str, &str); 4] =
    [("POST", "/cache/flush"), ("POST", "/drain"), ("GET", "/config"), ("POST", "/explain")];

fn ask(proxy: &TestProxy, (method, target): (&str, &str), headers: &[(&str, &str)], host: &str) -> Answer {
    let ask = proxy.admin_request(method, target).host(host).header("content-type", "application/json");
    let body = if target == "/explain" { json!({"url": "/"}).to_string() } else { String::new() };
    headers.iter().fold(ask.body(body), |ask, (name, value)| ask.header(name, value)).send()
}

#[test]
fn loopback_clients_may_use_operator_actions() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).start();
    let port = proxy.running.admin.unwrap().port();
    for host in ["localhost", "127.0.0.1", &format!("localhost:{port}"), &format!("[::1]:{port}")] {
        for guarded in GUARDED.into_iter().filter(|guarded| guarded.1 != "/drain") {
            assert_eq!(ask(&proxy, guarded, &[], host).status, 200, "{guarded:?} {host}");
        }
    }
    assert_eq!(ask(&proxy, ("POST", "/drain"), &[], "localhost").status, 202);
}

#[test]
fn explain_changes_no_metric() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).start();
    let question = json!({
        "url": "/api/am/devportal/v3/apis",
        "client": "10.0.0.9",
        "headers": ["X-Forwarded-For: 192.0.2.1"],
        "token": "a.b.c",
    });
    let explain = || {
        let ask = proxy.admin_request("POST", "/explain").header("content-type", "application/json");
        assert_eq!(ask.body(question.to_string()).send().status, 200);
    };
    let metrics = || -> BTreeSet<String> {
        let text = proxy.admin("/metrics").text();
        text.lines().filter(|line| !line.contains("process_")).map(ToOwned::to_owned).collect()
    };
    // the first one reads the tenant's file
    explain();
    let before = metrics();
    explain();
    assert_eq!(metrics(), before);
}

#[test]
fn attack_dns_rebinding_leads_a_page_to_the_private_port() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).start();
    for host in ["evil.example", "evil.example:9901", "localhost.evil.example", "127.0.0.1.evil.example"] {
        for guarded in GUARDED {
            let answer = ask(&proxy, guarded, &[], host);
            assert_eq!(answer.status, 403, "{guarded:?} {host}");
            assert!(!answer.text().contains("portal"), "{}", answer.text());
        }
    }
    // it has not been drained
    eventually(|| proxy.admin("/readyz").status == 200);
}

#[test]
fn attack_csrf_a_page_posts_to_the_private_port() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).start();
    for origin in ["https://evil.example", "http://localhost:3000", "null"] {
        for guarded in GUARDED {
            assert_eq!(ask(&proxy, guarded, &[("origin", origin)], "localhost").status, 403, "{guarded:?}");
        }
    }
    // it has not been drained
    eventually(|| proxy.admin("/readyz").status == 200);
}

#[test]
fn attack_proxy_header_claims_a_loopback_host() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).start();
    for header in ["x-forwarded-host", "forwarded", "x-original-host"] {
        let headers = [(header, "localhost"), ("x-forwarded-for", "127.0.0.1")];
        assert_eq!(ask(&proxy, ("GET", "/config"), &headers, "evil.example").status, 403);
    }
}

#[test]
fn attack_operator_actions_on_the_public_port() {
    let portal = Portal::answering("the portal").start();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "open")]).start();
    for (method, target) in GUARDED.into_iter().chain([("GET", "/metrics"), ("GET", "/readyz")]) {
        assert_eq!(proxy.request(method, target).send().text(), "the portal", "{target}");
    }
}

#[test]
fn config_output_masks_secrets() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let proxy = TestProxy::in_front_of(&portal).introspecting(&idp).start();
    let shown = proxy.admin("/config").text();
    assert!(shown.contains(&idp.introspection_url()) && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn metric_and_label_names_are_stable() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).setting("portal.profile", "generic").start();
    // label values that appear only once something has happened
    proxy.get("/").send();
    portal.stop();
    eventually(|| proxy.get("/").api_client().send().status != 200);
    let request = proxy.admin_request("GET", "/metrics").header("accept", "application/openmetrics-text");
    let text = request.send().text().replace(env!("CARGO_PKG_VERSION"), "VERSION");
    assert!(text.ends_with("# EOF\n"));
    let names: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(series, _)| series)
        .collect();
    assert_snapshot!(names.into_iter().collect::<Vec<_>>().join("\n"));
    let undescribed = text.lines().filter(|line| line.starts_with("# TYPE")).count()
        - text.lines().filter(|line| line.starts_with("# HELP")).count();
    assert_eq!(undescribed, 0);
}

#[test]
fn each_metric_exists_from_the_start() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).tls().start();
    let answer = proxy.admin("/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    for line in [
        "# TYPE doorward_responses_total counter",
        "doorward_responses_total{status=\"5xx\"} 0",
        "doorward_config_reloads_total{result=\"failed\"} 0",
        concat!("doorward_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "# TYPE process_cpu_seconds_total counter",
    ] {
        assert!(text.lines().any(|written| written == line), "{line} in {text}");
    }
    let expiry = "doorward_certificate_expiry_timestamp_seconds{file=\"";
    assert!(text.lines().any(|line| line.starts_with(expiry)), "{text}");
    for name in ["resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds", "virtual_memory_bytes"]
    {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix("process_")?.strip_prefix(name)?.strip_prefix(' '));
        assert!(value.is_some_and(|value| value != "0"), "{name}");
    }
}

#[test]
fn requests_add_no_metric_series() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).tenant("acme.com", &json!({})).start();
    let series = || proxy.admin("/metrics").text().lines().count();
    proxy.get("/devportal/apis").send();
    let before = series();
    for number in 0..50 {
        proxy
            .request("BREW", &format!("/{number}?tenant=t{number}.com"))
            .host(&format!("h{number}.test"))
            .send();
        proxy.get("/devportal/apis").tenant("acme.com").send();
    }
    assert_eq!(series(), before);
}

/// Another user of the machine, or a program that a page has made send requests to loopback.
#[test]
fn attack_any_local_user_acts_at_the_private_port() {
    let portal = Portal::answering("").start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "0123456789abcdef0123\n").unwrap();
    let proxy = TestProxy::in_front_of(&portal).setting("admin.token_file", file.to_str().unwrap()).start();
    for guarded in GUARDED {
        for header in [
            &[][..],
            &[("authorization", "Bearer wrong")],
            &[("authorization", "Basic 0123456789abcdef0123")],
            &[("authorization", "Bearer 0123456789abcdef012")],
        ] {
            let answer = ask(&proxy, guarded, header, "localhost");
            assert_eq!(answer.status, 401, "{guarded:?} {header:?}");
            assert!(answer.header("www-authenticate").is_some() && !answer.text().contains("0123"));
        }
    }
    let right = [("authorization", "Bearer 0123456789abcdef0123")];
    assert_eq!(ask(&proxy, ("GET", "/config"), &right, "localhost").status, 200);
    assert_eq!(ask(&proxy, ("GET", "/config"), &right, "evil.example").status, 403);
    eventually(|| proxy.admin("/readyz").status == 200);
    // a new token counts as soon as its file has it
    std::fs::write(&file, "fedcba9876543210fedc").unwrap();
    let new = [("authorization", "Bearer fedcba9876543210fedc")];
    eventually(|| ask(&proxy, ("GET", "/config"), &new, "localhost").status == 200);
    std::fs::write(&file, "short").unwrap();
    let started =
        TestProxy::in_front_of(&portal).setting("admin.token_file", file.to_str().unwrap()).try_start();
    assert!(started.is_err_and(|mistakes| mistakes[0].key == "admin.token_file"));
}
