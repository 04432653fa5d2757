//! Every door against every state of an account: what strangers are told does not tell them anything.

use std::time::{Duration, Instant};

use doorward::{
    account::{Attempt, ChangeError, ChangePassword, Door, ImportedUser, Rejected, Told, hashing::Password},
    domain::lockout::{Counter, CounterKey, Lock, LockoutSettings, Who},
};
use futures_util::future::{join, join_all};

use super::{ALICES, Desk, House, MINUTE, RIGHT, START, actor, attempt};

const DOORS: [Door; 3] = [Door::Form, Door::Api, Door::ChangePassword];

/// What a door answers.
async fn knock(desk: &Desk, door: Door, login: &str, password: &str) -> Result<(), Rejected> {
    let (policy, password) = (desk.policy().await, Password::new(password));
    if door == Door::ChangePassword {
        let new = Password::new("another password");
        let change = ChangePassword {
            login,
            current: &password,
            new: &new,
            address: ALICES.into(),
            device: None,
            keep: None,
        };
        return match desk.doors.change_password(&policy, change, START).await {
            Ok(_) => Ok(()),
            Err(ChangeError::Rejected(rejected)) => Err(rejected),
            Err(other) => panic!("{other}"),
        };
    }
    let attempt = Attempt { door, ..attempt(login, &password, None) };
    desk.doors.sign_in(&policy, attempt, START).await.map(drop)
}

#[test]
fn each_door_against_each_state_of_an_account() {
    House::locking().open(async |desk| {
        for (number, door) in DOORS.into_iter().enumerate() {
            let name = |state: &str| format!("{state}{number}");
            for state in ["open", "wrong", "locked", "elsewhere", "admin", "disabled", "unusable"] {
                let account = desk.add(&name(state)).await;
                match state {
                    "admin" => desk.doors.lock(&account, &actor(), START).await.unwrap(),
                    "disabled" => desk.doors.disable(&account, &actor(), START).await.unwrap(),
                    // the API counts by itself: see `attack_stranger_locks_an_administrator_out`
                    "locked" if door == Door::Api => {
                        for _ in 0..5 {
                            knock(&desk, door, &name(state), "wrong").await.unwrap_err();
                        }
                    }
                    "locked" | "elsewhere" => desk.wrong(&name(state), 5, START).await,
                    _ => {}
                }
            }
            let minutes = if door == Door::Api { 15 } else { 5 };
            let locked = || Err(Rejected::Locked(Lock::Until(START + minutes * MINUTE)));
            // locked at the sign-in page
            let elsewhere = if door == Door::Api { Ok(()) } else { locked() };
            for (state, password, outcome) in [
                ("unknown", RIGHT, Err(Rejected::BadCredentials)),
                ("wrong", "wrong", Err(Rejected::BadCredentials)),
                ("locked", "wrong", locked()),
                ("locked", RIGHT, locked()),
                ("elsewhere", RIGHT, elsewhere),
                ("admin", "wrong", Err(Rejected::LockedByAdmin)),
                ("admin", RIGHT, Err(Rejected::LockedByAdmin)),
                ("disabled", "wrong", Err(Rejected::Disabled)),
                ("disabled", RIGHT, Err(Rejected::Disabled)),
                ("bad\u{200b}name", RIGHT, Err(Rejected::BadCredentials)),
                ("", RIGHT, Err(Rejected::BadCredentials)),
                ("open", RIGHT, Ok(())),
            ] {
                let got = knock(&desk, door, &name(state), password).await;
                assert_eq!(got, outcome, "{door:?} {state} {password}");
                if let Err(rejected) = got {
                    assert_eq!(told(&rejected), Told::WrongOrLocked, "{door:?} {state}");
                }
            }
        }
    });
}

#[test]
fn attack_account_enumeration_a_name_nobody_has_locks_like_one_that_somebody_has() {
    House::locking().open(async |desk| {
        desk.add("alex").await;
        for name in ["alex", "nobody"] {
            desk.wrong(name, 5, START).await;
            let sixth = desk.try_at(name, "wrong", START).await.unwrap_err();
            assert_eq!(sixth, Rejected::Locked(Lock::Until(START + 5 * MINUTE)), "{name}");
        }
        // and whoever comes to a locked name costs a hash, though it is verified against nothing
        let spent = desk.doors.metrics().passwords_spent.get();
        for name in ["alex", "nobody"] {
            desk.wrong(name, 1, START).await;
        }
        assert_eq!(desk.doors.metrics().passwords_spent.get(), spent + 2);
    });
}

