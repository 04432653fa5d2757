//! All tenants by name and by host name, built and kept in the background: start-up does not wait for it.

mod files;

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

use self::files::{Claimed, MOST_SAID, note, read};
use super::{
    cache::Cache,
    disk::{self, Stamp},
};
use crate::{
    config::{
        hosts::HostClaims,
        mistake::Mistake,
        model::{Settings, Watch},
        watch::SETTLE,
    },
    domain::tenant::TenantId,
};

/// Files read in one go on a blocking thread.
const CHUNK: usize = 500;
/// A look at all folders may take one part in this many of one core's time.
const SHARE: u32 = 100;

/// What look-ups see: replaced as a whole.
#[derive(Debug)]
pub struct Listing {
    /// Sorted; the default tenant is always among them.
    pub names: Arc<[TenantId]>,
    pub several: bool,
    /// `None` until all files have been read once.
    pub claims: Option<Arc<HostClaims>>,
}

#[derive(Debug)]
pub enum News {
    /// Something happened to this folder.
    Touched(TenantId),
    /// This is what the tenant's file says now.
    Claims(TenantId, Stamp, Vec<String>),
    /// Look at all folders, and read the files that changed.
    Rescan,
    /// Read all files, whatever they look like from outside.
    Reread,
}

#[derive(Debug)]
pub struct Index {
    pub listing: ArcSwap<Listing>,
    pub news: UnboundedSender<News>,
    /// Becomes true with the first complete list of names.
    pub listed: watch::Sender<bool>,
    /// Files read for their host names.
    pub reads: AtomicU64,
    /// Files that could not be understood when they were read for their host names.
    problems: Mutex<BTreeMap<TenantId, Mistake>>,
}

impl Index {
    /// Looks at a few folder names only: enough to know whether there are several tenants.
    pub fn new(settings: &Settings, news: UnboundedSender<News>) -> Self {
        let default = settings.tenancy.default_tenant.clone();
        let other = disk::folders(&settings.tenancy.folder)
            .ok()
            .and_then(|mut folders| folders.find(|tenant| *tenant != default));
        let listing = Listing { names: Arc::from([default]), several: other.is_some(), claims: None };
        Self {
            listing: ArcSwap::from_pointee(listing),
            news,
            listed: watch::Sender::new(false),
            reads: AtomicU64::new(0),
            problems: Mutex::default(),
        }
    }

    pub fn problems(&self) -> MutexGuard<'_, BTreeMap<TenantId, Mistake>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn tell(&self, news: News) {
        // fails only while everything is being dropped
        let _ = self.news.send(news);
    }
}

#[derive(Debug, Default)]
struct Records {
    tenants: BTreeMap<TenantId, Record>,
}

#[derive(Debug)]
struct Record {
    /// `None`: not read yet.
    stamp: Option<Stamp>,
    hosts: Vec<String>,
    /// `hosts` is what some version of the file said: it could be read at least once.
    known: bool,
}

impl Record {
    const NEW: Self = Self { stamp: None, hosts: Vec::new(), known: false };
}

/// Ends when the cache is dropped.
pub async fn keep(cache: Weak<Cache>, mut news: UnboundedReceiver<News>) {
    let mut keeper = Keeper {
        records: Records::default(),
        complete: false,
        said: BTreeSet::new(),
        waited: Duration::ZERO,
    };
    loop {
        let started = Instant::now();
        let pause = {
            let Some(cache) = cache.upgrade() else { return };
            keeper.waited = Duration::ZERO;
            keeper.scan(&cache).await;
            pause_after(started.elapsed().saturating_sub(keeper.waited), &cache.settings.load())
        };
        let next_scan = tokio::time::Instant::now() + pause;
        // until the next scan: single tenants as they change
        while let Ok(first) = timeout_at(next_scan, news.recv()).await {
            let Some(first) = first else { return };
            let mut batch = vec![first];
            while let Ok(more) = news.try_recv() {
                batch.push(more);
            }
            let Some(cache) = cache.upgrade() else { return };
            if batch.iter().any(|news| matches!(news, News::Reread)) {
                keeper.records.tenants.values_mut().for_each(|record| record.stamp = None);
                break;
            }
            if batch.iter().any(|news| matches!(news, News::Rescan)) {
                break;
            }
            keeper.apply(&cache, batch).await;
        }
    }
}

