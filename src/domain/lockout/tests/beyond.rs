//! Addresses, names at addresses and known devices: what WSO2 does not have.

use core::net::IpAddr;

use super::*;

const FIVE_IN_TEN: LockoutThreshold =
    LockoutThreshold { max_attempts: 5, window: Duration::from_mins(10), time: Duration::from_mins(15) };

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn everything() -> LockoutSettings {
    LockoutSettings {
        address: Some(LockoutThreshold { max_attempts: 20, ..FIVE_IN_TEN }),
        account_and_address: Some(LockoutThreshold { max_attempts: 3, ..FIVE_IN_TEN }),
        device: Some(FIVE_IN_TEN),
        ..wso2()
    }
}

/// All counters, as in the store.
#[derive(Default)]
pub(super) struct Table(std::collections::BTreeMap<CounterKey, Counter>);

impl Table {
    fn on<T>(&mut self, keys: &[CounterKey], f: impl FnOnce(&mut [(CounterKey, Counter)]) -> T) -> T {
        let mut rows: Vec<_> =
            keys.iter().map(|key| (key.clone(), self.0.get(key).copied().unwrap_or_default())).collect();
        let answer = f(&mut rows);
        self.0.extend(rows);
        answer
    }

    pub fn reserve(
        &mut self,
        settings: &LockoutSettings,
        attempt: &CountedAttempt,
        now: Timestamp,
    ) -> Result<ReservedCounters, LockoutRefusal> {
        self.on(&counter_keys(settings, attempt), |rows| reserve(settings, rows, false, now))
    }

    pub fn succeed(&mut self, settings: &LockoutSettings, reserved: &ReservedCounters) {
        self.succeed_among(settings, reserved, 0);
    }

    pub fn succeed_among(&mut self, settings: &LockoutSettings, reserved: &ReservedCounters, underway: u32) {
        let keys: Vec<CounterKey> = reserved.keys().cloned().collect();
        self.on(&keys, |rows| record_success(settings, reserved, rows, underway));
    }

    pub fn cancel(&mut self, reserved: &ReservedCounters) {
        let keys: Vec<CounterKey> = reserved.keys().cloned().collect();
        self.on(&keys, |rows| release(reserved, rows));
    }

    /// This many failed attempts, each of which must be allowed.
    pub fn fail(&mut self, settings: &LockoutSettings, attempt: &CountedAttempt, times: u32, now: Timestamp) {
        for time in 0..times {
            assert!(self.reserve(settings, attempt, now).is_ok(), "wrong login_attempt {time} is verified");
        }
    }

    pub fn sign_in(&mut self, settings: &LockoutSettings, attempt: &CountedAttempt, now: Timestamp) {
        let reserved = self.reserve(settings, attempt, now).expect("a right password is verified");
        self.succeed(settings, &reserved);
    }

    pub fn of(&self, key: &CounterKey) -> Counter {
        self.0.get(key).copied().unwrap_or_default()
    }
}

fn attempt(login_subject: LoginSubject, from: &str, device: Option<u8>) -> CountedAttempt {
    CountedAttempt {
        tenant: tenant(),
        subject: login_subject,
        confusable: None,
        spelling: None,
        address: Some(address(from)),
        device: device.map(|n| DeviceId::new([n; 16])),
    }
}

#[test]
fn attack_lockout_of_the_owner_on_a_known_device() {
    let (settings, mut table) = (everything(), Table::default());
    // guesses from everywhere, also from the owner's own network
    for n in 0..200 {
        let from = format!("198.51.100.{n}");
        let _ = table.reserve(&settings, &attempt(alex(), &from, None), NOW);
        let _ = table.reserve(&settings, &attempt(alex(), "192.0.2.1", None), NOW);
    }
    let unknown_client = table.reserve(&settings, &attempt(alex(), "203.0.113.9", None), NOW).unwrap_err();
    assert!(unknown_client.by.is_name());
    let owner = attempt(alex(), "192.0.2.1", Some(7));
    let reserved = table.reserve(&settings, &owner, NOW).expect("the owner's browser is let through");
    table.succeed(&settings, &reserved);
    // and it resets nothing for the attacker
    assert!(table.reserve(&settings, &attempt(alex(), "203.0.113.9", None), NOW).is_err());
}

