//! What administrators have set, of all tenants: the last of the four places a setting comes from.
//!
//! Nobody looks here to answer a request: a tenant's policy has been resolved with it.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use crate::domain::{governance::Overrides, tenant::TenantId};

/// What is set for one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// One more with each change; 0: nothing was ever set.
    pub version: u64,
    pub overrides: Arc<Overrides>,
}

static NOTHING: LazyLock<Arc<Overrides>> = LazyLock::new(Arc::default);

impl Set {
    /// Of all tenants for which nothing was ever set.
    pub fn nothing() -> Self {
        Self { version: 0, overrides: Arc::clone(&NOTHING) }
    }

    pub fn new(version: u64, overrides: Overrides) -> Self {
        let overrides = if overrides.is_empty() { Arc::clone(&NOTHING) } else { Arc::new(overrides) };
        Self { version, overrides }
    }

    /// Whether these are the very same, not only alike.
    pub fn is(&self, other: &Self) -> bool {
        self.version == other.version && Arc::ptr_eq(&self.overrides, &other.overrides)
    }
}

#[derive(Debug, Default)]
pub struct Overlay(RwLock<HashMap<TenantId, Set>>);

impl Overlay {
    pub fn of(&self, tenant: &TenantId) -> Set {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(tenant).cloned().unwrap_or_else(Set::nothing)
    }

    /// Whether that is news.
    pub fn put(&self, tenant: &TenantId, set: Set) -> bool {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(tenant);
        if before == Some(&set) || (before.is_none() && set.version == 0) {
            return false;
        }
        all.insert(tenant.clone(), set);
        true
    }

    /// Everything anew; the tenants for which that is news.
    pub fn replace(&self, new: impl IntoIterator<Item = (TenantId, Set)>) -> Vec<TenantId> {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *all);
        let mut news = Vec::new();
        for (tenant, set) in new {
            // what is the same stays the very same, so that no policy is resolved again for it
            let set = match before.remove(&tenant) {
                Some(old) if old == set => old,
                _ => {
                    news.push(tenant.clone());
                    set
                }
            };
            all.insert(tenant, set);
        }
        news.extend(before.into_keys());
        all.shrink_to_fit();
        news
    }

    /// Tenants for which something was ever set.
    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn count(number: u32) -> Overrides {
        let rows = [("passwordHistory.count".to_owned(), number.to_string())];
        Overrides::read(rows).0
    }

    #[test]
    fn what_is_the_same_is_no_news() {
        let overlay = Overlay::default();
        assert!(!overlay.put(&id("acme.com"), Set::nothing()) && overlay.is_empty());
        assert!(overlay.put(&id("acme.com"), Set::new(1, count(3))));
        let first = overlay.of(&id("acme.com"));
        assert!(!overlay.put(&id("acme.com"), Set::new(1, count(3))));
        assert!(overlay.of(&id("acme.com")).is(&first));
        assert!(overlay.put(&id("acme.com"), Set::new(2, Overrides::default())), "taken back");
        assert!(overlay.of(&id("other.com")).is(&Set::nothing()));
    }

    #[test]
    fn a_whole_reading_tells_what_came_changed_and_went() {
        let overlay = Overlay::default();
        let all = |sets: &[(&str, u64, u32)]| -> Vec<(TenantId, Set)> {
            sets.iter()
                .map(|(name, version, number)| (id(name), Set::new(*version, count(*number))))
                .collect()
        };
        assert_eq!(overlay.replace(all(&[("a.com", 1, 1), ("b.com", 1, 1), ("c.com", 1, 1)])).len(), 3);
        let a = overlay.of(&id("a.com"));
        let mut news = overlay.replace(all(&[("a.com", 1, 1), ("b.com", 2, 2), ("d.com", 1, 1)]));
        news.sort();
        assert_eq!(news, [id("b.com"), id("c.com"), id("d.com")]);
        assert!(overlay.of(&id("a.com")).is(&a), "not resolved again");
        assert!(overlay.of(&id("c.com")).is(&Set::nothing()));
        assert_eq!(overlay.len(), 3);
    }
}
