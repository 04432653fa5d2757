//! `[limits]`

pub mod client;

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::client::ClientLimits;
use self::client::GlobalLimits;
use crate::{
    config::{
        document::KeyPath,
        document_context::DocumentContext,
        memory_limit,
        sections::portal::upstream::Upstream,
        text_form::AsText,
        values::duration::{Positive, positive_or},
    },
    domain::{descriptors::Descriptors, transfer_rate::MinRate},
};

/// Bytes per second, as in Kestrel; a mobile phone on a poor connection still reaches a few hundred.
const DEFAULT_MIN_RATE: u32 = 240;
const MIN_BUFFERED_BYTES: usize = 1024 * 1024;

/// Bounds that keep one client from taking everything.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct LimitsSection {
    /// Client connections at a time; the next one is closed at once and counted. A number for which the process has not
    /// enough file descriptors is an error at the start.
    #[schemars(extend("x-default" = "10000, or as many as the hard limit of file descriptors allows"))]
    pub max_connections: Option<u32>,
    /// Requests at a time, from the head to the end of the answer. From 90 % on, of this or of `max_connections`, anonymous
    /// requests get 503; from 100 % on all do.
    #[schemars(extend("default" = 10000))]
    pub max_requests: Option<u32>,
    /// Request bodies that are arriving at a time; then 503.
    #[schemars(extend("default" = 2000))]
    pub max_request_bodies: Option<u32>,
    /// Bytes of a request's path and query, 1024 to 65000; a longer one gets 414. Less than `max_header_bytes`. For addresses
    /// below `/.doorward/` only `max_header_bytes` applies.
    #[schemars(extend("default" = 8192, "x-source" = "nginx: 8k, Apache: 8190"))]
    pub max_target_bytes: Option<u32>,
    /// Bytes of a request's head, 16384 to 1048576; then 431.
    #[schemars(extend("default" = 32768))]
    pub max_header_bytes: Option<u32>,
    /// Headers of a request, 16 to 1000; then 431.
    #[schemars(extend("default" = 100))]
    pub max_headers: Option<u32>,
    /// Bytes of a token, 256 or more; a longer one does not count. Less than `max_header_bytes`.
    #[schemars(extend("default" = 8192))]
    pub max_token_bytes: Option<u32>,
    /// WebSockets and other upgrades at a time; then 503.
    #[schemars(extend("default" = 2000))]
    pub max_upgrades: Option<u32>,
    /// How long a request's head may take to arrive.
    #[schemars(extend("default" = "10s"))]
    pub header_timeout: Option<AsText<Positive>>,
    /// A connection without a request is closed after this.
    #[schemars(extend("default" = "75s"))]
    pub keep_alive: Option<AsText<Positive>>,
    /// A client that takes nothing of its answer for this long loses its connection, or with HTTP/2 the stream: it must
    /// not hold a connection to the portal for ever.
    #[schemars(extend("default" = "1m"))]
    pub write_timeout: Option<AsText<Positive>>,
    /// The least rate, in bytes per second, at which a client takes an answer while bytes of it wait. A client that falls
    /// behind by more than `min_rate_grace` loses its connection, or with HTTP/2 the stream. Time in which the portal sends
    /// nothing does not count, so that server-sent events and long polls are not affected. 0: only `write_timeout` counts.
    #[schemars(extend("default" = 240))]
    pub min_download_rate: Option<u32>,
    /// The least rate, in bytes per second, at which a client sends a request's body while Doorward waits for it; then 408.
    /// Bodies of `application/grpc` are exempt. 0: only silence counts.
    #[schemars(extend("default" = 240))]
    pub min_upload_rate: Option<u32>,
    /// By how much time a client may fall behind `min_download_rate` and `min_upload_rate`.
    #[schemars(extend("default" = "1m"))]
    pub min_rate_grace: Option<AsText<Positive>>,
    /// Bytes that may wait in buffers for slow clients and portals, of all connections together: 1048576 or more. Socket
    /// buffers in the kernel count. Above it new requests get 503, those of anonymous clients from 90 % on, and a client that
    /// reads nothing for five seconds loses its answer.
    #[schemars(extend("x-default" = "half the memory of the machine or the container, at least 32 MiB"))]
    pub max_buffered_bytes: Option<u64>,
    /// Sign-ins at a `[[guard]]` at a time, from the count of the attempt to the portal's answer; then 503.
    #[schemars(extend("default" = 512))]
    pub max_guarded_sign_ins: Option<u32>,
    /// Limits of one client.
    pub client: Option<client::ClientLimitsSection>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSettings {
    pub max_connections: usize,
    pub max_target_bytes: usize,
    pub max_header_bytes: usize,
    pub max_headers: usize,
    pub max_token_bytes: usize,
    pub max_upgrades: usize,
    pub max_requests: usize,
    pub max_request_bodies: usize,
    /// From accept (or the first byte of a request) to the end of the request head.
    pub header_timeout: Duration,
    /// A keep-alive connection without a request is closed after this.
    pub keep_alive: Duration,
    /// A client that reads nothing of its response for this long is disconnected.
    pub write_timeout: Duration,
    /// Minimum rate at which clients read responses.
    pub download_rate: MinRate,
    /// Minimum rate at which clients send bodies.
    pub upload_rate: MinRate,
    pub client: Arc<ClientLimits>,
    pub descriptors: Descriptors,
}

/// Values of other sections that defaults depend on.
pub struct LimitContext<'a> {
    pub upstreams: &'a [Arc<Upstream>],
    /// Passwords of all clients that are being hashed or wait in the hash queue.
    pub hash_slots: usize,
    /// Without the descriptors of upgrades, which `resolve` adds.
    pub descriptors: Descriptors,
}

