//! Who keeps what is set: handed over in `boot`.

use futures_util::future::BoxFuture;

use crate::domain::{
    audit::{Actor, Deed},
    governance::{Connector, Refusal},
    tenant::TenantId,
};

/// A tenant's properties as they are in force.
pub struct InForce {
    /// One more with each change; 0: nothing was ever set.
    pub version: u64,
    /// Canonical name to value.
    pub value_of: Box<dyn Fn(&str) -> String + Send + Sync>,
    /// Those of a numbered kind that there are.
    pub numbered: Vec<String>,
}

pub enum Wish {
    /// Names and values as they were sent.
    Update(Vec<(&'static Connector, Vec<(String, String)>)>),
    Revert(&'static Connector, Vec<String>),
}

pub struct Change {
    pub wish: Wish,
    /// The version it was made for.
    pub expected: Option<u64>,
    pub actor: Actor,
}

#[derive(Debug)]
pub enum NotChanged {
    Refused(Refusal),
    /// Somebody else was first.
    Stale {
        version: u64,
    },
    Unavailable,
}

pub trait Desk: Send + Sync {
    /// `None`: that cannot be told now.
    fn read<'a>(&'a self, tenant: &'a TenantId) -> BoxFuture<'a, Option<InForce>>;

    /// The new version; in force here when this returns.
    fn change<'a>(&'a self, tenant: &'a TenantId, change: Change) -> BoxFuture<'a, Result<u64, NotChanged>>;

    /// What was done elsewhere: to a tenant's file.
    fn record<'a>(&'a self, tenant: &'a TenantId, actor: Actor, deed: Deed) -> BoxFuture<'a, ()>;
}
