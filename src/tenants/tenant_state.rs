//! The state of one tenant: its policy in force, and the last valid content of its file.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::config::{mistake::Mistake, model::TenantPolicy, tenant_file::TenantConf};

/// `tenant_file::parse`; tests replace it.
pub type ParseTenantFile = fn(&str, &Path) -> Result<TenantConf, Vec<Mistake>>;

static GENERATION: AtomicU64 = AtomicU64::new(1);

/// Numbers the policies of all tenants, in the order in which they were resolved.
pub fn next_generation() -> u64 {
    GENERATION.fetch_add(1, Ordering::Relaxed)
}

#[derive(Debug, Clone)]
pub enum TenantState {
    /// The policy is that of the file.
    Current(LastGood),
    /// The file cannot be used: the last good policy is in force, with the problem attached.
    LastGood { good: LastGood, problem: Box<Mistake>, policy: Arc<TenantPolicy> },
    /// The file cannot be used and never could: the tenant is closed.
    Closed { problem: Box<Mistake>, policy: Arc<TenantPolicy> },
}

#[derive(Debug, Clone)]
pub struct LastGood {
    pub fingerprint: ContentFingerprint,
    pub conf: Arc<TenantConf>,
    pub policy: Arc<TenantPolicy>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentFingerprint {
    /// The default tenant has no folder: `deployment.toml` alone applies.
    NoFolder,
    /// The tenant's folder has no file.
    NoFile,
    Text(u64),
}

impl TenantState {
    /// In force.
    pub fn policy(&self) -> &Arc<TenantPolicy> {
        match self {
            Self::Current(good) => &good.policy,
            Self::LastGood { policy, .. } | Self::Closed { policy, .. } => policy,
        }
    }

    /// The last valid content of the file.
    pub fn last_good(&self) -> Option<&LastGood> {
        match self {
            Self::Current(good) | Self::LastGood { good, .. } => Some(good),
            Self::Closed { .. } => None,
        }
    }

    /// Whether the policy is that of the file, not the last good one or a closed one.
    pub fn is_current(&self) -> bool {
        matches!(self, Self::Current(_))
    }

    /// Why the file cannot be used.
    pub fn problem(&self) -> Option<&Mistake> {
        match self {
            Self::Current(_) => None,
            Self::LastGood { problem, .. } | Self::Closed { problem, .. } => Some(problem),
        }
    }
}
