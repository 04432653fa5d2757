//! Keeps the index up to date: scans all folders at intervals, and single ones as they change. Files are read in jobs on
//! other threads, one job at a time, so that file events are applied during a scan.

use std::{
    collections::{BTreeSet, VecDeque},
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::sleep_until,
};

use super::index_jobs::{self, JobResult};
use crate::{
    config::model::{FileWatchMode, TenancySettings},
    domain::tenant::TenantId,
    tenants::{
        index::{ClaimProblem, ClaimReading, HostsClaimed, IndexRecords},
        loader::TenantLoader,
    },
};

/// Files read in one job.
const CHUNK: usize = 500;
/// A scan of all folders may use one part in this many of one core's time.
const SCAN_TIME_DIVISOR: u32 = 100;
/// Invalid files logged by one scan, so that a damaged volume does not flood the log.
const MAX_LOGGED_PROBLEMS: usize = 100;

pub struct IndexUpdater {
    loader: Arc<TenantLoader>,
    records: IndexRecords,
    queued: QueuedWork,
    scan: Option<Scan>,
    job: Option<JoinHandle<JobResult>>,
    was_folders_turn: bool,
    next_scan: Instant,
    /// Problems of claims that have been logged.
    reported: BTreeSet<ClaimProblem>,
}

/// Work that waits for the current job.
#[derive(Default)]
struct QueuedWork {
    claims: Vec<HostsClaimed>,
    folders: BTreeSet<TenantId>,
    scan: bool,
    reread: bool,
}

/// A scan in progress.
#[derive(Default)]
struct Scan {
    unread: VecDeque<TenantId>,
    have_claims_changed: bool,
    new_problems: usize,
    /// Time spent reading.
    reading: Duration,
}

impl IndexUpdater {
    pub fn new(loader: Arc<TenantLoader>) -> Self {
        Self {
            loader,
            records: IndexRecords::default(),
            queued: QueuedWork { scan: true, ..QueuedWork::default() },
            scan: None,
            job: None,
            was_folders_turn: false,
            next_scan: Instant::now(),
            reported: BTreeSet::new(),
        }
    }

    pub fn queue_folder(&mut self, tenant: TenantId) {
        self.queued.folders.insert(tenant);
    }

    pub fn queue_claims(&mut self, claimed: HostsClaimed) {
        self.queued.claims.push(claimed);
    }

    pub fn queue_scan(&mut self) {
        self.queued.scan = true;
    }

    /// A scan that reads all files, even those with unchanged metadata.
    pub fn queue_reread(&mut self) {
        self.queued.scan = true;
        self.queued.reread = true;
    }

    /// Waits for the current job, or for the time of the next scan. Cancel safe. Its result goes to `finish`.
    pub async fn wait(&mut self) -> Option<JobResult> {
        let Some(job) = &mut self.job else {
            sleep_until(self.next_scan.into()).await;
            self.queued.scan = true;
            return None;
        };
        let result = job.await;
        self.job = None;
        // fails if the job panicked: its files are read by the next scan
        result.ok()
    }

    /// Applies the result of a job, and starts the next one.
    pub fn finish(&mut self, result: Option<JobResult>) {
        if let Some(result) = result {
            self.apply(result);
        }
        self.advance();
    }

    /// Starts the next job, unless one is running.
    pub fn advance(&mut self) {
        if self.job.is_some() {
            return;
        }
        self.apply_claims();
        // in turn, so that a scan ends however often folders change
        let is_scan_turn = self.queued.folders.is_empty() || self.was_folders_turn;
        self.was_folders_turn = false;
        if let Some(scan) = self.scan.as_mut().filter(|_| is_scan_turn) {
            let chunk: Vec<TenantId> = scan.unread.drain(..scan.unread.len().min(CHUNK)).collect();
            if !chunk.is_empty() {
                return self.start_chunk(&chunk);
            }
            self.finish_scan();
        }
        if !self.queued.folders.is_empty() {
            self.was_folders_turn = true;
            self.start_folders();
        } else if self.queued.scan && self.scan.is_none() {
            self.start_scan();
        }
    }

    fn start_scan(&mut self) {
        if self.queued.reread {
            self.records.forget_stamps();
        }
        (self.queued.scan, self.queued.reread) = (false, false);
        // should the job fail
        self.schedule_scan(Duration::ZERO);
        let root = self.loader.sources.settings().tenancy.folder.clone();
        self.job = Some(spawn_blocking(move || index_jobs::list_folders(&root)));
    }

    fn start_chunk(&mut self, chunk: &[TenantId]) {
        let files = chunk.iter().map(|tenant| self.records.known_file(tenant)).collect();
        self.job = Some(tokio::spawn(index_jobs::read_chunk(Arc::clone(&self.loader), files)));
    }

    fn start_folders(&mut self) {
        let folders = std::mem::take(&mut self.queued.folders);
        let files = folders.iter().map(|tenant| self.records.known_file(tenant)).collect();
        self.job = Some(tokio::spawn(index_jobs::read_folders(Arc::clone(&self.loader), files)));
    }

    fn apply(&mut self, result: JobResult) {
        match result {
            JobResult::Listed { names, reading } => self.apply_listing(names, reading),
            JobResult::ScanRead(read) => {
                let mut scan = self.scan.take().unwrap_or_default();
                scan.reading += read.reading;
                scan.have_claims_changed |= self.apply_readings(read.claims, &mut scan.new_problems);
                self.scan = Some(scan);
            }
            JobResult::FoldersRead { present, missing, read } => {
                let mut changed = false;
                for tenant in &missing {
                    changed |= self.records.remove(tenant);
                    self.loader.report.forget_claims(tenant);
                }
                // before the claims: as long as those of a new folder are unknown, hosts without a tenant are refused
                for tenant in &present {
                    changed |= self.add(tenant);
                }
                changed |= self.apply_readings(read.claims, &mut 0);
                if changed {
                    self.publish();
                }
            }
        }
    }

