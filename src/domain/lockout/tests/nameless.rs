//! Attempts without a user name: each portal session and each network has a bound.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NETWORK: &str = "192.0.2.1";

/// Stands for the counters in the store.
#[derive(Default)]
struct Table(BTreeMap<CounterKey, Counter>);

impl Table {
    fn rows(&self, keys: &[CounterKey]) -> Vec<(CounterKey, Counter)> {
        keys.iter().map(|key| (key.clone(), self.0.get(key).copied().unwrap_or_default())).collect()
    }

    fn reserve(
        &mut self,
        settings: &LockoutSettings,
        session: u8,
        address: &str,
        now: Timestamp,
    ) -> Option<ReservedCounters> {
        let attempt = CountedAttempt {
            tenant: tenant(),
            subject: LoginSubject::PortalName(NameHash::of(&[session; 32])),
            confusable: None,
            spelling: None,
            address: Some(address.parse().unwrap()),
            device: None,
        };
        let mut rows = self.rows(&without_name(settings, &attempt));
        let reserved = reserve(settings, &mut rows, false, now).ok();
        self.0.extend(rows);
        reserved
    }

    fn end(
        &mut self,
        reserved: &ReservedCounters,
        record: impl FnOnce(&ReservedCounters, &mut [(CounterKey, Counter)]),
    ) {
        let mut rows = self.rows(&reserved.keys().cloned().collect::<Vec<_>>());
        record(reserved, &mut rows);
        self.0.extend(rows);
    }
}

#[derive(Debug, Clone, Copy)]
enum End {
    Failed,
    Passed,
    Succeeded,
}

fn ends() -> impl Strategy<Value = Vec<(u8, End)>> {
    let end = prop_oneof![6 => Just(End::Failed), 1 => Just(End::Passed), 1 => Just(End::Succeeded)];
    prop::collection::vec((any::<u8>(), end), 0..200)
}

proptest! {
    /// For any cookies that the client sends, and any successes of its own between its guesses.
    #[test]
    fn failures_of_a_network_are_bounded_whatever_its_cookies(n in 1_u32..4, attempts in ends()) {
        let settings = LockoutSettings { max_attempts: n, ..wso2() };
        let (mut table, mut failures) = (Table::default(), 0);
        for (turn, (session, end)) in (0..).zip(attempts) {
            let Some(reserved) = table.reserve(&settings, session, NETWORK, NOW + ms(turn)) else { continue };
            match end {
                End::Failed => failures += 1,
                End::Passed => table.end(&reserved, release),
                End::Succeeded => table.end(&reserved, |reserved, rows| {
                    record_success(&settings, reserved, rows, 0);
                }),
            }
            prop_assert!(failures <= 10 * n, "{failures} failures of {n}");
        }
    }

    #[test]
    fn passed_and_successful_attempts_leave_no_failures(turns in 0_u64..100) {
        let (settings, mut table) = (wso2(), Table::default());
        for turn in 0..turns {
            let reserved = table.reserve(&settings, 7, NETWORK, NOW + ms(turn)).unwrap();
            if turn % 2 == 0 {
                table.end(&reserved, release);
            } else {
                table.end(&reserved, |reserved, rows| { record_success(&settings, reserved, rows, 0); });
            }
        }
        prop_assert!(table.0.values().all(|counter| counter.failures == 0 && counter.lockouts == 0));
    }
}

#[test]
fn ten_times_max_attempts_lock_a_network_for_an_hour() {
    let office = LockoutSettings { exempt_networks: vec!["10.0.0.0/8".parse().unwrap()], ..wso2() };
    for (settings, address) in [(wso2(), NETWORK), (office, "10.0.0.1")] {
        let mut table = Table::default();
        let mut fail = |session: u8, address: &str, now: Timestamp| {
            table.reserve(&settings, session, address, now).is_some()
        };
        // five failures lock one portal session, and no other behind the same address
        assert_eq!([(); 7].map(|()| fail(0, address, NOW)), [true, true, true, true, true, false, false]);
        assert_eq!((1..200).filter(|session| fail(*session, address, NOW + ms(1))).count(), 45);
        assert!(fail(200, "198.51.100.1", NOW + ms(2)), "another network");
        assert!(!fail(201, address, NOW + 60 * MINUTE));
        assert!(fail(201, address, NOW + 60 * MINUTE + ms(1)));
    }
}

/// Attack: `account_lock.address` as `doorward init` writes it allows more guesses than the bound of attempts without a name.
#[test]
fn attack_second_factor_guessed_where_addresses_have_a_limit() {
    let limit = |max_attempts, minutes| LockoutThreshold {
        max_attempts,
        window: Duration::from_mins(minutes),
        time: Duration::from_mins(minutes),
    };
    for (address, verified) in [
        (None, 50),
        (Some(limit(100, 15)), 50),
        (Some(limit(1000, 1)), 50),
        (Some(limit(50, 1)), 50),
        // a stricter one holds as well
        (Some(limit(7, 60)), 7),
        (Some(limit(7, 15)), 28),
    ] {
        for allow in [vec![], vec!["192.0.2.0/24".parse().unwrap()]] {
            let is_allowed = !allow.is_empty();
            let settings = LockoutSettings { address, exempt_networks: allow, ..wso2() };
            let mut table = Table::default();
            // four guesses a second for an hour, each in a portal session that has had fewer than five
            let guesses = (0..14_400_u64).filter(|turn| {
                let session = u8::try_from(turn % 250).unwrap();
                table.reserve(&settings, session, NETWORK, NOW + ms(turn * 250)).is_some()
            });
            let expected = if is_allowed { 50 } else { verified };
            assert_eq!(guesses.count(), expected, "{address:?} {is_allowed}");
        }
    }
    let off = LockoutSettings::default();
    let mut table = Table::default();
    assert!((0..100).all(|session| table.reserve(&off, session, "198.51.100.1", NOW).is_some()));
}

/// Attack: one user of an office uses up the portal sessions of all others behind its address.
#[test]
fn attack_portal_sessions_of_an_office_used_up_by_one_user() {
    let settings = LockoutSettings {
        exempt_networks: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/48".parse().unwrap()],
        ..LockoutSettings::default()
    };
    for (address, is_unlisted_proxy, is_limited) in [
        ("192.0.2.1", false, false),
        ("::ffff:192.0.2.1", false, false),
        ("2001:db8::1", false, false),
        ("192.0.3.1", false, true),
        ("2001:db8:1::1", false, true),
        ("10.0.0.1", true, false),
    ] {
        let client = crate::domain::client::ClientAddress { ip: address.parse().unwrap(), is_unlisted_proxy };
        assert_eq!(settings.limits_portal_sessions(client), is_limited, "{address}");
    }
}
