//! Several Doorwards that share a store, and a store that does not answer.

use std::{
    fs::File,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use doorward::internals::{
    config::model::{StoreLocation, StoreSettings as Settings},
    domain::audit::AuditRecord,
    store::{AuditPage, Store},
};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use tokio::runtime::Builder;

use super::contract::{
    EXPIRY, HISTORY, LOCK, LOGIN_ATTEMPTS, PASSWORD_POLICIES, pairs, refused, update, value,
};
use crate::support::{
    Idp, Portal, TestProxy,
    database::{Kind, with_database},
    eventually,
    eventually::within,
    management::{GOVERNANCE, ManagementFixture, PASSWORD},
    proxy::{RELOAD_LIMIT, TestProxyBuilder},
};

const OF_ACME: &str = "/t/acme.com/api/server/v1/identity-governance";

/// A second Doorward with the accounts and the settings of the first.
fn replica(fixture: &ManagementFixture, portal: &Portal) -> TestProxy {
    replicating(fixture, portal).start()
}

fn replicating(fixture: &ManagementFixture, portal: &Portal) -> TestProxyBuilder {
    TestProxy::in_front_of(portal)
        .management()
        .setting("accounts.store_url", fixture.proxy.configuration.get("accounts.store_url").clone())
        .tenant("acme.com", &json!({}))
}

/// Attack: guesses at an administrator are spread over replicas; the administrator's network is known to all of them.
#[test]
fn attack_administrator_guessed_at_several_replicas() {
    let lock = |proxy: TestProxyBuilder| {
        proxy
            .setting("account_lock.enabled", true)
            .setting("account_lock.max_attempts", 2)
            .trusting("127.0.0.0/8")
    };
    let (fixture, portal) = (ManagementFixture::with(lock), Portal::answering("").start());
    let second = lock(replicating(&fixture, &portal)).start();
    let ask = |proxy: &TestProxy, from: &str, password: &str| {
        let ask = proxy.management_request("GET", OF_ACME).basic("admin@acme.com", password);
        ask.header("x-forwarded-for", from).header("x-forwarded-proto", "https").send().status
    };
    assert_eq!(ask(&fixture.proxy, "192.0.2.1", PASSWORD), 200);
    for turn in 0..20 {
        let proxy = if turn % 2 == 0 { &fixture.proxy } else { &second };
        assert_eq!(ask(proxy, &format!("203.0.113.{turn}"), "wrong"), 401);
    }
    for proxy in [&fixture.proxy, &second] {
        assert_eq!(ask(proxy, "198.51.100.1", PASSWORD), 401, "an unknown network");
        assert_eq!(ask(proxy, "192.0.2.1", PASSWORD), 200, "a known one");
    }
}

fn shown(proxy: &TestProxy, connector: &str, name: &str) -> String {
    let at = format!("{OF_ACME}/{PASSWORD_POLICIES}/connectors/{connector}");
    value(&proxy.management_request("GET", &at).basic("admin@acme.com", PASSWORD).send().json(), name)
}

/// wso2/docs-apim#10957: other nodes used old settings for 15 minutes.
#[test]
fn change_is_in_force_at_every_replica_within_a_second() {
    let (fixture, portal) = (ManagementFixture::start(), Portal::answering("").start());
    let second = replica(&fixture, &portal);
    let at = format!("{OF_ACME}/{PASSWORD_POLICIES}/connectors/{HISTORY}");
    for count in ["6", "7", "8"] {
        assert_eq!(fixture.send("PATCH", &at, &update(&[("passwordHistory.count", count)])).status, 200);
        assert_eq!(
            shown(&fixture.proxy, HISTORY, "passwordHistory.count"),
            count,
            "where it was changed, at once"
        );
        let since = Instant::now();
        eventually(|| shown(&second, HISTORY, "passwordHistory.count") == count);
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    }
}

/// wso2/docs-apim#10957: the same with PostgreSQL, which notifies the other replicas, under load.
#[test]
fn change_propagates_over_postgresql_under_load() {
    with_database(Kind::Postgres, async |database| {
        let url = database.url.clone();
        // the harness has runtimes of its own
        std::thread::spawn(move || in_force_everywhere_under_load(&url)).join().unwrap();
    });
}

/// Ends the load, also when the test fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn in_force_everywhere_under_load(store: &str) {
    let fixture = ManagementFixture::with(|proxy| proxy.setting("accounts.store_url", store));
    let portal = Portal::answering("").start();
    let second = replica(&fixture, &portal);
    let at = format!("{OF_ACME}/{PASSWORD_POLICIES}/connectors/{HISTORY}");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for proxy in [&fixture.proxy, &second] {
            scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    assert_eq!(proxy.get("/devportal/apis").tenant("acme.com").send().status, 200);
                }
            });
        }
        let _ending = StopOnDrop(&over);
        for count in ["6", "7", "8", "9", "10"] {
            assert_eq!(fixture.send("PATCH", &at, &update(&[("passwordHistory.count", count)])).status, 200);
            within(RELOAD_LIMIT, || shown(&second, HISTORY, "passwordHistory.count") == count);
        }
    });
}

