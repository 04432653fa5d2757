//! Who may use the API, and for which tenant.

use doorward::domain::account::{AdminLock, LockedReason};
use serde_json::json;

use crate::support::{
    Gate, Idp, Portal,
    answer::Answer,
    gate::GateBuilder,
    management::{Managed, PASSWORD, TENANT_CONFIG},
};

const OF_ACME: &str = "/t/acme.com/api/am/admin/v4/tenant-config";
const OF_BETA: &str = "/t/beta.com/api/am/admin/v4/tenant-config";
const OF_NOBODY: &str = "/t/nobody.com/api/am/admin/v4/tenant-config";

/// Locked after two wrong passwords.
fn locking(gate: GateBuilder) -> GateBuilder {
    gate.setting("account_lock.enabled", true).setting("account_lock.max_attempts", 2)
}

#[test]
fn names_are_understood_as_at_the_sign_in_page() {
    let world = Managed::start();
    for (user, target, status) in [
        ("admin", TENANT_CONFIG, 200),
        ("admin@carbon.super", TENANT_CONFIG, 200),
        ("ADMIN", TENANT_CONFIG, 200),
        ("admin@acme.com", OF_ACME, 200),
        // below /t/acme.com a bare name is somebody of acme.com
        ("admin", OF_ACME, 200),
        ("admin@carbon.super", OF_ACME, 200),
        ("admin@carbon.super", "/t/acme.com/o/api/am/admin/v4/tenant-config", 200),
        ("admin@acme.com", OF_BETA, 403),
        ("admin@acme.com", "/t/carbon.super/api/am/admin/v4/tenant-config", 403),
        ("alex@carbon.super", TENANT_CONFIG, 403),
        ("alex@acme.com", OF_ACME, 403),
        ("nobody", TENANT_CONFIG, 401),
        ("admin@nobody.com", TENANT_CONFIG, 401),
    ] {
        assert_eq!(world.get_as(user, target).status, status, "{user} {target}");
    }
}

#[test]
fn without_a_name_it_is_the_callers_own_tenant() {
    let world = Managed::start();
    world.gate.edit_tenant("acme.com", &json!({"of": "acme"}));
    assert_eq!(world.get_as("admin@acme.com", TENANT_CONFIG).json(), json!({"of": "acme"}));
    assert_eq!(world.get_as("admin", TENANT_CONFIG).json(), json!({}));
    let by_header = world.ask("GET", TENANT_CONFIG).basic("admin@carbon.super", PASSWORD).tenant("acme.com");
    assert_eq!(by_header.send().json(), json!({"of": "acme"}));
}

#[test]
fn strangers_are_told_how_to_sign_in() {
    let world = Managed::start();
    let answer = world.ask("GET", TENANT_CONFIG).send();
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.all("www-authenticate"),
        ["Basic realm=\"doorward\", charset=\"UTF-8\"", "Bearer realm=\"doorward\""]
    );
}

#[test]
fn attack_tenant_enumeration_only_who_may_see_all_hears_which_there_are() {
    let world = Managed::start();
    assert_eq!(world.get_as("admin@carbon.super", OF_NOBODY).status, 404);
    for (user, password) in [
        ("admin@acme.com", PASSWORD),
        ("alex@carbon.super", PASSWORD),
        ("alex@acme.com", PASSWORD),
        ("admin@carbon.super", "wrong"),
        ("admin", "wrong"),
        ("nobody", PASSWORD),
    ] {
        let ask = |target: &str| without_id(&world.ask("GET", target).basic(user, password).send());
        assert_eq!(ask(OF_BETA), ask(OF_NOBODY), "{user}");
    }
    assert_eq!(
        without_id(&world.ask("GET", OF_BETA).send()),
        without_id(&world.ask("GET", OF_NOBODY).send())
    );
    // no other tenant's admin answers to the bare name
    assert_eq!(world.get_as("admin", OF_NOBODY).status, 401);
}

fn without_id(answer: &Answer) -> (u16, Vec<String>, String) {
    let mut body = answer.json();
    body["traceId"] = json!(null);
    let challenges = answer.all("www-authenticate").into_iter().map(str::to_owned).collect();
    (answer.status, challenges, body.to_string())
}

