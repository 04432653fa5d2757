//! How much the administrators of one tenant may change in an hour: each change is kept in the audit records, which all tenants
//! share. The budget is that of the caller's tenant, so that it never blocks an administrator of `carbon.super`.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::{StatusCode, header};

use super::error::ApiProblem;
use crate::{
    config::model::ChangeBudget,
    domain::{tenant::TenantId, time::Timestamp},
    http::retry_after,
};

const HOUR: Duration = Duration::from_hours(1);

/// At most one entry a tenant: only authenticated callers spend anything.
#[derive(Default)]
pub struct ChangeBudgets(Mutex<HashMap<TenantId, SpentBudget>>);

/// The budget spent since the start of an hour.
#[derive(Debug, Clone, Copy, Default)]
struct SpentBudget {
    since: Timestamp,
    changes: u32,
    bytes: u64,
}

impl ChangeBudgets {
    pub fn spend_change(
        &self,
        tenant: &TenantId,
        budget: ChangeBudget,
        now: Timestamp,
    ) -> Result<(), ApiProblem> {
        self.spend(tenant, now, |spent| {
            let is_left = spent.changes < budget.changes;
            spent.changes += u32::from(is_left);
            is_left.then_some(()).ok_or(("changes", "management.changes_per_hour"))
        })
    }

    /// One change may go beyond what is left of the budget, so that a change is never too large for it.
    pub fn spend_audit_bytes(
        &self,
        tenant: &TenantId,
        bytes: usize,
        budget: ChangeBudget,
        now: Timestamp,
    ) -> Result<(), ApiProblem> {
        self.spend(tenant, now, |spent| {
            if spent.bytes >= u64::from(budget.audit_bytes) {
                return Err(("bytes of audit records", "management.audit_bytes_per_hour"));
            }
            spent.bytes = spent.bytes.saturating_add(bytes as u64);
            Ok(())
        })
    }

    fn spend(
        &self,
        tenant: &TenantId,
        now: Timestamp,
        charge: impl FnOnce(&mut SpentBudget) -> Result<(), (&'static str, &'static str)>,
    ) -> Result<(), ApiProblem> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = all.entry(tenant.clone()).or_default();
        // a clock set back starts a new hour as well
        if now.abs_diff(spent.since) >= HOUR {
            *spent = SpentBudget { since: now, ..SpentBudget::default() };
        }
        let until_next_hour = HOUR.saturating_sub(now.abs_diff(spent.since));
        charge(spent).map_err(|(what, key)| exhausted(what, key, until_next_hour))
    }
}

fn exhausted(what: &str, key: &str, wait: Duration) -> ApiProblem {
    let problem = ApiProblem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "Too many changes.",
        format!(
            "Nothing has been changed: the administrators of this tenant have used up their {what} for this hour ({key})."
        ),
    );
    problem.with_header(header::RETRY_AFTER, retry_after::header_value(wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn acme() -> TenantId {
        TenantId::parse("acme.com").unwrap()
    }

    #[test]
    fn attack_flood_of_changes_by_one_tenant() {
        let (budgets, budget) = (ChangeBudgets::default(), ChangeBudget { changes: 3, audit_bytes: 100 });
        let start = at(0) + 7 * HOUR;
        let change = |tenant: &TenantId, now| budgets.spend_change(tenant, budget, now).is_ok();
        assert_eq!(
            [0, 1, 2, 3, 4].map(|later| change(&acme(), start + ms(later))),
            [true, true, true, false, false]
        );
        assert!(change(&TenantId::super_tenant(), start + ms(5)), "another tenant has its own");
        assert!(!change(&acme(), start + HOUR - ms(1)));
        assert!(change(&acme(), start + HOUR), "the next hour");
        assert!(change(&acme(), start - HOUR), "the clock was set back");
    }

    #[test]
    fn attack_flood_of_audit_records_by_one_tenant() {
        let (budgets, budget) = (ChangeBudgets::default(), ChangeBudget { changes: 3, audit_bytes: 100 });
        let bytes = |bytes, now| budgets.spend_audit_bytes(&acme(), bytes, budget, now).is_ok();
        assert!(bytes(99, at(9)) && bytes(usize::MAX, at(10)), "the last one may go beyond");
        assert!(!bytes(1, at(11)) && bytes(1, at(9) + HOUR));
        let problem = budgets.spend_audit_bytes(&acme(), usize::MAX, budget, at(9) + HOUR);
        assert!(problem.is_ok());
        let message =
            budgets.spend_audit_bytes(&acme(), 1, budget, at(10) + HOUR).unwrap_err().into_response("");
        assert_eq!(
            (message.status().as_u16(), message.headers()[header::RETRY_AFTER].to_str().unwrap()),
            (429, "3600")
        );
    }
}
