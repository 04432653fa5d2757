//! The lockout of attempts without a user name at a guard: a second factor, or the answer of an identity provider. Such an
//! attempt is counted for the portal session that the client presents. A client can invent any number of sessions, so
//! its network is counted too, with a threshold that many users behind one address do not reach.

use core::net::IpAddr;

use super::{ClientNetwork, CountedAttempt, CounterKey, LockoutSettings, NameHash, counter_keys};

/// The counters of an attempt. The shared threshold also holds beside `account_lock.address`, which may allow more guesses, and
/// for networks in `account_lock.allow`: otherwise guesses from there would not be bounded at all.
pub fn without_name(settings: &LockoutSettings, attempt: &CountedAttempt) -> Vec<CounterKey> {
    let mut counters = counter_keys(settings, attempt);
    if let Some(address) = attempt.address.filter(|_| settings.enabled) {
        counters
            .push(CounterKey::Nameless { tenant: attempt.tenant.clone(), net: ClientNetwork::of(address) });
        counters.sort();
    }
    counters
}

/// The counters of an attempt in a portal session in which a name was given, in addition to those of the name: another name
/// of the session may be forgotten, or known to another replica only. `attempt` has the address, if it is counted.
pub fn of_portal_session(
    settings: &LockoutSettings,
    attempt: &CountedAttempt,
    session: NameHash,
) -> Vec<CounterKey> {
    let tenant = &attempt.tenant;
    let mut counters = vec![CounterKey::PortalSession { tenant: tenant.clone(), session }];
    let counts = |address: &IpAddr| settings.enabled && !settings.exempts(*address);
    if let Some(address) = attempt.address.filter(counts) {
        counters.push(CounterKey::Nameless { tenant: tenant.clone(), net: ClientNetwork::of(address) });
        counters.sort();
    }
    counters
}
