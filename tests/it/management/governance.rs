//! Differences from WSO2's API: defects that are not repeated, and additions.

use serde_json::{Value, json};

use super::contract::{
    ACCOUNT_MANAGEMENT, EXPIRY, HISTORY, LOCK, LOGIN_ATTEMPTS, PASSWORD_POLICIES, SUSPENSION, pairs, refused,
    update, value,
};
use crate::support::management::{GOVERNANCE, ManagementFixture, PASSWORD, statuses_at_once};

const OF_ACME: &str = "/t/acme.com/api/server/v1/identity-governance";

fn history_path(base: &str) -> String {
    format!("{base}/{PASSWORD_POLICIES}/connectors/{HISTORY}")
}

#[test]
fn unknown_names_and_bad_values_change_nothing() {
    let fixture = ManagementFixture::start();
    let before = fixture.get(&history_path(GOVERNANCE)).json();
    let (seven, on) = (("passwordHistory.count", "7"), ("passwordHistory.enable", "true"));
    for (properties, code, remedy) in [
        ([seven, ("passwordHistory.cnt", "1")], "IDG-50017", "Did you mean passwordHistory.count?"),
        ([seven, ("account.lock.handler.Time", "1")], "IDG-50017", "belongs to account.lock.handler."),
        ([seven, ("colour", "red")], "IDG-50017", "connector: Password History."),
        ([on, ("passwordHistory.count", "abc")], "IDG-50013", "give 1 to 100 (passwords)."),
        ([on, ("passwordHistory.count", "-3")], "IDG-50013", "give 1 to 100 (passwords)."),
        ([seven, ("passwordHistory.enable", "yes")], "IDG-50013", "give `true` or `false`."),
        ([seven, ("passwordHistory.count", "8")], "IDG-50013", "give it once."),
    ] {
        let answer = fixture.send("PATCH", &history_path(GOVERNANCE), &update(&properties));
        refused(&answer, 400, code);
        let output = answer.json()["description"].as_str().unwrap().to_owned();
        assert!(output.ends_with(remedy), "{output}");
        assert_eq!(fixture.get(&history_path(GOVERNANCE)).json(), before);
    }
    let policy = format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors/cGFzc3dvcmRQb2xpY3k");
    refused(&fixture.send("PATCH", &policy, &update(&[("passwordPolicy.pattern", "(")])), 400, "IDG-50015");
    let expiry = format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors/{EXPIRY}");
    refused(&fixture.send("PATCH", &expiry, &update(&[("passwordExpiry.rule1", "x")])), 400, "IDG-50014");
}

#[test]
fn accepts_json_types_and_returns_strings() {
    let fixture = ManagementFixture::start();
    let body = json!({"operation": "UPDATE", "properties": [
        {"name": "passwordHistory.count", "value": 8}, {"name": "passwordHistory.enable", "value": true}]});
    assert_eq!(fixture.send("PATCH", &history_path(GOVERNANCE), &body).status, 200);
    let shown = fixture.get(&history_path(GOVERNANCE)).json();
    assert_eq!(value(&shown, "passwordHistory.count"), "8");
    assert_eq!(value(&shown, "passwordHistory.enable"), "true");
}

#[test]
fn each_tenant_has_its_own_values() {
    let fixture = ManagementFixture::start();
    let count = |base: &str| value(&fixture.get(&history_path(base)).json(), "passwordHistory.count");
    let set = |user: &str, base: &str, count: &str| {
        fixture
            .send_as(user, "PATCH", &history_path(base), &update(&[("passwordHistory.count", count)]))
            .status
    };
    assert_eq!(set("admin@acme.com", OF_ACME, "7"), 200);
    assert_eq!((count(OF_ACME), count(GOVERNANCE)), ("7".to_owned(), "5".to_owned()));
    assert_eq!(set("admin@carbon.super", OF_ACME, "8"), 200);
    assert_eq!(set("admin@acme.com", GOVERNANCE, "9"), 403);
    assert_eq!(set("admin@beta.com", OF_ACME, "9"), 403);
    assert_eq!(set("alex@acme.com", OF_ACME, "9"), 403);
    assert_eq!(count(OF_ACME), "8");
    assert_eq!(set("admin@carbon.super", "/t/unknown.com/api/server/v1/identity-governance", "9"), 404);
    // WSO2's address of a sub-organization
    assert_eq!(count("/t/acme.com/o/api/server/v1/identity-governance"), "8");
}

