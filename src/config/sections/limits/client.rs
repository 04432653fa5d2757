//! `[limits.client]`

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    config::{
        document::KeyPath, document_context::DocumentContext, mistake::Note,
        sections::portal::upstream::Upstream, text_form::AsText,
    },
    domain::{
        buffer_load::STALLED_ANSWER_BYTES,
        fairness::{Rate, Resource, ResourceLimit},
    },
};

/// Limits of one client. A client is an IPv4 address or an IPv6 /64; the networks around it (IPv4 /24, IPv6 /56 and /48)
/// have limits between these and those of all clients. Request bodies, upgrades, upstream connections and buffered bytes of
/// authenticated users are counted per user instead. A client over a limit gets 429; a connection over the limit is closed at once.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct ClientLimitsSection {
    /// Connections at a time. Those to `management.listen` are counted apart, and at most 250.
    #[schemars(extend("x-default" = "half of `limits.max_connections`"))]
    pub connections: Option<u32>,
    /// Requests at a time. Each HTTP/2 stream is one.
    #[schemars(extend("x-default" = "half of `limits.max_requests`"))]
    pub requests: Option<u32>,
    /// Requests per second on average. An IPv4 /24 and an IPv6 /56 have twice as many, an IPv6 /48 three times. Known
    /// sessions have this rate each, whatever others do at the same address.
    #[schemars(extend("default" = 1000))]
    pub requests_per_second: Option<u32>,
    /// Requests that may come at once before `requests_per_second` counts.
    #[schemars(extend("default" = 5000))]
    pub request_burst: Option<u32>,
    /// Request bodies that are arriving at a time.
    #[schemars(extend("x-default" = "a quarter of `limits.max_request_bodies`"))]
    pub request_bodies: Option<u32>,
    /// WebSockets and other upgrades at a time.
    #[schemars(extend("x-default" = "half of `limits.max_upgrades`"))]
    pub upgrades: Option<u32>,
    /// Upstream connections in use at a time; with HTTP/2 to the portal, streams. A request over the limit waits until another
    /// of the client's has ended, at most `portal.upstream[].connect_timeout`, and then gets 429.
    #[schemars(extend("x-default" = "a quarter of the smallest `portal.upstream[].max_connections`; with `http2`, 25 times as many as those"))]
    pub upstream_connections: Option<u32>,
    /// Passwords that are hashed or wait to be, at a time. A quarter of the queue is kept for known browsers.
    #[schemars(extend("x-default" = "a quarter of `accounts.hash_parallel` and `accounts.hash_queue` together", "x-restart" = true))]
    pub hash_slots: Option<u32>,
    /// Bytes that may wait in buffers because the client does not read its answers or the portal does not read its request
    /// bodies. A client that holds more gets 429 for new requests, and loses answers of which it reads nothing for five
    /// seconds, or at once above three quarters of `limits.max_buffered_bytes`.
    #[schemars(extend("x-default" = "half of `limits.max_buffered_bytes`"))]
    pub buffered_bytes: Option<u64>,
    /// Sign-ins at a `[[guard]]` at a time, from the count of the attempt to the portal's answer.
    #[schemars(extend("x-default" = "an eighth of `limits.max_guarded_sign_ins`"))]
    pub guarded_sign_ins: Option<u32>,
    /// Addresses without these limits: other machines of the operator, such as a monitoring system. Peers in
    /// `server.trusted_proxies` have none either: the client they name counts.
    #[schemars(extend("default" = ["127.0.0.0/8", "::1/128"]))]
    pub exempt: Option<Vec<AsText<IpNet>>>,
}

/// Per client and in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientLimits {
    pub connections: ResourceLimit,
    pub requests: ResourceLimit,
    pub request_rate: Rate,
    pub request_bodies: ResourceLimit,
    pub upgrades: ResourceLimit,
    pub upstream_connections: ResourceLimit,
    pub hash_slots: ResourceLimit,
    /// Socket buffers included.
    pub buffered_bytes: ResourceLimit,
    pub guarded_sign_ins: ResourceLimit,
    /// Addresses without limits of their own.
    pub exempt: Vec<IpNet>,
}

impl ClientLimits {
    pub const fn share(&self, resource: Resource) -> ResourceLimit {
        match resource {
            Resource::Connection => self.connections,
            Resource::Request => self.requests,
            Resource::RequestBody => self.request_bodies,
            Resource::Upgrade => self.upgrades,
            Resource::UpstreamConnection => self.upstream_connections,
            Resource::HashSlot => self.hash_slots,
            Resource::BufferedBytes => self.buffered_bytes,
            Resource::GuardedSignIn => self.guarded_sign_ins,
        }
    }

    pub fn is_exempt(&self, address: IpAddr) -> bool {
        self.exempt.iter().any(|net| net.contains(&address))
    }
}

/// The limits of all clients together.
pub(super) struct GlobalLimits<'a> {
    pub max_connections: usize,
    pub max_requests: usize,
    pub max_request_bodies: usize,
    pub max_upgrades: usize,
    pub upstreams: &'a [Arc<Upstream>],
    pub hash_slots: usize,
    pub max_buffered_bytes: usize,
    pub max_guarded_sign_ins: usize,
}

