//! Accounts written to the proxy's store from outside, and browsers that sign in to them.

use std::path::Path;

use doorward::internals::{
    account::hashing::{Argon2Cost, HashMetrics, Password, PasswordHasher},
    config::model::{StoreLocation, StoreSettings as Settings},
    domain::{
        account::{Account, AccountId, NewAccount, PRIMARY, StoredPassword, UserProfile},
        lockout::{Counter, CounterKey, LoginSubject},
        tenant::TenantId,
        time::Timestamp,
    },
    store::Store,
};
use tokio::runtime::{Builder, Runtime};

use super::{
    Jar, TestProxy,
    answer::Answer,
    proxy::TestProxyBuilder,
    request::{Endpoint, RequestBuilder},
};

/// Hashing as cheap as it may be.
const MEMORY: u32 = 8192;
const FILE: &str = "people.db";

impl TestProxyBuilder {
    /// Accounts are on, and users sign in at Doorward's own page.
    pub fn accounts(self) -> Self {
        let file = self.dir.path().join(FILE);
        self.setting("accounts.enabled", true)
            .setting("accounts.store_url", format!("sqlite:{}", file.display()))
            .setting("accounts.hash_memory", MEMORY)
            .setting("accounts.hash_iterations", 1)
    }
}

pub struct TestAccounts {
    runtime: Runtime,
    store: Store,
    hasher: PasswordHasher,
}

impl TestAccounts {
    pub fn of(proxy: &TestProxy) -> Self {
        let url = proxy.configuration.get("accounts.store_url").as_str().unwrap();
        Self::at(StoreLocation::parse(url, proxy.home()).unwrap())
    }

    /// For a proxy that has not started yet.
    pub fn in_folder(folder: &Path) -> Self {
        Self::at(StoreLocation::Sqlite(folder.join(FILE)))
    }

    fn at(location: StoreLocation) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let settings = Settings { location, max_connections: 2 };
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
                profile: UserProfile {
                    email: Some(format!("{username}@mail.example")),
                    ..UserProfile::default()
                },
            };
            change(&mut account);
            self.store.accounts().create(&account, now).await.unwrap()
        })
    }
}

/// A browser: its cookies, and the form it has in front of it.
pub struct TestBrowser<'g> {
    endpoint: &'g Endpoint,
    tls: bool,
    pub jar: Jar,
}

/// A form as it was shown.
pub struct FormPage {
    pub page: Answer,
    action: String,
    hidden: Vec<(String, String)>,
}

impl TestProxy {
    pub fn browser(&self) -> TestBrowser<'_> {
        TestBrowser::new(&self.endpoint)
    }
}

impl<'g> TestBrowser<'g> {
    pub fn new(endpoint: &'g Endpoint) -> Self {
        Self { endpoint, tls: false, jar: Jar::default() }
    }

    pub fn over_tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// A client with the stolen cookies of another browser.
    pub fn with_cookies_of(mut self, other: &TestBrowser<'_>) -> Self {
        self.jar = other.jar.clone();
        self
    }

    pub fn get(&mut self, target: &str) -> Answer {
        let ask = RequestBuilder::new(self.endpoint.clone(), "GET", target).browser().with_jar(&mut self.jar);
        if self.tls { ask.tls().send() } else { ask.send() }
    }

    pub fn open(&mut self, target: &str) -> FormPage {
        FormPage::parse(self.get(target))
    }

    pub fn submit(&mut self, form: &FormPage, fields: &[(&str, &str)]) -> Answer {
        self.post(&form.action, &form.body(fields), &[("sec-fetch-site", "same-origin")])
    }

    pub fn post(&mut self, target: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let ask = RequestBuilder::new(self.endpoint.clone(), "POST", target)
            .header("accept", "text/html")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
        let ask = ask.with_jar(&mut self.jar);
        if self.tls { ask.tls().send() } else { ask.send() }
    }

    /// Opens the sign-in page, submits it, and returns the answer.
    pub fn sign_in(&mut self, tenant: &str, username: &str, password: &str) -> Answer {
        let form = self.open(&format!("/.doorward/sign-in?tenant={tenant}"));
        self.submit(&form, &[("username", username), ("password", password)])
    }

    /// Whether this browser may see its account.
    pub fn is_signed_in(&mut self) -> bool {
        self.get("/.doorward/account").status == 200
    }
}

impl FormPage {
    #[track_caller]
    pub fn parse(page: Answer) -> Self {
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