#[test]
fn unnamed_requests_use_the_configured_default_tenant() {
    let fixture = ManagementFixture::with(|proxy| proxy.setting("tenancy.default_tenant", "acme.com"));
    let first = |user: &str, target: &str| {
        let answer = fixture.get_as(user, target);
        if answer.status == 200 {
            answer.json()[0]["self"].as_str().unwrap().to_owned()
        } else {
            answer.status.to_string()
        }
    };
    let of_acme = format!("{GOVERNANCE}/{PASSWORD_POLICIES}");
    assert_eq!(first("admin", GOVERNANCE), of_acme);
    assert_eq!(first("admin@acme.com", OF_ACME), of_acme);
    // to be the default tenant is no power over others
    assert_eq!(first("admin@acme.com", "/t/beta.com/api/server/v1/identity-governance"), "403");
    assert_eq!(first("admin@beta.com", GOVERNANCE), "403");
    let of_beta = "/t/beta.com/api/server/v1/identity-governance";
    assert_eq!(first("admin@beta.com", of_beta), format!("{of_beta}/{PASSWORD_POLICIES}"));
}

#[test]
fn masked_secret_is_kept_if_sent_back() {
    let fixture = ManagementFixture::start();
    let (at, name) = secret_connector(&fixture).expect("the catalogue has a secret");
    assert_eq!(fixture.send("PATCH", &at, &update(&[(&name, "s3cret")])).status, 200);
    let shown = fixture.get(&at);
    assert!(!shown.text().contains("s3cret"));
    assert_eq!(value(&shown.json(), &name), "********");
    // a console sends back the values that it received
    assert_eq!(fixture.send("PATCH", &at, &update(&[(&name, "********")])).status, 200);
    assert_eq!(fixture.get(&at).header("etag"), shown.header("etag"), "nothing has changed");
    let connector = shown.json()["name"].clone();
    let asked = json!([{"connector-name": connector, "properties": [name]}]);
    refused(&fixture.send("POST", &format!("{GOVERNANCE}/preferences"), &asked), 400, "IDG-50012");
    let all =
        fixture.send("POST", &format!("{GOVERNANCE}/preferences"), &json!([{"connector-name": connector}]));
    assert!(all.status == 200 && !all.text().contains("__secret__"));
}

/// A connector with a secret, and the secret's name.
fn secret_connector(fixture: &ManagementFixture) -> Option<(String, String)> {
    let categories = fixture.get(GOVERNANCE).json();
    for category in categories.as_array()? {
        for connector in category["connectors"].as_array()? {
            let at = connector["self"].as_str()?.to_owned();
            let shown = fixture.get(&at).json();
            let secret = shown["properties"].as_array()?.iter().find_map(|property| {
                property["name"].as_str().filter(|name| name.starts_with("__secret__")).map(str::to_owned)
            });
            if let Some(secret) = secret {
                return Some((at, secret));
            }
        }
    }
    None
}

#[test]
fn etags_against_lost_updates() {
    let fixture = ManagementFixture::start();
    let at = history_path(OF_ACME);
    let patch = |if_match: &str, count: &str| {
        let ask = fixture.ask("PATCH", &at).basic("admin@acme.com", PASSWORD).header("if-match", if_match);
        ask.json(&update(&[("passwordHistory.count", count)])).send()
    };
    let tag = |answer: &crate::support::answer::Answer| answer.header("etag").unwrap().to_owned();
    let first = tag(&fixture.get(&at));
    let answer = patch(&first, "6");
    assert_eq!(answer.status, 200);
    refused(&patch(&first, "7"), 412, "MGT-41200");
    assert_eq!(patch(&tag(&answer), "8").status, 200, "the tag of the change is good for the next one");
    // another connector's change counts too: they are one set of settings
    let second = tag(&fixture.get(&at));
    let lock = format!("{OF_ACME}/{LOGIN_ATTEMPTS}/connectors/{LOCK}");
    fixture.send("PATCH", &lock, &update(&[("account.lock.handler.Time", "16")]));
    refused(&patch(&second, "9"), 412, "MGT-41200");
    assert_eq!(patch("*", "9").status, 200);
    for nonsense in ["\"x\"", "7", "W/\"7\"", "\"\""] {
        refused(&patch(nonsense, "1"), 412, "MGT-41200");
    }
    let known = fixture.ask("GET", &at).basic("admin@acme.com", PASSWORD);
    assert_eq!(known.header("if-none-match", &tag(&fixture.get(&at))).send().status, 304);
}

