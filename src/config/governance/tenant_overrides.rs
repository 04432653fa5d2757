//! Administrator overrides of one tenant: the last of the four sources of a setting.

use std::sync::{Arc, LazyLock};

use crate::domain::governance::Overrides;

/// The overrides of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantOverrides {
    /// One more with each change; 0: nothing was ever set.
    pub version: u64,
    pub overrides: Arc<Overrides>,
}

static NO_OVERRIDES: LazyLock<Arc<Overrides>> = LazyLock::new(Arc::default);

impl TenantOverrides {
    /// Of all tenants for which nothing was ever set.
    pub fn none() -> Self {
        Self { version: 0, overrides: Arc::clone(&NO_OVERRIDES) }
    }

    pub fn new(version: u64, overrides: Overrides) -> Self {
        let overrides = if overrides.is_empty() { Arc::clone(&NO_OVERRIDES) } else { Arc::new(overrides) };
        Self { version, overrides }
    }

    /// Whether these are the very same, not only alike.
    pub fn is_same(&self, other: &Self) -> bool {
        self.version == other.version && Arc::ptr_eq(&self.overrides, &other.overrides)
    }
}
