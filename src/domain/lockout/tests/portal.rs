//! Names at the portal's sign-in: each spelling has a counter, and all that the portal may take for one have one together.

use super::{beyond::Table, *};

fn hash(n: u8) -> NameHash {
    NameHash::of(&[n; 32])
}

/// These names are confusable.
fn named(n: u8) -> CountedAttempt {
    CountedAttempt {
        tenant: tenant(),
        subject: LoginSubject::PortalName(hash(n)),
        confusable: Some(hash(0)),
        spelling: Some(hash(n)),
        address: None,
        device: None,
    }
}

fn alike(table: &Table) -> Counter {
    table.of(&CounterKey::Confusable { tenant: tenant(), name: hash(0) })
}

#[test]
fn success_forgives_only_failures_of_the_same_spelling() {
    let (settings, mut table) = (wso2(), Table::default());
    table.fail(&settings, &named(1), 2, NOW);
    table.fail(&settings, &named(2), 1, NOW + ms(1));
    table.sign_in(&settings, &named(2), NOW + ms(2));
    assert_eq!(alike(&table).failures, 2);
    table.sign_in(&settings, &named(1), NOW + ms(3));
    assert_eq!((alike(&table).failures, alike(&table).lockouts), (0, 0));
}

#[test]
fn an_owners_own_locks_are_forgiven_with_the_ladder() {
    let (settings, mut table) = (wso2(), Table::default());
    table.fail(&settings, &named(1), 5, NOW);
    assert!(table.reserve(&settings, &named(1), NOW + ms(1)).is_err());
    table.fail(&settings, &named(1), 3, NOW + 5 * MINUTE);
    table.sign_in(&settings, &named(1), NOW + 6 * MINUTE);
    assert_eq!((alike(&table).failures, alike(&table).lockouts), (0, 0));
}

#[test]
fn right_passwords_of_two_rounds_at_once_leave_no_lock() {
    let (settings, mut table) = (wso2(), Table::default());
    let round =
        |table: &mut Table, at: Timestamp| [(); 5].map(|()| table.reserve(&settings, &named(1), at).unwrap());
    let [quick, slow @ ..] = round(&mut table, NOW);
    table.succeed(&settings, &quick);
    // the first success allows five more, which lock again while four of the first round are pending
    let next = round(&mut table, NOW + ms(1));
    for reserved in slow.iter().chain(&next) {
        table.succeed(&settings, reserved);
    }
    assert_eq!(alike(&table).locked_until, LockState::None);
    assert!(table.reserve(&settings, &named(1), NOW + ms(2)).is_ok());
}

#[test]
fn parallel_successes_do_not_use_the_forgiveness_budget() {
    let (settings, mut table) = (wso2(), Table::default());
    for round in 0..20 {
        let all = [(); 5].map(|()| table.reserve(&settings, &named(1), NOW + ms(round)).unwrap());
        for (underway, reserved) in (0..5).rev().zip(&all) {
            table.succeed_among(&settings, reserved, underway);
            assert_eq!((alike(&table).failures, alike(&table).locked_until), (underway, LockState::None));
        }
    }
    // one that fails among them is counted, and forgiven by the next success
    let [wrong, right] = [(); 2].map(|()| table.reserve(&settings, &named(1), NOW + ms(20)).unwrap());
    drop(wrong);
    table.succeed_among(&settings, &right, 0);
    assert_eq!(alike(&table).failures, 0);
}

/// Attack: pending attempts that a success has forgiven are released afterwards.
#[test]
fn attack_an_attempt_is_not_forgiven_twice() {
    for cancelled in [true, false] {
        let (settings, mut table) = (wso2(), Table::default());
        table.fail(&settings, &named(1), 2, NOW);
        let slow = table.reserve(&settings, &named(2), NOW + ms(1)).unwrap();
        let quick = table.reserve(&settings, &named(2), NOW + ms(2)).unwrap();
        table.succeed(&settings, &quick);
        assert_eq!(alike(&table).failures, 2);
        if cancelled {
            table.cancel(&slow);
        } else {
            table.succeed(&settings, &slow);
        }
        assert_eq!(alike(&table).failures, 2, "{cancelled}");
    }
}

/// Attack: failures of a round that other attempts have completed are subtracted from the next round.
#[test]
fn attack_old_failures_forgive_a_new_round() {
    let (settings, mut table) = (wso2(), Table::default());
    table.fail(&settings, &named(2), 3, NOW);
    table.fail(&settings, &named(1), 2, NOW + ms(1));
    let later = NOW + 5 * MINUTE + ms(1);
    table.fail(&settings, &named(1), 2, later);
    table.sign_in(&settings, &named(2), later + ms(1));
    assert_eq!((alike(&table).failures, alike(&table).lockouts), (2, 1));
}

/// A Doorward account, attempted at the portal under this spelling.
fn ours(spelling: u8) -> CountedAttempt {
    CountedAttempt { subject: alex(), spelling: Some(hash(spelling)), ..named(0) }
}

fn at_own_sign_in() -> CountedAttempt {
    CountedAttempt { confusable: None, spelling: None, ..ours(0) }
}

