//! Floods of names and addresses nobody has: the table of counters stays small, and nobody else is locked.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use doorward::{
    domain::{
        account::AccountId,
        lockout::{self, Attempt, Counter, CounterKey, LockoutSettings, NameHash, Threshold, Who},
    },
    store::{Keep, Store},
};
use sqlx::{AnyConnection, Connection as _, Row as _};

use super::{NOW, acme, alex};
use crate::support::database::{Database, Kind, on_both_databases, with};

on_both_databases!(
    attack_a_flood_of_names_at_the_portal_takes_bounded_room_and_locks_nobody,
    attack_a_table_filled_once_forgets_every_later_guess,
    attack_a_table_filled_with_locks_until_unlocked_forgets_every_later_guess,
    attack_a_flood_of_addresses_is_forgotten_when_its_window_has_passed,
    counters_of_an_account_stay_as_long_as_the_account,
    a_row_of_an_older_replica_is_read_and_goes_with_what_is_old,
);

const DAY: u64 = 24 * 3_600_000;
const WINDOW: Threshold =
    Threshold { max_attempts: 100, window: Duration::from_hours(1), time: Duration::from_mins(15) };

fn settings() -> LockoutSettings {
    LockoutSettings { enabled: true, ..LockoutSettings::default() }
}

/// Everything strangers can make rows of.
fn all_settings() -> LockoutSettings {
    LockoutSettings { address: Some(WINDOW), account_and_address: Some(WINDOW), ..settings() }
}

fn portal(number: u128) -> Who {
    let mut hash = [0; 32];
    // as a hash would spread them
    hash[..16].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes());
    Who::Portal(NameHash::of(&hash))
}

fn network(number: u128) -> IpAddr {
    Ipv6Addr::from((0x2001_0db8_u128 << 96) | (number << 64)).into()
}

/// One wrong guess, as every door counts it. `false`: refused, for somebody was locked.
async fn guess(store: &Store, settings: &LockoutSettings, who: Who, from: Option<IpAddr>, now: u64) -> bool {
    let alike = if let Who::Portal(name) = &who { Some(*name) } else { None };
    let attempt = Attempt { tenant: acme(), who, alike, spelling: None, address: from, device: None };
    let keys = lockout::keys(settings, &attempt);
    let counters = store.counters();
    counters.update(&keys, |counters| lockout::reserve(settings, counters, false, now)).await.unwrap().is_ok()
}

async fn counter(store: &Store, who: Who) -> Counter {
    store.counters().read(&[CounterKey::of(acme(), who)]).await.unwrap()[0].1
}

async fn rows(database: &Database) -> i64 {
    let mut connection = AnyConnection::connect(&database.address()).await.unwrap();
    let row = sqlx::query("SELECT COUNT(*) AS rows FROM counters").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    row.try_get("rows").unwrap()
}

async fn attack_a_flood_of_names_at_the_portal_takes_bounded_room_and_locks_nobody(database: Database) {
    let store = database.open().await;
    let (settings, alex) = (settings(), Who::Account(alex(&store).await.id));
    let [guessed_at, locked] = [portal(1 << 100), portal(1 << 101)];
    for (who, times) in [(&alex, 4), (&guessed_at, 4), (&locked, 5)] {
        for _ in 0..times {
            assert!(guess(&store, &settings, who.clone(), None, NOW).await);
        }
    }
    let keep = Keep { strays: 100, ..Keep::default() };
    for number in 0..1000 {
        let now = NOW + 1 + u64::try_from(number).unwrap();
        assert!(guess(&store, &settings, portal(number), None, now).await, "nobody has tried {number}");
        if number % 200 == 199 {
            store.purge(keep, now).await.unwrap();
            // one more for alex, who is no stranger
            assert_eq!(rows(&database).await, 101);
        }
    }
    // the flood has cost nobody an attempt, and given back none
    assert_eq!(counter(&store, alex).await.failures, 4);
    assert_eq!(counter(&store, guessed_at).await.failures, 4);
    assert!(counter(&store, locked).await.locked_until.in_force(NOW + 1000));
    // the last to come are the last to go
    assert_eq!(counter(&store, portal(999)).await.failures, 1);
    assert_eq!(counter(&store, portal(0)).await, Counter::default());
}

/// Attack: fill the room once with names that were locked. From then on what comes last says least, and goes first: four
/// guesses a minute at anybody, for as long as the old rows are kept (90 days).
async fn attack_a_table_filled_once_forgets_every_later_guess(database: Database) {
    let verified = verified_after_filling(database, &settings()).await;
    // five, and five more when the first lock has ended
    assert!(verified <= 10, "{verified} guesses in ten minutes");
}

/// The same where locks hold until an administrator unlocks: nobody will ever unlock names that nobody has.
async fn attack_a_table_filled_with_locks_until_unlocked_forgets_every_later_guess(database: Database) {
    let settings = LockoutSettings { time: Duration::ZERO, ..settings() };
    let verified = verified_after_filling(database, &settings).await;
    assert_eq!(verified, 5, "guesses in ten minutes");
}

