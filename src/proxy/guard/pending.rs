//! A sign-in at a guard that the portal has not answered: its lockout reservation, its place in the client's share, and its
//! audit event. One that is dropped without an outcome, because the client closed the connection or the portal failed, stays
//! counted as failed and is recorded as that.

use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    account::{GuardedName, Reservation},
    domain::{client::ClientAddress, tenant::TenantId},
    sync::client_limits::Permit,
    telemetry::metrics::GuardedLoginResult,
};

pub(super) struct PendingAttempt {
    /// Dropped before the reservation: the rejected attempt is recorded before the lock that it sets.
    audit: AuditOnDrop,
    reservation: Reservation,
    /// One for all names of a request.
    _permit: Arc<Permit>,
}

struct AuditOnDrop {
    name: GuardedName,
    address: ClientAddress,
    is_recorded: AtomicBool,
}

impl PendingAttempt {
    pub fn new(reservation: Reservation, address: ClientAddress, permit: Arc<Permit>) -> Self {
        let audit =
            AuditOnDrop { name: reservation.guarded_name(), address, is_recorded: AtomicBool::new(false) };
        Self { audit, reservation, _permit: permit }
    }

    pub fn tenant(&self) -> &TenantId {
        self.reservation.tenant()
    }

    /// Writes the outcome of one request to the audit log. `neutral` leaves the attempt open: another
    /// request with the same credentials may still decide it.
    pub fn record(&self, outcome: GuardedLoginResult) {
        self.audit.name.record(outcome, self.audit.address);
        if outcome != GuardedLoginResult::neutral {
            self.audit.mark_recorded();
        }
    }

    pub async fn succeeded(self) -> Result<(), impl Display> {
        self.audit.mark_recorded();
        self.reservation.record_success().await.map(|_| ())
    }

    /// Releases the reservation: the portal has not verified the password.
    pub async fn cancel(self) -> Result<(), impl Display> {
        self.audit.mark_recorded();
        self.reservation.release().await
    }
}

impl AuditOnDrop {
    fn mark_recorded(&self) {
        self.is_recorded.store(true, Ordering::Relaxed);
    }
}

impl Drop for AuditOnDrop {
    fn drop(&mut self) {
        if !*self.is_recorded.get_mut() {
            self.name.record(GuardedLoginResult::failed, self.address);
        }
    }
}
