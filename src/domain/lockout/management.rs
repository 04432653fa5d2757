//! Lockout at the management API. The name of an administrator is counted per address only: a counter of the name
//! alone would let every client that reaches the API, or a sign-in page, lock out the administrator. Networks without
//! a recent success of the account share one counter, so that guesses from many addresses are bounded.

use std::time::Duration;

use super::{
    ClientNetwork, CountedAttempt, Counter, CounterKey, LockoutSettings, LockoutThreshold, counter_keys,
};
use crate::domain::time::Timestamp;

/// Minimum duration of a lock, because it does not grow.
const MIN_LOCK: Duration = Duration::from_mins(15);

/// A network is known for 30 days after the last success from it.
const KNOWN_PERIOD: Duration = Duration::from_hours(30 * 24);
/// The most known networks of one account; the ones whose last success is oldest are removed.
pub const MAX_KNOWN_NETWORKS: u32 = 32;

/// A success renews a known network once a day at most, so that not every request writes to the store.
const RENEWAL_INTERVAL: Duration = Duration::from_hours(24);

/// Records a success from a network, as a counter that expires like all others.
pub(super) fn renew(counter: &mut Counter, now: Timestamp) {
    if counter.failures == 0 || now.saturating_since(counter.since) >= RENEWAL_INTERVAL {
        *counter = Counter {
            failures: 1,
            since: now,
            last_failure: now,
            window: KNOWN_PERIOD,
            ..Counter::default()
        };
    }
}

pub(super) fn is_known(counter: &Counter, now: Timestamp) -> bool {
    counter.failures > 0 && now.saturating_since(counter.since) < KNOWN_PERIOD
}

/// The settings and the counters of an attempt. Addresses in `account_lock.allow` are counted as well:
/// their users share an address, but not a name.
pub fn management_lockout(
    settings: &LockoutSettings,
    attempt: &CountedAttempt,
) -> (LockoutSettings, Vec<CounterKey>) {
    let per_name = settings.enabled.then(|| LockoutThreshold {
        max_attempts: settings.max_attempts,
        window: Duration::ZERO,
        time: if settings.time.is_zero() { Duration::ZERO } else { settings.time.max(MIN_LOCK) },
    });
    let settings = LockoutSettings {
        account_and_address: settings.account_and_address.or(per_name),
        device: None,
        ..settings.clone()
    };
    let mut counters = counter_keys(&settings, attempt);
    if let Some(address) = attempt.address {
        counters.retain(|key| matches!(key, CounterKey::Address { .. }));
        let (tenant, subject, net) = (&attempt.tenant, &attempt.subject, ClientNetwork::of(address));
        let own = || (tenant.clone(), subject.clone());
        if settings.enabled {
            let (tenant, subject) = own();
            counters.push(CounterKey::UnknownNetworks { tenant, subject });
            let (tenant, subject) = own();
            counters.push(CounterKey::KnownNetwork { tenant, subject, net });
        }
        let (tenant, subject) = own();
        counters.push(CounterKey::AccountAddress { tenant, subject, net });
        counters.sort();
    }
    (settings, counters)
}

