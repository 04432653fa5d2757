//! A tenant's file, read and replaced over HTTP.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use serde_json::json;

use crate::support::{
    Edit,
    answer::Answer,
    eventually,
    management::{ManagementFixture, PASSWORD, TENANT_CONFIG, statuses_at_once},
};

const OF_ACME: &str = "/t/acme.com/api/am/admin/v4/tenant-config";

fn put(fixture: &ManagementFixture, target: &str, text: &str) -> Answer {
    let ask = fixture.ask("PUT", target).basic("admin@carbon.super", PASSWORD);
    ask.header("content-type", "application/json").body(text).send()
}

#[test]
fn put_writes_the_body_unchanged_and_applies_it_at_once() {
    let fixture = ManagementFixture::start();
    assert!(fixture.proxy.allows_anonymous("acme.com"));
    let text = "{\r\n\t\"EnableAnonymous\" : false ,\n  \"SelfSignUp\": {\"SignUpRoles\": [\"Internal/subscriber\"]} }\n\n";
    let answer = put(&fixture, OF_ACME, text);
    assert_eq!((answer.status, answer.text().as_str()), (200, text));
    // no waiting: the next request
    assert!(!fixture.proxy.allows_anonymous("acme.com"));
    assert_eq!(fs::read_to_string(fixture.proxy.tenants.file("acme.com")).unwrap(), text);
    let shown = fixture.get(OF_ACME);
    assert_eq!((shown.text().as_str(), shown.header("etag")), (text, answer.header("etag")));
    assert_eq!(shown.header("content-type"), Some("application/json"));
    assert!(fixture.proxy.allows_anonymous("beta.com"));
}

#[test]
fn only_the_tenants_administrator_may_write() {
    let fixture = ManagementFixture::start();
    let put = |user: &str, target: &str| {
        fixture.send_as(user, "PUT", target, &json!({"EnableAnonymous": false})).status
    };
    assert_eq!(put("alex@acme.com", OF_ACME), 403);
    assert_eq!(put("admin@beta.com", OF_ACME), 403);
    assert!(fixture.proxy.allows_anonymous("acme.com"));
    assert_eq!(put("admin@acme.com", TENANT_CONFIG), 200);
    assert!(!fixture.proxy.allows_anonymous("acme.com"));
}

#[test]
fn default_tenant_needs_no_existing_folder() {
    let fixture = ManagementFixture::start();
    assert_eq!(fixture.get(TENANT_CONFIG).text(), "{}");
    assert_eq!(put(&fixture, TENANT_CONFIG, "{\"EnableAnonymous\": \"FALSE\"}").status, 200);
    assert!(!fixture.proxy.allows_anonymous("carbon.super"));
}

#[test]
fn rejects_mistakes_with_line_key_and_remedy() {
    let fixture = ManagementFixture::start();
    put(&fixture, OF_ACME, "{\"EnableAnonymous\": true}");
    for (text, output) in [
        ("{\n \"EnableAnonymous\": 7\n}", &["line 2", "EnableAnonymous", "write true or false"][..]),
        ("{\"enableAnonymous\": true}", &["enableAnonymous", "did you mean"]),
        ("{\"Doorward\": {\"branding\": {\"acent\": \"#fff\"}}}", &["Doorward.branding.acent"]),
        ("{\"EnableAnonymous\": true, \"EnableAnonymous\": false}", &["twice"]),
        ("{", &["not JSON"]),
        ("[]", &["not a JSON object"]),
        ("", &["not JSON"]),
    ] {
        let answer = put(&fixture, OF_ACME, text);
        let message = answer.json()["description"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 400, "{text}");
        assert!(output.iter().all(|part| message.contains(part)), "{text}: {message}");
        assert!(!message.contains("tenant-conf.json") && !message.contains("/tenants/"), "{message}");
    }
    assert_eq!(fixture.get(OF_ACME).text(), "{\"EnableAnonymous\": true}");
}

