//! Every login channel with every state of an account: the error discloses nothing about the account.

use std::time::{Duration, Instant};

use doorward::internals::{
    account::{
        ImportedUser, LoginChannel, LoginError, LoginOutcome, LoginRequest, PasswordChangeError,
        PasswordChangeRequest, PublicLoginError, hashing::Password,
    },
    domain::lockout::{Counter, CounterKey, LockState, LockedUntil, LockoutSettings, LoginSubject},
    domain::time::Timestamp,
};
use futures_util::future::{join, join_all};

use crate::support::{
    actors::operator,
    services::{
        ALICE_ADDRESS, MINUTE, RIGHT, START, TestDeployment, TestServices, attempt, locked_until, ms,
        run_with,
    },
};

const CHANNELS: [LoginChannel; 3] = [LoginChannel::Form, LoginChannel::Api, LoginChannel::ChangePassword];

/// One attempt on a login channel.
async fn attempt_on(
    services: &TestServices,
    channel: LoginChannel,
    login: &str,
    password: &str,
) -> Result<(), LoginError> {
    let (policy, password) = (services.policy().await, Password::new(password));
    if channel == LoginChannel::ChangePassword {
        let new = Password::new("another password");
        let change = PasswordChangeRequest {
            login,
            current: &password,
            new: &new,
            address: ALICE_ADDRESS.into(),
            device: None,
            retained_session: None,
        };
        return match services.accounts.passwords.change(&policy, change, START).await {
            Ok(_) => Ok(()),
            Err(PasswordChangeError::CurrentPassword(rejected)) => Err(rejected),
            Err(other) => panic!("{other}"),
        };
    }
    let attempt = LoginRequest { channel, ..attempt(login, &password, None) };
    services.accounts.login.attempt(&policy, attempt, START).await.map(drop)
}

#[test]
fn each_login_channel_against_each_account_state() {
    TestDeployment::with_lockout().run(async |services| {
        for (number, channel) in CHANNELS.into_iter().enumerate() {
            let name = |state: &str| format!("{state}{number}");
            for state in ["open", "wrong", "locked", "elsewhere", "admin", "disabled", "unusable"] {
                let account = services.add(&name(state)).await;
                match state {
                    "admin" => {
                        services.accounts.administration.lock(&account, &operator(), START).await.unwrap();
                    }
                    "disabled" => {
                        services.accounts.administration.disable(&account, &operator(), START).await.unwrap();
                    }
                    // the API counts by itself: see `attack_anonymous_client_locks_an_administrator_out`
                    "locked" if channel == LoginChannel::Api => {
                        for _ in 0..5 {
                            attempt_on(&services, channel, &name(state), "wrong").await.unwrap_err();
                        }
                    }
                    "locked" | "elsewhere" => services.fail_sign_ins(&name(state), 5, START).await,
                    _ => {}
                }
            }
            let minutes = if channel == LoginChannel::Api { 15 } else { 5 };
            let locked = || Err(LoginError::Locked(LockedUntil::Time(START + minutes * MINUTE)));
            // locked at the sign-in page
            let elsewhere = if channel == LoginChannel::Api { Ok(()) } else { locked() };
            for (state, password, outcome) in [
                ("unknown", RIGHT, Err(LoginError::BadCredentials)),
                ("wrong", "wrong", Err(LoginError::BadCredentials)),
                ("locked", "wrong", locked()),
                ("locked", RIGHT, locked()),
                ("elsewhere", RIGHT, elsewhere),
                ("admin", "wrong", Err(LoginError::LockedByAdmin)),
                ("admin", RIGHT, Err(LoginError::LockedByAdmin)),
                ("disabled", "wrong", Err(LoginError::Disabled)),
                ("disabled", RIGHT, Err(LoginError::Disabled)),
                ("bad\u{200b}name", RIGHT, Err(LoginError::BadCredentials)),
                ("", RIGHT, Err(LoginError::BadCredentials)),
                ("open", RIGHT, Ok(())),
            ] {
                let got = attempt_on(&services, channel, &name(state), password).await;
                assert_eq!(format!("{got:?}"), format!("{outcome:?}"), "{channel:?} {state} {password}");
                if let Err(rejected) = got {
                    assert_eq!(
                        public_error(&rejected),
                        PublicLoginError::InvalidCredentials,
                        "{channel:?} {state}"
                    );
                }
            }
        }
    });
}

