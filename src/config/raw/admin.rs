//! `[admin]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    text::As,
    values::address::{FilePath, MaybeListen},
};

/// The private port: health, metrics, cache flush.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Admin {
    /// Its address. Kubernetes' probes need one that the node reaches, `0.0.0.0:9901`; what acts or reveals still
    /// answers to loopback callers only.
    #[schemars(extend("default" = "127.0.0.1:9901", "x-restart" = true))]
    pub listen: Option<As<MaybeListen>>,
    /// A file with a secret of at least 16 characters that callers of `/config`, `/explain`, `/cache/flush` and `/drain` send as
    /// `Authorization: Bearer …`. Without it every user of this machine may call them.
    #[schemars(extend("x-default" = "none"))]
    pub token_file: Option<As<FilePath>>,
}
