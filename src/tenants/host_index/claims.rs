//! Reads the hosts that tenants' files claim, and logs invalid files.

use std::{path::Path, sync::atomic::Ordering};

use tokio::task::spawn_blocking;

use crate::{
    config::{mistake::Mistake, model::Settings},
    domain::tenant::TenantId,
    tenants::{
        cache::TenantCache,
        evaluate::TenantFileReader,
        tenant_folder::{self, FileStamp, TenantFileContent},
    },
};

/// Invalid files logged by one scan, so that a damaged volume does not flood the log.
pub const MAX_LOGGED_PROBLEMS: usize = 100;

/// The hosts that a tenant's file claims.
pub struct ClaimReading {
    pub tenant: TenantId,
    pub stamp: FileStamp,
    /// `Err(None)`: unknown, for a reason outside of this file.
    pub problem_count: Result<Vec<String>, Option<Mistake>>,
}

/// Logs a problem once. Problems of cached tenants are logged by the cache.
pub fn record_problem(cache: &TenantCache, claimed: &ClaimReading, problem_count: &mut usize) {
    let tenant = &claimed.tenant;
    let is_reported_by_cache = cache.entries.contains_key(tenant);
    match &claimed.problem_count {
        Ok(_) => {
            if cache.index.problems().remove(tenant).is_some() && !is_reported_by_cache {
                cache.counters.accepted.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%tenant, "tenant file valid again");
            }
        }
        Err(Some(mistake)) => {
            let before = cache.index.problems().insert(tenant.clone(), mistake.clone());
            if before.as_ref() != Some(mistake) && !is_reported_by_cache {
                cache.counters.failed.fetch_add(1, Ordering::Relaxed);
                *problem_count += 1;
                if *problem_count <= MAX_LOGGED_PROBLEMS {
                    tracing::error!(%tenant, in_force = "closed", "{mistake}");
                }
            }
        }
        Err(None) => {}
    }
}

pub async fn read_claims(
    cache: &TenantCache,
    settings: &Settings,
    known: Vec<(TenantId, Option<FileStamp>)>,
) -> Option<Vec<ClaimReading>> {
    let (root, reader) = (settings.tenancy.folder.clone(), cache.reader);
    // fails only at the end of the runtime
    let claims = spawn_blocking(move || read_claims_blocking(&root, reader, known)).await.ok()?;
    cache.index.file_reads.fetch_add(claims.len() as u64, Ordering::Relaxed);
    Some(claims)
}

fn read_claims_blocking(
    root: &Path,
    reader: TenantFileReader,
    known: Vec<(TenantId, Option<FileStamp>)>,
) -> Vec<ClaimReading> {
    let mut found = Vec::new();
    for (tenant, before) in known {
        if before.is_some_and(|before| !before.is_outdated(tenant_folder::read_stamp(root, &tenant))) {
            continue;
        }
        let (reading, stamp) = tenant_folder::read(root, &tenant);
        let hosts = match reading {
            TenantFileContent::Text(text) => (reader.parse)(&text, &tenant_folder::file_of(root, &tenant))
                .map(|conf| conf.hosts)
                .map_err(|mistakes| mistakes.into_iter().next()),
            TenantFileContent::NoFile | TenantFileContent::NoFolder | TenantFileContent::EmptyRoot => {
                Ok(Vec::new())
            }
            TenantFileContent::NoRoot => Err(None),
            TenantFileContent::Unreadable(mistake) => Err(Some(mistake)),
        };
        found.push(ClaimReading { tenant, stamp, problem_count: hosts });
    }
    found
}
