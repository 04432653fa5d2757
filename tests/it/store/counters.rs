//! Lockout counters: no failure is lost, with concurrent writers and killed processes.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    net::IpAddr,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use doorward::internals::{
    config::model::{StoreLocation, StoreSettings as Settings},
    domain::{
        account::AccountId,
        lockout::{ClientNetwork, Counter, CounterKey, DeviceId, LockState, LoginSubject},
        time::Timestamp,
    },
    store::Store,
};

use super::{NOW, acme, alex, globex, ms};
use crate::support::database::{Database, block_on, on_both_databases};

const END_OF_TIME: Timestamp = Timestamp::from_millis(u64::MAX);

on_both_databases!(
    counter_is_stored_as_decided,
    default_counter_takes_no_row,
    attack_200_guesses_at_once_are_each_counted,
    attack_200_guesses_on_two_replicas_are_each_counted,
    overlapping_counter_updates_do_not_deadlock,
    aborted_update_blocks_no_other,
    threads_with_a_runtime_each_share_a_store,
    an_unlock_resets_all_counters_of_a_name_and_no_other,
    known_networks_are_limited_and_survive_an_unlock,
    kill_9_loses_no_counter_update,
);

fn unknown(bucket: u16) -> CounterKey {
    CounterKey::of(acme(), LoginSubject::UnknownName(bucket))
}

fn net(address: &str) -> ClientNetwork {
    ClientNetwork::of(address.parse::<IpAddr>().unwrap())
}

async fn count(store: &Store, keys: &[CounterKey]) {
    store.counters().update(keys, add_one).await.unwrap();
}

fn add_one(counters: &mut [(CounterKey, Counter)]) {
    for (_, counter) in counters {
        counter.failures += 1;
        counter.last_failure = NOW;
    }
}

async fn failures(store: &Store, key: &CounterKey) -> u32 {
    store.counters().read(std::slice::from_ref(key)).await.unwrap()[0].1.failures
}

async fn counter_is_stored_as_decided(database: Database) {
    let store = database.open().await;
    let id = alex(&store).await.id;
    let login_subject = LoginSubject::Account(id.clone());
    let keys = [
        CounterKey::Device { tenant: acme(), subject: login_subject.clone(), device: DeviceId::new([9; 16]) },
        CounterKey::Account { tenant: acme(), account: id },
        CounterKey::Address { tenant: acme(), net: net("2001:db8::1") },
        CounterKey::AccountAddress { tenant: acme(), subject: login_subject, net: net("192.0.2.7") },
        unknown(0xffff),
    ];
    let wanted = [
        LockState::None,
        LockState::Until(NOW + ms(5)),
        LockState::UntilAdmin,
        LockState::Until(END_OF_TIME),
        LockState::Until(Timestamp::EPOCH),
    ];
    let decided = store.counters().update(&keys, |counters| {
        assert!(counters.iter().map(|(key, _)| key).eq(&keys), "in the order they were asked for");
        for (index, (_, counter)) in counters.iter_mut().enumerate() {
            assert_eq!(*counter, Counter::default());
            *counter = Counter {
                failures: u32::MAX,
                lockouts: 3,
                locked_until: wanted[index],
                since: NOW - ms(1),
                last_failure: NOW,
                window: ms(60_000),
            };
        }
        "what was decided"
    });
    assert_eq!(decided.await.unwrap(), "what was decided");
    let retained = database.open().await.counters().read(&keys).await.unwrap();
    assert!(retained.iter().map(|(key, _)| key).eq(&keys));
    for (index, (_, counter)) in retained.iter().enumerate() {
        assert_eq!((counter.failures, counter.lockouts), (u32::MAX, 3));
        assert_eq!((counter.since, counter.last_failure, counter.window), (NOW - ms(1), NOW, ms(60_000)));
        match wanted[index] {
            // further than any clock: cut to what can be retained
            LockState::Until(END_OF_TIME) => {
                assert!(counter.locked_until.is_in_force(Timestamp::MAX_FORMATTED));
            }
            LockState::Until(Timestamp::EPOCH) => {
                assert!(!counter.locked_until.is_in_force(Timestamp::from_millis(1)));
            }
            lock => assert_eq!(counter.locked_until, lock),
        }
    }
    assert_eq!(store.counters().read(&[]).await.unwrap(), []);
    assert_eq!(store.counters().update(&[], |counters| counters.len()).await.unwrap(), 0);
}

