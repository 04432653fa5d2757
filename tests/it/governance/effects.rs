//! For each property that the catalogue calls enforced, what changes when it is turned.

use doorward::{
    account::{ChangeError, ChangePassword, Rejected, hashing::Password},
    domain::{
        account::{Account, Profile},
        governance::categories,
        lockout::Lock,
        password::WSO2_MESSAGE,
    },
};

use super::patch;
use crate::accounts::{Desk, House, MINUTE, RIGHT, START, actor};

const DAY: u64 = 24 * 60 * MINUTE;

macro_rules! effects {
    ($($property:literal: $test:ident),+ $(,)?) => {
        const TESTED: &[&str] = &[$($property),+];
        $(#[test]
        fn $test() {
            House::new("").open(async |desk| effect::$test(&desk, $property).await);
        })+
    };
}

effects! {
    "account.lock.handler.lock.on.max.failed.attempts.enable": wrong_passwords_lock,
    "account.lock.handler.On.Failure.Max.Attempts": after_so_many,
    "account.lock.handler.Time": for_so_long,
    "account.lock.handler.login.fail.timeout.ratio": longer_each_time,
    "passwordPolicy.enable": passwords_are_judged,
    "passwordPolicy.min.length": a_password_is_long_enough,
    "passwordPolicy.max.length": a_password_is_not_too_long,
    "passwordPolicy.pattern": a_password_matches,
    "passwordPolicy.errorMsg": or_else_this_is_said,
    "passwordHistory.enable": old_passwords_are_refused,
    "passwordHistory.count": so_many_of_them,
    "passwordExpiry.enablePasswordExpiry": passwords_expire,
    "passwordExpiry.passwordExpiryInDays": after_so_many_days,
    "passwordExpiry.skipIfNoApplicableRules": only_by_rules,
    "passwordExpiry.enforcementScope": nowhere_if_left_to_applications,
    "passwordExpiry.rule": sooner_for_some,
    "account.disable.handler.enable": who_is_switched_off_stays_out,
    "account.multiattributelogin.handler.enable": an_address_is_a_name,
    "account.multiattributelogin.handler.allowedattributes": and_so_may_be_a_number,
}

#[test]
fn what_the_catalogue_calls_enforced_has_a_test_here() {
    let connectors = categories().iter().flat_map(|category| category.connectors);
    let properties = connectors.flat_map(|connector| connector.properties.iter().chain(connector.numbered));
    let mut enforced: Vec<_> =
        properties.filter(|property| property.is_enforced()).map(|property| property.name).collect();
    let mut tested = TESTED.to_vec();
    enforced.sort_unstable();
    tested.sort_unstable();
    assert_eq!(tested, enforced);
}

async fn set(desk: &Desk, values: &[(&str, &str)]) {
    patch(desk, values).await.unwrap();
}

/// What a new password of this account breaks, if anything.
async fn refused(desk: &Desk, account: &Account, password: &str) -> Option<String> {
    let policy = desk.policy().await;
    match desk.doors.set_password(&policy, account, &Password::new(password), false, START).await {
        Ok(()) => None,
        Err(ChangeError::Policy { first, .. }) => Some(first.to_string()),
        Err(other) => panic!("{other}"),
    }
}

/// Whether the right password opens the account.
async fn is_let_in(desk: &Desk, login: &str, now: u64) -> bool {
    match desk.try_at(login, RIGHT, now).await {
        Ok(_) => true,
        Err(
            Rejected::PasswordExpired(_)
            | Rejected::BadCredentials
            | Rejected::Disabled
            | Rejected::Locked(_),
        ) => false,
        Err(other) => panic!("{other:?}"),
    }
}

async fn locked_until(desk: &Desk, login: &str, now: u64) -> Option<Lock> {
    match desk.try_at(login, RIGHT, now).await {
        Ok(_) => None,
        Err(Rejected::Locked(lock)) => Some(lock),
        Err(other) => panic!("{other:?}"),
    }
}

mod effect {
    use super::*;

    const LOCK: (&str, &str) = ("account.lock.handler.lock.on.max.failed.attempts.enable", "true");
    const POLICY: (&str, &str) = ("passwordPolicy.enable", "true");
    const ANY: (&str, &str) = ("passwordPolicy.pattern", ".*");
    const EXPIRY: (&str, &str) = ("passwordExpiry.enablePasswordExpiry", "true");

    pub async fn wrong_passwords_lock(desk: &Desk, property: &str) {
        desk.add("alex").await;
        desk.wrong("alex", 9, START).await;
        assert_eq!(locked_until(desk, "alex", START).await, None);
        set(desk, &[(property, "true")]).await;
        desk.wrong("alex", 5, START).await;
        assert_eq!(locked_until(desk, "alex", START).await, Some(Lock::Until(START + 5 * MINUTE)));
        set(desk, &[(property, "false")]).await;
        desk.add("bea").await;
        desk.wrong("bea", 9, START).await;
        assert_eq!(locked_until(desk, "bea", START).await, None);
    }