#[test]
fn rejects_what_doorward_check_rejects() {
    let fixture = ManagementFixture::with(|proxy| {
        let beta = json!({"Doorward": {"hosts": ["beta.example"]}});
        proxy
            .setting("tenancy.claimable_hosts", json!(["beta.example", "acme.example"]))
            .setting("tenancy.hosts", json!({"mapped.example": "beta.com"}))
            .tenant("beta.com", &beta)
    });
    eventually(|| fixture.proxy.get("/devportal/apis").host("beta.example").send().status == 200);
    for (ours, output) in [
        (
            json!({"hosts": ["x.example"]}),
            "Doorward.hosts[0]: deployment.toml does not let tenants claim x.example",
        ),
        // the names of other tenants are not disclosed
        (json!({"hosts": ["beta.example"]}), "Doorward.hosts[0]: another tenant claims beta.example too"),
        (json!({"hosts": ["mapped.example"]}), "Doorward.hosts[0]: mapped.example belongs to another tenant"),
        (
            json!({"issuers": [{"issuer": "x", "audiences": ["a"], "jwks_file": "nosuch.json"}]}),
            "Doorward.issuers[0].jwks_file: nosuch.json: No such file",
        ),
        (
            json!({"routes": [{"match": "/x", "access": "open"}]}),
            "Doorward.routes[0].access: deployment.toml or the profile keeps this path for users",
        ),
    ] {
        let answer = put(&fixture, OF_ACME, &json!({"Doorward": ours}).to_string());
        let message = answer.json()["description"].as_str().unwrap_or_default().to_owned();
        assert_eq!(answer.status, 400, "{ours}: {}", answer.text());
        assert!(message.contains(output), "{ours}: {message}");
        let home = fixture.proxy.folder().to_str().unwrap();
        assert!(!message.contains("tenant-conf.json") && !message.contains(home), "{message}");
        assert!(!message.contains("beta.com"), "{message}");
    }
    assert_eq!(fixture.get(OF_ACME).text(), "{}", "nothing has changed");
    let own = json!({"Doorward": {"hosts": ["acme.example"]}}).to_string();
    assert_eq!(put(&fixture, OF_ACME, &own).status, 200);
    assert_eq!(put(&fixture, OF_ACME, &own).status, 200, "its own claim is no other's");
    // account_lock.enabled is false: a note to `doorward check`, no mistake
    let noted = json!({"Doorward": {"guards": [{"match": "/x", "user_in": "basic"}]}});
    assert_eq!(put(&fixture, OF_ACME, &noted.to_string()).status, 200);
}

#[test]
fn broken_file_can_be_read_and_replaced() {
    let fixture = ManagementFixture::start();
    fixture.proxy.edit_tenant_by(Edit::InPlace, "acme.com", "{ broken");
    assert_eq!(fixture.get(OF_ACME).text(), "{ broken");
    assert_eq!(put(&fixture, OF_ACME, "{}").status, 200);
    assert!(fixture.proxy.allows_anonymous("acme.com"));
}

#[test]
fn etags_against_lost_updates() {
    let fixture = ManagementFixture::start();
    let tag = fixture.get(OF_ACME).header("etag").unwrap().to_owned();
    let put_if = |name: &str, tag: &str, text: &str| {
        let ask = fixture.ask("PUT", OF_ACME).basic("admin@acme.com", PASSWORD);
        ask.header("content-type", "application/json").header(name, tag).body(text).send()
    };
    let first = put_if("if-match", &tag, "{\"by\": 1}");
    assert_eq!(first.status, 200);
    let late = put_if("if-match", &tag, "{\"by\": 2}");
    assert_eq!((late.status, late.header("etag")), (412, first.header("etag")));
    assert_eq!(put_if("if-none-match", "*", "{\"by\": 3}").status, 412);
    assert_eq!(put_if("if-match", "W/\"x\"", "{\"by\": 4}").status, 412);
    assert_eq!(fixture.get(OF_ACME).json(), json!({"by": 1}));
    let known = fixture.ask("GET", OF_ACME).basic("admin@acme.com", PASSWORD);
    let known = known.header("if-none-match", first.header("etag").unwrap()).send();
    assert_eq!((known.status, known.body.len()), (304, 0));
}

