//! Overrides: versions, atomicity, and the actor in the audit log.

use std::{convert::Infallible, time::Duration};

use doorward::internals::{
    domain::{
        audit::{AdminAction, AuditRecord},
        governance::PropertyWrite,
        tenant::TenantId,
    },
    store::{AuditPage, GovernanceStoreError, Retention, Store, StoreChange, VersionedOverrides},
};

use super::{NOW, acme, globex, ms, next_changes};
use crate::support::{
    actors::{change_of, operator},
    database::{Database, on_both_databases},
    eventually::eventually_async,
};

on_both_databases!(
    change_is_stored_versioned_and_published,
    update_without_effect_is_no_change,
    second_change_for_a_version_is_stale,
    concurrent_changes_are_all_applied,
    refused_change_leaves_nothing,
    aborted_change_is_stored_whole_or_not_at_all,
    change_fails_if_the_audit_fails,
    unknown_properties_of_a_newer_replica_are_kept,
    audit_lists_the_newest_record_first,
    attack_a_secret_in_the_audit,
    audit_records_expire,
);

const COUNT: &str = "passwordHistory.count";
const MINIMUM: &str = "passwordPolicy.min.length";
const ACTION: &str = "governance.update";

fn set(name: &str, value: &str) -> PropertyWrite {
    PropertyWrite::Set { name: name.to_owned(), value: value.to_owned() }
}

fn clear(name: &str) -> PropertyWrite {
    PropertyWrite::Clear { name: name.to_owned() }
}

type Done = Result<(VersionedOverrides, Vec<AdminAction>), GovernanceStoreError<Infallible>>;

async fn change(store: &Store, tenant: &TenantId, expected: Option<u64>, writes: &[PropertyWrite]) -> Done {
    let writes = writes.to_vec();
    store.governance().update(&change_of(tenant, expected, NOW), ACTION, |_| Ok(writes)).await
}

fn values(stored: &VersionedOverrides) -> Vec<(&str, &str)> {
    stored.overrides.iter().collect()
}

async fn audit(store: &Store, tenant: Option<&TenantId>) -> Vec<AuditRecord> {
    store.audit().list(tenant, AuditPage { before: None, limit: 1000 }).await.unwrap()
}

async fn change_is_stored_versioned_and_published(database: Database) {
    let (here, there) = (database.open().await, database.open().await);
    let mut watch = there.changes().follow().await.unwrap();
    assert_eq!(there.governance().of(&acme()).await.unwrap().version, 0);
    let (first, actions) =
        change(&here, &acme(), Some(0), &[set(COUNT, "3"), set(MINIMUM, "8")]).await.unwrap();
    assert_eq!((first.version, values(&first), actions.len()), (1, vec![(COUNT, "3"), (MINIMUM, "8")], 2));
    assert_eq!(there.governance().of(&acme()).await.unwrap(), first);
    assert_eq!(next_changes(&mut watch).await, [StoreChange::GovernanceChanged(acme())]);
    let (second, _) = change(&there, &acme(), Some(1), &[set(COUNT, "4"), clear(MINIMUM)]).await.unwrap();
    assert_eq!((second.version, values(&second)), (2, vec![(COUNT, "4")]));
    change(&here, &globex(), None, &[set(MINIMUM, "9")]).await.unwrap();
    let (third, _) = change(&here, &globex(), None, &[clear(MINIMUM)]).await.unwrap();
    assert_eq!(third.version, 2, "a version never comes back");
    assert_eq!(there.governance().all().await.unwrap(), [second, third]);
}

async fn update_without_effect_is_no_change(database: Database) {
    let store = database.open().await;
    change(&store, &acme(), None, &[set(COUNT, "3")]).await.unwrap();
    let (last, entries) = (store.changes().last().await.unwrap(), audit(&store, None).await);
    let (same, actions) = change(&store, &acme(), Some(1), &[set(COUNT, "3"), clear(MINIMUM)]).await.unwrap();
    assert_eq!((same.version, actions), (1, vec![]));
    change(&store, &globex(), None, &[clear(COUNT)]).await.unwrap();
    assert_eq!(store.changes().last().await.unwrap(), last);
    assert_eq!(audit(&store, None).await, entries);
    assert_eq!(store.governance().all().await.unwrap().len(), 1);
}

