//! Passwords: the policy, a change with the old password, expiry, and imported hashes.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use doorward::internals::{
    account::{
        ImportedUser, LoginError, NewPasswordError, PasswordChangeError, PasswordChangeRequest,
        hashing::Password,
    },
    domain::{
        account::{Account, StoredPassword},
        password::{PasswordRule, Violation},
    },
    session::{CookieSecret, NewSession, hash_of},
    store::{NewPassword, PasswordUpdate},
};

use crate::support::{
    actors::operator,
    services::{ALICE_ADDRESS, RIGHT, START, TestDeployment, TestServices, ms, run_with},
};

const STRICT: &str = "[account_lock]\nenabled = true\n[password_policy]\nenabled = true\nmin_length = 8\n\
    max_length = 64\npattern = \".*\"\nhistory = 3\n";

async fn change(
    services: &TestServices,
    current: &str,
    new: &str,
    keep: Option<&CookieSecret>,
) -> Result<(), PasswordChangeError> {
    let (current, new, keep) = (Password::new(current), Password::new(new), keep.map(hash_of));
    let change = PasswordChangeRequest {
        login: "alex",
        current: &current,
        new: &new,
        address: ALICE_ADDRESS.into(),
        device: None,
        retained_session: keep.as_ref(),
    };
    services.accounts.passwords.change(&services.policy().await, change, START).await.map(drop)
}

#[test]
fn new_password_must_obey_policy_and_history() {
    TestDeployment::new(STRICT).run(async |services| {
        services.add("alex").await;
        let short = change(&services, RIGHT, "short", None).await;
        assert!(
            matches!(
                &short,
                Err(PasswordChangeError::NewPassword(NewPasswordError::Policy {
                    first: Violation::Broken(PasswordRule::MinLength(8)),
                    ..
                }))
            ),
            "{short:?}"
        );
        assert!(matches!(change(&services, RIGHT, RIGHT, None).await, Err(PasswordChangeError::Unchanged)));
        change(&services, RIGHT, "second password", None).await.unwrap();
        change(&services, "second password", "third password", None).await.unwrap();
        let back = change(&services, "third password", RIGHT, None).await;
        assert!(
            matches!(
                &back,
                Err(PasswordChangeError::NewPassword(NewPasswordError::Policy {
                    first: Violation::Broken(PasswordRule::NotUsedBefore(3)),
                    ..
                }))
            ),
            "{back:?}"
        );
        change(&services, "third password", "fourth password", None).await.unwrap();
        change(&services, "fourth password", RIGHT, None).await.expect("the fourth last is forgotten");
    });
}

#[test]
fn attack_guessing_the_current_password_is_counted_like_sign_in() {
    TestDeployment::new(STRICT).run(async |services| {
        services.add("alex").await;
        for _ in 0..5 {
            let wrong = change(&services, "wrong", "second password", None).await;
            assert!(
                matches!(wrong, Err(PasswordChangeError::CurrentPassword(LoginError::BadCredentials))),
                "{wrong:?}"
            );
        }
        let locked = change(&services, RIGHT, "second password", None).await;
        assert!(
            matches!(locked, Err(PasswordChangeError::CurrentPassword(LoginError::Locked(_)))),
            "{locked:?}"
        );
        assert!(services.sign_in("alex", RIGHT, START).await.is_err());
    });
}

#[test]
fn a_changed_password_ends_all_sessions_but_this_one() {
    TestDeployment::new("").run(async |services| {
        let alex = services.add("alex").await;
        let policy = services.policy().await;
        let begin = || {
            let settings = &policy.session;
            let begin = NewSession {
                account: &alex,
                settings,
                reject_disabled_accounts: true,
                user_agent: "",
                address: ALICE_ADDRESS.into(),
                previous: None,
            };
            services.accounts.sessions.begin(begin, START)
        };
        let (mine, other) = (begin().await.unwrap(), begin().await.unwrap());
        let alive = async |secret: &CookieSecret| {
            services.accounts.sessions.find(&hash_of(secret), START).await.unwrap().is_some()
        };
        assert!(alive(&mine).await && alive(&other).await);
        change(&services, RIGHT, "second password", Some(&mine)).await.unwrap();
        assert!(alive(&mine).await && !alive(&other).await);
    });
}

