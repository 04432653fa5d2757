//! Paths of the management API. WSO2's paths, optionally with the prefix `/t/{tenant}`, or `/t/{tenant}/o`
//! for a sub-organization, which here is the tenant itself.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagementApi {
    Governance,
    TenantConfig,
    TenantConfigSchema,
}

impl ManagementApi {
    /// The path without a tenant.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Governance => "/api/server/v1/identity-governance",
            Self::TenantConfig => "/api/am/admin/v4/tenant-config",
            Self::TenantConfigSchema => "/api/am/admin/v4/tenant-config-schema",
        }
    }
}

/// The API of a path, and the segments after it. A trailing slash is ignored.
pub fn match_path(path: &str) -> Option<(ManagementApi, Vec<&str>)> {
    let path = match path.strip_prefix("/t/") {
        Some(rest) => {
            let rest = rest.get(rest.find('/')?..)?;
            rest.strip_prefix("/o").filter(|rest| rest.starts_with('/')).unwrap_or(rest)
        }
        None => path,
    };
    [ManagementApi::Governance, ManagementApi::TenantConfig, ManagementApi::TenantConfigSchema]
        .into_iter()
        .find_map(|api| {
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
            ("/api/server/v1/identity-governance", Some((ManagementApi::Governance, vec![]))),
            ("/api/server/v1/identity-governance/", Some((ManagementApi::Governance, vec![]))),
            ("/t/acme.com/api/server/v1/identity-governance", Some((ManagementApi::Governance, vec![]))),
            (
                "/t/acme.com/o/api/server/v1/identity-governance/x",
                Some((ManagementApi::Governance, vec!["x"])),
            ),
            (
                "/api/server/v1/identity-governance/a/connectors/",
                Some((ManagementApi::Governance, vec!["a", "connectors"])),
            ),
            ("/api/server/v1/identity-governance//", Some((ManagementApi::Governance, vec![]))),
            ("/api/am/admin/v4/tenant-config", Some((ManagementApi::TenantConfig, vec![]))),
            (
                "/t/a.b/api/am/admin/v4/tenant-config-schema",
                Some((ManagementApi::TenantConfigSchema, vec![])),
            ),
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
            assert_eq!(match_path(path), found, "{path}");
        }
    }

    #[test]
    fn each_api_is_found_under_its_own_path() {
        for api in [ManagementApi::Governance, ManagementApi::TenantConfig, ManagementApi::TenantConfigSchema]
        {
            assert_eq!(match_path(api.path()), Some((api, vec![])));
        }
    }
}
