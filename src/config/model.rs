//! What is meant: no `Option` that only says "not written", everything parsed, everything compiled.

mod account_rules;
mod accounts;
mod limits;
mod management;
mod reach;
mod server;

use std::{collections::HashMap, fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use http::HeaderValue;

pub use self::{
    account_rules::AccountRules,
    accounts::{Accounts, ExpiryRules, Hashing, PasswordRules, Session},
    limits::{ClientLimits, Limits},
    management::{CertificateFiles, ChangeBudget, Management},
    reach::Reach,
    server::{Admin, ClientAuth, Server, Tls, TlsFiles, TokenFile},
};
pub use super::store::{Store, StoreLocation};
use super::{governance::Layers, mistake::Mistake, secret::Secret};
use crate::domain::{
    governance::Overrides, guard::Guard, identity::CrossTenant, route::RouteTable, tenant::TenantId,
};

/// The whole of `deployment.toml`, resolved. One immutable snapshot; a reload makes a new one.
#[derive(Debug)]
pub struct Settings {
    pub file: PathBuf,
    pub server: Server,
    pub admin: Admin,
    pub management: Management,
    pub portal: Portal,
    pub tenancy: Tenancy,
    pub log: Log,
    pub limits: Limits,
    pub accounts: Accounts,
    /// What every tenant starts from.
    pub defaults: TenantDefaults,
}

/// What of the store the readiness probe needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreProbe {
    Nothing,
    Reads,
    ReadsAndWrites,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Wso2Apim,
    Generic,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portal {
    pub profile: Profile,
    /// Longest path prefix first; the last one has the path `/`.
    pub upstreams: Vec<Arc<Upstream>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Path prefix in whole segments: `/` or `/api` (which covers `/api` and `/api/…`, not `/apis`).
    pub path: String,
    pub target: Target,
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
pub enum Target {
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

impl fmt::Display for Target {
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
pub struct Tenancy {
    /// Holds one folder per tenant: `<folder>/<domain>/tenant-conf.json`.
    pub folder: PathBuf,
    pub default_tenant: TenantId,
    /// At the latest after this a tenant's file is read again (WSO2's registry cache: 15 minutes).
    pub ttl: Duration,
    /// How long an unknown tenant is remembered as unknown.
    pub negative_ttl: Duration,
    /// Tenants kept in memory.
    pub capacity: u64,
    pub watch: Watch,
    /// Explicit host names (lower case, no port).
    pub hosts: HashMap<String, TenantId>,
    /// `{tenant}.portal.example.com`: the text before and after `{tenant}`.
    pub host_pattern: Option<HostPattern>,
    /// What tenants may claim in their files: `*`, `.suffix` or a whole name.
    pub claimable_hosts: Vec<String>,
    /// Whether tenants' issuers may be on this machine.
    pub issuers_on_loopback: bool,
    /// Of `server.public_url`: the portal's own, which no tenant can claim.
    pub portal_host: Option<String>,
    /// Ask the visitor to choose where several tenants exist and none is named.
    pub selection_page: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    pub before: String,
    pub after: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// File events; and every `poll_interval` a look at what is loaded, for file systems without events.
    Auto { poll_interval: Duration },
    /// No events, only the look.
    Poll { poll_interval: Duration },
    /// Nothing: the TTL alone.
    Off,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// `tracing` filter: `info`, `doorward=debug`.
    pub level: String,
    pub access: AccessLog,
    pub audit: AuditLog,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    Off,
    Stdout,
    File(PathBuf),
}

/// Where audit events go beside the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditLog {
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

/// What `deployment.toml` says for every tenant; a tenant's file overrides it key by key.
#[derive(Debug, Clone)]
pub struct TenantDefaults {
    pub anonymous: bool,
    pub issuers: Vec<Arc<Issuer>>,
    pub sign_in: SignIn,
    pub cross_tenant: CrossTenant,
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
    pub guards: Vec<Arc<Guard>>,
    pub session: Session,
    pub rules: AccountRules,
    /// What the file says by WSO2's names of properties.
    pub governance: Arc<Overrides>,
    pub branding: Branding,
}

/// One tenant's settings, resolved: what a request carries from the tenant step to its end.
#[derive(Debug)]
pub struct TenantPolicy {
    pub tenant: TenantId,
    /// Unique in this process; a changed policy has a new one, an unchanged file keeps it.
    pub generation: u64,
    pub anonymous: bool,
    /// Those of `deployment.toml` first, so that no tenant's file can stand in for one of them; then the tenant's own.
    pub issuers: Vec<Arc<Issuer>>,
    pub sign_in: SignIn,
    pub cross_tenant: CrossTenant,
    pub routes: Arc<RouteTable>,
    pub cors_allowed_origins: Vec<HeaderValue>,
    /// Origins beside our own from which WebSockets may be opened.
    pub websocket_origins: Vec<String>,
    pub identity_headers: HeaderProfile,
    pub token_cookie: Option<String>,
    /// Send the `Authorization` header of users on to the portal.
    pub forward_token: bool,
    /// The portal's own sign-ins: those of `deployment.toml` first, then the tenant's.
    pub guards: Vec<Arc<Guard>>,
    pub session: Session,
    pub rules: AccountRules,
    /// What is said by WSO2's names of properties, and where.
    pub governance: Layers,
    /// Who is asked about breached passwords, where the policy wants that.
    pub breached_url: Option<Arc<str>>,
    pub branding: Branding,
    /// The tenant's domain, ready to be sent to the portal.
    pub header_value: HeaderValue,
    /// Why this policy is not what the file says now (kept from an earlier version, or closed).
    pub problem: Option<Mistake>,
}

/// Where a visitor signs in. Placeholders: `{tenant}`, `{return_url}` (absolute), `{return_path}` (path and query), all
/// percent-encoded when filled in. Empty where nobody can sign in with a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    pub url: String,
}

impl SignIn {
    /// Whether there is an address at all.
    pub fn is_configured(&self) -> bool {
        !self.url.is_empty()
    }

    /// Whether this is a page of ours, which waits for a person.
    pub fn is_ours(&self) -> bool {
        self.url.starts_with("/.doorward/")
    }

    /// Whether the sign-in service itself sends the browser back to where it wanted to go.
    pub fn returns_by_itself(&self) -> bool {
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

/// Who issues tokens, and which of them count.
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
    /// Named by the tenant itself. It is shown no token that may be meant for one of `deployment.toml`.
    pub of_tenant_file: bool,
    pub reach: Reach,
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
    /// Discovery for an issuer of a tenant's file. It never leads to these ports, which are ours.
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
