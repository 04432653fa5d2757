//! Reports which tenant files are in force: logs each change once, counts it, and retains the problems.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    evaluate::PolicyChange,
    index::{ClaimOutcome, ClaimReading},
    tenant_state::{ContentFingerprint, TenantState},
};
use crate::{
    config::{document::KeyPath, mistake::Mistake},
    domain::tenant::TenantId,
};

#[derive(Debug, Default)]
pub struct ReloadReport {
    /// Problems of tenants in the cache.
    policies: Mutex<BTreeMap<TenantId, Mistake>>,
    /// Invalid files, found while host names were read.
    claims: Mutex<BTreeMap<TenantId, Mistake>>,
    file_checks: AtomicU64,
    claim_reads: AtomicU64,
    accepted: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
pub struct ReloadCounts {
    pub file_checks: u64,
    pub claim_reads: u64,
    pub accepted: u64,
    pub failed: u64,
}

/// The facts of a check that are logged.
pub struct PolicyReport<'a> {
    pub tenant: &'a TenantId,
    pub state: &'a TenantState,
    pub change: &'a PolicyChange,
    /// The tenant was in the cache before.
    pub is_reload: bool,
    /// Unusable files that the tenant's issuers name.
    pub unusable_files: &'a [(KeyPath, String)],
}

pub fn log_check_failure(tenant: &TenantId) {
    tracing::error!(%tenant, "failed to check tenant file");
}

pub fn log_removed_folder(tenant: &TenantId) {
    tracing::info!(%tenant, "tenant folder removed");
}

impl ReloadReport {
    pub fn count_file_check(&self) {
        self.file_checks.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count_claim_reads(&self, files: usize) {
        self.claim_reads.fetch_add(files as u64, Ordering::Relaxed);
    }

    pub fn counts(&self) -> ReloadCounts {
        ReloadCounts {
            file_checks: self.file_checks.load(Ordering::Relaxed),
            claim_reads: self.claim_reads.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }

    /// Of the tenants in the cache, and of those whose file was read for its host names only.
    pub fn problems(&self, is_cached: impl Fn(&TenantId) -> bool) -> BTreeMap<TenantId, Mistake> {
        let mut problems = self.claims().clone();
        problems.retain(|tenant, _| !is_cached(tenant));
        problems.extend(self.policies().clone());
        problems
    }

    pub fn record_policy(&self, report: &PolicyReport<'_>) {
        let PolicyReport { tenant, state, change, is_reload, .. } = *report;
        let problem = state.policy().problem.as_ref();
        match problem {
            Some(problem) => self.policies().insert(tenant.clone(), problem.clone()),
            None => self.policies().remove(tenant),
        };
        match change {
            // at the start, all files are read for their host names
            PolicyChange::Broken(mistakes)
                if !is_reload
                    && mistakes
                        .first()
                        .is_some_and(|mistake| self.is_known_claim_problem(tenant, mistake)) => {}
            PolicyChange::Broken(mistakes) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                let in_force = if state.last_good().is_some() { "last good policy" } else { "closed" };
                for mistake in mistakes {
                    tracing::error!(%tenant, in_force, "{mistake}");
                }
            }
            // the file is fine, but not together with deployment.toml
            PolicyChange::Accepted if let Some(problem) = problem => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%tenant, "{problem}");
            }
            PolicyChange::Accepted
                if is_reload
                    && state
                        .last_good()
                        .is_some_and(|good| good.fingerprint == ContentFingerprint::NoFile) =>
            {
                self.accepted.fetch_add(1, Ordering::Relaxed);
                let anonymous = state.policy().anonymous;
                tracing::warn!(%tenant, anonymous, "tenant file missing: tenancy.on_missing applies");
            }
            PolicyChange::Accepted if is_reload => {
                self.accepted.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%tenant, generation = state.policy().generation, "tenant file in force");
            }
            PolicyChange::Recovered => {
                self.accepted.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%tenant, "tenant file valid again");
            }
            PolicyChange::Accepted | PolicyChange::Unchanged | PolicyChange::StillBroken => {}
        }
        for (key, problem) in report.unusable_files {
            tracing::warn!(%tenant, "{key}: {problem}: issuer disabled: its tokens are rejected until this is fixed");
        }
    }

    /// The tenant is no longer in the cache.
    pub fn forget_policy(&self, tenant: &TenantId) {
        self.policies().remove(tenant);
    }

    /// Whether this mistake was found before, while host names were read.
    pub fn is_known_claim_problem(&self, tenant: &TenantId, mistake: &Mistake) -> bool {
        self.claims().get(tenant) == Some(mistake)
    }

    /// Logs a problem once, and not at all if it is one of `cached` tenants, whose problems `record_policy` logs, or if the
    /// log is full. Returns whether it is new.
    pub fn record_claims(&self, reading: &ClaimReading, is_cached: bool, is_log_full: bool) -> bool {
        let tenant = &reading.tenant;
        match &reading.outcome {
            ClaimOutcome::Hosts(_) => {
                if self.claims().remove(tenant).is_some() && !is_cached {
                    self.accepted.fetch_add(1, Ordering::Relaxed);
                    tracing::info!(%tenant, "tenant file valid again");
                }
                false
            }
            ClaimOutcome::Invalid(mistake) => {
                let before = self.claims().insert(tenant.clone(), mistake.clone());
                let is_new = before.as_ref() != Some(mistake) && !is_cached;
                if is_new {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                    if !is_log_full {
                        tracing::error!(%tenant, in_force = "closed", "{mistake}");
                    }
                }
                is_new
            }
            ClaimOutcome::Unknown => false,
        }
    }

    pub fn forget_claims(&self, tenant: &TenantId) {
        self.claims().remove(tenant);
    }

    pub fn retain_claims(&self, tenants: &BTreeSet<TenantId>) {
        self.claims().retain(|tenant, _| tenants.contains(tenant));
    }

    fn policies(&self) -> MutexGuard<'_, BTreeMap<TenantId, Mistake>> {
        self.policies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claims(&self) -> MutexGuard<'_, BTreeMap<TenantId, Mistake>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
