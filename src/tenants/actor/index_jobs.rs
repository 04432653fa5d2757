//! The reading behind the index, on other threads.

use std::{
    collections::BTreeSet,
    io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::spawn_blocking, time::sleep};

use crate::{
    domain::tenant::TenantId,
    tenants::{
        index::{ClaimOutcome, ClaimReading, KnownFile, list_tenants, read_claims},
        loader::TenantLoader,
        tenant_folder::folder_of,
        watch::STABILITY_DELAY,
    },
};

/// The result of a read job.
pub enum JobResult {
    Listed { names: io::Result<BTreeSet<TenantId>>, reading: Duration },
    ScanRead(ReadResult),
    FoldersRead { present: Vec<TenantId>, missing: Vec<TenantId>, read: ReadResult },
}

pub struct ReadResult {
    pub claims: Vec<ClaimReading>,
    /// Time spent reading.
    pub reading: Duration,
}

/// Lists all folders. Blocking.
pub fn list_folders(root: &Path) -> JobResult {
    let start = Instant::now();
    JobResult::Listed { names: list_tenants(root), reading: start.elapsed() }
}

/// Reads the changed files of a scan.
pub async fn read_chunk(loader: Arc<TenantLoader>, files: Vec<KnownFile>) -> JobResult {
    JobResult::ScanRead(read_until_stable(&loader, files).await)
}

/// Reads the files of folders that may have come or gone.
pub async fn read_folders(loader: Arc<TenantLoader>, files: Vec<KnownFile>) -> JobResult {
    let root = loader.sources.settings().tenancy.folder.clone();
    let sorted =
        spawn_blocking(move || files.into_iter().partition(|known| folder_of(&root, &known.tenant).is_dir()));
    // fails only at the end of the runtime
    let (present, missing): (Vec<KnownFile>, Vec<KnownFile>) = sorted.await.unwrap_or_default();
    JobResult::FoldersRead {
        present: present.iter().map(|known| known.tenant.clone()).collect(),
        missing: missing.into_iter().map(|known| known.tenant).collect(),
        read: read_until_stable(&loader, present).await,
    }
}

/// A file may be in the middle of an edit: only a mistake that persists is reported.
async fn read_until_stable(loader: &Arc<TenantLoader>, files: Vec<KnownFile>) -> ReadResult {
    let mut first = read(loader, files).await;
    let report = &loader.report;
    let (transient, stable): (Vec<ClaimReading>, Vec<ClaimReading>) =
        first.claims.into_iter().partition(|reading| match &reading.outcome {
            ClaimOutcome::Invalid(mistake) => !report.is_known_claim_problem(&reading.tenant, mistake),
            ClaimOutcome::Hosts(_) | ClaimOutcome::Unknown => false,
        });
    first.claims = stable;
    if !transient.is_empty() {
        sleep(STABILITY_DELAY).await;
        let again = transient.into_iter().map(|reading| KnownFile { tenant: reading.tenant, stamp: None });
        let second = read(loader, again.collect()).await;
        first.claims.extend(second.claims);
        first.reading += second.reading;
    }
    first
}

async fn read(loader: &Arc<TenantLoader>, files: Vec<KnownFile>) -> ReadResult {
    let (root, parse) = (loader.sources.settings().tenancy.folder.clone(), loader.parse);
    let job = spawn_blocking(move || {
        let start = Instant::now();
        ReadResult { claims: read_claims(&root, parse, &files), reading: start.elapsed() }
    });
    // fails only at the end of the runtime
    job.await.unwrap_or(ReadResult { claims: Vec::new(), reading: Duration::ZERO })
}
