//! The lockout with real counters: parallel guesses, growing lock durations, persistence over a restart.

use std::{
    sync::{Arc, Barrier, Mutex},
    time::Duration,
};

use doorward::internals::{
    account::{LoginAttempt, LoginError, PortalLoginClient, ReserveError, hashing::Password},
    domain::lockout::{LockedUntil, LoginSubject},
};
use futures_util::future::join_all;

use crate::support::{
    actors::operator,
    database::{Kind, with_database},
    services::{
        ALICE_ADDRESS, MINUTE, RIGHT, START, TestDeployment, TestServices, attempt, locked_until, ms,
        run_with,
    },
};

async fn guess_in_parallel(services: &TestServices, times: usize) -> Vec<LoginError> {
    let (policy, wrong) = (services.policy().await, Password::new("wrong"));
    let guesses =
        (0..times).map(|_| services.accounts.login.attempt(&policy, attempt("alex", &wrong, None), START));
    join_all(guesses).await.into_iter().map(Result::unwrap_err).collect()
}

#[test]
fn attack_200_parallel_guesses_are_5_verifications() {
    TestDeployment::with_lockout().run(async |services| {
        services.add("alex").await;
        let before = services.verifications();
        let rejected = guess_in_parallel(&services, 200).await;
        assert_eq!(services.verifications() - before, 5);
        let locked = rejected.iter().filter(|rejected| matches!(rejected, LoginError::Locked(_))).count();
        assert_eq!(locked, 195);
    });
}

/// Runs the work at two replicas at once. Each has its own thread and runtime, and only the database in common.
fn at_two_replicas<T: Send + 'static>(
    url: &str,
    work: impl Fn(&TestDeployment, &Barrier) -> T + Send + Sync + 'static,
) -> [T; 2] {
    let url = url.to_owned();
    let both = std::thread::spawn(move || {
        let [one, other] =
            [(); 2].map(|()| TestDeployment::with_store(&url, "[account_lock]\nenabled = true\n"));
        one.run(async |services| drop(services.add("alex").await));
        let start = Barrier::new(2);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| work(&other, &start));
            [work(&one, &start), other.join().unwrap()]
        })
    });
    both.join().unwrap()
}

#[test]
fn attack_200_guesses_at_two_replicas_are_5_verifications() {
    with_database(Kind::Postgres, async |database| {
        let verified = at_two_replicas(&database.url, |replica, start| {
            let mut verified = 0;
            replica.run(async |services| {
                start.wait();
                guess_in_parallel(&services, 100).await;
                verified = services.verifications();
            });
            verified
        });
        assert_eq!(verified.iter().sum::<u64>(), 5);
    });
}

async fn sign_in_in_parallel(services: &TestServices, times: usize) -> Vec<LoginError> {
    let (policy, right) = (services.policy().await, Password::new(RIGHT));
    let sign_ins =
        (0..times).map(|_| services.accounts.login.attempt(&policy, attempt("alex", &right, None), START));
    join_all(sign_ins).await.into_iter().filter_map(Result::err).collect()
}

#[test]
fn right_passwords_at_once_are_not_refused_as_wrong() {
    TestDeployment::with_lockout().run(async |services| {
        let alex = services.add("alex").await;
        services.fail_sign_ins("alex", 4, START).await;
        let refused = sign_in_in_parallel(&services, 30).await;
        assert!(refused.is_empty(), "{refused:?}");
        assert_eq!(services.accounts.administration.lockout_counter(&alex).await.unwrap().failures, 0);
    });
}

#[test]
fn right_passwords_at_two_replicas_are_not_refused_as_wrong() {
    with_database(Kind::Postgres, async |database| {
        at_two_replicas(&database.url, |replica, start| {
            replica.run(async |services| {
                start.wait();
                let refused = sign_in_in_parallel(&services, 15).await;
                assert!(refused.is_empty(), "{refused:?}");
            });
        });
    });
}

