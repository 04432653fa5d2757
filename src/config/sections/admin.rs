//! `[admin]`

use std::{net::SocketAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    document::KeyPath,
    document_context::DocumentContext,
    secret::Secret,
    text_form::AsText,
    values::address::{FilePath, OptionalListen},
};

/// A shorter token can be guessed.
const MIN_TOKEN_BYTES: usize = 16;

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
    pub store_probe: Option<StoreProbe>,
}

/// The store operations that the readiness probe requires.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum StoreProbe {
    Off,
    #[default]
    Read,
    #[serde(rename = "write")]
    ReadWrite,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    pub listen: Option<SocketAddr>,
    /// The token required by the endpoints that act or disclose.
    pub token: Option<TokenFile>,
    pub store_probe: StoreProbe,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFile {
    pub path: PathBuf,
    pub secret: Secret,
}

impl AdminSection {
    pub fn resolve(self, key: &KeyPath, scope: &mut DocumentContext<'_>) -> AdminSettings {
        let token_key = key.name("token_file");
        let token = self.token_file.and_then(|file| {
            let path = scope.resolve_path(&token_key, &file.0.0);
            let secret = scope.secret(key, "token", None, Some(file))?;
            if secret.expose().len() < MIN_TOKEN_BYTES {
                scope.mistake(
                    &token_key,
                    "this token is too short",
                    "write at least 16 characters, such as those of: openssl rand -hex 32",
                );
            }
            Some(TokenFile { path, secret })
        });
        let listen = self.listen.map_or_else(|| Some(([127, 0, 0, 1], 9901).into()), |listen| listen.0.0);
        AdminSettings { listen, token, store_probe: self.store_probe.unwrap_or_default() }
    }
}

impl From<&AdminSettings> for AdminSection {
    fn from(admin: &AdminSettings) -> Self {
        Self {
            listen: Some(AsText(OptionalListen(admin.listen))),
            token_file: admin.token.as_ref().map(|token| FilePath::written(&token.path)),
            store_probe: Some(admin.store_probe),
        }
    }
}

/// Each key that needs a restart, and whether it has changed.
pub fn restart_keys(old: &AdminSettings, new: &AdminSettings) -> Vec<(&'static str, bool)> {
    vec![("admin.listen", old.listen != new.listen)]
}
