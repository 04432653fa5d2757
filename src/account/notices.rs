//! What the owner of an account, and whoever watches the logs, hears about locks.

use std::sync::Arc;

use super::{GuardedName, refusals::Refusals};
use crate::{
    domain::{
        account::{Account, AccountId, PRIMARY},
        client::ClientAddress,
        lockout::{CounterKey, Lock, NameHash, Reserved, message::Subject},
        tenant::TenantId,
    },
    telemetry::accounts::{AccountMetrics, LockoutOf},
};

/// The subject that lockout counters of an attempt are for, besides its network and its browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginSubject {
    Account(AccountId),
    /// A user name that no account has.
    Name,
    /// A session of the portal: for attempts without a user name, and beside the name for attempts in a session.
    PortalSession,
}

/// Whose name an attempt was for, as logs show it. Names nobody has are not written down: they may be passwords, typed
/// into the wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub subject: LoginSubject,
    pub username: String,
    pub user_store: String,
    pub tenant: TenantId,
}

impl Shown {
    pub fn of(account: &Account) -> Self {
        Self {
            subject: LoginSubject::Account(account.id.clone()),
            username: account.username.clone(),
            user_store: account.user_store.clone(),
            tenant: account.tenant.clone(),
        }
    }

    /// A name only the portal behind us may know, by its hash.
    pub fn of_portal(name: NameHash, tenant: &TenantId) -> Self {
        Self {
            subject: LoginSubject::Name,
            username: name.to_string(),
            user_store: PRIMARY.to_owned(),
            tenant: tenant.clone(),
        }
    }

    fn account(&self) -> Option<&AccountId> {
        match &self.subject {
            LoginSubject::Account(id) => Some(id),
            LoginSubject::Name | LoginSubject::PortalSession => None,
        }
    }

    /// A session of the portal, by its hash.
    pub fn of_portal_session(session: NameHash, tenant: &TenantId) -> Self {
        Self { subject: LoginSubject::PortalSession, ..Self::of_portal(session, tenant) }
    }
}

#[derive(Clone)]
pub struct Notices {
    metrics: Arc<AccountMetrics>,
    refusals: Refusals,
}

impl Notices {
    pub fn new(metrics: Arc<AccountMetrics>) -> Self {
        Self { metrics, refusals: Refusals::default() }
    }

    /// Records the locks that a failed attempt of `tenant` has set.
    pub fn failed(
        &self,
        reserved: &Reserved,
        tenant: &TenantId,
        shown: Option<&Shown>,
        address: Option<ClientAddress>,
    ) {
        for (key, counter) in reserved.locks() {
            // one event is enough: the lock of the name itself is recorded
            if matches!(key, CounterKey::Alike { .. }) && reserved.name_locked().is_some() {
                continue;
            }
            let LockKind { metric, of, message } = LockKind::of(key, shown.map(|shown| &shown.subject));
            self.metrics.count_lockout(metric);
            let shown = shown.filter(|_| metric != LockoutOf::address);
            if key.is_name() {
                log_locked(shown);
            }
            let named = shown.filter(|shown| shown.subject != LoginSubject::PortalSession);
            tracing::warn!(
                target: "doorward::audit",
                action = "lockout.set",
                of,
                %tenant,
                account = shown.and_then(Shown::account).map(tracing::field::display),
                user = named.map(|shown| shown.username.as_str()),
                user_store = named.map(|shown| shown.user_store.as_str()),
                counter = %key.to_text(),
                lockouts = counter.lockouts,
                address = address.map(tracing::field::display),
                until = %until(counter.locked_until),
                "{message}"
            );
        }
    }

    /// An attempt at the portal's sign-in is refused because of the lock of the counter `by`. `now` is in milliseconds.
    pub(super) fn refused_at_portal(
        &self,
        by: &CounterKey,
        (tried, shown): (&GuardedName, &Shown),
        address: ClientAddress,
        now: u64,
    ) {
        if let Some(left_out) = self.refusals.turn(by, tried.account.as_ref(), address, now) {
            log_locked(Some(shown));
            tried.record_refusal(address, left_out);
        }
    }

    /// Logs an attempt that is rejected because of a lock.
    pub fn refused(&self, shown: Option<&Shown>) {
        log_locked(shown);
    }
}

/// The kind of a lock, for the metric and the audit log.
struct LockKind {
    metric: LockoutOf,
    of: &'static str,
    message: &'static str,
}