    pub async fn after_so_many(desk: &Desk, property: &str) {
        for (name, attempts) in [("alex", "2"), ("bea", "3")] {
            desk.add(name).await;
            set(desk, &[LOCK, (property, attempts)]).await;
            desk.wrong(name, 2, START).await;
            assert_eq!(locked_until(desk, name, START).await.is_some(), attempts == "2");
        }
    }

    pub async fn for_so_long(desk: &Desk, property: &str) {
        for (name, minutes, lock) in
            [("alex", "7", Lock::Until(START + 7 * MINUTE)), ("bea", "0", Lock::UntilAdmin)]
        {
            desk.add(name).await;
            set(desk, &[LOCK, (property, minutes)]).await;
            desk.wrong(name, 5, START).await;
            assert_eq!(locked_until(desk, name, START + 7 * MINUTE - 1).await, Some(lock));
            assert_eq!(locked_until(desk, name, START + 7 * MINUTE).await.is_some(), minutes == "0");
        }
    }

    pub async fn longer_each_time(desk: &Desk, property: &str) {
        for (name, ratio, minutes) in [("alex", "3", 15), ("bea", "1", 5)] {
            desk.add(name).await;
            set(desk, &[LOCK, (property, ratio)]).await;
            desk.wrong(name, 5, START).await;
            let again = START + 5 * MINUTE;
            desk.wrong(name, 5, again).await;
            let until = Lock::Until(again + minutes * MINUTE);
            assert_eq!(locked_until(desk, name, again).await, Some(until), "{ratio}");
        }
    }

    pub async fn passwords_are_judged(desk: &Desk, property: &str) {
        let alex = desk.add("alex").await;
        assert_eq!(refused(desk, &alex, "x").await, None);
        set(desk, &[(property, "true")]).await;
        assert_eq!(refused(desk, &alex, "x").await.unwrap(), "Password at least should have 6 characters");
        assert_eq!(refused(desk, &alex, "Passw0rd!").await, None);
    }

    pub async fn a_password_is_long_enough(desk: &Desk, property: &str) {
        let alex = desk.add("alex").await;
        for (least, accepted) in [("4", true), ("9", false)] {
            set(desk, &[POLICY, ANY, (property, least)]).await;
            assert_eq!(refused(desk, &alex, "sesame7").await.is_none(), accepted, "{least}");
        }
    }

    pub async fn a_password_is_not_too_long(desk: &Desk, property: &str) {
        let alex = desk.add("alex").await;
        for (most, accepted) in [("20", true), ("8", false)] {
            set(desk, &[POLICY, ANY, (property, most)]).await;
            assert_eq!(refused(desk, &alex, "open sesame").await.is_none(), accepted, "{most}");
        }
    }

    pub async fn a_password_matches(desk: &Desk, property: &str) {
        let alex = desk.add("alex").await;
        for (pattern, accepted) in [("[a-z]+", true), (r"(?=.*\d).*", false)] {
            set(desk, &[POLICY, (property, pattern)]).await;
            assert_eq!(refused(desk, &alex, "sesame").await.is_none(), accepted, "{pattern}");
        }
    }

    pub async fn or_else_this_is_said(desk: &Desk, property: &str) {
        let alex = desk.add("alex").await;
        set(desk, &[POLICY]).await;
        assert_eq!(refused(desk, &alex, "sesame").await.unwrap(), WSO2_MESSAGE);
        set(desk, &[(property, "Use a digit.")]).await;
        assert_eq!(refused(desk, &alex, "sesame").await.unwrap(), "Use a digit.");
    }

    pub async fn old_passwords_are_refused(desk: &Desk, property: &str) {
        let alex = desk.add("alex").await;
        assert_eq!(refused(desk, &alex, RIGHT).await, None);
        set(desk, &[(property, "true")]).await;
        assert!(refused(desk, &alex, RIGHT).await.unwrap().contains("recent history"));
    }

    pub async fn so_many_of_them(desk: &Desk, property: &str) {
        for (name, count, accepted) in [("alex", "1", true), ("bea", "2", false)] {
            let account = desk.add(name).await;
            set(desk, &[("passwordHistory.enable", "true"), (property, count)]).await;
            assert_eq!(refused(desk, &account, "another").await, None);
            assert_eq!(refused(desk, &account, RIGHT).await.is_none(), accepted, "{count}");
        }
    }

    pub async fn passwords_expire(desk: &Desk, property: &str) {
        desk.add("alex").await;
        assert!(is_let_in(desk, "alex", START + 31 * DAY).await);
        set(desk, &[(property, "true")]).await;
        assert!(is_let_in(desk, "alex", START + 30 * DAY - 1).await);
        assert!(!is_let_in(desk, "alex", START + 30 * DAY).await);
    }

    pub async fn after_so_many_days(desk: &Desk, property: &str) {
        desk.add("alex").await;
        for (days, let_in) in [("7", false), ("8", true)] {
            set(desk, &[EXPIRY, (property, days)]).await;
            assert_eq!(is_let_in(desk, "alex", START + 7 * DAY).await, let_in, "{days}");
        }
    }

