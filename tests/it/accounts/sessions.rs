//! Sessions on a real store: begun, renamed, limited, ended here and elsewhere.

use doorward::internals::{
    account::hashing::Password,
    clock::Clock,
    domain::{account::Account, time::Timestamp},
    session::{BeginSessionError, CookieSecret, NewSession, SessionsUnavailable, hash_of},
    store::StoreChange,
};
use sqlx::{AnyConnection, Connection as _};

use crate::support::{
    actors::operator,
    eventually::{eventually_async, within},
    services::{ALICE_ADDRESS, MINUTE, RIGHT, START, TestDeployment, TestServices, ms},
};

async fn begin(
    services: &TestServices,
    account: &Account,
    old: Option<&CookieSecret>,
    now: Timestamp,
) -> CookieSecret {
    let policy = services.policy().await;
    let begin = NewSession {
        account,
        settings: &policy.session,
        reject_disabled_accounts: true,
        user_agent: "Firefox",
        address: ALICE_ADDRESS.into(),
        previous: old,
    };
    services.accounts.sessions.begin(begin, now).await.unwrap()
}

async fn is_alive(services: &TestServices, secret: &CookieSecret, now: Timestamp) -> bool {
    services.accounts.sessions.find(&hash_of(secret), now).await.unwrap().is_some()
}

#[test]
fn attack_session_fixation_by_a_planted_session() {
    TestDeployment::new("").run(async |services| {
        let alex = services.add("alex").await;
        let planted = begin(&services, &alex, None, START).await;
        let fresh = begin(&services, &alex, Some(&planted), START).await;
        assert_ne!(planted, fresh);
        assert!(is_alive(&services, &fresh, START).await && !is_alive(&services, &planted, START).await);
    });
}

/// Calls to a closed store fail, so a success shows that the store was not used.
#[test]
fn attack_made_up_session_cookies_query_the_store() {
    TestDeployment::new("").run(async |services| {
        let alex = services.add("alex").await;
        let unheard_of = begin(&services, &alex, None, START).await;
        services.accounts.store.close().await;
        let ask = async |value: &str| {
            let cookie = format!("doorward_session={value}").parse().unwrap();
            let headers = http::HeaderMap::from_iter([(http::header::COOKIE, cookie)]);
            services
                .accounts
                .sessions
                .find_for_request(&headers, false, START)
                .await
                .map(|live| live.is_some())
        };
        for byte in 0..=255 {
            assert_eq!(ask(&CookieSecret::new([byte; 32]).value()).await, Ok(false));
        }
        for shape in ["", "x", &"A".repeat(42), &"A".repeat(44), &"A".repeat(10_000)] {
            assert_eq!(ask(shape).await, Ok(false), "{shape}");
        }
        assert_eq!(ask(&unheard_of.value()).await, Err(SessionsUnavailable));
    });
}

#[test]
fn one_session_too_many_ends_the_oldest() {
    TestDeployment::new("[session]\nmax_per_account = 2\n").run(async |services| {
        let (alex, kim) = (services.add("alex").await, services.add("kim").await);
        let kims = begin(&services, &kim, None, START).await;
        let mut sessions = Vec::new();
        for number in 0..3 {
            sessions.push(begin(&services, &alex, None, START + number * MINUTE).await);
        }
        let now = START + 3 * MINUTE;
        let mut left = Vec::new();
        for secret in &sessions {
            left.push(is_alive(&services, secret, now).await);
        }
        assert_eq!(left, [false, true, true]);
        assert!(is_alive(&services, &kims, now).await);
        assert_eq!(services.accounts.sessions.list(&alex.id, now).await.unwrap().len(), 2);
    });
}

#[test]
fn session_ends_after_idle_timeout_and_lifetime() {
    TestDeployment::new("[session]\nidle_timeout = \"10m\"\nlifetime = \"1h\"\n").run(async |services| {
        let alex = services.add("alex").await;
        let busy = begin(&services, &alex, None, START).await;
        let silent = begin(&services, &alex, None, START).await;
        for minute in (5..60).step_by(5) {
            assert!(is_alive(&services, &busy, START + minute * MINUTE).await, "{minute}");
        }
        assert!(!is_alive(&services, &silent, START + 10 * MINUTE).await);
        assert!(!is_alive(&services, &busy, START + 60 * MINUTE).await);
    });
}

