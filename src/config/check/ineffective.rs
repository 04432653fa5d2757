//! Notes on settings that have no effect, or a different one than they seem to have.

use ipnet::IpNet;

use crate::config::{
    document::KeyPath,
    mistake::Note,
    model::Settings,
    sections::{limits::client, management},
};

pub fn notes(settings: &Settings) -> Vec<Note> {
    let mut notes = Vec::new();
    notes.extend(management::notes(&settings.management));
    notes.extend(client::notes(&settings.limits.client));
    notes.extend(networks_with_host_bits(settings));
    notes
}

fn networks_with_host_bits(settings: &Settings) -> Vec<Note> {
    let root = KeyPath::root();
    let (server, limits) = (root.name("server"), root.name("limits"));
    [
        (server.name("trusted_proxies"), &settings.server.trusted_proxies),
        (server.name("proxy_protocol"), &settings.server.proxy_protocol),
        (limits.name("client").name("exempt"), &settings.limits.client.exempt),
        (root.name("management").name("allow"), &settings.management.allow),
        (root.name("account_lock").name("allow"), &settings.defaults.rules.account_lock.exempt_networks),
    ]
    .iter()
    .flat_map(|(key, networks)| {
        let written = networks.iter().enumerate().filter(|(_, network)| has_host_bits(network));
        written.map(|(index, _)| {
            (
                key.item(index),
                "the address has host bits: the whole network counts, not this address alone",
                "write the network's first address, or /32 (IPv6: /128) for one address",
            )
        })
    })
    .collect()
}

fn has_host_bits(network: &IpNet) -> bool {
    network.trunc() != *network
}
