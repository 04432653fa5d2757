//! Checks a tenant's file on a blocking thread, more than once while it may be in the middle of an edit.

use std::{sync::Arc, time::Instant};

use super::TenantLoader;
use crate::{
    config::{check::unusable_files, document::KeyPath},
    domain::tenant::TenantId,
    tenants::{
        evaluate::{CheckOutcome, PolicyChange, TenantEvaluation},
        policy_cache::CachedTenant,
        sources::ResolveContext,
        tenant_folder::{self, StampedContent},
        tenant_state::TenantState,
        tenant_watch::WatchKey,
        watch::STABILITY_DELAY,
    },
};

/// How many times a file that may be in the middle of an edit is checked before its state is accepted.
const MAX_CHECKS: usize = 5;

pub struct CheckRequest {
    pub tenant: TenantId,
    /// The entry in the cache.
    pub before: Option<Arc<CachedTenant>>,
    pub context: ResolveContext,
    /// Folders of the path may have been replaced.
    pub path_changed: bool,
}

/// The result of one check of a tenant's file.
pub struct FileCheck {
    pub started_at: Instant,
    pub read: StampedContent,
    pub outcome: CheckOutcome,
    is_possibly_transient: bool,
    /// Unusable files that the tenant's issuers name.
    pub unusable_files: Vec<(KeyPath, String)>,
}

impl TenantLoader {
    /// `None`: the runtime is shutting down, or the check panicked.
    pub(super) async fn check_until_stable(
        self: &Arc<Self>,
        request: &Arc<CheckRequest>,
    ) -> Option<FileCheck> {
        let mut check = self.check(request).await?;
        for _ in 1..MAX_CHECKS {
            if !check.is_possibly_transient {
                break;
            }
            tokio::time::sleep(STABILITY_DELAY).await;
            let second = self.check(request).await?;
            let same = second.read.content == check.read.content;
            check = second;
            if same {
                break;
            }
        }
        Some(check)
    }

    async fn check(self: &Arc<Self>, request: &Arc<CheckRequest>) -> Option<FileCheck> {
        let _slot = self.read_slots.acquire().await.ok()?;
        let (this, request) = (Arc::clone(self), Arc::clone(request));
        self.runtime.spawn_blocking(move || this.check_file(&request)).await.ok()
    }

    /// The watch starts before the read, so that no edit is missed.
    fn check_file(&self, request: &CheckRequest) -> FileCheck {
        let CheckRequest { tenant, before, context, path_changed } = request;
        let root = &context.settings.tenancy.folder;
        let key = WatchKey::Tenant(tenant.clone());
        // unknown names are not watched individually: the watch on the tenants' folder reports new ones
        if before.is_some() || tenant_folder::has_folder(root, tenant) {
            self.watcher.arm(&key, *path_changed);
        }
        self.report.count_file_check();
        let started_at = Instant::now();
        let read = tenant_folder::read(root, tenant);
        let evaluation = TenantEvaluation {
            parse: self.parse,
            settings: &context.settings,
            tenant,
            before: before.as_ref().map(|entry| &entry.state),
            overrides: &context.overrides,
            is_same_context: before.as_ref().is_some_and(|entry| entry.is_resolved_with(context)),
            hasher: &self.hasher,
        };
        let outcome = evaluation.evaluate(&read.content);
        let is_possibly_transient = evaluation.is_possibly_transient(&read.content, &outcome);
        let unusable_files = match &outcome {
            CheckOutcome::Known(TenantState::Current(good), PolicyChange::Accepted) => {
                unusable_files(&good.conf)
            }
            CheckOutcome::Known(..) => Vec::new(),
            CheckOutcome::Unknown => {
                self.watcher.disarm(&key);
                Vec::new()
            }
        };
        FileCheck { started_at, read, outcome, is_possibly_transient, unusable_files }
    }
}
