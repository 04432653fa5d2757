//! What the owner of an account, and whoever watches the logs, hears about locks.

use std::sync::Arc;

use super::{GuardedName, refusals::Refusals};
use crate::{
    domain::{
        account::{Account, PRIMARY},
        client::ClientAddress,
        lockout::{Counter, CounterKey, Lock, NameHash, Reserved, message::Subject},
        tenant::TenantId,
    },
    telemetry::accounts::{AccountMetrics, LockoutOf},
};

/// Whose name an attempt was for, as logs show it. Names nobody has are not written down: they may be passwords, typed
/// into the wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub username: String,
    pub user_store: String,
    pub tenant: TenantId,
}

impl Shown {
    pub fn of(account: &Account) -> Self {
        Self {
            username: account.username.clone(),
            user_store: account.user_store.clone(),
            tenant: account.tenant.clone(),
        }
    }

    /// A name only the portal behind us may know, by its hash.
    pub fn of_portal(name: NameHash, tenant: &TenantId) -> Self {
        Self { username: name.to_string(), user_store: PRIMARY.to_owned(), tenant: tenant.clone() }
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

    /// An attempt has failed, and with it these locks are set.
    pub fn failed(&self, reserved: &Reserved, shown: Option<&Shown>, address: Option<ClientAddress>) {
        for (key, counter) in reserved.locks() {
            // the name itself is told of
            if matches!(key, CounterKey::Alike { .. }) && reserved.name_locked().is_some() {
                continue;
            }
            self.metrics.count_lockout(lockout_of(key));
            match shown {
                Some(shown) if key.is_name() => locked(shown, counter, address),
                _ => tracing::warn!(
                    target: "doorward::audit",
                    action = "lockout.set",
                    counter = %key.to_text(),
                    address = address.map(tracing::field::display),
                    until = %until(counter.locked_until),
                    "locked out by wrong passwords"
                ),
            }
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
            log_locked(shown);
            tried.record_refusal(address, left_out);
        }
    }

    /// Somebody has come to a locked account.
    pub fn refused(&self, shown: Option<&Shown>) {
        if let Some(shown) = shown {
            log_locked(shown);
        }
    }
}

fn locked(shown: &Shown, counter: &Counter, address: Option<ClientAddress>) {
    log_locked(shown);
    tracing::warn!(
        target: "doorward::audit",
        action = "lockout.set",
        user = shown.username,
        user_store = shown.user_store,
        tenant = %shown.tenant,
        lockouts = counter.lockouts,
        address = address.map(tracing::field::display),
        until = %until(counter.locked_until),
        "account locked by wrong passwords"
    );
}

/// The line that log scrapers of WSO2 look for, to the byte.
fn log_locked(shown: &Shown) {
    let subject = Subject { user: &shown.username, user_store: &shown.user_store, tenant: &shown.tenant };
    tracing::error!("{}", subject.locked());
}

fn lockout_of(key: &CounterKey) -> LockoutOf {
    match key {
        CounterKey::Account { .. }
        | CounterKey::Portal { .. }
        | CounterKey::Alike { .. }
        | CounterKey::Spelling { .. }
        | CounterKey::Forgiven { .. }
        | CounterKey::UnknownNetworks { .. }
        | CounterKey::KnownNetwork { .. } => LockoutOf::account,
        CounterKey::Unknown { .. } => LockoutOf::unknown_name,
        CounterKey::Address { .. } | CounterKey::Nameless { .. } => LockoutOf::address,
        CounterKey::AccountAddress { .. } => LockoutOf::account_and_address,
        CounterKey::Device { .. } | CounterKey::Devices { .. } => LockoutOf::device,
    }
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

    /// Attack by mishap: who types the password into the field of the name writes it into every log.
    #[test]
    fn attack_a_password_typed_as_a_name_is_logged_as_a_hash() {
        let shown = Shown::of_portal(NameHash::of(&[7; 32]), &TenantId::super_tenant());
        assert_eq!(shown.username, "07".repeat(16));
    }
}
