//! Fills the cache: checks a tenant's file, evaluates the result, and logs the change.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{FillTrigger, ResolveContext, TenantCache, Versions};
use crate::{
    config::{check::unusable_files, document::KeyPath, mistake::Mistake, model::Settings},
    domain::tenant::TenantId,
    tenants::{
        TenantLookup,
        evaluate::{CachedTenant, CheckOutcome, PolicyChange, TenantEvaluation, TenantState, closed_policy},
        host_index::IndexCommand,
        single_flight::FlightPermit,
        tenant_folder::{self, FileStamp, TenantFileContent},
        watch::STABILITY_DELAY,
    },
};

/// Interval at which a broken file is checked again, even without file events.
const RECHECK_BROKEN: Duration = Duration::from_secs(10);
/// How many times a file that may be in the middle of an edit is checked before its state is accepted.
const MAX_CHECKS: usize = 5;

impl ResolveContext {
    /// Whether an entry was resolved with the current settings and overrides.
    fn is_current(&self, entry: &CachedTenant) -> bool {
        entry.versions.settings == self.versions.settings && entry.overrides.is_same(&self.overrides)
    }
}

/// The result of one check of a tenant's file.
struct FileCheck {
    started_at: Instant,
    reading: TenantFileContent,
    stamp: FileStamp,
    outcome: CheckOutcome,
    is_possibly_transient: bool,
    /// Unusable files that the tenant's issuers name.
    unusable_files: Vec<(KeyPath, String)>,
}

impl TenantCache {
    pub(super) async fn fill(
        self: &Arc<Self>,
        permit: FlightPermit<(TenantLookup, Versions)>,
        tenant: &TenantId,
        trigger: FillTrigger,
    ) -> TenantLookup {
        let context = self.context(tenant);
        let before = self.entries.get(tenant);
        let resolvable = before.as_deref().filter(|entry| {
            trigger == FillTrigger::Lookup
                && entry.versions.flush == context.versions.flush
                && !context.is_current(entry)
                && Instant::now() < entry.stale_at
        });
        let found = if let Some(entry) = resolvable {
            self.resolve_again(tenant, entry, &context)
        } else {
            let path_changed = trigger == FillTrigger::Recheck { path_changed: true };
            match self.check_until_stable(tenant, before.clone(), &context, path_changed).await {
                Some(check) => self.apply_check(tenant, before.as_deref(), check, &context),
                None => self.fallback_policy(tenant, &context.settings),
            }
        };
        let found = self.with_current_overrides(tenant, found);
        permit.publish((found.clone(), context.versions));
        found
    }

    /// The runtime is shutting down, or the reader panicked: the last policy, or closed. Never open.
    pub(super) fn fallback_policy(&self, tenant: &TenantId, settings: &Settings) -> TenantLookup {
        tracing::error!(%tenant, "failed to check tenant file");
        let last = self.entries.get(tenant).map(|entry| Arc::clone(&entry.state.policy));
        let set = self.overrides.get(tenant);
        TenantLookup::Tenant(
            last.unwrap_or_else(|| closed_policy(self.reader, settings, tenant, &set, "cannot be checked")),
        )
    }

    async fn check_until_stable(
        self: &Arc<Self>,
        tenant: &TenantId,
        before: Option<Arc<CachedTenant>>,
        context: &ResolveContext,
        path_changed: bool,
    ) -> Option<FileCheck> {
        let mut check = self.check(tenant, before.clone(), context, path_changed).await?;
        for _ in 1..MAX_CHECKS {
            if !check.is_possibly_transient {
                break;
            }
            tokio::time::sleep(STABILITY_DELAY).await;
            let second = self.check(tenant, before.clone(), context, path_changed).await?;
            let same = second.reading == check.reading;
            check = second;
            if same {
                break;
            }
        }
        Some(check)
    }

    /// Checks the file once, on a blocking thread. The watch starts before the read, so that no edit is missed.
    async fn check(
        self: &Arc<Self>,
        tenant: &TenantId,
        before: Option<Arc<CachedTenant>>,
        context: &ResolveContext,
        path_changed: bool,
    ) -> Option<FileCheck> {
        let _slot = self.read_slots.acquire().await.ok()?;
        let (this, tenant, context) = (Arc::clone(self), tenant.clone(), context.clone());
        let task = self.runtime.spawn_blocking(move || {
            let root = &context.settings.tenancy.folder;
            // unknown names are not watched individually: the watch on the tenants' folder reports new ones
            if before.is_some() || tenant_folder::has_folder(root, &tenant) {
                this.watcher.arm(root, &tenant, path_changed);
            }
            this.counters.file_checks.fetch_add(1, Ordering::Relaxed);
            let at = Instant::now();
            let (reading, stamp) = tenant_folder::read(root, &tenant);
            let evaluation = TenantEvaluation {
                reader: this.reader,
                settings: &context.settings,
                tenant: &tenant,
                before: before.as_ref().map(|entry| &entry.state),
                overrides: &context.overrides,
                is_same_context: before.as_ref().is_some_and(|entry| context.is_current(entry)),
                hasher: &this.hasher,
            };
            let outcome = evaluation.evaluate(&reading);
            let doubtful = evaluation.is_possibly_transient(&reading, &outcome);
            if matches!(outcome, CheckOutcome::Unknown) {
                this.watcher.disarm(&tenant);
            }
            let unusable = match &outcome {
                CheckOutcome::Known(TenantState { last_good: Some(good), .. }, PolicyChange::Accepted) => {
                    unusable_files(&good.conf)
                }
                _ => Vec::new(),
            };
            FileCheck {
                started_at: at,
                reading,
                stamp,
                outcome,
                is_possibly_transient: doubtful,
                unusable_files: unusable,
            }
        });
        task.await.ok()
    }