async fn default_counter_takes_no_row(database: Database) {
    let store = database.open().await;
    let keys = [unknown(1), unknown(2)];
    store.counters().update(&keys, |_| ()).await.unwrap();
    count(&store, &keys[..1]).await;
    store.counters().update(&keys, |_| ()).await.unwrap();
    // one counter in the table, under the name of its bucket
    assert_eq!(store.counters().reset_all_of(&acme(), &LoginSubject::UnknownName(2)).await.unwrap(), 0);
    assert_eq!(failures(&store, &keys[0]).await, 1);
    store.counters().reset(&keys).await.unwrap();
    assert_eq!(store.counters().reset_all_of(&acme(), &LoginSubject::UnknownName(1)).await.unwrap(), 0);
}

async fn guesses(stores: &[Store]) {
    let key = unknown(7);
    let tasks: Vec<_> = (0..200)
        .map(|index| {
            let (store, key) = (stores[index % stores.len()].clone(), key.clone());
            tokio::spawn(async move { count(&store, &[key]).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for store in stores {
        assert_eq!(failures(store, &key).await, 200);
    }
}

async fn attack_200_guesses_at_once_are_each_counted(database: Database) {
    guesses(&[database.open().await]).await;
}

async fn attack_200_guesses_on_two_replicas_are_each_counted(database: Database) {
    guesses(&[database.open().await, database.open().await]).await;
}

async fn overlapping_counter_updates_do_not_deadlock(database: Database) {
    let stores = [database.open().await, database.open().await];
    let tasks: Vec<_> = (0..60)
        .map(|index| {
            let store = stores[index % 2].clone();
            // the same counters in every order, one of them named twice
            let mut keys = vec![unknown(1), unknown(2), unknown(3), unknown(3)];
            fastrand::shuffle(&mut keys);
            keys.dedup();
            tokio::spawn(async move {
                store.counters().update(&keys[..2], add_one).await.unwrap();
                keys.iter().take(2).filter(|key| **key == unknown(1)).count()
            })
        })
        .collect();
    let mut counted = 0;
    for task in tasks {
        counted += task.await.unwrap();
    }
    assert_eq!(usize::try_from(failures(&stores[0], &unknown(1)).await).unwrap(), counted);
}

async fn aborted_update_blocks_no_other(database: Database) {
    let store = database.open().await;
    for round in 0..100 {
        let task = tokio::spawn({
            let store = store.clone();
            async move { count(&store, &[unknown(1)]).await }
        });
        // further into the transaction each time
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        task.abort();
        drop(task.await);
    }
    let before = failures(&store, &unknown(1)).await;
    count(&store, &[unknown(1)]).await;
    assert_eq!(failures(&database.open().await, &unknown(1)).await, before + 1);
}

async fn threads_with_a_runtime_each_share_a_store(database: Database) {
    let store = database.open().await;
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            thread::spawn(move || {
                block_on(async {
                    for _ in 0..25 {
                        count(&store, &[unknown(1)]).await;
                    }
                });
            })
        })
        .collect();
    for worker in workers {
        // the runtime the store was opened on goes on
        tokio::task::spawn_blocking(|| worker.join().unwrap()).await.unwrap();
    }
    // the runtimes that used the connections are gone
    for _ in 0..10 {
        count(&store, &[unknown(1)]).await;
    }
    assert_eq!(failures(&store, &unknown(1)).await, 110);
}

async fn an_unlock_resets_all_counters_of_a_name_and_no_other(database: Database) {
    let store = database.open().await;
    let (alex, bo) = (AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]));
    let of = |id: &AccountId| {
        let login_subject = LoginSubject::Account(id.clone());
        [
            CounterKey::of(acme(), login_subject.clone()),
            CounterKey::AccountAddress {
                tenant: acme(),
                subject: login_subject.clone(),
                net: net("192.0.2.7"),
            },
            CounterKey::Device {
                tenant: acme(),
                subject: login_subject.clone(),
                device: DeviceId::new([1; 16]),
            },
            CounterKey::Devices { tenant: acme(), subject: login_subject },
        ]
    };
    let others = [
        CounterKey::Address { tenant: acme(), net: net("192.0.2.7") },
        CounterKey::of(globex(), LoginSubject::Account(alex.clone())),
        of(&bo)[0].clone(),
        of(&bo)[1].clone(),
    ];
    count(&store, &of(&alex)).await;
    count(&store, &others).await;
    assert_eq!(
        store.counters().reset_all_of(&acme(), &LoginSubject::Account(alex.clone())).await.unwrap(),
        4
    );
    for (_, counter) in store.counters().read(&of(&alex)).await.unwrap() {
        assert_eq!(counter, Counter::default());
    }
    for (key, counter) in store.counters().read(&others).await.unwrap() {
        assert_eq!(counter.failures, 1, "{key:?}");
    }
}

