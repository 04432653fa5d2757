//! Resolved settings: no `Option` that only means "not written"; every value is parsed and compiled.

mod account_rules;
mod accounts;
mod egress_policy;
mod management;
mod server;

use std::{collections::HashMap, fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use http::HeaderValue;

pub use self::{
    account_rules::AccountRules,
    accounts::{AccountSettings, ExpiryRules, HashingSettings, PasswordRules, SessionSettings},
    egress_policy::EgressPolicy,
    management::{CertificateFiles, ChangeBudget, ManagementSettings},
    server::{AdminSettings, ClientAuth, ServerSettings, TlsFiles, TlsSettings, TokenFile},
};
use super::{governance::GovernanceLayers, mistake::Mistake, secret::Secret};
pub use super::{
    sections::limits::{ClientLimits, LimitSettings},
    store::{StoreLocation, StoreSettings},
};
use crate::domain::{
    governance::Overrides, guard::LoginGuard, identity::CrossTenantAccess, route::RouteTable,
    tenant::TenantId,
};

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

/// The store operations that the readiness probe requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreProbe {
    Off,
    Read,
    ReadWrite,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortalProfile {
    Wso2Apim,
    Generic,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalSettings {
    pub profile: PortalProfile,
    /// Longest path prefix first; the last one has the path `/`.
    pub upstreams: Vec<Arc<Upstream>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Path prefix in whole segments: `/` or `/api` (which covers `/api` and `/api/…`, not `/apis`).
    pub path: String,
    pub target: UpstreamTarget,
    /// Speak HTTP/2 to the portal (over TLS by ALPN, in clear text with prior knowledge).
    pub http2: bool,
    /// Send this `Host` instead of the one the browser sent.
    pub host: Option<String>,
    /// Of all workers together; upgrades have a bound of their own.
    pub max_connections: usize,
    pub connect_timeout: Duration,
    /// From the last byte of the request to the first byte of the answer.
    pub header_timeout: Duration,
    /// Longest silence in the middle of a body.
    pub idle_timeout: Duration,
    /// How long an unused connection is kept: shorter than the portal's own keep-alive.
    pub keep_alive: Duration,
}

/// Requests that an HTTP/2 connection to the portal carries at a time, unless the portal allows fewer.
pub const HTTP2_STREAMS: usize = 100;

impl Upstream {
    /// Requests that can be under way at a time.
    pub const fn max_requests(&self) -> usize {
        if self.http2 { self.max_connections.saturating_mul(HTTP2_STREAMS) } else { self.max_connections }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UpstreamTarget {
    /// `http://host:port`; an IPv6 address has no brackets here.
    Tcp { host: String, port: u16 },
    /// `https://host:port`; an IPv6 address has no brackets here.
    Tls {
        host: String,
        port: u16,
        /// Trusts this CA only; otherwise the system's roots.
        ca_file: Option<PathBuf>,
        client_cert_file: Option<PathBuf>,
        client_key_file: Option<PathBuf>,
    },
    /// `unix:/run/portal.sock`
    Unix { path: PathBuf },
}

impl fmt::Display for UpstreamTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Tcp { host, port } => ("http", host, port),
            Self::Tls { host, port, .. } => ("https", host, port),
            Self::Unix { path } => return write!(f, "unix:{}", path.display()),
        };
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenancySettings {
    /// Holds one folder per tenant: `<folder>/<domain>/tenant-conf.json`.
    pub folder: PathBuf,
    pub default_tenant: TenantId,
    /// At the latest after this a tenant's file is read again (WSO2's registry cache: 15 minutes).
    pub ttl: Duration,
    /// How long an unknown tenant is remembered as unknown.
    pub negative_ttl: Duration,
    /// Tenants kept in memory.
    pub capacity: u64,
    pub watch: FileWatchMode,
    /// Explicit host names (lower case, no port).
    pub hosts: HashMap<String, TenantId>,
    /// `{tenant}.portal.example.com`: the text before and after `{tenant}`.
    pub host_pattern: Option<HostPattern>,
    /// Host names that tenant files may claim: `*`, `.suffix` or a whole name.
    pub claimable_hosts: Vec<String>,
    /// Whether tenants' issuers may be on this machine.
    pub issuers_on_loopback: bool,
    /// Of `server.public_url`: the portal's own, which no tenant can claim.
    pub portal_host: Option<String>,
    /// Show the tenant selection page if several tenants exist and the request names none.
    pub selection_page: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    pub before: String,
    pub after: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileWatchMode {
    /// File events, and a poll every `poll_interval` for file systems without events.
    Auto { poll_interval: Duration },
    /// Polling only.
    Poll { poll_interval: Duration },
    /// Nothing: the TTL alone.
    Off,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// `tracing` filter: `info`, `doorward=debug`.
    pub level: String,
    pub access: AccessLogTarget,
    pub audit: AuditLogTarget,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLogTarget {
    Off,
    Stdout,
    File(PathBuf),
}

/// Where audit events go beside the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditLogTarget {
    Off,
    Stdout,
    File(PathBuf),
    Syslog(SyslogServer),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogServer {
    Unix(PathBuf),
    Udp {
        host: String,
        port: u16,
    },
    Tcp {
        host: String,
        port: u16,
    },
    /// Without a file: the authorities of the system.
    Tls {
        host: String,
        port: u16,
        ca_file: Option<PathBuf>,
    },
}

/// The settings of `deployment.toml` for every tenant; a tenant's file overrides them key by key.
#[derive(Debug, Clone)]
pub struct TenantDefaults {
    pub anonymous: bool,
    pub issuers: Vec<Arc<Issuer>>,
    pub sign_in: SignInSettings,
    pub cross_tenant: CrossTenantAccess,
    pub routes: Vec<crate::domain::route::RouteRule>,
    /// The profile's rules and `routes`, compiled: shared by all tenants that add none of their own.
    pub route_table: Arc<RouteTable>,
    pub cors_allowed_origins: Vec<String>,
    pub websocket_origins: Vec<String>,
    pub identity_headers: HeaderProfile,
    /// Name of a cookie that holds a whole access token, for portals that keep theirs in one.
    pub token_cookie: Option<String>,
    /// Send the `Authorization` header of users on to the portal.
    pub forward_token: bool,
    /// Add `Cache-Control: private` to answers to authenticated requests.
    pub private_responses: bool,
    /// The portal's own sign-ins.
    pub guards: Vec<Arc<LoginGuard>>,
    pub session: SessionSettings,
    pub rules: AccountRules,
    /// Governance properties of the file.
    pub governance: Arc<Overrides>,
    pub branding: Branding,
}

/// One tenant's resolved settings; a request uses one instance from the tenant step to its end.
#[derive(Debug)]
pub struct TenantPolicy {
    pub tenant: TenantId,
    /// Unique in this process; a changed policy has a new one, an unchanged file keeps it.
    pub generation: u64,
    pub anonymous: bool,
    /// Those of `deployment.toml` first, so that no tenant's file can replace one of them; then the tenant's own.
    pub issuers: Vec<Arc<Issuer>>,
    pub sign_in: SignInSettings,
    pub cross_tenant: CrossTenantAccess,
    pub routes: Arc<RouteTable>,
    pub cors_allowed_origins: Vec<HeaderValue>,
    /// Origins beside our own from which WebSockets may be opened.
    pub websocket_origins: Vec<String>,
    pub identity_headers: HeaderProfile,
    pub token_cookie: Option<String>,
    /// Send the `Authorization` header of users on to the portal.
    pub forward_token: bool,
    /// The portal's own sign-ins: those of `deployment.toml` first, then the tenant's.
    pub guards: Vec<Arc<LoginGuard>>,
    pub session: SessionSettings,
    pub rules: AccountRules,
    /// Governance properties by source.
    pub governance: GovernanceLayers,
    /// URL of the breached-password service, if the policy uses one.
    pub breached_url: Option<Arc<str>>,
    pub branding: Branding,
    /// The tenant's domain, ready to be sent to the portal.
    pub header_value: HeaderValue,
    /// The reason why this policy differs from the current file (last good one, or closed).
    pub problem: Option<Mistake>,
}

/// The sign-in address. Placeholders: `{tenant}`, `{return_url}` (absolute), `{return_path}` (path and query), all
/// percent-encoded when filled in. Empty if sign-in with a browser is not available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInSettings {
    pub url: String,
}

impl SignInSettings {
    /// Whether there is an address at all.
    pub fn is_configured(&self) -> bool {
        !self.url.is_empty()
    }

    /// Whether this is Doorward's own page, which waits for user input.
    pub fn is_own_page(&self) -> bool {
        self.url.starts_with("/.doorward/")
    }

    /// Whether the sign-in service itself sends the browser back to where it wanted to go.
    pub fn has_return_placeholder(&self) -> bool {
        self.url.contains("{return_url}") || self.url.contains("{return_path}")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeaderProfile {
    Wso2,
    OAuth2Proxy,
    Authelia,
    None,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Branding {
    /// Shown instead of the tenant's domain.
    pub name: Option<String>,
    /// Path or URL of an image.
    pub logo: Option<String>,
    /// CSS colour `#rrggbb`; its contrast is checked when it is set.
    pub accent: Option<String>,
}

/// A token issuer, and the conditions under which its tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    /// The exact `iss`.
    pub issuer: String,
    /// One of these must be in `aud`.
    pub audiences: Vec<String>,
    pub keys: KeySource,
    pub algorithms: Vec<jsonwebtoken::Algorithm>,
    pub leeway: Duration,
    pub required_scopes: Vec<String>,
    /// Claim with the user's tenant. Without it every token of this issuer belongs to `tenant`.
    pub tenant_claim: Option<String>,
    pub tenant: TenantId,
    /// Defined in a tenant's file. It receives no token that may belong to an issuer of `deployment.toml`.
    pub is_tenant_defined: bool,
    pub egress: EgressPolicy,
    pub user_claim: String,
    pub roles_claim: String,
    pub introspection: Option<Introspection>,
    /// Verified tokens are trusted from memory at most this long.
    pub cache_ttl: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// No signatures to check: opaque tokens only.
    None,
    File(PathBuf),
    Url(String),
    /// `<issuer>/.well-known/openid-configuration`
    Discovery,
    /// Discovery for an issuer of a tenant's file. It never connects to these addresses: the private and the management port.
    ConfinedDiscovery(Arc<[SocketAddr]>),
}

/// RFC 7662.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspection {
    pub url: String,
    pub client_id: String,
    pub client_secret: Secret,
    pub ca_file: Option<PathBuf>,
    pub cache_ttl: Duration,
    pub negative_ttl: Duration,
    pub timeout: Duration,
}

impl std::hash::Hash for Introspection {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.url, &self.client_id, self.client_secret.expose()).hash(state);
    }
}
