//! The cases of WSO2's own test suite, class by class: the behaviour that existing clients rely on.

use serde_json::{Value, json};

use crate::support::{
    answer::Answer,
    management::{GOVERNANCE, ManagementFixture, PASSWORD},
};

pub const PASSWORD_POLICIES: &str = "UGFzc3dvcmQgUG9saWNpZXM";
pub const LOGIN_ATTEMPTS: &str = "TG9naW4gQXR0ZW1wdHMgU2VjdXJpdHk";
pub const ACCOUNT_MANAGEMENT: &str = "QWNjb3VudCBNYW5hZ2VtZW50";
pub const HISTORY: &str = "cGFzc3dvcmRIaXN0b3J5";
pub const EXPIRY: &str = "cGFzc3dvcmRFeHBpcnk";
pub const LOCK: &str = "YWNjb3VudC5sb2NrLmhhbmRsZXI";
pub const SUSPENSION: &str = "c3VzcGVuc2lvbi5ub3RpZmljYXRpb24";

const CATEGORIES: [(&str, &str); 5] = [
    ("Password Policies", PASSWORD_POLICIES),
    ("User Onboarding", "VXNlciBPbmJvYXJkaW5n"),
    ("Login Attempts Security", LOGIN_ATTEMPTS),
    ("Other Settings", "T3RoZXIgU2V0dGluZ3M"),
    ("Account Management", ACCOUNT_MANAGEMENT),
];

/// Super tenant and tenant: the caller's credentials and the path of the request.
const BOTH: [(&str, &str); 2] = [
    ("admin", "/api/server/v1/identity-governance"),
    ("admin@acme.com", "/t/acme.com/api/server/v1/identity-governance"),
];

pub fn update(properties: &[(&str, &str)]) -> Value {
    json!({ "operation": "UPDATE", "properties": pairs(properties) })
}

pub fn pairs(properties: &[(&str, &str)]) -> Value {
    properties.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

/// The value of a property in a connector as it is shown.
#[track_caller]
pub fn value(connector: &Value, name: &str) -> String {
    let properties = connector["properties"].as_array().unwrap_or_else(|| panic!("{connector:#}"));
    let property = properties.iter().find(|property| property["name"] == name);
    property.unwrap_or_else(|| panic!("no {name} in {connector:#}"))["value"].as_str().unwrap().to_owned()
}

#[track_caller]
pub fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{}", answer.text());
}

#[test]
fn identity_governance_success_test_get_categories() {
    let fixture = ManagementFixture::start();
    for (user, base) in BOTH {
        let answer = fixture.get_as(user, base);
        let categories = answer.json();
        assert_eq!(answer.status, 200);
        for (name, id) in CATEGORIES {
            let known = categories.as_array().unwrap().iter().find(|category| category["id"] == id).unwrap();
            assert_eq!((&known["name"], &known["self"]), (&json!(name), &json!(format!("{base}/{id}"))));
            for connector in known["connectors"].as_array().unwrap() {
                let at = format!("{base}/{id}/connectors/{}", connector["id"].as_str().unwrap());
                assert_eq!(connector["self"], at);
                assert_eq!(fixture.get_as(user, &at).status, 200, "{at}");
            }
        }
        assert_eq!(fixture.get_as(user, &format!("{base}/")).json(), categories);
    }
}

#[test]
fn identity_governance_success_test_get_category_and_connectors() {
    let fixture = ManagementFixture::start();
    for (user, base) in BOTH {
        for (name, id) in CATEGORIES {
            let category = fixture.get_as(user, &format!("{base}/{id}")).json();
            assert_eq!(category["name"], name);
            let listed = fixture.get_as(user, &format!("{base}/{id}/connectors")).json();
            assert_eq!(category["connectors"], listed);
            for connector in listed.as_array().unwrap() {
                let alone = format!("{base}/{id}/connectors/{}", connector["id"].as_str().unwrap());
                assert_eq!(fixture.get_as(user, &alone).json(), *connector);
                assert_eq!(connector["category"], name);
                for member in ["name", "friendlyName", "subCategory"] {
                    assert!(connector[member].is_string(), "{member}");
                }
                assert!(connector["order"].is_u64());
                for property in connector["properties"].as_array().unwrap() {
                    for member in ["name", "value", "displayName", "description"] {
                        assert!(property[member].is_string(), "{member} of {property}");
                    }
                }
            }
        }
    }
}

#[test]
fn identity_governance_success_test_update_connector() {
    let fixture = ManagementFixture::start();
    for (user, base) in BOTH {
        let at = format!("{base}/{ACCOUNT_MANAGEMENT}/connectors/{SUSPENSION}");
        for days in ["91", "90"] {
            let name = "suspension.notification.account.disable.delay";
            let answer = fixture.send_as(user, "PATCH", &at, &update(&[(name, days)]));
            assert_eq!((answer.status, answer.text().as_str()), (200, ""));
            assert_eq!(value(&fixture.get_as(user, &at).json(), name), days);
        }
    }
}

