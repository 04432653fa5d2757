//! Sessions on a real store: begun, renamed, limited, ended here and elsewhere.

use doorward::{
    account::hashing::Password,
    domain::account::Account,
    session::{Begin, CookieSecret, NotBegun, Unavailable, hash_of},
    store::Change,
};
use sqlx::{AnyConnection, Connection as _};

use super::{ALICES, Desk, House, MINUTE, RIGHT, START, actor};
use crate::support::eventually::within;

async fn begin(desk: &Desk, account: &Account, old: Option<&CookieSecret>, now: u64) -> CookieSecret {
    let policy = desk.policy().await;
    let begin = Begin {
        account,
        settings: &policy.session,
        disabled_stay_out: true,
        user_agent: "Firefox",
        address: ALICES.into(),
        old,
    };
    desk.doors.sessions().begin(begin, now).await.unwrap()
}

async fn alive(desk: &Desk, secret: &CookieSecret, now: u64) -> bool {
    desk.doors.sessions().find(&hash_of(secret), now).await.unwrap().is_some()
}

#[test]
fn attack_session_fixation_signing_in_gives_the_session_a_new_name() {
    House::new("").open(async |desk| {
        let alex = desk.add("alex").await;
        let planted = begin(&desk, &alex, None, START).await;
        let fresh = begin(&desk, &alex, Some(&planted), START).await;
        assert_ne!(planted, fresh);
        assert!(alive(&desk, &fresh, START).await && !alive(&desk, &planted, START).await);
    });
}

/// A store that is closed tells whether it was asked.
#[test]
fn attack_made_up_session_cookies_cost_no_look_into_the_store() {
    House::new("").open(async |desk| {
        let alex = desk.add("alex").await;
        let unheard_of = begin(&desk, &alex, None, START).await;
        desk.doors.store().close().await;
        let ask = async |value: &str| {
            let cookie = format!("doorward_session={value}").parse().unwrap();
            let headers = http::HeaderMap::from_iter([(http::header::COOKIE, cookie)]);
            desk.doors.sessions().of_request(&headers, false, START).await.map(|live| live.is_some())
        };
        for byte in 0..=255 {
            assert_eq!(ask(&CookieSecret::new([byte; 32]).value()).await, Ok(false));
        }
        for shape in ["", "x", &"A".repeat(42), &"A".repeat(44), &"A".repeat(10_000)] {
            assert_eq!(ask(shape).await, Ok(false), "{shape}");
        }
        assert_eq!(ask(&unheard_of.value()).await, Err(Unavailable));
    });
}

#[test]
fn one_session_too_many_ends_the_oldest() {
    House::new("[session]\nmax_per_account = 2\n").open(async |desk| {
        let (alex, kim) = (desk.add("alex").await, desk.add("kim").await);
        let kims = begin(&desk, &kim, None, START).await;
        let mut sessions = Vec::new();
        for number in 0..3 {
            sessions.push(begin(&desk, &alex, None, START + number * MINUTE).await);
        }
        let now = START + 3 * MINUTE;
        let mut left = Vec::new();
        for secret in &sessions {
            left.push(alive(&desk, secret, now).await);
        }
        assert_eq!(left, [false, true, true]);
        assert!(alive(&desk, &kims, now).await);
        assert_eq!(desk.doors.sessions_of(&alex.id, now).await.unwrap().len(), 2);
    });
}

#[test]
fn a_session_ends_by_silence_and_by_age_as_the_settings_say() {
    House::new("[session]\nidle_timeout = \"10m\"\nlifetime = \"1h\"\n").open(async |desk| {
        let alex = desk.add("alex").await;
        let busy = begin(&desk, &alex, None, START).await;
        let silent = begin(&desk, &alex, None, START).await;
        for minute in (5..60).step_by(5) {
            assert!(alive(&desk, &busy, START + minute * MINUTE).await, "{minute}");
        }
        assert!(!alive(&desk, &silent, START + 10 * MINUTE).await);
        assert!(!alive(&desk, &busy, START + 60 * MINUTE).await);
    });
}