#[test]
fn a_password_that_is_too_old_has_to_be_changed_by_who_knows_it() {
    let house = House::new("[password_policy]\nexpiry_days = 30\n");
    house.open(async |desk| {
        desk.add("alex").await;
        let late = START + 30 * 24 * 60 * MINUTE;
        assert!(desk.try_at("alex", RIGHT, late - 1).await.is_ok());
        // a stranger does not learn that it is
        assert_eq!(told(&desk.try_at("alex", "wrong", late).await.unwrap_err()), Told::WrongOrLocked);
        assert_eq!(told(&desk.try_at("alex", RIGHT, late).await.unwrap_err()), Told::MustChangePassword);
        change(&desk, "alex", RIGHT, "another password", late).await.unwrap();
        assert!(desk.try_at("alex", "another password", late).await.is_ok());
    });
}

#[test]
fn who_must_change_a_password_can_do_nothing_else() {
    House::new("").open(async |desk| {
        let new = doorward::account::NewUser {
            username: "alex".to_owned(),
            must_change_password: true,
            ..doorward::account::NewUser::default()
        };
        let policy = desk.policy().await;
        desk.doors.add(&policy, new, Some(&Password::new(RIGHT)), START).await.unwrap();
        assert_eq!(told(&desk.try_at("alex", RIGHT, START).await.unwrap_err()), Told::MustChangePassword);
        change(&desk, "alex", RIGHT, "another password", START).await.unwrap();
        assert!(desk.try_at("alex", "another password", START).await.is_ok());
    });
}

async fn change(desk: &Desk, login: &str, current: &str, new: &str, now: u64) -> Result<(), ChangeError> {
    let (current, new) = (Password::new(current), Password::new(new));
    let change = ChangePassword {
        login,
        current: &current,
        new: &new,
        address: ALICES.into(),
        device: None,
        keep: None,
    };
    desk.doors.change_password(&desk.policy().await, change, now).await.map(drop)
}

#[test]
fn people_sign_in_by_the_names_they_know() {
    let house = House::new("").tenant("acme.com", "{}").tenant("globex.com", "{}");
    house.open(async |desk| {
        let acme = desk.policy_of("acme.com").await;
        let (here, there) = (desk.add("alex").await, desk.add_to(&acme, "alex").await);
        let user = ImportedUser {
            email: Some("Kim@Example.org".to_owned()),
            ..ImportedUser::of_json(&format!(r#"{{"username": "kim", "password": {RIGHT:?}}}"#)).unwrap()
        };
        let kim = desk.import(&here.tenant, user, START).await.unwrap();
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
            let id = desk.try_at(login, RIGHT, START).await.ok().map(|signed_in| signed_in.account.id);
            assert_eq!(id.as_ref(), account, "{login}");
        }
    });
}

#[test]
fn an_account_is_held_to_the_rules_of_its_own_tenant_at_every_door() {
    let house = House::locking().tenant("strict.com", r#"{"account_lock": {"max_attempts": 2}}"#);
    house.open(async |desk| {
        let strict = desk.policy_of("strict.com").await;
        desk.add_to(&strict, "alex").await;
        desk.wrong("alex@strict.com", 2, START).await;
        let third = desk.try_at("alex@strict.com", RIGHT, START).await.unwrap_err();
        assert!(matches!(third, Rejected::Locked(_)), "{third:?}");
    });
}

/// Attack: account enumeration by time. What differs between the states is a row read or written, what is the same is a
/// hash; on a busy machine the medians of many rounds in turn are compared, with room for noise.
#[test]
fn attack_account_enumeration_by_time_the_states_cost_the_same() {
    const ROUNDS: usize = 31;
    let house = House::new("[account_lock]\nenabled = true\nmax_attempts = 1000\n");
    let mut settings = house.settings();
    settings.accounts.hashing.memory = 19_456;
    let measured = doorward::boot::at_desk(settings, async |doors, tenants, default| {
        let desk = Desk { doors, tenants, default };
        for state in ["wrong", "locked", "admin", "disabled"] {
            let account = desk.add(state).await;
            match state {
                "admin" => desk.doors.lock(&account, &actor(), START).await.unwrap(),
                "disabled" => desk.doors.disable(&account, &actor(), START).await.unwrap(),
                "locked" => {
                    let key = CounterKey::of(account.tenant.clone(), Who::Account(account.id.clone()));
                    let lock = |counters: &mut [(CounterKey, Counter)]| {
                        counters[0].1 = Counter { locked_until: Lock::UntilAdmin, ..Counter::default() };
                    };
                    desk.doors.store().counters().update(&[key], lock).await?;
                }
                _ => {}
            }
        }
        let states = ["unknown", "wrong", "locked", "admin", "disabled"];
        let mut times = states.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for (state, times) in states.iter().zip(&mut times) {
                let start = Instant::now();
                assert!(desk.try_at(state, "wrong", START).await.is_err());
                times.push(start.elapsed());
            }
        }
        let medians = times.map(|mut times| {
            times.sort_unstable();
            times[ROUNDS / 2]
        });
        let (least, most) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
        assert!(*most < *least * 3 / 2, "{states:?} take {medians:?}");
        Ok(())
    });
    measured.unwrap();
}

/// Attack: which names were taken over from the system before, and so are somebody's. Their hashes are of other kinds until
/// their owners sign in, and take longer to verify than one of ours: everybody who is refused waits as long.
#[test]
fn attack_account_enumeration_by_time_an_imported_account_is_like_a_name_that_nobody_has() {
    const ROUNDS: usize = 9;
    let house = House::new("[account_lock]\nenabled = true\nmax_attempts = 1000\n");
    house.open(async |desk| {
        let tenant = desk.policy().await.tenant.clone();
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
                ..ImportedUser::of_json(&format!(r#"{{"username": {name:?}}}"#)).unwrap()
            };
            desk.import(&tenant, user, START).await.unwrap();
        }
        desk.add("native").await;
        let disabled = desk.add("disabled").await;
        desk.doors.disable(&disabled, &actor(), START).await.unwrap();
        let states = ["unknown", "native", "disabled", "wso2", "bcrypt"];
        let mut times = states.map(|_| Vec::new());
        // the first guess is among them: nobody has to be the one from whom the process learns
        for _ in 0..ROUNDS {
            for (state, times) in states.iter().zip(&mut times) {
                let start = Instant::now();
                assert!(desk.try_at(state, "wrong", START).await.is_err());
                times.push(start.elapsed());
            }
        }
        let first = times.each_ref().map(|times| times[0]);
        let medians = times.map(|mut times| {
            times.sort_unstable();
            times[ROUNDS / 2]
        });
        let (least, most) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
        assert!(*most < *least * 3 / 2, "{states:?} take {medians:?}, the first time {first:?}");
        // and who is right waits for nothing: ours are verified and there
        let mut quickest = Duration::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            assert!(desk.try_at("native", RIGHT, START).await.is_ok());
            quickest = quickest.min(start.elapsed());
        }
        assert!(quickest < *least, "{quickest:?} of {medians:?}");
    });
}

