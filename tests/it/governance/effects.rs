//! One test for each property that the catalogue marks as enforced: its effect when it changes.

use std::time::Duration;

use doorward::internals::{
    account::{LoginError, LoginOutcome, NewPasswordError, PasswordChangeRequest, hashing::Password},
    domain::{
        account::{Account, UserProfile},
        governance::{Effect, categories},
        lockout::LockedUntil,
        password::WSO2_MESSAGE,
        time::Timestamp,
    },
};

use super::patch;
use crate::support::{
    actors::operator,
    services::{MINUTE, RIGHT, START, TestDeployment, TestServices, ms},
};

const DAY: Duration = Duration::from_hours(24);

macro_rules! effects {
    ($($property:literal: $test:ident),+ $(,)?) => {
        const TESTED: &[&str] = &[$($property),+];
        $(#[test]
        fn $test() {
            TestDeployment::new("").run(async |services| effect::$test(&services, $property).await);
        })+
    };
}

effects! {
    "account.lock.handler.lock.on.max.failed.attempts.enable": failed_attempts_lock_the_account,
    "account.lock.handler.On.Failure.Max.Attempts": max_attempts_sets_the_lock_threshold,
    "account.lock.handler.Time": time_sets_the_lock_duration,
    "account.lock.handler.login.fail.timeout.ratio": ratio_extends_repeated_locks,
    "passwordPolicy.enable": policy_rejects_weak_passwords,
    "passwordPolicy.min.length": min_length_is_enforced,
    "passwordPolicy.max.length": max_length_is_enforced,
    "passwordPolicy.pattern": pattern_is_enforced,
    "passwordPolicy.errorMsg": error_message_is_shown,
    "passwordHistory.enable": history_rejects_old_passwords,
    "passwordHistory.count": history_count_is_enforced,
    "passwordExpiry.enablePasswordExpiry": passwords_expire,
    "passwordExpiry.passwordExpiryInDays": expiry_days_are_enforced,
    "passwordExpiry.skipIfNoApplicableRules": expiry_skips_accounts_without_a_rule,
    "passwordExpiry.enforcementScope": expiry_is_off_if_left_to_applications,
    "passwordExpiry.rule": expiry_rule_applies_to_its_role,
    "account.disable.handler.enable": disabled_accounts_cannot_sign_in,
    "account.multiattributelogin.handler.enable": email_address_is_a_login_name,
    "account.multiattributelogin.handler.allowedattributes": mobile_number_is_a_login_name,
}

#[test]
fn every_enforced_property_has_a_test() {
    let connectors = categories().iter().flat_map(|category| category.connectors);
    let properties = connectors.flat_map(|connector| connector.properties.iter().chain(connector.numbered));
    let mut enforced: Vec<_> = properties
        .filter(|property| matches!(property.effect, Effect::Enforced { .. }))
        .map(|property| property.name)
        .collect();
    let mut tested = TESTED.to_vec();
    enforced.sort_unstable();
    tested.sort_unstable();
    assert_eq!(tested, enforced);
}

async fn set(services: &TestServices, values: &[(&str, &str)]) {
    patch(services, values).await.unwrap();
}

/// The policy violations of a new password of this account.
async fn refused(services: &TestServices, account: &Account, password: &str) -> Option<String> {
    let policy = services.policy().await;
    match services.accounts.passwords.set(&policy, account, &Password::new(password), false, START).await {
        Ok(()) => None,
        Err(NewPasswordError::Policy { first, .. }) => Some(first.to_string()),
        Err(other) => panic!("{other}"),
    }
}

/// Whether the right password opens the account.
async fn can_sign_in(services: &TestServices, login: &str, now: Timestamp) -> bool {
    match services.login(login, RIGHT, None, now).await {
        Ok(LoginOutcome::Success(_)) => true,
        Ok(LoginOutcome::MustChangePassword(_))
        | Err(LoginError::BadCredentials | LoginError::Disabled | LoginError::Locked(_)) => false,
        Err(other) => panic!("{other:?}"),
    }
}