#[test]
fn imported_hash_is_verified_and_rehashed_at_sign_in() {
    TestDeployment::new("").run(async |services| {
        let tenant = &services.policy().await.tenant;
        let salted = [&b"secret"[..], b"12345678"].concat();
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &salted);
        let hash = STANDARD.encode([digest.as_ref(), b"12345678"].concat());
        let user = ImportedUser {
            password_hash: Some(format!("{{SSHA}}{hash}")),
            ..ImportedUser::from_json(r#"{"username": "alex"}"#).unwrap()
        };
        let alex = services.import(tenant, user, START).await.unwrap();
        assert!(services.sign_in("alex", "wrong", START).await.is_err());
        assert!(services.sign_in("alex", "secret", START).await.is_ok());
        let stored = services.accounts.store.accounts().find_with_password(&alex).await.unwrap().unwrap();
        let stored = stored.password;
        assert!(stored.expose().starts_with("$argon2id$v=19$m=8192,t=1,p=1$"), "{}", stored.expose());
        assert!(services.sign_in("alex", "secret", START).await.is_ok());
        // a password that no sign-in form can send is refused
        let user = ImportedUser::from_json(r#"{"username": "kim", "password_hash": "md5:x"}"#).unwrap();
        assert!(services.import(tenant, user, START).await.is_err());
    });
}

#[test]
fn a_hash_is_renewed_when_its_cost_has_changed() {
    let deployment = TestDeployment::new("");
    deployment.run(async |services| drop(services.add("alex").await));
    let mut settings = deployment.settings();
    settings.accounts.hashing.iterations = 3;
    run_with(settings, async |services| {
        let alex = services.sign_in("alex", RIGHT, START).await.unwrap().account;
        let stored =
            services.accounts.store.accounts().find_with_password(&alex.id).await.unwrap().unwrap().password;
        assert!(stored.expose().contains("t=3"), "{}", stored.expose());
    });
}

/// An attacker who knows the old password begins to change it, and waits for the list of breached passwords (up to three
/// seconds) when an administrator does something. The change must not undo that.
fn change_interrupted_by(administrator: impl AsyncFnOnce(&TestServices, &Account)) -> PasswordChangeError {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let list = format!("breached_url = \"http://{}/range/\"\n", listener.local_addr().unwrap());
    let mut outcome = None;
    TestDeployment::new(&format!("{STRICT}{list}")).run(async |services| {
        let alex = services.add("alex").await;
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        // the request about the first password, whose answer was not used
        drop(listener.accept().await.unwrap());
        let accounts = services.accounts.store.accounts();
        let before = accounts.find_with_password(&alex.id).await.unwrap().unwrap().password;
        let meanwhile = async {
            let (asked, _) = listener.accept().await.unwrap();
            administrator(&services, &alex).await;
            // no answer: the list is not required
            drop((asked, listener));
        };
        let (changed, ()) = tokio::join!(change(&services, RIGHT, "second password", None), meanwhile);
        let now = accounts.find_with_password(&alex.id).await.unwrap().unwrap();
        assert!(
            now.password == before || now.account.password_changed_at == START + ms(1),
            "the new password is in force"
        );
        outcome = changed.err();
    });
    outcome.expect("what the administrator did is undone")
}

#[test]
fn attack_a_change_under_way_undoes_an_administrators_reset() {
    let refused = change_interrupted_by(async |services, alex| {
        let new = NewPassword { hash: StoredPassword::unusable(), must_change: false, history_length: 1 };
        let accounts = services.accounts.store.accounts();
        let update = PasswordUpdate { new: &new, retained_session: None, now: START + ms(1) };
        assert!(accounts.set_password(&alex.id, update).await.unwrap());
    });
    assert!(
        matches!(refused, PasswordChangeError::CurrentPassword(LoginError::BadCredentials)),
        "{refused:?}"
    );
}

#[test]
fn attack_a_change_under_way_ignores_an_admin_lock() {
    let refused = change_interrupted_by(async |services, alex| {
        services.accounts.administration.lock(alex, &operator(), START + ms(1)).await.unwrap();
    });
    assert!(
        matches!(refused, PasswordChangeError::CurrentPassword(LoginError::LockedByAdmin)),
        "{refused:?}"
    );
}

#[test]
fn attack_a_change_under_way_ignores_a_disabled_account() {
    let refused = change_interrupted_by(async |services, alex| {
        services.accounts.administration.disable(alex, &operator(), START + ms(1)).await.unwrap();
    });
    assert!(matches!(refused, PasswordChangeError::CurrentPassword(LoginError::Disabled)), "{refused:?}");
}