/// Whether the role that is never locked exempts an attempt from its locks. At the management API it does only where the
/// counter is that of the name: the others cannot lock the owner out of a known network, and without them such an
/// administrator's password could be guessed without end.
pub const fn bypasses_at_management(has_role: bool, attempt: &CountedAttempt) -> bool {
    has_role && attempt.address.is_none()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{
        lockout::{LockoutRefusal, LoginSubject, ReservedCounters, record_success, reserve},
        tenant::TenantId,
    };

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn attempt(address: &str) -> CountedAttempt {
        CountedAttempt {
            tenant: TenantId::parse("acme.com").unwrap(),
            subject: LoginSubject::UnknownName(7),
            confusable: None,
            spelling: None,
            address: Some(address.parse().unwrap()),
            device: None,
        }
    }

    fn counters(settings: &LockoutSettings, address: &str) -> Vec<String> {
        management_lockout(settings, &attempt(address)).1.iter().map(CounterKey::to_text).collect()
    }

    /// Stands for the counters in the store.
    #[derive(Default)]
    struct Table(BTreeMap<CounterKey, Counter>);

    impl Table {
        fn reserve(&mut self, address: &str, now: Timestamp) -> Result<ReservedCounters, LockoutRefusal> {
            let on = LockoutSettings { enabled: true, ..LockoutSettings::default() };
            let (settings, keys) = management_lockout(&on, &attempt(address));
            let mut rows = self.rows(&keys);
            let reserved = reserve(&settings, &mut rows, false, now);
            self.0.extend(rows);
            reserved
        }

        fn succeed(&mut self, address: &str, now: Timestamp) -> bool {
            let Ok(reserved) = self.reserve(address, now) else { return false };
            let keys: Vec<_> = reserved.keys().cloned().collect();
            let mut rows = self.rows(&keys);
            record_success(&LockoutSettings::default(), &reserved, &mut rows, 0);
            self.0.extend(rows);
            true
        }

        fn rows(&self, keys: &[CounterKey]) -> Vec<(CounterKey, Counter)> {
            keys.iter().map(|key| (key.clone(), self.0.get(key).copied().unwrap_or_default())).collect()
        }

        /// Sends `count` guesses, each from another address, and returns how many are verified.
        fn guesses(&mut self, count: u16, now: Timestamp) -> usize {
            (0..count).filter(|n| self.reserve(&format!("2001:db8:0:{n:x}::1"), now).is_ok()).count()
        }
    }

    #[test]
    fn attack_guesses_from_many_addresses_have_a_common_bound() {
        let mut table = Table::default();
        assert!(table.succeed("192.0.2.1", NOW));
        assert_eq!(table.guesses(200, NOW + ms(1)), 50, "ten times max_attempts");
        assert!(!table.succeed("198.51.100.1", NOW + ms(2)), "an unknown network");
        assert!(table.succeed("192.0.2.1", NOW + ms(3)), "the administrator's network");
        assert_eq!(table.guesses(200, NOW + HOUR), 0, "the lock lasts an hour from the last of them");
        assert_eq!(table.guesses(200, NOW + HOUR + ms(2)), 50);
    }

    #[test]
    fn a_known_network_is_counted_by_itself_and_expires() {
        let mut table = Table::default();
        assert!(table.succeed("192.0.2.1", NOW));
        for guess in 0..9 {
            assert_eq!(table.reserve("192.0.2.1", NOW + ms(1)).is_ok(), guess < 5);
        }
        let elsewhere = CounterKey::UnknownNetworks {
            tenant: attempt("::1").tenant,
            subject: LoginSubject::UnknownName(7),
        };
        assert_eq!(table.0.get(&elsewhere).copied().unwrap_or_default(), Counter::default());
        for (days, is_open) in [(29, true), (29 + 30, false)] {
            let now = NOW + days * 24 * HOUR;
            table.guesses(200, now);
            assert_eq!(table.succeed("192.0.2.1", now + ms(1)), is_open, "{days}");
        }
    }

    #[test]
    fn success_at_an_unknown_network_removes_no_other_failures() {
        let mut table = Table::default();
        assert_eq!(table.guesses(49, NOW), 49);
        let before = table.reserve("192.0.2.1", NOW + ms(1)).unwrap();
        assert!(before.new_network().is_some());
        let mut rows = table.rows(&before.keys().cloned().collect::<Vec<_>>());
        record_success(&LockoutSettings::default(), &before, &mut rows, 0);
        table.0.extend(rows);
        assert!(table.reserve("192.0.2.1", NOW + ms(2)).unwrap().new_network().is_none());
        assert_eq!(table.guesses(200, NOW + ms(3)), 1);
    }

    #[test]
    fn counts_a_name_for_each_address_and_never_by_itself() {
        let off = LockoutSettings::default();
        let on = LockoutSettings { enabled: true, ..off.clone() };
        let threshold = LockoutThreshold { max_attempts: 9, window: Duration::ZERO, time: Duration::ZERO };
        let office = LockoutSettings {
            address: Some(threshold),
            exempt_networks: vec!["10.0.0.0/8".parse().unwrap()],
            ..on.clone()
        };
        let pair = "name-address|acme.com|unknown:0007|10.0.0.7";
        // present also where nothing is counted: a transaction needs a row
        assert_eq!(counters(&off, "10.0.0.7"), [pair]);
        let all = "unknown-networks|acme.com|unknown:0007";
        assert_eq!(counters(&on, "10.0.0.7"), [all, "known-network|acme.com|unknown:0007|10.0.0.7", pair]);
        assert_eq!(counters(&office, "10.0.0.7"), counters(&on, "10.0.0.7"));
        assert_eq!(
            counters(&office, "192.0.2.1"),
            [
                "address|acme.com|192.0.2.1",
                all,
                "known-network|acme.com|unknown:0007|192.0.2.1",
                "name-address|acme.com|unknown:0007|192.0.2.1",
            ]
        );
    }

    #[test]
    fn bypass_role_exempts_name_counters_only() {
        let over_network = attempt("192.0.2.1");
        let local = CountedAttempt { address: None, ..over_network.clone() };
        for (attempt, has_role, is_exempt) in [
            (&over_network, true, false),
            (&over_network, false, false),
            (&local, true, true),
            (&local, false, false),
        ] {
            assert_eq!(bypasses_at_management(has_role, attempt), is_exempt, "{has_role}");
        }
        let on = LockoutSettings { enabled: true, ..LockoutSettings::default() };
        assert!(management_lockout(&on, &local).1.iter().all(CounterKey::is_name));
        assert!(!management_lockout(&on, &over_network).1.iter().any(CounterKey::is_name));
    }
}
