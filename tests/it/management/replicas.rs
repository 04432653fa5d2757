//! Several Doorwards that share a store, and a store that does not answer.

use std::{
    fs::File,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use doorward::{
    config::model::{Store as Settings, StoreLocation},
    domain::audit::Record,
    store::{AuditPage, Store},
};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use tokio::runtime::Builder;

use super::contract::{
    EXPIRY, HISTORY, LOCK, LOGIN_ATTEMPTS, PASSWORD_POLICIES, pairs, refused, update, value,
};
use crate::support::{
    Gate, Idp, Portal,
    database::{Kind, with},
    eventually,
    eventually::within,
    gate::{FLIP, GateBuilder},
    management::{GOVERNANCE, Managed, PASSWORD},
};

const OF_ACME: &str = "/t/acme.com/api/server/v1/identity-governance";

/// A second Doorward with the accounts and the settings of the first.
fn replica(world: &Managed, portal: &Portal) -> Gate {
    replicating(world, portal).start()
}

fn replicating(world: &Managed, portal: &Portal) -> GateBuilder {
    Gate::before(portal)
        .management()
        .setting("accounts.store_url", world.gate.configuration.get("accounts.store_url").clone())
        .tenant("acme.com", &json!({}))
}

/// Attack: guesses at an administrator are spread over replicas; the administrator's network is known to all of them.
#[test]
fn attack_administrator_guessed_at_several_replicas() {
    let lock = |gate: GateBuilder| {
        gate.setting("account_lock.enabled", true)
            .setting("account_lock.max_attempts", 2)
            .trusting("127.0.0.0/8")
    };
    let (world, portal) = (Managed::with(lock), Portal::answering("").start());
    let second = lock(replicating(&world, &portal)).start();
    let ask = |gate: &Gate, from: &str, password: &str| {
        let ask = gate.manage("GET", OF_ACME).basic("admin@acme.com", password);
        ask.header("x-forwarded-for", from).header("x-forwarded-proto", "https").send().status
    };
    assert_eq!(ask(&world.gate, "192.0.2.1", PASSWORD), 200);
    for turn in 0..20 {
        let gate = if turn % 2 == 0 { &world.gate } else { &second };
        assert_eq!(ask(gate, &format!("203.0.113.{turn}"), "wrong"), 401);
    }
    for gate in [&world.gate, &second] {
        assert_eq!(ask(gate, "198.51.100.1", PASSWORD), 401, "an unknown network");
        assert_eq!(ask(gate, "192.0.2.1", PASSWORD), 200, "a known one");
    }
}

fn shown(gate: &Gate, connector: &str, name: &str) -> String {
    let at = format!("{OF_ACME}/{PASSWORD_POLICIES}/connectors/{connector}");
    value(&gate.manage("GET", &at).basic("admin@acme.com", PASSWORD).send().json(), name)
}

/// Complaint 16: other nodes went on with what they had for 15 minutes.
#[test]
fn c16_docs_apim_10957_a_change_is_in_force_at_every_replica_within_a_second() {
    let (world, portal) = (Managed::start(), Portal::answering("").start());
    let second = replica(&world, &portal);
    let at = format!("{OF_ACME}/{PASSWORD_POLICIES}/connectors/{HISTORY}");
    for count in ["6", "7", "8"] {
        assert_eq!(world.send("PATCH", &at, &update(&[("passwordHistory.count", count)])).status, 200);
        assert_eq!(
            shown(&world.gate, HISTORY, "passwordHistory.count"),
            count,
            "where it was changed, at once"
        );
        let since = Instant::now();
        eventually(|| shown(&second, HISTORY, "passwordHistory.count") == count);
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    }
}

/// The same with PostgreSQL, which tells the others, and while all are busy.
#[test]
fn c16_docs_apim_10957_with_postgresql_and_under_load() {
    with(Kind::Postgres, async |database| {
        let url = database.url.clone();
        // the harness has runtimes of its own
        std::thread::spawn(move || in_force_everywhere_under_load(&url)).join().unwrap();
    });
}

/// Ends the load, also when the test fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn in_force_everywhere_under_load(store: &str) {
    let world = Managed::with(|gate| gate.setting("accounts.store_url", store));
    let portal = Portal::answering("").start();
    let second = replica(&world, &portal);
    let at = format!("{OF_ACME}/{PASSWORD_POLICIES}/connectors/{HISTORY}");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for gate in [&world.gate, &second] {
            scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    assert_eq!(gate.get("/devportal/apis").tenant("acme.com").send().status, 200);
                }
            });
        }
        let _ending = Ending(&over);
        for count in ["6", "7", "8", "9", "10"] {
            assert_eq!(world.send("PATCH", &at, &update(&[("passwordHistory.count", count)])).status, 200);
            within(FLIP, || shown(&second, HISTORY, "passwordHistory.count") == count);
        }
    });
}

