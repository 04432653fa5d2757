//! Keys one by one, and the files of real deployments.

use std::{collections::BTreeMap, path::Path};

use super::*;
use crate::{
    cli::import::report::{Outcome, ReportLine},
    config::load,
};

const DEPLOYMENT: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wso2/apim-4.7-deployment.toml"));

fn imported(text: &str) -> (String, Vec<ReportLine>) {
    let mut source = SourceSettings::from_toml(text, Path::new("deployment.toml")).unwrap();
    let mut draft = DeploymentDraft::default();
    translate_deployment(&mut source, None, &mut draft);
    let toml = draft.to_toml("WSO2");
    load::parse(&toml, Path::new("deployment.toml"), &BTreeMap::new())
        .unwrap_or_else(|found| panic!("{found:#?}\n{toml}"));
    (toml, draft.report.settings)
}

#[test]
fn each_key_has_its_place_or_its_reason() {
    use Outcome::{Left, Noted, TakenOver};

    for (lines, key, outcome, written) in [
        (
            "apim.devportal.enable_anonymous_mode = false",
            "apim.devportal.enable_anonymous_mode",
            TakenOver,
            "enable_anonymous_mode = false",
        ),
        (
            "apim.devportal.enable_anonymous_mode = \"TRUE\"",
            "apim.devportal.enable_anonymous_mode",
            TakenOver,
            "enable_anonymous_mode = true",
        ),
        (
            "apim.devportal.enable_anonymous_mode = \"yes\"",
            "apim.devportal.enable_anonymous_mode",
            TakenOver,
            "enable_anonymous_mode = false",
        ),
        ("", "apim.devportal.enable_anonymous_mode", Left, "enable_anonymous_mode = true"),
        (
            "apim.devportal.url = \"https://dev.example.com/devportal\"",
            "apim.devportal.url",
            TakenOver,
            "public_url = \"https://dev.example.com\"",
        ),
        (
            "apim.devportal.url = \"https://localhost:${mgt.transport.https.port}/devportal\"",
            "apim.devportal.url",
            Noted,
            "",
        ),
        (
            "apim.devportal.enable_application_sharing = false",
            "apim.devportal.enable_application_sharing",
            Noted,
            "",
        ),
        (
            "[[apim.devportal.application_attributes]]\nname = \"x\"",
            "apim.devportal.application_attributes",
            Noted,
            "",
        ),
        (
            "apim.devportal.enable_cross_tenant_subscriptions = true",
            "apim.devportal.enable_cross_tenant_subscriptions",
            TakenOver,
            "cross_tenant = true",
        ),
        ("server.offset = 3", "server.offset", TakenOver, "url = \"http://127.0.0.1:9766\""),
        ("server.hostname = \"api.example.com\"", "server.hostname", Left, ""),
        ("super_admin.password = \"hunter2\"", "super_admin", Noted, ""),
        ("database.apim_db.password = \"hunter2\"", "database", Noted, ""),
        (
            "identity_mgt.account_locking.enable_account_locking = true",
            "identity_mgt.account_locking.enable_account_locking",
            TakenOver,
            "[account_lock]\nenabled = true",
        ),
        (
            "identity_mgt.account_locking.allowed_failed_attempts = \"3\"",
            "identity_mgt.account_locking.allowed_failed_attempts",
            TakenOver,
            "max_attempts = 3",
        ),
        (
            "identity_mgt.account_locking.auto_unlock_after = 10",
            "identity_mgt.account_locking.auto_unlock_after",
            TakenOver,
            "time = \"10m\"",
        ),
        (
            "identity_mgt.account_locking.auto_unlock_time_increment_ratio = 0",
            "identity_mgt.account_locking.auto_unlock_time_increment_ratio",
            Left,
            "",
        ),
        (
            "identity_mgt.account_locking.allowed_failed_attempts = \"many\"",
            "identity_mgt.account_locking.allowed_failed_attempts",
            Left,
            "",
        ),
        (
            "identity_mgt.account_disabling.enable_account_disabling = true",
            "identity_mgt.account_disabling.enable_account_disabling",
            TakenOver,
            "enable_account_disabling = true",
        ),
        (
            "identity_mgt.password_policy.max_password_allowed_length = 64",
            "identity_mgt.password_policy",
            Noted,
            "",
        ),
        (
            "identity_mgt.events.schemes.passwordPolicy.properties.\"min.length\" = \"8\"",
            "identity_mgt.events.schemes.passwordPolicy.properties.min.length",
            TakenOver,
            "\"min.length\" = \"8\"",
        ),
        (
            "identity_mgt.events.schemes.passwordPolicy.properties.\"class.X\" = \"y\"",
            "identity_mgt.events.schemes.passwordPolicy.properties.class.X",
            Noted,
            "",
        ),
        (
            "identity_mgt.events.schemes.passwordPolicy.properties.colour = \"red\"",
            "identity_mgt.events.schemes.passwordPolicy.properties.colour",
            Left,
            "",
        ),
        ("event.default_listener.identity_mgt.priority = \"50\"", "event", Noted, ""),
        ("session.timeout.idle_session_timeout = \"15m\"", "session", Noted, ""),
        ("no_such.table.key = 1", "no_such", Noted, ""),
    ] {
        let (text, report) = imported(lines);
        let found: Vec<_> =
            report.iter().filter(|found| found.key == key).map(|found| found.outcome).collect();
        assert_eq!(found, [outcome], "{lines}: {report:#?}");
        assert!(text.contains(written) && !text.contains("hunter2"), "{lines}: {text}");
    }
}

