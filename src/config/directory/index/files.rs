//! Reading tenants' files for the hosts they claim, and saying which of them cannot be understood.

use std::{path::Path, sync::atomic::Ordering};

use tokio::task::spawn_blocking;

use crate::{
    config::{
        directory::{
            cache::Cache,
            disk::{self, Reading, Stamp},
            entry::Reader,
        },
        mistake::Mistake,
        model::Settings,
    },
    domain::tenant::TenantId,
};

/// Broken files named in the log by one look at all folders; a volume of damaged files must not drown everything else.
pub const MOST_SAID: usize = 100;

/// What a tenant's file says about hosts.
pub struct Claimed {
    pub tenant: TenantId,
    pub stamp: Stamp,
    /// Without a mistake: nothing is known, and it is no fault of this file.
    pub said: Result<Vec<String>, Option<Mistake>>,
}

/// A tenant that is in the cache is reported from there; all others here, each once.
pub fn note(cache: &Cache, claimed: &Claimed, said: &mut usize) {
    let tenant = &claimed.tenant;
    let elsewhere = cache.tenants.contains_key(tenant);
    match &claimed.said {
        Ok(_) => {
            if cache.index.problems().remove(tenant).is_some() && !elsewhere {
                cache.counters.accepted.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%tenant, "the tenant's file is good again");
            }
        }
        Err(Some(mistake)) => {
            let before = cache.index.problems().insert(tenant.clone(), mistake.clone());
            if before.as_ref() != Some(mistake) && !elsewhere {
                cache.counters.failed.fetch_add(1, Ordering::Relaxed);
                *said += 1;
                if *said <= MOST_SAID {
                    tracing::error!(%tenant, in_force = "closed", "{mistake}");
                }
            }
        }
        Err(None) => {}
    }
}

pub async fn read(
    cache: &Cache,
    settings: &Settings,
    known: Vec<(TenantId, Option<Stamp>)>,
) -> Option<Vec<Claimed>> {
    let (root, reader) = (settings.tenancy.folder.clone(), cache.reader);
    // fails only at the end of the runtime
    let claims = spawn_blocking(move || hosts_of(&root, reader, known)).await.ok()?;
    cache.index.reads.fetch_add(claims.len() as u64, Ordering::Relaxed);
    Some(claims)
}

fn hosts_of(root: &Path, reader: Reader, known: Vec<(TenantId, Option<Stamp>)>) -> Vec<Claimed> {
    let mut found = Vec::new();
    for (tenant, before) in known {
        if before.is_some_and(|before| !before.outdated(disk::stamp(root, &tenant))) {
            continue;
        }
        let (reading, stamp) = disk::read(root, &tenant);
        let said = match reading {
            Reading::Text(text) => (reader.parse)(&text, &disk::file_of(root, &tenant))
                .map(|conf| conf.hosts)
                .map_err(|mistakes| mistakes.into_iter().next()),
            Reading::Absent | Reading::Gone | Reading::EmptyRoot => Ok(Vec::new()),
            Reading::NoRoot => Err(None),
            Reading::Unreadable(mistake) => Err(Some(mistake)),
        };
        found.push(Claimed { tenant, stamp, said });
    }
    found
}
