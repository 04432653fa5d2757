//! The account services with real stores, real hashes, and a clock that the test sets.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use doorward::internals::{
    account::{
        ImportError, ImportedUser, LoginChannel, LoginError, LoginOutcome, LoginRequest, LoginSuccess,
        NewUser, hashing::Password,
    },
    boot::{self, AccountServices},
    config::{Settings, TenantPolicy, load},
    domain::{
        account::{Account, AccountId, UserProfile},
        lockout::LockedUntil,
        tenant::TenantId,
        time::Timestamp,
    },
    tenants::{TenantLookup, TenantRegistry},
};
use tempfile::TempDir;

pub const MINUTE: Duration = Duration::from_mins(1);
/// A moment to begin with.
pub const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub const RIGHT: &str = "correct horse battery";
pub const ALICE_ADDRESS: [u8; 4] = [192, 0, 2, 1];

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A deployment on disk: each `run` is a start of Doorward.
pub struct TestDeployment {
    pub folder: TempDir,
    store_url: String,
    extra_toml: String,
    environment: BTreeMap<String, String>,
}

impl TestDeployment {
    /// With accounts in a file, and these lines of `deployment.toml` beside.
    pub fn new(written: &str) -> Self {
        Self::with_store("sqlite:doorward.db", written)
    }

    pub fn with_store(store_url: &str, written: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = BTreeMap::new();
        Self { folder, store_url: store_url.to_owned(), extra_toml: written.to_owned(), environment }
    }

    /// Locks after five wrong passwords, for five minutes, then ten, twenty …
    pub fn with_lockout() -> Self {
        Self::new("[account_lock]\nenabled = true\n")
    }

    pub fn tenant(self, name: &str, ours: &str) -> Self {
        let folder = self.folder.path().join("tenants").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("tenant-conf.json"), format!("{{\"Doorward\": {ours}}}")).unwrap();
        self
    }

    /// Of the environment.
    pub fn env_var(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn settings(&self) -> Settings {
        let text = format!(
            "[[portal.upstream]]\nurl = \"http://127.0.0.1:1\"\n[accounts]\nenabled = true\nstore_url = {:?}\n\
             hash_memory = 8192\nhash_iterations = 1\nhash_queue = 1000\n{}",
            self.store_url, self.extra_toml
        );
        load::parse(&text, &self.file(), &self.environment).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
    }

    pub fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("deployment.toml")
    }

    pub fn run(&self, work: impl AsyncFnOnce(TestServices)) {
        run_with(self.settings(), work);
    }
}

/// A start of Doorward with these settings.
pub fn run_with(settings: Settings, work: impl AsyncFnOnce(TestServices)) {
    let opened = boot::with_account_store(settings, async |accounts, tenants, default| {
        work(TestServices { accounts, tenants, default_tenant: default }).await;
        Ok(())
    });
    opened.unwrap();
}

pub struct TestServices {
    pub accounts: AccountServices,
    tenants: Arc<TenantRegistry>,
    default_tenant: TenantId,
}

impl TestServices {
    pub async fn import(
        &self,
        tenant: &TenantId,
        user: ImportedUser,
        now: Timestamp,
    ) -> Result<AccountId, ImportError> {
        self.accounts.import.run(tenant, vec![user], now).await.unwrap().remove(0)
    }

    pub async fn policy(&self) -> Arc<TenantPolicy> {
        self.policy_of(self.default_tenant.as_str()).await
    }

    pub async fn policy_of(&self, tenant: &str) -> Arc<TenantPolicy> {
        match self.tenants.load(&TenantId::parse(tenant).unwrap()).await {
            TenantLookup::Tenant(policy) => policy,
            TenantLookup::Unknown => panic!("no tenant {tenant}"),
        }
    }

    /// An account whose password is `RIGHT`.
    pub async fn add(&self, name: &str) -> Account {
        let policy = self.policy().await;
        self.add_to(&policy, name).await
    }

    pub async fn add_to(&self, policy: &TenantPolicy, name: &str) -> Account {
        self.create(policy, NewUser { username: name.to_owned(), ..NewUser::default() }).await
    }

    pub async fn add_with(&self, name: &str, profile: UserProfile) -> Account {
        let new = NewUser { username: name.to_owned(), profile, ..NewUser::default() };
        self.create(&*self.policy().await, new).await
    }

    async fn create(&self, policy: &TenantPolicy, new: NewUser) -> Account {
        self.accounts.administration.create(policy, new, Some(&Password::new(RIGHT)), START).await.unwrap()
    }

    pub async fn sign_in(
        &self,
        login: &str,
        password: &str,
        now: Timestamp,
    ) -> Result<LoginSuccess, LoginError> {
        self.sign_in_from(login, password, None, now).await
    }

    pub async fn sign_in_from(
        &self,
        login: &str,
        password: &str,
        device: Option<&str>,
        now: Timestamp,
    ) -> Result<LoginSuccess, LoginError> {
        match self.login(login, password, device, now).await? {
            LoginOutcome::Success(signed_in) => Ok(signed_in),
            LoginOutcome::MustChangePassword(account) => {
                panic!("{} must change the password", account.username)
            }
        }
    }

    pub async fn login(
        &self,
        login: &str,
        password: &str,
        device: Option<&str>,
        now: Timestamp,
    ) -> Result<LoginOutcome, LoginError> {
        self.accounts
            .login
            .attempt(&self.policy().await, attempt(login, &Password::new(password), device), now)
            .await
    }

    pub async fn fail_sign_ins(&self, login: &str, times: usize, now: Timestamp) {
        for _ in 0..times {
            assert!(self.sign_in(login, "wrong", now).await.is_err());
        }
    }

    /// Every file is read again before anything is answered from it.
    pub fn flush(&self) {
        self.tenants.flush();
    }

    pub fn verifications(&self) -> u64 {
        self.accounts.metrics.password_verifications.get()
    }
}

pub fn attempt<'a>(login: &'a str, password: &'a Password, device: Option<&'a str>) -> LoginRequest<'a> {
    LoginRequest { login, password, address: ALICE_ADDRESS.into(), device, channel: LoginChannel::Form }
}

#[track_caller]
pub fn locked_until(rejected: LoginError) -> LockedUntil {
    match rejected {
        LoginError::Locked(until) => until,
        other => panic!("not locked: {other:?}"),
    }
}

pub fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}