#[test]
fn attack_etag_race_only_one_of_many_wins() {
    let fixture = ManagementFixture::start();
    let at = history_path(OF_ACME);
    let tag = fixture.get(&at).header("etag").unwrap().to_owned();
    let statuses = statuses_at_once(10..18, |count| {
        let ask = fixture.ask("PATCH", &at).basic("admin@acme.com", PASSWORD).header("if-match", &tag);
        ask.json(&update(&[("passwordHistory.count", &count.to_string())]))
    });
    let won = statuses.iter().filter(|status| **status == 200).count();
    let lost = statuses.iter().filter(|status| **status == 412).count();
    assert_eq!((won, lost), (1, 7), "{statuses:?}");
}

#[test]
fn read_only_mode_rejects_changes_with_a_reason() {
    let fixture = ManagementFixture::with(|proxy| proxy.setting("management.read_only", true));
    let connectors = format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors");
    for (method, target, body) in [
        ("PATCH", history_path(GOVERNANCE), update(&[("passwordHistory.count", "7")])),
        ("PATCH", connectors.clone(), json!({"operation": "UPDATE", "connectors": []})),
        (
            "POST",
            format!("{connectors}/revert?connectorId={HISTORY}"),
            json!({"properties": ["passwordHistory.count"]}),
        ),
    ] {
        let answer = fixture.send(method, &target, &body);
        assert_eq!(answer.status, 403, "{target}");
        assert!(answer.json()["description"].as_str().unwrap().contains("management.read_only"));
    }
    assert_eq!(fixture.get(&history_path(GOVERNANCE)).status, 200);
    assert_eq!(fixture.send("POST", &format!("{GOVERNANCE}/preferences"), &json!([])).status, 200);
}

#[test]
fn values_are_stored_and_shared_between_replicas() {
    let fixture = ManagementFixture::start();
    fixture.send("PATCH", &history_path(OF_ACME), &update(&[("passwordHistory.count", "7")]));
    let portal = crate::support::Portal::answering("").start();
    let file = fixture.proxy.folder().join("doorward.db").display().to_string();
    let second = crate::support::TestProxy::in_front_of(&portal)
        .management()
        .setting("accounts.store_url", format!("sqlite:{file}"))
        .tenant("acme.com", &json!({}))
        .start();
    let shown = second
        .management_request("GET", &history_path(OF_ACME))
        .basic("admin@acme.com", PASSWORD)
        .send()
        .json();
    assert_eq!(value(&shown, "passwordHistory.count"), "7");
}

#[test]
fn numbered_rules_are_listed_once_set() {
    let fixture = ManagementFixture::start();
    let at = format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors/{EXPIRY}");
    let rules = |shown: &Value| -> Vec<String> {
        let properties = shown["properties"].as_array().unwrap().iter();
        let names = properties.map(|property| property["name"].as_str().unwrap().to_owned());
        names.filter(|name| name.starts_with("passwordExpiry.rule")).collect()
    };
    assert_eq!(rules(&fixture.get(&at).json()), Vec::<String>::new());
    let answer = fixture.send("PATCH", &at, &update(&[("passwordExpiry.rule1", "1,40,roles,eq,admin")]));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(rules(&fixture.get(&at).json()), ["passwordExpiry.rule1"]);
}

