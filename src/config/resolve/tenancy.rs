//! `[tenancy]`

use std::{collections::HashMap, path::Path, time::Duration};

use crate::{
    config::{
        document::KeyPath,
        document_context::DocumentContext,
        model::{FileWatchMode, PortalProfile, TenancySettings},
        sections,
        text_form::{AsText, TextForm},
        values::duration::{duration_or, positive_or},
        values::name::HostName,
    },
    domain::tenant::TenantId,
};

pub fn tenancy(
    raw: sections::tenancy::TenancySection,
    profile: PortalProfile,
    portal_host: Option<&str>,
    key: &KeyPath,
    scope: &mut DocumentContext<'_>,
) -> TenancySettings {
    let folder = match raw.folder {
        Some(AsText(folder)) => scope.resolve_path(&key.name("folder"), &folder.0),
        None => scope.resolve_path(&key.name("folder"), Path::new("tenants")),
    };
    let mut hosts = HashMap::new();
    for (written, AsText(tenant)) in raw.hosts.unwrap_or_default() {
        let key = key.name("hosts").name(&written);
        match HostName::from_text(&written) {
            Err(problem) => scope.mistake(&key, problem, &format!("write {}", HostName::EXPECTED)),
            Ok(host) => {
                if hosts.insert(host.0, tenant).is_some() {
                    scope.mistake(&key, "this host name is here twice, in another case", "keep one");
                }
            }
        }
    }
    let claimable = raw.claimable_hosts.unwrap_or_default().into_iter().map(|host| host.0.0);
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
    let capacity = raw.capacity.unwrap_or(10_000);
    if !(1..=10_000_000).contains(&capacity) {
        let remedy = "write a number from 1 to 10000000";
        scope.mistake(&key.name("capacity"), format!("{capacity} is out of range"), remedy);
    }
    let poll_key = key.name("poll_interval");
    if let Some(AsText(interval)) = &raw.poll_interval
        && interval.0 < Duration::from_millis(50)
    {
        scope.mistake(&poll_key, "this interval is too short", "write at least \"50ms\"");
    }
    let watch = match raw.watch.unwrap_or_default() {
        sections::tenancy::FileWatchName::Auto => {
            FileWatchMode::Auto { poll_interval: positive_or(raw.poll_interval, 10) }
        }
        sections::tenancy::FileWatchName::Poll => {
            FileWatchMode::Poll { poll_interval: positive_or(raw.poll_interval, 1) }
        }
        sections::tenancy::FileWatchName::Off => {
            if raw.poll_interval.is_some() {
                scope.mistake(
                    &poll_key,
                    "this has no effect: watch is \"off\"",
                    "remove it, or use watch = \"poll\"",
                );
            }
            FileWatchMode::Off
        }
    };
    TenancySettings {
        folder,
        default_tenant: raw.default_tenant.map_or_else(TenantId::super_tenant, |tenant| tenant.0),
        ttl: positive_or(raw.ttl, 15 * 60),
        negative_ttl: duration_or(raw.negative_ttl, 10),
        capacity,
        watch,
        hosts,
        host_pattern: raw.host_pattern.map(|pattern| pattern.0),
        claimable_hosts,
        issuers_on_loopback: raw.issuers_on_loopback.unwrap_or(false),
        portal_host: portal_host.map(str::to_owned),
        selection_page: raw.selection_page.unwrap_or(profile == PortalProfile::Wso2Apim),
    }
}