impl ClientLimitsSection {
    pub(super) fn resolve(
        self,
        all: &GlobalLimits<'_>,
        key: &KeyPath,
        scope: &mut DocumentContext<'_>,
    ) -> ClientLimits {
        let mut at_least_1 = |name: &str, written: Option<usize>, default: usize| {
            if written == Some(0) {
                scope.mistake(
                    &key.name(name),
                    "no client could be served",
                    "write at least 1, or remove the key",
                );
            }
            written.map_or(default, |written| written.max(1))
        };
        let requests = all.upstreams.iter().map(|upstream| upstream.max_requests());
        let (smallest, sum) = (requests.clone().min().unwrap_or(1), requests.fold(0, usize::saturating_add));
        let number = |written: Option<u32>| written.map(|written| written as usize);
        let mut share_of = |name: &str, written: Option<usize>, total: usize, divisor: usize| ResourceLimit {
            client: at_least_1(name, written, ResourceLimit::fraction(total, divisor)),
            all: total,
        };
        let buffered_bytes =
            share_of("buffered_bytes", self.buffered_bytes.map(saturating_usize), all.max_buffered_bytes, 2);
        let mut share = |name: &str, written: Option<u32>, total: usize, divisor: usize| {
            share_of(name, number(written), total, divisor)
        };
        ClientLimits {
            connections: share("connections", self.connections, all.max_connections, 2),
            requests: share("requests", self.requests, all.max_requests, 2),
            request_bodies: share("request_bodies", self.request_bodies, all.max_request_bodies, 4),
            upgrades: share("upgrades", self.upgrades, all.max_upgrades, 2),
            upstream_connections: ResourceLimit {
                // requests that wait for a connection in the fair queue count too
                all: sum.saturating_add(sum / 4).saturating_add(16),
                ..share("upstream_connections", self.upstream_connections, smallest, 4)
            },
            hash_slots: share("hash_slots", self.hash_slots, all.hash_slots, 4),
            buffered_bytes,
            guarded_sign_ins: share("guarded_sign_ins", self.guarded_sign_ins, all.max_guarded_sign_ins, 8),
            request_rate: Rate {
                per_second: at_least_1("requests_per_second", number(self.requests_per_second), 1_000)
                    .try_into()
                    .unwrap_or(u32::MAX),
                burst: at_least_1("request_burst", number(self.request_burst), 5_000)
                    .try_into()
                    .unwrap_or(u32::MAX),
            },
            exempt: self.exempt.map_or_else(loopback, |nets| nets.into_iter().map(|net| net.0).collect()),
        }
    }
}

impl From<&ClientLimits> for ClientLimitsSection {
    fn from(client: &ClientLimits) -> Self {
        let number = |limit: ResourceLimit| u32::try_from(limit.client).ok();
        Self {
            connections: number(client.connections),
            requests: number(client.requests),
            requests_per_second: Some(client.request_rate.per_second),
            request_burst: Some(client.request_rate.burst),
            request_bodies: number(client.request_bodies),
            upgrades: number(client.upgrades),
            upstream_connections: number(client.upstream_connections),
            hash_slots: number(client.hash_slots),
            buffered_bytes: Some(client.buffered_bytes.client as u64),
            guarded_sign_ins: number(client.guarded_sign_ins),
            exempt: Some(client.exempt.iter().copied().map(AsText).collect()),
        }
    }
}

/// Limits that have no effect, or a different one than they seem to have.
pub fn notes(client: &ClientLimits) -> Vec<Note> {
    let key = KeyPath::root().name("limits").name("client");
    let shares = [
        ("connections", client.connections),
        ("requests", client.requests),
        ("request_bodies", client.request_bodies),
        ("upgrades", client.upgrades),
        ("upstream_connections", client.upstream_connections),
        ("hash_slots", client.hash_slots),
        ("buffered_bytes", client.buffered_bytes),
        ("guarded_sign_ins", client.guarded_sign_ins),
    ];
    let above_all = shares
        .into_iter()
        // an upgrade limit of 0 switches upgrades off: nothing to note
        .filter(|(_, share)| share.client > share.all.max(1))
        .map(|(name, _)| {
            (
                key.name(name),
                "one client may have more than all clients together, so this limit has no effect",
                "write less than the limit of all clients, or remove the key",
            )
        });
    let mut notes: Vec<Note> = above_all.collect();
    // a client whose buffered bytes reach the limit gets 429, so it must be above the bytes that one answer can buffer
    if client.buffered_bytes.client <= STALLED_ANSWER_BYTES {
        notes.push((
            key.name("buffered_bytes"),
            "one answer that is read slowly can buffer more, so its client gets 429 until the answer has been read",
            "write more than 327680 (320 KiB), or remove the key",
        ));
    }
    notes
}

pub(super) fn saturating_usize(written: u64) -> usize {
    usize::try_from(written).unwrap_or(usize::MAX)
}

fn loopback() -> Vec<IpNet> {
    [IpNet::new([127, 0, 0, 0].into(), 8), IpNet::new(Ipv6Addr::LOCALHOST.into(), 128)]
        .into_iter()
        .flatten()
        .collect()
}
