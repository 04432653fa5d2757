//! Index of all tenants by name and host name, maintained in the background: start-up does not wait for it.

mod claims;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::AtomicU64},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender},
        watch,
    },
    task::spawn_blocking,
    time::timeout_at,
};

use self::claims::{ClaimReading, MAX_LOGGED_PROBLEMS, read_claims, record_problem};
use super::{
    cache::TenantCache,
    tenant_folder::{self, FileStamp},
    watch::STABILITY_DELAY,
};
use crate::{
    config::{
        hosts::HostClaims,
        mistake::Mistake,
        model::{FileWatchMode, Settings},
    },
    domain::tenant::TenantId,
};

/// Files read in one go on a blocking thread.
const CHUNK: usize = 500;
/// A scan of all folders may use one part in this many of one core's time.
const SCAN_TIME_DIVISOR: u32 = 100;

/// The snapshot that look-ups read; replaced as a whole.
#[derive(Debug)]
pub struct IndexSnapshot {
    /// Sorted; the default tenant is always among them.
    pub names: Arc<[TenantId]>,
    pub has_several_tenants: bool,
    /// `None` until all files have been read once.
    pub claims: Option<Arc<HostClaims>>,
}

#[derive(Debug)]
pub enum IndexCommand {
    /// This folder was created, changed or removed.
    FolderChanged(TenantId),
    /// The tenant's file was read and claims these hosts.
    ClaimsRead(TenantId, FileStamp, Vec<String>),
    /// List all folders, and read the changed files.
    Rescan,
    /// Read all files, even those with unchanged metadata.
    Reread,
}

#[derive(Debug)]
pub struct HostIndex {
    pub snapshot: ArcSwap<IndexSnapshot>,
    pub commands: UnboundedSender<IndexCommand>,
    /// Becomes true with the first complete list of names.
    pub is_listed: watch::Sender<bool>,
    /// Files read for their host names.
    pub file_reads: AtomicU64,
    /// Invalid files, found while host names were read.
    problems: Mutex<BTreeMap<TenantId, Mistake>>,
}

impl HostIndex {
    /// Reads only as many folder names as it takes to know whether there are several tenants.
    pub fn new(settings: &Settings, commands: UnboundedSender<IndexCommand>) -> Self {
        let default = settings.tenancy.default_tenant.clone();
        let other = tenant_folder::list_folders(&settings.tenancy.folder)
            .ok()
            .and_then(|mut folders| folders.find(|tenant| *tenant != default));
        let listing =
            IndexSnapshot { names: Arc::from([default]), has_several_tenants: other.is_some(), claims: None };
        Self {
            snapshot: ArcSwap::from_pointee(listing),
            commands,
            is_listed: watch::Sender::new(false),
            file_reads: AtomicU64::new(0),
            problems: Mutex::default(),
        }
    }

    pub fn problems(&self) -> MutexGuard<'_, BTreeMap<TenantId, Mistake>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn send(&self, command: IndexCommand) {
        // fails only while everything is being dropped
        let _ = self.commands.send(command);
    }
}

#[derive(Debug, Default)]
struct IndexedTenants {
    tenants: BTreeMap<TenantId, IndexedTenant>,
}

#[derive(Debug)]
struct IndexedTenant {
    /// `None`: not read yet.
    stamp: Option<FileStamp>,
    hosts: Vec<String>,
    /// The file has been valid at least once, so `hosts` is known.
    was_readable: bool,
}

impl IndexedTenant {
    const NEW: Self = Self { stamp: None, hosts: Vec::new(), was_readable: false };
}

/// Ends when the cache is dropped.
pub async fn run(cache: Weak<TenantCache>, mut commands: UnboundedReceiver<IndexCommand>) {
    let mut indexer = Indexer {
        records: IndexedTenants::default(),
        is_complete: false,
        reported: BTreeSet::new(),
        sleep_time: Duration::ZERO,
    };
    loop {
        let started = Instant::now();
        let pause = {
            let Some(cache) = cache.upgrade() else { return };
            indexer.sleep_time = Duration::ZERO;
            indexer.scan(&cache).await;
            scan_interval(started.elapsed().saturating_sub(indexer.sleep_time), &cache.settings.load())
        };
        let next_scan = tokio::time::Instant::now() + pause;
        // until the next scan: single tenants as they change
        while let Ok(first) = timeout_at(next_scan, commands.recv()).await {
            let Some(first) = first else { return };
            let mut batch = vec![first];
            while let Ok(more) = commands.try_recv() {
                batch.push(more);
            }
            let Some(cache) = cache.upgrade() else { return };
            if batch.iter().any(|commands| matches!(commands, IndexCommand::Reread)) {
                indexer.records.tenants.values_mut().for_each(|record| record.stamp = None);
                break;
            }
            if batch.iter().any(|commands| matches!(commands, IndexCommand::Rescan)) {
                break;
            }
            indexer.apply_commands(&cache, batch).await;
        }
    }
}

