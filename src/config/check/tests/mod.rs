//! Checks of a deployment folder.

use tempfile::TempDir;

use super::*;

mod notes;
mod wso2;

struct Deployment(TempDir);

impl Deployment {
    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let portal = "[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n";
        fs::write(folder.path().join("d.toml"), format!("{text}\n{portal}")).unwrap();
        Self(folder)
    }

    fn with(self, file: &str, text: &str) -> Self {
        let path = self.0.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn check(&self) -> CheckReport {
        self.check_at(Timestamp::EPOCH)
    }

    fn check_at(&self, now: Timestamp) -> CheckReport {
        check(&self.0.path().join("d.toml"), &BTreeMap::new(), now)
    }

    /// Without the temporary folder's name.
    fn messages(&self) -> Vec<String> {
        let prefix = format!("{}/", self.0.path().display());
        let mut messages: Vec<_> =
            self.check().mistakes.iter().map(|mistake| mistake.to_string().replace(&prefix, "")).collect();
        messages.sort();
        messages
    }
}

#[test]
fn a_single_tenant_install_needs_no_tenants_folder() {
    let report = Deployment::of("").check();
    assert!(report.is_clean() && report.tenants == 0, "{report:#?}");
    assert!(report.effective_toml.unwrap().contains("enable_anonymous_mode = true"));
}

#[test]
fn configured_tenants_folder_must_exist() {
    let message = Deployment::of("[tenancy]\nfolder = \"elsewhere\"").messages();
    assert_eq!(
        message,
        ["d.toml:2:10: tenancy.folder: elsewhere: this is not a folder (make it, or leave the key out)"]
    );
}

#[test]
fn reports_a_tenants_folder_that_cannot_be_listed() {
    // also the default one, and whatever else is wrong; a link to itself stops root too
    for text in ["", "[tenancy]\nfolder = \"tenants\"", "[sevrer]"] {
        let deployment = Deployment::of(text);
        std::os::unix::fs::symlink("tenants", deployment.0.path().join("tenants")).unwrap();
        let messages = deployment.messages();
        let messages: Vec<_> = messages.iter().filter(|messages| !messages.contains("sevrer")).collect();
        assert_eq!(messages.len(), 1, "{messages:?}");
        let expected = "tenants: tenancy.folder: cannot be listed: Too many levels of symbolic links";
        assert!(messages[0].contains(expected), "{messages:?}");
        assert!(messages[0].ends_with("(let the user Doorward runs as read it)"), "{messages:?}");
    }
}

#[test]
fn rejects_a_syslog_ca_file_that_cannot_be_read() {
    let text = "[log]\naudit = \"syslog+tls://logs.example:6514?ca_file=/nosuch.pem\"";
    let found = Deployment::of(text).messages();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("log.audit: /nosuch.pem: No such file"), "{found:?}");
    // the file is refused at the start and at a reload, as for every other mistake
    let loaded = load::parse(text, Path::new("d.toml"), &BTreeMap::new());
    assert!(loaded.unwrap_err().iter().any(|mistake| mistake.to_string().contains("/nosuch.pem")));
}