#[test]
fn identity_governance_success_test_update_multiple_connectors() {
    let fixture = ManagementFixture::start();
    for (user, base) in BOTH {
        let at = format!("{base}/{PASSWORD_POLICIES}/connectors");
        let body = json!({"operation": "UPDATE", "connectors": [
            {"id": HISTORY, "properties": pairs(&[("passwordHistory.count", "10"), ("passwordHistory.enable", "true")])},
            {"id": EXPIRY, "properties": pairs(&[
                ("passwordExpiry.enablePasswordExpiry", "true"), ("passwordExpiry.passwordExpiryInDays", "20")])},
        ]});
        let answer = fixture.send_as(user, "PATCH", &at, &body);
        assert_eq!((answer.status, answer.text().as_str()), (200, ""));
        let history = fixture.get_as(user, &format!("{at}/{HISTORY}")).json();
        assert_eq!(value(&history, "passwordHistory.count"), "10");
        assert_eq!(value(&history, "passwordHistory.enable"), "true");
        let expiry = fixture.get_as(user, &format!("{at}/{EXPIRY}")).json();
        assert_eq!(value(&expiry, "passwordExpiry.enablePasswordExpiry"), "true");
        assert_eq!(value(&expiry, "passwordExpiry.passwordExpiryInDays"), "20");
    }
}

#[test]
fn identity_governance_success_test_preferences() {
    let fixture = ManagementFixture::start();
    for (user, base) in BOTH {
        let at = format!("{base}/preferences");
        let wanted = json!([
            {"connector-name": "self-sign-up", "properties": ["SelfRegistration.Enable", "SelfRegistration.LockOnCreation"]},
            {"connector-name": "user-email-verification", "properties": ["EmailVerification.Enable", "EmailVerification.LockOnCreation"]},
        ]);
        let answer = fixture.send_as(user, "POST", &at, &wanted);
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.json(),
            json!([
                {"connector-name": "self-sign-up",
                 "properties": pairs(&[("SelfRegistration.Enable", "false"), ("SelfRegistration.LockOnCreation", "true")])},
                {"connector-name": "user-email-verification",
                 "properties": pairs(&[("EmailVerification.Enable", "false"), ("EmailVerification.LockOnCreation", "true")])},
            ])
        );
        // without names: all of them, as the connector has them
        let all = fixture.send_as(user, "POST", &at, &json!([{"connector-name": "self-sign-up"}])).json();
        let connector =
            fixture.get_as(user, &format!("{base}/VXNlciBPbmJvYXJkaW5n/connectors/c2VsZi1zaWduLXVw")).json();
        let names = |list: &Value| -> Vec<(Value, Value)> {
            let properties = list["properties"].as_array().unwrap();
            properties.iter().map(|property| (property["name"].clone(), property["value"].clone())).collect()
        };
        assert_eq!(names(&all[0]), names(&connector));
    }
}

#[test]
fn identity_governance_failure_test() {
    let fixture = ManagementFixture::start();
    for (user, base) in BOTH {
        refused(&fixture.get_as(user, &format!("{base}/randomCategory")), 404, "IDG-50008");
        refused(&fixture.get_as(user, &format!("{base}/randomCategory/connectors")), 404, "IDG-50008");
        let random = format!("{base}/{PASSWORD_POLICIES}/connectors/randomConnector");
        refused(&fixture.get_as(user, &random), 404, "IDG-50009");
        refused(&fixture.send_as(user, "PATCH", &random, &update(&[])), 404, "IDG-50009");
        let elsewhere = format!("{base}/{ACCOUNT_MANAGEMENT}/connectors/{HISTORY}");
        refused(&fixture.get_as(user, &elsewhere), 404, "IDG-50009");
        let preferences = format!("{base}/preferences");
        let unknown = json!([{"connector-name": "self-sin-up"}]);
        refused(&fixture.send_as(user, "POST", &preferences, &unknown), 400, "IDG-50011");
        let unknown = json!([{"connector-name": "self-sign-up", "properties": ["SelfRegistration.Enble"]}]);
        refused(&fixture.send_as(user, "POST", &preferences, &unknown), 400, "IDG-50012");
    }
}

