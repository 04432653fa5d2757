//! Finds the tenant of a host name: `deployment.toml` decides first, then the claims of tenant files.

use std::collections::{BTreeSet, HashMap};

use crate::{
    config::{
        hosts::{configured_tenant, is_claimable, normalise},
        model::TenancySettings,
    },
    domain::tenant::TenantId,
};

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

/// Why a claim has no effect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum ClaimProblem {
    #[error("both {one} and {other} claim the host {host}: it is refused until one of them drops it")]
    Conflict { host: Box<str>, one: TenantId, other: TenantId },
    #[error(
        "{claimant} claims the host {host}, which deployment.toml gives to {owner}: the claim has no effect"
    )]
    Overruled { host: Box<str>, claimant: TenantId, owner: TenantId },
    #[error(
        "{claimant} claims the host {host}, which tenancy.claimable_hosts does not allow: the claim has no effect"
    )]
    NotAllowed { host: Box<str>, claimant: TenantId },
}

impl HostClaim {
    fn problems(&self, host: &str, tenancy: &TenancySettings) -> impl Iterator<Item = ClaimProblem> + use<> {
        let (claimant, other) = match self {
            Self::By(claimant) => (claimant, None),
            Self::ByTwo(one, other) => (one, Some(other)),
        };
        let (host, claimant) = (Box::<str>::from(host), claimant.clone());
        let conflict = other.map(|other| ClaimProblem::Conflict {
            host: host.clone(),
            one: claimant.clone(),
            other: other.clone(),
        });
        let without_effect = match configured_tenant(tenancy, &host) {
            Some(owner) if owner != claimant && other.is_none() => {
                Some(ClaimProblem::Overruled { host, claimant, owner })
            }
            None if !is_claimable(tenancy, &host) => Some(ClaimProblem::NotAllowed { host, claimant }),
            _ => None,
        };
        conflict.into_iter().chain(without_effect)
    }
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

    /// The claims that have no effect, sorted.
    pub fn problems(&self, tenancy: &TenancySettings) -> BTreeSet<ClaimProblem> {
        self.hosts.iter().flat_map(|(host, claim)| claim.problems(host, tenancy)).collect()
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
        let problems = claims.problems(&tenancy);
        assert_eq!(problems.len(), 2);
        assert!(problems.iter().all(|problem| matches!(problem, ClaimProblem::Overruled { .. })));
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
        let problems = claims.problems(&tenancy());
        assert_eq!(problems.len(), 4);
        assert!(problems.iter().all(|problem| matches!(problem, ClaimProblem::NotAllowed { .. })));
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
        let problems: Vec<String> = claims.problems(&tenancy()).iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "both shop.org and mallory.com claim the host shop.example.org: it is refused until one of them drops it"
            ]
        );
        claims.insert("own.example.org", &tenant("own.org"));
        for (host, asking, other) in [
            ("shop.example.org", "shop.org", Some("mallory.com")),
            ("shop.example.org", "mallory.com", Some("shop.org")),
            ("own.example.org", "mallory.com", Some("own.org")),
            ("own.example.org", "own.org", None),
            ("unclaimed.example.org", "own.org", None),
        ] {
            assert_eq!(claims.other_claimant(host, &tenant(asking)), other.map(tenant), "{asking}: {host}");
        }
    }
}
