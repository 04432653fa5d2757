//! The addresses of the management API. WSO2's: with `/t/{tenant}` before them, or `/t/{tenant}/o` for a sub-organization,
//! which here is the tenant itself.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    Governance,
    TenantConfig,
    TenantConfigSchema,
}

impl Api {
    /// The path without a tenant.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Governance => "/api/server/v1/identity-governance",
            Self::TenantConfig => "/api/am/admin/v4/tenant-config",
            Self::TenantConfigSchema => "/api/am/admin/v4/tenant-config-schema",
        }
    }
}

/// Which API a path belongs to, and the segments after it. A slash at the end says nothing.
pub fn target(path: &str) -> Option<(Api, Vec<&str>)> {
    let path = match path.strip_prefix("/t/") {
        Some(rest) => {
            let rest = rest.get(rest.find('/')?..)?;
            rest.strip_prefix("/o").filter(|rest| rest.starts_with('/')).unwrap_or(rest)
        }
        None => path,
    };
    [Api::Governance, Api::TenantConfig, Api::TenantConfigSchema].into_iter().find_map(|api| {
        let below = path.strip_prefix(api.path())?;
        if !below.is_empty() && !below.starts_with('/') {
            return None;
        }
        let below = below.strip_prefix('/').unwrap_or_default();
        let below = below.strip_suffix('/').unwrap_or(below);
        let segments = if below.is_empty() { Vec::new() } else { below.split('/').collect() };
        Some((api, segments))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_api_with_and_without_a_tenant() {
        for (path, found) in [
            ("/api/server/v1/identity-governance", Some((Api::Governance, vec![]))),
            ("/api/server/v1/identity-governance/", Some((Api::Governance, vec![]))),
            ("/t/acme.com/api/server/v1/identity-governance", Some((Api::Governance, vec![]))),
            ("/t/acme.com/o/api/server/v1/identity-governance/x", Some((Api::Governance, vec!["x"]))),
            (
                "/api/server/v1/identity-governance/a/connectors/",
                Some((Api::Governance, vec!["a", "connectors"])),
            ),
            ("/api/server/v1/identity-governance//", Some((Api::Governance, vec![]))),
            ("/api/am/admin/v4/tenant-config", Some((Api::TenantConfig, vec![]))),
            ("/t/a.b/api/am/admin/v4/tenant-config-schema", Some((Api::TenantConfigSchema, vec![]))),
            ("/api/am/admin/v4/tenant-configuration", None),
            ("/api/server/v1/identity-governances", None),
            ("/api/server/v1/identity-governance-x", None),
            ("/x/api/server/v1/identity-governance", None),
            ("/t/api/server/v1/identity-governance", None),
            ("/t/acme.com/x/api/server/v1/identity-governance", None),
            ("/t/acme.com", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(target(path), found, "{path}");
        }
    }

    #[test]
    fn each_api_is_found_under_its_own_path() {
        for api in [Api::Governance, Api::TenantConfig, Api::TenantConfigSchema] {
            assert_eq!(target(api.path()), Some((api, vec![])));
        }
    }
}
