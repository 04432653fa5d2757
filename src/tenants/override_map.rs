//! Administrator overrides of all tenants.
//!
//! Not read on the request path: a tenant's policy is resolved with its overrides.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use crate::{config::governance::TenantOverrides, domain::tenant::TenantId};

#[derive(Debug, Default)]
pub struct OverrideMap(RwLock<HashMap<TenantId, TenantOverrides>>);

impl OverrideMap {
    pub fn get(&self, tenant: &TenantId) -> TenantOverrides {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(tenant).cloned().unwrap_or_else(TenantOverrides::none)
    }

    /// Returns whether anything changed.
    pub fn insert(&self, tenant: &TenantId, set: TenantOverrides) -> bool {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(tenant);
        if before == Some(&set) || (before.is_none() && set.version == 0) {
            return false;
        }
        all.insert(tenant.clone(), set);
        true
    }

    /// Replaces all overrides; returns the tenants whose overrides changed.
    pub fn replace(&self, new: impl IntoIterator<Item = (TenantId, TenantOverrides)>) -> Vec<TenantId> {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *all);
        let mut changed = Vec::new();
        for (tenant, set) in new {
            // equal overrides keep their identity, so that their policy is not resolved again
            let set = match before.remove(&tenant) {
                Some(old) if old == set => old,
                _ => {
                    changed.push(tenant.clone());
                    set
                }
            };
            all.insert(tenant, set);
        }
        changed.extend(before.into_keys());
        all.shrink_to_fit();
        changed
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::governance::Overrides;

    fn id(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn count(number: u32) -> Overrides {
        let rows = [("passwordHistory.count".to_owned(), number.to_string())];
        Overrides::from_rows(rows).0
    }

    #[test]
    fn equal_overrides_are_not_a_change() {
        let overrides = OverrideMap::default();
        assert!(!overrides.insert(&id("acme.com"), TenantOverrides::none()) && overrides.len() == 0);
        assert!(overrides.insert(&id("acme.com"), TenantOverrides::new(1, count(3))));
        let first = overrides.get(&id("acme.com"));
        assert!(!overrides.insert(&id("acme.com"), TenantOverrides::new(1, count(3))));
        assert!(overrides.get(&id("acme.com")).is_same(&first));
        assert!(
            overrides.insert(&id("acme.com"), TenantOverrides::new(2, Overrides::default())),
            "taken back"
        );
        assert!(overrides.get(&id("other.com")).is_same(&TenantOverrides::none()));
    }

    #[test]
    fn replace_returns_added_changed_and_removed_tenants() {
        let overrides = OverrideMap::default();
        let all = |sets: &[(&str, u64, u32)]| -> Vec<(TenantId, TenantOverrides)> {
            sets.iter()
                .map(|(name, version, number)| (id(name), TenantOverrides::new(*version, count(*number))))
                .collect()
        };
        assert_eq!(overrides.replace(all(&[("a.com", 1, 1), ("b.com", 1, 1), ("c.com", 1, 1)])).len(), 3);
        let a = overrides.get(&id("a.com"));
        let mut changed = overrides.replace(all(&[("a.com", 1, 1), ("b.com", 2, 2), ("d.com", 1, 1)]));
        changed.sort();
        assert_eq!(changed, [id("b.com"), id("c.com"), id("d.com")]);
        assert!(overrides.get(&id("a.com")).is_same(&a), "not resolved again");
        assert!(overrides.get(&id("c.com")).is_same(&TenantOverrides::none()));
        assert_eq!(overrides.len(), 3);
    }
}