#[test]
fn attack_etag_race_only_one_of_many_wins() {
    let fixture = ManagementFixture::start();
    let tag = fixture.get(OF_ACME).header("etag").unwrap().to_owned();
    let statuses = statuses_at_once(0..8, |number| {
        let ask = fixture.ask("PUT", OF_ACME).basic("admin@acme.com", PASSWORD);
        let ask = ask.header("if-match", &tag).header("content-type", "application/json");
        ask.body(format!("{{\"by\": {number}}}"))
    });
    let won = statuses.iter().filter(|status| **status == 200).count();
    let lost = statuses.iter().filter(|status| **status == 412).count();
    assert_eq!((won, lost), (1, 7), "{statuses:?}");
}

#[test]
fn rejects_writes_to_files_managed_elsewhere() {
    let fixture = ManagementFixture::start();
    fixture.proxy.edit_tenant_by(Edit::DataSwap, "beta.com", "{\"from\": \"a ConfigMap\"}");
    let beta = "/t/beta.com/api/am/admin/v4/tenant-config";
    eventually(|| fixture.get(beta).text().contains("ConfigMap"));
    let answer = put(&fixture, beta, "{}");
    assert_eq!(answer.status, 409);
    assert!(answer.json()["description"].as_str().unwrap().contains("ConfigMap"), "{}", answer.text());
    let file = fixture.proxy.tenants.file("acme.com");
    fs::rename(&file, file.with_extension("real")).unwrap();
    symlink("tenant-conf.real", &file).unwrap();
    assert_eq!(put(&fixture, OF_ACME, "{}").status, 409);
    assert!(file.is_symlink());
}

#[test]
fn read_only_folder_returns_403() {
    let fixture = ManagementFixture::start();
    let folder = fixture.proxy.tenants.folder.join("acme.com");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    // an administrator with all permissions can still write
    let allowed = fs::write(folder.join("probe"), "").is_ok();
    let answer = put(&fixture, OF_ACME, "{}");
    assert_eq!(answer.status, if allowed { 200 } else { 403 }, "{}", answer.text());
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn read_only_mode_rejects_changes_with_a_reason() {
    let mut fixture = ManagementFixture::with(|proxy| proxy.setting("management.read_only", true));
    let answer = put(&fixture, OF_ACME, "{\"EnableAnonymous\": false}");
    assert_eq!(answer.status, 403);
    assert!(answer.json()["description"].as_str().unwrap().contains("management.read_only"));
    assert_eq!(fixture.get(OF_ACME).text(), "{}");
    fixture.proxy.edit_deployment("management.read_only", false);
    eventually(|| put(&fixture, OF_ACME, "{\"EnableAnonymous\": false}").status == 200);
}

#[test]
fn schema_endpoint_returns_the_tenant_conf_schema() {
    let fixture = ManagementFixture::start();
    let schema = fixture.get("/api/am/admin/v4/tenant-config-schema");
    assert_eq!(schema.json(), doorward::internals::config::schema::tenant_conf());
    assert_eq!(fixture.get_as("alex", "/api/am/admin/v4/tenant-config-schema").status, 403);
}

#[test]
fn unsupported_methods_return_405_with_allow() {
    let fixture = ManagementFixture::start();
    for (method, target, allow) in [
        ("POST", TENANT_CONFIG, "GET, HEAD, PUT"),
        ("DELETE", OF_ACME, "GET, HEAD, PUT"),
        ("OPTIONS", OF_ACME, "GET, HEAD, PUT"),
        ("PUT", "/api/am/admin/v4/tenant-config-schema", "GET, HEAD"),
        ("TRACE", TENANT_CONFIG, "GET, HEAD, PUT"),
    ] {
        let answer = fixture.ask(method, target).basic("admin@carbon.super", PASSWORD).send();
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {target}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let head = fixture.ask("HEAD", OF_ACME).basic("admin@carbon.super", PASSWORD).send();
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(fixture.get(&format!("{OF_ACME}/")).status, 200, "a slash at the end says nothing");
}
