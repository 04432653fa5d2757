//! Two replicas on one store: a setting of one is in force at the other within a second, as a whole, while both serve requests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use doorward::internals::{config::TenantPolicy, governance::GovernanceServiceError, store::StoreChange};

use super::{id, patch};
use crate::support::{
    database::{Database, Kind, on_both_databases},
    eventually::within_async,
    services::{TestDeployment, TestServices},
};

on_both_databases!(
    change_reaches_other_replica_whole_within_a_second,
    change_feed_start_reads_earlier_changes,
    lost_notification_heals_within_15_minutes,
    store_outage_keeps_settings_and_pending_changes,
);

const PROPAGATION_LIMIT: Duration = Duration::from_secs(1);
const ROUNDS: u32 = 12;
/// Where nothing is promised but that it comes.
const SOON: Duration = Duration::from_secs(10);
/// After this time a replica reads all overrides again.
const RECHECK_INTERVAL: Duration = Duration::from_mins(15);

fn deployment(database: &Database) -> TestDeployment {
    let url = match database.kind {
        Kind::Sqlite => format!("sqlite:{}", database.folder.path().join("doorward.db").display()),
        Kind::Postgres => database.url.clone(),
    };
    TestDeployment::with_store(&url, "")
}

/// Runs the change feed, as a serving Doorward does.
fn start_change_feed(services: &TestServices) {
    let (sessions, governance) = (services.accounts.sessions.clone(), services.accounts.governance.clone());
    tokio::spawn(async move { sessions.follow_changes(|change| governance.enqueue(change)).await });
    start_refresh_loop(services);
}

/// Receives changes from the test, and none from the store.
fn start_refresh_loop(services: &TestServices) {
    let governance = services.accounts.governance.clone();
    tokio::spawn(async move { governance.run().await });
}

/// Sets a round at a replica that has a thread of its own, as it has in life.
fn set_elsewhere(here: TestDeployment, number: u32) -> TestDeployment {
    std::thread::spawn(move || {
        here.run(async |services| {
            let (least, most) = (number.to_string(), (number + 100).to_string());
            let both = [("passwordPolicy.min.length", least.as_str()), ("passwordPolicy.max.length", &most)];
            patch(&services, &both).await.unwrap();
        });
        here
    })
    .join()
    .unwrap()
}

async fn wait_for_round(services: &TestServices, number: u32, limit: Duration) {
    within_async(limit, async || round(&*services.policy().await) == number).await;
}

/// The round a policy is of. The two lengths are always set together.
fn round(policy: &TenantPolicy) -> u32 {
    let rules = &policy.rules.password_rules;
    match (rules.min_length, rules.max_length) {
        (6, 12) => 0,
        (least, most) if most == least + 100 => least,
        half => panic!("half of a change: {half:?}"),
    }
}

async fn change_reaches_other_replica_whole_within_a_second(database: Database) {
    let (here, there) = (deployment(&database), deployment(&database));
    let (seen, done) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let asked = std::thread::spawn({
        let (seen, done) = (Arc::clone(&seen), Arc::clone(&done));
        move || {
            let mut requests = 0_u64;
            there.run(async |services| {
                start_change_feed(&services);
                while !done.load(Ordering::Relaxed) {
                    seen.store(round(&*services.policy().await), Ordering::Relaxed);
                    requests += 1;
                    tokio::task::yield_now().await;
                }
            });
            requests
        }
    });
    std::thread::spawn(move || {
        here.run(async |services| {
            start_change_feed(&services);
            for number in 1..=ROUNDS {
                let (least, most) = (number.to_string(), (number + 100).to_string());
                let bad = [("passwordPolicy.min.length", "77"), ("passwordPolicy.max.length", "many")];
                assert!(matches!(patch(&services, &bad).await, Err(GovernanceServiceError::Refused(_))));
                assert_eq!(round(&*services.policy().await), number - 1);
                let good =
                    [("passwordPolicy.min.length", least.as_str()), ("passwordPolicy.max.length", &most)];
                patch(&services, &good).await.unwrap();
                within_async(PROPAGATION_LIMIT, async || {
                    assert_eq!(round(&*services.policy().await), number, "here at once");
                    seen.load(Ordering::Relaxed) == number
                })
                .await;
            }
            done.store(true, Ordering::Relaxed);
        });
    })
    .join()
    .unwrap();
    assert!(asked.join().unwrap() > u64::from(ROUNDS), "no policy was read");
}

/// The change feed lost entries: all settings are read again.
async fn change_feed_start_reads_earlier_changes(database: Database) {
    let (here, there) = (deployment(&database), deployment(&database));
    std::thread::spawn(move || {
        there.run(async |services| {
            assert_eq!(round(&*services.policy().await), 0);
            set_elsewhere(here, 9);
            assert_eq!(round(&*services.policy().await), 0, "it does not listen yet");
            start_change_feed(&services);
            wait_for_round(&services, 9, PROPAGATION_LIMIT).await;
        });
    })
    .join()
    .unwrap();
}

/// The change feed lost an entry without noticing it: the periodic check repairs it.
async fn lost_notification_heals_within_15_minutes(database: Database) {
    let (here, there) = (deployment(&database), deployment(&database));
    std::thread::spawn(move || {
        there.run(async |services| {
            start_refresh_loop(&services);
            // from here on its quarter of an hour runs
            tokio::task::yield_now().await;
            let mut here = here;
            for number in [9, 10] {
                here = set_elsewhere(here, number);
                assert_ne!(round(&*services.policy().await), number, "the lost change arrived");
                tokio::time::pause();
                tokio::time::advance(RECHECK_INTERVAL).await;
                tokio::time::resume();
                wait_for_round(&services, number, SOON).await;
            }
        });
    })
    .join()
    .unwrap();
}

async fn store_outage_keeps_settings_and_pending_changes(database: Database) {
    let (here, there) = (deployment(&database), deployment(&database));
    std::thread::spawn(move || {
        there.run(async |services| {
            start_refresh_loop(&services);
            let governance = &services.accounts.governance;
            let mut here = here;
            for (number, change) in
                [(9, StoreChange::GovernanceChanged(id("carbon.super"))), (10, StoreChange::Everything)]
            {
                let before = round(&*services.policy().await);
                here = set_elsewhere(here, number);
                database.run("ALTER TABLE governance RENAME TO elsewhere").await;
                governance.enqueue(&change);
                // it takes its turn first, so that it has failed when this has
                tokio::task::yield_now().await;
                governance.refresh_all().await.unwrap_err();
                assert_eq!(round(&*services.policy().await), before, "the previous overrides stay in force");
                database.run("ALTER TABLE elsewhere RENAME TO governance").await;
                wait_for_round(&services, number, SOON).await;
            }
        });
    })
    .join()
    .unwrap();
}
