//! Writes lockout events to the log and the metrics.

use std::sync::Arc;

use super::{GuardedName, refusals::Refusals};
use crate::{
    domain::{
        account::{Account, AccountId, PRIMARY},
        client::ClientAddress,
        lockout::{CounterKey, LockState, NameHash, ReservedCounters, message::AccountLabel},
        tenant::TenantId,
        time::Timestamp,
    },
    telemetry::{
        account_metrics::{AccountMetrics, LockoutScope},
        audit::AUDIT_TARGET,
    },
};

/// The subject that lockout counters of an attempt are for, besides its network and its browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogSubjectKind {
    Account(AccountId),
    /// A user name that no account has.
    Name,
    /// A session of the portal: for attempts without a user name, and beside the name for attempts in a session.
    PortalSession,
}

/// The name of an attempt as it is logged. Unknown names are not logged: a user may have typed the password
/// into the wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSubject {
    pub subject: LogSubjectKind,
    pub username: String,
    pub user_store: String,
    pub tenant: TenantId,
}

impl LogSubject {
    pub fn of(account: &Account) -> Self {
        Self {
            subject: LogSubjectKind::Account(account.id.clone()),
            username: account.username.clone(),
            user_store: account.user_store.clone(),
            tenant: account.tenant.clone(),
        }
    }

    /// A name without a Doorward account, by its hash.
    pub fn of_portal(name: NameHash, tenant: &TenantId) -> Self {
        Self {
            subject: LogSubjectKind::Name,
            username: name.to_string(),
            user_store: PRIMARY.to_owned(),
            tenant: tenant.clone(),
        }
    }

    fn account(&self) -> Option<&AccountId> {
        match &self.subject {
            LogSubjectKind::Account(id) => Some(id),
            LogSubjectKind::Name | LogSubjectKind::PortalSession => None,
        }
    }

    /// A session of the portal, by its hash.
    pub fn of_portal_session(session: NameHash, tenant: &TenantId) -> Self {
        Self { subject: LogSubjectKind::PortalSession, ..Self::of_portal(session, tenant) }
    }
}

#[derive(Clone)]
pub struct LockoutLog {
    metrics: Arc<AccountMetrics>,
    refusals: Refusals,
}

impl LockoutLog {
    pub fn new(metrics: Arc<AccountMetrics>) -> Self {
        Self { metrics, refusals: Refusals::default() }
    }

    /// Records the locks that a failed attempt of `tenant` has set.
    pub fn log_failure(
        &self,
        reserved: &ReservedCounters,
        tenant: &TenantId,
        subject: Option<&LogSubject>,
        address: Option<ClientAddress>,
    ) {
        for (key, counter) in reserved.locks() {
            // one event is enough: the lock of the name itself is recorded
            if matches!(key, CounterKey::Confusable { .. }) && reserved.name_locked().is_some() {
                continue;
            }
            let LockKind { metric, scope, message } =
                LockKind::of(key, subject.map(|subject| &subject.subject));
            self.metrics.count_lockout(metric);
            let subject = subject.filter(|_| metric != LockoutScope::address);
            if key.is_name() {
                log_locked(subject);
            }
            let named = subject.filter(|subject| subject.subject != LogSubjectKind::PortalSession);
            tracing::warn!(
                target: AUDIT_TARGET,
                action = "lockout.set",
                scope,
                %tenant,
                account = subject.and_then(LogSubject::account).map(tracing::field::display),
                user = named.map(|subject| subject.username.as_str()),
                user_store = named.map(|subject| subject.user_store.as_str()),
                counter = %key.to_text(),
                lockouts = counter.lockouts,
                address = address.map(tracing::field::display),
                until = %until(counter.locked_until),
                "{message}"
            );
        }
    }

    /// An attempt at the portal's sign-in is refused because of the lock of the counter `by`.
    pub(super) fn refused_at_portal(&self, by: &CounterKey, attempt: &PortalAttempt, now: Timestamp) {
        let PortalAttempt { name, log_subject, address } = attempt;
        if let Some(suppressed) = self.refusals.turn(by, name.account.as_ref(), *address, now) {
            log_locked(Some(log_subject));
            name.record_refusal(*address, suppressed);
        }
    }
}

/// An attempt at the portal's sign-in as the logs show it.
pub(super) struct PortalAttempt {
    pub name: GuardedName,
    pub log_subject: LogSubject,
    pub address: ClientAddress,
}

/// The kind of a lock, for the metric and the audit log.
struct LockKind {
    metric: LockoutScope,
    scope: &'static str,
    message: &'static str,
}

