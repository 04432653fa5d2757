//! Host names to tenants: what `deployment.toml` says, then its pattern, then what tenants claim in their own files.

use std::{borrow::Cow, collections::HashMap};

use super::model::{HostPattern, Settings, Tenancy};
use crate::domain::tenant::TenantId;

/// What a host name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostFound {
    Tenant(TenantId),
    /// No tenant's own host name: the request must name its tenant otherwise.
    None,
    /// Two tenants claim it. Nobody gets it.
    Conflict,
    /// Not all tenant files have been read since the start: it may be somebody's.
    IndexNotReady,
}

/// What the files of all tenants claim.
#[derive(Debug, Default)]
pub struct HostClaims {
    hosts: HashMap<Box<str>, Claim>,
    /// Some tenant's file could never be read: a host that nobody claims may be its.
    incomplete: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Claim {
    By(TenantId),
    ByTwo(TenantId, TenantId),
}

impl HostClaims {
    pub fn insert(&mut self, host: &str, tenant: &TenantId) {
        let host: Box<str> = normal(host).into();
        match self.hosts.get_mut(&host) {
            None => {
                self.hosts.insert(host, Claim::By(tenant.clone()));
            }
            Some(claim) => {
                if let Claim::By(first) = claim
                    && first != tenant
                {
                    *claim = Claim::ByTwo(first.clone(), tenant.clone());
                }
            }
        }
    }

    pub fn set_incomplete(&mut self) {
        self.incomplete = true;
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
                Claim::ByTwo(one, other) => Some((host.as_ref(), one, other)),
                Claim::By(_) => None,
            })
            .collect();
        found.sort_unstable();
        found
    }

    /// Claims that have no effect because `deployment.toml` allows nobody to make them, with one of the claimants.
    pub fn not_allowed(&self, tenancy: &Tenancy) -> Vec<(&str, &TenantId)> {
        let claims = self.hosts.iter();
        let mut found: Vec<_> = claims
            .filter(|(host, _)| configured(tenancy, host).is_none() && !is_claimable(tenancy, host))
            .map(|(host, claim)| match claim {
                Claim::By(tenant) | Claim::ByTwo(tenant, _) => (host.as_ref(), tenant),
            })
            .collect();
        found.sort_unstable();
        found
    }

    /// Claims that have no effect because `deployment.toml` gives the host to another tenant.
    pub fn overruled<'a>(&'a self, tenancy: &'a Tenancy) -> Vec<(&'a str, &'a TenantId, TenantId)> {
        let mut found: Vec<_> = self
            .hosts
            .iter()
            .filter_map(|(host, claim)| match (claim, configured(tenancy, host)) {
                (Claim::By(claimant), Some(owner)) if owner != *claimant => {
                    Some((host.as_ref(), claimant, owner))
                }
                _ => None,
            })
            .collect();
        found.sort_unstable();
        found
    }

    /// Another tenant that claims this host name (in its normal form).
    pub fn by_another(&self, host: &str, tenant: &TenantId) -> Option<TenantId> {
        let claimants = match self.hosts.get(host)? {
            Claim::By(one) => [one, one],
            Claim::ByTwo(one, other) => [one, other],
        };
        claimants.into_iter().find(|claimant| *claimant != tenant).cloned()
    }

    fn get(&self, host: &str) -> HostFound {
        match self.hosts.get(host) {
            Some(Claim::By(tenant)) => HostFound::Tenant(tenant.clone()),
            Some(Claim::ByTwo(..)) => HostFound::Conflict,
            None if self.incomplete => HostFound::IndexNotReady,
            None => HostFound::None,
        }
    }
}

/// Finds the tenant of a `Host` as a client writes it. `claims` is `None` until all tenant files have been read.
pub fn find(tenancy: &Tenancy, claims: Option<&HostClaims>, written: &str) -> HostFound {
    let host = normal(written);
    if let Some(tenant) = configured(tenancy, &host) {
        return HostFound::Tenant(tenant);
    }
    // a host that no tenant may claim needs no look at what they claim
    if !is_claimable(tenancy, &host) {
        return HostFound::None;
    }
    claims.map_or(HostFound::IndexNotReady, |claims| claims.get(&host))
}

/// Whether a tenant's file may claim this host (in its normal form).
pub fn is_claimable(tenancy: &Tenancy, host: &str) -> bool {
    tenancy.portal_host.as_deref() != Some(host) && is_in(&tenancy.claimable_hosts, host)
}

/// Whether requests may name this host, as it was sent (`server.allowed_hosts`).
pub fn is_allowed(settings: &Settings, host: &str) -> bool {
    let allowed = &settings.server.allowed_hosts;
    if allowed.is_empty() {
        return true;
    }
    is_portal_host(&settings.tenancy, host) || is_in(allowed, &normal(host))
}

/// Whether the host of a request, as it was sent, is that of `server.public_url`.
pub fn is_portal_host(tenancy: &Tenancy, host: &str) -> bool {
    tenancy.portal_host.as_deref() == Some(&*normal(host))
}

fn is_in(list: &[String], host: &str) -> bool {
    list.iter().any(|allowed| match allowed.as_str() {
        "*" => true,
        suffix if suffix.starts_with('.') => host.len() > suffix.len() && host.ends_with(suffix),
        name => name == host,
    })
}

fn configured(tenancy: &Tenancy, host: &str) -> Option<TenantId> {
    tenancy
        .hosts
        .get(host)
        .cloned()
        .or_else(|| tenancy.host_pattern.as_ref().and_then(|pattern| by_pattern(pattern, host)))
}

