//! Index of all tenants by name and by host name.

mod claims;
mod reader;
mod records;
mod snapshot;

pub use self::{
    claims::{ClaimProblem, HostLookup, find_tenant},
    reader::{ClaimOutcome, ClaimReading, KnownFile, list_tenants, read_claims},
    records::{HostsClaimed, IndexRecords},
    snapshot::HostIndex,
};
