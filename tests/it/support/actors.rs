//! The actors that change settings and accounts.

use std::sync::LazyLock;

use doorward::internals::domain::{
    audit::{Actor, ActorCredential},
    governance::ChangeContext,
    tenant::TenantId,
    time::Timestamp,
};

static ADMINISTRATOR: LazyLock<Actor> = LazyLock::new(|| Actor {
    name: "alex".to_owned(),
    tenant: Some(TenantId::parse("acme.com").unwrap()),
    credential: ActorCredential::Account,
    address: Some("2001:db8::7".parse().unwrap()),
    request_id: Some("4711".to_owned()),
});

/// A change of governance properties by `alex@acme.com`.
pub fn change_of(tenant: &TenantId, expected_version: Option<u64>, now: Timestamp) -> ChangeContext<'_> {
    ChangeContext { tenant, expected_version, actor: &ADMINISTRATOR, now }
}

/// The operator at the command line.
pub fn operator() -> Actor {
    Actor {
        name: "operator".to_owned(),
        tenant: None,
        credential: ActorCredential::CommandLine,
        address: None,
        request_id: None,
    }
}
