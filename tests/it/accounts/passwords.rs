//! Passwords: held to the policy, changed by who knows the old one, renewed and taken over from elsewhere.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use doorward::{
    account::{ChangeError, ChangePassword, ImportedUser, Rejected, hashing::Password},
    domain::{
        account::{Account, StoredPassword},
        password::{Rule, Violation},
    },
    session::{Begin, CookieSecret, hash_of},
    store::NewPassword,
};

use super::{ALICES, Desk, House, RIGHT, START, actor};

const STRICT: &str = "[account_lock]\nenabled = true\n[password_policy]\nenabled = true\nmin_length = 8\n\
    max_length = 64\npattern = \".*\"\nhistory = 3\n";

async fn change(
    desk: &Desk,
    current: &str,
    new: &str,
    keep: Option<&CookieSecret>,
) -> Result<(), ChangeError> {
    let (current, new, keep) = (Password::new(current), Password::new(new), keep.map(hash_of));
    let change = ChangePassword {
        login: "alex",
        current: &current,
        new: &new,
        address: ALICES.into(),
        device: None,
        keep: keep.as_ref(),
    };
    desk.doors.change_password(&desk.policy().await, change, START).await.map(drop)
}

#[test]
fn a_new_password_is_held_to_the_policy_and_to_the_history() {
    House::new(STRICT).open(async |desk| {
        desk.add("alex").await;
        let short = change(&desk, RIGHT, "short", None).await;
        assert!(
            matches!(&short, Err(ChangeError::Policy { first: Violation::Broken(Rule::MinLength(8)), .. })),
            "{short:?}"
        );
        assert!(matches!(change(&desk, RIGHT, RIGHT, None).await, Err(ChangeError::Same)));
        change(&desk, RIGHT, "second password", None).await.unwrap();
        change(&desk, "second password", "third password", None).await.unwrap();
        let back = change(&desk, "third password", RIGHT, None).await;
        assert!(
            matches!(
                &back,
                Err(ChangeError::Policy { first: Violation::Broken(Rule::NotUsedBefore(3)), .. })
            ),
            "{back:?}"
        );
        change(&desk, "third password", "fourth password", None).await.unwrap();
        change(&desk, "fourth password", RIGHT, None).await.expect("the fourth last is forgotten");
    });
}

#[test]
fn attack_guessing_the_current_password_is_counted_like_sign_in() {
    House::new(STRICT).open(async |desk| {
        desk.add("alex").await;
        for _ in 0..5 {
            let wrong = change(&desk, "wrong", "second password", None).await;
            assert!(matches!(wrong, Err(ChangeError::Rejected(Rejected::BadCredentials))), "{wrong:?}");
        }
        let locked = change(&desk, RIGHT, "second password", None).await;
        assert!(matches!(locked, Err(ChangeError::Rejected(Rejected::Locked(_)))), "{locked:?}");
        assert!(desk.try_at("alex", RIGHT, START).await.is_err());
    });
}

#[test]
fn a_changed_password_ends_all_sessions_but_this_one() {
    House::new("").open(async |desk| {
        let alex = desk.add("alex").await;
        let policy = desk.policy().await;
        let begin = || {
            let settings = &policy.session;
            let begin = Begin {
                account: &alex,
                settings,
                disabled_stay_out: true,
                user_agent: "",
                address: ALICES.into(),
                old: None,
            };
            desk.doors.sessions().begin(begin, START)
        };
        let (mine, other) = (begin().await.unwrap(), begin().await.unwrap());
        let alive = async |secret: &CookieSecret| {
            desk.doors.sessions().find(&hash_of(secret), START).await.unwrap().is_some()
        };
        assert!(alive(&mine).await && alive(&other).await);
        change(&desk, RIGHT, "second password", Some(&mine)).await.unwrap();
        assert!(alive(&mine).await && !alive(&other).await);
    });
}

