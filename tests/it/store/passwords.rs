//! Passwords: the one that counts, and those that do not count again.

use doorward::internals::{
    domain::account::{Account, AccountId, HashFormat, NewAccount, StoredPassword},
    store::{NewPassword, PasswordUpdate, Store},
};

use super::{NOW, acme, alex, ms, new_account};
use crate::support::database::{Database, on_both_databases};

on_both_databases!(
    new_password_replaces_the_old,
    history_keeps_the_requested_number,
    two_changes_at_once_are_both_remembered,
    rehash_never_restores_an_old_password,
    hashes_of_other_systems_are_found_page_by_page,
);

fn hash(text: &str) -> StoredPassword {
    StoredPassword::new(text)
}

async fn set(store: &Store, account: &Account, text: &str, keep_history: u32) {
    let new = NewPassword { hash: hash(text), must_change: false, history_length: keep_history };
    let update = PasswordUpdate { new: &new, retained_session: None, now: NOW + ms(7) };
    assert!(store.accounts().set_password(&account.id, update).await.unwrap());
}

async fn history(store: &Store, account: &Account, count: u32) -> Vec<String> {
    let history = store.accounts().password_history(&account.id, count).await.unwrap();
    history.iter().map(|password| password.expose().to_owned()).collect()
}

async fn new_password_replaces_the_old(database: Database) {
    let store = database.open().await;
    let mut new = new_account(acme(), "alex");
    new.must_change_password = true;
    let account = store.accounts().create(&new, NOW).await.unwrap();
    set(&store, &account, "second", 0).await;
    let found = store.accounts().find_with_password(&account.id).await.unwrap().unwrap();
    assert_eq!((found.password, found.account.password_changed_at), (hash("second"), NOW + ms(7)));
    assert!(!found.account.must_change_password, "a user's own password need not be changed");

    let given = NewPassword { hash: hash("given"), must_change: true, history_length: 0 };
    let update = PasswordUpdate { new: &given, retained_session: None, now: NOW };
    store.accounts().set_password(&account.id, update).await.unwrap();
    assert!(store.accounts().find(&account.id).await.unwrap().unwrap().must_change_password);
    let unknown = new_account(acme(), "no-such-user").id;
    assert!(!store.accounts().set_password(&unknown, update).await.unwrap());
}

async fn history_keeps_the_requested_number(database: Database) {
    let store = database.open().await;
    let account = alex(&store).await;
    for text in ["2", "3", "4"] {
        set(&store, &account, text, 3).await;
    }
    assert_eq!(
        history(&store, &account, 9).await,
        ["4", "3", "2"],
        "the newest three, the current one among them"
    );
    assert_eq!(history(&store, &account, 2).await, ["4", "3"]);
    assert!(history(&store, &account, 0).await.is_empty());
    set(&store, &account, "5", 0).await;
    assert_eq!(history(&store, &account, 9).await, ["5"]);

    let mut invited = new_account(acme(), "invited");
    invited.password = StoredPassword::unusable();
    let invited = store.accounts().create(&invited, NOW).await.unwrap();
    set(&store, &invited, "first", 5).await;
    assert_eq!(history(&store, &invited, 9).await, ["first"], "no password was none");
}

async fn two_changes_at_once_are_both_remembered(database: Database) {
    let (one, other) = (database.open().await, database.open().await);
    let account = alex(&one).await;
    tokio::join!(set(&one, &account, "left", 9), set(&other, &account, "right", 9));
    let mut remembered = history(&one, &account, 9).await;
    remembered.sort();
    assert_eq!(remembered, ["hash of alex", "left", "right"]);
}

async fn hashes_of_other_systems_are_found_page_by_page(database: Database) {
    let store = database.open().await;
    for (number, password) in ["$ours$1234", "$ours$12345", "$2b$10$x", "$ours", "!", "$OURS$1234", "{SSHA}x"]
        .into_iter()
        .enumerate()
    {
        let new = NewAccount {
            id: AccountId::from_bytes([u8::try_from(number).unwrap(); 16]),
            password: hash(password),
            ..new_account(acme(), &format!("name{number}"))
        };
        store.accounts().create(&new, NOW).await.unwrap();
    }
    let ours = HashFormat { prefix: "$ours$".to_owned(), length: "$ours$1234".len() };
    let mut found = Vec::new();
    loop {
        let after = found.last().map(|(id, _)| id);
        let page = store.accounts().passwords_in_other_formats(&ours, after, 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        found.extend(page);
    }
    let texts: Vec<_> = found.iter().map(|(_, password)| password.expose()).collect();
    assert_eq!(texts, ["$ours$12345", "$2b$10$x", "$ours", "$OURS$1234", "{SSHA}x"]);
}

async fn rehash_never_restores_an_old_password(database: Database) {
    let store = database.open().await;
    let account = alex(&store).await;
    assert!(store.accounts().rehash(&account.id, &hash("hash of alex"), &hash("better")).await.unwrap());
    assert_eq!(history(&store, &account, 9).await, ["better"]);
    set(&store, &account, "chosen meanwhile", 0).await;
    assert!(!store.accounts().rehash(&account.id, &hash("better"), &hash("best")).await.unwrap());
    assert_eq!(history(&store, &account, 9).await, ["chosen meanwhile"]);
    let found = store.accounts().find(&account.id).await.unwrap().unwrap();
    assert_eq!(found.password_changed_at, NOW + ms(7));
}
