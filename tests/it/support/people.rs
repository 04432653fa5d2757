//! Accounts, put into the gate's store from outside, and browsers that sign in to them.

use std::path::Path;

use doorward::{
    account::hashing::{Cost, Hasher, Meters, Password},
    config::model::{Store as Settings, StoreLocation},
    domain::{
        account::{Account, AccountId, NewAccount, PRIMARY, Profile, StoredPassword},
        lockout::{Counter, CounterKey, Who},
        tenant::TenantId,
    },
    store::Store,
};
use tokio::runtime::{Builder, Runtime};

use super::{
    Gate, Jar,
    answer::Answer,
    ask::{Ask, Door},
    gate::GateBuilder,
};

/// Hashing as cheap as it may be.
const MEMORY: u32 = 8192;
const FILE: &str = "people.db";

impl GateBuilder {
    /// Accounts are on, and people sign in at the gate itself.
    pub fn accounts(self) -> Self {
        let file = self.home.path().join(FILE);
        self.setting("accounts.enabled", true)
            .setting("accounts.store_url", format!("sqlite:{}", file.display()))
            .setting("accounts.hash_memory", MEMORY)
            .setting("accounts.hash_iterations", 1)
    }
}

pub struct People {
    runtime: Runtime,
    store: Store,
    hasher: Hasher,
}

impl People {
    pub fn of(gate: &Gate) -> Self {
        let url = gate.configuration.get("accounts.store_url").as_str().unwrap();
        Self::at(StoreLocation::parse(url, gate.home()).unwrap())
    }

    /// Of a gate that has yet to start.
    pub fn in_folder(folder: &Path) -> Self {
        Self::at(StoreLocation::Sqlite(folder.join(FILE)))
    }

    fn at(location: StoreLocation) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let settings = Settings { location, max_connections: 2 };
        let store = runtime.block_on(Store::open(&settings)).unwrap();
        let cost = Cost { memory_kib: MEMORY, iterations: 1, parallelism: 1 };
        Self { runtime, store, hasher: Hasher::new(cost, 1, 100, Meters::default()).unwrap() }
    }

    pub fn close(self) {
        self.runtime.block_on(self.store.close());
    }

    /// Wrong passwords as they are counted.
    pub fn counter(&self, account: &Account) -> Counter {
        let key = CounterKey::of(account.tenant.clone(), Who::Account(account.id.clone()));
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
        self.add_at(1, tenant, username, password, change)
    }

    /// In milliseconds since the epoch.
    pub fn add_at(
        &self,
        now: u64,
        tenant: &str,
        username: &str,
        password: &str,
        change: impl FnOnce(&mut NewAccount),
    ) -> Account {
        self.runtime.block_on(async {
            let hash = self.hasher.hash(&Password::new(password)).await.unwrap();
            let mut account = NewAccount {
                id: AccountId::from_bytes(fastrand::u128(..).to_be_bytes()),
                tenant: TenantId::parse(tenant).unwrap(),
                user_store: PRIMARY.to_owned(),
                username: username.to_owned(),
                password: StoredPassword::new(hash),
                must_change_password: false,
                disabled: false,
                admin_lock: None,
                profile: Profile { email: Some(format!("{username}@mail.example")), ..Profile::default() },
            };
            change(&mut account);
            self.store.accounts().create(&account, now).await.unwrap()
        })
    }
}

/// A browser: its cookies, and the form it has in front of it.
pub struct Visitor<'g> {
    door: &'g Door,
    tls: bool,
    pub jar: Jar,
}

/// A form as it was shown.
pub struct Shown {
    pub page: Answer,
    action: String,
    hidden: Vec<(String, String)>,
}

impl Gate {
    pub fn visitor(&self) -> Visitor<'_> {
        Visitor::at(&self.door)
    }
}

impl<'g> Visitor<'g> {
    pub fn at(door: &'g Door) -> Self {
        Self { door, tls: false, jar: Jar::default() }
    }

    pub fn over_tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// As somebody who has got hold of another browser's cookies.
    pub fn with_cookies_of(mut self, other: &Visitor<'_>) -> Self {
        self.jar = other.jar.clone();
        self
    }

    pub fn get(&mut self, target: &str) -> Answer {
        let ask = Ask::new(self.door.clone(), "GET", target).browser().with_jar(&mut self.jar);
        if self.tls { ask.tls().send() } else { ask.send() }
    }

    pub fn open(&mut self, target: &str) -> Shown {
        Shown::of(self.get(target))
    }

    pub fn submit(&mut self, form: &Shown, fields: &[(&str, &str)]) -> Answer {
        self.post(&form.action, &form.body(fields), &[("sec-fetch-site", "same-origin")])
    }

    pub fn post(&mut self, target: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let ask = Ask::new(self.door.clone(), "POST", target)
            .header("accept", "text/html")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
        let ask = ask.with_jar(&mut self.jar);
        if self.tls { ask.tls().send() } else { ask.send() }
    }

    /// From the door to wherever it leads.
    pub fn sign_in(&mut self, tenant: &str, username: &str, password: &str) -> Answer {
        let form = self.open(&format!("/.doorward/sign-in?tenant={tenant}"));
        self.submit(&form, &[("username", username), ("password", password)])
    }

    /// Whether this browser may see its account.
    pub fn is_signed_in(&mut self) -> bool {
        self.get("/.doorward/account").status == 200
    }
}

impl Shown {
    #[track_caller]
    pub fn of(page: Answer) -> Self {
        let html = page.text();
        let form = html.split("<form").nth(1).unwrap_or_else(|| panic!("no form in {html}"));
        let attribute = |tag: &str, name: &str| {
            let value = tag.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
            Some(value.replace("&#x2f;", "/").replace("&amp;", "&").replace("&#x3d;", "="))
        };
        let hidden = form
            .split("<input type=\"hidden\"")
            .skip(1)
            .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)));
        let (action, hidden) = (attribute(form, "action").expect("an action"), hidden.collect());
        Self { page, action, hidden }
    }

    pub fn hidden(&self, name: &str) -> &str {
        self.hidden.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// As a browser encodes it; a field given here takes the place of a hidden one.
    pub fn body(&self, fields: &[(&str, &str)]) -> String {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.hidden {
            if !fields.iter().any(|(given, _)| given == name) {
                body.append_pair(name, value);
            }
        }
        body.extend_pairs(fields).finish()
    }
}
