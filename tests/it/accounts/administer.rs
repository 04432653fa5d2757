//! What administrators do, and what becomes of sessions.

use doorward::session::{Begin, CookieSecret, hash_of};

use super::{ALICES, Desk, House, RIGHT, START, actor};
use doorward::{
    account::{AddError, NewUser, hashing::Password},
    domain::account::Account,
};

async fn begin(desk: &Desk, account: &Account) -> CookieSecret {
    let policy = desk.policy().await;
    let begin = Begin {
        account,
        settings: &policy.session,
        disabled_stay_out: true,
        user_agent: "",
        address: ALICES.into(),
        old: None,
    };
    desk.doors.sessions().begin(begin, START).await.unwrap()
}

async fn alive(desk: &Desk, secret: &CookieSecret) -> bool {
    desk.doors.sessions().find(&hash_of(secret), START).await.unwrap().is_some()
}

#[test]
fn a_lock_and_a_disabled_account_end_sessions_and_their_end_ends_nothing() {
    House::locking().open(async |desk| {
        let alex = desk.add("alex").await;
        let session = begin(&desk, &alex).await;
        desk.doors.lock(&alex, &actor(), START).await.unwrap();
        assert!(!alive(&desk, &session).await);
        assert!(desk.try_at("alex", RIGHT, START).await.is_err());
        desk.doors.unlock(&alex, &actor(), START).await.unwrap();
        assert!(desk.try_at("alex", RIGHT, START).await.is_ok());

        let session = begin(&desk, &alex).await;
        desk.doors.unlock(&alex, &actor(), START).await.unwrap();
        assert!(alive(&desk, &session).await);
        desk.doors.disable(&alex, &actor(), START).await.unwrap();
        assert!(!alive(&desk, &session).await);
        assert!(desk.try_at("alex", RIGHT, START).await.is_err());
        desk.doors.enable(&alex, &actor(), START).await.unwrap();
        assert!(desk.try_at("alex", RIGHT, START).await.is_ok());
    });
}

#[test]
fn wrong_passwords_of_strangers_end_nobodys_session() {
    House::locking().open(async |desk| {
        let alex = desk.add("alex").await;
        let session = begin(&desk, &alex).await;
        desk.wrong("alex", 6, START).await;
        assert!(alive(&desk, &session).await);
    });
}

#[test]
fn a_password_set_by_an_administrator_is_held_to_the_policy_and_ends_sessions() {
    House::new("[password_policy]\nenabled = true\npattern = \".*\"\n").open(async |desk| {
        let policy = desk.policy().await;
        let new = |name: &str| NewUser { username: name.to_owned(), ..NewUser::default() };
        let refused = desk.doors.add(&policy, new("kim"), Some(&Password::new("short")), START).await;
        assert!(matches!(refused, Err(AddError::Password(_))), "{refused:?}");
        let alex = desk.doors.add(&policy, new("alex"), None, START).await.unwrap();
        assert!(desk.try_at("alex", "", START).await.is_err(), "without a password nobody gets in");
        let session = begin(&desk, &alex).await;
        let set = |password: &'static str| {
            let (desk, policy, alex) = (&desk, &policy, &alex);
            async move { desk.doors.set_password(policy, alex, &Password::new(password), false, START).await }
        };
        assert!(set("short").await.is_err() && alive(&desk, &session).await);
        set("long enough").await.unwrap();
        assert!(!alive(&desk, &session).await);
        assert!(desk.try_at("alex", "long enough", START).await.is_ok());
    });
}
