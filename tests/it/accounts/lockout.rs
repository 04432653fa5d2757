//! The lockout on real counters: parallel guesses, the ladder, what survives a restart.

use std::{
    sync::{Arc, Barrier, Mutex},
    time::Duration,
};

use doorward::{
    account::{ChangePassword, Guess, NotReserved, PortalClient, Rejected, hashing::Password},
    domain::lockout::{Lock, Who},
};
use futures_util::future::join_all;

use super::{ALICES, Desk, House, MINUTE, RIGHT, START, actor, attempt};
use crate::support::database::{Kind, with};

async fn guess_in_parallel(desk: &Desk, times: usize) -> Vec<Rejected> {
    let (policy, wrong) = (desk.policy().await, Password::new("wrong"));
    let guesses = (0..times).map(|_| desk.doors.sign_in(&policy, attempt("alex", &wrong, None), START));
    join_all(guesses).await.into_iter().map(Result::unwrap_err).collect()
}

#[test]
fn attack_200_parallel_guesses_are_5_verifications() {
    House::locking().open(async |desk| {
        desk.add("alex").await;
        let before = desk.verifications();
        let rejected = guess_in_parallel(&desk, 200).await;
        assert_eq!(desk.verifications() - before, 5);
        let locked = rejected.iter().filter(|rejected| matches!(rejected, Rejected::Locked(_))).count();
        assert_eq!(locked, 195);
    });
}

#[test]
fn attack_200_parallel_guesses_at_two_replicas_are_5_verifications() {
    with(Kind::Postgres, async |database| {
        let url = database.url.clone();
        // each replica has its own thread and runtime, and nothing but the database in common
        std::thread::spawn(move || {
            let houses = [(); 2].map(|()| House::at(&url, "[account_lock]\nenabled = true\n"));
            houses[0].open(async |desk| drop(desk.add("alex").await));
            let start = Barrier::new(2);
            let replica = |house: &House| {
                let mut verified = 0;
                house.open(async |desk| {
                    start.wait();
                    guess_in_parallel(&desk, 100).await;
                    verified = desk.verifications();
                });
                verified
            };
            let [one, other] = &houses;
            let sum = std::thread::scope(|scope| {
                let other = scope.spawn(|| replica(other));
                replica(one) + other.join().unwrap()
            });
            assert_eq!(sum, 5);
        })
        .join()
        .unwrap();
    });
}

async fn sign_in_in_parallel(desk: &Desk, times: usize) -> Vec<Rejected> {
    let (policy, right) = (desk.policy().await, Password::new(RIGHT));
    let sign_ins = (0..times).map(|_| desk.doors.sign_in(&policy, attempt("alex", &right, None), START));
    join_all(sign_ins).await.into_iter().filter_map(Result::err).collect()
}

#[test]
fn right_passwords_at_once_are_not_refused_as_wrong() {
    House::locking().open(async |desk| {
        let alex = desk.add("alex").await;
        desk.wrong("alex", 4, START).await;
        assert_eq!(sign_in_in_parallel(&desk, 30).await, []);
        assert_eq!(desk.doors.counter(&alex).await.unwrap().failures, 0);
    });
}

#[test]
fn right_passwords_at_two_replicas_at_once_are_not_refused_as_wrong() {
    with(Kind::Postgres, async |database| {
        let url = database.url.clone();
        std::thread::spawn(move || {
            let houses = [(); 2].map(|()| House::at(&url, "[account_lock]\nenabled = true\n"));
            houses[0].open(async |desk| drop(desk.add("alex").await));
            let start = Barrier::new(2);
            let replica = |house: &House| {
                house.open(async |desk| {
                    start.wait();
                    assert_eq!(sign_in_in_parallel(&desk, 15).await, []);
                });
            };
            let [one, other] = &houses;
            std::thread::scope(|scope| {
                scope.spawn(|| replica(other));
                replica(one);
            });
        })
        .join()
        .unwrap();
    });
}

