//! The access log as operators handle it: moved by logrotate, removed, sent elsewhere by an edit.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
};

use serde_json::Value;

use crate::support::{Portal, Reply, TestProxy, eventually, eventually::throughout, proxy::TestProxyBuilder};

/// The paths of the requests a log has.
fn logged(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let path = |line: &str| serde_json::from_str::<Value>(line).unwrap()["path"].as_str().unwrap().to_owned();
    text.lines().map(path).collect()
}

#[test]
fn reopens_a_moved_or_removed_log_without_losing_lines() {
    let (portal, logs) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let (log, moved) = (logs.path().join("access.log"), logs.path().join("access.log.1"));
    let proxy = TestProxy::in_front_of(&portal)
        .generic(&[("/**", "open")])
        .setting("log.access", log.display().to_string())
        .start();
    proxy.get("/one").send();
    eventually(|| logged(&log) == ["/one"]);
    fs::rename(&log, &moved).unwrap();
    // also while no request arrives
    eventually(|| log.exists());
    proxy.get("/two").send();
    eventually(|| logged(&log) == ["/two"]);
    assert_eq!(logged(&moved), ["/one"]);
    fs::remove_file(&log).unwrap();
    eventually(|| log.exists());
    proxy.get("/three").send();
    eventually(|| logged(&log) == ["/three"]);
}

