//! The management API with accounts that may use it and accounts that may not.

use serde_json::Value;

use super::{
    Portal, TestAccounts, TestProxy, answer::Answer, proxy::TestProxyBuilder, request::RequestBuilder,
};

pub const PASSWORD: &str = "Correct-Horse-9";
pub const GOVERNANCE: &str = "/api/server/v1/identity-governance";
pub const TENANT_CONFIG: &str = "/api/am/admin/v4/tenant-config";

impl TestProxyBuilder {
    /// The management API at a port of its own, with accounts.
    pub fn management(self) -> Self {
        self.accounts().setting("management.listen", "127.0.0.1:0")
    }
}

/// A proxy with the tenants acme.com and beta.com, an administrator in each and in the super tenant, and alex, an ordinary user.
pub struct ManagementFixture {
    pub proxy: TestProxy,
    pub accounts: TestAccounts,
    _portal: Portal,
}

/// The statuses of requests that are sent at the same time.
pub fn statuses_at_once(
    numbers: std::ops::Range<u32>,
    request: impl Fn(u32) -> RequestBuilder<'static> + Sync,
) -> Vec<u16> {
    std::thread::scope(|scope| {
        let request = &request;
        let sent: Vec<_> = numbers.map(|number| scope.spawn(move || request(number).send().status)).collect();
        sent.into_iter().map(|sent| sent.join().unwrap()).collect()
    })
}

impl ManagementFixture {
    pub fn start() -> Self {
        Self::with(|proxy| proxy)
    }

    pub fn with(change: impl FnOnce(TestProxyBuilder) -> TestProxyBuilder) -> Self {
        let portal = Portal::answering("the portal").start();
        let empty = serde_json::json!({});
        let proxy = TestProxy::in_front_of(&portal)
            .management()
            .tenant("acme.com", &empty)
            .tenant("beta.com", &empty);
        let proxy = change(proxy).start();
        let accounts = TestAccounts::of(&proxy);
        for tenant in ["carbon.super", "acme.com", "beta.com"] {
            // of today: some tests have old passwords expire
            let now = doorward::internals::clock::Clock::system().now();
            accounts.add_at(now, tenant, "admin", PASSWORD, |account| {
                account.profile.roles = vec!["admin".to_owned()];
            });
            accounts.add_at(now, tenant, "alex", PASSWORD, |_| {});
        }
        Self { proxy, accounts, _portal: portal }
    }

    pub fn ask(&self, method: &str, target: &str) -> RequestBuilder<'static> {
        self.proxy.management_request(method, target)
    }

    /// As the super tenant's administrator.
    pub fn get(&self, target: &str) -> Answer {
        self.get_as("admin@carbon.super", target)
    }

    pub fn get_as(&self, user: &str, target: &str) -> Answer {
        self.ask("GET", target).basic(user, PASSWORD).send()
    }

    pub fn send(&self, method: &str, target: &str, body: &Value) -> Answer {
        self.send_as("admin@carbon.super", method, target, body)
    }

    pub fn send_as(&self, user: &str, method: &str, target: &str, body: &Value) -> Answer {
        self.ask(method, target).basic(user, PASSWORD).json(body).send()
    }
}