#[test]
fn reports_every_table_of_a_real_file() {
    let mut source = SourceSettings::from_toml(DEPLOYMENT, Path::new("deployment.toml")).unwrap();
    let mut draft = DeploymentDraft::default();
    translate_deployment(&mut source, None, &mut draft);
    insta::assert_snapshot!(draft.report.to_text(), @r"
    # taken over
    the portal: as `[[portal.upstream]]`: WSO2's HTTP port on this machine; name another with --upstream

    # noted: nothing to do
    server.hostname: WSO2 on this machine
    apim.ai: WSO2 API Manager
    apim.analytics: analytics of WSO2's gateway
    apim.cors: CORS of WSO2's gateway; Doorward's is `access.cors_allowed_origins`
    apim.gateway: WSO2's gateway, which Doorward does not protect
    apim.gateway_type: WSO2's gateway, which Doorward does not protect
    apim.key_manager: WSO2's key manager
    apim.sync_runtime_artifacts: WSO2 API Manager
    database: WSO2's databases, which Doorward does not use
    event_handler: WSO2's event listeners
    event_listener: WSO2's event listeners
    keystore: WSO2's key stores; Doorward's certificates are `[server.tls]`
    oauth: WSO2's token endpoint
    server.base_path: belongs to WSO2
    server.server_role: belongs to WSO2
    service_provider: belongs to WSO2
    super_admin: WSO2's administrator, who stays in WSO2
    user_store: WSO2's users, who stay in WSO2

    # left: decide or do this by hand
    apim.devportal.enable_anonymous_mode: not written, so WSO2's default `true` is taken over: visitors see the public pages; write false to close the portal
    ");
}

#[test]
fn keys_of_a_tenant_file_are_kept() {
    let mut draft = DeploymentDraft::default();
    report_tenant_conf("{\"EnableAnonymous\": false, \"RESTAPIScopes\": {}}", "t", &mut draft).unwrap();
    let found: Vec<_> = draft.report.settings.iter().map(|line| (line.key.as_str(), line.outcome)).collect();
    assert_eq!(found, [("t, EnableAnonymous", Outcome::TakenOver), ("t, RESTAPIScopes", Outcome::Noted)]);
}
