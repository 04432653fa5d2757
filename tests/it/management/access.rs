//! Authorization at the API: which user, for which tenant.

use doorward::internals::domain::{
    account::{AdminLock, LockedReason},
    time::Timestamp,
};
use serde_json::json;

use crate::support::{
    Idp, Portal, TestProxy,
    answer::Answer,
    management::{ManagementFixture, PASSWORD, TENANT_CONFIG},
    proxy::TestProxyBuilder,
};

pub(super) const OF_ACME: &str = "/t/acme.com/api/am/admin/v4/tenant-config";
const OF_BETA: &str = "/t/beta.com/api/am/admin/v4/tenant-config";
const OF_UNKNOWN: &str = "/t/unknown.com/api/am/admin/v4/tenant-config";

/// Locked after two wrong passwords.
fn locking(proxy: TestProxyBuilder) -> TestProxyBuilder {
    proxy.setting("account_lock.enabled", true).setting("account_lock.max_attempts", 2)
}

#[test]
fn login_names_resolve_as_on_the_sign_in_page() {
    let fixture = ManagementFixture::start();
    for (user, target, status) in [
        ("admin", TENANT_CONFIG, 200),
        ("admin@carbon.super", TENANT_CONFIG, 200),
        ("ADMIN", TENANT_CONFIG, 200),
        ("admin@acme.com", OF_ACME, 200),
        // below /t/acme.com a bare name is a user of acme.com
        ("admin", OF_ACME, 200),
        ("admin@carbon.super", OF_ACME, 200),
        ("admin@carbon.super", "/t/acme.com/o/api/am/admin/v4/tenant-config", 200),
        ("admin@acme.com", OF_BETA, 403),
        ("admin@acme.com", "/t/carbon.super/api/am/admin/v4/tenant-config", 403),
        ("alex@carbon.super", TENANT_CONFIG, 403),
        ("alex@acme.com", OF_ACME, 403),
        ("no-such-user", TENANT_CONFIG, 401),
        ("admin@unknown.com", TENANT_CONFIG, 401),
    ] {
        assert_eq!(fixture.get_as(user, target).status, status, "{user} {target}");
    }
}

#[test]
fn tenant_defaults_to_the_callers_own() {
    let fixture = ManagementFixture::start();
    fixture.proxy.edit_tenant("acme.com", &json!({"of": "acme"}));
    assert_eq!(fixture.get_as("admin@acme.com", TENANT_CONFIG).json(), json!({"of": "acme"}));
    assert_eq!(fixture.get_as("admin", TENANT_CONFIG).json(), json!({}));
    let by_header =
        fixture.ask("GET", TENANT_CONFIG).basic("admin@carbon.super", PASSWORD).tenant("acme.com");
    assert_eq!(by_header.send().json(), json!({"of": "acme"}));
}

#[test]
fn unauthenticated_request_gets_both_challenges() {
    let fixture = ManagementFixture::start();
    let answer = fixture.ask("GET", TENANT_CONFIG).send();
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.all("www-authenticate"),
        ["Basic realm=\"doorward\", charset=\"UTF-8\"", "Bearer realm=\"doorward\""]
    );
}

#[test]
fn attack_tenant_enumeration_by_tenant_administrators() {
    let fixture = ManagementFixture::start();
    assert_eq!(fixture.get_as("admin@carbon.super", OF_UNKNOWN).status, 404);
    for (user, password) in [
        ("admin@acme.com", PASSWORD),
        ("alex@carbon.super", PASSWORD),
        ("alex@acme.com", PASSWORD),
        ("admin@carbon.super", "wrong"),
        ("admin", "wrong"),
        ("no-such-user", PASSWORD),
    ] {
        let ask = |target: &str| without_id(&fixture.ask("GET", target).basic(user, password).send());
        assert_eq!(ask(OF_BETA), ask(OF_UNKNOWN), "{user}");
    }
    assert_eq!(
        without_id(&fixture.ask("GET", OF_BETA).send()),
        without_id(&fixture.ask("GET", OF_UNKNOWN).send())
    );
    // no other tenant's admin answers to the bare name
    assert_eq!(fixture.get_as("admin", OF_UNKNOWN).status, 401);
}

fn without_id(answer: &Answer) -> (u16, Vec<String>, String) {
    let mut body = answer.json();
    body["traceId"] = json!(null);
    let challenges = answer.all("www-authenticate").into_iter().map(str::to_owned).collect();
    (answer.status, challenges, body.to_string())
}

/// Table: states of an account that a client without the right password must not be able to distinguish.
#[test]
fn attack_account_enumeration_by_the_answer() {
    let fixture = ManagementFixture::with(locking);
    let (proxy, accounts) = (&fixture.proxy, &fixture.accounts);
    let admin = |account: &mut doorward::internals::domain::account::NewAccount| {
        account.profile.roles = vec!["admin".to_owned()];
    };
    accounts.add_with("carbon.super", "fine", PASSWORD, admin);
    accounts.add_with("carbon.super", "good", PASSWORD, admin);
    accounts.add_with("carbon.super", "disabled", PASSWORD, |account| {
        admin(account);
        account.disabled = true;
    });
    accounts.add_with("carbon.super", "locked", PASSWORD, |account| {
        admin(account);
        account.admin_lock =
            Some(AdminLock { reason: LockedReason::AdminInitiated, since: Timestamp::from_millis(1) });
    });
    accounts.add_with("carbon.super", "expired", PASSWORD, |account| {
        admin(account);
        account.must_change_password = true;
    });
    accounts.add_with("carbon.super", "guessed", PASSWORD, admin);
    let ask = |user: &str, password: &str| {
        proxy.management_request("GET", TENANT_CONFIG).basic(user, password).send()
    };
    for _ in 0..3 {
        ask("guessed", "wrong");
    }
    let unknown = without_id(&ask("no-such-user", PASSWORD));
    assert_eq!(unknown.0, 401);
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
        assert_eq!(without_id(&ask(user, password)), unknown, "{user} {password:?}");
    }
    assert_eq!(ask("fine", PASSWORD).status, 200);
}

#[test]
fn token_scope_and_tenant_limit_access() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let proxy = TestProxy::in_front_of(&portal)
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
        proxy.management_request("GET", target).bearer(&token).send().status
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
        ("carbon.super", "apim:admin", OF_UNKNOWN, 404),
    ] {
        assert_eq!(ask(tenant, scope, target), status, "{tenant} {scope} {target}");
    }
    let expired = idp.token().claim("tenant", "acme.com").scope("apim:admin").expired().sign();
    let refused = proxy.management_request("GET", OF_ACME).bearer(&expired).send();
    let challenges = refused.all("www-authenticate").join(" ");
    assert!(refused.status == 401 && challenges.contains("error=\"invalid_token\""), "{challenges}");
}

#[test]
fn admin_roles_change_applies_at_once() {
    let mut fixture =
        ManagementFixture::with(|proxy| proxy.setting("management.admin_roles", json!(["Internal/ops"])));
    assert_eq!(fixture.get(TENANT_CONFIG).status, 403);
    fixture.proxy.edit_deployment("management.admin_roles", json!(["Internal/ops", "admin"]));
    crate::support::eventually(|| fixture.get(TENANT_CONFIG).status == 200);
}

#[test]
fn parallel_requests_with_the_right_password_do_not_lock() {
    let fixture = ManagementFixture::with(locking);
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..12).map(|_| scope.spawn(|| fixture.get(TENANT_CONFIG).status)).collect();
        for asked in asked {
            assert_eq!(asked.join().unwrap(), 200);
        }
    });
}
