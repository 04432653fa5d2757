//! Maps host names to tenants: `tenancy.hosts`, then the host pattern, then the claims of tenant files.

use std::{borrow::Cow, collections::HashMap};

use super::model::{HostPattern, Settings, TenancySettings};
use crate::domain::tenant::TenantId;

/// The result of a host name look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostLookup {
    Tenant(TenantId),
    /// No tenant's own host name: the request must name its tenant otherwise.
    NoTenant,
    /// Two tenants claim it, so neither gets it.
    Conflict,
    /// Not all tenant files have been read since the start: one of them may claim it.
    IndexNotReady,
}

/// The host claims of all tenant files.
#[derive(Debug, Default)]
pub struct HostClaims {
    hosts: HashMap<Box<str>, HostClaim>,
    /// Some tenant file could never be read: it may claim a host without another claimant.
    is_incomplete: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostClaim {
    By(TenantId),
    ByTwo(TenantId, TenantId),
}

impl HostClaims {
    pub fn insert(&mut self, host: &str, tenant: &TenantId) {
        let host: Box<str> = normalise(host).into();
        match self.hosts.get_mut(&host) {
            None => {
                self.hosts.insert(host, HostClaim::By(tenant.clone()));
            }
            Some(claim) => {
                if let HostClaim::By(first) = claim
                    && first != tenant
                {
                    *claim = HostClaim::ByTwo(first.clone(), tenant.clone());
                }
            }
        }
    }

    pub fn mark_incomplete(&mut self) {
        self.is_incomplete = true;
    }

    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Each host that two tenants claim, with two of them, sorted.
    pub fn conflicts(&self) -> Vec<(&str, &TenantId, &TenantId)> {
        let mut found: Vec<_> = self
            .hosts
            .iter()
            .filter_map(|(host, claim)| match claim {
                HostClaim::ByTwo(one, other) => Some((host.as_ref(), one, other)),
                HostClaim::By(_) => None,
            })
            .collect();
        found.sort_unstable();
        found
    }

    /// Claims that have no effect because `deployment.toml` does not allow them, with one of the claimants.
    pub fn disallowed_claims(&self, tenancy: &TenancySettings) -> Vec<(&str, &TenantId)> {
        let claims = self.hosts.iter();
        let mut found: Vec<_> = claims
            .filter(|(host, _)| configured_tenant(tenancy, host).is_none() && !is_claimable(tenancy, host))
            .map(|(host, claim)| match claim {
                HostClaim::By(tenant) | HostClaim::ByTwo(tenant, _) => (host.as_ref(), tenant),
            })
            .collect();
        found.sort_unstable();
        found
    }

    /// Claims that have no effect because `deployment.toml` gives the host to another tenant.
    pub fn overruled_claims<'a>(
        &'a self,
        tenancy: &'a TenancySettings,
    ) -> Vec<(&'a str, &'a TenantId, TenantId)> {
        let mut found: Vec<_> = self
            .hosts
            .iter()
            .filter_map(|(host, claim)| match (claim, configured_tenant(tenancy, host)) {
                (HostClaim::By(claimant), Some(owner)) if owner != *claimant => {
                    Some((host.as_ref(), claimant, owner))
                }
                _ => None,
            })
            .collect();
        found.sort_unstable();
        found
    }

    /// Another tenant that claims this host name (in its normal form).
    pub fn other_claimant(&self, host: &str, tenant: &TenantId) -> Option<TenantId> {
        let claimants = match self.hosts.get(host)? {
            HostClaim::By(one) => [one, one],
            HostClaim::ByTwo(one, other) => [one, other],
        };
        claimants.into_iter().find(|claimant| *claimant != tenant).cloned()
    }

    fn get(&self, host: &str) -> HostLookup {
        match self.hosts.get(host) {
            Some(HostClaim::By(tenant)) => HostLookup::Tenant(tenant.clone()),
            Some(HostClaim::ByTwo(..)) => HostLookup::Conflict,
            None if self.is_incomplete => HostLookup::IndexNotReady,
            None => HostLookup::NoTenant,
        }
    }
}

