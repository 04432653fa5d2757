//! Host names: their normal form, and what `deployment.toml` says about them.

use std::borrow::Cow;

use super::model::{HostPattern, Settings, TenancySettings};
use crate::domain::tenant::TenantId;

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

/// The tenant that `deployment.toml` gives this host (in its normal form) to.
pub fn configured_tenant(tenancy: &TenancySettings, host: &str) -> Option<TenantId> {
    tenancy
        .hosts
        .get(host)
        .cloned()
        .or_else(|| tenancy.host_pattern.as_ref().and_then(|pattern| tenant_by_pattern(pattern, host)))
}

pub(super) fn tenant_by_pattern(pattern: &HostPattern, host: &str) -> Option<TenantId> {
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
    use super::*;

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
}
