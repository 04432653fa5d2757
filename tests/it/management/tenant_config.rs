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
    management::{Managed, PASSWORD, TENANT_CONFIG},
};

const OF_ACME: &str = "/t/acme.com/api/am/admin/v4/tenant-config";

fn put(world: &Managed, target: &str, text: &str) -> Answer {
    let ask = world.ask("PUT", target).basic("admin@carbon.super", PASSWORD);
    ask.header("content-type", "application/json").body(text).send()
}

#[test]
fn what_is_sent_is_the_file_byte_for_byte_and_in_force_at_once() {
    let world = Managed::start();
    assert!(world.gate.lets_strangers_in("acme.com"));
    let text = "{\r\n\t\"EnableAnonymous\" : false ,\n  \"SelfSignUp\": {\"SignUpRoles\": [\"Internal/subscriber\"]} }\n\n";
    let answer = put(&world, OF_ACME, text);
    assert_eq!((answer.status, answer.text().as_str()), (200, text));
    // no waiting: the next request
    assert!(!world.gate.lets_strangers_in("acme.com"));
    assert_eq!(fs::read_to_string(world.gate.tenants.file("acme.com")).unwrap(), text);
    let shown = world.get(OF_ACME);
    assert_eq!((shown.text().as_str(), shown.header("etag")), (text, answer.header("etag")));
    assert_eq!(shown.header("content-type"), Some("application/json"));
    assert!(world.gate.lets_strangers_in("beta.com"));
}

#[test]
fn a_tenants_own_administrator_may_and_nobody_else() {
    let world = Managed::start();
    let put = |user: &str, target: &str| {
        world.send_as(user, "PUT", target, &json!({"EnableAnonymous": false})).status
    };
    assert_eq!(put("alex@acme.com", OF_ACME), 403);
    assert_eq!(put("admin@beta.com", OF_ACME), 403);
    assert!(world.gate.lets_strangers_in("acme.com"));
    assert_eq!(put("admin@acme.com", TENANT_CONFIG), 200);
    assert!(!world.gate.lets_strangers_in("acme.com"));
}

#[test]
fn the_default_tenant_needs_no_folder_before() {
    let world = Managed::start();
    assert_eq!(world.get(TENANT_CONFIG).text(), "{}");
    assert_eq!(put(&world, TENANT_CONFIG, "{\"EnableAnonymous\": \"FALSE\"}").status, 200);
    assert!(!world.gate.lets_strangers_in("carbon.super"));
}

#[test]
fn a_mistake_is_told_with_line_key_and_remedy_and_changes_nothing() {
    let world = Managed::start();
    put(&world, OF_ACME, "{\"EnableAnonymous\": true}");
    for (text, said) in [
        ("{\n \"EnableAnonymous\": 7\n}", &["line 2", "EnableAnonymous", "write true or false"][..]),
        ("{\"enableAnonymous\": true}", &["enableAnonymous", "did you mean"]),
        ("{\"Doorward\": {\"branding\": {\"acent\": \"#fff\"}}}", &["Doorward.branding.acent"]),
        ("{\"EnableAnonymous\": true, \"EnableAnonymous\": false}", &["twice"]),
        ("{", &["not JSON"]),
        ("[]", &["not a JSON object"]),
        ("", &["not JSON"]),
    ] {
        let answer = put(&world, OF_ACME, text);
        let told = answer.json()["description"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 400, "{text}");
        assert!(said.iter().all(|part| told.contains(part)), "{text}: {told}");
        assert!(!told.contains("tenant-conf.json") && !told.contains("/tenants/"), "{told}");
    }
    assert_eq!(world.get(OF_ACME).text(), "{\"EnableAnonymous\": true}");
}

#[test]
fn what_doorward_check_calls_a_mistake_is_refused() {
    let world = Managed::with(|gate| {
        let beta = json!({"Doorward": {"hosts": ["beta.example"]}});
        gate.setting("tenancy.claimable_hosts", json!(["beta.example", "acme.example"]))
            .setting("tenancy.hosts", json!({"mapped.example": "beta.com"}))
            .tenant("beta.com", &beta)
    });
    eventually(|| world.gate.get("/devportal/apis").host("beta.example").send().status == 200);
    for (ours, said) in [
        (
            json!({"hosts": ["x.example"]}),
            "Doorward.hosts[0]: deployment.toml does not let tenants claim x.example",
        ),
        // who else is here is nobody's business
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
        let answer = put(&world, OF_ACME, &json!({"Doorward": ours}).to_string());
        let told = answer.json()["description"].as_str().unwrap_or_default().to_owned();
        assert_eq!(answer.status, 400, "{ours}: {}", answer.text());
        assert!(told.contains(said), "{ours}: {told}");
        let home = world.gate.home().to_str().unwrap();
        assert!(!told.contains("tenant-conf.json") && !told.contains(home), "{told}");
        assert!(!told.contains("beta.com"), "{told}");
    }
    assert_eq!(world.get(OF_ACME).text(), "{}", "nothing has changed");
    let own = json!({"Doorward": {"hosts": ["acme.example"]}}).to_string();
    assert_eq!(put(&world, OF_ACME, &own).status, 200);
    assert_eq!(put(&world, OF_ACME, &own).status, 200, "its own claim is no other's");
    // account_lock.enabled is false: a note to `doorward check`, no mistake
    let noted = json!({"Doorward": {"guards": [{"match": "/x", "user_in": "basic"}]}});
    assert_eq!(put(&world, OF_ACME, &noted.to_string()).status, 200);
}

