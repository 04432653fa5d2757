//! Where WSO2's API has defects, this one does what it says; and what it has on top.

use serde_json::{Value, json};

use super::contract::{
    ACCOUNT_MANAGEMENT, EXPIRY, HISTORY, LOCK, LOGIN_ATTEMPTS, PASSWORD_POLICIES, SUSPENSION, pairs, refused,
    update, value,
};
use crate::support::management::{GOVERNANCE, Managed, PASSWORD};

const OF_ACME: &str = "/t/acme.com/api/server/v1/identity-governance";

fn history(base: &str) -> String {
    format!("{base}/{PASSWORD_POLICIES}/connectors/{HISTORY}")
}

#[test]
fn unknown_names_and_bad_values_change_nothing() {
    let world = Managed::start();
    let before = world.get(&history(GOVERNANCE)).json();
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
        let answer = world.send("PATCH", &history(GOVERNANCE), &update(&properties));
        refused(&answer, 400, code);
        let said = answer.json()["description"].as_str().unwrap().to_owned();
        assert!(said.ends_with(remedy), "{said}");
        assert_eq!(world.get(&history(GOVERNANCE)).json(), before);
    }
    let policy = format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors/cGFzc3dvcmRQb2xpY3k");
    refused(&world.send("PATCH", &policy, &update(&[("passwordPolicy.pattern", "(")])), 400, "IDG-50015");
    let expiry = format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors/{EXPIRY}");
    refused(&world.send("PATCH", &expiry, &update(&[("passwordExpiry.rule1", "x")])), 400, "IDG-50014");
}

#[test]
fn numbers_and_booleans_are_taken_and_texts_given() {
    let world = Managed::start();
    let body = json!({"operation": "UPDATE", "properties": [
        {"name": "passwordHistory.count", "value": 8}, {"name": "passwordHistory.enable", "value": true}]});
    assert_eq!(world.send("PATCH", &history(GOVERNANCE), &body).status, 200);
    let shown = world.get(&history(GOVERNANCE)).json();
    assert_eq!(value(&shown, "passwordHistory.count"), "8");
    assert_eq!(value(&shown, "passwordHistory.enable"), "true");
}

#[test]
fn each_tenant_has_its_own() {
    let world = Managed::start();
    let count = |base: &str| value(&world.get(&history(base)).json(), "passwordHistory.count");
    let set = |user: &str, base: &str, count: &str| {
        world.send_as(user, "PATCH", &history(base), &update(&[("passwordHistory.count", count)])).status
    };
    assert_eq!(set("admin@acme.com", OF_ACME, "7"), 200);
    assert_eq!((count(OF_ACME), count(GOVERNANCE)), ("7".to_owned(), "5".to_owned()));
    assert_eq!(set("admin@carbon.super", OF_ACME, "8"), 200);
    assert_eq!(set("admin@acme.com", GOVERNANCE, "9"), 403);
    assert_eq!(set("admin@beta.com", OF_ACME, "9"), 403);
    assert_eq!(set("alex@acme.com", OF_ACME, "9"), 403);
    assert_eq!(count(OF_ACME), "8");
    assert_eq!(set("admin@carbon.super", "/t/nobody.com/api/server/v1/identity-governance", "9"), 404);
    // WSO2's address of a sub-organization
    assert_eq!(count("/t/acme.com/o/api/server/v1/identity-governance"), "8");
}