    fn apply_listing(&mut self, names: io::Result<BTreeSet<TenantId>>, reading: Duration) {
        let names = names.unwrap_or_else(|error| {
            let folder = &self.loader.sources.settings().tenancy.folder;
            tracing::warn!(%error, folder = %folder.display(), "the tenants' folder cannot be listed");
            // keep the names known so far
            self.records.names().cloned().collect()
        });
        let mut changed = self.records.retain(&names);
        self.loader.report.retain_claims(&names);
        for tenant in &names {
            changed |= self.add(tenant);
        }
        if changed || !self.loader.index.is_listed() {
            self.publish();
            self.loader.index.mark_listed();
        }
        self.scan = Some(Scan { unread: names.into_iter().collect(), reading, ..Scan::default() });
    }

    /// Returns whether the tenant is new.
    fn add(&mut self, tenant: &TenantId) -> bool {
        let is_new = self.records.add(tenant);
        if is_new {
            self.loader.cache.forget_unknown(tenant);
        }
        is_new
    }

    fn apply_claims(&mut self) {
        let mut changed = false;
        for claimed in std::mem::take(&mut self.queued.claims) {
            let tenant = claimed.tenant.clone();
            if let Some(have_changed) = self.records.apply_claims(claimed) {
                self.loader.report.forget_claims(&tenant);
                changed |= have_changed;
            }
        }
        if changed {
            self.publish();
        }
    }

    /// Returns whether any claim changed. `new_problems` counts the invalid files that were found.
    fn apply_readings(&mut self, readings: Vec<ClaimReading>, new_problems: &mut usize) -> bool {
        self.loader.report.count_claim_reads(readings.len());
        let mut changed = false;
        for reading in readings {
            let is_cached = self.loader.cache.contains(&reading.tenant);
            let is_log_full = *new_problems >= MAX_LOGGED_PROBLEMS;
            *new_problems += usize::from(self.loader.report.record_claims(&reading, is_cached, is_log_full));
            changed |= self.records.apply_reading(reading);
        }
        changed
    }

    fn finish_scan(&mut self) {
        let Some(scan) = self.scan.take() else { return };
        if scan.new_problems > MAX_LOGGED_PROBLEMS {
            let more = scan.new_problems - MAX_LOGGED_PROBLEMS;
            tracing::error!(more, "more tenant files are invalid; `doorward check` lists them all");
        }
        if scan.have_claims_changed || !self.records.is_complete() {
            self.records.mark_complete();
            self.publish();
        }
        self.schedule_scan(scan.reading);
    }

    fn schedule_scan(&mut self, last: Duration) {
        self.next_scan = Instant::now() + scan_interval(last, &self.loader.sources.settings().tenancy);
    }

    fn publish(&mut self) {
        let settings = self.loader.sources.settings();
        let snapshot = self.records.snapshot(&settings.tenancy.default_tenant);
        if let Some(claims) = &snapshot.claims {
            // each once, and again only if it was resolved in between
            let problems = claims.problems(&settings.tenancy);
            for problem in problems.difference(&self.reported) {
                tracing::error!("{problem}");
            }
            self.reported = problems;
        }
        self.loader.index.publish(snapshot);
    }
}

/// As often as polling is asked for, but with many folders no more than a small share of the machine, and at the latest
/// after the TTL.
fn scan_interval(reading: Duration, tenancy: &TenancySettings) -> Duration {
    match tenancy.watch {
        FileWatchMode::Off => tenancy.ttl,
        FileWatchMode::Auto { poll_interval } | FileWatchMode::Poll { poll_interval } => {
            poll_interval.max(reading.saturating_mul(SCAN_TIME_DIVISOR)).min(tenancy.ttl)
        }
    }
    .max(Duration::from_millis(10))
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;

    use super::*;
    use crate::tenants::{
        actor::index_jobs::ReadResult,
        command::command_channel,
        index::{HostLookup, find_tenant},
        tests,
    };

    /// Attack: the folder of a new tenant, whose file cannot be read, so that its hosts get the default tenant's policy.
    #[tokio::test]
    async fn attack_unread_new_tenant_opens_its_hosts() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Arc::new(tests::settings(folder.path().to_owned(), FileWatchMode::Off));
        let (sender, _commands) = command_channel();
        let loader = Arc::new(TenantLoader::new(settings, tests::parse, Handle::current(), sender));
        let mut updater = IndexUpdater::new(Arc::clone(&loader));
        let look_up = || {
            let snapshot = loader.index.snapshot();
            let settings = loader.sources.settings();
            find_tenant(&settings.tenancy, snapshot.claims.as_deref(), "new.example.com")
        };
        updater.records.mark_complete();
        updater.publish();
        assert_eq!(look_up(), HostLookup::NoTenant);
        let unread = ReadResult { claims: Vec::new(), reading: Duration::ZERO };
        updater.apply(JobResult::FoldersRead {
            present: vec![tests::id("new.example.com")],
            missing: Vec::new(),
            read: unread,
        });
        assert_eq!(look_up(), HostLookup::IndexNotReady);
    }
}