/// wso2/product-is#27240, wso2/product-is#28466: the next node did not apply the change; here the one that locks.
#[test]
fn change_at_one_replica_applies_at_the_other() {
    let (fixture, portal) = (ManagementFixture::start(), Portal::answering("").start());
    let second = replica(&fixture, &portal);
    let lock = format!("{OF_ACME}/{LOGIN_ATTEMPTS}/connectors/{LOCK}");
    let changes = update(&[
        ("account.lock.handler.lock.on.max.failed.attempts.enable", "true"),
        ("account.lock.handler.On.Failure.Max.Attempts", "2"),
    ]);
    let answer = fixture.send("PATCH", &lock, &changes);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let in_force = || {
        let shown = second.management_request("GET", &lock).basic("admin@acme.com", PASSWORD).send().json();
        value(&shown, "account.lock.handler.On.Failure.Max.Attempts") == "2"
    };
    eventually(in_force);
    let sign_in = |password: &str| {
        let ask = second.management_request("POST", &format!("{OF_ACME}/preferences"));
        ask.basic("alex@acme.com", password).json(&json!([])).send().status
    };
    assert_eq!(sign_in(PASSWORD), 200);
    assert_eq!((sign_in("wrong"), sign_in("wrong")), (401, 401));
    assert_eq!(sign_in(PASSWORD), 401, "locked");
}

#[test]
fn concurrent_reads_never_see_a_partial_change() {
    let fixture = ManagementFixture::start();
    let connectors = format!("{OF_ACME}/{PASSWORD_POLICIES}/connectors");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ending = StopOnDrop(&over);
            for count in 6..16 {
                let body = json!({"operation": "UPDATE", "connectors": [
                    {"id": HISTORY, "properties": pairs(&[("passwordHistory.count", &count.to_string())])},
                    {"id": EXPIRY, "properties": pairs(&[("passwordExpiry.passwordExpiryInDays", &count.to_string())])},
                ]});
                assert_eq!(fixture.send("PATCH", &connectors, &body).status, 200);
            }
        });
        while !over.load(Ordering::Acquire) {
            let all = fixture.get(&connectors).json();
            let of = |name: &str| all.as_array().unwrap().iter().find(|c| c["name"] == name).unwrap().clone();
            let count = value(&of("passwordHistory"), "passwordHistory.count");
            let days = value(&of("passwordExpiry"), "passwordExpiry.passwordExpiryInDays");
            assert!(count == days || (count == "5" && days == "30"), "{count} {days}");
        }
    });
}

#[test]
fn failed_store_write_returns_500() {
    let fixture = ManagementFixture::start();
    let connectors = format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors");
    sql(fixture.proxy.folder(), "DROP TABLE governance");
    let patch = update(&[("passwordHistory.count", "7")]);
    refused(&fixture.send("PATCH", &format!("{connectors}/{HISTORY}"), &patch), 500, "IDG-50004");
    let names = json!({"properties": ["passwordHistory.count"]});
    let revert = format!("{connectors}/revert?connectorId={HISTORY}");
    refused(&fixture.send("POST", &revert, &names), 500, "IDG-50018");
    // the settings in force are still known
    assert_eq!(fixture.get(&connectors).status, 200);
}

/// The newest first.
fn records(home: &Path) -> Vec<AuditRecord> {
    let location = StoreLocation::Sqlite(home.join("doorward.db"));
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let store = Store::open(&Settings { location, max_connections: 1 }).await.unwrap();
        store.audit().list(None, AuditPage { before: None, limit: 10 }).await.unwrap()
    })
}

#[test]
fn attack_disconnect_to_avoid_the_audit_record() {
    let fixture = ManagementFixture::start();
    let folder = File::open(fixture.proxy.tenants.folder.join("acme.com")).unwrap();
    // another writer holds the change up
    folder.lock().unwrap();
    let ask = fixture.ask("PUT", "/t/acme.com/api/am/admin/v4/tenant-config");
    let wire = ask.basic("admin@acme.com", PASSWORD).json(&json!({"EnableAnonymous": false})).open();
    eventually(|| {
        fixture.proxy.admin("/metrics").text().contains("doorward_sign_ins_total{outcome=\"signed_in\"} 1")
    });
    drop(wire);
    folder.unlock().unwrap();
    eventually(|| !fixture.proxy.allows_anonymous("acme.com"));
    eventually(|| {
        records(fixture.proxy.folder()).iter().any(|record| record.action == "tenant-config.replace")
    });
}

