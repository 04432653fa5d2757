//! The OpenAPI description that is served describes the answers of the API, and nothing else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::contract::{HISTORY, PASSWORD_POLICIES, update};
use crate::support::{
    answer::Answer,
    management::{GOVERNANCE, ManagementFixture, PASSWORD},
};

const DOCUMENT: &str = "/api/server/v1/identity-governance/openapi.json";
/// Statuses that one request cannot cause: a slow client, too many passwords, a store or an issuer that is down.
const NOT_CAUSED_BY_A_REQUEST: [u16; 4] = [408, 429, 500, 503];

fn document() -> Value {
    serde_json::from_str(include_str!("../../../src/web/management/openapi.json")).unwrap()
}

/// Method, path and description of each operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap();
            methods.iter().map(|(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
        })
        .collect()
}

/// With ids that exist.
fn filled(path: &str) -> String {
    path.replace("{category-id}", PASSWORD_POLICIES).replace("{connector-id}", HISTORY)
}

#[test]
fn description_needs_no_authentication() {
    let fixture = ManagementFixture::start();
    for target in [DOCUMENT, "/t/acme.com/api/server/v1/identity-governance/openapi.json"] {
        let answer = fixture.ask("GET", target).send();
        assert_eq!((answer.status, answer.json()), (200, document()), "{target}");
    }
    assert_eq!(fixture.ask("POST", DOCUMENT).send().status, 401);
}

#[test]
fn description_lists_every_operation() {
    let fixture = ManagementFixture::start();
    let operations = operations(&document());
    assert_eq!(operations.len(), 11);
    for path in operations.iter().map(|(_, path, _)| path).collect::<BTreeSet<_>>() {
        let described: BTreeSet<&str> = operations
            .iter()
            .filter(|(_, known, _)| known == path)
            .flat_map(|(method, ..)| [method.as_str()].into_iter().chain((method == "GET").then_some("HEAD")))
            .collect();
        let answer = fixture.ask("BREW", &filled(path)).basic("admin", PASSWORD).send();
        let allowed = answer.header("allow").unwrap();
        assert_eq!(allowed.split(", ").collect::<BTreeSet<_>>(), described, "{path}");
        let below = format!("{}/nothing/of/this/kind", filled(path));
        assert_eq!(fixture.get(&below).status, 404, "{below}");
    }
}

/// Requests that bring about an answer of this status; `None` where another test covers it.
fn request(status: u16, method: &str, path: &str, fixture: &ManagementFixture) -> Option<Answer> {
    let changes = matches!(method, "PATCH" | "PUT") || path.ends_with("/revert");
    let has_body = changes || path.ends_with("/preferences");
    let query = if path.ends_with("/revert") { format!("?connectorId={HISTORY}") } else { String::new() };
    let target = filled(path) + &query;
    let body = match (method, path) {
        ("PUT", _) => json!({}),
        (_, path) if path.ends_with("/revert") => json!({"properties": ["passwordHistory.count"]}),
        (_, path) if path.ends_with("/preferences") => json!([{"connector-name": "passwordHistory"}]),
        (_, path) if path.ends_with("/connectors") => {
            let properties = update(&[("passwordHistory.count", "6")])["properties"].clone();
            json!({"operation": "UPDATE", "connectors": [{"id": HISTORY, "properties": properties}]})
        }
        _ => update(&[("passwordHistory.count", "6")]),
    };
    let ask = |target: &str| fixture.ask(method, target).basic("admin@carbon.super", PASSWORD);
    let sent = |target: &str| if has_body { ask(target).json(&body).send() } else { ask(target).send() };
    Some(match status {
        200 => sent(&target),
        304 => {
            let tag = ask(&target).send().header("etag").unwrap().to_owned();
            ask(&target).header("if-none-match", &tag).send()
        }
        400 if has_body => ask(&target).header("content-type", "application/json").body("{").send(),
        400 => ask(&format!("/t/acme.com{target}")).tenant("beta.com").send(),
        401 => fixture.ask(method, &target).send(),
        403 if path.ends_with("/preferences") => {
            fixture.ask(method, &format!("/t/acme.com{target}")).basic("admin@beta.com", PASSWORD).send()
        }
        403 => fixture.ask(method, &target).basic("alex", PASSWORD).send(),
        404 => ask(&format!("/t/unknown.com{target}")).send(),
        409 => {
            let file = fixture.proxy.tenants.file("beta.com");
            std::fs::rename(&file, file.with_extension("real")).unwrap();
            std::os::unix::fs::symlink("tenant-conf.real", &file).unwrap();
            sent(&format!("/t/beta.com{target}"))
        }
        412 => ask(&target).header("if-match", "\"77\"").json(&body).send(),
        413 => ask(&target).header("content-type", "application/json").body(vec![b' '; 1_100_000]).send(),
        415 => ask(&target).header("content-type", "text/plain").body("{}").send(),
        501 => ask(&format!("{target}?limit=1")).send(),
        _ => return None,
    })
}