#[test]
fn attack_unlimited_guesses_with_a_stolen_device_cookie() {
    let (settings, mut table) = (everything(), Table::default());
    let thief = |n: u8| attempt(alex(), &format!("198.51.100.{n}"), Some(7));
    let granted = (0..100).filter(|n| table.reserve(&settings, &thief(*n), NOW).is_ok()).count();
    // five for the device, then five as for clients without a device
    assert_eq!(granted, 10);
    // another device of the owner does not notice
    assert!(table.reserve(&settings, &attempt(alex(), "198.51.100.1", Some(8)), NOW).is_ok());
    // the lock of the device ends before the third lock of the name would
    assert!(table.reserve(&settings, &thief(1), NOW + 15 * MINUTE).is_ok());
}

#[test]
fn attack_many_device_cookies_multiply_guesses() {
    let settings = LockoutSettings { address: None, account_and_address: None, ..everything() };
    let mut table = Table::default();
    let hoarder = |n: u8| attempt(alex(), "198.51.100.1", Some(n));
    let granted = (0..200).filter(|n| table.reserve(&settings, &hoarder(n % 10), NOW).is_ok()).count();
    // ten for all known devices together, then five as for clients without a device
    assert_eq!(granted, 15);
    // the owner's next success there, after the lock, resets all of them
    let later = NOW + 15 * MINUTE;
    let reserved = table.reserve(&settings, &attempt(alex(), "192.0.2.1", Some(99)), later).unwrap();
    table.succeed(&settings, &reserved);
    assert!(table.reserve(&settings, &hoarder(1), later).is_ok());
}

#[test]
fn attack_guesses_from_known_devices_count_at_their_address() {
    let (settings, mut table) = (everything(), Table::default());
    for n in 0..4 {
        let login_subject = LoginSubject::Account(AccountId::from_bytes([n; 16]));
        for _ in 0..5 {
            let known =
                CountedAttempt { subject: login_subject.clone(), ..attempt(alex(), "192.0.2.1", Some(n)) };
            assert!(table.reserve(&settings, &known, NOW).is_ok(), "{n}");
        }
    }
    let refused = table.reserve(&settings, &attempt(alex(), "192.0.2.1", None), NOW).unwrap_err();
    assert!(matches!(refused.by, CounterKey::Address { .. }), "{refused:?}");
    // a known device at this address is not locked out
    assert!(table.reserve(&settings, &attempt(alex(), "192.0.2.1", Some(77)), NOW).is_ok());
}

#[test]
fn attack_success_on_a_known_device_resets_other_counters() {
    let (settings, mut table) = (everything(), Table::default());
    let unknown_client = attempt(alex(), "192.0.2.1", None);
    for _ in 0..2 {
        table.reserve(&settings, &unknown_client, NOW).unwrap();
        let owner = table.reserve(&settings, &attempt(alex(), "192.0.2.1", Some(7)), NOW).unwrap();
        table.succeed(&settings, &owner);
    }
    table.reserve(&settings, &unknown_client, NOW).unwrap();
    assert!(table.reserve(&settings, &unknown_client, NOW).is_err());
}

#[test]
fn attack_one_address_tries_many_names() {
    let (settings, mut table) = (everything(), Table::default());
    let granted = (0..1000)
        .filter(|n| {
            table.reserve(&settings, &attempt(LoginSubject::UnknownName(*n), "192.0.2.1", None), NOW).is_ok()
        })
        .count();
    assert_eq!(granted, 20);
    let refused = table.reserve(&settings, &attempt(alex(), "192.0.2.1", None), NOW).unwrap_err();
    assert!(matches!(refused.by, CounterKey::Address { .. }));
    assert_eq!(refused.until, LockedUntil::Time(NOW + 15 * MINUTE));
    // elsewhere, and here after the lock, the name is not locked: rejected attempts were not counted
    assert!(table.reserve(&settings, &attempt(alex(), "192.0.2.2", None), NOW).is_ok());
    assert!(table.reserve(&settings, &attempt(alex(), "192.0.2.1", None), NOW + 15 * MINUTE).is_ok());
    // an address's lock does not grow
    for _ in 0..30 {
        let n = u16::try_from(table.0.len()).unwrap();
        let _ = table.reserve(
            &settings,
            &attempt(LoginSubject::UnknownName(n + 5000), "192.0.2.1", None),
            NOW + 15 * MINUTE,
        );
    }
    let refused =
        table.reserve(&settings, &attempt(alex(), "192.0.2.1", None), NOW + 15 * MINUTE).unwrap_err();
    assert_eq!(refused.until, LockedUntil::Time(NOW + 30 * MINUTE));
}