#[test]
fn the_reason_names_a_refusal_after_the_decision() {
    let (portal, logs) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let log = logs.path().join("access.log");
    let proxy = TestProxy::in_front_of(&portal)
        .generic(&[("/**", "open")])
        .setting("portal.upstream", serde_json::json!([{"path": "/", "url": "http://127.0.0.1:1"}]))
        .setting("log.access", log.display().to_string())
        .start();
    assert_eq!(proxy.get("/").send().status, 502);
    eventually(|| fs::read_to_string(&log).is_ok_and(|text| text.contains(r#""reason":"portal_down""#)));
}

/// The portal's routes and their decisions do not apply to them.
#[test]
fn own_pages_are_logged_without_a_rule() {
    let (portal, logs) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let log = logs.path().join("access.log");
    let proxy = TestProxy::in_front_of(&portal)
        .generic(&[("/**", "signed-in")])
        .setting("log.access", log.display().to_string())
        .start();
    assert_eq!(proxy.get("/.doorward/nothing").send().status, 404);
    let line = r#""decision":"local","reason":"own_page","rule":null"#;
    eventually(|| fs::read_to_string(&log).is_ok_and(|text| text.contains(line)));
}

#[test]
fn the_reason_names_the_total_that_caused_a_503() {
    let (portal, logs) = (
        Portal::answering("").route("/hang", Reply::raw_then_silence("")).start(),
        tempfile::tempdir().unwrap(),
    );
    let log = logs.path().join("access.log");
    let proxy = TestProxy::in_front_of(&portal)
        .generic(&[("/**", "open")])
        .trusting("127.0.0.0/8")
        .setting("limits.max_requests", 10)
        .setting("log.access", log.display().to_string())
        .start();
    let mut hanging = Vec::new();
    for (number, reason) in [(9, "total_reserved_for_sessions"), (10, "total_requests")] {
        while hanging.len() < number {
            hanging.push(proxy.get("/hang").open());
        }
        eventually(|| proxy.admin("/metrics").text().contains(&format!("requests_in_flight {number}\n")));
        assert_eq!(proxy.get("/").header("x-forwarded-for", "203.0.113.5").send().status, 503);
        let line = format!(r#""reason":"{reason}""#);
        eventually(|| fs::read_to_string(&log).is_ok_and(|text| text.contains(&line)));
    }
}

#[test]
fn sign_in_over_the_client_limit_is_logged_with_its_reason() {
    let (portal, logs) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let log = logs.path().join("access.log");
    let proxy = TestProxy::in_front_of(&portal)
        .accounts()
        .lockout(100)
        .generic(&[("/**", "open")])
        .setting("accounts.hash_memory", 65536)
        .setting("accounts.hash_iterations", 3)
        .setting("accounts.hash_parallel", 1)
        .setting("limits.client.hash_slots", 1)
        .setting("log.access", log.display().to_string())
        .start();
    let sign_in = || {
        let ask = proxy.post("/.doorward/sign-in?tenant=carbon.super").header("accept", "text/html");
        let ask = ask.header("sec-fetch-site", "same-origin");
        let ask = ask.header("content-type", "application/x-www-form-urlencoded");
        ask.body("username=alex&password=wrong").send()
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..12).map(|_| scope.spawn(sign_in)).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let refused = answers.iter().find(|answer| answer.status == 429).expect("one at a time");
    assert!(refused.text().contains("Too many sign-ins from your network"));
    assert!(refused.header("retry-after").is_some());
    let line = r#""decision":"limited","reason":"client_limit_hash_slots""#;
    eventually(|| fs::read_to_string(&log).is_ok_and(|text| text.contains(line)));
    assert!(proxy.admin("/metrics").text().contains("doorward_requests_total{outcome=\"limited\"}"));
}

#[test]
fn changes_the_log_target_without_a_restart() {
    let (portal, logs) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let (one, two) = (logs.path().join("one.log"), logs.path().join("two.log"));
    let mut proxy = TestProxy::in_front_of(&portal)
        .generic(&[("/**", "open")])
        .setting("log.access", one.display().to_string())
        .start();
    proxy.get("/one").send();
    eventually(|| logged(&one) == ["/one"]);
    proxy.edit_deployment("log.access", two.display().to_string());
    eventually(|| proxy.admin("/config").text().contains("two.log"));
    proxy.get("/two").send();
    eventually(|| logged(&two) == ["/two"]);
    // where it cannot go, it stays
    proxy.edit_deployment("log.access", logs.path().join("nowhere/three.log").display().to_string());
    proxy.edit_deployment("branding.name", "edited");
    eventually(|| proxy.admin("/config").text().contains("edited"));
    proxy.get("/three").send();
    eventually(|| logged(&two) == ["/two", "/three"]);
    assert!(proxy.admin("/config").text().contains("two.log"));
    proxy.edit_deployment("log.access", "off");
    eventually(|| !proxy.admin("/config").text().contains("two.log"));
    proxy.get("/four").send();
    proxy.edit_deployment("log.access", two.display().to_string());
    eventually(|| proxy.admin("/config").text().contains("two.log"));
    proxy.get("/five").send();
    eventually(|| logged(&two) == ["/two", "/three", "/five"]);
    assert_eq!(logged(&one), ["/one"]);
}

fn logging_to(portal: &Portal, target: &Path) -> TestProxyBuilder {
    let target = target.display().to_string();
    TestProxy::in_front_of(portal).generic(&[("/**", "open")]).setting("log.access", target)
}

const LOST: &str = "doorward_access_log_dropped_total";
const FAILED: &str = "log cannot be written";

#[test]
fn full_disk_tears_no_line_and_counts_every_lost_line() {
    let portal = Portal::answering("").start();
    let proxy = logging_to(&portal, Path::new("disk/access.log"));
    let Some(mut proxy) = proxy.serve_with_disk("16k") else {
        return eprintln!("left out: no namespaces here");
    };
    let (log, rest) = (proxy.path_in_namespace("disk/access.log"), proxy.path_in_namespace("disk/rest"));
    let mut sent = 0;
    while !proxy.has_logged(FAILED) {
        sent += 1;
        assert_eq!(proxy.get(&format!("/{sent}")).send().status, 200);
    }
    let torn = fs::read_to_string(&log).unwrap();
    fs::rename(&log, &rest).unwrap();
    fs::remove_file(&rest).unwrap();
    eventually(|| proxy.has_logged("log is written again"));
    assert_eq!(proxy.get("/last").send().status, 200);
    eventually(|| logged(&log).last().is_some_and(|path| path == "/last"));
    // complete lines of the removed file, and the new file
    let whole = torn.matches('\n').count();
    assert_eq!(whole + logged(&log).len(), sent + 1);
    assert_eq!((proxy.metric(LOST), proxy.log_count(FAILED)), (0, 1));
    proxy.signal("TERM");
    assert_eq!(proxy.exit_code(), Some(0));
}

#[test]
fn persistent_full_disk_is_reported_once_and_counted() {
    let portal = Portal::answering("").start();
    let mut proxy = logging_to(&portal, Path::new("/dev/full")).serve();
    for _ in 0..20 {
        assert_eq!(proxy.get("/").send().status, 200);
    }
    eventually(|| proxy.has_logged(FAILED));
    proxy.signal("TERM");
    assert_eq!(proxy.exit_code(), Some(0));
    assert_eq!(proxy.log_count(FAILED), 1);
    let lost = proxy.log_line("log closed before all of its lines were written").unwrap();
    assert_eq!((&lost["log"], &lost["lost"]), (&"access log".into(), &20.into()));
}

#[test]
fn a_standard_output_that_is_closed_counts_every_line() {
    let portal = Portal::answering("").start();
    let (reader, writer) = std::io::pipe().unwrap();
    let proxy = TestProxy::in_front_of(&portal).generic(&[("/**", "open")]).setting("log.access", "stdout");
    let proxy = proxy.serve_with_stdout(writer);
    drop(reader);
    for _ in 0..20 {
        assert_eq!(proxy.get("/").send().status, 200);
    }
    eventually(|| proxy.metric(LOST) == 20);
    eventually(|| proxy.has_logged("log is written again") || proxy.log_count(FAILED) == 1);
}

#[test]
fn a_pipe_without_a_reader_delays_nothing_and_loses_nothing() {
    let (portal, folder) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let pipe = folder.path().join("access.pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let proxy = logging_to(&portal, &pipe).serve();
    // far more than a pipe holds
    for _ in 0..400 {
        assert_eq!(proxy.get(&format!("/{}", "x".repeat(500))).send().status, 200);
    }
    throughout(std::time::Duration::from_millis(300), || proxy.metric(LOST) == 0);
    let lines = BufReader::new(fs::File::open(&pipe).unwrap()).lines().take(400);
    for line in lines {
        assert!(serde_json::from_str::<Value>(&line.unwrap()).unwrap()["path"].is_string());
    }
    assert!(!proxy.has_logged(FAILED));
}

#[test]
fn the_last_lines_are_written_before_the_process_ends() {
    let portal = Portal::answering("").start();
    let mut proxy = logging_to(&portal, Path::new("access.log")).serve();
    for _ in 0..50 {
        proxy.get("/").send();
    }
    proxy.signal("TERM");
    assert_eq!(proxy.exit_code(), Some(0));
    assert_eq!(logged(&proxy.folder().join("access.log")).len(), 50);
}