#[test]
fn who_was_just_used_is_written_down_in_the_background() {
    House::new("").open(async |desk| {
        let alex = desk.add("alex").await;
        let secret = begin(&desk, &alex, None, START).await;
        assert!(alive(&desk, &secret, START + 2 * MINUTE).await);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        loop {
            let stored = desk.doors.sessions_of(&alex.id, START + 2 * MINUTE).await.unwrap();
            if stored.iter().any(|session| session.last_seen_at == START + 2 * MINUTE) {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "{stored:?}");
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_session_that_was_ended_elsewhere_ends_here_within_a_second() {
    let house = House::new("");
    house.open(async |here| {
        let alex = here.add("alex").await;
        let sessions = here.doors.sessions().clone();
        let following = tokio::spawn(async move { sessions.follow(|_| {}).await });
        let (secret, other) =
            (begin(&here, &alex, None, START).await, begin(&here, &alex, None, START).await);
        assert!(alive(&here, &secret, START).await && alive(&here, &other, START).await);
        // another process
        let (settings, ended) = (house.settings(), hash_of(&secret));
        let elsewhere = std::thread::spawn(move || {
            doorward::boot::at_desk(settings, async |doors, _, _| {
                assert!(doors.end_session(&ended, START).await?);
                Ok(())
            })
        });
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while alive(&here, &secret, START).await {
            assert!(std::time::Instant::now() < deadline);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        elsewhere.join().unwrap().unwrap();
        assert!(alive(&here, &other, START).await);
        following.abort();
    });
}

/// Whatever breaks the stream of changes: here its table is gone, while all others work.
#[test]
fn attack_an_ended_session_where_changes_are_not_heard_is_refused_within_seconds() {
    async fn until_ended(desk: &Desk, secret: &CookieSecret) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while alive(desk, secret, START).await {
            assert!(std::time::Instant::now() < deadline);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    let house = House::new("");
    house.open(async |here| {
        let alex = here.add("alex").await;
        let sessions = here.doors.sessions().clone();
        let following = tokio::spawn(async move { sessions.follow(|_| {}).await });
        let heard = begin(&here, &alex, None, START).await;
        assert!(alive(&here, &heard, START).await);
        assert!(here.doors.store().sessions().end(&hash_of(&heard), START).await.unwrap());
        until_ended(&here, &heard).await;

        let (ended, other) = (begin(&here, &alex, None, START).await, begin(&here, &alex, None, START).await);
        assert!(alive(&here, &ended, START).await && alive(&here, &other, START).await);
        let url = format!("sqlite:{}", house.folder.path().join("doorward.db").display());
        let mut beside = AnyConnection::connect(&url).await.unwrap();
        let unheard =
            format!("DROP TABLE changes; DELETE FROM sessions WHERE hash = '{}'", hash_of(&ended).to_hex());
        sqlx::raw_sql(sqlx::AssertSqlSafe(unheard)).execute(&mut beside).await.unwrap();
        until_ended(&here, &ended).await;
        assert!(alive(&here, &other, START).await);
        following.abort();
    });
}

#[test]
fn an_open_connection_ends_with_its_session_at_the_latest_whatever_the_store_says() {
    House::new("[session]\nlifetime = \"1h\"\n").open(async |desk| {
        let alex = desk.add("alex").await;
        let secret = begin(&desk, &alex, None, START).await;
        let sessions = desk.doors.sessions();
        let open = sessions.open(&sessions.find(&hash_of(&secret), START).await.unwrap().unwrap());
        desk.doors.store().close().await;
        sessions.changed(&Change::Everything).await;
        let began = std::time::Instant::now();
        let clock = |left: u64| {
            let start = START + 60 * MINUTE - left;
            move || start + u64::try_from(began.elapsed().as_millis()).unwrap()
        };
        let second = std::time::Duration::from_secs(1);
        let early = tokio::time::timeout(second / 10, sessions.ended(&open, clock(MINUTE))).await;
        assert!(early.is_err(), "the store does not answer: it was let in, and stays");
        tokio::time::timeout(3 * second, sessions.ended(&open, clock(200)))
            .await
            .expect("in its last moment");
    });
}

#[test]
fn a_store_that_cannot_be_opened_is_said_at_the_start() {
    let house = House::at("sqlite:missing/doorward.db", "");
    let error = doorward::boot::start(house.settings()).err().expect("no start");
    let told = format!("{error:#}");
    assert!(told.contains("accounts.store_url") && told.contains("missing"), "{told}");
}

#[test]
fn readyz_says_when_the_store_is_down() {
    use crate::support::database::{Kind, with};
    with(Kind::Postgres, async |database| {
        let url = database.url.clone();
        let gate = std::thread::spawn(move || {
            let portal = crate::support::Portal::answering("").start();
            let gate = crate::support::Gate::before(&portal)
                .setting("accounts.enabled", true)
                .setting("accounts.store_url", url)
                .start();
            crate::support::eventually(|| gate.admin("/readyz").status == 200);
            (portal, gate)
        });
        let (_portal, gate) = gate.join().unwrap();
        database.run("ALTER TABLE change_clock RENAME TO gone").await;
        std::thread::spawn(move || {
            within(std::time::Duration::from_secs(10), || gate.admin("/readyz").status == 503);
            assert!(gate.admin("/readyz").text().contains("store: does not answer"));
            gate
        })
        .join()
        .unwrap();
    });
}

#[test]
fn attack_a_session_is_not_born_after_a_lock() {
    House::locking().open(async |desk| {
        let alex = desk.add("alex").await;
        let signed_in = desk.try_at("alex", RIGHT, START).await.unwrap();
        // between the look at the password and the session
        desk.doors.lock(&alex, &actor(), START).await.unwrap();
        let begun = desk.doors.begin_session(&signed_in, "", ALICES.into(), None, START).await;
        assert!(matches!(begun, Err(NotBegun::Changed)), "{begun:?}");
        desk.doors.unlock(&alex, &actor(), START).await.unwrap();
        assert_eq!(desk.doors.sessions_of(&alex.id, START).await.unwrap(), []);
    });
}

#[test]
fn attack_a_session_is_not_born_after_a_new_password() {
    House::new("").open(async |desk| {
        let (alex, policy) = (desk.add("alex").await, desk.policy().await);
        let signed_in = desk.try_at("alex", RIGHT, START).await.unwrap();
        let new = Password::new("entirely another one");
        desk.doors.set_password(&policy, &alex, &new, false, START + 1).await.unwrap();
        let begun = desk.doors.begin_session(&signed_in, "", ALICES.into(), None, START + 2).await;
        assert!(matches!(begun, Err(NotBegun::Changed)), "{begun:?}");
        assert_eq!(desk.doors.sessions_of(&alex.id, START + 2).await.unwrap(), []);
    });
}

#[test]
fn attack_a_session_of_a_locked_account_opens_nothing() {
    let house = House::locking();
    house.open(async |desk| {
        let alex = desk.add("alex").await;
        let session = begin(&desk, &alex, None, START).await;
        // behind the store's back: a lock without the end of sessions
        let url = format!("sqlite:{}", house.folder.path().join("doorward.db").display());
        let mut database = AnyConnection::connect(&url).await.unwrap();
        let lock = "UPDATE accounts SET lock_reason = 'AdminInitiated', locked_at = 1";
        sqlx::raw_sql(lock).execute(&mut database).await.unwrap();
        desk.doors.sessions().changed(&Change::AccountChanged(alex.id)).await;
        assert!(!alive(&desk, &session, START).await);
    });
}