/// Table: every state of an account that must not be told apart by who has no right password.
#[test]
fn attack_account_enumeration_by_the_answer() {
    let world = Managed::with(locking);
    let (gate, people) = (&world.gate, &world.people);
    let admin = |account: &mut doorward::domain::account::NewAccount| {
        account.profile.roles = vec!["admin".to_owned()];
    };
    people.add_with("carbon.super", "fine", PASSWORD, admin);
    people.add_with("carbon.super", "good", PASSWORD, admin);
    people.add_with("carbon.super", "disabled", PASSWORD, |account| {
        admin(account);
        account.disabled = true;
    });
    people.add_with("carbon.super", "locked", PASSWORD, |account| {
        admin(account);
        account.admin_lock = Some(AdminLock { reason: LockedReason::AdminInitiated, since: 1 });
    });
    people.add_with("carbon.super", "expired", PASSWORD, |account| {
        admin(account);
        account.must_change_password = true;
    });
    people.add_with("carbon.super", "guessed", PASSWORD, admin);
    let ask = |user: &str, password: &str| gate.manage("GET", TENANT_CONFIG).basic(user, password).send();
    for _ in 0..3 {
        ask("guessed", "wrong");
    }
    let stranger = without_id(&ask("nobody", PASSWORD));
    assert_eq!(stranger.0, 401);
    for (user, password) in [
        ("good", "wrong"),
        ("disabled", PASSWORD),
        ("disabled", "wrong"),
        ("locked", PASSWORD),
        ("expired", PASSWORD),
        ("expired", "wrong"),
        ("guessed", PASSWORD),
        ("good", ""),
        ("", ""),
    ] {
        assert_eq!(without_id(&ask(user, password)), stranger, "{user} {password:?}");
    }
    assert_eq!(ask("fine", PASSWORD).status, 200);
}

#[test]
fn tokens_of_the_issuers_with_the_scopes_they_have() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let gate = Gate::before(&portal)
        .management()
        .issuer(&idp)
        .setting("issuer", json!([{
            "issuer": idp.issuer(), "audiences": [idp.audience], "jwks_url": idp.keys_url(), "tenant_claim": "tenant"
        }]))
        .tenant("acme.com", &json!({}))
        .tenant("beta.com", &json!({}))
        .start();
    let ask = |tenant: &str, scope: &str, target: &str| {
        let token = idp.token().claim("tenant", tenant).scope(scope).sign();
        gate.manage("GET", target).bearer(&token).send().status
    };
    for (tenant, scope, target, status) in [
        ("acme.com", "apim:admin", OF_ACME, 200),
        ("acme.com", "openid apim:admin email", OF_ACME, 200),
        ("acme.com", "apim:admin", TENANT_CONFIG, 200),
        ("acme.com", "apim:admin", OF_BETA, 403),
        ("carbon.super", "apim:admin", OF_BETA, 200),
        ("acme.com", "apim:subscribe", OF_ACME, 403),
        ("acme.com", "apim:administrator", OF_ACME, 403),
        ("acme.com", "apim:admin,openid", OF_ACME, 403),
        ("acme.com", "internal_idp_view internal_idp_update internal_login", OF_ACME, 403),
        ("acme.com", "", OF_ACME, 403),
        ("carbon.super", "apim:admin", OF_NOBODY, 404),
    ] {
        assert_eq!(ask(tenant, scope, target), status, "{tenant} {scope} {target}");
    }
    let expired = idp.token().claim("tenant", "acme.com").scope("apim:admin").expired().sign();
    let refused = gate.manage("GET", OF_ACME).bearer(&expired).send();
    let challenges = refused.all("www-authenticate").join(" ");
    assert!(refused.status == 401 && challenges.contains("error=\"invalid_token\""), "{challenges}");
}

#[test]
fn roles_of_administrators_are_a_setting_that_counts_at_once() {
    let mut world = Managed::with(|gate| gate.setting("management.admin_roles", json!(["Internal/ops"])));
    assert_eq!(world.get(TENANT_CONFIG).status, 403);
    world.gate.edit_deployment("management.admin_roles", json!(["Internal/ops", "admin"]));
    crate::support::eventually(|| world.get(TENANT_CONFIG).status == 200);
}

#[test]
fn many_requests_at_a_time_with_the_right_password_lock_nobody_out() {
    let world = Managed::with(locking);
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..12).map(|_| scope.spawn(|| world.get(TENANT_CONFIG).status)).collect();
        for asked in asked {
            assert_eq!(asked.join().unwrap(), 200);
        }
    });
}