/// As often as polling is asked for, but with many folders no more than a small share of the machine, and at the latest
/// after the TTL.
fn scan_interval(scan: Duration, settings: &Settings) -> Duration {
    let tenancy = &settings.tenancy;
    match tenancy.watch {
        FileWatchMode::Off => tenancy.ttl,
        FileWatchMode::Auto { poll_interval } | FileWatchMode::Poll { poll_interval } => {
            poll_interval.max(scan.saturating_mul(SCAN_TIME_DIVISOR)).min(tenancy.ttl)
        }
    }
    .max(Duration::from_millis(10))
}

struct Indexer {
    records: IndexedTenants,
    is_complete: bool,
    /// Complaints about host names that have been logged.
    reported: BTreeSet<String>,
    /// Time that the current scan spent sleeping.
    sleep_time: Duration,
}

impl Indexer {
    async fn scan(&mut self, cache: &Arc<TenantCache>) {
        let settings = cache.settings.load_full();
        let root = settings.tenancy.folder.clone();
        let listed =
            spawn_blocking(move || tenant_folder::list_folders(&root).map(BTreeSet::from_iter)).await;
        let names: BTreeSet<TenantId> = match listed {
            Ok(Ok(names)) => names,
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => BTreeSet::new(),
            Ok(Err(error)) => {
                // keep the names known so far
                tracing::warn!(%error, folder = %settings.tenancy.folder.display(), "the tenants' folder cannot be listed");
                self.records.tenants.keys().cloned().collect()
            }
            Err(_) => return,
        };
        let known = self.records.tenants.len();
        self.records.tenants.retain(|tenant, _| names.contains(tenant));
        cache.index.problems().retain(|tenant, _| names.contains(tenant));
        let mut changed = known != self.records.tenants.len();
        for tenant in &names {
            if !self.records.tenants.contains_key(tenant) {
                self.records.tenants.insert(tenant.clone(), IndexedTenant::NEW);
                cache.forget_unknown(tenant);
                changed = true;
            }
        }
        if changed || !*cache.index.is_listed.borrow() {
            self.publish_snapshot(cache, &settings);
            cache.index.is_listed.send_replace(true);
        }
        let names: Vec<TenantId> = names.into_iter().collect();
        let mut claims_changed = false;
        let mut problem_count = 0;
        for chunk in names.chunks(CHUNK) {
            claims_changed |= self.read_changed(cache, &settings, chunk, &mut problem_count).await;
        }
        if problem_count > MAX_LOGGED_PROBLEMS {
            let more = problem_count - MAX_LOGGED_PROBLEMS;
            tracing::error!(more, "more tenant files are invalid; `doorward check` lists them all");
        }
        if claims_changed || !self.is_complete {
            self.is_complete = true;
            self.publish_snapshot(cache, &settings);
        }
    }

    async fn apply_commands(&mut self, cache: &Arc<TenantCache>, batch: Vec<IndexCommand>) {
        let settings = cache.settings.load_full();
        let mut changed = false;
        let mut touched = Vec::new();
        for command in batch {
            match command {
                IndexCommand::FolderChanged(tenant) => touched.push(tenant),
                IndexCommand::ClaimsRead(tenant, stamp, hosts) => {
                    // only a folder that was listed is a tenant here; a new one is announced by `Touched`
                    if let Some(record) = self.records.tenants.get_mut(&tenant) {
                        cache.index.problems().remove(&tenant);
                        changed |= record.hosts != hosts || !record.was_readable;
                        *record = IndexedTenant { stamp: Some(stamp), hosts, was_readable: true };
                    }
                }
                IndexCommand::Rescan | IndexCommand::Reread => {}
            }
        }
        if !touched.is_empty() {
            let root = settings.tenancy.folder.clone();
            let folders = touched.clone();
            let exists = spawn_blocking(move || {
                folders
                    .iter()
                    .map(|tenant| tenant_folder::folder_of(&root, tenant).is_dir())
                    .collect::<Vec<_>>()
            });
            let Ok(exists) = exists.await else { return };
            for (tenant, exists) in touched.iter().zip(exists) {
                if !exists {
                    changed |= self.records.tenants.remove(tenant).is_some();
                    cache.index.problems().remove(tenant);
                } else if !self.records.tenants.contains_key(tenant) {
                    changed = true;
                    self.records.tenants.insert(tenant.clone(), IndexedTenant::NEW);
                    cache.forget_unknown(tenant);
                }
            }
            changed |= self.read_changed(cache, &settings, &touched, &mut 0).await;
        }
        if changed {
            self.publish_snapshot(cache, &settings);
        }
    }

