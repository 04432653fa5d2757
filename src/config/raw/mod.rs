//! The configuration as it is written: one struct a table, strict about names, every key optional.
//! The doc comments are the reference: they become the JSON Schema and `docs/CONFIGURATION.md`.

pub mod access;
pub mod account_lock;
pub mod accounts;
pub mod admin;
pub mod apim;
pub mod branding;
pub mod cross_tenant;
pub mod governance;
pub mod guard;
pub mod identity_mgt;
pub mod issuer;
pub mod limits;
pub mod log;
pub mod management;
pub mod password_policy;
pub mod portal;
pub mod server;
pub mod session;
pub mod sign_in;
pub mod tenancy;
pub mod tenant;
pub mod text;
pub mod upgrade;
pub mod values;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Doorward's deployment.toml
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Deployment {
    /// WSO2 API Manager's own keys, read as WSO2 reads them.
    pub apim: Option<apim::Apim>,
    /// Where Doorward listens, and how it stops.
    pub server: Option<server::Server>,
    /// The private port: health, metrics, cache flush.
    pub admin: Option<admin::Admin>,
    /// The management API: WSO2's identity governance and tenant configuration over HTTP, for administrators.
    pub management: Option<management::Management>,
    /// The portal Doorward stands in front of.
    pub portal: Option<portal::Portal>,
    /// Which tenants there are, and how a request names its tenant.
    pub tenancy: Option<tenancy::Tenancy>,
    /// Where visitors sign in. A tenant's file may say otherwise.
    pub sign_in: Option<sign_in::SignIn>,
    /// Who issues tokens. Each `[[issuer]]` counts for every tenant; a tenant's file adds its own.
    pub issuer: Option<Vec<issuer::Issuer>>,
    /// Accounts of Doorward's own: who signs in here, and where accounts and sessions are kept.
    pub accounts: Option<accounts::Accounts>,
    /// How long who signed in here stays signed in. A tenant's file may say otherwise, key by key.
    pub session: Option<session::Session>,
    /// What wrong passwords lead to, on every door. Unknown names are counted and locked like known ones. A tenant's file may
    /// say otherwise, key by key.
    pub account_lock: Option<account_lock::AccountLock>,
    /// What a new password must be like. A tenant's file may say otherwise, key by key.
    pub password_policy: Option<password_policy::PasswordPolicy>,
    /// WSO2's governance properties by their own names, as `docs/GOVERNANCE.md` lists them; a tenant's file may say
    /// otherwise, and an administrator over both. What a key of another section says is not said here again.
    #[schemars(extend("x-default" = "none", "x-source" = "WSO2 identity-governance"))]
    pub governance: Option<governance::Properties>,
    /// WSO2's own sections for accounts and passwords, read as WSO2 reads them.
    pub identity_mgt: Option<identity_mgt::IdentityMgt>,
    /// Who may use what. A tenant's file may say otherwise, key by key; its routes are added.
    pub access: Option<access::Access>,
    /// The portal's own sign-ins that are guarded against guessing. Each `[[guard]]` counts for every tenant; a tenant's file
    /// adds its own.
    pub guard: Option<Vec<guard::Guard>>,
    /// How Doorward's own pages look. A tenant's file may say otherwise, key by key.
    pub branding: Option<branding::Branding>,
    /// What is logged.
    pub log: Option<log::Log>,
    /// Bounds that keep one client from taking everything.
    pub limits: Option<limits::Limits>,
}