impl LockKind {
    fn of(key: &CounterKey, subject: Option<&LogSubjectKind>) -> Self {
        let (metric, scope, message) = match key {
            CounterKey::Account { .. }
            | CounterKey::PortalName { .. }
            | CounterKey::UnknownName { .. }
            | CounterKey::Confusable { .. }
            | CounterKey::Spelling { .. }
            | CounterKey::Forgiven { .. }
            | CounterKey::PortalSession { .. } => match subject {
                Some(LogSubjectKind::Account(_)) => {
                    (LockoutScope::account, "account", "account locked by wrong passwords")
                }
                Some(LogSubjectKind::PortalSession) => (
                    LockoutScope::portal_session,
                    "portal-session",
                    "portal session locked by failed attempts",
                ),
                Some(LogSubjectKind::Name) | None => {
                    (LockoutScope::unknown_name, "name", "unknown name locked by wrong passwords")
                }
            },
            CounterKey::UnknownNetworks { .. } => (
                LockoutScope::account,
                "unknown-networks",
                "account locked by wrong passwords at the management API, for networks that it has not used",
            ),
            CounterKey::AccountAddress { .. } | CounterKey::KnownNetwork { .. } => (
                LockoutScope::account_and_address,
                "account-and-network",
                "account locked by wrong passwords, for one network",
            ),
            CounterKey::Address { .. } | CounterKey::Nameless { .. } => {
                (LockoutScope::address, "network", "network locked by failed attempts")
            }
            CounterKey::Device { .. } | CounterKey::Devices { .. } => {
                (LockoutScope::device, "browser", "known browsers of an account locked by wrong passwords")
            }
        };
        Self { metric, scope, message }
    }
}

/// Writes the line that log scrapers of WSO2 search for, byte for byte. The line names a user, so locks of a portal session
/// have none.
pub(super) fn log_locked(shown: Option<&LogSubject>) {
    let Some(shown) = shown.filter(|shown| shown.subject != LogSubjectKind::PortalSession) else { return };
    let subject =
        AccountLabel { user: &shown.username, user_store: &shown.user_store, tenant: &shown.tenant };
    tracing::error!("{}", subject.locked());
}

fn until(lock: LockState) -> String {
    match lock {
        LockState::None => "now".to_owned(),
        LockState::Until(at) => at.to_string(),
        LockState::UntilAdmin => "an administrator unlocks".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lockout::{ClientNetwork, LoginSubject};

    /// Attack by mishap: a password typed into the name field is written to the logs.
    #[test]
    fn attack_a_password_typed_as_a_name_is_logged_as_a_hash() {
        let shown = LogSubject::of_portal(NameHash::of(&[7; 32]), &TenantId::super_tenant());
        assert_eq!(shown.username, "07".repeat(16));
    }

    #[test]
    fn audit_log_names_the_kind_of_a_lock() {
        let tenant = TenantId::super_tenant();
        let id = AccountId::from_bytes([1; 16]);
        let name = NameHash::of(&[7; 32]);
        let subjects =
            [LogSubjectKind::Account(id.clone()), LogSubjectKind::Name, LogSubjectKind::PortalSession];
        let [account, unknown, session] = &subjects;
        let portal = || CounterKey::PortalName { tenant: tenant.clone(), name };
        let net = ClientNetwork::of([192, 0, 2, 1].into());
        let who = || LoginSubject::Account(id.clone());
        for (key, subject, metric, scope) in [
            (CounterKey::of(tenant.clone(), who()), Some(account), LockoutScope::account, "account"),
            (
                CounterKey::Confusable { tenant: tenant.clone(), name },
                Some(account),
                LockoutScope::account,
                "account",
            ),
            (portal(), Some(unknown), LockoutScope::unknown_name, "name"),
            (
                CounterKey::Confusable { tenant: tenant.clone(), name },
                Some(unknown),
                LockoutScope::unknown_name,
                "name",
            ),
            (
                CounterKey::UnknownName { tenant: tenant.clone(), bucket: 7 },
                None,
                LockoutScope::unknown_name,
                "name",
            ),
            (portal(), Some(session), LockoutScope::portal_session, "portal-session"),
            (
                CounterKey::Nameless { tenant: tenant.clone(), net },
                Some(session),
                LockoutScope::address,
                "network",
            ),
            (
                CounterKey::Address { tenant: tenant.clone(), net },
                Some(account),
                LockoutScope::address,
                "network",
            ),
            (
                CounterKey::UnknownNetworks { tenant: tenant.clone(), subject: who() },
                Some(account),
                LockoutScope::account,
                "unknown-networks",
            ),
            (
                CounterKey::AccountAddress { tenant: tenant.clone(), subject: who(), net },
                Some(account),
                LockoutScope::account_and_address,
                "account-and-network",
            ),
            (
                CounterKey::Devices { tenant: tenant.clone(), subject: who() },
                Some(account),
                LockoutScope::device,
                "browser",
            ),
        ] {
            let kind = LockKind::of(&key, subject);
            assert_eq!((kind.metric, kind.scope), (metric, scope), "{key:?}");
        }
    }
}