/// As often as polling is asked for, but with many folders no more than a small share of the machine, and at the latest
/// after the TTL.
fn pause_after(scan: Duration, settings: &Settings) -> Duration {
    let tenancy = &settings.tenancy;
    match tenancy.watch {
        Watch::Off => tenancy.ttl,
        Watch::Auto { poll_interval } | Watch::Poll { poll_interval } => {
            poll_interval.max(scan.saturating_mul(SHARE)).min(tenancy.ttl)
        }
    }
    .max(Duration::from_millis(10))
}

struct Keeper {
    records: Records,
    complete: bool,
    /// Complaints about host names that have been logged.
    said: BTreeSet<String>,
    /// How much of a scan was no work.
    waited: Duration,
}

impl Keeper {
    async fn scan(&mut self, cache: &Arc<Cache>) {
        let settings = cache.settings.load_full();
        let root = settings.tenancy.folder.clone();
        let listed = spawn_blocking(move || disk::folders(&root).map(BTreeSet::from_iter)).await;
        let names: BTreeSet<TenantId> = match listed {
            Ok(Ok(names)) => names,
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => BTreeSet::new(),
            Ok(Err(error)) => {
                // the names known so far stay
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
                self.records.tenants.insert(tenant.clone(), Record::NEW);
                cache.forget_unknown(tenant);
                changed = true;
            }
        }
        if changed || !*cache.index.listed.borrow() {
            self.publish(cache, &settings);
            cache.index.listed.send_replace(true);
        }
        let names: Vec<TenantId> = names.into_iter().collect();
        let mut claims_changed = false;
        let mut said = 0;
        for chunk in names.chunks(CHUNK) {
            claims_changed |= self.look(cache, &settings, chunk, &mut said).await;
        }
        if said > MOST_SAID {
            let more = said - MOST_SAID;
            tracing::error!(
                more,
                "more tenants' files cannot be understood; `doorward check` names them all"
            );
        }
        if claims_changed || !self.complete {
            self.complete = true;
            self.publish(cache, &settings);
        }
    }

    async fn apply(&mut self, cache: &Arc<Cache>, batch: Vec<News>) {
        let settings = cache.settings.load_full();
        let mut changed = false;
        let mut touched = Vec::new();
        for news in batch {
            match news {
                News::Touched(tenant) => touched.push(tenant),
                News::Claims(tenant, stamp, hosts) => {
                    // only a folder that was listed is a tenant here; a new one is announced by `Touched`
                    if let Some(record) = self.records.tenants.get_mut(&tenant) {
                        cache.index.problems().remove(&tenant);
                        changed |= record.hosts != hosts || !record.known;
                        *record = Record { stamp: Some(stamp), hosts, known: true };
                    }
                }
                News::Rescan | News::Reread => {}
            }
        }
        if !touched.is_empty() {
            let root = settings.tenancy.folder.clone();
            let asked = touched.clone();
            let there = spawn_blocking(move || {
                asked.iter().map(|tenant| disk::folder_of(&root, tenant).is_dir()).collect::<Vec<_>>()
            });
            let Ok(there) = there.await else { return };
            for (tenant, there) in touched.iter().zip(there) {
                if !there {
                    changed |= self.records.tenants.remove(tenant).is_some();
                    cache.index.problems().remove(tenant);
                } else if !self.records.tenants.contains_key(tenant) {
                    changed = true;
                    self.records.tenants.insert(tenant.clone(), Record::NEW);
                    cache.forget_unknown(tenant);
                }
            }
            changed |= self.look(cache, &settings, &touched, &mut 0).await;
        }
        if changed {
            self.publish(cache, &settings);
        }
    }

