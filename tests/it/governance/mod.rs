//! Overrides of administrators, through the use case that the API and the command line share.

mod command_line;
mod effects;
mod precedence;
mod replicas;
mod use_case;

use doorward::internals::{
    domain::{
        governance::{Connector, property},
        tenant::TenantId,
        time::Timestamp,
    },
    governance::{EffectiveProperties, GovernanceServiceError},
};

use crate::support::{actors::change_of, services::TestServices};

const NOW: Timestamp = crate::support::services::START;

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
    services.accounts.governance.patch(&change_of(&tenant, expected, NOW), &changes(values)).await
}
