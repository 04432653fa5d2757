//! The lockout of attempts without a user name at a guard: a second factor, or the answer of an identity provider. Such an
//! attempt is counted for the portal session that the client presents. A client can invent any number of sessions, so
//! its network is counted too, with a threshold that many users behind one address do not reach.

use super::{Attempt, ClientNet, CounterKey, LockoutSettings, keys};

/// The counters of an attempt. The shared threshold also holds beside `account_lock.address`, which may allow more guesses, and
/// for networks in `account_lock.allow`: otherwise guesses from there would not be bounded at all.
pub fn without_name(settings: &LockoutSettings, attempt: &Attempt) -> Vec<CounterKey> {
    let mut counters = keys(settings, attempt);
    if let Some(address) = attempt.address.filter(|_| settings.enabled) {
        counters.push(CounterKey::Nameless { tenant: attempt.tenant.clone(), net: ClientNet::of(address) });
        counters.sort();
    }
    counters
}
