//! The commands as people and orchestrators call them: exit codes, output, signals.

use std::{net::TcpStream, process::Output};

use serde_json::json;

use crate::support::{
    Binary, Portal, Reply, TestProxy, binary::doorward, eventually, eventually::throughout,
    proxy::TestProxyBuilder,
};

pub(super) fn served(portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal).generic(&[("/**", "open")]).setting("server.drain_timeout", "10s")
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a command with the builder's configuration.
pub(super) fn run(builder: TestProxyBuilder, words: &[&str]) -> Output {
    let (file, _home) = builder.write();
    doorward(words.iter().copied().chain(["--config", file.to_str().unwrap()]))
}

fn health(binary: &Binary, probe: &str) -> Option<i32> {
    doorward(["health", probe, "--address", &binary.admin.to_string()]).status.code()
}

#[test]
fn sigterm_drains_and_exits_with_0() {
    let (stream, sender) = Reply::stream();
    let portal = Portal::answering("hello").route("/slow", stream).start();
    let mut binary = served(&portal).setting("server.drain_delay", "2s").serve();
    let mut wire = binary.get("/slow").open();
    assert!(wire.head().first.contains("200"));
    binary.signal("TERM");
    eventually(|| binary.admin("/readyz").status == 503);
    assert_eq!(binary.admin("/livez").status, 200, "terminating is alive");
    assert_eq!(binary.get("/").send().text(), "hello", "still served until the balancer has noticed");
    eventually(|| TcpStream::connect(binary.http).is_err());
    assert!(binary.is_running(), "a request is in flight");
    sender.send("the end");
    drop(sender);
    assert_eq!((wire.chunk().as_str(), wire.chunk().as_str()), ("the end", ""));
    assert_eq!(binary.exit_code(), Some(0));
    assert!(binary.has_logged("stopped"));
}

#[test]
fn sigterm_with_idle_connections_ends_at_once() {
    let portal = Portal::answering("hello").start();
    let mut binary = served(&portal).serve();
    let mut idle = binary.get("/").open();
    assert_eq!(idle.answer("GET").unwrap().text(), "hello");
    binary.signal("TERM");
    assert_eq!(binary.exit_code(), Some(0));
    assert!(idle.rest().is_empty());
}

#[test]
fn sighup_reloads_all_files_and_drains_nothing() {
    let portal = Portal::answering("hello").start();
    let mut binary = served(&portal).setting("tenancy.watch", "off").serve();
    let file = binary.folder().join("deployment.toml");
    let written = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, written.replace("open", "signed-in")).unwrap();
    binary.signal("HUP");
    eventually(|| binary.get("/").send().status != 200);
    assert!(binary.is_running());
    std::fs::write(&file, "[server").unwrap();
    binary.signal("HUP");
    eventually(|| binary.log_count("deployment.toml is not in force") == 1);
    assert_ne!(binary.get("/").send().status, 200, "the last good settings stay");
    binary.signal("TERM");
    assert_eq!(binary.exit_code(), Some(0));
}

#[test]
fn reload_reports_keys_that_need_a_restart() {
    let portal = Portal::answering("").start();
    let binary = served(&portal).serve();
    let file = binary.folder().join("deployment.toml");
    let written = std::fs::read_to_string(&file).unwrap();
    let pending = || binary.admin("/config").json()["restart_needed"].clone();
    assert_eq!(pending(), json!([]));
    let changed = written.replacen("workers = 1", "workers = 2", 1);
    assert_ne!(changed, written);
    std::fs::write(&file, changed).unwrap();
    binary.signal("HUP");
    eventually(|| pending() == json!(["server.workers"]));
    assert_eq!(binary.log_count("deployment.toml is in force, but for keys that need a restart"), 1);
    std::fs::write(&file, &written).unwrap();
    binary.signal("HUP");
    eventually(|| pending() == json!([]));
}

#[test]
fn second_signal_stops_at_once() {
    let (stream, _hose) = Reply::stream();
    let portal = Portal::replying(stream).start();
    let mut binary = served(&portal).setting("server.drain_timeout", "10m").serve();
    let mut wire = binary.get("/").open();
    wire.head();
    binary.signal("TERM");
    eventually(|| TcpStream::connect(binary.http).is_err());
    throughout(std::time::Duration::from_millis(200), || binary.is_running());
    binary.signal("INT");
    assert_eq!(binary.exit_code(), Some(0));
}

#[test]
fn drain_timeout_closes_open_connections() {
    let (stream, _hose) = Reply::stream();
    let portal = Portal::replying(stream).start();
    let mut binary = served(&portal).setting("server.drain_timeout", "300ms").serve();
    let mut wire = binary.get("/").open();
    wire.head();
    binary.signal("TERM");
    assert_eq!(binary.exit_code(), Some(0));
}

