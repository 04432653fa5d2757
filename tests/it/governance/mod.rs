//! Overrides of administrators, through the use case that the API and the command line share.

mod command_line;
mod effects;
mod precedence;
mod replicas;
mod use_case;

use std::sync::LazyLock;

use doorward::internals::{
    domain::{
        audit::{Actor, ActorCredential},
        governance::{ChangeContext, Connector, property},
        tenant::TenantId,
        time::Timestamp,
    },
    governance::{EffectiveProperties, GovernanceServiceError},
};

use crate::accounts::TestServices;

const NOW: Timestamp = crate::accounts::START;

static ALEX: LazyLock<Actor> = LazyLock::new(|| Actor {
    name: "alex".to_owned(),
    tenant: Some(id("carbon.super")),
    credential: ActorCredential::Account,
    address: Some([192, 0, 2, 7].into()),
    request_id: Some("4711".to_owned()),
});

/// A change by Alex.
fn change_of(tenant: &TenantId, expected_version: Option<u64>) -> ChangeContext<'_> {
    ChangeContext { tenant, expected_version, actor: &ALEX, now: NOW }
}

fn id(tenant: &str) -> TenantId {
    TenantId::parse(tenant).unwrap()
}

/// As one request would change them, each with its connector.
fn changes(values: &[(&str, &str)]) -> Vec<(&'static Connector, Vec<(String, String)>)> {
    let one = |(name, value): &(&str, &str)| {
        let named = property(name).unwrap_or_else(|| panic!("no property {name}"));
        (named.connector, vec![((*name).to_owned(), (*value).to_owned())])
    };
    values.iter().map(one).collect()
}

/// Sets properties of the default tenant.
async fn patch(
    services: &TestServices,
    values: &[(&str, &str)],
) -> Result<EffectiveProperties, GovernanceServiceError> {
    patch_for(services, values, None).await
}

async fn patch_for(
    services: &TestServices,
    values: &[(&str, &str)],
    expected: Option<u64>,
) -> Result<EffectiveProperties, GovernanceServiceError> {
    let tenant = services.policy().await.tenant.clone();
    services.accounts.governance.patch(&change_of(&tenant, expected), &changes(values)).await
}