async fn second_change_for_a_version_is_stale(database: Database) {
    let (here, there) = (database.open().await, database.open().await);
    change(&here, &acme(), None, &[set(COUNT, "3")]).await.unwrap();
    let (one, other) = ([set(COUNT, "4")], [set(COUNT, "5")]);
    let acme = acme();
    let both = tokio::join!(change(&here, &acme, Some(1), &one), change(&there, &acme, Some(1), &other));
    let (won, lost) = if both.0.is_ok() { both } else { (both.1, both.0) };
    assert!(matches!(lost, Err(GovernanceStoreError::Stale { version: 2 })), "{lost:?}");
    assert_eq!(here.governance().of(&acme).await.unwrap(), won.unwrap().0);
    assert_eq!(audit(&here, None).await.len(), 2, "one record each of the two that were made");
}

/// Each adds one to what it finds: none is lost.
async fn concurrent_changes_are_all_applied(database: Database) {
    let stores = [database.open().await, database.open().await];
    let mut tasks = Vec::new();
    for number in 0..40 {
        let store = stores[number % 2].clone();
        tasks.push(tokio::spawn(async move {
            let more = |stored: &VersionedOverrides| {
                let count: u32 = stored.overrides.get(COUNT).map_or(0, |count| count.parse().unwrap());
                Ok::<_, Infallible>(vec![set(COUNT, &(count + 1).to_string())])
            };
            store.governance().update(&change_of(&acme(), None, NOW), ACTION, more).await.unwrap();
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let retained = stores[0].governance().of(&acme()).await.unwrap();
    assert_eq!((retained.version, values(&retained)), (40, vec![(COUNT, "40")]));
    let ids: Vec<u64> = audit(&stores[0], None).await.iter().map(|record| record.id).collect();
    assert_eq!(ids, (1..=40).rev().collect::<Vec<_>>());
}

async fn refused_change_leaves_nothing(database: Database) {
    let store = database.open().await;
    let refuse = |_: &VersionedOverrides| Err("no");
    let refused = store.governance().update(&change_of(&acme(), None, NOW), ACTION, refuse).await;
    assert!(matches!(refused, Err(GovernanceStoreError::Refused("no"))));
    let stale = change(&store, &acme(), Some(7), &[set(COUNT, "3")]).await;
    assert!(matches!(stale, Err(GovernanceStoreError::Stale { version: 0 })));
    assert_eq!(store.governance().all().await.unwrap(), []);
    assert_eq!((audit(&store, None).await, store.changes().last().await.unwrap()), (vec![], 0));
}

/// Wherever in it the caller goes away.
async fn aborted_change_is_stored_whole_or_not_at_all(database: Database) {
    let store = database.open().await;
    let tenants: Vec<_> =
        (0..60).map(|round| (round, TenantId::parse(&format!("t{round}.com")).unwrap())).collect();
    let mut given_up = 0;
    for (round, tenant) in &tenants {
        let writes = [set(COUNT, "3"), set(MINIMUM, "8")];
        let done = polled(change(&store, tenant, None, &writes), *round).await;
        given_up += u64::from(done.is_none());
    }
    assert!(given_up > 0, "no connection was closed");
    // a commit that was in progress when its caller was cancelled may take a moment
    eventually_async(async || {
        let mut retained = 0;
        let mut whole = true;
        for (_, tenant) in &tenants {
            let stored = store.governance().of(tenant).await.unwrap();
            let records = audit(&store, Some(tenant)).await.len();
            retained += stored.version;
            whole &= matches!((stored.version, stored.overrides.len(), records), (0, 0, 0) | (1, 2, 2));
        }
        // neither half of a change, nor a change without an entry in the feed
        whole && retained >= 60 - given_up && store.changes().last().await.unwrap() == retained
    })
    .await;
}

/// The result of a future that is dropped after this many polls.
async fn polled<T>(work: impl Future<Output = T>, times: u32) -> Option<T> {
    let (mut work, mut left) = (std::pin::pin!(work), times);
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

async fn change_fails_if_the_audit_fails(database: Database) {
    let store = database.open().await;
    database.run("ALTER TABLE audit RENAME TO elsewhere").await;
    assert!(matches!(
        change(&store, &acme(), None, &[set(COUNT, "3")]).await,
        Err(GovernanceStoreError::Store(_))
    ));
    database.run("ALTER TABLE elsewhere RENAME TO audit").await;
    assert_eq!(store.governance().of(&acme()).await.unwrap().version, 0);
    assert_eq!(change(&store, &acme(), Some(0), &[set(COUNT, "3")]).await.unwrap().0.version, 1);
}

async fn unknown_properties_of_a_newer_replica_are_kept(database: Database) {
    let store = database.open().await;
    change(&store, &acme(), None, &[set(COUNT, "3")]).await.unwrap();
    database.run("INSERT INTO governance (tenant, name, value) VALUES ('acme.com', 'to.come', 'x')").await;
    let (stored, _) = change(&store, &acme(), Some(1), &[set(COUNT, "4")]).await.unwrap();
    assert_eq!(values(&stored), [(COUNT, "4")], "without effect here");
    database
        .run("UPDATE governance SET name = 'passwordHistory.enable', value = 'true' WHERE name = 'to.come'")
        .await;
    assert_eq!(store.governance().of(&acme()).await.unwrap().overrides.len(), 2, "but still there");
}

async fn audit_lists_the_newest_record_first(database: Database) {
    let store = database.open().await;
    change(&store, &acme(), None, &[set(COUNT, "3"), set(MINIMUM, "8")]).await.unwrap();
    change(&store, &globex(), None, &[set(COUNT, "9")]).await.unwrap();
    change(&store, &acme(), None, &[set(COUNT, "4"), clear(MINIMUM)]).await.unwrap();
    let file = AdminAction {
        action: "tenant-file.write",
        target: "tenant-conf.json".into(),
        before: None,
        after: None,
    };
    store.audit().record(&acme(), &operator(), &[file], NOW + ms(1)).await.unwrap();
    let entries = audit(&store, Some(&acme())).await;
    let brief: Vec<_> = entries
        .iter()
        .map(|record| (record.id, record.target.as_str(), record.before.as_deref(), record.after.as_deref()))
        .collect();
    assert_eq!(
        brief,
        [
            (6, "tenant-conf.json", None, None),
            (5, MINIMUM, Some("8"), None),
            (4, COUNT, Some("3"), Some("4")),
            (2, MINIMUM, None, Some("8")),
            (1, COUNT, None, Some("3")),
        ]
    );
    let AuditRecord { at, tenant, actor, address, request_id, action, .. } = entries[2].clone();
    assert_eq!((at, tenant, actor, action.as_str()), (NOW, acme(), "alex@acme.com".to_owned(), ACTION));
    assert_eq!((address.as_deref(), request_id.as_deref()), (Some("2001:db8::7"), Some("4711")));
    assert_eq!(
        (entries[0].actor.as_str(), &entries[0].address, &entries[0].request_id),
        ("operator", &None, &None)
    );
    assert_eq!(audit(&store, None).await.len(), 6);
    let page = AuditPage { before: Some(5), limit: 2 };
    assert_eq!(store.audit().list(Some(&acme()), page).await.unwrap(), entries[2..4]);
}

async fn attack_a_secret_in_the_audit(database: Database) {
    let store = database.open().await;
    let name = "__secret__adaptive_authentication.analytics.basicAuth.password";
    change(&store, &acme(), None, &[set(name, "geheim")]).await.unwrap();
    change(&store, &acme(), None, &[set(name, "geheimer")]).await.unwrap();
    change(&store, &acme(), None, &[clear(name)]).await.unwrap();
    let entries = audit(&store, None).await;
    let shown: Vec<_> =
        entries.iter().map(|record| (record.before.as_deref(), record.after.as_deref())).collect();
    assert_eq!(
        shown,
        [(Some("(secret)"), None), (Some("(secret)"), Some("(secret)")), (None, Some("(secret)"))]
    );
}

async fn audit_records_expire(database: Database) {
    let store = database.open().await;
    change(&store, &acme(), None, &[set(COUNT, "3"), set(MINIMUM, "8")]).await.unwrap();
    let day = Duration::from_hours(24);
    assert_eq!(store.purge(Retention::default(), NOW + day * 366).await.unwrap().audit, 0, "a year at least");
    assert_eq!(store.purge(Retention::default(), NOW + day * 401).await.unwrap().audit, 2);
    assert_eq!(audit(&store, None).await, []);
    assert_eq!(store.governance().of(&acme()).await.unwrap().overrides.len(), 2, "overrides stay");
    change(&store, &acme(), None, &[clear(COUNT)]).await.unwrap();
    assert_eq!(audit(&store, None).await[0].id, 3, "no number comes back");
}
