//! The account fixture: accounts, sessions and locks, written to a proxy's store by another process.

use std::{path::Path, time::Duration};

use doorward::internals::{
    account::hashing::{Argon2Cost, HashMetrics, Password, PasswordHasher},
    clock::Clock,
    config::model::{StoreLocation, StoreSettings},
    domain::{
        account::{
            Account, AccountId, AdminLock, LockedReason, LoginAttributes, LoginName, NewAccount, PRIMARY,
            StoredPassword, UserProfile,
        },
        lockout::{Counter, CounterKey, LoginSubject},
        session::Session,
        tenant::TenantId,
        time::Timestamp,
    },
    session::{CookieSecret, CookieSigner, hash_of},
    store::Store,
};
use tokio::runtime::{Builder, Runtime};

use super::{TestProxy, proxy::TestProxyBuilder};

/// Hashing as cheap as it may be.
const MEMORY: u32 = 8192;
/// The store in the folder of a proxy.
const FILE: &str = "doorward.db";

impl TestProxyBuilder {
    /// Accounts are on, and users sign in at Doorward's own page.
    pub fn accounts(self) -> Self {
        let folder = self.folder().to_owned();
        self.accounts_in(&folder)
    }

    /// With the store of another proxy.
    pub fn accounts_in(self, folder: &Path) -> Self {
        self.setting("accounts.enabled", true)
            .setting("accounts.store_url", format!("sqlite:{}", folder.join(FILE).display()))
            .setting("accounts.hash_memory", MEMORY)
            .setting("accounts.hash_iterations", 1)
    }

    /// Locks an account after so many wrong passwords, and neither addresses nor browsers, whatever the profile.
    pub fn lockout(self, max_attempts: u32) -> Self {
        self.setting("account_lock.enabled", true)
            .setting("account_lock.max_attempts", max_attempts)
            .setting("account_lock.address.max_attempts", 0)
            .setting("account_lock.device.max_attempts", 0)
    }
}

/// The store of a proxy as another Doorward has it, or a command beside it.
pub struct TestAccounts {
    runtime: Runtime,
    store: Store,
    hasher: PasswordHasher,
}

impl TestAccounts {
    pub fn of(proxy: &TestProxy) -> Self {
        let url = proxy.configuration.get("accounts.store_url").as_str().unwrap();
        Self::at(StoreLocation::parse(url, proxy.folder()).unwrap())
    }

    /// For a proxy that has not started yet.
    pub fn in_folder(folder: &Path) -> Self {
        Self::at(StoreLocation::Sqlite(folder.join(FILE)))
    }

    fn at(location: StoreLocation) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let settings = StoreSettings { location, max_connections: 2 };
        let store = runtime.block_on(Store::open(&settings)).unwrap();
        let cost = Argon2Cost { memory_kib: MEMORY, iterations: 1, parallelism: 1 };
        Self { runtime, store, hasher: PasswordHasher::new(cost, 1, 100, HashMetrics::default()).unwrap() }
    }

    pub fn close(self) {
        self.runtime.block_on(self.store.close());
    }

    /// Wrong passwords as they are counted.
    pub fn counter(&self, account: &Account) -> Counter {
        let key = CounterKey::of(account.tenant.clone(), LoginSubject::Account(account.id.clone()));
        self.runtime.block_on(self.store.counters().read(&[key])).unwrap()[0].1
    }

    pub fn add(&self, tenant: &str, username: &str, password: &str) -> Account {
        self.add_with(tenant, username, password, |_| {})
    }

    /// With something changed about the account before it is made. The password is as old as can be.
    pub fn add_with(
        &self,
        tenant: &str,
        username: &str,
        password: &str,
        change: impl FnOnce(&mut NewAccount),
    ) -> Account {
        self.add_at(Timestamp::from_millis(1), tenant, username, password, change)
    }

    pub fn add_at(
        &self,
        now: Timestamp,
        tenant: &str,
        username: &str,
        password: &str,
        change: impl FnOnce(&mut NewAccount),
    ) -> Account {
        let hash = self.runtime.block_on(self.hasher.hash(&Password::new(password))).unwrap();
        self.create(now, tenant, username, |account| {
            account.password = StoredPassword::new(hash);
            change(account);
        })
    }

    /// For tests that sign in by `session` only.
    pub fn add_without_password(&self, tenant: &str, username: &str) -> Account {
        self.create(now(), tenant, username, |account| account.profile = UserProfile::default())
    }

    fn create(
        &self,
        now: Timestamp,
        tenant: &str,
        username: &str,
        change: impl FnOnce(&mut NewAccount),
    ) -> Account {
        let mut account = NewAccount {
            id: AccountId::from_bytes(fastrand::u128(..).to_be_bytes()),
            tenant: TenantId::parse(tenant).unwrap(),
            user_store: PRIMARY.to_owned(),
            username: username.to_owned(),
            password: StoredPassword::unusable(),
            must_change_password: false,
            disabled: false,
            admin_lock: None,
            profile: UserProfile {
                email: Some(format!("{username}@mail.example")),
                ..UserProfile::default()
            },
        };
        change(&mut account);
        self.runtime.block_on(self.store.accounts().create(&account, now)).unwrap()
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

    /// The value of the cookie of a new session, of a new account.
    pub fn session_of(&self, tenant: &str, username: &str) -> String {
        self.session(&self.add_without_password(tenant, username))
    }

    /// The value of the cookie of a new session.
    pub fn session(&self, account: &Account) -> String {
        self.session_with(account, Duration::from_hours(8), Duration::from_mins(30))
    }

    pub fn session_with(&self, account: &Account, lifetime: Duration, idle: Duration) -> String {
        let key = self.runtime.block_on(self.store.secret(CookieSigner::SECRET_NAME, [0; 32])).unwrap();
        let random = std::array::from_fn(|_| fastrand::u8(..));
        let (secret, now) = (CookieSigner::new(&key).sign(&random), now());
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
}

fn now() -> Timestamp {
    Clock::system().now()
}