#[test]
fn an_attempt_waits_for_attempts_under_way_but_not_for_ever() {
    House::locking().open(async |desk| {
        let (alex, policy) = (desk.add("alex").await, desk.policy().await);
        let reserve = async |patience: Duration| {
            let guess = Guess {
                tenant: policy.tenant.clone(),
                who: Who::Account(alex.id.clone()),
                alike: None,
                spelling: None,
                shown: None,
                bypass: false,
                address: Some(ALICES.into()),
                device: None,
            };
            desk.doors.lockout().reserve(&policy.rules.account_lock, guess, patience, START).await
        };
        let mut underway = Vec::new();
        for _ in 0..5 {
            underway.push(reserve(Duration::ZERO).await.unwrap());
        }
        let sixth = reserve(Duration::from_millis(20)).await.err();
        assert!(matches!(sixth, Some(NotReserved::Busy { .. })), "nobody knows yet whether it is locked");
        let minute = Duration::from_mins(1);
        let (success, sixth) = tokio::join!(underway.remove(0).succeeded(), reserve(minute));
        success.unwrap();
        underway.push(sixth.unwrap());
        for _ in 0..4 {
            underway.push(reserve(minute).await.unwrap());
        }
        let fail = async { underway.clear() };
        let (seventh, ()) = tokio::join!(reserve(minute), fail);
        assert!(matches!(seventh, Err(NotReserved::Refused(_))), "all have failed: it is locked");
    });
}

#[test]
fn the_ladder_is_5_10_20_minutes_and_a_sign_in_ends_it() {
    House::locking().open(async |desk| {
        desk.add("alex").await;
        let mut now = START;
        for minutes in [5, 10, 20, 40] {
            desk.wrong("alex", 5, now).await;
            let end = now + minutes * MINUTE;
            let locked = desk.try_at("alex", RIGHT, end - 1).await.unwrap_err();
            assert_eq!(locked, Rejected::Locked(Lock::Until(end)), "{minutes}");
            now = end;
        }
        assert!(desk.try_at("alex", RIGHT, now).await.is_ok());
        desk.wrong("alex", 5, now).await;
        let again = desk.try_at("alex", RIGHT, now).await.unwrap_err();
        assert_eq!(again, Rejected::Locked(Lock::Until(now + 5 * MINUTE)));
    });
}

#[test]
fn an_administrators_unlock_ends_the_ladder_too() {
    House::locking().open(async |desk| {
        let alex = desk.add("alex").await;
        for now in [START, START + 5 * MINUTE] {
            desk.wrong("alex", 5, now).await;
        }
        let now = START + 6 * MINUTE;
        assert!(desk.try_at("alex", RIGHT, now).await.is_err());
        desk.doors.unlock(&alex, &actor(), now).await.unwrap();
        assert_eq!(desk.doors.counter(&alex).await.unwrap(), doorward::domain::lockout::Counter::default());
        desk.wrong("alex", 5, now).await;
        let first = desk.try_at("alex", RIGHT, now).await.unwrap_err();
        assert_eq!(first, Rejected::Locked(Lock::Until(now + 5 * MINUTE)));
    });
}

#[test]
fn a_lock_of_no_time_is_until_an_administrator_unlocks() {
    House::new("[account_lock]\nenabled = true\ntime = \"0s\"\n").open(async |desk| {
        let alex = desk.add("alex").await;
        desk.wrong("alex", 5, START).await;
        let years = START + 10 * 365 * 24 * 60 * MINUTE;
        assert_eq!(desk.try_at("alex", RIGHT, years).await.unwrap_err(), Rejected::Locked(Lock::UntilAdmin));
        desk.doors.unlock(&alex, &actor(), years).await.unwrap();
        assert!(desk.try_at("alex", RIGHT, years).await.is_ok());
    });
}

#[test]
fn a_restart_loses_no_count_no_lock_and_no_account() {
    let house = House::locking();
    house.open(async |desk| {
        desk.add("alex").await;
        desk.wrong("alex", 4, START).await;
    });
    house.open(async |desk| desk.wrong("alex", 1, START).await);
    house.open(async |desk| {
        let locked = desk.try_at("alex", RIGHT, START).await.unwrap_err();
        assert_eq!(locked, Rejected::Locked(Lock::Until(START + 5 * MINUTE)));
        assert!(desk.try_at("alex", RIGHT, START + 5 * MINUTE).await.is_ok());
    });
}

#[test]
fn by_default_nothing_is_counted_as_in_wso2() {
    House::new("").open(async |desk| {
        desk.add("alex").await;
        desk.wrong("alex", 20, START).await;
        assert!(desk.try_at("alex", RIGHT, START).await.is_ok());
    });
}

