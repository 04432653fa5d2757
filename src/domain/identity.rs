//! The identity of a request: anonymous, or an authenticated user.

use std::sync::Arc;

use super::{tenant::TenantId, time::Timestamp};

/// The user of a verified token or session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user name for the portal (claim `sub`, or the claim that `user_claim` names).
    pub name: String,
    /// The tenant the user belongs to.
    pub tenant: TenantId,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub roles: Vec<String>,
    pub scopes: Vec<String>,
    /// Expiry of the token or session.
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    Anonymous,
    User(Arc<User>),
    /// Authenticated for another tenant, which the requested tenant does not allow.
    ForeignUser(Arc<User>),
}

impl Identity {
    /// A user of another tenant is authenticated only if the requested tenant allows that tenant (WSO2:
    /// cross-tenant subscription); otherwise the user is treated like an anonymous one.
    pub fn of(user: Arc<User>, requested: &TenantId, allowed: &CrossTenantAccess) -> Self {
        if user.tenant == *requested || allowed.allows(&user.tenant) {
            Self::User(user)
        } else {
            Self::ForeignUser(user)
        }
    }

    pub fn user(&self) -> Option<&Arc<User>> {
        match self {
            Self::User(user) => Some(user),
            Self::Anonymous | Self::ForeignUser(_) => None,
        }
    }
}

/// The other tenants whose users a tenant allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CrossTenantAccess {
    #[default]
    OwnTenantOnly,
    AnyTenant,
    Listed(Vec<TenantId>),
}

impl CrossTenantAccess {
    pub fn allows(&self, tenant: &TenantId) -> bool {
        match self {
            Self::OwnTenantOnly => false,
            Self::AnyTenant => true,
            Self::Listed(tenants) => tenants.contains(tenant),
        }
    }
}
