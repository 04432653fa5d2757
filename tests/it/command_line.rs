//! Commands that need no accounts, asked wrongly: what they say, and what they leave alone.

use std::{fs, path::Path};

use crate::support::binary::doorward;

/// Asked wrongly, it ends with this code; what it says.
#[track_caller]
fn refused(words: &[&str], code: i32) -> String {
    let output = doorward(words);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {told}");
    assert!(told.starts_with("error: "), "{words:?}: {told}");
    told
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
fn the_demo_leaves_a_folder_that_is_not_its_own_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let folder = path(home.path(), "other");
    assert!(doorward(["init", &folder]).status.success());
    let file = path(home.path(), "other/deployment.toml");
    let before = fs::read_to_string(&file).unwrap();
    let told = refused(&["demo", "--folder", &folder, "--port", "0"], 2);
    assert_eq!(told, format!("error: {file} is not the demo's: name another --folder\n"));
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    for name in ["doorward.db", "sample-portal-keys.json", "tenants/closed.example"] {
        assert!(!Path::new(&folder).join(name).exists(), "{name}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named_with_the_flag_that_named_it() {
    let home = tempfile::tempdir().unwrap();
    let folder = path(home.path(), "config");
    assert!(doorward(["init", &folder]).status.success());
    let file = path(home.path(), "config/deployment.toml");
    let missing = path(home.path(), "nosuch");
    let told = refused(&["explain", "/", "--token-file", &missing, "--config", &file], 2);
    assert!(told.starts_with(&format!("error: --token-file {missing}: No such file")), "{told}");
}

#[test]
fn a_folder_in_place_of_a_file_and_a_file_in_place_of_a_folder_are_said_with_a_remedy() {
    let home = tempfile::tempdir().unwrap();
    let folder = path(home.path(), "config");
    assert!(doorward(["init", &folder]).status.success());
    for command in ["check", "serve"] {
        let output = doorward([command, "--config", &folder]);
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(
            told.contains(&format!("this is a folder (write --config {folder}/deployment.toml)")),
            "{told}"
        );
    }
    let file = path(home.path(), "config/deployment.toml");
    let told = refused(&["init", &file], 1);
    assert!(told.contains(&format!("{file} is a file: name a folder")), "{told}");
}

#[test]
fn a_certificate_is_made_for_host_names_and_addresses_only() {
    let home = tempfile::tempdir().unwrap();
    let folder = path(home.path(), "certs");
    for name in ["bad name", "", "https://portal.example", "portal.example:8443", "*", "a.*.example"] {
        let told = refused(&["certs", "--folder", &folder, name], 2);
        assert!(told.contains(&format!("{name:?} is neither a host name nor an IP address")), "{told}");
    }
    let told = refused(&["certs", "--folder", &folder, "bad name"], 2);
    assert!(told.contains("no space"), "{told}");
    assert!(!Path::new(&folder).exists(), "nothing is made");
    let output = doorward(["certs", "--folder", &folder, "*.portal.example", "portal.example", "::1"]);
    assert!(output.status.success());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    for key in ["server.tls.cert_file", "server.tls.key_file", "management.cert_file", "management.key_file"]
    {
        assert!(told.contains(key), "{key}: {told}");
    }
}

#[test]
fn help_says_of_each_command_what_its_tenant_is() {
    for words in [&["governance", "get"][..], &["audit", "list"], &["session", "list"], &["user", "list"]] {
        let output = doorward(words.iter().copied().chain(["--help"]));
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(told.contains("The tenant it is about"), "{words:?}: {told}");
    }
}

#[test]
fn the_configuration_has_a_short_flag() {
    let told = refused(&["user", "list", "-c", "nosuch.toml"], 2);
    assert!(told.contains("nosuch.toml"), "{told}");
}