    pub async fn only_by_rules(desk: &Desk, property: &str) {
        desk.add("alex").await;
        for (skip, let_in) in [("false", false), ("true", true)] {
            set(desk, &[EXPIRY, ("passwordExpiry.rule1", "1,5,roles,eq,admin"), (property, skip)]).await;
            assert_eq!(is_let_in(desk, "alex", START + 60 * DAY).await, let_in, "{skip}");
        }
    }

    pub async fn nowhere_if_left_to_applications(desk: &Desk, property: &str) {
        desk.add("alex").await;
        for (scope, let_in) in [("ORG_WIDE", false), ("APP_WITH_ENFORCER", true)] {
            set(desk, &[EXPIRY, (property, scope)]).await;
            assert_eq!(is_let_in(desk, "alex", START + 60 * DAY).await, let_in, "{scope}");
        }
    }

    pub async fn sooner_for_some(desk: &Desk, property: &str) {
        let (clerk, admin) = (desk.add("clerk").await, desk.add("admin").await);
        let profile = Profile { roles: vec!["admin".to_owned()], ..Profile::default() };
        desk.doors.store().accounts().update_profile(&admin.id, &profile, START).await.unwrap();
        let rule = format!("{property}3");
        set(desk, &[EXPIRY, (&rule, "1,5,roles,eq,admin")]).await;
        let later = START + 6 * DAY;
        assert!(is_let_in(desk, &clerk.username, later).await && !is_let_in(desk, "admin", later).await);
        // and taken away again
        set(desk, &[(&rule, "")]).await;
        assert!(is_let_in(desk, "admin", later).await);
    }

    pub async fn who_is_switched_off_stays_out(desk: &Desk, property: &str) {
        let alex = desk.add("alex").await;
        desk.doors.disable(&alex, &actor(), START).await.unwrap();
        assert!(!is_let_in(desk, "alex", START).await);
        set(desk, &[(property, "false")]).await;
        let signed_in = desk.try_at("alex", RIGHT, START).await.unwrap();
        let address = [192, 0, 2, 1].into();
        let cookie = desk.doors.begin_session(&signed_in, "Firefox", address, None, START).await.unwrap();
        let session = doorward::session::hash_of(&cookie);
        assert!(desk.doors.sessions().find(&session, START).await.unwrap().is_some());
        // a session that exists ends with the next request
        set(desk, &[(property, "true")]).await;
        assert!(desk.doors.sessions().find(&session, START).await.unwrap().is_none());
        assert!(!is_let_in(desk, "alex", START).await);
        assert!(
            desk.doors.begin_session(&signed_in, "Firefox", address, None, START).await.is_ok(),
            "of before"
        );
        // who comes in may change the password, too
        set(desk, &[(property, "false")]).await;
        let (policy, current, new) =
            (desk.policy().await, Password::new(RIGHT), Password::new("another one"));
        let change = ChangePassword {
            login: "alex",
            current: &current,
            new: &new,
            address: address.into(),
            device: None,
            keep: None,
        };
        desk.doors.change_password(&policy, change, START).await.unwrap();
    }

    pub async fn an_address_is_a_name(desk: &Desk, property: &str) {
        known_as(desk, "alex", "+49 (30) 123-456").await;
        for (on, by_address) in [("true", true), ("false", false)] {
            set(desk, &[(property, on)]).await;
            assert!(is_let_in(desk, "alex", START).await);
            assert_eq!(is_let_in(desk, "alex@mail.example", START).await, by_address);
        }
    }

    pub async fn and_so_may_be_a_number(desk: &Desk, property: &str) {
        known_as(desk, "alex", "+49 (30) 123-456").await;
        let claims = |some: &[&str]| {
            some.iter().map(|name| format!("http://wso2.org/claims/{name}")).collect::<Vec<_>>().join(",")
        };
        for (allowed, [by_name, by_address, by_number]) in [
            (claims(&["username", "emailaddress"]), [true, true, false]),
            (claims(&["mobile"]), [false, false, true]),
            (claims(&["username", "mobile"]), [true, false, true]),
        ] {
            set(desk, &[(property, &allowed)]).await;
            assert_eq!(is_let_in(desk, "alex", START).await, by_name, "{allowed}");
            assert_eq!(is_let_in(desk, "alex@mail.example", START).await, by_address, "{allowed}");
            for number in ["+4930123456", "+49 30 123456", "+49.30.123.456@carbon.super"] {
                assert_eq!(is_let_in(desk, number, START).await, by_number, "{allowed} {number}");
            }
        }
        // a number that two have is nobody's
        known_as(desk, "bea", "+4930123456").await;
        assert!(!is_let_in(desk, "+4930123456", START).await);
        // and a name goes before a number
        known_as(desk, "5550000", "1").await;
        known_as(desk, "cleo", "555-0000").await;
        let signed_in = desk.try_at("5550000", RIGHT, START).await.unwrap();
        assert_eq!(signed_in.account.username, "5550000");
    }

    async fn known_as(desk: &Desk, name: &str, number: &str) {
        let account = desk.add(name).await;
        let profile = Profile {
            email: Some(format!("{name}@mail.example")),
            mobile: Some(number.to_owned()),
            ..Profile::default()
        };
        desk.doors.store().accounts().update_profile(&account.id, &profile, START).await.unwrap();
    }
}
