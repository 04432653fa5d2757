//! Floods of unknown names and addresses: the table of counters stays small, and no other account is locked.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use doorward::internals::{
    domain::{
        account::AccountId,
        lockout::{
            self, CountedAttempt, Counter, CounterKey, LockoutSettings, LockoutThreshold, LoginSubject,
            NameHash,
        },
        time::Timestamp,
    },
    store::{Retention, Store},
};
use sqlx::{AnyConnection, Connection as _, Row as _};

use super::{NOW, acme, alex, ms};
use crate::support::database::{Database, Kind, on_both_databases, with_database};

on_both_databases!(
    attack_name_flood_at_the_portal_fills_the_store,
    attack_full_counter_table_forgets_later_guesses,
    attack_table_full_of_permanent_locks_forgets_guesses,
    attack_address_flood_outlasts_its_window,
    counters_of_an_account_stay_as_long_as_the_account,
    row_of_an_older_version_is_read_and_purged,
);

const DAY: Duration = Duration::from_hours(24);
const WINDOW: LockoutThreshold =
    LockoutThreshold { max_attempts: 100, window: Duration::from_hours(1), time: Duration::from_mins(15) };

fn settings() -> LockoutSettings {
    LockoutSettings { enabled: true, ..LockoutSettings::default() }
}

/// Each kind of row that an anonymous client can create.
fn all_settings() -> LockoutSettings {
    LockoutSettings { address: Some(WINDOW), account_and_address: Some(WINDOW), ..settings() }
}

fn portal_name(number: u128) -> LoginSubject {
    let mut hash = [0; 32];
    // as a hash would spread them
    hash[..16].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes());
    LoginSubject::PortalName(NameHash::of(&hash))
}

fn network(number: u128) -> IpAddr {
    Ipv6Addr::from((0x2001_0db8_u128 << 96) | (number << 64)).into()
}

/// One failed attempt, as every login channel counts it. `false`: refused by a lock.
async fn login_attempt(
    store: &Store,
    settings: &LockoutSettings,
    login_subject: LoginSubject,
    from: Option<IpAddr>,
    now: Timestamp,
) -> bool {
    let alike = if let LoginSubject::PortalName(name) = &login_subject { Some(*name) } else { None };
    let attempt = CountedAttempt {
        tenant: acme(),
        subject: login_subject,
        confusable: alike,
        spelling: None,
        address: from,
        device: None,
    };
    let keys = lockout::counter_keys(settings, &attempt);
    let counters = store.counters();
    counters.update(&keys, |counters| lockout::reserve(settings, counters, false, now)).await.unwrap().is_ok()
}

async fn counter(store: &Store, login_subject: LoginSubject) -> Counter {
    store.counters().read(&[CounterKey::of(acme(), login_subject)]).await.unwrap()[0].1
}

async fn rows(database: &Database) -> i64 {
    let mut connection = AnyConnection::connect(&database.address()).await.unwrap();
    let row = sqlx::query("SELECT COUNT(*) AS rows FROM counters").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    row.try_get("rows").unwrap()
}

async fn attack_name_flood_at_the_portal_fills_the_store(database: Database) {
    let store = database.open().await;
    let (settings, alex) = (settings(), LoginSubject::Account(alex(&store).await.id));
    let [guessed_at, locked] = [portal_name(1 << 100), portal_name(1 << 101)];
    for (login_subject, times) in [(&alex, 4), (&guessed_at, 4), (&locked, 5)] {
        for _ in 0..times {
            assert!(login_attempt(&store, &settings, login_subject.clone(), None, NOW).await);
        }
    }
    let keep = Retention { max_evictable_counters: 100, ..Retention::default() };
    for number in 0..1000 {
        let now = NOW + ms(1 + u64::try_from(number).unwrap());
        assert!(
            login_attempt(&store, &settings, portal_name(number), None, now).await,
            "{number} has no failed attempt"
        );
        if number % 200 == 199 {
            store.purge(keep, now).await.unwrap();
            // one more for alex, whose account exists
            assert_eq!(rows(&database).await, 101);
        }
    }
    // the flood has changed no other counter
    assert_eq!(counter(&store, alex).await.failures, 4);
    assert_eq!(counter(&store, guessed_at).await.failures, 4);
    assert!(counter(&store, locked).await.locked_until.is_in_force(NOW + ms(1000)));
    // the last to come are the last to go
    assert_eq!(counter(&store, portal_name(999)).await.failures, 1);
    assert_eq!(counter(&store, portal_name(0)).await, Counter::default());
}

/// Attack: fill the table once with locked names. Then the newest rows have the lowest rank and are evicted first: four
/// guesses a minute at any account, for as long as the old rows are kept (90 days).
async fn attack_full_counter_table_forgets_later_guesses(database: Database) {
    let verified = verified_after_filling(database, &settings()).await;
    // five, and five more when the first lock has ended
    assert!(verified <= 10, "{verified} guesses in ten minutes");
}

