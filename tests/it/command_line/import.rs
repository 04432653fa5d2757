//! `doorward import`: the real binary makes a folder from the files of another product, which `check` and `explain` read.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::binary::doorward;

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The report of an import that must succeed.
#[track_caller]
fn imported(words: &[&str], folder: &Path) -> Value {
    let folder = folder.display().to_string();
    let output = doorward([&["import"][..], words, &["--json", "--to", &folder][..]].concat());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {message}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let check = doorward(["check", "--config", &format!("{folder}/deployment.toml")]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    serde_json::from_str(&text).unwrap()
}

/// The verdict of `explain` for a request without sign-in.
#[track_caller]
fn verdict(folder: &Path, path: &str) -> String {
    let config = folder.join("deployment.toml").display().to_string();
    let output = doorward(["explain", path, "--json", "--config", &config]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let explanation: Value = serde_json::from_slice(&output.stdout).unwrap();
    explanation["verdict"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_verdicts(folder: &Path, open: &[&str], closed: &[&str]) {
    for path in open {
        assert_eq!(verdict(folder, path), "allow", "{path}");
    }
    for path in closed {
        assert_eq!(verdict(folder, path), "sign-in", "{path}");
    }
}

fn text(report: &Value, key: &str) -> String {
    let lines = report["settings"].as_array().unwrap();
    let line = lines.iter().find(|line| line["key"] == key).unwrap_or_else(|| panic!("{key}: {report:#}"));
    format!("{}: {}", line["outcome"].as_str().unwrap(), line["text"].as_str().unwrap())
}

#[test]
fn files_of_wso2_become_a_configuration() {
    let home = tempfile::tempdir().unwrap();
    let wso2 = home.path().join("wso2");
    fs::create_dir_all(wso2.join("repository/conf/email")).unwrap();
    fs::create_dir_all(wso2.join("tenants/acme.com")).unwrap();
    for (from, to) in [
        ("wso2/apim-4.7-deployment.toml", "repository/conf/deployment.toml"),
        ("wso2/tenant-conf.wso2-4x.json", "tenant-conf.json"),
        ("wso2/tenant-conf.carbon-apimgt.json", "tenants/acme.com/tenant-conf.json"),
    ] {
        fs::copy(fixture(from), wso2.join(to)).unwrap();
    }
    fs::write(wso2.join("repository/conf/email/email-admin-config.xml"), "<configurations/>").unwrap();
    let folder = home.path().join("config");
    let report = imported(&["wso2", &wso2.display().to_string()], &folder);
    assert_eq!(report["written"].as_array().unwrap().len(), 3);
    for (from, tenant) in [
        ("wso2/tenant-conf.wso2-4x.json", "carbon.super"),
        ("wso2/tenant-conf.carbon-apimgt.json", "acme.com"),
    ] {
        let written = fs::read_to_string(folder.join(format!("tenants/{tenant}/tenant-conf.json"))).unwrap();
        assert_eq!(written, fs::read_to_string(fixture(from)).unwrap(), "{tenant}");
    }
    let lines = report["settings"].as_array().unwrap();
    assert!(
        lines.iter().any(|line| line["text"].as_str().unwrap().contains("mail templates are not taken over"))
    );
}

#[test]
fn the_file_of_wso2_is_refused_with_its_remedy() {
    let file = fixture("wso2/apim-4.7-deployment.toml");
    for command in ["check", "serve"] {
        let output = doorward([command, "--config", &file]);
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(message.matches(&file).count(), 2, "one mistake with its file and its remedy: {message}");
        assert!(message.contains(&format!("doorward import wso2 {file} --to FOLDER")), "{message}");
    }
    let home = tempfile::tempdir().unwrap();
    imported(&["wso2", &file], &home.path().join("config"));
}

#[test]
fn oauth2_proxy_routes_decide_as_before() {
    let home = tempfile::tempdir().unwrap();
    let report = imported(&["oauth2-proxy", &fixture("import/oauth2-proxy.cfg")], home.path());
    assert_verdicts(
        home.path(),
        &["/public/", "/public/a/b", "/docs", "/docs/a", "/health"],
        &["/publicity", "/health/x", "/v1/open", "/account"],
    );
    assert!(text(&report, "skip_auth_routes[3]").starts_with("left: "));
    assert!(text(&report, "oidc_issuer_url").starts_with("taken-over: "));
    let users = fs::read_to_string(home.path().join("users.jsonl")).unwrap();
    assert!(users.contains("\"alex\"") && !users.contains("{SHA}"), "{users}");
}

#[test]
fn authelia_rules_decide_as_before() {
    let home = tempfile::tempdir().unwrap();
    let file = fixture("import/configuration.yml");
    let report = imported(&["authelia", &file, "--domain", "portal.example.com"], home.path());
    assert_verdicts(
        home.path(),
        &["/public/", "/public/a", "/health"],
        &["/public/private/x", "/admin/x", "/internal/x", "/too-late/x", "/a", "/wiki"],
    );
    for key in [
        "access_control.rules[1].resources[2]",
        "access_control.rules[2]",
        "access_control.rules[5].resources[0]",
    ] {
        assert!(text(&report, key).starts_with("left: "), "{key}");
    }
    let config = home.path().join("deployment.toml").display().to_string();
    let users = home.path().join("users.jsonl").display().to_string();
    let output = doorward(["user", "import", &users, "--config", &config]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn import_names_the_unreadable_source() {
    let home = tempfile::tempdir().unwrap();
    let to = home.path().join("config").display().to_string();
    let broken = home.path().join("broken").display().to_string();
    fs::write(&broken, "cookie_secret = \"hunter2\nx").unwrap();
    let folder = home.path().display().to_string();
    let good = fixture("import/oauth2-proxy.cfg");
    for (words, code, expected) in [
        (["oauth2-proxy", &broken, "--to", &to], 2, "line 1, column "),
        (["oauth2-proxy", &folder, "--to", &to], 2, "is a folder: name the file"),
        (["wso2", &folder, "--to", &to], 2, "there is no deployment.toml in"),
        (["authelia", "/nosuch", "--to", &to], 2, "/nosuch cannot be read"),
        (
            ["oauth2-proxy", &good, "--to", &broken],
            1,
            "is a file: name a folder, one that need not be there yet, with --to",
        ),
    ] {
        let output = doorward([&["import"][..], &words[..]].concat());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {message}");
        assert!(message.contains(expected) && !message.contains("hunter2"), "{words:?}: {message}");
    }
    assert!(!Path::new(&to).exists());
}