impl LimitsSection {
    pub fn resolve(
        self,
        context: &LimitContext<'_>,
        key: &KeyPath,
        scope: &mut DocumentContext<'_>,
    ) -> LimitSettings {
        let mut bounded = |name: &str, written: Option<u32>, default: u32, range: RangeInclusive<u32>| {
            scope.bounded(&key.name(name), written, default, range) as usize
        };
        let max_requests = bounded("max_requests", self.max_requests, 10_000, 1..=10_000_000);
        let max_request_bodies =
            bounded("max_request_bodies", self.max_request_bodies, 2_000, 1..=10_000_000);
        let max_guarded_sign_ins =
            bounded("max_guarded_sign_ins", self.max_guarded_sign_ins, 512, 1..=1_000_000);
        let max_upgrades = bounded("max_upgrades", self.max_upgrades, 2_000, 0..=10_000_000);
        let descriptors = Descriptors { upgrades: max_upgrades, ..context.descriptors };
        let default_connections = u32::try_from(descriptors.connections_for(10_000)).unwrap_or(u32::MAX);
        let max_connections =
            bounded("max_connections", self.max_connections, default_connections, 1..=10_000_000);
        let max_header_bytes = bounded("max_header_bytes", self.max_header_bytes, 32_768, 16_384..=1_048_576);
        let max_target_bytes = bounded("max_target_bytes", self.max_target_bytes, 8_192, 1_024..=65_000);
        let max_headers = bounded("max_headers", self.max_headers, 100, 16..=1_000);
        let max_token_bytes = bounded("max_token_bytes", self.max_token_bytes, 8_192, 256..=1_048_576);
        let grace = positive_or(self.min_rate_grace, Duration::from_mins(1));
        let rate =
            |written: Option<u32>| MinRate { bytes_per_second: written.unwrap_or(DEFAULT_MIN_RATE), grace };
        let max_buffered_bytes = self
            .max_buffered_bytes
            .map_or_else(memory_limit::default_buffer_budget, client::saturating_usize);
        let all = GlobalLimits {
            max_connections,
            max_requests,
            max_request_bodies,
            max_upgrades,
            upstreams: context.upstreams,
            hash_slots: context.hash_slots,
            max_buffered_bytes,
            max_guarded_sign_ins,
        };
        let client = self.client.unwrap_or_default().resolve(&all, &key.name("client"), scope);
        if max_buffered_bytes < MIN_BUFFERED_BYTES {
            scope.mistake(
                &key.name("max_buffered_bytes"),
                format!("{max_buffered_bytes} is out of range"),
                "write 1048576 or more, or leave it out",
            );
        }
        // at least the minimum: an out-of-range `max_header_bytes` has been reported already
        if max_token_bytes >= max_header_bytes.max(16_384) {
            scope.mistake(
                &key.name("max_token_bytes"),
                "a token of that size does not fit into max_header_bytes",
                "make it less than max_header_bytes",
            );
        }
        if max_target_bytes >= max_header_bytes.max(16_384) {
            scope.mistake(
                &key.name("max_target_bytes"),
                "an address of that length does not fit into max_header_bytes",
                "make it less than max_header_bytes",
            );
        }
        LimitSettings {
            max_connections,
            max_target_bytes,
            max_header_bytes,
            max_headers,
            max_token_bytes,
            max_upgrades,
            max_requests,
            max_request_bodies,
            header_timeout: positive_or(self.header_timeout, Duration::from_secs(10)),
            keep_alive: positive_or(self.keep_alive, Duration::from_secs(75)),
            write_timeout: positive_or(self.write_timeout, Duration::from_mins(1)),
            download_rate: rate(self.min_download_rate),
            upload_rate: rate(self.min_upload_rate),
            client: Arc::new(client),
            descriptors,
        }
    }
}

impl From<&LimitSettings> for LimitsSection {
    fn from(limits: &LimitSettings) -> Self {
        let number = |value: usize| u32::try_from(value).ok();
        Self {
            max_connections: number(limits.max_connections),
            max_target_bytes: number(limits.max_target_bytes),
            max_header_bytes: number(limits.max_header_bytes),
            max_headers: number(limits.max_headers),
            max_token_bytes: number(limits.max_token_bytes),
            max_upgrades: number(limits.max_upgrades),
            max_requests: number(limits.max_requests),
            max_request_bodies: number(limits.max_request_bodies),
            header_timeout: Some(AsText(Positive(limits.header_timeout))),
            keep_alive: Some(AsText(Positive(limits.keep_alive))),
            write_timeout: Some(AsText(Positive(limits.write_timeout))),
            min_download_rate: Some(limits.download_rate.bytes_per_second),
            min_upload_rate: Some(limits.upload_rate.bytes_per_second),
            min_rate_grace: Some(AsText(Positive(limits.download_rate.grace))),
            max_buffered_bytes: Some(limits.client.buffered_bytes.all as u64),
            max_guarded_sign_ins: number(limits.client.guarded_sign_ins.all),
            client: Some((&*limits.client).into()),
        }
    }
}

/// The keys of which a change needs a restart, and whether each has changed.
pub fn restart_keys(old: &LimitSettings, new: &LimitSettings) -> Vec<(&'static str, bool)> {
    let [old, new] = [old, new].map(|limits| limits.client.hash_slots);
    // if the total has changed as well, the key that sets the queue length is reported instead
    vec![("limits.client.hash_slots", old.all == new.all && old != new)]
}
