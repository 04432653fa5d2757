//! The sections of deployment.toml, one file each. A file has everything about its section:
//!
//! - `…Section`: the written form. Strict about names, every key optional. Its doc comments are the reference: they become
//!   the JSON Schema and `docs/CONFIGURATION.md`, as do `default` (a literal) and `x-default` (in words).
//! - `…Settings`: the resolved form.
//! - `…Section::resolve`: defaults and checks. A section that a tenant's file overrides has `validated` and `inherit_from`
//!   instead: checked where it is written, and merged over the inherited settings by a function that cannot fail.
//! - `From<&…Settings> for …Section`: the display. The displayed text reads back to the same settings.
//! - `GOVERNED`, where WSO2 has governance properties for the same settings.
//! - `notes`, where there are some: settings that are valid but have another effect than they seem to have.
//! - `restart_keys`: the keys with `x-restart`, and whether they have changed.

pub mod access;
pub mod account_lock;
pub mod accounts;
pub mod admin;
pub mod apim;
pub mod branding;
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

#[cfg(test)]
mod tests;

use std::thread::available_parallelism;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The number of cores that this process may use.
fn core_count() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Doorward's deployment.toml
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct DeploymentFile {
    /// WSO2 API Manager's own keys, read as WSO2 reads them.
    pub apim: Option<apim::ApimSection>,
    /// Where Doorward listens, and how it stops.
    pub server: Option<server::ServerSection>,
    /// The private port: health, metrics, cache flush.
    pub admin: Option<admin::AdminSection>,
    /// The management API: WSO2's identity governance and tenant configuration over HTTP, for administrators.
    pub management: Option<management::ManagementSection>,
    /// The portal that Doorward protects.
    pub portal: Option<portal::PortalSection>,
    /// Which tenants there are, and how a request names its tenant.
    pub tenancy: Option<tenancy::TenancySection>,
    /// The sign-in address. A tenant's file can override it.
    pub sign_in: Option<sign_in::SignInSection>,
    /// Token issuers. Each `[[issuer]]` applies to every tenant; a tenant's file adds its own.
    pub issuer: Option<Vec<issuer::IssuerSection>>,
    /// Doorward's own accounts: sign-in, and the store of accounts and sessions.
    pub accounts: Option<accounts::AccountsSection>,
    /// Session lifetimes. A tenant's file overrides them key by key.
    pub session: Option<session::SessionSection>,
    /// Lockout on every login channel. Unknown names are counted and locked like known ones. A tenant's file may
    /// override it key by key.
    pub account_lock: Option<account_lock::AccountLockSection>,
    /// Requirements for new passwords. A tenant's file overrides them key by key.
    pub password_policy: Option<password_policy::PasswordPolicySection>,
    /// WSO2's governance properties by their own names, as `docs/GOVERNANCE.md` lists them; a tenant's file may say
    /// otherwise, and an administrator over both. A setting that has a key in another section is not repeated here.
    #[schemars(extend("x-default" = "none", "x-source" = "WSO2 identity-governance"))]
    pub governance: Option<governance::PropertyTable>,
    /// WSO2's own sections for accounts and passwords, read as WSO2 reads them.
    pub identity_mgt: Option<identity_mgt::IdentityMgtSection>,
    /// Access control. A tenant's file overrides it key by key; its routes are added.
    pub access: Option<access::AccessSection>,
    /// The portal's own sign-ins that are guarded against guessing. Each `[[guard]]` counts for every tenant; a tenant's file
    /// adds its own. At most 16.
    pub guard: Option<Vec<guard::GuardSection>>,
    /// Appearance of Doorward's own pages. A tenant's file overrides it key by key.
    pub branding: Option<branding::BrandingSection>,
    /// Logging.
    pub log: Option<log::LogSection>,
    /// Bounds that keep one client from taking everything.
    pub limits: Option<limits::LimitsSection>,
}