/// Finds the tenant of a `Host` as a client writes it. `claims` is `None` until all tenant files have been read.
pub fn find_tenant(tenancy: &TenancySettings, claims: Option<&HostClaims>, written: &str) -> HostLookup {
    let host = normalise(written);
    if let Some(tenant) = configured_tenant(tenancy, &host) {
        return HostLookup::Tenant(tenant);
    }
    // claims matter for claimable hosts only
    if !is_claimable(tenancy, &host) {
        return HostLookup::NoTenant;
    }
    claims.map_or(HostLookup::IndexNotReady, |claims| claims.get(&host))
}

/// Whether a tenant's file may claim this host (in its normal form).
pub fn is_claimable(tenancy: &TenancySettings, host: &str) -> bool {
    tenancy.portal_host.as_deref() != Some(host) && matches_any(&tenancy.claimable_hosts, host)
}

/// Whether requests may name this host, as it was sent (`server.allowed_hosts`).
pub fn is_allowed(settings: &Settings, host: &str) -> bool {
    let allowed = &settings.server.allowed_hosts;
    if allowed.is_empty() {
        return true;
    }
    is_portal_host(&settings.tenancy, host) || matches_any(allowed, &normalise(host))
}

/// Whether the host of a request, as it was sent, is that of `server.public_url`.
pub fn is_portal_host(tenancy: &TenancySettings, host: &str) -> bool {
    tenancy.portal_host.as_deref() == Some(&*normalise(host))
}

fn matches_any(list: &[String], host: &str) -> bool {
    list.iter().any(|allowed| match allowed.as_str() {
        "*" => true,
        suffix if suffix.starts_with('.') => host.len() > suffix.len() && host.ends_with(suffix),
        name => name == host,
    })
}

fn configured_tenant(tenancy: &TenancySettings, host: &str) -> Option<TenantId> {
    tenancy
        .hosts
        .get(host)
        .cloned()
        .or_else(|| tenancy.host_pattern.as_ref().and_then(|pattern| tenant_by_pattern(pattern, host)))
}

fn tenant_by_pattern(pattern: &HostPattern, host: &str) -> Option<TenantId> {
    let name = host.strip_prefix(pattern.before.as_str())?.strip_suffix(pattern.after.as_str())?;
    TenantId::parse(name).ok()
}

