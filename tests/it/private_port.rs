//! The private port: what everybody may see, and what only this machine may do.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Gate, Idp, Portal, answer::Answer, eventually};

/// What acts or reveals.
const GUARDED: [(&str, &str); 4] =
    [("POST", "/cache/flush"), ("POST", "/drain"), ("GET", "/config"), ("POST", "/explain")];

fn ask(gate: &Gate, (method, target): (&str, &str), headers: &[(&str, &str)], host: &str) -> Answer {
    let ask = gate.admin_ask(method, target).host(host).header("content-type", "application/json");
    let body = if target == "/explain" { json!({"url": "/"}).to_string() } else { String::new() };
    headers.iter().fold(ask.body(body), |ask, (name, value)| ask.header(name, value)).send()
}

#[test]
fn who_is_on_this_machine_may_act_and_look() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).start();
    let port = gate.running.admin.unwrap().port();
    for host in ["localhost", "127.0.0.1", &format!("localhost:{port}"), &format!("[::1]:{port}")] {
        for guarded in GUARDED.into_iter().filter(|guarded| guarded.1 != "/drain") {
            assert_eq!(ask(&gate, guarded, &[], host).status, 200, "{guarded:?} {host}");
        }
    }
    assert_eq!(ask(&gate, ("POST", "/drain"), &[], "localhost").status, 202);
}

#[test]
fn explain_changes_no_metric() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).start();
    let question = json!({
        "url": "/api/am/devportal/v3/apis",
        "client": "10.0.0.9",
        "headers": ["X-Forwarded-For: 192.0.2.1"],
        "token": "a.b.c",
    });
    let explain = || {
        let ask = gate.admin_ask("POST", "/explain").header("content-type", "application/json");
        assert_eq!(ask.body(question.to_string()).send().status, 200);
    };
    let metrics =
        || -> BTreeSet<String> { gate.admin("/metrics").text().lines().map(ToOwned::to_owned).collect() };
    // the first one reads the tenant's file
    explain();
    let before = metrics();
    explain();
    assert_eq!(metrics(), before);
}

#[test]
fn attack_dns_rebinding_leads_a_page_to_the_private_port() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).start();
    for host in ["evil.example", "evil.example:9901", "localhost.evil.example", "127.0.0.1.evil.example"] {
        for guarded in GUARDED {
            let answer = ask(&gate, guarded, &[], host);
            assert_eq!(answer.status, 403, "{guarded:?} {host}");
            assert!(!answer.text().contains("portal"), "{}", answer.text());
        }
    }
    // it has not been drained
    eventually(|| gate.admin("/readyz").status == 200);
}

#[test]
fn attack_csrf_a_page_posts_to_the_private_port() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).start();
    for origin in ["https://evil.example", "http://localhost:3000", "null"] {
        for guarded in GUARDED {
            assert_eq!(ask(&gate, guarded, &[("origin", origin)], "localhost").status, 403, "{guarded:?}");
        }
    }
    // it has not been drained
    eventually(|| gate.admin("/readyz").status == 200);
}

#[test]
fn attack_a_proxy_header_makes_nobody_local() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).start();
    for header in ["x-forwarded-host", "forwarded", "x-original-host"] {
        let headers = [(header, "localhost"), ("x-forwarded-for", "127.0.0.1")];
        assert_eq!(ask(&gate, ("GET", "/config"), &headers, "evil.example").status, 403);
    }
}

#[test]
fn attack_nothing_private_is_on_the_public_port() {
    let portal = Portal::answering("the portal").start();
    let gate = Gate::before(&portal).generic(&[("/**", "open")]).start();
    for (method, target) in GUARDED.into_iter().chain([("GET", "/metrics"), ("GET", "/readyz")]) {
        assert_eq!(gate.ask(method, target).send().text(), "the portal", "{target}");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let gate = Gate::before(&portal).introspecting(&idp).start();
    let shown = gate.admin("/config").text();
    assert!(shown.contains(&idp.introspection_url()) && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn the_names_of_the_metrics_and_of_their_labels_are_a_promise() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).setting("portal.profile", "generic").start();
    // label values that appear only once something has happened
    gate.get("/").send();
    portal.die();
    eventually(|| gate.get("/").api_client().send().status != 200);
    let text = gate.admin("/metrics").text();
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
fn a_request_leaves_no_trace_in_the_names_of_metrics() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).tenant("acme.com", &json!({})).start();
    let series = || gate.admin("/metrics").text().lines().count();
    gate.get("/devportal/apis").send();
    let before = series();
    for number in 0..50 {
        gate.ask("BREW", &format!("/{number}?tenant=t{number}.com")).host(&format!("h{number}.test")).send();
        gate.get("/devportal/apis").tenant("acme.com").send();
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
    let gate = Gate::before(&portal).setting("admin.token_file", file.to_str().unwrap()).start();
    for guarded in GUARDED {
        for header in [
            &[][..],
            &[("authorization", "Bearer wrong")],
            &[("authorization", "Basic 0123456789abcdef0123")],
            &[("authorization", "Bearer 0123456789abcdef012")],
        ] {
            let answer = ask(&gate, guarded, header, "localhost");
            assert_eq!(answer.status, 401, "{guarded:?} {header:?}");
            assert!(answer.header("www-authenticate").is_some() && !answer.text().contains("0123"));
        }
    }
    let right = [("authorization", "Bearer 0123456789abcdef0123")];
    assert_eq!(ask(&gate, ("GET", "/config"), &right, "localhost").status, 200);
    assert_eq!(ask(&gate, ("GET", "/config"), &right, "evil.example").status, 403);
    eventually(|| gate.admin("/readyz").status == 200);
    // a new token counts as soon as its file has it
    std::fs::write(&file, "fedcba9876543210fedc").unwrap();
    let new = [("authorization", "Bearer fedcba9876543210fedc")];
    eventually(|| ask(&gate, ("GET", "/config"), &new, "localhost").status == 200);
    std::fs::write(&file, "short").unwrap();
    let started = Gate::before(&portal).setting("admin.token_file", file.to_str().unwrap()).try_start();
    assert!(started.is_err_and(|mistakes| mistakes[0].key == "admin.token_file"));
}
