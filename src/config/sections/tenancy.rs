//! `[tenancy]`

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    text_form::AsText,
    values::{address::FilePath, duration::Positive, name::HostMatcher},
};
use crate::{config::model::HostPattern, domain::tenant::TenantId};

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
    /// Where several tenants exist and a request names none: let the visitor choose, from a page that lists them.
    #[schemars(extend("x-default" = "`true` with `profile = \"wso2-apim\"`, `false` with `\"generic\"`",
        "x-source" = "WSO2 tenant listing page"))]
    pub selection_page: Option<bool>,
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
