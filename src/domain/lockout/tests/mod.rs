//! The account lock as WSO2 documents it, with Doorward's differences.

mod beyond;
mod keys;
mod nameless;
mod portal;
mod properties;

use std::time::Duration;

use super::*;
use crate::domain::{account::AccountId, tenant::TenantId, time::Timestamp};

const MINUTE: Duration = Duration::from_mins(1);
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn tenant() -> TenantId {
    TenantId::super_tenant()
}

fn alex() -> LoginSubject {
    LoginSubject::Account(AccountId::parse("00000000000000000000000000000a1e").unwrap())
}

/// Counting is on; WSO2's numbers.
fn wso2() -> LockoutSettings {
    LockoutSettings { enabled: true, ..LockoutSettings::default() }
}

/// The counters of one name, with a clock that the test advances.
struct LockoutFixture {
    settings: LockoutSettings,
    counters: Vec<(CounterKey, Counter)>,
    now: Timestamp,
    bypass: bool,
}

impl LockoutFixture {
    fn new(settings: LockoutSettings) -> Self {
        let counters = vec![(CounterKey::of(tenant(), alex()), Counter::default())];
        Self { settings, counters, now: NOW, bypass: false }
    }

    fn reserve(&mut self) -> Result<ReservedCounters, LockoutRefusal> {
        reserve(&self.settings, &mut self.counters, self.bypass, self.now)
    }

    /// This many failed attempts, each of which must be allowed.
    fn fail(&mut self, times: u32) -> &mut Self {
        for time in 0..times {
            assert!(self.reserve().is_ok(), "wrong guess {time} is verified");
        }
        self
    }

    fn succeed(&mut self) -> SuccessSummary {
        let reserved = self.reserve().expect("a right password is verified");
        record_success(&self.settings, &reserved, &mut self.counters, 0)
    }

    fn refused(&mut self) -> LockedUntil {
        let before = self.counters.clone();
        let refused = self.reserve().expect_err("locked");
        assert_eq!(self.counters, before, "an attempt while locked is not counted and prolongs nothing");
        refused.until
    }

    fn counter(&self) -> Counter {
        self.counters[0].1
    }

    fn minutes_locked(&self) -> Option<u64> {
        let remaining = self.counter().locked_until.in_force(self.now)?.remaining(self.now)?;
        Some(remaining.as_secs() / 60)
    }

    fn wait(&mut self, minutes: u64) -> &mut Self {
        self.now += Duration::from_mins(minutes);
        self
    }
}

#[test]
fn lock_duration_doubles_with_each_lock() {
    let mut fixture = LockoutFixture::new(wso2());
    for (round, minutes) in [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440].into_iter().enumerate() {
        fixture.fail(4);
        assert_eq!(fixture.minutes_locked(), None, "four guesses lock nothing");
        fixture.fail(1);
        assert_eq!(fixture.minutes_locked(), Some(minutes), "round {round}");
        assert_eq!(fixture.refused(), LockedUntil::Time(fixture.now + Duration::from_mins(minutes)));
        fixture.wait(minutes);
    }
    // a right password puts it back to five minutes
    fixture.succeed();
    assert_eq!(fixture.fail(5).minutes_locked(), Some(5));
}

/// wso2/product-is#5338
#[test]
fn lock_ends_exactly_at_its_expiry() {
    let mut fixture = LockoutFixture::new(wso2());
    fixture.fail(5);
    fixture.now += ms(5 * 60_000 - 1);
    fixture.refused();
    fixture.now += ms(1);
    assert!(fixture.reserve().is_ok());
}

#[test]
fn remaining_time_ends_with_the_lock() {
    for (left, remaining) in [(1, Some(ms(1))), (60_001, Some(ms(60_001))), (0, None)] {
        let lock = LockState::Until(NOW + ms(left)).in_force(NOW);
        assert_eq!(lock.and_then(|until| until.remaining(NOW)), remaining, "{left} ms");
    }
    assert_eq!(LockedUntil::Admin.remaining(NOW), None);
}