/// So many guesses at a name are let through in ten minutes, a day after the table has been filled with locked names.
async fn verified_after_filling(database: Database, settings: &LockoutSettings) -> u32 {
    let store = database.open().await;
    for number in 0..60 {
        for _ in 0..5 {
            assert!(guess(&store, settings, portal(number), None, NOW).await);
        }
    }
    let keep = Keep { strays: 100, ..Keep::default() };
    store.purge(keep, NOW).await.unwrap();
    let (later, victim) = (NOW + DAY, portal(1 << 100));
    let mut verified = 0;
    for minute in 0..10 {
        let now = later + minute * 60_000;
        for _ in 0..4 {
            verified += u32::from(guess(&store, settings, victim.clone(), None, now).await);
        }
        store.purge(keep, now).await.unwrap();
    }
    verified
}

async fn attack_a_flood_of_addresses_is_forgotten_when_its_window_has_passed(database: Database) {
    let store = database.open().await;
    let settings = LockoutSettings {
        enabled: false,
        address: Some(Threshold { max_attempts: 2, ..WINDOW }),
        account_and_address: Some(WINDOW),
        ..settings()
    };
    let unknown = Who::Unknown(7);
    for number in 0..100 {
        assert!(guess(&store, &settings, unknown.clone(), Some(network(number)), NOW).await);
    }
    let locked = network(0);
    let long = NOW + 3_599_999;
    assert!(guess(&store, &settings, unknown.clone(), Some(locked), long).await, "the second locks");
    assert_eq!(rows(&database).await, 200);
    assert_eq!(store.purge(Keep::default(), long).await.unwrap().counters, 0);
    assert_eq!(store.purge(Keep::default(), long + 1).await.unwrap().counters, 199);
    assert!(!guess(&store, &settings, unknown, Some(locked), long + 1).await, "a lock outlasts the window");
    assert_eq!(store.purge(Keep::default(), long + 15 * 60_000).await.unwrap().counters, 1);
    assert_eq!(rows(&database).await, 0);
}

async fn counters_of_an_account_stay_as_long_as_the_account(database: Database) {
    let store = database.open().await;
    let (settings, id) = (settings(), alex(&store).await.id);
    let nobody = AccountId::from_bytes([9; 16]);
    for id in [&id, &nobody] {
        assert!(guess(&store, &settings, Who::Account(id.clone()), None, NOW).await);
    }
    assert_eq!(store.purge(Keep::default(), NOW + 3650 * DAY).await.unwrap().counters, 1);
    assert_eq!(
        counter(&store, Who::Account(id.clone())).await.failures,
        1,
        "as in WSO2, only a success resets it"
    );
    store.accounts().delete(&id, NOW).await.unwrap();
    assert_eq!(store.purge(Keep::default(), NOW + 3650 * DAY).await.unwrap().counters, 1);
}

async fn a_row_of_an_older_replica_is_read_and_goes_with_what_is_old(database: Database) {
    let store = database.open().await;
    database
        .run(
            "INSERT INTO counters (name, owner, failures, lockouts, locked_until, since, last_failure) VALUES \
             ('address|acme.com|192.0.2.1', '', 99, 0, 0, 1790000000000, 1790000000000)",
        )
        .await;
    let settings = LockoutSettings { enabled: false, ..all_settings() };
    let from = Some([192, 0, 2, 1].into());
    assert_eq!(store.purge(Keep::default(), NOW + DAY).await.unwrap().counters, 0);
    assert!(guess(&store, &settings, Who::Unknown(1), from, NOW + 1).await);
    assert!(!guess(&store, &settings, Who::Unknown(1), from, NOW + 1).await, "the hundredth has locked it");
    assert_eq!(store.purge(Keep::default(), NOW + 91 * DAY).await.unwrap().counters, 2);
}

/// `cargo test --test it -- --ignored --nocapture one_million`; what it says is in docs/PERFORMANCE.md.
#[test]
#[ignore = "takes minutes"]
fn attack_one_million_names_from_one_million_addresses() {
    with(Kind::Sqlite, async |database| {
        let store = database.open().await;
        let (settings, alex) = (all_settings(), Who::Account(alex(&store).await.id));
        for _ in 0..4 {
            assert!(guess(&store, &settings, alex.clone(), None, NOW).await);
        }
        let (start, mut most) = (Instant::now(), 0);
        let mut purging = Duration::ZERO;
        for number in 0..1_000_000_u128 {
            let from = Some(network(number));
            assert!(guess(&store, &settings, portal(number), from, NOW + 1).await);
            // about a minute's worth
            if number % 100_000 == 99_999 {
                most = rows(&database).await.max(most);
                let purge = Instant::now();
                store.purge(Keep::default(), NOW + 1).await.unwrap();
                purging += purge.elapsed();
            }
        }
        let left = rows(&database).await;
        let file = database.folder.path().join("doorward.db").metadata().unwrap().len();
        println!(
            "at most {most} rows, {left} after the last purge, {} MiB, {:?}, of it purging {purging:?}",
            file >> 20,
            start.elapsed()
        );
        assert_eq!(left, (1 << 18) + 1);
        assert_eq!(counter(&store, alex).await.failures, 4);
    });
}