#[test]
fn identity_governance_failure_test_update_multiple_connectors() {
    let fixture = ManagementFixture::start();
    for (user, base) in BOTH {
        let connectors = format!("{base}/{PASSWORD_POLICIES}/connectors");
        let good = json!({"id": HISTORY, "properties": pairs(&[("passwordHistory.count", "7")])});
        let body = |second: &str| json!({"operation": "UPDATE", "connectors": [good, {"id": second, "properties": pairs(&[("x", "1")])}]});
        let unknown = format!("{base}/randomCategory/connectors");
        refused(&fixture.send_as(user, "PATCH", &unknown, &body(EXPIRY)), 404, "IDG-50008");
        refused(&fixture.send_as(user, "PATCH", &connectors, &body("randomConnector")), 404, "IDG-50009");
        refused(&fixture.send_as(user, "PATCH", &connectors, &body(LOCK)), 404, "IDG-50009");
        let shown = fixture.get_as(user, &format!("{connectors}/{HISTORY}")).json();
        assert_eq!(value(&shown, "passwordHistory.count"), "5", "nothing has changed");
    }
}

#[test]
fn identity_governance_account_lock_has_six_properties() {
    let fixture = ManagementFixture::start();
    let at = format!("{GOVERNANCE}/{LOGIN_ATTEMPTS}/connectors/{LOCK}");
    let connector = fixture.get(&at).json();
    let names: Vec<&str> = connector["properties"]
        .as_array()
        .unwrap()
        .iter()
        .map(|property| property["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 6, "{names:?}");
    let name = "account.lock.handler.Time";
    assert_eq!(fixture.send("PATCH", &at, &update(&[(name, "15")])).status, 200);
    assert_eq!(value(&fixture.get(&at).json(), name), "15");
}

#[test]
fn reverting_brings_the_default_back() {
    let fixture = ManagementFixture::start();
    let at = format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors/{HISTORY}");
    let revert = |connector: &str, body: Value| {
        let target = format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors/revert?connectorId={connector}");
        fixture.send("POST", &target, &body)
    };
    fixture.send(
        "PATCH",
        &at,
        &update(&[("passwordHistory.count", "9"), ("passwordHistory.enable", "true")]),
    );
    let answer = revert(HISTORY, json!({"properties": ["passwordHistory.count"]}));
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
    let shown = fixture.get(&at).json();
    assert_eq!(value(&shown, "passwordHistory.count"), "5");
    assert_eq!(value(&shown, "passwordHistory.enable"), "true");
    refused(&revert(HISTORY, json!({"properties": []})), 400, "IDG-50016");
    refused(&revert(HISTORY, json!({"properties": ["passwordHistory.cnt"]})), 400, "IDG-50017");
    refused(&revert(LOCK, json!({"properties": ["x"]})), 404, "IDG-50009");
    let without = fixture.send(
        "POST",
        &format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors/revert"),
        &json!({"properties": ["x"]}),
    );
    refused(&without, 400, "MGT-40000");
}

#[test]
fn unsupported_list_parameters_return_501_in_order() {
    let fixture = ManagementFixture::start();
    for (query, code) in [
        ("limit=1", "IDG-50005"),
        ("offset=", "IDG-50005"),
        ("filter=x", "IDG-50006"),
        ("sort=x", "IDG-50007"),
        ("sort=x&filter=y&offset=1", "IDG-50005"),
        ("sort=x&filter=y", "IDG-50006"),
    ] {
        refused(&fixture.get(&format!("{GOVERNANCE}?{query}")), 501, code);
    }
    assert_eq!(fixture.get(&format!("{GOVERNANCE}?other=1")).status, 200);
}

#[test]
fn token_scope_decides_the_allowed_operations() {
    let idp = crate::support::Idp::start();
    let fixture = ManagementFixture::with(|proxy| {
        proxy.setting(
            "issuer",
            json!([{ "issuer": idp.issuer(), "audiences": [idp.audience], "jwks_url": idp.keys_url(), "tenant_claim": "tenant" }]),
        )
    });
    let at = format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors/{HISTORY}");
    let preferences = format!("{GOVERNANCE}/preferences");
    for (scope, view, change, login) in [
        ("internal_idp_view", 200, 403, 403),
        ("internal_idp_update", 403, 200, 403),
        ("internal_login", 403, 403, 200),
        ("internal_idp_view internal_idp_update internal_login", 200, 200, 200),
        ("apim:admin", 403, 403, 403),
    ] {
        let token = idp.token().claim("tenant", "carbon.super").scope(scope).sign();
        let ask = |method: &str, target: &str, body: &Value| {
            fixture.ask(method, target).bearer(&token).json(body).send().status
        };
        assert_eq!(ask("GET", &at, &json!(null)), view, "{scope}");
        assert_eq!(ask("PATCH", &at, &update(&[("passwordHistory.count", "6")])), change, "{scope}");
        assert_eq!(ask("POST", &preferences, &json!([])), login, "{scope}");
    }
    // any account may log in, and no more
    let alex = |method: &str, target: &str, body: &Value| {
        fixture.ask(method, target).basic("alex", PASSWORD).json(body).send().status
    };
    assert_eq!(alex("GET", &at, &json!(null)), 403);
    assert_eq!(alex("POST", &preferences, &json!([])), 200);
}