#[test]
fn invalid_bodies_return_415_400_or_413() {
    let fixture = ManagementFixture::start();
    let at = history_path(GOVERNANCE);
    let send = |media: &str, body: Vec<u8>| {
        let ask = fixture.ask("PATCH", &at).basic("admin", PASSWORD);
        ask.header("content-type", media).body(body).send().status
    };
    let good = update(&[("passwordHistory.count", "7")]).to_string().into_bytes();
    assert_eq!(send("text/plain", good.clone()), 415);
    assert_eq!(send("application/xml", good.clone()), 415);
    assert_eq!(send("application/json", b"{".to_vec()), 400);
    assert_eq!(send("application/json", b"\xff".to_vec()), 400);
    assert_eq!(send("application/json", vec![b' '; 256 * 1024 + 1]), 413);
    assert_eq!(send("application/json; charset=utf-8", good), 200);
}

#[test]
fn unsupported_methods_return_405_with_allow() {
    let fixture = ManagementFixture::start();
    for (method, target, allow) in [
        ("DELETE", GOVERNANCE.to_owned(), "GET, HEAD"),
        ("PATCH", format!("{GOVERNANCE}/{PASSWORD_POLICIES}"), "GET, HEAD"),
        ("PUT", format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors"), "GET, HEAD, PATCH"),
        ("GET", format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors/revert"), "POST"),
        ("GET", format!("{GOVERNANCE}/preferences"), "POST"),
        ("POST", history_path(GOVERNANCE), "GET, HEAD, PATCH"),
    ] {
        let answer = fixture.ask(method, &target).basic("admin", PASSWORD).send();
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {target}");
    }
}

/// wso2/product-apim#2631: a change took 15 minutes.
#[test]
fn tenant_conf_change_applies_to_the_next_request() {
    let fixture = ManagementFixture::start();
    let at = "/t/acme.com/api/am/admin/v4/tenant-config";
    for anonymous in [false, true, false] {
        fixture.send("PUT", at, &json!({"EnableAnonymous": anonymous}));
        assert_eq!(fixture.proxy.allows_anonymous("acme.com"), anonymous);
    }
}

/// wso2/carbon-apimgt#5629: after a write the old value was served from a stale cache.
#[test]
fn written_tenant_file_is_read_back_at_once() {
    let fixture = ManagementFixture::start();
    let at = "/t/acme.com/api/am/admin/v4/tenant-config";
    for number in 0..20 {
        let text = json!({"n": number});
        assert_eq!(fixture.send("PUT", at, &text).status, 200);
        assert_eq!(fixture.get(at).json(), text);
    }
}

/// wso2/product-is#10084: properties without their type, or with a wrong one.
#[test]
fn property_types_match_their_values() {
    let fixture = ManagementFixture::start();
    for category in [PASSWORD_POLICIES, LOGIN_ATTEMPTS, ACCOUNT_MANAGEMENT] {
        let connectors = fixture.get(&format!("{GOVERNANCE}/{category}/connectors")).json();
        for property in
            connectors.as_array().unwrap().iter().flat_map(|c| c["properties"].as_array().unwrap())
        {
            let value = property["value"].as_str().unwrap();
            match property["meta"]["type"].as_str() {
                Some("boolean") => assert!(matches!(value, "true" | "false"), "{property}"),
                Some("integer") => assert!(value.parse::<i64>().is_ok(), "{property}"),
                _ => {}
            }
        }
    }
}

/// wso2/identity-api-server#476, wso2/identity-api-server#921: changing several connectors at once, and taking changes back, were missing.
#[test]
fn rejected_bulk_change_leaves_nothing() {
    let fixture = ManagementFixture::start();
    let at = format!("{GOVERNANCE}/{ACCOUNT_MANAGEMENT}/connectors");
    let delay = "suspension.notification.account.disable.delay";
    let disable = "YWNjb3VudC5kaXNhYmxlLmhhbmRsZXI";
    let body = |bad: &str| {
        json!({"operation": "UPDATE", "connectors": [
            {"id": SUSPENSION, "properties": pairs(&[(delay, "33")])},
            {"id": disable, "properties": pairs(&[("account.disable.handler.enable", bad)])},
        ]})
    };
    refused(&fixture.send("PATCH", &at, &body("perhaps")), 400, "IDG-50013");
    let shown = || value(&fixture.get(&format!("{at}/{SUSPENSION}")).json(), delay);
    assert_eq!(shown(), "90");
    assert_eq!(fixture.send("PATCH", &at, &body("true")).status, 200);
    assert_eq!(shown(), "33");
}