#[test]
fn health_command_queries_the_private_port() {
    let portal = Portal::answering("").start();
    let mut binary = served(&portal).setting("server.drain_delay", "10m").serve();
    assert_eq!(["live", "ready", "startup"].map(|probe| health(&binary, probe)), [Some(0); 3]);
    let file = binary.folder().join("deployment.toml").display().to_string();
    let written = std::fs::read_to_string(&file).unwrap().replace("127.0.0.1:0", &binary.admin.to_string());
    let copy = binary.folder().join("copy.toml").display().to_string();
    std::fs::write(&copy, written).unwrap();
    assert_eq!(doorward(["health", "--config", &copy]).status.code(), Some(0));
    let url = format!("http://{}/readyz", binary.admin);
    assert_eq!(doorward(["health", "--address", &url]).status.code(), Some(0));
    binary.signal("TERM");
    eventually(|| health(&binary, "ready") == Some(1));
    assert_eq!((health(&binary, "live"), health(&binary, "startup")), (Some(0), Some(0)));
    binary.signal("TERM");
    binary.exit_code();
    assert_eq!(health(&binary, "live"), Some(1), "no server answers");
    assert_eq!(doorward(["health", "mood"]).status.code(), Some(2));
    let message = doorward(["health", "--address", "localhost"]);
    assert_eq!(message.status.code(), Some(2));
    assert!(text(&message.stderr).contains("such as 127.0.0.1:9901"), "{}", text(&message.stderr));
}

#[test]
fn sign_in_log_lines_carry_the_request_id() {
    let portal = Portal::answering("").route("/login", Reply::text("wrong").status(401)).start();
    let guard = json!([{"match": "POST /login", "user_in": "form", "succeeded_status": [200]}]);
    let binary = served(&portal)
        .accounts()
        .setting("guard", guard)
        .setting("account_lock.enabled", true)
        .setting("account_lock.max_attempts", 1)
        .serve();
    let sign_in = |path: &str| {
        binary
            .post(path)
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("username=no-such-user&password=wrong")
            .send()
    };
    for (path, printed) in [
        ("/login", "unknown name locked by wrong passwords"),
        ("/.doorward/sign-in?tenant=carbon.super", "sign-in rejected"),
    ] {
        let answer = sign_in(path);
        let mut line = None;
        eventually(|| {
            line = binary.log_line(printed);
            line.is_some()
        });
        let line = line.unwrap();
        assert_eq!(line["span"]["request_id"].as_str(), answer.header("x-request-id"), "{line}");
    }
}

#[test]
fn logs_why_the_portal_is_unreachable() {
    let closed_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed_port}");
    let portal = Portal::answering("").start();
    let binary = served(&portal).setting("portal.upstream", json!([{"path": "/", "url": url}])).serve();
    let answer = binary.get("/").send();
    assert_eq!(answer.status, 502);
    let mut line = None;
    eventually(|| {
        line = binary.log_line("the portal gave no answer");
        line.is_some()
    });
    let line = line.unwrap();
    assert_eq!((&line["level"], &line["upstream"]), (&json!("WARN"), &json!(url)), "{line}");
    assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"), "{line}");
    assert!(line["error"].as_str().unwrap().contains("refused"), "{line}");
}

#[test]
fn port_in_use_error_names_the_key_and_a_remedy() {
    let portal = Portal::answering("").start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    for key in ["server.listen", "server.tls.listen", "management.listen", "admin.listen"] {
        let address = if key.starts_with("server") { json!([at]) } else { json!(at) };
        let mut proxy = served(&portal).accounts();
        if key == "server.tls.listen" {
            proxy = proxy.tls();
        }
        let output = run(proxy.setting(key, address), &["serve"]);
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{key}: {printed}");
        let message = format!("error: cannot listen on {at} ({key}): Address already in use");
        let remedy = "another process listens there: end it, or write another address";
        assert!(printed.contains(&message) && printed.contains(remedy), "{key}: {printed}");
        assert_eq!(printed.matches("cannot listen").count(), 1, "{printed}");
    }
}

#[test]
fn logs_an_unusable_key_file_of_a_tenant() {
    let portal = Portal::answering("").start();
    let issuer = json!({"issuer": "x", "audiences": ["a"], "jwks_file": "nosuch.json"});
    let binary = served(&portal).tenant("acme.com", &json!({"Doorward": {"issuers": [issuer]}})).serve();
    binary.get("/").tenant("acme.com").send();
    let mut line = None;
    eventually(|| {
        line = binary.log_line("Doorward.issuers[0].jwks_file");
        line.is_some()
    });
    let line = line.unwrap();
    assert_eq!((line["level"].as_str(), line["tenant"].as_str()), (Some("WARN"), Some("acme.com")), "{line}");
    assert!(line["message"].as_str().unwrap().contains("acme.com/nosuch.json: No such file"), "{line}");
}

#[test]
fn five_thousand_idle_connections_cost_little_memory() {
    const CONNECTIONS: usize = 5000;
    let portal = Portal::answering("hello").start();
    let binary = served(&portal).serve();
    assert_eq!(binary.get("/").send().text(), "hello");
    let before = binary.memory();
    let idle: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let mut wire = binary.get("/").open();
            assert_eq!(wire.answer("GET").unwrap().status, 200);
            wire
        })
        .collect();
    let metric = format!("doorward_connections {CONNECTIONS}");
    assert!(binary.admin("/metrics").text().lines().any(|line| line == metric));
    // in KiB; most of it is what was needed while they were busy
    eventually(|| binary.memory() < before + 10 * CONNECTIONS as u64);
    drop(idle);
}
