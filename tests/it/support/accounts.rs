//! Accounts, switched on: a store of the gate's own, or one that several gates share.

use std::{cell::Cell, path::Path, time::Duration};

use doorward::{
    clock,
    config::model::{self, StoreLocation},
    domain::{
        account::{
            Account, AccountId, AdminLock, LockedReason, LoginAttributes, LoginName, NewAccount,
            StoredPassword,
        },
        session::Session,
        tenant::TenantId,
    },
    session::{CookieSecret, hash_of},
    store::Store,
};
use tokio::runtime::{Builder, Runtime};

use super::gate::GateBuilder;

/// With accounts, and a lock after so many wrong passwords.
pub fn with_lock(gate: GateBuilder, max_attempts: u32) -> GateBuilder {
    let folder = gate.folder().to_owned();
    with_lock_of(gate, &folder, max_attempts)
}

/// As `with_lock`, with the accounts of another gate.
pub fn with_lock_of(gate: GateBuilder, folder: &Path, max_attempts: u32) -> GateBuilder {
    sharing(gate, folder)
        .setting("account_lock.enabled", true)
        .setting("account_lock.max_attempts", max_attempts)
}

/// With accounts in this folder.
pub fn sharing(gate: GateBuilder, folder: &Path) -> GateBuilder {
    gate.setting("accounts.enabled", true)
        .setting("accounts.store_url", format!("sqlite:{}", folder.join("doorward.db").display()))
        .setting("accounts.hash_memory", 8192)
        .setting("accounts.hash_iterations", 1)
}

/// The store as another Doorward has it, or a command beside it.
pub struct Desk {
    store: Store,
    runtime: Runtime,
    made: Cell<u8>,
}

impl Desk {
    pub fn of(folder: &Path) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let settings = model::Store {
            location: StoreLocation::parse("sqlite:doorward.db", folder).unwrap(),
            max_connections: 2,
        };
        let store = runtime.block_on(Store::open(&settings)).unwrap();
        Self { store, runtime, made: Cell::new(0) }
    }

    pub fn account(&self, tenant: &str, name: &str) -> Account {
        let new = NewAccount::new(
            AccountId::from_bytes([self.number(); 16]),
            TenantId::parse(tenant).unwrap(),
            name,
            StoredPassword::unusable(),
        );
        self.runtime.block_on(self.store.accounts().create(&new, clock::millis())).unwrap()
    }

    /// An account that somebody else has made.
    pub fn find(&self, tenant: &str, name: &str) -> Account {
        let name = LoginName::parse(name, &TenantId::parse(tenant).unwrap(), |_| false).unwrap();
        self.runtime
            .block_on(self.store.accounts().by_login(&name, |_| LoginAttributes::default()))
            .unwrap()
            .unwrap()
            .0
    }

    /// What the cookie of a new session holds.
    pub fn session(&self, account: &Account) -> String {
        self.session_of(account, Duration::from_hours(8), Duration::from_mins(30))
    }

    pub fn session_of(&self, account: &Account, lifetime: Duration, idle: Duration) -> String {
        let (secret, now) = (CookieSecret::new([self.number(); 32]), clock::millis());
        let session = Session {
            hash: hash_of(&secret),
            account: account.id.clone(),
            tenant: account.tenant.clone(),
            created_at: now,
            last_seen_at: now,
            signed_in_at: now,
            expires_at: now + u64::try_from(lifetime.as_millis()).unwrap(),
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
    pub fn end(&self, cookie: &str) {
        let hash = hash_of(&CookieSecret::parse(cookie).unwrap());
        assert!(self.runtime.block_on(self.store.sessions().end(&hash, clock::millis())).unwrap());
    }

    pub fn disable(&self, account: &Account) {
        let disabled = self.store.accounts();
        assert!(self.runtime.block_on(disabled.set_disabled(&account.id, true, clock::millis())).unwrap());
    }

    pub fn lock(&self, account: &Account) {
        let lock = AdminLock { reason: LockedReason::AdminInitiated, since: clock::millis() };
        let locking = self.store.accounts().set_admin_lock(&account.id, Some(lock), clock::millis());
        assert!(self.runtime.block_on(locking).unwrap());
    }

    fn number(&self) -> u8 {
        self.made.set(self.made.get() + 1);
        self.made.get()
    }
}