#[test]
fn tenant_file_is_unchanged_if_the_audit_fails() {
    let fixture = ManagementFixture::start();
    let file = "/t/acme.com/api/am/admin/v4/tenant-config";
    sql(fixture.proxy.folder(), "DROP TABLE audit");
    assert_eq!(fixture.send("PUT", file, &json!({"EnableAnonymous": false})).status, 503);
    assert_eq!(fixture.get(file).text(), "{}");
    assert!(fixture.proxy.allows_anonymous("acme.com"));
}

#[test]
fn audit_lists_each_changed_value_of_a_tenant_file() {
    let fixture = ManagementFixture::start();
    let file = "/t/acme.com/api/am/admin/v4/tenant-config";
    let text = json!({"EnableAnonymous": false, "Mail": {"password": "s3cret"}});
    assert_eq!(fixture.send("PUT", file, &text).status, 200);
    let entries = records(fixture.proxy.folder()).into_iter().rev().map(|record| {
        let side = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
        format!("{} {} > {}", record.target, side(record.before), side(record.after))
    });
    insta::assert_snapshot!(entries.collect::<Vec<_>>().join("\n"), @r#"
    tenant-conf.json 2 bytes, ETag "RBNvo1WzZ4oRRq0W9-hkng" > 54 bytes, ETag "cBnx6A4dtEkENJFmPyLMdw"
    tenant-conf.json#/EnableAnonymous - > false
    tenant-conf.json#/Mail/password - > (secret)
    "#);
}

fn sql(home: &Path, statement: &'static str) {
    let url = format!("sqlite:{}", home.join("doorward.db").display());
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    });
}

/// Attack: an administrator who may write a tenant's file adds an issuer whose tokens carry the name of an account.
#[test]
fn attack_a_tenants_own_issuer_signs_as_the_administrator() {
    let (fixture, idp) = (ManagementFixture::start(), Idp::start());
    let issuer = json!({"issuer": idp.issuer(), "audiences": [idp.audience], "jwks_url": idp.keys_url()});
    fixture.proxy.edit_tenant("acme.com", &json!({"Doorward": {"issuers": [issuer]}}));
    let at = format!("{OF_ACME}/{PASSWORD_POLICIES}/connectors/{HISTORY}");
    let token = idp.token().claim("sub", "admin").scope("internal_idp_update").sign();
    let change = update(&[("passwordHistory.count", "7")]);
    eventually(|| fixture.ask("PATCH", &at).bearer(&token).json(&change).send().status == 200);
    let shown = format!("admin@acme.com (token of the tenant's own {})", idp.issuer());
    assert_eq!(records(fixture.proxy.folder())[0].actor, shown);
}

#[test]
fn audit_records_actor_time_address_and_values() {
    let fixture = ManagementFixture::start();
    let at = format!("{OF_ACME}/{PASSWORD_POLICIES}/connectors/{HISTORY}");
    let answer = fixture.send_as("admin@acme.com", "PATCH", &at, &update(&[("passwordHistory.count", "7")]));
    let request_id = answer.header("x-request-id").map(str::to_owned);
    fixture.send("PUT", "/t/acme.com/api/am/admin/v4/tenant-config", &json!({"EnableAnonymous": false}));
    // a refused change has no effect and is not in the change feed
    fixture.send("PATCH", &at, &update(&[("passwordHistory.count", "many")]));
    let records = records(fixture.proxy.folder());
    let [value, file, count] = &records[..] else { panic!("{records:#?}") };
    assert_eq!(
        (count.action.as_str(), count.target.as_str()),
        ("governance.update", "passwordHistory.count")
    );
    assert_eq!((count.tenant.as_str(), count.actor.as_str()), ("acme.com", "admin@acme.com"));
    assert_eq!((count.address.as_deref(), &count.request_id), (Some("127.0.0.1"), &request_id));
    assert_eq!(count.after.as_deref(), Some("7"));
    assert_eq!((file.action.as_str(), file.target.as_str()), ("tenant-config.replace", "tenant-conf.json"));
    assert_eq!(file.actor, "admin@carbon.super");
    assert!(file.before.as_deref().unwrap().starts_with("2 bytes"), "{file:?}");
    assert!(file.after.as_deref().unwrap().starts_with("25 bytes"), "{file:?}");
    assert_eq!(
        (value.target.as_str(), value.after.as_deref()),
        ("tenant-conf.json#/EnableAnonymous", Some("false"))
    );
}
