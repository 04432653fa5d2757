//! The properties of a tenant that are in force, from all sources.

use std::sync::Arc;

use crate::config::{TenantPolicy, governance};

/// The effective properties of a tenant.
#[derive(Debug, Clone)]
pub struct EffectiveProperties(pub(super) Arc<TenantPolicy>);

impl EffectiveProperties {
    /// In WSO2's units, including secrets.
    pub fn get(&self, property: &str) -> String {
        governance::effective_value(&self.0, property)
    }

    /// Whether an administrator override exists.
    pub fn is_set(&self, property: &str) -> bool {
        self.0.governance.administrators.get(property).is_some()
    }

    /// Incremented by each change of an administrator, not by changes of files.
    pub fn version(&self) -> u64 {
        self.0.governance.version
    }

    /// The numbers of the password expiry rules.
    pub fn rule_numbers(&self) -> impl Iterator<Item = u32> {
        governance::rule_numbers(&self.0)
    }
}