/// To a stranger, where nothing else is said.
fn told(rejected: &Rejected) -> Told {
    rejected.told(&LockoutSettings::default(), START)
}

/// Attack: places in the queue are reserved for known browsers, and every attempt says that it comes from one.
#[test]
fn attack_junk_device_cookies_take_the_places_of_known_browsers() {
    let house = House::new("[account_lock]\nenabled = true\n[account_lock.device]\nmax_attempts = 5\n");
    let mut settings = house.settings();
    (settings.accounts.hashing.parallel, settings.accounts.hashing.queue) = (2, 38);
    let flooded = doorward::boot::at_desk(settings, async |doors, tenants, default| {
        let desk = Desk { doors, tenants, default };
        desk.add("alex").await;
        let device = desk.try_at("alex", RIGHT, START).await.unwrap().device;
        let forged = device.replacen(|c: char| c.is_ascii_lowercase(), "A", 1);
        let policy = desk.policy().await;
        let (wrong, right) = (Password::new("wrong"), Password::new(RIGHT));
        let names: Vec<String> = (0..200).map(|number| format!("n{number}")).collect();
        let flood = join_all((1_u8..).zip(&names).map(|(number, name)| {
            let cookie = if number % 2 == 0 { "a.b.c" } else { forged.as_str() };
            let from = [number, 0, 0, 1];
            let attempt = Attempt { address: from.into(), ..attempt(name, &wrong, Some(cookie)) };
            desk.doors.sign_in(&policy, attempt, START)
        }));
        let owner = Attempt { address: [250, 0, 0, 7].into(), ..attempt("alex", &right, Some(&device)) };
        let (rejected, let_in) = join(flood, desk.doors.sign_in(&policy, owner, START)).await;
        let busy = rejected.iter().filter(|result| matches!(result, Err(Rejected::Busy { .. }))).count();
        assert!(busy >= 150, "{busy} of 200 were refused");
        let_in.unwrap();
        Ok(())
    });
    flooded.unwrap();
}

/// Whether its names are guessed at, or its address is locked out and spends for nobody.
#[test]
fn attack_one_client_leaves_room_for_others() {
    for written in ["", "[account_lock]\nenabled = true\n[account_lock.address]\nmax_attempts = 10\n"] {
        House::new(written).open(async |desk| {
            desk.add("alex").await;
            let policy = desk.policy().await;
            let (wrong, right) = (Password::new("wrong"), Password::new(RIGHT));
            let names: Vec<String> = (0..1500).map(|number| format!("n{number}")).collect();
            let flood = join_all(
                names.iter().map(|name| desk.doors.sign_in(&policy, attempt(name, &wrong, None), START)),
            );
            let elsewhere = Attempt { address: [198, 51, 100, 7].into(), ..attempt("alex", &right, None) };
            let (rejected, let_in) = join(flood, desk.doors.sign_in(&policy, elsewhere, START)).await;
            let_in.unwrap();
            let busy = rejected.iter().filter(|result| matches!(result, Err(Rejected::Busy { .. }))).count();
            assert!(busy >= 1200, "{busy} of 1500 were told to come again");
        });
    }
}