fn by_pattern(pattern: &HostPattern, host: &str) -> Option<TenantId> {
    let name = host.strip_prefix(pattern.before.as_str())?.strip_suffix(pattern.after.as_str())?;
    TenantId::parse(name).ok()
}

/// Lower case, without port and final dot. Borrows where nothing is to do, which is nearly always.
pub fn normal(written: &str) -> Cow<'_, str> {
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
    use std::{path::PathBuf, time::Duration};

    use super::*;
    use crate::config::model::Watch;

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn tenancy() -> Tenancy {
        Tenancy {
            folder: PathBuf::new(),
            default_tenant: TenantId::super_tenant(),
            ttl: Duration::from_mins(15),
            negative_ttl: Duration::from_secs(10),
            capacity: 10,
            watch: Watch::Off,
            hosts: HashMap::from([("dev.acme.com".to_owned(), tenant("acme.com"))]),
            host_pattern: Some(HostPattern {
                before: String::new(),
                after: ".portal.example.com".to_owned(),
            }),
            claimable_hosts: vec![".example.org".to_owned(), "one.example".to_owned()],
            issuers_on_loopback: false,
            portal_host: Some("portal.example.org".to_owned()),
            selection_page: true,
        }
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
            assert_eq!(normal(written), expected, "{written}");
        }
    }

    #[test]
    fn deployment_toml_comes_before_its_pattern_before_the_tenants_own_word() {
        let mut claims = HostClaims::default();
        claims.insert("dev.acme.com", &tenant("mallory.com"));
        claims.insert("beta.portal.example.com", &tenant("mallory.com"));
        claims.insert("own.example.org", &tenant("own.org"));
        let tenancy = tenancy();
        for (host, expected) in [
            ("DEV.acme.com:443", HostFound::Tenant(tenant("acme.com"))),
            ("beta.portal.example.com", HostFound::Tenant(tenant("beta"))),
            ("own.example.org.", HostFound::Tenant(tenant("own.org"))),
            ("portal.example.com", HostFound::None),
            (".portal.example.com", HostFound::None),
            ("a..b.portal.example.com", HostFound::None),
            ("", HostFound::None),
        ] {
            assert_eq!(find(&tenancy, Some(&claims), host), expected, "{host}");
        }
        assert_eq!(claims.overruled(&tenancy).len(), 2);
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
            assert_eq!(find(&tenancy(), Some(&claims), host), HostFound::None, "{host}");
            assert_eq!(find(&tenancy(), None, host), HostFound::None, "{host}");
        }
        assert_eq!(find(&tenancy(), Some(&claims), "one.example"), HostFound::Tenant(mallory.clone()));
        assert_eq!(claims.not_allowed(&tenancy()).len(), 4);
        // any host, but never the portal's
        let any = Tenancy { claimable_hosts: vec!["*".to_owned()], ..tenancy() };
        assert_eq!(find(&any, Some(&claims), "www.example.net"), HostFound::Tenant(mallory));
        assert_eq!(find(&any, Some(&claims), "portal.example.org"), HostFound::None);
        // by default nobody may claim anything
        let nothing = Tenancy { claimable_hosts: Vec::new(), ..tenancy() };
        assert_eq!(find(&nothing, Some(&claims), "one.example"), HostFound::None);
    }

    #[test]
    fn attack_a_broken_file_hands_its_host_to_the_default_tenant() {
        let mut claims = HostClaims::default();
        claims.insert("shop.example.org", &tenant("shop.org"));
        claims.set_incomplete();
        for (host, expected) in [
            ("shop.example.org", HostFound::Tenant(tenant("shop.org"))),
            ("dev.acme.com", HostFound::Tenant(tenant("acme.com"))),
            ("unknown.example.org", HostFound::IndexNotReady),
            ("portal.example.org", HostFound::None),
            ("elsewhere.example.net", HostFound::None),
        ] {
            assert_eq!(find(&tenancy(), Some(&claims), host), expected, "{host}");
        }
    }

    #[test]
    fn until_all_files_are_read_only_deployment_toml_decides() {
        let tenancy = tenancy();
        assert_eq!(find(&tenancy, None, "dev.acme.com"), HostFound::Tenant(tenant("acme.com")));
        assert_eq!(find(&tenancy, None, "own.example.org"), HostFound::IndexNotReady);
    }

    #[test]
    fn a_tenant_cannot_take_a_host_that_another_one_has() {
        let mut claims = HostClaims::default();
        claims.insert("shop.example.org", &tenant("shop.org"));
        claims.insert("SHOP.example.org.", &tenant("shop.org"));
        assert_eq!(
            find(&tenancy(), Some(&claims), "shop.example.org"),
            HostFound::Tenant(tenant("shop.org"))
        );
        claims.insert("shop.example.org", &tenant("mallory.com"));
        claims.insert("shop.example.org", &tenant("shop.org"));
        assert_eq!(find(&tenancy(), Some(&claims), "shop.example.org"), HostFound::Conflict);
        assert_eq!(claims.conflicts(), [("shop.example.org", &tenant("shop.org"), &tenant("mallory.com"))]);
        claims.insert("own.example.org", &tenant("own.org"));
        for (host, asking, other) in [
            ("shop.example.org", "shop.org", Some("mallory.com")),
            ("shop.example.org", "mallory.com", Some("shop.org")),
            ("own.example.org", "mallory.com", Some("own.org")),
            ("own.example.org", "own.org", None),
            ("nobodys.example.org", "own.org", None),
        ] {
            assert_eq!(claims.by_another(host, &tenant(asking)), other.map(tenant), "{asking}: {host}");
        }
    }
}