#[test]
fn the_numbers_of_each_step() {
    // (settings, failures before, counter expected)
    let name = |failures, lockouts, locked_until| (failures, lockouts, locked_until);
    let with = |change: fn(&mut LockoutSettings)| {
        let mut settings = wso2();
        change(&mut settings);
        settings
    };
    for (case, settings, failures, expected) in [
        ("counting is off", LockoutSettings::default(), 9, name(0, 0, LockState::None)),
        ("under N", wso2(), 4, name(4, 0, LockState::None)),
        ("at N", wso2(), 5, name(0, 1, LockState::Until(NOW + 5 * MINUTE))),
        ("T = 0", with(|s| s.time = Duration::ZERO), 5, name(0, 1, LockState::UntilAdmin)),
        ("N = 0 is one", with(|s| s.max_attempts = 0), 1, name(0, 1, LockState::Until(NOW + 5 * MINUTE))),
        ("N = 1", with(|s| s.max_attempts = 1), 1, name(0, 1, LockState::Until(NOW + 5 * MINUTE))),
        (
            "T over the cap",
            with(|s| s.max_duration = Duration::from_mins(3)),
            5,
            name(0, 1, LockState::Until(NOW + 3 * MINUTE)),
        ),
        (
            "T under a millisecond",
            with(|s| s.time = Duration::from_nanos(1)),
            5,
            name(0, 1, LockState::Until(NOW + ms(1))),
        ),
        (
            "T beyond all time",
            with(|s| {
                s.time = Duration::MAX;
                s.max_duration = Duration::ZERO;
            }),
            5,
            name(0, 1, LockState::Until(Timestamp::MAX_FORMATTED)),
        ),
        ("the first lock is the last", with(|s| s.max_lockouts = 1), 5, name(0, 1, LockState::UntilAdmin)),
    ] {
        let mut fixture = LockoutFixture::new(settings);
        fixture.fail(failures);
        let counter = fixture.counter();
        assert_eq!((counter.failures, counter.lockouts, counter.locked_until), expected, "{case}");
    }
}

#[test]
fn the_ratio_grows_the_time() {
    for (ratio, minutes) in
        [(0, [5, 5, 5]), (1, [5, 5, 5]), (2, [5, 10, 20]), (3, [5, 15, 45]), (u32::MAX, [5, 1440, 1440])]
    {
        let mut fixture = LockoutFixture::new(LockoutSettings { ratio, ..wso2() });
        for minutes in minutes {
            assert_eq!(fixture.fail(5).minutes_locked(), Some(minutes), "ratio {ratio}");
            fixture.wait(minutes);
        }
    }
}

#[test]
fn attack_cve_2026_77561_overflow_of_the_lock_duration() {
    for max_duration in [Duration::ZERO, Duration::from_hours(24), Duration::MAX] {
        for lockouts in [31, 32, 63, 64, 127, 128, u32::MAX - 1, u32::MAX] {
            let mut fixture = LockoutFixture::new(LockoutSettings { max_duration, ..wso2() });
            fixture.counters[0].1 = Counter { failures: 4, lockouts, ..Counter::default() };
            fixture.fail(1);
            assert!(
                fixture.refused().remaining(NOW) >= Some(Duration::from_hours(24)),
                "{lockouts} locks, cap {max_duration:?}"
            );
        }
        let mut fixture = LockoutFixture::new(LockoutSettings { max_duration, ..wso2() });
        fixture.counters[0].1.failures = u32::MAX;
        fixture.fail(1);
        fixture.refused();
    }
}

#[test]
fn success_resets_the_counter_and_reports_prior_failures() {
    for (failures, rounds, before, ended) in
        [(0, 0, 0, false), (3, 0, 3, false), (0, 1, 5, true), (2, 1, 7, false), (4, 3, 19, false)]
    {
        let mut fixture = LockoutFixture::new(wso2());
        for round in 0..rounds {
            fixture.fail(5).wait(5 << round);
        }
        fixture.fail(failures);
        let success = fixture.succeed();
        assert_eq!(
            success,
            SuccessSummary { failures_before: before, lock_had_ended: ended },
            "{failures} {rounds}"
        );
        assert_eq!(fixture.counter(), Counter::default());
    }
}