#[test]
fn attempt_waits_for_pending_reservations_with_a_limit() {
    TestDeployment::with_lockout().run(async |services| {
        let (alex, policy) = (services.add("alex").await, services.policy().await);
        let reserve = async |patience: Duration| {
            let guess = LoginAttempt {
                tenant: policy.tenant.clone(),
                subject: LoginSubject::Account(alex.id.clone()),
                confusable: None,
                spelling: None,
                log_subject: None,
                bypass: false,
                address: Some(ALICE_ADDRESS.into()),
                device: None,
            };
            services.accounts.lockout.reserve(&policy.rules.account_lock, guess, patience, START).await
        };
        let mut underway = Vec::new();
        for _ in 0..5 {
            underway.push(reserve(Duration::ZERO).await.unwrap());
        }
        let sixth = reserve(Duration::from_millis(20)).await.err();
        assert!(matches!(sixth, Some(ReserveError::Busy { .. })), "its lock is not decided yet");
        let minute = Duration::from_mins(1);
        let (success, sixth) = tokio::join!(underway.remove(0).record_success(), reserve(minute));
        success.unwrap();
        underway.push(sixth.unwrap());
        for _ in 0..4 {
            underway.push(reserve(minute).await.unwrap());
        }
        let fail = async { underway.clear() };
        let (seventh, ()) = tokio::join!(reserve(minute), fail);
        assert!(matches!(seventh, Err(ReserveError::Refused(_))), "all have failed: it is locked");
    });
}

#[test]
fn lock_duration_doubles_until_a_successful_sign_in() {
    TestDeployment::with_lockout().run(async |services| {
        services.add("alex").await;
        let mut now = START;
        for minutes in [5, 10, 20, 40] {
            services.fail_sign_ins("alex", 5, now).await;
            let end = now + minutes * MINUTE;
            let locked = services.sign_in("alex", RIGHT, end - ms(1)).await.unwrap_err();
            assert_eq!(locked_until(locked), LockedUntil::Time(end), "{minutes}");
            now = end;
        }
        assert!(services.sign_in("alex", RIGHT, now).await.is_ok());
        services.fail_sign_ins("alex", 5, now).await;
        let again = services.sign_in("alex", RIGHT, now).await.unwrap_err();
        assert_eq!(locked_until(again), LockedUntil::Time(now + 5 * MINUTE));
    });
}

#[test]
fn admin_unlock_resets_the_lock_duration() {
    TestDeployment::with_lockout().run(async |services| {
        let alex = services.add("alex").await;
        for now in [START, START + 5 * MINUTE] {
            services.fail_sign_ins("alex", 5, now).await;
        }
        let now = START + 6 * MINUTE;
        assert!(services.sign_in("alex", RIGHT, now).await.is_err());
        services.accounts.administration.unlock(&alex, &operator(), now).await.unwrap();
        assert_eq!(
            services.accounts.administration.lockout_counter(&alex).await.unwrap(),
            doorward::internals::domain::lockout::Counter::default()
        );
        services.fail_sign_ins("alex", 5, now).await;
        let first = services.sign_in("alex", RIGHT, now).await.unwrap_err();
        assert_eq!(locked_until(first), LockedUntil::Time(now + 5 * MINUTE));
    });
}

#[test]
fn lock_time_of_zero_lasts_until_an_admin_unlocks() {
    TestDeployment::new("[account_lock]\nenabled = true\ntime = \"0s\"\n").run(async |services| {
        let alex = services.add("alex").await;
        services.fail_sign_ins("alex", 5, START).await;
        let years = START + 10 * 365 * 24 * 60 * MINUTE;
        assert_eq!(
            locked_until(services.sign_in("alex", RIGHT, years).await.unwrap_err()),
            LockedUntil::Admin
        );
        services.accounts.administration.unlock(&alex, &operator(), years).await.unwrap();
        assert!(services.sign_in("alex", RIGHT, years).await.is_ok());
    });
}

