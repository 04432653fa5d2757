//! Names at the portal's sign-in: each spelling has a counter, and all that the portal may take for one have one together.

use super::{beyond::Table, *};

fn hash(n: u8) -> NameHash {
    NameHash::of(&[n; 32])
}

/// All these names are alike.
fn named(n: u8) -> Attempt {
    Attempt { tenant: tenant(), who: Who::Portal(hash(n)), alike: Some(hash(0)), address: None, device: None }
}

fn alike(table: &Table) -> Counter {
    table.of(&CounterKey::Alike { tenant: tenant(), name: hash(0) })
}

#[test]
fn a_success_forgives_what_this_spelling_had_and_nothing_of_others() {
    let (settings, mut table) = (wso2(), Table::default());
    table.fail(&settings, &named(1), 2, NOW);
    table.fail(&settings, &named(2), 1, NOW + 1);
    table.sign_in(&settings, &named(2), NOW + 2);
    assert_eq!(alike(&table).failures, 2);
    table.sign_in(&settings, &named(1), NOW + 3);
    assert_eq!((alike(&table).failures, alike(&table).lockouts), (0, 0));
}

#[test]
fn an_owners_own_locks_are_forgiven_with_the_ladder() {
    let (settings, mut table) = (wso2(), Table::default());
    table.fail(&settings, &named(1), 5, NOW);
    assert!(table.reserve(&settings, &named(1), NOW + 1).is_err());
    table.fail(&settings, &named(1), 3, NOW + 5 * MINUTE);
    table.sign_in(&settings, &named(1), NOW + 6 * MINUTE);
    assert_eq!((alike(&table).failures, alike(&table).lockouts), (0, 0));
}

/// Attack: attempts in flight that a success has forgiven are said to have come to nothing, and taken back once more.
#[test]
fn attack_an_attempt_is_not_forgiven_twice() {
    for cancelled in [true, false] {
        let (settings, mut table) = (wso2(), Table::default());
        table.fail(&settings, &named(1), 2, NOW);
        let slow = table.reserve(&settings, &named(2), NOW + 1).unwrap();
        let quick = table.reserve(&settings, &named(2), NOW + 2).unwrap();
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

/// Attack: failures of a round that others have ended are no credit for guesses in the next one.
#[test]
fn attack_failures_of_a_round_that_is_over_forgive_nothing_in_the_next() {
    let (settings, mut table) = (wso2(), Table::default());
    table.fail(&settings, &named(2), 3, NOW);
    table.fail(&settings, &named(1), 2, NOW + 1);
    let later = NOW + 5 * MINUTE + 1;
    table.fail(&settings, &named(1), 2, later);
    table.sign_in(&settings, &named(2), later + 1);
    assert_eq!((alike(&table).failures, alike(&table).lockouts), (2, 1));
}
