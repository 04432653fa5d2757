//! `[management]`

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    text_form::AsText,
    values::{
        address::{FilePath, OptionalListen},
        name::NotEmpty,
    },
};

/// The management API: WSO2's identity governance and tenant configuration over HTTP, for administrators. Needs accounts.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct ManagementSection {
    /// An address of its own, HTTP/1.1 and HTTP/2. Without a certificate only one that stays on this machine, such as
    /// `127.0.0.1:9443`.
    #[schemars(extend("default" = "off", "x-restart" = true))]
    pub listen: Option<AsText<OptionalListen>>,
    /// The certificate chain for `listen`, PEM. Read again when the file changes. A first one, or none any more, needs a restart.
    #[schemars(extend("x-default" = "none: clear text"))]
    pub cert_file: Option<AsText<FilePath>>,
    /// Its private key, PEM.
    #[schemars(extend("x-default" = "none: clear text"))]
    pub key_file: Option<AsText<FilePath>>,
    /// Authorities, PEM: only clients with a certificate of one of them may connect to `listen`. Read again when the file changes.
    #[schemars(extend("x-default" = "none: no client certificates"))]
    pub client_ca_file: Option<AsText<FilePath>>,
    /// Passwords and tokens may arrive unencrypted: where something before Doorward, such as a service mesh, encrypts.
    #[schemars(extend("default" = false))]
    pub clear_text: Option<bool>,
    /// Serve the API on the public listeners too; without this, its paths are forwarded to the portal.
    #[schemars(extend("default" = false))]
    pub public: Option<bool>,
    /// Answer every change with 403: where the configuration is managed in a repository.
    #[schemars(extend("default" = false))]
    pub read_only: Option<bool>,
    /// Roles that make an account an administrator: of its own tenant, and in `carbon.super` of every tenant. Write access
    /// to a tenant's file includes the choice of the issuers whose tokens are accepted for that tenant.
    #[schemars(extend("default" = ["admin"]))]
    pub admin_roles: Option<Vec<AsText<NotEmpty>>>,
    /// Networks that may use the API; all by default. With it, clients in other networks cannot try passwords.
    #[schemars(extend("default" = []))]
    pub allow: Option<Vec<AsText<IpNet>>>,
    /// Changes that the administrators of one tenant may make in an hour, 1 to 1000000; then 429.
    #[schemars(extend("default" = 600))]
    pub changes_per_hour: Option<u32>,
    /// Bytes that their changes may add to the audit records in an hour, 65536 or more; then 429.
    #[schemars(extend("default" = 8_388_608))]
    pub audit_bytes_per_hour: Option<u32>,
}