/// Complaint 43: the node that answered next knew nothing of the change; here the one that locks.
#[test]
fn c43_product_is_27240_28466_what_was_changed_at_one_replica_decides_at_the_other() {
    let (world, portal) = (Managed::start(), Portal::answering("").start());
    let second = replica(&world, &portal);
    let lock = format!("{OF_ACME}/{LOGIN_ATTEMPTS}/connectors/{LOCK}");
    let changes = update(&[
        ("account.lock.handler.lock.on.max.failed.attempts.enable", "true"),
        ("account.lock.handler.On.Failure.Max.Attempts", "2"),
    ]);
    let answer = world.send("PATCH", &lock, &changes);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let in_force = || {
        let shown = second.manage("GET", &lock).basic("admin@acme.com", PASSWORD).send().json();
        value(&shown, "account.lock.handler.On.Failure.Max.Attempts") == "2"
    };
    eventually(in_force);
    let sign_in = |password: &str| {
        let ask = second.manage("POST", &format!("{OF_ACME}/preferences"));
        ask.basic("alex@acme.com", password).json(&json!([])).send().status
    };
    assert_eq!(sign_in(PASSWORD), 200);
    assert_eq!((sign_in("wrong"), sign_in("wrong")), (401, 401));
    assert_eq!(sign_in(PASSWORD), 401, "locked");
}

#[test]
fn half_of_a_change_never_shows_while_others_read() {
    let world = Managed::start();
    let connectors = format!("{OF_ACME}/{PASSWORD_POLICIES}/connectors");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ending = Ending(&over);
            for count in 6..16 {
                let body = json!({"operation": "UPDATE", "connectors": [
                    {"id": HISTORY, "properties": pairs(&[("passwordHistory.count", &count.to_string())])},
                    {"id": EXPIRY, "properties": pairs(&[("passwordExpiry.passwordExpiryInDays", &count.to_string())])},
                ]});
                assert_eq!(world.send("PATCH", &connectors, &body).status, 200);
            }
        });
        while !over.load(Ordering::Acquire) {
            let all = world.get(&connectors).json();
            let of = |name: &str| all.as_array().unwrap().iter().find(|c| c["name"] == name).unwrap().clone();
            let count = value(&of("passwordHistory"), "passwordHistory.count");
            let days = value(&of("passwordExpiry"), "passwordExpiry.passwordExpiryInDays");
            assert!(count == days || (count == "5" && days == "30"), "{count} {days}");
        }
    });
}

#[test]
fn a_store_that_cannot_be_written_is_no_success() {
    let world = Managed::start();
    let connectors = format!("{GOVERNANCE}/{PASSWORD_POLICIES}/connectors");
    sql(world.gate.home(), "DROP TABLE governance");
    let patch = update(&[("passwordHistory.count", "7")]);
    refused(&world.send("PATCH", &format!("{connectors}/{HISTORY}"), &patch), 500, "IDG-50004");
    let names = json!({"properties": ["passwordHistory.count"]});
    let revert = format!("{connectors}/revert?connectorId={HISTORY}");
    refused(&world.send("POST", &revert, &names), 500, "IDG-50018");
    // what is in force is known all the same
    assert_eq!(world.get(&connectors).status, 200);
}

/// The newest first.
fn records(home: &Path) -> Vec<Record> {
    let location = StoreLocation::Sqlite(home.join("people.db"));
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let store = Store::open(&Settings { location, max_connections: 1 }).await.unwrap();
        store.audit().list(None, AuditPage { before: None, limit: 10 }).await.unwrap()
    })
}

