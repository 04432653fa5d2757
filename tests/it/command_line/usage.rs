//! Usage errors of commands that need no accounts: the message, and that no file is changed.

use std::{fs, path::Path};

use crate::support::binary::doorward;

/// Runs a command that must fail with this exit code, and returns its message.
#[track_caller]
fn refused(words: &[&str], code: i32) -> String {
    let output = doorward(words);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {message}");
    assert!(message.starts_with("error: "), "{words:?}: {message}");
    message
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
fn demo_does_not_change_a_foreign_folder() {
    let home = tempfile::tempdir().unwrap();
    let folder = path(home.path(), "other");
    assert!(doorward(["init", &folder]).status.success());
    let file = path(home.path(), "other/deployment.toml");
    let before = fs::read_to_string(&file).unwrap();
    let message = refused(&["demo", "--folder", &folder, "--port", "0"], 2);
    assert_eq!(message, format!("error: {file} is not the demo's: name another --folder\n"));
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    for name in ["doorward.db", "sample-portal-keys.json", "tenants/closed.example"] {
        assert!(!Path::new(&folder).join(name).exists(), "{name}");
    }
}

#[test]
fn missing_file_error_names_its_flag() {
    let home = tempfile::tempdir().unwrap();
    let folder = path(home.path(), "config");
    assert!(doorward(["init", &folder]).status.success());
    let file = path(home.path(), "config/deployment.toml");
    let missing = path(home.path(), "nosuch");
    let message = refused(&["explain", "/", "--token-file", &missing, "--config", &file], 2);
    assert!(message.starts_with(&format!("error: --token-file {missing}: No such file")), "{message}");
}

#[test]
fn file_and_folder_mixups_are_reported_with_a_remedy() {
    let home = tempfile::tempdir().unwrap();
    let folder = path(home.path(), "config");
    assert!(doorward(["init", &folder]).status.success());
    for command in ["check", "serve"] {
        let output = doorward([command, "--config", &folder]);
        let message = [output.stdout, output.stderr].concat();
        let message = String::from_utf8_lossy(&message).into_owned();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(
            message.contains(&format!("this is a folder (write --config {folder}/deployment.toml)")),
            "{message}"
        );
    }
    let file = path(home.path(), "config/deployment.toml");
    let message = refused(&["init", &file], 1);
    assert!(message.contains(&format!("{file} is a file: name a folder")), "{message}");
}

#[test]
fn certs_accepts_only_host_names_and_addresses() {
    let home = tempfile::tempdir().unwrap();
    let folder = path(home.path(), "certs");
    for name in ["bad name", "", "https://portal.example", "portal.example:8443", "*", "a.*.example"] {
        let message = refused(&["certs", "--folder", &folder, name], 2);
        assert!(message.contains(&format!("{name:?} is neither a host name nor an IP address")), "{message}");
    }
    let message = refused(&["certs", "--folder", &folder, "bad name"], 2);
    assert!(message.contains("no space"), "{message}");
    assert!(!Path::new(&folder).exists(), "nothing is made");
    let output = doorward(["certs", "--folder", &folder, "*.portal.example", "portal.example", "::1"]);
    assert!(output.status.success());
    let message = String::from_utf8_lossy(&output.stdout).into_owned();
    for key in ["server.tls.cert_file", "server.tls.key_file", "management.cert_file", "management.key_file"]
    {
        assert!(message.contains(key), "{key}: {message}");
    }
}

#[test]
fn help_describes_the_tenant_flag_of_each_command() {
    for words in [&["governance", "get"][..], &["audit", "list"], &["session", "list"], &["user", "list"]] {
        let output = doorward(words.iter().copied().chain(["--help"]));
        let message = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(message.contains("The tenant to work on"), "{words:?}: {message}");
    }
}

#[test]
fn config_flag_has_a_short_form() {
    let message = refused(&["user", "list", "-c", "nosuch.toml"], 2);
    assert!(message.contains("nosuch.toml"), "{message}");
}
