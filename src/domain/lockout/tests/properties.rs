//! Invariants for every sequence of operations.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Move {
    Reserve,
    /// Of the attempts in flight, the one with this number (modulo their number) ends so.
    Succeed(usize),
    Fail(usize),
    Cancel(usize),
    Wait(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        8 => Just(Move::Reserve),
        1 => any::<usize>().prop_map(Move::Succeed),
        4 => any::<usize>().prop_map(Move::Fail),
        3 => any::<usize>().prop_map(Move::Cancel),
        2 => (1_u64..30).prop_map(Move::Wait),
    ];
    prop::collection::vec(one, 0..120)
}

fn settings() -> impl Strategy<Value = LockoutSettings> {
    (1_u32..8, 0_u64..20, 1_u32..4, 0_u64..100, 0_u32..5).prop_map(|(n, time, ratio, cap, max_lockouts)| {
        LockoutSettings {
            max_attempts: n,
            time: Duration::from_mins(time),
            ratio,
            max_duration: Duration::from_mins(cap),
            max_lockouts,
            ..wso2()
        }
    })
}

fn counter() -> impl Strategy<Value = Counter> {
    let lock = prop_oneof![
        Just(LockState::None),
        (0..2 * NOW.as_millis()).prop_map(|until| LockState::Until(Timestamp::from_millis(until))),
        Just(LockState::UntilAdmin)
    ];
    (any::<u32>(), any::<u32>(), lock, 0..NOW.as_millis()).prop_map(
        |(failures, lockouts, locked_until, since)| {
            let since = Timestamp::from_millis(since);
            Counter { failures, lockouts, locked_until, since, last_failure: since, window: Duration::ZERO }
        },
    )
}

proptest! {
    #[test]
    fn no_more_than_n_guesses_are_verified_before_a_lock(settings in settings(), moves in moves()) {
        let n = settings.max_attempts as usize;
        let mut fixture = LockoutFixture::new(settings);
        let mut flying: Vec<ReservedCounters> = Vec::new();
        // verified or in flight since the last success or the end of the last lock
        let mut guesses = 0_usize;
        for step in moves {
            // no two rounds begin in the same millisecond
            fixture.now += ms(1);
            match step {
                Move::Reserve => {
                    let lock_ended = matches!(fixture.counter().locked_until, LockState::Until(end) if end <= fixture.now);
                    match fixture.reserve() {
                        Ok(reserved) => {
                            if lock_ended {
                                guesses = 0;
                                // those still in flight belong to the round that was locked
                                flying.clear();
                            }
                            guesses += 1;
                            flying.push(reserved);
                        }
                        Err(refused) => prop_assert!(refused.until > LockedUntil::Time(fixture.now)),
                    }
                    prop_assert!(guesses <= n, "{guesses} guesses of {n}");
                }
                Move::Wait(minutes) => fixture.now += Duration::from_mins(minutes),
                Move::Succeed(which) if !flying.is_empty() => {
                    let reserved = flying.swap_remove(which % flying.len());
                    record_success(&fixture.settings, &reserved, &mut fixture.counters, 0);
                    prop_assert_eq!(fixture.counter(), Counter::default());
                    guesses = 0;
                }
                Move::Cancel(which) if !flying.is_empty() => {
                    let reserved = flying.swap_remove(which % flying.len());
                    let before = fixture.counter();
                    release(&reserved, &mut fixture.counters);
                    guesses -= usize::from(before != fixture.counter());
                }
                Move::Fail(which) if !flying.is_empty() => {
                    flying.swap_remove(which % flying.len());
                }
                Move::Succeed(_) | Move::Cancel(_) | Move::Fail(_) => {}
            }
        }
    }

    #[test]
    fn a_lock_grows_and_never_beyond_its_cap(settings in settings(), ladder in 2_usize..40) {
        let mut last = Duration::ZERO;
        for lockouts in 0..ladder {
            let lockouts = u32::try_from(lockouts).unwrap();
            let Some(length) = settings.lock_duration(lockouts) else {
                // from here on only an administrator unlocks
                last = Duration::MAX;
                continue;
            };
            prop_assert!(length >= last && !length.is_zero());
            let cap = settings.max_duration;
            prop_assert!(cap.is_zero() || length <= cap);
            last = length;
        }
    }

    #[test]
    fn cancel_undoes_reserve(settings in settings(), counter in counter(), window in 0_u64..100) {
        let threshold = LockoutThreshold { max_attempts: 3, window: Duration::from_mins(window), time: Duration::from_mins(1) };
        let settings = LockoutSettings { address: Some(threshold), ..settings };
        let mut fixture = LockoutFixture::new(settings);
        let net = ClientNetwork::of("192.0.2.1".parse().unwrap());
        fixture.counters = vec![
            (CounterKey::of(tenant(), alex()), counter),
            (CounterKey::Address { tenant: tenant(), net }, Counter { locked_until: LockState::None, ..counter }),
        ];
        let before = fixture.counters.clone();
        if let Ok(reserved) = fixture.reserve() {
            release(&reserved, &mut fixture.counters);
        }
        prop_assert_eq!(fixture.counters, before);
    }

    /// The store relies on this when it deletes counters.
    #[test]
    fn counter_past_its_window_equals_no_counter(
        settings in settings(), counter in counter(), window in 1_u64..100, later in 0_u64..60_000,
    ) {
        let window = Duration::from_mins(window);
        let threshold = LockoutThreshold { max_attempts: 3, window, time: Duration::from_mins(1) };
        let settings = LockoutSettings { address: Some(threshold), ..settings };
        let net = ClientNetwork::of("192.0.2.1".parse().unwrap());
        let key = CounterKey::Address { tenant: tenant(), net };
        let now = counter.since + window + ms(later);
        prop_assume!(!counter.locked_until.is_in_force(now));
        let [kept, gone] = [counter, Counter::default()].map(|counter| {
            let mut rows = [(key.clone(), counter)];
            reserve(&settings, &mut rows, false, now).map(|_| rows)
        });
        prop_assert_eq!(&kept, &gone);
        prop_assert_eq!(kept.unwrap()[0].1.window, window);
    }

    #[test]
    fn success_leaves_a_name_clean(settings in settings(), counter in counter()) {
        let mut fixture = LockoutFixture::new(settings);
        fixture.counters[0].1 = counter;
        if let Ok(reserved) = fixture.reserve() {
            record_success(&fixture.settings, &reserved, &mut fixture.counters, 0);
            prop_assert_eq!(fixture.counter(), Counter::default());
        }
    }

    #[test]
    fn releasing_all_reservations_restores_the_counters(
        attempts in 1_usize..5,
        order in Just(()).prop_perturb(|(), mut random| (0..5).map(|_| random.next_u32() as usize).collect::<Vec<_>>()),
    ) {
        let mut fixture = LockoutFixture::new(wso2());
        let mut flying: Vec<ReservedCounters> = (0..attempts).map(|_| fixture.reserve().unwrap()).collect();
        for which in order.into_iter().take(attempts) {
            let reserved = flying.swap_remove(which % flying.len());
            release(&reserved, &mut fixture.counters);
        }
        prop_assert_eq!((fixture.counter().failures, fixture.counter().lockouts, fixture.counter().locked_until), (0, 0, LockState::None));
    }
}
