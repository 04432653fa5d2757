//! Notes on settings that have no effect, or a different one than they seem to have.

use ipnet::IpNet;

use super::notes::Note;
use crate::{
    config::{document::KeyPath, model::Settings},
    domain::buffer_load::STALLED_ANSWER_BYTES,
};

pub fn notes(settings: &Settings) -> Vec<Note> {
    let mut notes = Vec::new();
    notes.extend(certificate_at_public_addresses(settings));
    notes.extend(limits_above_totals(settings));
    notes.extend(buffer_of_less_than_an_answer(settings));
    notes.extend(networks_with_host_bits(settings));
    notes
}

fn certificate_at_public_addresses(settings: &Settings) -> Option<Note> {
    let management = &settings.management;
    let asks = management.tls.as_ref().is_some_and(|tls| tls.client_auth.is_some());
    // `management.allow` restricts the API at the public addresses without a client certificate
    (management.public && asks && management.allow.is_empty()).then(|| {
        (
            KeyPath::root().name("management").name("client_ca_file"),
            "management.public is true, and at the public addresses the management API asks for no client certificate",
            "remove management.public, or set management.allow as well",
        )
    })
}

/// Limits of one client above the limit of all clients, which is reached first.
fn limits_above_totals(settings: &Settings) -> Vec<Note> {
    let client = &settings.limits.client;
    let key = KeyPath::root().name("limits").name("client");
    [
        ("connections", client.connections),
        ("requests", client.requests),
        ("request_bodies", client.request_bodies),
        ("upgrades", client.upgrades),
        ("upstream_connections", client.upstream_connections),
        ("hash_slots", client.hash_slots),
        ("buffered_bytes", client.buffered_bytes),
        ("guarded_sign_ins", client.guarded_sign_ins),
    ]
    .into_iter()
    // an upgrade limit of 0 switches upgrades off: nothing to note
    .filter(|(_, share)| share.client > share.all.max(1))
    .map(|(name, _)| {
        (
            key.name(name),
            "one client may have more than all clients together, so this limit has no effect",
            "write less than the limit of all clients, or remove the key",
        )
    })
    .collect()
}

/// A client whose buffered bytes reach the limit gets 429, so the limit must be above the bytes that one answer can buffer.
fn buffer_of_less_than_an_answer(settings: &Settings) -> Option<Note> {
    (settings.limits.client.buffered_bytes.client <= STALLED_ANSWER_BYTES).then(|| {
        (
            KeyPath::root().name("limits").name("client").name("buffered_bytes"),
            "one answer that is read slowly can buffer more, so its client gets 429 until the answer has been read",
            "write more than 327680 (320 KiB), or remove the key",
        )
    })
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