async fn known_networks_are_limited_and_survive_an_unlock(database: Database) {
    let store = database.open().await;
    let key = |id: u8, host: u8| CounterKey::KnownNetwork {
        tenant: acme(),
        subject: LoginSubject::Account(AccountId::from_bytes([id; 16])),
        net: net(&format!("192.0.2.{host}")),
    };
    let alex = LoginSubject::Account(AccountId::from_bytes([1; 16]));
    for host in 1..=5 {
        let at = NOW + ms(u64::from(host));
        let known = Counter { failures: 1, since: at, last_failure: at, ..Counter::default() };
        for key in [key(1, host), key(2, host)] {
            let update = |rows: &mut [(CounterKey, Counter)]| rows[0].1 = known;
            store.counters().update(&[key], update).await.unwrap();
        }
    }
    assert_eq!(store.counters().limit_known_networks(&acme(), &alex, 3).await.unwrap(), 2);
    store.counters().reset_all_of(&acme(), &alex).await.unwrap();
    for (host, left) in [(1, [0, 1]), (2, [0, 1]), (3, [1, 1]), (5, [1, 1])] {
        assert_eq!([failures(&store, &key(1, host)).await, failures(&store, &key(2, host)).await], left);
    }
}

const STORE_TO_COUNT_IN: &str = "DOORWARD_TEST_STORE_TO_COUNT_IN";

async fn kill_9_loses_no_counter_update(database: Database) {
    let store = database.open().await;
    let url = match database.settings().location {
        StoreLocation::Sqlite(path) => format!("sqlite:{}", path.display()),
        StoreLocation::Postgres(url) => url.expose().to_owned(),
    };
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "store::counters::counting_child_process", "--nocapture"])
        .env(STORE_TO_COUNT_IN, url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut last = 0;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut counted = || lines.next().map(|line| line.unwrap().strip_prefix("counted ").map(str::to_owned));
    while last < 50 {
        let line = counted().expect("it counts until it is killed");
        last = line.map_or(last, |number| number.parse().unwrap());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // output that it wrote before the kill and we had not read
    while let Some(line) = counted() {
        last = line.and_then(|number| number.parse().ok()).unwrap_or(last);
    }
    let retained = failures(&store, &unknown(1)).await;
    assert!(retained == last || retained == last + 1, "said {last}, retained {retained}");
    count(&store, &[unknown(1)]).await;
    assert_eq!(
        failures(&database.open().await, &unknown(1)).await,
        retained + 1,
        "and nothing is left locked"
    );
}

/// The child process of the test above. Prints each count after it is stored.
#[test]
fn counting_child_process() {
    let Ok(url) = env::var(STORE_TO_COUNT_IN) else { return };
    let location = StoreLocation::parse(&url, Path::new("/")).unwrap();
    block_on(async {
        let store = Store::open(&Settings { location, max_connections: 2 }).await.unwrap();
        let mut out = std::io::stdout();
        for number in 1_u32.. {
            count(&store, &[unknown(1)]).await;
            writeln!(out, "counted {number}").unwrap();
        }
    });
}
