//! The access log as operators handle it: moved by logrotate, removed, sent elsewhere by an edit.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{Gate, Portal, eventually};

/// The paths of the requests a log has.
fn logged(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let path = |line: &str| serde_json::from_str::<Value>(line).unwrap()["path"].as_str().unwrap().to_owned();
    text.lines().map(path).collect()
}

#[test]
fn a_log_that_is_moved_or_removed_is_begun_anew_and_loses_no_line() {
    let (portal, logs) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let (log, moved) = (logs.path().join("access.log"), logs.path().join("access.log.1"));
    let gate = Gate::before(&portal)
        .generic(&[("/**", "open")])
        .setting("log.access", log.display().to_string())
        .start();
    gate.get("/one").send();
    eventually(|| logged(&log) == ["/one"]);
    fs::rename(&log, &moved).unwrap();
    // also where nobody asks for anything
    eventually(|| log.exists());
    gate.get("/two").send();
    eventually(|| logged(&log) == ["/two"]);
    assert_eq!(logged(&moved), ["/one"]);
    fs::remove_file(&log).unwrap();
    eventually(|| log.exists());
    gate.get("/three").send();
    eventually(|| logged(&log) == ["/three"]);
}

#[test]
fn an_edit_sends_the_log_elsewhere_without_a_restart() {
    let (portal, logs) = (Portal::answering("").start(), tempfile::tempdir().unwrap());
    let (one, two) = (logs.path().join("one.log"), logs.path().join("two.log"));
    let mut gate = Gate::before(&portal)
        .generic(&[("/**", "open")])
        .setting("log.access", one.display().to_string())
        .start();
    gate.get("/one").send();
    eventually(|| logged(&one) == ["/one"]);
    gate.edit_deployment("log.access", two.display().to_string());
    eventually(|| gate.admin("/config").text().contains("two.log"));
    gate.get("/two").send();
    eventually(|| logged(&two) == ["/two"]);
    // where it cannot go, it stays
    gate.edit_deployment("log.access", logs.path().join("nowhere/three.log").display().to_string());
    gate.edit_deployment("branding.name", "edited");
    eventually(|| gate.admin("/config").text().contains("edited"));
    gate.get("/three").send();
    eventually(|| logged(&two) == ["/two", "/three"]);
    assert!(gate.admin("/config").text().contains("two.log"));
    gate.edit_deployment("log.access", "off");
    eventually(|| !gate.admin("/config").text().contains("two.log"));
    gate.get("/four").send();
    gate.edit_deployment("log.access", two.display().to_string());
    eventually(|| gate.admin("/config").text().contains("two.log"));
    gate.get("/five").send();
    eventually(|| logged(&two) == ["/two", "/three", "/five"]);
    assert_eq!(logged(&one), ["/one"]);
}