#[test]
fn a_hash_from_elsewhere_opens_the_account_and_is_made_ours_at_the_first_sign_in() {
    House::new("").open(async |desk| {
        let tenant = &desk.policy().await.tenant;
        let salted = [&b"secret"[..], b"12345678"].concat();
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &salted);
        let hash = STANDARD.encode([digest.as_ref(), b"12345678"].concat());
        let user = ImportedUser {
            password_hash: Some(format!("{{SSHA}}{hash}")),
            ..ImportedUser::of_json(r#"{"username": "alex"}"#).unwrap()
        };
        let alex = desk.import(tenant, user, START).await.unwrap();
        assert!(desk.try_at("alex", "wrong", START).await.is_err());
        assert!(desk.try_at("alex", "secret", START).await.is_ok());
        let (_, stored) = desk.doors.store().accounts().find_with_password(&alex).await.unwrap().unwrap();
        assert!(stored.expose().starts_with("$argon2id$v=19$m=8192,t=1,p=1$"), "{}", stored.expose());
        assert!(desk.try_at("alex", "secret", START).await.is_ok());
        // and what nobody could ever sign in with is refused
        let user = ImportedUser::of_json(r#"{"username": "kim", "password_hash": "md5:x"}"#).unwrap();
        assert!(desk.import(tenant, user, START).await.is_err());
    });
}

#[test]
fn a_hash_is_renewed_when_its_cost_has_changed() {
    let house = House::new("");
    house.open(async |desk| drop(desk.add("alex").await));
    let mut settings = house.settings();
    settings.accounts.hashing.iterations = 3;
    let renewed = doorward::boot::at_desk(settings, async |doors, tenants, default| {
        let desk = Desk { doors, tenants, default };
        let alex = desk.try_at("alex", RIGHT, START).await.unwrap().account;
        let (_, stored) = desk.doors.store().accounts().find_with_password(&alex.id).await?.unwrap();
        assert!(stored.expose().contains("t=3"), "{}", stored.expose());
        Ok(())
    });
    renewed.unwrap();
}

/// Somebody who knows the old password begins to change it, and is waiting for the list of breached passwords (up to three
/// seconds) when an administrator does something. The change must not undo that.
fn under_way(administrator: impl AsyncFnOnce(&Desk, &Account)) -> ChangeError {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let list = format!("breached_url = \"http://{}/range/\"\n", listener.local_addr().unwrap());
    let mut outcome = None;
    House::new(&format!("{STRICT}{list}")).open(async |desk| {
        let alex = desk.add("alex").await;
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        // what was asked of the first password, which waited in vain
        drop(listener.accept().await.unwrap());
        let accounts = desk.doors.store().accounts();
        let (_, before) = accounts.find_with_password(&alex.id).await.unwrap().unwrap();
        let meanwhile = async {
            let (asked, _) = listener.accept().await.unwrap();
            administrator(&desk, &alex).await;
            // no answer: the list is not required
            drop((asked, listener));
        };
        let (changed, ()) = tokio::join!(change(&desk, RIGHT, "second password", None), meanwhile);
        let (now, stored) = accounts.find_with_password(&alex.id).await.unwrap().unwrap();
        assert!(stored == before || now.password_changed_at == START + 1, "the new password is in force");
        outcome = changed.err();
    });
    outcome.expect("what the administrator did is undone")
}

#[test]
fn attack_a_change_under_way_undoes_an_administrators_reset() {
    let refused = under_way(async |desk, alex| {
        let new = NewPassword { hash: StoredPassword::unusable(), must_change: false, keep_history: 1 };
        let accounts = desk.doors.store().accounts();
        assert!(accounts.set_password(&alex.id, &new, None, START + 1).await.unwrap());
    });
    assert!(matches!(refused, ChangeError::Rejected(Rejected::BadCredentials)), "{refused:?}");
}

#[test]
fn attack_a_change_under_way_goes_on_behind_an_administrators_lock() {
    let refused = under_way(async |desk, alex| desk.doors.lock(alex, &actor(), START + 1).await.unwrap());
    assert!(matches!(refused, ChangeError::Rejected(Rejected::LockedByAdmin)), "{refused:?}");
}

#[test]
fn attack_a_change_under_way_goes_on_for_a_disabled_account() {
    let refused = under_way(async |desk, alex| desk.doors.disable(alex, &actor(), START + 1).await.unwrap());
    assert!(matches!(refused, ChangeError::Rejected(Rejected::Disabled)), "{refused:?}");
}
