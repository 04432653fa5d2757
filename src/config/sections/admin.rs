//! `[admin]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    text_form::AsText,
    values::address::{FilePath, OptionalListen},
};

/// The private port: health, metrics, cache flush.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct AdminSection {
    /// Its address. Kubernetes' probes need one that the node reaches, `0.0.0.0:9901`; endpoints that act or disclose still
    /// answer loopback callers only.
    #[schemars(extend("default" = "127.0.0.1:9901", "x-restart" = true))]
    pub listen: Option<AsText<OptionalListen>>,
    /// A file with a secret of at least 16 characters that callers of `/config`, `/explain`, `/cache/flush` and `/drain` send as
    /// `Authorization: Bearer …`. Without it every user of this machine may call them.
    #[schemars(extend("x-default" = "none"))]
    pub token_file: Option<AsText<FilePath>>,
    /// Which faults of the store of accounts make `/readyz` fail. `read`: the probe fails while the store does not answer;
    /// `write`: also while it accepts no changes (disk full, read-only, locked); `off`: none. Anonymous requests and known
    /// sessions are served all the time. Where all replicas share one store, `off` keeps it from taking all of them out of
    /// service at once; where each has its own disk, `write` sends sign-ins to replicas that can take them. The answer names
    /// the fault in all cases.
    #[schemars(extend("default" = "read"))]
    pub store_probe: Option<StoreProbeName>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum StoreProbeName {
    Off,
    #[default]
    Read,
    Write,
}