#[test]
fn checks_every_tenant() {
    let deployment = Deployment::of("")
        .with("tenants/acme.com/tenant-conf.json", "{\"EnableAnonymous\": false}")
        .with("tenants/b.com/tenant-conf.json", "{\"EnableAnonymous\": 1}")
        .with("tenants/c.com/tenant-conf.json", "{\"Doorward\": {\"host\": []}}")
        .with("tenants/d.com/tenant-conf.json", "{")
        .with("tenants/e.com/tenant-conf.json", "{\"enableAnonymous\": false}")
        .with("tenants/inherits.com/notes.txt", "")
        .with("tenants/README.md", "no tenant")
        .with("tenants/..data/x", "kubernetes")
        .with("tenants/ACME.org/tenant-conf.json", "{}")
        .with("tenants/a b/tenant-conf.json", "{}");
    insta::assert_snapshot!(deployment.messages().join("\n"), @r"
    tenants/ACME.org: tenant domains are lower case, so this folder is never found (rename it to acme.org)
    tenants/a b: no tenant can be called that: a tenant domain has letters, digits, '.', '-' and '_', starts with a letter or digit and has at most 253 characters (rename it)
    tenants/b.com/tenant-conf.json:1:21: EnableAnonymous: neither a boolean nor a text (write true or false)
    tenants/c.com/tenant-conf.json:1:15: Doorward.host: there is no key `host` here (did you mean `hosts`?)
    tenants/d.com/tenant-conf.json:1:2: not JSON: a key in double quotes should be here
    tenants/e.com/tenant-conf.json:1:2: enableAnonymous: this key has no effect (did you mean `EnableAnonymous`?)
    ");
    assert_eq!(deployment.check().tenants, 8);
}

#[test]
fn checks_tenant_files_despite_deployment_mistakes() {
    let deployment =
        Deployment::of("[sevrer]\n[tenancy]\nfolder = \"t\"").with("t/b.com/tenant-conf.json", "[]");
    assert_eq!(
        deployment.messages(),
        [
            "d.toml:1:2: sevrer: there is no key `sevrer` here (did you mean `server`?)",
            "t/b.com/tenant-conf.json: not a JSON object (write { … })",
        ]
    );
    assert!(deployment.check().effective.is_none());
}

#[test]
fn attack_host_name_takeover_is_reported() {
    let claim = |host: &str| format!("{{\"Doorward\": {{\"hosts\": [\"{host}\"]}}}}");
    let deployment = Deployment::of(
        "[server]\npublic_url = \"https://portal.example\"\n[tenancy]\nclaimable_hosts = [\"both.example\"]\n\
         host_pattern = \"{tenant}.portal.example\"\nhosts = { \"dev.acme.com\" = \"acme.com\" }",
    )
    .with("tenants/evil.com/tenant-conf.json", &claim("dev.acme.com"))
    .with("tenants/sly.com/tenant-conf.json", &claim("acme.portal.example"))
    .with("tenants/own.com/tenant-conf.json", &claim("own.com.portal.example"))
    .with("tenants/main.com/tenant-conf.json", &claim("portal.example"))
    .with("tenants/other.com/tenant-conf.json", &claim("other.example"))
    .with("tenants/first.com/tenant-conf.json", &claim("both.example"))
    .with("tenants/second.com/tenant-conf.json", &claim("BOTH.example"));
    let messages = deployment.messages();
    assert_eq!(messages.len(), 5, "{messages:#?}");
    assert!(messages.iter().any(|messages| messages.contains("portal.example is the portal's own host")));
    assert!(messages.iter().any(|messages| {
        messages.contains("claim other.example") && messages.contains("add it to tenancy.claimable_hosts")
    }));
    assert!(messages.iter().any(|messages| {
        messages
            .contains("evil.com/tenant-conf.json:1:25: Doorward.hosts[0]: dev.acme.com belongs to acme.com")
    }));
    assert!(messages.iter().any(|messages| messages.contains("sly.com")
        && messages.contains("belongs to acme by tenancy.host_pattern")));
    assert!(messages.iter().any(|messages| messages.contains("both.example too, so neither gets it")));
}

#[test]
fn checks_certificates_and_private_keys() {
    let made = || {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    };
    let ((cert, key), (_, other)) = (made(), made());
    let deployment = |cert: &str, key: &str| {
        Deployment::of("[server.tls]\ncert_file = \"c.pem\"\nkey_file = \"k.pem\"")
            .with("c.pem", cert)
            .with("k.pem", key)
    };
    assert_eq!(deployment(&cert, &key).messages(), Vec::<String>::new());
    for (cert, key, expected) in [
        (
            cert.as_str(),
            other.as_str(),
            "d.toml:3:12: server.tls.key_file: k.pem: it does not belong to the certificate",
        ),
        (cert.as_str(), "geheim", "server.tls.key_file: k.pem: there is no private key in it"),
        ("nothing", key.as_str(), "d.toml:2:13: server.tls.cert_file: c.pem: there is no certificate in it"),
    ] {
        let all = deployment(cert, key).messages();
        assert!(all.len() == 1 && all[0].contains(expected) && !all[0].contains("geheim"), "{all:?}");
    }
    for table in ["server.tls", "management"] {
        let missing =
            Deployment::of(&format!("[{table}]\ncert_file = \"c.pem\"\nkey_file = \"k.pem\"")).messages();
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert!(missing[0].contains(&format!("{table}.cert_file")), "{missing:?}");
    }
}

#[test]
fn checks_key_sets() {
    let issuer = "[[issuer]]\nissuer = \"x\"\naudiences = [\"a\"]\njwks_file = \"j.json\"";
    let ed = "\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"";
    for (text, messages) in [
        (format!("{{\"keys\": [{{{ed}}}]}}"), None),
        (format!("{{\"keys\": [{{{ed}, \"d\": \"x\"}}]}}"), Some("there is a private key in it")),
        ("{\"keys\": [{\"kty\": \"oct\", \"k\": \"eA\"}]}".to_owned(), Some("there is no public key in it")),
        ("{\"keys\": []}".to_owned(), Some("there is no public key in it")),
        ("{}".to_owned(), Some("there is no list `keys`")),
        ("x".to_owned(), Some("this is not JSON")),
    ] {
        let all = Deployment::of(issuer).with("j.json", &text).messages();
        match messages {
            None => assert_eq!(all, Vec::<String>::new()),
            Some(messages) => assert!(all.len() == 1 && all[0].contains(messages), "{text}: {all:?}"),
        }
    }
    assert_eq!(Deployment::of(issuer).messages().len(), 1);
    let tenant =
        "{\"Doorward\": {\"issuers\": [{\"issuer\": \"x\", \"audiences\": [\"a\"], \"jwks_file\": \"j\"}]}}";
    let messages = Deployment::of("").with("tenants/a.com/tenant-conf.json", tenant).messages();
    assert!(messages[0].contains("Doorward.issuers[0].jwks_file: tenants/a.com/j: "), "{messages:?}");
}

/// Attack: a named pipe in place of a file; opening it would block for ever.
#[test]
fn attack_named_pipe_as_issuer_key_file() {
    let introspection =
        "\"url\": \"https://x\", \"client_id\": \"c\", \"client_secret\": \"s\", \"ca_file\": \"pipe\"";
    for keys in ["\"jwks_file\": \"pipe\"", &format!("\"introspection\": {{{introspection}}}")] {
        let tenant = format!(
            "{{\"Doorward\": {{\"issuers\": [{{\"issuer\": \"x\", \"audiences\": [\"a\"], {keys}}}]}}}}"
        );
        let deployment = Deployment::of("").with("tenants/a.com/tenant-conf.json", &tenant);
        let pipe = deployment.0.path().join("tenants/a.com/pipe");
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
        let messages = deployment.messages();
        assert!(messages.len() == 1 && messages[0].contains("pipe: this is not a file"), "{messages:?}");
    }
}

#[test]
fn attack_named_pipe_as_tenant_file() {
    let deployment = Deployment::of("").with("tenants/a.com/tenant-conf.json", "{}");
    let pipe = deployment.0.path().join("tenants/a.com/tenant-conf.json");
    std::fs::remove_file(&pipe).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    assert_eq!(
        deployment.messages(),
        ["tenants/a.com/tenant-conf.json: cannot be read: this is not a file (make it a readable file)"]
    );
}

#[test]
fn the_published_configuration_has_no_mistakes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/deployment.toml");
    let report = check(&file, &BTreeMap::new(), Timestamp::EPOCH);
    assert!(report.is_clean() && report.tenants >= 2, "{report:#?}");
}

