//! Tests of the catalogue and of changes.

mod catalogue;
mod check;
mod expiry;
mod properties;
mod seed;
mod update;

use super::*;

fn all() -> impl Iterator<Item = (&'static Connector, &'static Property)> {
    let connectors = categories().iter().flat_map(|category| category.connectors);
    connectors.flat_map(|connector| {
        connector.properties.iter().chain(connector.numbered).map(move |property| (connector, property))
    })
}

fn defaults(name: &str) -> String {
    property(name).map(|found| found.property.default.to_owned()).unwrap_or_default()
}

fn connector_of(name: &str) -> &'static Connector {
    property(name).unwrap().connector
}
