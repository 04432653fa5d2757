//! What administrators set for tenants, through the use case that API and command line share.

mod command_line;
mod effects;
mod precedence;
mod replicas;
mod use_case;

use doorward::{
    account::{GovernError, Values},
    domain::{
        audit::{Actor, Proof},
        governance::{Connector, property},
        tenant::TenantId,
    },
};

use crate::accounts::Desk;

const NOW: u64 = crate::accounts::START;

fn alex() -> Actor {
    Actor {
        name: "alex".to_owned(),
        tenant: Some(id("carbon.super")),
        proof: Proof::Account,
        address: Some([192, 0, 2, 7].into()),
        request_id: Some("4711".to_owned()),
    }
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
async fn patch(desk: &Desk, values: &[(&str, &str)]) -> Result<Values, GovernError> {
    patch_for(desk, values, None).await
}

async fn patch_for(
    desk: &Desk,
    values: &[(&str, &str)],
    expected: Option<u64>,
) -> Result<Values, GovernError> {
    let tenant = desk.policy().await.tenant.clone();
    desk.doors.governance().patch(&tenant, &changes(values), expected, &alex(), NOW).await
}
