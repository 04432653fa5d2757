//! The sources of policies besides the tenants' files: settings and administrator overrides, with their versions.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::{ArcSwap, Guard};

use super::override_map::OverrideMap;
use crate::{
    config::{governance::TenantOverrides, model::Settings},
    domain::tenant::TenantId,
};

#[derive(Debug)]
pub struct TenantSources {
    settings: ArcSwap<Settings>,
    pub overrides: OverrideMap,
    settings_version: AtomicU64,
    flush_version: AtomicU64,
}

/// Counted up with each reload of `deployment.toml` and each flush: earlier entries are outdated at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub settings: u64,
    pub flush: u64,
}

/// Settings, versions and overrides that one policy is resolved with.
#[derive(Clone)]
pub struct ResolveContext {
    pub settings: Arc<Settings>,
    pub versions: Versions,
    /// The administrator overrides of the tenant.
    pub overrides: TenantOverrides,
}

impl TenantSources {
    pub fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings: ArcSwap::new(settings),
            overrides: OverrideMap::default(),
            settings_version: AtomicU64::new(0),
            flush_version: AtomicU64::new(0),
        }
    }

    pub fn settings(&self) -> Guard<Arc<Settings>> {
        self.settings.load()
    }

    pub fn settings_arc(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    pub fn versions(&self) -> Versions {
        Versions {
            settings: self.settings_version.load(Ordering::Acquire),
            flush: self.flush_version.load(Ordering::Acquire),
        }
    }

    pub fn context(&self, tenant: &TenantId) -> ResolveContext {
        // the versions first: settings newer than their number are only resolved once more
        let versions = self.versions();
        ResolveContext {
            settings: self.settings.load_full(),
            versions,
            overrides: self.overrides.get(tenant),
        }
    }

    /// Outdates every entry: its file is read again.
    pub fn flush(&self) {
        self.flush_version.fetch_add(1, Ordering::AcqRel);
    }

    /// Outdates every entry: it is resolved again, and read again if the tenants' folder is another one.
    pub fn replace_settings(&self, settings: Arc<Settings>) {
        let is_other_folder = self.settings.load().tenancy.folder != settings.tenancy.folder;
        self.settings.store(settings);
        self.settings_version.fetch_add(1, Ordering::AcqRel);
        if is_other_folder {
            self.flush();
        }
    }
}