#[test]
fn checks_store_location_if_accounts_are_enabled() {
    let with = |text: &str| Deployment::of(&format!("[accounts]\nenabled = true\n{text}"));
    assert_eq!(with("").messages(), Vec::<String>::new());
    assert_eq!(with("").with("doorward.db", "").messages(), Vec::<String>::new());
    assert_eq!(with("store_url = \"postgres://db.example/doorward\"").messages(), Vec::<String>::new());
    assert_eq!(
        Deployment::of("[accounts]\nstore_url = \"sqlite:no/x.db\"").messages(),
        Vec::<String>::new(),
        "off"
    );
    assert_eq!(
        with("store_url = \"sqlite:no/x.db\"").messages(),
        [
            "d.toml:3:13: accounts.store_url: no/x.db: the folder no does not exist (make it, for the user Doorward runs as)"
        ]
    );
    let named = with("store_url_file = \"url\"").with("url", "sqlite:no/x.db").messages();
    assert!(named[0].starts_with("d.toml:3:18: accounts.store_url_file: "), "{named:?}");
    let occupied = with("").with("doorward.db/x", "").messages();
    assert_eq!(
        occupied,
        [
            "d.toml:1:1: accounts.store_url: doorward.db: this is not a file (name a file, such as sqlite:doorward.db)"
        ]
    );
}

#[cfg(unix)]
#[test]
fn reports_a_store_folder_that_is_not_writable() {
    use std::os::unix::fs::PermissionsExt as _;
    let deployment =
        Deployment::of("[accounts]\nenabled = true\nstore_url = \"sqlite:data/x.db\"").with("data/y", "");
    let folder = deployment.0.path().join("data");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    // root can write to every folder
    let is_root = fs::write(folder.join("z"), "").is_ok();
    let messages = deployment.messages();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(messages.is_empty(), is_root, "{messages:?}");
    assert!(
        messages.iter().all(|messages| messages.contains("cannot be written by this user")),
        "{messages:?}"
    );
}