impl LockKind {
    fn of(key: &CounterKey, subject: Option<&LoginSubject>) -> Self {
        let (metric, of, message) = match key {
            CounterKey::Account { .. }
            | CounterKey::Portal { .. }
            | CounterKey::Unknown { .. }
            | CounterKey::Alike { .. }
            | CounterKey::Spelling { .. }
            | CounterKey::Forgiven { .. }
            | CounterKey::PortalSession { .. } => match subject {
                Some(LoginSubject::Account(_)) => {
                    (LockoutOf::account, "account", "account locked by wrong passwords")
                }
                Some(LoginSubject::PortalSession) => {
                    (LockoutOf::portal_session, "portal-session", "portal session locked by failed attempts")
                }
                Some(LoginSubject::Name) | None => {
                    (LockoutOf::unknown_name, "name", "unknown name locked by wrong passwords")
                }
            },
            CounterKey::UnknownNetworks { .. } => (
                LockoutOf::account,
                "unknown-networks",
                "account locked by wrong passwords at the management API, for networks that it has not used",
            ),
            CounterKey::AccountAddress { .. } | CounterKey::KnownNetwork { .. } => (
                LockoutOf::account_and_address,
                "account-and-network",
                "account locked by wrong passwords, for one network",
            ),
            CounterKey::Address { .. } | CounterKey::Nameless { .. } => {
                (LockoutOf::address, "network", "network locked by failed attempts")
            }
            CounterKey::Device { .. } | CounterKey::Devices { .. } => {
                (LockoutOf::device, "browser", "known browsers of an account locked by wrong passwords")
            }
        };
        Self { metric, of, message }
    }
}

/// Writes the line that log scrapers of WSO2 search for, byte for byte. The line names a user, so locks of a portal session
/// have none.
fn log_locked(shown: Option<&Shown>) {
    let Some(shown) = shown.filter(|shown| shown.subject != LoginSubject::PortalSession) else { return };
    let subject = Subject { user: &shown.username, user_store: &shown.user_store, tenant: &shown.tenant };
    tracing::error!("{}", subject.locked());
}

fn until(lock: Lock) -> String {
    match lock {
        Lock::None => "now".to_owned(),
        Lock::Until(at) => i64::try_from(at)
            .ok()
            .and_then(|at| jiff::Timestamp::from_millisecond(at).ok())
            .map_or_else(|| at.to_string(), |at| at.to_string()),
        Lock::UntilAdmin => "an administrator unlocks".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lockout::{ClientNet, Who};

    /// Attack by mishap: who types the password into the field of the name writes it into every log.
    #[test]
    fn attack_a_password_typed_as_a_name_is_logged_as_a_hash() {
        let shown = Shown::of_portal(NameHash::of(&[7; 32]), &TenantId::super_tenant());
        assert_eq!(shown.username, "07".repeat(16));
    }

    #[test]
    fn audit_log_names_the_kind_of_a_lock() {
        let tenant = TenantId::super_tenant();
        let id = AccountId::from_bytes([1; 16]);
        let name = NameHash::of(&[7; 32]);
        let subjects = [LoginSubject::Account(id.clone()), LoginSubject::Name, LoginSubject::PortalSession];
        let [account, unknown, session] = &subjects;
        let portal = || CounterKey::Portal { tenant: tenant.clone(), name };
        let net = ClientNet::of([192, 0, 2, 1].into());
        let who = || Who::Account(id.clone());
        for (key, subject, metric, of) in [
            (CounterKey::of(tenant.clone(), who()), Some(account), LockoutOf::account, "account"),
            (
                CounterKey::Alike { tenant: tenant.clone(), name },
                Some(account),
                LockoutOf::account,
                "account",
            ),
            (portal(), Some(unknown), LockoutOf::unknown_name, "name"),
            (
                CounterKey::Alike { tenant: tenant.clone(), name },
                Some(unknown),
                LockoutOf::unknown_name,
                "name",
            ),
            (
                CounterKey::Unknown { tenant: tenant.clone(), bucket: 7 },
                None,
                LockoutOf::unknown_name,
                "name",
            ),
            (portal(), Some(session), LockoutOf::portal_session, "portal-session"),
            (
                CounterKey::Nameless { tenant: tenant.clone(), net },
                Some(session),
                LockoutOf::address,
                "network",
            ),
            (
                CounterKey::Address { tenant: tenant.clone(), net },
                Some(account),
                LockoutOf::address,
                "network",
            ),
            (
                CounterKey::UnknownNetworks { tenant: tenant.clone(), who: who() },
                Some(account),
                LockoutOf::account,
                "unknown-networks",
            ),
            (
                CounterKey::AccountAddress { tenant: tenant.clone(), who: who(), net },
                Some(account),
                LockoutOf::account_and_address,
                "account-and-network",
            ),
            (
                CounterKey::Devices { tenant: tenant.clone(), who: who() },
                Some(account),
                LockoutOf::device,
                "browser",
            ),
        ] {
            let kind = LockKind::of(&key, subject);
            assert_eq!((kind.metric, kind.of), (metric, of), "{key:?}");
        }
    }
}
