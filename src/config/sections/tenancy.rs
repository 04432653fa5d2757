//! `[tenancy]`

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::portal::PortalProfile;
use crate::{
    config::{
        document::KeyPath,
        document_context::DocumentContext,
        text_form::{AsText, TextForm},
        values::{
            address::FilePath,
            duration::{Positive, duration_or, positive_or},
            name::{HostMatcher, HostName},
        },
    },
    domain::tenant::TenantId,
};

/// Which tenants there are, and how a request names its tenant.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct TenancySection {
    /// Holds one folder a tenant, `<folder>/<domain>/tenant-conf.json`. The default one may be missing: then there is only
    /// the default tenant. One that is named here and missing is a mistake for `doorward check`.
    #[schemars(extend("default" = "tenants"))]
    pub folder: Option<AsText<FilePath>>,
    /// The tenant of a request that names none.
    #[schemars(extend("default" = "carbon.super", "x-source" = "WSO2 super tenant"))]
    pub default_tenant: Option<AsText<TenantId>>,
    /// At the latest after this a tenant's file is read again, whatever events were lost.
    #[schemars(extend("default" = "15m", "x-source" = "WSO2 registry cache"))]
    pub ttl: Option<AsText<Positive>>,
    /// How long an unknown tenant is remembered as unknown.
    #[schemars(extend("default" = "10s"))]
    pub negative_ttl: Option<AsText<Duration>>,
    /// Tenants kept in memory.
    #[schemars(extend("default" = 10000, "x-restart" = true))]
    pub capacity: Option<u64>,
    /// How edits are noticed: `auto` by file events, with a poll every `poll_interval` for file systems without events;
    /// `poll` by polling alone; `off` by the TTL alone.
    #[schemars(extend("default" = "auto"))]
    pub watch: Option<FileWatchName>,
    /// How often to check the files of the tenants in memory.
    #[schemars(extend("x-default" = "`10s` with `watch = \"auto\"`, `1s` with `\"poll\"`"))]
    pub poll_interval: Option<AsText<Positive>>,
    /// Host names that mean a tenant: `"portal.acme.com" = "acme.com"`.
    #[schemars(extend("default" = {}))]
    pub hosts: Option<BTreeMap<String, AsText<TenantId>>>,
    /// Host names that tenants may claim in their own files. A suffix begins with a dot; `*` allows any and needs
    /// `server.public_url`, whose host no tenant can claim.
    #[schemars(extend("default" = []))]
    pub claimable_hosts: Option<Vec<AsText<HostMatcher>>>,
    /// Whether issuers in tenants' own files may be on this machine (`localhost`, `127.0.0.1`). The author of such a file can
    /// send Doorward's requests to any service that listens here, except the private and the management port.
    #[schemars(extend("default" = false))]
    pub issuers_on_loopback: Option<bool>,
    /// A host name with the tenant in it.
    #[schemars(extend("x-default" = "none"))]
    pub host_pattern: Option<AsText<HostPattern>>,
    /// Whether a request may name its tenant as with WSO2: by the path `/t/{tenant}/`, the parameters `tenant` and
    /// `X-WSO2-Tenant-Q`, and the header `X-WSO2-Tenant`. The portal then gets the tenant there, too. If off, only the host, the
    /// token or the session names the tenant, and path and query belong to the portal.
    #[schemars(extend("x-default" = "`true` with `profile = \"wso2-apim\"`, `false` with `\"generic\"`"))]
    pub named_by_request: Option<bool>,
    /// Where several tenants exist and a request names none: let the visitor choose, from a page that lists them.
    #[schemars(extend("x-default" = "`true` with `profile = \"wso2-apim\"` and `named_by_request`, otherwise `false`",
        "x-source" = "WSO2 tenant listing page"))]
    pub selection_page: Option<bool>,
    /// The anonymous mode of a tenant whose folder has no `tenant-conf.json`, such as one whose file was deleted: `inherit` that of
    /// `deployment.toml`, or `closed`.
    #[schemars(extend("x-default" = "`inherit` with `profile = \"wso2-apim\"`, `closed` with `\"generic\"`"))]
    pub on_missing: Option<MissingFilePolicy>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum MissingFilePolicy {
    Inherit,
    Closed,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum FileWatchName {
    #[default]
    Auto,
    Poll,
    Off,
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
    /// Path, query and header may name the tenant.
    pub named_by_request: bool,
    /// Show the tenant selection page if several tenants exist and the request names none.
    pub selection_page: bool,
    pub on_missing: MissingFilePolicy,
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

impl TenancySection {
    pub fn resolve(
        self,
        profile: PortalProfile,
        portal_host: Option<&str>,
        key: &KeyPath,
        scope: &mut DocumentContext<'_>,
    ) -> TenancySettings {
        let folder = match self.folder {
            Some(AsText(folder)) => scope.resolve_path(&key.name("folder"), &folder.0),
            None => scope.resolve_path(&key.name("folder"), Path::new("tenants")),
        };
        let mut hosts = HashMap::new();
        for (written, AsText(tenant)) in self.hosts.unwrap_or_default() {
            let key = key.name("hosts").name(&written);
            match HostName::from_text(&written) {
                Err(invalid) => scope.mistake(&key, invalid.to_string(), &HostName::remedy()),
                Ok(host) => {
                    if hosts.insert(host.0, tenant).is_some() {
                        scope.mistake(&key, "this host name is here twice, in another case", "keep one");
                    }
                }
            }
        }
        let claimable = self.claimable_hosts.unwrap_or_default().into_iter().map(|host| host.0.0);
        let claimable_hosts: Vec<String> = claimable.collect();
        if let Some(index) = claimable_hosts.iter().position(|host| host == "*")
            && portal_host.is_none()
        {
            scope.mistake(
                &key.name("claimable_hosts").item(index),
                "any host would include the portal's own, which is not configured",
                "set server.public_url, or write suffixes such as \".tenants.example.com\"",
            );
        }
        let capacity = scope.bounded(&key.name("capacity"), self.capacity, 10_000, 1..=10_000_000);
        let poll_key = key.name("poll_interval");
        if let Some(AsText(interval)) = &self.poll_interval
            && interval.0 < Duration::from_millis(50)
        {
            scope.mistake(&poll_key, "this interval is too short", "write at least \"50ms\"");
        }
        let watch = match self.watch.unwrap_or_default() {
            FileWatchName::Auto => FileWatchMode::Auto {
                poll_interval: positive_or(self.poll_interval, Duration::from_secs(10)),
            },
            FileWatchName::Poll => {
                FileWatchMode::Poll { poll_interval: positive_or(self.poll_interval, Duration::from_secs(1)) }
            }
            FileWatchName::Off => {
                if self.poll_interval.is_some() {
                    scope.mistake(
                        &poll_key,
                        "this has no effect: watch is \"off\"",
                        "remove it, or use watch = \"poll\"",
                    );
                }
                FileWatchMode::Off
            }
        };
        let named_by_request = self.named_by_request.unwrap_or(profile == PortalProfile::Wso2Apim);
        if self.selection_page == Some(true) && !named_by_request {
            scope.mistake(
                &key.name("selection_page"),
                "a browser cannot choose a tenant: requests do not name one here",
                "remove it, or write named_by_request = true",
            );
        }
        TenancySettings {
            folder,
            default_tenant: self.default_tenant.map_or_else(TenantId::super_tenant, |tenant| tenant.0),
            ttl: positive_or(self.ttl, Duration::from_mins(15)),
            negative_ttl: duration_or(self.negative_ttl, Duration::from_secs(10)),
            capacity,
            watch,
            hosts,
            host_pattern: self.host_pattern.map(|pattern| pattern.0),
            claimable_hosts,
            issuers_on_loopback: self.issuers_on_loopback.unwrap_or(false),
            portal_host: portal_host.map(str::to_owned),
            named_by_request,
            selection_page: self
                .selection_page
                .unwrap_or(profile == PortalProfile::Wso2Apim && named_by_request),
            on_missing: self.on_missing.unwrap_or(match profile {
                PortalProfile::Wso2Apim => MissingFilePolicy::Inherit,
                PortalProfile::Generic => MissingFilePolicy::Closed,
            }),
        }
    }
}

impl From<&TenancySettings> for TenancySection {
    fn from(tenancy: &TenancySettings) -> Self {
        let (watch, poll_interval) = match tenancy.watch {
            FileWatchMode::Auto { poll_interval } => (FileWatchName::Auto, Some(poll_interval)),
            FileWatchMode::Poll { poll_interval } => (FileWatchName::Poll, Some(poll_interval)),
            FileWatchMode::Off => (FileWatchName::Off, None),
        };
        Self {
            folder: Some(FilePath::written(&tenancy.folder)),
            default_tenant: Some(AsText(tenancy.default_tenant.clone())),
            ttl: Some(AsText(Positive(tenancy.ttl))),
            negative_ttl: Some(AsText(tenancy.negative_ttl)),
            capacity: Some(tenancy.capacity),
            watch: Some(watch),
            poll_interval: poll_interval.map(|interval| AsText(Positive(interval))),
            host_pattern: tenancy.host_pattern.clone().map(AsText),
            claimable_hosts: Some(
                tenancy.claimable_hosts.iter().cloned().map(|host| AsText(HostMatcher(host))).collect(),
            ),
            issuers_on_loopback: Some(tenancy.issuers_on_loopback),
            named_by_request: Some(tenancy.named_by_request),
            selection_page: Some(tenancy.selection_page),
            on_missing: Some(tenancy.on_missing),
            hosts: Some(
                tenancy.hosts.iter().map(|(host, tenant)| (host.clone(), AsText(tenant.clone()))).collect(),
            ),
        }
    }
}

/// Each key that needs a restart, and whether it has changed.
pub fn restart_keys(old: &TenancySettings, new: &TenancySettings) -> Vec<(&'static str, bool)> {
    vec![("tenancy.capacity", old.capacity != new.capacity)]
}
