//! Reads the hosts that tenants' files claim. Decides nothing about them.

use std::{
    collections::BTreeSet,
    io::{self, ErrorKind},
    path::Path,
};

use crate::{
    config::mistake::Mistake,
    domain::tenant::TenantId,
    tenants::{
        tenant_folder::{self, FileStamp, TenantFileContent},
        tenant_state::ParseTenantFile,
    },
};

/// A tenant, and the stamp its file was last read with.
#[derive(Debug, Clone)]
pub struct KnownFile {
    pub tenant: TenantId,
    pub stamp: Option<FileStamp>,
}

/// The host names that a tenant's file claims.
#[derive(Debug)]
pub struct ClaimReading {
    pub tenant: TenantId,
    pub stamp: FileStamp,
    pub outcome: ClaimOutcome,
}

#[derive(Debug)]
pub enum ClaimOutcome {
    Hosts(Vec<String>),
    Invalid(Mistake),
    /// For a reason outside of this file.
    Unknown,
}

/// The names of all tenants that have a folder. Blocking.
pub fn list_tenants(root: &Path) -> io::Result<BTreeSet<TenantId>> {
    match tenant_folder::list_folders(root) {
        Ok(names) => Ok(names.collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// Reads those of the files that have changed. Blocking.
pub fn read_claims(root: &Path, parse: ParseTenantFile, files: &[KnownFile]) -> Vec<ClaimReading> {
    let changed = files.iter().filter(|known| {
        known.stamp.is_none_or(|before| before.is_outdated(tenant_folder::read_stamp(root, &known.tenant)))
    });
    changed.map(|known| read_claim(root, parse, &known.tenant)).collect()
}

fn read_claim(root: &Path, parse: ParseTenantFile, tenant: &TenantId) -> ClaimReading {
    let read = tenant_folder::read(root, tenant);
    let outcome = match read.content {
        TenantFileContent::Text(text) => match parse(&text, &tenant_folder::file_of(root, tenant)) {
            Ok(conf) => ClaimOutcome::Hosts(conf.hosts),
            Err(mistakes) => mistakes.into_iter().next().map_or(ClaimOutcome::Unknown, ClaimOutcome::Invalid),
        },
        TenantFileContent::NoFile | TenantFileContent::NoFolder | TenantFileContent::EmptyRoot => {
            ClaimOutcome::Hosts(Vec::new())
        }
        TenantFileContent::NoRoot => ClaimOutcome::Unknown,
        TenantFileContent::Unreadable(mistake) => ClaimOutcome::Invalid(mistake),
    };
    ClaimReading { tenant: tenant.clone(), stamp: read.stamp, outcome }
}
