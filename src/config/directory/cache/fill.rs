//! Filling the cache: a look at the disk, what follows from it, and what is said about it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{Cache, Versions, Why, World};
use crate::{
    config::{
        check::unusable_files,
        directory::{
            Found,
            disk::{self, Reading, Stamp},
            entry::{Case, Change, Entry, State, Verdict, closed},
            gate::Pass,
            index::News,
        },
        document::Key,
        mistake::Mistake,
        model::Settings,
        watch::SETTLE,
    },
    domain::tenant::TenantId,
};

/// A tenant with a broken file is looked at again this often even where nothing watches.
const RETRY_BROKEN: Duration = Duration::from_secs(10);
/// How often a file in the middle of an edit is looked at again before it counts as it is.
const MAX_LOOKS: usize = 5;

impl World {
    /// Whether an entry is what it would be if it were resolved now, as far as its file is the same.
    fn resolved(&self, entry: &Entry) -> bool {
        entry.versions.settings == self.versions.settings && entry.set.is(&self.set)
    }
}

/// What one look came to.
struct Look {
    at: Instant,
    reading: Reading,
    stamp: Stamp,
    verdict: Verdict,
    doubtful: bool,
    /// What is wrong with the files that the tenant's issuers name.
    unusable: Vec<(Key, String)>,
}

impl Cache {
    pub(super) async fn fill(
        self: &Arc<Self>,
        pass: Pass<(Found, Versions)>,
        tenant: &TenantId,
        why: Why,
    ) -> Found {
        let world = self.world(tenant);
        let before = self.tenants.get(tenant);
        let resolvable = before.as_deref().filter(|entry| {
            why == Why::Use
                && entry.versions.flush == world.versions.flush
                && !world.resolved(entry)
                && Instant::now() < entry.stale_at
        });
        let found = if let Some(entry) = resolvable {
            self.resolve_again(tenant, entry, &world)
        } else {
            let moved = why == Why::Look { moved: true };
            match self.look_until_sure(tenant, before.clone(), &world, moved).await {
                Some(look) => self.accept(tenant, before.as_deref(), look, &world),
                None => self.without_a_look(tenant, &world.settings),
            }
        };
        let found = self.up_to_date(tenant, found);
        pass.leave((found.clone(), world.versions));
        found
    }

    /// The runtime is shutting down, or the reader panicked: the last policy, or closed. Never open.
    pub(super) fn without_a_look(&self, tenant: &TenantId, settings: &Settings) -> Found {
        tracing::error!(%tenant, "a tenant's file could not be looked at");
        let last = self.tenants.get(tenant).map(|entry| Arc::clone(&entry.state.policy));
        let set = self.overlay.of(tenant);
        Found::Tenant(
            last.unwrap_or_else(|| closed(self.reader, settings, tenant, &set, "could not be looked at")),
        )
    }

    async fn look_until_sure(
        self: &Arc<Self>,
        tenant: &TenantId,
        before: Option<Arc<Entry>>,
        world: &World,
        moved: bool,
    ) -> Option<Look> {
        let mut look = self.look(tenant, before.clone(), world, moved).await?;
        for _ in 1..MAX_LOOKS {
            if !look.doubtful {
                break;
            }
            tokio::time::sleep(SETTLE).await;
            let again = self.look(tenant, before.clone(), world, moved).await?;
            let same = again.reading == look.reading;
            look = again;
            if same {
                break;
            }
        }
        Some(look)
    }

    /// One look at the disk, on a blocking thread; watched before it is read, so that no edit falls between.
    async fn look(
        self: &Arc<Self>,
        tenant: &TenantId,
        before: Option<Arc<Entry>>,
        world: &World,
        moved: bool,
    ) -> Option<Look> {
        let _slot = self.slots.acquire().await.ok()?;
        let (this, tenant, world) = (Arc::clone(self), tenant.clone(), world.clone());
        let task = self.runtime.spawn_blocking(move || {
            let root = &world.settings.tenancy.folder;
            // strangers' names are not watched one by one: the folder of all tenants tells when one appears
            if before.is_some() || disk::has_folder(root, &tenant) {
                this.watching.arm(root, &tenant, moved);
            }
            this.counters.reads.fetch_add(1, Ordering::Relaxed);
            let at = Instant::now();
            let (reading, stamp) = disk::read(root, &tenant);
            let case = Case {
                reader: this.reader,
                settings: &world.settings,
                tenant: &tenant,
                before: before.as_ref().map(|entry| &entry.state),
                set: &world.set,
                same_settings: before.as_ref().is_some_and(|entry| world.resolved(entry)),
                hasher: &this.hasher,
            };
            let verdict = case.judge(&reading);
            let doubtful = case.is_doubtful(&reading, &verdict);
            if matches!(verdict, Verdict::Unknown) {
                this.watching.disarm(&tenant);
            }
            let unusable = match &verdict {
                Verdict::Known(State { good: Some(good), .. }, Change::Accepted) => {
                    unusable_files(&good.conf)
                }
                _ => Vec::new(),
            };
            Look { at, reading, stamp, verdict, doubtful, unusable }
        });
        task.await.ok()
    }