#[test]
fn last_use_is_written_in_the_background() {
    TestDeployment::new("").run(async |services| {
        let alex = services.add("alex").await;
        let secret = begin(&services, &alex, None, START).await;
        assert!(is_alive(&services, &secret, START + 2 * MINUTE).await);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        loop {
            let stored = services.accounts.sessions.list(&alex.id, START + 2 * MINUTE).await.unwrap();
            if stored.iter().any(|session| session.last_seen_at == START + 2 * MINUTE) {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "{stored:?}");
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn session_ended_at_another_replica_ends_within_a_second() {
    let deployment = TestDeployment::new("");
    deployment.run(async |here| {
        let alex = here.add("alex").await;
        let sessions = here.accounts.sessions.clone();
        let following = tokio::spawn(async move { sessions.follow_changes(|_| {}).await });
        let (secret, other) =
            (begin(&here, &alex, None, START).await, begin(&here, &alex, None, START).await);
        assert!(is_alive(&here, &secret, START).await && is_alive(&here, &other, START).await);
        // another process
        let (settings, ended) = (deployment.settings(), hash_of(&secret));
        let elsewhere = std::thread::spawn(move || {
            doorward::internals::boot::with_account_store(settings, async |accounts, _, _| {
                assert!(accounts.sessions.end(&ended, START).await?);
                Ok(())
            })
        });
        eventually_async(async || !is_alive(&here, &secret, START).await).await;
        elsewhere.join().unwrap().unwrap();
        assert!(is_alive(&here, &other, START).await);
        following.abort();
    });
}

/// Whatever breaks the stream of changes: here its table is gone, while all others work.
#[test]
fn attack_ended_session_at_a_replica_without_change_feed() {
    async fn until_ended(services: &TestServices, secret: &CookieSecret) {
        eventually_async(async || !is_alive(services, secret, START).await).await;
    }
    let deployment = TestDeployment::new("");
    deployment.run(async |here| {
        let alex = here.add("alex").await;
        let sessions = here.accounts.sessions.clone();
        let following = tokio::spawn(async move { sessions.follow_changes(|_| {}).await });
        let heard = begin(&here, &alex, None, START).await;
        assert!(is_alive(&here, &heard, START).await);
        assert!(here.accounts.store.sessions().end(&hash_of(&heard), START).await.unwrap());
        until_ended(&here, &heard).await;

        let (ended, other) = (begin(&here, &alex, None, START).await, begin(&here, &alex, None, START).await);
        assert!(is_alive(&here, &ended, START).await && is_alive(&here, &other, START).await);
        let url = format!("sqlite:{}", deployment.folder.path().join("doorward.db").display());
        let mut beside = AnyConnection::connect(&url).await.unwrap();
        let unheard =
            format!("DROP TABLE changes; DELETE FROM sessions WHERE hash = '{}'", hash_of(&ended).to_hex());
        sqlx::raw_sql(sqlx::AssertSqlSafe(unheard)).execute(&mut beside).await.unwrap();
        until_ended(&here, &ended).await;
        assert!(is_alive(&here, &other, START).await);
        following.abort();
    });
}

#[test]
fn open_connection_ends_with_its_session_in_a_store_outage() {
    TestDeployment::new("[session]\nlifetime = \"1h\"\n").run(async |services| {
        let alex = services.add("alex").await;
        let secret = begin(&services, &alex, None, START).await;
        let sessions = &services.accounts.sessions;
        let open = sessions.open(&sessions.find(&hash_of(&secret), START).await.unwrap().unwrap());
        services.accounts.store.close().await;
        sessions.apply_change(&StoreChange::Everything).await;
        let clock = |left| Clock::adjustable(START + 60 * MINUTE - left);
        let second = std::time::Duration::from_secs(1);
        let early = tokio::time::timeout(second / 10, sessions.wait_for_end(&open, &clock(MINUTE))).await;
        assert!(early.is_err(), "the store does not answer: the session was accepted before, and stays");
        tokio::time::timeout(3 * second, sessions.wait_for_end(&open, &clock(ms(200))))
            .await
            .expect("in its last moment");
    });
}

#[test]
fn start_fails_if_the_store_cannot_be_opened() {
    let deployment = TestDeployment::with_store("sqlite:missing/doorward.db", "");
    let error =
        doorward::internals::boot::start(deployment.settings(), Clock::system()).err().expect("no start");
    let message = format!("{error:#}");
    assert!(message.contains("accounts.store_url") && message.contains("missing"), "{message}");
}

#[test]
fn readyz_reports_a_store_that_is_down() {
    use crate::support::database::{Kind, with_database};
    with_database(Kind::Postgres, async |database| {
        let url = database.url.clone();
        let proxy = std::thread::spawn(move || {
            let portal = crate::support::Portal::answering("").start();
            let proxy = crate::support::TestProxy::in_front_of(&portal)
                .setting("accounts.enabled", true)
                .setting("accounts.store_url", url)
                .start();
            crate::support::eventually(|| proxy.admin("/readyz").status == 200);
            (portal, proxy)
        });
        let (_portal, proxy) = proxy.join().unwrap();
        database.run("ALTER TABLE change_clock RENAME TO gone").await;
        std::thread::spawn(move || {
            within(std::time::Duration::from_secs(10), || proxy.admin("/readyz").status == 503);
            assert!(proxy.admin("/readyz").text().contains("store: does not answer"));
            proxy
        })
        .join()
        .unwrap();
    });
}

#[test]
fn attack_session_created_after_a_lock() {
    TestDeployment::with_lockout().run(async |services| {
        let alex = services.add("alex").await;
        let signed_in = services.sign_in("alex", RIGHT, START).await.unwrap();
        // between the verification of the password and the session
        services.accounts.administration.lock(&alex, &operator(), START).await.unwrap();
        let begun = services
            .accounts
            .sessions
            .begin(signed_in.new_session("", ALICE_ADDRESS.into(), None), START)
            .await;
        assert!(matches!(begun, Err(BeginSessionError::AccountChanged)), "{begun:?}");
        services.accounts.administration.unlock(&alex, &operator(), START).await.unwrap();
        assert_eq!(services.accounts.sessions.list(&alex.id, START).await.unwrap(), []);
    });
}

#[test]
fn attack_session_created_after_a_password_change() {
    TestDeployment::new("").run(async |services| {
        let (alex, policy) = (services.add("alex").await, services.policy().await);
        let signed_in = services.sign_in("alex", RIGHT, START).await.unwrap();
        let new = Password::new("entirely another one");
        services.accounts.passwords.set(&policy, &alex, &new, false, START + ms(1)).await.unwrap();
        let begun = services
            .accounts
            .sessions
            .begin(signed_in.new_session("", ALICE_ADDRESS.into(), None), START + ms(2))
            .await;
        assert!(matches!(begun, Err(BeginSessionError::AccountChanged)), "{begun:?}");
        assert_eq!(services.accounts.sessions.list(&alex.id, START + ms(2)).await.unwrap(), []);
    });
}

#[test]
fn attack_session_of_a_locked_account() {
    let deployment = TestDeployment::with_lockout();
    deployment.run(async |services| {
        let alex = services.add("alex").await;
        let session = begin(&services, &alex, None, START).await;
        // behind the store's back: a lock without the end of sessions
        let url = format!("sqlite:{}", deployment.folder.path().join("doorward.db").display());
        let mut database = AnyConnection::connect(&url).await.unwrap();
        let lock = "UPDATE accounts SET lock_reason = 'AdminInitiated', locked_at = 1";
        sqlx::raw_sql(lock).execute(&mut database).await.unwrap();
        services.accounts.sessions.apply_change(&StoreChange::AccountChanged(alex.id)).await;
        assert!(!is_alive(&services, &session, START).await);
    });
}
