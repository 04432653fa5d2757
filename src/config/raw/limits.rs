//! `[limits]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{text::As, values::duration::Positive};

/// Bounds that keep one client from taking everything.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Limits {
    /// Client connections at a time; the next one is closed at once and counted.
    #[schemars(extend("default" = 10000))]
    pub max_connections: Option<u32>,
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
    pub header_timeout: Option<As<Positive>>,
    /// A connection without a request is closed after this.
    #[schemars(extend("default" = "75s"))]
    pub keep_alive: Option<As<Positive>>,
    /// A client that takes nothing of its answer for this long loses its connection, or with HTTP/2 the stream: it must
    /// not hold a connection to the portal for ever.
    #[schemars(extend("default" = "1m"))]
    pub write_timeout: Option<As<Positive>>,
}