fn account(table: &Table) -> Counter {
    table.of(&CounterKey::of(tenant(), alex()))
}

/// Attack: the portal's user of that name, or of a confusable one, is not the owner of the account.
#[test]
fn attack_portal_success_forgives_guesses_elsewhere() {
    let (settings, mut table) = (wso2(), Table::default());
    table.fail(&settings, &at_own_sign_in(), 2, NOW);
    table.fail(&settings, &ours(1), 1, NOW + ms(1));
    table.fail(&settings, &ours(2), 1, NOW + ms(2));
    table.sign_in(&settings, &ours(2), NOW + ms(3));
    assert_eq!((account(&table).failures, alike(&table).failures), (3, 1));
    table.sign_in(&settings, &at_own_sign_in(), NOW + ms(4));
    assert_eq!(account(&table), Counter::default());
}

/// Attack: failures that the owner's success at Doorward's login has reset are subtracted again.
#[test]
fn attack_failures_at_the_portal_are_not_forgiven_twice() {
    let (settings, mut table) = (wso2(), Table::default());
    table.fail(&settings, &ours(1), 3, NOW);
    table.sign_in(&settings, &at_own_sign_in(), NOW + ms(1));
    table.fail(&settings, &at_own_sign_in(), 3, NOW + ms(2));
    table.sign_in(&settings, &ours(1), NOW + ms(3));
    assert_eq!(account(&table).failures, 3);
}

#[test]
fn portal_success_forgives_earlier_portal_locks() {
    let (settings, mut table) = (wso2(), Table::default());
    let mut now = NOW;
    for typos in [4, 3, 5, 2, 5, 4, 5, 0] {
        table.fail(&settings, &ours(1), typos, now);
        now += 60 * MINUTE;
        table.sign_in(&settings, &ours(1), now);
        for counter in [account(&table), alike(&table)] {
            assert_eq!((counter.failures, counter.lockouts), (0, 0), "{typos}");
        }
        now += MINUTE;
    }
}

/// Attack: another user of the same name resets the counter of the account at a shared address.
#[test]
fn attack_a_namesake_at_the_same_address() {
    let (settings, mut table) = (super::beyond::everything(), Table::default());
    let here =
        |attempt: CountedAttempt| CountedAttempt { address: Some("192.0.2.1".parse().unwrap()), ..attempt };
    table.fail(&settings, &here(at_own_sign_in()), 2, NOW);
    table.sign_in(&settings, &here(ours(1)), NOW + ms(1));
    table.fail(&settings, &here(at_own_sign_in()), 1, NOW + ms(2));
    let refused = table.reserve(&settings, &here(at_own_sign_in()), NOW + ms(3)).unwrap_err();
    assert!(matches!(refused.by, CounterKey::AccountAddress { .. }), "{refused:?}");
}

/// The name `alex` at the portal, from the client with this number.
fn from(client: u8) -> CountedAttempt {
    CountedAttempt { spelling: Some(hash(client)), ..named(0) }
}

fn verifications(table: &mut Table, attempt: &CountedAttempt, now: Timestamp) -> usize {
    (0..100).take_while(|_| table.reserve(&wso2(), attempt, now).is_ok()).count()
}

/// Attack: the attacker guesses four times, waits until the owner has signed in, and guesses again.
#[test]
fn attack_the_owners_success_forgives_guesses_of_another_client() {
    let (settings, mut table) = (wso2(), Table::default());
    table.fail(&settings, &from(1), 4, NOW);
    for minute in 1..4 {
        table.sign_in(&settings, &from(2), NOW + minute * MINUTE);
    }
    assert_eq!(verifications(&mut table, &from(1), NOW + 5 * MINUTE), 1);
}

/// Attack: the attacker can always obtain a response that looks like a success.
#[test]
fn attack_a_client_that_provokes_successes_guesses_on() {
    let (settings, mut table) = (wso2(), Table::default());
    let (mut guesses, mut now) = (0, NOW);
    while table.reserve(&settings, &from(1), now).is_ok() {
        guesses += 1;
        if guesses % 4 == 0 {
            table.sign_in(&settings, &from(1), now);
        }
        now += ms(1000);
        assert!(guesses <= 15, "more than two rounds forgiven and one failed");
    }
    // also the ladder of locks is forgiven only within the bound
    for _ in 0..3 {
        now += 30 * MINUTE;
        guesses = verifications(&mut table, &from(1), now);
        assert!(guesses <= 5, "{guesses}");
    }
}

#[test]
fn an_owner_is_forgiven_ten_failures_an_hour() {
    let (settings, mut table) = (wso2(), Table::default());
    for hour in 0..3 {
        for _ in 0..3 {
            table.fail(&settings, &from(1), 3, NOW + hour * 60 * MINUTE);
            table.sign_in(&settings, &from(1), NOW + hour * 60 * MINUTE);
        }
    }
    let name = table.of(&CounterKey::of(tenant(), LoginSubject::PortalName(hash(0))));
    assert_eq!((name.failures, name.lockouts, name.locked_until), (0, 0, LockState::None));
}
