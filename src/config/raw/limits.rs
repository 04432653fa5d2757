//! `[limits]`

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{text_form::AsText, values::duration::Positive};

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
    pub client: Option<ClientLimitsSection>,
}

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