#[test]
fn a_restart_loses_no_count_no_lock_and_no_account() {
    let deployment = TestDeployment::with_lockout();
    deployment.run(async |services| {
        services.add("alex").await;
        services.fail_sign_ins("alex", 4, START).await;
    });
    deployment.run(async |services| services.fail_sign_ins("alex", 1, START).await);
    deployment.run(async |services| {
        let locked = services.sign_in("alex", RIGHT, START).await.unwrap_err();
        assert_eq!(locked_until(locked), LockedUntil::Time(START + 5 * MINUTE));
        assert!(services.sign_in("alex", RIGHT, START + 5 * MINUTE).await.is_ok());
    });
}

#[test]
fn lockout_is_off_by_default_as_in_wso2() {
    TestDeployment::new("").run(async |services| {
        services.add("alex").await;
        services.fail_sign_ins("alex", 20, START).await;
        assert!(services.sign_in("alex", RIGHT, START).await.is_ok());
    });
}

#[test]
fn locks_only_the_address_that_tries_many_names() {
    let deployment = TestDeployment::new("[account_lock.address]\nmax_attempts = 10\n");
    deployment.run(async |services| {
        services.add("alex").await;
        for number in 0..10 {
            services.fail_sign_ins(&format!("name{number}"), 1, START).await;
        }
        assert!(matches!(services.sign_in("alex", RIGHT, START).await, Err(LoginError::Locked(_))));
        let (policy, right) = (services.policy().await, Password::new(RIGHT));
        let elsewhere = doorward::internals::account::LoginRequest {
            address: [198, 51, 100, 1].into(),
            ..attempt("alex", &right, None)
        };
        assert!(services.accounts.login.attempt(&policy, elsewhere, START).await.is_ok());
    });
}

#[test]
fn overload_rejects_sign_ins_without_counting_attempts() {
    let deployment =
        TestDeployment::new("hash_parallel = 1\n[account_lock]\nenabled = true\nmax_attempts = 1000\n");
    let mut settings = deployment.settings();
    settings.accounts.hashing.queue = 1;
    run_with(settings, async |services| {
        let alex = services.add("alex").await;
        let rejected = guess_in_parallel(&services, 50).await;
        let busy = rejected.iter().filter(|rejected| matches!(rejected, LoginError::Busy { .. })).count();
        assert!(busy > 0, "{rejected:?}");
        let verified = u64::try_from(50 - busy).unwrap();
        let counted =
            u64::from(services.accounts.administration.lockout_counter(&alex).await.unwrap().failures);
        assert_eq!((counted, services.verifications()), (verified, verified));
    });
}

/// The log lines about one account.
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
fn writes_wso2s_lock_message_for_log_scrapers() {
    let log = Log::default();
    let lines = log.clone();
    // the subscriber of the whole test run: one for this thread would miss call sites that other threads reached first
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || lines.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    TestDeployment::with_lockout().run(async |services| {
        services.add(WATCHED).await;
        services.fail_sign_ins(WATCHED, 5, START).await;
        // unknown names may be passwords that were typed into the wrong field
        services.fail_sign_ins("scraped-by-no-such-user", 6, START).await;
    });
    let log = log.0.lock().unwrap().join("");
    let line = "\"level\":\"ERROR\",\"fields\":{\"message\":\"Account is locked for user scraped in user store \
                PRIMARY in tenant carbon.super. Cannot login until the account is unlocked.\"}";
    assert!(log.contains(line) && !log.contains("no-such-user"), "{log}");
}

/// Attack: the portal has self-registration and its own user `alex`, who signs in again and again, and
/// each time resets all failures of Doorward's own `alex`.
#[test]
fn attack_portal_namesake_resets_the_counter_of_an_account() {
    TestDeployment::with_lockout().run(async |services| {
        services.add("alex").await;
        let tenant = services.policy().await.tenant.clone();
        for _ in 0..5 {
            services.fail_sign_ins("alex", 4, START).await;
            let client = PortalLoginClient { address: ALICE_ADDRESS.into(), tenant: &tenant };
            if let Ok(namesake) = services.accounts.portal_login.reserve(&tenant, "alex", client, START).await
            {
                namesake.record_success().await.unwrap();
            }
        }
        assert!(
            services.verifications() <= 5,
            "{} passwords of ours were verified",
            services.verifications()
        );
    });
}