#[test]
fn a_broken_file_can_be_read_and_mended() {
    let world = Managed::start();
    world.gate.edit_tenant_by(Edit::InPlace, "acme.com", "{ broken");
    assert_eq!(world.get(OF_ACME).text(), "{ broken");
    assert_eq!(put(&world, OF_ACME, "{}").status, 200);
    assert!(world.gate.lets_strangers_in("acme.com"));
}

#[test]
fn etags_against_lost_updates() {
    let world = Managed::start();
    let tag = world.get(OF_ACME).header("etag").unwrap().to_owned();
    let put_if = |name: &str, tag: &str, text: &str| {
        let ask = world.ask("PUT", OF_ACME).basic("admin@acme.com", PASSWORD);
        ask.header("content-type", "application/json").header(name, tag).body(text).send()
    };
    let first = put_if("if-match", &tag, "{\"by\": 1}");
    assert_eq!(first.status, 200);
    let late = put_if("if-match", &tag, "{\"by\": 2}");
    assert_eq!((late.status, late.header("etag")), (412, first.header("etag")));
    assert_eq!(put_if("if-none-match", "*", "{\"by\": 3}").status, 412);
    assert_eq!(put_if("if-match", "W/\"x\"", "{\"by\": 4}").status, 412);
    assert_eq!(world.get(OF_ACME).json(), json!({"by": 1}));
    let known = world.ask("GET", OF_ACME).basic("admin@acme.com", PASSWORD);
    let known = known.header("if-none-match", first.header("etag").unwrap()).send();
    assert_eq!((known.status, known.body.len()), (304, 0));
}

#[test]
fn attack_etag_race_only_one_of_many_wins() {
    let world = Managed::start();
    let tag = world.get(OF_ACME).header("etag").unwrap().to_owned();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8)
            .map(|number| {
                let (world, tag) = (&world, &tag);
                scope.spawn(move || {
                    let ask = world.ask("PUT", OF_ACME).basic("admin@acme.com", PASSWORD);
                    let ask = ask.header("if-match", tag).header("content-type", "application/json");
                    ask.body(format!("{{\"by\": {number}}}")).send().status
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
fn what_is_kept_elsewhere_is_refused_with_the_reason() {
    let world = Managed::start();
    world.gate.edit_tenant_by(Edit::DataSwap, "beta.com", "{\"from\": \"a ConfigMap\"}");
    let beta = "/t/beta.com/api/am/admin/v4/tenant-config";
    eventually(|| world.get(beta).text().contains("ConfigMap"));
    let answer = put(&world, beta, "{}");
    assert_eq!(answer.status, 409);
    assert!(answer.json()["description"].as_str().unwrap().contains("ConfigMap"), "{}", answer.text());
    let file = world.gate.tenants.file("acme.com");
    fs::rename(&file, file.with_extension("real")).unwrap();
    symlink("tenant-conf.real", &file).unwrap();
    assert_eq!(put(&world, OF_ACME, "{}").status, 409);
    assert!(file.is_symlink());
}

#[test]
fn a_folder_without_permission_is_refused_with_the_reason() {
    let world = Managed::start();
    let folder = world.gate.tenants.folder.join("acme.com");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    // who may do everything writes all the same
    let allowed = fs::write(folder.join("probe"), "").is_ok();
    let answer = put(&world, OF_ACME, "{}");
    assert_eq!(answer.status, if allowed { 200 } else { 403 }, "{}", answer.text());
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn read_only_says_why_and_reading_goes_on() {
    let mut world = Managed::with(|gate| gate.setting("management.read_only", true));
    let answer = put(&world, OF_ACME, "{\"EnableAnonymous\": false}");
    assert_eq!(answer.status, 403);
    assert!(answer.json()["description"].as_str().unwrap().contains("management.read_only"));
    assert_eq!(world.get(OF_ACME).text(), "{}");
    world.gate.edit_deployment("management.read_only", false);
    eventually(|| put(&world, OF_ACME, "{\"EnableAnonymous\": false}").status == 200);
}

#[test]
fn the_schema_is_that_of_the_file() {
    let world = Managed::start();
    let schema = world.get("/api/am/admin/v4/tenant-config-schema");
    assert_eq!(schema.json(), doorward::config::schema::tenant_conf());
    assert_eq!(world.get_as("alex", "/api/am/admin/v4/tenant-config-schema").status, 403);
}

#[test]
fn methods_that_do_not_work_here_name_those_that_do() {
    let world = Managed::start();
    for (method, target, allow) in [
        ("POST", TENANT_CONFIG, "GET, HEAD, PUT"),
        ("DELETE", OF_ACME, "GET, HEAD, PUT"),
        ("OPTIONS", OF_ACME, "GET, HEAD, PUT"),
        ("PUT", "/api/am/admin/v4/tenant-config-schema", "GET, HEAD"),
        ("TRACE", TENANT_CONFIG, "GET, HEAD, PUT"),
    ] {
        let answer = world.ask(method, target).basic("admin@carbon.super", PASSWORD).send();
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {target}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let head = world.ask("HEAD", OF_ACME).basic("admin@carbon.super", PASSWORD).send();
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(world.get(&format!("{OF_ACME}/")).status, 200, "a slash at the end says nothing");
}
