//! The contract of the store, held on SQLite and on a real PostgreSQL server alike.

mod accounts;
mod changes;
mod counter_flood;
mod counters;
mod governance;
mod opening;
mod passwords;
mod pools;
mod purge;
mod server;
mod sessions;

use std::time::Duration;

use doorward::internals::{
    domain::{
        account::{Account, AccountId, LoginAttributes, LoginName, NewAccount, StoredPassword},
        session::{Session, SessionHash},
        tenant::TenantId,
        time::Timestamp,
    },
    store::{AccountPage, ChangeFeed, Store, StoreChange, StoreError},
};

/// A moment in 2026. Every time in these tests is counted from here.
const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn acme() -> TenantId {
    TenantId::parse("acme.com").unwrap()
}

fn globex() -> TenantId {
    TenantId::parse("globex.com").unwrap()
}

fn new_account(tenant: TenantId, username: &str) -> NewAccount {
    let id = AccountId::from_bytes(std::array::from_fn(|_| fastrand::u8(..)));
    NewAccount::new(id, tenant, username, StoredPassword::new(format!("hash of {username}")))
}

/// `alex` of acme.com, kept.
async fn alex(store: &Store) -> Account {
    store.accounts().create(&new_account(acme(), "alex"), NOW).await.unwrap()
}

async fn count_accounts(store: &Store) -> usize {
    store.accounts().list(&acme(), &AccountPage::first(1000)).await.unwrap().len()
}

async fn next_changes(watch: &mut ChangeFeed) -> Vec<StoreChange> {
    tokio::time::timeout(Duration::from_secs(1), poll_until_changed(watch))
        .await
        .expect("within a second")
        .unwrap()
}

async fn poll_until_changed(watch: &mut ChangeFeed) -> Result<Vec<StoreChange>, StoreError> {
    loop {
        let changes = watch.poll().await?;
        if !changes.is_empty() {
            return Ok(changes);
        }
    }
}

/// The account that this login identifies at acme.com.
async fn account_by_login(store: &Store, typed: &str) -> Option<AccountId> {
    let name = LoginName::parse(typed, &acme(), |tenant| *tenant == globex()).unwrap();
    store
        .accounts()
        .by_login(&name, |_| LoginAttributes::default())
        .await
        .unwrap()
        .map(|found| found.account.id)
}

/// Signed in now, for a day, ended by an hour of silence.
fn new_session(account: &Account) -> Session {
    Session {
        hash: SessionHash::new(std::array::from_fn(|_| fastrand::u8(..))),
        account: account.id.clone(),
        tenant: account.tenant.clone(),
        created_at: NOW,
        last_seen_at: NOW,
        signed_in_at: NOW,
        expires_at: NOW + Duration::from_hours(24),
        idle: Duration::from_hours(1),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64)".to_owned(),
        address: "2001:db8::7".parse().unwrap(),
    }
}

async fn session_of(store: &Store, account: &Account) -> Session {
    let session = new_session(account);
    assert!(store.sessions().insert(&session, account.password_changed_at, true).await.unwrap());
    session
}
