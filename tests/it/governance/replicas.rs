//! Two replicas on one store: what is set at one counts at the other within a second, as a whole, while both are asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use doorward::{account::GovernError, config::TenantPolicy, store::Change};

use super::{id, patch};
use crate::{
    accounts::{Desk, House},
    support::database::{Database, Kind, on_both_databases},
};

on_both_databases!(
    a_change_counts_on_the_other_replica_within_a_second_and_as_a_whole,
    what_was_set_while_nobody_listened_is_heard_of,
    what_was_never_heard_of_is_in_force_after_a_quarter_of_an_hour,
    while_the_store_does_not_answer_the_last_settings_stay_and_the_news_is_kept,
);

const PROMISED: Duration = Duration::from_secs(1);
const ROUNDS: u32 = 12;
/// Where nothing is promised but that it comes.
const SOON: Duration = Duration::from_secs(10);
/// What was never heard of is in force at the latest after this.
const HEALED: Duration = Duration::from_mins(15);

fn house(database: &Database) -> House {
    let url = match database.kind {
        Kind::Sqlite => format!("sqlite:{}", database.folder.path().join("doorward.db").display()),
        Kind::Postgres => database.url.clone(),
    };
    House::at(&url, "")
}

/// Hears of the other's changes, as a Doorward that serves does.
fn serve(desk: &Desk) {
    let (sessions, governance) = (desk.doors.sessions().clone(), desk.doors.governance().clone());
    tokio::spawn(async move { sessions.follow(|change| governance.heard(change)).await });
    keep(desk);
}

/// Takes what it is told of, and is told nothing by the store.
fn keep(desk: &Desk) {
    let governance = desk.doors.governance().clone();
    tokio::spawn(async move { governance.keep().await });
}

/// Sets a round at a replica that has a thread of its own, as it has in life.
fn set_elsewhere(here: House, number: u32) -> House {
    std::thread::spawn(move || {
        here.open(async |desk| {
            let (least, most) = (number.to_string(), (number + 100).to_string());
            let both = [("passwordPolicy.min.length", least.as_str()), ("passwordPolicy.max.length", &most)];
            patch(&desk, &both).await.unwrap();
        });
        here
    })
    .join()
    .unwrap()
}

async fn arrives(desk: &Desk, number: u32, within: Duration) {
    let start = Instant::now();
    while round(&*desk.policy().await) != number {
        assert!(start.elapsed() < within, "round {number} is not in force within {within:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
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

async fn a_change_counts_on_the_other_replica_within_a_second_and_as_a_whole(database: Database) {
    let (here, there) = (house(&database), house(&database));
    let (seen, done) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let asked = std::thread::spawn({
        let (seen, done) = (Arc::clone(&seen), Arc::clone(&done));
        move || {
            let mut requests = 0_u64;
            there.open(async |desk| {
                serve(&desk);
                while !done.load(Ordering::Relaxed) {
                    seen.store(round(&*desk.policy().await), Ordering::Relaxed);
                    requests += 1;
                    tokio::task::yield_now().await;
                }
            });
            requests
        }
    });
    std::thread::spawn(move || {
        here.open(async |desk| {
            serve(&desk);
            for number in 1..=ROUNDS {
                let (least, most) = (number.to_string(), (number + 100).to_string());
                let bad = [("passwordPolicy.min.length", "77"), ("passwordPolicy.max.length", "many")];
                assert!(matches!(patch(&desk, &bad).await, Err(GovernError::Refused(_))));
                assert_eq!(round(&*desk.policy().await), number - 1);
                let good =
                    [("passwordPolicy.min.length", least.as_str()), ("passwordPolicy.max.length", &most)];
                patch(&desk, &good).await.unwrap();
                let start = Instant::now();
                while seen.load(Ordering::Relaxed) != number {
                    assert_eq!(round(&*desk.policy().await), number, "here at once");
                    assert!(start.elapsed() < PROMISED, "not there within a second");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            done.store(true, Ordering::Relaxed);
        });
    })
    .join()
    .unwrap();
    assert!(asked.join().unwrap() > u64::from(ROUNDS), "nobody was asked");
}

/// The news themselves are lost: the whole is read anew.
async fn what_was_set_while_nobody_listened_is_heard_of(database: Database) {
    let (here, there) = (house(&database), house(&database));
    std::thread::spawn(move || {
        there.open(async |desk| {
            assert_eq!(round(&*desk.policy().await), 0);
            set_elsewhere(here, 9);
            assert_eq!(round(&*desk.policy().await), 0, "it does not listen yet");
            serve(&desk);
            arrives(&desk, 9, PROMISED).await;
        });
    })
    .join()
    .unwrap();
}

/// The stream lost the news and does not know: the clock heals it.
async fn what_was_never_heard_of_is_in_force_after_a_quarter_of_an_hour(database: Database) {
    let (here, there) = (house(&database), house(&database));
    std::thread::spawn(move || {
        there.open(async |desk| {
            keep(&desk);
            // from here on its quarter of an hour runs
            tokio::task::yield_now().await;
            let mut here = here;
            for number in [9, 10] {
                here = set_elsewhere(here, number);
                assert_ne!(round(&*desk.policy().await), number, "nobody told it");
                tokio::time::pause();
                tokio::time::advance(HEALED).await;
                tokio::time::resume();
                arrives(&desk, number, SOON).await;
            }
        });
    })
    .join()
    .unwrap();
}

async fn while_the_store_does_not_answer_the_last_settings_stay_and_the_news_is_kept(database: Database) {
    let (here, there) = (house(&database), house(&database));
    std::thread::spawn(move || {
        there.open(async |desk| {
            keep(&desk);
            let governance = desk.doors.governance();
            let mut here = here;
            for (number, news) in [(9, Change::Governance(id("carbon.super"))), (10, Change::Everything)] {
                let before = round(&*desk.policy().await);
                here = set_elsewhere(here, number);
                database.run("ALTER TABLE governance RENAME TO elsewhere").await;
                governance.heard(&news);
                // it takes its turn first, so that it has failed when this has
                tokio::task::yield_now().await;
                governance.refresh_all().await.unwrap_err();
                assert_eq!(round(&*desk.policy().await), before, "what was set before stays");
                database.run("ALTER TABLE elsewhere RENAME TO governance").await;
                arrives(&desk, number, SOON).await;
            }
        });
    })
    .join()
    .unwrap();
}
