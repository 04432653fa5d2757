//! Resolved settings: no `Option` that only means "not written"; every value is parsed and compiled. Those of one section
//! are in its file in `sections`.

pub mod account_rules;
mod egress_policy;

use std::{path::PathBuf, sync::Arc};

use http::HeaderValue;

pub use self::{account_rules::AccountRules, egress_policy::EgressPolicy};
use super::{governance::GovernanceLayers, mistake::Mistake};
pub use super::{
    sections::{
        access::{AccessSettings, AuthorizationOwner, HeaderProfile, IdentityEncoding},
        accounts::AccountSettings,
        admin::{AdminSettings, StoreProbe},
        branding::Branding,
        issuer::{Issuer, KeySource, UserTenant, introspection::Introspection},
        limits::LimitSettings,
        log::{AccessLogTarget, AuditLogTarget, LogSettings},
        management::{ChangeBudget, ManagementSettings},
        password_policy::{ExpiryRules, PasswordRules},
        portal::{
            PortalProfile, PortalSettings,
            upstream::{HTTP2_STREAMS, Upstream, UpstreamTarget},
        },
        server::{
            ServerSettings,
            tls::{CertificateFiles, ClientAuth, TlsFiles},
        },
        session::SessionSettings,
        sign_in::SignInSettings,
        tenancy::{FileWatchMode, HostPattern, MissingFilePolicy, TenancySettings},
    },
    store::{StoreLocation, StoreSettings},
};
use crate::domain::{governance::Overrides, guard::LoginGuard, route::RouteTable, tenant::TenantId};

/// The whole of `deployment.toml`, resolved. One immutable snapshot; a reload makes a new one.
#[derive(Debug)]
pub struct Settings {
    pub file: PathBuf,
    pub server: ServerSettings,
    pub admin: AdminSettings,
    pub management: ManagementSettings,
    pub portal: PortalSettings,
    pub tenancy: TenancySettings,
    pub log: LogSettings,
    pub limits: LimitSettings,
    pub accounts: AccountSettings,
    /// Defaults of every tenant.
    pub defaults: TenantDefaults,
}

/// The settings of `deployment.toml` for every tenant; a tenant's file overrides them key by key.
#[derive(Debug, Clone)]
pub struct TenantDefaults {
    pub anonymous: bool,
    pub issuers: Vec<Arc<Issuer>>,
    pub sign_in: SignInSettings,
    pub access: AccessSettings,
    pub routes: Vec<crate::domain::route::RouteRule>,
    /// The profile's rules and `routes`, compiled: shared by all tenants that add none of their own.
    pub route_table: Arc<RouteTable>,
    /// The portal's own sign-ins.
    pub guards: Vec<Arc<LoginGuard>>,
    pub session: SessionSettings,
    pub rules: AccountRules,
    /// Governance properties of the file.
    pub governance: Arc<Overrides>,
    pub branding: Branding,
}

/// One tenant's resolved settings; a request uses one instance from the tenant step to its end.
#[derive(Debug, Clone)]
pub struct TenantPolicy {
    pub tenant: TenantId,
    /// Unique in this process; a changed policy has a new one, an unchanged file keeps it.
    pub generation: u64,
    pub anonymous: bool,
    /// Those of `deployment.toml` first, so that no tenant's file can replace one of them; then the tenant's own.
    pub issuers: Vec<Arc<Issuer>>,
    pub sign_in: SignInSettings,
    pub access: AccessSettings,
    pub routes: Arc<RouteTable>,
    /// The portal's own sign-ins: those of `deployment.toml` first, then the tenant's.
    pub guards: Vec<Arc<LoginGuard>>,
    pub session: SessionSettings,
    pub rules: AccountRules,
    /// Governance properties by source.
    pub governance: GovernanceLayers,
    pub branding: Branding,
    /// The tenant's domain, ready to be sent to the portal in WSO2's places: the header, path and query. `None`: the portal does
    /// not read a tenant from a request (`tenancy.named_by_request`).
    pub header_value: Option<HeaderValue>,
    /// The reason why this policy differs from the current file (last good one, or closed).
    pub problem: Option<Mistake>,
}
