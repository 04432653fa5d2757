//! Fills the cache: with the result of a check of the tenant's file, or with the same file under new settings.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    FillTrigger, TenantLoader,
    file_check::{CheckRequest, FileCheck},
};
use crate::{
    config::{mistake::Mistake, tenant_file},
    domain::tenant::TenantId,
    sync::FlightPermit,
    tenants::{
        command::RegistryCommand,
        evaluate::{CheckOutcome, PolicyChange, TenantEvaluation},
        index::HostsClaimed,
        policy_cache::{CachedTenant, EntryLife, TenantLookup},
        reload_report::{PolicyReport, log_check_failure, log_removed_folder},
        sources::{ResolveContext, Versions},
        tenant_folder::{TenantFileContent, file_of},
        tenant_state::{TenantState, next_generation},
    },
};

/// Interval at which a broken file is checked again, even without file events.
const RECHECK_BROKEN: Duration = Duration::from_secs(10);

impl TenantLoader {
    pub(super) async fn fill(
        self: &Arc<Self>,
        permit: FlightPermit<TenantId, (TenantLookup, Versions)>,
        tenant: &TenantId,
        trigger: FillTrigger,
    ) -> TenantLookup {
        let context = self.sources.context(tenant);
        let before = self.cache.get(tenant);
        let resolvable = before.as_deref().filter(|entry| {
            trigger == FillTrigger::Lookup
                && entry.versions.flush == context.versions.flush
                && !entry.is_resolved_with(&context)
                && Instant::now() < entry.life.stale_at
        });
        let found = if let Some(entry) = resolvable {
            self.resolve_again(tenant, entry, &context)
        } else {
            let path_changed = trigger == FillTrigger::Recheck { path_changed: true };
            let request = Arc::new(CheckRequest {
                tenant: tenant.clone(),
                before: before.clone(),
                context: context.clone(),
                path_changed,
            });
            match self.check_until_stable(&request).await {
                Some(check) => self.apply_check(&request, check),
                None => self.fallback_policy(tenant),
            }
        };
        let found = self.with_current_overrides(tenant, found);
        permit.publish((found.clone(), context.versions));
        found
    }

    /// The runtime is shutting down, or the check panicked: the last policy, or closed. Never open.
    pub(super) fn fallback_policy(&self, tenant: &TenantId) -> TenantLookup {
        log_check_failure(tenant);
        if let Some(last) = self.cache.get(tenant) {
            return last.found();
        }
        let context = self.sources.context(tenant);
        let file = file_of(&context.settings.tenancy.folder, tenant);
        let problem = Mistake::whole(&file, "cannot be checked", "");
        TenantLookup::Tenant(tenant_file::closed_policy(
            &context.settings,
            tenant,
            problem,
            &context.overrides,
            next_generation(),
        ))
    }

    fn apply_check(&self, request: &CheckRequest, check: FileCheck) -> TenantLookup {
        let CheckRequest { tenant, before, context, .. } = request;
        match check.outcome {
            CheckOutcome::Unknown => {
                if before.is_some() {
                    log_removed_folder(tenant);
                    self.commands.send(RegistryCommand::FolderChanged(tenant.clone()));
                }
                self.cache.insert_unknown(tenant, context.settings.tenancy.negative_ttl);
                TenantLookup::Unknown
            }
            CheckOutcome::Known(state, change) => {
                self.report.record_policy(&PolicyReport {
                    tenant,
                    state: &state,
                    change: &change,
                    is_reload: before.is_some(),
                    unusable_files: &check.unusable_files,
                });
                let is_own_folder =
                    matches!(check.read.content, TenantFileContent::Text(_) | TenantFileContent::NoFile);
                if let TenantState::Current(good) = &state
                    && is_own_folder
                    && change != PolicyChange::Unchanged
                {
                    self.commands.send(RegistryCommand::HostsClaimed(HostsClaimed {
                        tenant: tenant.clone(),
                        stamp: check.read.stamp,
                        hosts: good.conf.hosts.clone(),
                    }));
                }
                let life = entry_life(&state, check.started_at, context.settings.tenancy.ttl);
                self.insert(tenant, CachedTenant::new(state, check.read.stamp, context, life))
            }
        }
    }

    /// The same file under new settings or overrides.
    pub(super) fn resolve_again(
        &self,
        tenant: &TenantId,
        entry: &CachedTenant,
        context: &ResolveContext,
    ) -> TenantLookup {
        let evaluation = TenantEvaluation {
            parse: self.parse,
            settings: &context.settings,
            tenant,
            before: Some(&entry.state),
            overrides: &context.overrides,
            is_same_context: false,
            hasher: &self.hasher,
        };
        // the file has not been read again
        let versions = Versions { flush: entry.versions.flush, ..context.versions };
        let context = ResolveContext { versions, ..context.clone() };
        let life = EntryLife {
            stale_at: entry.life.stale_at.min(Instant::now() + context.settings.tenancy.ttl),
            ..entry.life
        };
        let state = evaluation.resolve_again(&entry.state);
        self.insert(tenant, CachedTenant::new(state, entry.stamp, &context, life))
    }

    fn insert(&self, tenant: &TenantId, entry: CachedTenant) -> TenantLookup {
        let found = entry.found();
        self.cache.insert(tenant, entry);
        found
    }
}

fn entry_life(state: &TenantState, read_at: Instant, ttl: Duration) -> EntryLife {
    let (life, ahead) = if state.is_current() {
        (ttl, ttl / 4 * 3)
    } else {
        (ttl.min(RECHECK_BROKEN), ttl.min(RECHECK_BROKEN) / 2)
    };
    EntryLife { refresh_at: read_at + ahead, stale_at: read_at + life }
}