#[test]
fn attack_a_stranger_who_guesses_does_not_lock_the_owner_out_of_a_known_browser() {
    let house = House::new("[account_lock]\nenabled = true\n[account_lock.device]\nmax_attempts = 3\n");
    house.open(async |desk| {
        for name in ["alex", "mallory"] {
            desk.add(name).await;
        }
        let device = desk.try_at("alex", RIGHT, START).await.unwrap().device;
        desk.wrong("alex", 5, START).await;
        assert!(matches!(desk.try_at("alex", RIGHT, START).await, Err(Rejected::Locked(_))));
        assert!(desk.try_with("alex", RIGHT, Some(&device), START).await.is_ok());
        // a browser that is known for another account, made up, or too old is a stranger's
        let mallorys = desk.try_at("mallory", RIGHT, START).await.unwrap().device;
        let forged = device.replacen(|c: char| c.is_ascii_lowercase(), "A", 1);
        for stranger in [&mallorys, &forged, "", "a.b.c", "..", &format!("{device}.")] {
            assert!(desk.try_with("alex", RIGHT, Some(stranger), START).await.is_err(), "{stranger}");
        }
        // and a known browser that guesses has itself to blame
        for _ in 0..3 {
            assert!(desk.try_with("alex", "wrong", Some(&device), START).await.is_err());
        }
        assert!(desk.try_with("alex", RIGHT, Some(&device), START).await.is_err());
    });
}

const DEVICES: &str = "[account_lock]\nenabled = true\n[account_lock.device]\nmax_attempts = 5\n";

/// Attack: whoever signs in ten times, or comes by the cookies of ten sign-ins, has ten times the guesses.
#[test]
fn attack_ten_device_cookies_are_not_ten_times_the_guesses() {
    House::new(DEVICES).open(async |desk| {
        desk.add("alex").await;
        let mut cookies = Vec::new();
        for _ in 0..10 {
            cookies.push(desk.try_at("alex", RIGHT, START).await.unwrap().device);
        }
        let before = desk.verifications();
        for cookie in cookies.iter().cycle().take(60) {
            assert!(desk.try_with("alex", "wrong", Some(cookie), START).await.is_err());
        }
        assert_eq!(desk.verifications() - before, 15);
    });
}

#[test]
fn a_known_browser_keeps_its_number_and_gets_a_new_date() {
    House::new(DEVICES).open(async |desk| {
        desk.add("alex").await;
        let first = desk.try_at("alex", RIGHT, START).await.unwrap().device;
        let later = START + 24 * 60 * MINUTE;
        let second = desk.try_with("alex", RIGHT, Some(&first), later).await.unwrap().device;
        let number = |cookie: &str| cookie.split('.').next().unwrap().to_owned();
        assert_eq!(number(&first), number(&second));
        assert_ne!(first, second);
        // another browser is another one
        assert_ne!(number(&first), number(&desk.try_at("alex", RIGHT, later).await.unwrap().device));
    });
}

/// Attack: a thief's cookie outlives the password that the theft made its owner change.
#[test]
fn attack_a_device_cookie_of_before_the_password_was_changed() {
    House::new(DEVICES).open(async |desk| {
        let alex = desk.add("alex").await;
        let stolen = desk.try_at("alex", RIGHT, START).await.unwrap().device;
        let (policy, new) = (desk.policy().await, Password::new("another password"));
        desk.doors.set_password(&policy, &alex, &new, false, START + 1).await.unwrap();
        desk.wrong("alex", 5, START + 1).await;
        let before = desk.verifications();
        assert!(desk.try_with("alex", "wrong", Some(&stolen), START + 1).await.is_err());
        assert_eq!(desk.verifications(), before, "it is a stranger's, and strangers are locked out");
    });
}

#[test]
fn the_browser_in_which_the_password_was_changed_stays_known() {
    House::new(DEVICES).open(async |desk| {
        desk.add("alex").await;
        let (right, new) = (Password::new(RIGHT), Password::new("another password"));
        let change = ChangePassword {
            login: "alex",
            current: &right,
            new: &new,
            address: ALICES.into(),
            device: None,
            keep: None,
        };
        let changed = desk.doors.change_password(&desk.policy().await, change, START + 1).await.unwrap();
        desk.wrong("alex", 5, START + 1).await;
        assert!(desk.try_with("alex", "another password", Some(&changed.device), START + 1).await.is_ok());
    });
}