async fn locked_until(services: &TestServices, login: &str, now: Timestamp) -> Option<LockedUntil> {
    match services.sign_in(login, RIGHT, now).await {
        Ok(_) => None,
        Err(LoginError::Locked(lock)) => Some(lock),
        Err(other) => panic!("{other:?}"),
    }
}

mod effect {
    use super::*;

    const LOCK: (&str, &str) = ("account.lock.handler.lock.on.max.failed.attempts.enable", "true");
    const POLICY: (&str, &str) = ("passwordPolicy.enable", "true");
    const ANY: (&str, &str) = ("passwordPolicy.pattern", ".*");
    const EXPIRY: (&str, &str) = ("passwordExpiry.enablePasswordExpiry", "true");

    pub async fn failed_attempts_lock_the_account(services: &TestServices, property: &str) {
        services.add("alex").await;
        services.fail_sign_ins("alex", 9, START).await;
        assert_eq!(locked_until(services, "alex", START).await, None);
        set(services, &[(property, "true")]).await;
        services.fail_sign_ins("alex", 5, START).await;
        assert_eq!(locked_until(services, "alex", START).await, Some(LockedUntil::Time(START + 5 * MINUTE)));
        set(services, &[(property, "false")]).await;
        services.add("bea").await;
        services.fail_sign_ins("bea", 9, START).await;
        assert_eq!(locked_until(services, "bea", START).await, None);
    }

    pub async fn max_attempts_sets_the_lock_threshold(services: &TestServices, property: &str) {
        for (name, attempts) in [("alex", "2"), ("bea", "3")] {
            services.add(name).await;
            set(services, &[LOCK, (property, attempts)]).await;
            services.fail_sign_ins(name, 2, START).await;
            assert_eq!(locked_until(services, name, START).await.is_some(), attempts == "2");
        }
    }

    pub async fn time_sets_the_lock_duration(services: &TestServices, property: &str) {
        for (name, minutes, lock) in
            [("alex", "7", LockedUntil::Time(START + 7 * MINUTE)), ("bea", "0", LockedUntil::Admin)]
        {
            services.add(name).await;
            set(services, &[LOCK, (property, minutes)]).await;
            services.fail_sign_ins(name, 5, START).await;
            assert_eq!(locked_until(services, name, START + 7 * MINUTE - ms(1)).await, Some(lock));
            assert_eq!(locked_until(services, name, START + 7 * MINUTE).await.is_some(), minutes == "0");
        }
    }

    pub async fn ratio_extends_repeated_locks(services: &TestServices, property: &str) {
        for (name, ratio, minutes) in [("alex", "3", 15), ("bea", "1", 5)] {
            services.add(name).await;
            set(services, &[LOCK, (property, ratio)]).await;
            services.fail_sign_ins(name, 5, START).await;
            let again = START + 5 * MINUTE;
            services.fail_sign_ins(name, 5, again).await;
            let until = LockedUntil::Time(again + minutes * MINUTE);
            assert_eq!(locked_until(services, name, again).await, Some(until), "{ratio}");
        }
    }

    pub async fn policy_rejects_weak_passwords(services: &TestServices, property: &str) {
        let alex = services.add("alex").await;
        assert_eq!(refused(services, &alex, "x").await, None);
        set(services, &[(property, "true")]).await;
        assert_eq!(
            refused(services, &alex, "x").await.unwrap(),
            "Password at least should have 6 characters"
        );
        assert_eq!(refused(services, &alex, "Passw0rd!").await, None);
    }

    pub async fn min_length_is_enforced(services: &TestServices, property: &str) {
        let alex = services.add("alex").await;
        for (least, accepted) in [("4", true), ("9", false)] {
            set(services, &[POLICY, ANY, (property, least)]).await;
            assert_eq!(refused(services, &alex, "sesame7").await.is_none(), accepted, "{least}");
        }
    }