/// The same where locks hold until an administrator unlocks: no administrator will unlock unknown names.
async fn attack_table_full_of_permanent_locks_forgets_guesses(database: Database) {
    let settings = LockoutSettings { time: Duration::ZERO, ..settings() };
    let verified = verified_after_filling(database, &settings).await;
    assert_eq!(verified, 5, "guesses in ten minutes");
}

/// So many guesses at a name are let through in ten minutes, a day after the table has been filled with locked names.
async fn verified_after_filling(database: Database, settings: &LockoutSettings) -> u32 {
    let store = database.open().await;
    for number in 0..60 {
        for _ in 0..5 {
            assert!(login_attempt(&store, settings, portal_name(number), None, NOW).await);
        }
    }
    let keep = Retention { max_evictable_counters: 100, ..Retention::default() };
    store.purge(keep, NOW).await.unwrap();
    let (later, victim) = (NOW + DAY, portal_name(1 << 100));
    let mut verified = 0;
    for minute in 0..10 {
        let now = later + Duration::from_mins(minute);
        for _ in 0..4 {
            verified += u32::from(login_attempt(&store, settings, victim.clone(), None, now).await);
        }
        store.purge(keep, now).await.unwrap();
    }
    verified
}

async fn attack_address_flood_outlasts_its_window(database: Database) {
    let store = database.open().await;
    let settings = LockoutSettings {
        enabled: false,
        address: Some(LockoutThreshold { max_attempts: 2, ..WINDOW }),
        account_and_address: Some(WINDOW),
        ..settings()
    };
    let unknown = LoginSubject::UnknownName(7);
    for number in 0..100 {
        assert!(login_attempt(&store, &settings, unknown.clone(), Some(network(number)), NOW).await);
    }
    let locked = network(0);
    let long = NOW + ms(3_599_999);
    assert!(login_attempt(&store, &settings, unknown.clone(), Some(locked), long).await, "the second locks");
    assert_eq!(rows(&database).await, 200);
    assert_eq!(store.purge(Retention::default(), long).await.unwrap().counters, 0);
    assert_eq!(store.purge(Retention::default(), long + ms(1)).await.unwrap().counters, 199);
    assert!(
        !login_attempt(&store, &settings, unknown, Some(locked), long + ms(1)).await,
        "a lock outlasts the window"
    );
    assert_eq!(store.purge(Retention::default(), long + Duration::from_mins(15)).await.unwrap().counters, 1);
    assert_eq!(rows(&database).await, 0);
}

async fn counters_of_an_account_stay_as_long_as_the_account(database: Database) {
    let store = database.open().await;
    let (settings, id) = (settings(), alex(&store).await.id);
    let deleted = AccountId::from_bytes([9; 16]);
    for id in [&id, &deleted] {
        assert!(login_attempt(&store, &settings, LoginSubject::Account(id.clone()), None, NOW).await);
    }
    assert_eq!(store.purge(Retention::default(), NOW + 3650 * DAY).await.unwrap().counters, 1);
    assert_eq!(
        counter(&store, LoginSubject::Account(id.clone())).await.failures,
        1,
        "as in WSO2, only a success resets it"
    );
}

async fn row_of_an_older_version_is_read_and_purged(database: Database) {
    let store = database.open().await;
    database
        .run(
            "INSERT INTO counters (name, owner, failures, lockouts, locked_until, since, last_failure) VALUES \
             ('address|acme.com|192.0.2.1', '', 99, 0, 0, 1790000000000, 1790000000000)",
        )
        .await;
    let settings = LockoutSettings { enabled: false, ..all_settings() };
    let from = Some([192, 0, 2, 1].into());
    assert_eq!(store.purge(Retention::default(), NOW + DAY).await.unwrap().counters, 0);
    assert!(login_attempt(&store, &settings, LoginSubject::UnknownName(1), from, NOW + ms(1)).await);
    assert!(
        !login_attempt(&store, &settings, LoginSubject::UnknownName(1), from, NOW + ms(1)).await,
        "the hundredth has locked it"
    );
    assert_eq!(store.purge(Retention::default(), NOW + 91 * DAY).await.unwrap().counters, 2);
}

/// `cargo test --test it -- --ignored --nocapture one_million`; docs/PERFORMANCE.md has its results.
#[test]
#[ignore = "takes minutes"]
fn attack_one_million_names_from_one_million_addresses() {
    with_database(Kind::Sqlite, async |database| {
        let store = database.open().await;
        let (settings, alex) = (all_settings(), LoginSubject::Account(alex(&store).await.id));
        for _ in 0..4 {
            assert!(login_attempt(&store, &settings, alex.clone(), None, NOW).await);
        }
        let (start, mut most) = (Instant::now(), 0);
        let mut purging = Duration::ZERO;
        for number in 0..1_000_000_u128 {
            let from = Some(network(number));
            assert!(login_attempt(&store, &settings, portal_name(number), from, NOW + ms(1)).await);
            // about a minute's worth
            if number % 100_000 == 99_999 {
                most = rows(&database).await.max(most);
                let purge = Instant::now();
                store.purge(Retention::default(), NOW + ms(1)).await.unwrap();
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