#[test]
fn the_default_tenant_is_the_one_without_a_name_also_where_it_is_another() {
    let world = Managed::with(|gate| gate.setting("tenancy.default_tenant", "acme.com"));
    let first = |user: &str, target: &str| {
        let answer = world.get_as(user, target);
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
fn secrets_are_masked_and_stay_when_the_mask_comes_back() {
    let world = Managed::start();
    let (at, name) = secret_connector(&world).expect("the catalogue has a secret");
    assert_eq!(world.send("PATCH", &at, &update(&[(&name, "s3cret")])).status, 200);
    let shown = world.get(&at);
    assert!(!shown.text().contains("s3cret"));
    assert_eq!(value(&shown.json(), &name), "********");
    // a console sends back what it was shown
    assert_eq!(world.send("PATCH", &at, &update(&[(&name, "********")])).status, 200);
    assert_eq!(world.get(&at).header("etag"), shown.header("etag"), "nothing has changed");
    let connector = shown.json()["name"].clone();
    let asked = json!([{"connector-name": connector, "properties": [name]}]);
    refused(&world.send("POST", &format!("{GOVERNANCE}/preferences"), &asked), 400, "IDG-50012");
    let all =
        world.send("POST", &format!("{GOVERNANCE}/preferences"), &json!([{"connector-name": connector}]));
    assert!(all.status == 200 && !all.text().contains("__secret__"));
}

/// A connector with a secret, and the secret's name.
fn secret_connector(world: &Managed) -> Option<(String, String)> {
    let categories = world.get(GOVERNANCE).json();
    for category in categories.as_array()? {
        for connector in category["connectors"].as_array()? {
            let at = connector["self"].as_str()?.to_owned();
            let shown = world.get(&at).json();
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
    let world = Managed::start();
    let at = history(OF_ACME);
    let patch = |if_match: &str, count: &str| {
        let ask = world.ask("PATCH", &at).basic("admin@acme.com", PASSWORD).header("if-match", if_match);
        ask.json(&update(&[("passwordHistory.count", count)])).send()
    };
    let tag = |answer: &crate::support::answer::Answer| answer.header("etag").unwrap().to_owned();
    let first = tag(&world.get(&at));
    let answer = patch(&first, "6");
    assert_eq!(answer.status, 200);
    refused(&patch(&first, "7"), 412, "MGT-41200");
    assert_eq!(patch(&tag(&answer), "8").status, 200, "the tag of the change is good for the next one");
    // another connector's change counts too: they are one set of settings
    let second = tag(&world.get(&at));
    let lock = format!("{OF_ACME}/{LOGIN_ATTEMPTS}/connectors/{LOCK}");
    world.send("PATCH", &lock, &update(&[("account.lock.handler.Time", "16")]));
    refused(&patch(&second, "9"), 412, "MGT-41200");
    assert_eq!(patch("*", "9").status, 200);
    for nonsense in ["\"x\"", "7", "W/\"7\"", "\"\""] {
        refused(&patch(nonsense, "1"), 412, "MGT-41200");
    }
    let known = world.ask("GET", &at).basic("admin@acme.com", PASSWORD);
    assert_eq!(known.header("if-none-match", &tag(&world.get(&at))).send().status, 304);
}

#[test]
fn attack_etag_race_only_one_of_many_wins() {
    let world = Managed::start();
    let at = history(OF_ACME);
    let tag = world.get(&at).header("etag").unwrap().to_owned();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (10..18)
            .map(|count| {
                let (world, at, tag) = (&world, &at, &tag);
                scope.spawn(move || {
                    let ask =
                        world.ask("PATCH", at).basic("admin@acme.com", PASSWORD).header("if-match", tag);
                    ask.json(&update(&[("passwordHistory.count", &count.to_string())])).send().status
                })
            })
            .collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let won = statuses.iter().filter(|status| **status == 200).count();
    let lost = statuses.iter().filter(|status| **status == 412).count();
    assert_eq!((won, lost), (1, 7), "{statuses:?}");
}

#[test]
fn read_only_says_why_and_reading_goes_on() {
    let world = Managed::with(|gate| gate.setting("management.read_only", true));
    let connectors = format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors");
    for (method, target, body) in [
        ("PATCH", history(GOVERNANCE), update(&[("passwordHistory.count", "7")])),
        ("PATCH", connectors.clone(), json!({"operation": "UPDATE", "connectors": []})),
        (
            "POST",
            format!("{connectors}/revert?connectorId={HISTORY}"),
            json!({"properties": ["passwordHistory.count"]}),
        ),
    ] {
        let answer = world.send(method, &target, &body);
        assert_eq!(answer.status, 403, "{target}");
        assert!(answer.json()["description"].as_str().unwrap().contains("management.read_only"));
    }
    assert_eq!(world.get(&history(GOVERNANCE)).status, 200);
    assert_eq!(world.send("POST", &format!("{GOVERNANCE}/preferences"), &json!([])).status, 200);
}

#[test]
fn what_is_set_outlives_a_restart_and_is_the_same_for_a_second_doorward() {
    let world = Managed::start();
    world.send("PATCH", &history(OF_ACME), &update(&[("passwordHistory.count", "7")]));
    let portal = crate::support::Portal::answering("").start();
    let file = world.gate.home().join("people.db").display().to_string();
    let second = crate::support::Gate::before(&portal)
        .management()
        .setting("accounts.store_url", format!("sqlite:{file}"))
        .tenant("acme.com", &json!({}))
        .start();
    let shown = second.manage("GET", &history(OF_ACME)).basic("admin@acme.com", PASSWORD).send().json();
    assert_eq!(value(&shown, "passwordHistory.count"), "7");
}

#[test]
fn rules_of_a_numbered_kind_are_listed_once_they_exist() {
    let world = Managed::start();
    let at = format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors/{EXPIRY}");
    let rules = |shown: &Value| -> Vec<String> {
        let properties = shown["properties"].as_array().unwrap().iter();
        let names = properties.map(|property| property["name"].as_str().unwrap().to_owned());
        names.filter(|name| name.starts_with("passwordExpiry.rule")).collect()
    };
    assert_eq!(rules(&world.get(&at).json()), Vec::<String>::new());
    let answer = world.send("PATCH", &at, &update(&[("passwordExpiry.rule1", "1,40,roles,eq,admin")]));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(rules(&world.get(&at).json()), ["passwordExpiry.rule1"]);
}

#[test]
fn what_is_not_json_is_told_by_its_status() {
    let world = Managed::start();
    let at = history(GOVERNANCE);
    let send = |media: &str, body: Vec<u8>| {
        let ask = world.ask("PATCH", &at).basic("admin", PASSWORD);
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
fn methods_that_do_not_work_here_name_those_that_do() {
    let world = Managed::start();
    for (method, target, allow) in [
        ("DELETE", GOVERNANCE.to_owned(), "GET, HEAD"),
        ("PATCH", format!("{GOVERNANCE}/{PASSWORD_POLICIES}"), "GET, HEAD"),
        ("PUT", format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors"), "GET, HEAD, PATCH"),
        ("GET", format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors/revert"), "POST"),
        ("GET", format!("{GOVERNANCE}/preferences"), "POST"),
        ("POST", history(GOVERNANCE), "GET, HEAD, PATCH"),
    ] {
        let answer = world.ask(method, &target).basic("admin", PASSWORD).send();
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {target}");
    }
}

/// Complaint 14: a change took 15 minutes.
#[test]
fn c14_product_apim_2631_a_tenant_conf_change_counts_with_the_next_request() {
    let world = Managed::start();
    let at = "/t/acme.com/api/am/admin/v4/tenant-config";
    for anonymous in [false, true, false] {
        world.send("PUT", at, &json!({"EnableAnonymous": anonymous}));
        assert_eq!(world.gate.lets_strangers_in("acme.com"), anonymous);
    }
}

/// Complaint 15: what was written was answered from a cache that did not know.
#[test]
fn c15_carbon_apimgt_5629_what_was_written_is_what_is_read() {
    let world = Managed::start();
    let at = "/t/acme.com/api/am/admin/v4/tenant-config";
    for number in 0..20 {
        let text = json!({"n": number});
        assert_eq!(world.send("PUT", at, &text).status, 200);
        assert_eq!(world.get(at).json(), text);
    }
}

/// Complaint 42: properties without their type, or with a wrong one.
#[test]
fn c42_product_is_10084_types_of_properties_are_those_of_their_values() {
    let world = Managed::start();
    for category in [PASSWORD_POLICIES, LOGIN_ATTEMPTS, ACCOUNT_MANAGEMENT] {
        let connectors = world.get(&format!("{GOVERNANCE}/{category}/connectors")).json();
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

/// Complaint 44: changing several connectors at once, and taking changes back, were missing.
#[test]
fn c44_identity_api_server_476_921_half_of_a_bad_change_never_shows() {
    let world = Managed::start();
    let at = format!("{GOVERNANCE}/{ACCOUNT_MANAGEMENT}/connectors");
    let delay = "suspension.notification.account.disable.delay";
    let disable = "YWNjb3VudC5kaXNhYmxlLmhhbmRsZXI";
    let body = |bad: &str| {
        json!({"operation": "UPDATE", "connectors": [
            {"id": SUSPENSION, "properties": pairs(&[(delay, "33")])},
            {"id": disable, "properties": pairs(&[("account.disable.handler.enable", bad)])},
        ]})
    };
    refused(&world.send("PATCH", &at, &body("perhaps")), 400, "IDG-50013");
    let shown = || value(&world.get(&format!("{at}/{SUSPENSION}")).json(), delay);
    assert_eq!(shown(), "90");
    assert_eq!(world.send("PATCH", &at, &body("true")).status, 200);
    assert_eq!(shown(), "33");
}