    pub async fn max_length_is_enforced(services: &TestServices, property: &str) {
        let alex = services.add("alex").await;
        for (most, accepted) in [("20", true), ("8", false)] {
            set(services, &[POLICY, ANY, (property, most)]).await;
            assert_eq!(refused(services, &alex, "open sesame").await.is_none(), accepted, "{most}");
        }
    }

    pub async fn pattern_is_enforced(services: &TestServices, property: &str) {
        let alex = services.add("alex").await;
        for (pattern, accepted) in [("[a-z]+", true), (r"(?=.*\d).*", false)] {
            set(services, &[POLICY, (property, pattern)]).await;
            assert_eq!(refused(services, &alex, "sesame").await.is_none(), accepted, "{pattern}");
        }
    }

    pub async fn error_message_is_shown(services: &TestServices, property: &str) {
        let alex = services.add("alex").await;
        set(services, &[POLICY]).await;
        assert_eq!(refused(services, &alex, "sesame").await.unwrap(), WSO2_MESSAGE);
        set(services, &[(property, "Use a digit.")]).await;
        assert_eq!(refused(services, &alex, "sesame").await.unwrap(), "Use a digit.");
    }

    pub async fn history_rejects_old_passwords(services: &TestServices, property: &str) {
        let alex = services.add("alex").await;
        assert_eq!(refused(services, &alex, RIGHT).await, None);
        set(services, &[(property, "true")]).await;
        assert!(refused(services, &alex, RIGHT).await.unwrap().contains("recent history"));
    }

    pub async fn history_count_is_enforced(services: &TestServices, property: &str) {
        for (name, count, accepted) in [("alex", "1", true), ("bea", "2", false)] {
            let account = services.add(name).await;
            set(services, &[("passwordHistory.enable", "true"), (property, count)]).await;
            assert_eq!(refused(services, &account, "another").await, None);
            assert_eq!(refused(services, &account, RIGHT).await.is_none(), accepted, "{count}");
        }
    }

    pub async fn passwords_expire(services: &TestServices, property: &str) {
        services.add("alex").await;
        assert!(can_sign_in(services, "alex", START + 31 * DAY).await);
        set(services, &[(property, "true")]).await;
        assert!(can_sign_in(services, "alex", START + 30 * DAY - ms(1)).await);
        assert!(!can_sign_in(services, "alex", START + 30 * DAY).await);
    }

    pub async fn expiry_days_are_enforced(services: &TestServices, property: &str) {
        services.add("alex").await;
        for (days, let_in) in [("7", false), ("8", true)] {
            set(services, &[EXPIRY, (property, days)]).await;
            assert_eq!(can_sign_in(services, "alex", START + 7 * DAY).await, let_in, "{days}");
        }
    }

    pub async fn expiry_skips_accounts_without_a_rule(services: &TestServices, property: &str) {
        services.add("alex").await;
        for (skip, let_in) in [("false", false), ("true", true)] {
            set(services, &[EXPIRY, ("passwordExpiry.rule1", "1,5,roles,eq,admin"), (property, skip)]).await;
            assert_eq!(can_sign_in(services, "alex", START + 60 * DAY).await, let_in, "{skip}");
        }
    }

    pub async fn expiry_is_off_if_left_to_applications(services: &TestServices, property: &str) {
        services.add("alex").await;
        for (scope, let_in) in [("ORG_WIDE", false), ("APP_WITH_ENFORCER", true)] {
            set(services, &[EXPIRY, (property, scope)]).await;
            assert_eq!(can_sign_in(services, "alex", START + 60 * DAY).await, let_in, "{scope}");
        }
    }

    pub async fn expiry_rule_applies_to_its_role(services: &TestServices, property: &str) {
        let clerk = services.add("clerk").await;
        let profile = UserProfile { roles: vec!["admin".to_owned()], ..UserProfile::default() };
        services.add_with("admin", profile).await;
        let rule = format!("{property}3");
        set(services, &[EXPIRY, (&rule, "1,5,roles,eq,admin")]).await;
        let later = START + 6 * DAY;
        assert!(
            can_sign_in(services, &clerk.username, later).await
                && !can_sign_in(services, "admin", later).await
        );
        // and taken away again
        set(services, &[(&rule, "")]).await;
        assert!(can_sign_in(services, "admin", later).await);
    }