#[test]
fn attack_account_enumeration_by_lock_of_unknown_names() {
    TestDeployment::with_lockout().run(async |services| {
        services.add("alex").await;
        for name in ["alex", "no-such-user"] {
            services.fail_sign_ins(name, 5, START).await;
            let sixth = services.sign_in(name, "wrong", START).await.unwrap_err();
            assert_eq!(locked_until(sixth), LockedUntil::Time(START + 5 * MINUTE), "{name}");
        }
        // an attempt on a locked name costs a hash too, though its password is not verified
        let spent = services.accounts.metrics.dummy_password_verifications.get();
        for name in ["alex", "no-such-user"] {
            services.fail_sign_ins(name, 1, START).await;
        }
        assert_eq!(services.accounts.metrics.dummy_password_verifications.get(), spent + 2);
    });
}

#[test]
fn expired_password_must_be_changed_by_its_owner() {
    let deployment = TestDeployment::new("[password_policy]\nexpiry_days = 30\n");
    deployment.run(async |services| {
        services.add("alex").await;
        let late = START + 30 * 24 * 60 * MINUTE;
        assert!(services.sign_in("alex", RIGHT, late - ms(1)).await.is_ok());
        // the error does not disclose it
        assert_eq!(
            public_error(&services.sign_in("alex", "wrong", late).await.unwrap_err()),
            PublicLoginError::InvalidCredentials
        );
        let outcome = services.login("alex", RIGHT, None, late).await;
        assert!(matches!(outcome, Ok(LoginOutcome::MustChangePassword(_))), "{outcome:?}");
        change(&services, "alex", RIGHT, "another password", late).await.unwrap();
        assert!(services.sign_in("alex", "another password", late).await.is_ok());
    });
}

#[test]
fn forced_password_change_blocks_sign_in() {
    TestDeployment::new("").run(async |services| {
        let new = doorward::internals::account::NewUser {
            username: "alex".to_owned(),
            must_change_password: true,
            ..doorward::internals::account::NewUser::default()
        };
        let policy = services.policy().await;
        services
            .accounts
            .administration
            .create(&policy, new, Some(&Password::new(RIGHT)), START)
            .await
            .unwrap();
        let outcome = services.login("alex", RIGHT, None, START).await;
        assert!(matches!(outcome, Ok(LoginOutcome::MustChangePassword(_))), "{outcome:?}");
        change(&services, "alex", RIGHT, "another password", START).await.unwrap();
        assert!(services.sign_in("alex", "another password", START).await.is_ok());
    });
}

async fn change(
    services: &TestServices,
    login: &str,
    current: &str,
    new: &str,
    now: Timestamp,
) -> Result<(), PasswordChangeError> {
    let (current, new) = (Password::new(current), Password::new(new));
    let change = PasswordChangeRequest {
        login,
        current: &current,
        new: &new,
        address: ALICE_ADDRESS.into(),
        device: None,
        retained_session: None,
    };
    services.accounts.passwords.change(&services.policy().await, change, now).await.map(drop)
}