    /// Reads the changed files of `tenants`. Returns whether any claim changed. `problem_count` counts the files
    /// that were reported.
    async fn read_changed(
        &mut self,
        cache: &Arc<TenantCache>,
        settings: &Arc<Settings>,
        tenants: &[TenantId],
        problem_count: &mut usize,
    ) -> bool {
        let known: Vec<(TenantId, Option<FileStamp>)> = tenants
            .iter()
            .filter_map(|tenant| Some((tenant.clone(), self.records.tenants.get(tenant)?.stamp)))
            .collect();
        let Some(mut claims) = read_claims(cache, settings, known).await else { return false };
        // a file may be in the middle of an edit: only a mistake that persists is reported
        let (possibly_transient, good): (Vec<ClaimReading>, Vec<ClaimReading>) =
            claims.into_iter().partition(|claimed| {
                let known = cache.index.problems();
                claimed.problem_count.as_ref().is_err_and(|problem| {
                    problem.as_ref().is_some_and(|problem| known.get(&claimed.tenant) != Some(problem))
                })
            });
        claims = good;
        if !possibly_transient.is_empty() {
            tokio::time::sleep(STABILITY_DELAY).await;
            self.sleep_time += STABILITY_DELAY;
            let reread = possibly_transient.into_iter().map(|claimed| (claimed.tenant, None)).collect();
            let Some(reread) = read_claims(cache, settings, reread).await else { return false };
            claims.extend(reread);
        }
        let mut changed = false;
        for claimed in claims {
            if let Some(record) = self.records.tenants.get_mut(&claimed.tenant) {
                record.stamp = Some(claimed.stamp);
                match &claimed.problem_count {
                    Ok(hosts) if *hosts != record.hosts || !record.was_readable => {
                        record.hosts.clone_from(hosts);
                        record.was_readable = true;
                        changed = true;
                    }
                    // an invalid file keeps the hosts of its last good content
                    Ok(_) | Err(_) => {}
                }
                record_problem(cache, &claimed, problem_count);
            }
        }
        changed
    }

    fn publish_snapshot(&mut self, cache: &TenantCache, settings: &Settings) {
        let default = &settings.tenancy.default_tenant;
        let mut names: Vec<TenantId> = self.records.tenants.keys().cloned().collect();
        if let Err(place) = names.binary_search(default) {
            names.insert(place, default.clone());
        }
        let claims = self.is_complete.then(|| {
            let mut claims = HostClaims::default();
            for (tenant, record) in &self.records.tenants {
                record.hosts.iter().for_each(|host| claims.insert(host, tenant));
                if !record.was_readable {
                    claims.mark_incomplete();
                }
            }
            Arc::new(claims)
        });
        if let Some(claims) = &claims {
            self.report_claim_problems(claims, settings);
        }
        let listing = IndexSnapshot { has_several_tenants: names.len() > 1, names: names.into(), claims };
        cache.index.snapshot.store(Arc::new(listing));
    }

    /// Logs each problem with the claims once, and again only if it was resolved in between.
    fn report_claim_problems(&mut self, claims: &HostClaims, settings: &Settings) {
        let conflicts = claims.conflicts().into_iter().map(|(host, one, other)| {
            format!("both {one} and {other} claim the host {host}: it is refused until one of them drops it")
        });
        let overruled = claims.overruled_claims(&settings.tenancy).into_iter().map(|(host, claimant, owner)| {
            format!("{claimant} claims the host {host}, which deployment.toml gives to {owner}: the claim has no effect")
        });
        let not_allowed = claims.disallowed_claims(&settings.tenancy).into_iter().map(|(host, claimant)| {
            format!("{claimant} claims the host {host}, which tenancy.claimable_hosts does not allow: the claim has no effect")
        });
        let complaints: BTreeSet<String> = conflicts.chain(overruled).chain(not_allowed).collect();
        for complaint in complaints.difference(&self.reported) {
            tracing::error!("{complaint}");
        }
        self.reported = complaints;
    }
}