    fn apply_check(
        &self,
        tenant: &TenantId,
        before: Option<&CachedTenant>,
        check: FileCheck,
        context: &ResolveContext,
    ) -> TenantLookup {
        match check.outcome {
            CheckOutcome::Unknown => {
                if before.is_some() {
                    tracing::info!(%tenant, "tenant folder removed");
                    self.index.send(IndexCommand::FolderChanged(tenant.clone()));
                }
                self.unknown.insert(tenant.clone(), Instant::now() + context.settings.tenancy.negative_ttl);
                self.entries.invalidate(tenant);
                TenantLookup::Unknown
            }
            CheckOutcome::Known(state, change) => {
                self.report_change(tenant, before.is_some(), &state, &change);
                for (key, problem) in check.unusable_files {
                    tracing::warn!(%tenant, "{key}: {problem}: issuer disabled: its tokens are rejected until this is fixed");
                }
                let is_stated_by_file =
                    matches!(check.reading, TenantFileContent::Text(_) | TenantFileContent::NoFile)
                        && state.is_current_file();
                if is_stated_by_file && change != PolicyChange::Unchanged {
                    let hosts =
                        state.last_good.as_ref().map(|good| good.conf.hosts.clone()).unwrap_or_default();
                    self.index.send(IndexCommand::ClaimsRead(tenant.clone(), check.stamp, hosts));
                }
                self.unknown.invalidate(tenant);
                self.insert_entry(tenant, state, (check.stamp, check.started_at), context)
            }
        }
    }

    pub(super) fn resolve_again(
        &self,
        tenant: &TenantId,
        entry: &CachedTenant,
        context: &ResolveContext,
    ) -> TenantLookup {
        let evaluation = TenantEvaluation {
            reader: self.reader,
            settings: &context.settings,
            tenant,
            before: Some(&entry.state),
            overrides: &context.overrides,
            is_same_context: false,
            hasher: &self.hasher,
        };
        let fresh = CachedTenant {
            state: evaluation.resolve_again(&entry.state),
            stamp: entry.stamp,
            versions: Versions { flush: entry.versions.flush, ..context.versions },
            overrides: context.overrides.clone(),
            refresh_at: entry.refresh_at,
            stale_at: entry.stale_at.min(Instant::now() + context.settings.tenancy.ttl),
            is_refreshing: AtomicBool::new(false),
        };
        let found = TenantLookup::Tenant(Arc::clone(&fresh.state.policy));
        self.entries.insert(tenant.clone(), Arc::new(fresh));
        found
    }

    fn insert_entry(
        &self,
        tenant: &TenantId,
        state: TenantState,
        (stamp, at): (FileStamp, Instant),
        context: &ResolveContext,
    ) -> TenantLookup {
        let ttl = context.settings.tenancy.ttl;
        let (life, ahead) = if state.is_current_file() {
            (ttl, ttl / 4 * 3)
        } else {
            (ttl.min(RECHECK_BROKEN), ttl.min(RECHECK_BROKEN) / 2)
        };
        let found = TenantLookup::Tenant(Arc::clone(&state.policy));
        let entry = CachedTenant {
            state,
            stamp,
            versions: context.versions,
            overrides: context.overrides.clone(),
            refresh_at: at + ahead,
            stale_at: at + life,
            is_refreshing: AtomicBool::new(false),
        };
        self.entries.insert(tenant.clone(), Arc::new(entry));
        found
    }

    /// Logs each change once.
    fn report_change(&self, tenant: &TenantId, reload: bool, state: &TenantState, change: &PolicyChange) {
        let mut problems = self.lock_problems();
        match &state.policy.problem {
            Some(problem) => problems.insert(tenant.clone(), problem.clone()),
            None => problems.remove(tenant),
        };
        drop(problems);
        // at the start, all files are read for their host names
        let is_reported_by_index = |mistakes: &[Mistake]| {
            !reload && mistakes.first().is_some_and(|first| self.index.problems().get(tenant) == Some(first))
        };
        match change {
            PolicyChange::Broken(mistakes) if is_reported_by_index(mistakes) => {}
            PolicyChange::Broken(mistakes) => {
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                let in_force = if state.last_good.is_some() { "last good policy" } else { "closed" };
                for mistake in mistakes {
                    tracing::error!(%tenant, in_force, "{mistake}");
                }
            }
            // the file is fine, but not together with deployment.toml
            PolicyChange::Accepted if let Some(problem) = &state.policy.problem => {
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%tenant, "{problem}");
            }
            PolicyChange::Accepted if reload => {
                self.counters.accepted.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%tenant, generation = state.policy.generation, "tenant file in force");
            }
            PolicyChange::Recovered => {
                self.counters.accepted.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%tenant, "tenant file valid again");
            }
            _ => {}
        }
    }
}
