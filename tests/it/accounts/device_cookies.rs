//! Device cookies: failures of a known browser are counted apart from those of all others.

use doorward::internals::account::{LoginError, PasswordChangeRequest, hashing::Password};

use crate::support::services::{ALICE_ADDRESS, MINUTE, RIGHT, START, TestDeployment, ms};

#[test]
fn attack_guessing_locks_the_owner_out_of_a_known_browser() {
    let deployment =
        TestDeployment::new("[account_lock]\nenabled = true\n[account_lock.device]\nmax_attempts = 3\n");
    deployment.run(async |services| {
        for name in ["alex", "mallory"] {
            services.add(name).await;
        }
        let device = services.sign_in("alex", RIGHT, START).await.unwrap().device;
        services.fail_sign_ins("alex", 5, START).await;
        assert!(matches!(services.sign_in("alex", RIGHT, START).await, Err(LoginError::Locked(_))));
        assert!(services.sign_in_from("alex", RIGHT, Some(&device), START).await.is_ok());
        // the device cookie of another account, a forged one, or an expired one counts as none
        let mallorys = services.sign_in("mallory", RIGHT, START).await.unwrap().device;
        let forged = device.replacen(|c: char| c.is_ascii_lowercase(), "A", 1);
        for unknown_device in [&mallorys, &forged, "", "a.b.c", "..", &format!("{device}.")] {
            assert!(
                services.sign_in_from("alex", RIGHT, Some(unknown_device), START).await.is_err(),
                "{unknown_device}"
            );
        }
        // and a known browser that guesses has itself to blame
        for _ in 0..3 {
            assert!(services.sign_in_from("alex", "wrong", Some(&device), START).await.is_err());
        }
        assert!(services.sign_in_from("alex", RIGHT, Some(&device), START).await.is_err());
    });
}

const DEVICES: &str = "[account_lock]\nenabled = true\n[account_lock.device]\nmax_attempts = 5\n";

/// Attack: ten device cookies, of own sign-ins or stolen, give ten times the guesses.
#[test]
fn attack_ten_device_cookies_are_not_ten_times_the_guesses() {
    TestDeployment::new(DEVICES).run(async |services| {
        services.add("alex").await;
        let mut cookies = Vec::new();
        for _ in 0..10 {
            cookies.push(services.sign_in("alex", RIGHT, START).await.unwrap().device);
        }
        let before = services.verifications();
        for cookie in cookies.iter().cycle().take(60) {
            assert!(services.sign_in_from("alex", "wrong", Some(cookie), START).await.is_err());
        }
        assert_eq!(services.verifications() - before, 15);
    });
}

#[test]
fn device_cookie_keeps_its_id_and_renews_its_date() {
    TestDeployment::new(DEVICES).run(async |services| {
        services.add("alex").await;
        let first = services.sign_in("alex", RIGHT, START).await.unwrap().device;
        let later = START + 24 * 60 * MINUTE;
        let second = services.sign_in_from("alex", RIGHT, Some(&first), later).await.unwrap().device;
        let number = |cookie: &str| cookie.split('.').next().unwrap().to_owned();
        assert_eq!(number(&first), number(&second));
        assert_ne!(first, second);
        // another browser is another one
        assert_ne!(number(&first), number(&services.sign_in("alex", RIGHT, later).await.unwrap().device));
    });
}

/// Attack: a thief's cookie outlives the password that the theft made its owner change.
#[test]
fn attack_device_cookie_from_before_a_password_change() {
    TestDeployment::new(DEVICES).run(async |services| {
        let alex = services.add("alex").await;
        let stolen = services.sign_in("alex", RIGHT, START).await.unwrap().device;
        let (policy, new) = (services.policy().await, Password::new("another password"));
        services.accounts.passwords.set(&policy, &alex, &new, false, START + ms(1)).await.unwrap();
        services.fail_sign_ins("alex", 5, START + ms(1)).await;
        let before = services.verifications();
        assert!(services.sign_in_from("alex", "wrong", Some(&stolen), START + ms(1)).await.is_err());
        assert_eq!(
            services.verifications(),
            before,
            "it counts as unknown, and unknown devices are locked out"
        );
    });
}

#[test]
fn changing_the_password_renews_the_device_cookie() {
    TestDeployment::new(DEVICES).run(async |services| {
        services.add("alex").await;
        let (right, new) = (Password::new(RIGHT), Password::new("another password"));
        let change = PasswordChangeRequest {
            login: "alex",
            current: &right,
            new: &new,
            address: ALICE_ADDRESS.into(),
            device: None,
            retained_session: None,
        };
        let changed = services
            .accounts
            .passwords
            .change(&services.policy().await, change, START + ms(1))
            .await
            .unwrap();
        services.fail_sign_ins("alex", 5, START + ms(1)).await;
        assert!(
            services
                .sign_in_from("alex", "another password", Some(&changed.device), START + ms(1))
                .await
                .is_ok()
        );
    });
}

#[test]
fn device_cookie_is_valid_for_180_days() {
    let deployment =
        TestDeployment::new("[account_lock]\nenabled = true\ntime = \"0s\"\n[account_lock.device]\n");
    deployment.run(async |services| {
        services.add("alex").await;
        let device = services.sign_in("alex", RIGHT, START).await.unwrap().device;
        services.fail_sign_ins("alex", 5, START).await;
        let half_a_year = START + 180 * 24 * 60 * MINUTE;
        assert!(services.sign_in_from("alex", RIGHT, Some(&device), half_a_year + ms(1000)).await.is_err());
        assert!(services.sign_in_from("alex", RIGHT, Some(&device), half_a_year).await.is_ok());
    });
}