#[test]
fn a_lock_holds_even_where_counting_has_been_switched_off() {
    let mut fixture = LockoutFixture::new(wso2());
    fixture.fail(5);
    fixture.settings.enabled = false;
    fixture.refused();
    // after the lock has ended, nothing is counted and nothing reset
    let locked = fixture.wait(5).counter();
    fixture.fail(20);
    assert_eq!(fixture.succeed(), SuccessSummary::default());
    assert_eq!(fixture.counter(), locked);
}

#[test]
fn bypass_role_is_counted_but_never_locked() {
    let mut fixture = LockoutFixture::new(wso2());
    assert!(fixture.settings.is_bypassed_by(&["Internal/everyone".to_owned(), "Internal/system".to_owned()]));
    assert!(!fixture.settings.is_bypassed_by(&["internal/SYSTEM".to_owned(), String::new()]));
    assert!(!LockoutSettings { bypass_role: String::new(), ..wso2() }.is_bypassed_by(&[String::new()]));
    fixture.bypass = true;
    assert_eq!(fixture.fail(12).counter().failures, 12);
    // a lock from before the role was given does not hold either, and a success lifts it
    fixture.counters[0].1.locked_until = LockState::UntilAdmin;
    fixture.fail(1).succeed();
    assert_eq!(fixture.counter(), Counter::default());
}

#[test]
fn after_so_many_locks_in_a_row_only_an_administrator_unlocks() {
    let mut fixture = LockoutFixture::new(LockoutSettings { max_lockouts: 3, ..wso2() });
    fixture.fail(5).wait(5).fail(5).wait(10).fail(5).wait(1_000_000);
    assert_eq!(fixture.refused(), LockedUntil::Admin);
    // an unlock resets the lock duration
    fixture.counters[0].1 = Counter::default();
    assert_eq!(fixture.fail(5).minutes_locked(), Some(5));
}

#[test]
fn only_the_reservation_that_locks_reports_the_lock() {
    let mut fixture = LockoutFixture::new(wso2());
    for _ in 1..=4 {
        assert_eq!(fixture.reserve().unwrap().name_locked(), None);
    }
    let fifth = fixture.reserve().unwrap();
    assert_eq!(
        fifth.name_locked().map(|counter| counter.locked_until),
        Some(LockState::Until(NOW + 5 * MINUTE))
    );
}

#[test]
fn attack_200_parallel_guesses_mean_five_verifications() {
    let mut fixture = LockoutFixture::new(wso2());
    let granted = (0..200).filter(|_| fixture.reserve().is_ok()).count();
    assert_eq!(granted, 5);
}

#[test]
fn parallel_attempts_of_which_one_is_right_leave_nothing_locked() {
    let mut fixture = LockoutFixture::new(wso2());
    let attempts: Vec<ReservedCounters> = (0..5).map(|_| fixture.reserve().unwrap()).collect();
    fixture.refused();
    record_success(&fixture.settings, &attempts[2], &mut fixture.counters, 0);
    assert_eq!(fixture.counter(), Counter::default());
}

#[test]
fn release_removes_a_lock_completed_by_other_attempts() {
    let mut fixture = LockoutFixture::new(wso2());
    let attempts: Vec<ReservedCounters> = (0..5).map(|_| fixture.reserve().unwrap()).collect();
    release(&attempts[1], &mut fixture.counters);
    assert_eq!((fixture.counter().failures, fixture.counter().lockouts), (4, 0));
    release(&attempts[4], &mut fixture.counters);
    assert_eq!(fixture.counter().failures, 3);
    // not an attempt of an earlier round: four guesses are left after a success, not five
    fixture.now += ms(1);
    fixture.succeed();
    fixture.now += ms(1);
    fixture.fail(1);
    release(&attempts[0], &mut fixture.counters);
    assert_eq!(fixture.counter().failures, 1);
}