    /// Reads the files of those that changed since they were last read. Whether any claim changed. `said` counts the files
    /// that were reported.
    async fn look(
        &mut self,
        cache: &Arc<Cache>,
        settings: &Arc<Settings>,
        tenants: &[TenantId],
        said: &mut usize,
    ) -> bool {
        let known: Vec<(TenantId, Option<Stamp>)> = tenants
            .iter()
            .filter_map(|tenant| Some((tenant.clone(), self.records.tenants.get(tenant)?.stamp)))
            .collect();
        let Some(mut claims) = read(cache, settings, known).await else { return false };
        // a file may be in the middle of an edit: only what is still so a moment later is a mistake
        let (doubtful, good): (Vec<Claimed>, Vec<Claimed>) = claims.into_iter().partition(|claimed| {
            let known = cache.index.problems();
            claimed.said.as_ref().is_err_and(|problem| {
                problem.as_ref().is_some_and(|problem| known.get(&claimed.tenant) != Some(problem))
            })
        });
        claims = good;
        if !doubtful.is_empty() {
            tokio::time::sleep(SETTLE).await;
            self.waited += SETTLE;
            let again = doubtful.into_iter().map(|claimed| (claimed.tenant, None)).collect();
            let Some(again) = read(cache, settings, again).await else { return false };
            claims.extend(again);
        }
        let mut changed = false;
        for claimed in claims {
            if let Some(record) = self.records.tenants.get_mut(&claimed.tenant) {
                record.stamp = Some(claimed.stamp);
                match &claimed.said {
                    Ok(hosts) if *hosts != record.hosts || !record.known => {
                        record.hosts.clone_from(hosts);
                        record.known = true;
                        changed = true;
                    }
                    // a file that cannot be understood keeps the hosts of the last good one
                    Ok(_) | Err(_) => {}
                }
                note(cache, &claimed, said);
            }
        }
        changed
    }

    fn publish(&mut self, cache: &Cache, settings: &Settings) {
        let default = &settings.tenancy.default_tenant;
        let mut names: Vec<TenantId> = self.records.tenants.keys().cloned().collect();
        if let Err(place) = names.binary_search(default) {
            names.insert(place, default.clone());
        }
        let claims = self.complete.then(|| {
            let mut claims = HostClaims::default();
            for (tenant, record) in &self.records.tenants {
                record.hosts.iter().for_each(|host| claims.insert(host, tenant));
                if !record.known {
                    claims.set_incomplete();
                }
            }
            Arc::new(claims)
        });
        if let Some(claims) = &claims {
            self.complain(claims, settings);
        }
        let listing = Listing { several: names.len() > 1, names: names.into(), claims };
        cache.index.listing.store(Arc::new(listing));
    }

    /// Says once what is wrong with the claims, and again only after it was right in between.
    fn complain(&mut self, claims: &HostClaims, settings: &Settings) {
        let conflicts = claims.conflicts().into_iter().map(|(host, one, other)| {
            format!("both {one} and {other} claim the host {host}: it is refused until one of them drops it")
        });
        let overruled = claims.overruled(&settings.tenancy).into_iter().map(|(host, claimant, owner)| {
            format!("{claimant} claims the host {host}, which deployment.toml gives to {owner}: the claim has no effect")
        });
        let not_allowed = claims.not_allowed(&settings.tenancy).into_iter().map(|(host, claimant)| {
            format!("{claimant} claims the host {host}, which tenancy.claimable_hosts does not allow: the claim has no effect")
        });
        let complaints: BTreeSet<String> = conflicts.chain(overruled).chain(not_allowed).collect();
        for complaint in complaints.difference(&self.said) {
            tracing::error!("{complaint}");
        }
        self.said = complaints;
    }
}