/// Lower case, without port and final dot. Borrows where nothing is to do, which is nearly always.
pub fn normalise(written: &str) -> Cow<'_, str> {
    let host = match written.rsplit_once(':') {
        Some((host, port))
            if port.bytes().all(|b| b.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']')) =>
        {
            host
        }
        _ => written,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::*;
    use crate::config::load;

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn tenancy() -> TenancySettings {
        let text = "[server]\npublic_url = \"https://portal.example.org\"\n\
            [tenancy]\nhosts = { \"dev.acme.com\" = \"acme.com\" }\nhost_pattern = \"{tenant}.portal.example.com\"\n\
            claimable_hosts = [\".example.org\", \"one.example\"]\n\
            [[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n";
        load::parse(text, Path::new("/d.toml"), &BTreeMap::new()).unwrap().tenancy
    }

    #[test]
    fn hosts_have_one_normal_form() {
        for (written, expected) in [
            ("portal.example.com", "portal.example.com"),
            ("Portal.EXAMPLE.com:8443", "portal.example.com"),
            ("portal.example.com.", "portal.example.com"),
            ("portal.example.com.:443", "portal.example.com"),
            ("portal.example.com:", "portal.example.com"),
            ("[::1]:8080", "[::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
            ("host:name", "host:name"),
        ] {
            assert_eq!(normalise(written), expected, "{written}");
        }
    }

    #[test]
    fn host_map_precedes_pattern_precedes_tenant_claims() {
        let mut claims = HostClaims::default();
        claims.insert("dev.acme.com", &tenant("mallory.com"));
        claims.insert("beta.portal.example.com", &tenant("mallory.com"));
        claims.insert("own.example.org", &tenant("own.org"));
        let tenancy = tenancy();
        for (host, expected) in [
            ("DEV.acme.com:443", HostLookup::Tenant(tenant("acme.com"))),
            ("beta.portal.example.com", HostLookup::Tenant(tenant("beta"))),
            ("own.example.org.", HostLookup::Tenant(tenant("own.org"))),
            ("portal.example.com", HostLookup::NoTenant),
            (".portal.example.com", HostLookup::NoTenant),
            ("a..b.portal.example.com", HostLookup::NoTenant),
            ("", HostLookup::NoTenant),
        ] {
            assert_eq!(find_tenant(&tenancy, Some(&claims), host), expected, "{host}");
        }
        assert_eq!(claims.overruled_claims(&tenancy).len(), 2);
    }

    #[test]
    fn attack_a_tenant_claims_the_portals_host() {
        let mut claims = HostClaims::default();
        let mallory = tenant("mallory.com");
        for host in ["portal.example.org", "www.example.net", "example.org", "evilexample.org", "one.example"]
        {
            claims.insert(host, &mallory);
        }
        for host in ["PORTAL.example.org:443", "www.example.net", "example.org", "evilexample.org"] {
            assert_eq!(find_tenant(&tenancy(), Some(&claims), host), HostLookup::NoTenant, "{host}");
            assert_eq!(find_tenant(&tenancy(), None, host), HostLookup::NoTenant, "{host}");
        }
        assert_eq!(
            find_tenant(&tenancy(), Some(&claims), "one.example"),
            HostLookup::Tenant(mallory.clone())
        );
        assert_eq!(claims.disallowed_claims(&tenancy()).len(), 4);
        // any host, but never the portal's
        let any = TenancySettings { claimable_hosts: vec!["*".to_owned()], ..tenancy() };
        assert_eq!(find_tenant(&any, Some(&claims), "www.example.net"), HostLookup::Tenant(mallory));
        assert_eq!(find_tenant(&any, Some(&claims), "portal.example.org"), HostLookup::NoTenant);
        // by default no host is claimable
        let nothing = TenancySettings { claimable_hosts: Vec::new(), ..tenancy() };
        assert_eq!(find_tenant(&nothing, Some(&claims), "one.example"), HostLookup::NoTenant);
    }

    #[test]
    fn attack_a_broken_file_hands_its_host_to_the_default_tenant() {
        let mut claims = HostClaims::default();
        claims.insert("shop.example.org", &tenant("shop.org"));
        claims.mark_incomplete();
        for (host, expected) in [
            ("shop.example.org", HostLookup::Tenant(tenant("shop.org"))),
            ("dev.acme.com", HostLookup::Tenant(tenant("acme.com"))),
            ("unknown.example.org", HostLookup::IndexNotReady),
            ("portal.example.org", HostLookup::NoTenant),
            ("elsewhere.example.net", HostLookup::NoTenant),
        ] {
            assert_eq!(find_tenant(&tenancy(), Some(&claims), host), expected, "{host}");
        }
    }

    #[test]
    fn only_deployment_toml_decides_until_all_files_are_read() {
        let tenancy = tenancy();
        assert_eq!(find_tenant(&tenancy, None, "dev.acme.com"), HostLookup::Tenant(tenant("acme.com")));
        assert_eq!(find_tenant(&tenancy, None, "own.example.org"), HostLookup::IndexNotReady);
    }

    #[test]
    fn attack_a_tenant_claims_a_host_of_another_tenant() {
        let mut claims = HostClaims::default();
        claims.insert("shop.example.org", &tenant("shop.org"));
        claims.insert("SHOP.example.org.", &tenant("shop.org"));
        assert_eq!(
            find_tenant(&tenancy(), Some(&claims), "shop.example.org"),
            HostLookup::Tenant(tenant("shop.org"))
        );
        claims.insert("shop.example.org", &tenant("mallory.com"));
        claims.insert("shop.example.org", &tenant("shop.org"));
        assert_eq!(find_tenant(&tenancy(), Some(&claims), "shop.example.org"), HostLookup::Conflict);
        assert_eq!(claims.conflicts(), [("shop.example.org", &tenant("shop.org"), &tenant("mallory.com"))]);
        claims.insert("own.example.org", &tenant("own.org"));
        for (host, asking, other) in [
            ("shop.example.org", "shop.org", Some("mallory.com")),
            ("shop.example.org", "mallory.com", Some("shop.org")),
            ("own.example.org", "mallory.com", Some("own.org")),
            ("own.example.org", "own.org", None),
            ("nobodys.example.org", "own.org", None),
        ] {
            assert_eq!(claims.other_claimant(host, &tenant(asking)), other.map(tenant), "{asking}: {host}");
        }
    }
}