#[test]
fn attack_own_account_resets_the_address_counter() {
    let (settings, mut table) = (everything(), Table::default());
    let own = LoginSubject::Account(AccountId::parse("000000000000000000000000000000ff").unwrap());
    let mut guesses = 0;
    for n in 0..100 {
        let reserved = table.reserve(&settings, &attempt(own.clone(), "192.0.2.1", None), NOW);
        if let Ok(reserved) = reserved {
            table.succeed(&settings, &reserved);
        }
        guesses += usize::from(
            table.reserve(&settings, &attempt(LoginSubject::UnknownName(n), "192.0.2.1", None), NOW).is_ok(),
        );
    }
    assert_eq!(guesses, 20);
}

#[test]
fn failures_at_an_address_are_forgotten_after_the_window() {
    let settings = LockoutSettings { enabled: false, ..everything() };
    let mut table = Table::default();
    let mut now = NOW;
    // one failure per minute from an office never locks its address
    for n in 0..500 {
        assert!(
            table.reserve(&settings, &attempt(LoginSubject::UnknownName(n), "192.0.2.1", None), now).is_ok(),
            "{n}"
        );
        now += MINUTE;
    }
}

#[test]
fn a_name_at_one_address_is_locked_there_alone() {
    let (settings, mut table) = (everything(), Table::default());
    let here = attempt(alex(), "192.0.2.1", None);
    for _ in 0..3 {
        assert!(table.reserve(&settings, &here, NOW).is_ok());
    }
    let refused = table.reserve(&settings, &here, NOW).unwrap_err();
    assert!(matches!(refused.by, CounterKey::AccountAddress { .. }));
    assert!(table.reserve(&settings, &attempt(alex(), "192.0.2.2", None), NOW).is_ok());
}

#[test]
fn bypass_role_does_not_bypass_an_address_lock() {
    let settings = everything();
    let attempt = attempt(alex(), "192.0.2.1", None);
    let mut rows: Vec<_> =
        counter_keys(&settings, &attempt).into_iter().map(|key| (key, Counter::default())).collect();
    let granted = (0..100).filter(|_| reserve(&settings, &mut rows, true, NOW).is_ok()).count();
    assert_eq!(granted, 20);
}

#[test]
fn reports_the_longest_of_several_locks() {
    let settings = everything();
    let attempt = attempt(alex(), "192.0.2.1", None);
    for (longest, locks) in [
        (1, [LockState::Until(NOW + ms(1)), LockState::Until(NOW + ms(9)), LockState::Until(NOW + ms(5))]),
        (2, [LockState::None, LockState::Until(Timestamp::from_millis(u64::MAX)), LockState::UntilAdmin]),
    ] {
        let mut rows: Vec<_> = counter_keys(&settings, &attempt)
            .into_iter()
            .zip(locks)
            .map(|(key, locked_until)| (key, Counter { locked_until, ..Counter::default() }))
            .collect();
        let refused = reserve(&settings, &mut rows, false, NOW).unwrap_err();
        assert_eq!((&refused.by, Some(refused.until)), (&rows[longest].0, locks[longest].in_force(NOW)));
    }
}

#[test]
fn attack_a_million_random_names_use_bounded_memory() {
    let (settings, mut table) = (wso2(), Table::default());
    for n in 0_u32..1_000_000 {
        // as a keyed hash does: every bucket is hit, in an order that the attacker cannot choose
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b1).to_be_bytes());
        let _ = table.reserve(&settings, &attempt(LoginSubject::unknown(&hash), "192.0.2.1", None), NOW);
    }
    assert_eq!(table.0.len(), 1 << 16);
    assert!(table.reserve(&settings, &attempt(alex(), "192.0.2.1", None), NOW).is_ok());
}