#[test]
fn every_described_status_occurs_and_fits_its_schema() {
    let fixture = ManagementFixture::start();
    let document = document();
    for (method, path, operation) in operations(&document) {
        for (status, described) in operation["responses"].as_object().unwrap() {
            let wanted: u16 = status.parse().unwrap();
            let Some(answer) = request(wanted, &method, &path, &fixture) else {
                assert!(
                    NOT_CAUSED_BY_A_REQUEST.contains(&wanted),
                    "nothing brings about {method} {path} {status}"
                );
                continue;
            };
            assert_eq!(answer.status, wanted, "{method} {path}: {}", answer.text());
            let described = resolved(&document, described);
            for header in described["headers"].as_object().into_iter().flat_map(serde_json::Map::keys) {
                assert!(answer.header(header).is_some(), "{method} {path} {status}: no {header}");
            }
            match described["content"]["application/json"].get("schema") {
                Some(schema) => {
                    assert_eq!(answer.header("content-type"), Some("application/json"));
                    fits(&document, schema, &answer.json(), &format!("{method} {path} {status}"));
                }
                None => assert_eq!(answer.text(), "", "{method} {path} {status}"),
            }
        }
    }
}

#[test]
fn every_returned_status_is_described() {
    let fixture = ManagementFixture::start();
    for (method, path, operation) in operations(&document()) {
        for wanted in [200, 304, 400, 401, 403, 404, 412, 413, 415, 501] {
            let applies = match wanted {
                304 | 501 => method == "GET" && !path.ends_with("-schema"),
                412 | 413 | 415 => method != "GET",
                _ => true,
            };
            if !applies {
                continue;
            }
            let Some(answer) = request(wanted, &method, &path, &fixture) else { continue };
            let seen = answer.status.to_string();
            assert!(operation["responses"].get(&seen).is_some(), "{method} {path} answers {seen}");
        }
    }
}

#[test]
fn described_scopes_are_the_enforced_ones() {
    let idp = crate::support::Idp::start();
    let fixture = ManagementFixture::with(|proxy| {
        proxy.setting(
            "issuer",
            json!([{ "issuer": idp.issuer(), "audiences": [idp.audience], "jwks_url": idp.keys_url(), "tenant_claim": "tenant" }]),
        )
    });
    for (method, path, operation) in operations(&document()) {
        for scope in ["internal_idp_view", "internal_idp_update", "internal_login", "apim:admin"] {
            let token = idp.token().claim("tenant", "carbon.super").scope(scope).sign();
            let status = fixture.ask(&method, &filled(&path)).bearer(&token).send().status;
            assert_eq!(status != 403, operation["x-scope"] == scope, "{method} {path} {scope}: {status}");
        }
    }
}

#[test]
fn supports_every_operation_of_wso2s_description() {
    // one line a path and one a method, at two and four blanks
    let text = include_str!("../../data/wso2-identity-governance.yaml");
    let (mut path, mut found) = (String::new(), Vec::new());
    for line in text
        .split("\npaths:\n")
        .nth(1)
        .unwrap()
        .lines()
        .take_while(|line| line.starts_with(' ') || line.is_empty())
    {
        if let Some(name) = line.strip_prefix("  ").filter(|rest| rest.starts_with(['/', '\''])) {
            name.trim_end_matches(':').trim_matches('\'').clone_into(&mut path);
        } else if let Some(method) = line.strip_prefix("    ").filter(|rest| !rest.starts_with(' ')) {
            found.push((method.trim_end_matches(':').to_uppercase(), path.clone()));
        }
    }
    assert_eq!(found.len(), 8, "{found:?}");
    let ours = operations(&document());
    for (method, path) in found {
        let path = format!("/api/server/v1{}", path.trim_end_matches('/'));
        assert!(ours.iter().any(|(m, p, _)| *m == method && *p == path), "{method} {path}");
        assert!(path.starts_with(GOVERNANCE));
    }
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// As much of JSON Schema as the description uses.
#[track_caller]
fn fits(document: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = resolved(document, schema);
    match schema["type"].as_str() {
        Some("object") => {
            let members = value.as_object().unwrap_or_else(|| panic!("{at}: no object: {value}"));
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(members.contains_key(name.as_str().unwrap()), "{at}: no {name}");
            }
            for (name, member) in members {
                match schema["properties"].get(name) {
                    Some(schema) => fits(document, schema, member, &format!("{at}.{name}")),
                    None => {
                        assert_ne!(schema["additionalProperties"], false, "{at}: {name} is not described");
                    }
                }
            }
        }
        Some("array") => {
            for (index, item) in value.as_array().unwrap().iter().enumerate() {
                fits(document, &schema["items"], item, &format!("{at}[{index}]"));
            }
        }
        Some("string") => assert!(value.is_string(), "{at}: {value}"),
        Some("integer") => assert!(value.is_i64() || value.is_u64(), "{at}: {value}"),
        other => panic!("{at}: a type this test does not know: {other:?}"),
    }
}