    fn accept(&self, tenant: &TenantId, before: Option<&Entry>, look: Look, world: &World) -> Found {
        match look.verdict {
            Verdict::Unknown => {
                if before.is_some() {
                    tracing::info!(%tenant, "the tenant's folder is gone");
                    self.index.tell(News::Touched(tenant.clone()));
                }
                self.unknown.insert(tenant.clone(), Instant::now() + world.settings.tenancy.negative_ttl);
                self.tenants.invalidate(tenant);
                Found::Unknown
            }
            Verdict::Known(state, change) => {
                self.report(tenant, before.is_some(), &state, &change);
                for (key, problem) in look.unusable {
                    tracing::warn!(%tenant, "{key}: {problem}: tokens of this issuer do not count until it is mended");
                }
                let said = matches!(look.reading, Reading::Text(_) | Reading::Absent) && state.is_of_file();
                if said && change != Change::Nothing {
                    let hosts = state.good.as_ref().map(|good| good.conf.hosts.clone()).unwrap_or_default();
                    self.index.tell(News::Claims(tenant.clone(), look.stamp, hosts));
                }
                self.unknown.invalidate(tenant);
                self.keep(tenant, state, (look.stamp, look.at), world)
            }
        }
    }

    pub(super) fn resolve_again(&self, tenant: &TenantId, entry: &Entry, world: &World) -> Found {
        let case = Case {
            reader: self.reader,
            settings: &world.settings,
            tenant,
            before: Some(&entry.state),
            set: &world.set,
            same_settings: false,
            hasher: &self.hasher,
        };
        let fresh = Entry {
            state: case.again(&entry.state),
            stamp: entry.stamp,
            versions: Versions { flush: entry.versions.flush, ..world.versions },
            set: world.set.clone(),
            refresh_at: entry.refresh_at,
            stale_at: entry.stale_at.min(Instant::now() + world.settings.tenancy.ttl),
            refreshing: AtomicBool::new(false),
        };
        let found = Found::Tenant(Arc::clone(&fresh.state.policy));
        self.tenants.insert(tenant.clone(), Arc::new(fresh));
        found
    }

    fn keep(&self, tenant: &TenantId, state: State, (stamp, at): (Stamp, Instant), world: &World) -> Found {
        let ttl = world.settings.tenancy.ttl;
        let (life, ahead) = if state.is_of_file() {
            (ttl, ttl / 4 * 3)
        } else {
            (ttl.min(RETRY_BROKEN), ttl.min(RETRY_BROKEN) / 2)
        };
        let found = Found::Tenant(Arc::clone(&state.policy));
        let entry = Entry {
            state,
            stamp,
            versions: world.versions,
            set: world.set.clone(),
            refresh_at: at + ahead,
            stale_at: at + life,
            refreshing: AtomicBool::new(false),
        };
        self.tenants.insert(tenant.clone(), Arc::new(entry));
        found
    }

    /// Says once what changed.
    fn report(&self, tenant: &TenantId, reload: bool, state: &State, change: &Change) {
        let mut problems = self.problems_lock();
        match &state.policy.problem {
            Some(problem) => problems.insert(tenant.clone(), problem.clone()),
            None => problems.remove(tenant),
        };
        drop(problems);
        // at the start, all files are read for their host names
        let said = |mistakes: &[Mistake]| {
            !reload && mistakes.first().is_some_and(|first| self.index.problems().get(tenant) == Some(first))
        };
        match change {
            Change::Broken(mistakes) if said(mistakes) => {}
            Change::Broken(mistakes) => {
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                let in_force = if state.good.is_some() { "the last good policy stays" } else { "closed" };
                for mistake in mistakes {
                    tracing::error!(%tenant, in_force, "{mistake}");
                }
            }
            // the file is fine, but not together with deployment.toml
            Change::Accepted if let Some(problem) = &state.policy.problem => {
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%tenant, "{problem}");
            }
            Change::Accepted if reload => {
                self.counters.accepted.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%tenant, generation = state.policy.generation, "the tenant's file is in force");
            }
            Change::Recovered => {
                self.counters.accepted.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%tenant, "the tenant's file is good again");
            }
            _ => {}
        }
    }
}
