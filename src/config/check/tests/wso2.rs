//! WSO2's files, and pieces of them in ours.

use super::*;

fn wso2_deployment() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wso2/apim-4.7-deployment.toml");
    fs::read_to_string(file).unwrap()
}

#[test]
fn the_whole_file_of_wso2_is_one_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deployment.toml");
    fs::write(&file, wso2_deployment()).unwrap();
    let report = check(&file, &BTreeMap::new(), Timestamp::EPOCH);
    let loaded = load(&file, &BTreeMap::new()).unwrap_err();
    assert_eq!(report.mistakes, loaded);
    let shown: Vec<String> =
        loaded.iter().map(|mistake| mistake.to_string().replace(&folder_name(&file), "")).collect();
    insta::assert_snapshot!(shown.join("\n"), @"deployment.toml:1:1: this is WSO2's file, not Doorward's: it has the tables database, event_handler, event_listener, keystore, oauth, service_provider, super_admin, user_store (doorward import wso2 deployment.toml --to FOLDER takes over what Doorward needs)");
}

fn folder_name(file: &Path) -> String {
    format!("{}/", file.parent().unwrap().display())
}

#[test]
fn tables_of_wso2_beside_ours_are_noted() {
    let text = "\
[apim.devportal]
enable_anonymous_mode = false
url = \"https://localhost:${mgt.transport.https.port}/devportal\"
enable_application_sharing = false
display_multiple_versions = false
[[apim.devportal.application_attributes]]
required = true
name = \"Department\"
[event.default_listener.identity_mgt]
priority = \"50\"
enable = false
[identity_mgt.password_policy]
max_password_allowed_length = 64
[super_admin]
password = \"$secret{admin}\"
[session.timeout]
idle_session_timeout = \"15m\"
";
    let report = Deployment::of(text).check();
    assert!(report.is_clean(), "{:#?}", report.mistakes);
    assert!(report.effective_toml.unwrap().contains("enable_anonymous_mode = false"));
    let notes: Vec<String> = report
        .notes
        .iter()
        .map(|note| format!("{}: {}: {} ({})", note.line.unwrap(), note.key, note.message, note.remedy))
        .collect();
    insta::assert_snapshot!(notes.join("\n"), @r"
    3: apim.devportal.url: WSO2 reads this, and Doorward does not ()
    4: apim.devportal.enable_application_sharing: WSO2 reads this, and Doorward does not ()
    5: apim.devportal.display_multiple_versions: WSO2 reads this, and Doorward does not ()
    6: apim.devportal.application_attributes: WSO2 reads this, and Doorward does not ()
    9: event: WSO2 reads this, and Doorward does not ()
    12: identity_mgt.password_policy: WSO2 reads this, and Doorward does not (the rules for passwords here are those of [password_policy])
    14: super_admin: WSO2 reads this, and Doorward does not ()
    16: session.timeout: WSO2 reads this, and Doorward does not (the lifetimes of sessions here are those of [session])
    ");
}

/// Attack by mishap: the portal stays public, as the key that closes it is taken for one of WSO2's.
#[test]
fn attack_misspelt_anonymous_mode_among_keys_of_wso2() {
    for line in [
        "apim.devportal.enable_anonymous = false",
        "apim.devportal.enable_anonymus_mode = false",
        "apim.devportal.enable-anonymous-mode = false",
        "apim.dev_portal.enable_anonymous_mode = false",
        "apim.devportal = false",
    ] {
        assert_eq!(Deployment::of(line).messages().len(), 1, "{line}");
    }
}

#[test]
fn a_list_of_known_keys_is_written_once() {
    let found = Deployment::of("[server]\ncolour = 1\nshape = 2\ntaste = 3").messages();
    let lists = found.iter().filter(|line| line.contains("known here: ")).count();
    let other = found.iter().filter(|line| line.ends_with("(the keys known here are listed above)")).count();
    assert_eq!((lists, other), (1, 2), "{found:#?}");
}

#[test]
fn placeholders_take_values_from_the_environment() {
    let text = "[server]\npublic_url = \"https://$env{PORTAL_HOST}\"\nworkers = \"${WORKERS}\"\n\
        listen = \"$env{LISTEN}\"";
    let env: BTreeMap<String, String> =
        [("PORTAL_HOST", "portal.example"), ("WORKERS", "3"), ("LISTEN", "127.0.0.1:1,127.0.0.1:2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    let deployment = Deployment::of(text);
    let settings = load(&deployment.0.path().join("d.toml"), &env).unwrap();
    assert_eq!(settings.server.public_url.unwrap().as_str(), "https://portal.example/");
    assert_eq!((settings.server.workers, settings.server.listen.len()), (3, 2));
}

#[test]
fn placeholders_without_a_value_are_mistakes() {
    let text = "[server]\npublic_url = \"https://$env{NOT_SET}\"\nallowed_hosts = [\"${carbon.host}\"]\n\
        [[issuer]]\nissuer = \"x\"\n[issuer.introspection]\nurl = \"https://i\"\nclient_id = \"$sys{id}\"\n\
        client_secret = \"$secret{key}\"\n[accounts]\nstore_url = \"$ref{database.url}\"";
    let found = Deployment::of(text)
        .with("tenants/a.com/tenant-conf.json", "{\"Doorward\": {\"branding\": {\"name\": \"$env{PATH}\"}}}")
        .messages();
    insta::assert_snapshot!(found.join("\n"), @r#"
    d.toml:11:13: accounts.store_url: `$ref{…}` is WSO2's, and Doorward cannot resolve it (write the value, or name a file that has it with `store_url_file`, or set DOORWARD_ACCOUNTS__STORE_URL)
    d.toml:2:14: server.public_url: the environment variable `NOT_SET` is not set (set it, or set DOORWARD_SERVER__PUBLIC_URL)
    d.toml:3:18: server.allowed_hosts[0]: `${carbon.host}` is a property of WSO2's server, which Doorward does not know (write the value, or set DOORWARD_SERVER__ALLOWED_HOSTS__0)
    d.toml:8:13: issuer[0].introspection.client_id: `$sys{…}` is WSO2's, and Doorward cannot resolve it (write the value, or set DOORWARD_ISSUER__0__INTROSPECTION__CLIENT_ID)
    d.toml:9:17: issuer[0].introspection.client_secret: `$secret{…}` is WSO2's, and Doorward cannot resolve it (write the value, or name a file that has it with `client_secret_file`, or set DOORWARD_ISSUER__0__INTROSPECTION__CLIENT_SECRET)
    tenants/a.com/tenant-conf.json:1:36: Doorward.branding.name: a tenant's file takes no values from the environment (write the value)
    "#);
}
