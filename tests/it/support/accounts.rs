//! Proxies with accounts: a store of their own, or one shared store.

use std::{cell::Cell, path::Path, time::Duration};

use doorward::internals::{
    clock::Clock,
    config::model::{self, StoreLocation},
    domain::{
        account::{
            Account, AccountId, AdminLock, LockedReason, LoginAttributes, LoginName, NewAccount,
            StoredPassword,
        },
        session::Session,
        tenant::TenantId,
        time::Timestamp,
    },
    session::{CookieSecret, CookieSigner, hash_of},
    store::Store,
};
use tokio::runtime::{Builder, Runtime};

use super::proxy::TestProxyBuilder;

/// With accounts, and a lock after so many wrong passwords.
pub fn with_lockout(proxy: TestProxyBuilder, max_attempts: u32) -> TestProxyBuilder {
    let folder = proxy.folder().to_owned();
    with_lockout_in(proxy, &folder, max_attempts)
}

/// As `with_lock`, with the store of another proxy.
pub fn with_lockout_in(proxy: TestProxyBuilder, folder: &Path, max_attempts: u32) -> TestProxyBuilder {
    with_store_in(proxy, folder)
        .setting("account_lock.enabled", true)
        .setting("account_lock.max_attempts", max_attempts)
}

/// With accounts in this folder.
pub fn with_store_in(proxy: TestProxyBuilder, folder: &Path) -> TestProxyBuilder {
    proxy
        .setting("accounts.enabled", true)
        .setting("accounts.store_url", format!("sqlite:{}", folder.join("doorward.db").display()))
        .setting("accounts.hash_memory", 8192)
        .setting("accounts.hash_iterations", 1)
}

/// The store as another Doorward has it, or a command beside it.
pub struct TestStore {
    store: Store,
    signer: CookieSigner,
    runtime: Runtime,
    last_number: Cell<u8>,
}

impl TestStore {
    pub fn of(folder: &Path) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let settings = model::StoreSettings {
            location: StoreLocation::parse("sqlite:doorward.db", folder).unwrap(),
            max_connections: 2,
        };
        let store = runtime.block_on(Store::open(&settings)).unwrap();
        let key = runtime.block_on(store.secret(CookieSigner::SECRET_NAME, [0; 32])).unwrap();
        Self { store, signer: CookieSigner::new(&key), runtime, last_number: Cell::new(0) }
    }

    pub fn account(&self, tenant: &str, name: &str) -> Account {
        let new = NewAccount::new(
            AccountId::from_bytes([self.number(); 16]),
            TenantId::parse(tenant).unwrap(),
            name,
            StoredPassword::unusable(),
        );
        self.runtime.block_on(self.store.accounts().create(&new, now())).unwrap()
    }

    /// An account that another replica has made.
    pub fn find(&self, tenant: &str, name: &str) -> Account {
        let name = LoginName::parse(name, &TenantId::parse(tenant).unwrap(), |_| false).unwrap();
        self.runtime
            .block_on(self.store.accounts().by_login(&name, |_| LoginAttributes::default()))
            .unwrap()
            .unwrap()
            .account
    }

    /// The value of the cookie of a new session.
    pub fn session(&self, account: &Account) -> String {
        self.session_with(account, Duration::from_hours(8), Duration::from_mins(30))
    }

    pub fn session_with(&self, account: &Account, lifetime: Duration, idle: Duration) -> String {
        let (secret, now) = (self.signer.sign(&[self.number(); 24]), now());
        let session = Session {
            hash: hash_of(&secret),
            account: account.id.clone(),
            tenant: account.tenant.clone(),
            created_at: now,
            last_seen_at: now,
            signed_in_at: now,
            expires_at: now + lifetime,
            idle,
            user_agent: String::new(),
            address: [127, 0, 0, 1].into(),
        };
        assert!(
            self.runtime
                .block_on(self.store.sessions().insert(&session, account.password_changed_at, true))
                .unwrap()
        );
        secret.value()
    }

    /// As a sign-out does.
    pub fn end_session(&self, cookie: &str) {
        let hash = hash_of(&CookieSecret::parse(cookie).unwrap());
        assert!(self.runtime.block_on(self.store.sessions().end(&hash, now())).unwrap());
    }

    pub fn disable(&self, account: &Account) {
        let disabled = self.store.accounts();
        assert!(self.runtime.block_on(disabled.set_disabled(&account.id, true, now())).unwrap());
    }

    pub fn lock(&self, account: &Account) {
        let lock = AdminLock { reason: LockedReason::AdminInitiated, since: now() };
        let locking = self.store.accounts().set_admin_lock(&account.id, Some(lock), now());
        assert!(self.runtime.block_on(locking).unwrap());
    }

    fn number(&self) -> u8 {
        self.last_number.set(self.last_number.get() + 1);
        self.last_number.get()
    }
}

fn now() -> Timestamp {
    Clock::system().now()
}