#[test]
fn attack_who_hangs_up_in_the_middle_is_on_record_all_the_same() {
    let world = Managed::start();
    let folder = File::open(world.gate.tenants.folder.join("acme.com")).unwrap();
    // another writer holds the change up
    folder.lock().unwrap();
    let ask = world.ask("PUT", "/t/acme.com/api/am/admin/v4/tenant-config");
    let wire = ask.basic("admin@acme.com", PASSWORD).json(&json!({"EnableAnonymous": false})).open();
    eventually(|| {
        world.gate.admin("/metrics").text().contains("doorward_sign_ins_total{outcome=\"signed_in\"} 1")
    });
    drop(wire);
    folder.unlock().unwrap();
    eventually(|| !world.gate.lets_strangers_in("acme.com"));
    eventually(|| records(world.gate.home()).iter().any(|record| record.action == "tenant-config.replace"));
}

#[test]
fn a_tenants_file_is_not_replaced_where_that_cannot_be_written_down() {
    let world = Managed::start();
    let file = "/t/acme.com/api/am/admin/v4/tenant-config";
    sql(world.gate.home(), "DROP TABLE audit");
    assert_eq!(world.send("PUT", file, &json!({"EnableAnonymous": false})).status, 503);
    assert_eq!(world.get(file).text(), "{}");
    assert!(world.gate.lets_strangers_in("acme.com"));
}

#[test]
fn the_audit_has_each_value_of_a_tenants_file_that_was_changed() {
    let world = Managed::start();
    let file = "/t/acme.com/api/am/admin/v4/tenant-config";
    let text = json!({"EnableAnonymous": false, "Mail": {"password": "s3cret"}});
    assert_eq!(world.send("PUT", file, &text).status, 200);
    let told = records(world.gate.home()).into_iter().rev().map(|record| {
        let side = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
        format!("{} {} > {}", record.target, side(record.before), side(record.after))
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r#"
    tenant-conf.json 2 bytes, ETag "RBNvo1WzZ4oRRq0W9-hkng" > 54 bytes, ETag "cBnx6A4dtEkENJFmPyLMdw"
    tenant-conf.json#/EnableAnonymous - > false
    tenant-conf.json#/Mail/password - > (secret)
    "#);
}

fn sql(home: &Path, statement: &'static str) {
    let url = format!("sqlite:{}", home.join("people.db").display());
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    });
}

/// Attack: whoever may write a tenant's file names an issuer there, and calls the bearer of its tokens like an account.
#[test]
fn attack_a_tenants_own_issuer_signs_as_the_administrator() {
    let (world, idp) = (Managed::start(), Idp::start());
    let issuer = json!({"issuer": idp.issuer(), "audiences": [idp.audience], "jwks_url": idp.keys_url()});
    world.gate.edit_tenant("acme.com", &json!({"Doorward": {"issuers": [issuer]}}));
    let at = format!("{OF_ACME}/{PASSWORD_POLICIES}/connectors/{HISTORY}");
    let token = idp.token().claim("sub", "admin").scope("internal_idp_update").sign();
    let change = update(&[("passwordHistory.count", "7")]);
    eventually(|| world.ask("PATCH", &at).bearer(&token).json(&change).send().status == 200);
    let shown = format!("admin@acme.com (token of the tenant's own {})", idp.issuer());
    assert_eq!(records(world.gate.home())[0].actor, shown);
}

#[test]
fn every_change_is_on_record_with_who_when_from_where_before_and_after() {
    let world = Managed::start();
    let at = format!("{OF_ACME}/{PASSWORD_POLICIES}/connectors/{HISTORY}");
    let answer = world.send_as("admin@acme.com", "PATCH", &at, &update(&[("passwordHistory.count", "7")]));
    let request_id = answer.header("x-request-id").map(str::to_owned);
    world.send("PUT", "/t/acme.com/api/am/admin/v4/tenant-config", &json!({"EnableAnonymous": false}));
    // what is refused changes nothing, and is no change
    world.send("PATCH", &at, &update(&[("passwordHistory.count", "many")]));
    let records = records(world.gate.home());
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