#[test]
fn accepts_user_name_email_and_qualified_name() {
    let deployment = TestDeployment::new("").tenant("acme.com", "{}").tenant("globex.com", "{}");
    deployment.run(async |services| {
        let acme = services.policy_of("acme.com").await;
        let (here, there) = (services.add("alex").await, services.add_to(&acme, "alex").await);
        let user = ImportedUser {
            email: Some("Kim@Example.org".to_owned()),
            ..ImportedUser::from_json(&format!(r#"{{"username": "kim", "password": {RIGHT:?}}}"#)).unwrap()
        };
        let kim = services.import(&here.tenant, user, START).await.unwrap();
        for (login, account) in [
            ("alex", Some(&here.id)),
            (" ALEX ", Some(&here.id)),
            ("PRIMARY/alex", Some(&here.id)),
            ("alex@carbon.super", Some(&here.id)),
            ("alex@acme.com", Some(&there.id)),
            ("alex@globex.com", None),
            ("alex@nowhere.com", None),
            ("kim@example.org", Some(&kim)),
            ("KIM", Some(&kim)),
            ("kim@acme.com", None),
        ] {
            let id = services.sign_in(login, RIGHT, START).await.ok().map(|signed_in| signed_in.account.id);
            assert_eq!(id.as_ref(), account, "{login}");
        }
    });
}

#[test]
fn login_applies_the_policy_of_the_accounts_tenant() {
    let deployment =
        TestDeployment::with_lockout().tenant("strict.com", r#"{"account_lock": {"max_attempts": 2}}"#);
    deployment.run(async |services| {
        let strict = services.policy_of("strict.com").await;
        services.add_to(&strict, "alex").await;
        services.fail_sign_ins("alex@strict.com", 2, START).await;
        let third = services.sign_in("alex@strict.com", RIGHT, START).await.unwrap_err();
        assert!(matches!(third, LoginError::Locked(_)), "{third:?}");
    });
}

/// Attack: account enumeration by time. The states differ by a row read or written; each costs one
/// hash; the medians of many alternating rounds are compared, with a tolerance for a busy machine.
#[test]
fn attack_account_enumeration_by_time_the_states_cost_the_same() {
    const ROUNDS: usize = 31;
    let deployment = TestDeployment::new("[account_lock]\nenabled = true\nmax_attempts = 1000\n");
    let mut settings = deployment.settings();
    settings.accounts.hashing.memory = 19_456;
    run_with(settings, async |services| {
        for state in ["wrong", "locked", "admin", "disabled"] {
            let account = services.add(state).await;
            match state {
                "admin" => {
                    services.accounts.administration.lock(&account, &operator(), START).await.unwrap();
                }
                "disabled" => {
                    services.accounts.administration.disable(&account, &operator(), START).await.unwrap();
                }
                "locked" => {
                    let key =
                        CounterKey::of(account.tenant.clone(), LoginSubject::Account(account.id.clone()));
                    let lock = |counters: &mut [(CounterKey, Counter)]| {
                        counters[0].1 = Counter { locked_until: LockState::UntilAdmin, ..Counter::default() };
                    };
                    services.accounts.store.counters().update(&[key], lock).await.unwrap();
                }
                _ => {}
            }
        }
        let states = ["unknown", "wrong", "locked", "admin", "disabled"];
        assert_equal_times(&services, states, ROUNDS).await;
    });
}

/// The medians of the times of refusals, measured in alternating rounds, with a tolerance for a busy machine.
/// Returns the shortest median.
async fn assert_equal_times<const N: usize>(
    services: &TestServices,
    states: [&str; N],
    rounds: usize,
) -> Duration {
    let mut times = states.map(|_| Vec::new());
    // the first guess is among them: the response-time floor needs no earlier attempt
    for _ in 0..rounds {
        for (state, times) in states.iter().zip(&mut times) {
            let start = Instant::now();
            assert!(services.sign_in(state, "wrong", START).await.is_err());
            times.push(start.elapsed());
        }
    }
    let first = times.each_ref().map(|times| times[0]);
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[rounds / 2]
    });
    let (least, most) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
    assert!(*most < *least * 3 / 2, "{states:?} take {medians:?}, the first time {first:?}");
    *least
}

/// Attack: find imported names, which are therefore accounts. Their hashes are of other kinds until
/// their owners sign in, and take longer to verify than ours: every refused attempt waits as long.
#[test]
fn attack_account_enumeration_by_time_of_imported_hashes() {
    const ROUNDS: usize = 9;
    let deployment = TestDeployment::new("[account_lock]\nenabled = true\nmax_attempts = 1000\n");
    deployment.run(async |services| {
        let tenant = services.policy().await.tenant.clone();
        for (name, hash) in [
            ("bcrypt", bcrypt::hash(RIGHT, 10).unwrap()),
            (
                "wso2",
                "{wso2-sha256}MDEyMzQ1Njc4OWFiY2RlZg==$H4+/APwdA1JcISqgM2C36A0+x84QdRXCLCQ1454n23k="
                    .to_owned(),
            ),
        ] {
            let user = ImportedUser {
                password_hash: Some(hash),
                ..ImportedUser::from_json(&format!(r#"{{"username": {name:?}}}"#)).unwrap()
            };
            services.import(&tenant, user, START).await.unwrap();
        }
        services.add("native").await;
        let disabled = services.add("disabled").await;
        services.accounts.administration.disable(&disabled, &operator(), START).await.unwrap();
        let states = ["unknown", "native", "disabled", "wso2", "bcrypt"];
        let least = assert_equal_times(&services, states, ROUNDS).await;
        // a right password does not wait: our hashes are verified at once
        let mut quickest = Duration::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            assert!(services.sign_in("native", RIGHT, START).await.is_ok());
            quickest = quickest.min(start.elapsed());
        }
        assert!(quickest < least, "{quickest:?} of {least:?}");
    });
}

/// The public error by default.
fn public_error(rejected: &LoginError) -> PublicLoginError {
    rejected.public_error(&LockoutSettings::default(), START)
}

/// Attack: slots of the queue are reserved for device cookies, and every attempt sends a forged one.
#[test]
fn attack_forged_device_cookies_use_reserved_slots() {
    let deployment =
        TestDeployment::new("[account_lock]\nenabled = true\n[account_lock.device]\nmax_attempts = 5\n");
    let mut settings = deployment.settings();
    (settings.accounts.hashing.parallel, settings.accounts.hashing.queue) = (2, 38);
    run_with(settings, async |services| {
        services.add("alex").await;
        let device = services.sign_in("alex", RIGHT, START).await.unwrap().device;
        let forged = device.replacen(|c: char| c.is_ascii_lowercase(), "A", 1);
        let policy = services.policy().await;
        let (wrong, right) = (Password::new("wrong"), Password::new(RIGHT));
        let names: Vec<String> = (0..200).map(|number| format!("n{number}")).collect();
        let flood = join_all((1_u8..).zip(&names).map(|(number, name)| {
            let cookie = if number % 2 == 0 { "a.b.c" } else { forged.as_str() };
            let from = [number, 0, 0, 1];
            let attempt = LoginRequest { address: from.into(), ..attempt(name, &wrong, Some(cookie)) };
            services.accounts.login.attempt(&policy, attempt, START)
        }));
        let owner = LoginRequest { address: [250, 0, 0, 7].into(), ..attempt("alex", &right, Some(&device)) };
        let (rejected, let_in) = join(flood, services.accounts.login.attempt(&policy, owner, START)).await;
        let busy = rejected.iter().filter(|result| matches!(result, Err(LoginError::Busy { .. }))).count();
        assert!(busy >= 150, "{busy} of 200 were refused");
        let_in.unwrap();
    });
}

/// Whether its attempts name accounts, or its address is locked out.
#[test]
fn attack_one_client_fills_the_hash_queue() {
    for written in ["", "[account_lock]\nenabled = true\n[account_lock.address]\nmax_attempts = 10\n"] {
        TestDeployment::new(written).run(async |services| {
            services.add("alex").await;
            let policy = services.policy().await;
            let (wrong, right) = (Password::new("wrong"), Password::new(RIGHT));
            let names: Vec<String> = (0..1500).map(|number| format!("n{number}")).collect();
            let flood =
                join_all(names.iter().map(|name| {
                    services.accounts.login.attempt(&policy, attempt(name, &wrong, None), START)
                }));
            let elsewhere =
                LoginRequest { address: [198, 51, 100, 7].into(), ..attempt("alex", &right, None) };
            let (rejected, let_in) =
                join(flood, services.accounts.login.attempt(&policy, elsewhere, START)).await;
            let_in.unwrap();
            let busy =
                rejected.iter().filter(|result| matches!(result, Err(LoginError::Busy { .. }))).count();
            assert!(busy >= 1200, "{busy} of 1500 got Busy");
        });
    }
}
