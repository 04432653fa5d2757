//! Who is asking.

use std::sync::Arc;

use super::tenant::TenantId;

/// The bearer of a token (later: of a session) that has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name the portal knows the user by (claim `sub`, or what `user_claim` names).
    pub name: String,
    /// The tenant the user belongs to.
    pub tenant: TenantId,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub roles: Vec<String>,
    pub scopes: Vec<String>,
    /// When the proof of identity ends, in seconds since the epoch.
    pub expires_at: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    Anonymous,
    User(Arc<User>),
    /// Signed in, but in a tenant that this one does not welcome.
    Stranger(Arc<User>),
}

impl Identity {
    /// A user of another tenant counts only where the requested tenant welcomes it (WSO2: cross-tenant
    /// subscription); elsewhere the bearer is a stranger, which is as good as anonymous.
    pub fn of(user: Arc<User>, requested: &TenantId, welcomed: &CrossTenant) -> Self {
        if user.tenant == *requested || welcomed.welcomes(&user.tenant) {
            Self::User(user)
        } else {
            Self::Stranger(user)
        }
    }

    pub fn user(&self) -> Option<&Arc<User>> {
        match self {
            Self::User(user) => Some(user),
            Self::Anonymous | Self::Stranger(_) => None,
        }
    }
}

/// Whose users a tenant welcomes beside its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CrossTenant {
    #[default]
    Nobody,
    Everybody,
    Of(Vec<TenantId>),
}

impl CrossTenant {
    pub fn welcomes(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Nobody => false,
            Self::Everybody => true,
            Self::Of(tenants) => tenants.contains(tenant),
        }
    }
}
