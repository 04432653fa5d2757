//! The examples for Kubernetes, systemd and containers agree with the configuration and its limits.

use std::{fs, process::Command};

use super::documentation::{read, settings};

#[test]
fn the_configuration_in_the_kubernetes_example_is_accepted() {
    let yaml = read("deploy/kubernetes-sidecar.yaml");
    let (_, after) = yaml.split_once("deployment.toml: |\n").unwrap();
    let text: String =
        after.lines().take_while(|l| *l != "---").flat_map(|l| [l.trim_start(), "\n"]).collect();
    let settings = settings(&text);
    assert_eq!(settings.server.listen[0].to_string(), "0.0.0.0:8080");
    // the probes, the annotation and the configuration name the same port
    let admin = settings.admin.listen.unwrap().port().to_string();
    assert_eq!(yaml.matches(&format!("containerPort: {admin}")).count(), 1);
    assert_eq!(yaml.matches(&format!("prometheus.io/port: \"{admin}\"")).count(), 1);
}

/// The account settings of the Kubernetes example, uncommented.
#[test]
fn the_kubernetes_example_can_be_given_accounts() {
    let yaml = read("deploy/kubernetes-sidecar.yaml");
    let after =
        |mark: &str, text: &str| text.split_once(mark).unwrap_or_else(|| panic!("{mark}")).1.to_owned();
    let line = |text: &str| text.lines().next().unwrap().trim().to_owned();
    // the URL of the secret, read from a file as in the pod
    let url = line(&after("#   url: ", &yaml));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    fs::write(&file, format!("{url}\n")).unwrap();
    let written = line(&after("# store_url_file = ", &yaml));
    let text: String = after("deployment.toml: |\n", &yaml)
        .lines()
        .take_while(|line| *line != "---")
        .map(str::trim_start)
        .map(|line| match line {
            "# [accounts]" | "# enabled = true" => format!("{}\n", &line[2..]),
            line if line.starts_with("# store_url_file") => format!("store_url_file = {file:?}\n"),
            line => format!("{line}\n"),
        })
        .collect();
    let accounts = settings(&text).accounts;
    assert!(accounts.enabled);
    assert_eq!(accounts.store.location.to_string(), "postgres://postgres.example:5432/doorward");
    assert!(url.contains("sslmode=verify-full"), "a machine in between must not read the hashes");
    // the file is where the secret is mounted, and the secret is the one that is shown
    let folder = written.trim_matches('"').rsplit_once('/').unwrap().0.to_owned();
    assert!(yaml.contains(&format!("- {{ name: store, mountPath: {folder}, readOnly: true }}")), "{folder}");
    assert!(url.contains(&format!("sslrootcert={folder}/ca.crt")), "{url}");
    let secret = line(&after("secretName: ", &yaml)).trim_end_matches(" }").to_owned();
    assert!(after("# kind: Secret", &yaml).contains(&format!("#   name: {secret}\n")), "{secret}");
    // … or the file of a single replica: mounted, writable for the user it runs as, claimed
    let claim = line(&after("claimName: ", &yaml)).trim_end_matches(" }").to_owned();
    assert!(
        after("# kind: PersistentVolumeClaim", &yaml).contains(&format!("#   name: {claim}\n")),
        "{claim}"
    );
    let user = line(&after("runAsUser: ", &yaml));
    assert!(yaml.contains(&format!("fsGroup: {user}")), "{user}");
    assert!(yaml.contains("- { name: data, mountPath: /var/lib/doorward }"));
    assert!(yaml.contains("\"sqlite:/var/lib/doorward/doorward.db\""));
}

/// The service cannot write anywhere but where its store is.
#[test]
fn the_systemd_service_can_write_its_store() {
    let unit = read("deploy/doorward.service");
    let has = |line: &str| unit.lines().any(|written| written == line);
    for line in
        ["ProtectSystem=strict", "DynamicUser=yes", "StateDirectory=doorward", "StateDirectoryMode=0700"]
    {
        assert!(has(line), "{line}");
    }
    let url = "sqlite:/var/lib/doorward/doorward.db";
    for (file, text) in [("OPERATIONS.md", read("docs/OPERATIONS.md")), ("the unit", unit.clone())] {
        assert!(text.contains(&format!("store_url = \"{url}\"")), "{file}");
    }
    // where it is installed, systemd itself reads the unit
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.service");
    fs::write(&file, unit.replace("/usr/local/bin/doorward", env!("CARGO_BIN_EXE_doorward"))).unwrap();
    if let Ok(verified) = Command::new("systemd-analyze").arg("verify").arg(&file).output() {
        let printed = String::from_utf8_lossy(&verified.stderr);
        assert!(verified.status.success() && !printed.contains("doorward.service"), "{printed}");
    }
}

/// The limits of the unit and the pod suffice for the built-in limits, and for the time of a drain.
#[test]
fn deploy_examples_fit_the_built_in_limits() {
    let settings = settings("[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n");
    let drain = (settings.server.drain_delay + settings.server.drain_timeout).as_secs();
    let number = |text: &str, key: &str| -> u64 {
        let (_, value) = text.split_once(key).unwrap_or_else(|| panic!("{key}"));
        let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
        value[..end].parse().unwrap()
    };
    let (unit, pod) = (read("deploy/doorward.service"), read("deploy/kubernetes-sidecar.yaml"));
    let image = read("deploy/Containerfile");
    let descriptors = 3 * settings.limits.max_connections as u64 + 1000;
    assert!(number(&unit, "\nLimitNOFILE=") >= descriptors);
    assert!(number(&image, "--ulimit nofile=") >= descriptors);
    for (text, key) in [
        (&unit, "\nTimeoutStopSec="),
        (&pod, "\n      terminationGracePeriodSeconds: "),
        (&image, "--stop-timeout "),
    ] {
        assert!(number(text, key) >= drain + 5, "{key}");
    }
}
