//! The doors: real stores, real hashes, and a clock that the test holds in its hand.

mod administer;
mod command_line;
mod doors;
mod lockout;
mod passwords;
mod sessions;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use doorward::{
    account::{
        Attempt, Door, Doors, ImportError, ImportedUser, NewUser, Rejected, SignedIn, hashing::Password,
    },
    boot,
    config::{Settings, TenantDirectory, TenantPolicy, directory::Found, load},
    domain::{
        account::{Account, AccountId},
        audit::{Actor, Proof},
        tenant::TenantId,
    },
};
use tempfile::TempDir;

pub const MINUTE: u64 = 60_000;
/// A moment to begin with.
pub const START: u64 = 1_800_000_000_000;
pub const RIGHT: &str = "correct horse battery";
pub const ALICES: [u8; 4] = [192, 0, 2, 1];

/// The operator at the command line.
pub fn actor() -> Actor {
    Actor {
        name: "operator".to_owned(),
        tenant: None,
        proof: Proof::Machine,
        address: None,
        request_id: None,
    }
}

/// A deployment on disk: each `open` is a start of Doorward.
pub struct House {
    pub folder: TempDir,
    store_url: String,
    written: String,
    variables: BTreeMap<String, String>,
}

impl House {
    /// With accounts in a file, and these lines of `deployment.toml` beside.
    pub fn new(written: &str) -> Self {
        Self::at("sqlite:doorward.db", written)
    }

    pub fn at(store_url: &str, written: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let variables = BTreeMap::new();
        Self { folder, store_url: store_url.to_owned(), written: written.to_owned(), variables }
    }

    /// Locks after five wrong passwords, for five minutes, then ten, twenty …
    pub fn locking() -> Self {
        Self::new("[account_lock]\nenabled = true\n")
    }

    pub fn tenant(self, name: &str, ours: &str) -> Self {
        let folder = self.folder.path().join("tenants").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("tenant-conf.json"), format!("{{\"Doorward\": {ours}}}")).unwrap();
        self
    }

    /// Of the environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn settings(&self) -> Settings {
        let text = format!(
            "[[portal.upstream]]\nurl = \"http://127.0.0.1:1\"\n[accounts]\nenabled = true\nstore_url = {:?}\n\
             hash_memory = 8192\nhash_iterations = 1\nhash_queue = 1000\n{}",
            self.store_url, self.written
        );
        load::parse(&text, &self.file(), &self.variables).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
    }

    pub fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("deployment.toml")
    }

    pub fn open(&self, work: impl AsyncFnOnce(Desk)) {
        let opened = boot::at_desk(self.settings(), async |doors, tenants, default| {
            let desk = Desk { doors, tenants, default };
            work(desk).await;
            Ok(())
        });
        opened.unwrap();
    }
}

pub struct Desk {
    pub doors: Doors,
    tenants: Arc<TenantDirectory>,
    default: TenantId,
}

impl Desk {
    pub async fn import(
        &self,
        tenant: &TenantId,
        user: ImportedUser,
        now: u64,
    ) -> Result<AccountId, ImportError> {
        self.doors.import(tenant, vec![user], now).await.unwrap().remove(0)
    }

    pub async fn policy(&self) -> Arc<TenantPolicy> {
        self.policy_of(self.default.as_str()).await
    }

    pub async fn policy_of(&self, tenant: &str) -> Arc<TenantPolicy> {
        match self.tenants.load(&TenantId::parse(tenant).unwrap()).await {
            Found::Tenant(policy) => policy,
            Found::Unknown => panic!("no tenant {tenant}"),
        }
    }

    /// An account whose password is `RIGHT`.
    pub async fn add(&self, name: &str) -> Account {
        let policy = self.policy().await;
        self.add_to(&policy, name).await
    }

    pub async fn add_to(&self, policy: &TenantPolicy, name: &str) -> Account {
        let new = NewUser { username: name.to_owned(), ..NewUser::default() };
        self.doors.add(policy, new, Some(&Password::new(RIGHT)), START).await.unwrap()
    }

    pub async fn try_at(&self, login: &str, password: &str, now: u64) -> Result<SignedIn, Rejected> {
        self.try_with(login, password, None, now).await
    }

    pub async fn try_with(
        &self,
        login: &str,
        password: &str,
        device: Option<&str>,
        now: u64,
    ) -> Result<SignedIn, Rejected> {
        self.doors.sign_in(&self.policy().await, attempt(login, &Password::new(password), device), now).await
    }

    pub async fn wrong(&self, login: &str, times: usize, now: u64) {
        for _ in 0..times {
            assert!(self.try_at(login, "wrong", now).await.is_err());
        }
    }

    /// Every file is read again before anything is answered from it.
    pub fn flush(&self) {
        self.tenants.flush();
    }

    pub fn verifications(&self) -> u64 {
        self.doors.metrics().password_verifications.get()
    }
}

pub fn attempt<'a>(login: &'a str, password: &'a Password, device: Option<&'a str>) -> Attempt<'a> {
    Attempt { login, password, address: ALICES.into(), device, door: Door::Form }
}

pub fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}
