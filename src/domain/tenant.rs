//! Tenants, and how a request names one.

use std::{fmt, sync::Arc};

use serde::Serialize;

/// WSO2's default tenant.
pub const SUPER_TENANT: &str = "carbon.super";

/// A tenant's domain in its one normal form: lower case, letters, digits, `.`, `-` and `_`, starting with
/// a letter or digit, at most 253 characters. A value of this type is safe as a folder name and in a header.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TenantId(Arc<str>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tenant domain has letters, digits, '.', '-' and '_', starts with a letter or digit and has at most 253 characters"
)]
pub struct BadTenantId;

impl TenantId {
    /// Parses a tenant domain; upper case and surrounding blanks are tolerated.
    pub fn parse(written: &str) -> Result<Self, BadTenantId> {
        let written = written.trim_matches([' ', '\t']);
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let starts_well = written.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        // `..` and a final dot have a meaning to file systems and resolvers
        if !starts_well
            || written.len() > 253
            || !written.bytes().all(allowed)
            || written.contains("..")
            || written.ends_with('.')
        {
            return Err(BadTenantId);
        }
        if written.bytes().any(|b| b.is_ascii_uppercase()) {
            Ok(Self(written.to_ascii_lowercase().into()))
        } else {
            Ok(Self(written.into()))
        }
    }

    pub fn super_tenant() -> Self {
        Self(SUPER_TENANT.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_super_tenant(&self) -> bool {
        self.as_str() == SUPER_TENANT
    }
}

/// The part of a request that names a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantSource {
    Host,
    /// The host in a forwarding header.
    ForwardedHost,
    Path,
    Query,
    Header,
}

impl TenantSource {
    /// One word, for messages and as a translation key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ForwardedHost => "forwarded-host",
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

/// A tenant with the part of the request that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedTenant {
    pub tenant: TenantId,
    pub source: TenantSource,
}

impl fmt::Display for RequestedTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.tenant, self.source.as_str())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::borrow::Borrow<str> for TenantId {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_to_one_form() {
        for (written, normal) in
            [("carbon.super", "carbon.super"), ("ACME.com", "acme.com"), (" a_b-c.d ", "a_b-c.d")]
        {
            assert_eq!(TenantId::parse(written).unwrap().as_str(), normal);
        }
    }

    #[test]
    fn attack_path_traversal_in_a_tenant_domain() {
        for written in
            ["", ".", "..", "../x", "a/b", "a\\b", "a..b", ".hidden", "a.", "a\0b", "a b", "ä.com", "..data"]
        {
            assert_eq!(TenantId::parse(written), Err(BadTenantId), "{written:?}");
        }
        assert!(TenantId::parse(&"a".repeat(254)).is_err());
    }
}