    pub async fn disabled_accounts_cannot_sign_in(services: &TestServices, property: &str) {
        let alex = services.add("alex").await;
        services.accounts.administration.disable(&alex, &operator(), START).await.unwrap();
        assert!(!can_sign_in(services, "alex", START).await);
        set(services, &[(property, "false")]).await;
        let signed_in = services.sign_in("alex", RIGHT, START).await.unwrap();
        let address = [192, 0, 2, 1].into();
        let cookie = services
            .accounts
            .sessions
            .begin(signed_in.new_session("Firefox", address, None), START)
            .await
            .unwrap();
        let session = doorward::internals::session::hash_of(&cookie);
        assert!(services.accounts.sessions.find(&session, START).await.unwrap().is_some());
        // a session that exists ends with the next request
        set(services, &[(property, "true")]).await;
        assert!(services.accounts.sessions.find(&session, START).await.unwrap().is_none());
        assert!(!can_sign_in(services, "alex", START).await);
        assert!(
            services
                .accounts
                .sessions
                .begin(signed_in.new_session("Firefox", address, None), START)
                .await
                .is_ok(),
            "of before"
        );
        // a user who can sign in can also change the password
        set(services, &[(property, "false")]).await;
        let (policy, current, new) =
            (services.policy().await, Password::new(RIGHT), Password::new("another one"));
        let change = PasswordChangeRequest {
            login: "alex",
            current: &current,
            new: &new,
            address: address.into(),
            device: None,
            retained_session: None,
        };
        services.accounts.passwords.change(&policy, change, START).await.unwrap();
    }

    pub async fn email_address_is_a_login_name(services: &TestServices, property: &str) {
        add_with_contacts(services, "alex", "+49 (30) 123-456").await;
        for (on, by_address) in [("true", true), ("false", false)] {
            set(services, &[(property, on)]).await;
            assert!(can_sign_in(services, "alex", START).await);
            assert_eq!(can_sign_in(services, "alex@mail.example", START).await, by_address);
        }
    }

    pub async fn mobile_number_is_a_login_name(services: &TestServices, property: &str) {
        add_with_contacts(services, "alex", "+49 (30) 123-456").await;
        let claims = |some: &[&str]| {
            some.iter().map(|name| format!("http://wso2.org/claims/{name}")).collect::<Vec<_>>().join(",")
        };
        for (allowed, [by_name, by_address, by_number]) in [
            (claims(&["username", "emailaddress"]), [true, true, false]),
            (claims(&["mobile"]), [false, false, true]),
            (claims(&["username", "mobile"]), [true, false, true]),
        ] {
            set(services, &[(property, &allowed)]).await;
            assert_eq!(can_sign_in(services, "alex", START).await, by_name, "{allowed}");
            assert_eq!(can_sign_in(services, "alex@mail.example", START).await, by_address, "{allowed}");
            for number in ["+4930123456", "+49 30 123456", "+49.30.123.456@carbon.super"] {
                assert_eq!(can_sign_in(services, number, START).await, by_number, "{allowed} {number}");
            }
        }
        // a phone number of two accounts identifies neither
        add_with_contacts(services, "bea", "+4930123456").await;
        assert!(!can_sign_in(services, "+4930123456", START).await);
        // and a name goes before a number
        add_with_contacts(services, "5550000", "1").await;
        add_with_contacts(services, "cleo", "555-0000").await;
        let signed_in = services.sign_in("5550000", RIGHT, START).await.unwrap();
        assert_eq!(signed_in.account.username, "5550000");
    }

    async fn add_with_contacts(services: &TestServices, name: &str, number: &str) {
        let profile = UserProfile {
            email: Some(format!("{name}@mail.example")),
            mobile: Some(number.to_owned()),
            ..UserProfile::default()
        };
        services.add_with(name, profile).await;
    }
}
