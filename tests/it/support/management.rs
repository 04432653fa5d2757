//! The management API with people who may use it, and who may not.

use serde_json::Value;

use super::{Gate, People, Portal, answer::Answer, ask::Ask, gate::GateBuilder};

pub const PASSWORD: &str = "Correct-Horse-9";
pub const GOVERNANCE: &str = "/api/server/v1/identity-governance";
pub const TENANT_CONFIG: &str = "/api/am/admin/v4/tenant-config";

impl GateBuilder {
    /// The management API at a port of its own, with accounts.
    pub fn management(self) -> Self {
        self.accounts().setting("management.listen", "127.0.0.1:0")
    }
}

/// A gate with the tenants acme.com and beta.com, an administrator in each and in the super tenant, and alex, who is none.
pub struct Managed {
    pub gate: Gate,
    pub people: People,
    _portal: Portal,
}

impl Managed {
    pub fn start() -> Self {
        Self::with(|gate| gate)
    }

    pub fn with(change: impl FnOnce(GateBuilder) -> GateBuilder) -> Self {
        let portal = Portal::answering("the portal").start();
        let empty = serde_json::json!({});
        let gate = Gate::before(&portal).management().tenant("acme.com", &empty).tenant("beta.com", &empty);
        let gate = change(gate).start();
        let people = People::of(&gate);
        for tenant in ["carbon.super", "acme.com", "beta.com"] {
            // of today: some tests have old passwords expire
            let now = doorward::clock::millis();
            people.add_at(now, tenant, "admin", PASSWORD, |account| {
                account.profile.roles = vec!["admin".to_owned()];
            });
            people.add_at(now, tenant, "alex", PASSWORD, |_| {});
        }
        Self { gate, people, _portal: portal }
    }

    pub fn ask(&self, method: &str, target: &str) -> Ask<'static> {
        self.gate.manage(method, target)
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