#[test]
fn a_known_browser_is_known_for_half_a_year() {
    let house = House::new("[account_lock]\nenabled = true\ntime = \"0s\"\n[account_lock.device]\n");
    house.open(async |desk| {
        desk.add("alex").await;
        let device = desk.try_at("alex", RIGHT, START).await.unwrap().device;
        desk.wrong("alex", 5, START).await;
        let half_a_year = START + 180 * 24 * 60 * MINUTE;
        assert!(desk.try_with("alex", RIGHT, Some(&device), half_a_year + 1000).await.is_err());
        assert!(desk.try_with("alex", RIGHT, Some(&device), half_a_year).await.is_ok());
    });
}

#[test]
fn an_address_that_tries_many_names_is_locked_out_and_nobody_else() {
    let house = House::new("[account_lock.address]\nmax_attempts = 10\n");
    house.open(async |desk| {
        desk.add("alex").await;
        for number in 0..10 {
            desk.wrong(&format!("name{number}"), 1, START).await;
        }
        assert!(matches!(desk.try_at("alex", RIGHT, START).await, Err(Rejected::Locked(_))));
        let (policy, right) = (desk.policy().await, Password::new(RIGHT));
        let elsewhere =
            doorward::account::Attempt { address: [198, 51, 100, 1].into(), ..attempt("alex", &right, None) };
        assert!(desk.doors.sign_in(&policy, elsewhere, START).await.is_ok());
    });
}

#[test]
fn a_flood_of_sign_ins_is_told_to_come_back_and_costs_nobody_an_attempt() {
    let house = House::new("hash_parallel = 1\n[account_lock]\nenabled = true\nmax_attempts = 1000\n");
    let mut settings = house.settings();
    settings.accounts.hashing.queue = 1;
    let flooded = doorward::boot::at_desk(settings, async |doors, tenants, default| {
        let desk = Desk { doors, tenants, default };
        let alex = desk.add("alex").await;
        let rejected = guess_in_parallel(&desk, 50).await;
        let busy = rejected.iter().filter(|rejected| matches!(rejected, Rejected::Busy { .. })).count();
        assert!(busy > 0, "{rejected:?}");
        let verified = u64::try_from(50 - busy)?;
        let counted = u64::from(desk.doors.counter(&alex).await?.failures);
        assert_eq!((counted, desk.verifications()), (verified, verified));
        Ok(())
    });
    flooded.unwrap();
}

/// What was logged about one account.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

const WATCHED: &str = "scraped";

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        if line.contains(WATCHED) {
            self.0.lock().unwrap().push(line.into_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_line_that_log_scrapers_know_is_written_to_the_byte() {
    let log = Log::default();
    let lines = log.clone();
    // the whole test run's: one that only this thread had would miss what others came by first
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || lines.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    House::locking().open(async |desk| {
        desk.add(WATCHED).await;
        desk.wrong(WATCHED, 5, START).await;
        // names nobody has may be passwords that were typed into the wrong field
        desk.wrong("scraped-by-nobody", 6, START).await;
    });
    let log = log.0.lock().unwrap().join("");
    let line = "\"level\":\"ERROR\",\"fields\":{\"message\":\"Account is locked for user scraped in user store \
                PRIMARY in tenant carbon.super. Cannot login until the account is unlocked.\"}";
    assert!(log.contains(line) && !log.contains("nobody"), "{log}");
}

/// Attack: the portal lets people register, and has its own `alex`: whoever took that name there signs in again and again, and
/// each time all wrong guesses at Doorward's own `alex` are forgiven.
#[test]
fn attack_a_namesake_at_the_portal_forgives_guesses_at_an_account_of_ours() {
    House::locking().open(async |desk| {
        desk.add("alex").await;
        let tenant = desk.policy().await.tenant.clone();
        for _ in 0..5 {
            desk.wrong("alex", 4, START).await;
            let client = PortalClient { address: ALICES.into(), tenant: &tenant };
            if let Ok(namesake) = desk.doors.reserve_at_portal(&tenant, "alex", client, START).await {
                namesake.succeeded().await.unwrap();
            }
        }
        assert!(desk.verifications() <= 5, "{} passwords of ours were verified", desk.verifications());
    });
}
