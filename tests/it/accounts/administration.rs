//! Administrator actions on accounts, and their effect on sessions.

use doorward::internals::session::{CookieSecret, NewSession, hash_of};

use crate::support::{
    actors::operator,
    services::{ALICE_ADDRESS, RIGHT, START, TestDeployment, TestServices},
};
use doorward::internals::{
    account::{CreateAccountError, NewUser, hashing::Password},
    domain::account::Account,
};

async fn begin(services: &TestServices, account: &Account) -> CookieSecret {
    let policy = services.policy().await;
    let begin = NewSession {
        account,
        settings: &policy.session,
        reject_disabled_accounts: true,
        user_agent: "",
        address: ALICE_ADDRESS.into(),
        previous: None,
    };
    services.accounts.sessions.begin(begin, START).await.unwrap()
}

async fn is_alive(services: &TestServices, secret: &CookieSecret) -> bool {
    services.accounts.sessions.find(&hash_of(secret), START).await.unwrap().is_some()
}

#[test]
fn locking_or_disabling_an_account_ends_its_sessions() {
    TestDeployment::with_lockout().run(async |services| {
        let alex = services.add("alex").await;
        let session = begin(&services, &alex).await;
        services.accounts.administration.lock(&alex, &operator(), START).await.unwrap();
        assert!(!is_alive(&services, &session).await);
        assert!(services.sign_in("alex", RIGHT, START).await.is_err());
        services.accounts.administration.unlock(&alex, &operator(), START).await.unwrap();
        assert!(services.sign_in("alex", RIGHT, START).await.is_ok());

        let session = begin(&services, &alex).await;
        services.accounts.administration.unlock(&alex, &operator(), START).await.unwrap();
        assert!(is_alive(&services, &session).await);
        services.accounts.administration.disable(&alex, &operator(), START).await.unwrap();
        assert!(!is_alive(&services, &session).await);
        assert!(services.sign_in("alex", RIGHT, START).await.is_err());
        services.accounts.administration.enable(&alex, &operator(), START).await.unwrap();
        assert!(services.sign_in("alex", RIGHT, START).await.is_ok());
    });
}

#[test]
fn failed_sign_ins_end_no_session() {
    TestDeployment::with_lockout().run(async |services| {
        let alex = services.add("alex").await;
        let session = begin(&services, &alex).await;
        services.fail_sign_ins("alex", 6, START).await;
        assert!(is_alive(&services, &session).await);
    });
}

#[test]
fn admin_set_password_obeys_policy_and_ends_sessions() {
    TestDeployment::new("[password_policy]\nenabled = true\npattern = \".*\"\n").run(async |services| {
        let policy = services.policy().await;
        let new = |name: &str| NewUser { username: name.to_owned(), ..NewUser::default() };
        let refused = services
            .accounts
            .administration
            .create(&policy, new("kim"), Some(&Password::new("short")), START)
            .await;
        assert!(matches!(refused, Err(CreateAccountError::Password(_))), "{refused:?}");
        let alex = services.accounts.administration.create(&policy, new("alex"), None, START).await.unwrap();
        assert!(
            services.sign_in("alex", "", START).await.is_err(),
            "an account without a password cannot sign in"
        );
        let session = begin(&services, &alex).await;
        let set = |password: &'static str| {
            let (services, policy, alex) = (&services, &policy, &alex);
            async move {
                services.accounts.passwords.set(policy, alex, &Password::new(password), false, START).await
            }
        };
        assert!(set("short").await.is_err() && is_alive(&services, &session).await);
        set("long enough").await.unwrap();
        assert!(!is_alive(&services, &session).await);
        assert!(services.sign_in("alex", "long enough", START).await.is_ok());
    });
}
